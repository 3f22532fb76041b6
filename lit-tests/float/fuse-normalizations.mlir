// What spells out a layer normalization becomes one.
// RUN: hb-opt %s --hfloat-fuse-normalizations --canonicalize | FileCheck %s

// As PyTorch writes it: the difference is shared, the square a power.
// CHECK-LABEL: func.func @power
// CHECK-DAG: %[[SCALE:.*]] = hfloat.constant dense<2.000000e+00> : tensor<8xf32>
// CHECK-DAG: %[[BIAS:.*]] = hfloat.constant dense<3.000000e+00> : tensor<8xf32>
// CHECK: %[[Y:.*]] = hfloat.layer_normalization %arg0, %[[SCALE]], %[[BIAS]] {axis = 2 : si64}
// CHECK-NEXT: return %[[Y]]
func.func @power(%x: tensor<2x5x8xf32>) -> tensor<2x5x8xf32> {
  %axes = hfloat.constant dense<-1> : tensor<1xi64>
  %two = hfloat.constant dense<2.0> : tensor<f32>
  %epsilon = hfloat.constant dense<1.0e-5> : tensor<f32>
  %scale = hfloat.constant dense<2.0> : tensor<8xf32>
  %bias = hfloat.constant dense<3.0> : tensor<8xf32>
  %0 = hfloat.reduce_mean %x, %axes : (tensor<2x5x8xf32>, tensor<1xi64>) -> tensor<2x5x1xf32>
  %1 = hfloat.sub %x, %0 : (tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<2x5x8xf32>
  %2 = hfloat.pow %1, %two : (tensor<2x5x8xf32>, tensor<f32>) -> tensor<2x5x8xf32>
  %3 = hfloat.reduce_mean %2, %axes : (tensor<2x5x8xf32>, tensor<1xi64>) -> tensor<2x5x1xf32>
  %4 = hfloat.add %3, %epsilon : (tensor<2x5x1xf32>, tensor<f32>) -> tensor<2x5x1xf32>
  %5 = hfloat.sqrt %4 : (tensor<2x5x1xf32>) -> tensor<2x5x1xf32>
  %6 = hfloat.div %1, %5 : (tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<2x5x8xf32>
  %7 = hfloat.mul %6, %scale : (tensor<2x5x8xf32>, tensor<8xf32>) -> tensor<2x5x8xf32>
  %8 = hfloat.add %bias, %7 : (tensor<8xf32>, tensor<2x5x8xf32>) -> tensor<2x5x8xf32>
  return %8 : tensor<2x5x8xf32>
}

// As TensorFlow writes it: factor first.
// CHECK-LABEL: func.func @factor
// CHECK: %[[Y:.*]] = hfloat.layer_normalization %arg0, {{.*}} {axis = 2 : si64, epsilon = 1.000000e-03 : f32}
// CHECK-NEXT: return %[[Y]]
func.func @factor(%x: tensor<2x5x8xf32>) -> tensor<2x5x8xf32> {
  %axes = hfloat.constant dense<2> : tensor<1xi64>
  %epsilon = hfloat.constant dense<1.0e-3> : tensor<f32>
  %scale = hfloat.constant dense<2.0> : tensor<8xf32>
  %bias = hfloat.constant dense<3.0> : tensor<8xf32>
  %0 = hfloat.reduce_mean %x, %axes : (tensor<2x5x8xf32>, tensor<1xi64>) -> tensor<2x5x1xf32>
  %1 = hfloat.sub %x, %0 : (tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<2x5x8xf32>
  %2 = hfloat.mul %1, %1 : (tensor<2x5x8xf32>, tensor<2x5x8xf32>) -> tensor<2x5x8xf32>
  %3 = hfloat.reduce_mean %2, %axes : (tensor<2x5x8xf32>, tensor<1xi64>) -> tensor<2x5x1xf32>
  %4 = hfloat.add %epsilon, %3 : (tensor<f32>, tensor<2x5x1xf32>) -> tensor<2x5x1xf32>
  %5 = hfloat.sqrt %4 : (tensor<2x5x1xf32>) -> tensor<2x5x1xf32>
  %6 = hfloat.reciprocal %5 : (tensor<2x5x1xf32>) -> tensor<2x5x1xf32>
  %7 = hfloat.mul %6, %scale : (tensor<2x5x1xf32>, tensor<8xf32>) -> tensor<2x5x8xf32>
  %8 = hfloat.mul %x, %7 : (tensor<2x5x8xf32>, tensor<2x5x8xf32>) -> tensor<2x5x8xf32>
  %9 = hfloat.mul %0, %7 : (tensor<2x5x1xf32>, tensor<2x5x8xf32>) -> tensor<2x5x8xf32>
  %10 = hfloat.sub %bias, %9 : (tensor<8xf32>, tensor<2x5x8xf32>) -> tensor<2x5x8xf32>
  %11 = hfloat.add %8, %10 : (tensor<2x5x8xf32>, tensor<2x5x8xf32>) -> tensor<2x5x8xf32>
  return %11 : tensor<2x5x8xf32>
}

// As JAX writes it: sums, another variance, dimensions that go and come back, the scale in the factor.
// CHECK-LABEL: func.func @squares
// CHECK: %[[Y:.*]] = hfloat.layer_normalization %arg0, {{.*}} {axis = 2 : si64, epsilon = 1.000000e-03 : f32}
// CHECK-NEXT: return %[[Y]]
func.func @squares(%x: tensor<2x5x8xf32>) -> tensor<2x5x8xf32> {
  %axes = hfloat.constant dense<2> : tensor<1xi64>
  %epsilon = hfloat.constant dense<1.0e-3> : tensor<f32>
  %eighth = hfloat.constant dense<0.125> : tensor<f32>
  %zero = hfloat.constant dense<0.0> : tensor<f32>
  %shape = hfloat.constant dense<[2, 5, 1]> : tensor<3xi64>
  %scale = hfloat.constant dense<2.0> : tensor<1x1x8xf32>
  %bias = hfloat.constant dense<3.0> : tensor<1x1x8xf32>
  %0 = hfloat.reduce_sum %x, %axes {keepdims = false} : (tensor<2x5x8xf32>, tensor<1xi64>) -> tensor<2x5xf32>
  %1 = hfloat.mul %x, %x : (tensor<2x5x8xf32>, tensor<2x5x8xf32>) -> tensor<2x5x8xf32>
  %2 = hfloat.reduce_sum %1, %axes {keepdims = false} : (tensor<2x5x8xf32>, tensor<1xi64>) -> tensor<2x5xf32>
  %3 = hfloat.mul %2, %eighth : (tensor<2x5xf32>, tensor<f32>) -> tensor<2x5xf32>
  %4 = hfloat.mul %0, %eighth : (tensor<2x5xf32>, tensor<f32>) -> tensor<2x5xf32>
  %5 = hfloat.mul %4, %4 : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x5xf32>
  %6 = hfloat.sub %3, %5 : (tensor<2x5xf32>, tensor<2x5xf32>) -> tensor<2x5xf32>
  %7 = hfloat.max %zero, %6 : (tensor<f32>, tensor<2x5xf32>) -> tensor<2x5xf32>
  %8 = hfloat.reshape %7, %shape : (tensor<2x5xf32>, tensor<3xi64>) -> tensor<2x5x1xf32>
  %9 = hfloat.add %8, %epsilon : (tensor<2x5x1xf32>, tensor<f32>) -> tensor<2x5x1xf32>
  %10 = hfloat.sqrt %9 : (tensor<2x5x1xf32>) -> tensor<2x5x1xf32>
  %11 = hfloat.reciprocal %10 : (tensor<2x5x1xf32>) -> tensor<2x5x1xf32>
  %12 = hfloat.mul %11, %scale : (tensor<2x5x1xf32>, tensor<1x1x8xf32>) -> tensor<2x5x8xf32>
  %13 = hfloat.reshape %4, %shape : (tensor<2x5xf32>, tensor<3xi64>) -> tensor<2x5x1xf32>
  %14 = hfloat.sub %x, %13 : (tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<2x5x8xf32>
  %15 = hfloat.mul %14, %12 : (tensor<2x5x8xf32>, tensor<2x5x8xf32>) -> tensor<2x5x8xf32>
  %16 = hfloat.add %15, %bias : (tensor<2x5x8xf32>, tensor<1x1x8xf32>) -> tensor<2x5x8xf32>
  return %16 : tensor<2x5x8xf32>
}

// Channels that are not the last dimension, without scale and bias.
// CHECK-LABEL: func.func @channels
// CHECK: %[[X:.*]] = hfloat.transpose %arg0 {perm = array<i64: 0, 2, 1>} : (tensor<2x5x8xf32>) -> tensor<2x8x5xf32>
// CHECK-NEXT: %[[Y:.*]] = hfloat.layer_normalization %[[X]], %{{.*}} {axis = 2 : si64
// CHECK-NEXT: %[[Z:.*]] = hfloat.transpose %[[Y]] {perm = array<i64: 0, 2, 1>} : (tensor<2x8x5xf32>) -> tensor<2x5x8xf32>
// CHECK-NEXT: return %[[Z]]
func.func @channels(%x: tensor<2x5x8xf32>) -> tensor<2x5x8xf32> {
  %axes = hfloat.constant dense<1> : tensor<1xi64>
  %half = hfloat.constant dense<-0.5> : tensor<f32>
  %epsilon = hfloat.constant dense<1.0e-3> : tensor<f32>
  %0 = hfloat.reduce_mean %x, %axes : (tensor<2x5x8xf32>, tensor<1xi64>) -> tensor<2x1x8xf32>
  %1 = hfloat.sub %x, %0 : (tensor<2x5x8xf32>, tensor<2x1x8xf32>) -> tensor<2x5x8xf32>
  %2 = hfloat.mul %1, %1 : (tensor<2x5x8xf32>, tensor<2x5x8xf32>) -> tensor<2x5x8xf32>
  %3 = hfloat.reduce_mean %2, %axes : (tensor<2x5x8xf32>, tensor<1xi64>) -> tensor<2x1x8xf32>
  %4 = hfloat.add %epsilon, %3 : (tensor<f32>, tensor<2x1x8xf32>) -> tensor<2x1x8xf32>
  %5 = hfloat.pow %4, %half : (tensor<2x1x8xf32>, tensor<f32>) -> tensor<2x1x8xf32>
  %6 = hfloat.mul %5, %1 : (tensor<2x1x8xf32>, tensor<2x5x8xf32>) -> tensor<2x5x8xf32>
  return %6 : tensor<2x5x8xf32>
}

// The mean of another value, other axes, a scale that does not vary along the reduced axes alone.
// CHECK-LABEL: func.func @others
// CHECK-NOT: layer_normalization %arg1
// CHECK: hfloat.layer_normalization %arg0
// CHECK-NEXT: hfloat.mul
// CHECK-NOT: layer_normalization
func.func @others(%x: tensor<2x5x8xf32>, %y: tensor<2x5x8xf32>) -> (tensor<2x5x8xf32>, tensor<2x5x8xf32>) {
  %axes = hfloat.constant dense<2> : tensor<1xi64>
  %epsilon = hfloat.constant dense<1.0e-3> : tensor<f32>
  %scale = hfloat.constant dense<2.0> : tensor<5x1xf32>
  %0 = hfloat.reduce_mean %x, %axes : (tensor<2x5x8xf32>, tensor<1xi64>) -> tensor<2x5x1xf32>
  %1 = hfloat.sub %x, %0 : (tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<2x5x8xf32>
  %2 = hfloat.mul %1, %1 : (tensor<2x5x8xf32>, tensor<2x5x8xf32>) -> tensor<2x5x8xf32>
  %3 = hfloat.reduce_mean %2, %axes : (tensor<2x5x8xf32>, tensor<1xi64>) -> tensor<2x5x1xf32>
  %4 = hfloat.add %epsilon, %3 : (tensor<f32>, tensor<2x5x1xf32>) -> tensor<2x5x1xf32>
  %5 = hfloat.sqrt %4 : (tensor<2x5x1xf32>) -> tensor<2x5x1xf32>
  %6 = hfloat.div %1, %5 : (tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<2x5x8xf32>
  %7 = hfloat.mul %6, %scale : (tensor<2x5x8xf32>, tensor<5x1xf32>) -> tensor<2x5x8xf32>
  %8 = hfloat.sub %y, %0 : (tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<2x5x8xf32>
  %9 = hfloat.div %8, %5 : (tensor<2x5x8xf32>, tensor<2x5x1xf32>) -> tensor<2x5x8xf32>
  return %7, %9 : tensor<2x5x8xf32>, tensor<2x5x8xf32>
}

// Means over rows of which nobody knows how many there are stay what they are.
// CHECK-LABEL: func.func @unknown_rows
// CHECK: hfloat.reduce_mean
// CHECK: hfloat.sub
// CHECK: hfloat.mul
// CHECK: hfloat.reduce_mean
// CHECK: hfloat.div
// CHECK-NOT: layer_normalization
func.func @unknown_rows(%x: tensor<3x5xf32>, %a: tensor<3xf32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %axes = hfloat.constant dense<0> : tensor<1xi64>
  %k = hfloat.constant dense<[1.0, 2.0, 3.0]> : tensor<3xf32>
  %epsilon = hfloat.constant dense<1.0e-5> : tensor<f32>
  %n = hfloat.non_zero %x : (tensor<3x5xf32>) -> tensor<2x?xi64, #hfloat.bounds<2, 15>>
  %t = hfloat.transpose %n {perm = array<i64: 1, 0>} : (tensor<2x?xi64, #hfloat.bounds<2, 15>>) -> tensor<?x2xi64, #hfloat.bounds<15, 2>>
  %column = hfloat.constant dense<[0, 1, 1]> : tensor<3xi64>
  %g = hfloat.gather %t, %column {axis = 1 : si64} : (tensor<?x2xi64, #hfloat.bounds<15, 2>>, tensor<3xi64>) -> tensor<?x3xi64, #hfloat.bounds<15, 3>>
  %rows = hfloat.cast %g : (tensor<?x3xi64, #hfloat.bounds<15, 3>>) -> tensor<?x3xf32, #hfloat.bounds<15, 3>>
  %0 = hfloat.reduce_mean %rows, %axes {keepdims = false} : (tensor<?x3xf32, #hfloat.bounds<15, 3>>, tensor<1xi64>) -> tensor<3xf32>
  %1 = hfloat.sub %a, %0 : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  %2 = hfloat.mul %1, %k : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  %3 = hfloat.mul %rows, %rows : (tensor<?x3xf32, #hfloat.bounds<15, 3>>, tensor<?x3xf32, #hfloat.bounds<15, 3>>) -> tensor<?x3xf32, #hfloat.bounds<15, 3>>
  %4 = hfloat.reduce_mean %3, %axes {keepdims = false} : (tensor<?x3xf32, #hfloat.bounds<15, 3>>, tensor<1xi64>) -> tensor<3xf32>
  %5 = hfloat.add %4, %epsilon : (tensor<3xf32>, tensor<f32>) -> tensor<3xf32>
  %6 = hfloat.sqrt %5 : (tensor<3xf32>) -> tensor<3xf32>
  %7 = hfloat.div %a, %6 : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return %2, %7 : tensor<3xf32>, tensor<3xf32>
}

// The mean and deviation of images are constants.
// CHECK-LABEL: func.func @constants
// CHECK: hfloat.sub
// CHECK-NEXT: hfloat.div
func.func @constants(%x: tensor<1x3x2x2xf32>) -> tensor<1x3x2x2xf32> {
  %mean = hfloat.constant dense<[[[0.5]], [[0.25]], [[0.75]]]> : tensor<3x1x1xf32>
  %deviation = hfloat.constant dense<[[[0.5]], [[0.25]], [[0.75]]]> : tensor<3x1x1xf32>
  %0 = hfloat.sub %x, %mean : (tensor<1x3x2x2xf32>, tensor<3x1x1xf32>) -> tensor<1x3x2x2xf32>
  %1 = hfloat.div %0, %deviation : (tensor<1x3x2x2xf32>, tensor<3x1x1xf32>) -> tensor<1x3x2x2xf32>
  return %1 : tensor<1x3x2x2xf32>
}
