//! The steps of a program, and which programs there are.

use hb_runtime::functions::{error_function, exponential, logarithm, maximum, minimum, power, tanh};

/// Steps of a program, at most.
pub const MAX_VECTOR_STEPS: usize = 64;
/// Operands of a program, at most.
pub const MAX_VECTOR_OPERANDS: usize = 6;
/// Elements of a row whose elements are combined, at most: its operands lie in local memory as a whole.
pub const MAX_ROW: usize = 1 << 17;

/// Declares functions with their number in instructions, their name in text, and what they compute.
macro_rules! functions {
    ($(#[doc = $about:literal])* $name:ident($($argument:ident),+) { $($(#[doc = $meaning:literal])* $variant:ident = $number:literal $word:literal $formula:expr;)* }) => {
        $(#[doc = $about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[doc = $meaning])* $variant = $number,)* }

        impl $name {
            /// Every one.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// As programs spell it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }

            /// What it gives.
            #[must_use]
            #[inline(always)]
            pub fn apply(self, $($argument: f32),+) -> f32 {
                match self { $($name::$variant => $formula,)* }
            }
        }
    };
}

/// 1 or 0: a truth value among numbers.
#[inline(always)]
fn truth(value: bool) -> f32 {
    if value { 1.0 } else { 0.0 }
}

functions! {
    /// A function of one number.
    VectorUnary(x) {
        /// -x
        Negate = 1 "negate" -x;
        /// |x|
        Absolute = 2 "absolute" x.abs();
        /// Rounded down.
        Floor = 3 "floor" x.floor();
        /// Rounded up.
        Ceil = 4 "ceil" x.ceil();
        /// To the nearest whole number, halves to the even one.
        Round = 5 "round" x.round_ties_even();
        /// Square root.
        SquareRoot = 6 "sqrt" x.sqrt();
        /// e^x
        Exponential = 7 "exp" exponential(x);
        /// Natural logarithm.
        Logarithm = 8 "log" logarithm(x);
        /// Hyperbolic tangent.
        Tanh = 9 "tanh" tanh(x);
        /// Error function.
        Erf = 10 "erf" error_function(x);
    }
}

functions! {
    /// A function of two numbers. Truth values are 1 and 0.
    VectorBinary(a, b) {
        /// a + b
        Add = 16 "add" a + b;
        /// a - b
        Subtract = 17 "subtract" a - b;
        /// a · b
        Multiply = 18 "multiply" a * b;
        /// a / b
        Divide = 19 "divide" a / b;
        /// The larger; NaN if either is.
        Maximum = 20 "maximum" maximum(a, b);
        /// The smaller; NaN if either is.
        Minimum = 21 "minimum" minimum(a, b);
        /// a^b
        Power = 22 "power" power(a, b);
        /// Whether a < b.
        Less = 23 "less" truth(a < b);
        /// Whether a <= b.
        LessOrEqual = 24 "less_or_equal" truth(a <= b);
        /// Whether a = b.
        Equal = 25 "equal" truth(a == b);
    }
}

functions! {
    /// How all elements of a row become one number.
    VectorReduction(a, b) {
        /// Their sum.
        Sum = 32 "reduce_sum" a + b;
        /// Their product.
        Product = 33 "reduce_product" a * b;
        /// The largest; NaN if one is.
        Maximum = 34 "reduce_maximum" maximum(a, b);
        /// The smallest; NaN if one is.
        Minimum = 35 "reduce_minimum" minimum(a, b);
    }
}

impl VectorReduction {
    /// What it begins with.
    #[must_use]
    pub fn neutral(self) -> f32 {
        match self {
            VectorReduction::Sum => 0.0,
            VectorReduction::Product => 1.0,
            VectorReduction::Maximum => f32::NEG_INFINITY,
            VectorReduction::Minimum => f32::INFINITY,
        }
    }
}

/// One step of a program. Numbers of values are those of earlier steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum VectorStep {
    /// The elements of an operand, as real numbers.
    Load(u8),
    /// One number, which is not NaN.
    Constant(f32),
    /// A function of a value.
    Unary(VectorUnary, u8),
    /// A function of two values.
    Binary(VectorBinary, u8, u8),
    /// The second value where the first is not 0, else the third.
    Select(u8, u8, u8),
    /// All elements of a value combined.
    Reduce(VectorReduction, u8),
}

impl VectorStep {
    /// The values that it reads.
    pub fn values(&self) -> impl Iterator<Item = u8> + use<> {
        let values = match *self {
            VectorStep::Load(_) | VectorStep::Constant(_) => [None; 3],
            VectorStep::Unary(_, a) | VectorStep::Reduce(_, a) => [Some(a), None, None],
            VectorStep::Binary(_, a, b) => [Some(a), Some(b), None],
            VectorStep::Select(a, b, c) => [Some(a), Some(b), Some(c)],
        };
        values.into_iter().flatten()
    }
}

/// How many passes of the lanes a program takes, by how long they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VectorCost {
    /// Steps that are one operation.
    pub simple: u32,
    /// Divisions and square roots.
    pub divisions: u32,
    /// Functions that are polynomials.
    pub functions: u32,
}

/// A straight line of steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VectorProgram {
    steps: Vec<VectorStep>,
}

impl VectorProgram {
    /// A program of these steps.
    ///
    /// # Errors
    /// When there are none or too many, a step reads what is no earlier one, an operand is beyond what an instruction has, or a constant is NaN.
    pub fn new(steps: Vec<VectorStep>) -> Result<VectorProgram, String> {
        if steps.is_empty() || steps.len() > MAX_VECTOR_STEPS {
            return Err(format!("a program has 1 to {MAX_VECTOR_STEPS} steps, not {}", steps.len()));
        }
        for (number, step) in steps.iter().enumerate() {
            if let Some(later) = step.values().find(|value| usize::from(*value) >= number) {
                return Err(format!("step %{number} reads %{later}, which is no earlier one"));
            }
            match step {
                VectorStep::Load(operand) if usize::from(*operand) >= MAX_VECTOR_OPERANDS => {
                    return Err(format!(
                        "step %{number} loads operand {operand}; there are at most {MAX_VECTOR_OPERANDS}"
                    ));
                }
                VectorStep::Constant(value) if value.is_nan() => {
                    return Err(format!("step %{number} is the constant NaN"));
                }
                _ => {}
            }
        }
        Ok(VectorProgram { steps })
    }

    /// The elements of the operand as they are: they are loaded as one type and stored as another.
    #[must_use]
    pub fn conversion() -> VectorProgram {
        VectorProgram { steps: vec![VectorStep::Load(0)] }
    }

    /// The steps.
    #[must_use]
    pub fn steps(&self) -> &[VectorStep] {
        &self.steps
    }

    /// Whether elements of a row are combined.
    #[must_use]
    pub fn reduces(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, VectorStep::Reduce(..)))
    }

    /// How many operands it loads: one more than the greatest number of one.
    #[must_use]
    pub fn operands(&self) -> usize {
        let loads = self.steps.iter().map(|step| match step {
            VectorStep::Load(operand) => usize::from(*operand) + 1,
            _ => 0,
        });
        loads.max().unwrap_or(0)
    }
}

impl VectorCost {
    /// What steps cost for each element.
    #[must_use]
    pub fn of(steps: &[VectorStep]) -> VectorCost {
        // The result is converted and stored.
        let mut cost = VectorCost { simple: 1, ..VectorCost::default() };
        for step in steps {
            match step {
                VectorStep::Constant(_) => {}
                VectorStep::Unary(VectorUnary::SquareRoot, _) | VectorStep::Binary(VectorBinary::Divide, ..) => {
                    cost.divisions += 1;
                }
                VectorStep::Unary(
                    VectorUnary::Exponential | VectorUnary::Logarithm | VectorUnary::Tanh | VectorUnary::Erf,
                    _,
                ) => cost.functions += 1,
                // A logarithm and an exponential.
                VectorStep::Binary(VectorBinary::Power, ..) => cost.functions += 2,
                VectorStep::Load(_)
                | VectorStep::Unary(..)
                | VectorStep::Binary(..)
                | VectorStep::Select(..)
                | VectorStep::Reduce(..) => cost.simple += 1,
            }
        }
        cost
    }
}
