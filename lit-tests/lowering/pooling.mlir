// GOLDEN: HB_BLESS=1 make test writes the expectations; what they say is checked by tests of values (tests/levels/).
// Windows and reductions. A Sigmoid before makes the values integers.
// RUN: hb-opt %s --hfloat-optimize --hfloat-to-qdq=default=4.0 --qdq-to-bpu | sed -n '/func.func/s/(.*//p; /= bpu\|= cpu\|= hfloat/{s/ : (.*//; s/ : tensor.*//; s/array<i8: [^>]*>/array/; p}' | FileCheck %s --check-prefix=BPU --match-full-lines
// RUN: hb-opt %s --hb-compile=default=4.0 | grep -o 'func.func @[a-z_0-9]*\|nash\.[a-z]*\.[a-z0-9_]*\|cpu\.segment' | FileCheck %s --check-prefix=NASH --match-full-lines

func.func @max_pool(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %x_q = hfloat.sigmoid %x : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32> loc("x")
  %0 = hfloat.max_pool %x_q {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x4xf32>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}

func.func @average_pool(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %x_q = hfloat.sigmoid %x : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32> loc("x")
  %0 = hfloat.average_pool %x_q {kernel_shape = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x4xf32>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}

func.func @global_average_pool(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %x_q = hfloat.sigmoid %x : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32> loc("x")
  %0 = hfloat.global_average_pool %x_q : (tensor<1x4x4x4xf32>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}

func.func @global_max_pool(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %x_q = hfloat.sigmoid %x : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32> loc("x")
  %0 = hfloat.global_max_pool %x_q : (tensor<1x4x4x4xf32>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}

func.func @reduce_mean(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %x_q = hfloat.sigmoid %x : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32> loc("x")
  %axes = hfloat.constant dense<[2, 3]> : tensor<2xi64> loc("axes")
  %0 = hfloat.reduce_mean %x_q, %axes : (tensor<1x4x4x4xf32>, tensor<2xi64>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}

func.func @reduce_sum(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %x_q = hfloat.sigmoid %x : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32> loc("x")
  %axes = hfloat.constant dense<[2, 3]> : tensor<2xi64> loc("axes")
  %0 = hfloat.reduce_sum %x_q, %axes : (tensor<1x4x4x4xf32>, tensor<2xi64>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}

func.func @reduce_min(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %x_q = hfloat.sigmoid %x : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32> loc("x")
  %axes = hfloat.constant dense<[2, 3]> : tensor<2xi64> loc("axes")
  %0 = hfloat.reduce_min %x_q, %axes : (tensor<1x4x4x4xf32>, tensor<2xi64>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}
// BPU:   func.func @max_pool
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.lookup %1 {table = array}
// BPU-NEXT:       %3 = bpu.transpose %2 {permutation = array<i64: 0, 2, 3, 1>}
// BPU-NEXT:       %4 = bpu.max_pool %3 {dilations = array<i64: 1, 1>, kernel_shape = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>}
// BPU-NEXT:       %5 = bpu.transpose %4 {permutation = array<i64: 0, 3, 1, 2>}
// BPU-NEXT:       %6 = bpu.dequantize %5
// BPU-NEXT:   func.func @average_pool
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.lookup %1 {table = array}
// BPU-NEXT:       %3 = bpu.transpose %2 {permutation = array<i64: 0, 2, 3, 1>}
// BPU-NEXT:       %4 = bpu.average_pool %3 {kernel_shape = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 1, 1>}
// BPU-NEXT:       %5 = bpu.transpose %4 {permutation = array<i64: 0, 3, 1, 2>}
// BPU-NEXT:       %6 = bpu.dequantize %5
// BPU-NEXT:   func.func @global_average_pool
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.lookup %1 {table = array}
// BPU-NEXT:       %3 = bpu.transpose %2 {permutation = array<i64: 0, 2, 3, 1>}
// BPU-NEXT:       %4 = bpu.average_pool %3 {kernel_shape = array<i64: 4, 4>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>}
// BPU-NEXT:       %5 = bpu.reshape %4
// BPU-NEXT:       %6 = bpu.dequantize %5
// BPU-NEXT:   func.func @global_max_pool
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.lookup %1 {table = array}
// BPU-NEXT:       %3 = bpu.transpose %2 {permutation = array<i64: 2, 3, 0, 1>}
// BPU-NEXT:       %4 = bpu.reshape %3
// BPU-NEXT:       %5 = bpu.max_pool %4 {dilations = array<i64: 1, 1>, kernel_shape = array<i64: 16, 1>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>}
// BPU-NEXT:       %6 = bpu.reshape %5
// BPU-NEXT:       %7 = bpu.reshape %6
// BPU-NEXT:       %8 = bpu.dequantize %7
// BPU-NEXT:   func.func @reduce_mean
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.lookup %1 {table = array}
// BPU-NEXT:       %3 = bpu.transpose %2 {permutation = array<i64: 2, 3, 0, 1>}
// BPU-NEXT:       %4 = bpu.reshape %3
// BPU-NEXT:       %5 = bpu.average_pool %4 {kernel_shape = array<i64: 16, 1>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>}
// BPU-NEXT:       %6 = bpu.reshape %5
// BPU-NEXT:       %7 = bpu.reshape %6
// BPU-NEXT:       %8 = bpu.dequantize %7
// BPU-NEXT:   func.func @reduce_sum
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.constant dense<1>
// BPU-NEXT:       %2 = bpu.quantize %arg1
// BPU-NEXT:       %3 = bpu.lookup %2 {table = array}
// BPU-NEXT:       %4 = bpu.transpose %3 {permutation = array<i64: 2, 3, 0, 1>}
// BPU-NEXT:       %5 = bpu.reshape %4
// BPU-NEXT:       %6 = bpu.conv2d %5, %1 {dilations = array<i64: 1, 1>, group = 4 : i64, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>}
// BPU-NEXT:       %7 = bpu.reshape %6
// BPU-NEXT:       %8 = bpu.reshape %7
// BPU-NEXT:       %9 = bpu.dequantize %8
// BPU-NEXT:   func.func @reduce_min
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.constant dense<-1>
// BPU-NEXT:       %2 = bpu.quantize %arg1
// BPU-NEXT:       %3 = bpu.lookup %2 {table = array}
// BPU-NEXT:       %4 = bpu.transpose %3 {permutation = array<i64: 2, 3, 0, 1>}
// BPU-NEXT:       %5 = bpu.reshape %4
// BPU-NEXT:       %6 = bpu.sub %1, %5
// BPU-NEXT:       %7 = bpu.max_pool %6 {dilations = array<i64: 1, 1>, kernel_shape = array<i64: 16, 1>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>}
// BPU-NEXT:       %8 = bpu.sub %1, %7
// BPU-NEXT:       %9 = bpu.reshape %8
// BPU-NEXT:       %10 = bpu.reshape %9
// BPU-NEXT:       %11 = bpu.dequantize %10
// NASH: func.func @max_pool
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.aae.max_pool
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @average_pool
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.aae.average_pool
// NASH-NEXT: nash.aae.average_pool
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @global_average_pool
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.aae.average_pool
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @global_max_pool
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.aae.max_pool
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @reduce_mean
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.aae.average_pool
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @reduce_sum
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.tae.convolution
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @reduce_min
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.vae.add
// NASH-NEXT: nash.aae.max_pool
// NASH-NEXT: nash.vae.add
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
