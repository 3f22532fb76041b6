"""Images as cameras give them against the float network on OpenCV's conversion of the same pixels.

    evaluate_colours.py --list [PATTERN...]
    evaluate_colours.py TOOLS SHARED_DATA FOLDER [--images N] [PATTERN...]

Compiles a network of ../shared/data for each pair of input_type_train and input_type_rt that the manual allows, feeds the .hbm with
the bytes of a camera and onnxruntime with what the network was trained with, and prints top-1 of both, the cosine of the outputs, the segments
and the predicted latency. Fails where top-1 is more than 1.5 points apart, a mean cosine is below 0.99, there is more than one segment, or nv12
takes more than 3 % longer than a featuremap that comes as int8, where both are among the cases.
Cases are NETWORK:TRAIN:RT[:RANGE]; patterns choose some of them, as in '*:rgb:*' or 'resnet20:*:yuv444_128'. A featuremap is given as pixels in float32, which the
model normalizes; with no_preprocess in place of the range it is given normalized, and with int8 as the integers of that, whose Quantize is
removed: the latencies to compare with.
No network here was trained with yuv444 or yuv444_128: one of rgb takes its place, only to compare the two. Needs numpy, opencv, pillow and onnxruntime.
"""
import argparse, fnmatch, json, os, subprocess, sys

CASES = [f"mobilenet_v2:{case}" for case in ("rgb:nv12", "rgb:nv12:bt601_video", "rgb:bgr", "featuremap:featuremap", "featuremap:featuremap:no_preprocess", "featuremap:featuremap:int8")]
CASES += ["mnist:gray:gray"]
# For bgr the same network with its channels turned round.
CASES += [f"resnet20:{train}:{rt}" for train in ("rgb", "bgr") for rt in ("rgb", "bgr", "yuv444", "yuv444_128", "nv12", "nv12:bt601_video")]
CASES += ["resnet20:yuv444:yuv444", "resnet20:yuv444:yuv444_128", "resnet20:yuv444:nv12", "resnet20:yuv444_128:yuv444_128"]
CASES += ["resnet20:featuremap:featuremap", "resnet20:featuremap:featuremap:int8"]

def chosen(patterns):
    """The cases that patterns choose, all without one; a pattern that chooses none is an error."""
    for pattern in patterns:
        if not fnmatch.filter(CASES, pattern):
            sys.exit(f"no case is like '{pattern}'; --list lists them")
    return [case for case in CASES if not patterns or any(fnmatch.fnmatch(case, pattern) for pattern in patterns)]

if "--list" in sys.argv[1:2]:
    print("\n".join(chosen(sys.argv[2:])))
    sys.exit()

import cv2, numpy as np, onnxruntime
from PIL import Image

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--images", type=int, help="how many images, instead of all")
for place in ("tools", "data", "folder"):
    parser.add_argument(place, type=os.path.abspath)
parser.add_argument("patterns", nargs="*")
options = parser.parse_intermixed_args()
count, tools, data, folder = options.images, options.tools, options.data, options.folder

def imagenet(part):
    """Pictures as uint8 [H, W, 3] of rgb, and their classes."""
    rows = [line.split() for line in open(f"{data}/images/imagenet_{part}/labels.txt")][:count]
    def centre(image):
        left, top = (round((side - 224) / 2) for side in image.size)
        return image.crop((left, top, left + 224, top + 224))
    pictures = [np.asarray(centre(Image.open(f"{data}/images/imagenet_{part}/{row[0]}").convert("RGB"))) for row in rows]
    return pictures, np.array([int(row[1]) for row in rows])

def cifar10(part):
    rows = np.frombuffer(open(f"{data}/images/cifar10_{part}.bin", "rb").read(), np.uint8).reshape(-1, 3073)[:count]
    return list(rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), rows[:, 0]

def mnist(part):
    read = lambda kind, offset: np.fromfile(f"{data}/images/mnist_{part}-{kind}-ubyte", np.uint8, offset=offset)
    return list(read("images-idx3", 16).reshape(-1, 28, 28, 1)[:count]), read("labels-idx1", 8)[:count]

IMAGENET = [123.675, 116.28, 103.53], [1 / 58.395, 1 / 57.12, 1 / 57.375]
# File, pictures, input, output, mean and scale in the order of the network's channels.
NETWORKS = {
    "mobilenet_v2": ("mobilenet_v2_imagenet", imagenet, "input", "output", *IMAGENET),
    "resnet20": ("resnet20_cifar10", cifar10, "input", "output", *IMAGENET),
    "mnist": ("mnist-8", mnist, "Input3", "Plus214_Output_0", [0.0], [1.0]),
}

def yuv444(rgb):
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]]

def nv12(yuv):
    """Planes; each pair of chroma is the mean of its four."""
    h, w, _ = yuv.shape
    return yuv[..., :1], np.rint(yuv[..., 1:].reshape(h // 2, 2, w // 2, 2, 2).mean((1, 3))).astype(np.uint8)

def video(rgb):
    h, w, _ = rgb.shape
    planes = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420).reshape(-1)
    return planes[:h * w].reshape(h, w, 1), planes[h * w:].reshape(2, h // 2, w // 2).transpose(1, 2, 0)

def camera(rgb, train, rt, space):
    """What the .hbm is given, by the ending of the input's name, and the same pixels as the network was trained with."""
    red_first = {"rgb": lambda image: image, "bgr": lambda image: image[..., ::-1]}
    if rt == "gray":
        return {"": rgb}, rgb
    if rt in red_first:
        return {"": red_first[rt](rgb)}, red_first[train](rgb)
    if space == "bt601_video":
        y, uv = video(rgb)
        whole = np.concatenate([y.reshape(-1), uv.reshape(-1)]).reshape(rgb.shape[0] * 3 // 2, rgb.shape[1])
        return {"_y": y, "_uv": uv}, red_first[train](cv2.cvtColor(whole, cv2.COLOR_YUV2RGB_NV12))
    image = yuv444(rgb)
    around_zero = image.astype(np.int16) - 128
    given = {"": around_zero.astype(np.int8) if rt == "yuv444_128" else image}
    if train == "yuv444_128":
        return given, around_zero
    if rt == "nv12":
        y, uv = nv12(image)
        given, image = {"_y": y, "_uv": uv}, np.concatenate([y, uv.repeat(2, 0).repeat(2, 1)], 2)
    return given, image if train == "yuv444" else red_first[train](cv2.cvtColor(image[..., [0, 2, 1]].copy(), cv2.COLOR_YCrCb2RGB))

CONFIG = """model_parameters: {{onnx_model: '{model}', march: nash-e, working_dir: './out', output_model_file_prefix: net{removed}}}
input_parameters: {{input_name: '{input}', input_type_train: {train}, input_type_rt: {rt}, input_space_and_range: {space}, input_layout_train: NCHW,
  input_shape: '{shape}', norm_type: {norm}, mean_value: {mean}, scale_value: {scale}}}
calibration_parameters: {{cal_data_dir: './calib'}}
"""

def network_file(name, home, train):
    """The network, or for bgr one whose first weights have their channels turned round."""
    path = f"{data}/onnx/{name}.onnx"
    if train != "bgr":
        return path
    import onnx, onnx.numpy_helper
    model = onnx.load(path)
    convolution = next(node for node in model.graph.node if node.op_type == "Conv")
    weight = next(weight for weight in model.graph.initializer if weight.name == convolution.input[1])
    weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight)[:, ::-1].copy(), weight.name))
    onnx.save(model, f"{home}/bgr.onnx")
    return f"{home}/bgr.onnx"

def evaluate(case):
    key, train, rt, space = (case.split(":") + ["regular"])[:4]
    name, pictures, input, output, mean, scale = NETWORKS[key]
    home = f"{folder}/{case.replace(':', '_')}"
    subprocess.run(["rm", "-rf", home], check=True)
    os.makedirs(home)
    if train == "bgr":
        mean, scale = mean[::-1], scale[::-1]
    if train == "yuv444_128":
        mean = [number - 128 for number in mean]
    floats, given_integers, given_normalized = rt == "featuremap", space == "int8", space in ("no_preprocess", "int8")
    # Floats are the pixels of an image of rgb.
    camera_train, camera_rt = ("rgb", "rgb") if floats else (train, rt)
    def prepared(image):
        values = (image.astype(np.float64) - mean) * scale
        return values.astype(np.float32).transpose(2, 0, 1)[None]
    def save(part, index, array):
        os.makedirs(f"{home}/{part}", exist_ok=True)
        np.save(f"{home}/{part}/{index:05d}.npy", array)
    for index, rgb in enumerate(pictures("calib")[0]):
        save("calib", index, prepared(camera(rgb, camera_train, camera_rt, space)[1]))
    images, labels = pictures("eval")
    references, endings = [], []
    for index, rgb in enumerate(images):
        given, image = camera(rgb, camera_train, camera_rt, space)
        references.append(prepared(image))
        pixels = image.astype(np.float32).transpose(2, 0, 1)[None]
        given = {"": references[-1] if given_normalized else pixels} if floats else {ending: plane[None] for ending, plane in given.items()}
        given = {ending: np.ascontiguousarray(plane) for ending, plane in given.items()}
        endings = list(given)
        for ending, plane in given.items():
            save(f"eval{ending}", index, plane)
    model, words = network_file(name, home, train), lambda numbers: "None" if given_normalized else " ".join(map(str, numbers))
    text = CONFIG.format(model=model, input=input, train=train, rt=rt, space="regular" if given_normalized else space,
                         shape="x".join(map(str, references[0].shape)), norm="no_preprocess" if given_normalized else "data_mean_and_scale",
                         mean=words(mean), scale=words(scale), removed=", remove_node_type: Quantize" if given_integers else "")
    open(f"{home}/config.yaml", "w").write(text)
    subprocess.run([f"{tools}/hb_compile", "-c", "config.yaml"], cwd=home, check=True, stderr=open(f"{home}/log", "w"))
    information = subprocess.run([f"{tools}/hb_model_info", "out/net.hbm", "--json"], cwd=home, check=True, stdout=subprocess.PIPE)
    information = json.loads(information.stdout)
    if given_integers:
        quantization = information["inputs"][0]["quantization"]
        for index, reference in enumerate(references):
            integers = np.rint(reference / quantization["scales"][0]) + quantization["zero_points"][0]
            save("eval", index, np.clip(integers, -128, 127).astype(np.int8))
    inputs = [word for ending in endings for word in ("--input", f"{input}{ending}=eval{ending}")]
    subprocess.run([f"{tools}/hb_sim", "infer", "out/net.hbm", *inputs, "--output-dir", "r"], cwd=home, check=True, stdout=subprocess.DEVNULL)
    found = np.load(f"{home}/r/{output}.npy").reshape(len(images), -1)
    runtime = onnxruntime.InferenceSession(model)
    expected = np.stack([runtime.run([output], {input: image})[0].reshape(-1) for image in references])
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    cosine = (found * expected).sum(1) / norms
    top1 = [100 * (values.argmax(1) == labels).mean() for values in (expected, found)]
    perf = subprocess.run([f"{tools}/hb_sim", "perf", "out/net.hbm", "--json"], cwd=home, check=True, stdout=subprocess.PIPE)
    segments = len(information["segments"])
    latency = json.loads(perf.stdout)["summary"]["performance"]["latency (us)"]
    print(f"{case}: top-1 float {top1[0]:.1f} %, .hbm {top1[1]:.1f} %; cosine mean {cosine.mean():.5f}, min {cosine.min():.5f}; "
          f"{segments} segments, {latency:.1f} us", flush=True)
    latencies[case] = latency
    return abs(top1[0] - top1[1]) <= 1.5 and cosine.mean() >= 0.99 and segments == 1

latencies = {}
failed = [case for case in chosen(options.patterns) if not evaluate(case)]
for case, latency in latencies.items():
    key, _, rt = case.split(":")[:3]
    integers = latencies.get(f"{key}:featuremap:featuremap:int8")
    if rt == "nv12" and integers:
        print(f"{case}: {latency / integers:.3f} of the latency with int8")
        if latency > 1.03 * integers:
            failed.append(f"{case} (latency)")
sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
