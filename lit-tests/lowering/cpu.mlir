// GOLDEN: HB_BLESS=1 make test writes the expectations; what they say is checked by tests of values (tests/levels/).
// What has no hardware form stays float, in a segment of the CPU between those of the BPU.
// RUN: hb-opt %s --hfloat-optimize --hfloat-to-qdq=default=4.0 --qdq-to-bpu | sed -n '/func.func/s/(.*//p; /= bpu\|= cpu\|= hfloat/{s/ : (.*//; s/ : tensor.*//; s/array<i8: [^>]*>/array/; p}' | FileCheck %s --check-prefix=BPU --match-full-lines
// RUN: hb-opt %s --hb-compile=default=4.0 | grep -o 'func.func @[a-z_0-9]*\|nash\.[a-z]*\.[a-z0-9_]*\|cpu\.segment' | FileCheck %s --check-prefix=NASH --match-full-lines

func.func @main(%x: tensor<1x4xf32>) -> tensor<*xf32> {
  %0 = hfloat.sigmoid %x : (tensor<1x4xf32>) -> tensor<*xf32> loc("Sigmoid_0")
  %axis = hfloat.constant dense<1> : tensor<i64>
  %1 = hfloat.cum_sum %0, %axis : (tensor<*xf32>, tensor<i64>) -> tensor<*xf32> loc("CumSum_1")
  %2 = hfloat.sigmoid %1 : (tensor<*xf32>) -> tensor<*xf32> loc("Sigmoid_2")
  return %2 : tensor<*xf32>
}
// BPU:   func.func @main
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %3 = bpu.quantize %arg1
// BPU-NEXT:       %4 = bpu.lookup %3 {table = array}
// BPU-NEXT:       %5 = bpu.dequantize %4
// BPU-NEXT:     %1 = cpu.segment(%0) {
// BPU-NEXT:       %3 = hfloat.constant dense<1>
// BPU-NEXT:       %4 = hfloat.cum_sum %arg1, %3 {hfloat.placement = "cpu", hfloat.placement_reason = "CumSum has no form on the BPU.", hfloat.threshold = 4.000000e+00 : f64}
// BPU-NEXT:     %2 = bpu.segment(%1) {
// BPU-NEXT:       %3 = bpu.quantize %arg1
// BPU-NEXT:       %4 = bpu.lookup %3 {table = array}
// BPU-NEXT:       %5 = bpu.dequantize %4
// NASH: func.func @main
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: cpu.segment
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
