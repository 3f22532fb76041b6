//! The kinds of files: where honest ones come from, how they are mutated, and what reads them.

use crate::mutate::{self, HUGE, Random};
use hb::cpu::Array;
use hb::cpu::{ExecutableOptions, FloatExecutable};
use hb::driver::compile::{Stages, compile};
use hb::driver::configuration::{Configuration, Environment};
use hb::driver::progress::{Console, Verbosity};
use hb::frontend::ModelSource;
use hb::frontend::caffe;
use hb::frontend::mlir;
use hb::frontend::onnx::model::{Attribute, Dimension, Graph, Model};
use hb::frontend::onnx::{self, ImportOptions};
use hb::hbm::Hbm;
use hb::sim::executor::ModelExecutor;
use hb::sim::network::JitLoader;
use hb::sim::npy;
use hb::sim::open::{OpenOptions, open};
use hb::sim::runner::{Runner, timelines};
use hb::target::Target;
use hb_dialects::ir::{self, TensorType};
use hb_dialects::names::FUNCTION;
use melior::Context;
use melior::ir::{Module, Value, ValueLike};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes of .onnx files.
    OnnxBytes,
    /// .onnx files that are sound as protobuf, of graphs that are not sound.
    OnnxGraph,
    /// Texts of .prototxt files, their weights whole.
    CaffeText,
    /// Bytes of .caffemodel files, their structure whole.
    CaffeWeights,
    Npy,
    Yaml,
    Bytecode,
    /// What calibration decided of values.
    QuantInfo,
    /// What weights were rounded to.
    QuantWeights,
    HbmBytes,
    /// .hbm files whose checksums are right.
    HbmContents,
}

const KINDS: [Kind; 11] = [
    Kind::OnnxBytes,
    Kind::OnnxGraph,
    Kind::CaffeText,
    Kind::CaffeWeights,
    Kind::Npy,
    Kind::Yaml,
    Kind::Bytecode,
    Kind::QuantInfo,
    Kind::QuantWeights,
    Kind::HbmBytes,
    Kind::HbmContents,
];

impl Kind {
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    pub fn named(name: &str) -> Self {
        KINDS.into_iter().find(|kind| kind.name() == name).unwrap()
    }
}

/// Networks with graphs inside of nodes, sizes that are known only when running, and integers of their own.
const ENDS: [&str; 7] = [
    "control_networks/detector_of_all.onnx",
    "control_networks/recurrent.onnx",
    "control_networks/branch.onnx",
    "control_networks/loop.onnx",
    "quantized_networks/uint8_asymmetric.onnx",
    "quantized_networks/int8_symmetric.onnx",
    "quantized_operators/uint8.onnx",
];

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Puts the honest files of a kind into a folder, as `0`, `1`, ...
pub fn prepare(kind: Kind, folder: &Path) {
    let put = |index: usize, bytes: &[u8]| fs::write(folder.join(index.to_string()), bytes).unwrap();
    match kind {
        Kind::OnnxBytes | Kind::OnnxGraph => {
            put(0, &fs::read(repository("examples/digits/model.onnx")).unwrap());
            let networks = fs::read_dir(repository("tests/data/operators/networks")).unwrap();
            let mut networks: Vec<PathBuf> = networks.map(|entry| entry.unwrap().path()).collect();
            networks.retain(|path| path.extension().is_some_and(|extension| extension == "onnx"));
            networks.sort();
            networks.extend(ENDS.map(|name| repository("tests/data/operators").join(name)));
            let networks = networks.iter().map(|path| fs::read(path).unwrap());
            // Some are there for the float level only: a network whose output is a weight has nothing to quantize.
            let whole: Vec<Vec<u8>> = networks.filter(|bytes| read_onnx(bytes, true).is_ok()).collect();
            assert!(whole.len() >= 10, "{} networks get through all levels", whole.len());
            whole.iter().enumerate().for_each(|(index, bytes)| put(index + 1, bytes));
        }
        Kind::CaffeText | Kind::CaffeWeights => {
            let cases = repository("tests/data/caffe");
            let table = fs::read_to_string(cases.join("cases.tsv")).unwrap();
            // Each child reads all of them first, so that a part must be enough: every eighth, and the networks of several layers.
            let names = table.lines().filter_map(|line| line.split('\t').next());
            let chosen = names.enumerate().filter(|(index, name)| index % 8 == 0 || name.starts_with("Networks/"));
            let part = |name: &str, extension: &str| fs::read(cases.join(format!("{name}.{extension}"))).unwrap();
            let networks = chosen.map(|(_, name)| mutate::joined(&part(name, "prototxt"), &part(name, "caffemodel")));
            // Some have an output that is a constant, which leaves nothing to quantize.
            let whole: Vec<Vec<u8>> = networks.filter(|bytes| read_caffe(bytes, true).is_ok()).collect();
            assert!(whole.len() >= 20, "{} networks get through all levels", whole.len());
            whole.iter().enumerate().for_each(|(index, bytes)| put(index, bytes));
        }
        Kind::Npy => {
            use hb_dialects::ElementType;
            for (index, (element_type, dims)) in
                [(ElementType::F32, vec![2, 3, 4]), (ElementType::Bool, vec![5]), (ElementType::I64, vec![])]
                    .into_iter()
                    .enumerate()
            {
                let count: usize = dims.iter().product();
                let array = Array::from_bytes(element_type, &dims, &vec![1; count * element_type.bytes()]).unwrap();
                put(index, &npy::encode(&array).unwrap());
            }
        }
        Kind::Yaml => put(0, &fs::read(repository("examples/digits/config.yaml")).unwrap()),
        Kind::Bytecode | Kind::QuantInfo | Kind::QuantWeights | Kind::HbmBytes | Kind::HbmContents => {
            compiled(kind, folder, &put);
        }
    }
}

/// The example, compiled. Softmax at its end gives it a segment on the CPU, too.
fn compiled(kind: Kind, folder: &Path, put: &dyn Fn(usize, &[u8])) {
    let mut model = onnx::load(&repository("examples/digits/model.onnx")).unwrap();
    let logits = model.graph.outputs[0].name.clone();
    let softmax = onnx::model::Node::new("Softmax", "Softmax", &[&logits], &["probabilities"]);
    model.graph.nodes.push(softmax);
    model.graph.outputs[0].name = "probabilities".to_owned();
    onnx::save(&model, &folder.join("model.onnx")).unwrap();
    let text = fs::read_to_string(repository("examples/digits/config.yaml")).unwrap();
    let calibration = repository("examples/digits/data/calibration").display().to_string();
    fs::write(folder.join("config.yaml"), text.replace("./data/calibration", &calibration)).unwrap();
    let configuration = Configuration::read(&folder.join("config.yaml"), &Environment::of_this_machine()).unwrap();
    let console = Console::new(Verbosity::Quiet);
    compile(&configuration, &Stages::all(&console)).unwrap();
    let result = |ending: &str| fs::read(folder.join(format!("model_output/digits{ending}"))).unwrap();
    match kind {
        Kind::Bytecode => {
            put(0, &result("_quantized_model.bc"));
            let context = hb::pipeline::context();
            let model = onnx::load(&folder.join("model.onnx")).unwrap();
            let module = onnx::import(&context, model, &ImportOptions::default()).unwrap();
            put(1, &mlir::bytecode(module.as_operation()).unwrap());
        }
        Kind::QuantInfo => put(0, &result("_quant_info.json")),
        Kind::QuantWeights => put(0, &result("_quant_weights.safetensors")),
        _ => put(0, &result(".hbm")),
    }
}

/// What a child works with.
pub struct Work {
    kind: Kind,
    files: Vec<Vec<u8>>,
    own: PathBuf,
}

impl Work {
    pub fn new(kind: Kind, folder: &Path, own: &Path) -> Self {
        let files = (0..).map_while(|index| fs::read(folder.join(index.to_string())).ok()).collect();
        Self { kind, files, own: own.to_owned() }
    }

    /// Reads every honest file; each must be taken, so that mutations start from what gets far.
    pub fn honest(&self) {
        for (index, file) in self.files.iter().enumerate() {
            let read = read(self.kind, file, &self.own, true);
            assert!(read.is_ok(), "honest {:?} {index}: {read:?}", self.kind);
        }
    }

    /// Reads the mutation of a number.
    pub fn mutation(&self, case: usize) {
        let mut random = Random::new((self.kind as u64) << 32 | case as u64);
        let honest = &self.files[random.below(self.files.len())];
        let mutated = match self.kind {
            Kind::OnnxBytes | Kind::Bytecode | Kind::QuantWeights | Kind::HbmBytes => {
                mutate::bytes(honest.clone(), &mut random)
            }
            Kind::OnnxGraph => onnx_graph(honest, &mut random),
            Kind::CaffeText => {
                let (structure, weights) = mutate::parted(honest);
                mutate::joined(&mutate::text(structure, &mut random), weights)
            }
            Kind::CaffeWeights => {
                let (structure, weights) = mutate::parted(honest);
                mutate::joined(structure, &mutate::bytes(weights.to_vec(), &mut random))
            }
            Kind::HbmContents => hbm_contents(honest, &mut random),
            Kind::Npy | Kind::Yaml | Kind::QuantInfo => mutate::text(honest, &mut random),
        };
        fs::write(self.own.join("mutated"), &mutated).unwrap();
        // Compiling for this machine takes longest, and what it reads is IR that the verifier passed.
        let _ = read(self.kind, &mutated, &self.own, case.is_multiple_of(60));
    }
}

/// Everything that the tools do with a file of this kind; `run` also lets networks run.
fn read(kind: Kind, bytes: &[u8], own: &Path, run: bool) -> Result<(), String> {
    match kind {
        Kind::OnnxBytes | Kind::OnnxGraph => read_onnx(bytes, run),
        Kind::CaffeText | Kind::CaffeWeights => read_caffe(bytes, run),
        Kind::Npy => {
            let path = own.join("array.npy");
            fs::write(&path, bytes).unwrap();
            let array = npy::read(&path).map_err(text)?;
            hb::cpu::convert(array, hb_dialects::ElementType::F32).map(|_| ()).or(Ok(()))
        }
        Kind::Yaml => {
            let environment = Environment { marches: vec!["nash-e".into()], cores: 2 };
            Configuration::from_bytes(bytes, &repository("examples/digits/config.yaml"), &environment).map_err(text)?;
            Ok(())
        }
        Kind::Bytecode => {
            let path = own.join("network.bc");
            fs::write(&path, bytes).unwrap();
            let model = open(&path, &OpenOptions::default()).map_err(text)?;
            if run { run_model(model.executor.as_ref()) } else { Ok(()) }
        }
        Kind::QuantInfo => read_decisions("quant-assign-thresholds", bytes, own),
        Kind::QuantWeights => read_decisions("quant-round-weights", bytes, own),
        Kind::HbmBytes | Kind::HbmContents => {
            let hbm = Hbm::from_bytes(bytes.to_vec()).map_err(text)?;
            let target = Target::named(&hbm.manifest().march).map_err(text)?;
            hb::hbm::information::to_json(&hbm);
            let timelines = timelines(&hbm, &target).map_err(text)?;
            hb::sim::perf::performance(&hbm, &target, &timelines);
            let runner = Runner::new(&hbm, &JitLoader, run).map_err(text)?;
            run_model(&runner)
        }
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// Gives the example a file of what was decided for it.
fn read_decisions(pass: &str, bytes: &[u8], own: &Path) -> Result<(), String> {
    let path = own.join("decisions");
    fs::write(&path, bytes).unwrap();
    let context = hb::pipeline::context();
    let model = onnx::load(&repository("examples/digits/model.onnx")).map_err(text)?;
    let mut module = onnx::import(&context, model, &ImportOptions::default()).map_err(text)?;
    let passes = format!("hfloat-optimize,func.func({pass}{{file={}}})", hb_dialects::pass::word(&path));
    hb::pipeline::run(&context, &mut module, &passes).map_err(text)
}

fn read_onnx(bytes: &[u8], run: bool) -> Result<(), String> {
    let model = onnx::from_bytes(bytes.to_vec().into(), None).map_err(text)?;
    let context = hb::pipeline::context();
    let mut options = ImportOptions::default();
    for input in &model.graph.inputs {
        let size = |dimension: &Dimension| match dimension {
            Dimension::Fixed(size) => *size,
            Dimension::Named(_) => 6,
        };
        let dimensions = input.shape.iter().flatten();
        options.input_shapes.insert(input.name.clone(), dimensions.map(size).collect());
    }
    let source = ModelSource::Onnx(Box::new(model)).for_compilation();
    through_levels(&context, source.import(&context, &options).map_err(text)?, run)
}

/// A prototxt and a .caffemodel, through all levels.
fn read_caffe(bytes: &[u8], run: bool) -> Result<(), String> {
    let (structure, weights) = mutate::parted(bytes);
    let network = caffe::from_bytes(structure, "net.prototxt", Some(weights.to_vec().into())).map_err(text)?;
    let context = hb::pipeline::context();
    let module = ModelSource::Caffe(Box::new(network)).import(&context, &ImportOptions::default()).map_err(text)?;
    // An input of the size that a file claims must be brought by the user.
    let function = ir::function_named(module.as_operation(), FUNCTION).ok_or("no function")?;
    let small = |value: &Value<'_, '_>| {
        let elements = TensorType::from_type(value.r#type()).ok().and_then(|known| known.elements());
        elements.is_some_and(|elements| elements <= 1 << 20)
    };
    let block = ir::body(function).ok_or("no body")?;
    if !ir::arguments(block).iter().all(small) {
        return Err("the input is too large".to_owned());
    }
    through_levels(&context, module, run)
}

fn through_levels(context: &Context, mut module: Module<'_>, run: bool) -> Result<(), String> {
    let pipeline = |module: &mut _, passes| hb::pipeline::run(context, module, passes).map_err(text);
    pipeline(&mut module, "hfloat-optimize")?;
    onnx::export(module.as_operation()).and_then(|model| onnx::to_bytes(&model)).map_err(text)?;
    if run {
        let function = ir::function_named(module.as_operation(), FUNCTION).ok_or("no function")?;
        let options = ExecutableOptions { quick: true, ..ExecutableOptions::default() };
        let executable = FloatExecutable::compile(function, options).map_err(text)?;
        let inputs =
            hb::quant::calibrate::random_inputs(&executable, 0, hb::quant::calibrate::Draw::default()).map_err(text)?;
        executable.run(&inputs.iter().collect::<Vec<_>>()).map_err(text)?;
    }
    pipeline(&mut module, "hfloat-to-qdq{default=1.0},qdq-to-bpu,bpu-to-nash{march=nash-e}")
}

/// Runs a model on zeros; inputs of open size get 1.
fn run_model(model: &dyn ModelExecutor) -> Result<(), String> {
    let zeros = |tensor: &hb::sim::executor::TensorSpecification| {
        let dims: Vec<usize> = tensor.dims.iter().map(|dim| dim.unwrap_or(1)).collect();
        let bytes = dims.iter().try_fold(tensor.element_type.bytes(), |bytes, dim| bytes.checked_mul(*dim));
        // An input of the size that a file claims must be brought by the user.
        bytes.filter(|bytes| *bytes <= 1 << 20).ok_or("the input is too large")?;
        Array::zeros(tensor.element_type, &dims).map_err(text)
    };
    let inputs: Vec<Array> = model.inputs().iter().map(zeros).collect::<Result<_, String>>()?;
    model.run(&inputs).map(|_| ()).map_err(text)
}

/// A model with changed shapes, numbers, names and edges, or without some of what it had.
fn onnx_graph(honest: &[u8], random: &mut Random) -> Vec<u8> {
    let mut model: Model = onnx::from_bytes(honest.to_vec().into(), None).unwrap();
    let graph = &mut model.graph;
    for _ in 0..=random.below(3) {
        let (from, to) = (random.below(graph.nodes.len()), random.below(graph.nodes.len()));
        match random.below(12) {
            9 => leave_out(graph, from, random),
            10 => swap_names(graph, random),
            11 => inner_graph(&mut graph.nodes[from], random),
            0 | 1 => {
                let count = graph.inputs.len() + graph.outputs.len();
                let index = random.below(count);
                let value = graph.inputs.iter_mut().chain(&mut graph.outputs).nth(index).unwrap();
                let size = *random.pick(&HUGE);
                if let Some(shape) = &mut value.shape
                    && !shape.is_empty()
                {
                    let at = random.below(shape.len());
                    shape[at] = match usize::try_from(size) {
                        Ok(size) => Dimension::Fixed(size),
                        Err(_) => Dimension::Named("n".to_owned()),
                    };
                }
            }
            // An edge to anywhere: the graph may become cyclic.
            2 | 3 => {
                let output = graph.nodes[from].outputs.first().cloned().unwrap_or_default();
                let inputs = &mut graph.nodes[to].inputs;
                let at = random.below(inputs.len());
                if let Some(input) = inputs.get_mut(at) {
                    *input = output;
                }
            }
            4 => graph.nodes.swap(from, to),
            5 => {
                let operator = graph.nodes[from].operator.clone();
                graph.nodes[to].operator = operator;
            }
            6 | 7 => attribute(&mut graph.nodes[from], random),
            _ => {
                if !graph.initializers.is_empty() {
                    let at = random.below(graph.initializers.len());
                    let values: Vec<i64> = (0..random.below(6)).map(|_| *random.pick(&HUGE)).collect();
                    graph.initializers[at].1 = onnx::tensor::Tensor::from_i64s(&values);
                }
            }
        }
    }
    onnx::to_bytes(&model).unwrap_or_default()
}

/// Takes away a node, an input, an output, an attribute, an initializer, or the shape of a value.
fn leave_out(graph: &mut Graph, at: usize, random: &mut Random) {
    fn one<T>(from: &mut Vec<T>, random: &mut Random) {
        if !from.is_empty() {
            let at = random.below(from.len());
            from.remove(at);
        }
    }
    match random.below(8) {
        0 if graph.nodes.len() > 1 => one(&mut graph.nodes, random),
        0 | 1 => one(&mut graph.nodes[at].inputs, random),
        2 => one(&mut graph.nodes[at].outputs, random),
        3 => one(&mut graph.nodes[at].attributes, random),
        4 => one(&mut graph.initializers, random),
        5 => one(&mut graph.outputs, random),
        6 => graph.inputs.iter_mut().for_each(|input| input.shape = None),
        _ => graph.nodes[at].inputs.iter_mut().take(1).for_each(String::clear),
    }
}

/// Swaps the names of two initializers, or of two values that nodes give.
fn swap_names(graph: &mut Graph, random: &mut Random) {
    let (first, second) = (random.below(graph.initializers.len()), random.below(graph.initializers.len()));
    if first != second && random.below(2) == 0 {
        let name = graph.initializers[first].0.clone();
        graph.initializers[first].0 = std::mem::replace(&mut graph.initializers[second].0, name);
        return;
    }
    let (first, second) = (random.below(graph.nodes.len()), random.below(graph.nodes.len()));
    let outputs = std::mem::take(&mut graph.nodes[first].outputs);
    graph.nodes[first].outputs = std::mem::replace(&mut graph.nodes[second].outputs, outputs);
}

/// Changes a graph inside of a node.
fn inner_graph(node: &mut onnx::model::Node, random: &mut Random) {
    for (_, attribute) in &mut node.attributes {
        let Attribute::Graph(graph) = attribute else { continue };
        if graph.nodes.is_empty() {
            continue;
        }
        let at = random.below(graph.nodes.len());
        match random.below(3) {
            0 => leave_out(graph, at, random),
            1 => swap_names(graph, random),
            _ => self::attribute(&mut graph.nodes[at], random),
        }
    }
}

/// Gives an attribute of a node, one that it has or one that shapes follow from, another number.
fn attribute(node: &mut onnx::model::Node, random: &mut Random) {
    let names: Vec<String> = node.attributes.iter().map(|(name, _)| name.clone()).collect();
    let known = ["axis", "axes", "kernel_shape", "strides", "pads", "dilations", "group", "perm", "to", "blocksize"];
    let name = if names.is_empty() || random.below(4) == 0 {
        (*random.pick(&known)).to_owned()
    } else {
        random.pick(&names).clone()
    };
    let number = *random.pick(&HUGE);
    let attribute = match node.attribute(&name) {
        Some(Attribute::Ints(values)) => {
            let mut values = values.clone();
            let at = random.below(values.len());
            match values.get_mut(at) {
                Some(value) => *value = number,
                None => values.push(number),
            }
            Attribute::Ints(values)
        }
        _ if random.below(3) == 0 => Attribute::Ints(vec![number; random.below(4)]),
        _ => Attribute::Int(number),
    };
    node.set_attribute(&name, attribute);
}

/// A .hbm with one section changed and every checksum, offset and size made right again, as `docs/hbm-format.md` has them.
fn hbm_contents(honest: &[u8], random: &mut Random) -> Vec<u8> {
    let honest_file = Hbm::from_bytes(honest.to_vec()).unwrap();
    let mut sections: Vec<(u32, u32, Vec<u8>)> = Vec::new();
    for (index, section) in honest_file.sections().iter().enumerate() {
        sections.push((section.kind as u32, section.alignment as u32, honest_file.section(index).to_vec()));
    }
    let at = random.below(sections.len());
    let changed = std::mem::take(&mut sections[at].2);
    sections[at].2 = mutate::bytes(changed, random);
    let mut table = Vec::new();
    let mut contents = Vec::new();
    let start = 64 + 64 * sections.len();
    for (kind, alignment, bytes) in &sections {
        let offset = (start + contents.len()).next_multiple_of(*alignment as usize);
        contents.resize(offset - start, 0);
        contents.extend_from_slice(bytes);
        table.extend(kind.to_le_bytes().into_iter().chain([0; 4]));
        table.extend((offset as u64).to_le_bytes().into_iter().chain((bytes.len() as u64).to_le_bytes()));
        table.extend(alignment.to_le_bytes().into_iter().chain([0; 4]));
        table.extend(Sha256::digest(bytes));
    }
    let mut file = honest[..16].to_vec();
    file.extend(((start + contents.len()) as u64).to_le_bytes());
    file.extend((sections.len() as u32).to_le_bytes().into_iter().chain([0; 4]));
    file.extend(Sha256::digest(&table));
    file.extend(table);
    file.extend(contents);
    file
}
