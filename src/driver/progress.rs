//! What a run shows while it works: bars on a terminal, a line now and then elsewhere.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How much of the log the console shows. The log file always holds everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Warnings and errors.
    Quiet,
    /// What happens, too.
    #[default]
    Normal,
    /// Everything that the log file holds.
    Verbose,
}

/// The console of a run. Log lines and bars share it, so that they do not overwrite each other. Clones are the same console.
#[derive(Debug, Clone)]
pub struct Console {
    bars: MultiProgress,
    /// What is shown.
    pub verbosity: Verbosity,
    terminal: bool,
}

impl Console {
    /// The console on standard error; bars are drawn if that is a terminal.
    pub fn new(verbosity: Verbosity) -> Self {
        let terminal = std::io::stderr().is_terminal() && verbosity > Verbosity::Quiet;
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target), verbosity, terminal }
    }

    /// Writes something while no bar is on the screen.
    pub fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bars.suspend(write)
    }

    /// Shows the progress of a long step of `total` equal parts. It ends when it is dropped.
    pub fn progress(&self, what: &str, total: u64) -> Progress {
        let bar = if self.terminal { self.bars.add(ProgressBar::new(total)) } else { ProgressBar::hidden() };
        // A template that does not parse would only cost the looks.
        if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:40}] {pos}/{len} {eta}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what.to_owned());
        Progress {
            bar,
            bars: self.bars.clone(),
            plain: !self.terminal,
            what: what.to_owned(),
            total,
            done: AtomicU64::new(0),
            start: Instant::now(),
            next_line: AtomicU64::new(LINE_EVERY.as_secs()),
        }
    }
}

/// Without a terminal a long step says this often how far it is.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The progress of one step; may be advanced from several threads.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    bars: MultiProgress,
    plain: bool,
    what: String,
    total: u64,
    done: AtomicU64,
    start: Instant,
    /// Seconds after the start at which the next plain line is due.
    next_line: AtomicU64,
}

impl Progress {
    /// Some parts more are done.
    pub fn advance(&self, parts: u64) {
        let done = self.done.fetch_add(parts, Ordering::Relaxed).saturating_add(parts);
        self.bar.inc(parts);
        let elapsed = self.start.elapsed().as_secs();
        let due = self.next_line.load(Ordering::Relaxed);
        let claimed = || {
            let next = elapsed + LINE_EVERY.as_secs();
            self.next_line.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        if self.plain && elapsed >= due && claimed() {
            tracing::info!("{}: {done} of {}", self.what, self.total);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.bars.remove(&self.bar);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_counts_from_several_threads() {
        let console = Console::new(Verbosity::Quiet);
        let progress = console.progress("test", 400);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| progress.advance(1)));
            }
        });
        assert_eq!(progress.done.load(Ordering::Relaxed), 400);
    }
}
