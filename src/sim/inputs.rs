//! `NAME=FILE_OR_DIR` arguments: which file goes into which input of which sample.

use std::path::{Path, PathBuf};

use super::executor::TensorSpecification;
use super::npy::{self, NpyError};
use crate::cpu::{Array, ConversionError, convert};
use crate::files::file_names;
use hb_dialects::ElementType;

/// Why the inputs cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum InputError {
    #[error("--input {argument}: the model has {} inputs, so say which: NAME={argument} with NAME one of {names}", .count)]
    NameMissing { argument: String, count: usize, names: String },
    #[error("--input {argument}: the model has no input {name:?}; its inputs are {names}")]
    UnknownName { argument: String, name: String, names: String },
    #[error("--input gives {name:?} twice")]
    Twice { name: String },
    #[error("no --input for {missing}; the model's inputs are {names}")]
    Missing { missing: String, names: String },
    #[error("input {name:?}: cannot read the folder {folder}: {source}")]
    Folder { name: String, folder: PathBuf, source: std::io::Error },
    #[error("input {name:?}: the folder {folder} holds no .npy file")]
    Empty { name: String, folder: PathBuf },
    #[error(
        "the folders hold different numbers of .npy files: {first:?} has {first_count}, {second:?} {second_count}; \
         they are paired in sorted order, so there must be equally many"
    )]
    Counts { first: String, first_count: usize, second: String, second_count: usize },
    #[error("input {name:?}: {source}")]
    Npy { name: String, source: NpyError },
    #[error("input {name:?}: {path} has shape {found:?}, the model takes {expected}")]
    Shape { name: String, path: PathBuf, found: Vec<usize>, expected: String },
    #[error("input {name:?}: {path} holds {found}, the model takes {expected}, and {source}")]
    Type { name: String, path: PathBuf, found: ElementType, expected: ElementType, source: ConversionError },
}

/// The files of one input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputSource {
    /// The same file for every sample.
    File(PathBuf),
    /// One file per sample, sorted by name.
    Folder {
        /// The folder itself.
        folder: PathBuf,
        /// Its `.npy` files; at least one.
        files: Vec<PathBuf>,
    },
}

impl InputSource {
    /// The file or folder, as given.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Folder { folder: path, .. } => path,
        }
    }

    /// The file of sample `index`.
    fn file(&self, index: usize) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Folder { files, .. } => files.get(index).map(PathBuf::as_path),
        }
    }
}

/// The inputs of a run, in the order of the model's inputs.
#[derive(Debug)]
pub struct Inputs<'a> {
    specifications: &'a [TensorSpecification],
    /// In the order of the model's inputs.
    pub sources: Vec<InputSource>,
    /// How many runs the files make: at least 1.
    pub samples: usize,
    /// Whether a folder was given: results then get a first axis over the samples, even when the folder holds one file.
    pub stacked: bool,
}

impl<'a> Inputs<'a> {
    /// Finds the files of every input from arguments of the form `NAME=PATH`, or `PATH` where the model has one input.
    pub fn bind(specifications: &'a [TensorSpecification], arguments: &[String]) -> Result<Self, InputError> {
        let mut sources: Vec<Option<InputSource>> = vec![None; specifications.len()];
        for argument in arguments {
            let (index, path) = split(specifications, argument)?;
            let (Some(slot), Some(specification)) = (sources.get_mut(index), specifications.get(index)) else {
                continue;
            };
            if slot.replace(source(&specification.name, path)?).is_some() {
                return Err(InputError::Twice { name: specification.name.clone() });
            }
        }
        let missing: Vec<String> = specifications
            .iter()
            .zip(&sources)
            .filter(|(_, source)| source.is_none())
            .map(|(specification, _)| format!("{:?}", specification.name))
            .collect();
        if !missing.is_empty() {
            return Err(InputError::Missing { missing: missing.join(", "), names: names(specifications) });
        }
        let sources: Vec<InputSource> = sources.into_iter().flatten().collect();
        let count = count(specifications, &sources)?;
        Ok(Self { specifications, sources, samples: count.unwrap_or(1), stacked: count.is_some() })
    }

    /// The arrays of sample `index`, of the model's types and shapes.
    pub fn load(&self, index: usize) -> Result<Vec<Array>, InputError> {
        let files = self.sources.iter().map(|source| source.file(index)).map(|file| file.unwrap_or(Path::new("")));
        self.specifications.iter().zip(files).map(|(specification, file)| load(specification, file)).collect()
    }
}

fn names(specifications: &[TensorSpecification]) -> String {
    let names: Vec<String> = specifications.iter().map(|tensor| format!("{:?}", tensor.name)).collect();
    names.join(", ")
}

/// The input that an argument is for, and its path. Names may hold `=` themselves, so the model's names decide where the path begins. They also match as names of files,
/// as outputs are stored.
pub fn split<'a>(specifications: &[TensorSpecification], argument: &'a str) -> Result<(usize, &'a str), InputError> {
    let path = |name: &str| argument.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
    let longest = |names: &[&str]| {
        let found = names.iter().enumerate().filter_map(|(index, name)| Some((name.len(), index, path(name)?)));
        found
            .max_by_key(|(length, index, _)| (*length, std::cmp::Reverse(*index)))
            .map(|(_, index, path)| (index, path))
    };
    let inputs: Vec<&str> = specifications.iter().map(|tensor| tensor.name.as_str()).collect();
    let files = file_names(inputs.iter().copied());
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    if let Some(found) = longest(&inputs).or_else(|| longest(&files)) {
        return Ok(found);
    }
    match argument.split_once('=') {
        Some((name, _)) if !Path::new(argument).exists() => Err(InputError::UnknownName {
            argument: argument.to_owned(),
            name: name.to_owned(),
            names: names(specifications),
        }),
        _ if specifications.len() == 1 => Ok((0, argument)),
        _ => Err(InputError::NameMissing {
            argument: argument.to_owned(),
            count: specifications.len(),
            names: names(specifications),
        }),
    }
}

fn source(name: &str, path: &str) -> Result<InputSource, InputError> {
    let folder = PathBuf::from(path);
    if !folder.is_dir() {
        return Ok(InputSource::File(folder));
    }
    let failed = |source| InputError::Folder { name: name.to_owned(), folder: folder.clone(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_some_and(|extension| extension == "npy") {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(InputError::Empty { name: name.to_owned(), folder });
    }
    files.sort();
    Ok(InputSource::Folder { folder, files })
}

/// Number of samples of the folders; `None` without a folder.
fn count(specifications: &[TensorSpecification], sources: &[InputSource]) -> Result<Option<usize>, InputError> {
    let mut first: Option<(&str, usize)> = None;
    for (specification, source) in specifications.iter().zip(sources) {
        let InputSource::Folder { files, .. } = source else {
            continue;
        };
        match first {
            None => first = Some((&specification.name, files.len())),
            Some((_, count)) if count == files.len() => {}
            Some((name, count)) => {
                return Err(InputError::Counts {
                    first: name.to_owned(),
                    first_count: count,
                    second: specification.name.clone(),
                    second_count: files.len(),
                });
            }
        }
    }
    Ok(first.map(|(_, count)| count))
}

/// Bytes of one channel are the same in NCHW, in NHWC and without channels: the array then gets the shape of the input.
fn as_image(specification: &TensorSpecification, array: Array) -> Array {
    let dims: Option<Vec<usize>> = specification.dims.iter().copied().collect();
    let Some(dims) = dims.filter(|dims| dims.last() == Some(&1) && specification.element_type == ElementType::U8)
    else {
        return array;
    };
    let sizes = |dims: &[usize]| dims.iter().copied().filter(|size| *size != 1).collect::<Vec<_>>();
    if sizes(&dims) != sizes(array.shape()) {
        return array;
    }
    Array::from_bytes(array.element(), &dims, array.as_bytes()).unwrap_or(array)
}

fn load(specification: &TensorSpecification, path: &Path) -> Result<Array, InputError> {
    let name = || specification.name.clone();
    let array = npy::read(path).map_err(|source| InputError::Npy { name: name(), source })?;
    let array = as_image(specification, array);
    if !specification.accepts(array.shape()) {
        let expected = specification.shape();
        return Err(InputError::Shape { name: name(), path: path.to_owned(), found: array.shape().to_vec(), expected });
    }
    let found = array.element();
    let expected = specification.element_type;
    convert(array, expected).map_err(|source| InputError::Type {
        name: name(),
        path: path.to_owned(),
        found,
        expected,
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specifications(names: &[&str]) -> Vec<TensorSpecification> {
        let dims = vec![Some(2), None];
        names
            .iter()
            .map(|name| TensorSpecification {
                name: (*name).into(),
                element_type: ElementType::F32,
                dims: dims.clone(),
            })
            .collect()
    }

    fn bind(names: &[&str], arguments: &[&str]) -> Result<(Vec<InputSource>, usize, bool), InputError> {
        let specifications = specifications(names);
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).into()).collect();
        Inputs::bind(&specifications, &arguments).map(|inputs| (inputs.sources, inputs.samples, inputs.stacked))
    }

    fn file(path: &str) -> InputSource {
        InputSource::File(path.into())
    }

    #[test]
    fn names_decide() {
        let (sources, samples, stacked) = bind(&["a", "a=b"], &["a=b=y.npy", "a=x=1.npy"]).unwrap();
        assert_eq!(sources, [file("x=1.npy"), file("y.npy")]);
        assert_eq!((samples, stacked), (1, false));
        assert_eq!(bind(&["in/0"], &["in_0=x.npy"]).unwrap().0, [file("x.npy")]);
        assert_eq!(bind(&["data"], &["x.npy"]).unwrap().0, [file("x.npy")]);
        assert!(matches!(bind(&["a", "b"], &["x.npy"]), Err(InputError::NameMissing { .. })));
        assert!(matches!(bind(&["a"], &["c=x.npy"]), Err(InputError::UnknownName { .. })));
        assert!(matches!(bind(&["a"], &["a=x.npy", "y.npy"]), Err(InputError::Twice { .. })));
        let message = bind(&["a", "b"], &["b=x.npy"]).unwrap_err().to_string();
        assert!(message.contains("no --input for \"a\""), "{message}");
    }

    #[test]
    fn folders_are_sorted_and_paired() {
        let root = tempfile::tempdir().unwrap();
        let array = |value: f32| Array::from_values(&[2, 1], &[value, value]).unwrap();
        for (folder, files) in [("a", ["0.npy", "10.npy", "9.npy"].as_slice()), ("b", &["0.npy"]), ("empty", &[])] {
            let folder = root.path().join(folder);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("notes.txt"), b"ignored").unwrap();
            for (index, file) in files.iter().enumerate() {
                std::fs::write(folder.join(file), npy::encode(&array(index as f32)).unwrap()).unwrap();
            }
        }
        let path = |name: &str| root.path().join(name).display().to_string();
        let specifications = specifications(&["x", "y"]);
        let arguments = [format!("x={}", path("a")), format!("y={}", path("b/0.npy"))];
        let inputs = Inputs::bind(&specifications, &arguments).unwrap();
        assert_eq!((inputs.samples, inputs.stacked), (3, true));
        assert_eq!(inputs.load(2).unwrap(), [array(2.0), array(0.0)]);
        let counts = [format!("x={}", path("a")), format!("y={}", path("b"))];
        assert!(matches!(Inputs::bind(&specifications, &counts), Err(InputError::Counts { .. })));
        let empty = [format!("x={}", path("empty")), format!("y={}", path("b"))];
        assert!(matches!(Inputs::bind(&specifications, &empty), Err(InputError::Empty { .. })));
    }

    #[test]
    fn wrong_shapes_types_and_missing_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let specifications = specifications(&["x"]);
        let load = |array: &Array| {
            std::fs::write(&path, npy::encode(array).unwrap()).unwrap();
            Inputs::bind(&specifications, &[path.display().to_string()]).unwrap().load(0)
        };
        let doubles = |values: [f64; 2], dims: &[usize]| Array::from_values(dims, &values).unwrap();
        assert_eq!(load(&doubles([1.0, 0.5], &[2, 1])).unwrap()[0].element(), ElementType::F32);
        let message = load(&doubles([1.0, 0.1], &[2, 1])).unwrap_err().to_string();
        assert!(message.contains("float64") && message.contains("element 1 is 0.1"), "{message}");
        let message = load(&doubles([1.0, 0.5], &[1, 2])).unwrap_err().to_string();
        assert!(message.contains("[1, 2]") && message.contains("2x?"), "{message}");
        std::fs::remove_file(&path).unwrap();
        let inputs = Inputs::bind(&specifications, &[path.display().to_string()]).unwrap();
        assert!(inputs.load(0).unwrap_err().to_string().contains("x.npy"));
    }
}
