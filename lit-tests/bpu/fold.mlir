// Operations that change nothing fold to their input; those that look like it do not.
// RUN: hb-opt %s --canonicalize | FileCheck %s

!half = !quant.uniform<i8:f32, 0.5>
!quarter = !quant.uniform<i8:f32, 0.25>

// CHECK-LABEL: func.func @requantize
// CHECK-SAME: (%[[X:[a-z0-9]+]]:
func.func @requantize(%x: tensor<2x4x!half>) -> (tensor<2x4x!half>, tensor<2x4x!half>, tensor<2x4x!half>, tensor<2x4x!quarter>) {
  // CHECK-NEXT: %[[RELU:.*]] = bpu.requantize %[[X]] {clamp_min = 0 : i64}
  // CHECK-NEXT: %[[SCALE:.*]] = bpu.requantize %[[X]] :
  %0 = bpu.requantize %x : (tensor<2x4x!half>) -> tensor<2x4x!half>
  %1 = bpu.requantize %x {clamp_min = -128, clamp_max = 127} : (tensor<2x4x!half>) -> tensor<2x4x!half>
  %2 = bpu.requantize %x {clamp_min = 0} : (tensor<2x4x!half>) -> tensor<2x4x!half>
  %3 = bpu.requantize %x : (tensor<2x4x!half>) -> tensor<2x4x!quarter>
  // CHECK-NEXT: return %[[X]], %[[X]], %[[RELU]], %[[SCALE]]
  return %0, %1, %2, %3 : tensor<2x4x!half>, tensor<2x4x!half>, tensor<2x4x!half>, tensor<2x4x!quarter>
}

// CHECK-LABEL: func.func @reshape
// CHECK-SAME: (%[[X:[a-z0-9]+]]:
func.func @reshape(%x: tensor<2x4x!half>) -> (tensor<2x4x!half>, tensor<4x2x!half>) {
  // CHECK-NEXT: %[[FLAT:.*]] = bpu.reshape
  %0 = bpu.reshape %x : (tensor<2x4x!half>) -> tensor<2x4x!half>
  %1 = bpu.reshape %x : (tensor<2x4x!half>) -> tensor<4x2x!half>
  // CHECK-NEXT: return %[[X]], %[[FLAT]]
  return %0, %1 : tensor<2x4x!half>, tensor<4x2x!half>
}

// CHECK-LABEL: func.func @transpose
// CHECK-SAME: (%[[X:[a-z0-9]+]]:
func.func @transpose(%x: tensor<4x4x!half>) -> (tensor<4x4x!half>, tensor<4x4x!half>) {
  // CHECK-NEXT: %[[T:.*]] = bpu.transpose %[[X]] {permutation = array<i64: 1, 0>}
  %0 = bpu.transpose %x {permutation = array<i64: 0, 1>} : (tensor<4x4x!half>) -> tensor<4x4x!half>
  %1 = bpu.transpose %x {permutation = array<i64: 1, 0>} : (tensor<4x4x!half>) -> tensor<4x4x!half>
  // CHECK-NEXT: return %[[X]], %[[T]]
  return %0, %1 : tensor<4x4x!half>, tensor<4x4x!half>
}

// CHECK-LABEL: func.func @slice
// CHECK-SAME: (%[[X:[a-z0-9]+]]:
func.func @slice(%x: tensor<1x4x!half>) -> (tensor<1x4x!half>, tensor<1x4x!half>, tensor<1x4x!half>) {
  // The step of a dimension of one cell does not matter.
  // CHECK-NEXT: %[[BACK:.*]] = bpu.slice %[[X]] {starts = array<i64: 0, 3>, steps = array<i64: 1, -1>}
  %0 = bpu.slice %x {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<1x4x!half>) -> tensor<1x4x!half>
  %1 = bpu.slice %x {starts = array<i64: 0, 0>, steps = array<i64: -3, 1>} : (tensor<1x4x!half>) -> tensor<1x4x!half>
  %2 = bpu.slice %x {starts = array<i64: 0, 3>, steps = array<i64: 1, -1>} : (tensor<1x4x!half>) -> tensor<1x4x!half>
  // CHECK-NEXT: return %[[X]], %[[X]], %[[BACK]]
  return %0, %1, %2 : tensor<1x4x!half>, tensor<1x4x!half>, tensor<1x4x!half>
}

// CHECK-LABEL: func.func @pad
// CHECK-SAME: (%[[X:[a-z0-9]+]]:
func.func @pad(%x: tensor<2x4x!half>) -> (tensor<2x4x!half>, tensor<2x5x!half>) {
  // CHECK-NEXT: %[[P:.*]] = bpu.pad
  %0 = bpu.pad %x {before = array<i64: 0, 0>, after = array<i64: 0, 0>, value = 3} : (tensor<2x4x!half>) -> tensor<2x4x!half>
  %1 = bpu.pad %x {before = array<i64: 0, 1>, after = array<i64: 0, 0>, value = 3} : (tensor<2x4x!half>) -> tensor<2x5x!half>
  // CHECK-NEXT: return %[[X]], %[[P]]
  return %0, %1 : tensor<2x4x!half>, tensor<2x5x!half>
}

// Equal constants of one segment become one; of different scales they stay two.
// CHECK-LABEL: func.func @constants
func.func @constants() -> (tensor<2x!half>, tensor<2x!quarter>) {
  %0:2 = bpu.segment() {
    // CHECK-COUNT-2: bpu.constant
    // CHECK-NOT: bpu.constant
    %a = bpu.constant dense<1> : tensor<2xi8> -> tensor<2x!half>
    %b = bpu.constant dense<1> : tensor<2xi8> -> tensor<2x!half>
    %c = bpu.constant dense<1> : tensor<2xi8> -> tensor<2x!quarter>
    %1 = bpu.add %a, %b : (tensor<2x!half>, tensor<2x!half>) -> tensor<2x!half>
    bpu.yield %1, %c : tensor<2x!half>, tensor<2x!quarter>
  } : () -> (tensor<2x!half>, tensor<2x!quarter>)
  return %0#0, %0#1 : tensor<2x!half>, tensor<2x!quarter>
}
