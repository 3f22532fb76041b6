//! The constants region: weights, parameters of convolutions, tables.

use std::collections::HashMap;

use super::super::isa::MemoryRegion;
use super::super::tile::TileMemory;
use crate::numerics::{Curve, Multiplier};

/// Start of every constant; a multiple of what a DMA burst likes.
const ALIGNMENT: usize = 64;

/// Collects constants; equal contents are stored once.
#[derive(Default)]
pub struct Image {
    bytes: Vec<u8>,
    /// Small constants seen so far. Large ones are weights, which are hardly ever equal and not worth hashing.
    known: HashMap<Vec<u8>, u64>,
}

const SMALL: usize = 4096;

impl Image {
    /// Adds a constant and says where it is.
    pub fn add(&mut self, data: &[u8]) -> TileMemory {
        let known = self.known.get(data).copied();
        let offset = known.unwrap_or_else(|| {
            self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
            let offset = self.bytes.len() as u64;
            self.bytes.extend_from_slice(data);
            if data.len() <= SMALL {
                self.known.insert(data.to_vec(), offset);
            }
            offset
        });
        TileMemory::Ddr { region: MemoryRegion::Constants, offset }
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
        self.bytes
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
