// From the QDQ form to segments: the image of a camera is made, converted and summed by the BPU.
// RUN: hb-opt %s --qdq-to-bpu | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[Y:.*]]: tensor<1x2x2x1xui8> {hfloat.layout = "NHWC", hfloat.name = "x_y"},
// CHECK-SAME: %[[UV:.*]]: tensor<1x1x1x2xui8> {hfloat.layout = "NHWC", hfloat.name = "x_uv"}) -> tensor<1x3x2x2xf32>
// CHECK: %[[R:.*]] = bpu.segment(%[[Y]], %[[UV]])
// CHECK: bpu.camera_image
// CHECK: bpu.conv2d
// CHECK: bpu.add
// CHECK: bpu.dequantize
// CHECK-NOT: segment(
// CHECK: return %[[R]]
!half = !quant.uniform<i8:f32, 5.000000e-01>
func.func @main(%x: tensor<1x3x2x2xf32> {hfloat.name = "x", hfloat.input_type_rt = "nv12", hfloat.input_type_train = "rgb",
    hfloat.input_layout_train = "NCHW"}) -> tensor<1x3x2x2xf32> {
  %0 = quant.qcast %x : tensor<1x3x2x2xf32> to tensor<1x3x2x2x!half>
  %1 = quant.dcast %0 : tensor<1x3x2x2x!half> to tensor<1x3x2x2xf32>
  %2 = hfloat.add %1, %1 : (tensor<1x3x2x2xf32>, tensor<1x3x2x2xf32>) -> tensor<1x3x2x2xf32> loc("Add_0")
  %3 = quant.qcast %2 : tensor<1x3x2x2xf32> to tensor<1x3x2x2x!half>
  %4 = quant.dcast %3 : tensor<1x3x2x2x!half> to tensor<1x3x2x2xf32>
  return %4 : tensor<1x3x2x2xf32>
}
