//! From a file to something that runs, by its extension.

use std::path::{Path, PathBuf};

use super::executor::{ExecutionError, Meaning, ModelExecutor};
use super::network::{JitLoader, Network, open_mlir};
use super::perf::{Performance, performance};
use super::runner::{Runner, RunnerError, timelines};
use crate::frontend::ModelFiles;
use crate::hbm::{Hbm, HbmError, target_digest};
use crate::target::{Target, TargetError};

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum OpenError {
    #[error(transparent)]
    Hbm(#[from] HbmError),
    #[error("{path}: {source}")]
    Runner { path: PathBuf, source: RunnerError },
    #[error("{path}: {source}")]
    Target { path: PathBuf, source: TargetError },
    #[error("{path}: {source}")]
    Network { path: PathBuf, source: ExecutionError },
    #[error(
        "{path}: cannot tell what kind of model it is; the extension must be .hbm, .onnx, .caffemodel, .mlir or .bc"
    )]
    UnknownKind { path: PathBuf },
    #[error(
        "{path}: performance is predicted for compiled models only; compile it with hb_compile, then give the .hbm"
    )]
    NotCompiled { path: PathBuf },
    #[error(
        "--check-races needs a .hbm or a network of the nash level: {path} has no programs whose engines could race"
    )]
    NoRaces { path: PathBuf },
    #[error("--proto belongs to a .caffemodel; {path} needs none, so leave it out")]
    NoProto { path: PathBuf },
    #[error("{path}: there is no such file")]
    Absent { path: PathBuf },
    #[error("{path}: a .caffemodel holds the weights only; give the network's description with --proto FILE")]
    ProtoMissing { path: PathBuf },
}

/// How a model is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenOptions<'a> {
    /// The description that belongs to a `.caffemodel`.
    pub proto: Option<&'a Path>,
    /// What runs shall tell.
    pub detail: Detail,
}

/// What the runs of a model tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Detail {
    /// The outputs.
    #[default]
    Outputs,
    /// What inner layers compute, too ([`ModelExecutor::run_observed`]). A `.hbm` keeps no more than its outputs.
    Layers,
    /// Whether programs have races: they run instruction by instruction with every access checked, slowly.
    Races,
}

/// A model that is ready to run.
pub struct OpenModel {
    /// Runs it.
    pub executor: Box<dyn ModelExecutor>,
    /// `hbm`, `onnx`, ...
    pub kind: &'static str,
    /// The architecture it is compiled for; none for a network that is not.
    pub march: Option<String>,
    /// What its outputs and layers mean.
    pub meaning: Meaning,
}

fn kind(path: &Path) -> Result<&'static str, OpenError> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let known = ["hbm", "onnx", "caffemodel", "mlir", "bc"];
    known
        .into_iter()
        .find(|kind| extension.as_deref() == Some(*kind))
        .ok_or_else(|| OpenError::UnknownKind { path: path.to_owned() })
}

/// Loads the model at `path`.
pub fn open(path: &Path, options: &OpenOptions<'_>) -> Result<OpenModel, OpenError> {
    let path_of_error = || path.to_owned();
    let kind = kind(path)?;
    if !matches!(kind, "hbm" | "mlir" | "bc") && options.detail == Detail::Races {
        return Err(OpenError::NoRaces { path: path_of_error() });
    }
    if kind != "caffemodel" && options.proto.is_some() {
        return Err(OpenError::NoProto { path: path_of_error() });
    }
    let absent = [Some(path), options.proto].into_iter().flatten().find(|path| !path.exists());
    if let Some(absent) = absent.filter(|_| kind != "caffemodel" || options.proto.is_some()) {
        return Err(OpenError::Absent { path: absent.to_owned() });
    }
    match kind {
        "hbm" => {
            let hbm = Hbm::open(path)?;
            let runner = Runner::new(&hbm, &JitLoader, options.detail == Detail::Races)
                .map_err(|source| OpenError::Runner { path: path_of_error(), source })?;
            let march = Some(hbm.manifest().march.clone());
            Ok(OpenModel { executor: Box::new(runner), kind, march, meaning: Meaning::of_manifest(hbm.manifest()) })
        }
        "caffemodel" if options.proto.is_none() => Err(OpenError::ProtoMissing { path: path_of_error() }),
        "onnx" | "caffemodel" => {
            let files = ModelFiles { model: path.to_owned(), proto: options.proto.map(Path::to_owned) };
            let (executor, meaning) = network(path, Network::from_files(&files, options.detail))?;
            Ok(OpenModel { executor: Box::new(executor), kind, march: None, meaning })
        }
        "mlir" | "bc" => {
            let model = network(path, open_mlir(path, kind, options.detail))?;
            if options.detail == Detail::Races && model.march.is_none() {
                return Err(OpenError::NoRaces { path: path_of_error() });
            }
            Ok(model)
        }
        _ => Err(OpenError::UnknownKind { path: path_of_error() }),
    }
}

fn network<T>(path: &Path, opened: Result<T, ExecutionError>) -> Result<T, OpenError> {
    opened.map_err(|source| OpenError::Network { path: path.to_owned(), source })
}

/// With which numbers a model is timed.
#[derive(Debug, Clone, Default)]
pub struct PredictOptions {
    /// A built-in target in place of the one that the model was compiled for.
    pub target: Option<String>,
    /// Numbers of the target that are replaced, as [`Target::with_overrides`] takes them.
    pub overrides: Vec<(String, String)>,
}

/// What a compiled model costs, from its schedule alone.
///
/// # Errors
/// When the file is not a valid `.hbm`, the target or a number of it is unknown, or the program does not fit what was put in place.
pub fn predict(path: &Path, options: &PredictOptions) -> Result<Performance, OpenError> {
    if kind(path)? != "hbm" {
        return Err(OpenError::NotCompiled { path: path.to_owned() });
    }
    let hbm = Hbm::open(path)?;
    let march = &hbm.manifest().march;
    let overrides: Vec<(&str, &str)> =
        options.overrides.iter().map(|(field, value)| (field.as_str(), value.as_str())).collect();
    let target = Target::named_with_overrides(options.target.as_ref().unwrap_or(march), &overrides)
        .map_err(|source| OpenError::Target { path: path.to_owned(), source })?;
    let timelines = timelines(&hbm, &target).map_err(|source| OpenError::Runner { path: path.to_owned(), source })?;
    let mut performance = performance(&hbm, &target, &timelines);
    if target.name != *march {
        let note = format!("the model was compiled for {march}; it is timed with the numbers of {}", target.name);
        performance.summary.notes.push(note);
    } else if overrides.is_empty() && hbm.manifest().target_digest != target_digest(&target) {
        let note = format!("the model was compiled with other numbers for {march} than this program has");
        performance.summary.notes.push(note);
    }
    for (field, value) in overrides {
        performance.summary.notes.push(format!("{field} is set to {value}"));
    }
    Ok(performance)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(path: &str, options: &OpenOptions<'_>) -> String {
        open(Path::new(path), options).err().unwrap().to_string()
    }

    #[test]
    fn kinds_and_options_that_do_not_belong_together() {
        let plain = OpenOptions::default();
        let races = OpenOptions { detail: Detail::Races, ..plain };
        let proto = OpenOptions { proto: Some(Path::new("n.prototxt")), ..plain };
        assert!(message("model", &plain).contains("extension"));
        assert!(message("model.txt", &plain).contains("extension"));
        assert!(message("model.ONNX", &races).contains("--check-races"));
        assert!(message("model.onnx", &proto).contains("--proto"));
        assert!(message("model.caffemodel", &plain).contains("--proto FILE"));
        assert!(message("/no/such.hbm", &plain).contains("/no/such.hbm"));
        assert!(matches!(
            predict(Path::new("model.onnx"), &PredictOptions::default()),
            Err(OpenError::NotCompiled { .. })
        ));
    }
}
