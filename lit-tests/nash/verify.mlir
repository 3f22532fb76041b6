// The border after the nash level.
// RUN: hb-opt %s --pass-pipeline='builtin.module(func.func(nash-verify))' --verify-diagnostics --split-input-file

// The load is ordered before the store by its wait: no error.
func.func @ordered(%x: tensor<16xi32>) -> tensor<16xi32> {
  %y = nash.program(%x) on "nash-e" inputs [#nash.port<"x", 64, [4]>] outputs [#nash.port<"y", 64, [4]>] workspace 0 names ["n"] {
    nash.load.copy node 0 shape [1, 1, 1, 1, 1, 16] element_bytes 4 source <input 0 + 0, [0, 0, 0, 0, 0, 4]> destination <0, [0, 0, 0, 0, 0, 4]>
    nash.store.copy node 0 wait [load 1] shape [1, 1, 1, 1, 1, 16] element_bytes 4 source <0, [0, 0, 0, 0, 0, 4]> destination <output 0 + 0, [0, 0, 0, 0, 0, 4]>
  } : (tensor<16xi32>) -> tensor<16xi32>
  return %y : tensor<16xi32>
}

// -----

func.func @race(%x: tensor<16xi32>) -> tensor<16xi32> {
  // expected-error @+1 {{race on bytes 0x0 to 0x40 of l1m}}
  %y = nash.program(%x) on "nash-e" inputs [#nash.port<"x", 64, [4]>] outputs [#nash.port<"y", 64, [4]>] workspace 0 names ["n"] {
    nash.load.copy node 0 shape [1, 1, 1, 1, 1, 16] element_bytes 4 source <input 0 + 0, [0, 0, 0, 0, 0, 4]> destination <0, [0, 0, 0, 0, 0, 4]>
    nash.store.copy node 0 shape [1, 1, 1, 1, 1, 16] element_bytes 4 source <0, [0, 0, 0, 0, 0, 4]> destination <output 0 + 0, [0, 0, 0, 0, 0, 4]>
  } : (tensor<16xi32>) -> tensor<16xi32>
  return %y : tensor<16xi32>
}

// -----

func.func @deadlock() {
  // expected-error @+1 {{deadlock: instruction 0 (dte.fill, dte#1, of n) waits for 1 instructions of dte}}
  nash.program() on "nash-e" inputs [] outputs [] workspace 0 names ["n"] {
    nash.dte.fill node 0 wait [dte 1] shape [1, 1, 1, 1, 1, 4] element_bytes 1 value 0 destination <0, [0, 0, 0, 0, 0, 1]>
  } : () -> ()
  return
}

// -----

func.func @left(%x: tensor<16xf32>) -> tensor<16xf32> {
  // expected-error @+1 {{'hfloat.relu' is left; only nash.program and cpu.segment may be}}
  %y = hfloat.relu %x : (tensor<16xf32>) -> tensor<16xf32>
  return %y : tensor<16xf32>
}

// -----

// What instructions belong to, and what runs on the CPU.
func.func @twice(%x: tensor<16xf32>) -> tensor<16xf32> {
  %0 = cpu.segment(%x) {
  ^bb0(%a: tensor<16xf32>):
    %1 = hfloat.relu %a : (tensor<16xf32>) -> tensor<16xf32> loc("n")
    cpu.yield %1 : tensor<16xf32>
  } : (tensor<16xf32>) -> tensor<16xf32>
  // expected-error @+1 {{the name 'n' is given twice; everything that instructions belong to needs one of its own}}
  %y = nash.program(%0) on "nash-e" inputs [#nash.port<"x", 64, [4]>] outputs [#nash.port<"y", 64, [4]>] workspace 0 names ["n"] {
    nash.load.copy node 0 shape [1, 1, 1, 1, 1, 16] element_bytes 4 source <input 0 + 0, [0, 0, 0, 0, 0, 4]> destination <0, [0, 0, 0, 0, 0, 4]>
    nash.store.copy node 0 wait [load 1] shape [1, 1, 1, 1, 1, 16] element_bytes 4 source <0, [0, 0, 0, 0, 0, 4]> destination <output 0 + 0, [0, 0, 0, 0, 0, 4]>
  } : (tensor<16xf32>) -> tensor<16xf32>
  return %y : tensor<16xf32>
}
