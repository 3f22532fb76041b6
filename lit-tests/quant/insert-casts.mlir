// Quantized values go through casts; weights have one scale per channel, biases the scale of the accumulator.
// RUN: hb-opt %s --quant-insert-casts --split-input-file --verify-diagnostics | FileCheck %s

// Thresholds over 127: 63.5 gives 0.5, 31.75 gives 0.25. The weights' largest are 254 and 31.75: scales 2 and 0.25.
// The bias has 0.5 * [2, 0.25].
// CHECK-LABEL: func.func @convolution
// CHECK-SAME: (%[[X:[a-z0-9]+]]:
func.func @convolution(%x: tensor<1x1x2x2xf32> {hfloat.threshold = 63.5 : f64}) -> (tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>) {
  // CHECK-NEXT: %[[XQ:.*]] = quant.qcast %[[X]] : tensor<1x1x2x2xf32> to tensor<1x1x2x2x!quant.uniform<i8:f32, 5.000000e-01>>
  // CHECK-NEXT: %[[XD:.*]] = quant.dcast %[[XQ]]
  // CHECK-DAG: quant.qcast %{{.*}} : tensor<2x1x1x1xf32> to tensor<2x1x1x1x!quant.uniform<i8:f32:0, {2.000000e+00,2.500000e-01}>>
  // CHECK-DAG: quant.qcast %{{.*}} : tensor<2xf32> to tensor<2x!quant.uniform<i32:f32:0, {1.000000e+00,1.250000e-01}>>
  %w = hfloat.constant dense<[[[[-254.0]]], [[[31.75]]]]> : tensor<2x1x1x1xf32> loc("w")
  %b = hfloat.constant dense<[1.0, 2.0]> : tensor<2xf32> loc("b")
  // CHECK: %[[Y:.*]] = hfloat.conv %[[XD]], %{{.*}}, %{{.*}}
  %0 = hfloat.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, hfloat.threshold = 31.75 : f64}
      : (tensor<1x1x2x2xf32>, tensor<2x1x1x1xf32>, tensor<2xf32>) -> tensor<1x2x2x2xf32> loc("Conv_0")
  // CHECK-NEXT: %[[YQ:.*]] = quant.qcast %[[Y]] : tensor<1x2x2x2xf32> to tensor<1x2x2x2x!quant.uniform<i8:f32, 2.500000e-01>>
  // CHECK-NEXT: %[[YD:.*]] = quant.dcast %[[YQ]]
  // CHECK-NEXT: %[[R:.*]] = hfloat.relu %[[YD]]
  %1 = hfloat.relu %0 {hfloat.threshold = 127.0 : f64} : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32> loc("Relu_1")
  // CHECK-NEXT: %[[RQ:.*]] = quant.qcast %[[R]]
  // CHECK-NEXT: %[[RD:.*]] = quant.dcast %[[RQ]]
  // The outputs of the network are what the integers say.
  // CHECK-NEXT: return %[[YD]], %[[RD]]
  return %0, %1 : tensor<1x2x2x2xf32>, tensor<1x2x2x2xf32>
}

// -----

// Sums of products that no quantized operation reads stay as exact as they are, next to constant weights and without activation.
// CHECK-LABEL: func.func @exact
func.func @exact(%x: tensor<2x2xf32> {hfloat.threshold = 127.0 : f64}) -> (tensor<2x2xf32>, tensor<2x2xf32>) {
  %w = hfloat.constant dense<1.0> : tensor<2x2xf32> loc("w")
  // CHECK: %[[Y:.*]] = hfloat.gemm
  %0 = hfloat.gemm %x, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32> loc("Gemm_0")
  // CHECK: hfloat.gemm
  %1 = hfloat.gemm %x, %w {activation = #hfloat.clamp<0.0 : f64, 0x7FF0000000000000 : f64>, hfloat.threshold = 127.0 : f64}
      : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32> loc("Gemm_1")
  // CHECK-NEXT: %[[ZQ:.*]] = quant.qcast
  // CHECK-NEXT: %[[Z:.*]] = quant.dcast %[[ZQ]]
  // CHECK-NEXT: return %[[Y]], %[[Z]]
  return %0, %1 : tensor<2x2xf32>, tensor<2x2xf32>
}

// -----

// A max pool keeps the scale of its input. An LRN stays float and reads what the integers say; its own result is quantized for
// the sum after it, and the return reads it as it is.
// CHECK-LABEL: func.func @groups
// CHECK-SAME: (%[[X:[a-z0-9]+]]:
func.func @groups(%x: tensor<1x1x2x2xf32> {hfloat.threshold = 63.5 : f64}) -> (tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>) {
  // CHECK-NEXT: quant.qcast %[[X]]
  // CHECK-NEXT: %[[XD:.*]] = quant.dcast
  // CHECK-NEXT: %[[P:.*]] = hfloat.max_pool %[[XD]]
  %0 = hfloat.max_pool %x {kernel_shape = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32> loc("MaxPool_0")
  // CHECK-NEXT: quant.qcast %[[P]] : {{.*}} to tensor<1x1x2x2x!quant.uniform<i8:f32, 5.000000e-01>>
  // CHECK-NEXT: %[[PD:.*]] = quant.dcast
  // CHECK-NEXT: %[[S:.*]] = hfloat.lrn %[[PD]]
  %1 = hfloat.lrn %0 {size = 3 : si64, hfloat.threshold = 127.0 : f64} : (tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32> loc("LRN_1")
  // CHECK-NEXT: quant.qcast %[[S]] : {{.*}} to tensor<1x1x2x2x!quant.uniform<i8:f32, 1.000000e+00>>
  // CHECK-NEXT: %[[SD:.*]] = quant.dcast
  // CHECK-NEXT: %[[A:.*]] = hfloat.add %[[SD]], %[[PD]]
  %2 = hfloat.add %1, %0 {hfloat.threshold = 127.0 : f64} : (tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32> loc("Add_2")
  // CHECK-NEXT: quant.qcast %[[A]]
  // CHECK-NEXT: %[[AD:.*]] = quant.dcast
  // CHECK-NEXT: return %[[AD]], %[[S]]
  return %2, %1 : tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32>
}

// -----

// Nothing here is quantized: an LRN alone, and a reshape after it.
// CHECK-LABEL: func.func @float
// CHECK-NOT: quant.
// CHECK: return
func.func @float(%x: tensor<2x2xf32>) -> tensor<4xf32> {
  %s = hfloat.constant dense<[4]> : tensor<1xi64> loc("s")
  %0 = hfloat.lrn %x {size = 3 : si64} : (tensor<2x2xf32>) -> tensor<2x2xf32> loc("LRN_0")
  %1 = hfloat.reshape %0, %s : (tensor<2x2xf32>, tensor<1xi64>) -> tensor<4xf32> loc("Reshape_1")
  return %1 : tensor<4xf32>
}

// -----

// All zero: any scale is exact, 1/127 is taken.
// CHECK-LABEL: func.func @zeros
// CHECK: quant.qcast %{{.*}} : tensor<2xf32> to tensor<2x!quant.uniform<i8:f32, {{0\.00787401571|0\.0078740157[0-9]*|7\.874015[0-9]*E-03|7\.874015[0-9]*e-03}}
func.func @zeros(%x: tensor<2xf32> {hfloat.threshold = 0.0 : f64}) -> tensor<2xf32> {
  %0 = hfloat.relu %x {hfloat.threshold = 1.0 : f64} : (tensor<2xf32>) -> tensor<2xf32> loc("Relu_0")
  return %0 : tensor<2xf32>
}

// -----

// expected-error @+1 {{the value of 'Relu_0' has no threshold; calibrate first, or run quant-assign-thresholds}}
func.func @no_threshold(%x: tensor<2xf32> {hfloat.threshold = 1.0 : f64}) -> tensor<2xf32> {
  %0 = hfloat.relu %x : (tensor<2xf32>) -> tensor<2xf32> loc("Relu_0")
  return %0 : tensor<2xf32>
}

// -----

// A bias has one scale per column, so a column of biases stays float.
// CHECK-LABEL: func.func @bias_per_row
// CHECK-NOT: quant.
// CHECK: return
func.func @bias_per_row(%x: tensor<3x2xf32> {hfloat.threshold = 1.0 : f64}) -> tensor<3x2xf32> {
  %w = hfloat.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32> loc("w")
  %c = hfloat.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32> loc("c")
  %0 = hfloat.gemm %x, %w, %c {hfloat.threshold = 1.0 : f64} : (tensor<3x2xf32>, tensor<2x2xf32>, tensor<3x1xf32>) -> tensor<3x2xf32> loc("Gemm_0")
  return %0 : tensor<3x2xf32>
}

// -----

// 16 bits: thresholds over 32767, weights stay int8, a bias follows its input. A constant is as wide as what it is added to.
// CHECK-LABEL: func.func @wide
func.func @wide(%x: tensor<1x1x2x2xf32> {hfloat.threshold = 16383.5 : f64, hfloat.bits = 16 : i64}) -> tensor<1x1x2x2xf32> {
  // CHECK: quant.qcast %{{.*}} : tensor<1x1x2x2xf32> to tensor<1x1x2x2x!quant.uniform<i16:f32, 5.000000e-01>>
  // CHECK-DAG: tensor<1x1x1x1x!quant.uniform<i8:f32:0, {2.000000e+00}>>
  // CHECK-DAG: tensor<1x!quant.uniform<i32:f32:0, {1.000000e+00}>>
  %w = hfloat.constant dense<254.0> : tensor<1x1x1x1xf32> loc("w")
  %b = hfloat.constant dense<3.0> : tensor<1xf32> loc("b")
  // CHECK: hfloat.conv
  // CHECK-NEXT: quant.qcast %{{.*}} to tensor<1x1x2x2x!quant.uniform<i8:f32, 2.500000e-01>>
  %0 = hfloat.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, hfloat.threshold = 31.75 : f64}
      : (tensor<1x1x2x2xf32>, tensor<1x1x1x1xf32>, tensor<1xf32>) -> tensor<1x1x2x2xf32> loc("Conv_0")
  // CHECK: quant.qcast %{{.*}} : tensor<1xf32> to tensor<1x!quant.uniform<i16:f32, 2.500000e-01>>
  %c = hfloat.constant dense<8191.75> : tensor<1xf32> loc("c")
  // CHECK: hfloat.add
  // CHECK-NEXT: quant.qcast %{{.*}} to tensor<1x1x2x2x!quant.uniform<i16:f32, 1.000000e+00>>
  %1 = hfloat.add %0, %c {hfloat.threshold = 32767.0 : f64, hfloat.bits = 16 : i64} : (tensor<1x1x2x2xf32>, tensor<1xf32>) -> tensor<1x1x2x2xf32> loc("Add_1")
  return %1 : tensor<1x1x2x2xf32>
}

// -----

// expected-error @+1 {{the value of 'Relu_0' has 12 : i64 as hfloat.bits; it may have 8 or 16}}
func.func @bits(%x: tensor<2xf32> {hfloat.threshold = 1.0 : f64}) -> tensor<2xf32> {
  %0 = hfloat.relu %x {hfloat.threshold = 1.0 : f64, hfloat.bits = 12 : i64} : (tensor<2xf32>) -> tensor<2xf32> loc("Relu_0")
  return %0 : tensor<2xf32>
}
