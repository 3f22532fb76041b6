//! Networks that are not compiled for a target, and cpu segments: both run on this machine's CPU backend.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hb_dialects::names::FUNCTION;
use hb_dialects::pass::PassFailure;
use hb_dialects::{ElementType, ir};
use melior::Context;
use melior::ir::{Module, OperationRef};

use super::executor::{ExecutionError, LayerObserver, Meaning, ModelExecutor, Outcome, TensorSpecification};
use super::open::{Detail, OpenModel};
use super::runner::{CpuSegmentExecutor, CpuSegmentLoader, CpuSegmentSource};
use super::segmented::{SegmentedNetwork, is_segmented};
use crate::cpu::{Array, ArrayView, ExecutableOptions, FloatExecutable, Observe, Work, work};
use crate::diagnostics;
use crate::dialect_rules;
use crate::frontend::mlir;
use crate::frontend::onnx::ImportOptions;
use crate::frontend::onnx::tensor::{MAX_RANK, Tensor};
use crate::frontend::{self, ModelFiles};

/// Compiled forms of one network that are kept: one per combination of input shapes.
const MAXIMUM_FORMS: usize = 16;
/// Elements of an input whose values may be sizes, positions or axes: as many as a tensor has dimensions, begins and ends of each.
const MAXIMUM_SIZES: usize = 2 * MAX_RANK;

fn failed(error: impl ToString) -> ExecutionError {
    ExecutionError(error.to_string())
}

/// Where the network comes from.
enum Source {
    /// Compiled anew for every combination of input shapes.
    Files(frontend::ModelSource),
    /// Static shapes: compiled once.
    Mlir,
}

/// A float or quantized network, run as its operations say.
pub struct Network {
    source: Source,
    inputs: Vec<TensorSpecification>,
    outputs: Vec<String>,
    options: ExecutableOptions,
    forms: Mutex<HashMap<FormKey, Arc<FloatExecutable>>>,
}

/// What a form is compiled for: the shape of each input, and its value where that is part of the form.
type FormKey = Vec<(Vec<usize>, Option<Vec<u8>>)>;

fn key_of_shapes(inputs: &[Array]) -> FormKey {
    inputs.iter().map(|array| (array.shape().to_vec(), None)).collect()
}

/// With the values of those inputs that can be sizes, positions or axes: numbers, and short lists of them.
fn key_of_values(inputs: &[Array]) -> FormKey {
    let can_be_sizes = |array: &Array| array.shape().len() <= 1 && array.len() <= MAXIMUM_SIZES;
    let value = |array: &Array| can_be_sizes(array).then(|| array.as_bytes().to_vec());
    inputs.iter().map(|array| (array.shape().to_vec(), value(array))).collect()
}

impl Network {
    /// An ONNX model or a Caffe network, and what its layers are. Dimensions that the model leaves open are those of the arrays given.
    pub fn from_files(files: &ModelFiles, detail: Detail) -> Result<(Self, Meaning), ExecutionError> {
        let source = frontend::ModelSource::load(files).map_err(failed)?;
        let model = source.model().map_err(failed)?;
        let inputs = model.graph.inputs.iter().map(|input| {
            let (Some(element), true) = (input.element, input.shape.is_some()) else {
                return Err(failed(format!("input {:?} has no element type or no shape", input.name)));
            };
            Ok(TensorSpecification { name: input.name.clone(), element_type: element, dims: input.sizes() })
        });
        let inputs = inputs.collect::<Result<_, _>>()?;
        let outputs = model.graph.outputs.iter().map(|output| output.name.clone()).collect();
        let meaning = Meaning::of_model(&model);
        drop(model);
        let options = executable_options(detail);
        Ok((Self { inputs, outputs, source: Source::Files(source), options, forms: Mutex::default() }, meaning))
    }

    /// A function at the `hfloat` or `quant` level, with static shapes.
    fn from_function(context: &Context, module: &Module<'_>, detail: Detail) -> Result<Self, ExecutionError> {
        let options = executable_options(detail);
        let executable = compile(context, module, FUNCTION, &options)?;
        let specification = |(name, element, shape): (&str, ElementType, &[usize])| {
            let dims = shape.iter().copied().map(Some).collect();
            TensorSpecification { name: name.to_owned(), element_type: element, dims }
        };
        let inputs = executable.inputs().map(specification).collect();
        let outputs = executable.outputs().map(|(name, ..)| name.to_owned()).collect();
        let shapes = executable.inputs().map(|(_, _, shape)| (shape.to_vec(), None)).collect();
        let forms = Mutex::new(HashMap::from([(shapes, Arc::new(executable))]));
        Ok(Self { source: Source::Mlir, inputs, outputs, options, forms })
    }

    /// The network compiled for inputs of these shapes; where shapes inside depend on values of inputs, for those values.
    fn form(&self, inputs: &[Array]) -> Result<Arc<FloatExecutable>, ExecutionError> {
        let mut forms = self.forms.lock().unwrap_or_else(PoisonError::into_inner);
        let (shapes, values) = (key_of_shapes(inputs), key_of_values(inputs));
        if let Some(form) = forms.get(&shapes).or_else(|| forms.get(&values)) {
            return Ok(Arc::clone(form));
        }
        let Source::Files(source) = &self.source else {
            return Err(failed("the network has other input shapes"));
        };
        // Not on this thread: it may be a worker that, while it waits for parts of the compilation, takes up another sample and
        // comes back here, where it holds the lock already. And with workers of its own: all others may wait for the lock.
        let workers = rayon::ThreadPoolBuilder::new().build().map_err(failed)?;
        let compile = |key: &FormKey| {
            let compiled =
                std::thread::scope(|scope| scope.spawn(|| workers.install(|| self.compile_form(source, key))).join());
            compiled.map_err(|_| failed("compiling the network failed in an unforeseen way"))?
        };
        let (key, form) = match compile(&shapes) {
            Ok(form) => (shapes, form),
            Err(error) if values == shapes => return Err(error),
            Err(_) => {
                let form = compile(&values)?;
                (values, form)
            }
        };
        let form = Arc::new(form);
        if forms.len() >= MAXIMUM_FORMS {
            forms.clear();
        }
        forms.insert(key, Arc::clone(&form));
        Ok(form)
    }

    fn compile_form(&self, source: &frontend::ModelSource, key: &FormKey) -> Result<FloatExecutable, ExecutionError> {
        let context = dialect_rules::context();
        let (mut input_shapes, mut values) = (BTreeMap::new(), Vec::new());
        for (input, (shape, value)) in self.inputs.iter().zip(key) {
            if let Some(bytes) = value {
                let tensor = Tensor::new(input.element_type, shape.clone(), bytes.clone().into()).map_err(failed)?;
                values.push((input.name.clone(), tensor));
            } else {
                input_shapes.insert(input.name.clone(), shape.clone());
            }
        }
        let mut source = source.clone();
        match &mut source {
            frontend::ModelSource::Onnx(model) => model.graph.fix_inputs(values),
            frontend::ModelSource::Caffe(_) if values.is_empty() => {}
            frontend::ModelSource::Caffe(_) => return Err(failed("shapes of Caffe depend on no values")),
        }
        let module = source.import(&context, &ImportOptions { input_shapes }).map_err(failed)?;
        compile(&context, &module, FUNCTION, &self.options)
    }

    fn run_with(&self, inputs: &[Array], see: &mut LayerObserver<'_>) -> Result<Outcome, ExecutionError> {
        let form = self.form(inputs)?;
        let names = self.inputs.iter().map(|specification| specification.name.as_str());
        let arrays: HashMap<&str, &Array> = names.zip(inputs).collect();
        // By name: what the function takes need not be in the file's order.
        let ordered: Option<Vec<&Array>> = form.inputs().map(|(name, ..)| arrays.get(name).copied()).collect();
        let ordered = ordered.ok_or_else(|| failed("an input has no array"))?;
        let mut show = |name: &str, view: ArrayView<'_>| {
            if !arrays.contains_key(name)
                && let Some(values) = view.values::<f32>()
            {
                see(name, values.to_vec());
            }
        };
        let outputs = form.run_with_observer(&ordered, &mut show).map_err(failed)?;
        Ok(Outcome { outputs, latency: None })
    }
}

/// What is observed is not fused away.
fn executable_options(detail: Detail) -> ExecutableOptions {
    match detail {
        Detail::Layers => {
            ExecutableOptions { observe: Observe::Everything, quick: true, ..ExecutableOptions::default() }
        }
        Detail::Outputs | Detail::Races => ExecutableOptions::default(),
    }
}

/// MLIR text or bytecode of any level, with static shapes.
pub fn open_mlir(path: &Path, kind: &'static str, detail: Detail) -> Result<OpenModel, ExecutionError> {
    let context = dialect_rules::context();
    let module = mlir::read(&context, path).map_err(failed)?;
    let function = ir::function_named(module.as_operation(), FUNCTION);
    let meaning = function.map(Meaning::of).transpose().map_err(failed)?.unwrap_or_default();
    match function {
        Some(function) if is_segmented(function) => {
            let network = match detail {
                Detail::Outputs => SegmentedNetwork::new(function)?,
                Detail::Layers => SegmentedNetwork::observed(function)?,
                Detail::Races => SegmentedNetwork::checked(function)?,
            };
            let (march, meaning) = (network.march().map(str::to_owned), Meaning { is_lowered: true, ..meaning });
            Ok(OpenModel { executor: Box::new(network), kind, march, meaning })
        }
        _ => {
            let executor = Box::new(Network::from_function(&context, &module, detail)?);
            Ok(OpenModel { executor, kind, march: None, meaning })
        }
    }
}

/// Infers shapes, then compiles the function of that name.
fn compile(
    context: &Context,
    module: &Module<'_>,
    name: &str,
    options: &ExecutableOptions,
) -> Result<FloatExecutable, ExecutionError> {
    let function = function(module, name)?;
    infer_shapes(context, function)?;
    FloatExecutable::compile(function, options.clone()).map_err(failed)
}

/// The steps of a stored cpu segment with what they take.
pub(super) fn work_of_segment(bytes: &[u8], segment: &str, entry: &str) -> Result<Vec<(String, Work)>, ExecutionError> {
    let context = dialect_rules::context();
    let module = mlir::parse(&context, bytes, segment).map_err(failed)?;
    let function = function(&module, entry)?;
    infer_shapes(&context, function)?;
    work(function).map_err(failed)
}

fn function<'c, 'a>(module: &'a Module<'c>, name: &str) -> Result<OperationRef<'c, 'a>, ExecutionError> {
    let function = ir::function_named(module.as_operation(), name);
    function.ok_or_else(|| failed(format!("it has no function {name:?}")))
}

fn infer_shapes(context: &Context, function: OperationRef<'_, '_>) -> Result<(), ExecutionError> {
    let pass = crate::float::PASSES.iter().find(|pass| pass.argument == "hfloat-infer-shapes");
    let options = hb_dialects::pass::PassOptions::default();
    let (result, reports) =
        diagnostics::collect(context, || pass.map_or(Ok(()), |pass| (pass.run)(function, &options)));
    result.map_err(|failure| match failure {
        PassFailure::Reported => failed(diagnostics::messages(&reports)),
        PassFailure::Message(message) => failed(message),
    })
}

impl ModelExecutor for Network {
    fn inputs(&self) -> &[TensorSpecification] {
        &self.inputs
    }

    fn outputs(&self) -> &[String] {
        &self.outputs
    }

    fn prepare(&self, inputs: &[Array]) -> Result<(), ExecutionError> {
        self.form(inputs).map(|_| ())
    }

    fn run(&self, inputs: &[Array]) -> Result<Outcome, ExecutionError> {
        self.run_with(inputs, &mut |_, _| {})
    }

    fn run_observed(&self, inputs: &[Array], see: &mut LayerObserver<'_>) -> Result<Outcome, ExecutionError> {
        self.run_with(inputs, see)
    }
}

/// Compiles the IR of cpu segments for this machine. A segment's IR is a module with a function of the name of its entry.
pub struct JitLoader;

impl CpuSegmentLoader for JitLoader {
    fn load(&self, source: &CpuSegmentSource<'_>) -> Result<Box<dyn CpuSegmentExecutor>, ExecutionError> {
        let context = dialect_rules::context();
        let module = mlir::parse(&context, source.ir, source.name).map_err(failed)?;
        let executable = compile(&context, &module, source.entry, &ExecutableOptions::default())?;
        let mut sizes = Vec::new();
        for (what, buffers, tensors) in [
            ("input", &source.inputs, executable.stored_inputs().collect::<Vec<_>>()),
            ("output", &source.outputs, executable.stored_outputs().collect::<Vec<_>>()),
        ] {
            if buffers.len() != tensors.len() {
                let (bound, found) = (buffers.len(), tensors.len());
                return Err(failed(format!("it binds {bound} {what} buffers, its function has {found}")));
            }
            for (buffer, (name, element, shape)) in buffers.iter().zip(tensors) {
                let bytes = shape.iter().try_fold(element.bytes(), |bytes, size| bytes.checked_mul(*size));
                if element != buffer.element_type || bytes.is_none_or(|bytes| bytes > buffer.bytes) {
                    let detail = format!(
                        "{what} {name:?} is {element} of shape {shape:?}, its buffer {:?} holds {} in {} bytes",
                        buffer.name, buffer.element_type, buffer.bytes
                    );
                    return Err(failed(detail));
                }
                sizes.push(bytes.unwrap_or(0));
            }
        }
        sizes.truncate(source.inputs.len());
        let works = work(function(&module, source.entry)?).map_err(failed)?.into_iter().map(|(_, work)| work).collect();
        Ok(Box::new(JitSegment { executable, input_bytes: sizes, works }))
    }
}

struct JitSegment {
    executable: FloatExecutable,
    /// Of the tensors; their buffers may be longer.
    input_bytes: Vec<usize>,
    works: Vec<Work>,
}

impl CpuSegmentExecutor for JitSegment {
    fn works(&self) -> &[Work] {
        &self.works
    }

    fn run(&self, inputs: &[&[u8]], outputs: &mut [Vec<u8>]) -> Result<(), ExecutionError> {
        let arrays = self.executable.stored_inputs().zip(inputs.iter().zip(&self.input_bytes));
        let arrays: Vec<Array> = arrays
            .map(|((_, element, shape), (bytes, size))| {
                let bytes = bytes.get(..*size).ok_or_else(|| failed("a buffer is shorter than its tensor"))?;
                Array::from_bytes(element, shape, bytes).map_err(failed)
            })
            .collect::<Result<_, _>>()?;
        let results = self.executable.run_stored(&arrays.iter().collect::<Vec<_>>(), &mut |_, _| {}).map_err(failed)?;
        for (output, result) in outputs.iter_mut().zip(results) {
            let bytes = result.as_bytes();
            match output.get_mut(..bytes.len()) {
                Some(slot) => slot.copy_from_slice(bytes),
                None => return Err(failed("a buffer is shorter than its tensor")),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::infer::{InferRequest, infer};
    use super::super::npy;
    use super::super::open::{OpenOptions, open};
    use super::*;
    use crate::frontend::onnx;
    use crate::frontend::onnx::model::{Attribute, Dimension, Graph, Model, Node, Value};
    use crate::hbm::Buffer;

    fn value(name: &str) -> Value {
        let shape = vec![Dimension::Named("batch".into()), Dimension::Fixed(2)];
        Value { name: name.into(), element: Some(ElementType::F32), shape: Some(shape) }
    }

    /// y = relu(a) + b, with a batch that the arrays decide.
    fn model() -> Model {
        Model::new(
            9,
            19,
            Graph {
                name: "toy".into(),
                nodes: vec![
                    Node::new("Relu_0", "Relu", &["a"], &["r"]),
                    Node::new("Add_0", "Add", &["r", "b"], &["y"]),
                ],
                inputs: vec![value("a"), value("b")],
                outputs: vec![value("y")],
                ..Graph::default()
            },
        )
    }

    fn floats(values: &[f32]) -> Array {
        Array::from_values(&[values.len() / 2, 2], values).unwrap()
    }

    #[test]
    fn an_onnx_network_takes_its_batch_from_the_arrays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("toy.onnx");
        onnx::save(&model(), &path).unwrap();
        let network = Network::from_files(&ModelFiles { model: path.clone(), proto: None }, Detail::Outputs).unwrap().0;
        assert_eq!(network.inputs[0].shape(), "?x2");
        let run = |a: &[f32], b: &[f32]| network.run(&[floats(a), floats(b)]).map(|outcome| outcome.outputs);
        assert_eq!(run(&[1.0, -2.0], &[0.5, 0.25]).unwrap(), [floats(&[1.5, 0.25])]);
        assert_eq!(run(&[1.0, -2.0, 3.0, 4.0], &[1.0; 4]).unwrap(), [floats(&[2.0, 1.0, 4.0, 5.0])]);
        assert_eq!(network.forms.lock().unwrap().len(), 2);
        // A name that does not hold: each dimension counts for itself, and 1x2 broadcasts over 2x2.
        assert_eq!(run(&[1.0, -2.0], &[0.5; 4]).unwrap(), [floats(&[1.5, 0.5, 1.5, 0.5])]);
    }

    /// y = the sum of x over the axes, which are an input: each value of them is a form of its own.
    #[test]
    fn shapes_may_depend_on_values_of_inputs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sum.onnx");
        let axes =
            Value { name: "axes".into(), element: Some(ElementType::I64), shape: Some(vec![Dimension::Fixed(1)]) };
        let graph = Graph {
            name: "sum".into(),
            nodes: vec![Node::new("Sum_0", "ReduceSum", &["x", "axes"], &["y"]).with("keepdims", Attribute::Int(0))],
            inputs: vec![value("x"), axes],
            outputs: vec![value("y")],
            ..Graph::default()
        };
        onnx::save(&Model::new(9, 19, graph), &path).unwrap();
        let network = Network::from_files(&ModelFiles { model: path, proto: None }, Detail::Outputs).unwrap().0;
        let run = |axis: i64| {
            let axes = Array::from_values(&[1], &[axis]).unwrap();
            network.run(&[floats(&[1.0, 2.0, 3.0, 4.0]), axes]).map(|outcome| outcome.outputs).unwrap()
        };
        let sums = |values: [f32; 2]| [Array::from_values(&[2], &values).unwrap()];
        assert_eq!(run(0), sums([4.0, 6.0]));
        assert_eq!(run(1), sums([3.0, 7.0]));
        assert_eq!(run(0), sums([4.0, 6.0]));
        assert_eq!(network.forms.lock().unwrap().len(), 2);
    }

    #[test]
    fn many_samples_of_different_forms_run_in_parallel() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("toy.onnx");
        onnx::save(&model(), &path).unwrap();
        for input in ["a", "b"] {
            std::fs::create_dir(folder.path().join(input)).unwrap();
            for index in 0..20u8 {
                let array = npy::encode(&floats(&[f32::from(index), -1.0])).unwrap();
                std::fs::write(folder.path().join(input).join(format!("{index:02}.npy")), array).unwrap();
            }
        }
        let model = open(&path, &OpenOptions::default()).unwrap();
        let inputs = ["a", "b"].map(|name| format!("{name}={}", folder.path().join(name).display()));
        let output_dir = folder.path().join("out");
        let request = InferRequest { inputs: &inputs, output_dir: &output_dir, jobs: 4 };
        let report = infer(model.executor.as_ref(), &request).unwrap();
        assert_eq!((report.samples, report.predicted_latency_us), (20, None));
        let y = npy::read(&output_dir.join("y.npy")).unwrap();
        assert_eq!(y.shape(), [20, 1, 2]);
        let expected: Vec<f32> = (0..20u8).flat_map(|index| [2.0 * f32::from(index), -1.0]).collect();
        assert_eq!(y.as_bytes(), floats(&expected).as_bytes());
    }

    const SEGMENT: &str = r#"
func.func @cpu_0(%a: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %y = "hfloat.relu"(%a) : (tensor<1x2xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}"#;

    fn load(ir: &str, entry: &str, input: usize) -> Result<Box<dyn CpuSegmentExecutor>, ExecutionError> {
        let buffer = |bytes| Buffer { name: "t".into(), bytes, element_type: ElementType::F32, dims: vec![1, 2] };
        let (input, output) = (buffer(input), buffer(12));
        let source =
            CpuSegmentSource { name: "cpu_0", ir: ir.as_bytes(), entry, inputs: vec![&input], outputs: vec![&output] };
        JitLoader.load(&source)
    }

    #[test]
    fn a_cpu_segment_runs_from_its_ir() {
        let segment = load(SEGMENT, "cpu_0", 8).unwrap();
        let mut outputs = vec![vec![0; 12]];
        segment.run(&[floats(&[-1.0, 2.0]).as_bytes()], &mut outputs).unwrap();
        assert_eq!(&outputs[0][..8], floats(&[0.0, 2.0]).as_bytes());
    }

    #[test]
    fn a_cpu_segment_that_does_not_fit_is_refused() {
        let message = |ir: &str, entry: &str, input| load(ir, entry, input).err().unwrap().to_string();
        assert!(message(SEGMENT, "main", 8).contains("\"main\""));
        assert!(message(SEGMENT, "cpu_0", 4).contains("4 bytes"));
        assert!(message("not MLIR", "cpu_0", 8).contains("cpu_0"));
    }
}
