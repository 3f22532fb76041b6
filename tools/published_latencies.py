"""Predicted latencies beside those that the vendor published for nash-e with images in NV12.

    published_latencies.py HB_COMPILE FOLDER [--level O2] [--set NAME=NUMBER]...

Makes MobileNetV2, MobileNetV3-Large and ResNet152 with random weights in FOLDER, checks their counts of convolution operations, compiles
each with NV12 inputs, and prints predicted beside published. With --set, `hb_sim perf` times the same programs with other numbers of
the target: that is how targets/*.yaml were fitted. Exit status 1 where a prediction is more than 15 % off. Needs numpy and onnx.
"""
import argparse, json, os, subprocess, sys
import numpy as np, onnx
from onnx import helper, numpy_helper

# Microseconds, and twice the multiply-accumulates of convolutions.
PUBLISHED = {"mobilenet_v2": (201.3, 601548544), "mobilenet_v3_large": (382.1, 433179520), "resnet152": (2230.0, 22564831232)}
TOLERANCE = 0.15

class Network:
    def __init__(self, name):
        self.name, self.nodes, self.weights, self.operations = name, [], [], 0
        self.shapes = {"x": [3, 224, 224]}
        self.random = np.random.default_rng(7)

    def node(self, op, inputs, shape, **attributes):
        y = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [y], y, **attributes))
        self.shapes[y] = shape
        return y

    def constant(self, array):
        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def convolution(self, x, filters, kernel=1, stride=1, group=1):
        channels, rows, columns = self.shapes[x]
        depth = channels // group
        w = self.random.normal(0, (2 / (depth * kernel * kernel)) ** 0.5, (filters, depth, kernel, kernel)).astype(np.float32)
        b = self.random.normal(0, 0.01, filters).astype(np.float32)
        shape = [filters, -(-rows // stride), -(-columns // stride)]
        self.operations += 2 * int(np.prod(shape)) * depth * kernel * kernel
        return self.node("Conv", [x, self.constant(w), self.constant(b)], shape, kernel_shape=[kernel] * 2, strides=[stride] * 2,
                         pads=[kernel // 2] * 4, group=group)

    def relu(self, x):
        return self.node("Relu", [x], self.shapes[x])

    def relu6(self, x):
        limits = [self.constant(np.array(limit, np.float32)) for limit in (0, 6)]
        return self.node("Clip", [x, *limits], self.shapes[x])

    def hard_swish(self, x):
        return self.node("HardSwish", [x], self.shapes[x])

    def add(self, a, b):
        return self.node("Add", [a, b], self.shapes[a])

    def pool(self, x):
        return self.node("GlobalAveragePool", [x], [self.shapes[x][0], 1, 1])

    def squeeze_excite(self, x, squeezed):
        y = self.relu(self.convolution(self.pool(x), squeezed))
        y = self.convolution(y, self.shapes[x][0])
        y = self.node("HardSigmoid", [y], self.shapes[y], alpha=1 / 6, beta=0.5)
        return self.node("Mul", [x, y], self.shapes[x])

    def model(self, y):
        rows, columns = self.shapes[y][1:]
        assert rows == columns == 1
        y = self.node("Flatten", [y], [self.shapes[y][0]])
        graph = helper.make_graph(
            self.nodes, self.name, [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 3, 224, 224])],
            [helper.make_tensor_value_info(y, onnx.TensorProto.FLOAT, [1, *self.shapes[y]])], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)

def divisible(value, by=8):
    rounded = max(by, int(value + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * value else rounded

def mobilenet_v2():
    net = Network("mobilenet_v2")
    x = net.relu6(net.convolution("x", 32, 3, 2))
    for expansion, filters, repeats, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for repeat in range(repeats):
            step, channels = stride if repeat == 0 else 1, net.shapes[x][0]
            y = net.relu6(net.convolution(x, channels * expansion)) if expansion > 1 else x
            y = net.relu6(net.convolution(y, channels * expansion, 3, step, channels * expansion))
            y = net.convolution(y, filters)
            x = net.add(x, y) if step == 1 and channels == filters else y
    x = net.pool(net.relu6(net.convolution(x, 1280)))
    return net, net.convolution(x, 1000)

def mobilenet_v3_large():
    net = Network("mobilenet_v3_large")
    x = net.hard_swish(net.convolution("x", 16, 3, 2))
    rows = [(3, 16, 16, 0, 0, 1), (3, 64, 24, 0, 0, 2), (3, 72, 24, 0, 0, 1), (5, 72, 40, 1, 0, 2), (5, 120, 40, 1, 0, 1), (5, 120, 40, 1, 0, 1),
            (3, 240, 80, 0, 1, 2), (3, 200, 80, 0, 1, 1), (3, 184, 80, 0, 1, 1), (3, 184, 80, 0, 1, 1), (3, 480, 112, 1, 1, 1),
            (3, 672, 112, 1, 1, 1), (5, 672, 160, 1, 1, 2), (5, 960, 160, 1, 1, 1), (5, 960, 160, 1, 1, 1)]
    for kernel, expanded, filters, squeezes, swish, stride in rows:
        act = net.hard_swish if swish else net.relu
        channels = net.shapes[x][0]
        y = act(net.convolution(x, expanded)) if expanded != channels else x
        y = act(net.convolution(y, expanded, kernel, stride, expanded))
        if squeezes:
            y = net.squeeze_excite(y, divisible(expanded / 4))
        y = net.convolution(y, filters)
        x = net.add(x, y) if stride == 1 and channels == filters else y
    x = net.pool(net.hard_swish(net.convolution(x, 960)))
    return net, net.convolution(net.hard_swish(net.convolution(x, 1280)), 1000)

def resnet152():
    net = Network("resnet152")
    x = net.relu(net.convolution("x", 64, 7, 2))
    x = net.node("MaxPool", [x], [64, 56, 56], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for stage, repeats in enumerate([3, 8, 36, 3]):
        width = 64 << stage
        for repeat in range(repeats):
            stride = 2 if repeat == 0 and stage > 0 else 1
            # The stride is in the first of the three, as in the first version of the network.
            y = net.relu(net.convolution(x, width, 1, stride))
            y = net.relu(net.convolution(y, width, 3))
            y = net.convolution(y, width * 4)
            short = net.convolution(x, width * 4, 1, stride) if repeat == 0 else x
            x = net.relu(net.add(short, y))
    return net, net.convolution(net.pool(x), 1000)

CONFIGURATION = """\
model_parameters: {{onnx_model: {name}.onnx, march: nash-e, working_dir: {name}, output_model_file_prefix: {name}}}
input_parameters: {{input_type_rt: {rt}, input_type_train: rgb, input_layout_train: NCHW, mean_value: 123.675 116.28 103.53, scale_value: 0.0171 0.0175 0.0174}}
calibration_parameters: {{calibration_type: skip}}
compiler_parameters: {{optimize_level: {level}}}
"""

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hb_compile"), parser.add_argument("folder"), parser.add_argument("--level", default="O2")
    parser.add_argument("--set", action="append", default=[]), parser.add_argument("--rt", default="nv12")
    given = parser.parse_args()
    compile_, failed = os.path.abspath(given.hb_compile), False
    os.makedirs(given.folder, exist_ok=True)
    for make in mobilenet_v2, mobilenet_v3_large, resnet152:
        net, y = make()
        published, operations = PUBLISHED[net.name]
        assert net.operations == operations, f"{net.name} has {net.operations} operations, not {operations}"
        hbm = f"{given.folder}/{net.name}/{net.name}.hbm"
        if not (given.set and os.path.exists(hbm)):
            onnx.save(net.model(y), f"{given.folder}/{net.name}.onnx")
            open(f"{given.folder}/{net.name}.yaml", "w").write(CONFIGURATION.format(name=net.name, level=given.level, rt=given.rt))
            subprocess.run([compile_, "-c", f"{net.name}.yaml"], cwd=given.folder, check=True, stdout=subprocess.DEVNULL)
        sim = [os.path.join(os.path.dirname(compile_), "hb_sim"), "perf", hbm, "--json"]
        out = subprocess.run(sim + [word for number in given.set for word in ("--set", number)], check=True, capture_output=True)
        performance = json.loads(out.stdout)["summary"]
        predicted = performance["performance"]["latency (us)"]
        off = predicted / published - 1
        failed |= abs(off) > TOLERANCE
        print(f"{net.name:20} predicted {predicted:8.1f} us, published {published:8.1f} us, {100 * off:+6.1f} %; "
              f"DDR bound {performance['bounds']['DDR bound (us)']:.1f} us, compute bound {performance['bounds']['compute bound (us)']:.1f} us")
    sys.exit(failed)

if __name__ == "__main__":
    main()
