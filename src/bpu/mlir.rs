//! Between the plain model and the `bpu` dialect, which mirror each other.

use super::model::{
    AveragePool, BpuElement, BpuNode, BpuTensor, Clamp, Convolution, MaxPool, NetworkValue, Operator, PadMode, Segment,
    TensorId, TensorScale, ValueLayout, VectorProgram,
};
use crate::numerics::{Curve, Piece};
use hb_dialects::{
    ElementType,
    bpu::{Op, attributes},
    ir::{self, IrError, OperationAttributes, Origin, TensorType, attribute},
};
use melior::{
    Context,
    ir::{
        Attribute, Block, BlockLike, Location, Operation, OperationRef, Region, RegionLike, Type, Value, ValueLike,
        operation::OperationLike,
    },
};
use std::collections::HashMap;

/// Why an operation could not be turned into a node, or back.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum MirrorError {
    #[error(transparent)]
    Ir(#[from] IrError),
    #[error("'{operation}' of node '{node}': {reason}")]
    Operation { operation: String, node: String, reason: String },
    #[error("the segment names a tensor that nothing gives")]
    Tensor,
}

/// The MLIR type of a tensor.
pub fn tensor_type<'c>(context: &'c Context, tensor: &BpuTensor) -> Type<'c> {
    ir_type(tensor).to_type(context)
}

fn ir_type(tensor: &BpuTensor) -> TensorType {
    let scale = match &tensor.scale {
        TensorScale::None => None,
        TensorScale::PerTensor(affine) => Some(ir::Scale::PerTensor(*affine)),
        TensorScale::PerChannel { axis, scales } => Some(ir::Scale::PerAxis { axis: *axis, scales: scales.clone() }),
    };
    let element = match scale {
        Some(scale) => ir::Element::Quantized(ir::Quantized { bits: 8 * tensor.element.bytes(), scale }),
        None => ElementType::from(tensor.element).into(),
    };
    TensorType::new(element, &tensor.shape)
}

fn bpu_element(element: ElementType) -> Result<BpuElement, IrError> {
    BpuElement::try_from(element).map_err(IrError::Type)
}

/// A tensor of the model for a value's type.
///
/// # Errors
/// When the type is none that the BPU has.
pub fn tensor_of(r#type: Type<'_>, name: String) -> Result<BpuTensor, MirrorError> {
    let r#type = TensorType::from_type(r#type)?;
    let shape = r#type.static_shape()?;
    let (element, scale) = match r#type.element {
        ir::Element::Plain(element @ (ElementType::F32 | ElementType::F16 | ElementType::I32 | ElementType::U8)) => {
            (bpu_element(element)?, TensorScale::None)
        }
        ir::Element::Quantized(quantized) => {
            let element = bpu_element(quantized.storage())?;
            let scale = match quantized.scale {
                ir::Scale::PerTensor(affine) => TensorScale::PerTensor(affine),
                ir::Scale::PerAxis { axis, scales } => TensorScale::PerChannel { axis, scales },
            };
            (element, scale)
        }
        other => return Err(IrError::Type(format!("a tensor of {other}")).into()),
    };
    Ok(BpuTensor::new(name, shape, element, scale))
}

/// A `bpu.segment` that holds the nodes of a segment and takes these values.
///
/// # Errors
/// When MLIR refuses an operation, or the segment names tensors that it has not.
pub fn to_mlir<'c>(
    context: &'c Context,
    segment: &Segment,
    inputs: &[Value<'c, '_>],
    location: Location<'c>,
) -> Result<Operation<'c>, MirrorError> {
    let types = |ids: &[TensorId]| -> Result<Vec<Type<'c>>, MirrorError> {
        ids.iter()
            .map(|id| segment.tensor(*id).map(|tensor| tensor_type(context, tensor)).ok_or(MirrorError::Tensor))
            .collect()
    };
    let arguments: Vec<_> = types(&segment.inputs)?.into_iter().map(|r#type| (r#type, location)).collect();
    let block = Block::new(&arguments);
    let mut values: HashMap<TensorId, Value<'c, '_>> = HashMap::new();
    for (index, id) in segment.inputs.iter().enumerate() {
        values.insert(*id, block.argument(index).map_err(|_| MirrorError::Tensor)?.into());
    }
    for (index, tensor) in segment.tensors.iter().enumerate() {
        if let Some(data) = &tensor.data {
            let constant = constant(context, tensor, data)?;
            values.insert(TensorId(index), first_result(block.append_operation(constant))?);
        }
    }
    for node in &segment.nodes {
        let operands: Option<Vec<_>> = node.inputs.iter().map(|id| values.get(id).copied()).collect();
        let operands = operands.ok_or(MirrorError::Tensor)?;
        let location = node_location(context, segment, node);
        let given = given_attributes(context, &node.operator);
        let built =
            ir::build(context, node.operator.op().name(), &operands, &given, &types(&node.outputs)?, vec![], location)?;
        let result = first_result(block.append_operation(built))?;
        values.insert(*node.outputs.first().ok_or(MirrorError::Tensor)?, result);
    }
    let yielded: Option<Vec<_>> = segment.outputs.iter().map(|id| values.get(id).copied()).collect();
    let end = ir::build(context, Op::Yield.name(), &yielded.ok_or(MirrorError::Tensor)?, &[], &[], vec![], location)?;
    block.append_operation(end);
    let region = Region::new();
    region.append_block(block);
    Ok(ir::build(context, Op::Segment.name(), inputs, &[], &types(&segment.outputs)?, vec![region], location)?)
}

/// Who the node is, and which values of the network its result is: pairs of names of nodes and layouts.
fn node_location<'c>(context: &'c Context, segment: &Segment, node: &BpuNode) -> Location<'c> {
    let own = segment.values.iter().filter(|value| node.outputs.contains(&value.tensor));
    let words: Vec<_> = own
        .flat_map(|value| [value.node.as_str(), value.layout.name()])
        .map(|word| attribute::string(context, word))
        .collect();
    let location = Origin { name: node.name.clone(), nodes: node.origins.clone() }.location(context);
    if words.is_empty() {
        return location;
    }
    ir::annotated_location(context, location, attribute::array(context, &words))
}

/// What [`node_location`] says of the result of an operation. Other annotations say nothing of it.
fn network_values(operation: OperationRef<'_, '_>, tensor: TensorId) -> Vec<NetworkValue> {
    let words = ir::annotation(operation.location()).and_then(attribute::array_elements).unwrap_or_default();
    let words: Vec<String> = words.into_iter().filter_map(attribute::text).collect();
    let pairs = words.as_chunks::<2>().0.iter();
    pairs
        .filter_map(|[node, layout]| {
            Some(NetworkValue { node: node.clone(), tensor, layout: ValueLayout::named(layout)? })
        })
        .collect()
}

fn first_result<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<Value<'c, 'a>, MirrorError> {
    ir::results(operation).into_iter().next().ok_or(MirrorError::Tensor)
}

fn constant<'c>(context: &'c Context, tensor: &BpuTensor, data: &[u8]) -> Result<Operation<'c>, MirrorError> {
    let stored = TensorType::new(ElementType::from(tensor.element), &tensor.shape);
    let value = ir::constant_attribute(context, &tensor.name, &stored, data)?;
    let location = Origin::without_node(&tensor.name).location(context);
    let types = [tensor_type(context, tensor)];
    Ok(ir::build(context, Op::Constant.name(), &[], &[("value", value)], &types, vec![], location)?)
}

fn wide<T: Copy + TryInto<i64>>(values: &[T]) -> Vec<i64> {
    values.iter().map(|&value| value.try_into().unwrap_or(i64::MAX)).collect()
}

fn given_attributes<'c>(context: &'c Context, operator: &Operator) -> Vec<(&'static str, Attribute<'c>)> {
    let array = |values: Vec<i64>| attribute::integers(context, &values);
    let mut attributes = match operator {
        Operator::Convolution(convolution) => vec![
            ("strides", array(wide(&convolution.strides))),
            ("pads", array(wide(&convolution.pads))),
            ("dilations", array(wide(&convolution.dilations))),
            ("group", attribute::i64(context, convolution.group as i64)),
        ],
        Operator::MaxPool(pool) => vec![
            ("kernel_shape", array(wide(&pool.kernel))),
            ("strides", array(wide(&pool.strides))),
            ("pads", array(wide(&pool.pads))),
            ("dilations", array(wide(&pool.dilations))),
        ],
        Operator::AveragePool(pool) => vec![
            ("kernel_shape", array(wide(&pool.kernel))),
            ("strides", array(wide(&pool.strides))),
            ("pads", array(wide(&pool.pads))),
            ("count_include_pad", attribute::boolean(context, pool.count_include_pad)),
        ],
        Operator::Lookup { table } => vec![("table", attribute::bytes(context, &table[..]))],
        Operator::Curve { curve } => {
            let each = |of: fn(&Piece) -> i64| array(curve.pieces().iter().map(of).collect());
            vec![
                ("starts", each(|piece| piece.start.into())),
                ("quadratic", each(|piece| piece.quadratic)),
                ("linear", each(|piece| piece.linear)),
                ("constant", each(|piece| piece.constant)),
                ("shift", attribute::i64(context, curve.shift().into())),
            ]
        }
        Operator::CameraImage { constants } => vec![("constants", attribute::bytes(context, constants))],
        Operator::RoiResize { block, .. } => vec![("block", attribute::i64(context, *block as i64))],
        Operator::Normalize { axis, mean, factor } => {
            let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>();
            vec![
                ("axis", attribute::i64(context, *axis as i64)),
                ("mean", attribute::floats(context, &wide(mean))),
                ("factor", attribute::floats(context, &wide(factor))),
            ]
        }
        Operator::Vector { axes, program } => {
            let lines: Vec<_> = program.lines().iter().map(|line| attribute::string(context, line)).collect();
            vec![("axes", array(wide(axes))), ("program", attribute::array(context, &lines))]
        }
        Operator::Concat { axis } => vec![("axis", attribute::i64(context, *axis as i64))],
        Operator::Slice { starts, steps, .. } => vec![("starts", array(wide(starts))), ("steps", array(wide(steps)))],
        Operator::Pad { before, after, mode } => {
            let (name, value) = match mode {
                PadMode::Constant(value) => ("constant", *value),
                PadMode::Reflect => ("reflect", 0),
                PadMode::Edge => ("edge", 0),
            };
            vec![
                ("before", array(wide(before))),
                ("after", array(wide(after))),
                ("value", attribute::i64(context, i64::from(value))),
                ("mode", attribute::string(context, name)),
            ]
        }
        Operator::Transpose { permutation } => vec![("permutation", array(wide(permutation)))],
        Operator::MatMul { .. }
        | Operator::Add { .. }
        | Operator::Sub { .. }
        | Operator::Mul { .. }
        | Operator::PRelu { .. }
        | Operator::Requantize { .. }
        | Operator::Reshape
        | Operator::Quantize
        | Operator::Dequantize => vec![],
    };
    if let Some(clamp) = operator.clamp() {
        attributes.push(("clamp_min", attribute::i64(context, i64::from(clamp.low))));
        attributes.push(("clamp_max", attribute::i64(context, i64::from(clamp.high))));
    }
    attributes
}

/// The segment that a `bpu.segment` holds.
///
/// # Errors
/// When an operation is none of the dialect, or an attribute has not the form that the model needs.
pub fn from_mlir(operation: OperationRef<'_, '_>) -> Result<Segment, MirrorError> {
    let block = ir::body(operation).ok_or(MirrorError::Tensor)?;
    let mut segment = Segment { name: operation.node(), ..Segment::default() };
    let mut ids: HashMap<usize, TensorId> = HashMap::new();
    for (index, argument) in ir::arguments(block).into_iter().enumerate() {
        let name = operation.operand(index).ok().and_then(ir::defining_operation).map(|producer| producer.node());
        let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| format!("input_{index}"));
        let id = segment.add_input(tensor_of(argument.r#type(), name)?);
        ids.insert(ir::address(argument), id);
    }
    for inner in ir::operations(block) {
        let operands: Option<Vec<_>> =
            inner.operands().map(|operand| ids.get(&ir::address(operand)).copied()).collect();
        let operands = operands.ok_or(MirrorError::Tensor)?;
        if Op::Yield.is(inner) {
            segment.outputs = operands;
            continue;
        }
        let result = first_result(inner)?;
        let tensor = tensor_of(result.r#type(), inner.node())?;
        let id = if Op::Constant.is(inner) {
            segment.add_tensor(tensor.with_data(constant_data(inner)?))
        } else {
            let operator = operator(inner, &tensor.shape)?;
            let output = segment.add_tensor(tensor);
            let Origin { name, nodes: origins } = inner.origin();
            segment.nodes.push(BpuNode { name, origins, operator, inputs: operands, outputs: vec![output] });
            segment.values.extend(network_values(inner, output));
            output
        };
        ids.insert(ir::address(result), id);
    }
    Ok(segment)
}

fn constant_data(operation: OperationRef<'_, '_>) -> Result<Vec<u8>, MirrorError> {
    let value = operation.attribute("value").ok().and_then(ir::elements_of);
    value.map(|value| value.bytes.into_owned()).ok_or_else(|| refuse(operation, "its bytes are missing".into()))
}

fn refuse(operation: OperationRef<'_, '_>, reason: String) -> MirrorError {
    MirrorError::Operation { operation: operation.operation_name(), node: operation.node(), reason }
}

/// Attributes of an operation as the model's sizes.
struct Reader<'c, 'a>(OperationRef<'c, 'a>);

impl Reader<'_, '_> {
    fn sizes(&self, name: &str) -> Result<Vec<usize>, MirrorError> {
        let values = self.0.integers(name)?;
        values
            .iter()
            .map(|&value| {
                usize::try_from(value).map_err(|_| refuse(self.0, format!("{name} has the negative value {value}")))
            })
            .collect()
    }

    fn exactly<const N: usize>(&self, name: &str) -> Result<[usize; N], MirrorError> {
        let values = self.sizes(name)?;
        let count = values.len();
        values.try_into().map_err(|_| refuse(self.0, format!("expects {N} {name}, got {count}")))
    }

    /// What a bound that is left out stands for.
    fn result_range(&self) -> Result<Clamp, MirrorError> {
        let tensor = tensor_of(first_result(self.0)?.r#type(), String::new())?;
        Ok(tensor.element.range().unwrap_or(Clamp::I32))
    }

    fn clamp(&self) -> Result<Option<Clamp>, MirrorError> {
        let bound = |name: &str| -> Result<Option<i32>, MirrorError> {
            let value = self.0.optional_integer(name)?;
            value
                .map(|value| i32::try_from(value).map_err(|_| refuse(self.0, format!("{name} {value} leaves 32 bits"))))
                .transpose()
        };
        match (bound("clamp_min")?, bound("clamp_max")?) {
            (None, None) => Ok(None),
            (low, high) => {
                let whole = self.result_range()?;
                Ok(Some(Clamp { low: low.unwrap_or(whole.low), high: high.unwrap_or(whole.high) }))
            }
        }
    }
}

/// What an operation of the dialect does.
///
/// # Errors
/// When it is no operation of the dialect that computes, or an attribute has not the form that the model needs.
pub fn operator(operation: OperationRef<'_, '_>, result_shape: &[usize]) -> Result<Operator, MirrorError> {
    let reader = Reader(operation);
    let size =
        |value: i64, name: &str| usize::try_from(value).map_err(|_| refuse(operation, format!("{name} is {value}")));
    let none = || refuse(operation, "is no operation of a BPU segment".into());
    Ok(match Op::of(operation).ok_or_else(none)? {
        Op::Conv2D => Operator::Convolution(Convolution {
            strides: reader.exactly("strides")?,
            pads: reader.exactly("pads")?,
            dilations: reader.exactly("dilations")?,
            group: size(attributes::group(operation)?, "group")?,
            clamp: reader.clamp()?,
        }),
        Op::MatMul => Operator::MatMul { clamp: reader.clamp()? },
        Op::Add => Operator::Add { clamp: reader.clamp()? },
        Op::Sub => Operator::Sub { clamp: reader.clamp()? },
        Op::Mul => Operator::Mul { clamp: reader.clamp()? },
        Op::PRelu => Operator::PRelu { clamp: reader.clamp()? },
        Op::Requantize => Operator::Requantize { clamp: reader.clamp()? },
        Op::MaxPool => Operator::MaxPool(MaxPool {
            kernel: reader.exactly("kernel_shape")?,
            strides: reader.exactly("strides")?,
            pads: reader.exactly("pads")?,
            dilations: reader.exactly("dilations")?,
        }),
        Op::AveragePool => Operator::AveragePool(AveragePool {
            kernel: reader.exactly("kernel_shape")?,
            strides: reader.exactly("strides")?,
            pads: reader.exactly("pads")?,
            count_include_pad: attributes::count_include_pad(operation)?,
            clamp: reader.clamp()?,
        }),
        Op::Lookup => Operator::Lookup { table: table(operation)? },
        Op::Curve => Operator::Curve { curve: curve(operation)? },
        Op::CameraImage => Operator::CameraImage { constants: operation.bytes("constants")? },
        Op::RoiResize => match *result_shape {
            [_, rows, columns, _] => {
                Operator::RoiResize { block: size(attributes::block(operation)?, "block")?, size: [rows, columns] }
            }
            _ => return Err(refuse(operation, "its result is no image".to_owned())),
        },
        Op::Concat => Operator::Concat { axis: size(attributes::axis(operation)?, "axis")? },
        Op::Slice => Operator::Slice {
            starts: reader.sizes("starts")?,
            steps: attributes::steps(operation)?.into_iter().map(|step| step as isize).collect(),
            sizes: result_shape.to_vec(),
        },
        Op::Pad => {
            Operator::Pad { before: reader.sizes("before")?, after: reader.sizes("after")?, mode: pad_mode(operation)? }
        }
        Op::Transpose => Operator::Transpose { permutation: reader.sizes("permutation")? },
        Op::Reshape => Operator::Reshape,
        Op::Quantize => Operator::Quantize,
        Op::Normalize => {
            let narrow = |numbers: Vec<f64>| numbers.into_iter().map(|number| number as f32).collect();
            Operator::Normalize {
                axis: size(attributes::axis(operation)?, "axis")?,
                mean: narrow(attributes::mean(operation)?),
                factor: narrow(attributes::factor(operation)?),
            }
        }
        Op::Vector => Operator::Vector { axes: reader.sizes("axes")?, program: vector_program(operation)? },
        Op::Dequantize => Operator::Dequantize,
        Op::Yield | Op::Segment | Op::Constant => return Err(none()),
    })
}

fn table(operation: OperationRef<'_, '_>) -> Result<Box<crate::numerics::LookupTable>, MirrorError> {
    let bytes = operation.bytes("table")?;
    let count = bytes.len();
    let table: Result<crate::numerics::LookupTable, _> = bytes.try_into();
    table.map(Box::new).map_err(|_| refuse(operation, format!("its table has {count} entries; it needs 256")))
}

fn vector_program(operation: OperationRef<'_, '_>) -> Result<Box<VectorProgram>, MirrorError> {
    let lines = operation.attribute("program").ok().and_then(attribute::array_elements);
    let lines: Option<Vec<String>> = lines.and_then(|lines| lines.into_iter().map(attribute::text).collect());
    let lines = lines.ok_or_else(|| refuse(operation, "its program is no array of strings".to_owned()))?;
    let program = VectorProgram::parse(lines.iter().map(String::as_str));
    program.map(Box::new).map_err(|reason| refuse(operation, reason))
}

fn curve(operation: OperationRef<'_, '_>) -> Result<Box<Curve>, MirrorError> {
    let starts = attributes::starts(operation)?;
    let [quadratic, linear, constant] =
        [attributes::quadratic(operation)?, attributes::linear(operation)?, attributes::constant(operation)?];
    if [&quadratic, &linear, &constant].iter().any(|values| values.len() != starts.len()) {
        let [a, b, c] = [quadratic.len(), linear.len(), constant.len()];
        let reason =
            format!("has {} starts, but {a} quadratic, {b} linear and {c} constant coefficients", starts.len());
        return Err(refuse(operation, reason));
    }
    let mut pieces = Vec::with_capacity(starts.len());
    for (((start, quadratic), linear), constant) in starts.into_iter().zip(quadratic).zip(linear).zip(constant) {
        let start = i16::try_from(start).map_err(|_| refuse(operation, format!("start {start} leaves 16 bits")))?;
        pieces.push(Piece { start, quadratic, linear, constant });
    }
    let shift = attributes::shift(operation)?;
    let shift = u32::try_from(shift).map_err(|_| refuse(operation, format!("the shift {shift} is no u32")))?;
    Curve::new(pieces, shift).map(Box::new).map_err(|error| refuse(operation, error.to_string()))
}

fn pad_mode(operation: OperationRef<'_, '_>) -> Result<PadMode, MirrorError> {
    match attributes::mode(operation)? {
        "constant" => {
            let value = attributes::value(operation)?;
            let value = i32::try_from(value).map_err(|_| refuse(operation, format!("value {value} leaves 32 bits")))?;
            Ok(PadMode::Constant(value))
        }
        "reflect" => Ok(PadMode::Reflect),
        "edge" => Ok(PadMode::Edge),
        other => Err(refuse(operation, format!("mode '{other}' is none of constant, reflect, edge"))),
    }
}
