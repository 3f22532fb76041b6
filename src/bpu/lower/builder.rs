//! Builds a segment from operations of the QDQ form, and keeps track of the layouts in which each value exists.

use super::{
    typing::{Typing, makes_integers},
    values::{Output, QuantizedConstant, QuantizedOperand, QuantizedValue, Worth},
};
use crate::bpu::constraints::Known;
use crate::bpu::mlir;
use crate::bpu::model::{
    BpuElement, BpuTensor, Clamp, Convolution, NetworkValue, Operator, Segment, TensorId, TensorScale, ValueLayout,
    VectorProgram,
};
use crate::numerics::low_bytes;
use hb_dialects::bpu;
use hb_dialects::ir::{self, Names, OperationAttributes, Origin, TensorType};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};
use std::collections::HashMap;

/// How a value is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueForm {
    /// In ONNX order, with the shape that the network says.
    Network,
    /// NHWC of rank 4: `[N, C, H, W]` becomes `[N, H, W, C]`, `[N, C, L]` becomes `[N, 1, L, C]`.
    ChannelsLast,
}

/// What a segment takes from outside, in the order of its inputs.
#[derive(Clone, Copy)]
pub enum External<'c, 'a> {
    /// An f32 value, quantized inside, what is as f32 here, or a plane of a camera.
    Plain(Value<'c, 'a>),
    /// A value of an earlier segment that is not f32, by its key, in network form.
    Quantized(usize),
}

/// A segment under construction.
#[derive(Default)]
pub struct Builder<'c: 'a, 'a> {
    pub segment: Segment,
    pub externals: Vec<External<'c, 'a>>,
    forms: HashMap<(usize, ValueForm), TensorId>,
    /// f32 values that the segment computes, in network form.
    floats: HashMap<usize, TensorId>,
    /// Values that come as f32 from outside the BPU.
    float_sources: HashMap<usize, Value<'c, 'a>>,
    typing: Typing,
    /// The operation at hand.
    origin: Origin,
    /// Whether a node has its name.
    named: bool,
    /// Those of the network, and of all nodes so far.
    pub names: Names,
    /// What functions and constants may be made of.
    pub known: Known,
}

/// The part of an operation that computes its result: a node with the operation's own name.
pub const ITSELF: &str = "";

/// The permutation of `[N, C, H, W]` that gives `[N, H, W, C]`.
pub const TO_CHANNELS_LAST: [usize; 4] = [0, 2, 3, 1];
const FROM_CHANNELS_LAST: [usize; 4] = [0, 3, 1, 2];

/// The shape of a value in a form; `None` when a value of that rank has no such form.
pub fn shape_in(form: ValueForm, shape: &[usize]) -> Option<Vec<usize>> {
    match (form, shape) {
        (ValueForm::Network, _) => Some(shape.to_vec()),
        (ValueForm::ChannelsLast, &[n, c, h, w]) => Some(vec![n, h, w, c]),
        (ValueForm::ChannelsLast, &[n, c, l]) => Some(vec![n, 1, l, c]),
        _ => None,
    }
}

impl<'c: 'a, 'a> Builder<'c, 'a> {
    /// A builder that quantizes these values itself, from the f32 values given, and gives nodes names that are not among these.
    pub fn new(float_sources: HashMap<usize, Value<'c, 'a>>, names: Names) -> Self {
        Self { float_sources, names, ..Self::default() }
    }

    /// A builder for the form of one operation, with what is known of it.
    pub fn asking(typing: Typing, known: Known) -> Self {
        Self { typing, known, ..Self::default() }
    }

    /// What operand `index` of an operation is.
    ///
    /// # Errors
    /// When it is not quantized.
    pub fn operand(&self, operation: OperationRef<'c, 'a>, index: usize) -> Result<QuantizedOperand<'c, 'a>, String> {
        self.typing.operand(self.known, operation, index)
    }

    /// The quantized value that an operation's result becomes.
    ///
    /// # Errors
    /// When it is not quantized.
    pub fn result(&self, operation: OperationRef<'c, 'a>) -> Result<QuantizedValue<'c, 'a>, String> {
        self.typing.result(operation)
    }

    /// What the result of a sum of products becomes.
    ///
    /// # Errors
    /// When its readers differ in what they see.
    pub fn output(&self, operation: OperationRef<'c, 'a>) -> Result<Output<'c, 'a>, String> {
        self.typing.output(operation)
    }

    /// Whether the value already exists in that form, or the integers that it is made of do.
    pub fn has(&self, value: &QuantizedValue<'c, 'a>, form: ValueForm) -> bool {
        let from = || value.from.as_ref().is_some_and(|from| self.has(from, form));
        self.forms.contains_key(&(value.key, form)) || from()
    }

    /// Says that a tensor of the segment is the value in a form.
    pub fn define(&mut self, value: &QuantizedValue<'c, 'a>, form: ValueForm, tensor: TensorId) {
        self.forms.insert((value.key, form), tensor);
    }

    /// Notes which tensor is the result of an operation that was just lowered.
    ///
    /// # Errors
    /// As [`Self::output`].
    pub fn note_value(&mut self, operation: OperationRef<'c, 'a>) -> Result<(), String> {
        let found = match self.output(operation)? {
            Output::Quantized(value) => {
                [(ValueForm::ChannelsLast, ValueLayout::ChannelsLast), (ValueForm::Network, ValueLayout::Network)]
                    .into_iter()
                    .find_map(|(form, layout)| Some((*self.forms.get(&(value.key, form))?, layout)))
            }
            Output::Exact { value, .. } => self.float(value).map(|id| (id, ValueLayout::Network)),
        };
        if let Some((tensor, layout)) = found {
            self.segment.values.push(NetworkValue { node: operation.node(), tensor, layout });
        }
        Ok(())
    }

    /// The value in a form, with the nodes that bring it there when it only exists in another.
    ///
    /// # Errors
    /// When a value of its rank has no such form.
    pub fn tensor(&mut self, value: &QuantizedValue<'c, 'a>, form: ValueForm) -> Result<TensorId, String> {
        if let Some(&id) = self.forms.get(&(value.key, form)) {
            return Ok(id);
        }
        let rank = value.shape.len();
        shape_in(form, &value.shape).ok_or_else(|| format!("a value of rank {rank} has no height and width"))?;
        if let Some(from) = &value.from {
            return self.requantized(value, from, form);
        }
        let other = match form {
            ValueForm::Network if self.has(value, ValueForm::ChannelsLast) => ValueForm::ChannelsLast,
            ValueForm::Network => return self.import(value),
            ValueForm::ChannelsLast => ValueForm::Network,
        };
        let from = self.tensor(value, other)?;
        let id = self.convert(&value.shape, &value.worth.scale(), from, form);
        self.define(value, form, id);
        Ok(id)
    }

    /// A value in another type than the one in which it is computed, in a form.
    fn requantized(
        &mut self,
        value: &QuantizedValue<'c, 'a>,
        from: &QuantizedValue<'c, 'a>,
        form: ValueForm,
    ) -> Result<TensorId, String> {
        let source = self.tensor(from, form)?;
        let id = self.rescale(source, from.worth, value.worth);
        self.define(value, form, id);
        Ok(id)
    }

    /// The elements of a tensor as others; nothing where they are those already.
    pub fn rescale(&mut self, from: TensorId, own: Worth, wanted: Worth) -> TensorId {
        if own == wanted {
            return from;
        }
        if [own, wanted].iter().any(|worth| worth.element == BpuElement::F16) {
            return self.convert_elements(from, (wanted.element, wanted.scale()));
        }
        self.compute("requantize", Operator::Requantize { clamp: None }, &[from], self.shape(from), wanted)
    }

    /// The float engine loads elements of one type, and stores them as another.
    fn convert_elements(&mut self, from: TensorId, (element, scale): (BpuElement, TensorScale)) -> TensorId {
        let operator = Operator::Vector { axes: Vec::new(), program: Box::new(VectorProgram::conversion()) };
        self.add("convert", operator, &[from], (self.shape(from), element, scale))
    }

    /// Brings a value in from outside, in network form.
    fn import(&mut self, value: &QuantizedValue<'c, 'a>) -> Result<TensorId, String> {
        let (element, scale, shape) = (value.worth.element, value.worth.scale(), value.shape.clone());
        let source = self.float_sources.get(&value.key).copied();
        let maker = source.and_then(ir::defining_operation).filter(|operation| makes_integers(*operation));
        let id = match (maker, source) {
            (Some(maker), _) => self.import_made(maker, (shape, element, scale))?,
            (None, Some(source)) => {
                let input = self.plain_input(source, false)?;
                match element {
                    BpuElement::F16 => self.convert_elements(input, (element, scale)),
                    _ => self.add("quantize", Operator::Quantize, &[input], (shape, element, scale)),
                }
            }
            (None, None) => {
                self.externals.push(External::Quantized(value.key));
                self.segment.add_input(BpuTensor::new(self.origin.name.clone(), shape, element, scale))
            }
        };
        self.define(value, ValueForm::Network, id);
        Ok(id)
    }

    /// The node that makes integers of what comes from outside.
    fn import_made(
        &mut self,
        maker: OperationRef<'c, 'a>,
        result: (Vec<usize>, BpuElement, TensorScale),
    ) -> Result<TensorId, String> {
        let (output, _, _) = &result;
        let operator = mlir::operator(maker, output).map_err(|error| error.to_string())?;
        let mut given = Vec::new();
        for operand in maker.operands() {
            given.push(match ir::defining_operation(operand).filter(|plane| bpu::Op::RoiResize.is(*plane)) {
                Some(plane) => self.import_plane(plane, operand)?,
                None => self.plain_input(operand, false)?,
            });
        }
        // It is a node of its own, made before the one at hand.
        let mut origin = maker.origin();
        origin.name = self.names.unique(&origin.name);
        let (reader, named) = (std::mem::replace(&mut self.origin, origin), std::mem::replace(&mut self.named, false));
        let id = self.add(ITSELF, operator, &given, result);
        (self.origin, self.named) = (reader, named);
        Ok(id)
    }

    /// The node that makes a plane of an image of a region of a picture, which comes from outside.
    fn import_plane(&mut self, resize: OperationRef<'c, 'a>, plane: Value<'c, 'a>) -> Result<TensorId, String> {
        let tensor = mlir::tensor_of(plane.r#type(), String::new()).map_err(|error| error.to_string())?;
        self.import_made(resize, (tensor.shape, tensor.element, tensor.scale))
    }

    /// The input for an outside value as it is, or as f32, shared by all that read it.
    fn plain_input(&mut self, source: Value<'c, 'a>, as_float: bool) -> Result<TensorId, String> {
        let same = |external: &External<'_, '_>| matches!(external, External::Plain(value) if value.to_raw().ptr == source.to_raw().ptr);
        if let Some(position) = self.externals.iter().position(same)
            && let Some(&id) = self.segment.inputs.get(position)
        {
            return Ok(id);
        }
        let name =
            ir::defining_operation(source).map_or_else(|| self.origin.name.clone(), |operation| operation.node());
        let r#type = TensorType::from_type(source.r#type()).map_err(|error| error.to_string())?;
        let tensor = match (as_float, r#type.static_shape()) {
            (true, Ok(shape)) => BpuTensor::new(name, shape, BpuElement::F32, TensorScale::None),
            _ => mlir::tensor_of(source.r#type(), name).map_err(|error| error.to_string())?,
        };
        self.externals.push(External::Plain(source));
        Ok(self.segment.add_input(tensor))
    }

    /// Adds the transpose and reshape from the other form to `to`, for a value of that shape in ONNX order.
    fn convert(&mut self, shape: &[usize], scale: &TensorScale, from: TensorId, to: ValueForm) -> TensorId {
        match (to, shape) {
            (ValueForm::ChannelsLast, &[n, c, l]) => {
                let moved = self.transpose(from, &[0, 2, 1], scale);
                self.reshape(moved, &[n, 1, l, c], scale)
            }
            (ValueForm::Network, &[n, c, l]) => {
                let flat = self.reshape(from, &[n, l, c], scale);
                self.transpose(flat, &[0, 2, 1], scale)
            }
            (ValueForm::ChannelsLast, _) => self.transpose(from, &TO_CHANNELS_LAST, scale),
            (ValueForm::Network, _) => self.transpose(from, &FROM_CHANNELS_LAST, scale),
        }
    }

    /// A transpose; a reshape when no element moves.
    pub fn transpose(&mut self, from: TensorId, permutation: &[usize], scale: &TensorScale) -> TensorId {
        let shape = self.shape(from);
        let moved: Vec<usize> = permutation.iter().filter_map(|&i| shape.get(i).copied()).collect();
        let order: Vec<usize> = permutation.iter().copied().filter(|&i| shape.get(i) != Some(&1)).collect();
        if order.is_sorted() {
            return self.reshape(from, &moved, scale);
        }
        let element = self.element(from);
        let operator = Operator::Transpose { permutation: permutation.to_vec() };
        self.add("transpose", operator, &[from], (moved, element, scale.clone()))
    }

    /// A reshape; nothing when the shape is already that.
    pub fn reshape(&mut self, from: TensorId, shape: &[usize], scale: &TensorScale) -> TensorId {
        if self.shape(from) == shape {
            return from;
        }
        self.add("reshape", Operator::Reshape, &[from], (shape.to_vec(), self.element(from), scale.clone()))
    }

    /// Nodes that are added from now on are made of this operation.
    pub fn begin(&mut self, operation: OperationRef<'c, 'a>) {
        self.origin = operation.origin();
        self.named = false;
    }

    /// A node for a part of the operation at hand, with a result of this shape, element type and scale.
    fn add(
        &mut self,
        part: &str,
        operator: Operator,
        inputs: &[TensorId],
        (shape, element, scale): (Vec<usize>, BpuElement, TensorScale),
    ) -> TensorId {
        let origin = match part {
            ITSELF if !std::mem::replace(&mut self.named, true) => self.origin.clone(),
            ITSELF => self.origin.clone().named(self.names.unique(&self.origin.name)),
            part => self.names.derive(&self.origin, part),
        };
        let output = BpuTensor::new(origin.name.clone(), shape, element, scale);
        self.segment.add_node(origin, operator, inputs, output)
    }

    /// A node for a part of the operation at hand, with a result of these elements.
    pub fn compute(
        &mut self,
        part: &str,
        operator: Operator,
        inputs: &[TensorId],
        shape: Vec<usize>,
        worth: Worth,
    ) -> TensorId {
        self.add(part, operator, inputs, (shape, worth.element, worth.scale()))
    }

    /// A convolution in the place of an operation, and what its result of `shape` becomes: integers, or the exact sums as f32.
    ///
    /// # Errors
    /// When its activation, input or weight is none that a convolution takes.
    pub fn sums(
        &mut self,
        mut convolution: Convolution,
        (activation, inputs): (Option<(f64, f64)>, &[TensorId]),
        shape: Vec<usize>,
        output: &Output<'c, 'a>,
    ) -> Result<TensorId, String> {
        match output {
            Output::Quantized(value) => {
                convolution.clamp = clamp_of(activation, value.worth);
                Ok(self.compute(ITSELF, Operator::Convolution(convolution), inputs, shape, value.worth))
            }
            Output::Exact { .. } if activation.is_some() => Err("its activation needs a quantized result".to_owned()),
            Output::Exact { .. } => {
                let scale = self.sum_scale(inputs, shape.len()).ok_or("its input or weight has no scale")?;
                let sums = (shape, BpuElement::I32, scale);
                let id = self.add(ITSELF, Operator::Convolution(convolution), inputs, sums);
                Ok(self.dequantize(id))
            }
        }
    }

    /// The scale of the sums of products of an input and a weight, whose channels are the last axis of a result.
    fn sum_scale(&self, inputs: &[TensorId], rank: usize) -> Option<TensorScale> {
        let scale =
            |index: usize| inputs.get(index).and_then(|id| self.segment.tensor(*id)).map(|tensor| &tensor.scale);
        let input = scale(0)?.per_tensor()?.scale;
        match scale(1)? {
            TensorScale::None => None,
            TensorScale::PerTensor(weight) => Some(TensorScale::symmetric(input * weight.scale)),
            TensorScale::PerChannel { scales, .. } => Some(TensorScale::PerChannel {
                axis: rank.checked_sub(1)?,
                scales: scales.iter().map(|weight| input * weight).collect(),
            }),
        }
    }

    /// Says which tensor, in which form, is the result of [`Self::sums`].
    pub fn define_sums(&mut self, output: &Output<'c, 'a>, form: ValueForm, tensor: TensorId) {
        match output {
            Output::Quantized(value) => self.define(value, form, tensor),
            Output::Exact { value, shape } => {
                let id = match form {
                    ValueForm::Network => tensor,
                    ValueForm::ChannelsLast => self.convert(shape, &TensorScale::None, tensor, ValueForm::Network),
                };
                self.floats.insert(ir::address(*value), id);
            }
        }
    }

    /// The tensor of an f32 value that the segment computes, in network form.
    pub fn float(&self, value: Value<'c, 'a>) -> Option<TensorId> {
        self.floats.get(&ir::address(value)).copied()
    }

    /// A value as f32 in network form: what the segment computed, or what comes from outside. Truth values and integers of the network are f32 here.
    ///
    /// # Errors
    /// When its type is none that the BPU has.
    pub fn float_operand(&mut self, value: Value<'c, 'a>) -> Result<TensorId, String> {
        match self.float(value) {
            Some(id) => Ok(id),
            None => self.plain_input(value, true),
        }
    }

    /// A constant of its own type; without data when its values are not known. int32 is a bias, whose scale the convolution implies.
    pub fn constant(&mut self, part: &str, constant: &QuantizedConstant) -> TensorId {
        let scale = match &constant.scale {
            _ if constant.element == BpuElement::I32 => TensorScale::None,
            ir::Scale::PerTensor(affine) => TensorScale::PerTensor(*affine),
            ir::Scale::PerAxis { axis, scales } => TensorScale::PerChannel { axis: *axis, scales: scales.clone() },
        };
        let mut tensor = BpuTensor::new(self.origin.part(part).name, constant.shape.clone(), constant.element, scale);
        if let Some(integers) = &constant.integers {
            // The integers are in the range of the type.
            tensor = tensor.with_data(low_bytes(integers, constant.element.bytes() as usize));
        }
        self.segment.add_tensor(tensor)
    }

    /// A constant of f32 in this shape; without data when its values are not known.
    pub fn real_constant(&mut self, part: &str, shape: Vec<usize>, values: Option<Vec<f32>>) -> TensorId {
        let mut tensor = BpuTensor::new(self.origin.part(part).name, shape, BpuElement::F32, TensorScale::None);
        if let Some(values) = values {
            tensor = tensor.with_data(values.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>());
        }
        self.segment.add_tensor(tensor)
    }

    /// A program of the float engine in the place of an operation, with rows along `axes` and a result of this shape.
    pub fn vector(
        &mut self,
        axes: Vec<usize>,
        program: VectorProgram,
        inputs: &[TensorId],
        shape: Vec<usize>,
        output: &Output<'c, 'a>,
    ) -> TensorId {
        let (element, scale) = match output {
            Output::Quantized(value) => (value.worth.element, value.worth.scale()),
            Output::Exact { .. } => (BpuElement::F32, TensorScale::None),
        };
        let operator = Operator::Vector { axes, program: Box::new(program) };
        self.add(ITSELF, operator, inputs, (shape, element, scale))
    }

    /// The f32 form of a value, for readers outside the BPU.
    ///
    /// # Errors
    /// As for [`Self::tensor`].
    pub fn dequantized(&mut self, value: &QuantizedValue<'c, 'a>) -> Result<TensorId, String> {
        let from = self.tensor(value, ValueForm::Network)?;
        Ok(self.dequantize(from))
    }

    fn dequantize(&mut self, from: TensorId) -> TensorId {
        if self.element(from) == BpuElement::F16 {
            return self.convert_elements(from, (BpuElement::F32, TensorScale::None));
        }
        self.add("dequantize", Operator::Dequantize, &[from], (self.shape(from), BpuElement::F32, TensorScale::None))
    }

    pub fn shape(&self, id: TensorId) -> Vec<usize> {
        self.segment.tensor(id).map(|tensor| tensor.shape.clone()).unwrap_or_default()
    }

    /// What steps of a tensor are worth.
    pub fn scale(&self, id: TensorId) -> TensorScale {
        self.segment.tensor(id).map(|tensor| tensor.scale.clone()).unwrap_or_default()
    }

    fn element(&self, id: TensorId) -> BpuElement {
        self.segment.tensor(id).map_or(BpuElement::I8, |tensor| tensor.element)
    }
}

/// The integers to which a fused activation clamps results; `None` without an activation.
pub fn clamp_of(activation: Option<(f64, f64)>, result: Worth) -> Option<Clamp> {
    let (lower, upper) = activation?;
    crate::bpu::functions::activation_clamp(lower, upper, result.affine, result.element)
}
