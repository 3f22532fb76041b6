// Deployed images become the network's float input; the attributes that asked for it are gone, the layout is said.
// RUN: hb-opt %s --hfloat-insert-preprocessing --split-input-file --verify-diagnostics | FileCheck %s
// RUN: hb-opt %s --hfloat-insert-preprocessing --split-input-file --verify-diagnostics --mlir-print-debuginfo \
// RUN:   | FileCheck %s --check-prefix=NAMES

// What is no convolution reads one of 1x1 cells, which swaps the channels, subtracts and scales: 0.5 * (b - 128) + 0.5 * (128 - mean).
// CHECK-LABEL: func.func @bgr_for_a_network_of_rgb
// CHECK-SAME: (%[[X:.*]]: tensor<1x2x5x3xui8> {hfloat.layout = "NHWC", hfloat.name = "image"}) -> tensor<1x3x2x5xf32>
// CHECK-NEXT: %[[I:.*]] = bpu.camera_image %[[X]] {constants = array<i8>} : (tensor<1x2x5x3xui8>) -> tensor<1x2x5x3x!quant.uniform<i8:f32, 1.000000e+00>>
// CHECK-NEXT: %[[D:.*]] = quant.dcast %[[I]]
// CHECK-NEXT: %[[T:.*]] = hfloat.transpose %[[D]] {perm = array<i64: 0, 3, 1, 2>} : (tensor<1x2x5x3xf32>) -> tensor<1x3x2x5xf32>
// CHECK-NEXT: %[[Q:.*]] = quant.qcast %[[T]]
// CHECK-NEXT: %[[P:.*]] = quant.dcast %[[Q]]
// CHECK-NEXT: hfloat.constant dense<{{\[\[\[\[}}0.000000e+00]], {{\[\[}}0.000000e+00]], {{\[\[}}5.000000e-01]]],
// CHECK-NEXT: quant.qcast
// CHECK-NEXT: %[[W:.*]] = quant.dcast
// CHECK-NEXT: hfloat.constant dense<[6.350000e+01, 6.300000e+01, 6.250000e+01]>
// CHECK-NEXT: quant.qcast
// CHECK-NEXT: %[[B:.*]] = quant.dcast
// CHECK-NEXT: %[[C:.*]] = hfloat.conv %[[P]], %[[W]], %[[B]]
// CHECK-NEXT: hfloat.relu %[[C]]
// NAMES-DAG: loc(fused<"image/preprocess/image">[
// NAMES-DAG: loc(fused<"image/preprocess/convert">[
func.func @bgr_for_a_network_of_rgb(%x: tensor<1x3x2x5xf32> {
    hfloat.name = "image", hfloat.input_type_rt = "bgr", hfloat.input_type_train = "rgb", hfloat.input_layout_train = "NCHW",
    hfloat.mean_value = array<f64: 1.0, 2.0, 3.0>, hfloat.scale_value = array<f64: 0.5>}) -> tensor<1x3x2x5xf32> {
  %0 = hfloat.relu %x : (tensor<1x3x2x5xf32>) -> tensor<1x3x2x5xf32> loc("Relu_0")
  return %0 : tensor<1x3x2x5xf32>
}

// -----

// Every image has the names of its own planes, however many arguments the others become.
// CHECK-LABEL: func.func @several
// CHECK-SAME: tensor<1x4x4x1xui8> {hfloat.layout = "NHWC", hfloat.name = "a_y"}
// CHECK-SAME: tensor<1x2x2x2xui8> {hfloat.layout = "NHWC", hfloat.name = "a_uv"}
// CHECK-SAME: tensor<1x4x4x1xui8> {hfloat.layout = "NHWC", hfloat.name = "b_y"}
// CHECK-SAME: tensor<1x2x2x2xui8> {hfloat.layout = "NHWC", hfloat.name = "b_uv"}
// CHECK-SAME: tensor<1x4x4x3xui8> {hfloat.layout = "NHWC", hfloat.name = "c"}
// CHECK-SAME: tensor<3xf32> {hfloat.name = "d"}
// CHECK-SAME: tensor<1x4x4x1xui8> {hfloat.layout = "NHWC", hfloat.name = "e_y"}
// CHECK-SAME: tensor<1x2x2x2xui8> {hfloat.layout = "NHWC", hfloat.name = "e_uv"}
func.func @several(
    %a: tensor<1x3x4x4xf32> {hfloat.name = "a", hfloat.input_type_rt = "nv12", hfloat.input_type_train = "rgb", hfloat.input_layout_train = "NCHW"},
    %b: tensor<1x3x4x4xf32> {hfloat.name = "b", hfloat.input_type_rt = "nv12", hfloat.input_type_train = "rgb", hfloat.input_layout_train = "NCHW"},
    %c: tensor<1x3x4x4xf32> {hfloat.name = "c", hfloat.input_type_rt = "rgb", hfloat.input_type_train = "rgb", hfloat.input_layout_train = "NCHW"},
    %d: tensor<3xf32> {hfloat.name = "d"},
    %e: tensor<1x3x4x4xf32> {hfloat.name = "e", hfloat.input_type_rt = "nv12", hfloat.input_type_train = "rgb", hfloat.input_layout_train = "NCHW"})
    -> (tensor<1x3x4x4xf32>, tensor<1x3x4x4xf32>, tensor<1x3x4x4xf32>, tensor<3xf32>, tensor<1x3x4x4xf32>) {
  return %a, %b, %c, %d, %e : tensor<1x3x4x4xf32>, tensor<1x3x4x4xf32>, tensor<1x3x4x4xf32>, tensor<3xf32>, tensor<1x3x4x4xf32>
}

// -----

// An image takes the casts away that the function begins with; what is put before them finds another place.
// CHECK-LABEL: func.func @beside_an_image
// CHECK-SAME: (%[[F:.*]]: tensor<1x2x2x2xf32> {hfloat.layout = "NCHW", hfloat.name = "f"}, %[[X:.*]]: tensor<1x4x4x3xui8>
// CHECK-NEXT: %[[M:.*]] = hfloat.constant dense<{{\[\[\[}}-1.000000e+00]], {{\[\[}}-2.000000e+00]]]>
// CHECK-NEXT: %[[N:.*]] = hfloat.add %[[F]], %[[M]]
// CHECK-NEXT: bpu.camera_image %[[X]]
// CHECK: hfloat.relu %[[N]]
func.func @beside_an_image(
    %f: tensor<1x2x2x2xf32> {hfloat.name = "f", hfloat.input_type_rt = "featuremap", hfloat.input_type_train = "featuremap",
        hfloat.input_layout_train = "NCHW", hfloat.mean_value = array<f64: 1.0, 2.0>},
    %x: tensor<1x3x4x4xf32> {hfloat.name = "x", hfloat.input_type_rt = "rgb", hfloat.input_type_train = "rgb", hfloat.input_layout_train = "NCHW"})
    -> (tensor<1x2x2x2xf32>, tensor<1x1x4x4xf32>) {
  %0 = quant.qcast %x : tensor<1x3x4x4xf32> to tensor<1x3x4x4x!quant.uniform<i8:f32, 1.0>>
  %1 = quant.dcast %0 : tensor<1x3x4x4x!quant.uniform<i8:f32, 1.0>> to tensor<1x3x4x4xf32>
  %w = hfloat.constant dense<1.0> : tensor<1x3x1x1xf32> loc("w")
  %2 = quant.qcast %w : tensor<1x3x1x1xf32> to tensor<1x3x1x1x!quant.uniform<i8:f32:0, {0.01}>>
  %3 = quant.dcast %2 : tensor<1x3x1x1x!quant.uniform<i8:f32:0, {0.01}>> to tensor<1x3x1x1xf32>
  %4 = hfloat.conv %1, %3 {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x3x4x4xf32>, tensor<1x3x1x1xf32>) -> tensor<1x1x4x4xf32> loc("Conv_0")
  %5 = hfloat.relu %f : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32> loc("Relu_1")
  return %5, %4 : tensor<1x2x2x2xf32>, tensor<1x1x4x4xf32>
}

// -----

// A padded convolution takes the conversion in: the 128 that bytes lack is -1 of -128.
// CHECK-LABEL: func.func @gray
// CHECK-SAME: (%[[X:.*]]: tensor<1x2x4x1xui8>
// CHECK-NEXT: bpu.camera_image %[[X]] {constants = array<i8: -128, 1>} : (tensor<1x2x4x1xui8>) -> tensor<1x2x4x3x
// CHECK: %[[P:.*]] = quant.dcast
// CHECK: %[[P:.*]] = quant.dcast
// CHECK: hfloat.constant dense<{{\[\[\[\[}}1.270000e+02]], {{\[\[}}-1.270000e+02]], {{\[\[}}0.000000e+00]]]]>
// CHECK: hfloat.constant dense<0.000000e+00> : tensor<1xf32>
// CHECK: hfloat.conv %[[P]]
// CHECK-NOT: hfloat.conv
// CHECK: return
!one = !quant.uniform<i8:f32, 1.000000e+00>
func.func @gray(%x: tensor<1x1x2x4xf32> {
    hfloat.input_type_rt = "gray", hfloat.input_type_train = "gray", hfloat.input_layout_train = "NCHW"}) -> tensor<1x1x4x6xf32> {
  %0 = quant.qcast %x : tensor<1x1x2x4xf32> to tensor<1x1x2x4x!one>
  %1 = quant.dcast %0 : tensor<1x1x2x4x!one> to tensor<1x1x2x4xf32>
  %w = hfloat.constant dense<127.0> : tensor<1x1x1x1xf32>
  %2 = quant.qcast %w : tensor<1x1x1x1xf32> to tensor<1x1x1x1x!one>
  %3 = quant.dcast %2 : tensor<1x1x1x1x!one> to tensor<1x1x1x1xf32>
  %4 = hfloat.conv %1, %3 {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
    : (tensor<1x1x2x4xf32>, tensor<1x1x1x1xf32>) -> tensor<1x1x4x6xf32> loc("Conv_0")
  return %4 : tensor<1x1x4x6xf32>
}

// -----

// yuv444_128 is the integers themselves; the network of yuv444 has a byte for 128.
// CHECK-LABEL: func.func @yuv444_128
// CHECK-SAME: (%[[X:.*]]: tensor<1x2x5x3x!quant.uniform<i8:f32, 1.000000e+00>> {hfloat.layout = "NHWC", hfloat.name = "input_0"})
// CHECK-NEXT: bpu.camera_image %[[X]] {constants = array<i8>} : (tensor<1x2x5x3x!quant.uniform<i8:f32, 1.000000e+00>>) -> tensor<1x2x5x3x!quant.uniform<i8:f32, 1.000000e+00>>
// CHECK: hfloat.constant dense<1.280000e+02> : tensor<3xf32>
func.func @yuv444_128(%x: tensor<1x3x2x5xf32> {hfloat.input_type_rt = "yuv444_128", hfloat.input_type_train = "yuv444",
    hfloat.input_layout_train = "NCHW"}) -> tensor<1x3x2x5xf32> {
  %0 = hfloat.relu %x : (tensor<1x3x2x5xf32>) -> tensor<1x3x2x5xf32> loc("Relu_0")
  return %0 : tensor<1x3x2x5xf32>
}

// -----

// A region of a picture of any size, as large as the network's input.
// CHECK-LABEL: func.func @resizer
// CHECK-SAME: (%[[Y:.*]]: tensor<1x4096x4096x1xui8> {hfloat.layout = "NHWC", hfloat.name = "x_y", hfloat.region = "x_roi"}
// CHECK-SAME: %[[UV:.*]]: tensor<1x2048x2048x2xui8> {hfloat.layout = "NHWC", hfloat.name = "x_uv", hfloat.region = "x_roi"}
// CHECK-SAME: %[[ROI:.*]]: tensor<1x4xi32> {hfloat.name = "x_roi"})
// CHECK-NEXT: %[[A:.*]] = bpu.roi_resize %[[Y]], %[[ROI]] {block = 1 : i64} : (tensor<1x4096x4096x1xui8>, tensor<1x4xi32>) -> tensor<1x2x6x1x!quant.uniform<i8:f32, 1.000000e+00>>
// CHECK-NEXT: %[[B:.*]] = bpu.roi_resize %[[UV]], %[[ROI]] {block = 2 : i64} : (tensor<1x2048x2048x2xui8>, tensor<1x4xi32>) -> tensor<1x1x3x2x!quant.uniform<i8:f32, 1.000000e+00>>
// CHECK-NEXT: bpu.camera_image %[[A]], %[[B]] {constants = array<i8>}
// CHECK: hfloat.relu
func.func @resizer(%x: tensor<1x3x2x6xf32> {hfloat.name = "x", hfloat.input_type_rt = "nv12", hfloat.input_type_train = "yuv444",
    hfloat.input_layout_train = "NCHW", hfloat.input_source = "resizer"}) -> tensor<1x3x2x6xf32> {
  %0 = hfloat.relu %x : (tensor<1x3x2x6xf32>) -> tensor<1x3x2x6xf32> loc("Relu_0")
  return %0 : tensor<1x3x2x6xf32>
}

// -----

// A feature map that is quantized for the BPU is normalized there; what runs on the CPU reads the sum and product that it had before.
// CHECK-LABEL: func.func @quantized_featuremap
// CHECK-SAME: (%[[X:.*]]: tensor<1x2x4x4xf32> {hfloat.layout = "NCHW"})
// CHECK: %[[MEAN:.*]] = hfloat.constant dense<-7.000000e+00> : tensor<2x1x1xf32>
// CHECK-NEXT: %[[A:.*]] = hfloat.add %[[X]], %[[MEAN]]
// CHECK-NEXT: %[[SCALE:.*]] = hfloat.constant dense<{{.*}}5.000000e-01{{.*}}, {{.*}}2.000000e+00{{.*}}> : tensor<2x1x1xf32>
// CHECK-NEXT: %[[B:.*]] = hfloat.mul %[[A]], %[[SCALE]]
// CHECK-NEXT: %[[Q:.*]] = bpu.normalize %[[X]] {axis = 1 : i64, factor = array<f64: 5.000000e-01, 2.000000e+00>, mean = array<f64: 7.000000e+00, 7.000000e+00>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4x!quant.uniform<i8:f32, 2.500000e-01>>
// CHECK-NEXT: %[[D:.*]] = quant.dcast %[[Q]]
// CHECK-NEXT: hfloat.relu %[[D]]
// CHECK-NEXT: hfloat.erf %[[B]]
func.func @quantized_featuremap(
    %x: tensor<1x2x4x4xf32> {hfloat.input_type_rt = "featuremap", hfloat.input_type_train = "featuremap",
        hfloat.input_layout_train = "NCHW", hfloat.mean_value = array<f64: 7.0>, hfloat.scale_value = array<f64: 0.5, 2.0>})
    -> (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) {
  %0 = quant.qcast %x : tensor<1x2x4x4xf32> to tensor<1x2x4x4x!quant.uniform<i8:f32, 0.25>>
  %1 = quant.dcast %0 : tensor<1x2x4x4x!quant.uniform<i8:f32, 0.25>> to tensor<1x2x4x4xf32>
  %2 = hfloat.relu %1 : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> loc("Relu_0")
  %3 = hfloat.erf %x : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> loc("Erf_0")
  return %2, %3 : tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>
}

// -----

// Feature maps stay float. The second is given as the network takes it, and the third says nothing.
// CHECK-LABEL: func.func @featuremaps
// CHECK-SAME: (%[[X:.*]]: tensor<1x2x4x4xf32> {hfloat.layout = "NCHW"}, %[[Y:.*]]: tensor<2x2xf32>, %[[Z:.*]]: tensor<2x2xf32>)
// CHECK-NEXT: %[[MEAN:.*]] = hfloat.constant dense<-7.000000e+00> : tensor<2x1x1xf32>
// CHECK-NEXT: %[[A:.*]] = hfloat.add %[[X]], %[[MEAN]]
// CHECK-NEXT: return %[[A]], %[[Y]], %[[Z]]
func.func @featuremaps(
    %x: tensor<1x2x4x4xf32> {hfloat.input_type_rt = "featuremap", hfloat.input_type_train = "featuremap",
        hfloat.input_layout_train = "NCHW", hfloat.mean_value = array<f64: 7.0>},
    %y: tensor<2x2xf32> {hfloat.input_type_rt = "featuremap", hfloat.input_type_train = "featuremap",
        hfloat.input_layout_train = "NCHW"},
    %z: tensor<2x2xf32>) -> (tensor<1x2x4x4xf32>, tensor<2x2xf32>, tensor<2x2xf32>) {
  return %x, %y, %z : tensor<1x2x4x4xf32>, tensor<2x2xf32>, tensor<2x2xf32>
}

// -----

// expected-error@+1 {{input 'input_0': rgb has 3 channels, but with NHWC it has 4}}
func.func @channels(%x: tensor<1x3x4x4xf32> {hfloat.input_type_rt = "rgb", hfloat.input_type_train = "rgb",
    hfloat.input_layout_train = "NHWC"}) -> tensor<1x3x4x4xf32> {
  return %x : tensor<1x3x4x4xf32>
}

// -----

// expected-error@+1 {{input 'input_0': only inputs of rank 4 can be preprocessed}}
func.func @rank(%x: tensor<3x4xf32> {hfloat.input_type_rt = "featuremap", hfloat.input_type_train = "featuremap",
    hfloat.input_layout_train = "NCHW", hfloat.scale_value = array<f64: 2.0>}) -> tensor<3x4xf32> {
  return %x : tensor<3x4xf32>
}

// -----

// expected-error@+1 {{input 'input_0': only f32 inputs can be preprocessed}}
func.func @element(%x: tensor<1x3x4x4xi64> {hfloat.input_type_rt = "rgb", hfloat.input_type_train = "rgb",
    hfloat.input_layout_train = "NCHW"}) -> tensor<1x3x4x4xi64> {
  return %x : tensor<1x3x4x4xi64>
}

// -----

// expected-error@+1 {{input 'input_0': rgb cannot be turned into featuremap}}
func.func @types(%x: tensor<1x3x4x4xf32> {hfloat.input_type_rt = "rgb", hfloat.input_type_train = "featuremap",
    hfloat.input_layout_train = "NCHW"}) -> tensor<1x3x4x4xf32> {
  return %x : tensor<1x3x4x4xf32>
}

// -----

// expected-error@+1 {{input 'input_0': there are 2 numbers of mean for 3 channels}}
func.func @count(%x: tensor<1x3x4x4xf32> {hfloat.input_type_rt = "rgb", hfloat.input_type_train = "rgb",
    hfloat.input_layout_train = "NCHW", hfloat.mean_value = array<f64: 1.0, 2.0>}) -> tensor<1x3x4x4xf32> {
  return %x : tensor<1x3x4x4xf32>
}

// -----

// expected-error@+1 {{input 'input_0': scale 1e300 is no finite f32}}
func.func @range(%x: tensor<1x3x4x4xf32> {hfloat.input_type_rt = "rgb", hfloat.input_type_train = "rgb",
    hfloat.input_layout_train = "NCHW", hfloat.scale_value = array<f64: 1.0e300>}) -> tensor<1x3x4x4xf32> {
  return %x : tensor<1x3x4x4xf32>
}

// -----

// expected-error@+1 {{input 'input_0': hfloat.input_source: 'pyramids' is not resizer}}
func.func @source(%x: tensor<1x3x4x4xf32> {hfloat.input_type_rt = "nv12", hfloat.input_type_train = "rgb",
    hfloat.input_layout_train = "NCHW", hfloat.input_source = "pyramids"}) -> tensor<1x3x4x4xf32> {
  return %x : tensor<1x3x4x4xf32>
}

// -----

// expected-error@+1 {{input 'input_0': hfloat.input_type_rt: 'yuv420' is none of featuremap, rgb, bgr, yuv444, yuv444_128, nv12, gray}}
func.func @word(%x: tensor<1x3x4x4xf32> {hfloat.input_type_rt = "yuv420", hfloat.input_type_train = "rgb",
    hfloat.input_layout_train = "NCHW"}) -> tensor<1x3x4x4xf32> {
  return %x : tensor<1x3x4x4xf32>
}

// -----

// expected-error@+1 {{input 'input_0': hfloat.input_type_rt is given without hfloat.input_layout_train}}
func.func @incomplete(%x: tensor<1x3x4x4xf32> {hfloat.input_type_rt = "rgb", hfloat.input_type_train = "rgb"})
    -> tensor<1x3x4x4xf32> {
  return %x : tensor<1x3x4x4xf32>
}
