//===- Dialect.td - the instruction dialect ---------------------------------===//
#ifndef NASH_DIALECT
#define NASH_DIALECT

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"

def Nash_Dialect : Dialect {
  let name = "nash";
  let cppNamespace = "::hb::nash";
  let summary = "Instructions of the machine";
  let description = [{
    One operation per instruction of `docs/nash-isa.md`, with the instruction's fields as attributes. The vendor's instruction
    set is not public; this one is our own. Eight engines each take their instructions in the order of the text; nothing else
    orders two engines but `wait`. Operands are views of local memory (L1M); only `nash.load.copy` and `nash.store.copy` see DDR.

    Instructions live in `nash.program`, which stands for one run of the machine.
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::quant::QuantDialect"];
}

#endif
