//! Passes and pipelines described in Rust, registered with MLIR, run by `hb-opt` and `hb_compile` alike.

use crate::{ir, shim};
use melior::ir::{OperationRef, operation::OperationLike};
use mlir_sys::{MlirOperation, MlirStringRef};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString, c_void},
    fmt::Write,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

/// An option of a pass or a pipeline, written `name=value`.
#[derive(Debug)]
pub struct OptionDefinition {
    /// As `hb-opt` takes it.
    pub name: &'static str,
    /// What holds where it is not given.
    pub default: &'static str,
    /// A phrase for `--help` and `docs/passes.md`.
    pub description: &'static str,
}

/// A pass: what `hb-opt --help` and `docs/passes.md` say of it, and what it does.
pub struct PassDefinition {
    /// The name on the command line, such as `hfloat-infer-shapes`.
    pub argument: &'static str,
    /// One line.
    pub summary: &'static str,
    /// Markdown for `docs/passes.md`.
    pub description: &'static str,
    /// The operation it runs on, such as `builtin.module`.
    pub anchor: &'static str,
    /// What can be chosen.
    pub options: &'static [OptionDefinition],
    /// Does it, to one operation of the kind `anchor`.
    pub run: fn(OperationRef<'_, '_>, &PassOptions) -> Result<(), PassFailure>,
}

/// A named sequence of passes.
pub struct PipelineDefinition {
    /// As `hb-opt` takes it.
    pub argument: &'static str,
    /// A phrase for `--help`.
    pub summary: &'static str,
    /// Markdown for `docs/passes.md`.
    pub description: &'static str,
    /// What can be chosen.
    pub options: &'static [OptionDefinition],
    /// The textual pipeline, as `--pass-pipeline` takes it without the anchor.
    pub build: fn(&PassOptions) -> Result<String, String>,
}

/// Why a pass failed.
#[derive(Debug, Clone)]
pub enum PassFailure {
    /// The pass has reported its errors at their operations.
    Reported,
    /// One error about the whole module.
    Message(String),
}

impl<E: std::error::Error> From<E> for PassFailure {
    fn from(error: E) -> Self {
        PassFailure::Message(error.to_string())
    }
}

/// The values of a pass's options, by name.
#[derive(Debug, Clone, Default)]
pub struct PassOptions(BTreeMap<&'static str, String>);

impl PassOptions {
    fn new(definitions: &'static [OptionDefinition], values: impl Iterator<Item = String>) -> Self {
        Self(definitions.iter().map(|definition| definition.name).zip(values).collect())
    }

    /// The defaults, changed by `name=value` words; empty words are passed over.
    ///
    /// # Errors
    /// When a word has no `=` or names no option.
    pub fn parse(definitions: &'static [OptionDefinition], text: &str) -> Result<Self, String> {
        let mut options = Self::new(definitions, definitions.iter().map(|definition| definition.default.to_owned()));
        for word in text.split_whitespace() {
            let (name, value) = word.split_once('=').ok_or_else(|| format!("option '{word}' has no value"))?;
            let known = definitions.iter().find(|definition| definition.name == name);
            let definition = known.ok_or_else(|| format!("there is no option '{name}'"))?;
            options.0.insert(definition.name, value.to_owned());
        }
        Ok(options)
    }

    /// The value of an option of the definition; empty for a name that it has not.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The file that an option names, as [`word`] writes it; none when the option is empty.
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        let bytes = self.bytes(name);
        (!bytes.is_empty()).then(|| OsString::from_vec(bytes).into())
    }

    /// The bytes that [`word`] made the value of.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        unescaped(self.get(name))
    }

    /// The names of a list of [`word`]s that commas separate; none when the option is empty.
    pub fn names(&self, name: &str) -> Vec<String> {
        let words = self.get(name).split(',').filter(|word| !word.is_empty());
        words.map(|word| String::from_utf8_lossy(&unescaped(word)).into_owned()).collect()
    }
}

/// What [`word`] made a text of.
fn unescaped(word: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = word.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(first));
        rest = escaped.map_or(behind, |_| behind.get(2..).unwrap_or_default());
    }
    bytes
}

/// A path or a name as an option takes it. The syntax of options has no place for spaces, quotes, commas and brackets, so bytes that
/// are not letters, digits or one of `-_./` are written as in a URL: `%20` is a space.
pub fn word(text: impl AsRef<OsStr>) -> String {
    text.as_ref().as_bytes().iter().fold(String::new(), |mut word, &byte| {
        if byte.is_ascii_alphanumeric() || b"-_./".contains(&byte) {
            word.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(word, "%{byte:02X}");
        }
        word
    })
}

/// Registers passes for `hb-opt` and for textual pipelines. The definitions must be static; call once per process.
pub fn register_passes(definitions: impl Iterator<Item = &'static PassDefinition>) {
    for definition in definitions {
        let options: Vec<_> = definition
            .options
            .iter()
            .map(|option| shim::PassOption {
                name: shim::string_ref(option.name),
                description: shim::string_ref(option.description),
                initial: shim::string_ref(option.default),
            })
            .collect();
        // MLIR's registry lives until the process ends, and so does what it points to.
        let options: &'static [shim::PassOption] = Box::leak(options.into_boxed_slice());
        let pass = Box::leak(Box::new(shim::Pass {
            argument: shim::string_ref(definition.argument),
            summary: shim::string_ref(definition.summary),
            anchor: shim::string_ref(definition.anchor),
            option_count: options.len() as isize,
            options: options.as_ptr(),
            run: run_pass,
            data: std::ptr::from_ref(definition).cast(),
        }));
        // SAFETY: everything `pass` points to is static.
        unsafe { shim::hbRegisterPass(pass) };
    }
}

/// Registers named pipelines. The definitions must be static; call once per process.
pub fn register_pipelines(definitions: impl Iterator<Item = &'static PipelineDefinition>) {
    for definition in definitions {
        let pipeline = Box::leak(Box::new(shim::Pipeline {
            argument: shim::string_ref(definition.argument),
            summary: shim::string_ref(definition.summary),
            build: build_pipeline,
            data: std::ptr::from_ref(definition).cast(),
        }));
        // SAFETY: everything `pipeline` points to is static.
        unsafe { shim::hbRegisterPipeline(pipeline) };
    }
}

/// Registers the passes of MLIR itself.
pub fn register_upstream_passes() {
    // SAFETY: registration has no preconditions.
    unsafe { shim::hbRegisterUpstreamPasses() };
}

unsafe extern "C" fn run_pass(
    data: *const c_void,
    operation: MlirOperation,
    count: isize,
    values: *const MlirStringRef,
) -> bool {
    // SAFETY: `data` is the definition that was registered; the values are alive during the call.
    let (definition, operation, options) = unsafe {
        let definition = &*data.cast::<PassDefinition>();
        let values = if count == 0 { &[] } else { std::slice::from_raw_parts(values, count as usize) };
        let options = PassOptions::new(definition.options, values.iter().map(|&value| shim::text(value).to_owned()));
        (definition, OperationRef::from_raw(operation), options)
    };
    match (definition.run)(operation, &options) {
        Ok(()) => true,
        Err(PassFailure::Reported) => false,
        Err(PassFailure::Message(message)) => {
            ir::emit_error(operation.location(), &format!("{}: {message}", definition.argument));
            false
        }
    }
}

unsafe extern "C" fn build_pipeline(
    data: *const c_void,
    options: MlirStringRef,
    emit: shim::EmitText,
    user: *mut c_void,
) -> bool {
    // SAFETY: `data` is the definition that was registered; the text is alive during the call.
    let (definition, text) = unsafe { (&*data.cast::<PipelineDefinition>(), shim::text(options)) };
    let built = PassOptions::parse(definition.options, text).and_then(|options| (definition.build)(&options));
    let (good, text) = match &built {
        Ok(text) => (true, text),
        Err(message) => (false, message),
    };
    // SAFETY: the shim copies the text.
    unsafe { emit(shim::string_ref(text), user) };
    good
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFINITIONS: &[OptionDefinition] = &[OptionDefinition { name: "file", default: "", description: "" }];

    #[test]
    fn every_path_is_a_word_of_an_option() {
        for path in [&b"plain/a-b_c.json"[..], b"a b{c},\"d'%41=", b"%", b"%2", b"caf\xc3\xa9 \xff\n"] {
            let path = PathBuf::from(OsString::from_vec(path.to_vec()));
            let word = word(&path);
            assert!(word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./%".contains(&byte)), "{word}");
            let options = PassOptions::parse(DEFINITIONS, &format!("file={word}")).expect("options");
            assert_eq!(options.file("file"), Some(path));
        }
        assert_eq!(word("a b"), "a%20b");
        let options = PassOptions::parse(DEFINITIONS, "file=a%2C%20b,c,").expect("options");
        assert_eq!(options.names("file"), ["a, b", "c"]);
        assert_eq!(PassOptions::parse(DEFINITIONS, "").expect("options").file("file"), None);
    }
}
