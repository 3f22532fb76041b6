"""Accuracy and agreement of hb's levels on the spine networks of ../shared/data, against onnxruntime.

    evaluate.py TOOLS SHARED_DATA FOLDER [--commands] [NAME[=CALIBRATION]...]

Compiles each network with its calibration images, those named with that calibration_type (a number is max with that max_percentile), into FOLDER
twice, with jobs 1 and 2,
runs the .hbm, the bpu level and the float network on all evaluation images, and prints: top-1 of each where images have labels,
whether levels agree to the byte, the float executor's error, the cosines of the .hbm with the float network and with onnxruntime's
run of the QDQ model, and whether both compilations gave the same bytes. Needs numpy, pillow and onnxruntime.

With --commands it compiles once and runs what `hb_compile --print-pipeline` prints instead: whether that gives the same .hbm.
"""
import filecmp, glob, os, subprocess, sys
import numpy as np, onnxruntime

from labelled_images import cifar10, faces, imagenet, lines, mnist

commands_only = "--commands" in sys.argv
arguments = [argument for argument in sys.argv[1:] if argument != "--commands"]
tools, data, folder = (os.path.abspath(path) for path in arguments[:3])

def save(folder, arrays):
    os.makedirs(folder, exist_ok=True)
    for index, array in enumerate(arrays):
        np.save(f"{folder}/{index:05d}.npy", array.astype(np.float32))

CONFIG = """model_parameters: {{onnx_model: '{model}', march: nash-e, working_dir: '{out}', output_model_file_prefix: net}}
input_parameters: {{input_name: '{input}', input_type_train: featuremap, input_type_rt: featuremap, input_layout_train: NCHW, input_shape: '{shape}', norm_type: no_preprocess}}
calibration_parameters: {{cal_data_dir: './calib', {calibration}}}
compiler_parameters: {{jobs: {jobs}}}
"""

def calibration(chosen):
    """The lines of the configuration for a word of the command line."""
    if chosen[:1].isdigit():
        return f"calibration_type: max, max_percentile: {chosen}"
    return f"calibration_type: {chosen or 'default'}"

def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    # Its optimised integer kernels saturate sums of pairs where the machine has no VNNI: another result than the graph's.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options)

def cosines(left, right):
    """Over all values, and per image: least and mean."""
    products, norms = (left * right).sum(1), np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    whole = products.sum() / np.linalg.norm(left) / np.linalg.norm(right)
    each = products / norms
    return f"all {whole:.6f}, per image min {each.min():.6f} mean {each.mean():.6f}, {(each < 0.999).sum()} below 0.999"

def compile(home, model, jobs, input, shape, calibration):
    text = CONFIG.format(model=model, out="./out", input=input, shape=shape, calibration=calibration, jobs=jobs)
    open(f"{home}/config.yaml", "w").write(text)
    subprocess.run([f"{tools}/hb_compile", "-c", "config.yaml"], cwd=home, check=True, stderr=open(f"{home}/log", "w"))

def check_commands(name, images, input, outputs, shape, calibration):
    """Whether the printed commands make the same .hbm from what hb_compile left."""
    home, model = f"{folder}/{name}", f"{data}/onnx/{name}.onnx"
    subprocess.run(["rm", "-rf", home], check=True)
    save(f"{home}/calib", images(data, "calib")[0])
    compile(home, model, 2, input, shape, calibration)
    os.rename(f"{home}/out/net.hbm", f"{home}/first.hbm")
    path = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    printed = subprocess.run(["hb_compile", "-q", "-c", "config.yaml", "--print-pipeline"], cwd=home, check=True, env=path, stdout=subprocess.PIPE)
    open(f"{home}/commands.sh", "wb").write(printed.stdout)
    subprocess.run(["sh", "-e", "commands.sh"], cwd=home, check=True, env=path)
    same = filecmp.cmp(f"{home}/first.hbm", f"{home}/out/net.hbm", shallow=False)
    print(f"{name}: the printed commands give the same .hbm: {same}", flush=True)
    return same

def evaluate(name, images, input, outputs, shape, calibration):
    home, model = f"{folder}/{name}", f"{data}/onnx/{name}.onnx"
    subprocess.run(["rm", "-rf", home], check=True)
    save(f"{home}/calib", images(data, "calib")[0])
    samples, labels = images(data, "eval")
    save(f"{home}/eval", samples)
    for jobs in (1, 2):
        compile(home, model, jobs, input, shape, calibration)
        os.rename(f"{home}/out", f"{home}/out{jobs}")
    files = [path for path in glob.glob(f"{home}/out2/*") if not path.endswith(".log")]
    differ = [os.path.basename(path) for path in files if not filecmp.cmp(path, path.replace("/out2/", "/out1/"), shallow=False)]
    print(f"{name}, {calibration}: files that differ with jobs 1 and 2: {' '.join(differ) or 'none'}", flush=True)
    def run(model, *more):
        command = [f"{tools}/hb_sim", "infer", model, "--input", "eval", "--output-dir", "r", *more]
        subprocess.run(command, cwd=home, check=True, stdout=subprocess.DEVNULL)
        return [np.load(f"{home}/r/{output.replace('/', '_')}.npy").reshape(len(samples), -1) for output in outputs]
    def runtime(path):
        runtime = session(path)
        rows = [runtime.run(outputs, {input: sample.astype(np.float32)}) for sample in samples]
        return [np.stack([row[index] for row in rows]).reshape(len(samples), -1) for index in range(len(outputs))]
    hbm, bpu, own = run("out2/net.hbm"), run("out2/net_quantized_model.bc"), run(model)
    reference, qdq = runtime(model), runtime(f"{home}/out2/net_ptq_model.onnx")
    checked = run("out2/net.hbm", "--check-races")
    same = all(a.tobytes() == b.tobytes() == c.tobytes() for a, b, c in zip(hbm, bpu, checked))
    print(f"  {len(samples)} images: levels equal to the byte, no races: {same}")
    if labels is not None:
        top1 = lambda values: f"{100 * (values[0].argmax(1) == labels).mean():.2f} %"
        print(f"  top-1 float {top1(reference)} (hb {top1(own)}), .hbm {top1(hbm)}, QDQ in onnxruntime {top1(qdq)}")
    for index, output in enumerate(outputs):
        print(f"  {output}: float error / range {np.abs(own[index] - reference[index]).max() / np.ptp(reference[index]):.1e}")
        print(f"    cosine .hbm with QDQ: {cosines(hbm[index], qdq[index])}")
        print(f"    cosine .hbm with float: {cosines(hbm[index], reference[index])}", flush=True)

NETWORKS = {
    "mnist-8": (mnist, "Input3", ["Plus214_Output_0"], "1x1x28x28"),
    "resnet20_cifar10": (cifar10, "input", ["output"], "1x3x32x32"),
    "mobilenet_v2_imagenet": (imagenet, "input", ["output"], "1x3x224x224"),
    "version-RFB-320": (faces, "input", ["scores", "boxes"], "1x3x240x320"),
    "en_PP-OCRv3_det": (lines, "x", ["sigmoid_0.tmp_0"], "1x3x128x320"),
}
failed = False
for chosen in arguments[3:] or NETWORKS:
    name, _, word = chosen.partition("=")
    if commands_only:
        failed |= not check_commands(name, *NETWORKS[name], calibration(word))
    else:
        evaluate(name, *NETWORKS[name], calibration(word))
sys.exit(failed)
