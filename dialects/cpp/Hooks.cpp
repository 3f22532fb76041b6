// The doors between C++ and Rust: verifiers, folders, constants, registration.
#include "Hb.h"

#include "mlir-c/RegisterEverything.h"
#include "mlir/CAPI/Registration.h"
#include "mlir/IR/BuiltinDialect.h"
#include "mlir/IR/DialectResourceBlobManager.h"

void hbInsertHfloat(mlir::DialectRegistry &);
void hbInsertBpu(mlir::DialectRegistry &);
void hbInsertCpu(mlir::DialectRegistry &);
void hbInsertNash(mlir::DialectRegistry &);

namespace {
using Verify = bool (*)(MlirOperation);
// Writes either a value or an attribute; returns false when nothing folds.
using Fold = bool (*)(MlirOperation, intptr_t, const MlirAttribute *, MlirValue *, MlirAttribute *);
Verify verifyHook = nullptr;
Fold foldHook = nullptr;
} // namespace

llvm::LogicalResult hb::verifyInRust(mlir::Operation *operation) {
  return llvm::success(!verifyHook || verifyHook(wrap(operation)));
}

mlir::OpFoldResult hb::foldInRust(mlir::Operation *operation, llvm::ArrayRef<mlir::Attribute> operands) {
  if (!foldHook)
    return {};
  llvm::SmallVector<MlirAttribute> attributes;
  for (mlir::Attribute operand : operands)
    attributes.push_back(wrap(operand));
  MlirValue value{nullptr};
  MlirAttribute attribute{nullptr};
  if (!foldHook(wrap(operation), attributes.size(), attributes.data(), &value, &attribute))
    return {};
  if (value.ptr)
    return unwrap(value);
  return unwrap(attribute);
}

void hb::insertDialects(mlir::DialectRegistry &registry) {
  hbInsertHfloat(registry);
  hbInsertBpu(registry);
  hbInsertCpu(registry);
  hbInsertNash(registry);
}

extern "C" {
void hbSetHooks(Verify verify, Fold fold) {
  verifyHook = verify;
  foldHook = fold;
}

void hbEmitWarning(MlirLocation location, const char *message) { mlir::emitWarning(unwrap(location)) << message; }
void hbEmitRemark(MlirLocation location, const char *message) { mlir::emitRemark(unwrap(location)) << message; }


// The bytes of a `dense_resource`; false when the attribute is none or its blob is missing.
bool hbDenseResourceData(MlirAttribute attribute, const char **data, size_t *size) {
  auto resource = llvm::dyn_cast<mlir::DenseResourceElementsAttr>(unwrap(attribute));
  if (!resource)
    return false;
  mlir::AsmResourceBlob *blob = resource.getRawHandle().getBlob();
  if (!blob)
    return false;
  *data = blob->getData().data();
  *size = blob->getData().size();
  return true;
}

// Frees the bytes of every `dense_resource` of the context that none of the operations reads. Two resources may share their bytes.
void hbKeepResources(MlirContext context, intptr_t count, const MlirOperation *operations) {
  llvm::DenseSet<const char *> kept;
  mlir::AttrTypeWalker attributes;
  attributes.addWalk([&](mlir::DenseResourceElementsAttr resource) {
    if (const mlir::AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      kept.insert(blob->getData().data());
  });
  for (const MlirOperation &root : llvm::ArrayRef(operations, count))
    unwrap(root)->walk([&](mlir::Operation *operation) {
      mlir::NamedAttrList inherent;
      operation->getName().populateInherentAttrs(operation, inherent);
      for (mlir::NamedAttribute attribute : inherent)
        attributes.walk(attribute.getValue());
      for (mlir::NamedAttribute attribute : operation->getDiscardableAttrs())
        attributes.walk(attribute.getValue());
    });
  auto &blobs = mlir::DenseResourceElementsHandle::getManagerInterface(unwrap(context)).getBlobManager();
  llvm::SmallVector<std::string> dead;
  blobs.getBlobMap([&](const auto &entries) {
    for (const auto &entry : entries)
      if (const mlir::AsmResourceBlob *blob = entry.second.getBlob(); blob && !kept.contains(blob->getData().data()))
        dead.push_back(entry.first().str());
  });
  for (const std::string &name : dead)
    blobs.update(name, mlir::AsmResourceBlob());
}
}
