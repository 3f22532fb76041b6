//! Emitted code against the interpreter, and against arithmetic.

use hb_dialects::ElementType;

use super::expression::{Binary, Expression, Unary, accumulator, axis, index, select};
use super::graph::{Combiner, Compute, Reduction, RunCheck};
use super::*;

mod vectors;

/// Runs a graph both ways; the values must agree to `tolerance`.
fn both(graph: ExpressionGraph, inputs: &[&Array], tolerance: f64) -> Vec<Array> {
    let expected = interpret(&graph, inputs).unwrap();
    let actual = Executable::compile(graph, ExecutableOptions::default()).unwrap().run(inputs).unwrap();
    for (expected, actual) in expected.iter().zip(&actual) {
        assert_eq!((expected.element(), expected.shape()), (actual.element(), actual.shape()));
        for (position, (e, a)) in expected.to_f64().into_iter().zip(actual.to_f64()).enumerate() {
            assert!(
                (e - a).abs() <= tolerance * e.abs().max(1.0) || e == a || (e.is_nan() && a.is_nan()),
                "at {position}: {a}, not {e}"
            );
        }
    }
    actual
}

/// How far sums of products may be from those of the interpreter, which multiplies and adds with one rounding.
fn fused() -> f64 {
    #[cfg(target_arch = "x86_64")]
    if !std::arch::is_x86_feature_detected!("fma") {
        return 2e-5;
    }
    0.0
}

fn numbers(shape: &[usize], seed: u64) -> Array {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % 2001) as f32 / 1000.0 - 1.0
        })
        .collect();
    Array::from_values(shape, &values).unwrap()
}

fn elementwise(array: &Array, body: impl Fn(Expression) -> Expression) -> Vec<Array> {
    let mut graph = ExpressionGraph::default();
    let x = graph.add_input("x", array.element(), array.shape()).unwrap();
    let body = body(graph.load_broadcast(x, array.shape().len()));
    let y = graph.add_elementwise("node", "y", array.shape(), body).unwrap();
    graph.outputs.push(y);
    both(graph, &[array], 1e-6)
}

#[test]
fn functions_are_accurate() {
    let values: Vec<f32> =
        (-12000..12000).map(|n| n as f32 / 100.0).chain((-6000..6000).map(|n| n as f32 / 1000.0)).collect();
    let x = Array::from_values(&[values.len()], &values).unwrap();
    for operation in [
        Unary::Exponential,
        Unary::Tanh,
        Unary::Erf,
        Unary::Sine,
        Unary::Cosine,
        Unary::Floor,
        Unary::Ceil,
        Unary::Round,
    ] {
        elementwise(&x, |x| x.unary(operation));
    }
    for operation in [Unary::Logarithm, Unary::SquareRoot] {
        elementwise(&x, |x| x.unary(Unary::Absolute).unary(operation));
    }
    let special = Array::from_values(&[5], &[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-30]).unwrap();
    for operation in [Unary::Exponential, Unary::Tanh, Unary::Erf] {
        let result = elementwise(&special, |x| x.unary(operation));
        let result = result[0].values::<f32>().unwrap();
        assert!(result[0].is_nan(), "{operation:?} {result:?}");
    }
}

#[test]
fn every_element_computes() {
    let values: Vec<f64> = (-40..40).map(|n| f64::from(n) * 0.75).collect();
    for element in ElementType::ALL.into_iter().filter(|element| *element != ElementType::Bool) {
        let mut array = Array::zeros(element, &[values.len()]).unwrap();
        values.iter().enumerate().for_each(|(n, v)| array.set(n, Scalar::Float(*v).cast(element)));
        elementwise(&array, |x| (x.clone() * 3 - 2).maximum(x.clone() + x.clone()) / 2);
        elementwise(&array, |x| x.clone().less(x.like(3.0)));
        elementwise(&array, |x| x.cast(ElementType::Bool));
        for to in ElementType::ALL {
            elementwise(&array, |x| x.cast(to));
        }
        if element.is_integer() {
            elementwise(&array, |x| {
                (x.clone() - 3).binary(Binary::Modulo, x.like(7.0)).binary(Binary::FloorDivide, x - 5)
            });
        }
    }
}

/// `combine over k of body`, with output axes first.
fn reduce(graph: &mut ExpressionGraph, shape: &[usize], over: &[usize], combiner: Combiner, body: Expression) {
    let element = body.element();
    let y = graph.add_tensor("y", element, shape).unwrap();
    let initial = match combiner {
        Combiner::Sum | Combiner::SumOfProducts => 0.0,
        Combiner::Product => 1.0,
        Combiner::Maximum => f64::NEG_INFINITY,
        Combiner::Minimum => f64::INFINITY,
    };
    let mut compute = Compute::elementwise("reduce", y, shape, body);
    let initial = Scalar::Float(initial).cast(element);
    compute.reduction = Some(Reduction { extents: over.to_vec(), combiner, initial, finish: accumulator(element) * 2 });
    graph.push(compute).unwrap();
    graph.outputs.push(y);
}

#[test]
fn reductions_in_every_order() {
    for combiner in [Combiner::Sum, Combiner::Product, Combiner::Maximum, Combiner::Minimum] {
        // Small: written out. Long and contiguous: accumulators in a vector. Long and strided: rows of accumulators, or some in memory.
        let shapes = [([5, 6, 7], true), ([3, 4, 300], true), ([3, 4, 64], true), ([3, 4, 65], true)];
        let strided = [([3, 100, 130], false), ([2, 3, 100], false), ([2, 100, 5], false)];
        for (shape, last) in shapes.into_iter().chain(strided) {
            let x = numbers(&shape, 3);
            let mut graph = ExpressionGraph::default();
            let id = graph.add_input("x", ElementType::F32, &shape).unwrap();
            let (out, over, body) = match last {
                true => ([shape[0], shape[1]], shape[2], graph.load(id, vec![axis(0), axis(1), axis(2)])),
                false => ([shape[0], shape[2]], shape[1], graph.load(id, vec![axis(0), axis(2), axis(1)])),
            };
            reduce(&mut graph, &out, &[over], combiner, body);
            both(graph, &[&x], 0.0);
        }
        // Several axes that are no longer one: lines of 16 and of others.
        for (line, width) in [(7, 16), (9, 13), (3, 144), (2, 208)] {
            let x = numbers(&[4, line, width + 2], 3);
            let mut graph = ExpressionGraph::default();
            let id = graph.add_input("x", ElementType::F32, x.shape()).unwrap();
            let body = graph.load(id, vec![axis(0), axis(1), axis(2) + 1]);
            reduce(&mut graph, &[4], &[line, width], combiner, body);
            both(graph, &[&x], 0.0);
        }
    }
}

/// On paper: 65 terms take 16 turns, so 2^24 and the four terms of its accumulator lose the ones, and no other accumulator does.
#[test]
fn the_order_of_a_long_sum() {
    let mut values = vec![1.0f32; 65];
    values[0] = 16_777_216.0;
    let of = |values: &[f32]| {
        let x = Array::from_values(&[2, values.len()], &[values, values].concat()).unwrap();
        let mut graph = ExpressionGraph::default();
        let id = graph.add_input("x", ElementType::F32, x.shape()).unwrap();
        let body = graph.load(id, vec![axis(0), axis(1)]);
        reduce(&mut graph, &[2], &[values.len()], Combiner::Sum, body);
        both(graph, &[&x], 0.0)[0].values::<f32>().unwrap()[0]
    };
    // The others are 4 each; joining halves adds 4, 8, 16 and 32 of them. The result is doubled.
    assert_eq!(of(&values), 2.0 * (16_777_216.0 + 60.0));
    // 64 terms are one chain.
    assert_eq!(of(&values[..64]), 2.0 * 16_777_216.0);
}

#[test]
fn sums_of_products() {
    // (batch, rows, inner, columns), around the sizes of register tiles.
    for (b, m, k, n) in
        [(1, 1, 70, 5), (1, 3, 130, 1), (1, 7, 65, 33), (2, 16, 300, 50), (1, 33, 1200, 129), (3, 64, 90, 64)]
    {
        let (a, c) = (numbers(&[b, m, k], 1), numbers(&[b, k, n], 2));
        let mut graph = ExpressionGraph::default();
        let left = graph.add_input("a", ElementType::F32, a.shape()).unwrap();
        let right = graph.add_input("b", ElementType::F32, c.shape()).unwrap();
        let body =
            graph.load(left, vec![axis(0), axis(1), axis(3)]) * graph.load(right, vec![axis(0), axis(3), axis(2)]);
        reduce(&mut graph, &[b, m, n], &[k], Combiner::SumOfProducts, body);
        both(graph, &[&a, &c], fused());
    }
}

#[test]
fn a_convolution_with_stride_and_dilation() {
    for (channels, outputs, size, kernel, stride, dilation) in [
        (3, 8, 12, 3, 1, 1),
        (3, 8, 13, 3, 2, 1),
        (4, 5, 15, 3, 1, 2),
        (16, 24, 9, 3, 1, 1),
        (5, 40, 7, 1, 1, 1),
        (3, 16, 33, 7, 2, 1),
        (130, 9, 9, 3, 2, 1),
    ] {
        let out = (size - dilation * (kernel - 1) - 1) / stride + 1;
        let (x, w) = (numbers(&[2, channels, size, size], 1), numbers(&[outputs, channels, kernel, kernel], 2));
        let (w, bias) = (std::sync::Arc::new(w), std::sync::Arc::new(numbers(&[outputs], 5)));
        let mut graph = ExpressionGraph::default();
        let input = graph.add_input("x", ElementType::F32, x.shape()).unwrap();
        let weights = graph.add_constant("w", w).unwrap();
        let bias = graph.add_constant("b", bias).unwrap();
        let (s, d) = (stride as i64, dilation as i64);
        let at = vec![axis(0), axis(4), axis(2) * s + axis(5) * d, axis(3) * s + axis(6) * d];
        let body = graph.load(weights, vec![axis(1), axis(4), axis(5), axis(6)]) * graph.load(input, at);
        let shape = [2, outputs, out, out];
        let y = graph.add_tensor("conv", ElementType::F32, &shape).unwrap();
        let mut compute = Compute::elementwise("conv", y, &shape, body);
        let finish = accumulator(ElementType::F32) + graph.load(bias, vec![axis(1)]);
        compute.reduction = Some(Reduction {
            extents: vec![channels, kernel, kernel],
            combiner: Combiner::SumOfProducts,
            initial: Scalar::Float(0.0),
            finish,
        });
        graph.push(compute).unwrap();
        let value = graph.load_broadcast(y, 4);
        let y = graph.add_elementwise("relu", "y", &shape, value.clone().maximum(value.like(0.0))).unwrap();
        graph.outputs.push(y);
        both(graph, &[&x], fused());
    }
}

/// `x` with zeros, or another value, around its last two dimensions.
fn padded(
    graph: &mut ExpressionGraph,
    x: &[usize; 4],
    id: super::expression::GraphTensorId,
    value: f64,
) -> super::expression::GraphTensorId {
    let extents = [x[0], x[1], x[2] + 2, x[3] + 2];
    let output = graph.add_tensor("", ElementType::F32, &extents).unwrap();
    let value = super::expression::constant(ElementType::F32, Scalar::Float(value));
    graph.push(Compute::elementwise("pad", output, &extents, value)).unwrap();
    let mut copy = Compute::elementwise("pad", output, x, graph.load_broadcast(id, 4));
    copy.offset = vec![0, 0, 1, 1];
    graph.push(copy).unwrap();
    output
}

/// Runs a 3x3 window over a padded input. Dense: with constant weights over all channels. Else channel by channel: a product
/// with weights, or a maximum.
fn windows(shape: [usize; 4], dense: bool, combiner: Combiner, maps: usize, stride: usize) {
    let [n, c, h, w] = shape;
    let mut graph = ExpressionGraph::default();
    let x = numbers(&shape, 1);
    let id = graph.add_input("x", ElementType::F32, &shape).unwrap();
    let product = combiner == Combiner::SumOfProducts;
    let maps = if dense { maps } else { c };
    let wide = padded(&mut graph, &shape, id, if product { 0.0 } else { f64::NEG_INFINITY });
    let out = [n, maps, (h - 1) / stride + 1, (w - 1) / stride + 1];
    let (depth, s) = (if dense { c } else { 1 }, stride as i64);
    let weights = graph.add_constant("w", std::sync::Arc::new(numbers(&[maps, depth, 3, 3], 2))).unwrap();
    let channel = if dense { axis(4) } else { axis(1) };
    let mut body = graph.load(wide, vec![axis(0), channel, axis(2) * s + axis(5), axis(3) * s + axis(6)]);
    if product {
        body = body * graph.load(weights, vec![axis(1), axis(4), axis(5), axis(6)]);
    }
    let y = graph.add_tensor("window", ElementType::F32, &out).unwrap();
    let mut compute = Compute::elementwise("window", y, &out, body);
    let initial = Scalar::Float(if product { 0.0 } else { f64::NEG_INFINITY });
    let finish = accumulator(ElementType::F32);
    compute.reduction = Some(Reduction { extents: vec![depth, 3, 3], combiner, initial, finish });
    graph.push(compute).unwrap();
    // A residual sum, a sigmoid, and a copy into a padded tensor all join the end of the window.
    let other = numbers(&out, 3);
    let residual = graph.add_input("residual", ElementType::F32, &out).unwrap();
    let sum = graph.load_broadcast(y, 4) + graph.load_broadcast(residual, 4);
    let sum = graph.add_elementwise("sum", "", &out, sum).unwrap();
    let value = graph.load_broadcast(sum, 4);
    let sigmoid = value.like(1.0) / (value.like(1.0) + (-value).exponential());
    let gate = graph.add_elementwise("sigmoid", "", &out, sigmoid).unwrap();
    let result = padded(&mut graph, &out, gate, 7.0);
    graph.outputs.push(result);
    both(graph, &[&x, &other], 2e-5);
}

#[test]
fn windows_of_odd_sizes() {
    for (h, w) in [(7, 7), (1, 9), (13, 17), (9, 31), (6, 50)] {
        for stride in [1, 2, 3] {
            windows([1, 5, h, w], true, Combiner::SumOfProducts, 9, stride);
            windows([2, 3, h, w], false, Combiner::SumOfProducts, 3, stride);
            windows([1, 3, h, w], false, Combiner::Maximum, 3, stride);
        }
    }
    windows([2, 40, 9, 14], true, Combiner::SumOfProducts, 130, 1);
}

#[test]
fn the_board_gets_windows() {
    let mut graph = ExpressionGraph::default();
    let shape = [1, 3, 9, 11];
    let x = graph.add_input("x", ElementType::F32, &shape).unwrap();
    let wide = padded(&mut graph, &shape, x, 0.0);
    let weights = graph.add_constant("w", std::sync::Arc::new(numbers(&[3, 3, 3], 1))).unwrap();
    let at = vec![axis(0), axis(1), axis(2) + axis(4), axis(3) + axis(5)];
    let body = graph.load(weights, vec![axis(1), axis(4), axis(5)]) * graph.load(wide, at);
    reduce(&mut graph, &shape, &[3, 3], Combiner::SumOfProducts, body);
    assert!(BoardObject::of_graph(graph, "windows", &CpuTarget::board()).unwrap().object.len() > 1000);
}

#[test]
fn regions_views_and_constants() {
    let mut graph = ExpressionGraph::default();
    let x = graph.add_input("x", ElementType::F32, &[2, 3]).unwrap();
    let c = graph.add_constant("c", std::sync::Arc::new(numbers(&[2, 4], 9))).unwrap();
    // A padded copy: first filled, then written in part.
    let padded = graph.add_tensor("padded", ElementType::F32, &[2, 5]).unwrap();
    graph.push(Compute::elementwise("fill", padded, &[2, 5], index(7).cast(ElementType::F32))).unwrap();
    let mut copy = Compute::elementwise("copy", padded, &[2, 3], graph.load_broadcast(x, 2));
    copy.offset = vec![0, 1];
    graph.push(copy).unwrap();
    let doubled = graph.add_elementwise("double", "doubled", &[2, 4], graph.load_broadcast(c, 2) * 2).unwrap();
    let flat = graph.add_view("flat", padded, &[10]).unwrap();
    let again = graph.add_view("again", x, &[6]).unwrap();
    graph.outputs.extend([flat, doubled, again, x, padded]);
    let input = Array::from_values(&[2, 3], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    let outputs = both(graph, &[&input], 0.0);
    assert_eq!(outputs[0].values::<f32>().unwrap(), &[7.0, 1.0, 2.0, 3.0, 7.0, 7.0, 4.0, 5.0, 6.0, 7.0]);
    assert_eq!(outputs[4].shape(), &[2, 5]);
}

#[test]
fn indices_that_are_data_are_checked() {
    let mut graph = ExpressionGraph::default();
    let table = graph.add_input("table", ElementType::F32, &[4]).unwrap();
    let indices = graph.add_input("indices", ElementType::I64, &[3]).unwrap();
    let at = graph.load(indices, vec![axis(0)]);
    let wrapped = select(at.clone().less(index(0)), at.clone() + 4, at).clamp(0, 3);
    let y = graph.add_tensor("y", ElementType::F32, &[3]).unwrap();
    let mut compute = Compute::elementwise("gather", y, &[3], graph.load(table, vec![wrapped]));
    compute.checks.push(RunCheck { tensor: indices, sizes: None, low: -4, high: 3, along: None });
    graph.push(compute).unwrap();
    graph.outputs.push(y);
    let table = Array::from_values(&[4], &[1.0f32, 2.0, 3.0, 4.0]).unwrap();
    let good = Array::from_values(&[3], &[0i64, -1, 2]).unwrap();
    assert_eq!(both(graph.clone(), &[&table, &good], 0.0)[0].values::<f32>().unwrap(), &[1.0, 4.0, 3.0]);
    let bad = Array::from_values(&[3], &[0i64, 4, 2]).unwrap();
    let error =
        Executable::compile(graph, ExecutableOptions::default()).unwrap().run(&[&table, &bad]).unwrap_err().to_string();
    assert!(error.contains("gather") && error.contains('4') && error.contains("indices"), "{error}");
}

/// Which indices are good depends on a size that is known only when running.
#[test]
fn indices_are_checked_against_an_actual_size() {
    let mut graph = ExpressionGraph::default();
    let table = graph.add_input("table", ElementType::F32, &[4]).unwrap();
    let sizes = graph.add_input("sizes", ElementType::I64, &[1]).unwrap();
    let indices = graph.add_input("indices", ElementType::I64, &[2]).unwrap();
    let (at, size) = (graph.load(indices, vec![axis(0)]), graph.load(sizes, vec![index(0)]));
    let wrapped = select(at.clone().less(index(0)), at.clone() + size, at).clamp(0, 3);
    let y = graph.add_tensor("y", ElementType::F32, &[2]).unwrap();
    let mut compute = Compute::elementwise("gather", y, &[2], graph.load(table, vec![wrapped]));
    compute.checks.push(RunCheck { tensor: indices, sizes: None, low: -4, high: 3, along: Some((sizes, 0)) });
    graph.push(compute).unwrap();
    graph.outputs.push(y);
    let table = Array::from_values(&[4], &[1.0f32, 2.0, 3.0, 4.0]).unwrap();
    let three = Array::from_values(&[1], &[3i64]).unwrap();
    let good = Array::from_values(&[2], &[2i64, -3]).unwrap();
    assert_eq!(both(graph.clone(), &[&table, &three, &good], 0.0)[0].values::<f32>().unwrap(), &[3.0, 1.0]);
    for bad in [[3i64, 0], [0, -4]] {
        let bad = Array::from_values(&[2], &bad).unwrap();
        let executable = Executable::compile(graph.clone(), ExecutableOptions::default()).unwrap();
        assert!(executable.run(&[&table, &three, &bad]).is_err());
        assert!(interpret(&graph, &[&table, &three, &bad]).is_err());
    }
}

#[test]
fn observed_values_are_delivered_and_threads_do_not_change_a_bit() {
    let x = numbers(&[1, 64, 4096], 4);
    let build = || {
        let mut graph = ExpressionGraph::default();
        let id = graph.add_input("x", ElementType::F32, x.shape()).unwrap();
        let e = graph.add_elementwise("exp", "e", x.shape(), graph.load_broadcast(id, 3).exponential()).unwrap();
        let body = graph.load(e, vec![axis(0), axis(1), axis(2)]);
        reduce(&mut graph, &[1, 64], &[4096], Combiner::Sum, body);
        graph
    };
    let threaded = Executable::compile(
        build(),
        ExecutableOptions { observe: Observe::Everything, ..ExecutableOptions::default() },
    )
    .unwrap();
    let mut seen = Vec::new();
    let outputs = threaded
        .run_with_observer(&[&x], &mut |name, view| seen.push((name.to_string(), view.shape.to_vec())))
        .unwrap();
    assert_eq!(seen, [("x".into(), vec![1, 64, 4096]), ("e".into(), vec![1, 64, 4096]), ("y".into(), vec![1, 64])]);
    // What a run alters is what the readers see, there alone.
    let mut ones = |name: &str, mut view: hb_runtime::ResultView<'_>| {
        if name == "e" {
            view.values::<f32>().unwrap().fill(1.0);
        }
    };
    let altered = threaded.run_altered(&[&x], &mut ones).unwrap();
    // Twice the sum: see `reduce`.
    assert_eq!(altered[0].values::<f32>().unwrap(), [8192.0; 64]);
    assert_eq!(threaded.run(&[&x]).unwrap(), outputs);
    let alone = Executable::compile(
        build(),
        ExecutableOptions { observe: Observe::Everything, single_threaded: true, ..ExecutableOptions::default() },
    )
    .unwrap();
    assert_eq!(outputs, alone.run(&[&x]).unwrap());
    let wrong = numbers(&[1, 64], 1);
    assert!(threaded.run(&[&wrong]).unwrap_err().to_string().contains("'x'"));
}

#[test]
fn the_board_gets_an_object_without_foreign_calls() {
    let mut graph = ExpressionGraph::default();
    let a = graph.add_input("a", ElementType::F32, &[16, 40]).unwrap();
    let b = graph.add_constant("b", std::sync::Arc::new(numbers(&[40, 64], 1))).unwrap();
    let body = graph.load(a, vec![axis(0), axis(2)]) * graph.load(b, vec![axis(2), axis(1)]);
    reduce(&mut graph, &[16, 64], &[40], Combiner::SumOfProducts, body);
    let board = BoardObject::of_graph(graph, "segment_0", &CpuTarget::board()).unwrap();
    // ELF, 64 bits, little-endian; relocatable (1) for AArch64 (183).
    assert_eq!(&board.object[..6], b"\x7fELF\x02\x01");
    assert_eq!(&board.object[16..20], &[1, 0, 183, 0]);
    let has = |name: &[u8]| board.object.windows(name.len()).any(|window| window == name);
    assert!(has(b"segment_0\0") && !has(b"fmaf\0") && !has(b"expf\0"));
    assert!(has(b"segment_0_workspace_bytes\0"));
    // The weights are in the object.
    assert!(board.object.len() > 40 * 64 * 4);
}

/// A Reshape alone, a constant, an output twice: the board's function has nothing but memory of its own to give them in.
#[test]
fn outputs_that_nothing_computes_are_copies() {
    let mut graph = ExpressionGraph::default();
    let x = graph.add_input("x", ElementType::I16, &[2, 3]).unwrap();
    let flat = graph.add_view("flat", x, &[6]).unwrap();
    let constant = graph.add_constant("constant", std::sync::Arc::new(numbers(&[2], 1))).unwrap();
    graph.outputs = vec![x, flat, constant, flat];
    let host = CpuTarget::host().unwrap();
    let board = BoardObject::of_graph(graph, "copies", &host).unwrap();
    let code = super::jit::Jit::link(&[board.object]).unwrap();
    let entry = code.entry("copies").unwrap();
    // SAFETY: the signature that `object` documents.
    let run: unsafe extern "C" fn(*const *const u8, *const *mut u8, *mut u8) = unsafe { std::mem::transmute(entry) };
    let x = [1i16, -2, 3, -4, 5, -32768];
    let (mut first, mut second, mut third, mut fourth) = ([0i16; 6], [0i16; 6], [0f32; 2], [0i16; 6]);
    let mut workspace = vec![0u8; board.workspace_bytes + 64];
    let aligned = workspace.as_mut_ptr().wrapping_add(workspace.as_ptr().align_offset(64));
    let outputs: [*mut u8; 4] =
        [first.as_mut_ptr().cast(), second.as_mut_ptr().cast(), third.as_mut_ptr().cast(), fourth.as_mut_ptr().cast()];
    // SAFETY: every tensor and the workspace have their sizes.
    unsafe { run([x.as_ptr().cast()].as_ptr(), outputs.as_ptr(), aligned) };
    assert_eq!((first, second, fourth), (x, x, x));
    assert_eq!(&third[..], numbers(&[2], 1).values::<f32>().unwrap());
}

/// Compiles the function of a module given as text.
fn compile(text: &str, options: ExecutableOptions) -> Result<FloatExecutable, Error> {
    let context = hb_dialects::context();
    let module = melior::ir::Module::parse(&context, text).expect("the text parses");
    let function = hb_dialects::ir::function_named(module.as_operation(), "main").expect("a function main");
    FloatExecutable::compile(function, options)
}

#[test]
fn quantization_rounds_half_to_even_and_saturates() {
    let text = r#"
      func.func @main(%x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8x!quant.uniform<i8:f32, 0.5>>) {
        %q = quant.qcast %x : tensor<8xf32> to tensor<8x!quant.uniform<i8:f32, 0.5>>
        %d = quant.dcast %q : tensor<8x!quant.uniform<i8:f32, 0.5>> to tensor<8xf32>
        return %d, %q : tensor<8xf32>, tensor<8x!quant.uniform<i8:f32, 0.5>>
      }"#;
    let x = Array::from_values(&[8], &[0.25f32, 0.75, -0.25, -0.75, 100.0, -100.0, f32::NAN, 0.3]).unwrap();
    let outputs = compile(text, ExecutableOptions::default()).unwrap().run(&[&x]).unwrap();
    assert_eq!(outputs[0].values::<f32>().unwrap(), &[0.0, 1.0, 0.0, -1.0, 63.5, -64.0, 0.0, 0.5]);
    assert_eq!(outputs[1].values::<i8>().unwrap(), &[0, 2, 0, -2, 127, -128, 0, 1]);
}

#[test]
fn quantization_per_axis() {
    let text = r#"
      func.func @main(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
        %q = quant.qcast %x : tensor<2x3xf32> to tensor<2x3x!quant.uniform<i8:f32:1, {0.5, 1.0, 2.0}>>
        %d = quant.dcast %q : tensor<2x3x!quant.uniform<i8:f32:1, {0.5, 1.0, 2.0}>> to tensor<2x3xf32>
        return %d : tensor<2x3xf32>
      }"#;
    let x = Array::from_values(&[2, 3], &[1.3f32, 1.3, 1.3, -7.7, -7.7, -7.7]).unwrap();
    let outputs = compile(text, ExecutableOptions::default()).unwrap().run(&[&x]).unwrap();
    assert_eq!(outputs[0].values::<f32>().unwrap(), &[1.5, 1.0, 2.0, -7.5, -8.0, -8.0]);
}

/// Two products one after the other, with these weights; the first may be computed of more constants than one.
fn products(first: &str, second: &str) -> FloatExecutable {
    let text = format!(
        r#"func.func @main(%x: tensor<2x2xf32>) -> tensor<2x2xf32> {{
            {first}
            %b = hfloat.constant dense<{second}> : tensor<2x2xf32>
            %y = hfloat.mat_mul %x, %a : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32> loc("y")
            %z = hfloat.mat_mul %y, %b : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32> loc("z")
            return %z : tensor<2x2xf32>
        }}"#
    );
    compile(&text, ExecutableOptions { observe: Observe::Everything, ..ExecutableOptions::default() }).unwrap()
}

#[test]
fn a_run_goes_on_by_a_network_with_other_constants() {
    let constant = |name: &str, value: &str| format!("%{name} = hfloat.constant dense<{value}> : tensor<2x2xf32>");
    let (identity, double) = ("[[1.0, 0.0], [0.0, 1.0]]", "[[2.0, 0.0], [0.0, 2.0]]");
    let original = products(&constant("a", double), identity);
    // What is numbered in another way is the same all the same.
    let renumbered = format!("{}\n{}", constant("unread", identity), constant("a", double));
    let other_second = products(&renumbered, double);
    let other_first = products(&constant("a", identity), identity);
    let variant = other_second.variant_of(&original);
    let from_the_start = other_first.variant_of(&original);
    assert_eq!((variant.steps_in_common(), from_the_start.steps_in_common()), (1, 0));
    assert_eq!(original.variant_of(&original).steps_in_common(), 2);
    let x = Array::from_values(&[2, 2], &[1.0f32, 2.0, 3.0, 4.0]).unwrap();
    let inputs = [&x];
    let mut progress = original.progress(&inputs).unwrap();
    let go_on = |progress: &FloatProgress<'_>, variant: &FloatVariant<'_>| {
        let mut seen = Vec::new();
        let outputs = progress.run_variant(variant, &mut |name, _| seen.push(name.to_owned()));
        outputs.map(|outputs| (outputs[0].values::<f32>().unwrap().to_vec(), seen))
    };
    let whole = go_on(&progress, &from_the_start).unwrap();
    assert_eq!(whole, (vec![1.0, 2.0, 3.0, 4.0], vec!["y".to_owned(), "z".to_owned()]));
    progress.advance(1).unwrap();
    assert_eq!(go_on(&progress, &variant).unwrap(), (vec![4.0, 8.0, 12.0, 16.0], vec!["z".to_owned()]));
    // The run itself is where it was.
    assert_eq!(progress.run_altered(&mut |_, _| {}).unwrap()[0].values::<f32>().unwrap(), [2.0, 4.0, 6.0, 8.0]);
    // It is too far for a network that differs before.
    assert!(go_on(&progress, &from_the_start).is_err());
    assert!(go_on(&progress, &original.variant_of(&other_second)).is_err());
    // One with an output of another shape is no variant at all.
    let text = "func.func @main(%x: tensor<2x2xf32>) -> tensor<4xf32> { %s = hfloat.constant dense<4> : tensor<1xi64> \
                %y = hfloat.reshape %x, %s : (tensor<2x2xf32>, tensor<1xi64>) -> tensor<4xf32> return %y : tensor<4xf32> }";
    let unlike = compile(text, ExecutableOptions::default()).unwrap();
    assert!(go_on(&original.progress(&inputs).unwrap(), &unlike.variant_of(&original)).is_err());
}

#[test]
fn executables_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<FloatExecutable>();
    let x = numbers(&[1, 64, 4096], 4);
    let mut graph = ExpressionGraph::default();
    let id = graph.add_input("x", ElementType::F32, x.shape()).unwrap();
    let body = graph.load(id, vec![axis(0), axis(1), axis(2)]).exponential();
    reduce(&mut graph, &[1, 64], &[4096], Combiner::Sum, body);
    let executable = Executable::compile(graph, ExecutableOptions::default()).unwrap();
    let expected = executable.run(&[&x]).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..20).for_each(|_| assert_eq!(executable.run(&[&x]).unwrap(), expected)));
        }
    });
}

#[test]
fn a_tensor_that_does_not_fit_is_named() {
    let mut graph = ExpressionGraph::default();
    let error = graph.add_elementwise("fill", "fill", &[1 << 44], axis(0)).err().unwrap().to_string();
    assert_eq!(error, "tensor 'fill' of shape [17592186044416] is too large: it has more than 64 GiB");
}

/// Near 0 and far below it f32 would leave nothing of 1 + e^x - 1: expected is what f64 makes of each.
#[test]
fn exponentials_near_one_lose_no_digits() {
    type Expected = fn(f64) -> f64;
    let softplus: Expected = |x| x.max(0.0) + (-x.abs()).exp().ln_1p();
    let functions: [(&str, Expected); 4] = [
        ("softplus", softplus),
        ("mish", |x| x * (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh()),
        ("elu", |x| if x < 0.0 { x.exp_m1() } else { x }),
        ("celu", |x| if x < 0.0 { x.exp_m1() } else { x }),
    ];
    let values = [-80.0f32, -40.0, -17.3, -13.0, -5.0, -0.5, -1e-3, -1e-6, -1e-20, 0.0, 1e-6, 0.5, 13.0, 80.0];
    let x = Array::from_values(&[values.len()], &values).unwrap();
    for (name, expected) in functions {
        let text = format!(
            "func.func @main(%x: tensor<14xf32>) -> tensor<14xf32> {{
              %y = hfloat.{name} %x : (tensor<14xf32>) -> tensor<14xf32>
              return %y : tensor<14xf32>
            }}"
        );
        let outputs = compile(&text, ExecutableOptions::default()).unwrap().run(&[&x]).unwrap();
        for (x, y) in values.iter().zip(outputs[0].values::<f32>().unwrap()) {
            let expected = expected(f64::from(*x));
            assert!((f64::from(*y) - expected).abs() <= 2e-6 * expected.abs(), "{name}({x}) = {y}, not {expected}");
        }
    }
}
