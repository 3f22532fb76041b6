// What has no form on the BPU is not quantized: the sentence says why, and no cast touches it.
// RUN: hb-opt %s --quant-assign-placement | FileCheck %s
// RUN: hb-opt %s --quant-assign-placement --quant-insert-casts | FileCheck %s --check-prefix=CASTS

// A selection of the CPU is not compared and chosen from on the BPU; what does not come from the CPU is.
// CHECK-LABEL: func.func @selected
// CHECK: hfloat.greater {{.*}}hfloat.placement = "cpu", hfloat.placement_reason = "all that it reads comes from the CPU
// CHECK: hfloat.where {{.*}}hfloat.placement = "cpu", hfloat.placement_reason = "all that it reads comes from the CPU
// CHECK: hfloat.greater {{.*}}hfloat.placement = "bpu"
// CHECK: hfloat.where {{.*}}hfloat.placement = "bpu"
func.func @selected(%x: tensor<4x6xf32>) -> (tensor<4x2xf32>, tensor<4x6xf32>) {
  %k = hfloat.constant dense<2> : tensor<1xi64> loc("k")
  %c = hfloat.constant dense<0.5> : tensor<f32> loc("c")
  %v, %i = hfloat.top_k %x, %k : (tensor<4x6xf32>, tensor<1xi64>) -> (tensor<4x2xf32>, tensor<4x2xi64>) loc("best")
  %0 = hfloat.greater %v, %c : (tensor<4x2xf32>, tensor<f32>) -> tensor<4x2xi1> loc("enough")
  %1 = hfloat.where %0, %v, %c : (tensor<4x2xi1>, tensor<4x2xf32>, tensor<f32>) -> tensor<4x2xf32> loc("kept")
  %2 = hfloat.greater %x, %c : (tensor<4x6xf32>, tensor<f32>) -> tensor<4x6xi1> loc("more")
  %3 = hfloat.where %2, %x, %c : (tensor<4x6xi1>, tensor<4x6xf32>, tensor<f32>) -> tensor<4x6xf32> loc("taken")
  return %1, %3 : tensor<4x2xf32>, tensor<4x6xf32>
}

// CHECK-LABEL: func.func @relu
// CHECK: hfloat.relu {{.*}}hfloat.placement = "bpu"
// CASTS-LABEL: func.func @relu
// CASTS: quant.qcast
// CASTS: hfloat.relu
// CASTS: quant.qcast
func.func @relu(%x: tensor<4xf32> {hfloat.threshold = 1.0 : f64}) -> tensor<4xf32> {
  %0 = hfloat.relu %x {hfloat.threshold = 1.0 : f64} : (tensor<4xf32>) -> tensor<4xf32> loc("Relu_0")
  return %0 : tensor<4xf32>
}

// The maxima are quantized, where they were is asked of the same values.
// CHECK-LABEL: func.func @pool
// CHECK: hfloat.max_pool {{.*}}hfloat.placement = "bpu"
// CHECK: hfloat.max_pool_indices
// CHECK-NOT: hfloat.placement
// CHECK: return
// CASTS-LABEL: func.func @pool
// CASTS: hfloat.relu
// CASTS: %[[X:.*]] = quant.dcast
// CASTS: hfloat.max_pool %[[X]]
// CASTS: hfloat.max_pool_indices %[[X]]
func.func @pool(%x: tensor<1x1x4x4xf32> {hfloat.threshold = 1.0 : f64}) -> (tensor<1x1x2x2xf32>, tensor<1x1x2x2xi64>) {
  %r = hfloat.relu %x {hfloat.threshold = 1.0 : f64} : (tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xf32> loc("Relu_0")
  %0 = hfloat.max_pool %r {hfloat.threshold = 1.0 : f64, kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x1x4x4xf32>) -> tensor<1x1x2x2xf32> loc("MaxPool_1")
  %1 = hfloat.max_pool_indices %r {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x1x4x4xf32>) -> tensor<1x1x2x2xi64> loc(fused<"MaxPool_1/indices">["MaxPool_1"])
  return %0, %1 : tensor<1x1x2x2xf32>, tensor<1x1x2x2xi64>
}

// CHECK-LABEL: func.func @volume
// CHECK: hfloat.conv {{.*}}hfloat.placement = "cpu", hfloat.placement_reason = "it has 3 spatial dimensions; the BPU has windows over one or two"
// CASTS-LABEL: func.func @volume
// CASTS-NOT: quant.
func.func @volume(%x: tensor<1x1x2x2x2xf32> {hfloat.threshold = 1.0 : f64}) -> tensor<1x1x2x2x2xf32> {
  %w = hfloat.constant dense<1.0> : tensor<1x1x1x1x1xf32> loc("w")
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1, 1>, pads = array<i64: 0, 0, 0, 0, 0, 0>, dilations = array<i64: 1, 1, 1>}
      : (tensor<1x1x2x2x2xf32>, tensor<1x1x1x1x1xf32>) -> tensor<1x1x2x2x2xf32> loc("Conv_0")
  return %0 : tensor<1x1x2x2x2xf32>
}

// CHECK-LABEL: func.func @dilated
// CHECK: hfloat.average_pool {{.*}}hfloat.placement = "cpu", hfloat.placement_reason = "the BPU has no dilated average pooling"
// CASTS-LABEL: func.func @dilated
// CASTS-NOT: quant.
func.func @dilated(%x: tensor<1x1x5x5xf32> {hfloat.threshold = 1.0 : f64}) -> tensor<1x1x3x3xf32> {
  %0 = hfloat.average_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 2, 2>}
      : (tensor<1x1x5x5xf32>) -> tensor<1x1x3x3xf32> loc("AveragePool_0")
  return %0 : tensor<1x1x3x3xf32>
}

// CHECK-LABEL: func.func @border
// CHECK: hfloat.pad {{.*}}hfloat.placement = "cpu", hfloat.placement_reason = "it pads with another value than 0, which may be none of its input's integers"
// CASTS-LABEL: func.func @border
// CASTS: %[[R:.*]] = hfloat.relu
// CASTS: %[[Q:.*]] = quant.qcast %[[R]]
// CASTS: %[[D:.*]] = quant.dcast %[[Q]]
// CASTS: %[[P:.*]] = hfloat.pad %[[D]]
// CASTS-NEXT: return %[[P]]
func.func @border(%x: tensor<4xf32> {hfloat.threshold = 1.0 : f64}) -> tensor<6xf32> {
  %pads = hfloat.constant dense<[1, 1]> : tensor<2xi64> loc("pads")
  %value = hfloat.constant dense<1.5> : tensor<f32> loc("value")
  %0 = hfloat.relu %x {hfloat.threshold = 1.0 : f64} : (tensor<4xf32>) -> tensor<4xf32> loc("Relu_0")
  %axes = hfloat.constant dense<0> : tensor<1xi64> loc("axes")
  %1 = hfloat.pad %0, %pads, %value, %axes : (tensor<4xf32>, tensor<2xi64>, tensor<f32>, tensor<1xi64>) -> tensor<6xf32> loc("Pad_1")
  return %1 : tensor<6xf32>
}

// Two activations whose sums of products could overflow, whatever their scales are.
// CHECK-LABEL: func.func @long
// CHECK: hfloat.mat_mul {{.*}}hfloat.placement = "cpu", hfloat.placement_reason = "The 32-bit accumulator cannot overflow: {{.*}}"
// CASTS-LABEL: func.func @long
// CASTS-NOT: quant.
func.func @long(%x: tensor<1x131072xf32> {hfloat.threshold = 1.0 : f64}, %y: tensor<131072x1xf32> {hfloat.threshold = 1.0 : f64}) -> tensor<1x1xf32> {
  %0 = hfloat.mat_mul %x, %y : (tensor<1x131072xf32>, tensor<131072x1xf32>) -> tensor<1x1xf32> loc("MatMul_0")
  return %0 : tensor<1x1xf32>
}

// Forms that depend on scales are asked for again when these are known. A step of this input is a radian and more: no curve follows.
// CHECK-LABEL: func.func @steep
// CHECK: hfloat.sin {{.*}}hfloat.placement = "bpu"
// CASTS-LABEL: func.func @steep
// CASTS-NOT: quant.
// CASTS: hfloat.sin {{.*}}hfloat.placement = "cpu", hfloat.placement_reason = "64 quadratic pieces do not follow
func.func @steep(%x: tensor<4xf32> {hfloat.threshold = 32767.0 : f64, hfloat.bits = 16 : i64}) -> tensor<4xf32> {
  %0 = hfloat.sin %x {hfloat.threshold = 3.2767 : f64, hfloat.bits = 16 : i64} : (tensor<4xf32>) -> tensor<4xf32> loc("Sin_0")
  return %0 : tensor<4xf32>
}

// 140000 weights of 127 steps times 128 are more than 2^31. The flatten behind it moves floats then.
// CHECK-LABEL: func.func @sums
// CHECK: hfloat.conv {{.*}}hfloat.placement = "bpu"
// CASTS-LABEL: func.func @sums
// CASTS-NOT: quant.
// CASTS: hfloat.conv {{.*}}hfloat.placement = "cpu", hfloat.placement_reason = "The 32-bit accumulator cannot overflow: {{.*}}"
// CASTS-NOT: quant.
// CASTS: return
func.func @sums(%x: tensor<1x140000x1x1xf32> {hfloat.threshold = 1.0 : f64}) -> tensor<1x1xf32> {
  %w = hfloat.constant dense<1.0> : tensor<1x140000x1x1xf32> loc("w")
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, hfloat.threshold = 1.0 : f64}
      : (tensor<1x140000x1x1xf32>, tensor<1x140000x1x1xf32>) -> tensor<1x1x1x1xf32> loc("Conv_0")
  %1 = hfloat.flatten %0 {axis = 1 : si64} : (tensor<1x1x1x1xf32>) -> tensor<1x1xf32> loc("Flatten_1")
  return %1 : tensor<1x1xf32>
}

// 600 weights of 127 steps times 32768 are more than 2^31, times 128 they are not: this reader sees the int16 value as int8, with the
// range for that.
// CASTS-LABEL: func.func @narrow
// CASTS: quant.qcast %{{.*}} to tensor<1x600x1x1x!quant.uniform<i16:f32, 1.000000e+00>>
// CASTS: %[[OWN:.*]] = quant.dcast
// CASTS: quant.qcast %[[OWN]] : {{.*}} to tensor<1x600x1x1x!quant.uniform<i8:f32, 5.000000e-01>>
// CASTS: %[[NARROW:.*]] = quant.dcast
// CASTS-DAG: hfloat.relu %[[OWN]]
// CASTS-DAG: hfloat.conv %[[NARROW]], {{.*}}hfloat.placement = "bpu"
func.func @narrow(%x: tensor<1x600x1x1xf32> {hfloat.threshold = 127.0 : f64}) -> (tensor<1x1x1x1xf32>, tensor<1x600x1x1xf32>) {
  %w = hfloat.constant dense<1.0> : tensor<1x600x1x1xf32> loc("w")
  %0 = hfloat.relu %x {hfloat.threshold = 32767.0 : f64, hfloat.bits = 16 : i64, hfloat.narrow_threshold = 63.5 : f64}
      : (tensor<1x600x1x1xf32>) -> tensor<1x600x1x1xf32> loc("Relu_0")
  %1 = hfloat.conv %0, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, hfloat.threshold = 1.0 : f64}
      : (tensor<1x600x1x1xf32>, tensor<1x600x1x1xf32>) -> tensor<1x1x1x1xf32> loc("Conv_1")
  %2 = hfloat.relu %0 {hfloat.threshold = 127.0 : f64} : (tensor<1x600x1x1xf32>) -> tensor<1x600x1x1xf32> loc("Relu_2")
  return %1, %2 : tensor<1x1x1x1xf32>, tensor<1x600x1x1xf32>
}
