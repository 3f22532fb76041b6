// Expected errors of operations with regions, and of values whose sizes are known only when running.
// RUN: hb-opt %s --pass-pipeline="builtin.module(func.func(hfloat-infer-shapes))" --verify-diagnostics --split-input-file

func.func @f(%c: tensor<i1>, %x: tensor<2xf32>) {
  // expected-error @+1 {{gives result 0 1 dimensions in one branch and 2 in the other}}
  %y = hfloat.if %c captures(%x) {
  ^bb0(%a: tensor<2xf32>):
    hfloat.yield %a : tensor<2xf32>
  } else {
  ^bb0(%a: tensor<2xf32>):
    %axes = hfloat.constant dense<0> : tensor<1xi64>
    %r = hfloat.unsqueeze %a, %axes : (tensor<2xf32>, tensor<1xi64>) -> tensor<1x2xf32>
    hfloat.yield %r : tensor<1x2xf32>
  } : (tensor<i1>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%c: tensor<i1>, %x: tensor<2xf32>) {
  // expected-error @+1 {{has 1 results, but a branch yields 0}}
  %y = hfloat.if %c captures(%x) {
  ^bb0(%a: tensor<2xf32>):
    hfloat.yield %a : tensor<2xf32>
  } else {
  ^bb0(%a: tensor<2xf32>):
    hfloat.yield
  } : (tensor<i1>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

// A value that grows from iteration to iteration.
func.func @f(%c: tensor<i1>, %m: tensor<i64>, %x: tensor<2xf32>) {
  // expected-error @+1 {{carries value 0 as float32 [2] into its body and gets float32 [4] back}}
  %z = hfloat.loop %m, %c values(%x) attributes {carried = 1 : si64} {
  ^bb0(%i: tensor<i64>, %go: tensor<i1>, %a: tensor<2xf32>):
    %s = hfloat.concat %a, %a {axis = 0 : si64} : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
    hfloat.yield %go, %s : tensor<i1>, tensor<4xf32>
  } : (tensor<i64>, tensor<i1>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

// Nothing bounds how many parts there are.
func.func @f(%c: tensor<i1>, %m: tensor<i64>, %x: tensor<2xf32>) {
  // expected-error @+1 {{collects a part of its result in each iteration, but nothing bounds how many there are}}
  %z = hfloat.loop %m, %c values(%x) {
  ^bb0(%i: tensor<i64>, %go: tensor<i1>, %a: tensor<2xf32>):
    hfloat.yield %go, %a : tensor<i1>, tensor<2xf32>
  } : (tensor<i64>, tensor<i1>, tensor<2xf32>) -> tensor<?x2xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  %n = hfloat.non_zero %x : (tensor<2x3xf32>) -> tensor<2x?xi64, #hfloat.bounds<2, 6>>
  %shape = hfloat.constant dense<-1> : tensor<1xi64>
  // expected-error @+1 {{has an operand whose size is known only when the network runs, which it cannot take}}
  %r = hfloat.reshape %n, %shape : (tensor<2x?xi64, #hfloat.bounds<2, 6>>, tensor<1xi64>) -> tensor<?xi64>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  %k = hfloat.constant dense<4> : tensor<1xi64>
  // expected-error @+1 {{takes 4 of 3 elements}}
  %v, %i = hfloat.top_k %x, %k : (tensor<2x3xf32>, tensor<1xi64>) -> (tensor<2x4xf32>, tensor<2x4xi64>)
  return
}

// -----

func.func @f(%x: tensor<3x1x2xf32>, %w: tensor<1x8x2xf32>, %r: tensor<1x8x3xf32>) {
  %none = hfloat.constant dense<> : tensor<0xf32>
  %length = hfloat.constant dense<> : tensor<0xi32>
  // expected-error @+1 {{has a 'weight' of shape [1, 8, 2]; it must be [1, 12, 2]}}
  %y:3 = hfloat.lstm %x, %w, %r, %none, %length, %none, %none, %none
    : (tensor<3x1x2xf32>, tensor<1x8x2xf32>, tensor<1x8x3xf32>, tensor<0xf32>, tensor<0xi32>, tensor<0xf32>, tensor<0xf32>, tensor<0xf32>) -> (tensor<3x1x1x3xf32>, tensor<1x1x3xf32>, tensor<1x1x3xf32>)
  return
}

// -----

// A branch that cannot be built, where the condition does not say that the other is taken.
func.func @f(%c: tensor<i1>, %x: tensor<2xf32>) {
  // expected-error @+1 {{has a branch that cannot be built, and may take it: the condition is known only when the network runs. the reason}}
  %y = hfloat.if %c captures(%x) attributes {faults = ["", "the reason"]} {
  ^bb0(%a: tensor<2xf32>):
    hfloat.yield %a : tensor<2xf32>
  } else {
  ^bb0(%a: tensor<2xf32>):
    hfloat.yield
  } : (tensor<i1>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  %c = hfloat.constant dense<false> : tensor<i1>
  // expected-error @+1 {{takes a branch that cannot be built: the reason}}
  %y = hfloat.if %c captures(%x) attributes {faults = ["", "the reason"]} {
  ^bb0(%a: tensor<2xf32>):
    hfloat.yield %a : tensor<2xf32>
  } else {
  ^bb0(%a: tensor<2xf32>):
    hfloat.yield
  } : (tensor<i1>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%c: tensor<i1>, %x: tensor<2xf32>) {
  // expected-error @+1 {{has other than two faults, one for each branch}}
  %y = hfloat.if %c captures(%x) attributes {faults = ["the reason"]} {
  ^bb0(%a: tensor<2xf32>):
    hfloat.yield %a : tensor<2xf32>
  } else {
  ^bb0(%a: tensor<2xf32>):
    hfloat.yield
  } : (tensor<i1>, tensor<2xf32>) -> tensor<2xf32>
  return
}
