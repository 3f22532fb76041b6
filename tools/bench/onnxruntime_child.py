"""What bench.py measures of onnxruntime, in a process of its own so that its memory can be told. Prints one JSON object.

    onnxruntime_child.py nothing
    onnxruntime_child.py infer MODEL.onnx SAMPLES_FOLDER        or INPUT=SAMPLES_FOLDER for each input
    onnxruntime_child.py first MODEL.onnx SAMPLES_FOLDER
    onnxruntime_child.py quantize MODEL.onnx SAMPLES_FOLDER OUTPUT.onnx
"""
import glob
import json
import logging
import sys
import time

import numpy as np
import onnxruntime

# The first opset whose DequantizeLinear takes one scale per channel.
PER_CHANNEL_OPSET = 13


def samples(folder):
    return [np.load(path) for path in sorted(glob.glob(f"{folder}/*.npy"))]


def load(model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def first(model, folder):
    array = samples(folder)[0]
    begin = time.perf_counter()
    session = load(model)
    session.run(None, {session.get_inputs()[0].name: array})
    return {"seconds": time.perf_counter() - begin}


def infer(model, *folders):
    session = load(model)
    named = (folder.rpartition("=") for folder in folders)
    arrays = {name or session.get_inputs()[0].name: samples(folder) for name, _, folder in named}
    feeds = [dict(zip(arrays, sample)) for sample in zip(*arrays.values())]
    session.run(None, feeds[0])
    seconds = []
    for feed in feeds:
        begin = time.perf_counter()
        session.run(None, feed)
        seconds.append(time.perf_counter() - begin)
    return {"run_seconds": seconds}


def quantize(model, folder, output):
    import onnx
    import onnx.version_converter
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

    logging.disable(logging.WARNING)
    name = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).get_inputs()[0].name

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = iter(samples(folder))

        def get_next(self):
            array = next(self.left, None)
            return None if array is None else {name: array}

    network = onnx.load(model)
    if max(opset.version for opset in network.opset_import if not opset.domain) < PER_CHANNEL_OPSET:
        model = f"{output}.converted.onnx"
        onnx.save(onnx.version_converter.convert_version(network, PER_CHANNEL_OPSET), model)
    begin = time.perf_counter()
    quantize_static(
        model,
        output,
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )
    return {"seconds": time.perf_counter() - begin}


if __name__ == "__main__":
    commands = {"nothing": dict, "infer": infer, "first": first, "quantize": quantize}
    print(json.dumps(commands[sys.argv[1]](*sys.argv[2:])))
