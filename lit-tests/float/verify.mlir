// The border after the float level.
// RUN: hb-opt %s --hfloat-verify --split-input-file --verify-diagnostics

func.func @good(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = hfloat.relu %x : (tensor<2xf32>) -> tensor<2xf32> loc("Relu_0")
  return %0 : tensor<2xf32>
}

// -----

func.func @other_dialect(%x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error @+1 {{'arith.addf' is no operation of the float level}}
  %0 = arith.addf %x, %x : tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

func.func @unknown_shape(%x: tensor<?xf32>) -> tensor<?xf32> {
  // expected-error @unknown {{node 'Relu_0' has a result of unknown shape, tensor<?xf32>}}
  %0 = hfloat.relu %x : (tensor<?xf32>) -> tensor<?xf32> loc("Relu_0")
  return %0 : tensor<?xf32>
}
