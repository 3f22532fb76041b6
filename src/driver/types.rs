//! The types that `node_info`, `optimization` and `quant_config` ask for, what came of them, and `{prefix}_quant_config.json`.

use super::compile::{NetworkStages, StageError};
use super::configuration::{
    Configuration, DataType, NODE_INFO, OPTIMIZATION, Optimization, QUANT_CONFIG, StatedChooser, StatedMethod,
    StatedTypes, counted,
};
use super::quantize::is_given;
use crate::files::FileSet;
use crate::quant::{
    RangeChooser,
    evidence::{RangeMethod, RangeMethods},
    given::{GivenTypes, given_types},
    info::{ActivationType, QuantInfo},
    requests::{AskedTypes, NodeTypes, RequestedType, TypeRequests, WEIGHTS},
    rules::WIDE_BITS,
};
use melior::ir::Module;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashSet};

/// The file that gives the same types again.
const QUANT_CONFIG_FILE: &str = "_quant_config.json";

/// What the configuration asks for. Where `quant_config` says something else than `node_info` or `optimization` of the same thing, it wins.
pub(super) fn requests(configuration: &Configuration) -> TypeRequests {
    let mut requests = TypeRequests::default();
    for request in configuration.get(&NODE_INFO).iter().filter(|request| request.has_types()) {
        let types = requests.nodes.entry(request.name.clone()).or_default();
        let input = request.input_types.iter().map(|(index, data)| (*index, requested(*data))).collect();
        set(types, request.input_type.map(requested), input, request.output_type.map(requested));
    }
    for word in configuration.get(&OPTIMIZATION).iter() {
        match word {
            Optimization::ModelOutput(data) => requests.model_outputs = activation(*data),
            Optimization::AllNodes(data) => requests.inputs_of_all = Some(requested(*data)),
            // The manual: of the two words for a Softmax of int8, each stands for both.
            Optimization::Input { kind, data: DataType::Int8 }
            | Optimization::Output { kind, data: DataType::Int8 } => {
                let types = requests.kinds.entry(kind.clone()).or_default();
                (types.inputs, types.outputs) = (Some(requested(DataType::Int8)), Some(requested(DataType::Int8)));
            }
            Optimization::Input { kind, data } => {
                requests.kinds.entry(kind.clone()).or_default().inputs = Some(requested(*data));
            }
            Optimization::Output { kind, data } => {
                requests.kinds.entry(kind.clone()).or_default().outputs = Some(requested(*data));
            }
            Optimization::Asymmetric | Optimization::BiasCorrection | Optimization::LstmBatchLast => {}
        }
    }
    if let Some(config) = configuration.get(&QUANT_CONFIG) {
        requests.inputs_of_all = config.all_node_type.map(requested).or(requests.inputs_of_all);
        requests.model_outputs = config.model_output_type.and_then(activation).or(requests.model_outputs);
        for (map, entries) in [(&mut requests.kinds, &config.kinds), (&mut requests.nodes, &config.nodes)] {
            for (name, StatedTypes { all, inputs, output }) in entries {
                let inputs = inputs.iter().map(|(index, data)| (*index, requested(*data))).collect();
                let types = map.entry(name.clone()).or_default();
                let before = types.clone();
                set(types, all.map(requested), inputs, output.map(requested));
                if before.is_overruled_by(types) {
                    tracing::warn!(
                        "quant_config asks for other types of '{name}' than node_info or optimization; quant_config holds"
                    );
                }
            }
        }
    }
    requests
}

fn set(
    types: &mut NodeTypes,
    inputs: Option<RequestedType>,
    input: BTreeMap<usize, RequestedType>,
    outputs: Option<RequestedType>,
) {
    types.inputs = inputs.or(types.inputs);
    types.input.extend(input);
    types.outputs = outputs.or(types.outputs);
}

/// What a type of the configuration asks for.
fn requested(data: DataType) -> RequestedType {
    match data {
        DataType::Int8 => RequestedType::Integers(ActivationType::Int8),
        DataType::Int16 => RequestedType::Integers(ActivationType::Int16),
        DataType::Float16 => RequestedType::Float16,
    }
}

/// The integers that a type of the configuration is; none for real numbers, which outputs of the model cannot be asked to be.
fn activation(data: DataType) -> Option<ActivationType> {
    match requested(data) {
        RequestedType::Integers(element) => Some(element),
        RequestedType::Float16 => None,
    }
}

/// Whether biases make up for the mean error of weights.
pub(super) fn corrects_biases(configuration: &Configuration) -> bool {
    configuration.get(&OPTIMIZATION).contains(&Optimization::BiasCorrection)
        || configuration.get(&QUANT_CONFIG).as_ref().is_some_and(|config| config.bias_correction)
}

/// The ways to ranges that `quant_config` names; then nothing is searched.
pub(super) fn stated_methods(configuration: &Configuration) -> Option<RangeMethods> {
    let ranges = configuration.get(&QUANT_CONFIG).as_ref()?.ranges.as_ref()?;
    let others = ranges.values.iter().map(|(name, stated)| (name.clone(), method_of(*stated))).collect();
    Some(RangeMethods { usual: method_of(ranges.usual), others })
}

fn method_of(StatedMethod { chooser, asymmetric }: StatedMethod) -> RangeMethod {
    let chooser = match chooser {
        StatedChooser::Max(share) => RangeChooser::Percentile(share),
        StatedChooser::Kl => RangeChooser::KullbackLeibler,
        StatedChooser::MeanSquaredError => RangeChooser::MeanSquaredError,
    };
    RangeMethod { chooser, asymmetric }
}

impl NetworkStages<'_> {
    /// Says what was asked for and is not given, and writes the file that gives the same types again.
    pub(super) fn report_types(
        &self,
        module: &Module<'_>,
        info: &QuantInfo,
        asked: &AskedTypes,
        methods: &RangeMethods,
        files: &mut FileSet,
    ) -> Result<(), StageError> {
        let given = given_types(module, info)?;
        tell_narrowed(&given, info);
        for GivenTypes { node, operator, operands, narrowed, .. } in &given {
            let reason = narrowed.as_deref().unwrap_or("its neighbours are int8");
            for (index, operand) in operands.iter().enumerate() {
                let Some((bits, value)) = operand else { continue };
                // Of other values it was told when requests were resolved.
                if asked.wide.contains(&(node.clone(), index)) && *bits < WIDE_BITS && is_wide(info, value) {
                    tracing::warn!(
                        "int16 is rolled back: input {index} of node '{node}' ({operator}), the value of '{value}', is int{bits}: {reason}"
                    );
                }
            }
        }
        let mut config = quant_config(&given, info, methods);
        if corrects_biases(self.configuration) {
            config["model_config"]["weight"] = json!({"bias_correction": {}});
        }
        let text = serde_json::to_vec_pretty(&config)?;
        let file = self.configuration.output_path(QUANT_CONFIG_FILE);
        if files.reads(&file) {
            tracing::info!("'{}' is the quant_config that this run reads: it stays as it is", file.display());
            return Ok(());
        }
        files.stage(&file, &text)?;
        Ok(())
    }
}

/// Whether a value is int16.
fn is_wide(info: &QuantInfo, value: &str) -> bool {
    info.values.get(value).is_some_and(|value| value.element == ActivationType::Int16)
}

/// Says which operations see 16 bits that the network brings as int8.
fn tell_narrowed(given: &[GivenTypes], info: &QuantInfo) {
    let mut narrowed = Vec::new();
    for GivenTypes { node, operator, operands, narrowed: reason, .. } in given {
        for (index, operand) in operands.iter().enumerate() {
            let Some((bits, value)) = operand else { continue };
            if *bits < WIDE_BITS && is_wide(info, value) && is_given(info, value) {
                let reason = reason.as_deref().unwrap_or("its result has the type of its input");
                narrowed.push(format!("input {index} of node '{node}' ({operator}), the value of '{value}': {reason}"));
            }
        }
    }
    if !narrowed.is_empty() {
        tracing::warn!(
            "values that the network brings as integers of 16 bits are int8 for {} of nodes: {}",
            counted(narrowed.len(), "input"),
            narrowed.join("; ")
        );
    }
}

/// The content of the file: the manual's form, with `output` and `activation` where it has no word for a type.
fn quant_config(given: &[GivenTypes], info: &QuantInfo, methods: &RangeMethods) -> Value {
    let wide = ActivationType::Int16.to_string();
    let operands = |types: &GivenTypes| types.operands.clone().into_iter().flatten().collect::<Vec<_>>();
    let seen: HashSet<String> =
        given.iter().flat_map(operands).filter(|(bits, _)| *bits == WIDE_BITS).map(|(_, value)| value).collect();
    let mut nodes = Map::new();
    for types in given {
        if types.float16 {
            let float16 = RequestedType::Float16.to_string();
            nodes.insert(types.node.clone(), json!({"type": float16}));
            continue;
        }
        let mut entry = Map::new();
        let all = operands(types);
        if !all.is_empty() && all.iter().all(|(bits, _)| *bits == WIDE_BITS) {
            entry.insert("type".to_owned(), json!(wide));
        } else {
            for (index, (bits, value)) in
                types.operands.iter().enumerate().filter_map(|(i, types)| Some((i, types.as_ref()?)))
            {
                if *bits == WIDE_BITS || seen.contains(value) {
                    entry.insert(format!("input{index}"), json!(format!("int{bits}")));
                }
            }
        }
        let unseen = types.result == Some(WIDE_BITS) && !types.moves && !seen.contains(&types.node);
        if let Some(bits) = types.result.filter(|_| types.rounded || unseen) {
            entry.insert("output".to_owned(), json!(format!("int{bits}")));
        }
        if !entry.is_empty() {
            nodes.insert(types.node.clone(), Value::Object(entry));
        }
    }
    for node in &info.wide_weights {
        if let Value::Object(entry) = nodes.entry(node.clone()).or_insert_with(|| json!({})) {
            entry.insert(format!("input{WEIGHTS}"), json!(wide));
        }
    }
    let random = info.calibration.as_ref().is_some_and(|calibration| calibration.random);
    let mut activation = activation_of(methods.usual);
    if !methods.others.is_empty() {
        let others = methods.others.iter().map(|(name, method)| (name.clone(), Value::Object(activation_of(*method))));
        activation.insert("values".to_owned(), Value::Object(others.collect()));
    }
    let model = if random { json!({}) } else { json!({"activation": activation}) };
    json!({"model_config": model, "node_config": nodes})
}

/// `activation` of a method.
fn activation_of(method: RangeMethod) -> Map<String, Value> {
    let (kind, share) = match method.chooser {
        RangeChooser::Max => ("max".to_owned(), Some(1.0)),
        RangeChooser::Percentile(share) => ("max".to_owned(), Some(share)),
        other => (other.judge().to_string(), None),
    };
    let mut activation = Map::from_iter([("calibration_type".to_owned(), json!(kind))]);
    activation.extend(share.map(|share| ("max_percentile".to_owned(), json!(share))));
    activation.extend(method.asymmetric.then(|| ("asymmetric".to_owned(), json!(true))));
    activation
}
