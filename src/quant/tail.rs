//! What follows the last layers of a network: boxes are made of what these sum there, and scores.
//!
//! Their values cost little as int16, since nothing multiplies them by weights. What they are rounded to shows in the outputs as it is, in pixels for
//! one, of which the cosine of an output whose numbers are hundreds says nothing.

use super::{
    groups::ScaleGroups,
    linear::LinearLayer,
    precision::Candidate,
    rules::{QuantizedRole, row_of},
    thresholds::{ThresholdRange, value_name},
};
use hb_dialects::{
    hfloat::Op,
    ir::{self, IrError},
};
use melior::ir::{OperationRef, operation::OperationLike};
use std::collections::{BTreeMap, HashSet};

/// They are int16 where that costs at most this share of the products of the layers.
const MOST_COST: f64 = 0.05;

/// The values that follow the last layers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tail {
    /// The names of those whose thresholds decide.
    values: HashSet<String>,
    /// The products of the layers.
    products: u64,
}

impl Tail {
    /// Those of a function.
    ///
    /// # Errors
    /// When attributes or types cannot be read.
    pub fn of(function: OperationRef<'_, '_>) -> Result<Self, IrError> {
        // By address: what a layer reads, and what that is made of.
        let mut before = HashSet::new();
        let mut products = 0;
        for operation in ir::body(function).map(ir::operations).unwrap_or_default().into_iter().rev() {
            if let Some(layer) = LinearLayer::of(function, operation)? {
                products += layer.products();
            }
            if multiplies(operation)?
                || ir::results(operation).into_iter().any(|result| before.contains(&ir::address(result)))
            {
                before.extend(operation.operands().map(ir::address));
            }
        }
        let groups = ScaleGroups::of(function)?;
        let named = |value| value_name(function, groups.source(value));
        let (behind, others): (Vec<_>, Vec<_>) =
            groups.quantized().partition(|value| !before.contains(&ir::address(*value)));
        let others: HashSet<String> = others.into_iter().map(named).collect();
        let values = behind.into_iter().map(named).filter(|name| !others.contains(name)).collect();
        Ok(Self { values, products })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Those of the candidates that are of it, where they cost little.
    pub(super) fn wide(&self, candidates: &[Candidate]) -> BTreeMap<String, ThresholdRange> {
        let own = || candidates.iter().filter(|candidate| self.values.contains(&candidate.value));
        let cost: u64 = own().map(|candidate| candidate.cost).sum();
        let is_little = cost as f64 <= MOST_COST * self.products as f64;
        tracing::debug!(
            "{} activations follow the last layers; as int16 they cost as much as {:.2} % of the products of the layers",
            own().count(),
            100.0 * cost as f64 / self.products.max(1) as f64
        );
        own().filter(|_| is_little).map(|candidate| (candidate.value.clone(), candidate.wide)).collect()
    }
}

/// Whether an operation is a layer: it multiplies by weights, once or in each step of a sequence, or activations by each other as matrices.
fn multiplies(operation: OperationRef<'_, '_>) -> Result<bool, IrError> {
    // The recurrent ones have no rule: the CPU computes them.
    if matches!(Op::of(operation), Some(Op::MatMul | Op::Lstm | Op::Gru | Op::Rnn)) {
        return Ok(true);
    }
    let Some(rule) = row_of(operation)? else { return Ok(false) };
    for index in 0..operation.operand_count() {
        if matches!(rule.role(operation, index)?, QuantizedRole::Weight { .. }) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quant::calibrate::network;

    /// Two layers, what is between them, and what follows: a sum that both branches read.
    const TWO_LAYERS: &str = r#"func.func @main(%x: tensor<1x8xf32>) -> tensor<1x4xf32> {
        %w = hfloat.constant dense<0.5> : tensor<8x4xf32> loc("w")
        %v = hfloat.constant dense<0.5> : tensor<4x4xf32> loc("v")
        %c = hfloat.constant dense<3.0> : tensor<4xf32> loc("c")
        %0 = hfloat.gemm %x, %w : (tensor<1x8xf32>, tensor<8x4xf32>) -> tensor<1x4xf32> loc("first")
        %1 = hfloat.tanh %0 : (tensor<1x4xf32>) -> tensor<1x4xf32> loc("between")
        %2 = hfloat.gemm %1, %v : (tensor<1x4xf32>, tensor<4x4xf32>) -> tensor<1x4xf32> loc("second")
        %3 = hfloat.mul %2, %c : (tensor<1x4xf32>, tensor<4xf32>) -> tensor<1x4xf32> loc("scaled")
        %4 = hfloat.add %3, %1 : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32> loc("moved")
        return %4 : tensor<1x4xf32>
    }"#;

    /// What feeds a recurrent layer, which the CPU computes, and what follows it.
    const RECURRENT: &str = r#"func.func @main(%x: tensor<3x1x4xf32>) -> tensor<3x1x1x2xf32> {
        %w = hfloat.constant dense<0.5> : tensor<1x6x4xf32> loc("w")
        %r = hfloat.constant dense<0.5> : tensor<1x6x2xf32> loc("r")
        %b = hfloat.constant dense<0.5> : tensor<1x12xf32> loc("b")
        %s = hfloat.constant dense<3> : tensor<1xi32> loc("s")
        %h = hfloat.constant dense<0.0> : tensor<1x1x2xf32> loc("h")
        %0 = hfloat.mul %x, %x : (tensor<3x1x4xf32>, tensor<3x1x4xf32>) -> tensor<3x1x4xf32> loc("before")
        %1, %2 = hfloat.gru %0, %w, %r, %b, %s, %h {hidden_size = 2 : si64} : (tensor<3x1x4xf32>, tensor<1x6x4xf32>, tensor<1x6x2xf32>, tensor<1x12xf32>, tensor<1xi32>, tensor<1x1x2xf32>) -> (tensor<3x1x1x2xf32>, tensor<1x1x2xf32>) loc("recurrent")
        %3 = hfloat.mul %1, %1 : (tensor<3x1x1x2xf32>, tensor<3x1x1x2xf32>) -> tensor<3x1x1x2xf32> loc("after")
        return %3 : tensor<3x1x1x2xf32>
    }"#;

    fn tail(text: &str) -> Tail {
        let context = hb_dialects::context();
        let module = melior::ir::Module::parse(&context, text).expect("the text parses");
        Tail::of(network(&module).unwrap()).unwrap()
    }

    fn values(tail: Tail) -> Vec<String> {
        let mut values: Vec<String> = tail.values.into_iter().collect();
        values.sort();
        values
    }

    #[test]
    fn what_no_layer_follows_is_the_tail() {
        assert_eq!(values(tail(TWO_LAYERS)), ["moved", "scaled", "second"]);
        // Products of the two matrices.
        assert_eq!(tail(TWO_LAYERS).products, 8 * 4 + 4 * 4);
    }

    #[test]
    fn what_a_recurrent_layer_reads_is_no_tail() {
        let values = values(tail(RECURRENT));
        assert!(values.contains(&"after".to_owned()), "{values:?}");
        assert!(!values.contains(&"before".to_owned()) && !values.contains(&"x".to_owned()), "{values:?}");
    }

    #[test]
    fn a_tail_that_costs_much_stays() {
        let wide = ThresholdRange::from(1.0);
        let candidate = |value: &str, cost| Candidate { value: value.into(), cost, wide };
        let tail = Tail { values: ["a".into(), "b".into()].into(), products: 1000 };
        let names = |candidates: &[Candidate]| tail.wide(candidates).into_keys().collect::<Vec<_>>();
        assert_eq!(names(&[candidate("a", 20), candidate("b", 30), candidate("other", 500)]), ["a", "b"]);
        assert!(names(&[candidate("a", 21), candidate("b", 30)]).is_empty());
    }
}
