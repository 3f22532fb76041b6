//! A whole `.hbm` through the commands: quantize, negate by table, dequantize. Results and times are computed on paper.

use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use hb_dialects::ElementType;

use super::command::command;
use super::open::{Detail, OpenOptions, PredictOptions, open, predict};
use super::{npy, perf};
use crate::cpu::Array;
use crate::hbm::*;
use crate::nash::encode::encode;
use crate::nash::isa;
use crate::nash::isa::{DdrView, Engine, Instruction, MemoryRegion, Operation, Program, RANK, View, Wait};
use crate::target::Target;

const FOUR: [u32; RANK] = [1, 1, 1, 1, 1, 4];

fn load(region: MemoryRegion, bytes: u32, address: u32) -> Operation {
    let source = DdrView { region, offset: 0, strides: [0, 0, 0, 0, 0, 1] };
    let shape = [1, 1, 1, 1, 1, bytes];
    isa::Load { shape, element_bytes: 1, source, destination: View::contiguous(address, shape, 1) }.into()
}

fn store(bytes: u32, address: u32) -> Operation {
    let destination = DdrView { region: MemoryRegion::Output(0), offset: 0, strides: [0, 0, 0, 0, 0, 1] };
    let shape = [1, 1, 1, 1, 1, bytes];
    isa::Store { shape, element_bytes: 1, source: View::contiguous(address, shape, 1), destination }.into()
}

/// `table_wait`: the count of loads that the lookup waits for. 2 is right: the input and the table.
fn program(table_wait: u32) -> Program {
    let instruction = |source: u32, waits: &[(Engine, u32)], operation: Operation| Instruction {
        waits: waits.iter().map(|&(engine, count)| Wait { engine, count }).collect(),
        source,
        operation,
    };
    let quantize = isa::Quantize {
        zero_point: 0,
        shape: FOUR,
        output_element: isa::BpuElement::I8,
        scale: 0.5,
        input: View::contiguous(0, FOUR, 4),
        output: View::contiguous(64, FOUR, 1),
    };
    let lookup = isa::Lookup {
        shape: FOUR,
        input: View::contiguous(64, FOUR, 1),
        table: View::contiguous(1024, [256], 1),
        output: View::contiguous(128, FOUR, 1),
    };
    let dequantize = isa::Dequantize {
        zero_point: 0,
        shape: FOUR,
        input_element: isa::BpuElement::I8,
        scale: 0.5,
        scales: None,
        input: View::contiguous(128, FOUR, 1),
        output: View::contiguous(256, FOUR, 4),
    };
    Program {
        inputs: vec![16],
        outputs: vec![16],
        constants: 256,
        workspace: 0,
        instructions: vec![
            instruction(0, &[], load(MemoryRegion::Input(0), 16, 0)),
            instruction(1, &[], load(MemoryRegion::Constants, 256, 1024)),
            instruction(0, &[(Engine::Load, 1)], quantize.into()),
            instruction(1, &[(Engine::Load, table_wait), (Engine::Vpu, 1)], lookup.into()),
            instruction(2, &[(Engine::Vae, 1)], dequantize.into()),
            instruction(2, &[(Engine::Vpu, 2)], store(16, 256)),
        ],
        names: vec!["x/quantize".into(), "Neg_0".into(), "y/dequantize".into()],
    }
}

fn tensor(name: &str, buffer: usize) -> TensorDescription {
    TensorDescription {
        name: name.into(),
        dims: vec![1, 4],
        element_type: ElementType::F32,
        strides: vec![16, 4],
        quantization: None,
        layout: String::new(),
        buffer,
        sizes_buffer: None,
        region: None,
        layer: None,
    }
}

pub fn model(table_wait: u32) -> Vec<u8> {
    let mut builder = HbmBuilder::new();
    let program_section = builder.add_section(SectionKind::Program, 64, encode(&program(table_wait)).unwrap());
    let table: Vec<u8> = (-128..128).map(|q: i32| (-q).min(127) as i8 as u8).collect();
    let constants_section = Some(builder.add_section(SectionKind::Constants, 64, table));
    let buffer = |name: &str| Buffer { name: name.into(), bytes: 16, element_type: ElementType::F32, dims: vec![1, 4] };
    let layer = |name: &str, operator_type: &str| Layer {
        name: name.into(),
        operator_type: operator_type.into(),
        segment: 0,
        origins: vec!["Neg_0".into()],
        // What 80 TOPS do in 1 us.
        operations: if name == "Neg_0" { 80_000_000 } else { 0 },
    };
    let manifest = Manifest {
        versions: vec![Version { name: "hb".into(), version: "0.1.0".into() }],
        model_name: "negate".into(),
        prefix: "negate".into(),
        march: "nash-e".into(),
        target_digest: target_digest(&Target::named("nash-e").unwrap()),
        parameters: vec![],
        inputs: vec![tensor("in/x", 0)],
        outputs: vec![tensor("out/y", 1)],
        buffers: vec![buffer("x"), buffer("y")],
        segments: vec![SegmentDescription {
            name: "bpu_0".into(),
            inputs: vec![0],
            outputs: vec![1],
            body: SegmentBody::Bpu(BpuSegment { program_section, constants_section, workspace_bytes: 0 }),
        }],
        layers: vec![layer("x/quantize", "Quantize"), layer("Neg_0", "Neg"), layer("y/dequantize", "Dequantize")],
    };
    builder.finish(&manifest).unwrap()
}

fn floats(values: &[f32], dims: &[usize]) -> Array {
    Array::from_values(dims, values).unwrap()
}

fn run(arguments: &[&str]) -> ExitCode {
    command(std::iter::once("hb_sim").chain(arguments.iter().copied()).map(Into::into))
}

fn write_model(folder: &Path, table_wait: u32) -> String {
    let path = folder.join("negate.hbm");
    std::fs::write(&path, model(table_wait)).unwrap();
    path.display().to_string()
}

#[test]
fn infer_writes_what_paper_says() {
    let folder = tempfile::tempdir().unwrap();
    let model = write_model(folder.path(), 2);
    let path = |name: &str| folder.path().join(name).display().to_string();
    // q = 2, -5 (halves are exact), 127 (200 saturates), 0 (NaN).
    let x = floats(&[1.0, -2.5, 100.0, f32::NAN], &[1, 4]);
    std::fs::write(path("x.npy"), npy::encode(&x).unwrap()).unwrap();
    let status = run(&["infer", &model, "--input", &path("x.npy"), "--output-dir", &path("one"), "--check-races"]);
    assert_eq!(status, ExitCode::SUCCESS);
    let y = npy::read(&folder.path().join("one/out_y.npy")).unwrap();
    assert_eq!(y, floats(&[-1.0, 2.5, -63.5, 0.0], &[1, 4]));

    std::fs::create_dir(path("samples")).unwrap();
    for (name, value) in [("a.npy", 0.25), ("b.npy", 0.75), ("c.npy", -64.0)] {
        std::fs::write(folder.path().join("samples").join(name), npy::encode(&floats(&[value; 4], &[1, 4])).unwrap())
            .unwrap();
    }
    let input = format!("in/x={}", path("samples"));
    let status = run(&["infer", &model, "--input", &input, "--output-dir", &path("all"), "--jobs", "2", "--json"]);
    assert_eq!(status, ExitCode::SUCCESS);
    let y = npy::read(&folder.path().join("all/out_y.npy")).unwrap();
    // Half of a step rounds to even: 0.25 to 0, 0.75 to 2 steps. -128 negated saturates to 127.
    let expected: Vec<f32> = [0.0, -1.0, 63.5].iter().flat_map(|value| [*value; 4]).collect();
    assert_eq!(y, floats(&expected, &[3, 1, 4]));
}

#[test]
fn a_missing_event_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let model = write_model(folder.path(), 1);
    let options = OpenOptions { detail: Detail::Races, ..OpenOptions::default() };
    let error = open(Path::new(&model), &options).err().unwrap().to_string();
    assert!(error.contains("race") && error.contains("Neg_0") && error.contains("bpu_0"), "{error}");
    assert!(open(Path::new(&model), &OpenOptions::default()).is_ok());
    let array = folder.path().join("x.npy").display().to_string();
    let out = folder.path().join("out").display().to_string();
    assert_eq!(run(&["infer", &model, "--input", &array, "--output-dir", &out, "--check-races"]), ExitCode::from(1));
}

/// nash-e: a transfer takes 64 cycles and its bytes, in bursts of 64, at 30e9 / 1220703125 bytes per cycle: 67 for 16 bytes, 75 for 256.
/// Four floats take VPU 32 + 1, four bytes VAE 16 + 1. It is a chain, in which the next engine starts 3200 cycles after the one before has
/// ended: load 67, quantize 3300, lookup 6517, dequantize 9750, store 13017. Starting a run costs 61036 cycles.
#[test]
fn perf_predicts_what_paper_says() {
    let folder = tempfile::tempdir().unwrap();
    let model = write_model(folder.path(), 2);
    let performance = predict(Path::new(&model), &PredictOptions::default()).unwrap();
    let summary = &performance.summary;
    let cycle = 1e6 / 1_220_703_125.0;
    let near = |value: f64, cycles: f64| (value - cycles * cycle).abs() < 1e-3;
    assert!(near(summary.performance.latency_us, 61036.0 + 13017.0), "{}", summary.performance.latency_us);
    assert_eq!((summary.ddr.loaded, summary.ddr.stored), (272, 16));
    // 16 bytes in, 16 bytes out and the table.
    let bounds = &summary.bounds;
    assert_eq!((bounds.compute_us, bounds.ddr_bytes), (1.0, 16 + 16 + 256));
    assert!((bounds.ddr_us - 288.0 / 30e9 * 1e6).abs() < 1e-4, "{}", bounds.ddr_us);
    assert_eq!(bounds.ratio, Some(summary.performance.latency_us));
    let busy: Vec<f64> = summary.engines.iter().map(|engine| engine.busy_us).collect();
    for (index, cycles) in [(0, 67.0 + 75.0), (1, 67.0), (2, 0.0), (3, 17.0), (6, 66.0)] {
        assert!(near(busy[index], cycles), "{busy:?}");
    }
    let layers: Vec<&str> = summary.layers.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(layers, ["x/quantize", "Neg_0", "y/dequantize"]);
    assert!(near(summary.layers[1].load_us, 75.0) && near(summary.layers[1].computing_us, 17.0));
    // The intervals hold all of the traffic: megabytes per second times microseconds are bytes.
    let interval = summary.intervals.time_ms * 1e3;
    let loaded: f64 = summary.intervals.loading.iter().map(|bandwidth| bandwidth * interval).sum();
    assert!((loaded - 272.0).abs() < 0.01, "{loaded}");
    let computing: f64 = summary.intervals.utilization.iter().map(|share| share * interval).sum();
    assert!(near(computing, 33.0 + 17.0 + 33.0), "{computing}");
    assert!(summary.notes.len() == 1 && summary.notes[0].contains("50 us"), "{:?}", summary.notes);
    assert_eq!(run(&["perf", &model]), ExitCode::SUCCESS);
    assert_eq!(run(&["perf", &model, "--json"]), ExitCode::SUCCESS);
    assert!(perf_text_names_everything(&perf::Performance { ..performance.clone() }));
    // The lookup works 17 cycles and its table takes 75 to load, from 67 on, of the time up to its end at 6517.
    let lookup = &summary.layers[1];
    assert_eq!((lookup.bound_by, lookup.loaded, lookup.stored), ("LOAD", 256, 0));
    assert!((lookup.bound_share - 75.0 / 6450.0).abs() < 1e-3, "{}", lookup.bound_share);
    let json: Value = serde_json::to_value(&performance).unwrap();
    assert_eq!(json["details"][0].as_array().unwrap().len(), 6);
    assert_eq!(json["summary"]["DDR access data"]["loaded bytes per run"], 272);
}

/// A number that is set counts, and the report says which.
#[test]
fn what_if_numbers_were_others() {
    let folder = tempfile::tempdir().unwrap();
    let model = write_model(folder.path(), 2);
    let latency = |options: &PredictOptions| {
        let performance = predict(Path::new(&model), options).unwrap();
        (performance.summary.performance.latency_us, performance.summary.notes)
    };
    let (usual, _) = latency(&PredictOptions::default());
    let set = |name: &str, value: &str| PredictOptions { overrides: vec![(name.into(), value.into())], target: None };
    let (faster, notes) = latency(&set("run_overhead_nanoseconds", "0"));
    assert!((usual - faster - 50.0).abs() < 1e-2, "{usual} {faster}");
    assert_eq!(notes[1], "run_overhead_nanoseconds is set to 0");
    let other = PredictOptions { target: Some("nash-m".into()), overrides: Vec::new() };
    assert!(latency(&other).1[1].contains("nash-m"));
    let unknown = predict(Path::new(&model), &set("ddr.bandwidth", "1")).unwrap_err().to_string();
    assert!(unknown.contains("ddr.bandwidth") && unknown.contains("ddr.bytes_per_second"), "{unknown}");
    assert_eq!(run(&["perf", &model, "--target", "nash-e", "--target", "nash-m"]), ExitCode::SUCCESS);
    assert_eq!(run(&["perf", &model, "--set", "ddr.bytes_per_second"]), ExitCode::from(2));
}

/// The Trace Event Format: complete events ("X") with microseconds, and names for the tracks they are on.
#[test]
fn a_trace_holds_every_instruction_on_a_named_track() {
    let folder = tempfile::tempdir().unwrap();
    let model = write_model(folder.path(), 2);
    let trace = folder.path().join("trace.json");
    assert_eq!(run(&["perf", &model, "--trace", &trace.display().to_string()]), ExitCode::SUCCESS);
    let trace: Value = serde_json::from_slice(&std::fs::read(trace).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let of = |phase: &str| events.iter().filter(|event| event["ph"] == phase).collect::<Vec<_>>();
    let named: Vec<&str> = of("M").iter().filter_map(|event| event["args"]["name"].as_str()).collect();
    assert_eq!(named, ["nash-e, core 0", "LOAD", "STORE", "VAE", "VPU"]);
    let complete = of("X");
    assert_eq!(complete.len(), 6);
    // A track is named, and nothing on it overlaps in whole nanoseconds, which is what Perfetto reads.
    let nanoseconds = |value: &Value| (value.as_f64().unwrap() * 1000.0) as i64;
    for track in of("M").iter().skip(1) {
        let mut end = 0;
        for event in complete.iter().filter(|event| event["tid"] == track["tid"]) {
            assert_eq!(event["cat"], track["args"]["name"]);
            let start = nanoseconds(&event["ts"]);
            assert!(start >= end);
            end = start + nanoseconds(&event["dur"]);
        }
    }
}

fn perf_text_names_everything(performance: &perf::Performance) -> bool {
    let text = super::command::perf_text(performance);
    ["latency", "compute bound", "DDR bound", "FPS", "DDR", "LOAD", "VPU", "bpu_0"]
        .iter()
        .all(|part| text.contains(part))
}

#[test]
fn a_segment_that_does_not_match_its_program_is_refused() {
    let hbm = Hbm::from_bytes(model(2)).unwrap();
    let rebuilt = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = hbm.manifest().clone();
        change(&mut manifest);
        let mut builder = HbmBuilder::new();
        builder.add_section(SectionKind::Program, 64, hbm.section(1).to_vec());
        builder.add_section(SectionKind::Constants, 64, hbm.section(2).to_vec());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.hbm");
        builder.write(&manifest, &path).unwrap();
        open(&path, &OpenOptions::default()).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(rebuilt(&|_| {}), "");
    assert!(rebuilt(&|manifest| manifest.buffers[0].bytes = 32).contains("[32]"));
    assert!(rebuilt(&|manifest| manifest.march = "nash-x".into()).contains("nash-x"));
    let workspace = rebuilt(&|manifest| {
        if let SegmentBody::Bpu(bpu) = &mut manifest.segments[0].body {
            bpu.workspace_bytes = 64;
        }
    });
    assert!(workspace.contains("workspace"), "{workspace}");
}

#[test]
fn exit_statuses() {
    let folder = tempfile::tempdir().unwrap();
    let model = write_model(folder.path(), 2);
    assert_eq!(run(&["--help"]), ExitCode::SUCCESS);
    assert_eq!(run(&["infer", "--help"]), ExitCode::SUCCESS);
    assert_eq!(run(&[]), ExitCode::from(2));
    assert_eq!(run(&["infer", &model]), ExitCode::from(2));
    assert_eq!(run(&["perf", &model, "--jobs", "many"]), ExitCode::from(2));
    assert_eq!(run(&["perf", "/no/such.hbm"]), ExitCode::from(1));
    let out = folder.path().join("out").display().to_string();
    assert_eq!(run(&["infer", &model, "--input", "/no/such.npy", "--output-dir", &out]), ExitCode::from(1));
    assert!(!folder.path().join("out").exists());
}
