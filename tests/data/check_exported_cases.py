#!/usr/bin/env python3
"""Checks with onnxruntime that exported models compute what the recorded cases say.

    HB_KEEP_EXPORTED=DIR cargo nextest run -p hb --test onnx_export
    python3 tests/data/check_exported_cases.py DIR

DIR/<Operator>__<case>.onnx are the recorded cases after import and export. Every one must pass the checker of the onnx
package and give the recorded outputs. Cases that onnxruntime has no kernel for run in the onnx reference evaluator, as when
they were recorded. Exit status 1 if one differs.
"""

import os
import sys

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "operators")


def run(path, feeds, recorded_from):
    model = onnx.load(path)
    onnx.checker.check_model(model)
    if "reference" in recorded_from:
        return ReferenceEvaluator(model).run(None, feeds)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path, options).run(None, feeds)


def difference(expected, results):
    if len(expected) != len(results):
        return f"{len(results)} outputs, expected {len(expected)}"
    for want, have in zip(expected, results):
        if (want.dtype, want.shape) != (have.dtype, have.shape):
            return f"{have.dtype} {have.shape}, expected {want.dtype} {want.shape}"
        if not np.allclose(want, have, rtol=1e-6, atol=1e-6, equal_nan=True):
            return f"differs by up to {np.nanmax(np.abs(want.astype(float) - have.astype(float)))}"
    return None


def main(exported):
    equal, failures = 0, []
    with open(os.path.join(FOLDER, "cases.tsv")) as lines:
        cases = [line.rstrip("\n").split("\t") for line in lines][1:]
    for name, _, inputs, outputs, recorded_from in cases:
        path = os.path.join(exported, name.replace("/", "__") + ".onnx")
        if not os.path.exists(path):
            continue
        with open(os.path.join(FOLDER, name + ".npys"), "rb") as arrays:
            feeds = {key: np.load(arrays) for key in inputs.split("|") if key}
            expected = [np.load(arrays) for key in outputs.split("|") if key]
        try:
            why = difference(expected, run(path, feeds, recorded_from))
        except Exception as error:  # the message is what matters, whatever onnxruntime raises
            why = str(error)
        if why:
            failures.append(f"{name}: {why}")
        else:
            equal += 1
    print(*failures, sep="\n")
    print(f"{equal} equal, {len(failures)} not")
    return 1 if failures or not equal else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
