//! `hfloat-insert-preprocessing`: from the data that a deployed model is given to the float input of the network.

use super::preprocessing::{ATTRIBUTES, InputType, Layout, Preprocessing, assigned_preprocessing};
use hb_dialects::names::{LAYOUT, input_names};
use hb_dialects::{
    ElementType,
    hfloat::Op,
    ir::{self, Names, OperationAttributes, Origin, TensorType, attribute},
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::{
    Context,
    ir::{Attribute, BlockLike, Location, OperationRef, Value, ValueLike, operation::OperationLike},
};

pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-insert-preprocessing",
    summary: "Insert the conversion of deployed inputs to the network's float inputs",
    description: "The apply step of preprocessing. An argument that `hfloat-assign-preprocessing` made an image (`rgb` or `bgr`) becomes \
`ui8` in NHWC, and operations bring it to the network's layout, swap its channels where `input_type_rt` and `input_type_train` differ, \
make it float, subtract the mean and multiply with the scale. A feature map stays float and is only normalized. The attributes are \
replaced by `hfloat.layout`. It runs after quantization, because thresholds are those of the network's float input; what it inserts \
is not quantized and runs on the CPU. Folding it into the first convolution is left for later.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    let Some(first) = block.first_operation() else { return Ok(()) };
    let context = function.context_reference();
    let mut names = Names::of([function]);
    for (index, (argument, input)) in ir::arguments(block).into_iter().zip(input_names(function)).enumerate() {
        let at_fault = |reason: String| PassFailure::Message(format!("input '{input}': {reason}"));
        let Some(preprocessing) = assigned_preprocessing(function, index).map_err(at_fault)? else { continue };
        if preprocessing.changes_input() {
            let plan = PreprocessingPlan::new(argument, &preprocessing).map_err(at_fault)?;
            insert(
                Chain {
                    context,
                    anchor: first,
                    input: &input,
                    names: &mut names,
                    value: argument,
                    r#type: plan.given.clone(),
                },
                &plan,
            )?;
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

/// What is to be inserted.
struct PreprocessingPlan {
    /// The type of the deployed input.
    given: TensorType,
    /// The type of the network's input.
    wanted: TensorType,
    image: bool,
    layout: Layout,
    swap_channels: bool,
    /// One number per channel, negative because they are added. None where all are 0.
    negative_mean: Option<Vec<f32>>,
    /// One number per channel. None where all are 1.
    scale: Option<Vec<f32>>,
}

impl PreprocessingPlan {
    fn new(argument: Value<'_, '_>, preprocessing: &Preprocessing) -> Result<Self, String> {
        let wanted = TensorType::from_type(argument.r#type()).map_err(|error| error.to_string())?;
        if wanted.element != ElementType::F32 {
            return Err(format!("only f32 inputs can be preprocessed, and it is {}", argument.r#type()));
        }
        let shape = wanted.static_shape().map_err(|error| error.to_string())?;
        let layout = preprocessing.layout;
        let (n, c, h, w) = match (shape.as_slice(), layout) {
            (&[n, c, h, w], Layout::Nchw) | (&[n, h, w, c], Layout::Nhwc) => (n, c, h, w),
            _ => return Err(format!("only inputs of rank 4 can be preprocessed, and it is {}", argument.r#type())),
        };
        let (given, train) = (preprocessing.type_rt, preprocessing.type_train);
        if (given == InputType::Featuremap) != (train == InputType::Featuremap) {
            return Err(format!("{given} cannot be turned into {train}"));
        }
        if let Some(expected) = given.channels()
            && expected != c as u64
        {
            return Err(format!("{given} has {expected} channels, but with {} it has {c}", layout.name()));
        }
        let image = given != InputType::Featuremap;
        let negative_mean = per_channel("mean", &preprocessing.mean, c)?;
        let negative_mean = negative_mean.map(|mean| mean.into_iter().map(|mean| -mean).collect::<Vec<f32>>());
        Ok(Self {
            given: if image { TensorType::new(ElementType::U8, &[n, h, w, c]) } else { wanted.clone() },
            wanted,
            image,
            layout,
            swap_channels: given != train,
            negative_mean: negative_mean.filter(|mean| mean.iter().any(|mean| *mean != 0.0)),
            scale: per_channel("scale", &preprocessing.scale, c)?
                .filter(|scale| scale.iter().any(|scale| *scale != 1.0)),
        })
    }

    /// The type of a constant with one number per channel that broadcasts to the network's input.
    fn channel_type(&self, channels: usize) -> TensorType {
        match self.layout {
            Layout::Nchw => TensorType::new(ElementType::F32, &[channels, 1, 1]),
            Layout::Nhwc => TensorType::new(ElementType::F32, &[channels]),
        }
    }
}

/// One f32 for each channel.
fn per_channel(what: &str, numbers: &[f64], channels: usize) -> Result<Option<Vec<f32>>, String> {
    let numbers = match numbers {
        [] => return Ok(None),
        [number] => vec![*number; channels],
        _ if numbers.len() == channels => numbers.to_vec(),
        _ => return Err(format!("there are {} numbers of {what} for {channels} channels", numbers.len())),
    };
    let narrow = |number: f64| {
        let narrow = number as f32;
        if narrow.is_finite() { Ok(narrow) } else { Err(format!("{what} {number:?} is no finite f32")) }
    };
    numbers.into_iter().map(narrow).collect::<Result<_, _>>().map(Some)
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

    fn apply_per_channel(
        &mut self,
        (step, op): (&str, Op),
        plan: &PreprocessingPlan,
        numbers: &[f32],
    ) -> Result<(), PassFailure> {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let constant = self.constant(&format!("{step}/constant"), &plan.channel_type(numbers.len()), &bytes)?;
        self.apply((step, op), Some(constant), &[], plan.wanted.clone())
    }
}

fn insert(mut chain: Chain<'_, '_, '_>, plan: &PreprocessingPlan) -> Result<(), PassFailure> {
    let (context, argument) = (chain.context, chain.value);
    let users = ir::users(argument);
    // A type is changed by way of the value; what reads it reads the end of the chain from now on.
    ir::set_result_type(argument, plan.given.to_type(context));
    if plan.image {
        // Bytes are moved before they become four times as many.
        let moved = TensorType::with_dimensions(ElementType::U8, plan.wanted.dimensions.clone());
        if plan.layout == Layout::Nchw {
            let permutation = attribute::integers(context, &[0, 3, 1, 2]);
            chain.apply(("transpose", Op::Transpose), None, &[("perm", permutation)], moved.clone())?;
        }
        if plan.swap_channels {
            let order: Vec<u8> = [2i64, 1, 0].iter().flat_map(|channel| channel.to_le_bytes()).collect();
            let order = chain.constant("swap_channels/order", &TensorType::new(ElementType::I64, &[3]), &order)?;
            let axis = attribute::si64(context, plan.layout.channel_dimension() as i64);
            chain.apply(("swap_channels", Op::Gather), Some(order), &[("axis", axis)], moved)?;
        }
        chain.apply(("cast", Op::Cast), None, &[], plan.wanted.clone())?;
    }
    if let Some(mean) = &plan.negative_mean {
        chain.apply_per_channel(("subtract_mean", Op::Add), plan, mean)?;
    }
    if let Some(scale) = &plan.scale {
        chain.apply_per_channel(("multiply_scale", Op::Mul), plan, scale)?;
    }
    for user in users {
        for (index, operand) in user.operands().enumerate().collect::<Vec<_>>() {
            if operand.to_raw().ptr == argument.to_raw().ptr {
                ir::set_operand(user, index, chain.value);
            }
        }
    }
    Ok(())
}
