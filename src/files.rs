//! Writing files so that they appear whole or not at all.
//!
//! A result is written into a temporary file in the folder of its destination and renamed over it: a rename within one file system
//! is atomic, so a reader sees the old file or the new one, and a run that dies leaves neither a half-written file nor a lost old one.
//! Links are followed. What is no file, such as `/dev/null`, `/dev/stdout` or a pipe, is written to and stays what it is.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use tempfile::{NamedTempFile, TempDir};

/// Why a file could not be written. Every message names the file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum FileError {
    #[error("cannot create the folder {folder}: {source}; check that its parent exists and may be written to")]
    CreateFolder { folder: PathBuf, source: std::io::Error },
    #[error("cannot write {path}: {source}; check that the folder may be written to and that the disk has room")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot write {path}: it is a folder; remove it or name another file")]
    IsFolder { path: PathBuf },
    #[error("{path} would be written twice by one run; give the results different names")]
    WrittenTwice { path: PathBuf },
    #[error(
        "{path} is what this run reads, and a result would replace it; give the results another folder or other names"
    )]
    ReplacesInput { path: PathBuf },
    #[error(
        "{path} holds files that are no results of an earlier run, and would be replaced; give the results another folder"
    )]
    Foreign { path: PathBuf },
    #[error("a file of another set of results has no place in this one")]
    NotStaged,
    #[error("standard output cannot be written: {0}")]
    StandardOutput(std::io::Error),
}

/// Writes a text, or bytes, to standard output. A closed pipe is the reader's choice, not a fault.
pub fn print(text: impl AsRef<[u8]>) -> Result<(), FileError> {
    let mut output = std::io::stdout();
    match output.write_all(text.as_ref()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(FileError::StandardOutput(error)),
        _ => Ok(()),
    }
}

/// A file name for each of these names: what would lead to another folder or drive (`/`, `\`, `:`) becomes `_`, and one that is taken then
/// gets a number. A name that is a file name already keeps it.
pub fn file_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
    let names: Vec<(&str, String)> = names.into_iter().map(|name| (name, file_name(name))).collect();
    let mut taken = HashSet::new();
    let kept: Vec<bool> = names.iter().map(|(name, file)| name == file && taken.insert(file.clone())).collect();
    let mut found = Vec::new();
    for ((_, file), kept) in names.into_iter().zip(kept) {
        let mut candidates = (1usize..).map(|number| format!("{file}_{number}"));
        let free = std::iter::once(file.clone()).chain(&mut candidates).find(|name| kept || taken.insert(name.clone()));
        found.extend(free);
    }
    found
}

fn file_name(name: &str) -> String {
    let name = name.replace(['/', '\\', ':', '\0'], "_");
    if name.chars().all(|character| character == '.') { format!("_{name}") } else { name }
}

/// Writes `bytes` to `path`, whole or not at all. The folder of `path` is created when it is missing.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let mut set = FileSet::new();
    set.stage(path, bytes)?;
    set.commit()
}

/// Files that belong together: nothing appears before [`FileSet::commit`], and dropping the set without it leaves nothing behind.
///
/// All bytes are on the disk before the first rename, so what commonly fails (no room, no permission) fails before any file is visible.
#[derive(Debug, Default)]
pub struct FileSet {
    staged: Vec<(PathBuf, Contents)>,
    folders: Vec<(PathBuf, TemporaryFolder)>,
    /// Files that are read, in full: no result replaces them.
    inputs: Vec<PathBuf>,
}

/// A file that is written aside.
#[derive(Debug)]
enum Contents {
    Open(BufWriter<NamedTempFile>),
    /// By a thread of its own.
    Writing(Background),
    /// Its thread failed.
    Failed,
}

/// A thread that writes a file and brings it onto the disk.
#[derive(Debug)]
struct Background {
    /// Hears when everything is written, or will not be.
    written: Receiver<()>,
    thread: JoinHandle<std::io::Result<NamedTempFile>>,
}

impl Contents {
    /// Waits for the thread that writes it, if there is one.
    fn wait(&mut self) -> std::io::Result<&mut BufWriter<NamedTempFile>> {
        let thread = match std::mem::replace(self, Self::Failed) {
            Self::Writing(background) => background.thread,
            other => {
                *self = other;
                return self.open();
            }
        };
        let file = thread.join().map_err(|_| std::io::Error::other("the thread that writes it ended early"))??;
        *self = Self::Open(BufWriter::new(file));
        self.open()
    }

    fn open(&mut self) -> std::io::Result<&mut BufWriter<NamedTempFile>> {
        match self {
            Self::Open(writer) => Ok(writer),
            Self::Writing(_) | Self::Failed => Err(std::io::Error::other("it could not be written")),
        }
    }
}

/// A file of a [`FileSet`] that is being written piece by piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StagedFile(usize);

impl FileSet {
    /// No files yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// No files yet, and never one in the place of these, which are read.
    pub fn beside(inputs: &[impl AsRef<Path>]) -> Self {
        let mut set = Self::new();
        set.inputs.extend(inputs.iter().filter_map(|path| path.as_ref().canonicalize().ok()));
        set
    }

    /// Whether this is a file that is read.
    pub fn reads(&self, path: &Path) -> bool {
        path.canonicalize().is_ok_and(|path| self.inputs.contains(&path))
    }

    /// Writes `bytes` aside, to become `path` on commit. The folder of `path` is created when it is missing.
    pub fn stage(&mut self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        let file = self.begin(path)?;
        self.append(file, bytes)
    }

    /// As [`FileSet::stage`], in a thread of its own, for large contents: `write` is given the file. One file at a time is written so,
    /// which bounds the memory that waits. What goes wrong is the error of a later call.
    pub fn stage_behind(
        &mut self,
        path: &Path,
        write: impl FnOnce(&mut dyn Write) -> std::io::Result<()> + Send + 'static,
    ) -> Result<(), FileError> {
        for (_, contents) in &self.staged {
            if let Contents::Writing(background) = contents {
                // An error says that the thread has ended, which is as good.
                let _ = background.written.recv();
            }
        }
        self.begin(path)?;
        if let Some((path, Contents::Open(writer))) = self.staged.pop() {
            let (done, written) = channel();
            let work = move || {
                let mut file = writer.into_inner().map_err(|error| error.into_error())?;
                let outcome = write(&mut file);
                // Nobody may be waiting.
                let _ = done.send(());
                outcome?;
                // The disk is slow, and idle now; the commit finds the work done.
                file.as_file().sync_all()?;
                Ok(file)
            };
            let thread = std::thread::spawn(work);
            self.staged.push((path, Contents::Writing(Background { written, thread })));
        }
        Ok(())
    }

    /// Begins a file that [`FileSet::append`] fills, for contents that should not lie in memory whole.
    pub fn begin(&mut self, path: &Path) -> Result<StagedFile, FileError> {
        if path.is_dir() {
            return Err(FileError::IsFolder { path: path.to_owned() });
        }
        if self.reads(path) {
            return Err(FileError::ReplacesInput { path: path.to_owned() });
        }
        if self.staged.iter().any(|(staged, _)| staged == path) {
            return Err(FileError::WrittenTwice { path: path.to_owned() });
        }
        let folder = folder_aside(path);
        std::fs::create_dir_all(&folder)
            .map_err(|source| FileError::CreateFolder { folder: folder.clone(), source })?;
        if self.staged.is_empty() {
            remove_leftovers(&folder);
        }
        let file = temporary_file(&folder).map_err(|source| FileError::Write { path: path.to_owned(), source })?;
        self.staged.push((path.to_owned(), Contents::Open(BufWriter::new(file))));
        Ok(StagedFile(self.staged.len() - 1))
    }

    /// Writes `bytes` behind what was appended before. A file of another set is left alone.
    pub fn append(&mut self, file: StagedFile, bytes: &[u8]) -> Result<(), FileError> {
        let Some((path, contents)) = self.staged.get_mut(file.0) else {
            return Ok(());
        };
        let written = contents.wait().and_then(|writer| writer.write_all(bytes));
        written.map_err(|source| FileError::Write { path: path.clone(), source })
    }

    /// Where the bytes of a staged file lie until the commit, for readers of this process: all that was appended is there.
    pub fn staged_path(&mut self, file: StagedFile) -> Result<PathBuf, FileError> {
        let Some((path, contents)) = self.staged.get_mut(file.0) else {
            return Err(FileError::NotStaged);
        };
        let flushed = contents.wait().and_then(|writer| {
            writer.flush()?;
            Ok(writer.get_ref().path().to_owned())
        });
        flushed.map_err(|source| FileError::Write { path: path.clone(), source })
    }

    /// Begins a folder that the caller fills, for contents of many files: gives where it lies until the commit, when it takes the place of
    /// what `path` is then. What is there now must be a folder in which `is_own` holds of every file.
    pub fn begin_folder(&mut self, path: &Path, is_own: impl Fn(&Path) -> bool) -> Result<PathBuf, FileError> {
        let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if self.inputs.iter().any(|input| input.starts_with(path)) {
            return Err(FileError::ReplacesInput { path: path.clone() });
        }
        if path.exists() && !holds_only(path, &is_own) {
            return Err(FileError::Foreign { path: path.clone() });
        }
        let parent = parent(path);
        let failed = |source| FileError::CreateFolder { folder: path.to_owned(), source };
        std::fs::create_dir_all(parent).map_err(failed)?;
        let folder = TemporaryFolder::within(parent).map_err(failed)?;
        let aside = folder.path().to_owned();
        self.folders.push((path.to_owned(), folder));
        Ok(aside)
    }

    /// What the files will be, in the order in which they were begun.
    pub fn paths(&self) -> Vec<PathBuf> {
        let files = self.staged.iter().map(|(path, _)| path);
        files.chain(self.folders.iter().map(|(path, _)| path)).cloned().collect()
    }

    /// Brings every file onto the disk, then renames them into place in the order in which they were begun.
    pub fn commit(mut self) -> Result<(), FileError> {
        for (path, contents) in &mut self.staged {
            let synced = contents.wait().and_then(|writer| {
                writer.flush()?;
                writer.get_ref().as_file().sync_all()
            });
            synced.map_err(|source| FileError::Write { path: path.clone(), source })?;
        }
        for (path, folder) in std::mem::take(&mut self.folders) {
            place_folder(&path, folder).map_err(|source| FileError::Write { path: path.clone(), source })?;
        }
        for (path, contents) in std::mem::take(&mut self.staged) {
            if let Contents::Open(writer) = contents {
                let file = writer.into_inner().map_err(|error| error.into_error());
                let placed = file.and_then(|file| place_file(&path, file));
                placed.map_err(|source| FileError::Write { path, source })?;
            }
        }
        Ok(())
    }
}

/// The folder that a path names something in.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether `is_own` holds of every file in a folder and those below it. Links are no own files.
fn holds_only(folder: &Path, is_own: &impl Fn(&Path) -> bool) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.into_iter().all(|entry| {
        entry.is_ok_and(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => holds_only(&entry.path(), is_own),
            Ok(kind) => kind.is_file() && is_own(&entry.path()),
            Err(_) => false,
        })
    })
}

/// Whether a path names something that no file may take the place of: a device, a pipe, a socket.
fn is_written_through(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Where the bytes lie that will be this path's.
fn folder_aside(path: &Path) -> PathBuf {
    if is_written_through(path) {
        return std::env::temp_dir();
    }
    path.canonicalize().map_or_else(|_| parent(path).to_owned(), |file| parent(&file).to_owned())
}

/// Gives a file its name. Where that is a link, what it leads to is replaced.
fn place_file(path: &Path, mut file: NamedTempFile) -> std::io::Result<()> {
    if is_written_through(path) {
        file.rewind()?;
        std::io::copy(&mut file, &mut File::options().write(true).open(path)?)?;
        return Ok(());
    }
    let place = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    file.persist(place).map(|_| ()).map_err(|error| error.error)
}

/// Gives a folder its name. What had the name before is moved aside and deleted.
fn place_folder(path: &Path, TemporaryFolder { folder, .. }: TemporaryFolder) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Temporary folders are private by default, results should not be.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
    }
    if path.exists() {
        let old = TemporaryFolder::within(parent(path))?;
        std::fs::rename(path, old.path().join("old"))?;
    }
    std::fs::rename(folder.path(), path)?;
    // It has another name now, so there is nothing to delete.
    let _ = folder.keep();
    Ok(())
}

/// What the names of files and folders begin with that have not their own yet.
const TEMPORARY: &str = ".hb-";

/// A folder for what is needed while something runs. It goes when it is dropped; where the process is killed, the next one that writes beside
/// it removes it.
#[derive(Debug)]
pub struct TemporaryFolder {
    folder: TempDir,
    /// Says, by its lock, that this is no leftover. Where folders cannot be opened as files there is none, and nothing removes them.
    _held: Option<File>,
}

impl TemporaryFolder {
    /// A new one inside another.
    ///
    /// # Errors
    /// When that may not be written to.
    pub fn within(parent: &Path) -> std::io::Result<Self> {
        remove_leftovers(parent);
        loop {
            let folder = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(parent)?;
            let held = File::open(folder.path()).ok().filter(|file| file.lock().is_ok());
            if folder.path().exists() {
                return Ok(Self { folder, _held: held });
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes what runs that were killed left in a folder: what nobody holds. What cannot be removed stays, and does no harm.
fn remove_leftovers(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(TEMPORARY)) {
        // What is neither was not made here, and a pipe would keep whoever opens it.
        if !entry.file_type().is_ok_and(|kind| kind.is_file() || kind.is_dir()) {
            continue;
        }
        // Held until it is gone, so that no other run takes it for its own.
        let Some(_held) = File::open(entry.path()).ok().filter(|file| file.try_lock().is_ok()) else { continue };
        let _ = match entry.file_type() {
            Ok(kind) if kind.is_file() => std::fs::remove_file(entry.path()),
            Ok(kind) if kind.is_dir() => std::fs::remove_dir_all(entry.path()),
            _ => Ok(()),
        };
    }
}

/// A thread that still writes would leave its file behind when the process ends.
impl Drop for FileSet {
    fn drop(&mut self) {
        for (_, contents) in &mut self.staged {
            // Nobody is left who could hear of an error; the file goes in any case.
            let _ = contents.wait();
        }
    }
}

/// A temporary file beside its destination (a rename across file systems is not atomic), with the permissions that a file made
/// by `open` would have: temporary files are private by default, results should not be.
fn temporary_file(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    loop {
        let file = builder.tempfile_in(folder)?;
        // The lock ends with the process, and says until then that this is no leftover. Where files cannot be locked, nothing is removed.
        let _ = file.as_file().lock();
        if file.path().exists() {
            return Ok(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn names_become_files_of_one_folder() {
        assert_eq!(file_names(["x:0", "..", "", "a", "a"]), ["x_0", "_..", "_", "a", "a_1"]);
        // What has a name keeps it, whatever comes before.
        assert_eq!(file_names(["a/b", "a:b", "a_b", "a_b_1"]), ["a_b_2", "a_b_3", "a_b", "a_b_1"]);
    }

    #[test]
    fn a_file_replaces_the_old_one_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/a.bin");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(names(path.parent().unwrap()), ["a.bin"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_what_is_no_file_stays_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (store, link, socket) = (folder.path().join("store"), folder.path().join("link"), folder.path().join("s"));
        std::fs::create_dir(&store).unwrap();
        std::fs::write(store.join("a"), b"old").unwrap();
        std::os::unix::fs::symlink(store.join("a"), &link).unwrap();
        write_atomically(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(store.join("a")).unwrap(), b"new");
        assert_eq!(names(&store), ["a"]);
        // A socket cannot be opened, a device can. Root may replace either by a file, and must not.
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(matches!(write_atomically(&socket, b"new"), Err(FileError::Write { .. })));
        assert!(!std::fs::metadata(&socket).unwrap().is_file());
        write_atomically(Path::new("/dev/null"), b"new").unwrap();
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_a_running_one_holds_is_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".hb-left"), b"half").unwrap();
        std::fs::create_dir_all(folder.path().join(".hb-old/deep")).unwrap();
        std::fs::write(folder.path().join(".hb-old/deep/file"), b"half").unwrap();
        let held = TemporaryFolder::within(folder.path()).unwrap();
        let mut running = FileSet::new();
        running.stage(&folder.path().join("a"), b"a").unwrap();
        write_atomically(&folder.path().join("b"), b"b").unwrap();
        running.commit().unwrap();
        let held_name = held.path().file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(names(folder.path()), [held_name.as_str(), "a", "b"]);
        drop(held);
        assert_eq!(names(folder.path()), ["a", "b"]);
    }

    #[test]
    fn a_set_appears_on_commit_only() {
        let folder = tempfile::tempdir().unwrap();
        let mut set = FileSet::new();
        set.stage(&folder.path().join("a"), b"1").unwrap();
        set.stage(&folder.path().join("b"), b"2").unwrap();
        assert!(!folder.path().join("a").exists());
        let file = set.begin(&folder.path().join("c")).unwrap();
        set.append(file, b"3").unwrap();
        set.append(file, b"4").unwrap();
        assert_eq!(std::fs::read(set.staged_path(file).unwrap()).unwrap(), b"34");
        set.stage_behind(&folder.path().join("d"), |file| file.write_all(&[5; 1 << 20])).unwrap();
        set.stage_behind(&folder.path().join("e"), |file| file.write_all(&[6; 1 << 20])).unwrap();
        set.commit().unwrap();
        assert_eq!(std::fs::read(folder.path().join("c")).unwrap(), b"34");
        assert_eq!(std::fs::read(folder.path().join("d")).unwrap(), [5; 1 << 20]);
        assert_eq!(std::fs::read(folder.path().join("e")).unwrap(), [6; 1 << 20]);
        assert_eq!(names(folder.path()), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn a_dropped_set_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut set = FileSet::new();
        set.stage(&folder.path().join("a"), b"1").unwrap();
        let file = set.begin(&folder.path().join("b")).unwrap();
        set.append(file, &[7; 100_000]).unwrap();
        set.stage_behind(&folder.path().join("c"), |file| file.write_all(&[8; 1 << 22])).unwrap();
        drop(set);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_folder_takes_the_place_of_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        for content in ["old", "new"] {
            let mut set = FileSet::new();
            let aside = set.begin_folder(&path, |_| true).unwrap();
            std::fs::write(aside.join(content), content).unwrap();
            assert!(names(&path_or_empty(&path)).iter().all(|name| name != content));
            set.commit().unwrap();
            assert_eq!(names(&path), [content]);
        }
        assert_eq!(names(folder.path()), ["data"]);
        FileSet::new().begin_folder(&path, |_| true).unwrap();
        assert_eq!(names(folder.path()), ["data"]);
    }

    #[test]
    fn a_folder_of_somebody_else_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let is_own = |file: &Path| file.extension().is_some_and(|extension| extension == "npy");
        std::fs::create_dir_all(path.join("x")).unwrap();
        std::fs::write(path.join("x/0.npy"), b"1").unwrap();
        let begin = |set: &mut FileSet| set.begin_folder(&path, is_own);
        begin(&mut FileSet::new()).unwrap();
        for read in [path.clone(), path.join("x")] {
            assert!(matches!(begin(&mut FileSet::beside(&[read])), Err(FileError::ReplacesInput { .. })));
        }
        std::fs::write(path.join("labels.txt"), b"1").unwrap();
        assert!(matches!(begin(&mut FileSet::new()), Err(FileError::Foreign { .. })));
        std::fs::remove_file(path.join("labels.txt")).unwrap();
        #[cfg(unix)]
        {
            // A link leads to the folder that is replaced, and stays a link.
            let link = folder.path().join("link");
            std::os::unix::fs::symlink(&path, &link).unwrap();
            let mut set = FileSet::new();
            let aside = set.begin_folder(&link, is_own).unwrap();
            std::fs::write(aside.join("new"), b"2").unwrap();
            set.commit().unwrap();
            assert!(link.is_symlink());
            assert_eq!(names(&path), ["new"]);
        }
    }

    /// Who opens a pipe waits for the other end.
    #[cfg(unix)]
    #[test]
    fn a_pipe_that_is_named_like_a_leftover_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join(".hb-pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        write_atomically(&folder.path().join("a"), b"1").unwrap();
        assert_eq!(names(folder.path()), [".hb-pipe", "a"]);
    }

    /// The folder, or one that is empty where there is none.
    fn path_or_empty(path: &Path) -> PathBuf {
        if !path.exists() {
            std::fs::create_dir(path).unwrap();
        }
        path.to_owned()
    }

    #[test]
    fn a_folder_and_a_double_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(write_atomically(folder.path(), b"x"), Err(FileError::IsFolder { .. })));
        let mut set = FileSet::new();
        set.stage(&folder.path().join("a"), b"1").unwrap();
        assert!(matches!(set.stage(&folder.path().join("a"), b"2"), Err(FileError::WrittenTwice { .. })));
    }

    #[test]
    fn what_is_read_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        std::fs::write(&model, b"1").unwrap();
        std::fs::create_dir(folder.path().join("other")).unwrap();
        let mut set = FileSet::beside(&[&model]);
        let again = folder.path().join("other/../model");
        assert!(matches!(set.stage(&again, b"2"), Err(FileError::ReplacesInput { .. })));
        set.stage(&folder.path().join("result"), b"3").unwrap();
        set.commit().unwrap();
        assert_eq!(std::fs::read(&model).unwrap(), b"1");
    }
}
