//! Recurrent layers.

use hb_dialects::ElementType;
use hb_dialects::hfloat::{self, Op, RecurrentSizes, attributes};
use hb_dialects::ir::IrError;
use hb_runtime::routines::{Activation, Cell, Direction, Recurrence};
use melior::ir::OperationRef;

use super::super::error::Error;
use super::super::expression::{GraphTensorId, accumulator, axis, index, select};
use super::super::graph::Combiner;
use super::node::{OperatorNode, Results, axes};

/// ONNX LSTM-22, GRU-22 and RNN-22. Arithmetic on floats of 16 bits happens in f32 and the results are rounded.
pub(super) fn recurrent(node: &mut OperatorNode) -> Results {
    let sizes = hfloat::recurrent_sizes(node.operation).map_err(|reason| node.invalid(reason))?;
    let sizes = sizes.ok_or_else(|| node.unsupported("the shapes of its operands are not known"))?;
    let element = node.element(node.operand(0)?)?;
    let narrow = is_narrow(element);
    let mut operands = node.operands.clone();
    if narrow {
        for id in &mut operands {
            *id = widened(node, *id)?;
        }
    }
    let &[input, weight, recurrence, bias, lengths, initial_h, ref of_lstm @ ..] = operands.as_slice() else {
        return Err(node.invalid("has not the operands of a recurrent layer"));
    };
    let routine = recurrence_of(node.operation, sizes).map_err(|reason| node.invalid(reason))?;
    let cell = routine.cell;
    // Sums run side by side in vectors where the gates do.
    let (weight, recurrence) = (node.turned(weight)?, node.turned(recurrence)?);
    let products = input_products(node, (sizes, cell), [input, weight, bias], routine.batch_first)?;
    let mut operands = vec![products, recurrence, lengths, initial_h];
    operands.extend(of_lstm);
    if cell == (Cell::Gru { linear_before_reset: true }) {
        operands.push(bias);
    }
    let computed = node.element(products)?;
    let results = node.call_on(routine, operands, Some(computed))?;
    if !narrow {
        return Ok(results);
    }
    let mut rounded = Vec::new();
    for (number, id) in results.into_iter().enumerate() {
        let shape = node.shape(id)?;
        let value = node.graph.load(id, axes(0, shape.len())).cast(element);
        let name = node.result_name(number);
        rounded.push(node.graph.add_elementwise(&node.name, &name, &shape, value)?);
    }
    Ok(rounded)
}

/// What a recurrent layer of these sizes computes.
///
/// # Errors
/// When attributes cannot be read or contradict each other; the reason follows the name of the node.
pub(crate) fn recurrence_of(operation: OperationRef<'_, '_>, sizes: RecurrentSizes) -> Result<Recurrence, String> {
    let text = |error: IrError| error.to_string();
    let cell = match Op::of(operation) {
        Some(Op::Lstm) => Cell::Lstm { input_forget: attributes::input_forget(operation).map_err(text)? },
        Some(Op::Gru) => Cell::Gru { linear_before_reset: attributes::linear_before_reset(operation).map_err(text)? },
        _ => Cell::Rnn,
    };
    Ok(Recurrence {
        cell,
        sizes,
        directions: directions(operation, sizes.directions, cell)?,
        clip: attributes::clip(operation).map_err(text)?,
        batch_first: attributes::layout(operation).map_err(text)?,
    })
}

fn is_narrow(element: ElementType) -> bool {
    matches!(element, ElementType::F16 | ElementType::BF16)
}

fn widened(node: &mut OperatorNode, id: GraphTensorId) -> Result<GraphTensorId, Error> {
    if !is_narrow(node.element(id)?) {
        return Ok(id);
    }
    let shape = node.shape(id)?;
    let value = node.graph.load(id, axes(0, shape.len())).cast(ElementType::F32);
    node.fill(&shape, value)
}

/// `input * weight + biases` of all steps: `[directions, steps, batch, gates * hidden]`. A bias that a reset gate is applied to is left out.
fn input_products(
    node: &mut OperatorNode,
    (sizes, cell): (RecurrentSizes, Cell),
    [input, weight, bias]: [GraphTensorId; 3],
    batch_first: bool,
) -> Result<GraphTensorId, Error> {
    let RecurrentSizes { steps, batch, inputs, directions, hidden, gates } = sizes;
    let element = node.element(input)?;
    let products = node.temporary(element, &[directions, steps, batch, hidden * gates])?;
    let (step, sample, feature) = (axis(1), axis(2), axis(4));
    let at = if batch_first { vec![sample, step, feature.clone()] } else { vec![step, sample, feature.clone()] };
    let body = node.graph.load(input, at) * node.graph.load(weight, vec![axis(0), feature, axis(3)]);
    let mut finish = accumulator(element);
    if node.shape(bias)? != [0] {
        let of_input = node.graph.load(bias, vec![axis(0), axis(3)]);
        let size = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let mut of_state = node.graph.load(bias, vec![axis(0), axis(3) + size(hidden * gates)]);
        if cell == (Cell::Gru { linear_before_reset: true }) {
            let is_reset = index(size(hidden * 2)).less_or_equal(axis(3));
            of_state = select(is_reset, of_state.like(0.0), of_state);
        }
        finish = finish + (of_input + of_state);
    }
    node.reduce_into(products, &[inputs], Combiner::SumOfProducts, body, finish)?;
    Ok(products)
}

fn directions(operation: OperationRef<'_, '_>, count: usize, cell: Cell) -> Result<Vec<Direction>, String> {
    let text = |error: IrError| error.to_string();
    let each = cell.default_activations();
    let names = attributes::activations(operation).map_err(text)?;
    let names = names.unwrap_or_else(|| each.repeat(count).into_iter().map(str::to_owned).collect());
    if names.len() != count * each.len() {
        let (found, each) = (names.len(), each.len());
        return Err(format!("has {found} activations for {count} directions; each takes {each}"));
    }
    let alpha = attributes::activation_alpha(operation).map_err(text)?.unwrap_or_default();
    let beta = attributes::activation_beta(operation).map_err(text)?.unwrap_or_default();
    let functions = Activation::named(&names, &alpha, &beta)?;
    let first_is_reverse = attributes::direction(operation).map_err(text)? == "reverse";
    let direction = |(number, activations): (usize, &[Activation])| Direction {
        reverse: first_is_reverse || number == 1,
        activations: activations.to_vec(),
    };
    Ok(functions.chunks_exact(each.len()).enumerate().map(direction).collect())
}
