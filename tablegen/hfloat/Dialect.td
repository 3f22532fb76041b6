//===- Dialect.td - the float dialect ------------------------------------===//
#ifndef HFLOAT_DIALECT
#define HFLOAT_DIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Hfloat_Dialect : Dialect {
  let name = "hfloat";
  let cppNamespace = "::hb::hfloat";
  let summary = "The network as the user wrote it";
  let description = [{
    One operation per ONNX operator, in the form of the latest supported operator set, with the semantics that the
    ONNX specification gives it. Tensors keep the ONNX layout (NCHW). The name of a node is its location; constants
    are out of line as resources.

    A result type may have unknown dimensions or rank after import; `hfloat-infer-shapes` makes every type static.
    A tensor whose element type is `!quant.uniform` occurs only between `quant.qcast` and `quant.dcast`.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let dependentDialects = ["::mlir::quant::QuantDialect"];
}

// Verifiers and folders are Rust: `dialects/src/hfloat`.
class Hfloat_Op<string mnemonic, list<Trait> traits = []> : Op<Hfloat_Dialect, mnemonic, traits> {
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
class Hfloat_PureOp<string mnemonic, list<Trait> traits = []> : Hfloat_Op<mnemonic, !listconcat([Pure], traits)> {
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

// The same, with a folder.
class Hfloat_FoldableOp<string mnemonic, list<Trait> traits = []> : Hfloat_PureOp<mnemonic, traits> {
  let hasFolder = 1;
  let extraClassDefinition = verifyInRust # foldInRust;
}

#endif
