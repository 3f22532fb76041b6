//! Files that nobody wrote in good faith.

use crate::{BASE, environment, errors, folder};
use hb::driver::configuration::Configuration;
use proptest::prelude::*;
use std::path::Path;

#[test]
fn hostile_files_are_errors() {
    let folder = folder();
    let missing = Configuration::read(&folder.path().join("none.yaml"), &environment()).expect_err("no file");
    assert!(missing.to_string().contains("cannot be read"), "{missing}");
    for bytes in [
        b"model_parameters:\n\tmarch: x\n".to_vec(),
        b"a: \xff\xfe".to_vec(),
        b"\0\0\0".to_vec(),
        vec![b'a'; 1 << 20],
        "[".repeat(100_000).into_bytes(),
        "{a: ".repeat(100_000).into_bytes(),
        format!("{}{}", "{a: ".repeat(4000), "b, ".repeat(100_000)).into_bytes(),
        "- ".repeat(200_000).into_bytes(),
        format!("model_parameters: {}", "[".repeat(500_000)).into_bytes(),
        "a: &a [*a, *a]".into(),
        "a".repeat(1000).into(),
        "? [a]\n: b\n".into(),
        "model_parameters: !!binary aGk=\n".into(),
        "\u{feff}model_parameters:\n".into(),
        "%YAML 9.9\n---\n".into(),
    ] {
        let problems = Configuration::from_bytes(&bytes, Path::new("cfg.yaml"), &environment()).expect_err("hostile");
        assert!(problems.to_string().len() < 20_000);
    }
    let many: String = (0..15_000).map(|index| format!("  p{index}: 1\n")).collect();
    let problems = errors(&format!("model_parameters:\n{many}"));
    assert!(problems.len() < 300, "{}", problems.len());
}

#[test]
fn a_second_document_is_told_where_it_begins() {
    let two = format!("---\n{BASE}---\n{BASE}");
    let problems = Configuration::from_bytes(two.as_bytes(), Path::new("cfg.yaml"), &environment());
    let line = 2 + BASE.lines().count();
    let expected = format!("cfg.yaml:{line}:1: a second document begins here; give one configuration to a file");
    let problems = problems.expect_err("two").to_string();
    assert!(problems.contains(&expected), "{problems}");
    // One document with its marks is sound, but for the files that it names.
    let one = format!("# mine\n---\n{BASE}...\n");
    let problems = Configuration::from_bytes(one.as_bytes(), Path::new("cfg.yaml"), &environment());
    assert!(!problems.expect_err("no files").to_string().contains("document"));
}

/// A file of 64 GiB, which takes no room on the disk, is not read whole.
#[test]
fn a_quant_config_is_bounded() {
    let folder = folder();
    let file = std::fs::File::create(folder.path().join("large.json")).expect("a file");
    file.set_len(1 << 36).expect("a sparse file");
    let text = BASE.replace("  cal_data_dir", "  quant_config: large.json\n  cal_data_dir");
    std::fs::write(folder.path().join("cfg.yaml"), text).expect("a file");
    let problems = Configuration::read(&folder.path().join("cfg.yaml"), &environment()).expect_err("too large");
    assert!(problems.to_string().contains("large.json:1:1: "), "{problems}");
    assert!(problems.to_string().contains("the file is larger than 512 KiB"), "{problems}");
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = Configuration::from_bytes(text.as_bytes(), Path::new("cfg.yaml"), &environment());
    }

    #[test]
    fn no_change_of_a_sound_file_panics(position in 0..BASE.len(), replacement in "[-:;'\"{}\\[\\]#&*!|>%@x0 \\n\\t]{0,4}", cut in 0usize..12) {
        let mut text = BASE.to_owned();
        text.replace_range(position..(position + cut).min(BASE.len()), &replacement);
        let _ = Configuration::from_bytes(text.as_bytes(), Path::new("cfg.yaml"), &environment());
    }
}
