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

// -----

// Constants may share a name, operations that compute may not.
func.func @twice(%x: tensor<2xf32>) -> tensor<2xf32> {
  %c = hfloat.constant dense<1.0> : tensor<2xf32> loc("c")
  %d = hfloat.constant dense<2.0> : tensor<2xf32> loc("c")
  %0 = hfloat.add %x, %c : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32> loc("Add_0")
  // expected-error @unknown {{the name 'Add_0' is given twice; every operation needs one of its own}}
  %1 = hfloat.add %0, %d : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32> loc(fused<"Add_0">["Add_1"])
  return %1 : tensor<2xf32>
}

// -----

func.func @like_the_input(%x: tensor<2xf32> {hfloat.name = "x"}) -> tensor<2xf32> {
  // expected-error @unknown {{the name 'x' is given twice}}
  %0 = hfloat.relu %x : (tensor<2xf32>) -> tensor<2xf32> loc("x")
  return %0 : tensor<2xf32>
}
