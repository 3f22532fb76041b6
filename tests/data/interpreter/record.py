"""Records cases.json: what onnxruntime (sums of products, pools) and numpy with exact fractions compute for the
operators of the bpu level. Run it in this directory; it needs numpy, onnx and onnxruntime. The output is deterministic.
"""

import json
from fractions import Fraction

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

random = np.random.default_rng(20)
cases = []


def runtime(op, inputs, output_type, **attributes):
    """One operator in onnxruntime."""
    names = [f"x{i}" for i in range(len(inputs))]
    declared = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape) for n, x in zip(names, inputs)
    ]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)], "g", declared, [helper.make_tensor_value_info("y", output_type, None)]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip(names, inputs)))[0]


def tensor(data, element, scale=None):
    data = np.asarray(data)
    return {"shape": list(data.shape), "element": element, "scale": scale, "data": [x.item() for x in data.flatten()]}


def case(name, operator, inputs, output):
    cases.append({"name": name, "operator": operator, "inputs": inputs, "output": output})


def integers(shape, low=-128, high=128):
    return random.integers(low, high, shape)


def nearest_even(value):
    """Python rounds a Fraction half to even, exactly."""
    return round(value)


def saturate(value, low=-128, high=127):
    return max(low, min(high, value))


# Convolution: the accumulators, from ConvInteger (uint8 input with zero point 128 is our int8).
def convolution(name, x_shape, filters, kernel, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), group=1):
    batch, height, width, channels = x_shape
    x = integers(x_shape)
    w = integers((filters, *kernel, channels // group))
    shifted = (x.transpose(0, 3, 1, 2) + 128).astype(np.uint8)
    y = runtime(
        "ConvInteger",
        [np.ascontiguousarray(shifted), np.ascontiguousarray(w.transpose(0, 3, 1, 2)).astype(np.int8), np.array(128, np.uint8)],
        TensorProto.INT32,
        strides=strides,
        pads=pads,
        dilations=dilations,
        group=group,
    )
    operator = {"kind": "convolution", "strides": strides, "pads": pads, "dilations": dilations, "group": group}
    inputs = [tensor(x, "i8", 1.0), tensor(w, "i8", 1.0)]
    case(name, operator, inputs, tensor(y.transpose(0, 2, 3, 1), "i32", 1.0))


convolution("convolution", (1, 5, 6, 3), 4, (3, 3))
convolution("convolution, batch and strides", (2, 7, 6, 2), 3, (3, 2), strides=(2, 3))
convolution("convolution, uneven pads", (1, 4, 5, 3), 2, (3, 3), pads=(1, 0, 2, 3))
convolution("convolution, dilations", (1, 8, 9, 2), 2, (3, 3), dilations=(2, 3), pads=(2, 1, 0, 2))
convolution("convolution, groups", (1, 4, 4, 6), 4, (2, 2), group=2, pads=(0, 1, 1, 0))
convolution("convolution, depthwise", (1, 6, 6, 5), 5, (3, 3), group=5, strides=(2, 2), pads=(1, 1, 1, 1))
convolution("convolution, depthwise with multiplier", (1, 4, 5, 3), 6, (3, 3), group=3, dilations=(1, 2), pads=(1, 2, 1, 2))
convolution("convolution, pointwise", (1, 2, 3, 7), 5, (1, 1))
convolution("convolution, window of the input", (1, 4, 3, 4), 2, (4, 3))


def matmul(name, a_shape, b_shape):
    a, b = integers(a_shape), integers(b_shape)
    y = runtime("MatMulInteger", [(a + 128).astype(np.uint8), b.astype(np.int8), np.array(128, np.uint8)], TensorProto.INT32)
    case(name, {"kind": "matmul"}, [tensor(a, "i8", 1.0), tensor(b, "i8", 1.0)], tensor(y, "i32", 1.0))


matmul("matmul", (3, 4), (4, 5))
matmul("matmul, batch", (2, 3, 4), (2, 4, 2))
matmul("matmul, broadcast batch", (2, 1, 3, 4), (3, 4, 2))


def finished_convolution():
    """Bias, multiplier per channel and clamp, in fractions of the f64 scales: 31 bits cannot differ on these."""
    x, w, bias = integers((1, 3, 3, 4)), integers((3, 1, 1, 4)), integers(3, -20000, 20000)
    s_x, s_w, s_y = 0.037, [0.011, 0.0043, 0.027], 0.31
    for clamp in (None, [0, 127], [-20, 19]):
        low, high = clamp or [-128, 127]
        y = np.empty((1, 3, 3, 3), np.int64)
        for index in np.ndindex(y.shape):
            o = index[3]
            acc = int(bias[o]) + sum(int(p) * int(q) for p, q in zip(x[index[:3]], w[o, 0, 0]))
            y[index] = saturate(nearest_even(acc * Fraction(s_x) * Fraction(s_w[o]) / Fraction(s_y)), low, high)
        operator = {"kind": "convolution", "strides": [1, 1], "pads": [0] * 4, "dilations": [1, 1], "group": 1, "clamp": clamp}
        inputs = [tensor(x, "i8", s_x), tensor(w, "i8", s_w), tensor(bias, "i32")]
        case(f"convolution, bias and clamp {clamp}", operator, inputs, tensor(y, "i8", s_y))


finished_convolution()


def elementwise(name, kind, f, a, b, scales, element="i8", clamp=None):
    s_a, s_b, s_y = scales
    low, high = clamp or ([-128, 127] if element == "i8" else [-32768, 32767])
    a, b = np.asarray(a), np.asarray(b)
    big_a, big_b = np.broadcast_arrays(a, b)
    y = np.empty(big_a.shape, np.int64)
    for index in np.ndindex(y.shape):
        real = f(int(big_a[index]) * Fraction(s_a), int(big_b[index]) * Fraction(s_b))
        y[index] = saturate(nearest_even(real / Fraction(s_y)), low, high)
    case(name, {"kind": kind, "clamp": clamp}, [tensor(a, element, s_a), tensor(b, element, s_b)], tensor(y, element, s_y))


sums = {"add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b}
for kind, f in sums.items():
    elementwise(kind, kind, f, integers((3, 4)), integers((3, 4)), (0.031, 0.017, 0.11))
    elementwise(f"{kind}, broadcast", kind, f, integers((2, 1, 3)), integers((4, 1)), (0.031, 0.017, 0.11))
    elementwise(f"{kind}, scalar", kind, f, integers(()), integers((5,)), (0.5, 0.25, 0.5))
    elementwise(f"{kind}, clamp", kind, f, integers((9,)), integers((9,)), (0.5, 0.25, 1.0), clamp=[0, 60])
    wide = [integers((9,), -32768, 32768) for _ in "ab"]
    elementwise(f"{kind}, i16", kind, f, *wide, (0.003, 0.0017, 0.02 if kind != "mul" else 1.5), element="i16")


def requantize(name, x, s_x, s_y, source, target):
    low, high = [-128, 127] if target == "i8" else [-32768, 32767]
    y = [saturate(nearest_even(int(q) * Fraction(s_x) / Fraction(s_y)), low, high) for q in x]
    case(name, {"kind": "requantize"}, [tensor(x, source, s_x)], tensor(y, target, s_y))


requantize("requantize", np.arange(-128, 128, 5), 0.013, 0.02, "i8", "i8")
requantize("requantize, ties", np.arange(-128, 128, 3), 0.5, 1.0, "i8", "i8")
requantize("requantize, i16 to i8", integers((20,), -32768, 32768), 0.0013, 0.11, "i16", "i8")
requantize("requantize, i8 to i16", integers((20,)), 0.11, 0.0013, "i8", "i16")
requantize("requantize, i32 to i8", integers((20,), -(2**31), 2**31), 1e-8, 0.11, "i32", "i8")


def max_pool(name, shape, kernel, element="i8", **attributes):
    x = integers(shape) if element == "i8" else integers(shape, -32768, 32768)
    # Float is exact for these integers, and the runtime has every attribute in float.
    nchw = np.ascontiguousarray(x.transpose(0, 3, 1, 2)).astype(np.float32)
    y = runtime("MaxPool", [nchw], TensorProto.FLOAT, kernel_shape=kernel, **attributes)
    operator = {"kind": "max_pool", "kernel": kernel, **attributes}
    case(name, operator, [tensor(x, element, 0.1)], tensor(y.transpose(0, 2, 3, 1).astype(int), element, 0.1))


ones = {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1)}
max_pool("max_pool", (1, 5, 5, 3), (3, 3), **(ones | {"strides": (2, 2), "pads": (1, 1, 1, 1)}))
max_pool("max_pool, batch and uneven", (2, 5, 6, 2), (2, 3), **(ones | {"strides": (2, 1), "pads": (0, 1, 1, 2)}))
max_pool("max_pool, dilations", (1, 7, 7, 2), (2, 3), **(ones | {"dilations": (3, 2)}))
max_pool("max_pool, i16", (1, 4, 4, 2), (2, 2), element="i16", **ones)


def average_pool(name, shape, kernel, strides=(1, 1), pads=(0, 0, 0, 0), count_include_pad=0, element="i8"):
    x = integers(shape) if element == "i8" else integers(shape, -30000, 30000)
    nchw = np.ascontiguousarray(x.transpose(0, 3, 1, 2)).astype(np.float32)
    attributes = {"kernel": kernel, "strides": strides, "pads": pads}
    y = runtime(
        "AveragePool", [nchw], TensorProto.FLOAT, kernel_shape=kernel, strides=strides, pads=pads, count_include_pad=count_include_pad
    )
    operator = {"kind": "average_pool", **attributes, "count_include_pad": bool(count_include_pad)}
    # Equal scales give the rounded average; a division by 4 hits ties exactly. Other counts get a scale that avoids ties, which
    # a multiplier of 31 bits does not see.
    exact = tuple(kernel) == (2, 2)
    s_x, s_y = 0.25, 0.25 if exact else 0.17
    real = y.transpose(0, 2, 3, 1).astype(np.float64) * (s_x / s_y)
    assert exact or np.abs(real - np.floor(real) - 0.5).min() > 1e-4
    y = np.clip(np.rint(real), *((-128, 127) if element == "i8" else (-32768, 32767))).astype(int)
    case(name, operator, [tensor(x, element, s_x)], tensor(y, element, s_y))


average_pool("average_pool", (1, 4, 6, 3), (2, 2), strides=(2, 2))
average_pool("average_pool, global", (2, 5, 3, 4), (5, 3))
average_pool("average_pool, pads", (1, 5, 5, 2), (3, 3), strides=(2, 1), pads=(1, 2, 0, 1))
average_pool("average_pool, pads counted", (1, 5, 5, 2), (3, 3), strides=(2, 1), pads=(1, 2, 0, 1), count_include_pad=1)
average_pool("average_pool, i16", (1, 4, 4, 2), (2, 2), element="i16")

x = integers((2, 3, 4, 2))
source = tensor(x, "i8", 0.5)
for permutation in ([0, 2, 3, 1], [3, 2, 1, 0], [0, 1, 3, 2]):
    y = tensor(x.transpose(permutation), "i8", 0.5)
    case(f"transpose {permutation}", {"kind": "transpose", "permutation": permutation}, [source], y)
slices = {"kind": "slice", "starts": [1, 2, 0, 1], "steps": [1, -2, 3, -1], "sizes": [1, 2, 2, 2]}
case("slice", slices, [source], tensor(x[1:, ::-2, ::3, ::-1], "i8", 0.5))
case("reshape", {"kind": "reshape"}, [source], tensor(x.reshape(6, 8), "i8", 0.5))
for axis in range(4):
    other = integers([5 if i == axis else n for i, n in enumerate(x.shape)])
    y = tensor(np.concatenate([x, other, x], axis), "i8", 0.5)
    case(f"concat {axis}", {"kind": "concat", "axis": axis}, [source, tensor(other, "i8", 0.5), source], y)
for mode in ("constant", "reflect", "edge"):
    before, after = [0, 2, 1, 1], [1, 1, 3, 0]
    width = list(zip(before, after))
    y = np.pad(x, width, mode, **({"constant_values": -7} if mode == "constant" else {}))
    operator = {"kind": "pad", "before": before, "after": after, "mode": mode, "value": -7}
    case(f"pad {mode}", operator, [source], tensor(y, "i8", 0.5))
x = integers((3, 2), -32768, 32768)
case("transpose, i16", {"kind": "transpose", "permutation": [1, 0]}, [tensor(x, "i16", 0.5)], tensor(x.T, "i16", 0.5))
x = np.array([0.5, -1.5, 3.25, 1e30, -0.0, 7.0], np.float32).reshape(2, 3)
case("transpose, f32", {"kind": "transpose", "permutation": [1, 0]}, [tensor(x, "f32")], tensor(x.T, "f32"))

x = (random.standard_normal(60) * 5).astype(np.float32)
for element, kind, scale in (("i8", np.int8, 0.05), ("i16", np.int16, 0.0005)):
    low, high = np.iinfo(kind).min, np.iinfo(kind).max
    y = np.clip(np.rint(x / np.float32(scale)), low, high).astype(int)
    case(f"quantize, {element}", {"kind": "quantize"}, [tensor(x, "f32")], tensor(y, element, scale))
    back = y.astype(np.float32) * np.float32(scale)
    case(f"dequantize, {element}", {"kind": "dequantize"}, [tensor(y, element, scale)], tensor(back, "f32"))
y = runtime("QuantizeLinear", [x, np.array(0.05, np.float32), np.array(0, np.int8)], TensorProto.INT8)
case("quantize, as onnxruntime", {"kind": "quantize"}, [tensor(x, "f32")], tensor(y.astype(int), "i8", 0.05))
y = integers((2, 3), -(2**31), 2**31)
scales = [1e-8, 2e-8, 0.5e-8]
back = y.astype(np.float32) * np.array(scales).astype(np.float32)
case("dequantize, i32 per channel", {"kind": "dequantize"}, [tensor(y, "i32", scales)], tensor(back, "f32"))

# Slopes of single elements, of channels, of a tensor: x >= 0 ? x : x * slope.
def sloped(x, slope):
    return x if x >= 0 else x * slope


elementwise("p_relu", "p_relu", sloped, integers((3, 4)), integers((3, 4)), (0.031, 0.017, 0.11))
elementwise("p_relu, channels", "p_relu", sloped, integers((2, 3, 4)), integers((4,)), (0.5, 0.25, 0.5))
elementwise("p_relu, clamp", "p_relu", sloped, integers((9,)), integers((1,)), (0.5, 0.25, 1.0), clamp=[-20, 60])
wide = [integers((9,), -32768, 32768) for _ in "ab"]
elementwise("p_relu, i16", "p_relu", sloped, *wide, (0.003, 0.0017, 1.5), element="i16")

with open("cases.json", "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
