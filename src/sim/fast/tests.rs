//! Fast kernels against the scalar definitions: [`try_execute`] runs an instruction both ways, at every level.

use proptest::prelude::*;

use crate::nash::isa::*;
use crate::sim::machine::tests::{L1M, pieces, try_execute};

/// Bytes in which extremes are frequent.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), Just(0x80), Just(0x7f), Just(0)]
}

fn image() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(byte(), 512).prop_map(|bytes| {
        // Not periodic in any size that operands have.
        (0..L1M).map(|index| bytes[(index + index / 512 * 37) % 512]).collect()
    })
}

/// A view of a tile with gaps of `gaps` elements after rows, columns and channels.
fn tile(address: u32, shape: [u32; 4], bytes: u32, gaps: [u32; 3]) -> View<4> {
    let channel = bytes as i32 * (1 + gaps[2] as i32);
    let column = channel * shape[3] as i32 + gaps[1] as i32 * bytes as i32;
    let row = column * shape[2] as i32 + gaps[0] as i32;
    View::new(address, [row * shape[1] as i32, row, column, channel])
}

fn extent(shape: [u32; 4], view: &View<4>, bytes: u32) -> u32 {
    let reach: i32 = shape.iter().zip(view.strides).map(|(size, stride)| (*size as i32 - 1) * stride).sum();
    view.address + reach as u32 + bytes
}

#[derive(Clone, Debug)]
struct Case {
    depthwise: bool,
    images: u32,
    input: [u32; 2],
    output: [u32; 2],
    channels: [u32; 2],
    window: Window,
    gaps: [[u32; 3]; 2],
    accumulate: bool,
    input_element: BpuElement,
    output_element: BpuElement,
    /// Mantissa and shift.
    multiplier: (i32, u32),
    clamp: (i32, i32),
}

prop_compose! {
    fn case()(
        depthwise: bool,
        images in 1u32..=2,
        input in [1u32..=6, 1u32..=6],
        output in [1u32..=4, 1u32..=19],
        channels in prop_oneof![[1u32..=9, 1u32..=70], [1u32..=40, 1u32..=5]],
        kernel in prop_oneof![Just([1u32, 1]), [1u32..=4, 1u32..=4], Just([6, 7])],
        strides in [1u32..=3, 1u32..=3],
        dilations in [1u32..=2, 1u32..=2],
        pads in [-2i32..=4, -2i32..=4],
        gaps in [[0u32..=2, 0u32..=2, 0u32..=1], [0u32..=2, 0u32..=2, 0u32..=1]],
        packed in any::<[bool; 2]>(),
        accumulate: bool,
        input_element in prop::sample::select(vec![BpuElement::I8, BpuElement::I16]),
        output_element in prop::sample::select(vec![BpuElement::I8, BpuElement::I16, BpuElement::I32]),
        multiplier in (1i32 << 30..=i32::MAX, 0u32..=62),
        clamp in prop_oneof![(-128i32..=0, 0i32..=127), Just((-32768, 32767))],
    ) -> Case {
        let gaps = [0, 1].map(|index| if packed[index] { [0; 3] } else { gaps[index] });
        let window = Window { kernel, strides, dilations, pads };
        let clamp = if output_element == BpuElement::I8 { (clamp.0.max(-128), clamp.1.min(127)) } else { clamp };
        Case {
            depthwise, images, input, output, channels, window, gaps, accumulate, input_element, output_element, multiplier, clamp,
        }
    }
}

/// A zero point of an operand: any int8, and 0 of other types.
fn zero_point(element: BpuElement, seed: i32) -> i32 {
    if element == BpuElement::I8 { i32::from(seed as i8) } else { 0 }
}

/// The instruction of a case, unless it needs more than L1M.
fn convolution(case: &Case, image: &mut [u8], partial: bool) -> Option<Convolution> {
    let [inputs, outputs] = if case.depthwise { [case.channels[1]; 2] } else { case.channels };
    let input_shape = [case.images, case.input[0], case.input[1], inputs];
    let output_shape = [case.images, case.output[0], case.output[1], outputs];
    let element = if partial { BpuElement::I32 } else { case.output_element };
    let output = tile(0, output_shape, element.bytes(), case.gaps[1]);
    let input_bytes = case.input_element.bytes();
    let input = tile(extent(output_shape, &output, element.bytes()) + 3, input_shape, input_bytes, case.gaps[0]);
    let kernel = case.window.kernel;
    let weights_shape = [outputs, kernel[0], kernel[1], if case.depthwise { 1 } else { inputs }];
    let weights = View::contiguous(extent(input_shape, &input, input_bytes) + 1, weights_shape, 1);
    let parameters = extent(weights_shape, &weights, 1) + 5;
    let accumulate = tile(parameters + outputs * 12 + 2, output_shape, 4, [0, 1, 0]);
    if extent(output_shape, &accumulate, 4) as usize > L1M {
        return None;
    }
    for channel in 0..outputs {
        let place = &mut image[(parameters + channel * 12) as usize..][..12];
        // Bias stays as it is.
        place[4..8].copy_from_slice(&case.multiplier.0.wrapping_sub(channel as i32).max(1 << 30).to_le_bytes());
        place[8..].copy_from_slice(&((case.multiplier.1 + channel % 3).min(62)).to_le_bytes());
    }
    let mut accumulate = Some(accumulate).filter(|_| case.accumulate);
    if partial && case.accumulate && case.clamp.0 % 2 == 0 {
        accumulate = Some(output);
    }
    Some(Convolution {
        zero_points: [zero_point(case.input_element, case.multiplier.0), zero_point(element, case.multiplier.0 >> 8)],
        depthwise: case.depthwise,
        input_shape,
        output_shape,
        window: case.window,
        input_element: case.input_element,
        input,
        weights,
        accumulate,
        parameters: (!partial).then(|| View::new(parameters, [12])),
        output_element: element,
        clamp: Clamp { low: case.clamp.0, high: case.clamp.1 },
        output,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// With few elements and with many, between all widths, with gaps.
    #[test]
    fn curves(
        starts in prop::collection::btree_set(any::<i16>(), 1..=64), rows in 1u32..=3, columns in 1u32..=300, gap in 0i32..=1,
        coefficients in prop::collection::vec(any::<[i64; 3]>(), 64),
        wide in any::<[bool; 2]>(), image in image(), shift in 0u32..=62, bits in 0u32..64,
    ) {
        let mut image = image;
        let count = starts.len() as u32;
        let coefficients = coefficients.into_iter().map(|[a, b, c]| [a >> bits, b >> (bits / 2), c >> (bits / 4)]);
        let table = pieces(&starts.into_iter().zip(coefficients).collect::<Vec<_>>());
        image[5000..5000 + table.len()].copy_from_slice(&table);
        let [input_element, output_element] = wide.map(|wide| if wide { BpuElement::I16 } else { BpuElement::I8 });
        let view = |address: u32, element: BpuElement| {
            let step = element.bytes() as i32;
            View::new(address, [0, 0, 0, 0, step * (columns as i32 + gap), step])
        };
        let o = Curve {
            shape: [1, 1, 1, 1, rows, columns], input_element, output_element, pieces: count, shift,
            input: view(0, input_element), table: View::new(5000, [26]), output: view(2100, output_element),
        };
        try_execute(o, &image).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Rows of more cells than kernels take at once.
    #[test]
    fn wide_convolutions(case in case(), image in image(), partial: bool, columns in 50u32..=150) {
        let mut case = case;
        (case.images, case.output, case.input) = (1, [case.output[0].min(2), columns], [case.input[0].min(3), columns]);
        case.channels = [case.channels[0].min(3), case.channels[1].min(5)];
        let mut image = image;
        if let Some(o) = convolution(&case, &mut image, partial) {
            try_execute(o, &image).map_err(|error| TestCaseError::fail(error.to_string()))?;
        }
    }

    #[test]
    fn convolutions(case in case(), image in image(), partial: bool) {
        let mut image = image;
        if let Some(o) = convolution(&case, &mut image, partial) {
            try_execute(o, &image).map_err(|error| TestCaseError::fail(error.to_string()))?;
        }
    }
}

/// Where the sizes of a copy lie in memory: the order of dimensions from the innermost, gaps in elements, and which ones run
/// backwards.
#[derive(Clone, Debug)]
struct Order {
    axes: Vec<usize>,
    gaps: [u32; 4],
    backwards: [bool; 4],
}

impl Order {
    /// A view whose first byte is `start`, and one past its last byte.
    fn view(&self, start: u32, shape: [u32; 4], bytes: u32) -> (View, u32) {
        let (mut strides, mut address, mut step) = ([0; RANK], start, bytes);
        for (&axis, gap) in self.axes.iter().zip(self.gaps) {
            step += gap * bytes;
            let reach = (shape[axis] - 1) * step;
            strides[axis + 2] = if self.backwards[axis] { -(step as i32) } else { step as i32 };
            address += if self.backwards[axis] { reach } else { 0 };
            step += reach;
        }
        (View::new(address, strides), start + step)
    }
}

fn order() -> impl Strategy<Value = Order> {
    let gaps = prop_oneof![3 => Just([0; 4]), 1 => [0u32..2, 0u32..3, 0u32..2, 0u32..2]];
    let backwards = prop_oneof![3 => Just([false; 4]), 1 => any::<[bool; 4]>()];
    (Just(vec![3, 2, 1, 0]).prop_shuffle(), gaps, backwards).prop_map(|(axes, gaps, backwards)| Order {
        axes,
        gaps,
        backwards,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn copies(
        shape in prop_oneof![[1u32..4, 1u32..5, 1u32..5, 1u32..7], [1u32..2, 1u32..3, 1u32..4, 30u32..70]],
        bytes in prop::sample::select(vec![1u8, 2, 4, 8]), orders in [order(), order()], image in image(),
        same_order: bool, place in 0..3,
    ) {
        let size = u32::from(bytes);
        let all = [1, 1, shape[0], shape[1], shape[2], shape[3]];
        let [first, second] = orders;
        let second = if same_order { first.clone() } else { second };
        let (source, end) = first.view(5, all[2..].try_into().unwrap(), size);
        let (destination, last) = second.view(end + 3, shape, size);
        let (source, destination) = match place {
            0 => (source, destination),
            1 => (destination, source),
            // Between the elements of the source, where it has gaps for them.
            _ => (source, View::new(source.address + size, source.strides)),
        };
        let copy = Copy { shape: all, element_bytes: bytes, source, destination };
        if last as usize <= L1M {
            match try_execute(copy, &image) {
                // Without gaps, the last kind overlaps.
                Err(error) => prop_assert!(place == 2, "{}", error),
                Ok(found) => {
                    // The first element arrives.
                    let place = |view: View| view.address as usize..(view.address + size) as usize;
                    prop_assert_eq!(&found[place(destination)], &image[place(source)]);
                }
            }
        }
    }
}

/// Two operands and a result in places of their own; the result in the place of the first operand where that is allowed.
fn operands(orders: &[Order; 3], shape: [u32; 4], elements: [BpuElement; 3], in_place: bool) -> Option<[View; 3]> {
    let (a, end) = orders[0].view(3, shape, elements[0].bytes());
    let (b, end) = orders[1].view(end, shape, elements[1].bytes());
    let (output, end) = orders[2].view(end + 1, shape, elements[2].bytes());
    let output = if in_place && elements[0].bytes() == elements[2].bytes() { a } else { output };
    (end as usize <= L1M).then_some([a, b, output])
}

fn element() -> impl Strategy<Value = BpuElement> {
    prop::sample::select(vec![BpuElement::I8, BpuElement::I16])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn elementwise(
        kind in 0..7,
        shape in prop_oneof![[1u32..4, 1u32..5, 1u32..5, 1u32..7], [1u32..2, 1u32..3, 1u32..4, 30u32..150]],
        elements in [element(), element(), element()], orders in [order(), order(), order()], same_order: bool, in_place: bool,
        image in image(), factors in (1i32 << 30..=i32::MAX, -i32::MAX..=i32::MAX), shift in 0u32..=62,
        clamp in prop_oneof![(-128i32..=0, 0i32..=127), Just((-32768, 32767))], scale in 1e-3f32..1e3,
    ) {
        // One line of many elements.
        let orders = if same_order { [(); 3].map(|()| Order { axes: vec![3, 2, 1, 0], gaps: [0; 4], backwards: [false; 4] }) } else { orders };
        let [a_element, b_element, output_element] = elements;
        let full = if output_element == BpuElement::I8 { Clamp::I8 } else { Clamp::I16 };
        let clamp = full.intersect(Clamp { low: clamp.0, high: clamp.1 });
        let (mantissa, other) = factors;
        let words = [BpuElement::F32, b_element, output_element];
        let floats = [a_element, BpuElement::F32, BpuElement::F32];
        let reals = [BpuElement::F32, BpuElement::F32, output_element];
        let elements = match kind {
            3 => words,
            4 => floats,
            6 => reals,
            _ => elements,
        };
        let Some([a, b, output]) = operands(&orders, shape, elements, in_place && [0, 1, 2, 5].contains(&kind)) else { return Ok(()) };
        let shape = [1, 1, shape[0], shape[1], shape[2], shape[3]];
        let zero_points =
            [zero_point(a_element, mantissa), zero_point(b_element, mantissa >> 8), zero_point(output_element, mantissa >> 16)];
        let [a_zero, _, output_zero] = zero_points;
        let operation: Operation = match kind {
            0 => {
                let (multiplier_a, multiplier_b) = (mantissa, other);
                Add { zero_points, shape, a_element, b_element, output_element, multiplier_a, multiplier_b, shift, clamp, a, b, output }
                    .into()
            }
            1 => Mul { zero_points, shape, a_element, b_element, output_element, mantissa, shift, clamp, a, b, output }.into(),
            2 => {
                let input_element = a_element;
                Requantize { zero_points: [a_zero, output_zero], shape, input_element, output_element, mantissa, shift, clamp, input: a, output }.into()
            }
            5 => {
                let (input_element, slope_element, slope_mantissa, slope_shift) = (a_element, b_element, mantissa, 62 - shift);
                let (input, slope) = (a, b);
                PRelu { zero_points,
                    shape, input_element, slope_element, output_element, mantissa, shift, slope_mantissa, slope_shift, clamp, input,
                    slope, output,
                }
                .into()
            }
            3 => Quantize { zero_point: output_zero, shape, output_element, scale, input: a, output }.into(),
            6 => Normalize { zero_point: output_zero, shape, output_element, scale, means: b, factors: a, input: a, output }.into(),
            _ => {
                let (input_element, scales) = (a_element, in_place.then_some(b));
                Dequantize { zero_point: a_zero, shape, input_element, scale, scales, input: a, output }.into()
            }
        };
        try_execute(operation, &image).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }

    #[test]
    fn pools(case in case(), image in image(), average: bool) {
        let channels = case.channels[1];
        let input_shape = [case.images, case.input[0], case.input[1], channels];
        let output_shape = [case.images, case.output[0], case.output[1], channels];
        let (element, window) = (case.input_element, case.window);
        let output_element = if average { BpuElement::I32 } else { element };
        let input = tile(1, input_shape, element.bytes(), case.gaps[0]);
        let output = tile(extent(input_shape, &input, element.bytes()) + 1, output_shape, output_element.bytes(), case.gaps[1]);
        let accumulate = View { address: extent(output_shape, &output, output_element.bytes()) + 2, ..output };
        if extent(output_shape, &accumulate, output_element.bytes()) as usize > L1M {
            return Ok(());
        }
        let accumulate = case.accumulate.then_some(accumulate);
        let operation: Operation = if average {
            let (input_element, clamp) = (element, Clamp::I32);
            AveragePool { zero_points: [zero_point(input_element, case.multiplier.0), 0],
                input_shape, output_shape, window, input_element, input, accumulate, count: None, output_element, clamp, output,
            }
            .into()
        } else {
            MaxPool { input_shape, output_shape, window, element, input, accumulate, output }.into()
        };
        try_execute(operation, &image).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn programs(
        shape in prop_oneof![[1u32..4, 1u32..5, 1u32..5, 1u32..7], [1u32..2, 1u32..3, 1u32..4, 30u32..150]],
        elements in prop::collection::vec(prop::sample::select(vec![BpuElement::I8, BpuElement::I16, BpuElement::F32, BpuElement::F16]), 4),
        orders in [order(), order(), order()], repeats: [bool; 2], row_dimensions in 0u32..=6, reduced: bool,
        program in crate::numerics::vector_programs(), image in image(), scale in 1e-2f32..1.0,
    ) {
        let [a, b, c, output_element]: [BpuElement; 4] = elements.try_into().unwrap();
        let Some([first, second, output]) = operands(&orders, shape, [a, b, output_element], false) else { return Ok(()) };
        // The third operand is the first one repeated, along rows or along the last dimension.
        let mut third = View::new(first.address, [0; RANK]);
        if repeats[0] {
            third.strides[4] = 4;
        }
        if repeats[1] {
            third.strides[5] = 4;
        }
        let shape = [1, 1, shape[0], shape[1], shape[2], shape[3]];
        let reduced = reduced && program.reduces();
        let seed = (scale * 1e6) as i32;
        let operand = |element| RowOperand {
            element,
            scale: if element.is_real() { 1.0 } else { scale },
            zero_point: zero_point(element, seed),
        };
        let run = Run {
            shape, row_dimensions, output_element, output_scale: scale, output_zero_point: zero_point(output_element, seed >> 4), reduced, output,
            program: RowProgram { operands: vec![operand(a), operand(b), operand(c)], steps: program.steps().to_vec() },
            operand0: Some(first), operand1: Some(second), operand2: Some(third), operand3: None, operand4: None, operand5: None,
        };
        // The repeated operand may reach into the result.
        let accesses = Operation::from(run.clone()).accesses();
        let (written, read) = accesses.split_last().unwrap();
        if read.iter().any(|access| access.region.overlaps(&written.region) || access.region.end() > L1M as i128) {
            return Ok(());
        }
        try_execute(run, &image).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}
