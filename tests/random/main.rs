//! Random networks through every level. `make test` takes a fixed set of seeds, `make fuzz` any number:
//!
//!     make fuzz NETWORKS=2000 SEED=1
//!
//! A network that fails is made smaller; both lie in `target/random/` as `.onnx`. With
//! `HB_KEEP_EXPORTED=FOLDER` every network is left there with its values, for `check_with_onnxruntime.py`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod check;
mod minimise;
mod network;
mod operators;
mod quantized;
mod tiled;

use check::{Fault, Outcome, check};
use hb_dialects::hfloat::onnx_operators;
use network::{Drawn, Network, generate};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The fewest nodes of a network.
const NODES: usize = 10;

/// What was reached, over many networks.
#[derive(Default)]
struct Report {
    networks: usize,
    nodes: usize,
    compiled: usize,
    programs: usize,
    behind_jumps: usize,
    drawn: Drawn,
    placed: BTreeMap<(String, String), usize>,
    steps: quantized::Steps,
    tiled: [usize; tiled::MACHINES],
    /// By reason: how many, and the first seed.
    refused: BTreeMap<String, (usize, u64)>,
    faults: Vec<(u64, String)>,
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/random");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

impl Report {
    /// Generates and checks the network of a seed.
    fn take(&mut self, context: &melior::Context, seed: u64, twice: bool) {
        println!("network {seed}");
        let network = generate(context, seed, NODES, &mut self.drawn);
        self.networks += 1;
        self.nodes += network.model.graph.nodes.len();
        if let Some(folder) = std::env::var_os("HB_KEEP_EXPORTED") {
            network.keep(Path::new(&folder));
        }
        // Left behind by what ends the process.
        let running = folder().join(format!("running-{seed}.onnx"));
        hb::frontend::onnx::save(&network.model, &running).unwrap();
        match check(context, &network, twice) {
            Ok(Outcome::Compiled(compiled)) => {
                self.compiled += 1;
                self.programs += compiled.programs;
                self.behind_jumps += compiled.behind_jumps;
                self.tiled.iter_mut().zip(compiled.tiled).for_each(|(all, one)| *all += one);
                for (key, steps) in compiled.steps {
                    let most = self.steps.entry(key).or_default();
                    *most = most.max(steps);
                }
                for (key, count) in compiled.placed {
                    *self.placed.entry(key).or_default() += count;
                }
            }
            Ok(Outcome::Refused(reason)) => {
                let entry = self.refused.entry(network::kind_of(&reason)).or_insert((0, seed));
                entry.0 += 1;
            }
            Err(fault) => self.fault(context, &network, fault, twice),
        }
        std::fs::remove_file(running).unwrap();
    }

    fn fault(&mut self, context: &melior::Context, network: &Network, fault: Fault, twice: bool) {
        let seed = network.seed;
        println!("seed {seed}: {}: {}", fault.level, fault.what);
        hb::frontend::onnx::save(&network.model, &folder().join(format!("seed-{seed}.onnx"))).unwrap();
        let (smallest, fault) = minimise::minimise(context, network, fault, twice);
        let file = folder().join(format!("seed-{seed}-smallest.onnx"));
        hb::frontend::onnx::save(&smallest.model, &file).unwrap();
        let text = format!("{}: {}\n{}{}", fault.level, fault.what, smallest.text(), file.display());
        println!("seed {seed}, made smaller: {text}\n");
        self.faults.push((seed, text));
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} networks of {} nodes; {} compiled to {} programs; {} outputs behind jumps not compared as floats\n",
            self.networks, self.nodes, self.compiled, self.programs, self.behind_jumps
        );
        let operators = onnx_operators();
        let missing: Vec<&str> = operators
            .iter()
            .map(|operator| operator.name)
            .filter(|name| !self.drawn.taken.contains_key(name))
            .collect();
        writeln!(
            text,
            "{} of {} operators; not drawn: {}",
            operators.len() - missing.len(),
            operators.len(),
            missing.join(", ")
        )
        .unwrap();
        let on = |place: &str| {
            let rows = self.placed.iter().filter(|((_, on), _)| on == place);
            rows.map(|((operator, _), count)| format!("{operator} {count}")).collect::<Vec<_>>().join(", ")
        };
        writeln!(text, "segments in tiles, by machine: {:?}", self.tiled).unwrap();
        let steps: Vec<String> = self.steps.iter().map(|(key, steps)| format!("{key} {steps:.2}")).collect();
        writeln!(text, "steps between quantized network and interpreter, at most: {}", steps.join(", ")).unwrap();
        writeln!(text, "on the BPU: {}\non the CPU: {}\nrefused networks:", on("BPU"), on("CPU")).unwrap();
        for (reason, (count, seed)) in &self.refused {
            writeln!(text, "  {count} (seed {seed}): {reason}").unwrap();
        }
        writeln!(text, "drafts of nodes that were not taken:").unwrap();
        for (reason, count) in &self.drawn.refused {
            writeln!(text, "  {count}: {reason}").unwrap();
        }
        for (seed, fault) in &self.faults {
            writeln!(text, "FAULT seed {seed}: {}", fault.lines().next().unwrap_or_default()).unwrap();
        }
        text
    }
}

/// Takes the networks of these seeds, and fails if one of them does.
fn run(seeds: impl Iterator<Item = u64>, twice: impl Fn(u64) -> bool) {
    let context = hb::pipeline::context();
    let mut report = Report::default();
    for seed in seeds {
        report.take(&context, seed, twice(seed));
    }
    println!("{}", report.text());
    assert!(report.faults.is_empty(), "{} networks failed", report.faults.len());
    // The generator would show nothing if most of what it makes were refused.
    assert!(4 * report.compiled >= 3 * report.networks, "only {} of {}", report.compiled, report.networks);
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map_or(default, |text| text.parse().unwrap())
}

/// `make fuzz`
#[test]
#[ignore = "takes as long as it is asked to"]
fn any_number_of_networks() {
    let first = number("SEED", 1);
    run(first..first + number("NETWORKS", 100), |_| true);
}

/// As many for `check_with_onnxruntime.py` alone, which is much faster.
#[test]
#[ignore = "writes files"]
fn networks_for_onnxruntime() {
    let folder = std::env::var_os("HB_KEEP_EXPORTED").expect("HB_KEEP_EXPORTED says where to");
    let context = hb::pipeline::context();
    let first = number("SEED", 1);
    for seed in first..first + number("NETWORKS", 100) {
        generate(&context, seed, NODES, &mut Drawn::default()).keep(Path::new(&folder));
    }
}

#[test]
fn the_first_networks() {
    run(1..13, |seed| seed % 4 == 0);
}

#[test]
fn the_next_networks() {
    run(13..25, |seed| seed % 4 == 0);
}

/// Nothing of the registry is left out of random networks but what says why.
#[test]
fn every_operator_is_drawn() {
    let context = hb::pipeline::context();
    let mut drawn = Drawn::default();
    for operator in onnx_operators().iter().filter(|operator| operators::left_out(operator).is_none()) {
        let taken = (0..60).any(|seed| network::contains(&context, seed, operator, &mut drawn));
        let refused: Vec<_> = drawn.refused.iter().filter(|(reason, _)| reason.starts_with(operator.name)).collect();
        assert!(taken, "{}: {refused:?}", operator.name);
    }
}
