// What every dialect of hb shares: MLIR's headers and the doors to the verifiers and folders in Rust.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Support.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

namespace hb {
// Both call a function that Rust registered; see dialects/src/hooks.rs.
llvm::LogicalResult verifyInRust(mlir::Operation *operation);
mlir::OpFoldResult foldInRust(mlir::Operation *operation, llvm::ArrayRef<mlir::Attribute> operands);
// Inserts every dialect of hb.
void insertDialects(mlir::DialectRegistry &registry);
} // namespace hb
