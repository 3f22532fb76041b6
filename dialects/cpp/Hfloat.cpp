#include "Hfloat.h"

#include "HfloatDialect.cpp.inc"
#include "HfloatEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "HfloatAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "HfloatOps.cpp.inc"

namespace hb::hfloat {
void HfloatDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "HfloatAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "HfloatOps.cpp.inc"
      >();
}

mlir::Operation *HfloatDialect::materializeConstant(mlir::OpBuilder &builder, mlir::Attribute value, mlir::Type type,
                                                    mlir::Location location) {
  auto elements = llvm::dyn_cast<mlir::ElementsAttr>(value);
  if (!elements || elements.getType() != type)
    return nullptr;
  return ConstantOp::create(builder, location, type, elements);
}
} // namespace hb::hfloat

void hbInsertHfloat(mlir::DialectRegistry &registry) { registry.insert<hb::hfloat::HfloatDialect>(); }

extern "C" {
MlirAttribute hbHfloatClampGet(MlirContext context, double lower, double upper) {
  mlir::Builder builder(unwrap(context));
  return wrap(hb::hfloat::ClampAttr::get(unwrap(context), builder.getF64FloatAttr(lower), builder.getF64FloatAttr(upper)));
}
// False when the attribute is not a clamp.
bool hbHfloatClampBounds(MlirAttribute attribute, double *lower, double *upper) {
  auto clamp = llvm::dyn_cast<hb::hfloat::ClampAttr>(unwrap(attribute));
  if (!clamp)
    return false;
  *lower = clamp.getLower().getValueAsDouble();
  *upper = clamp.getUpper().getValueAsDouble();
  return true;
}
MlirAttribute hbHfloatBoundsGet(MlirContext context, intptr_t count, const int64_t *sizes) {
  return wrap(hb::hfloat::BoundsAttr::get(unwrap(context), llvm::ArrayRef<int64_t>(sizes, count)));
}
// False when the attribute holds no bounds.
bool hbHfloatBoundsSizes(MlirAttribute attribute, void (*keep)(intptr_t, const int64_t *, void *), void *user) {
  auto bounds = llvm::dyn_cast<hb::hfloat::BoundsAttr>(unwrap(attribute));
  if (!bounds)
    return false;
  keep(bounds.getSizes().size(), bounds.getSizes().data(), user);
  return true;
}
// False when the type is no tensor of a known rank.
bool hbRankedTensorSizes(MlirType type, void (*keep)(intptr_t, const int64_t *, void *), void *user) {
  auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(unwrap(type));
  if (!tensor)
    return false;
  keep(tensor.getShape().size(), tensor.getShape().data(), user);
  return true;
}
// The spelling of an enum attribute of the dialect, or a null string.
MlirStringRef hbHfloatEnumName(MlirAttribute attribute) {
  llvm::StringRef name;
  if (auto mode = llvm::dyn_cast<hb::hfloat::AutoPadAttr>(unwrap(attribute)))
    name = hb::hfloat::stringifyAutoPad(mode.getValue());
  else if (auto mode = llvm::dyn_cast<hb::hfloat::PadModeAttr>(unwrap(attribute)))
    name = hb::hfloat::stringifyPadMode(mode.getValue());
  return wrap(name);
}
}
