// What folds, and what looks alike and must not.
// RUN: hb-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @identity
// CHECK-SAME: (%[[X:.*]]: tensor<2x3xf32>)
// CHECK-NEXT: return %[[X]]
func.func @identity(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = hfloat.identity %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @cast_to_the_same_type
// CHECK-NEXT: return %arg0
func.func @cast_to_the_same_type(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = hfloat.cast %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @cast_to_another_type
// CHECK: hfloat.cast
func.func @cast_to_another_type(%x: tensor<2x3xf32>) -> tensor<2x3xf64> {
  %0 = hfloat.cast %x : (tensor<2x3xf32>) -> tensor<2x3xf64>
  return %0 : tensor<2x3xf64>
}

// CHECK-LABEL: func.func @reshape_to_the_same_shape
// CHECK-NEXT: return %arg0
func.func @reshape_to_the_same_shape(%x: tensor<2x3xf32>, %shape: tensor<2xi64>) -> tensor<2x3xf32> {
  %0 = hfloat.reshape %x, %shape : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// Both types say only that there are two dimensions.
// CHECK-LABEL: func.func @reshape_of_unknown_shape
// CHECK: hfloat.reshape
func.func @reshape_of_unknown_shape(%x: tensor<?x?xf32>, %shape: tensor<2xi64>) -> tensor<?x?xf32> {
  %0 = hfloat.reshape %x, %shape : (tensor<?x?xf32>, tensor<2xi64>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// CHECK-LABEL: func.func @flatten_of_a_matrix
// CHECK-NEXT: return %arg0
func.func @flatten_of_a_matrix(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = hfloat.flatten %x : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @flatten_of_unknown_rank
// CHECK: hfloat.flatten
func.func @flatten_of_unknown_rank(%x: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %0 = hfloat.flatten %x {axis = 0 : si64} : (tensor<?x?xf32>) -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// CHECK-LABEL: func.func @transpose_by_the_identity
// CHECK-NEXT: return %arg0
func.func @transpose_by_the_identity(%x: tensor<3x3xf32>) -> tensor<3x3xf32> {
  %0 = hfloat.transpose %x {perm = array<i64: 0, 1>} : (tensor<3x3xf32>) -> tensor<3x3xf32>
  return %0 : tensor<3x3xf32>
}

// CHECK-LABEL: func.func @transpose_of_a_square
// CHECK: hfloat.transpose
func.func @transpose_of_a_square(%x: tensor<3x3xf32>) -> tensor<3x3xf32> {
  %0 = hfloat.transpose %x {perm = array<i64: 1, 0>} : (tensor<3x3xf32>) -> tensor<3x3xf32>
  return %0 : tensor<3x3xf32>
}

// CHECK-LABEL: func.func @slice_of_everything
// CHECK-NEXT: return %arg0
func.func @slice_of_everything(%x: tensor<3xf32>) -> tensor<3xf32> {
  %zero = hfloat.constant dense<0> : tensor<1xi64>
  %one = hfloat.constant dense<1> : tensor<1xi64>
  %end = hfloat.constant dense<100> : tensor<1xi64>
  %0 = hfloat.slice %x, %zero, %end, %zero, %one : (tensor<3xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// CHECK-LABEL: func.func @slice_that_reverses
// CHECK: hfloat.slice
func.func @slice_that_reverses(%x: tensor<3xf32>) -> tensor<3xf32> {
  %zero = hfloat.constant dense<0> : tensor<1xi64>
  %last = hfloat.constant dense<-1> : tensor<1xi64>
  %end = hfloat.constant dense<-100> : tensor<1xi64>
  %0 = hfloat.slice %x, %last, %end, %zero, %last : (tensor<3xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// CHECK-LABEL: func.func @pad_by_nothing
// CHECK-NEXT: return %arg0
func.func @pad_by_nothing(%x: tensor<3xf32>, %value: tensor<f32>) -> tensor<3xf32> {
  %pads = hfloat.constant dense<0> : tensor<2xi64>
  %axes = hfloat.constant dense<0> : tensor<1xi64>
  %0 = hfloat.pad %x, %pads, %value, %axes : (tensor<3xf32>, tensor<2xi64>, tensor<f32>, tensor<1xi64>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// A cell before, one less after: the shape stays, the elements move.
// CHECK-LABEL: func.func @pad_that_shifts
// CHECK: hfloat.pad
func.func @pad_that_shifts(%x: tensor<3xf32>, %value: tensor<f32>) -> tensor<3xf32> {
  %pads = hfloat.constant dense<[1, -1]> : tensor<2xi64>
  %axes = hfloat.constant dense<0> : tensor<1xi64>
  %0 = hfloat.pad %x, %pads, %value, %axes : (tensor<3xf32>, tensor<2xi64>, tensor<f32>, tensor<1xi64>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// Pure operations whose results nobody reads go away; names of those that stay remain.
// CHECK-LABEL: func.func @dead
// CHECK-NEXT: return
func.func @dead(%x: tensor<3xf32>) {
  %0 = hfloat.relu %x : (tensor<3xf32>) -> tensor<3xf32>
  return
}
