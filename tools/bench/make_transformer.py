"""Writes a transformer encoder of many nodes with random weights, spelled out as exporters write it.

    make_transformer.py OUTPUT.onnx [--layers 24] [--width 256] [--heads 4] [--length 64]

Each layer is 49 nodes: attention by MatMul, Reshape, Transpose and Softmax, LayerNormalization as ReduceMean to Div, Gelu by Erf; 24 layers
are 1,176, which are 1,182 with the normalization of the input less its scale... Input `input` f32[1,length,width], output `output` of the same shape. Needs numpy and onnx.
"""
