//! What `demo.sh` prints last: accuracy of the float and of the compiled network, and the predicted latency.
//!
//! `digits-report FLOAT.npy QUANTIZED.npy LABELS.npy PERF.json`: two arrays of logits `[samples, ..., classes]` f32, labels
//! `[samples]` i64, and what `hb_sim perf --json` wrote. Fails when the compiled network loses more than one point.

use std::{env, error::Error, fs, process::ExitCode};

use ndarray::{Array1, ArrayD, Axis};

/// What the demo allows the compiled network to lose, in percentage points.
const ALLOWED_LOSS: f64 = 1.0;

/// Where `hb_sim perf --json` gives the predicted latency in microseconds.
const LATENCY: &str = "/summary/performance/latency (us)";

fn main() -> ExitCode {
    match report() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("digits-report: the compiled network loses more than {ALLOWED_LOSS} point of accuracy");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("digits-report: {error}");
            ExitCode::FAILURE
        }
    }
}

fn report() -> Result<bool, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [float, quantized, labels, performance] = arguments.as_slice() else {
        return Err("usage: digits-report FLOAT.npy QUANTIZED.npy LABELS.npy PERF.json".into());
    };
    let labels: Array1<i64> = ndarray_npy::read_npy(labels)?;
    let float = accuracy(float, &labels)?;
    let quantized = accuracy(quantized, &labels)?;
    let performance: serde_json::Value = serde_json::from_str(&fs::read_to_string(performance)?)?;
    let latency = performance.pointer(LATENCY).and_then(serde_json::Value::as_f64);
    let latency = latency.ok_or_else(|| format!("PERF.json holds no number at `{LATENCY}`"))?;
    println!("test samples        {:>8}", labels.len());
    println!("float accuracy      {float:>8.2} %");
    println!("quantized accuracy  {quantized:>8.2} %");
    println!("predicted latency   {latency:>8.1} us");
    Ok(quantized >= float - ALLOWED_LOSS)
}

/// Percentage of samples whose largest logit is at the label.
fn accuracy(path: &str, labels: &Array1<i64>) -> Result<f64, Box<dyn Error>> {
    let logits: ArrayD<f32> = ndarray_npy::read_npy(path).map_err(|error| format!("{path}: {error}"))?;
    if logits.ndim() < 2 || logits.len_of(Axis(0)) != labels.len() || labels.is_empty() {
        return Err(format!("{path}: shape {:?} for {} labels", logits.shape(), labels.len()).into());
    }
    let right = logits
        .axis_iter(Axis(0))
        .zip(labels)
        .filter(|(sample, label)| {
            let largest = sample.iter().enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other));
            largest.and_then(|(class, _)| i64::try_from(class).ok()) == Some(**label)
        })
        .count();
    Ok(100.0 * right as f64 / labels.len() as f64)
}
