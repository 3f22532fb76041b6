//===- Ops.td - the operations of the cpu dialect ---------------------------===//
#ifndef CPU_OPS
#define CPU_OPS

include "cpu/Dialect.td"

def Cpu_YieldOp : Op<Cpu_Dialect, "yield", [Pure, Terminator, ParentOneOf<["SegmentOp"]>]> {
  let summary = "ends a segment and gives its results";
  let description = "The operands are the results of the enclosing `cpu.segment`.";
  let arguments = (ins Variadic<AnyRankedTensor>:$results_);
  let assemblyFormat = "attr-dict ($results_^ `:` type($results_))?";
}

def Cpu_SegmentOp : Op<Cpu_Dialect, "segment", [IsolatedFromAbove, SingleBlock]> {
  let summary = "a part of the network that runs on the host processor";
  let description = "The body sees only the operands, as block arguments, and holds only `hfloat` operations.";
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs);
  let regions = (region SizedRegion<1>:$body);
  let results = (outs Variadic<AnyRankedTensor>:$outputs);
  let assemblyFormat = "`(` $inputs `)` attr-dict-with-keyword $body `:` functional-type($inputs, $outputs)";
  let hasVerifier = 1;
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::verify() { return ::hb::verifyInRust(getOperation()); }
  }];
}

#endif
