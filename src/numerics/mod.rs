//! The arithmetic of the machine, defined once (`docs/numerics.md`).
//!
//! Small scalar functions that the reference interpreter and the simulator share. A fast kernel elsewhere is right when
//! it agrees with these to the last bit. No arithmetic here allocates, panics or depends on the order of summation.

mod camera;
mod convolution;
mod curve;
mod curve_fit;
mod elementwise;
mod ends;
mod float16;
mod lookup;
mod multiplier;
mod pool;
mod quantize;
mod roi_resize;
mod round;
mod scale;
mod vector;

pub use camera::centred;
pub use convolution::{accumulate, accumulator_bound, accumulator_fits, finish};
pub use curve::{Curve, CurveError, MAX_PIECES, MAX_SHIFT, Piece};
pub use curve_fit::{CurveFitError, FittedCurve, fit_curve};
pub use elementwise::{SlopeMultipliers, SumMultipliers, add, multiply, p_relu, requantize};
pub use ends::FiniteEnds;
pub use float16::{LARGEST_FLOAT16, of_float16, to_float16};
pub use lookup::{LookupTable, lookup, lookup_table};
pub use multiplier::{Multiplier, MultiplierError};
pub use pool::{PoolMultipliers, average, average_multiplier, maximum};
pub use quantize::{dequantize, largest_magnitude, low_bytes, normalize, quantize, quantize_constant, quantize_f64};
pub use roi_resize::{RegionOfInterest, RoiResize};
pub use round::{Clamp, Destination, round_half_even_shift, round_half_even_shift_wide};
pub use scale::{
    accumulator_scale, affine_of_threshold, asymmetric_range, bias_scale, largest_integer, least_weight_scale,
    scale_of_threshold, threshold_of_affine,
};
#[cfg(test)]
pub(crate) use vector::tests::programs as vector_programs;
pub use vector::{
    MAX_ROW, MAX_VECTOR_OPERANDS, MAX_VECTOR_STEPS, VECTOR_ACCUMULATORS, VectorBinary, VectorCost, VectorProgram,
    VectorReduction, VectorStep, VectorUnary, canonical, coefficients, reduce, run_row,
};
