#!/usr/bin/env python3
"""Records tests/data/caffe: one small network per form of each layer of Caffe, with what numpy computes.

    python3 tests/data/make_caffe_cases.py [--opencv]

Needs numpy. The tests need none of it: they read what was recorded.

    caffe/cases.tsv                 one line per case: path, input names, output names (joined by |)
    caffe/<Layer>/<case>.prototxt   the network
    caffe/<Layer>/<case>.caffemodel its weights
    caffe/<Layer>/<case>.npys       its arrays in .npy format, one after the other: inputs, then outputs

What a layer computes is written here once more, element by element as the C++ source of Caffe (BVLC, or the fork that has the layer) does,
and never by way of the compiler. With --opencv each network is also run by OpenCV's reader of Caffe (opencv-python-headless below 5), where it
knows the layer; it says where the two differ.
"""

import io
import math
import os
import shutil
import struct
import sys

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "caffe")
F = np.float32
cases = []
networks = []


def values(*shape, low=-2.0, high=2.0, seed=0):
    """Multiples of 1/64, so that recorded sums are exact in f32."""
    generator = np.random.default_rng([seed, *shape])
    return (generator.integers(int(low * 64), int(high * 64) + 1, size=shape) / 64).astype(F)


# The binary format, as far as a .caffemodel needs it.

def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob(array, legacy=False):
    data = field(5, np.asarray(array, F).tobytes())
    if legacy:
        shape = (1,) * (4 - array.ndim) + array.shape
        return b"".join(varint(number << 3) + varint(size) for number, size in enumerate(shape, 1)) + data
    return data + field(7, field(1, b"".join(varint(size) for size in array.shape)))


def caffemodel(layers):
    """`layers`: name to blobs."""
    def layer(name, blobs):
        return field(100, field(1, name.encode()) + b"".join(field(7, blob(array)) for array in blobs))
    return b"".join(layer(name, blobs) for name, blobs in layers.items())


def old_caffemodel(layers):
    """The form of 2014, with blobs of four sizes."""
    def layer(name, blobs):
        return field(2, field(4, name.encode()) + b"".join(field(6, blob(array, True)) for array in blobs))
    return b"".join(layer(name, blobs) for name, blobs in layers.items())


def write(kind, name, text, model, inputs, outputs):
    folder = os.path.join(FOLDER, kind)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    assert not os.path.exists(path + ".prototxt"), path
    with open(path + ".prototxt", "w") as file:
        file.write(text)
    with open(path + ".caffemodel", "wb") as file:
        file.write(model)
    buffer = io.BytesIO()
    for array in [*inputs.values(), *outputs.values()]:
        np.save(buffer, np.array(array, F, order="C"))
    with open(path + ".npys", "wb") as file:
        file.write(buffer.getvalue())
    cases.append((f"{kind}/{name}", "|".join(inputs), "|".join(outputs)))
    networks.append((path, inputs, outputs))


def inputs_text(inputs):
    lines = []
    for name, array in inputs.items():
        sizes = " ".join(f"dim: {size}" for size in array.shape)
        lines.append(f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {sizes} }} }} }}')
    return "\n".join(lines) + "\n"


def record(kind, name, parameters, inputs, outputs, weights=()):
    """A network of one layer; `inputs` is an array or arrays by name, `outputs` likewise."""
    inputs = inputs if isinstance(inputs, dict) else {"x": inputs}
    outputs = outputs if isinstance(outputs, dict) else {"y": outputs}
    bottoms = " ".join(f'bottom: "{bottom}"' for bottom in inputs)
    tops = " ".join(f'top: "{top}"' for top in outputs)
    text = f'{inputs_text(inputs)}layer {{ name: "l" type: "{kind}" {bottoms} {tops} {parameters} }}\n'
    # A .caffemodel is never empty.
    model = caffemodel({"l": list(weights), "other": [np.zeros(1, F)]} if weights else {"other": [np.zeros(1, F)]})
    write(kind, name, text, model, inputs, {top: np.asarray(array, F) for top, array in outputs.items()})


# Convolutions

def convolution(x, w, bias, stride, pad, dilation, group):
    n, c, h, width = x.shape
    o, ci, kh, kw = w.shape
    oh = (h + 2 * pad[0] - (dilation[0] * (kh - 1) + 1)) // stride[0] + 1
    ow = (width + 2 * pad[1] - (dilation[1] * (kw - 1) + 1)) // stride[1] + 1
    y = np.zeros((n, o, oh, ow))
    for m in range(o):
        g = m // (o // group)
        for i in range(oh):
            for j in range(ow):
                for k in range(ci):
                    for p in range(kh):
                        for q in range(kw):
                            a, b = i * stride[0] - pad[0] + p * dilation[0], j * stride[1] - pad[1] + q * dilation[1]
                            if 0 <= a < h and 0 <= b < width:
                                y[:, m, i, j] += x[:, g * ci + k, a, b].astype(np.float64) * w[m, k, p, q]
    return y if bias is None else y + bias[:, None, None]


def deconvolution(x, w, bias, stride, pad, group):
    n, c, h, width = x.shape
    _, per, kh, kw = w.shape
    o = per * group
    full = np.zeros((n, o, (h - 1) * stride + kh, (width - 1) * stride + kw))
    for k in range(c):
        g = k // (c // group)
        for m in range(per):
            for i in range(h):
                for j in range(width):
                    full[:, g * per + m, i * stride:i * stride + kh, j * stride:j * stride + kw] += \
                        x[:, k, i, j][:, None, None].astype(np.float64) * w[k, m]
    y = full[:, :, pad:full.shape[2] - pad, pad:full.shape[3] - pad]
    return y if bias is None else y + bias[:, None, None]


def convolutions():
    x = values(2, 4, 7, 6)
    w, bias = values(6, 4, 3, 3, seed=1), values(6, seed=2)
    record("Convolution", "plain", "convolution_param { num_output: 6 kernel_size: 3 }", x,
           convolution(x, w, bias, (1, 1), (0, 0), (1, 1), 1), [w, bias])
    w = values(6, 2, 3, 2, seed=3)
    record("Convolution", "all", "convolution_param { num_output: 6 bias_term: false kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 1 "
           "pad_h: 1 pad_w: 2 dilation: 2 dilation: 1 group: 2 }", x, convolution(x, w, None, (2, 1), (1, 2), (2, 1), 2), [w])
    w = values(2, 4, 3, 3, seed=4)
    record("Convolution", "repeated", "convolution_param { num_output: 2 bias_term: false kernel_size: [3, 3] stride: 2 pad: 1 pad: 0 }", x,
           convolution(x, w, None, (2, 2), (1, 0), (1, 1), 1), [w])
    z = values(2, 4, 5, 5, seed=5)
    record("Convolution", "two_bottoms", "convolution_param { num_output: 2 bias_term: false kernel_size: 3 }", {"x": x, "z": z},
           {"y": convolution(x, w, None, (1, 1), (0, 0), (1, 1), 1), "v": convolution(z, w, None, (1, 1), (0, 0), (1, 1), 1)}, [w])
    w, bias = values(4, 1, 3, 3, seed=6), values(4, seed=7)
    for kind, group in [("DepthwiseConvolution", "group: 4"), ("ConvolutionDepthwise", "")]:
        record(kind, "plain", f"convolution_param {{ num_output: 4 kernel_size: 3 pad: 1 {group} }}", x,
               convolution(x, w, bias, (1, 1), (1, 1), (1, 1), 4), [w, bias])
    x = values(2, 4, 3, 4, seed=8)
    w, bias = values(4, 3, 3, 3, seed=9), values(3, seed=10)
    record("Deconvolution", "plain", "convolution_param { num_output: 3 kernel_size: 3 stride: 2 pad: 1 }", x,
           deconvolution(x, w, bias, 2, 1, 1), [w, bias])
    w = values(4, 1, 4, 4, seed=11)
    record("Deconvolution", "depthwise", "convolution_param { num_output: 4 kernel_size: 4 stride: 2 pad: 1 group: 4 bias_term: false }", x,
           deconvolution(x, w, None, 2, 1, 4), [w])
    w = values(4, 2, 2, 2, seed=12)
    record("Deconvolution", "groups", "convolution_param { num_output: 4 kernel_size: 2 stride: 2 group: 2 bias_term: false }", x,
           deconvolution(x, w, None, 2, 0, 2), [w])


# Pooling

def pooling(x, method, kernel, stride, pad, ceil=True):
    n, c, h, w = x.shape
    def count(size, k, s, p):
        room = (size + 2 * p - k) / s
        count = (math.ceil(room) if ceil else math.floor(room)) + 1
        if (pad[0] or pad[1]) and (count - 1) * s >= size + p:
            count -= 1
        return count
    oh, ow = count(h, kernel[0], stride[0], pad[0]), count(w, kernel[1], stride[1], pad[1])
    y = np.zeros((n, c, oh, ow))
    for i in range(oh):
        for j in range(ow):
            a, b = i * stride[0] - pad[0], j * stride[1] - pad[1]
            end_a, end_b = min(a + kernel[0], h + pad[0]), min(b + kernel[1], w + pad[1])
            size = (end_a - a) * (end_b - b)
            window = x[:, :, max(a, 0):min(end_a, h), max(b, 0):min(end_b, w)].astype(np.float64)
            y[:, :, i, j] = window.max((2, 3)) if method == "MAX" else window.sum((2, 3)) / size
    return y


def poolings():
    x = values(2, 3, 8, 7)
    for method in ["MAX", "AVE"]:
        name = method.lower()
        record("Pooling", f"{name}_exact", f"pooling_param {{ pool: {method} kernel_size: 2 stride: 2 }}", x[:, :, :, :6],
               pooling(x[:, :, :, :6], method, (2, 2), (2, 2), (0, 0)))
        record("Pooling", f"{name}_ceil", f"pooling_param {{ pool: {method} kernel_size: 3 stride: 2 }}", x,
               pooling(x, method, (3, 3), (2, 2), (0, 0)))
        record("Pooling", f"{name}_ceil_pad", f"pooling_param {{ pool: {method} kernel_size: 3 stride: 2 pad: 1 }}", x,
               pooling(x, method, (3, 3), (2, 2), (1, 1)))
        record("Pooling", f"{name}_pad", f"pooling_param {{ pool: {method} kernel_size: 3 stride: 1 pad: 1 }}", x,
               pooling(x, method, (3, 3), (1, 1), (1, 1)))
        record("Pooling", f"{name}_last_window_goes", f"pooling_param {{ pool: {method} kernel_size: 2 stride: 2 pad: 1 }}", x,
               pooling(x, method, (2, 2), (2, 2), (1, 1)))
        record("Pooling", f"{name}_pair", f"pooling_param {{ pool: {method} kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 3 pad_h: 1 pad_w: 0 }}",
               x, pooling(x, method, (3, 2), (1, 3), (1, 0)))
        record("Pooling", f"{name}_floor", f"pooling_param {{ pool: {method} kernel_size: 3 stride: 2 round_mode: FLOOR }}", x,
               pooling(x, method, (3, 3), (2, 2), (0, 0), ceil=False))
        record("Pooling", f"{name}_ceil_mode", f"pooling_param {{ pool: {method} kernel_size: 3 stride: 2 ceil_mode: false }}", x,
               pooling(x, method, (3, 3), (2, 2), (0, 0), ceil=False))
        record("Pooling", f"{name}_global", f"pooling_param {{ pool: {method} global_pooling: true }}", x,
               pooling(x, method, (8, 7), (1, 1), (0, 0)))
        record("Pooling", f"{name}_larger", f"pooling_param {{ pool: {method} kernel_size: 8 stride: 2 }}", x,
               pooling(x, method, (8, 8), (2, 2), (0, 0)))

    def mask(x, y, kernel, stride, pad):
        """Where in its channel the maximum of each window lies, the first of equal ones in rows."""
        n, c, h, w = x.shape
        places = np.zeros(y.shape)
        for b, k, i, j in np.ndindex(y.shape):
            inside = [(r, s) for r in range(i * stride[0] - pad[0], i * stride[0] - pad[0] + kernel[0]) if 0 <= r < h
                      for s in range(j * stride[1] - pad[1], j * stride[1] - pad[1] + kernel[1]) if 0 <= s < w]
            r, s = next(place for place in inside if x[b, k, place[0], place[1]] == y[b, k, i, j])
            places[b, k, i, j] = r * w + s
        return places

    def unpool(x, places, height, width):
        """Of the Caffe of SegNet: each value at its place, the rest 0."""
        n, c = x.shape[:2]
        y = np.zeros((n, c, height * width))
        for b, k, i, j in np.ndindex(x.shape):
            y[b, k, int(places[b, k, i, j])] = x[b, k, i, j]
        return y.reshape((n, c, height, width))

    for name, parameters, kernel, stride, pad in [
            ("exact", "kernel_size: 2 stride: 2", (2, 2), (2, 2), (0, 0)), ("ceil", "kernel_size: 3 stride: 2", (3, 3), (2, 2), (0, 0)),
            ("ceil_pad", "kernel_size: 3 stride: 2 pad: 1", (3, 3), (2, 2), (1, 1)),
            ("global", "global_pooling: true", (8, 7), (1, 1), (0, 0))]:
        source = x.round() if name == "ceil_pad" else x
        y = pooling(source, "MAX", kernel, stride, pad)
        record("Pooling", f"max_mask_{name}", f"pooling_param {{ pool: MAX {parameters} }}", source,
               {"y": y, "mask": mask(source, y, kernel, stride, pad)})
    places = mask(x, pooling(x, "MAX", (2, 2), (2, 2), (0, 0)), (2, 2), (2, 2), (0, 0))
    data = {"x": values(2, 3, 4, 4, seed=7), "m": places}
    for name, parameters in [("given", "upsample_h: 8 upsample_w: 7"), ("scale", "scale: 2 pad_out_w: true"), ("default", "pad_out_w: true"),
                             ("pair", "scale_h: 2 scale_w: 2 pad_out_w: true")]:
        record("Upsample", f"mask_{name}", f"upsample_param {{ {parameters} }}", data, unpool(data["x"], places, 8, 7))

    def spp(x, levels, method):
        parts = []
        for level in range(levels):
            bins = 2 ** level
            kernel = [math.ceil(size / bins) for size in x.shape[2:]]
            pad = [(k * bins - size + 1) // 2 for k, size in zip(kernel, x.shape[2:])]
            parts.append(pooling(x, method, kernel, kernel, pad).reshape(len(x), -1))
        return np.concatenate(parts, 1)

    record("SPP", "three", "spp_param { pyramid_height: 3 pool: MAX }", x, spp(x, 3, "MAX"))
    record("SPP", "mean", "spp_param { pyramid_height: 2 pool: AVE }", x, spp(x, 2, "AVE"))
    record("SPP", "one", "spp_param { pyramid_height: 1 }", x, spp(x, 1, "MAX").reshape(2, 3, 1, 1))


# Functions

def functions():
    x = values(2, 3, 4, 5)
    d = x.astype(np.float64)
    record("AbsVal", "plain", "", x, abs(d))
    record("BNLL", "plain", "", x, np.log1p(np.exp(d)))
    record("BNLL", "large", "", x * 40, np.logaddexp(0, d * 40))
    record("Clip", "plain", "clip_param { min: -0.5 max: 1.25 }", x, d.clip(-.5, 1.25))
    record("ELU", "plain", "", x, np.where(d > 0, d, np.expm1(d)))
    record("ELU", "alpha", "elu_param { alpha: 0.3 }", x, np.where(d > 0, d, .3 * np.expm1(d)))
    record("Exp", "plain", "", x, np.exp(d))
    record("Exp", "base", "exp_param { base: 2 scale: 0.5 shift: 1.5 }", x, 2 ** (1.5 + .5 * d))
    record("Exp", "shift", "exp_param { scale: -1 shift: 0.5 }", x, np.exp(.5 - d))
    positive = values(2, 3, 4, low=.25, high=4)
    p = positive.astype(np.float64)
    record("Log", "plain", "", positive, np.log(p))
    record("Log", "base", "log_param { base: 10 scale: 2 shift: 1 }", positive, np.log10(2 * p + 1))
    record("Mish", "plain", "", x, d * np.tanh(np.log1p(np.exp(d))))
    record("Power", "plain", "", x, d)
    record("Power", "linear", "power_param { scale: 0.5 shift: -1 }", x, .5 * d - 1)
    record("Power", "square", "power_param { power: 2 scale: 3 shift: 1 }", x, (1 + 3 * d) ** 2)
    record("Power", "root", "power_param { power: 0.5 }", positive, p ** .5)
    record("ReLU", "plain", "", x, d.clip(0))
    record("ReLU", "slope", "relu_param { negative_slope: 0.1 }", x, np.where(d > 0, d, F(.1) * d))
    record("ReLU6", "plain", "", x * 6, (d * 6).clip(0, 6))
    slopes = values(3, seed=3)
    record("PReLU", "channels", "", x, np.where(d > 0, d, slopes[:, None, None] * d), [slopes])
    record("PReLU", "shared", "prelu_param { channel_shared: true }", x, np.where(d > 0, d, slopes[:1] * d), [slopes[:1]])
    rows = values(4, 3)
    record("PReLU", "matrix", "", rows, np.where(rows > 0, rows, slopes * rows), [slopes])
    record("Sigmoid", "plain", "", x, 1 / (1 + np.exp(-d)))
    record("Swish", "plain", "", x, d / (1 + np.exp(-d)))
    record("Swish", "beta", "swish_param { beta: 1.5 }", x, d / (1 + np.exp(-1.5 * d)))
    record("TanH", "plain", "", x, np.tanh(d))
    record("Threshold", "plain", "", x, d > 0)
    record("Threshold", "value", "threshold_param { threshold: 0.5 }", x, d > .5)
    record("CReLU", "plain", "", x, np.concatenate([d, -d], 1).clip(0))
    record("Dropout", "plain", "dropout_param { dropout_ratio: 0.3 }", x, d)
    record("Split", "two", "", x, {"y": d, "z": d})
    others = {"x": x, "z": values(2, 3, 4, 5, seed=1), "u": values(2, 3, 4, 5, seed=2)}
    a, b, c = (array.astype(np.float64) for array in others.values())
    record("Eltwise", "sum", "", others, a + b + c)
    record("Eltwise", "product", "eltwise_param { operation: PROD }", others, a * b * c)
    record("Eltwise", "maximum", "eltwise_param { operation: MAX }", others, np.maximum(np.maximum(a, b), c))
    record("Eltwise", "coefficients", "eltwise_param { coeff: 0.5 coeff: -1 coeff: 1 }", others, .5 * a - b + c)
    scale = values(2, 3, 1, 1, seed=4)
    record("Axpy", "plain", "", {"s": scale, "x": x, "z": others["z"]}, scale * d + b)
    record("Axpy", "list", "", {"s": scale.reshape(2, 3), "x": x, "z": others["z"]}, scale * d + b)


# Layout

def layouts():
    x, z = values(2, 4, 6, 5), values(2, 3, 6, 5, seed=1)
    record("Concat", "channels", "", {"x": x, "z": z}, np.concatenate([x, z], 1))
    record("Concat", "negative", "concat_param { axis: -1 }", {"x": x, "z": x[..., :2]}, np.concatenate([x, x[..., :2]], 3))
    record("Concat", "old", "concat_param { concat_dim: 0 }", {"x": x, "z": x[:1]}, np.concatenate([x, x[:1]], 0))
    record("Slice", "equal", "", x, {"y": x[:, :2], "z": x[:, 2:]})
    record("Slice", "points", "slice_param { axis: 2 slice_point: 1 slice_point: 4 }", x, {"y": x[:, :, :1], "z": x[:, :, 1:4], "u": x[:, :, 4:]})
    small = values(2, 4, 3, 2, seed=2)
    record("Crop", "offset", "crop_param { axis: 2 offset: 2 }", {"x": x, "like": small}, x[:, :, 2:5, 2:4])
    record("Crop", "offsets", "crop_param { axis: 1 offset: 1 offset: 0 offset: 3 }", {"x": x, "like": small[:, :3]}, x[:, 1:4, :3, 3:5])
    record("Reshape", "inferred", "reshape_param { shape { dim: 0 dim: -1 dim: 3 } }", x, x.reshape(2, -1, 3))
    record("Reshape", "middle", "reshape_param { shape { dim: 2 dim: 2 } axis: 1 num_axes: 1 }", x, x.reshape(2, 2, 2, 6, 5))
    record("Reshape", "insert", "reshape_param { shape { dim: 1 } axis: -1 num_axes: 0 }", x, x[..., None])
    record("Flatten", "plain", "", x, x.reshape(2, -1))
    record("Flatten", "middle", "flatten_param { axis: 1 end_axis: 2 }", x, x.reshape(2, 24, 5))
    record("Permute", "ssd", "permute_param { order: 0 order: 2 order: 3 order: 1 }", x, x.transpose(0, 2, 3, 1))
    record("Permute", "some", "permute_param { order: 2 }", x, x.transpose(2, 0, 1, 3))
    record("Tile", "plain", "tile_param { axis: 1 tiles: 3 }", z, np.tile(z, (1, 3, 1, 1)))
    record("ShuffleChannel", "plain", "shuffle_channel_param { group: 2 }", x,
           x.reshape(2, 2, 2, 6, 5).transpose(0, 2, 1, 3, 4).reshape(2, 4, 6, 5))

    def reorg(x, stride, reverse):
        n, c, h, w = x.shape
        deep = c // (stride * stride)
        flat, out = x.reshape(-1), np.zeros(x.size)
        for b in range(n):
            for k in range(c):
                for j in range(h):
                    for i in range(w):
                        near = i + w * (j + h * (k + c * b))
                        c2, offset = k % deep, k // deep
                        w2, h2 = i * stride + offset % stride, j * stride + offset // stride
                        far = w2 + w * stride * (h2 + h * stride * (c2 + deep * b))
                        if reverse:
                            out[far] = flat[near]
                        else:
                            out[near] = flat[far]
        return out.reshape((n, deep, h * stride, w * stride) if reverse else (n, c * stride * stride, h // stride, w // stride))

    def pass_through(x, bh, bw):
        n, c, h, w = x.shape
        y = np.zeros((n, c * bh * bw, h // bh, w // bw))
        for k in range(y.shape[1]):
            row, column = (k // c) // bw, (k // c) % bw
            y[:, k] = x[:, k % c, row::bh, column::bw]
        return y

    x = values(2, 8, 6, 4, seed=3)
    record("Reorg", "plain", "reorg_param { stride: 2 }", x, reorg(x, 2, False))
    record("Reorg", "reverse", "reorg_param { stride: 2 reverse: true }", x, reorg(x, 2, True))
    record("PassThrough", "square", "passthrough_param { num_output: 32 block_height: 2 block_width: 2 }", x, pass_through(x, 2, 2))
    record("PassThrough", "tall", "passthrough_param { block_height: 3 block_width: 2 }", x, pass_through(x, 3, 2))
    record("Upsample", "plain", "upsample_param { scale: 2 }", x, x.repeat(2, 2).repeat(2, 3))
    record("Upsample", "pair", "upsample_param { scale_h: 3 scale_w: 2 }", x, x.repeat(3, 2).repeat(2, 3))

    def interp(x, height, width):
        n, c, h, w = x.shape
        y = np.zeros((n, c, height, width))
        rh = (h - 1) / (height - 1) if height > 1 else 0
        rw = (w - 1) / (width - 1) if width > 1 else 0
        for i in range(height):
            a = int(rh * i)
            a2, fa = min(a + 1, h - 1), rh * i - a
            for j in range(width):
                b = int(rw * j)
                b2, fb = min(b + 1, w - 1), rw * j - b
                y[:, :, i, j] = (1 - fa) * ((1 - fb) * x[:, :, a, b] + fb * x[:, :, a, b2]) + fa * ((1 - fb) * x[:, :, a2, b] + fb * x[:, :, a2, b2])
        return y

    x = values(2, 3, 5, 6, seed=4)
    record("Interp", "sizes", "interp_param { height: 9 width: 7 }", x, interp(x, 9, 7))
    record("Interp", "zoom", "interp_param { zoom_factor: 3 }", x, interp(x, 13, 16))
    record("Interp", "shrink", "interp_param { shrink_factor: 2 }", x, interp(x, 3, 3))
    record("Interp", "pads", "interp_param { zoom_factor: 2 pad_beg: -1 pad_end: -1 }", x, interp(x[:, :, 1:-1, 1:-1], 5, 7))
    record("Interp", "one", "interp_param { height: 1 width: 1 }", x, interp(x, 1, 1))


# Normalization, reduction, products

def normalizations():
    x = values(2, 3, 4, 5)
    d = x.astype(np.float64)
    mean, variance, factor = values(3, seed=1), values(3, low=1, high=4, seed=2), F(0.5)
    c = (slice(None), None, None)
    normal = (d - (mean / factor)[c]) / np.sqrt((variance / factor)[c] + 1e-5)
    record("BatchNorm", "file", "", x, normal, [mean, variance, np.array([factor])])
    record("BatchNorm", "eps", "batch_norm_param { use_global_stats: true eps: 0.1 }", x,
           (d - (mean / factor)[c]) / np.sqrt((variance / factor)[c] + F(.1)), [mean, variance, np.array([factor])])
    record("BatchNorm", "no_factor", "", x, d / np.sqrt(F(1e-5)), [mean, variance, np.zeros(1, F)])
    rows = values(4, 3, seed=3)
    record("BatchNorm", "matrix", "", rows, (rows - mean * 2) / np.sqrt(variance * 2 + 1e-5), [mean, variance, np.array([factor])])
    axes = (0, 2, 3)
    record("BatchNorm", "batch", "batch_norm_param { use_global_stats: false }", x,
           (d - d.mean(axes, keepdims=True)) / np.sqrt(d.var(axes, keepdims=True) + 1e-5))
    scale, bias = values(3, seed=4), values(3, seed=5)
    record("Scale", "plain", "", x, d * scale[c], [scale])
    record("Scale", "bias", "scale_param { bias_term: true }", x, d * scale[c] + bias[c], [scale, bias])
    record("Scale", "scalar", "scale_param { num_axes: 0 bias_term: true }", x, d * scale[0] + bias[0], [scale[:1].reshape(()), bias[:1].reshape(())])
    plane = values(4, 5, seed=6)
    record("Scale", "rest", "scale_param { axis: 2 num_axes: -1 }", x, d * plane, [plane])
    record("Scale", "bottom", "scale_param { axis: 0 }", {"x": x, "s": values(2, 3, seed=7)}, d * values(2, 3, seed=7)[:, :, None, None])
    record("Scale", "bottom_bias", "scale_param { axis: 1 bias_term: true }", {"x": x, "s": scale}, d * scale[c] + bias[c], [bias])
    record("Bias", "plain", "", x, d + bias[c], [bias])
    record("Bias", "bottom", "bias_param { axis: 2 }", {"x": x, "s": plane}, d + plane)

    def across(x, size, alpha, beta, k):
        y = np.zeros_like(x)
        for channel in range(x.shape[1]):
            low, high = max(channel - size // 2, 0), channel + size // 2 + 1
            y[:, channel] = x[:, channel] / (k + alpha / size * (x[:, low:high] ** 2).sum(1)) ** beta
        return y

    many = values(2, 7, 3, 4, seed=8).astype(np.float64)
    record("LRN", "plain", "", many, across(many, 5, 1, .75, 1))
    record("LRN", "all", "lrn_param { local_size: 3 alpha: 0.1 beta: 0.5 k: 2 }", many, across(many, 3, .1, .5, 2))
    record("LRN", "within", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.75 norm_region: WITHIN_CHANNEL }", x,
           d * (1 + .5 * pooling(x.astype(np.float64) ** 2, "AVE", (3, 3), (1, 1), (1, 1))) ** -.75)
    for across_channels, axes in [("false", (2, 3)), ("true", (1, 2, 3))]:
        centred = d - d.mean(axes, keepdims=True)
        deviation = np.sqrt((centred ** 2).mean(axes, keepdims=True)) + 1e-9
        record("MVN", f"across_{across_channels}", f"mvn_param {{ across_channels: {across_channels} }}", x, centred / deviation)
        record("MVN", f"mean_{across_channels}", f"mvn_param {{ across_channels: {across_channels} normalize_variance: false }}", x, centred)
    for spatial, axes in [("false", 1), ("true", (1, 2, 3))]:
        normal = d / np.sqrt((d ** 2).sum(axes, keepdims=True) + 1e-10)
        record("Normalize", f"channels_{spatial}", f"norm_param {{ across_spatial: {spatial} channel_shared: false }}", x, normal * scale[c], [scale])
        record("Normalize", f"shared_{spatial}", f"norm_param {{ across_spatial: {spatial} }}", x, normal * scale[0], [scale[:1]])

    def softmax(x, axis):
        e = np.exp(x - x.max(axis, keepdims=True))
        return e / e.sum(axis, keepdims=True)

    record("Softmax", "plain", "", x, softmax(d, 1))
    record("Softmax", "last", "softmax_param { axis: -1 }", x, softmax(d, 3))

    for operation, reduce in [("SUM", lambda a: a.sum(1)), ("ASUM", lambda a: abs(a).sum(1)), ("SUMSQ", lambda a: (a ** 2).sum(1)),
                              ("MEAN", lambda a: a.mean(1))]:
        record("Reduction", operation.lower(), f"reduction_param {{ operation: {operation} axis: 2 coeff: 0.5 }}", x,
               .5 * reduce(d.reshape(6, -1)).reshape(2, 3))
    record("Reduction", "all", "", x, d.sum())

    def arg_max(x, k, axis, with_values):
        def of(row):
            pairs = sorted(((value, index) for index, value in enumerate(row)), reverse=True)[:k]
            return np.array([[index for _, index in pairs], [value for value, _ in pairs]])
        if axis is None:
            found = np.stack([of(row) for row in x.reshape(len(x), -1)])
            found = found if with_values else found[:, :1]
            return found.reshape(found.shape + (1,) * (max(x.ndim, 3) - 3))
        moved = np.moveaxis(x, axis, -1)
        found = np.apply_along_axis(lambda row: of(row)[int(with_values)], -1, moved)
        return np.moveaxis(found, -1, axis)

    # Whole numbers, so that many are equal.
    ties = np.random.default_rng(0).integers(-2, 3, (2, 3, 4, 5)).astype(F)
    record("ArgMax", "plain", "", ties, arg_max(ties, 1, None, False))
    record("ArgMax", "values", "argmax_param { out_max_val: true top_k: 3 }", ties, arg_max(ties, 3, None, True))
    record("ArgMax", "axis", "argmax_param { axis: 1 }", ties, arg_max(ties, 1, 1, False))
    record("ArgMax", "axis_top", "argmax_param { axis: 2 top_k: 2 }", ties, arg_max(ties, 2, 2, False))
    record("ArgMax", "axis_values", "argmax_param { axis: -1 top_k: 2 out_max_val: true }", ties, arg_max(ties, 2, 3, True))
    record("ArgMax", "matrix", "argmax_param { out_max_val: true }", ties.reshape(6, 20), arg_max(ties.reshape(6, 20), 1, None, True))


def products():
    x = values(2, 3, 4, 5)
    w, bias = values(6, 60, seed=1), values(6, seed=2)
    record("InnerProduct", "plain", "inner_product_param { num_output: 6 }", x, x.reshape(2, 60).astype(np.float64) @ w.T + bias, [w, bias])
    record("InnerProduct", "transposed", "inner_product_param { num_output: 6 bias_term: false transpose: true }", x,
           x.reshape(2, 60).astype(np.float64) @ w.T, [w.T.copy()])
    w = values(6, 20, seed=3)
    record("InnerProduct", "axis", "inner_product_param { num_output: 6 axis: 2 }", x, x.reshape(2, 3, 20).astype(np.float64) @ w.T + bias, [w, bias])
    a, b = values(2, 3, 4, 5), values(2, 3, 5, 6, seed=4)
    record("MatMul", "plain", "", {"a": a, "b": b}, a.astype(np.float64) @ b)
    record("MatMul", "transposed", "matmul_param { transpose_b: true }", {"a": a, "b": b.swapaxes(2, 3).copy()}, a.astype(np.float64) @ b)


# Recurrent layers

def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def recurrents():
    steps, samples, size, hidden = 4, 3, 5, 2
    x, still = values(steps, samples, size), values(samples, 4, seed=1)
    cont = np.array([[0, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1]], F)
    wx, bias, ws, wh = (values(*shape, low=-1, high=1, seed=seed) for seed, shape in
                        enumerate([(4 * hidden, size), (4 * hidden,), (4 * hidden, 4), (4 * hidden, hidden)], 2))
    h0, c0 = values(1, samples, hidden, seed=8), values(1, samples, hidden, seed=9)

    def lstm(x, cont, constant, h, c):
        out = []
        for t in range(len(x)):
            gates = x[t].astype(np.float64) @ wx.T + bias + constant + (cont[t][:, None] * h) @ wh.T
            i, f, o = (sigmoid(gates[:, k * hidden:(k + 1) * hidden]) for k in range(3))
            g = np.tanh(gates[:, 3 * hidden:])
            c = cont[t][:, None] * f * c + i * g
            h = o * np.tanh(c)
            out.append(h)
        return np.stack(out), h[None], c[None]

    zeros = np.zeros((samples, hidden))
    number = f"num_output: {hidden}"
    record("LSTM", "plain", f"recurrent_param {{ {number} }}", {"x": x, "cont": cont}, lstm(x, cont, 0, zeros, zeros)[0], [wx, bias, wh])
    record("LSTM", "still", f"recurrent_param {{ {number} }}", {"x": x, "cont": cont, "still": still},
           lstm(x, cont, still.astype(np.float64) @ ws.T, zeros, zeros)[0], [wx, bias, ws, wh])
    ones = np.ones_like(cont)
    y, h, c = lstm(x, ones, 0, h0[0], c0[0])
    record("LSTM", "exposed", f"recurrent_param {{ {number} expose_hidden: true }}", {"x": x, "cont": ones, "h0": h0, "c0": c0},
           {"y": y, "h": h, "c": c}, [wx, bias, wh])
    images = x.reshape(steps, samples, size, 1)
    record("LSTM", "images", f"recurrent_param {{ {number} }}", {"x": images, "cont": cont}, lstm(x, cont, 0, zeros, zeros)[0], [wx, bias, wh])
    vx, vb, vh, vo, ob = (values(*shape, low=-1, high=1, seed=seed) for seed, shape in
                          enumerate([(hidden, size), (hidden,), (hidden, hidden), (hidden, hidden), (hidden,)], 20))

    def rnn(x, cont, h):
        out = []
        for t in range(len(x)):
            h = np.tanh((cont[t][:, None] * h) @ vh.T + x[t].astype(np.float64) @ vx.T + vb)
            out.append(np.tanh(h @ vo.T + ob))
        return np.stack(out), h[None]

    record("RNN", "plain", f"recurrent_param {{ {number} }}", {"x": x, "cont": cont}, rnn(x, cont, zeros)[0], [vx, vb, vh, vo, ob])
    y, h = rnn(x, ones, h0[0])
    record("RNN", "exposed", f"recurrent_param {{ {number} expose_hidden: true }}", {"x": x, "cont": ones, "h0": h0}, {"y": y, "h": h},
           [vx, vb, vh, vo, ob])


# Detection

def priors(rows, columns, image, min_sizes, max_sizes=(), ratios=(), flip=True, clip=False, variance=(.1,), step=None, offset=.5):
    image_h, image_w = image
    step_h, step_w = (image_h / rows, image_w / columns) if step is None else (step, step)
    all_ratios = [1.0]
    for ratio in ratios:
        if any(abs(ratio - known) < 1e-6 for known in all_ratios):
            continue
        all_ratios.append(ratio)
        if flip:
            all_ratios.append(1 / ratio)
    out = []
    for h in range(rows):
        for w in range(columns):
            x, y = (w + offset) * step_w, (h + offset) * step_h
            for index, small in enumerate(min_sizes):
                boxes = [(small, small)]
                if max_sizes:
                    boxes.append((math.sqrt(small * max_sizes[index]),) * 2)
                boxes += [(small * math.sqrt(r), small / math.sqrt(r)) for r in all_ratios if abs(r - 1) >= 1e-6]
                for bw, bh in boxes:
                    out += [(x - bw / 2) / image_w, (y - bh / 2) / image_h, (x + bw / 2) / image_w, (y + bh / 2) / image_h]
    out = np.array(out)
    if clip:
        out = out.clip(0, 1)
    variances = np.tile(list(variance) * (4 // len(variance)), out.size // 4)
    return np.stack([out, variances])[None]


def overlap(a, b, extra=0):
    w = min(a[2], b[2]) - max(a[0], b[0]) + extra
    h = min(a[3], b[3]) - max(a[1], b[1]) + extra
    if w <= 0 or h <= 0:
        return 0
    area = lambda box: (box[2] - box[0] + extra) * (box[3] - box[1] + extra)
    return w * h / (area(a) + area(b) - w * h)


def suppressed(boxes, order, limit, extra=0):
    kept = []
    for index in order:
        if all(overlap(boxes[index], boxes[other], extra) <= limit for other in kept):
            kept.append(index)
    return kept


def detections(location, confidence, prior, classes, code, share=True, background=0, threshold=.3, top_k=400, keep=200, least=.01, in_target=False):
    boxes, variances = prior[0].reshape(2, -1, 4)
    count, images = len(boxes), len(location)
    location = location.reshape(images, count, 1 if share else classes, 4).astype(np.float64)
    confidence = confidence.reshape(images, count, classes)
    rows = []
    for image in range(images):
        found = []
        for label in range(classes):
            if label == background:
                continue
            decoded = np.zeros((count, 4))
            for p in range(count):
                l = location[image, p, 0 if share else label] * (1 if in_target else variances[p])
                x0, y0, x1, y1 = boxes[p]
                w, h = x1 - x0, y1 - y0
                if code == "CORNER":
                    decoded[p] = boxes[p] + l
                elif code == "CORNER_SIZE":
                    decoded[p] = boxes[p] + l * [w, h, w, h]
                else:
                    cx, cy = l[0] * w + (x0 + x1) / 2, l[1] * h + (y0 + y1) / 2
                    bw, bh = math.exp(l[2]) * w, math.exp(l[3]) * h
                    decoded[p] = [cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2]
            scores = confidence[image, :, label]
            order = [p for p in np.argsort(-scores, kind="stable") if scores[p] > least]
            order = order[:top_k] if top_k > -1 else order
            found += [(label, scores[p], decoded[p]) for p in suppressed(decoded, order, threshold)]
        if keep > -1 and len(found) > keep:
            best = sorted(range(len(found)), key=lambda index: -found[index][1])[:keep]
            found = [found[index] for index in sorted(best)]
        rows += [[image, label, score, *box] for label, score, box in found]
    if not rows:
        rows = [[image] + [-1] * 6 for image in range(images)]
    return np.array(rows)[None, None]


def detectors():
    feature, data = values(1, 2, 3, 4), values(1, 3, 30, 48)
    bottoms = {"feature": feature, "data": data}
    forms = {
        "plain": ("min_size: 8", dict(min_sizes=[8])),
        "all": ("min_size: 8 min_size: 12.5 max_size: 16 max_size: 20 aspect_ratio: 2 aspect_ratio: 3 aspect_ratio: 1 clip: true "
                "variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 step: 10 offset: 0.25",
                dict(min_sizes=[8, 12.5], max_sizes=[16, 20], ratios=[2, 3, 1], clip=True, variance=[.1, .1, .2, .2], step=10, offset=.25)),
        "no_flip": ("min_size: 8 aspect_ratio: 2 flip: false img_h: 60 img_w: 40", dict(min_sizes=[8], ratios=[2], flip=False)),
    }
    for name, (text, options) in forms.items():
        image = (60, 40) if name == "no_flip" else (30, 48)
        # The bottoms are read for their shapes only; a network has an output that computes, too.
        record("PriorBox", name, f"prior_box_param {{ {text} }}", bottoms, priors(3, 4, image, **options))

    prior = priors(4, 4, (32, 32), [8, 14], variance=[.1, .1, .2, .2]).astype(F)
    count = prior.shape[2] // 4
    confidence = np.random.default_rng(1).permutation(2 * count * 3).reshape(2, -1).astype(F) / (6 * count)
    location = values(2, count * 4, low=-3, high=3)
    def bottoms_of(images, location, confidence):
        return {"loc": location[:images], "conf": confidence[:images], "prior": prior}
    base = "num_classes: 3"
    forms = {
        "center_size": (1, "code_type: CENTER_SIZE nms_param { nms_threshold: 0.45 top_k: 20 } keep_top_k: 10 confidence_threshold: 0.2",
                        dict(code="CENTER_SIZE", threshold=.45, top_k=20, keep=10, least=.2)),
        "corner": (1, "nms_param { nms_threshold: 0.3 top_k: 30 } keep_top_k: 50", dict(code="CORNER", top_k=30, keep=50, least=-1)),
        "corner_size": (1, "code_type: CORNER_SIZE nms_param { nms_threshold: 0.3 } confidence_threshold: 0.5",
                        dict(code="CORNER_SIZE", top_k=-1, keep=-1, least=.5)),
        "two_images": (2, "code_type: CENTER_SIZE nms_param { nms_threshold: 0.4 top_k: 15 } keep_top_k: 7 confidence_threshold: 0.1",
                       dict(code="CENTER_SIZE", threshold=.4, top_k=15, keep=7, least=.1)),
        "no_background": (2, "background_label_id: -1 code_type: CENTER_SIZE nms_param { nms_threshold: 0.4 top_k: 15 } keep_top_k: 30 "
                          "confidence_threshold: 0.1", dict(code="CENTER_SIZE", background=-1, threshold=.4, top_k=15, keep=30, least=.1)),
        "in_target": (1, "code_type: CENTER_SIZE variance_encoded_in_target: true nms_param { top_k: 15 } keep_top_k: 7 confidence_threshold: 0.1",
                      dict(code="CENTER_SIZE", top_k=15, keep=7, least=.1, in_target=True)),
        "nothing": (2, "code_type: CENTER_SIZE keep_top_k: 7 confidence_threshold: 2", dict(code="CENTER_SIZE", keep=7, least=2)),
    }
    for name, (images, text, options) in forms.items():
        given = bottoms_of(images, location, confidence)
        # OpenCV wants these written out; one case shows what Caffe takes in their place.
        for word, default in [("share_location", "true"), ("background_label_id", "0")]:
            text += f" {word}: {default}" if word not in text and name != "nothing" else ""
        record("DetectionOutput", name, f"detection_output_param {{ {base} {text} }}", given,
               detections(given["loc"], given["conf"], prior.astype(np.float64), 3, **options))
    own = values(1, count * 3 * 4, low=-3, high=3, seed=1)
    given = bottoms_of(1, own, confidence)
    record("DetectionOutput", "own_boxes", f"detection_output_param {{ {base} share_location: false background_label_id: 0 code_type: CENTER_SIZE "
           "nms_param { nms_threshold: 0.4 top_k: 15 } keep_top_k: 12 confidence_threshold: 0.1 }", given,
           detections(own, given["conf"], prior.astype(np.float64), 3, "CENTER_SIZE", share=False, threshold=.4, top_k=15, keep=12, least=.1))


def c_round(x):
    return math.floor(abs(x) + .5) * (1 if x > 0 else -1)


def psroi(x, rois, depth, bins, scale):
    rows, columns = x.shape[2:]
    y = np.zeros((len(rois), depth, bins, bins))
    for r, (image, *box) in enumerate(rois):
        left, top = c_round(box[0]) * scale, c_round(box[1]) * scale
        right, bottom = (c_round(box[2]) + 1) * scale, (c_round(box[3]) + 1) * scale
        bin_h, bin_w = max(bottom - top, .1) / bins, max(right - left, .1) / bins
        for d in range(depth):
            for i in range(bins):
                for j in range(bins):
                    a, b = (min(max(int(v), 0), rows) for v in (math.floor(F(i * F(bin_h)) + F(top)), math.ceil(F((i + 1) * F(bin_h)) + F(top))))
                    e, f = (min(max(int(v), 0), columns) for v in (math.floor(F(j * F(bin_w)) + F(left)), math.ceil(F((j + 1) * F(bin_w)) + F(left))))
                    if b > a and f > e:
                        y[r, d, i, j] = x[int(image), (d * bins + i) * bins + j, a:b, e:f].astype(np.float64).mean()
    return y


def regions():
    depth, bins, scale = 2, 3, .5
    x = values(2, depth * bins * bins, 9, 8)
    rois = np.array([[0, 1, 2, 12, 15], [1, 0, 0, 3, 3], [1, 4.5, 2.5, 30, 40], [0, 7, 7, 7, 7], [0, 20, 20, 30, 30]], F)
    y = psroi(x, rois, depth, bins, scale)
    record("PSROIPooling", "plain", f"psroi_pooling_param {{ spatial_scale: {scale} output_dim: {depth} group_size: {bins} }}",
           {"x": x, "rois": rois}, y)

    x = values(2, 3, 9, 8)
    rows, columns, scale = 3, 2, .5
    rois = np.concatenate([rois, [[0, 9, 9, 2, 2]]]).astype(F)
    y = np.zeros((len(rois), 3, rows, columns))
    for r, (image, *box) in enumerate(rois):
        left, top, right, bottom = (c_round(side * scale) for side in box)
        height, width = max(bottom - top + 1, 1) / rows, max(right - left + 1, 1) / columns
        for i in range(rows):
            for j in range(columns):
                a, b = (min(max(v + top, 0), 9) for v in (math.floor(i * height), math.ceil((i + 1) * height)))
                e, f = (min(max(v + left, 0), 8) for v in (math.floor(j * width), math.ceil((j + 1) * width)))
                if b > a and f > e:
                    y[r, :, i, j] = x[int(image), :, a:b, e:f].max((1, 2))
    record("ROIPooling", "plain", f"roi_pooling_param {{ pooled_h: {rows} pooled_w: {columns} spatial_scale: {scale} }}", {"x": x, "rois": rois}, y)

    def anchors(base, ratios, scales):
        centre, out = .5 * (base - 1), []
        for ratio in ratios:
            w = int(math.sqrt(base * base / ratio) + .5)
            h = int(w * ratio + .5)
            for s in scales:
                sw, sh = .5 * (w * s - 1), .5 * (h * s - 1)
                out.append([centre - sw, centre - sh, centre + sw, centre + sh])
        return out

    def proposals(scores, deltas, info, stride, min_size, pre, post, threshold, shapes):
        a, rows, columns = len(shapes), *scores.shape[2:]
        boxes = []
        for h in range(rows):
            for w in range(columns):
                for k in range(a):
                    x0, y0, x1, y1 = (shapes[k][i] + (w, h, w, h)[i] * stride for i in range(4))
                    dx, dy, dw, dh = deltas[0, 4 * k:4 * k + 4, h, w].astype(np.float64)
                    bw, bh = x1 - x0 + 1, y1 - y0 + 1
                    cx, cy = dx * bw + x0 + .5 * bw, dy * bh + y0 + .5 * bh
                    pw, ph = math.exp(dw) * bw, math.exp(dh) * bh
                    box = [min(max(v, 0), limit) for v, limit in zip([cx - .5 * pw, cy - .5 * ph, cx + .5 * pw, cy + .5 * ph],
                                                                    [info[1] - 1, info[0] - 1] * 2)]
                    fits = box[2] - box[0] + 1 >= min_size * info[2] and box[3] - box[1] + 1 >= min_size * info[2]
                    boxes.append((box, scores[0, a + k, h, w] * fits))
        order = sorted(range(len(boxes)), key=lambda i: -boxes[i][1])[:pre]
        kept = suppressed([box for box, _ in boxes], order, threshold, 1)[:post]
        return np.array([[0, *boxes[i][0]] for i in kept]), np.array([[boxes[i][1]] for i in kept])

    shapes = anchors(8, [.5, 1, 2], [1, 2])
    scores = np.random.default_rng(2).permutation(12 * 4 * 5).reshape(1, 12, 4, 5).astype(F) / 240
    deltas, info = values(1, 24, 4, 5, low=-1, high=1), np.array([[32, 40, 1.5]], F)
    text = "proposal_param { feat_stride: 8 base_size: 8 min_size: 4 ratio: 0.5 ratio: 1 ratio: 2 scale: 1 scale: 2 pre_nms_topn: 60 " \
           "post_nms_topn: 12 nms_thresh: 0.5 }"
    found, points = proposals(scores, deltas, info[0], 8, 4, 60, 12, .5, shapes)
    given = {"scores": scores, "deltas": deltas, "info": info}
    record("Proposal", "plain", text, given, found)
    record("Proposal", "scores", text, given, {"rois": found, "points": points})


    # How many regions there are is only known when it runs; what follows works region by region.
    layers = [
        f'layer {{ name: "proposal" type: "Proposal" bottom: "scores" bottom: "deltas" bottom: "info" top: "rois" {text} }}',
        'layer { name: "regions" type: "PSROIPooling" bottom: "features" bottom: "rois" top: "r" '
        'psroi_pooling_param { spatial_scale: 0.125 output_dim: 2 group_size: 2 } }',
        'layer { name: "mean" type: "Pooling" bottom: "r" top: "mean" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }',
        'layer { name: "flat" type: "Flatten" bottom: "mean" top: "flat" }',
        'layer { name: "fc" type: "InnerProduct" bottom: "r" top: "fc" inner_product_param { num_output: 3 } }',
        'layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }',
    ]
    features, w, bias = values(1, 8, 4, 5, seed=5), values(3, 8, seed=6), values(3, seed=7)
    given["features"] = features
    pooled = psroi(features, found.astype(F), 2, 2, .125)
    scores = pooled.reshape(len(found), -1) @ w.T.astype(np.float64) + bias
    e = np.exp(scores - scores.max(1, keepdims=True))
    write("Networks", "proposals", inputs_text(given) + "\n".join(layers) + "\n", caffemodel({"fc": [w, bias]}), given,
          {"flat": pooled.mean((2, 3)), "prob": e / e.sum(1, keepdims=True)})


# Networks: what lies between layers

def whole():
    x = values(1, 3, 6, 6)
    w, bias, slope = values(4, 3, 3, 3, seed=1), values(4, seed=2), F(.1)
    y = convolution(x, w, bias, (1, 1), (1, 1), (1, 1), 1)
    y = np.where(y > 0, y, slope * y)
    head = 'name: "in place"\ninput: "x"\n'
    layers = ('layer { name: "conv" type: "Convolution" bottom: "x" top: "b" convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }\n'
              'layer { name: "relu" type: "ReLU" bottom: "b" top: "b" relu_param { negative_slope: 0.1 } }\n'
              'layer { name: "drop" type: "Dropout" bottom: "b" top: "b" }\n')
    weights = {"conv": [w, bias]}
    shape = " ".join(f"dim: {size}" for size in x.shape)
    write("Networks", "in_place", f"{head}input_shape {{ {shape} }}\n{layers}", caffemodel(weights), {"x": x}, {"b": y})
    # On the input itself: the name of the input stays that of what is given.
    write("Networks", "in_place_on_input", f'{head}input_shape {{ {shape} }}\nlayer {{ name: "p" type: "Power" bottom: "x" top: "x" power_param '
          f'{{ scale: 0.5 }} }}\n{layers}', caffemodel(weights), {"x": x},
          {"b": (lambda v: np.where(v > 0, v, slope * v))(convolution(x / 2, w, bias, (1, 1), (1, 1), (1, 1), 1))})
    phases = ('layer { name: "data" type: "Data" top: "x" top: "label" include { phase: TRAIN } }\n' + layers +
              'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "b" bottom: "label" include { phase: TRAIN } }\n'
              'layer { name: "never" type: "Unheard" bottom: "b" top: "b" exclude { phase: TEST } }\n'
              'layer { name: "staged" type: "Unheard" bottom: "b" top: "b" include { stage: "deploy" } }\n'
              'layer { name: "twice" type: "Power" bottom: "b" top: "c" power_param { scale: 2 } include { not_stage: "deploy" } include { phase: TRAIN } }\n')
    write("Networks", "phases", f"{head}input_shape {{ {shape} }}\n{phases}", caffemodel(weights), {"x": x}, {"c": 2 * y})
    dims = "".join(f"input_dim: {size}\n" for size in x.shape)
    v1 = ('layers { name: "conv" type: CONVOLUTION bottom: "x" top: "b" blobs_lr: 1 blobs_lr: 2 weight_decay: 1 '
          'convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }\n'
          'layers { name: "relu" type: RELU bottom: "b" top: "b" relu_param { negative_slope: 0.1 } }\n')
    write("Networks", "v1", f"{head}{dims}{v1}", old_caffemodel(weights), {"x": x}, {"b": y})
    v0 = ('layers { layer { name: "pad" type: "padding" pad: 1 } bottom: "x" top: "padded" }\n'
          'layers { layer { name: "conv" type: "conv" num_output: 4 kernelsize: 3 } bottom: "padded" top: "b" }\n'
          'layers { layer { name: "relu" type: "relu" } bottom: "b" top: "b" }\n'
          'layers { layer { name: "pool" type: "pool" pool: AVE kernelsize: 3 stride: 2 } bottom: "b" top: "p" }\n')
    relu = convolution(x, w, bias, (1, 1), (1, 1), (1, 1), 1).clip(0)
    write("Networks", "v0", f"{head}{dims}{v0}", old_caffemodel(weights), {"x": x}, {"p": pooling(relu, "AVE", (3, 3), (2, 2), (0, 0))})
    shared = "".join(
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" param {{ name: "w" }} param {{ name: "b" }} '
        'convolution_param { num_output: 3 kernel_size: 3 pad: 1 } }\n' for name, bottom in [("one", "x"), ("two", "one")])
    w, bias = w[:3], bias[:3]
    once = convolution(x, w, bias, (1, 1), (1, 1), (1, 1), 1)
    twice = convolution(once.astype(F), w, bias, (1, 1), (1, 1), (1, 1), 1)
    write("Networks", "shared", f"{head}input_shape {{ {shape} }}\n{shared}", caffemodel({"one": [w, bias]}), {"x": x}, {"two": twice})
    several = ('layer { name: "same name" type: "Power" bottom: "x" top: "a" power_param { scale: 2 } }\n'
               'layer { name: "same name" type: "Power" bottom: "a" top: "b" power_param { shift: 1 } }\n'
               'layer { type: "Power" bottom: "b" top: "c" power_param { scale: 3 } }\n'
               'layer { name: "quiet" type: "Silence" bottom: "a" }\n'
               'layer { name: "x" type: "AbsVal" bottom: "b" top: "d/e f" }\n')
    write("Networks", "names", f"{head}input_shape {{ {shape} }}\n{several}", caffemodel({"other": [w]}), {"x": x},
          {"c": 3 * (2 * x + 1), "d/e f": abs(2 * x + 1)})
    rois = np.array([[0, 0, 0, 5, 5], [0, 1, 1, 4, 5]], F)
    head = values(2, 4 * 4, seed=3)
    features = values(1, 16, 6, 6, seed=4)
    text = inputs_text({"x": features, "rois": rois}) + (
        'layer { name: "regions" type: "PSROIPooling" bottom: "x" bottom: "rois" top: "r" psroi_pooling_param { spatial_scale: 1 output_dim: 4 group_size: 2 } }\n'
        'layer { name: "fc" type: "InnerProduct" bottom: "r" top: "fc" inner_product_param { num_output: 2 bias_term: false } }\n'
        'layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }\n')
    pooled = np.zeros((2, 4, 2, 2))
    for r, (_, left, top, right, bottom) in enumerate(rois):
        for d in range(4):
            for i in range(2):
                for j in range(2):
                    bh, bw = (bottom + 1 - top) / 2, (right + 1 - left) / 2
                    a, b = math.floor(i * bh + top), math.ceil((i + 1) * bh + top)
                    e, f = math.floor(j * bw + left), math.ceil((j + 1) * bw + left)
                    pooled[r, d, i, j] = features[0, (d * 2 + i) * 2 + j, a:b, e:f].mean()
    scores = pooled.reshape(2, -1) @ head.T.astype(np.float64)
    e = np.exp(scores - scores.max(1, keepdims=True))
    write("Networks", "regions", text, caffemodel({"fc": [head]}), {"x": features, "rois": rois}, {"prob": e / e.sum(1, keepdims=True)})


def opencv(path, inputs, outputs):
    """Says where OpenCV's own reader of Caffe computes something else."""
    import cv2
    case = os.path.relpath(path, FOLDER)
    try:
        net = cv2.dnn.readNetFromCaffe(path + ".prototxt", path + ".caffemodel")
        for name, array in inputs.items():
            net.setInput(array, name)
        found = net.forward(net.getUnconnectedOutLayersNames())
    except cv2.error as error:
        print(f"{case}: OpenCV cannot: {str(error).splitlines()[0].split('error:')[-1][:80]}")
        return
    if len(found) != len(outputs):
        print(f"{case}: OpenCV has other outputs")
        return
    for (name, ours), theirs in zip(outputs.items(), found):
        ours = np.asarray(ours, F)
        if ours.shape != theirs.shape:
            print(f"{case}: {name}: shape {ours.shape}, OpenCV {theirs.shape}")
        elif not np.allclose(ours, theirs, 1e-4, 1e-5):
            print(f"{case}: {name}: differs by {abs(ours - theirs).max()}")
        else:
            print(f"{case}: {name}: the same")


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    for family in [convolutions, poolings, functions, layouts, normalizations, products, recurrents, detectors, regions, whole]:
        family()
    with open(os.path.join(FOLDER, "cases.tsv"), "w") as file:
        file.writelines("\t".join(case) + "\n" for case in sorted(cases))
    print(f"{len(cases)} cases")
    for network in networks if "--opencv" in sys.argv else []:
        # It ends the process on some of them.
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            opencv(*network)
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)


main()
