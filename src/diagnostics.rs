//! What MLIR reports while something runs.

use melior::Context;
use melior::diagnostic::DiagnosticSeverity;
use std::fmt::{Display, Write};
use std::sync::{Arc, Mutex};

/// One report of MLIR, or of a pass or verifier through it.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whether it is an error; else it is a warning or a remark.
    pub is_error: bool,
    /// Where in the file, or at which node.
    pub location: String,
    /// With the location that MLIR printed.
    pub message: String,
}

/// Runs `work`; gives what MLIR reported meanwhile instead of printing it.
pub fn collect<T>(context: &Context, work: impl FnOnce() -> T) -> (T, Vec<Report>) {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&reports);
    let handler = context.attach_diagnostic_handler(move |diagnostic| {
        if let Ok(mut reports) = sink.lock() {
            reports.push(Report {
                is_error: matches!(diagnostic.severity(), DiagnosticSeverity::Error),
                location: text(diagnostic.location()),
                message: text(&diagnostic),
            });
        }
        true
    });
    let result = work();
    context.detach_diagnostic_handler(handler);
    let reports = reports.lock().map(|mut reports| std::mem::take(&mut *reports)).unwrap_or_default();
    (result, reports)
}

/// The messages of reports, a line each.
pub fn messages(reports: &[Report]) -> String {
    reports.iter().map(|report| report.message.as_str()).collect::<Vec<_>>().join("\n")
}

/// As `to_string`, which must not be used inside a handler: MLIR quotes bytes of files, melior refuses to show those that are not
/// UTF-8, and `to_string` then panics in the middle of C++.
fn text(value: impl Display) -> String {
    let mut text = String::new();
    if write!(text, "{value}").is_err() {
        text.push_str(" (then bytes that are not UTF-8)");
    }
    text
}
