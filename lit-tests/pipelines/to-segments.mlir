// A network from float to segments in one command. What comes out still folds, prints and verifies.
// RUN: hb-opt %s --pass-pipeline='builtin.module(hfloat-optimize,func.func(quant-assign-thresholds{default=4.0},quant-insert-casts,bpu-assign-placement,bpu-form-segments,bpu-verify))' -o %t.mlir
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: hb-opt %t.mlir --canonicalize --emit-bytecode | hb-opt --pass-pipeline='builtin.module(func.func(bpu-verify))' | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:[a-z0-9]+]]: tensor<1x3x8x8xf32> {hfloat.name = "image", hfloat.threshold = {{.*}}}) -> (tensor<1x10xf32> {hfloat.name = "classes"})
// CHECK-NEXT: %[[SCORES:.*]] = bpu.segment(%[[X]]) {
// CHECK: bpu.quantize
// CHECK: bpu.conv2d {{.*}}clamp_min = 0 : i64{{.*}}-> tensor<1x8x8x4x!quant.uniform
// CHECK: bpu.max_pool {{.*}}-> tensor<1x4x4x4x!quant.uniform
// CHECK: bpu.average_pool {{.*}}-> tensor<1x1x1x4x!quant.uniform
// CHECK: bpu.conv2d {{.*}}-> tensor<1x1x1x10x!quant.uniform
// CHECK: bpu.dequantize
// CHECK: %[[CLASSES:.*]] = cpu.segment(%[[SCORES]]) {
// CHECK: hfloat.lrn
// CHECK: return %[[CLASSES]]
func.func @main(%x: tensor<1x3x8x8xf32> {hfloat.name = "image"}) -> (tensor<*xf32> {hfloat.name = "classes"}) {
  %w = hfloat.constant dense<0.5> : tensor<4x3x3x3xf32> loc("w")
  %b = hfloat.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32> loc("b")
  %v = hfloat.constant dense<-0.25> : tensor<4x10xf32> loc("v")
  %0 = hfloat.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
      : (tensor<1x3x8x8xf32>, tensor<4x3x3x3xf32>, tensor<4xf32>) -> tensor<*xf32> loc("Conv_0")
  %1 = hfloat.relu %0 : (tensor<*xf32>) -> tensor<*xf32> loc("Relu_1")
  %2 = hfloat.max_pool %1 {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<*xf32>) -> tensor<*xf32> loc("MaxPool_2")
  %3 = hfloat.global_average_pool %2 : (tensor<*xf32>) -> tensor<*xf32> loc("GlobalAveragePool_3")
  %4 = hfloat.flatten %3 : (tensor<*xf32>) -> tensor<*xf32> loc("Flatten_4")
  %5 = hfloat.gemm %4, %v : (tensor<*xf32>, tensor<4x10xf32>) -> tensor<*xf32> loc("Gemm_5")
  %6 = hfloat.lrn %5 {size = 3 : si64} : (tensor<*xf32>) -> tensor<*xf32> loc("LRN_6")
  return %6 : tensor<*xf32>
}
