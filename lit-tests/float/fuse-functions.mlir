// What spells out a function becomes one operation.
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

// CHECK-LABEL: func.func @swish
// CHECK-NEXT: hfloat.swish %arg0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT: hfloat.swish %arg0 {alpha = 1.702000e+00 : f32}
// CHECK-NEXT: hfloat.mish %arg0
// CHECK-NEXT: return
func.func @swish(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %alpha = hfloat.constant dense<1.702> : tensor<f32>
  %0 = hfloat.sigmoid %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = hfloat.mul %x, %0 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = hfloat.mul %x, %alpha : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %3 = hfloat.sigmoid %2 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %4 = hfloat.mul %3, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %5 = hfloat.softplus %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %6 = hfloat.tanh %5 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %7 = hfloat.mul %x, %6 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %1, %4, %7 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}

// Divided and halved in the three orders that exporters write.
// CHECK-LABEL: func.func @gelu
// CHECK-NEXT: hfloat.gelu %arg0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT: hfloat.gelu %arg0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT: hfloat.gelu %arg0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
// CHECK-NEXT: return
func.func @gelu(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %root = hfloat.constant dense<1.41421354> : tensor<f32>
  %inverse = hfloat.constant dense<0.707106769> : tensor<1xf32>
  %one = hfloat.constant dense<1.0> : tensor<f32>
  %half = hfloat.constant dense<0.5> : tensor<f32>
  %0 = hfloat.div %x, %root : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %1 = hfloat.erf %0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = hfloat.add %1, %one : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %3 = hfloat.mul %x, %2 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %4 = hfloat.mul %3, %half : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %5 = hfloat.mul %x, %inverse : (tensor<2x3xf32>, tensor<1xf32>) -> tensor<2x3xf32>
  %6 = hfloat.erf %5 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %7 = hfloat.add %one, %6 : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %8 = hfloat.mul %x, %half : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %9 = hfloat.mul %8, %7 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %10 = hfloat.div %x, %root : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %11 = hfloat.erf %10 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %12 = hfloat.add %11, %one : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %13 = hfloat.mul %half, %12 : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %14 = hfloat.mul %13, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %4, %9, %14 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}

// The cube as a power, and as products.
// CHECK-LABEL: func.func @gelu_by_tanh
// CHECK-NEXT: hfloat.gelu %arg0 {approximate = "tanh"}
// CHECK-NEXT: hfloat.gelu %arg0 {approximate = "tanh"}
// CHECK-NEXT: return
func.func @gelu_by_tanh(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %three = hfloat.constant dense<3.0> : tensor<f32>
  %share = hfloat.constant dense<0.044715> : tensor<f32>
  %root = hfloat.constant dense<0.797884583> : tensor<f32>
  %one = hfloat.constant dense<1.0> : tensor<f32>
  %half = hfloat.constant dense<0.5> : tensor<f32>
  %0 = hfloat.pow %x, %three : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %1 = hfloat.mul %0, %share : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %2 = hfloat.add %x, %1 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = hfloat.mul %2, %root : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %4 = hfloat.tanh %3 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %5 = hfloat.add %4, %one : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %6 = hfloat.mul %x, %half : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %7 = hfloat.mul %6, %5 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %8 = hfloat.mul %x, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %9 = hfloat.mul %8, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %10 = hfloat.mul %share, %9 : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %11 = hfloat.add %10, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %12 = hfloat.mul %11, %root : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %13 = hfloat.tanh %12 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %14 = hfloat.add %one, %13 : (tensor<f32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %15 = hfloat.mul %14, %half : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %16 = hfloat.mul %15, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %7, %16 : tensor<2x3xf32>, tensor<2x3xf32>
}

// Another value, another number, a gate that something else reads, and a factor too many.
// CHECK-LABEL: func.func @no_gates
// CHECK-NOT: swish
// CHECK-NOT: mish
// CHECK-NOT: gelu
// CHECK: return
func.func @no_gates(%x: tensor<2x3xf32>, %y: tensor<2x3xf32>)
    -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %root = hfloat.constant dense<1.5> : tensor<f32>
  %one = hfloat.constant dense<1.0> : tensor<f32>
  %half = hfloat.constant dense<0.5> : tensor<f32>
  %0 = hfloat.sigmoid %y : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = hfloat.mul %x, %0 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = hfloat.sigmoid %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = hfloat.mul %x, %2 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %4 = hfloat.div %x, %root : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %5 = hfloat.erf %4 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %6 = hfloat.add %5, %one : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %7 = hfloat.mul %x, %6 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %8 = hfloat.mul %7, %half : (tensor<2x3xf32>, tensor<f32>) -> tensor<2x3xf32>
  %9 = hfloat.mul %x, %y : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %10 = hfloat.sigmoid %9 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %11 = hfloat.mul %x, %10 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %1, %2, %3, %8, %11 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}

// A map lies between the function and its reader.
// CHECK-LABEL: func.func @behind_a_map
// CHECK: hfloat.sigmoid
// CHECK-NEXT: hfloat.mul
// CHECK: hfloat.hard_sigmoid
// CHECK-NEXT: hfloat.mul
// CHECK-NOT: wish
func.func @behind_a_map(%x: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %0 = hfloat.sigmoid %x {result_scale = 2.0 : f32, result_shift = 0.5 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %1 = hfloat.mul %x, %0 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = hfloat.hard_sigmoid %x {alpha = 0.166666667 : f32, beta = 0.5 : f32, result_shift = 0.5 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = hfloat.mul %x, %2 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %1, %3 : tensor<2x3xf32>, tensor<2x3xf32>
}
