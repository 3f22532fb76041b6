//! `quant-insert-casts`: the QDQ form.

use super::masks::clamp_addends;
use super::settle::{Settled, activation_of, settle};
use crate::bpu::lower::{Placement, Types, place};
use hb_dialects::{
    ElementType,
    hfloat::Op,
    ir::{self, Element, Names, OperationAttributes, Origin, TensorType},
    names::EDGE,
    pass::{PassDefinition, PassFailure, PassOptions},
    quant,
};
use melior::ir::{Attribute, BlockLike, OperationRef, Value, ValueLike, operation::OperationLike};
use std::collections::{HashMap, HashSet};

pub static PASS: PassDefinition = PassDefinition {
    argument: "quant-insert-casts",
    summary: "Put quantize and dequantize casts around quantized operations",
    description: "The apply step of quantization. Every value that a quantized operation computes or reads goes through \
`quant.qcast` and `quant.dcast` with the symmetric int8 scale threshold / 127 of its `hfloat.threshold`, or int16 and threshold / 32767 \
where `hfloat.bits` is 16; weights with one scale \
per output channel, biases as int32 with the scale of the accumulator. Constants of a sum that are further out than its integers show \
are brought to where they end. An operation that has no form on the BPU for these scales stays \
float and gets `hfloat.placement = \"cpu\"` with the reason, the others get `\"bpu\"`. A convolution or matrix product whose result no quantized \
operation reads keeps its 32-bit sums: no cast follows it. Scales are f32 numbers, as ONNX stores them. \
A reader may see a value in another type: `hfloat.operand_bits` of an operation gives the bits of each operand, 0 for those of the value, and \
an operation that has no form for int16 operands sees them as int8. The int8 scale is that of the value's `hfloat.narrow_threshold`, where it has \
one. Casts behind the casts of a value say so.\n\n\
What an operation with `hfloat.float16` reads and gives goes through two `hfloat.cast`, to float16 and back, with `hfloat.edge`; its neighbours see \
integers as before. Constants of it stay f32. What only moves its result is float16 as well, unless a reader wants integers of what is moved.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    insert_casts(function)
}

/// What the pass does.
pub(super) fn insert_casts(function: OperationRef<'_, '_>) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    clamp_addends(function)?;
    let Settled { groups, activations, types, .. } = settle(function)?;
    let mut names = Names::of([function]);
    let operations: Vec<_> = types.iter().map(|(operation, _)| *operation).collect();
    for (operation, types) in &types {
        place(*operation, &Placement::Bpu);
        cast_constants(*operation, types, &mut names)?;
    }
    let seen: HashMap<usize, Types> =
        types.into_iter().map(|(operation, types)| (operation.to_raw().ptr as usize, types)).collect();
    let values = groups.quantized().chain(seen_as_float16(&operations, &seen));
    let mut known = HashSet::new();
    for value in values.filter(|value| known.insert(ir::address(*value))).collect::<Vec<_>>() {
        let own = activation_of(&activations, value).filter(|_| groups.is_integer_born(value));
        let own = own.map(|own| Element::Quantized(own.quantized()));
        // What is float16 gets its casts last, so that they stand before all others.
        let made = groups.is_float16(value).then_some((Element::Plain(ElementType::F16), value)).into_iter().collect();
        Casts { block, names: &mut names, value, own, made }.insert(&seen)?;
    }
    for result in operations.into_iter().flat_map(ir::results).filter(|result| groups.is_float16(*result)) {
        cast_result(result, &mut names)?;
    }
    Ok(())
}

/// The values that operations see as float16.
fn seen_as_float16<'c, 'a>(
    operations: &[OperationRef<'c, 'a>],
    seen: &HashMap<usize, Types>,
) -> impl Iterator<Item = Value<'c, 'a>> {
    let of_one = |operation: &OperationRef<'c, 'a>| {
        let types = seen.get(&(operation.to_raw().ptr as usize)).map_or(&[][..], |types| &types.operands);
        let pairs = operation.operands().zip(types);
        let float16 = pairs.filter(|(_, element)| element.as_ref().is_some_and(|element| *element == ElementType::F16));
        float16.map(|(value, _)| value).collect::<Vec<_>>()
    };
    operations.iter().flat_map(of_one).collect::<Vec<_>>().into_iter()
}

/// Rounds a result to float16 for all that read it.
fn cast_result(result: Value<'_, '_>, names: &mut Names) -> Result<(), PassFailure> {
    let Some(operation) = ir::defining_operation(result) else { return Ok(()) };
    let readers = ir::users(result);
    let cast = cast_pair(Place::After(operation), result, Element::Plain(ElementType::F16), names)?;
    for reader in readers {
        for (index, operand) in reader.operands().enumerate().collect::<Vec<_>>() {
            if operand.to_raw().ptr == result.to_raw().ptr {
                ir::set_operand(reader, index, cast);
            }
        }
    }
    Ok(())
}

/// The casts of one value.
struct Casts<'c, 'a, 'n> {
    block: melior::ir::BlockRef<'c, 'a>,
    names: &'n mut Names,
    value: Value<'c, 'a>,
    /// Its integers, where only they exist: other types are made of them then, else of the value itself.
    own: Option<Element>,
    /// What its readers see, by type.
    made: Vec<(Element, Value<'c, 'a>)>,
}

impl<'c, 'a> Casts<'c, 'a, '_> {
    /// Gives every reader the value in the type that it sees.
    fn insert(&mut self, seen: &HashMap<usize, Types>) -> Result<(), PassFailure> {
        let readers = ir::users(self.value);
        if let Some(own) = self.own.clone() {
            self.cast(&own)?;
        }
        for reader in readers {
            let types = seen.get(&(reader.to_raw().ptr as usize));
            for (index, operand) in reader.operands().enumerate().collect::<Vec<_>>() {
                if operand.to_raw().ptr != self.value.to_raw().ptr {
                    continue;
                }
                let wanted = types.and_then(|types| types.operands.get(index).cloned().flatten());
                // Other readers see what the integers say.
                if let Some(wanted) = wanted.or_else(|| self.own.clone()) {
                    ir::set_operand(reader, index, self.cast(&wanted)?);
                }
            }
        }
        Ok(())
    }

    /// The value in a type.
    fn cast(&mut self, wanted: &Element) -> Result<Value<'c, 'a>, PassFailure> {
        if let Some((_, cast)) = self.made.iter().find(|(made, _)| made == wanted) {
            return Ok(*cast);
        }
        let source = match self.own.clone().filter(|own| own != wanted) {
            Some(own) => self.cast(&own)?,
            None => self.value,
        };
        let place = ir::defining_operation(source).map_or(Place::Start(self.block), Place::After);
        let cast = cast_pair(place, source, wanted.clone(), self.names)?;
        self.made.push((wanted.clone(), cast));
        Ok(cast)
    }
}

enum Place<'c, 'a> {
    After(OperationRef<'c, 'a>),
    Before(OperationRef<'c, 'a>),
    Start(melior::ir::BlockRef<'c, 'a>),
}

/// A value at a place as other elements and back, by the casts of `quant` or, for float16, `hfloat.cast`; gives the result.
fn cast_pair<'c, 'a>(
    place: Place<'c, 'a>,
    value: Value<'c, 'a>,
    element: Element,
    names: &mut Names,
) -> Result<Value<'c, 'a>, PassFailure> {
    let float_type = TensorType::from_type(value.r#type())?;
    let is_float16 = element == ElementType::F16;
    let rounded_type = TensorType { element, ..float_type.clone() };
    let (context, origin) = match &place {
        Place::After(operation) | Place::Before(operation) => (operation.context_reference(), operation.origin()),
        Place::Start(block) => match block.first_operation() {
            // An input is no node.
            Some(operation) => (operation.context_reference(), Origin::without_node(Origin::at(value.location()).name)),
            None => return Err(PassFailure::Message("the function is empty".into())),
        },
    };
    let [to, back] = match is_float16 {
        true => [(Op::Cast.name(), "to_float16"), (Op::Cast.name(), "from_float16")],
        false => [(quant::Op::QuantizeCast.name(), "quantize"), (quant::Op::DequantizeCast.name(), "dequantize")],
    };
    let edge = [(EDGE, Attribute::unit(context))];
    let attributes = if is_float16 { &edge[..] } else { &[] };
    let types = [rounded_type.to_type(context)];
    let location = names.derive(&origin, to.1).location(context);
    let quantize = ir::build(context, to.0, &[value], attributes, &types, vec![], location)?;
    let quantize = match place {
        Place::After(operation) => ir::insert_after(operation, quantize),
        Place::Before(operation) => ir::insert_before(operation, quantize),
        Place::Start(block) => block.insert_operation(0, quantize),
    };
    let quantized = first_result(quantize)?;
    let types = [float_type.to_type(context)];
    let location = names.derive(&origin, back.1).location(context);
    let dequantize = ir::build(context, back.0, &[quantized], attributes, &types, vec![], location)?;
    first_result(ir::insert_after(quantize, dequantize))
}

/// The first result of an operation.
pub(super) fn first_result<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<Value<'c, 'a>, PassFailure> {
    let value = ir::results(operation).into_iter().next();
    value.ok_or_else(|| PassFailure::Message(format!("'{}' has no result", operation.operation_name())))
}

/// Casts the weights, the bias and the constant activations of an operation.
fn cast_constants(operation: OperationRef<'_, '_>, types: &Types, names: &mut Names) -> Result<(), PassFailure> {
    for (index, element) in types.operands.iter().enumerate() {
        let operand = operation.operand_at(index)?;
        if let (Some(element), Some(_)) = (element, ir::constant_of(operand)) {
            let cast = cast_pair(Place::Before(operation), operand, element.clone(), names)?;
            ir::set_operand(operation, index, cast);
        }
    }
    Ok(())
}
