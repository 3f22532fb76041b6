// GOLDEN: HB_BLESS=1 make test writes the expectations; what they say is checked by tests of values (tests/levels/).
// Resize picks by copies and interpolates by products with constant matrices. A Sigmoid before makes the values integers.
// RUN: hb-opt %s --hfloat-optimize --hfloat-to-qdq=default=4.0 --qdq-to-bpu | sed -n '/func.func/s/(.*//p; /= bpu\|= cpu\|= hfloat/{s/ : (.*//; s/ : tensor.*//; s/array<i8: [^>]*>/array/; p}' | FileCheck %s --check-prefix=BPU --match-full-lines
// RUN: hb-opt %s --hb-compile=default=4.0 | grep -o 'func.func @[a-z_0-9]*\|nash\.[a-z]*\.[a-z0-9_]*\|cpu\.segment' | FileCheck %s --check-prefix=NASH --match-full-lines

func.func @nearest(%x: tensor<1x2x3x3xf32>) -> tensor<*xf32> {
  %x_q = hfloat.sigmoid %x : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32> loc("x")
  %none = hfloat.constant dense<> : tensor<0xf32> loc("roi")
  %scales = hfloat.constant dense<[2.0, 2.0]> : tensor<2xf32> loc("scales")
  %0 = hfloat.resize %x_q, %none, %scales {axes = array<i64: 2, 3>, mode = "nearest"} : (tensor<1x2x3x3xf32>, tensor<0xf32>, tensor<2xf32>) -> tensor<*xf32> loc("Resize_0")
  return %0 : tensor<*xf32>
}

func.func @linear(%x: tensor<1x2x3x3xf32>) -> tensor<*xf32> {
  %x_q = hfloat.sigmoid %x : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32> loc("x")
  %none = hfloat.constant dense<> : tensor<0xf32> loc("roi")
  %scales = hfloat.constant dense<[2.0, 2.0]> : tensor<2xf32> loc("scales")
  %0 = hfloat.resize %x_q, %none, %scales {axes = array<i64: 2, 3>, mode = "linear"} : (tensor<1x2x3x3xf32>, tensor<0xf32>, tensor<2xf32>) -> tensor<*xf32> loc("Resize_0")
  return %0 : tensor<*xf32>
}
// BPU:   func.func @nearest
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.lookup %1 {table = array}
// BPU-NEXT:       %3 = bpu.transpose %2 {permutation = array<i64: 0, 2, 3, 1>}
// BPU-NEXT:       %4 = bpu.reshape %3
// BPU-NEXT:       %5 = bpu.concat %4, %4 {axis = 1 : i64}
// BPU-NEXT:       %6 = bpu.reshape %5
// BPU-NEXT:       %7 = bpu.reshape %6
// BPU-NEXT:       %8 = bpu.concat %7, %7 {axis = 1 : i64}
// BPU-NEXT:       %9 = bpu.reshape %8
// BPU-NEXT:       %10 = bpu.transpose %9 {permutation = array<i64: 0, 3, 1, 2>}
// BPU-NEXT:       %11 = bpu.dequantize %10
// BPU-NEXT:   func.func @linear
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.constant dense<{{\[\[}}4, 0, 0], [3, 1, 0], [1, 3, 0], [0, 3, 1], [0, 1, 3], [0, 0, 4]]>
// BPU-NEXT:       %2 = bpu.constant dense<{{\[\[}}4, 0, 0], [3, 1, 0], [1, 3, 0], [0, 3, 1], [0, 1, 3], [0, 0, 4]]>
// BPU-NEXT:       %3 = bpu.quantize %arg1
// BPU-NEXT:       %4 = bpu.lookup %3 {table = array}
// BPU-NEXT:       %5 = bpu.transpose %4 {permutation = array<i64: 0, 2, 3, 1>}
// BPU-NEXT:       %6 = bpu.reshape %5
// BPU-NEXT:       %7 = bpu.matmul %1, %6
// BPU-NEXT:       %8 = bpu.reshape %7
// BPU-NEXT:       %9 = bpu.reshape %8
// BPU-NEXT:       %10 = bpu.matmul %2, %9
// BPU-NEXT:       %11 = bpu.reshape %10
// BPU-NEXT:       %12 = bpu.transpose %11 {permutation = array<i64: 0, 3, 1, 2>}
// BPU-NEXT:       %13 = bpu.dequantize %12
// NASH: func.func @nearest
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @linear
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.tae.convolution
// NASH-NEXT: nash.tae.convolution
// NASH-NEXT: nash.tae.convolution
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.tae.convolution
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
