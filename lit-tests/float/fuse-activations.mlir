// A relu or clip becomes an attribute of what it reads, where that is all that reads it.
// RUN: hb-opt %s --hfloat-fuse-activations | FileCheck %s

// CHECK-LABEL: func.func @after_add
// CHECK-NEXT: %[[A:.*]] = hfloat.add %arg0, %arg0 {activation = #hfloat.clamp<0.000000e+00 : f64, 0x7FF0000000000000 : f64>}
// CHECK-NEXT: return %[[A]]
func.func @after_add(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = hfloat.add %x, %x : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %1 = hfloat.relu %0 : (tensor<2xf32>) -> tensor<2xf32>
  return %1 : tensor<2xf32>
}

// The second one narrows the first.
// CHECK-LABEL: func.func @twice
// CHECK: %[[A:.*]] = hfloat.mul {{.*}}activation = #hfloat.clamp<0.000000e+00 : f64, 6.000000e+00 : f64>
// CHECK-NEXT: return %[[A]]
func.func @twice(%x: tensor<2xf32>) -> tensor<2xf32> {
  %six = hfloat.constant dense<6.0> : tensor<f32>
  %0 = hfloat.mul %x, %x : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %1 = hfloat.relu %0 : (tensor<2xf32>) -> tensor<2xf32>
  %2 = hfloat.min %six, %1 : (tensor<f32>, tensor<2xf32>) -> tensor<2xf32>
  return %2 : tensor<2xf32>
}

// What is left of both intervals is one value, which is no activation; and a clamp that broadcasts is none.
// CHECK-LABEL: func.func @apart
// CHECK: hfloat.mul {{.*}}activation = #hfloat.clamp<0xFFF0000000000000 : f64, -1.000000e+00 : f64>
// CHECK-NEXT: hfloat.relu
// CHECK: hfloat.max
func.func @apart(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<1x2xf32>) {
  %one = hfloat.constant dense<-1.0> : tensor<f32>
  %row = hfloat.constant dense<-1.0> : tensor<1x1xf32>
  %0 = hfloat.mul %x, %x : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %1 = hfloat.min %0, %one : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  %2 = hfloat.relu %1 : (tensor<2xf32>) -> tensor<2xf32>
  %3 = hfloat.add %x, %x : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %4 = hfloat.max %3, %row : (tensor<2xf32>, tensor<1x1xf32>) -> tensor<1x2xf32>
  return %2, %4 : tensor<2xf32>, tensor<1x2xf32>
}

// CHECK-LABEL: func.func @result_is_output_too
// CHECK: hfloat.add %arg0, %arg0 : (tensor<2xf32>
// CHECK: hfloat.relu
func.func @result_is_output_too(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %0 = hfloat.add %x, %x : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %1 = hfloat.relu %0 : (tensor<2xf32>) -> tensor<2xf32>
  return %0, %1 : tensor<2xf32>, tensor<2xf32>
}

// Integers have no activation.
// CHECK-LABEL: func.func @integers
// CHECK: hfloat.add %arg0, %arg0 : (tensor<2xi32>
// CHECK: hfloat.relu
func.func @integers(%x: tensor<2xi32>) -> tensor<2xi32> {
  %0 = hfloat.add %x, %x : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
  %1 = hfloat.relu %0 : (tensor<2xi32>) -> tensor<2xi32>
  return %1 : tensor<2xi32>
}

// CHECK-LABEL: func.func @no_producer
// CHECK-NEXT: hfloat.relu
func.func @no_producer(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = hfloat.relu %x : (tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// CHECK-LABEL: func.func @after_max_pool
// CHECK: hfloat.max_pool
// CHECK: hfloat.relu
func.func @after_max_pool(%x: tensor<1x1x4x4xf32>) -> tensor<1x1x2x2xf32> {
  %0 = hfloat.max_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x4x4xf32>) -> tensor<1x1x2x2xf32>
  %1 = hfloat.relu %0 : (tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32>
  return %1 : tensor<1x1x2x2xf32>
}

// CHECK-LABEL: func.func @clip_after_sub
// CHECK: %[[A:.*]] = hfloat.sub %arg0, %arg1 {activation = #hfloat.clamp<0.000000e+00 : f64, 6.000000e+00 : f64>}
// CHECK-NEXT: return %[[A]]
func.func @clip_after_sub(%x: tensor<2xf32>, %y: tensor<2xf32>) -> tensor<2xf32> {
  %low = hfloat.constant dense<0.0> : tensor<f32>
  %high = hfloat.constant dense<6.0> : tensor<f32>
  %0 = hfloat.sub %x, %y : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %1 = hfloat.clip %0, %low, %high : (tensor<2xf32>, tensor<f32>, tensor<f32>) -> tensor<2xf32>
  return %1 : tensor<2xf32>
}

// What crosses is a constant, and what is fed is not known.
// CHECK-LABEL: func.func @clips_that_stay
// CHECK: hfloat.clip
// CHECK: hfloat.clip
func.func @clips_that_stay(%x: tensor<2xf32>, %y: tensor<f32>) -> (tensor<2xf32>, tensor<2xf32>) {
  %low = hfloat.constant dense<6.0> : tensor<f32>
  %high = hfloat.constant dense<0.0> : tensor<f32>
  %0 = hfloat.add %x, %x : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %1 = hfloat.clip %0, %low, %high : (tensor<2xf32>, tensor<f32>, tensor<f32>) -> tensor<2xf32>
  %2 = hfloat.mul %x, %x : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %3 = hfloat.clip %2, %high, %y : (tensor<2xf32>, tensor<f32>, tensor<f32>) -> tensor<2xf32>
  return %1, %3 : tensor<2xf32>, tensor<2xf32>
}
