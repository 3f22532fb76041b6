//! Boxes of an iteration space: what a tile covers and what it needs.

use serde::{Deserialize, Serialize};

/// A half-open range `start..end` along one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Extent {
    /// First index.
    pub start: usize,
    /// First index behind it.
    pub end: usize,
}

impl Extent {
    /// From `start` up to, but not including, `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// `0..size`.
    pub fn whole(size: usize) -> Self {
        Self { start: 0, end: size }
    }

    /// How many indices.
    pub fn len(&self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether there is no index.
    pub fn is_empty(&self) -> bool {
        self.end <= self.start
    }

    /// The indices of both.
    pub fn intersect(&self, other: &Extent) -> Extent {
        Extent::new(self.start.max(other.start), self.end.min(other.end))
    }
}

/// A box: one extent per dimension.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Region(pub Vec<Extent>);

impl Region {
    /// The box that covers a whole tensor of this shape.
    pub fn whole(shape: &[usize]) -> Self {
        Self(shape.iter().map(|&size| Extent::whole(size)).collect())
    }

    /// How many dimensions.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// How many indices along each dimension.
    pub fn shape(&self) -> Vec<usize> {
        self.0.iter().map(Extent::len).collect()
    }

    /// The first index along each dimension.
    pub fn starts(&self) -> Vec<usize> {
        self.0.iter().map(|extent| extent.start).collect()
    }

    /// How many cells.
    pub fn elements(&self) -> usize {
        self.0.iter().fold(1usize, |product, extent| product.saturating_mul(extent.len()))
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.0.iter().any(Extent::is_empty)
    }

    /// The extent of dimension `axis`; empty when there is no such dimension.
    pub fn axis(&self, axis: usize) -> Extent {
        self.0.get(axis).copied().unwrap_or(Extent::new(0, 0))
    }

    /// Whether every cell of `other` is one of this region.
    pub fn contains(&self, other: &Region) -> bool {
        self.rank() == other.rank()
            && self.0.iter().zip(&other.0).all(|(mine, its)| mine.start <= its.start && its.end <= mine.end)
    }

    /// The cells of both.
    pub fn intersect(&self, other: &Region) -> Region {
        Region(self.0.iter().zip(&other.0).map(|(a, b)| a.intersect(b)).collect())
    }
}

/// A sliding window along one dimension (convolution or pooling).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionWindow {
    /// Input cells between neighbouring output cells.
    pub stride: usize,
    /// Input cells between neighbouring kernel cells.
    pub dilation: usize,
    /// Virtual cells before the first input cell.
    pub pad_before: usize,
}

/// What a [`RegionWindow`] reads for a range of outputs and taps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halo {
    /// Input cells to bring in, inside the tensor and never empty.
    pub input: Extent,
    /// Virtual cells that the tile sees before `input`.
    pub pad_before: usize,
    /// Whether any real input cell is reached. When not, `input` is one cell that lies behind the padding and is never read.
    pub touches: bool,
}

impl RegionWindow {
    /// The inputs behind `outputs` × `taps` of a dimension of `size` cells.
    ///
    /// Output `o`, tap `k` reads cell `o * stride + k * dilation - pad_before`; cells outside the tensor are padding.
    pub fn backward(&self, outputs: Extent, taps: Extent, size: usize) -> Halo {
        let first = outputs.start * self.stride + taps.start * self.dilation;
        let last = (outputs.end.max(1) - 1) * self.stride + (taps.end.max(1) - 1) * self.dilation;
        // Both are positions in the padded dimension, where the tensor occupies `pad_before..pad_before + size`.
        let tensor = Extent::new(self.pad_before, self.pad_before + size);
        let reached = Extent::new(first, last + 1).intersect(&tensor);
        if reached.is_empty() {
            let input = Extent::new(0, size.min(1));
            return Halo { input, pad_before: last + 1 - first, touches: false };
        }
        let input = Extent::new(reached.start - self.pad_before, reached.end - self.pad_before);
        Halo { input, pad_before: reached.start - first, touches: true }
    }
}

/// Walks the tiles of an iteration space, the last axis of `order` fastest.
///
/// Every axis must appear in `order` exactly once and every tile size must be at least 1; the last tile of an axis may be smaller.
pub struct Tiles<'a> {
    space: &'a [usize],
    tile: &'a [usize],
    order: &'a [usize],
    position: Option<Vec<usize>>,
}

impl<'a> Tiles<'a> {
    /// The tiles of size `tile` that cover `space`, the last dimension of `order` first.
    pub fn new(space: &'a [usize], tile: &'a [usize], order: &'a [usize]) -> Self {
        let position = (!space.contains(&0)).then(|| vec![0; space.len()]);
        Self { space, tile, order, position }
    }

    fn advance(&self, mut position: Vec<usize>) -> Option<Vec<usize>> {
        for &axis in self.order.iter().rev() {
            let (Some(at), Some(&size), Some(&step)) =
                (position.get_mut(axis), self.space.get(axis), self.tile.get(axis))
            else {
                return None;
            };
            *at += step.max(1);
            if *at < size {
                return Some(position);
            }
            *at = 0;
        }
        None
    }
}

impl Iterator for Tiles<'_> {
    type Item = Region;

    fn next(&mut self) -> Option<Region> {
        let position = self.position.take()?;
        let region = position
            .iter()
            .zip(self.space.iter().zip(self.tile))
            .map(|(&start, (&size, &step))| Extent::new(start, size.min(start + step.max(1))))
            .collect();
        self.position = self.advance(position);
        Some(Region(region))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tiles_cover_the_space_once_in_order() {
        let tiles: Vec<Region> = Tiles::new(&[3, 5], &[2, 3], &[1, 0]).collect();
        let starts: Vec<Vec<usize>> = tiles.iter().map(Region::starts).collect();
        assert_eq!(starts, [[0, 0], [2, 0], [0, 3], [2, 3]]);
        assert_eq!(tiles.iter().map(Region::elements).sum::<usize>(), 15);
        assert_eq!(tiles[3].shape(), [1, 2]);
    }

    #[test]
    fn an_empty_space_has_no_tiles_and_a_scalar_has_one() {
        assert_eq!(Tiles::new(&[4, 0], &[1, 1], &[0, 1]).count(), 0);
        assert_eq!(Tiles::new(&[], &[], &[]).count(), 1);
    }

    proptest! {
        /// A tile that sees only its halo reads, for each output and tap, the same cell as the whole dimension.
        #[test]
        fn halo_reads_the_same_cells(
            size in 1usize..12, stride in 1usize..4, dilation in 1usize..4, pad_before in 0usize..6,
            first in 0usize..6, outputs in 1usize..4, tap in 0usize..4, taps in 1usize..4,
        ) {
            let window = RegionWindow { stride, dilation, pad_before };
            let (outputs, taps) = (Extent::new(first, first + outputs), Extent::new(tap, tap + taps));
            let halo = window.backward(outputs, taps, size);
            prop_assert!(!halo.input.is_empty() && halo.input.end <= size);
            let mut touched = false;
            for o in outputs.start..outputs.end {
                for k in taps.start..taps.end {
                    let cell = (o * stride + k * dilation) as i64 - pad_before as i64;
                    let expected = (0..size as i64).contains(&cell).then_some(cell);
                    let local = ((o - outputs.start) * stride + (k - taps.start) * dilation) as i64 - halo.pad_before as i64;
                    let seen = (0..halo.input.len() as i64).contains(&local).then(|| local + halo.input.start as i64);
                    prop_assert_eq!(seen, expected);
                    touched |= expected.is_some();
                }
            }
            // `touches` may be true when only a gap between the taps lies in the tensor, never false when a tap does.
            prop_assert!(halo.touches || !touched);
        }
    }
}
