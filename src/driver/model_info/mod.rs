//! `hb_model_info`: what a model is, compiled or not.

mod network;
mod removable;

use super::provenance;
use crate::files::{FileError, print};
use crate::frontend::mlir::{self, MlirFileError};
use crate::frontend::{ModelFiles, ModelSource, SourceError, caffe};
use crate::hbm::information::{parameter_table, parameters_json, table, to_json, to_text};
use crate::hbm::{Hbm, HbmError};
use clap::Parser;
use network::NetworkInformation;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const EXPLANATION: &str = "\
Examples:
  What a compiled model takes and gives, and how it was made:
      hb_model_info model_output/mobilenet.hbm

  The parameters that it was compiled with, for a program:
      hb_model_info model_output/mobilenet.hbm --json | jq .parameters

  What could be removed from the ends of a network (remove_node_type, remove_node_name):
      hb_model_info mobilenet.onnx

A .hbm is verified completely first; a broken file is an error that names the broken rule (docs/hbm-format.md).
Exit status: 0 done; 1 the file is at fault; 2 wrong usage.";

/// Shows what a model is: inputs and outputs, the parameters it was compiled with, memory, what can be removed from its ends.
#[derive(Parser)]
#[command(name = "hb_model_info", version, after_help = EXPLANATION)]
struct Arguments {
    /// A compiled .hbm, a stored model (.bc, .mlir), an ONNX network (.onnx), or a Caffe network (.caffemodel with --proto, or the
    /// .prototxt alone)
    model: PathBuf,
    /// The prototxt that belongs to a .caffemodel
    #[arg(short, long, value_name = "FILE")]
    proto: Option<PathBuf>,
    /// Print JSON with every field instead of tables
    #[arg(long)]
    json: bool,
    /// List the layers too (JSON always does)
    #[arg(long)]
    layers: bool,
}

#[derive(Debug, thiserror::Error)]
enum InformationError {
    #[error(transparent)]
    Output(#[from] FileError),
    #[error(transparent)]
    Hbm(#[from] HbmError),
    #[error("{path}: {source}")]
    Source { path: PathBuf, source: Box<SourceError> },
    #[error(transparent)]
    Mlir(#[from] MlirFileError),
    #[error("{path}: {reason}")]
    Network { path: PathBuf, reason: String },
    #[error("{path}: it holds the weights only; give the network's structure with --proto FILE")]
    ProtoMissing { path: PathBuf },
    #[error("--proto belongs to a .caffemodel; {path} needs none, so leave it out")]
    NoProto { path: PathBuf },
    #[error(
        "{path}: cannot tell what kind of model it is; the extension must be .hbm, .bc, .mlir, .onnx, .caffemodel or .prototxt"
    )]
    UnknownKind { path: PathBuf },
}

/// The command `hb_model_info` with the arguments of a process, the program's name first.
pub fn command(arguments: impl Iterator<Item = std::ffi::OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match information(&arguments).and_then(|text| Ok(print(&text)?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hb_model_info: {error}");
            ExitCode::from(1)
        }
    }
}

fn information(arguments: &Arguments) -> Result<String, InformationError> {
    let path = arguments.model.as_path();
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    if arguments.proto.is_some() && extension.as_deref() != Some("caffemodel") {
        return Err(InformationError::NoProto { path: path.to_owned() });
    }
    let network = match extension.as_deref() {
        Some("hbm") => {
            let hbm = Hbm::open(path)?;
            return Ok(match arguments.json {
                true => shown(&to_json(&hbm)),
                false => to_text(&hbm, arguments.layers),
            });
        }
        Some("caffemodel") if arguments.proto.is_none() => {
            return Err(InformationError::ProtoMissing { path: path.to_owned() });
        }
        Some("onnx" | "caffemodel" | "prototxt") => {
            let failed = |source| InformationError::Source { path: path.to_owned(), source: Box::new(source) };
            of_files(path, arguments.proto.as_deref()).map_err(failed)?
        }
        Some("bc" | "mlir") => {
            let context = crate::pipeline::context();
            let module = mlir::read(&context, path)?;
            let failed = |reason| InformationError::Network { path: path.to_owned(), reason };
            let mut network = NetworkInformation::of_module(module.as_operation()).map_err(failed)?;
            network.parameters = provenance::parameters(module.as_operation());
            network
        }
        _ => return Err(InformationError::UnknownKind { path: path.to_owned() }),
    };
    let bytes = std::fs::metadata(path).map(|metadata| metadata.len()).ok();
    Ok(match arguments.json {
        true => shown(&network_json(&network, path, bytes)),
        false => network_text(&network, path, bytes, arguments.layers),
    })
}

/// Of an ONNX or Caffe network. A prototxt alone has the structure, and weights of zeros.
fn of_files(path: &Path, proto: Option<&Path>) -> Result<NetworkInformation, SourceError> {
    let is_structure = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("prototxt"));
    let source = if is_structure {
        ModelSource::Caffe(Box::new(caffe::load(path, None)?))
    } else {
        ModelSource::load(&ModelFiles { model: path.to_owned(), proto: proto.map(Path::to_owned) })?
    };
    let network = NetworkInformation::of_model(&*source.model()?);
    Ok(match source {
        ModelSource::Onnx(_) => network,
        ModelSource::Caffe(_) => NetworkInformation { kind: "caffe", versions: Vec::new(), ..network },
    })
}

fn shown(value: &Value) -> String {
    format!("{value:#}\n")
}

fn network_json(network: &NetworkInformation, path: &Path, bytes: Option<u64>) -> Value {
    let tensors = |tensors: &[network::PortInformation]| -> Vec<Value> {
        let one = |tensor: &network::PortInformation| {
            json!({
                "name": tensor.name,
                "shape": tensor.shape,
                "element_type": tensor.element,
                "scales": tensor.scales,
                "zero_point": tensor.zero_point,
            })
        };
        tensors.iter().map(one).collect()
    };
    let nodes = network.nodes.iter().map(|node| json!({ "name": node.name, "operator": node.operator, "on": node.on }));
    json!({
        "kind": network.kind,
        "path": path.display().to_string(),
        "file_bytes": bytes,
        "model_name": network.name,
        "versions": network.versions.iter().map(|(name, version)| (name.clone(), version.clone().into()))
            .collect::<serde_json::Map<String, Value>>(),
        "parameters": parameters_json(&network.parameters),
        "inputs": tensors(&network.inputs),
        "outputs": tensors(&network.outputs),
        "constant_bytes": network.constant_bytes,
        "operators": network.operators(),
        "layers": nodes.collect::<Vec<_>>(),
        "removable_nodes": network.removable.iter()
            .map(|(name, kind)| json!({ "name": name, "type": kind })).collect::<Vec<_>>(),
    })
}

fn network_text(network: &NetworkInformation, path: &Path, bytes: Option<u64>, with_layers: bool) -> String {
    let mut text = format!("model      {} ({})\n", path.display(), network.kind);
    if !network.name.is_empty() {
        text += &format!("name       {}\n", network.name);
    }
    if let Some(bytes) = bytes {
        text += &format!("file       {bytes} bytes\n");
    }
    text += &format!("constants  {} bytes\n", network.constant_bytes);
    for (name, version) in &network.versions {
        text += &format!("{name:<10} {version}\n");
    }
    let rows: Vec<Vec<String>> = [("input", &network.inputs), ("output", &network.outputs)]
        .into_iter()
        .flat_map(|(direction, tensors)| tensors.iter().map(move |tensor| (direction, tensor)))
        .map(|(direction, tensor)| {
            vec![
                tensor.name.clone(),
                direction.into(),
                tensor.shape_text(),
                tensor.element.clone(),
                tensor.scale_text(),
            ]
        })
        .collect();
    table(&mut text, "Inputs and outputs", &["NAME", "TYPE", "SHAPE", "DATA_TYPE", "SCALE"], &rows);
    let rows: Vec<Vec<String>> =
        network.operators().into_iter().map(|(operator, count)| vec![operator, count.to_string()]).collect();
    table(&mut text, "Operators", &["OPERATOR", "NODES"], &rows);
    if with_layers {
        let rows: Vec<Vec<String>> = network
            .nodes
            .iter()
            .map(|node| vec![node.name.clone(), node.operator.clone(), node.on.unwrap_or("-").into()])
            .collect();
        table(&mut text, "Layers", &["NAME", "OPERATOR", "ON"], &rows);
    }
    let rows: Vec<Vec<String>> =
        network.removable.iter().map(|(name, kind)| vec![name.clone(), (*kind).into()]).collect();
    table(&mut text, "Removable nodes", &["NAME", "TYPE"], &rows);
    if !network.parameters.is_empty() {
        parameter_table(&mut text, &network.parameters);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_statuses() {
        let run = |arguments: &[&str]| {
            let arguments = std::iter::once("hb_model_info").chain(arguments.iter().copied());
            command(arguments.map(Into::into))
        };
        assert_eq!(run(&["--help"]), ExitCode::SUCCESS);
        assert_eq!(run(&["--no-such-option"]), ExitCode::from(2));
        assert_eq!(run(&[]), ExitCode::from(2));
        for path in ["/no/such.hbm", "/no/such.onnx", "/no/such.bc", "/no/such.caffemodel", "/no/such"] {
            assert_eq!(run(&[path]), ExitCode::from(1), "{path}");
        }
    }
}
