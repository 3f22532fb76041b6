"""Writes a transformer encoder of many nodes with random weights, spelled out as exporters write it.

    make_transformer.py OUTPUT.onnx

24 layers of 49 nodes, and a normalization: 1,185 nodes. Attention is MatMul, Reshape, Transpose and Softmax, a normalization of layers is
ReduceMean to Add, a Gelu is Div, Erf, Add and two Mul. Input `input` f32[1,128,256], output `output` of the same shape. Needs numpy and onnx.
"""
import argparse

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAYERS, LENGTH, WIDTH, HEADS, INNER = 24, 128, 256, 4, 1024


class Encoder:
    """Nodes one after the other: each method takes names of values and gives that of its result."""

    def __init__(self):
        self.nodes, self.initializers, self.random, self.scope = [], [], np.random.default_rng(0), ""
        for name, value in [("two", 2.0), ("one", 1.0), ("half", 0.5), ("root", np.sqrt(2.0)), ("epsilon", 1e-5),
                            ("scale", np.sqrt(WIDTH / HEADS))]:
            self.initializers.append(numpy_helper.from_array(np.float32(value), name))
        for name, shape in [("split", [0, 0, HEADS, WIDTH // HEADS]), ("joined", [0, 0, WIDTH])]:
            self.initializers.append(numpy_helper.from_array(np.array(shape, np.int64), name))

    def node(self, operator, inputs, name, **attributes):
        name = f"{self.scope}/{name}"
        self.nodes.append(helper.make_node(operator, inputs, [f"{name}_output_0"], name=name, **attributes))
        return f"{name}_output_0"

    def weights(self, name, array):
        self.initializers.append(numpy_helper.from_array(array.astype(np.float32), f"{self.scope}.{name}"))
        return f"{self.scope}.{name}"

    def linear(self, x, name, inputs, outputs):
        matrix = self.weights(f"{name}.weight", self.random.normal(0, 1 / np.sqrt(inputs), (inputs, outputs)))
        bias = self.weights(f"{name}.bias", self.random.normal(0, 0.02, outputs))
        return self.node("Add", [bias, self.node("MatMul", [x, matrix], f"{name}/MatMul")], f"{name}/Add")

    def normalization(self, x, name):
        scale = self.weights(f"{name}.weight", 1 + self.random.normal(0, 0.02, WIDTH))
        bias = self.weights(f"{name}.bias", self.random.normal(0, 0.02, WIDTH))
        mean = self.node("ReduceMean", [x], f"{name}/ReduceMean", axes=[-1])
        centred = self.node("Sub", [x, mean], f"{name}/Sub")
        square = self.node("Pow", [centred, "two"], f"{name}/Pow")
        variance = self.node("ReduceMean", [square], f"{name}/ReduceMean_1", axes=[-1])
        deviation = self.node("Sqrt", [self.node("Add", [variance, "epsilon"], f"{name}/Add")], f"{name}/Sqrt")
        normal = self.node("Div", [centred, deviation], f"{name}/Div")
        return self.node("Add", [self.node("Mul", [normal, scale], f"{name}/Mul"), bias], f"{name}/Add_1")

    def heads(self, x, name, perm):
        split = self.node("Reshape", [self.linear(x, name, WIDTH, WIDTH), "split"], f"{name}/Reshape")
        return self.node("Transpose", [split], f"{name}/Transpose", perm=perm)

    def attention(self, x):
        query, key, value = (self.heads(x, name, perm) for name, perm in
                             [("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])])
        scores = self.node("Div", [self.node("MatMul", [query, key], "MatMul"), "scale"], "Div")
        shares = self.node("Softmax", [scores], "Softmax", axis=-1)
        heads = self.node("Transpose", [self.node("MatMul", [shares, value], "MatMul_1")], "Transpose", perm=[0, 2, 1, 3])
        return self.linear(self.node("Reshape", [heads, "joined"], "Reshape"), "output", WIDTH, WIDTH)

    def gelu(self, x):
        error = self.node("Erf", [self.node("Div", [x, "root"], "gelu/Div")], "gelu/Erf")
        return self.node("Mul", [self.node("Mul", [x, self.node("Add", [error, "one"], "gelu/Add")], "gelu/Mul"), "half"], "gelu/Mul_1")

    def layer(self, x, number):
        self.scope = f"/layer.{number}"
        x = self.node("Add", [self.attention(x), x], "Add")
        x = self.normalization(x, "attention_norm")
        inner = self.gelu(self.linear(x, "inner", WIDTH, INNER))
        x = self.node("Add", [self.linear(inner, "outer", INNER, WIDTH), x], "Add_1")
        return self.normalization(x, "norm")


def network():
    encoder = Encoder()
    value = encoder.normalization("input", "norm")
    for number in range(LAYERS):
        value = encoder.layer(value, number)
    encoder.nodes[-1].output[0] = "output"
    tensor = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, LENGTH, WIDTH])
    graph = helper.make_graph(encoder.nodes, "encoder", [tensor("input")], [tensor("output")], encoder.initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output")
    model = network()
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, parser.parse_args().output)
