"""A model run by hb_sim and by onnxruntime: outputs by name. For evaluate_onnx.py, evaluate_caffe.py and evaluate_tasks.py."""
import glob, os, shutil, subprocess
import numpy as np, onnxruntime


def in_onnxruntime(model, arrays):
    """`arrays` by input; those that the model does not have are left out."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options)
    wanted = {value.name: arrays[value.name] for value in session.get_inputs()}
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, wanted)))


def in_hb_sim(tools, folder, *arguments):
    """`arguments` of `hb_sim infer`: the model and its inputs. Files are named by outputs, with `_` for what a file's name cannot have."""
    results = f"{folder}/results"
    subprocess.run([f"{tools}/hb_sim", "infer", *arguments, "--output-dir", results], check=True, stdout=subprocess.DEVNULL)
    outputs = {os.path.basename(path)[: -len(".npy")]: np.load(path) for path in glob.glob(f"{results}/*.npy")}
    shutil.rmtree(results)
    return outputs
