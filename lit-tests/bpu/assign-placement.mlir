// What is quantized, has a hardware form and keeps every constraint goes to the BPU; the rest says why not.
// RUN: hb-opt %s --bpu-assign-placement | FileCheck %s

!one = !quant.uniform<i8:f32, 1.0>
!tiny = !quant.uniform<i8:f32, 1.0e-20>

// CHECK-LABEL: func.func @bpu
// CHECK: hfloat.add {{.*}}{hfloat.placement = "bpu"}
func.func @bpu(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %q = quant.qcast %x : tensor<2x4xf32> to tensor<2x4x!one>
  %d = quant.dcast %q : tensor<2x4x!one> to tensor<2x4xf32>
  %0 = hfloat.add %d, %d : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32> loc("Add_0")
  %r = quant.qcast %0 : tensor<2x4xf32> to tensor<2x4x!one>
  %s = quant.dcast %r : tensor<2x4x!one> to tensor<2x4xf32>
  return %s : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @no_hardware_form
// CHECK: hfloat.lrn {{.*}}{hfloat.placement = "cpu", hfloat.placement_reason = "LRN has no form on the BPU.", size = 3 : si64}
func.func @no_hardware_form(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %0 = hfloat.lrn %x {size = 3 : si64} : (tensor<2x4xf32>) -> tensor<2x4xf32> loc("LRN_0")
  return %0 : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @no_hardware_form_for_an_output
// CHECK: hfloat.max_pool_indices {{.*}}hfloat.placement = "cpu", hfloat.placement_reason = "MaxPool has no form on the BPU for its indices."
func.func @no_hardware_form_for_an_output(%x: tensor<1x1x4xf32>) -> tensor<1x1x3xi64> {
  %0 = hfloat.max_pool_indices %x {kernel_shape = array<i64: 2>, strides = array<i64: 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1>} : (tensor<1x1x4xf32>) -> tensor<1x1x3xi64> loc("MaxPool_0/indices")
  return %0 : tensor<1x1x3xi64>
}

// CHECK-LABEL: func.func @not_quantized
// CHECK: hfloat.add {{.*}}{hfloat.placement = "cpu", hfloat.placement_reason = "its {{.*}} is not quantized"}
func.func @not_quantized(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %0 = hfloat.add %x, %x : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32> loc("Add_0")
  return %0 : tensor<2x4xf32>
}

// A constraint's sentence is the reason.
// CHECK-LABEL: func.func @constraint
// CHECK: hfloat.mat_mul {{.*}}{hfloat.placement = "cpu", hfloat.placement_reason = "The product of the scales of the operands over that of the result lies in [2^-32, 2^31)."}
func.func @constraint(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %q = quant.qcast %x : tensor<4x4xf32> to tensor<4x4x!one>
  %d = quant.dcast %q : tensor<4x4x!one> to tensor<4x4xf32>
  %0 = hfloat.mat_mul %d, %d : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32> loc("MatMul_0")
  %r = quant.qcast %0 : tensor<4x4xf32> to tensor<4x4x!tiny>
  %s = quant.dcast %r : tensor<4x4x!tiny> to tensor<4x4xf32>
  return %s : tensor<4x4xf32>
}

// A sum is a convolution with as many weights of 1: more than fit anywhere are none.
// CHECK-LABEL: func.func @long_sum
// CHECK: hfloat.reduce_sum {{.*}}hfloat.placement = "cpu", hfloat.placement_reason = "sums of 1099511627776 elements would take 1099511627776 weights of 1; at most 16777216 are made"
func.func @long_sum(%x: tensor<1x1099511627776xf32>) -> tensor<1xf32> {
  %q = quant.qcast %x : tensor<1x1099511627776xf32> to tensor<1x1099511627776x!one>
  %d = quant.dcast %q : tensor<1x1099511627776x!one> to tensor<1x1099511627776xf32>
  %axes = hfloat.constant dense<1> : tensor<1xi64>
  %0 = hfloat.reduce_sum %d, %axes {keepdims = false} : (tensor<1x1099511627776xf32>, tensor<1xi64>) -> tensor<1xf32> loc("ReduceSum_0")
  %r = quant.qcast %0 : tensor<1xf32> to tensor<1x!one>
  %s = quant.dcast %r : tensor<1x!one> to tensor<1xf32>
  return %s : tensor<1xf32>
}

// What integers cannot express, floats can.
// CHECK-LABEL: func.func @other_engine
// CHECK: hfloat.add {{.*}}{hfloat.engine = "vpu", hfloat.placement = "bpu"}
func.func @other_engine(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %q = quant.qcast %x : tensor<2x4xf32> to tensor<2x4x!one>
  %d = quant.dcast %q : tensor<2x4x!one> to tensor<2x4xf32>
  %0 = hfloat.add %d, %d : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32> loc("Add_0")
  %r = quant.qcast %0 : tensor<2x4xf32> to tensor<2x4x!tiny>
  %s = quant.dcast %r : tensor<2x4x!tiny> to tensor<2x4xf32>
  return %s : tensor<2x4xf32>
}

// A placement that is there already stays, as a user's choice of the CPU.
// CHECK-LABEL: func.func @chosen
// CHECK: hfloat.add {{.*}}{hfloat.placement = "cpu", hfloat.placement_reason = "the configuration says so"}
func.func @chosen(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %q = quant.qcast %x : tensor<2x4xf32> to tensor<2x4x!one>
  %d = quant.dcast %q : tensor<2x4x!one> to tensor<2x4xf32>
  %0 = hfloat.add %d, %d {hfloat.placement = "cpu", hfloat.placement_reason = "the configuration says so"}
      : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32> loc("Add_0")
  %r = quant.qcast %0 : tensor<2x4xf32> to tensor<2x4x!one>
  %s = quant.dcast %r : tensor<2x4x!one> to tensor<2x4xf32>
  return %s : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @half
// CHECK: hfloat.conv {{.*}}hfloat.placement_reason = "its operand 0 is float16, and only float32 is quantized: export the network in float32"
func.func @half(%x: tensor<1x1x2x2xf16>) -> tensor<1x1x2x2xf16> {
  %w = hfloat.constant dense<1.0> : tensor<1x1x1x1xf16> loc("w")
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x1x2x2xf16>, tensor<1x1x1x1xf16>) -> tensor<1x1x2x2xf16> loc("Conv_0")
  return %0 : tensor<1x1x2x2xf16>
}
