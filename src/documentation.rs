//! The pages of `docs/` that are made from the source, so that they cannot say something else than it.
//!
//! `docs/dialects/NAME.md` comes from `tablegen/NAME`, `docs/passes.md` from the definitions of passes and pipelines,
//! the instructions in `docs/nash-isa.md` from their table, `docs/operators.md` from the table of ONNX operators and the
//! constraints of the BPU, `docs/caffe-layers.md` from the table of layers,
//! `docs/configuration.md` from the table of parameters of hb_compile.
//! `hb-docs` writes them; `hb-docs --check` only says which ones are out of date.

use crate::bpu::{constraints, lower};
use crate::frontend::caffe::layers::{LAYERS, LayerType};
use hb_dialects::hfloat::onnx_operators;
use hb_dialects::pass::{OptionDefinition, PassDefinition, PipelineDefinition};
use hb_dialects::registry::OnnxForm;
use std::{
    fmt::Write as _,
    fs, io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};
use thiserror::Error;

/// Why the pages could not be made.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum DocumentationError {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("mlir-tblgen failed on {path}: {message}")]
    Tablegen { path: PathBuf, message: String },
}

/// One page: its path from the root of the repository, and its text.
#[derive(Debug)]
pub struct Page {
    /// From the root of the repository.
    pub path: PathBuf,
    /// All of it.
    pub text: String,
}

/// The main of `hb-docs`: writes the pages under `root`, or with `--check` names those that are out of date.
pub fn command(root: &Path, arguments: impl Iterator<Item = String>) -> ExitCode {
    let arguments: Vec<String> = arguments.collect();
    let check = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => false,
        ["--check"] => true,
        _ => {
            eprintln!("usage: hb-docs [--check]");
            return ExitCode::from(2);
        }
    };
    match pages(root).and_then(|pages| if check { stale(root, &pages) } else { write(root, &pages) }) {
        Ok(stale) if stale.is_empty() => ExitCode::SUCCESS,
        Ok(stale) => {
            for path in stale {
                eprintln!("{} is out of date", path.display());
            }
            eprintln!("run `make docs` and commit what it changed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("hb-docs: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Every generated page.
///
/// # Errors
/// When `tablegen/` cannot be read or `mlir-tblgen` fails.
pub fn pages(root: &Path) -> Result<Vec<Page>, DocumentationError> {
    let mut pages = dialect_pages(root)?;
    pages.push(passes_page(crate::pipeline::passes(), crate::pipeline::pipelines()));
    pages.push(instruction_set_page(root)?);
    pages.push(operators_page());
    pages.push(caffe_page());
    pages.push(Page { path: "docs/configuration.md".into(), text: crate::driver::configuration::documentation() });
    pages.push(Page { path: "docs/configuration.schema.json".into(), text: crate::driver::configuration::schema() });
    Ok(pages)
}

/// `docs/nash-isa.md`: written by hand up to a mark, then the table of instructions.
fn instruction_set_page(root: &Path) -> Result<Page, DocumentationError> {
    let path = PathBuf::from("docs/nash-isa.md");
    let file = root.join(&path);
    let text = fs::read_to_string(&file).map_err(|source| DocumentationError::File { path: file, source })?;
    Ok(Page { path, text: crate::nash::isa_document::renew(&text) })
}

/// Writes the pages; nothing is out of date afterwards.
fn write(root: &Path, pages: &[Page]) -> Result<Vec<PathBuf>, DocumentationError> {
    for page in pages {
        let path = root.join(&page.path);
        let folder = path.parent().unwrap_or(root);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, &page.text))
            .map_err(|source| DocumentationError::File { path, source })?;
    }
    Ok(Vec::new())
}

fn stale(root: &Path, pages: &[Page]) -> Result<Vec<PathBuf>, DocumentationError> {
    let is_stale = |page: &&Page| fs::read_to_string(root.join(&page.path)).ok().as_deref() != Some(&page.text);
    Ok(pages.iter().filter(is_stale).map(|page| page.path.clone()).collect())
}

/// One page per folder of `tablegen/`, as `mlir-tblgen` writes it.
fn dialect_pages(root: &Path) -> Result<Vec<Page>, DocumentationError> {
    // The MLIR that this was built with.
    let prefix = PathBuf::from(env!("MLIR_SYS_220_PREFIX"));
    let tablegen = root.join("tablegen");
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| DocumentationError::File { path, source }
    };
    let mut dialects = Vec::new();
    for entry in fs::read_dir(&tablegen).map_err(failed(&tablegen))? {
        let path = entry.map_err(failed(&tablegen))?.path();
        if path.join("Ops.td").exists() {
            dialects.extend(path.file_name().and_then(|name| name.to_str()).map(str::to_owned));
        }
    }
    dialects.sort();
    dialects.iter().map(|dialect| dialect_page(&prefix, &tablegen, dialect)).collect()
}

fn dialect_page(prefix: &Path, tablegen: &Path, dialect: &str) -> Result<Page, DocumentationError> {
    let file = tablegen.join(dialect).join("Ops.td");
    let tool = prefix.join("bin/mlir-tblgen");
    let output = Command::new(&tool)
        .arg("-gen-dialect-doc")
        .arg(format!("--dialect={dialect}"))
        .args(["-I".as_ref(), prefix.join("include").as_os_str(), "-I".as_ref(), tablegen.as_os_str()])
        .arg(&file)
        .output()
        .map_err(|source| DocumentationError::File { path: tool, source })?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(DocumentationError::Tablegen { path: file, message });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    // The table of contents is a mark for MLIR's own site.
    let body: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("<!--") && *line != "[TOC]").map(str::trim_end).collect();
    let text = format!("<!-- Made from tablegen/{dialect} by `make docs`. -->\n\n{}\n", body.join("\n").trim());
    Ok(Page { path: PathBuf::from(format!("docs/dialects/{dialect}.md")), text: without_blank_runs(&text) })
}

fn without_blank_runs(text: &str) -> String {
    let mut result = text.to_owned();
    while result.contains("\n\n\n") {
        result = result.replace("\n\n\n", "\n\n");
    }
    result
}

/// `docs/passes.md`: what each pass and each pipeline does, and its options.
fn passes_page(
    passes: impl Iterator<Item = &'static PassDefinition>,
    pipelines: impl Iterator<Item = &'static PipelineDefinition>,
) -> Page {
    let mut text = String::from(
        "<!-- Made from the definitions of the passes by `make docs`. -->\n\n# Passes and pipelines\n\n\
         `hb-opt --NAME` runs a pass or a pipeline, `hb-opt --NAME='OPTION=VALUE ...'` with options.\n",
    );
    text.push_str("\n## Pipelines\n");
    for pipeline in sorted(pipelines, |pipeline| pipeline.argument) {
        section(&mut text, pipeline.argument, None, pipeline.summary, pipeline.description, pipeline.options);
    }
    text.push_str("\n## Passes\n");
    for pass in sorted(passes, |pass| pass.argument) {
        section(&mut text, pass.argument, Some(pass.anchor), pass.summary, pass.description, pass.options);
    }
    Page { path: PathBuf::from("docs/passes.md"), text }
}

fn sorted<T>(definitions: impl Iterator<Item = &'static T>, name: fn(&T) -> &'static str) -> Vec<&'static T> {
    let mut definitions: Vec<_> = definitions.collect();
    definitions.sort_by_key(|definition| name(definition));
    definitions
}

fn section(
    text: &mut String,
    argument: &str,
    anchor: Option<&str>,
    summary: &str,
    description: &str,
    options: &[OptionDefinition],
) {
    let description: Vec<&str> = description.trim().lines().map(str::trim).collect();
    let runs_on = anchor.map(|anchor| format!(" Runs on `{anchor}`.")).unwrap_or_default();
    // Writing to a String cannot fail.
    let _ = write!(text, "\n### `--{argument}`\n\n_{summary}_{runs_on}\n\n{}\n", description.join("\n"));
    if !options.is_empty() {
        text.push_str("\n| option | default | meaning |\n|---|---|---|\n");
    }
    for option in options {
        let default = if option.default.is_empty() { String::new() } else { format!("`{}`", option.default) };
        let _ = writeln!(text, "| `{}` | {default} | {} |", option.name, option.description);
    }
}

/// `docs/caffe-layers.md`: what is read from Caffe.
fn caffe_page() -> Page {
    let mut text = String::from(
        "# Layers of Caffe\n\n<!-- Made by hb-docs from src/frontend/caffe/layers/. -->\n\n\
         A network is a `.prototxt` and a `.caffemodel`: `caffe_model` and `prototxt` in a configuration, `--model` and `--proto` on a \
         command line. Layers compute as BVLC/caffe has them, or the fork that added them; the fields of their parameters and the \
         defaults are those of `src/frontend/caffe/caffe.proto`. Read are the layers of the test phase, in the forms of 2013 (V0), 2014 \
         (V1) and since. What is not supported is an error with file, line and column, layer and reason; a field of a layer's parameters \
         that no version has is one, too.\n\n\
         | layer | parameters | bottoms | tops | what it computes | not supported |\n|---|---|---|---|---|---|\n",
    );
    let count = |range: &RangeInclusive<usize>| match (*range.start(), *range.end()) {
        (least, usize::MAX) => format!("{least} or more"),
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least} to {most}"),
    };
    for layer in LAYERS {
        let LayerType { names, parameters, bottoms, tops, summary, limits, .. } = layer;
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let parameters = if parameters.is_empty() { String::new() } else { format!("`{parameters}`") };
        let (names, bottoms, tops) = (names.join(", "), count(bottoms), count(tops));
        let _ = writeln!(text, "| {names} | {parameters} | {bottoms} | {tops} | {summary} | {limits} |");
    }
    Page { path: PathBuf::from("docs/caffe-layers.md"), text }
}

/// `docs/operators.md`: what is read from ONNX, and what the BPU asks of a node.
fn operators_page() -> Page {
    let mut text = String::from(
        "<!-- Made from the table of ONNX operators and the constraints of the BPU by `make docs`. -->\n\n# Operators\n\n\
         ## ONNX\n\nOperators of the default domain that are read, opset 1 to 27. A graph with others is refused with a list \
         of all of them.\n\n| operator | operation | runs on | definitions | attributes |\n|---|---|---|---|---|\n",
    );
    let mut rows: Vec<_> = onnx_operators().iter().collect();
    rows.sort_by_key(|operator| operator.name);
    for operator in rows {
        let (operation, place) = match operator.form {
            OnnxForm::Composite(_) => ("(rewritten)".to_owned(), ""),
            OnnxForm::Op(op) => {
                let on_bpu = lower::is_lowered(op);
                (format!("`{}`", op.name()), if on_bpu { "BPU, CPU" } else { "CPU" })
            }
        };
        let versions: Vec<String> = operator.versions.iter().map(i64::to_string).collect();
        let mut attributes: Vec<String> =
            operator.attributes.iter().map(|attribute| format!("`{}`", attribute.name)).collect();
        attributes.sort();
        attributes.dedup();
        let output = match operator.first_output {
            0 => String::new(),
            number => format!(", output {number}"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {}{output} | {operation} | {place} | {} | {} |",
            operator.name,
            versions.join(", "),
            attributes.join(", ")
        );
    }
    text.push_str(
        "\nA BatchNormalization runs as what `hfloat-fuse-scales` makes of it: part of a Conv, ConvTranspose or Gemm, or a Mul and an \
         Add. A Split runs as the slices that `hfloat-expand-splits` makes of it. LSTM, GRU and RNN run as the \
         operations of their steps that `hfloat-unroll-recurrences` makes of them, where their weights are constants and all sequences have all steps.\n\
         Sum, Mean, and Max and Min of more than two operands, become chains of pairs.\n\n\
         On the BPU:\n\n\
         * a function of one value is a table from int8 to int8; so are Pow and Div with a constant of one element, and PRelu with one slope;\n\
         * a Div by constants is a Mul by their reciprocals, rounded to f32: the quotient changes by one part in 2^23 at most. A Div of two \
         activations runs on the CPU: the reciprocals of 8-bit values near zero fit no scale;\n\
         * Clip, and Max and Min with one value, are clamps, for nothing behind a Conv, Gemm, MatMul, Add, Sub or Mul; Max and Min of two tensors \
         are `a + max(b - a, 0)` and `a + min(b - a, 0)` with differences of int16;\n\
         * ConvTranspose becomes one convolution per phase of its strides, whose results are interleaved;\n\
         * Resize picks by copies and interpolates by a product with a constant matrix for each dimension; cubic interpolation runs on the CPU;\n\
         * PRelu is `max(x, 0) + slope * min(x, 0)` with products of int16;\n\
         * ReduceMean, ReduceMax and GlobalMaxPool are pools whose height is the reduced dimensions, ReduceSum is a convolution of each \
         channel with weights of 1, ReduceMin the negative ReduceMax of negative values of int16;\n\
         * comparisons, And, Or, Xor, Not, Where, ArgMax, ArgMin, and Cast among f32, bool, int32 and int64 are programs of the float engine. Truth values and \
         integers that it makes are f32 there, and have their type where they leave the BPU.\n\
         \n## Sizes that are known only when the network runs\n\n\
         NonZero, NonMaxSuppression, Unique, Compress, TopK with a k that is computed, If and Loop may give tensors whose sizes are known only when the network runs, up to a \
         bound; `hb_model_info` shows the bound. What is made of constants alone is not among them. What follows runs on the CPU:\n\n\
         * elementwise operators, Cast, Transpose, Squeeze, Unsqueeze, Gather, Shape, Concat (along that size, or with operands that all have it), Slice of other axes or of the \
         first so many elements, BatchNormalization, and Softmax along other axes;\n\
         * GatherND, and ScatterND with as many updates as indices; Expand and ConstantOfShape of one value, by the Shape of such a tensor;\n\
         * rows of which nobody knows how many there are: Conv, pools, Flatten, Gemm, MatMul with a matrix, RoiAlign, MaxRoiPool, and a Reshape that keeps each row;\n\
         * reductions along that size, TopK and NonMaxSuppression.\n\n\
         Any other operator is an error that names its node.\n\
         \n## BPU\n\nWhat a node must satisfy to run on the BPU. Where one of these does not hold, the node runs on the CPU and the \
         report of placement gives the sentence as the reason.\n",
    );
    for row in constraints::documentation() {
        let _ = write!(text, "\n### {}\n\n", row.operator);
        if row.sentences.is_empty() {
            text.push_str("Nothing more.\n");
        }
        for sentence in row.sentences {
            let _ = writeln!(text, "* {sentence}");
        }
    }
    Page { path: PathBuf::from("docs/operators.md"), text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hb_dialects::pass::PassOptions;

    static PASSES: [PassDefinition; 2] = [pass("b-pass", &[]), pass("a-pass", &OPTIONS)];
    static OPTIONS: [OptionDefinition; 1] = [OptionDefinition { name: "size", default: "7", description: "how many" }];
    static PIPELINES: [PipelineDefinition; 1] = [PipelineDefinition {
        argument: "all",
        summary: "everything",
        description: "Runs both.",
        options: &[],
        build: |_: &PassOptions| Ok("b-pass,a-pass".to_owned()),
    }];

    const fn pass(argument: &'static str, options: &'static [OptionDefinition]) -> PassDefinition {
        PassDefinition {
            argument,
            summary: "does it",
            description: "Says more.",
            anchor: "builtin.module",
            options,
            run: |_, _| Ok(()),
        }
    }

    #[test]
    fn the_page_of_passes_sorts_them_and_lists_their_options() {
        let page = passes_page(PASSES.iter(), PIPELINES.iter());
        let positions: Vec<_> =
            ["### `--all`", "### `--a-pass`", "### `--b-pass`"].map(|name| page.text.find(name)).to_vec();
        assert!(positions.iter().all(Option::is_some) && positions.is_sorted(), "{}", page.text);
        assert!(page.text.contains("| `size` | `7` | how many |"), "{}", page.text);
    }

    #[test]
    fn a_page_that_differs_or_is_missing_is_stale_until_written() {
        let folder = tempfile::tempdir().unwrap();
        let pages = [Page { path: PathBuf::from("docs/one.md"), text: "text\n".to_owned() }];
        assert_eq!(stale(folder.path(), &pages).unwrap(), [PathBuf::from("docs/one.md")]);
        assert!(write(folder.path(), &pages).unwrap().is_empty());
        assert!(stale(folder.path(), &pages).unwrap().is_empty());
        fs::write(folder.path().join("docs/one.md"), "other\n").unwrap();
        assert_eq!(stale(folder.path(), &pages).unwrap().len(), 1);
    }

    #[test]
    fn the_page_of_operators_names_each_operator_and_each_constraint() {
        let text = operators_page().text;
        for operator in onnx_operators() {
            assert!(text.contains(&format!("| {} |", operator.name)), "{}", operator.name);
        }
        for sentence in constraints::documentation().iter().flat_map(|row| &row.sentences) {
            assert!(text.contains(sentence), "{sentence}");
        }
    }

    #[test]
    fn each_folder_of_tablegen_has_a_page() {
        let pages = dialect_pages(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let hfloat = pages.iter().find(|page| page.path.ends_with("hfloat.md")).unwrap();
        assert!(hfloat.text.contains("### `hfloat.conv`"), "{}", hfloat.text);
        assert!(!hfloat.text.contains("[TOC]"));
    }
}
