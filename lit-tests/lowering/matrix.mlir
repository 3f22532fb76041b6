// GOLDEN: HB_BLESS=1 make test writes the expectations; what they say is checked by tests of values (tests/levels/).
// Matrix products: with constant weights, and of two activations.
// RUN: hb-opt %s --hfloat-optimize --hfloat-to-qdq=default=4.0 --qdq-to-bpu | sed -n '/func.func/s/(.*//p; /= bpu\|= cpu\|= hfloat/{s/ : (.*//; s/ : tensor.*//; s/array<i8: [^>]*>/array/; p}' | FileCheck %s --check-prefix=BPU --match-full-lines
// RUN: hb-opt %s --hb-compile=default=4.0 | grep -o 'func.func @[a-z_0-9]*\|nash\.[a-z]*\.[a-z0-9_]*\|cpu\.segment' | FileCheck %s --check-prefix=NASH --match-full-lines

func.func @gemm(%x: tensor<2x4xf32>) -> tensor<*xf32> {
  %w = hfloat.constant dense<0.5> : tensor<3x4xf32> loc("weight")
  %b = hfloat.constant dense<1.0> : tensor<3xf32> loc("bias")
  %0 = hfloat.gemm %x, %w, %b {transB = true} : (tensor<2x4xf32>, tensor<3x4xf32>, tensor<3xf32>) -> tensor<*xf32> loc("Gemm_0")
  return %0 : tensor<*xf32>
}

func.func @weights(%x: tensor<2x3x4xf32>) -> tensor<*xf32> {
  %w = hfloat.constant dense<0.5> : tensor<4x5xf32> loc("weight")
  %0 = hfloat.mat_mul %x, %w : (tensor<2x3x4xf32>, tensor<4x5xf32>) -> tensor<*xf32> loc("MatMul_0")
  return %0 : tensor<*xf32>
}

func.func @mat_mul(%x: tensor<2x3x4xf32>, %y: tensor<2x4x5xf32>) -> tensor<*xf32> {
  %0 = hfloat.mat_mul %x, %y : (tensor<2x3x4xf32>, tensor<2x4x5xf32>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}
// BPU:   func.func @gemm
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.constant dense<127>
// BPU-NEXT:       %2 = bpu.constant dense<8065>
// BPU-NEXT:       %3 = bpu.quantize %arg1
// BPU-NEXT:       %4 = bpu.reshape %3
// BPU-NEXT:       %5 = bpu.conv2d %4, %1, %2 {dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>}
// BPU-NEXT:       %6 = bpu.dequantize %5
// BPU-NEXT:       %7 = bpu.reshape %6
// BPU-NEXT:   func.func @weights
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.constant dense<127>
// BPU-NEXT:       %2 = bpu.quantize %arg1
// BPU-NEXT:       %3 = bpu.reshape %2
// BPU-NEXT:       %4 = bpu.conv2d %3, %1 {dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>}
// BPU-NEXT:       %5 = bpu.reshape %4
// BPU-NEXT:       %6 = bpu.dequantize %5
// BPU-NEXT:   func.func @mat_mul
// BPU-NEXT:     %0 = bpu.segment(%arg0, %arg1) {
// BPU-NEXT:       %1 = bpu.quantize %arg2
// BPU-NEXT:       %2 = bpu.quantize %arg3
// BPU-NEXT:       %3 = bpu.matmul %1, %2
// BPU-NEXT:       %4 = bpu.dequantize %3
// NASH: func.func @gemm
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.tae.convolution
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @weights
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.tae.convolution
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @mat_mul
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.tae.convolution
// NASH-NEXT: nash.tae.convolution
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
