//! An image of a camera in place of a network's input: what reads the input reads bytes instead.
//!
//! Convolutions take the conversion into their weights (`docs/decisions/0050-images-of-a-camera.md`); what else reads the input reads
//! a convolution of 1x1 cells that is the conversion.

use super::fold_image::{Filters, FoldedFilters, OFFSET_CHANNELS, STEP, WEIGHT_BITS};
use super::image_conversion::ImageConversion;
use super::preprocessing::{InputType, Layout, Preprocessing};
use crate::numerics::bias_scale;
use hb_dialects::{
    ElementType, bpu,
    hfloat::{Op, SlidingWindow, attributes},
    ir::{self, Constant, Element, Names, OperationAttributes, Origin, Quantized, Scale, TensorType, attribute},
    names::{LAYOUT, NAME, PART, REGION, SUM_OF_PARTS},
    pass::PassFailure,
    quant,
};
use melior::{
    Context,
    ir::{Attribute, BlockLike, BlockRef, Location, OperationRef, Value, ValueLike, operation::OperationLike},
};
use std::collections::VecDeque;

/// Bits of the integers of an image.
const IMAGE_BITS: u32 = 8;
/// Bits of a bias.
const BIAS_BITS: u32 = 32;
/// From `[N, H, W, C]` to `[N, C, H, W]` and back.
const TO_NCHW: [i64; 4] = [0, 3, 1, 2];
const TO_NHWC: [i64; 4] = [0, 2, 3, 1];

/// Rows and columns of the largest picture of which a region can be taken. A convention of deployed models: memory is set aside for it.
const LARGEST_PICTURE: usize = 4096;
/// What is added to the name of an input for that which says the region of a picture (manual, "input_source").
const REGION_ENDING: &str = "_roi";
/// Behind the name of an nv12 image: its plane of luma, and that of both chroma.
const PLANE_ENDINGS: [&str; 2] = ["_y", "_uv"];

/// What is added to the name of an image that comes as `r#type`, for the inputs of the deployed model that take its place.
pub fn image_endings(r#type: InputType, resized: bool) -> Vec<&'static str> {
    let planes: &[&str] = if r#type == InputType::Nv12 { &PLANE_ENDINGS } else { &[""] };
    planes.iter().copied().chain(resized.then_some(REGION_ENDING)).collect()
}
/// Left, top, right, bottom.
const REGION_SHAPE: [usize; 2] = [1, 4];

/// The integers of an image.
fn image_integers() -> Quantized {
    Quantized { bits: IMAGE_BITS, scale: Scale::symmetric(STEP) }
}

/// What is to be inserted for one input.
pub(super) struct ImagePlan {
    /// Of the network's input: batch, rows, columns.
    size: [usize; 3],
    /// Channels of the deployed image.
    colours: usize,
    layout: Layout,
    /// Whether luma and chroma are two planes.
    planes: bool,
    /// Whether the image is a resized region of a picture.
    resized: bool,
    /// Of the deployed image: bytes, or the integers themselves.
    element: Element,
    conversion: ImageConversion,
}

/// A plane of an image.
struct Plane {
    /// Added to the name of the input.
    ending: &'static str,
    /// Rows and columns of pixels that an element covers.
    block: usize,
    shape: [usize; 4],
}

impl ImagePlan {
    /// The plan for an argument.
    ///
    /// # Errors
    /// When its type is none that an image can become, or there are not as many numbers as channels.
    pub fn new(argument: Value<'_, '_>, preprocessing: &Preprocessing) -> Result<Self, String> {
        let conversion = ImageConversion::of(preprocessing)?;
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
        let rows = conversion.offset.len();
        if rows != c {
            let (name, layout) = (preprocessing.type_train, layout.name());
            return Err(format!("{name} has {rows} channels, but with {layout} it has {c}"));
        }
        let planes = preprocessing.type_rt == InputType::Nv12;
        if planes && (h % 2 != 0 || w % 2 != 0) {
            return Err(format!("nv12 needs an even height and width, and it has {h}x{w}"));
        }
        if preprocessing.resized && n != 1 {
            return Err(format!(
                "the resizer gives one image, and the input takes {n}; leave input_batch or input_source out"
            ));
        }
        let colours = conversion.matrix.first().map_or(0, Vec::len);
        let element = match preprocessing.type_rt {
            InputType::Yuv444_128 => Element::Quantized(image_integers()),
            _ => ElementType::U8.into(),
        };
        let resized = preprocessing.resized;
        Ok(Self { size: [n, h, w], colours, layout, planes, resized, element, conversion })
    }

    /// The planes of an image of this size.
    fn planes(&self, [n, h, w]: [usize; 3]) -> Vec<Plane> {
        let plane = |ending, block, channels| Plane { ending, block, shape: [n, h / block, w / block, channels] };
        match self.planes {
            true => PLANE_ENDINGS
                .into_iter()
                .zip([(1, 1), (2, 2)])
                .map(|(ending, (block, channels))| plane(ending, block, channels))
                .collect(),
            false => vec![plane("", 1, self.colours)],
        }
    }

    /// The inputs of the deployed model in place of the network's: what is added to its name, element and shape.
    fn inputs(&self) -> Vec<(&'static str, Element, Vec<usize>)> {
        let size = if self.resized { [1, LARGEST_PICTURE, LARGEST_PICTURE] } else { self.size };
        let planes = self.planes(size).into_iter();
        let planes = planes.map(|plane| (plane.ending, self.element.clone(), plane.shape.to_vec()));
        let region = (REGION_ENDING, ElementType::I32.into(), REGION_SHAPE.to_vec());
        planes.chain(self.resized.then_some(region)).collect()
    }
}

/// Inserts the image in place of argument `index` of the function.
///
/// # Errors
/// When an operation cannot be built, or a name is taken.
pub(super) fn insert(
    function: OperationRef<'_, '_>,
    (index, name): (usize, &str),
    plan: &ImagePlan,
    names: &mut Names,
) -> Result<(), PassFailure> {
    let message = |text: String| PassFailure::Message(format!("input '{name}': {text}"));
    let block = ir::body(function).ok_or_else(|| message("the function has no body".into()))?;
    let argument =
        ir::arguments(block).get(index).copied().ok_or_else(|| message("there is no such argument".into()))?;
    let convolutions = foldable(&views(argument, plan.layout))?;
    let offsets = plan.conversion.offset.iter().any(|offset| *offset != 0.0);
    let with_channels = offsets && convolutions.iter().any(|convolution| convolution.padded);
    let planes = deploy(function, (index, name), plan)?;
    let mut writer = Writer { context: function.context_reference(), place: Place::Start(block), names };
    let input = Origin::without_node(name).part("preprocess");
    let planes = writer.planes(&input, plan, planes)?;
    let image = writer.image(&input, plan, &planes, with_channels)?;
    let channels = plan.colours + if with_channels { OFFSET_CHANNELS.len() } else { 0 };
    for (convolution, filters) in folded(convolutions, plan, with_channels, channels) {
        let operation = convolution.operation;
        let place = Place::Before(operation);
        let mut writer = Writer { context: writer.context, place, names: &mut *writer.names };
        let constants = writer.filters(&operation.origin(), &convolution.kernel, &filters)?;
        let old: Vec<_> = operation.operands().filter_map(ir::defining_operation).collect();
        ir::set_operands(operation, &[image, constants[0], constants[1]]);
        old.into_iter().for_each(erase_unread);
    }
    // Casts of the input that convolutions alone read are gone by now.
    let left: Vec<_> = ir::users(argument).into_iter().filter(|reader| bpu::Op::of(*reader).is_none()).collect();
    if !left.is_empty() {
        let own = widest(&left);
        let converted = writer.conversion(&input, (plan, own.as_ref()), image, channels)?;
        redirect(&mut writer, &input, plan.layout, (argument, left), (converted, own))?;
    }
    Ok(())
}

/// Makes the argument the planes of the deployed image, and the region of them behind these, where there is one.
fn deploy<'c: 'a, 'a>(
    function: OperationRef<'c, 'a>,
    (index, name): (usize, &str),
    plan: &ImagePlan,
) -> Result<Vec<Value<'c, 'a>>, PassFailure> {
    let context = function.context_reference();
    let taken = hb_dialects::names::input_names(function);
    let region = plan.resized.then(|| format!("{name}{REGION_ENDING}"));
    let mut planes = Vec::new();
    for (offset, (ending, element, shape)) in plan.inputs().into_iter().enumerate() {
        let (index, name) = (index + offset, format!("{name}{ending}"));
        if !ending.is_empty() && taken.contains(&name) {
            return Err(PassFailure::Message(format!(
                "there are two inputs '{name}': the image and another one; rename it"
            )));
        }
        let r#type = TensorType::new(element, &shape).to_type(context);
        let arguments = ir::body(function).map(ir::arguments).unwrap_or_default();
        let value = match (offset, arguments.get(index)) {
            (0, Some(argument)) => {
                ir::set_result_type(*argument, r#type);
                Some(*argument)
            }
            _ => ir::insert_argument(function, index, r#type, Location::unknown(context)),
        };
        planes.push(value.ok_or_else(|| PassFailure::Message(format!("there is no argument {index}")))?);
        // The attributes of a new argument are those of a function that has it.
        ir::update_function_type(context, function);
        if ending != REGION_ENDING {
            ir::set_argument_attribute(function, index, LAYOUT, attribute::string(context, Layout::Nhwc.name()));
            if let Some(region) = &region {
                ir::set_argument_attribute(function, index, REGION, attribute::string(context, region));
            }
        }
        if !ending.is_empty() {
            ir::set_argument_attribute(function, index, NAME, attribute::string(context, &name));
        }
    }
    Ok(planes)
}

/// The values that are the input in NCHW, through casts and a transposition to it.
fn views<'c: 'a, 'a>(argument: Value<'c, 'a>, layout: Layout) -> Vec<Value<'c, 'a>> {
    let (mut found, mut open) = (Vec::new(), vec![(argument, layout)]);
    while let Some((value, layout)) = open.pop() {
        if layout == Layout::Nchw {
            found.push(value);
        }
        for reader in ir::users(value) {
            let results = || ir::results(reader).into_iter();
            if quant::Op::QuantizeCast.is(reader) {
                let casts = results().flat_map(ir::users).filter(|cast| quant::Op::DequantizeCast.is(*cast));
                open.extend(casts.flat_map(ir::results).map(|result| (result, layout)));
            } else if layout == Layout::Nhwc
                && Op::Transpose.is(reader)
                && attributes::perm(reader).is_ok_and(|permutation| permutation == TO_NCHW)
            {
                open.extend(results().map(|result| (result, Layout::Nchw)));
            }
        }
    }
    found
}

/// A convolution of the network that can read the deployed image.
struct Foldable<'c, 'a> {
    operation: OperationRef<'c, 'a>,
    filters: Filters,
    kernel: Vec<usize>,
    padded: bool,
}

/// The convolutions with their filters for the deployed image; the two parts of a layer of 16 bits are folded together.
fn folded<'c: 'a, 'a>(
    convolutions: Vec<Foldable<'c, 'a>>,
    plan: &ImagePlan,
    with_channels: bool,
    channels: usize,
) -> Vec<(Foldable<'c, 'a>, FoldedFilters)> {
    let mut left = VecDeque::from(convolutions);
    let mut done = Vec::new();
    while let Some(convolution) = left.pop_front() {
        let in_channels = with_channels && convolution.padded;
        let sum = convolution.sum_of_parts();
        let other = left.iter().position(|other| sum.is_some() && other.sum_of_parts() == sum);
        let Some(other) = other.and_then(|other| left.remove(other)) else {
            let filters = convolution.filters.folded(&plan.conversion, in_channels, channels);
            done.push((convolution, filters));
            continue;
        };
        // The part with the larger weights is the one that was rounded first.
        let [high, low] =
            if convolution.reach() >= other.reach() { [convolution, other] } else { [other, convolution] };
        let both = [&high.filters, &low.filters];
        let filters = Filters::folded_in_parts(both, &plan.conversion, in_channels, channels);
        done.extend([high, low].into_iter().zip(filters));
    }
    done
}

impl Foldable<'_, '_> {
    /// Where the sum is that this is a part of.
    fn sum_of_parts(&self) -> Option<usize> {
        if !self.operation.has_attribute(PART) {
            return None;
        }
        let readers = ir::results(self.operation).into_iter().flat_map(readers_behind_casts);
        let sum = readers.into_iter().find(|reader| reader.has_attribute(SUM_OF_PARTS));
        sum.map(|sum| sum.to_raw().ptr as usize)
    }

    /// The largest magnitude of a weight.
    fn reach(&self) -> f64 {
        self.filters.weights.iter().fold(0.0, |most: f64, weight| most.max(weight.abs()))
    }
}

/// The operations that read a value, through casts.
pub(crate) fn readers_behind_casts<'c: 'a, 'a>(value: Value<'c, 'a>) -> Vec<OperationRef<'c, 'a>> {
    let mut found = Vec::new();
    for user in ir::users(value) {
        match quant::Op::is_cast(user) {
            true => found.extend(ir::results(user).into_iter().flat_map(readers_behind_casts)),
            false => found.push(user),
        }
    }
    found
}

/// The quantized convolutions without groups that read one of these values.
fn foldable<'c: 'a, 'a>(views: &[Value<'c, 'a>]) -> Result<Vec<Foldable<'c, 'a>>, PassFailure> {
    let mut found: Vec<Foldable<'c, 'a>> = Vec::new();
    for reader in views.iter().copied().flat_map(ir::users) {
        let known =
            |found: &[Foldable<'_, '_>]| found.iter().any(|known| known.operation.to_raw().ptr == reader.to_raw().ptr);
        if !Op::Conv.is(reader) || known(&found) || attributes::group(reader)? != 1 {
            continue;
        }
        let image = reader.operand_at(0)?.to_raw().ptr;
        let window = SlidingWindow::of(reader).map_err(PassFailure::Message)?;
        let Some(weight) = behind_casts(reader.operand_at(1)?) else { continue };
        if views.iter().all(|view| view.to_raw().ptr != image) {
            continue;
        }
        let shape = weight.r#type.static_shape()?;
        let (&[rows, channels, ..], kernel) = (shape.as_slice(), shape.get(2..).unwrap_or_default().to_vec()) else {
            continue;
        };
        let bias = match reader.operand_at(2) {
            Ok(bias) => match behind_casts(bias) {
                Some(bias) => bias.to_f64s()?,
                None => continue,
            },
            Err(_) => vec![0.0; rows],
        };
        let result_scale = widest(&ir::results(reader).into_iter().flat_map(ir::users).collect::<Vec<_>>());
        let result_scale = result_scale.as_ref().and_then(scale_per_tensor);
        let cells = kernel.iter().product();
        let filters = Filters { weights: weight.to_f64s()?, rows, channels, cells, bias, result_scale };
        let padded = window.pads_begin.iter().chain(&window.pads_end).any(|pad| *pad > 0);
        found.push(Foldable { operation: reader, filters, kernel, padded });
    }
    Ok(found)
}

/// The integers that a cast makes; none of another operation.
fn cast_type(cast: OperationRef<'_, '_>) -> Option<Quantized> {
    let result = ir::results(cast).into_iter().next().filter(|_| quant::Op::QuantizeCast.is(cast))?;
    match TensorType::from_type(result.r#type()).ok()?.element {
        Element::Quantized(quantized) => Some(quantized),
        Element::Plain(_) => None,
    }
}

/// The widest integers that readers of a value make of it.
fn widest(readers: &[OperationRef<'_, '_>]) -> Option<Quantized> {
    let types = readers.iter().filter_map(|reader| cast_type(*reader));
    types.reduce(|widest, next| if next.bits > widest.bits { next } else { widest })
}

fn scale_per_tensor(quantized: &Quantized) -> Option<f64> {
    match quantized.scale {
        Scale::PerTensor(affine) => Some(affine.scale),
        Scale::PerAxis { .. } => None,
    }
}

/// The constant that casts give back as integers; none for another value, or one that is not quantized.
fn behind_casts<'a>(value: Value<'_, '_>) -> Option<Constant<'a>> {
    let dequantize = ir::defining_operation(value).filter(|cast| quant::Op::DequantizeCast.is(*cast))?;
    let quantize = ir::defining_operation(dequantize.operand_at(0).ok()?)?;
    ir::constant_of(quantize.operand_at(0).ok().filter(|_| quant::Op::QuantizeCast.is(quantize))?)
}

/// Takes an operation away that nothing reads, and what only it read.
fn erase_unread(operation: OperationRef<'_, '_>) {
    let goes = quant::Op::is_cast(operation) || matches!(Op::of(operation), Some(Op::Transpose | Op::Constant));
    if !goes || ir::results(operation).into_iter().any(|result| !ir::users(result).is_empty()) {
        return;
    }
    let operands: Vec<_> = operation.operands().filter_map(ir::defining_operation).collect();
    // SAFETY: nothing uses its results, and no handle to it is used below.
    unsafe { ir::erase(operation) };
    operands.into_iter().for_each(erase_unread);
}

/// Makes the readers of the input read the converted image, in the types that they see.
fn redirect<'c: 'a, 'a>(
    writer: &mut Writer<'c, 'a, '_>,
    input: &Origin,
    layout: Layout,
    (argument, readers): (Value<'c, 'a>, Vec<OperationRef<'c, 'a>>),
    (mut converted, own): (Value<'c, 'a>, Option<Quantized>),
) -> Result<(), PassFailure> {
    // The image exists in its widest type; the others are made of that.
    if let Some(own) = &own {
        converted = writer.cast(&input.part("convert"), converted, own)?;
    }
    if layout == Layout::Nhwc {
        converted = writer.transposed(&input.part("transpose"), converted, &TO_NHWC)?;
        if let Some(own) = &own {
            converted = writer.cast(&input.part("transpose"), converted, own)?;
        }
    }
    for reader in readers {
        if own.is_some() && cast_type(reader) == own {
            let casts: Vec<_> = ir::results(reader).into_iter().flat_map(ir::users).collect();
            if casts.is_empty() {
                erase_unread(reader);
            }
            for cast in casts {
                ir::results(cast).into_iter().for_each(|result| ir::replace_all_uses(result, converted));
                erase_unread(cast);
            }
            continue;
        }
        for (index, operand) in reader.operands().enumerate().collect::<Vec<_>>() {
            if operand.to_raw().ptr == argument.to_raw().ptr {
                ir::set_operand(reader, index, converted);
            }
        }
    }
    Ok(())
}

/// Where operations are put.
#[derive(Clone, Copy)]
enum Place<'c, 'a> {
    Start(BlockRef<'c, 'a>),
    After(OperationRef<'c, 'a>),
    Before(OperationRef<'c, 'a>),
}

/// Builds operations one after the other.
struct Writer<'c, 'a, 'n> {
    context: &'c Context,
    place: Place<'c, 'a>,
    names: &'n mut Names,
}

impl<'c, 'a> Writer<'c, 'a, '_> {
    fn build(
        &mut self,
        (name, origin): (&str, &Origin),
        operands: &[Value<'c, 'a>],
        attributes: &[(&str, Attribute<'c>)],
        r#type: &TensorType,
    ) -> Result<Value<'c, 'a>, PassFailure> {
        let origin = origin.clone().named(self.names.unique(&origin.name));
        let types = [r#type.to_type(self.context)];
        let built = ir::build(self.context, name, operands, attributes, &types, vec![], origin.location(self.context))?;
        let built = match self.place {
            Place::Start(block) => block.insert_operation(0, built),
            Place::After(operation) => ir::insert_after(operation, built),
            Place::Before(operation) => ir::insert_before(operation, built),
        };
        if !matches!(self.place, Place::Before(_)) {
            self.place = Place::After(built);
        }
        ir::results(built).into_iter().next().ok_or_else(|| PassFailure::Message(format!("'{name}' has no result")))
    }

    /// The f32 value that casts to integers give back.
    fn cast(&mut self, origin: &Origin, value: Value<'c, 'a>, to: &Quantized) -> Result<Value<'c, 'a>, PassFailure> {
        let plain = TensorType::from_type(value.r#type())?;
        let integers = TensorType { element: Element::Quantized(to.clone()), ..plain.clone() };
        let quantized =
            self.build((quant::Op::QuantizeCast.name(), &origin.part("quantize")), &[value], &[], &integers)?;
        self.dequantized(origin, quantized, &plain)
    }

    fn dequantized(
        &mut self,
        origin: &Origin,
        value: Value<'c, 'a>,
        plain: &TensorType,
    ) -> Result<Value<'c, 'a>, PassFailure> {
        self.build((quant::Op::DequantizeCast.name(), &origin.part("dequantize")), &[value], &[], plain)
    }

    fn transposed(
        &mut self,
        origin: &Origin,
        value: Value<'c, 'a>,
        permutation: &[i64; 4],
    ) -> Result<Value<'c, 'a>, PassFailure> {
        let shape = TensorType::from_type(value.r#type())?.static_shape()?;
        let moved: Vec<usize> = permutation.iter().filter_map(|axis| shape.get(*axis as usize).copied()).collect();
        let permutation = attribute::integers(self.context, permutation);
        let r#type = TensorType::new(ElementType::F32, &moved);
        self.build((Op::Transpose.name(), origin), &[value], &[("perm", permutation)], &r#type)
    }

    /// The planes of the image: those that are deployed, or what regions of them become.
    fn planes(
        &mut self,
        input: &Origin,
        plan: &ImagePlan,
        deployed: Vec<Value<'c, 'a>>,
    ) -> Result<Vec<Value<'c, 'a>>, PassFailure> {
        if !plan.resized {
            return Ok(deployed);
        }
        let Some((region, pictures)) = deployed.split_last() else { return Ok(Vec::new()) };
        let mut planes = Vec::new();
        for (picture, Plane { ending, block, shape }) in pictures.iter().zip(plan.planes(plan.size)) {
            planes.push(self.build(
                (bpu::Op::RoiResize.name(), &input.part(&format!("resize{ending}"))),
                &[*picture, *region],
                &[("block", attribute::i64(self.context, block as i64))],
                &TensorType::new(Element::Quantized(image_integers()), &shape),
            )?);
        }
        Ok(planes)
    }

    /// The image of the planes as f32 in NCHW, with its casts.
    fn image(
        &mut self,
        input: &Origin,
        plan: &ImagePlan,
        planes: &[Value<'c, 'a>],
        with_channels: bool,
    ) -> Result<Value<'c, 'a>, PassFailure> {
        let constants: &[i8] = if with_channels { &OFFSET_CHANNELS } else { &[] };
        let [n, h, w] = plan.size;
        let integers = image_integers();
        let shape = [n, h, w, plan.colours + constants.len()];
        let origin = input.part("image");
        let image = self.build(
            (bpu::Op::CameraImage.name(), &origin),
            planes,
            &[("constants", attribute::bytes(self.context, constants))],
            &TensorType::new(Element::Quantized(integers.clone()), &shape),
        )?;
        let image = self.dequantized(&origin, image, &TensorType::new(ElementType::F32, &shape))?;
        let moved = self.transposed(&origin.part("transpose"), image, &TO_NCHW)?;
        self.cast(&origin.part("transpose"), moved, &integers)
    }

    /// Weights and bias as constants with their casts.
    fn filters(
        &mut self,
        origin: &Origin,
        kernel: &[usize],
        FoldedFilters { filters, scales }: &FoldedFilters,
    ) -> Result<[Value<'c, 'a>; 2], PassFailure> {
        let shape = [&[filters.rows, filters.channels], kernel].concat();
        let biases = scales.iter().map(|scale| bias_scale(STEP, *scale)).collect();
        let mut constant = |part: &str, shape: &[usize], values: &[f64], bits: u32, scales: Vec<f64>| {
            let origin = origin.part(part);
            let r#type = TensorType::new(ElementType::F32, shape);
            let bytes: Vec<u8> = values.iter().flat_map(|value| (*value as f32).to_le_bytes()).collect();
            let value = ir::constant_attribute(self.context, &origin.name, &r#type, &bytes)?;
            let value = self.build((Op::Constant.name(), &origin), &[], &[("value", value)], &r#type)?;
            self.cast(&origin, value, &Quantized { bits, scale: Scale::PerAxis { axis: 0, scales } })
        };
        let weight = constant("weight", &shape, &filters.weights, WEIGHT_BITS, scales.clone())?;
        let bias = constant("bias", &[filters.rows], &filters.bias, BIAS_BITS, biases)?;
        Ok([weight, bias])
    }

    /// The convolution that is the conversion; its result becomes these integers.
    fn conversion(
        &mut self,
        input: &Origin,
        (plan, result): (&ImagePlan, Option<&Quantized>),
        image: Value<'c, 'a>,
        channels: usize,
    ) -> Result<Value<'c, 'a>, PassFailure> {
        let origin = input.part("convert");
        let filters = Filters::of_conversion(&plan.conversion, result.and_then(scale_per_tensor));
        let filters = filters.folded(&plan.conversion, false, channels);
        let [weight, bias] = self.filters(&origin, &[1, 1], &filters)?;
        let [n, h, w] = plan.size;
        let r#type = TensorType::new(ElementType::F32, &[n, filters.filters.rows, h, w]);
        let window = |values: &[i64]| attribute::integers(self.context, values);
        let attributes = [("strides", window(&[1, 1])), ("pads", window(&[0; 4])), ("dilations", window(&[1, 1]))];
        self.build((Op::Conv.name(), &origin), &[image, weight, bias], &attributes, &r#type)
    }
}
