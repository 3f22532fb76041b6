// Weights below 2^-100, 7.89e-31, become 0 beside one that is at least 2^40 times as large, 8.7e-19.
// RUN: hb-opt %s --hfloat-flush-weights | FileCheck %s

// 1e-39 is subnormal, 8e-31 is large enough. The bias is no weight.
// CHECK-LABEL: func.func @layer
// CHECK-DAG: hfloat.constant dense<{{\[\[\[\[}}1.000000e+00]], {{\[\[}}0.000000e+00]]], {{\[\[\[}}0.000000e+00]], {{\[\[}}8.000000e-31]]]]> : tensor<2x2x1x1xf32>
// CHECK-DAG: hfloat.constant dense<[{{9.9+[0-9]*E-32}}, 2.000000e+00]> : tensor<2xf32>
func.func @layer(%x: tensor<1x2x1x1xf32>) -> tensor<1x2x1x1xf32> {
  %w = hfloat.constant dense<[[[[1.0]], [[1.0e-39]]], [[[-7.8e-31]], [[8.0e-31]]]]> : tensor<2x2x1x1xf32>
  %b = hfloat.constant dense<[1.0e-31, 2.0]> : tensor<2xf32>
  %0 = hfloat.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x2x1x1xf32>, tensor<2x2x1x1xf32>, tensor<2xf32>) -> tensor<1x2x1x1xf32>
  return %0 : tensor<1x2x1x1xf32>
}

// Integers that the network brings, each worth 1e-31.
// CHECK-LABEL: func.func @brought
// CHECK: hfloat.constant {hfloat.scales = array<f64: {{.*}}>} dense<{{\[\[9.9+[0-9]*E-32, 3}}.000000e+00]]> : tensor<1x2xf32>
func.func @brought(%x: tensor<1x1xf32>) -> tensor<1x2xf32> {
  %w = hfloat.constant {hfloat.scales = array<f64: 1.0e-31>} dense<[[1.0e-31, 3.0]]> : tensor<1x2xf32>
  %0 = hfloat.mat_mul %x, %w : (tensor<1x1xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// A MatMul reads weights, too. What an Add reads as well stays, and so does a constant whose values are all small.
// CHECK-LABEL: func.func @matrices
// CHECK-DAG: hfloat.constant dense<{{\[\[}}0.000000e+00, 3.000000e+00]]> : tensor<1x2xf32>
// CHECK-DAG: hfloat.constant dense<{{\[\[9.9+[0-9]*E-32}}, 4.000000e+00]]> : tensor<1x2xf32>
// CHECK-DAG: hfloat.constant dense<{{\[\[9.9+[0-9]*E-32, 7.9+[0-9]*E-19}}]]> : tensor<1x2xf32>
func.func @matrices(%x: tensor<1x1xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>) {
  %v = hfloat.constant dense<[[1.0e-31, 3.0]]> : tensor<1x2xf32>
  %w = hfloat.constant dense<[[1.0e-31, 4.0]]> : tensor<1x2xf32>
  %u = hfloat.constant dense<[[1.0e-31, 8.0e-19]]> : tensor<1x2xf32>
  %0 = hfloat.mat_mul %x, %v : (tensor<1x1xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %1 = hfloat.mat_mul %x, %w : (tensor<1x1xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %2 = hfloat.add %1, %w : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %3 = hfloat.mat_mul %x, %u : (tensor<1x1xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  return %0, %2, %3 : tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>
}
