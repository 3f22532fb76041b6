//! The commands that give the same `.hbm` as a compilation, from the files that it left: `hb_compile --print-pipeline`.

use super::compile::{BPU_TO_NASH, EXPOSE_LAYERS, QDQ_TO_BPU};
use super::configuration::{CALIBRATION_TYPE, CalibrationType, CheckedInput, Configuration, LAYER_OUT_DUMP};
use super::editing;
use super::placement::{optimize, requested_placement};
use super::quantize::{
    ASSIGN_PLACEMENT, INFO, TAKE_SCALES, WEIGHTS, hfloat_to_qdq, round_weights_pass, scale_channels_pass,
    split_weights_pass,
};
use crate::pipeline::on_functions;
use crate::quant::info::QuantInfo;
use std::path::Path;

/// A pipe of `hb-translate` and `hb-opt` for a shell. It reads the model, the configuration and what calibration and search decided in
/// `working_dir`, and writes the `.hbm` to `output`. `declared` are the inputs of the model, `inputs` those that its outputs need.
pub fn equivalent_commands(
    configuration: &Configuration,
    declared: &[CheckedInput],
    inputs: &[CheckedInput],
    output: &Path,
) -> String {
    let files = configuration.model_files();
    let kind = match &files.proto {
        Some(proto) => format!("--import-caffe --proto {}", file(proto)),
        None => "--import-onnx --for-compilation".to_owned(),
    };
    let mut import = format!("hb-translate {kind} --emit-bytecode {}", file(&files.model));
    for input in declared {
        let sizes: Vec<String> = input.shape.iter().map(u64::to_string).collect();
        import.push_str(&format!(" --input-shape {}", shell_word(&format!("{}={}", input.name, sizes.join("x")))));
    }
    let mut passes: Vec<String> = editing::set_outputs_pass(configuration).into_iter().collect();
    passes.push(optimize(configuration));
    passes.extend(requested_placement(configuration));
    // Weights are looked for behind the scales that a network brings.
    passes.push(on_functions(TAKE_SCALES));
    passes.push(scale_channels_pass(&configuration.output_path(INFO)));
    passes.push(split_weights_pass(&configuration.output_path(INFO)));
    passes.push(on_functions(ASSIGN_PLACEMENT));
    if rounds_weights(configuration) {
        passes.push(round_weights_pass(&configuration.output_path(WEIGHTS)));
    }
    passes.push(hfloat_to_qdq(&configuration.output_path(INFO)));
    passes.extend(editing::deploying_passes(configuration, inputs));
    passes.push(editing::removing(configuration, QDQ_TO_BPU));
    passes.extend(editing::separating_passes(configuration));
    if *configuration.get(&LAYER_OUT_DUMP) {
        passes.push(on_functions(EXPOSE_LAYERS));
    }
    passes.push(configuration.pass(BPU_TO_NASH, &[]));
    let passes = shell_word(&format!("builtin.module({})", passes.join(",")));
    // Text, because hb-translate reads no bytecode that MLIR's own tools wrote.
    let lower = format!("hb-opt --mlir-print-debuginfo --pass-pipeline={passes}");
    let (config, output) = (file(&configuration.file), file(output));
    format!("{import} \\\n  | {lower} \\\n  | hb-translate --emit-hbm --config {config} - -o {output}")
}

/// Whether samples said how weights are to be rounded. Random ones do not, which are also those of a network that brings all of its scales.
fn rounds_weights(configuration: &Configuration) -> bool {
    match QuantInfo::read(&configuration.output_path(INFO)) {
        Ok(info) => info.calibration.is_some_and(|calibration| !calibration.random),
        // Nothing is compiled yet.
        Err(_) => *configuration.get(&CALIBRATION_TYPE) != CalibrationType::Skip,
    }
}

/// A path as a word that is no option.
fn file(path: &Path) -> String {
    let text = path.to_string_lossy();
    shell_word(&if text.starts_with('-') { format!("./{text}") } else { text.into_owned() })
}

/// A text as one word of the shell.
fn shell_word(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./=".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_shell() {
        assert_eq!(shell_word("a-b_c.d/e=1"), "a-b_c.d/e=1");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(file(Path::new("-x y")), "'./-x y'");
    }
}
