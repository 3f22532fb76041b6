// GOLDEN: HB_BLESS=1 make test writes the expectations; what they say is checked by tests of values (tests/levels/).
// Convolutions: with a bias, dilated, of each channel, transposed.
// RUN: hb-opt %s --hfloat-optimize --hfloat-to-qdq=default=4.0 --qdq-to-bpu | sed -n '/func.func/s/(.*//p; /= bpu\|= cpu\|= hfloat/{s/ : (.*//; s/ : tensor.*//; s/array<i8: [^>]*>/array/; p}' | FileCheck %s --check-prefix=BPU --match-full-lines
// RUN: hb-opt %s --hb-compile=default=4.0 | grep -o 'func.func @[a-z_0-9]*\|nash\.[a-z]*\.[a-z0-9_]*\|cpu\.segment' | FileCheck %s --check-prefix=NASH --match-full-lines

func.func @bias(%x: tensor<1x2x4x4xf32>) -> tensor<*xf32> {
  %w = hfloat.constant dense<0.5> : tensor<4x2x3x3xf32> loc("weight")
  %b = hfloat.constant dense<1.0> : tensor<4xf32> loc("bias")
  %0 = hfloat.conv %x, %w, %b {strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x2x4x4xf32>, tensor<4x2x3x3xf32>, tensor<4xf32>) -> tensor<*xf32> loc("Conv_0")
  %1 = hfloat.relu %0 : (tensor<*xf32>) -> tensor<*xf32> loc("Relu_1")
  return %1 : tensor<*xf32>
}

func.func @depthwise(%x: tensor<1x4x6x6xf32>) -> tensor<*xf32> {
  %w = hfloat.constant dense<0.5> : tensor<4x1x3x3xf32> loc("weight")
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 2, 2>, group = 4 : si64} : (tensor<1x4x6x6xf32>, tensor<4x1x3x3xf32>) -> tensor<*xf32> loc("Conv_0")
  return %0 : tensor<*xf32>
}

func.func @transposed(%x: tensor<1x2x3x3xf32>) -> tensor<*xf32> {
  %w = hfloat.constant dense<0.5> : tensor<2x4x2x2xf32> loc("weight")
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>} : (tensor<1x2x3x3xf32>, tensor<2x4x2x2xf32>) -> tensor<*xf32> loc("ConvTranspose_0")
  return %0 : tensor<*xf32>
}
// BPU:   func.func @bias
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.constant dense_resource<"Conv_0/weight">
// BPU-NEXT:       %2 = bpu.constant dense<8065>
// BPU-NEXT:       %3 = bpu.quantize %arg1
// BPU-NEXT:       %4 = bpu.transpose %3 {permutation = array<i64: 0, 2, 3, 1>}
// BPU-NEXT:       %5 = bpu.conv2d %4, %1, %2 {clamp_max = 127 : i64, clamp_min = 0 : i64, dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>}
// BPU-NEXT:       %6 = bpu.transpose %5 {permutation = array<i64: 0, 3, 1, 2>}
// BPU-NEXT:       %7 = bpu.dequantize %6
// BPU-NEXT:   func.func @depthwise
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.constant dense<127>
// BPU-NEXT:       %2 = bpu.quantize %arg1
// BPU-NEXT:       %3 = bpu.transpose %2 {permutation = array<i64: 0, 2, 3, 1>}
// BPU-NEXT:       %4 = bpu.conv2d %3, %1 {dilations = array<i64: 2, 2>, group = 4 : i64, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>}
// BPU-NEXT:       %5 = bpu.dequantize %4
// BPU-NEXT:       %6 = bpu.transpose %5 {permutation = array<i64: 0, 3, 1, 2>}
// BPU-NEXT:   func.func @transposed
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.constant dense<127>
// BPU-NEXT:       %2 = bpu.constant dense<127>
// BPU-NEXT:       %3 = bpu.quantize %arg1
// BPU-NEXT:       %4 = bpu.transpose %3 {permutation = array<i64: 0, 2, 3, 1>}
// BPU-NEXT:       %5 = bpu.conv2d %4, %1 {dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>}
// BPU-NEXT:       %6 = bpu.conv2d %4, %2 {dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>}
// BPU-NEXT:       %7 = bpu.reshape %5
// BPU-NEXT:       %8 = bpu.reshape %6
// BPU-NEXT:       %9 = bpu.concat %7, %8 {axis = 2 : i64}
// BPU-NEXT:       %10 = bpu.reshape %9
// BPU-NEXT:       %11 = bpu.transpose %10 {permutation = array<i64: 0, 3, 1, 2>}
// BPU-NEXT:       %12 = bpu.dequantize %11
// NASH: func.func @bias
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.tae.convolution
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @depthwise
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.tae.convolution
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @transposed
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.tae.convolution
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.tae.convolution
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
