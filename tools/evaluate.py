"""Accuracy and agreement of hb's levels on the spine networks of ../shared/data, against onnxruntime.

    evaluate.py TOOLS SHARED_DATA FOLDER [--commands] [NAME[=CALIBRATION]...]

Compiles each network with its calibration images, those named with that calibration_type (a number is max with that max_percentile), into FOLDER
twice, with jobs 1 and 2,
runs the .hbm, the bpu level and the float network on all evaluation images, and prints: top-1 of each where images have labels,
whether levels agree to the byte, the float executor's error, the cosines of the .hbm with the float network and with onnxruntime's
run of the QDQ model, and whether both compilations gave the same bytes. Needs numpy, pillow and onnxruntime.

With --commands it compiles once and runs what `hb_compile --print-pipeline` prints instead: whether that gives the same .hbm.
"""
import filecmp, glob, os, struct, subprocess, sys
import numpy as np, onnxruntime
from PIL import Image
commands_only = "--commands" in sys.argv
arguments = [argument for argument in sys.argv[1:] if argument != "--commands"]
tools, data, folder = (os.path.abspath(path) for path in arguments[:3])

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

def pixels(paths, prepare, mean, deviation, order=slice(None)):
    """Pictures as [1, 3, H, W] each."""
    rows = (np.asarray(prepare(Image.open(path).convert("RGB")), np.float32)[..., order] for path in paths)
    return np.stack([((row - mean) / deviation).astype(np.float32).transpose(2, 0, 1)[None] for row in rows])

IMAGENET = np.array([123.675, 116.28, 103.53], np.float32), np.array([58.395, 57.12, 57.375], np.float32)

def imagenet(part):
    rows = [line.split() for line in open(f"{data}/images/imagenet_{part}/labels.txt")]
    def centre(image):
        left, top = (round((side - 224) / 2) for side in image.size)
        return image.crop((left, top, left + 224, top + 224))
    return pixels([f"{data}/images/imagenet_{part}/{row[0]}" for row in rows], centre, *IMAGENET), np.array([int(row[1]) for row in rows])

def faces(part):
    paths = sorted(glob.glob(f"{data}/images/faces/*.jpg"))
    paths = sorted(glob.glob(f"{data}/images/coco_calib/*.jpg")) + paths[:6] if part == "calib" else paths[6:]
    return pixels(paths, lambda image: image.resize((320, 240), Image.BILINEAR), 127, 128), None

def lines(part):
    paths = sorted(glob.glob(f"{data}/images/ocr_lines/*.[jp][pn]g"))
    def canvas(image):
        whole = Image.new("RGB", (320, 128), (255, 255, 255))
        image.thumbnail((320, 128))
        whole.paste(image, (0, (128 - image.height) // 2))
        return whole
    return pixels(paths[:40] if part == "calib" else paths[40:], canvas, *IMAGENET, slice(None, None, -1)), None

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
    save(f"{home}/calib", images("calib")[0])
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
    save(f"{home}/calib", images("calib")[0])
    samples, labels = images("eval")
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
