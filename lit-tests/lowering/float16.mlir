// GOLDEN: HB_BLESS=1 make test writes the expectations; what they say is checked by tests of values (tests/levels/float16.rs).
// Operations in float16 beside others in int8: conversions, programs, and what only moves.
// RUN: hb-opt %s --hfloat-optimize --hfloat-to-qdq=default=4.0 --qdq-to-bpu | sed -n '/func.func/s/(.*//p; /= bpu\|= cpu\|= hfloat/{s/ : (.*//; s/ : tensor.*//; s/array<i8: [^>]*>/array/; p}' | FileCheck %s --check-prefix=BPU --match-full-lines
// RUN: hb-opt %s --hb-compile=default=4.0 | grep -o 'func.func @[a-z_0-9]*\|nash\.[a-z]*\.[a-z0-9_]*\|cpu\.segment' | FileCheck %s --check-prefix=NASH --match-full-lines

func.func @between_integers(%x: tensor<2x3x5xf32>) -> tensor<*xf32> {
  %0 = hfloat.neg %x : (tensor<2x3x5xf32>) -> tensor<*xf32> loc("first")
  %1 = hfloat.sigmoid %0 {hfloat.float16} : (tensor<*xf32>) -> tensor<*xf32> loc("node")
  %2 = hfloat.neg %1 : (tensor<*xf32>) -> tensor<*xf32> loc("last")
  return %2 : tensor<*xf32>
}

func.func @moved(%x: tensor<2x3x5xf32>) -> tensor<*xf32> {
  %0 = hfloat.exp %x {hfloat.float16} : (tensor<2x3x5xf32>) -> tensor<*xf32> loc("node")
  %1 = hfloat.transpose %0 {perm = array<i64: 2, 0, 1>} : (tensor<*xf32>) -> tensor<*xf32> loc("turned")
  return %1 : tensor<*xf32>
}

func.func @without_form(%x: tensor<2x3xf32>) -> tensor<*xf32> {
  %w = hfloat.constant dense<0.5> : tensor<3x4xf32> loc("w")
  %0 = hfloat.gemm %x, %w {hfloat.float16} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}
// BPU:   func.func @between_integers
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.lookup %1 {table = array}
// BPU-NEXT:       %3 = bpu.vector %2 {axes = array<i64>, program = ["%0 = load 0"]}
// BPU-NEXT:       %4 = bpu.vector %3 {axes = array<i64>, program = ["%0 = constant 1.0", "%1 = load 0", "%2 = negate %1", "%3 = exp %2", "%4 = add %3 %0", "%5 = divide %0 %4"]}
// BPU-NEXT:       %5 = bpu.vector %4 {axes = array<i64>, program = ["%0 = load 0"]}
// BPU-NEXT:       %6 = bpu.lookup %5 {table = array}
// BPU-NEXT:       %7 = bpu.dequantize %6
// BPU-NEXT:   func.func @moved
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.vector %arg1 {axes = array<i64>, program = ["%0 = load 0"]}
// BPU-NEXT:       %2 = bpu.vector %1 {axes = array<i64>, program = ["%0 = load 0", "%1 = exp %0"]}
// BPU-NEXT:       %3 = bpu.transpose %2 {permutation = array<i64: 2, 0, 1>}
// BPU-NEXT:       %4 = bpu.vector %3 {axes = array<i64>, program = ["%0 = load 0"]}
// BPU-NEXT:   func.func @without_form
// BPU-NEXT:     %0 = cpu.segment(%arg0) {
// BPU-NEXT:       %1 = hfloat.constant dense<5.000000e-01>
// BPU-NEXT:       %2 = hfloat.gemm %arg1, %1 {hfloat.float16, hfloat.placement = "cpu", hfloat.placement_reason = "only the VPU computes in float16: sums of products are for the matrix engine, not for the VPU"}
// NASH: func.func @between_integers
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @moved
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @without_form
// NASH-NEXT: cpu.segment
