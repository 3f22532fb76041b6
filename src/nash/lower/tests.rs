//! Random operators on a machine with very little L1M: the simulator must give the interpreter's bytes, without races.

use std::sync::Arc;

use proptest::prelude::*;

use super::stripes::Rows;
use super::*;
use crate::bpu::interpreter;
use crate::bpu::model::{AveragePool, BpuElement, Convolution, MaxPool, Operator, PadMode};
use crate::sim::machine::Machine as Simulator;
use crate::sim::segmented::in_region;
use crate::target::Target;
use hb_dialects::ir::Affine;

/// nash-e with an L1M of so many bytes.
pub(super) fn target(l1m_bytes: u64) -> Target {
    let bytes = l1m_bytes.to_string();
    let overrides = [("local_memory.bytes", bytes.as_str()), ("local_memory.alignment", "16")];
    Target::named_with_overrides("nash-e", &overrides).unwrap()
}

/// A type of operands and results of programs.
fn real() -> impl Strategy<Value = BpuElement> {
    prop::sample::select(vec![BpuElement::I8, BpuElement::I16, BpuElement::F32])
}

/// Bytes that repeat for a seed (xorshift).
fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 24) as u8
        })
        .collect()
}

fn floats(seed: u64, count: usize) -> Vec<u8> {
    bytes(seed, count).iter().flat_map(|&byte| ((byte as i8) as f32 * 0.37).to_le_bytes()).collect()
}

pub(super) fn data(tensor: &BpuTensor, seed: u64) -> Vec<u8> {
    let count = tensor.element_count().unwrap();
    match tensor.element {
        BpuElement::F32 => floats(seed, count),
        BpuElement::I32 => bytes(seed, count * 2)
            .chunks(2)
            .flat_map(|c| i32::from(i16::from_le_bytes([c[0], c[1]])).to_le_bytes())
            .collect(),
        element => bytes(seed, count * element.bytes() as usize),
    }
}

fn tensor(shape: &[usize], element: BpuElement, scale: f64) -> BpuTensor {
    let plain = matches!(element, BpuElement::F32 | BpuElement::U8);
    let scale = if plain { TensorScale::None } else { TensorScale::symmetric(scale) };
    BpuTensor::new("t", shape, element, scale)
}

fn constant(tensor: BpuTensor, seed: u64) -> BpuTensor {
    let data: Arc<[u8]> = data(&tensor, seed).into();
    tensor.with_data(data)
}

/// Lowers, validates, checks races, runs, compares. None where the segment is not one that the model allows.
pub(super) fn compare(segment: &Segment, l1m_bytes: u64) -> Option<Lowered<'static>> {
    let inputs: Vec<Vec<u8>> = segment
        .inputs
        .iter()
        .enumerate()
        .map(|(index, id)| data(segment.tensor(*id).unwrap(), index as u64 + 77))
        .collect();
    compare_on(segment, l1m_bytes, &inputs)
}

/// As [`compare`], on these inputs, at every level; gives the last.
fn compare_on(segment: &Segment, l1m_bytes: u64, inputs: &[Vec<u8>]) -> Option<Lowered<'static>> {
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    let expected = interpreter::run(segment, &inputs).ok()?;
    let (mut last, mut least) = (None, u64::MAX);
    for level in Effort::ALL {
        let (lowered, cycles) = compare_at(segment, l1m_bytes, &inputs, &expected, level)?;
        assert!(cycles <= least, "{level:?} takes {cycles} cycles, the level before {least}");
        (last, least) = (Some(lowered), cycles);
    }
    last
}

/// One level: the program and its cycles.
fn compare_at(
    segment: &Segment,
    l1m_bytes: u64,
    inputs: &[&[u8]],
    expected: &[Vec<u8>],
    level: Effort,
) -> Option<(Lowered<'static>, u64)> {
    let target = target(l1m_bytes);
    let plan = match assign(segment, &target, level.into()) {
        // A constraint of the machine.
        Err(LowerError::Unsupported { .. }) => return None,
        result => result.unwrap(),
    };
    Some(run_plan(segment, &target, plan, inputs, expected))
}

/// The program of a plan, which gives what is expected, and its cycles.
pub(super) fn run_plan(
    segment: &Segment,
    target: &Target,
    plan: LoweringPlan,
    inputs: &[&[u8]],
    expected: &[Vec<u8>],
) -> (Lowered<'static>, u64) {
    let lowered = apply(segment, target, plan).unwrap();
    let simulator = Simulator::new(&lowered.program, target).unwrap();
    simulator.check_races().unwrap();
    let ports: Vec<_> = lowered.inputs.iter().cloned().zip(lowered.program.inputs.iter().copied()).collect();
    let regions: Vec<_> = ports.iter().zip(inputs).map(|(port, dense)| in_region(port, dense).unwrap()).collect();
    let regions: Vec<&[u8]> = regions.iter().map(AsRef::as_ref).collect();
    let found = simulator.run(&regions, &lowered.constants).unwrap();
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let differs = found.iter().zip(expected).position(|(a, b)| a != b);
        assert!(
            found == expected,
            "output {index} of {:?} differs at byte {differs:?} with {:?}",
            segment.nodes,
            lowered.plan.groups
        );
    }
    // A plan survives being written down.
    let text = serde_json::to_string(&lowered.plan).unwrap();
    let again = apply(segment, target, serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(again, lowered);
    let cycles = simulator.report().cycles;
    (lowered, cycles)
}

/// The program of these groups, where they fit in so much L1M, gives the interpreter's bytes, without races.
pub(super) fn compare_grouped(segment: &Segment, groups: &[NodeGroup], memory: u64) {
    let target = target(memory);
    let rows = Rows::new(segment, &target).unwrap();
    let Some(plan) = decide::grouped(segment, &rows, groups, memory / 2) else { return };
    let inputs = [data(segment.tensor(segment.inputs[0]).unwrap(), 77)];
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    let expected = interpreter::run(segment, &inputs).unwrap();
    run_plan(segment, &target, plan, &inputs, &expected);
}

/// How far the nodes of a group are apart.
pub(super) fn lag() -> impl Strategy<Value = Lag> {
    (0usize..4, 0usize..4).prop_map(|(handed, kept)| Lag { handed, kept })
}

fn activation() -> impl Strategy<Value = BpuElement> {
    prop_oneof![Just(BpuElement::I8), Just(BpuElement::I16)]
}

/// Sizes of an image and a window: batch, [height, width], channels, kernel, strides, dilations, pads.
type Sliding = (usize, [usize; 2], usize, [usize; 2], [usize; 2], [usize; 2], [usize; 4]);

fn sliding(largest_kernel: usize) -> impl Strategy<Value = Sliding> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    (
        1usize..3,
        pair(1..14),
        1usize..20,
        pair(1..largest_kernel + 1),
        pair(1..4),
        pair(1..3),
        [0usize..4, 0usize..4, 0usize..4, 0usize..4],
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn convolutions(
        (batch, [height, width], depth, kernel, strides, dilations, pads) in sliding(6),
        group in 1usize..5, filters in 1usize..9, depthwise in any::<bool>(), element in activation(),
        to in prop_oneof![Just(BpuElement::I8), Just(BpuElement::I16), Just(BpuElement::I32)],
        bias in any::<bool>(), memory in 176u64..2000,
    ) {
        let (depth, filters) = if depthwise { (1, 1) } else { (depth, filters) };
        let channels = depth * group;
        let mut segment = Segment::default();
        let x = segment.add_input(tensor(&[batch, height, width, channels], element, 0.5));
        let scales: Vec<f64> = (0..filters * group).map(|channel| 0.01 + channel as f64 * 0.003).collect();
        let products: Vec<f64> = scales.iter().map(|scale| scale * 0.5).collect();
        let w = BpuTensor::new("w", [filters * group, kernel[0], kernel[1], depth], BpuElement::I8, TensorScale::PerChannel { axis: 0, scales });
        let w = segment.add_tensor(constant(w, 5));
        let mut operands = vec![x, w];
        if bias {
            operands.push(segment.add_tensor(constant(BpuTensor::new("b", [filters * group], BpuElement::I32, TensorScale::None), 9)));
        }
        let convolution = Convolution { strides, pads, dilations, group, clamp: (to == BpuElement::I8).then_some(Clamp { low: -100, high: 90 }) };
        let shapes = [&segment.tensors[0].shape[..], &segment.tensors[1].shape[..]];
        let Ok(shape) = crate::bpu::model::convolution_shape(shapes[0], shapes[1], &convolution) else { return Ok(()) };
        let scale = match to {
            BpuElement::I32 => TensorScale::PerChannel { axis: 3, scales: products },
            _ => TensorScale::symmetric(if element == BpuElement::I8 { 2.0 } else { 300.0 }),
        };
        let y = segment.add_node("conv", Operator::Convolution(convolution), &operands, BpuTensor::new("y", shape.clone(), to, scale));
        segment.outputs.push(y);
        if to == BpuElement::I32 {
            let real = segment.add_node("real", Operator::Dequantize, &[y], tensor(&shape, BpuElement::F32, 1.0));
            segment.outputs.push(real);
        }
        prop_assume!(compare(&segment, memory).is_some());
    }

    #[test]
    fn products(
        batch in prop::collection::vec(1usize..4, 0..4), repeated in any::<[bool; 8]>(),
        m in 1usize..20, k in 1usize..70, n in 1usize..40, element in activation(), fixed in any::<bool>(), memory in 176u64..1500,
    ) {
        let spread = |flags: &[bool]| -> Vec<usize> {
            batch.iter().zip(flags).map(|(&size, &one)| if one { 1 } else { size }).collect()
        };
        let (mut a, mut b) = (spread(&repeated[..4]), spread(&repeated[4..]));
        a.extend([m, k]);
        b.extend([k, n]);
        let mut segment = Segment::default();
        let a = segment.add_input(tensor(&a, element, 0.1));
        let b = tensor(&b, BpuElement::I8, 0.2);
        let b = if fixed { segment.add_tensor(constant(b, 3)) } else { segment.add_input(b) };
        let shape = crate::bpu::model::matmul_shape(&segment.tensors[0].shape, &segment.tensors[1].shape).unwrap();
        let y = segment.add_node("product", Operator::MatMul { clamp: None }, &[a, b], tensor(&shape, BpuElement::I8, 3.0));
        segment.outputs.push(y);
        prop_assume!(compare(&segment, memory).is_some());
    }

    #[test]
    fn pools(
        (batch, [height, width], channels, kernel, strides, dilations, pads) in sliding(13),
        element in activation(), count_include_pad in any::<bool>(), memory in 176u64..1500,
    ) {
        let x = tensor(&[batch, height, width, channels], element, 0.5);
        let average = AveragePool { kernel, strides, pads, count_include_pad, clamp: None };
        let maximum = MaxPool { kernel, strides, pads, dilations };
        let mut segment = Segment::default();
        let input = segment.add_input(x.clone());
        if let Ok(Some(shape)) = crate::bpu::model::output_shape(&Operator::MaxPool(maximum.clone()), &[&x.shape]) {
            let y = segment.add_node("max", Operator::MaxPool(maximum), &[input], tensor(&shape, element, 0.5));
            segment.outputs.push(y);
        }
        if let Ok(Some(shape)) = crate::bpu::model::output_shape(&Operator::AveragePool(average.clone()), &[&x.shape]) {
            let y = segment.add_node("average", Operator::AveragePool(average), &[input], tensor(&shape, BpuElement::I8, 0.4));
            segment.outputs.push(y);
        }
        prop_assume!(!segment.outputs.is_empty());
        prop_assume!(compare(&segment, memory).is_some());
    }

    #[test]
    fn elementwise(
        shape in prop::collection::vec(1usize..7, 0..6), ones in prop::array::uniform12(prop::bool::weighted(0.25)), skip in 0usize..3,
        a in activation(), b in activation(), to in activation(), operator in 0usize..4, memory in 336u64..700,
    ) {
        let part = |flags: &[bool]| -> Vec<usize> { shape.iter().zip(flags).map(|(&size, &one)| if one { 1 } else { size }).collect() };
        let (left, right) = (part(&ones[..6]), part(&ones[6..]));
        let right = right[skip.min(right.len())..].to_vec();
        let mut segment = Segment::default();
        let x = segment.add_input(tensor(&left, BpuElement::F32, 0.0));
        let x = segment.add_node("quantize", Operator::Quantize, &[x], tensor(&left, a, 0.02));
        let y = segment.add_tensor(constant(tensor(&right, b, 0.03), 8));
        let shape = crate::bpu::model::broadcast_shape(&left, &right).unwrap();
        let operator = [Operator::Add { clamp: None }, Operator::Sub { clamp: Some(Clamp { low: 0, high: 100 }) }, Operator::Mul { clamp: None }, Operator::PRelu { clamp: None }][operator].clone();
        // Slopes broadcast to the input, not the other way round.
        prop_assume!(!matches!(operator, Operator::PRelu { .. }) || shape == left);
        let z = segment.add_node("binary", operator, &[x, y], tensor(&shape, to, 0.7));
        let integers = if to == BpuElement::I8 { Clamp::I8 } else { Clamp::I16 };
        let (from, into) = ((Affine::symmetric(0.7), integers), (Affine::symmetric(3e-5), Clamp::I16));
        let curve = crate::numerics::fit_curve(f64::tanh, from, into).unwrap().curve;
        let w = segment.add_node("curve", Operator::Curve { curve: Box::new(curve) }, &[z], tensor(&shape, BpuElement::I16, 3e-5));
        segment.outputs.push(w);
        let z = segment.add_node("narrow", Operator::Requantize { clamp: None }, &[z], tensor(&shape, BpuElement::I8, 0.9));
        let table = Box::new(crate::numerics::lookup_table(f64::tanh, Affine::symmetric(0.9), Affine::symmetric(0.01)));
        let z = segment.add_node("tanh", Operator::Lookup { table }, &[z], tensor(&shape, BpuElement::I8, 0.01));
        let z = segment.add_node("real", Operator::Dequantize, &[z], tensor(&shape, BpuElement::F32, 0.0));
        segment.outputs.push(z);
        prop_assume!(compare(&segment, memory).is_some());
    }

    #[test]
    fn camera_images(
        batch in 1usize..3, [height, width] in [1usize..9, 1usize..12], channels in 1usize..5, [planes, signed] in any::<[bool; 2]>(),
        constants in prop::collection::vec(any::<i8>(), 0..6), memory in 400u64..1200,
    ) {
        let mut segment = Segment::default();
        let element = if signed { BpuElement::I8 } else { BpuElement::U8 };
        let bytes = |shape: &[usize]| tensor(shape, element, 1.0);
        let (height, width, channels) = if planes { (2 * height, 2 * width, 3) } else { (height, width, channels) };
        let inputs = match planes {
            true => vec![
                segment.add_input(bytes(&[batch, height, width, 1])),
                segment.add_input(bytes(&[batch, height / 2, width / 2, 2])),
            ],
            false => vec![segment.add_input(bytes(&[batch, height, width, channels]))],
        };
        let shape = [batch, height, width, channels + constants.len()];
        let image = tensor(&shape, BpuElement::I8, 1.0);
        let image = segment.add_node("image", Operator::CameraImage { constants }, &inputs, image);
        let pooled = MaxPool { kernel: [1; 2], strides: [1; 2], pads: [0; 4], dilations: [1; 2] };
        let pooled = segment.add_node("pool", Operator::MaxPool(pooled), &[image], tensor(&shape, BpuElement::I8, 1.0));
        segment.outputs.extend([image, pooled]);
        prop_assert!(compare(&segment, memory).is_some());
    }

    #[test]
    fn regions(
        [rows, columns] in [1usize..9, 1usize..9], channels in 1usize..4, block in 1usize..3, size in [1usize..12, 1usize..12],
        corners in [any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>()],
        memory in 64u64..400,
    ) {
        let (height, width) = (rows * block, columns * block);
        let pick = |low: &prop::sample::Index, high: &prop::sample::Index, size: usize| {
            let low = low.index(size);
            (low as i32, (low + 1 + high.index(size - low)) as i32)
        };
        let ((left, right), (top, bottom)) = (pick(&corners[0], &corners[1], width), pick(&corners[2], &corners[3], height));
        let region = crate::numerics::RegionOfInterest { left, top, right, bottom };
        let mut segment = Segment::default();
        let plane = segment.add_input(tensor(&[1, rows, columns, channels], BpuElement::U8, 0.0));
        let roi = segment.add_input(BpuTensor::new("roi", [1, 4], BpuElement::I32, TensorScale::None));
        let result = tensor(&[1, size[0], size[1], channels], BpuElement::I8, 1.0);
        let resized = segment.add_node("resize", Operator::RoiResize { block, size }, &[plane, roi], result);
        segment.outputs.push(resized);
        let inputs = [bytes(7, rows * columns * channels), region.to_bytes()];
        prop_assert!(compare_on(&segment, memory, &inputs).is_some());
    }

    #[test]
    fn normalization(
        shape in prop::collection::vec(1usize..9, 1..5), pick in any::<usize>(), element in activation(),
        numbers in prop::collection::vec((-3.0f32..3.0, -4.0f32..4.0), 9), memory in 400u64..1200,
    ) {
        let axis = pick % shape.len();
        let (mean, factor) = numbers.into_iter().take(shape[axis]).unzip();
        let mut segment = Segment::default();
        let x = segment.add_input(tensor(&shape, BpuElement::F32, 0.0));
        let normalize = Operator::Normalize { axis, mean, factor };
        let y = segment.add_node("normalize", normalize, &[x], tensor(&shape, element, 0.03));
        segment.outputs.push(y);
        prop_assert!(compare(&segment, memory).is_some());
    }

    #[test]
    fn programs(
        shape in prop::collection::vec(1usize..9, 1..5), repeats in any::<[u8; 3]>(), along in any::<u8>(), row_only: bool,
        elements in [real(), real(), real(), real()], program in crate::numerics::vector_programs(), memory in 700u64..3000,
    ) {
        let mut segment = Segment::default();
        let mut inputs = Vec::new();
        for (index, (element, repeats)) in elements.iter().zip(repeats).enumerate() {
            let own = |(axis, size): (usize, &usize)| if index > 0 && repeats >> axis & 1 != 0 { 1 } else { *size };
            let own: Vec<usize> = shape.iter().enumerate().map(own).collect();
            inputs.push(segment.add_input(tensor(&own, *element, 0.05)));
        }
        let axes: Vec<usize> = (0..shape.len()).filter(|axis| along >> axis & 1 != 0).collect();
        // One row of three operands and the result, of 4 bytes each.
        let row: usize = axes.iter().map(|&axis| shape[axis]).product();
        prop_assume!(16 * row as u64 + 64 <= memory);
        let reduced = |(axis, size): (usize, &usize)| if axes.contains(&axis) { 1 } else { *size };
        let rows: Vec<usize> = shape.iter().enumerate().map(reduced).collect();
        // What is combined lies in local memory as a whole: the rows of all operands, of 4 bytes an element at most.
        let row: usize = axes.iter().map(|&axis| shape[axis]).product();
        let memory = memory + if program.reduces() { 4 * (4 * row as u64 + 16) } else { 0 };
        let result = if row_only && program.reduces() { rows } else { shape };
        let vector = Operator::Vector { axes, program: Box::new(program) };
        let y = segment.add_node("vector", vector, &inputs, tensor(&result, elements[3], 0.03));
        segment.outputs.push(y);
        prop_assert!(compare(&segment, memory).is_some());
    }

    #[test]
    fn movement(
        shape in prop::collection::vec(1usize..7, 1..5), element in prop_oneof![activation(), Just(BpuElement::F32)],
        picks in any::<[u16; 12]>(), mode in 0usize..3, memory in 80u64..400,
    ) {
        let rank = shape.len();
        let mut picks = picks.into_iter().map(usize::from).cycle();
        let mut pick = |below: usize| picks.next().unwrap_or(0) % below.max(1);
        let typed = |shape: &[usize]| tensor(shape, element, 0.5);
        let mut segment = Segment::default();
        let x = segment.add_input(typed(&shape));
        let mut permutation: Vec<usize> = (0..rank).collect();
        (0..rank).for_each(|axis| permutation.swap(axis, pick(rank)));
        let turned: Vec<usize> = permutation.iter().map(|&axis| shape[axis]).collect();
        let y = segment.add_node("transpose", Operator::Transpose { permutation }, &[x], typed(&turned));
        let mode = [PadMode::Constant(0), PadMode::Reflect, PadMode::Edge][mode];
        let before: Vec<usize> = turned.iter().map(|&size| pick(size)).collect();
        let after: Vec<usize> = turned.iter().map(|&size| pick(size)).collect();
        let padded = crate::bpu::model::pad_shape(&turned, &before, &after, mode).unwrap();
        let y = segment.add_node("pad", Operator::Pad { before, after, mode }, &[y], typed(&padded));
        let axis = pick(rank);
        let mut joined = padded.clone();
        joined[axis] *= 2;
        let z = segment.add_node("concat", Operator::Concat { axis }, &[y, y], typed(&joined));
        let starts: Vec<usize> = joined.iter().map(|&size| pick(size)).collect();
        let backwards = pick(2) == 1;
        let (mut steps, mut sizes) = (Vec::new(), Vec::new());
        for (&start, &size) in starts.iter().zip(&joined) {
            let step = 1 + pick(2);
            sizes.push(if backwards { start / step + 1 } else { (size - start).div_ceil(step) });
            steps.push(if backwards { -(step as isize) } else { step as isize });
        }
        let elements: usize = sizes.iter().product();
        let z = segment.add_node("slice", Operator::Slice { starts, steps, sizes: sizes.clone() }, &[z], typed(&sizes));
        let z = segment.add_node("reshape", Operator::Reshape, &[z], typed(&[elements]));
        let again = segment.add_node("again", Operator::Reshape, &[x], typed(&[1, shape.iter().product()]));
        segment.outputs.extend([z, again, x, y, y]);
        prop_assume!(compare(&segment, memory).is_some());
    }
}

/// Small networks, so that some tensors stay in L1M, some go to DDR, and slots of one node meet those of the next.
pub(super) fn random_network(sizes: [usize; 2], channels: usize, picks: Vec<u16>, length: usize) -> Segment {
    let mut picks = picks.into_iter().map(usize::from).cycle();
    let mut pick = |below: usize| picks.next().unwrap_or(0) % below.max(1);
    let mut segment = Segment::default();
    let mut values = vec![segment.add_input(tensor(&[1, sizes[0], sizes[1], channels], BpuElement::I8, 0.5))];
    for index in 0..length {
        let x = values[pick(values.len())];
        let shape = segment.tensor(x).unwrap().shape.clone();
        let (operator, operands) = match pick(8) {
            0 | 1 => {
                let depthwise = pick(3) == 0;
                let (filters, depth) = if depthwise { (shape[3], 1) } else { (1 + pick(12), shape[3]) };
                let w = tensor(&[filters, 3, 3, depth], BpuElement::I8, 0.02);
                let w = segment.add_tensor(constant(w, index as u64));
                let group = if depthwise { shape[3] } else { 1 };
                let stride = 1 + pick(2);
                let convolution = Convolution { strides: [stride; 2], pads: [1; 4], group, ..Convolution::default() };
                (Operator::Convolution(convolution), vec![x, w])
            }
            2 => {
                let y = values.iter().copied().find(|y| *y != x && segment.tensor(*y).unwrap().shape == shape);
                (Operator::Add { clamp: None }, vec![x, y.unwrap_or(x)])
            }
            3 => {
                let pool = MaxPool { kernel: [2; 2], strides: [1; 2], pads: [1; 4], dilations: [1; 2] };
                (Operator::MaxPool(pool), vec![x])
            }
            4 => (Operator::Concat { axis: 1 + pick(3) }, vec![x, x]),
            5 => (Operator::Transpose { permutation: vec![0, 2, 1, 3] }, vec![x]),
            6 => {
                let table = Box::new(std::array::from_fn(|entry| (entry as i8).wrapping_mul(3)));
                (Operator::Lookup { table }, vec![x])
            }
            _ => (Operator::Reshape, vec![x]),
        };
        let shapes: Vec<&[usize]> = operands.iter().map(|id| segment.tensor(*id).unwrap().shape.as_slice()).collect();
        let result = crate::bpu::model::output_shape(&operator, &shapes).unwrap();
        // A reshape folds columns into channels.
        let result = result.unwrap_or_else(|| vec![1, shape[1], 1, shape[2] * shape[3]]);
        let result = tensor(&result, BpuElement::I8, 0.5);
        values.push(segment.add_node(format!("n{index}"), operator, &operands, result));
    }
    let output = *values.last().unwrap();
    segment.outputs.push(output);
    segment.outputs.push(values[pick(values.len())]);
    segment
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn networks(
        sizes in [2usize..9, 2usize..9], channels in 1usize..12, picks in prop::collection::vec(any::<u16>(), 40),
        length in 2usize..9, memory in 300u64..4000,
    ) {
        let segment = random_network(sizes, channels, picks, length);
        prop_assume!(compare(&segment, memory).is_some());
    }

    /// Whatever nodes are a group, in whatever number of stripes: the same bytes, and no races.
    #[test]
    fn groups(
        sizes in [2usize..12, 2usize..9], channels in 1usize..12, picks in prop::collection::vec(any::<u16>(), 40),
        length in 2usize..9, cuts in any::<[u8; 3]>(), lag in lag(), memory in 2000u64..30_000,
    ) {
        let segment = random_network(sizes, channels, picks, length);
        let first = usize::from(cuts[0]) % length;
        let end = first + 1 + usize::from(cuts[1]) % (length - first);
        let groups = [NodeGroup { first, end, pieces: 1 + usize::from(cuts[2]) % 7, lag }];
        compare_grouped(&segment, &groups, memory);
    }
}

/// A node on an i8 image, weights by shape.
pub(super) fn convolution(x: &[usize], w: &[usize], attributes: Convolution) -> Segment {
    let mut segment = Segment::default();
    let input = segment.add_input(tensor(x, BpuElement::I8, 0.5));
    let weights = segment.add_tensor(constant(tensor(w, BpuElement::I8, 0.01), 4));
    let shape = crate::bpu::model::convolution_shape(x, w, &attributes).unwrap();
    let y = segment.add_node(
        "conv",
        Operator::Convolution(attributes),
        &[input, weights],
        tensor(&shape, BpuElement::I8, 20.0),
    );
    segment.outputs.push(y);
    segment
}

#[test]
fn a_kernel_larger_than_memory_is_summed_in_parts() {
    // 31 x 31 x 16 weights of one output channel alone take 15376 bytes.
    let attributes = Convolution { pads: [15; 4], ..Convolution::default() };
    let lowered = compare(&convolution(&[1, 9, 12, 16], &[3, 31, 31, 16], attributes), 4096).unwrap();
    let partial = |operation: &crate::nash::isa::Operation| matches!(operation, crate::nash::isa::Operation::Convolution(convolution) if convolution.accumulate.is_some());
    assert!(lowered.program.instructions.iter().any(|instruction| partial(&instruction.operation)));
}

#[test]
fn many_channels_and_a_wide_image_are_cut() {
    compare(&convolution(&[1, 1, 2, 4096], &[130, 1, 1, 4096], Convolution::default()), 8192).unwrap();
    let stem = Convolution { strides: [4, 4], pads: [3; 4], ..Convolution::default() };
    compare(&convolution(&[1, 30, 3840, 3], &[4, 7, 7, 3], stem), 8192).unwrap();
}

#[test]
fn the_layers_that_do_not_fit_nash_e_have_programs() {
    let target = Target::named("nash-e").unwrap();
    let padded = |pad: usize| Convolution { pads: [pad; 4], ..Convolution::default() };
    for segment in [
        convolution(&[1, 2160, 3840, 3], &[32, 3, 3, 3], padded(1)),
        convolution(&[1, 16, 16, 4096], &[4096, 3, 3, 4096], padded(1)),
        convolution(&[1, 135, 240, 64], &[64, 31, 31, 64], padded(15)),
    ] {
        let lowered = lower(&segment, &target, Effort::O0.into()).unwrap();
        let simulator = Simulator::new(&lowered.program, &target).unwrap();
        simulator.check_races().unwrap();
        assert!(lowered.program.instructions.len() < 100_000);
        let report = simulator.report();
        // Weights and images pass the DDR port at least once.
        let least = segment.tensors.iter().map(|tensor| tensor.byte_count().unwrap() as u64).sum::<u64>();
        let moved = report.ddr_bytes_loaded + report.ddr_bytes_stored;
        assert!(moved >= least, "{moved} of {least}");
    }
}

#[test]
fn a_layer_without_any_tiling_is_an_error_that_says_why() {
    let error =
        lower(&convolution(&[1, 4, 4, 4], &[4, 3, 3, 4], Convolution::default()), &target(64), Effort::O2.into());
    let text = error.unwrap_err().to_string();
    // Input, weights, parameters and sums of one cell and one product in 16 bytes each, one byte of result.
    assert!(text.contains("'conv'") && text.contains("needs 65 bytes of L1M, 64 are available"), "{text}");
}

#[test]
fn what_fits_stays_in_local_memory() {
    let mut segment =
        convolution(&[1, 12, 12, 16], &[16, 3, 3, 16], Convolution { pads: [1; 4], ..Convolution::default() });
    let y = segment.outputs.remove(0);
    let like = |name: &str| BpuTensor { name: name.to_string(), ..tensor(&[1, 12, 12, 16], BpuElement::I8, 20.0) };
    let z = segment.add_node("double", Operator::Add { clamp: None }, &[y, y], like("z"));
    let z = segment.add_node("sum", Operator::Add { clamp: None }, &[z, y], like("z"));
    segment.outputs.push(z);
    let lowered = compare(&segment, 16384).unwrap();
    assert_eq!(lowered.program.workspace, 0);
    assert_eq!(lowered.plan.residents.len(), 2);
    let report = Simulator::new(&lowered.program, &target(16384)).unwrap().report();
    // Input, weights, parameters in; the result out.
    assert_eq!(report.ddr_bytes_loaded, 144 * 16 + 9 * 256 + 16 * 12);
    assert_eq!(report.ddr_bytes_stored, 144 * 16);
}
