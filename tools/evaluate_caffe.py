"""The Caffe networks of ../shared/data: hb's float results against the reference outputs beside them.

    evaluate_caffe.py TOOLS SHARED_DATA FOLDER [--compile] [NAME...]

Runs each network on the picture of its reference and compares every output, runs its exported ONNX in onnxruntime, and reads the prototxts
without weights. With --compile it also compiles each network with calibration images and prints what quantization costs: top-1 where images
have labels, and the cosine of each output with the float network's. Ends with 1 when an output is off by more than 1e-3.
Needs numpy, pillow, onnx and onnxruntime.
"""
import glob, json, os, struct, subprocess, sys
import numpy as np, onnx
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "bench"))
from references import prepared
from running import in_hb_sim, in_onnxruntime

arguments = [argument for argument in sys.argv[1:] if argument != "--compile"]
tools, data, folder = (os.path.abspath(path) for path in arguments[:3])
LARGEST_ERROR = 1e-3
failed = False


def files(name):
    return f"{data}/caffe/{name}.caffemodel", f"{data}/caffe/{name}.prototxt"


def input_of(name):
    """The input of a network, as meta.json says how it is made of the picture."""
    reference = f"{data}/ref/caffe_{name}"
    meta = json.load(open(f"{reference}/meta.json"))
    picture = np.load(glob.glob(f"{reference}/in_*.npy")[0])
    return prepared(picture, meta)


def infer(home, name, samples, model=None):
    """Outputs by name; `samples` is a file or a folder."""
    model, proto = (model, []) if model else (files(name)[0], ["--proto", files(name)[1]])
    return in_hb_sim(tools, home, model, *proto, "--input", samples)


def compare(name, what, expected, found):
    global failed
    if expected.shape != found.shape:
        print(f"{name}: {what}: shape {found.shape}, expected {expected.shape}")
        failed = True
        return
    error = float(np.abs(expected - found).max())
    failed |= not error <= LARGEST_ERROR
    print(f"{name}: {what}: {expected.shape}, largest error {error:.1e}", flush=True)


def by_score(rows):
    """Detections; OpenCV orders those of an image by score, Caffe by class."""
    rows = rows.reshape(-1, 7)
    # OpenCV fills up to keep_top_k with zeros.
    rows = rows[rows[:, 2] != 0]
    return rows[np.lexsort((rows[:, 3], -rows[:, 2], rows[:, 0]))]


def check(name):
    home = f"{folder}/{name}"
    os.makedirs(home, exist_ok=True)
    np.save(f"{home}/input.npy", input_of(name))
    outputs = infer(home, name, f"{home}/input.npy")
    for path in sorted(glob.glob(f"{data}/ref/caffe_{name}/out_*.npy")):
        output = os.path.basename(path)[4:-4]
        expected, found = np.load(path), outputs[output]
        if output == "detection_out":
            expected, found = by_score(expected), by_score(found)
        compare(name, output, expected, found)
    # As the compiler exports it.
    model, proto = files(name)
    bytecode = f"{home}/network.bc"
    subprocess.run([f"{tools}/hb-translate", "--import-caffe", "--proto", proto, model, "--emit-bytecode", "-o", bytecode], check=True)
    subprocess.run([f"{tools}/hb-translate", "--export-onnx", bytecode, "-o", f"{home}/network.onnx"], check=True)
    onnx.checker.check_model(f"{home}/network.onnx", full_check=True)
    exported = onnx.load(f"{home}/network.onnx").graph
    array = np.load(f"{home}/input.npy")
    for output, value in in_onnxruntime(f"{home}/network.onnx", {exported.input[0].name: array}).items():
        compare(name, f"{output} of its ONNX in onnxruntime", value, outputs[output.replace("/", "_")])


def idx(path):
    raw = open(path, "rb").read()
    shape = struct.unpack(">" + "I" * raw[3], raw[4:4 + 4 * raw[3]])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def mnist(part):
    return idx(f"{data}/images/mnist_{part}-images-idx3-ubyte"), idx(f"{data}/images/mnist_{part}-labels-idx1-ubyte")


def cifar10(part):
    rows = np.frombuffer(open(f"{data}/images/cifar10_{part}.bin", "rb").read(), np.uint8).reshape(-1, 3073)
    return rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), rows[:, 0]


def imagenet(part):
    rows = [line.split() for line in open(f"{data}/images/imagenet_{part}/labels.txt")]
    def centre(path):
        image = Image.open(path).convert("RGB")
        scale = 256 / min(image.size)
        image = image.resize([round(side * scale) for side in image.size], Image.BILINEAR)
        left, top = ((side - 227) // 2 for side in image.size)
        return np.asarray(image.crop((left, top, left + 227, top + 227)))
    return np.stack([centre(f"{data}/images/imagenet_{part}/{row[0]}") for row in rows]), np.array([int(row[1]) for row in rows])


def faces(width, height):
    def pictures(part):
        paths = sorted(glob.glob(f"{data}/images/faces/*.jpg"))
        paths = sorted(glob.glob(f"{data}/images/coco_calib/*.jpg")) + paths[:6] if part == "calib" else paths[6:]
        return np.stack([np.asarray(Image.open(path).convert("RGB").resize((width, height), Image.BILINEAR)) for path in paths]), None
    return pictures


PICTURES = {
    "lenet_mnist": mnist,
    "resnet20_cifar10": cifar10,
    "squeezenet_v1.0_dc": imagenet,
    "RFB-320": faces(320, 240),
    "retinaface_mb025": faces(640, 640),
}

CONFIG = """model_parameters: {{caffe_model: '{model}', prototxt: '{proto}', march: nash-e, working_dir: './out', output_model_file_prefix: net}}
input_parameters: {{input_type_train: featuremap, input_type_rt: featuremap, input_layout_train: NCHW, norm_type: no_preprocess}}
calibration_parameters: {{cal_data_dir: './calib', calibration_type: default}}
compiler_parameters: {{jobs: 2}}
"""


def compile(name):
    home = f"{folder}/{name}"
    meta = json.load(open(f"{data}/ref/caffe_{name}/meta.json"))
    for part in ["calib", "eval"]:
        os.makedirs(f"{home}/{part}", exist_ok=True)
        pictures, labels = PICTURES[name](part)
        for index, picture in enumerate(pictures):
            np.save(f"{home}/{part}/{index:05d}.npy", prepared(picture, meta))
    model, proto = files(name)
    open(f"{home}/config.yaml", "w").write(CONFIG.format(model=model, proto=proto))
    subprocess.run([f"{tools}/hb_compile", "-c", "config.yaml"], cwd=home, check=True, stderr=open(f"{home}/log", "w"))
    onnx.checker.check_model(f"{home}/out/net_original_float_model.onnx", full_check=True)
    if name == "retinaface_mb025":
        print(f"{name}: compiled; how many faces are found depends on the picture, so its outputs are not stacked", flush=True)
        return
    count = len(labels) if labels is not None else len(pictures)
    floats, quantized = infer(home, name, f"{home}/eval"), infer(home, name, f"{home}/eval", f"{home}/out/net.hbm")
    for output, values in floats.items():
        left, right = values.reshape(count, -1), quantized[output].reshape(count, -1)
        cosine = (left * right).sum() / np.linalg.norm(left) / np.linalg.norm(right)
        top1 = "" if labels is None else \
            f", top-1 float {100 * (left.argmax(1) == labels).mean():.2f} %, .hbm {100 * (right.argmax(1) == labels).mean():.2f} %"
        print(f"{name}: {output}: cosine of .hbm with float {cosine:.6f}{top1}", flush=True)


def read(path):
    """A prototxt without weights: its structure, or what to change."""
    done = subprocess.run([f"{tools}/hb_model_info", path], capture_output=True, text=True)
    training = "train" in os.path.basename(path)
    print(f"{os.path.basename(path)}: {'read' if done.returncode == 0 else done.stderr.strip()}", flush=True)
    return done.returncode == (1 if training else 0)


for chosen in arguments[3:] or PICTURES:
    check(chosen)
    if "--compile" in sys.argv:
        compile(chosen)
for path in sorted(glob.glob(f"{data}/caffe/prototxt_only/*.prototxt")):
    failed |= not read(path)
sys.exit(failed)
