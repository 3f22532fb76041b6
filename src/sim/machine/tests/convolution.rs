//! TAE: paper, the definition, and the parts that a kernel or a channel range can be cut into.

use proptest::prelude::*;

use super::*;

const WEIGHTS: usize = 2048;
const PARAMETERS: usize = 4096;
const SUMS: usize = 4608;
const OUTPUT: usize = 6144;

/// A dense convolution without parameters, everything contiguous.
fn contiguous(input_shape: [u32; 4], output_shape: [u32; 4], window: Window) -> Convolution {
    let mut o = Convolution {
        zero_points: [0; 2],
        depthwise: false,
        input_shape,
        output_shape,
        window,
        input_element: BpuElement::I8,
        input: View::contiguous(0, input_shape, 1),
        weights: View::new(0, [0; 4]),
        accumulate: None,
        parameters: None,
        output_element: BpuElement::I32,
        clamp: Clamp::I8,
        output: View::contiguous(OUTPUT as u32, output_shape, 4),
    };
    o.weights = View::contiguous(WEIGHTS as u32, o.weights_shape(), 1);
    o
}

fn window(kernel: [u32; 2], strides: [u32; 2], dilations: [u32; 2], pads: [i32; 2]) -> Window {
    Window { kernel, strides, dilations, pads }
}

fn sums(o: &Convolution, input: Vec<u8>, weights: Vec<u8>) -> Vec<i32> {
    let elements: u32 = o.output_shape.iter().product();
    let memory = execute(o.clone(), &image(&[(0, input), (WEIGHTS, weights)]));
    as_i32(&memory[OUTPUT..OUTPUT + 4 * elements as usize])
}

#[test]
fn two_by_two_on_paper() {
    let o = contiguous([1, 3, 3, 1], [1, 2, 2, 1], window([2, 2], [1, 1], [1, 1], [0, 0]));
    // 1 2 3 / 4 5 6 / 7 8 9 with 1 0 / 0 -1: every cell is x - (x + 4).
    let input = i8s(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(sums(&o, input.clone(), i8s(&[1, 0, 0, -1])), [-4; 4]);
    // With one cell of padding and stride 2: corners of the zero-framed picture.
    let padded = contiguous([1, 3, 3, 1], [1, 2, 2, 1], window([2, 2], [2, 2], [1, 1], [1, 1]));
    assert_eq!(sums(&padded, input.clone(), i8s(&[1, 1, 1, 1])), [1, 5, 11, 28]);
    // Each cell counts from 5, and padding does not count: -4, -3 - 2, -1 + 2, 0 + 1 + 3 + 4.
    let shifted = Convolution { zero_points: [5, 0], ..padded.clone() };
    assert_eq!(sums(&shifted, input.clone(), i8s(&[1, 1, 1, 1])), [-4, -5, 1, 8]);
    // A negative pad begins inside: the lower right 2x2.
    let inside = contiguous([1, 3, 3, 1], [1, 1, 1, 1], window([2, 2], [1, 1], [1, 1], [-1, -1]));
    assert_eq!(sums(&inside, input, i8s(&[1, 1, 1, 1])), [28]);
}

#[test]
fn parameters_bring_bias_scale_and_limits() {
    let mut o = contiguous([1, 1, 2, 1], [1, 1, 2, 2], window([1, 1], [1, 1], [1, 1], [0, 0]));
    o.parameters = Some(View::new(PARAMETERS as u32, [12]));
    o.output_element = BpuElement::I8;
    o.clamp = Clamp { low: -5, high: 127 };
    o.output = View::contiguous(OUTPUT as u32, o.output_shape, 1);
    // Channel 0: (10 x + 5) / 2, channel 1: (-10 x + 0) / 4; x = 2, 100.
    let parameters = i32s(&[5, 1 << 30, 31, 0, 1 << 30, 32]);
    let parts = [(0, i8s(&[2, 100])), (WEIGHTS, i8s(&[10, -10])), (PARAMETERS, parameters)];
    let memory = execute(o.clone(), &image(&parts));
    // 25 / 2 = 12.5 -> 12, -20 / 4 = -5, 1005 / 2 -> 127, -1000 / 4 -> -5
    assert_eq!(as_i8(&memory[OUTPUT..OUTPUT + 4]), [12, -5, 127, -5]);
    let broken = [(PARAMETERS, i32s(&[5, 1 << 29, 31]))];
    let message = try_execute(o, &image(&broken)).unwrap_err().to_string();
    assert!(message.contains("the multiplier of output channel 0 is not normal"), "{message}");
}

#[test]
fn sums_wrap_around() {
    let mut o = contiguous([1, 1, 1, 1], [1, 1, 1, 1], window([1, 1], [1, 1], [1, 1], [0, 0]));
    o.accumulate = Some(o.output);
    let memory = execute(o, &image(&[(0, i8s(&[1])), (WEIGHTS, i8s(&[1])), (OUTPUT, i32s(&[i32::MAX]))]));
    assert_eq!(as_i32(&memory[OUTPUT..OUTPUT + 4]), [i32::MIN]);
}

#[test]
fn a_matrix_product_is_a_convolution() {
    // [[1, 2], [3, 4]] times [[5, 6], [7, 8]], the second one read with swapped strides.
    let mut o = contiguous([1, 1, 2, 2], [1, 1, 2, 2], window([1, 1], [1, 1], [1, 1], [0, 0]));
    o.weights.strides = [1, 0, 0, 2];
    assert_eq!(sums(&o, i8s(&[1, 2, 3, 4]), i8s(&[5, 6, 7, 8])), [19, 22, 43, 50]);
}

/// The definition, as `docs/nash-isa.md` gives it.
fn defined(o: &Convolution, input: &[i32], weights: &[i32]) -> Vec<i32> {
    let [batch, rows, columns, channels] = o.input_shape.map(i64::from);
    let [_, output_rows, output_columns, outputs] = o.output_shape.map(i64::from);
    let [kernel_rows, kernel_columns] = o.window.kernel.map(i64::from);
    let place = |axis: usize, output: i64, tap: i64| {
        output * i64::from(o.window.strides[axis]) + tap * i64::from(o.window.dilations[axis])
            - i64::from(o.window.pads[axis])
    };
    let mut results = Vec::new();
    for (n, y, x, c) in (0..batch).flat_map(|n| {
        (0..output_rows)
            .flat_map(move |y| (0..output_columns).flat_map(move |x| (0..outputs).map(move |c| (n, y, x, c))))
    }) {
        let mut sum = 0;
        for (j, i) in (0..kernel_rows).flat_map(|j| (0..kernel_columns).map(move |i| (j, i))) {
            let (row, column) = (place(0, y, j), place(1, x, i));
            if !(0..rows).contains(&row) || !(0..columns).contains(&column) {
                continue;
            }
            let cell = |k: i64| input[(((n * rows + row) * columns + column) * channels + k) as usize];
            let tap = (c * kernel_rows + j) * kernel_columns + i;
            if o.depthwise {
                sum += cell(c) * weights[tap as usize];
            } else {
                sum += (0..channels).map(|k| cell(k) * weights[(tap * channels + k) as usize]).sum::<i32>();
            }
        }
        results.push(sum);
    }
    results
}

/// Shapes whose operands fit in the places above.
fn cases() -> impl Strategy<Value = (Convolution, Vec<i32>, Vec<i32>)> {
    let sides = (1u32..3, 1u32..7, 1u32..7, 1u32..5);
    let outputs = (1u32..5, 1u32..5, 1u32..4);
    let pair = |range: std::ops::Range<u32>| (range.clone(), range).prop_map(|(a, b)| [a, b]);
    let pads = (-3i32..4, -3i32..4).prop_map(|(a, b)| [a, b]);
    (sides, outputs, pair(1..4), pair(1..4), pair(1..3), pads, any::<bool>()).prop_flat_map(
        |((batch, rows, columns, channels), (y, x, c), kernel, strides, dilations, pads, depthwise)| {
            let outputs = if depthwise { channels } else { c };
            let window = Window { kernel, strides, dilations, pads };
            let mut o = contiguous([batch, rows, columns, channels], [batch, y, x, outputs], window);
            o.depthwise = depthwise;
            o.weights = View::contiguous(WEIGHTS as u32, o.weights_shape(), 1);
            let elements = |shape: [u32; 4]| shape.iter().product::<u32>() as usize;
            let values = |count| prop::collection::vec(-128i32..128, count);
            (Just(o.clone()), values(elements(o.input_shape)), values(elements(o.weights_shape())))
        },
    )
}

proptest! {
    #[test]
    fn follows_the_definition((o, input, weights) in cases()) {
        prop_assert_eq!(sums(&o, i8s(&input), i8s(&weights)), defined(&o, &input, &weights));
        let mut wide = o.clone();
        wide.input_element = BpuElement::I16;
        wide.input = View::contiguous(0, o.input_shape, 2);
        let large: Vec<i32> = input.iter().map(|value| value * 255).collect();
        prop_assert_eq!(sums(&wide, i16s(&large), i8s(&weights)), defined(&o, &large, &weights));
    }

    #[test]
    fn operands_may_have_gaps((o, input, weights) in cases(), gap in 1i32..4) {
        // Channels `gap` bytes apart in the input, and an output with a free word after each.
        let mut spread = o.clone();
        spread.input.strides = o.input.strides.map(|stride| stride * gap);
        let mut bytes = vec![0x55; input.len() * gap as usize];
        i8s(&input).iter().enumerate().for_each(|(i, byte)| bytes[i * gap as usize] = *byte);
        prop_assume!(bytes.len() <= WEIGHTS && 8 * o.output_shape.iter().product::<u32>() as usize <= L1M - OUTPUT);
        spread.output.strides = o.output.strides.map(|stride| stride * 2);
        let memory = execute(spread, &image(&[(0, bytes), (WEIGHTS, i8s(&weights))]));
        let expected = defined(&o, &input, &weights);
        for (index, sum) in expected.iter().enumerate() {
            prop_assert_eq!(as_i32(&memory[OUTPUT + 8 * index..OUTPUT + 8 * index + 8]), [*sum, 0]);
        }
    }

    /// What the lowering does when a kernel does not fit: rows of the kernel, then ranges of channels, each part adding to
    /// the sums of the one before.
    #[test]
    fn parts_add_up_to_the_whole((o, input, weights) in cases()) {
        let expected = defined(&o, &input, &weights);
        let mut running = vec![0; expected.len()];
        let channels = if o.depthwise { 1 } else { o.input_shape[3] };
        for (row, channel) in (0..o.window.kernel[0]).flat_map(|row| (0..channels).map(move |channel| (row, channel))) {
            let mut part = o.clone();
            part.window.kernel[0] = 1;
            part.window.pads[0] = o.window.pads[0] - (row * o.window.dilations[0]) as i32;
            part.weights.address += (row as i32 * o.weights.strides[1] + channel as i32 * o.weights.strides[3]) as u32;
            if !o.depthwise {
                part.input_shape[3] = 1;
                part.input.address += channel;
            }
            part.accumulate = Some(View { address: SUMS as u32, ..o.output });
            let parts = [(0, i8s(&input)), (WEIGHTS, i8s(&weights)), (SUMS, i32s(&running))];
            prop_assume!(running.len() * 4 <= OUTPUT - SUMS);
            let memory = execute(part, &image(&parts));
            running = as_i32(&memory[OUTPUT..OUTPUT + 4 * running.len()]);
        }
        prop_assert_eq!(running, expected);
    }
}
