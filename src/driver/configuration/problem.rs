//! What can be wrong with a configuration, and where.

use crate::wording::printable;
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

/// `1 value`, `2 values`.
pub fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
