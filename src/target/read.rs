//! From YAML text to a checked [`Target`].

use serde_yaml::Value;
use thiserror::Error;

use super::Target;

/// The targets that the compiler brings along: name and text.
const BUILT_IN: [(&str, &str); 2] =
    [("nash-e", include_str!("../../targets/nash-e.yaml")), ("nash-m", include_str!("../../targets/nash-m.yaml"))];

/// No target is as large as this; a bound for what a file can make the simulator allocate.
const MAX_L1M_BYTES: u64 = 1 << 30;
/// No memory is as fast.
const MAX_BYTES_PER_SECOND: u64 = 1 << 50;

/// Why there is no target.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum TargetError {
    #[error("unknown target '{name}'; known: {known}")]
    Unknown { name: String, known: String },
    #[error("{file}: {reason}")]
    Text { file: String, reason: serde_yaml::Error },
    #[error("{file}: {field}: {reason}")]
    Field { file: String, field: String, reason: String },
    #[error("target {target}: no field '{field}' to override; the fields are {known}")]
    NoSuchField { target: String, field: String, known: String },
    #[error("target {target}: {field}={value}: not a whole number")]
    NotANumber { target: String, field: String, value: String },
}

impl Target {
    /// The names that [`Target::named`] knows.
    pub fn names() -> Vec<&'static str> {
        BUILT_IN.iter().map(|built_in| built_in.0).collect()
    }

    /// A built-in target, such as `nash-e`.
    ///
    /// # Errors
    /// When the name is unknown; the message lists the known ones.
    pub fn named(name: &str) -> Result<Target, TargetError> {
        Target::named_with_overrides(name, &[])
    }

    /// A built-in target in which some numbers are replaced; see [`Target::with_overrides`].
    pub fn named_with_overrides(name: &str, overrides: &[(&str, &str)]) -> Result<Target, TargetError> {
        let Some((_, text)) = BUILT_IN.iter().find(|built_in| built_in.0 == name) else {
            return Err(TargetError::Unknown { name: name.to_string(), known: Target::names().join(", ") });
        };
        let target = Target::from_yaml(&format!("targets/{name}.yaml"), text)?;
        if overrides.is_empty() { Ok(target) } else { target.with_overrides(overrides) }
    }

    /// Reads the text of a target file. `file` is for messages.
    pub fn from_yaml(file: &str, text: &str) -> Result<Target, TargetError> {
        let target: Target =
            serde_yaml::from_str(text).map_err(|reason| TargetError::Text { file: file.to_string(), reason })?;
        target.check(file)?;
        Ok(target)
    }

    /// This target with numbers replaced: `("local_memory.bytes", "65536")`. The result is checked as a file is.
    pub fn with_overrides(&self, overrides: &[(&str, &str)]) -> Result<Target, TargetError> {
        let file = format!("target {}, overridden", self.name);
        let text = |reason| TargetError::Text { file: file.clone(), reason };
        let mut tree = serde_yaml::to_value(self).map_err(text)?;
        for (field, value) in overrides {
            let number: u64 = value.trim().parse().map_err(|_| TargetError::NotANumber {
                target: self.name.clone(),
                field: field.to_string(),
                value: value.to_string(),
            })?;
            let Some(place) = number_at(&mut tree, field) else {
                let (target, field) = (self.name.clone(), field.to_string());
                return Err(TargetError::NoSuchField { target, field, known: number_paths(&tree).join(", ") });
            };
            place.insert("value".into(), number.into());
            place.insert("source".into(), "chosen".into());
            place.insert("note".into(), "overridden".into());
        }
        let target: Target = serde_yaml::from_value(tree).map_err(text)?;
        target.check(&file)?;
        Ok(target)
    }

    /// Every number with its dotted path, in the order of the file.
    pub fn fields(&self) -> Vec<(String, u64)> {
        let Ok(mut tree) = serde_yaml::to_value(self) else {
            return Vec::new();
        };
        let value = |tree: &mut Value, path: &str| number_at(tree, path)?.get("value")?.as_u64();
        number_paths(&tree).into_iter().filter_map(|path| Some((path.clone(), value(&mut tree, &path)?))).collect()
    }

    /// What the types do not say.
    fn check(&self, file: &str) -> Result<(), TargetError> {
        let fail = |field: &str, reason: String| {
            Err(TargetError::Field { file: file.to_string(), field: field.to_string(), reason })
        };
        for (field, value) in self.fields() {
            // Keeps every product in the cost formulas inside 128 bits, and every sum of times inside 64.
            let most = if field.ends_with("bytes_per_second") { MAX_BYTES_PER_SECOND } else { u64::from(u32::MAX) };
            if value > most {
                return fail(&field, format!("{value} is more than {most}"));
            }
        }
        for (field, number) in self.divisors() {
            if number.value == 0 {
                return fail(field, "0 is less than 1".to_string());
            }
        }
        if self.l1m_bytes() > MAX_L1M_BYTES {
            return fail("local_memory.bytes", format!("{} is more than {MAX_L1M_BYTES}", self.l1m_bytes()));
        }
        if !self.l1m_alignment().is_power_of_two() {
            return fail("local_memory.alignment", format!("{} is not a power of two", self.l1m_alignment()));
        }
        let array = [&self.tae.input_channels, &self.tae.output_channels, &self.tae.pixels];
        if array.iter().any(|number| number.value > 1 << 16) {
            return fail("tae", "a side of the array is longer than 65536".to_string());
        }
        Ok(())
    }

    /// The numbers that must not be 0.
    fn divisors(&self) -> Vec<(&'static str, &super::Number)> {
        vec![
            ("clock_hz", &self.clock_hz),
            ("local_memory.bytes", &self.local_memory.bytes),
            ("local_memory.alignment", &self.local_memory.alignment),
            ("ddr.bytes_per_second", &self.ddr.bytes_per_second),
            ("ddr.burst_bytes", &self.ddr.burst_bytes),
            ("ddr.stride_alignment", &self.ddr.stride_alignment),
            ("tae.input_channels", &self.tae.input_channels),
            ("tae.output_channels", &self.tae.output_channels),
            ("tae.pixels", &self.tae.pixels),
            ("tae.int16_passes", &self.tae.int16_passes),
            ("vae.bytes_per_cycle", &self.vae.bytes_per_cycle),
            ("aae.bytes_per_cycle", &self.aae.bytes_per_cycle),
            ("dte.bytes_per_cycle", &self.dte.bytes_per_cycle),
            ("dte.runs_per_cycle", &self.dte.runs_per_cycle),
            ("vpu.elements_per_cycle", &self.vpu.elements_per_cycle),
            ("vpu.division_passes", &self.vpu.division_passes),
            ("vpu.function_passes", &self.vpu.function_passes),
            ("cpu.clock_hz", &self.cpu.clock_hz),
            ("cpu.operations_per_cycle", &self.cpu.operations_per_cycle),
            ("cpu.bytes_per_second", &self.cpu.bytes_per_second),
        ]
    }
}

/// The mapping with `value`, `source` and `note` at a dotted path.
fn number_at<'a>(tree: &'a mut Value, path: &str) -> Option<&'a mut serde_yaml::Mapping> {
    let mut place = tree;
    for part in path.split('.') {
        place = place.get_mut(part)?;
    }
    place.as_mapping_mut().filter(|mapping| mapping.contains_key("value"))
}

/// The dotted paths of all numbers below a node.
fn number_paths(tree: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    for (key, value) in tree.as_mapping().into_iter().flatten() {
        let (Some(key), true) = (key.as_str(), value.is_mapping()) else {
            continue;
        };
        if value.get("value").is_some() {
            paths.push(key.to_string());
        } else {
            paths.extend(number_paths(value).into_iter().map(|rest| format!("{key}.{rest}")));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_targets_reach_the_published_tops() {
        let peak = |name| Target::named(name).unwrap().peak_macs_per_second() as f64 * 2.0 / 1e12;
        assert!((peak("nash-e") - 80.0).abs() < 1e-3);
        assert!((peak("nash-m") - 128.0).abs() < 1e-3);
    }

    #[test]
    fn every_number_has_a_note() {
        for name in Target::names() {
            let tree = serde_yaml::to_value(Target::named(name).unwrap()).unwrap();
            for path in number_paths(&tree) {
                let mut tree = tree.clone();
                let note = number_at(&mut tree, &path).unwrap().get("note").cloned().unwrap();
                assert!(note.as_str().unwrap().len() > 10, "{name}: {path}");
            }
        }
    }

    #[test]
    fn fitted_latencies_are_met() {
        // Vendor's latencies at batch 1 against weights in bytes: the one that loads dominate within 15 %, another below it. What engines
        // hand to each other comes on top (tools/published_latencies.py).
        let target = Target::named("nash-e").unwrap();
        let latency = |bytes| target.seconds(target.run_overhead_cycles() + target.ddr_cycles(bytes));
        assert!((latency(60_200_000) / 2.23e-3 - 1.0).abs() < 0.15);
        assert!(latency(3_500_000) < 201.3e-6 && latency(5_400_000) < 382.1e-6);
    }

    #[test]
    fn unknown_names_list_the_known() {
        let message = Target::named("nash-z").unwrap_err().to_string();
        assert_eq!(message, "unknown target 'nash-z'; known: nash-e, nash-m");
    }

    #[test]
    fn overrides_change_one_number() {
        let target = Target::named("nash-e").unwrap();
        let small = target.with_overrides(&[("local_memory.bytes", "65536")]).unwrap();
        assert_eq!(small.l1m_bytes(), 65536);
        let differing = target.fields().into_iter().zip(small.fields()).filter(|(old, new)| old != new).count();
        assert_eq!(differing, 1);
    }

    #[test]
    fn bad_overrides_are_errors() {
        let target = Target::named("nash-e").unwrap();
        let message = |field, value| target.with_overrides(&[(field, value)]).unwrap_err().to_string();
        assert!(message("l1m", "1").contains("no field 'l1m' to override; the fields are clock_hz,"));
        assert!(message("local_memory", "1").contains("no field 'local_memory'"));
        assert!(message("clock_hz", "fast").contains("not a whole number"));
        assert!(message("clock_hz", "0").contains("clock_hz: 0 is less than 1"));
        // What is not divided by has a bound, too: times must not overflow.
        assert!(message("run_overhead_nanoseconds", "18446744073709551615").contains("is more than 4294967295"));
        assert!(message("wait_cycles", "4294967296").contains("wait_cycles: 4294967296 is more than"));
        assert!(message("local_memory.alignment", "48").contains("48 is not a power of two"));
    }

    #[test]
    fn errors_in_files_name_file_and_field() {
        let text = include_str!("../../targets/nash-e.yaml");
        let message = |text: String| Target::from_yaml("my.yaml", &text).unwrap_err().to_string();
        let missing = message(text.replace("    source: chosen\n    note: columns of the array", "    note: columns"));
        assert!(
            missing.contains("my.yaml") && missing.contains("tae.output_channels") && missing.contains("source"),
            "{missing}"
        );
        let unknown = message(text.replace("vpu:", "gpu:"));
        assert!(unknown.contains("my.yaml") && unknown.contains("gpu"), "{unknown}");
        let word = message(text.replace("value: 1220703125", "value: fast"));
        assert!(word.contains("clock_hz"), "{word}");
    }
}
