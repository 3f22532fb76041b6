//! Operators with graphs inside: If, Loop, Scan.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Graph, Node, Value};
use super::super::normalize::Rewriter;
use super::super::tensor::Tensor;
use hb_dialects::ElementType;
use hb_dialects::hfloat::NO_TRIP_LIMIT;

fn take_graph(node: &mut Node, name: &str) -> Result<Graph, OnnxError> {
    match node.take_attribute(name) {
        Some(Attribute::Graph(graph)) => Ok(*graph),
        _ => Err(OnnxError::node(node, format!("attribute {name:?} is missing"))),
    }
}

pub(super) fn adapt_if(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let (mut counts, mut faults) = (Vec::new(), Vec::new());
    for name in ["then_branch", "else_branch"] {
        let graph = take_graph(&mut node, name)?;
        if let Some(input) = graph.inputs.first() {
            return Err(OnnxError::node(
                &node,
                format!("its {name} takes the input {:?}; branches take none", input.name),
            ));
        }
        counts.push(graph.outputs.len());
        let graph = rewriter.branch(graph);
        faults.extend(graph.fault.clone());
        node.set_attribute(name, Attribute::Graph(Box::new(graph)));
    }
    if let [then, otherwise] = faults.as_slice() {
        return Err(OnnxError::node(&node, format!("neither of its branches can be built: {then}; {otherwise}")));
    }
    if counts.first() != counts.last() || counts.first().is_none_or(|count| node.outputs.len() > *count) {
        let reason = format!("it has {} outputs, its branches {counts:?}", node.outputs.len());
        return Err(OnnxError::node(&node, reason));
    }
    rewriter.push(node)
}

/// The normal form has a trip count and a condition.
pub(super) fn adapt_loop(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    let condition = Tensor::new(ElementType::Bool, Vec::new(), vec![1].into());
    let condition = condition.map_err(|reason| OnnxError::node(&node, reason))?;
    rewriter.complete_input(&mut node, 0, "trip_count", Tensor::from_i64s(&[NO_TRIP_LIMIT]))?;
    rewriter.complete_input(&mut node, 1, "condition", condition)?;
    let mut body = take_graph(&mut node, "body")?;
    let carried = node.inputs.len() - 2;
    if body.inputs.len() != carried + 2 || body.outputs.len() < carried + 1 {
        let (inputs, outputs) = (body.inputs.len(), body.outputs.len());
        let reason = format!(
            "it carries {carried} values, its body has {inputs} inputs and {outputs} outputs; it must take the number of the \
             iteration, the condition and the values, and give the condition and the values"
        );
        return Err(OnnxError::node(&node, reason));
    }
    if node.outputs.len() + 1 > body.outputs.len() {
        let reason = format!("it has {} outputs, its body gives {}", node.outputs.len(), body.outputs.len() - 1);
        return Err(OnnxError::node(&node, reason));
    }
    for (index, input) in body.inputs.iter_mut().enumerate() {
        input.element = Some(match index {
            0 => ElementType::I64,
            1 => ElementType::Bool,
            _ => rewriter.input_element(&node, index)?,
        });
    }
    let body = rewriter.inner(body)?;
    node.set_attribute("body", Attribute::Graph(Box::new(body)));
    rewriter.push(node)
}

/// What a Scan does along an axis: forwards or backwards.
struct Scanned {
    axis: i64,
    is_reverse: bool,
}

fn scanned(node: &Node, of: &str, count: usize) -> Result<Vec<Scanned>, OnnxError> {
    let numbers = |name: String| match node.attribute(&name) {
        Some(Attribute::Ints(values)) if values.len() != count => {
            Err(OnnxError::node(node, format!("its {name} has {} values, {count} are needed", values.len())))
        }
        Some(Attribute::Ints(values)) => Ok(values.clone()),
        _ => Ok(vec![0; count]),
    };
    let (axes, directions) = (numbers(format!("scan_{of}_axes"))?, numbers(format!("scan_{of}_directions"))?);
    Ok(axes.into_iter().zip(directions).map(|(axis, direction)| Scanned { axis, is_reverse: direction == 1 }).collect())
}

/// Scan is a Loop whose body takes a part of each scanned input.
pub(super) fn compose_scan(rewriter: &mut Rewriter, mut node: Node) -> Result<(), OnnxError> {
    if rewriter.opset() < 9 {
        return Err(OnnxError::node(&node, "Scan of opset 8 is not supported; export the model with a later one"));
    }
    let mut body = take_graph(&mut node, "body")?;
    let count = match node.attribute("num_scan_inputs") {
        Some(Attribute::Int(count)) => usize::try_from(*count).unwrap_or(0),
        _ => 0,
    };
    let states = node.inputs.len().checked_sub(count).filter(|_| count > 0);
    let fits = |states: &usize| body.inputs.len() == node.inputs.len() && body.outputs.len() >= *states;
    let states = states.filter(fits).ok_or_else(|| {
        OnnxError::node(
            &node,
            format!("it scans {count} of {} inputs, its body takes {}", node.inputs.len(), body.inputs.len()),
        )
    })?;
    let inputs = scanned(&node, "input", count)?;
    let outputs = scanned(&node, "output", body.outputs.len() - states)?;
    let trips = scan_body(rewriter, &node, &mut body, (states, &inputs))?;
    let mut results = Vec::new();
    for index in 0..body.outputs.len() - 1 {
        let is_plain = index < states || outputs.get(index - states).is_none_or(|out| out.axis == 0 && !out.is_reverse);
        let own = node.outputs.get(index).cloned().unwrap_or_default();
        results.push(if is_plain || own.is_empty() { own } else { rewriter.derived_name(&node, "scanned") });
    }
    let mut looped = Node::new(&node.name, "Loop", &[], &[]);
    looped.inputs = vec![trips, String::new()];
    looped.inputs.extend(node.inputs.iter().take(states).cloned());
    looped.outputs.clone_from(&results);
    while looped.outputs.last().is_some_and(String::is_empty) {
        looped.outputs.pop();
    }
    adapt_loop(rewriter, looped.with("body", Attribute::Graph(Box::new(body))))?;
    for ((index, result), scanned) in results.iter().enumerate().skip(states).zip(&outputs) {
        let own = node.outputs.get(index).map_or("", String::as_str);
        if result != own {
            arrange(rewriter, &node, (result, own), scanned)?;
        }
    }
    Ok(())
}

/// Makes the body of a Scan that of a Loop; gives how often it runs.
fn scan_body(
    rewriter: &mut Rewriter,
    node: &Node,
    body: &mut Graph,
    (states, scanned): (usize, &[Scanned]),
) -> Result<String, OnnxError> {
    let [iteration, condition, last] =
        ["iteration", "condition", "last"].map(|suffix| rewriter.derived_name(node, suffix));
    let mut trips = None;
    let mut nodes = Vec::new();
    let parts = body.inputs.split_off(states);
    for ((part, whole), Scanned { axis, is_reverse }) in parts.iter().zip(node.inputs.iter().skip(states)).zip(scanned)
    {
        let probe = Node::new("", "", &[whole], &[]);
        let shape = rewriter.shape(&probe, 0).unwrap_or_default();
        let axis =
            hb_dialects::hfloat::normalize_axis(*axis, shape.len()).map_err(|reason| OnnxError::node(node, reason))?;
        let size = shape.get(axis).copied().flatten().and_then(|size| i64::try_from(size).ok());
        let size = size.ok_or_else(|| OnnxError::node(node, format!("the length of {whole:?} must be known")))?;
        if trips.is_some_and(|trips| trips != size) {
            return Err(OnnxError::node(node, "it scans inputs of different lengths"));
        }
        trips = Some(size);
        let place = if *is_reverse { &last } else { &iteration };
        let gather = Node::new(&rewriter.derived_name(node, "part"), "Gather", &[whole, place], &[&part.name]);
        nodes.push(gather.with("axis", Attribute::Int(axis as i64)));
    }
    let trips = trips.unwrap_or(0);
    if scanned.iter().any(|scanned| scanned.is_reverse) {
        let end = rewriter.derived_name(node, "end");
        let tensor = Tensor::from_i64s(&[trips - 1]).reshaped(Vec::new());
        body.initializers.push((end.clone(), tensor.map_err(|reason| OnnxError::node(node, reason))?));
        nodes.insert(0, Node::new(&last, "Sub", &[&end, &iteration], &[&last]));
    }
    nodes.append(&mut body.nodes);
    let kept = rewriter.derived_name(node, "goes_on");
    nodes.push(Node::new(&kept, "Identity", &[&condition], &[&kept]));
    body.nodes = nodes;
    let value = |name: &str, element| Value { name: name.to_owned(), element: Some(element), shape: Some(Vec::new()) };
    body.inputs.splice(0..0, [value(&iteration, ElementType::I64), value(&condition, ElementType::Bool)]);
    body.outputs.insert(0, value(&kept, ElementType::Bool));
    rewriter.push_constant(node, "trip_count", Tensor::from_i64s(&[trips]))
}

/// The parts of a scanned output along their axis, in their direction.
fn arrange(rewriter: &mut Rewriter, node: &Node, (from, to): (&str, &str), scanned: &Scanned) -> Result<(), OnnxError> {
    let mut c = super::compose::Composer::new(rewriter, Node::new(&node.name, "Scan", &[from], &[to]));
    let mut value = from.to_owned();
    if scanned.is_reverse {
        value = c.slice(&value, 0, (-1, i64::MIN + 1, -1))?;
    }
    let axis = c.axis(&value, scanned.axis)? as i64;
    let mut perm: Vec<i64> = (1..c.rank(&value)? as i64).collect();
    perm.insert(axis as usize, 0);
    let value = c.transpose(&value, &perm)?;
    c.give_further(&value, to)
}
