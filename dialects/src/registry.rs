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
    pub count: Occurrence,
}

/// How many values an operand or result stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occurrence {
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
    /// Which of them the operation's first result is: where it is not 0, another operation of this name gives those before.
    pub first_output: usize,
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

    /// The version that defines it in `opset`.
    pub fn version_at(&self, opset: i64) -> Option<i64> {
        self.versions.iter().copied().rev().find(|version| *version <= opset)
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
    /// It is measured where an operation that can be quantized reads the result, or where the BPU has integers only; else the result is f32.
    OwnOrFloat,
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
    /// A weight where it is a constant matrix, else an activation.
    WeightOrActivation,
    /// int32 with the scale of operand 0 times that of the weight.
    Bias,
    /// An activation, unless it is a constant of one element: a parameter of a function of the others.
    Argument,
    /// An activation, unless it is constant: then it stays f32.
    Parameter,
    /// Sizes, positions and the like: never quantized.
    Plain,
}

/// Readers of attributes, for the generated accessors.
pub(crate) mod read {
    use super::{AttributeDefinition, AttributeKind, DefaultValue, Presence};
    use crate::ir::{IrError, OperationAttributes, attribute};
    use melior::ir::{OperationRef, operation::OperationLike};

    /// Finds what the record of an operation says of an attribute.
    type Find = fn(OperationRef<'_, '_>, &str) -> Option<&'static AttributeDefinition>;

    /// What an attribute holds, as Rust sees it.
    pub trait Held: Sized {
        /// In messages.
        const EXPECTED: &'static str;

        /// That of an attribute which is there.
        fn given(operation: OperationRef<'_, '_>, name: &str, find: Find) -> Result<Self, IrError>;

        /// That of an attribute which is absent.
        fn default(_default: DefaultValue) -> Option<Self> {
            None
        }
    }

    impl Held for f64 {
        const EXPECTED: &'static str = "float";

        fn given(operation: OperationRef<'_, '_>, name: &str, _find: Find) -> Result<Self, IrError> {
            operation.float(name)
        }

        /// ONNX attributes are f32: 1e-5 is the f32 next to it, whether a model gives it or not.
        fn default(default: DefaultValue) -> Option<Self> {
            if let DefaultValue::Float(value) = default { Some(value.into()) } else { None }
        }
    }

    impl Held for i64 {
        const EXPECTED: &'static str = "integer";

        fn given(operation: OperationRef<'_, '_>, name: &str, _find: Find) -> Result<Self, IrError> {
            operation.integer(name)
        }

        fn default(default: DefaultValue) -> Option<Self> {
            if let DefaultValue::Int(value) = default { Some(value) } else { None }
        }
    }

    impl Held for bool {
        const EXPECTED: &'static str = "bool";

        fn given(operation: OperationRef<'_, '_>, name: &str, _find: Find) -> Result<Self, IrError> {
            operation.boolean(name)
        }

        fn default(default: DefaultValue) -> Option<Self> {
            if let DefaultValue::Flag(value) = default { Some(value) } else { None }
        }
    }

    impl Held for &'static str {
        const EXPECTED: &'static str = "word";

        fn given(operation: OperationRef<'_, '_>, name: &str, find: Find) -> Result<Self, IrError> {
            let text = operation.word(name)?;
            match find(operation, name).map(|found| found.kind) {
                Some(AttributeKind::Choice(words)) => words.iter().copied().find(|word| *word == text),
                _ => None,
            }
            .ok_or_else(|| operation.missing(name, Self::EXPECTED))
        }

        fn default(default: DefaultValue) -> Option<Self> {
            if let DefaultValue::Choice(word) = default { Some(word) } else { None }
        }
    }

    impl Held for Vec<i64> {
        const EXPECTED: &'static str = "array of integers";

        fn given(operation: OperationRef<'_, '_>, name: &str, _find: Find) -> Result<Self, IrError> {
            operation.integers(name)
        }
    }

    impl Held for Vec<f64> {
        const EXPECTED: &'static str = "array of floats";

        fn given(operation: OperationRef<'_, '_>, name: &str, _find: Find) -> Result<Self, IrError> {
            let floats = operation.attribute(name).ok().and_then(attribute::float_elements);
            floats.ok_or_else(|| operation.missing(name, Self::EXPECTED))
        }
    }

    impl Held for Vec<String> {
        const EXPECTED: &'static str = "array of texts";

        fn given(operation: OperationRef<'_, '_>, name: &str, _find: Find) -> Result<Self, IrError> {
            let texts = |all| attribute::array_elements(all)?.into_iter().map(attribute::text).collect();
            let texts: Option<Self> = operation.attribute(name).ok().and_then(texts);
            texts.ok_or_else(|| operation.missing(name, Self::EXPECTED))
        }
    }

    impl Held for (f64, f64) {
        const EXPECTED: &'static str = "clamp";

        fn given(operation: OperationRef<'_, '_>, name: &str, _find: Find) -> Result<Self, IrError> {
            operation.clamp(name)
        }
    }

    /// The attribute, or the default of the operation's record.
    pub fn value<T: Held>(operation: OperationRef<'_, '_>, name: &str, find: Find) -> Result<T, IrError> {
        if operation.has_attribute(name) {
            return T::given(operation, name, find);
        }
        let default = match find(operation, name).map(|found| found.presence) {
            Some(Presence::Default(default)) => T::default(default),
            _ => None,
        };
        default.ok_or_else(|| operation.missing(name, T::EXPECTED))
    }

    /// The attribute, if it is there.
    pub fn optional<T: Held>(operation: OperationRef<'_, '_>, name: &str, find: Find) -> Result<Option<T>, IrError> {
        operation.has_attribute(name).then(|| T::given(operation, name, find)).transpose()
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
            AttributeDefinition, AttributeKind, DefaultValue, Definition, Occurrence, OnnxAttribute, OnnxForm,
            OnnxInputs, OnnxKind, OnnxOperator, Presence, Quantization, ResultElement, ResultScale, Role,
            ValueDefinition, read,
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

            /// Whether an operation is this one.
            pub fn is(self, operation: OperationRef<'_, '_>) -> bool {
                use melior::ir::operation::OperationLike;
                operation.name().as_string_ref().as_str() == Ok(self.name())
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
        fn definition_of(operation: OperationRef<'_, '_>, name: &str) -> Option<&'static AttributeDefinition> {
            Op::of(operation)?.definition().attribute(name)
        }
    };
}
pub(crate) use dialect;
