//! `hb_config_generator` as a process, and `hb_compile` on what it writes.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output};

fn run(program: &str, folder: &Path, arguments: &[&str]) -> Output {
    Command::new(program).current_dir(folder).args(arguments).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

const GENERATOR: &str = env!("CARGO_BIN_EXE_hb_config_generator");
const COMPILER: &str = env!("CARGO_BIN_EXE_hb_compile");

#[test]
fn what_it_writes_is_compiled() {
    let folder = tempfile::tempdir().expect("a folder");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/digits");
    std::fs::copy(example.join("model.onnx"), folder.path().join("model.onnx")).expect("a copy");
    std::fs::create_dir_all(folder.path().join("calibration_data/image")).expect("a folder");
    for (option, file) in [("-s", "simple_compile_config.yaml"), ("--full", "full_compile_config.yaml")] {
        let output = run(GENERATOR, folder.path(), &[option, "-m", "model.onnx", "--march", "nash-m"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let output = run(COMPILER, folder.path(), &["-c", file, "--stop-after", "import"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let again = run(GENERATOR, folder.path(), &[option, "-m", "model.onnx"]);
        assert_eq!(again.status.code(), Some(1));
        assert!(text(&again.stderr).contains(&format!("{file} exists, and may hold somebody's work")));
    }
}

#[test]
fn wrong_usage_is_2_and_a_missing_model_is_1() {
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, status) in [
        (&[] as &[&str], 2),
        (&["-s", "-f"], 2),
        (&["-s", "--march", "nash-x"], 2),
        (&["-s", "-m", "none.onnx"], 1),
        (&["-s", "-p", "net.prototxt"], 2),
        (&["-s", "-m", "none.caffemodel", "-p", "none.prototxt"], 1),
        (&["--help"], 0),
    ] {
        let output = run(GENERATOR, folder.path(), arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn parameters_are_explained() {
    let folder = tempfile::tempdir().expect("a folder");
    let shown = |arguments: &[&str], status: i32| {
        let output = run(COMPILER, folder.path(), arguments);
        assert_eq!(output.status.code(), Some(status), "{}", text(&output.stderr));
        text(&output.stdout) + &text(&output.stderr)
    };
    assert!(shown(&["--help-config", "max_percentile"], 0).contains("range: 0.5 to 1"));
    let all = shown(&["--help-config"], 0);
    assert!(all.contains("model_parameters:") && all.contains("  advice (integer, optional, one per model)"), "{all}");
    assert!(shown(&["--help-config", "cal_data_type"], 0).contains("of the older tool hb_mapper"));
    assert!(shown(&["--help-config", "max_percentil"], 2).contains("did you mean 'max_percentile'?"));
}
