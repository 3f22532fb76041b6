//! AAE, with values from arithmetic on paper, and windows cut into parts.

use proptest::prelude::*;

use super::*;

const OUTPUT: u32 = 1024;
const TABLE: usize = 4096;
const EARLIER: u32 = 6144;

fn max_pool(input_shape: [u32; 4], output_shape: [u32; 4], window: Window) -> MaxPool {
    MaxPool {
        input_shape,
        output_shape,
        window,
        element: BpuElement::I8,
        input: View::contiguous(0, input_shape, 1),
        accumulate: None,
        output: View::contiguous(OUTPUT, output_shape, 1),
    }
}

fn average_pool(o: &MaxPool) -> AveragePool {
    AveragePool {
        zero_points: [0; 2],
        input_shape: o.input_shape,
        output_shape: o.output_shape,
        window: o.window,
        input_element: o.element,
        input: o.input,
        accumulate: None,
        count: None,
        output_element: BpuElement::I32,
        clamp: Clamp::I8,
        output: View::contiguous(OUTPUT, o.output_shape, 4),
    }
}

fn result(memory: &[u8], bytes: usize) -> &[u8] {
    &memory[OUTPUT as usize..OUTPUT as usize + bytes]
}

const PADDED: Window = Window { kernel: [2, 2], strides: [2, 2], dilations: [1, 1], pads: [1, 1] };

#[test]
fn the_greatest_of_those_that_are_there() {
    // -1 .. -9 framed by padding, which does not count.
    let o = max_pool([1, 3, 3, 1], [1, 2, 2, 1], PADDED);
    let input = i8s(&[-1, -2, -3, -4, -5, -6, -7, -8, -9]);
    assert_eq!(as_i8(result(&execute(o.clone(), &image(&[(0, input)])), 4)), [-1, -2, -4, -5]);
    // A window with no cell at all.
    let beside = MaxPool { output_shape: [1, 1, 1, 1], window: Window { pads: [2, 2], ..PADDED }, ..o };
    assert_eq!(as_i8(result(&execute(beside, &image(&[])), 1)), [-128]);
}

#[test]
fn averages_by_count() {
    // 1 .. 9 framed by padding that is not counted: windows of 1, 2, 2 and 4 cells.
    let o = max_pool([1, 3, 3, 1], [1, 2, 2, 1], PADDED);
    let input = i8s(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(as_i32(result(&execute(average_pool(&o), &image(&[(0, input.clone())])), 16)), [1, 5, 11, 28]);
    let count = Count {
        kernel: [2, 2],
        pads: [1, 1],
        extent: [3, 3],
        minimum: [1, 1],
        shape: [2, 2],
        table: View::new(TABLE as u32, [16, 8]),
    };
    let mean = AveragePool {
        count: Some(count),
        output_element: BpuElement::I8,
        output: View::contiguous(OUTPUT, o.output_shape, 1),
        ..average_pool(&o)
    };
    let table = i32s(&[1 << 30, 30, 1 << 30, 31, 1 << 30, 31, 1 << 30, 32]);
    let memory = execute(mean.clone(), &image(&[(0, input.clone()), (TABLE, table)]));
    // 1, 5 / 2 = 2.5 -> 2, 11 / 2 = 5.5 -> 6, 28 / 4 = 7
    assert_eq!(as_i8(result(&memory, 4)), [1, 2, 6, 7]);
    // Padding that counts: every window has 4 cells, the table one entry.
    let all = Count { extent: [5, 5], pads: [0, 0], minimum: [2, 2], shape: [1, 1], ..count };
    let memory =
        execute(AveragePool { count: Some(all), ..mean.clone() }, &image(&[(0, input), (TABLE, i32s(&[1 << 30, 32]))]));
    // 0.25, 1.25, 2.75, 7
    assert_eq!(as_i8(result(&memory, 4)), [0, 1, 3, 7]);
    let short = Count { shape: [1, 2], ..count };
    let message = try_execute(AveragePool { count: Some(short), ..mean }, &[]).unwrap_err().to_string();
    assert!(message.ends_with("windows count 1 to 2 cells along axis 0; the table has 1 to 1"), "{message}");
}

#[test]
fn a_window_without_cells_averages_to_zero() {
    let o = max_pool([1, 1, 1, 1], [1, 1, 1, 1], Window { pads: [2, 0], ..PADDED });
    let count = Count {
        kernel: [2, 2],
        pads: [2, 0],
        extent: [1, 1],
        minimum: [0, 1],
        shape: [1, 1],
        table: View::new(TABLE as u32, [8, 8]),
    };
    let mean = AveragePool {
        count: Some(count),
        output_element: BpuElement::I8,
        output: View::contiguous(OUTPUT, o.output_shape, 1),
        ..average_pool(&o)
    };
    assert_eq!(as_i8(result(&execute(mean, &image(&[(0, i8s(&[9]))])), 1)), [0]);
}

proptest! {
    /// Rows of the window one by one, as for windows larger than L1M, give what the whole gives.
    #[test]
    fn parts_join_to_the_whole(
        input in prop::collection::vec(-128i32..128, 2 * 5 * 4 * 3), kernel in 1u32..4, stride in 1u32..3, dilation in 1u32..3, pad in 0i32..3,
    ) {
        let window = Window { kernel: [kernel, 2], strides: [stride, 1], dilations: [dilation, 1], pads: [pad, 1] };
        let whole = max_pool([2, 5, 4, 3], [2, 3, 4, 3], window);
        let elements = 2 * 3 * 4 * 3;
        let expected = result(&execute(whole.clone(), &image(&[(0, i8s(&input))])), elements).to_vec();
        let total = result(&execute(average_pool(&whole), &image(&[(0, i8s(&input))])), 4 * elements).to_vec();
        let (mut maxima, mut sums): (Option<Vec<u8>>, Option<Vec<u8>>) = (None, None);
        for row in 0..kernel {
            let mut part = whole.clone();
            part.window.kernel[0] = 1;
            part.window.pads[0] = pad - (row * dilation) as i32;
            let mut sum = average_pool(&part);
            part.accumulate = maxima.as_ref().map(|_| View { address: EARLIER, ..part.output });
            sum.accumulate = sums.as_ref().map(|_| View { address: EARLIER, ..sum.output });
            let earlier = |bytes: &Option<Vec<u8>>| image(&[(0, i8s(&input)), (EARLIER as usize, bytes.clone().unwrap_or_default())]);
            maxima = Some(result(&execute(part, &earlier(&maxima)), elements).to_vec());
            sums = Some(result(&execute(sum, &earlier(&sums)), 4 * elements).to_vec());
        }
        prop_assert_eq!(maxima, Some(expected));
        prop_assert_eq!(sums, Some(total));
    }
}
