// Weights become the integers of a file times the scale that the largest weight of each channel spans.
// RUN: hb-opt %s --quant-round-weights=file=%S/Inputs/weights.safetensors | FileCheck %s
// RUN: not hb-opt %s --quant-round-weights=file=%S/Inputs/shape.safetensors 2>&1 | FileCheck %s --check-prefix=SHAPE
// RUN: not hb-opt %s --quant-round-weights=file=%S/Inputs/unknown.safetensors 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not hb-opt %s --quant-round-weights=file=%S/Inputs/thresholds.json 2>&1 | FileCheck %s --check-prefix=FORM
// RUN: not hb-opt %s --quant-round-weights=file=%S/Inputs/none 2>&1 | FileCheck %s --check-prefix=FILE
// RUN: not hb-opt %s --quant-round-weights 2>&1 | FileCheck %s --check-prefix=NONE

// SHAPE: shape.safetensors: the tensor of 'Conv_0' has the shape [4, 1, 1, 1], but the weights have [2, 2, 1, 1]
// UNKNOWN: unknown.safetensors: no layer with constant weights is called 'Conv_9'
// FORM: thresholds.json: its header has {{[0-9]+}} bytes
// FILE: none: No such file
// NONE: give the file of weights as the option file

// The scales are 1 and 2: 127 / 127 and 254 / 127.
// CHECK-LABEL: func.func @main
func.func @main(%x: tensor<1x2x4x4xf32> {hfloat.name = "image"}) -> tensor<1x2x4x4xf32> {
  // CHECK-NOT: 2.600000e+00
  %w = hfloat.constant dense<[[[[127.0]], [[-2.6]]], [[[9.0]], [[-254.0]]]]> : tensor<2x2x1x1xf32> loc("w")
  // CHECK: %[[W:.*]] = hfloat.constant dense<{{\[\[\[\[}}1.270000e+02]], {{\[\[}}-3.000000e+00]]], {{\[\[\[}}1.000000e+01]], {{\[\[}}-2.540000e+02]]]]>
  // CHECK: hfloat.conv %{{.*}}, %[[W]]
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32> loc("Conv_0")
  // Weights that the file does not name stay.
  // CHECK: hfloat.conv %{{.*}}, %[[OTHER:.*]] {
  %v = hfloat.constant dense<1.5> : tensor<2x2x1x1xf32> loc("v")
  %1 = hfloat.conv %0, %v {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32> loc("Conv_1")
  return %1 : tensor<1x2x4x4xf32>
}
