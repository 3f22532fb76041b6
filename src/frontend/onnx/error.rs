//! What can be wrong with an ONNX model.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::reading::unread;
use crate::wording::quoted;

/// An ONNX file that cannot be read, understood, converted or written. Messages name the node or tensor, the reason, and,
/// where there is one, the remedy.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum OnnxError {
    #[error("{}", unread(path, source))]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Write(#[from] crate::files::FileError),
    #[error("{} has {size} bytes, an ONNX file has at most {limit}; keep weights in external data files", path.display())]
    FileTooLarge { path: PathBuf, size: u64, limit: u64 },
    #[error("the file is not an ONNX model: {reason}")]
    Malformed { reason: String },
    /// A rule of the model as a whole: versions, missing graph.
    #[error("{reason}")]
    Model { reason: String },
    /// A rule of the graph: names, edges, cycles.
    #[error("graph {graph:?}: {reason}")]
    Graph { graph: String, reason: String },
    #[error("node {} ({operator}): {reason}", quoted(.node))]
    Node { node: String, operator: String, reason: String },
    #[error("tensor {tensor:?}: {reason}")]
    Tensor { tensor: String, reason: String },
    /// An input shape that was asked for, or is missing.
    #[error("input {input:?}: {reason}")]
    Input { input: String, reason: String },
    /// IR that cannot be built or read.
    #[error(transparent)]
    Ir(#[from] hb_dialects::ir::IrError),
    #[error("{}", list(.0))]
    UnsupportedOperators(Vec<UnsupportedOperator>),
    /// Each is of its own; what only follows from another is left out.
    #[error("{}", lines(.0))]
    Several(Vec<OnnxError>),
}

/// One operator that the compiler does not have, with every node that uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedOperator {
    /// `Name` of the default domain, `domain.Name` of another.
    pub operator: String,
    /// Names of the nodes, in the order of the file.
    pub nodes: Vec<String>,
}

impl OnnxError {
    /// One error of all of `faults`.
    pub(crate) fn all(faults: Vec<Self>) -> Self {
        let parts = |fault| match fault {
            Self::Several(parts) => parts,
            fault => vec![fault],
        };
        let faults: Vec<Self> = faults.into_iter().flat_map(parts).collect();
        match <[Self; 1]>::try_from(faults) {
            Ok([only]) => only,
            Err(faults) => Self::Several(faults),
        }
    }

    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    pub(crate) fn malformed(reason: impl fmt::Display) -> Self {
        Self::Malformed { reason: reason.to_string() }
    }

    pub(crate) fn model(reason: impl fmt::Display) -> Self {
        Self::Model { reason: reason.to_string() }
    }

    pub(crate) fn graph(graph: &str, reason: impl fmt::Display) -> Self {
        Self::Graph { graph: graph.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn node(node: &super::model::Node, reason: impl fmt::Display) -> Self {
        Self::Node { node: node.name.clone(), operator: node.operator.clone(), reason: reason.to_string() }
    }

    pub(crate) fn input(input: &str, reason: impl fmt::Display) -> Self {
        Self::Input { input: input.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn tensor(tensor: &str, reason: impl fmt::Display) -> Self {
        Self::Tensor { tensor: tensor.to_owned(), reason: reason.to_string() }
    }
}

/// At most this many errors are printed; the rest is counted.
const FAULTS_SHOWN: usize = 20;

fn lines(faults: &[OnnxError]) -> String {
    let mut lines: Vec<String> = faults.iter().take(FAULTS_SHOWN).map(OnnxError::to_string).collect();
    match faults.len().saturating_sub(FAULTS_SHOWN) {
        0 => {}
        more => lines.push(format!("... and {more} more")),
    }
    lines.join("\n")
}

/// At most this many node names are printed per operator; the rest is counted.
const NODES_SHOWN: usize = 8;

fn list(operators: &[UnsupportedOperator]) -> String {
    let mut text = format!(
        "{} operator(s) of the model are not supported (docs/operators.md lists those that are):",
        operators.len()
    );
    for UnsupportedOperator { operator, nodes } in operators {
        let shown = nodes.iter().take(NODES_SHOWN).cloned().collect::<Vec<_>>().join(", ");
        let rest = nodes.len().saturating_sub(NODES_SHOWN);
        let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        text.push_str(&format!("\n  {operator}: {shown}{rest}"));
    }
    text
}
