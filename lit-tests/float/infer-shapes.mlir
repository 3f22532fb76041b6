// Types become static from the inputs on, and what a network computes from shapes becomes constant.
// RUN: hb-opt %s --hfloat-infer-shapes --split-input-file --verify-diagnostics | FileCheck %s

// CHECK-LABEL: func.func @chain
// CHECK-SAME: -> tensor<1x6x3x3xf32>
// CHECK: hfloat.conv {{.*}} -> tensor<1x6x6x6xf32>
// CHECK: hfloat.max_pool {{.*}} -> tensor<1x6x3x3xf32>
func.func @chain(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) -> tensor<*xf32> {
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<*xf32>
  %1 = hfloat.max_pool %0 {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<*xf32>) -> tensor<*xf32>
  return %1 : tensor<*xf32>
}

// -----

// CHECK-LABEL: func.func @shape_is_constant
// CHECK: hfloat.constant dense<[3, 4]> : tensor<2xi64>
// CHECK-NOT: hfloat.shape
func.func @shape_is_constant(%x: tensor<2x3x4xf32>) -> tensor<?xi64> {
  %0 = hfloat.shape %x {start = -2 : si64} : (tensor<2x3x4xf32>) -> tensor<?xi64>
  return %0 : tensor<?xi64>
}

// -----

// CHECK-LABEL: func.func @reshape_by_the_network_itself
// CHECK: hfloat.reshape {{.*}} -> tensor<4x2x3xf32>
func.func @reshape_by_the_network_itself(%x: tensor<2x3x4xf32>, %y: tensor<4x2x3xf32>) -> tensor<*xf32> {
  %0 = hfloat.shape %y : (tensor<4x2x3xf32>) -> tensor<?xi64>
  %1 = hfloat.reshape %x, %0 : (tensor<2x3x4xf32>, tensor<?xi64>) -> tensor<*xf32>
  return %1 : tensor<*xf32>
}

// -----

func.func @unknown(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  // expected-error @unknown {{node 'Relu_0' (hfloat.relu): the shape of its result is not known; give the input shapes}}
  %0 = hfloat.relu %x : (tensor<?x3xf32>) -> tensor<?x3xf32> loc("Relu_0")
  return %0 : tensor<?x3xf32>
}

// -----

// What was unknown when the operation was verified does not fit once it is known.
func.func @contradiction(%x: tensor<2x3xf32>, %y: tensor<4xf32>) -> tensor<*xf32> {
  %0 = hfloat.relu %y : (tensor<4xf32>) -> tensor<?xf32>
  // expected-error @unknown {{operands do not broadcast: 3 and 4 in dimension 1 of the result}}
  %1 = hfloat.add %x, %0 : (tensor<2x3xf32>, tensor<?xf32>) -> tensor<*xf32> loc("Add_0")
  return %1 : tensor<*xf32>
}
