//! Transposed convolution: a convolution with the kernel turned around, over the input with zeros between its elements.

use hb_dialects::hfloat::{TransposedWindow, attributes};

use super::super::error::Error;
use super::super::expression::{Expression, GraphTensorId, axis, constant, index, select};
use super::super::scalar::Scalar;
use super::node::{OperatorNode, Results};
use super::window::Groups;

/// One spatial dimension.
#[derive(Clone, Copy)]
struct Spread {
    input: usize,
    output: usize,
    kernel: usize,
    stride: i64,
    dilation: usize,
    begin: i64,
}

impl Spread {
    /// From the first cell of the kernel to the last.
    fn reach(&self) -> usize {
        (self.kernel - 1) * self.dilation
    }

    /// Where in the input the element `position` of the spread input is, in steps of 1/stride.
    fn source(&self, position: Expression) -> Expression {
        position + (self.begin - self.reach() as i64)
    }
}

fn spreads(node: &OperatorNode) -> Result<Vec<Spread>, Error> {
    let window = TransposedWindow::of(node.operation).map_err(|reason| node.invalid(reason))?;
    let shape = node.shape(node.operand(0)?)?;
    let sizes = shape.iter().skip(2).zip(&window.output).zip(&window.kernel);
    let steps = window.strides.iter().zip(&window.dilations).zip(&window.pads_begin);
    let small = |value: u64| usize::try_from(value).map_err(|_| node.invalid("has sizes that are too large"));
    let step = |value: u64| i64::try_from(value).map_err(|_| node.invalid("has steps that are too large"));
    sizes
        .zip(steps)
        .map(|(((&input, &output), &kernel), ((&stride, &dilation), &begin))| {
            Ok(Spread {
                input,
                output: small(output)?,
                kernel: small(kernel)?,
                stride: step(stride)?,
                dilation: small(dilation)?,
                begin: step(begin)?,
            })
        })
        .collect()
}

/// The input with `stride - 1` zeros between its elements and as many around them as the kernel reaches.
fn spread(node: &mut OperatorNode, spreads: &[Spread]) -> Result<GraphTensorId, Error> {
    let input = node.operand(0)?;
    let (shape, element) = (node.shape(input)?, node.element(input)?);
    let outer = shape.iter().take(2).copied();
    let extents: Vec<usize> = outer.chain(spreads.iter().map(|spread| spread.output + spread.reach())).collect();
    let mut at = vec![axis(0), axis(1)];
    let mut inside: Option<Expression> = None;
    for (d, spread) in spreads.iter().enumerate() {
        let last = (spread.input.max(1) as i64 - 1) * spread.stride;
        let source = spread.source(axis(d + 2));
        let here = index(0)
            .less_or_equal(source.clone())
            .and(source.clone().less_or_equal(index(last)))
            .and(source.clone().modulo(spread.stride).equal(index(0)));
        inside = Some(inside.map_or(here.clone(), |inside| inside.and(here)));
        at.push(source.clamp(0, last).floor_divide(spread.stride));
    }
    let value = node.graph.load(input, at);
    let zero = constant(element, Scalar::Integer(0));
    let value = inside.map_or(value.clone(), |inside| select(inside, value, zero));
    node.fill(&extents, value)
}

/// ONNX ConvTranspose-11. `x` is [N, C, D...], `w` is [C, M/group, K...].
pub(super) fn conv_transpose(node: &mut OperatorNode) -> Results {
    let shape = node.shape(node.operand(0)?)?;
    let weight = node.shape(node.operand(1)?)?;
    let group = usize::try_from(attributes::group(node.operation)?).unwrap_or(0);
    let (Some(&channels), Some(&depth), Some(&each)) = (shape.get(1), weight.first(), weight.get(1)) else {
        return Err(node.invalid("its operands have no channels"));
    };
    if group == 0 || depth != channels || !channels.is_multiple_of(group) {
        let reason = format!("{channels} channels in {group} groups do not fit weights of shape {weight:?}");
        return Err(node.invalid(reason));
    }
    let spreads = spreads(node)?;
    let input = spread(node, &spreads)?;
    let kernel: Vec<usize> = spreads.iter().map(|spread| spread.kernel).collect();
    let cells = |output: usize, kernel: usize| {
        let cell = |(d, spread): (usize, &Spread)| axis(output + d) + axis(kernel + d) * spread.dilation as i64;
        spreads.iter().enumerate().map(cell).collect()
    };
    let groups = Groups { group, channels, maps: each * group, kernel: &kernel };
    groups.sum(node, input, &cells, &|channels, kernel| {
        let mut at = vec![channels.channel.clone(), channels.map_in_group.clone()];
        at.extend(spreads.iter().enumerate().map(|(d, spread)| axis(kernel + d) * -1 + (spread.kernel as i64 - 1)));
        at
    })
}
