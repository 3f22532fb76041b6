// What a file asks to be computed in float16: casts to it and back, marked as none of the network's; neighbours see integers.
// RUN: hb-opt %s --quant-assign-thresholds=file=%S/Inputs/float16.json --quant-insert-casts --bpu-assign-placement | FileCheck %s
// RUN: not hb-opt %s --quant-assign-thresholds=file=%S/Inputs/float16-unknown.json 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// UNKNOWN: no node is called 'Sigmoid_9'

// CHECK-LABEL: func.func @main
// CHECK: [[A:%.*]] = hfloat.conv {{.*}}hfloat.placement = "bpu"
// CHECK-NEXT: [[Q:%.*]] = quant.qcast [[A]] {{.*}}!quant.uniform<i8:f32
// CHECK-NEXT: [[D:%.*]] = quant.dcast [[Q]]
// CHECK-NEXT: [[H:%.*]] = hfloat.cast [[D]] {hfloat.edge} : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf16>
// CHECK-NEXT: [[F:%.*]] = hfloat.cast [[H]] {hfloat.edge} : (tensor<1x2x4x4xf16>) -> tensor<1x2x4x4xf32>
// CHECK-NEXT: [[S:%.*]] = hfloat.sigmoid [[F]] {hfloat.engine = "vpu", hfloat.float16, hfloat.placement = "bpu"
// CHECK-NEXT: [[T:%.*]] = hfloat.cast [[S]] {hfloat.edge} {{.*}} -> tensor<1x2x4x4xf16>
// CHECK-NEXT: [[U:%.*]] = hfloat.cast [[T]] {hfloat.edge} {{.*}} -> tensor<1x2x4x4xf32>
// CHECK-NEXT: [[V:%.*]] = quant.qcast [[U]] {{.*}}!quant.uniform<i8:f32
// CHECK-NEXT: [[W:%.*]] = quant.dcast [[V]]
// CHECK: hfloat.conv [[W]]
func.func @main(%x: tensor<1x2x4x4xf32> {hfloat.name = "image"}) -> tensor<1x2x4x4xf32> {
  %w = hfloat.constant dense<1.0> : tensor<2x2x1x1xf32> loc("w")
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32> loc("Conv_0")
  %1 = hfloat.sigmoid %0 : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> loc("Sigmoid_1")
  %2 = hfloat.conv %1, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32> loc("Conv_2")
  return %2 : tensor<1x2x4x4xf32>
}
