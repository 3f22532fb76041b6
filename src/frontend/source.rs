//! A network as its files hold it, of whichever framework.

use super::caffe::{self, CaffeError};
use super::onnx::model::Model;
use super::onnx::{self, ImportOptions, OnnxError};
use melior::Context;
use melior::ir::Module;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// The files of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// The ONNX model, or the weights of a Caffe network.
    pub model: PathBuf,
    /// The structure of a Caffe network.
    pub proto: Option<PathBuf>,
}

impl ModelFiles {
    /// Both that there are.
    pub fn paths(&self) -> Vec<&Path> {
        [self.model.as_path()].into_iter().chain(self.proto.as_deref()).collect()
    }
}

/// A network that is read and not yet built.
#[derive(Debug, Clone)]
pub enum ModelSource {
    /// Of an ONNX file.
    Onnx(Box<Model>),
    /// Of a prototxt and a `.caffemodel`.
    Caffe(Box<caffe::CaffeNetwork>),
}

/// Files that are no network, or one that cannot be built.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum SourceError {
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    #[error(transparent)]
    Caffe(#[from] CaffeError),
    #[error("{}: an ONNX model holds its structure itself; leave out --proto (prototxt), or give the .caffemodel that belongs to it", .0.display())]
    OnnxWithProto(PathBuf),
}

impl ModelSource {
    /// Reads the files: those of Caffe when there is a prototxt, else ONNX.
    ///
    /// # Errors
    /// When they are none, or do not belong together.
    pub fn load(files: &ModelFiles) -> Result<Self, SourceError> {
        let is_onnx = files.model.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"));
        if is_onnx && files.proto.is_some() {
            return Err(SourceError::OnnxWithProto(files.model.clone()));
        }
        Ok(match &files.proto {
            Some(proto) => Self::Caffe(Box::new(caffe::load(proto, Some(&files.model))?)),
            None => Self::Onnx(Box::new(onnx::load(&files.model)?)),
        })
    }

    /// The network with the shapes that its files say.
    ///
    /// # Errors
    /// What of a Caffe network cannot be built.
    pub fn model(&self) -> Result<Cow<'_, Model>, SourceError> {
        Ok(match self {
            Self::Onnx(model) => Cow::Borrowed(model),
            Self::Caffe(network) => Cow::Owned(network.model(&caffe::InputShapes::new())?),
        })
    }

    /// The network with operators on integers in the form that a compiler for integers wants; see [`onnx::integer_operators`].
    #[must_use]
    pub fn for_compilation(mut self) -> Self {
        if let Self::Onnx(model) = &mut self {
            onnx::integer_operators::in_reals(model);
        }
        self
    }

    /// Builds it; see [`onnx::import`].
    pub fn import<'c>(self, context: &'c Context, options: &ImportOptions) -> Result<Module<'c>, SourceError> {
        let model = match self {
            Self::Onnx(model) => *model,
            // What a layer becomes depends on its shapes.
            Self::Caffe(network) => network.model(&options.input_shapes)?,
        };
        Ok(onnx::import(context, model, options)?)
    }
}
