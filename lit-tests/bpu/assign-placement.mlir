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
// CHECK: hfloat.softmax {{.*}}{hfloat.placement = "cpu", hfloat.placement_reason = "'hfloat.softmax' has no hardware form"}
func.func @no_hardware_form(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %0 = hfloat.softmax %x : (tensor<2x4xf32>) -> tensor<2x4xf32> loc("Softmax_0")
  return %0 : tensor<2x4xf32>
}

// CHECK-LABEL: func.func @not_quantized
// CHECK: hfloat.add {{.*}}{hfloat.placement = "cpu", hfloat.placement_reason = "its {{.*}} is not quantized"}
func.func @not_quantized(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %0 = hfloat.add %x, %x : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32> loc("Add_0")
  return %0 : tensor<2x4xf32>
}

// A constraint's sentence is the reason.
// CHECK-LABEL: func.func @constraint
// CHECK: hfloat.add {{.*}}{hfloat.placement = "cpu", hfloat.placement_reason = "The larger scale of the operands over that of the result lies in [2^-32, 2^31)."}
func.func @constraint(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
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
