// Every operation of the dialect prints what it parses, as text and as bytecode.
// RUN: hb-opt %s | hb-opt | FileCheck %s
// RUN: hb-opt %s --emit-bytecode | hb-opt | FileCheck %s

!half = !quant.uniform<i8:f32, 0.5>
!quarter = !quant.uniform<i8:f32, 0.25>
!weight = !quant.uniform<i8:f32:0, {0.5, 0.25}>

// CHECK-LABEL: func.func @segment
func.func @segment(%x: tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32> {
  // CHECK: %[[RESULT:.*]] = bpu.segment(%{{.*}}) {
  %0 = bpu.segment(%x) {
  // CHECK: ^bb0(%[[INPUT:.*]]: tensor<1x4x4x3xf32>):
  ^bb0(%input: tensor<1x4x4x3xf32>):
    // CHECK: bpu.quantize %[[INPUT]] : (tensor<1x4x4x3xf32>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 5.000000e-01>>
    %1 = bpu.quantize %input : (tensor<1x4x4x3xf32>) -> tensor<1x4x4x3x!half>
    // CHECK: bpu.dequantize %{{.*}} : (tensor<1x4x4x3x!quant.uniform<i8:f32, 5.000000e-01>>) -> tensor<1x4x4x3xf32>
    %2 = bpu.dequantize %1 : (tensor<1x4x4x3x!half>) -> tensor<1x4x4x3xf32>
    // CHECK: bpu.yield %{{.*}} : tensor<1x4x4x3xf32>
    bpu.yield %2 : tensor<1x4x4x3xf32>
  // CHECK: } : (tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  } : (tensor<1x4x4x3xf32>) -> tensor<1x4x4x3xf32>
  return %0 : tensor<1x4x4x3xf32>
}

// CHECK-LABEL: func.func @matrix
func.func @matrix(%x: tensor<1x4x4x3x!half>, %a: tensor<2x4x!half>, %b: tensor<4x5x!half>) {
  // CHECK: bpu.constant dense<1> : tensor<2x3x3x3xi8> -> tensor<2x3x3x3x!quant.uniform<i8:f32:0, {5.000000e-01,2.500000e-01}>>
  %w = bpu.constant dense<1> : tensor<2x3x3x3xi8> -> tensor<2x3x3x3x!weight>
  // CHECK: bpu.constant dense<[3, -4]> : tensor<2xi32> -> tensor<2xi32>
  %bias = bpu.constant dense<[3, -4]> : tensor<2xi32> -> tensor<2xi32>
  // CHECK: bpu.conv2d %{{.*}}, %{{.*}}, %{{.*}} {dilations = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 1, 1>}
  %0 = bpu.conv2d %x, %w, %bias {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
      : (tensor<1x4x4x3x!half>, tensor<2x3x3x3x!weight>, tensor<2xi32>) -> tensor<1x4x4x2x!quarter>
  // CHECK: bpu.conv2d %{{.*}}, %{{.*}} {clamp_max = 127 : i64, clamp_min = 0 : i64,
  %1 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, clamp_min = 0, clamp_max = 127}
      : (tensor<1x4x4x3x!half>, tensor<2x3x3x3x!weight>) -> tensor<1x4x4x2x!quarter>
  // CHECK: bpu.matmul %{{.*}}, %{{.*}} : (tensor<2x4x!quant.uniform<i8:f32, 5.000000e-01>>, tensor<4x5x!quant.uniform<i8:f32, 5.000000e-01>>) -> tensor<2x5x!quant.uniform<i8:f32, 2.500000e-01>>
  %2 = bpu.matmul %a, %b : (tensor<2x4x!half>, tensor<4x5x!half>) -> tensor<2x5x!quarter>
  return
}

// CHECK-LABEL: func.func @vector
func.func @vector(%x: tensor<2x4x!half>, %y: tensor<4x!quarter>) {
  // CHECK: bpu.add %{{.*}}, %{{.*}} : (tensor<2x4x!quant.uniform<i8:f32, 5.000000e-01>>, tensor<4x!quant.uniform<i8:f32, 2.500000e-01>>) -> tensor<2x4x!quant.uniform<i8:f32, 5.000000e-01>>
  %0 = bpu.add %x, %y : (tensor<2x4x!half>, tensor<4x!quarter>) -> tensor<2x4x!half>
  // CHECK: bpu.sub %{{.*}}, %{{.*}} {clamp_min = 0 : i64}
  %1 = bpu.sub %x, %y {clamp_min = 0} : (tensor<2x4x!half>, tensor<4x!quarter>) -> tensor<2x4x!half>
  // CHECK: bpu.mul %{{.*}}, %{{.*}} {clamp_max = 12 : i64}
  %2 = bpu.mul %x, %y {clamp_max = 12} : (tensor<2x4x!half>, tensor<4x!quarter>) -> tensor<2x4x!half>
  // CHECK: bpu.p_relu %{{.*}}, %{{.*}} : (tensor<2x4x!quant.uniform<i8:f32, 5.000000e-01>>, tensor<4x!quant
  %p = bpu.p_relu %x, %y : (tensor<2x4x!half>, tensor<4x!quarter>) -> tensor<2x4x!half>
  // CHECK: bpu.requantize %{{.*}} : (tensor<2x4x!quant.uniform<i8:f32, 5.000000e-01>>) -> tensor<2x4x!quant.uniform<i8:f32, 2.500000e-01>>
  %3 = bpu.requantize %x : (tensor<2x4x!half>) -> tensor<2x4x!quarter>
  // CHECK: bpu.lookup %{{.*}} {table = array<i8: -128, -127,
  %4 = bpu.lookup %x {table = array<i8: -128, -127, -126, -125, -124, -123, -122, -121, -120, -119, -118, -117, -116, -115, -114, -113, -112, -111, -110, -109, -108, -107, -106, -105, -104, -103, -102, -101, -100, -99, -98, -97, -96, -95, -94, -93, -92, -91, -90, -89, -88, -87, -86, -85, -84, -83, -82, -81, -80, -79, -78, -77, -76, -75, -74, -73, -72, -71, -70, -69, -68, -67, -66, -65, -64, -63, -62, -61, -60, -59, -58, -57, -56, -55, -54, -53, -52, -51, -50, -49, -48, -47, -46, -45, -44, -43, -42, -41, -40, -39, -38, -37, -36, -35, -34, -33, -32, -31, -30, -29, -28, -27, -26, -25, -24, -23, -22, -21, -20, -19, -18, -17, -16, -15, -14, -13, -12, -11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127>}
      : (tensor<2x4x!half>) -> tensor<2x4x!quarter>
  return
}

// CHECK-LABEL: func.func @images
func.func @images(%y: tensor<1x2x4x1xui8>, %uv: tensor<1x1x2x2xui8>) {
  // CHECK: bpu.camera_image %{{.*}} {constants = array<i8>} : (tensor<1x2x4x1xui8>) -> tensor<1x2x4x1x!quant.uniform<i8:f32, 1.000000e+00>>
  %0 = bpu.camera_image %y {constants = array<i8>} : (tensor<1x2x4x1xui8>) -> tensor<1x2x4x1x!quant.uniform<i8:f32, 1.0>>
  // CHECK: bpu.camera_image %{{.*}}, %{{.*}} {constants = array<i8: -128, 1>}
  %1 = bpu.camera_image %y, %uv {constants = array<i8: -128, 1>}
    : (tensor<1x2x4x1xui8>, tensor<1x1x2x2xui8>) -> tensor<1x2x4x5x!quant.uniform<i8:f32, 1.0>>
  return
}

// CHECK-LABEL: func.func @regions
func.func @regions(%uv: tensor<1x8x6x2xui8>, %roi: tensor<1x4xi32>) {
  // CHECK: bpu.roi_resize %{{.*}}, %{{.*}} {block = 2 : i64} : (tensor<1x8x6x2xui8>, tensor<1x4xi32>) -> tensor<1x3x5x2x!quant.uniform<i8:f32, 1.000000e+00>>
  %0 = bpu.roi_resize %uv, %roi {block = 2} : (tensor<1x8x6x2xui8>, tensor<1x4xi32>) -> tensor<1x3x5x2x!quant.uniform<i8:f32, 1.0>>
  return
}

// CHECK-LABEL: func.func @integers_and_floats
func.func @integers_and_floats(%i: tensor<1x2x4x3x!quant.uniform<i8:f32, 1.0>>, %x: tensor<2x3xf32>) {
  // CHECK: bpu.camera_image %{{.*}} {constants = array<i8>} : (tensor<1x2x4x3x!quant.uniform<i8:f32, 1.000000e+00>>)
  %0 = bpu.camera_image %i {constants = array<i8>} : (tensor<1x2x4x3x!quant.uniform<i8:f32, 1.0>>) -> tensor<1x2x4x3x!quant.uniform<i8:f32, 1.0>>
  // CHECK: bpu.normalize %{{.*}} {axis = 0 : i64, factor = array<f64: 5.000000e-01, 2.000000e+00>, mean = array<f64: 7.000000e+00, -7.000000e+00>}
  %1 = bpu.normalize %x {axis = 0, mean = array<f64: 7.0, -7.0>, factor = array<f64: 0.5, 2.0>} : (tensor<2x3xf32>) -> tensor<2x3x!half>
  return
}

// CHECK-LABEL: func.func @curves
func.func @curves(%x: tensor<4x!quant.uniform<i16:f32, 0.5>>, %y: tensor<4x!half>) {
  // CHECK: bpu.curve %{{.*}} {constant = array<i64: -7, 0>, linear = array<i64: 0, 4294967296>, quadratic = array<i64: 0, -3>, shift = 31 : i64, starts = array<i64: -32768, 5>} : (tensor<4x!quant.uniform<i16:f32, 5.000000e-01>>) -> tensor<4x!quant.uniform<i16:f32, 5.000000e-01>>
  %0 = bpu.curve %x {starts = array<i64: -32768, 5>, quadratic = array<i64: 0, -3>, linear = array<i64: 0, 4294967296>, constant = array<i64: -7, 0>, shift = 31}
      : (tensor<4x!quant.uniform<i16:f32, 0.5>>) -> tensor<4x!quant.uniform<i16:f32, 0.5>>
  // CHECK: bpu.curve {{.*}} -> tensor<4x!quant.uniform<i8:f32, 5.000000e-01>>
  %1 = bpu.curve %x {starts = array<i64: -32768>, quadratic = array<i64: 0>, linear = array<i64: 1>, constant = array<i64: 0>, shift = 0}
      : (tensor<4x!quant.uniform<i16:f32, 0.5>>) -> tensor<4x!half>
  // CHECK: bpu.curve {{.*}} starts = array<i64: -128>} : (tensor<4x!quant.uniform<i8:f32, 5.000000e-01>>) -> tensor<4x!quant.uniform<i16:f32, 5.000000e-01>>
  %2 = bpu.curve %y {starts = array<i64: -128>, quadratic = array<i64: 0>, linear = array<i64: 1>, constant = array<i64: 0>, shift = 62}
      : (tensor<4x!half>) -> tensor<4x!quant.uniform<i16:f32, 0.5>>
  return
}

// CHECK-LABEL: func.func @pools
func.func @pools(%x: tensor<1x4x4x3x!half>) {
  // CHECK: bpu.max_pool %{{.*}} {dilations = array<i64: 1, 1>, kernel_shape = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>}
  %0 = bpu.max_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x4x4x3x!half>) -> tensor<1x2x2x3x!half>
  // CHECK: bpu.average_pool %{{.*}} {count_include_pad = true, kernel_shape = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 1, 1>}
  %1 = bpu.average_pool %x {kernel_shape = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, count_include_pad = true}
      : (tensor<1x4x4x3x!half>) -> tensor<1x4x4x3x!quarter>
  return
}

// CHECK-LABEL: func.func @programs
func.func @programs(%x: tensor<2x4x!half>, %f: tensor<4xf32>) {
  // CHECK: bpu.vector %{{.*}}, %{{.*}} {axes = array<i64: 1>, program = ["%0 = load 0", "%1 = reduce_sum %0", "%2 = constant 2.5e-1", "%3 = multiply %1 %2",
  // CHECK-SAME: "%4 = load 1", "%5 = less %0 %4", "%6 = select %5 %3 %0"]} : (tensor<2x4x!quant.uniform<i8:f32, 5.000000e-01>>, tensor<4xf32>) -> tensor<2x4xf32>
  %0 = bpu.vector %x, %f {axes = array<i64: 1>, program = ["%0 = load 0", "%1 = reduce_sum %0", "%2 = constant 2.5e-1", "%3 = multiply %1 %2",
      "%4 = load 1", "%5 = less %0 %4", "%6 = select %5 %3 %0"]} : (tensor<2x4x!half>, tensor<4xf32>) -> tensor<2x4xf32>
  // CHECK: bpu.vector %{{.*}} {axes = array<i64>, program = ["%0 = load 0"]} : (tensor<2x4x!quant.uniform<i8:f32, 5.000000e-01>>) -> tensor<2x4xf16>
  %1 = bpu.vector %x {axes = array<i64>, program = ["%0 = load 0"]} : (tensor<2x4x!half>) -> tensor<2x4xf16>
  // CHECK: bpu.transpose %{{.*}} {permutation = array<i64: 1, 0>} : (tensor<2x4xf16>) -> tensor<4x2xf16>
  %2 = bpu.transpose %1 {permutation = array<i64: 1, 0>} : (tensor<2x4xf16>) -> tensor<4x2xf16>
  return
}

// CHECK-LABEL: func.func @layout
func.func @layout(%x: tensor<2x4x!half>, %f: tensor<2x4xf32>) {
  // CHECK: bpu.concat %{{.*}}, %{{.*}} {axis = 1 : i64}
  %0 = bpu.concat %x, %x {axis = 1 : i64} : (tensor<2x4x!half>, tensor<2x4x!half>) -> tensor<2x8x!half>
  // CHECK: bpu.slice %{{.*}} {starts = array<i64: 0, 3>, steps = array<i64: 1, -2>}
  %1 = bpu.slice %x {starts = array<i64: 0, 3>, steps = array<i64: 1, -2>} : (tensor<2x4x!half>) -> tensor<2x2x!half>
  // CHECK: bpu.pad %{{.*}} {after = array<i64: 0, 2>, before = array<i64: 1, 0>, value = 3 : i64}
  %2 = bpu.pad %x {before = array<i64: 1, 0>, after = array<i64: 0, 2>, value = 3 : i64} : (tensor<2x4x!half>) -> tensor<3x6x!half>
  // CHECK: bpu.transpose %{{.*}} {permutation = array<i64: 1, 0>} : (tensor<2x4xf32>) -> tensor<4x2xf32>
  %3 = bpu.transpose %f {permutation = array<i64: 1, 0>} : (tensor<2x4xf32>) -> tensor<4x2xf32>
  // CHECK: bpu.reshape %{{.*}} : (tensor<2x4xf32>) -> tensor<8xf32>
  %4 = bpu.reshape %f : (tensor<2x4xf32>) -> tensor<8xf32>
  return
}
