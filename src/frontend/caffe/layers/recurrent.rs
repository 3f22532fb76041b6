//! LSTM and RNN, step by step as Caffe unrolls them: `cont` says for each step and sample whether what came before counts.
//!
//! Caffe keeps the state from one run to the next; here each run begins with a state of zeros, as Caffe's first one does.

use super::super::builder::{Blob, LayerBuilder, known, shown};
use super::Built;
use super::layout::split;
use super::product::gemm;

/// More steps than this are no sequence that Caffe is run with.
const MAX_STEPS: usize = 4096;

/// What both kinds of layers read.
struct Sequence {
    steps: usize,
    samples: usize,
    hidden: usize,
    /// What each step adds to its gates, `[samples, gates * hidden]`, made of the input and of the bottom that is the same for all.
    inputs: Vec<Blob>,
    /// `[samples, 1]` each.
    cont: Vec<Blob>,
    /// The state that the bottoms give, `[samples, hidden]` each.
    state: Vec<Blob>,
    /// The blob of the file behind those of the input.
    next_blob: usize,
}

/// Reads the bottoms; a step has `gates` matrices and hands on `states` values.
fn sequence(b: &mut LayerBuilder<'_>, gates: usize, states: usize) -> Result<Sequence, String> {
    let parameter = b.layer.parameters.recurrent_param.clone().unwrap_or_default();
    let hidden = parameter.num_output() as usize;
    if hidden == 0 {
        return Err("num_output is missing or 0".to_owned());
    }
    let exposed = if parameter.expose_hidden() { states } else { 0 };
    let (x, cont) = (b.bottom(0)?, b.bottom(1)?);
    let count = b.bottoms.len();
    let has_static = count > 2 + exposed;
    if count != 2 + exposed + usize::from(has_static) {
        return Err(format!(
            "it has {count} bottoms, the input, cont, {exposed} of its state and one that stays are possible"
        ));
    }
    if b.layer.parameters.top.len() != 1 + exposed {
        return Err(format!("it has {} tops, it must have {}", b.layer.parameters.top.len(), 1 + exposed));
    }
    if x.rank() < 2 {
        return Err(format!("its first bottom has the shape {}, steps and samples come first", shown(&x.shape)));
    }
    let (steps, samples) = (x.size(0)?, x.size(1)?);
    if cont.shape != known(&[steps, samples]) {
        return Err(format!("its second bottom has the shape {}, it must be [{steps}, {samples}]", shown(&cont.shape)));
    }
    if steps > MAX_STEPS {
        return Err(format!("it has {steps} steps, at most {MAX_STEPS} are supported"));
    }
    let width = gates.checked_mul(hidden).ok_or("num_output is too large")?;
    let weight = b.weight_blob("input_weight", 0, &[width, x.count_from(2)?])?;
    let bias = b.weight_blob("input_bias", 1, &[width])?;
    let sums = gemm(b, &x, 2, (&weight, true), Some(&bias))?;
    let mut inputs = parts(b, &sums, &[samples, width])?;
    if has_static {
        let constant = b.bottom(2)?;
        if constant.shape.first() != Some(&Some(samples)) {
            return Err(format!(
                "its third bottom has the shape {}, {samples} samples are needed",
                shown(&constant.shape)
            ));
        }
        let weight = b.weight_blob("static_weight", 2, &[width, constant.count_from(1)?])?;
        let constant = gemm(b, &constant, 1, (&weight, true), None)?;
        for input in &mut inputs {
            *input = b.binary("Add", input, &constant)?;
        }
    }
    let cont = parts(b, &cont, &[samples, 1])?;
    let mut state = Vec::new();
    for index in count - exposed..count {
        let given = b.bottom(index)?;
        if given.shape != known(&[1, samples, hidden]) {
            return Err(format!(
                "its bottom {index} has the shape {}, it must be [1, {samples}, {hidden}]",
                shown(&given.shape)
            ));
        }
        state.push(b.reshape(&given, known(&[samples, hidden]))?);
    }
    Ok(Sequence { steps, samples, hidden, inputs, cont, state, next_blob: 2 + usize::from(has_static) })
}

/// The steps of a sequence, each in this shape.
fn parts(b: &mut LayerBuilder<'_>, x: &Blob, shape: &[usize]) -> Built {
    let steps = x.size(0)?;
    let parts = split(b, x, 0, &vec![1; steps])?;
    parts.iter().map(|part| b.reshape(part, known(shape))).collect()
}

impl Sequence {
    /// The state of the step before, as far as it counts.
    fn before(&self, b: &mut LayerBuilder<'_>, step: usize, state: Option<&Blob>) -> Result<Option<Blob>, String> {
        match (state, self.cont.get(step)) {
            (Some(state), Some(cont)) => b.binary("Mul", state, cont).map(Some),
            _ => Ok(None),
        }
    }

    /// One value per step as one sequence.
    fn stacked(&self, b: &mut LayerBuilder<'_>, values: &[Blob]) -> Result<Blob, String> {
        let mut rows = Vec::with_capacity(self.steps);
        for value in values {
            rows.push(self.as_step(b, value)?);
        }
        if let [only] = rows.as_slice() {
            return Ok(only.clone());
        }
        b.concat(&rows.iter().collect::<Vec<_>>(), 0)
    }

    fn as_step(&self, b: &mut LayerBuilder<'_>, value: &Blob) -> Result<Blob, String> {
        b.reshape(value, known(&[1, self.samples, value.size(1)?]))
    }
}

/// Long short-term memory.
pub fn lstm(b: &mut LayerBuilder<'_>) -> Built {
    let sequence = sequence(b, 4, 2)?;
    let hidden = sequence.hidden;
    let weight = b.weight_blob("hidden_weight", sequence.next_blob, &[4 * hidden, hidden])?;
    let mut state = sequence.state.clone().into_iter();
    let (mut h, mut c) = (state.next(), state.next());
    let mut outputs = Vec::with_capacity(sequence.steps);
    for (step, input) in sequence.inputs.iter().enumerate() {
        let mut gates = input.clone();
        if let Some(before) = sequence.before(b, step, h.as_ref())? {
            let product = gemm(b, &before, 1, (&weight, true), None)?;
            gates = b.binary("Add", &gates, &product)?;
        }
        let parts = split(b, &gates, 1, &[hidden; 4])?;
        let [i, f, o, g] = <[Blob; 4]>::try_from(parts).map_err(|_| "it has four gates".to_owned())?;
        let (i, f, o) = (b.unary("Sigmoid", &i, &[])?, b.unary("Sigmoid", &f, &[])?, b.unary("Sigmoid", &o, &[])?);
        let g = b.unary("Tanh", &g, &[])?;
        let mut cell = b.binary("Mul", &i, &g)?;
        if let Some(before) = sequence.before(b, step, c.as_ref())? {
            let kept = b.binary("Mul", &f, &before)?;
            cell = b.binary("Add", &kept, &cell)?;
        }
        let bounded = b.unary("Tanh", &cell, &[])?;
        let output = b.binary("Mul", &o, &bounded)?;
        outputs.push(output.clone());
        (h, c) = (Some(output), Some(cell));
    }
    let mut tops = vec![sequence.stacked(b, &outputs)?];
    if !sequence.state.is_empty() {
        for last in [h, c].iter().flatten() {
            tops.push(sequence.as_step(b, last)?);
        }
    }
    Ok(tops)
}

/// A simple recurrent layer: `h = tanh(W h + V x + b)`, and its output `tanh(U h + c)`.
pub fn rnn(b: &mut LayerBuilder<'_>) -> Built {
    let sequence = sequence(b, 1, 1)?;
    let (hidden, next) = (sequence.hidden, sequence.next_blob);
    let weight = b.weight_blob("hidden_weight", next, &[hidden, hidden])?;
    let output_weight = b.weight_blob("output_weight", next + 1, &[hidden, hidden])?;
    let output_bias = b.weight_blob("output_bias", next + 2, &[hidden])?;
    let mut h = sequence.state.first().cloned();
    let mut outputs = Vec::with_capacity(sequence.steps);
    for (step, input) in sequence.inputs.iter().enumerate() {
        let mut sum = input.clone();
        if let Some(before) = sequence.before(b, step, h.as_ref())? {
            let product = gemm(b, &before, 1, (&weight, true), None)?;
            sum = b.binary("Add", &product, &sum)?;
        }
        let state = b.unary("Tanh", &sum, &[])?;
        let output = gemm(b, &state, 1, (&output_weight, true), Some(&output_bias))?;
        outputs.push(b.unary("Tanh", &output, &[])?);
        h = Some(state);
    }
    let mut tops = vec![sequence.stacked(b, &outputs)?];
    if let (Some(last), false) = (h, sequence.state.is_empty()) {
        tops.push(sequence.as_step(b, &last)?);
    }
    Ok(tops)
}
