// GOLDEN: HB_BLESS=1 make test writes the expectations; what they say is checked by tests of values (tests/levels/).
// Elementwise arithmetic of two operands, clamps and slopes.
// RUN: hb-opt %s --hfloat-optimize --hfloat-to-qdq=default=4.0 --qdq-to-bpu | sed -n '/func.func/s/(.*//p; /= bpu\|= cpu\|= hfloat/{s/ : (.*//; s/ : tensor.*//; s/array<i8: [^>]*>/array/; p}' | FileCheck %s --check-prefix=BPU --match-full-lines
// RUN: hb-opt %s --hb-compile=default=4.0 | grep -o 'func.func @[a-z_0-9]*\|nash\.[a-z]*\.[a-z0-9_]*\|cpu\.segment' | FileCheck %s --check-prefix=NASH --match-full-lines

func.func @add(%x: tensor<1x4x4x4xf32>, %y: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %0 = hfloat.add %x, %y : (tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}

func.func @sub(%x: tensor<1x4x4x4xf32>, %y: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %0 = hfloat.sub %x, %y : (tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}

func.func @mul(%x: tensor<1x4x4x4xf32>, %y: tensor<1x4x1x1xf32>) -> tensor<*xf32> {
  %0 = hfloat.mul %x, %y : (tensor<1x4x4x4xf32>, tensor<1x4x1x1xf32>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}

func.func @max(%x: tensor<1x4x4x4xf32>, %y: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %0 = hfloat.max %x, %y : (tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}

func.func @min(%x: tensor<1x4x4x4xf32>, %y: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %0 = hfloat.min %x, %y : (tensor<1x4x4x4xf32>, tensor<1x4x4x4xf32>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}

func.func @clip(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %low = hfloat.constant dense<0.0> : tensor<f32> loc("low")
  %high = hfloat.constant dense<2.0> : tensor<f32> loc("high")
  %0 = hfloat.clip %x, %low, %high : (tensor<1x4x4x4xf32>, tensor<f32>, tensor<f32>) -> tensor<*xf32> loc("Clip_0")
  return %0 : tensor<*xf32>
}

func.func @p_relu(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %s = hfloat.constant dense<[[[0.1]], [[0.2]], [[0.3]], [[0.4]]]> : tensor<4x1x1xf32> loc("slope")
  %0 = hfloat.p_relu %x, %s : (tensor<1x4x4x4xf32>, tensor<4x1x1xf32>) -> tensor<*xf32> loc("PRelu_0")
  return %0 : tensor<*xf32>
}
// BPU:   func.func @add
// BPU-NEXT:     %0 = bpu.segment(%arg0, %arg1) {
// BPU-NEXT:       %1 = bpu.quantize %arg2
// BPU-NEXT:       %2 = bpu.quantize %arg3
// BPU-NEXT:       %3 = bpu.add %1, %2
// BPU-NEXT:       %4 = bpu.dequantize %3
// BPU-NEXT:   func.func @sub
// BPU-NEXT:     %0 = bpu.segment(%arg0, %arg1) {
// BPU-NEXT:       %1 = bpu.quantize %arg2
// BPU-NEXT:       %2 = bpu.quantize %arg3
// BPU-NEXT:       %3 = bpu.sub %1, %2
// BPU-NEXT:       %4 = bpu.dequantize %3
// BPU-NEXT:   func.func @mul
// BPU-NEXT:     %0 = bpu.segment(%arg0, %arg1) {
// BPU-NEXT:       %1 = bpu.quantize %arg2
// BPU-NEXT:       %2 = bpu.quantize %arg3
// BPU-NEXT:       %3 = bpu.mul %1, %2
// BPU-NEXT:       %4 = bpu.dequantize %3
// BPU-NEXT:   func.func @max
// BPU-NEXT:     %0 = bpu.segment(%arg0, %arg1) {
// BPU-NEXT:       %1 = bpu.quantize %arg2
// BPU-NEXT:       %2 = bpu.quantize %arg3
// BPU-NEXT:       %3 = bpu.sub %2, %1 {clamp_max = 32767 : i64, clamp_min = 0 : i64}
// BPU-NEXT:       %4 = bpu.add %1, %3
// BPU-NEXT:       %5 = bpu.dequantize %4
// BPU-NEXT:   func.func @min
// BPU-NEXT:     %0 = bpu.segment(%arg0, %arg1) {
// BPU-NEXT:       %1 = bpu.quantize %arg2
// BPU-NEXT:       %2 = bpu.quantize %arg3
// BPU-NEXT:       %3 = bpu.sub %2, %1 {clamp_max = 0 : i64, clamp_min = -32768 : i64}
// BPU-NEXT:       %4 = bpu.add %1, %3
// BPU-NEXT:       %5 = bpu.dequantize %4
// BPU-NEXT:   func.func @clip
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.requantize %1 {clamp_max = 64 : i64, clamp_min = 0 : i64}
// BPU-NEXT:       %3 = bpu.dequantize %2
// BPU-NEXT:   func.func @p_relu
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.constant dense<{{\[\[}}[32]], {{\[\[}}64]], {{\[\[}}95]], {{\[\[}}127]]]>
// BPU-NEXT:       %2 = bpu.quantize %arg1
// BPU-NEXT:       %3 = bpu.p_relu %2, %1
// BPU-NEXT:       %4 = bpu.dequantize %3
// NASH: func.func @add
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.add
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @sub
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.add
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @mul
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.mul
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @max
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.add
// NASH-NEXT: nash.vae.add
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @min
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.add
// NASH-NEXT: nash.vae.add
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @clip
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.requantize
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @p_relu
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.p_relu
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
