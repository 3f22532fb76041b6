//! VAE, VPU, DTE and DMA, with values from arithmetic on paper.

use super::*;

const SHAPE: [u32; RANK] = [1, 1, 1, 1, 1, 4];
const ROW: [i32; RANK] = [0, 0, 0, 0, 0, 1];

fn i8_view(address: u32) -> View {
    View::new(address, ROW)
}

#[test]
fn add_rounds_once() {
    // (a + 2 b) / 4, ties to even: 1/4, 6/4 = 1.5 -> 2, 2/4 = 0.5 -> 0, (-128 - 256) / 4 = -96.
    let add = Add {
        zero_points: [0; 3],
        shape: SHAPE,
        a_element: BpuElement::I8,
        b_element: BpuElement::I8,
        output_element: BpuElement::I8,
        multiplier_a: 1,
        multiplier_b: 2,
        shift: 2,
        clamp: Clamp { low: -90, high: 127 },
        a: i8_view(0),
        b: i8_view(4),
        output: i8_view(8),
    };
    let memory = execute(add.clone(), &image(&[(0, i8s(&[1, 2, 0, -128])), (4, i8s(&[0, 2, 1, -128]))]));
    assert_eq!(as_i8(&memory[8..12]), [0, 2, 0, -90]);
    // ((a - 1) + 2 (b + 2)) / 4 - 100: (0 + 4) / 4, (1 + 8) / 4 = 2.25, (-1 + 6) / 4 = 1.25, (-129 - 252) / 4 = -95.25.
    let shifted = Add { zero_points: [1, -2, -100], clamp: Clamp::I8, ..add.clone() };
    let memory = execute(shifted, &image(&[(0, i8s(&[1, 2, 0, -128])), (4, i8s(&[0, 2, 1, -128]))]));
    assert_eq!(as_i8(&memory[8..12]), [-99, -98, -99, -128]);
    // In place, and with b broadcast: (a + 2 · 3) / 4 = 1.75, 2, 1.5, -30.5.
    let in_place = Add { output: i8_view(0), b: View::new(4, [0; RANK]), ..add };
    let memory = execute(in_place, &image(&[(0, i8s(&[1, 2, 0, -128])), (4, i8s(&[3]))]));
    assert_eq!(as_i8(&memory[0..4]), [2, 2, 2, -30]);
}

#[test]
fn subtraction_of_i16_into_i8() {
    let add = Add {
        zero_points: [0; 3],
        shape: SHAPE,
        a_element: BpuElement::I16,
        b_element: BpuElement::I8,
        output_element: BpuElement::I8,
        multiplier_a: 1,
        multiplier_b: -8,
        shift: 3,
        clamp: Clamp::I8,
        a: View::new(0, [0, 0, 0, 0, 0, 2]),
        b: i8_view(8),
        output: i8_view(16),
    };
    // a / 8 - b
    let memory = execute(add, &image(&[(0, i16s(&[800, -800, 30000, 12])), (8, i8s(&[50, -50, 1, 1]))]));
    // 12/8 - 1 = 0.5 -> 0
    assert_eq!(as_i8(&memory[16..20]), [50, -50, 127, 0]);
}

#[test]
fn products() {
    let mul = Mul {
        zero_points: [0; 3],
        shape: SHAPE,
        a_element: BpuElement::I8,
        b_element: BpuElement::I8,
        output_element: BpuElement::I8,
        mantissa: 1 << 30,
        shift: 34,
        clamp: Clamp::I8,
        a: i8_view(0),
        b: i8_view(4),
        output: i8_view(8),
    };
    // a · b / 16: 1.5 -> 2, 2.5 -> 2, 1016 -> 127, -1008 -> -128
    let memory = execute(mul, &image(&[(0, i8s(&[3, 5, 127, 127])), (4, i8s(&[8, 8, 127, -127]))]));
    assert_eq!(as_i8(&memory[8..12]), [2, 2, 127, -128]);
}

#[test]
fn slopes_count_below_zero() {
    let p_relu = PRelu {
        zero_points: [0; 3],
        shape: SHAPE,
        input_element: BpuElement::I8,
        slope_element: BpuElement::I8,
        output_element: BpuElement::I8,
        mantissa: 1 << 30,
        shift: 31,
        slope_mantissa: 1 << 30,
        slope_shift: 34,
        clamp: Clamp::I8,
        input: i8_view(0),
        slope: i8_view(4),
        output: i8_view(8),
    };
    // x / 2: 2.5 -> 2; x · slope / 16: -1.5 -> -2, 1016 -> 127, -1016 -> -128
    let memory = execute(p_relu, &image(&[(0, i8s(&[5, -3, -128, -128])), (4, i8s(&[99, 8, -127, 127]))]));
    assert_eq!(as_i8(&memory[8..12]), [2, -2, 127, -128]);
}

#[test]
fn requantize_widens_and_narrows() {
    let requantize = Requantize {
        zero_points: [0; 2],
        shape: SHAPE,
        input_element: BpuElement::I32,
        output_element: BpuElement::I16,
        mantissa: 1 << 30,
        shift: 40,
        clamp: Clamp { low: 0, high: 32767 },
        input: View::new(0, [0, 0, 0, 0, 0, 4]),
        output: View::new(64, [0, 0, 0, 0, 0, 2]),
    };
    // / 1024: 1.5 -> 2, -1 -> 0 by the clamp, 2^21 - 1 saturates, 1
    let memory = execute(requantize, &image(&[(0, i32s(&[1536, -1024, i32::MAX, 1024]))]));
    assert_eq!(as_i16(&memory[64..72]), [2, 0, 32767, 1]);
}

#[test]
fn lookup_is_indexed_by_value_plus_128() {
    let table: Vec<i32> = (-128..128).map(|x: i32| -x.clamp(-127, 127)).collect();
    let lookup = Lookup { shape: SHAPE, input: i8_view(0), table: View::new(256, [1]), output: i8_view(0) };
    let memory = execute(lookup, &image(&[(0, i8s(&[-128, -1, 0, 127])), (256, i8s(&table))]));
    assert_eq!(as_i8(&memory[0..4]), [127, 1, 0, -127]);
}

/// Of i16 in place: -d / 2 up to -1, then (d² + 1) / 2.
#[test]
fn curves_by_piece() {
    let table = pieces(&[(-32768, [0, -1, 0]), (0, [1, 0, 1])]);
    let at = |address: u32| View::new(address, [0, 0, 0, 0, 0, 2]);
    let wide = BpuElement::I16;
    let curve = isa_curve(SHAPE, [wide, wide], [at(0), at(0)], (2, 101));
    let values = i16s(&[-32765, 0, 4, 300]);
    let memory = execute(curve.clone(), &image(&[(0, values.clone()), (101, table.clone())]));
    // -1.5 and 0.5 and 8.5 to even; 45000.5 saturates.
    assert_eq!(as_i16(&memory[0..8]), [-2, 0, 8, 32767]);
    let narrow = isa_curve(SHAPE, [wide, BpuElement::I8], [at(0), i8_view(64)], (2, 101));
    let memory = execute(narrow, &image(&[(0, values), (101, table.clone())]));
    assert_eq!(as_i8(&memory[64..68]), [-2, 0, 8, 127]);
    let widened = isa_curve(SHAPE, [BpuElement::I8, wide], [i8_view(0), at(64)], (2, 101));
    let memory = execute(widened.clone(), &image(&[(0, i8s(&[-128, -1, 3, 127])), (101, table)]));
    // d is counted from -32768: -32640 / 2 and -32767 / 2.
    assert_eq!(as_i16(&memory[64..72]), [-16320, -16384, 5, 8065]);
    // Starts that do not ascend are found when they are read.
    let equal = try_execute(widened, &image(&[(101, pieces(&[(5, [0; 3]), (5, [0; 3])]))])).unwrap_err().to_string();
    assert!(equal.ends_with("piece 1 starts at 5, which is not above the start of the one before"), "{equal}");
    let refused = |change: &dyn Fn(&mut Curve)| {
        let mut curve = curve.clone();
        change(&mut curve);
        try_execute(curve, &[]).unwrap_err().to_string()
    };
    assert!(refused(&|o| o.pieces = 0).ends_with("pieces is 0, not 1 to 64"));
    assert!(refused(&|o| o.pieces = 65).ends_with("pieces is 65, not 1 to 64"));
    assert!(refused(&|o| o.shift = 63).ends_with("shift is 63, above 62"));
    assert!(refused(&|o| o.input_element = BpuElement::I32).ends_with("input_element is i32, not i8 or i16"));
    assert!(refused(&|o| o.output_element = BpuElement::F32).ends_with("output_element is f32, not i8 or i16"));
    assert!(refused(&|o| o.output_element = BpuElement::I8).contains("output overlaps input, which it reads"));
    assert!(refused(&|o| o.table.address = 8150).contains("table covers bytes 8150 to 8202 of l1m"));
    assert!(refused(&|o| o.table.address = 7).contains("output overlaps table"));
}

#[test]
fn quantize_and_dequantize() {
    let floats: Vec<u8> = [0.75f32, f32::NAN, -1e9, 1.25].iter().flat_map(|x| x.to_le_bytes()).collect();
    let quantize = Quantize {
        zero_point: 0,
        shape: SHAPE,
        output_element: BpuElement::I8,
        scale: 0.5,
        input: View::new(0, [0, 0, 0, 0, 0, 4]),
        output: i8_view(64),
    };
    // 1.5 -> 2, NaN -> 0, saturation, 2.5 -> 2
    assert_eq!(as_i8(&execute(quantize, &image(&[(0, floats)]))[64..68]), [2, 0, -128, 2]);
    let dequantize = Dequantize {
        zero_point: 0,
        shape: SHAPE,
        input_element: BpuElement::I16,
        scale: 0.25,
        scales: None,
        input: View::new(0, [0, 0, 0, 0, 0, 2]),
        output: View::new(64, [0, 0, 0, 0, 0, 4]),
    };
    let memory = execute(dequantize, &image(&[(0, i16s(&[1, -2, 32767, 0]))]));
    let floats: Vec<f32> = memory[64..80].as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
    assert_eq!(floats, [0.25, -0.5, 8191.75, 0.0]);
}

/// On paper: (10 - 8) * 0.5 = 1, over 0.25 is 4; (3 + 1) * 2 = 8, over 0.25 is 32; (-8 - 8) * 0.5 = -8 is -32; (1e9 + 1) * 2 saturates.
#[test]
fn normalize_with_a_mean_and_a_factor_per_channel() {
    let normalize = Normalize {
        zero_point: 0,
        shape: [1, 1, 1, 1, 2, 2],
        output_element: BpuElement::I8,
        scale: 0.25,
        means: View::new(32, [0, 0, 0, 0, 0, 4]),
        factors: View::new(48, [0, 0, 0, 0, 0, 4]),
        input: View::new(0, [0, 0, 0, 0, 8, 4]),
        output: View::new(64, [0, 0, 0, 0, 2, 1]),
    };
    let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let memory = image(&[(0, floats(&[10.0, 3.0, -8.0, 1e9])), (32, floats(&[8.0, -1.0])), (48, floats(&[0.5, 2.0]))]);
    assert_eq!(as_i8(&execute(normalize, &memory)[64..68]), [4, 32, -32, 127]);
}

#[test]
fn dequantize_with_a_factor_per_channel() {
    let dequantize = Dequantize {
        zero_point: 0,
        shape: [1, 1, 1, 1, 2, 2],
        input_element: BpuElement::I32,
        scale: 1.0,
        scales: Some(View::new(32, [0, 0, 0, 0, 0, 4])),
        input: View::new(0, [0, 0, 0, 0, 8, 4]),
        output: View::new(64, [0, 0, 0, 0, 8, 4]),
    };
    let sums: Vec<u8> = [100_000i32, -3, 16_777_217, 5].iter().flat_map(|sum| sum.to_le_bytes()).collect();
    let scales: Vec<u8> = [0.5f32, 4.0].iter().flat_map(|scale| scale.to_le_bytes()).collect();
    let memory = execute(dequantize, &image(&[(0, sums), (32, scales)]));
    let floats: Vec<f32> = memory[64..80].as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
    // 2^24 + 1 has no f32; it rounds to 2^24, the even one.
    assert_eq!(floats, [50_000.0, -12.0, 8_388_608.0, 20.0]);
}

#[test]
fn copy_transposes_and_reverses() {
    let shape = [1, 1, 1, 1, 2, 3];
    let copy = Copy {
        shape,
        element_bytes: 2,
        source: View::new(0, [0, 0, 0, 0, 2, 4]),
        destination: View::new(64, [0, 0, 0, 0, 6, 2]),
    };
    // A 3x2 matrix becomes a 2x3 one.
    let memory = execute(copy, &image(&[(0, i16s(&[1, 2, 3, 4, 5, 6]))]));
    assert_eq!(as_i16(&memory[64..76]), [1, 3, 5, 2, 4, 6]);
    let reverse = Copy {
        shape: SHAPE,
        element_bytes: 1,
        source: View::new(3, [0, 0, 0, 0, 0, -1]),
        destination: View::new(8, [0, 0, 0, 0, 0, 2]),
    };
    let memory = execute(reverse, &image(&[(0, vec![1, 2, 3, 4])]));
    assert_eq!(memory[8..16], [4, 0, 3, 0, 2, 0, 1, 0]);
}

#[test]
fn fill_repeats_the_low_bytes() {
    let fill = Fill {
        shape: [1, 1, 1, 1, 2, 2],
        element_bytes: 2,
        value: 0xdead_fffe,
        destination: View::new(0, [0, 0, 0, 0, 8, 2]),
    };
    assert_eq!(as_i16(&execute(fill, &image(&[(0, vec![1; 16])]))[0..16]), [-2, -2, 257, 257, -2, -2, 257, 257]);
}

#[test]
fn strided_transfers_to_and_from_ddr() {
    // The second and third column of a 3x4 input, through L1M, into every other byte of the output.
    let shape = [1, 1, 1, 1, 3, 2];
    let load = Load {
        shape,
        element_bytes: 1,
        source: DdrView { region: MemoryRegion::Input(0), offset: 1, strides: [0, 0, 0, 0, 4, 1] },
        destination: View::contiguous(100, shape, 1),
    };
    let store = Store {
        shape: [1, 1, 1, 1, 1, 6],
        element_bytes: 1,
        source: i8_view(100),
        destination: DdrView { region: MemoryRegion::Output(0), offset: 1, strides: [0, 0, 0, 0, 0, 2] },
    };
    let mut program = program(vec![instruction(load, &[]), instruction(store, &[(Engine::Load, 1)])]);
    program.inputs = vec![12];
    program.outputs = vec![12];
    let target = target();
    let machine = Machine::new(&program, &target).unwrap();
    machine.check_races().unwrap();
    let outputs = machine.run(&[&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]], &[]).unwrap();
    assert_eq!(outputs, [[0, 1, 0, 2, 0, 5, 0, 6, 0, 9, 0, 10]]);
    let report = machine.report();
    assert_eq!((report.ddr_bytes_loaded, report.ddr_bytes_stored), (6, 6));
}

#[test]
fn operands_in_the_wrong_place_are_refused() {
    let message = |operation: Operation| try_execute(operation, &[]).unwrap_err().to_string();
    let lookup = Lookup { shape: SHAPE, input: i8_view(0), table: View::new(256, [1]), output: i8_view(0) };
    let far = message(Lookup { output: i8_view(L1M as u32 - 3), ..lookup.clone() }.into());
    assert!(far.contains("vae.lookup, of node): output covers bytes 8189 to 8193 of l1m, which has 8192"), "{far}");
    let shifted = message(Lookup { output: i8_view(1), ..lookup.clone() }.into());
    assert!(shifted.ends_with("output overlaps input, which it reads"), "{shifted}");
    let broadcast = message(Lookup { output: View::new(8, [0; RANK]), ..lookup.clone() }.into());
    assert!(broadcast.ends_with("the written operand has elements that share bytes"), "{broadcast}");
    let below =
        message(Lookup { input: View::new(2, [0, 0, 0, 0, 0, -1]), output: i8_view(8), ..lookup.clone() }.into());
    assert!(below.contains("input covers bytes -1 to 3"), "{below}");
    let huge = message(Lookup { shape: [u32::MAX; RANK], ..lookup.clone() }.into());
    assert!(huge.contains("elements"), "{huge}");
    let empty = message(Lookup { shape: [0; RANK], ..lookup }.into());
    assert!(empty.contains("has a 0"), "{empty}");
}
