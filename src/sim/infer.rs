//! `hb_sim infer`: arrays in, arrays out.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;
use serde::Serialize;

use super::executor::{ExecutionError, ModelExecutor, Outcome};
use super::inputs::{InputError, Inputs};
use super::npy;
use crate::cpu::{Array, ConversionError};
use crate::files::{FileError, FileSet, StagedFile, file_names};

/// Samples per thread that are in memory at once.
const SAMPLES_PER_THREAD: usize = 8;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum InferError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Output(#[from] ConversionError),
    #[error("{}{source}", sample_prefix(.sample))]
    Execution { sample: Option<usize>, source: ExecutionError },
    #[error(
        "output {name:?} has shape {found:?} for sample {sample} and {first:?} for the first; they cannot be stacked"
    )]
    Ragged { name: String, sample: usize, found: Vec<usize>, first: Vec<usize> },
    #[error("cannot start {jobs} threads: {source}")]
    Threads { jobs: usize, source: rayon::ThreadPoolBuildError },
}

fn sample_prefix(sample: &Option<usize>) -> String {
    sample.map(|sample| format!("sample {sample}: ")).unwrap_or_default()
}

/// What to run, and where results go.
#[derive(Debug, Clone)]
pub struct InferRequest<'a> {
    /// `NAME=FILE_OR_DIR` each.
    pub inputs: &'a [String],
    /// Where `NAME.npy` of each output goes; it is made where it does not exist.
    pub output_dir: &'a Path,
    /// Samples that run at the same time; 0 for one per core. A sample that runs alone has all cores.
    pub jobs: usize,
}

/// What was done.
#[derive(Debug, Clone, Serialize)]
pub struct InferReport {
    /// How many runs there were.
    pub samples: usize,
    /// Whether outputs have a first axis over the samples.
    pub stacked: bool,
    /// Samples that ran at the same time.
    pub jobs: usize,
    /// In the order of the model.
    pub inputs: Vec<InputReport>,
    /// In the order of the model.
    pub outputs: Vec<OutputReport>,
    /// Predicted for one run on the target; none for models that are not compiled.
    pub predicted_latency_us: Option<f64>,
    /// Time that everything took.
    pub elapsed_seconds: f64,
    /// The part of it before the first run: listing files and compiling for the shapes of the first sample.
    pub prepare_seconds: f64,
    /// Time of each run alone, without reading and writing, in the order of samples.
    pub run_seconds: Vec<f64>,
}

/// What an input was given.
#[derive(Debug, Clone, Serialize)]
pub struct InputReport {
    /// As the model calls it.
    pub name: String,
    /// The file or folder.
    pub path: PathBuf,
    /// As numpy calls it.
    pub element_type: String,
    /// Of one sample; none where the model leaves a size open.
    pub shape: Vec<Option<usize>>,
}

/// What an output gave.
#[derive(Debug, Clone, Serialize)]
pub struct OutputReport {
    /// As the model calls it.
    pub name: String,
    /// The file that was written.
    pub path: PathBuf,
    /// As numpy calls it.
    pub element_type: String,
    /// Of the file: with the samples first where they are stacked.
    pub shape: Vec<usize>,
}

/// Runs every sample and writes each output to `DIR/NAME.npy`; all files appear at the end, or none.
pub fn infer(executor: &dyn ModelExecutor, request: &InferRequest<'_>) -> Result<InferReport, InferError> {
    let begin = Instant::now();
    let inputs = Inputs::bind(executor.inputs(), request.inputs)?;
    // What runs alone may use every core for itself.
    let threads = if request.jobs == 1 { 0 } else { request.jobs };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|source| InferError::Threads { jobs: request.jobs, source })?;
    let jobs = if request.jobs == 1 { 1 } else { pool.current_num_threads() };
    prepare(executor, &inputs)?;
    let prepare_seconds = begin.elapsed().as_secs_f64();
    let mut run_seconds = Vec::with_capacity(inputs.samples);
    let mut writer = OutputWriter::new(executor, request.output_dir, &inputs);
    let progress = progress_bar(inputs.samples);
    let samples: Vec<usize> = (0..inputs.samples).collect();
    let mut latency = None;
    for chunk in samples.chunks(jobs.saturating_mul(SAMPLES_PER_THREAD).max(1)) {
        let run = |&sample: &usize| {
            let outcome = run_sample(executor, &inputs, sample);
            progress.inc(1);
            outcome
        };
        let outcomes: Vec<Result<(Outcome, f64), InferError>> = pool
            .install(|| if jobs == 1 { chunk.iter().map(run).collect() } else { chunk.par_iter().map(run).collect() });
        for (sample, outcome) in chunk.iter().zip(outcomes) {
            let (outcome, seconds) = outcome?;
            run_seconds.push(seconds);
            latency = latency.or(outcome.latency);
            writer.append(*sample, &outcome.outputs)?;
        }
    }
    progress.finish_and_clear();
    let outputs = writer.commit()?;
    let input_reports = executor
        .inputs()
        .iter()
        .zip(&inputs.sources)
        .map(|(tensor, source)| InputReport {
            name: tensor.name.clone(),
            path: source.path().to_owned(),
            element_type: tensor.element_type.name().to_owned(),
            shape: tensor.dims.clone(),
        })
        .collect();
    Ok(InferReport {
        samples: inputs.samples,
        stacked: inputs.stacked,
        jobs,
        inputs: input_reports,
        outputs,
        predicted_latency_us: latency,
        elapsed_seconds: begin.elapsed().as_secs_f64(),
        prepare_seconds,
        run_seconds,
    })
}

/// Prepares the executor for the first sample, and so for all that are like it.
fn prepare(executor: &dyn ModelExecutor, inputs: &Inputs<'_>) -> Result<(), InferError> {
    if inputs.samples == 0 {
        return Ok(());
    }
    let failed = |source| InferError::Execution { sample: inputs.stacked.then_some(0), source };
    executor.prepare(&inputs.load(0)?).map_err(failed)
}

/// The results of a sample, and the seconds that its run took.
fn run_sample(executor: &dyn ModelExecutor, inputs: &Inputs<'_>, sample: usize) -> Result<(Outcome, f64), InferError> {
    let arrays = inputs.load(sample)?;
    let failed = |source| InferError::Execution { sample: inputs.stacked.then_some(sample), source };
    let begin = Instant::now();
    let outcome = executor.run(&arrays).map_err(failed)?;
    let seconds = begin.elapsed().as_secs_f64();
    if outcome.outputs.len() != executor.outputs().len() {
        let detail = format!("the model gave {} outputs of {}", outcome.outputs.len(), executor.outputs().len());
        return Err(failed(ExecutionError(detail)));
    }
    Ok((outcome, seconds))
}

/// Shown on a terminal only; quick runs are done before it would appear.
fn progress_bar(samples: usize) -> ProgressBar {
    if samples < 2 {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(samples as u64);
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} samples [{bar:40}] {elapsed} (left: {eta})") {
        bar.set_style(style);
    }
    bar
}

/// Appends samples to the files of the outputs, so that only a few samples are in memory however many there are.
struct OutputWriter<'a> {
    executor: &'a dyn ModelExecutor,
    folder: &'a Path,
    /// Number of samples where results are stacked.
    samples: Option<usize>,
    files: FileSet,
    outputs: Vec<(StagedFile, OutputReport, Vec<usize>)>,
}

impl<'a> OutputWriter<'a> {
    fn new(executor: &'a dyn ModelExecutor, folder: &'a Path, inputs: &Inputs<'_>) -> Self {
        let samples = inputs.stacked.then_some(inputs.samples);
        Self { executor, folder, samples, files: FileSet::new(), outputs: Vec::new() }
    }

    fn append(&mut self, sample: usize, arrays: &[Array]) -> Result<(), InferError> {
        let arrays: Vec<_> = arrays.iter().map(npy::storable).collect::<Result<_, _>>()?;
        if self.outputs.is_empty() {
            self.begin(&arrays)?;
        }
        for ((file, report, dims), array) in self.outputs.iter().zip(&arrays) {
            if array.shape() != *dims {
                return Err(InferError::Ragged {
                    name: report.name.clone(),
                    sample,
                    found: array.shape().to_vec(),
                    first: dims.clone(),
                });
            }
            self.files.append(*file, array.as_bytes())?;
        }
        Ok(())
    }

    /// The first sample decides shapes that the model leaves open.
    fn begin(&mut self, arrays: &[Cow<'_, Array>]) -> Result<(), InferError> {
        let names = self.executor.outputs();
        let files = file_names(names.iter().map(String::as_str));
        for ((name, file), array) in names.iter().zip(files).zip(arrays) {
            let path = self.folder.join(format!("{file}.npy"));
            let shape: Vec<usize> = self.samples.into_iter().chain(array.shape().iter().copied()).collect();
            let file = self.files.begin(&path)?;
            self.files.append(file, &npy::header(array.element(), &shape))?;
            let report =
                OutputReport { name: name.clone(), path, element_type: array.element().name().to_owned(), shape };
            self.outputs.push((file, report, array.shape().to_vec()));
        }
        Ok(())
    }

    fn commit(self) -> Result<Vec<OutputReport>, InferError> {
        self.files.commit()?;
        Ok(self.outputs.into_iter().map(|(_, report, _)| report).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::executor::TensorSpecification;
    use super::*;
    use hb_dialects::ElementType;

    /// y = x + 1 on two bytes; z = as many ones as x[0] says. Fails on 255.
    struct Toy {
        inputs: Vec<TensorSpecification>,
        outputs: Vec<String>,
    }

    fn specification(name: &str, dim: Option<usize>) -> TensorSpecification {
        TensorSpecification { name: name.into(), element_type: ElementType::U8, dims: vec![dim] }
    }

    fn toy() -> Toy {
        Toy { inputs: vec![specification("x", Some(2))], outputs: vec!["out/y".into(), "z".into()] }
    }

    fn bytes(bytes: &[u8]) -> Array {
        Array::from_values(&[bytes.len()], bytes).unwrap()
    }

    impl ModelExecutor for Toy {
        fn inputs(&self) -> &[TensorSpecification] {
            &self.inputs
        }

        fn outputs(&self) -> &[String] {
            &self.outputs
        }

        fn run(&self, inputs: &[Array]) -> Result<Outcome, ExecutionError> {
            let x = inputs[0].as_bytes();
            if x[0] == 255 {
                return Err(ExecutionError("node Add_0: 255 is too much".into()));
            }
            let y = bytes(&[x[0] + 1, x[1] + 1]);
            Ok(Outcome { outputs: vec![y, bytes(&vec![1; x[0].into()])], latency: Some(2.5) })
        }
    }

    fn run(samples: &[[u8; 2]], single: bool) -> (Result<InferReport, InferError>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let inputs = folder.path().join("in");
        std::fs::create_dir(&inputs).unwrap();
        for (index, sample) in samples.iter().enumerate() {
            std::fs::write(inputs.join(format!("{index:03}.npy")), npy::encode(&bytes(sample)).unwrap()).unwrap();
        }
        let path = if single { inputs.join("000.npy") } else { inputs };
        let request =
            InferRequest { inputs: &[path.display().to_string()], output_dir: &folder.path().join("out"), jobs: 2 };
        (infer(&toy(), &request), folder)
    }

    #[test]
    fn a_file_gives_the_output_itself() {
        let (report, folder) = run(&[[3, 4]], true);
        let report = report.unwrap();
        assert_eq!((report.samples, report.stacked, report.predicted_latency_us), (1, false, Some(2.5)));
        let y = npy::read(&folder.path().join("out/out_y.npy")).unwrap();
        assert_eq!(y, bytes(&[4, 5]));
        assert_eq!(npy::read(&folder.path().join("out/z.npy")).unwrap(), bytes(&[1, 1, 1]));
    }

    #[test]
    fn outputs_of_one_file_name_have_two_files() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("x.npy");
        std::fs::write(&input, npy::encode(&bytes(&[3, 4])).unwrap()).unwrap();
        let outputs = vec!["out/y".into(), "out:y".into()];
        let inputs = [input.display().to_string()];
        let request = InferRequest { inputs: &inputs, output_dir: folder.path(), jobs: 1 };
        let report = infer(&Toy { outputs, ..toy() }, &request).unwrap();
        let files: Vec<_> = report.outputs.iter().map(|output| output.path.file_name().unwrap().to_owned()).collect();
        assert_eq!(files, ["out_y.npy", "out_y_1.npy"]);
        assert_eq!(npy::read(&folder.path().join("out_y_1.npy")).unwrap(), bytes(&[1, 1, 1]));
    }

    #[test]
    fn a_folder_is_stacked_in_sorted_order() {
        let samples: Vec<[u8; 2]> = (0..40).map(|index| [3, index]).collect();
        let (report, folder) = run(&samples, false);
        let report = report.unwrap();
        assert_eq!((report.samples, report.stacked), (40, true));
        let y = npy::read(&folder.path().join("out/out_y.npy")).unwrap();
        assert_eq!(y.shape(), [40, 2]);
        let expected: Vec<u8> = (0..40).flat_map(|index| [4, index + 1]).collect();
        assert_eq!(y.as_bytes(), expected);
        assert_eq!(npy::read(&folder.path().join("out/z.npy")).unwrap().shape(), [40, 3]);
    }

    #[test]
    fn a_failure_names_the_sample_and_leaves_nothing() {
        let (report, folder) = run(&[[1, 1], [1, 2], [255, 3]], false);
        assert_eq!(report.unwrap_err().to_string(), "sample 2: node Add_0: 255 is too much");
        let (ragged, other) = run(&[[1, 1], [2, 2]], false);
        assert!(matches!(ragged, Err(InferError::Ragged { sample: 1, .. })));
        for folder in [folder, other] {
            let left = std::fs::read_dir(folder.path().join("out")).map_or(0, |entries| entries.count());
            assert_eq!(left, 0);
        }
    }
}
