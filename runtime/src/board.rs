//! Routines as functions that objects for the board call.
//!
//! ```c
//! int32_t hb_top_k(void *const *tensors, const uint8_t *description, uint64_t bytes, network *const *regions);
//! typedef int32_t network(void *const *inputs, void *const *outputs, void *workspace);
//! ```
//!
//! `tensors` are the addresses of the results, then of the operands. `description` is a [`Description`] as postcard writes it. `regions` are
//! the graphs inside of the routine. The function returns 0, or 1 where it failed: values are out of their range, or
//! there is no memory for it.

use alloc::string::ToString;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::array::{AlignedBytes, Array};
use crate::routines::{Body, Branch, Repeat};
use crate::{ElementType, Fault, Routine, with_routines};

/// Element type and sizes of a tensor.
pub type TensorFacts = (ElementType, Vec<usize>);

/// A call of a routine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Description<R> {
    /// The routine.
    pub routine: R,
    /// What it fills.
    pub results: Vec<TensorFacts>,
    /// What it reads.
    pub operands: Vec<TensorFacts>,
}

/// The graph of a region, compiled to a function of the object.
pub type RegionFunction = unsafe extern "C" fn(*const *mut u8, *const *mut u8, *mut u8) -> i32;

/// The body of a region on the board.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CompiledBody {
    outputs: Vec<TensorFacts>,
    workspace_bytes: usize,
    #[serde(skip)]
    function: Option<RegionFunction>,
}

impl CompiledBody {
    /// A function that fills these tensors and needs so much memory.
    pub fn new(outputs: Vec<TensorFacts>, workspace_bytes: usize) -> CompiledBody {
        CompiledBody { outputs, workspace_bytes, function: None }
    }

    /// Says which function it is.
    ///
    /// # Safety
    /// It fills the tensors that were named, and needs no more memory.
    pub unsafe fn bind(&mut self, function: RegionFunction) {
        self.function = Some(function);
    }
}

impl Body for CompiledBody {
    fn run(&self, inputs: &[&Array]) -> Result<Vec<Array>, Fault> {
        let missing = |what: &str| Fault::Reason(what.to_string());
        let function = self.function.ok_or_else(|| missing("has a region without code"))?;
        let mut outputs = Vec::new();
        for (element, shape) in &self.outputs {
            outputs.push(Array::zeros(*element, shape)?);
        }
        let workspace = AlignedBytes::reserved(self.workspace_bytes);
        let mut workspace = workspace.ok_or_else(|| missing("has no memory for a region"))?;
        let given: Vec<*mut u8> = inputs.iter().map(|array| array.as_ptr().cast_mut()).collect();
        let filled: Vec<*mut u8> = outputs.iter_mut().map(Array::as_mut_ptr).collect();
        // SAFETY: whoever bound the function knows that it takes these outputs and this much memory; it does not write to inputs.
        match unsafe { function(given.as_ptr(), filled.as_ptr(), workspace.as_mut_ptr()) } {
            0 => Ok(outputs),
            _ => Err(missing("has a node inside that failed")),
        }
    }
}

/// A routine that has a function for the board.
pub trait BoardRoutine: Routine + Serialize + for<'de> Deserialize<'de> {
    /// The function's name.
    const SYMBOL: &'static str;

    /// The bodies of the graphs inside, in the order of `regions`.
    fn bodies(&mut self) -> Vec<&mut CompiledBody> {
        Vec::new()
    }
}

impl BoardRoutine for Branch<CompiledBody> {
    const SYMBOL: &'static str = "hb_branch";

    fn bodies(&mut self) -> Vec<&mut CompiledBody> {
        [&mut self.then.body, &mut self.otherwise.body].into()
    }
}

impl BoardRoutine for Repeat<CompiledBody> {
    const SYMBOL: &'static str = "hb_repeat";

    fn bodies(&mut self) -> Vec<&mut CompiledBody> {
        [&mut self.body.body].into()
    }
}

macro_rules! symbols {
    ($($routine:ident => $symbol:ident;)*) => { $(
        impl BoardRoutine for crate::routines::$routine {
            const SYMBOL: &'static str = stringify!($symbol);
        }
    )* };
}
with_routines!(symbols);

/// What the standard library is elsewhere.
#[cfg(board)]
mod machine;
