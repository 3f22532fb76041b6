//! The rules between parameters of the model, and what is odd about single ones.

use super::Environment;
use super::checking::Checker;
use super::keys::{ParameterState, Word};
use super::node_info::NodeRequest;
use super::optimization::Optimization;
use super::parameters::{
    BALANCE_FACTOR, CAFFE_MODEL, CAL_DATA_DIR, CALIBRATION_TYPE, COMPILE_MODE, CalibrationType, CompileMode,
    INPUT_BATCH, INPUT_NAME, INPUT_SOURCE, INPUT_TYPE_RT, InputSource, JOBS, LAYER_OUT_DUMP, LEGAL_INPUT_SOURCES,
    NODE_INFO, ONNX_MODEL, OPTIMIZATION, OUTPUT_MODEL_FILE_PREFIX, PARAMETERS, PROTOTXT, Processor, RUN_ON_BPU,
    RUN_ON_CPU, SEPARATE_BATCH,
};
use super::table::{Parameter, ParameterKind};
use super::values::ParameterValue;
use crate::wording::suggestion;

/// Checks the rules of everything but the inputs.
pub fn check(checker: &mut Checker, environment: &Environment) {
    check_model_files(checker);
    check_prefix(checker);
    join_places(checker);
    check_names_of_mappings(checker);
    check_sources(checker);
    check_batch(checker);
    check_calibration(checker);
    check_optimization(checker);
    check_mode(checker);
    check_jobs(checker, environment);
}

fn check_model_files(checker: &mut Checker) {
    let (onnx, caffe, prototxt) =
        (checker.is_given(&ONNX_MODEL), checker.is_given(&CAFFE_MODEL), checker.is_given(&PROTOTXT));
    if onnx && (caffe || prototxt) {
        let other = if caffe { CAFFE_MODEL.name } else { PROTOTXT.name };
        let what = format!("excludes {other}, which is given as well");
        checker.error(&ONNX_MODEL, what, "keep the one that is meant");
    } else if caffe != prototxt {
        let (there, missing) = if caffe { (&CAFFE_MODEL, &PROTOTXT) } else { (&PROTOTXT, &CAFFE_MODEL) };
        let what = format!("a Caffe model also needs {}", missing.name);
        checker.error(there, what, format!("add {}", missing.name));
    } else if !onnx && !caffe {
        checker.error(
            &ONNX_MODEL,
            "no model is given",
            "add onnx_model with the path of the ONNX file, or caffe_model and prototxt",
        );
    }
}

/// Two words that set one thing to different types.
fn check_optimization(checker: &mut Checker) {
    let words = checker.value(&OPTIMIZATION).map(|list| list.0).unwrap_or_default();
    let clash = words.iter().enumerate().find_map(|(index, word)| {
        let earlier = words.iter().take(index).find(|earlier| earlier.contradicts(word))?;
        Some((earlier, word))
    });
    if let Some((earlier, word)) = clash {
        checker.error(&OPTIMIZATION, format!("'{earlier}' and '{word}' contradict each other"), "leave one of the two");
    }
}

fn check_prefix(checker: &mut Checker) {
    let Some(prefix) = checker.value(&OUTPUT_MODEL_FILE_PREFIX) else { return };
    if prefix.ends_with(".bin") {
        let what =
            format!("'{prefix}' ends as the results of the older tool do; here they are {prefix}.hbm and others");
        checker.error(&OUTPUT_MODEL_FILE_PREFIX, what, "leave out the ending .bin");
    } else if prefix.ends_with(".hbm") {
        let what = format!("'{prefix}' already ends in .hbm, so the result is '{prefix}.hbm'");
        checker.warning(&OUTPUT_MODEL_FILE_PREFIX, what, "leave out the ending, if that is not meant");
    }
}

/// `run_on_cpu` and `run_on_bpu` say of nodes what `ON` of `node_info` says; `node_info` wins.
fn join_places(checker: &mut Checker) {
    let mut requests = checker.value(&NODE_INFO).map(|list| list.0).unwrap_or_default();
    if checker.state(&NODE_INFO) == ParameterState::Faulty {
        return;
    }
    // A mapping with a key twice is told when it is read.
    let twice = requests
        .iter()
        .enumerate()
        .find(|(index, request)| requests.iter().take(*index).any(|earlier| earlier.name == request.name));
    if let Some((_, request)) = twice {
        let what = format!("node '{}' is named twice", request.name);
        return checker.error(&NODE_INFO, what, "leave one of the two");
    }
    let [on_cpu, on_bpu] =
        [&RUN_ON_CPU, &RUN_ON_BPU].map(|key| checker.value(key).map(|names| names.0).unwrap_or_default());
    if let Some(name) = on_cpu.iter().find(|name| on_bpu.contains(name)) {
        let what = format!("node '{name}' is in run_on_cpu, too");
        return checker.error(&RUN_ON_BPU, what, "leave it in one of the two");
    }
    let mut from: Option<&'static Parameter> = None;
    for (key, names, on) in [(&RUN_ON_CPU, &on_cpu, Processor::Cpu), (&RUN_ON_BPU, &on_bpu, Processor::Bpu)] {
        for name in names {
            from = Some(key);
            match requests.iter_mut().find(|request| request.name == *name) {
                Some(request) => match request.on.filter(|wanted| *wanted != on) {
                    Some(wanted) => {
                        let what = format!("node '{name}': ON of node_info is {}, which holds", wanted.word());
                        checker.warning(key, what, "leave it in one of the two");
                    }
                    None => request.on = Some(on),
                },
                None => requests.push(NodeRequest { name: name.clone(), on: Some(on), ..NodeRequest::default() }),
            }
        }
    }
    let Some(from) = from else { return };
    let text = requests.iter().map(ToString::to_string).collect::<Vec<_>>().join(";");
    let values = requests.into_iter().map(ParameterValue::Node).collect::<Vec<_>>();
    if !checker.is_given(&NODE_INFO)
        && let Some(fault) = super::values::unsupported(&NODE_INFO, &values)
    {
        return checker.error(from, fault.what, fault.remedy);
    }
    checker.derive(&NODE_INFO, from, values, text);
}

/// Mappings from inputs name inputs.
fn check_names_of_mappings(checker: &mut Checker) {
    let ParameterState::Given(inputs) = checker.state(&INPUT_NAME) else { return };
    let inputs: Vec<String> = inputs.iter().filter_map(ParameterValue::text).map(str::to_owned).collect();
    for parameter in PARAMETERS.iter().filter(|parameter| matches!(parameter.kind, ParameterKind::InputMapping(_))) {
        let ParameterState::Given([ParameterValue::Mapping(entries)]) = checker.state(parameter) else { continue };
        let named: Vec<String> = entries.iter().map(|(name, _)| name.clone()).collect();
        for name in named.iter().filter(|name| !inputs.contains(name)) {
            let remedy = suggestion(name, inputs.iter().map(String::as_str), "use the names of input_name");
            checker.error(parameter, format!("'{name}' is not in input_name"), remedy);
        }
    }
}

/// Each source gives images of certain types only.
fn check_sources(checker: &mut Checker) {
    let Some(Some(sources)) = checker.value(&INPUT_SOURCE) else { return };
    let names: Vec<String> = match checker.state(&INPUT_NAME) {
        ParameterState::Given(names) => names.iter().filter_map(ParameterValue::text).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    for (name, source) in &sources {
        // Without names there is one input, and the mapping names it.
        let index = if names.is_empty() { Some(0) } else { names.iter().position(|known| known == name) };
        let Some(runtime) = index.and_then(|index| checker.word(&INPUT_TYPE_RT, index)).map(str::to_owned) else {
            continue;
        };
        let Some((_, legal)) = LEGAL_INPUT_SOURCES.iter().find(|(word, _)| *word == source.word()) else { continue };
        if legal.contains(&runtime.as_str()) {
            continue;
        }
        let what = format!("input '{name}': {} does not give input_type_rt '{runtime}'", source.word());
        let remedy = format!("it gives {}", legal.join(" and "));
        // The manual's own template takes yuv444 from the pyramid, so that is none but a slip.
        match source {
            InputSource::Resizer => checker.error(&INPUT_SOURCE, what, remedy),
            _ => checker.warning(&INPUT_SOURCE, what, format!("{remedy}; such data is read from memory")),
        }
    }
    let resized = sources.iter().any(|(_, source)| *source == InputSource::Resizer);
    if resized && checker.value(&INPUT_BATCH).is_some_and(|batch| batch != 1) {
        let what = "the resizer gives one image, but input_batch asks for more";
        checker.error(&INPUT_SOURCE, what, "remove input_batch, or take another input_source");
    }
    if resized && checker.value(&LAYER_OUT_DUMP) == Some(true) {
        let what = "excludes input_source resizer, which is given as well";
        checker.error(&LAYER_OUT_DUMP, what, "set it to False, or take another input_source");
    }
}

fn check_batch(checker: &mut Checker) {
    let (Some(batch), Some(separate)) = (checker.value(&INPUT_BATCH), checker.value(&SEPARATE_BATCH)) else { return };
    if separate && batch == 1 {
        checker.warning(
            &SEPARATE_BATCH,
            "there is nothing to separate, because input_batch is 1",
            "remove it, or add input_batch",
        );
    }
}

fn check_calibration(checker: &mut Checker) {
    let Some(kind) = checker.value(&CALIBRATION_TYPE) else { return };
    if kind != CalibrationType::Skip && !checker.is_given(&CAL_DATA_DIR) {
        let what = match checker.is_given(&CALIBRATION_TYPE) {
            true => format!("not given, but calibration_type {} needs samples", kind.word()),
            false => "no samples are given".to_owned(),
        };
        let remedy =
            "add it; or set calibration_type: 'skip' to judge speed only, or for a network that brings its scales";
        checker.error(&CAL_DATA_DIR, what, remedy);
    }
    let asymmetric = checker.value(&OPTIMIZATION).is_some_and(|words| words.contains(&Optimization::Asymmetric));
    if kind == CalibrationType::Default && asymmetric {
        let what = "asymmetric cannot be set with calibration_type default, which chooses it by itself";
        checker.error(&OPTIMIZATION, what, "remove it, or set another calibration_type");
    }
}

fn check_mode(checker: &mut Checker) {
    if checker.value(&COMPILE_MODE) == Some(CompileMode::Balance) && !checker.is_given(&BALANCE_FACTOR) {
        checker.error(
            &BALANCE_FACTOR,
            "not given, but compile_mode balance needs it",
            "add it: 0 is the least traffic of memory, 100 the least latency",
        );
    }
}

fn check_jobs(checker: &mut Checker, environment: &Environment) {
    let (ParameterState::Given(_), Some(wanted)) = (checker.state(&JOBS), checker.value(&JOBS)) else { return };
    let cores = environment.cores.max(1);
    if usize::try_from(wanted).is_ok_and(|wanted| wanted > cores) {
        let what = format!("{wanted} jobs are more than the {cores} cores of this machine");
        checker.warning(&JOBS, what, format!("{cores} are used"));
    }
}
