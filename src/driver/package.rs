//! From segments to a `.hbm`.

use super::configuration::{Configuration, MARCH, OUTPUT_MODEL_FILE_PREFIX, StoredParameter};
use crate::cpu::{BoardObject, segment_module};
use crate::frontend::mlir::{self, MlirFileError};
use crate::hbm::{
    BpuSegment, Buffer, CpuSegment, HbmBuilder, HbmError, Layer, Manifest, ModelParameter, SectionKind, SegmentBody,
    SegmentDescription, TensorDescription, TensorQuantization, Version, dense_strides, target_digest,
};
use crate::nash::{
    encode,
    lower::Lowered,
    mlir::{March, PROGRAM, ProgramMirrorError, input_ports, march_of, program_from_mlir},
};
use crate::sim::regions::regions;
use crate::target::TargetError;
use hb_dialects::hfloat::Op;
use hb_dialects::ir::{self, IrError, OperationAttributes, Origin, TensorType, attribute};
use hb_dialects::names::{FUNCTION, LAYER, LAYOUT, input_names, output_names};
use hb_dialects::{ElementType, bpu, cpu};
use melior::{
    Context,
    ir::{Attribute, BlockLike, BlockRef, OperationRef, Value, ValueLike, operation::OperationLike},
};
use std::collections::HashMap;

const CPU_SEGMENT: &str = cpu::Op::Segment.name();
const BPU_SEGMENT: &str = bpu::Op::Segment.name();

/// Programs and constants start where a cache line of the host does.
const SECTION_ALIGNMENT: usize = 64;

/// Why a network could not be packaged.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum PackageError {
    #[error(transparent)]
    Ir(#[from] IrError),
    #[error(transparent)]
    Program(#[from] ProgramMirrorError),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(
        "the module has no nash.program, so its machine is not known; run the pipeline bpu-to-nash of hb-opt first, or give --config"
    )]
    NoProgram,
    #[error("the programs are made for {0}, but the configuration says {1}")]
    OtherMarch(String, String),
    #[error("a program cannot be encoded: {0}")]
    Encode(String),
    #[error(transparent)]
    Hbm(#[from] HbmError),
    #[error(transparent)]
    Mlir(#[from] MlirFileError),
    #[error("the network {0}")]
    Network(String),
    #[error(
        "segment '{segment}' is not lowered to a program of the machine yet; run the pipeline bpu-to-nash of hb-opt first"
    )]
    NotLowered { segment: String },
    #[error(
        "'{operation}' of segment '{segment}' has no name, which its location would hold; with --mlir-print-debuginfo hb-opt keeps locations"
    )]
    Unnamed { segment: String, operation: String },
}

/// What the file says of the compilation.
#[derive(Default)]
pub struct Compilation<'a> {
    /// The machine; without one it is that of the programs.
    pub march: Option<March>,
    /// Of the source file, without its ending.
    pub model_name: String,
    /// What the names of results start with.
    pub prefix: &'a str,
    /// Of the configuration.
    pub parameters: &'a [StoredParameter],
}

impl<'a> Compilation<'a> {
    /// What a configuration says of it.
    pub fn of(configuration: &'a Configuration) -> Self {
        let name = configuration.model_files().model.file_stem().map(|name| name.to_string_lossy().into_owned());
        Self {
            march: Some(March { name: configuration.get(&MARCH).clone(), overrides: Vec::new() }),
            model_name: name.unwrap_or_default(),
            prefix: configuration.get(&OUTPUT_MODEL_FILE_PREFIX).as_str(),
            parameters: &configuration.parameters,
        }
    }
}

/// The machine that the programs of a block are made for; `None` when it has none.
///
/// # Errors
/// When programs are made for different machines, or for one that is not known.
fn march_of_block(block: BlockRef<'_, '_>) -> Result<Option<March>, PackageError> {
    let mut found: Option<March> = None;
    for operation in ir::operations(block) {
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

/// Puts the programs and CPU segments of a module's `main` into the bytes of a `.hbm`.
///
/// # Errors
/// When something else is left in it, or a program is made for another machine than `compilation` says.
pub fn package(
    context: &Context,
    module: OperationRef<'_, '_>,
    compilation: &Compilation<'_>,
) -> Result<Vec<u8>, PackageError> {
    let function = ir::function_named(module, FUNCTION)
        .ok_or_else(|| PackageError::Network(format!("has no function @{FUNCTION}")))?;
    let block = ir::body(function).ok_or_else(|| PackageError::Network("has no body".into()))?;
    let target = match (march_of_block(block)?, &compilation.march) {
        (Some(made), Some(said)) if made != *said => {
            return Err(PackageError::OtherMarch(made.to_string(), said.to_string()));
        }
        (Some(march), _) => march.target()?,
        (None, Some(march)) => march.target()?,
        (None, None) => return Err(PackageError::NoProgram),
    };
    let mut package = Package {
        context,
        builder: HbmBuilder::new(),
        buffers: Vec::new(),
        known: HashMap::new(),
        strided: strided_inputs(block)?,
        segments: Vec::new(),
        layers: Vec::new(),
    };
    let mut inputs = Vec::new();
    let regions = regions(function).map_err(PackageError::Network)?;
    for (index, (argument, name)) in ir::arguments(block).into_iter().zip(input_names(function)).enumerate() {
        let described = package.describe(argument, name, ir::argument_attribute(function, index, LAYOUT))?;
        let region = regions.iter().find(|(plane, _)| *plane == index).map(|(_, region)| *region);
        inputs.push(TensorDescription { region, ..described });
    }
    for operation in ir::operations(block) {
        match operation.operation_name().as_str() {
            PROGRAM => package.add_program(operation)?,
            CPU_SEGMENT => package.add_cpu(operation)?,
            BPU_SEGMENT => return Err(PackageError::NotLowered { segment: package.segment_name(operation) }),
            "func.return" => {}
            other => {
                return Err(PackageError::Network(format!(
                    "holds '{other}' outside of a segment; run the pipelines qdq-to-bpu and bpu-to-nash of hb-opt first"
                )));
            }
        }
    }
    let end = block.terminator().ok_or_else(|| PackageError::Network("has no end".into()))?;
    let mut outputs = Vec::new();
    for (index, (value, name)) in end.operands().collect::<Vec<_>>().into_iter().zip(output_names(function)).enumerate()
    {
        let described = package.describe(value, name, ir::result_attribute(function, index, LAYOUT))?;
        let layer = ir::result_attribute(function, index, LAYER).and_then(attribute::text);
        outputs.push(TensorDescription { layer, ..described });
    }
    let manifest = Manifest {
        versions: versions(),
        model_name: compilation.model_name.clone(),
        prefix: compilation.prefix.to_owned(),
        march: target.name.clone(),
        target_digest: target_digest(&target),
        parameters: compilation
            .parameters
            .iter()
            .filter(|stored| stored.parameter.shapes_results)
            .map(parameter)
            .collect(),
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

fn parameter(stored: &StoredParameter) -> ModelParameter {
    ModelParameter {
        group: stored.parameter.group.name().to_owned(),
        name: stored.parameter.name.to_owned(),
        given: stored.given.clone(),
        effective: stored.effective.clone(),
    }
}

struct Package<'a> {
    context: &'a Context,
    builder: HbmBuilder<'a>,
    buffers: Vec<Buffer>,
    known: HashMap<usize, Stored>,
    /// The values that programs see with gaps.
    strided: HashMap<usize, Strided>,
    segments: Vec<SegmentDescription>,
    layers: Vec<Layer>,
}

/// How a value with gaps lies in its buffer.
struct Strided {
    /// Bytes between neighbours, per dimension.
    strides: Vec<usize>,
    /// Of the buffer.
    bytes: usize,
}

/// The operands of programs that have gaps, such as between the rows of a camera's planes.
fn strided_inputs(block: BlockRef<'_, '_>) -> Result<HashMap<usize, Strided>, PackageError> {
    let too_large = || PackageError::Network("has an input that is too large".into());
    let mut found = HashMap::new();
    for operation in ir::operations(block).into_iter().filter(|operation| operation.operation_name() == PROGRAM) {
        for (value, (port, bytes)) in operation.operands().collect::<Vec<_>>().into_iter().zip(input_ports(operation)?)
        {
            let strides: Result<Vec<usize>, _> = port.strides.iter().map(|stride| usize::try_from(*stride)).collect();
            let strides = strides.map_err(|_| too_large())?;
            if dense_strides(&port.shape, port.element.into()).as_ref() != Some(&strides) {
                let bytes = usize::try_from(bytes).map_err(|_| too_large())?;
                found.insert(ir::address(value), Strided { strides, bytes });
            }
        }
    }
    Ok(found)
}

/// The buffers of a value.
#[derive(Clone, Copy)]
struct Stored {
    buffer: usize,
    /// That of its actual sizes, when they are known only when the network runs.
    sizes: Option<usize>,
}

impl<'a> Package<'a> {
    fn buffer(&mut self, value: Value<'_, '_>, name: &str) -> Result<Stored, PackageError> {
        let key = ir::address(value);
        if let Some(&known) = self.known.get(&key) {
            return Ok(known);
        }
        let r#type = TensorType::from_type(value.r#type())?;
        let dims = r#type.bound_shape().map_or_else(|| r#type.static_shape(), Ok)?;
        let element_type = r#type.element.storage();
        let bytes = dims.iter().try_fold(element_type.bytes(), |bytes, &size| bytes.checked_mul(size));
        let bytes = bytes.ok_or_else(|| PackageError::Network(format!("has a value '{name}' that is too large")))?;
        let rank = dims.len();
        let (bytes, dims) = match self.strided.get(&key) {
            Some(strided) => (strided.bytes, Vec::new()),
            None => (bytes, dims),
        };
        self.buffers.push(Buffer { name: name.to_owned(), bytes, element_type, dims });
        let buffer = self.buffers.len() - 1;
        let sizes = r#type.is_bounded().then(|| {
            let (name, element_type) = (format!("{name}/sizes"), ElementType::I64);
            self.buffers.push(Buffer { name, bytes: rank * element_type.bytes(), element_type, dims: vec![rank] });
            self.buffers.len() - 1
        });
        self.known.insert(key, Stored { buffer, sizes });
        Ok(Stored { buffer, sizes })
    }

    /// An input or output; `layout` is what the function says of it.
    fn describe(
        &mut self,
        value: Value<'_, '_>,
        name: String,
        layout: Option<Attribute<'_>>,
    ) -> Result<TensorDescription, PackageError> {
        let Stored { buffer, sizes: sizes_buffer } = self.buffer(value, &name)?;
        let r#type = TensorType::from_type(value.r#type())?;
        let dims = r#type.bound_shape().map_or_else(|| r#type.static_shape(), Ok)?;
        let element_type = r#type.element.storage();
        let strides = match self.strided.get(&ir::address(value)) {
            Some(strided) => Some(strided.strides.clone()),
            None => dense_strides(&dims, element_type),
        };
        let strides =
            strides.ok_or_else(|| PackageError::Network(format!("has a value '{name}' that is too large")))?;
        let layout = layout.and_then(attribute::text).unwrap_or_default();
        let quantization = TensorQuantization::of(&TensorType::from_type(value.r#type())?);
        Ok(TensorDescription {
            name,
            dims,
            element_type,
            strides,
            quantization,
            layout,
            buffer,
            sizes_buffer,
            region: None,
            layer: None,
        })
    }

    /// The name of a segment's location, or its number.
    fn segment_name(&self, operation: OperationRef<'_, '_>) -> String {
        let name = Some(operation.node()).filter(|name| !name.is_empty());
        name.unwrap_or_else(|| format!("segment_{}", self.segments.len()))
    }

    /// Buffers of a segment's operands and results: of the values, then of their sizes.
    fn bind(&mut self, operation: OperationRef<'_, '_>) -> Result<(Vec<usize>, Vec<usize>), PackageError> {
        let name = self.segment_name(operation);
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for (index, operand) in operation.operands().enumerate().collect::<Vec<_>>() {
            inputs.push(self.buffer(operand, &format!("{name}/input_{index}"))?);
        }
        for (index, result) in ir::results(operation).into_iter().enumerate() {
            outputs.push(self.buffer(result, &format!("{name}/output_{index}"))?);
        }
        let all = |stored: &[Stored]| {
            let values = stored.iter().map(|stored| stored.buffer);
            values.chain(stored.iter().filter_map(|stored| stored.sizes)).collect()
        };
        Ok((all(&inputs), all(&outputs)))
    }

    fn add_program(&mut self, operation: OperationRef<'_, 'a>) -> Result<(), PackageError> {
        let lowered = program_from_mlir(operation)?;
        self.add_layers(&lowered);
        let (inputs, outputs) = self.bind(operation)?;
        let program = encode::encode(&lowered.program).map_err(|error| PackageError::Encode(error.to_string()))?;
        let program_section = self.builder.add_section(SectionKind::Program, SECTION_ALIGNMENT, program);
        let workspace_bytes = usize::try_from(lowered.program.workspace)
            .map_err(|_| PackageError::Network("needs a workspace that is too large".into()))?;
        let constants_section = (!lowered.constants.is_empty())
            .then(|| self.builder.add_section(SectionKind::Constants, SECTION_ALIGNMENT, lowered.constants));
        self.segments.push(SegmentDescription {
            name: self.segment_name(operation),
            inputs,
            outputs,
            body: SegmentBody::Bpu(BpuSegment { program_section, constants_section, workspace_bytes }),
        });
        Ok(())
    }

    fn add_layers(&mut self, lowered: &Lowered<'_>) {
        for (name, layer) in lowered.program.names.iter().zip(&lowered.layers) {
            // Copies to outputs are no layer.
            if !layer.operator.is_empty() {
                self.layers.push(Layer {
                    name: name.clone(),
                    operator_type: layer.operator.clone(),
                    segment: self.segments.len(),
                    origins: layer.origins.clone(),
                    operations: layer.operations,
                });
            }
        }
    }

    fn add_cpu(&mut self, operation: OperationRef<'_, '_>) -> Result<(), PackageError> {
        let (inputs, outputs) = self.bind(operation)?;
        let name = self.segment_name(operation);
        let ir = mlir::bytecode(segment_module(self.context, operation, &name)?.as_operation())?;
        let ir_section = self.builder.add_section(SectionKind::CpuIr, SECTION_ALIGNMENT, ir);
        let object_section = match BoardObject::compile(operation, &name) {
            Ok(board) => Some(self.builder.add_section(SectionKind::CpuObject, SECTION_ALIGNMENT, board.object)),
            Err(error) => {
                tracing::warn!("segment '{name}' has no code for the board, so only the simulator runs it: {error}");
                None
            }
        };
        for inner in ir::body(operation).map(ir::operations).unwrap_or_default() {
            let Some(op) = Op::of(inner).filter(|op| *op != Op::Constant) else { continue };
            let Origin { name: layer, nodes: origins } = inner.origin();
            if layer.is_empty() {
                return Err(PackageError::Unnamed { segment: name, operation: inner.operation_name() });
            }
            let operator_type = op.onnx().name.to_owned();
            self.layers.push(Layer {
                name: layer,
                operator_type,
                segment: self.segments.len(),
                origins,
                operations: 0,
            });
        }
        self.segments.push(SegmentDescription {
            name: name.clone(),
            inputs,
            outputs,
            body: SegmentBody::Cpu(CpuSegment { ir_section, object_section, entry: name }),
        });
        Ok(())
    }
}
