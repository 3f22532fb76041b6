//! Sizes that a network holds as constants and that do not follow when its inputs get other shapes than the file says.
//!
//! A node computes with such a size without any complaint where it happens to fit: a reshape to `[1, -1]` puts two samples into one row. So the
//! types of the network with the file's shapes are compared with those of the same network with the new ones.

use hb_dialects::{
    hfloat::{Op, ShapeRule},
    ir::{self, IrError, OperationAttributes, TensorType},
};
use melior::ir::{OperationRef, ValueLike, operation::OperationLike};
use std::collections::HashMap;
use std::fmt;

/// A node whose constant sizes are those of the file's shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrozenSize {
    /// Its name.
    pub node: String,
    /// Its operator, as ONNX calls it.
    pub operator: &'static str,
    /// The dimension of its input that has another size now.
    pub dimension: usize,
    /// The size with the file's shapes, and now.
    pub sizes: (usize, usize),
    /// The shape of its result with the file's shapes, and now.
    pub results: (Vec<usize>, Vec<usize>),
}

impl fmt::Display for FrozenSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = |sizes: &[usize]| sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
        let Self { node, operator, dimension, sizes: (before, after), results: (old, new) } = self;
        write!(
            f,
            "node '{node}' ({operator}): dimension {dimension} of its input is {after} in place of {before}, but sizes that are constant in \
             the model do not follow: its result "
        )?;
        match old == new {
            true => write!(f, "stays {}", shape(new)),
            false => write!(f, "is {}, with the shapes of the file {}", shape(new), shape(old)),
        }
    }
}

/// The nodes of `after` whose constant sizes do not follow a change of shapes, in their order. `before` is the same network with the shapes of
/// its file; types of both are inferred.
///
/// # Errors
/// When a type or constant is not what the verifier lets through.
pub fn frozen_sizes(before: OperationRef<'_, '_>, after: OperationRef<'_, '_>) -> Result<Vec<FrozenSize>, IrError> {
    let operations = |function| ir::body(function).map(ir::operations).unwrap_or_default();
    let old: HashMap<String, OperationRef<'_, '_>> =
        operations(before).into_iter().map(|operation| (operation.node(), operation)).collect();
    let mut found = Vec::new();
    for operation in operations(after) {
        let same = old.get(&operation.node()).filter(|old| Op::of(**old) == Op::of(operation));
        if let (Some(op), Some(old)) = (Op::of(operation), same)
            && let Some(shapes) = Shapes::of(*old, operation)?
            && let Some(dimension) = frozen_dimension(op.shape_rule(), &shapes, operation)?
        {
            found.push(shapes.frozen(operation.node(), op.onnx().name, dimension));
        }
    }
    Ok(found)
}

/// The shapes of the first operand and of the result of an operation, with the file's shapes and now.
struct Shapes {
    input: (Vec<usize>, Vec<usize>),
    result: (Vec<usize>, Vec<usize>),
}

impl Shapes {
    /// None where there is not one of each, or a rank or a size depends on what the network is run with.
    fn of(before: OperationRef<'_, '_>, after: OperationRef<'_, '_>) -> Result<Option<Self>, IrError> {
        let (Some(old), Some(new)) = (ends(before)?, ends(after)?) else { return Ok(None) };
        let is_comparable = old.0.len() == new.0.len() && old.1.len() == new.1.len();
        Ok(is_comparable.then_some(Self { input: (old.0, new.0), result: (old.1, new.1) }))
    }

    /// The dimensions of the input with another size now.
    fn changed(&self) -> impl Iterator<Item = usize> {
        let (old, new) = &self.input;
        old.iter().zip(new).enumerate().filter(|(_, (old, new))| old != new).map(|(dimension, _)| dimension)
    }

    /// Whether a dimension of the result has the size that it had.
    fn stays(&self, dimension: usize) -> bool {
        self.result.0.get(dimension) == self.result.1.get(dimension)
    }

    fn frozen(&self, node: String, operator: &'static str, dimension: usize) -> FrozenSize {
        let size = |sizes: &[usize]| sizes.get(dimension).copied().unwrap_or_default();
        let sizes = (size(&self.input.0), size(&self.input.1));
        FrozenSize { node, operator, dimension, sizes, results: self.result.clone() }
    }
}

/// The shapes of an operand and of a result.
type Ends = (Vec<usize>, Vec<usize>);

/// The static shapes of the first operand and the only result.
fn ends(operation: OperationRef<'_, '_>) -> Result<Option<Ends>, IrError> {
    let (Some(operand), &[result]) = (operation.operands().next(), ir::results(operation).as_slice()) else {
        return Ok(None);
    };
    let (operand, result) = (TensorType::from_type(operand.r#type())?, TensorType::from_type(result.r#type())?);
    Ok(operand.static_shape().ok().zip(result.static_shape().ok()))
}

/// The first dimension of the input that has another size now and that the operation's sizes do not follow.
fn frozen_dimension(
    rule: ShapeRule,
    shapes: &Shapes,
    operation: OperationRef<'_, '_>,
) -> Result<Option<usize>, IrError> {
    Ok(match rule {
        ShapeRule::Reshape => shapes.changed().find(|dimension| !is_followed(shapes, *dimension)),
        ShapeRule::Resize => shapes.changed().find(|dimension| shapes.stays(*dimension)),
        ShapeRule::Slice => {
            let ends = slice_ends(operation, shapes.input.0.len())?;
            // Up to what was the end. What begins and ends inside of the old sizes may be meant as it is.
            let is_end = |dimension: usize| ends.get(&dimension).copied() == shapes.input.0.get(dimension).copied();
            shapes.changed().find(|dimension| shapes.stays(*dimension) && is_end(*dimension))
        }
        _ => None,
    })
}

/// The ends of a slice that count from the front, by their dimension.
fn slice_ends(operation: OperationRef<'_, '_>, rank: usize) -> Result<HashMap<usize, usize>, IrError> {
    let integers = |index: usize| -> Result<Vec<i64>, IrError> {
        ir::constant_of(operation.operand_at(index)?).map_or_else(|| Ok(Vec::new()), |constant| constant.to_i64s())
    };
    let (ends, axes) = (integers(2)?, integers(3)?);
    let pair = |(end, axis): (&i64, &i64)| {
        let axis = hb_dialects::hfloat::normalize_axis(*axis, rank).ok()?;
        Some((axis, usize::try_from(*end).ok()?))
    };
    Ok(ends.iter().zip(&axes).filter_map(pair).collect())
}

/// Whether a reshape gives a dimension of another size the room that it needs where its elements are.
///
/// With the file's shapes, elements of a dimension of the input lie between two products of sizes from the left; so do those of a dimension of
/// the result. The one that grows must enclose the other, and must not be another one where the dimension itself stands in the result.
fn is_followed(shapes: &Shapes, dimension: usize) -> bool {
    let (inputs, results) = (spans(&shapes.input.0), spans(&shapes.result.0));
    let Some(own) = inputs.get(dimension) else { return true };
    // Dimensions of size 1 have all the same span: the first stands for the first.
    let equal_before = inputs.iter().take(dimension).filter(|other| *other == own).count();
    let itself = (0..results.len()).filter(|index| results.get(*index) == Some(own)).nth(equal_before);
    if let Some(itself) = itself {
        return !shapes.stays(itself);
    }
    let encloses = |span: &(u128, u128)| span.0 <= own.0 && own.1 <= span.1;
    (0..results.len()).any(|index| !shapes.stays(index) && results.get(index).is_some_and(encloses))
}

/// For each dimension the product of the sizes before it, and of those up to it.
fn spans(shape: &[usize]) -> Vec<(u128, u128)> {
    let mut before = 1u128;
    let span = |size: &usize| {
        let start = before;
        before = before.saturating_mul(*size as u128);
        (start, before)
    };
    shape.iter().map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a reshape follows where the input grows from one shape to another.
    fn followed(input: (&[usize], &[usize]), result: (&[usize], &[usize])) -> bool {
        let pair = |(old, new): (&[usize], &[usize])| (old.to_vec(), new.to_vec());
        let shapes = Shapes { input: pair(input), result: pair(result) };
        shapes.changed().all(|dimension| is_followed(&shapes, dimension))
    }

    #[test]
    fn reshapes_of_a_batch() {
        let batch: (&[usize], &[usize]) = (&[1, 3, 8, 8], &[2, 3, 8, 8]);
        // [0, -1], [-1, 192], [-1, 3, 64], [-1]
        assert!(followed(batch, (&[1, 192], &[2, 192])));
        assert!(followed(batch, (&[1, 3, 64], &[2, 3, 64])));
        assert!(followed(batch, (&[192], &[384])));
        // [1, -1], [1, 3, -1], [3, -1], [-1, 3, 1, 64] and with the 1 of the batch elsewhere
        assert!(!followed(batch, (&[1, 192], &[1, 384])));
        assert!(!followed(batch, (&[1, 3, 64], &[1, 3, 128])));
        assert!(!followed(batch, (&[3, 64], &[3, 128])));
        assert!(followed(batch, (&[1, 3, 1, 64], &[2, 3, 1, 64])));
        assert!(!followed(batch, (&[1, 1, 192], &[1, 2, 192])));
    }

    #[test]
    fn reshapes_of_larger_images() {
        let larger: (&[usize], &[usize]) = (&[1, 3, 8, 8], &[1, 3, 16, 16]);
        // [1, -1], [1, 3, -1] and [1, 1, 3, -1]: all of an image, and each map, is longer.
        assert!(followed(larger, (&[1, 192], &[1, 768])));
        assert!(followed(larger, (&[1, 3, 64], &[1, 3, 256])));
        assert!(followed(larger, (&[1, 1, 3, 64], &[1, 1, 3, 256])));
        // [1, -1, 64]: there were 3 maps. [1, 3, 8, -1]: there were 8 rows.
        assert!(!followed(larger, (&[1, 3, 64], &[1, 12, 64])));
        assert!(!followed(larger, (&[1, 3, 8, 8], &[1, 3, 8, 32])));
    }

    #[test]
    fn reshapes_of_sequences() {
        // Heads of an attention over more tokens: [1, -1, 2, 4]; and [1, 5, -1], which keeps the 5 tokens.
        let longer: (&[usize], &[usize]) = (&[1, 5, 8], &[1, 7, 8]);
        assert!(followed(longer, (&[1, 5, 2, 4], &[1, 7, 2, 4])));
        assert!(followed(longer, (&[5, 8], &[7, 8])));
        let other: (&[usize], &[usize]) = (&[1, 5, 8], &[1, 10, 8]);
        assert!(!followed(other, (&[1, 5, 8], &[1, 5, 16])));
    }
}
