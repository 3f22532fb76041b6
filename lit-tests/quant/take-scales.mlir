// The scales that a network brings become those of its values; constants keep theirs.
// RUN: hb-opt %s --pass-pipeline="builtin.module(func.func(hfloat-infer-shapes,quant-take-scales))" --split-input-file | FileCheck %s

// uint8 with the zero point 0 is int8 with -128: 255 steps of 0.5. One of two readers gets the real value, and so does the other.
// CHECK-LABEL: func.func @values
// CHECK-SAME: %arg0: tensor<1x2xf32> {hfloat.threshold = 1.270000e+02 : f64}
// CHECK: %[[Y:.*]] = hfloat.relu %arg0 {hfloat.threshold = 1.275000e+02 : f64, hfloat.zero_point = -128 : i64}
// CHECK-NOT: quantize_linear
// CHECK: return %[[Y]], %[[Y]]
func.func @values(%x: tensor<1x2xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>) {
  %one = hfloat.constant dense<1.0> : tensor<f32>
  %zero = hfloat.constant dense<0> : tensor<i8>
  %q = hfloat.quantize_linear %x, %one, %zero : (tensor<1x2xf32>, tensor<f32>, tensor<i8>) -> tensor<1x2xi8>
  %d = hfloat.dequantize_linear %q, %one, %zero : (tensor<1x2xi8>, tensor<f32>, tensor<i8>) -> tensor<1x2xf32>
  %r = hfloat.relu %d : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %half = hfloat.constant dense<0.5> : tensor<f32>
  %low = hfloat.constant dense<0> : tensor<ui8>
  %u = hfloat.quantize_linear %r, %half, %low : (tensor<1x2xf32>, tensor<f32>, tensor<ui8>) -> tensor<1x2xui8>
  %a = hfloat.dequantize_linear %u, %half, %low : (tensor<1x2xui8>, tensor<f32>, tensor<ui8>) -> tensor<1x2xf32>
  %b = hfloat.dequantize_linear %u, %half, %low : (tensor<1x2xui8>, tensor<f32>, tensor<ui8>) -> tensor<1x2xf32>
  return %a, %b : tensor<1x2xf32>, tensor<1x2xf32>
}

// -----

// Integers that mean something else behind than before stay what they are, and both values have their scales.
// CHECK-LABEL: func.func @other_scales
// CHECK: hfloat.quantize_linear
// CHECK: hfloat.dequantize_linear {{.*}}hfloat.threshold = 2.540000e+02 : f64}
func.func @other_scales(%x: tensor<2xf32>) -> tensor<2xf32> {
  %one = hfloat.constant dense<1.0> : tensor<f32>
  %two = hfloat.constant dense<2.0> : tensor<f32>
  %zero = hfloat.constant dense<0> : tensor<i8>
  %q = hfloat.quantize_linear %x, %one, %zero {axis = 0 : si64} : (tensor<2xf32>, tensor<f32>, tensor<i8>) -> tensor<2xi8>
  %d = hfloat.dequantize_linear %q, %two, %zero {axis = 0 : si64} : (tensor<2xi8>, tensor<f32>, tensor<i8>) -> tensor<2xf32>
  return %d : tensor<2xf32>
}

// -----

// CHECK-LABEL: func.func @weights
// CHECK: hfloat.constant {hfloat.scale_axis = 1 : i64, hfloat.scales = array<f64: 5.000000e-01, 2.000000e+00>} {{.*}} : tensor<2x2xf32>
func.func @weights() -> tensor<2x2xf32> {
  %w = hfloat.constant dense<[[1, -2], [3, 127]]> : tensor<2x2xi8>
  %s = hfloat.constant dense<[0.5, 2.0]> : tensor<2xf32>
  %z = hfloat.constant dense<0> : tensor<2xi8>
  %d = hfloat.dequantize_linear %w, %s, %z : (tensor<2x2xi8>, tensor<2xf32>, tensor<2xi8>) -> tensor<2x2xf32>
  return %d : tensor<2x2xf32>
}

// -----

// Integers of 16 bits become symmetric ones that reach as far: 65535 halves. What they clip, a convolution clips; an input has a Clip of its own.
// CHECK-LABEL: func.func @wide
// CHECK-SAME: %[[X:.*]]: tensor<1x1x2x2xf32> {hfloat.bits = 16 : i64, hfloat.threshold = 3.276750e+04 : f64}
// CHECK-NOT: quantize_linear
// CHECK: %[[CLIP:.*]] = hfloat.clip %[[X]], {{.*}} {hfloat.bits = 16 : i64, hfloat.threshold = 3.276750e+04 : f64}
// CHECK: hfloat.conv %[[CLIP]], {{.*}}activation = #hfloat.clamp<0.000000e+00 : f64, 3.276750e+04 : f64>{{.*}}hfloat.bits = 16 : i64{{.*}}hfloat.threshold = 3.276750e+04 : f64
// CHECK-NOT: hfloat.clip
func.func @wide(%x: tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32> {
  %half = hfloat.constant dense<0.5> : tensor<f32>
  %low = hfloat.constant dense<0> : tensor<ui16>
  %w = hfloat.constant dense<2.0> : tensor<1x1x1x1xf32>
  %q = hfloat.quantize_linear %x, %half, %low : (tensor<1x1x2x2xf32>, tensor<f32>, tensor<ui16>) -> tensor<1x1x2x2xui16>
  %d = hfloat.dequantize_linear %q, %half, %low : (tensor<1x1x2x2xui16>, tensor<f32>, tensor<ui16>) -> tensor<1x1x2x2xf32>
  %c = hfloat.conv %d, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x1x2x2xf32>, tensor<1x1x1x1xf32>) -> tensor<1x1x2x2xf32>
  %u = hfloat.quantize_linear %c, %half, %low : (tensor<1x1x2x2xf32>, tensor<f32>, tensor<ui16>) -> tensor<1x1x2x2xui16>
  %y = hfloat.dequantize_linear %u, %half, %low : (tensor<1x1x2x2xui16>, tensor<f32>, tensor<ui16>) -> tensor<1x1x2x2xf32>
  return %y : tensor<1x1x2x2xf32>
}

// -----

// Weights of 16 bits are the sum of two layers. What rounding to int8 leaves of a column is at most 20, and the largest input 32768; 1/127 is for its own rounding. The result
// has no range here, and so the large part has none yet.
// CHECK-LABEL: func.func @wide_weights
// CHECK: hfloat.constant dense<{{\[\[}}1.000000e+03, 0.000000e+00], [0.000000e+00, -3.276800e+04]]>
// CHECK: %[[HIGH:.*]] = hfloat.mat_mul {{.*}} {hfloat.part}
// CHECK: hfloat.constant dense<{{\[\[}}0.000000e+00, 2.000000e+01], [3.000000e+00, 0.000000e+00]]>
// CHECK: %[[LOW:.*]] = hfloat.mat_mul {{.*}} {hfloat.bits = 16 : i64, hfloat.part, hfloat.threshold = 660520.3149{{.*}} : f64}
// CHECK: hfloat.add %[[HIGH]], %[[LOW]] {hfloat.sum_of_parts}
func.func @wide_weights(%x: tensor<1x3x2xf32>) -> tensor<1x3x2xf32> {
  %one = hfloat.constant dense<1.0> : tensor<f32>
  %zero = hfloat.constant dense<0> : tensor<i16>
  %integers = hfloat.constant dense<[[1000, 20], [3, -32768]]> : tensor<2x2xi16>
  %w = hfloat.dequantize_linear %integers, %one, %zero : (tensor<2x2xi16>, tensor<f32>, tensor<i16>) -> tensor<2x2xf32>
  %q = hfloat.quantize_linear %x, %one, %zero : (tensor<1x3x2xf32>, tensor<f32>, tensor<i16>) -> tensor<1x3x2xi16>
  %d = hfloat.dequantize_linear %q, %one, %zero : (tensor<1x3x2xi16>, tensor<f32>, tensor<i16>) -> tensor<1x3x2xf32>
  %y = hfloat.mat_mul %d, %w : (tensor<1x3x2xf32>, tensor<2x2xf32>) -> tensor<1x3x2xf32>
  return %y : tensor<1x3x2xf32>
}
