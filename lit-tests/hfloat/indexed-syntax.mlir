// Operations that read and write at places that are data, on integers, and recurrent cells: each prints what it parses.
// RUN: hb-opt %s | hb-opt | FileCheck %s

// CHECK-LABEL: func.func @indexed
func.func @indexed(%x: tensor<2x3xf32>, %i: tensor<2x2xi64>, %u: tensor<2x2xf32>, %n: tensor<4x1xi64>, %v: tensor<4x3xf32>) {
  // CHECK: hfloat.gather_elements %{{.*}}, %{{.*}} {axis = 1 : si64} : (tensor<2x3xf32>, tensor<2x2xi64>) -> tensor<2x2xf32>
  %0 = hfloat.gather_elements %x, %i {axis = 1 : si64} : (tensor<2x3xf32>, tensor<2x2xi64>) -> tensor<2x2xf32>
  // CHECK: hfloat.gather_nd %{{.*}}, %{{.*}} : (tensor<2x3xf32>, tensor<4x1xi64>) -> tensor<4x3xf32>
  %1 = hfloat.gather_nd %x, %n : (tensor<2x3xf32>, tensor<4x1xi64>) -> tensor<4x3xf32>
  // CHECK: hfloat.scatter_elements %{{.*}}, %{{.*}}, %{{.*}} {axis = 1 : si64, reduction = "add"} : (tensor<2x3xf32>, tensor<2x2xi64>, tensor<2x2xf32>) -> tensor<2x3xf32>
  %2 = hfloat.scatter_elements %x, %i, %u {axis = 1 : si64, reduction = "add"} : (tensor<2x3xf32>, tensor<2x2xi64>, tensor<2x2xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.scatter_nd %{{.*}}, %{{.*}}, %{{.*}} {reduction = "max"} : (tensor<2x3xf32>, tensor<4x1xi64>, tensor<4x3xf32>) -> tensor<2x3xf32>
  %3 = hfloat.scatter_nd %x, %n, %v {reduction = "max"} : (tensor<2x3xf32>, tensor<4x1xi64>, tensor<4x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.unique %{{.*}} {axis = 1 : si64, sorted = false} : (tensor<2x3xf32>) -> (tensor<2x?xf32, #hfloat.bounds<2, 3>>, tensor<?xi64, #hfloat.bounds<3>>, tensor<3xi64>, tensor<?xi64, #hfloat.bounds<3>>)
  %4:4 = hfloat.unique %x {axis = 1 : si64, sorted = false} : (tensor<2x3xf32>) -> (tensor<2x?xf32, #hfloat.bounds<2, 3>>, tensor<?xi64, #hfloat.bounds<3>>, tensor<3xi64>, tensor<?xi64, #hfloat.bounds<3>>)
  return
}

// CHECK-LABEL: func.func @sampled
func.func @sampled(%image: tensor<1x2x8x8xf32>, %grid: tensor<1x3x4x2xf32>, %rois: tensor<5x4xf32>, %b: tensor<5xi64>) {
  // CHECK: hfloat.grid_sample %{{.*}}, %{{.*}} {align_corners = true, mode = "cubic", padding_mode = "border"} : (tensor<1x2x8x8xf32>, tensor<1x3x4x2xf32>) -> tensor<1x2x3x4xf32>
  %0 = hfloat.grid_sample %image, %grid {align_corners = true, mode = "cubic", padding_mode = "border"} : (tensor<1x2x8x8xf32>, tensor<1x3x4x2xf32>) -> tensor<1x2x3x4xf32>
  // CHECK: hfloat.roi_align %{{.*}}, %{{.*}}, %{{.*}} {mode = "max", output_height = 3 : si64, output_width = 2 : si64, sampling_ratio = 2 : si64} : (tensor<1x2x8x8xf32>, tensor<5x4xf32>, tensor<5xi64>) -> tensor<5x2x3x2xf32>
  %1 = hfloat.roi_align %image, %rois, %b {mode = "max", output_height = 3 : si64, output_width = 2 : si64, sampling_ratio = 2 : si64} : (tensor<1x2x8x8xf32>, tensor<5x4xf32>, tensor<5xi64>) -> tensor<5x2x3x2xf32>
  return
}

// CHECK-LABEL: func.func @numbers
func.func @numbers(%a: tensor<2x3xi32>, %b: tensor<3xi32>, %x: tensor<2x3xf32>, %m: tensor<5x4x4xf32>, %axis: tensor<i64>) {
  // CHECK: hfloat.bitwise_and %{{.*}}, %{{.*}} : (tensor<2x3xi32>, tensor<3xi32>) -> tensor<2x3xi32>
  %0 = hfloat.bitwise_and %a, %b : (tensor<2x3xi32>, tensor<3xi32>) -> tensor<2x3xi32>
  // CHECK: hfloat.bitwise_or
  %1 = hfloat.bitwise_or %a, %b : (tensor<2x3xi32>, tensor<3xi32>) -> tensor<2x3xi32>
  // CHECK: hfloat.bitwise_xor
  %2 = hfloat.bitwise_xor %a, %b : (tensor<2x3xi32>, tensor<3xi32>) -> tensor<2x3xi32>
  // CHECK: hfloat.mod %{{.*}}, %{{.*}} : (tensor<2x3xi32>, tensor<3xi32>) -> tensor<2x3xi32>
  %3 = hfloat.mod %a, %b : (tensor<2x3xi32>, tensor<3xi32>) -> tensor<2x3xi32>
  // CHECK: hfloat.mod %{{.*}}, %{{.*}} {fmod = true} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %4 = hfloat.mod %x, %x {fmod = true} : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  // CHECK: hfloat.bit_cast %{{.*}} : (tensor<2x3xf32>) -> tensor<2x3xi32>
  %5 = hfloat.bit_cast %x : (tensor<2x3xf32>) -> tensor<2x3xi32>
  // CHECK: hfloat.cum_prod %{{.*}}, %{{.*}} {reverse = true} : (tensor<2x3xf32>, tensor<i64>) -> tensor<2x3xf32>
  %6 = hfloat.cum_prod %x, %axis {reverse = true} : (tensor<2x3xf32>, tensor<i64>) -> tensor<2x3xf32>
  // CHECK: hfloat.det %{{.*}} : (tensor<5x4x4xf32>) -> tensor<5xf32>
  %7 = hfloat.det %m : (tensor<5x4x4xf32>) -> tensor<5xf32>
  return
}

// CHECK-LABEL: func.func @cells
func.func @cells(%x: tensor<3x1x2xf32>, %w: tensor<1x6x2xf32>, %r: tensor<1x6x2xf32>, %v: tensor<1x2x2xf32>) {
  %none = hfloat.constant dense<> : tensor<0xf32>
  %length = hfloat.constant dense<> : tensor<0xi32>
  // CHECK: hfloat.gru {{.*}} {hidden_size = 2 : si64, linear_before_reset = true} : {{.*}} -> (tensor<3x1x1x2xf32>, tensor<1x1x2xf32>)
  %0:2 = hfloat.gru %x, %w, %r, %none, %length, %none {hidden_size = 2 : si64, linear_before_reset = true}
    : (tensor<3x1x2xf32>, tensor<1x6x2xf32>, tensor<1x6x2xf32>, tensor<0xf32>, tensor<0xi32>, tensor<0xf32>) -> (tensor<3x1x1x2xf32>, tensor<1x1x2xf32>)
  // CHECK: hfloat.rnn {{.*}} {activations = ["Relu"]} : {{.*}} -> (tensor<3x1x1x2xf32>, tensor<1x1x2xf32>)
  %1:2 = hfloat.rnn %x, %v, %v, %none, %length, %none {activations = ["Relu"]}
    : (tensor<3x1x2xf32>, tensor<1x2x2xf32>, tensor<1x2x2xf32>, tensor<0xf32>, tensor<0xi32>, tensor<0xf32>) -> (tensor<3x1x1x2xf32>, tensor<1x1x2xf32>)
  return
}
