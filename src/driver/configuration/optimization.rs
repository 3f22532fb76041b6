//! The words of `optimization`.

use super::keys::Word;
use super::parameters::DataType;
use super::values::ValueFault;
use crate::wording::suggestion;
use std::fmt;

/// One word of `optimization`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Optimization {
    /// `set_model_output_{type}`: the type of the model's outputs.
    ModelOutput(DataType),
    /// `set_all_nodes_{type}`: the type of every node's inputs. A word of later releases; `all_node_type` of quant_config says the same. float16
    /// here and of kinds is ours: it is what quant_config says by `all_node_type` and `op_config`.
    AllNodes(DataType),
    /// `set_{NodeKind}_input_{type}`: the type of the inputs of all nodes of a kind.
    Input {
        /// The operator, as ONNX spells it.
        kind: String,
        /// The type.
        data: DataType,
    },
    /// `set_{NodeKind}_output_{type}`: the type of the outputs of all nodes of a kind.
    Output {
        /// The operator, as ONNX spells it.
        kind: String,
        /// The type.
        data: DataType,
    },
    /// `asymmetric`: ranges need not be centred at 0.
    Asymmetric,
    /// `bias_correction`: biases make up for the mean error of weights.
    BiasCorrection,
    /// `lstm_batch_last`: the batch of an LSTM is computed along the width, as it always is.
    LstmBatchLast,
}

static PLAIN: [(&str, Optimization); 3] = [
    ("asymmetric", Optimization::Asymmetric),
    ("bias_correction", Optimization::BiasCorrection),
    ("lstm_batch_last", Optimization::LstmBatchLast),
];
/// Words with nothing to fill in, for suggestions.
pub(super) const SPELLED: [&str; 9] = [
    "set_model_output_int8",
    "set_model_output_int16",
    "set_all_nodes_int16",
    "set_all_nodes_float16",
    "set_Softmax_input_int8",
    "set_Softmax_output_int8",
    "asymmetric",
    "bias_correction",
    "lstm_batch_last",
];
/// The only kind that the manual lets be set to int8: all others are int8 already.
const FLOAT_KIND: &str = "Softmax";

/// The range, as documentation names it.
pub fn range() -> String {
    format!(
        "{}, set_{{NodeKind}}_input_int16, set_{{NodeKind}}_output_int16, set_{{NodeKind}}_input_float16, set_{{NodeKind}}_output_float16",
        SPELLED.join(", ")
    )
}

impl Optimization {
    /// Whether both set one thing, and to different types.
    pub(super) fn contradicts(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::ModelOutput(one), Self::ModelOutput(other)) | (Self::AllNodes(one), Self::AllNodes(other)) => {
                one != other
            }
            (Self::Input { kind, data }, Self::Input { kind: of, data: other })
            | (Self::Output { kind, data }, Self::Output { kind: of, data: other }) => kind == of && data != other,
            _ => false,
        }
    }
}

/// Reads one word.
pub fn read(word: &str) -> Result<Optimization, ValueFault> {
    if let Some((_, value)) = PLAIN.iter().find(|(name, _)| *name == word) {
        return Ok(value.clone());
    }
    if word == "run_fast" {
        let what = "'run_fast' is what the vendor's fast performance mode sets for itself";
        return Err(ValueFault::new(what, "use hb_compile --fast-perf, or calibration_type: 'skip'"));
    }
    match set(word) {
        Some(outcome) => outcome,
        None => Err(ValueFault::new(
            format!("'{word}' is not one of {}", range()),
            suggestion(word, SPELLED, "choose one of them; {NodeKind} is an operator of ONNX such as Conv"),
        )),
    }
}

/// Reads `set_{what}_{type}`; None where the word has another form.
fn set(word: &str) -> Option<Result<Optimization, ValueFault>> {
    let (what, name) = word.strip_prefix("set_")?.rsplit_once('_')?;
    let data = DataType::named(name)?;
    let refused = |usable: &str| Some(Err(ValueFault::new(format!("'{word}' cannot be set"), format!("use {usable}"))));
    match (what, data) {
        ("model_output", DataType::Int8 | DataType::Int16) => Some(Ok(Optimization::ModelOutput(data))),
        ("model_output", _) => refused("set_model_output_int8 or set_model_output_int16"),
        ("all_nodes" | "all_node", DataType::Int16 | DataType::Float16) => Some(Ok(Optimization::AllNodes(data))),
        ("all_nodes" | "all_node", _) => refused("set_all_nodes_int16 or set_all_nodes_float16"),
        _ => {
            let (kind, end) = what.rsplit_once('_')?;
            let input = match end {
                "input" => true,
                "output" => false,
                _ => return None,
            };
            let known = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let usable = data != DataType::Int8 || kind == FLOAT_KIND;
            if !known {
                return None;
            }
            if !usable {
                return refused(&format!(
                    "set_{kind}_{end}_int16 or set_{kind}_{end}_float16; only {FLOAT_KIND} takes int8"
                ));
            }
            let kind = kind.to_owned();
            Some(Ok(if input { Optimization::Input { kind, data } } else { Optimization::Output { kind, data } }))
        }
    }
}

impl fmt::Display for Optimization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ModelOutput(data) => write!(f, "set_model_output_{}", data.word()),
            Self::AllNodes(data) => write!(f, "set_all_nodes_{}", data.word()),
            Self::Input { kind, data } => write!(f, "set_{kind}_input_{}", data.word()),
            Self::Output { kind, data } => write!(f, "set_{kind}_output_{}", data.word()),
            Self::Asymmetric => f.write_str("asymmetric"),
            Self::BiasCorrection => f.write_str("bias_correction"),
            Self::LstmBatchLast => f.write_str("lstm_batch_last"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_manual() {
        for word in SPELLED.into_iter().chain(["set_Conv_input_int16", "set_LayerNormalization_output_int16"]) {
            assert_eq!(read(word).expect("reads").to_string(), word);
        }
        let kind = read("set_Conv_input_int16").expect("reads");
        assert_eq!(kind, Optimization::Input { kind: "Conv".into(), data: DataType::Int16 });
        for bad in ["set_Conv_input_int8", "set_Conv_int16", "set__input_int16", "set_model_output_float16", "fast", ""]
        {
            read(bad).expect_err(bad);
        }
    }
}
