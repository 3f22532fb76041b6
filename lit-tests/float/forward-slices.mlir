// What is cut out of a concat comes from its operands.
// RUN: hb-opt %s --hfloat-forward-slices --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @apart
// CHECK-SAME: %[[A:.*]]: tensor<2x3xf32>, %[[B:.*]]: tensor<2x5xf32>
// CHECK-DAG: %[[STARTS:.*]] = hfloat.constant dense<[0, 4]>
// CHECK-DAG: %[[ENDS:.*]] = hfloat.constant dense<[2, -9223372036854775808]>
// CHECK-DAG: %[[STEPS:.*]] = hfloat.constant dense<[1, -2]>
// Backwards from the last element of %b: 4, 2, 0.
// CHECK: %[[BACK:.*]] = hfloat.slice %[[B]], %[[STARTS]], %[[ENDS]], %{{.*}}, %[[STEPS]]
// CHECK-NEXT: return %[[A]], %[[BACK]]
func.func @apart(%a: tensor<2x3xf32>, %b: tensor<2x5xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %0 = hfloat.concat %a, %b {axis = -1 : si64} : (tensor<2x3xf32>, tensor<2x5xf32>) -> tensor<2x8xf32>
  %zero = hfloat.constant dense<0> : tensor<1xi64>
  %one = hfloat.constant dense<1> : tensor<1xi64>
  %two = hfloat.constant dense<2> : tensor<1xi64>
  %three = hfloat.constant dense<3> : tensor<1xi64>
  %last = hfloat.constant dense<-1> : tensor<1xi64>
  %back = hfloat.constant dense<-2> : tensor<1xi64>
  %1 = hfloat.slice %0, %zero, %three, %one, %one : (tensor<2x8xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<2x3xf32>
  %2 = hfloat.slice %0, %last, %two, %one, %back : (tensor<2x8xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<2x3xf32>
  return %1, %2 : tensor<2x3xf32>, tensor<2x3xf32>
}

// A slice of both operands stays.
// CHECK-LABEL: func.func @across
// CHECK: hfloat.concat
// CHECK: hfloat.slice
func.func @across(%a: tensor<2x3xf32>, %b: tensor<2x5xf32>) -> tensor<2x2xf32> {
  %0 = hfloat.concat %a, %b {axis = 1 : si64} : (tensor<2x3xf32>, tensor<2x5xf32>) -> tensor<2x8xf32>
  %one = hfloat.constant dense<1> : tensor<1xi64>
  %two = hfloat.constant dense<2> : tensor<1xi64>
  %four = hfloat.constant dense<4> : tensor<1xi64>
  %1 = hfloat.slice %0, %two, %four, %one, %one : (tensor<2x8xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<2x2xf32>
  return %1 : tensor<2x2xf32>
}

// A concat of a concat, and the rows of a part.
// CHECK-LABEL: func.func @nested
// CHECK-SAME: %[[A:.*]]: tensor<2x1xf32>, %[[B:.*]]: tensor<2x1xf32>, %[[C:.*]]: tensor<2x2xf32>
// CHECK-DAG: %[[STARTS:.*]] = hfloat.constant dense<[1, 0]>
// CHECK-DAG: %[[ENDS:.*]] = hfloat.constant dense<[2, 1]>
// CHECK: %[[ROW:.*]] = hfloat.slice %[[B]], %[[STARTS]], %[[ENDS]],
// CHECK-NEXT: return %[[ROW]]
func.func @nested(%a: tensor<2x1xf32>, %b: tensor<2x1xf32>, %c: tensor<2x2xf32>) -> tensor<1x1xf32> {
  %0 = hfloat.concat %a, %b {axis = 1 : si64} : (tensor<2x1xf32>, tensor<2x1xf32>) -> tensor<2x2xf32>
  %1 = hfloat.concat %c, %0 {axis = 1 : si64} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x4xf32>
  %starts = hfloat.constant dense<[1, 3]> : tensor<2xi64>
  %ends = hfloat.constant dense<[2, 4]> : tensor<2xi64>
  %axes = hfloat.constant dense<[0, 1]> : tensor<2xi64>
  %steps = hfloat.constant dense<1> : tensor<2xi64>
  %2 = hfloat.slice %1, %starts, %ends, %axes, %steps : (tensor<2x4xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<1x1xf32>
  return %2 : tensor<1x1xf32>
}
