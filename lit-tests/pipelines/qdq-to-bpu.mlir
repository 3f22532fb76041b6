// From the QDQ form to segments: what has no hardware form stays as it is, on the CPU.
// RUN: hb-opt %s --qdq-to-bpu | FileCheck %s
// RUN: hb-opt %s --qdq-to-placed | FileCheck %s --check-prefix=PLACED
// RUN: hb-opt %s --qdq-to-placed --placed-to-bpu | FileCheck %s

// PLACED: hfloat.placement = "bpu"
// PLACED: hfloat.placement = "cpu"

!half = !quant.uniform<i8:f32, 0.5>

// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:[a-z0-9]+]]: tensor<2x4xf32>)
// CHECK-NEXT: %[[A:.*]] = bpu.segment(%[[X]]) {
// CHECK: bpu.quantize
// CHECK: bpu.requantize {{.*}}clamp_min = 0
// CHECK: bpu.dequantize
// CHECK: %[[B:.*]] = cpu.segment(%[[A]]) {
// CHECK: hfloat.lrn
// CHECK: return %[[B]]
func.func @main(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %q = quant.qcast %x : tensor<2x4xf32> to tensor<2x4x!half>
  %d = quant.dcast %q : tensor<2x4x!half> to tensor<2x4xf32>
  %0 = hfloat.relu %d : (tensor<2x4xf32>) -> tensor<2x4xf32> loc("Relu_0")
  %r = quant.qcast %0 : tensor<2x4xf32> to tensor<2x4x!half>
  %s = quant.dcast %r : tensor<2x4x!half> to tensor<2x4xf32>
  %1 = hfloat.lrn %s {size = 3 : si64} : (tensor<2x4xf32>) -> tensor<2x4xf32> loc("LRN_1")
  return %1 : tensor<2x4xf32>
}
