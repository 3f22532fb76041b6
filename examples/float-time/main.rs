//! Times the float executor on one network, driven line by line so that another program can take turns with it.
//!
//!     float-time MODEL.onnx [--threads N]
//!
//! Prints `compile SECONDS`. Then every line read does something: `run` runs the network on random inputs and prints
//! `run SECONDS`; `check FOLDER` writes the last inputs and outputs as raw f32 into a folder; `profile N` prints the
//! median time of every kernel over N runs, slowest first.

use std::collections::HashMap;
use std::error::Error;
use std::io::BufRead;
use std::path::Path;
use std::time::{Duration, Instant};

use hb::cpu::{Array, ExecutableOptions, FloatExecutable};
use hb::frontend::onnx::{ImportOptions, import_file};
use hb_dialects::ir;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn compile(path: &Path) -> Result<FloatExecutable> {
    let context = hb::pipeline::context();
    let module = import_file(&context, path, &ImportOptions::default())?;
    let function = ir::function_named(module.as_operation(), "main").ok_or("the network has no function main")?;
    let passes = ["hfloat-infer-shapes"];
    for pass in hb::float::PASSES.iter().filter(|pass| passes.contains(&pass.argument)) {
        (pass.run)(function, &hb_dialects::pass::PassOptions::default()).map_err(|failure| format!("{failure:?}"))?;
    }
    let start = Instant::now();
    let executable = FloatExecutable::compile(function, ExecutableOptions::default())?;
    println!("compile {:.6}", start.elapsed().as_secs_f64());
    Ok(executable)
}

/// The median time of every kernel, and how often it ran.
fn profile(executable: &FloatExecutable, inputs: &[&Array], runs: usize) -> Result<()> {
    let mut times: HashMap<(usize, String), Vec<Duration>> = HashMap::new();
    for _ in 0..runs {
        for (step, (node, time)) in executable.profile(inputs)?.into_iter().enumerate() {
            times.entry((step, node)).or_default().push(time);
        }
    }
    let mut medians = Vec::new();
    for ((step, node), mut times) in times {
        times.sort();
        medians.push((times.get(times.len() / 2).copied().unwrap_or_default(), step, node));
    }
    medians.sort();
    let total: Duration = medians.iter().map(|(time, ..)| *time).sum();
    for (time, step, node) in medians.iter().rev() {
        println!(
            "{:9.1} us  {:4.1} %  step {step} {node}",
            time.as_secs_f64() * 1e6,
            100.0 * time.as_secs_f64() / total.as_secs_f64()
        );
    }
    println!("{:9.1} us in {} kernels", total.as_secs_f64() * 1e6, medians.len());
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let path = arguments.get(1).ok_or("usage: float-time MODEL.onnx [--threads N]")?;
    let threads = match arguments.get(2).map(String::as_str) {
        Some("--threads") => arguments.get(3).ok_or("--threads needs a number")?.parse()?,
        _ => 0,
    };
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let executable = compile(Path::new(path))?;
    let inputs = hb::quant::calibrate::random_inputs(&executable, 1, hb::quant::calibrate::Draw::default())?;
    let inputs: Vec<&Array> = inputs.iter().collect();
    let mut outputs = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["run"] => {
                let start = Instant::now();
                outputs = executable.run(&inputs)?;
                println!("run {:.6}", start.elapsed().as_secs_f64());
            }
            ["profile", runs] => profile(&executable, &inputs, runs.parse()?)?,
            ["check", folder] => {
                for (position, array) in inputs.iter().enumerate() {
                    std::fs::write(Path::new(folder).join(format!("input_{position}.bin")), array.as_bytes())?;
                }
                for (position, array) in outputs.iter().enumerate() {
                    std::fs::write(Path::new(folder).join(format!("output_{position}.bin")), array.as_bytes())?;
                }
                println!("check");
            }
            _ => return Err(format!("unknown line {line:?}").into()),
        }
    }
    Ok(())
}
