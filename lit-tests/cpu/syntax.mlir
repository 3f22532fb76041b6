// Every operation of the dialect prints what it parses, as text and as bytecode.
// RUN: hb-opt %s | hb-opt | FileCheck %s
// RUN: hb-opt %s --emit-bytecode | hb-opt | FileCheck %s

// CHECK-LABEL: func.func @segment
func.func @segment(%x: tensor<2x3xf32>, %y: tensor<3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  // CHECK: %[[RESULT:.*]]:2 = cpu.segment(%{{.*}}, %{{.*}}) {
  %0:2 = cpu.segment(%x, %y) {
  // CHECK: ^bb0(%[[A:.*]]: tensor<2x3xf32>, %[[B:.*]]: tensor<3xf32>):
  ^bb0(%a: tensor<2x3xf32>, %b: tensor<3xf32>):
    // CHECK: hfloat.add %[[A]], %[[B]]
    %1 = hfloat.add %a, %b : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
    %2 = hfloat.softmax %1 {axis = -1 : si64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
    // CHECK: cpu.yield %{{.*}}, %{{.*}} : tensor<2x3xf32>, tensor<2x3xf32>
    cpu.yield %1, %2 : tensor<2x3xf32>, tensor<2x3xf32>
  // CHECK: } : (tensor<2x3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>)
  } : (tensor<2x3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>)
  return %0#0, %0#1 : tensor<2x3xf32>, tensor<2x3xf32>
}
