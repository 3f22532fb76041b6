//! Calibration: runs the float network on samples and measures values.

use super::Observer;
use super::groups::Sources;
use super::masks::{MaskPlan, Masks};
use super::moments::{MomentsPlan, TakenValues};
use crate::cpu::{Array, ArrayError, Error, FloatExecutable, Scalar};
use hb_dialects::{
    ir::{self, IrError},
    names::FUNCTION,
    pass::PassFailure,
};
use melior::ir::{Module, OperationRef};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Why calibration failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum CalibrationError {
    #[error(transparent)]
    Run(#[from] Error),
    /// An array of a sample cannot be had.
    #[error(transparent)]
    Array(#[from] ArrayError),
    #[error("sample {sample}: {reason}")]
    Sample { sample: String, reason: String },
    #[error("there are no calibration samples")]
    NoSamples,
    #[error(
        "the value of '{value}' is infinite or no number {count} times on the calibration samples; {}",
        source_of_infinity(.constant.as_deref())
    )]
    NotFinite { value: String, count: u64, constant: Option<String> },
    #[error("output '{output}' of the float network is no number on a calibration sample; {}", source_of_infinity(.constant.as_deref()))]
    NotANumber { output: String, constant: Option<String> },
    #[error("no threads for calibration: {0}")]
    Threads(String),
    #[error(transparent)]
    Ir(#[from] IrError),
    #[error("{0}")]
    Threshold(String),
}

impl From<PassFailure> for CalibrationError {
    fn from(failure: PassFailure) -> Self {
        Self::Threshold(match failure {
            PassFailure::Message(message) => message,
            PassFailure::Reported => "types cannot be settled".into(),
        })
    }
}

fn source_of_infinity(constant: Option<&str>) -> String {
    match constant {
        Some(node) => {
            format!("node '{node}' reads a constant that is not finite either: give it a large number in place of that")
        }
        None => "check their preprocessing".to_owned(),
    }
}

/// Where the samples of a network come from.
pub struct Samples<'a> {
    /// How many there are.
    pub count: usize,
    /// The inputs of sample `index` for a network, in the order of its inputs.
    pub read: &'a Read<'a>,
    /// Samples that run at a time.
    pub jobs: usize,
}

/// The network of a module.
///
/// # Errors
/// When there is none.
pub(super) fn network<'m>(module: &'m Module<'_>) -> Result<OperationRef<'m, 'm>, CalibrationError> {
    ir::function_named(module.as_operation(), FUNCTION)
        .ok_or_else(|| CalibrationError::Threshold(format!("there is no function @{FUNCTION}")))
}

/// Gives the inputs of a sample for a network.
pub type Read<'a> = dyn Fn(&FloatExecutable, usize) -> Result<Vec<Array>, CalibrationError> + Sync + 'a;

/// Values by node name.
pub type NodeValues = HashMap<String, Vec<f32>>;

/// The values of all nodes and of the outputs, in network order.
#[derive(Debug, Default)]
pub struct Values {
    /// By the name of the node.
    pub nodes: NodeValues,
    /// In the order of the network.
    pub outputs: Vec<Vec<f32>>,
}

/// What to look at while samples run.
pub struct Measured<'m> {
    /// The values that are observed, each with the name of the value whose observer it is; the executable must observe them.
    pub names: &'m Sources,
    /// Those of them whose observers keep a histogram.
    pub histograms: &'m HashSet<String>,
    /// The samples whose outputs are kept, in ascending order.
    pub outputs_of: &'m [usize],
    /// What is kept to measure moments.
    pub moments: &'m MomentsPlan,
    /// The values that Softmaxes alone read, whose masks need no range.
    pub masks: &'m MaskPlan,
    /// Names of [`Measured::names`] whose observers are known.
    pub known: &'m BTreeSet<String>,
}

/// What was seen while samples ran.
#[derive(Default)]
pub struct Measurement {
    /// By the name of the value.
    pub observers: BTreeMap<String, Observer>,
    /// The outputs of the samples whose outputs are kept, by sample.
    pub outputs: BTreeMap<usize, Vec<Array>>,
    /// What was taken to measure moments, by parts of the samples.
    pub taken: Vec<TakenValues>,
    /// What the network makes of the first sample.
    pub first: Values,
    /// The first sample with a value that was infinite or no number, and its first such value in the order in which the network computes.
    not_finite: Option<(usize, String)>,
}

impl Measurement {
    fn merge(&mut self, next: Self) {
        for (name, observer) in next.observers {
            match self.observers.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(observer);
                }
                Entry::Occupied(mut entry) => entry.get_mut().merge(&observer),
            }
        }
        self.outputs.extend(next.outputs);
        self.taken.extend(next.taken);
        if self.first.nodes.is_empty() && self.first.outputs.is_empty() {
            self.first = next.first;
        }
        self.not_finite = self.not_finite.take().into_iter().chain(next.not_finite).min();
    }
}

/// Runs all samples and measures them; `done` is called after each. What [`Observer`]s need is kept, not tensors, and their union
/// does not depend on the order of samples.
///
/// # Errors
/// When a sample cannot be read or run, or a value is not finite.
pub fn measure(
    executable: &FloatExecutable,
    measured: &Measured<'_>,
    samples: &Samples<'_>,
    done: &(dyn Fn() + Sync),
) -> Result<Measurement, CalibrationError> {
    let indices: Vec<usize> = (0..samples.count).collect();
    let parts =
        in_parallel(&indices, samples.jobs, |indices| measure_some(executable, measured, indices, samples.read, done))?;
    let mut parts = parts.into_iter();
    let mut all = parts.next().unwrap_or_default();
    parts.for_each(|part| all.merge(part));
    match all.not_finite {
        Some((_, value)) => {
            let count = all.observers.get(&value).map_or(0, Observer::not_finite);
            Err(CalibrationError::NotFinite { value, count, constant: None })
        }
        None => Ok(all),
    }
}

/// Does work on samples in `jobs` threads, of which each takes the next sample when it is done with one; gives what each thread made. Which samples a
/// thread has is chance.
pub(super) fn in_parallel<T: Send>(
    indices: &[usize],
    jobs: usize,
    work: impl Fn(&mut dyn Iterator<Item = usize>) -> Result<T, CalibrationError> + Sync,
) -> Result<Vec<T>, CalibrationError> {
    if indices.is_empty() {
        return Err(CalibrationError::NoSamples);
    }
    let next = AtomicUsize::new(0);
    let parts = threads(jobs.min(indices.len()))?.broadcast(|_| {
        let mut last = 0;
        let part = work(&mut std::iter::from_fn(|| {
            last = next.fetch_add(1, Ordering::Relaxed);
            indices.get(last).copied()
        }));
        if part.is_err() {
            next.store(indices.len(), Ordering::Relaxed);
        }
        (last, part)
    });
    // Samples before one that fails have been taken, so that of all that fail the first is known.
    let failed = parts.iter().filter(|(_, part)| part.is_err()).map(|(last, _)| *last).min();
    let told = parts.into_iter().filter(|(last, part)| part.is_ok() || Some(*last) == failed);
    told.map(|(_, part)| part).collect()
}

/// Does work on each sample in `jobs` threads; gives the results in the order in which the samples are given.
pub(super) fn of_each<T: Send>(
    indices: &[usize],
    jobs: usize,
    work: impl Fn(usize) -> Result<T, CalibrationError> + Sync,
) -> Result<Vec<T>, CalibrationError> {
    let positions: Vec<usize> = (0..indices.len()).collect();
    let one = |position: usize| {
        let index = indices.get(position).copied();
        index.map(|index| Ok((position, work(index)?))).transpose()
    };
    let some = |positions: &mut dyn Iterator<Item = usize>| {
        positions.filter_map(|position| one(position).transpose()).collect()
    };
    let parts: Vec<Vec<(usize, T)>> = in_parallel(&positions, jobs, some)?;
    let results: BTreeMap<usize, T> = parts.into_iter().flatten().collect();
    Ok(results.into_values().collect())
}

/// `jobs` threads.
///
/// # Errors
/// When the system gives none.
pub fn threads(jobs: usize) -> Result<rayon::ThreadPool, CalibrationError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.max(1)).build();
    pool.map_err(|error| CalibrationError::Threads(error.to_string()))
}

/// The outputs of some samples in order.
///
/// # Errors
/// When a sample cannot be read or run.
pub fn outputs(
    executable: &FloatExecutable,
    indices: &[usize],
    samples: &Samples<'_>,
) -> Result<Vec<Vec<Array>>, CalibrationError> {
    of_each(indices, samples.jobs, |index| {
        Ok(executable.run(&(samples.read)(executable, index)?.iter().collect::<Vec<_>>())?)
    })
}

fn measure_some(
    executable: &FloatExecutable,
    Measured { names, histograms, outputs_of, moments, masks, known }: &Measured<'_>,
    indices: &mut dyn Iterator<Item = usize>,
    read: &Read<'_>,
    done: &(dyn Fn() + Sync),
) -> Result<Measurement, CalibrationError> {
    let Measurement { mut observers, mut outputs, mut first, .. } = Measurement::default();
    let mut taken = TakenValues::default();
    let mut not_finite = None;
    let mut observe = |index: usize, name: &str, shown: &[f32], shape: &[usize]| {
        let observer = match observers.get_mut(name) {
            Some(observer) => observer,
            None => observers
                .entry(name.to_owned())
                .or_insert_with(|| if histograms.contains(name) { Observer::default() } else { Observer::of_ends() }),
        };
        observer.observe(shown, shape);
        if not_finite.is_none() && observer.not_finite() > 0 {
            not_finite = Some((index, name.to_owned()));
        }
    };
    for index in indices {
        let inputs = read(executable, index)?;
        let mut masked = Masks::new(masks);
        let given = executable.run_with_observer(&inputs.iter().collect::<Vec<_>>(), &mut |name, view| {
            let Some(values) = view.values::<f32>() else { return };
            let source = names.get(name).filter(|source| !known.contains(*source));
            if let Some(source) = source.filter(|_| !masked.take(name, values)) {
                observe(index, source, values, view.shape);
            }
            for (name, shown) in masked.see(name, values) {
                observe(index, &name, &shown, &[shown.len()]);
            }
            taken.take(moments, index, name, values);
            if index == 0 {
                first.nodes.insert(name.to_owned(), values.to_vec());
            }
        })?;
        for (name, shown) in masked.rest() {
            observe(index, &name, &shown, &[shown.len()]);
        }
        if index == 0 {
            first.outputs = given.iter().map(floats).collect();
        }
        if outputs_of.contains(&index) {
            outputs.insert(index, given);
        }
        done();
    }
    Ok(Measurement { observers, outputs, taken: vec![taken], first, not_finite })
}

/// The values of an array, as f32.
pub fn floats(array: &Array) -> Vec<f32> {
    array.to_f64().into_iter().map(|value| value as f32).collect()
}

/// How the inputs of calibration type `skip` are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// Floats are drawn from this to 1.
    floats_from: f32,
    /// Integers are drawn from these.
    integers: [i64; 2],
}

impl Draw {
    /// What suits nearly every network first: numbers of both signs; masks, and indices that are valid nearly everywhere.
    const ALL: [Draw; 6] = [
        Draw { floats_from: -1.0, integers: [0, 1] },
        // For a logarithm or a square root.
        Draw { floats_from: 0.0625, integers: [0, 1] },
        // For masks that must leave something, and for what is divided by.
        Draw { floats_from: -1.0, integers: [1, 1] },
        Draw { floats_from: 0.0625, integers: [1, 1] },
        // For indices into one element.
        Draw { floats_from: -1.0, integers: [0, 0] },
        Draw { floats_from: 0.0625, integers: [0, 0] },
    ];

    /// The first way of drawing of which the network makes numbers; the first of all where none does.
    ///
    /// # Errors
    /// When an input is too large.
    pub fn for_network(executable: &FloatExecutable) -> Result<Draw, CalibrationError> {
        for draw in Draw::ALL {
            let inputs = random_inputs(executable, 0, draw)?;
            let is_finite = |array: &Array| array.to_f64().iter().all(|value| value.is_finite());
            let outputs = executable.run(&inputs.iter().collect::<Vec<_>>());
            if outputs.is_ok_and(|outputs| outputs.iter().all(is_finite)) {
                return Ok(draw);
            }
        }
        Ok(Draw::default())
    }
}

impl Default for Draw {
    fn default() -> Draw {
        let [first, ..] = Draw::ALL;
        first
    }
}

/// Inputs of calibration type `skip`, the same in every run.
///
/// # Errors
/// When an input is too large.
pub fn random_inputs(executable: &FloatExecutable, seed: u64, draw: Draw) -> Result<Vec<Array>, CalibrationError> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    let mut next = || {
        // xorshift64*, Vigna 2016.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40
    };
    // 24 bits: from 0 to 2.
    let mut float = || draw.floats_from + next() as f32 / (1u64 << 23) as f32 * ((1.0 - draw.floats_from) / 2.0);
    let mut arrays = Vec::new();
    for (_, element, shape) in executable.inputs() {
        let mut array = Array::zeros(element, shape)?;
        if let Some(values) = array.values_mut::<f32>() {
            values.iter_mut().for_each(|value| *value = float());
        } else {
            let [low, high] = draw.integers;
            for position in 0..array.len() {
                let value = float();
                let integer = if value * 2.0 < draw.floats_from + 1.0 { low } else { high };
                let value =
                    if element.is_float() { Scalar::Float(value.into()) } else { Scalar::Integer(integer.into()) };
                array.set(position, value.cast(element));
            }
        }
        arrays.push(array);
    }
    Ok(arrays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_samples_that_fail_the_first_is_told() {
        let indices: Vec<usize> = (0..40).collect();
        for _ in 0..50 {
            let fails = |index: usize| match index {
                7 | 9 | 31 => Err(CalibrationError::Sample { sample: index.to_string(), reason: "bad".into() }),
                _ => Ok(index),
            };
            let error = of_each(&indices, 4, fails).unwrap_err();
            assert_eq!(error.to_string(), "sample 7: bad");
        }
    }

    #[test]
    fn results_are_in_the_order_of_what_was_asked() {
        assert_eq!(of_each(&[2, 2, 0, 5], 3, |index| Ok(index * 10)).unwrap(), [20, 20, 0, 50]);
        assert!(of_each(&[], 3, |_| Ok(())).is_err());
    }
}
