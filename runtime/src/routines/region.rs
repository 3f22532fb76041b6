//! The graph of a region, and how values get into it and out of it.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::Fault;
use crate::array::{Array, ArrayError, ArrayView, ResultView, copy_box};

/// What runs a region's graph.
pub trait Body {
    /// Runs it once: its inputs and outputs are values, then the sizes of those whose sizes are known only when running.
    ///
    /// # Errors
    /// When a node inside fails.
    fn run(&self, inputs: &[&Array]) -> Result<Vec<Array>, Fault>;
}

/// A graph inside of a routine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Region<B> {
    /// What runs the graph.
    pub body: B,
    /// For each value that it gives: which of its outputs holds the sizes, or what they are.
    pub sizes: Vec<Result<usize, Vec<usize>>>,
}

/// What a region gave: values with room for their largest sizes, and their sizes.
pub(super) struct Given {
    pub array: Array,
    pub sizes: Vec<usize>,
}

impl<B> Region<B> {
    /// The same region with another body.
    ///
    /// # Errors
    /// When the body cannot be made.
    pub fn with<C, E>(&self, body: impl FnOnce(&B) -> Result<C, E>) -> Result<Region<C>, E> {
        Ok(Region { body: body(&self.body)?, sizes: self.sizes.clone() })
    }
}

impl<B: Body> Region<B> {
    pub(super) fn run(&self, inputs: &[&Array]) -> Result<Vec<Given>, Fault> {
        let outputs = self.body.run(inputs)?;
        let sizes: Vec<Vec<usize>> = self
            .sizes
            .iter()
            .map(|sizes| match sizes {
                Err(known) => known.clone(),
                Ok(index) => outputs.get(*index).map(Array::to_sizes).unwrap_or_default(),
            })
            .collect();
        Ok(outputs.into_iter().zip(sizes).map(|(array, sizes)| Given { array, sizes }).collect())
    }
}

/// A value into the memory of a result, which has at least as much room.
pub(super) fn store(from: &Given, result: &mut ResultView<'_>) {
    if from.array.shape() == result.shape && from.array.as_bytes().len() == result.bytes.len() {
        result.bytes.copy_from_slice(from.array.as_bytes());
    } else {
        result.bytes.fill(0);
        copy_box(&from.array, &from.sizes, result.shape, result.bytes);
    }
}

/// The operands of a call as arrays.
pub(super) fn arrays(views: &[ArrayView<'_>]) -> Result<Vec<Array>, ArrayError> {
    views.iter().map(ArrayView::to_array).collect()
}
