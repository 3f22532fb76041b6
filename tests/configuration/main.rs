//! The rules of the configuration file, one test each, with the message and the place it names.

// Helpers outside of test functions may panic too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cases;
mod every_row;
mod generator;
#[path = "../common/golden.rs"]
mod golden;
mod hostile;
mod model;
mod readers;
mod rules;
mod schema;

use hb::driver::configuration::{
    CAL_DATA_DIR, CALIBRATION_TYPE, CalibrationType, Configuration, Environment, INPUT_LAYOUT_TRAIN, INPUT_NAME,
    INPUT_SHAPE, INPUT_TYPE_RT, INPUT_TYPE_TRAIN, InputType, Layout, MARCH, MAX_PERCENTILE, MEAN_VALUE, OPTIMIZE_LEVEL,
    OUTPUT_MODEL_FILE_PREFIX, OptimizeLevel, PARAMETERS, Problems, SCALE_VALUE, Severity, WORKING_DIR, documentation,
    schema as schema_text,
};

/// A sound configuration. Its line numbers are what the tests below name.
pub const BASE: &str = "\
model_parameters:
  onnx_model: 'model.onnx'
  march: 'nash-e'
input_parameters:
  input_name: 'data'
  input_type_train: 'rgb'
  input_type_rt: 'bgr'
  input_layout_train: 'NCHW'
  input_shape: '1x3x224x224'
  norm_type: 'data_mean_and_scale'
  mean_value: '110.94 116.78 120.68'
  scale_value: '0.017'
calibration_parameters:
  cal_data_dir: 'samples'
  calibration_type: 'max'
compiler_parameters:
  optimize_level: 'O2'
";

pub fn environment() -> Environment {
    Environment { marches: vec!["nash-e".into(), "nash-m".into()], cores: 4 }
}

/// A folder with what the configurations of these tests name.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["model.onnx", "model.caffemodel", "model.prototxt"] {
        std::fs::write(folder.path().join(name), b"").expect("a file");
    }
    let quant = "{\n  // of all convolutions\n  \"op_config\": {\"Conv\": {\"type\": \"int16\"}}\n}\n";
    std::fs::write(folder.path().join("quant.json"), quant).expect("a file");
    std::fs::write(folder.path().join("wrong.json"), quant.replace("int16", "int17")).expect("a file");
    for name in ["samples", "left", "right", "calibration_data"] {
        std::fs::create_dir(folder.path().join(name)).expect("a folder");
    }
    folder
}

pub fn read(text: &str) -> Result<Configuration, Problems> {
    let folder = folder();
    let path = folder.path().join("cfg.yaml");
    std::fs::write(&path, text).expect("a file");
    let mut outcome = Configuration::read(&path, &environment());
    if let Err(problems) = &mut outcome {
        for problem in &mut problems.0 {
            if !problem.file.ends_with(".json") {
                problem.file = "cfg.yaml".into();
            }
            problem.what = problem.what.replace(&format!("{}/", folder.path().display()), "");
        }
    }
    outcome
}

/// Replaces line `number` of the base by `line`.
pub fn base_with(number: usize, line: &str) -> String {
    let lines = BASE.lines().enumerate().map(|(index, old)| if index + 1 == number { line } else { old });
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n") + "\n"
}

/// Every problem of a configuration that has errors.
pub fn errors(text: &str) -> Vec<String> {
    match read(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.0.iter().map(ToString::to_string).collect(),
    }
}

/// The configuration must have exactly one problem, and its line must start with `place` and hold `fragments`.
#[track_caller]
pub fn refused(text: &str, place: &str, fragments: &[&str]) {
    let errors = errors(text);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].starts_with(&format!("cfg.yaml:{place}: ")), "{errors:#?} at {place}");
    for fragment in fragments {
        assert!(errors[0].contains(fragment), "{errors:#?} holds {fragment}");
    }
}

#[test]
fn the_base_is_sound() {
    let configuration = read(BASE).expect("sound");
    assert_eq!(configuration.get(&MARCH), "nash-e");
    assert_eq!(configuration.get(&OUTPUT_MODEL_FILE_PREFIX), "model");
    assert_eq!(*configuration.get(&CALIBRATION_TYPE), CalibrationType::Max);
    assert_eq!(*configuration.get(&MAX_PERCENTILE), 1.0);
    assert_eq!(*configuration.get(&OPTIMIZE_LEVEL), OptimizeLevel::O2);
    assert_eq!(configuration.threads(), 4, "16 by default, and 4 cores");
    let folder = configuration.file.parent().expect("a folder");
    assert_eq!(configuration.model_files().model, folder.join("model.onnx"));
    assert_eq!(*configuration.get(&WORKING_DIR), folder.join("model_output"));
    assert_eq!(configuration.output_path(".hbm"), folder.join("model_output/model.hbm"));
    let [input] = configuration.inputs.as_slice() else { panic!("one input") };
    assert_eq!(input.get(&INPUT_NAME).as_deref(), Some("data"));
    assert_eq!((*input.get(&INPUT_TYPE_TRAIN), *input.get(&INPUT_TYPE_RT)), (InputType::Rgb, InputType::Bgr));
    assert_eq!(*input.get(&INPUT_LAYOUT_TRAIN), Layout::Nchw);
    assert_eq!(input.get(&INPUT_SHAPE).as_deref(), Some([1, 3, 224, 224].as_slice()));
    assert_eq!(input.get(&MEAN_VALUE).as_deref(), Some([110.94, 116.78, 120.68].as_slice()));
    assert_eq!(input.get(&SCALE_VALUE).as_deref(), Some([0.017].as_slice()));
    assert_eq!(*input.get(&CAL_DATA_DIR), Some(folder.join("samples")));
}

#[test]
fn options_of_passes_come_from_the_table() {
    let configuration = read(BASE).expect("sound");
    assert_eq!(
        configuration.pass("bpu-to-nash", &["override=x"]),
        "bpu-to-nash{override=x march=nash-e compile-mode=latency optimize-level=O2 max-time-per-fc=0}"
    );
    let mixed = read(&base_with(17, "  compile_mode: balance\n  balance_factor: 30")).expect("sound");
    assert_eq!(
        mixed.pass("bpu-to-nash", &[]),
        "bpu-to-nash{march=nash-e compile-mode=balance balance-factor=30 optimize-level=O0 max-time-per-fc=0}"
    );
    assert_eq!(
        configuration.inputs[0].pass("hfloat-assign-preprocessing", &["input=data"]),
        "hfloat-assign-preprocessing{input=data input-type-train=rgb input-type-rt=bgr input-layout-train=NCHW \
         input-space-and-range=regular mean-value=110.94,116.78,120.68 scale-value=0.017}"
    );
    assert_eq!(configuration.pass("bpu-verify", &[]), "bpu-verify");
}

#[test]
fn every_parameter_is_stored_as_given_and_as_it_holds() {
    let configuration = read(BASE).expect("sound");
    assert_eq!(configuration.parameters.len(), PARAMETERS.len());
    let stored = |key: &str| {
        let parameter =
            configuration.parameters.iter().find(|parameter| parameter.parameter.path() == key).expect("stored");
        (parameter.given.clone(), parameter.effective.clone())
    };
    assert_eq!(stored("model_parameters.onnx_model"), (Some("model.onnx".into()), "model.onnx".into()));
    assert_eq!(stored("model_parameters.working_dir"), (None, "model_output".into()));
    assert_eq!(stored("compiler_parameters.jobs"), (None, "16".into()), "the machine's cores would differ elsewhere");
    assert_eq!(stored("model_parameters.debug_mode"), (None, "None".into()));
}

#[test]
fn the_manuals_template_is_read_and_what_we_do_not_do_is_named() {
    let template = include_str!("../data/configuration/template.yaml");
    let expected = [
        ("31:17", "compiler_parameters.input_source: input 'data': pyramid does not give input_type_rt 'yuv444'"),
        ("33:9", "compiler_parameters.jobs: 8 jobs are more than the 4 cores"),
    ];
    let warnings = read(template).expect("sound").warnings;
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), expected.len(), "{warnings:#?}");
    for (warning, (place, text)) in warnings.iter().zip(expected) {
        assert!(warning.contains(&format!(":{place}: warning: {text}")), "{warning} is {place}: {text}");
    }
}

#[test]
fn the_manuals_template_with_supported_values_is_sound() {
    let template = include_str!("../data/configuration/template.yaml");
    let mended = template
        .replace("\"OP_name\"", "null")
        .replace("\"Dequantize\"", "null")
        .replace("'yuv444'", "'rgb'")
        .replace("pyramid", "ddr")
        .replace("fc: 1000", "fc: 0");
    let configuration = read(&mended).expect("sound");
    assert_eq!(configuration.threads(), 4);
    let subjects: Vec<&str> = configuration.warnings.iter().map(|warning| warning.subject.as_str()).collect();
    assert_eq!(subjects, ["compiler_parameters.jobs"]);
    assert!(configuration.warnings.iter().all(|warning| warning.severity == Severity::Warning));
}

#[test]
fn several_inputs() {
    let text = "\
model_parameters: {onnx_model: model.onnx, march: nash-m, output_model_file_prefix: two, working_dir: out}
input_parameters:
  input_name: 'a; b'
  input_type_train: 'featuremap; rgb;'
  input_type_rt: 'featuremap;rgb'
  input_layout_train: 'NCHW;NHWC'
  input_shape: '1x10; 1x8x8x3'
  norm_type: 'no_preprocess; data_mean'
  mean_value: 'None; 1,2, 3'
calibration_parameters: {cal_data_dir: 'left;right', calibration_type: max, max_percentile: 0.999}
compiler_parameters:
";
    let configuration = read(text).expect("sound");
    let [a, b] = configuration.inputs.as_slice() else { panic!("two inputs") };
    assert_eq!((a.get(&MEAN_VALUE), a.get(&INPUT_SHAPE)), (&None, &Some(vec![1, 10])));
    assert_eq!((b.get(&MEAN_VALUE), *b.get(&INPUT_LAYOUT_TRAIN)), (&Some(vec![1.0, 2.0, 3.0]), Layout::Nhwc));
    assert!(b.get(&CAL_DATA_DIR).as_ref().is_some_and(|folder| folder.ends_with("right")));
    assert_eq!(*configuration.get(&MAX_PERCENTILE), 0.999);
    assert_eq!(*configuration.get(&OPTIMIZE_LEVEL), OptimizeLevel::O0, "the manual's default");

    let counts = errors(&text.replace("'NCHW;NHWC'", "'NCHW'").replace("'left;right'", "left"));
    assert_eq!(counts.len(), 2, "{counts:#?}");
    assert!(counts[0].starts_with(
        "cfg.yaml:6:23: input_parameters.input_layout_train: has 1 value, but input_name names 2 inputs;"
    ));
    assert!(counts[1].starts_with("cfg.yaml:10:40: calibration_parameters.cal_data_dir: has 1 value"), "{counts:#?}");
    refused(&text.replace("'a; b'", "'a; a'"), "3:15", &["input_parameters.input_name: 'a' is given twice"]);
    refused(&text.replace("'a; b'", "'a; ; b'"), "3:15", &["item 2: it is empty; write a value between"]);
}

#[test]
fn documentation_is_not_stale() {
    golden::check("docs/configuration.md", &documentation());
    golden::check("docs/configuration.schema.json", &schema_text());
}
