//! Instructions and operations of the `nash` dialect, field by field.

use crate::nash::isa::{BpuElement, Engine, FieldKind, Instruction, Operation, RowProgram, Wait};
use crate::nash::isa_fields::Field;
use hb_dialects::{
    ElementType, MlirElementType,
    ir::{self, OperationAttributes, attribute},
    nash::{self, NumbersKind},
};
use melior::{
    Context,
    ir::{
        Attribute, AttributeLike, Location, Operation as MlirOperation, OperationRef, Type, attribute::TypeAttribute,
        operation::OperationLike,
    },
};

use super::ProgramMirrorError;

/// The attribute with the index in the program's names.
const NODE: &str = "node";
const WAITS: &str = "waits";

/// The operation of an instruction. Its location is the name of its node.
///
/// # Errors
/// When MLIR refuses it.
pub fn instruction_to_mlir<'c>(
    context: &'c Context,
    instruction: &Instruction,
    location: Location<'c>,
) -> Result<MlirOperation<'c>, ProgramMirrorError> {
    let mnemonic = instruction.operation.mnemonic();
    let mut attributes = vec![(NODE, attribute::i64(context, i64::from(instruction.source)))];
    if !instruction.waits.is_empty() {
        let wait =
            |wait: &Wait| nash::attribute(context, NumbersKind::Wait, &[wait.engine as i64, i64::from(wait.count)]);
        let waits: Option<Vec<_>> = instruction.waits.iter().map(wait).collect();
        let waits = waits.ok_or_else(|| ProgramMirrorError::field(mnemonic, WAITS, "cannot be an attribute"))?;
        attributes.push((WAITS, attribute::array(context, &waits)));
    }
    for (name, kind, numbers) in instruction.operation.numbers() {
        if let Some(numbers) = numbers {
            let built = field_attribute(context, kind, &numbers);
            attributes.push((
                name,
                built.ok_or_else(|| ProgramMirrorError::field(mnemonic, name, "cannot be an attribute"))?,
            ));
        }
    }
    Ok(ir::build(context, instruction.operation.op().name(), &[], &attributes, &[], vec![], location)?)
}

/// The kind of attribute of a field that is a struct; `None` for the others.
fn structure(kind: FieldKind) -> Option<NumbersKind> {
    match kind {
        FieldKind::View => Some(NumbersKind::View),
        FieldKind::DdrView => Some(NumbersKind::DdrView),
        FieldKind::Window => Some(NumbersKind::Window),
        FieldKind::Count => Some(NumbersKind::Count),
        FieldKind::Clamp => Some(NumbersKind::Clamp),
        FieldKind::Flag
        | FieldKind::Integer
        | FieldKind::Float
        | FieldKind::Integers
        | FieldKind::Element
        | FieldKind::Program => None,
    }
}

fn field_attribute<'c>(context: &'c Context, kind: FieldKind, numbers: &[i64]) -> Option<Attribute<'c>> {
    if let Some(kind) = structure(kind) {
        return nash::attribute(context, kind, numbers);
    }
    let first = *numbers.first()?;
    Some(match kind {
        FieldKind::Flag => Attribute::unit(context),
        FieldKind::Integer => attribute::i64(context, first),
        FieldKind::Float => attribute::f32(context, f32::from_bits(u32::try_from(first).ok()?)),
        FieldKind::Program => {
            let lines = RowProgram::from_numbers(Some(numbers)).ok()?.lines();
            attribute::array(context, &lines.iter().map(|line| attribute::string(context, line)).collect::<Vec<_>>())
        }
        FieldKind::Element => TypeAttribute::new(element_type(context, first)?).into(),
        _ => attribute::integers(context, numbers),
    })
}

fn element_type(context: &Context, number: i64) -> Option<Type<'_>> {
    let element = BpuElement::OF_INSTRUCTIONS.into_iter().find(|element| *element as i64 == number)?;
    Some(ElementType::from(element).to_type(context))
}

/// The number of an element type.
fn element_number(attribute: Attribute<'_>) -> Option<i64> {
    let raw = attribute.to_raw();
    // SAFETY: the kind is checked before the type is read.
    let r#type = unsafe {
        if !mlir_sys::mlirAttributeIsAType(raw) {
            return None;
        }
        Type::from_raw(mlir_sys::mlirTypeAttrGetValue(raw))
    };
    let element = BpuElement::try_from(ElementType::from_type(r#type)?).ok()?;
    Some(element as i64)
}

/// The bits of an f32 attribute.
fn float_bits(attribute: Attribute<'_>) -> Option<i64> {
    let raw = attribute.to_raw();
    // SAFETY: the kind is checked before the value is read.
    unsafe {
        mlir_sys::mlirAttributeIsAFloat(raw)
            .then(|| i64::from((mlir_sys::mlirFloatAttrGetValueDouble(raw) as f32).to_bits()))
    }
}

/// The numbers of a field; `None` when the operation has no such attribute.
fn field_numbers(
    operation: OperationRef<'_, '_>,
    name: &'static str,
    kind: FieldKind,
) -> Result<Option<Vec<i64>>, String> {
    let Ok(attribute) = operation.attribute(name) else { return Ok(None) };
    let numbers = match kind {
        FieldKind::Flag => Some(vec![1]),
        FieldKind::Integer => operation.integer(name).ok().map(|number| vec![number]),
        FieldKind::Integers => operation.integers(name).ok(),
        FieldKind::Float => float_bits(attribute).map(|bits| vec![bits]),
        FieldKind::Program => {
            return program_numbers(attribute).map(Some).map_err(|reason| format!("field '{name}': {reason}"));
        }
        FieldKind::Element => element_number(attribute).map(|number| vec![number]),
        _ => structure(kind).and_then(|kind| nash::numbers(attribute, kind)),
    };
    match numbers {
        Some(numbers) => Ok(Some(numbers)),
        None => Err(format!("field '{name}' is {attribute}, which is no {kind:?}")),
    }
}

/// The numbers of a program, whose lines are strings.
fn program_numbers(attribute: Attribute<'_>) -> Result<Vec<i64>, String> {
    let lines = attribute::array_elements(attribute).and_then(|lines| lines.into_iter().map(attribute::text).collect());
    let lines: Vec<String> = lines.ok_or("it is no array of strings")?;
    RowProgram::parse(&lines)?.numbers().ok_or_else(|| "it has no numbers".to_string())
}

/// The instruction that an operation is.
///
/// # Errors
/// When it is none, or an attribute is missing, of another kind or out of range; the message names the field.
pub fn instruction_from_mlir(operation: OperationRef<'_, '_>) -> Result<Instruction, String> {
    let read = nash::Op::of(operation)
        .and_then(|op| Operation::from_numbers(op, |field, kind| field_numbers(operation, field, kind)));
    let read = read.ok_or_else(|| format!("'{}' is no instruction", operation.operation_name()))?;
    let source = operation.integer(NODE).map_err(|_| format!("field '{NODE}' is no integer"))?;
    let source = u32::try_from(source).map_err(|_| format!("field '{NODE}' has {source}"))?;
    Ok(Instruction { waits: waits(operation)?, source, operation: read? })
}

fn waits(operation: OperationRef<'_, '_>) -> Result<Vec<Wait>, String> {
    let Ok(attribute) = operation.attribute(WAITS) else { return Ok(Vec::new()) };
    let elements = attribute::array_elements(attribute).ok_or("field 'waits' is no array")?;
    let wait = |element: Attribute<'_>| {
        let numbers =
            nash::numbers(element, NumbersKind::Wait).ok_or("field 'waits' holds something else than waits")?;
        let [engine, count] = *numbers.as_slice() else { return Err("field 'waits' holds an empty wait".to_string()) };
        let engine = Engine::ALL.into_iter().find(|known| *known as i64 == engine).ok_or("field 'waits': no engine")?;
        let count = u32::try_from(count).map_err(|_| format!("waits for {count} instructions of {engine}"))?;
        Ok(Wait { engine, count })
    };
    elements.into_iter().map(wait).collect()
}
