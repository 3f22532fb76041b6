"""How fast hb is and how much memory it takes, beside onnxruntime in the same run on the same cores. `make bench` calls it.

    bench.py [TOOLS] [--data ../shared/data] [--rounds 5] [--samples 64] [--networks NAME,...] [--whole PATTERN] [--operators PATTERN]
             [--nodes 1000,10000] [--keep FOLDER]

Prints, for each network, medians of interleaved runs:

  float       hb_sim infer of the .onnx, per image, against onnxruntime on the same file
  simulator   hb_sim infer of the .hbm, per image, against onnxruntime on the QDQ model that quantize_static makes of the network with
              uint8 activations and int8 weights per channel, its fast path
  compile     the whole of hb_compile with 16 calibration samples, against quantize_static MinMax with the same samples (Python's
              imports not counted)

"alone": one image at a time with all cores. "together": as many images at a time as there are cores, time divided by images. Loading,
compiling and the start of processes are not counted per image. Memory is the largest resident set of the process; onnxruntime's has
Python and its libraries in it, whose share is printed first. Then, in float and alone, every ONNX network of --data
on the input of its reference, with the seconds from the file to code that is ready to run (import and emission), and networks of one operator
each (make_operators.py). At the end: from the file to the first float result of a transformer encoder of 1,185 nodes, with the emission of its
kernels; and time per node of hb_compile on chains and trees of many small nodes. Networks: those of --data (or $HB_DATA) that are there, the network of examples/digits, and a ResNet-50 with random weights.
Exit status 1 when something that was to be measured fails.
"""
import argparse
import fnmatch
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx

import make_operators
import make_small_nodes
import references

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CHILD = os.path.join(HERE, "onnxruntime_child.py")
CALIBRATION_SAMPLES = 16
# Single operators are short: more runs, and a goal that a share of them keeps.
OPERATOR_RUNS, OPERATOR_GOAL = 100, 1.5
WHOLE_RUNS, WHOLE_GOAL, WORST_GOAL = 30, 1.1, 1.5

CONFIG = """model_parameters: {{onnx_model: '{model}', march: nash-e, working_dir: '{output}', output_model_file_prefix: net}}
input_parameters: {{input_name: '{input}', input_type_train: featuremap, input_type_rt: featuremap, input_layout_train: NCHW, input_shape: '{shape}', norm_type: no_preprocess}}
calibration_parameters: {{cal_data_dir: '{samples}', calibration_type: max, max_percentile: 1.0}}
compiler_parameters: {{jobs: 2}}
"""


class Failed(Exception):
    pass


def run(command, folder):
    """Runs a process to its end: what it printed, its seconds, its peak memory in MiB."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), errors.seek(0)
        if process.returncode != 0:
            text = errors.read().strip().splitlines() or ["(no message)"]
            raise Failed(f"{os.path.basename(str(command[0]))} exited with {process.returncode}: {text[-1][:160]}")
        return out.read(), seconds, usage.ru_maxrss / 1024


class Measurement:
    """Seconds and peak memory over rounds."""

    def __init__(self):
        self.seconds, self.memory, self.error = [], [], None

    def add(self, measure):
        if self.error:
            return
        try:
            seconds, memory = measure()
            self.seconds.append(seconds)
            self.memory.append(memory)
        except Failed as error:
            self.error = str(error)

    def text(self, unit, factor):
        if self.error:
            return "failed"
        return f"{statistics.median(self.seconds) * factor:9.2f} {unit} {max(self.memory):7.0f} MiB"


def repeated(folder, array):
    """A folder of one sample many times."""
    os.makedirs(folder, exist_ok=True)
    np.save(os.path.join(folder, "0000.npy"), array)
    for number in range(1, WHOLE_RUNS):
        path = os.path.join(folder, f"{number:04d}.npy")
        if not os.path.exists(path):
            os.symlink("0000.npy", path)
    return folder


class Network:
    def __init__(self, name, model, folder, samples):
        self.name, self.model, self.folder = name, os.path.abspath(model), os.path.join(folder, name)
        graph = onnx.load(self.model, load_external_data=False).graph
        constants = {initializer.name for initializer in graph.initializer}
        inputs = [value for value in graph.input if value.name not in constants]
        self.input = inputs[0].name
        self.shape = [dim.dim_value or 1 for dim in inputs[0].type.tensor_type.shape.dim]
        self.samples, self.calibration = os.path.join(self.folder, "samples"), os.path.join(self.folder, "calibration")
        random = np.random.default_rng(1)
        for target, count in [(self.samples, samples), (self.calibration, CALIBRATION_SAMPLES)]:
            os.makedirs(target, exist_ok=True)
            for index in range(count):
                # Normalized pictures have values of about this size.
                array = random.standard_normal(self.shape, np.float32)
                np.save(os.path.join(target, f"{index:04d}.npy"), array)
        self.config, self.hbm = os.path.join(self.folder, "config.yaml"), os.path.join(self.folder, "out", "net.hbm")
        self.quantized = os.path.join(self.folder, "quantized.onnx")
        shape = "x".join(map(str, self.shape))
        with open(self.config, "w") as file:
            file.write(CONFIG.format(model=self.model, output="./out", input=self.input, shape=shape, samples=self.calibration))


class Bench:
    def __init__(self, tools, rounds):
        self.tools, self.rounds, self.failures = tools, rounds, []

    def tool(self, name):
        return os.path.join(self.tools, name)

    def compile(self, network):
        _, seconds, memory = run([self.tool("hb_compile"), "-c", network.config], network.folder)
        return seconds, memory

    def report(self, folder, model, samples, jobs):
        """What `hb_sim infer` says of a run on samples, which are a folder or, as INPUT=FOLDER, one for each input; and its memory."""
        words = [word for given in samples for word in ("--input", given)]
        output = os.path.join(folder, "results")
        command = [self.tool("hb_sim"), "infer", model, *words, "--output-dir", output, "--jobs", str(jobs), "--json"]
        text, _, memory = run(command, folder)
        return json.loads(text), memory

    def infer(self, network, model, jobs):
        report, memory = self.report(network.folder, model, [network.samples], jobs)
        if jobs == 1:
            return statistics.median(report["run_seconds"]), memory
        return (report["elapsed_seconds"] - report["prepare_seconds"]) / report["samples"], memory

    def runtime(self, network, *words):
        return self.runtime_in(network.folder, *words)

    def runtime_in(self, folder, *words):
        text, _, memory = run([sys.executable, CHILD, *words], folder)
        report = json.loads(text)
        seconds = report["seconds"] if "seconds" in report else statistics.median(report["run_seconds"])
        return seconds, memory

    def network(self, network):
        print(f"\n{network.name}")
        hb_compile, quantize, hb_float, hb_float_all, ort_float, hb_sim, hb_sim_all, ort_qdq = (Measurement() for _ in range(8))
        for _ in range(self.rounds):
            hb_compile.add(lambda: self.compile(network))
            quantize.add(lambda: self.runtime(network, "quantize", network.model, network.calibration, network.quantized))
            hb_float.add(lambda: self.infer(network, network.model, 1))
            ort_float.add(lambda: self.runtime(network, "infer", network.model, network.samples))
            hb_float_all.add(lambda: self.infer(network, network.model, 0))
            if not hb_compile.error:
                hb_sim.add(lambda: self.infer(network, network.hbm, 1))
            if not quantize.error:
                ort_qdq.add(lambda: self.runtime(network, "infer", network.quantized, network.samples))
            if not hb_compile.error:
                hb_sim_all.add(lambda: self.infer(network, network.hbm, 0))
        hb_sim.error = hb_sim.error or hb_compile.error
        hb_sim_all.error = hb_sim_all.error or hb_compile.error
        self.row("float, alone", hb_float, ort_float, "ms", 1000, 2)
        self.row("float, together", hb_float_all, ort_float, "ms", 1000, 2)
        self.row("simulator, alone", hb_sim, ort_qdq, "ms", 1000, 1.5)
        self.row("simulator, together", hb_sim_all, ort_qdq, "ms", 1000, 1.5)
        self.row("compile", hb_compile, quantize, "s ", 1, 2)

    def first_result(self, folder):
        """From the file of a network of many nodes to its first result."""
        path = os.path.join(folder, "encoder.onnx")
        subprocess.run([sys.executable, os.path.join(HERE, "make_transformer.py"), path], check=True)
        network = Network("encoder", path, folder, 1)
        print(f"\n{network.name}, {len(onnx.load(path, load_external_data=False).graph.node)} nodes")
        ours, theirs = Measurement(), Measurement()
        for _ in range(self.rounds):
            ours.add(lambda: self.load_and_run(network))
            theirs.add(lambda: self.runtime(network, "first", network.model, network.samples))
        self.row("load and first run", ours, theirs, "ms", 1000, 3)

    def load_and_run(self, network):
        report, memory = self.report(network.folder, network.model, [network.samples], 1)
        return report["prepare_seconds"] + report["run_seconds"][0], memory

    def whole_networks(self, folder, networks):
        """In float, one run at a time with all cores."""
        print("\nwhole networks in float, alone: milliseconds; prepared: seconds from the file to code that is ready to run")
        ratios = []
        for name, path, inputs in networks:
            home = os.path.join(folder, "whole", name)
            samples = [f"{tensor}={repeated(os.path.join(home, str(number)), array)}" for number, (tensor, array) in enumerate(inputs.items())]
            ours, theirs, preparation = Measurement(), Measurement(), []
            for _ in range(min(self.rounds, 3)):
                ours.add(lambda: self.infer_prepared(home, path, samples, preparation))
                theirs.add(lambda: self.runtime_in(home, "infer", path, *samples))
            ratios += self.compared(name, ours, theirs, 1e3, lambda: f"   prepared {statistics.median(preparation):6.2f}")
        if ratios:
            mean = statistics.geometric_mean(ratios)
            print(f"  geometric mean {mean:.2f} (goal {WHOLE_GOAL}), largest {max(ratios):.2f} (goal {WORST_GOAL})")

    def infer_prepared(self, folder, model, samples, preparation):
        report, memory = self.report(folder, model, samples, 1)
        preparation.append(report["prepare_seconds"])
        return statistics.median(report["run_seconds"]), memory

    def compared(self, name, ours, theirs, factor, more=lambda: ""):
        """Prints a line of a table, and gives the ratio; none where one of them failed."""
        if ours.error or theirs.error:
            self.failures.append(f"{name}: {ours.error or theirs.error}")
            print(f"  {name:24} {ours.error or theirs.error}")
            return []
        hb, onnxruntime = (statistics.median(measurement.seconds) for measurement in (ours, theirs))
        ratio = hb / onnxruntime
        print(f"  {name:24} hb {hb * factor:9.2f}   onnxruntime {onnxruntime * factor:9.2f}   ratio {ratio:6.2f}{more()}", flush=True)
        return [ratio]

    def row(self, label, ours, theirs, unit, factor, goal):
        both = not ours.error and not theirs.error
        ratio = f"{statistics.median(ours.seconds) / statistics.median(theirs.seconds):6.2f}" if both else "     -"
        print(f"  {label:20} hb {ours.text(unit, factor):>24}   onnxruntime {theirs.text(unit, factor):>24}   ratio {ratio} (goal {goal})")
        for who, measurement in (("hb", ours), ("onnxruntime", theirs)):
            if measurement.error and measurement.error not in self.failures:
                print(f"    {who}: {measurement.error}")
                self.failures.append(measurement.error)
        sys.stdout.flush()

    def operators(self, folder, names):
        """Networks of one operator, one run at a time with all cores; a share of them may be slower than the goal."""
        print("\nsingle operators in float, alone: microseconds")
        ratios = []
        for name in names:
            path = os.path.join(folder, "operator.onnx")
            onnx.save(make_operators.NETWORKS[name]().model(), path)
            network, ours, theirs = Network("operator", path, folder, OPERATOR_RUNS), Measurement(), Measurement()
            for _ in range(min(self.rounds, 3)):
                ours.add(lambda: self.infer(network, network.model, 1))
                theirs.add(lambda: self.runtime(network, "infer", network.model, network.samples))
            shutil.rmtree(network.folder)
            ratios += self.compared(name, ours, theirs, 1e6)
        if ratios:
            within = sum(ratio <= OPERATOR_GOAL for ratio in ratios)
            print(f"  at most {OPERATOR_GOAL}: {within} of {len(ratios)}, {100 * within / len(ratios):.0f} % (goal 80 %); median {statistics.median(ratios):.2f}")

    def small_nodes(self, folder, counts):
        print("\nhb_compile on many small nodes: milliseconds per node")
        for form in ("chain", "tree"):
            measurements = {}
            networks = {}
            for count in counts:
                path = os.path.join(folder, f"{form}_{count}.onnx")
                onnx.save(make_small_nodes.network(form, count), path)
                networks[count], measurements[count] = Network(f"{form}_{count}_nodes", path, folder, 1), Measurement()
            for _ in range(min(self.rounds, 3)):
                for count in counts:
                    measurements[count].add(lambda: self.compile(networks[count]))
            cells, first = [], None
            for count in counts:
                measurement = measurements[count]
                if measurement.error:
                    cells.append(f"{count}: {measurement.error}")
                    self.failures.append(measurement.error)
                    continue
                per_node = statistics.median(measurement.seconds) / count * 1000
                first = first or per_node
                ratio = f", ratio {per_node / first:.2f} (goal 1.5)" if per_node is not first else ""
                cells.append(f"{count} nodes {per_node:.3f} ({max(measurement.memory):.0f} MiB{ratio})")
            print(f"  {form:6}" + "   ".join(cells), flush=True)


def networks(arguments, folder):
    """Names and files: what lies beside the repository, what ships, what is generated."""
    found = {}
    for name in ("mobilenet_v2_imagenet", "resnet20_cifar10"):
        path = os.path.join(arguments.data, "onnx", f"{name}.onnx")
        if os.path.exists(path):
            found[name] = path
    found["digits"] = os.path.join(ROOT, "examples", "digits", "model.onnx")
    found["resnet50"] = os.path.join(folder, "resnet50.onnx")
    wanted = arguments.networks.split(",") if arguments.networks is not None else list(found)
    for name in wanted:
        if name and name not in found:
            sys.exit(f"bench.py: there is no network {name!r}; there are {', '.join(found)}")
    if "resnet50" in wanted:
        resnet50(folder)
    return [(name, found[name]) for name in wanted if name]


def whole_networks(arguments, folder):
    """Names, files and inputs: the ResNet-50 with random weights, and what lies beside the repository."""
    if fnmatch.fnmatch("resnet50", arguments.whole):
        picture = np.random.default_rng(1).standard_normal((1, 3, 224, 224), np.float32)
        yield "resnet50", resnet50(folder), {"input": picture}
    yield from references.networks(os.path.abspath(arguments.data))


def resnet50(folder):
    path = os.path.join(folder, "resnet50.onnx")
    if not os.path.exists(path):
        # In a process of its own: the peak memory of a child begins with that of the process that starts it.
        subprocess.run([sys.executable, os.path.join(HERE, "make_resnet50.py"), path], check=True)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tools", nargs="?", default=os.path.join(ROOT, "target", "release"))
    parser.add_argument("--data", default=os.environ.get("HB_DATA", os.path.join(ROOT, "..", "shared", "data")))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=64, help="images per run")
    parser.add_argument("--networks", help="only these, separated by commas; empty for none")
    parser.add_argument("--nodes", default="1000,10000", help="sizes of chains and trees; empty for neither these nor the encoder")
    parser.add_argument("--whole", default="*", metavar="PATTERN", help="whole networks in float whose name is like this; empty for none")
    parser.add_argument("--operators", default="*", help="single operators whose name is like this; empty for none")
    parser.add_argument("--keep", metavar="FOLDER", help="work there and leave the files")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = os.path.abspath(arguments.keep or scratch)
        os.makedirs(folder, exist_ok=True)
        bench = Bench(os.path.abspath(arguments.tools), arguments.rounds)
        _, _, memory = run([sys.executable, CHILD, "nothing"], folder)
        print(f"medians of {arguments.rounds} interleaved rounds on {os.cpu_count()} cores; memory: largest of all rounds")
        print(f"Python with onnxruntime takes {memory:.0f} MiB before it does anything")
        for name, path in networks(arguments, folder):
            bench.network(Network(name, path, folder, arguments.samples))
        bench.whole_networks(folder, [network for network in whole_networks(arguments, folder) if fnmatch.fnmatch(network[0], arguments.whole)])
        bench.operators(folder, fnmatch.filter(make_operators.NETWORKS, arguments.operators))
        if arguments.nodes:
            bench.first_result(folder)
            bench.small_nodes(folder, [int(count) for count in arguments.nodes.split(",")])
    for failure in bench.failures:
        print(f"bench.py: not measured: {failure}", file=sys.stderr)
    sys.exit(1 if bench.failures else 0)


if __name__ == "__main__":
    main()
