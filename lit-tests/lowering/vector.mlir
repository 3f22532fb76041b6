// GOLDEN: HB_BLESS=1 make test writes the expectations; what they say is checked by tests of values (tests/levels/).
// Functions of several operands and normalizations that the float engine computes.
// RUN: hb-opt %s --hfloat-optimize --hfloat-to-qdq=default=4.0 --qdq-to-bpu | sed -n '/func.func/s/(.*//p; /= bpu\|= cpu\|= hfloat/{s/ : (.*//; s/ : tensor.*//; s/array<i8: [^>]*>/array/; p}' | FileCheck %s --check-prefix=BPU --match-full-lines
// RUN: hb-opt %s --hb-compile=default=4.0 | grep -o 'func.func @[a-z_0-9]*\|nash\.[a-z]*\.[a-z0-9_]*\|cpu\.segment' | FileCheck %s --check-prefix=NASH --match-full-lines

func.func @softmax(%x: tensor<2x3x5xf32>) -> tensor<*xf32> {
  %0 = hfloat.softmax %x {axis = -1 : si64} : (tensor<2x3x5xf32>) -> tensor<*xf32> loc("node")
  %1 = hfloat.neg %0 : (tensor<*xf32>) -> tensor<*xf32> loc("last")
  return %1 : tensor<*xf32>
}

func.func @softmax_of_channels(%x: tensor<1x4x3x2xf32>) -> tensor<*xf32> {
  %0 = hfloat.softmax %x {axis = 1 : si64} : (tensor<1x4x3x2xf32>) -> tensor<*xf32> loc("node")
  %1 = hfloat.neg %0 : (tensor<*xf32>) -> tensor<*xf32> loc("last")
  return %1 : tensor<*xf32>
}

func.func @layer_normalization(%x: tensor<2x3x5xf32>) -> tensor<*xf32> {
  %s = hfloat.constant dense<2.0> : tensor<5xf32>
  %b = hfloat.constant dense<0.5> : tensor<5xf32>
  %0 = hfloat.layer_normalization %x, %s, %b {axis = -1 : si64} : (tensor<2x3x5xf32>, tensor<5xf32>, tensor<5xf32>) -> tensor<*xf32> loc("node")
  %1 = hfloat.neg %0 : (tensor<*xf32>) -> tensor<*xf32> loc("last")
  return %1 : tensor<*xf32>
}

func.func @group_normalization(%x: tensor<1x4x3x2xf32>) -> tensor<*xf32> {
  %s = hfloat.constant dense<2.0> : tensor<4xf32>
  %b = hfloat.constant dense<0.5> : tensor<4xf32>
  %0 = hfloat.group_normalization %x, %s, %b {num_groups = 2 : si64} : (tensor<1x4x3x2xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<*xf32> loc("node")
  %1 = hfloat.neg %0 : (tensor<*xf32>) -> tensor<*xf32> loc("last")
  return %1 : tensor<*xf32>
}

func.func @instance_normalization(%x: tensor<1x4x3x2xf32>) -> tensor<*xf32> {
  %s = hfloat.constant dense<2.0> : tensor<4xf32>
  %b = hfloat.constant dense<0.5> : tensor<4xf32>
  %0 = hfloat.instance_normalization %x, %s, %b : (tensor<1x4x3x2xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<*xf32> loc("node")
  %1 = hfloat.neg %0 : (tensor<*xf32>) -> tensor<*xf32> loc("last")
  return %1 : tensor<*xf32>
}

func.func @div(%x: tensor<2x3xf32>, %y: tensor<3xf32>) -> tensor<*xf32> {
  %0 = hfloat.div %x, %y : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<*xf32> loc("node")
  %1 = hfloat.neg %0 : (tensor<*xf32>) -> tensor<*xf32> loc("last")
  return %1 : tensor<*xf32>
}

func.func @pow(%x: tensor<2x3xf32>, %y: tensor<3xf32>) -> tensor<*xf32> {
  %0 = hfloat.pow %x, %y : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<*xf32> loc("node")
  %1 = hfloat.neg %0 : (tensor<*xf32>) -> tensor<*xf32> loc("last")
  return %1 : tensor<*xf32>
}

func.func @where(%x: tensor<2x3xf32>, %y: tensor<3xf32>) -> tensor<*xf32> {
  %c = hfloat.constant dense<[true, false, true]> : tensor<3xi1>
  %0 = hfloat.where %c, %x, %y : (tensor<3xi1>, tensor<2x3xf32>, tensor<3xf32>) -> tensor<*xf32> loc("node")
  %1 = hfloat.neg %0 : (tensor<*xf32>) -> tensor<*xf32> loc("last")
  return %1 : tensor<*xf32>
}

func.func @reduce_l2(%x: tensor<1x4x3x2xf32>) -> tensor<*xf32> {
  %a = hfloat.constant dense<[1, 3]> : tensor<2xi64>
  %0 = hfloat.reduce_l2 %x, %a {keepdims = false} : (tensor<1x4x3x2xf32>, tensor<2xi64>) -> tensor<*xf32> loc("node")
  %1 = hfloat.neg %0 : (tensor<*xf32>) -> tensor<*xf32> loc("last")
  return %1 : tensor<*xf32>
}

func.func @reduce_log_sum_exp(%x: tensor<2x3xf32>) -> tensor<*xf32> {
  %a = hfloat.constant dense<1> : tensor<1xi64>
  %0 = hfloat.reduce_log_sum_exp %x, %a : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32> loc("node")
  %1 = hfloat.neg %0 : (tensor<*xf32>) -> tensor<*xf32> loc("last")
  return %1 : tensor<*xf32>
}

func.func @last(%x: tensor<2x3xf32>) -> tensor<*xf32> {
  %0 = hfloat.softmax %x : (tensor<2x3xf32>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}
// BPU:   func.func @softmax
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.vector %1 {axes = array<i64: 2>, program = ["%0 = load 0", "%1 = reduce_maximum %0", "%2 = subtract %0 %1", "%3 = exp %2", "%4 = reduce_sum %3", "%5 = divide %3 %4"]}
// BPU-NEXT:       %3 = bpu.lookup %2 {table = array}
// BPU-NEXT:       %4 = bpu.dequantize %3
// BPU-NEXT:   func.func @softmax_of_channels
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.reshape %1
// BPU-NEXT:       %3 = bpu.vector %2 {axes = array<i64: 0>, program = ["%0 = load 0", "%1 = reduce_maximum %0", "%2 = subtract %0 %1", "%3 = exp %2", "%4 = reduce_sum %3", "%5 = divide %3 %4"]}
// BPU-NEXT:       %4 = bpu.reshape %3
// BPU-NEXT:       %5 = bpu.lookup %4 {table = array}
// BPU-NEXT:       %6 = bpu.dequantize %5
// BPU-NEXT:   func.func @layer_normalization
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.constant dense<2.000000e+00>
// BPU-NEXT:       %2 = bpu.constant dense<5.000000e-01>
// BPU-NEXT:       %3 = bpu.quantize %arg1
// BPU-NEXT:       %4 = bpu.vector %3, %1, %2 {axes = array<i64: 2>, program = ["%0 = load 0", "%1 = reduce_sum %0", "%2 = constant 5.0", "%3 = divide %1 %2", "%4 = subtract %0 %3", "%5 = multiply %4 %4", "%6 = reduce_sum %5", "%7 = constant 1.0", "%8 = divide %6 %2", "%9 = constant 1e-5", "%10 = add %8 %9", "%11 = sqrt %10", "%12 = divide %7 %11", "%13 = multiply %4 %12", "%14 = load 1", "%15 = multiply %13 %14", "%16 = load 2", "%17 = add %15 %16"]}
// BPU-NEXT:       %5 = bpu.lookup %4 {table = array}
// BPU-NEXT:       %6 = bpu.dequantize %5
// BPU-NEXT:   func.func @group_normalization
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.constant dense<2.000000e+00>
// BPU-NEXT:       %2 = bpu.constant dense<5.000000e-01>
// BPU-NEXT:       %3 = bpu.quantize %arg1
// BPU-NEXT:       %4 = bpu.reshape %3
// BPU-NEXT:       %5 = bpu.vector %4, %1, %2 {axes = array<i64: 1, 2, 3>, program = ["%0 = load 0", "%1 = reduce_sum %0", "%2 = constant 12.0", "%3 = divide %1 %2", "%4 = subtract %0 %3", "%5 = multiply %4 %4", "%6 = reduce_sum %5", "%7 = constant 1.0", "%8 = divide %6 %2", "%9 = constant 1e-5", "%10 = add %8 %9", "%11 = sqrt %10", "%12 = divide %7 %11", "%13 = multiply %4 %12", "%14 = load 1", "%15 = multiply %13 %14", "%16 = load 2", "%17 = add %15 %16"]}
// BPU-NEXT:       %6 = bpu.reshape %5
// BPU-NEXT:       %7 = bpu.lookup %6 {table = array}
// BPU-NEXT:       %8 = bpu.dequantize %7
// BPU-NEXT:   func.func @instance_normalization
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.constant dense<2.000000e+00>
// BPU-NEXT:       %2 = bpu.constant dense<5.000000e-01>
// BPU-NEXT:       %3 = bpu.quantize %arg1
// BPU-NEXT:       %4 = bpu.reshape %3
// BPU-NEXT:       %5 = bpu.vector %4, %1, %2 {axes = array<i64: 1, 2>, program = ["%0 = load 0", "%1 = reduce_sum %0", "%2 = constant 6.0", "%3 = divide %1 %2", "%4 = subtract %0 %3", "%5 = multiply %4 %4", "%6 = reduce_sum %5", "%7 = constant 1.0", "%8 = divide %6 %2", "%9 = constant 1e-5", "%10 = add %8 %9", "%11 = sqrt %10", "%12 = divide %7 %11", "%13 = multiply %4 %12", "%14 = load 1", "%15 = multiply %13 %14", "%16 = load 2", "%17 = add %15 %16"]}
// BPU-NEXT:       %6 = bpu.reshape %5
// BPU-NEXT:       %7 = bpu.lookup %6 {table = array}
// BPU-NEXT:       %8 = bpu.dequantize %7
// BPU-NEXT:   func.func @div
// BPU-NEXT:     %0 = bpu.segment(%arg0, %arg1) {
// BPU-NEXT:       %1 = bpu.quantize %arg2
// BPU-NEXT:       %2 = bpu.quantize %arg3
// BPU-NEXT:       %3 = bpu.reshape %2
// BPU-NEXT:       %4 = bpu.vector %1, %3 {axes = array<i64>, program = ["%0 = load 0", "%1 = load 1", "%2 = divide %0 %1"]}
// BPU-NEXT:       %5 = bpu.lookup %4 {table = array}
// BPU-NEXT:       %6 = bpu.dequantize %5
// BPU-NEXT:   func.func @pow
// BPU-NEXT:     %0 = bpu.segment(%arg0, %arg1) {
// BPU-NEXT:       %1 = bpu.quantize %arg2
// BPU-NEXT:       %2 = bpu.quantize %arg3
// BPU-NEXT:       %3 = bpu.reshape %2
// BPU-NEXT:       %4 = bpu.vector %1, %3 {axes = array<i64>, program = ["%0 = load 0", "%1 = load 1", "%2 = power %0 %1"]}
// BPU-NEXT:       %5 = bpu.lookup %4 {table = array}
// BPU-NEXT:       %6 = bpu.dequantize %5
// BPU-NEXT:   func.func @where
// BPU-NEXT:     %0 = bpu.segment(%arg0, %arg1) {
// BPU-NEXT:       %1 = bpu.constant dense<{{\[\[}}1.000000e+00, 0.000000e+00, 1.000000e+00]]>
// BPU-NEXT:       %2 = bpu.quantize %arg2
// BPU-NEXT:       %3 = bpu.quantize %arg3
// BPU-NEXT:       %4 = bpu.reshape %3
// BPU-NEXT:       %5 = bpu.vector %1, %2, %4 {axes = array<i64>, program = ["%0 = load 0", "%1 = load 1", "%2 = load 2", "%3 = select %0 %1 %2"]}
// BPU-NEXT:       %6 = bpu.lookup %5 {table = array}
// BPU-NEXT:       %7 = bpu.dequantize %6
// BPU-NEXT:   func.func @reduce_l2
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.reshape %1
// BPU-NEXT:       %3 = bpu.vector %2 {axes = array<i64: 0, 2>, program = ["%0 = load 0", "%1 = multiply %0 %0", "%2 = reduce_sum %1", "%3 = sqrt %2"]}
// BPU-NEXT:       %4 = bpu.reshape %3
// BPU-NEXT:       %5 = bpu.lookup %4 {table = array}
// BPU-NEXT:       %6 = bpu.dequantize %5
// BPU-NEXT:   func.func @reduce_log_sum_exp
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.vector %1 {axes = array<i64: 1>, program = ["%0 = load 0", "%1 = reduce_maximum %0", "%2 = absolute %1", "%3 = constant inf", "%4 = less %2 %3", "%5 = constant 0.0", "%6 = select %4 %1 %5", "%7 = subtract %0 %6", "%8 = exp %7", "%9 = reduce_sum %8", "%10 = log %9", "%11 = add %10 %6"]}
// BPU-NEXT:       %3 = bpu.lookup %2 {table = array}
// BPU-NEXT:       %4 = bpu.dequantize %3
// BPU-NEXT:   func.func @last
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.vector %arg1 {axes = array<i64: 1>, program = ["%0 = load 0", "%1 = reduce_maximum %0", "%2 = subtract %0 %1", "%3 = exp %2", "%4 = reduce_sum %3", "%5 = divide %3 %4"]}
// NASH: func.func @softmax
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @softmax_of_channels
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @layer_normalization
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @group_normalization
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @instance_normalization
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @div
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @pow
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @where
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @reduce_l2
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @reduce_log_sum_exp
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @last
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.run
// NASH-NEXT: nash.store.copy
