// Weights below the least normal float32, 1.17549435e-38, become 0.
// RUN: hb-opt %s --hfloat-flush-weights | FileCheck %s

// 1e-39 and -1e-45 are subnormal, 1.2e-38 is not. The bias is no weight.
// CHECK-LABEL: func.func @layer
// CHECK-DAG: hfloat.constant dense<{{\[\[\[\[}}1.000000e+00]], {{\[\[}}0.000000e+00]]], {{\[\[\[}}0.000000e+00]], {{\[\[}}1.200000e-38]]]]> : tensor<2x2x1x1xf32>
// CHECK-DAG: hfloat.constant dense<[{{9.99[0-9]+e-40|1.000000e-39}}, 2.000000e+00]> : tensor<2xf32>
func.func @layer(%x: tensor<1x2x1x1xf32>) -> tensor<1x2x1x1xf32> {
  %w = hfloat.constant dense<[[[[1.0]], [[1.0e-39]]], [[[-1.0e-45]], [[1.2e-38]]]]> : tensor<2x2x1x1xf32>
  %b = hfloat.constant dense<[1.0e-39, 2.0]> : tensor<2xf32>
  %0 = hfloat.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x2x1x1xf32>, tensor<2x2x1x1xf32>, tensor<2xf32>) -> tensor<1x2x1x1xf32>
  return %0 : tensor<1x2x1x1xf32>
}

// A MatMul reads the constant, too, but what an Add reads or the network gives stays.
// CHECK-LABEL: func.func @matrices
// CHECK-DAG: hfloat.constant dense<{{\[\[}}0.000000e+00, 3.000000e+00]]> : tensor<1x2xf32>
// CHECK-DAG: hfloat.constant dense<{{\[\[}}{{9.99[0-9]+e-40|1.000000e-39}}, 4.000000e+00]]> : tensor<1x2xf32>
func.func @matrices(%x: tensor<1x1xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>) {
  %v = hfloat.constant dense<[[1.0e-39, 3.0]]> : tensor<1x2xf32>
  %w = hfloat.constant dense<[[1.0e-39, 4.0]]> : tensor<1x2xf32>
  %0 = hfloat.matmul %x, %v : (tensor<1x1xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %1 = hfloat.matmul %x, %w : (tensor<1x1xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  %2 = hfloat.add %1, %w : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  return %0, %2 : tensor<1x2xf32>, tensor<1x2xf32>
}
