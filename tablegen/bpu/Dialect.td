//===- Dialect.td - the integer dialect ------------------------------------===//
#ifndef BPU_DIALECT
#define BPU_DIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "Registry.td"

def Bpu_Dialect : Dialect {
  let name = "bpu";
  let cppNamespace = "::hb::bpu";
  let summary = "Integer operations with hardware meaning";
  let description = [{
    What the BPU computes, exact to the bit as `docs/numerics.md` defines it. Quantized tensors have the element type
    `!quant.uniform`, of int8 also with a zero point; every rescaling follows from the scales in the types, so that an operation carries no multipliers.
    Convolution and pooling take NHWC tensors of rank 4 and OHWI weights; other operations work on any rank up to 6 in
    the order that their types say, with explicit `bpu.transpose`.

    Operations live in `bpu.segment`, which is one program of the machine.
  }];
  let hasConstantMaterializer = 1;
  let dependentDialects = ["::mlir::quant::QuantDialect"];
}

// Verifiers and folders are Rust: `src/bpu/rules.rs`.
class Bpu_Op<string mnemonic, list<Trait> traits = []> : Op<Bpu_Dialect, mnemonic, traits> {
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

class Bpu_PureOp<string mnemonic, list<Trait> traits = []> : Bpu_Op<mnemonic, !listconcat([Pure], traits)> {
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

class Bpu_FoldableOp<string mnemonic, list<Trait> traits = []> : Bpu_PureOp<mnemonic, traits> {
  let hasFolder = 1;
  let extraClassDefinition = verifyInRust # foldInRust;
}

#endif
