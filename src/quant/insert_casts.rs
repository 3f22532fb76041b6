//! `quant-insert-casts`: the QDQ form.

use super::settle::{Settled, activation_of, settle};
use crate::bpu::lower::{Placement, Types, place};
use hb_dialects::{
    ir::{self, Element, Names, OperationAttributes, Origin, Quantized, TensorType},
    pass::{PassDefinition, PassFailure, PassOptions},
    quant,
};
use melior::ir::{BlockLike, OperationRef, Value, ValueLike, operation::OperationLike};
use std::collections::HashMap;

pub static PASS: PassDefinition = PassDefinition {
    argument: "quant-insert-casts",
    summary: "Put quantize and dequantize casts around quantized operations",
    description: "The apply step of quantization. Every value that a quantized operation computes or reads goes through \
`quant.qcast` and `quant.dcast` with the symmetric int8 scale threshold / 127 of its `hfloat.threshold`, or int16 and threshold / 32767 \
where `hfloat.bits` is 16; weights with one scale \
per output channel, biases as int32 with the scale of the accumulator. An operation that has no form on the BPU for these scales stays \
float and gets `hfloat.placement = \"cpu\"` with the reason, the others get `\"bpu\"`. A convolution or matrix product whose result no quantized \
operation reads keeps its 32-bit sums: no cast follows it. Scales are f32 numbers, as ONNX stores them. \
A reader may see a value in another type: `hfloat.operand_bits` of an operation gives the bits of each operand, 0 for those of the value, and \
an operation that has no form for int16 operands sees them as int8. The int8 scale is that of the value's `hfloat.narrow_threshold`, where it has \
one. Casts behind the casts of a value say so.",
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
    let Settled { groups, activations, types, .. } = settle(function)?;
    let mut names = Names::of([function]);
    for (operation, types) in &types {
        place(*operation, &Placement::Bpu);
        cast_constants(*operation, types, &mut names)?;
    }
    let seen: HashMap<usize, Types> =
        types.into_iter().map(|(operation, types)| (operation.to_raw().ptr as usize, types)).collect();
    let values: Vec<_> = groups.quantized().collect();
    for value in values {
        let Some(activation) = activation_of(&activations, value) else { continue };
        Casts {
            block,
            names: &mut names,
            value,
            own: activation.quantized(),
            integer_born: groups.is_integer_born(value),
            made: Vec::new(),
        }
        .insert(&seen)?;
    }
    Ok(())
}

/// The casts of one value.
struct Casts<'c, 'a, 'n> {
    block: melior::ir::BlockRef<'c, 'a>,
    names: &'n mut Names,
    value: Value<'c, 'a>,
    /// The type in which it exists.
    own: Quantized,
    /// Whether only integers of it exist: other types are made of them then, else of the value itself.
    integer_born: bool,
    /// What its readers see, by type.
    made: Vec<(Quantized, Value<'c, 'a>)>,
}

impl<'c, 'a> Casts<'c, 'a, '_> {
    /// Gives every reader the value in the type that it sees.
    fn insert(&mut self, seen: &HashMap<usize, Types>) -> Result<(), PassFailure> {
        let readers = ir::users(self.value);
        if self.integer_born {
            self.cast(&self.own.clone())?;
        }
        for reader in readers {
            let types = seen.get(&(reader.to_raw().ptr as usize));
            for (index, operand) in reader.operands().enumerate().collect::<Vec<_>>() {
                if operand.to_raw().ptr != self.value.to_raw().ptr {
                    continue;
                }
                let wanted = types.and_then(|types| types.operands.get(index).cloned().flatten());
                // Other readers see what the integers say.
                if let Some(wanted) = wanted.or_else(|| self.integer_born.then(|| self.own.clone())) {
                    ir::set_operand(reader, index, self.cast(&wanted)?);
                }
            }
        }
        Ok(())
    }

    /// The value in a type.
    fn cast(&mut self, wanted: &Quantized) -> Result<Value<'c, 'a>, PassFailure> {
        if let Some((_, cast)) = self.made.iter().find(|(made, _)| made == wanted) {
            return Ok(*cast);
        }
        let source = match self.integer_born && *wanted != self.own {
            true => self.cast(&self.own.clone())?,
            false => self.value,
        };
        let place = ir::defining_operation(source).map_or(Place::Start(self.block), Place::After);
        let cast = cast_pair(place, source, Element::Quantized(wanted.clone()), self.names)?;
        self.made.push((wanted.clone(), cast));
        Ok(cast)
    }
}

enum Place<'c, 'a> {
    After(OperationRef<'c, 'a>),
    Before(OperationRef<'c, 'a>),
    Start(melior::ir::BlockRef<'c, 'a>),
}

/// `quant.dcast(quant.qcast(value))` at a place; gives the result.
fn cast_pair<'c, 'a>(
    place: Place<'c, 'a>,
    value: Value<'c, 'a>,
    element: Element,
    names: &mut Names,
) -> Result<Value<'c, 'a>, PassFailure> {
    let float_type = TensorType::from_type(value.r#type())?;
    let quantized_type = TensorType { element, ..float_type.clone() };
    let (context, origin) = match &place {
        Place::After(operation) | Place::Before(operation) => (operation.context_reference(), operation.origin()),
        Place::Start(block) => match block.first_operation() {
            // An input is no node.
            Some(operation) => (operation.context_reference(), Origin::without_node(Origin::at(value.location()).name)),
            None => return Err(PassFailure::Message("the function is empty".into())),
        },
    };
    let types = [quantized_type.to_type(context)];
    let location = names.derive(&origin, "quantize").location(context);
    let quantize = ir::build(context, quant::Op::QuantizeCast.name(), &[value], &[], &types, vec![], location)?;
    let quantize = match place {
        Place::After(operation) => ir::insert_after(operation, quantize),
        Place::Before(operation) => ir::insert_before(operation, quantize),
        Place::Start(block) => block.insert_operation(0, quantize),
    };
    let quantized = first_result(quantize)?;
    let types = [float_type.to_type(context)];
    let location = names.derive(&origin, "dequantize").location(context);
    let dequantize = ir::build(context, quant::Op::DequantizeCast.name(), &[quantized], &[], &types, vec![], location)?;
    first_result(ir::insert_after(quantize, dequantize))
}

fn first_result<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<Value<'c, 'a>, PassFailure> {
    let value = ir::results(operation).into_iter().next();
    value.ok_or_else(|| PassFailure::Message(format!("'{}' has no result", operation.operation_name())))
}

/// Casts the weights, the bias and the constant activations of an operation.
fn cast_constants(operation: OperationRef<'_, '_>, types: &Types, names: &mut Names) -> Result<(), PassFailure> {
    for (index, quantized) in types.operands.iter().enumerate() {
        let operand = operation.operand_at(index)?;
        if let (Some(quantized), Some(_)) = (quantized, ir::constant_of(operand)) {
            let cast = cast_pair(Place::Before(operation), operand, Element::Quantized(quantized.clone()), names)?;
            ir::set_operand(operation, index, cast);
        }
    }
    Ok(())
}
