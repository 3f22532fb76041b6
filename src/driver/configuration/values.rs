//! From the untyped value of a parameter to the typed one that its row of the table asks for.

use super::foreign;
use super::node_info::{self, NodeRequest};
use super::optimization::{self, Optimization};
use super::parameters::{INPUT_SHAPE, OPTIMIZE_LEVEL};
use super::problem::Location;
use super::quant_config::QuantConfig;
use super::reading::{Raw, Step};
use super::table::{Choice, Multiplicity, Parameter, ParameterDefault, ParameterKind, Status, words};
use crate::wording::suggestion;
use std::path::{Path, PathBuf};

/// One value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum ParameterValue {
    /// True or False.
    Boolean(bool),
    /// Within its row's range.
    Integer(i64),
    /// Finite, within its row's range.
    Number(f64),
    /// A word of a choice, a name, or text.
    Text(String),
    /// Relative to where the program runs, or absolute.
    Path(PathBuf),
    /// Sizes of at least 1.
    Shape(Vec<u64>),
    /// One number, or one for each channel.
    Channels(Vec<f64>),
    /// Input names and their words.
    Mapping(Vec<(String, String)>),
    /// An item that says 'None' for its input.
    Nothing,
    /// What `node_info` asks for one node.
    Node(NodeRequest),
    /// A word of `optimization`.
    Optimization(Optimization),
    /// `quant_config`
    Quantization(QuantConfig),
}

impl ParameterValue {
    /// The text of a [`ParameterValue::Text`], nothing of all others.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// What is wrong with a value, without where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueFault {
    pub what: String,
    pub remedy: String,
    pub place: Place,
}

/// Where a fault is, as the code that reads a value knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The whole value.
    Value,
    /// Below the value.
    Within(Vec<Step>),
    /// This character of the text that the value is.
    Character(usize),
    /// In another file, which messages show so.
    File(String, Location),
}

impl ValueFault {
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into(), place: Place::Value }
    }

    /// The fault of what is below `step`, seen from above.
    pub fn below(self, step: Step) -> Self {
        let place = match self.place {
            Place::Within(steps) => Place::Within([vec![step], steps].concat()),
            Place::File(..) => self.place,
            Place::Value | Place::Character(_) => Place::Within(vec![step]),
        };
        Self { place, ..self }
    }
}

/// What reading a value depends on beside its row.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The targets that there are.
    pub marches: &'a [String],
    /// Where relative paths count from.
    pub folder: &'a Path,
}

/// The most dimensions of an input, as in the vendor's tool.
const MOST_DIMENSIONS: usize = 10;
/// The most elements of an input: what a tensor of 2 GiB holds at one byte each.
pub const MOST_ELEMENTS: u64 = 1 << 31;
/// The largest magnitude of a number for the values of a channel.
const MOST_MAGNITUDE: f64 = 1e6;
/// The most numbers of `mean_value` and `scale_value` for one input: the channels of the largest feature map.
const MOST_CHANNELS: usize = 65_536;

/// Reads the value of `parameter`. `Ok(None)` where it is there but says nothing (null, empty, or 'None').
pub fn parse(
    parameter: &Parameter,
    raw: &Raw,
    surroundings: Surroundings<'_>,
) -> Result<Option<Vec<ParameterValue>>, FaultyValues> {
    let reader = Reader { parameter, surroundings };
    match raw {
        Raw::Null => Ok(None),
        // What asks for nothing in a form that is none of its kind: people write {} and False for "not given".
        Raw::Mapping(_) | Raw::Sequence(_) | Raw::Boolean(_)
            if raw.asks_for_nothing() && parameter.default.is_nothing() && parameter.kind != ParameterKind::Boolean =>
        {
            Ok(None)
        }
        Raw::Mapping(entries) if parameter.kind == ParameterKind::NodeRequests => {
            let (requests, faults) = node_info::mapping(entries);
            let values: Vec<ParameterValue> = requests.into_iter().map(ParameterValue::Node).collect();
            match faults.is_empty() {
                true => Ok((!values.is_empty()).then_some(values)),
                false => Err(FaultyValues { faults, sound: values }),
            }
        }
        Raw::Mapping(_) if parameter.kind == ParameterKind::QuantConfig => {
            let read = QuantConfig::from_raw(raw)?;
            Ok((!read.is_empty()).then(|| vec![ParameterValue::Quantization(read)]))
        }
        Raw::Text(text) if parameter.kind == ParameterKind::QuantConfig && !reader.says_nothing(text.trim()) => {
            let path = reader.plain_text(raw)?;
            let read = QuantConfig::read_file(&surroundings.folder.join(path))?;
            Ok((!read.is_empty()).then(|| vec![ParameterValue::Quantization(read)]))
        }
        Raw::Text(text) if reader.says_nothing(text.trim()) => Ok(None),
        Raw::Text(text) if parameter.multiplicity != Multiplicity::One => reader.list(text).map(Some),
        _ => match reader.value(raw) {
            Ok(value) => Ok(Some(vec![value])),
            Err(fault) => Err(fault.into()),
        },
    }
}

/// What is wrong with a parameter.
#[derive(Debug, PartialEq)]
pub struct FaultyValues {
    /// At least one.
    pub faults: Vec<ValueFault>,
    /// The items of a list that nothing is wrong with, so that the model may be asked for what they name.
    pub sound: Vec<ParameterValue>,
}

impl From<Vec<ValueFault>> for FaultyValues {
    fn from(faults: Vec<ValueFault>) -> Self {
        Self { faults, sound: Vec::new() }
    }
}

impl From<ValueFault> for FaultyValues {
    fn from(fault: ValueFault) -> Self {
        vec![fault].into()
    }
}

/// The default of a parameter in a file of `folder`.
pub fn default_of(parameter: &Parameter, folder: &Path) -> Option<ParameterValue> {
    let ParameterDefault::Value(text) = parameter.default else {
        return None;
    };
    let raw = match parameter.kind {
        ParameterKind::Boolean => Raw::Boolean(text == "True"),
        _ => Raw::Text(text.to_owned()),
    };
    // March is the only kind that needs the targets, and it has no default.
    Reader { parameter, surroundings: Surroundings { marches: &[], folder } }.value(&raw).ok()
}

/// The sizes of a shape such as `1x3x224x224`; none where `text` is no such shape.
pub fn shape_of(text: &str) -> Option<Vec<u64>> {
    let surroundings = Surroundings { marches: &[], folder: Path::new("") };
    let reader = Reader { parameter: &INPUT_SHAPE, surroundings };
    match reader.shape(&Raw::Text(text.to_owned())) {
        Ok(ParameterValue::Shape(sizes)) => Some(sizes),
        _ => None,
    }
}

/// The shape that an option of a command line gives, such as `1x3x224x224`.
///
/// # Errors
/// What is wrong with it, and what to write.
pub fn shape_option(text: &str) -> Result<Vec<u64>, String> {
    shape_of(text).ok_or_else(|| {
        format!(
            "'{text}' is not a shape; give positive sizes separated by x, such as 1x3x224x224, of at most 2^31 elements"
        )
    })
}

/// What of `values` is known to the manual but nothing that we act on.
pub fn unsupported(parameter: &Parameter, values: &[ParameterValue]) -> Option<ValueFault> {
    if parameter.status != Status::NotYet {
        return None;
    }
    match parameter.default {
        ParameterDefault::None | ParameterDefault::Automatic(_) => {
            Some(ValueFault::new("the parameter is known to the manual, not supported yet", "remove it"))
        }
        ParameterDefault::Value(text) => {
            let default = default_of(parameter, Path::new(""));
            let differs = values.iter().any(|value| Some(value) != default.as_ref());
            differs.then(|| {
                ValueFault::new(
                    format!("anything but the default {text} is known to the manual, not supported yet"),
                    format!("remove the parameter or set it to {text}"),
                )
            })
        }
    }
}

/// Whether the path of a value is what its row asks for.
pub fn check_path(parameter: &Parameter, path: &Path) -> Result<(), ValueFault> {
    let shown = path.display();
    let found = std::fs::metadata(path);
    let fault = |what: String, remedy: &str| Err(ValueFault::new(what, remedy));
    match (parameter.kind, found) {
        (ParameterKind::File | ParameterKind::Directory, Err(error)) => fault(
            format!("'{shown}' cannot be read: {error}"),
            "correct the path; it counts from the folder of the configuration file",
        ),
        (ParameterKind::File, Ok(found)) if !found.is_file() => {
            fault(format!("'{shown}' is not a file"), "give the path of the file")
        }
        (ParameterKind::Directory, Ok(found)) if !found.is_dir() => {
            fault(format!("'{shown}' is not a directory"), "give the path of the folder")
        }
        (ParameterKind::NewDirectory, Ok(found)) if !found.is_dir() => {
            fault(format!("'{shown}' exists and is not a directory"), "give another path")
        }
        _ => Ok(()),
    }
}

/// Whether a text stands for one that templates leave open: `@MODEL@`, `${MODEL}`, `{{MODEL}}`, `<MODEL>`, `***.onnx`. The last two may be names of
/// nodes and inputs.
fn is_placeholder(text: &str, is_name: bool) -> bool {
    let between = |start: &str, end: &str| {
        text.strip_prefix(start).and_then(|rest| rest.strip_suffix(end)).is_some_and(|inner| !inner.is_empty())
    };
    between("@", "@")
        || between("${", "}")
        || between("{{", "}}")
        || (!is_name && (between("<", ">") || text.contains("***")))
}

/// How the manual writes that there is no value.
pub(super) const NOTHING: &str = "None";

/// Reads values of one parameter.
pub(super) struct Reader<'a> {
    pub(super) parameter: &'a Parameter,
    surroundings: Surroundings<'a>,
}

impl Reader<'_> {
    /// The manual writes 'None' for defaults that are not there, so people write it into their files.
    fn says_nothing(&self, text: &str) -> bool {
        text.is_empty() || (text == NOTHING && self.parameter.default.is_nothing())
    }

    /// One value.
    pub(super) fn value(&self, raw: &Raw) -> Result<ParameterValue, ValueFault> {
        if let Raw::Text(text) = raw
            && is_placeholder(text.trim(), matches!(self.parameter.kind, ParameterKind::Name(_)))
        {
            let what = format!("'{}' is a placeholder that nobody has filled in", text.trim());
            return Err(ValueFault::new(what, format!("write {}", self.parameter.range())));
        }
        match self.parameter.kind {
            ParameterKind::Boolean => match raw {
                Raw::Boolean(value) => Ok(ParameterValue::Boolean(*value)),
                _ => Err(ValueFault::new(
                    format!("must be a boolean, but '{raw}' is {}", raw.kind()),
                    "write True or False without quotes",
                )),
            },
            ParameterKind::Integer { least, most } => self.integer(raw, |value| (least..=most).contains(&value)),
            ParameterKind::IntegerOrZero { least, most } => {
                self.integer(raw, |value| value == 0 || (least..=most).contains(&value))
            }
            ParameterKind::Number { least, most } => self.number_between(raw, least, most),
            ParameterKind::Choice(choices) => self.choice(&self.word(raw)?, choices),
            ParameterKind::March => self.march(&self.word(raw)?),
            ParameterKind::Name(_) | ParameterKind::Command => {
                Ok(ParameterValue::Text(self.plain_text(raw)?.to_owned()))
            }
            ParameterKind::Prefix => self.prefix(raw),
            ParameterKind::File | ParameterKind::Directory | ParameterKind::NewDirectory => {
                // Collected from its components, which drops needless dots.
                Ok(ParameterValue::Path(self.surroundings.folder.join(self.plain_text(raw)?).components().collect()))
            }
            ParameterKind::Shape => self.shape(raw),
            ParameterKind::ChannelNumbers => self.channels(raw),
            ParameterKind::InputMapping(choices) => self.mapping(raw, choices),
            ParameterKind::NodeRequests => Ok(ParameterValue::Node(node_info::item(self.plain_text(raw)?)?)),
            ParameterKind::Optimization => Ok(ParameterValue::Optimization(optimization::read(self.plain_text(raw)?)?)),
            ParameterKind::QuantConfig => Err(ValueFault::new(
                format!("must be a path or a mapping, but {raw} is {}", raw.kind()),
                format!("write {}", self.parameter.range()),
            )),
        }
    }

    /// The text of a value that is one of some words. A number is as wrong as another word, and gets the same advice.
    fn word(&self, raw: &Raw) -> Result<String, ValueFault> {
        match raw {
            Raw::Boolean(_) | Raw::Integer(_) | Raw::Number(_) => Ok(raw.to_string()),
            _ => self.text(raw).map(str::to_owned),
        }
    }

    fn text<'r>(&self, raw: &'r Raw) -> Result<&'r str, ValueFault> {
        match raw {
            Raw::Text(text) => Ok(text.trim()),
            Raw::Sequence(_) if self.parameter.multiplicity != Multiplicity::One => Err(ValueFault::new(
                "must be a string, not a YAML list",
                format!("write it as one string: {}; several are separated by ';'", self.parameter.range()),
            )),
            Raw::Sequence(_) | Raw::Mapping(_) => Err(ValueFault::new(
                format!("must be a string, not {}", raw.kind()),
                format!("write {}", self.parameter.range()),
            )),
            _ => {
                let what = format!("must be a string, but {raw} is {}", raw.kind());
                let remedy = match self.parameter.kind {
                    ParameterKind::NodeRequests | ParameterKind::Optimization => {
                        format!("write {}", self.parameter.range())
                    }
                    // What is in quotes may be a name or a path.
                    _ => "put it in quotes".to_owned(),
                };
                Err(ValueFault::new(what, remedy))
            }
        }
    }

    fn plain_text<'r>(&self, raw: &'r Raw) -> Result<&'r str, ValueFault> {
        let text = self.text(raw)?;
        if text.chars().any(char::is_control) {
            return Err(ValueFault::new("holds a control character", "remove it"));
        }
        if text.len() > 4096 {
            return Err(ValueFault::new("is longer than 4096 bytes", "shorten it"));
        }
        Ok(text)
    }

    fn prefix(&self, raw: &Raw) -> Result<ParameterValue, ValueFault> {
        let prefix = self.plain_text(raw)?;
        if prefix.contains(['/', '\\']) || prefix.starts_with('.') || prefix.len() > 200 {
            return Err(ValueFault::new(
                format!("'{prefix}' cannot begin the names of files"),
                "give at most 200 bytes, no slashes, no leading dot; the folder is set by working_dir",
            ));
        }
        Ok(ParameterValue::Text(prefix.to_owned()))
    }

    fn integer(&self, raw: &Raw, fits: impl Fn(i64) -> bool) -> Result<ParameterValue, ValueFault> {
        let remedy = || format!("write a whole number: {}", self.parameter.range());
        let value = match raw {
            Raw::Integer(value) => *value,
            // Some releases take what was a whole number as a real one.
            Raw::Number(value) if value.fract() == 0.0 && value.abs() < 1e15 => *value as i128,
            Raw::Text(text) => match text.trim().parse::<i128>() {
                Ok(value) => value,
                Err(_) => return Err(ValueFault::new(format!("'{}' is not an integer", text.trim()), remedy())),
            },
            _ => return Err(ValueFault::new(format!("must be an integer, but {raw} is {}", raw.kind()), remedy())),
        };
        match i64::try_from(value) {
            Ok(value) if fits(value) => Ok(ParameterValue::Integer(value)),
            _ => Err(ValueFault::new(format!("{value} is out of range"), remedy())),
        }
    }

    fn number(&self, raw: &Raw) -> Result<f64, ValueFault> {
        let remedy = || match self.parameter.kind {
            ParameterKind::Number { .. } => format!("write a number in the range {}", self.parameter.range()),
            _ => format!("write {}", self.parameter.range()),
        };
        let value = match raw {
            // Exact up to 2^53; a larger mean or scale is of no use anyhow and only rounds.
            Raw::Integer(value) => *value as f64,
            Raw::Number(value) => *value,
            Raw::Text(text) => text
                .trim()
                .parse::<f64>()
                .map_err(|_| ValueFault::new(format!("'{}' is not a number", text.trim()), remedy()))?,
            _ => return Err(ValueFault::new(format!("must be a number, but {raw} is {}", raw.kind()), remedy())),
        };
        if value.is_finite() {
            Ok(value)
        } else {
            Err(ValueFault::new(format!("{value} is not a finite number"), remedy()))
        }
    }

    fn number_between(&self, raw: &Raw, least: f64, most: f64) -> Result<ParameterValue, ValueFault> {
        let value = self.number(raw)?;
        if (least..=most).contains(&value) {
            return Ok(ParameterValue::Number(value));
        }
        Err(ValueFault::new(
            format!("{value} is out of range"),
            format!("write a number in the range {}", self.parameter.range()),
        ))
    }

    fn choice(&self, word: &str, choices: &[Choice]) -> Result<ParameterValue, ValueFault> {
        if choices.iter().any(|choice| choice.word == word) {
            return Ok(ParameterValue::Text(word.to_owned()));
        }
        // What is above the highest level, or the number or case of one, is near to every level.
        let level = word.trim_start_matches(['o', 'O']).parse::<u32>().ok();
        let highest = choices.last().map_or("", |choice| choice.word);
        let remedy = match level {
            Some(level) if *self.parameter == *OPTIMIZE_LEVEL => match format!("O{level}") {
                spelled if choices.iter().any(|choice| choice.word == spelled) => format!("write '{spelled}'"),
                _ => format!("{highest} is the highest level"),
            },
            _ => suggestion(word, choices.iter().map(|choice| choice.word), "choose one of them"),
        };
        Err(ValueFault::new(format!("'{word}' is not one of {}", words(choices)), remedy))
    }

    fn march(&self, word: &str) -> Result<ParameterValue, ValueFault> {
        match self.surroundings.marches.iter().any(|march| march == word) {
            true => Ok(ParameterValue::Text(word.to_owned())),
            false => Err(foreign::march_fault(word, self.surroundings.marches)),
        }
    }

    fn shape(&self, raw: &Raw) -> Result<ParameterValue, ValueFault> {
        let remedy = || "write positive sizes separated by x, such as 1x3x224x224".to_owned();
        let text = match raw {
            Raw::Integer(value) => value.to_string(),
            _ => self.text(raw)?.to_owned(),
        };
        let mut shape = Vec::new();
        let mut elements = 1u64;
        for word in text.split(['x', 'X']).map(str::trim) {
            let size = match word.parse::<u64>() {
                Ok(size) if size > 0 => size,
                _ => return Err(ValueFault::new(format!("'{word}' in '{text}' is not a size"), remedy())),
            };
            elements = elements.saturating_mul(size);
            shape.push(size);
            if shape.len() > MOST_DIMENSIONS {
                return Err(ValueFault::new(format!("'{text}' has more than {MOST_DIMENSIONS} dimensions"), remedy()));
            }
        }
        if elements > MOST_ELEMENTS {
            return Err(ValueFault::new(
                format!("'{text}' has more than {MOST_ELEMENTS} elements, the most that an input may have"),
                "use smaller sizes",
            ));
        }
        Ok(ParameterValue::Shape(shape))
    }

    /// A number for the values of a channel, which f32 computes with.
    fn channel_number(&self, raw: &Raw) -> Result<f64, ValueFault> {
        let number = self.number(raw)?;
        if number.abs() > MOST_MAGNITUDE {
            let what = format!("{number:e} is beyond {MOST_MAGNITUDE:e}");
            return Err(ValueFault::new(what, "pixels are 0 to 255: give what training used"));
        }
        Ok(number)
    }

    fn channels(&self, raw: &Raw) -> Result<ParameterValue, ValueFault> {
        let Raw::Text(text) = raw else {
            return Ok(ParameterValue::Channels(vec![self.channel_number(raw)?]));
        };
        let mut numbers = Vec::new();
        for word in text.split([' ', '\t', ',']).filter(|word| !word.is_empty()) {
            numbers.push(self.channel_number(&Raw::Text(word.to_owned()))?);
            if numbers.len() > MOST_CHANNELS {
                return Err(ValueFault::new(
                    format!("has more than {MOST_CHANNELS} numbers"),
                    "give one number per channel",
                ));
            }
        }
        if numbers.is_empty() {
            return Err(ValueFault::new("holds no number", format!("write {}", self.parameter.range())));
        }
        Ok(ParameterValue::Channels(numbers))
    }

    fn mapping(&self, raw: &Raw, choices: &[Choice]) -> Result<ParameterValue, ValueFault> {
        let example =
            || format!("write it as {{\"input name\": \"{}\"}}", choices.first().map_or("", |choice| choice.word));
        let Raw::Mapping(entries) = raw else {
            return Err(ValueFault::new(format!("must be a mapping, but '{raw}' is {}", raw.kind()), example()));
        };
        let mut read: Vec<(String, String)> = Vec::new();
        for (name, word) in entries {
            let (Raw::Text(name), Raw::Text(word)) = (name, word) else {
                return Err(ValueFault::new(format!("'{name}: {word}' is not a pair of strings"), example()));
            };
            if read.iter().any(|(known, _)| known == name) {
                return Err(ValueFault::new(format!("'{name}' is given twice"), "remove one of the two"));
            }
            self.choice(word, choices)?;
            read.push((name.clone(), word.clone()));
        }
        Ok(ParameterValue::Mapping(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, raw: Raw) -> Result<Option<Vec<ParameterValue>>, Vec<ValueFault>> {
        let marches = ["nash-e".to_owned(), "nash-m".to_owned()];
        let surroundings = Surroundings { marches: &marches, folder: Path::new("folder") };
        parse(Parameter::named(name).expect("a parameter"), &raw, surroundings).map_err(|faulty| faulty.faults)
    }

    fn text(text: &str) -> Raw {
        Raw::Text(text.into())
    }

    #[test]
    fn shapes() {
        let shape = |sizes: &[u64]| Ok(Some(vec![ParameterValue::Shape(sizes.to_vec())]));
        assert_eq!(read("input_shape", text("1x3x224x224")), shape(&[1, 3, 224, 224]));
        assert_eq!(read("input_shape", Raw::Integer(10)), shape(&[10]));
        for bad in ["1x3x?x2", "1xx3", "0x3", "-1x3", "1,3", "1x2x3x4x5x6x7x8x9x10x11", "65536x65536", "x"] {
            assert!(read("input_shape", text(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn channel_numbers_take_spaces_commas_and_none() {
        let numbers = |numbers: &[f64]| ParameterValue::Channels(numbers.to_vec());
        assert_eq!(
            read("mean_value", text("103.94 116.78 123.68")),
            Ok(Some(vec![numbers(&[103.94, 116.78, 123.68])]))
        );
        assert_eq!(
            read("mean_value", text("1, 2,3; None;")),
            Ok(Some(vec![numbers(&[1.0, 2.0, 3.0]), ParameterValue::Nothing]))
        );
        assert_eq!(read("scale_value", Raw::Number(0.017)), Ok(Some(vec![numbers(&[0.017])])));
        assert_eq!(read("scale_value", text("None")), Ok(None));
        for bad in ["a", "1 b", "nan", "inf", "1e999", "1;;2", ","] {
            assert!(read("scale_value", text(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_given() {
        for nothing in [Raw::Null, text(""), text("  "), text("None")] {
            assert_eq!(read("remove_node_type", nothing), Ok(None));
        }
        assert!(read("optimize_level", text("None")).is_err(), "O0 is the default, None is no value");
    }

    #[test]
    fn items_are_counted_from_one() {
        let faults = read("input_type_rt", text("rgb; rbg; nv12")).expect_err("must fail");
        assert_eq!(faults.len(), 1);
        assert!(faults[0].what.starts_with("item 2: 'rbg' is not one of rgb, bgr"), "{faults:?}");
        assert_eq!(faults[0].remedy, "did you mean 'rgb'?");
    }
}
