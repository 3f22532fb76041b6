"""What the scheduler makes of networks, level by level and mode by mode.

    schedules.py TOOLS DATA FOLDER [NAMES...] [--levels O0,O1,O2] [--modes latency,bandwidth,balance:50]

TOOLS is the folder of hb_compile and hb_sim, DATA has onnx/ and caffe/, results lie in FOLDER. Compiles every network of DATA, ResNet-50, a
stem of eight convolutions at 1080p and a nested U-net of seven levels (both made here, with random weights), with calibration `skip`, and
prints predicted latency, its ratio to the larger bound plus the start of a run, DDR bytes over the compulsory ones, groups, instructions, the BPU's segments, and the seconds
of hb_compile. Exit status 1 where a level is slower than the one before. Needs numpy and onnx.
"""
import argparse, json, os, subprocess, sys, time
import numpy as np, onnx
from onnx import helper

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "bench")]
import make_resnet50, published_latencies

START_US = 50
# Sizes for open dimensions, and for detectors the size that they are deployed at.
SHAPES = {"en_PP-OCRv3_det": "1x3x640x640", "en_PP-OCRv4_rec": "1x3x48x320", "magika_standard_v3_3": "1x2048",
          "silero_vad_16k_sequence": "64x576;1x1x128;1x1x128", "silero_vad_16k_op15": "1x576;2x1x128;None", "retinaface_mb025": "1x3x640x640"}

class Network(published_latencies.Network):
    """One with another input, of 3x3 convolutions without bias, and several outputs."""

    def __init__(self, name, shape):
        super().__init__(name)
        self.input, self.shapes, self.random = shape, {"x": shape}, np.random.default_rng(5)

    def convolution(self, x, filters, stride=1):
        """3x3 with a Relu."""
        channels, rows, columns = self.shapes[x]
        w = self.random.normal(0, (2 / (9 * channels)) ** 0.5, (filters, channels, 3, 3)).astype(np.float32)
        shape = [filters, -(-rows // stride), -(-columns // stride)]
        return self.node("Relu", [self.node("Conv", [x, self.constant(w)], shape, strides=[stride] * 2, pads=[1] * 4)], shape)

    def save(self, path, outputs):
        values = [helper.make_tensor_value_info(y, onnx.TensorProto.FLOAT, [1, *self.shapes[y]]) for y in outputs]
        graph = helper.make_graph(self.nodes, self.name, [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, *self.input])], values, self.weights)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)

def stem(path):
    """Eight convolutions of 32 to 128 channels on 1080 rows."""
    net = Network("stem_1080p", [3, 1080, 1920])
    y = net.convolution("x", 32, 2)
    for filters, stride in [(32, 1), (64, 2), (64, 1), (64, 1), (128, 2), (128, 1), (128, 1)]:
        y = net.convolution(y, filters, stride)
    net.save(path, [y])

def nested_unet(path):
    """Seven levels down and up, the features of every level joined, an output at every level."""
    net = Network("nested_unet", [3, 320, 320])
    y, downs, outputs = "x", [], []
    for level in range(7):
        y = net.convolution(y, min(16 << level, 128))
        downs.append(y)
        if level < 6:
            channels, rows, columns = net.shapes[y]
            y = net.node("MaxPool", [y], [channels, -(-rows // 2), -(-columns // 2)], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    outputs.append(net.convolution(y, 1))
    for level in reversed(range(6)):
        channels, (_, rows, columns) = net.shapes[y][0], net.shapes[downs[level]]
        sizes = net.constant(np.array([1, channels, rows, columns], np.int64))
        y = net.node("Resize", [y, "", "", sizes], [channels, rows, columns], mode="linear", coordinate_transformation_mode="half_pixel")
        y = net.node("Concat", [y, downs[level]], [channels + net.shapes[downs[level]][0], rows, columns], axis=1)
        y = net.convolution(y, net.shapes[downs[level]][0])
        outputs.append(net.convolution(y, 1))
    net.save(path, outputs)

def inputs_of(path):
    graph = onnx.load(path, load_external_data=False).graph
    constant = {tensor.name for tensor in graph.initializer}
    return [value.name for value in graph.input if value.name not in constant]

def networks(data, folder):
    """Name, its line of a configuration, and the names of its inputs where there are several."""
    for name in sorted(os.listdir(f"{data}/onnx")):
        if name.endswith(".onnx"):
            yield name[:-5], f"onnx_model: '{data}/onnx/{name}'", inputs_of(f"{data}/onnx/{name}")
    for name in sorted(os.listdir(f"{data}/caffe")):
        if name.endswith(".caffemodel"):
            base = f"{data}/caffe/{name[:-11]}"
            yield "caffe_" + name[:-11], f"caffe_model: '{base}.caffemodel', prototxt: '{base}.prototxt'", []
    for name, make in (("resnet50", lambda path: onnx.save(make_resnet50.resnet50(), path)), ("stem_1080p", stem), ("nested_unet", nested_unet)):
        path = f"{folder}/{name}.onnx"
        if not os.path.exists(path):
            make(path)
        yield name, f"onnx_model: '{path}'", []

def configuration(model, shape, level, mode, inputs):
    mode, _, factor = mode.partition(":")
    mode = f"compile_mode: {mode}" + (f", balance_factor: {factor}" if factor else "")
    each = lambda word: "'" + ";".join([word] * max(1, len(inputs))) + "'"
    names = f"input_name: '{';'.join(inputs)}', " if len(inputs) > 1 else ""
    shape = f"input_shape: '{shape}', " if shape else ""
    return (f"model_parameters: {{{model}, march: nash-e, working_dir: out, output_model_file_prefix: net}}\n"
            f"input_parameters: {{{names}{shape}input_type_rt: {each('featuremap')}, input_type_train: {each('featuremap')}, input_layout_train: {each('NCHW')}, "
            f"norm_type: {each('no_preprocess')}}}\ncalibration_parameters: {{calibration_type: skip}}\n"
            f"compiler_parameters: {{optimize_level: {level}, {mode}}}\n")

def measured(tools, folder, text):
    with open(f"{folder}/config.yaml", "w") as file:
        file.write(text)
    begin = time.perf_counter()
    run = subprocess.run([f"{tools}/hb_compile", "-c", "config.yaml"], cwd=folder, capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    if run.returncode:
        return (run.stdout + run.stderr).strip().splitlines()[-1]
    report = json.loads(subprocess.run([f"{tools}/hb_sim", "perf", f"{folder}/out/net.hbm", "--json"], check=True, capture_output=True).stdout)
    return report["summary"], len(report["groups"]), seconds

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tools"), parser.add_argument("data"), parser.add_argument("folder"), parser.add_argument("names", nargs="*")
    parser.add_argument("--levels", default="O0,O1,O2"), parser.add_argument("--modes", default="latency")
    given = parser.parse_args()
    tools, data, folder, failed = os.path.abspath(given.tools), os.path.abspath(given.data), os.path.abspath(given.folder), False
    os.makedirs(folder, exist_ok=True)
    print(f"{'network':26} {'level':5} {'mode':12} {'us':>9} {'/bound':>7} {'CPU us':>8} {'DDR':>6} {'groups':>6} {'instr.':>7} {'segm.':>5} {'s':>6}", flush=True)
    for name, model, inputs in networks(data, folder):
        if given.names and name not in given.names:
            continue
        home, before = f"{folder}/{name}", None
        os.makedirs(home, exist_ok=True)
        for level in given.levels.split(","):
            for mode in given.modes.split(","):
                shape = SHAPES.get(name.removeprefix("caffe_"), "")
                found = measured(tools, home, configuration(model, shape, level, mode, inputs))
                if isinstance(found, str):
                    print(f"{name:26} {level:5} {mode:12} {found}", flush=True)
                    continue
                summary, groups, seconds = found
                performance, bounds, ddr = summary["performance"], summary["bounds"], summary["DDR access data"]
                bpu = performance["BPU (us)"]
                bound = max(bounds["compute bound (us)"], bounds["DDR bound (us)"]) + START_US
                moved = ddr["loaded bytes per run"] + ddr["stored bytes per run"]
                instructions = sum(engine["instructions"] for engine in summary["engine time"])
                segments = len(performance["latency (us) by segments"])
                print(f"{name:26} {level:5} {mode:12} {performance['latency (us)']:9.1f} {bpu / bound:7.3f} {performance['CPU (us)']:8.1f} "
                      f"{moved / max(1, bounds['compulsory DDR bytes']):6.2f} {groups:6} {instructions:7} {segments:5} {seconds:6.2f}", flush=True)
                if mode == "latency":
                    failed |= before is not None and bpu > before
                    before = bpu
    sys.exit(failed)

if __name__ == "__main__":
    main()
