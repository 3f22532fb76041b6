"""Networks that onnxruntime.quantization makes with integers of 16 bits; `make_operator_cases.py` runs what is here."""

import logging
import os
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from make_control_cases import reader


def layers(generator):
    """Every kind of layer, one deep: conv, sums and products, a matrix product, a normalization, a Softmax, a Gemm."""
    normal = lambda *shape: (generator.normal(0, 1, shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
    weights = {"conv_w": normal(8, 8, 3, 3), "conv_b": normal(8), "product_w": np.ascontiguousarray(normal(12, 8).T), "gemm_w": normal(10, 8),
               "gemm_b": normal(10), "shift": (generator.uniform(-1, 3, (1, 8, 1, 1))).astype(np.float32),
               "norm_w": generator.uniform(0.5, 2, 8).astype(np.float32), "norm_b": normal(8),
               "rows": np.array([1, 8, 36], np.int64)}
    node = lambda operator, inputs, output, **attributes: helper.make_node(operator, inputs.split(), [output], output, **attributes)
    nodes = [node("Conv", "x conv_w conv_b", "conv", pads=[1] * 4), node("Relu", "conv", "relu"),
             node("Add", "x shift", "add"), node("Mul", "x relu", "mul"), node("Reshape", "x rows", "reshape"),
             node("Transpose", "reshape", "transpose", perm=[0, 2, 1]), node("MatMul", "transpose product_w", "product"),
             node("Softmax", "product", "softmax", axis=-1), node("LayerNormalization", "transpose norm_w norm_b", "norm", axis=-1),
             node("GlobalAveragePool", "x", "pool"), node("Flatten", "pool", "flat"), node("Gemm", "flat gemm_w gemm_b", "gemm", transB=1)]
    outputs = {"relu": [1, 8, 6, 6], "add": [1, 8, 6, 6], "mul": [1, 8, 6, 6], "product": [1, 36, 12], "softmax": [1, 36, 12],
               "norm": [1, 36, 8], "gemm": [1, 10]}
    info = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "layers", [info("x", [1, 8, 6, 6])], [info(*output) for output in outputs.items()],
                              [numpy_helper.from_array(array, name) for name, array in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model, list(outputs)


def wide_networks(r):
    """`int16_uint16_per_channel` has activations of int16 and weights of uint16, each with zero points, and so on; in `mixed` some activations
    have 8 bits."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    logging.getLogger().setLevel(logging.ERROR)
    generator = np.random.default_rng(11)
    model, outputs = layers(generator)
    samples = [generator.normal(0.3, 1, (1, 8, 6, 6)).astype(np.float32) for _ in range(8)]
    kinds = {"int8": QuantType.QInt8, "int16": QuantType.QInt16, "uint16": QuantType.QUInt16}
    forms = [("int16", "int16", False), ("int16", "int16", True), ("uint16", "uint16", False), ("uint16", "uint16", True),
             ("uint16", "int8", False), ("uint16", "int8", True), ("int16", "int8", True)]
    forms = [(f"{activations}_{weights}{'_per_channel' if each else ''}", activations, weights, each, {}) for activations, weights, each in forms]
    narrow = {name: [{"quant_type": QuantType.QUInt8}] for name in ("relu", "add", "softmax")}
    forms.append(("mixed", "uint16", "int8", True, {"TensorQuantOverrides": narrow}))
    with tempfile.TemporaryDirectory() as folder:
        source, target = (os.path.join(folder, name) for name in ("float.onnx", "quantized.onnx"))
        onnx.save(model, source)
        for form, activations, weights, per_channel, more in forms:
            quantize_static(source, target, reader(samples), quant_format=QuantFormat.QDQ, per_channel=per_channel,
                            activation_type=kinds[activations], weight_type=kinds[weights], extra_options={"WeightSymmetric": weights == "int8", **more})
            quantized = onnx.load(target)
            feeds = {"x": samples[0]}
            results, who = r.session_outputs(quantized, feeds)
            r.store("wide_networks", form, quantized, feeds, outputs, results, 21, who)


FAMILIES = [wide_networks]
