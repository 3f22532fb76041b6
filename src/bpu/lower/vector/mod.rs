//! The form of operations that the integer engines have none of: a program of the float engine, derived from what the CPU backend says that the
//! operation computes. It has one where that is maps of elements and reductions along the same axes.

mod axes;
mod steps;

use super::builder::{Builder, ValueForm, shape_in};
use super::placement::{Placement, placement_of};
use super::values::{Output, QuantizedConstant, QuantizedOperand, QuantizedValue, permuted};
use crate::bpu::constraints::Known;
use crate::bpu::model::TensorId;
use crate::cpu;
use axes::{Dims, Frame};
use hb_dialects::{
    ElementType,
    hfloat::Op,
    ir::{self, Constant, OperationAttributes, Scale, TensorType, constant_of},
    quant,
    registry::ResultScale,
};
use melior::ir::{OperationRef, Value, ValueLike};
use steps::{Derived, ProgramOperand};

/// Adds the node of a program to a segment and defines its result there.
///
/// # Errors
/// Why the operation is no program of the float engine, or not with these types.
pub fn lower<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    if Op::Cast.is(operation) {
        check_cast(operation)?;
    }
    let graph = cpu::operation_graph(operation, |index| small_constant(operation, index));
    let graph = graph.map_err(|error| error.to_string())?;
    let Derived { frame, program, operands, result } = Derived::of(&graph)?;
    let output = builder.output(operation)?;
    if matches!(output, Output::Exact { .. }) && !takes_floats(operation) {
        return Err("its result is not quantized".into());
    }
    // How the elements of each operand follow one another in memory.
    let mut places = Vec::with_capacity(operands.len());
    for (operand, dims) in operands {
        places.push(match operand {
            ProgramOperand::Of(index) => Place::of(builder, operation, index, dims)?,
            ProgramOperand::Positions => Place::positions(builder, &frame, dims.concat()),
        });
    }
    let order = order(builder, &frame, &places);
    let groups = groups(&frame, &order, places.iter().map(|place| place.order(builder)).chain([result.clone()]));
    let layout = Layout { frame: &frame, groups: &groups };
    let mut ids = Vec::with_capacity(places.len());
    for place in &places {
        ids.push(place.tensor(builder, &layout)?);
    }
    let along: Vec<usize> = (0..groups.len()).filter(|group| layout.is_reduced(*group)).collect();
    let shape: Vec<usize> =
        (0..groups.len()).map(|group| if layout.covers(&result, group) { layout.size(group) } else { 1 }).collect();
    let id = builder.vector(along, program, &ids, shape, &output);
    define(builder, &layout, &result, output, id)
}

/// A cast is worth a program only between operations of the BPU: elsewhere it would be one more way there or back.
fn check_cast(operation: OperationRef<'_, '_>) -> Result<(), String> {
    let operand = operation.operand_at(0).map_err(|error| error.to_string())?;
    let maker = ir::defining_operation(operand);
    // Of what casts give, the operation before them makes the integers.
    if !maker.is_some_and(|maker| quant::Op::is_cast(maker) || placement_of(maker) == Some(Placement::Bpu)) {
        return Err("what it casts is not computed on the BPU".into());
    }
    // By what the record says alone: where readers run is decided later.
    let reads = |reader: OperationRef<'_, '_>| {
        quant::Op::is_cast(reader) || Op::of(reader).is_some_and(|op| op.quantization().is_some())
    };
    match ir::results(operation).into_iter().flat_map(ir::users).any(reads) {
        true => Ok(()),
        false => Err("what it gives is not read on the BPU".into()),
    }
}

/// An operand that shapes what is computed: a constant that is no tensor of numbers, or one number.
fn small_constant(operation: OperationRef<'_, '_>, index: usize) -> Option<cpu::Array> {
    let constant = constant_of(operation.operand_at(index).ok()?)?;
    let is_tensor = matches!(constant.r#type.element.storage(), ElementType::F32 | ElementType::Bool);
    if is_tensor && constant.r#type.elements() != Some(1) {
        return None;
    }
    cpu::array_of(&constant).ok()
}

/// Where an operand is.
enum Place<'c, 'a> {
    /// An activation, with the dimensions of the frame that it has in order.
    Value(QuantizedValue<'c, 'a>, Vec<Dims>),
    /// Integers of a constant.
    Integers(QuantizedConstant, Dims),
    /// A value that is no integers.
    Float(Value<'c, 'a>, Dims),
    /// A constant that stays as it is.
    Reals(Option<Vec<f32>>, Dims),
}

impl<'c, 'a> Place<'c, 'a> {
    fn of(
        builder: &Builder<'c, 'a>,
        operation: OperationRef<'c, 'a>,
        index: usize,
        dims: Vec<Dims>,
    ) -> Result<Self, String> {
        let constant = operation.operand_at(index).ok().and_then(constant_of);
        match builder.operand(operation, index) {
            Ok(QuantizedOperand::Value(value)) => Ok(Place::Value(value, dims)),
            Ok(QuantizedOperand::Constant(constant)) => Ok(Place::Integers(constant, dims.concat())),
            Err(reason) => match constant {
                Some(constant) => Ok(Place::Reals(reals(&constant, builder.known)?, dims.concat())),
                None => match float_value(operation, index).filter(|_| takes_floats(operation)) {
                    Some(value) => Ok(Place::Float(value, dims.concat())),
                    None => Err(reason),
                },
            },
        }
    }

    /// The position of each element along these dimensions.
    fn positions(builder: &Builder<'c, 'a>, frame: &Frame, dims: Dims) -> Self {
        let count: usize = dims.iter().map(|dim| frame.sizes[*dim]).product();
        let values = (builder.known == Known::Values).then(|| (0..count).map(|position| position as f32).collect());
        Place::Reals(values, dims)
    }

    /// The dimensions of the frame that it has, in the order of its elements.
    fn order(&self, builder: &Builder<'c, 'a>) -> Dims {
        match self {
            Place::Value(value, dims) if is_last(builder, value) => channels_last(dims),
            Place::Value(_, dims) => dims.concat(),
            Place::Float(_, dims) | Place::Integers(_, dims) | Place::Reals(_, dims) => dims.clone(),
        }
    }

    /// The operand in the order and with the dimensions of the frame.
    fn tensor(&self, builder: &mut Builder<'c, 'a>, layout: &Layout<'_>) -> Result<TensorId, String> {
        let own = self.order(builder);
        let sizes: Vec<usize> = own.iter().map(|dim| layout.frame.sizes[*dim]).collect();
        let permutation = layout.permutation(&own);
        let shape = layout.shape(&own);
        match self {
            Place::Value(value, _) => {
                let form = if is_last(builder, value) { ValueForm::ChannelsLast } else { ValueForm::Network };
                let id = builder.tensor(value, form)?;
                Ok(moved(builder, id, &sizes, &permutation, &shape))
            }
            Place::Float(value, _) => {
                let id = builder.float_operand(*value)?;
                Ok(moved(builder, id, &sizes, &permutation, &shape))
            }
            Place::Integers(constant, _) => {
                let Scale::PerTensor(_) = constant.scale else {
                    return Err("a constant has more than one scale".into());
                };
                let split = QuantizedConstant { shape: sizes, ..constant.clone() };
                let moved = QuantizedConstant { shape, ..split.transposed(&permutation) };
                Ok(builder.constant("constant", &moved))
            }
            Place::Reals(values, _) => {
                let moved = values.as_ref().map(|values| permuted(values, &sizes, &permutation));
                Ok(builder.real_constant("constant", shape, moved))
            }
        }
    }
}

/// A tensor in another order of its dimensions, under another shape.
fn moved(
    builder: &mut Builder<'_, '_>,
    id: TensorId,
    sizes: &[usize],
    permutation: &[usize],
    shape: &[usize],
) -> TensorId {
    let scale = builder.scale(id);
    let mut id = id;
    if !permutation.is_sorted() {
        id = builder.reshape(id, sizes, &scale);
        id = builder.transpose(id, permutation, &scale);
    }
    builder.reshape(id, shape, &scale)
}

/// Whether an operation is one that takes and gives f32 where nothing is quantized. Others are quantized or not on the BPU.
fn takes_floats(operation: OperationRef<'_, '_>) -> bool {
    let quantization = Op::of(operation).and_then(Op::quantization);
    quantization.is_some_and(|quantization| quantization.result == ResultScale::OwnOrFloat)
}

/// The operand, where it is f32 that no cast gives, or what the float engine gives as f32: truth values and integers. Truth values of the CPU
/// are worth their way only where they choose between numbers; its integers need not be numbers of f32.
fn float_value<'c, 'a>(operation: OperationRef<'c, 'a>, index: usize) -> Option<Value<'c, 'a>> {
    let value = operation.operand_at(index).ok()?;
    let maker = ir::defining_operation(value);
    let is_cast = maker.is_some_and(quant::Op::is_cast);
    let is_made_here = || maker.is_some_and(is_on_float_engine);
    let is_real = |value: Value<'_, '_>| {
        TensorType::from_type(value.r#type()).is_ok_and(|r#type| r#type.element == ElementType::F32)
    };
    let chooses = || Op::Where.is(operation) && ir::results(operation).into_iter().all(is_real);
    let has_form = match TensorType::from_type(value.r#type()).ok()?.element.plain()? {
        ElementType::F32 => true,
        ElementType::Bool => is_made_here() || chooses(),
        ElementType::I32 | ElementType::I64 => is_made_here(),
        _ => false,
    };
    (!is_cast && has_form).then_some(value)
}

/// Whether the float engine computes an operation, as far as that is decided.
fn is_on_float_engine(operation: OperationRef<'_, '_>) -> bool {
    takes_floats(operation) && !matches!(placement_of(operation), Some(Placement::Cpu { .. }))
}

/// Whether a value exists with its channels last, and only so.
fn is_last<'c, 'a>(builder: &Builder<'c, 'a>, value: &QuantizedValue<'c, 'a>) -> bool {
    builder.has(value, ValueForm::ChannelsLast) && !builder.has(value, ValueForm::Network)
}

/// The numbers of a constant; none when nobody asked for them. A truth value is 1 or 0.
fn reals(constant: &Constant<'_>, known: Known) -> Result<Option<Vec<f32>>, String> {
    let is_float = constant.r#type.element.is_float();
    if known != Known::Values && is_float {
        return Ok(None);
    }
    let values = constant.to_f64s().map_err(|error| error.to_string())?;
    if !is_float && values.iter().any(|value| f64::from(*value as f32) != *value) {
        return Err("a constant holds whole numbers that f32 does not".into());
    }
    Ok((known == Known::Values).then(|| values.into_iter().map(|value| value as f32).collect()))
}

/// The order of `[N, H, W, C]` of a value whose dimensions in network order are these.
fn channels_last(dims: &[Dims]) -> Dims {
    match dims {
        [n, c, rest @ ..] => [n.clone(), rest.concat(), c.clone()].concat(),
        _ => dims.concat(),
    }
}

/// The order of the dimensions of the frame: that of the operand that has all of them, where there is one, so that it need not be moved.
fn order<'c, 'a>(builder: &Builder<'c, 'a>, frame: &Frame, places: &[Place<'c, 'a>]) -> Dims {
    let orders = places.iter().map(|place| place.order(builder));
    let whole = orders.filter(|order| order.len() == frame.sizes.len()).max_by_key(|order| !order.is_sorted());
    whole.unwrap_or_else(|| (0..frame.sizes.len()).collect())
}

/// So many dimensions stay as they are: what changes no shape can be made in stripes together with what is before and behind it.
const FEW: usize = 4;

/// Neighbouring dimensions that are one to every tensor and to the program, where there are many.
fn groups(frame: &Frame, order: &[usize], tensors: impl Iterator<Item = Dims>) -> Vec<Dims> {
    if order.len() <= FEW {
        return order.iter().map(|&dim| vec![dim]).collect();
    }
    let tensors: Vec<Dims> = tensors.collect();
    let mut groups: Vec<Dims> = Vec::new();
    for &dim in order {
        let joins = |before: usize| {
            frame.reduced[before] == frame.reduced[dim]
                && tensors.iter().all(|tensor| {
                    let at = |wanted: usize| tensor.iter().position(|dim| *dim == wanted);
                    match (at(before), at(dim)) {
                        (None, None) => true,
                        (Some(first), Some(second)) => second == first + 1,
                        _ => false,
                    }
                })
        };
        match groups.last_mut() {
            Some(group) if group.last().is_some_and(|before| joins(*before)) => group.push(dim),
            _ => groups.push(vec![dim]),
        }
    }
    groups
}

/// The dimensions that the node has, and those of the frame that each is.
struct Layout<'l> {
    frame: &'l Frame,
    groups: &'l [Dims],
}

impl Layout<'_> {
    fn size(&self, group: usize) -> usize {
        self.groups[group].iter().map(|dim| self.frame.sizes[*dim]).product()
    }

    fn is_reduced(&self, group: usize) -> bool {
        self.groups[group].iter().any(|dim| self.frame.reduced[*dim])
    }

    fn covers(&self, dims: &[usize], group: usize) -> bool {
        self.groups[group].iter().all(|dim| dims.contains(dim))
    }

    /// The shape of a tensor that has these dimensions of the frame, 1 where it repeats.
    fn shape(&self, dims: &[usize]) -> Vec<usize> {
        (0..self.groups.len()).map(|group| if self.covers(dims, group) { self.size(group) } else { 1 }).collect()
    }

    /// The places of dimensions in the order of the node.
    fn permutation(&self, dims: &[usize]) -> Vec<usize> {
        let order = self.groups.iter().flatten();
        order.filter_map(|wanted| dims.iter().position(|dim| dim == wanted)).collect()
    }
}

/// Says which tensor the result is, in the form that moves nothing where there is one.
fn define<'c, 'a>(
    builder: &mut Builder<'c, 'a>,
    layout: &Layout<'_>,
    result: &[usize],
    output: Output<'c, 'a>,
    id: TensorId,
) -> Result<(), String> {
    let network = output.shape().to_vec();
    let scale = builder.scale(id);
    let permutation = layout.permutation(result);
    if !permutation.is_sorted()
        && let Some(shape) = shape_in(ValueForm::ChannelsLast, &network)
        && let Some(dims) = layout.frame.split(result, &network)
        && layout.permutation(&channels_last(&dims)).is_sorted()
    {
        let id = builder.reshape(id, &shape, &scale);
        builder.define_sums(&output, ValueForm::ChannelsLast, id);
        return Ok(());
    }
    let mut id = id;
    if !permutation.is_sorted() {
        let sizes: Vec<usize> = permutation.iter().map(|place| layout.frame.sizes[result[*place]]).collect();
        id = builder.reshape(id, &sizes, &scale);
        // Where each dimension of the result is now.
        let back: Vec<usize> =
            (0..permutation.len()).filter_map(|place| permutation.iter().position(|own| *own == place)).collect();
        id = builder.transpose(id, &back, &scale);
    }
    let id = builder.reshape(id, &network, &scale);
    builder.define_sums(&output, ValueForm::Network, id);
    Ok(())
}
