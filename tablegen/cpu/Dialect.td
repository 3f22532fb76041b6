//===- Dialect.td - what runs on the host processor -------------------------===//
#ifndef CPU_DIALECT
#define CPU_DIALECT

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Cpu_Dialect : Dialect {
  let name = "cpu";
  let cppNamespace = "::hb::cpu";
  let summary = "Segments that run on the host processor";
  let description = "A `cpu.segment` holds `hfloat` operations that have no hardware form, or that the user placed there.";
}

#endif
