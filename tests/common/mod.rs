//! What the tests share: the operator cases that `tests/data/make_operator_cases.py` recorded, and comparison.
//!
//! It uses nothing of `hb` but the names of element types, so unit tests can have it too: `#[path = "../../tests/common/mod.rs"] mod common;`.

// Every test binary compiles this module and uses its part of it; outside of test functions clippy forbids panics.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hb_dialects::ElementType;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// An array as .npy holds it: row-major, little-endian.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub element: ElementType,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

fn from_description(text: &str) -> ElementType {
    match text {
        "<f2" => ElementType::F16,
        "<f4" => ElementType::F32,
        "<f8" => ElementType::F64,
        "<i8" => ElementType::I64,
        "<i4" => ElementType::I32,
        "|i1" => ElementType::I8,
        "<u8" => ElementType::U64,
        "<u4" => ElementType::U32,
        "|u1" => ElementType::U8,
        "|b1" => ElementType::Bool,
        other => panic!("tests/common does not know the .npy type `{other}`"),
    }
}

impl Array {
    /// Reads one array at the front of `bytes` and moves `bytes` behind it.
    pub fn read_npy(bytes: &mut &[u8]) -> Self {
        assert_eq!(&bytes[..6], b"\x93NUMPY", "no .npy header");
        assert_eq!(bytes[6], 1, "only version 1 of .npy");
        let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let header = std::str::from_utf8(&bytes[10..10 + length]).unwrap();
        assert!(header.contains("'fortran_order': False"), "{header}");
        let element = from_description(between(header, "'descr': '", "'"));
        let shape: Vec<usize> = between(header, "'shape': (", ")")
            .split(',')
            .map(str::trim)
            .filter(|size| !size.is_empty())
            .map(|size| size.parse().unwrap())
            .collect();
        let data = &bytes[10 + length..];
        let (data, rest) = data.split_at(shape.iter().product::<usize>() * element.bytes());
        *bytes = rest;
        Self { element, shape, bytes: data.to_vec() }
    }

    fn chunks<const N: usize>(&self) -> impl Iterator<Item = [u8; N]> {
        self.bytes.chunks_exact(N).map(|chunk| chunk.try_into().unwrap())
    }

    /// The values, whatever the element type; i64 beyond 2^53 is rounded.
    pub fn to_f64(&self) -> Vec<f64> {
        match self.element {
            ElementType::F16 => self.chunks().map(|bytes| half::f16::from_le_bytes(bytes).to_f64()).collect(),
            ElementType::F32 => self.chunks().map(|bytes| f64::from(f32::from_le_bytes(bytes))).collect(),
            ElementType::F64 => self.chunks().map(f64::from_le_bytes).collect(),
            ElementType::I64 => self.chunks().map(|bytes| i64::from_le_bytes(bytes) as f64).collect(),
            ElementType::I32 => self.chunks().map(|bytes| f64::from(i32::from_le_bytes(bytes))).collect(),
            ElementType::U64 => self.chunks().map(|bytes| u64::from_le_bytes(bytes) as f64).collect(),
            ElementType::U32 => self.chunks().map(|bytes| f64::from(u32::from_le_bytes(bytes))).collect(),
            ElementType::I8 => self.chunks().map(|bytes| f64::from(i8::from_le_bytes(bytes))).collect(),
            ElementType::U8 | ElementType::Bool => self.bytes.iter().map(|&byte| f64::from(byte)).collect(),
            other => panic!("tests/common does not know {other}"),
        }
    }

    pub fn to_f32(&self) -> Vec<f32> {
        assert_eq!(self.element, ElementType::F32);
        self.chunks().map(f32::from_le_bytes).collect()
    }

    pub fn to_i64(&self) -> Vec<i64> {
        assert_eq!(self.element, ElementType::I64);
        self.chunks().map(i64::from_le_bytes).collect()
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let start = text.find(before).unwrap_or_else(|| panic!("no {before} in {text}")) + before.len();
    let length = text[start..].find(after).unwrap_or_else(|| panic!("no {after} in {text}"));
    &text[start..start + length]
}

/// One recorded network: `tests/data/operators/<operator>/<form>.onnx` with its inputs and outputs.
#[derive(Debug)]
pub struct Case {
    /// ONNX operator, or `networks` and `encodings` for cases with more than one node or odd files.
    pub operator: String,
    pub form: String,
    pub opset: u32,
    pub model: PathBuf,
    pub inputs: Vec<(String, Array)>,
    pub outputs: Vec<(String, Array)>,
}

impl Case {
    /// `Conv/auto_pad_valid`: as `cases.tsv` and failure messages name it.
    pub fn name(&self) -> String {
        format!("{}/{}", self.operator, self.form)
    }

    /// Fails unless `results` are the recorded outputs in order.
    ///
    /// Integers and bool: equal. Floats: same type and shape, and |difference| at most a fraction of the output's largest
    /// finite magnitude: 1e-5 for f32 and f64, 2e-3 for f16.
    pub fn compare(&self, results: &[Array]) -> Result<(), String> {
        if results.len() != self.outputs.len() {
            return Err(format!("{}: {} outputs, expected {}", self.name(), results.len(), self.outputs.len()));
        }
        for ((output, expected), result) in self.outputs.iter().zip(results) {
            difference(expected, result).map_err(|why| format!("{}, output {output}: {why}", self.name()))?;
        }
        Ok(())
    }
}

/// See [`Case::compare`].
pub fn difference(expected: &Array, result: &Array) -> Result<(), String> {
    if (expected.element, &expected.shape) != (result.element, &result.shape) {
        return Err(format!(
            "{:?} {:?}, expected {:?} {:?}",
            result.element, result.shape, expected.element, expected.shape
        ));
    }
    let (expected_values, values) = (expected.to_f64(), result.to_f64());
    let largest =
        expected_values.iter().filter(|value| value.is_finite()).fold(0.0, |max: f64, value| max.max(value.abs()));
    let tolerance = largest * if expected.element == ElementType::F16 { 2e-3 } else { 1e-5 };
    if !expected.element.is_float() {
        let size = expected.element.bytes();
        let differs = |(index, _): &(usize, &f64)| {
            let range = index * size..(index + 1) * size;
            expected.bytes[range.clone()] != result.bytes[range]
        };
        return match values.iter().enumerate().find(differs) {
            None => Ok(()),
            Some((index, value)) => Err(format!("element {index} is {value}, expected {}", expected_values[index])),
        };
    }
    for (index, (&wanted, &value)) in expected_values.iter().zip(&values).enumerate() {
        let same = wanted == value || (wanted.is_nan() && value.is_nan()) || (wanted - value).abs() <= tolerance;
        if !same {
            return Err(format!("element {index} is {value}, expected {wanted} within {tolerance}"));
        }
    }
    Ok(())
}

/// `tests/data` of the repository.
pub fn data_folder() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.join("tests/data")
}

/// All recorded cases in the order of `cases.tsv`.
pub fn operator_cases() -> Vec<Case> {
    let folder = data_folder().join("operators");
    let table = fs::read_to_string(folder.join("cases.tsv")).expect("tests/data/operators/cases.tsv");
    table.lines().skip(1).map(|line| read_case(&folder, line)).collect()
}

/// The recorded cases of one ONNX operator (`Conv`), or of `networks` or `encodings`.
pub fn cases_of(operator: &str) -> Vec<Case> {
    let cases: Vec<Case> = operator_cases().into_iter().filter(|case| case.operator == operator).collect();
    assert!(!cases.is_empty(), "no recorded case of {operator}");
    cases
}

fn read_case(folder: &Path, line: &str) -> Case {
    let columns: Vec<&str> = line.split('\t').collect();
    let [path, opset, inputs, outputs, _source] = columns[..] else {
        panic!("cases.tsv: {line}");
    };
    let (operator, form) = path.split_once('/').expect("operator/form");
    let bytes = fs::read(folder.join(format!("{path}.npys"))).unwrap_or_else(|error| panic!("{path}.npys: {error}"));
    let mut rest = bytes.as_slice();
    let mut named = |names: &str| -> Vec<(String, Array)> {
        let names = names.split('|').filter(|name| !name.is_empty());
        names.map(|name| (name.to_owned(), Array::read_npy(&mut rest))).collect()
    };
    let (inputs, outputs) = (named(inputs), named(outputs));
    assert!(rest.is_empty(), "{path}.npys is longer than cases.tsv says");
    Case {
        operator: operator.to_owned(),
        form: form.to_owned(),
        opset: opset.parse().expect("opset"),
        model: folder.join(format!("{path}.onnx")),
        inputs,
        outputs,
    }
}
