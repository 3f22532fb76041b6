//! What a document gives, name by name: values of known parameters, and what is to be said of all other names.

use super::Environment;
use super::checking::{Checker, Given, Holds};
use super::foreign::{ForeignKey, KeyOrigin, foreign_key};
use super::keys::ParameterState;
use super::parameters::{
    CAL_DATA_DIR, CALIBRATION_TYPE, CORE_NUM, INPUT_LAYOUT_TRAIN, INPUT_TYPE_RT, INPUT_TYPE_TRAIN, MARCH, PARAMETERS,
};
use super::problem::{Location, Severity};
use super::reading::{Document, Raw, Step};
use super::table::{Group, Parameter, ParameterKind, Required};
use super::values::{self, FaultyValues, ParameterValue, Surroundings, ValueFault};
use crate::target::{NamedTarget, named_target};
use crate::wording::{nearest, suggestion};
use std::collections::HashMap;

/// More problems than this are not looked for: locating costs a reading of the file.
const MOST_PROBLEMS: usize = 200;

/// Hands all that `document` says to `checker`; false where it is no configuration at all.
pub fn collect(checker: &mut Checker, document: &Document, environment: &Environment) -> bool {
    let entries = match &document.root {
        Raw::Mapping(entries) => entries.as_slice(),
        Raw::Null => &[],
        other => {
            let fault = ValueFault::new(
                format!("the file holds {}, not parameter groups", other.kind()),
                "give a YAML file with the groups of the manual",
            );
            checker.report(Location::START, String::new(), fault, Severity::Error);
            return false;
        }
    };
    let march = stated(entries, &MARCH).map(ToString::to_string).unwrap_or_default();
    let march_is = named_target(march.trim());
    let mut collector = Collector {
        checker,
        document,
        environment,
        entries,
        places: HashMap::new(),
        meant: Vec::new(),
        march: march_is,
    };
    collector.report_duplicates();
    for (index, (name, value)) in entries.iter().enumerate() {
        collector.group(index, &name.to_string(), value);
    }
    collector.take_meant();
    for parameter in PARAMETERS {
        collector.report_missing(parameter);
    }
    if collector.march == NamedTarget::Older {
        collector.report_older_tool(&march);
    }
    true
}

/// What the file says of a parameter in its own group.
fn stated<'r>(entries: &'r [(Raw, Raw)], parameter: &Parameter) -> Option<&'r Raw> {
    let (_, group) = entries.iter().find(|(name, _)| name.to_string() == parameter.group.name())?;
    let Raw::Mapping(entries) = group else { return None };
    entries.iter().find(|(name, _)| name.to_string() == parameter.name).map(|(_, value)| value)
}

struct Collector<'a> {
    checker: &'a mut Checker,
    document: &'a Document,
    environment: &'a Environment,
    entries: &'a [(Raw, Raw)],
    /// Where the parameters that were seen stand.
    places: HashMap<&'static str, [Step; 2]>,
    /// The parameters that names which are wrong were told to be meant for, and where those stand.
    meant: Vec<(&'static Parameter, Location)>,
    /// What `march` is, where it is no target here.
    march: NamedTarget,
}

impl Collector<'_> {
    /// Reports each name that the file holds twice.
    fn report_duplicates(&mut self) {
        for duplicate in self.document.root.duplicates().into_iter().take(MOST_PROBLEMS) {
            let location = self.document.locate(&duplicate.again);
            let names = self.document.names(&duplicate.again);
            let subject = names.into_iter().take(2).collect::<Vec<_>>().join(".");
            self.checker.report(location, subject, self.document.twice(&duplicate), Severity::Error);
        }
    }

    /// Reports a parameter that stands in two groups.
    fn report_twice(&mut self, parameter: &Parameter, first: [Step; 2], again: [Step; 2]) {
        let [first, again] = [first, again].map(|steps| self.document.locate(&steps));
        let what = format!("it is given in two groups, in lines {} and {}", first.line, again.line);
        self.checker.report(again, parameter.path(), ValueFault::new(what, "remove one of the two"), Severity::Error);
    }

    fn group(&mut self, index: usize, name: &str, value: &Raw) {
        let location = self.document.group_location(index);
        let group = match Group::named(name) {
            Some(group) => group,
            // What was meant is read as that, where it is not there as well.
            None => match self.unknown_group(location, name, value).filter(|group| !self.has_group(*group)) {
                Some(group) => group,
                None => return,
            },
        };
        // That it is there twice has been reported.
        if self.checker.groups.contains_key(&group) {
            return;
        }
        self.checker.groups.insert(group, location);
        let entries = match value {
            Raw::Mapping(entries) => entries,
            other if other.asks_for_nothing() => return,
            other => {
                let fault = ValueFault::new(
                    format!("the group holds {}", other.kind()),
                    "write its parameters below it, indented",
                );
                return self.checker.report(location, name.to_owned(), fault, Severity::Error);
            }
        };
        for (entry, (name, value)) in entries.iter().enumerate() {
            if self.checker.problems() > MOST_PROBLEMS {
                return;
            }
            self.parameter([Step::Value(index), Step::Value(entry)], group, &name.to_string(), value);
        }
    }

    fn parameter(&mut self, steps: [Step; 2], group: Group, name: &str, raw: &Raw) {
        let Some(parameter) = Parameter::find(group, name) else {
            return self.unknown_parameter(steps, group, name, raw);
        };
        let [group, _] = &steps;
        if let Some(first) = self.places.get(parameter.name) {
            // That it is there twice in one group has been reported.
            let [first_group, _] = first;
            if first_group != group {
                self.report_twice(parameter, *first, steps);
            }
            return;
        }
        self.places.insert(parameter.name, steps);
        self.checker.texts.insert(parameter.name, raw.to_string());
        let location = self.document.locate(&steps);
        let folder = self.checker.folder.clone();
        let surroundings = Surroundings { marches: &self.environment.marches, folder: &folder };
        let holds = match values::parse(parameter, raw, surroundings) {
            Ok(None) => return,
            Ok(Some(values)) => Holds::Values(values),
            // Whether the cores are too many is for the chip to say, and there is no data of it here.
            Err(_) if *parameter == *CORE_NUM && self.is_foreign() => Holds::Fault(Vec::new()),
            Err(FaultyValues { faults, sound }) => {
                for fault in faults {
                    self.checker.report_value((self.document, &steps), raw, parameter.path(), fault);
                }
                Holds::Fault(sound)
            }
        };
        let given = Given { location, holds, idle: raw.asks_for_nothing(), comma: self.comma(parameter, &steps, raw) };
        self.checker.given.insert(parameter.name, given);
    }

    /// Whether `march` is a target of other chips than those that there is data of.
    fn is_foreign(&self) -> bool {
        matches!(self.march, NamedTarget::Of(chips) if !self.environment.marches.contains(&chips.march))
    }

    /// Where a list of names holds a comma.
    fn comma(&self, parameter: &Parameter, steps: &[Step], raw: &Raw) -> Option<Location> {
        let (ParameterKind::Name(_), Raw::Text(text)) = (parameter.kind, raw) else { return None };
        let offset = text.chars().position(|character| character == ',')?;
        Some(self.document.locate_in_text(steps, text, offset))
    }

    fn has_group(&self, group: Group) -> bool {
        self.entries.iter().any(|(name, _)| name.to_string() == group.name())
    }

    /// Tells what is wrong with the name of a group; gives the group that was meant.
    fn unknown_group(&mut self, location: Location, name: &str, value: &Raw) -> Option<Group> {
        if let Some(key) = foreign_key(name) {
            self.foreign(location, name.to_owned(), key, value);
            return None;
        }
        let known: Vec<&str> = Group::ALL.iter().map(|group| group.name()).collect();
        let (fault, meant) = match Parameter::named(name) {
            Some(parameter) => {
                self.meant.push((parameter, location));
                let remedy = format!("move it into {}, indented", parameter.group.name());
                (ValueFault::new("the parameter is outside of its group", remedy), None)
            }
            None => {
                let otherwise = format!("the groups are {}", known.join(", "));
                let fault = ValueFault::new("no such group", suggestion(name, known.iter().copied(), &otherwise));
                (fault, nearest(name, known).and_then(Group::named))
            }
        };
        self.checker.report(location, name.to_owned(), fault, Severity::Error);
        meant
    }

    fn unknown_parameter(&mut self, steps: [Step; 2], group: Group, name: &str, raw: &Raw) {
        let [Step::Key(first) | Step::Value(first), Step::Key(second) | Step::Value(second)] = steps;
        let location = self.document.locate(&[Step::Value(first), Step::Key(second)]);
        let subject = format!("{}.{name}", group.name());
        if let Some(key) = foreign_key(name) {
            return self.foreign(location, subject, key, raw);
        }
        let meant = Parameter::named(name)
            .or_else(|| Parameter::named(nearest(name, PARAMETERS.iter().map(|parameter| parameter.name))?));
        self.meant.extend(meant.map(|parameter| (parameter, location)));
        let fault = match Parameter::named(name) {
            // Releases disagree about the group of what the manual does not have.
            Some(parameter) if parameter.since.is_some() => {
                return self.parameter(steps, parameter.group, name, raw);
            }
            Some(parameter) => ValueFault::new(
                format!("{} has no such parameter", group.name()),
                format!("move it to {}", parameter.group.name()),
            ),
            // Of all groups, so that a slip in a misplaced name is understood as well.
            None => {
                let known = PARAMETERS.iter().map(|parameter| parameter.name);
                let otherwise = "see docs/configuration.md or hb_compile --help-config for what there is";
                ValueFault::new("no such parameter", suggestion(name, known, otherwise))
            }
        };
        self.checker.report(location, subject, fault, Severity::Error);
    }

    fn foreign(&mut self, location: Location, subject: String, key: &ForeignKey, value: &Raw) {
        // What only other chips have is no second mistake beside their target.
        if self.is_foreign() && key.name == "max_l2m_size" {
            return;
        }
        match key.judge(value, stated(self.entries, &INPUT_LAYOUT_TRAIN), stated(self.entries, &INPUT_TYPE_RT)) {
            None => {}
            Some(Ok(note)) => self.checker.report(location, subject, note, Severity::Warning),
            Some(Err(fault)) => self.checker.report(location, subject, fault, Severity::Error),
        }
    }

    /// What was told by a wrong name is not told again as missing.
    fn take_meant(&mut self) {
        for (parameter, location) in std::mem::take(&mut self.meant) {
            let holds = Holds::Fault(Vec::new());
            self.checker.given.entry(parameter.name).or_insert(Given { location, holds, idle: false, comma: None });
        }
    }

    fn report_missing(&mut self, parameter: &'static Parameter) {
        let missing = match parameter.required {
            Required::Always => true,
            Required::ForImages => match self.checker.state(&INPUT_TYPE_TRAIN) {
                ParameterState::Given(types) => types.iter().any(|kind| kind.text() != Some("featuremap")),
                _ => false,
            },
            _ => false,
        };
        if missing && !self.checker.is_given(parameter) {
            let remedy = format!("add it; its range is {}", parameter.range());
            self.checker.error(parameter, "the parameter is required, but not given", remedy);
        }
    }

    /// One heading for a file of the older tool. What it names is among the problems below it.
    fn report_older_tool(&mut self, march: &str) {
        let fault = ValueFault::new(
            format!(
                "this is a configuration of {} (march {march}), whose files differ from those of this one",
                KeyOrigin::Older
            ),
            "change what the following lines name",
        );
        self.checker.report(Location::START, String::new(), fault, Severity::Error);
        let skip = match self.checker.state(&CALIBRATION_TYPE) {
            ParameterState::Given([ParameterValue::Text(word)]) => word == "skip",
            _ => false,
        };
        if self.checker.is_given(&CAL_DATA_DIR) && !skip {
            self.checker.error(
                &CAL_DATA_DIR,
                "the older tool took raw samples; here they are .npy files of float32, resized, cropped and normalised as in training",
                "make them anew with the preprocessing that the network was trained with, if they are raw",
            );
        }
    }
}
