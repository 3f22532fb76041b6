// From the QDQ form to segments: the image is prepared on the CPU, the sum is computed by the BPU.
// RUN: hb-opt %s --qdq-to-bpu | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:.*]]: tensor<1x2x2x3xui8> {hfloat.layout = "NHWC"}) -> tensor<1x3x2x2xf32>
// CHECK: %[[F:.*]] = cpu.segment(%[[X]])
// CHECK: hfloat.transpose
// CHECK: hfloat.cast
// CHECK: cpu.yield
// CHECK: %[[Y:.*]] = bpu.segment(%[[F]])
// CHECK: bpu.quantize
// CHECK: bpu.add
// CHECK: return %[[Y]]
!half = !quant.uniform<i8:f32, 5.000000e-01>
func.func @main(%x: tensor<1x3x2x2xf32> {hfloat.input_type_rt = "rgb", hfloat.input_type_train = "rgb",
    hfloat.input_layout_train = "NCHW"}) -> tensor<1x3x2x2xf32> {
  %0 = quant.qcast %x : tensor<1x3x2x2xf32> to tensor<1x3x2x2x!half>
  %1 = quant.dcast %0 : tensor<1x3x2x2x!half> to tensor<1x3x2x2xf32>
  %2 = hfloat.add %1, %1 : (tensor<1x3x2x2xf32>, tensor<1x3x2x2xf32>) -> tensor<1x3x2x2xf32> loc("Add_0")
  %3 = quant.qcast %2 : tensor<1x3x2x2xf32> to tensor<1x3x2x2x!half>
  %4 = quant.dcast %3 : tensor<1x3x2x2x!half> to tensor<1x3x2x2xf32>
  return %4 : tensor<1x3x2x2xf32>
}
