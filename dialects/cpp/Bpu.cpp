#include "Hb.h"

#include "BpuDialect.h.inc"
#define GET_OP_CLASSES
#include "BpuOps.h.inc"

#include "BpuDialect.cpp.inc"
#define GET_OP_CLASSES
#include "BpuOps.cpp.inc"

namespace hb::bpu {
void BpuDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "BpuOps.cpp.inc"
      >();
}

mlir::Operation *BpuDialect::materializeConstant(mlir::OpBuilder &builder, mlir::Attribute value, mlir::Type type,
                                                 mlir::Location location) {
  auto elements = llvm::dyn_cast<mlir::ElementsAttr>(value);
  return elements ? ConstantOp::create(builder, location, type, elements) : nullptr;
}
} // namespace hb::bpu

void hbInsertBpu(mlir::DialectRegistry &registry) { registry.insert<hb::bpu::BpuDialect>(); }
