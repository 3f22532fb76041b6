// Options become attributes of the argument that they name.
// RUN: hb-opt %s --pass-pipeline='builtin.module(func.func(hfloat-assign-preprocessing{input=b input-type-rt=rgb input-type-train=bgr input-layout-train=NHWC mean-value=1,2.5,-3 scale-value=0.5}))' | FileCheck %s
// RUN: not hb-opt %s --pass-pipeline='builtin.module(func.func(hfloat-assign-preprocessing{input=c}))' 2>&1 | FileCheck %s --check-prefix=INPUT
// RUN: not hb-opt %s --pass-pipeline='builtin.module(func.func(hfloat-assign-preprocessing))' 2>&1 | FileCheck %s --check-prefix=UNNAMED
// RUN: not hb-opt %s --pass-pipeline='builtin.module(func.func(hfloat-assign-preprocessing{input=a input-type-rt=jpeg}))' 2>&1 | FileCheck %s --check-prefix=TYPE
// RUN: not hb-opt %s --pass-pipeline='builtin.module(func.func(hfloat-assign-preprocessing{input=a input-layout-train=NCWH}))' 2>&1 | FileCheck %s --check-prefix=LAYOUT
// RUN: not hb-opt %s --pass-pipeline='builtin.module(func.func(hfloat-assign-preprocessing{input=a mean-value=1,x}))' 2>&1 | FileCheck %s --check-prefix=NUMBER

// CHECK-LABEL: func.func @main
// CHECK-SAME: (%{{.*}}: tensor<2xf32> {hfloat.name = "a"}, %{{.*}}: tensor<1x2x2x3xf32> {
// CHECK-SAME: hfloat.input_layout_train = "NHWC", hfloat.input_space_and_range = "regular", hfloat.input_type_rt = "rgb", hfloat.input_type_train = "bgr",
// CHECK-SAME: hfloat.mean_value = array<f64: 1.000000e+00, 2.500000e+00, -3.000000e+00>, hfloat.name = "b",
// CHECK-SAME: hfloat.scale_value = array<f64: 5.000000e-01>})
// INPUT: there is no input 'c'; the inputs are 'a', 'b'
// UNNAMED: there is no input ''; the inputs are 'a', 'b'
// TYPE: input-type-rt: 'jpeg' is none of featuremap, rgb, bgr, yuv444, yuv444_128, nv12, gray
// LAYOUT: input-layout-train: 'NCWH' is none of NCHW, NHWC
// NUMBER: mean-value: 'x' is no number
func.func @main(%a: tensor<2xf32> {hfloat.name = "a"}, %b: tensor<1x2x2x3xf32> {hfloat.name = "b"}) -> tensor<2xf32> {
  return %a : tensor<2xf32>
}
