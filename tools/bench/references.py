"""The inputs of the networks in ../shared/data, from the reference beside each of them. For bench.py and evaluate_caffe.py."""
import glob
import json
import os

import numpy as np


def inputs(folder):
    """Arrays by input: those that are there, or the picture, prepared as meta.json says."""
    with open(os.path.join(folder, "meta.json")) as file:
        meta = json.load(file)
    files = {os.path.basename(path)[len("in_") : -len(".npy")]: path for path in glob.glob(os.path.join(folder, "in_*.npy"))}
    arrays = {name: np.load(path) for name, path in files.items()}
    if "input" not in meta:
        return arrays
    (picture,) = arrays.values()
    return {meta["input"]: prepared(picture, meta)}


def prepared(picture, meta):
    """The input that meta.json describes, of a picture of bytes [H, W] or [H, W, C]."""
    rows = (picture if picture.ndim == 3 else picture[..., None]).astype(np.float32)
    if meta["order"] == "BGR":
        rows = rows[..., ::-1]
    mean, scale = np.array(meta["mean"], np.float32), np.array(meta["scale"], np.float32)
    return np.ascontiguousarray(((rows - mean) * scale).transpose(2, 0, 1)[None], np.float32)


def networks(data):
    """Of every ONNX network its name, its file and its inputs."""
    for path in sorted(glob.glob(os.path.join(data, "onnx", "*.onnx"))):
        name = os.path.basename(path)[: -len(".onnx")]
        reference = os.path.join(data, "ref", f"onnx_{name}")
        if os.path.isdir(reference):
            yield name, path, inputs(reference)
