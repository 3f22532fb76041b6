// A float network goes out to ONNX and is read back: names, attributes, and the fused activation as a node of its own.
// RUN: hb-translate --export-onnx %s -o %t.onnx
// RUN: hb-translate --import-onnx %t.onnx | FileCheck %s
// RUN: hb-translate --import-onnx %t.onnx --emit-bytecode | hb-translate --export-onnx - -o %t.again.onnx
// RUN: cmp %t.onnx %t.again.onnx

// CHECK: func.func @main(%[[X:.*]]: tensor<1x2x4x4xf32> {hfloat.name = "x"} loc("x")) -> (tensor<1x3x4x4xf32> {hfloat.name = "y"})
func.func @main(%x: tensor<1x2x4x4xf32> {hfloat.name = "x"}) -> (tensor<1x3x4x4xf32> {hfloat.name = "y"}) {
  // CHECK: %[[W:.*]] = hfloat.constant dense<2.500000e-01> : tensor<3x2x1x1xf32> loc(#[[WEIGHT:.*]])
  %w = hfloat.constant dense<0.25> : tensor<3x2x1x1xf32> loc("weight")
  // CHECK: %[[C:.*]] = hfloat.conv %[[X]], %[[W]] {auto_pad = #hfloat.auto_pad<SAME_UPPER>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} {{.*}} loc(#[[CONV:.*]])
  // CHECK: %[[R:.*]] = hfloat.relu %[[C]] {{.*}} loc(#[[RELU:.*]])
  %0 = hfloat.conv %x, %w {auto_pad = #hfloat.auto_pad<SAME_UPPER>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>,
    strides = array<i64: 1, 1>, activation = #hfloat.clamp<0.0 : f64, 0x7FF0000000000000 : f64>}
    : (tensor<1x2x4x4xf32>, tensor<3x2x1x1xf32>) -> tensor<1x3x4x4xf32> loc(fused["Conv_0", "Relu_1"])
  // CHECK: return %[[R]]
  return %0 : tensor<1x3x4x4xf32>
}
// CHECK-DAG: #[[WEIGHT]] = loc("weight")
// CHECK-DAG: #[[CONV]] = loc("Conv_0")
// CHECK-DAG: #[[RELU]] = loc("Relu_1")
