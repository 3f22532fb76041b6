//! What can be wrong with a configuration, and where.

use std::fmt;

/// A place in a configuration file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl Location {
    /// Where a file begins; stands for what a file lacks altogether.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// Whether a problem stops the compilation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something odd that stops nothing.
    Warning,
    /// Nothing is compiled.
    Error,
}

/// One thing that is wrong with a configuration: where, about which parameter, what, and what to do about it.
///
/// Printed as `file:line:column: group.parameter: what is wrong; what to do`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The configuration file, as messages show it.
    pub file: String,
    /// Where in the file.
    pub location: Location,
    /// `group.parameter`, `group`, or empty where the file as a whole is at fault.
    pub subject: String,
    /// What is wrong.
    pub what: String,
    /// What the reader can do about it.
    pub remedy: String,
    /// Whether it stops the compilation.
    pub severity: Severity,
}

impl Problem {
    /// As printed, but without a severity: for a reader that says it itself, such as the log.
    pub fn without_severity(&self) -> String {
        self.line("")
    }

    fn line(&self, severity: &str) -> String {
        let Location { line, column } = self.location;
        let subject = if self.subject.is_empty() { String::new() } else { format!("{}: ", printable(&self.subject)) };
        let (what, remedy) = (printable(&self.what), printable(&self.remedy));
        format!("{}:{line}:{column}: {severity}{subject}{what}; {remedy}", self.file)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line(match self.severity {
            Severity::Warning => "warning: ",
            Severity::Error => "",
        }))
    }
}

/// Everything that is wrong with a configuration, in the order of the file. Printed one problem to a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().take(LIMIT).enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        match self.0.len().saturating_sub(LIMIT) {
            0 => Ok(()),
            more => write!(f, "\n... and {more} more problems"),
        }
    }
}

/// More problems than this are counted, not printed.
const LIMIT: usize = 100;

/// `text` as it may be shown on a terminal: control characters escaped, overlong text cut in the middle.
pub fn printable(text: &str) -> String {
    const LONGEST: usize = 600;
    let mut shown: String = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == LONGEST {
            shown.push_str("...");
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The candidate most like `name`, if one is close enough to be what was meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A hostile name of megabytes shall not cost quadratic time.
    if name.chars().count() > 100 {
        return None;
    }
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean 'x'?` where a near candidate exists, else `otherwise`.
pub fn suggestion<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>, otherwise: &str) -> String {
    match nearest(name, candidates) {
        Some(candidate) => format!("did you mean '{candidate}'?"),
        None => otherwise.to_owned(),
    }
}

/// `1 value`, `2 values`.
pub fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_a_slip_and_ignores_strangers() {
        let names = ["mean_value", "norm_type", "march"];
        assert_eq!(nearest("mean_valeu", names), Some("mean_value"));
        assert_eq!(nearest("March", names), Some("march"));
        assert_eq!(nearest("zzzzzz", names), None);
        assert_eq!(nearest(&"m".repeat(1_000_000), names), None);
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2J"), "a\\u{1b}[2J");
    }
}
