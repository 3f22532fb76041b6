//! Operators on integers whose scales are made when the network runs, as onnxruntime's `quantize_dynamic` writes them.
//!
//! ```text
//! q, s, z = DynamicQuantizeLinear(x)
//! y = Mul(Cast(MatMulInteger(q, w, z, zero_points)), Mul(s, scales))
//! ```
//!
//! approximates `y = MatMul(x, DequantizeLinear(w, scales, zero_points))`, and that is what a compiler wants that finds ranges of its own.
//! ConvInteger and Conv are the same; a product of two such values has no weights.

use std::collections::HashSet;

use hb_dialects::ElementType;

use super::super::check::reads;
use super::super::model::{Attribute, Graph, Node};
use super::super::tensor::Tensor;
use super::{AXIS_SINCE, FOLLOWED, Rewriter};

/// ONNX's number of float32, as Cast has it.
const FLOAT: i64 = 1;
/// A product of integers has the scales of both of its values, or one and that of its weights.
const MOST_FACTORS: usize = 2;

impl Rewriter {
    /// `Mul` of a sum of products and the scales of its values: the same on reals, in its place.
    pub(super) fn scaled_product(&mut self, node: &Node) -> Option<()> {
        let [left, right] = node.inputs.as_slice() else { return None };
        let mut sums = [(left, right), (right, left)].into_iter();
        let (product, factor) = sums.find_map(|(sum, factor)| Some((self.sum(sum)?, factor)))?;
        let operator = if product.operator == "ConvInteger" { "Conv" } else { "MatMul" };
        let mut factors = self.factors(factor)?;
        let first = self.real_operand(&product, 0, &mut factors)?;
        let second = match self.constant(&product, 1) {
            Some(weights) => self.real_weights(&product, &weights, &factors)?,
            None => self.real_operand(&product, 1, &mut factors).filter(|_| factors.is_empty())?,
        };
        let mut made = Node::new(&product.name, operator, &[&first, &second], &[node.output(0)?]);
        made.attributes.clone_from(&product.attributes);
        self.nodes.push(made);
        self.dynamic.push(product.name.clone());
        Some(())
    }

    /// The product of integers whose sums are cast to this value.
    fn sum(&self, value: &str) -> Option<Node> {
        let cast = self.producers.get(value).filter(|node| node.operator == "Cast")?;
        let to_float = matches!(cast.attribute("to"), Some(Attribute::Int(FLOAT)));
        let product = self.producers.get(cast.input(0).filter(|_| to_float)?)?;
        matches!(product.operator.as_str(), "ConvInteger" | "MatMulInteger").then(|| product.clone())
    }

    /// What a value is the product of, if that is not more than two values.
    fn factors(&self, value: &str) -> Option<Vec<String>> {
        let (mut open, mut factors) = (vec![value.to_owned()], Vec::new());
        while let Some(value) = open.pop() {
            match self.producers.get(&value) {
                Some(node) if node.operator == "Mul" => open.extend(node.inputs.iter().cloned()),
                _ => factors.push(value),
            }
            if open.len() + factors.len() > MOST_FACTORS {
                return None;
            }
        }
        Some(factors)
    }

    /// The reals of which an operand of a product is made when the network runs; takes its scale from the factors.
    fn real_operand(&self, product: &Node, index: usize, factors: &mut Vec<String>) -> Option<String> {
        let made = self.producers.get(product.input(index)?)?;
        let is_whole = made.operator == "DynamicQuantizeLinear"
            && made.output(0) == product.input(index)
            && made.output(2) == product.input(index + 2);
        let scale = made.output(1).filter(|_| is_whole)?;
        let place = factors.iter().position(|factor| factor == scale)?;
        factors.swap_remove(place);
        made.input(0).map(str::to_owned)
    }

    /// The reals that the weights of a product are, with the factor that is left as their scale.
    fn real_weights(&mut self, product: &Node, weights: &Tensor, factors: &[String]) -> Option<String> {
        let scale = match factors {
            [] => Tensor::from_f32s(&[1.0]).reshaped(Vec::new()).ok()?,
            [name] => self.constants.get(name).filter(|scale| scale.element() == ElementType::F32)?.clone(),
            _ => return None,
        };
        let zero_point = match product.input(3) {
            Some(name) => self.constants.get(name).filter(|zero| zero.element() == weights.element())?.clone(),
            None => Tensor::new(weights.element(), Vec::new(), vec![0; weights.element().bytes()].into()).ok()?,
        };
        let rank = weights.shape().len();
        let is_convolution = product.operator == "ConvInteger";
        let axis = if is_convolution { 0 } else { rank.checked_sub(1)? };
        let channels = *weights.shape().get(axis).filter(|_| rank >= 2)?;
        let spatial = if is_convolution { rank - 2 } else { 0 };
        let fits = is_by_channel(scale.shape(), channels, spatial) && is_by_channel(zero_point.shape(), channels, 0);
        let single = scale.count() == 1 && zero_point.count() == 1;
        if !fits || !(single || self.opset >= AXIS_SINCE) {
            return None;
        }
        let count = if single { 1 } else { channels };
        let [scale, zero_point] = [(scale, "w_scale"), (zero_point, "w_zero_point")].map(|(values, suffix)| {
            let values = repeated(&values, count, single)?;
            let name = self.derived(product, suffix);
            self.made.push((name.clone(), values));
            Some(name)
        });
        let name = self.derived(product, "w");
        let made = Node::new(&name, "DequantizeLinear", &[product.input(1)?, &scale?, &zero_point?], &[&name]);
        self.nodes.push(if single { made } else { made.with("axis", Attribute::Int(axis as i64)) });
        Some(name)
    }
}

/// Whether values of this shape are one for all results or one for each channel, behind which results have so many dimensions.
fn is_by_channel(shape: &[usize], channels: usize, spatial: usize) -> bool {
    let (before, behind) = shape.split_at(shape.len().saturating_sub(spatial));
    let (channel, outer) = before.split_last().map_or((1, [].as_slice()), |(channel, outer)| (*channel, outer));
    // Results of a convolution have one more dimension, of samples.
    let most_outer = usize::from(spatial > 0);
    behind.iter().chain(outer).all(|size| *size == 1)
        && outer.len() <= most_outer
        && (channel == 1 || channel == channels)
}

/// One value as often as there are channels, or the values as they are.
fn repeated(values: &Tensor, count: usize, single: bool) -> Option<Tensor> {
    let times = if values.count() == 1 { count } else { 1 };
    let shape = if single { Vec::new() } else { vec![count] };
    Tensor::new(values.element(), shape, values.data().repeat(times).into()).ok()
}

/// Takes away the nodes of which dynamic integers were made and that nobody reads any more.
pub(super) fn sweep(graph: &mut Graph) {
    let mut read: HashSet<String> = graph.outputs.iter().map(|output| output.name.clone()).collect();
    let mut kept = Vec::with_capacity(graph.nodes.len());
    for node in std::mem::take(&mut graph.nodes).into_iter().rev() {
        let is_read = node.outputs.iter().any(|output| read.contains(output));
        if is_read || !node.domain.is_empty() || !FOLLOWED.contains(&node.operator.as_str()) {
            read.extend(reads(&node).into_iter().map(str::to_owned));
            kept.push(node);
        }
    }
    kept.reverse();
    graph.nodes = kept;
}

#[cfg(test)]
mod tests {
    use super::super::super::model::{Model, Value};
    use super::super::in_reals;
    use super::*;

    fn output(name: &str) -> Value {
        Value { name: name.to_owned(), element: Some(ElementType::F32), shape: None }
    }

    /// A product of integers of x and weights of this shape, its sums times scales of that shape.
    fn network(operator: &str, weights: &[usize], scales: &[usize]) -> Model {
        let floats = |shape: &[usize]| Tensor::from_f32s(&vec![0.5; shape.iter().product()]).reshaped(shape.to_vec());
        let bytes = |shape: &[usize]| {
            Tensor::new(ElementType::I8, shape.to_vec(), vec![1; shape.iter().product()].into()).unwrap()
        };
        let nodes = vec![
            Node::new("dynamic", "DynamicQuantizeLinear", &["x"], &["q", "s", "z"]),
            Node::new("scale", "Mul", &["scales", "s"], &["factor"]),
            Node::new("product", operator, &["q", "w", "z", "zero"], &["sums"]),
            Node::new("cast", "Cast", &["sums"], &["reals"]).with("to", Attribute::Int(FLOAT)),
            Node::new("result", "Mul", &["factor", "reals"], &["y"]),
        ];
        let initializers = vec![
            ("w".to_owned(), bytes(weights)),
            ("zero".to_owned(), bytes(&[])),
            ("scales".to_owned(), floats(scales).unwrap()),
        ];
        let graph = Graph { nodes, initializers, outputs: vec![output("y")], ..Graph::default() };
        Model::new(8, 17, graph)
    }

    fn operators(mut model: Model) -> Vec<String> {
        in_reals(&mut model);
        model.graph.nodes.into_iter().map(|node| node.operator).collect()
    }

    #[test]
    fn scales_of_channels_become_those_of_weights() {
        let of_layers: [&[usize]; 3] = [&[], &[1], &[5]];
        for scales in of_layers {
            assert_eq!(
                operators(network("MatMulInteger", &[4, 5], scales)),
                ["DequantizeLinear", "MatMul"],
                "{scales:?}"
            );
        }
        let of_maps: [&[usize]; 4] = [&[], &[1], &[5, 1, 1], &[1, 5, 1, 1]];
        for scales in of_maps {
            assert_eq!(
                operators(network("ConvInteger", &[5, 4, 3, 3], scales)),
                ["DequantizeLinear", "Conv"],
                "{scales:?}"
            );
        }
    }

    /// Scales along another dimension than that of the channels, or that give the result more dimensions.
    #[test]
    fn other_scales_stay() {
        for (operator, weights, scales) in [
            ("MatMulInteger", [4, 5].as_slice(), [1, 5].as_slice()),
            ("MatMulInteger", &[4, 5], &[4]),
            ("MatMulInteger", &[4, 5], &[5, 1]),
            ("ConvInteger", &[5, 4, 3, 3], &[5]),
            ("ConvInteger", &[5, 4, 3, 3], &[5, 1, 1, 1]),
            ("ConvInteger", &[5, 4, 3, 3], &[1, 1, 5, 1, 1]),
        ] {
            let found = operators(network(operator, weights, scales));
            assert_eq!(found, ["DynamicQuantizeLinear", "Mul", operator, "Cast", "Mul"], "{scales:?}");
        }
    }

    #[test]
    fn integers_that_are_not_those_of_the_reals_stay() {
        let changes: [fn(&mut Model); 3] = [
            // Another zero point than that of the values, the sums as float16, and the scale twice.
            |model| model.graph.nodes[2].inputs[2] = "zero".to_owned(),
            |model| model.graph.nodes[3].set_attribute("to", Attribute::Int(10)),
            |model| model.graph.nodes[1].inputs[0] = "s".to_owned(),
        ];
        for change in changes {
            let mut model = network("MatMulInteger", &[4, 5], &[]);
            change(&mut model);
            assert!(operators(model).contains(&"MatMulInteger".to_owned()));
        }
    }

    #[test]
    fn sums_that_others_read_stay_beside_the_product() {
        let mut model = network("MatMulInteger", &[4, 5], &[]);
        model.graph.outputs.push(output("reals"));
        let found = operators(model);
        assert_eq!(found, ["DynamicQuantizeLinear", "MatMulInteger", "Cast", "DequantizeLinear", "MatMul"]);
    }
}
