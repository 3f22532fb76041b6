// A recurrent layer becomes the operations of its steps; one that is not for the BPU stays, with the reason.
// RUN: hb-opt %s --hfloat-unroll-recurrences --canonicalize | FileCheck %s
// RUN: hb-opt %s --hfloat-unroll-recurrences --mlir-print-debuginfo | FileCheck %s --check-prefix=NAMES
// RUN: hb-opt %s --pass-pipeline='builtin.module(func.func(hfloat-unroll-recurrences{cpu=RNN_1,LSTM%%20two}))' | FileCheck %s --check-prefix=KEPT

// h1 = tanh(x1 * 2 + (0.5 + 0.25)), h2 = tanh(x2 * 2 + 0.75 + h1 * 3). The products of all steps are one; the first step has no state before.
// CHECK-LABEL: func.func @rnn
// CHECK-DAG: %[[W:.*]] = hfloat.constant dense<2.000000e+00> : tensor<1x1xf32>
// CHECK-DAG: %[[B:.*]] = hfloat.constant dense<7.500000e-01> : tensor<1x1x1xf32>
// CHECK-DAG: %[[R:.*]] = hfloat.constant dense<3.000000e+00> : tensor<1x1xf32>
// CHECK: %[[PRODUCTS:.*]] = hfloat.mat_mul %arg0, %[[W]] : {{.*}} -> tensor<2x1x1xf32>
// CHECK-NEXT: %[[BIASED:.*]] = hfloat.add %[[PRODUCTS]], %[[B]]
// CHECK-NEXT: %[[X1:.*]] = hfloat.slice %[[BIASED]], {{.*}} -> tensor<1x1x1xf32>
// CHECK-NEXT: %[[X2:.*]] = hfloat.slice %[[BIASED]], {{.*}} -> tensor<1x1x1xf32>
// CHECK-NEXT: %[[H1:.*]] = hfloat.tanh %[[X1]] {hfloat.over_steps = "RNN_1/hidden", hfloat.state}
// CHECK-NEXT: %[[PRODUCT:.*]] = hfloat.mat_mul %[[H1]], %[[R]] {hfloat.over_steps = "RNN_1/hidden_product"}
// CHECK-NEXT: %[[SUM:.*]] = hfloat.add %[[X2]], %[[PRODUCT]] {hfloat.over_steps = "RNN_1/hidden_sums"}
// CHECK-NEXT: %[[H2:.*]] = hfloat.tanh %[[SUM]] {hfloat.over_steps = "RNN_1/hidden", hfloat.state}
// CHECK-NEXT: %[[ALL:.*]] = hfloat.concat %[[H1]], %[[H2]] {axis = 0 : si64}
// CHECK-NEXT: %[[Y:.*]] = hfloat.unsqueeze %[[ALL]], {{.*}} -> tensor<2x1x1x1xf32>
// CHECK-NEXT: return %[[Y]], %[[H2]]
// NAMES-DAG: #[[RNN:.*]] = loc("RNN_1")
// NAMES-DAG: loc(fused<"RNN_1/hidden_products">[#[[RNN]]])
// NAMES-DAG: loc(fused<"RNN_1/step_0/hidden">[#[[RNN]]])
// NAMES-DAG: loc(fused<"RNN_1/step_1/hidden_sums">[#[[RNN]]])
// KEPT-LABEL: func.func @rnn
// KEPT: hfloat.rnn {{.*}} {hidden_size = 1 : si64} :
// KEPT-NOT: hfloat.placement
func.func @rnn(%x: tensor<2x1x1xf32>) -> (tensor<2x1x1x1xf32>, tensor<1x1x1xf32>) {
  %w = hfloat.constant dense<2.0> : tensor<1x1x1xf32>
  %r = hfloat.constant dense<3.0> : tensor<1x1x1xf32>
  %b = hfloat.constant dense<[[0.5, 0.25]]> : tensor<1x2xf32>
  %lengths = hfloat.constant dense<2> : tensor<1xi32>
  %none = hfloat.constant dense<> : tensor<0xf32>
  %0:2 = hfloat.rnn %x, %w, %r, %b, %lengths, %none {hidden_size = 1 : si64}
    : (tensor<2x1x1xf32>, tensor<1x1x1xf32>, tensor<1x1x1xf32>, tensor<1x2xf32>, tensor<1xi32>, tensor<0xf32>)
    -> (tensor<2x1x1x1xf32>, tensor<1x1x1xf32>) loc("RNN_1")
  return %0#0, %0#1 : tensor<2x1x1x1xf32>, tensor<1x1x1xf32>
}

// One step in both directions with a state from outside: the readers of that say what it is called over all steps. The output of the layer is not read: only the last cell state is
// left, so that neither the output gate nor the hidden state is computed.
// CHECK-LABEL: func.func @lstm
// CHECK-DAG: %[[C0:.*]] = hfloat.slice %arg2, {{.*}} -> tensor<1x1x1xf32>
// CHECK-DAG: hfloat.mat_mul {{.*}} {hfloat.over_steps = "LSTM two/forward/forget_product", hfloat.state_operands = ["LSTM two/forward/hidden", ""]}
// CHECK: hfloat.mul %{{.*}}, %[[C0]] {hfloat.over_steps = "LSTM two/forward/kept", hfloat.state, hfloat.state_operands = ["", "LSTM two/forward/cell"]}
// CHECK: hfloat.add {{.*}} {hfloat.over_steps = "LSTM two/forward/cell", hfloat.state}
// CHECK-NOT: LSTM two/forward/output"
// CHECK: hfloat.add {{.*}} {hfloat.over_steps = "LSTM two/reverse/cell", hfloat.state}
// CHECK-NEXT: hfloat.concat {{.*}} {axis = 0 : si64} : {{.*}} -> tensor<2x1x1xf32>
// KEPT-LABEL: func.func @lstm
// KEPT: hfloat.lstm
func.func @lstm(%x: tensor<1x1x1xf32>, %h: tensor<2x1x1xf32>, %c: tensor<2x1x1xf32>) -> tensor<2x1x1xf32> {
  %w = hfloat.constant dense<2.0> : tensor<2x4x1xf32>
  %none = hfloat.constant dense<> : tensor<0xf32>
  %lengths = hfloat.constant dense<> : tensor<0xi32>
  %0:3 = hfloat.lstm %x, %w, %w, %none, %lengths, %h, %c, %none {direction = "bidirectional"}
    : (tensor<1x1x1xf32>, tensor<2x4x1xf32>, tensor<2x4x1xf32>, tensor<0xf32>, tensor<0xi32>, tensor<2x1x1xf32>, tensor<2x1x1xf32>, tensor<0xf32>)
    -> (tensor<1x2x1x1xf32>, tensor<2x1x1xf32>, tensor<2x1x1xf32>) loc("LSTM two")
  return %0#2 : tensor<2x1x1xf32>
}

// CHECK-LABEL: func.func @stays
// CHECK: hfloat.gru {{.*}}hfloat.placement = "cpu", hfloat.placement_reason = "its weights of the state are known only when it runs"
// CHECK: hfloat.gru {{.*}} hfloat.placement_reason = "the lengths of its sequences are known only when it runs"
// CHECK: hfloat.gru {{.*}} hfloat.placement_reason = "not all of its sequences have 2 steps"
func.func @stays(%x: tensor<2x1x1xf32>, %r: tensor<1x3x1xf32>, %lengths: tensor<1xi32>)
    -> (tensor<1x1x1xf32>, tensor<1x1x1xf32>, tensor<1x1x1xf32>) {
  %w = hfloat.constant dense<2.0> : tensor<1x3x1xf32>
  %none = hfloat.constant dense<> : tensor<0xf32>
  %one = hfloat.constant dense<1> : tensor<1xi32>
  %two = hfloat.constant dense<2> : tensor<1xi32>
  %0:2 = hfloat.gru %x, %w, %r, %none, %two, %none
    : (tensor<2x1x1xf32>, tensor<1x3x1xf32>, tensor<1x3x1xf32>, tensor<0xf32>, tensor<1xi32>, tensor<0xf32>) -> (tensor<2x1x1x1xf32>, tensor<1x1x1xf32>)
  %1:2 = hfloat.gru %x, %w, %w, %none, %lengths, %none
    : (tensor<2x1x1xf32>, tensor<1x3x1xf32>, tensor<1x3x1xf32>, tensor<0xf32>, tensor<1xi32>, tensor<0xf32>) -> (tensor<2x1x1x1xf32>, tensor<1x1x1xf32>)
  %2:2 = hfloat.gru %x, %w, %w, %none, %one, %none
    : (tensor<2x1x1xf32>, tensor<1x3x1xf32>, tensor<1x3x1xf32>, tensor<0xf32>, tensor<1xi32>, tensor<0xf32>) -> (tensor<2x1x1x1xf32>, tensor<1x1x1xf32>)
  return %0#1, %1#1, %2#1 : tensor<1x1x1xf32>, tensor<1x1x1xf32>, tensor<1x1x1xf32>
}

// CHECK-LABEL: func.func @long
// CHECK: hfloat.rnn {{.*}} hfloat.placement_reason = "it has 513 steps; up to 512 are unrolled for the BPU"
func.func @long(%x: tensor<513x1x1xf32>) -> tensor<1x1x1xf32> {
  %w = hfloat.constant dense<2.0> : tensor<1x1x1xf32>
  %none = hfloat.constant dense<> : tensor<0xf32>
  %lengths = hfloat.constant dense<> : tensor<0xi32>
  %0:2 = hfloat.rnn %x, %w, %w, %none, %lengths, %none
    : (tensor<513x1x1xf32>, tensor<1x1x1xf32>, tensor<1x1x1xf32>, tensor<0xf32>, tensor<0xi32>, tensor<0xf32>) -> (tensor<513x1x1x1xf32>, tensor<1x1x1xf32>)
  return %0#1 : tensor<1x1x1xf32>
}
