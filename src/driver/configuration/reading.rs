//! A YAML file as an untyped tree, with a location for every name and value.
//!
//! serde_yaml tells locations only of errors. So a location is asked for by reading the text again with a seed that fails
//! at the very place (see `docs/decisions/0011-yaml-locations.md`). That happens for the parameters that the table knows
//! and for each problem found, and the file is small.

use super::problem::Location;
use super::source_text::{AT, decoded, location_of_byte, without_comments, without_harmless_faults};
use super::values::{Place, ValueFault};
use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

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

    /// Whether it asks for nothing, whatever it is the value of: null, empty, False, 0, or one of the words for that.
    pub fn asks_for_nothing(&self) -> bool {
        match self {
            Raw::Null | Raw::Boolean(false) | Raw::Integer(0) => true,
            Raw::Boolean(true) | Raw::Integer(_) => false,
            Raw::Number(number) => *number == 0.0,
            Raw::Text(text) => matches!(text.trim().trim_end_matches(';'), "" | "None" | "disable"),
            Raw::Sequence(items) => items.is_empty(),
            Raw::Mapping(entries) => entries.is_empty(),
        }
    }

    /// Every name that a mapping holds again, at any depth.
    pub fn duplicates(&self) -> Vec<Duplicate> {
        let mut found = Vec::new();
        self.collect_duplicates(&mut Vec::new(), &mut found);
        found
    }

    fn collect_duplicates(&self, steps: &mut Vec<Step>, found: &mut Vec<Duplicate>) {
        let Raw::Mapping(entries) = self else { return };
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (index, (key, value)) in entries.iter().enumerate() {
            let name = key.to_string();
            match seen.get(&name) {
                Some(first) => {
                    let at = |index| steps.iter().copied().chain([Step::Key(index)]).collect();
                    let equal = entries.get(*first).is_some_and(|(_, other)| other == value);
                    found.push(Duplicate { name, first: at(*first), again: at(index), equal });
                }
                None => {
                    seen.insert(name, index);
                }
            }
            steps.push(Step::Value(index));
            value.collect_duplicates(steps, found);
            steps.pop();
        }
    }
}

/// A name that one mapping holds twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    pub name: String,
    /// Where it is the first time.
    pub first: Vec<Step>,
    /// Where it is again.
    pub again: Vec<Step>,
    /// Whether both have the same value.
    pub equal: bool,
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
    pub fn new(location: Location, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { location, what: what.into(), remedy: remedy.into() }
    }
}

impl Document {
    /// Reads the bytes of a configuration file.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReadError> {
        let text = decoded(bytes)?;
        if let Some((offset, _)) = text.match_indices(['[', '{']).nth(MOST_BRACKETS) {
            let what = format!("the file holds more than {MOST_BRACKETS} opening brackets");
            let location = location_of_byte(text.as_bytes(), offset);
            return Err(ReadError::new(location, what, "write mappings on lines of their own"));
        }
        let text = without_harmless_faults(text);
        let budget = Budget::default();
        let root = Node { budget: &budget, depth: 0 }
            .deserialize(serde_yaml::Deserializer::from_str(&text))
            .map_err(|error| syntax_error(&text, &error))?;
        Ok(Self { text, root })
    }

    /// Reads the bytes of a JSON file, in which `//` and `/* */` begin comments. JSON is YAML, so places are found as in YAML.
    pub fn parse_json(bytes: &[u8]) -> Result<Self, ReadError> {
        let text = without_comments(decoded(bytes)?);
        let budget = Budget::default();
        let mut json = serde_json::Deserializer::from_str(&text);
        let root = Node { budget: &budget, depth: 0 }.deserialize(&mut json);
        let root = root.and_then(|root| json.end().map(|()| root)).map_err(|error| {
            let mut what = error.to_string();
            if let Some(end) = what.rfind(" at line ") {
                what.truncate(end);
            }
            let location = Location { line: error.line().max(1), column: error.column().max(1) };
            ReadError::new(location, what, "correct the JSON")
        })?;
        Ok(Self { text, root })
    }

    /// The names on the way along `path`, its end included.
    pub fn names(&self, path: &[Step]) -> Vec<String> {
        let mut names = Vec::new();
        let mut here = &self.root;
        for step in path {
            let (Step::Key(index) | Step::Value(index)) = *step;
            let Raw::Mapping(entries) = here else { break };
            let Some((key, value)) = entries.get(index) else { break };
            names.push(key.to_string());
            here = value;
        }
        names
    }

    /// What is wrong with a name that is there twice; located where it is again.
    pub fn twice(&self, duplicate: &Duplicate) -> ValueFault {
        let (first, again) = (self.locate(&duplicate.first), self.locate(&duplicate.again));
        let values = if duplicate.equal { "the same value" } else { "different values" };
        let lines = if first.line == again.line {
            format!("in line {}", again.line)
        } else {
            format!("in lines {} and {}", first.line, again.line)
        };
        let what = format!("'{}' is given twice, {lines}, with {values}", duplicate.name);
        ValueFault { what, remedy: "remove one of the two".into(), place: Place::Within(duplicate.again.clone()) }
    }

    /// Where character `offset` of `text` is written, which is the value at the end of `steps`. Where the value begins, if the file
    /// does not hold it as it is (escapes, several lines).
    pub fn locate_in_text(&self, steps: &[Step], text: &str, offset: usize) -> Location {
        let start = self.locate(steps);
        let line = self.text.lines().nth(start.line.saturating_sub(1)).unwrap_or_default();
        let written: String = line.chars().skip(start.column.saturating_sub(1)).collect();
        let quote = usize::from(written.starts_with(['\'', '"']));
        let inner: String = written.chars().skip(quote).collect();
        match inner.starts_with(text) {
            true => Location { column: start.column + quote + offset, ..start },
            false => start,
        }
    }

    /// Where the name of top-level entry `group` is written.
    pub fn group_location(&self, group: usize) -> Location {
        self.locate(&[Step::Key(group)])
    }

    /// Where the key or value at the end of `path` is written.
    pub fn locate(&self, path: &[Step]) -> Location {
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

fn syntax_error(text: &str, error: &serde_yaml::Error) -> ReadError {
    if let Some(line) = second_document(text) {
        let what = "a second document begins here";
        return ReadError::new(
            Location { line, column: 1 },
            what,
            "give one configuration to a file, without this line",
        );
    }
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

/// The number of the line that begins another document behind one that holds something.
fn second_document(text: &str) -> Option<usize> {
    let holds_something = |line: &str| !line.trim().is_empty() && !line.starts_with(['#', '%']);
    let first = text.lines().position(holds_something)?;
    let begins = |line: &str| line == "---" || line.starts_with("--- ");
    let mut further = text.lines().enumerate().skip(first + 1);
    further.find(|(_, line)| begins(line)).map(|(index, _)| index + 1)
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
        Ok(Raw::Text(match text.strip_prefix(AT) {
            Some(rest) => format!("@{rest}"),
            None => text.to_owned(),
        }))
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The key of this number.
    Key(usize),
    /// The value of this number.
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
        assert_eq!(document.locate(&[Step::Value(0), Step::Key(1)]), at(4, 3));
        assert_eq!(document.locate(&[Step::Value(0), Step::Value(1)]), at(4, 9));
        assert_eq!(document.locate(&[Step::Value(1), Step::Value(0)]), at(5, 8));
        assert_eq!(document.locate(&[Step::Value(1), Step::Value(1)]), at(5, 21));
        assert_eq!(document.locate(&[Step::Value(2), Step::Key(0)]), at(7, 3));
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
    fn control_characters_are_located() {
        let error = Document::parse(b"a: 1\r\nb:\t2\0\n").expect_err("must fail");
        assert_eq!(error.location, at(2, 5));
        assert!(error.what.contains("U+0000"), "{error:?}");
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
    fn files_as_people_have_them() {
        let document =
            Document::parse("\u{feff}a:\r\n\t\r\n\t# \u{6ce8}\r\n  x: 'y'\t# z\r\n  m: @MODEL@\r\n".as_bytes())
                .expect("reads");
        let text = |text: &str| Raw::Text(text.into());
        let inner = Raw::Mapping(vec![(text("x"), text("y")), (text("m"), text("@MODEL@"))]);
        assert_eq!(document.root, Raw::Mapping(vec![(text("a"), inner)]));
        assert_eq!(document.locate(&[Step::Value(0), Step::Value(1)]), at(5, 6));
        assert_eq!(document.locate_in_text(&[Step::Value(0), Step::Value(0)], "y", 0), at(4, 7));
    }

    #[test]
    fn duplicates_are_found_at_every_depth() {
        let document = Document::parse(b"a: {x: 1, x: 1}\nb: 2\na: 3\n").expect("reads");
        let told: Vec<String> = document.root.duplicates().iter().map(|found| document.twice(found).what).collect();
        assert_eq!(
            told,
            [
                "'x' is given twice, in line 1, with the same value",
                "'a' is given twice, in lines 1 and 3, with different values"
            ]
        );
    }

    #[test]
    fn tags_huge_files_and_several_documents_are_refused() {
        assert!(fails("a: !python/object x").what.contains("tags"));
        assert!(fails(&" ".repeat(600 * 1024)).what.contains("larger"));
        fails("a: 1\n---\nb: 2\n");
        fails("a: [1");
        fails("a: 'x");
        // An `@` that begins a value is read as text; the character that stands for it meanwhile is refused.
        let text = Raw::Text("@x".into());
        assert_eq!(Document::parse(b"a: @x").expect("text").root, Raw::Mapping(vec![(Raw::Text("a".into()), text)]));
        assert!(fails("a: \u{e000}x").what.contains("U+E000"));
    }
}
