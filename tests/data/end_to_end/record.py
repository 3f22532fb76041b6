"""Records what onnxruntime gives for the network of examples/digits and for its QDQ model. `tests/end_to_end` compares with it.

    hb_compile -c examples/digits/config.yaml
    python3 tests/data/end_to_end/record.py examples/digits/model_output/digits_ptq_model.onnx

Writes, beside this file, logits f32 [297, 10] of all test images in sorted order: digits_float.npy, digits_ptq.npy.
onnxruntime runs on one thread without optimizations, so the files come out the same on every machine of one kind.
"""

import pathlib
import sys

import numpy
import onnxruntime

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLE = HERE.parents[2] / "examples" / "digits"


def logits(model):
    """f32 [images, 10] of every test image."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    images = sorted((EXAMPLE / "data" / "test").glob("*.npy"))
    rows = [session.run(["logits"], {"image": numpy.load(image)})[0].reshape(-1) for image in images]
    return numpy.stack(rows).astype(numpy.float32)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    numpy.save(HERE / "digits_float.npy", logits(EXAMPLE / "model.onnx"))
    numpy.save(HERE / "digits_ptq.npy", logits(sys.argv[1]))


if __name__ == "__main__":
    main()
