//! `hfloat-separate-batch`: each sample of a batch is an input of its own.

use hb_dialects::{
    hfloat::Op,
    ir::{self, Names, OperationAttributes, Origin, TensorType, attribute},
    names::{BATCH, NAME, input_names},
    pass::{PassDefinition, PassFailure, PassOptions},
    quant,
};
use melior::ir::{Attribute, BlockLike, OperationRef, Value, ValueLike, operation::OperationLike};

/// What `hb-opt` calls [`PASS`].
pub const PASS_NAME: &str = "hfloat-separate-batch";

/// `hfloat-separate-batch`
pub static PASS: PassDefinition = PassDefinition {
    argument: PASS_NAME,
    summary: "Make each sample of a batch an input of its own",
    description: "After `hfloat-set-batch`: an argument of N samples becomes N arguments of one, with the names `NAME_0`, `NAME_1`.. and \
the attributes of the one that was there, joined along the first dimension. Where integers of the argument are read, each sample is quantized before \
they are joined, with the same scale, so that the BPU writes the integers to where they are read. A function without a batch stays as it is.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let samples = function.optional_integer(BATCH)?.and_then(|samples| usize::try_from(samples).ok()).unwrap_or(1);
    let Some(block) = ir::body(function).filter(|_| samples > 1) else { return Ok(()) };
    let Some(anchor) = block.first_operation() else { return Ok(()) };
    let mut names = Names::of([function]);
    for (index, name) in input_names(function).into_iter().enumerate().rev() {
        let Some(whole) = ir::arguments(block).get(index).copied() else { continue };
        let r#type = TensorType::from_type(whole.r#type())?;
        let mut shape = r#type.static_shape()?;
        let Some(first) = shape.first_mut().filter(|first| **first == samples) else { continue };
        *first = 1;
        let one = TensorType::new(r#type.element.clone(), &shape);
        let mut parts = Vec::with_capacity(samples);
        for number in (0..samples).rev() {
            let context = function.context_reference();
            let name = format!("{name}_{number}");
            let location = ir::named_location(context, &name);
            let part = ir::insert_argument_alike(function, index, one.to_type(context), location);
            parts.push(part.ok_or_else(|| PassFailure::Message(format!("input '{name}' cannot be added")))?);
            ir::set_argument_attribute(function, index, NAME, attribute::string(context, &name));
        }
        parts.reverse();
        let nodes = Origin::united(nodes_that_read(whole).into_iter().map(Origin::from)).nodes;
        Join { anchor, origin: Origin { name, nodes }, whole, parts, names: &mut names }.insert()?;
        ir::erase_argument(function, index + samples);
    }
    ir::update_function_type(function.context_reference(), function);
    Ok(())
}

/// An argument, and those that take its place.
struct Join<'c, 'a, 'n> {
    /// What is made is put before it.
    anchor: OperationRef<'c, 'a>,
    /// Who the join is: the nodes that read the input go with it.
    origin: Origin,
    whole: Value<'c, 'a>,
    parts: Vec<Value<'c, 'a>>,
    names: &'n mut Names,
}

impl<'c: 'a, 'a> Join<'c, 'a, '_> {
    fn insert(&mut self) -> Result<(), PassFailure> {
        let mut joined = None;
        for reader in ir::users(self.whole) {
            let value = match (quant::Op::QuantizeCast.is(reader), joined) {
                // The casts of what is joined say again what those of its parts say.
                (true, _) => {
                    let parts = self.parts.clone().into_iter().map(|part| self.cast(part, reader));
                    let parts = parts.collect::<Result<Vec<_>, _>>()?;
                    self.concat(&parts)?
                }
                (false, Some(joined)) => joined,
                (false, None) => *joined.insert(self.concat(&self.parts.clone())?),
            };
            for (index, operand) in reader.operands().enumerate().collect::<Vec<_>>() {
                if operand.to_raw().ptr == self.whole.to_raw().ptr {
                    ir::set_operand(reader, index, value);
                }
            }
        }
        Ok(())
    }

    fn build(
        &mut self,
        (name, part): (&str, &str),
        operands: &[Value<'c, 'a>],
        attributes: &[(&str, Attribute<'c>)],
        r#type: &TensorType,
    ) -> Result<Value<'c, 'a>, PassFailure> {
        let context = self.anchor.context_reference();
        let location = self.names.derive(&self.origin, part).location(context);
        let built = ir::build(context, name, operands, attributes, &[r#type.to_type(context)], vec![], location)?;
        let result = ir::results(ir::insert_before(self.anchor, built)).into_iter().next();
        result.ok_or_else(|| PassFailure::Message(format!("'{name}' has no result")))
    }

    /// A part as the casts of the whole make it.
    fn cast(&mut self, part: Value<'c, 'a>, quantize: OperationRef<'c, 'a>) -> Result<Value<'c, 'a>, PassFailure> {
        let float = TensorType::from_type(part.r#type())?;
        let element = TensorType::from_type(quantize.result(0)?.r#type())?.element;
        let quantized = TensorType { element, ..float.clone() };
        let integers = self.build((quant::Op::QuantizeCast.name(), "quantize"), &[part], &[], &quantized)?;
        self.build((quant::Op::DequantizeCast.name(), "dequantize"), &[integers], &[], &float)
    }

    fn concat(&mut self, parts: &[Value<'c, 'a>]) -> Result<Value<'c, 'a>, PassFailure> {
        let r#type = TensorType::from_type(self.whole.r#type())?;
        let axis = attribute::si64(self.anchor.context_reference(), 0);
        self.build((Op::Concat.name(), "join"), parts, &[("axis", axis)], &r#type)
    }
}

/// The nodes of the user's network that read a value, through casts.
fn nodes_that_read(value: Value<'_, '_>) -> Vec<String> {
    let through = |user: OperationRef<'_, '_>| match quant::Op::is_cast(user) {
        true => ir::results(user).into_iter().flat_map(nodes_that_read).collect(),
        false => user.origin().nodes,
    };
    ir::users(value).into_iter().flat_map(through).collect()
}
