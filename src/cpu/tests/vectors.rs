//! Loops that are vectors, of every length and element.

use super::*;

#[test]
fn vectors_of_every_length() {
    for length in (1..40).chain([47, 48, 49, 1000, 20_003]) {
        let (x, y) = (numbers(&[2, length], 1), numbers(&[2, 2 * length - 1], 2));
        let mut graph = ExpressionGraph::default();
        let a = graph.add_input("a", ElementType::F32, x.shape()).unwrap();
        let b = graph.add_input("b", ElementType::F32, y.shape()).unwrap();
        let every_second = graph.load(b, vec![axis(0), axis(1) * 2]);
        let backwards = graph.load(a, vec![axis(0), axis(1) * -1 + (length as i64 - 1)]);
        let value = graph.load(a, vec![axis(0), axis(1)]);
        let smooth = value.clone().unary(Unary::Tanh) + value.clone().unary(Unary::Erf);
        let flat = graph.add_elementwise("flat", "", x.shape(), smooth.maximum(value.clone() * 3)).unwrap();
        let strided = select(value.clone().less(every_second.clone()), every_second.exponential(), value.clone());
        let strided = graph.add_elementwise("strided", "", x.shape(), strided).unwrap();
        let turned = graph.add_elementwise("turned", "", x.shape(), value - backwards).unwrap();
        graph.outputs.extend([flat, strided, turned]);
        both(graph, &[&x, &y], 1e-6);
    }
}

#[test]
fn short_last_axes_are_interleaved() {
    for (length, count) in
        [1, 2, 3, 5, 15, 16, 17, 33].into_iter().flat_map(|length| (1..6).map(move |count| (length, count)))
    {
        let (x, y) = (numbers(&[3, count, length], 1), numbers(&[3, 2 * length - 1], 2));
        let mut graph = ExpressionGraph::default();
        let a = graph.add_input("a", ElementType::F32, x.shape()).unwrap();
        let b = graph.add_input("b", ElementType::F32, y.shape()).unwrap();
        let beside = graph.load(a, vec![axis(0), axis(2), axis(1)]);
        let repeated = graph.load(b, vec![axis(0), axis(1) * 2]);
        let shape = [3, length, count];
        let moved = graph.add_elementwise("moved", "", &shape, beside.clone()).unwrap();
        let joined = graph.add_elementwise("joined", "", &shape, beside * 2 + repeated).unwrap();
        // Into part of a larger tensor, next to what is there already.
        let part = graph.add_tensor("part", ElementType::F32, &[3, length + 2, count + 1]).unwrap();
        let whole = [3, length + 2, count + 1];
        graph.push(Compute::elementwise("fill", part, &whole, index(7).cast(ElementType::F32))).unwrap();
        let mut copy = Compute::elementwise("copy", part, &shape, graph.load(a, vec![axis(0), axis(2), axis(1)]));
        copy.offset = vec![0, 1, 1];
        graph.push(copy).unwrap();
        graph.outputs.extend([moved, joined, part]);
        both(graph, &[&x, &y], fused().max(1e-6));
    }
}

#[test]
fn floats_become_the_nearest_integers() {
    use ElementType::{F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
    let whole = [0.0, 1.0, 127.0, 128.0, 255.0, 256.0, 32767.0, 65504.0, 1e5, 4294967295.0, 1e30];
    let near = whole.iter().flat_map(|value| [*value, value + 0.75, value * (1.0 + f64::EPSILON)]);
    let powers = (6..66).flat_map(|power| [(power as f64).exp2(), (power as f64).exp2() * (1.0 - 1.0 / 16_777_216.0)]);
    let values: Vec<f64> =
        near.chain(powers).flat_map(|value| [value, -value]).chain([f64::INFINITY, -f64::INFINITY, f64::NAN]).collect();
    let x = Array::from_values(&[values.len()], &values).unwrap();
    for from in [F16, F32, F64] {
        let mut graph = ExpressionGraph::default();
        let a = graph.add_input("a", F64, x.shape()).unwrap();
        for to in [I8, I16, I32, I64, U8, U16, U32, U64] {
            let value = graph.load(a, vec![axis(0)]).cast(from).cast(to);
            let output = graph.add_elementwise("cast", "", x.shape(), value).unwrap();
            graph.outputs.push(output);
        }
        both(graph, &[&x], 0.0);
    }
}

#[test]
fn extremes_of_rows_of_every_length() {
    for length in (14..70).chain([126, 127, 128, 129, 191, 192, 200, 1000]) {
        let mut x = numbers(&[7, length], 5).values::<f32>().unwrap().to_vec();
        // A row with NaN anywhere has no largest number.
        for (row, place) in [(1, 0), (2, length / 2), (3, length - 1)] {
            x[row * length + place] = f32::NAN;
        }
        let rows: Vec<f64> = x.chunks(length).map(|row| row.iter().copied().fold(f64::NEG_INFINITY, larger)).collect();
        let x = Array::from_values(&[7, length], &x).unwrap();
        let mut graph = ExpressionGraph::default();
        let a = graph.add_input("a", ElementType::F32, x.shape()).unwrap();
        let body = graph.load(a, vec![axis(0), axis(1)]);
        reduce(&mut graph, &[7], &[length], Combiner::Maximum, body.clone());
        reduce(&mut graph, &[7], &[length], Combiner::Minimum, -body);
        let found = both(graph, &[&x], 0.0);
        for (row, expected) in rows.into_iter().enumerate() {
            let [largest, smallest] = [0, 1].map(|output| found[output].to_f64()[row]);
            assert!(
                largest == 2.0 * expected || (largest.is_nan() && expected.is_nan()),
                "{length}: {largest}, not {expected}"
            );
            assert!(smallest == -largest || smallest.is_nan() && largest.is_nan(), "{length}: {smallest}, {largest}");
        }
    }
}

fn larger(a: f64, b: f32) -> f64 {
    if a.is_nan() || f64::from(b) <= a { a } else { f64::from(b) }
}

#[test]
fn outputs_hold_what_was_computed_however_they_are_filled() {
    let x = numbers(&[300], 1);
    for _ in 0..4 {
        let mut graph = ExpressionGraph::default();
        let a = graph.add_input("a", ElementType::F32, x.shape()).unwrap();
        let value = graph.load(a, vec![axis(0)]);
        let doubled = graph.add_elementwise("doubled", "", &[300], value.clone() * 2).unwrap();
        // In two parts, seen as another shape, and twice.
        let joined = graph.add_tensor("joined", ElementType::F32, &[600]).unwrap();
        for (part, offset) in [(value.clone(), 0), (-value, 300)] {
            let mut compute = Compute::elementwise("part", joined, &[300], part);
            compute.offset = vec![offset];
            graph.push(compute).unwrap();
        }
        let square = graph.add_view("square", joined, &[2, 300]).unwrap();
        graph.outputs.extend([a, doubled, square, joined]);
        let found: Vec<Vec<f64>> = both(graph, &[&x], 0.0).iter().map(Array::to_f64).collect();
        let values = x.to_f64();
        assert_eq!(found[0], values);
        assert!(found[1].iter().zip(&values).all(|(found, value)| *found == 2.0 * value));
        let both_parts: Vec<f64> = values.iter().copied().chain(values.iter().map(|value| -value)).collect();
        assert_eq!((&found[2], &found[3]), (&both_parts, &both_parts));
    }
}

#[test]
fn what_nothing_writes_of_an_output_is_zero() {
    // A part twice, and two parts that overlap: each as many elements as the output has.
    for (first, second) in [((0, 300), (0, 300)), ((0, 400), (200, 200))] {
        let mut graph = ExpressionGraph::default();
        let output = graph.add_tensor("y", ElementType::F32, &[600]).unwrap();
        for (offset, length) in [first, second] {
            let mut compute = Compute::elementwise("part", output, &[length], index(7).cast(ElementType::F32));
            compute.offset = vec![offset];
            graph.push(compute).unwrap();
        }
        graph.outputs.push(output);
        let executable = Executable::compile(graph, ExecutableOptions::default()).unwrap();
        // Memory that held something else.
        drop(vec![1u8; 2400]);
        let found = executable.run(&[]).unwrap()[0].to_f64();
        let end = first.1.max(second.0 + second.1);
        assert!(found.iter().enumerate().all(|(at, value)| *value == if at < end { 7.0 } else { 0.0 }));
    }
}
