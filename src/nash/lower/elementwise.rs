//! Operators that look at one index at a time, with broadcasting.

use super::super::isa::{self, CURVE_PIECE_BYTES, Clamp, Engine, View};
use super::super::tile::emitter::{EmitError, Emitter, shape6, view6};
use super::super::tile::view::collapse;
use super::super::tile::{Axis, Bound, TileDimension, TileOperand, TilePlacement, TileStep, Tiled, product};
use super::{Builder, LowerError, Steps, constants, limits, scale, unsupported};
use crate::bpu::model::{BpuElement, BpuNode, BpuTensor, Operator, TensorScale};
use crate::numerics::{Multiplier, SlopeMultipliers, SumMultipliers};
use crate::target::Target;

/// What happens to the elements.
enum Kind {
    Add {
        elements: [BpuElement; 2],
        multipliers: SumMultipliers,
    },
    Mul {
        elements: [BpuElement; 2],
        multiplier: Multiplier,
    },
    PRelu {
        elements: [BpuElement; 2],
        multipliers: SlopeMultipliers,
    },
    Requantize {
        element: BpuElement,
        multiplier: Multiplier,
    },
    /// The table is the operand after the input.
    Lookup,
    /// The pieces are the operand after the input.
    Curve {
        element: BpuElement,
        pieces: u32,
        shift: u32,
    },
    Quantize {
        scale: f32,
    },
    /// Means and factors are the operands after the input.
    Normalize {
        scale: f32,
        axis: usize,
    },
    Dequantize {
        element: BpuElement,
        factor: Factor,
    },
}

/// By what integers are multiplied.
enum Factor {
    One(f32),
    /// Each index of this loop has its own; they are the operand after the input.
    Axis(usize),
}

struct Form {
    kind: Kind,
    axes: Vec<Axis>,
    /// What is read, the table of a function, what is written.
    operands: Vec<TileOperand>,
    output_element: BpuElement,
    /// Of the operands of the node and its result.
    zero_points: Vec<i32>,
    clamp: Clamp,
}

pub fn lower(builder: &mut Builder<'_>, node: &BpuNode) -> Result<Steps, LowerError> {
    let (output, output_at) = builder.output(node)?;
    let mut tensors = Vec::new();
    let mut views = Vec::new();
    for index in 0..node.inputs.len() {
        let (tensor, placement) = builder.input(node, index)?;
        tensors.push(tensor);
        views.push(placement.broadcast(&output.shape).map_err(|error| unsupported(node, error.to_string()))?);
    }
    let kind = kind(node, &tensors, output)?;
    views.push(output_at);
    let channels = tensors.first().and_then(|x| of_channels(&node.operator, x));
    // Channels with numbers of their own must stay a dimension.
    if channels.is_none() {
        collapse(&mut views, builder.kept_rows(node));
    }
    let sizes = views.last().map(|view| view.shape.clone()).unwrap_or_default();
    let Some(result) = views.pop() else { return Ok(Vec::new()) };
    let mut operands: Vec<TileOperand> = views
        .into_iter()
        .map(|view| {
            let (placement, dimensions) = view.unrepeated();
            TileOperand::read(placement, dimensions)
        })
        .collect();
    let table: Option<Vec<u8>> = match &node.operator {
        Operator::Lookup { table } => Some(table.iter().map(|&entry| entry as u8).collect()),
        Operator::Curve { curve } => Some(constants::curve_pieces(curve)),
        _ => None,
    };
    if let Some(bytes) = table {
        let memory = builder.image.add(bytes.as_slice());
        operands.push(TileOperand::read(
            TilePlacement::dense(memory, &[bytes.len()], 1),
            vec![TileDimension::Fixed(bytes.len())],
        ));
    }
    for (axis, numbers) in
        channels.into_iter().flat_map(|(axis, all)| all.into_iter().map(move |numbers| (axis, numbers)))
    {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let memory = builder.image.add(bytes.as_slice());
        operands.push(TileOperand::read(
            TilePlacement::dense(memory, &[numbers.len()], 4),
            vec![TileDimension::Axis(axis)],
        ));
    }
    operands.push(TileOperand::write(result, (0..sizes.len()).map(TileDimension::Axis).collect()));
    Ok(vec![Box::new(Form {
        kind,
        axes: sizes.iter().map(|&size| Axis::new("element", size)).collect(),
        operands,
        output_element: output.element,
        zero_points: tensors.iter().copied().chain([output]).map(|tensor| tensor.scale.zero_point()).collect(),
        clamp: limits(node, output)?,
    })])
}

/// The dimension along which there are numbers, and these numbers, one list for each operand that holds them.
fn of_channels(operator: &Operator, x: &BpuTensor) -> Option<(usize, Vec<Vec<f32>>)> {
    match (operator, &x.scale) {
        (Operator::Dequantize, TensorScale::PerChannel { axis, scales }) => {
            Some((*axis, vec![scales.iter().map(|scale| *scale as f32).collect()]))
        }
        (Operator::Normalize { axis, mean, factor }, _) => Some((*axis, vec![mean.clone(), factor.clone()])),
        _ => None,
    }
}

fn kind(node: &BpuNode, tensors: &[&BpuTensor], output: &BpuTensor) -> Result<Kind, LowerError> {
    let bad = |error: crate::numerics::MultiplierError| unsupported(node, error.to_string());
    let one = || node.operator.exactly::<_, 1>(tensors).map_err(|reason| unsupported(node, reason));
    let two = || node.operator.exactly::<_, 2>(tensors).map_err(|reason| unsupported(node, reason));
    Ok(match &node.operator {
        Operator::Add { .. } | Operator::Sub { .. } => {
            let [a, b] = two()?;
            let subtracts = matches!(node.operator, Operator::Sub { .. });
            let make = if subtracts { SumMultipliers::sub } else { SumMultipliers::add };
            let multipliers = make(scale(node, a)?, scale(node, b)?, scale(node, output)?).map_err(bad)?;
            Kind::Add { elements: [a.element, b.element], multipliers }
        }
        Operator::Mul { .. } => {
            let [a, b] = two()?;
            let (a_scale, b_scale) = (scale(node, a)?, scale(node, b)?);
            let multiplier = Multiplier::of_product(a_scale, b_scale, scale(node, output)?).map_err(bad)?;
            Kind::Mul { elements: [a.element, b.element], multiplier }
        }
        Operator::PRelu { .. } => {
            let [x, slope] = two()?;
            let multipliers = SlopeMultipliers::new(scale(node, x)?, scale(node, slope)?, scale(node, output)?);
            Kind::PRelu { elements: [x.element, slope.element], multipliers: multipliers.map_err(bad)? }
        }
        Operator::Requantize { .. } => {
            let [x] = one()?;
            let multiplier = Multiplier::of_change(scale(node, x)?, scale(node, output)?).map_err(bad)?;
            Kind::Requantize { element: x.element, multiplier }
        }
        Operator::Lookup { .. } => {
            one()?;
            Kind::Lookup
        }
        Operator::Curve { curve } => Kind::Curve {
            element: one()?[0].element,
            // At most 64.
            pieces: curve.pieces().len() as u32,
            shift: curve.shift(),
        },
        Operator::Quantize => {
            one()?;
            Kind::Quantize { scale: scale(node, output)? as f32 }
        }
        Operator::Normalize { axis, .. } => {
            one()?;
            Kind::Normalize { scale: scale(node, output)? as f32, axis: *axis }
        }
        Operator::Dequantize => {
            let [x] = one()?;
            let factor = match &x.scale {
                TensorScale::PerChannel { axis, .. } => Factor::Axis(*axis),
                _ => Factor::One(scale(node, x)? as f32),
            };
            Kind::Dequantize { element: x.element, factor }
        }
        Operator::Convolution(_)
        | Operator::MatMul { .. }
        | Operator::MaxPool(_)
        | Operator::AveragePool(_)
        | Operator::CameraImage { .. }
        | Operator::RoiResize { .. }
        | Operator::Vector { .. }
        | Operator::Concat { .. }
        | Operator::Slice { .. }
        | Operator::Pad { .. }
        | Operator::Transpose { .. }
        | Operator::Reshape => return Err(unsupported(node, "it is no elementwise operator")),
    })
}

/// The operand's view by the tile's shape: stride 0 where one cell serves all.
pub(super) fn view(bound: &Bound, sizes: &[usize]) -> Result<View, EmitError> {
    let strides: Vec<i32> = (0..sizes.len())
        .map(|dimension| if bound.region.axis(dimension).len() == 1 { 0 } else { bound.stride(dimension) })
        .collect();
    view6(bound.address, &strides)
}

/// The view of factors that run along one axis of a tile.
fn factors(bound: &Bound, axis: usize, rank: usize) -> Result<View, EmitError> {
    let strides: Vec<i32> = (0..rank).map(|dimension| if dimension == axis { bound.stride(0) } else { 0 }).collect();
    view6(bound.address, &strides)
}

impl Form {
    fn zero_points<const COUNT: usize>(&self) -> Result<[i32; COUNT], EmitError> {
        self.zero_points.as_slice().try_into().map_err(|_| EmitError::Operand(COUNT))
    }
}

impl Tiled for Form {
    fn axes(&self) -> &[Axis] {
        &self.axes
    }

    fn operands(&self) -> &[TileOperand] {
        &self.operands
    }

    fn engine(&self) -> Engine {
        match &self.kind {
            Kind::Quantize { .. } | Kind::Dequantize { .. } | Kind::Normalize { .. } => Engine::Vpu,
            Kind::Add { .. }
            | Kind::Mul { .. }
            | Kind::PRelu { .. }
            | Kind::Requantize { .. }
            | Kind::Lookup
            | Kind::Curve { .. } => Engine::Vae,
        }
    }

    fn cycles(&self, target: &Target, tile: &[usize]) -> u64 {
        match &self.kind {
            Kind::Quantize { .. } | Kind::Dequantize { .. } => target.float_cycles(product(tile, 1)),
            Kind::Normalize { .. } => target.float_cycles(product(tile, 1)).saturating_mul(2),
            Kind::Add { .. }
            | Kind::Mul { .. }
            | Kind::PRelu { .. }
            | Kind::Requantize { .. }
            | Kind::Lookup
            | Kind::Curve { .. } => {
                let widest = self.operands.iter().map(TileOperand::element_bytes).max().unwrap_or(1);
                target.vector_cycles(product(tile, widest))
            }
        }
    }

    fn emit(&self, step: &TileStep<'_>, emitter: &mut Emitter<'_>) -> Result<(), EmitError> {
        let sizes = step.tile.shape();
        let shape = shape6(&sizes)?;
        let last = self.operands.len().saturating_sub(1);
        let operand = |index: usize| view(step.operand(index)?, &sizes);
        let (a, output) = (operand(0)?, operand(last)?);
        let (output_element, clamp) = (self.output_element, self.clamp);
        match &self.kind {
            Kind::Add { elements: [a_element, b_element], multipliers } => emitter.push(isa::Add {
                shape,
                a_element: *a_element,
                b_element: *b_element,
                output_element,
                zero_points: self.zero_points()?,
                multiplier_a: multipliers.lhs,
                multiplier_b: multipliers.rhs,
                shift: multipliers.shift,
                clamp,
                a,
                b: operand(1)?,
                output,
            }),
            Kind::Mul { elements: [a_element, b_element], multiplier } => emitter.push(isa::Mul {
                shape,
                a_element: *a_element,
                b_element: *b_element,
                output_element,
                zero_points: self.zero_points()?,
                mantissa: multiplier.mantissa,
                shift: multiplier.shift,
                clamp,
                a,
                b: operand(1)?,
                output,
            }),
            Kind::PRelu { elements: [input_element, slope_element], multipliers } => emitter.push(isa::PRelu {
                shape,
                input_element: *input_element,
                slope_element: *slope_element,
                output_element,
                zero_points: self.zero_points()?,
                mantissa: multipliers.positive.mantissa,
                shift: multipliers.positive.shift,
                slope_mantissa: multipliers.negative.mantissa,
                slope_shift: multipliers.negative.shift,
                clamp,
                input: a,
                slope: operand(1)?,
                output,
            }),
            Kind::Requantize { element, multiplier } => emitter.push(isa::Requantize {
                shape,
                input_element: *element,
                output_element,
                zero_points: self.zero_points()?,
                mantissa: multiplier.mantissa,
                shift: multiplier.shift,
                clamp,
                input: a,
                output,
            }),
            Kind::Lookup => {
                let table = step.operand(1)?;
                let table = View::new(table.address, [table.stride(0)]);
                emitter.push(isa::Lookup { shape, input: a, table, output })
            }
            Kind::Curve { element, pieces, shift } => {
                let table = View::new(step.operand(1)?.address, [CURVE_PIECE_BYTES as i32]);
                let (input_element, pieces, shift) = (*element, *pieces, *shift);
                emitter.push(isa::Curve {
                    shape,
                    input_element,
                    output_element,
                    pieces,
                    shift,
                    input: a,
                    table,
                    output,
                })
            }
            Kind::Quantize { scale } => {
                let [_, zero_point] = self.zero_points()?;
                emitter.push(isa::Quantize { shape, output_element, scale: *scale, zero_point, input: a, output })
            }
            Kind::Normalize { scale, axis } => {
                let numbers = |operand: usize| factors(step.operand(operand)?, *axis, sizes.len());
                let (means, factors) = (numbers(1)?, numbers(2)?);
                let ([_, zero_point], scale, input) = (self.zero_points()?, *scale, a);
                emitter.push(isa::Normalize { shape, output_element, scale, zero_point, means, factors, input, output })
            }
            Kind::Dequantize { element, factor } => {
                let (scale, scales) = match *factor {
                    Factor::One(scale) => (scale, None),
                    Factor::Axis(axis) => (1.0, Some(factors(step.operand(1)?, axis, sizes.len())?)),
                };
                let ([zero_point, _], input_element, input) = (self.zero_points()?, *element, a);
                emitter.push(isa::Dequantize { shape, input_element, scale, zero_point, scales, input, output })
            }
        }
    }
}
