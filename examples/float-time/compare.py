"""Times the float executor against onnxruntime, run by run in turns, and compares their results.

    compare.py MODEL.onnx [--runs 40] [--threads 2] [--binary target/release/examples/float-time]

Prints the median of each, the ratio of the medians, the median of the ratios of neighbouring runs (other programs on the machine
disturb that one least), and the largest difference of the outputs relative to their range. Needs numpy and onnxruntime.
"""
import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--binary", default="target/release/examples/float-time")
    arguments = parser.parse_args()
    command = [arguments.binary, arguments.model, "--threads", str(arguments.threads)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(line):
        child.stdin.write(line + "\n")
        child.stdin.flush()
        return child.stdout.readline().split()

    compiled = child.stdout.readline().split()[1]
    ask("run")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = arguments.threads, 3
    session = onnxruntime.InferenceSession(arguments.model, options, providers=["CPUExecutionProvider"])
    with tempfile.TemporaryDirectory() as folder:
        ask(f"check {folder}")
        inputs = {}
        for position, value in enumerate(session.get_inputs()):
            shape = [size if isinstance(size, int) else 1 for size in value.shape]
            inputs[value.name] = np.fromfile(Path(folder) / f"input_{position}.bin", np.float32).reshape(shape)
        error = 0.0
        for position, expected in enumerate(session.run(None, inputs)):
            found = np.fromfile(Path(folder) / f"output_{position}.bin", np.float32).reshape(expected.shape)
            error = max(error, float(np.abs(found - expected).max() / np.ptp(expected)))
    ours, theirs = [], []
    for _ in range(arguments.runs):
        ours.append(float(ask("run")[1]) * 1e3)
        begin = time.perf_counter()
        session.run(None, inputs)
        theirs.append((time.perf_counter() - begin) * 1e3)
    child.stdin.close()
    child.wait()
    a, b = statistics.median(ours), statistics.median(theirs)
    pairs = statistics.median(x / y for x, y in zip(ours, theirs))
    print(f"{Path(arguments.model).stem}: compile {float(compiled):.2f} s, hb {a:.2f} ms (least {min(ours):.2f}), onnxruntime {b:.2f} ms "
          f"(least {min(theirs):.2f}), ratio {a / b:.2f}, of pairs {pairs:.2f}, error {error:.1e} of the range")


if __name__ == "__main__":
    main()
