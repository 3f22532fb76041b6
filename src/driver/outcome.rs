//! What a run of `hb_compile` came to: its last line, and the same as JSON.

use super::accuracy::Judgement;
use super::compare::NodeFacts;
use super::compile::{CompileError, Stage};
use super::configuration::{CORE_NUM, Configuration, MARCH, Purpose, Severity, WORKING_DIR};
use super::tables::{NodeRow, OutputRow};
use crate::bpu::lower::Placement;
use crate::sim::perf::{FunctionCalls, Performance};
use crate::wording::printable;
use serde_json::{Value, json};
use std::fmt;
use std::path::{Path, PathBuf};

/// What a compilation came to, as far as it went.
#[derive(Debug, Default)]
pub struct CompilationOutcome {
    /// What built-in settings were for; none with a configuration of the user.
    pub purpose: Option<Purpose>,
    /// The last stage that ran.
    pub last_stage: Option<Stage>,
    /// Nodes and where they run, in the order of the network, once they are placed.
    pub nodes: Vec<NodeFacts>,
    /// The nodes once more, with how far the levels are apart; after the last stage.
    pub rows: Vec<NodeRow>,
    /// How far the outputs of the levels are apart; after the last stage.
    pub outputs: Vec<OutputRow>,
    /// How the quantized network was judged; none where samples are random, or a stored model was compiled.
    pub judgement: Option<Judgement>,
    /// What is predicted; after the last stage.
    pub prediction: Option<Prediction>,
    /// What was written, in order.
    pub files: Vec<PathBuf>,
    /// Whether these are gone when the run ends: a check of which nothing could be kept.
    pub is_aside: bool,
}

/// What is predicted of a compiled model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Of one run.
    pub latency_us: f64,
    /// How many samples a run takes.
    pub samples: u32,
    /// Samples per second of one core that does nothing else.
    pub frames_per_second: f64,
    /// Bytes loaded and stored by one run.
    pub ddr_megabytes: f64,
    /// What the board schedules as a whole; none where nothing is cut.
    pub calls: Option<FunctionCalls>,
    /// Of the latency: segments on the BPU, segments on the CPU, and from one to the other.
    pub parts_us: [f64; 3],
}

impl Prediction {
    /// Of a report.
    pub fn of(performance: &Performance) -> Self {
        let headline = &performance.summary.performance;
        Self {
            latency_us: headline.latency_us,
            samples: headline.samples,
            frames_per_second: headline.frames_per_second,
            ddr_megabytes: performance.summary.ddr.megabytes,
            calls: Some(performance.summary.calls).filter(|calls| calls.is_cut),
            parts_us: [headline.bpu_us, headline.cpu_us, headline.crossings_us],
        }
    }
}

/// As the last line tells it.
impl fmt::Display for Prediction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { latency_us, samples, frames_per_second, calls, parts_us: [bpu, cpu, crossings], .. } = self;
        write!(formatter, "predicted latency {latency_us:.1} us")?;
        if *samples > 1 {
            write!(formatter, " for {samples} samples ({:.1} us each)", latency_us / f64::from(*samples))?;
        }
        write!(formatter, ", {frames_per_second:.1} frames per second")?;
        if *bpu == 0.0 {
            write!(formatter, ", all of it on the CPU")?;
        } else if *cpu > 0.0 {
            write!(formatter, ": BPU {bpu:.1} us, CPU {cpu:.1} us, crossings {crossings:.1} us")?;
        }
        if let Some(calls) = calls {
            write!(formatter, "; function calls: {calls}")?;
        }
        Ok(())
    }
}

impl CompilationOutcome {
    /// How many nodes run on the BPU, and how many on the CPU.
    pub fn processors(&self) -> (usize, usize) {
        let on_bpu = self.nodes.iter().filter(|node| node.placement == Placement::Bpu).count();
        (on_bpu, self.nodes.len() - on_bpu)
    }

    /// What is wrong where the outputs shall have at least this mean cosine with the float network's.
    pub fn falls_short(&self, wanted: f64, configuration: &Configuration) -> Option<String> {
        let Some(Judgement { precision, worst, samples, .. }) = &self.judgement else {
            return Some(format!(
                "--min-cosine {wanted}: nothing judged the outputs, because the network brings its scales or a stored model was compiled; \
                 hb_verifier --min-cosine compares two models on samples"
            ));
        };
        let report = configuration.output_path("_accuracy.json");
        let where_lost = match self.files.contains(&report) {
            true => format!("; '{}' shows where it is lost", printable(&report.display().to_string())),
            false => String::new(),
        };
        (precision.cosine < wanted).then(|| {
            format!(
                "output {worst} has a mean cosine of {:.6} with the float network's on {samples} samples, less than --min-cosine \
                 {wanted}{where_lost}",
                precision.cosine
            )
        })
    }

    /// Where the results are, and what was predicted.
    pub fn last_line(&self, configuration: &Configuration) -> String {
        let folder = printable(&configuration.get(&WORKING_DIR).display().to_string());
        match (&self.prediction, self.last_stage) {
            (Some(prediction), _) if self.is_aside => prediction.to_string(),
            (Some(prediction), _) => format!("results are in '{folder}'; {prediction}"),
            (None, Some(stage)) => format!("ended after {stage}, as asked; results are in '{folder}'"),
            (None, None) => format!("results are in '{folder}'"),
        }
    }

    /// Everything, for programs; with what was warned of, and what fell short.
    pub fn to_json(&self, configuration: &Configuration, warnings: &[String], errors: &[String]) -> Value {
        let (on_bpu, on_cpu) = self.processors();
        let cosines = |name: &str| self.rows.iter().find(|row| row.node == name);
        let nodes = self.nodes.iter().map(|node| {
            let (on, reason) = match &node.placement {
                Placement::Bpu => ("BPU", None),
                Placement::Cpu { reason } => ("CPU", Some(reason)),
            };
            json!({
                "name": node.name,
                "operator": node.operator,
                "on": on,
                "reason": reason,
                "crossings": node.crossings.iter().map(|crossing| json!({
                    "neighbour": crossing.node,
                    "values": crossing.values,
                    "direction": if crossing.from_bpu { "from BPU" } else { "to BPU" },
                })).collect::<Vec<_>>(),
                "made_from": node.origins,
                "output_data_type": node.output_data_type,
                "threshold": node.threshold,
                "calibrated_cosine": cosines(&node.name).and_then(|row| row.calibrated_cosine),
                "quantized_cosine": cosines(&node.name).and_then(|row| row.quantized_cosine),
            })
        });
        let outputs = self.outputs.iter().map(|output| {
            json!({
                "name": output.tensor_name,
                "calibrated_cosine": output.calibrated_cosine,
                "quantized_cosine": output.quantized_cosine,
            })
        });
        let kept = |path: &Path| (!self.is_aside).then(|| path.display().to_string());
        let part = |index: usize| self.prediction.and_then(|prediction| prediction.parts_us.get(index).copied());
        json!({
            "status": if errors.is_empty() { "done" } else { "failed" },
            "mode": self.purpose.map_or("configuration", Purpose::name),
            "last_stage": self.last_stage.map(Stage::name),
            "configuration": kept(&configuration.file),
            "march": configuration.get(&MARCH),
            "core_num": configuration.get(&CORE_NUM),
            "working_dir": kept(configuration.get(&WORKING_DIR).as_path()),
            "files": self.files.iter().filter_map(|file| kept(file)).collect::<Vec<_>>(),
            "predicted_latency_us": self.prediction.map(|prediction| prediction.latency_us),
            "predicted_bpu_us": part(0),
            "predicted_cpu_us": part(1),
            "predicted_crossings_us": part(2),
            "samples_per_run": self.prediction.map(|prediction| prediction.samples),
            "predicted_frames_per_second": self.prediction.map(|prediction| prediction.frames_per_second),
            "function_calls": self.prediction.and_then(|prediction| prediction.calls),
            "predicted_ddr_megabytes": self.prediction.map(|prediction| prediction.ddr_megabytes),
            "nodes_on_bpu": on_bpu,
            "nodes_on_cpu": on_cpu,
            "nodes": nodes.collect::<Vec<_>>(),
            "outputs": outputs.collect::<Vec<_>>(),
            "cosine": self.judgement.as_ref().map(|judgement| judgement.precision.cosine),
            "worst": self.judgement.as_ref().map(|judgement| &judgement.worst),
            "warnings": warnings,
            "errors": errors,
        })
    }
}

/// What went wrong, for programs: one entry for each line of a list; with what was warned of.
pub fn failure_json(error: &CompileError, warnings: &[String]) -> Value {
    let (stage, errors) = match error {
        CompileError::Configuration(problems) => {
            let errors = problems.0.iter().filter(|problem| problem.severity == Severity::Error);
            (None, errors.map(ToString::to_string).collect())
        }
        CompileError::Stage { stage, source } => (Some(stage.name()), lines(&source.to_string())),
        CompileError::Options(message) => (None, lines(message)),
    };
    json!({ "status": "failed", "stage": stage, "errors": errors, "warnings": warnings })
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_lists() {
        let error = CompileError::Stage { stage: Stage::Lower, source: "one\ntwo".into() };
        let expected = json!({ "status": "failed", "stage": "lower", "errors": ["one", "two"], "warnings": ["odd"] });
        assert_eq!(failure_json(&error, &["odd".into()]), expected);
    }

    #[test]
    fn the_parts_of_the_latency_are_said() {
        let of = |samples, parts_us, calls| {
            let (latency_us, frames_per_second, ddr_megabytes) = (50.0, 20000.0, 0.5);
            Prediction { latency_us, samples, frames_per_second, ddr_megabytes, calls, parts_us }.to_string()
        };
        let batch = "predicted latency 50.0 us for 4 samples (12.5 us each), 20000.0 frames per second";
        assert_eq!(of(4, [50.0, 0.0, 0.0], None), batch);
        let shown = |parts_us| of(1, parts_us, None);
        let alone = "predicted latency 50.0 us, 20000.0 frames per second";
        assert_eq!(shown([50.0, 0.0, 0.0]), alone);
        assert_eq!(shown([30.0, 12.0, 8.0]), format!("{alone}: BPU 30.0 us, CPU 12.0 us, crossings 8.0 us"));
        assert_eq!(shown([0.0, 50.0, 0.0]), format!("{alone}, all of it on the CPU"));
        let calls = FunctionCalls { number: 3, longest_us: 21.0, cost_us: 4.0, bytes: 64, is_cut: true };
        assert_eq!(
            of(1, [50.0, 0.0, 0.0], Some(calls)),
            format!("{alone}; function calls: 3 of at most 21.0 us; cutting costs 4.0 us and 64 bytes of DDR")
        );
    }
}
