"""What a user of a network sees of its quantization: lines of text, boxes, classes and probabilities, of the float network and of the .hbm.

    evaluate_tasks.py TOOLS SHARED_DATA FOLDER [all|TASK[=CALIBRATION]...]

Compiles networks of ../shared/data with their calibration data, with that calibration_type (default where none is given), and prints beside
the task's own figure the cosine of the outputs, the share of nodes and of products in int16, segments, predicted latency and seconds of hb_compile.
Products are those of convolutions and of matrices; a layer with weights of 16 bits is two layers, of which the second is counted apart. Tasks:

  text        en_PP-OCRv4_rec: exact lines and character error rate (CER) over 75 lines
  text-boxes  en_PP-OCRv3_det: boxes of text that the .hbm finds as the float network does (intersection over union of at least 0.5)
  persons     yolox_tiny_person: AP50 over 64 pictures
  files       magika_standard_v3_3: top-1 over 286 files
  voice       silero_vad_16k_sequence: probabilities of speech over 32 s
  voice-step  silero_vad_16k_op15: the same, window by window, each with the state that the float network gave before
  pictures    mobilenet_v2_imagenet: top-1 over 200 pictures
  cifar       resnet20_cifar10: top-1 over 1,000 pictures
  digits      mnist-8: top-1 over 500 digits
  faces       version-RFB-320: cosines only

A CALIBRATION may end in :TARGET, the accuracy_target; `default:0` is int8 only. `all` in the place of tasks is the table of every task with max, kl,
default, mix, default:0 and mix:0.

Needs numpy, pillow, onnx, opencv and onnxruntime.
"""
import csv, glob, json, os, subprocess, sys, time, wave
import cv2, numpy as np, onnx, onnxruntime
from PIL import Image

from labelled_images import IMAGENET, cifar10, faces, imagenet, mnist
from running import in_hb_sim

if len(sys.argv) < 4:
    sys.exit(__doc__)
onnxruntime.set_default_logger_severity(3)
tools, data, folder = (os.path.abspath(path) for path in sys.argv[1:4])

CONFIG = """model_parameters: {{onnx_model: '{model}', march: nash-e, working_dir: './out', output_model_file_prefix: net}}
input_parameters: {{input_name: '{names}', input_type_train: '{types}', input_type_rt: '{types}', input_shape: '{shapes}', norm_type: '{norms}'}}
calibration_parameters: {{cal_data_dir: '{folders}', {calibration}}}
compiler_parameters: {{jobs: 2}}
"""

def planes(pixels, mean, deviation):
    """Pixels [H, W, 3] as float32 [1, 3, H, W]."""
    return np.ascontiguousarray(((pixels.astype(np.float32) - mean) / deviation).astype(np.float32).transpose(2, 0, 1)[None])

def lines():
    rows = list(csv.reader(open(f"{data}/images/ocr_lines/labels.tsv", encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE))
    return [(f"{data}/images/ocr_lines/{row[0]}", row[1]) for row in rows]

def text_samples():
    """Height 48, aspect kept, width 320 with zeros at the right."""
    samples = []
    for path, _ in lines():
        image = cv2.imread(path)
        width = min(320, int(np.ceil(48 * image.shape[1] / image.shape[0])))
        sample = np.zeros((1, 3, 48, 320), np.float32)
        sample[..., :width] = planes(cv2.resize(image, (width, 48)), 127.5, 127.5)
        samples.append([sample])
    return samples[:30], samples[30:]

def distance(one, other):
    """Of Levenshtein."""
    row = list(range(len(other) + 1))
    for index, letter in enumerate(one, 1):
        before, row[0] = row[0], index
        for place, its in enumerate(other, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (letter != its))
    return row[-1]

def judge_text(outputs, _):
    letters = [""] + [line.rstrip("\n") for line in open(f"{data}/images/ocr_lines/en_dict.txt", encoding="utf-8")] + [" "]
    labels, exact, errors = [label for _, label in lines()][30:], 0, 0
    for (probabilities,), label in zip(outputs, labels):
        best = probabilities[0].argmax(1)
        read = "".join(letters[now] for now, before in zip(best, [0, *best[:-1]]) if now != before)
        exact += read == label
        errors += distance(read, label)
    return f"exact {100 * exact / len(labels):.2f} %, CER {100 * errors / sum(map(len, labels)):.2f} %"

def text_box_samples():
    """White pages of 128x320 with a line each."""
    samples = []
    for path, _ in lines():
        page, image = Image.new("RGB", (320, 128), (255, 255, 255)), Image.open(path).convert("RGB")
        image.thumbnail((320, 128))
        page.paste(image, (0, (128 - image.height) // 2))
        samples.append([planes(np.asarray(page)[..., ::-1], IMAGENET[0], IMAGENET[1])])
    return samples[:40], samples[40:]

def text_boxes(probabilities):
    count, _, stats, _ = cv2.connectedComponentsWithStats((probabilities[0, 0] > 0.3).astype(np.uint8))
    return [(x, y, x + w, y + h) for x, y, w, h, area in stats[1:count] if area >= 16]

def overlap(one, other):
    width, height = (max(0, min(one[2 + axis], other[2 + axis]) - max(one[axis], other[axis])) for axis in (0, 1))
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    return width * height / max(1e-9, area(one) + area(other) - width * height)

def judge_text_boxes(outputs, reference):
    found = expected = alike = 0
    for (mine,), (other,) in zip(outputs, reference):
        mine, other = text_boxes(mine), text_boxes(other)
        free = list(mine)
        for box in other:
            best = max(free, key=lambda candidate: overlap(candidate, box), default=None)
            if best is not None and overlap(best, box) >= 0.5:
                free.remove(best)
                alike += 1
        found, expected = found + len(mine), expected + len(other)
    return f"{alike} of the float network's {expected} boxes, {found - alike} others"

def persons(part):
    return sorted(glob.glob(f"{data}/images/coco_{part}/*.jpg"))

def letterbox(path):
    image = cv2.imread(path)
    ratio = min(416 / image.shape[0], 416 / image.shape[1])
    resized = cv2.resize(image, (int(image.shape[1] * ratio), int(image.shape[0] * ratio)))
    page = np.full((416, 416, 3), 114, np.uint8)
    page[:resized.shape[0], :resized.shape[1]] = resized
    return page.astype(np.float32).transpose(2, 0, 1)[None], ratio

def person_samples():
    return tuple([[letterbox(path)[0]] for path in persons(part)] for part in ("calib", "eval"))

def judge_persons(outputs, _):
    hits, total = [], 0
    for (found, _), path in zip(outputs, persons("eval")):
        ratio = letterbox(path)[1]
        height, width = cv2.imread(path).shape[:2]
        truth = np.loadtxt(path.replace(".jpg", ".txt"), ndmin=2)
        truth = [(cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2) for kind, cx, cy, w, h in truth if kind == 0]
        truth = [(a * width, b * height, c * width, d * height) for a, b, c, d in truth]
        total += len(truth)
        for *box, score in sorted(found.reshape(-1, 5).tolist(), key=lambda row: -row[4]):
            box = [side / ratio for side in box]
            best = max(truth, key=lambda other: overlap(box, other), default=None)
            hit = best is not None and overlap(box, best) >= 0.5
            if hit:
                truth.remove(best)
            hits.append((score, hit))
    hits = np.array([hit for _, hit in sorted(hits, key=lambda pair: -pair[0])], float)
    precision, recall = hits.cumsum() / np.arange(1, len(hits) + 1), hits.cumsum() / max(1, total)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return f"AP50 {(np.diff(recall, prepend=0) * envelope).sum():.4f}"

def file_samples():
    rows = np.fromfile(f"{data}/images/magika_bytes_u16_2048.bin", "<u2").reshape(-1, 1, 2048).astype(np.int32)
    return [[row] for row in rows[::4]][:50], [[row] for index, row in enumerate(rows) if index % 4 or index >= 200]

def judge_files(outputs, _):
    labels = [int(line.split("\t")[0]) for line in open(f"{data}/images/magika_labels.tsv")]
    labels = [label for index, label in enumerate(labels) if index % 4 or index >= 200]
    right = sum(int(scores[0].argmax() == label) for (scores,), label in zip(outputs, labels))
    return f"top-1 {100 * right / len(labels):.2f} %"

def voice_samples():
    """Windows of 576 samples that begin 512 apart, 64 to a run; the state begins at zero with each."""
    with wave.open(f"{data}/images/audio/speech_16k.wav") as file:
        signal = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
    signal = np.concatenate([np.zeros(64, np.float32), signal])
    windows = np.stack([signal[start:start + 576] for start in range(0, len(signal) - 576, 512)])
    runs = [windows[start:start + 64] for start in range(0, len(windows) - 63, 64)]
    state = np.zeros((1, 1, 128), np.float32)
    samples = [[run, state, state] for run in runs]
    return samples[::2], samples[1::2]

def judge_voice(outputs, reference):
    mine, other = (np.concatenate([row[0].reshape(-1) for row in rows]) for rows in (outputs, reference))
    return f"largest difference {np.abs(mine - other).max():.4f}, {((mine > 0.5) != (other > 0.5)).sum()} of {len(mine)} decisions differ"

def voice_step_samples():
    """Windows of 576 samples that begin 512 apart; each has the state that the float network gives after the one before."""
    with wave.open(f"{data}/images/audio/speech_16k.wav") as file:
        signal = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
    signal = np.concatenate([np.zeros(64, np.float32), signal])
    runtime = onnxruntime.InferenceSession(f"{data}/onnx/silero_vad_16k_op15.onnx")
    state, rate, samples = np.zeros((2, 1, 128), np.float32), np.array(16000, np.int64), []
    for start in range(0, len(signal) - 576, 512):
        samples.append([signal[None, start:start + 576], state, rate])
        state = runtime.run(["stateN"], dict(zip(("input", "state", "sr"), samples[-1])))[0]
    return samples[::20], [sample for index, sample in enumerate(samples) if index % 20]

def pictures(images):
    """What makes the samples of labelled images."""
    return lambda: tuple([[sample.astype(np.float32)] for sample in images(data, part)[0]] for part in ("calib", "eval"))

def judge_classes(images):
    def judge(outputs, _):
        labels = images(data, "eval")[1]
        return f"top-1 {100 * np.mean([row[0].argmax() == label for row, label in zip(outputs, labels)]):.2f} %"
    return judge

# Network, samples to calibrate and to judge, judge, outputs.
TASKS = {
    "text": ("en_PP-OCRv4_rec", text_samples, judge_text, ["softmax_2.tmp_0"]),
    "text-boxes": ("en_PP-OCRv3_det", text_box_samples, judge_text_boxes, ["sigmoid_0.tmp_0"]),
    "persons": ("yolox_tiny_person", person_samples, judge_persons, ["dets", "labels"]),
    "files": ("magika_standard_v3_3", file_samples, judge_files, ["target_label"]),
    "voice": ("silero_vad_16k_sequence", voice_samples, judge_voice, ["speech_probs", "hn", "cn"]),
    "voice-step": ("silero_vad_16k_op15", voice_step_samples, judge_voice, ["output", "stateN"]),
    "pictures": ("mobilenet_v2_imagenet", pictures(imagenet), judge_classes(imagenet), ["output"]),
    "cifar": ("resnet20_cifar10", pictures(cifar10), judge_classes(cifar10), ["output"]),
    "digits": ("mnist-8", pictures(mnist), judge_classes(mnist), ["Plus214_Output_0"]),
    "faces": ("version-RFB-320", pictures(faces), lambda *_: "no labels", ["scores", "boxes"]),
}
CALIBRATIONS = ["max", "kl", "default", "mix", "default:0", "mix:0"]

def run_hbm(home, names, samples, outputs, reference):
    """In one run, or sample by sample where outputs have other sizes in each."""
    shapes = [{tuple(row[place].shape) for row in reference} for place in range(len(outputs))]
    if all(len(found) == 1 for found in shapes):
        inputs = [f"--input={name}={home}/eval_{name}" for name in names]
        found = in_hb_sim(tools, home, f"{home}/out/net.hbm", *inputs)
        columns = [found[output.replace("/", "_")].reshape(len(samples), *shape.pop()) for output, shape in zip(outputs, shapes)]
        return [list(row) for row in zip(*columns)]
    results = []
    for index in range(len(samples)):
        inputs = [f"--input={name}={home}/eval_{name}/{index:05d}.npy" for name in names]
        found = in_hb_sim(tools, home, f"{home}/out/net.hbm", *inputs)
        results.append([found[output.replace("/", "_")] for output in outputs])
    return results

def products(path):
    """Of a network in QDQ form: products of layers, of those that read int16, and of second parts of weights."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(path)).graph
    shapes = {value.name: [size.dim_value for size in value.type.tensor_type.shape.dim] for value in [*graph.value_info, *graph.input, *graph.output]}
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    def is_wide(name):
        node = makers.get(name)
        return node is not None and node.op_type == "DequantizeLinear" and len(node.input) > 2 and types.get(node.input[2]) == onnx.TensorProto.INT16
    every = wide = second = 0
    for node in graph.node:
        if node.op_type not in ("Conv", "ConvTranspose", "MatMul", "Gemm"):
            continue
        result, weights = int(np.prod(shapes[node.output[0]])), shapes[node.input[1]]
        transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        if node.op_type == "ConvTranspose":
            count = int(np.prod(shapes[node.input[0]])) * int(np.prod(weights[1:]))
        else:
            count = result * (int(np.prod(weights[1:])) if node.op_type == "Conv" else weights[-1 if transposed else -2])
        if node.name.endswith("/low"):
            second += count
            continue
        every += count
        wide += count * any(is_wide(name) for name in node.input[:2])
    return every, wide, second

def settings(calibration):
    """The lines of the configuration for a word of the command line."""
    kind, _, target = calibration.partition(":")
    return f"calibration_type: {kind}" + (f", accuracy_target: {target}" if target else "")

def evaluate(task, calibration):
    network, make, judge, outputs = TASKS[task]
    home, model = f"{folder}/{task}-{calibration.replace(':', '-')}", f"{data}/onnx/{network}.onnx"
    subprocess.run(["rm", "-rf", home], check=True)
    calib, samples = make()
    runtime = onnxruntime.InferenceSession(model)
    names = [entry.name for entry in runtime.get_inputs()]
    for part, rows in (("calib", calib), ("eval", samples)):
        for place, name in enumerate(names):
            os.makedirs(f"{home}/{part}_{name}")
            for index, row in enumerate(rows):
                np.save(f"{home}/{part}_{name}/{index:05d}.npy", row[place])
    several = lambda words: ";".join(words)
    text = CONFIG.format(model=model, names=several(names), types=several(["featuremap"] * len(names)), norms=several(["no_preprocess"] * len(names)),
                         shapes=several("x".join(map(str, array.shape)) or "None" for array in samples[0]), folders=several(f"./calib_{name}" for name in names),
                         calibration=settings(calibration))
    open(f"{home}/config.yaml", "w").write(text)
    begin = time.perf_counter()
    subprocess.run([f"{tools}/hb_compile", "-c", "config.yaml"], cwd=home, check=True, stderr=open(f"{home}/log", "w"))
    seconds = time.perf_counter() - begin
    reference = [runtime.run(outputs, dict(zip(names, sample))) for sample in samples]
    found = run_hbm(home, names, samples, outputs, reference)
    def cosine(place):
        pairs = [(one[place].reshape(-1).astype(np.float64), two[place].reshape(-1).astype(np.float64)) for one, two in zip(found, reference)]
        each = [one @ two / max(1e-30, np.linalg.norm(one) * np.linalg.norm(two)) for one, two in pairs if one.shape == two.shape]
        return f"{outputs[place]} mean {np.mean(each):.5f} least {np.min(each):.5f}" if each else f"{outputs[place]}: other sizes"
    perf = json.loads(subprocess.run([f"{tools}/hb_sim", "perf", "out/net.hbm", "--json"], cwd=home, check=True, stdout=subprocess.PIPE).stdout)
    information = json.loads(subprocess.run([f"{tools}/hb_model_info", "out/net.hbm", "--json"], cwd=home, check=True, stdout=subprocess.PIPE).stdout)
    rows = list(csv.DictReader(open(f"{home}/out/net_node_info.csv")))
    wide = sum("int16" in ",".join(filter(None, row.values())) for row in rows)
    print(f"{task} ({network}), {calibration}: float {judge(reference, reference)}; .hbm {judge(found, reference)}")
    print(f"  cosine {'; '.join(cosine(place) for place in range(len(outputs)))}")
    every, wide_products, second = products(f"{home}/out/net_ptq_model.onnx")
    print(f"  {wide} of {len(rows)} nodes and {100 * wide_products / every:.1f} % of the products int16, second parts of weights "
          f"{100 * second / every:.1f} %, {len(information['segments'])} segments, "
          f"{perf['summary']['performance']['latency (us)']:.1f} us, hb_compile {seconds:.1f} s", flush=True)

chosen_tasks = sys.argv[4:] or TASKS
if chosen_tasks == ["all"]:
    chosen_tasks = [f"{task}={calibration}" for task in TASKS for calibration in CALIBRATIONS]
for chosen in chosen_tasks:
    task, _, calibration = chosen.partition("=")
    if task not in TASKS:
        sys.exit(f"no task is called '{task}'; there are {', '.join(TASKS)}")
    evaluate(task, calibration or "default")
