// Every operation of the dialect prints what it parses, as text and as bytecode.
// RUN: hb-opt %s | hb-opt | FileCheck %s
// RUN: hb-opt %s --emit-bytecode | hb-opt | FileCheck %s

// CHECK-LABEL: func.func @constants
func.func @constants(%shape: tensor<2xi64>) {
  // CHECK: hfloat.constant dense<[1, 8]> : tensor<2xi64>
  %0 = hfloat.constant dense<[1, 8]> : tensor<2xi64>
  // CHECK: hfloat.constant dense_resource<weights> : tensor<2xf32>
  %1 = hfloat.constant dense_resource<weights> : tensor<2xf32>
  // CHECK: hfloat.constant dense<true> : tensor<i1>
  %2 = hfloat.constant dense<true> : tensor<i1>
  // CHECK: hfloat.constant_of_shape %{{.*}} {value = dense<7> : tensor<1xi64>} : (tensor<2xi64>) -> tensor<1x8xi64>
  %3 = hfloat.constant_of_shape %0 {value = dense<7> : tensor<1xi64>} : (tensor<2xi64>) -> tensor<1x8xi64>
  // CHECK: hfloat.constant_of_shape %{{.*}} {value = dense<0.000000e+00> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x?xf32>
  %4 = hfloat.constant_of_shape %shape {value = dense<0.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x?xf32>
  return
}

// CHECK-LABEL: func.func @shapes
func.func @shapes(%x: tensor<2x3x4x5xf32>, %axes: tensor<1xi64>, %any: tensor<*xf32>) {
  // CHECK: hfloat.shape %{{.*}} : (tensor<2x3x4x5xf32>) -> tensor<4xi64>
  %0 = hfloat.shape %x : (tensor<2x3x4x5xf32>) -> tensor<4xi64>
  // CHECK: hfloat.shape %{{.*}} {end = -1 : si64, start = 1 : si64} : (tensor<2x3x4x5xf32>) -> tensor<2xi64>
  %1 = hfloat.shape %x {start = 1 : si64, end = -1 : si64} : (tensor<2x3x4x5xf32>) -> tensor<2xi64>
  // CHECK: hfloat.identity %{{.*}} : (tensor<*xf32>) -> tensor<*xf32>
  %2 = hfloat.identity %any : (tensor<*xf32>) -> tensor<*xf32>
  // CHECK: hfloat.cast %{{.*}} : (tensor<4xi64>) -> tensor<4xf16>
  %3 = hfloat.cast %0 : (tensor<4xi64>) -> tensor<4xf16>
  // CHECK: hfloat.flatten %{{.*}} {axis = 2 : si64} : (tensor<2x3x4x5xf32>) -> tensor<6x20xf32>
  %4 = hfloat.flatten %x {axis = 2 : si64} : (tensor<2x3x4x5xf32>) -> tensor<6x20xf32>
  // CHECK: hfloat.reshape %{{.*}}, %{{.*}} : (tensor<2x3x4x5xf32>, tensor<1xi64>) -> tensor<120xf32>
  %5 = hfloat.reshape %x, %axes : (tensor<2x3x4x5xf32>, tensor<1xi64>) -> tensor<120xf32>
  // CHECK: hfloat.reshape %{{.*}}, %{{.*}} {allowzero = true} : (tensor<2x3x4x5xf32>, tensor<1xi64>) -> tensor<?xf32>
  %6 = hfloat.reshape %x, %axes {allowzero = true} : (tensor<2x3x4x5xf32>, tensor<1xi64>) -> tensor<?xf32>
  // CHECK: hfloat.unsqueeze %{{.*}}, %{{.*}} : (tensor<4xi64>, tensor<1xi64>) -> tensor<1x4xi64>
  %7 = hfloat.unsqueeze %0, %axes : (tensor<4xi64>, tensor<1xi64>) -> tensor<1x4xi64>
  // CHECK: hfloat.transpose %{{.*}} {perm = array<i64: 0, 2, 3, 1>} : (tensor<2x3x4x5xf32>) -> tensor<2x4x5x3xf32>
  %8 = hfloat.transpose %x {perm = array<i64: 0, 2, 3, 1>} : (tensor<2x3x4x5xf32>) -> tensor<2x4x5x3xf32>
  return
}

// CHECK-LABEL: func.func @layout
func.func @layout(%x: tensor<2x3xf32>, %pads: tensor<4xi64>, %index: tensor<2xi64>, %index32: tensor<2xi32>, %value: tensor<f32>) {
  // CHECK: hfloat.concat %{{.*}}, %{{.*}}, %{{.*}} {axis = -1 : si64} : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x9xf32>
  %0 = hfloat.concat %x, %x, %x {axis = -1 : si64} : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x9xf32>
  // CHECK: hfloat.slice %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<?x?xf32>
  %1 = hfloat.slice %x, %index, %index, %index, %index : (tensor<2x3xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<?x?xf32>
  // CHECK: hfloat.pad %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<4xi64>, tensor<f32>, tensor<2xi64>) -> tensor<?x?xf32>
  %2 = hfloat.pad %x, %pads, %value, %index : (tensor<2x3xf32>, tensor<4xi64>, tensor<f32>, tensor<2xi64>) -> tensor<?x?xf32>
  // CHECK: hfloat.pad %{{.*}} {mode = #hfloat.pad_mode<reflect>} :
  %3 = hfloat.pad %x, %pads, %value, %index {mode = #hfloat.pad_mode<reflect>} : (tensor<2x3xf32>, tensor<4xi64>, tensor<f32>, tensor<2xi64>) -> tensor<?x?xf32>
  // CHECK: hfloat.pad %{{.*}} {mode = #hfloat.pad_mode<edge>} :
  %4 = hfloat.pad %x, %pads, %value, %index {mode = #hfloat.pad_mode<edge>} : (tensor<2x3xf32>, tensor<4xi64>, tensor<f32>, tensor<2xi64>) -> tensor<?x?xf32>
  // CHECK: hfloat.pad %{{.*}} {mode = #hfloat.pad_mode<wrap>} :
  %5 = hfloat.pad %x, %pads, %value, %index {mode = #hfloat.pad_mode<wrap>} : (tensor<2x3xf32>, tensor<4xi64>, tensor<f32>, tensor<2xi64>) -> tensor<?x?xf32>
  // CHECK: hfloat.gather %{{.*}}, %{{.*}} {axis = 1 : si64} : (tensor<2x3xf32>, tensor<2xi32>) -> tensor<2x2xf32>
  %6 = hfloat.gather %x, %index32 {axis = 1 : si64} : (tensor<2x3xf32>, tensor<2xi32>) -> tensor<2x2xf32>
  return
}

// CHECK-LABEL: func.func @products
func.func @products(%x: tensor<1x4x8x8xf32>, %w: tensor<6x2x3x3xf32>, %b: tensor<6xf32>, %m: tensor<3x4xf32>, %n: tensor<4x5xf32>, %c: tensor<5xf32>) {
  // CHECK: hfloat.conv %{{.*}}, %{{.*}}, %{{.*}} {dilations = array<i64: 1, 1>, group = 2 : si64, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<6x2x3x3xf32>, tensor<6xf32>) -> tensor<1x6x8x8xf32>
  %0 = hfloat.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 2 : si64} : (tensor<1x4x8x8xf32>, tensor<6x2x3x3xf32>, tensor<6xf32>) -> tensor<1x6x8x8xf32>
  // CHECK: hfloat.conv %{{.*}}, %{{.*}} {activation = #hfloat.clamp<0.000000e+00 : f64, 6.000000e+00 : f64>, auto_pad = #hfloat.auto_pad<SAME_UPPER>, {{.*}}} : (tensor<1x4x8x8xf32>, tensor<6x2x3x3xf32>) -> tensor<1x6x8x8xf32>
  %1 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : si64, auto_pad = #hfloat.auto_pad<SAME_UPPER>, activation = #hfloat.clamp<0.0 : f64, 6.0 : f64>} : (tensor<1x4x8x8xf32>, tensor<6x2x3x3xf32>) -> tensor<1x6x8x8xf32>
  // CHECK: hfloat.gemm %{{.*}}, %{{.*}}, %{{.*}} {alpha = 5.000000e-01 : f32, beta = 2.000000e+00 : f32} : (tensor<3x4xf32>, tensor<4x5xf32>, tensor<5xf32>) -> tensor<3x5xf32>
  %2 = hfloat.gemm %m, %n, %c {alpha = 0.5 : f32, beta = 2.0 : f32} : (tensor<3x4xf32>, tensor<4x5xf32>, tensor<5xf32>) -> tensor<3x5xf32>
  // CHECK: hfloat.gemm %{{.*}}, %{{.*}} {transA = true, transB = true} : (tensor<4x5xf32>, tensor<3x4xf32>) -> tensor<5x3xf32>
  %3 = hfloat.gemm %n, %m {transA = true, transB = true} : (tensor<4x5xf32>, tensor<3x4xf32>) -> tensor<5x3xf32>
  // CHECK: hfloat.mat_mul %{{.*}}, %{{.*}} : (tensor<3x4xf32>, tensor<4x5xf32>) -> tensor<3x5xf32>
  %4 = hfloat.mat_mul %m, %n : (tensor<3x4xf32>, tensor<4x5xf32>) -> tensor<3x5xf32>
  return
}

// CHECK-LABEL: func.func @normalization
func.func @normalization(%x: tensor<1x4x8x8xf32>, %p: tensor<4xf32>) {
  // CHECK: hfloat.batch_normalization %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {epsilon = 1.000000e-03 : f32} : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  %0 = hfloat.batch_normalization %x, %p, %p, %p, %p {epsilon = 1.0e-3 : f32} : (tensor<1x4x8x8xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<1x4x8x8xf32>
  // CHECK: hfloat.softmax %{{.*}} {axis = 1 : si64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  %1 = hfloat.softmax %x {axis = 1 : si64} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32>
  return
}

// CHECK-LABEL: func.func @elementwise
func.func @elementwise(%x: tensor<2x3xf32>, %y: tensor<3xf32>, %i: tensor<2xi32>) {
  // CHECK: hfloat.hard_swish %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %hard_swish = hfloat.hard_swish %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.relu %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %0 = hfloat.relu %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.add %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  %1 = hfloat.add %x, %y : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.add %{{.*}}, %{{.*}} {activation = #hfloat.clamp<0.000000e+00 : f64, 0x7FF0000000000000 : f64>} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  %2 = hfloat.add %x, %y {activation = #hfloat.clamp<0.0 : f64, 0x7FF0000000000000 : f64>} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.mul %{{.*}}, %{{.*}} : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
  %3 = hfloat.mul %i, %i : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
  return
}

// CHECK-LABEL: func.func @functions
func.func @functions(%x: tensor<2x3xf32>, %h: tensor<2x3xf16>, %i: tensor<2x3xi32>, %a: tensor<f32>, %b: tensor<1xi32>) {
  // CHECK: hfloat.exp %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %0 = hfloat.exp %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.hard_sigmoid %{{.*}} {alpha = 5.000000e-01 : f32, beta = 0.000000e+00 : f32} : (tensor<2x3xf16>) -> tensor<2x3xf16>
  %1 = hfloat.hard_sigmoid %h {alpha = 0.5 : f32, beta = 0.0 : f32} : (tensor<2x3xf16>) -> tensor<2x3xf16>
  // CHECK: hfloat.sigmoid %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = hfloat.sigmoid %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.clip %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<f32>, tensor<f32>) -> tensor<2x3xf32>
  %3 = hfloat.clip %x, %a, %a : (tensor<2x3xf32>, tensor<f32>, tensor<f32>) -> tensor<2x3xf32>
  // CHECK: hfloat.clip %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x3xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<2x3xi32>
  %4 = hfloat.clip %i, %b, %b : (tensor<2x3xi32>, tensor<1xi32>, tensor<1xi32>) -> tensor<2x3xi32>
  // CHECK: hfloat.sub %{{.*}}, %{{.*}} {activation = #hfloat.clamp<0.000000e+00 : f64, 6.000000e+00 : f64>} : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %5 = hfloat.sub %x, %a {activation = #hfloat.clamp<0.0 : f64, 6.0 : f64>} : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  // CHECK: hfloat.div %{{.*}}, %{{.*}} : (tensor<2x3xi32>, tensor<1xi32>) -> tensor<2x3xi32>
  %6 = hfloat.div %i, %b : (tensor<2x3xi32>, tensor<1xi32>) -> tensor<2x3xi32>
  return
}

// CHECK-LABEL: func.func @pools
func.func @pools(%x: tensor<1x4x8x8xf32>) {
  // CHECK: hfloat.max_pool %{{.*}} {dilations = array<i64: 1, 1>, kernel_shape = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  %0 = hfloat.max_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  // CHECK: hfloat.average_pool %{{.*}} {ceil_mode = true, count_include_pad = true, dilations = array<i64: 1, 1>, kernel_shape = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x5x5xf32>
  %1 = hfloat.average_pool %x {kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, ceil_mode = true, count_include_pad = true} : (tensor<1x4x8x8xf32>) -> tensor<1x4x5x5xf32>
  // CHECK: hfloat.average_pool %{{.*}} {auto_pad = #hfloat.auto_pad<SAME_LOWER>, {{.*}}} : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  %2 = hfloat.average_pool %x {kernel_shape = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, auto_pad = #hfloat.auto_pad<SAME_LOWER>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xf32>
  // CHECK: hfloat.global_average_pool %{{.*}} : (tensor<1x4x8x8xf32>) -> tensor<1x4x1x1xf32>
  %3 = hfloat.global_average_pool %x : (tensor<1x4x8x8xf32>) -> tensor<1x4x1x1xf32>
  return
}

{-#
  dialect_resources: {
    builtin: {
      weights: "0x040000000000803F00000040"
    }
  }
#-}
