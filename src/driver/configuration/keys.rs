//! Keys: what ties a row of the table to the Rust type of its setting. `configuration.get(&JOBS)` is an `i64` because the
//! row of `JOBS` is made from [`integer`].

use super::node_info::NodeRequest;
use super::optimization::Optimization;
use super::parameters::{InputSettings, Settings};
use super::quant_config::QuantConfig;
use super::table::{
    Choice, Condition, Group, Multiplicity, Named, Parameter, ParameterDefault, ParameterKind, ParameterPass, Required,
    Status,
};
use super::values::ParameterValue;
use hb_dialects::pass::word;
use std::marker::PhantomData;
use std::ops::Deref;
use std::path::PathBuf;

/// A parameter with one setting for the model.
#[derive(Debug)]
pub struct Key<T: 'static> {
    pub(super) parameter: Parameter,
    pub(super) of: fn(&Settings) -> &T,
}

/// A parameter with one setting for each input.
#[derive(Debug)]
pub struct InputKey<T: 'static> {
    pub(super) parameter: Parameter,
    pub(super) of: fn(&InputSettings) -> &T,
}

impl<T> Deref for Key<T> {
    type Target = Parameter;

    fn deref(&self) -> &Parameter {
        &self.parameter
    }
}

impl<T> Deref for InputKey<T> {
    type Target = Parameter;

    fn deref(&self) -> &Parameter {
        &self.parameter
    }
}

/// The kind of one value, with the Rust type that it is read as.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextForm<T> {
    kind: ParameterKind,
    reads_as: PhantomData<fn() -> T>,
}

const fn form<T>(kind: ParameterKind) -> TextForm<T> {
    TextForm { kind, reads_as: PhantomData }
}

pub(super) const BOOLEAN: TextForm<bool> = form(ParameterKind::Boolean);
pub(super) const MARCH_NAME: TextForm<String> = form(ParameterKind::March);
pub(super) const PREFIX: TextForm<String> = form(ParameterKind::Prefix);
pub(super) const COMMAND: TextForm<String> = form(ParameterKind::Command);
pub(super) const FILE: TextForm<PathBuf> = form(ParameterKind::File);
pub(super) const DIRECTORY: TextForm<PathBuf> = form(ParameterKind::Directory);
pub(super) const NEW_DIRECTORY: TextForm<PathBuf> = form(ParameterKind::NewDirectory);
pub(super) const SHAPE: TextForm<Vec<u64>> = form(ParameterKind::Shape);
pub(super) const CHANNEL_NUMBERS: TextForm<Vec<f64>> = form(ParameterKind::ChannelNumbers);

pub(super) const fn integer(least: i64, most: i64) -> TextForm<i64> {
    form(ParameterKind::Integer { least, most })
}

pub(super) const fn integer_or_zero(least: i64, most: i64) -> TextForm<i64> {
    form(ParameterKind::IntegerOrZero { least, most })
}

pub(super) const fn number(least: f64, most: f64) -> TextForm<f64> {
    form(ParameterKind::Number { least, most })
}

/// The choices are those of the type itself.
pub(super) const fn choice<T: Word>() -> TextForm<T> {
    form(ParameterKind::Choice(T::CHOICES))
}

/// Choices where the manual has others for the same type elsewhere.
pub(super) const fn choice_of<T: Word>(choices: &'static [Choice]) -> TextForm<T> {
    form(ParameterKind::Choice(choices))
}

pub(super) const fn input_mapping<T: Word>() -> TextForm<Vec<(String, T)>> {
    form(ParameterKind::InputMapping(T::CHOICES))
}

pub(super) const NODE_REQUESTS: TextForm<NodeRequest> = form(ParameterKind::NodeRequests);
pub(super) const OPTIMIZATION_WORD: TextForm<Optimization> = form(ParameterKind::Optimization);
pub(super) const QUANT_CONFIG_FILE: TextForm<QuantConfig> = form(ParameterKind::QuantConfig);

/// Names of the model's nodes.
pub(super) const NODE_NAME: TextForm<String> = form(ParameterKind::Name(Named::Node));
/// Names of the model's inputs.
pub(super) const MODEL_INPUT_NAME: TextForm<String> = form(ParameterKind::Name(Named::Input));

/// A row on its way into the table; `T` is the type of the setting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<T> {
    parameter: Parameter,
    reads_as: PhantomData<fn() -> T>,
}

/// An optional parameter of one value that is not supported yet: what every row starts from.
pub(super) const fn row<T>(group: Group, name: &'static str, form: TextForm<T>) -> Row<Option<T>> {
    let parameter = Parameter {
        group,
        name,
        kind: form.kind,
        default: ParameterDefault::None,
        required: Required::Optional,
        multiplicity: Multiplicity::One,
        status: Status::NotYet,
        condition: None,
        sets: None,
        stands_for: None,
        shapes_results: true,
        since: None,
        later: None,
        meaning: "",
    };
    typed(parameter)
}

const fn typed<T>(parameter: Parameter) -> Row<T> {
    Row { parameter, reads_as: PhantomData }
}

impl<T> Row<Option<T>> {
    /// What holds where nothing is given, as the file would write it.
    pub(super) const fn default(self, text: &'static str) -> Row<T> {
        typed(Parameter { default: ParameterDefault::Value(text), ..self.parameter })
    }

    /// Nothing is compiled without it.
    pub(super) const fn needed(self, required: Required) -> Row<T> {
        typed(Parameter { required, ..self.parameter })
    }

    /// Any number of values.
    pub(super) const fn list(self) -> Row<List<T>> {
        typed(Parameter { multiplicity: Multiplicity::List, ..self.parameter })
    }
}

impl<T> Row<T> {
    /// Other parameters say what holds where nothing is given.
    pub(super) const fn automatic(self, rule: &'static str) -> Self {
        typed(Parameter { default: ParameterDefault::Automatic(rule), ..self.parameter })
    }

    /// When it must be given, whatever its default.
    pub(super) const fn required(self, required: Required) -> Self {
        typed(Parameter { required, ..self.parameter })
    }

    /// It does what the manual says.
    pub(super) const fn supported(self) -> Self {
        typed(Parameter { status: Status::Supported, ..self.parameter })
    }

    /// It has an effect only where `other` is one of `words`.
    pub(super) const fn only_with(self, other: &'static Parameter, words: &'static [&'static str]) -> Self {
        let condition = Some(Condition { parameter: other, words });
        typed(Parameter { condition, ..self.parameter })
    }

    /// It becomes this option of this pass or pipeline.
    pub(super) const fn sets(self, pass: &'static str, option: &'static str) -> Self {
        typed(Parameter { sets: Some(ParameterPass { pass, option }), ..self.parameter })
    }

    /// It is another way to write that parameter.
    pub(super) const fn stands_for(self, other: &'static Parameter) -> Self {
        typed(Parameter { stands_for: Some(other), ..self.parameter })
    }

    /// The manual does not have it; this release of the vendor's tool does.
    pub(super) const fn since(self, release: &'static str) -> Self {
        typed(Parameter { since: Some(release), ..self.parameter })
    }

    /// Later releases of the vendor's tool have it otherwise.
    pub(super) const fn later(self, otherwise: &'static str) -> Self {
        typed(Parameter { later: Some(otherwise), ..self.parameter })
    }

    /// It has no say in the results, so the .hbm does not keep it.
    pub(super) const fn only_how(self) -> Self {
        typed(Parameter { shapes_results: false, ..self.parameter })
    }

    /// For the macro `parameters`: the row of a parameter of the model.
    pub(super) const fn of_model(self, meaning: &'static str) -> Parameter {
        Parameter { meaning: meaning.trim_ascii(), ..self.parameter }
    }

    /// For the macro `parameters`: the row of a parameter of each input.
    pub(super) const fn of_input(self, meaning: &'static str) -> Parameter {
        Parameter { multiplicity: Multiplicity::PerInput, meaning: meaning.trim_ascii(), ..self.parameter }
    }
}

/// What the file says of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ParameterState<'a> {
    /// Nothing, or nothing that has an effect.
    Absent,
    /// Something wrong, which has been reported; rules that need the value hold their tongue.
    Faulty,
    /// These values, of the row's kind.
    Given(&'a [ParameterValue]),
}

/// The type of the setting of a row: [`ScalarText`], or `Option` or [`List`] of it.
pub(super) trait Setting: Sized {
    /// What holds, where `state` gives the default for what is absent. None where something wrong or missing has been reported.
    fn settle(state: ParameterState<'_>) -> Option<Self>;

    /// As the option of a pass says it; None where there is nothing to say.
    fn option_text(&self) -> Option<String>;
}

impl<T: ScalarText> Setting for T {
    fn settle(state: ParameterState<'_>) -> Option<Self> {
        match state {
            ParameterState::Given([value]) => T::read(value),
            _ => None,
        }
    }

    fn option_text(&self) -> Option<String> {
        Some(self.text())
    }
}

impl<T: ScalarText> Setting for Option<T> {
    fn settle(state: ParameterState<'_>) -> Option<Self> {
        match state {
            ParameterState::Absent | ParameterState::Given([ParameterValue::Nothing]) => Some(None),
            ParameterState::Given([value]) => T::read(value).map(Some),
            _ => None,
        }
    }

    fn option_text(&self) -> Option<String> {
        self.as_ref().map(T::text)
    }
}

impl<T: ScalarText> Setting for List<T> {
    fn settle(state: ParameterState<'_>) -> Option<Self> {
        match state {
            ParameterState::Absent => Some(List(Vec::new())),
            ParameterState::Given(values) => values.iter().map(T::read).collect::<Option<_>>().map(List),
            ParameterState::Faulty => None,
        }
    }

    fn option_text(&self) -> Option<String> {
        (!self.is_empty()).then(|| self.iter().map(T::text).collect::<Vec<_>>().join(","))
    }
}

/// The type of one value.
pub(super) trait ScalarText: Sized {
    /// The value as this type; None where its row is not of this type.
    fn read(value: &ParameterValue) -> Option<Self>;

    /// As the option of a pass spells it.
    fn text(&self) -> String;
}

macro_rules! scalars {
    ($($type:ty: $value:pat => $read:expr, $self:ident => $text:expr;)*) => {
        $(impl ScalarText for $type {
            fn read(value: &ParameterValue) -> Option<Self> {
                match value {
                    $value => Some($read),
                    _ => None,
                }
            }

            fn text(&self) -> String {
                let $self = self;
                $text
            }
        })*
    };
}

scalars! {
    bool: ParameterValue::Boolean(value) => *value, value => value.to_string();
    i64: ParameterValue::Integer(value) => *value, value => value.to_string();
    f64: ParameterValue::Number(value) => *value, value => format!("{value:?}");
    String: ParameterValue::Text(value) => value.clone(), value => word(value);
    PathBuf: ParameterValue::Path(value) => value.clone(), value => word(value);
    Vec<u64>: ParameterValue::Shape(value) => value.clone(), value => joined(value);
    Vec<f64>: ParameterValue::Channels(value) => value.clone(), value => {
        value.iter().map(f64::text).collect::<Vec<_>>().join(",")
    };
    NodeRequest: ParameterValue::Node(value) => value.clone(), value => word(value.to_string());
    Optimization: ParameterValue::Optimization(value) => value.clone(), value => word(value.to_string());
    QuantConfig: ParameterValue::Quantization(value) => value.clone(), value => word(value.to_string());
}

impl<T: Word> ScalarText for T {
    fn read(value: &ParameterValue) -> Option<Self> {
        T::named(value.text()?)
    }

    fn text(&self) -> String {
        self.word().to_owned()
    }
}

impl<T: Word> ScalarText for Vec<(String, T)> {
    fn read(value: &ParameterValue) -> Option<Self> {
        let ParameterValue::Mapping(entries) = value else { return None };
        entries.iter().map(|(name, word)| Some((name.clone(), T::named(word)?))).collect()
    }

    fn text(&self) -> String {
        self.iter().map(|(name, kind)| format!("{}={}", word(name), kind.word())).collect::<Vec<_>>().join(",")
    }
}

/// A shape as the configuration writes it.
pub(super) fn joined(shape: &[u64]) -> String {
    shape.iter().map(u64::to_string).collect::<Vec<_>>().join("x")
}

/// The setting of a parameter that takes any number of values.
#[derive(Debug, Clone, PartialEq)]
pub struct List<T>(pub Vec<T>);

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

/// A choice of words.
pub trait Word: Copy + 'static {
    /// The words of the manual, and which of them are values of this type.
    const CHOICES: &'static [Choice];

    /// The value that a word means; None for a word that is not supported.
    fn named(word: &str) -> Option<Self>;

    /// The word.
    fn word(self) -> &'static str;
}

/// Declares choices: `Variant = supported("word")`.
macro_rules! words {
    ($($(#[$about:meta])* $name:ident { $($(#[$doc:meta])+ $variant:ident = $status:ident($word:literal)),* $(,)? })*) => {
        $(
            $(#[$about])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub enum $name {
                $($(#[$doc])+ $variant,)*
            }

            impl $crate::driver::configuration::keys::Word for $name {
                const CHOICES: &'static [$crate::driver::configuration::table::Choice] =
                    &[$($crate::driver::configuration::table::$status($word),)*];

                fn named(word: &str) -> Option<Self> {
                    match word {
                        $($word => Some(Self::$variant),)*
                        _ => None,
                    }
                }

                fn word(self) -> &'static str {
                    match self {
                        $(Self::$variant => $word,)*
                    }
                }
            }
        )*
    };
}
pub(super) use words;

/// Declares the table: a key for each row, the list of rows, and the settings, with one field for each row. The comment above
/// a row is its meaning in the documentation.
macro_rules! parameters {
    (
        inputs { $($(#[doc = $input_meaning:literal])+ $input:ident: $input_type:ty = $input_row:expr;)* }
        model { $($(#[doc = $meaning:literal])+ $key:ident: $type:ty = $row:expr;)* }
    ) => {
        $(
            $(#[doc = $input_meaning])+
            pub static $input: InputKey<$input_type> = InputKey {
                parameter: {
                    let row: Row<$input_type> = $input_row;
                    row.of_input(concat!($($input_meaning),+))
                },
                of: |settings| &settings.$input,
            };
        )*
        $(
            $(#[doc = $meaning])+
            pub static $key: Key<$type> = Key {
                parameter: {
                    let row: Row<$type> = $row;
                    row.of_model(concat!($($meaning),+))
                },
                of: |settings| &settings.$key,
            };
        )*

        /// Every parameter of the manual; within a group those of inputs first, then in its order.
        pub static PARAMETERS: &[&Parameter] = &[$(&$input.parameter,)* $(&$key.parameter,)*];

        /// What holds for one input: a field for each [`InputKey`].
        #[allow(non_snake_case)]
        #[derive(Debug, Clone, PartialEq)]
        pub struct InputSettings {
            $($input: $input_type,)*
        }

        impl InputSettings {
            /// None where something wrong or missing has been reported.
            pub(super) fn settle<'a>(state: impl Fn(&Parameter) -> ParameterState<'a>) -> Option<Self> {
                Some(Self { $($input: Setting::settle(state(&$input))?,)* })
            }

            /// The options of passes that parameters of inputs set, with what they are set to.
            pub(super) fn options(&self) -> Vec<(ParameterPass, String)> {
                [$(($input.sets, self.$input.option_text()),)*].into_iter().filter_map(|(set, text)| Some((set?, text?))).collect()
            }
        }

        /// What holds for the model: a field for each [`Key`].
        #[allow(non_snake_case)]
        #[derive(Debug, Clone, PartialEq)]
        pub struct Settings {
            $($key: $type,)*
        }

        impl Settings {
            /// None where something wrong or missing has been reported.
            pub(super) fn settle<'a>(state: impl Fn(&Parameter) -> ParameterState<'a>) -> Option<Self> {
                Some(Self { $($key: Setting::settle(state(&$key))?,)* })
            }

            /// The options of passes that parameters of the model set, with what they are set to.
            pub(super) fn options(&self) -> Vec<(ParameterPass, String)> {
                [$(($key.sets, self.$key.option_text()),)*].into_iter().filter_map(|(set, text)| Some((set?, text?))).collect()
            }
        }
    };
}
pub(super) use parameters;
