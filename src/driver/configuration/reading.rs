//! A YAML file as an untyped tree, with a location for every name and value.
//!
//! serde_yaml tells locations only of errors. So a location is asked for by reading the text again with a seed that fails
//! at the very place (see `docs/decisions/0011-yaml-locations.md`). That happens for the parameters that the table knows
//! and for each problem found, and the file is small.

use super::problem::Location;
use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::fmt;

/// The largest configuration file that is read, in bytes. Real ones are a few kilobytes.
pub const LARGEST_FILE: u64 = 512 * 1024;
/// The most values a file may hold after its aliases are expanded.
const MOST_VALUES: usize = 20_000;
/// The most bytes of text a file may hold after its aliases are expanded.
const MOST_TEXT: usize = 4 * 512 * 1024;
/// The most opening brackets a file may hold, quoted or not. The scanner takes time quadratic in open brackets.
const MOST_BRACKETS: usize = 4096;
/// The deepest nesting of a value; `node_info` needs 3.
const DEEPEST: usize = 16;

/// A value as YAML's core schema understands it.
#[derive(Debug, Clone, PartialEq)]
pub enum Raw {
    Null,
    Boolean(bool),
    Integer(i128),
    Number(f64),
    Text(String),
    Sequence(Vec<Raw>),
    Mapping(Vec<(Raw, Raw)>),
}

impl Raw {
    /// What a message calls this kind of value.
    pub fn kind(&self) -> &'static str {
        match self {
            Raw::Null => "nothing",
            Raw::Boolean(_) => "a boolean",
            Raw::Integer(_) => "an integer",
            Raw::Number(_) => "a number",
            Raw::Text(_) => "a string",
            Raw::Sequence(_) => "a YAML list",
            Raw::Mapping(_) => "a YAML mapping",
        }
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Raw::Null => f.write_str("null"),
            Raw::Boolean(value) => write!(f, "{value}"),
            Raw::Integer(value) => write!(f, "{value}"),
            Raw::Number(value) => write!(f, "{value}"),
            Raw::Text(text) => f.write_str(text),
            Raw::Sequence(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Raw::Mapping(entries) => {
                f.write_str("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key}: {value}", if index > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
        }
    }
}

/// What a file says, before anyone asks whether it makes sense.
#[derive(Debug)]
pub struct Document {
    text: String,
    /// The top level of the file in its order: group names and what they hold.
    pub root: Raw,
}

/// Why a file could not be read at all.
#[derive(Debug, PartialEq, Eq)]
pub struct ReadError {
    pub location: Location,
    pub what: String,
    pub remedy: String,
}

impl ReadError {
    fn new(location: Location, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { location, what: what.into(), remedy: remedy.into() }
    }
}

impl Document {
    /// Reads the bytes of a configuration file.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReadError> {
        if bytes.len() as u64 > LARGEST_FILE {
            return Err(ReadError::new(
                Location::START,
                format!("the file is larger than {} KiB", LARGEST_FILE / 1024),
                "give the configuration file, not the model or its data",
            ));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            ReadError::new(
                location_of_byte(bytes, error.valid_up_to()),
                "the file is not UTF-8 text",
                "save it as UTF-8",
            )
        })?;
        if let Some((offset, _)) = text.match_indices(['[', '{']).nth(MOST_BRACKETS) {
            let what = format!("the file holds more than {MOST_BRACKETS} opening brackets");
            return Err(ReadError::new(location_of_byte(bytes, offset), what, "write mappings on lines of their own"));
        }
        let budget = Budget::default();
        let root = Node { budget: &budget, depth: 0 }
            .deserialize(serde_yaml::Deserializer::from_str(text))
            .map_err(|error| syntax_error(text, &error))?;
        Ok(Self { text: text.to_owned(), root })
    }

    /// Where the name of top-level entry `group` is written.
    pub fn group_location(&self, group: usize) -> Location {
        self.locate(&[Step::Key(group)])
    }

    /// Where the name of entry `entry` of top-level entry `group` is written.
    pub fn name_location(&self, group: usize, entry: usize) -> Location {
        self.locate(&[Step::Value(group), Step::Key(entry)])
    }

    /// Where the value of entry `entry` of top-level entry `group` is written.
    pub fn value_location(&self, group: usize, entry: usize) -> Location {
        self.locate(&[Step::Value(group), Step::Value(entry)])
    }

    fn locate(&self, path: &[Step]) -> Location {
        let outcome = Locator { path }.deserialize(serde_yaml::Deserializer::from_str(&self.text));
        match outcome {
            Err(error) => location_of(&error),
            Ok(()) => Location::START,
        }
    }
}

fn location_of(error: &serde_yaml::Error) -> Location {
    error.location().map_or(Location::START, |location| Location { line: location.line(), column: location.column() })
}

fn location_of_byte(bytes: &[u8], offset: usize) -> Location {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column =
        String::from_utf8_lossy(before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default()).chars().count() + 1;
    Location { line, column }
}

fn syntax_error(text: &str, error: &serde_yaml::Error) -> ReadError {
    let location = location_of(error);
    let mut what = error.to_string();
    // serde_yaml ends its messages with the place, which we print in front.
    if let Some(end) = what.rfind(" at line ") {
        what.truncate(end);
    }
    let line = text.lines().nth(location.line.saturating_sub(1)).unwrap_or_default();
    let remedy = if line.trim_start_matches(' ').starts_with('\t') {
        "indent with spaces, YAML forbids tabs there"
    } else {
        "correct the YAML"
    };
    ReadError::new(location, what, remedy)
}

/// What reading one file may still cost.
struct Budget {
    values: Cell<usize>,
    text: Cell<usize>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { values: Cell::new(MOST_VALUES), text: Cell::new(MOST_TEXT) }
    }
}

impl Budget {
    fn take<E: de::Error>(&self, text: usize) -> Result<(), E> {
        let left = (self.values.get().checked_sub(1), self.text.get().checked_sub(text));
        let (Some(values), Some(text)) = left else {
            return Err(E::custom("the file holds too many values once its aliases are expanded"));
        };
        self.values.set(values);
        self.text.set(text);
        Ok(())
    }
}

/// Reads any value into [`Raw`], within a budget.
#[derive(Clone, Copy)]
struct Node<'a> {
    budget: &'a Budget,
    depth: usize,
}

impl Node<'_> {
    fn below<E: de::Error>(self) -> Result<Self, E> {
        if self.depth >= DEEPEST {
            return Err(E::custom(format!("values are nested deeper than {DEEPEST} levels")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Raw;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
        self.budget.take(0)?;
        Ok(Raw::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
        self.visit_unit()
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Raw, E> {
        self.budget.take(0)?;
        Ok(Raw::Boolean(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
        self.visit_i128(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
        self.visit_i128(value.into())
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Raw, E> {
        self.budget.take(0)?;
        Ok(Raw::Integer(value))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Raw, E> {
        match i128::try_from(value) {
            Ok(value) => self.visit_i128(value),
            Err(_) => Err(E::custom("the integer is too large")),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
        self.budget.take(0)?;
        Ok(Raw::Number(value))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Raw, E> {
        self.budget.take(text.len())?;
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        self.budget.take(0)?;
        let below = self.below()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(below)? {
            items.push(item);
        }
        Ok(Raw::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        self.budget.take(0)?;
        let below = self.below()?;
        let mut entries = Vec::new();
        while let Some(key) = access.next_key_seed(below)? {
            entries.push((key, access.next_value_seed(below)?));
        }
        Ok(Raw::Mapping(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Raw, A::Error> {
        Err(de::Error::custom("YAML tags ('!...') have no meaning in a configuration"))
    }
}

/// One step from a mapping to the key or the value of its n-th entry.
#[derive(Debug, Clone, Copy)]
enum Step {
    Key(usize),
    Value(usize),
}

/// Walks `path` and fails at its end, so that serde_yaml says where that is.
#[derive(Clone, Copy)]
struct Locator<'a> {
    path: &'a [Step],
}

impl<'de> DeserializeSeed<'de> for Locator<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Locator<'_> {
    type Value = ();

    // Every visit that is not overridden fails, and that failure is the answer.
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the place asked for")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.path.split_first() else {
            return Err(de::Error::custom("the place asked for"));
        };
        let (Step::Key(target) | Step::Value(target)) = *step;
        let here = Locator { path: rest };
        for _ in 0..target {
            if access.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        match step {
            Step::Key(_) => access.next_key_seed(here)?.map_or(Ok(()), Ok),
            Step::Value(_) => match access.next_key::<de::IgnoredAny>()? {
                Some(_) => access.next_value_seed(here),
                None => Ok(()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(text: &str) -> ReadError {
        Document::parse(text.as_bytes()).expect_err("must fail")
    }

    fn at(line: usize, column: usize) -> Location {
        Location { line, column }
    }

    #[test]
    fn locations_are_those_of_the_text() {
        let document =
            Document::parse(b"# head\na:\n  x: 1\n  long: 'text'\nb: {c: {d: 1}, e:   2}\nf:\n  g:\n").expect("reads");
        assert_eq!(document.group_location(0), at(2, 1));
        assert_eq!(document.name_location(0, 1), at(4, 3));
        assert_eq!(document.value_location(0, 1), at(4, 9));
        assert_eq!(document.value_location(1, 0), at(5, 8));
        assert_eq!(document.value_location(1, 1), at(5, 21));
        assert_eq!(document.name_location(2, 0), at(7, 3));
    }

    #[test]
    fn core_schema_values() {
        let document = Document::parse(b"[True, no, ~, 12, 0.5, '7', 1x3x8x8, '']").expect("reads");
        let text = |text: &str| Raw::Text(text.into());
        let expected = vec![
            Raw::Boolean(true),
            text("no"),
            Raw::Null,
            Raw::Integer(12),
            Raw::Number(0.5),
            text("7"),
            text("1x3x8x8"),
            text(""),
        ];
        assert_eq!(document.root, Raw::Sequence(expected));
    }

    #[test]
    fn invalid_utf8_is_located() {
        let error = Document::parse(b"a: 1\nb: \xff\n").expect_err("must fail");
        assert_eq!((error.location, error.remedy.as_str()), (at(2, 4), "save it as UTF-8"));
    }

    #[test]
    fn tabs_are_explained() {
        let error = fails("a:\n\tb: 1\n");
        assert_eq!(error.location.line, 2);
        assert!(error.remedy.contains("tabs"), "{error:?}");
    }

    #[test]
    fn deep_nesting_is_refused() {
        for depth in [20, 200, 4000, 100_000] {
            fails(&format!("a: {}{}", "[".repeat(depth), "]".repeat(depth)));
            fails(&format!("a: {}", "{x: ".repeat(depth)));
        }
        fails(&"- ".repeat(100_000));
        fails(&"? ".repeat(100_000));
    }

    #[test]
    fn alias_bombs_are_refused() {
        let mut bomb = String::from("a: &a [x, x, x, x, x, x, x, x, x, x]\n");
        for (previous, name) in "abcdefgh".chars().zip("bcdefghi".chars()) {
            bomb += &format!("{name}: &{name} [{}]\n", vec![format!("*{previous}"); 10].join(", "));
        }
        let error = fails(&bomb);
        assert!(error.what.contains("aliases") || error.what.contains("repetition"), "{error:?}");

        let big = "x".repeat(200_000);
        let error = fails(&format!("a: &a {big}\nb: [{}]", "*a, ".repeat(1000)));
        assert!(error.what.contains("aliases") || error.what.contains("repetition"), "{error:?}");
        fails("a: &a [*a]");
    }

    #[test]
    fn tags_huge_files_and_several_documents_are_refused() {
        assert!(fails("a: !python/object x").what.contains("tags"));
        assert!(fails(&" ".repeat(600 * 1024)).what.contains("larger"));
        fails("a: 1\n---\nb: 2\n");
        fails("a: [1");
        fails("a: 'x");
        fails("a: @x");
    }
}
