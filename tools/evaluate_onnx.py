"""The ONNX networks of ../shared/data: hb's float results against onnxruntime's, what is exported, and whether they compile.

    evaluate_onnx.py TOOLS SHARED_DATA FOLDER [NAME...]

Runs each network on the input of its reference, in hb_sim and in onnxruntime, and compares every output, with its type and shape. Compiles it
with that input as calibration data, checks the original and the optimized model that hb_compile exports with the full checker, and compares
their outputs in onnxruntime with the network's. Prints the cosine of the .hbm's outputs with the float ones: one sample, and its own
calibration, so that it says "computes the same network" and not "is accurate". Ends with 1 when an output is off by more than 1e-3 of its
largest value, or by more than 1e-3 where that is less than 1.
Needs numpy, onnx and onnxruntime.
"""
import os, shutil, subprocess, sys
import numpy as np, onnx

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "bench"))
from references import networks
from running import in_hb_sim, in_onnxruntime

tools, data, folder = (os.path.abspath(path) for path in sys.argv[1:4])
LARGEST_ERROR = 1e-3
failed = False


def fail(message):
    global failed
    failed = True
    print(message, flush=True)


def infer(model, files):
    """Nothing where hb_sim fails, which says why."""
    try:
        return in_hb_sim(tools, folder, model, *(f"--input={name}={path}" for name, path in files.items()))
    except subprocess.CalledProcessError as error:
        fail(f"{model}: {error}")
        return {}


def compare(name, what, expected, found):
    """Files are named by outputs, with `_` for what a file's name cannot have."""
    found = {output.replace("/", "_"): value for output, value in found.items()}
    for output, value in expected.items():
        other = found.get(output.replace("/", "_"))
        if other is None or other.shape != value.shape or other.dtype != value.dtype:
            fail(f"{name}: {output} {what}: {None if other is None else (other.shape, other.dtype)}, expected {value.shape} {value.dtype}")
            continue
        value, other = value.astype(np.float64), other.astype(np.float64)
        error = np.abs(value - other).max(initial=0) / np.abs(value).max(initial=1)
        line = f"{name}: {output} {what}: {value.shape}, largest error {error:.1e}"
        print(line, flush=True) if error <= LARGEST_ERROR else fail(line)


def configuration(path, arrays):
    each = lambda words: "'" + ";".join(words) + "'"
    inputs = {"input_name": arrays, "input_shape": ["x".join(map(str, array.shape)) or "None" for array in arrays.values()],
              "input_type_rt": ["featuremap"] * len(arrays), "input_type_train": ["featuremap"] * len(arrays),
              "input_layout_train": ["NCHW"] * len(arrays), "norm_type": ["no_preprocess"] * len(arrays)}
    inputs = ", ".join(f"{key}: {each(words)}" for key, words in inputs.items())
    folders = each(f"./calibration/{index}" for index in range(len(arrays)))
    return (f"model_parameters: {{onnx_model: '{path}', march: nash-e, working_dir: ./out, output_model_file_prefix: net}}\n"
            f"input_parameters: {{{inputs}}}\ncalibration_parameters: {{cal_data_dir: {folders}, calibration_type: default}}\n"
            f"compiler_parameters: {{jobs: 2}}\n")


def cosine(left, right):
    if np.array_equal(left, right):
        return 1
    left, right = left.astype(np.float64).ravel(), right.astype(np.float64).ravel()
    return left @ right / max(np.linalg.norm(left) * np.linalg.norm(right), 1e-30)


def check(name, path, arrays):
    home = f"{folder}/{name}"
    shutil.rmtree(home, ignore_errors=True)
    files = {}
    for index, (input, array) in enumerate(arrays.items()):
        os.makedirs(f"{home}/calibration/{index}")
        files[input] = f"{home}/calibration/{index}/0.npy"
        np.save(files[input], array)
    expected = in_onnxruntime(path, arrays)
    compare(name, "in hb_sim", expected, infer(path, files))
    with open(f"{home}/config.yaml", "w") as file:
        file.write(configuration(path, arrays))
    with open(f"{home}/log", "w") as log:
        if subprocess.run([f"{tools}/hb_compile", "-c", "config.yaml"], cwd=home, stdout=log, stderr=log).returncode != 0:
            fail(f"{name}: did not compile, see {home}/log")
            return
    for model in ["original", "optimized"]:
        exported = f"{home}/out/net_{model}_float_model.onnx"
        onnx.checker.check_model(exported, full_check=True)
        compare(name, f"of its {model} float model in onnxruntime", expected, in_onnxruntime(exported, arrays))
    quantized = infer(f"{home}/out/net.hbm", files)
    for output, value in expected.items():
        other = quantized.get(output.replace("/", "_"))
        same = "other shape" if other is None or other.shape != value.shape else f"cosine {cosine(value, other):.6f}"
        print(f"{name}: {output} of its .hbm: {same}", flush=True)


os.makedirs(folder, exist_ok=True)
for name, path, arrays in networks(data):
    if not sys.argv[4:] or name in sys.argv[4:]:
        check(name, path, arrays)
sys.exit(failed)
