//! What is measured of a float network on samples: the ranges of its values, and what decides on rounding and precision.

use super::{
    calibrate::{CalibrationError, Measured, Measurement, Samples, Values, floats, measure, outputs, threads},
    groups::{ScaleGroups, Sources, observed_values},
    info::{CalibrationInfo, Judge, QuantInfo, ValueInfo},
    linear::LinearLayer,
    masks::MaskPlan,
    moments::{Moments, MomentsPlan},
    observer::Observer,
    ranges::RangeChooser,
    rules::not_finite,
    thresholds::{Thresholds, assign_thresholds, value_name},
    zero_points,
};
use crate::cpu::{Array, FloatExecutable};
use hb_dialects::ir::{self, IrError, OperationAttributes};
use melior::ir::OperationRef;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

/// At most so many samples decide how weights are rounded, and as many others judge the precision of the quantized network.
const SHARE_SAMPLES: usize = 16;
/// With fewer samples than this all do both.
const FEWEST_SAMPLES: usize = 8;

/// How ranges are measured.
#[derive(Debug, Clone)]
pub struct Method {
    /// What makes ranges of what was measured: at least one.
    pub choosers: Vec<RangeMethods>,
    /// Samples are random numbers: they give ranges, and say nothing of the network's use.
    pub random: bool,
    /// Whether all samples judge that have no part in deciding, however many there are.
    pub judge_by_all: bool,
}

/// What makes ranges of int8 of what was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RangeMethod {
    /// What chooses the magnitude that they show.
    pub chooser: RangeChooser,
    /// Whether they have zero points, where every reader takes them.
    pub asymmetric: bool,
}

impl fmt::Display for RangeMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asymmetric = if self.asymmetric { " asymmetric" } else { "" };
        write!(f, "{}{asymmetric}", self.chooser.judge())
    }
}

/// The ways to the ranges of all values.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeMethods {
    /// Of values that nothing else is said of.
    pub usual: RangeMethod,
    /// By the name of the value.
    pub others: BTreeMap<String, RangeMethod>,
}

impl RangeMethods {
    /// That of a value.
    pub fn of(&self, name: &str) -> RangeMethod {
        self.others.get(name).copied().unwrap_or(self.usual)
    }

    fn all(&self) -> impl Iterator<Item = &RangeMethod> {
        std::iter::once(&self.usual).chain(self.others.values())
    }
}

impl From<RangeMethod> for RangeMethods {
    fn from(usual: RangeMethod) -> Self {
        Self { usual, others: BTreeMap::new() }
    }
}

impl fmt::Display for RangeMethods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.usual)?;
        match self.others.len() {
            0 => Ok(()),
            count => write!(f, " with others for {count} values"),
        }
    }
}

/// Int8 ranges of all values, and the ways to them.
pub type ChosenRanges = (RangeMethods, QuantInfo);

/// What calibration gives.
#[derive(Debug)]
pub struct Calibrated {
    /// Every activation as int8: what each chooser of ranges says, in their order.
    pub ranges: Vec<ChosenRanges>,
    /// None where samples are random.
    pub evidence: Option<Evidence>,
    /// What the float network makes of the first sample.
    pub first: Values,
}

impl Calibrated {
    /// The first ways to ranges.
    ///
    /// # Errors
    /// When there was none.
    pub fn methods(&self) -> Result<&RangeMethods, CalibrationError> {
        let first = self.ranges.first().map(|(methods, _)| methods);
        first.ok_or_else(|| CalibrationError::Threshold("nothing was to choose ranges".into()))
    }

    /// What the first chooser says.
    ///
    /// # Errors
    /// When there was none.
    pub fn info(&self) -> Result<&QuantInfo, CalibrationError> {
        let first = self.ranges.first().map(|(_, info)| info);
        first.ok_or_else(|| CalibrationError::Threshold("nothing was to choose ranges".into()))
    }
}

/// What decides on the rounding of weights and the widths of activations.
#[derive(Debug)]
pub struct Evidence {
    /// The samples that decide.
    pub(super) learned: Vec<usize>,
    /// The largest magnitudes of values by name.
    pub(super) largest: HashMap<String, f64>,
    /// Second moments of the inputs of layers.
    pub moments: Moments,
    /// The samples that judge, and the float network's outputs for each.
    pub(super) judged: Vec<usize>,
    pub(super) outputs: Vec<Vec<Array>>,
    /// What judges in place of the outputs, of the same samples, where these follow from selections.
    pub(super) selected_from: Option<Vec<Vec<Array>>>,
}

impl Evidence {
    /// The samples that judge, ascending.
    pub fn judged(&self) -> &[usize] {
        &self.judged
    }

    /// Whether the float network gives the same for all of several samples that judge: then they say nothing of its use.
    pub fn is_one_answer(&self) -> bool {
        let Some((first, others)) = self.outputs.split_first() else { return false };
        !others.is_empty()
            && others.iter().flat_map(|other| first.iter().zip(other)).all(|(one, other)| alike(one, other))
    }

    /// Takes what judges in place of the outputs from the float network, by an executable of it that gives that.
    ///
    /// # Errors
    /// When a sample cannot be read or run.
    pub fn judge_before_selections(
        &mut self,
        executable: &FloatExecutable,
        samples: &Samples<'_>,
    ) -> Result<(), CalibrationError> {
        self.selected_from = Some(outputs(executable, &self.judged, samples)?);
        Ok(())
    }

    /// What the float network gives for the samples that judge: its outputs, or what selections read.
    pub(super) fn shown(&self) -> &[Vec<Array>] {
        self.selected_from.as_deref().unwrap_or(&self.outputs)
    }
}

/// What was measured of each value.
#[derive(Debug, Default)]
pub struct Observations {
    observers: BTreeMap<String, Observer>,
    /// Which values each of them saw.
    names: Sources,
}

impl Observations {
    /// The observers that saw the same values as those of a network with these would, by name.
    fn of_the_same(self, names: &Sources) -> BTreeMap<String, Observer> {
        let (before, now) = (members(&self.names), members(names));
        let mut observers = self.observers;
        observers.retain(|name, _| before.get(name.as_str()).is_some_and(|own| now.get(name.as_str()) == Some(own)));
        observers
    }
}

/// By the name of an observer: the values that it sees.
fn members(names: &Sources) -> HashMap<&str, BTreeSet<&str>> {
    let mut members: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    for (value, source) in names {
        members.entry(source).or_default().insert(value);
    }
    members
}

/// What is known of a network that computes the same with other layers in the place of some: of values and layers with the same names it need not
/// be measured again.
#[derive(Debug)]
pub struct Before {
    /// Of its values.
    pub seen: Observations,
    /// Of its layers and outputs.
    pub evidence: Evidence,
}

/// Whether two arrays differ by no more than float32 rounds.
fn alike(one: &Array, other: &Array) -> bool {
    let (one, other) = (one.to_f64(), other.to_f64());
    let largest = one.iter().filter(|value| value.is_finite()).fold(0f64, |most, value| most.max(value.abs()));
    let same = |(a, b): (&f64, &f64)| a == b || (a - b).abs() <= f64::from(f32::EPSILON) * largest;
    one.len() == other.len() && one.iter().zip(&other).all(same)
}

/// Measures a float function on samples, by an executable of it that observes everything, and writes the thresholds of the first chooser as
/// attributes of its values. Those that the network brings are `given`. `done` is called after each sample. Gives what was measured of values, too.
///
/// # Errors
/// When a sample cannot be read or run, or a value is not finite.
pub fn calibrate(
    function: OperationRef<'_, '_>,
    executable: &FloatExecutable,
    samples: &Samples<'_>,
    (method, given): (&Method, &Thresholds),
    before: Option<Before>,
    done: &(dyn Fn() + Sync),
) -> Result<(Calibrated, Observations), CalibrationError> {
    check_layers(function)?;
    let groups = ScaleGroups::of(function)?;
    let layers = layers(function)?;
    let own: Vec<String> = groups.measured().map(|value| value_name(function, value)).collect();
    let names = observed_values(function, &groups)?;
    let (learned, judged) = if method.random { Default::default() } else { shares(samples.count, method.judge_by_all) };
    let (known, known_evidence) = match before {
        Some(Before { seen, evidence }) => (seen.of_the_same(&names), Some(evidence)),
        None => Default::default(),
    };
    let is_known = |layer: &LinearLayer| known_evidence.as_ref().is_some_and(|own| own.moments.knows(&layer.node));
    let (known_layers, layers): (Vec<_>, Vec<_>) = layers.into_iter().partition(is_known);
    let plan = MomentsPlan::new(layers, learned.clone());
    let all = || method.choosers.iter().flat_map(RangeMethods::all);
    let needed = all().any(|method| method.chooser.needs_histogram());
    let histograms: HashSet<String> = if needed { own.iter().cloned().collect() } else { HashSet::new() };
    let masks = MaskPlan::of(function, &groups)?;
    let measured = Measured {
        names: &names,
        histograms: &histograms,
        outputs_of: if known_evidence.is_some() { &[] } else { &judged },
        moments: &plan,
        masks: &masks,
        known: &known.keys().cloned().collect(),
    };
    let measurement = measure(executable, &measured, samples, done)
        .and_then(|measurement| if method.random { Ok(measurement) } else { check_outputs(executable, measurement) });
    let measurement = measurement.map_err(|error| with_constant(function, error))?;
    let Measurement { mut observers, outputs, taken, first: values, .. } = measurement;
    observers.extend(known);
    let calibration = CalibrationInfo { samples: samples.count, random: method.random, percentile: None };
    let pool = threads(samples.jobs)?;
    if let Some(unknown) =
        method.choosers.iter().flat_map(|methods| methods.others.keys()).find(|name| names.get(*name) != Some(*name))
    {
        let reason = format!(
            "quant_config: the value of '{unknown}' has no range of its own; it may share that of another, or run on the CPU"
        );
        return Err(CalibrationError::Threshold(reason));
    }
    let may_have =
        if all().any(|method| method.asymmetric) { zero_points::allowed(function, &groups)? } else { HashSet::new() };
    let info = |methods: &RangeMethods| {
        let mut info = info((&own, &may_have), &observers, methods, &calibration);
        take_given(&mut info, &own, given);
        (methods.clone(), info)
    };
    let ranges: Vec<_> = pool.install(|| method.choosers.iter().map(info).collect());
    let first = ranges.first().map(|(_, info)| info.ranges()).unwrap_or_default();
    assign_thresholds(function, |name| first.get(name).copied()).map_err(CalibrationError::Threshold)?;
    let evidence = if method.random {
        None
    } else {
        let largest = largest(function, &groups, &observers);
        let mut moments = Moments::of(&plan, &taken, &largest, &pool);
        let (outputs, selected_from) = match known_evidence {
            Some(Evidence { moments: known, outputs, selected_from, .. }) => {
                moments.take(known, known_layers.iter().map(|layer| layer.node.as_str()));
                (outputs, selected_from)
            }
            None => (outputs.into_values().collect(), None),
        };
        Some(Evidence { learned, largest, moments, judged, outputs, selected_from })
    };
    Ok((Calibrated { ranges, evidence, first: values }, Observations { observers, names }))
}

/// Weights and biases that are not finite have no integers.
///
/// # Errors
/// When a layer has such, or constants cannot be read.
pub fn check_layers(function: OperationRef<'_, '_>) -> Result<(), CalibrationError> {
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        if LinearLayer::of(function, operation)?.is_some()
            && let Some((index, value)) = not_finite(operation)?
        {
            let (node, what) = (operation.node(), if index == 1 { "weights" } else { "bias" });
            let reason = format!("node '{node}': its {what} hold {value}, which no integers show; correct the model");
            return Err(CalibrationError::Threshold(reason));
        }
    }
    Ok(())
}

/// Outputs that are no numbers are like nothing.
fn check_outputs(executable: &FloatExecutable, measurement: Measurement) -> Result<Measurement, CalibrationError> {
    for (output, (name, ..)) in executable.outputs().enumerate() {
        let kept = measurement.outputs.values().filter_map(|outputs| outputs.get(output));
        let is_number = |array: &Array| floats(array).iter().all(|value| !value.is_nan());
        let first = measurement.first.outputs.get(output);
        if first.is_some_and(|values| values.iter().any(|value| value.is_nan())) || !kept.into_iter().all(is_number) {
            return Err(CalibrationError::NotANumber { output: name.to_owned(), constant: None });
        }
    }
    Ok(measurement)
}

/// An error of what is not finite with the node whose constant is the likely reason.
fn with_constant(function: OperationRef<'_, '_>, error: CalibrationError) -> CalibrationError {
    let operations = ir::body(function).map(ir::operations).unwrap_or_default();
    let reader = || {
        let reads = |operation: &&OperationRef<'_, '_>| not_finite(**operation).is_ok_and(|found| found.is_some());
        operations.iter().find(reads).map(|operation| operation.node())
    };
    match error {
        CalibrationError::NotFinite { value, count, .. } => {
            CalibrationError::NotFinite { value, count, constant: reader() }
        }
        CalibrationError::NotANumber { output, .. } => CalibrationError::NotANumber { output, constant: reader() },
        other => other,
    }
}

/// Values of which the network says the scale have that one, whatever samples show, and also where nothing was measured of them.
fn take_given(info: &mut QuantInfo, names: &[String], given: &Thresholds) {
    for name in names {
        if let Some(range) = given.get(name) {
            info.values.insert(name.clone(), ValueInfo::of_network(*range));
        }
    }
    if info.values.values().all(|value| value.judged_by == Some(Judge::Network)) {
        info.calibration = None;
    }
}

/// The ranges that methods give the values of these names.
fn info(
    (names, may_have_zero_points): (&[String], &HashSet<String>),
    observers: &BTreeMap<String, Observer>,
    methods: &RangeMethods,
    calibration: &CalibrationInfo,
) -> QuantInfo {
    let value = |name: &String| {
        let RangeMethod { chooser, asymmetric } = methods.of(name);
        let judge = if calibration.random { Judge::Random } else { chooser.judge() };
        let observer = observers.get(name)?;
        let range = chooser.range(observer, asymmetric && may_have_zero_points.contains(name));
        Some((name.clone(), ValueInfo::new(range, f64::from(observer.largest()), judge)))
    };
    let percentile = match methods.usual.chooser {
        RangeChooser::Percentile(share) => Some(share),
        _ => None,
    };
    QuantInfo {
        calibration: Some(CalibrationInfo { percentile, ..calibration.clone() }),
        precision: None,
        values: names.par_iter().filter_map(value).collect(),
        operands: BTreeMap::new(),
        float16: BTreeSet::new(),
        wide_weights: BTreeSet::new(),
        channel_ranges: BTreeMap::new(),
    }
}

/// The largest magnitudes of values by name: of those that were observed, and of those that share their scale.
fn largest(
    function: OperationRef<'_, '_>,
    groups: &ScaleGroups<'_, '_>,
    observers: &BTreeMap<String, Observer>,
) -> HashMap<String, f64> {
    let observed = observers.iter().map(|(name, observer)| (name.clone(), f64::from(observer.largest())));
    let mut largest: HashMap<String, f64> = observed.collect();
    for value in groups.quantized() {
        if let Some(&top) = largest.get(&value_name(function, groups.source(value))) {
            largest.insert(value_name(function, value), top);
        }
    }
    largest
}

/// The layers of a network with constant weights.
fn layers(function: OperationRef<'_, '_>) -> Result<Vec<LinearLayer>, IrError> {
    let mut layers = Vec::new();
    for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
        layers.extend(LinearLayer::of(function, operation)?);
    }
    Ok(layers)
}

/// The samples that decide on rounding and those that judge it: every other one each, evenly spread; or all others.
fn shares(count: usize, judge_by_all: bool) -> (Vec<usize>, Vec<usize>) {
    if count < FEWEST_SAMPLES {
        return ((0..count).collect(), (0..count).collect());
    }
    let pairs = (count / 2).min(SHARE_SAMPLES);
    let (learned, judged): (Vec<usize>, Vec<usize>) =
        (0..pairs).map(|i| 2 * (i * (count / 2) / pairs)).map(|first| (first, first + 1)).unzip();
    if judge_by_all {
        let judged = (0..count).filter(|index| learned.binary_search(index).is_err()).collect();
        return (learned, judged);
    }
    (learned, judged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{ExecutableOptions, Observe};
    use crate::quant::{calibrate::network, split_weights::split_weights};
    use melior::ir::Module;

    const TWO_LAYERS: &str = r#"func.func @main(%x: tensor<1x8xf32>) -> tensor<1x2xf32> {
        %w = hfloat.constant dense<[[0.5, -0.25], [0.125, 0.75], [-0.5, 0.3], [0.1, 0.2], [0.9, -0.8], [0.7, 0.6], [-0.4, 0.1], [0.2, 0.3]]> : tensor<8x2xf32> loc("w")
        %v = hfloat.constant dense<[[0.7, -0.3], [0.001, 0.9]]> : tensor<2x2xf32> loc("v")
        %0 = hfloat.gemm %x, %w : (tensor<1x8xf32>, tensor<8x2xf32>) -> tensor<1x2xf32> loc("first")
        %1 = hfloat.tanh %0 : (tensor<1x2xf32>) -> tensor<1x2xf32> loc("between")
        %2 = hfloat.gemm %1, %v : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32> loc("second")
        return %2 : tensor<1x2xf32>
    }"#;

    fn sample(_: &FloatExecutable, index: usize) -> Result<Vec<Array>, CalibrationError> {
        let values: Vec<f32> = (0..8).map(|place| ((index * 8 + place) as f32 * 0.7).sin()).collect();
        Ok(vec![Array::from_values(&[1, 8], &values)?])
    }

    fn calibrated(module: &Module<'_>, before: Option<Before>) -> (Calibrated, Observations) {
        let function = network(module).unwrap();
        let options = ExecutableOptions { observe: Observe::Everything, ..ExecutableOptions::default() };
        let executable = FloatExecutable::compile(function, options).unwrap();
        let samples = Samples { count: 20, read: &sample, jobs: 2 };
        let kinds = [RangeChooser::KullbackLeibler, RangeChooser::Max];
        let choosers = kinds.map(|chooser| RangeMethod { chooser, asymmetric: true }.into()).to_vec();
        let method = Method { choosers, random: false, judge_by_all: false };
        calibrate(function, &executable, &samples, (&method, &Thresholds::new()), before, &|| {}).unwrap()
    }

    /// Nothing but the last layer is another, so that everything else is the same to the bit.
    #[test]
    fn what_was_measured_before_a_split_is_what_would_be_measured_again() {
        let context = hb_dialects::context();
        let module = Module::parse(&context, TWO_LAYERS).expect("the text parses");
        let whole = ir::copy_module(&module).unwrap();
        let (first, mut seen) = calibrated(&module, None);
        let outputs = first.evidence.as_ref().map(|evidence| evidence.outputs.clone());
        split_weights(network(&whole).unwrap(), &BTreeSet::from(["second".to_owned()])).unwrap();
        let (again, all) = calibrated(&whole, None);
        // What is known is not measured: it stays what it is said to be.
        seen.observers.insert("between".into(), all.observers["input_0"].clone());
        let (kept, kept_seen) = calibrated(&whole, Some(Before { seen, evidence: first.evidence.unwrap() }));
        assert_eq!(kept_seen.observers["between"], all.observers["input_0"]);
        for ((methods, kept), (_, again)) in kept.ranges.iter().zip(&again.ranges) {
            assert!(kept.values.contains_key("second/low") && kept.values.contains_key("input_0"), "{methods}");
            assert_eq!(kept.values.len(), again.values.len(), "{methods}");
            for (name, value) in kept.values.iter().filter(|(name, _)| *name != "between") {
                assert_eq!(Some(value), again.values.get(name), "{name} by {methods}");
            }
        }
        let (kept, again) = (kept.evidence.unwrap(), again.evidence.unwrap());
        assert_eq!(
            kept.moments.products("first").collect::<Vec<_>>(),
            again.moments.products("first").collect::<Vec<_>>()
        );
        assert!(kept.moments.knows("second/low") && !kept.moments.knows("second"));
        assert_eq!((Some(kept.outputs), kept.learned, kept.judged), (outputs, again.learned, again.judged));
    }

    #[test]
    fn an_observer_of_other_values_is_not_kept() {
        let names = |pairs: &[(&str, &str)]| pairs.iter().map(|&(value, own)| (value.into(), own.into())).collect();
        let seen = || Observations {
            observers: ["a", "b"].map(|name| (name.to_owned(), Observer::default())).into(),
            names: names(&[("a", "a"), ("a2", "a"), ("b", "b")]),
        };
        let kept = |pairs: &[(&str, &str)]| seen().of_the_same(&names(pairs)).into_keys().collect::<Vec<_>>();
        assert_eq!(kept(&[("a", "a"), ("a2", "a"), ("b", "b")]), ["a", "b"]);
        assert_eq!(kept(&[("a", "a"), ("b", "b"), ("c", "c")]), ["b"]);
        assert_eq!(kept(&[("a", "a"), ("a2", "a"), ("b", "b"), ("c", "b")]), ["a"]);
    }

    #[test]
    fn no_sample_judges_what_it_decided() {
        assert_eq!(shares(3, false), (vec![0, 1, 2], vec![0, 1, 2]));
        assert_eq!(shares(8, false), (vec![0, 2, 4, 6], vec![1, 3, 5, 7]));
        let (learned, judged) = shares(1000, false);
        assert_eq!((learned.len(), judged.len()), (16, 16));
        assert!(learned.iter().all(|index| !judged.contains(index)) && judged.iter().all(|&index| index < 1000));
        let (learned, judged) = shares(101, true);
        assert_eq!((learned.len(), judged.len()), (16, 85));
        assert!(learned.iter().all(|index| !judged.contains(index)));
    }
}
