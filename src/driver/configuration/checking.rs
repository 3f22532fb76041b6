//! From an untyped document to a [`Configuration`]: every parameter by its row of the table, then the rules that span
//! several parameters. Everything wrong is collected.

use super::problem::{Location, Problem, Problems, Severity, printable, suggestion};
use super::reading::{Document, Raw};
use super::table::{DefaultValue, Group, Multiplicity, Parameter, Required};
use super::values::{self, Fault, Value};
use super::{
    Calibration, Configuration, Environment, InputConfiguration, OptimizeLevel, StoredParameter, input_rules,
    parameters::{LATER_NAMES, PARAMETERS},
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Reads and checks the bytes of the configuration file `path`.
pub fn check(bytes: &[u8], path: &Path, environment: &Environment) -> Result<Configuration, Problems> {
    let mut checker = Checker::new(path);
    match Document::parse(bytes) {
        Ok(document) => checker.collect(&document, environment),
        Err(error) => {
            checker.report(error.location, String::new(), Fault::new(error.what, error.remedy), Severity::Error);
            return Err(checker.into_problems());
        }
    }
    let jobs = checker.check_jobs(environment);
    checker.check_model_files();
    checker.check_outputs();
    let calibration = checker.check_calibration();
    checker.check_compiler();
    let inputs = input_rules::check(&mut checker);
    checker.finish(jobs, calibration, inputs)
}

/// What the file says of one parameter.
#[derive(Debug)]
struct Given {
    location: Location,
    /// None where the value was faulty, which has been reported.
    values: Option<Vec<Value>>,
}

/// What is known of a parameter when the rules that span parameters are checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum State<'a> {
    Absent,
    /// Given but wrong, which has been reported; rules that need the value hold their tongue.
    Faulty,
    Given(&'a [Value]),
}

/// Collects values and problems.
pub struct Checker {
    path: PathBuf,
    label: String,
    folder: PathBuf,
    given: BTreeMap<&'static str, Given>,
    texts: BTreeMap<&'static str, String>,
    groups: BTreeMap<Group, Location>,
    problems: Vec<Problem>,
}

impl Checker {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            label: printable(&path.display().to_string()),
            folder: path.parent().map(Path::to_owned).unwrap_or_default(),
            given: BTreeMap::new(),
            texts: BTreeMap::new(),
            groups: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    fn report(&mut self, location: Location, subject: String, fault: Fault, severity: Severity) {
        let file = self.label.clone();
        self.problems.push(Problem { file, location, subject, what: fault.what, remedy: fault.remedy, severity });
    }

    fn add(&mut self, name: &str, fault: Fault, severity: Severity) {
        let parameter = Parameter::named(name);
        let group = parameter.and_then(|parameter| self.groups.get(&parameter.group));
        let location = self.given.get(name).map(|given| given.location).or(group.copied()).unwrap_or(Location::START);
        let subject = parameter.map_or_else(|| name.to_owned(), Parameter::key);
        self.report(location, subject, fault, severity);
    }

    /// Reports an error of `name`, where it is given, else where its group begins.
    pub fn error(&mut self, name: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(name, Fault::new(what, remedy), Severity::Error);
    }

    /// Reports something odd that stops nothing.
    pub fn warning(&mut self, name: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(name, Fault::new(what, remedy), Severity::Warning);
    }

    /// What the file says of `name`.
    pub fn state(&self, name: &str) -> State<'_> {
        match self.given.get(name) {
            None => State::Absent,
            Some(Given { values: None, .. }) => State::Faulty,
            Some(Given { values: Some(values), .. }) => State::Given(values),
        }
    }

    /// The one text of `name`, if it is given and sound.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.state(name) {
            State::Given([Value::Text(text)]) => Some(text.clone()),
            _ => None,
        }
    }

    /// The text of `name`, or its default where it is absent; None where it is faulty.
    fn text_or_default(&self, name: &str) -> Option<String> {
        match self.state(name) {
            State::Absent => values::default_of(Parameter::named(name)?)?.text().map(str::to_owned),
            _ => self.text(name),
        }
    }

    /// A path of the file, relative to the file's folder.
    pub fn resolve(&self, path: &str) -> PathBuf {
        // Collected from its components, which drops needless dots.
        self.folder.join(path).components().collect()
    }

    fn into_problems(mut self) -> Problems {
        self.problems.sort_by_key(|problem| problem.location);
        Problems(self.problems)
    }

    fn collect(&mut self, document: &Document, environment: &Environment) {
        let entries = match &document.root {
            Raw::Mapping(entries) => entries.as_slice(),
            Raw::Null => &[],
            other => {
                let fault = Fault::new(
                    format!("the file holds {}, not parameter groups", other.kind()),
                    "give a YAML file with the groups of the manual",
                );
                return self.report(Location::START, String::new(), fault, Severity::Error);
            }
        };
        for (index, (name, value)) in entries.iter().enumerate() {
            self.collect_group(document, index, &name.to_string(), value, environment);
        }
        for group in Group::ALL {
            if !self.groups.contains_key(&group) {
                self.report_missing_group(group);
            } else {
                self.report_missing_parameters(group);
            }
        }
    }

    fn collect_group(&mut self, document: &Document, index: usize, name: &str, value: &Raw, environment: &Environment) {
        let location = || document.group_location(index);
        let Some(group) = Group::named(name) else {
            return self.report_unknown_group(location(), name);
        };
        if self.groups.contains_key(&group) {
            let fault = Fault::new("the group is given twice", "join the two");
            return self.report(location(), name.to_owned(), fault, Severity::Error);
        }
        self.groups.insert(group, location());
        let entries = match value {
            Raw::Mapping(entries) => entries,
            Raw::Null => return,
            other => {
                let fault =
                    Fault::new(format!("the group holds {}", other.kind()), "write its parameters below it, indented");
                return self.report(location(), name.to_owned(), fault, Severity::Error);
            }
        };
        for (entry, (name, value)) in entries.iter().enumerate() {
            // Locating costs a reading of the file, so it stops where nobody would read on.
            if self.problems.len() > 200 {
                return;
            }
            self.collect_parameter(document, (index, entry), group, (&name.to_string(), value), environment);
        }
    }

    fn collect_parameter(
        &mut self,
        document: &Document,
        (index, entry): (usize, usize),
        group: Group,
        (name, raw): (&str, &Raw),
        environment: &Environment,
    ) {
        let Some(parameter) = Parameter::find(group, name) else {
            return self.report_unknown_parameter(document.name_location(index, entry), group, name);
        };
        if self.texts.contains_key(parameter.name) {
            let fault = Fault::new("the parameter is given twice", "remove one of the two");
            return self.report(document.name_location(index, entry), parameter.key(), fault, Severity::Error);
        }
        self.texts.insert(parameter.name, raw.to_string());
        let location = document.value_location(index, entry);
        let values = match values::parse(parameter, raw, &environment.marches) {
            Ok(None) => return,
            Ok(Some(values)) => match values::unsupported(parameter, &values) {
                // A factor that the mode makes ineffective is no demand for the mode.
                Some(_) if parameter.name == "balance_factor" => Ok(values),
                Some(fault) => Err(vec![fault]),
                None => Ok(values),
            },
            Err(faults) => Err(faults),
        };
        for fault in values.as_ref().err().into_iter().flatten() {
            self.report(location, parameter.key(), fault.clone(), Severity::Error);
        }
        self.given.insert(parameter.name, Given { location, values: values.ok() });
    }

    fn report_unknown_group(&mut self, location: Location, name: &str) {
        let known: Vec<&str> = Group::ALL.iter().map(|group| group.name()).collect();
        let fault = match (Parameter::named(name), name) {
            (Some(parameter), _) => Fault::new(
                "the parameter is outside of its group",
                format!("move it into {}, indented", parameter.group.name()),
            ),
            (None, "custom_op") => Fault::new(
                "the group exists in later releases of the vendor's tool only, and is not supported",
                "remove it",
            ),
            _ => Fault::new(
                "no such group",
                suggestion(name, known.iter().copied(), &format!("the groups are {}", known.join(", "))),
            ),
        };
        self.report(location, name.to_owned(), fault, Severity::Error);
    }

    fn report_unknown_parameter(&mut self, location: Location, group: Group, name: &str) {
        let fault = if let Some(parameter) = Parameter::named(name) {
            Fault::new(
                format!("{} has no such parameter", group.name()),
                format!("move it to {}", parameter.group.name()),
            )
        } else if LATER_NAMES.contains(&name) {
            Fault::new(
                "the parameter exists in later releases of the vendor's tool only, and is not supported",
                "remove it",
            )
        } else {
            // Of all groups, so that a slip in a misplaced name is understood as well.
            let known = PARAMETERS.iter().map(|parameter| parameter.name);
            Fault::new("no such parameter", suggestion(name, known, "see docs/configuration.md for what there is"))
        };
        self.report(location, format!("{}.{name}", group.name()), fault, Severity::Error);
    }

    fn report_missing_group(&mut self, group: Group) {
        let wanted: Vec<&str> = PARAMETERS
            .iter()
            .filter(|parameter| parameter.group == group)
            .filter(|parameter| matches!(parameter.required, Required::Always | Required::ForOnnx))
            .map(|parameter| parameter.name)
            .collect();
        let remedy = match wanted.as_slice() {
            [] => "add it; it may be empty".to_owned(),
            names => format!("add it, with at least {}", names.join(", ")),
        };
        let fault = Fault::new("the group is missing", remedy);
        self.report(Location::START, group.name().to_owned(), fault, Severity::Error);
    }

    fn report_missing_parameters(&mut self, group: Group) {
        for parameter in PARAMETERS.iter().filter(|parameter| parameter.group == group) {
            if parameter.required == Required::Always && !self.given.contains_key(parameter.name) {
                self.error(
                    parameter.name,
                    "the parameter is required, but not given",
                    format!("add it; its range is {}", parameter.range()),
                );
            }
        }
    }

    fn check_model_files(&mut self) {
        let is_given = |name: &str| self.given.contains_key(name);
        let (onnx, caffe, prototxt) = (is_given("onnx_model"), is_given("caffe_model"), is_given("prototxt"));
        if onnx && (caffe || prototxt) {
            let other = if caffe { "caffe_model" } else { "prototxt" };
            self.error("onnx_model", format!("excludes {other}, which is given as well"), "keep the one that is meant");
        } else if caffe != prototxt {
            let (there, missing) = if caffe { ("caffe_model", "prototxt") } else { ("prototxt", "caffe_model") };
            self.error(there, format!("a Caffe model also needs {missing}"), format!("add {missing}"));
        } else if !onnx && !caffe && self.groups.contains_key(&Group::Model) {
            self.error("onnx_model", "no model is given", "add onnx_model with the path of the ONNX file");
        }
        if let Some(text) = self.text("onnx_model") {
            let path = self.resolve(&text);
            let shown = path.display().to_string();
            match std::fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => {}
                Ok(_) => self.error("onnx_model", format!("'{shown}' is not a file"), "give the path of the ONNX file"),
                Err(error) => self.error(
                    "onnx_model",
                    format!("'{shown}' cannot be read: {error}"),
                    "correct the path; it counts from the folder of the configuration file",
                ),
            }
        }
    }

    fn check_outputs(&mut self) {
        if let Some(prefix) = self.text("output_model_file_prefix")
            && (prefix.contains(['/', '\\']) || prefix.starts_with('.') || prefix.len() > 200)
        {
            self.error(
                "output_model_file_prefix",
                format!("'{prefix}' cannot begin the names of files"),
                "give at most 200 bytes, no slashes, no leading dot; the folder is set by working_dir",
            );
        }
        if let Some(directory) = self.text("working_dir") {
            let path = self.resolve(&directory);
            if std::fs::metadata(&path).is_ok_and(|metadata| !metadata.is_dir()) {
                let what = format!("'{}' exists and is not a directory", path.display());
                self.error("working_dir", what, "give another path");
            }
        }
    }

    fn check_calibration(&mut self) -> Option<Calibration> {
        let percentile = match self.state("max_percentile") {
            State::Absent => Some(1.0),
            State::Given([Value::Number(number)]) => Some(*number),
            _ => None,
        };
        let kind = match self.state("calibration_type") {
            State::Absent => {
                if self.groups.contains_key(&Group::Calibration) {
                    self.error(
                        "calibration_type",
                        "not given, so the manual's default 'default' holds, a search that is not supported yet",
                        "add calibration_type: 'max', or 'skip' to judge speed only",
                    );
                }
                None
            }
            _ => self.text("calibration_type"),
        };
        let given = matches!(self.state("max_percentile"), State::Given(_));
        if given && kind.as_deref().is_some_and(|kind| kind != "max") {
            self.warning("max_percentile", "has an effect only with calibration_type max", "remove it");
        }
        match kind?.as_str() {
            "max" => percentile.map(|percentile| Calibration::Max { percentile }),
            "skip" => Some(Calibration::Skip),
            _ => None,
        }
    }

    fn check_compiler(&mut self) {
        if matches!(self.state("balance_factor"), State::Given(_))
            && self.text_or_default("compile_mode").as_deref() == Some("latency")
        {
            self.warning("balance_factor", "has an effect only with compile_mode balance", "remove it");
        }
        if let State::Given([Value::Mapping(entries)]) = self.state("input_source") {
            let named: Vec<String> = entries.iter().map(|(name, _)| name.clone()).collect();
            if let State::Given(inputs) = self.state("input_name") {
                let inputs: Vec<String> = inputs.iter().filter_map(Value::text).map(str::to_owned).collect();
                for name in named.iter().filter(|name| !inputs.contains(name)) {
                    let remedy = suggestion(name, inputs.iter().map(String::as_str), "use the names of input_name");
                    self.error("input_source", format!("'{name}' is not in input_name"), remedy);
                }
            }
        }
    }

    fn check_jobs(&mut self, environment: &Environment) -> Option<usize> {
        let (wanted, given) = match self.state("jobs") {
            State::Faulty => return None,
            State::Given([Value::Integer(jobs)]) => (usize::try_from(*jobs).ok()?, true),
            _ => (16, false),
        };
        let cores = environment.cores.max(1);
        if wanted > cores && given {
            let what = format!("{wanted} jobs are more than the {cores} cores of this machine");
            self.warning("jobs", what, format!("{cores} are used"));
        }
        Some(if wanted == 0 { cores } else { wanted.min(cores) })
    }

    fn finish(
        mut self,
        jobs: Option<usize>,
        calibration: Option<Calibration>,
        inputs: Option<Vec<InputConfiguration>>,
    ) -> Result<Configuration, Problems> {
        let built = self.build(jobs, calibration, inputs);
        self.problems.sort_by_key(|problem| problem.location);
        let problems = Problems(self.problems);
        match built {
            Some(configuration) if !problems.has_errors() => {
                Ok(Configuration { warnings: problems.0, ..configuration })
            }
            _ => Err(problems),
        }
    }

    /// None where something faulty or missing has been reported.
    fn build(
        &mut self,
        jobs: Option<usize>,
        calibration: Option<Calibration>,
        inputs: Option<Vec<InputConfiguration>>,
    ) -> Option<Configuration> {
        let optimize_level = match self.text_or_default("optimize_level")?.as_str() {
            "O0" => OptimizeLevel::O0,
            "O1" => OptimizeLevel::O1,
            "O2" => OptimizeLevel::O2,
            _ => return None,
        };
        let inputs = inputs?;
        Some(Configuration {
            file: self.path.clone(),
            onnx_model: self.resolve(&self.text("onnx_model")?),
            march: self.text("march")?,
            output_model_file_prefix: self.text_or_default("output_model_file_prefix")?,
            working_dir: self.resolve(&self.text_or_default("working_dir")?),
            parameters: self.stored(inputs.len()),
            inputs,
            calibration: calibration?,
            optimize_level,
            jobs: jobs?,
            warnings: Vec::new(),
            locations: self.given.iter().map(|(name, given)| (*name, given.location)).collect(),
        })
    }

    fn stored(&self, inputs: usize) -> Vec<StoredParameter> {
        let effective = |parameter: &Parameter| match (self.given.get(parameter.name), parameter.default) {
            (Some(_), _) => self.texts.get(parameter.name).cloned().unwrap_or_default(),
            (None, DefaultValue::Value(text)) if parameter.multiplicity == Multiplicity::PerInput => {
                vec![text; inputs].join(";")
            }
            (None, DefaultValue::Value(text)) => text.to_owned(),
            (None, DefaultValue::Automatic { accepted, .. }) => accepted.to_owned(),
            (None, DefaultValue::None) => "None".to_owned(),
        };
        PARAMETERS
            .iter()
            .map(|parameter| StoredParameter {
                key: parameter.key(),
                given: self.texts.get(parameter.name).cloned(),
                effective: effective(parameter),
            })
            .collect()
    }
}
