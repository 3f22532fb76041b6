//! Between programs and the `nash` dialect, which mirror each other.

mod instruction;
#[cfg(test)]
mod tests;
mod verify;

pub use instruction::{instruction_from_mlir, instruction_to_mlir};
pub use verify::RULES;

use super::isa::Program;
use super::lower::{Lowered, LoweredLayer, LoweringPlan, Port};
use crate::bpu::{mlir as bpu_mlir, model::BpuTensor};
use crate::target::{Target, TargetError};
use hb_dialects::{
    ElementType,
    ir::{self, IrError, OperationAttributes, Origin, TensorType, attribute},
    nash,
};
use melior::{
    Context,
    ir::{
        Attribute, Block, BlockLike, Location, Operation, OperationRef, Region, RegionLike, Type, Value, ValueLike,
        operation::OperationLike,
    },
};
use std::{borrow::Cow, fmt};

/// The operation that a program is.
pub const PROGRAM: &str = nash::Op::Program.name();

/// Why a program could not be turned into an operation, or back.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum ProgramMirrorError {
    #[error(transparent)]
    Ir(#[from] IrError),
    #[error(transparent)]
    Tensor(#[from] bpu_mlir::MirrorError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("instruction {mnemonic}: field '{field}' {reason}")]
    Field { mnemonic: &'static str, field: &'static str, reason: &'static str },
    #[error("instruction {index}: {reason}")]
    Instruction { index: usize, reason: String },
    #[error("{0}")]
    Program(String),
}

impl ProgramMirrorError {
    fn field(mnemonic: &'static str, field: &'static str, reason: &'static str) -> Self {
        ProgramMirrorError::Field { mnemonic, field, reason }
    }
}

/// The machine that a program is made for, by name and changed fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct March {
    /// The target, such as `nash-e`.
    pub name: String,
    /// Dotted path and value of each changed field, such as `local_memory.bytes` and `65536`.
    pub overrides: Vec<(String, String)>,
}

impl fmt::Display for March {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let changed = |(path, value): &(String, String)| format!("{path}={value}");
        let changed: Vec<String> = self.overrides.iter().map(changed).collect();
        if changed.is_empty() { Ok(()) } else { write!(f, " with {}", changed.join(", ")) }
    }
}

impl March {
    /// The target itself.
    ///
    /// # Errors
    /// When there is no target of that name, or no such field.
    pub fn target(&self) -> Result<Target, TargetError> {
        let overrides: Vec<_> = self.overrides.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect();
        Target::named_with_overrides(&self.name, &overrides)
    }

    /// From the texts of options: a name, and `path=value` separated by commas.
    ///
    /// # Errors
    /// When an override has no `=`.
    pub fn parse(name: &str, overrides: &str) -> Result<March, String> {
        let words = overrides.split(',').map(str::trim).filter(|word| !word.is_empty());
        Ok(March { name: name.to_owned(), overrides: words.map(split_override).collect::<Result<_, _>>()? })
    }
}

fn split_override(word: &str) -> Result<(String, String), String> {
    let split = word.split_once('=').map(|(path, value)| (path.trim().to_owned(), value.trim().to_owned()));
    split.ok_or_else(|| format!("override '{word}' is not of the form field=value"))
}

/// A `nash.program` that takes these values.
///
/// # Errors
/// When MLIR refuses an operation.
pub fn program_to_mlir<'c>(
    context: &'c Context,
    lowered: &Lowered<'_>,
    march: &March,
    inputs: &[Value<'c, '_>],
    location: Location<'c>,
) -> Result<Operation<'c>, ProgramMirrorError> {
    let program = &lowered.program;
    let block = Block::new(&[]);
    for instruction in &program.instructions {
        let location = ir::named_location(context, program.source_name(instruction));
        block.append_operation(instruction_to_mlir(context, instruction, location)?);
    }
    let region = Region::new();
    region.append_block(block);
    let strings = |texts: &mut dyn Iterator<Item = String>| {
        attribute::array(context, &texts.map(|text| attribute::string(context, &text)).collect::<Vec<_>>())
    };
    let origins = |layer: &LoweredLayer| strings(&mut layer.origins.iter().cloned());
    let mut attributes = vec![
        ("target", attribute::string(context, &march.name)),
        ("inputs", ports_attribute(context, &lowered.inputs, &program.inputs)),
        ("outputs", ports_attribute(context, &lowered.outputs, &program.outputs)),
        ("workspace", attribute::i64(context, number(program.workspace))),
        ("names", strings(&mut program.names.iter().cloned())),
    ];
    if !lowered.layers.is_empty() {
        let operations: Vec<i64> = lowered.layers.iter().map(|layer| number(layer.operations)).collect();
        attributes.push(("operators", strings(&mut lowered.layers.iter().map(|layer| layer.operator.clone()))));
        attributes
            .push(("origins", attribute::array(context, &lowered.layers.iter().map(origins).collect::<Vec<_>>())));
        attributes.push(("operations", attribute::integers(context, &operations)));
    }
    if !march.overrides.is_empty() {
        let mut words = march.overrides.iter().map(|(path, value)| format!("{path}={value}"));
        attributes.push(("overrides", strings(&mut words)));
    }
    if !lowered.constants.is_empty() {
        let r#type = TensorType::new(ElementType::I8, &[lowered.constants.len()]);
        let name = Origin::at(location).part("constants").name;
        attributes.push(("constants", ir::constant_attribute(context, &name, &r#type, &lowered.constants)?));
    }
    let results: Vec<_> = lowered.outputs.iter().map(|port| port_type(context, port)).collect();
    Ok(ir::build(context, PROGRAM, inputs, &attributes, &results, vec![region], location)?)
}

/// Sizes beyond i64 are more than any machine has; the verifier refuses them.
fn number(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn ports_attribute<'c>(context: &'c Context, ports: &[Port], bytes: &[u64]) -> Attribute<'c> {
    let port = |(port, bytes): (&Port, &u64)| {
        let strides = port.strides.iter().map(|&stride| number(stride)).collect();
        nash::port(context, &nash::PortAttribute { name: port.name.clone(), bytes: number(*bytes), strides })
    };
    attribute::array(context, &ports.iter().zip(bytes).map(port).collect::<Vec<_>>())
}

fn port_type<'c>(context: &'c Context, port: &Port) -> Type<'c> {
    let tensor = BpuTensor::new(port.name.clone(), port.shape.clone(), port.element, port.scale.clone());
    bpu_mlir::tensor_type(context, &tensor)
}

/// The machine that a `nash.program` names.
///
/// # Errors
/// When an override is not of the form `field=value`.
pub fn march_of(operation: OperationRef<'_, '_>) -> Result<March, ProgramMirrorError> {
    let words = strings(operation, "overrides")?;
    let overrides = words.iter().map(|word| split_override(word).map_err(ProgramMirrorError::Program));
    Ok(March { name: operation.string("target")?, overrides: overrides.collect::<Result<_, _>>()? })
}

/// What a `nash.program` holds. The plan behind it is not kept in the IR and is empty.
///
/// # Errors
/// When an attribute has not the form that the model needs.
pub fn program_from_mlir<'a>(operation: OperationRef<'_, 'a>) -> Result<Lowered<'a>, ProgramMirrorError> {
    let constants: Cow<'a, [u8]> = match operation.attribute("constants") {
        Ok(attribute) => ir::elements_of(attribute).ok_or_else(|| missing("the bytes of its constants"))?.bytes,
        Err(_) => Cow::default(),
    };
    let (inputs, input_bytes) = ports(operation, "inputs", operation.operands().collect())?;
    let (outputs, output_bytes) = ports(operation, "outputs", ir::results(operation))?;
    let workspace = operation.integer("workspace")?;
    let mut program = Program {
        inputs: input_bytes,
        outputs: output_bytes,
        constants: constants.len() as u64,
        workspace: u64::try_from(workspace)
            .map_err(|_| ProgramMirrorError::Program(format!("workspace is {workspace}")))?,
        instructions: Vec::new(),
        names: strings(operation, "names")?,
    };
    let layers = layers(operation, program.names.len())?;
    let block = ir::body(operation).ok_or_else(|| missing("a body"))?;
    for (index, inner) in ir::operations(block).into_iter().enumerate() {
        let read = instruction_from_mlir(inner);
        program.instructions.push(read.map_err(|reason| ProgramMirrorError::Instruction { index, reason })?);
    }
    Ok(Lowered { program, constants, layers, inputs, outputs, plan: LoweringPlan::default() })
}

/// The ports of a program's operands, in order, and the bytes of their regions.
///
/// # Errors
/// When an attribute has not the form that the model needs.
pub fn input_ports(operation: OperationRef<'_, '_>) -> Result<Vec<(Port, u64)>, ProgramMirrorError> {
    let (ports, bytes) = ports(operation, "inputs", operation.operands().collect())?;
    Ok(ports.into_iter().zip(bytes).collect())
}

/// What the names of a program stand for: of each, or of none.
fn layers(operation: OperationRef<'_, '_>, names: usize) -> Result<Vec<LoweredLayer>, ProgramMirrorError> {
    let operators = strings(operation, "operators")?;
    let origins = origins(operation)?;
    let operations = if operation.has_attribute("operations") { operation.integers("operations")? } else { Vec::new() };
    let counts = [operators.len(), origins.len(), operations.len()];
    if counts == [0; 3] {
        return Ok(Vec::new());
    }
    if counts != [names; 3] {
        let [operators, origins, operations] = counts;
        return Err(ProgramMirrorError::Program(format!(
            "{operators} operators, {origins} lists of origins and {operations} numbers of operations are given for {names} names"
        )));
    }
    let layer = |((operator, origins), operations)| match u64::try_from(operations) {
        Ok(operations) => Ok(LoweredLayer { operator, origins, operations }),
        Err(_) => Err(ProgramMirrorError::Program(format!("{operations} operations are less than none"))),
    };
    operators.into_iter().zip(origins).zip(operations).map(layer).collect()
}

/// For each name the nodes of the user's network that went into it; none when there is no such attribute.
fn origins(operation: OperationRef<'_, '_>) -> Result<Vec<Vec<String>>, ProgramMirrorError> {
    let Ok(attribute) = operation.attribute("origins") else { return Ok(Vec::new()) };
    let wrong = || ProgramMirrorError::Program(format!("origins is {attribute}, no array of arrays of strings"));
    let elements = attribute::array_elements(attribute).ok_or_else(wrong)?;
    elements.into_iter().map(|element| texts(element).ok_or_else(wrong)).collect()
}

fn missing(what: &str) -> ProgramMirrorError {
    ProgramMirrorError::Program(format!("{what} is missing"))
}

/// The texts of an array; none when there is no such attribute.
fn strings(operation: OperationRef<'_, '_>, name: &str) -> Result<Vec<String>, ProgramMirrorError> {
    let Ok(attribute) = operation.attribute(name) else { return Ok(Vec::new()) };
    texts(attribute).ok_or_else(|| ProgramMirrorError::Program(format!("{name} is {attribute}, no array of strings")))
}

/// The texts of an array of strings.
fn texts(attribute: Attribute<'_>) -> Option<Vec<String>> {
    attribute::array_elements(attribute)?.into_iter().map(attribute::text).collect()
}

/// The ports of operands or results, and the bytes of their regions.
fn ports(
    operation: OperationRef<'_, '_>,
    name: &str,
    values: Vec<Value<'_, '_>>,
) -> Result<(Vec<Port>, Vec<u64>), ProgramMirrorError> {
    let attribute = operation.attribute(name).map_err(|_| missing(name))?;
    let elements = attribute::array_elements(attribute).ok_or_else(|| missing(name))?;
    if elements.len() != values.len() {
        return Err(ProgramMirrorError::Program(format!(
            "{name} has {} ports for {} tensors",
            elements.len(),
            values.len()
        )));
    }
    let read = |(element, value): (Attribute<'_>, Value<'_, '_>)| {
        let wrong = || ProgramMirrorError::Program(format!("{name} holds {element}, no port of {}", value.r#type()));
        let port = nash::port_of(element).ok_or_else(wrong)?;
        let tensor = bpu_mlir::tensor_of(value.r#type(), port.name)?;
        let strides: Option<Vec<u64>> = port.strides.iter().map(|&stride| u64::try_from(stride).ok()).collect();
        let (strides, bytes) = strides.zip(u64::try_from(port.bytes).ok()).ok_or_else(wrong)?;
        let end = extent(&tensor, &strides).ok_or_else(wrong)?;
        if end > bytes {
            return Err(ProgramMirrorError::Program(format!(
                "port '{}' takes {end} bytes, its region has {bytes}",
                tensor.name
            )));
        }
        let port =
            Port { name: tensor.name, shape: tensor.shape, element: tensor.element, scale: tensor.scale, strides };
        Ok((port, bytes))
    };
    Ok(elements.into_iter().zip(values).map(read).collect::<Result<Vec<_>, _>>()?.into_iter().unzip())
}

/// From the first byte of a tensor to the end of its last element; `None` when the strides are not one per dimension, or
/// it leaves 64 bits.
fn extent(tensor: &BpuTensor, strides: &[u64]) -> Option<u64> {
    if strides.len() != tensor.shape.len() {
        return None;
    }
    if tensor.shape.contains(&0) {
        return Some(0);
    }
    let start = u64::from(tensor.element.bytes());
    tensor
        .shape
        .iter()
        .zip(strides)
        .try_fold(start, |end, (&size, &stride)| end.checked_add(u64::try_from(size - 1).ok()?.checked_mul(stride)?))
}
