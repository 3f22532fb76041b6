// What cannot become a .hbm yet says which segment, and what to do.
// RUN: split-file %s %t
// RUN: sed -e s,./data,%examples/digits/data, -e s,model.onnx,%examples/digits/model.onnx, %examples/digits/config.yaml > %t/cfg.yaml
// RUN: not hb-translate --emit-hbm --config %t/cfg.yaml %t/placed.mlir -o %t/out.hbm 2>&1 | FileCheck %s --check-prefix=PLACED
// RUN: not hb-translate --emit-hbm --config %t/cfg.yaml %t/float.mlir -o %t/out.hbm 2>&1 | FileCheck %s --check-prefix=FLOAT
// RUN: hb-opt %t/named.mlir --mlir-print-debuginfo | hb-translate --emit-hbm --config %t/cfg.yaml - -o %t/out.hbm
// RUN: hb-opt %t/named.mlir | not hb-translate --emit-hbm --config %t/cfg.yaml - -o %t/out.hbm 2>&1 | FileCheck %s --check-prefix=UNNAMED

// PLACED: error: segment 'first' is not lowered to a program of the machine yet; run the pipeline bpu-to-nash of hb-opt first
// FLOAT: error: the network holds 'hfloat.sigmoid' outside of a segment; run the pipelines qdq-to-bpu and bpu-to-nash of hb-opt first
// UNNAMED: error: 'hfloat.sigmoid' of segment 'segment_0' has no name, which its location would hold; with --mlir-print-debuginfo hb-opt keeps locations

//--- placed.mlir
func.func @main(%x: tensor<1x4xf32> {hfloat.name = "x"}) -> (tensor<1x4xf32> {hfloat.name = "y"}) {
  %0 = bpu.segment(%x) {
  ^bb0(%inner: tensor<1x4xf32>):
    %1 = bpu.quantize %inner : (tensor<1x4xf32>) -> tensor<1x4x!quant.uniform<i8:f32, 0.5>> loc("q")
    %2 = bpu.dequantize %1 : (tensor<1x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4xf32> loc("d")
    bpu.yield %2 : tensor<1x4xf32>
  } : (tensor<1x4xf32>) -> tensor<1x4xf32> loc("first")
  return %0 : tensor<1x4xf32>
}

//--- float.mlir
func.func @main(%x: tensor<1x4xf32> {hfloat.name = "x"}) -> (tensor<1x4xf32> {hfloat.name = "y"}) {
  %0 = hfloat.sigmoid %x : (tensor<1x4xf32>) -> tensor<1x4xf32> loc("s")
  return %0 : tensor<1x4xf32>
}

//--- named.mlir
func.func @main(%x: tensor<1x4xf32> {hfloat.name = "x"}) -> (tensor<1x4xf32> {hfloat.name = "y"}) {
  %0 = cpu.segment(%x) {
  ^bb0(%inner: tensor<1x4xf32>):
    %1 = hfloat.sigmoid %inner : (tensor<1x4xf32>) -> tensor<1x4xf32> loc("s")
    cpu.yield %1 : tensor<1x4xf32>
  } : (tensor<1x4xf32>) -> tensor<1x4xf32> loc("first")
  return %0 : tensor<1x4xf32>
}
