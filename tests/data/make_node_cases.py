"""Cases that are the onnx package's own node tests, values and all, for operators whose shapes follow from those of their inputs.
`make_operator_cases.py` records them. `make conformance` runs all of the package's tests; these are some that need no package."""

import numpy as np
import onnx

# Of an operator, the first ones by name.
MOST = 6
# Elements of all arrays of a case.
LARGEST = 2048

# What tests of the float executor alone do not take.
LEFT_OUT = {
    "test_roialign_aligned_false": "its expected values have four digits",
    "test_roialign_aligned_true": "its expected values have four digits",
    "test_scan_sum": "refused: Scan of opset 8",
    "test_bitcast_bool_to_uint8": "refused: bool has no bits of its own",
    "test_maxunpool_export_with_output_shape": "its shape depends on a value, for which the network is compiled by hb_sim only",
}

OPERATORS = """
    Attention BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor CausalConvWithState Compress ConvInteger CumProd
    DeformConv DequantizeLinear Det DynamicQuantizeLinear Einsum EyeLike GRU GatherElements GatherND GridSample Hardmax IsInf IsNaN
    LinearAttention LogSoftmax LpNormalization LpPool MatMulInteger MaxUnpool MeanVarianceNormalization Mod NegativeLogLikelihoodLoss
    QLinearConv QLinearMatMul QuantizeLinear RMSNormalization RNN ReverseSequence RoiAlign RotaryEmbedding Scan Scatter
    ScatterElements ScatterND Size SoftmaxCrossEntropyLoss TensorScatter Trilu Unique
""".split()


def node_cases(recorder):
    from onnx.backend.test.case.node import collect_testcases
    elements = {np.dtype(kind) for kind in ("f2", "f4", "f8", "i8", "i4", "i1", "u8", "u4", "u1", "bool")}
    recorded = dict.fromkeys(OPERATORS, 0)
    for test in sorted(collect_testcases(None), key=lambda test: test.name):
        graph = test.model.graph
        operator = graph.node[0].op_type
        values = [*graph.input, *graph.output]
        if test.name in LEFT_OUT or len(graph.node) != 1 or graph.node[0].domain or recorded.get(operator, MOST) >= MOST:
            continue
        if any(value.type.WhichOneof("value") != "tensor_type" for value in values):
            continue
        inputs, outputs = ([np.asarray(array) for array in arrays] for arrays in test.data_sets[0])
        arrays = [*inputs, *outputs]
        if any(array.dtype not in elements for array in arrays) or sum(array.size for array in arrays) > LARGEST:
            continue
        recorded[operator] += 1
        feeds = {value.name: array for value, array in zip(graph.input, inputs)}
        recorder.store(operator, "onnx_" + test.name.removeprefix("test_"), test.model, feeds,
                       [value.name for value in graph.output], outputs, test.model.opset_import[0].version, "onnx node test")
    missing = [operator for operator, count in recorded.items() if count == 0]
    assert not missing, missing


FAMILIES = [node_cases]
