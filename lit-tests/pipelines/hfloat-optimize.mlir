// From what an importer gives to a network ready for quantization.
// RUN: hb-opt %s --hfloat-optimize | FileCheck %s
// RUN: hb-opt %s --hfloat-optimize --mlir-print-debuginfo | FileCheck %s --check-prefix=NAMES

// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:.*]]: tensor<1x1x2x2xf32>) -> tensor<1x2x2x2xf32>
// CHECK-COUNT-2: hfloat.constant
// CHECK-NEXT: %[[Y:.*]] = hfloat.conv %[[X]], {{.*}}activation = #hfloat.clamp<0.000000e+00 : f64, 0x7FF0000000000000 : f64>
// CHECK-NEXT: return %[[Y]]
// NAMES-DAG: #[[CONV:.*]] = loc("Conv_0")
// NAMES-DAG: #[[NORM:.*]] = loc("BatchNormalization_1")
// NAMES-DAG: #[[RELU:.*]] = loc("Relu_2")
// NAMES-DAG: loc(fused[#[[CONV]], #[[NORM]], #[[RELU]]])
func.func @main(%x: tensor<1x1x2x2xf32>) -> tensor<*xf32> {
  %w = hfloat.constant dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32> loc("weight")
  %p = hfloat.constant dense<[4.0, 3.0]> : tensor<2xf32> loc("statistics")
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x2x2xf32>, tensor<2x1x1x1xf32>) -> tensor<*xf32> loc("Conv_0")
  %1 = hfloat.batch_normalization %0, %p, %p, %p, %p
      : (tensor<*xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<*xf32> loc("BatchNormalization_1")
  %2 = hfloat.relu %1 : (tensor<*xf32>) -> tensor<*xf32> loc("Relu_2")
  %3 = hfloat.identity %2 : (tensor<*xf32>) -> tensor<*xf32> loc("Identity_3")
  return %3 : tensor<*xf32>
}
