// What hb-opt has from MLIR works on our dialects: IR printing, timing, elided resources, generic form, locations.
// RUN: hb-opt %s --mlir-print-ir-after-all --canonicalize 2>&1 | FileCheck %s --check-prefix=AFTER
// AFTER: IR Dump After Canonicalizer
// AFTER: hfloat.relu

// RUN: hb-opt %s --canonicalize --mlir-timing 2>&1 | FileCheck %s --check-prefix=TIMING
// TIMING: Canonicalizer

// RUN: hb-opt %s --mlir-elide-resource-strings-if-larger=4 | FileCheck %s --check-prefix=ELIDED
// ELIDED: hfloat.constant dense_resource<weights>
// ELIDED-NOT: 0x04000000

// RUN: hb-opt %s --mlir-print-op-generic | FileCheck %s --check-prefix=GENERIC
// GENERIC: "hfloat.relu"

// RUN: hb-opt %s --mlir-print-debuginfo | FileCheck %s --check-prefix=LOCATION
// LOCATION: loc("stem/Relu")

// RUN: not hb-opt %s --no-such-pass 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: Unknown command line argument '--no-such-pass'

func.func @f(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %w = hfloat.constant dense_resource<weights> : tensor<2xf32>
  %0 = hfloat.relu %x : (tensor<2xf32>) -> tensor<2xf32> loc("stem/Relu")
  return %0, %w : tensor<2xf32>, tensor<2xf32>
}

{-#
  dialect_resources: {
    builtin: {
      weights: "0x040000000000803F00000040"
    }
  }
#-}
