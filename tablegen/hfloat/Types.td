//===- Types.td - which tensors the float dialect holds --------------------===//
#ifndef HFLOAT_TYPES
#define HFLOAT_TYPES

include "hfloat/Dialect.td"
include "mlir/Dialect/Quant/IR/QuantBase.td"

def Hfloat_Float : AnyTypeOf<[F16, BF16, F32, F64], "floating point">;
def Hfloat_Number : AnyTypeOf<[F16, BF16, F32, F64, I8, UI8, I16, UI16, I32, UI32, I64, UI64], "number">;
def Hfloat_Element : AnyTypeOf<[Hfloat_Number, I1], "number or bool">;
def Hfloat_Index : AnyTypeOf<[I32, I64], "32-bit or 64-bit integer">;

def Hfloat_FloatTensor : TensorOf<[Hfloat_Float]>;
def Hfloat_NumberTensor : TensorOf<[Hfloat_Number]>;
def Hfloat_BoolTensor : TensorOf<[I1]>;
def Hfloat_Tensor : TensorOf<[Hfloat_Element]>;
def Hfloat_IndexTensor : TensorOf<[Hfloat_Index]>;
def Hfloat_ShapeTensor : TensorOf<[I64]>;

#endif
