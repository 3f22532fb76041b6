//! The rules of the configuration file, one test each, with the message and the place it names.

use hb::driver::configuration::{
    Calibration, Configuration, Environment, FastPerf, FastPerfError, InputType, Layout, ModelInput, OptimizeLevel,
    PARAMETERS, Problems, Severity, configuration_text, documentation,
};
use proptest::prelude::*;
use std::path::Path;

/// A sound configuration. Its line numbers are what the tests below name.
const BASE: &str = "\
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
  mean_value: '103.94 116.78 123.68'
  scale_value: '0.017'
calibration_parameters:
  cal_data_dir: 'samples'
  calibration_type: 'max'
compiler_parameters:
  optimize_level: 'O2'
";

fn environment() -> Environment {
    Environment { marches: vec!["nash-e".into(), "nash-m".into()], cores: 4 }
}

/// A folder with what the configurations of these tests name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("model.onnx"), b"").expect("a file");
    for name in ["samples", "left", "right", "calibration_data"] {
        std::fs::create_dir(folder.path().join(name)).expect("a folder");
    }
    folder
}

fn read(text: &str) -> Result<Configuration, Problems> {
    let folder = folder();
    let path = folder.path().join("cfg.yaml");
    std::fs::write(&path, text).expect("a file");
    let mut outcome = Configuration::read(&path, &environment());
    if let Err(problems) = &mut outcome {
        for problem in &mut problems.0 {
            problem.file = "cfg.yaml".into();
            problem.what = problem.what.replace(&format!("{}/", folder.path().display()), "");
        }
    }
    outcome
}

/// Replaces line `number` of the base by `line`.
fn base_with(number: usize, line: &str) -> String {
    let lines = BASE.lines().enumerate().map(|(index, old)| if index + 1 == number { line } else { old });
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n") + "\n"
}

fn errors(text: &str) -> Vec<String> {
    match read(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.0.iter().map(ToString::to_string).collect(),
    }
}

/// The configuration must have exactly one problem, and its line must start with `place` and hold `fragments`.
#[track_caller]
fn refused(text: &str, place: &str, fragments: &[&str]) {
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
    assert_eq!(configuration.march, "nash-e");
    assert_eq!(configuration.output_model_file_prefix, "model");
    assert_eq!(configuration.calibration, Calibration::Max { percentile: 1.0 });
    assert_eq!(configuration.optimize_level, OptimizeLevel::O2);
    assert_eq!(configuration.jobs, 4, "16 by default, and 4 cores");
    assert!(configuration.warnings.is_empty());
    let folder = configuration.file.parent().expect("a folder");
    assert_eq!(configuration.onnx_model, folder.join("model.onnx"));
    assert_eq!(configuration.working_dir, folder.join("model_output"));
    assert_eq!(configuration.output_path(".hbm"), folder.join("model_output/model.hbm"));
    let [input] = configuration.inputs.as_slice() else { panic!("one input") };
    assert_eq!(input.name.as_deref(), Some("data"));
    assert_eq!((input.type_train, input.type_rt, input.layout), (InputType::Rgb, InputType::Bgr, Layout::Nchw));
    assert_eq!(input.shape.as_deref(), Some([1, 3, 224, 224].as_slice()));
    assert_eq!(input.mean.as_deref(), Some([103.94, 116.78, 123.68].as_slice()));
    assert_eq!(input.scale.as_deref(), Some([0.017].as_slice()));
    assert_eq!(input.calibration_directory, Some(folder.join("samples")));
}

#[test]
fn every_parameter_is_stored_as_given_and_as_it_holds() {
    let configuration = read(BASE).expect("sound");
    assert_eq!(configuration.parameters.len(), PARAMETERS.len());
    let stored = |key: &str| {
        let parameter = configuration.parameters.iter().find(|parameter| parameter.key == key).expect("stored");
        (parameter.given.clone(), parameter.effective.clone())
    };
    assert_eq!(stored("model_parameters.onnx_model"), (Some("model.onnx".into()), "model.onnx".into()));
    assert_eq!(stored("model_parameters.working_dir"), (None, "model_output".into()));
    assert_eq!(stored("compiler_parameters.jobs"), (None, "16".into()), "the machine's cores would differ elsewhere");
    assert_eq!(stored("model_parameters.debug_mode"), (None, "None".into()));
}

#[test]
fn the_manuals_template_is_read_and_what_we_do_not_do_is_named() {
    let template = include_str!("data/configuration/template.yaml");
    let expected = [
        ("8:17", "model_parameters.output_nodes: the parameter is known to the manual, not supported yet; remove it"),
        ("9:21", "model_parameters.remove_node_type: 'Dequantize' is known to the manual, not supported yet"),
        (
            "10:21",
            "model_parameters.remove_node_name: the parameter is known to the manual, not supported yet; remove it",
        ),
        ("20:18", "input_parameters.input_type_rt: 'yuv444' is known to the manual, not supported yet; use rgb or bgr"),
        (
            "24:21",
            "calibration_parameters.calibration_type: 'kl' is known to the manual, not supported yet; use max or skip",
        ),
        ("31:17", "compiler_parameters.input_source: anything but ddr is known to the manual, not supported yet"),
        (
            "32:20",
            "compiler_parameters.max_time_per_fc: anything but the default 0 is known to the manual, not supported yet",
        ),
        ("33:9", "compiler_parameters.jobs: 8 jobs are more than the 4 cores"),
    ];
    let errors = errors(template);
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for (error, (place, text)) in errors.iter().zip(expected) {
        let error = error.replace("warning: ", "");
        assert!(error.starts_with(&format!("cfg.yaml:{place}: {text}")), "{error} is {place}: {text}");
    }
}

#[test]
fn the_manuals_template_with_supported_values_is_sound() {
    let template = include_str!("data/configuration/template.yaml");
    let mended = template
        .replace("\"OP_name\"", "null")
        .replace("\"Dequantize\"", "null")
        .replace("'yuv444'", "'rgb'")
        .replace("'kl'", "'max'")
        .replace("pyramid", "ddr")
        .replace("fc: 1000", "fc: 0");
    let configuration = read(&mended).expect("sound");
    assert_eq!(configuration.jobs, 4);
    let [warning] = configuration.warnings.as_slice() else { panic!("{:?}", configuration.warnings) };
    assert_eq!((warning.severity, warning.subject.as_str()), (Severity::Warning, "compiler_parameters.jobs"));
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
    assert_eq!((a.mean.as_deref(), a.shape.as_deref()), (None, Some([1, 10].as_slice())));
    assert_eq!((b.mean.as_deref(), b.layout), (Some([1.0, 2.0, 3.0].as_slice()), Layout::Nhwc));
    assert!(b.calibration_directory.as_ref().is_some_and(|folder| folder.ends_with("right")));
    assert_eq!(configuration.calibration, Calibration::Max { percentile: 0.999 });
    assert_eq!(configuration.optimize_level, OptimizeLevel::O0, "the manual's default");

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
fn groups_are_required_known_and_unique() {
    refused(
        &BASE.replace("compiler_parameters:\n  optimize_level: 'O2'\n", ""),
        "1:1",
        &["compiler_parameters: the group is missing; add it"],
    );
    refused(&format!("{BASE}comp_parameters:\n"), "18:1", &["comp_parameters: no such group; "]);
    refused(&format!("{BASE}input_paramters: {{}}\n"), "18:1", &["did you mean 'input_parameters'?"]);
    refused(
        &format!("{BASE}model_parameters:\n"),
        "18:1",
        &["model_parameters: the group is given twice; join the two"],
    );
    refused(&format!("{BASE}jobs: 1\n"), "18:1", &["outside of its group", "compiler_parameters"]);
    refused(&format!("{BASE}custom_op: {{}}\n"), "18:1", &["later releases"]);
    let empty = errors("");
    assert_eq!(empty.len(), 4, "{empty:#?}");
    assert!(empty[0].contains("model_parameters: the group is missing; add it, with at least onnx_model, march"));
    refused("[1, 2]", "1:1", &["holds a YAML list, not parameter groups"]);
    let text = errors(&BASE.replace("compiler_parameters:\n  optimize_level: 'O2'", "compiler_parameters: O2"));
    assert!(text[0].contains("16:1: compiler_parameters: the group holds a string"), "{text:#?}");
}

#[test]
fn unknown_parameters_get_a_suggestion() {
    refused(
        &base_with(17, "  optimise_level: 'O2'"),
        "17:3",
        &["compiler_parameters.optimise_level: no such parameter; did you mean 'optimize_level'?"],
    );
    refused(&base_with(17, "  zzzzzzzzzz: 1"), "17:3", &["no such parameter; see docs/configuration.md"]);
    refused(
        &base_with(17, "  norm_type: 'no_preprocess'"),
        "17:3",
        &["compiler_parameters has no such parameter; move it to input_parameters"],
    );
    refused(&base_with(17, "  cache_mode: 'enable'"), "17:3", &["later releases of the vendor's tool"]);
    refused(&base_with(17, "  optimize_level: 'O2'\n  optimize_level: 'O1'"), "18:3", &["given twice"]);
    refused(&base_with(17, "  2: 3"), "17:3", &["compiler_parameters.2: no such parameter"]);
}

#[test]
fn all_problems_are_printed_together_in_the_order_of_the_file() {
    let text = BASE.replace("nash-e", "nash_e").replace("'rgb'", "'rbg'").replace("0.017", "zero").replace("'O2'", "2");
    let problems = read(&text).expect_err("faulty").to_string();
    let places: Vec<&str> = problems.lines().map(|line| line.split(": ").next().unwrap_or_default()).collect();
    assert_eq!(places, ["cfg.yaml:3:10", "cfg.yaml:6:21", "cfg.yaml:12:16", "cfg.yaml:17:19"], "{problems}");
}

#[test]
fn model_files() {
    refused(&base_with(2, ""), "1:1", &["model_parameters.onnx_model: no model is given; add onnx_model"]);
    refused(
        &base_with(2, "  onnx_model: 'other.onnx'"),
        "2:15",
        &["'other.onnx' cannot be read", "counts from the folder"],
    );
    refused(&base_with(2, "  onnx_model: samples"), "2:15", &["'samples' is not a file"]);
    refused(&base_with(2, "  onnx_model: 7"), "2:15", &["must be a string, but 7 is an integer; put it in quotes"]);
    let both = errors(&base_with(2, "  onnx_model: model.onnx\n  caffe_model: x\n  prototxt: y"));
    assert_eq!(both.len(), 3, "{both:#?}");
    assert!(both[0].contains("2:15: model_parameters.onnx_model: excludes caffe_model"));
    assert!(
        both[1].contains("3:16: model_parameters.caffe_model: the parameter is known to the manual, not supported yet")
    );
    let half = errors(&base_with(2, "  caffe_model: x"));
    assert!(half.iter().any(|error| error.contains("a Caffe model also needs prototxt; add prototxt")), "{half:#?}");
}

#[test]
fn march() {
    refused(
        &base_with(3, "  march: 'nash_e'"),
        "3:10",
        &["'nash_e' is not a known target; known are nash-e, nash-m; did you mean 'nash-e'?"],
    );
    refused(&base_with(3, ""), "1:1", &["model_parameters.march: the parameter is required, but not given"]);
}

#[test]
fn names_of_results() {
    for prefix in ["a/b", "../x", ".hidden", &"x".repeat(201)] {
        refused(
            &base_with(3, &format!("  march: 'nash-e'\n  output_model_file_prefix: '{prefix}'")),
            "4:29",
            &["cannot begin the names of files"],
        );
    }
    refused(&base_with(3, "  march: 'nash-e'\n  working_dir: model.onnx"), "4:16", &["exists and is not a directory"]);
    refused(&base_with(3, "  march: 'nash-e'\n  working_dir: \"a\\0b\""), "4:16", &["control character"]);
}

#[test]
fn booleans_are_booleans() {
    refused(
        &base_with(3, "  march: nash-e\n  layer_out_dump: 'False'"),
        "4:19",
        &["must be a boolean", "True or False without quotes"],
    );
    refused(
        &base_with(3, "  march: nash-e\n  layer_out_dump: True"),
        "4:19",
        &["anything but the default False is known to the manual, not supported yet"],
    );
    assert!(read(&base_with(3, "  march: nash-e\n  layer_out_dump: false")).is_ok());
}

#[test]
fn defaults_of_what_is_not_supported_are_accepted() {
    let text = BASE.replace("  optimize_level: 'O2'", "  compile_mode: latency\n  core_num: 1\n  input_source: {data: ddr}\n  max_time_per_fc: 0\n  advice: 0\n  optimize_level: O1")
        .replace("  input_name: 'data'", "  input_name: 'data'\n  input_batch: 1\n  separate_batch: False\n  input_space_and_range: regular")
        .replace("  cal_data_dir", "  per_channel: False\n  optimization:\n  quant_config: null\n  cal_data_dir");
    assert!(read(&text).is_ok(), "{:#?}", errors(&text));
}

#[test]
fn what_is_not_supported_says_so() {
    let compiler = |line: &str| base_with(17, line);
    for line in ["  compile_mode: bandwidth", "  compile_mode: 'balance'", "  max_time_per_fc: 2000", "  advice: 5"] {
        refused(
            &compiler(line),
            &format!("17:{}", line.find(": ").expect("a colon") + 3),
            &["known to the manual, not supported yet"],
        );
    }
    refused(&compiler("  input_source: {data: resizer}"), "17:17", &["not supported yet"]);
    refused(&compiler("  core_num: 2"), "17:13", &["2 is out of range; write a whole number in the range 1"]);
    refused(&compiler("  input_source: {other: ddr}"), "17:17", &["'other' is not in input_name"]);
    refused(&compiler("  input_source: ddr"), "17:17", &["must be a mapping", "{\"input name\": \"ddr\"}"]);
    refused(&compiler("  input_source: {data: dddr}"), "17:17", &["'dddr' is not one of ddr", "did you mean 'ddr'?"]);
    for line in ["  input_batch: 8", "  separate_batch: True"] {
        refused(
            &base_with(5, &format!("  input_name: data\n{line}")),
            &format!("6:{}", line.find(": ").expect("a colon") + 3),
            &["not supported yet"],
        );
    }
    for line in ["  per_channel: True", "  optimization: asymmetric", "  quant_config: q.json"] {
        refused(
            &base_with(15, &format!("  calibration_type: max\n{line}")),
            &format!("16:{}", line.find(": ").expect("a colon") + 3),
            &["not supported yet"],
        );
    }
    for line in ["  debug_mode: dump_calibration_data", "  node_info: {n: {ON: BPU}}", "  node_info: 'n:int16'"] {
        refused(
            &base_with(3, &format!("  march: nash-e\n{line}")),
            &format!("4:{}", line.find(": ").expect("a colon") + 3),
            &["not supported yet"],
        );
    }
}

#[test]
fn input_types() {
    refused(
        &base_with(7, "  input_type_rt: 'featuremap'"),
        "7:18",
        &["input 'data': 'featuremap' cannot be turned into input_type_train 'rgb'", "use one of rgb, bgr"],
    );
    refused(
        &base_with(7, "  input_type_rt: 'nv12'"),
        "7:18",
        &["'nv12' is known to the manual, not supported yet; use rgb or bgr or featuremap"],
    );
    refused(&base_with(7, "  input_type_rt: 'RGB'"), "7:18", &["did you mean 'rgb'?"]);
    refused(&base_with(7, ""), "4:1", &["input_parameters.input_type_rt: the parameter is required"]);
    refused(&base_with(7, "  input_type_rt: 'rgb;rgb'"), "7:18", &["has 2 values, but input_name names 1 input;"]);
    refused(
        &base_with(7, "  input_type_rt: [rgb]"),
        "7:18",
        &["not a YAML list; write the values into one string, separated by ';'"],
    );
    refused(
        &base_with(5, "").replace("'rgb'", "'rgb;rgb'"),
        "5:21",
        &["has 2 values, but without input_name the model has one input"],
    );
}

#[test]
fn layouts_and_shapes() {
    refused(
        &base_with(8, "  input_layout_train: 'NHWC'"),
        "8:23",
        &["bgr has 3 channels, but with NHWC the shape 1x3x224x224 has 224"],
    );
    refused(
        &base_with(8, "  input_layout_train: 'NCWH'"),
        "8:23",
        &["'NCWH' is not one of NHWC, NCHW", "did you mean"],
    );
    refused(
        &base_with(9, "  input_shape: '1x3x224'"),
        "7:18",
        &["input_parameters.input_type_rt: input 'data': bgr needs a shape of rank 4, not 1x3x224"],
    );
    refused(&base_with(9, "  input_shape: '1x3x-1x224'"), "9:16", &["'-1' in '1x3x-1x224' is not a size"]);
}

#[test]
fn preprocessing() {
    refused(
        &base_with(12, ""),
        "4:1",
        &["input_parameters.scale_value: input 'data': norm_type data_mean_and_scale needs it, but it is not given"],
    );
    refused(
        &base_with(10, "  norm_type: 'data_mean'"),
        "12:16",
        &["scale_value: input 'data': would have no effect, because norm_type says 'data_mean'"],
    );
    let absent = errors(&base_with(10, ""));
    assert_eq!(absent.len(), 2, "{absent:#?}");
    assert!(
        absent[0].contains("10:15: input_parameters.mean_value")
            && absent[0].contains("norm_type is not given, so it is 'no_preprocess'")
    );
    refused(
        &base_with(11, "  mean_value: '1 2'"),
        "11:15",
        &["has 2 numbers, but the input has 3 channels; give one number for all channels"],
    );
    refused(&base_with(12, "  scale_value: '1 0 1'"), "12:16", &["a scale of 0 erases the data"]);
    refused(&base_with(12, "  scale_value: 'a'"), "12:16", &["'a' is not a number"]);
    refused(&base_with(12, "  scale_value: .inf"), "12:16", &["inf is not a finite number"]);
    let flat = BASE
        .replace("'rgb'", "'featuremap'")
        .replace("'bgr'", "'featuremap'")
        .replace("1x3x224x224", "1x10")
        .replace("103.94 116.78 123.68", "1");
    refused(&flat, "10:14", &["a featuremap of shape 1x10 can only have no_preprocess"]);
}

#[test]
fn calibration() {
    refused(
        &base_with(15, ""),
        "13:1",
        &[
            "calibration_parameters.calibration_type: not given, so the manual's default 'default' holds",
            "add calibration_type: 'max'",
        ],
    );
    for kind in ["default", "mix", "kl"] {
        refused(
            &base_with(15, &format!("  calibration_type: {kind}")),
            "15:21",
            &["is known to the manual, not supported yet; use max or skip"],
        );
    }
    refused(
        &base_with(14, ""),
        "13:1",
        &["calibration_parameters.cal_data_dir: not given, but calibration_type max needs samples"],
    );
    refused(&base_with(14, "  cal_data_dir: nowhere"), "14:17", &["'nowhere' cannot be read"]);
    refused(&base_with(14, "  cal_data_dir: model.onnx"), "14:17", &["'model.onnx' is not a directory"]);
    refused(
        &base_with(15, "  calibration_type: max\n  max_percentile: 0.4"),
        "16:19",
        &["0.4 is out of range; write a number in the range 0.5 to 1"],
    );
    let skip = read(&base_with(15, "  calibration_type: skip\n  max_percentile: 0.9")).expect("warnings only");
    let warnings: Vec<String> = skip.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(skip.calibration, Calibration::Skip);
    assert!(
        warnings[0].contains(":14:17: warning: calibration_parameters.cal_data_dir: is not used with"),
        "{warnings:#?}"
    );
    assert!(
        warnings[1].contains(":16:19: warning: calibration_parameters.max_percentile: has an effect only with"),
        "{warnings:#?}"
    );
    assert!(read(&base_with(14, "").replace("'max'", "skip")).is_ok());
}

#[test]
fn compiler() {
    refused(&base_with(17, "  optimize_level: 'O3'"), "17:19", &["'O3' is not one of O0, O1, O2; did you mean"]);
    refused(&base_with(17, "  optimize_level: 2"), "17:19", &["must be a string, but 2 is an integer"]);
    refused(&base_with(17, "  jobs: -1"), "17:9", &["-1 is out of range"]);
    refused(&base_with(17, "  jobs: many"), "17:9", &["'many' is not an integer"]);
    refused(&base_with(17, "  jobs: 1.5"), "17:9", &["must be an integer, but 1.5 is a number"]);
    for (given, jobs) in [("0", 4), ("2", 2), ("'3'", 3), ("64", 4)] {
        assert_eq!(read(&base_with(17, &format!("  jobs: {given}"))).expect("sound").jobs, jobs, "{given}");
    }
    let factor = read(&base_with(17, "  balance_factor: 50")).expect("a warning only");
    assert!(factor.warnings[0].to_string().contains("17:19: warning: compiler_parameters.balance_factor"));
    refused(&base_with(17, "  balance_factor: 101"), "17:19", &["101 is out of range"]);
}

fn declared(name: &str, shape: &[Option<u64>], element: &str) -> ModelInput {
    ModelInput { name: name.into(), shape: shape.to_vec(), element: element.into() }
}

#[track_caller]
fn mismatch(text: &str, model: &[ModelInput], fragments: &[&str]) {
    let problems = read(text).expect("sound").check_against(model).expect_err("does not fit the model").to_string();
    assert_eq!(problems.lines().count(), 1, "{problems}");
    for fragment in fragments {
        assert!(problems.contains(fragment), "{problems} holds {fragment}");
    }
}

#[test]
fn against_the_model() {
    let shape = [None, Some(3), Some(224), None];
    let fitting = declared("data", &shape, "f32");
    let checked = read(BASE).expect("sound").check_against(std::slice::from_ref(&fitting)).expect("fits");
    assert_eq!(checked[0].shape, [1, 3, 224, 224]);
    assert_eq!(checked[0].scale.as_deref(), Some([0.017; 3].as_slice()), "one number holds for each channel");

    mismatch(BASE, &[declared("date", &shape, "f32")], &["the model has no input 'data'"]);
    mismatch(
        BASE,
        &[fitting.clone(), declared("more", &[Some(1)], "f32")],
        &[":5:15: ", "also has the input(s) 'more'", "'data; more'"],
    );
    mismatch(
        BASE,
        &[declared("data", &[Some(1), Some(3), Some(32), Some(32)], "f32")],
        &[":9:16: ", "1x3x224x224 is not the model's shape 1x3x32x32"],
    );
    mismatch(BASE, &[declared("data", &shape, "i64")], &[":7:18: ", "its elements are i64"]);

    let unnamed = base_with(5, "").replace("  input_shape: '1x3x224x224'\n", "");
    let checked =
        read(&unnamed).expect("sound").check_against(&[declared("x", &[None, Some(3), Some(8), Some(8)], "f32")]);
    assert_eq!(checked.expect("fits")[0].shape, [1, 3, 8, 8], "only the first dimension becomes 1");
    mismatch(
        &unnamed,
        &[fitting.clone()],
        &["input_parameters.input_shape", "leaves dimension 3 of ?x3x224x? open; add input_shape"],
    );
    let one_mean = unnamed.replace("103.94 116.78 123.68", "7");
    mismatch(
        &one_mean,
        &[declared("x", &[Some(1), Some(4), Some(8), Some(8)], "f32")],
        &["bgr has 3 channels", "has 4"],
    );
    mismatch(
        &unnamed,
        &[fitting.clone(), fitting],
        &["the model has 2 inputs, so their names are needed; add input_name: 'data; data'"],
    );
}

#[test]
fn fast_perf_goes_through_the_same_table() {
    let folder = folder();
    let options = FastPerf {
        model: "model.onnx".into(),
        march: "nash-m".into(),
        shapes: vec![("b: \"x\"".into(), "2x5".into())],
    };
    let inputs = [declared("a", &[None, Some(3)], "f32"), declared("b: \"x\"", &[None, None], "f32")];
    let text = configuration_text(&options, &inputs).expect("expressible");
    let path = folder.path().join(".fast_perf/model.yaml");
    std::fs::create_dir(folder.path().join(".fast_perf")).expect("a folder");
    std::fs::write(&path, text).expect("a file");
    let configuration = Configuration::read(&path, &environment()).expect("sound");
    let checked = configuration.check_against(&inputs).expect("fits");
    assert_eq!((checked[0].shape.as_slice(), checked[1].shape.as_slice()), ([1, 3].as_slice(), [2, 5].as_slice()));
    assert_eq!(configuration.working_dir, folder.path().join(".fast_perf"));
    assert_eq!(configuration.output_model_file_prefix, "model");
    assert_eq!((configuration.calibration, configuration.optimize_level), (Calibration::Skip, OptimizeLevel::O2));

    let error = |shapes: &[(&str, &str)]| {
        let shapes = shapes.iter().map(|(name, shape)| ((*name).to_owned(), (*shape).to_owned())).collect();
        configuration_text(&FastPerf { shapes, ..options.clone() }, &inputs).expect_err("must fail")
    };
    assert!(matches!(error(&[]), FastPerfError::Open { dimension: 1, .. }));
    assert!(matches!(error(&[("c", "1")]), FastPerfError::UnknownInput { .. }));
    assert!(matches!(error(&[("a", "1"), ("a", "1")]), FastPerfError::Twice(_)));
}

#[test]
fn hostile_files_are_errors() {
    let folder = folder();
    let missing = Configuration::read(&folder.path().join("none.yaml"), &environment()).expect_err("no file");
    assert!(missing.to_string().contains("cannot be read"), "{missing}");
    for bytes in [
        b"model_parameters:\n\tmarch: x\n".to_vec(),
        b"a: \xff\xfe".to_vec(),
        b"\0\0\0".to_vec(),
        vec![b'a'; 1 << 20],
        "[".repeat(100_000).into_bytes(),
        "{a: ".repeat(100_000).into_bytes(),
        format!("{}{}", "{a: ".repeat(4000), "b, ".repeat(100_000)).into_bytes(),
        "- ".repeat(200_000).into_bytes(),
        format!("model_parameters: {}", "[".repeat(500_000)).into_bytes(),
        "a: &a [*a, *a]".into(),
        "a".repeat(1000).into(),
        "? [a]\n: b\n".into(),
        "model_parameters: !!binary aGk=\n".into(),
        "\u{feff}model_parameters:\n".into(),
        "%YAML 9.9\n---\n".into(),
    ] {
        let problems = Configuration::from_bytes(&bytes, Path::new("cfg.yaml"), &environment()).expect_err("hostile");
        assert!(problems.to_string().len() < 20_000);
    }
    let many: String = (0..15_000).map(|index| format!("  p{index}: 1\n")).collect();
    let problems = errors(&format!("model_parameters:\n{many}"));
    assert!(problems.len() < 300, "{}", problems.len());
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = Configuration::from_bytes(text.as_bytes(), Path::new("cfg.yaml"), &environment());
    }

    #[test]
    fn no_change_of_a_sound_file_panics(position in 0..BASE.len(), replacement in "[-:;'\"{}\\[\\]#&*!|>%@x0 \\n\\t]{0,4}", cut in 0usize..12) {
        let mut text = BASE.to_owned();
        text.replace_range(position..(position + cut).min(BASE.len()), &replacement);
        let _ = Configuration::from_bytes(text.as_bytes(), Path::new("cfg.yaml"), &environment());
    }
}

/// `make docs` runs this with `HB_BLESS=1`, which writes the page instead of comparing it.
#[test]
fn documentation_is_not_stale() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    if std::env::var_os("HB_BLESS").is_some() {
        std::fs::write(&path, documentation()).expect("docs can be written");
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(page == documentation(), "docs/configuration.md is stale; run make docs");
}
