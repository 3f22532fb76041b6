// Channels between two convolutions, one of which is depthwise, get ranges of one size. The numbers are worked out in the comments.
// RUN: hb-opt %s --hfloat-equalize-channels --canonicalize | FileCheck %s

// Upwards channel 0 reaches 4 + 4 * 1 = 8 and channel 1 -2 + 4 * 1 = 2: channel 1 grows by 4, and what reads it shrinks by 4.
// CHECK-LABEL: func.func @depthwise_reader
// CHECK-DAG: %[[W:.*]] = hfloat.constant dense<{{.*}}1.000000e+00{{.*}}4.000000e+00{{.*}}> : tensor<2x1x1x1xf32>
// CHECK-DAG: %[[B:.*]] = hfloat.constant dense<[5.000000e+00, 2.000000e+01]> : tensor<2xf32>
// CHECK-DAG: %[[V:.*]] = hfloat.constant dense<{{.*}}8.000000e+00{{.*}}2.000000e+00{{.*}}> : tensor<2x1x1x1xf32>
// CHECK: %[[C:.*]] = hfloat.conv %arg0, %[[W]], %[[B]] {activation
// CHECK-NOT: channel_statistics
// CHECK: hfloat.conv %[[C]], %[[V]] {
func.func @depthwise_reader(%x: tensor<1x1x2x2xf32>) -> tensor<1x2x2x2xf32> {
  %w = hfloat.constant dense<1.0> : tensor<2x1x1x1xf32>
  %b = hfloat.constant dense<5.0> : tensor<2xf32>
  %v = hfloat.constant dense<8.0> : tensor<2x1x1x1xf32>
  %0 = hfloat.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>,
      activation = #hfloat.clamp<0.0 : f64, 0x7FF0000000000000 : f64>, hfloat.channel_statistics = array<f64: 4.0, -2.0, 1.0, 1.0>}
      : (tensor<1x1x2x2xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32>
  %1 = hfloat.conv %0, %v {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : si64}
      : (tensor<1x2x2x2xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x2x2xf32>
  return %1 : tensor<1x2x2x2xf32>
}

// A clamp at 6 stands at another place of a scaled channel.
// CHECK-LABEL: func.func @bounded
// CHECK: hfloat.constant dense<5.000000e+00> : tensor<2xf32>
// CHECK-NOT: channel_statistics
// CHECK: return
func.func @bounded(%x: tensor<1x1x2x2xf32>) -> tensor<1x2x2x2xf32> {
  %w = hfloat.constant dense<1.0> : tensor<2x1x1x1xf32>
  %b = hfloat.constant dense<5.0> : tensor<2xf32>
  %0 = hfloat.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>,
      activation = #hfloat.clamp<0.0 : f64, 6.0 : f64>, hfloat.channel_statistics = array<f64: 4.0, -2.0, 1.0, 1.0>}
      : (tensor<1x1x2x2xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32>
  %1 = hfloat.conv %0, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : si64}
      : (tensor<1x2x2x2xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x2x2xf32>
  return %1 : tensor<1x2x2x2xf32>
}

// Two readers would both have to shrink.
// CHECK-LABEL: func.func @two_readers
// CHECK: hfloat.constant dense<5.000000e+00> : tensor<2xf32>
func.func @two_readers(%x: tensor<1x1x2x2xf32>) -> (tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>) {
  %w = hfloat.constant dense<1.0> : tensor<2x1x1x1xf32>
  %b = hfloat.constant dense<5.0> : tensor<2xf32>
  %0 = hfloat.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>,
      hfloat.channel_statistics = array<f64: 4.0, -2.0, 1.0, 1.0>}
      : (tensor<1x1x2x2xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32>
  %1 = hfloat.conv %0, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : si64}
      : (tensor<1x2x2x2xf32>, tensor<2x1x1x1xf32>) -> tensor<1x2x2x2xf32>
  return %0, %1 : tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>
}
