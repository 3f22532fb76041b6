//! `bpu-separate-batch`: each sample of a batch is an input of its own.

use hb_dialects::{
    bpu, cpu,
    hfloat::Op,
    ir::{self, Element, Names, OperationAttributes, Origin, Quantized, Scale, TensorType, attribute},
    names::{BATCH, NAME, input_names},
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{BlockLike, OperationRef, Value, ValueLike, operation::OperationLike};
use std::collections::HashSet;
use std::ops::Range;

/// What `hb-opt` calls [`PASS`].
pub const PASS_NAME: &str = "bpu-separate-batch";

/// `bpu-separate-batch`
pub static PASS: PassDefinition = PassDefinition {
    argument: PASS_NAME,
    summary: "Make each sample of a batch an input of its own",
    description: "After `bpu-remove-border-nodes`, on a function that `hfloat-set-batch` made one of N samples: an argument becomes N arguments \
of one, with the names `NAME_0`, `NAME_1`.. and the attributes of the one that was there; of an image of several planes `NAME_0_y`, `NAME_0_uv`, \
`NAME_1_y`.. Segments join them in the outermost dimension. What the BPU quantizes, normalizes, or takes as an image of a camera, becomes integers sample by \
sample, each in its part of what is joined, so joining copies nothing and gives the bytes that the samples give together. A function without a \
batch stays as it is.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let samples = function.optional_integer(BATCH)?.and_then(|samples| usize::try_from(samples).ok()).unwrap_or(1);
    let Some(block) = ir::body(function).filter(|_| samples > 1) else { return Ok(()) };
    let names = Names::of(ir::operations(block));
    let mut separation = Separation { function, samples, names };
    // The last first, so that those before keep their numbers.
    let mut end = ir::arguments(block).len();
    while let Some(last) = end.checked_sub(1) {
        let first = end.saturating_sub(separation.planes(last));
        separation.separate(first..end)?;
        end = first;
    }
    ir::update_function_type(function.context_reference(), function);
    Ok(())
}

struct Separation<'c, 'a> {
    function: OperationRef<'c, 'a>,
    samples: usize,
    names: Names,
}

/// An argument of a segment for each sample, in place of one for all of them.
struct Parts<'c, 'a> {
    whole: Value<'c, 'a>,
    parts: Vec<Value<'c, 'a>>,
}

/// What is made of one sample and can be joined then: a conversion to integers.
fn converts(operation: OperationRef<'_, '_>) -> bool {
    matches!(bpu::Op::of(operation), Some(bpu::Op::Quantize | bpu::Op::Normalize | bpu::Op::CameraImage))
}

/// The operations that read a value, each once.
fn readers<'c: 'a, 'a>(value: Value<'c, 'a>) -> Vec<OperationRef<'c, 'a>> {
    let mut seen = HashSet::new();
    ir::users(value).into_iter().filter(|reader| seen.insert(reader.to_raw().ptr as usize)).collect()
}

impl<'c: 'a, 'a> Separation<'c, 'a> {
    fn argument(&self, index: usize) -> Option<Value<'c, 'a>> {
        ir::body(self.function).and_then(|block| ir::arguments(block).get(index).copied())
    }

    /// How many arguments, of which this one is the last, are planes of one image.
    fn planes(&self, last: usize) -> usize {
        let Some(argument) = self.argument(last) else { return 1 };
        let inside = |segment: OperationRef<'c, 'a>| -> Option<Value<'c, 'a>> {
            let position = segment.operands().position(|operand| operand == argument)?;
            ir::arguments(ir::body(segment)?).get(position).copied()
        };
        let images = ir::users(argument).into_iter().filter_map(inside).flat_map(ir::users);
        let images = images.filter(|reader| bpu::Op::CameraImage.is(*reader));
        images.map(|image| image.operand_count()).max().unwrap_or(1)
    }

    /// The dimension that holds the samples: nothing lies outside of them.
    fn axis(&self, r#type: &TensorType) -> Result<usize, String> {
        let shape = r#type.static_shape().map_err(|error| error.to_string())?;
        let axis = shape.iter().position(|size| *size > 1);
        let along = |axis: &usize| matches!(&r#type.element, Element::Quantized(Quantized { scale: Scale::PerAxis { axis: along, .. }, .. }) if along == axis);
        axis.filter(|axis| shape.get(*axis).is_some_and(|size| size.is_multiple_of(self.samples)))
            .filter(|axis| !along(axis))
            .ok_or_else(|| format!("its shape {shape:?} does not hold {} samples one after the other", self.samples))
    }

    /// The type of one sample.
    fn one(&self, r#type: &TensorType) -> Result<TensorType, String> {
        let axis = self.axis(r#type)?;
        let mut shape = r#type.static_shape().map_err(|error| error.to_string())?;
        if let Some(size) = shape.get_mut(axis) {
            *size /= self.samples;
        }
        Ok(TensorType::new(r#type.element.clone(), &shape))
    }

    /// Separates arguments that are the planes of one image, or one argument.
    fn separate(&mut self, planes: Range<usize>) -> Result<(), PassFailure> {
        let (function, context) = (self.function, self.function.context_reference());
        let inputs = input_names(function);
        let wholes: Vec<Value<'c, 'a>> = planes.clone().filter_map(|index| self.argument(index)).collect();
        // Names that say a number would say another one.
        for (index, name) in inputs.iter().enumerate() {
            ir::set_argument_attribute(function, index, NAME, attribute::string(context, name));
        }
        let mut parts: Vec<Vec<Value<'c, 'a>>> = vec![Vec::new(); wholes.len()];
        for number in (0..self.samples).rev() {
            for (plane, whole) in wholes.iter().enumerate().rev() {
                let input = inputs.get(planes.start + plane).map_or("", String::as_str);
                let at_fault = |reason: String| PassFailure::Message(format!("input '{input}': {reason}"));
                let name = match input.rsplit_once('_').filter(|_| wholes.len() > 1) {
                    Some((image, plane)) => format!("{image}_{number}_{plane}"),
                    None => format!("{input}_{number}"),
                };
                let r#type = self.one(&TensorType::from_type(whole.r#type())?).map_err(at_fault)?;
                let location = ir::named_location(context, &name);
                let part = ir::insert_argument_alike(function, planes.start, r#type.to_type(context), location);
                let part = part.ok_or_else(|| at_fault("no argument can be added".into()))?;
                ir::set_argument_attribute(function, planes.start, NAME, attribute::string(context, &name));
                if let Some(parts) = parts.get_mut(plane) {
                    parts.insert(0, part);
                }
            }
        }
        let input = inputs.get(planes.start).map_or("", String::as_str);
        let segments: Vec<_> = wholes.iter().copied().flat_map(readers).collect();
        for segment in segments {
            if !bpu::Op::Segment.is(segment) && !cpu::Op::Segment.is(segment) {
                return Err(PassFailure::Message(format!("input '{input}' is an output, too, so it stays one input")));
            }
            self.separate_in(segment, input, &wholes, &parts)?;
        }
        for _ in &wholes {
            ir::erase_argument(function, planes.start + self.samples * wholes.len());
        }
        Ok(())
    }

    /// Makes a segment read the parts of the values `wholes` of the function.
    fn separate_in(
        &mut self,
        segment: OperationRef<'c, 'a>,
        input: &str,
        wholes: &[Value<'c, 'a>],
        parts: &[Vec<Value<'c, 'a>>],
    ) -> Result<(), PassFailure> {
        let Some(block) = ir::body(segment) else { return Ok(()) };
        let (mut operands, mut added) = (Vec::new(), Vec::new());
        let (mut inner, mut gone) = (Vec::new(), Vec::new());
        let arguments = ir::arguments(block);
        for (index, operand) in segment.operands().enumerate() {
            let plane = wholes.iter().position(|whole| *whole == operand);
            match (plane.and_then(|plane| parts.get(plane)), arguments.get(index)) {
                (Some(parts), Some(&whole)) => {
                    let add = |part: &Value<'c, 'a>| block.add_argument(part.r#type(), part.location());
                    inner.push(Parts { whole, parts: parts.iter().map(add).collect() });
                    added.extend_from_slice(parts);
                    gone.push(index);
                }
                _ => operands.push(operand),
            }
        }
        operands.append(&mut added);
        for values in &inner {
            for reader in readers(values.whole).into_iter().filter(|reader| converts(*reader)) {
                self.convert_parts(reader, input, &inner)?;
            }
            self.join_for_others(segment, input, values)?;
        }
        for index in gone.into_iter().rev() {
            ir::erase_block_argument(block, index);
        }
        ir::set_operands(segment, &operands);
        Ok(())
    }

    /// Repeats a conversion for each sample, and joins what it gives.
    fn convert_parts(
        &mut self,
        reader: OperationRef<'c, 'a>,
        input: &str,
        inner: &[Parts<'c, 'a>],
    ) -> Result<(), PassFailure> {
        let context = reader.context_reference();
        let at_fault = |reason: String| PassFailure::Message(format!("input '{input}': {reason}"));
        let [result] = ir::results(reader)[..] else { return Err(at_fault("its conversion has no result".into())) };
        let whole = TensorType::from_type(result.r#type())?;
        let one = self.one(&whole).map_err(at_fault)?.to_type(context);
        let mut converted = Vec::with_capacity(self.samples);
        for number in 0..self.samples {
            let copy = ir::copy_before(reader, reader);
            for (index, operand) in reader.operands().enumerate().collect::<Vec<_>>() {
                let parts = inner.iter().find(|values| values.whole == operand).map(|values| &values.parts);
                if let Some(part) = parts.and_then(|parts| parts.get(number)) {
                    ir::set_operand(copy, index, *part);
                }
            }
            let origin = self.names.derive(&reader.origin(), &number.to_string());
            ir::set_location(copy, origin.location(context));
            for result in ir::results(copy) {
                ir::set_result_type(result, one);
                converted.push(result);
            }
        }
        let joined = self.join(reader, (input, reader.origin()), &converted, &whole)?;
        ir::replace_all_uses(result, joined);
        // SAFETY: nothing uses its result, and no handle to it is used below.
        unsafe { ir::erase(reader) };
        Ok(())
    }

    /// Joins the samples for what reads them as they are.
    fn join_for_others(
        &mut self,
        segment: OperationRef<'c, 'a>,
        input: &str,
        values: &Parts<'c, 'a>,
    ) -> Result<(), PassFailure> {
        let (first, readers) = (ir::body(segment).and_then(|block| block.first_operation()), readers(values.whole));
        if let Some(first) = first.filter(|_| !readers.is_empty()) {
            let whole = TensorType::from_type(values.whole.r#type())?;
            let origin = Origin::united(readers.into_iter().map(|reader| reader.origin()));
            let joined = self.join(first, (input, origin), &values.parts, &whole)?;
            ir::replace_all_uses(values.whole, joined);
        }
        Ok(())
    }

    /// Puts samples one behind the other, before an operation of a segment. It is a part of the nodes of `readers`.
    fn join(
        &mut self,
        before: OperationRef<'c, 'a>,
        (input, readers): (&str, Origin),
        samples: &[Value<'c, 'a>],
        whole: &TensorType,
    ) -> Result<Value<'c, 'a>, PassFailure> {
        let context = before.context_reference();
        let at_fault = |reason: String| PassFailure::Message(format!("input '{input}': {reason}"));
        let axis = self.axis(whole).map_err(at_fault)? as i64;
        let (name, axis) = match bpu::Op::of(before) {
            Some(_) => (bpu::Op::Concat.name(), attribute::i64(context, axis)),
            None => (Op::Concat.name(), attribute::si64(context, axis)),
        };
        let origin = readers.named(self.names.unique(&format!("{input}/join")));
        let types = [whole.to_type(context)];
        let built = ir::build(context, name, samples, &[("axis", axis)], &types, vec![], origin.location(context))?;
        let joined = ir::results(ir::insert_before(before, built)).into_iter().next();
        joined.ok_or_else(|| at_fault("what joins its samples has no result".into()))
    }
}
