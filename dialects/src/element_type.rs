//! Element types as MLIR spells them.

use hb_runtime::ElementType;
use melior::{
    Context,
    ir::{Type, TypeLike, r#type::IntegerType},
};

/// An element type as a type of MLIR.
pub trait MlirElementType: Sized {
    /// The element type of an MLIR type: `i1`, signless and `ui` integers, floats; `None` for other types.
    fn from_type(r#type: Type<'_>) -> Option<Self>;

    /// The MLIR type: signless integers are the signed ones, as in MLIR's own tensor dialects.
    fn to_type(self, context: &Context) -> Type<'_>;
}

impl MlirElementType for ElementType {
    fn from_type(r#type: Type<'_>) -> Option<Self> {
        let raw = r#type.to_raw();
        // SAFETY: every call below only reads a type that is alive.
        unsafe {
            if mlir_sys::mlirTypeIsAInteger(raw) {
                let unsigned = mlir_sys::mlirIntegerTypeIsUnsigned(raw);
                return match (mlir_sys::mlirIntegerTypeGetWidth(raw), unsigned) {
                    (1, false) => Some(Self::Bool),
                    (8, false) => Some(Self::I8),
                    (16, false) => Some(Self::I16),
                    (32, false) => Some(Self::I32),
                    (64, false) => Some(Self::I64),
                    (8, true) => Some(Self::U8),
                    (16, true) => Some(Self::U16),
                    (32, true) => Some(Self::U32),
                    (64, true) => Some(Self::U64),
                    _ => None,
                };
            }
            let floats: [(unsafe extern "C" fn(mlir_sys::MlirType) -> bool, Self); 4] = [
                (mlir_sys::mlirTypeIsAF16, Self::F16),
                (mlir_sys::mlirTypeIsABF16, Self::BF16),
                (mlir_sys::mlirTypeIsAF32, Self::F32),
                (mlir_sys::mlirTypeIsAF64, Self::F64),
            ];
            floats.into_iter().find(|(is, _)| is(raw)).map(|(_, element)| element)
        }
    }

    fn to_type(self, context: &Context) -> Type<'_> {
        let bits = 8 * self.bytes() as u32;
        match self {
            Self::F16 => Type::float16(context),
            Self::BF16 => Type::bfloat16(context),
            Self::F32 => Type::float32(context),
            Self::F64 => Type::float64(context),
            Self::Bool => IntegerType::new(context, 1).into(),
            Self::I8 | Self::I16 | Self::I32 | Self::I64 => IntegerType::new(context, bits).into(),
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => IntegerType::unsigned(context, bits).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_survives_mlir() {
        let context = crate::context();
        for element in ElementType::ALL {
            assert_eq!(ElementType::from_type(element.to_type(&context)), Some(element));
        }
    }
}
