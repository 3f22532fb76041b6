//! `{prefix}_quant_info.json`: what calibration and the search for precision decided of every value, for passes and people to read.

use super::{
    channel_ranges::ChannelRanges,
    groups::Sources,
    requests::AskedTypes,
    rules::{ACTIVATION_BITS, WIDE_BITS},
    thresholds::{ThresholdRange, Thresholds},
};
use crate::reading;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
    marker::PhantomData,
    path::Path,
};

/// Files are small beside their networks; larger ones are refused before they are read.
const LARGEST_FILE: u64 = 64 << 20;

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantInfo {
    /// How ranges were measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationInfo>,
    /// How the widths of activations were chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<PrecisionInfo>,
    /// By the name of an input, or of the node that computes the value.
    #[serde(deserialize_with = "unique")]
    pub values: BTreeMap<String, ValueInfo>,
    /// By the name of an operation that sees operands in another type than that of the value: bits per operand, 0 for those of the value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "unique")]
    pub operands: BTreeMap<String, Vec<u32>>,
    /// The names of operations that are computed in float16.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub float16: BTreeSet<String>,
    /// The names of layers whose weights have 16 bits: `quant-split-weights` makes each the sum of two.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub wide_weights: BTreeSet<String>,
    /// The largest magnitude of each channel, by the name of the convolution that computes them: `quant-scale-channels` gives each a range of its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "unique")]
    pub channel_ranges: ChannelRanges,
}

/// How ranges were measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationInfo {
    /// How many samples were measured.
    pub samples: usize,
    /// Whether they are random numbers, which say nothing of the network's use.
    pub random: bool,
    /// The share of the values of a tensor that lies within its threshold, where that decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percentile: Option<f64>,
}

/// How the widths of activations were chosen: by the least of the outputs' mean cosines with the float network's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrecisionInfo {
    /// What the search aims at; left out where nothing may be wider than int8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted_cosine: Option<f64>,
    /// With every activation as int8.
    pub int8_cosine: f64,
    /// With the activations of the file.
    pub cosine: f64,
}

/// What was decided of one value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueInfo {
    /// The integers that hold it.
    #[serde(rename = "type")]
    pub element: ActivationType,
    /// The largest magnitude that its integers show.
    pub threshold: f64,
    /// The largest magnitude for readers that see int8, where the value is int16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrow_threshold: Option<f64>,
    /// The integer of the real 0 where it is int8, for readers that see int8 too; 0 when left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub zero_point: i32,
    /// What one step of the integers is worth. It follows from the threshold and the type; a file may leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// The largest magnitude that calibration saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest: Option<f64>,
    /// What decided on threshold and type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged_by: Option<Judge>,
}

/// The integers of an activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivationType {
    /// 8 bits.
    Int8,
    /// 16 bits.
    Int16,
}

/// What decided on a threshold and a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// The largest magnitude on the calibration samples.
    Max,
    /// The percentile of the magnitudes on the calibration samples.
    Percentile,
    /// The least Kullback-Leibler divergence of the distribution on the calibration samples.
    Kl,
    /// The least mean square of the errors on the calibration samples.
    MeanSquaredError,
    /// The largest magnitude on random numbers.
    Random,
    /// The search for precision: int8 cost the outputs too much.
    Precision,
    /// The type was asked for.
    Asked,
    /// The network itself, by QuantizeLinear or DequantizeLinear.
    Network,
}

impl fmt::Display for ActivationType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl ValueInfo {
    /// What a range says of a value.
    pub fn new(range: ThresholdRange, largest: f64, judge: Judge) -> Self {
        Self {
            element: if range.bits == WIDE_BITS { ActivationType::Int16 } else { ActivationType::Int8 },
            threshold: range.threshold,
            narrow_threshold: range.narrow_threshold,
            zero_point: range.zero_point,
            scale: Some(range.affine().scale),
            largest: Some(largest),
            judged_by: Some(judge),
        }
    }

    /// What the network says of a value: no sample was asked.
    pub fn of_network(range: ThresholdRange) -> Self {
        Self { largest: None, ..Self::new(range, range.threshold, Judge::Network) }
    }

    /// The range that it says.
    pub fn range(&self) -> ThresholdRange {
        let bits = match self.element {
            ActivationType::Int8 => ACTIVATION_BITS,
            ActivationType::Int16 => WIDE_BITS,
        };
        let Self { threshold, narrow_threshold, zero_point, .. } = *self;
        ThresholdRange { threshold, bits, narrow_threshold, zero_point }
    }
}

impl QuantInfo {
    /// Keeps the values that are measured once operations are float16; what did not need a range of its own before has that of its source.
    pub fn keep_measured(&mut self, measured: &HashSet<String>, sources: &Sources) {
        let moved = measured.iter().filter(|name| !self.values.contains_key(*name));
        let moved = moved.filter_map(|name| Some((name.clone(), self.values.get(sources.get(name)?)?.clone())));
        let moved: Vec<_> = moved.collect();
        self.values.extend(moved);
        self.values.retain(|name, _| measured.contains(name));
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, is too large, has not the form of such a file, or contradicts itself.
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes = reading::read_small(path, LARGEST_FILE)?;
        let info: Self = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        for (name, value) in &info.values {
            let scale = value.range().affine().scale;
            if let Some(given) = value.scale.filter(|given| *given != scale) {
                return Err(format!(
                    "the value of '{name}' has the scale {given}, but its threshold and type make it {scale}; leave the scale out"
                ));
            }
        }
        Ok(info)
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// Never: every field has a form in JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Gives values the types that are asked for.
    pub fn ask(&mut self, asked: &AskedTypes) {
        for (name, element) in &asked.values {
            let Some(value) = self.values.get_mut(name).filter(|_| *element == ActivationType::Int16) else { continue };
            let largest = value.largest.unwrap_or(value.threshold);
            let range = value.range().widened(largest, asked.poles.contains(name));
            *value = ValueInfo::new(range, largest, Judge::Asked);
        }
        self.operands.clone_from(&asked.operands);
        self.float16.clone_from(&asked.float16);
    }

    /// The ranges of all values.
    pub fn ranges(&self) -> Thresholds {
        self.values.iter().map(|(name, value)| (name.clone(), value.range())).collect()
    }
}

fn is_zero(zero_point: &i32) -> bool {
    *zero_point == 0
}

/// A map of a file whose names are all different.
pub(super) fn unique<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    struct Unique<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Unique<T> {
        type Value = BTreeMap<String, T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((name, value)) = entries.next_entry::<String, T>()? {
                if map.contains_key(&name) {
                    return Err(A::Error::custom(format!("'{name}' stands twice")));
                }
                map.insert(name, value);
            }
            Ok(map)
        }
    }
    deserializer.deserialize_map(Unique(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn read(text: &str) -> Result<QuantInfo, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let file = folder.path().join("info.json");
        fs::write(&file, text).map_err(|error| error.to_string())?;
        QuantInfo::read(&file)
    }

    #[test]
    fn what_is_written_is_read() {
        let values = [("a", 2.5, 8), ("b", f64::from(0.1f32) * 2.0, 16), ("c", 0.0, 8), ("d", 1.0 / 3.0, 8)];
        let value = |threshold: f64, bits| {
            let range = ThresholdRange { bits, zero_point: if threshold == 2.5 { -7 } else { 0 }, ..threshold.into() };
            ValueInfo::new(range, threshold, Judge::Max)
        };
        let info = QuantInfo {
            calibration: Some(CalibrationInfo { samples: 3, random: false, percentile: Some(0.9999) }),
            precision: Some(PrecisionInfo { wanted_cosine: Some(0.993), int8_cosine: 0.5, cosine: 0.999_999_9 }),
            operands: BTreeMap::from([("d".to_owned(), vec![0, 8])]),
            float16: BTreeSet::from(["s".to_owned()]),
            wide_weights: BTreeSet::from(["w".to_owned()]),
            channel_ranges: BTreeMap::from([("c".to_owned(), vec![1.0, 0.5])]),
            values: values.iter().map(|&(name, threshold, bits)| (name.to_owned(), value(threshold, bits))).collect(),
        };
        let text = String::from_utf8(info.to_bytes().expect("JSON")).expect("UTF-8");
        assert_eq!(read(&text), Ok(info.clone()));
        assert_eq!(info.ranges()["b"], ThresholdRange { bits: 16, ..(f64::from(0.1f32) * 2.0).into() });
        assert_eq!(info.ranges()["a"], ThresholdRange { zero_point: -7, ..2.5.into() });
    }

    #[test]
    fn files_that_contradict_themselves_are_refused() {
        let wrong = [
            (r#"{"values": {"a": {"type": "int8", "threshold": 127, "scale": 2}}}"#, "has the scale 2, but its"),
            (r#"{"values": {"a": {"type": "int8", "threshold": 1}, "a": {"type": "int8", "threshold": 2}}}"#, "twice"),
            (r#"{"values": {"a": {"type": "int4", "threshold": 1}}}"#, "unknown variant `int4`"),
            (r#"{"values": {"a": {"type": "int8", "treshold": 1}}}"#, "unknown field `treshold`"),
            (r#"{"values": {"a": {"type": "int8"}}}"#, "missing field `threshold`"),
            (r#"{"values": {}, "value": {}}"#, "unknown field `value`"),
            (r#"{}"#, "missing field `values`"),
            ("", "EOF"),
        ];
        for (text, reason) in wrong {
            let error = read(text).expect_err(text);
            assert!(error.contains(reason), "{error}");
        }
        assert!(read(r#"{"values": {"a": {"type": "int8", "threshold": 127, "scale": 1}}}"#).is_ok());
    }
}
