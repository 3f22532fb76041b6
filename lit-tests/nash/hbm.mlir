// A program goes into a .hbm and comes out as text.
// RUN: hb-translate --emit-hbm %s -o %t.hbm
// RUN: hb-translate --disassemble-hbm %t.hbm | FileCheck %s --strict-whitespace --match-full-lines
// RUN: hb-opt %s --mlir-print-debuginfo | hb-translate --emit-hbm - -o - | hb-translate --disassemble-hbm - | FileCheck %s --strict-whitespace --match-full-lines
// RUN: echo 'func.func @main() { return }' | not hb-translate --emit-hbm - 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: sed -e s/nash-e/nash-m/ -e s,./data,%examples/digits/data, -e s,model.onnx,%examples/digits/model.onnx, %examples/digits/config.yaml > %t.yaml
// RUN: not hb-translate --emit-hbm --config %t.yaml %s -o %t.hbm 2>&1 | FileCheck %s --check-prefix=OTHER
// RUN: echo no | not hb-translate --disassemble-hbm - 2>&1 | FileCheck %s --check-prefix=BAD

//      CHECK:segment "segment"
// CHECK-NEXT:input0: 64 bytes
// CHECK-NEXT:output0: 64 bytes
// CHECK-NEXT:constants: 0 bytes
// CHECK-NEXT:workspace: 0 bytes
// CHECK-NEXT:    0  load#1   load.copy shape=[16] element_bytes=4 source=input0+0x0[4] destination=@0x40[4]  // "n"
// CHECK-NEXT:    1  store#1  store.copy after load>=1 shape=[16] element_bytes=4 source=@0x40[4] destination=output0+0x0[4]  // "n"
//  CHECK-NOT:{{.+}}
// NONE: error: the module has no nash.program, so its machine is not known; run the pipeline bpu-to-nash of hb-opt first, or give --config
// OTHER: error: the programs are made for nash-e, but the configuration says nash-m
// BAD: hb-translate: error:
func.func @main(%x: tensor<16xf32>) -> tensor<16xf32> {
  %y = nash.program(%x) on "nash-e" inputs [#nash.port<"x", 64, [4]>] outputs [#nash.port<"y", 64, [4]>] workspace 0 names ["n"] {
    nash.load.copy node 0 shape [1, 1, 1, 1, 1, 16] element_bytes 4 source <input 0 + 0, [0, 0, 0, 0, 0, 4]> destination <64, [0, 0, 0, 0, 0, 4]>
    nash.store.copy node 0 wait [load 1] shape [1, 1, 1, 1, 1, 16] element_bytes 4 source <64, [0, 0, 0, 0, 0, 4]> destination <output 0 + 0, [0, 0, 0, 0, 0, 4]>
  } : (tensor<16xf32>) -> tensor<16xf32> loc("segment")
  return %y : tensor<16xf32>
}
