//! No row says more than is true: what is called supported has a reader, and what has a reader is called supported.

use hb::driver::configuration::{PARAMETERS, Status};
use std::path::{Path, PathBuf};

/// The files that make settings. All others use them.
const MAKERS: [&str; 8] = [
    "parameters.rs",
    "checking.rs",
    "collecting.rs",
    "input_rules.rs",
    "rules.rs",
    "questions.rs",
    "fast_perf.rs",
    "generator.rs",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Everything that may read a setting, without comments.
fn readers() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let makes = |path: &Path| {
        path.parent().is_some_and(|folder| folder.ends_with("driver/configuration"))
            && MAKERS.iter().any(|maker| path.ends_with(maker))
    };
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let mut text = String::new();
    for path in paths.iter().filter(|path| !makes(path)) {
        let source = std::fs::read_to_string(path).expect("a file");
        // Tests read settings only to look at them.
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        text.extend(source.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")));
    }
    text
}

#[test]
fn what_acts_is_read_and_what_is_read_acts() {
    let readers = readers();
    for parameter in PARAMETERS {
        let key = parameter.name.to_uppercase();
        let is_read =
            parameter.sets.is_some() || parameter.stands_for.is_some() || readers.contains(&format!(".get(&{key})"));
        assert_eq!(is_read, parameter.status == Status::Supported, "{} is {}", parameter.name, parameter.status);
    }
}
