// The border after the integer level.
// RUN: hb-opt %s --bpu-verify --split-input-file --verify-diagnostics

!half = !quant.uniform<i8:f32, 0.5>
func.func @good(%x: tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32> {
  %0 = bpu.segment(%x) {
  ^bb0(%a: tensor<1x4x4x2xf32>):
    %1 = bpu.quantize %a : (tensor<1x4x4x2xf32>) -> tensor<1x4x4x2x!half>
    %w = bpu.constant dense<1> : tensor<2x1x1x2xi8> -> tensor<2x1x1x2x!half>
    %2 = bpu.conv2d %1, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x4x4x2x!half>, tensor<2x1x1x2x!half>) -> tensor<1x4x4x2x!half>
    %3 = bpu.dequantize %2 : (tensor<1x4x4x2x!half>) -> tensor<1x4x4x2xf32>
    bpu.yield %3 : tensor<1x4x4x2xf32>
  } : (tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
  %4 = cpu.segment(%0) {
  ^bb0(%a: tensor<1x4x4x2xf32>):
    %5 = hfloat.lrn %a {size = 3 : si64} : (tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
    cpu.yield %5 : tensor<1x4x4x2xf32>
  } : (tensor<1x4x4x2xf32>) -> tensor<1x4x4x2xf32>
  return %4 : tensor<1x4x4x2xf32>
}

// -----

func.func @outside(%x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error @+1 {{'hfloat.relu' is neither a segment nor the return; run bpu-form-segments first}}
  %0 = hfloat.relu %x : (tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

!half = !quant.uniform<i8:f32, 0.5>
func.func @weight_is_fed(%x: tensor<1x4x4x2x!half>, %w: tensor<2x1x1x2x!half>) -> tensor<1x4x4x2x!half> {
  %0 = bpu.segment(%x, %w) {
  ^bb0(%a: tensor<1x4x4x2x!half>, %b: tensor<2x1x1x2x!half>):
    // expected-error @unknown {{node 'Conv_3' (conv2d) cannot run on the BPU: The weight is a constant of int8, the bias a constant of int32.}}
    %1 = bpu.conv2d %a, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
        : (tensor<1x4x4x2x!half>, tensor<2x1x1x2x!half>) -> tensor<1x4x4x2x!half> loc("Conv_3")
    bpu.yield %1 : tensor<1x4x4x2x!half>
  } : (tensor<1x4x4x2x!half>, tensor<2x1x1x2x!half>) -> tensor<1x4x4x2x!half>
  return %0 : tensor<1x4x4x2x!half>
}

// -----

// A broken constraint of one node, three of another: all are said. (2 * 32768 * 32768 is one too much for 31 bits.)
!tiny = !quant.uniform<i8:f32, 1.0e-20>
!huge = !quant.uniform<i8:f32, 1.0e+20>
!half16 = !quant.uniform<i16:f32, 0.5>
func.func @ratios(%x: tensor<2x4x!tiny>, %y: tensor<4x2x!half16>) -> (tensor<2x4x!huge>, tensor<4x4x!huge>) {
  %0:2 = bpu.segment(%x, %y) {
  ^bb0(%a: tensor<2x4x!tiny>, %b: tensor<4x2x!half16>):
    // expected-error @unknown {{node 'Add_0' (add) cannot run on the BPU: The larger scale of the operands over that of the result lies in [2^-32, 2^31).}}
    %1 = bpu.add %a, %a : (tensor<2x4x!tiny>, tensor<2x4x!tiny>) -> tensor<2x4x!huge> loc("Add_0")
    %2 = bpu.transpose %b {permutation = array<i64: 1, 0>} : (tensor<4x2x!half16>) -> tensor<2x4x!half16> loc("Transpose_1")
    // expected-error @unknown {{node 'MatMul_2' (matmul) cannot run on the BPU: The second operand is int8. The 32-bit accumulator cannot overflow: the number of products times the largest magnitudes of both operands (their actual values, where constant) is at most 2^31 - 1. The product of the scales of the operands over that of the result lies in [2^-32, 2^31).}}
    %3 = bpu.matmul %b, %2 : (tensor<4x2x!half16>, tensor<2x4x!half16>) -> tensor<4x4x!huge> loc("MatMul_2")
    bpu.yield %1, %3 : tensor<2x4x!huge>, tensor<4x4x!huge>
  } : (tensor<2x4x!tiny>, tensor<4x2x!half16>) -> (tensor<2x4x!huge>, tensor<4x4x!huge>)
  return %0#0, %0#1 : tensor<2x4x!huge>, tensor<4x4x!huge>
}

// -----

// In two segments.
func.func @twice(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = cpu.segment(%x) {
  ^bb0(%a: tensor<2xf32>):
    %1 = hfloat.relu %a : (tensor<2xf32>) -> tensor<2xf32> loc("Relu_0")
    cpu.yield %1 : tensor<2xf32>
  } : (tensor<2xf32>) -> tensor<2xf32>
  %2 = cpu.segment(%0) {
  ^bb0(%a: tensor<2xf32>):
    // expected-error @unknown {{the name 'Relu_0' is given twice; every operation needs one of its own}}
    %3 = hfloat.relu %a : (tensor<2xf32>) -> tensor<2xf32> loc("Relu_0")
    cpu.yield %3 : tensor<2xf32>
  } : (tensor<2xf32>) -> tensor<2xf32>
  return %2 : tensor<2xf32>
}
