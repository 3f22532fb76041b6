//! From an untyped document to a [`Configuration`]: every parameter by its row of the table, then the rules that span
//! several parameters. Everything wrong is collected.

use super::collecting;
use super::keys::{InputKey, Key, ParameterState, Setting, Word};
use super::model_check::{LoadModel, Statements};
use super::parameters::{
    CAFFE_MODEL, INPUT_NAME, INPUT_SOURCE, INPUT_TYPE_RT, InputSettings, InputSource, LEGAL_INPUT_SOURCES, ONNX_MODEL,
    PARAMETERS, PROTOTXT, Settings,
};
use super::problem::{Location, Problem, Problems, Severity, counted};
use super::reading::{Document, Raw, Step};
use super::table::{Group, Multiplicity, Parameter, ParameterDefault, ParameterKind};
use super::values::{self, ParameterValue, Place, ValueFault};
use super::{Configuration, Environment, Files, StoredParameter, input_rules, rules};
use crate::frontend::ModelFiles;
use crate::wording::printable;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Reads and checks the bytes of the configuration file `path`. Where something is wrong, `load` gives what the model says, so that the
/// problems that need it are told as well.
pub fn check(
    bytes: &[u8],
    path: &Path,
    environment: &Environment,
    (load, files): (Option<&LoadModel<'_>>, Files),
) -> Result<Configuration, Problems> {
    let mut checker = Checker::new(path, files);
    let is_configuration = match Document::parse(bytes) {
        Ok(document) => collecting::collect(&mut checker, &document, environment),
        Err(error) => {
            checker.report(error.location, String::new(), ValueFault::new(error.what, error.remedy), Severity::Error);
            false
        }
    };
    if !is_configuration {
        return Err(checker.into_problems());
    }
    for parameter in PARAMETERS {
        checker.check_use(parameter);
    }
    rules::check(&mut checker, environment);
    let inputs = input_rules::check(&mut checker);
    checker.finish(environment, inputs, load)
}

/// So many parameters that agree on another number of inputs than `input_name` are right, and it is not.
const SEVERAL: usize = 3;

/// What the file says of one parameter.
#[derive(Debug)]
pub(super) struct Given {
    pub location: Location,
    pub holds: Holds,
    /// Whether the value asks for nothing, so that nobody need be told that it has no effect.
    pub idle: bool,
    /// Where in a list of names a comma is, which may have been meant to separate them.
    pub comma: Option<Location>,
}

#[derive(Debug)]
pub(super) enum Holds {
    Values(Vec<ParameterValue>),
    /// Something wrong, which has been reported, and the items of a list that are sound.
    Fault(Vec<ParameterValue>),
    /// Values that other parameters leave without effect, which has been reported.
    NoEffect,
}

/// Collects values and problems.
pub struct Checker {
    path: PathBuf,
    label: String,
    pub(super) folder: PathBuf,
    pub(super) given: BTreeMap<&'static str, Given>,
    /// As the file has them.
    pub(super) texts: BTreeMap<&'static str, String>,
    /// Of parameters whose values come from others.
    derived: BTreeMap<&'static str, String>,
    defaults: BTreeMap<&'static str, [ParameterValue; 1]>,
    pub(super) groups: BTreeMap<Group, Location>,
    problems: Vec<Problem>,
    files: Files,
}

impl Checker {
    fn new(path: &Path, files: Files) -> Self {
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
            derived: BTreeMap::new(),
            groups: BTreeMap::new(),
            problems: Vec::new(),
            files,
        }
    }

    /// Reports a fault at a place of the file, or of the other file that the fault names.
    pub(super) fn report(&mut self, location: Location, subject: String, fault: ValueFault, severity: Severity) {
        let (file, location) = match fault.place {
            Place::File(file, location) => (file, location),
            _ => (self.label.clone(), location),
        };
        self.problems.push(Problem { file, location, subject, what: fault.what, remedy: fault.remedy, severity });
    }

    /// Reports a fault of the value at the end of `steps`, which is `raw`.
    pub(super) fn report_value(
        &mut self,
        (document, steps): (&Document, &[Step]),
        raw: &Raw,
        subject: String,
        fault: ValueFault,
    ) {
        let location = match (&fault.place, raw) {
            (Place::Within(below), _) => document.locate(&[steps, below].concat()),
            (Place::Character(offset), Raw::Text(text)) => document.locate_in_text(steps, text, *offset),
            _ => document.locate(steps),
        };
        self.report(location, subject, fault, Severity::Error);
    }

    /// Where a parameter is given, else where its group begins.
    pub(super) fn location(&self, parameter: &Parameter) -> Location {
        let group = self.groups.get(&parameter.group).copied();
        self.given.get(parameter.name).map(|given| given.location).or(group).unwrap_or(Location::START)
    }

    fn add(&mut self, parameter: &Parameter, fault: ValueFault, severity: Severity) {
        self.report(self.location(parameter), parameter.path(), fault, severity);
    }

    /// Reports an error of a parameter, where it is given, else where its group begins.
    pub fn error(&mut self, parameter: &Parameter, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(parameter, ValueFault::new(what, remedy), Severity::Error);
    }

    /// Reports something of a parameter that stops nothing.
    pub fn warning(&mut self, parameter: &Parameter, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(parameter, ValueFault::new(what, remedy), Severity::Warning);
    }

    /// Where the list of names that a parameter gives holds a comma.
    pub fn comma(&self, parameter: &Parameter) -> Option<Location> {
        self.given.get(parameter.name).and_then(|given| given.comma)
    }

    /// Reports the comma in a list of names.
    pub fn report_comma(&mut self, parameter: &Parameter) {
        let Some(location) = self.comma(parameter) else { return };
        let fault = ValueFault::new("',' separates no names", "write ';'");
        self.report(location, parameter.path(), fault, Severity::Error);
    }

    /// The number of problems that were reported.
    pub fn problems(&self) -> usize {
        self.problems.len()
    }

    /// The number of errors among them.
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error).count()
    }

    /// What the file says of a parameter.
    pub fn state(&self, parameter: &Parameter) -> ParameterState<'_> {
        match self.given.get(parameter.name).map(|given| &given.holds) {
            None | Some(Holds::NoEffect) => ParameterState::Absent,
            Some(Holds::Fault(_)) => ParameterState::Faulty,
            Some(Holds::Values(values)) => ParameterState::Given(values),
        }
    }

    /// Whether the file gives the parameter, rightly or wrongly.
    pub fn is_given(&self, parameter: &Parameter) -> bool {
        self.given.contains_key(parameter.name)
    }

    pub(super) fn or_default<'a>(&'a self, parameter: &Parameter, state: ParameterState<'a>) -> ParameterState<'a> {
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

    /// The word that holds of a choice for the input of this number, whether or not anything acts on it.
    pub fn word(&self, parameter: &Parameter, index: usize) -> Option<&str> {
        match self.or_default(parameter, self.item_state(parameter, index)) {
            ParameterState::Given([value]) => value.text(),
            _ => None,
        }
    }

    /// All that holds for the input of this number; None where something wrong or missing has been reported.
    pub fn input_settings(&self, index: usize) -> Option<InputSettings> {
        InputSettings::settle(|parameter| self.or_default(parameter, self.item_state(parameter, index)))
    }

    /// Gives a parameter the values that others imply.
    pub fn derive(
        &mut self,
        parameter: &'static Parameter,
        from: &Parameter,
        values: Vec<ParameterValue>,
        text: String,
    ) {
        let location = self.location(from);
        self.derived.insert(parameter.name, text);
        self.given.insert(parameter.name, Given { location, holds: Holds::Values(values), idle: false, comma: None });
    }

    pub(super) fn spoil(&mut self, parameter: &Parameter, holds: Holds) {
        if let Some(given) = self.given.get_mut(parameter.name) {
            given.holds = holds;
        }
    }

    /// Reports each parameter of inputs that has not one value for each of them. Without `input_name` only the first: then the names are
    /// what is missing.
    pub fn check_counts(&mut self, count: usize, named: bool) {
        let per_input = PARAMETERS.iter().filter(|parameter| parameter.multiplicity == Multiplicity::PerInput);
        let others: Vec<(&'static Parameter, usize)> = per_input
            .filter_map(|parameter| match self.state(parameter) {
                ParameterState::Given(values) if values.len() != count => Some((*parameter, values.len())),
                _ => None,
            })
            .collect();
        let Some(&(first, values)) = others.first() else { return };
        let given = |values: usize| format!("has {}", counted(values, "value"));
        if !named {
            let what = format!("{}, but without input_name the model has one input", given(values));
            self.error(first, what, "add input_name, or give one value");
        } else if others.len() >= SEVERAL && others.iter().all(|(_, other)| *other == values) {
            let names: Vec<&str> = others.iter().map(|(parameter, _)| parameter.name).collect();
            let what = format!(
                "names {}, but {} have {} each",
                counted(count, "input"),
                names.join(", "),
                counted(values, "value")
            );
            self.error(
                &INPUT_NAME,
                what,
                "name every input, separated by ';', or give one value for each that is named",
            );
        } else {
            for (parameter, values) in &others {
                let what = format!("{}, but input_name names {}", given(*values), counted(count, "input"));
                self.error(parameter, what, "give one value for each input, separated by ';'");
            }
        }
        for (parameter, _) in others {
            self.spoil(parameter, Holds::Fault(Vec::new()));
        }
    }

    fn into_problems(mut self) -> Problems {
        self.problems.sort_by_key(|problem| problem.location);
        Problems(self.problems)
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
                if !self.given.get(parameter.name).is_some_and(|given| given.idle) && self.changes(parameter, &given) {
                    self.warning(parameter, what, "remove it");
                }
                return self.spoil(parameter, Holds::NoEffect);
            }
        }
        let needed = self.files == Files::Needed || parameter.kind == ParameterKind::NewDirectory;
        let paths = given.iter().filter_map(|value| match value {
            ParameterValue::Path(path) if needed => Some(path),
            _ => None,
        });
        let mut faults: Vec<ValueFault> = values::unsupported(parameter, &given).into_iter().collect();
        faults.extend(paths.filter_map(|path| values::check_path(parameter, path).err()));
        // What is only not supported yet is still checked against the rules.
        for fault in faults {
            self.add(parameter, fault, Severity::Error);
        }
    }

    /// Whether values are others than the default.
    fn changes(&self, parameter: &Parameter, given: &[ParameterValue]) -> bool {
        self.defaults.get(parameter.name).is_none_or(|default| given.iter().any(|value| *value != default[0]))
    }

    fn finish(
        mut self,
        environment: &Environment,
        inputs: Vec<Option<InputSettings>>,
        load: Option<&LoadModel<'_>>,
    ) -> Result<Configuration, Problems> {
        if self.errors() > 0 {
            self.check_against_model(&inputs, load);
            return Err(self.into_problems());
        }
        let settings = Settings::settle(|parameter| self.or_default(parameter, self.state(parameter)));
        let inputs: Option<Vec<InputSettings>> = inputs.into_iter().collect();
        let file = self.path.clone();
        let mut parameters = self.stored(inputs.as_ref().map_or(1, Vec::len));
        let absent =
            |stored: &&mut StoredParameter| stored.parameter.name == INPUT_SOURCE.name && stored.given.is_none();
        if let (Some(stored), Some(inputs)) = (parameters.iter_mut().find(absent), &inputs) {
            stored.effective = input_sources(inputs);
        }
        let given = |(name, given): (&&'static str, &Given)| match &given.holds {
            Holds::Values(values) => Some((*name, (given.location, values.clone()))),
            _ => None,
        };
        let given = self.given.iter().filter_map(given).collect();
        let problems = self.into_problems();
        match (settings, inputs) {
            (Some(settings), Some(inputs)) => Ok(Configuration {
                file,
                cores: environment.cores.max(1),
                settings,
                inputs,
                parameters,
                warnings: problems.0,
                given,
            }),
            _ => Err(problems),
        }
    }

    /// Adds the problems that only the model shows, as far as what is sound lets them be seen.
    fn check_against_model(&mut self, inputs: &[Option<InputSettings>], load: Option<&LoadModel<'_>>) {
        let path = |parameter: &Parameter| match self.state(parameter) {
            ParameterState::Given([ParameterValue::Path(path)]) => Some(path.clone()),
            _ => None,
        };
        let files = match (path(&ONNX_MODEL), path(&CAFFE_MODEL), path(&PROTOTXT)) {
            (Some(model), None, None) => ModelFiles { model, proto: None },
            (None, Some(model), Some(proto)) => ModelFiles { model, proto: Some(proto) },
            _ => return,
        };
        // That one cannot be read is told by whoever reads it first for use.
        let are_files = files.paths().into_iter().all(Path::is_file);
        let Some((load, true)) = load.map(|load| (load, are_files)) else { return };
        let Some(model) = load(&files) else { return };
        let names_faulty = self.state(&super::INPUT_NAME) == ParameterState::Faulty;
        let statements = Statements {
            file: &self.label,
            inputs: if names_faulty { Vec::new() } else { inputs.iter().map(Option::as_ref).collect() },
            names: (0..inputs.len()).map(|index| self.item(&super::INPUT_NAME, index).flatten()).collect(),
            values: &|parameter| match &self.given.get(parameter.name)?.holds {
                Holds::Values(values) | Holds::Fault(values) if !values.is_empty() => {
                    Some((self.location(parameter), values))
                }
                _ => None,
            },
            location: &|parameter| self.location(parameter),
        };
        let mut found = Vec::new();
        statements.check(&model, &mut found);
        self.problems.extend(found);
    }

    fn stored(&self, inputs: usize) -> Vec<StoredParameter> {
        let effective = |parameter: &Parameter| match (self.state(parameter), parameter.default) {
            _ if self.derived.contains_key(parameter.name) => {
                self.derived.get(parameter.name).cloned().unwrap_or_default()
            }
            (ParameterState::Given(_) | ParameterState::Faulty, _) => {
                self.texts.get(parameter.name).cloned().unwrap_or_default()
            }
            (ParameterState::Absent, ParameterDefault::Value(text))
                if parameter.multiplicity == Multiplicity::PerInput =>
            {
                vec![text; inputs].join(";")
            }
            (ParameterState::Absent, ParameterDefault::Value(text)) => text.to_owned(),
            (ParameterState::Absent, ParameterDefault::Automatic(rule)) => rule.to_owned(),
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

/// Where the data of inputs comes from when nothing says it.
fn input_sources(inputs: &[InputSettings]) -> String {
    let pyramid = InputSource::Pyramid.word();
    let from_pyramid =
        LEGAL_INPUT_SOURCES.iter().find(|(source, _)| *source == pyramid).map_or(&[] as &[_], |(_, types)| types);
    let source = |input: &InputSettings| match from_pyramid.contains(&input.get(&INPUT_TYPE_RT).word()) {
        true => pyramid,
        false => InputSource::Ddr.word(),
    };
    let each = inputs.iter().map(|input| match input.get(&INPUT_NAME) {
        Some(name) if inputs.len() > 1 => format!("{name}: {}", source(input)),
        _ => source(input).to_owned(),
    });
    each.collect::<Vec<_>>().join("; ")
}
