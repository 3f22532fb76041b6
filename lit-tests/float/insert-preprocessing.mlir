// Deployed images become the network's float input; the attributes that asked for it are gone, the layout is said.
// RUN: hb-opt %s --hfloat-insert-preprocessing --split-input-file --verify-diagnostics | FileCheck %s
// RUN: hb-opt %s --hfloat-insert-preprocessing --split-input-file --verify-diagnostics --mlir-print-debuginfo \
// RUN:   | FileCheck %s --check-prefix=NAMES

// CHECK-LABEL: func.func @bgr_for_a_network_of_rgb
// CHECK-SAME: (%[[X:.*]]: tensor<1x2x5x3xui8> {hfloat.layout = "NHWC", hfloat.name = "image"}) -> tensor<1x3x2x5xf32>
// CHECK-NEXT: %[[T:.*]] = hfloat.transpose %[[X]] {perm = array<i64: 0, 3, 1, 2>} : (tensor<1x2x5x3xui8>) -> tensor<1x3x2x5xui8>
// CHECK-NEXT: %[[ORDER:.*]] = hfloat.constant dense<[2, 1, 0]> : tensor<3xi64>
// CHECK-NEXT: %[[S:.*]] = hfloat.gather %[[T]], %[[ORDER]] {axis = 1 : si64}
// CHECK-NEXT: %[[C:.*]] = hfloat.cast %[[S]] : (tensor<1x3x2x5xui8>) -> tensor<1x3x2x5xf32>
// CHECK-NEXT: %[[MEAN:.*]] = hfloat.constant dense<{{\[\[\[}}-1.000000e+00]], {{\[\[}}-2.000000e+00]], {{\[\[}}-3.000000e+00]]]> : tensor<3x1x1xf32>
// CHECK-NEXT: %[[A:.*]] = hfloat.add %[[C]], %[[MEAN]]
// CHECK-NEXT: %[[SCALE:.*]] = hfloat.constant dense<5.000000e-01> : tensor<3x1x1xf32>
// CHECK-NEXT: %[[M:.*]] = hfloat.mul %[[A]], %[[SCALE]]
// CHECK-NEXT: hfloat.relu %[[M]]
// NAMES-DAG: loc(fused<"image/preprocess/transpose">[
// NAMES-DAG: loc(fused<"image/preprocess/swap_channels">[
// NAMES-DAG: loc(fused<"image/preprocess/cast">[
// NAMES-DAG: loc(fused<"image/preprocess/subtract_mean">[
// NAMES-DAG: loc(fused<"image/preprocess/multiply_scale">[
func.func @bgr_for_a_network_of_rgb(%x: tensor<1x3x2x5xf32> {
    hfloat.name = "image", hfloat.input_type_rt = "bgr", hfloat.input_type_train = "rgb", hfloat.input_layout_train = "NCHW",
    hfloat.mean_value = array<f64: 1.0, 2.0, 3.0>, hfloat.scale_value = array<f64: 0.5>}) -> tensor<1x3x2x5xf32> {
  %0 = hfloat.relu %x : (tensor<1x3x2x5xf32>) -> tensor<1x3x2x5xf32> loc("Relu_0")
  return %0 : tensor<1x3x2x5xf32>
}

// -----

// The network takes NHWC, in the order of channels that it is given.
// CHECK-LABEL: func.func @rgb_in_nhwc
// CHECK-SAME: (%[[X:.*]]: tensor<1x2x5x3xui8> {hfloat.layout = "NHWC"}) -> tensor<1x2x5x3xf32>
// CHECK-NEXT: %[[C:.*]] = hfloat.cast %[[X]]
// CHECK-NEXT: %[[SCALE:.*]] = hfloat.constant dense<[1.000000e+00, 2.000000e+00, 3.000000e+00]> : tensor<3xf32>
// CHECK-NEXT: %[[M:.*]] = hfloat.mul %[[C]], %[[SCALE]]
// CHECK-NEXT: return %[[M]]
func.func @rgb_in_nhwc(%x: tensor<1x2x5x3xf32> {
    hfloat.input_type_rt = "rgb", hfloat.input_type_train = "rgb", hfloat.input_layout_train = "NHWC",
    hfloat.mean_value = array<f64: 0.0>, hfloat.scale_value = array<f64: 1.0, 2.0, 3.0>}) -> tensor<1x2x5x3xf32> {
  return %x : tensor<1x2x5x3xf32>
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

// expected-error@+1 {{input 'input_0': hfloat.input_type_rt: 'nv12' is none of featuremap, rgb, bgr}}
func.func @word(%x: tensor<1x3x4x4xf32> {hfloat.input_type_rt = "nv12", hfloat.input_type_train = "rgb",
    hfloat.input_layout_train = "NCHW"}) -> tensor<1x3x4x4xf32> {
  return %x : tensor<1x3x4x4xf32>
}

// -----

// expected-error@+1 {{input 'input_0': hfloat.input_type_rt is given without hfloat.input_layout_train}}
func.func @incomplete(%x: tensor<1x3x4x4xf32> {hfloat.input_type_rt = "rgb", hfloat.input_type_train = "rgb"})
    -> tensor<1x3x4x4xf32> {
  return %x : tensor<1x3x4x4xf32>
}
