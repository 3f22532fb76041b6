//! Operators that look at one index at a time, with broadcasting.

use super::super::isa::{self, Clamp, ElementType, RANK, View};
use super::super::tile::emitter::{EmitError, Emitter, shape6, view6};
use super::super::tile::machine::Machine;
use super::super::tile::view::collapse;
use super::super::tile::{Axis, Bound, Dimension, Operand, Placement, Step, Tiled};
use super::{Builder, LowerError, Steps, element_type, limits, scale, unsupported};
use crate::bpu::model::{Node, Operator, Scale, Tensor};
use crate::numerics::{Multiplier, SumMultipliers};

/// What happens to the elements.
enum Kind {
    Add {
        elements: [ElementType; 2],
        multipliers: SumMultipliers,
    },
    Mul {
        elements: [ElementType; 2],
        multiplier: Multiplier,
    },
    Requantize {
        element: ElementType,
        multiplier: Multiplier,
    },
    /// The table is the operand after the input.
    Lookup,
    Quantize {
        scale: f32,
    },
    Dequantize {
        element: ElementType,
        scale: f32,
    },
    /// One scale per index of this loop.
    DequantizeChannels {
        element: ElementType,
        axis: usize,
        scales: Vec<f32>,
    },
}

struct Form {
    kind: Kind,
    axes: Vec<Axis>,
    /// What is read, the table of a lookup, what is written.
    operands: Vec<Operand>,
    output_element: ElementType,
    clamp: Clamp,
    machine: Machine,
}

pub fn lower(builder: &mut Builder<'_>, node: &Node) -> Result<Steps, LowerError> {
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
    // Channels with scales of their own must stay a dimension.
    if !matches!(kind, Kind::DequantizeChannels { .. }) {
        collapse(&mut views);
    }
    let sizes = views.last().map(|view| view.shape.clone()).unwrap_or_default();
    let Some(result) = views.pop() else { return Ok(Vec::new()) };
    let mut operands: Vec<Operand> = views
        .into_iter()
        .map(|view| {
            let (placement, dimensions) = view.unrepeated();
            Operand::read(placement, dimensions)
        })
        .collect();
    if let Operator::Lookup { table } = &node.operator {
        let bytes: Vec<u8> = table.iter().map(|&entry| entry as u8).collect();
        let memory = builder.image.add(&bytes);
        operands.push(Operand::read(Placement::dense(memory, &[bytes.len()], 1), vec![Dimension::Fixed(bytes.len())]));
    }
    operands.push(Operand::write(result, (0..sizes.len()).map(Dimension::Axis).collect()));
    Ok(vec![Box::new(Form {
        kind,
        axes: sizes.iter().map(|&size| Axis::new("element", size)).collect(),
        operands,
        output_element: element_type(output.element),
        clamp: limits(node, output)?,
        machine: *builder.machine,
    })])
}

fn kind(node: &Node, tensors: &[&Tensor], output: &Tensor) -> Result<Kind, LowerError> {
    let bad = |error: crate::numerics::MultiplierError| unsupported(node, error.to_string());
    Ok(match (&node.operator, tensors) {
        (Operator::Add { .. } | Operator::Sub { .. }, [a, b]) => {
            let to = scale(node, output)?;
            let (a_ratio, b_ratio) = (scale(node, a)? / to, scale(node, b)? / to);
            let subtracts = matches!(node.operator, Operator::Sub { .. });
            let make = if subtracts { SumMultipliers::sub } else { SumMultipliers::add };
            let multipliers = make(a_ratio, b_ratio).map_err(bad)?;
            Kind::Add { elements: [element_type(a.element), element_type(b.element)], multipliers }
        }
        (Operator::Mul { .. }, [a, b]) => {
            let ratio = scale(node, a)? * scale(node, b)? / scale(node, output)?;
            let multiplier = Multiplier::from_real(ratio).map_err(bad)?;
            Kind::Mul { elements: [element_type(a.element), element_type(b.element)], multiplier }
        }
        (Operator::Requantize { .. }, [x]) => {
            let multiplier = Multiplier::from_real(scale(node, x)? / scale(node, output)?).map_err(bad)?;
            Kind::Requantize { element: element_type(x.element), multiplier }
        }
        (Operator::Lookup { .. }, [_]) => Kind::Lookup,
        (Operator::Quantize, [_]) => Kind::Quantize { scale: scale(node, output)? as f32 },
        (Operator::Dequantize, [x]) => match &x.scale {
            Scale::PerChannel { axis, scales } => Kind::DequantizeChannels {
                element: element_type(x.element),
                axis: *axis,
                scales: scales.iter().map(|&scale| scale as f32).collect(),
            },
            _ => Kind::Dequantize { element: element_type(x.element), scale: scale(node, x)? as f32 },
        },
        _ => return Err(unsupported(node, format!("it does not take {} operands", tensors.len()))),
    })
}

/// The operand's view by the tile's shape: stride 0 where one cell serves all.
fn view(bound: &Bound, sizes: &[usize]) -> Result<View, EmitError> {
    let strides: Vec<i32> = (0..sizes.len())
        .map(|dimension| if bound.region.axis(dimension).len() == 1 { 0 } else { bound.stride(dimension) })
        .collect();
    view6(bound.address, &strides)
}

impl Form {
    fn channels(
        &self,
        step: &Step<'_>,
        [input, output]: [View; 2],
        (element, axis, scales): (ElementType, usize, &[f32]),
        emitter: &mut Emitter,
    ) -> Result<(), EmitError> {
        let mut shape = shape6(&step.tile.shape())?;
        let place = (RANK + axis).checked_sub(step.tile.rank()).ok_or(EmitError::Address)?;
        let channels = step.tile.axis(axis);
        for channel in channels.start..channels.end {
            let at = |view: View| {
                let stride = i64::from(view.strides.get(place).copied().unwrap_or(0));
                let distance = i64::try_from(channel - channels.start).map_err(|_| EmitError::Address)?;
                let address = u32::try_from(i64::from(view.address) + distance * stride);
                Ok::<_, EmitError>(View { address: address.map_err(|_| EmitError::Address)?, ..view })
            };
            if let Some(size) = shape.get_mut(place) {
                *size = 1;
            }
            let scale =
                *scales.get(channel).ok_or_else(|| EmitError::Plan(format!("channel {channel} has no scale")))?;
            emitter.push(isa::Dequantize {
                shape,
                input_element: element,
                scale,
                input: at(input)?,
                output: at(output)?,
            })?;
        }
        Ok(())
    }
}

impl Tiled for Form {
    fn axes(&self) -> &[Axis] {
        &self.axes
    }

    fn operands(&self) -> &[Operand] {
        &self.operands
    }

    fn cycles(&self, tile: &[usize]) -> f64 {
        let elements = tile.iter().fold(1.0, |product, &size| product * size as f64);
        let machine = &self.machine;
        match &self.kind {
            Kind::Quantize { .. } | Kind::Dequantize { .. } => {
                machine.vpu_setup + elements / machine.vpu_elements_per_cycle
            }
            Kind::DequantizeChannels { axis, .. } => {
                let channels = tile.get(*axis).copied().unwrap_or(1) as f64;
                machine.vpu_setup * channels + elements / machine.vpu_elements_per_cycle
            }
            _ => {
                let widest = self.operands.iter().map(Operand::element_bytes).max().unwrap_or(1) as f64;
                machine.vae_setup + elements * widest / machine.vae_bytes_per_cycle
            }
        }
    }

    fn emit(&self, step: &Step<'_>, emitter: &mut Emitter) -> Result<(), EmitError> {
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
                mantissa: multiplier.mantissa,
                shift: multiplier.shift,
                clamp,
                a,
                b: operand(1)?,
                output,
            }),
            Kind::Requantize { element, multiplier } => emitter.push(isa::Requantize {
                shape,
                input_element: *element,
                output_element,
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
            Kind::Quantize { scale } => {
                emitter.push(isa::Quantize { shape, output_element, scale: *scale, input: a, output })
            }
            Kind::Dequantize { element, scale } => {
                emitter.push(isa::Dequantize { shape, input_element: *element, scale: *scale, input: a, output })
            }
            Kind::DequantizeChannels { element, axis, scales } => {
                self.channels(step, [a, output], (*element, *axis, scales), emitter)
            }
        }
    }
}
