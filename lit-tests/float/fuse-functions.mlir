// What spells out a hard swish becomes one.
// RUN: hb-opt %s --hfloat-fuse-functions --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @divided_last
// CHECK-NEXT: %[[Y:.*]] = hfloat.hard_swish %arg0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT: return %[[Y]]
func.func @divided_last(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %three = hfloat.constant dense<3.0> : tensor<1xf32>
  %zero = hfloat.constant dense<0.0> : tensor<f32>
  %six = hfloat.constant dense<6.0> : tensor<f32>
  %0 = hfloat.add %three, %x : (tensor<1xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = hfloat.clip %0, %zero, %six : (tensor<2x3xf32>, tensor<f32>, tensor<f32>) -> tensor<2x3xf32>
  %2 = hfloat.mul %x, %1 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = hfloat.div %2, %six : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  return %3 : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @scaled_first
// CHECK-NEXT: hfloat.hard_swish %arg0
// CHECK-NEXT: return
func.func @scaled_first(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %three = hfloat.constant dense<3.0> : tensor<1xf32>
  %zero = hfloat.constant dense<0.0> : tensor<f32>
  %six = hfloat.constant dense<6.0> : tensor<f32>
  %sixth = hfloat.constant dense<0.16666667> : tensor<f32>
  %0 = hfloat.add %x, %three : (tensor<2x3xf32>, tensor<1xf32>) -> tensor<2x3xf32>
  %1 = hfloat.clip %0, %zero, %six : (tensor<2x3xf32>, tensor<f32>, tensor<f32>) -> tensor<2x3xf32>
  %2 = hfloat.mul %sixth, %1 : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = hfloat.mul %2, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %3 : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @hard_sigmoid
// CHECK-NEXT: hfloat.hard_swish %arg0
// CHECK-NEXT: return
func.func @hard_sigmoid(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = hfloat.hard_sigmoid %x {alpha = 0.16666667 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = hfloat.mul %0, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %1 : tensor<2x3xf32>
}

// Another slope, another value, other bounds, and a gate that something else reads too.
// CHECK-LABEL: func.func @others
// CHECK-NOT: hard_swish
func.func @others(%x: tensor<2x3xf32>, %y: tensor<2x3xf32>)
    -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %three = hfloat.constant dense<3.0> : tensor<1xf32>
  %zero = hfloat.constant dense<0.0> : tensor<f32>
  %five = hfloat.constant dense<5.0> : tensor<f32>
  %six = hfloat.constant dense<6.0> : tensor<f32>
  %0 = hfloat.hard_sigmoid %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = hfloat.mul %0, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = hfloat.hard_sigmoid %x {alpha = 0.16666667 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = hfloat.mul %2, %y : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %4 = hfloat.add %x, %three : (tensor<2x3xf32>, tensor<1xf32>) -> tensor<2x3xf32>
  %5 = hfloat.clip %4, %zero, %five : (tensor<2x3xf32>, tensor<f32>, tensor<f32>) -> tensor<2x3xf32>
  %6 = hfloat.mul %x, %5 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %7 = hfloat.div %6, %six : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %8 = hfloat.add %y, %three : (tensor<2x3xf32>, tensor<1xf32>) -> tensor<2x3xf32>
  %9 = hfloat.clip %8, %zero, %six : (tensor<2x3xf32>, tensor<f32>, tensor<f32>) -> tensor<2x3xf32>
  %10 = hfloat.mul %y, %9 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %11 = hfloat.div %10, %six : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  return %1, %3, %7, %9, %11 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}
