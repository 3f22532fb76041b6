//! The records of a dialect, as `llvm-tblgen --dump-json` gives them.

use serde_json::{Map, Value};
use std::{error::Error, path::Path, process::Command};

/// Every record of a file, by name.
pub struct Records(Map<String, Value>);

/// One record. A field that is missing, or of another kind than asked for, is an error that names record and field.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    all: &'a Records,
    fields: &'a Map<String, Value>,
}

type Outcome<T> = Result<T, Box<dyn Error>>;

impl Records {
    pub fn read(prefix: &Path, tablegen: &Path, dialect: &str) -> Outcome<Self> {
        let output = Command::new(prefix.join("bin/llvm-tblgen"))
            .arg("--dump-json")
            .arg("-I")
            .arg(prefix.join("include"))
            .arg("-I")
            .arg(tablegen)
            .arg(tablegen.join(dialect).join("Ops.td"))
            .output()?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            return Err(format!("llvm-tblgen failed on tablegen/{dialect}/Ops.td: {reason}").into());
        }
        Ok(Self(serde_json::from_slice(&output.stdout)?))
    }

    pub fn get(&self, name: &str) -> Outcome<Record<'_>> {
        let fields = self.0.get(name).and_then(Value::as_object).ok_or_else(|| format!("there is no record {name}"))?;
        Ok(Record { all: self, fields })
    }

    /// The records of a class, in the order of the file; none where the class is not known.
    pub fn of_class(&self, class: &str) -> Outcome<Vec<Record<'_>>> {
        let names = self.0.get("!instanceof").and_then(|classes| classes.get(class)).and_then(Value::as_array);
        let mut records = Vec::new();
        for name in names.into_iter().flatten() {
            records.push(self.get(name.as_str().unwrap_or_default())?);
        }
        records.sort_by_key(Record::line);
        Ok(records)
    }
}

impl<'a> Record<'a> {
    pub fn name(&self) -> &'a str {
        self.fields.get("!name").and_then(Value::as_str).unwrap_or_default()
    }

    /// Where the record begins: records of one file are sorted by it, those that a class makes in one place by name.
    fn line(&self) -> (usize, &'a str) {
        let place = self.fields.get("!locs").and_then(|places| places.get(0)).and_then(Value::as_str);
        let line = place.and_then(|place| place.rsplit(':').next()).and_then(|line| line.parse().ok());
        (line.unwrap_or(usize::MAX), self.name())
    }

    pub fn is(&self, class: &str) -> bool {
        let classes = self.fields.get("!superclasses").and_then(Value::as_array);
        self.name() == class || classes.is_some_and(|classes| classes.iter().any(|name| name == class))
    }

    fn field(&self, field: &str) -> Outcome<&'a Value> {
        self.fields.get(field).ok_or_else(|| format!("record {} has no field {field}", self.name()).into())
    }

    fn wrong(&self, field: &str, kind: &str) -> Box<dyn Error> {
        format!("field {field} of record {} is no {kind}", self.name()).into()
    }

    pub fn has(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(|value| !value.is_null())
    }

    pub fn text(&self, field: &str) -> Outcome<&'a str> {
        self.field(field)?.as_str().ok_or_else(|| self.wrong(field, "string"))
    }

    pub fn integer(&self, field: &str) -> Outcome<i64> {
        self.field(field)?.as_i64().ok_or_else(|| self.wrong(field, "integer"))
    }

    pub fn flag(&self, field: &str) -> Outcome<bool> {
        Ok(self.integer(field)? != 0)
    }

    fn list(&self, field: &str) -> Outcome<&'a [Value]> {
        Ok(self.field(field)?.as_array().ok_or_else(|| self.wrong(field, "list"))?)
    }

    pub fn texts(&self, field: &str) -> Outcome<Vec<&'a str>> {
        let text = |value: &'a Value| value.as_str().ok_or_else(|| self.wrong(field, "list of strings"));
        self.list(field)?.iter().map(text).collect()
    }

    pub fn integers(&self, field: &str) -> Outcome<Vec<i64>> {
        let integer = |value: &Value| value.as_i64().ok_or_else(|| self.wrong(field, "list of integers"));
        self.list(field)?.iter().map(integer).collect()
    }

    pub fn record(&self, field: &str) -> Outcome<Record<'a>> {
        self.referred(self.field(field)?, field)
    }

    pub fn records(&self, field: &str) -> Outcome<Vec<Record<'a>>> {
        self.list(field)?.iter().map(|value| self.referred(value, field)).collect()
    }

    /// The arguments of a dag: record and name.
    pub fn arguments(&self, field: &str) -> Outcome<Vec<(Record<'a>, &'a str)>> {
        let arguments = self.field(field)?.get("args").and_then(Value::as_array);
        let pair = |value: &'a Value| {
            let name = value.get(1).and_then(Value::as_str).unwrap_or_default();
            Ok((self.referred(value.get(0).unwrap_or(&Value::Null), field)?, name))
        };
        arguments.ok_or_else(|| self.wrong(field, "dag"))?.iter().map(pair).collect()
    }

    fn referred(&self, value: &Value, field: &str) -> Outcome<Record<'a>> {
        let name = value.get("def").and_then(Value::as_str).ok_or_else(|| self.wrong(field, "record"))?;
        self.all.get(name)
    }
}
