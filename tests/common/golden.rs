//! Files that tests compare with what our own code writes.

use std::path::Path;

/// Compares `text` with the file `path` of the repository, or with `HB_BLESS=1` writes it there (CONTRIBUTING.md, "Golden files").
///
/// # Panics
/// When the file holds another text, or cannot be written.
#[track_caller]
pub fn check(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var("HB_BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(&file, text).unwrap_or_else(|error| panic!("{path}: {error}"));
        return;
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    let first = golden.lines().zip(text.lines()).position(|(old, new)| old != new);
    let line = first.unwrap_or_else(|| golden.lines().count().min(text.lines().count())) + 1;
    assert!(
        golden == text,
        "{path} differs from line {line} on; if that is meant: HB_BLESS=1 make test, and read the difference"
    );
}
