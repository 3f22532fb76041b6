//! Every element type is read from ONNX and computed with; the values are arithmetic on paper.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use half::bf16;
use hb::cpu::{Array, ArrayElement, ExecutableOptions, FloatExecutable};
use hb::frontend::onnx::model::{Attribute, Dimension, Graph, Model, Node, Value};
use hb::frontend::onnx::{ImportOptions, import};
use hb_dialects::{ElementType, ir};

/// What the network of one node gives for these inputs.
fn compute(operator: &str, attribute: Option<(&str, i64)>, inputs: &[Array], output: ElementType) -> Array {
    let value = |name: &str, element: ElementType, shape: &[usize]| Value {
        name: name.to_owned(),
        element: Some(element),
        shape: Some(shape.iter().map(|size| Dimension::Fixed(*size)).collect()),
    };
    let names: Vec<String> = (0..inputs.len()).map(|n| format!("x{n}")).collect();
    let mut node = Node::new("node", operator, &names.iter().map(String::as_str).collect::<Vec<_>>(), &["y"]);
    if let Some((key, number)) = attribute {
        node.set_attribute(key, Attribute::Int(number));
    }
    let mut graph = Graph { name: "graph".to_owned(), nodes: vec![node], ..Graph::default() };
    for (name, input) in names.iter().zip(inputs) {
        graph.inputs.push(value(name, input.element(), input.shape()));
    }
    graph.outputs.push(Value { name: "y".to_owned(), element: Some(output), shape: None });
    let model = Model::new(9, 17, graph);
    let context = hb_dialects::context();
    let module = import(&context, model, &ImportOptions::default()).unwrap();
    let function = ir::function_named(module.as_operation(), "main").unwrap();
    let pass = hb::float::PASSES.iter().find(|pass| pass.argument == "hfloat-infer-shapes").unwrap();
    (pass.run)(function, &hb_dialects::pass::PassOptions::default()).unwrap();
    let executable = FloatExecutable::compile(function, ExecutableOptions::default()).unwrap();
    let outputs = executable.run(&inputs.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(outputs[0].element(), output);
    outputs[0].clone()
}

fn vector<T: ArrayElement>(values: &[T]) -> Array {
    Array::from_values(&[values.len()], values).unwrap()
}

fn brain(values: &[f32]) -> Vec<bf16> {
    values.iter().map(|value| bf16::from_f32(*value)).collect()
}

fn cast(input: Array, to: ElementType) -> Array {
    compute("Cast", Some(("to", to.onnx_code().into())), &[input], to)
}

/// bfloat16 has 8 bits of precision: above 256 it holds every second number, and ties go to the even one.
#[test]
fn bfloat16_is_computed_in_f32_and_rounded_once() {
    let of = |operator, a: &[f32], b: &[f32]| {
        let array = compute(operator, None, &[vector(&brain(a)), vector(&brain(b))], ElementType::BF16);
        array.to_f64()
    };
    assert_eq!(of("Add", &[256.0, 258.0, f32::NAN, -0.0], &[1.0, 1.0, 1.0, -0.0])[..2], [256.0, 260.0]);
    // 1/3 = 0.0101010101...: after 8 bits 0.010101011 in steps of 2^-9 is 171/512.
    assert_eq!(of("Div", &[1.0], &[3.0]), [171.0 / 512.0]);
    assert_eq!(of("Max", &[-1.0, 3.0], &[2.0, f32::NEG_INFINITY]), [2.0, 3.0]);
    // Each partial sum rounded to bfloat16 would stay at 256.
    let row = Array::from_values(&[1, 3], &brain(&[256.0, 1.0, 1.0])).unwrap();
    let ones = Array::from_values(&[3, 1], &brain(&[1.0; 3])).unwrap();
    assert_eq!(compute("MatMul", None, &[row, ones], ElementType::BF16).to_f64(), [258.0]);
    let largest = compute("ReduceMax", None, &[vector(&brain(&[-7.0, 2.5, -0.5]))], ElementType::BF16);
    assert_eq!(largest.to_f64(), [2.5]);
    let nan = of("Mul", &[f32::NAN], &[2.0]);
    assert!(nan[0].is_nan());
}

#[test]
fn casts_to_and_from_bfloat16() {
    assert_eq!(cast(vector(&[257.0f32, 259.0, f32::MAX]), ElementType::BF16).to_f64(), [256.0, 260.0, f64::INFINITY]);
    assert_eq!(cast(vector(&[-257i32, 3]), ElementType::BF16).to_f64(), [-256.0, 3.0]);
    assert_eq!(cast(vector(&brain(&[-2.5, 1e10])), ElementType::U8).to_f64(), [0.0, 255.0]);
    assert_eq!(cast(vector(&brain(&[-2.5, 0.0])), ElementType::Bool).to_f64(), [1.0, 0.0]);
    assert_eq!(cast(vector(&brain(&[1.5])), ElementType::F64).to_f64(), [1.5]);
}

#[test]
fn unsigned_integers_wrap_and_compare_as_unsigned() {
    let high = 1u64 << 63;
    let of = |operator, a: &[u64], b: &[u64]| {
        let array = compute(operator, None, &[vector(a), vector(b)], ElementType::U64);
        array.values::<u64>().unwrap().to_vec()
    };
    assert_eq!(of("Add", &[u64::MAX, high], &[2, 1]), [1, high + 1]);
    assert_eq!(of("Div", &[u64::MAX, high], &[2, 3]), [high - 1, 3_074_457_345_618_258_602]);
    assert_eq!(of("Max", &[high, 5], &[1, u64::MAX]), [high, u64::MAX]);
    assert_eq!(of("Mul", &[high + 3], &[2]), [6]);
    let less = compute("Less", None, &[vector(&[1u64, high]), vector(&[high, 1])], ElementType::Bool);
    assert_eq!(less.to_f64(), [1.0, 0.0]);
    let sum = compute("Add", None, &[vector(&[3_000_000_000u32]), vector(&[2_000_000_000u32])], ElementType::U32);
    assert_eq!(sum.values::<u32>().unwrap(), [705_032_704]);
    let difference = compute("Sub", None, &[vector(&[1u16]), vector(&[2u16])], ElementType::U16);
    assert_eq!(difference.values::<u16>().unwrap(), [65_535]);
}

#[test]
fn casts_to_and_from_unsigned_integers() {
    assert_eq!(cast(vector(&[u64::MAX]), ElementType::F32).to_f64(), [18_446_744_073_709_551_616.0]);
    assert_eq!(cast(vector(&[60_000u16]), ElementType::F64).to_f64(), [60_000.0]);
    assert_eq!(cast(vector(&[4_000_000_000u32]), ElementType::I64).to_f64(), [4_000_000_000.0]);
    assert_eq!(cast(vector(&[3e9f32, 7.9]), ElementType::U32).values::<u32>().unwrap(), [3_000_000_000, 7]);
    assert_eq!(cast(vector(&[1.5e19f64]), ElementType::U64).values::<u64>().unwrap(), [15_000_000_000_000_000_000]);
    assert_eq!(cast(vector(&[70_000i32]), ElementType::U16).values::<u16>().unwrap(), [4_464]);
}

/// Moving elements is the same for every type.
#[test]
fn every_type_is_moved() {
    for element in ElementType::ALL {
        let bytes: Vec<u8> = (0..6 * element.bytes()).map(|n| (n % 2) as u8).collect();
        let array = Array::from_bytes(element, &[2, 3], &bytes).unwrap();
        let turned = compute("Transpose", None, &[array], element);
        let size = element.bytes();
        let expected: Vec<u8> =
            [0, 3, 1, 4, 2, 5].iter().flat_map(|n| bytes[n * size..(n + 1) * size].to_vec()).collect();
        assert_eq!((turned.shape(), turned.as_bytes()), (&[3, 2][..], &expected[..]), "{element}");
    }
}

/// As numpy: a NaN is the largest and the smallest value of its row.
#[test]
fn the_position_of_an_extreme_value_is_that_of_a_nan() {
    let nan = f32::NAN;
    let rows = [[1.0, 3.0, nan, 2.0], [1.0, nan, 3.0, nan], [5.0, 1.0, 7.0, 7.0], [f32::INFINITY, nan, 0.0, 1.0]];
    let x = Array::from_values(&[4, 4], rows.as_flattened()).unwrap();
    let of = |operator, attribute: (&str, i64)| {
        let axis = compute(operator, Some(attribute), std::slice::from_ref(&x), ElementType::I64);
        axis.to_i64()
    };
    assert_eq!(of("ArgMax", ("axis", 1)), [2, 1, 2, 1]);
    assert_eq!(of("ArgMin", ("axis", 1)), [2, 1, 1, 1]);
    assert_eq!(of("ArgMax", ("axis", 0)), [3, 1, 0, 1]);
    assert_eq!(of("ArgMin", ("axis", 0)), [0, 1, 0, 1]);
}

/// Where nothing holds the tensor itself, as its reader computes it.
#[test]
fn a_tensor_that_no_machine_holds_is_an_error_with_its_node() {
    let text = "func.func @main(%x: tensor<1xf32>) -> tensor<1xf32> {\n  \
        %n = hfloat.constant dense<1099511627776> : tensor<1xi64>\n  \
        %a = hfloat.constant dense<0> : tensor<1xi64>\n  \
        %y = hfloat.expand %x, %n : (tensor<1xf32>, tensor<1xi64>) -> tensor<1099511627776xf32> loc(\"wide\")\n  \
        %s = hfloat.reduce_sum %y, %a : (tensor<1099511627776xf32>, tensor<1xi64>) -> tensor<1xf32> loc(\"sum\")\n  \
        return %s : tensor<1xf32>\n}";
    let context = hb_dialects::context();
    let module = hb::frontend::mlir::parse(&context, text.as_bytes(), "test").unwrap();
    let function = ir::function_named(module.as_operation(), "main").unwrap();
    let Err(error) = FloatExecutable::compile(function, ExecutableOptions::default()) else { panic!("it compiles") };
    assert!(error.to_string().contains("'wide'") && error.to_string().contains("64 GiB"), "{error}");
}
