// GOLDEN: HB_BLESS=1 make test writes the expectations; what they say is checked by tests of values (tests/levels/).
// Functions of one variable are tables.
// RUN: hb-opt %s --hfloat-optimize --hfloat-to-qdq=default=4.0 --qdq-to-bpu | sed -n '/func.func/s/(.*//p; /= bpu\|= cpu\|= hfloat/{s/ : (.*//; s/ : tensor.*//; s/array<i8: [^>]*>/array/; p}' | FileCheck %s --check-prefix=BPU --match-full-lines
// RUN: hb-opt %s --hb-compile=default=4.0 | grep -o 'func.func @[a-z_0-9]*\|nash\.[a-z]*\.[a-z0-9_]*\|cpu\.segment' | FileCheck %s --check-prefix=NASH --match-full-lines

func.func @sigmoid(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %0 = hfloat.sigmoid %x : (tensor<1x4x4x4xf32>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}

func.func @leaky_relu(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %0 = hfloat.leaky_relu %x {alpha = 0.25 : f32} : (tensor<1x4x4x4xf32>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}

func.func @div(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %c = hfloat.constant dense<4.0> : tensor<f32> loc("divisor")
  %0 = hfloat.div %x, %c : (tensor<1x4x4x4xf32>, tensor<f32>) -> tensor<*xf32> loc("Div_0")
  return %0 : tensor<*xf32>
}
// BPU:   func.func @sigmoid
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.lookup %1 {table = array}
// BPU-NEXT:       %3 = bpu.dequantize %2
// BPU-NEXT:   func.func @leaky_relu
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.lookup %1 {table = array}
// BPU-NEXT:       %3 = bpu.dequantize %2
// BPU-NEXT:   func.func @div
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.constant dense<127>
// BPU-NEXT:       %2 = bpu.quantize %arg1
// BPU-NEXT:       %3 = bpu.mul %2, %1
// BPU-NEXT:       %4 = bpu.dequantize %3
// NASH: func.func @sigmoid
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @leaky_relu
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @div
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.mul
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
