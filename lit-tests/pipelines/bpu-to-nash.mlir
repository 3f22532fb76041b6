// From segments to checked programs. A tiny local memory cuts the addition into pieces and is part of the program.
// RUN: hb-opt %s --bpu-to-nash | FileCheck %s --check-prefixes=CHECK,WHOLE
// RUN: hb-opt %s --pass-pipeline='builtin.module(bpu-to-nash{march=nash-m override=local_memory.bytes=4096})' | FileCheck %s --check-prefixes=CHECK,TINY
// RUN: not hb-opt %s --pass-pipeline='builtin.module(bpu-to-nash{override=local_memory.bytes=64})' 2>&1 | FileCheck %s --check-prefix=FULL

// CHECK-LABEL: func.func @main
// WHOLE: nash.program(%{{.*}}) on "nash-e" inputs
// In two halves, so that the second is loaded while the first is added.
// WHOLE-COUNT-2: nash.vae.add
// WHOLE-NOT: nash.vae.add
// TINY: nash.program(%{{.*}}) on "nash-m" with ["local_memory.bytes=4096"] inputs
// TINY-COUNT-3: nash.vae.add
// FULL: error: loc("Add_0"): node 'Add_0' (add) does not fit: its smallest tile needs
!half = !quant.uniform<i8:f32, 0.5>
func.func @main(%x: tensor<64x64x!half>) -> tensor<64x64x!half> {
  %0 = bpu.segment(%x) {
  ^bb0(%input: tensor<64x64x!half>):
    %1 = bpu.add %input, %input : (tensor<64x64x!half>, tensor<64x64x!half>) -> tensor<64x64x!half> loc("Add_0")
    bpu.yield %1 : tensor<64x64x!half>
  } : (tensor<64x64x!half>) -> tensor<64x64x!half>
  return %0 : tensor<64x64x!half>
}
