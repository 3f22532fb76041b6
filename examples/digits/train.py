#!/usr/bin/env python3
"""Trains the network of this example and writes everything that the example reads: model.onnx and data/.

    python3 examples/digits/train.py

Needs numpy, onnx and scikit-learn (for its copy of the handwritten digits of UCI: 1797 grey images of 8x8, values 0 to 16).
The same seed and the same numpy give the same files. Nothing else in the repository runs this script.

    image [1, 1, 8, 8] -> Conv 16, BatchNormalization, Relu, MaxPool 2x2
                       -> Conv 16, BatchNormalization, Relu, Conv 16, BatchNormalization, Add the branch's input, Relu
                       -> GlobalAveragePool, Flatten, Gemm -> logits [1, 10]
"""

import os
import shutil

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # sums in another order would be another network

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

HERE = os.path.dirname(os.path.abspath(__file__))
SEED, EPOCHS, BATCH, CHANNELS = 1, 60, 50, 16
TEST_SAMPLES, CALIBRATION_SAMPLES = 297, 50
EPSILON = 1e-5


class Convolution:
    """3x3, stride 1, padding 1, no bias: a BatchNormalization follows."""

    def __init__(self, generator, inputs, outputs):
        deviation = np.sqrt(2 / (9 * inputs))
        self.parameters = [generator.normal(0, deviation, (outputs, inputs, 3, 3)).astype(np.float32)]

    @staticmethod
    def columns(x):
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        height, width = x.shape[2:]
        windows = [padded[:, :, i:i + height, j:j + width] for i in range(3) for j in range(3)]
        return np.stack(windows, axis=2)  # batch, channel, tap, height, width

    def forward(self, x, training):
        self.taps = self.columns(x)
        return np.einsum("ncthw,oct->nohw", self.taps, self.parameters[0].reshape(*self.parameters[0].shape[:2], 9), optimize=True)

    def backward(self, gradient):
        weight = self.parameters[0]
        self.gradients = [np.einsum("nohw,ncthw->oct", gradient, self.taps, optimize=True).reshape(weight.shape)]
        turned = weight[:, :, ::-1, ::-1].reshape(*weight.shape[:2], 9)
        return np.einsum("nothw,oct->nchw", self.columns(gradient), turned, optimize=True)


class BatchNormalization:
    def __init__(self, channels):
        self.parameters = [np.ones(channels, np.float32), np.zeros(channels, np.float32)]
        self.mean, self.variance = np.zeros(channels, np.float32), np.ones(channels, np.float32)

    def forward(self, x, training):
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
            self.mean = 0.9 * self.mean + 0.1 * mean
            self.variance = 0.9 * self.variance + 0.1 * variance
        self.deviation = np.sqrt(variance + EPSILON).reshape(1, -1, 1, 1)
        self.normal = (x - mean.reshape(1, -1, 1, 1)) / self.deviation
        scale, shift = (parameter.reshape(1, -1, 1, 1) for parameter in self.parameters)
        return self.normal * scale + shift

    def backward(self, gradient):
        axes = (0, 2, 3)
        self.gradients = [(gradient * self.normal).sum(axes), gradient.sum(axes)]
        inner = gradient * self.parameters[0].reshape(1, -1, 1, 1)
        centred = inner - inner.mean(axes, keepdims=True)
        return (centred - self.normal * (inner * self.normal).mean(axes, keepdims=True)) / self.deviation


class Relu:
    parameters, gradients = [], []

    def forward(self, x, training):
        self.open = x > 0
        return x * self.open

    def backward(self, gradient):
        return gradient * self.open


class MaxPool:
    parameters, gradients = [], []

    def forward(self, x, training):
        n, c, h, w = x.shape
        cells = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
        self.winner = cells.argmax(-1)
        return cells.max(-1)

    def backward(self, gradient):
        n, c, h, w = gradient.shape
        cells = np.zeros((n, c, h, w, 4), gradient.dtype)
        np.put_along_axis(cells, self.winner[..., None], gradient[..., None], -1)
        return cells.reshape(n, c, h, w, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, 2 * h, 2 * w)


class Residual:
    """x + branch(x)."""

    def __init__(self, branch):
        self.branch = branch

    @property
    def parameters(self):
        return [parameter for layer in self.branch for parameter in layer.parameters]

    @property
    def gradients(self):
        return [gradient for layer in self.branch for gradient in layer.gradients]

    def forward(self, x, training):
        result = x
        for layer in self.branch:
            result = layer.forward(result, training)
        return x + result

    def backward(self, gradient):
        result = gradient
        for layer in reversed(self.branch):
            result = layer.backward(result)
        return gradient + result


class GlobalAveragePool:
    parameters, gradients = [], []

    def forward(self, x, training):
        self.shape = x.shape
        return x.mean((2, 3))

    def backward(self, gradient):
        return np.broadcast_to(gradient[:, :, None, None] / (self.shape[2] * self.shape[3]), self.shape)


class Gemm:
    def __init__(self, generator, inputs, outputs):
        self.parameters = [generator.normal(0, np.sqrt(1 / inputs), (outputs, inputs)).astype(np.float32),
                           np.zeros(outputs, np.float32)]

    def forward(self, x, training):
        self.x = x
        return x @ self.parameters[0].T + self.parameters[1]

    def backward(self, gradient):
        self.gradients = [gradient.T @ self.x, gradient.sum(0)]
        return gradient @ self.parameters[0]


def build(generator):
    return [
        Convolution(generator, 1, CHANNELS), BatchNormalization(CHANNELS), Relu(), MaxPool(),
        Residual([Convolution(generator, CHANNELS, CHANNELS), BatchNormalization(CHANNELS), Relu(),
                  Convolution(generator, CHANNELS, CHANNELS), BatchNormalization(CHANNELS)]),
        Relu(), GlobalAveragePool(), Gemm(generator, CHANNELS, 10),
    ]


def run(layers, x, training=False):
    for layer in layers:
        x = layer.forward(x, training)
    return x


def shifted(images, generator):
    """Each image moved by up to one pixel each way: the training set is small."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
    corners = generator.integers(0, 3, (len(images), 2))
    return np.stack([image[:, i:i + 8, j:j + 8] for image, (i, j) in zip(padded, corners)])


def train(layers, images, labels, generator):
    """Adam on the cross entropy, the rate falling to zero along a cosine."""
    moments = [[(np.zeros_like(p), np.zeros_like(p)) for p in layer.parameters] for layer in layers]
    step, steps = 0, EPOCHS * (len(images) // BATCH)
    for epoch in range(EPOCHS):
        order = generator.permutation(len(images))[:len(images) // BATCH * BATCH]
        losses = []
        for batch in order.reshape(-1, BATCH):
            logits = run(layers, shifted(images[batch], generator), training=True)
            exponents = np.exp(logits - logits.max(1, keepdims=True))
            probabilities = exponents / exponents.sum(1, keepdims=True)
            rows = np.arange(BATCH)
            losses.append(-np.log(probabilities[rows, labels[batch]]).mean())
            gradient = probabilities
            gradient[rows, labels[batch]] -= 1
            gradient /= BATCH
            for layer in reversed(layers):
                gradient = layer.backward(gradient)
            step += 1
            rate = 0.005 * (1 + np.cos(np.pi * step / steps))
            for layer, layer_moments in zip(layers, moments):
                for parameter, derivative, (first, second) in zip(layer.parameters, layer.gradients, layer_moments):
                    first += 0.1 * (derivative - first)
                    second += 0.001 * (derivative**2 - second)
                    corrected = np.sqrt(second / (1 - 0.999**step)) + 1e-8
                    parameter -= (rate * first / (1 - 0.9**step) / corrected).astype(np.float32)
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}")


def export(layers, path):
    nodes, initializers = [], []

    def weight(name, array):
        initializers.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    def node(operator, name, inputs, **attributes):
        nodes.append(helper.make_node(operator, inputs, [name + "_output"], name=name, **attributes))
        return name + "_output"

    def block(name, x, convolution, normalization):
        x = node("Conv", f"{name}/Conv", [x, weight(f"{name}.weight", convolution.parameters[0])], kernel_shape=[3, 3],
                 pads=[1, 1, 1, 1])
        parameters = [*normalization.parameters, normalization.mean, normalization.variance]
        names = ["scale", "bias", "mean", "variance"]
        operands = [weight(f"{name}.{label}", array) for label, array in zip(names, parameters)]
        return node("BatchNormalization", f"{name}/BatchNormalization", [x, *operands], epsilon=EPSILON)

    stem, branch, gemm = layers[0:2], layers[4].branch, layers[-1]
    x = node("Relu", "stem/Relu", [block("stem", "image", *stem)])
    shortcut = node("MaxPool", "stem/MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = node("Relu", "residual_1/Relu", [block("residual_1", shortcut, *branch[0:2])])
    x = block("residual_2", x, *branch[3:5])
    x = node("Relu", "residual_2/Relu", [node("Add", "residual_2/Add", [x, shortcut])])
    x = node("Flatten", "head/Flatten", [node("GlobalAveragePool", "head/GlobalAveragePool", [x])])
    weights = [weight("head.weight", gemm.parameters[0]), weight("head.bias", gemm.parameters[1])]
    nodes.append(helper.make_node("Gemm", [x, *weights], ["logits"], name="head/Gemm", transB=1))

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 8, 8])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 10])
    graph = helper.make_graph(nodes, "digits", [image], [logits], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="examples/digits/train.py")
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def save_samples(folder, images):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for index, image in enumerate(images):
        np.save(os.path.join(folder, f"{index:03}.npy"), image[None])


def main():
    generator = np.random.default_rng(SEED)
    digits = load_digits()
    images, labels = digits.images.astype(np.float32)[:, None], digits.target.astype(np.int64)
    order = generator.permutation(len(images))
    test, rest = order[:TEST_SAMPLES], order[TEST_SAMPLES:]

    layers = build(generator)
    train(layers, images[rest], labels[rest], generator)
    accuracy = (run(layers, images[test]).argmax(1) == labels[test]).mean()
    print(f"held-out accuracy {100 * accuracy:.2f} % of {len(test)}")

    export(layers, os.path.join(HERE, "model.onnx"))
    save_samples(os.path.join(HERE, "data", "calibration"), images[rest[:CALIBRATION_SAMPLES]])
    save_samples(os.path.join(HERE, "data", "test"), images[test])
    np.save(os.path.join(HERE, "data", "test_labels.npy"), labels[test])


if __name__ == "__main__":
    main()
