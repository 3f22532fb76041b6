// What a file asks of operands, and of a result that would keep its 32-bit sums.
// RUN: hb-opt %s --quant-assign-thresholds=file=%S/Inputs/operands.json | FileCheck %s
// RUN: hb-opt %s --quant-assign-thresholds=file=%S/Inputs/operands.json --quant-insert-casts | FileCheck %s --check-prefix=CASTS

// CHECK: hfloat.conv {{.*}}hfloat.bits = 16 : i64, hfloat.narrow_threshold = 2.000000e+00 : f64, hfloat.threshold = 4.000000e+00 : f64
// CHECK: hfloat.conv {{.*}}hfloat.operand_bits = array<i64: 8>, hfloat.rounded, hfloat.threshold = 3.000000e+00 : f64

// The second convolution sees int8 of an int16 value, and its result is int8.
// CASTS: hfloat.conv
// CASTS: quant.qcast {{.*}}!quant.uniform<i16:f32
// CASTS: quant.qcast {{.*}}!quant.uniform<i8:f32
// CASTS: hfloat.conv
// CASTS: quant.qcast {{.*}}!quant.uniform<i8:f32
func.func @main(%x: tensor<1x2x4x4xf32> {hfloat.name = "image"}) -> tensor<1x2x4x4xf32> {
  %w = hfloat.constant dense<1.0> : tensor<2x2x1x1xf32> loc("w")
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32> loc("Conv_0")
  %1 = hfloat.conv %0, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32> loc("Conv_1")
  return %1 : tensor<1x2x4x4xf32>
}
