//! Calibration samples as people have them: a folder for each input, of `.npy` files, raw binary files, or images.

use super::configuration::counted;
use super::images::{self, ImageForm};
use crate::cpu::{Array, convert};
use crate::quant::calibrate::CalibrationError;
use crate::reading;
use crate::sim::npy;
use hb_dialects::ElementType;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Endings of images.
const IMAGES: [&str; 3] = ["jpg", "jpeg", "png"];

/// Where the samples of an input come from, and what it takes.
#[derive(Debug, Clone)]
pub struct SampleInput {
    /// Its name.
    pub name: String,
    /// The folder.
    pub folder: PathBuf,
    /// Of one sample.
    pub shape: Vec<usize>,
    /// Of one sample.
    pub element: ElementType,
    /// How images become samples, where that is asked for.
    pub images: Option<ImageForm>,
}

/// The samples of a network with their inputs in order.
#[derive(Debug, Clone)]
pub struct SampleFiles {
    inputs: Vec<(SampleInput, Vec<Place>)>,
}

/// Where a sample of an input is.
#[derive(Debug, Clone)]
struct Place {
    file: PathBuf,
    part: Part,
}

/// What of a file a sample is.
#[derive(Debug, Clone)]
enum Part {
    /// The array of a `.npy` file.
    Array,
    /// These indices of the first dimension of the array of a `.npy` file.
    Rows(Range<usize>),
    /// The bytes of the file.
    Raw,
    Image,
}

/// Why folders hold no samples.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum SamplesError {
    #[error("{}: {source}", folder.display())]
    Folder { folder: PathBuf, source: std::io::Error },
    #[error("{}: there are no samples in it: no .npy, no images, no raw files{}", folder.display(), if *has_folders { "; folders in it are not entered" } else { "" })]
    Empty { folder: PathBuf, has_folders: bool },
    #[error("{}: has {count} samples, but {} has {expected}; every input needs the same number", folder.display(), first.display())]
    Count { folder: PathBuf, count: usize, first: PathBuf, expected: usize },
    #[error("{0}")]
    Npy(#[from] npy::NpyError),
    #[error("{}: its shape is {found:?}, but input '{input}' takes {shape:?}, or several of these along the first axis", file.display())]
    Shape { file: PathBuf, input: String, found: Vec<usize>, shape: Vec<usize> },
    #[error(
        "{}: has {found} bytes, but a raw sample of {element} of shape {shape:?}, as input '{input}' takes, has {expected}; save samples with numpy.save, or \
         give JPEG or PNG images", file.display()
    )]
    Raw { file: PathBuf, input: String, found: u64, element: ElementType, shape: Vec<usize>, expected: usize },
    #[error(
        "{}: holds images; say with cal_image_preprocessing how they get the size of the input, or save samples with numpy.save", folder.display()
    )]
    Images { folder: PathBuf },
}

impl SamplesError {
    /// What is to be done about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Count { .. } => "give the same number of samples for each input, in the same order",
            _ => "give a folder of samples of this input",
        }
    }
}

impl SampleFiles {
    /// Lists the samples of each input's folder: `.npy` files where there are any, else images, else raw files; other files are
    /// passed over. What was chosen is said in the log.
    ///
    /// # Errors
    /// When a folder cannot be read, holds no samples, a file does not fit, or they hold different numbers of samples.
    pub fn open(inputs: Vec<SampleInput>) -> Result<Self, SamplesError> {
        let mut opened: Vec<(SampleInput, Vec<Place>)> = Vec::new();
        for input in inputs {
            let places = places(&input)?;
            if let Some((first, others)) = opened.first()
                && others.len() != places.len()
            {
                let (folder, first) = (input.folder.clone(), first.folder.clone());
                return Err(SamplesError::Count { folder, count: places.len(), first, expected: others.len() });
            }
            opened.push((input, places));
        }
        question_pairs(&opened);
        Ok(Self { inputs: opened })
    }

    /// How many samples. A network without inputs has one, in which there is nothing.
    pub fn len(&self) -> usize {
        self.inputs.first().map_or(1, |(_, places)| places.len())
    }

    /// The files of sample `index`, in the order of the inputs, separated by tabs.
    pub fn name(&self, index: usize) -> String {
        let files = self.inputs.iter().filter_map(|(_, places)| places.get(index));
        files.map(|place| place.file.display().to_string()).collect::<Vec<_>>().join("\t")
    }

    /// The inputs of sample `index`.
    ///
    /// # Errors
    /// When a file cannot be read, its array has another shape than the input (a missing leading 1 is added), or a value of it is
    /// none of the input's element type.
    pub fn read(&self, index: usize) -> Result<Vec<Array>, CalibrationError> {
        self.inputs.iter().map(|(input, places)| read(places.get(index), input)).collect()
    }
}

fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

/// The samples of a folder, in the order of the names of files.
fn places(input: &SampleInput) -> Result<Vec<Place>, SamplesError> {
    let files = files(&input.folder)?;
    let is_image = |file: &PathBuf| IMAGES.contains(&extension(file).as_str());
    let folder = input.folder.display();
    let (arrays, others): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(|file| extension(file) == "npy");
    if !arrays.is_empty() {
        if !others.is_empty() {
            tracing::info!(
                "{folder}: {} taken as samples, {} passed over",
                counted(arrays.len(), ".npy file"),
                counted(others.len(), "other file")
            );
        }
        if input.images.is_some() {
            tracing::warn!("{folder}: cal_image_preprocessing has no effect, because the samples are .npy files");
        }
        let places = arrays.into_iter().map(|file| in_array(file, input));
        return Ok(places.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect());
    }
    let (images, raw): (Vec<PathBuf>, Vec<PathBuf>) = others.into_iter().partition(is_image);
    if !images.is_empty() {
        if input.images.is_none() {
            return Err(SamplesError::Images { folder: input.folder.clone() });
        }
        tracing::info!(
            "{folder}: {} taken as samples, {} passed over",
            counted(images.len(), "image"),
            counted(raw.len(), "other file")
        );
        return Ok(images.into_iter().map(|file| Place { file, part: Part::Image }).collect());
    }
    if raw.is_empty() {
        let entries = std::fs::read_dir(&input.folder).into_iter().flatten().flatten();
        let has_folders = entries.into_iter().any(|entry| entry.path().is_dir());
        return Err(SamplesError::Empty { folder: input.folder.clone(), has_folders });
    }
    for file in &raw {
        check_raw(file, input)?;
    }
    tracing::info!(
        "{folder}: {} read as raw {} of shape {:?}, little-endian; .npy files would say so themselves",
        counted(raw.len(), "file"),
        input.element,
        input.shape
    );
    Ok(raw.into_iter().map(|file| Place { file, part: Part::Raw }).collect())
}

/// Samples of several inputs belong together by their order: says so where the names of files do not.
fn question_pairs(inputs: &[(SampleInput, Vec<Place>)]) {
    let Some(((first, places), others)) = inputs.split_first() else { return };
    let stem =
        |place: &Place| place.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    for (other, theirs) in others.iter().filter(|(other, _)| other.folder != first.folder) {
        let apart = places.iter().zip(theirs).find(|(one, other)| natural(&stem(one)) != natural(&stem(other)));
        if let Some((one, two)) = apart {
            tracing::warn!(
                "{} and {}: samples belong together by the order of their names, so '{}' is taken with '{}'; give files that belong together the \
                 same name, if that is wrong",
                first.folder.display(),
                other.folder.display(),
                stem(one),
                stem(two)
            );
        }
    }
}

/// A part of a name, in the order in which people count: 2 comes before 10.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum NamePart {
    /// Digits without leading zeros; longer ones are larger.
    Number(usize, String),
    Text(String),
}

/// A name as people sort it: by its text, and by its numbers as such. `7` and `007` are the same.
fn natural(name: &str) -> Vec<NamePart> {
    let mut parts = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest.find(|letter: char| letter.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (part, behind) = rest.split_at(end);
        let number = part.trim_start_matches('0');
        parts.push(if digits { NamePart::Number(number.len(), number.into()) } else { NamePart::Text(part.into()) });
        rest = behind;
    }
    parts
}

/// The files of a folder in the order of their names, numbers in them counted ([`natural`]), without hidden ones.
fn files(folder: &Path) -> Result<Vec<PathBuf>, SamplesError> {
    let failed = |source| SamplesError::Folder { folder: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        // Also of a link that leads nowhere: a sample that is missing is told.
        let found = std::fs::metadata(&path).map_err(|source| SamplesError::Folder { folder: path.clone(), source })?;
        if found.is_file() {
            files.push(path);
        }
    }
    let order = |file: &PathBuf| file.file_name().map(|name| natural(&name.to_string_lossy()));
    // Of names that count as the same, such as 7 and 007, the order of their bytes.
    files.sort_by(|one, other| order(one).cmp(&order(other)).then_with(|| one.cmp(other)));
    Ok(files)
}

/// The samples of a `.npy` file: its array is one, or several along the first axis.
fn in_array(file: PathBuf, SampleInput { name, shape, .. }: &SampleInput) -> Result<Vec<Place>, SamplesError> {
    let found = npy::shape(&file)?;
    if fits(&found, shape) {
        return Ok(vec![Place { file, part: Part::Array }]);
    }
    let each = match (found.split_first(), shape.split_first()) {
        // Samples of a whole batch each, one behind the other.
        (Some((&count, inner)), Some((&batch, sizes))) if inner == sizes && batch > 0 && count % batch == 0 => {
            Some((count / batch, batch))
        }
        // An axis of samples in front.
        (Some((&count, inner)), _) if fits(inner, shape) => Some((count, 1)),
        _ => None,
    };
    let Some((count, each)) = each.filter(|(count, _)| *count > 0) else {
        return Err(SamplesError::Shape { file, input: name.clone(), found, shape: shape.clone() });
    };
    let part = |index: usize| Part::Rows(index * each..(index + 1) * each);
    Ok((0..count).map(|index| Place { file: file.clone(), part: part(index) }).collect())
}

/// Whether an array is one sample; a leading 1 may be missing.
fn fits(found: &[usize], shape: &[usize]) -> bool {
    found == shape || (shape.first() == Some(&1) && shape.get(1..) == Some(found))
}

fn sample_bytes(input: &SampleInput) -> usize {
    input.shape.iter().fold(input.element.bytes(), |bytes, &size| bytes.saturating_mul(size))
}

fn check_raw(file: &Path, input: &SampleInput) -> Result<(), SamplesError> {
    let failed = |source| SamplesError::Folder { folder: file.to_owned(), source };
    let (found, expected) = (std::fs::metadata(file).map_err(failed)?.len(), sample_bytes(input));
    if found == expected as u64 {
        return Ok(());
    }
    let (file, element, shape) = (file.to_owned(), input.element, input.shape.clone());
    Err(SamplesError::Raw { file, input: input.name.clone(), found, element, shape, expected })
}

fn read(place: Option<&Place>, input: &SampleInput) -> Result<Array, CalibrationError> {
    let failed = |reason: String| CalibrationError::Sample {
        sample: place.map(|place| place.file.display().to_string()).unwrap_or_default(),
        reason,
    };
    let Place { file, part } = place.ok_or_else(|| failed("there is no such sample".into()))?;
    let array = match part {
        Part::Array => npy::read(file).map_err(|error| failed(error.to_string()))?,
        Part::Rows(rows) => npy::read_rows(file, rows.clone()).map_err(|error| failed(error.to_string()))?,
        Part::Raw => {
            let bytes = reading::read(file, sample_bytes(input) as u64)
                .map_err(|fault| failed(std::io::Error::from(fault).to_string()))?;
            Array::from_bytes(input.element, &input.shape, &bytes)?
        }
        Part::Image => {
            let form = input.images.as_ref().ok_or_else(|| failed("the input takes no images".into()))?;
            images::read(file, form, &input.shape).map_err(failed)?
        }
    };
    let (stored, name) = (array.element(), &input.name);
    let array = convert(array, input.element).map_err(|error| failed(format!("it is {stored}: {error}")))?;
    if array.len() != input.shape.iter().product::<usize>() {
        return Err(failed(format!("its shape is {:?}, but input '{name}' takes {:?}", array.shape(), input.shape)));
    }
    let has_nan = match array.values::<f32>() {
        Some(values) => values.iter().any(|value| value.is_nan()),
        None => array.to_f64().iter().any(|value| value.is_nan()),
    };
    // A mask may be infinite; where that is measured, calibration says so.
    if has_nan {
        return Err(failed("it holds NaN, which is no value of a sample; correct or remove the file".into()));
    }
    Ok(array.reshaped(&input.shape)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(folder: &Path, shape: &[usize], element: ElementType) -> SampleInput {
        SampleInput { name: "x".into(), folder: folder.to_owned(), shape: shape.to_vec(), element, images: None }
    }

    fn save(folder: &Path, name: &str, array: &Array) {
        std::fs::write(folder.join(name), npy::encode(array).unwrap()).unwrap();
    }

    fn floats(shape: &[usize], first: u16) -> Array {
        let count = shape.iter().product::<usize>();
        let values: Vec<f32> = (0..count as u16).map(|index| f32::from(first + index)).collect();
        Array::from_values(shape, &values).unwrap()
    }

    #[test]
    fn one_to_a_file_or_stacked() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), "a.npy", &floats(&[1, 2], 0));
        save(folder.path(), "b.npy", &floats(&[2], 10));
        save(folder.path(), "c.npy", &floats(&[3, 2], 20));
        save(folder.path(), "d.npy", &floats(&[2, 1, 2], 30));
        std::fs::write(folder.path().join("notes.txt"), b"passed over").unwrap();
        std::fs::write(folder.path().join(".hidden"), b"passed over").unwrap();
        let samples = SampleFiles::open(vec![input(folder.path(), &[1, 2], ElementType::F32)]).unwrap();
        let firsts: Vec<f32> = (0..samples.len())
            .map(|index| {
                let arrays = samples.read(index).unwrap();
                assert_eq!(arrays[0].shape(), [1, 2]);
                arrays[0].values::<f32>().unwrap()[0]
            })
            .collect();
        assert_eq!(firsts, [0.0, 10.0, 20.0, 22.0, 24.0, 30.0, 32.0]);
        // Two to a sample.
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), "a.npy", &floats(&[4, 3], 0));
        let samples = SampleFiles::open(vec![input(folder.path(), &[2, 3], ElementType::F32)]).unwrap();
        assert_eq!(samples.len(), 2);
        assert_eq!(samples.read(1).unwrap()[0], floats(&[2, 3], 6));
    }

    #[test]
    fn names_are_sorted_as_people_count() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["10.npy", "2.npy", "img_9.npy", "img_010.npy", "1.npy"] {
            save(folder.path(), name, &floats(&[2], 0));
        }
        let samples = SampleFiles::open(vec![input(folder.path(), &[2], ElementType::F32)]).unwrap();
        let names: Vec<String> = (0..samples.len()).map(|index| samples.name(index)).collect();
        let names: Vec<&str> = names.iter().filter_map(|name| name.rsplit('/').next()).collect();
        assert_eq!(names, ["1.npy", "2.npy", "10.npy", "img_9.npy", "img_010.npy"]);
        assert_eq!(natural("a7"), natural("a007"));
        assert!(natural("a7") < natural("a12") && natural("a12") < natural("b1") && natural("0") == natural("00"));
        // More digits than any machine counts with.
        assert!(natural(&format!("{}1", "9".repeat(60))) > natural(&"9".repeat(60)));
    }

    #[test]
    fn any_type_that_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), "a.npy", &Array::from_values(&[2], &[3.0f64, -4.0]).unwrap());
        save(folder.path(), "b.npy", &Array::from_values(&[2], &[5u8, 6]).unwrap());
        let open = |element| SampleFiles::open(vec![input(folder.path(), &[2], element)]).unwrap();
        let integers = open(ElementType::I64);
        assert_eq!(integers.read(0).unwrap()[0].values::<i64>().unwrap(), [3, -4]);
        assert_eq!(integers.read(1).unwrap()[0].values::<i64>().unwrap(), [5, 6]);
        assert_eq!(open(ElementType::F16).read(1).unwrap()[0].to_f64(), [5.0, 6.0]);
        let error = open(ElementType::U8).read(0).unwrap_err().to_string();
        assert!(error.contains("a.npy") && error.contains("-4"), "{error}");
    }

    #[test]
    fn what_is_not_finite_is_named() {
        let folder = tempfile::tempdir().unwrap();
        save(folder.path(), "a.npy", &floats(&[2], 0));
        save(folder.path(), "b.npy", &Array::from_values(&[2], &[1.0f32, f32::NAN]).unwrap());
        save(folder.path(), "c.npy", &Array::from_values(&[2], &[f32::NEG_INFINITY, 1.0]).unwrap());
        let samples = SampleFiles::open(vec![input(folder.path(), &[2], ElementType::F32)]).unwrap();
        samples.read(0).unwrap();
        let error = |sample| samples.read(sample).unwrap_err().to_string();
        assert!(error(1).contains("b.npy: it holds NaN"), "{}", error(1));
        samples.read(2).unwrap();
    }

    #[test]
    fn raw_files_of_the_right_size() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.bin"), floats(&[1, 2], 7).as_bytes()).unwrap();
        let open = || SampleFiles::open(vec![input(folder.path(), &[1, 2], ElementType::F32)]);
        assert_eq!(open().unwrap().read(0).unwrap()[0], floats(&[1, 2], 7));
        std::fs::write(folder.path().join("b.bin"), [0; 7]).unwrap();
        let error = open().unwrap_err().to_string();
        assert!(error.contains("b.bin: has 7 bytes") && error.contains("has 8"), "{error}");
    }

    #[test]
    fn what_is_no_sample_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let open = || SampleFiles::open(vec![input(folder.path(), &[1, 2], ElementType::F32)]);
        assert!(matches!(open(), Err(SamplesError::Empty { .. })));
        std::fs::write(folder.path().join("a.PNG"), b"").unwrap();
        assert!(open().unwrap_err().to_string().contains("cal_image_preprocessing"));
        save(folder.path(), "a.npy", &floats(&[1, 3], 0));
        assert!(matches!(open(), Err(SamplesError::Shape { .. })));
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        save(one.path(), "a.npy", &floats(&[1, 2], 0));
        save(two.path(), "a.npy", &floats(&[2, 2], 0));
        let inputs = [one, two].map(|folder| (input(folder.path(), &[1, 2], ElementType::F32), folder));
        let given = inputs.iter().map(|(input, _)| input.clone()).collect();
        assert!(matches!(SampleFiles::open(given), Err(SamplesError::Count { count: 2, expected: 1, .. })));
    }
}
