// A network of one sample becomes one of two.
// RUN: hb-opt %s --split-input-file --hfloat-set-batch=size=2 | FileCheck %s

!half = !quant.uniform<i8:f32, 0.5>

// Casts keep their scale. The constant says the size of one sample, and a squeeze would take the samples away.
// CHECK-LABEL: func.func @casts_and_shapes
// CHECK-SAME: (%[[X:.*]]: tensor<2x2x3xf32> {hfloat.name = "x"}) -> tensor<12xf32> attributes {hfloat.batch = 2 : i64}
// CHECK: %[[Q:.*]] = quant.qcast %[[X]] : tensor<2x2x3xf32> to tensor<2x2x3x!quant.uniform<i8:f32, 5.000000e-01>>
// CHECK: %[[S:.*]] = hfloat.constant dense<[2, 6]> : tensor<2xi64>
// CHECK: %[[R:.*]] = hfloat.reshape %{{.*}}, %[[S]] : (tensor<2x2x3xf32>, tensor<2xi64>) -> tensor<2x6xf32>
// CHECK: %[[T:.*]] = hfloat.constant dense<12> : tensor<1xi64>
// CHECK: %[[Z:.*]] = hfloat.reshape %[[R]], %[[T]] {hfloat.placement = "bpu"} : (tensor<2x6xf32>, tensor<1xi64>) -> tensor<12xf32>
// CHECK: return %[[Z]]

func.func @casts_and_shapes(%x: tensor<1x2x3xf32> {hfloat.name = "x"}) -> tensor<6xf32> {
  %q = quant.qcast %x : tensor<1x2x3xf32> to tensor<1x2x3x!half>
  %d = quant.dcast %q : tensor<1x2x3x!half> to tensor<1x2x3xf32>
  %s = hfloat.constant dense<[1, 6]> : tensor<2xi64>
  %0 = hfloat.reshape %d, %s : (tensor<1x2x3xf32>, tensor<2xi64>) -> tensor<1x6xf32> loc("Reshape_0")
  %axes = hfloat.constant dense<0> : tensor<1xi64>
  %1 = hfloat.squeeze %0, %axes {hfloat.placement = "bpu"} : (tensor<1x6xf32>, tensor<1xi64>) -> tensor<6xf32> loc("Squeeze_1")
  return %1 : tensor<6xf32>
}

// -----

// Heads of an attention: the samples are where the heads are, then again in front. A token for each sample, and a mask for each head.
// CHECK-LABEL: func.func @heads
// CHECK: %[[TOKEN:.*]] = hfloat.constant dense<{{\[\[\[}}1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]], {{\[\[}}1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]]]> : tensor<2x1x4xf32>
// CHECK: hfloat.concat %[[TOKEN]], %{{.*}} {axis = 1 : si64} : (tensor<2x1x4xf32>, tensor<2x2x4xf32>) -> tensor<2x3x4xf32>
// CHECK: hfloat.transpose %{{.*}} : (tensor<2x3x2x2xf32>) -> tensor<2x2x3x2xf32>
// CHECK: hfloat.constant dense<[4, 3, 2]> : tensor<3xi64>
// CHECK: hfloat.mat_mul %{{.*}} : (tensor<4x3x2xf32>, tensor<4x2x3xf32>) -> tensor<4x3x3xf32>
// CHECK: %[[MASK:.*]] = hfloat.constant dense<{{\[\[\[}}0.000000e+00, 1.000000e+00, 2.000000e+00]], {{\[\[}}3.000000e+00, 4.000000e+00, 5.000000e+00]], {{\[\[}}0.000000e+00, 1.000000e+00, 2.000000e+00]], {{\[\[}}3.000000e+00, 4.000000e+00, 5.000000e+00]]]> : tensor<4x1x3xf32>
// CHECK: hfloat.add %{{.*}}, %[[MASK]] : (tensor<4x3x3xf32>, tensor<4x1x3xf32>) -> tensor<4x3x3xf32>
// CHECK: hfloat.softmax %{{.*}} : (tensor<4x3x3xf32>) -> tensor<4x3x3xf32>
func.func @heads(%x: tensor<1x2x4xf32>) -> tensor<2x3x3xf32> {
  %token = hfloat.constant dense<[[[1.0, 2.0, 3.0, 4.0]]]> : tensor<1x1x4xf32>
  %0 = hfloat.concat %token, %x {axis = 1 : si64} : (tensor<1x1x4xf32>, tensor<1x2x4xf32>) -> tensor<1x3x4xf32> loc("Concat_0")
  %s = hfloat.constant dense<[1, 3, 2, 2]> : tensor<4xi64>
  %1 = hfloat.reshape %0, %s : (tensor<1x3x4xf32>, tensor<4xi64>) -> tensor<1x3x2x2xf32> loc("Reshape_1")
  %2 = hfloat.transpose %1 {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x3x2x2xf32>) -> tensor<1x2x3x2xf32> loc("Transpose_2")
  %h = hfloat.constant dense<[2, 3, 2]> : tensor<3xi64>
  %3 = hfloat.reshape %2, %h : (tensor<1x2x3x2xf32>, tensor<3xi64>) -> tensor<2x3x2xf32> loc("Reshape_3")
  %4 = hfloat.transpose %3 {perm = array<i64: 0, 2, 1>} : (tensor<2x3x2xf32>) -> tensor<2x2x3xf32> loc("Transpose_4")
  %5 = hfloat.mat_mul %3, %4 : (tensor<2x3x2xf32>, tensor<2x2x3xf32>) -> tensor<2x3x3xf32> loc("MatMul_5")
  %mask = hfloat.constant dense<[[[0.0, 1.0, 2.0]], [[3.0, 4.0, 5.0]]]> : tensor<2x1x3xf32>
  %6 = hfloat.add %5, %mask : (tensor<2x3x3xf32>, tensor<2x1x3xf32>) -> tensor<2x3x3xf32> loc("Add_6")
  %7 = hfloat.softmax %6 : (tensor<2x3x3xf32>) -> tensor<2x3x3xf32> loc("Softmax_7")
  return %7 : tensor<2x3x3xf32>
}

// -----

// Samples in the second dimension, and the one place of it that a gather takes.
// CHECK-LABEL: func.func @second_dimension
// CHECK: hfloat.transpose %{{.*}} : (tensor<2x3x5xf32>) -> tensor<3x2x5xf32>
// CHECK: %[[SHAPE:.*]] = hfloat.constant dense<[3, 10]> : tensor<2xi64>
// CHECK: hfloat.reshape %{{.*}}, %[[SHAPE]] : (tensor<3x2x5xf32>, tensor<2xi64>) -> tensor<3x10xf32>
func.func @second_dimension(%x: tensor<1x3x5xf32>) -> tensor<3x5xf32> {
  %0 = hfloat.transpose %x {perm = array<i64: 1, 0, 2>} : (tensor<1x3x5xf32>) -> tensor<3x1x5xf32> loc("Transpose_0")
  %zero = hfloat.constant dense<0> : tensor<i64>
  %1 = hfloat.gather %0, %zero {axis = 1 : si64} : (tensor<3x1x5xf32>, tensor<i64>) -> tensor<3x5xf32> loc("Gather_1")
  return %1 : tensor<3x5xf32>
}

// -----

// Every recorded size along the samples follows.
// CHECK-LABEL: func.func @sizes
// CHECK: hfloat.expand %{{.*}} : (tensor<2x1x4xf32>, tensor<3xi64>) -> tensor<2x3x4xf32>
// CHECK: hfloat.slice %{{.*}} : (tensor<2x3x4xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<2x2x4xf32>
func.func @sizes(%x: tensor<1x1x4xf32>) -> tensor<1x2x4xf32> {
  %s = hfloat.constant dense<[1, 3, 4]> : tensor<3xi64>
  %0 = hfloat.expand %x, %s : (tensor<1x1x4xf32>, tensor<3xi64>) -> tensor<1x3x4xf32> loc("Expand_0")
  %starts = hfloat.constant dense<[0, 1]> : tensor<2xi64>
  %ends = hfloat.constant dense<[1, 3]> : tensor<2xi64>
  %axes = hfloat.constant dense<[0, 1]> : tensor<2xi64>
  %steps = hfloat.constant dense<1> : tensor<2xi64>
  %1 = hfloat.slice %0, %starts, %ends, %axes, %steps
      : (tensor<1x3x4xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<1x2x4xf32> loc("Slice_1")
  return %1 : tensor<1x2x4xf32>
}

// -----

// What is inserted beside the samples is taken away again, not they; a reshape leaves them the dimension that is nothing but they.
// CHECK-LABEL: func.func @sizes_of_one
// CHECK-SAME: -> (tensor<2x4x8xf32>, tensor<32x2xf32>)
// CHECK: hfloat.unsqueeze %{{.*}} : (tensor<4x2x8xf32>, tensor<1xi64>) -> tensor<4x1x2x8xf32>
// CHECK: hfloat.squeeze %{{.*}} : (tensor<4x1x2x8xf32>, tensor<1xi64>) -> tensor<4x2x8xf32>
// CHECK: hfloat.transpose %{{.*}} : (tensor<4x2x8xf32>) -> tensor<2x4x8xf32>
// CHECK: hfloat.transpose %{{.*}} : (tensor<2x4x8xf32>) -> tensor<4x8x2xf32>
// CHECK: %[[SHAPE:.*]] = hfloat.constant dense<[32, 2]> : tensor<2xi64>
// CHECK: hfloat.reshape %{{.*}}, %[[SHAPE]] : (tensor<4x8x2xf32>, tensor<2xi64>) -> tensor<32x2xf32>
func.func @sizes_of_one(%x: tensor<1x4x8xf32>) -> (tensor<1x4x8xf32>, tensor<32x1xf32>) {
  %axes = hfloat.constant dense<1> : tensor<1xi64>
  %0 = hfloat.transpose %x {perm = array<i64: 1, 0, 2>} : (tensor<1x4x8xf32>) -> tensor<4x1x8xf32> loc("Transpose_0")
  %1 = hfloat.unsqueeze %0, %axes : (tensor<4x1x8xf32>, tensor<1xi64>) -> tensor<4x1x1x8xf32> loc("Unsqueeze_1")
  %2 = hfloat.squeeze %1, %axes : (tensor<4x1x1x8xf32>, tensor<1xi64>) -> tensor<4x1x8xf32> loc("Squeeze_2")
  %3 = hfloat.transpose %2 {perm = array<i64: 1, 0, 2>} : (tensor<4x1x8xf32>) -> tensor<1x4x8xf32> loc("Transpose_3")
  %4 = hfloat.transpose %3 {perm = array<i64: 1, 2, 0>} : (tensor<1x4x8xf32>) -> tensor<4x8x1xf32> loc("Transpose_4")
  %s = hfloat.constant dense<[32, 1]> : tensor<2xi64>
  %5 = hfloat.reshape %4, %s : (tensor<4x8x1xf32>, tensor<2xi64>) -> tensor<32x1xf32> loc("Reshape_5")
  return %3, %5 : tensor<1x4x8xf32>, tensor<32x1xf32>
}
