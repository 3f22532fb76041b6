//! Thresholds: what calibration decides, as attributes and as a file.

use super::{
    groups::ScaleGroups,
    info::QuantInfo,
    requests::round_result,
    rules::{ACTIVATION_BITS, WIDE_BITS},
};
use crate::numerics::affine_of_threshold;
use hb_dialects::hfloat::Op;
use hb_dialects::names::{FLOAT16, input_names};
use hb_dialects::{
    ir::{self, Affine, OperationAttributes, attribute},
    pass::{OptionDefinition, PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{
    Attribute, OperationRef, Value, ValueLike,
    attribute::{FloatAttribute, IntegerAttribute},
    operation::OperationLike,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The attribute of an operation or an argument that holds the threshold of its value: the largest magnitude that its integers show.
pub const THRESHOLD: &str = "hfloat.threshold";

/// The attribute beside [`THRESHOLD`] of values that are not int8.
pub const BITS: &str = "hfloat.bits";

/// The attribute beside [`BITS`] of int16 values: the threshold for readers that see int8.
pub const NARROW_THRESHOLD: &str = "hfloat.narrow_threshold";

/// The attribute beside [`THRESHOLD`] of values whose int8 integers have another zero point than 0, those for readers that see int8 included.
pub const ZERO_POINT: &str = "hfloat.zero_point";

/// The attribute of an operation that sees operands in other types than those of the values: bits per operand, 0 for those of the value.
pub const OPERAND_BITS: &str = "hfloat.operand_bits";

/// The threshold of an int16 value is this many times the largest magnitude that calibration saw: it has bits to spare for inputs
/// that reach further. A function with a pole is infinite for an input that rounds to it: there the largest that was seen is the best
/// that is known.
const HEADROOM: f64 = 2.0;
const HEADROOM_OF_POLES: f64 = 1.0;

/// What the integers of a value show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThresholdRange {
    /// The largest magnitude.
    pub threshold: f64,
    /// 8 or 16.
    pub bits: u32,
    /// The largest magnitude for readers that see int8, where the value is int16.
    pub narrow_threshold: Option<f64>,
    /// Of the integers of 8 bits; those of 16 bits have 0.
    pub zero_point: i32,
}

impl From<f64> for ThresholdRange {
    fn from(threshold: f64) -> Self {
        Self { threshold, bits: ACTIVATION_BITS, narrow_threshold: None, zero_point: 0 }
    }
}

impl ThresholdRange {
    /// int16 for a value of this largest magnitude, whose int8 readers have the range of `self`.
    #[must_use]
    pub fn widened(self, largest: f64, has_pole: bool) -> Self {
        let headroom = if has_pole { HEADROOM_OF_POLES } else { HEADROOM };
        Self { threshold: largest * headroom, bits: WIDE_BITS, narrow_threshold: Some(self.threshold), ..self }
    }

    /// The integers of the value.
    pub fn affine(self) -> Affine {
        affine_of_threshold(self.threshold, self.bits, if self.bits == ACTIVATION_BITS { self.zero_point } else { 0 })
    }

    /// What is wrong with it.
    fn check(self) -> Result<(), String> {
        for threshold in std::iter::once(self.threshold).chain(self.narrow_threshold) {
            if !(threshold >= 0.0 && threshold.is_finite()) {
                return Err(format!("the threshold {threshold}; it must be finite and not negative"));
            }
        }
        if i8::try_from(self.zero_point).is_err() {
            return Err(format!("the zero point {}, which is no int8", self.zero_point));
        }
        if ![ACTIVATION_BITS, WIDE_BITS].contains(&self.bits) {
            return Err(format!("{} bits; it may have {ACTIVATION_BITS} or {WIDE_BITS}", self.bits));
        }
        Ok(())
    }
}

/// Ranges by value name: that of an input, or of the node that computes the value.
pub type Thresholds = BTreeMap<String, ThresholdRange>;

pub static PASS: PassDefinition = PassDefinition {
    argument: "quant-assign-thresholds",
    summary: "Write the thresholds of a file as attributes",
    description: "Reads `{prefix}_quant_info.json`, as calibration writes it, and writes the threshold of each value as the attribute \
`hfloat.threshold` of the operation or argument of that name, and `hfloat.bits` where its type is not int8, \
with `hfloat.narrow_threshold` for those of its readers that see int8, `hfloat.zero_point` where int8 has another one than 0, and `hfloat.operand_bits` and `hfloat.float16` of the operations that the file names. An \
operation at the end of the network that would keep its 32-bit sums becomes `hfloat.rounded` where the file names its value. A value that needs a \
threshold and is not in the file keeps what it has, else takes that of `default`; the file may also name it by a node of the user's that was fused into the operation; without a default that is an error that names it, and so is a value of the \
file that needs none. Values that need none lose what they had.",
    anchor: "func.func",
    options: &[
        OptionDefinition { name: "file", default: "", description: "`{prefix}_quant_info.json`" },
        OptionDefinition {
            name: "default",
            default: "",
            description: "threshold of values that the file does not name",
        },
    ],
    run,
};

fn run(function: OperationRef<'_, '_>, options: &PassOptions) -> Result<(), PassFailure> {
    let mut thresholds = Thresholds::new();
    if let Some(file) = options.file("file") {
        let failed = |reason: String| PassFailure::Message(format!("{}: {reason}", file.display()));
        let info = QuantInfo::read(&file).map_err(failed)?;
        let ranges = info.ranges();
        for operation in ir::body(function).map(ir::operations).unwrap_or_default() {
            if ranges.contains_key(&operation.node()) {
                round_result(operation)?;
            }
        }
        assign_operand_bits(function, &info.operands).map_err(failed)?;
        assign_float16(function, &info.float16).map_err(failed)?;
        thresholds = by_value(function, &ScaleGroups::of(function)?, ranges).map_err(failed)?;
    }
    let default = match options.get("default") {
        "" => None,
        text => Some(text.parse::<f64>().map_err(|_| PassFailure::Message(format!("default '{text}' is no number")))?),
    };
    for value in ScaleGroups::of(function)?.measured() {
        if let Some(range) = range_here(function, value).map_err(PassFailure::Message)? {
            thresholds.entry(value_name(function, value)).or_insert(range);
        }
    }
    assign_thresholds(function, |name| thresholds.get(name).copied().or(default.map(ThresholdRange::from)))
        .map_err(PassFailure::Message)
}

/// Writes how many bits operations take of their operands, by the operations' names.
///
/// # Errors
/// When there is no operation of such a name.
pub fn assign_operand_bits(
    function: OperationRef<'_, '_>,
    operands: &BTreeMap<String, Vec<u32>>,
) -> Result<(), String> {
    let operations = by_name(function);
    for (name, bits) in operands {
        let operation = named(&operations, name)?;
        let bits: Vec<i64> = bits.iter().map(|&bits| i64::from(bits)).collect();
        ir::set_attribute(operation, OPERAND_BITS, attribute::integers(function.context_reference(), &bits));
    }
    Ok(())
}

/// Says which operations are computed in float16, by their names.
///
/// # Errors
/// When there is no operation of such a name.
pub fn assign_float16(function: OperationRef<'_, '_>, names: &BTreeSet<String>) -> Result<(), String> {
    if names.is_empty() {
        return Ok(());
    }
    let operations = by_name(function);
    for name in names {
        let operation = named(&operations, name)?;
        ir::set_attribute(operation, FLOAT16, Attribute::unit(function.context_reference()));
    }
    Ok(())
}

/// The operations of a function by their names.
fn by_name<'c: 'a, 'a>(function: OperationRef<'c, 'a>) -> HashMap<String, OperationRef<'c, 'a>> {
    let operations = ir::body(function).map(ir::operations).unwrap_or_default();
    let own = operations.into_iter().filter(|operation| Op::of(*operation).is_some());
    own.map(|operation| (operation.node(), operation)).collect()
}

fn named<'c, 'a>(
    operations: &HashMap<String, OperationRef<'c, 'a>>,
    name: &str,
) -> Result<OperationRef<'c, 'a>, String> {
    operations.get(name).copied().ok_or_else(|| format!("no node is called '{name}'"))
}

/// The ranges of a file by the names that values have here. The file may call a value by any node of the user's network that went
/// into the one that computes it.
fn by_value(
    function: OperationRef<'_, '_>,
    groups: &ScaleGroups<'_, '_>,
    ranges: Thresholds,
) -> Result<Thresholds, String> {
    let mut made_of: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut needed = HashSet::new();
    for value in groups.measured() {
        let name = value_name(function, value);
        for node in ir::defining_operation(value).map(|operation| operation.origin().nodes).unwrap_or_default() {
            made_of.entry(node).or_default().push(name.clone());
        }
        needed.insert(name);
    }
    let mut found = Thresholds::new();
    for (name, range) in ranges {
        let own = match made_of.get(&name).map(Vec::as_slice) {
            _ if needed.contains(&name) => name.clone(),
            None => return Err(format!("no value of the network that needs a threshold is called '{name}'")),
            Some([own]) => own.clone(),
            Some(several) => {
                let several = several.join("', '");
                return Err(format!("node '{name}' became several values; name one of them: '{several}'"));
            }
        };
        if found.insert(own.clone(), range).is_some() {
            return Err(format!(
                "the value of '{own}' stands twice: other nodes that it was made from are named as well"
            ));
        }
    }
    Ok(found)
}

/// Whether a value is computed by a function that is infinite somewhere.
pub(super) fn has_pole(value: Value<'_, '_>) -> bool {
    let Some(operation) = ir::defining_operation(value) else { return false };
    let second = operation.operand(1).ok().and_then(ir::constant_of);
    match Op::of(operation) {
        // A ReduceLogSumExp is at least as large as its largest operand.
        Some(Op::Log | Op::ReduceLogSum | Op::Reciprocal | Op::Tan | Op::Atanh) => true,
        Some(Op::Div) => second.is_none(),
        Some(Op::Pow) => match second.as_ref().and_then(|exponent| exponent.f32s().ok()) {
            Some(exponents) => exponents.iter().any(|exponent| *exponent < 0.0),
            None => true,
        },
        _ => false,
    }
}

/// The name of a value: that of the input, or of the node that computes it.
pub fn value_name(function: OperationRef<'_, '_>, value: Value<'_, '_>) -> String {
    match ir::defining_operation(value) {
        Some(operation) => operation.node(),
        None => {
            let arguments = ir::body(function).map(ir::arguments).unwrap_or_default();
            let index = arguments.iter().position(|argument| argument.to_raw().ptr == value.to_raw().ptr);
            index.and_then(|index| input_names(function).into_iter().nth(index)).unwrap_or_default()
        }
    }
}

/// Writes the range of every value that needs one, instead of what it had. What other values had, when they needed one, goes.
///
/// # Errors
/// When a value has no range, its threshold is no positive number, or its bits are not 8 or 16.
pub fn assign_thresholds<R: Into<ThresholdRange>>(
    function: OperationRef<'_, '_>,
    range: impl Fn(&str) -> Option<R>,
) -> Result<(), String> {
    let groups = ScaleGroups::of(function).map_err(|error| error.to_string())?;
    for value in groups.not_measured() {
        RANGE.iter().for_each(|name| assign(function, value, name, None));
    }
    for value in groups.measured() {
        let name = value_name(function, value);
        let range = range(&name).map(R::into).ok_or_else(|| format!("the value of '{name}' has no threshold"))?;
        range.check().map_err(|reason| format!("the value of '{name}' has {reason}"))?;
        write_range(function, value, range);
    }
    Ok(())
}

/// The attributes that a range is written as.
pub(super) const RANGE: [&str; 4] = [THRESHOLD, BITS, NARROW_THRESHOLD, ZERO_POINT];

/// Writes the range of a value instead of what it had.
pub(super) fn write_range(function: OperationRef<'_, '_>, value: Value<'_, '_>, range: ThresholdRange) {
    let context = function.context_reference();
    let wide = range.bits != ACTIVATION_BITS;
    let attributes = [
        (THRESHOLD, Some(attribute::f64(context, range.threshold))),
        (BITS, wide.then(|| attribute::i64(context, i64::from(range.bits)))),
        (ZERO_POINT, (range.zero_point != 0).then(|| attribute::i64(context, i64::from(range.zero_point)))),
        (NARROW_THRESHOLD, range.narrow_threshold.filter(|_| wide).map(|narrow| attribute::f64(context, narrow))),
    ];
    for (name, attribute) in attributes {
        assign(function, value, name, attribute);
    }
}

/// The range that a value has by its attributes.
pub(super) fn range_here(
    function: OperationRef<'_, '_>,
    value: Value<'_, '_>,
) -> Result<Option<ThresholdRange>, String> {
    let Some(threshold) = assigned_threshold(function, value) else { return Ok(None) };
    Ok(Some(ThresholdRange {
        threshold,
        bits: assigned_bits(function, value)?,
        narrow_threshold: assigned_narrow_threshold(function, value),
        zero_point: assigned_zero_point(function, value)?,
    }))
}

/// Writes an attribute of the operation or argument that a value comes from, or takes it away.
fn assign<'c>(function: OperationRef<'c, '_>, value: Value<'c, '_>, name: &str, attribute: Option<Attribute<'c>>) {
    if let Some(operation) = ir::defining_operation(value) {
        match attribute {
            Some(attribute) => ir::set_attribute(operation, name, attribute),
            None => ir::remove_attribute(operation, name),
        }
        return;
    }
    let arguments = ir::body(function).map(ir::arguments).unwrap_or_default();
    if let Some(index) = arguments.iter().position(|argument| argument.to_raw().ptr == value.to_raw().ptr) {
        match attribute {
            Some(attribute) => ir::set_argument_attribute(function, index, name, attribute),
            None => ir::remove_argument_attributes(function, index, &[name]),
        }
    }
}

/// The threshold for int8 readers that was assigned to a value.
pub(super) fn assigned_narrow_threshold(function: OperationRef<'_, '_>, value: Value<'_, '_>) -> Option<f64> {
    let attribute = assigned(function, value, NARROW_THRESHOLD)?;
    FloatAttribute::try_from(attribute).ok().map(|attribute| attribute.value())
}

/// The zero point of int8 that was assigned to a value.
///
/// # Errors
/// When the attribute is no int8.
pub(super) fn assigned_zero_point(function: OperationRef<'_, '_>, value: Value<'_, '_>) -> Result<i32, String> {
    let Some(attribute) = assigned(function, value, ZERO_POINT) else { return Ok(0) };
    let point = IntegerAttribute::try_from(attribute).ok().and_then(|attribute| i8::try_from(attribute.value()).ok());
    point.map(i32::from).ok_or_else(|| {
        format!("the value of '{}' has {attribute} as {ZERO_POINT}, which is no int8", value_name(function, value))
    })
}

/// The threshold that was assigned to a value.
pub(super) fn assigned_threshold(function: OperationRef<'_, '_>, value: Value<'_, '_>) -> Option<f64> {
    let attribute = assigned(function, value, THRESHOLD)?;
    FloatAttribute::try_from(attribute).ok().map(|attribute| attribute.value())
}

/// The bits that were assigned to a value: those of int8 where nothing says otherwise.
///
/// # Errors
/// When the attribute is no number of bits that an activation may have.
pub(super) fn assigned_bits(function: OperationRef<'_, '_>, value: Value<'_, '_>) -> Result<u32, String> {
    let Some(attribute) = assigned(function, value, BITS) else { return Ok(ACTIVATION_BITS) };
    let bits = IntegerAttribute::try_from(attribute).ok().and_then(|attribute| u32::try_from(attribute.value()).ok());
    bits.filter(|bits| [ACTIVATION_BITS, WIDE_BITS].contains(bits)).ok_or_else(|| {
        let name = value_name(function, value);
        format!("the value of '{name}' has {attribute} as {BITS}; it may have {ACTIVATION_BITS} or {WIDE_BITS}")
    })
}

/// An attribute of the operation or argument that a value comes from.
pub(super) fn assigned<'c>(function: OperationRef<'c, '_>, value: Value<'c, '_>, name: &str) -> Option<Attribute<'c>> {
    match ir::defining_operation(value) {
        Some(operation) => operation.attribute(name).ok(),
        None => {
            let arguments = ir::body(function).map(ir::arguments)?;
            let index = arguments.iter().position(|argument| argument.to_raw().ptr == value.to_raw().ptr)?;
            ir::argument_attribute(function, index, name)
        }
    }
}
