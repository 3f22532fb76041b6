//! Operators that become others: what they are made of, written as one call for each node.

use super::super::error::OnnxError;
use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use super::super::tensor::Tensor;
use hb_dialects::{
    ElementType,
    hfloat::Op,
    ir::{Constant, TensorType, constant_of, defining_operation},
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

/// Elements of a constant that is made for a node: a few bytes of a file can ask for any number.
const LARGEST_TABLE: i64 = 1 << 24;

/// The name of a value, or why it cannot be made.
pub(super) type Made = Result<String, OnnxError>;

/// Makes nodes of the normal form out of one node. Values are named by their names in the graph.
pub(super) struct Composer<'r, 'c, 'a> {
    rewriter: &'r mut Rewriter<'c, 'a>,
    node: Node,
}

impl<'r, 'c, 'a> Composer<'r, 'c, 'a> {
    pub fn new(rewriter: &'r mut Rewriter<'c, 'a>, node: Node) -> Self {
        Self { rewriter, node }
    }

    pub fn fault(&self, reason: impl std::fmt::Display) -> OnnxError {
        OnnxError::node(&self.node, reason)
    }

    pub fn opset(&self) -> i64 {
        self.rewriter.opset()
    }

    pub fn operator(&self) -> &str {
        &self.node.operator
    }

    /// An input that must be there.
    pub fn input(&self, index: usize) -> Made {
        self.optional(index).ok_or_else(|| self.fault(format!("input {index} is missing")))
    }

    pub fn optional(&self, index: usize) -> Option<String> {
        self.node.input(index).map(str::to_owned)
    }

    pub fn inputs(&self) -> Vec<String> {
        self.node.inputs.clone()
    }

    pub fn int(&self, name: &str) -> Option<i64> {
        if let Some(Attribute::Int(value)) = self.node.attribute(name) { Some(*value) } else { None }
    }

    pub fn flag(&self, name: &str) -> bool {
        self.int(name).unwrap_or(0) != 0
    }

    pub fn float(&self, name: &str) -> Option<f32> {
        if let Some(Attribute::Float(value)) = self.node.attribute(name) { Some(*value) } else { None }
    }

    pub fn ints(&self, name: &str) -> Option<Vec<i64>> {
        if let Some(Attribute::Ints(values)) = self.node.attribute(name) { Some(values.clone()) } else { None }
    }

    /// A STRING; the record says which ones there are.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.node.attribute(name) {
            Some(Attribute::String(text)) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        }
    }

    /// The element type whose number an attribute is.
    pub fn element_attribute(&self, name: &str) -> Result<Option<ElementType>, OnnxError> {
        let named = self.int(name).filter(|code| *code != 0).map(|code| {
            let code = i32::try_from(code).map_err(|_| format!("element type {code} is not known"))?;
            super::super::tensor::element_type(code)
        });
        named.transpose().map_err(|reason| self.fault(format!("attribute {name:?}: {reason}")))
    }

    /// The attributes of these names that the node has.
    pub fn attributes(&self, names: &[&'static str]) -> Vec<(&'static str, Attribute)> {
        names.iter().filter_map(|name| Some((*name, self.node.attribute(name)?.clone()))).collect()
    }

    fn type_of(&self, value: &str) -> Option<TensorType> {
        TensorType::from_type(self.rewriter.importer.values.get(value)?.r#type()).ok()
    }

    pub fn element(&self, value: &str) -> Result<ElementType, OnnxError> {
        self.rewriter.importer.element(value).ok_or_else(|| self.fault(format!("{value:?} has no element type")))
    }

    /// What is known of the sizes of a value.
    pub fn dimensions(&self, value: &str) -> Result<Vec<Option<u64>>, OnnxError> {
        self.type_of(value).and_then(|r#type| r#type.dimensions).ok_or_else(|| {
            self.fault(format!("the rank of {value:?} must be known; fix the shapes when the model is exported"))
        })
    }

    pub fn rank(&self, value: &str) -> Result<usize, OnnxError> {
        self.dimensions(value).map(|dimensions| dimensions.len())
    }

    /// A size that must be known.
    pub fn known(&self, value: &str, axis: usize) -> Result<i64, OnnxError> {
        let size = self.dimensions(value)?.get(axis).copied().flatten();
        size.and_then(|size| i64::try_from(size).ok()).ok_or_else(|| {
            self.fault(format!("dimension {axis} of {value:?} must be known; give the sizes of the network's inputs"))
        })
    }

    /// All sizes, which must be known.
    pub fn shape(&self, value: &str) -> Result<Vec<i64>, OnnxError> {
        (0..self.rank(value)?).map(|axis| self.known(value, axis)).collect()
    }

    /// An axis of a value, counted from the front.
    pub fn axis(&self, value: &str, axis: i64) -> Result<usize, OnnxError> {
        hb_dialects::hfloat::normalize_axis(axis, self.rank(value)?).map_err(|reason| self.fault(reason))
    }

    pub fn constant(&self, value: &str) -> Option<Constant<'a>> {
        constant_of(*self.rewriter.importer.values.get(value)?)
    }

    /// The integers of a value that must be constant.
    pub fn constant_ints(&self, value: &str, what: &str) -> Result<Vec<i64>, OnnxError> {
        let constant = self.constant(value).and_then(|constant| constant.to_i64s().ok());
        constant.ok_or_else(|| self.fault(format!("its {what} must be a constant of integers")))
    }

    /// A value in the IR.
    pub fn value(&self, name: &str) -> Option<Value<'c, 'a>> {
        self.rewriter.importer.values.get(name).copied()
    }

    /// Whether a value is an input of the network.
    pub fn is_input(&self, value: Value<'c, 'a>) -> bool {
        self.rewriter.is_input(value)
    }

    /// The operation that makes a value.
    pub fn maker(&self, value: &str) -> Option<OperationRef<'c, 'a>> {
        defining_operation(self.value(value)?)
    }

    /// Sizes that are a constant, or all those of another value.
    pub fn sizes(&self, value: &str, what: &str) -> Result<Vec<i64>, OnnxError> {
        let of = self.maker(value).filter(|maker| Op::Shape.is(*maker)).and_then(|shape| shape.operand(0).ok());
        let of = of.and_then(|of| TensorType::from_type(of.r#type()).ok()?.static_shape().ok());
        let sizes: Option<Vec<i64>> = of.map(|sizes| sizes.into_iter().map(|size| size as i64).collect());
        // A Shape may give some of the dimensions only.
        let is_whole = |sizes: &Vec<i64>| self.known(value, 0).is_ok_and(|count| count == sizes.len() as i64);
        sizes.filter(is_whole).map_or_else(|| self.constant_ints(value, what), Ok)
    }

    /// A constant.
    pub fn tensor(&mut self, tensor: Tensor) -> Made {
        self.rewriter.push_constant(&self.node, "constant", tensor)
    }

    /// A constant in row-major order.
    pub fn values(&mut self, element: ElementType, shape: &[usize], values: &[f64]) -> Made {
        let bytes: Vec<u8> = values.iter().flat_map(|value| Tensor::element_bytes(element, *value)).collect();
        let tensor = Tensor::new(element, shape.to_vec(), bytes.into()).map_err(|reason| self.fault(reason))?;
        self.tensor(tensor)
    }

    /// A constant of so many numbers.
    pub fn table(&mut self, element: ElementType, shape: &[i64], number: impl Fn(i64) -> f64) -> Made {
        let count = shape.iter().try_fold(1i64, |count, size| count.checked_mul(*size).filter(|_| *size >= 0));
        let count = count.filter(|count| *count <= LARGEST_TABLE);
        let count = count.ok_or_else(|| {
            self.fault(format!(
                "it needs a table of the shape {shape:?}; at most {LARGEST_TABLE} elements are supported"
            ))
        })?;
        let shape: Vec<usize> = shape.iter().map(|size| *size as usize).collect();
        self.values(element, &shape, &(0..count).map(number).collect::<Vec<_>>())
    }

    pub fn vector(&mut self, values: &[i64]) -> Made {
        self.tensor(Tensor::from_i64s(values))
    }

    /// A constant scalar.
    pub fn scalar(&mut self, element: ElementType, value: f64) -> Made {
        self.values(element, &[], &[value])
    }

    /// A constant scalar of the element type of another value.
    pub fn like(&mut self, value: &str, number: f64) -> Made {
        let element = self.element(value)?;
        self.scalar(element, number)
    }

    /// The one result of a node.
    pub fn make(&mut self, operator: &str, inputs: &[&str]) -> Made {
        self.make_with(operator, inputs, Vec::new())
    }

    pub fn make_with(&mut self, operator: &str, inputs: &[&str], attributes: Vec<(&str, Attribute)>) -> Made {
        let name = self.rewriter.derived_name(&self.node, operator);
        let mut node = Node::new(&name, operator, inputs, &[&name]);
        for (name, value) in attributes {
            node.set_attribute(name, value);
        }
        self.rewriter.push(node)?;
        Ok(name)
    }

    /// A convolution; strides, dilations and pads that are not given are 1, 1 and 0.
    pub fn convolve(&mut self, inputs: &[&str], attributes: Vec<(&str, Attribute)>) -> Made {
        let weight = inputs.get(1).ok_or_else(|| self.fault("has no weights"))?;
        let spatial = self.rank(weight)?.saturating_sub(2);
        let mut explicit = self.node.clone();
        explicit.attributes.clear();
        for (name, value) in attributes {
            explicit.set_attribute(name, value);
        }
        super::window::make_explicit(&mut explicit, spatial)?;
        let attributes = explicit.attributes.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        self.make_with("Conv", inputs, attributes)
    }

    pub fn cast(&mut self, value: &str, element: ElementType) -> Made {
        if self.element(value)? == element {
            return Ok(value.to_owned());
        }
        self.make_with("Cast", &[value], vec![("to", Attribute::Int(element.onnx_code().into()))])
    }

    /// Over axes, with or without dimensions of size 1 in their place.
    pub fn reduce(&mut self, operator: &str, value: &str, axes: &[i64], keep: bool) -> Made {
        let axes = self.vector(axes)?;
        self.make_with(operator, &[value, &axes], vec![("keepdims", Attribute::Int(keep.into()))])
    }

    pub fn reshape(&mut self, value: &str, shape: &[i64]) -> Made {
        let shape = self.vector(shape)?;
        self.make("Reshape", &[value, &shape])
    }

    pub fn unsqueeze(&mut self, value: &str, axes: &[i64]) -> Made {
        let axes = self.vector(axes)?;
        self.make("Unsqueeze", &[value, &axes])
    }

    pub fn squeeze(&mut self, value: &str, axes: &[i64]) -> Made {
        let axes = self.vector(axes)?;
        self.make("Squeeze", &[value, &axes])
    }

    pub fn transpose(&mut self, value: &str, perm: &[i64]) -> Made {
        self.make_with("Transpose", &[value], vec![("perm", Attribute::Ints(perm.to_vec()))])
    }

    /// Every `step`th place from `start` to before `end` along an axis.
    pub fn slice(&mut self, value: &str, axis: i64, (start, end, step): (i64, i64, i64)) -> Made {
        let [start, end, axis, step] = [start, end, axis, step].map(|number| self.vector(&[number]));
        let (start, end, axis, step) = (start?, end?, axis?, step?);
        self.make("Slice", &[value, &start, &end, &axis, &step])
    }

    pub fn concat(&mut self, values: &[&str], axis: i64) -> Made {
        self.make_with("Concat", values, vec![("axis", Attribute::Int(axis))])
    }

    pub fn gather(&mut self, data: &str, indices: &str, axis: i64) -> Made {
        self.make_with("Gather", &[data, indices], vec![("axis", Attribute::Int(axis))])
    }

    /// The size of a dimension as a vector of one number, known or not.
    pub fn size(&mut self, value: &str, axis: usize) -> Made {
        if let Ok(size) = self.known(value, axis) {
            return self.vector(&[size]);
        }
        let range = [("start", axis as i64), ("end", axis as i64 + 1)];
        self.make_with("Shape", &[value], range.map(|(name, value)| (name, Attribute::Int(value))).to_vec())
    }

    /// 0, 1, ... up to before `count`, which is one number, with a dimension or without: Range takes scalars.
    pub fn count_to(&mut self, count: &str) -> Made {
        let element = self.element(count)?;
        let [zero, one] = [0.0, 1.0].map(|number| self.scalar(element, number));
        let count = if self.rank(count)? == 0 { count.to_owned() } else { self.squeeze(count, &[0])? };
        self.make("Range", &[&zero?, &count, &one?])
    }

    /// The positions along an axis of a value, as a tensor that broadcasts to it.
    pub fn positions(&mut self, value: &str, axis: usize) -> Made {
        let (size, rank) = (self.size(value, axis)?, self.rank(value)?);
        let positions = self.count_to(&size)?;
        self.along(&positions, axis, rank)
    }

    /// A vector as a tensor that broadcasts along an axis of one of `rank` dimensions.
    pub fn along(&mut self, vector: &str, axis: usize, rank: usize) -> Made {
        let mut shape = vec![1; rank.saturating_sub(axis).max(1)];
        if let Some(first) = shape.first_mut() {
            *first = -1;
        }
        self.reshape(vector, &shape)
    }

    /// The value as f32 where it is a float of 16 bits, so that a chain of operations is rounded once.
    pub fn widened(&mut self, value: &str) -> Made {
        match self.element(value)? {
            ElementType::F16 | ElementType::BF16 => self.cast(value, ElementType::F32),
            _ => Ok(value.to_owned()),
        }
    }

    /// Gives an output by its name, from a node beside the one that bears the name.
    pub fn give_further(self, value: &str, output: &str) -> Result<(), OnnxError> {
        let name = self.rewriter.derived_name(&self.node, "output");
        self.rewriter.push(Node::new(&name, "Identity", &[value], &[output]))
    }

    /// Gives the outputs, in order; further ones that the node does not have are left.
    pub fn give(self, values: &[&str]) -> Result<(), OnnxError> {
        for (number, output) in self.node.outputs.iter().enumerate().filter(|(_, output)| !output.is_empty()) {
            let value = values.get(number).copied();
            let value = value.ok_or_else(|| self.fault(format!("its output {number} is not supported")))?;
            let name = match number {
                0 => self.node.name.clone(),
                _ => self.rewriter.derived_name(&self.node, "output"),
            };
            self.rewriter.push(Node::new(&name, "Identity", &[value], &[output]))?;
        }
        Ok(())
    }
}
