//! MaxUnpool: elements go to the places that a pool took them from.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::compose::{Composer, Made};
use hb_dialects::ElementType;
use hb_dialects::hfloat::Op;
use hb_dialects::ir::{TensorType, defining_operation};
use melior::ir::{OperationRef, ValueLike, operation::OperationLike};

/// Puts each element to the place that a pool took it from (decision 0079).
pub(super) fn compose_max_unpool(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let (x, indices) = (c.input(0)?, c.input(1)?);
    let sizes = c.shape(&x)?;
    let natural = unpooled_shape(&c, &sizes)?;
    let output = match c.optional(2) {
        Some(shape) => c.sizes(&shape, "output_shape")?,
        None => natural.clone(),
    };
    // Samples and channels are those of the input.
    if output.len() != natural.len() || output.iter().any(|size| *size < 1) || output.get(..2) != natural.get(..2) {
        return Err(c.fault(format!("has an output_shape of {output:?} for an input of the shape {sizes:?}")));
    }
    let counts = c.shape(&indices)?;
    if counts != sizes {
        return Err(c.fault(format!(
            "has an input of the shape {sizes:?} and indices of the shape {counts:?}; each element has one"
        )));
    }
    let maker = IndexMaker::of(&c, &indices);
    let counted = counted_shape(&c, &maker, natural, &output)?;
    let filled = fill(&mut c, &x, &counted)?;
    let (mut indices, values) = (c.reshape(&indices, &[-1])?, c.reshape(&x, &[-1])?);
    if !matches!(maker, IndexMaker::Pool(_)) {
        indices = without_negative(&mut c, &indices, &filled)?;
    }
    let scattered = c.make_with("ScatterElements", &[&filled, &indices, &values], vec![("axis", Attribute::Int(0))])?;
    let scattered = c.reshape(&scattered, &counted)?;
    if output == counted {
        return c.give(&[&scattered]);
    }
    let missing: Vec<i64> = output.iter().zip(&counted).map(|(wanted, size)| wanted - size).collect();
    let pads = c.vector(&[vec![0; missing.len()], missing].concat())?;
    let (zero, axes) = (c.like(&x, 0.0)?, c.vector(&(0..output.len() as i64).collect::<Vec<_>>())?);
    let result = c.make("Pad", &[&scattered, &pads, &zero, &axes])?;
    c.give(&[&result])
}

/// What the indices come from.
enum IndexMaker {
    /// A pool with an input of this shape, which may be unknown.
    Pool(Option<Vec<i64>>),
    /// The user: an input of the network, or a constant.
    User,
    /// An operator that may have changed them, or a region.
    Other(String),
}

impl IndexMaker {
    fn of(c: &Composer, indices: &str) -> Self {
        let Some(mut value) = c.value(indices) else { return Self::User };
        while let Some(operation) = defining_operation(value) {
            let op = Op::of(operation);
            match (op, operation.operand(0)) {
                (Some(Op::MaxPoolIndices), _) => return Self::Pool(shape_of_operand(operation)),
                (Some(Op::Constant), _) => return Self::User,
                // As many elements in the same order.
                (Some(Op::Identity | Op::Reshape | Op::Squeeze | Op::Unsqueeze | Op::Flatten), Ok(operand)) => {
                    value = operand;
                }
                (Some(Op::Cast), Ok(operand)) if holds_indices(operation) => value = operand,
                _ => return Self::Other(op.map_or("a graph", |op| op.onnx().name).to_owned()),
            }
        }
        if c.is_input(value) { Self::User } else { Self::Other("what a Loop or Scan hands to its graph".to_owned()) }
    }
}

/// Whether a cast keeps every index, of up to 2^31 elements.
fn holds_indices(cast: OperationRef<'_, '_>) -> bool {
    let r#type = cast.result(0).ok().and_then(|result| TensorType::from_type(result.r#type()).ok());
    let element = r#type.and_then(|r#type| r#type.element.plain());
    matches!(element, Some(ElementType::I32 | ElementType::I64))
}

fn shape_of_operand(operation: OperationRef<'_, '_>) -> Option<Vec<i64>> {
    let shape = TensorType::from_type(operation.operand(0).ok()?.r#type()).ok()?.static_shape().ok()?;
    shape.into_iter().map(|size| i64::try_from(size).ok()).collect()
}

/// The shape through which indices count.
fn counted_shape(c: &Composer, maker: &IndexMaker, natural: Vec<i64>, output: &[i64]) -> Result<Vec<i64>, OnnxError> {
    if output == natural {
        return Ok(natural);
    }
    match maker {
        IndexMaker::Pool(Some(input)) if input == output => Ok(input.clone()),
        IndexMaker::Pool(input) => {
            let input = input.as_ref().map_or("unknown".to_owned(), |input| format!("{input:?}"));
            Err(c.fault(format!(
                "has indices that count through the input of the MaxPool that gives them, of shape {input}, but an output_shape of \
                 {output:?}; give it the shape of that input"
            )))
        }
        IndexMaker::User if output.iter().zip(&natural).all(|(wanted, size)| wanted >= size) => Ok(natural),
        IndexMaker::User => Err(c.fault(format!(
            "has an output_shape of {output:?}, smaller than the {natural:?} that its windows cover and its indices count through; make it \
             as large"
        ))),
        IndexMaker::Other(what) => Err(c.fault(format!(
            "has an output_shape of {output:?} and indices from {what}, of which nothing says through which shape they count; read \
             them from the MaxPool itself"
        ))),
    }
}

/// The indices, where negative ones, which a scatter would count from the end, lie behind it and so are an error.
fn without_negative(c: &mut Composer, indices: &str, filled: &str) -> Made {
    let indices = c.cast(indices, ElementType::I64)?;
    let (zero, count) = (c.scalar(ElementType::I64, 0.0)?, c.size(filled, 0)?);
    let is_negative = c.make("Less", &[&indices, &zero])?;
    c.make("Where", &[&is_negative, &count, &indices])
}

/// As many zeros as a shape has elements.
fn fill(c: &mut Composer, like: &str, shape: &[i64]) -> Made {
    let count = shape.iter().try_fold(1i64, |count, size| count.checked_mul(*size));
    let count = count.ok_or_else(|| c.fault(format!("has a result of the shape {shape:?}")))?;
    let (zero, count) = (c.like(like, 0.0)?, c.vector(&[count])?);
    c.make("Expand", &[&zero, &count])
}

/// (size - 1) * stride + kernel - pads.
fn unpooled_shape(c: &Composer, sizes: &[i64]) -> Result<Vec<i64>, OnnxError> {
    let kernel = c.ints("kernel_shape").unwrap_or_default();
    let spatial = kernel.len();
    let strides = c.ints("strides").unwrap_or_else(|| vec![1; spatial]);
    let pads = c.ints("pads").unwrap_or_else(|| vec![0; 2 * spatial]);
    if spatial + 2 != sizes.len() || strides.len() != spatial || pads.len() != 2 * spatial {
        return Err(c.fault("has a kernel, strides or pads that do not fit the rank of its input"));
    }
    let mut shape: Vec<i64> = sizes.iter().take(2).copied().collect();
    for (d, size) in sizes.iter().skip(2).enumerate() {
        let at = |values: &[i64], place: usize| values.get(place).copied().unwrap_or(0);
        let whole = (size - 1).checked_mul(at(&strides, d)).and_then(|steps| steps.checked_add(at(&kernel, d)));
        let pads = at(&pads, d).checked_add(at(&pads, spatial + d));
        let size = whole.zip(pads).and_then(|(whole, pads)| whole.checked_sub(pads)).filter(|size| *size > 0);
        shape.push(size.ok_or_else(|| c.fault(format!("has no result in dimension {}", d + 2)))?);
    }
    Ok(shape)
}
