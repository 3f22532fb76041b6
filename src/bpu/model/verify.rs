//! What makes a [`Segment`] well formed.

use super::types::{check_clamp, check_types};
use super::{BpuElement, BpuNode, BpuTensor, MAX_RANK, MAX_TENSOR_BYTES, Segment, TensorId, TensorScale, output_shape};

/// A rule of the model that a segment breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{subject}: {message}")]
pub struct ModelError {
    /// The node or tensor at fault, as in "node `Conv_3`".
    pub subject: String,
    /// One sentence.
    pub message: String,
}

pub(super) type Check = Result<(), String>;

impl Segment {
    /// Checks shapes, element types, scales, constants and the order of nodes.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn verify(&self) -> Result<(), ModelError> {
        for tensor in &self.tensors {
            check_tensor(tensor)
                .map_err(|message| ModelError { subject: format!("tensor `{}`", tensor.name), message })?;
        }
        let mut known = self.initially_known()?;
        for node in &self.nodes {
            self.check_order(node, &mut known)
                .and_then(|()| self.verify_node(node))
                .map_err(|message| ModelError { subject: format!("node `{}`", node.name), message })?;
        }
        match self.outputs.iter().find(|id| !is_known(&known, **id)) {
            Some(id) => Err(segment_error(format!("output {} is computed by no node", id.0))),
            None => Ok(()),
        }
    }

    /// Checks one node on its own: operands, result, attributes.
    ///
    /// # Errors
    /// One sentence that says which rule is broken, without the node's name.
    pub fn verify_node(&self, node: &BpuNode) -> Result<(), String> {
        let operands = self.all(&node.inputs)?;
        let [output] = self.all(&node.outputs)?[..] else {
            return Err(format!("{} has one result, not {}", node.operator.name(), node.outputs.len()));
        };
        let shapes: Vec<&[usize]> = operands.iter().map(|tensor| tensor.shape.as_slice()).collect();
        let shape = output_shape(&node.operator, &shapes).map_err(|error| error.0)?;
        if let Some(shape) = shape
            && shape != output.shape
        {
            return Err(format!("the result has shape {:?} but the operands give {shape:?}", output.shape));
        }
        check_clamp(&node.operator, output)?;
        check_types(&node.operator, &operands, output)
    }

    fn all(&self, ids: &[TensorId]) -> Result<Vec<&BpuTensor>, String> {
        ids.iter().map(|id| self.tensor(*id).ok_or_else(|| format!("there is no tensor {}", id.0))).collect()
    }

    /// Constants and inputs.
    fn initially_known(&self) -> Result<Vec<bool>, ModelError> {
        let mut known: Vec<bool> = self.tensors.iter().map(|tensor| tensor.data.is_some()).collect();
        for id in &self.inputs {
            match known.get_mut(id.0) {
                Some(mark) if !*mark => *mark = true,
                Some(_) => {
                    return Err(segment_error(format!("input {} is a constant or listed twice", id.0)));
                }
                None => {
                    return Err(segment_error(format!("input {} is no tensor of the segment", id.0)));
                }
            }
        }
        Ok(known)
    }

    fn check_order(&self, node: &BpuNode, known: &mut [bool]) -> Check {
        if let Some(id) = node.inputs.iter().find(|id| !is_known(known, **id)) {
            return Err(format!("operand {} is not computed before the node", id.0));
        }
        for id in &node.outputs {
            match known.get_mut(id.0) {
                Some(mark) if !*mark => *mark = true,
                Some(_) => {
                    return Err(format!("result {} is already an input, a constant or another result", id.0));
                }
                None => return Err(format!("result {} is no tensor of the segment", id.0)),
            }
        }
        Ok(())
    }
}

fn segment_error(message: String) -> ModelError {
    ModelError { subject: "segment".to_owned(), message }
}

fn is_known(known: &[bool], id: TensorId) -> bool {
    known.get(id.0).copied().unwrap_or(false)
}

pub(super) fn ensure(condition: bool, message: impl FnOnce() -> String) -> Check {
    if condition { Ok(()) } else { Err(message()) }
}

impl BpuTensor {
    /// Checks rank, size, constant and scale on their own.
    ///
    /// # Errors
    /// One sentence that says which rule is broken, without the tensor's name.
    pub fn verify(&self) -> Result<(), String> {
        check_tensor(self)
    }
}

fn check_tensor(tensor: &BpuTensor) -> Check {
    ensure(tensor.shape.len() <= MAX_RANK, || format!("rank {} is above {MAX_RANK}", tensor.shape.len()))?;
    ensure(!tensor.shape.contains(&0), || format!("shape {:?} has no elements", tensor.shape))?;
    let bytes = tensor.byte_count().filter(|bytes| *bytes <= MAX_TENSOR_BYTES);
    let Some(bytes) = bytes else {
        return Err(format!("shape {:?} of {} takes more than {MAX_TENSOR_BYTES} bytes", tensor.shape, tensor.element));
    };
    if let Some(data) = &tensor.data {
        ensure(data.len() == bytes, || format!("the constant has {} bytes but its shape takes {bytes}", data.len()))?;
    }
    match tensor.element {
        BpuElement::F32 | BpuElement::F16 => {
            ensure(tensor.scale == TensorScale::None, || "reals have no scale".to_owned())?
        }
        BpuElement::U8 => ensure(tensor.scale == TensorScale::None, || "bytes have no scale".to_owned())?,
        BpuElement::I8 | BpuElement::I16 => {
            ensure(tensor.scale != TensorScale::None, || format!("{} needs a scale", tensor.element))?;
        }
        BpuElement::I32 => {}
    }
    check_scale(tensor)
}

fn check_scale(tensor: &BpuTensor) -> Check {
    let scales: &[f64] = match &tensor.scale {
        TensorScale::None => &[],
        TensorScale::PerTensor(affine) => std::slice::from_ref(&affine.scale),
        TensorScale::PerChannel { axis, scales } => {
            ensure(tensor.shape.get(*axis) == Some(&scales.len()), || {
                format!("{} scales do not fit axis {axis} of shape {:?}", scales.len(), tensor.shape)
            })?;
            scales
        }
    };
    let zero_point = tensor.scale.zero_point();
    ensure(zero_point == 0 || tensor.element == BpuElement::I8 && i8::try_from(zero_point).is_ok(), || {
        format!("{} has no zero point {zero_point}; only i8 has others than 0, in its range", tensor.element)
    })?;
    // The scale must stay positive and finite as f32 too, which is what quantize and dequantize calculate with.
    match scales.iter().find(|scale| !((**scale as f32).is_normal() && **scale > 0.0)) {
        Some(scale) => Err(format!("scale {scale:e} is not a positive normal f32")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Clamp, Convolution, MaxPool, Operator, PadMode};
    use super::*;

    fn i8(name: &str, shape: &[usize], scale: f64) -> BpuTensor {
        BpuTensor::new(name, shape, BpuElement::I8, TensorScale::symmetric(scale))
    }

    /// x [1, 4, 4, 2] convolved by w [3, 1, 1, 2].
    fn convolution() -> Segment {
        let mut segment = Segment::default();
        let x = segment.add_input(i8("x", &[1, 4, 4, 2], 0.1));
        let scales = TensorScale::PerChannel { axis: 0, scales: vec![0.1, 0.2, 0.3] };
        let w = segment.add_tensor(BpuTensor::new("w", [3, 1, 1, 2], BpuElement::I8, scales).with_data(vec![1; 6]));
        let bias =
            segment.add_tensor(BpuTensor::new("b", [3], BpuElement::I32, TensorScale::None).with_data(vec![0; 12]));
        let y = i8("y", &[1, 4, 4, 3], 0.5);
        let y = segment.add_node("Conv_0", Operator::Convolution(Convolution::default()), &[x, w, bias], y);
        segment.outputs.push(y);
        segment
    }

    fn message(segment: &Segment) -> String {
        segment.verify().unwrap_err().to_string()
    }

    #[test]
    fn a_good_segment() {
        assert_eq!(convolution().verify(), Ok(()));
        assert_eq!(Segment::default().verify(), Ok(()));
    }

    #[test]
    fn tensors() {
        type Change = fn(&mut BpuTensor);
        let cases: [(Change, &str); 9] = [
            (|t| t.shape = vec![1; 7], "rank 7"),
            (|t| t.shape = vec![1, 0], "no elements"),
            (|t| t.shape = vec![usize::MAX, 2], "bytes"),
            (|t| t.shape = vec![1 << 16, 1 << 16], "bytes"),
            (|t| t.scale = TensorScale::None, "needs a scale"),
            (|t| t.element = BpuElement::F32, "reals have no scale"),
            (|t| t.scale = TensorScale::symmetric(f64::NAN), "positive"),
            (|t| t.scale = TensorScale::symmetric(1e-300), "positive"),
            (|t| t.scale = TensorScale::PerChannel { axis: 9, scales: vec![1.0] }, "do not fit"),
        ];
        for (change, expected) in cases {
            let mut segment = convolution();
            change(&mut segment.tensors[0]);
            let found = message(&segment);
            assert!(found.starts_with("tensor `x`") && found.contains(expected), "{found}");
        }
        let mut segment = convolution();
        segment.tensors[1].data = Some(vec![1; 5].into());
        assert!(message(&segment).contains("5 bytes"));
    }

    #[test]
    fn order() {
        type Change = fn(&mut Segment);
        let cases: [(Change, &str); 8] = [
            (|s| s.inputs.clear(), "not computed before"),
            (|s| s.inputs.push(TensorId(1)), "constant or listed twice"),
            (|s| s.inputs.push(TensorId(77)), "no tensor"),
            (|s| s.outputs.push(TensorId(77)), "computed by no node"),
            (|s| s.nodes[0].outputs = vec![TensorId(0)], "already"),
            (|s| s.nodes[0].outputs = vec![TensorId(77)], "no tensor"),
            (|s| s.nodes[0].outputs.clear(), "one result"),
            (|s| s.nodes[0].inputs.truncate(1), "does not take 1 operands"),
        ];
        for (change, expected) in cases {
            let mut segment = convolution();
            change(&mut segment);
            let found = message(&segment);
            assert!(found.contains(expected), "{found} lacks {expected}");
        }
    }

    #[test]
    fn convolutions() {
        type Change = fn(&mut Segment);
        let cases: [(Change, &str); 6] = [
            (|s| s.tensors[3].shape = vec![1, 4, 4, 4], "operands give"),
            (|s| s.tensors[3].scale = TensorScale::PerChannel { axis: 3, scales: vec![1.0; 3] }, "one scale"),
            (|s| s.tensors[3].element = BpuElement::I32, "product of the scales"),
            (|s| s.tensors[2].scale = TensorScale::symmetric(1.0), "scale of the bias"),
            (|s| s.tensors[1].scale = TensorScale::PerChannel { axis: 3, scales: vec![1.0; 2] }, "axis 0"),
            (
                |s| {
                    let clamp = Some(Clamp { low: 0, high: 128 });
                    s.nodes[0].operator = Operator::Convolution(Convolution { clamp, ..Convolution::default() });
                },
                "clamp [0, 128]",
            ),
        ];
        for (change, expected) in cases {
            let mut segment = convolution();
            change(&mut segment);
            let found = message(&segment);
            assert!(found.starts_with("node `Conv_0`") && found.contains(expected), "{found} lacks {expected}");
        }
        let mut segment = convolution();
        segment.tensors[3].element = BpuElement::I32;
        segment.tensors[3].scale = TensorScale::PerChannel { axis: 3, scales: vec![0.1 * 0.1, 0.1 * 0.2, 0.1 * 0.3] };
        assert_eq!(segment.verify(), Ok(()));
    }

    #[test]
    fn every_other_operator_checks_its_types() {
        let real = || BpuTensor::new("f", [2], BpuElement::F32, TensorScale::None);
        let one = |scale| i8("q", &[2], scale);
        let table = Box::new([0; 256]);
        let wide = BpuTensor::new("w", [2], BpuElement::I16, TensorScale::symmetric(1.0));
        let curve = |start| {
            let piece = crate::numerics::Piece { start, quadratic: 0, linear: 1, constant: 0 };
            Operator::Curve { curve: Box::new(crate::numerics::Curve::new(vec![piece], 0).unwrap()) }
        };
        let pad = |value| Operator::Pad { before: vec![0], after: vec![0], mode: PadMode::Constant(value) };
        let pool = MaxPool { kernel: [1, 1], strides: [1, 1], pads: [0; 4], dilations: [1, 1] };
        let image = |scale| i8("i", &[1, 1, 1, 1], scale);
        let cases: Vec<(Operator, Vec<BpuTensor>, BpuTensor, bool)> = vec![
            (Operator::Quantize, vec![real()], one(1.0), true),
            (Operator::Quantize, vec![one(1.0)], one(1.0), false),
            (Operator::Dequantize, vec![one(1.0)], real(), true),
            (Operator::Dequantize, vec![real()], real(), false),
            (Operator::Add { clamp: None }, vec![one(1.0), one(0.5)], one(2.0), true),
            (Operator::Sub { clamp: None }, vec![one(1.0), real()], one(2.0), false),
            (Operator::Mul { clamp: None }, vec![one(1.0), one(2.0)], real(), false),
            (Operator::Lookup { table: table.clone() }, vec![one(1.0)], one(2.0), true),
            (Operator::Lookup { table }, vec![wide.clone()], one(2.0), false),
            (curve(i16::MIN), vec![wide.clone()], one(2.0), true),
            (curve(i16::MIN), vec![wide.clone()], wide.clone(), true),
            (curve(-128), vec![one(1.0)], wide.clone(), true),
            (curve(i16::MIN), vec![one(1.0)], wide.clone(), false),
            (curve(-128), vec![wide.clone()], one(1.0), false),
            (curve(-128), vec![one(1.0)], one(1.0), false),
            (curve(i16::MIN), vec![wide.clone()], real(), false),
            (curve(i16::MIN), vec![real()], wide.clone(), false),
            (Operator::Requantize { clamp: None }, vec![wide.clone()], one(2.0), true),
            (Operator::Requantize { clamp: None }, vec![real()], one(2.0), false),
            (Operator::MaxPool(pool.clone()), vec![image(1.0)], image(1.0), true),
            (Operator::MaxPool(pool), vec![image(1.0)], image(2.0), false),
            (Operator::Concat { axis: 0 }, vec![one(1.0)], one(1.0), true),
            (Operator::Concat { axis: 0 }, vec![one(1.0)], one(2.0), false),
            (pad(-128), vec![one(1.0)], one(1.0), true),
            (pad(128), vec![one(1.0)], one(1.0), false),
            (pad(128), vec![wide.clone()], wide, true),
            (Operator::Reshape, vec![one(1.0)], i8("r", &[1, 2, 1], 1.0), true),
            (Operator::Reshape, vec![one(1.0)], i8("r", &[3], 1.0), false),
        ];
        for (operator, operands, output, good) in cases {
            let mut segment = Segment::default();
            let ids: Vec<TensorId> = operands.into_iter().map(|tensor| segment.add_input(tensor)).collect();
            segment.add_node("n", operator.clone(), &ids, output);
            assert_eq!(segment.verify().is_ok(), good, "{operator:?}: {:?}", segment.verify());
        }
    }
}
