// Networks that cannot take several samples at once: the node is named, with what it does to them.
// RUN: not hb-opt %s --split-input-file --hfloat-set-batch=size=2 2>&1 | FileCheck %s
// RUN: not hb-opt %s --split-input-file --hfloat-set-batch=size=0 2>&1 | FileCheck %s --check-prefix=SIZE
// SIZE: size is none of 1 to 4096

func.func @mean(%x: tensor<1x4xf32>) -> tensor<4xf32> {
  %axes = hfloat.constant dense<0> : tensor<1xi64>
// CHECK: node 'ReduceMean_0' (ReduceMean) cannot take 2 samples at once: it joins the elements of dimension 0, which holds the samples; export the model with a batch of 2 instead
  %0 = hfloat.reduce_mean %x, %axes {keepdims = false} : (tensor<1x4xf32>, tensor<1xi64>) -> tensor<4xf32> loc("ReduceMean_0")
  return %0 : tensor<4xf32>
}

// -----

func.func @matrix(%x: tensor<1x4xf32>) -> tensor<4x4xf32> {
  %0 = hfloat.transpose %x {perm = array<i64: 1, 0>} : (tensor<1x4xf32>) -> tensor<4x1xf32> loc("Transpose_0")
// CHECK: node 'MatMul_1' (MatMul) cannot take 2 samples at once: it sums over a dimension that holds the samples
  %1 = hfloat.mat_mul %0, %x : (tensor<4x1xf32>, tensor<1x4xf32>) -> tensor<4x4xf32> loc("MatMul_1")
  return %1 : tensor<4x4xf32>
}

// -----

// The first dimension is none of samples.
// CHECK: input 'input_0' is tensor<3x4xf32>; a batch is made of a first dimension of 1
func.func @input(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  return %x : tensor<3x4xf32>
}
