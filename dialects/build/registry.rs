//! Rust enums, tables and accessors of the operations, from their records. `src/registry.rs` defines what the tables hold.

use super::records::{Record, Records};
use std::{collections::BTreeMap, error::Error, fmt::Write, fs, path::Path};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Writes `{dialect}_registry.rs` for one dialect.
pub fn generate(prefix: &Path, tablegen: &Path, out: &Path, dialect: &str) -> Outcome<()> {
    let records = Records::read(prefix, tablegen, dialect)?;
    let mut operations = records.of_class("Op")?;
    operations.retain(|operation| {
        operation.record("opDialect").and_then(|record| record.text("name")).is_ok_and(|name| name == dialect)
    });
    let mut text = String::new();
    if operations.iter().any(|operation| operation.is("OnnxOperator")) {
        let (operators, others) = operations.into_iter().partition(|operation| operation.is("OnnxOperator"));
        operations = operators;
        no_operators(&mut text, dialect, others)?;
    }
    operation_enum(&mut text, dialect, &operations)?;
    accessors(&mut text, &operations)?;
    if operations.iter().any(|operation| operation.is("OnnxOperator")) {
        rules(&mut text, &operations)?;
        onnx(&mut text, &operations, &records.of_class("OnnxComposite")?)?;
    }
    fs::write(out.join(format!("{dialect}_registry.rs")), text)?;
    Ok(())
}

/// What a dialect of operators has beside them has no row in any table: it is a name.
fn no_operators(text: &mut String, dialect: &str, operations: Vec<Record<'_>>) -> Outcome<()> {
    for operation in operations {
        let (summary, name) = (operation.text("summary")?.trim(), operation.text("opName")?);
        writeln!(text, "/// The name of the operation that {summary}. It is no operator of a network.")?;
        writeln!(text, "pub const {}: &str = \"{dialect}.{name}\";\n", name.to_ascii_uppercase())?;
    }
    Ok(())
}

/// `Hfloat_MatMulOp` is `MatMul`, `Onnx_Sum` is `Sum`.
fn variant<'a>(record: &Record<'a>) -> &'a str {
    let name = record.name().split_once('_').map_or(record.name(), |(_, name)| name);
    name.strip_suffix("Op").unwrap_or(name)
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(", ")
}

fn operation_enum(text: &mut String, dialect: &str, operations: &[Record<'_>]) -> Outcome<()> {
    writeln!(text, "/// The operations of `{dialect}`, in the order of their records.")?;
    writeln!(text, "#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\npub enum Op {{")?;
    for operation in operations {
        let summary = operation.text("summary")?.trim();
        writeln!(text, "    /// `{dialect}.{}`: {summary}.", operation.text("opName")?)?;
        writeln!(text, "    {},", variant(operation))?;
    }
    writeln!(text, "}}\n\nimpl Op {{\n    /// Every operation.\n    pub const ALL: &'static [Self] = &[")?;
    for operation in operations {
        writeln!(text, "        Self::{},", variant(operation))?;
    }
    writeln!(text, "    ];\n}}\n\nconst DEFINITIONS: &[Definition] = &[")?;
    for operation in operations {
        definition(text, dialect, operation)?;
    }
    writeln!(text, "];\n")?;
    let mut names = BTreeMap::new();
    for operation in operations {
        names.insert(format!("{dialect}.{}", operation.text("opName")?), variant(operation));
    }
    writeln!(text, "/// Sorted by name.\nconst NAMES: &[(&str, Op)] = &[")?;
    for (name, variant) in names {
        writeln!(text, "    ({name:?}, Op::{variant}),")?;
    }
    writeln!(text, "];\n")?;
    Ok(())
}

fn definition(text: &mut String, dialect: &str, operation: &Record<'_>) -> Outcome<()> {
    let arguments = operation.arguments("arguments")?;
    let (attributes, operands): (Vec<_>, Vec<_>) = arguments.into_iter().partition(|(record, _)| record.is("Attr"));
    let values = |values: &[(Record<'_>, &str)]| list(values.iter().map(|(record, name)| value(record, name)));
    let attributes: Outcome<Vec<String>> = attributes.iter().map(|(record, name)| attribute(record, name)).collect();
    writeln!(
        text,
        "    Definition {{ name: \"{dialect}.{}\", summary: {:?}, operands: &[{}], results: &[{}], attributes: &[{}] }},",
        operation.text("opName")?,
        operation.text("summary")?,
        values(&operands),
        values(&operation.arguments("results")?),
        attributes?.join(", "),
    )?;
    Ok(())
}

/// An operand or result.
fn value(record: &Record<'_>, name: &str) -> String {
    let count = match () {
        () if record.is("Variadic") => "Variadic",
        () if record.is("Optional") => "Optional",
        () => "One",
    };
    format!("ValueDefinition {{ name: {name:?}, count: Occurrence::{count} }}")
}

fn attribute(record: &Record<'_>, name: &str) -> Outcome<String> {
    let kind = Kind::of(record)?;
    let default = kind.default(record)?;
    Ok(format!(
        "AttributeDefinition {{ name: {name:?}, kind: AttributeKind::{}, presence: Presence::{} }}",
        kind.text(),
        match default {
            Some(default) => format!("Default(DefaultValue::{default})"),
            None if record.flag("isOptional")? => "Optional".to_owned(),
            None => "Required".to_owned(),
        },
    ))
}

/// What an attribute holds.
#[derive(Clone, PartialEq)]
enum Kind {
    Float,
    Int,
    Flag,
    Ints,
    Floats,
    Strings,
    Choice(Vec<String>),
    Elements,
    Clamp,
    Other,
}

impl Kind {
    fn of(record: &Record<'_>) -> Outcome<Self> {
        if record.is("EnumAttr") {
            let cases = record.record("enum")?.records("enumerants")?;
            return Ok(Self::Choice(
                cases.iter().map(|case| Ok(case.text("str")?.to_owned())).collect::<Outcome<_>>()?,
            ));
        }
        if record.has("choices") {
            return Ok(Self::Choice(record.texts("choices")?.into_iter().map(str::to_owned).collect()));
        }
        if record.has("baseAttr") {
            return Self::of(&record.record("baseAttr")?);
        }
        Ok(match record.name() {
            "F32Attr" | "F64Attr" => Self::Float,
            "SI64Attr" | "I64Attr" => Self::Int,
            "BoolAttr" => Self::Flag,
            "DenseI64ArrayAttr" => Self::Ints,
            "DenseF64ArrayAttr" => Self::Floats,
            "StrArrayAttr" => Self::Strings,
            "ElementsAttr" => Self::Elements,
            "Hfloat_ClampAttr" => Self::Clamp,
            _ => Self::Other,
        })
    }

    fn text(&self) -> String {
        match self {
            Self::Float => "Float".to_owned(),
            Self::Int => "Int".to_owned(),
            Self::Flag => "Flag".to_owned(),
            Self::Ints => "Ints".to_owned(),
            Self::Floats => "Floats".to_owned(),
            Self::Strings => "Strings".to_owned(),
            Self::Choice(words) => format!("Choice(&{words:?})"),
            Self::Elements => "Elements".to_owned(),
            Self::Clamp => "Clamp".to_owned(),
            Self::Other => "Other".to_owned(),
        }
    }

    /// The default as a variant of `DefaultValue`.
    fn default(&self, record: &Record<'_>) -> Outcome<Option<String>> {
        if !record.has("defaultValue") || record.text("defaultValue")?.is_empty() {
            return Ok(None);
        }
        let given = record.text("defaultValue")?.trim();
        Ok(Some(match self {
            Self::Float => format!("Float({:?})", given.parse::<f32>()?),
            Self::Int => format!("Int({})", given.parse::<i64>()?),
            Self::Flag => format!("Flag({})", given.parse::<bool>()?),
            Self::Choice(words) => {
                let word = given.rsplit("::").next().unwrap_or_default().trim_matches('"');
                if !words.iter().any(|known| known == word) {
                    return Err(format!("{}: the default {word} is none of {words:?}", record.name()).into());
                }
                format!("Choice({word:?})")
            }
            // That of an attribute of the dialect's own is read by MLIR alone.
            Self::Other => return Ok(None),
            _ => return Err(format!("{}: no default is known for this kind of attribute", record.name()).into()),
        }))
    }
}

/// `transA` is `trans_a`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// One accessor for each name of an attribute, for all operations that have it.
fn accessors(text: &mut String, operations: &[Record<'_>]) -> Outcome<()> {
    let mut kinds: BTreeMap<&str, (&str, &str, Vec<&str>)> = BTreeMap::new();
    for operation in operations {
        for (record, name) in operation.arguments("arguments")? {
            if !record.is("Attr") {
                continue;
            }
            let optional = record.flag("isOptional")? && Kind::of(&record)?.default(&record)?.is_none();
            let (result, reader) = match (Kind::of(&record)?, optional) {
                (Kind::Float, false) => ("f64", "value"),
                (Kind::Float, true) => ("Option<f64>", "optional"),
                (Kind::Int, false) => ("i64", "value"),
                (Kind::Int, true) => ("Option<i64>", "optional"),
                (Kind::Flag, false) => ("bool", "value"),
                (Kind::Ints, false) => ("Vec<i64>", "value"),
                (Kind::Ints, true) => ("Option<Vec<i64>>", "optional"),
                (Kind::Floats, false) => ("Vec<f64>", "value"),
                (Kind::Floats, true) => ("Option<Vec<f64>>", "optional"),
                (Kind::Strings, true) => ("Option<Vec<String>>", "optional"),
                (Kind::Choice(_), false) => ("&'static str", "value"),
                (Kind::Clamp, true) => ("Option<(f64, f64)>", "optional"),
                _ => continue,
            };
            let known = kinds.entry(name).or_insert((result, reader, Vec::new()));
            if known.0 != result {
                let first = known.2.join(", ");
                return Err(
                    format!("attribute {name} is a {result} of {}, but not of {first}", operation.name()).into()
                );
            }
            known.2.push(variant(operation));
        }
    }
    writeln!(text, "/// Attributes of the operations. An absent one has the default of the operation's record.")?;
    writeln!(text, "///\n/// # Errors\n/// When the attribute is absent and has no default, or is of another kind.")?;
    writeln!(
        text,
        "pub mod attributes {{\n    #[allow(unused_imports, reason = \"a dialect need not have attributes\")]\n    use super::*;"
    )?;
    for (name, (result, reader, owners)) in kinds {
        let owners = list(owners.iter().map(|owner| format!("[`Op::{owner}`]")));
        writeln!(text, "    /// `{name}` of {owners}.\n    ///\n    /// # Errors\n    /// See [`attributes`](self).")?;
        writeln!(
            text,
            "    pub fn {}(operation: OperationRef<'_, '_>) -> Result<{result}, IrError> {{\n        read::{reader}(operation, {name:?}, definition_of)\n    }}",
            snake(name)
        )?;
    }
    writeln!(text, "}}\n")?;
    Ok(())
}

/// An enum of the rules that a field names, and the method that gives an operation's.
fn rules(text: &mut String, operations: &[Record<'_>]) -> Outcome<()> {
    let fields = [
        ("shapeRule", "ShapeRule", "How the types of results follow from operands and attributes.", false),
        ("foldRule", "FoldRule", "What an operation may fold to.", true),
        ("upgradeRule", "UpgradeRule", "How forms of older operator sets become that of the newest.", false),
    ];
    for (field, name, meaning, optional) in fields {
        let mut variants: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for operation in operations {
            variants.entry(operation.text(field)?).or_default().push(variant(operation));
        }
        let none = variants.remove("");
        if let Some(lacking) = none.as_ref().filter(|_| !optional) {
            return Err(format!("{} have no {field}", lacking.join(", ")).into());
        }
        writeln!(text, "/// {meaning}\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\npub enum {name} {{")?;
        for (rule, owners) in &variants {
            writeln!(text, "    /// Of {}.", list(owners.iter().map(|owner| format!("[`Op::{owner}`]"))))?;
            writeln!(text, "    {rule},")?;
        }
        let (result, some) = if optional { (format!("Option<{name}>"), true) } else { (name.to_owned(), false) };
        writeln!(text, "}}\n\nimpl Op {{\n    /// {meaning}")?;
        writeln!(text, "    pub const fn {}(self) -> {result} {{\n        match self {{", snake(field))?;
        for (rule, owners) in &variants {
            let owners = owners.iter().map(|owner| format!("Self::{owner}")).collect::<Vec<_>>().join(" | ");
            let rule = if some { format!("Some({name}::{rule})") } else { format!("{name}::{rule}") };
            writeln!(text, "            {owners} => {rule},")?;
        }
        if let Some(owners) = none {
            let owners = owners.iter().map(|owner| format!("Self::{owner}")).collect::<Vec<_>>().join(" | ");
            writeln!(text, "            {owners} => None,")?;
        }
        writeln!(text, "        }}\n    }}\n}}\n")?;
    }
    Ok(())
}

/// The rows of ONNX operators, and how operations take part in quantization.
fn onnx(text: &mut String, operations: &[Record<'_>], composites: &[Record<'_>]) -> Outcome<()> {
    writeln!(text, "/// ONNX operators that become others on import.")?;
    writeln!(text, "#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\npub enum Composite {{")?;
    for composite in composites {
        let name = variant(composite);
        writeln!(text, "    /// ONNX `{}`.\n    {name},", composite.text("onnxName")?)?;
    }
    writeln!(text, "}}\n\nconst ONNX: &[OnnxOperator] = &[")?;
    for operation in operations {
        onnx_operator(text, operation, &format!("OnnxForm::Op(Op::{})", variant(operation)))?;
    }
    for composite in composites {
        onnx_operator(text, composite, &format!("OnnxForm::Composite(Composite::{})", variant(composite)))?;
    }
    writeln!(text, "];\n\nconst QUANTIZATION: &[Option<Quantization>] = &[")?;
    for operation in operations {
        if !operation.is("Quantized") {
            writeln!(text, "    None,")?;
            continue;
        }
        let roles = list(operation.texts("roles")?.iter().map(|role| format!("Role::{role}")));
        let (scale, narrow) = (operation.text("resultScale")?, operation.flag("isNarrow")?);
        writeln!(
            text,
            "    Some(Quantization {{ result: ResultScale::{scale}, narrow: {narrow}, roles: &[{roles}] }}),"
        )?;
    }
    writeln!(text, "];")?;
    kinds(text, operations)
}

/// Scalar functions apart from the rest: a room has one formula for each of those, and a rule for each of these.
fn kinds(text: &mut String, operations: &[Record<'_>]) -> Outcome<()> {
    let groups = [
        (true, "ScalarFunction", "Operations whose result is, element by element, a function of their one operand."),
        (false, "StructuredOp", "Operations that are more than a function of each element."),
    ];
    for (scalar, name, meaning) in groups {
        writeln!(text, "/// {meaning}\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\npub enum {name} {{")?;
        for operation in operations {
            if operation.flag("isScalarFunction")? == scalar {
                writeln!(text, "    /// [`Op::{0}`]\n    {0},", variant(operation))?;
            }
        }
        writeln!(text, "}}\n")?;
    }
    writeln!(text, "impl Op {{\n    /// Whether it is a scalar function, and which.")?;
    writeln!(text, "    pub const fn kind(self) -> OpKind {{\n        match self {{")?;
    for operation in operations {
        let (variant, scalar) = (variant(operation), operation.flag("isScalarFunction")?);
        let kind = if scalar { "OpKind::Scalar(ScalarFunction" } else { "OpKind::Structured(StructuredOp" };
        writeln!(text, "            Self::{variant} => {kind}::{variant}),")?;
    }
    writeln!(text, "        }}\n    }}\n}}")?;
    Ok(())
}

fn onnx_operator(text: &mut String, record: &Record<'_>, form: &str) -> Outcome<()> {
    let composite = record.is("OnnxComposite");
    let mut inputs = Vec::new();
    for range in record.records("onnxInputs")? {
        let most = range.integer("mostInputs")?;
        inputs.push((range.integer("sinceVersion")?, range.integer("leastInputs")?, most));
    }
    if inputs.is_empty() {
        inputs.push(operand_range(record)?);
    }
    let inputs = list(inputs.iter().map(|(since, least, most)| {
        let most = if *most < 0 { "usize::MAX".to_owned() } else { most.to_string() };
        format!("OnnxInputs {{ since: {since}, least: {least}, most: {most} }}")
    }));
    let outputs = match record.integer("onnxOutputs")? {
        0 if composite => "1".to_owned(),
        0 => {
            let results = record.arguments("results")?;
            let any = results.iter().any(|(result, _)| result.is("Variadic"));
            if any { "usize::MAX".to_owned() } else { results.len().to_string() }
        }
        count if count < 0 => "usize::MAX".to_owned(),
        count => count.to_string(),
    };
    writeln!(
        text,
        "    OnnxOperator {{ name: {:?}, form: {form}, versions: &{:?}, inputs: &[{inputs}], outputs: {outputs}, first_output: {}, results: &[{}], attributes: &[{}] }},",
        record.text("onnxName")?,
        record.integers("onnxVersions")?,
        record.integer("onnxFirstOutput")?,
        result_elements(record)?,
        onnx_attributes(record)?.join(", "),
    )?;
    Ok(())
}

/// Where the element types of results come from: the record's word, or their types where these say it.
fn result_elements(record: &Record<'_>) -> Outcome<String> {
    if record.is("OnnxComposite") {
        return Ok(String::new());
    }
    let stated = record.text("onnxResultElement")?;
    let (operand, first) = (record.integer("onnxResultOperand")?, record.integer("onnxFirstResult")?);
    let named = |attribute: &Record<'_>| attribute.text("attributeName").is_ok_and(|name| name == stated);
    let is_graph = match record.records("onnxAttributes")?.iter().find(|attribute| named(attribute)) {
        Some(attribute) => attribute.text("kind")? == "Graph",
        None => false,
    };
    let element = |record: &Record<'_>| match (stated, record.name()) {
        ("", "Hfloat_BoolTensor") => "ResultElement::Bool".to_owned(),
        ("", "Hfloat_ShapeTensor") => "ResultElement::I64".to_owned(),
        ("", _) => format!("ResultElement::Operand({operand})"),
        (name, _) if is_graph => format!("ResultElement::Graph {{ attribute: {name:?}, first: {first} }}"),
        (name, _) => format!("ResultElement::Attribute({name:?})"),
    };
    Ok(list(record.arguments("results")?.iter().map(|(result, _)| element(result))))
}

/// How many operands an operation has.
fn operand_range(record: &Record<'_>) -> Outcome<(i64, i64, i64)> {
    let (mut least, mut most) = (0, 0);
    for (operand, _) in record.arguments("arguments")? {
        if operand.is("Attr") {
            continue;
        }
        if operand.is("Variadic") {
            most = -1;
            continue;
        }
        least += i64::from(!operand.is("Optional"));
        most += i64::from(most >= 0);
    }
    Ok((1, least, most))
}

/// The attributes that ONNX has: those of the dialect, as `onnxAttributes` changes and completes them.
fn onnx_attributes(record: &Record<'_>) -> Outcome<Vec<String>> {
    let mut rows = Vec::new();
    let changes = record.records("onnxAttributes")?;
    let dialect = if record.is("OnnxComposite") { Vec::new() } else { record.arguments("arguments")? };
    for change in changes.iter().filter(|change| !change.is("DialectOnly")) {
        let name = change.text("attributeName")?;
        let own = dialect.iter().find(|(argument, own)| *own == name && argument.is("Attr"));
        let own = own.map(|(argument, _)| argument);
        rows.push(onnx_attribute(name, Some(change), own)?);
    }
    for (argument, name) in &dialect {
        let changed = changes.iter().any(|change| change.text("attributeName").is_ok_and(|other| other == *name));
        if argument.is("Attr") && !changed && Kind::of(argument)? != Kind::Clamp {
            rows.push(onnx_attribute(name, None, Some(argument))?);
        }
    }
    Ok(rows)
}

fn onnx_attribute(name: &str, change: Option<&Record<'_>>, own: Option<&Record<'_>>) -> Outcome<String> {
    let stated = change.map(|change| change.text("kind")).transpose()?.unwrap_or_default();
    let consumed = change.is_some_and(|change| change.is("Consumed"));
    let own = own.filter(|_| !consumed);
    let own_kind = own.map(Kind::of).transpose()?;
    let kind = match (stated, &own_kind) {
        ("Choice", _) => {
            let choices = change.map(|change| change.texts("choices")).transpose()?.unwrap_or_default();
            format!("Choice(&{choices:?})")
        }
        ("", Some(Kind::Elements)) => "Tensor".to_owned(),
        (
            "",
            Some(
                kind @ (Kind::Float
                | Kind::Int
                | Kind::Flag
                | Kind::Ints
                | Kind::Floats
                | Kind::Strings
                | Kind::Choice(_)),
            ),
        ) => kind.text(),
        ("", _) => return Err(format!("the kind of attribute {name} is not known").into()),
        (stated, _) => stated.to_owned(),
    };
    let mut default = match (own, &own_kind) {
        (Some(record), Some(kind)) => kind.default(record)?,
        _ => None,
    };
    if let Some(change) = change.filter(|change| change.has("defaultInteger")) {
        default = Some(format!("Int({})", change.integer("defaultInteger")?));
    }
    let required = match change {
        Some(change) => change.flag("isRequired")?,
        None => default.is_none() && !own.map(|own| own.flag("isOptional")).transpose()?.unwrap_or(true),
    };
    let since = change.map(|change| change.integer("sinceVersion")).transpose()?.unwrap_or(1);
    let until = change.map(|change| change.integer("untilVersion")).transpose()?.unwrap_or(-1);
    let until = if until < 0 { "i64::MAX".to_owned() } else { until.to_string() };
    let default = default.map_or_else(|| "None".to_owned(), |default| format!("Some(DefaultValue::{default})"));
    Ok(format!(
        "OnnxAttribute {{ name: {name:?}, kind: OnnxKind::{kind}, since: {since}, until: {until}, required: {required}, default: {default}, in_dialect: {} }}",
        own.is_some(),
    ))
}
