//! How ranges and widths are chosen: `calibration_type` and `accuracy_target`.

use super::{compile_text, digits_configuration, files};
use hb::quant::info::{ActivationType, Judge, QuantInfo};
use std::collections::BTreeMap;
use tempfile::TempDir;

/// The example with other lines of calibration, compiled by so many threads.
fn compiled(lines: &str, jobs: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = digits_configuration();
    let changed = text.replace("  calibration_type: 'max'\n  max_percentile: 1.0\n", lines);
    assert_ne!(text, changed);
    compile_text(folder.path(), &changed, jobs).unwrap();
    folder
}

fn info(folder: &TempDir) -> QuantInfo {
    QuantInfo::read(&folder.path().join("model_output/digits_quant_info.json")).unwrap()
}

/// The types of all values, and what decided on them.
fn kinds(info: &QuantInfo) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for value in info.values.values() {
        let kind = match (value.element, value.judged_by) {
            (ActivationType::Int16, Some(Judge::Precision)) => "int16",
            // The two parts of a layer whose weights have 16 bits ask for it.
            (ActivationType::Int16, Some(Judge::Asked)) => "parts",
            (ActivationType::Int8, Some(Judge::Max)) => "max",
            (ActivationType::Int8, Some(Judge::Percentile)) => "percentile",
            (ActivationType::Int8, Some(Judge::Kl)) => "kl",
            (ActivationType::Int8, Some(Judge::MeanSquaredError)) => "mean_squared_error",
            other => panic!("{other:?}"),
        };
        *counts.entry(kind).or_default() += 1;
    }
    counts
}

#[test]
fn max_and_kl_are_just_that() {
    for (lines, kind) in [
        ("  calibration_type: kl\n", "kl"),
        ("  calibration_type: max\n", "max"),
        ("  calibration_type: max\n  max_percentile: 0.999\n", "percentile"),
    ] {
        let folder = compiled(lines, 2);
        let info = info(&folder);
        assert_eq!(kinds(&info).keys().copied().collect::<Vec<_>>(), [kind]);
        for (name, value) in &info.values {
            assert!(value.threshold <= value.largest.unwrap(), "{lines}{name}");
        }
        let cut = info.values.values().filter(|value| value.largest != Some(value.threshold)).count();
        // The divergence of a network of few values may be least for all of them.
        assert!(kind == "kl" || (cut > 0) == (kind == "percentile"), "{lines}");
        let precision = info.precision.unwrap();
        assert_eq!((precision.wanted_cosine, precision.cosine), (None, precision.int8_cosine));
    }
}

#[test]
fn the_default_chooses_one_way_for_ranges_and_widens_until_the_target() {
    // No network of integers is float to the last bit: everything that gains is tried.
    let all = compiled("  accuracy_target: 1\n", 2);
    let wide = info(&all);
    assert!(kinds(&wide).get("int16").is_some_and(|count| *count > 0), "{:?}", kinds(&wide));
    let precision = wide.precision.unwrap();
    // Weights, too.
    assert!(!wide.wide_weights.is_empty());
    // Without anything wider: the same ranges.
    let none = compiled("  calibration_type: default\n  accuracy_target: 0\n", 2);
    let narrow = info(&none);
    assert_eq!(kinds(&narrow).len(), 1, "{:?}", kinds(&narrow));
    assert!(narrow.wide_weights.is_empty());
    assert!(precision.cosine > narrow.precision.unwrap().cosine, "{precision:?}");
    for (name, value) in wide.values.iter().filter(|(_, value)| value.element == ActivationType::Int8) {
        // Of a sum of two layers, what the layer was: with the rounding of float32.
        let other = narrow.values[name.trim_end_matches("/sum")].threshold;
        assert!((value.threshold - other).abs() < 1e-5 * other, "{name}");
    }
    // At least as close as each of the others.
    for lines in ["  calibration_type: kl\n", "  calibration_type: max\n"] {
        let of_one = info(&compiled(lines, 2)).precision.unwrap().int8_cosine;
        assert!(of_one <= narrow.precision.unwrap().int8_cosine, "{lines}");
    }
}

#[test]
fn the_choice_is_the_same_for_any_number_of_threads() {
    let [one, two] = [1, 2].map(|jobs| compiled("  accuracy_target: 0.9999\n", jobs));
    let [one, two] = [one, two].map(|folder| files(&folder.path().join("model_output")));
    assert!(one.keys().eq(two.keys()));
    for (name, bytes) in &one {
        assert!(*bytes == two[name], "{name}");
    }
}
