"""Writes networks of one operator each, of the sizes that they have in networks of pictures, speech and text.

    make_operators.py --list
    make_operators.py OPERATOR OUTPUT.onnx

Input `x` float32; weights are constants. Needs numpy and onnx.
"""
import argparse

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
PICTURE, SMALL, TOKENS = (1, 64, 56, 56), (1, 128, 28, 28), (1, 128, 768)


class Network:
    """A network of one operator: its node, and what it reads beside `x`."""

    def __init__(self, operator, shape, *constants, results=1, **attributes):
        self.shape, self.constants = shape, {f"c{index}": constant for index, constant in enumerate(constants)}
        # An operand that is left out has no name.
        names = ["x", *(name if constant is not None else "" for name, constant in self.constants.items())]
        self.outputs = [f"y{index}" for index in range(results)]
        self.node = helper.make_node(operator, names, self.outputs, name=operator, **attributes)

    def model(self):
        initializers = [numpy_helper.from_array(value, name) for name, value in self.constants.items() if value is not None]
        value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        graph = helper.make_graph([self.node], "operator", [value("x", self.shape)], [], initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
        inferred = onnx.shape_inference.infer_shapes(self._with_outputs(model), strict_mode=True, data_prop=True)
        onnx.checker.check_model(inferred)
        return inferred

    def _with_outputs(self, model):
        # Types follow from shape inference, so an output is declared without one.
        model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in self.outputs)
        return model


def weights(*shape):
    count = int(np.prod(shape))
    return np.random.default_rng(count).normal(0, 0.05, shape).astype(np.float32)


def positive(*shape):
    return np.abs(weights(*shape)) + 0.5


def integers(*values):
    return np.array(values, np.int64)


def scalar(value):
    return np.array(value, np.float32)


NETWORKS = {
    "Conv 1x1": lambda: Network("Conv", PICTURE, weights(64, 64, 1, 1), weights(64)),
    "Conv 3x3": lambda: Network("Conv", PICTURE, weights(64, 64, 3, 3), weights(64), pads=[1] * 4),
    "Conv 3x3 stride 2": lambda: Network("Conv", PICTURE, weights(128, 64, 3, 3), weights(128), pads=[1] * 4, strides=[2, 2]),
    "Conv 3x3 dilated": lambda: Network("Conv", SMALL, weights(128, 128, 3, 3), pads=[2] * 4, dilations=[2, 2]),
    "Conv 7x7 stem": lambda: Network("Conv", (1, 3, 224, 224), weights(64, 3, 7, 7), weights(64), pads=[3] * 4, strides=[2, 2]),
    "Conv depthwise": lambda: Network("Conv", PICTURE, weights(64, 1, 3, 3), weights(64), pads=[1] * 4, group=64),
    "Conv depthwise 5x5": lambda: Network("Conv", SMALL, weights(128, 1, 5, 5), weights(128), pads=[2] * 4, group=128),
    "Conv grouped": lambda: Network("Conv", SMALL, weights(128, 32, 3, 3), pads=[1] * 4, group=4),
    "Conv 1-D": lambda: Network("Conv", (1, 128, 400), weights(128, 128, 3), weights(128), pads=[1, 1]),
    "ConvTranspose": lambda: Network("ConvTranspose", SMALL, weights(128, 64, 2, 2), weights(64), strides=[2, 2]),
    "Gemm": lambda: Network("Gemm", (1, 2048), weights(1000, 2048), weights(1000), transB=1),
    "Gemm of rows": lambda: Network("Gemm", (128, 768), weights(768, 768), weights(768)),
    "MatMul": lambda: Network("MatMul", TOKENS, weights(768, 768)),
    "MatMul of a batch": lambda: Network("MatMul", (1, 12, 128, 64), weights(1, 12, 64, 128)),
    "MaxPool": lambda: Network("MaxPool", PICTURE, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4),
    "AveragePool": lambda: Network("AveragePool", PICTURE, kernel_shape=[2, 2], strides=[2, 2]),
    "GlobalAveragePool": lambda: Network("GlobalAveragePool", PICTURE),
    "BatchNormalization": lambda: Network("BatchNormalization", PICTURE, positive(64), weights(64), weights(64), positive(64)),
    "InstanceNormalization": lambda: Network("InstanceNormalization", PICTURE, positive(64), weights(64)),
    "LayerNormalization": lambda: Network("LayerNormalization", TOKENS, positive(768), weights(768)),
    "LRN": lambda: Network("LRN", PICTURE, size=5),
    "Softmax": lambda: Network("Softmax", (1, 12, 128, 128), axis=-1),
    "Softmax of channels": lambda: Network("Softmax", PICTURE, axis=1),
    "LogSoftmax": lambda: Network("LogSoftmax", (25, 6625), axis=-1),
    "Relu": lambda: Network("Relu", PICTURE),
    "LeakyRelu": lambda: Network("LeakyRelu", PICTURE, alpha=0.1),
    "PRelu": lambda: Network("PRelu", PICTURE, weights(64, 1, 1)),
    "Clip": lambda: Network("Clip", PICTURE, scalar(0), scalar(6)),
    "Sigmoid": lambda: Network("Sigmoid", PICTURE),
    "HardSigmoid": lambda: Network("HardSigmoid", PICTURE),
    "HardSwish": lambda: Network("HardSwish", PICTURE),
    "Tanh": lambda: Network("Tanh", PICTURE),
    "Elu": lambda: Network("Elu", PICTURE),
    "Softplus": lambda: Network("Softplus", PICTURE),
    "Gelu": lambda: Network("Gelu", TOKENS),
    "Erf": lambda: Network("Erf", TOKENS),
    "Exp": lambda: Network("Exp", PICTURE),
    "Abs": lambda: Network("Abs", PICTURE),
    "Floor": lambda: Network("Floor", PICTURE),
    "Add": lambda: Network("Add", PICTURE, weights(*PICTURE)),
    "Add of channels": lambda: Network("Add", PICTURE, weights(64, 1, 1)),
    "Mul": lambda: Network("Mul", PICTURE, weights(*PICTURE)),
    "Div": lambda: Network("Div", PICTURE, positive(*PICTURE)),
    "Max": lambda: Network("Max", PICTURE, weights(*PICTURE)),
    "Pow": lambda: Network("Pow", TOKENS, scalar(2)),
    "ReduceMean of rows": lambda: Network("ReduceMean", TOKENS, integers(-1)),
    "ReduceMean of pictures": lambda: Network("ReduceMean", PICTURE, integers(2, 3)),
    "ReduceSum of channels": lambda: Network("ReduceSum", PICTURE, integers(1)),
    "ReduceMax": lambda: Network("ReduceMax", PICTURE, integers(-1)),
    "ArgMax": lambda: Network("ArgMax", PICTURE, axis=1),
    "TopK": lambda: Network("TopK", (1, 8400), integers(100), results=2),
    "CumSum": lambda: Network("CumSum", TOKENS, integers(1)[0]),
    "Transpose to NHWC": lambda: Network("Transpose", PICTURE, perm=[0, 2, 3, 1]),
    "Transpose of heads": lambda: Network("Transpose", (1, 128, 12, 64), perm=[0, 2, 1, 3]),
    "Concat": lambda: Network("Concat", PICTURE, weights(*PICTURE), axis=1),
    "Split": lambda: Network("Split", PICTURE, integers(32, 32), results=2, axis=1),
    "Slice": lambda: Network("Slice", PICTURE, integers(1, 1), integers(55, 55), integers(2, 3)),
    "Slice with steps": lambda: Network("Slice", PICTURE, integers(0, 0), integers(56, 56), integers(2, 3), integers(2, 2)),
    "Gather": lambda: Network("Gather", TOKENS, integers(*range(0, 128, 2)), axis=1),
    "Pad": lambda: Network("Pad", PICTURE, integers(0, 0, 1, 1, 0, 0, 1, 1)),
    "Tile": lambda: Network("Tile", SMALL, integers(1, 1, 2, 2)),
    "Expand": lambda: Network("Expand", (1, 64, 1, 1), integers(*PICTURE)),
    "DepthToSpace": lambda: Network("DepthToSpace", PICTURE, blocksize=2),
    "Resize nearest": lambda: Network("Resize", SMALL, None, np.array([1, 1, 2, 2], np.float32), mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric"),
    "Resize linear": lambda: Network("Resize", SMALL, None, np.array([1, 1, 2, 2], np.float32), mode="linear"),
    "Greater": lambda: Network("Greater", PICTURE, weights(*PICTURE)),
    "Cast to int32": lambda: Network("Cast", PICTURE, to=TensorProto.INT32),
    "Einsum": lambda: Network("Einsum", (1, 12, 128, 64), weights(1, 12, 128, 64), equation="bhid,bhjd->bhij"),
    "LSTM": lambda: Network("LSTM", (50, 1, 128), weights(1, 512, 128), weights(1, 512, 128), hidden_size=128),
    "GRU": lambda: Network("GRU", (50, 1, 128), weights(1, 384, 128), weights(1, 384, 128), hidden_size=128),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the names of all")
    parser.add_argument("operator", nargs="?", choices=list(NETWORKS), metavar="OPERATOR")
    parser.add_argument("output", nargs="?")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(NETWORKS))
    elif arguments.output is None:
        parser.error("OPERATOR and OUTPUT.onnx are needed")
    else:
        onnx.save(NETWORKS[arguments.operator]().model(), arguments.output)


if __name__ == "__main__":
    main()
