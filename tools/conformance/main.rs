//! Runs the cases of ONNX's own backend test through import, CPU emission and comparison.
//!
//!     conformance DATA KNOWN.tsv TABLE.tsv
//!
//! `DATA` is the folder `onnx/backend/test/data` of the package `onnx`. Every case ends as passed, refused (the importer or the CPU
//! backend says why) or failed, and `TABLE.tsv` says which. Those that do not pass must be those of `KNOWN.tsv`, with the same reasons;
//! with `HB_BLESS=1` that file is written anew. Cases run in child processes, so that one that takes its process down is one failure.

mod case;
mod compare;
mod workers;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use case::{Case, Outcome};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [workers::WORKER] => workers::serve(),
        [data, known, table] => run(Path::new(data), Path::new(known), Path::new(table)),
        _ => Err("usage: conformance DATA KNOWN.tsv TABLE.tsv".into()),
    }
}

fn run(data: &Path, known: &Path, table: &Path) -> Result<()> {
    let cases = Case::find(data)?;
    let outcomes: BTreeMap<String, Outcome> = workers::run(&cases)?.into_iter().collect();
    fs::write(table, rows(&outcomes, |_| true))?;
    println!("{}the outcome of every case: {}", summary(&outcomes), table.display());
    let found = rows(&outcomes, |outcome| !matches!(outcome, Outcome::Passed));
    if std::env::var_os("HB_BLESS").is_some() {
        fs::write(known, &found)?;
    }
    let expected = fs::read_to_string(known)?;
    let only_in = |text: &str, other: &str| -> Vec<String> {
        text.lines().filter(|line| !other.lines().any(|known| known == *line)).map(str::to_owned).collect()
    };
    let (new, gone) = (only_in(&found, &expected), only_in(&expected, &found));
    new.iter().for_each(|line| println!("not in {}: {line}", known.display()));
    gone.iter().for_each(|line| println!("in {}, but not so: {line}", known.display()));
    match new.len() + gone.len() {
        0 => Ok(()),
        count => Err(format!("{count} lines of what does not pass are not as they should be").into()),
    }
}

/// One line for each outcome that is asked for.
fn rows(outcomes: &BTreeMap<String, Outcome>, asked: impl Fn(&Outcome) -> bool) -> String {
    let mut text = String::new();
    for (name, outcome) in outcomes.iter().filter(|(_, outcome)| asked(outcome)) {
        let _ = writeln!(text, "{name}\t{outcome}");
    }
    text
}

/// Passed, refused and failed cases of each kind.
fn summary(outcomes: &BTreeMap<String, Outcome>) -> String {
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for (name, outcome) in outcomes {
        let kind = name.split_once('/').map_or("", |(kind, _)| kind);
        let [passed, refused, failed] = counts.entry(kind).or_default();
        *match outcome {
            Outcome::Passed => passed,
            Outcome::Refused(_) => refused,
            Outcome::Failed(_) => failed,
        } += 1;
    }
    let mut text = format!("{:20} {:>7} {:>7} {:>7}\n", "cases", "passed", "refused", "failed");
    for (kind, [passed, refused, failed]) in counts {
        let _ = writeln!(text, "{kind:20} {passed:7} {refused:7} {failed:7}");
    }
    text
}
