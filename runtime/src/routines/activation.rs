//! The functions that ONNX names for recurrent layers.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::array::ArrayElement;
use crate::functions;
use serde::{Deserialize, Serialize};

/// An activation with its constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activation {
    /// The function.
    pub kind: Kind,
    /// Its first constant, 0 where it has none.
    pub alpha: f64,
    /// Its second constant, 0 where it has none.
    pub beta: f64,
}

macro_rules! activations {
    ($($kind:ident $name:literal $alpha:expr, $beta:expr, |$x:ident, $a:ident, $b:ident| $value:expr;)*) => {
        /// The functions that ONNX names for recurrent layers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "they are named as in ONNX")]
        pub enum Kind {
            $($kind),*
        }

        impl Kind {
            /// By name, whatever the case of its letters; with the default of each constant that it has.
            fn named(name: &str) -> Option<(Kind, [Option<Default>; 2])> {
                $(if name.eq_ignore_ascii_case($name) { return Some((Kind::$kind, [$alpha, $beta])); })*
                None
            }
        }

        impl Activation {
            /// The function of each value, in its place.
            pub(super) fn apply<T: Real>(self, values: &mut [T]) {
                let (alpha, beta) = (T::from_f64(self.alpha), T::from_f64(self.beta));
                // A loop for each function, which becomes vectors.
                match self.kind {
                    $(Kind::$kind => {
                        let ($a, $b) = (alpha, beta);
                        for value in values {
                            let $x = *value;
                            *value = $value;
                        }
                    })*
                }
            }
        }
    };
}

/// A constant's default; ONNX gives some none.
type Default = Option<f64>;

activations! {
    Sigmoid "Sigmoid" None, None, |x, _a, _b| T::ONE / (T::ONE + (T::ZERO - x).exp());
    Tanh "Tanh" None, None, |x, _a, _b| x.tanh();
    Relu "Relu" None, None, |x, _a, _b| if x < T::ZERO { T::ZERO } else { x };
    Affine "Affine" Some(None), Some(None), |x, a, b| a * x + b;
    LeakyRelu "LeakyRelu" Some(Some(0.01)), None, |x, a, _b| if x < T::ZERO { a * x } else { x };
    ThresholdedRelu "ThresholdedRelu" Some(Some(1.0)), None, |x, a, _b| if x > a { x } else { T::ZERO };
    ScaledTanh "ScaledTanh" Some(None), Some(None), |x, a, b| a * (b * x).tanh();
    HardSigmoid "HardSigmoid" Some(Some(0.2)), Some(Some(0.5)), |x, a, b| (a * x + b).within(T::ZERO, T::ONE);
    Elu "Elu" Some(Some(1.0)), None, |x, a, _b| if x < T::ZERO { a * (x.exp() - T::ONE) } else { x };
    Softsign "Softsign" None, None, |x, _a, _b| x / (T::ONE + x.abs());
    Softplus "Softplus" None, None, |x, _a, _b| x.softplus();
}

impl Activation {
    /// The functions of these names; the constants are taken in order by those that have them.
    ///
    /// # Errors
    /// When a name is not known, or a constant without a default is missing.
    pub fn named(names: &[String], alphas: &[f64], betas: &[f64]) -> Result<Vec<Activation>, String> {
        let (mut alphas, mut betas) = (alphas.iter(), betas.iter());
        let mut take = |name: &str, default: Option<Default>, first: bool| {
            let Some(default) = default else { return Ok(0.0) };
            let given = if first { alphas.next() } else { betas.next() };
            let which = if first { "activation_alpha" } else { "activation_beta" };
            given.copied().or(default).ok_or_else(|| format!("has no {which} for the activation {name}"))
        };
        names
            .iter()
            .map(|name| {
                let (kind, [alpha, beta]) = Kind::named(name)
                    .ok_or_else(|| format!("has the activation {name:?}, which ONNX does not name"))?;
                Ok(Activation { kind, alpha: take(name, alpha, true)?, beta: take(name, beta, false)? })
            })
            .collect()
    }
}

/// What the recurrence computes with.
pub(super) trait Real:
    ArrayElement
    + PartialOrd
    + core::ops::Add<Output = Self>
    + core::ops::Sub<Output = Self>
    + core::ops::Mul<Output = Self>
    + core::ops::Div<Output = Self>
{
    const ZERO: Self;
    const ONE: Self;
    fn from_f64(value: f64) -> Self;
    fn exp(self) -> Self;
    fn tanh(self) -> Self;
    fn abs(self) -> Self;
    /// ln(1 + e^x), without overflow.
    fn softplus(self) -> Self;

    /// The nearest value between the bounds; NaN stays.
    fn within(self, low: Self, high: Self) -> Self {
        if self < low {
            low
        } else if self > high {
            high
        } else {
            self
        }
    }
}

macro_rules! real {
    ($type:ty, $exp:path, $tanh:path, $log_1p:path) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn exp(self) -> Self {
                $exp(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                $tanh(self)
            }
            fn abs(self) -> Self {
                <$type>::abs(self)
            }
            fn softplus(self) -> Self {
                self.max(0.0) + $log_1p(Real::exp(-self.abs()))
            }
        }
    };
}
// Those of f32 have no branches.
real!(f32, functions::exponential, functions::tanh, libm::log1pf);
real!(f64, libm::exp, libm::tanh, libm::log1p);
