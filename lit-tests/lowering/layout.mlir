// GOLDEN: HB_BLESS=1 make test writes the expectations; what they say is checked by tests of values (tests/levels/).
// Layout: nothing is computed, cells move. A Sigmoid before makes the values integers.
// RUN: hb-opt %s --hfloat-optimize --hfloat-to-qdq=default=4.0 --qdq-to-bpu | sed -n '/func.func/s/(.*//p; /= bpu\|= cpu\|= hfloat/{s/ : (.*//; s/ : tensor.*//; s/array<i8: [^>]*>/array/; p}' | FileCheck %s --check-prefix=BPU --match-full-lines
// RUN: hb-opt %s --hb-compile=default=4.0 | grep -o 'func.func @[a-z_0-9]*\|nash\.[a-z]*\.[a-z0-9_]*\|cpu\.segment' | FileCheck %s --check-prefix=NASH --match-full-lines

func.func @concat(%x: tensor<1x2x4x4xf32>, %y: tensor<1x3x4x4xf32>) -> tensor<*xf32> {
  %x_q = hfloat.sigmoid %x : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> loc("x")
  %y_q = hfloat.sigmoid %y : (tensor<1x3x4x4xf32>) -> tensor<1x3x4x4xf32> loc("y")
  %0 = hfloat.concat %x_q, %y_q {axis = 1 : si64} : (tensor<1x2x4x4xf32>, tensor<1x3x4x4xf32>) -> tensor<*xf32> loc("Concat_0")
  return %0 : tensor<*xf32>
}

func.func @slice(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %x_q = hfloat.sigmoid %x : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32> loc("x")
  %starts = hfloat.constant dense<[1, 3]> : tensor<2xi64> loc("starts")
  %ends = hfloat.constant dense<[3, -5]> : tensor<2xi64> loc("ends")
  %axes = hfloat.constant dense<[1, 2]> : tensor<2xi64> loc("axes")
  %steps = hfloat.constant dense<[1, -1]> : tensor<2xi64> loc("steps")
  %0 = hfloat.slice %x_q, %starts, %ends, %axes, %steps : (tensor<1x4x4x4xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<*xf32> loc("Slice_0")
  return %0 : tensor<*xf32>
}

func.func @pad(%x: tensor<1x2x4x4xf32>) -> tensor<*xf32> {
  %x_q = hfloat.sigmoid %x : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> loc("x")
  %pads = hfloat.constant dense<[0, 0, 1, 1, 0, 0, 1, 1]> : tensor<8xi64> loc("pads")
  %value = hfloat.constant dense<0.0> : tensor<f32> loc("value")
  %axes = hfloat.constant dense<[0, 1, 2, 3]> : tensor<4xi64> loc("axes")
  %0 = hfloat.pad %x_q, %pads, %value, %axes {mode = #hfloat.pad_mode<reflect>} : (tensor<1x2x4x4xf32>, tensor<8xi64>, tensor<f32>, tensor<4xi64>) -> tensor<*xf32> loc("Pad_0")
  return %0 : tensor<*xf32>
}

func.func @transpose(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %x_q = hfloat.sigmoid %x : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32> loc("x")
  %0 = hfloat.transpose %x_q {perm = array<i64: 0, 2, 1, 3>} : (tensor<1x4x4x4xf32>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}

func.func @reshape(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %x_q = hfloat.sigmoid %x : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32> loc("x")
  %shape = hfloat.constant dense<[1, -1]> : tensor<2xi64> loc("shape")
  %0 = hfloat.reshape %x_q, %shape : (tensor<1x4x4x4xf32>, tensor<2xi64>) -> tensor<*xf32> loc("Reshape_0")
  return %0 : tensor<*xf32>
}

func.func @depth_to_space(%x: tensor<1x4x4x4xf32>) -> tensor<*xf32> {
  %x_q = hfloat.sigmoid %x : (tensor<1x4x4x4xf32>) -> tensor<1x4x4x4xf32> loc("x")
  %0 = hfloat.depth_to_space %x_q {blocksize = 2 : si64} : (tensor<1x4x4x4xf32>) -> tensor<*xf32> loc("node")
  return %0 : tensor<*xf32>
}
// BPU:   func.func @concat
// BPU-NEXT:     %0 = bpu.segment(%arg0, %arg1) {
// BPU-NEXT:       %1 = bpu.quantize %arg2
// BPU-NEXT:       %2 = bpu.lookup %1 {table = array}
// BPU-NEXT:       %3 = bpu.quantize %arg3
// BPU-NEXT:       %4 = bpu.lookup %3 {table = array}
// BPU-NEXT:       %5 = bpu.concat %2, %4 {axis = 1 : i64}
// BPU-NEXT:       %6 = bpu.dequantize %5
// BPU-NEXT:   func.func @slice
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.lookup %1 {table = array}
// BPU-NEXT:       %3 = bpu.slice %2 {starts = array<i64: 0, 1, 3, 0>, steps = array<i64: 1, 1, -1, 1>}
// BPU-NEXT:       %4 = bpu.dequantize %3
// BPU-NEXT:   func.func @pad
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.lookup %1 {table = array}
// BPU-NEXT:       %3 = bpu.pad %2 {after = array<i64: 0, 0, 1, 1>, before = array<i64: 0, 0, 1, 1>, mode = "reflect"}
// BPU-NEXT:       %4 = bpu.dequantize %3
// BPU-NEXT:   func.func @transpose
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.lookup %1 {table = array}
// BPU-NEXT:       %3 = bpu.transpose %2 {permutation = array<i64: 0, 2, 1, 3>}
// BPU-NEXT:       %4 = bpu.dequantize %3
// BPU-NEXT:   func.func @reshape
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.lookup %1 {table = array}
// BPU-NEXT:       %3 = bpu.reshape %2
// BPU-NEXT:       %4 = bpu.dequantize %3
// BPU-NEXT:   func.func @depth_to_space
// BPU-NEXT:     %0 = bpu.segment(%arg0) {
// BPU-NEXT:       %1 = bpu.quantize %arg1
// BPU-NEXT:       %2 = bpu.lookup %1 {table = array}
// BPU-NEXT:       %3 = bpu.transpose %2 {permutation = array<i64: 0, 2, 3, 1>}
// BPU-NEXT:       %4 = bpu.reshape %3
// BPU-NEXT:       %5 = bpu.transpose %4 {permutation = array<i64: 0, 1, 3, 2, 4, 5>}
// BPU-NEXT:       %6 = bpu.reshape %5
// BPU-NEXT:       %7 = bpu.reshape %6
// BPU-NEXT:       %8 = bpu.dequantize %7
// NASH: func.func @concat
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @slice
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @pad
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
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @transpose
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @reshape
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
// NASH-NEXT: func.func @depth_to_space
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.load.copy
// NASH-NEXT: nash.vpu.quantize
// NASH-NEXT: nash.vae.lookup
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.dte.copy
// NASH-NEXT: nash.vpu.dequantize
// NASH-NEXT: nash.store.copy
