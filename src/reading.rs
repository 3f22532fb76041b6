//! Files of other programs, read whole and never beyond a limit.

use std::fs::{File, Metadata};
use std::io::{self, Read};
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

impl From<FileFault> for io::Error {
    fn from(fault: FileFault) -> Self {
        match fault {
            FileFault::Read(source) => source,
            FileFault::TooLarge(bytes) => io::Error::other(format!("it has {bytes} bytes, which is too large")),
        }
    }
}

/// Opens a regular file; and its length. To open a pipe would wait for who writes to it, so that is asked before.
pub fn open(path: &Path) -> io::Result<(File, u64)> {
    let is_regular = |metadata: &Metadata| match metadata.is_file() {
        true => Ok(()),
        false => Err(io::Error::other("it is not a regular file")),
    };
    is_regular(&std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    is_regular(&metadata)?;
    Ok((file, metadata.len()))
}

/// The bytes of a regular file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileFault> {
    let (file, length) = open(path).map_err(FileFault::Read)?;
    if length > limit {
        return Err(FileFault::TooLarge(length));
    }
    let length = length as usize;
    // Files of the system itself say that they have no bytes, or more than they have; they are small.
    if length <= PIECE { read_to_end(file, limit) } else { read_pieces(&file, length) }
}

/// As [`read`], for files of our own; the reason where one is not read.
pub fn read_small(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    read(path, limit).map_err(|fault| match fault {
        FileFault::Read(source) => source.to_string(),
        FileFault::TooLarge(size) => format!("has {size} bytes; at most {limit} are read"),
    })
}

fn read_to_end(file: File, limit: u64) -> Result<Vec<u8>, FileFault> {
    let mut bytes = Vec::new();
    // One byte more than allowed, so that a file that grows meanwhile is noticed.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(FileFault::Read)?;
    if bytes.len() as u64 > limit { Err(FileFault::TooLarge(bytes.len() as u64)) } else { Ok(bytes) }
}

fn read_pieces(file: &File, length: usize) -> Result<Vec<u8>, FileFault> {
    let changed = || FileFault::Read(io::Error::other("its size changed while it was read"));
    // Memory that comes as zeros ends the process where there is none.
    Vec::<u8>::new().try_reserve_exact(length).map_err(|error| FileFault::Read(error.into()))?;
    let mut bytes = vec![0; length];
    let filled = bytes.par_chunks_mut(PIECE).enumerate();
    let filled = filled.try_for_each(|(number, piece)| file.read_exact_at(piece, number as u64 * PIECE as u64));
    filled.map_err(|source| match source.kind() {
        io::ErrorKind::UnexpectedEof => changed(),
        _ => FileFault::Read(source),
    })?;
    match file.read_at(&mut [0], length as u64).map_err(FileFault::Read)? {
        0 => Ok(bytes),
        _ => Err(changed()),
    }
}

/// What is said of a file that the system does not give.
pub fn unread(path: &Path, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound => format!("{}: there is no such file", path.display()),
        _ => format!("cannot read {}: {source}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn every_byte_of_every_piece_is_read() {
        for length in [0, 5, PIECE, PIECE + 1, 3 * PIECE - 7] {
            let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(&bytes).unwrap();
            assert!(read(file.path(), length as u64).unwrap() == bytes, "{length}");
            if let Some(limit) = (length as u64).checked_sub(1) {
                assert!(matches!(read(file.path(), limit), Err(FileFault::TooLarge(found)) if found == length as u64));
            }
        }
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("model.onnx");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
            let fault = read(path, 100);
            assert!(matches!(&fault, Err(FileFault::Read(source)) if source.to_string() == "it is not a regular file"));
        }
    }

    #[test]
    fn a_file_of_another_size_than_it_said_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(2 * PIECE as u64).unwrap();
        for said in [2 * PIECE - 1, 2 * PIECE + 1] {
            assert!(matches!(read_pieces(file.as_file(), said), Err(FileFault::Read(_))), "{said}");
        }
        // It says that it has none.
        assert!(!read(Path::new("/proc/self/status"), 1 << 20).unwrap().is_empty());
    }
}
