//! From an untyped document to a [`Configuration`]: every parameter by its row of the table, then the rules that span
//! several parameters. Everything wrong is collected.

use super::keys::{InputKey, Key, ParameterState, Setting};
use super::parameters::{
    CAFFE_MODEL, INPUT_NAME, InputSettings, JOBS, LATER_NAMES, ONNX_MODEL, PARAMETERS, PROTOTXT, Settings,
};
use super::problem::{Location, Problem, Problems, Severity, printable, suggestion};
use super::reading::{Document, Raw};
use super::table::{Group, Multiplicity, Parameter, ParameterDefault, ParameterKind, Required, Status, not_yet};
use super::values::{self, ParameterValue, Surroundings, ValueFault};
use super::{Configuration, Environment, StoredParameter, input_rules};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Reads and checks the bytes of the configuration file `path`.
pub fn check(bytes: &[u8], path: &Path, environment: &Environment) -> Result<Configuration, Problems> {
    let mut checker = Checker::new(path);
    match Document::parse(bytes) {
        Ok(document) => checker.collect(&document, environment),
        Err(error) => {
            checker.report(error.location, String::new(), ValueFault::new(error.what, error.remedy), Severity::Error);
            return Err(checker.into_problems());
        }
    }
    for parameter in PARAMETERS {
        checker.check_use(parameter);
    }
    checker.check_model_files();
    checker.check_names_of_mappings();
    checker.check_jobs(environment);
    let inputs = input_rules::check(&mut checker);
    checker.finish(environment, inputs)
}

/// What the file says of one parameter.
#[derive(Debug)]
struct Given {
    location: Location,
    holds: Holds,
}

#[derive(Debug)]
enum Holds {
    Values(Vec<ParameterValue>),
    /// Something wrong, which has been reported.
    Fault,
    /// Values that other parameters leave without effect, which has been reported.
    NoEffect,
}

/// Collects values and problems.
pub struct Checker {
    path: PathBuf,
    label: String,
    folder: PathBuf,
    given: BTreeMap<&'static str, Given>,
    texts: BTreeMap<&'static str, String>,
    defaults: BTreeMap<&'static str, [ParameterValue; 1]>,
    groups: BTreeMap<Group, Location>,
    problems: Vec<Problem>,
}

impl Checker {
    fn new(path: &Path) -> Self {
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        let default =
            |parameter: &&'static Parameter| Some((parameter.name, [values::default_of(parameter, &folder)?]));
        Self {
            path: path.to_owned(),
            label: printable(&path.display().to_string()),
            defaults: PARAMETERS.iter().filter_map(default).collect(),
            folder,
            given: BTreeMap::new(),
            texts: BTreeMap::new(),
            groups: BTreeMap::new(),
            problems: Vec::new(),
        }
    }

    fn report(&mut self, location: Location, subject: String, fault: ValueFault, severity: Severity) {
        let file = self.label.clone();
        self.problems.push(Problem { file, location, subject, what: fault.what, remedy: fault.remedy, severity });
    }

    fn add(&mut self, parameter: &Parameter, fault: ValueFault, severity: Severity) {
        let group = self.groups.get(&parameter.group).copied();
        let location = self.given.get(parameter.name).map(|given| given.location).or(group).unwrap_or(Location::START);
        self.report(location, parameter.path(), fault, severity);
    }

    /// Reports an error of a parameter, where it is given, else where its group begins.
    pub fn error(&mut self, parameter: &Parameter, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(parameter, ValueFault::new(what, remedy), Severity::Error);
    }

    pub(super) fn warning(&mut self, parameter: &Parameter, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(parameter, ValueFault::new(what, remedy), Severity::Warning);
    }

    /// The number of problems that were reported.
    pub fn problems(&self) -> usize {
        self.problems.len()
    }

    /// What the file says of a parameter.
    pub fn state(&self, parameter: &Parameter) -> ParameterState<'_> {
        match self.given.get(parameter.name).map(|given| &given.holds) {
            None | Some(Holds::NoEffect) => ParameterState::Absent,
            Some(Holds::Fault) => ParameterState::Faulty,
            Some(Holds::Values(values)) => ParameterState::Given(values),
        }
    }

    fn or_default<'a>(&'a self, parameter: &Parameter, state: ParameterState<'a>) -> ParameterState<'a> {
        match (state, self.defaults.get(parameter.name)) {
            (ParameterState::Absent, Some(default)) => ParameterState::Given(default),
            (state, _) => state,
        }
    }

    /// What holds of a parameter of the model; None where something wrong or missing has been reported.
    pub(super) fn value<T: Setting>(&self, key: &Key<T>) -> Option<T> {
        T::settle(self.or_default(key, self.state(key)))
    }

    /// What the file says of a parameter for the input of this number.
    pub fn item_state(&self, parameter: &Parameter, index: usize) -> ParameterState<'_> {
        match self.state(parameter) {
            ParameterState::Given(values) => {
                values.get(index..=index).map_or(ParameterState::Faulty, ParameterState::Given)
            }
            state => state,
        }
    }

    /// What holds of a parameter for the input of this number; None where something wrong or missing has been reported.
    pub(super) fn item<T: Setting>(&self, key: &InputKey<T>, index: usize) -> Option<T> {
        T::settle(self.or_default(key, self.item_state(key, index)))
    }

    /// All that holds for the input of this number; None where something wrong or missing has been reported.
    pub fn input_settings(&self, index: usize) -> Option<InputSettings> {
        InputSettings::settle(|parameter| self.or_default(parameter, self.item_state(parameter, index)))
    }

    fn spoil(&mut self, parameter: &Parameter, holds: Holds) {
        if let Some(given) = self.given.get_mut(parameter.name) {
            given.holds = holds;
        }
    }

    /// Reports each parameter of inputs that has not one value for each of them.
    pub fn check_counts(&mut self, count: usize, named: bool) {
        for parameter in PARAMETERS.iter().filter(|parameter| parameter.multiplicity == Multiplicity::PerInput) {
            let ParameterState::Given(values) = self.state(parameter) else { continue };
            if values.len() == count {
                continue;
            }
            let given = counted(values.len(), "value");
            if named {
                let what = format!("has {given}, but input_name names {}", counted(count, "input"));
                self.error(parameter, what, "give one value for each input, separated by ';'");
            } else {
                let what = format!("has {given}, but without input_name the model has one input");
                self.error(parameter, what, "add input_name, or give one value");
            }
            self.spoil(parameter, Holds::Fault);
        }
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
                let fault = ValueFault::new(
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
            let fault = ValueFault::new("the group is given twice", "join the two");
            return self.report(location(), name.to_owned(), fault, Severity::Error);
        }
        self.groups.insert(group, location());
        let entries = match value {
            Raw::Mapping(entries) => entries,
            Raw::Null => return,
            other => {
                let fault = ValueFault::new(
                    format!("the group holds {}", other.kind()),
                    "write its parameters below it, indented",
                );
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
            let fault = ValueFault::new("the parameter is given twice", "remove one of the two");
            return self.report(document.name_location(index, entry), parameter.path(), fault, Severity::Error);
        }
        self.texts.insert(parameter.name, raw.to_string());
        let location = document.value_location(index, entry);
        let surroundings = Surroundings { marches: &environment.marches, folder: &self.folder };
        let values = match values::parse(parameter, raw, surroundings) {
            Ok(None) => return,
            Ok(Some(values)) => Holds::Values(values),
            Err(faults) => {
                for fault in faults {
                    self.report(location, parameter.path(), fault, Severity::Error);
                }
                Holds::Fault
            }
        };
        self.given.insert(parameter.name, Given { location, holds: values });
    }

    fn report_unknown_group(&mut self, location: Location, name: &str) {
        let known: Vec<&str> = Group::ALL.iter().map(|group| group.name()).collect();
        let fault = match (Parameter::named(name), name) {
            (Some(parameter), _) => ValueFault::new(
                "the parameter is outside of its group",
                format!("move it into {}, indented", parameter.group.name()),
            ),
            (None, "custom_op") => ValueFault::new(
                "the group exists in later releases of the vendor's tool only, and is not supported",
                "remove it",
            ),
            _ => ValueFault::new(
                "no such group",
                suggestion(name, known.iter().copied(), &format!("the groups are {}", known.join(", "))),
            ),
        };
        self.report(location, name.to_owned(), fault, Severity::Error);
    }

    fn report_unknown_parameter(&mut self, location: Location, group: Group, name: &str) {
        let fault = if let Some(parameter) = Parameter::named(name) {
            ValueFault::new(
                format!("{} has no such parameter", group.name()),
                format!("move it to {}", parameter.group.name()),
            )
        } else if LATER_NAMES.contains(&name) {
            ValueFault::new(
                "the parameter exists in later releases of the vendor's tool only, and is not supported",
                "remove it",
            )
        } else {
            // Of all groups, so that a slip in a misplaced name is understood as well.
            let known = PARAMETERS.iter().map(|parameter| parameter.name);
            ValueFault::new("no such parameter", suggestion(name, known, "see docs/configuration.md for what there is"))
        };
        self.report(location, format!("{}.{name}", group.name()), fault, Severity::Error);
    }

    fn report_missing_group(&mut self, group: Group) {
        let wanted: Vec<&str> = Parameter::of_group(group)
            .filter(|parameter| matches!(parameter.required, Required::Always | Required::ForOnnx))
            .map(|parameter| parameter.name)
            .collect();
        let remedy = match wanted.as_slice() {
            [] => "add it; it may be empty".to_owned(),
            names => format!("add it, with at least {}", names.join(", ")),
        };
        let fault = ValueFault::new("the group is missing", remedy);
        self.report(Location::START, group.name().to_owned(), fault, Severity::Error);
    }

    fn report_missing_parameters(&mut self, group: Group) {
        for parameter in Parameter::of_group(group) {
            if self.given.contains_key(parameter.name) {
                continue;
            }
            match parameter.default {
                _ if parameter.required == Required::Always => self.error(
                    parameter,
                    "the parameter is required, but not given",
                    format!("add it; its range is {}", parameter.range()),
                ),
                ParameterDefault::Value(word) if parameter.choices().contains(&not_yet(word)) => self.error(
                    parameter,
                    format!("not given, so the manual's default '{word}' holds, which is not supported yet"),
                    format!("add {}: '{}'", parameter.name, parameter.usable_words().join("' or '")),
                ),
                _ => {}
            }
        }
    }

    /// Whether a value that is sound in itself has an effect, is supported, and names what exists.
    fn check_use(&mut self, parameter: &'static Parameter) {
        let ParameterState::Given(given) = self.state(parameter) else { return };
        let given = given.to_vec();
        if let Some(condition) = parameter.condition {
            let other = self.or_default(condition.parameter, self.state(condition.parameter));
            let ParameterState::Given([ParameterValue::Text(word)]) = other else { return };
            if !condition.words.contains(&word.as_str()) {
                let words = condition.words.join(" or ");
                let what = format!("has an effect only with {} {words}", condition.parameter.name);
                self.warning(parameter, what, "remove it");
                return self.spoil(parameter, Holds::NoEffect);
            }
        }
        let paths = given.iter().filter_map(|value| match value {
            ParameterValue::Path(path) => Some(path),
            _ => None,
        });
        let faults = match values::unsupported(parameter, &given) {
            Some(fault) => vec![fault],
            None => paths.filter_map(|path| values::check_path(parameter, path).err()).collect(),
        };
        let sound = faults.is_empty();
        for fault in faults {
            self.add(parameter, fault, Severity::Error);
        }
        if !sound {
            self.spoil(parameter, Holds::Fault);
        } else if parameter.status == Status::NoEffect {
            self.warning(parameter, "is known, but nothing acts on it yet: any value gives the same", "remove it");
        }
    }

    fn check_model_files(&mut self) {
        let is_given = |parameter: &Parameter| self.given.contains_key(parameter.name);
        let (onnx, caffe, prototxt) = (is_given(&ONNX_MODEL), is_given(&CAFFE_MODEL), is_given(&PROTOTXT));
        if onnx && (caffe || prototxt) {
            let other = if caffe { CAFFE_MODEL.name } else { PROTOTXT.name };
            let what = format!("excludes {other}, which is given as well");
            self.error(&ONNX_MODEL, what, "keep the one that is meant");
        } else if caffe != prototxt {
            let (there, missing) = if caffe { (&CAFFE_MODEL, &PROTOTXT) } else { (&PROTOTXT, &CAFFE_MODEL) };
            let what = format!("a Caffe model also needs {}", missing.name);
            self.error(there, what, format!("add {}", missing.name));
        } else if !onnx && !caffe && self.groups.contains_key(&Group::Model) {
            self.error(&ONNX_MODEL, "no model is given", "add onnx_model with the path of the ONNX file");
        }
    }

    /// Mappings from inputs name inputs.
    fn check_names_of_mappings(&mut self) {
        let ParameterState::Given(inputs) = self.state(&INPUT_NAME) else { return };
        let inputs: Vec<String> = inputs.iter().filter_map(ParameterValue::text).map(str::to_owned).collect();
        for parameter in PARAMETERS.iter().filter(|parameter| matches!(parameter.kind, ParameterKind::InputMapping(_)))
        {
            let ParameterState::Given([ParameterValue::Mapping(entries)]) = self.state(parameter) else { continue };
            let named: Vec<String> = entries.iter().map(|(name, _)| name.clone()).collect();
            for name in named.iter().filter(|name| !inputs.contains(name)) {
                let remedy = suggestion(name, inputs.iter().map(String::as_str), "use the names of input_name");
                self.error(parameter, format!("'{name}' is not in input_name"), remedy);
            }
        }
    }

    fn check_jobs(&mut self, environment: &Environment) {
        let (ParameterState::Given(_), Some(wanted)) = (self.state(&JOBS), self.value(&JOBS)) else { return };
        let cores = environment.cores.max(1);
        if usize::try_from(wanted).is_ok_and(|wanted| wanted > cores) {
            let what = format!("{wanted} jobs are more than the {cores} cores of this machine");
            self.warning(&JOBS, what, format!("{cores} are used"));
        }
    }

    fn finish(self, environment: &Environment, inputs: Option<Vec<InputSettings>>) -> Result<Configuration, Problems> {
        let settings = Settings::settle(|parameter| self.or_default(parameter, self.state(parameter)));
        let file = self.path.clone();
        let parameters = self.stored(inputs.as_ref().map_or(1, Vec::len));
        let locations = self.given.iter().map(|(name, given)| (*name, given.location)).collect();
        let problems = self.into_problems();
        match (settings, inputs) {
            (Some(settings), Some(inputs)) if !problems.has_errors() => Ok(Configuration {
                file,
                cores: environment.cores.max(1),
                settings,
                inputs,
                parameters,
                warnings: problems.0,
                locations,
            }),
            _ => Err(problems),
        }
    }

    fn stored(&self, inputs: usize) -> Vec<StoredParameter> {
        let effective = |parameter: &Parameter| match (self.state(parameter), parameter.default) {
            (ParameterState::Given(_) | ParameterState::Faulty, _) => {
                self.texts.get(parameter.name).cloned().unwrap_or_default()
            }
            (ParameterState::Absent, ParameterDefault::Value(text))
                if parameter.multiplicity == Multiplicity::PerInput =>
            {
                vec![text; inputs].join(";")
            }
            (ParameterState::Absent, ParameterDefault::Value(text)) => text.to_owned(),
            (ParameterState::Absent, ParameterDefault::Automatic { rule, .. }) => rule.to_owned(),
            (ParameterState::Absent, ParameterDefault::None) => "None".to_owned(),
        };
        let stored = |parameter: &'static Parameter| StoredParameter {
            parameter,
            given: self.texts.get(parameter.name).cloned(),
            effective: effective(parameter),
        };
        Group::ALL.into_iter().flat_map(Parameter::of_group).map(stored).collect()
    }
}

/// `1 value`, `2 values`.
pub fn counted(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
