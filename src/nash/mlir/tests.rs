use super::super::isa::{self, *};
use super::super::lower::{Effort, lower};
use super::*;
use crate::bpu::model::{
    AveragePool, BpuElement, BpuNode, Clamp as Limits, Convolution as ConvolutionNode, MaxPool as MaxPoolNode,
    Operator, Segment, TensorId, TensorScale,
};
use melior::ir::operation::OperationPrintingFlags;

/// Numbers for a field of so many bytes, all different from their neighbours.
fn sample(kind: FieldKind, bytes: usize, optional: bool) -> Vec<i64> {
    let bytes = if optional { bytes - 1 } else { bytes };
    match kind {
        FieldKind::Flag | FieldKind::Element => vec![1],
        FieldKind::Integer => vec![17],
        FieldKind::Float => vec![i64::from(0.1f32.to_bits())],
        FieldKind::Integers | FieldKind::View => (0..bytes as i64 / 4).collect(),
        FieldKind::DdrView => vec![1, 3, 4096, 6, 5, 4, 3, 2, 1],
        FieldKind::Window => vec![3, 2, 1, 2, 1, 1, -1, 4],
        FieldKind::Count => (1..=13).collect(),
        FieldKind::Clamp => vec![-128, 127],
        // i8 of scale 0.5 and zero point -3; load 0, then its exponential.
        FieldKind::Program => vec![1, 0, i64::from(0.5f32.to_bits()), -3, 2, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0],
    }
}

/// One instruction per row of the table, with the optional fields or without.
fn samples(with_optional: bool) -> Vec<Instruction> {
    let tables = crate::nash::isa_operations::operation_tables();
    let instruction = |table: &crate::nash::isa_fields::OperationTable| {
        let row = |name: &str| table.fields.iter().find(|row| row.name == name).unwrap();
        let operation = isa::Operation::from_numbers(table.op, |name, kind| {
            let optional = row(name).layout.starts_with("u8: 0 absent") || kind == FieldKind::Flag;
            let numbers = sample(kind, row(name).bytes, optional && kind != FieldKind::Flag);
            Ok((with_optional || !optional).then_some(numbers))
        });
        let waits = vec![Wait { engine: Engine::Tae, count: 7 }, Wait { engine: Engine::Load, count: 1 }];
        let waits = if with_optional { waits } else { Vec::new() };
        Instruction { waits, source: 2, operation: operation.unwrap().unwrap() }
    };
    tables.iter().map(instruction).collect()
}

#[test]
fn each_operation_has_the_fields_of_the_table() {
    let context = crate::pipeline::context();
    for instruction in samples(true).into_iter().chain(samples(false)) {
        let name = instruction.operation.mnemonic();
        let built = instruction_to_mlir(&context, &instruction, ir::named_location(&context, "n")).unwrap();
        // SAFETY: the operation is alive.
        let undeclared = unsafe { mlir_sys::mlirOperationGetNumDiscardableAttributes(built.to_raw()) };
        assert_eq!(undeclared, 0, "{name}: {built}");
        let flags = OperationPrintingFlags::new();
        // SAFETY: the flags are alive. The operation has no parent, so it would print in the generic form.
        unsafe { mlir_sys::mlirOpPrintingFlagsAssumeVerified(flags.to_raw()) };
        let text = built.to_string_with_flags(flags).unwrap();
        assert!(text.starts_with(&format!("nash.{name} node 2")), "{text}");
        assert!(!text.contains('{'), "{name}: a field has no place in the text: {text}");
        for (field, _, numbers) in instruction.operation.numbers() {
            assert_eq!(text.contains(&format!(" {field}")), numbers.is_some(), "{field} in {text}");
        }
        // SAFETY: the reference does not outlive the operation.
        let read = instruction_from_mlir(unsafe { OperationRef::from_raw(built.to_raw()) });
        assert_eq!(read.unwrap(), instruction);
    }
}

#[test]
fn fields_that_do_not_fit_are_named() {
    let read = |numbers: Option<Vec<i64>>| {
        isa::Operation::from_numbers(nash::Op::VaeLookup, |name, kind| match name {
            "table" => Ok(numbers.clone()),
            _ => Ok(Some(sample(kind, if kind == FieldKind::View { 28 } else { 24 }, false))),
        })
        .unwrap()
        .map(|_| ())
    };
    assert_eq!(read(Some(vec![0, 1])), Ok(()));
    assert_eq!(read(None), Err("field 'table' is missing".to_string()));
    assert_eq!(read(Some(vec![0])), Err("field 'table' has too few numbers".to_string()));
    assert_eq!(read(Some(vec![0, 1, 2])), Err("field 'table' has 1 numbers too many".to_string()));
    let reason = read(Some(vec![-1, 1])).unwrap_err();
    assert_eq!(reason, "field 'table' has -1, which is not in the range of u32");
    assert!(isa::Operation::from_numbers(nash::Op::Program, |_, _| Ok(None)).is_none());
}

/// x f32 → quantize → convolution with constants → max pool → average pool → dequantize.
fn network() -> Segment {
    let mut segment = Segment::default();
    let scaled = |name: &str, shape: &[usize], scale: f64| {
        BpuTensor::new(name, shape, BpuElement::I8, TensorScale::symmetric(scale))
    };
    let x = segment.add_input(BpuTensor::new("x", [1, 6, 6, 3], BpuElement::F32, TensorScale::None));
    let q = segment.add_tensor(scaled("q", &[1, 6, 6, 3], 0.5));
    let per_channel = TensorScale::PerChannel { axis: 0, scales: vec![0.25, 0.5, 1.0, 2.0] };
    let weights: Vec<u8> = (0..4 * 3 * 3 * 3).map(|i| (i % 5) as u8).collect();
    let weights = BpuTensor::new("w", [4, 3, 3, 3], BpuElement::I8, per_channel).with_data(weights);
    let weights = segment.add_tensor(weights);
    let c = segment.add_tensor(scaled("c", &[1, 6, 6, 4], 4.0));
    let m = segment.add_tensor(scaled("m", &[1, 3, 3, 4], 4.0));
    let a = segment.add_tensor(scaled("a", &[1, 1, 1, 4], 4.0));
    let y = segment.add_tensor(BpuTensor::new("y", [1, 1, 1, 4], BpuElement::F32, TensorScale::None));
    let mut node = |name: &str, operator: Operator, inputs: &[TensorId], output: TensorId| {
        let inputs = inputs.to_vec();
        let origins = vec![name.into(), format!("{name} \"as well\"")];
        segment.nodes.push(BpuNode { name: name.into(), origins, operator, inputs, outputs: vec![output] });
    };
    node("q", Operator::Quantize, &[x], q);
    let clamp = Some(Limits { low: 0, high: 100 });
    let convolution = ConvolutionNode { strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], group: 1, clamp };
    node("Conv_0", Operator::Convolution(convolution), &[q, weights], c);
    let pool = MaxPoolNode { kernel: [2, 2], strides: [2, 2], pads: [0; 4], dilations: [1, 1] };
    node("MaxPool_1", Operator::MaxPool(pool), &[c], m);
    let pool = AveragePool { kernel: [3, 3], strides: [1, 1], pads: [0; 4], count_include_pad: false, clamp: None };
    node("AveragePool_2", Operator::AveragePool(pool), &[m], a);
    node("y", Operator::Dequantize, &[a], y);
    segment.outputs = vec![y];
    segment
}

#[test]
fn programs_come_back_as_they_went() {
    let context = crate::pipeline::context();
    let march = March::parse("nash-e", "local_memory.bytes=4096,local_memory.alignment=16").unwrap();
    let target = march.target().unwrap();
    let mut lowered = lower(&network(), &target, Effort::O0.into()).unwrap();
    let location = ir::named_location(&context, "segment");
    let block = Block::new(&[(port_type(&context, &lowered.inputs[0]), location)]);
    let input = block.argument(0).unwrap().into();
    let program = program_to_mlir(&context, &lowered, &march, &[input], location).unwrap();
    assert!(program.verify());
    // SAFETY: the reference does not outlive the operation.
    let reference = unsafe { OperationRef::from_raw(program.to_raw()) };
    lowered.plan = LoweringPlan::default();
    assert_eq!(program_from_mlir(reference).unwrap(), lowered);
    assert_eq!(march_of(reference).unwrap(), march);
    let first = ir::operations(ir::body(reference).unwrap())[0];
    assert_eq!(first.node(), lowered.program.source_name(&lowered.program.instructions[0]));
}

#[test]
fn overrides_need_a_value() {
    assert_eq!(March::parse("nash-e", " ,").unwrap().overrides, []);
    assert!(March::parse("nash-e", "local_memory.bytes").is_err());
}
