//! From segments to a `.hbm`.

use super::configuration::{Configuration, StoredParameter};
use crate::bpu::{self, mlir::MirrorError};
use crate::cpu::BoardObject;
use crate::float::preprocessing::deployed_layout;
use crate::frontend::{
    mlir::{self, MlirFileError},
    names::{FUNCTION, input_names, output_names},
};
use crate::hbm::{
    BpuSegment, Buffer, CpuSegment, ElementType, HbmBuilder, HbmError, Layer, Manifest, Parameter, SectionKind,
    Segment, SegmentBody, TensorDescription, Version, dense_strides, target_digest,
};
use crate::nash::{
    encode, isa,
    lower::{self, Lowered},
    mlir::{March, PROGRAM, march_of, program_from_mlir},
    tile,
};
use crate::target::Target;
use hb_dialects::ir::{self, Element, IrError, OperationAttributes, TensorType};
use melior::{
    Context,
    ir::{
        Block, BlockLike, BlockRef, Location, Module, OperationRef, Region, RegionLike, Type, Value, ValueLike,
        operation::OperationLike,
    },
};
use std::collections::{HashMap, HashSet};

/// Programs and constants start where a cache line of the host does.
const SECTION_ALIGNMENT: usize = 64;

/// Why a network could not be packaged.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    #[error(transparent)]
    Ir(#[from] IrError),
    #[error(transparent)]
    Mirror(#[from] MirrorError),
    #[error(transparent)]
    Lower(#[from] lower::LowerError),
    #[error(transparent)]
    Program(#[from] crate::nash::mlir::MirrorError),
    #[error("a program cannot be encoded: {0}")]
    Encode(String),
    #[error(transparent)]
    Hbm(#[from] HbmError),
    #[error(transparent)]
    Mlir(#[from] MlirFileError),
    #[error("the network {0}")]
    Network(String),
}

/// What the file says of the compilation.
pub struct Origin<'a> {
    pub model_name: String,
    pub prefix: &'a str,
    pub parameters: &'a [StoredParameter],
}

impl<'a> Origin<'a> {
    pub fn of(configuration: &'a Configuration) -> Self {
        let name = configuration.onnx_model.file_stem().map(|name| name.to_string_lossy().into_owned());
        Self {
            model_name: name.unwrap_or_default(),
            prefix: &configuration.output_model_file_prefix,
            parameters: &configuration.parameters,
        }
    }
}

/// The machine that the programs of a module's `main` are made for; `None` when it has none.
///
/// # Errors
/// When programs are made for different machines, or for one that is not known.
pub fn march_of_module(module: OperationRef<'_, '_>) -> Result<Option<March>, PackageError> {
    let block = ir::function_named(module, FUNCTION).and_then(ir::body);
    let mut found: Option<March> = None;
    for operation in block.map(ir::operations).unwrap_or_default() {
        if operation.operation_name() != PROGRAM {
            continue;
        }
        let march = march_of(operation)?;
        match &found {
            Some(first) if *first != march => {
                return Err(PackageError::Network(format!(
                    "has programs for different machines: {} and {}",
                    first.name, march.name
                )));
            }
            _ => found = Some(march),
        }
    }
    Ok(found)
}

/// Lowers every BPU segment of a module's `main` that is not lowered yet, and puts all into the bytes of a `.hbm`.
///
/// # Errors
/// When a segment cannot be lowered, naming the node.
pub fn package(
    context: &Context,
    module: OperationRef<'_, '_>,
    target: &Target,
    origin: &Origin<'_>,
) -> Result<Vec<u8>, PackageError> {
    let function = ir::function_named(module, FUNCTION)
        .ok_or_else(|| PackageError::Network(format!("has no function @{FUNCTION}")))?;
    let block = ir::body(function).ok_or_else(|| PackageError::Network("has no body".into()))?;
    let mut package = Package {
        context,
        target,
        builder: HbmBuilder::new(),
        buffers: Vec::new(),
        known: HashMap::new(),
        segments: Vec::new(),
        layers: Vec::new(),
        layer_names: HashSet::new(),
    };
    let mut inputs = Vec::new();
    for (index, (argument, name)) in ir::arguments(block).into_iter().zip(input_names(function)).enumerate() {
        let mut input = package.describe(argument, name)?;
        let layout = deployed_layout(function, index);
        if !layout.is_empty() {
            input.layout = layout;
        }
        inputs.push(input);
    }
    for operation in ir::operations(block) {
        match operation.operation_name().as_str() {
            "bpu.segment" => package.add_bpu(operation)?,
            PROGRAM => package.add_program(operation)?,
            "cpu.segment" => package.add_cpu(operation)?,
            "func.return" => {}
            other => return Err(PackageError::Network(format!("holds '{other}' outside of a segment"))),
        }
    }
    let end = block.terminator().ok_or_else(|| PackageError::Network("has no end".into()))?;
    let mut outputs = Vec::new();
    for (value, name) in end.operands().collect::<Vec<_>>().into_iter().zip(output_names(function)) {
        outputs.push(package.describe(value, name)?);
    }
    let manifest = Manifest {
        versions: versions(),
        model_name: origin.model_name.clone(),
        prefix: origin.prefix.to_owned(),
        march: target.name.clone(),
        target_digest: target_digest(target),
        parameters: origin.parameters.iter().filter(|stored| stored.shapes_results()).map(parameter).collect(),
        inputs,
        outputs,
        buffers: package.buffers,
        segments: package.segments,
        layers: package.layers,
    };
    Ok(package.builder.finish(&manifest)?)
}

fn versions() -> Vec<Version> {
    let version = |name: &str, version: &str| Version { name: name.into(), version: version.into() };
    vec![version("hb", env!("CARGO_PKG_VERSION")), version("mlir", "22")]
}

fn parameter(stored: &StoredParameter) -> Parameter {
    let (group, name) = stored.key.split_once('.').unwrap_or(("", &stored.key));
    Parameter {
        group: group.to_owned(),
        name: name.to_owned(),
        given: stored.given.clone(),
        effective: stored.effective.clone(),
    }
}

struct Package<'x> {
    context: &'x Context,
    target: &'x Target,
    builder: HbmBuilder,
    buffers: Vec<Buffer>,
    known: HashMap<usize, usize>,
    segments: Vec<Segment>,
    layers: Vec<Layer>,
    /// Names of the layers of programs.
    layer_names: HashSet<String>,
}

/// The element type in which the runtime stores a value.
fn stored(element: &Element) -> Result<ElementType, PackageError> {
    Ok(match element {
        Element::F16 => ElementType::F16,
        Element::F32 => ElementType::F32,
        Element::F64 => ElementType::F64,
        Element::I8 => ElementType::I8,
        Element::U8 => ElementType::U8,
        Element::I16 => ElementType::I16,
        Element::U16 => ElementType::U16,
        Element::I32 => ElementType::I32,
        Element::U32 => ElementType::U32,
        Element::I64 => ElementType::I64,
        Element::U64 => ElementType::U64,
        Element::Bool => ElementType::Bool,
        Element::Quantized(quantized) => stored(&quantized.storage())?,
    })
}

impl Package<'_> {
    fn buffer(&mut self, value: Value<'_, '_>, name: &str) -> Result<usize, PackageError> {
        let key = value.to_raw().ptr as usize;
        if let Some(&known) = self.known.get(&key) {
            return Ok(known);
        }
        let r#type = TensorType::from_type(value.r#type())?;
        let dims = r#type.static_shape()?;
        let element_type = stored(&r#type.element)?;
        let bytes = dims.iter().try_fold(element_type.bytes(), |bytes, &size| bytes.checked_mul(size));
        let bytes = bytes.ok_or_else(|| PackageError::Network(format!("has a value '{name}' that is too large")))?;
        self.buffers.push(Buffer { name: name.to_owned(), bytes, element_type, dims });
        self.known.insert(key, self.buffers.len() - 1);
        Ok(self.buffers.len() - 1)
    }

    fn describe(&mut self, value: Value<'_, '_>, name: String) -> Result<TensorDescription, PackageError> {
        let buffer = self.buffer(value, &name)?;
        let (dims, element_type) = match self.buffers.get(buffer) {
            Some(known) => (known.dims.clone(), known.element_type),
            None => return Err(PackageError::Network(format!("has no buffer for '{name}'"))),
        };
        let strides = dense_strides(&dims, element_type);
        let strides =
            strides.ok_or_else(|| PackageError::Network(format!("has a value '{name}' that is too large")))?;
        let layout = if dims.len() == 4 { "NCHW".to_owned() } else { String::new() };
        Ok(TensorDescription { name, dims, element_type, strides, quantization: None, layout, buffer })
    }

    /// The name of a segment's location, or its number.
    fn segment_name(&self, operation: OperationRef<'_, '_>) -> String {
        let name = Some(operation.node()).filter(|name| !name.is_empty());
        name.unwrap_or_else(|| format!("segment_{}", self.segments.len()))
    }

    /// Buffers of a segment's operands and results.
    fn bind(&mut self, operation: OperationRef<'_, '_>) -> Result<(Vec<usize>, Vec<usize>), PackageError> {
        let name = self.segment_name(operation);
        let mut inputs = Vec::new();
        for (index, operand) in operation.operands().enumerate().collect::<Vec<_>>() {
            inputs.push(self.buffer(operand, &format!("{name}/input_{index}"))?);
        }
        let mut outputs = Vec::new();
        for (index, result) in ir::results(operation).into_iter().enumerate() {
            outputs.push(self.buffer(result, &format!("{name}/output_{index}"))?);
        }
        Ok((inputs, outputs))
    }

    fn add_bpu(&mut self, operation: OperationRef<'_, '_>) -> Result<(), PackageError> {
        let segment = bpu::mlir::from_mlir(operation)?;
        let lowered = lower::lower(&segment, &tile::machine::Machine::from(self.target))?;
        self.add_layers(&segment, &lowered.program);
        self.add_lowered(operation, lowered)
    }

    /// A segment that is lowered already.
    fn add_program(&mut self, operation: OperationRef<'_, '_>) -> Result<(), PackageError> {
        let lowered = program_from_mlir(operation)?;
        self.add_program_layers(&lowered.program);
        self.add_lowered(operation, lowered)
    }

    fn add_lowered(&mut self, operation: OperationRef<'_, '_>, lowered: Lowered) -> Result<(), PackageError> {
        let (inputs, outputs) = self.bind(operation)?;
        let program = encode::encode(&lowered.program).map_err(|error| PackageError::Encode(error.to_string()))?;
        let program_section = self.builder.add_section(SectionKind::Program, SECTION_ALIGNMENT, program);
        let workspace_bytes = usize::try_from(lowered.program.workspace)
            .map_err(|_| PackageError::Network("needs a workspace that is too large".into()))?;
        let constants_section = (!lowered.constants.is_empty())
            .then(|| self.builder.add_section(SectionKind::Constants, SECTION_ALIGNMENT, lowered.constants));
        self.segments.push(Segment {
            name: self.segment_name(operation),
            inputs,
            outputs,
            body: SegmentBody::Bpu(BpuSegment { program_section, constants_section, workspace_bytes }),
        });
        Ok(())
    }

    /// Whether a layer of that name is new.
    fn is_new_layer(&mut self, name: &str) -> bool {
        self.layer_names.insert(name.to_owned())
    }

    fn add_layers(&mut self, segment: &bpu::model::Segment, program: &isa::Program) {
        let mut nodes: HashMap<&str, &bpu::model::Node> = HashMap::new();
        for node in &segment.nodes {
            nodes.entry(&node.name).or_insert(node);
        }
        for name in &program.names {
            let Some(node) = nodes.get(name.as_str()) else { continue };
            if self.is_new_layer(name) {
                self.layers.push(Layer {
                    name: name.clone(),
                    operator_type: node.operator.name().to_owned(),
                    segment: self.segments.len(),
                    origins: vec![name.split('/').next().unwrap_or_default().to_owned()],
                    operations: operations(segment, node),
                });
            }
        }
    }

    /// The layers of a program whose segment is no longer known: named by the first instruction that is no transfer.
    fn add_program_layers(&mut self, program: &isa::Program) {
        let mut by_source: Vec<Vec<&isa::Instruction>> = vec![Vec::new(); program.names.len()];
        for instruction in &program.instructions {
            if let Some(own) = by_source.get_mut(instruction.source as usize) {
                own.push(instruction);
            }
        }
        for (name, own) in program.names.iter().zip(by_source) {
            let computes = |instruction: &&&isa::Instruction| {
                !matches!(instruction.engine(), isa::Engine::Load | isa::Engine::Store | isa::Engine::Dte)
            };
            let Some(first) = own.iter().find(computes).or(own.first()) else { continue };
            if !self.is_new_layer(name) {
                continue;
            }
            self.layers.push(Layer {
                name: name.clone(),
                operator_type: first.operation.mnemonic().to_owned(),
                segment: self.segments.len(),
                origins: vec![name.split('/').next().unwrap_or_default().to_owned()],
                operations: own
                    .iter()
                    .fold(0u64, |sum, instruction| sum.saturating_add(instruction_operations(instruction))),
            });
        }
    }

    fn add_cpu(&mut self, operation: OperationRef<'_, '_>) -> Result<(), PackageError> {
        let (inputs, outputs) = self.bind(operation)?;
        let name = self.segment_name(operation);
        let ir = cpu_module(self.context, operation, &name)?;
        let ir_section = self.builder.add_section(SectionKind::CpuIr, SECTION_ALIGNMENT, ir);
        let object_section = match BoardObject::compile(operation, &name) {
            Ok(board) => Some(self.builder.add_section(SectionKind::CpuObject, SECTION_ALIGNMENT, board.object)),
            Err(error) => {
                tracing::warn!("segment '{name}' has no code for the board: {error}");
                None
            }
        };
        for inner in ir::body(operation).map(ir::operations).unwrap_or_default() {
            let name = inner.operation_name();
            if name.starts_with("hfloat.") && name != "hfloat.constant" {
                self.layers.push(Layer {
                    name: inner.node(),
                    operator_type: name.trim_start_matches("hfloat.").to_owned(),
                    segment: self.segments.len(),
                    origins: vec![inner.node()],
                    operations: 0,
                });
            }
        }
        self.segments.push(Segment {
            name: name.clone(),
            inputs,
            outputs,
            body: SegmentBody::Cpu(CpuSegment { ir_section, object_section, entry: name }),
        });
        Ok(())
    }
}

/// Twice the multiply-accumulates of a convolution or product.
fn operations(segment: &bpu::model::Segment, node: &bpu::model::Node) -> u64 {
    let shape = |id: Option<&bpu::model::TensorId>| {
        id.and_then(|id| segment.tensor(*id)).map(|tensor| tensor.shape.clone()).unwrap_or_default()
    };
    let output: u64 = shape(node.outputs.first()).iter().map(|&size| size as u64).product();
    let depth = match node.operator.name() {
        "conv2d" => shape(node.inputs.get(1)).iter().skip(1).map(|&size| size as u64).product(),
        "matmul" => shape(node.inputs.first()).last().map_or(0, |&size| size as u64),
        _ => 0,
    };
    output.saturating_mul(depth).saturating_mul(2)
}

/// Twice the multiply-accumulates of an instruction.
fn instruction_operations(instruction: &isa::Instruction) -> u64 {
    let isa::Operation::Convolution(convolution) = &instruction.operation else { return 0 };
    let channels = if convolution.depthwise { 1 } else { convolution.input_shape[3] };
    let factors = convolution.output_shape.iter().chain(&convolution.window.kernel).chain([&channels, &2]);
    factors.fold(1u64, |product, &factor| product.saturating_mul(u64::from(factor)))
}

/// Bytecode of a module whose function `entry` computes what a `cpu.segment` does.
fn cpu_module(context: &Context, segment: OperationRef<'_, '_>, entry: &str) -> Result<Vec<u8>, PackageError> {
    let body = ir::body(segment).ok_or_else(|| PackageError::Network("has a CPU segment without body".into()))?;
    let location = segment.location();
    let arguments: Vec<(Type<'_>, Location<'_>)> =
        ir::arguments(body).iter().map(|argument| (argument.r#type(), location)).collect();
    let block = Block::new(&arguments);
    // SAFETY: the block lives in the module that is built from it below.
    let inside = unsafe { BlockRef::from_raw(block.to_raw()) };
    let mut known: HashMap<usize, Value<'_, '_>> = HashMap::new();
    for (index, old) in ir::arguments(body).into_iter().enumerate() {
        let new = block.argument(index).map_err(|error| PackageError::Network(error.to_string()))?;
        known.insert(old.to_raw().ptr as usize, new.into());
    }
    let mut results = Vec::new();
    for operation in ir::operations(body) {
        let operands: Option<Vec<_>> =
            operation.operands().map(|operand| known.get(&(operand.to_raw().ptr as usize)).copied()).collect();
        let operands =
            operands.ok_or_else(|| PackageError::Network("has a CPU segment that reads from outside".into()))?;
        if operation.operation_name() == "cpu.yield" {
            results = operands.iter().map(|operand| operand.r#type()).collect();
            block.append_operation(ir::build(context, "func.return", &operands, &[], &[], vec![], location)?);
            break;
        }
        let copy = ir::copy_into(inside, operation, operands);
        for (old, new) in ir::results(operation).into_iter().zip(ir::results(copy)) {
            known.insert(old.to_raw().ptr as usize, new);
        }
    }
    let types: Vec<_> = arguments.iter().map(|(r#type, _)| *r#type).collect();
    let function_type = melior::ir::r#type::FunctionType::new(context, &types, &results);
    let region = Region::new();
    region.append_block(block);
    let attributes = [
        ("sym_name", ir::attribute::string(context, entry)),
        ("function_type", melior::ir::attribute::TypeAttribute::new(function_type.into()).into()),
    ];
    let function = ir::build(context, "func.func", &[], &attributes, &[], vec![region], location)?;
    let module = Module::new(location);
    module.body().append_operation(function);
    Ok(mlir::bytecode(module.as_operation())?)
}
