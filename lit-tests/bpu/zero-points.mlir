// Zero points: where they come from, and what the lowering makes of them.
// RUN: hb-opt %s --quant-insert-casts --bpu-assign-placement --bpu-form-segments --bpu-verify | FileCheck %s

// A threshold of 255 steps from -128 on is a scale of 1; a Relu ends at the zero point, padding is the zero point.
// CHECK-LABEL: func.func @relu_and_padding
func.func @relu_and_padding(%x: tensor<1x2x3x4xf32> {hfloat.threshold = 255.0 : f64, hfloat.zero_point = -128 : i64}) -> tensor<1x2x5x4xf32> {
  %n = hfloat.constant dense<[0, 0, 1, 0, 0, 0, 1, 0]> : tensor<8xi64>
  // CHECK: %[[Q:.*]] = bpu.quantize {{.*}} -> tensor<1x2x3x4x!quant.uniform<i8:f32, 1.000000e+00:-128>>
  // CHECK: bpu.pad {{.*}}value = -128 : i64} : ({{.*}}:-128>>) -> tensor<1x2x5x4x!quant.uniform<i8:f32, 1.000000e+00:-128>>
  // CHECK: bpu.requantize {{.*}} {clamp_max = 127 : i64, clamp_min = 3 : i64} : {{.*}} -> tensor<1x2x5x4x!quant.uniform<i8:f32, 1.000000e+00:3>>
  %v = hfloat.constant dense<0.0> : tensor<f32>
  %d = hfloat.constant dense<[0, 1, 2, 3]> : tensor<4xi64>
  %p = hfloat.pad %x, %n, %v, %d : (tensor<1x2x3x4xf32>, tensor<8xi64>, tensor<f32>, tensor<4xi64>) -> tensor<1x2x5x4xf32>
  %y = hfloat.relu %p {hfloat.threshold = 131.0 : f64, hfloat.zero_point = 3 : i64} : (tensor<1x2x5x4xf32>) -> tensor<1x2x5x4xf32>
  return %y : tensor<1x2x5x4xf32>
}

// c - x has every integer of its type only where its zero point is -1 less that of x.
// CHECK-LABEL: func.func @minimum
func.func @minimum(%x: tensor<2x4xf32> {hfloat.threshold = 255.0 : f64, hfloat.zero_point = -128 : i64}) -> tensor<2x1xf32> {
  %a = hfloat.constant dense<[1]> : tensor<1xi64>
  // CHECK-DAG: bpu.constant dense<0> : tensor<1x1x1x1xi8>
  // CHECK: bpu.sub {{.*}} -> tensor<1x4x1x2x!quant.uniform<i8:f32, 1.000000e+00:127>>
  // CHECK: bpu.max_pool
  // CHECK: bpu.sub {{.*}} -> tensor<1x1x1x2x!quant.uniform<i8:f32, 1.000000e+00:-128>>
  %r = hfloat.relu %x {hfloat.threshold = 255.0 : f64, hfloat.zero_point = -128 : i64} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %y = hfloat.reduce_min %r, %a {hfloat.threshold = 255.0 : f64, hfloat.zero_point = -128 : i64} : (tensor<2x4xf32>, tensor<1xi64>) -> tensor<2x1xf32>
  return %y : tensor<2x1xf32>
}

// The second operand of a product has none: it is seen in another type than the value has.
// CHECK-LABEL: func.func @second_factor
func.func @second_factor(%x: tensor<2x4xf32> {hfloat.threshold = 255.0 : f64, hfloat.zero_point = -128 : i64}, %z: tensor<4x3xf32> {hfloat.threshold = 255.0 : f64, hfloat.zero_point = -128 : i64}) -> tensor<2x3xf32> {
  // CHECK: bpu.matmul {{.*}} : (tensor<2x4x!quant.uniform<i8:f32, 1.000000e+00:-128>>, tensor<4x3x!quant.uniform<i8:f32, 2.00787{{[0-9e+]*}}>>)
  %y = hfloat.mat_mul %x, %z {hfloat.threshold = 1270.0 : f64} : (tensor<2x4xf32>, tensor<4x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}
