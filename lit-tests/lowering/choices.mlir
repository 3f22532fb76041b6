// GOLDEN: HB_BLESS=1 make test writes the expectations; what they say is checked by tests of values (tests/end_to_end/choices.rs).
// Comparisons, choices, positions and casts: f32 between programs, converted where it leaves the BPU.
// RUN: hb-opt %s --hfloat-optimize --hfloat-to-qdq=default=4.0 --qdq-to-bpu | sed -n '/func.func/s/(.*//p; /= bpu\|= cpu\|= hfloat/{s/ : (.*//; s/ : tensor.*//; s/array<i8: [^>]*>/array/; p}' | FileCheck %s --check-prefix=BPU --match-full-lines
// RUN: hb-opt %s --hb-compile=default=4.0 | grep -o 'func.func @[a-z_0-9]*\|nash\.[a-z]*\.[a-z0-9_]*\|cpu\.segment' | FileCheck %s --check-prefix=NASH --match-full-lines

func.func @choice(%x: tensor<2x3x5xf32>, %c: tensor<5xi1>) -> tensor<*xf32> {
  %0 = hfloat.neg %x : (tensor<2x3x5xf32>) -> tensor<*xf32> loc("first")
  %1 = hfloat.less %0, %x : (tensor<*xf32>, tensor<2x3x5xf32>) -> tensor<2x3x5xi1> loc("smaller")
  %2 = hfloat.and %1, %c : (tensor<2x3x5xi1>, tensor<5xi1>) -> tensor<2x3x5xi1> loc("both")
  %3 = hfloat.where %1, %0, %x : (tensor<2x3x5xi1>, tensor<*xf32>, tensor<2x3x5xf32>) -> tensor<*xf32> loc("chosen")
  %4 = hfloat.neg %3 : (tensor<*xf32>) -> tensor<*xf32> loc("last")
  return %4 : tensor<*xf32>
}

func.func @classes(%x: tensor<1x4x3x2xf32>) -> tensor<*xi64> {
  %0 = hfloat.neg %x : (tensor<1x4x3x2xf32>) -> tensor<*xf32> loc("first")
  %1 = hfloat.arg_max %0 {axis = 1 : si64, keepdims = false} : (tensor<*xf32>) -> tensor<*xi64> loc("node")
  return %1 : tensor<*xi64>
}

func.func @position_among_numbers(%x: tensor<2x5xf32>) -> tensor<*xf32> {
  %0 = hfloat.arg_min %x {axis = -1 : si64, select_last_index = true} : (tensor<2x5xf32>) -> tensor<*xi64> loc("node")
  %1 = hfloat.cast %0 : (tensor<*xi64>) -> tensor<*xf32> loc("real")
  %2 = hfloat.mul %1, %x : (tensor<*xf32>, tensor<2x5xf32>) -> tensor<*xf32> loc("last")
  return %2 : tensor<*xf32>
}
// BPU:   func.func @choice
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg2
// BPU-NEXT:       %2 = bpu.lookup %1 {table = array}
// BPU-NEXT:       %3 = bpu.vector %2, %arg2 {axes = array<i64>, program = ["%0 = load 0", "%1 = load 1", "%2 = less %0 %1"]}
// BPU-NEXT:       %4 = bpu.vector %3, %2, %1 {axes = array<i64>, program = ["%0 = load 0", "%1 = load 1", "%2 = load 2", "%3 = select %0 %1 %2"]}
// BPU-NEXT:       %5 = bpu.lookup %4 {table = array}
// BPU-NEXT:       %6 = bpu.dequantize %5
// BPU-NEXT:   func.func @classes
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %2 = bpu.constant dense<{{\[\[}}[0.000000e+00]], {{\[\[}}1.000000e+00]], {{\[\[}}2.000000e+00]], {{\[\[}}3.000000e+00]]]>
// BPU-NEXT:       %3 = bpu.quantize %arg1
// BPU-NEXT:       %4 = bpu.lookup %3 {table = array}
// BPU-NEXT:       %5 = bpu.reshape %4
// BPU-NEXT:       %6 = bpu.vector %5, %2 {axes = array<i64: 0>, program = ["%0 = load 0", "%1 = reduce_maximum %0", "%2 = equal %0 %0", "%3 = constant 0.0", "%4 = equal %2 %3", "%5 = equal %0 %1", "%6 = maximum %4 %5", "%7 = load 1", "%8 = constant 4.0", "%9 = select %6 %7 %8", "%10 = reduce_minimum %9", "%11 = less %10 %8", "%12 = select %11 %10 %3"]}
// BPU-NEXT:     %1 = cpu.segment(%0) {
// BPU-NEXT:       %2 = hfloat.cast %arg1
// BPU-NEXT:   func.func @position_among_numbers
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.constant dense<{{\[\[}}0.000000e+00, 1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]]>
// BPU-NEXT:       %2 = bpu.vector %arg1, %1 {axes = array<i64: 1>, program = ["%0 = load 0", "%1 = reduce_minimum %0", "%2 = equal %0 %0", "%3 = constant 0.0", "%4 = equal %2 %3", "%5 = equal %0 %1", "%6 = maximum %4 %5", "%7 = load 1", "%8 = select %6 %7 %3", "%9 = reduce_maximum %8", "%10 = constant 5.0", "%11 = less %9 %10", "%12 = select %11 %9 %3"]}
// BPU-NEXT:       %3 = bpu.reshape %2
// BPU-NEXT:       %4 = bpu.vector %3 {axes = array<i64>, program = ["%0 = load 0"]}
// BPU-NEXT:       %5 = bpu.reshape %4
// BPU-NEXT:       %6 = bpu.quantize %arg1
// BPU-NEXT:       %7 = bpu.mul %5, %6
// BPU-NEXT:       %8 = bpu.dequantize %7
// NASH: func.func @choice
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @classes
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.store.copy
// NASH-NEXT: cpu.segment
// NASH-NEXT: func.func @position_among_numbers
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.mul
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
