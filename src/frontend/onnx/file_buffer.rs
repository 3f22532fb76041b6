//! What protobuf encodes, on its way to a file.

use prost::bytes::buf::UninitSlice;
use prost::bytes::{Buf, BufMut};
use std::io::{self, Write};

/// Bytes that go to the file together.
const BLOCK: usize = 1 << 16;

/// Takes in an encoding and writes it to a file as it comes, so that the weights of a model are not held a second time.
pub(super) struct FileBuffer<'f> {
    file: &'f mut dyn Write,
    block: Vec<u8>,
    outcome: io::Result<()>,
}

impl<'f> FileBuffer<'f> {
    pub(super) fn new(file: &'f mut dyn Write) -> Self {
        Self { file, block: Vec::with_capacity(BLOCK), outcome: Ok(()) }
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The first that writing met.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush();
        self.outcome
    }

    fn flush(&mut self) {
        let block = std::mem::take(&mut self.block);
        self.write(&block);
        self.block = block;
        self.block.clear();
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.outcome.is_ok() {
            self.outcome = self.file.write_all(bytes);
        }
    }
}

// SAFETY: `chunk_mut` gives the spare room of a vector, and `advance_mut` passes on what its caller promises of that room.
unsafe impl BufMut for FileBuffer<'_> {
    fn remaining_mut(&self) -> usize {
        usize::MAX
    }

    unsafe fn advance_mut(&mut self, count: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.block.advance_mut(count) };
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        if self.block.len() == self.block.capacity() {
            self.flush();
        }
        self.block.chunk_mut()
    }

    fn put<T: Buf>(&mut self, mut source: T) {
        while source.has_remaining() {
            let chunk = source.chunk();
            let length = chunk.len();
            self.put_slice(chunk);
            source.advance(length);
        }
    }

    fn put_slice(&mut self, source: &[u8]) {
        if source.len() > self.block.capacity() - self.block.len() {
            self.flush();
        }
        if source.len() > BLOCK { self.write(source) } else { self.block.extend_from_slice(source) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every length around the size of a block, through each way in.
    #[test]
    fn what_is_put_is_written_in_order() {
        let (mut file, mut expected) = (Vec::new(), Vec::new());
        let mut buffer = FileBuffer::new(&mut file);
        for length in [0, 1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 5] {
            let bytes: Vec<u8> = (0..length).map(|index| (index * 31 + length) as u8).collect();
            buffer.put_slice(&bytes);
            buffer.put(bytes.as_slice());
            bytes.iter().for_each(|byte| buffer.put_u8(*byte));
            buffer.put_u32_le(length as u32);
            (0..3).for_each(|_| expected.extend(&bytes));
            expected.extend((length as u32).to_le_bytes());
        }
        buffer.finish().expect("memory takes everything");
        assert!(file == expected);
    }

    #[test]
    fn the_first_error_is_kept() {
        let mut full: &mut [u8] = &mut [0; 10];
        let mut buffer = FileBuffer::new(&mut full);
        buffer.put_slice(&[1; 2 * BLOCK]);
        buffer.put_u8(2);
        assert!(buffer.finish().is_err());
    }
}
