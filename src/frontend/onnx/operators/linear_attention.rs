//! LinearAttention: a state for each head that every step decays, corrects and reads, as a Loop over the steps.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Graph, Node, Value};
use super::super::normalize::Rewriter;
use super::super::tensor::Tensor;
use super::compose::{Composer, Made};
use super::control::adapt_loop;
use hb_dialects::ElementType;

/// Each has its row in a table.
const MOST_HEADS: i64 = 1 << 16;

/// The nodes of the loop's body.
struct Body<'r, 'c, 'a> {
    rewriter: &'r mut Rewriter<'c, 'a>,
    node: Node,
    graph: Graph,
}

impl Body<'_, '_, '_> {
    fn make(&mut self, operator: &str, inputs: &[&str]) -> String {
        let name = self.rewriter.derived_name(&self.node, operator);
        self.graph.nodes.push(Node::new(&name, operator, inputs, &[&name]));
        name
    }

    fn constant(&mut self, tensor: Tensor) -> String {
        let name = self.rewriter.derived_name(&self.node, "constant");
        self.graph.initializers.push((name.clone(), tensor));
        name
    }

    fn with(&mut self, operator: &str, inputs: &[&str], (name, value): (&str, Attribute)) -> String {
        let made = self.make(operator, inputs);
        if let Some(node) = self.graph.nodes.last_mut() {
            node.set_attribute(name, value);
        }
        made
    }

    /// What a value `[batch, heads, steps, size]` has at the step: `[batch, heads, 1, size]`.
    fn at_step(&mut self, value: &str, step: &str) -> String {
        self.with("Gather", &[value, step], ("axis", Attribute::Int(2)))
    }

    fn turned(&mut self, value: &str) -> String {
        self.with("Transpose", &[value], ("perm", Attribute::Ints(vec![0, 1, 3, 2])))
    }
}

/// `[batch, steps, heads * size]` to `[batch, heads, steps, size]`, as f32.
fn by_heads(c: &mut Composer, x: &str, heads: i64) -> Made {
    let width = c.known(x, 2)?;
    if heads < 1 || width % heads != 0 {
        return Err(c.fault(format!("has {heads} heads, which do not divide {width}")));
    }
    let split = c.reshape(x, &[0, 0, heads, width / heads])?;
    let turned = c.transpose(&split, &[0, 2, 1, 3])?;
    c.cast(&turned, ElementType::F32)
}

/// What the loop reads from outside.
struct Inputs {
    query: String,
    key: String,
    value: String,
    decay: Option<String>,
    beta: Option<String>,
    /// Heads of the queries and of the state.
    heads: [i64; 2],
    scale: f64,
}

pub(super) fn compose(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node.clone());
    let (q, k, v) = (c.input(0)?, c.input(1)?, c.input(2)?);
    let element = c.element(&q)?;
    let heads = [c.int("q_num_heads").unwrap_or(0), c.int("kv_num_heads").unwrap_or(0)];
    let [queries, own] = heads;
    if queries > MOST_HEADS || own < 1 || queries < own || queries % own != 0 {
        return Err(c.fault(format!("has {queries} heads of queries and {own} of keys")));
    }
    let rule = c.text("update_rule").unwrap_or_else(|| "gated_delta".to_owned());
    let (decay, beta) = (c.optional(4), c.optional(5));
    if decay.is_some() != rule.starts_with("gated") || beta.is_some() != rule.ends_with("delta") {
        return Err(c.fault(format!("has inputs that are not those of the update_rule {rule:?}")));
    }
    let (batch, steps) = (c.known(&q, 0)?, c.known(&q, 1)?);
    let (key_size, value_size) = (c.known(&q, 2)? / queries, c.known(&v, 2)? / own);
    let query = by_heads(&mut c, &q, queries)?;
    let (key, value) = (by_heads(&mut c, &k, own)?, by_heads(&mut c, &v, own)?);
    let decay = decay.map(|decay| by_heads(&mut c, &decay, own)).transpose()?;
    let beta = match beta {
        Some(beta) => {
            let heads = c.known(&beta, 2)?;
            Some(by_heads(&mut c, &beta, heads)?)
        }
        None => None,
    };
    let scale = c.float("scale").filter(|scale| *scale != 0.0);
    let scale = scale.map_or(1.0 / (key_size as f64).sqrt(), f64::from);
    let (state, state_element) = match c.optional(3) {
        Some(state) => (c.cast(&state, ElementType::F32)?, c.element(&state)?),
        None => {
            let zero = c.scalar(ElementType::F32, 0.0)?;
            let shape = c.vector(&[batch, own, key_size, value_size])?;
            (c.make("Expand", &[&zero, &shape])?, element)
        }
    };
    let trips = c.vector(&[steps])?;
    let names = looped(rewriter, &node, (trips, state), &Inputs { query, key, value, decay, beta, heads, scale })?;
    let mut c = Composer::new(rewriter, node);
    let [state, outputs] = names;
    // [steps, batch, heads, 1, size]
    let outputs = c.transpose(&outputs, &[1, 0, 2, 3, 4])?;
    let outputs = c.reshape(&outputs, &[0, 0, queries * value_size])?;
    let (outputs, state) = (c.cast(&outputs, element)?, c.cast(&state, state_element)?);
    c.give(&[&outputs, &state])
}

/// The last state, and what each step reads.
fn looped(
    rewriter: &mut Rewriter,
    node: &Node,
    (trips, initial): (String, String),
    inputs: &Inputs,
) -> Result<[String; 2], OnnxError> {
    let names = ["iteration", "condition", "state", "last_state", "outputs", "loop"];
    let [iteration, condition, state, last, outputs, name] = names.map(|suffix| rewriter.derived_name(node, suffix));
    let value = |name: &str, element| Value { name: name.to_owned(), element: Some(element), shape: None };
    let graph = Graph {
        name: name.clone(),
        inputs: vec![
            value(&iteration, ElementType::I64),
            value(&condition, ElementType::Bool),
            value(&state, ElementType::F32),
        ],
        ..Graph::default()
    };
    let mut body = Body { rewriter, node: node.clone(), graph };
    let (next, read) = step(&mut body, &iteration, &state, inputs);
    let goes_on = body.make("Identity", &[&condition]);
    let given = [(goes_on, ElementType::Bool), (next, ElementType::F32), (read, ElementType::F32)];
    body.graph.outputs = given.iter().map(|(name, element)| value(name, *element)).collect();
    let graph = body.graph;
    let looped = Node::new(&name, "Loop", &[&trips, "", &initial], &[&last, &outputs]);
    adapt_loop(rewriter, looped.with("body", Attribute::Graph(Box::new(graph))))?;
    Ok([last, outputs])
}

/// The state after a step, and what the query reads of it.
fn step(body: &mut Body, iteration: &str, state: &str, inputs: &Inputs) -> (String, String) {
    let one = body.constant(Tensor::from_i64s(&[1]));
    let step = body.make("Reshape", &[iteration, &one]);
    let [query, key, mut value] = [&inputs.query, &inputs.key, &inputs.value].map(|input| body.at_step(input, &step));
    let mut state = state.to_owned();
    if let Some(decay) = &inputs.decay {
        let decay = body.at_step(decay, &step);
        let factor = body.make("Exp", &[&decay]);
        let factor = body.turned(&factor);
        state = body.make("Mul", &[&state, &factor]);
    }
    if let Some(beta) = &inputs.beta {
        let beta = body.at_step(beta, &step);
        let known = body.make("MatMul", &[&key, &state]);
        let new = body.make("Sub", &[&value, &known]);
        value = body.make("Mul", &[&beta, &new]);
    }
    let column = body.turned(&key);
    let update = body.make("MatMul", &[&column, &value]);
    let state = body.make("Add", &[&state, &update]);
    let [queries, own] = inputs.heads;
    let heads = body.constant(Tensor::from_i64s(&(0..queries).map(|head| head / (queries / own)).collect::<Vec<_>>()));
    let for_queries = body.with("Gather", &[&state, &heads], ("axis", Attribute::Int(1)));
    let read = body.make("MatMul", &[&query, &for_queries]);
    let scale = body.constant(Tensor::from_f32s(&[inputs.scale as f32]));
    (state, body.make("Mul", &[&read, &scale]))
}
