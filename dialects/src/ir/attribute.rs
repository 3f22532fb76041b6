//! Attributes: readers on operations, and builders.

use super::{IrError, Origin, types::context_of};
use crate::shim;
use melior::{
    Context,
    ir::{
        Attribute, AttributeLike, Type, Value,
        attribute::{
            ArrayAttribute, BoolAttribute, DenseI64ArrayAttribute, FloatAttribute, IntegerAttribute, StringAttribute,
        },
        operation::OperationLike,
        r#type::IntegerType,
    },
};

/// Readers of attributes and operands whose errors name the node.
pub trait OperationAttributes<'c: 'a, 'a>: OperationLike<'c, 'a> {
    /// The name of the operation, such as `hfloat.conv`.
    fn operation_name(&self) -> String {
        self.name().as_string_ref().as_str().unwrap_or_default().to_owned()
    }

    /// The name of the operation in its network, that of a node of the user's or one that is made of it.
    fn node(&self) -> String {
        self.origin().name
    }

    /// The name, and the nodes of the user's network that went into the operation.
    fn origin(&self) -> Origin {
        Origin::at(self.location())
    }

    /// The context that the operation belongs to.
    fn context_reference(&self) -> &'c Context {
        context_of(self.context())
    }

    /// The error that `attribute` is not there or is not `expected`.
    fn missing(&self, attribute: &str, expected: &'static str) -> IrError {
        IrError::Attribute {
            operation: self.operation_name(),
            node: self.node(),
            attribute: attribute.to_owned(),
            expected,
        }
    }

    /// # Errors
    /// When the attribute is absent or no integer.
    fn integer(&self, name: &str) -> Result<i64, IrError> {
        let attribute = self.attribute(name).map_err(|_| self.missing(name, "integer"))?;
        // SAFETY: the kind is checked before the value is read, by the signedness of its type.
        unsafe {
            let raw = attribute.to_raw();
            if !mlir_sys::mlirAttributeIsAInteger(raw) {
                return Err(self.missing(name, "integer"));
            }
            let r#type = mlir_sys::mlirAttributeGetType(raw);
            Ok(if mlir_sys::mlirTypeIsAInteger(r#type) && mlir_sys::mlirIntegerTypeIsSigned(r#type) {
                mlir_sys::mlirIntegerAttrGetValueSInt(raw)
            } else {
                mlir_sys::mlirIntegerAttrGetValueInt(raw)
            })
        }
    }

    /// # Errors
    /// When the attribute is of another kind.
    fn optional_integer(&self, name: &str) -> Result<Option<i64>, IrError> {
        self.has_attribute(name).then(|| self.integer(name)).transpose()
    }

    /// # Errors
    /// When the attribute is absent or no `array<i64>`.
    fn integers(&self, name: &str) -> Result<Vec<i64>, IrError> {
        let missing = || self.missing(name, "array of integers");
        let array =
            DenseI64ArrayAttribute::try_from(self.attribute(name).map_err(|_| missing())?).map_err(|_| missing())?;
        (0..array.len()).map(|i| array.element(i).map_err(|_| missing())).collect()
    }

    /// # Errors
    /// When the attribute is absent or no `array<i8>`.
    fn bytes(&self, name: &str) -> Result<Vec<i8>, IrError> {
        let attribute = self.attribute(name).map_err(|_| self.missing(name, "array of bytes"))?;
        let raw = attribute.to_raw();
        // SAFETY: the kind is checked first; indices are below the number of elements.
        unsafe {
            if !mlir_sys::mlirAttributeIsADenseI8Array(raw) {
                return Err(self.missing(name, "array of bytes"));
            }
            let count = mlir_sys::mlirDenseArrayGetNumElements(raw);
            Ok((0..count).map(|i| mlir_sys::mlirDenseI8ArrayGetElement(raw, i)).collect())
        }
    }

    /// # Errors
    /// When the attribute is absent or no float.
    fn float(&self, name: &str) -> Result<f64, IrError> {
        let missing = || self.missing(name, "float");
        let attribute =
            FloatAttribute::try_from(self.attribute(name).map_err(|_| missing())?).map_err(|_| missing())?;
        Ok(attribute.value())
    }

    /// # Errors
    /// When the attribute is absent or no bool.
    fn boolean(&self, name: &str) -> Result<bool, IrError> {
        let missing = || self.missing(name, "bool");
        let attribute = BoolAttribute::try_from(self.attribute(name).map_err(|_| missing())?).map_err(|_| missing())?;
        Ok(attribute.value())
    }

    /// The spelling of a string or of an enumeration of `hfloat`.
    ///
    /// # Errors
    /// When the attribute is absent or of another kind.
    fn word(&self, name: &str) -> Result<String, IrError> {
        let attribute = self.attribute(name).map_err(|_| self.missing(name, "word"))?;
        if let Some(text) = text(attribute) {
            return Ok(text);
        }
        // SAFETY: the spellings are static in the shim.
        match unsafe { shim::text(shim::hbHfloatEnumName(attribute.to_raw())) } {
            "" => Err(self.missing(name, "word")),
            spelling => Ok(spelling.to_owned()),
        }
    }

    /// The bounds of a fused activation.
    ///
    /// # Errors
    /// When the attribute is absent or of another kind.
    fn clamp(&self, name: &str) -> Result<(f64, f64), IrError> {
        let attribute = self.attribute(name).map_err(|_| self.missing(name, "clamp"))?;
        let (mut lower, mut upper) = (0.0, 0.0);
        // SAFETY: the shim checks the kind and writes both bounds.
        if unsafe { shim::hbHfloatClampBounds(attribute.to_raw(), &mut lower, &mut upper) } {
            Ok((lower, upper))
        } else {
            Err(self.missing(name, "clamp"))
        }
    }

    /// # Errors
    /// When the attribute is absent or no string.
    fn string(&self, name: &str) -> Result<String, IrError> {
        let attribute = self.attribute(name).map_err(|_| self.missing(name, "string"))?;
        let raw = attribute.to_raw();
        // melior reads an empty string through a null pointer.
        // SAFETY: the kind is checked first; the text belongs to the context.
        unsafe {
            if !mlir_sys::mlirAttributeIsAString(raw) {
                return Err(self.missing(name, "string"));
            }
            Ok(shim::text(mlir_sys::mlirStringAttrGetValue(raw)).to_owned())
        }
    }

    /// # Errors
    /// When there is no such operand.
    fn operand_at(&self, index: usize) -> Result<Value<'c, 'a>, IrError> {
        self.operand(index).map_err(|_| IrError::Operand { operation: self.operation_name(), node: self.node(), index })
    }
}

impl<'c: 'a, 'a, T: OperationLike<'c, 'a>> OperationAttributes<'c, 'a> for T {}

/// A signed 64-bit integer, as ONNX attributes are.
pub fn si64(context: &Context, value: i64) -> Attribute<'_> {
    IntegerAttribute::new(IntegerType::signed(context, 64).into(), value).into()
}

/// A signless 64-bit integer.
pub fn i64(context: &Context, value: i64) -> Attribute<'_> {
    IntegerAttribute::new(IntegerType::new(context, 64).into(), value).into()
}

/// A float attribute of type f32.
pub fn f32(context: &Context, value: f32) -> Attribute<'_> {
    FloatAttribute::new(context, Type::float32(context), f64::from(value)).into()
}

/// A float attribute of type f64.
pub fn f64(context: &Context, value: f64) -> Attribute<'_> {
    FloatAttribute::new(context, Type::float64(context), value).into()
}

/// A truth value.
pub fn boolean(context: &Context, value: bool) -> Attribute<'_> {
    BoolAttribute::new(context, value).into()
}

/// A string.
pub fn string<'c>(context: &'c Context, value: &str) -> Attribute<'c> {
    StringAttribute::new(context, value).into()
}

/// `array<i64: ...>`.
pub fn integers<'c>(context: &'c Context, values: &[i64]) -> Attribute<'c> {
    DenseI64ArrayAttribute::new(context, values).into()
}

/// The text of a string attribute; `None` for other attributes.
///
/// MLIR's empty string has no address, which melior's `StringAttribute::value` does not allow for.
pub fn text(attribute: Attribute<'_>) -> Option<String> {
    let raw = attribute.to_raw();
    // SAFETY: the kind is checked first; the text is copied while the attribute is alive.
    unsafe {
        mlir_sys::mlirAttributeIsAString(raw).then(|| shim::text(mlir_sys::mlirStringAttrGetValue(raw)).to_owned())
    }
}

/// `array<f64: ...>`.
pub fn floats<'c>(context: &'c Context, values: &[f64]) -> Attribute<'c> {
    // SAFETY: the array is as long as said and is copied.
    unsafe {
        Attribute::from_raw(mlir_sys::mlirDenseF64ArrayGet(context.to_raw(), values.len() as isize, values.as_ptr()))
    }
}

/// The numbers of an `array<f64: ...>`; `None` for other attributes.
pub fn float_elements(attribute: Attribute<'_>) -> Option<Vec<f64>> {
    let raw = attribute.to_raw();
    // SAFETY: the kind is checked first; indices are below the number of elements.
    unsafe {
        mlir_sys::mlirAttributeIsADenseF64Array(raw).then(|| {
            (0..mlir_sys::mlirDenseArrayGetNumElements(raw))
                .map(|i| mlir_sys::mlirDenseF64ArrayGetElement(raw, i))
                .collect()
        })
    }
}

/// `array<i8: ...>`.
pub fn bytes<'c>(context: &'c Context, values: &[i8]) -> Attribute<'c> {
    // SAFETY: the array is as long as said and is copied.
    unsafe {
        Attribute::from_raw(mlir_sys::mlirDenseI8ArrayGet(context.to_raw(), values.len() as isize, values.as_ptr()))
    }
}

/// An array of attributes.
pub fn array<'c>(context: &'c Context, values: &[Attribute<'c>]) -> Attribute<'c> {
    ArrayAttribute::new(context, values).into()
}

/// `#hfloat.clamp<lower, upper>`.
pub fn clamp(context: &Context, lower: f64, upper: f64) -> Attribute<'_> {
    // SAFETY: the context is alive and holds the dialect.
    unsafe { Attribute::from_raw(shim::hbHfloatClampGet(context.to_raw(), lower, upper)) }
}

/// `#hfloat.auto_pad<...>`; `None` when ONNX has no such value.
pub fn auto_pad<'c>(context: &'c Context, value: &str) -> Option<Attribute<'c>> {
    matches!(value, "NOTSET" | "SAME_UPPER" | "SAME_LOWER" | "VALID")
        .then(|| Attribute::parse(context, &format!("#hfloat.auto_pad<{value}>")))
        .flatten()
}

/// `#hfloat.pad_mode<...>`; `None` when ONNX has no such value.
pub fn pad_mode<'c>(context: &'c Context, value: &str) -> Option<Attribute<'c>> {
    matches!(value, "constant" | "reflect" | "edge" | "wrap")
        .then(|| Attribute::parse(context, &format!("#hfloat.pad_mode<{value}>")))
        .flatten()
}

/// The elements of an array attribute; `None` for other attributes.
///
/// melior's `ArrayAttribute::try_from` takes dense arrays instead of arrays, so it is of no use here.
pub fn array_elements(attribute: Attribute<'_>) -> Option<Vec<Attribute<'_>>> {
    let raw = attribute.to_raw();
    // SAFETY: the kind is checked first; indices are below the number of elements.
    unsafe {
        mlir_sys::mlirAttributeIsAArray(raw).then(|| {
            (0..mlir_sys::mlirArrayAttrGetNumElements(raw))
                .map(|i| Attribute::from_raw(mlir_sys::mlirArrayAttrGetElement(raw, i)))
                .collect()
        })
    }
}
