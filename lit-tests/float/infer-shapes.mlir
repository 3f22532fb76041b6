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

// -----

// What is done along a size that is known only when running: sums of bounds, and the smaller of two numbers.
// CHECK-LABEL: func.func @unknown_sizes
// CHECK: hfloat.concat {{.*}} {axis = 1 : si64} : {{.*}} -> tensor<2x?xi64, #hfloat.bounds<2, 23>>
// CHECK: hfloat.gather {{.*}} {axis = 1 : si64} : {{.*}} -> tensor<2x1xi64>
// CHECK: hfloat.top_k {{.*}} : {{.*}} -> (tensor<2x4xi64>, tensor<2x4xi64>)
// CHECK: hfloat.top_k {{.*}} : {{.*}} -> (tensor<2x?xi64, #hfloat.bounds<2, 7>>, tensor<2x?xi64, #hfloat.bounds<2, 7>>)
// CHECK: hfloat.top_k {{.*}} {axis = 0 : si64} : {{.*}} -> (tensor<2x?xi64, #hfloat.bounds<2, 10>>, tensor<2x?xi64, #hfloat.bounds<2, 10>>)
func.func @unknown_sizes(%x: tensor<2x5xf32>, %more: tensor<2x3xi64>) {
  %n = hfloat.non_zero %x : (tensor<2x5xf32>) -> tensor<2x?xi64>
  %j = hfloat.concat %n, %more, %n {axis = 1 : si64} : (tensor<2x?xi64>, tensor<2x3xi64>, tensor<2x?xi64>) -> tensor<2x?xi64>
  %last = hfloat.constant dense<-1> : tensor<1xi64>
  %g = hfloat.gather %j, %last {axis = 1 : si64} : (tensor<2x?xi64>, tensor<1xi64>) -> tensor<2x1xi64>
  %four = hfloat.constant dense<4> : tensor<1xi64>
  %v, %i = hfloat.top_k %j, %four : (tensor<2x?xi64>, tensor<1xi64>) -> (tensor<2x4xi64>, tensor<2x4xi64>)
  %s = hfloat.shape %j {start = 1 : si64} : (tensor<2x?xi64>) -> tensor<1xi64>
  %seven = hfloat.constant dense<7> : tensor<1xi64>
  %less = hfloat.less %seven, %s : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi1>
  %k = hfloat.where %less, %seven, %s : (tensor<1xi1>, tensor<1xi64>, tensor<1xi64>) -> tensor<1xi64>
  %w, %o = hfloat.top_k %j, %k : (tensor<2x?xi64>, tensor<1xi64>) -> (tensor<2x?xi64>, tensor<2x?xi64>)
  %two = hfloat.constant dense<2> : tensor<1xi64>
  %u, %p = hfloat.top_k %n, %two {axis = 0 : si64} : (tensor<2x?xi64>, tensor<1xi64>) -> (tensor<2x?xi64>, tensor<2x?xi64>)
  return
}

// -----

// Branches may have other ranks when which is taken follows from shapes.
// CHECK-LABEL: func.func @branch_of_shapes
// CHECK-SAME: -> tensor<3xf32>
// CHECK-NOT: hfloat.if
func.func @branch_of_shapes(%x: tensor<3x1xf32>) -> tensor<*xf32> {
  %s = hfloat.shape %x {start = 1 : si64} : (tensor<3x1xf32>) -> tensor<1xi64>
  %one = hfloat.constant dense<1> : tensor<1xi64>
  %c = hfloat.equal %s, %one : (tensor<1xi64>, tensor<1xi64>) -> tensor<1xi1>
  %y = hfloat.if %c captures(%x) {
  ^bb0(%a: tensor<3x1xf32>):
    %axes = hfloat.constant dense<1> : tensor<1xi64>
    %r = hfloat.squeeze %a, %axes : (tensor<3x1xf32>, tensor<1xi64>) -> tensor<3xf32>
    hfloat.yield %r : tensor<3xf32>
  } else {
  ^bb0(%a: tensor<3x1xf32>):
    hfloat.yield %a : tensor<3x1xf32>
  } : (tensor<1xi1>, tensor<3x1xf32>) -> tensor<*xf32>
  return %y : tensor<*xf32>
}

// -----

func.func @more_than_there_can_be(%x: tensor<2x5xf32>) {
  %n = hfloat.non_zero %x : (tensor<2x5xf32>) -> tensor<2x?xi64, #hfloat.bounds<2, 10>>
  %k = hfloat.constant dense<11> : tensor<1xi64>
  // expected-error @+1 {{takes 11 of 10 elements}}
  %v, %i = hfloat.top_k %n, %k : (tensor<2x?xi64, #hfloat.bounds<2, 10>>, tensor<1xi64>) -> (tensor<2x11xi64>, tensor<2x11xi64>)
  return
}

// -----

// The sizes of what is made of constants are there once it is folded, although nothing tells them before.
// CHECK-LABEL: func.func @folded_sizes
// CHECK: hfloat.constant dense<{{\[\[}}0, 2, 3]]> : tensor<1x3xi64>
// CHECK: hfloat.gather {{.*}} -> tensor<1x3x6xf32>
// CHECK: hfloat.mat_mul {{.*}} -> tensor<1x3x2xf32>
func.func @folded_sizes(%x: tensor<4x6xf32>, %w: tensor<6x2xf32>) -> tensor<?x?x2xf32> {
  %mask = hfloat.constant dense<[1.0, 0.0, 2.0, -1.0]> : tensor<4xf32>
  %n = hfloat.non_zero %mask : (tensor<4xf32>) -> tensor<1x?xi64>
  %g = hfloat.gather %x, %n : (tensor<4x6xf32>, tensor<1x?xi64>) -> tensor<1x?x6xf32>
  %y = hfloat.mat_mul %g, %w : (tensor<1x?x6xf32>, tensor<6x2xf32>) -> tensor<?x?x2xf32>
  return %y : tensor<?x?x2xf32>
}

// -----

// Sizes are followed through vectors of them, and through types that hold every one.
// CHECK-LABEL: func.func @sizes_of_shapes
// CHECK: hfloat.constant_of_shape {{.*}} -> tensor<?x3xf32, #hfloat.bounds<15, 3>>
func.func @sizes_of_shapes(%x: tensor<3x5xf32>) {
  %n = hfloat.non_zero %x : (tensor<3x5xf32>) -> tensor<2x?xi64, #hfloat.bounds<2, 15>>
  %t = hfloat.transpose %n {perm = array<i64: 1, 0>} : (tensor<2x?xi64, #hfloat.bounds<2, 15>>) -> tensor<?x2xi64>
  %column = hfloat.constant dense<[0, 1, 1]> : tensor<3xi64>
  %rows = hfloat.gather %t, %column {axis = 1 : si64} : (tensor<?x2xi64>, tensor<3xi64>) -> tensor<?x3xi64>
  %s = hfloat.shape %rows : (tensor<?x3xi64>) -> tensor<2xi64>
  %narrow = hfloat.cast %s : (tensor<2xi64>) -> tensor<2xi32>
  %wide = hfloat.cast %narrow : (tensor<2xi32>) -> tensor<2xi64>
  %0 = hfloat.constant_of_shape %wide {value = dense<1.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x?xf32>
  return
}

// -----

// In a matrix of sizes axes count.
func.func @matrix_of_sizes(%x: tensor<3x5xf32>) {
  %n = hfloat.non_zero %x : (tensor<3x5xf32>) -> tensor<2x?xi64, #hfloat.bounds<2, 15>>
  %t = hfloat.transpose %n {perm = array<i64: 1, 0>} : (tensor<2x?xi64, #hfloat.bounds<2, 15>>) -> tensor<?x2xi64>
  %column = hfloat.constant dense<[0, 1, 1]> : tensor<3xi64>
  %rows = hfloat.gather %t, %column {axis = 1 : si64} : (tensor<?x2xi64>, tensor<3xi64>) -> tensor<?x3xi64>
  %s = hfloat.shape %rows : (tensor<?x3xi64>) -> tensor<2xi64>
  %axis = hfloat.constant dense<0> : tensor<1xi64>
  %m = hfloat.unsqueeze %s, %axis : (tensor<2xi64>, tensor<1xi64>) -> tensor<1x2xi64>
  %first = hfloat.gather %m, %axis {axis = 0 : si64} : (tensor<1x2xi64>, tensor<1xi64>) -> tensor<1x2xi64>
  %q = hfloat.squeeze %first, %axis : (tensor<1x2xi64>, tensor<1xi64>) -> tensor<2xi64>
  // expected-error @+1 {{known only when the network runs}}
  %0 = hfloat.constant_of_shape %q {value = dense<1.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x?xf32>
  return
}

// -----

// A byte holds no large size.
func.func @sizes_as_bytes(%x: tensor<3x5xf32>) {
  %n = hfloat.non_zero %x : (tensor<3x5xf32>) -> tensor<2x?xi64, #hfloat.bounds<2, 15>>
  %t = hfloat.transpose %n {perm = array<i64: 1, 0>} : (tensor<2x?xi64, #hfloat.bounds<2, 15>>) -> tensor<?x2xi64>
  %column = hfloat.constant dense<[0, 1, 1]> : tensor<3xi64>
  %rows = hfloat.gather %t, %column {axis = 1 : si64} : (tensor<?x2xi64>, tensor<3xi64>) -> tensor<?x3xi64>
  %s = hfloat.shape %rows : (tensor<?x3xi64>) -> tensor<2xi64>
  %byte = hfloat.cast %s : (tensor<2xi64>) -> tensor<2xui8>
  %back = hfloat.cast %byte : (tensor<2xui8>) -> tensor<2xi64>
  // expected-error @+1 {{known only when the network runs}}
  %0 = hfloat.constant_of_shape %back {value = dense<1.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x?xf32>
  return
}

// -----

// The depth of one row of indices cannot be unknown.
func.func @scatter_of_unknown_depth(%x: tensor<1x4xf32>, %data: tensor<4x1xf32>) {
  %axis = hfloat.constant dense<0> : tensor<1xi64>
  %n = hfloat.non_zero %x : (tensor<1x4xf32>) -> tensor<2x?xi64, #hfloat.bounds<2, 4>>
  %last = hfloat.constant dense<1> : tensor<i64>
  %i = hfloat.gather %n, %last {axis = 0 : si64} : (tensor<2x?xi64, #hfloat.bounds<2, 4>>, tensor<i64>) -> tensor<?xi64, #hfloat.bounds<4>>
  %u = hfloat.cast %i : (tensor<?xi64, #hfloat.bounds<4>>) -> tensor<?xf32, #hfloat.bounds<4>>
  // expected-error @+1 {{known only when the network runs}}
  %y = hfloat.scatter_nd %data, %i, %u : (tensor<4x1xf32>, tensor<?xi64, #hfloat.bounds<4>>, tensor<?xf32, #hfloat.bounds<4>>) -> tensor<4x1xf32>
  return
}
