//! The scalar expressions that define every operator.
//!
//! An expression says how *one* element of an output is computed from elements of the inputs. `Axis(d)` is the position
//! along axis `d` of the iteration, so index maps (Transpose, Slice, Gather) are ordinary i64 arithmetic inside a `Load`.

use std::hash::{Hash, Hasher};
use std::ops;
use std::sync::Arc;

use hb_dialects::ElementType;
use hb_runtime::Scalar;

/// A tensor of a [`super::graph::ExpressionGraph`], by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GraphTensorId(pub(crate) usize);

/// A function of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// -x
    Negate,
    /// |x|
    Absolute,
    /// e to the power of x
    Exponential,
    /// Natural logarithm.
    Logarithm,
    /// Square root.
    SquareRoot,
    /// Hyperbolic tangent.
    Tanh,
    /// Error function.
    Erf,
    /// Of an angle in radians.
    Sine,
    /// Of an angle in radians.
    Cosine,
    /// Rounded down.
    Floor,
    /// Rounded up.
    Ceil,
    /// To the nearest integer, halves to the even one.
    Round,
    /// Of a truth value.
    Not,
    /// A function of the C library, of floats.
    Library(Function),
}

/// Functions that are calls of the C library: too rare for code of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// Tangent.
    Tan,
    /// Arc sine.
    Asin,
    /// Arc cosine.
    Acos,
    /// Arc tangent.
    Atan,
    /// Hyperbolic sine.
    Sinh,
    /// Hyperbolic cosine.
    Cosh,
    /// Inverse hyperbolic sine.
    Asinh,
    /// Inverse hyperbolic cosine.
    Acosh,
    /// Inverse hyperbolic tangent.
    Atanh,
}

impl Function {
    /// Names of the C library, for f64 and f32.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        match self {
            Function::Tan => ("tan", "tanf"),
            Function::Asin => ("asin", "asinf"),
            Function::Acos => ("acos", "acosf"),
            Function::Atan => ("atan", "atanf"),
            Function::Sinh => ("sinh", "sinhf"),
            Function::Cosh => ("cosh", "coshf"),
            Function::Asinh => ("asinh", "asinhf"),
            Function::Acosh => ("acosh", "acoshf"),
            Function::Atanh => ("atanh", "atanhf"),
        }
    }

    pub(crate) fn evaluate(self, x: f64) -> f64 {
        match self {
            Function::Tan => libm::tan(x),
            Function::Asin => libm::asin(x),
            Function::Acos => libm::acos(x),
            Function::Atan => libm::atan(x),
            Function::Sinh => libm::sinh(x),
            Function::Cosh => libm::cosh(x),
            Function::Asinh => libm::asinh(x),
            Function::Acosh => libm::acosh(x),
            Function::Atanh => libm::atanh(x),
        }
    }
}

/// A function of two values of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// a + b
    Add,
    /// a - b
    Subtract,
    /// a * b
    Multiply,
    /// Integers truncate towards zero; an integer divided by zero is zero.
    Divide,
    /// Integers only, rounded down; by zero gives zero.
    FloorDivide,
    /// Integers only, with the divisor's sign; by zero gives zero.
    Modulo,
    /// With the dividend's sign, as C has it; of integers by zero it is zero.
    Remainder,
    /// NaN if either is NaN.
    Maximum,
    /// NaN if either is NaN.
    Minimum,
    /// a to the power of b
    Power,
    /// Both; of integers bit by bit.
    And,
    /// At least one; of integers bit by bit.
    Or,
    /// Exactly one; of integers bit by bit.
    Xor,
}

/// How two values of one type are compared; NaN is neither less than nor equal to anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// a < b
    Less,
    /// a <= b
    LessOrEqual,
    /// a == b
    Equal,
}

/// What an expression is.
#[derive(Debug, PartialEq, Eq, Hash)]
pub enum ExpressionKind {
    /// The index along a loop.
    Axis(usize),
    /// In the `finish` of a reduction: the reduced value.
    Accumulator,
    /// A value.
    Constant(Scalar),
    /// An element of a tensor.
    Load {
        /// Which tensor.
        tensor: GraphTensorId,
        /// One index for each of its dimensions, of type i64.
        indices: Vec<Expression>,
    },
    /// A function of one value.
    Unary(Unary, Expression),
    /// A function of two values.
    Binary(Binary, Expression, Expression),
    /// A truth value.
    Compare(Comparison, Expression, Expression),
    /// The second operand where the first is true, else the third.
    Select(Expression, Expression, Expression),
    /// The value in another element type.
    Cast(Expression),
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Node {
    element: ElementType,
    kind: ExpressionKind,
    size: u32,
}

/// A scalar expression; cloning shares it.
#[derive(Clone)]
pub struct Expression(Arc<Node>);

impl PartialEq for Expression {
    fn eq(&self, other: &Expression) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Expression {}

impl Hash for Expression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{:?}", self.0.element, self.0.kind)
    }
}

fn make(element: ElementType, kind: ExpressionKind, size: u32) -> Expression {
    Expression(Arc::new(Node { element, kind, size: size.saturating_add(1) }))
}

/// The position along an axis of the iteration.
pub fn axis(number: usize) -> Expression {
    make(ElementType::I64, ExpressionKind::Axis(number), 0)
}

/// An i64 constant: what index arithmetic is made of.
pub fn index(value: i64) -> Expression {
    make(ElementType::I64, ExpressionKind::Constant(Scalar::Integer(value.into())), 0)
}

/// The reduced value, for the `finish` of a reduction.
pub fn accumulator(element: ElementType) -> Expression {
    make(element, ExpressionKind::Accumulator, 0)
}

/// A value of this element type.
pub fn constant(element: ElementType, value: Scalar) -> Expression {
    make(element, ExpressionKind::Constant(value.cast(element)), 0)
}

pub(crate) fn load(tensor: GraphTensorId, element: ElementType, indices: Vec<Expression>) -> Expression {
    let size = indices.iter().fold(0u32, |sum, index| sum.saturating_add(index.size()));
    make(element, ExpressionKind::Load { tensor, indices }, size)
}

/// `condition ? then : otherwise`.
pub fn select(condition: Expression, then: Expression, otherwise: Expression) -> Expression {
    let size = condition.size().saturating_add(then.size()).saturating_add(otherwise.size());
    make(then.element(), ExpressionKind::Select(condition, then, otherwise), size)
}

impl Expression {
    /// The type of its value.
    pub fn element(&self) -> ElementType {
        self.0.element
    }

    /// What it is.
    pub fn kind(&self) -> &ExpressionKind {
        &self.0.kind
    }

    /// The number of nodes, counting shared ones as often as they are used.
    pub fn size(&self) -> u32 {
        self.0.size
    }

    /// A constant of this expression's element.
    pub fn like(&self, value: f64) -> Expression {
        constant(self.element(), Scalar::Float(value))
    }

    /// Its value, where it is a constant integer.
    pub fn as_integer(&self) -> Option<i64> {
        match self.kind() {
            ExpressionKind::Constant(Scalar::Integer(value)) => i64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// A function of this value.
    pub fn unary(self, operation: Unary) -> Expression {
        let (element, size) = (self.element(), self.size());
        make(element, ExpressionKind::Unary(operation, self), size)
    }

    /// A function of this value and another of its type.
    pub fn binary(self, operation: Binary, other: Expression) -> Expression {
        if self.element() == ElementType::I64
            && let Some(simple) = simplify(operation, &self, &other)
        {
            return simple;
        }
        let (element, size) = (self.element(), self.size().saturating_add(other.size()));
        make(element, ExpressionKind::Binary(operation, self, other), size)
    }

    /// A truth value.
    pub fn compare(self, comparison: Comparison, other: Expression) -> Expression {
        let size = self.size().saturating_add(other.size());
        make(ElementType::Bool, ExpressionKind::Compare(comparison, self, other), size)
    }

    /// This value in another element type.
    pub fn cast(self, element: ElementType) -> Expression {
        if self.element() == element {
            return self;
        }
        let size = self.size();
        make(element, ExpressionKind::Cast(self), size)
    }

    /// self < other
    pub fn less(self, other: Expression) -> Expression {
        self.compare(Comparison::Less, other)
    }

    /// self <= other
    pub fn less_or_equal(self, other: Expression) -> Expression {
        self.compare(Comparison::LessOrEqual, other)
    }

    /// self == other
    pub fn equal(self, other: Expression) -> Expression {
        self.compare(Comparison::Equal, other)
    }

    /// The larger of the two.
    pub fn maximum(self, other: Expression) -> Expression {
        self.binary(Binary::Maximum, other)
    }

    /// The smaller of the two.
    pub fn minimum(self, other: Expression) -> Expression {
        self.binary(Binary::Minimum, other)
    }

    /// Whether both are true.
    pub fn and(self, other: Expression) -> Expression {
        self.binary(Binary::And, other)
    }

    /// e to the power of this value.
    pub fn exponential(self) -> Expression {
        self.unary(Unary::Exponential)
    }

    /// Square root.
    pub fn square_root(self) -> Expression {
        self.unary(Unary::SquareRoot)
    }

    /// The nearest whole number, halves to the even one.
    pub fn round(self) -> Expression {
        self.unary(Unary::Round)
    }

    /// The quotient of integers, rounded down.
    pub fn floor_divide(self, divisor: i64) -> Expression {
        self.binary(Binary::FloorDivide, index(divisor))
    }

    /// The remainder of [`Expression::floor_divide`], which has the sign of the divisor.
    pub fn modulo(self, divisor: i64) -> Expression {
        self.binary(Binary::Modulo, index(divisor))
    }

    /// Restricts an index to `low..=high`, which also proves to the verifier that a load stays inside its tensor.
    pub fn clamp(self, low: i64, high: i64) -> Expression {
        self.maximum(index(low)).minimum(index(high))
    }

    /// Calls `visit` on this expression and everything below it, parents first.
    pub fn walk(&self, visit: &mut dyn FnMut(&Expression)) {
        visit(self);
        match self.kind() {
            ExpressionKind::Axis(_) | ExpressionKind::Accumulator | ExpressionKind::Constant(_) => {}
            ExpressionKind::Load { indices, .. } => indices.iter().for_each(|index| index.walk(visit)),
            ExpressionKind::Unary(_, a) | ExpressionKind::Cast(a) => a.walk(visit),
            ExpressionKind::Binary(_, a, b) | ExpressionKind::Compare(_, a, b) => {
                a.walk(visit);
                b.walk(visit);
            }
            ExpressionKind::Select(a, b, c) => {
                a.walk(visit);
                b.walk(visit);
                c.walk(visit);
            }
        }
    }

    /// Rebuilds the expression, parents first: where `replace` gives an expression, that stands instead of the node and all below it.
    pub fn rewrite(&self, replace: &mut dyn FnMut(&Expression) -> Option<Expression>) -> Expression {
        if let Some(replaced) = replace(self) {
            return replaced;
        }
        match self.kind() {
            ExpressionKind::Axis(_) | ExpressionKind::Accumulator | ExpressionKind::Constant(_) => self.clone(),
            ExpressionKind::Load { tensor, indices } => {
                let indices = indices.iter().map(|index| index.rewrite(replace)).collect();
                load(*tensor, self.element(), indices)
            }
            ExpressionKind::Unary(operation, a) => a.rewrite(replace).unary(*operation),
            ExpressionKind::Cast(a) => a.rewrite(replace).cast(self.element()),
            ExpressionKind::Binary(operation, a, b) => a.rewrite(replace).binary(*operation, b.rewrite(replace)),
            ExpressionKind::Compare(comparison, a, b) => a.rewrite(replace).compare(*comparison, b.rewrite(replace)),
            ExpressionKind::Select(a, b, c) => select(a.rewrite(replace), b.rewrite(replace), c.rewrite(replace)),
        }
    }

    /// The expression with `Axis(d)` replaced by `axes[d]`; axes beyond the list stay.
    pub fn with_axes(&self, axes: &[Expression]) -> Expression {
        self.rewrite(&mut |node| match node.kind() {
            ExpressionKind::Axis(number) => axes.get(*number).cloned(),
            _ => None,
        })
    }
}

/// Index arithmetic stays small: constants fold and neutral operands vanish.
fn simplify(operation: Binary, a: &Expression, b: &Expression) -> Option<Expression> {
    match (operation, a.as_integer(), b.as_integer()) {
        (_, Some(a), Some(b)) => fold(operation, a, b).map(index),
        (Binary::Add, Some(0), _) | (Binary::Multiply, Some(1), _) => Some(b.clone()),
        (Binary::Add | Binary::Subtract, _, Some(0)) => Some(a.clone()),
        (Binary::Multiply | Binary::FloorDivide | Binary::Divide, _, Some(1)) => Some(a.clone()),
        (Binary::Multiply, Some(0), _) | (Binary::Multiply, _, Some(0)) | (Binary::Modulo, _, Some(1)) => {
            Some(index(0))
        }
        _ => None,
    }
}

fn fold(operation: Binary, a: i64, b: i64) -> Option<i64> {
    match operation {
        Binary::Add => a.checked_add(b),
        Binary::Subtract => a.checked_sub(b),
        Binary::Multiply => a.checked_mul(b),
        Binary::Divide => a.checked_div(b),
        Binary::Remainder => a.checked_rem(b),
        Binary::FloorDivide => floor_divide(a, b),
        Binary::Modulo => floor_divide(a, b).and_then(|q| q.checked_mul(b)).and_then(|q| a.checked_sub(q)),
        Binary::Maximum => Some(a.max(b)),
        Binary::Minimum => Some(a.min(b)),
        Binary::Power | Binary::And | Binary::Or | Binary::Xor => None,
    }
}

/// `a / b` rounded down.
pub(crate) fn floor_divide(a: i64, b: i64) -> Option<i64> {
    floor_divide_wide(a.into(), b.into()).and_then(|quotient| i64::try_from(quotient).ok())
}

/// `a / b` rounded down.
pub(crate) fn floor_divide_wide(a: i128, b: i128) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    let exact = quotient.checked_mul(b)? == a;
    Some(if !exact && ((a < 0) != (b < 0)) { quotient - 1 } else { quotient })
}

macro_rules! operator {
    ($trait:ident, $method:ident, $operation:ident) => {
        impl ops::$trait for Expression {
            type Output = Expression;
            fn $method(self, other: Expression) -> Expression {
                self.binary(Binary::$operation, other)
            }
        }
        impl ops::$trait<i64> for Expression {
            type Output = Expression;
            /// The constant takes this expression's element.
            fn $method(self, other: i64) -> Expression {
                let other = constant(self.element(), Scalar::Integer(other.into()));
                self.binary(Binary::$operation, other)
            }
        }
    };
}
operator!(Add, add, Add);
operator!(Sub, sub, Subtract);
operator!(Mul, mul, Multiply);
operator!(Div, div, Divide);

impl ops::Neg for Expression {
    type Output = Expression;
    fn neg(self) -> Expression {
        self.unary(Unary::Negate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_arithmetic_folds() {
        assert_eq!((index(7) * 3 + index(-1)).as_integer(), Some(20));
        assert_eq!(index(-7).floor_divide(2).as_integer(), Some(-4));
        assert_eq!(index(-7).modulo(3).as_integer(), Some(2));
        assert!(matches!((axis(1) * 1 + 0).kind(), ExpressionKind::Axis(1)));
        assert_eq!((axis(0) * index(0)).as_integer(), Some(0));
    }

    #[test]
    fn axes_are_replaced_everywhere() {
        let load = load(GraphTensorId(0), ElementType::F32, vec![axis(0) * 4 + axis(1)]);
        let replaced = (load.clone() + load).with_axes(&[index(2), axis(0)]);
        assert_eq!(format!("{:?}", replaced).matches("Axis(0)").count(), 2);
        assert_eq!(format!("{:?}", replaced).matches("Integer(8)").count(), 2);
    }
}
