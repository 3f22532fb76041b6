#include "Hb.h"

#include "CpuDialect.h.inc"
#define GET_OP_CLASSES
#include "CpuOps.h.inc"

#include "CpuDialect.cpp.inc"
#define GET_OP_CLASSES
#include "CpuOps.cpp.inc"

namespace hb::cpu {
void CpuDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "CpuOps.cpp.inc"
      >();
}
} // namespace hb::cpu

void hbInsertCpu(mlir::DialectRegistry &registry) { registry.insert<hb::cpu::CpuDialect>(); }
