//! `bpu-form-segments`: the QDQ form becomes `bpu.segment` and `cpu.segment`.

use super::{
    builder::{Builder, External, ValueForm},
    operators,
    placement::{Placement, engines_of, placement_of},
    typing::{Typing, makes_integers, value_behind_casts},
    values::{QuantizedOperand, QuantizedValue},
};
use crate::bpu::{
    constraints::Known,
    mlir,
    model::{BpuElement, TensorId},
};
use hb_dialects::{
    ElementType, cpu,
    hfloat::Op,
    ir::{self, Element, Names, OperationAttributes, Origin, TensorType},
    pass::{PassDefinition, PassFailure, PassOptions},
    quant,
};
use melior::{
    Context,
    ir::{
        Block, BlockLike, BlockRef, Location, OperationRef, Region, RegionLike, Type, Value, ValueLike,
        operation::OperationLike,
    },
};
use std::collections::{BTreeMap, HashMap, HashSet};

pub static PASS: PassDefinition = PassDefinition {
    argument: "bpu-form-segments",
    summary: "Turn the QDQ form into segments of the BPU and the CPU",
    description: "The apply step of placement. Operations placed on one processor that do not wait for the other are joined into \
one segment. Inside `bpu.segment` they are lowered to integers, NHWC; `cpu.segment` keeps them as they are. Between segments of \
different processors values are f32 in network order, between two of the BPU they stay quantized.",
    anchor: "func.func",
    options: &[],
    run,
};

/// Where an operation runs and in which step: BPU steps are even, CPU steps odd.
type Step = usize;

/// The first step of the CPU.
const FIRST_CPU_STEP: Step = 1;

fn on_bpu(step: Step) -> bool {
    step.is_multiple_of(2)
}

/// The operation that computes a value, through casts; `None` for arguments and constants.
fn origin<'c, 'a>(value: Value<'c, 'a>) -> Option<OperationRef<'c, 'a>> {
    let operation = ir::defining_operation(value)?;
    if quant::Op::is_cast(operation) {
        return origin(operation.operand(0).ok()?);
    }
    (!Op::Constant.is(operation)).then_some(operation)
}

/// The value that casts were made of.
fn without_casts<'c: 'a, 'a>(value: Value<'c, 'a>) -> Value<'c, 'a> {
    let cast = ir::defining_operation(value).filter(|operation| quant::Op::is_cast(*operation));
    match cast.and_then(|cast| cast.operand_at(0).ok()) {
        Some(source) => without_casts(source),
        None => value,
    }
}

/// Whether a value is what an operation or an argument gives, and no cast rounds it.
fn is_float(value: Value<'_, '_>) -> bool {
    !ir::defining_operation(value).is_some_and(|maker| quant::Op::is_cast(maker))
}

fn raw(operation: OperationRef<'_, '_>) -> usize {
    operation.to_raw().ptr as usize
}

fn result<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<QuantizedValue<'c, 'a>, String> {
    Typing::Casts.result(operation)
}

/// The integers of an f32 value that the BPU gives: the result of an operation, or what casts behind it make of that.
fn quantized<'c: 'a, 'a>(value: Value<'c, 'a>) -> Result<QuantizedValue<'c, 'a>, String> {
    match ir::defining_operation(value) {
        Some(operation) if !quant::Op::is_dequantize(operation) => result(operation),
        _ => value_behind_casts(value).map_err(|reason| format!("what is read of its result {reason}")),
    }
}

struct Former<'c, 'a> {
    context: &'c Context,
    end: OperationRef<'c, 'a>,
    /// Step of each operation that computes.
    steps: HashMap<usize, Step>,
    /// The operations of each step, in order.
    members: BTreeMap<Step, Vec<OperationRef<'c, 'a>>>,
    /// f32 values that a step must give to others, in order.
    floats: BTreeMap<Step, Vec<Value<'c, 'a>>>,
    /// Values that are integers or float16 and that a BPU step must give to others, by the operation that computes them.
    integers: BTreeMap<Step, Vec<OperationRef<'c, 'a>>>,
    /// The values and operations that are in these lists.
    listed: HashSet<(Step, usize)>,
    /// Names of all that computes.
    names: Names,
    /// What old f32 values became.
    new_floats: HashMap<usize, Value<'c, 'a>>,
    /// What quantized values became, by key.
    new_integers: HashMap<usize, Value<'c, 'a>>,
}

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    let old = ir::operations(block);
    let Some(end) = block.terminator() else { return Ok(()) };
    let mut former = Former {
        context: function.context_reference(),
        end,
        steps: HashMap::new(),
        members: BTreeMap::new(),
        floats: BTreeMap::new(),
        integers: BTreeMap::new(),
        listed: HashSet::new(),
        names: Names::default(),
        new_floats: ir::arguments(block).into_iter().map(|argument| (ir::address(argument), argument)).collect(),
        new_integers: HashMap::new(),
    };
    former.assign_steps(&old)?;
    former.names = Names::of(former.members.values().flatten().copied());
    former.collect_needs(&old)?;
    let steps: Vec<Step> = former.members.keys().copied().collect();
    for step in steps {
        if on_bpu(step) { former.emit_bpu(step)? } else { former.emit_cpu(step)? }
    }
    former.replace_return()?;
    for operation in old.into_iter().rev() {
        if operation != end {
            // SAFETY: the return reads new values only, and users go before what they use; no handle of `old` is used below.
            unsafe { ir::erase(operation) };
        }
    }
    Ok(())
}

fn failure(operation: OperationRef<'_, '_>, reason: impl std::fmt::Display) -> PassFailure {
    ir::emit_error(operation.location(), &format!("node '{}': {reason}", operation.node()));
    PassFailure::Reported
}

impl<'c, 'a> Former<'c, 'a> {
    fn assign_steps(&mut self, operations: &[OperationRef<'c, 'a>]) -> Result<(), PassFailure> {
        for &operation in operations {
            if matches!(Op::of(operation), None | Some(Op::Constant)) || quant::Op::is_cast(operation) {
                continue;
            }
            let placement = placement_of(operation)
                .ok_or_else(|| failure(operation, "has no placement; run bpu-assign-placement first"))?;
            let parity = usize::from(placement != Placement::Bpu);
            let mut step = parity;
            for operand in operation.operands() {
                let before = origin(operand).and_then(|origin| self.steps.get(&raw(origin)).copied()).unwrap_or(0);
                if before > step {
                    step = if before % 2 == parity { before } else { before + 1 };
                }
            }
            self.steps.insert(raw(operation), step);
            self.members.entry(step).or_default().push(operation);
        }
        Ok(())
    }

    fn step_of(&self, operation: OperationRef<'_, '_>) -> Option<Step> {
        self.steps.get(&raw(operation)).copied()
    }

    fn collect_needs(&mut self, operations: &[OperationRef<'c, 'a>]) -> Result<(), PassFailure> {
        for &operation in operations {
            if let Some(step) = self.step_of(operation) {
                for operand in operation.operands() {
                    self.need(operand, Some(step));
                }
            }
        }
        for returned in self.end.operands().collect::<Vec<_>>() {
            self.need(returned, None);
        }
        Ok(())
    }

    /// Notes what a reader (`None` for the return) needs from the step that computes a value.
    fn need(&mut self, value: Value<'c, 'a>, reader: Option<Step>) {
        let Some(origin) = origin(value) else {
            // Segments repeat constants and the casts of arguments for themselves; for the return the CPU gives them.
            if reader.is_none() && ir::defining_operation(value).is_some() {
                self.members.entry(FIRST_CPU_STEP).or_default();
                self.need_float(FIRST_CPU_STEP, value);
            }
            return;
        };
        let Some(step) = self.step_of(origin) else { return };
        if reader == Some(step) {
            return;
        }
        match (on_bpu(step), reader) {
            // What no cast rounds is f32 in every segment.
            (true, _) if is_float(value) => self.need_float(step, value),
            (true, Some(reader)) if on_bpu(reader) => {
                if self.listed.insert((step, raw(origin))) {
                    self.integers.entry(step).or_default().push(origin);
                }
            }
            (true, _) => self.need_float(step, value),
            // The return reads what the casts after a CPU operation give; other readers repeat the casts themselves.
            (false, None) => self.need_float(step, value),
            (false, Some(_)) => self.need_float(step, without_casts(value)),
        }
    }

    fn need_float(&mut self, step: Step, value: Value<'c, 'a>) {
        if self.listed.insert((step, ir::address(value))) {
            self.floats.entry(step).or_default().push(value);
        }
    }

    fn emit_bpu(&mut self, step: Step) -> Result<(), PassFailure> {
        let members = self.members.get(&step).cloned().unwrap_or_default();
        let mut builder = Builder::new(self.float_sources(&members)?, std::mem::take(&mut self.names));
        for &operation in &members {
            operators::lower(&mut builder, operation, engines_of(operation))
                .and_then(|()| builder.note_value(operation))
                .map_err(|reason| failure(operation, reason))?;
        }
        let mut outputs: Vec<TensorId> = Vec::new();
        let integers = self.integers.remove(&step).unwrap_or_default();
        for &operation in &integers {
            let value = result(operation).map_err(|reason| failure(operation, reason))?;
            builder.begin(operation);
            let id = builder.tensor(&value, ValueForm::Network).map_err(|reason| failure(operation, reason))?;
            outputs.push(id);
        }
        let floats = self.floats.remove(&step).unwrap_or_default();
        for &float in &floats {
            let Some(origin) = origin(float) else { continue };
            builder.begin(origin);
            outputs.push(match builder.float(float) {
                Some(exact) => exact,
                None => quantized(float)
                    .and_then(|value| builder.dequantized(&value))
                    .map_err(|reason| failure(origin, reason))?,
            });
        }
        builder.segment.outputs = outputs;
        builder.segment.verify()?;
        self.names = std::mem::take(&mut builder.names);
        let inputs = self.inputs_of(&builder, step)?;
        let location = self.segment_location("bpu", step);
        let segment = mlir::to_mlir(self.context, &builder.segment, &inputs, location)?;
        let results = ir::results(ir::insert_before(self.end, segment));
        let mut results = results.into_iter();
        for (operation, new) in integers.into_iter().zip(results.by_ref()) {
            let value = result(operation).map_err(|reason| failure(operation, reason))?;
            self.new_integers.insert(value.key, new);
        }
        let given: Vec<_> = floats.into_iter().zip(results).collect();
        for (float, new) in &given {
            self.new_floats.insert(ir::address(*float), *new);
        }
        let casts: Vec<_> = given.into_iter().filter(|(float, new)| float.r#type() != new.r#type()).collect();
        let types: Vec<_> = casts.iter().map(|(float, _)| float.r#type()).collect();
        let cast = self.cast(&casts.iter().map(|(_, new)| *new).collect::<Vec<_>>(), &types, step)?;
        for ((float, _), new) in casts.into_iter().zip(cast) {
            self.new_floats.insert(ir::address(float), new);
        }
        Ok(())
    }

    /// A segment of the CPU that gives values in other element types: what is a truth value or an integer for the network is f32 for the BPU.
    fn cast(
        &mut self,
        values: &[Value<'c, 'a>],
        types: &[Type<'c>],
        step: Step,
    ) -> Result<Vec<Value<'c, 'a>>, PassFailure> {
        if values.is_empty() {
            return Ok(Vec::new());
        }
        let block = Block::new(&[]);
        // SAFETY: the block lives in the segment that is built from it below.
        let inside = unsafe { BlockRef::from_raw(block.to_raw()) };
        let mut results = Vec::with_capacity(values.len());
        for (value, r#type) in values.iter().zip(types) {
            let argument = inside.add_argument(value.r#type(), value.location());
            let name = self.names.unique(&format!("{}/cast", Origin::at(value.location()).name));
            let location = Origin::without_node(name).location(self.context);
            let cast = ir::build(self.context, Op::Cast.name(), &[argument], &[], &[*r#type], vec![], location)?;
            results.extend(ir::results(inside.append_operation(cast)));
        }
        let location = self.segment_location("cpu_casts", step);
        self.insert_cpu_segment(block, (values, &results, types), location)
    }

    /// Puts a `cpu.segment` with this body before the end of the network; gives its results. The values are what it takes, and what the body yields.
    fn insert_cpu_segment(
        &self,
        block: Block<'c>,
        (inputs, yielded, types): (&[Value<'c, 'a>], &[Value<'c, 'a>], &[Type<'c>]),
        location: Location<'c>,
    ) -> Result<Vec<Value<'c, 'a>>, PassFailure> {
        block.append_operation(ir::build(self.context, cpu::Op::Yield.name(), yielded, &[], &[], vec![], location)?);
        let region = Region::new();
        region.append_block(block);
        let segment = ir::build(self.context, cpu::Op::Segment.name(), inputs, &[], types, vec![region], location)?;
        Ok(ir::results(ir::insert_before(self.end, segment)))
    }

    /// For every quantized operand that does not come from the BPU: the f32 value that is quantized.
    fn float_sources(&self, members: &[OperationRef<'c, 'a>]) -> Result<HashMap<usize, Value<'c, 'a>>, PassFailure> {
        let mut sources = HashMap::new();
        for &operation in members {
            for (index, value) in operation.operands().enumerate() {
                let from_bpu = origin(value).and_then(|origin| self.step_of(origin)).is_some_and(on_bpu);
                if from_bpu || ir::constant_of(value).is_some() {
                    continue;
                }
                match Typing::Casts.operand(Known::Types, operation, index) {
                    Ok(QuantizedOperand::Value(value)) => {
                        let root = value.root();
                        sources.insert(root.key, root.source);
                    }
                    Ok(QuantizedOperand::Constant(_)) => {}
                    Err(_) if is_float(value) => {}
                    Err(reason) => return Err(failure(operation, reason)),
                }
            }
        }
        Ok(sources)
    }

    fn inputs_of(&mut self, builder: &Builder<'c, 'a>, step: Step) -> Result<Vec<Value<'c, 'a>>, PassFailure> {
        let mut inputs = self.given_inputs(builder)?;
        let mut casts = Vec::new();
        for (place, (external, value)) in builder.externals.iter().zip(&inputs).enumerate() {
            let tensor = builder.segment.inputs.get(place).and_then(|id| builder.segment.tensor(*id));
            let own = TensorType::from_type(value.r#type())?;
            if matches!(external, External::Plain(_))
                && tensor.is_some_and(|tensor| tensor.element == BpuElement::F32)
                && own.element != ElementType::F32
            {
                let wanted = TensorType { element: Element::Plain(ElementType::F32), ..own };
                casts.push((place, *value, wanted.to_type(self.context)));
            }
        }
        let (values, types): (Vec<_>, Vec<_>) = casts.iter().map(|(_, value, wanted)| (*value, *wanted)).unzip();
        for ((place, ..), new) in casts.iter().zip(self.cast(&values, &types, step)?) {
            inputs[*place] = new;
        }
        Ok(inputs)
    }

    fn given_inputs(&self, builder: &Builder<'c, 'a>) -> Result<Vec<Value<'c, 'a>>, PassFailure> {
        builder
            .externals
            .iter()
            .map(|external| match external {
                External::Plain(value) => self.new_floats.get(&ir::address(*value)).copied(),
                External::Quantized(key) => self.new_integers.get(key).copied(),
            })
            .map(|value| {
                value.ok_or_else(|| PassFailure::Message("a segment reads a value that no segment gives".into()))
            })
            .collect()
    }

    fn emit_cpu(&mut self, step: Step) -> Result<(), PassFailure> {
        let members = self.members.get(&step).cloned().unwrap_or_default();
        let block = Block::new(&[]);
        // SAFETY: the block lives in the segment that is built from it below.
        let inside = unsafe { BlockRef::from_raw(block.to_raw()) };
        let mut cloner = Cloner { former: self, step, block: inside, inputs: Vec::new(), known: HashMap::new() };
        for &operation in &members {
            cloner.clone_operation(operation)?;
        }
        let floats = cloner.former.floats.get(&step).cloned().unwrap_or_default();
        let yielded = floats.iter().map(|value| cloner.resolve(*value)).collect::<Result<Vec<_>, _>>()?;
        let inputs = cloner.inputs;
        let location = self.segment_location("cpu", step);
        let types: Vec<_> = floats.iter().map(|value| value.r#type()).collect();
        let results = self.insert_cpu_segment(block, (&inputs, &yielded, &types), location)?;
        for (float, new) in floats.into_iter().zip(results) {
            self.new_floats.insert(ir::address(float), new);
        }
        Ok(())
    }

    /// A segment is no node of the network, but has a name of its own.
    fn segment_location(&mut self, processor: &str, step: Step) -> Location<'c> {
        ir::named_location(self.context, &self.names.unique(&format!("{processor}_segment_{step}")))
    }

    fn replace_return(&mut self) -> Result<(), PassFailure> {
        for index in 0..self.end.operand_count() {
            let old = self.end.operand_at(index)?;
            let new = self.new_floats.get(&ir::address(old)).copied();
            let new = new
                .ok_or_else(|| PassFailure::Message(format!("output {index} of the network is given by no segment")))?;
            ir::set_operand(self.end, index, new);
        }
        Ok(())
    }
}

/// Copies operations into the body of a `cpu.segment`.
struct Cloner<'f, 'c, 'a> {
    former: &'f mut Former<'c, 'a>,
    step: Step,
    block: BlockRef<'c, 'a>,
    inputs: Vec<Value<'c, 'a>>,
    known: HashMap<usize, Value<'c, 'a>>,
}

impl<'c, 'a> Cloner<'_, 'c, 'a> {
    fn clone_operation(&mut self, operation: OperationRef<'c, 'a>) -> Result<OperationRef<'c, 'a>, PassFailure> {
        let operands = operation.operands().collect::<Vec<_>>();
        let operands = operands.into_iter().map(|operand| self.resolve(operand)).collect::<Result<Vec<_>, _>>()?;
        let copy = ir::copy_into(self.block, operation, operands);
        for (old, new) in ir::results(operation).into_iter().zip(ir::results(copy)) {
            self.known.insert(ir::address(old), new);
        }
        Ok(copy)
    }

    /// A copy of a cast, which may stand in several segments.
    fn repeat_cast(&mut self, cast: OperationRef<'c, 'a>) -> Result<(), PassFailure> {
        let (copy, origin) = (self.clone_operation(cast)?, cast.origin());
        if !origin.name.is_empty() {
            let name = self.former.names.unique(&origin.name);
            ir::set_location(copy, origin.named(name).location(self.former.context));
        }
        Ok(())
    }

    /// What an old value is inside the segment.
    fn resolve(&mut self, value: Value<'c, 'a>) -> Result<Value<'c, 'a>, PassFailure> {
        if let Some(&known) = self.known.get(&ir::address(value)) {
            return Ok(known);
        }
        let step = origin(value).and_then(|origin| self.former.step_of(origin));
        let definition = ir::defining_operation(value);
        let cast = definition.is_some_and(quant::Op::is_cast);
        let repeated = definition.is_some_and(|definition| Op::Constant.is(definition));
        if let Some(definition) = definition
            && (repeated || (cast && !step.is_some_and(on_bpu)))
        {
            match cast {
                true => self.repeat_cast(definition)?,
                false => self.clone_operation(definition).map(|_| ())?,
            }
            return self.known.get(&ir::address(value)).copied().ok_or_else(|| failure(definition, "was not copied"));
        }
        if step == Some(self.step) {
            return Err(PassFailure::Message("an operation comes before what it reads".into()));
        }
        if let Some(maker) = definition.filter(|definition| makes_integers(*definition)) {
            return Err(failure(
                maker,
                "an operation on the CPU reads the integers that this makes of an input on the BPU; assign placements before preprocessing",
            ));
        }
        let outside = self.former.new_floats.get(&ir::address(value)).copied();
        let outside =
            outside.ok_or_else(|| PassFailure::Message("a CPU segment reads a value that no segment gives".into()))?;
        let argument = self.block.add_argument(value.r#type(), value.location());
        self.inputs.push(outside);
        self.known.insert(ir::address(value), argument);
        Ok(argument)
    }
}
