"""Accuracy of hb on mnist-8 and resnet20_cifar10 of ../shared/data, against onnxruntime.

    evaluate.py TOOLS SHARED_DATA FOLDER

Compiles each network with its calibration images into FOLDER, runs the .hbm, the bpu level and the float network on all labelled
images, and prints: top-1 of each, whether levels agree to the byte, the float executor's error, the cosine of the .hbm with
onnxruntime's run of the QDQ model, and whether compiling again gives the same bytes. Needs numpy and onnxruntime.
"""
import filecmp, glob, os, struct, subprocess, sys
import numpy as np, onnxruntime
tools, data, folder = (os.path.abspath(path) for path in sys.argv[1:4])

def save(folder, arrays):
    os.makedirs(folder, exist_ok=True)
    for index, array in enumerate(arrays):
        np.save(f"{folder}/{index:05d}.npy", array.astype(np.float32))

def idx(path):
    raw = open(path, "rb").read()
    shape = struct.unpack(">" + "I" * raw[3], raw[4:4 + 4 * raw[3]])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)

def mnist(part):
    return idx(f"{data}/images/mnist_{part}-images-idx3-ubyte")[:, None, None], idx(f"{data}/images/mnist_{part}-labels-idx1-ubyte")

def cifar10(part):
    rows = np.frombuffer(open(f"{data}/images/cifar10_{part}.bin", "rb").read(), np.uint8).reshape(-1, 3073)
    mean, deviation = (np.array(v, np.float32)[:, None, None] for v in ([.485, .456, .406], [.229, .224, .225]))
    return ((rows[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255 - mean) / deviation)[:, None], rows[:, 0]

CONFIG = """model_parameters: {{onnx_model: '{model}', march: nash-e, working_dir: '{out}', output_model_file_prefix: net}}
input_parameters: {{input_name: '{input}', input_type_train: featuremap, input_type_rt: featuremap, input_layout_train: NCHW, input_shape: '{shape}', norm_type: no_preprocess}}
calibration_parameters: {{cal_data_dir: './calib', calibration_type: max, max_percentile: 1.0}}
compiler_parameters: {{optimize_level: O2, jobs: 2}}
"""

def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options)

def evaluate(name, images, input, output, shape):
    home, model = f"{folder}/{name}", f"{data}/onnx/{name}.onnx"
    save(f"{home}/calib", images("calib")[0])
    samples, labels = images("eval")
    save(f"{home}/eval", samples)
    for time in (1, 2):
        out = f"{home}/out{time}"
        open(f"{home}/config.yaml", "w").write(CONFIG.format(model=model, out="./out", input=input, shape=shape))
        subprocess.run([f"{tools}/hb_compile", "-c", "config.yaml"], cwd=home, check=True, stderr=open(f"{home}/log", "w"))
        subprocess.run(["rm", "-rf", out], check=True); os.rename(f"{home}/out", out)
    same = all(filecmp.cmp(path, path.replace("/out2/", "/out1/"), shallow=False) for path in glob.glob(f"{home}/out2/*") if not path.endswith(".log"))
    def run(model, *more):
        subprocess.run([f"{tools}/hb_sim", "infer", model, "--input", "eval", "--output-dir", "r", *more], cwd=home, check=True, stdout=subprocess.DEVNULL)
        return np.load(f"{home}/r/{output}.npy").reshape(len(labels), -1)
    hbm, bpu, own = run("out2/net.hbm", "--check-races"), run("out2/net_quantized_model.bc"), run(model)
    runtime = lambda path: np.stack([s.run(None, {s.get_inputs()[0].name: np.load(f)})[0] for s in [session(path)] for f in sorted(glob.glob(f"{home}/eval/*.npy"))]).reshape(len(labels), -1)
    reference, qdq = runtime(model), runtime(f"{home}/out2/net_ptq_model.onnx")
    top1 = lambda values: f"{100 * (values.argmax(1) == labels).mean():.2f} %"
    cosine = (hbm * qdq).sum(1) / np.linalg.norm(hbm, axis=1) / np.linalg.norm(qdq, axis=1)
    whole = (hbm * qdq).sum() / np.linalg.norm(hbm) / np.linalg.norm(qdq)
    print(f"{name}: top-1 float {top1(reference)} (hb {top1(own)}), .hbm {top1(hbm)}, QDQ in onnxruntime {top1(qdq)} on {len(labels)} images")
    print(f"  levels equal to the byte: {hbm.tobytes() == bpu.tobytes()}; same files twice: {same}")
    print(f"  float error / range: {np.abs(own - reference).max() / np.ptp(reference):.1e}")
    print(f"  cosine .hbm, QDQ: all outputs {whole:.6f}, per image min {cosine.min():.6f} mean {cosine.mean():.6f}")

evaluate("mnist-8", mnist, "Input3", "Plus214_Output_0", "1x1x28x28")
evaluate("resnet20_cifar10", cifar10, "input", "output", "1x3x32x32")
