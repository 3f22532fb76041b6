// One expected error per branch of the verifiers of `cpu`.
// RUN: hb-opt %s --verify-diagnostics --split-input-file

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'cpu.segment' op has 1 operands, but its body takes 2 arguments}}
  %0 = cpu.segment(%x) {
  ^bb0(%a: tensor<2xf32>, %b: tensor<2xf32>):
    cpu.yield %a : tensor<2xf32>
  } : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'cpu.segment' op operand 0 is tensor<2xf32>, but the body takes tensor<3xf32>}}
  %0 = cpu.segment(%x) {
  ^bb0(%a: tensor<3xf32>):
    cpu.yield %a : tensor<3xf32>
  } : (tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'cpu.segment' op holds 'arith.addf'}}
  %0 = cpu.segment(%x) {
  ^bb0(%a: tensor<2xf32>):
    %1 = arith.addf %a, %a : tensor<2xf32>
    cpu.yield %1 : tensor<2xf32>
  } : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'cpu.segment' op has 1 results, but its body yields 2}}
  %0 = cpu.segment(%x) {
  ^bb0(%a: tensor<2xf32>):
    cpu.yield %a, %a : tensor<2xf32>, tensor<2xf32>
  } : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'cpu.segment' op result 0 is tensor<3xf32>, but the body yields tensor<2xf32>}}
  %0 = cpu.segment(%x) {
  ^bb0(%a: tensor<2xf32>):
    cpu.yield %a : tensor<2xf32>
  } : (tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-note @+1 {{required by region isolation constraints}}
  %0 = cpu.segment(%x) {
  ^bb0(%a: tensor<2xf32>):
    // expected-error @+1 {{using value defined outside the region}}
    cpu.yield %x : tensor<2xf32>
  } : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'cpu.yield' op expects parent op 'cpu.segment'}}
  cpu.yield %x : tensor<2xf32>
}
