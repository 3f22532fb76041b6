//! Keys and targets that people's files hold and the manual does not: what each is, and what to do about it.

use super::keys::Word;
use super::reading::Raw;
use super::values::ValueFault;
use super::{InputType, Layout, known_marches};
use crate::target::{Chips, NamedTarget, named_target};
use crate::wording::suggestion;
use std::fmt;

/// Which other tool has a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOrigin {
    /// Releases of the vendor's tool that came after the manual.
    Later,
    /// The tool for the chips before, `hb_mapper`.
    Older,
    /// The language of the file.
    Yaml,
}

impl fmt::Display for KeyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Later => "later releases of the vendor's tool",
            Self::Older => "the older tool hb_mapper",
            Self::Yaml => "YAML 1.1",
        })
    }
}

/// What a key that the manual does not have comes to. One that asks for nothing is passed over in silence, whichever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Any value is taken and changes nothing; the log says so.
    Noted,
    /// These words are what happens anyhow, and are noted; for others the text says what to do.
    Only(&'static [&'static str], &'static str),
    /// What `input_layout_train` says happens anyhow, as does `NHWC` for images, and is noted; for others the text says what to do.
    OnlyTrainLayout(&'static str),
    /// An error; the text says what to write instead.
    Refused(&'static str),
}

/// A key that the manual does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForeignKey {
    /// As files spell it; it may stand in any group.
    pub name: &'static str,
    /// Which tool has it.
    pub origin: KeyOrigin,
    /// What it is there, to follow "it is".
    pub about: &'static str,
    /// What becomes of it here.
    pub answer: Answer,
}

const fn key(name: &'static str, origin: KeyOrigin, about: &'static str, answer: Answer) -> ForeignKey {
    ForeignKey { name, origin, about, answer }
}

/// All of them. Those of other tools that do something here are rows of [`super::PARAMETERS`] with `since`.
pub const FOREIGN_KEYS: &[ForeignKey] = &[
    key(
        "cal_data_type",
        KeyOrigin::Older,
        "the element type of the calibration samples",
        Answer::Only(&["float32"], "remove it, and store the samples as .npy of float32, normalised as in training"),
    ),
    key(
        "preprocess_on",
        KeyOrigin::Older,
        "the preparation of calibration images by the tool",
        Answer::Refused(
            "remove it; for samples that are JPEG or PNG write cal_image_preprocessing, else store them as .npy, resized, cropped and normalised as \
             in training",
        ),
    ),
    key(
        "input_layout_rt",
        KeyOrigin::Older,
        "the layout of the deployed model's inputs, which here follows from input_type_rt and input_layout_train",
        Answer::OnlyTrainLayout("remove it; another layout needs a Transpose in the ONNX model"),
    ),
    key(
        "<<",
        KeyOrigin::Yaml,
        "what is merged in from another mapping",
        Answer::Refused("write the keys out where they are to act"),
    ),
    key("log_level", KeyOrigin::Older, "the detail of the log, all of which hb_compile.log holds", Answer::Noted),
    key("model_type", KeyOrigin::Older, "the kind of model, which its own parameters say", Answer::Noted),
    key("hbdk_pass_through_params", KeyOrigin::Older, "options of the older compiler", Answer::Noted),
    key(
        "set_node_data_type",
        KeyOrigin::Older,
        "the types of single nodes",
        Answer::Refused("write node_info: 'name:int16'"),
    ),
    key(
        "debug",
        KeyOrigin::Later,
        "the keeping of layers' names for reports, which always have them here",
        Answer::Noted,
    ),
    key("enable_vpu", KeyOrigin::Later, "the use of the vector core", Answer::Noted),
    key("enable_spu", KeyOrigin::Later, "the use of the scalar core", Answer::Noted),
    key("enable_hpc", KeyOrigin::Later, "a switch of the compiler", Answer::Noted),
    key("cache_mode", KeyOrigin::Later, "the reuse of earlier compilations", Answer::Noted),
    key("cache_path", KeyOrigin::Later, "the folder of earlier compilations", Answer::Noted),
    key("ability_entry", KeyOrigin::Later, "options that are passed through to the compiler", Answer::Noted),
    key("extra_params", KeyOrigin::Later, "options that are passed through to the compiler", Answer::Noted),
    key(
        "max_l2m_size",
        KeyOrigin::Later,
        "the share of a memory, L2M, that none of the chips here has",
        Answer::Refused("remove it"),
    ),
    key(
        "separate_name",
        KeyOrigin::Later,
        "the inputs whose batch is separated",
        Answer::Refused("write separate_batch: True with input_batch"),
    ),
    key(
        "custom_op",
        KeyOrigin::Later,
        "a group of operators in Python",
        Answer::Refused("remove it, and write the operator with ONNX's own (docs/operators.md lists them)"),
    ),
];

/// The key of this name.
pub fn foreign_key(name: &str) -> Option<&'static ForeignKey> {
    FOREIGN_KEYS.iter().find(|key| key.name == name)
}

impl ForeignKey {
    /// What is to be said of its value: nothing, a warning, or an error. `train_layout` is what the file says of `input_layout_train`, and
    /// `runtime` of `input_type_rt`.
    pub fn judge(
        &self,
        value: &Raw,
        train_layout: Option<&Raw>,
        runtime: Option<&Raw>,
    ) -> Option<Result<ValueFault, ValueFault>> {
        if value.asks_for_nothing() {
            return None;
        }
        let items = |value: &Raw| {
            let text = value.to_string();
            text.trim_end_matches(';').split(';').map(|item| item.trim().to_owned()).collect::<Vec<_>>()
        };
        let about = format!("it is of {}: {}", self.origin, self.about);
        let noted = Some(Ok(ValueFault::new(format!("{about}; it changes nothing here"), "remove it")));
        let refused = |remedy: &str| Some(Err(ValueFault::new(format!("{about}; '{value}' is not supported"), remedy)));
        match self.answer {
            Answer::Noted => noted,
            Answer::Only(words, _) if items(value).iter().all(|item| words.contains(&item.as_str())) => noted,
            Answer::OnlyTrainLayout(remedy) => {
                let [train, runtime] = [train_layout, runtime].map(|stated| stated.map(items).unwrap_or_default());
                // Cameras give images pixel by pixel.
                let as_it_is = |(index, layout): (usize, &String)| {
                    let is_image = runtime.get(index).is_some_and(|kind| kind != InputType::Featuremap.word());
                    train.get(index) == Some(layout) || (is_image && layout == Layout::Nhwc.word())
                };
                if items(value).iter().enumerate().all(as_it_is) { noted } else { refused(remedy) }
            }
            Answer::Only(_, remedy) | Answer::Refused(remedy) => refused(remedy),
        }
    }
}

/// What is wrong with a `march` for which there is no data.
pub fn march_fault(word: &str, known: &[String]) -> ValueFault {
    let here = known.iter().map(|march| Chips::described(march)).collect::<Vec<_>>().join(", ");
    match named_target(word) {
        NamedTarget::Of(chips) if known.contains(&chips.march) => {
            ValueFault::new(format!("'{word}' is not how the target is written"), format!("write '{}'", chips.march))
        }
        NamedTarget::Of(chips) => ValueFault::new(
            format!("'{word}' is for other chips: {}; there is no data of them here", Chips::described(&chips.march)),
            format!("the targets here are {here}"),
        ),
        NamedTarget::Older => {
            ValueFault::new(format!("'{word}' is a target of {}", KeyOrigin::Older), format!("write {here}"))
        }
        NamedTarget::Unknown => {
            let remedy = suggestion(word, known.iter().map(String::as_str), "choose one of them");
            ValueFault::new(format!("'{word}' is not a known target; known are {here}"), remedy)
        }
    }
}

/// The target that a word of a command line names.
///
/// # Errors
/// What is wrong with it, and what to write.
pub fn march_of(word: &str) -> Result<String, String> {
    let known = known_marches();
    match known.iter().find(|march| *march == word) {
        Some(march) => Ok(march.clone()),
        None => {
            let ValueFault { what, remedy, .. } = march_fault(word, &known);
            Err(format!("{what}; {remedy}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Parameter;
    use super::*;

    #[test]
    fn names_are_foreign() {
        for (index, key) in FOREIGN_KEYS.iter().enumerate() {
            assert!(Parameter::named(key.name).is_none(), "{} is a row", key.name);
            assert!(FOREIGN_KEYS.iter().skip(index + 1).all(|other| other.name != key.name), "{} is twice", key.name);
        }
    }
}
