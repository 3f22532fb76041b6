//! Attention and what goes with it: Attention, RotaryEmbedding, CausalConvWithState.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::compose::{Composer, Made};
use hb_dialects::ElementType;

/// `[batch, length, heads * size]` to `[batch, heads, length, size]`; of rank 4 it is that already.
fn by_heads(c: &mut Composer, x: &str, heads: &str) -> Made {
    if c.rank(x)? == 4 {
        return Ok(x.to_owned());
    }
    let heads = c.int(heads).filter(|heads| *heads > 0);
    let heads = heads.ok_or_else(|| c.fault("has inputs of rank 3 and does not say how many heads they have"))?;
    let size = c.known(x, 2)?;
    if size % heads != 0 {
        return Err(c.fault(format!("has {heads} heads, which do not divide {size}")));
    }
    let split = c.reshape(x, &[0, 0, heads, size / heads])?;
    c.transpose(&split, &[0, 2, 1, 3])
}

pub(super) fn compose_attention(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let (q, k, v) = (c.input(0)?, c.input(1)?, c.input(2)?);
    let (element, rank) = (c.element(&q)?, c.rank(&q)?);
    let q = by_heads(&mut c, &q, "q_num_heads")?;
    let [k, v] = [(k, 4), (v, 5)].map(|(new, past)| {
        let new = by_heads(&mut c, &new, "kv_num_heads")?;
        match c.optional(past) {
            Some(past) => c.concat(&[&past, &new], 2),
            None => Ok(new),
        }
    });
    let (present_key, present_value) = (k?, v?);
    let k = for_each_query(&mut c, &present_key, &q)?;
    let v = for_each_query(&mut c, &present_value, &q)?;
    let scores = capped(&mut c, &q, &k)?;
    let biased = masked(&mut c, &scores, &k)?;
    let softmax_element = match c.element_attribute("softmax_precision")? {
        Some(element) => element,
        None => c.element(&biased)?,
    };
    let precise = c.cast(&biased, softmax_element)?;
    let weights = c.make_with("Softmax", &[&precise], vec![("axis", Attribute::Int(-1))])?;
    let seen = match c.int("qk_matmul_output_mode").unwrap_or(0) {
        0 if c.float("softcap").is_some_and(|cap| cap != 0.0) => products(&mut c, &q, &k)?,
        0 | 1 => scores,
        2 => biased,
        3 => weights.clone(),
        mode => return Err(c.fault(format!("has a qk_matmul_output_mode of {mode}, possible are 0 to 3"))),
    };
    let weights = c.cast(&weights, c.element(&v)?)?;
    let result = c.make("MatMul", &[&weights, &v])?;
    let mut result = c.cast(&result, element)?;
    if rank == 3 {
        let (heads, size) = (c.known(&result, 1)?, c.known(&result, 3)?);
        result = c.transpose(&result, &[0, 2, 1, 3])?;
        result = c.reshape(&result, &[0, 0, heads * size])?;
    }
    let seen = c.cast(&seen, element)?;
    c.give(&[&result, &present_key, &present_value, &seen])
}

/// Keys or values once for each head of the queries: those of a group follow each other.
fn for_each_query(c: &mut Composer, x: &str, q: &str) -> Made {
    let (queries, own) = (c.known(q, 1)?, c.known(x, 1)?);
    if queries == own {
        return Ok(x.to_owned());
    }
    if own < 1 || queries % own != 0 {
        return Err(c.fault(format!("has {queries} heads of queries and {own} of keys or values")));
    }
    let heads = c.table(ElementType::I64, &[queries], |head| (head / (queries / own)) as f64)?;
    c.gather(x, &heads, 1)
}

/// Queries times keys, each by the root of the scale, so that neither overflows float16.
fn products(c: &mut Composer, q: &str, k: &str) -> Made {
    let size = c.known(q, 3)? as f64;
    let scale = c.float("scale").map_or_else(|| 1.0 / size.sqrt(), f64::from);
    if scale < 0.0 {
        return Err(c.fault(format!("has a scale of {scale}; its root is taken")));
    }
    let root = c.like(q, scale.sqrt())?;
    let q = c.make("Mul", &[q, &root])?;
    let k = c.make("Mul", &[k, &root])?;
    let k = c.transpose(&k, &[0, 1, 3, 2])?;
    c.make("MatMul", &[&q, &k])
}

/// The products, bent below `softcap`.
fn capped(c: &mut Composer, q: &str, k: &str) -> Made {
    let scores = products(c, q, k)?;
    let Some(cap) = c.float("softcap").filter(|cap| *cap != 0.0) else { return Ok(scores) };
    let cap = c.like(&scores, cap.into())?;
    let share = c.make("Div", &[&scores, &cap])?;
    let bent = c.make("Tanh", &[&share])?;
    c.make("Mul", &[&bent, &cap])
}

/// Scores with the mask added, and minus infinity where a query does not see a key.
fn masked(c: &mut Composer, scores: &str, k: &str) -> Made {
    let mut masked = scores.to_owned();
    let hidden = c.like(scores, f64::NEG_INFINITY)?;
    if let Some(mask) = c.optional(3) {
        let mask = complete_mask(c, &mask, k)?;
        masked = if c.element(&mask)? == ElementType::Bool {
            c.make("Where", &[&mask, &masked, &hidden])?
        } else {
            let mask = c.cast(&mask, c.element(scores)?)?;
            c.make("Add", &[&masked, &mask])?
        };
    }
    let keys = c.positions(scores, 3)?;
    if c.flag("is_causal") {
        let mut last = c.positions(scores, 2)?;
        if let Some(past) = c.optional(4) {
            let before = c.size(&past, 2)?;
            last = c.make("Add", &[&last, &before])?;
        }
        let is_seen = c.make("LessOrEqual", &[&keys, &last])?;
        masked = c.make("Where", &[&is_seen, &masked, &hidden])?;
    }
    if let Some(lengths) = c.optional(6) {
        let lengths = c.cast(&lengths, ElementType::I64)?;
        let lengths = c.reshape(&lengths, &[-1, 1, 1, 1])?;
        let is_seen = c.make("Less", &[&keys, &lengths])?;
        masked = c.make("Where", &[&is_seen, &masked, &hidden])?;
    }
    Ok(masked)
}

/// Keys beyond the end of a mask are hidden.
fn complete_mask(c: &mut Composer, mask: &str, k: &str) -> Made {
    let last = c.axis(mask, -1)?;
    let missing = c.known(k, 2)? - c.known(mask, last)?;
    if missing <= 0 {
        return Ok(mask.to_owned());
    }
    let value = if c.element(mask)? == ElementType::Bool { 0.0 } else { f64::NEG_INFINITY };
    let (pads, value, axes) = (c.vector(&[0, missing])?, c.like(mask, value)?, c.vector(&[-1])?);
    c.make("Pad", &[mask, &pads, &value, &axes])
}

/// Turns pairs of elements by the angles of their positions.
pub(super) fn compose_rotary_embedding(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let x = c.input(0)?;
    let rank = c.rank(&x)?;
    let heads = by_heads(&mut c, &x, "num_heads")?;
    let size = c.known(&heads, 3)?;
    let turned = c.int("rotary_embedding_dim").filter(|size| *size != 0).unwrap_or(size);
    if turned < 2 || turned > size || turned % 2 != 0 {
        return Err(c.fault(format!("turns {turned} of {size} elements")));
    }
    let [cos, sin] = [1, 2].map(|input| {
        let cache = c.input(input)?;
        let cache = match c.optional(3) {
            Some(positions) => c.gather(&cache, &positions, 0)?,
            None => cache,
        };
        c.unsqueeze(&cache, &[1])
    });
    let (cos, sin) = (cos?, sin?);
    let interleaved = c.flag("interleaved");
    let halves =
        if interleaved { [(0, turned, 2), (1, turned, 2)] } else { [(0, turned / 2, 1), (turned / 2, turned, 1)] };
    let [first, second] = halves.map(|range| c.slice(&heads, 3, range));
    let (first, second) = (first?, second?);
    let [a, b, d, e] =
        [(&cos, &first), (&sin, &second), (&sin, &first), (&cos, &second)].map(|(a, b)| c.make("Mul", &[a, b]));
    let (real, imaginary) = (c.make("Sub", &[&a?, &b?])?, c.make("Add", &[&d?, &e?])?);
    let mut result = if interleaved {
        let [real, imaginary] = [real, imaginary].map(|part| c.unsqueeze(&part, &[4]));
        let pairs = c.concat(&[&real?, &imaginary?], 4)?;
        c.reshape(&pairs, &[0, 0, 0, turned])?
    } else {
        c.concat(&[&real, &imaginary], 3)?
    };
    if turned < size {
        let rest = c.slice(&heads, 3, (turned, size, 1))?;
        result = c.concat(&[&result, &rest], 3)?;
    }
    if rank == 3 {
        let width = c.known(&x, 2)?;
        result = c.transpose(&result, &[0, 2, 1, 3])?;
        result = c.reshape(&result, &[0, 0, width])?;
    }
    c.give(&[&result])
}

/// A convolution of each channel that sees only what was before, with the end of the last call's input as its beginning.
pub(super) fn compose_causal_conv(rewriter: &mut Rewriter, node: Node) -> Result<(), OnnxError> {
    let mut c = Composer::new(rewriter, node);
    let (x, weight) = (c.input(0)?, c.input(1)?);
    let element = c.element(&x)?;
    let (channels, before) = (c.known(&weight, 0)?, c.known(&weight, 2)? - 1);
    let padded = match c.optional(3) {
        Some(past) => c.concat(&[&past, &x], 2)?,
        None => {
            let (pads, zero, axes) = (c.vector(&[before, 0])?, c.like(&x, 0.0)?, c.vector(&[2])?);
            c.make("Pad", &[&x, &pads, &zero, &axes])?
        }
    };
    let mut inputs = vec![padded.as_str(), weight.as_str()];
    let bias = c.optional(2);
    inputs.extend(bias.as_deref());
    let mut result = c.convolve(&inputs, vec![("group", Attribute::Int(channels))])?;
    if matches!(c.text("activation").as_deref(), Some("silu" | "swish")) {
        let wide = c.widened(&result)?;
        let gate = c.make("Sigmoid", &[&wide])?;
        let activated = c.make("Mul", &[&wide, &gate])?;
        result = c.cast(&activated, element)?;
    }
    let length = c.known(&padded, 2)?;
    let state = c.slice(&padded, 2, (length - before, length, 1))?;
    c.give(&[&result, &state])
}
