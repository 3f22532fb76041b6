//! Files of other programs, read whole and never beyond a limit.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rayon::prelude::*;

/// So many bytes are read by one thread at a time: the system clears memory as it is first used, which takes longer than the copy.
const PIECE: usize = 4 << 20;

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
    let mut bytes = vec![0; metadata.len() as usize];
    let filled = bytes.par_chunks_mut(PIECE).enumerate();
    let filled = filled.try_for_each(|(number, piece)| file.read_exact_at(piece, number as u64 * PIECE as u64));
    filled.map_err(|source| match source.kind() {
        io::ErrorKind::UnexpectedEof => FileFault::Read(io::Error::other("it became shorter while it was read")),
        _ => FileFault::Read(source),
    })?;
    Ok(bytes)
}

/// What is said of a file that the system does not give.
pub fn unread(path: &Path, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound => format!("{}: there is no such file", path.display()),
        _ => format!("cannot read {}: {source}", path.display()),
    }
}
