"""Writes a ResNet-50 with random weights, for measuring speed: the weights say nothing, the shapes are those of the paper.

    make_resnet50.py OUTPUT.onnx [--seed 0]

As exporters write it for inference: normalizations are folded into the convolutions (He et al. 2016, stride in the 3x3 convolution as
torchvision does), opset 13, input `input` f32[1,3,224,224], output `output` f32[1,1000]. Weights are scaled by the size of what they
sum over, so that values neither die out nor explode. Needs numpy and onnx.
"""
import argparse

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Blocks, width of the 3x3 convolution, stride of the first block.
STAGES = [(3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2)]
EXPANSION = 4
CLASSES = 1000


class Builder:
    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.initializers = [], []

    def constant(self, name, values):
        self.initializers.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def add(self, operator, name, inputs, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def convolution(self, name, value, inputs, outputs, kernel, stride, scale=2.0):
        deviation = np.sqrt(scale / (inputs * kernel * kernel))
        weights = self.random.standard_normal((outputs, inputs, kernel, kernel), np.float32) * deviation
        weights = self.constant(f"{name}.weight", weights)
        bias = self.constant(f"{name}.bias", self.random.standard_normal(outputs) * 0.1)
        pad = kernel // 2
        window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        return self.add("Conv", name, [value, weights, bias], **window)

    def block(self, name, value, inputs, width, stride):
        """A bottleneck: 1x1, 3x3, 1x1 beside the identity, or a 1x1 where the shape changes."""
        outputs = width * EXPANSION
        inner = self.convolution(f"{name}.conv1", value, inputs, width, 1, 1)
        inner = self.add("Relu", f"{name}.relu1", [inner])
        inner = self.convolution(f"{name}.conv2", inner, width, width, 3, stride)
        inner = self.add("Relu", f"{name}.relu2", [inner])
        # Half the variance on either side of the sum keeps it the same through the network.
        inner = self.convolution(f"{name}.conv3", inner, width, outputs, 1, 1, scale=0.5)
        if inputs != outputs:
            value = self.convolution(f"{name}.downsample", value, inputs, outputs, 1, stride, scale=0.5)
        return self.add("Relu", f"{name}.relu3", [self.add("Add", f"{name}.add", [inner, value])])


def resnet50(seed=0):
    builder = Builder(seed)
    value = builder.add("Relu", "relu", [builder.convolution("conv1", "input", 3, 64, 7, 2)])
    value = builder.add("MaxPool", "maxpool", [value], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = 64
    for stage, (blocks, width, stride) in enumerate(STAGES, 1):
        for block in range(blocks):
            value = builder.block(f"layer{stage}.{block}", value, channels, width, stride if block == 0 else 1)
            channels = width * EXPANSION
    value = builder.add("GlobalAveragePool", "avgpool", [value])
    value = builder.add("Flatten", "flatten", [value])
    weights = builder.constant("fc.weight", builder.random.standard_normal((CLASSES, channels)) * channels**-0.5)
    bias = builder.constant("fc.bias", np.zeros(CLASSES))
    builder.add("Gemm", "output", [value, weights, bias], transB=1)
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 224, 224])]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, CLASSES])]
    graph = helper.make_graph(builder.nodes, "resnet50", inputs, outputs, builder.initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    model = resnet50(arguments.seed)
    onnx.checker.check_model(model)
    onnx.save(model, arguments.output)
