"""Writes networks of many small nodes, for seeing whether the time of a compilation grows with their number alone.

    make_small_nodes.py chain|tree NODES OUTPUT.onnx

chain: each node reads the one before (Conv, Relu and Add with an earlier value in turn). tree: one input feeds half as many leaves
(Mul with a constant), and Adds join two each until one is left. Input `input` f32[1,4,4,4], output `output` of the same shape. Needs
numpy and onnx.
"""
import argparse

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SHAPE = [1, 4, 4, 4]


def chain(count):
    random = np.random.default_rng(0)
    nodes, initializers, value, earlier = [], [], "input", "input"
    for index in range(count):
        name = "output" if index == count - 1 else f"node_{index}"
        if index % 3 == 0:
            # Small against the value that is added two nodes on, and with either sign, so that values keep their size.
            weights = random.normal(0, 0.2 / np.sqrt(1 + index), (4, 4)).astype(np.float32)
            initializers.append(numpy_helper.from_array(weights.reshape(4, 4, 1, 1), f"weights_{index}"))
            initializers.append(numpy_helper.from_array(random.normal(0, 0.001, 4).astype(np.float32), f"bias_{index}"))
            nodes.append(helper.make_node("Conv", [value, f"weights_{index}", f"bias_{index}"], [name], name=name))
            earlier = value
        elif index % 3 == 1:
            nodes.append(helper.make_node("Relu", [value], [name], name=name))
        else:
            nodes.append(helper.make_node("Add", [value, earlier], [name], name=name))
        value = name
    return nodes, initializers


def tree(count):
    nodes, initializers, values = [], [], []
    leaves = (count + 1) // 2
    for index in range(leaves):
        factor = np.float32(1.0 / leaves) * np.float32(1 + index % 7)
        initializers.append(numpy_helper.from_array(np.full([1, 4, 1, 1], factor, np.float32), f"factor_{index}"))
        nodes.append(helper.make_node("Mul", ["input", f"factor_{index}"], [f"leaf_{index}"], name=f"leaf_{index}"))
        values.append(f"leaf_{index}")
    while len(values) > 1:
        joined = []
        for index in range(0, len(values) - 1, 2):
            name = "output" if len(values) == 2 else f"sum_{len(nodes)}"
            nodes.append(helper.make_node("Add", values[index : index + 2], [name], name=name))
            joined.append(name)
        values = joined + values[len(values) & ~1 :]
    return nodes, initializers


def network(form, count):
    nodes, initializers = {"chain": chain, "tree": tree}[form](count)
    tensor = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE)
    graph = helper.make_graph(nodes, form, [tensor("input")], [tensor("output")], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("form", choices=["chain", "tree"])
    parser.add_argument("nodes", type=int)
    parser.add_argument("output")
    arguments = parser.parse_args()
    model = network(arguments.form, arguments.nodes)
    onnx.checker.check_model(model)
    onnx.save(model, arguments.output)
