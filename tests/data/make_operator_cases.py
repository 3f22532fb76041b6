#!/usr/bin/env python3
"""Records tests/data/operators: one small network per attribute or form of each operator, with what onnxruntime computes.

    python3 tests/data/make_operator_cases.py [FAMILY...]   # the functions below; without any, all anew

Needs numpy, onnx and onnxruntime. The tests need none of them: they read what was recorded.

    operators/cases.tsv             one line per case: path, opset, input names, output names (joined by |), who computed
    operators/<Operator>/<case>.onnx   the network
    operators/<Operator>/<case>.npys   its arrays in .npy format, one after the other: the inputs in the order of the
                                       line in cases.tsv, then the outputs

Outputs come from onnxruntime with every graph optimization off. Where onnxruntime has no kernel for a type or a form,
they come from the reference evaluator of the onnx package, and cases.tsv says `onnx-reference`.
"""

import io
import os
import shutil
import sys
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import make_control_cases
import make_node_cases
import make_quantized_cases

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "operators")
# Of cases that ask for no other.
LAST_OPSET = 22
# Up to which the forms of an operator are recorded.
NEWEST_OPSET = 24
cases = []


@dataclass
class Weight:
    """An operand that is an initializer instead of a graph input."""

    array: np.ndarray


def values(*shape, dtype=np.float32, low=-2.0, high=2.0, seed=0):
    """Multiples of 1/64 (integers for integer types), so that recorded sums are exact in f32."""
    generator = np.random.default_rng([seed, *shape])
    if np.issubdtype(dtype, np.floating):
        steps = generator.integers(int(low * 64), int(high * 64) + 1, size=shape)
        return np.asarray(steps / 64, dtype)
    return np.asarray(generator.integers(int(low), int(high) + 1, size=shape), dtype)


def integers(*numbers):
    return np.array(numbers, dtype=np.int64)


def session_outputs(model, feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        return ReferenceEvaluator(model).run(None, feeds), "onnx-reference"
    return session.run(None, feeds), "onnxruntime"


def info(name, array, shape=None):
    element = helper.np_dtype_to_tensor_dtype(array.dtype)
    return helper.make_tensor_value_info(name, element, list(array.shape) if shape is None else shape)


def record(operator, case, nodes, feeds, outputs, opset, initializers=None, shapes=None, ir_version=None, overridable=(),
           expected=None):
    """Writes one case. `shapes` replaces declared input shapes (symbols); `overridable` initializers are inputs as well. `expected`
    are the outputs where neither onnxruntime nor the onnx package computes the form."""
    initializers = dict(initializers or {})
    tensors = [
        array if isinstance(array, TensorProto) else numpy_helper.from_array(array, name)
        for name, array in initializers.items()
    ]
    inputs = [info(name, array, (shapes or {}).get(name)) for name, array in feeds.items()]
    inputs += [info(name, initializers[name]) for name in overridable]

    def build(output_infos):
        graph = helper.make_graph(nodes, f"{operator}_{case}", inputs, output_infos, tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], producer_name="hb tests")
        model.ir_version = ir_version or (8 if opset <= 20 else 10 if opset <= 22 else 12)
        return model

    untyped = build([onnx.ValueInfoProto(name=name) for name in outputs])
    results, source = (expected, "numpy") if expected is not None else session_outputs(untyped, feeds)
    results = [np.asarray(result) for result in results]
    output_shapes = [None if shapes is None else [None] * result.ndim for result in results]
    model = build([info(name, result, shape) for name, result, shape in zip(outputs, results, output_shapes)])
    # The checker refuses what was deprecated later, as GroupNormalization of opset 18; onnxruntime runs it.
    if not any(onnx.defs.get_schema(node.op_type, opset, node.domain).deprecated for node in nodes):
        onnx.checker.check_model(model, full_check=True)
    store(operator, case, model, feeds, outputs, results, opset, source)


def store(operator, case, model, feeds, outputs, results, opset, source):
    folder = os.path.join(FOLDER, operator)
    os.makedirs(folder, exist_ok=True)
    onnx.save(model, os.path.join(folder, f"{case}.onnx"))
    buffer = io.BytesIO()
    for array in [*feeds.values(), *results]:
        np.save(buffer, np.array(array, order="C", copy=True), allow_pickle=False)
    with open(os.path.join(folder, f"{case}.npys"), "wb") as file:
        file.write(buffer.getvalue())
    cases.append((f"{operator}/{case}", str(opset), "|".join(feeds), "|".join(outputs), source))


def case(operator, name, *operands, opset=LAST_OPSET, outputs=1, unread=0, expected=None, **attributes):
    """One node. Operands: an array is a graph input, a Weight an initializer, None an operand left out. So many further outputs
    are named and not read."""
    feeds, initializers, names = {}, {}, []
    for index, operand in enumerate(operands):
        if operand is None:
            names.append("")
            continue
        label = f"input_{index}"
        names.append(label)
        if isinstance(operand, Weight):
            initializers[label] = operand.array
        else:
            feeds[label] = operand
    results = [f"output_{index}" for index in range(outputs)]
    named = results + [f"unread_{index}" for index in range(unread)]
    node = helper.make_node(operator, names, named, name=f"{operator}_0", **attributes)
    record(operator, name, [node], feeds, results, opset, initializers, expected=expected)


def takes(operator, dtype):
    """Whether the operator is defined on a type at all."""
    name = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    schema = onnx.defs.get_schema(operator, NEWEST_OPSET)
    return f"tensor({TensorProto.DataType.Name(name).lower()})" in schema.inputs[0].types


def versions(operator, first=7, last=NEWEST_OPSET):
    """The opsets in which the operator's definition in force changes, from `first` on."""
    since = sorted({schema.since_version for schema in onnx.defs.get_all_schemas_with_history()
                    if schema.name == operator and schema.domain == ""})
    return [first] + [version for version in since if first < version <= last]


def conv():
    x, w, b = values(1, 3, 6, 7), values(4, 3, 3, 3, seed=1), values(4, seed=2)
    for opset in versions("Conv"):
        case("Conv", f"opset_{opset}", x, Weight(w), Weight(b), opset=opset, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    case("Conv", "defaults", x, Weight(w))
    case("Conv", "batch_3", values(3, 3, 5, 5), Weight(w), Weight(b))
    case("Conv", "weights_are_inputs", x, w, b, pads=[1, 1, 1, 1])
    case("Conv", "kernel_1x1", x, Weight(values(5, 3, 1, 1, seed=1)), Weight(values(5)))
    case("Conv", "kernel_2x5_pads_uneven", x, Weight(values(4, 3, 2, 5, seed=1)), Weight(b), pads=[0, 3, 1, 2])
    case("Conv", "strides_2_3", x, Weight(w), Weight(b), strides=[2, 3], pads=[1, 1, 1, 1])
    case("Conv", "dilations_2_1", x, Weight(w), Weight(b), dilations=[2, 1], pads=[2, 1, 2, 1])
    case("Conv", "dilations_strides", values(1, 2, 11, 12), Weight(values(2, 2, 3, 3)), dilations=[2, 3], strides=[2, 2])
    case("Conv", "group_2", values(1, 4, 5, 5), Weight(values(6, 2, 3, 3)), Weight(values(6)), group=2)
    case("Conv", "depthwise", values(2, 4, 5, 5), Weight(values(4, 1, 3, 3)), Weight(values(4)), group=4, pads=[1, 1, 1, 1])
    case("Conv", "depthwise_multiplier_2", values(1, 3, 5, 5), Weight(values(6, 1, 3, 3)), group=3)
    for mode in ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"]:
        case("Conv", f"auto_pad_{mode.lower()}", x, Weight(w), Weight(b), auto_pad=mode, strides=[2, 2])
    case("Conv", "auto_pad_same_upper_kernel_2x4", x, Weight(values(4, 3, 2, 4)), auto_pad="SAME_UPPER")
    case("Conv", "auto_pad_same_lower_kernel_2x4", x, Weight(values(4, 3, 2, 4)), auto_pad="SAME_LOWER")
    case("Conv", "auto_pad_same_upper_opset_7", x, Weight(w), opset=7, auto_pad="SAME_UPPER", strides=[3, 2])
    case("Conv", "rank_3", values(2, 3, 9), Weight(values(4, 3, 3)), Weight(b), strides=[2], pads=[1, 2], dilations=[2])
    case("Conv", "rank_3_group", values(1, 4, 9), Weight(values(4, 2, 3)), Weight(b), group=2, auto_pad="SAME_LOWER")
    case("Conv", "rank_5", values(1, 2, 4, 5, 6), Weight(values(3, 2, 2, 3, 3)), Weight(values(3)),
         strides=[1, 2, 2], pads=[0, 1, 1, 1, 0, 1])
    case("Conv", "rank_5_depthwise", values(1, 2, 4, 4, 4), Weight(values(2, 1, 2, 2, 2)), group=2, dilations=[1, 2, 1])
    case("Conv", "kernel_larger_than_input", values(1, 2, 2, 2), Weight(values(2, 2, 5, 5)), pads=[2, 2, 2, 2])
    case("Conv", "float16", values(1, 2, 5, 5, dtype=np.float16), Weight(values(2, 2, 3, 3, dtype=np.float16)))


def conv_transpose():
    x, w, b = values(1, 3, 4, 5), values(3, 4, 3, 3, seed=1), values(4, seed=2)
    for opset in versions("ConvTranspose"):
        case("ConvTranspose", f"opset_{opset}", x, Weight(w), Weight(b), opset=opset, kernel_shape=[3, 3], pads=[1, 1, 1, 1],
             strides=[2, 2])
    case("ConvTranspose", "defaults", x, Weight(w))
    case("ConvTranspose", "batch_2", values(2, 3, 3, 3), Weight(w), Weight(b), strides=[2, 2])
    case("ConvTranspose", "weights_are_inputs", x, w, b, strides=[2, 2])
    case("ConvTranspose", "kernel_2x2_strides_2", x, Weight(values(3, 4, 2, 2)), Weight(b), strides=[2, 2])
    case("ConvTranspose", "kernel_4x4_strides_2", x, Weight(values(3, 2, 4, 4)), strides=[2, 2], pads=[1, 1, 1, 1])
    case("ConvTranspose", "kernel_1x1_strides_2_3", x, Weight(values(3, 2, 1, 1)), Weight(values(2)), strides=[2, 3])
    case("ConvTranspose", "strides_2_3_pads_uneven", x, Weight(w), Weight(b), strides=[2, 3], pads=[0, 2, 1, 1])
    case("ConvTranspose", "dilations_2_1", x, Weight(w), Weight(b), dilations=[2, 1], pads=[1, 0, 2, 1])
    case("ConvTranspose", "dilations_2_3_strides_3_2", x, Weight(w), Weight(b), dilations=[2, 3], strides=[3, 2])
    case("ConvTranspose", "output_padding", x, Weight(w), Weight(b), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])
    case("ConvTranspose", "output_padding_uneven", x, Weight(w), strides=[3, 2], output_padding=[2, 1])
    case("ConvTranspose", "output_shape", x, Weight(w), Weight(b), strides=[2, 2], output_shape=[8, 10])
    case("ConvTranspose", "output_shape_odd", x, Weight(w), Weight(b), strides=[3, 3], output_shape=[10, 13])
    case("ConvTranspose", "output_shape_larger", x, Weight(w), Weight(b), strides=[2, 2], output_shape=[10, 12], output_padding=[1, 1])
    case("ConvTranspose", "output_shape_same_upper", x, Weight(w), strides=[2, 2], output_shape=[8, 10], auto_pad="SAME_UPPER")
    case("ConvTranspose", "output_shape_same_lower", x, Weight(w), strides=[2, 2], output_shape=[8, 10], auto_pad="SAME_LOWER")
    for mode in ["SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"]:
        case("ConvTranspose", f"auto_pad_{mode.lower()}", x, Weight(w), Weight(b), auto_pad=mode, strides=[2, 2])
    case("ConvTranspose", "group_2", values(1, 4, 3, 4), Weight(values(4, 3, 3, 3)), Weight(values(6)), group=2, strides=[2, 1])
    case("ConvTranspose", "depthwise", values(2, 4, 3, 3), Weight(values(4, 1, 4, 4)), Weight(values(4)), group=4, strides=[2, 2],
         pads=[1, 1, 1, 1])
    case("ConvTranspose", "depthwise_multiplier_2", values(1, 3, 3, 3), Weight(values(3, 2, 2, 2)), group=3, strides=[2, 2])
    case("ConvTranspose", "rank_3", values(2, 3, 5), Weight(values(3, 4, 3)), Weight(b), strides=[2], pads=[1, 0], dilations=[2])
    case("ConvTranspose", "rank_5", values(1, 2, 2, 3, 3), Weight(values(2, 3, 2, 3, 2)), Weight(values(3)), strides=[2, 1, 2],
         pads=[0, 1, 0, 1, 0, 1])
    case("ConvTranspose", "float16", values(1, 2, 3, 3, dtype=np.float16), Weight(values(2, 2, 3, 3, dtype=np.float16)),
         strides=[2, 2])


def resize():
    x = values(1, 2, 4, 5)
    scales = lambda *numbers: Weight(np.array(numbers, np.float32))
    none = Weight(np.zeros(0, np.float32))

    def form(name, given=None, sizes=None, array=x, roi=None, opset=LAST_OPSET, **attributes):
        operands = [array, roi, scales(*given) if given else None, Weight(integers(*sizes)) if sizes else None]
        while operands[-1] is None:
            operands.pop()
        case("Resize", name, *operands, opset=opset, **attributes)

    for mode in ["nearest", "linear"]:
        for opset, label in [(7, "attribute"), (9, "input")]:
            given = [1.0, 1.0, 2.0, 3.0]
            if opset == 7:
                case("Upsample", f"{mode}_opset_7", x, opset=7, mode=mode, scales=given)
            else:
                case("Upsample", f"{mode}_opset_9", x, scales(*given), opset=9, mode=mode)
        case("Resize", f"{mode}_opset_10", x, scales(1, 1, 2, 3), opset=10, mode=mode)
        case("Resize", f"{mode}_smaller_opset_10", x, scales(1, 1, 0.5, 0.6), opset=10, mode=mode)
        case("Resize", f"{mode}_fractional_opset_10", x, scales(1, 1, 1.5, 2.4), opset=10, mode=mode)
    for opset in [11, 13, 18, 19]:
        case("Resize", f"scales_opset_{opset}", x, none, scales(1, 1, 2, 2), opset=opset)
        case("Resize", f"sizes_opset_{opset}", x, none, none, Weight(integers(1, 2, 7, 9)), opset=opset, mode="linear")
    for coordinates in ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]:
        # From end to end a fraction of an element is refused.
        ends = coordinates == "align_corners"
        for nearest in ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]:
            more = dict(coordinate_transformation_mode=coordinates, nearest_mode=nearest)
            form(f"nearest_{coordinates}_{nearest}", [1, 1, 2.5, 0.6] if ends else [1, 1, 2.6, 0.75], **more)
        for mode in ["linear", "cubic"]:
            more = dict(coordinate_transformation_mode=coordinates, mode=mode)
            form(f"{mode}_{coordinates}", [1, 1, 2, 1.6] if ends else [1, 1, 2, 1.5], **more)
            form(f"{mode}_{coordinates}_smaller", [1, 1, 0.75, 0.6] if ends else [1, 1, 0.8, 0.6], **more)
            form(f"{mode}_{coordinates}_sizes", sizes=[1, 2, 1, 9], **more)
    for nearest in ["floor", "round_prefer_floor"]:
        form(f"tf_half_pixel_{nearest}_opset_11", [1, 1, 2.6, 0.75], roi=none, opset=11, nearest_mode=nearest,
             coordinate_transformation_mode="tf_half_pixel_for_nn")
    crop = dict(coordinate_transformation_mode="tf_crop_and_resize")
    for mode in ["nearest", "linear", "cubic"]:
        inside = scales(0, 0, 0.25, 0.1, 1, 1, 0.75, 0.9)
        outside = scales(0, 0, -0.25, 0.4, 1, 1, 0.75, 1.2)
        form(f"{mode}_crop", sizes=[1, 2, 3, 6], roi=inside, mode=mode, **crop)
        form(f"{mode}_crop_extrapolated", sizes=[1, 2, 5, 7], roi=outside, mode=mode, extrapolation_value=1.5, **crop)
    for policy in ["stretch", "not_larger", "not_smaller"]:
        form(f"policy_{policy}", sizes=[7, 12], axes=[2, 3], keep_aspect_ratio_policy=policy, mode="linear")
    form("axes", [2.0, 0.5], axes=[3, 2])
    form("axes_negative", [2.0, 1.5], axes=[-2, -1], mode="linear")
    form("cubic_coefficient", [1, 1, 2, 1.5], mode="cubic", cubic_coeff_a=-0.5)
    form("cubic_exclude_outside", [1, 1, 2, 1.5], mode="cubic", exclude_outside=1)
    form("cubic_exclude_outside_smaller", [1, 1, 0.6, 0.75], mode="cubic", exclude_outside=1)
    for mode in ["linear", "cubic"]:
        form(f"antialias_{mode}", [1, 1, 0.4, 0.6], array=values(1, 2, 9, 10), mode=mode, antialias=1)
        form(f"antialias_{mode}_sizes", sizes=[1, 2, 3, 12], array=values(1, 2, 9, 10), mode=mode, antialias=1)
        form(f"antialias_{mode}_larger", [1, 1, 1.5, 2], mode=mode, antialias=1)
        form(f"antialias_{mode}_exclude_outside", [1, 1, 0.4, 0.6], array=values(1, 2, 9, 10), mode=mode, antialias=1, exclude_outside=1)
    form("rank_1", [3.0], array=values(4))
    form("rank_2_linear", [1.5, 2.0], array=values(3, 4), mode="linear")
    form("rank_3_nearest", [1.0, 1.0, 2.0], array=values(2, 3, 4))
    form("rank_5_nearest", [1.0, 1.0, 2.0, 2.0, 1.5], array=values(1, 2, 2, 3, 4))
    form("rank_5_linear", [1.0, 1.0, 2.0, 2.0, 1.5], array=values(1, 2, 2, 3, 4), mode="linear")
    form("every_dimension", [2.0, 1.5, 2.0, 3.0], array=values(1, 2, 2, 2))
    form("unchanged", [1.0, 1.0, 1.0, 1.0])
    for dtype in [np.int8, np.uint8, np.int32, np.float16]:
        form(np.dtype(dtype).name, [1.0, 1.0, 2.0, 1.5], array=values(1, 2, 3, 4, dtype=dtype, low=0, high=9))
    form("float16_linear", [1.0, 1.0, 2.0, 1.5], array=values(1, 2, 3, 4, dtype=np.float16), mode="linear")


def rearrangements():
    x = values(2, 6, 5)
    case("Split", "equal_opset_7", x, opset=7, outputs=3, axis=1)
    case("Split", "attribute_opset_7", x, opset=7, outputs=2, axis=1, split=[4, 2])
    case("Split", "attribute_negative_axis_opset_11", x, opset=11, outputs=3, axis=-2, split=[1, 2, 3])
    for opset in [13, 18]:
        case("Split", f"input_opset_{opset}", x, Weight(integers(1, 5)), opset=opset, outputs=2, axis=1)
    case("Split", "equal_opset_13", x, opset=13, outputs=2, axis=1)
    case("Split", "num_outputs", x, outputs=3, axis=1, num_outputs=3)
    case("Split", "num_outputs_uneven", x, outputs=3, axis=2, num_outputs=3)
    case("Split", "one_output", x, Weight(integers(2)), outputs=1)
    case("Split", "with_empty", x, Weight(integers(2, 0, 3)), outputs=3, axis=-1)
    for dtype in [np.int64, np.float16, np.uint8]:
        case("Split", np.dtype(dtype).name, values(4, 2, dtype=dtype, low=0, high=9), Weight(integers(1, 3)), outputs=2)
    x = values(1, 3, 1, 2, 1)
    case("Squeeze", "attribute_opset_7", x, opset=7, axes=[0, 2])
    case("Squeeze", "attribute_negative_opset_11", x, opset=11, axes=[-1, 0])
    case("Squeeze", "all_opset_7", x, opset=7)
    for opset in versions("Squeeze", first=13):
        case("Squeeze", f"opset_{opset}", x, Weight(integers(0, -3)), opset=opset)
    case("Squeeze", "all", x)
    case("Squeeze", "to_scalar", values(1, 1))
    case("Squeeze", "int64", values(1, 3, dtype=np.int64), Weight(integers(0)))
    for opset in versions("Expand", first=8):
        case("Expand", f"opset_{opset}", values(3, 1), Weight(integers(2, 3, 4)), opset=opset)
    shapes = {"same": ((2, 3), (2, 3)), "ones": ((2, 3), (1, 1)), "fewer": ((2, 3, 1), (4,)), "both": ((2, 1, 3), (4, 1)),
              "scalar": ((), (2, 2)), "empty": ((1, 2), (0, 2))}
    for label, (shape, target) in shapes.items():
        case("Expand", label, values(*shape), Weight(integers(*target)))
    case("Expand", "bool", np.array([[True], [False]]), Weight(integers(2, 3)))
    for opset in versions("Tile"):
        case("Tile", f"opset_{opset}", values(2, 3), Weight(integers(2, 2)), opset=opset)
    case("Tile", "ones", values(2, 3), Weight(integers(1, 1)))
    case("Tile", "rank_1", values(3), Weight(integers(4)))
    case("Tile", "rank_4", values(1, 2, 2, 3), Weight(integers(2, 1, 3, 2)))
    case("Tile", "zero", values(2, 3), Weight(integers(0, 2)))
    case("Tile", "int64", values(2, dtype=np.int64), Weight(integers(3)))
    x = values(2, 8, 2, 3)
    case("DepthToSpace", "opset_7", x, opset=7, blocksize=2)
    for opset in [11, 13]:
        for mode in ["DCR", "CRD"]:
            case("DepthToSpace", f"{mode.lower()}_opset_{opset}", x, opset=opset, blocksize=2, mode=mode)
    case("DepthToSpace", "blocksize_3", values(1, 18, 2, 1), blocksize=3)
    case("DepthToSpace", "blocksize_1", x, blocksize=1)
    for opset in versions("SpaceToDepth"):
        case("SpaceToDepth", f"opset_{opset}", values(2, 3, 4, 6), opset=opset, blocksize=2)
    case("SpaceToDepth", "blocksize_3", values(1, 2, 3, 6), blocksize=3)


def statistics():
    def operands(*shape):
        return [values(*shape), Weight(values(shape[1], seed=1)), Weight(values(shape[1], seed=2))]

    for opset in versions("InstanceNormalization"):
        case("InstanceNormalization", f"opset_{opset}", *operands(2, 3, 4, 5), opset=opset)
    case("InstanceNormalization", "epsilon", *operands(1, 2, 3, 3), epsilon=0.25)
    case("InstanceNormalization", "rank_3", *operands(2, 3, 7))
    case("InstanceNormalization", "rank_5", *operands(1, 2, 2, 3, 4))
    case("InstanceNormalization", "parameters_are_inputs", values(1, 2, 3, 3), values(2), values(2, seed=3))
    case("GroupNormalization", "opset_21", *operands(2, 6, 3, 4), opset=21, num_groups=3)
    per_group = [values(3, seed=1), values(3, seed=2)]
    case("GroupNormalization", "opset_18", values(2, 6, 3, 4), *map(Weight, per_group), opset=18, num_groups=3)
    case("GroupNormalization", "opset_18_parameters_are_inputs", values(1, 6, 4), *per_group, opset=18, num_groups=3)
    case("GroupNormalization", "one_group", *operands(1, 4, 5), num_groups=1, epsilon=0.1)
    x = values(2, 3, 4, 5)
    for axis in [-4, -3, -2, -1, 0, 1, 2, 3]:
        shape = x.shape[axis:]
        case("LayerNormalization", f"axis_{axis}".replace("-", "minus_"), x, Weight(values(*shape, seed=1)),
             Weight(values(*shape, seed=2)), axis=axis)
    case("LayerNormalization", "opset_17", x, Weight(values(5)), Weight(values(5, seed=2)), opset=17)
    case("LayerNormalization", "no_bias", x, Weight(values(5)), epsilon=0.5)
    case("LayerNormalization", "bias_left_out_by_name", x, Weight(values(5)), None)
    case("LayerNormalization", "broadcast_scale", x, Weight(values(1, 5)), Weight(values(1, 1, seed=3)), axis=-2)
    case("LayerNormalization", "unread_statistics", x, Weight(values(5)), Weight(values(5, seed=2)), unread=2)
    case("LayerNormalization", "stash_type", x, Weight(values(5)), stash_type=1)
    case("LayerNormalization", "float64", values(2, 5, dtype=np.float64), Weight(values(5, dtype=np.float64)))
    for opset in versions("LRN"):
        case("LRN", f"opset_{opset}", values(1, 6, 3, 4), opset=opset, size=5)
    for size in [1, 3, 9]:
        case("LRN", f"size_{size}", values(1, 5, 2, 3), size=size, alpha=0.5, beta=0.6, bias=2.0)


def batch_normalization():
    def operands(*shape, dtype=np.float32):
        # Of one dimension the channel is one.
        channels = shape[1] if len(shape) > 1 else 1
        parameters = [values(channels, seed=1), values(channels, seed=2), values(channels, seed=3),
                      values(channels, low=0.25, seed=4)]
        return [values(*shape, dtype=dtype), *[Weight(p.astype(dtype)) for p in parameters]]

    for opset in versions("BatchNormalization"):
        case("BatchNormalization", f"opset_{opset}", *operands(2, 3, 4, 5), opset=opset)
    case("BatchNormalization", "epsilon", *operands(1, 3, 4, 4), epsilon=0.1)
    case("BatchNormalization", "momentum_has_no_effect", *operands(1, 3, 4, 4), momentum=0.5)
    for shape in [(5,), (4, 3), (2, 3, 5), (1, 2, 3, 2, 3)]:
        case("BatchNormalization", f"rank_{len(shape)}", *operands(*shape))
    case("BatchNormalization", "float64", *operands(1, 3, 2, 2, dtype=np.float64))
    case("BatchNormalization", "parameters_are_inputs", values(1, 2, 3, 3), values(2), values(2), values(2),
         values(2, low=0.5))
    case("BatchNormalization", "spatial_1_opset_7", *operands(1, 3, 4, 4), opset=7, spatial=1)


def elementwise():
    for name in ["Add", "Div", "Mul", "Sub"]:
        def right(*shape, dtype=np.float32, low=-2.0, high=2.0, seed=0):
            """The second operand; not zero where it divides."""
            operand = values(*shape, dtype=dtype, low=low, high=high, seed=seed)
            return np.where(operand == 0, np.asarray(3, dtype), operand) if name == "Div" else operand

        for opset in versions(name):
            case(name, f"opset_{opset}", values(2, 3, 4), right(2, 3, 4, seed=1), opset=opset)
        shapes = {
            "scalar_right": ((2, 3, 4), ()),
            "scalar_left": ((), (2, 3)),
            "scalars": ((), ()),
            "vector_right": ((2, 3, 4), (4,)),
            "vector_left": ((4,), (2, 3, 4)),
            "channel": ((2, 3, 4, 5), (3, 1, 1)),
            "both_ways": ((3, 1, 5), (2, 1, 4, 1)),
            "ones": ((1, 1), (1,)),
            "rank_5": ((2, 1, 3, 1, 2), (1, 2, 3, 2, 1)),
            "empty": ((0, 3), (1, 3)),
        }
        for label, (first, second) in shapes.items():
            case(name, f"broadcast_{label}", values(*first), right(*second, seed=1))
        case(name, "with_weight", values(2, 3, 4), Weight(right(3, 1)))
        case(name, "weight_first", Weight(values(3, 1)), right(2, 3, 4))
        for dtype in [np.float64, np.float16, np.int32, np.int64, np.int8, np.uint8]:
            low = 0 if dtype is np.uint8 else -9
            case(name, np.dtype(dtype).name, values(2, 3, dtype=dtype, low=low, high=9),
                 right(3, dtype=dtype, low=low, high=9, seed=1))
        x = right(2, 3)
        record(name, "same_operand_twice", [helper.make_node(name, ["x", "x"], ["y"], name=f"{name}_0")],
               {"x": x}, ["y"], LAST_OPSET)
    case("Add", "int32_wraps", np.array([2**31 - 1, -(2**31)], np.int32), np.array([1, -1], np.int32))
    case("Div", "by_zero", np.array([1, -1, 0, np.inf, np.nan], np.float32), np.array([0, 0, 0, np.inf, 1], np.float32))
    case("Div", "int32_truncates", np.array([7, -7, 7, -7], np.int32), np.array([2, 2, -2, -2], np.int32))
    case("Sub", "int32_wraps", np.array([2**31 - 1, -(2**31)], np.int32), np.array([-1, 1], np.int32))


# Operator, the first opset of its cases, the interval of its inputs, the attributes of further cases by name.
FUNCTIONS = [
    ("Abs", 7, (-4, 4), {}),
    ("Acos", 7, (-1, 1), {}),
    ("Acosh", 9, (1, 9), {}),
    ("Asin", 7, (-1, 1), {}),
    ("Asinh", 9, (-9, 9), {}),
    ("Atan", 7, (-9, 9), {}),
    ("Atanh", 9, (-0.875, 0.875), {}),
    ("Ceil", 7, (-4, 4), {}),
    ("Celu", 12, (-4, 4), {"alpha": dict(alpha=0.5)}),
    ("Cos", 7, (-9, 9), {}),
    ("Cosh", 9, (-4, 4), {}),
    ("Elu", 7, (-4, 4), {"alpha": dict(alpha=0.5)}),
    ("Erf", 9, (-4, 4), {}),
    ("Exp", 7, (-4, 4), {}),
    ("Floor", 7, (-4, 4), {}),
    ("Gelu", 20, (-4, 4), {"none": dict(approximate="none"), "tanh": dict(approximate="tanh")}),
    ("HardSigmoid", 7, (-4, 4), {"parameters": dict(alpha=0.5, beta=-0.25), "alpha": dict(alpha=1.5)}),
    ("HardSwish", 14, (-5, 5), {}),
    ("LeakyRelu", 7, (-4, 4), {"alpha": dict(alpha=0.25), "alpha_negative": dict(alpha=-0.5)}),
    ("Log", 7, (0.125, 9), {}),
    ("Mish", 18, (-9, 9), {}),
    ("Neg", 7, (-4, 4), {}),
    ("Reciprocal", 7, (0.125, 4), {}),
    ("Round", 11, (-4, 4), {}),
    ("Selu", 7, (-4, 4), {"parameters": dict(alpha=0.5, gamma=2.0)}),
    ("Shrink", 9, (-4, 4), {"parameters": dict(lambd=1.5, bias=0.5), "bias_negative": dict(lambd=0.25, bias=-1.0)}),
    ("Sigmoid", 7, (-9, 9), {}),
    ("Sign", 9, (-2, 2), {}),
    ("Sin", 7, (-9, 9), {}),
    ("Sinh", 9, (-4, 4), {}),
    ("Softplus", 7, (-9, 9), {}),
    ("Softsign", 7, (-9, 9), {}),
    ("Sqrt", 7, (0, 9), {}),
    ("Swish", 24, (-9, 9), {"alpha": dict(alpha=0.5), "alpha_negative": dict(alpha=-0.75)}),
    ("Tan", 7, (-1.5, 1.5), {}),
    ("Tanh", 7, (-4, 4), {}),
    ("ThresholdedRelu", 10, (-4, 4), {"alpha": dict(alpha=-0.5)}),
]
# Where onnxruntime gives no sensible answer: what it makes of a NaN or of an infinity depends on its vector code.
NOT_SPECIAL = {"Celu", "Elu", "Gelu", "Mish", "Selu", "Softplus", "ThresholdedRelu"}
OF_INTEGERS = {"Abs", "Neg", "Sign"}


def functions():
    for name, first, (low, high), forms in FUNCTIONS:
        last = max(first, LAST_OPSET)
        for opset in versions(name, first=first):
            case(name, f"opset_{opset}", values(2, 3, 4, low=low, high=high), opset=opset)
        for label, attributes in forms.items():
            case(name, label, values(2, 5, low=low, high=high), opset=last, **attributes)
        for dtype in filter(lambda dtype: takes(name, dtype), [np.float64, np.float16]):
            case(name, np.dtype(dtype).name, values(2, 5, dtype=dtype, low=low, high=high), opset=last)
        special = [0.0, -0.0] if name in NOT_SPECIAL else [np.inf, -np.inf, np.nan, 0.0, -0.0]
        case(name, "special", np.array(special, np.float32), opset=last)
        case(name, "large", np.array([30, -30, 100, -100, 1e4, -1e4], np.float32), opset=last)
        for dtype in [np.int8, np.int32, np.int64] if name in OF_INTEGERS else []:
            case(name, np.dtype(dtype).name, values(2, 5, dtype=dtype, low=-9, high=9), opset=last)
    case("Round", "halves", np.array([0.5, -0.5, 1.5, 2.5, -1.5, -2.5, 0.49999997, 8388609.0], np.float32))
    case("Sign", "uint8", np.array([0, 1, 255], np.uint8))
    case("Abs", "uint8", np.array([0, 1, 255], np.uint8))


def running_sums():
    x = values(2, 3, 4)
    for opset in versions("CumSum", first=11):
        case("CumSum", f"opset_{opset}", x, Weight(np.array(1, np.int64)), opset=opset)
    for label, attributes in {"exclusive": dict(exclusive=1), "reverse": dict(reverse=1), "both": dict(exclusive=1, reverse=1)}.items():
        case("CumSum", label, x, Weight(np.array(2, np.int64)), **attributes)
        case("CumSum", f"{label}_first_axis", x, Weight(np.array(0, np.int32)), **attributes)
    case("CumSum", "negative_axis", x, Weight(np.array(-3, np.int64)))
    case("CumSum", "axis_of_one_element", x, Weight(integers(1)))
    case("CumSum", "axis_is_input", x, np.array(1, np.int32))
    case("CumSum", "rank_1", values(7), Weight(np.array(0, np.int64)))
    case("CumSum", "one", values(3, 1), Weight(np.array(1, np.int64)), exclusive=1)
    case("CumSum", "special", np.array([1, np.inf, 2, -np.inf, 3, np.nan, 4], np.float32), Weight(np.array(0, np.int64)))
    for dtype in filter(lambda dtype: takes("CumSum", dtype), [np.float64, np.float16, np.int32, np.int64, np.uint32, np.uint64]):
        low = 0 if np.issubdtype(dtype, np.unsignedinteger) else -9
        case("CumSum", np.dtype(dtype).name, values(2, 5, dtype=dtype, low=low, high=9), Weight(np.array(1, np.int64)))
    case("CumSum", "int32_wraps", np.array([2**31 - 1, 1, 5], np.int32), Weight(np.array(0, np.int64)))


def powers():
    for opset in versions("Pow"):
        case("Pow", f"opset_{opset}", values(2, 3, 4, low=0.125, high=4), values(2, 3, 4, seed=1), opset=opset)
    for exponent in [2.0, 3.0, 0.5, -1.0, 0.0, 1.75]:
        label = str(exponent).replace("-", "minus_").replace(".", "_")
        case("Pow", f"exponent_{label}", values(2, 5, low=0.125, high=4), Weight(np.float32(exponent)))
    case("Pow", "negative_base", values(2, 5, low=-4, high=-1), values(2, 1, dtype=np.float32, low=2, high=2))
    case("Pow", "broadcast", values(3, 1, 5, low=0.125), values(2, 1, 4, 1, seed=1))
    case("Pow", "constant_base", Weight(np.float32(2)), values(2, 5))
    case("Pow", "int64_exponent", values(2, 5), Weight(np.array(3, np.int64)))
    case("Pow", "int32_exponent_is_input", values(2, 5, low=0.25), np.array([2, 0, 3, 1, 4], np.int32))
    case("Pow", "int32_base", np.array([0, 1, -3, 7], np.int32), np.array([3, 9, 3, 2], np.int32))
    case("Pow", "int64_base_float_exponent", np.array([0, 1, 4, 9], np.int64), np.array([0.5, 2, 0.5, 1.5], np.float32))
    case("Pow", "float64", values(2, 5, dtype=np.float64, low=0.25), values(2, 5, dtype=np.float64))
    case("Pow", "float16", values(2, 5, dtype=np.float16, low=0.25), values(2, 5, dtype=np.float16))

    x = values(1, 3, 4, 5, low=-4, high=4)
    for opset in versions("PRelu"):
        case("PRelu", f"opset_{opset}", x, Weight(values(3, 1, 1, seed=1)), opset=opset)
    for label, shape in {"scalar": (), "one": (1,), "same": (1, 3, 4, 5), "last": (5,), "row": (4, 1)}.items():
        case("PRelu", f"slope_{label}", x, Weight(values(*shape, seed=1)))
    case("PRelu", "slope_is_input", x, values(3, 1, 1, seed=1))
    for dtype in [np.float64, np.float16, np.int32]:
        case("PRelu", np.dtype(dtype).name, values(2, 5, dtype=dtype, low=-4, high=4), values(5, dtype=dtype, low=-4, high=4, seed=1))


def variadic():
    for name in ["Max", "Min", "Sum", "Mean"]:
        for opset in versions(name):
            first, second = values(2, 3, 4), values(2, 3, 4, seed=1)
            case(name, f"opset_{opset}", first, second, opset=opset)
        case(name, "one_operand", values(2, 3))
        case(name, "three_operands", values(2, 3), values(2, 3, seed=1), values(2, 3, seed=2))
        case(name, "five_operands_broadcast", values(3, 1), values(1, 4, seed=1), values(2, 1, 1, seed=2), values(4, seed=3), values(seed=4))
        case(name, "with_weight", values(2, 3, 4), Weight(values(3, 1)))
        case(name, "weight_of_one", values(2, 3, 4), Weight(np.float32(0.5)))
        case(name, "float64", values(2, 3, dtype=np.float64), values(3, dtype=np.float64, seed=1))
        case(name, "float16", values(2, 3, dtype=np.float16), values(3, dtype=np.float16, seed=1))
        case(name, "empty", values(0, 3), values(1, 3))
    for name in ["Max", "Min"]:
        case(name, "nan", np.array([np.nan, 1, np.inf, -np.inf], np.float32), np.array([1, np.nan, 2, 2], np.float32))
        for dtype in [np.int32, np.int64, np.int8, np.uint8]:
            low = 0 if dtype is np.uint8 else -9
            case(name, np.dtype(dtype).name, values(2, 3, dtype=dtype, low=low, high=9), values(3, dtype=dtype, low=low, high=9, seed=1))


def logic():
    for name in ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"]:
        def pair(dtype=np.float32):
            return values(4, 5, dtype=dtype, low=0, high=3).round(), values(5, dtype=dtype, low=0, high=3, seed=1).round()

        for opset in versions(name, first=12 if name.endswith("OrEqual") else 7):
            case(name, f"opset_{opset}", *(pair(np.int32) if name == "Equal" and opset < 11 else pair()), opset=opset)
        case(name, "broadcast", values(3, 1, 5).round(), values(2, 1, 4, 1, seed=1).round())
        case(name, "scalars", np.array(1, np.float32), np.array(1, np.float32))
        case(name, "with_weight", values(2, 3), Weight(np.float32(0)))
        case(name, "special", np.array([np.nan, np.nan, np.inf, -np.inf, 0.0], np.float32),
             np.array([np.nan, 1, np.inf, np.inf, -0.0], np.float32))
        for dtype in [np.float64, np.float16, np.int32, np.int64, np.int8, np.uint8]:
            case(name, np.dtype(dtype).name, *pair(dtype))
    case("Equal", "bool", np.array([True, False, True]), np.array([True, True, False]))
    left, right = np.array([[True, False], [True, False]]), np.array([[True, True], [False, False]])
    for name in ["And", "Or", "Xor"]:
        case(name, "opset_7", left, right, opset=7)
        case(name, "broadcast", left[0], right[:, :1])
        case(name, "with_weight", left, Weight(np.array(True)))
    case("Not", "opset_7", left, opset=7)
    case("Not", "scalar", np.array(False))
    condition = np.array([[True, False, True], [False, False, True]])
    for opset in versions("Where", first=9):
        case("Where", f"opset_{opset}", condition, values(2, 3), values(2, 3, seed=1), opset=opset)
    case("Where", "broadcast", condition[:1, :2], values(4, 1, 1), values(3, 1, seed=1))
    case("Where", "scalars", condition, Weight(np.float32(1)), Weight(np.float32(-1)))
    case("Where", "infinity", condition, values(2, 3), Weight(np.float32(-np.inf)))
    case("Where", "condition_is_constant", Weight(condition), values(2, 3), values(2, 3, seed=1))
    for dtype in [np.float64, np.float16, np.int32, np.int64, np.int8, np.uint8]:
        case("Where", np.dtype(dtype).name, condition, values(2, 3, dtype=dtype, low=0, high=9), values(3, dtype=dtype, low=0, high=9, seed=1))
    case("Where", "bool", condition, condition[::-1].copy(), np.array([True, False, False]))

    def count(name, start, limit, delta, dtype):
        case("Range", name, *[Weight(np.array(number, dtype)) for number in [start, limit, delta]])

    count("int64", 2, 11, 3, np.int64)
    count("int64_exact", 0, 9, 3, np.int64)
    count("int64_down", 5, -4, -2, np.int64)
    count("int64_empty", 5, 5, 1, np.int64)
    count("int64_crossed", 5, 1, 1, np.int64)
    count("int32", -3, 3, 1, np.int32)
    count("float32", 0.5, 3.25, 0.5, np.float32)
    count("float64_down", 1.0, -1.0, -0.125, np.float64)


REDUCTIONS = ["ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
              "ReduceSum", "ReduceSumSquare"]


def reductions():
    x = values(2, 3, 4, 5, low=0.125, high=2)
    for name in REDUCTIONS:
        moved = 13 if name == "ReduceSum" else 18

        def form(label, array, axes, opset=LAST_OPSET, **attributes):
            if opset < moved:
                case(name, label, array, opset=opset, **({} if axes is None else {"axes": axes}), **attributes)
            else:
                case(name, label, array, *([] if axes is None else [Weight(integers(*axes))]), opset=opset, **attributes)

        for opset in versions(name):
            form(f"opset_{opset}", x, [1, 3], opset=opset)
        # All forms of axes for two operators, whose code the others share.
        many = name in ["ReduceMax", "ReduceSum"]
        for axes in [[0], [1], [3], [-1], [-2, -3], [0, 2], [2, 3], [0, 1, 2, 3], [3, 1]] if many else [[-2, 0]]:
            label = "_".join(map(str, axes)).replace("-", "minus_")
            form(f"axes_{label}", x, axes)
            form(f"axes_{label}_dropped", x, axes, keepdims=0)
        form("no_axes", x, None)
        form("empty_axes", x, [])
        if many:
            form("no_axes_dropped", x, None, keepdims=0)
            form("no_axes_opset_11", x, None, opset=11)
            form("axes_2_3_dropped_opset_11", x, [2, 3], opset=11, keepdims=0)
            form("size_1", values(1, 3, 1, low=0.125), [0, 2])
            form("rank_5", values(2, 1, 3, 2, 2, low=0.125), [1, 3])
        if name in ["ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"]:
            form("noop", x, None, noop_with_empty_axes=1)
            form("noop_empty_axes", x, [], noop_with_empty_axes=1)
            form("noop_with_axes", x, [1], noop_with_empty_axes=1)
        form("vector", values(7, low=0.125, seed=1), [0], keepdims=0)
        form("float64", values(2, 5, dtype=np.float64, low=0.125), [1])
        form("float16", values(2, 5, dtype=np.float16, low=0.125), [1])
        if not name.startswith("ReduceLog"):
            for dtype in [np.int32, np.int64]:
                form(np.dtype(dtype).name, values(2, 5, dtype=dtype, low=1, high=9), [1])
    case("ReduceLogSumExp", "large", np.array([[1000.0, 1001.0], [-1000.0, -1001.0]], np.float32), Weight(integers(1)))
    case("ReduceLogSumExp", "minus_infinity", np.array([[-np.inf, -np.inf], [-np.inf, 1.0]], np.float32), Weight(integers(1)))
    for name in ["ReduceMax", "ReduceMin"]:
        for dtype in [np.int8, np.uint8]:
            low = 0 if dtype is np.uint8 else -100
            case(name, np.dtype(dtype).name, values(2, 5, dtype=dtype, low=low, high=100), Weight(integers(1)))
    for name in ["ArgMax", "ArgMin"]:
        for opset in versions(name):
            case(name, f"opset_{opset}", values(3, 4, 5), opset=opset, axis=1)
        repeated = np.array([[1, 3, 3, 0, 0], [2, 2, 2, 2, 2]], np.float32)
        for axis in [0, 1, 2, -1, -3]:
            case(name, f"axis_{axis}".replace("-", "minus_"), values(3, 4, 5), axis=axis)
            case(name, f"axis_{axis}_dropped".replace("-", "minus_"), values(3, 4, 5), axis=axis, keepdims=0)
        case(name, "axis_by_default", values(3, 4, 5))
        case(name, "first_of_equal", repeated, axis=1)
        case(name, "last_of_equal", repeated, axis=1, select_last_index=1)
        case(name, "vector", values(9), axis=0, keepdims=0)
        for dtype in [np.float64, np.int32, np.int8, np.uint8]:
            low = 0 if dtype is np.uint8 else -9
            case(name, np.dtype(dtype).name, values(2, 5, dtype=dtype, low=low, high=9), axis=1)
    for opset in versions("GlobalMaxPool"):
        case("GlobalMaxPool", f"opset_{opset}", values(2, 3, 7, 8), opset=opset)
    case("GlobalMaxPool", "rank_3", values(2, 3, 7))
    case("GlobalMaxPool", "rank_5", values(1, 3, 2, 3, 4))
    case("GlobalMaxPool", "float16", values(1, 3, 4, 4, dtype=np.float16))


def clip():
    def bound(value, dtype=np.float32):
        return np.array(value, dtype)

    x = values(2, 3, 4, low=-8, high=8)
    case("Clip", "attributes_opset_7", x, opset=7, min=-1.5, max=6.0)
    case("Clip", "attributes_min_opset_7", x, opset=7, min=-1.5)
    case("Clip", "attributes_max_opset_10", x, opset=10, max=2.25)
    case("Clip", "attributes_none_opset_10", x, opset=10)
    for opset in versions("Clip", first=11):
        case("Clip", f"opset_{opset}", x, Weight(bound(-1.5)), Weight(bound(6)), opset=opset)
    case("Clip", "bounds_are_inputs", x, bound(-1), bound(2))
    case("Clip", "min", x, Weight(bound(-1)))
    case("Clip", "max", x, None, Weight(bound(2)))
    case("Clip", "max_is_input", x, None, bound(2))
    case("Clip", "none", x)
    case("Clip", "crossed", x, Weight(bound(3)), Weight(bound(-2)))
    case("Clip", "bounds_of_rank_1", x, Weight(bound([-1])), Weight(bound([2])))
    case("Clip", "scalar", values(), Weight(bound(-1)), Weight(bound(0)))
    case("Clip", "empty", values(0, 3), Weight(bound(-1)), Weight(bound(0)))
    case("Clip", "extremes", np.array([-np.inf, np.inf, -0.0, 0.0, 1e-40, 3.4e38], np.float32), Weight(bound(-1)), Weight(bound(6)))
    case("Clip", "infinite_bounds", x, Weight(bound(-np.inf)), Weight(bound(np.inf)))
    for dtype in [np.float64, np.float16, np.int8, np.uint8, np.int32, np.int64]:
        name = np.dtype(dtype).name
        low = 0 if dtype is np.uint8 else -9
        array = values(2, 5, dtype=dtype, low=low, high=9)
        case("Clip", name, array, Weight(bound(2, dtype)), Weight(bound(5, dtype)))
        case("Clip", f"{name}_max", array, None, Weight(bound(3, dtype)))
        case("Clip", f"{name}_min", array, Weight(bound(3, dtype)))


def activations():
    for opset in versions("Relu"):
        case("Relu", f"opset_{opset}", values(2, 3, 4), opset=opset)
    for rank in range(6):
        case("Relu", f"rank_{rank}", values(*range(2, 2 + rank)))
    case("Relu", "empty", values(2, 0, 3))
    case("Relu", "extremes", np.array([-np.inf, np.inf, -0.0, 0.0, 1e-40, -1e-40, 3.4e38], np.float32))
    for dtype in [np.float64, np.float16, np.int8, np.int32]:
        case("Relu", np.dtype(dtype).name, values(2, 3, dtype=dtype, low=-9, high=9))
    case("HardSwish", "corners", np.array([-3, -3.5, 3, 3.5, 0, -1.5, 1.5, 1e6, -1e6], np.float32))


def dropout():
    for opset in versions("Dropout"):
        case("Dropout", f"opset_{opset}", values(2, 3, 4), opset=opset)
    for opset in versions("Dropout"):
        case("Dropout", f"unread_mask_opset_{opset}", values(2, 3, 4), opset=opset, unread=1)
    case("Dropout", "ratio_opset_7", values(2, 3), opset=7, ratio=0.25)
    case("Dropout", "ratio_and_training_mode", values(2, 3), Weight(np.float32(0.25)), Weight(np.array(False)))


def pools():
    x = values(2, 3, 7, 8)
    forms = {
        "defaults": dict(kernel_shape=[2, 3]),
        "strides": dict(kernel_shape=[3, 2], strides=[2, 3]),
        "pads_uneven": dict(kernel_shape=[3, 3], pads=[0, 1, 2, 1]),
        "global_window": dict(kernel_shape=[7, 8]),
        "auto_pad_same_upper": dict(kernel_shape=[3, 4], auto_pad="SAME_UPPER", strides=[2, 2]),
        "auto_pad_same_lower": dict(kernel_shape=[3, 4], auto_pad="SAME_LOWER", strides=[2, 2]),
        "auto_pad_valid": dict(kernel_shape=[3, 3], auto_pad="VALID", strides=[2, 2]),
        "auto_pad_notset": dict(kernel_shape=[3, 3], auto_pad="NOTSET", pads=[1, 1, 1, 1]),
        "ceil_mode": dict(kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        "ceil_mode_pads": dict(kernel_shape=[3, 3], strides=[3, 2], pads=[1, 1, 1, 1], ceil_mode=1),
        "ceil_mode_last_window_in_padding": dict(kernel_shape=[2, 2], strides=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1),
        "dilations": dict(kernel_shape=[2, 3], dilations=[3, 2]),
        "dilations_pads_strides": dict(kernel_shape=[2, 2], dilations=[2, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        "dilations_ceil_mode": dict(kernel_shape=[2, 2], dilations=[3, 2], strides=[2, 2], ceil_mode=1),
    }
    for name in ["MaxPool", "AveragePool"]:
        for opset in versions(name):
            case(name, f"opset_{opset}", x, opset=opset, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        for label, attributes in forms.items():
            case(name, label, x, **attributes)
        case(name, "rank_3", values(2, 3, 9), kernel_shape=[3], strides=[2], pads=[1, 0])
        case(name, "rank_3_same_lower", values(2, 3, 9), kernel_shape=[4], strides=[3], auto_pad="SAME_LOWER")
        case(name, "rank_5", values(1, 2, 4, 5, 6), kernel_shape=[2, 3, 2], strides=[1, 2, 2], pads=[1, 1, 0, 0, 1, 1])
        case(name, "float16", values(1, 2, 5, 5, dtype=np.float16), kernel_shape=[2, 2])
        case(name, "float64", values(1, 2, 5, 5, dtype=np.float64), kernel_shape=[2, 2])
    case("MaxPool", "all_negative_with_pads", -values(1, 2, 4, 4, low=1), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    for dtype in [np.int8, np.uint8]:
        low = 0 if dtype is np.uint8 else -100
        case("MaxPool", np.dtype(dtype).name, values(1, 2, 5, 5, dtype=dtype, low=low, high=100), kernel_shape=[3, 3],
             pads=[1, 1, 1, 1])
    case("MaxPool", "unread_indices", x, unread=1, kernel_shape=[2, 2], strides=[2, 2])
    for label in ["pads_uneven", "auto_pad_same_upper", "auto_pad_same_lower", "ceil_mode_pads",
                  "ceil_mode_last_window_in_padding", "dilations_pads_strides"]:
        case("AveragePool", f"count_include_pad_{label}", x, count_include_pad=1, **forms[label])
    case("AveragePool", "count_include_pad_opset_7", x, opset=7, count_include_pad=1, **forms["pads_uneven"])
    case("AveragePool", "count_include_pad_ceil_mode_opset_10", x, opset=10, count_include_pad=1, **forms["ceil_mode_pads"])
    case("AveragePool", "count_include_pad_rank_3", values(1, 2, 9), count_include_pad=1, kernel_shape=[4], pads=[3, 2])
    case("AveragePool", "count_include_pad_rank_5", values(1, 2, 4, 4, 4), count_include_pad=1, kernel_shape=[2, 3, 3],
         pads=[1, 1, 1, 0, 1, 1], strides=[2, 2, 2])
    for opset in versions("GlobalAveragePool"):
        case("GlobalAveragePool", f"opset_{opset}", x, opset=opset)
    case("GlobalAveragePool", "rank_3", values(2, 3, 7))
    case("GlobalAveragePool", "rank_5", values(1, 3, 2, 3, 4))
    case("GlobalAveragePool", "float16", values(1, 3, 4, 4, dtype=np.float16))


def large_pools():
    """Windows of MaxPool that are searched along one dimension after the other."""
    x = values(2, 3, 19, 21)
    forms = {
        "pads": dict(kernel_shape=[5, 5], pads=[2, 2, 2, 2]),
        "as_large_as_the_image": dict(kernel_shape=[19, 21], pads=[9, 10, 9, 10]),
        "pads_uneven": dict(kernel_shape=[7, 5], pads=[0, 4, 6, 1]),
        "dilations_pads_strides": dict(kernel_shape=[5, 6], dilations=[3, 2], pads=[4, 3, 2, 5], strides=[2, 3]),
        "ceil_mode": dict(kernel_shape=[5, 7], strides=[3, 4], pads=[1, 2, 0, 3], ceil_mode=1),
        "auto_pad_same_lower": dict(kernel_shape=[6, 6], strides=[2, 2], auto_pad="SAME_LOWER"),
    }
    for label, attributes in forms.items():
        case("MaxPool", f"large_{label}", x, **attributes)
    case("MaxPool", "large_all_negative", -values(1, 2, 6, 7, low=1), kernel_shape=[5, 5], pads=[4, 4, 4, 4])
    case("MaxPool", "large_rank_5", values(1, 2, 7, 6, 8), kernel_shape=[3, 4, 5], strides=[1, 2, 2], pads=[1, 2, 0, 1, 1, 3])
    case("MaxPool", "large_float16", values(1, 2, 9, 9, dtype=np.float16), kernel_shape=[5, 5], pads=[2, 2, 2, 2])
    case("MaxPool", "large_float64", values(1, 2, 9, 9, dtype=np.float64), kernel_shape=[5, 5], pads=[2, 2, 2, 2])
    for dtype, low in [(np.int8, -100), (np.uint8, 0)]:
        case("MaxPool", f"large_{np.dtype(dtype).name}", values(1, 2, 9, 9, dtype=dtype, low=low, high=100), kernel_shape=[5, 5],
             pads=[2, 2, 2, 2])


def pools_beyond_the_input():
    """Windows that are larger than the padded input, by less than a step: rounded up, there is one."""
    x = values(2, 3, 6, 5)
    forms = {
        "ceil_mode_one_window": dict(kernel_shape=[8, 6], strides=[3, 2], ceil_mode=1),
        "ceil_mode_one_window_pads": dict(kernel_shape=[9, 4], strides=[4, 3], pads=[1, 0, 0, 0], ceil_mode=1),
        "ceil_mode_one_window_dilations": dict(kernel_shape=[3, 3], strides=[2, 3], dilations=[3, 3], ceil_mode=1),
    }
    for label, attributes in forms.items():
        for name in ["MaxPool", "AveragePool"]:
            case(name, label, x, **attributes)
        case("AveragePool", f"count_include_pad_{label}", x, count_include_pad=1, **attributes)


def pool_indices():
    """The second output of MaxPool. Its windows are those of `pools`, without dilations under auto_pad, of which onnxruntime makes other
    windows than ONNX says."""
    x = values(2, 3, 7, 8)
    forms = {
        "": dict(kernel_shape=[2, 2], strides=[2, 2]),
        "pads": dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        "pads_uneven": dict(kernel_shape=[3, 3], pads=[0, 1, 2, 1]),
        "auto_pad_same_upper": dict(kernel_shape=[3, 4], auto_pad="SAME_UPPER", strides=[2, 2]),
        "auto_pad_same_lower": dict(kernel_shape=[3, 4], auto_pad="SAME_LOWER", strides=[2, 2]),
        "auto_pad_valid": dict(kernel_shape=[3, 3], auto_pad="VALID", strides=[2, 2]),
        "ceil_mode": dict(kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        "ceil_mode_last_window_in_padding": dict(kernel_shape=[2, 2], strides=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1),
        "dilations_pads_strides": dict(kernel_shape=[2, 2], dilations=[2, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        "storage_order_1": dict(kernel_shape=[2, 2], strides=[2, 2], storage_order=1),
        "storage_order_1_pads": dict(kernel_shape=[3, 2], pads=[1, 0, 2, 1], storage_order=1),
        "global_window": dict(kernel_shape=[7, 8]),
    }
    indices = lambda label, array, **attributes: case(
        "MaxPool", f"indices_{label}".rstrip("_"), array, outputs=2, **attributes)
    for label, attributes in forms.items():
        indices(label, x, **attributes)
    for opset in versions("MaxPool", first=8):
        indices(f"opset_{opset}", x, opset=opset, kernel_shape=[2, 2], strides=[2, 2])
    indices("rank_3", values(2, 3, 9), kernel_shape=[3], strides=[2])
    indices("rank_3_storage_order_1", values(2, 3, 9), kernel_shape=[3], pads=[1, 1], storage_order=1)
    deep = dict(kernel_shape=[2, 3, 2], strides=[1, 2, 2], pads=[1, 1, 0, 0, 1, 1])
    indices("rank_5", values(2, 2, 4, 5, 6), **deep)
    indices("rank_5_storage_order_1", values(2, 2, 4, 5, 6), storage_order=1, **deep)
    # Many are equal, and the smallest numbers of their types are among them: what padding is as a number must not win.
    window = dict(kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    for dtype in [np.float32, np.float64, np.float16]:
        array = values(1, 2, 6, 6, dtype=dtype, low=-1, high=1).round()
        array[array < 0] = -np.inf
        indices(f"ties_{np.dtype(dtype).name}", array, **window)
    indices("ties_int8", values(1, 2, 6, 6, dtype=np.int8, low=-128, high=-127), **window)
    indices("ties_uint8", values(1, 2, 6, 6, dtype=np.uint8, low=0, high=1), **window)
    indices("nothing_but_infinity", np.full((1, 1, 4, 4), -np.inf, np.float32), **window)
    # onnxruntime takes a NaN for the maximum where it comes first; what the maximum itself is then is another question.
    only = lambda form, array, **attributes: network(
        "MaxPool", form, [helper.make_node("MaxPool", ["x"], ["y", "i"], name="MaxPool_0", **attributes)], {"x": array}, "i")
    only("indices_only", x, kernel_shape=[2, 2], strides=[2, 2])
    nan = values(1, 2, 6, 6)
    nan[:, :, ::2, 1::3] = np.nan
    only("indices_nan", nan, kernel_shape=[2, 2])
    only("indices_nan_pads", nan, dilations=[1, 2], **window)
    # Back to where they came from, as SegNet does; the size of the pool's input is not always what its windows cover.
    pool = lambda stride: node("MaxPool", "x", "y i", kernel_shape=[2, 2], strides=[stride, stride])
    unpool = lambda inputs, stride: node("MaxUnpool", inputs, "z", kernel_shape=[2, 2], strides=[stride, stride])
    network("MaxUnpool", "of_max_pool", [pool(2), unpool("y i", 2)], {"x": values(2, 3, 6, 8)}, "z")
    network("MaxUnpool", "of_max_pool_overlapping", [pool(1), unpool("y i", 1)], {"x": values(2, 3, 6, 8)}, "z")
    network("MaxUnpool", "of_max_pool_odd", [pool(2), unpool("y i s", 2)], {"x": x}, "z", {"s": integers(2, 3, 7, 8)})
    network("MaxUnpool", "of_max_pool_shape", [pool(2), node("Shape", "x", "s"), unpool("y i s", 2)], {"x": x}, "z")
    # Indices that come by way of what leaves them as they are.
    shapes = {"s": integers(2, 3, 7, 8), "flat": integers(-1), "whole": integers(2, 3, 3, 4), "axis": integers(0)}
    ways = {
        "identity": [node("Identity", "i", "j")],
        "cast": [helper.make_node("Cast", ["i"], ["h"], to=TensorProto.INT32), helper.make_node("Cast", ["h"], ["j"], to=TensorProto.INT64)],
        "reshape": [node("Reshape", "i flat", "h"), node("Reshape", "h whole", "j")],
        "unsqueeze": [node("Unsqueeze", "i axis", "h"), node("Squeeze", "h axis", "j")],
    }
    for form, way in ways.items():
        network("MaxUnpool", f"of_max_pool_{form}", [pool(2), *way, unpool("y j s", 2)], {"x": x}, "z", shapes)


def matrices():
    a, b = values(3, 4), values(4, 5, seed=1)
    for opset in versions("Gemm"):
        case("Gemm", f"opset_{opset}", a, Weight(b), Weight(values(5)), opset=opset)
    case("Gemm", "no_c", a, b)
    case("Gemm", "c_left_out_by_name", a, b, None)
    case("Gemm", "alpha_beta", a, b, values(3, 5, seed=2), alpha=0.5, beta=-2.0)
    case("Gemm", "beta_zero", a, b, values(3, 5, seed=2), beta=0.0)
    case("Gemm", "transpose_a", values(4, 3), b, values(5), transA=1)
    case("Gemm", "transpose_b", a, Weight(values(5, 4)), Weight(values(5)), transB=1)
    case("Gemm", "transpose_both", values(4, 3), values(5, 4), transA=1, transB=1, alpha=1.5)
    for label, shape in {"scalar": (), "one": (1,), "row": (1, 5), "column": (3, 1), "matrix": (3, 5), "vector": (5,)}.items():
        case("Gemm", f"c_{label}", a, b, values(*shape, seed=2))
    case("Gemm", "int32", values(2, 3, dtype=np.int32, low=-9, high=9), values(3, 2, dtype=np.int32, low=-9, high=9))
    case("Gemm", "float64", values(2, 3, dtype=np.float64), values(3, 2, dtype=np.float64), values(2, dtype=np.float64))
    case("Gemm", "float16", values(2, 3, dtype=np.float16), values(3, 2, dtype=np.float16), values(2, dtype=np.float16))

    for opset in versions("MatMul"):
        case("MatMul", f"opset_{opset}", a, Weight(b), opset=opset)
    shapes = {
        "1x1": ((4,), (4,)), "1x2": ((4,), (4, 5)), "2x1": ((3, 4), (4,)), "1x3": ((4,), (2, 4, 5)), "3x1": ((2, 3, 4), (4,)),
        "3x2": ((2, 3, 4), (4, 5)), "2x3": ((3, 4), (2, 4, 5)), "3x3": ((2, 3, 4), (2, 4, 5)), "4x4": ((2, 3, 2, 4), (2, 3, 4, 5)),
    }
    for label, (left, right) in shapes.items():
        case("MatMul", f"rank_{label}", values(*left), values(*right, seed=1))
    case("MatMul", "broadcast_batch", values(2, 1, 3, 4), values(5, 4, 2, seed=1))
    case("MatMul", "broadcast_both_batches", values(2, 1, 1, 3, 4), values(3, 2, 4, 2, seed=1))
    case("MatMul", "empty_inner", values(2, 0), values(0, 3))
    case("MatMul", "weight_left", Weight(values(2, 3)), values(3, 4))
    for dtype in [np.int32, np.int64]:
        case("MatMul", np.dtype(dtype).name, values(2, 3, dtype=dtype, low=-9, high=9), values(3, 2, dtype=dtype, low=-9, high=9))
    case("MatMul", "float64", values(2, 3, dtype=np.float64), values(3, 2, dtype=np.float64))
    case("MatMul", "float16", values(2, 3, dtype=np.float16), values(3, 2, dtype=np.float16))


def softmax():
    for opset in versions("Softmax"):
        case("Softmax", f"opset_{opset}", values(2, 3, 4, low=-4, high=4), opset=opset)
    for axis in [-4, -3, -2, -1, 0, 1, 2, 3]:
        case("Softmax", f"axis_{axis}".replace("-", "minus_"), values(2, 3, 4, 2, low=-4, high=4), axis=axis)
    for axis in [0, 1, 2, 3]:
        case("Softmax", f"flattening_axis_{axis}_opset_7", values(2, 3, 4, 2, low=-4, high=4), opset=7, axis=axis)
    for axis in [-1, -2, -4]:
        case("Softmax", f"flattening_axis_minus_{-axis}_opset_11", values(2, 3, 4, 2, low=-4, high=4), opset=11, axis=axis)
    case("Softmax", "rank_1", values(5), axis=0)
    case("Softmax", "rank_2", values(2, 5))
    case("Softmax", "rank_5", values(1, 2, 3, 2, 2), axis=2)
    case("Softmax", "large_values", np.array([[1000.0, 1001.0, -1000.0], [-88.0, -1e30, 88.0]], np.float32))
    case("Softmax", "float64", values(2, 5, dtype=np.float64))
    case("Softmax", "float16", values(2, 5, dtype=np.float16))


def concat():
    for opset in versions("Concat"):
        case("Concat", f"opset_{opset}", values(2, 3), values(2, 1, seed=1), opset=opset, axis=1)
    for rank in range(1, 6):
        for axis in {0, rank - 1, rank // 2}:
            shape = list(range(2, 2 + rank))
            longer = [size + (2 if dimension == axis else 0) for dimension, size in enumerate(shape)]
            case("Concat", f"rank_{rank}_axis_{axis}", values(*shape), values(*longer, seed=1), axis=axis)
    case("Concat", "axis_minus_1", values(2, 3), values(2, 2), axis=-1)
    case("Concat", "axis_minus_3", values(1, 2, 3), values(2, 2, 3), axis=-3)
    case("Concat", "one_operand", values(2, 3), axis=0)
    case("Concat", "five_operands", *[values(1, n, 2, seed=n) for n in range(1, 6)], axis=1)
    case("Concat", "with_weight", values(2, 3), Weight(values(1, 3)), values(1, 3, seed=4), axis=0)
    case("Concat", "with_empty", values(2, 3), values(0, 3), axis=0)
    for dtype in [np.int64, np.int32, np.int8, np.uint8, np.float64, np.float16]:
        case("Concat", np.dtype(dtype).name, values(2, dtype=dtype, low=0, high=9), values(3, dtype=dtype, low=0, high=9), axis=0)
    case("Concat", "bool", np.array([True, False]), np.array([False, True, True]), axis=0)


def slices():
    x = values(3, 5, 6)
    case("Slice", "attributes_opset_7", x, opset=7, starts=[1, 0], ends=[3, 4], axes=[0, 2])
    case("Slice", "attributes_no_axes_opset_7", x, opset=7, starts=[1, 2], ends=[3, 1000])
    case("Slice", "attributes_negative_opset_9", x, opset=9, starts=[-3, 1], ends=[-1, 2147483647], axes=[1, 0])
    for opset in versions("Slice", first=10):
        case("Slice", f"opset_{opset}", x, *map(Weight, [integers(0, 1), integers(2, 5), integers(0, 2), integers(1, 2)]), opset=opset)

    def form(name, starts, ends, axes=None, steps=None, array=x, dtype=np.int64):
        operands = [None if o is None else Weight(np.array(o, dtype)) for o in [starts, ends, axes, steps]]
        while operands[-1] is None:
            operands.pop()
        case("Slice", name, array, *operands)

    form("no_axes", [0, 1, 2], [2, 4, 5])
    form("no_axes_with_steps", [0, 1], [3, 5], None, [2, 3])
    form("negative_starts_ends", [-2, -4], [-1, -1], [0, 1])
    form("negative_axes", [1, 1], [3, 4], [-3, -1])
    form("ends_past_the_end", [1], [2**63 - 1], [1])
    form("starts_before_the_start", [-1000], [2], [1])
    form("steps", [0, 1], [5, 6], [1, 2], [2, 3])
    form("negative_steps", [4, 5], [0, 0], [1, 2], [-1, -2])
    form("reversed", [-1], [-(2**63)], [1], [-1])
    form("reversed_from_past_the_end", [1000], [-1000], [2], [-2])
    form("empty_result", [3], [3], [1])
    form("empty_result_crossed", [4], [1], [1])
    form("starts_past_the_end", [7], [9], [1])
    form("int32_indices", [1, 0], [4, 6], [1, 2], [1, 2], dtype=np.int32)
    form("one_of_rank_5", [1], [2], [3], array=values(1, 2, 3, 4, 2))
    form("rank_1", [1], [4], [0], array=values(6))
    for dtype in [np.int64, np.int32, np.float64, np.float16, np.int8, np.uint8]:
        form(np.dtype(dtype).name, [1], [3], [0], array=values(4, 2, dtype=dtype, low=0, high=9))
    form("bool", [1], [3], [0], array=np.array([True, False, True, True]))


def pads():
    x = values(2, 3, 4)
    case("Pad", "attributes_opset_7", x, opset=7, pads=[0, 1, 2, 1, 0, 3])
    case("Pad", "attributes_value_opset_7", x, opset=7, pads=[0, 1, 2, 1, 0, 3], value=1.5)
    case("Pad", "attributes_reflect_opset_7", x, opset=7, pads=[0, 1, 2, 0, 2, 3], mode="reflect")
    case("Pad", "attributes_edge_opset_7", x, opset=7, pads=[0, 1, 2, 1, 2, 3], mode="edge")
    case("Pad", "attributes_negative_opset_7", x, opset=7, pads=[0, -1, 0, 0, 0, -2])
    for opset in versions("Pad", first=11):
        case("Pad", f"opset_{opset}", x, Weight(integers(0, 1, 2, 1, 0, 3)), Weight(np.float32(-0.5)), opset=opset)

    def form(name, amounts, *more, array=x, opset=LAST_OPSET, **attributes):
        case("Pad", name, array, Weight(integers(*amounts)), *more, opset=opset, **attributes)

    form("no_value", [0, 1, 2, 1, 0, 3])
    form("value_left_out_by_name", [1, 2], None, Weight(integers(1)))
    form("axes", [1, 2, 0, 3], Weight(np.float32(2)), Weight(integers(2, 0)))
    form("negative_axes", [1, 0, 1, 1], Weight(np.float32(2)), Weight(integers(-1, -2)))
    form("reflect", [1, 2, 3, 0, 1, 2], mode="reflect")
    form("reflect_axes", [3, 2], None, Weight(integers(2)), mode="reflect")
    form("edge", [1, 0, 3, 2, 5, 1], mode="edge")
    form("wrap", [1, 2, 3, 0, 1, 2], mode="wrap")
    for mode in ["wrap", "reflect", "edge"]:
        form(f"{mode}_cut_before_it_is_repeated", [0, -1, 2, 1, 1, -1], mode=mode)
    form("negative", [0, -1, -1, -1, 0, 0], Weight(np.float32(9)))
    form("negative_and_positive", [1, -1, 0, 0, 2, -2], Weight(np.float32(9)))
    form("rank_1", [2, 1], array=values(3))
    form("rank_4", [0, 0, 1, 2, 0, 0, 3, 4], array=values(1, 2, 3, 2))
    form("rank_4_reflect", [0, 0, 1, 2, 0, 0, 2, 1], array=values(1, 2, 3, 4), mode="reflect")
    form("rank_5_edge", [0, 0, 1, 0, 1, 0, 1, 0, 2, 0], array=values(1, 2, 2, 2, 3), mode="edge")
    form("zero_amounts", [0, 0, 0, 0, 0, 0])
    for dtype in [np.int64, np.int32, np.float64, np.float16, np.int8, np.uint8]:
        form(np.dtype(dtype).name, [0, 1, 1, 2], Weight(np.array(3, dtype)), array=values(2, 2, dtype=dtype, low=0, high=9))
    form("bool", [1, 2], Weight(np.array(True)), array=np.array([False, True]))


def shapes():
    x = values(2, 3, 4, 5)
    for opset in versions("Flatten"):
        case("Flatten", f"opset_{opset}", x, opset=opset)
    for axis in [-4, -3, -1, 0, 2, 3, 4]:
        case("Flatten", f"axis_{axis}".replace("-", "minus_"), x, axis=axis)
    case("Flatten", "rank_1", values(5), axis=0)
    case("Flatten", "rank_1_axis_1", values(5), axis=1)
    case("Flatten", "scalar", values(), axis=0)
    case("Flatten", "rank_5", values(1, 2, 3, 2, 2), axis=3)

    for opset in versions("Reshape"):
        case("Reshape", f"opset_{opset}", x, Weight(integers(2, 12, 5)), opset=opset)
    forms = {"infer": (4, -1, 5), "copy": (0, -1, 0), "copy_all": (0, 0, 0, 0), "vector": (-1,), "rank_6": (1, 2, 3, 2, 2, 5)}
    for label, shape in forms.items():
        case("Reshape", label, x, Weight(integers(*shape)))
    case("Reshape", "to_scalar", values(1, 1), Weight(np.zeros(0, np.int64)))
    case("Reshape", "from_scalar", values(), Weight(integers(1, 1, 1)))
    case("Reshape", "empty_copies_zero", values(0, 3), Weight(integers(0, 3, 1)))
    case("Reshape", "allowzero", values(0, 3), Weight(integers(3, 0)), allowzero=1)
    case("Reshape", "allowzero_without_zero", values(2, 3), Weight(integers(3, -1)), allowzero=1)

    for opset in versions("Transpose"):
        case("Transpose", f"opset_{opset}", x, opset=opset, perm=[0, 2, 3, 1])
    case("Transpose", "reversed_by_default", x)
    case("Transpose", "matrix", values(2, 3))
    case("Transpose", "rank_1", values(3))
    case("Transpose", "scalar", values())
    case("Transpose", "rank_3", values(2, 3, 4), perm=[1, 0, 2])
    case("Transpose", "rank_5", values(1, 2, 3, 4, 2), perm=[4, 1, 3, 0, 2])
    case("Transpose", "rank_6", values(2, 1, 2, 3, 2, 2), perm=[5, 0, 3, 1, 4, 2])
    case("Transpose", "identity", x, perm=[0, 1, 2, 3])
    for dtype in [np.int64, np.int8, np.float64, np.float16]:
        case("Transpose", np.dtype(dtype).name, values(2, 3, dtype=dtype, low=0, high=9), perm=[1, 0])

    case("Unsqueeze", "attributes_opset_7", values(2, 3), opset=7, axes=[0, 3])
    case("Unsqueeze", "attributes_negative_opset_11", values(2, 3), opset=11, axes=[-1, 0])
    for opset in versions("Unsqueeze", first=13):
        case("Unsqueeze", f"opset_{opset}", values(2, 3), Weight(integers(0, 3)), opset=opset)
    for label, axes in {"negative": (-1, -3), "unordered": (3, 0, 2), "one": (1,), "minus_1": (-1,)}.items():
        case("Unsqueeze", label, values(2, 3), Weight(integers(*axes)))
    case("Unsqueeze", "scalar", values(), Weight(integers(0)))
    case("Unsqueeze", "scalar_twice", np.array(7, np.int64), Weight(integers(0, 1)))

    for opset in versions("Shape"):
        case("Shape", f"opset_{opset}", x, opset=opset)
    for label, attributes in {
        "start": dict(start=1), "end": dict(end=3), "start_end": dict(start=1, end=3), "negative": dict(start=-3, end=-1),
        "clamped": dict(start=-100, end=100), "empty_range": dict(start=3, end=1),
    }.items():
        case("Shape", label, x, **attributes)
    case("Shape", "scalar", values())
    case("Shape", "with_zero", values(2, 0))

    for opset in versions("Identity"):
        case("Identity", f"opset_{opset}", x, opset=opset)
    case("Identity", "scalar", values())
    case("Identity", "of_weight", Weight(values(2, 3)))
    for dtype in [np.int64, np.float64, np.bool_]:
        case("Identity", np.dtype(dtype).name, np.array([1, 0, 3]).astype(dtype))


def gather():
    x = values(3, 4, 5)
    for opset in versions("Gather"):
        case("Gather", f"opset_{opset}", x, Weight(integers(2, 0)), opset=opset)
    for axis in [0, 1, 2, -1, -3]:
        case("Gather", f"axis_{axis}".replace("-", "minus_"), x, Weight(integers(2, 0, 1)), axis=axis)
    case("Gather", "scalar_index", x, Weight(np.array(1, np.int64)), axis=1)
    case("Gather", "scalar_index_of_vector", np.array([5, 6, 7], np.int64), Weight(np.array(-1, np.int64)))
    case("Gather", "matrix_of_indices", x, Weight(np.array([[0, 2], [3, 1], [1, 1]], np.int64)), axis=1)
    case("Gather", "negative_indices", x, Weight(integers(-1, -3, 0)))
    case("Gather", "int32_indices", x, Weight(np.array([[2, 1]], np.int32)), axis=2)
    case("Gather", "indices_are_input", x, integers(1, 1, 2))
    case("Gather", "data_is_weight", Weight(values(5, 3)), integers(4, 0))
    case("Gather", "empty_indices", x, Weight(np.zeros((0,), np.int64)))
    case("Gather", "rank_5", values(2, 1, 3, 2, 2), Weight(integers(2, 0)), axis=2)
    for dtype in [np.int64, np.int32, np.int8, np.float64, np.float16]:
        case("Gather", np.dtype(dtype).name, values(4, 2, dtype=dtype, low=0, high=9), Weight(integers(3, 1)))


def cast():
    x = np.array([[-2.5, -1.0, -0.75, 0.0], [0.5, 1.5, 100.25, 2.0]], np.float32)
    for opset in versions("Cast"):
        case("Cast", f"opset_{opset}", x, opset=opset, to=TensorProto.INT32)
    targets = {"float": np.float32, "double": np.float64, "float16": np.float16, "int64": np.int64, "int32": np.int32,
               "int8": np.int8, "uint8": np.uint8, "bool": np.bool_}
    for source, dtype in targets.items():
        array = x if np.dtype(dtype).kind == "f" else np.array([0, 1, 2, 100]) if dtype is not np.bool_ else np.array([0, 1])
        for target in targets:
            plain = np.abs(array) if target == "uint8" else array
            case("Cast", f"{source}_to_{target}", plain.astype(dtype), to=getattr(TensorProto, target.upper()))
    case("Cast", "float_to_float16_rounds", np.array([0.1, 1 / 3, 65504, 1e-7, 6e-8, 2049, 2051], np.float32), to=TensorProto.FLOAT16)
    case("Cast", "int64_to_float_rounds", np.array([2**24 + 1, 2**53 + 1, -(2**62) - 1], np.int64), to=TensorProto.FLOAT)
    case("Cast", "double_to_float_rounds", np.array([0.1, 1e300, -1e-300, 16777217], np.float64), to=TensorProto.FLOAT)
    case("Cast", "scalar", np.array(3, np.int64), to=TensorProto.FLOAT)


def constants():
    tensor = numpy_helper.from_array(values(2, 3), "value")
    for opset in versions("Constant"):
        case("Constant", f"opset_{opset}", opset=opset, value=tensor)
    case("Constant", "value_float", value_float=1.5)
    case("Constant", "value_floats", value_floats=[1.5, -2.0])
    case("Constant", "value_int", value_int=-7)
    case("Constant", "value_ints", value_ints=[1, -2, 3])
    case("Constant", "value_float_opset_12", opset=12, value_float=1.5)
    for dtype in [np.int64, np.int32, np.int8, np.uint8, np.float64, np.float16]:
        case("Constant", np.dtype(dtype).name, value=numpy_helper.from_array(values(3, dtype=dtype, low=0, high=9)))
    case("Constant", "bool", value=numpy_helper.from_array(np.array([True, False])))
    case("Constant", "scalar", value=numpy_helper.from_array(np.array(4, np.int64)))
    case("Constant", "empty", value=numpy_helper.from_array(np.zeros((0, 2), np.float32)))

    for opset in versions("ConstantOfShape", first=9):
        case("ConstantOfShape", f"opset_{opset}", Weight(integers(2, 3)), opset=opset)
    for dtype in [np.float32, np.float64, np.float16, np.int64, np.int32, np.int8, np.uint8, np.bool_]:
        case("ConstantOfShape", f"value_{np.dtype(dtype).name}", Weight(integers(2, 2)),
             value=numpy_helper.from_array(np.array([1]).astype(dtype)))
    case("ConstantOfShape", "scalar", Weight(np.zeros(0, np.int64)))
    case("ConstantOfShape", "empty", Weight(integers(2, 0)))
    case("ConstantOfShape", "rank_5", Weight(integers(1, 2, 1, 2, 1)), value=numpy_helper.from_array(np.array([2.5], np.float32)))


def encodings():
    """The same weights in each way that a TensorProto can hold them."""

    def encoded(name, element, numbers, shape, reference):
        tensor = helper.make_tensor("w", element, shape, numbers)
        assert not tensor.raw_data
        node = helper.make_node("Concat", ["x", "w"], ["y"], name="Concat_0", axis=0)
        record("encodings", name, [node], {"x": reference}, ["y"], LAST_OPSET, {"w": tensor})

    encoded("float_data", TensorProto.FLOAT, [1.5, -2.25, 0.1], [3], values(2))
    encoded("double_data", TensorProto.DOUBLE, [1.5, -2.25, 0.1], [3], values(2, dtype=np.float64))
    encoded("int64_data", TensorProto.INT64, [1, -(2**60), 3], [3], values(2, dtype=np.int64))
    encoded("int32_data", TensorProto.INT32, [1, -(2**30), 3], [3], values(2, dtype=np.int32))
    encoded("int8_in_int32_data", TensorProto.INT8, [1, -128, 127], [3], values(2, dtype=np.int8))
    encoded("uint8_in_int32_data", TensorProto.UINT8, [1, 255, 127], [3], values(2, dtype=np.uint8, low=0))
    encoded("bool_in_int32_data", TensorProto.BOOL, [1, 0, 1], [3], np.array([True, False]))
    encoded("float16_in_int32_data", TensorProto.FLOAT16, [1.5, -2.25, 0.1], [3], values(2, dtype=np.float16))
    node = helper.make_node("Add", ["x", "w"], ["y"])
    record("encodings", "node_without_name", [node], {"x": values(2, 3)}, ["y"], LAST_OPSET, {"w": values(3)})
    node = helper.make_node("Add", ["x/a:0", "w.b"], ["y c"], name="scope/Add:1")
    record("encodings", "names_with_punctuation", [node], {"x/a:0": values(2, 3)}, ["y c"], LAST_OPSET, {"w.b": values(3)})
    node = helper.make_node("Add", ["x", "w"], ["y"], name="Add_0")
    record("encodings", "initializer_is_input_ir_3", [node], {"x": values(2, 3)}, ["y"], 8, {"w": values(3)},
           ir_version=3, overridable=["w"])


def networks():
    """Several nodes: what exporters write around the operators."""

    def node(operator, inputs, outputs, name=None, **attributes):
        return helper.make_node(operator, inputs.split(), outputs.split(), name=name or f"{operator}_{outputs}", **attributes)

    def network(name, nodes, feeds, outputs, initializers=None, opset=13, shapes=None, **more):
        record("networks", name, nodes, feeds, outputs.split(), opset, initializers, shapes, **more)

    x = values(2, 3, 6, 6)
    parameters = {"w": values(4, 3, 3, 3), "b": values(4), "scale": values(4, seed=1), "shift": values(4, seed=2),
                  "mean": values(4, seed=3), "variance": values(4, low=0.5, seed=4)}
    block = [node("Conv", "x w b", "c", pads=[1, 1, 1, 1]), node("BatchNormalization", "c scale shift mean variance", "n"),
             node("Relu", "n", "y")]
    network("conv_batch_normalization_relu", block, {"x": x}, "y", parameters)
    no_bias = {name: array for name, array in parameters.items() if name != "b"}
    network("conv_without_bias_batch_normalization", [node("Conv", "x w", "c"), *block[1:]], {"x": x}, "y", no_bias)
    network("conv_read_twice_is_not_fused", [*block, node("Relu", "c", "z")], {"x": x}, "y z", parameters)
    network("dynamic_batch", block, {"x": x}, "y", parameters, shapes={"x": ["batch", 3, 6, 6]})
    network("dynamic_batch_height_width", block, {"x": x}, "y", parameters, shapes={"x": ["batch", 3, None, "width"]})
    network("residual", [node("Conv", "x w", "c", pads=[1, 1, 1, 1]), node("Add", "c x", "s"), node("Relu", "s", "y")],
            {"x": x}, "y", {"w": values(3, 3, 3, 3)})
    network("input_is_output_too", [node("Relu", "x", "y"), node("Identity", "x", "z")], {"x": x}, "y z")
    network("intermediate_is_output", [node("Relu", "x", "r"), node("Add", "r r", "y")], {"x": x}, "r y")
    network("weight_is_output", [node("Relu", "x", "y"), node("Identity", "w", "z")], {"x": x}, "y z", {"w": values(3)})
    network("unused_input_and_node", [node("Relu", "x", "y"), node("Add", "x x", "dead")], {"x": x, "unused": values(2)}, "y")
    network("constant_chain", [
        node("Constant", "", "a", value=numpy_helper.from_array(values(3, 1, 1))), node("Mul", "a a", "b"),
        node("Unsqueeze", "b axes", "c"), node("Add", "x c", "y")], {"x": x}, "y", {"axes": integers(0)})
    flatten = [
        node("Shape", "x", "s"), node("Constant", "", "zero", value=numpy_helper.from_array(np.array(0, np.int64))),
        node("Gather", "s zero", "g", axis=0), node("Unsqueeze", "g axes", "u"), node("Concat", "u minus_one", "t", axis=0),
        node("Reshape", "x t", "y")]
    constants_ = {"axes": integers(0), "minus_one": integers(-1)}
    network("flatten_through_shape", flatten, {"x": x}, "y", constants_)
    network("flatten_through_shape_dynamic", flatten, {"x": x}, "y", constants_, shapes={"x": ["batch", 3, 6, 6]})
    shortcut = [
        node("Slice", "x starts ends axes steps", "s"),
        node("ConstantOfShape", "length", "zeros", value=numpy_helper.from_array(np.array([0], np.int64))),
        node("Concat", "amounts zeros", "joined", axis=0), node("Reshape", "joined pairs", "r"),
        node("Slice", "r from to first back", "reversed"), node("Transpose", "reversed", "t", perm=[1, 0]),
        node("Reshape", "t all", "flat"), node("Cast", "flat", "pads", to=TensorProto.INT64), node("Pad", "s pads value", "y")]
    network("torch_pad_shortcut", shortcut, {"x": x}, "y", {
        "starts": integers(0, 0), "ends": integers(2**62, 2**62), "axes": integers(2, 3), "steps": integers(2, 2),
        "length": integers(4), "amounts": integers(0, 0, 1, 2), "pairs": integers(-1, 2), "from": integers(-1),
        "to": integers(-(2**63)), "first": integers(0), "back": integers(-1), "all": integers(-1), "value": np.float32(0),
    }, opset=12)
    network("classifier", [
        node("Conv", "x w b", "c", strides=[2, 2]), node("Relu", "c", "r"), node("GlobalAveragePool", "r", "g"),
        node("Flatten", "g", "f"), node("Gemm", "f m n", "l", transB=1), node("Softmax", "l", "y", axis=1)],
        {"x": x}, "y", {"w": values(4, 3, 3, 3), "b": values(4), "m": values(5, 4), "n": values(5)})
    network("concat_of_branches", [
        node("MaxPool", "x", "a", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), node("Conv", "x w", "b"),
        node("AveragePool", "x", "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), node("Concat", "a b c", "y", axis=1)],
        {"x": x}, "y", {"w": values(2, 3, 1, 1)})
    network("two_inputs", [node("MatMul", "a b", "m"), node("Add", "m c", "y")],
            {"a": values(2, 3), "b": values(3, 4), "c": values(4)}, "y")


FAMILIES = [conv, conv_transpose, resize, rearrangements, statistics, batch_normalization, elementwise, functions,
            running_sums, powers, variadic, clip, logic, reductions, activations, dropout, pools, large_pools, pools_beyond_the_input, pool_indices, matrices, softmax, concat, slices,
            pads, shapes, gather, cast, constants, encodings, networks]


def node(operator, inputs, outputs, **attributes):
    """A node; names are separated by one space, an absent one is empty."""
    names = lambda text: text.split(" ") if text else []
    return helper.make_node(operator, names(inputs), names(outputs), name=f"{operator}_{outputs.split()[0]}", **attributes)


def network(operator, form, nodes, feeds, outputs, initializers=None, opset=LAST_OPSET, expected=None):
    record(operator, form, nodes, feeds, outputs.split(), opset, initializers, expected=expected)


def main():
    wanted = sys.argv[1:]
    families = [(family.__name__, family) for family in FAMILIES]
    families += [(family.__name__, lambda family=family: family(sys.modules[__name__]))
                 for family in make_control_cases.FAMILIES + make_node_cases.FAMILIES
                 + make_quantized_cases.FAMILIES]
    if wanted:
        unknown = set(wanted) - {name for name, _ in families}
        if unknown:
            sys.exit(f"no such family: {', '.join(sorted(unknown))}")
    else:
        shutil.rmtree(FOLDER, ignore_errors=True)
    for name, family in families:
        if not wanted or name in wanted:
            family()
    known = {line[0] for line in cases}
    if wanted:
        with open(os.path.join(FOLDER, "cases.tsv"), encoding="utf-8") as file:
            old = [tuple(line.rstrip("\n").split("\t")) for line in file][1:]
        cases.extend(line for line in old if line[0] not in known)
    with open(os.path.join(FOLDER, "cases.tsv"), "w", encoding="utf-8") as file:
        file.write("case\topset\tinputs\toutputs\trecorded from\n")
        file.writelines("\t".join(line) + "\n" for line in sorted(cases))
    print(f"{len(cases)} cases; onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}", file=sys.stderr)


if __name__ == "__main__":
    main()
