//! The stages calibrate and quantize: samples and files for what `crate::quant` decides.

use super::accuracy::Judgement;
use super::compare::{self, BackgroundRun};
use super::compile::{CompileError, NetworkStages, StageError};
use super::configuration::{
    ACCURACY_COMMAND, ACCURACY_TARGET, CAL_DATA_DIR, CAL_IMAGE_PREPROCESSING, CALIBRATION_TYPE, CalibrationType,
    CheckedInput, DEBUG_MODE, DebugMode, INPUT_LAYOUT_TRAIN, INPUT_TYPE_TRAIN, LATENCY_BUDGET, Layout, MAX_PERCENTILE,
    MEAN_VALUE, OPTIMIZATION, Optimization, PER_CHANNEL, Problem, Problems, SCALE_VALUE, WORKING_DIR, counted,
};
use super::given_scales::GivenScales;
use super::images::{Channels, ImageForm};
use super::log::tell_names;
use super::recurrences::tell_numbered;
use super::sample_source::{SampleSource, of_infinite_sample, question_ranges};
use super::samples::{self, SampleInput};
use super::samples_apart::tell_mixed;
use super::{precision_search, types};
use crate::cpu::{Array, FloatExecutable};
use crate::files::{FileError, FileSet, file_names};
use crate::pipeline::{self, on_functions};
use crate::quant::{
    RangeChooser, assign_float16, assign_operand_bits,
    calibrate::{CalibrationError, Draw, Samples, threads},
    channel_ranges::{ChannelRanges, channel_ranges, scale_channels},
    correct_biases,
    evidence::{self, Before, Calibrated, Evidence, Method, Observations, RangeMethod, RangeMethods},
    given::keep_forms,
    info::{ActivationType, Judge, QuantInfo},
    measured_values,
    requests::{AskedTypes, TypeRequests, WeightRequests},
    round_weights,
    selections::judged_values,
    sources,
    split_weights::parts,
    states,
    weight_search::WeightSearch,
};
use crate::sim::npy;
use hb_dialects::ir;
use hb_dialects::pass::word;
use melior::ir::{Module, OperationRef};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What calibration type `default` chooses from.
const SEARCHED: [RangeMethod; 6] = [
    RangeMethod { chooser: RangeChooser::Max, asymmetric: true },
    RangeMethod { chooser: RangeChooser::Percentile(0.9999), asymmetric: true },
    RangeMethod { chooser: RangeChooser::MeanSquaredError, asymmetric: true },
    RangeMethod { chooser: RangeChooser::KullbackLeibler, asymmetric: true },
    RangeMethod { chooser: RangeChooser::Max, asymmetric: false },
    RangeMethod { chooser: RangeChooser::MeanSquaredError, asymmetric: false },
];
/// The pass that takes the scales which a network brings.
pub(super) const TAKE_SCALES: &str = "quant-take-scales";
/// The pass that says what runs on the BPU.
pub(super) const ASSIGN_PLACEMENT: &str = "quant-assign-placement";
/// The results that passes read.
pub(super) const INFO: &str = "_quant_info.json";
pub(super) const WEIGHTS: &str = "_quant_weights.safetensors";

/// What calibration leaves for the later stages.
pub(super) struct Reference {
    /// The first sample: levels are compared by it.
    pub(super) sample: Vec<Array>,
    pub(super) calibrated: Calibrated,
    pub(super) asked: AskedTypes,
    pub(super) source: SampleSource,
}

/// When samples run.
enum Occasion<'f> {
    /// Before anything is decided; they are kept where that is asked for.
    First(&'f mut FileSet),
    /// After layers were split, with what is known of the network before; nothing where samples are random.
    AfterSplit(Option<Box<Before>>),
}

/// Layers that compute the same with other weights.
#[derive(Default)]
struct ChangedLayers {
    /// Those whose weights have 16 bits.
    wide: BTreeSet<String>,
    /// Those whose channels have ranges of their own.
    channel_ranges: ChannelRanges,
}

impl NetworkStages<'_> {
    /// Samples; random numbers where they are asked for, and where the network brings all scales and nothing else is given.
    fn samples(
        &self,
        inputs: &[CheckedInput],
        executable: &FloatExecutable,
        is_quantized: bool,
    ) -> Result<SampleSource, StageError> {
        let is_given = inputs.iter().any(|input| input.get(&CAL_DATA_DIR).is_some());
        if is_quantized {
            tracing::info!("the network brings the scales of all of its values: nothing is calibrated");
            if is_given {
                tracing::warn!(
                    "cal_data_dir: no sample changes the model, because the network brings its scales; the tables and the report are of the first one"
                );
            }
        }
        if *self.configuration.get(&CALIBRATION_TYPE) == CalibrationType::Skip || (is_quantized && !is_given) {
            return Ok(SampleSource::Random(Draw::for_network(executable)?));
        }
        if let Some(opened) = self.opened.get() {
            return Ok(SampleSource::Files(opened.clone()));
        }
        let mut problems = Vec::new();
        let mut given = Vec::new();
        for (input, (_, element, _)) in inputs.iter().zip(executable.inputs()) {
            let shape = input.shape.iter().map(|&size| size as usize).collect();
            match (input.get(&CAL_DATA_DIR).clone(), self.images(input)) {
                (Some(folder), Ok(images)) => {
                    given.push(SampleInput { name: input.name.clone(), folder, shape, element, images })
                }
                (None, _) => {
                    let what = format!("input '{}' has no calibration samples", input.name);
                    let remedy = "name a folder of samples, or set calibration_type to skip";
                    problems.push(self.configuration.problem(&CAL_DATA_DIR, what, remedy));
                }
                (_, Err(problem)) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            return Err(CompileError::from(Problems(problems)).into());
        }
        let samples = samples::SampleFiles::open(given).map_err(|error| {
            let problem = self.configuration.problem(&CAL_DATA_DIR, error.to_string(), error.remedy());
            CompileError::from(Problems(vec![problem]))
        })?;
        Ok(SampleSource::Files(self.opened.get_or_init(|| samples).clone()))
    }

    /// How images become samples of an input, where that is asked for.
    fn images(&self, input: &CheckedInput) -> Result<Option<ImageForm>, Problem> {
        let Some(fit) = *input.get(&CAL_IMAGE_PREPROCESSING) else { return Ok(None) };
        let problem = |what: String, remedy| self.configuration.problem(&CAL_IMAGE_PREPROCESSING, what, remedy);
        let train = input.get(&INPUT_TYPE_TRAIN).name();
        let channels = Channels::named(train).ok_or_else(|| {
            let remedy = "leave it out and save the samples as .npy";
            problem(format!("input '{}' is trained on {train}, which images are not turned into", input.name), remedy)
        })?;
        Ok(Some(ImageForm {
            fit,
            channels,
            channels_last: *input.get(&INPUT_LAYOUT_TRAIN) == Layout::Nhwc,
            mean: input.per_channel(&MEAN_VALUE),
            scale: input.per_channel(&SCALE_VALUE),
        }))
    }

    /// What `calibration_type` stands for. Nothing is left to decide of a network that brings all scales.
    fn method(&self, is_quantized: bool) -> Method {
        let kind = *self.configuration.get(&CALIBRATION_TYPE);
        let asymmetric = self.configuration.get(&OPTIMIZATION).contains(&Optimization::Asymmetric);
        let one = |chooser| vec![RangeMethod { chooser, asymmetric }.into()];
        let choosers = match (kind, types::stated_methods(self.configuration)) {
            (CalibrationType::Skip, _) => one(RangeChooser::Max),
            (_, Some(stated)) => vec![stated],
            (CalibrationType::Default | CalibrationType::Mix, None) => SEARCHED.map(RangeMethods::from).to_vec(),
            (CalibrationType::Kl, None) => one(RangeChooser::KullbackLeibler),
            (CalibrationType::Max, None) => one(RangeChooser::Percentile(*self.configuration.get(&MAX_PERCENTILE))),
        };
        Method {
            choosers,
            random: kind == CalibrationType::Skip || is_quantized,
            judge_by_all: self.configuration.get(&ACCURACY_COMMAND).is_some(),
        }
    }

    /// The mean cosine that the outputs shall keep at the cost of int16; none where nothing may be wider than int8.
    pub(super) fn wanted_cosine(&self) -> Option<f64> {
        let searches =
            matches!(self.configuration.get(&CALIBRATION_TYPE), CalibrationType::Default | CalibrationType::Mix)
                && types::stated_methods(self.configuration).is_none();
        Some(*self.configuration.get(&ACCURACY_TARGET)).filter(|target| searches && *target > 0.0)
    }

    /// Measures the float network. Then layers whose weights shall have 16 bits, because they are asked for or because nothing else would do, are
    /// split, and what is new is measured. The samples are kept, where `debug_mode` asks for it.
    pub(super) fn calibrate<'c>(
        &self,
        module: &mut Module<'c>,
        inputs: &[CheckedInput],
        files: &mut FileSet,
    ) -> Result<Reference, StageError> {
        let requests = types::requests(self.configuration);
        if inputs.iter().any(|input| input.batched) {
            tell_mixed(&self.observed(compare::network(module.as_operation())?)?, inputs)?;
        }
        let given = GivenScales::take(module)?;
        let function = compare::network(module.as_operation())?;
        tell_numbered(function, &requests);
        let channel_ranges = self.scale_channels(function, inputs, &given)?;
        let WeightRequests { mut wide, mut narrow } = requests.weights(function, &self.kinds)?;
        let brought = parts(function);
        wide.retain(|layer| !brought.contains(layer));
        if brought.iter().any(|layer| narrow.contains(layer)) {
            tracing::warn!("types: weights keep 16 bits, though 8 are asked for: the network brings their integers");
        }
        if given.network.is_some() && !wide.is_empty() {
            tracing::warn!(
                "types: weights keep 8 bits, though 16 are asked for: the network brings its integers, and they also clip"
            );
            wide.clear();
        }
        evidence::check_layers(function)?;
        // What was split is not split again.
        narrow.extend(brought);
        let mut layers = ChangedLayers { wide: BTreeSet::new(), channel_ranges };
        let wanted = self.wanted_cosine().filter(|_| self.may_split() && given.network.is_none());
        let whole = if wanted.is_some() || !wide.is_empty() { Some(ir::copy_module(module)?) } else { None };
        let (mut reference, seen) =
            self.measure(module, (&requests, &layers, &given), inputs, Occasion::First(files))?;
        if let Some(wanted) = wanted {
            let more = self.wide_weights(module, &reference, wanted, (&wide, &narrow))?;
            wide.extend(more);
        }
        // Always from the whole network, so that what was found gives the same when it is asked for.
        if let Some(whole) = whole.filter(|_| !wide.is_empty()) {
            *module = whole;
            given.split(compare::network(module.as_operation())?, &wide)?;
            layers.wide = wide;
            let before = reference.calibrated.evidence.take().map(|evidence| Box::new(Before { seen, evidence }));
            (reference, _) =
                self.measure(module, (&requests, &layers, &given), inputs, Occasion::AfterSplit(before))?;
        }
        warn_of_types(&reference.asked.refused);
        Ok(reference)
    }

    /// Gives channels ranges of their own, where `per_channel` asks for that.
    fn scale_channels(
        &self,
        function: OperationRef<'_, '_>,
        inputs: &[CheckedInput],
        given: &GivenScales<'_>,
    ) -> Result<ChannelRanges, StageError> {
        // The parameter acts with those types only.
        let acts =
            !matches!(self.configuration.get(&CALIBRATION_TYPE), CalibrationType::Default | CalibrationType::Mix);
        if !(acts && *self.configuration.get(&PER_CHANNEL)) {
            return Ok(ChannelRanges::new());
        }
        if given.network.is_some() {
            tracing::warn!(
                "per_channel: the network brings its scales, which are those of whole values; it keeps them"
            );
            return Ok(ChannelRanges::new());
        }
        let executable = self.observed(function)?;
        let source = self.samples(inputs, &executable, false)?;
        let read = |executable: &FloatExecutable, index: usize| source.read(executable, index);
        let samples = Samples { count: source.len(), read: &read, jobs: self.configuration.threads() };
        let ranges = channel_ranges(function, &executable, &samples)?;
        scale_channels(function, &ranges).map_err(CalibrationError::from)?;
        tracing::info!(
            "per_channel: the channels of {} of {} values have ranges of their own; the others do not lie between two convolutions, and \
             keep one range",
            ranges.len(),
            measured_values(function)?.len()
        );
        Ok(ranges)
    }

    /// Whether layers may be split that nobody asks for: not where something else than the cosine judges, or latency counts, too.
    fn may_split(&self) -> bool {
        self.configuration.get(&ACCURACY_COMMAND).is_none() && self.configuration.get(&LATENCY_BUDGET).is_none()
    }

    /// The layers whose weights must have 16 bits for the outputs to be as they are wanted.
    fn wide_weights(
        &self,
        module: &Module<'_>,
        reference: &Reference,
        wanted_cosine: f64,
        (asked, narrow): (&BTreeSet<String>, &BTreeSet<String>),
    ) -> Result<BTreeSet<String>, StageError> {
        let Some(evidence) = &reference.calibrated.evidence else { return Ok(BTreeSet::new()) };
        let read = |executable: &FloatExecutable, index: usize| reference.source.read(executable, index);
        let samples = Samples { count: reference.source.len(), read: &read, jobs: self.configuration.threads() };
        let compile = |function: OperationRef<'_, '_>| self.judged(function);
        let search =
            WeightSearch { module, evidence, samples: &samples, compile: &compile, wanted_cosine, asked, narrow };
        let wide = search.run()?;
        if !wide.is_empty() {
            let names: Vec<&String> = wide.iter().collect();
            let what = format!(
                "{} with weights of 16 bits: as int8 they alone would cost the outputs too much",
                counted(names.len(), "layer")
            );
            tell_names(&what, &names);
        }
        Ok(wide)
    }

    /// Runs the network on the samples. What is odd about those is told the first time.
    fn measure(
        &self,
        module: &mut Module<'_>,
        (requests, layers, given): (&TypeRequests, &ChangedLayers, &GivenScales<'_>),
        inputs: &[CheckedInput],
        occasion: Occasion<'_>,
    ) -> Result<(Reference, Observations), StageError> {
        // What is measured is what `hfloat-to-qdq` will quantize, and the form of one operation can depend on where another runs.
        pipeline::run(self.context, module, &on_functions(ASSIGN_PLACEMENT))?;
        let function = compare::network(module.as_operation())?;
        requests.round_results(function, &self.kinds)?;
        let network = compare::network(given.network.as_ref().unwrap_or(module).as_operation())?;
        let executable = self.observed(network)?;
        let ranges = &given.scales.ranges;
        let is_quantized =
            !ranges.is_empty() && measured_values(function)?.iter().all(|name| ranges.contains_key(name));
        let source = self.samples(inputs, &executable, is_quantized)?;
        let (files, before) = match occasion {
            Occasion::First(files) => (Some(files), None),
            Occasion::AfterSplit(before) => (None, before.map(|before| *before)),
        };
        let is_first = files.is_some();
        if let Some(files) = files
            && *self.configuration.get(&DEBUG_MODE) == Some(DebugMode::DumpCalibrationData)
        {
            self.dump_samples(&source, &executable, files)?;
        }
        let progress = self.stages.console.progress("calibrating", source.len() as u64);
        let read = |executable: &FloatExecutable, index: usize| source.read(executable, index);
        let samples = Samples { count: source.len(), read: &read, jobs: self.configuration.threads() };
        let done = || progress.advance(1);
        let method = (&self.method(is_quantized), ranges);
        let (mut calibrated, seen) = evidence::calibrate(function, &executable, &samples, method, before, &done)
            .map_err(|error| of_infinite_sample(error, &source, &executable))?;
        if let Some(evidence) = calibrated.evidence.as_mut().filter(|_| is_first)
            && let Some(values) = judged_values(network)?
        {
            let names: Vec<&String> = values.iter().map(|(name, _)| name).collect();
            tell_names("outputs follow from selections, so that the precision is judged by what these read", &names);
            evidence.judge_before_selections(&self.judged(network)?, &samples)?;
        }
        if is_first && calibrated.evidence.as_ref().is_some_and(Evidence::is_one_answer) {
            tracing::warn!(
                "the float network gives the same outputs for all samples, which are too small or too much alike: the precision that is told \
                 below says nothing of other inputs"
            );
        }
        given.show(&mut calibrated.first.nodes);
        let sample = source.read(&executable, 0)?;
        if is_first {
            question_ranges(&source, &executable, function, inputs)?;
        }
        for (_, info) in &mut calibrated.ranges {
            info.channel_ranges.clone_from(&layers.channel_ranges);
        }
        let asked = self.ask(module, (requests, &layers.wide), &mut calibrated)?;
        if is_first {
            self.tell_states(function)?;
        }
        Ok((Reference { sample, calibrated, asked, source }, seen))
    }

    /// The states of recurrent layers, which are int16 from the start: the rounding of every step adds up in them. Where int8 is all that is wanted,
    /// there are none.
    pub(super) fn wide_states(&self, function: OperationRef<'_, '_>) -> Result<BTreeSet<String>, StageError> {
        Ok(if self.wanted_cosine().is_some() { states(function)? } else { BTreeSet::new() })
    }

    /// Gives values the types that are asked for, as far as there are forms for them.
    fn ask(
        &self,
        module: &Module<'_>,
        (requests, wide): (&TypeRequests, &BTreeSet<String>),
        calibrated: &mut Calibrated,
    ) -> Result<AskedTypes, StageError> {
        let function = compare::network(module.as_operation())?;
        let parts = parts(function);
        let states = self.wide_states(function)?;
        if requests.is_empty() && parts.is_empty() && states.is_empty() {
            return Ok(AskedTypes::default());
        }
        let sources = sources(function)?;
        let mut asked = requests.resolve(function, &self.kinds, calibrated.info()?)?;
        let info = calibrated.info()?;
        let measured_parts = parts.into_iter().filter(|part| !is_given(info, part));
        asked.values.extend(measured_parts.map(|part| (part, ActivationType::Int16)));
        for state in states.into_iter().filter(|state| !is_given(info, state)) {
            asked.values.entry(state).or_insert(ActivationType::Int16);
        }
        for value in asked.values.keys().filter(|value| is_given(info, value)).cloned().collect::<Vec<_>>() {
            asked.values.remove(&value);
            asked.refused.push(format!(
                "the value of '{value}' stays as it is: the network brings its integers, and they also clip"
            ));
        }
        keep_forms(module, info, &mut asked)?;
        assign_operand_bits(function, &asked.operands)?;
        assign_float16(function, &asked.float16)?;
        let measured = measured_values(function)?;
        for (_, info) in &mut calibrated.ranges {
            info.ask(&asked);
            // What is read and computed in float16 alone has no integers any more.
            info.keep_measured(&measured, &sources);
            info.wide_weights.clone_from(wide);
        }
        Ok(asked)
    }

    /// Writes each sample of each input as the network takes it: `calibration_data/{input}/{index}.npy`.
    fn dump_samples(
        &self,
        source: &SampleSource,
        executable: &FloatExecutable,
        files: &mut FileSet,
    ) -> Result<(), StageError> {
        let folder = self.configuration.get(&WORKING_DIR).join("calibration_data");
        // What this wrote before; samples of the user's may be called the same.
        let is_own = |file: &Path| {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.strip_suffix(".npy")
                .is_some_and(|index| index.len() >= 6 && index.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let aside = files.begin_folder(&folder, is_own)?;
        let names = file_names(executable.inputs().map(|(name, ..)| name));
        for name in &names {
            std::fs::create_dir_all(aside.join(name))?;
        }
        for index in 0..source.len() {
            for (name, array) in names.iter().zip(source.read(executable, index)?) {
                let file = aside.join(name).join(format!("{index:06}.npy"));
                std::fs::write(&file, npy::encode(&array)?)
                    .map_err(|source| FileError::Write { path: file, source })?;
            }
        }
        tracing::info!("debug_mode: {} calibration samples go to '{}'", source.len(), folder.display());
        Ok(())
    }

    /// Turns the calibrated network into its QDQ form, which then runs on the first sample. Decisions go into files that the pipeline
    /// reads. Also gives how the form was judged, where samples judge.
    pub(super) fn quantize(
        &self,
        module: &mut Module<'_>,
        reference: &Reference,
        files: &mut FileSet,
    ) -> Result<(BackgroundRun, Option<Judgement>), StageError> {
        let Some(evidence) = &reference.calibrated.evidence else {
            let info = reference.calibrated.info()?;
            if types::corrects_biases(self.configuration) {
                tracing::warn!(
                    "bias_correction: random samples say nothing of means, so biases stay; give cal_data_dir"
                );
            }
            self.report_types(module, info, &reference.asked, reference.calibrated.methods()?, files)?;
            let info = self.stage_info(info, files)?;
            pipeline::run(self.context, module, &hfloat_to_qdq(&info))?;
            let executable = self.observed(compare::network(module.as_operation())?)?;
            return Ok((BackgroundRun::of(executable, reference.sample.clone()), None));
        };
        let weights = self.stage_weights(module, evidence, files)?;
        pipeline::run(self.context, module, &round_weights_pass(&weights))?;
        self.keep_resources(&[module]);
        let found = self.search(module, reference, evidence)?;
        precision_search::report(&found);
        self.report_types(module, &found.info, &reference.asked, &found.methods, files)?;
        let judgement = Judgement::of(&found);
        // It runs while the passes do, where it is there already.
        let run = found.executable.map(|executable| BackgroundRun::of(executable, reference.sample.clone()));
        let info = self.stage_info(&found.info, files)?;
        pipeline::run(self.context, module, &hfloat_to_qdq(&info))?;
        let run = match run {
            Some(run) => run,
            None => {
                let executable = self.observed(compare::network(module.as_operation())?)?;
                BackgroundRun::of(executable, reference.sample.clone())
            }
        };
        Ok((run, Some(judgement)))
    }

    /// Writes the file of what was decided of values aside; gives where it lies for now.
    pub(super) fn stage_info(&self, info: &QuantInfo, files: &mut FileSet) -> Result<PathBuf, StageError> {
        let file = files.begin(&self.configuration.output_path(INFO))?;
        files.append(file, &info.to_bytes()?)?;
        Ok(files.staged_path(file)?)
    }

    /// Rounds weights, and writes the file of them aside; gives where it lies for now.
    fn stage_weights(
        &self,
        module: &Module<'_>,
        evidence: &Evidence,
        files: &mut FileSet,
    ) -> Result<PathBuf, StageError> {
        let function = compare::network(module.as_operation())?;
        let mut weights = round_weights(function, &evidence.moments, &threads(self.configuration.threads())?)?;
        if types::corrects_biases(self.configuration) {
            correct_biases(function, &evidence.moments, &mut weights)?;
        }
        let file = files.begin(&self.configuration.output_path(WEIGHTS))?;
        for part in weights.parts()? {
            files.append(file, &part)?;
        }
        Ok(files.staged_path(file)?)
    }
}

/// Says which types are asked for and not given.
fn warn_of_types<'s>(refused: impl IntoIterator<Item = &'s String>) {
    for sentence in refused {
        tracing::warn!("types: {sentence}");
    }
}

/// Whether the network brings the scale of a value.
pub(super) fn is_given(info: &QuantInfo, value: &str) -> bool {
    info.values.get(value).is_some_and(|value| value.judged_by == Some(Judge::Network))
}

/// The pass that gives channels the ranges of a file.
pub(super) fn scale_channels_pass(info: &Path) -> String {
    on_functions(&format!("quant-scale-channels{{info={}}}", word(info)))
}

/// The pass that splits the layers which a file names.
pub(super) fn split_weights_pass(info: &Path) -> String {
    on_functions(&format!("quant-split-weights{{info={}}}", word(info)))
}

/// The pass that gives weights the integers of a file.
pub(super) fn round_weights_pass(weights: &Path) -> String {
    on_functions(&format!("quant-round-weights{{file={}}}", word(weights)))
}

/// The named pipeline with the file that it reads.
pub(super) fn hfloat_to_qdq(info: &Path) -> String {
    format!("hfloat-to-qdq{{info={}}}", word(info))
}
