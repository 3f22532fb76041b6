//! A network through every level, each compared with its neighbour.
//!
//! Bytes must be equal where `docs/numerics.md` is exact to the bit: import and export, `bpu` and the simulator, the two simulators, two
//! compilations. Float levels may differ by rounding: as much as a change of the inputs in their last places makes.

use super::network::{Network, kind_of};
use super::quantized::{Steps, agrees_with_interpreter};
use super::tiled::MACHINES;
use hb::cpu::{Array, ExecutableOptions, FloatExecutable, Observe};
use hb::driver::compile::{CompileError, Stages, compile};
use hb::driver::configuration::{Configuration, Environment};
use hb::driver::progress::{Console, Verbosity};
use hb::frontend::onnx::{self, ImportOptions};
use hb::hbm::{Hbm, SegmentBody};
use hb::pipeline;
use hb::sim::executor::ModelExecutor;
use hb::sim::network::JitLoader;
use hb::sim::npy;
use hb::sim::runner::Runner;
use hb::sim::segmented::SegmentedNetwork;
use hb_dialects::hfloat::{Op, ShapeRule};
use hb_dialects::registry::OnnxForm;
use hb_dialects::{ElementType, ir, names::FUNCTION};
use melior::Context;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Two results of one operator in f32, beside the largest one.
const FLOAT_TOLERANCE: f64 = 2e-5;
/// The inputs change by so much to see what rounding may do.
const NUDGE: f32 = 1e-6;
/// A difference may be so many times what the nudge made.
const NUDGED: f64 = 40.0;

/// What came of a network.
pub enum Outcome {
    Compiled(Compiled),
    /// The reason, with the name of a node or value of the network in it.
    Refused(String),
}

#[derive(Default)]
pub struct Compiled {
    /// Nodes by operator and place.
    pub placed: BTreeMap<(String, String), usize>,
    pub programs: usize,
    pub steps: Steps,
    /// Segments by the machine that they fit.
    pub tiled: [usize; MACHINES],
    /// Outputs that were not compared as floats: rounding decides on the side of a jump.
    pub behind_jumps: usize,
}

/// A comparison that failed.
#[derive(Debug)]
pub struct Fault {
    pub level: &'static str,
    pub what: String,
}

impl Fault {
    /// The same fault in a smaller network is of the same kind.
    pub fn kind(&self) -> String {
        format!("{}: {}", self.level, kind_of(&self.what))
    }
}

fn fault(level: &'static str) -> impl Fn(String) -> Fault {
    move |what| Fault { level, what }
}

/// Checks a network; a panic is a fault of the level where it came.
pub fn check(context: &Context, network: &Network, twice: bool) -> Result<Outcome, Fault> {
    let level = std::cell::Cell::new("import");
    let outcome = catch_unwind(AssertUnwindSafe(|| levels(context, network, twice, &level)));
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Fault { level: level.get(), what: format!("panic: {}", text.unwrap_or_default()) })
    })
}

fn levels(
    context: &Context,
    network: &Network,
    twice: bool,
    level: &std::cell::Cell<&'static str>,
) -> Result<Outcome, Fault> {
    if let Err(error) = onnx::import(context, network.model.clone(), &ImportOptions::default()) {
        return refused("import", network, &error.to_string());
    }
    import_and_export(context, network)?;
    level.set("float");
    let float = Float::of(context, network)?;
    float.agrees_with_single_nodes(network)?;
    level.set("compile");
    let folder = tempfile::tempdir().unwrap();
    let files = match compiled(network, &folder.path().join("first"), 2) {
        Ok(files) => files,
        Err(error) => return refused("compile", network, &error.to_string()),
    };
    if twice {
        level.set("compiled twice");
        let again = compiled(network, &folder.path().join("again"), 1)
            .map_err(|error| Fault { level: "compiled twice", what: error.to_string() })?;
        for (name, bytes) in &files {
            if again.get(name) != Some(bytes) {
                return Err(Fault { level: "compiled twice", what: format!("{name} has other bytes") });
            }
        }
    }
    level.set("optimized");
    let behind_jumps = float.agrees_with_optimized(context, network, &files["model_optimized_float_model.onnx"])?;
    level.set("quantized");
    let (placed, on_bpu) = placed(&files["model_node_info.csv"]);
    let (mut steps, mut tiled) = (Steps::new(), [0; MACHINES]);
    agrees_with_interpreter(context, network, &folder.path().join("first/out"), &on_bpu, (&mut steps, &mut tiled))?;
    level.set("simulator");
    let programs = simulators_agree(context, network, &files)?;
    Ok(Outcome::Compiled(Compiled { placed, programs, behind_jumps, steps, tiled }))
}

/// (a) Import, export, import gives the same.
fn import_and_export(context: &Context, network: &Network) -> Result<(), Fault> {
    let level = fault("import");
    let text = |error: onnx::OnnxError| error.to_string();
    let bytes = onnx::to_bytes(&network.model).map_err(text).map_err(&level)?;
    let read = onnx::from_bytes(bytes.into(), None).map_err(text).map_err(&level)?;
    if read != network.model {
        return Err(level("the file says something else than the model that was written".to_owned()));
    }
    let through = |model| -> Result<onnx::model::Model, String> {
        let module = onnx::import(context, model, &ImportOptions::default()).map_err(text)?;
        onnx::export(module.as_operation()).map_err(text)
    };
    let first = through(read).map_err(&level)?;
    let bytes = onnx::to_bytes(&first).map_err(text).map_err(&level)?;
    let read = onnx::from_bytes(bytes.into(), None).map_err(text).map_err(&level)?;
    if through(read).map_err(&level)? != first {
        return Err(level("importing what was exported gives another network".to_owned()));
    }
    Ok(())
}

/// The float network as it was imported.
struct Float {
    outputs: Vec<Array>,
    /// Of nodes by name.
    values: HashMap<String, Array>,
    /// What nudged inputs change of a value at most.
    moved: HashMap<String, f64>,
    moved_outputs: Vec<f64>,
}

fn executable(context: &Context, model: onnx::model::Model, observe: Observe) -> Result<FloatExecutable, String> {
    let module = onnx::import(context, model, &ImportOptions::default()).map_err(|error| error.to_string())?;
    let mut module = module;
    pipeline::run(context, &mut module, &pipeline::on_functions("hfloat-infer-shapes"))
        .map_err(|error| error.to_string())?;
    let function = ir::function_named(module.as_operation(), FUNCTION).ok_or("no function")?;
    let options = ExecutableOptions { observe, quick: true, single_threaded: true, ..ExecutableOptions::default() };
    FloatExecutable::compile(function, options).map_err(|error| error.to_string())
}

/// The largest distance of two arrays; infinite where one of two values alone is no number.
fn distance(a: &Array, b: &Array) -> f64 {
    let pairs = a.to_f64().into_iter().zip(b.to_f64());
    pairs
        .map(|(a, b)| match a == b || a.is_nan() && b.is_nan() {
            true => 0.0,
            false if (a - b).is_nan() => f64::INFINITY,
            false => (a - b).abs(),
        })
        .fold(0.0, f64::max)
}

fn largest(array: &Array) -> f64 {
    array.to_f64().into_iter().filter(|value| value.is_finite()).fold(0.0, |most, value| most.max(value.abs()))
}

fn nudged(array: &Array, sign: f32) -> Array {
    let mut array = array.clone();
    for (index, value) in array.values_mut::<f32>().unwrap_or_default().iter_mut().enumerate() {
        let direction = if index % 3 == 0 { -sign } else { sign };
        *value *= 1.0 + direction * NUDGE;
    }
    array
}

/// The precision of an element type beside f32's.
fn coarseness(element: ElementType) -> f64 {
    match element {
        ElementType::F16 => 1e3,
        ElementType::BF16 => 1e4,
        _ => 1.0,
    }
}

impl Float {
    fn of(context: &Context, network: &Network) -> Result<Self, Fault> {
        let level = fault("float");
        let observed = executable(context, network.model.clone(), Observe::Everything).map_err(&level)?;
        let run = |inputs: &[Array]| -> Result<(HashMap<String, Array>, Vec<Array>), Fault> {
            let mut values = HashMap::new();
            let outputs = observed.run_with_observer(&inputs.iter().collect::<Vec<_>>(), &mut |name, view| {
                values.insert(name.to_owned(), view.to_array().unwrap());
            });
            Ok((values, outputs.map_err(|error| level(error.to_string()))?))
        };
        let inputs: Vec<Array> = network.inputs().into_iter().cloned().collect();
        let (values, outputs) = run(&inputs)?;
        let mut float = Self { outputs, values, moved: HashMap::new(), moved_outputs: Vec::new() };
        float.moved_outputs = vec![0.0; float.outputs.len()];
        for sign in [1.0, -1.0] {
            let inputs: Vec<Array> = inputs.iter().map(|array| nudged(array, sign)).collect();
            // A nudge may push an index out of its range; then it says nothing.
            let Ok((values, outputs)) = run(&inputs) else { continue };
            for (name, array) in &float.values {
                let moved = float.moved.entry(name.clone()).or_default();
                *moved = moved.max(values.get(name).map_or(0.0, |other| distance(array, other)));
            }
            for (moved, (a, b)) in float.moved_outputs.iter_mut().zip(float.outputs.iter().zip(&outputs)) {
                *moved = moved.max(distance(a, b));
            }
        }
        let fused = executable(context, network.model.clone(), Observe::Nothing).map_err(&level)?;
        let inputs: Vec<&Array> = inputs.iter().collect();
        let outputs = fused.run(&inputs).map_err(|error| level(error.to_string()))?;
        float.compare_outputs("float", network, &outputs)?;
        Ok(float)
    }

    fn allowed(expected: &Array, moved: f64) -> f64 {
        largest(expected) * FLOAT_TOLERANCE * coarseness(expected.element()) + NUDGED * moved
    }

    /// (b) Each node gives in the network what it gives alone, of the shape that was predicted.
    fn agrees_with_single_nodes(&self, network: &Network) -> Result<(), Fault> {
        let jumps = behind_jumps(network);
        for node in &network.model.graph.nodes {
            let Some(value) = self.values.get(&node.name) else { continue };
            let Some(expected) = network.named(node).and_then(|name| network.values.get(name)) else { continue };
            // Before opset 13 it is computed on a matrix that has its name.
            let matrix = network.model.opset < 13 && shape_rule(&node.operator) == Some(ShapeRule::Softmax);
            if matrix && value.len() == expected.len() {
                continue;
            }
            compare("float", &node.name, expected, value, || {
                let moved = self.moved.get(&node.name).copied().unwrap_or(0.0);
                if jumps.contains(&node.outputs[0]) { f64::INFINITY } else { Self::allowed(expected, moved) }
            })?;
        }
        let expected: Vec<Array> =
            network.model.graph.outputs.iter().map(|output| network.values[&output.name].clone()).collect();
        self.compare_outputs("float", network, &expected)?;
        Ok(())
    }

    /// (b) The passes of the float level change nothing. The number of outputs that were not compared.
    fn agrees_with_optimized(&self, context: &Context, network: &Network, file: &[u8]) -> Result<usize, Fault> {
        let level = fault("optimized");
        let model = onnx::from_bytes(file.to_vec().into(), None).map_err(|error| level(error.to_string()))?;
        let names: Vec<String> = model.graph.inputs.iter().map(|input| input.name.clone()).collect();
        let optimized = executable(context, model, Observe::Nothing).map_err(&level)?;
        let inputs: Vec<&Array> = names.iter().map(|name| &network.values[name]).collect();
        let outputs = optimized.run(&inputs).map_err(|error| level(error.to_string()))?;
        self.compare_outputs("optimized", network, &outputs)
    }

    fn compare_outputs(&self, level: &'static str, network: &Network, found: &[Array]) -> Result<usize, Fault> {
        let (jumps, outputs) = (behind_jumps(network), &network.model.graph.outputs);
        if found.len() != outputs.len() {
            return Err(Fault { level, what: format!("{} outputs instead of {}", found.len(), outputs.len()) });
        }
        let mut skipped = 0;
        for (index, output) in outputs.iter().enumerate() {
            let (expected, found) = (&self.outputs[index], &found[index]);
            compare(level, &output.name, expected, found, || {
                let jump = jumps.contains(&output.name);
                skipped += usize::from(jump);
                if jump { f64::INFINITY } else { Self::allowed(expected, self.moved_outputs[index]) }
            })?;
        }
        Ok(skipped)
    }
}

/// `allowed` is asked only where something differs.
fn compare(
    level: &'static str,
    name: &str,
    expected: &Array,
    found: &Array,
    allowed: impl FnOnce() -> f64,
) -> Result<(), Fault> {
    if (expected.element(), expected.shape()) != (found.element(), found.shape()) {
        let what = format!("{name}: {found:?} instead of {expected:?}");
        return Err(Fault { level, what });
    }
    let distance = distance(expected, found);
    if distance > 0.0 {
        let allowed = allowed();
        if distance > allowed {
            let what =
                format!("'{name}': is {distance:e} away, allowed is {allowed:e}: {found:?} instead of {expected:?}");
            return Err(Fault { level, what });
        }
    }
    Ok(())
}

fn shape_rule(operator: &str) -> Option<ShapeRule> {
    match onnx::operators::find(operator)?.form {
        OnnxForm::Op(op) => Some(op.shape_rule()),
        OnnxForm::Composite(_) => None,
    }
}

/// Values behind a function that jumps: a rounding before it may turn its result into another.
fn behind_jumps(network: &Network) -> HashSet<String> {
    let mut behind = HashSet::new();
    for node in &network.model.graph.nodes {
        let operator = onnx::operators::find(&node.operator).unwrap();
        let whole = |name: &String| network.values.get(name).is_some_and(|array| !array.element().is_float());
        let jumps = match operator.form {
            OnnxForm::Op(
                Op::Floor
                | Op::Ceil
                | Op::Round
                | Op::Sign
                | Op::Shrink
                | Op::ThresholdedRelu
                | Op::Equal
                | Op::Greater
                | Op::GreaterOrEqual
                | Op::Less
                | Op::LessOrEqual
                | Op::ArgMax
                | Op::ArgMin,
            ) => true,
            OnnxForm::Op(Op::Cast) => node.outputs.iter().any(whole),
            OnnxForm::Op(Op::MaxPool) => node.outputs.len() > 1,
            _ => false,
        };
        if jumps || node.inputs.iter().any(|input| behind.contains(input)) {
            behind.extend(node.outputs.iter().cloned());
        }
    }
    behind
}

/// Scales of the calibration samples.
const SAMPLES: [f32; 2] = [1.0, 0.7];

/// Everything that `hb_compile` writes.
/// In a third of the networks, every other node or so is asked to be computed in float16.
fn float16(network: &Network) -> String {
    let names = network.model.graph.nodes.iter().enumerate();
    let asked = names.filter(|(index, _)| network.seed % 3 == 1 && (index + network.seed as usize / 3) % 5 < 3);
    let entries: Vec<String> = asked.map(|(_, node)| format!("'{}': {{type: float16}}", node.name)).collect();
    if entries.is_empty() {
        return String::new();
    }
    format!("  quant_config: {{node_config: {{{}}}}}\n", entries.join(", "))
}

fn compiled(network: &Network, folder: &Path, jobs: usize) -> Result<BTreeMap<String, Vec<u8>>, CompileError> {
    std::fs::create_dir_all(folder).unwrap();
    onnx::save(&network.model, &folder.join("model.onnx")).unwrap();
    let inputs = &network.model.graph.inputs;
    for (index, input) in inputs.iter().enumerate() {
        let samples = folder.join(format!("samples_{index}"));
        std::fs::create_dir_all(&samples).unwrap();
        for (number, scale) in SAMPLES.iter().enumerate() {
            let bytes = npy::encode(&scaled(&network.values[&input.name], *scale)).unwrap();
            std::fs::write(samples.join(format!("{number}.npy")), bytes).unwrap();
        }
    }
    let each = |text: &dyn Fn(usize) -> String| (0..inputs.len()).map(text).collect::<Vec<_>>().join("; ");
    let per_input = if inputs.is_empty() {
        "  input_type_rt: featuremap\n  input_type_train: featuremap\n  input_layout_train: NCHW\n".to_owned()
    } else {
        format!(
            "  input_name: '{}'\n  input_type_rt: '{}'\n  input_type_train: '{}'\n  input_layout_train: '{}'\n",
            each(&|index| inputs[index].name.clone()),
            each(&|_| "featuremap".to_owned()),
            each(&|_| "featuremap".to_owned()),
            each(&|_| "NCHW".to_owned())
        )
    };
    let calibration = if inputs.is_empty() {
        "  calibration_type: skip\n".to_owned()
    } else {
        // Sometimes values of the calibration samples saturate.
        let percentile = if network.seed % 4 == 1 { "0.97" } else { "1.0" };
        let zero_points = if network.seed % 5 < 3 { "  optimization: asymmetric\n" } else { "" };
        let folders = each(&|index| format!("./samples_{index}"));
        let float16 = float16(network);
        format!(
            "  calibration_type: max\n  max_percentile: {percentile}\n  cal_data_dir: '{folders}'\n{zero_points}{float16}"
        )
    };
    let march = if network.seed.is_multiple_of(3) { "nash-m" } else { "nash-e" };
    let text = format!(
        "model_parameters:\n  onnx_model: model.onnx\n  march: {march}\n  working_dir: ./out\n\
         input_parameters:\n{per_input}calibration_parameters:\n{calibration}compiler_parameters:\n  jobs: {jobs}\n"
    );
    let file = folder.join("config.yaml");
    std::fs::write(&file, text).unwrap();
    let configuration = Configuration::read(&file, &Environment { cores: 2, ..Environment::of_this_machine() })?;
    compile(&configuration, &Stages::all(&Console::new(Verbosity::Quiet)))?;
    let entries = std::fs::read_dir(folder.join("out")).unwrap().map(|entry| entry.unwrap());
    Ok(entries
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .filter(|(name, _)| !name.ends_with(".log"))
        .collect())
}

/// An error is lawful when it names a node, an input or an output of the network.
fn refused(level: &'static str, network: &Network, text: &str) -> Result<Outcome, Fault> {
    let graph = &network.model.graph;
    let named = |name: &str| !name.is_empty() && text.contains(name);
    let names = graph.nodes.iter().any(|node| named(&node.name))
        || graph.inputs.iter().chain(&graph.outputs).any(|value| named(&value.name));
    let own = text.contains("The compiler is at fault") || !names;
    let text = text.to_owned();
    if own { Err(Fault { level, what: text }) } else { Ok(Outcome::Refused(text)) }
}

fn scaled(array: &Array, scale: f32) -> Array {
    let mut array = array.clone();
    array.values_mut::<f32>().unwrap_or_default().iter_mut().for_each(|value| *value *= scale);
    array
}

/// The calibration sample; one beyond its range; one with what is no number.
fn samples(network: &Network) -> Vec<Vec<Array>> {
    let all = |scale: f32| network.inputs().into_iter().map(|array| scaled(array, scale)).collect();
    let mut wild: Vec<Array> = all(-3.0);
    for values in wild.iter_mut().filter_map(Array::values_mut::<f32>) {
        let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MIN_POSITIVE / 4.0];
        values.iter_mut().step_by(7).zip(odd).for_each(|(value, odd)| *value = odd);
    }
    vec![all(1.0), all(2.5), wild]
}

/// (d) The interpreter, the fast simulator and the machine's definition, which looks for races. The number of
/// programs.
fn simulators_agree(context: &Context, network: &Network, files: &BTreeMap<String, Vec<u8>>) -> Result<usize, Fault> {
    let level = fault("simulator");
    let text = |error: &dyn std::fmt::Display| level(error.to_string());
    let module = hb::frontend::mlir::parse(context, &files["model_quantized_model.bc"], "test");
    let module = module.map_err(|error| text(&error))?;
    let function = ir::function_named(module.as_operation(), FUNCTION).ok_or_else(|| text(&"no function"))?;
    let interpreted = SegmentedNetwork::new(function).map_err(|error| text(&error))?;
    let hbm = Hbm::from_bytes(files["model.hbm"].clone()).map_err(|error| text(&error))?;
    let fast = Runner::new(&hbm, &JitLoader, false).map_err(|error| text(&error))?;
    let machine = Runner::new(&hbm, &JitLoader, true).map_err(|error| text(&error))?;
    for (number, sample) in samples(network).into_iter().enumerate() {
        let ordered = |inputs: &[hb::sim::executor::TensorSpecification]| -> Vec<Array> {
            let position = |name: &String| network.model.graph.inputs.iter().position(|input| input.name == *name);
            inputs.iter().map(|input| sample[position(&input.name).unwrap()].clone()).collect()
        };
        let expected = interpreted.run(&ordered(interpreted.inputs()));
        let inputs = ordered(fast.inputs());
        let (found, defined) = (fast.run(&inputs), machine.run_buffers(&inputs));
        let (expected, found, defined) = match (expected, found, defined) {
            (Ok(expected), Ok(found), Ok(defined)) => (expected.outputs, found.outputs, defined),
            // Indices that are computed may leave their range on other samples: at every level.
            (Err(_), Err(_), Err(_)) if number > 0 => continue,
            (expected, found, defined) => {
                let errors = [expected.err(), found.err(), defined.err()];
                return Err(level(format!("sample {number}: levels do not fail alike: {errors:?}")));
            }
        };
        for (output, (a, b)) in network.model.graph.outputs.iter().zip(expected.iter().zip(&found)) {
            if a != b {
                let what = format!("sample {number}: '{}': the .hbm gives other bytes than the bpu level", output.name);
                return Err(level(what));
            }
        }
        if fast.run_buffers(&inputs).map_err(|error| text(&error))? != defined {
            return Err(level(format!("sample {number}: the fast simulator gives other bytes than the definition")));
        }
    }
    let programs = hbm.manifest().segments.iter();
    Ok(programs.filter(|segment| matches!(segment.body, SegmentBody::Bpu(_))).count())
}

/// Nodes by operator and place, and the names of those on the BPU, from the report.
fn placed(csv: &[u8]) -> (BTreeMap<(String, String), usize>, HashSet<String>) {
    let (mut placed, mut on_bpu) = (BTreeMap::new(), HashSet::new());
    for line in String::from_utf8_lossy(csv).lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        if let [node, operator, on, ..] = cells[..] {
            *placed.entry((operator.to_owned(), on.to_owned())).or_default() += 1;
            if on == "BPU" {
                on_bpu.insert(node.to_owned());
            }
        }
    }
    (placed, on_bpu)
}
