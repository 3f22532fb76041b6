//===- Types.td - which tensors the integer dialect holds -------------------===//
#ifndef BPU_TYPES
#define BPU_TYPES

include "bpu/Dialect.td"
include "mlir/Dialect/Quant/IR/QuantBase.td"

def Bpu_QuantizedTensor : RankedTensorOf<[quant_QuantizedType]>;
def Bpu_FloatTensor : RankedTensorOf<[F32]>;
def Bpu_BiasTensor : RankedTensorOf<[I32]>;
def Bpu_LayoutTensor : RankedTensorOf<[quant_QuantizedType, F32, F16]>;
def Bpu_ByteTensor : RankedTensorOf<[UI8]>;
def Bpu_RegionTensor : RankedTensorOf<[I32]>;
def Bpu_PlaneTensor : RankedTensorOf<[UI8, quant_QuantizedType]>;
def Bpu_Tensor : RankedTensorOf<[quant_QuantizedType, F32, F16, I32, UI8]>;

#endif
