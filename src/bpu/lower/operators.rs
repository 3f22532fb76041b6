//! The lowering of each operation. A scalar function becomes a table or a curve of its formula.

mod conv_transpose;
mod elementwise;
mod layout;
mod matrix;
mod rearrange;
mod reduce;
mod resize;
mod window;

use super::builder::Builder;
use super::vector;
use hb_dialects::hfloat::{Op, OpKind, ScalarFunction, StructuredOp};
use hb_dialects::ir::OperationAttributes;
use hb_dialects::registry::ResultScale;
use melior::ir::OperationRef;

/// Adds the nodes of an operation to a segment and defines its result there. The error is the reason why the BPU cannot run it.
pub type Lower = for<'c, 'a> fn(&mut Builder<'c, 'a>, OperationRef<'c, 'a>) -> Result<(), String>;

/// Which engines compute an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engines {
    /// Those of integers: matrices, vectors, pools, layouts.
    Integer,
    /// The float engine.
    Float,
}

/// How an operation that is more than a scalar function is lowered to integers; none where it has no such form.
fn rule(op: StructuredOp) -> Option<Lower> {
    Some(match op {
        StructuredOp::Conv => window::convolution,
        StructuredOp::ConvTranspose => conv_transpose::conv_transpose,
        StructuredOp::MaxPool => window::max_pool,
        StructuredOp::AveragePool => window::average_pool,
        StructuredOp::GlobalAveragePool => window::global_average_pool,
        StructuredOp::Gemm => matrix::gemm,
        StructuredOp::MatMul => matrix::mat_mul,
        StructuredOp::Add => elementwise::add,
        StructuredOp::Mul => elementwise::mul,
        StructuredOp::Sub => elementwise::sub,
        StructuredOp::Div => elementwise::div,
        StructuredOp::Clip => elementwise::clip,
        StructuredOp::Resize => resize::resize,
        StructuredOp::Squeeze
        | StructuredOp::Flatten
        | StructuredOp::Reshape
        | StructuredOp::Unsqueeze
        | StructuredOp::Identity => layout::reshape,
        StructuredOp::Expand => rearrange::expand,
        StructuredOp::Tile => rearrange::tile,
        StructuredOp::DepthToSpace => rearrange::depth_to_space,
        StructuredOp::SpaceToDepth => rearrange::space_to_depth,
        StructuredOp::Max => elementwise::max,
        StructuredOp::Min => elementwise::min,
        StructuredOp::PRelu => elementwise::p_relu,
        StructuredOp::Pow => elementwise::pow,
        StructuredOp::ReduceMax => reduce::maximum,
        StructuredOp::ReduceMean => reduce::mean,
        StructuredOp::ReduceMin => reduce::minimum,
        StructuredOp::ReduceSum => reduce::sum,
        StructuredOp::GlobalMaxPool => reduce::global_maximum,
        StructuredOp::Concat => layout::concat,
        StructuredOp::Slice => layout::slice,
        StructuredOp::Pad => layout::pad,
        StructuredOp::Transpose => layout::transpose,
        StructuredOp::Gather => layout::gather,
        StructuredOp::Constant
        | StructuredOp::ConstantOfShape
        | StructuredOp::Shape
        | StructuredOp::Cast
        | StructuredOp::BatchNormalization
        | StructuredOp::InstanceNormalization
        | StructuredOp::GroupNormalization
        | StructuredOp::LayerNormalization
        | StructuredOp::Lrn
        | StructuredOp::Equal
        | StructuredOp::Greater
        | StructuredOp::GreaterOrEqual
        | StructuredOp::Less
        | StructuredOp::LessOrEqual
        | StructuredOp::And
        | StructuredOp::Or
        | StructuredOp::Xor
        | StructuredOp::Not
        | StructuredOp::Where
        | StructuredOp::Range
        | StructuredOp::ReduceL1
        | StructuredOp::ReduceL2
        | StructuredOp::ReduceLogSum
        | StructuredOp::ReduceLogSumExp
        | StructuredOp::ReduceProd
        | StructuredOp::ReduceSumSquare
        | StructuredOp::ArgMax
        | StructuredOp::ArgMin
        | StructuredOp::BitwiseAnd
        | StructuredOp::BitwiseOr
        | StructuredOp::BitwiseXor
        | StructuredOp::Mod
        | StructuredOp::BitCast
        | StructuredOp::QuantizeLinear
        | StructuredOp::DequantizeLinear
        | StructuredOp::CumSum
        | StructuredOp::CumProd
        | StructuredOp::Det
        | StructuredOp::GatherElements
        | StructuredOp::GatherNd
        | StructuredOp::ScatterElements
        | StructuredOp::ScatterNd
        | StructuredOp::GridSample
        | StructuredOp::Softmax
        | StructuredOp::Split
        | StructuredOp::TopK
        | StructuredOp::NonZero
        | StructuredOp::Unique
        | StructuredOp::RoiAlign
        | StructuredOp::MaxRoiPool
        | StructuredOp::MaxPoolIndices
        | StructuredOp::NonMaxSuppression
        | StructuredOp::Lstm
        | StructuredOp::Gru
        | StructuredOp::Rnn
        | StructuredOp::If
        | StructuredOp::Loop => return None,
    })
}

/// Whether an operation only moves elements, whatever they are.
pub fn moves(operation: OperationRef<'_, '_>) -> bool {
    Op::of(operation).is_some_and(|op| {
        op == Op::Concat || op.quantization().is_some_and(|quantization| quantization.result == ResultScale::LikeInput)
    })
}

/// Whether an operation has a hardware form for some types and attributes. What can be quantized has one on the float engine at least.
pub fn is_lowered(op: Op) -> bool {
    has_rule(op) || op.quantization().is_some()
}

fn has_rule(op: Op) -> bool {
    match op.kind() {
        OpKind::Scalar(_) => true,
        OpKind::Structured(op) => rule(op).is_some(),
    }
}

/// Whether these engines may have a form of an operation.
pub fn is_on(operation: OperationRef<'_, '_>, engines: Engines) -> bool {
    Op::of(operation).is_some_and(|op| match engines {
        Engines::Integer => has_rule(op),
        Engines::Float => op.quantization().is_some(),
    })
}

/// Lowers one operation.
///
/// # Errors
/// The reason why the BPU cannot run it, as a sentence about the operation.
pub fn lower<'c, 'a>(
    builder: &mut Builder<'c, 'a>,
    operation: OperationRef<'c, 'a>,
    engines: Engines,
) -> Result<(), String> {
    let none = || match Op::of(operation) {
        Some(op) if op.onnx().first_output > 0 => {
            let output = op.definition().results.first().map_or("output", |result| result.name);
            format!("{} has no form on the BPU for its {output}.", op.onnx().name)
        }
        Some(op) => format!("{} has no form on the BPU.", op.onnx().name),
        None => format!("'{}' has no form on the BPU.", operation.operation_name()),
    };
    if !is_on(operation, engines) {
        return Err(none());
    }
    builder.begin(operation);
    if engines == Engines::Float {
        return vector::lower(builder, operation);
    }
    match Op::of(operation).ok_or_else(none)?.kind() {
        // Zero and what is above: a clamp, for nothing behind most operations.
        OpKind::Scalar(ScalarFunction::Relu) => elementwise::relu(builder, operation),
        OpKind::Scalar(_) => elementwise::scalar(builder, operation),
        OpKind::Structured(op) => rule(op).ok_or_else(none)?(builder, operation),
    }
}
