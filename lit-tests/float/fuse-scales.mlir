// Scales and shifts per channel go into the weights before them. The expected numbers are worked out in the comments.
// RUN: hb-opt %s --hfloat-fuse-scales --canonicalize | FileCheck %s
// RUN: hb-opt %s --hfloat-fuse-scales --canonicalize --mlir-print-debuginfo | FileCheck %s --check-prefix=NAMES

// scale / sqrt(variance + epsilon) = [4 / 2, 3 / 1] = [2, 3]; bias - mean * that = [1, -12].
// CHECK-LABEL: func.func @batch_normalization_after_conv
// CHECK-DAG: %[[W:.*]] = hfloat.constant dense<{{\[}}[{{\[}}[2.000000e+00]]], {{\[\[\[}}6.000000e+00]]]]> : tensor<2x1x1x1xf32>
// CHECK-DAG: %[[B:.*]] = hfloat.constant dense<[1.000000e+00, -1.200000e+01]> : tensor<2xf32>
// CHECK: hfloat.conv %arg0, %[[W]], %[[B]]
// CHECK-NOT: batch_normalization
// CHECK: return
// NAMES-DAG: #[[CONV:.*]] = loc("Conv_0")
// NAMES-DAG: #[[NORM:.*]] = loc("BatchNormalization_1")
// NAMES-DAG: loc(fused[#[[CONV]], #[[NORM]]])
func.func @batch_normalization_after_conv(%x: tensor<1x1x2x2xf32>) -> tensor<1x2x2x2xf32> {
  %w = hfloat.constant dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32>
  %scale = hfloat.constant dense<[4.0, 3.0]> : tensor<2xf32>
  %bias = hfloat.constant dense<[1.0, 0.0]> : tensor<2xf32>
  %mean = hfloat.constant dense<[0.0, 4.0]> : tensor<2xf32>
  %variance = hfloat.constant dense<[3.0, 0.0]> : tensor<2xf32>
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x2x2xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x2x2xf32> loc("Conv_0")
  %1 = hfloat.batch_normalization %0, %scale, %bias, %mean, %variance {epsilon = 1.0 : f32}
      : (tensor<1x2x2x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32> loc("BatchNormalization_1")
  return %1 : tensor<1x2x2x2xf32>
}

// 5 * (x * w + 7) + 1 = x * 5w + 36, the constants in every form that varies along channels only.
// CHECK-LABEL: func.func @mul_and_add_after_conv
// CHECK-DAG: %[[W:.*]] = hfloat.constant dense<{{.*}}1.000000e+01{{.*}}> : tensor<1x1x1x1xf32>
// CHECK-DAG: %[[B:.*]] = hfloat.constant dense<3.600000e+01> : tensor<1xf32>
// CHECK: %[[C:.*]] = hfloat.conv %arg0, %[[W]], %[[B]]
// CHECK-NEXT: return %[[C]]
func.func @mul_and_add_after_conv(%x: tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32> {
  %w = hfloat.constant dense<2.0> : tensor<1x1x1x1xf32>
  %b = hfloat.constant dense<7.0> : tensor<1xf32>
  %five = hfloat.constant dense<5.0> : tensor<f32>
  %one = hfloat.constant dense<1.0> : tensor<1x1x1xf32>
  %0 = hfloat.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x2x2xf32>, tensor<1x1x1x1xf32>, tensor<1xf32>) -> tensor<1x1x2x2xf32>
  %1 = hfloat.mul %five, %0 : (tensor<f32>, tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32>
  %2 = hfloat.add %1, %one : (tensor<1x1x2x2xf32>, tensor<1x1x1xf32>) -> tensor<1x1x2x2xf32>
  return %2 : tensor<1x1x2x2xf32>
}

// A constant that varies along width is no map of channels.
// CHECK-LABEL: func.func @mul_along_width_stays
// CHECK: hfloat.mul
func.func @mul_along_width_stays(%x: tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32> {
  %w = hfloat.constant dense<2.0> : tensor<1x1x1x1xf32>
  %c = hfloat.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x2x2xf32>, tensor<1x1x1x1xf32>) -> tensor<1x1x2x2xf32>
  %1 = hfloat.mul %0, %c : (tensor<1x1x2x2xf32>, tensor<2xf32>) -> tensor<1x1x2x2xf32>
  return %1 : tensor<1x1x2x2xf32>
}

// The convolution's own result is read too: it must keep its weights.
// CHECK-LABEL: func.func @two_readers
// CHECK: hfloat.conv %arg0, %{{[a-z0-9_]+}} {
// CHECK: hfloat.mul
func.func @two_readers(%x: tensor<1x1x2x2xf32>) -> (tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>) {
  %w = hfloat.constant dense<2.0> : tensor<1x1x1x1xf32>
  %c = hfloat.constant dense<3.0> : tensor<f32>
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x2x2xf32>, tensor<1x1x1x1xf32>) -> tensor<1x1x2x2xf32>
  %1 = hfloat.mul %0, %c : (tensor<1x1x2x2xf32>, tensor<f32>) -> tensor<1x1x2x2xf32>
  return %0, %1 : tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>
}

// Fusing across the clamp would scale after clamping.
// CHECK-LABEL: func.func @activation_between
// CHECK: hfloat.conv
// CHECK: hfloat.mul
func.func @activation_between(%x: tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32> {
  %w = hfloat.constant dense<2.0> : tensor<1x1x1x1xf32>
  %c = hfloat.constant dense<-3.0> : tensor<f32>
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, activation = #hfloat.clamp<0.0 : f64, 6.0 : f64>}
      : (tensor<1x1x2x2xf32>, tensor<1x1x1x1xf32>) -> tensor<1x1x2x2xf32>
  %1 = hfloat.mul %0, %c : (tensor<1x1x2x2xf32>, tensor<f32>) -> tensor<1x1x2x2xf32>
  return %1 : tensor<1x1x2x2xf32>
}

// CHECK-LABEL: func.func @gemm
// alpha A B' + beta C, times 2: B' becomes 2 * 2.5 * [[1, 2], [3, 4]], C becomes 2 * 3 * [1, 2]; alpha and beta go.
// CHECK-DAG: %[[W:.*]] = hfloat.constant dense<{{\[}}[5.000000e+00, 1.000000e+01], [1.500000e+01, 2.000000e+01]]> : tensor<2x2xf32>
// CHECK-DAG: %[[B:.*]] = hfloat.constant dense<[6.000000e+00, 1.200000e+01]> : tensor<2xf32>
// CHECK: %[[G:.*]] = hfloat.gemm %arg0, %[[W]], %[[B]] {transB = true}
// CHECK: return %[[G]]
func.func @gemm(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = hfloat.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %c = hfloat.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %two = hfloat.constant dense<2.0> : tensor<1xf32>
  %0 = hfloat.gemm %x, %w, %c {alpha = 2.5 : f32, beta = 3.0 : f32, transB = true} : (tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  %1 = hfloat.mul %0, %two : (tensor<1x2xf32>, tensor<1xf32>) -> tensor<1x2xf32>
  return %1 : tensor<1x2xf32>
}

// CHECK-LABEL: func.func @batch_normalization_alone
// CHECK-NOT: batch_normalization
// CHECK: hfloat.mul
// CHECK: hfloat.add
func.func @batch_normalization_alone(%x: tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32> {
  %p = hfloat.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %0 = hfloat.batch_normalization %x, %p, %p, %p, %p
      : (tensor<1x2x2x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32>
  return %0 : tensor<1x2x2x2xf32>
}

// CHECK-LABEL: func.func @matrix_product
// CHECK: hfloat.gemm
func.func @matrix_product(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %w = hfloat.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %0 = hfloat.mat_mul %x, %w : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// A bias of one value becomes one per column, as integers need it.
// CHECK-LABEL: func.func @bias_of_one_value
// CHECK: %[[B:.*]] = hfloat.constant dense<3.000000e+00> : tensor<2xf32>
// CHECK: hfloat.gemm %arg0, %{{.*}}, %[[B]] :
func.func @bias_of_one_value(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %w = hfloat.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %c = hfloat.constant dense<3.0> : tensor<f32>
  %0 = hfloat.gemm %x, %w, %c : (tensor<3x2xf32>, tensor<2x2xf32>, tensor<f32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// (1 - ((x * 8 + 4) - 3) / 2) = x * -4 + 0.5.
// CHECK-LABEL: func.func @sub_and_div_after_conv
// CHECK-DAG: %[[W:.*]] = hfloat.constant dense<{{.*}}-4.000000e+00{{.*}}> : tensor<1x1x1x1xf32>
// CHECK-DAG: %[[B:.*]] = hfloat.constant dense<5.000000e-01> : tensor<1xf32>
// CHECK: %[[C:.*]] = hfloat.conv %arg0, %[[W]], %[[B]]
// CHECK-NEXT: return %[[C]]
func.func @sub_and_div_after_conv(%x: tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32> {
  %w = hfloat.constant dense<8.0> : tensor<1x1x1x1xf32>
  %b = hfloat.constant dense<4.0> : tensor<1xf32>
  %one = hfloat.constant dense<1.0> : tensor<f32>
  %two = hfloat.constant dense<2.0> : tensor<1x1x1xf32>
  %three = hfloat.constant dense<3.0> : tensor<f32>
  %0 = hfloat.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x2x2xf32>, tensor<1x1x1x1xf32>, tensor<1xf32>) -> tensor<1x1x2x2xf32>
  %1 = hfloat.sub %0, %three : (tensor<1x1x2x2xf32>, tensor<f32>) -> tensor<1x1x2x2xf32>
  %2 = hfloat.div %1, %two : (tensor<1x1x2x2xf32>, tensor<1x1x1xf32>) -> tensor<1x1x2x2xf32>
  %3 = hfloat.sub %one, %2 : (tensor<f32>, tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32>
  return %3 : tensor<1x1x2x2xf32>
}

// CHECK-LABEL: func.func @quotients
// CHECK-DAG: %[[R:.*]] = hfloat.constant dense<[5.000000e-01, -1.250000e-01]> : tensor<2xf32>
// CHECK: hfloat.mul %arg0, %[[R]]
// A zero has no reciprocal, and integers have none.
// CHECK: hfloat.div
// CHECK: hfloat.div
func.func @quotients(%x: tensor<3x2xf32>, %i: tensor<2xi32>) -> (tensor<3x2xf32>, tensor<3x2xf32>, tensor<2xi32>) {
  %c = hfloat.constant dense<[2.0, -8.0]> : tensor<2xf32>
  %z = hfloat.constant dense<[2.0, 0.0]> : tensor<2xf32>
  %j = hfloat.constant dense<[2, 3]> : tensor<2xi32>
  %0 = hfloat.div %x, %c : (tensor<3x2xf32>, tensor<2xf32>) -> tensor<3x2xf32>
  %1 = hfloat.div %x, %z : (tensor<3x2xf32>, tensor<2xf32>) -> tensor<3x2xf32>
  %2 = hfloat.div %i, %j : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
  return %0, %1, %2 : tensor<3x2xf32>, tensor<3x2xf32>, tensor<2xi32>
}

// Two groups of one input channel each, two output channels per group: the factors are those of channels 0, 1 and 2, 3.
// CHECK-LABEL: func.func @batch_normalization_after_transposed_convolution
// CHECK-DAG: %[[W:.*]] = hfloat.constant dense<{{\[\[\[\[}}2.000000e+00]], {{\[\[}}3.000000e+00]]], {{\[\[\[}}4.000000e+00]], {{\[\[}}5.000000e+00]]]]> : tensor<2x2x1x1xf32>
// CHECK-DAG: %[[B:.*]] = hfloat.constant dense<[1.200000e+01, 1.300000e+01, 1.400000e+01, 1.500000e+01]> : tensor<4xf32>
// CHECK: hfloat.conv_transpose %arg0, %[[W]], %[[B]] {{{.*}}group = 2 : si64, output_padding = array<i64: 1, 1>{{.*}}}
// CHECK-NEXT: return
func.func @batch_normalization_after_transposed_convolution(%x: tensor<1x2x2x2xf32>) -> tensor<1x4x4x4xf32> {
  %w = hfloat.constant dense<1.0> : tensor<2x2x1x1xf32>
  %scale = hfloat.constant dense<[2.0, 3.0, 4.0, 5.0]> : tensor<4xf32>
  %bias = hfloat.constant dense<[12.0, 13.0, 14.0, 15.0]> : tensor<4xf32>
  %mean = hfloat.constant dense<0.0> : tensor<4xf32>
  %variance = hfloat.constant dense<0.0> : tensor<4xf32>
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 1, 1>, group = 2 : si64}
      : (tensor<1x2x2x2xf32>, tensor<2x2x1x1xf32>) -> tensor<1x4x4x4xf32>
  %1 = hfloat.batch_normalization %0, %scale, %bias, %mean, %variance {epsilon = 1.0 : f32}
      : (tensor<1x4x4x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x4x4xf32>
  return %1 : tensor<1x4x4x4xf32>
}

// What is the same for all channels goes into the function before it, one after the other: (2 * f(x) + 3) / 4 - 1.
// CHECK-LABEL: func.func @map_of_a_function
// CHECK: %[[Y:.*]] = hfloat.hard_swish %arg0 {result_scale = 5.000000e-01 : f32, result_shift = -2.500000e-01 : f32}
// CHECK-NEXT: return %[[Y]]
func.func @map_of_a_function(%x: tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32> {
  %two = hfloat.constant dense<2.0> : tensor<f32>
  %three = hfloat.constant dense<3.0> : tensor<1x2x1x1xf32>
  %four = hfloat.constant dense<4.0> : tensor<f32>
  %one = hfloat.constant dense<1.0> : tensor<1xf32>
  %0 = hfloat.hard_swish %x : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32> loc("Swish")
  %1 = hfloat.mul %two, %0 : (tensor<f32>, tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32> loc("Double")
  %2 = hfloat.add %1, %three : (tensor<1x2x2x2xf32>, tensor<1x2x1x1xf32>) -> tensor<1x2x2x2xf32> loc("Raise")
  %3 = hfloat.div %2, %four : (tensor<1x2x2x2xf32>, tensor<f32>) -> tensor<1x2x2x2xf32> loc("Quarter")
  %4 = hfloat.sub %3, %one : (tensor<1x2x2x2xf32>, tensor<1xf32>) -> tensor<1x2x2x2xf32> loc("Lower")
  return %4 : tensor<1x2x2x2xf32>
}

// Channels of different scales, a second reader, and a factor of 0 keep their nodes.
// CHECK-LABEL: func.func @no_map_of_a_function
// CHECK: %[[Y:.*]] = hfloat.tanh %arg0 :
// CHECK: hfloat.mul %[[Y]]
// CHECK: %[[Z:.*]] = hfloat.sigmoid %arg0 :
// CHECK: hfloat.mul %[[Z]]
// CHECK: %[[U:.*]] = hfloat.exp %arg0 :
// CHECK: hfloat.mul %[[U]]
func.func @no_map_of_a_function(%x: tensor<1x2x2x2xf32>)
    -> (tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>) {
  %channels = hfloat.constant dense<[[[2.0]], [[3.0]]]> : tensor<2x1x1xf32>
  %two = hfloat.constant dense<2.0> : tensor<f32>
  %zero = hfloat.constant dense<0.0> : tensor<f32>
  %0 = hfloat.tanh %x : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %1 = hfloat.mul %0, %channels : (tensor<1x2x2x2xf32>, tensor<2x1x1xf32>) -> tensor<1x2x2x2xf32>
  %2 = hfloat.sigmoid %x : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %3 = hfloat.mul %2, %two : (tensor<1x2x2x2xf32>, tensor<f32>) -> tensor<1x2x2x2xf32>
  %4 = hfloat.exp %x : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32>
  %5 = hfloat.mul %4, %zero : (tensor<1x2x2x2xf32>, tensor<f32>) -> tensor<1x2x2x2xf32>
  return %1, %2, %3, %5 : tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>
}

// Adding 1.5 * 2^23 to an f32 and taking it away again rounds it to an integer.
// CHECK-LABEL: func.func @shifts_that_round
// CHECK: hfloat.leaky_relu %arg0 {result_shift = 0x4B400000 : f32}
// CHECK-NEXT: hfloat.sub
// CHECK: hfloat.conv
// CHECK-NEXT: hfloat.sub
func.func @shifts_that_round(%x: tensor<1x1x2x2xf32>) -> (tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>) {
  %large = hfloat.constant dense<12582912.0> : tensor<f32>
  %w = hfloat.constant dense<0.5> : tensor<1x1x1x1xf32>
  %0 = hfloat.leaky_relu %x : (tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32>
  %1 = hfloat.add %0, %large : (tensor<1x1x2x2xf32>, tensor<f32>) -> tensor<1x1x2x2xf32>
  %2 = hfloat.sub %1, %large : (tensor<1x1x2x2xf32>, tensor<f32>) -> tensor<1x1x2x2xf32>
  %3 = hfloat.conv %x, %w {dilations = array<i64: 1, 1>, kernel_shape = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x1x2x2xf32>, tensor<1x1x1x1xf32>) -> tensor<1x1x2x2xf32>
  %4 = hfloat.add %3, %large : (tensor<1x1x2x2xf32>, tensor<f32>) -> tensor<1x1x2x2xf32>
  %5 = hfloat.sub %4, %large : (tensor<1x1x2x2xf32>, tensor<f32>) -> tensor<1x1x2x2xf32>
  return %2, %5 : tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>
}

// The same of what has a scale of its own.
// CHECK-LABEL: func.func @shifts_that_round_what_is_scaled
// CHECK: hfloat.leaky_relu %arg0 {result_scale = 1.000000e+04 : f32, result_shift = 0x4B400000 : f32}
// CHECK-NEXT: hfloat.sub
func.func @shifts_that_round_what_is_scaled(%x: tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32> {
  %scale = hfloat.constant dense<10000.0> : tensor<f32>
  %large = hfloat.constant dense<12582912.0> : tensor<f32>
  %0 = hfloat.leaky_relu %x : (tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32>
  %1 = hfloat.mul %0, %scale : (tensor<1x1x2x2xf32>, tensor<f32>) -> tensor<1x1x2x2xf32>
  %2 = hfloat.add %1, %large : (tensor<1x1x2x2xf32>, tensor<f32>) -> tensor<1x1x2x2xf32>
  %3 = hfloat.sub %2, %large : (tensor<1x1x2x2xf32>, tensor<f32>) -> tensor<1x1x2x2xf32>
  return %3 : tensor<1x1x2x2xf32>
}

// A channel without weights, whose normalization takes its bias away again, and offsets of pixels: nothing rounds, so all is fused.
// CHECK-LABEL: func.func @shifts_that_cancel
// CHECK-DAG: dense<[3.000000e+00, 0.000000e+00]>
// CHECK-DAG: dense<0.000000e+00> : tensor<2xf32>
// CHECK: hfloat.conv
// CHECK: hfloat.conv
// CHECK-NEXT: return
func.func @shifts_that_cancel(%x: tensor<1x1x2x2xf32>) -> (tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>) {
  %w = hfloat.constant dense<[[[[0.003]]], [[[0.0]]]]> : tensor<2x1x1x1xf32>
  %b = hfloat.constant dense<[1.0, 50.0]> : tensor<2xf32>
  %scale = hfloat.constant dense<[1.0, 316.0]> : tensor<2xf32>
  %offset = hfloat.constant dense<[2.0, 0.0]> : tensor<2xf32>
  %mean = hfloat.constant dense<[0.0, 50.0]> : tensor<2xf32>
  %variance = hfloat.constant dense<1.0> : tensor<2xf32>
  %0 = hfloat.conv %x, %w, %b {dilations = array<i64: 1, 1>, kernel_shape = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x1x2x2xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32>
  %1 = hfloat.batch_normalization %0, %scale, %offset, %mean, %variance {epsilon = 0.0 : f32} : (tensor<1x2x2x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32>
  %pixels = hfloat.constant dense<60.0> : tensor<2xf32>
  %sixty = hfloat.constant dense<60.0> : tensor<f32>
  %2 = hfloat.conv %x, %w, %pixels {dilations = array<i64: 1, 1>, kernel_shape = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>} : (tensor<1x1x2x2xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32>
  %3 = hfloat.sub %2, %sixty : (tensor<1x2x2x2xf32>, tensor<f32>) -> tensor<1x2x2x2xf32>
  return %1, %3 : tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>
}

// Statistics in f32 of what is not.
// CHECK-LABEL: func.func @half
// CHECK: hfloat.batch_normalization %arg0
func.func @half(%x: tensor<1x2x2xf16>) -> tensor<1x2x2xf16> {
  %s = hfloat.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %0 = hfloat.batch_normalization %x, %s, %s, %s, %s : (tensor<1x2x2xf16>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x2xf16>
  return %0 : tensor<1x2x2xf16>
}
