// The user's nodes that went into each operation, from the float level to programs.
// RUN: hb-opt %s --pass-pipeline='builtin.module(hfloat-optimize)' --mlir-print-debuginfo --mlir-print-local-scope | FileCheck %s --check-prefix=FLOAT
// RUN: hb-opt %s --pass-pipeline='builtin.module(hfloat-optimize,hfloat-to-qdq{default=4})' --mlir-print-debuginfo --mlir-print-local-scope | FileCheck %s --check-prefix=QUANT
// RUN: hb-opt %s --pass-pipeline='builtin.module(hfloat-optimize,hfloat-to-qdq{default=4},qdq-to-bpu)' --mlir-print-debuginfo --mlir-print-local-scope | hb-opt --mlir-print-debuginfo --mlir-print-local-scope | FileCheck %s --check-prefix=BPU
// RUN: hb-opt %s --pass-pipeline='builtin.module(hb-compile{default=4 march=nash-e})' | FileCheck %s --check-prefix=NASH

// A batch normalization that nothing can take over becomes two operations. The user has a node of the name that one would get.
// FLOAT: hfloat.conv {{.*}} loc(fused["Conv_0", "Norm/a b", "Relu_2"])
// FLOAT: hfloat.mul {{.*}} loc(fused<"Norm_3/mul_1">["Norm_3"])
// FLOAT: hfloat.add {{.*}} loc(fused<"Norm_3/add">["Norm_3", "Relu_4"])
// FLOAT: hfloat.hard_swish {{.*}} loc(fused<"Mul_8">["Add_5", "Clip_6", "Div_7", "Mul_8"])
// FLOAT: hfloat.max_pool {{.*}} loc("Norm_3/mul")

// QUANT: quant.qcast {{.*}} loc(fused<"Conv_0/quantize_2">["Conv_0", "Norm/a b", "Relu_2"])

// BPU: bpu.conv2d {{.*}} loc(fused<["Conv_0", "channels_last"]>[fused["Conv_0", "Norm/a b", "Relu_2"]])

// NASH: names [{{.*}}"Conv_0"{{.*}}] origins {{\[}}{{.*}}["Conv_0", "Norm/a b", "Relu_2"]
func.func @main(%x: tensor<1x2x2x2xf32>) -> (tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>) {
  %w = hfloat.constant dense<1.0> : tensor<2x2x1x1xf32> loc("weight")
  %p = hfloat.constant dense<[4.0, 3.0]> : tensor<2xf32> loc("statistics")
  %three = hfloat.constant dense<3.0> : tensor<f32> loc("three")
  %zero = hfloat.constant dense<0.0> : tensor<f32> loc("zero")
  %six = hfloat.constant dense<6.0> : tensor<f32> loc("six")
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x2x2x2xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x2x2xf32> loc("Conv_0")
  %1 = hfloat.batch_normalization %0, %p, %p, %p, %p
      : (tensor<1x2x2x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32> loc("Norm/a b")
  %2 = hfloat.relu %1 : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32> loc("Relu_2")
  %3 = hfloat.batch_normalization %2, %p, %p, %p, %p
      : (tensor<1x2x2x2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32> loc("Norm_3")
  %4 = hfloat.relu %3 : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32> loc("Relu_4")
  %5 = hfloat.add %2, %three : (tensor<1x2x2x2xf32>, tensor<f32>) -> tensor<1x2x2x2xf32> loc("Add_5")
  %6 = hfloat.clip %5, %zero, %six : (tensor<1x2x2x2xf32>, tensor<f32>, tensor<f32>) -> tensor<1x2x2x2xf32> loc("Clip_6")
  %7 = hfloat.div %6, %six : (tensor<1x2x2x2xf32>, tensor<f32>) -> tensor<1x2x2x2xf32> loc("Div_7")
  %8 = hfloat.mul %2, %7 : (tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32> loc("Mul_8")
  %9 = hfloat.max_pool %8 {kernel_shape = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32> loc("Norm_3/mul")
  return %4, %9 : tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>
}
