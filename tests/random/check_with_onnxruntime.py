"""Compares what nodes of random networks give in the float executor with what onnxruntime gives, node by node.

    mkdir FOLDER && HB_KEEP_EXPORTED=FOLDER make fuzz NETWORKS=300 SEED=1
    python3 tests/random/check_with_onnxruntime.py FOLDER
"""

import collections
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

onnxruntime.set_default_logger_severity(4)


def read(model):
    """Every value of a network by its name."""
    values = {}
    with open(model.with_suffix(".npys"), "rb") as file:
        for name in model.with_suffix(".names").read_text().splitlines():
            values[name] = np.lib.format.read_array(file)
    return values


def alone(node, opset, values, constants):
    """The results of one node."""
    names = dict.fromkeys(name for name in node.input if name)
    inputs = [name for name in names if name in values]
    kind = lambda name: onnx.helper.np_dtype_to_tensor_dtype(values[name].dtype)
    graph = onnx.helper.make_graph(
        [node],
        "one",
        [onnx.helper.make_tensor_value_info(name, kind(name), values[name].shape) for name in inputs],
        [onnx.helper.make_tensor_value_info(name, kind(name), None) for name in node.output],
        [constants[name] for name in names if name in constants],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {name: values[name] for name in inputs})


def difference(found, expected):
    """What is different, or None."""
    if (found.dtype, found.shape) != (expected.dtype, expected.shape):
        return f"{found.dtype}{list(found.shape)} instead of {expected.dtype}{list(expected.shape)}"
    if found.dtype.kind != "f":
        wrong = found != expected
    else:
        found, expected = found.astype(np.float64), expected.astype(np.float64)
        largest = np.abs(expected[np.isfinite(expected)]).max(initial=0)
        wrong = ~np.isclose(found, expected, rtol=1e-4, atol=2e-5 * largest, equal_nan=True)
    if not wrong.any():
        return None
    index = tuple(int(part[0]) for part in np.nonzero(wrong))
    return f"{wrong.sum()} of {wrong.size} elements; at {index} {found[index]} instead of {expected[index]}"


def main():
    agree, refused, differ = collections.Counter(), collections.Counter(), 0
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
        model, values = onnx.load(path), read(path)
        constants = {tensor.name: tensor for tensor in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.output[0] not in values:
                tensor = onnx.TensorProto()
                tensor.CopyFrom(node.attribute[0].t)
                tensor.name = node.output[0]
                constants[tensor.name] = tensor
                continue
            try:
                results = alone(node, model.opset_import[0].version, values, constants)
            except Exception as error:  # pylint: disable=broad-except
                refused[f"{node.op_type}: {str(error).splitlines()[0][:150]}"] += 1
                continue
            agree[node.op_type] += 1
            for name, expected in zip(node.output, results):
                text = difference(values[name], expected)
                if text:
                    differ += 1
                    print(f"{path.name} opset {model.opset_import[0].version}: {text}\n{onnx.printer.to_text(node)}")
                    for operand in node.input:
                        if operand in constants and np.prod(constants[operand].dims) <= 16:
                            print(f"  {operand} = {onnx.numpy_helper.to_array(constants[operand]).tolist()}")
                        elif operand in values:
                            print(f"  {operand}: {values[operand].dtype}{list(values[operand].shape)}")
    print(f"{sum(agree.values())} nodes of {len(agree)} operators compared, {differ} differ")
    for reason, count in sorted(refused.items()):
        print(f"onnxruntime refuses {count}: {reason}")
    return bool(differ)


if __name__ == "__main__":
    sys.exit(main())
