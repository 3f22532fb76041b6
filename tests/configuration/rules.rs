//! One test per rule of the file itself: the message and the place.

use crate::{BASE, base_with, errors, read, refused};
use hb::driver::configuration::{
    ACCURACY_COMMAND, ACCURACY_TARGET, CAL_DATA_DIR, CALIBRATION_TYPE, CalibrationType, LATENCY_BUDGET, MAX_PERCENTILE,
};

#[test]
fn groups_are_known_and_unique() {
    let without = BASE.replace("compiler_parameters:\n  optimize_level: 'O2'\n", "");
    assert!(read(&without).expect("a missing group is an empty one").warnings.is_empty());
    refused(&format!("{BASE}comp_parameters:\n"), "18:1", &["comp_parameters: no such group; "]);
    refused(&format!("{BASE}input_paramters: {{}}\n"), "18:1", &["did you mean 'input_parameters'?"]);
    refused(
        &format!("{BASE}model_parameters:\n"),
        "18:1",
        &["model_parameters: 'model_parameters' is given twice, in lines 1 and 18, with different values; remove one"],
    );
    refused(&format!("{BASE}jobs: 1\n"), "18:1", &["outside of its group", "compiler_parameters"]);
    refused(&format!("{BASE}custom_op: {{a: b}}\n"), "18:1", &["later releases"]);
    let empty = errors("");
    let missing = ["march", "input_type_train", "input_type_rt", "onnx_model", "cal_data_dir"];
    assert_eq!(empty.len(), missing.len(), "{empty:#?}");
    assert!(missing.iter().all(|name| empty.iter().any(|line| line.contains(&format!(".{name}: ")))), "{empty:#?}");
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
    // What was told by its wrong name, place or group is not told again as missing.
    let once = |text: &str, told: &str| {
        let lines = errors(text);
        assert!(lines.len() == 1 && lines[0].contains(told), "{lines:#?}");
    };
    once(&BASE.replace("mean_value", "mean_values"), "did you mean 'mean_value'?");
    once(&BASE.replace("cal_data_dir", "calib_data_dir"), "did you mean 'cal_data_dir'?");
    once(&BASE.replace("input_parameters", "input_paramters"), "did you mean 'input_parameters'?");
    once(&(BASE.replace("  march: 'nash-e'\n", "") + "march: nash-e\n"), "outside of its group");
    once(&(BASE.replace("  march: 'nash-e'\n", "") + "  march: nash-e\n"), "move it to model_parameters");
    refused(&base_with(17, "  zzzzzzzzzz: 1"), "17:3", &["no such parameter; see docs/configuration.md"]);
    refused(
        &base_with(17, "  norm_type: 'no_preprocess'"),
        "17:3",
        &["compiler_parameters has no such parameter; move it to input_parameters"],
    );
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
    let both =
        errors(&base_with(2, "  onnx_model: model.onnx\n  caffe_model: model.caffemodel\n  prototxt: model.prototxt"));
    assert_eq!(both.len(), 1, "{both:#?}");
    assert!(both[0].contains("2:15: model_parameters.onnx_model: excludes caffe_model"));
    let half = errors(&base_with(2, "  caffe_model: x"));
    assert!(half.iter().any(|error| error.contains("a Caffe model also needs prototxt; add prototxt")), "{half:#?}");
}

#[test]
fn march() {
    refused(&base_with(3, "  march: 'nash_e'"), "3:10", &["'nash_e' is not how the target is written; write 'nash-e'"]);
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
    assert!(read(&base_with(3, "  march: nash-e\n  layer_out_dump: True")).is_ok());
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
    let supported = [
        "  compile_mode: bandwidth",
        "  compile_mode: balance\n  balance_factor: 1",
        "  optimize_level: O1",
        "  max_time_per_fc: 2000",
    ];
    for line in supported {
        assert!(read(&compiler(line)).expect("sound").warnings.is_empty(), "{line}");
    }
    let balance = errors(&compiler("  compile_mode: balance"));
    assert!(
        balance[0].contains("16:1: compiler_parameters.balance_factor: not given, but compile_mode balance needs it")
    );
    // Beside the word that it has no effect.
    let among = |line: &str, text: &str| {
        let found = errors(&compiler(line));
        assert!(found.iter().any(|error| error.starts_with("cfg.yaml:17:17") && error.contains(text)), "{found:#?}");
    };
    among("  input_source: {data: resizer}", "resizer does not give input_type_rt 'bgr'; it gives nv12 and gray");
    among("  input_source: {other: ddr}", "'other' is not in input_name");
    refused(&compiler("  core_num: 2"), "17:13", &["2 is out of range; write a whole number: 1"]);
    refused(&compiler("  input_source: ddr"), "17:17", &["must be a mapping", "{\"input name\": \"ddr\"}"]);
    refused(&compiler("  input_source: {data: dddr}"), "17:17", &["'dddr' is not one of ddr", "did you mean 'ddr'?"]);
    let separate = read(&base_with(5, "  input_name: data\n  separate_batch: True")).expect("warnings only").warnings;
    assert!(separate[0].what.contains("nothing to separate, because input_batch is 1"), "{separate:#?}");
    assert!(read(&base_with(3, "  march: nash-e\n  node_info: {n: {ON: BPU}}")).is_ok());
}

#[test]
fn input_types() {
    refused(
        &base_with(7, "  input_type_rt: 'featuremap'"),
        "7:18",
        &["input 'data': 'featuremap' cannot be turned into input_type_train 'rgb'", "use one of rgb, bgr"],
    );
    let offset = |rt: &str| base_with(7, &format!("  input_type_rt: '{rt}'")).replace("'rgb'", "'yuv444_128'");
    assert!(read(&offset("yuv444_128")).is_ok());
    refused(
        &offset("nv12"),
        "7:18",
        &["'nv12' cannot be turned into input_type_train 'yuv444_128'; use one of yuv444_128"],
    );
    for legal in ["rgb", "bgr", "yuv444", "yuv444_128", "nv12"] {
        assert!(read(&base_with(7, &format!("  input_type_rt: '{legal}'"))).is_ok(), "{legal}");
    }
    refused(&base_with(7, "  input_type_rt: 'gray'"), "7:18", &["'gray' cannot be turned into input_type_train 'rgb'"]);
    let space = |rt: &str| base_with(7, &format!("  input_type_rt: {rt}\n  input_space_and_range: bt601_video"));
    assert!(read(&space("nv12")).is_ok());
    refused(&space("yuv444"), "8:26", &["bt601_video needs input_type_rt nv12 and input_type_train rgb or bgr"]);
    refused(&base_with(7, "  input_type_rt: 'RGB'"), "7:18", &["did you mean 'rgb'?"]);
    refused(&base_with(7, ""), "4:1", &["input_parameters.input_type_rt: the parameter is required"]);
    refused(&base_with(7, "  input_type_rt: 'rgb;rgb'"), "7:18", &["has 2 values, but input_name names 1 input;"]);
    refused(&base_with(7, "  input_type_rt: [rgb]"), "7:18", &["not a YAML list; write it as one string: rgb, bgr, "]);
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
    refused(&base_with(9, "  input_shape: '1,3,224,224'"), "9:18", &["',' separates no sizes", "write '1x3x224x224'"]);
    // The layout is what is wrong, not the height.
    let swapped = base_with(8, "  input_layout_train: 'NHWC'").replace("'bgr'", "'nv12'");
    let told = errors(&swapped).join("\n");
    assert!(told.contains("with NHWC the shape 1x3x224x224 has 224") && !told.contains("is odd"), "{told}");
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
        .replace("110.94 116.78 120.68", "1");
    refused(&flat, "10:14", &["a featuremap of shape 1x10 can only have no_preprocess"]);
}

#[test]
fn calibration() {
    for (line, expected) in [
        ("", CalibrationType::Default),
        ("  calibration_type: default", CalibrationType::Default),
        ("  calibration_type: kl", CalibrationType::Kl),
        ("  calibration_type: mix", CalibrationType::Mix),
    ] {
        let sound = read(&base_with(15, line)).expect("sound");
        assert_eq!((*sound.get(&CALIBRATION_TYPE), *sound.get(&ACCURACY_TARGET)), (expected, 0.993));
    }
    let judged = read(&base_with(15, "  accuracy_command: python judge.py\n  latency_budget: 7.5")).expect("sound");
    assert_eq!(judged.get(&ACCURACY_COMMAND).as_deref(), Some("python judge.py"));
    assert_eq!(*judged.get(&LATENCY_BUDGET), Some(7.5));
    let int8 = read(&base_with(15, "  accuracy_target: 0")).expect("sound");
    assert_eq!(*int8.get(&ACCURACY_TARGET), 0.0);
    let other = read(&base_with(15, "  calibration_type: max\n  accuracy_target: 0.9")).expect("warnings only");
    let warnings: Vec<String> = other.warnings.iter().map(ToString::to_string).collect();
    assert!(warnings[0].contains("accuracy_target: has an effect only with"), "{warnings:#?}");
    refused(
        &base_with(15, "  accuracy_target: 1.1"),
        "15:20",
        &["1.1 is out of range; write a number in the range 0 to 1"],
    );
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
    assert_eq!(*skip.get(&CALIBRATION_TYPE), CalibrationType::Skip);
    // What has no effect does not hold.
    assert_eq!((*skip.get(&MAX_PERCENTILE), skip.inputs[0].get(&CAL_DATA_DIR)), (1.0, &None));
    assert!(
        warnings[0].contains(":14:17: warning: calibration_parameters.cal_data_dir: has an effect only with"),
        "{warnings:#?}"
    );
    assert!(
        warnings[1].contains(":16:19: warning: calibration_parameters.max_percentile: has an effect only with"),
        "{warnings:#?}"
    );
    assert!(read(&base_with(14, "").replace("'max'", "skip")).is_ok());
}

/// What holds where nothing says where the data comes from.
#[test]
fn the_source_of_each_input_is_told() {
    let effective = |text: &str| {
        let configuration = read(text).expect("it is right");
        let stored = configuration.parameters.iter().find(|stored| stored.parameter.name == "input_source");
        stored.expect("a row").effective.clone()
    };
    assert_eq!(effective(BASE), "ddr");
    assert_eq!(effective(&BASE.replace("input_type_rt: 'bgr'", "input_type_rt: 'nv12'")), "pyramid");
    let given = base_with(17, "  input_source: {data: ddr}");
    assert!(effective(&given.replace("input_type_rt: 'bgr'", "input_type_rt: 'nv12'")).contains("ddr"));
}

#[test]
fn compiler() {
    refused(&base_with(17, "  jobs: -1"), "17:9", &["-1 is out of range"]);
    refused(&base_with(17, "  jobs: many"), "17:9", &["'many' is not an integer"]);
    refused(&base_with(17, "  jobs: 1.5"), "17:9", &["must be an integer, but 1.5 is a number"]);
    for (given, jobs) in [("0", 4), ("2", 2), ("'3'", 3), ("64", 4)] {
        assert_eq!(read(&base_with(17, &format!("  jobs: {given}"))).expect("sound").threads(), jobs, "{given}");
    }
    let factor = read(&base_with(17, "  balance_factor: 50")).expect("a warning only");
    assert!(factor.warnings[0].to_string().contains("17:19: warning: compiler_parameters.balance_factor"));
    refused(&base_with(17, "  balance_factor: 101"), "17:19", &["101 is out of range"]);
}

/// The manual's restrictions: no dump of layers, and one image at a time.
#[test]
fn the_resizer_stands_alone() {
    let nv12 =
        base_with(17, "  input_source: {data: resizer}").replace("input_type_rt: 'bgr'", "input_type_rt: 'nv12'");
    assert_eq!(errors(&nv12), Vec::<String>::new());
    let dumped = nv12.replace("  march: 'nash-e'", "  march: 'nash-e'\n  layer_out_dump: True");
    assert!(errors(&dumped)[0].contains("layer_out_dump: excludes input_source resizer, which is given as well"));
    let batch = nv12.replace("  input_type_train", "  input_batch: 2\n  input_type_train");
    let told = errors(&batch);
    assert!(
        told.iter().any(|error| error.contains("the resizer gives one image, but input_batch asks for more")),
        "{told:#?}"
    );
}

#[test]
fn words_that_contradict_each_other() {
    let calibration = |words: &str| base_with(14, &format!("  calibration_type: max\n  optimization: '{words}'"));
    for (words, pair) in [
        ("set_model_output_int16;set_model_output_int8", "'set_model_output_int16' and 'set_model_output_int8'"),
        (
            "set_Conv_input_int16;asymmetric;set_Conv_input_float16",
            "'set_Conv_input_int16' and 'set_Conv_input_float16'",
        ),
    ] {
        let told = errors(&calibration(words));
        assert!(told.iter().any(|line| line.contains(&format!("{pair} contradict each other"))), "{told:#?}");
    }
    let told = errors(&BASE.replace("0.017", "1e38"));
    assert!(told.iter().any(|line| line.contains("is beyond 1e6")), "{told:#?}");
}
