//! ONNX files: every recorded operator case is read and brought to the normal form, and what is broken is an error, never a
//! panic.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use hb::frontend::onnx::{self, OnnxError};

/// Reads, brings to opset 22, writes, reads again.
fn round_trip(bytes: Vec<u8>, folder: &std::path::Path) -> Result<(), OnnxError> {
    let model = onnx::from_bytes(bytes.into(), Some(folder))?;
    let written = onnx::to_bytes(&model)?;
    let again = onnx::from_bytes(written.clone().into(), None)?;
    assert_eq!(model, again);
    assert_eq!(onnx::to_bytes(&again)?, written);
    let normal = onnx::normalize::normalize(model)?;
    assert_eq!(normal.opset, 22);
    let again = onnx::from_bytes(onnx::to_bytes(&normal)?.into(), None)?;
    assert_eq!(normal, again);
    // The normal form of the normal form is itself.
    assert_eq!(onnx::normalize::normalize(again)?, normal);
    Ok(())
}

/// Recorded cases that must be refused, and a part of the message.
const REFUSED: &[(&str, &str)] = &[("MaxPool/indices", "its second output (Indices) is not supported")];

#[test]
fn every_recorded_case_is_read() {
    let mut failures = Vec::new();
    for case in common::operator_cases() {
        let name = case.name();
        let refused = REFUSED.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, reason)| *reason);
        let bytes = fs::read(&case.model).unwrap();
        match (round_trip(bytes, case.model.parent().unwrap()), refused) {
            (Ok(()), None) => {}
            (Ok(()), Some(_)) => failures.push(format!("{name}: read, but it must be refused")),
            (Err(error), Some(reason)) if error.to_string().contains(reason) => {}
            // Cases of operators that come later are recorded already.
            (Err(OnnxError::UnsupportedOperators(_)), _) if onnx::operators::find(&case.operator).is_none() => {}
            (Err(error), _) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A graph that has most kinds of fields, made of the recorded cases.
fn specimens() -> Vec<Vec<u8>> {
    let names = ["networks/classifier", "networks/torch_pad_shortcut", "encodings/uint8_in_int32_data"];
    let cases = common::operator_cases().into_iter().filter(|case| names.contains(&case.name().as_str()));
    let bytes: Vec<_> = cases.map(|case| fs::read(case.model).unwrap()).collect();
    assert_eq!(bytes.len(), names.len());
    bytes
}

/// Reading must end, in a model or an error; what the model says does not matter.
fn survive(bytes: Vec<u8>) {
    if let Ok(model) = onnx::from_bytes(bytes.into(), None) {
        let _ = onnx::to_bytes(&model);
        let _ = onnx::normalize::normalize(model);
    }
}

#[test]
fn every_truncation_is_survived() {
    for bytes in specimens() {
        for length in 0..bytes.len() {
            survive(bytes[..length].to_vec());
        }
    }
}

#[test]
fn every_bit_flip_is_survived() {
    for bytes in specimens() {
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            survive(flipped);
        }
    }
}

proptest::proptest! {
    #[test]
    fn several_broken_bytes_are_survived(
        specimen in 0..3_usize,
        changes in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), 0..=255_u8), 1..8),
    ) {
        let mut bytes = specimens().swap_remove(specimen);
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        survive(bytes);
    }
}

#[test]
fn every_recorded_case_becomes_hfloat() {
    let context = hb_dialects::context();
    let mut failures = Vec::new();
    for case in common::operator_cases() {
        let name = case.name();
        if onnx::operators::find(&case.operator).is_none()
            && !["networks", "encodings"].contains(&case.operator.as_str())
            || REFUSED.iter().any(|(prefix, _)| name.starts_with(prefix))
        {
            continue;
        }
        let input_shapes = case.inputs.iter().map(|(name, array)| (name.clone(), array.shape.clone())).collect();
        match onnx::import_file(&context, &case.model, &onnx::ImportOptions { input_shapes }) {
            Ok(_) => {}
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
