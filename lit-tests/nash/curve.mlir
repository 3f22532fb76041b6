// A curve becomes an instruction whose pieces are loaded; it goes into a .hbm and comes out as text.
// RUN: hb-opt %s --bpu-to-nash -o %t.mlir
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: hb-translate --emit-hbm %t.mlir -o - | hb-translate --disassemble-hbm - | FileCheck %s --check-prefix=TEXT

// Pieces of 26 bytes: starts -32768 (0, 128) and 1, coefficients c2, c1, c0: 0, 0, -1 and 3, 2, 1; padded to 64.
// CHECK: constants dense<[0, -128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]> : tensor<64xi8>
// CHECK: nash.load.copy {{.*}} source <constants 0 + 0,
// CHECK: nash.vae.curve {{.*}} input_element i16 output_element i8 pieces 2 shift 5 input <{{.*}}> table <{{[0-9]+}}, [26]> output <
// TEXT: vae.curve after load>={{.*}} shape=[{{[0-9]+}}] input_element=i16 output_element=i8 pieces=2 shift=5 {{.*}} table=@{{.*}}[26]
func.func @main(%x: tensor<64xf32>) -> tensor<64xf32> {
  %0 = bpu.segment(%x) {
  ^bb0(%input: tensor<64xf32>):
    %1 = bpu.quantize %input : (tensor<64xf32>) -> tensor<64x!quant.uniform<i16:f32, 0.5>> loc("q")
    %2 = bpu.curve %1 {starts = array<i64: -32768, 1>, quadratic = array<i64: 0, 3>, linear = array<i64: 0, 2>, constant = array<i64: -1, 1>, shift = 5}
        : (tensor<64x!quant.uniform<i16:f32, 0.5>>) -> tensor<64x!quant.uniform<i8:f32, 0.5>> loc("f")
    %3 = bpu.dequantize %2 : (tensor<64x!quant.uniform<i8:f32, 0.5>>) -> tensor<64xf32> loc("y")
    bpu.yield %3 : tensor<64xf32>
  } : (tensor<64xf32>) -> tensor<64xf32> loc("segment")
  return %0 : tensor<64xf32>
}
