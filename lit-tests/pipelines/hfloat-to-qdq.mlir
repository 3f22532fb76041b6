// From the float level to the QDQ form.
// RUN: hb-opt %s --pass-pipeline='builtin.module(hfloat-to-qdq{default=63.5})' | FileCheck %s
// RUN: echo '{"values": {"x": {"type": "int8", "threshold": 127}, "Relu_0": {"type": "int8", "threshold": 254}}}' > %t.json
// RUN: hb-opt %s --pass-pipeline='builtin.module(hfloat-to-qdq{info=%t.json})' | FileCheck %s --check-prefix=FILE
// RUN: not hb-opt %s --hfloat-to-qdq 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not hb-opt %s --pass-pipeline='builtin.module(hfloat-to-qdq{bits=4})' 2>&1 | FileCheck %s --check-prefix=OPTION

// CHECK-LABEL: func.func @main
// CHECK-COUNT-2: !quant.uniform<i8:f32, 5.000000e-01>
// CHECK: hfloat.relu
// CHECK-COUNT-2: !quant.uniform<i8:f32, 5.000000e-01>
// FILE: !quant.uniform<i8:f32, 1.000000e+00>
// FILE: hfloat.relu
// FILE: !quant.uniform<i8:f32, 2.000000e+00>
// NONE: has no threshold
// OPTION: there is no option 'bits'
func.func @main(%x: tensor<1x1x2x2xf32> {hfloat.name = "x"}) -> tensor<1x1x2x2xf32> {
  %0 = hfloat.relu %x : (tensor<1x1x2x2xf32>) -> tensor<1x1x2x2xf32> loc("Relu_0")
  return %0 : tensor<1x1x2x2xf32>
}
