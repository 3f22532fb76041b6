"""Compares random networks that were kept with onnxruntime: what each node gives in the float executor, and the outputs of the exported
quantized and optimized models.

    HB_KEEP_EXPORTED=FOLDER make fuzz NETWORKS=300 SEED=1
    python3 tests/random/check_with_onnxruntime.py FOLDER
"""

import collections
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

onnxruntime.set_default_logger_severity(4)


def read(path):
    """Arrays by name."""
    values = {}
    with open(path.with_suffix(".npys"), "rb") as file:
        for name in path.with_suffix(".names").read_text().splitlines():
            values[name] = np.lib.format.read_array(file)
    return values


def run(model, values):
    """The outputs of a model, by their names, as it stands: without the fusions of onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {value.name: values[value.name] for value in session.get_inputs()})))


def alone(node, opset, values, constants):
    """A model of one node."""
    names = dict.fromkeys(name for name in node.input if name)

    def info(name, shape):
        return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(values[name].dtype), shape)

    graph = onnx.helper.make_graph(
        [node],
        "one",
        [info(name, values[name].shape) for name in names if name in values],
        [info(name, None) for name in node.output],
        [constants[name] for name in names if name in constants],
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=10)


def difference(found, expected, tolerance):
    """What is different, or None. The tolerance is beside the largest value."""
    if (found.dtype, found.shape) != (expected.dtype, expected.shape):
        return f"{found.dtype}{list(found.shape)} instead of {expected.dtype}{list(expected.shape)}"
    if found.dtype.kind != "f":
        wrong = found != expected
    else:
        found, expected = found.astype(np.float64), expected.astype(np.float64)
        largest = np.abs(expected[np.isfinite(expected)]).max(initial=0)
        wrong = ~np.isclose(found, expected, rtol=5 * tolerance, atol=tolerance * largest, equal_nan=True)
    if not wrong.any():
        return None
    index = tuple(int(part[0]) for part in np.nonzero(wrong))
    return f"{wrong.sum()} of {wrong.size} elements; at {index} {found[index]} instead of {expected[index]}"


class Report:
    """What agrees, what differs and what onnxruntime does not take."""

    def __init__(self):
        self.compared, self.refused, self.differ = collections.Counter(), collections.Counter(), 0

    def compare(self, what, model, values, expected, tolerance):
        """Whether the outputs of a model are these."""
        try:
            results = run(model, values)
        except Exception as error:  # pylint: disable=broad-except
            self.refused[f"{what}: {str(error).splitlines()[0][:150]}"] += 1
            return []
        self.compared[what] += 1
        texts = {name: difference(expected[name], result, tolerance) for name, result in results.items()}
        return [f"{name}: {text}" for name, text in texts.items() if text]


def nodes(path, report):
    """Each node of a network."""
    model, values = onnx.load(path), read(path)
    opset = model.opset_import[0].version
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.output[0] not in values:
            tensor = onnx.TensorProto()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = node.output[0]
            constants[tensor.name] = tensor
            continue
        for text in report.compare(node.op_type, alone(node, opset, values, constants), values, values, 2e-5):
            report.differ += 1
            print(f"{path.name} opset {opset}: {text}\n{onnx.printer.to_text(node)}")
            for operand in node.input:
                if operand in constants and np.prod(constants[operand].dims) <= 16:
                    print(f"  {operand} = {onnx.numpy_helper.to_array(constants[operand]).tolist()}")
                elif operand in values:
                    print(f"  {operand}: {values[operand].dtype}{list(values[operand].shape)}")


def exported(path, report):
    """The models that a compilation wrote. One step more or less of a value in front of others is no fault: few elements differ."""
    values = read(path)
    outputs = path.with_name(f"{path.stem}-outputs")
    for form, tolerance in [("optimized_float_model", 1e-4), ("ptq_model", 1e-3)]:
        file = path.with_name(f"{path.stem}-{form}.onnx")
        if file.exists():
            expected = values if form == "optimized_float_model" else read(outputs)
            for text in report.compare(form, onnx.load(file), values, expected, tolerance):
                report.differ += 1
                print(f"{file.name}: {text}")


def main():
    """Compares everything in a folder."""
    report = Report()
    for path in sorted(pathlib.Path(sys.argv[1]).glob("seed-*.onnx")):
        if path.stem.count("-") == 1:
            nodes(path, report)
            exported(path, report)
    total, kinds = sum(report.compared.values()), len(report.compared)
    print(f"{total} nodes and models of {kinds} kinds compared, {report.differ} differ")
    for reason, count in sorted(report.refused.items()):
        print(f"onnxruntime refuses {count}: {reason}")
    return bool(report.differ)


if __name__ == "__main__":
    sys.exit(main())
