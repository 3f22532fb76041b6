//! `hfloat-insert-preprocessing`: from the data that a deployed model is given to the float input of the network.

use super::insert_image::{self, ImagePlan};
use super::preprocessing::{ATTRIBUTES, Layout, Preprocessing, assigned_preprocessing, per_channel};
use hb_dialects::{
    ElementType, bpu,
    hfloat::Op,
    ir::{self, Names, OperationAttributes, Origin, TensorType, attribute},
    names::{LAYOUT, NAME, PLACEMENT, input_names},
    pass::{PassDefinition, PassFailure, PassOptions},
    quant,
};
use melior::{
    Context,
    ir::{Attribute, BlockLike, Location, OperationRef, Value, ValueLike, operation::OperationLike},
};

pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-insert-preprocessing",
    summary: "Insert the conversion of deployed inputs to the network's float inputs",
    description: "The apply step of preprocessing. An argument that `hfloat-assign-preprocessing` made an image becomes `ui8` in NHWC, \
for nv12 two planes, and a `bpu.camera_image`. Where the source is the resizer, planes are as large as pictures may be, an argument more says which \
region of them is taken, and a `bpu.roi_resize` makes a plane of each. Quantized convolutions that read the input read the image instead: colours, mean and \
scale go into their weights and biases, which are rounded anew (`docs/decisions/0050-images-of-a-camera.md`). What else reads the input \
reads a convolution of 1x1 cells that converts. A feature map stays float: where it is quantized for the BPU, `bpu.normalize` takes the place of \
the `quant.qcast`, and what else reads it reads an addition and a multiplication on the CPU, with the same results. The attributes are \
replaced by `hfloat.layout`. It runs after quantization, because thresholds are those of the network's float input.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    let context = function.context_reference();
    let mut names = Names::of([function]);
    let inputs = input_names(function);
    let is_image = |index| {
        let assigned = assigned_preprocessing(function, index).ok().flatten();
        assigned.is_some_and(|preprocessing| preprocessing.is_image())
    };
    // An image may become more than one argument: then names that say a number would say another one.
    if (0..inputs.len()).any(is_image) {
        for (index, name) in inputs.iter().enumerate() {
            ir::set_argument_attribute(function, index, NAME, attribute::string(context, name));
        }
    }
    // The last first, so that those before keep their numbers.
    for (index, (argument, input)) in ir::arguments(block).into_iter().zip(&inputs).enumerate().rev() {
        let at_fault = |reason: String| PassFailure::Message(format!("input '{input}': {reason}"));
        let Some(preprocessing) = assigned_preprocessing(function, index).map_err(at_fault)? else { continue };
        preprocessing.check_source().map_err(at_fault)?;
        if preprocessing.is_image() {
            let plan = ImagePlan::new(argument, &preprocessing).map_err(at_fault)?;
            insert_image::insert(function, (index, input), &plan, &mut names)?;
        } else if preprocessing.changes_input() {
            let plan = PreprocessingPlan::new(argument, &preprocessing).map_err(at_fault)?;
            let r#type = plan.r#type.clone();
            // Asked anew: an image before this may have taken the first operation away.
            let anchor = block.first_operation().ok_or_else(|| at_fault("the function is empty".into()))?;
            insert(Chain { context, anchor, input, names: &mut names, value: argument, r#type }, &plan)?;
        }
        ir::remove_argument_attributes(function, index, &ATTRIBUTES);
        if TensorType::from_type(argument.r#type())?.dimensions.as_ref().is_some_and(|sizes| sizes.len() == 4) {
            let layout = attribute::string(context, preprocessing.deployed_layout().name());
            ir::set_argument_attribute(function, index, LAYOUT, layout);
        }
    }
    ir::update_function_type(context, function);
    Ok(())
}

/// How a feature map is normalized.
struct PreprocessingPlan {
    /// The type of the input.
    r#type: TensorType,
    layout: Layout,
    /// One number per channel.
    mean: Vec<f32>,
    /// One number per channel.
    scale: Vec<f32>,
}

impl PreprocessingPlan {
    fn new(argument: Value<'_, '_>, preprocessing: &Preprocessing) -> Result<Self, String> {
        let r#type = TensorType::from_type(argument.r#type()).map_err(|error| error.to_string())?;
        if r#type.element != ElementType::F32 {
            return Err(format!("only f32 inputs can be preprocessed, and it is {}", argument.r#type()));
        }
        let shape = r#type.static_shape().map_err(|error| error.to_string())?;
        let layout = preprocessing.layout;
        let channels = shape.get(layout.channel_dimension()).copied().filter(|_| shape.len() == 4);
        let c = channels
            .ok_or_else(|| format!("only inputs of rank 4 can be preprocessed, and it is {}", argument.r#type()))?;
        let (given, train) = (preprocessing.type_rt, preprocessing.type_train);
        if !given.becomes(train) {
            return Err(format!("{given} cannot be turned into {train}"));
        }
        let narrow = |numbers: Vec<f64>| numbers.into_iter().map(|number| number as f32).collect::<Vec<f32>>();
        let mean = narrow(per_channel("mean", &preprocessing.mean, c, 0.0)?);
        let scale = narrow(per_channel("scale", &preprocessing.scale, c, 1.0)?);
        Ok(Self { r#type, layout, mean, scale })
    }

    fn changes_nothing(&self) -> bool {
        self.mean.iter().all(|mean| *mean == 0.0) && self.scale.iter().all(|scale| *scale == 1.0)
    }

    /// The type of a constant with one number per channel that broadcasts to the network's input.
    fn channel_type(&self, channels: usize) -> TensorType {
        match self.layout {
            Layout::Nchw => TensorType::new(ElementType::F32, &[channels, 1, 1]),
            Layout::Nhwc => TensorType::new(ElementType::F32, &[channels]),
        }
    }
}

/// Operations in a row, each applied to the result of the one before.
struct Chain<'c, 'a, 'n> {
    context: &'c Context,
    /// They are put before it.
    anchor: OperationRef<'c, 'a>,
    input: &'n str,
    names: &'n mut Names,
    value: Value<'c, 'a>,
    r#type: TensorType,
}

impl<'c, 'a> Chain<'c, 'a, '_> {
    /// Who a step is: no node of the user's network.
    fn origin(&self, step: &str) -> Origin {
        Origin::without_node(self.input).part("preprocess").part(step)
    }

    fn build(
        &self,
        op: Op,
        operands: &[Value<'c, 'a>],
        attributes: &[(&str, Attribute<'c>)],
        r#type: &TensorType,
        location: Location<'c>,
    ) -> Result<Value<'c, 'a>, PassFailure> {
        let types = [r#type.to_type(self.context)];
        let built = ir::build(self.context, op.name(), operands, attributes, &types, vec![], location)?;
        let results = ir::results(ir::insert_before(self.anchor, built));
        results.into_iter().next().ok_or_else(|| PassFailure::Message(format!("'{}' has no result", op.name())))
    }

    fn constant(&self, step: &str, r#type: &TensorType, bytes: &[u8]) -> Result<Value<'c, 'a>, PassFailure> {
        let origin = self.origin(step);
        let value = ir::constant_attribute(self.context, &origin.name, r#type, bytes)?;
        self.build(Op::Constant, &[], &[("value", value)], r#type, origin.location(self.context))
    }

    /// Applies an operation to the value so far and perhaps another operand.
    fn apply(
        &mut self,
        (step, op): (&str, Op),
        other: Option<Value<'c, 'a>>,
        attributes: &[(&str, Attribute<'c>)],
        r#type: TensorType,
    ) -> Result<(), PassFailure> {
        let operands: Vec<_> = std::iter::once(self.value).chain(other).collect();
        let Origin { name, .. } = self.origin(step);
        let location = Origin::without_node(self.names.unique(&name)).location(self.context);
        self.value = self.build(op, &operands, attributes, &r#type, location)?;
        self.r#type = r#type;
        Ok(())
    }

    /// Puts the operation that normalizes and quantizes where a cast of the input quantizes.
    fn normalize_in_place_of(
        &mut self,
        argument: Value<'c, 'a>,
        cast: OperationRef<'c, 'a>,
        plan: &PreprocessingPlan,
    ) -> Result<(), PassFailure> {
        let Some(quantized) = ir::results(cast).into_iter().next() else { return Ok(()) };
        let wide = |numbers: &[f32]| numbers.iter().map(|number| f64::from(*number)).collect::<Vec<f64>>();
        let attributes = [
            ("axis", attribute::i64(self.context, plan.layout.channel_dimension() as i64)),
            ("mean", attribute::floats(self.context, &wide(&plan.mean))),
            ("factor", attribute::floats(self.context, &wide(&plan.scale))),
        ];
        let name = self.names.unique(&self.origin("normalize").name);
        let location = Origin::without_node(name).location(self.context);
        let types = [quantized.r#type()];
        let built =
            ir::build(self.context, bpu::Op::Normalize.name(), &[argument], &attributes, &types, vec![], location)?;
        let normalized = ir::results(ir::insert_before(cast, built)).into_iter().next();
        let normalized = normalized.ok_or_else(|| PassFailure::Message("a normalization has no result".into()))?;
        ir::replace_all_uses(quantized, normalized);
        // SAFETY: its result is replaced, and no handle to it is used again.
        unsafe { ir::erase(cast) };
        Ok(())
    }

    fn apply_per_channel(
        &mut self,
        (step, op): (&str, Op),
        plan: &PreprocessingPlan,
        numbers: &[f32],
    ) -> Result<(), PassFailure> {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let constant = self.constant(&format!("{step}/constant"), &plan.channel_type(numbers.len()), &bytes)?;
        self.apply((step, op), Some(constant), &[], plan.r#type.clone())
    }
}

/// Whether a cast quantizes for operations of the BPU alone, as far as it is known where they run.
fn is_for_the_bpu(cast: OperationRef<'_, '_>) -> bool {
    if !quant::Op::QuantizeCast.is(cast) {
        return false;
    }
    let mut readers = ir::results(cast).into_iter().flat_map(ir::users).flat_map(ir::results).flat_map(ir::users);
    readers.all(|reader| Op::of(reader).is_some() && !reader.string(PLACEMENT).is_ok_and(|place| place == "cpu"))
}

fn insert(mut chain: Chain<'_, '_, '_>, plan: &PreprocessingPlan) -> Result<(), PassFailure> {
    if plan.changes_nothing() {
        return Ok(());
    }
    let argument = chain.value;
    let (casts, others): (Vec<_>, Vec<_>) = ir::users(argument).into_iter().partition(|reader| is_for_the_bpu(*reader));
    if !others.is_empty() {
        normalize_for(&others, &mut chain, plan)?;
    }
    // Last: what is built above stands before the first operation, which may be one of them.
    for cast in casts {
        chain.normalize_in_place_of(argument, cast, plan)?;
    }
    Ok(())
}

/// Makes operations that read the input read what the CPU normalizes.
fn normalize_for<'c: 'a, 'a>(
    readers: &[OperationRef<'c, 'a>],
    chain: &mut Chain<'c, 'a, '_>,
    plan: &PreprocessingPlan,
) -> Result<(), PassFailure> {
    let argument = chain.value;
    if plan.mean.iter().any(|mean| *mean != 0.0) {
        let negative: Vec<f32> = plan.mean.iter().map(|mean| -mean).collect();
        chain.apply_per_channel(("subtract_mean", Op::Add), plan, &negative)?;
    }
    if plan.scale.iter().any(|scale| *scale != 1.0) {
        chain.apply_per_channel(("multiply_scale", Op::Mul), plan, &plan.scale)?;
    }
    for user in readers {
        for (index, operand) in user.operands().enumerate().collect::<Vec<_>>() {
            if operand.to_raw().ptr == argument.to_raw().ptr {
                ir::set_operand(*user, index, chain.value);
            }
        }
    }
    Ok(())
}
