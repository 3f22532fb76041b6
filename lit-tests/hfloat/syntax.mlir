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

// CHECK-LABEL: func.func @more_functions
func.func @more_functions(%x: tensor<2x3xf32>, %y: tensor<3xf32>, %i: tensor<2xi32>, %axes: tensor<1xi64>) {
  // CHECK: hfloat.abs %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %0 = hfloat.abs %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.acos %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = hfloat.acos %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.acosh %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = hfloat.acosh %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.asin %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = hfloat.asin %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.asinh %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %4 = hfloat.asinh %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.atan %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %5 = hfloat.atan %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.atanh %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %6 = hfloat.atanh %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.ceil %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %7 = hfloat.ceil %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.celu %{{.*}} {alpha = 2.500000e-01 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %8 = hfloat.celu %x {alpha = 0.25 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.cos %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %9 = hfloat.cos %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.cosh %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %10 = hfloat.cosh %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.elu %{{.*}} {alpha = 2.500000e-01 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %11 = hfloat.elu %x {alpha = 0.25 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.erf %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %12 = hfloat.erf %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.floor %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %13 = hfloat.floor %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.gelu %{{.*}} {approximate = "tanh"} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %14 = hfloat.gelu %x {approximate = "tanh"} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.leaky_relu %{{.*}} {alpha = 2.500000e-01 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %15 = hfloat.leaky_relu %x {alpha = 0.25 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.log %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %16 = hfloat.log %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.mish %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %17 = hfloat.mish %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.neg %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %18 = hfloat.neg %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.reciprocal %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %19 = hfloat.reciprocal %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.round %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %20 = hfloat.round %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.selu %{{.*}} {gamma = 2.500000e-01 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %21 = hfloat.selu %x {gamma = 0.25 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.shrink %{{.*}} {lambd = 2.500000e-01 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %22 = hfloat.shrink %x {lambd = 0.25 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.sign %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %23 = hfloat.sign %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.sin %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %24 = hfloat.sin %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.sinh %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %25 = hfloat.sinh %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.softplus %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %26 = hfloat.softplus %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.softsign %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %27 = hfloat.softsign %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.sqrt %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %28 = hfloat.sqrt %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.tan %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %29 = hfloat.tan %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.tanh %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %30 = hfloat.tanh %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.thresholded_relu %{{.*}} {alpha = 2.500000e-01 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %31 = hfloat.thresholded_relu %x {alpha = 0.25 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.max %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  %max = hfloat.max %x, %y : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.min %{{.*}}, %{{.*}} : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
  %min = hfloat.min %i, %i : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
  // CHECK: hfloat.pow %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<2x3xf32>
  %pow = hfloat.pow %x, %axes : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<2x3xf32>
  // CHECK: hfloat.cum_sum %{{.*}}, %{{.*}} {exclusive = true} : (tensor<2x3xf32>, tensor<i64>) -> tensor<2x3xf32>
  %cum_sum_axis = hfloat.constant dense<1> : tensor<i64>
  %cum_sum = hfloat.cum_sum %x, %cum_sum_axis {exclusive = true} : (tensor<2x3xf32>, tensor<i64>) -> tensor<2x3xf32>
  // CHECK: hfloat.p_relu %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  %p_relu = hfloat.p_relu %x, %y : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return
}

// CHECK-LABEL: func.func @logic
func.func @logic(%x: tensor<2x3xf32>, %y: tensor<3xf32>, %n: tensor<i64>) {
  // CHECK: hfloat.equal %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xi1>
  %equal = hfloat.equal %x, %y : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xi1>
  // CHECK: hfloat.greater %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xi1>
  %greater = hfloat.greater %x, %y : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xi1>
  // CHECK: hfloat.greater_or_equal %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xi1>
  %greater_or_equal = hfloat.greater_or_equal %x, %y : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xi1>
  // CHECK: hfloat.less %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xi1>
  %less = hfloat.less %x, %y : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xi1>
  // CHECK: hfloat.less_or_equal %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xi1>
  %less_or_equal = hfloat.less_or_equal %x, %y : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xi1>
  // CHECK: hfloat.and %{{.*}}, %{{.*}} : (tensor<2x3xi1>, tensor<2x3xi1>) -> tensor<2x3xi1>
  %and = hfloat.and %equal, %less : (tensor<2x3xi1>, tensor<2x3xi1>) -> tensor<2x3xi1>
  // CHECK: hfloat.or %{{.*}}, %{{.*}} : (tensor<2x3xi1>, tensor<2x3xi1>) -> tensor<2x3xi1>
  %or = hfloat.or %equal, %less : (tensor<2x3xi1>, tensor<2x3xi1>) -> tensor<2x3xi1>
  // CHECK: hfloat.xor %{{.*}}, %{{.*}} : (tensor<2x3xi1>, tensor<2x3xi1>) -> tensor<2x3xi1>
  %xor = hfloat.xor %equal, %less : (tensor<2x3xi1>, tensor<2x3xi1>) -> tensor<2x3xi1>
  // CHECK: hfloat.not %{{.*}} : (tensor<2x3xi1>) -> tensor<2x3xi1>
  %not = hfloat.not %and : (tensor<2x3xi1>) -> tensor<2x3xi1>
  // CHECK: hfloat.where %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x3xi1>, tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  %where = hfloat.where %not, %x, %y : (tensor<2x3xi1>, tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.range %{{.*}}, %{{.*}}, %{{.*}} : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  %range = hfloat.range %n, %n, %n : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  return
}

// CHECK-LABEL: func.func @reductions
func.func @reductions(%x: tensor<2x3xf32>, %axes: tensor<1xi64>) {
  // CHECK: hfloat.reduce_l1 %{{.*}}, %{{.*}} {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  %l1 = hfloat.reduce_l1 %x, %axes {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  // CHECK: hfloat.reduce_l2 %{{.*}}, %{{.*}} {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  %l2 = hfloat.reduce_l2 %x, %axes {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  // CHECK: hfloat.reduce_log_sum %{{.*}}, %{{.*}} {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  %log_sum = hfloat.reduce_log_sum %x, %axes {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  // CHECK: hfloat.reduce_log_sum_exp %{{.*}}, %{{.*}} {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  %log_sum_exp = hfloat.reduce_log_sum_exp %x, %axes {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  // CHECK: hfloat.reduce_max %{{.*}}, %{{.*}} {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  %max = hfloat.reduce_max %x, %axes {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  // CHECK: hfloat.reduce_mean %{{.*}}, %{{.*}} {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  %mean = hfloat.reduce_mean %x, %axes {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  // CHECK: hfloat.reduce_min %{{.*}}, %{{.*}} {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  %min = hfloat.reduce_min %x, %axes {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  // CHECK: hfloat.reduce_prod %{{.*}}, %{{.*}} {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  %prod = hfloat.reduce_prod %x, %axes {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  // CHECK: hfloat.reduce_sum %{{.*}}, %{{.*}} {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  %sum = hfloat.reduce_sum %x, %axes {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  // CHECK: hfloat.reduce_sum_square %{{.*}}, %{{.*}} {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  %sum_square = hfloat.reduce_sum_square %x, %axes {keepdims = false} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  %none = hfloat.constant dense<> : tensor<0xi64>
  // CHECK: hfloat.reduce_sum %{{.*}}, %{{.*}} {noop_with_empty_axes = true} : (tensor<2x3xf32>, tensor<0xi64>) -> tensor<2x3xf32>
  %noop = hfloat.reduce_sum %x, %none {noop_with_empty_axes = true} : (tensor<2x3xf32>, tensor<0xi64>) -> tensor<2x3xf32>
  // CHECK: hfloat.arg_max %{{.*}} {axis = 1 : si64, keepdims = false, select_last_index = true} : (tensor<2x3xf32>) -> tensor<2xi64>
  %arg_max = hfloat.arg_max %x {axis = 1 : si64, keepdims = false, select_last_index = true} : (tensor<2x3xf32>) -> tensor<2xi64>
  // CHECK: hfloat.arg_min %{{.*}} : (tensor<2x3xf32>) -> tensor<1x3xi64>
  %arg_min = hfloat.arg_min %x : (tensor<2x3xf32>) -> tensor<1x3xi64>
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
  // CHECK: hfloat.max_pool_indices %{{.*}} {dilations = array<i64: 1, 1>, kernel_shape = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, storage_order = true, strides = array<i64: 2, 2>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xi64>
  %places = hfloat.max_pool_indices %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, storage_order = true} : (tensor<1x4x8x8xf32>) -> tensor<1x4x4x4xi64>
  // CHECK: hfloat.global_max_pool %{{.*}} : (tensor<1x4x8x8xf32>) -> tensor<1x4x1x1xf32>
  %global_max = hfloat.global_max_pool %x : (tensor<1x4x8x8xf32>) -> tensor<1x4x1x1xf32>
  // CHECK: hfloat.global_average_pool %{{.*}} : (tensor<1x4x8x8xf32>) -> tensor<1x4x1x1xf32>
  %3 = hfloat.global_average_pool %x : (tensor<1x4x8x8xf32>) -> tensor<1x4x1x1xf32>
  return
}

// CHECK-LABEL: func.func @select
func.func @select(%x: tensor<2x5xf32>, %k: tensor<1xi64>, %boxes: tensor<1x6x4xf32>, %scores: tensor<1x2x6xf32>,
                  %image: tensor<1x2x8x8xf32>, %rois: tensor<3x5xf32>) {
  // CHECK: hfloat.max_roi_pool %{{.*}}, %{{.*}} {pooled_shape = array<i64: 2, 3>, spatial_scale = 5.000000e-01 : f32} : (tensor<1x2x8x8xf32>, tensor<3x5xf32>) -> tensor<3x2x2x3xf32>
  %r = hfloat.max_roi_pool %image, %rois {pooled_shape = array<i64: 2, 3>, spatial_scale = 0.5 : f32} : (tensor<1x2x8x8xf32>, tensor<3x5xf32>) -> tensor<3x2x2x3xf32>
  %two = hfloat.constant dense<2> : tensor<1xi64>
  %overlap = hfloat.constant dense<0.5> : tensor<1xf32>
  %none = hfloat.constant dense<> : tensor<0xf32>
  // CHECK: hfloat.top_k %{{.*}}, %{{.*}} {axis = 0 : si64, largest = false, sorted = false} : (tensor<2x5xf32>, tensor<1xi64>) -> (tensor<2x5xf32>, tensor<2x5xi64>)
  %v, %i = hfloat.top_k %x, %two {axis = 0 : si64, largest = false, sorted = false} : (tensor<2x5xf32>, tensor<1xi64>) -> (tensor<2x5xf32>, tensor<2x5xi64>)
  // CHECK: hfloat.top_k {{.*}} -> (tensor<2x?xf32, #hfloat.bounds<2, 5>>, tensor<2x?xi64, #hfloat.bounds<2, 5>>)
  %w, %j = hfloat.top_k %x, %k : (tensor<2x5xf32>, tensor<1xi64>) -> (tensor<2x?xf32, #hfloat.bounds<2, 5>>, tensor<2x?xi64, #hfloat.bounds<2, 5>>)
  // CHECK: hfloat.non_zero %{{.*}} : (tensor<2x5xf32>) -> tensor<2x?xi64, #hfloat.bounds<2, 10>>
  %z = hfloat.non_zero %x : (tensor<2x5xf32>) -> tensor<2x?xi64, #hfloat.bounds<2, 10>>
  // CHECK: hfloat.non_max_suppression {{.*}} {center_point_box = true} : {{.*}} -> tensor<?x3xi64, #hfloat.bounds<4, 3>>
  %n = hfloat.non_max_suppression %boxes, %scores, %two, %overlap, %none {center_point_box = true} : (tensor<1x6x4xf32>, tensor<1x2x6xf32>, tensor<1xi64>, tensor<1xf32>, tensor<0xf32>) -> tensor<?x3xi64, #hfloat.bounds<4, 3>>
  return
}

// CHECK-LABEL: func.func @recurrent
func.func @recurrent(%x: tensor<3x1x2xf32>, %w: tensor<1x8x2xf32>, %r: tensor<1x8x2xf32>) {
  %none = hfloat.constant dense<> : tensor<0xf32>
  %length = hfloat.constant dense<> : tensor<0xi32>
  // CHECK: hfloat.lstm {{.*}} {activation_alpha = array<f64: 5.000000e-01>, activations = ["Elu", "Tanh", "Relu"], clip = 1.000000e+00 : f32, direction = "reverse", hidden_size = 2 : si64, input_forget = true} : {{.*}} -> (tensor<3x1x1x2xf32>, tensor<1x1x2xf32>, tensor<1x1x2xf32>)
  %y:3 = hfloat.lstm %x, %w, %r, %none, %length, %none, %none, %none {direction = "reverse", hidden_size = 2 : si64, activations = ["Elu", "Tanh", "Relu"], activation_alpha = array<f64: 0.5>, clip = 1.0 : f32, input_forget = true}
    : (tensor<3x1x2xf32>, tensor<1x8x2xf32>, tensor<1x8x2xf32>, tensor<0xf32>, tensor<0xi32>, tensor<0xf32>, tensor<0xf32>, tensor<0xf32>) -> (tensor<3x1x1x2xf32>, tensor<1x1x2xf32>, tensor<1x1x2xf32>)
  return
}

// CHECK-LABEL: func.func @control
func.func @control(%c: tensor<i1>, %m: tensor<i64>, %x: tensor<2xf32>) {
  // CHECK: hfloat.if %{{.*}} captures(%{{.*}}) {
  // CHECK-NEXT: ^bb0(%{{.*}}: tensor<2xf32>):
  // CHECK: hfloat.yield %{{.*}} : tensor<2xf32>
  // CHECK: } else {
  // CHECK: } : (tensor<i1>, tensor<2xf32>) -> tensor<2xf32>
  %y = hfloat.if %c captures(%x) {
  ^bb0(%a: tensor<2xf32>):
    %r = hfloat.relu %a : (tensor<2xf32>) -> tensor<2xf32>
    hfloat.yield %r : tensor<2xf32>
  } else {
  ^bb0(%a: tensor<2xf32>):
    hfloat.yield %a : tensor<2xf32>
  } : (tensor<i1>, tensor<2xf32>) -> tensor<2xf32>
  // CHECK: hfloat.loop %{{.*}}, %{{.*}} values(%{{.*}}, %{{.*}}) attributes {carried = 1 : si64} {
  // CHECK: } : (tensor<i64>, tensor<i1>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %z = hfloat.loop %m, %c values(%y, %x) attributes {carried = 1 : si64} {
  ^bb0(%i: tensor<i64>, %go: tensor<i1>, %a: tensor<2xf32>, %b: tensor<2xf32>):
    %s = hfloat.add %a, %b : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    hfloat.yield %go, %s : tensor<i1>, tensor<2xf32>
  } : (tensor<i64>, tensor<i1>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

{-#
  dialect_resources: {
    builtin: {
      weights: "0x040000000000803F00000040"
    }
  }
#-}

// CHECK-LABEL: func.func @integers_of_the_network
func.func @integers_of_the_network(%x: tensor<2x3xf32>, %s: tensor<3xf32>, %z: tensor<3xi8>, %scale: tensor<f32>, %zero: tensor<ui8>) {
  // CHECK: hfloat.quantize_linear %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xi8>) -> tensor<2x3xi8>
  %q = hfloat.quantize_linear %x, %s, %z : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xi8>) -> tensor<2x3xi8>
  // CHECK: hfloat.dequantize_linear %{{.*}}, %{{.*}}, %{{.*}} {axis = -1 : si64} : (tensor<2x3xi8>, tensor<3xf32>, tensor<3xi8>) -> tensor<2x3xf32>
  %d = hfloat.dequantize_linear %q, %s, %z {axis = -1 : si64} : (tensor<2x3xi8>, tensor<3xf32>, tensor<3xi8>) -> tensor<2x3xf32>
  // CHECK: hfloat.quantize_linear %{{.*}}, %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<f32>, tensor<ui8>) -> tensor<2x3xui8>
  %u = hfloat.quantize_linear %x, %scale, %zero : (tensor<2x3xf32>, tensor<f32>, tensor<ui8>) -> tensor<2x3xui8>
  return
}
