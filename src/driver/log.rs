//! `hb_compile.log`: everything in the file, the essence on the console.
//!
//! A line of the file is `TIME file: FILE func: MODULE line No: LINE MESSAGE`, as the vendor's tool writes it (Rust tells the
//! module, not the function). The console shows messages alone. Each run starts its log anew, so that the copy in
//! `working_dir` is the log of that compilation. Where the current folder may not be written to, `working_dir` alone has it, as far as there is one.

use super::progress::{Console, Verbosity};
use crate::files::{FileError, write_atomically};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// The name of the log, in the current directory and in `working_dir`.
pub const FILE_NAME: &str = "hb_compile.log";

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum LogError {
    #[error("there is no folder that a log can be written to: {0}")]
    Create(io::Error),
    #[error("the log cannot be read back: {0}")]
    Read(io::Error),
    #[error("the log cannot be copied: {0}")]
    Copy(#[from] FileError),
    #[error("this process has a log already")]
    Twice,
}

/// The log of a run.
#[derive(Debug)]
pub struct Log {
    file: SharedFile,
    warnings: Warnings,
    /// Whether its file has no name, so that it is lost unless it is copied.
    pub is_aside: bool,
}

impl Log {
    /// Starts the log of this process in the folder `directory`, and shows its essence on `console`. All threads write to it. A folder that may not
    /// be written to is told; what is logged is kept aside then, for [`Self::copy_to`].
    pub fn start(directory: &Path, console: &Console) -> Result<Self, LogError> {
        let path = directory.join(FILE_NAME);
        // Another run in the folder may write there, too: lines stay whole, and each run has its own elsewhere.
        let opened = File::create(&path).and_then(|_| OpenOptions::new().append(true).open(&path));
        let (named, obstacle) = match opened {
            Ok(named) => (Some(named), None),
            Err(error) => (None, Some(error)),
        };
        let file = SharedFile::of(tempfile::tempfile().map_err(LogError::Create)?, named);
        let shown = match console.verbosity {
            Verbosity::Quiet => LevelFilter::WARN,
            Verbosity::Normal => LevelFilter::INFO,
            Verbosity::Verbose => LevelFilter::DEBUG,
        };
        let warnings = Warnings::default();
        let subscriber = subscriber(file.clone(), ConsoleWriter(console.clone()), shown).with(warnings.clone());
        tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Twice)?;
        if let Some(error) = &obstacle {
            tracing::warn!("'{}' cannot be written: {error}; the log goes with the results alone", path.display());
        }
        Ok(Self { file, warnings, is_aside: obstacle.is_some() })
    }

    /// What was warned of by now, in order.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Copies what the log holds by now into `directory`.
    pub fn copy_to(&self, directory: &Path) -> Result<(), LogError> {
        let bytes = self.file.bytes().map_err(LogError::Read)?;
        Ok(write_atomically(&directory.join(FILE_NAME), &bytes)?)
    }
}

/// So many of a list are shown on the console.
const SHOWN: usize = 8;

/// Tells one thing to a line: all of them in the file, the first ones on the console. `what` they are, for how many are left out.
pub fn tell_lines(lines: &[String], what: &str) {
    let (shown, others) = lines.split_at_checked(SHOWN).unwrap_or((lines, &[]));
    for line in shown {
        tracing::info!("{line}");
    }
    for line in others {
        tracing::debug!("{line}");
    }
    if !others.is_empty() {
        tracing::info!("{} more {what}: the log file says which, and why", others.len());
    }
}

/// Tells a list of names: all of them in the file, the first ones on the console.
pub fn tell_names<T: AsRef<str>>(what: &str, names: &[T]) {
    let joined = |names: &[T]| names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    match names.split_at_checked(SHOWN) {
        Some((shown, others)) if !others.is_empty() => {
            tracing::info!("{what}: {}, and {} more that the log file names", joined(shown), others.len());
            tracing::debug!("{what}, all of them: {}", joined(names));
        }
        _ => tracing::info!("{what}: {}", joined(names)),
    }
}

fn subscriber<W>(file: SharedFile, console: W, shown: LevelFilter) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let to_file = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .event_format(FileLine)
        .with_writer(file)
        .with_filter(LevelFilter::DEBUG);
    let to_console = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .event_format(ConsoleLine)
        .with_writer(console)
        .with_filter(shown);
    tracing_subscriber::registry().with(to_file).with(to_console)
}

/// The messages of the warnings of a run.
#[derive(Debug, Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

impl<S: Subscriber> Layer<S> for Warnings {
    /// What was warned of is not told again: a network that is compiled in several forms goes through some passes more than once.
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        if *event.metadata().level() != Level::WARN {
            return true;
        }
        let mut message = Message::default();
        event.record(&mut message);
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&message.0)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == Level::WARN {
            let mut message = Message::default();
            event.record(&mut message);
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(message.0);
        }
    }
}

#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error: ",
        Level::WARN => "warning: ",
        _ => "",
    }
}

struct FileLine;

impl<S, N> FormatEvent<S, N> for FileLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        SystemTime.format_time(&mut line)?;
        let (file, number) = (metadata.file().unwrap_or("?"), metadata.line().unwrap_or(0));
        write!(line, " file: {file} func: {} line No: {number} {}", metadata.target(), severity(*metadata.level()))?;
        context.field_format().format_fields(line.by_ref(), event)?;
        writeln!(line)
    }
}

struct ConsoleLine;

impl<S, N> FormatEvent<S, N> for ConsoleLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        line.write_str(severity(*event.metadata().level()))?;
        context.field_format().format_fields(line.by_ref(), event)?;
        writeln!(line)
    }
}

/// Files that threads append to.
#[derive(Debug, Clone)]
struct SharedFile(Arc<Mutex<LogFiles>>);

#[derive(Debug)]
struct LogFiles {
    /// Of this run alone.
    own: File,
    /// Where people look.
    named: Option<File>,
}

impl SharedFile {
    fn of(own: File, named: Option<File>) -> Self {
        Self(Arc::new(Mutex::new(LogFiles { own, named })))
    }

    /// Also where a thread died while it wrote: the files themselves are sound.
    fn lock(&self) -> MutexGuard<'_, LogFiles> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that it holds by now.
    fn bytes(&self) -> io::Result<Vec<u8>> {
        let (mut files, mut bytes) = (self.lock(), Vec::new());
        files.own.seek(SeekFrom::Start(0))?;
        files.own.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl Write for SharedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut files = self.lock();
        files.own.write_all(bytes)?;
        if let Some(named) = &mut files.named {
            named.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for SharedFile {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// Standard error, with the bars out of the way.
struct ConsoleWriter(Console);

struct Suspended<'w>(&'w Console);

impl Write for Suspended<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'w> MakeWriter<'w> for ConsoleWriter {
    type Writer = Suspended<'w>;

    fn make_writer(&'w self) -> Suspended<'w> {
        Suspended(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_more_than_the_console() {
        let folder = tempfile::tempdir().expect("a folder");
        let console_path = folder.path().join("console");
        let log_path = folder.path().join("log");
        let console = SharedFile::of(File::create(&console_path).expect("a file"), None);
        let file = SharedFile::of(File::create(&log_path).expect("a file"), None);
        let warnings = Warnings::default();
        let subscriber = subscriber(file, console, LevelFilter::INFO).with(warnings.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!("detail");
            tracing::info!("step {}", 1);
            tracing::warn!("odd");
            tracing::warn!("odd");
        });
        assert_eq!(*warnings.0.lock().expect("no thread died"), ["odd"]);
        assert_eq!(std::fs::read_to_string(console_path).expect("written"), "step 1\nwarning: odd\n");
        let log = std::fs::read_to_string(log_path).expect("written");
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(lines.len(), 3, "{log}");
        assert!(lines[0].contains(" file: src/driver/log.rs func: hb::driver::log::tests line No: "), "{log}");
        assert!(lines[0].ends_with(" detail") && lines[2].ends_with(" warning: odd"), "{log}");
        let year = lines[0].get(..4).and_then(|year| year.parse::<u32>().ok());
        assert!(year.is_some_and(|year| year >= 2024), "{log}");
    }

    #[test]
    fn long_lists_are_for_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let (console_path, log_path) = (folder.path().join("console"), folder.path().join("log"));
        let console = SharedFile::of(File::create(&console_path).expect("a file"), None);
        let file = SharedFile::of(File::create(&log_path).expect("a file"), None);
        let subscriber = subscriber(file, console, LevelFilter::INFO);
        tracing::subscriber::with_default(subscriber, || {
            tell_lines(&(0..9).map(|line| format!("line {line}")).collect::<Vec<_>>(), "lines");
            tell_names("few", &["a", "b"]);
            tell_names("many", &["1", "2", "3", "4", "5", "6", "7", "8", "9", "ten"]);
        });
        let lines: String = (0..8).map(|line| format!("line {line}\n")).collect();
        let names = "few: a, b\nmany: 1, 2, 3, 4, 5, 6, 7, 8, and 2 more that the log file names\n";
        let shown = std::fs::read_to_string(console_path).expect("written");
        assert_eq!(shown, format!("{lines}1 more lines: the log file says which, and why\n{names}"));
        let log = std::fs::read_to_string(log_path).expect("written");
        assert!(log.contains(" line 8\n") && log.contains("7, 8, 9, ten\n"), "{log}");
    }
}
