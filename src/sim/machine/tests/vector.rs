//! Programs of the float engine on paper, and programs that are none.

use super::*;
use crate::numerics::{MAX_VECTOR_OPERANDS, VectorBinary, VectorProgram, VectorReduction, VectorStep};

/// Two rows of three i8 of scale 1/2 at 0, less their maximum, as i8 of scale 1/4 at 8.
fn less_maximum() -> Run {
    let lines = ["%0 = load 0", "%1 = reduce_maximum %0", "%2 = subtract %0 %1"];
    let view = |address| View::new(address, [0, 0, 0, 0, 3, 1]);
    Run {
        shape: [1, 1, 1, 1, 2, 3],
        row_dimensions: 1,
        program: RowProgram {
            operands: vec![RowOperand { element: BpuElement::I8, scale: 0.5, zero_point: 0 }],
            steps: VectorProgram::parse(lines).unwrap().steps().to_vec(),
        },
        operand0: Some(view(0)),
        operand1: None,
        operand2: None,
        operand3: None,
        operand4: None,
        operand5: None,
        output_element: BpuElement::I8,
        output_scale: 0.25,
        output_zero_point: 0,
        reduced: false,
        output: view(8),
    }
}

#[test]
fn rows_on_paper() {
    let memory = image(&[(0, i8s(&[1, 4, -2, -100, 100, 0]))]);
    // (1 - 4) / 2 / (1/4) = -6; -200 · 2 saturates.
    assert_eq!(as_i8(&execute(less_maximum(), &memory)[8..14]), [-6, 0, -12, -128, 0, -128]);
    // Distances from a zero point have the same differences; the result lands at its own.
    let mut shifted = Run { output_zero_point: 100, ..less_maximum() };
    shifted.program.operands[0].zero_point = -7;
    assert_eq!(as_i8(&execute(shifted, &memory)[8..14]), [94, 100, 88, -128, 100, -100]);
    // All of both rows.
    let all = Run { row_dimensions: 2, ..less_maximum() };
    assert_eq!(as_i8(&execute(all, &memory)[8..14]), [-128, -128, -128, -128, 0, -128]);
    // One number for each row: its maximum, and as f32.
    let mut one = Run { reduced: true, output: View::new(8, [0, 0, 0, 0, 4, 0]), ..less_maximum() };
    one.program.steps.truncate(2);
    assert_eq!(as_i8(&execute(one.clone(), &memory)[8..13]), [8, 0, 0, 0, 127]);
    let float = Run { output_element: BpuElement::F32, output_scale: 1.0, ..one };
    assert_eq!(execute(float, &memory)[8..16], [2f32.to_le_bytes(), 50f32.to_le_bytes()].concat());
}

#[test]
fn there_is_one_nan() {
    let lines = ["%0 = load 0", "%1 = subtract %0 %0"];
    let view = |address| View::new(address, [0, 0, 0, 0, 0, 4]);
    let run = Run {
        shape: [1, 1, 1, 1, 1, 2],
        row_dimensions: 0,
        program: RowProgram {
            operands: vec![RowOperand { element: BpuElement::F32, scale: 1.0, zero_point: 0 }],
            steps: VectorProgram::parse(lines).unwrap().steps().to_vec(),
        },
        operand0: Some(view(0)),
        output_element: BpuElement::F32,
        output_scale: 1.0,
        output_zero_point: 0,
        output: view(16),
        ..less_maximum()
    };
    let values = [f32::from_bits(0xffc0_1234), f32::INFINITY].map(f32::to_le_bytes).concat();
    let memory = execute(run, &image(&[(0, values)]));
    assert_eq!(memory[16..24], [0x7fc0_0000u32.to_le_bytes(); 2].concat());
}

/// 1.5 and -65504 as binary16 are 0x3e00 and 0xfbff. Their halves: 0x3a00, and -32752, which is 0xf7ff. Twice -65504 is infinite.
#[test]
fn float16_on_paper() {
    let view = |address| View::new(address, [0, 0, 0, 0, 0, 2]);
    let run = |line: &str, output_element| Run {
        shape: [1, 1, 1, 1, 1, 2],
        row_dimensions: 0,
        program: RowProgram {
            operands: vec![RowOperand { element: BpuElement::F16, scale: 1.0, zero_point: 0 }],
            steps: VectorProgram::parse(["%0 = load 0", "%1 = constant 0.5", line]).unwrap().steps().to_vec(),
        },
        operand0: Some(view(0)),
        output_element,
        output_scale: 0.5,
        output: View::new(16, [0, 0, 0, 0, 0, output_element.bytes() as i32]),
        ..less_maximum()
    };
    let memory = image(&[(0, [0x3e00u16, 0xfbff].map(u16::to_le_bytes).concat())]);
    let halves = execute(run("%2 = multiply %0 %1", BpuElement::F16), &memory);
    assert_eq!(halves[16..20], [0x3a00u16, 0xf7ff].map(u16::to_le_bytes).concat());
    let doubled = execute(run("%2 = divide %0 %1", BpuElement::F16), &memory);
    assert_eq!(doubled[16..20], [0x4200u16, 0xfc00].map(u16::to_le_bytes).concat());
    assert_eq!(as_i8(&execute(run("%2 = add %0 %1", BpuElement::I8), &memory)[16..18]), [4, -128]);
}

#[test]
fn what_is_no_program_is_refused() {
    let refused = |change: &dyn Fn(&mut Run)| {
        let mut run = less_maximum();
        change(&mut run);
        try_execute(run, &[]).unwrap_err().to_string()
    };
    type Case<'a> = (&'a dyn Fn(&mut Run), &'a str);
    let cases: [Case; 13] = [
        (&|o| o.row_dimensions = 7, "row_dimensions is 7, above 6"),
        (&|o| o.program.steps.clear(), "1 to 64 steps, not 0"),
        (&|o| o.program.steps = vec![VectorStep::Load(0); 65], "1 to 64 steps, not 65"),
        (&|o| o.program.steps[1] = VectorStep::Reduce(VectorReduction::Sum, 1), "reads %1, which is no earlier one"),
        (&|o| o.program.steps[2] = VectorStep::Binary(VectorBinary::Add, 0, 200), "reads %200"),
        (&|o| o.program.steps[0] = VectorStep::Load(1), "loads operand 1, but there are 1"),
        (&|o| o.program.operands[0].element = BpuElement::I32, "operand 0 is i32, not i8, i16, f32 or f16"),
        (&|o| o.program.operands[0].scale = f32::NAN, "scale NaN is not positive and finite"),
        (&|o| o.program.operands.clear(), "loads operand 0, but there are 0"),
        (&|o| o.operand0 = None, "operand0 does not fit the 1 operands"),
        (&|o| o.operand5 = o.operand0, "operand5 does not fit the 1 operands"),
        (&|o| o.output_scale = 0.0, "scale 0 is not positive"),
        (&|o| o.shape[4] = 0, "shape"),
    ];
    for (change, expected) in &cases {
        assert!(refused(*change).contains(expected), "{} lacks {expected}", refused(*change));
    }
    assert!(
        refused(&|o| {
            o.program.steps.truncate(1);
            o.reduced = true;
        })
        .contains("combines no elements")
    );
    assert!(refused(&|o| o.output.strides[5] = 0).contains("share bytes"));
    assert!(refused(&|o| o.output = View::new(4, o.output.strides)).contains("overlaps operand0"));
    assert_eq!(less_maximum().operands().len(), MAX_VECTOR_OPERANDS);
}
