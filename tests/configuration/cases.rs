//! Files as people have them: those of published configurations that have a right answer, keys of other tools, forms, and what is questioned.

use crate::{BASE, base_with, environment, errors, folder, read, refused};
use hb::driver::configuration::{
    Configuration, FOREIGN_KEYS, INPUT_LAYOUT_TRAIN, Layout, MEAN_VALUE, ModelFacts, ModelInput, ModelNode, NORM_TYPE,
    NormType, SCALE_VALUE, question_samples,
};

/// A file for one image input, as most people write it.
fn image(input: &str, calibration: &str, compiler: &str) -> String {
    format!(
        "model_parameters:\n  onnx_model: model.onnx\n  march: nash-e\ninput_parameters:\n  input_type_train: 'bgr'\n  \
         input_type_rt: 'rgb'\n  input_layout_train: NCHW\n{input}calibration_parameters:\n  cal_data_dir: samples\n  \
         calibration_type: max\n{calibration}compiler_parameters:\n{compiler}"
    )
}

#[track_caller]
fn warnings(text: &str) -> Vec<String> {
    let configuration = read(text).unwrap_or_else(|problems| panic!("{problems}"));
    configuration.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn an_nv12_classifier_with_empty_names() {
    let text = "\
model_parameters: {onnx_model: model.onnx, march: nash-e}
input_parameters: {input_name: \"\", input_shape: '', input_type_rt: 'nv12', input_type_train: 'bgr', input_layout_train: NCHW, norm_type: 'data_mean_and_scale', mean_value: 104 117 123, scale_value: 0.0171 0.0175 0.0174}
calibration_parameters: {cal_data_dir: samples, calibration_type: max, cal_data_type: 'float32'}
compiler_parameters: {debug: False}
";
    let told = warnings(text);
    assert_eq!(told.len(), 1, "{told:#?}");
    let expected = "cfg.yaml:3:72: warning: calibration_parameters.cal_data_type: it is of the older tool hb_mapper: the element type of \
                    the calibration samples; it changes nothing here; remove it";
    assert!(told[0].ends_with(expected), "{told:#?}");
}

#[test]
fn a_feature_map_has_no_layout() {
    let text = |layouts: &str| {
        format!(
            "model_parameters: {{onnx_model: model.onnx, march: nash-e}}\n\
             input_parameters: {{input_name: im;v, input_type_train: rgb;featuremap, input_type_rt: nv12;featuremap, input_layout_train: {layouts}}}\n\
             calibration_parameters: {{cal_data_dir: samples;samples, calibration_type: max}}\n"
        )
    };
    let configuration = read(&text("NHWC;None")).unwrap_or_else(|problems| panic!("{problems}"));
    let layouts: Vec<Layout> = configuration.inputs.iter().map(|input| *input.get(&INPUT_LAYOUT_TRAIN)).collect();
    assert_eq!(layouts, [Layout::Nhwc, Layout::Nchw]);
    refused(&text("None;NCHW"), "2:124", &["item 1: None is for feature maps"]);
}

#[test]
fn three_inputs_with_a_semicolon_at_the_end_of_each() {
    let text = "\
model_parameters: {onnx_model: model.onnx, march: nash-e}
input_parameters:
  input_name: 'a;b;c;'
  input_type_train: 'featuremap;featuremap;featuremap;'
  input_type_rt: 'featuremap;featuremap;featuremap;'
  input_layout_train: 'NCHW;NCHW;NCHW;'
  input_layout_rt: 'NCHW;NCHW;NCHW;'
  norm_type: 'no_preprocess;no_preprocess;no_preprocess;'
calibration_parameters:
  cal_data_dir: 'left;right;samples;'
  calibration_type: max
OPTIMIZATIONcompiler_parameters: {}
";
    let told = warnings(&text.replace("OPTIMIZATION", ""));
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("input_layout_rt") && told[0].contains("changes nothing"), "{told:#?}");
    let precision = text.replace("OPTIMIZATION", "  optimization: set_all_nodes_int16\n");
    assert_eq!(warnings(&precision).len(), 1);
    assert_eq!(warnings(&text.replace("OPTIMIZATION", "  optimization: asymmetric\n")).len(), 1);
    assert_eq!(warnings(&text.replace("OPTIMIZATION", "  optimization: lstm_batch_last\n")).len(), 1);
    refused(
        &text.replace("OPTIMIZATION", "").replace("input_layout_rt: 'NCHW;NCHW", "input_layout_rt: 'NHWC;NCHW"),
        "7:3",
        &["'NHWC;NCHW;NCHW;' is not supported", "needs a Transpose"],
    );
}

#[test]
fn what_asks_for_nothing_is_passed_over_in_silence() {
    let text = image(
        "  std_value: ''\n  preprocess_on: False\n  input_batch: 1\n",
        "  quant_config: {}\n  optimization: ''\n",
        "  cache_mode: disable\n  max_l2m_size: 0\n  extra_params: {}\n  compile_mode: latency\n  balance_factor: 0\n  input_source: {}\n  debug: False\n  \
         advice: 0.0\n  cache_path: ''\n  enable_vpu: False\n",
    )
    .replace("  march: nash-e\n", "  march: nash-e\n  output_nodes: ''\n  remove_node_type: ''\n  node_info: {}\n  debug_mode: False\n")
        + "custom_op: {}\n";
    assert_eq!(warnings(&text), Vec::<String>::new());
}

#[test]
fn what_the_numbers_imply() {
    let text =
        image("  mean_value: '123.7,116.3,103.5'\n  std_value: '58.4,57.1,57.4'\n", "", "").replace("'bgr'", "'rgb'");
    let told = warnings(&text);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].contains("norm_type: not given; mean_value and std_value imply 'data_mean_and_scale'"),
        "{told:#?}"
    );
    let configuration = read(&text).expect("sound");
    let input = &configuration.inputs[0];
    assert_eq!(*input.get(&NORM_TYPE), NormType::MeanAndScale);
    assert_eq!(input.get(&MEAN_VALUE).as_deref(), Some([123.7, 116.3, 103.5].as_slice()));
    assert_eq!(input.get(&SCALE_VALUE).as_deref(), Some([1.0 / 58.4, 1.0 / 57.1, 1.0 / 57.4].as_slice()));
    let stored = configuration.parameters.iter().find(|stored| stored.parameter.name == "norm_type").expect("stored");
    assert_eq!((stored.given.as_deref(), stored.effective.as_str()), (None, "data_mean_and_scale"));

    let alone = warnings(&image("  mean_value: 7\n", "", ""));
    assert!(alone[0].contains("norm_type: not given; mean_value implies 'data_mean'"), "{alone:#?}");
    let only = |line: &str| *read(&image(line, "", "")).expect("sound").inputs[0].get(&NORM_TYPE);
    assert_eq!(only("  mean_value: 7\n"), NormType::Mean);
    assert_eq!(only("  scale_value: 0.1\n"), NormType::Scale);
    refused(
        &image("  norm_type: data_scale\n  scale_value: 0.1\n  std_value: 10\n", "", ""),
        "10:14",
        &["std_value: excludes scale_value", "1 / std_value"],
    );
    refused(&image("  std_value: '1 0 1'\n", "", ""), "8:14", &["a standard deviation is more than 0"]);
    refused(
        &image("  norm_type: no_preprocess\n  std_value: 10\n", "", ""),
        "9:14",
        &["std_value: the input: would have no effect, because norm_type says 'no_preprocess'"],
    );
}

#[test]
fn one_norm_type_for_all_inputs_and_no_layout_for_feature_maps() {
    let text = "\
model_parameters: {onnx_model: model.onnx, march: nash-e}
input_parameters: {input_name: 'a;b', input_type_train: 'featuremap;featuremap', input_type_rt: 'featuremap;featuremap', norm_type: no_preprocess}
calibration_parameters: {calibration_type: skip}
";
    let told = warnings(text);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("one value for 2 inputs: 'no_preprocess' holds for all"), "{told:#?}");
    assert!(read(text).expect("sound").inputs.iter().all(|input| *input.get(&INPUT_LAYOUT_TRAIN) == Layout::Nchw));
    let some = text.replace("norm_type: no_preprocess", "norm_type: data_scale, scale_value: '0.5;None'");
    let told = warnings(&some);
    assert!(told.iter().any(|line| line.contains("'data_scale;no_preprocess' holds")), "{told:#?}");
    let configuration = read(&some).expect("sound");
    let kinds: Vec<NormType> = configuration.inputs.iter().map(|input| *input.get(&NORM_TYPE)).collect();
    assert_eq!(kinds, [NormType::Scale, NormType::NoPreprocess]);
    let numbers = text.replace("norm_type: no_preprocess", "mean_value: '1 2;None'");
    let told: Vec<String> = errors(&numbers).into_iter().filter(|line| !line.contains("warning")).collect();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        told[0].contains("input_layout_train: input 'a': not given, but there is one number per channel"),
        "{told:#?}"
    );
}

#[test]
fn targets_of_other_chips() {
    let text = image("", "", "  core_num: 4\n  max_l2m_size: 25165824\n").replace("nash-e", "nash-p");
    refused(
        &text,
        "3:10",
        &["'nash-p' is for other chips: nash-p (J6P, S600)", "nash-e (J6E, S100), nash-m (J6M, S100P)"],
    );
    refused(&image("", "", "  core_num: 4\n"), "12:13", &["4 is out of range"]);
    refused(&image("", "", "  max_l2m_size: 25165824\n"), "12:3", &["L2M, that none of the chips here has"]);
    for (word, right) in
        [("nash_e", "nash-e"), ("s100", "nash-e"), ("J6E", "nash-e"), ("S100P", "nash-m"), ("J6M", "nash-m")]
    {
        refused(&image("", "", "").replace("nash-e", word), "3:10", &[&format!("write '{right}'")]);
    }
    for word in ["nash-p", "nash-h"] {
        let told = errors(&image("", "", "").replace("nash-e", word));
        assert!(!told[0].contains("did you mean"), "{told:#?}");
    }
}

#[test]
fn no_group_of_calibration() {
    let text = "model_parameters: {onnx_model: model.onnx, march: nash-e}\ninput_parameters: {input_type_train: rgb, input_type_rt: rgb, \
                input_layout_train: NCHW}\n";
    refused(
        text,
        "1:1",
        &["calibration_parameters.cal_data_dir: no samples are given; add it", "calibration_type: 'skip'"],
    );
}

#[test]
fn a_file_of_the_older_tool() {
    let text = image("", "  preprocess_on: True\n", "  optimize_level: 'O3'\n")
        .replace("march: nash-e", "march: bayes-e\n  output_model_file_prefix: net.bin");
    let told = errors(&text);
    assert!(
        told[0].starts_with("cfg.yaml:1:1: this is a configuration of the older tool hb_mapper (march bayes-e)"),
        "{told:#?}"
    );
    for (line, fragment) in told.iter().skip(1).zip([
        "march: 'bayes-e' is a target of the older tool hb_mapper; write nash-e (J6E, S100), nash-m (J6M, S100P)",
        "leave out the ending .bin",
        "cal_data_dir: the older tool took raw samples",
        "preprocess_on: it is of the older tool",
        "O2 is the highest level",
    ]) {
        assert!(line.contains(fragment), "{line} holds {fragment}");
    }
    assert_eq!(told.len(), 6, "{told:#?}");
}

#[test]
fn levels() {
    for (given, remedy) in [
        ("'O3'", "O2 is the highest level"),
        ("2", "write 'O2'"),
        ("o2", "write 'O2'"),
        ("O9", "O2 is the highest level"),
    ] {
        refused(&base_with(17, &format!("  optimize_level: {given}")), "17:19", &["is not one of O0, O1, O2", remedy]);
    }
}

#[test]
fn signs_that_separate_nothing() {
    let two = BASE
        .replace("'data'", "'a；b'")
        .replace("'rgb'", "'rgb;rgb'")
        .replace("'bgr'", "'bgr;bgr'")
        .replace("'NCHW'", "'NCHW;NCHW'");
    refused(&two, "5:17", &["'；' separates nothing; write ';'"]);
    refused(&two.replace("a；b", "a，b"), "5:17", &["'，' separates nothing; write ';'"]);
    refused(&two.replace("a；b", "a,b"), "5:17", &["',' separates no names; write ';'"]);
    refused(&base_with(7, "  input_type_rt: 'bgr,rgb'"), "7:22", &["',' separates no values here; write ';'"]);
    refused(&base_with(11, "  mean_value: '1，2,3'"), "11:17", &["write ','"]);
}

#[test]
fn placeholders() {
    for line in
        ["  onnx_model: @MODEL@", "  onnx_model: '${MODEL}'", "  onnx_model: '***.onnx'", "  onnx_model: '<model>'"]
    {
        refused(&base_with(2, line), "2:15", &["is a placeholder that nobody has filled in"]);
    }
    let march = errors(&base_with(3, "  march: @MARCH@").replace("'O2'", "O3"));
    assert_eq!(march.len(), 2, "the rest is read as well: {march:#?}");
    assert!(march[0].contains("'@MARCH@' is a placeholder"), "{march:#?}");
}

#[test]
fn files_as_people_have_them() {
    let folder = folder();
    let path = folder.path().join("cfg.yaml");
    let text = BASE
        .replace("  march: 'nash-e'", "\t\n\t# 目标\n  march: nash-e\t# the target\n  layer_out_dump: false")
        .replace('\n', "\r\n");
    std::fs::write(&path, format!("\u{feff}{text}")).expect("a file");
    let configuration = Configuration::read(&path, &environment()).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(configuration.warnings.is_empty(), "{:?}", configuration.warnings);
}

#[test]
fn names_that_are_given_twice() {
    refused(
        &base_with(17, "  optimize_level: 'O2'\n  optimize_level: 'O1'"),
        "18:3",
        &[
            "compiler_parameters.optimize_level: 'optimize_level' is given twice, in lines 17 and 18, with different values",
        ],
    );
    refused(&base_with(17, "  jobs: 1\n  jobs: 1"), "18:3", &["in lines 17 and 18, with the same value"]);
    refused(&format!("{BASE}model_parameters:\n"), "18:1", &["model_parameters", "in lines 1 and 18"]);
    // In two groups, where releases disagree about the group of a key.
    refused(
        &base_with(17, "  optimize_level: 'O2'\n  run_on_cpu: a")
            .replace("march: 'nash-e'\n", "march: 'nash-e'\n  run_on_cpu: b\n"),
        "19:15",
        &["model_parameters.run_on_cpu: it is given in two groups, in lines 4 and 19"],
    );
}

/// One sentence tells it, not a second one of what the first one makes.
#[test]
fn a_key_of_quant_config_that_is_given_twice() {
    let text = base_with(15, "  quant_config: {node_config: {a: {type: int8, type: int16}}}");
    let told = read(&text).expect_err("a key twice").to_string();
    assert!(told.lines().count() == 1 && told.contains("'type' is given twice"), "{told}");
    let text = base_with(15, "  quant_config: {model_config: {weight: {bias_correction: true}}}");
    let told = read(&text).expect_err("no block").to_string();
    assert!(told.lines().count() == 1 && told.contains("write {\"bias_correction\": {}}"), "{told}");
}

#[test]
fn a_node_is_asked_for_one_processor() {
    let both = BASE.replace("march: 'nash-e'\n", "march: 'nash-e'\n  run_on_cpu: a;b\n  run_on_bpu: b\n");
    refused(&both, "5:15", &["run_on_bpu: node 'b' is in run_on_cpu, too; leave it in one of the two"]);
}

/// One name too few is one mistake, whatever it makes of the other parameters.
#[test]
fn a_name_of_an_input_that_is_missing() {
    let text = "model_parameters: {onnx_model: model.onnx, march: nash-e}\n\
                input_parameters: {input_name: a, input_type_train: featuremap;featuremap, input_type_rt: featuremap;featuremap, \
                input_layout_train: NCHW;NCHW, input_shape: 1x4;1x4}\n\
                calibration_parameters: {cal_data_dir: samples;samples, calibration_type: max}\n";
    let told = read(text).expect_err("one name for two inputs").to_string();
    let expected = "input_parameters.input_name: names 1 input, but input_type_train, input_type_rt, input_layout_train, input_shape";
    assert!(
        told.lines().count() == 1 && told.contains(&expected[..72]) && told.contains("have 2 values each"),
        "{told}"
    );
    let told = read(&text.replace("input_name: a", "input_name: a;b").replace("NCHW;NCHW", "NCHW"))
        .expect_err("one layout")
        .to_string();
    assert!(
        told.lines().count() == 1 && told.contains("input_layout_train: has 1 value, but input_name names 2 inputs"),
        "{told}"
    );
}

/// Each key of another tool is answered alone, with what it is.
#[test]
fn keys_of_other_tools() {
    let answers: &[(&str, &str, Option<&str>)] = &[
        ("cal_data_type", "float32", None),
        ("cal_data_type", "uint8", Some("store the samples as .npy of float32")),
        ("preprocess_on", "True", Some("resized, cropped and normalised as in training")),
        ("input_layout_rt", "NCHW", None),
        ("input_layout_rt", "NHWC", None),
        ("input_layout_rt", "CHWN", Some("needs a Transpose")),
        ("log_level", "debug", None),
        ("model_type", "onnx", None),
        ("hbdk_pass_through_params", "--O3", None),
        ("set_node_data_type", "'conv:int16'", Some("write node_info: 'name:int16'")),
        ("debug", "True", None),
        ("enable_vpu", "True", None),
        ("enable_spu", "True", None),
        ("enable_hpc", "True", None),
        ("cache_mode", "enable", None),
        ("cache_path", "/tmp", None),
        ("ability_entry", "x", None),
        ("extra_params", "{input_no_padding: True, output_no_padding: True}", None),
        ("max_l2m_size", "1024", Some("remove it")),
        ("<<", "{jobs: 2}", Some("write the keys out")),
        ("separate_name", "data", Some("write separate_batch: True with input_batch")),
        ("custom_op", "{custom_op_method: register}", Some("docs/operators.md")),
    ];
    for key in FOREIGN_KEYS {
        assert!(answers.iter().any(|(name, _, _)| *name == key.name), "{}", key.name);
    }
    for (name, value, error) in answers {
        let text = image("", "", &format!("  {name}: {value}\n"));
        match error {
            Some(remedy) => refused(&text, "12:3", &[name, "it is of ", remedy]),
            None => {
                let told = warnings(&text);
                assert_eq!(told.len(), 1, "{name}: {told:#?}");
                assert!(told[0].contains("changes nothing here"), "{told:#?}");
            }
        }
    }
}

#[test]
fn numbers_that_are_questioned() {
    let asked = |lines: &str| {
        let told = warnings(&image(lines, "", ""));
        assert_eq!(told.len(), 1, "{told:#?}");
        told.into_iter().next().unwrap_or_default()
    };
    let deviation = asked("  norm_type: data_scale\n  scale_value: '58.395 57.12 57.375'\n");
    assert!(deviation.contains("look like standard deviations; write them as std_value"), "{deviation}");
    let unit = asked("  norm_type: data_mean\n  mean_value: '0.485 0.456 0.406'\n");
    assert!(
        unit.contains("images in 0 to 1, but the data is 0 to 255; write '123.675 116.280 103.530', if so"),
        "{unit}"
    );
    // What to write gives the network the range that it was trained on, whichever way the deviations are written.
    let both = |mean: &str, key: &str, numbers: &str| {
        asked(&format!("  norm_type: data_mean_and_scale\n  mean_value: '{mean}'\n  {key}: '{numbers}'\n"))
    };
    let (mean, deviation) = ("0.485 0.456 0.406", "0.229 0.224 0.225");
    let told = both(mean, "scale_value", deviation);
    let expected = "write '123.675 116.280 103.530', and std_value '58.395 57.120 57.375' in place of scale_value";
    assert!(told.contains(expected), "{told}");
    let told = both(mean, "std_value", deviation);
    assert!(told.contains("and std_value '58.395 57.120 57.375', if so"), "{told}");
    let told = both(mean, "scale_value", "4.367 4.464 4.444");
    assert!(told.contains("and scale_value '0.01712549 0.01750588 0.01742745', if so"), "{told}");
    let told = both(mean, "scale_value", "0.01712 0.01750 0.01742");
    assert!(told.contains("write '123.675 116.280 103.530', if so"), "{told}");
    let told = both("123.675 116.28 103.53", "scale_value", deviation);
    assert!(told.contains("deviations of images in 0 to 1; write std_value '58.395 57.120 57.375' in place"), "{told}");
    let told = both("0.0171 0.0175 0.0174", "scale_value", "123.675 116.28 103.53");
    assert!(told.contains("as if each held the numbers of the other; swap them, if so"), "{told}");
    let prefix =
        warnings(&image("", "", "").replace("march: nash-e", "march: nash-e\n  output_model_file_prefix: net.hbm"));
    assert!(prefix[0].contains("so the result is 'net.hbm.hbm'"), "{prefix:#?}");
}

/// The range of (pixel - mean) * scale over pixels of 0 to 255.
#[test]
fn samples_that_contradict_the_preprocessing() {
    let text = image("  norm_type: data_mean_and_scale\n  mean_value: '100'\n  scale_value: '0.02'\n", "", "");
    let shape = [Some(1), Some(3), Some(8), Some(8)].to_vec();
    let inputs = vec![ModelInput { name: "data".into(), shape, element: "float".into() }];
    let checked = read(&text).expect("sound").check_against(&ModelFacts { inputs, nodes: Vec::new() }).expect("fits");
    assert_eq!(question_samples(&checked[0], -2.0, 3.1), None);
    assert_eq!(question_samples(&checked[0], -1.0, 0.5), None);
    let raw = question_samples(&checked[0], 0.0, 255.0).expect("raw pixels");
    assert!(raw.contains("are -2.0000 to 3.1000"), "{raw}");
    question_samples(&checked[0], 0.0, 0.05).expect("nearly nothing of the range");
    let unit = question_samples(&checked[0], 0.0, 1.0).expect("pixels of 0 to 1");
    assert!(unit.contains("never below 0 or above 1"), "{unit}");
    // yuv444_128 is -128 to 127: (-128 - 0) * 0.02 to (127 - 0) * 0.02.
    let text = image("  norm_type: data_scale\n  scale_value: '0.02'\n", "", "")
        .replace("bgr", "yuv444_128")
        .replace("rgb", "yuv444_128");
    let inputs = vec![ModelInput {
        name: "data".into(),
        shape: vec![Some(1), Some(3), Some(8), Some(8)],
        element: "float".into(),
    }];
    let checked = read(&text).expect("sound").check_against(&ModelFacts { inputs, nodes: Vec::new() }).expect("fits");
    assert_eq!(question_samples(&checked[0], -2.5, 2.5), None);
    let shifted = question_samples(&checked[0], 0.0, 5.1).expect("yuv444");
    assert!(shifted.contains("are -2.5600 to 2.5400"), "{shifted}");
}

/// Names are compared with the model, and what it shows is told together with all else.
#[test]
fn names_that_match_nothing() {
    let node = |name: &str, operator: &str| {
        let outputs = vec![format!("{name}_output")];
        ModelNode { inputs: Some(2), outputs, ..ModelNode::new(name, operator) }
    };
    let shape = [Some(1), Some(3), Some(224), Some(224)].to_vec();
    let input = |name: &str| ModelInput { name: name.into(), shape: shape.clone(), element: "float".into() };
    let facts = ModelFacts {
        inputs: vec![input("image")],
        nodes: vec![
            node("/stem/Conv", "Conv"),
            node("/stem/Relu", "Relu"),
            ModelNode { name_in_file: Some("image".into()), ..node("image_1", "Conv") },
            ModelNode { holder: Some("'branch' (If)".into()), ..node("keep", "Reshape") },
            node("/head/Softmax", "Softmax"),
        ],
    };
    let text = BASE
        .replace(
            "  march: 'nash-e'\n",
            "  march: 'nash-e'\n  output_nodes: '/stem/Conf;/stem/Relu_output;/stem/Relu;keep;/stem/Relu'\n  remove_node_name: '/head/Softmax,/stem/Relu;keep;/stem/Relu;image'\n  node_info: {/stem/Rely: \
             {ON: BPU}, /stem/Relu: {InputType7: int16}}\n  run_on_cpu: /head/Softmax\n",
        )
        .replace(
            "  calibration_type: 'max'\n",
            "  calibration_type: 'max'\n  optimization: run_fast\n  quant_config: {op_config: {Conf: {type: int16}}, node_config: {/stem/Conv: {qtype: int16, input2: int16}}}\n",
        );
    let folder = folder();
    let path = folder.path().join("cfg.yaml");
    std::fs::write(&path, &text).expect("a file");
    let problems =
        Configuration::read_with_model(&path, &environment(), &|_| Some(facts.clone())).expect_err("wrong names");
    let told: Vec<String> =
        problems.0.iter().map(|problem| format!("{}: {}; {}", problem.subject, problem.what, problem.remedy)).collect();
    for expected in [
        "output_nodes: the model has no node '/stem/Conf'; did you mean '/stem/Conv'?",
        "output_nodes: '/stem/Relu_output' is a value, not a node; name the node that computes it: '/stem/Relu'",
        "remove_node_name: the model has no node '/head/Softmax,/stem/Relu'; separate names by ';'",
        "output_nodes: node '/stem/Relu' is named twice; name it once: its results are outputs once",
        "output_nodes: node 'keep' is inside of node 'branch' (If), whose results alone can be outputs; name that node",
        "remove_node_name: node 'keep' cannot be removed: it is inside of node 'branch' (If), which stays whole; leave it out",
        "remove_node_name: node '/stem/Relu' (Relu) cannot be removed; what can be removed is Quantize, Transpose, Dequantize, Cast, Reshape, \
         Softmax next to an input or output of the model",
        "remove_node_name: 'image' is an input; the node of that name is called 'image_1' here; write that name",
        "node_info: the model has no node '/stem/Rely'; did you mean '/stem/Relu'?",
        "quant_config: the model has no operator 'Conf'; did you mean 'Conv'?",
        "node_info: node '/stem/Relu' has no input 7; its inputs are 0 to 1",
        "quant_config: node '/stem/Conv' has no input 2; its inputs are 0 to 1",
        "input_name: the model has no input 'data'; the inputs are 'image'",
    ] {
        assert!(told.iter().any(|line| line.ends_with(expected)), "{told:#?} hold {expected}");
    }
    // What is wrong with one item of a list hides no other.
    let faulty = text
        .replace("{/stem/Rely: {ON: BPU}", "{/stem/Rely: {ON: NPU}")
        .replace("optimization: run_fast", "optimization: 'set_conv_input_int16;run_slow'");
    std::fs::write(&path, &faulty).expect("a file");
    let problems =
        Configuration::read_with_model(&path, &environment(), &|_| Some(facts.clone())).expect_err("wrong names");
    let problems = problems.to_string();
    for expected in
        ["'NPU' is not one of", "no node '/stem/Rely'", "has no input 7", "'run_slow'", "no operator 'conv'"]
    {
        assert!(problems.contains(expected), "{problems} hold {expected}");
    }
    // A name that stands for a request is told once, where it is given.
    std::fs::write(&path, text.replace("run_on_cpu: /head/Softmax", "run_on_cpu: /head/Softmix")).expect("a file");
    let problems =
        Configuration::read_with_model(&path, &environment(), &|_| Some(facts.clone())).expect_err("wrong names");
    let told = problems.0.iter().filter(|problem| problem.what.contains("/head/Softmix"));
    assert_eq!(told.map(|problem| problem.subject.as_str()).collect::<Vec<_>>(), ["model_parameters.run_on_cpu"]);
    let two = ModelFacts { inputs: vec![input("left"), input("right")], nodes: Vec::new() };
    let text = BASE.replace("  input_name: 'data'\n", "").replace("'nash-e'", "nash_e");
    std::fs::write(&path, &text).expect("a file");
    let problems = Configuration::read_with_model(&path, &environment(), &|_| Some(two.clone())).expect_err("no names");
    assert!(problems.to_string().contains("so their names are needed; add input_name: 'left; right'"), "{problems}");
}
