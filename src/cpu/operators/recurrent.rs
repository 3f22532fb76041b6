//! Recurrent layers.

use hb_dialects::ElementType;
use hb_dialects::hfloat::{self, LstmSizes, attributes};

use super::super::error::Error;
use super::super::expression::{GraphTensorId, accumulator, axis};
use super::super::graph::Combiner;
use super::super::routines::{Activation, Direction, Lstm};
use super::node::{OperatorNode, Results, axes};

/// ONNX LSTM-14. Arithmetic on floats of 16 bits happens in f32 and the results are rounded.
pub(super) fn lstm(node: &mut OperatorNode) -> Results {
    let sizes = hfloat::lstm_sizes(node.operation).map_err(|reason| node.invalid(reason))?;
    let sizes = sizes.ok_or_else(|| node.unsupported("the shapes of its operands are not known"))?;
    let element = node.element(node.operand(0)?)?;
    let narrow = is_narrow(element);
    let mut operands = node.operands.clone();
    if narrow {
        for id in &mut operands {
            *id = widened(node, *id)?;
        }
    }
    let &[input, weight, recurrence, bias, lengths, initial_h, initial_c, peepholes] = operands.as_slice() else {
        return Err(node.invalid("has not the 8 operands of an LSTM"));
    };
    let batch_first = attributes::layout(node.operation)?;
    let products = input_products(node, sizes, [input, weight, bias], batch_first)?;
    let routine = Lstm {
        sizes,
        directions: directions(node, sizes.directions)?,
        clip: attributes::clip(node.operation)?,
        input_forget: attributes::input_forget(node.operation)?,
        batch_first,
    };
    let operands = vec![products, recurrence, lengths, initial_h, initial_c, peepholes];
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

/// `input * weight' + biases` of all steps: `[directions, steps, batch, 4 * hidden]`.
fn input_products(
    node: &mut OperatorNode,
    sizes: LstmSizes,
    [input, weight, bias]: [GraphTensorId; 3],
    batch_first: bool,
) -> Result<GraphTensorId, Error> {
    let LstmSizes { steps, batch, inputs, directions, hidden } = sizes;
    let element = node.element(input)?;
    let products = node.temporary(element, &[directions, steps, batch, hidden * 4])?;
    let (step, sample, feature) = (axis(1), axis(2), axis(4));
    let at = if batch_first { vec![sample, step, feature.clone()] } else { vec![step, sample, feature.clone()] };
    let body = node.graph.load(input, at) * node.graph.load(weight, vec![axis(0), axis(3), feature]);
    let mut finish = accumulator(element);
    if node.shape(bias)? != [0] {
        let of_input = node.graph.load(bias, vec![axis(0), axis(3)]);
        let of_state = node.graph.load(bias, vec![axis(0), axis(3) + i64::try_from(hidden * 4).unwrap_or(i64::MAX)]);
        finish = finish + (of_input + of_state);
    }
    node.reduce_into(products, &[inputs], Combiner::SumOfProducts, body, finish)?;
    Ok(products)
}

fn directions(node: &OperatorNode, count: usize) -> Result<Vec<Direction>, Error> {
    let operation = node.operation;
    let names = attributes::activations(operation)?;
    let names =
        names.unwrap_or_else(|| ["Sigmoid", "Tanh", "Tanh"].repeat(count).into_iter().map(str::to_owned).collect());
    if names.len() != count * 3 {
        return Err(node.invalid(format!("has {} activations for {count} directions; each takes three", names.len())));
    }
    let alpha = attributes::activation_alpha(operation)?.unwrap_or_default();
    let beta = attributes::activation_beta(operation)?.unwrap_or_default();
    let functions = Activation::named(&names, &alpha, &beta);
    let functions = functions.map_err(|reason| node.invalid(reason))?;
    let first_is_reverse = attributes::direction(operation)? == "reverse";
    let (threes, _) = functions.as_chunks::<3>();
    Ok(threes
        .iter()
        .enumerate()
        .map(|(number, activations)| Direction { reverse: first_is_reverse || number == 1, activations: *activations })
        .collect())
}
