// Thresholds become attributes of the values that are measured.
// RUN: hb-opt %s "--quant-assign-thresholds=file=%S/Inputs/thresholds.json default=4.0" | FileCheck %s
// RUN: not hb-opt %s --quant-assign-thresholds=file=%S/Inputs/thresholds.json 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: not hb-opt %s --quant-assign-thresholds=default=many 2>&1 | FileCheck %s --check-prefix=NUMBER
// RUN: not hb-opt %s --quant-assign-thresholds=default=-1.0 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not hb-opt %s --quant-assign-thresholds=file=%S/Inputs/none.json 2>&1 | FileCheck %s --check-prefix=FILE
// RUN: not hb-opt %s "--quant-assign-thresholds=file=%S/Inputs/type.json default=4.0" 2>&1 | FileCheck %s --check-prefix=TYPE
// RUN: not hb-opt %s "--quant-assign-thresholds=file=%S/Inputs/scale.json default=4.0" 2>&1 | FileCheck %s --check-prefix=SCALE
// RUN: not hb-opt %s "--quant-assign-thresholds=file=%S/Inputs/unknown.json default=4.0" 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// MISSING: the value of 'Conv_0' has no threshold
// NUMBER: default 'many' is no number
// NEGATIVE: has the threshold -1
// TYPE: type.json: unknown variant `int4`, expected `int8` or `int16`
// SCALE: scale.json: the value of 'Conv_0' has the scale 2, but its threshold and type make it 1; leave the scale out
// UNKNOWN: unknown.json: no value of the network that needs a threshold is called 'nothing'
// FILE: none.json: No such file

// CHECK-LABEL: func.func @main
// CHECK-SAME: hfloat.name = "image", hfloat.threshold = 2.500000e+00 : f64
func.func @main(%x: tensor<1x2x4x4xf32> {hfloat.name = "image"}) -> tensor<1x2x4x4xf32> {
  %w = hfloat.constant dense<1.0> : tensor<2x2x1x1xf32> loc("w")
  // CHECK: hfloat.conv {{.*}}hfloat.threshold = 4.000000e+00 : f64
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
      : (tensor<1x2x4x4xf32>, tensor<2x2x1x1xf32>) -> tensor<1x2x4x4xf32> loc("Conv_0")
  // A transpose keeps the scale of its input. A softmax stays float, but the sum reads its result quantized.
  // CHECK: hfloat.transpose %{{.*}} {perm = array<i64: 0, 1, 3, 2>} :
  %1 = hfloat.transpose %0 {perm = array<i64: 0, 1, 3, 2>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> loc("Transpose_1")
  // CHECK: hfloat.softmax {{.*}}hfloat.threshold = 1.000000e+00 : f64
  %2 = hfloat.softmax %1 : (tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> loc("Softmax_2")
  // CHECK: hfloat.add {{.*}}hfloat.bits = 16 : i64, hfloat.threshold = 7.500000e-01 : f64
  %3 = hfloat.add %2, %1 : (tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> loc("Add_3")
  return %3 : tensor<1x2x4x4xf32>
}
