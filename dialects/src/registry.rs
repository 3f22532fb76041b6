//! The registry of operations: what their records in `tablegen/` say, as enums, tables and accessors that `build/registry.rs`
//! generates for each dialect.

/// What the record of an operation says to all dialects.
#[derive(Debug)]
pub struct Definition {
    /// As MLIR prints it: `hfloat.conv`.
    pub name: &'static str,
    /// One line on what it computes.
    pub summary: &'static str,
    /// In order.
    pub operands: &'static [ValueDefinition],
    /// In order.
    pub results: &'static [ValueDefinition],
    /// By name.
    pub attributes: &'static [AttributeDefinition],
}

impl Definition {
    /// The name without that of the dialect: `conv`.
    pub fn mnemonic(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, mnemonic)| mnemonic)
    }

    /// The attribute of this name, if the operation has it.
    pub fn attribute(&self, name: &str) -> Option<&'static AttributeDefinition> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }
}

/// An operand or result.
#[derive(Debug)]
pub struct ValueDefinition {
    /// Its name in the record.
    pub name: &'static str,
    /// How many values it stands for.
    pub count: Count,
}

/// How many values an operand or result stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Exactly one.
    One,
    /// One or none.
    Optional,
    /// Any number.
    Variadic,
}

/// An attribute of an operation.
#[derive(Debug)]
pub struct AttributeDefinition {
    /// Its name in the record, and in ONNX where ONNX has it.
    pub name: &'static str,
    /// What it holds.
    pub kind: AttributeKind,
    /// Whether it may be absent, and what that means.
    pub presence: Presence,
}

/// What an attribute holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeKind {
    /// A 32-bit or 64-bit float.
    Float,
    /// A 64-bit integer.
    Int,
    /// A truth value.
    Flag,
    /// An array of 64-bit integers.
    Ints,
    /// An array of 64-bit floats.
    Floats,
    /// An array of texts.
    Strings,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A tensor.
    Elements,
    /// The bounds of a fused activation.
    Clamp,
    /// Of the dialect's own.
    Other,
}

/// Whether an attribute may be absent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Presence {
    /// It must be there.
    Required,
    /// It may be absent, which has a meaning of its own.
    Optional,
    /// Absent, it has this value.
    Default(DefaultValue),
}

/// The value of an absent attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DefaultValue {
    /// Of a 32-bit float.
    Float(f32),
    /// Of an integer.
    Int(i64),
    /// Of a truth value.
    Flag(bool),
    /// Of one of some words.
    Choice(&'static str),
}

/// An operator of ONNX's default domain.
#[derive(Debug)]
pub struct OnnxOperator {
    /// `op_type`.
    pub name: &'static str,
    /// What it becomes.
    pub form: OnnxForm,
    /// Versions of the operator set that changed it, ascending.
    pub versions: &'static [i64],
    /// Number of inputs, by version, ascending.
    pub inputs: &'static [OnnxInputs],
    /// Element types of the outputs; further ones have the last.
    pub results: &'static [ResultElement],
    /// The most outputs that it has in any version; `usize::MAX`: any number.
    pub outputs: usize,
    /// Attributes, those of several forms once for each.
    pub attributes: &'static [OnnxAttribute],
}

/// What an ONNX operator becomes on import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnnxForm {
    /// An operation whose operands and results are those of ONNX, in order.
    Op(crate::hfloat::Op),
    /// Other operators.
    Composite(crate::hfloat::Composite),
}

impl OnnxOperator {
    /// Number of inputs in `opset`; none where the operator does not exist yet.
    pub fn inputs_at(&self, opset: i64) -> Option<&'static OnnxInputs> {
        let exists = self.versions.first().is_some_and(|first| *first <= opset);
        self.inputs.iter().rev().find(|inputs| inputs.since <= opset).filter(|_| exists)
    }

    /// The attribute of this name in `opset`.
    pub fn attribute_at(&self, name: &str, opset: i64) -> Option<&'static OnnxAttribute> {
        self.attributes.iter().find(|attribute| attribute.name == name && attribute.applies(opset))
    }

    /// The attributes of `opset` that the operation has, too.
    pub fn dialect_attributes(&self, opset: i64) -> impl Iterator<Item = &'static OnnxAttribute> {
        self.attributes.iter().filter(move |attribute| attribute.applies(opset) && attribute.in_dialect)
    }

    /// Where the element type of an output comes from.
    pub fn result_element(&self, output: usize) -> ResultElement {
        self.results.get(output).or(self.results.last()).copied().unwrap_or(ResultElement::Operand(0))
    }
}

/// Where the element type of an output comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultElement {
    /// It is that of this input.
    Operand(usize),
    /// Truth values.
    Bool,
    /// 64-bit integers.
    I64,
    /// The number of the type, or a tensor of it, is this attribute.
    Attribute(&'static str),
    /// It is that of an output of the graph in an attribute.
    Graph {
        /// The attribute's name.
        attribute: &'static str,
        /// The output of the graph that is the first of the operator.
        first: usize,
    },
}

/// The inputs that an operator takes from a version on.
#[derive(Debug)]
pub struct OnnxInputs {
    /// First version.
    pub since: i64,
    /// Inputs that must be present.
    pub least: usize,
    /// `usize::MAX`: any number.
    pub most: usize,
}

/// An attribute of an ONNX operator in some versions.
#[derive(Debug)]
pub struct OnnxAttribute {
    /// In ONNX, and in the dialect.
    pub name: &'static str,
    /// What it holds.
    pub kind: OnnxKind,
    /// First version that has it.
    pub since: i64,
    /// Last version that has it.
    pub until: i64,
    /// Whether it must be given.
    pub required: bool,
    /// What it is when it is not given; none: that follows from something else.
    pub default: Option<DefaultValue>,
    /// Whether the operation has it, too; else the importer consumes it.
    pub in_dialect: bool,
}

impl OnnxAttribute {
    /// Whether `opset` has it.
    pub fn applies(&self, opset: i64) -> bool {
        (self.since..=self.until).contains(&opset)
    }
}

/// What an ONNX attribute holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnnxKind {
    /// FLOAT.
    Float,
    /// INT.
    Int,
    /// INT that is 0 or 1.
    Flag,
    /// INTS.
    Ints,
    /// FLOATS.
    Floats,
    /// TENSOR.
    Tensor,
    /// GRAPH.
    Graph,
    /// STRINGS.
    Strings,
    /// STRING that is one of these.
    Choice(&'static [&'static str]),
    /// Any kind: the importer looks at it.
    Any,
}

/// How an operation takes part in quantization.
#[derive(Debug, PartialEq, Eq)]
pub struct Quantization {
    /// Where the scale of the results comes from.
    pub result: ResultScale,
    /// Whether int16 activations are not to be counted on.
    pub narrow: bool,
    /// Of the operands in order; further ones have the last.
    pub roles: &'static [Role],
}

impl Quantization {
    /// The role of operand `index`.
    pub fn role(&self, index: usize) -> Role {
        self.roles.get(index).or(self.roles.last()).copied().unwrap_or(Role::Plain)
    }
}

/// Where the scale of a result comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultScale {
    /// It is measured.
    Own,
    /// It is measured where an operation that can be quantized reads the result; else that keeps its 32-bit sums.
    OwnOrExact,
    /// Values are moved or picked: the scale is that of operand 0.
    LikeInput,
}

/// What an operand is for quantization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// int8 or int16 with one scale.
    Activation,
    /// A constant in int8 with a scale per output channel.
    Weight,
    /// A weight where it is constant, else an activation.
    WeightOrActivation,
    /// int32 with the scale of operand 0 times that of the weight.
    Bias,
    /// An activation, unless it is a constant of one element: a parameter of a function of the others.
    Argument,
    /// Sizes, positions and the like: never quantized.
    Plain,
}

/// Readers of attributes with their defaults, for the generated accessors.
pub(crate) mod read {
    use super::{AttributeDefinition, AttributeKind, DefaultValue, Presence};
    use crate::ir::{IrError, OperationAttributes, attribute};
    use melior::ir::{Attribute, OperationRef, operation::OperationLike};

    type Known = Option<&'static AttributeDefinition>;

    /// The default that a record gives an attribute which is absent.
    fn absent(operation: OperationRef<'_, '_>, name: &str, known: Known) -> Result<DefaultValue, IrError> {
        match known.map(|known| known.presence) {
            Some(Presence::Default(default)) => Ok(default),
            _ => Err(operation.missing(name, "attribute")),
        }
    }

    pub fn float(operation: OperationRef<'_, '_>, name: &str, known: Known) -> Result<f64, IrError> {
        if operation.has_attribute(name) {
            return operation.float(name);
        }
        match absent(operation, name, known)? {
            DefaultValue::Float(value) => Ok(f64::from(value)),
            _ => Err(operation.missing(name, "float")),
        }
    }

    pub fn optional_float(operation: OperationRef<'_, '_>, name: &str, _known: Known) -> Result<Option<f64>, IrError> {
        operation.has_attribute(name).then(|| operation.float(name)).transpose()
    }

    pub fn int(operation: OperationRef<'_, '_>, name: &str, known: Known) -> Result<i64, IrError> {
        if operation.has_attribute(name) {
            return operation.integer(name);
        }
        match absent(operation, name, known)? {
            DefaultValue::Int(value) => Ok(value),
            _ => Err(operation.missing(name, "integer")),
        }
    }

    pub fn optional_int(operation: OperationRef<'_, '_>, name: &str, _known: Known) -> Result<Option<i64>, IrError> {
        operation.has_attribute(name).then(|| operation.integer(name)).transpose()
    }

    pub fn flag(operation: OperationRef<'_, '_>, name: &str, known: Known) -> Result<bool, IrError> {
        if operation.has_attribute(name) {
            return operation.boolean(name);
        }
        match absent(operation, name, known)? {
            DefaultValue::Flag(value) => Ok(value),
            _ => Err(operation.missing(name, "bool")),
        }
    }

    pub fn ints(operation: OperationRef<'_, '_>, name: &str, _known: Known) -> Result<Vec<i64>, IrError> {
        operation.integers(name)
    }

    pub fn optional_ints(
        operation: OperationRef<'_, '_>,
        name: &str,
        _known: Known,
    ) -> Result<Option<Vec<i64>>, IrError> {
        operation.has_attribute(name).then(|| operation.integers(name)).transpose()
    }

    /// An attribute that may be absent, as `read` understands it.
    fn optional<'c, T>(
        operation: OperationRef<'c, '_>,
        name: &str,
        expected: &'static str,
        read: impl Fn(Attribute<'c>) -> Option<T>,
    ) -> Result<Option<T>, IrError> {
        match operation.attribute(name) {
            Ok(attribute) => read(attribute).map(Some).ok_or_else(|| operation.missing(name, expected)),
            Err(_) => Ok(None),
        }
    }

    pub fn optional_floats(
        operation: OperationRef<'_, '_>,
        name: &str,
        _known: Known,
    ) -> Result<Option<Vec<f64>>, IrError> {
        optional(operation, name, "array of floats", attribute::float_elements)
    }

    pub fn optional_strings(
        operation: OperationRef<'_, '_>,
        name: &str,
        _known: Known,
    ) -> Result<Option<Vec<String>>, IrError> {
        let texts = |all| attribute::array_elements(all)?.into_iter().map(attribute::text).collect();
        optional(operation, name, "array of texts", texts)
    }

    pub fn choice(operation: OperationRef<'_, '_>, name: &str, known: Known) -> Result<&'static str, IrError> {
        if !operation.has_attribute(name) {
            return match absent(operation, name, known)? {
                DefaultValue::Choice(word) => Ok(word),
                _ => Err(operation.missing(name, "word")),
            };
        }
        let text = operation.word(name)?;
        match known.map(|known| known.kind) {
            Some(AttributeKind::Choice(words)) => words.iter().copied().find(|word| *word == text),
            _ => None,
        }
        .ok_or_else(|| operation.missing(name, "word"))
    }

    pub fn optional_clamp(
        operation: OperationRef<'_, '_>,
        name: &str,
        _known: Known,
    ) -> Result<Option<(f64, f64)>, IrError> {
        operation.clamp(name)
    }
}

/// The generated registry of one dialect, and what every one offers.
macro_rules! dialect {
    ($file:literal) => {
        use melior::ir::OperationRef;
        #[allow(unused_imports, reason = "a dialect need not have attributes")]
        use $crate::ir::{IrError, OperationAttributes};
        #[allow(unused_imports, reason = "a dialect need not have attributes of every kind")]
        use $crate::registry::{
            AttributeDefinition, AttributeKind, Count, DefaultValue, Definition, OnnxAttribute, OnnxForm, OnnxInputs,
            OnnxKind, OnnxOperator, Presence, Quantization, ResultElement, ResultScale, Role, ValueDefinition, read,
        };

        include!(concat!(env!("OUT_DIR"), "/", $file));

        impl Op {
            /// The operation of the dialect that this is; none where it is of another dialect.
            pub fn of(operation: OperationRef<'_, '_>) -> Option<Self> {
                use melior::ir::operation::OperationLike;
                let name = operation.name();
                name.as_string_ref().as_str().ok().and_then(Self::named)
            }

            /// The operation of this name, such as `hfloat.conv`.
            pub fn named(name: &str) -> Option<Self> {
                let index = NAMES.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
                NAMES.get(index).map(|(_, op)| *op)
            }

            /// What its record says.
            pub const fn definition(self) -> &'static Definition {
                &DEFINITIONS[self as usize]
            }

            /// As MLIR prints it.
            pub const fn name(self) -> &'static str {
                self.definition().name
            }
        }

        #[allow(dead_code, reason = "a dialect need not have attributes")]
        fn default_of(operation: OperationRef<'_, '_>, name: &str) -> Option<&'static AttributeDefinition> {
            Op::of(operation)?.definition().attribute(name)
        }
    };
}
pub(crate) use dialect;
