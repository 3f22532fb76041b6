//! Calibration samples: folders of `.npy` files, one folder for each input.

use hb_dialects::ElementType;

use crate::cpu::Array;
use crate::quant::calibrate::CalibrationError;
use crate::sim::npy;
use std::path::{Path, PathBuf};

/// The samples of a network with their inputs in order.
#[derive(Debug)]
pub struct SampleFiles {
    /// For each input: its shape, and its files in sorted order.
    inputs: Vec<(Vec<usize>, Vec<PathBuf>)>,
}

/// Why folders hold no samples.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum SamplesError {
    #[error("{}: {source}", folder.display())]
    Folder { folder: PathBuf, source: std::io::Error },
    #[error("{}: there are no .npy files in it", folder.display())]
    Empty { folder: PathBuf },
    #[error("{}: has {count} .npy files, but {} has {expected}; every input needs the same number", folder.display(), first.display())]
    Count { folder: PathBuf, count: usize, first: PathBuf, expected: usize },
}

impl SampleFiles {
    /// Lists the files of each input's folder.
    ///
    /// # Errors
    /// When a folder cannot be read, is empty, or they hold different numbers of files.
    pub fn open(folders: &[(PathBuf, Vec<usize>)]) -> Result<Self, SamplesError> {
        let mut inputs: Vec<(Vec<usize>, Vec<PathBuf>)> = Vec::new();
        for (folder, shape) in folders {
            let files = files(folder)?;
            if let (Some((_, others)), Some((first, _))) = (inputs.first(), folders.first())
                && others.len() != files.len()
            {
                let (folder, first) = (folder.clone(), first.clone());
                return Err(SamplesError::Count { folder, count: files.len(), first, expected: others.len() });
            }
            inputs.push((shape.clone(), files));
        }
        Ok(Self { inputs })
    }

    /// How many samples. A network without inputs has one, in which there is nothing.
    pub fn len(&self) -> usize {
        self.inputs.first().map_or(1, |(_, files)| files.len())
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The inputs of sample `index`, with their element types.
    ///
    /// # Errors
    /// When a file cannot be read, its array has another shape than the input (a missing leading 1 is added), or a value of it is
    /// none of the input's element type.
    pub fn read(
        &self,
        index: usize,
        elements: impl Iterator<Item = ElementType>,
    ) -> Result<Vec<Array>, CalibrationError> {
        let inputs = self.inputs.iter().zip(elements);
        inputs.map(|((shape, files), element)| read(files.get(index), shape, element)).collect()
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, SamplesError> {
    let failed = |source| SamplesError::Folder { folder: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "npy") {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(SamplesError::Empty { folder: folder.to_owned() });
    }
    files.sort();
    Ok(files)
}

fn read(file: Option<&PathBuf>, shape: &[usize], element: ElementType) -> Result<Array, CalibrationError> {
    let failed = |reason: String| CalibrationError::Sample {
        sample: file.map(|file| file.display().to_string()).unwrap_or_default(),
        reason,
    };
    let file = file.ok_or_else(|| failed("there is no such sample".into()))?;
    let array = npy::read(file).map_err(|error| failed(error.to_string()))?;
    let array = array.convert(element).map_err(|error| failed(error.to_string()))?;
    let fits = array.shape() == shape || (shape.first() == Some(&1) && shape.get(1..) == Some(array.shape()));
    if !fits {
        return Err(failed(format!("its shape is {:?}, but the input takes {shape:?}", array.shape())));
    }
    Ok(array.reshaped(shape)?)
}
