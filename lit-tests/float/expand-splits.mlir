// A split becomes slices; one whose parts have unknown sizes stays.
// RUN: hb-opt %s --hfloat-expand-splits --canonicalize | FileCheck %s
// RUN: hb-opt %s --hfloat-expand-splits --mlir-print-debuginfo | FileCheck %s --check-prefix=NAMES

// CHECK-LABEL: func.func @sizes
// CHECK-DAG: %[[ONE:.*]] = hfloat.constant dense<1> : tensor<1xi64>
// CHECK-DAG: %[[SIX:.*]] = hfloat.constant dense<6> : tensor<1xi64>
// The first part is not read: no slice is left of it.
// CHECK: %[[B:.*]] = hfloat.slice %arg0, %[[ONE]], %[[SIX]], %[[ONE]], %[[ONE]] : {{.*}} -> tensor<2x5xf32>
// CHECK-NEXT: return %[[B]]
// NAMES-DAG: #[[SPLIT:.*]] = loc("Split_3")
// NAMES-DAG: loc(fused<"Split_3/slice_0">[#[[SPLIT]]])
// NAMES-DAG: loc(fused<"Split_3/slice_1">[#[[SPLIT]]])
func.func @sizes(%x: tensor<2x6xf32>) -> tensor<2x5xf32> {
  %parts = hfloat.constant dense<[1, 5]> : tensor<2xi64>
  %0:2 = hfloat.split %x, %parts {axis = -1 : si64} : (tensor<2x6xf32>, tensor<2xi64>) -> (tensor<2x1xf32>, tensor<2x5xf32>) loc("Split_3")
  return %0#1 : tensor<2x5xf32>
}

// CHECK-LABEL: func.func @unknown
// CHECK: hfloat.split
func.func @unknown(%x: tensor<2x6xf32>, %parts: tensor<2xi64>) -> tensor<?x6xf32> {
  %0:2 = hfloat.split %x, %parts : (tensor<2x6xf32>, tensor<2xi64>) -> (tensor<?x6xf32>, tensor<?x6xf32>)
  return %0#1 : tensor<?x6xf32>
}
