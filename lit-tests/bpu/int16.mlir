// Activations of 16 bits, alone and beside some of 8 bits.
// RUN: hb-opt %s --qdq-to-bpu | FileCheck %s
// RUN: hb-opt %s --bpu-assign-placement | FileCheck %s --check-prefix=PLACED

!wide = !quant.uniform<i16:f32, 1.0>
!half = !quant.uniform<i16:f32, 0.5>
!narrow = !quant.uniform<i8:f32, 1.0>

// x / 2 below 0, and from 1 on x (0 lies on both lines): -16384 = -2^60 / 2^46 at the start.
// CHECK-LABEL: func.func @function
// CHECK: bpu.quantize {{.*}} -> tensor<4x!quant.uniform<i16:f32, 1.000000e+00>>
// CHECK: bpu.curve %{{.*}} {constant = array<i64: -1152921504606846976, 70368744177664>, linear = array<i64: 35184372088832, 70368744177664>, quadratic = array<i64: 0, 0>, shift = 46 : i64, starts = array<i64: -32768, 1>}
// CHECK-SAME: (tensor<4x!quant.uniform<i16:f32, 1.000000e+00>>) -> tensor<4x!quant.uniform<i16:f32, 1.000000e+00>>
func.func @function(%x: tensor<4xf32>) -> tensor<4xf32> {
  %q = quant.qcast %x : tensor<4xf32> to tensor<4x!wide>
  %d = quant.dcast %q : tensor<4x!wide> to tensor<4xf32>
  %0 = hfloat.leaky_relu %d {alpha = 0.5 : f32} : (tensor<4xf32>) -> tensor<4xf32> loc("LeakyRelu_0")
  %r = quant.qcast %0 : tensor<4xf32> to tensor<4x!wide>
  %s = quant.dcast %r : tensor<4x!wide> to tensor<4xf32>
  return %s : tensor<4xf32>
}

// From 8 bits to 16 and back: curves. From 8 to 8: a table.
// CHECK-LABEL: func.func @widths
// CHECK: bpu.curve {{.*}}starts = array<i64: -128, 1>} : (tensor<4x!quant.uniform<i8:f32, 1.000000e+00>>) -> tensor<4x!quant.uniform<i16:f32, 5.000000e-01>>
// CHECK: bpu.curve {{.*}}starts = array<i64: -32768, {{.*}} : (tensor<4x!quant.uniform<i16:f32, 5.000000e-01>>) -> tensor<4x!quant.uniform<i8:f32, 1.000000e+00>>
// CHECK: bpu.lookup
func.func @widths(%x: tensor<4xf32>) -> tensor<4xf32> {
  %q = quant.qcast %x : tensor<4xf32> to tensor<4x!narrow>
  %d = quant.dcast %q : tensor<4x!narrow> to tensor<4xf32>
  %0 = hfloat.leaky_relu %d {alpha = 0.5 : f32} : (tensor<4xf32>) -> tensor<4xf32> loc("LeakyRelu_0")
  %r = quant.qcast %0 : tensor<4xf32> to tensor<4x!half>
  %s = quant.dcast %r : tensor<4x!half> to tensor<4xf32>
  %1 = hfloat.leaky_relu %s {alpha = 0.5 : f32} : (tensor<4xf32>) -> tensor<4xf32> loc("LeakyRelu_1")
  %t = quant.qcast %1 : tensor<4xf32> to tensor<4x!narrow>
  %u = quant.dcast %t : tensor<4x!narrow> to tensor<4xf32>
  %2 = hfloat.leaky_relu %u {alpha = 0.5 : f32} : (tensor<4xf32>) -> tensor<4xf32> loc("LeakyRelu_2")
  %v = quant.qcast %2 : tensor<4xf32> to tensor<4x!narrow>
  %w = quant.dcast %v : tensor<4x!narrow> to tensor<4xf32>
  return %w : tensor<4xf32>
}

// Clamps reach to the end of the result's type.
// CHECK-LABEL: func.func @clamps
// CHECK: bpu.requantize {{.*}}{clamp_max = 32767 : i64, clamp_min = 0 : i64} : (tensor<4x!quant.uniform<i16:f32, 1.000000e+00>>) -> tensor<4x!quant.uniform<i16:f32, 5.000000e-01>>
// CHECK: bpu.requantize {{.*}}{clamp_max = 2000 : i64, clamp_min = -32768 : i64}
func.func @clamps(%x: tensor<4xf32>) -> tensor<4xf32> {
  %bound = hfloat.constant dense<1000.0> : tensor<f32> loc("bound")
  %q = quant.qcast %x : tensor<4xf32> to tensor<4x!wide>
  %d = quant.dcast %q : tensor<4x!wide> to tensor<4xf32>
  %0 = hfloat.relu %d : (tensor<4xf32>) -> tensor<4xf32> loc("Relu_0")
  %r = quant.qcast %0 : tensor<4xf32> to tensor<4x!half>
  %s = quant.dcast %r : tensor<4x!half> to tensor<4xf32>
  %1 = hfloat.min %s, %bound : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32> loc("Min_1")
  %t = quant.qcast %1 : tensor<4xf32> to tensor<4x!half>
  %u = quant.dcast %t : tensor<4x!half> to tensor<4xf32>
  return %u : tensor<4xf32>
}

// Operands of both widths: a sum takes them as they are, a concatenation brings them to the result's.
// CHECK-LABEL: func.func @mixed
// CHECK: bpu.add {{.*}} : (tensor<4x!quant.uniform<i16:f32, 1.000000e+00>>, tensor<4x!quant.uniform<i8:f32, 1.000000e+00>>) -> tensor<4x!quant.uniform<i8:f32, 1.000000e+00>>
// CHECK: %[[R:.*]] = bpu.requantize {{.*}} : (tensor<4x!quant.uniform<i8:f32, 1.000000e+00>>) -> tensor<4x!quant.uniform<i16:f32, 1.000000e+00>>
// CHECK: bpu.concat %{{.*}}, %[[R]] {axis = 0 : i64}
func.func @mixed(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<8xf32> {
  %q = quant.qcast %x : tensor<4xf32> to tensor<4x!wide>
  %d = quant.dcast %q : tensor<4x!wide> to tensor<4xf32>
  %p = quant.qcast %y : tensor<4xf32> to tensor<4x!narrow>
  %e = quant.dcast %p : tensor<4x!narrow> to tensor<4xf32>
  %0 = hfloat.add %d, %e : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> loc("Add_0")
  %r = quant.qcast %0 : tensor<4xf32> to tensor<4x!narrow>
  %s = quant.dcast %r : tensor<4x!narrow> to tensor<4xf32>
  %1 = hfloat.concat %d, %s {axis = 0 : si64} : (tensor<4xf32>, tensor<4xf32>) -> tensor<8xf32> loc("Concat_1")
  %t = quant.qcast %1 : tensor<8xf32> to tensor<8x!wide>
  %u = quant.dcast %t : tensor<8x!wide> to tensor<8xf32>
  return %u : tensor<8xf32>
}

// What no curve follows, and products whose second operand is wide, go to the CPU.
// PLACED-LABEL: func.func @refused
// PLACED: hfloat.sin {{.*}}hfloat.placement_reason = "64 quadratic pieces do not follow the function within 4 steps of its 16-bit result"
// PLACED: hfloat.mat_mul {{.*}}hfloat.placement_reason = "The second operand is int8. 
func.func @refused(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %q = quant.qcast %x : tensor<4x4xf32> to tensor<4x4x!wide>
  %d = quant.dcast %q : tensor<4x4x!wide> to tensor<4x4xf32>
  %0 = hfloat.sin %d : (tensor<4x4xf32>) -> tensor<4x4xf32> loc("Sin_0")
  %r = quant.qcast %0 : tensor<4x4xf32> to tensor<4x4x!quant.uniform<i16:f32, 1.0e-4>>
  %s = quant.dcast %r : tensor<4x4x!quant.uniform<i16:f32, 1.0e-4>> to tensor<4x4xf32>
  %1 = hfloat.mat_mul %d, %s : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32> loc("MatMul_1")
  %t = quant.qcast %1 : tensor<4x4xf32> to tensor<4x4x!wide>
  %u = quant.dcast %t : tensor<4x4x!wide> to tensor<4x4xf32>
  return %u : tensor<4x4xf32>
}
