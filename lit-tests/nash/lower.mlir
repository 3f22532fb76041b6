// A segment becomes a program; its decisions can be dumped and read back.
// RUN: rm -rf %t && mkdir -p %t
// RUN: hb-opt %s --pass-pipeline='builtin.module(func.func(bpu-lower-to-nash{march=nash-e dump-plan=%t/plan.json},nash-verify))' -o %t/first.mlir
// RUN: FileCheck %s --input-file=%t/first.mlir
// RUN: FileCheck %s --input-file=%t/plan.json --check-prefix=PLAN
// RUN: hb-opt %s --pass-pipeline='builtin.module(func.func(bpu-lower-to-nash{march=nash-e plan=%t/plan.json},nash-verify))' -o %t/second.mlir
// RUN: diff %t/first.mlir %t/second.mlir
// RUN: hb-opt %s --mlir-print-debuginfo --pass-pipeline='builtin.module(func.func(bpu-lower-to-nash))' | FileCheck %s --check-prefix=NAMES
// RUN: not hb-opt %s --pass-pipeline='builtin.module(func.func(bpu-lower-to-nash{march=nash-x}))' 2>&1 | FileCheck %s --check-prefix=TARGET

// RUN: not hb-opt %s --pass-pipeline='builtin.module(func.func(bpu-lower-to-nash{optimize-level=O3}))' 2>&1 | FileCheck %s --check-prefix=LEVEL
// RUN: not hb-opt %s --pass-pipeline='builtin.module(func.func(bpu-lower-to-nash{compile-mode=balance}))' 2>&1 | FileCheck %s --check-prefix=BALANCE
// RUN: hb-opt %s --pass-pipeline='builtin.module(bpu-to-nash{optimize-level=O2 compile-mode=balance balance-factor=30})' | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK-NOT: bpu.
// CHECK: %[[Y:.*]] = nash.program(%{{.*}}) on "nash-e" inputs [#nash.port<"input_0", 64, [64, 16, 8, 4]>]
// CHECK-SAME: outputs [#nash.port<"y", 64, [64, 16, 8, 4]>]
// CHECK: nash.load.copy {{.*}} source <input 0 + 0,
// CHECK: nash.vpu.quantize node 0 wait [load 1] {{.*}} output_element i8 scale 5.000000e-01 zero_point 0
// CHECK: nash.vpu.dequantize node 1 {{.*}} input_element i8 scale 5.000000e-01 zero_point 0
// CHECK: nash.store.copy {{.*}} wait [vpu 2] {{.*}} destination <output 0 + 0,
// CHECK: return %[[Y]]
// PLAN: "segment": {
// LEVEL: 'O3' is no level of optimization; there are O0, O1 and O2
// BALANCE: compile-mode balance needs a balance-factor from 0 to 100
// PLAN: "nodes": [
// PLAN: "node": "q"
// PLAN: "node": "y"
// NAMES: nash.vpu.quantize {{.*}} loc(#[[Q:.*]])
// NAMES: nash.vpu.dequantize {{.*}} loc(#[[Y:.*]])
// NAMES-DAG: #[[Q]] = loc("q")
// NAMES-DAG: #[[Y]] = loc("y")
// TARGET: bpu-lower-to-nash: unknown target 'nash-x'
func.func @main(%x: tensor<1x4x2x2xf32>) -> tensor<1x4x2x2xf32> {
  %0 = bpu.segment(%x) {
  ^bb0(%input: tensor<1x4x2x2xf32>):
    %1 = bpu.quantize %input : (tensor<1x4x2x2xf32>) -> tensor<1x4x2x2x!quant.uniform<i8:f32, 0.5>> loc("q")
    %2 = bpu.dequantize %1 : (tensor<1x4x2x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x2x2xf32> loc("y")
    bpu.yield %2 : tensor<1x4x2x2xf32>
  } : (tensor<1x4x2x2xf32>) -> tensor<1x4x2x2xf32> loc("segment")
  return %0 : tensor<1x4x2x2xf32>
}
