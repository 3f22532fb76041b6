//! The recorded operator cases are whole: every file is listed, every listed file reads.

#![allow(clippy::unwrap_used)]

mod common;

use std::{collections::BTreeSet, fs};

#[test]
fn every_recorded_case_reads_and_is_listed() {
    let cases = common::operator_cases();
    let listed: BTreeSet<String> = cases.iter().map(common::Case::name).collect();
    assert_eq!(listed.len(), cases.len(), "a case is listed twice");
    let mut found = BTreeSet::new();
    for folder in fs::read_dir(common::data_folder().join("operators")).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let operator = folder.file_name().unwrap().to_str().unwrap().to_owned();
        for file in fs::read_dir(&folder).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            if let Some(form) = name.strip_suffix(".onnx") {
                found.insert(format!("{operator}/{form}"));
            }
        }
    }
    assert_eq!(listed, found);
    for case in &cases {
        assert!(!case.outputs.is_empty(), "{} records no output", case.name());
    }
}

#[test]
fn comparison_sees_each_kind_of_difference() {
    let case =
        &common::cases_of("Add").into_iter().find(|case| case.form == "opset_22" || case.form == "opset_14").unwrap();
    let right: Vec<common::Array> = case.outputs.iter().map(|(_, array)| array.clone()).collect();
    assert_eq!(case.compare(&right), Ok(()));
    assert!(case.compare(&[]).is_err());
    let mut other_shape = right.clone();
    other_shape[0].shape = vec![24];
    assert!(case.compare(&other_shape).is_err());
    let mut other_value = right.clone();
    other_value[0].bytes[3] ^= 0x40;
    assert!(case.compare(&other_value).is_err());
}
