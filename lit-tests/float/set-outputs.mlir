// Outputs in the order of their names; what no output needs goes, arguments too.
// RUN: hb-opt %s --hfloat-set-outputs=nodes=Split_2,Add_1 | FileCheck %s
// RUN: hb-opt %s --hfloat-set-outputs=nodes=a%%20%%25%%2C%%20b | FileCheck %s --check-prefix=NAME
// RUN: hb-opt %s --hfloat-set-outputs=nodes=end,Add_5 | FileCheck %s --check-prefix=OWN
// RUN: hb-opt %s --hfloat-set-outputs | FileCheck %s --check-prefix=SAME
// RUN: not hb-opt %s --hfloat-set-outputs=nodes=Add_9 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not hb-opt %s --hfloat-set-outputs=nodes=Add_1,Add_1 2>&1 | FileCheck %s --check-prefix=TWICE

// UNKNOWN: the network has no node 'Add_9'
// TWICE: node 'Add_1' is named twice

// The sum was an output and keeps its name. The split has two results. Only the node behind read %y; %u was never read, so nobody
// notices that it is there.
// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:.*]]: tensor<2x4xf32> {hfloat.name = "x"}, %{{.*}}: tensor<3xf32> {hfloat.name = "unread"})
// CHECK-SAME: -> (tensor<1x4xf32> {hfloat.name = "Split_2_0"}, tensor<1x4xf32> {hfloat.name = "Split_2_1"}, tensor<2x4xf32> {hfloat.name = "sum"})
// CHECK-NEXT: %[[A:.*]] = hfloat.add %[[X]], %[[X]]
// CHECK-NEXT: %[[S:.*]]:2 = hfloat.split %[[A]]
// CHECK-NEXT: return %[[S]]#0, %[[S]]#1, %[[A]]

// A node of two operations, one of which has its name: the results of the last. The name has a space, a percent sign and a comma.
// NAME: -> (tensor<1x4xf32> {hfloat.name = "a %, b"})
// NAME: %[[R:.*]] = hfloat.relu
// NAME: return %[[R]]

// What the network calls `end` is the result of Add_5, so the node `end` gets another name.
// OWN: -> (tensor<1x4xf32> {hfloat.name = "end_1"}, tensor<1x4xf32> {hfloat.name = "end"})

// SAME: return %{{.*}}, %{{.*}} : tensor<1x4xf32>, tensor<2x4xf32>
func.func @main(%x: tensor<2x4xf32> {hfloat.name = "x"}, %y: tensor<1x4xf32> {hfloat.name = "y"}, %u: tensor<3xf32> {hfloat.name = "unread"})
    -> (tensor<1x4xf32> {hfloat.name = "end"}, tensor<2x4xf32> {hfloat.name = "sum"}) {
  %0 = hfloat.add %x, %x : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32> loc("Add_1")
  %1:2 = hfloat.split %0 {axis = 0 : si64, num_outputs = 2 : si64} : (tensor<2x4xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>) loc("Split_2")
  %2 = hfloat.sigmoid %1#0 : (tensor<1x4xf32>) -> tensor<1x4xf32> loc(fused<"a %, b/part">["a %, b"])
  %3 = hfloat.relu %2 : (tensor<1x4xf32>) -> tensor<1x4xf32> loc("a %, b")
  %5 = hfloat.abs %3 : (tensor<1x4xf32>) -> tensor<1x4xf32> loc("end")
  %4 = hfloat.add %5, %y : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32> loc("Add_5")
  return %4, %0 : tensor<1x4xf32>, tensor<2x4xf32>
}
