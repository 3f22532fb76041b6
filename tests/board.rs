//! The objects for the board's CPU, linked with nothing but libc and libm and run under emulation: what they compute is what the host computes.
//!
//! One executable holds the objects of all cases, a driver in C runs them one after the other. It takes `gcc-aarch64-linux-gnu` and `qemu-user`,
//! which `make setup` installs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/arrays.rs"]
mod arrays;
mod common;

use arrays::recorded;
use hb::cpu::{Array, BoardObject, ExecutableOptions, FloatExecutable};
use hb::driver::compile::{Stages, compile};
use hb::driver::configuration::{Configuration, Environment};
use hb::driver::progress::{Console, Verbosity};
use hb::frontend::mlir;
use hb::frontend::onnx::{ImportOptions, import_file};
use hb::hbm::{Hbm, SegmentBody};
use hb_dialects::ir;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// So many cases of an operator with as many outputs are run: those that are first in the list.
const CASES: usize = 2;

/// Functions of the C library and its mathematics that objects may call; the compiler's driver would link more without a word.
#[rustfmt::skip]
const LIBRARY: [&str; 41] = [
    "abort", "aligned_alloc", "bcmp", "free", "memcpy", "memmove", "memset",
    "acos", "acosf", "acosh", "acoshf", "asin", "asinf", "asinh", "asinhf", "atan",
    "atanf", "atanh", "atanhf", "cos", "cosf", "cosh", "coshf", "erf", "erff",
    "exp", "expf", "fmod", "fmodf", "log", "logf", "pow", "powf", "sin",
    "sinf", "sinh", "sinhf", "tan", "tanf", "tanh", "tanhf",
];

/// A network on both sides.
struct Compiled {
    case: String,
    /// The function of the object.
    symbol: String,
    object: Vec<u8>,
    inputs: Vec<Array>,
    /// What the host computes.
    outputs: Vec<Array>,
}

/// A recorded case as code for the board and for this machine, with its inputs.
fn both_sides(case: &common::Case, symbol: &str) -> Result<(BoardObject, FloatExecutable, Vec<Array>), String> {
    let context = hb_dialects::context();
    let input_shapes = case.inputs.iter().map(|(name, array)| (name.clone(), array.shape.clone())).collect();
    let module =
        import_file(&context, &case.model, &ImportOptions { input_shapes }).map_err(|error| error.to_string())?;
    let function = ir::function_named(module.as_operation(), "main").ok_or("no function main")?;
    let pass = hb::float::PASSES.iter().find(|pass| pass.argument == "hfloat-infer-shapes").unwrap();
    let options = hb_dialects::pass::PassOptions::default();
    let (result, reports) = hb::diagnostics::collect(&context, || (pass.run)(function, &options));
    result.map_err(|failure| format!("{failure:?} {}", hb::diagnostics::messages(&reports)))?;
    let board = BoardObject::compile(function, symbol).map_err(|error| error.to_string())?;
    let options = ExecutableOptions { single_threaded: true, ..ExecutableOptions::default() };
    let executable = FloatExecutable::compile(function, options).map_err(|error| error.to_string())?;
    let given = |name: &str| case.inputs.iter().find(|(given, _)| given == name).map(|(_, array)| array.clone());
    let inputs: Vec<Array> = executable
        .stored_inputs()
        .map(|(name, ..)| {
            let array = given(name).expect("an input");
            arrays::given(&array)
        })
        .collect();
    Ok((board, executable, inputs))
}

/// Compiles a recorded case; the reason where it cannot be.
fn compiled(case: &common::Case, symbol: &str) -> Result<Compiled, String> {
    let (board, executable, inputs) = both_sides(case, symbol)?;
    let outputs = executable.run_stored(&inputs.iter().collect::<Vec<_>>(), &mut |_, _| {});
    Ok(Compiled {
        case: case.name(),
        symbol: symbol.to_owned(),
        object: board.object,
        inputs,
        outputs: outputs.map_err(|error| error.to_string())?,
    })
}

/// The driver: reads the inputs of all networks one after the other, writes their outputs in the same way.
fn driver(networks: &[Compiled]) -> String {
    let mut text = String::from(
        "#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\
         typedef int32_t network(void *const *, void *const *, void *);\n\
         static void *room(size_t bytes) {\n  void *memory = aligned_alloc(64, (bytes + 127) / 64 * 64);\n  if (!memory) exit(2);\n  \
         memset(memory, 0xaa, bytes);\n  return memory;\n}\n\
         static void run(network *code, const char *const *nodes, uint64_t workspace, int ins, const size_t *in, int outs, const size_t *out) {\n  \
         void *inputs[64], *outputs[64];\n  \
         for (int i = 0; i < ins; i++) {\n    inputs[i] = room(in[i]);\n    if (fread(inputs[i], 1, in[i], stdin) != in[i]) exit(3);\n  }\n  \
         for (int i = 0; i < outs; i++) outputs[i] = room(out[i]);\n  \
         int32_t failed = code(inputs, outputs, room(workspace));\n  \
         if (failed) {\n    fputs(nodes[failed - 1], stderr);\n    exit(4);\n  }\n  \
         for (int i = 0; i < outs; i++) fwrite(outputs[i], 1, out[i], stdout);\n}\n",
    );
    for Compiled { symbol, .. } in networks {
        let _ = writeln!(
            text,
            "extern network {symbol};\nextern const uint64_t {symbol}_workspace_bytes;\nextern const char *const {symbol}_nodes[];"
        );
    }
    text += "int main(void) {\n";
    for network in networks {
        let sizes = |arrays: &[Array]| {
            let sizes: Vec<String> = arrays.iter().map(|array| array.as_bytes().len().to_string()).collect();
            format!(
                "{}, (const size_t[]){{{}}}",
                arrays.len(),
                if sizes.is_empty() { "0".into() } else { sizes.join(", ") }
            )
        };
        let (inputs, outputs) = (sizes(&network.inputs), sizes(&network.outputs));
        let symbol = &network.symbol;
        let _ = writeln!(text, "  run({symbol}, {symbol}_nodes, {symbol}_workspace_bytes, {inputs}, {outputs});");
    }
    text + "  return 0;\n}\n"
}

fn succeed(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; make setup installs it"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {} {}", output.status, said.chars().take(4000).collect::<String>());
    output.stdout
}

/// Links networks; the command that runs them on their inputs.
fn linked(folder: &Path, networks: &[Compiled]) -> Command {
    std::fs::write(folder.join("driver.c"), driver(networks)).unwrap();
    let mut gcc = Command::new("aarch64-linux-gnu-gcc");
    gcc.current_dir(folder).args(["-static", "-O1", "-o", "networks", "driver.c"]);
    for (number, network) in networks.iter().enumerate() {
        let name = format!("network_{number}.o");
        std::fs::write(folder.join(&name), &network.object).unwrap();
        gcc.arg(name);
    }
    let undefined = succeed(
        Command::new("aarch64-linux-gnu-nm")
            .current_dir(folder)
            .args(["-u", "-P"])
            .args((0..networks.len()).map(|number| format!("network_{number}.o"))),
    );
    let undefined = String::from_utf8(undefined).unwrap();
    // A line is a name, its kind, and for some its value.
    let names = undefined.lines().filter(|line| line.contains(" U")).filter_map(|line| line.split(' ').next());
    let others: BTreeSet<&str> = names.filter(|name| !LIBRARY.contains(name)).collect();
    assert!(others.is_empty(), "{others:?}");
    succeed(gcc.arg("-lm"));
    let inputs: Vec<u8> =
        networks.iter().flat_map(|network| &network.inputs).flat_map(|array| array.as_bytes().to_vec()).collect();
    std::fs::write(folder.join("inputs"), inputs).unwrap();
    let inputs = std::fs::File::open(folder.join("inputs")).unwrap();
    let mut emulator = Command::new("qemu-aarch64");
    emulator.current_dir(folder).arg("./networks").stdin(inputs);
    emulator
}

/// Links and runs networks; the bytes of their outputs.
fn emulate(folder: &Path, networks: &[Compiled]) -> Vec<u8> {
    succeed(&mut linked(folder, networks))
}

/// The outputs of the board are those of the host: integers equal, floats as near as those of onnxruntime must be.
fn compare(networks: &[Compiled], bytes: &[u8]) -> Vec<String> {
    let mut rest = bytes;
    let mut failures = Vec::new();
    for network in networks {
        for (number, host) in network.outputs.iter().enumerate() {
            let (own, more) = rest.split_at(host.as_bytes().len());
            rest = more;
            let board = common::Array { bytes: own.to_vec(), ..recorded(host) };
            if let Err(why) = common::difference(&recorded(host), &board) {
                failures.push(format!("{} output {number}: {why}", network.case));
            }
        }
    }
    assert!(rest.is_empty());
    failures
}

#[test]
fn every_family_of_operators() {
    let (mut networks, mut tried): (Vec<Compiled>, BTreeMap<String, usize>) = Default::default();
    let mut refused: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for case in common::operator_cases() {
        // One that is more with a further output: MaxPool.
        let kind = format!("{} of {}", case.operator, case.outputs.len());
        let count = tried.entry(kind.clone()).or_default();
        if *count >= CASES {
            continue;
        }
        match compiled(&case, &format!("network_{}", networks.len())) {
            Ok(network) => {
                networks.push(network);
                *count += 1;
            }
            Err(reason) => refused.entry(kind).or_default().push(format!("{}: {reason}", case.form)),
        }
    }
    let without: BTreeSet<&str> =
        tried.iter().filter(|(_, count)| **count == 0).map(|(name, _)| name.as_str()).collect();
    let reasons: Vec<String> =
        without.iter().filter_map(|name| Some(format!("{name}: {}", refused.get(*name)?.first()?))).collect();
    let folder = tempfile::tempdir().unwrap();
    let failures = compare(&networks, &emulate(folder.path(), &networks));
    assert!(failures.is_empty(), "{} of {} networks\n{}", failures.len(), networks.len(), failures.join("\n"));
    assert!(without.is_empty(), "{}", reasons.join("\n"));
}

/// An index beyond its tensor: the function says which node it is, as the host does.
#[test]
fn values_out_of_their_range_are_told_with_the_node() {
    let cases = common::operator_cases();
    for operator in ["GatherND", "ScatterElements"] {
        let case = cases.iter().find(|case| case.operator == operator).unwrap();
        let (board, executable, mut inputs) = both_sides(case, "network_0").unwrap();
        let run = |inputs: &[Array]| executable.run_stored(&inputs.iter().collect::<Vec<_>>(), &mut |_, _| {});
        let outputs = run(&inputs).unwrap();
        for array in &mut inputs {
            let count = array.len();
            if let Some(values) = array.values_mut::<i64>() {
                values.copy_from_slice(&vec![1000; count]);
            }
        }
        let error = run(&inputs).unwrap_err().to_string();
        let network = Compiled { case: case.name(), symbol: "network_0".into(), object: board.object, inputs, outputs };
        let folder = tempfile::tempdir().unwrap();
        let output = linked(folder.path(), &[network]).output().unwrap();
        let node = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{node}");
        assert!(!node.is_empty() && error.contains(&format!("'{node}'")), "{node}; the host: {error}");
    }
}

/// The networks of the example and of a quantized MobileNet with nodes that run on the CPU where it is asked for: what the `.hbm` carries.
#[test]
fn segments_of_compiled_networks() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let digits = (repository.join("examples/digits/model.onnx"), "image");
    let quantized = (common::data_folder().join("operators/quantized_networks/uint8_asymmetric.onnx"), "x");
    let cases = [
        (&digits, ["stem/MaxPool", "residual_1/Conv", "head/GlobalAveragePool"]),
        (&digits, ["stem/Conv", "residual_2/Conv", "head/Gemm"]),
        (&quantized, ["depth1", "project1", "fc"]),
        (&quantized, ["stem", "add0", "pool"]),
    ];
    for ((model, input), nodes) in cases {
        let folder = tempfile::tempdir().unwrap();
        let on_cpu = nodes.map(|node| format!("'{node}': {{'ON': 'CPU'}}")).join(", ");
        let text = format!(
            "model_parameters:\n  onnx_model: '{}'\n  march: 'nash-e'\n  output_model_file_prefix: 'net'\n  working_dir: '{}'\n  \
             node_info: {{{on_cpu}}}\ninput_parameters:\n  input_name: '{input}'\n  input_type_rt: 'featuremap'\n  \
             input_type_train: 'featuremap'\n  input_layout_train: 'NCHW'\n  norm_type: 'no_preprocess'\n\
             calibration_parameters:\n  calibration_type: 'skip'\n",
            model.display(),
            folder.path().display(),
        );
        let file = folder.path().join("config.yaml");
        std::fs::write(&file, text).unwrap();
        let configuration = Configuration::read(&file, &Environment::of_this_machine()).unwrap();
        let console = Console::new(Verbosity::Quiet);
        compile(&configuration, &Stages::all(&console)).unwrap();
        let networks = segments(&Hbm::open(&folder.path().join("net.hbm")).unwrap());
        assert!(networks.len() >= 2, "{nodes:?}: {} segments on the CPU", networks.len());
        let failures = compare(&networks, &emulate(folder.path(), &networks));
        assert!(failures.is_empty(), "{nodes:?}: {}", failures.join("\n"));
    }
}

/// The segments on the CPU of a `.hbm`, each with its object and what the host makes of its IR.
fn segments(hbm: &Hbm) -> Vec<Compiled> {
    let mut networks = Vec::new();
    for segment in &hbm.manifest().segments {
        let SegmentBody::Cpu(body) = &segment.body else { continue };
        let context = hb_dialects::context();
        let module = mlir::parse(&context, hbm.section(body.ir_section), &segment.name).unwrap();
        let function = ir::function_named(module.as_operation(), &body.entry).unwrap();
        let executable = FloatExecutable::compile(function, ExecutableOptions::default()).unwrap();
        let inputs =
            hb::quant::calibrate::random_inputs(&executable, 7, hb::quant::calibrate::Draw::default()).unwrap();
        let outputs = executable.run_stored(&inputs.iter().collect::<Vec<_>>(), &mut |_, _| {}).unwrap();
        let object = hbm.section(body.object_section.expect("code for the board")).to_vec();
        networks.push(Compiled { case: segment.name.clone(), symbol: body.entry.clone(), object, inputs, outputs });
    }
    networks
}
