// A node that node_info asks onto the CPU stays float, also where it became a part of another operation.
// RUN: hb-opt %s --pass-pipeline="builtin.module(func.func(quant-assign-placement{cpu=Relu_0,a%%20b}))" | FileCheck %s
// RUN: hb-opt %s --pass-pipeline="builtin.module(func.func(quant-assign-placement{cpu=Relu_9}))" 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: hb-opt %s --pass-pipeline="builtin.module(func.func(quant-assign-placement{cpu=Relu_0,a%%20b others=leave}))" | FileCheck %s --check-prefix=LEAVE
// RUN: not hb-opt %s --pass-pipeline="builtin.module(func.func(quant-assign-placement{others=no}))" 2>&1 | FileCheck %s --check-prefix=OTHERS

// OTHERS: others 'no' is neither place nor leave

// LEAVE: hfloat.relu {{.*}}hfloat.placement = "cpu"
// LEAVE-NOT: hfloat.placement = "bpu"
// LEAVE: hfloat.relu {{.*}}hfloat.placement = "cpu"

// UNKNOWN: warning: cpu: nothing is made from a node 'Relu_9'

// CHECK-LABEL: func.func @main
// CHECK: hfloat.relu {{.*}}hfloat.placement = "cpu", hfloat.placement_reason = "node_info asks for the CPU"
// CHECK: hfloat.relu {{.*}}hfloat.placement = "bpu"
// CHECK: hfloat.relu {{.*}}hfloat.placement = "cpu", hfloat.placement_reason = "node_info asks for the CPU"
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = hfloat.relu %x : (tensor<4xf32>) -> tensor<4xf32> loc("Relu_0")
  %1 = hfloat.relu %0 : (tensor<4xf32>) -> tensor<4xf32> loc("Relu_1")
  %2 = hfloat.relu %1 : (tensor<4xf32>) -> tensor<4xf32> loc("a b")
  return %2 : tensor<4xf32>
}
