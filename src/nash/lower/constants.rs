//! The constants region: weights, parameters of convolutions, tables.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::isa::MemoryRegion;
use super::super::tile::TileMemory;
use crate::numerics::{Curve, Multiplier};

/// Start of every constant; a multiple of what a DMA burst likes.
const ALIGNMENT: usize = 64;

/// Collects constants; equal contents are stored once.
#[derive(Default)]
pub struct Image {
    pieces: Vec<(usize, Arc<[u8]>)>,
    /// Behind the last piece.
    end: usize,
    /// Small constants seen so far. Large ones are weights, which are hardly ever equal and not worth hashing.
    known: HashMap<Arc<[u8]>, usize>,
}

const SMALL: usize = 4096;

impl Image {
    /// Adds a constant and says where it is.
    pub fn add(&mut self, data: impl Into<Arc<[u8]>>) -> TileMemory {
        let data = data.into();
        let known = self.known.get(&data).copied();
        let offset = known.unwrap_or_else(|| {
            let offset = self.end.next_multiple_of(ALIGNMENT);
            self.end = offset + data.len();
            if data.len() <= SMALL {
                self.known.insert(data.clone(), offset);
            }
            self.pieces.push((offset, data));
            offset
        });
        TileMemory::Ddr { region: MemoryRegion::Constants, offset: offset as u64 }
    }

    /// How many bytes there are so far.
    pub fn bytes(&self) -> u64 {
        self.end.next_multiple_of(ALIGNMENT) as u64
    }

    /// The contents of the region.
    pub fn finish(self) -> Vec<u8> {
        let mut bytes = vec![0; self.end.next_multiple_of(ALIGNMENT)];
        for (offset, data) in self.pieces {
            if let Some(place) = bytes.get_mut(offset..offset + data.len()) {
                place.copy_from_slice(&data);
            }
        }
        bytes
    }
}

/// A convolution's parameters of one output channel: bias, mantissa, shift.
pub fn parameter(bias: i32, multiplier: Multiplier) -> [u8; 12] {
    let mut bytes = [0; 12];
    let words = [bias.to_le_bytes(), multiplier.mantissa.to_le_bytes(), multiplier.shift.to_le_bytes()];
    for (chunk, word) in bytes.chunks_exact_mut(4).zip(words) {
        chunk.copy_from_slice(&word);
    }
    bytes
}

/// An average pool's entry of one count: mantissa, shift.
pub fn count_entry(multiplier: Multiplier) -> [u8; 8] {
    let mut bytes = [0; 8];
    for (chunk, word) in
        bytes.chunks_exact_mut(4).zip([multiplier.mantissa.to_le_bytes(), multiplier.shift.to_le_bytes()])
    {
        chunk.copy_from_slice(&word);
    }
    bytes
}

/// The pieces of a curve: start, quadratic, linear, constant coefficient.
pub fn curve_pieces(curve: &Curve) -> Vec<u8> {
    let coefficients = |piece: &crate::numerics::Piece| [piece.quadratic, piece.linear, piece.constant];
    let pieces = curve.pieces().iter();
    pieces
        .flat_map(|piece| {
            piece.start.to_le_bytes().into_iter().chain(coefficients(piece).into_iter().flat_map(i64::to_le_bytes))
        })
        .collect()
}

/// Little-endian 32-bit integers.
pub fn integers(data: &[u8]) -> impl Iterator<Item = i32> + '_ {
    data.chunks_exact(4).map(|chunk| chunk.iter().rev().fold(0u32, |value, &byte| value << 8 | u32::from(byte)) as i32)
}
