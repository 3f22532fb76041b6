// Forms depend on what is computed in float16: a Cast that only such an operation reads has no integers, so the file names none for it.
// RUN: hb-opt %s --pass-pipeline='builtin.module(hfloat-to-qdq{info=%S/Inputs/float16-cast.json})' | FileCheck %s
// RUN: not hb-opt %s --pass-pipeline='builtin.module(func.func(quant-assign-placement{info=%S/Inputs/float16-unknown.json}))' 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// UNKNOWN: float16-unknown.json: no node is called 'Sigmoid_9'

// CHECK-LABEL: func.func @main
// CHECK: hfloat.cast
// CHECK-NOT: quant.qcast
// CHECK: hfloat.min {{.*}}hfloat.float16
func.func @main(%x: tensor<1x2x4x4xf32> {hfloat.name = "image"}) -> tensor<1x2x4x4xf32> {
  %c = hfloat.constant dense<0.5> : tensor<1x2x4x1xf32> loc("c")
  %0 = hfloat.greater %x, %x : (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xi1> loc("Greater_0")
  %1 = hfloat.cast %0 : (tensor<1x2x4x4xi1>) -> tensor<1x2x4x4xf32> loc("Cast_1")
  %2 = hfloat.min %1, %c : (tensor<1x2x4x4xf32>, tensor<1x2x4x1xf32>) -> tensor<1x2x4x4xf32> loc("Min_2")
  return %2 : tensor<1x2x4x4xf32>
}
