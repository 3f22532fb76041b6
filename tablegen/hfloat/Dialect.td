//===- Dialect.td - the float dialect ------------------------------------===//
#ifndef HFLOAT_DIALECT
#define HFLOAT_DIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "Registry.td"

def Hfloat_Dialect : Dialect {
  let name = "hfloat";
  let cppNamespace = "::hb::hfloat";
  let summary = "The network as the user wrote it";
  let description = [{
    One operation per ONNX operator (two for MaxPool: its outputs have nothing in common but the windows), in the form of the latest supported operator set, with the semantics that the
    ONNX specification gives it. Tensors keep the ONNX layout (NCHW). The name of a node is its location; constants
    are out of line as resources.

    A result type may have unknown dimensions or rank after import; `hfloat-infer-shapes` makes every type static.
    A tensor whose element type is `!quant.uniform` occurs only between `quant.qcast` and `quant.dcast`.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let dependentDialects = ["::mlir::quant::QuantDialect"];
}

// An operator of a network: what ONNX says of it, and which rules in `dialects/src/hfloat` it follows.
class Hfloat_Op<string mnemonic, string onnx, list<int> versions, string shape, list<Trait> traits = []>
    : Op<Hfloat_Dialect, mnemonic, traits>, OnnxOperator<onnx, versions> {
  // The family of the rule that gives the result types of operands and attributes.
  string shapeRule = shape;
  // The family of the rule by which it folds; empty: it has none.
  string foldRule = "";
  // How forms of older versions become that of the newest; `Keep`: they are it.
  string upgradeRule = "Keep";
  // Each element of the result is a function of the element of the one operand at its place: a formula says it all.
  bit isScalarFunction = 0;
  let hasVerifier = 1;
  code verifyInRust = [{
    ::llvm::LogicalResult $cppClass::verify() { return ::hb::verifyInRust(getOperation()); }
  }];
  code foldInRust = [{
    ::mlir::OpFoldResult $cppClass::fold(FoldAdaptor adaptor) {
      return ::hb::foldInRust(getOperation(), adaptor.getOperands());
    }
  }];
  let extraClassDefinition = verifyInRust;
}

// One result, no side effect: every operator of a network but those with several results.
class Hfloat_PureOp<string mnemonic, string onnx, list<int> versions, string shape, list<Trait> traits = []>
    : Hfloat_Op<mnemonic, onnx, versions, shape, !listconcat([Pure], traits)> {
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

// The same, with a folder.
class Hfloat_FoldableOp<string mnemonic, string onnx, list<int> versions, string shape, string fold,
    list<Trait> traits = []> : Hfloat_PureOp<mnemonic, onnx, versions, shape, traits> {
  let foldRule = fold;
  let hasFolder = 1;
  let extraClassDefinition = verifyInRust # foldInRust;
}

// How an operation takes part in quantization. One without this stays float.
//
// `scale` says where the scale of the result comes from: `Own` is measured; `OwnOrExact` is measured where an operation that can be
// quantized reads it, else the result keeps its 32-bit sums; `OwnOrFloat` likewise, else the result is f32, where the VPU computes it, and truth values and integers always are; `LikeInput` is that of operand 0: values are moved or picked.
//
// `of` gives the role of each operand, the last one that of all further ones: `Activation`; `Weight` (int8, a scale per output
// channel), `WeightOrActivation` (a weight where it is a constant matrix); `Bias` (int32, at the scale of operand 0 times that of the weight);
// `Argument` (an activation, unless it is a constant of one element, which stays as it is); `Parameter` (an activation, unless it is
// constant: the VPU reads f32); `Plain` (never quantized).
class Quantized<string scale, list<string> of> {
  string resultScale = scale;
  // Whether int16 activations are not to be counted on: functions that turn too often for the pieces of a curve.
  bit isNarrow = 0;
  list<string> roles = of;
}

#endif
