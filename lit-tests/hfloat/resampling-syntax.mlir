// Transposed convolution, resizing, regrouping and normalization print what they parse, as text and as bytecode.
// RUN: hb-opt %s | hb-opt | FileCheck %s
// RUN: hb-opt %s --emit-bytecode | hb-opt | FileCheck %s

// CHECK-LABEL: func.func @transposed
func.func @transposed(%x: tensor<1x4x3x5xf32>, %w: tensor<4x3x2x2xf32>, %b: tensor<6xf32>, %y: tensor<1x4x?x5xf32>) {
  // (3 - 1) * 2 + 2 = 6, and one more cell of output_padding; (5 - 1) * 2 + 2 = 10, less two pads.
  // CHECK: hfloat.conv_transpose %{{.*}}, %{{.*}}, %{{.*}} {dilations = array<i64: 1, 1>, group = 2 : si64, output_padding = array<i64: 1, 0>, pads = array<i64: 0, 1, 0, 1>, strides = array<i64: 2, 2>} : (tensor<1x4x3x5xf32>, tensor<4x3x2x2xf32>, tensor<6xf32>) -> tensor<1x6x7x8xf32>
  %0 = hfloat.conv_transpose %x, %w, %b {strides = array<i64: 2, 2>, pads = array<i64: 0, 1, 0, 1>, dilations = array<i64: 1, 1>, output_padding = array<i64: 1, 0>, group = 2 : si64} : (tensor<1x4x3x5xf32>, tensor<4x3x2x2xf32>, tensor<6xf32>) -> tensor<1x6x7x8xf32>
  // CHECK: hfloat.conv_transpose %{{.*}}, %{{.*}} {auto_pad = #hfloat.auto_pad<SAME_UPPER>, {{.*}}} : (tensor<1x4x?x5xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x?x10xf32>
  %1 = hfloat.conv_transpose %y, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>, auto_pad = #hfloat.auto_pad<SAME_UPPER>} : (tensor<1x4x?x5xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x?x10xf32>
  // CHECK: hfloat.conv_transpose %{{.*}}, %{{.*}} {{{.*}}output_shape = array<i64: 5, 9>{{.*}}} : (tensor<1x4x3x5xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x5x9xf32>
  %2 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>, output_shape = array<i64: 5, 9>} : (tensor<1x4x3x5xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x5x9xf32>
  return
}

// CHECK-LABEL: func.func @resized
func.func @resized(%x: tensor<1x4x6x5xf32>, %any: tensor<2xf32>) {
  %none = hfloat.constant dense<> : tensor<0xf32>
  %scales = hfloat.constant dense<[2.0, 0.5]> : tensor<2xf32>
  %sizes = hfloat.constant dense<[3, 10]> : tensor<2xi64>
  // 6 * 0.5 = 3 and 5 * 2 = 10: the scales are those of width and height.
  // CHECK: hfloat.resize %{{.*}}, %{{.*}}, %{{.*}} {axes = array<i64: -1, 2>, mode = "linear"} : (tensor<1x4x6x5xf32>, tensor<0xf32>, tensor<2xf32>) -> tensor<1x4x3x10xf32>
  %0 = hfloat.resize %x, %none, %scales {axes = array<i64: -1, 2>, mode = "linear"} : (tensor<1x4x6x5xf32>, tensor<0xf32>, tensor<2xf32>) -> tensor<1x4x3x10xf32>
  // CHECK: hfloat.resize %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {axes = array<i64: 2, 3>, coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"} : (tensor<1x4x6x5xf32>, tensor<0xf32>, tensor<0xf32>, tensor<2xi64>) -> tensor<1x4x3x10xf32>
  %1 = hfloat.resize %x, %none, %none, %sizes {axes = array<i64: 2, 3>, coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"} : (tensor<1x4x6x5xf32>, tensor<0xf32>, tensor<0xf32>, tensor<2xi64>) -> tensor<1x4x3x10xf32>
  // The smaller ratio, 3 / 6, holds for both: 5 * 0.5 rounds to 3.
  // CHECK: hfloat.resize %{{.*}} {axes = array<i64: 2, 3>, keep_aspect_ratio_policy = "not_larger"} : {{.*}} -> tensor<1x4x3x3xf32>
  %2 = hfloat.resize %x, %none, %none, %sizes {axes = array<i64: 2, 3>, keep_aspect_ratio_policy = "not_larger"} : (tensor<1x4x6x5xf32>, tensor<0xf32>, tensor<0xf32>, tensor<2xi64>) -> tensor<1x4x3x3xf32>
  // CHECK: hfloat.resize %{{.*}} {axes = array<i64: 2, 3>} : {{.*}} -> tensor<1x4x?x?xf32>
  %3 = hfloat.resize %x, %none, %any {axes = array<i64: 2, 3>} : (tensor<1x4x6x5xf32>, tensor<0xf32>, tensor<2xf32>) -> tensor<1x4x?x?xf32>
  return
}

// CHECK-LABEL: func.func @regrouped
func.func @regrouped(%x: tensor<1x8x3x1xf32>, %any: tensor<2xi64>) {
  %parts = hfloat.constant dense<[1, 7]> : tensor<2xi64>
  %axes = hfloat.constant dense<[-1, 0]> : tensor<2xi64>
  %shape = hfloat.constant dense<[2, 1, 1, 1, 5]> : tensor<5xi64>
  %repeats = hfloat.constant dense<[1, 1, 2, 3]> : tensor<4xi64>
  // CHECK: %{{.*}}:2 = hfloat.split %{{.*}}, %{{.*}} {axis = 1 : si64} : (tensor<1x8x3x1xf32>, tensor<2xi64>) -> (tensor<1x1x3x1xf32>, tensor<1x7x3x1xf32>)
  %0:2 = hfloat.split %x, %parts {axis = 1 : si64} : (tensor<1x8x3x1xf32>, tensor<2xi64>) -> (tensor<1x1x3x1xf32>, tensor<1x7x3x1xf32>)
  // CHECK: %{{.*}}:2 = hfloat.split %{{.*}} {axis = 2 : si64} : (tensor<1x8x3x1xf32>) -> (tensor<1x8x2x1xf32>, tensor<1x8x1x1xf32>)
  %1:2 = hfloat.split %x {axis = 2 : si64} : (tensor<1x8x3x1xf32>) -> (tensor<1x8x2x1xf32>, tensor<1x8x1x1xf32>)
  // CHECK: hfloat.squeeze %{{.*}}, %{{.*}} : (tensor<1x8x3x1xf32>, tensor<2xi64>) -> tensor<8x3xf32>
  %2 = hfloat.squeeze %x, %axes : (tensor<1x8x3x1xf32>, tensor<2xi64>) -> tensor<8x3xf32>
  // CHECK: hfloat.squeeze %{{.*}} : (tensor<1x8x3x1xf32>) -> tensor<8x3xf32>
  %3 = hfloat.squeeze %x : (tensor<1x8x3x1xf32>) -> tensor<8x3xf32>
  // CHECK: hfloat.squeeze %{{.*}}, %{{.*}} : (tensor<1x8x3x1xf32>, tensor<2xi64>) -> tensor<*xf32>
  %4 = hfloat.squeeze %x, %any : (tensor<1x8x3x1xf32>, tensor<2xi64>) -> tensor<*xf32>
  // CHECK: hfloat.expand %{{.*}}, %{{.*}} : (tensor<1x8x3x1xf32>, tensor<5xi64>) -> tensor<2x1x8x3x5xf32>
  %5 = hfloat.expand %x, %shape : (tensor<1x8x3x1xf32>, tensor<5xi64>) -> tensor<2x1x8x3x5xf32>
  // CHECK: hfloat.tile %{{.*}}, %{{.*}} : (tensor<1x8x3x1xf32>, tensor<4xi64>) -> tensor<1x8x6x3xf32>
  %6 = hfloat.tile %x, %repeats : (tensor<1x8x3x1xf32>, tensor<4xi64>) -> tensor<1x8x6x3xf32>
  // CHECK: hfloat.depth_to_space %{{.*}} {blocksize = 2 : si64, mode = "CRD"} : (tensor<1x8x3x1xf32>) -> tensor<1x2x6x2xf32>
  %7 = hfloat.depth_to_space %x {blocksize = 2 : si64, mode = "CRD"} : (tensor<1x8x3x1xf32>) -> tensor<1x2x6x2xf32>
  // CHECK: hfloat.space_to_depth %{{.*}} {blocksize = 2 : si64} : (tensor<1x2x6x2xf32>) -> tensor<1x8x3x1xf32>
  %8 = hfloat.space_to_depth %7 {blocksize = 2 : si64} : (tensor<1x2x6x2xf32>) -> tensor<1x8x3x1xf32>
  return
}

// CHECK-LABEL: func.func @normalized
func.func @normalized(%x: tensor<1x4x3x5xf32>, %p: tensor<4xf32>, %q: tensor<5xf32>) {
  // CHECK: hfloat.instance_normalization %{{.*}}, %{{.*}}, %{{.*}} {epsilon = 1.000000e-03 : f32} : (tensor<1x4x3x5xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x3x5xf32>
  %0 = hfloat.instance_normalization %x, %p, %p {epsilon = 1.0e-3 : f32} : (tensor<1x4x3x5xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x3x5xf32>
  // CHECK: hfloat.group_normalization %{{.*}}, %{{.*}}, %{{.*}} {num_groups = 2 : si64} : (tensor<1x4x3x5xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x3x5xf32>
  %1 = hfloat.group_normalization %x, %p, %p {num_groups = 2 : si64} : (tensor<1x4x3x5xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x3x5xf32>
  // CHECK: hfloat.layer_normalization %{{.*}}, %{{.*}} {axis = -2 : si64} : (tensor<1x4x3x5xf32>, tensor<5xf32>) -> tensor<1x4x3x5xf32>
  %2 = hfloat.layer_normalization %x, %q {axis = -2 : si64} : (tensor<1x4x3x5xf32>, tensor<5xf32>) -> tensor<1x4x3x5xf32>
  // CHECK: hfloat.lrn %{{.*}} {alpha = 1.000000e+00 : f32, size = 5 : si64} : (tensor<1x4x3x5xf32>) -> tensor<1x4x3x5xf32>
  %3 = hfloat.lrn %x {size = 5 : si64, alpha = 1.0 : f32} : (tensor<1x4x3x5xf32>) -> tensor<1x4x3x5xf32>
  return
}
