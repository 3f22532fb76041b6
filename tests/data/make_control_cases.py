"""The cases of operators with several results, results of unknown size, and graphs inside: TopK, NonZero, NonMaxSuppression, LSTM,
If, Loop. `make_operator_cases.py` records them. Cases `onnx_...` are the node tests of the onnx package, values and all."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAST_OPSET = 22


def node_tests(recorder, operator):
    """The onnx package's own tests of an operator; opset 22 where they are of a later one that changed only the types allowed."""
    from onnx.backend.test.case.node import collect_testcases
    for test in node_tests.all or collect_testcases(None):
        node_tests.all.append(test) if not node_tests.done else None
    node_tests.done = True
    for test in node_tests.all:
        if not any(node.op_type == operator for node in test.model.graph.node) or len(test.model.graph.node) > 6:
            continue
        values = [*test.model.graph.input, *test.model.graph.output]
        if any(value.type.WhichOneof("value") != "tensor_type" for value in values):
            continue
        model = onnx.ModelProto()
        model.CopyFrom(test.model)
        for opset in model.opset_import:
            opset.version = min(opset.version, LAST_OPSET)
        model.ir_version = min(model.ir_version, 10)
        inputs, outputs = test.data_sets[0]
        elements = {np.dtype(kind) for kind in ("f2", "f4", "f8", "i8", "i4", "i1", "u1", "bool")}
        if any(np.asarray(array).dtype not in elements for array in [*inputs, *outputs]):
            continue
        feeds = {value.name: np.asarray(array) for value, array in zip(model.graph.input, inputs)}
        recorder.store(operator, "onnx_" + test.name.removeprefix("test_"), model, feeds,
                       [value.name for value in model.graph.output], [np.asarray(array) for array in outputs],
                       model.opset_import[0].version, "onnx node test")


node_tests.all, node_tests.done = [], False


def top_k(r):
    x = r.values(3, 5, 4, low=-3, high=3)
    for opset in (10, 11):
        r.case("TopK", f"opset_{opset}", x, r.Weight(r.integers(3)), opset=opset, outputs=2)
    r.case("TopK", "opset_7", x, opset=7, outputs=2, k=2)
    for axis in (0, 1, 2, -1, -3):
        r.case("TopK", f"axis_{axis}".replace("-", "minus_"), x, r.Weight(r.integers(2)), outputs=2, axis=axis)
    for dtype in (np.float64, np.int64, np.int32):
        for largest in (0, 1):
            array = r.values(4, 7, dtype=dtype, low=-4, high=4)
            r.case("TopK", f"{np.dtype(dtype).name}_{'largest' if largest else 'smallest'}", array, r.Weight(r.integers(4)),
                   outputs=2, largest=largest)
    for dtype in (np.float16, np.int8, np.uint8):
        array = r.values(4, 7, dtype=dtype, low=0, high=9)
        order = np.argsort(-array.astype(np.float64), axis=-1, kind="stable")[:, :4]
        r.case("TopK", np.dtype(dtype).name, array, r.Weight(r.integers(4)), outputs=2,
               expected=[np.take_along_axis(array, order, -1), order])
    ones = np.array([[1, 3, 3, 1, 2, 3]], np.float32)
    r.case("TopK", "ties", ones, r.Weight(r.integers(5)), outputs=2)
    r.case("TopK", "ties_smallest", ones, r.Weight(r.integers(5)), outputs=2, largest=0)
    r.case("TopK", "infinities", np.array([np.inf, -np.inf, 0, 5, -5], np.float32), r.Weight(r.integers(3)), outputs=2)
    r.case("TopK", "all", x, r.Weight(r.integers(4)), outputs=2)
    r.case("TopK", "none", x, r.Weight(r.integers(0)), outputs=2)
    r.case("TopK", "k_when_running", x, r.integers(2), outputs=2, axis=1)
    r.case("TopK", "k_when_running_none", x, r.integers(0), outputs=2)
    r.case("TopK", "k_when_running_all", x, r.integers(3), outputs=2, axis=0, largest=0)
    r.network("TopK", "then_elementwise", [
        r.node("TopK", "x k", "v i"), r.node("Cast", "i", "f", to=TensorProto.FLOAT), r.node("Mul", "v f", "m"),
        r.node("Sigmoid", "m", "y"), r.node("Shape", "m", "s")], {"x": x, "k": r.integers(3)}, "y s")
    node_tests(r, "TopK")


def non_zero(r):
    for dtype in (np.float32, np.int64, np.int32, np.uint8, bool):
        r.case("NonZero", np.dtype(dtype).name, (r.values(3, 4, low=-1, high=1, dtype=np.int64)).astype(dtype))
    r.case("NonZero", "nothing", np.zeros((2, 3), np.float32))
    r.case("NonZero", "everything", np.ones((2, 3, 2), np.float32))
    r.case("NonZero", "vector", np.array([0, 1, 0, 2], np.float32))
    r.case("NonZero", "opset_9", np.array([[0, 1], [-0.0, 2]], np.float32), opset=9)
    x = r.values(5, 3, low=-1, high=1)
    r.network("NonZero", "gather_rows", [
        r.node("ReduceSum", "x axis", "s", keepdims=0), r.node("Greater", "s zero", "g"), r.node("NonZero", "g", "n"),
        r.node("Squeeze", "n first", "i"), r.node("Gather", "x i", "y", axis=0), r.node("Add", "y y", "z"),
        r.node("Transpose", "z", "t", perm=[1, 0]), r.node("Slice", "z starts ends second", "c"),
        r.node("Concat", "z c", "k", axis=1), r.node("Unsqueeze", "k first", "u")],
        {"x": x}, "y t k u", {"axis": r.integers(1), "zero": np.float32(0), "first": r.integers(0), "second": r.integers(1),
                              "starts": r.integers(1), "ends": r.integers(3)})
    # A mask that does not change: what it selects has a size like any other.
    mask, weights, rows = np.array([1, 0, 1, 1], bool), {"w": r.values(6, 2)}, {"x": r.values(4, 6)}
    r.network("NonZero", "constant_mask", [
        r.node("NonZero", "mask", "n"), r.node("Transpose", "n", "t", perm=[1, 0]), r.node("GatherND", "x t", "g"),
        r.node("MatMul", "g w", "y"), r.node("ReduceSum", "g", "s")], rows, "y s", {"mask": mask, **weights})
    r.network("NonZero", "constant_mask_of_ones", [
        r.node("Shape", "x", "shape"), r.node("Gather", "shape zero", "count"), r.node("ConstantOfShape", "count", "ones", value=helper.make_tensor("one", TensorProto.INT64, [1], [1])),
        r.node("NonZero", "ones", "n"), r.node("Squeeze", "n zero", "i"), r.node("Gather", "x i", "g"), r.node("MatMul", "g w", "y")],
        rows, "y", {"zero": r.integers(0), **weights})
    r.network("NonZero", "constant_compress", [
        r.node("Compress", "x mask", "g", axis=0), r.node("MatMul", "g w", "y"), r.node("Concat", "g g", "c", axis=1)], rows, "y c",
        {"mask": mask, **weights})
    r.network("NonZero", "constant_unique", [
        r.node("Unique", "parts", "u"), r.node("Gather", "x u", "g"), r.node("MatMul", "g w", "y")], rows, "y",
        {"parts": r.integers(2, 0, 2), **weights})
    node_tests(r, "NonZero")


def non_max_suppression(r):
    generator = np.random.default_rng(5)
    def boxes(batch, count):
        corner = generator.uniform(0, 4, (batch, count, 2))
        size = generator.uniform(0.5, 3, (batch, count, 2))
        return np.concatenate([corner, corner + size], -1).astype(np.float32)
    b, s = boxes(2, 12), generator.uniform(0, 1, (2, 3, 12)).astype(np.float32)
    most, overlap, least = r.integers(4), np.array([0.4], np.float32), np.array([0.3], np.float32)
    name = "NonMaxSuppression"
    for opset in (10, 11):
        r.case(name, f"opset_{opset}", b, s, r.Weight(most), r.Weight(overlap), r.Weight(least), opset=opset)
    r.case(name, "center_point_box", b, s, r.Weight(most), r.Weight(overlap), r.Weight(least), center_point_box=1)
    r.case(name, "no_score_threshold", b, s, r.Weight(most), r.Weight(overlap))
    r.case(name, "no_overlap_threshold", b, s, r.Weight(most))
    r.case(name, "no_number", b, s)
    r.case(name, "only_score_threshold", b, s, r.Weight(most), None, r.Weight(least))
    r.case(name, "flipped_corners", b[..., [2, 1, 0, 3]], s, r.Weight(most), r.Weight(overlap))
    r.case(name, "all_when_running", b, s, most, overlap, least)
    r.case(name, "more_than_boxes", b, s, r.Weight(r.integers(100)), r.Weight(np.array([1.0], np.float32)))
    r.case(name, "nothing", b, s, r.Weight(most), r.Weight(overlap), r.Weight(np.array([2.0], np.float32)))
    r.case(name, "equal_scores", b, np.full_like(s, 0.5), r.Weight(most), r.Weight(overlap))
    r.case(name, "no_area", np.repeat(np.array([[[1, 1, 1, 3]]], np.float32), 4, 1), s[:1, :1, :4], r.Weight(most), r.Weight(overlap))
    r.network(name, "then_gather", [
        r.node(name, "b s most overlap least", "n"), r.node("Gather", "n two", "i", axis=1), r.node("Squeeze", "i one", "j"),
        r.node("Gather", "flat j", "y", axis=0), r.node("Mul", "y half", "z")],
        {"b": b[:1], "s": s[:1], "flat": b[0]}, "n z",
        {"most": most, "overlap": overlap, "least": least, "two": r.integers(2), "one": r.integers(1), "half": np.float32(0.5)})
    node_tests(r, name)


def model(r, operands, **attributes):
    """An LSTM of opset 14; operands by their letter, those that are missing are absent."""
    names = [key if key in operands else "" for key in "xwrblhcp"]
    graph_ = helper.make_graph([helper.make_node("LSTM", names, ["y0", "y1", "y2"], **attributes)], "g",
                               [r.info(key, array) for key, array in operands.items()],
                               [onnx.ValueInfoProto(name=f"y{index}") for index in range(3)])
    made = helper.make_model(graph_, opset_imports=[helper.make_opsetid("", 14)])
    made.ir_version = 8
    return made


def max_roi_pool(r):
    x = r.values(2, 3, 9, 8)
    rois = np.array([[0, 1, 2, 12, 15], [1, 0, 0, 3, 3], [1, 4.5, 2.5, 30, 40], [0, 7, 7, 7, 7], [0, 20, 20, 30, 30], [0, 9, 9, 2, 2]], np.float32)
    # onnxruntime has no kernel of opset 22, where nothing changed but bfloat16.
    for opset in (7, 21):
        r.case("MaxRoiPool", f"opset_{opset}", x, rois, pooled_shape=[3, 2], spatial_scale=0.5, opset=opset)
    r.case("MaxRoiPool", "no_scale", x, rois, pooled_shape=[2, 4], opset=21)
    r.case("MaxRoiPool", "constant_regions", x, r.Weight(rois), pooled_shape=[1, 1], spatial_scale=0.25, opset=21)
    r.case("MaxRoiPool", "one_channel", x[:, :1], rois[:1], pooled_shape=[7, 7], opset=21)


def lstm(r):
    steps, batch, inputs, hidden = 5, 3, 4, 6
    def operands(directions, dtype=np.float32):
        make = lambda *shape, seed: (r.values(*shape, seed=seed) / 2).astype(dtype)
        return dict(
            x=make(steps, batch, inputs, seed=1), w=make(directions, 4 * hidden, inputs, seed=2),
            r=make(directions, 4 * hidden, hidden, seed=3), b=make(directions, 8 * hidden, seed=4),
            h=make(directions, batch, hidden, seed=5), c=make(directions, batch, hidden, seed=6),
            p=make(directions, 3 * hidden, seed=7))
    def case(form, directions=1, without="lpbhc", lengths=(5, 2, 3), outputs=3, opset=LAST_OPSET, dtype=np.float32,
             expected=None, **attributes):
        o = operands(directions, dtype)
        take = lambda key: None if key in without else r.Weight(o[key])
        length = None if "l" in without else np.array(lengths, np.int32)
        state = lambda key: None if key in without else o[key]
        r.case("LSTM", form, o["x"], r.Weight(o["w"]), r.Weight(o["r"]), take("b"), length, state("h"), state("c"), take("p"),
               outputs=outputs, opset=opset, hidden_size=hidden, expected=expected, **attributes)
    case("plain")
    for opset in (7, 14):
        case(f"opset_{opset}", without="", opset=opset)
    case("bias", without="lphc")
    case("initial", without="lpb")
    case("peepholes", without="lhc")
    case("lengths", without="pbhc")
    case("everything", without="")
    # onnxruntime has only f32: what it computes is rounded.
    for dtype in (np.float16, np.float64):
        o = operands(1)
        expected = [array.astype(dtype) for array in r.session_outputs(model(r, o, hidden_size=hidden), {k: o[k] for k in "xwrbhcp"})[0]]
        case(np.dtype(dtype).name, without="l", dtype=dtype, expected=expected)
    for direction, directions in (("reverse", 1), ("bidirectional", 2)):
        case(direction, directions, direction=direction)
        case(f"{direction}_everything", directions, without="", direction=direction)
    case("clip", without="l", clip=0.4)
    case("clip_bidirectional", 2, without="", clip=0.3, direction="bidirectional")
    case("input_forget", without="l", input_forget=1)
    case("activations", without="lhc", activations=["HardSigmoid", "Relu", "Softsign"], activation_alpha=[0.3], activation_beta=[0.4])
    case("activations_bidirectional", 2, without="lhc", direction="bidirectional",
         activations=["Sigmoid", "Elu", "LeakyRelu", "HardSigmoid", "ScaledTanh", "ThresholdedRelu"],
         activation_alpha=[0.5, 0.2, 0.3, 0.7, 0.1], activation_beta=[0.45, 0.8])
    case("activations_affine", without="lhc", activations=["Sigmoid", "Affine", "Softplus"], activation_alpha=[0.5], activation_beta=[0.1])
    case("only_all_states", outputs=1)
    o = operands(2)
    network = lambda form, outs, expected=None, **attributes: r.network(
        "LSTM", form, [r.node("LSTM", "x w r b  h c p", outs, **attributes)],
        {key: o[key] for key in "xhc"}, " ".join(outs.split()), {key: o[key] for key in "wrbp"}, expected=expected)
    both = dict(hidden_size=hidden, direction="bidirectional")
    network("only_last_state", " h_1", **both)
    network("only_last_cell", "  c_1", **both)
    # onnxruntime has no layout 1: the same with the batch moved.
    lengths = np.array([5, 2, 3], np.int32)
    (y, h, c), _ = r.session_outputs(model(r, {**o, "l": lengths}, **both), {**o, "l": lengths})
    first = lambda array: np.ascontiguousarray(np.swapaxes(array, 0, 1))
    r.network("LSTM", "layout_1", [r.node("LSTM", "x w r b l h c p", "y0 y1 y2", layout=1, **both)],
              {"x": first(o["x"]), "h": first(o["h"]), "c": first(o["c"]), "l": lengths}, "y0 y1 y2",
              {key: o[key] for key in "wrbp"}, expected=[np.ascontiguousarray(y.transpose(2, 0, 1, 3)), first(h), first(c)])
    node_tests(r, "LSTM")


def graph(nodes, inputs, outputs, initializers=None):
    kinds = {"f": TensorProto.FLOAT, "i": TensorProto.INT64, "b": TensorProto.BOOL}
    infos = lambda values: [helper.make_tensor_value_info(name, kinds[kind], shape) for name, kind, shape in values]
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in (initializers or {}).items()]
    return helper.make_graph(nodes, "graph", infos(inputs), infos(outputs), tensors)


def if_(r):
    x = r.values(2, 3)
    node = r.node
    for condition in (True, False):
        form = str(condition).lower()
        then = graph([node("Relu", "x", "t")], [], [("t", "f", [2, 3])])
        other = graph([node("Mul", "x two", "e")], [], [("e", "f", [2, 3])], {"two": np.float32(2)})
        branch = lambda **_: node("If", "c", "y", then_branch=then, else_branch=other)
        for opset in (7, 11, 13, 22):
            r.network("If", f"{form}_opset_{opset}", [branch()], {"c": np.array(condition), "x": x}, "y", opset=opset)
        r.network("If", f"{form}_constant", [branch()], {"x": x}, "y", {"c": np.array(condition)})
        # The branches differ in size, and one gives what it captures.
        rows = graph([node("Concat", "x x", "t", axis=0)], [], [("t", "f", [4, 3])])
        same = graph([node("Identity", "x", "e")], [], [("e", "f", [2, 3])])
        r.network("If", f"{form}_sizes", [node("If", "c", "m", then_branch=rows, else_branch=same), node("Neg", "m", "y")],
                  {"c": np.array(condition), "x": x}, "m y")
        # Two results, one If inside another, captures through both.
        inner = lambda out: graph([node("Add", "x k", out)], [], [(out, "f", [2, 3])])
        nested = graph([node("If", "d", "n", then_branch=inner("p"), else_branch=same), node("Exp", "k", "o")], [],
                       [("n", "f", [2, 3]), ("o", "f", [])])
        flat = graph([node("Sub", "x k", "n2"), node("Abs", "k", "o2")], [], [("n2", "f", [2, 3]), ("o2", "f", [])])
        for d in (True, False):
            r.network("If", f"{form}_nested_{str(d).lower()}", [node("If", "c", "y z", then_branch=nested, else_branch=flat)],
                      {"c": np.array(condition), "d": np.array(d), "x": x}, "y z", {"k": np.float32(1.5)})
        # A shape inside of a branch depends on a constant outside.
        shaped = graph([node("Reshape", "x shape", "t")], [], [("t", "f", [3, 2])])
        turned = graph([node("Transpose", "x", "e", perm=[1, 0])], [], [("e", "f", [3, 2])])
        r.network("If", f"{form}_reshape", [node("If", "c", "y", then_branch=shaped, else_branch=turned)],
                  {"c": np.array([condition]), "x": x}, "y", {"shape": r.integers(3, 2)})
        # Other ranks, but which branch it is is known.
        flat = graph([node("Reshape", "x shape", "t")], [], [("t", "f", [6])])
        r.network("If", f"{form}_constant_ranks", [node("If", "c", "y", then_branch=flat, else_branch=same)],
                  {"x": x}, "y", {"shape": r.integers(6), "c": np.array(condition)})
    node_tests(r, "If")


def cells(r):
    """GRU and RNN: directions, clip, functions, lengths and states."""
    steps, batch, inputs = 5, 3, 4
    def case(operator, gates, form, directions=1, lengths=None, state=False, bias=True, hidden=6, **attributes):
        make = lambda *shape, seed: r.values(*shape, seed=seed) / 2
        take = lambda here, *shape, seed: r.Weight(make(*shape, seed=seed)) if here else None
        length = None if lengths is None else np.array(lengths, np.int32)
        r.case(operator, form, make(steps, batch, inputs, seed=1), r.Weight(make(directions, gates * hidden, inputs, seed=2)),
               r.Weight(make(directions, gates * hidden, hidden, seed=3)), take(bias, directions, 2 * gates * hidden, seed=4), length,
               make(directions, batch, hidden, seed=5) if state else None, outputs=2, hidden_size=hidden, **attributes)
    for operator, gates, functions in (("GRU", 3, ["HardSigmoid", "Softsign"]), ("RNN", 1, ["Affine"])):
        case(operator, gates, "plain", bias=False)
        case(operator, gates, "reverse_lengths", lengths=(5, 2, 3), direction="reverse")
        case(operator, gates, "bidirectional_state", 2, lengths=(1, 5, 4), state=True, direction="bidirectional")
        constants = {"activation_alpha": [0.4], "activation_beta": [0.3]}
        case(operator, gates, "functions_clip", activations=functions, clip=0.75, **constants)
    # More units than registers hold at a time.
    case("RNN", 1, "units_70", state=True, hidden=70)
    case("GRU", 3, "linear_before_reset", linear_before_reset=1)
    case("GRU", 3, "linear_before_reset_bidirectional", 2, lengths=(5, 2, 3), state=True, direction="bidirectional",
         linear_before_reset=1, clip=1.25)


def roi_align(r):
    x = r.values(2, 3, 9, 7)
    rois = np.array([[0, 0, 6, 8], [1.5, 2.25, 4.5, 7.75], [-2, -1, 3, 3], [5, 7, 12, 14]], np.float32)
    samples = np.array([0, 1, 1, 0], np.int64)
    for form, opset, attributes in (
            ("one_bin", 16, {}), ("opset_10", 10, {"output_height": 3, "output_width": 2, "sampling_ratio": 2}),
            ("half_pixel", 16, {"output_height": 3, "output_width": 2, "sampling_ratio": 2}),
            ("output_half_pixel", 16, {"output_height": 2, "output_width": 2, "sampling_ratio": 1,
                                       "coordinate_transformation_mode": "output_half_pixel"}),
            ("as_many_points_as_pixels", 22, {"output_height": 2, "output_width": 3, "spatial_scale": 0.5})):
        r.case("RoiAlign", form, x, rois, samples, opset=opset, **attributes)


def scan(r):
    node = r.node
    x, s = r.values(2, 4, 3), r.values(2, 3, seed=1)
    body = graph([node("Add", "a p", "b"), node("Mul", "b p", "q")], [("a", "f", [2, 3]), ("p", "f", [2, 3])],
                 [("b", "f", [2, 3]), ("q", "f", [2, 3])])
    for form, attributes in (("axis_1", {}), ("reverse", {"scan_input_directions": [1]}),
                             ("output_axis_2_reverse", {"scan_output_axes": [2], "scan_output_directions": [1]}),
                             ("both_reverse_last_axis", {"scan_input_directions": [1], "scan_output_directions": [1],
                                                         "scan_output_axes": [-1]})):
        scanned = node("Scan", "s x", "y z", body=body, num_scan_inputs=1, scan_input_axes=[1], **attributes)
        r.network("Scan", form, [scanned], {"s": s, "x": x}, "y z")


def loop(r):
    node = r.node
    x = r.values(2, 3)
    scalar = lambda value: np.array(value, np.int64)
    body = graph([node("Identity", "go", "on"), node("Add", "a x", "b"), node("Mul", "b k", "part")],
                 [("i", "i", []), ("go", "b", []), ("a", "f", [2, 3])],
                 [("on", "b", []), ("b", "f", [2, 3]), ("part", "f", [2, 3])])
    constants = {"k": np.float32(0.5), "yes": np.array(True)}
    for opset in (7, 11, 13, 22):
        r.network("Loop", f"constant_trips_opset_{opset}", [node("Loop", "m yes a", "y s", body=body)], {"a": x, "x": x}, "y s",
                  {**constants, "m": scalar(4)}, opset=opset)
    limit = [node("Min", "n most", "m"), node("Loop", "m yes a", "y s", body=body)]
    for trips in (0, 1, 3, 9):
        r.network("Loop", f"trips_{trips}_of_5", limit, {"n": scalar(trips), "a": x, "x": x}, "y s", {**constants, "most": scalar(5)})
    carried = graph([node("Identity", "go", "on"), node("Add", "a x", "b")],
                    [("i", "i", []), ("go", "b", []), ("a", "f", [2, 3])], [("on", "b", []), ("b", "f", [2, 3])])
    for trips in (0, 4):
        r.network("Loop", f"trips_{trips}_carried", [node("Loop", "n  a", "y", body=carried)], {"n": scalar(trips), "a": x, "x": x}, "y")
    # One value of the body is carried and collected.
    twice = graph([node("Identity", "go", "on"), node("Add", "a x", "b")], [("i", "i", []), ("go", "b", []), ("a", "f", [2, 3])],
                  [("on", "b", []), ("b", "f", [2, 3]), ("b", "f", [2, 3])])
    r.network("Loop", "output_twice", [node("Loop", "m yes a", "y s", body=twice)], {"a": x, "x": x}, "y s", {**constants, "m": scalar(3)})
    # While the sum is small; the number of the iteration counts.
    count = graph([node("Cast", "i", "f", to=TensorProto.FLOAT), node("Add", "a f", "b"), node("Less", "b limit", "on"),
                   node("Identity", "b", "part")],
                  [("i", "i", []), ("go", "b", []), ("a", "f", [])], [("on", "b", []), ("b", "f", []), ("part", "f", [])])
    for limit_ in (0, 6.5, 1000):
        r.network("Loop", f"while_below_{limit_}".replace(".", "_"), [node("Loop", "m yes a", "y s", body=count)],
                  {"a": np.array(0.5, np.float32), "limit": np.array(limit_, np.float32)}, "y s", {"yes": np.array(True), "m": scalar(10)})
    for condition in (True, False):
        r.network("Loop", f"condition_{str(condition).lower()}", [node("Loop", "m c a", "y s", body=count)],
                  {"a": np.array(0.5, np.float32), "limit": np.array(7, np.float32), "c": np.array(condition)}, "y s", {"m": scalar(6)})
    r.network("Loop", "without_limit", [node("Loop", " c a", "y", body=graph(
        list(count.node)[:3], [("i", "i", []), ("go", "b", []), ("a", "f", [])], [("on", "b", []), ("b", "f", [])]))],
        {"a": np.array(0.5, np.float32), "limit": np.array(30, np.float32), "c": np.array(True)}, "y")
    # An If in a Loop, and a Loop in a Loop.
    odd = graph([node("Neg", "a", "t")], [], [("t", "f", [2, 3])])
    even = graph([node("Add", "a x", "e")], [], [("e", "f", [2, 3])])
    with_if = graph([node("Identity", "go", "on"), node("Sub", "i two", "rest"), node("Equal", "rest one", "is"),
                     node("If", "is", "b", then_branch=odd, else_branch=even)],
                    [("i", "i", []), ("go", "b", []), ("a", "f", [2, 3])], [("on", "b", []), ("b", "f", [2, 3])])
    r.network("Loop", "if_inside", [node("Loop", "n yes a", "y", body=with_if)], {"n": scalar(5), "a": x, "x": x}, "y",
              {"two": scalar(2), "one": scalar(1), "yes": np.array(True)})
    outer = graph([node("Identity", "go", "on"), node("Loop", "three yes a", "b parts", body=body)],
                  [("i", "i", []), ("go2", "b", []), ("a", "f", [2, 3])],
                  [("on", "b", []), ("b", "f", [2, 3]), ("parts", "f", [3, 2, 3])])
    outer.node[0].input[0] = "go2"
    inner = graph([node("Identity", "go", "on1"), node("Add", "a1 x", "b1"), node("Mul", "b1 k", "part1")],
                  [("i1", "i", []), ("go", "b", []), ("a1", "f", [2, 3])],
                  [("on1", "b", []), ("b1", "f", [2, 3]), ("part1", "f", [2, 3])])
    outer.node[1].attribute[0].g.CopyFrom(inner)
    r.network("Loop", "loop_inside", [node("Loop", "two yes a", "y s", body=outer)], {"a": x, "x": x}, "y s",
              {**constants, "two": scalar(2), "three": scalar(3)})
    node_tests(r, "Loop")


def untyped(graph_):
    """Exporters leave the types of what branches give empty."""
    for output in graph_.output:
        output.type.Clear()
    return graph_


def unknown_sizes(r):
    """What is done along a dimension whose size is known only when running."""
    node = r.node
    network = lambda form, nodes, feeds, outputs, more: r.network("unknown_sizes", form, nodes, feeds, outputs, more)
    x = r.values(7, 3, low=-1, high=1)
    # The rows of x whose sum is above a limit.
    rows = [node("ReduceSum", "x last", "sums", keepdims=0), node("Greater", "sums limit", "above"), node("NonZero", "above", "n"),
            node("Squeeze", "n first", "i"), node("Gather", "x i", "rows", axis=0), node("Gather", "sums i", "scores", axis=0)]
    constants = {"last": r.integers(1), "first": r.integers(0)}
    for name, limit in (("some", 0), ("all", -100), ("none", 100)):
        limits = {**constants, "limit": np.float32(limit)}
        network(f"concat_{name}", [*rows, node("Concat", "more rows more rows", "y", axis=0), node("Add", "y y", "z"),
                                   node("Shape", "y", "s")], {"x": x}, "y z s", {**limits, "more": r.values(2, 3, seed=1)})
        network(f"concat_other_axis_{name}", [
            *rows, node("Transpose", "rows", "t", perm=[1, 0]), node("Concat", "t t one", "y", axis=-1)], {"x": x}, "y",
            {**limits, "one": r.values(3, 1, seed=1)})
        network(f"concat_twice_{name}", [
            *rows, node("Concat", "rows more", "j", axis=0), node("Concat", "j j", "y", axis=0), node("Concat", "j j", "w", axis=1)],
            {"x": x}, "y w", {**limits, "more": r.values(1, 3, seed=1)})
        # The last row is the one that was appended, wherever it is.
        network(f"gather_{name}", [
            *rows, node("Concat", "rows more", "j", axis=0), node("Gather", "j places", "y", axis=0)], {"x": x}, "y",
            {**limits, "more": r.values(1, 3, seed=1), "places": r.integers(0, -1)})
        network(f"pool_indices_{name}", [
            *rows, node("Unsqueeze", "rows single", "r"), node("MaxPool", "r", "y p", kernel_shape=[2])], {"x": x}, "y p",
            {**limits, "single": r.integers(1)})
        network(f"rows_{name}", [
            *rows, node("MatMul", "rows w", "y"), node("Reshape", "rows parts", "p"), node("Reshape", "scores column", "c"),
            node("Slice", "rows zero two first one", "s"), node("Reshape", "c flat", "f"), node("Add", "f scores", "g")],
            {"x": x}, "y p s g", {**limits, "w": r.values(3, 4, seed=2), "parts": r.integers(1, -1, 1, 3), "column": r.integers(-1, 1),
                                  "flat": r.integers(-1), "zero": r.integers(0), "two": r.integers(2), "one": r.integers(1)})
        sums = ("ReduceSum", "ReduceMean", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "ReduceMax", "ReduceMin")
        # Of no rows at all onnxruntime has no mean and no extremes.
        sums = sums if name != "none" else ("ReduceSum", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare")
        network(f"reduced_{name}", [*rows, *(node(reduction, "rows first", reduction, keepdims=0) for reduction in sums),
                                    node("ReduceSum", "rows", "all", keepdims=1)], {"x": x}, " ".join([*sums, "all"]), limits)
        network(f"gather_nd_{name}", [
            *rows[:3], node("Transpose", "n", "places", perm=[1, 0]), node("GatherND", "x places", "y"), node("Greater", "x limit", "many"),
            node("NonZero", "many", "n2"), node("Transpose", "n2", "p2", perm=[1, 0]), node("GatherND", "x p2", "z"), node("ReduceSum", "z", "s")],
            {"x": x}, "y z s", limits)
        # What PyTorch writes for x[mask] = 0.5, and for rows[...] = values of as many rows.
        network(f"scatter_nd_{name}", [
            *rows[:3], node("Transpose", "n", "places", perm=[1, 0]), node("Shape", "places", "s"), node("Slice", "s zero one zero", "count"),
            node("Concat", "count three", "shape", axis=0), node("Expand", "half shape", "updates"), node("ScatterND", "x places updates", "y"),
            node("Greater", "x limit", "many"), node("NonZero", "many", "n2"), node("Transpose", "n2", "p2", perm=[1, 0]), node("Shape", "p2", "s2"),
            node("Gather", "s2 zero", "count2"), node("ConstantOfShape", "count2", "zeros"), node("ScatterND", "x p2 zeros", "z", reduction="add"),
            node("GatherND", "x p2", "own"), node("Neg", "own", "negative"), node("ScatterND", "x p2 negative", "w")],
            {"x": x}, "y z w updates", {**limits, "zero": r.integers(0), "one": r.integers(1), "three": r.integers(3), "half": np.float32(0.5)})
        # As many as there are, at most three: what exporters write for min(k, n).
        for form, smaller in (("less", [node("Less", "k count", "is"), node("Where", "is k count", "fewer")]),
                              ("greater", [node("Greater", "k count", "is"), node("Where", "is count k", "fewer")]),
                              ("min", [node("Min", "k count", "fewer")])):
            network(f"top_k_{form}_{name}", [
                *rows, node("Shape", "scores", "s"), node("Gather", "s zero", "count", axis=0), *smaller,
                node("Reshape", "fewer one", "k1"), node("TopK", "scores k1", "v o", axis=0), node("Gather", "rows o", "y", axis=0)],
                {"x": x}, "v o y", {**limits, "zero": np.array(0), "one": r.integers(1), "k": np.array(3)})
        network(f"top_k_of_more_{name}", [
            *rows, node("Concat", "rows more", "j", axis=0), node("TopK", "j k", "v o", axis=0, largest=0),
            node("TopK", "j two", "v2 o2", axis=1)], {"x": x}, "v o v2 o2",
            {**limits, "k": r.integers(2), "two": r.integers(2), "more": r.values(2, 3, seed=1)})
    generator = np.random.default_rng(5)
    corner, size = generator.uniform(0, 4, (2, 1, 12, 2))
    size = size / 2 + 0.5
    boxes = np.concatenate([corner, corner + size], -1).astype(np.float32)
    scores = generator.uniform(0, 1, (1, 3, 12)).astype(np.float32)
    # Boxes that are likely go into NonMaxSuppression; one is appended to the selected ones, and the best of all are kept: the end of a detector.
    for name, least in (("some", 0.7), ("all", 0.0), ("none", 2.0)):
        network(f"detector_{name}", [
            node("ReduceMax", "s one", "best", keepdims=0), node("Squeeze", "best zeros", "b1"), node("Greater", "b1 least", "above"),
            node("NonZero", "above", "n"), node("Squeeze", "n zeros", "i"), node("Gather", "b i", "boxes", axis=1),
            node("Gather", "s i", "scores", axis=2), node("NonMaxSuppression", "boxes scores most overlap", "kept"),
            node("Gather", "kept two", "box", axis=1), node("Gather", "boxes box", "chosen", axis=1),
            node("Concat", "chosen none", "dets", axis=1), node("Gather", "dets zero", "left", axis=2), node("Shape", "left", "shape"),
            node("Gather", "shape onescalar", "count", axis=0), node("Less", "k count", "is"), node("Where", "is k count", "fewer"),
            node("Reshape", "fewer one", "k1"), node("TopK", "left k1", "v o", axis=1), node("Squeeze", "o zeros", "order"),
            node("Gather", "dets order", "y", axis=1)], {"b": boxes, "s": scores}, "kept v y",
            {"one": r.integers(1), "zeros": r.integers(0), "zero": np.array(0), "two": np.array(2), "least": np.float32(least),
             "onescalar": np.array(1), "most": r.integers(4), "overlap": np.array([0.4], np.float32), "k": np.array(5),
             "none": np.zeros((1, 1, 4), np.float32)})
    # Which branch it is follows from shapes; they give other ranks, and do not say their types.
    flat = untyped(graph([node("Squeeze", "x1 last", "t")], [], [("t", "f", None)]))
    same = untyped(graph([node("Identity", "x1", "e")], [], [("e", "f", None)]))
    for name, single in (("then", 1), ("else", 7)):
        network(f"branch_by_shape_{name}", [
            node("Relu", "x0", "x1"), node("Shape", "x1", "shape"), node("Gather", "shape place", "steps", axis=0),
            node("Equal", "steps single", "is"), node("If", "is", "y", then_branch=flat, else_branch=same),
            node("Shape", "y", "ys"), node("Size", "ys", "rank"), node("Equal", "rank two", "isflat"),
            node("If", "isflat", "z", then_branch=untyped(graph([node("Add", "y row", "t1")], [], [("t1", "f", None)])),
                 else_branch=untyped(graph([node("ReduceMean", "y last", "e1", keepdims=0)], [], [("e1", "f", None)])))],
            {"x0": r.values(1, 4, 1)}, "z", {"last": r.integers(-1), "place": np.array(-1), "single": np.array(single), "two": np.array(2),
                                  "row": r.values(1, 4, seed=3)})


def control_networks(r):
    """Convolutions, which the BPU takes, and then what only the CPU does."""
    node = r.node
    x = r.values(1, 3, 16, 16)
    weights = {"w": r.values(8, 3, 3, 3, seed=1) / 4, "v": r.values(6, 8, 3, 3, seed=2) / 8}
    backbone = [node("Conv", "x w", "c", strides=[2, 2], pads=[1, 1, 1, 1]), node("Relu", "c", "p"),
                node("Conv", "p v", "f", pads=[1, 1, 1, 1])]
    network = lambda form, nodes, outputs, more, **extra: r.network(
        "control_networks", form, [*backbone, *nodes], {"x": x, **extra}, outputs, {**weights, **more})
    network("top_k", [node("Flatten", "f", "t"), node("TopK", "t k", "v1 i1")], "v1 i1", {"k": r.integers(7)})
    # An encoder and a decoder as SegNet has them: the maxima stay on the BPU, where they were goes around it.
    network("segnet", [node("MaxPool", "f", "m i", kernel_shape=[2, 2], strides=[2, 2]), node("Conv", "m a", "d", pads=[1, 1, 1, 1]),
                       node("MaxUnpool", "d i", "u", kernel_shape=[2, 2], strides=[2, 2]), node("Conv", "u b", "y", pads=[1, 1, 1, 1])],
            "y", {"a": r.values(6, 6, 3, 3, seed=3) / 8, "b": r.values(4, 6, 3, 3, seed=4) / 8})
    network("detector", [
        node("Split", "f parts", "b s", axis=1), node("Reshape", "b boxes", "b1"), node("Transpose", "b1", "b2", perm=[0, 2, 1]),
        node("Abs", "b2", "b3"), node("Sigmoid", "s", "s1"), node("Reshape", "s1 scores", "s2"),
        node("NonMaxSuppression", "b3 s2 most overlap", "n", center_point_box=1), node("Slice", "n two three one", "j"),
        node("Squeeze", "j one", "i"), node("Squeeze", "b3 zero", "b4"), node("Gather", "b4 i", "y", axis=0)],
        "n y", {"parts": r.integers(4, 2), "boxes": r.integers(1, 4, 64), "scores": r.integers(1, 2, 64), "most": r.integers(5),
                "overlap": np.array([0.3], np.float32), "zero": r.integers(0), "one": r.integers(1), "two": r.integers(2),
                "three": r.integers(3)})
    # As detectors end that always give a box: one of zeros behind those that were selected, then the best of all.
    network("detector_of_all", [
        node("Split", "f parts", "b s", axis=1), node("Reshape", "b boxes", "b1"), node("Transpose", "b1", "b2", perm=[0, 2, 1]),
        node("Abs", "b2", "b3"), node("Sigmoid", "s", "s1"), node("Reshape", "s1 scores", "s2"),
        node("NonMaxSuppression", "b3 s2 most overlap", "n", center_point_box=1), node("Gather", "n last", "i", axis=1),
        node("Gather", "b3 i", "chosen", axis=1), node("Concat", "chosen none", "all", axis=1), node("Gather", "all last", "width", axis=2),
        node("Shape", "width", "shape"), node("Gather", "shape second", "count", axis=0), node("Less", "k count", "is"),
        node("Where", "is k count", "fewer"), node("Reshape", "fewer one", "k1"), node("TopK", "width k1", "widths o", axis=1),
        node("Squeeze", "o zero", "order"), node("Gather", "all order", "y", axis=1)],
        "widths y", {"parts": r.integers(4, 2), "boxes": r.integers(1, 4, 64), "scores": r.integers(1, 2, 64), "most": r.integers(5),
                "overlap": np.array([0.3], np.float32), "zero": r.integers(0), "one": r.integers(1), "last": np.array(2),
                "second": np.array(1), "none": np.zeros((1, 1, 4), np.float32), "k": np.array(8)})
    hidden = 5
    network("recurrent", [
        node("Reshape", "f steps", "t"), node("LSTM", "t lw lr lb", "a h", hidden_size=hidden, direction="bidirectional"),
        node("Transpose", "h", "h1", perm=[1, 0, 2]), node("Reshape", "h1 row", "h2"), node("Gemm", "h2 g", "y")],
        "a y", {"steps": r.integers(8, 1, 48), "lw": r.values(2, 20, 48, seed=3) / 8, "lr": r.values(2, 20, hidden, seed=4) / 2,
                "lb": r.values(2, 40, seed=5) / 4, "row": r.integers(1, 10), "g": r.values(10, 4, seed=6)})
    then = graph([node("Concat", "f f", "t", axis=1)], [], [("t", "f", [1, 12, 8, 8])])
    other = graph([node("Neg", "f", "e")], [], [("e", "f", [1, 6, 8, 8])])
    # Which branch, and how often, depends on the image.
    for form, limit in (("branch", -1), ("other_branch", 1)):
        network(form, [node("ReduceMean", "x", "mean", keepdims=0), node("Greater", "mean limit", "q"),
                       node("If", "q", "y", then_branch=then, else_branch=other)], "y", {"limit": np.array(limit, np.float32)})
    for condition in (True, False):
        network(f"branch_of_input_{str(condition).lower()}", [node("If", "q", "y", then_branch=then, else_branch=other)], "y", {},
                q=np.array([condition]))
    body = graph([node("Identity", "go", "on"), node("Mul", "a half", "a1"), node("Add", "a1 f", "a2"),
                  node("ReduceMean", "a2 axes", "part", keepdims=0)],
                 [("i", "i", []), ("go", "b", []), ("a", "f", [1, 6, 8, 8])],
                 [("on", "b", []), ("a2", "f", [1, 6, 8, 8]), ("part", "f", [1, 6])])
    network("loop", [node("ReduceMax", "x", "max", keepdims=0), node("Mul", "max factor", "many"),
                     node("Cast", "many", "n", to=TensorProto.INT64), node("Min", "n most", "m"), node("Loop", "m  f", "y s", body=body)], "y s",
            {"most": np.array(6, np.int64), "half": np.array(0.5, np.float32), "axes": r.integers(2, 3), "factor": np.array(2.25, np.float32)})
    for trips in (0, 3, 9):
        network(f"loop_of_input_{trips}", [node("Min", "n most", "m"), node("Loop", "m  f", "y s", body=body)], "y s",
                {"most": r.integers(6), "half": np.array(0.5, np.float32), "axes": r.integers(2, 3)}, n=r.integers(trips))


def reader(samples):
    """Gives quantize_static samples of the input x."""
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = iter(samples)

        def get_next(self):
            sample = next(self.left, None)
            return None if sample is None else {"x": sample}

    return Reader()


def quantized_networks(r):
    """A small MobileNet as onnxruntime.quantization.quantize_static makes it, its integers of several types. `features` is the last map,
    `scores` what the classifier makes of it."""
    import logging
    import os
    import tempfile
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    logging.getLogger().setLevel(logging.ERROR)
    generator = np.random.default_rng(7)
    nodes, weights = [], {}

    def conv(name, source, inputs, outputs, kernel, stride=1, group=1, clip=True):
        shape = (outputs, inputs // group, kernel, kernel)
        weights[f"{name}_w"] = (generator.normal(0, 1, shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        weights[f"{name}_b"] = generator.normal(0, 0.1, outputs).astype(np.float32)
        nodes.append(helper.make_node("Conv", [source, f"{name}_w", f"{name}_b"], [name], name, kernel_shape=[kernel, kernel],
                                      strides=[stride] * 2, pads=[kernel // 2] * 4, group=group))
        if clip:
            nodes.append(helper.make_node("Clip", [name, "zero", "six"], [f"{name}_clip"], f"{name}_clip"))
        return f"{name}_clip" if clip else name

    weights["zero"], weights["six"] = np.float32(0), np.float32(6)
    value = conv("stem", "x", 3, 8, 3, stride=2)
    for block, (inputs, outputs, stride) in enumerate([(8, 8, 1), (8, 12, 2), (12, 12, 1)]):
        wide = conv(f"expand{block}", value, inputs, 3 * inputs, 1)
        deep = conv(f"depth{block}", wide, 3 * inputs, 3 * inputs, 3, stride=stride, group=3 * inputs)
        narrow = conv(f"project{block}", deep, 3 * inputs, outputs, 1, clip=False)
        if inputs == outputs and stride == 1:
            nodes.append(helper.make_node("Add", [value, narrow], [f"add{block}"], f"add{block}"))
            narrow = f"add{block}"
        value = narrow
    nodes.append(helper.make_node("Identity", [value], ["features"], "features"))
    nodes.append(helper.make_node("GlobalAveragePool", [value], ["pool"], "pool"))
    nodes.append(helper.make_node("Flatten", ["pool"], ["flat"], "flat"))
    weights["fc_w"] = (generator.normal(0, 1, (12, 10)) / 3).astype(np.float32)
    weights["fc_b"] = generator.normal(0, 0.1, 10).astype(np.float32)
    nodes.append(helper.make_node("Gemm", ["flat", "fc_w", "fc_b"], ["scores"], "fc"))
    infos = lambda names, shapes: [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in zip(names, shapes)]
    made = helper.make_graph(nodes, "mobilenet", infos(["x"], [[1, 3, 32, 32]]), infos(["features", "scores"], [[1, 12, 8, 8], [1, 10]]),
                             [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    samples = [generator.normal(0, 1, (1, 3, 32, 32)).astype(np.float32) for _ in range(8)]

    with tempfile.TemporaryDirectory() as folder:
        source, target = (os.path.join(folder, name) for name in ("float.onnx", "quantized.onnx"))
        onnx.save(model, source)
        forms = [(f"{name}_{'symmetric' if symmetric else 'asymmetric'}{'' if per_channel else '_per_tensor'}", kind, symmetric, per_channel)
                 for name, kind in (("uint8", QuantType.QUInt8), ("int8", QuantType.QInt8)) for symmetric in (False, True)
                 for per_channel in (True, False) if per_channel or not symmetric]
        for form, kind, symmetric, per_channel in forms:
            quantize_static(source, target, reader(samples), quant_format=QuantFormat.QDQ, per_channel=per_channel, activation_type=kind,
                            weight_type=QuantType.QInt8, extra_options={"ActivationSymmetric": symmetric, "WeightSymmetric": True})
            quantized = onnx.load(target)
            feeds = {"x": samples[0]}
            outputs, who = r.session_outputs(quantized, feeds)
            r.store("quantized_networks", form, quantized, feeds, ["features", "scores"], outputs, 17, who)


def quantized_operators(r):
    """A small network of operators on integers: QLinearConv, MaxPool, QLinearMatMul, as quantize_static makes it without QuantizeLinear between them."""
    import logging
    import os
    import tempfile
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    logging.getLogger().setLevel(logging.ERROR)
    generator = np.random.default_rng(9)
    normal = lambda *shape: (generator.normal(0, 1, shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
    weights = {"w0": normal(8, 3, 3, 3), "b0": normal(8), "w1": normal(8, 1, 3, 3), "b1": normal(8), "m": normal(128, 10)}
    nodes = [helper.make_node("Conv", ["x", "w0", "b0"], ["c0"], "c0", pads=[1] * 4), helper.make_node("Relu", ["c0"], ["r0"], "r0"),
             helper.make_node("MaxPool", ["r0"], ["p"], "p", kernel_shape=[2, 2], strides=[2, 2]),
             helper.make_node("Conv", ["p", "w1", "b1"], ["c1"], "c1", pads=[1] * 4, strides=[2, 2], group=8),
             helper.make_node("Relu", ["c1"], ["r1"], "r1"), helper.make_node("Flatten", ["r1"], ["f"], "f"),
             helper.make_node("MatMul", ["f", "m"], ["scores"], "product")]
    infos = lambda name, shape: [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
    made = helper.make_graph(nodes, "operators", infos("x", [1, 3, 16, 16]), infos("scores", [1, 10]),
                             [numpy_helper.from_array(array, name) for name, array in weights.items()])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    samples = [generator.normal(0, 1, (1, 3, 16, 16)).astype(np.float32) for _ in range(8)]

    with tempfile.TemporaryDirectory() as folder:
        source, target = (os.path.join(folder, name) for name in ("float.onnx", "quantized.onnx"))
        onnx.save(model, source)
        for form, kind in (("uint8", QuantType.QUInt8), ("int8", QuantType.QInt8)):
            quantize_static(source, target, reader(samples), quant_format=QuantFormat.QOperator, per_channel=True, activation_type=kind,
                            weight_type=QuantType.QInt8, op_types_to_quantize=["Conv", "Relu", "MaxPool", "Flatten", "Reshape", "MatMul"])
            quantized = onnx.load(target)
            feeds = {"x": samples[0]}
            outputs, who = r.session_outputs(quantized, feeds)
            r.store("quantized_operators", form, quantized, feeds, ["scores"], outputs, 17, who)


def dynamic_networks(r):
    """Networks as onnxruntime.quantization.quantize_dynamic makes them, and, as `..._float`, what they were: the same input, the results of
    both by onnxruntime."""
    import logging
    import os
    import tempfile
    from onnxruntime.quantization import QuantType, quantize_dynamic
    logging.getLogger().setLevel(logging.ERROR)
    generator = np.random.default_rng(11)
    normal = lambda *shape: (generator.normal(0, 1, shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
    node = lambda operator, inputs, output, **attributes: helper.make_node(operator, inputs.split(), [output], output, **attributes)
    layers = [node("MatMul", "x w0", "m0"), node("Add", "m0 b0", "a0"), node("Relu", "a0", "r0"), node("Gemm", "r0 w1 b1", "y", transB=1)]
    layers = layers, [3, 16], [3, 10], {"w0": normal(16, 24), "b0": normal(24), "w1": normal(10, 24), "b1": normal(10)}
    maps = [node("Conv", "x w0 b0", "c0", pads=[1] * 4), node("Relu", "c0", "r0"), node("Conv", "r0 w1 b1", "c1", strides=[2, 2], group=2),
            node("Relu", "c1", "r1"), node("GlobalAveragePool", "r1", "g"), node("Flatten", "g", "f"), node("MatMul", "f w2", "y")]
    maps = maps, [1, 3, 12, 12], [1, 10], {"w0": normal(8, 3, 3, 3), "b0": normal(8), "w1": normal(12, 4, 3, 3), "b1": normal(12), "w2": normal(12, 10)}
    attention = [node("MatMul", "x wq", "q"), node("MatMul", "x wk", "k"), node("MatMul", "x wv", "v"), node("Transpose", "k", "t", perm=[0, 2, 1]),
                 node("MatMul", "q t", "s"), node("Softmax", "s", "p", axis=-1), node("MatMul", "p v", "o"), node("MatMul", "o wo", "y")]
    attention = attention, [1, 6, 16], [1, 6, 16], {name: normal(16, 16) for name in ("wq", "wk", "wv", "wo")}
    forms = [("layers_uint8", layers, QuantType.QUInt8, False, 17), ("layers_int8_per_channel", layers, QuantType.QInt8, True, 17),
             ("layers_uint8_opset_11", layers, QuantType.QUInt8, False, 11), ("maps_int8", maps, QuantType.QInt8, False, 17),
             ("maps_uint8_per_channel", maps, QuantType.QUInt8, True, 17), ("attention_int8_per_channel", attention, QuantType.QInt8, True, 17),
             ("attention_both_sides", attention, QuantType.QInt8, False, 17)]
    infos = lambda name, shape: [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
    for form, (nodes, taken, given, weights), kind, per_channel, opset in forms:
        graph = helper.make_graph(nodes, form, infos("x", taken), infos("y", given),
                                  [numpy_helper.from_array(array, name) for name, array in weights.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        feeds = {"x": generator.normal(0, 1, taken).astype(np.float32)}
        with tempfile.TemporaryDirectory() as folder:
            source, target = (os.path.join(folder, name) for name in ("float.onnx", "quantized.onnx"))
            onnx.save(model, source)
            quantize_dynamic(source, target, per_channel=per_channel, weight_type=kind, op_types_to_quantize=["Conv", "Gemm", "MatMul"],
                             extra_options={"MatMulConstBOnly": form != "attention_both_sides"})
            for name, made in [(form, onnx.load(target)), (f"{form}_float", model)]:
                outputs, who = r.session_outputs(made, feeds)
                r.store("dynamic_networks", name, made, feeds, ["y"], outputs, opset, who)


FAMILIES = [control_networks, unknown_sizes, quantized_networks, quantized_operators, dynamic_networks, top_k, non_zero, non_max_suppression, max_roi_pool, lstm, cells, roi_align, scan, if_, loop]
