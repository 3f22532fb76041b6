//! Other views of the same bytes: slices, permutations, broadcasts, fewer dimensions.

use super::emitter::EmitError;
use super::{TileDimension, TilePlacement, dense_strides};
use std::cmp::Reverse;

impl TilePlacement {
    /// Cell `i` of dimension `d` is cell `starts[d] + i * steps[d]` of this view; step 0 repeats a cell.
    pub fn slice(&self, starts: &[usize], steps: &[i64], sizes: &[usize]) -> Result<TilePlacement, EmitError> {
        let memory = self.at(starts)?;
        let strides = self.strides.iter().zip(steps).map(|(stride, step)| stride.checked_mul(*step));
        let strides = strides.collect::<Option<Vec<i64>>>().ok_or(EmitError::Address)?;
        Ok(TilePlacement { memory, shape: sizes.to_vec(), strides, element_bytes: self.element_bytes })
    }

    /// Dimension `i` of the result is dimension `permutation[i]` of this view.
    pub fn transpose(&self, permutation: &[usize]) -> Result<TilePlacement, EmitError> {
        let pick = |&axis: &usize| Some((*self.shape.get(axis)?, *self.strides.get(axis)?));
        let dimensions = permutation.iter().map(pick).collect::<Option<Vec<_>>>();
        let dimensions = dimensions.ok_or_else(|| EmitError::Plan("not a permutation".to_string()))?;
        let (shape, strides) = dimensions.into_iter().unzip();
        Ok(TilePlacement { shape, strides, ..self.clone() })
    }

    /// Its dimensions from that whose neighbours are furthest apart in memory to that where they are closest. Boxes are moved in this order, and
    /// lie so in local memory, because DMA wants long runs of bytes: a transposed view of a tensor is moved as the tensor. Dimensions that do not
    /// move stay where they are.
    pub fn order(&self) -> Vec<usize> {
        let sized = self.shape.iter().zip(&self.strides).enumerate();
        let moving: Vec<usize> =
            sized.filter(|(_, (size, stride))| **size > 1 && **stride != 0).map(|(dimension, _)| dimension).collect();
        let mut sorted = moving.clone();
        sorted.sort_by_key(|&dimension| Reverse(self.strides.get(dimension).copied().unwrap_or(0).unsigned_abs()));
        let mut order: Vec<usize> = (0..self.shape.len()).collect();
        for (place, dimension) in moving.into_iter().zip(sorted) {
            if let Some(entry) = order.get_mut(place) {
                *entry = dimension;
            }
        }
        order
    }

    /// Repeated to `shape` as numpy does it: dimensions from the right, size 1 and missing ones with stride 0.
    pub fn broadcast(&self, shape: &[usize]) -> Result<TilePlacement, EmitError> {
        let front = shape.len().checked_sub(self.shape.len());
        let front = front.ok_or_else(|| EmitError::Plan("an operand has a higher rank than the result".to_string()))?;
        let mut strides = vec![0; shape.len()];
        let own = self.shape.iter().zip(&self.strides);
        for ((entry, &target), (&size, &stride)) in strides.iter_mut().zip(shape).skip(front).zip(own) {
            if size == target {
                *entry = stride;
            } else if size != 1 {
                return Err(EmitError::Plan(format!("shape {:?} does not broadcast to {shape:?}", self.shape)));
            }
        }
        Ok(TilePlacement { shape: shape.to_vec(), strides, ..self.clone() })
    }

    /// How each dimension of a broadcast view follows a loop of its own: a repeated cell is brought in once.
    pub fn unrepeated(mut self) -> (TilePlacement, Vec<TileDimension>) {
        let mut dimensions = Vec::with_capacity(self.shape.len());
        for (axis, (size, &stride)) in self.shape.iter_mut().zip(&self.strides).enumerate() {
            if stride == 0 {
                *size = 1;
            }
            dimensions.push(if stride == 0 { TileDimension::Fixed(1) } else { TileDimension::Axis(axis) });
        }
        (self, dimensions)
    }
}

/// The values of dimensions in an order of these.
pub fn ordered<T: Copy>(values: &[T], order: &[usize]) -> Vec<T> {
    order.iter().filter_map(|&dimension| values.get(dimension).copied()).collect()
}

/// Bytes between neighbours, per dimension, of a box without gaps whose dimensions follow each other in an order.
pub fn strides_in_order(shape: &[usize], order: &[usize], element_bytes: usize) -> Vec<i64> {
    let mut strides = vec![0; shape.len()];
    for (&dimension, stride) in order.iter().zip(dense_strides(&ordered(shape, order), element_bytes)) {
        if let Some(entry) = strides.get_mut(dimension) {
            *entry = stride;
        }
    }
    strides
}

/// Which dimension is that of rows, and stays one when others are merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptRows {
    /// None.
    Nothing,
    /// The first with more than one index.
    First,
    /// This one.
    Dimension(usize),
}

/// Merges dimensions that are neighbours in memory in all of the views, which have one shape, and drops those of size 1.
pub fn collapse(views: &mut [TilePlacement], rows: KeptRows) {
    let Some(shape) = views.first().map(|view| view.shape.clone()) else { return };
    let mut sizes: Vec<usize> = Vec::new();
    let mut strides: Vec<Vec<i64>> = vec![Vec::new(); views.len()];
    let mut kept_last = false;
    for (axis, &size) in shape.iter().enumerate() {
        if size == 1 {
            continue;
        }
        let inner: Vec<i64> = views.iter().map(|view| view.strides.get(axis).copied().unwrap_or(0)).collect();
        let is_kept = match rows {
            KeptRows::Nothing => false,
            KeptRows::First => sizes.is_empty(),
            KeptRows::Dimension(dimension) => axis == dimension,
        };
        let may_merge = !sizes.is_empty() && !is_kept && !kept_last;
        kept_last = is_kept;
        let continues = may_merge
            && strides.iter().zip(&inner).all(|(outer, &inner)| {
                outer.last().copied() == i64::try_from(size).ok().and_then(|size| inner.checked_mul(size))
            });
        if continues {
            if let Some(last) = sizes.last_mut() {
                *last = last.saturating_mul(size);
            }
            for (outer, &inner) in strides.iter_mut().zip(&inner) {
                if let Some(last) = outer.last_mut() {
                    *last = inner;
                }
            }
        } else {
            sizes.push(size);
            strides.iter_mut().zip(&inner).for_each(|(outer, &inner)| outer.push(inner));
        }
    }
    for (view, strides) in views.iter_mut().zip(strides) {
        view.shape = sizes.clone();
        view.strides = strides;
    }
}

#[cfg(test)]
mod tests {
    use super::super::TileMemory;
    use super::*;

    fn dense(shape: &[usize]) -> TilePlacement {
        TilePlacement::dense(TileMemory::Local { address: 0 }, shape, 1)
    }

    #[test]
    fn a_whole_tensor_is_one_run() {
        let mut views = [dense(&[2, 1, 3, 4]), dense(&[2, 1, 3, 4])];
        collapse(&mut views, KeptRows::Nothing);
        assert_eq!((views[0].shape.as_slice(), views[0].strides.as_slice()), ([24].as_slice(), [1].as_slice()));
    }

    #[test]
    fn a_channel_bias_keeps_its_axis() {
        let bias = dense(&[4]).broadcast(&[2, 3, 4]).unwrap();
        let mut views = [dense(&[2, 3, 4]), bias];
        let mut rows = views.clone();
        collapse(&mut rows, KeptRows::First);
        assert_eq!(rows[0].shape, [2, 3, 4]);
        collapse(&mut views, KeptRows::Nothing);
        assert_eq!(views[0].shape, [6, 4]);
        assert_eq!(views[1].strides, [0, 1]);
        let (bias, dimensions) = views[1].clone().unrepeated();
        assert_eq!(bias.shape, [1, 4]);
        assert_eq!(dimensions, [TileDimension::Fixed(1), TileDimension::Axis(1)]);
        assert!(dense(&[3]).broadcast(&[2]).is_err());
    }

    #[test]
    fn rows_stay_wherever_they_are() {
        let sizes = |rows| {
            let mut views = [dense(&[2, 3, 1, 4, 5])];
            collapse(&mut views, rows);
            views[0].shape.clone()
        };
        assert_eq!(sizes(KeptRows::Nothing), [120]);
        assert_eq!(sizes(KeptRows::First), [2, 60]);
        assert_eq!(sizes(KeptRows::Dimension(1)), [2, 3, 20]);
        assert_eq!(sizes(KeptRows::Dimension(3)), [6, 4, 5]);
        assert_eq!(sizes(KeptRows::Dimension(4)), [24, 5]);
    }

    #[test]
    fn what_is_moved_is_in_the_order_of_memory() {
        assert_eq!(dense(&[2, 3, 4]).order(), [0, 1, 2]);
        assert_eq!(dense(&[2, 3, 4]).transpose(&[2, 0, 1]).unwrap().order(), [1, 2, 0]);
        // A dimension of one cell, one that repeats, and one that walks backwards.
        let turned = dense(&[5, 1, 4]).transpose(&[2, 1, 0]).unwrap();
        assert_eq!(turned.order(), [2, 1, 0]);
        let backwards = dense(&[5, 4]).transpose(&[1, 0]).unwrap().slice(&[3, 4], &[-1, -1], &[4, 5]).unwrap();
        assert_eq!(backwards.order(), [1, 0]);
        assert_eq!(dense(&[3]).broadcast(&[2, 3]).unwrap().order(), [0, 1]);
        // All of the channels of some cells are one run.
        let view = dense(&[100, 8]).transpose(&[1, 0]).unwrap();
        assert_eq!((view.runs(&[8, 10]).count, view.runs_in_memory(&[8, 10]).count), (80, 1));
        assert_eq!(view.runs_in_memory(&[4, 10]).count, 10);
    }

    #[test]
    fn slices_walk_backwards() {
        let view = dense(&[10]).slice(&[9], &[-3], &[4]).unwrap();
        assert_eq!(view.at(&[3]).unwrap(), TileMemory::Local { address: 0 });
        assert_eq!(dense(&[2, 3]).transpose(&[1, 0]).unwrap().strides, [1, 3]);
    }
}
