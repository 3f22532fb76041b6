"""Records functions.json: what onnx's own reference evaluator computes in float64 for the functions of one value.

Run it in this directory; it needs numpy and onnx. The output is deterministic.
"""

import json
import warnings

import numpy as np
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

warnings.simplefilter("ignore")
POINTS = np.array([-40.0, -7.25, -3.0, -2.5, -1.5, -1.0, -0.75, -0.5, -0.1, 0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 2.5, 3.5, 6.5, 30.0])

FUNCTIONS = [
    ("Abs", {}), ("Acos", {}), ("Acosh", {}), ("Asin", {}), ("Asinh", {}), ("Atan", {}), ("Atanh", {}), ("Ceil", {}),
    ("Celu", {}), ("Celu", {"alpha": 2.0}), ("Cos", {}), ("Cosh", {}), ("Elu", {}), ("Elu", {"alpha": 0.5}), ("Erf", {}),
    ("Exp", {}), ("Floor", {}), ("Gelu", {}), ("Gelu", {"approximate": "tanh"}), ("HardSigmoid", {}),
    ("HardSigmoid", {"alpha": 0.5, "beta": 0.25}), ("HardSwish", {}), ("Identity", {}), ("LeakyRelu", {}),
    ("LeakyRelu", {"alpha": 0.25}), ("Log", {}), ("Mish", {}), ("Neg", {}), ("Reciprocal", {}), ("Relu", {}), ("Round", {}),
    ("Selu", {}), ("Selu", {"alpha": 2.0, "gamma": 3.0}), ("Shrink", {}), ("Shrink", {"lambd": 1.0, "bias": 0.5}),
    ("Sigmoid", {}), ("Sign", {}), ("Sin", {}), ("Sinh", {}), ("Softplus", {}), ("Softsign", {}), ("Sqrt", {}), ("Swish", {}),
    ("Swish", {"alpha": 0.5}), ("Tan", {}),
    ("Tanh", {}), ("ThresholdedRelu", {}), ("ThresholdedRelu", {"alpha": 0.3}),
]
rows = []


def record(name, parameters, inputs, attributes):
    names = ["x", *inputs]
    declared = [helper.make_tensor_value_info(n, TensorProto.DOUBLE, None) for n in names]
    graph = helper.make_graph(
        [helper.make_node(name, names, ["y"], **attributes)], "g", declared, [helper.make_tensor_value_info("y", TensorProto.DOUBLE, None)]
    )
    evaluator = ReferenceEvaluator(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)]))
    y = evaluator.run(None, {"x": POINTS, **{n: np.array(v) for n, v in inputs.items()}})[0]
    values = [v if np.isfinite(v) else str(v) for v in y.astype(np.float64).tolist()]
    rows.append({"name": name, "parameters": parameters, "y": values})


for name, attributes in FUNCTIONS:
    parameters = {k: float(v == "tanh") if k == "approximate" else v for k, v in attributes.items()}
    record(name, parameters, {}, attributes)
record("Clip", {"min": -1.25, "max": 2.25}, {"min": -1.25, "max": 2.25}, {})
record("Pow", {"exponent": 2.0}, {"e": 2.0}, {})
record("Pow", {"exponent": 0.5}, {"e": 0.5}, {})

with open("functions.json", "w") as file:
    file.write(json.dumps({"x": POINTS.tolist()})[:-1] + ', "functions": [\n')
    file.write(",\n".join(json.dumps(row) for row in rows) + "\n]}\n")
