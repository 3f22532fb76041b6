//! Files of other programs, read whole and never beyond a limit.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Why a file is not read.
#[derive(Debug)]
pub enum FileFault {
    /// The system says so.
    Read(io::Error),
    /// It has so many bytes.
    TooLarge(u64),
}

/// The bytes of a regular file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileFault> {
    let file = File::open(path).map_err(FileFault::Read)?;
    let metadata = file.metadata().map_err(FileFault::Read)?;
    if !metadata.is_file() {
        return Err(FileFault::Read(io::Error::other("it is not a regular file")));
    }
    if metadata.len() > limit {
        return Err(FileFault::TooLarge(metadata.len()));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // One byte more than allowed, so that a file that grows meanwhile is noticed.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(FileFault::Read)?;
    if bytes.len() as u64 > limit { Err(FileFault::TooLarge(bytes.len() as u64)) } else { Ok(bytes) }
}

/// What is said of a file that the system does not give.
pub fn unread(path: &Path, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound => format!("{}: there is no such file", path.display()),
        _ => format!("cannot read {}: {source}", path.display()),
    }
}
