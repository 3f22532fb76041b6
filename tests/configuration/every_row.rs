//! Every row of the manual's tables: its default, both ends of its range, values outside of it, values of a wrong type, and a wrong number of
//! values for two inputs. What the reader is told of each is in one golden file.

use crate::{errors, golden, read};
use hb::driver::configuration::{Group, Multiplicity, PARAMETERS, Parameter, ParameterDefault, Severity};
use std::fmt::Write;

/// Other parameters that a value needs; an empty text takes one away.
type Companions = &'static [(&'static str, &'static str)];

/// What is tried of one parameter. Values are written as the file writes them.
struct Row {
    name: &'static str,
    /// Values of the manual: the ends of the range, every word, every form.
    right: &'static [(&'static str, Companions)],
    /// Outside of the range, of a wrong type, of a wrong form.
    wrong: &'static [&'static str],
    /// What the wrong values need beside.
    beside: Companions,
}

const fn row(name: &'static str, right: &'static [(&'static str, Companions)], wrong: &'static [&'static str]) -> Row {
    Row { name, right, wrong, beside: &[] }
}

const CAFFE: Companions = &[("onnx_model", ""), ("caffe_model", "model.caffemodel"), ("prototxt", "model.prototxt")];
const NV12: Companions = &[("input_type_rt", "nv12")];
const FEATURE_MAP: Companions = &[
    ("input_type_train", "featuremap"),
    ("input_type_rt", "featuremap"),
    ("norm_type", ""),
    ("mean_value", ""),
    ("scale_value", ""),
];
const BALANCE: Companions = &[("compile_mode", "balance"), ("balance_factor", "50")];
const NO_NUMBERS: Companions = &[("norm_type", ""), ("mean_value", ""), ("scale_value", "")];

/// The manual's rows, in its order.
const ROWS: &[Row] = &[
    Row { beside: CAFFE, ..row("prototxt", &[("model.prototxt", CAFFE)], &["nowhere.prototxt", "samples", "7"]) },
    Row { beside: CAFFE, ..row("caffe_model", &[("model.caffemodel", CAFFE)], &["nowhere.caffemodel", "[a]"]) },
    row("onnx_model", &[("model.onnx", &[])], &["nowhere.onnx", "samples", "7", "[model.onnx]", "'@MODEL@'"]),
    row("march", &[("nash-e", &[]), ("'nash-m'", &[])], &["nash-p", "nash_e", "bayes-e", "best", "5"]),
    row("output_model_file_prefix", &[("m", &[])], &["a/b", ".hidden", "model.bin", "7"]),
    row("working_dir", &[("out", &[]), ("'./a/b'", &[])], &["model.onnx", "7"]),
    row("layer_out_dump", &[("False", &[]), ("true", &[])], &["'True'", "yes", "1"]),
    row("output_nodes", &[("conv", &[]), ("'conv; relu;'", &[])], &["7", "[conv]", "'conv；relu'"]),
    row(
        "remove_node_type",
        &[("Quantize", &[]), ("'Quantize;Transpose; Dequantize;Cast;Reshape;Softmax'", &[])],
        &["Conv", "softmax", "'Cast,Reshape'", "7"],
    ),
    row("remove_node_name", &[("conv", &[]), ("'conv;relu'", &[])], &["7", "'conv，relu'", "'conv;;relu'"]),
    row("debug_mode", &[("dump_calibration_data", &[])], &["dump", "True"]),
    row(
        "node_info",
        &[
            ("{conv: {ON: BPU}}", &[]),
            ("'conv:int16;relu:int16'", &[]),
            ("{conv: {'ON': 'CPU', 'InputType': int16, 'InputType1': int16, 'OutputType': int16}}", &[]),
        ],
        &[
            "{conv: {OutputType0: int16}}",
            "{conv: {ON: GPU}}",
            "{conv: {InputTypes: int16}}",
            "{conv: {InputType: int32}}",
            "{conv: int16}",
            "'conv'",
            "'conv:BPU'",
            "7",
        ],
    ),
    row("input_name", &[("data", &[]), ("''", &[])], &["7", "[data]", "'data;data'", "'data; ;more'", "'a；b'"]),
    row(
        "input_type_train",
        &[
            ("rgb", &[]),
            ("bgr", &[]),
            ("yuv444", &[("input_type_rt", "yuv444")]),
            ("yuv444_128", &[("input_type_rt", "yuv444_128")]),
            ("gray", &[("input_type_rt", "gray"), ("input_shape", "1x1x224x224"), ("mean_value", "7")]),
            ("featuremap", FEATURE_MAP),
        ],
        &["RGB", "nv12", "7", "'rgb,bgr'"],
    ),
    row(
        "input_type_rt",
        &[
            ("rgb", &[]),
            ("bgr", &[]),
            ("yuv444", &[]),
            ("yuv444_128", &[]),
            ("nv12", &[]),
            ("gray", &[("input_type_train", "gray"), ("input_shape", "1x1x224x224"), ("mean_value", "7")]),
            ("featuremap", FEATURE_MAP),
        ],
        &["NV12", "gray", "featuremap", "7"],
    ),
    row("input_layout_train", &[("NCHW", &[]), ("NHWC", &[("input_shape", "1x224x224x3")])], &["nchw", "NHWC", "7"]),
    row("input_space_and_range", &[("regular", &[]), ("bt601_video", NV12)], &["bt601_video", "bt709", "7"]),
    row("input_shape", &[("1x3x224x224", &[]), ("10", FEATURE_MAP)], &["1x3x?x224", "1x3x224", "0x3x2x2", "[1, 3]"]),
    row("input_batch", &[("1", &[]), ("4096", &[]), ("2.0", &[])], &["0", "4097", "many", "1.5"]),
    row("separate_batch", &[("True", &[("input_batch", "4")]), ("False", &[])], &["'False'", "4"]),
    row(
        "norm_type",
        &[
            ("data_mean_and_scale", &[]),
            ("data_mean", &[("scale_value", "")]),
            ("data_scale", &[("mean_value", "")]),
            ("no_preprocess", NO_NUMBERS),
        ],
        &["mean", "data_mean", "no_preprocess", "7"],
    ),
    row(
        "mean_value",
        &[("110.94 116.78 120.68", &[]), ("'7'", &[]), ("1, 2, 3", &[])],
        &["1 2", "a", ".nan", "None", "True"],
    ),
    row("scale_value", &[("0.017", &[]), ("'0.1 0.2 0.3'", &[])], &["'1 0 1'", "'0.1 0.2'", "zero", "[1]"]),
    row("cal_data_dir", &[("samples", &[]), ("./left", &[])], &["nowhere", "model.onnx", "7", "'left;right'"]),
    row(
        "calibration_type",
        &[("default", &[]), ("mix", &[]), ("kl", &[]), ("max", &[]), ("skip", &[("cal_data_dir", "")])],
        &["min", "KL", "1"],
    ),
    row("max_percentile", &[("0.5", &[]), ("1.0", &[]), ("0.99999", &[])], &["0.49", "1.01", "most", "[1]"]),
    row("per_channel", &[("False", &[]), ("True", &[])], &["'True'", "1"]),
    row(
        "optimization",
        &[
            ("set_model_output_int8", &[]),
            ("set_model_output_int16", &[]),
            ("'set_Conv_input_int16; set_Mul_output_int16'", &[]),
            ("set_all_nodes_float16", &[]),
            ("'set_Add_input_float16; set_Mul_output_float16'", &[]),
            ("set_Softmax_input_int8", &[]),
            ("set_Softmax_output_int8", &[]),
            ("asymmetric", &[]),
            ("bias_correction", &[]),
            ("lstm_batch_last", &[]),
        ],
        &["set_Conv_input_int8", "set_model_output_float16", "fast", "run_fast", "'asymmetric,bias_correction'", "7"],
    ),
    row(
        "quant_config",
        &[("quant.json", &[]), ("{op_config: {Conv: {type: int16}}}", &[])],
        &[
            "nowhere.json",
            "wrong.json",
            "{op_config: {Conv: int16}}",
            "{op_configs: {}}",
            "{model_config: {all_node_type: int8}}",
            "{node_config: {conv: {type: int4}}}",
            "7",
        ],
    ),
    row("compile_mode", &[("latency", &[]), ("bandwidth", &[]), ("balance", BALANCE)], &["fast", "balance", "1"]),
    Row {
        beside: BALANCE,
        ..row("balance_factor", &[("0", BALANCE), ("100", BALANCE)], &["-1", "101", "half", "0.5"])
    },
    row("core_num", &[("1", &[])], &["0", "2", "one"]),
    row("optimize_level", &[("O0", &[]), ("'O1'", &[]), ("O2", &[])], &["O3", "2", "o2", "best", "True"]),
    row(
        "input_source",
        &[
            ("{data: ddr}", &[]),
            ("{data: ddr}", NV12),
            ("{data: pyramid}", &[]),
            ("{\"data\": \"pyramid\"}", NV12),
            ("{data: resizer}", NV12),
            ("{}", &[]),
            ("None", NV12),
        ],
        &["{data: resizer}", "{other: ddr}", "{data: disk}", "ddr", "{data: 1}"],
    ),
    row("max_time_per_fc", &[("0", &[]), ("1000", &[]), ("4294967295", &[])], &["999", "4294967296", "-1", "long"]),
    row("jobs", &[("0", &[]), ("1", &[]), ("4", &[])], &["-1", "4097", "all", "1.5"]),
    row("advice", &[("0", &[]), ("1", &[]), ("1000000", &[])], &["-1", "yes", "0.5"]),
];

const ONE_INPUT: &[(&str, &str)] = &[
    ("onnx_model", "model.onnx"),
    ("march", "nash-e"),
    ("input_name", "data"),
    ("input_type_train", "rgb"),
    ("input_type_rt", "bgr"),
    ("input_layout_train", "NCHW"),
    ("input_shape", "1x3x224x224"),
    ("norm_type", "data_mean_and_scale"),
    ("mean_value", "110.94 116.78 120.68"),
    ("scale_value", "0.017"),
    ("cal_data_dir", "samples"),
    ("calibration_type", "max"),
];
const TWO_INPUTS: &[(&str, &str)] = &[
    ("onnx_model", "model.onnx"),
    ("march", "nash-e"),
    ("input_name", "a; b"),
    ("input_type_train", "featuremap; rgb"),
    ("input_type_rt", "featuremap; bgr"),
    ("input_layout_train", "NCHW; NCHW"),
    ("cal_data_dir", "left; right"),
    ("calibration_type", "max"),
];

/// What is said of a value that is right, and that nothing acts on.
const UNSUPPORTED: &str = "known to the manual, not supported yet";

/// A file with `base`, each of `changes` in the place of what it says.
fn file(base: &[(&str, &str)], changes: &[(&str, &str)]) -> String {
    let mut values: Vec<(&str, &str)> = base.to_vec();
    for (name, value) in changes {
        values.retain(|(known, _)| known != name);
        values.push((name, value));
    }
    let mut text = String::new();
    for group in Group::ALL {
        let _ = writeln!(text, "{}:", group.name());
        for parameter in Parameter::of_group(group) {
            if let Some((name, value)) =
                values.iter().find(|(name, value)| *name == parameter.name && !value.is_empty())
            {
                let _ = writeln!(text, "  {name}: {value}");
            }
        }
    }
    text
}

/// What a reader is told of a file, without the names of its places.
fn told(text: &str) -> Vec<String> {
    let problems = match read(text) {
        Ok(configuration) => configuration.warnings,
        Err(problems) => problems.0,
    };
    problems
        .iter()
        .map(|problem| {
            let line = text.lines().nth(problem.location.line - 1).unwrap_or_default().trim_start();
            let kind = if problem.severity == Severity::Warning { "warning" } else { "error" };
            let place = if problem.file.ends_with(".json") {
                format!("wrong.json:{}:{}", problem.location.line, problem.location.column)
            } else {
                format!("{}:{} `{line}`", problem.location.line, problem.location.column)
            };
            let subject = if problem.subject.is_empty() { "the file" } else { &problem.subject };
            format!("{kind} at {place}: {subject}: {}; {}", problem.what, problem.remedy)
        })
        .collect()
}

#[test]
fn the_rows_are_those_of_the_table() {
    let manual: Vec<&str> =
        PARAMETERS.iter().filter(|parameter| parameter.since.is_none()).map(|parameter| parameter.name).collect();
    assert_eq!(ROWS.len(), manual.len());
    for row in ROWS {
        assert!(manual.contains(&row.name), "{}", row.name);
    }
}

#[test]
fn every_row_of_the_manual() {
    let mut report = String::from(
        "What hb_compile says of each parameter of the manual: for values that the manual allows, for others, and for a wrong number of\n\
         values. Written by tests/configuration/every_row.rs with HB_BLESS=1.\n",
    );
    for row in ROWS {
        let parameter = Parameter::named(row.name).expect("a row");
        let _ = writeln!(report, "\n{} ({}, {})", parameter.path(), parameter.type_name(), parameter.range());
        let beside = row.right.first().map_or(&[][..], |(_, beside)| *beside);
        let absent = file(ONE_INPUT, &[beside, &[(row.name, "")][..]].concat());
        check_default(parameter, &absent, &mut report);
        for (value, beside) in row.right {
            let text = file(ONE_INPUT, &[beside, &[(row.name, *value)][..]].concat());
            let told = told(&text);
            for line in errors(&text) {
                let known = line.contains(UNSUPPORTED) || line.contains("warning");
                assert!(known, "{} {value}: {line}", row.name);
            }
            record(&mut report, value, &told);
        }
        for value in row.wrong {
            let text = file(ONE_INPUT, &[row.beside, &[(row.name, *value)][..]].concat());
            let real = errors(&text)
                .into_iter()
                .filter(|line| !line.contains(UNSUPPORTED) && !line.contains("warning"))
                .count();
            assert!(real > 0, "{} {value} is wrong", row.name);
            record(&mut report, value, &told(&text));
        }
        if parameter.multiplicity == Multiplicity::PerInput {
            let value = row.right.first().map_or("", |(value, _)| value.trim_matches('\''));
            let three = format!("'{value};{value};{value}'");
            let named = row.name == "input_name";
            let three = if named { "'a;b;c'".to_owned() } else { three };
            let text = file(TWO_INPUTS, &[(row.name, &three)]);
            let counted: Vec<String> = errors(&text)
                .into_iter()
                .filter(|line| line.contains("values, but input_name names") || line.contains("values each;"))
                .collect();
            assert!(!counted.is_empty(), "{}: {:?}", row.name, errors(&text));
            record(&mut report, &format!("{three} for two inputs"), &told(&text));
        }
    }
    golden::check("tests/data/configuration/messages.txt", &report);
}

/// Where the parameter is absent, its default holds, or the file is told that it is needed.
fn check_default(parameter: &Parameter, absent: &str, report: &mut String) {
    match (read(absent), parameter.default) {
        (Ok(configuration), default) => {
            let stored = configuration.parameters.iter().find(|stored| stored.parameter.name == parameter.name);
            let effective = &stored.expect("stored").effective;
            let _ = writeln!(report, "  not given: {effective}");
            match default {
                ParameterDefault::Value(text) if parameter.name != "norm_type" => assert_eq!(effective, text),
                ParameterDefault::None => assert_eq!(effective, "None"),
                _ => {}
            }
        }
        (Err(_), _) => record(report, "not given", &told(absent)),
    }
}

fn record(report: &mut String, value: &str, told: &[String]) {
    let shown = if value.len() > 120 { format!("{}...", &value[..120]) } else { value.to_owned() };
    if told.is_empty() {
        let _ = writeln!(report, "  {shown}: accepted");
        return;
    }
    let _ = writeln!(report, "  {shown}:");
    for line in told {
        let _ = writeln!(report, "      {line}");
    }
}
