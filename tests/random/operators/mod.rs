//! How a node of each operator is drawn. An operator of a known family of shapes joins by its record alone; a new family needs a row
//! in [`draft`], or the sentence there that says why it has none.

mod elementwise;
mod layout;
mod matrix;
mod statistics;
mod window;

use super::network::{Generator, Known};
use hb::frontend::onnx::model::Attribute;
use hb_dialects::hfloat::{Composite, Op, ShapeRule};
use hb_dialects::registry::{DefaultValue, OnnxForm, OnnxKind, OnnxOperator};

/// A node without names.
#[derive(Default)]
pub struct Draft {
    /// Empty: left out.
    pub inputs: Vec<String>,
    pub attributes: Vec<(String, Attribute)>,
    pub outputs: usize,
}

type Family = fn(&mut Generator, &'static OnnxOperator) -> Option<Draft>;

/// The family of an operator.
fn family(operator: &OnnxOperator) -> Family {
    match operator.form {
        OnnxForm::Op(Op::CumSum | Op::CumProd) => statistics::cum_sum,
        OnnxForm::Op(op) => match op.shape_rule() {
            ShapeRule::BatchNormalization => statistics::batch_normalization,
            ShapeRule::Broadcast | ShapeRule::Comparison => elementwise::broadcast,
            ShapeRule::Cast => elementwise::cast,
            ShapeRule::Clip => elementwise::clip,
            ShapeRule::Concat => layout::concat,
            ShapeRule::Constant => layout::constant,
            ShapeRule::ConstantOfShape => layout::constant_of_shape,
            ShapeRule::Conv => window::conv,
            ShapeRule::ConvTranspose => window::conv_transpose,
            ShapeRule::DepthToSpace => layout::depth_to_space,
            ShapeRule::Expand => layout::expand,
            ShapeRule::Flatten => layout::flatten,
            ShapeRule::Gather => layout::gather,
            ShapeRule::Gemm => matrix::gemm,
            ShapeRule::GlobalPool => window::global_pool,
            ShapeRule::GroupNormalization => statistics::group_normalization,
            ShapeRule::Identity | ShapeRule::Unary => elementwise::unary,
            ShapeRule::BitCast
            | ShapeRule::DequantizeLinear
            | ShapeRule::Det
            | ShapeRule::GatherElements
            | ShapeRule::GatherNd
            | ShapeRule::GridSample
            | ShapeRule::If
            | ShapeRule::Integers
            | ShapeRule::Loop
            | ShapeRule::Recurrent
            | ShapeRule::MaxRoiPool
            | ShapeRule::NonMaxSuppression
            | ShapeRule::NonZero
            | ShapeRule::QuantizeLinear
            | ShapeRule::RoiAlign
            | ShapeRule::ScatterElements
            | ShapeRule::ScatterNd
            | ShapeRule::Unique => |_, _| None,
            ShapeRule::InstanceNormalization => statistics::instance_normalization,
            ShapeRule::LayerNormalization => statistics::layer_normalization,
            ShapeRule::Lrn => statistics::lrn,
            ShapeRule::MatMul => matrix::mat_mul,
            ShapeRule::PRelu => elementwise::p_relu,
            ShapeRule::Pad => layout::pad,
            ShapeRule::Pool => window::pool,
            ShapeRule::PoolIndices => window::pool_indices,
            ShapeRule::PositionOfExtreme => statistics::position_of_extreme,
            ShapeRule::Pow => elementwise::pow,
            ShapeRule::Range => layout::range,
            ShapeRule::Reduce => statistics::reduce,
            ShapeRule::Reshape => layout::reshape,
            ShapeRule::Resize => window::resize,
            ShapeRule::Shape => layout::shape,
            ShapeRule::Slice => layout::slice,
            ShapeRule::Softmax => statistics::softmax,
            ShapeRule::SpaceToDepth => layout::space_to_depth,
            ShapeRule::Split => layout::split,
            ShapeRule::Squeeze => layout::squeeze,
            ShapeRule::Tile => layout::tile,
            ShapeRule::TopK => statistics::top_k,
            ShapeRule::Transpose => layout::transpose,
            ShapeRule::Unsqueeze => layout::unsqueeze,
            ShapeRule::Where => elementwise::r#where,
        },
        OnnxForm::Composite(composite) => match composite {
            Composite::Dropout => elementwise::dropout,
            Composite::Mean | Composite::Sum => elementwise::broadcast,
            Composite::Upsample => window::upsample,
            _ => |_, _| None,
        },
    }
}

/// Why an operator is not drawn; `None` for one that is.
pub fn left_out(operator: &OnnxOperator) -> Option<&'static str> {
    let op = match operator.form {
        OnnxForm::Op(op) => op,
        OnnxForm::Composite(Composite::Dropout | Composite::Mean | Composite::Sum | Composite::Upsample) => {
            return None;
        }
        OnnxForm::Composite(_) => return Some("it is made of operators that are drawn: make conformance"),
    };
    if op == Op::CumProd {
        return Some("the networks are of opset 24 and older: recorded cases");
    }
    match op.shape_rule() {
        ShapeRule::If | ShapeRule::Loop => {
            Some("the generator has no graphs inside of nodes: tests/end_to_end/control.rs")
        }
        ShapeRule::Recurrent => {
            Some("its weights must be those of one cell: recorded cases, tests/end_to_end/control.rs")
        }
        ShapeRule::BitCast
        | ShapeRule::Det
        | ShapeRule::GatherElements
        | ShapeRule::GatherNd
        | ShapeRule::GridSample
        | ShapeRule::Integers
        | ShapeRule::RoiAlign
        | ShapeRule::ScatterElements
        | ShapeRule::ScatterNd
        | ShapeRule::Unique => Some("its operands must fit its data: recorded cases, make conformance"),
        ShapeRule::QuantizeLinear | ShapeRule::DequantizeLinear => {
            Some("the networks are those before quantization: recorded cases, tests/quantized_networks.rs")
        }
        ShapeRule::MaxRoiPool => Some("its regions must lie in its input: recorded cases"),
        ShapeRule::NonMaxSuppression | ShapeRule::NonZero => {
            Some("the generator has no sizes that are known only when running: tests/end_to_end/control.rs")
        }
        _ => None,
    }
}

/// Operands and attributes of a node; `None` where the network has nothing that fits.
pub fn draft(generator: &mut Generator, operator: &'static OnnxOperator) -> Option<Draft> {
    let mut draft = family(operator)(generator, operator)?;
    draft.outputs = draft.outputs.max(1);
    // Those attributes that mean the same whatever the shapes are.
    let opset = generator.opset;
    for attribute in operator.attributes.iter().filter(|attribute| attribute.applies(opset)) {
        let drawn = draft.attributes.iter().any(|(name, _)| name == attribute.name);
        if drawn || !(attribute.required || generator.chance(60)) {
            continue;
        }
        let value = match (attribute.kind, attribute.default) {
            (OnnxKind::Flag, Some(DefaultValue::Flag(_))) => Attribute::Int(generator.rng.bool().into()),
            (OnnxKind::Choice(words), Some(DefaultValue::Choice(_))) => word(generator.rng.choice(words)?),
            (OnnxKind::Float, Some(DefaultValue::Float(default))) => Attribute::Float(real_around(generator, default)),
            _ => continue,
        };
        draft.set(attribute.name, value);
    }
    Some(draft)
}

/// A number of the magnitude of a default: that of an epsilon stays one.
fn real_around(generator: &mut Generator, default: f32) -> f32 {
    if default != 0.0 && default.abs() < 1e-2 {
        return default * 10f32.powf(generator.rng.f32() * 3.0 - 1.0);
    }
    match generator.rng.u8(0..6) {
        0 => -default,
        1 => 0.0,
        _ => generator.real(0.0, 2.0 * default.abs().max(0.5)),
    }
}

fn word(word: &str) -> Attribute {
    Attribute::String(word.as_bytes().to_vec())
}

impl Draft {
    fn of(inputs: &[&str]) -> Self {
        Self { inputs: inputs.iter().map(|name| (*name).to_owned()).collect(), ..Self::default() }
    }

    fn set(&mut self, name: &str, value: Attribute) {
        self.attributes.retain(|(known, _)| known != name);
        self.attributes.push((name.to_owned(), value));
    }

    /// Puts an input at its place; those before it that are missing are left out.
    fn put(&mut self, index: usize, name: String) {
        if self.inputs.len() <= index {
            self.inputs.resize(index + 1, String::new());
        }
        self.inputs[index] = name;
    }

    /// Integers that are an attribute in old versions and an input in new ones.
    fn ints(&mut self, generator: &mut Generator, operator: &OnnxOperator, name: &str, index: usize, values: &[i64]) {
        if operator.attribute_at(name, generator.opset).is_some() {
            self.set(name, Attribute::Ints(values.to_vec()));
        } else {
            let constant = generator.integers(values);
            self.put(index, constant);
        }
    }
}

/// A float of these ranks, or a new input.
fn of_rank(generator: &mut Generator, ranks: std::ops::RangeInclusive<usize>) -> Option<Known> {
    let rank = generator.rng.usize(ranks.clone());
    let shape = generator.shape(rank);
    generator.float(|shape| ranks.contains(&shape.len()), &shape)
}
