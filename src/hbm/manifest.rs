//! The manifest as plain Rust data: what a `.hbm` says about its model. `wire.rs` converts it to and from protobuf.

use hb_dialects::ElementType;
use hb_dialects::ir::{Element, Scale, TensorType};

/// Everything about a compiled model except its bulk. Indices refer to the vectors beside them; sections count from the manifest
/// itself, which is section 0.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Manifest {
    /// Of the parts that decide what the file means.
    pub versions: Vec<Version>,
    /// Name of the network as its source file gives it; may be empty.
    pub model_name: String,
    /// `output_model_file_prefix` of the configuration.
    pub prefix: String,
    /// Target architecture, such as `nash-e`.
    pub march: String,
    /// SHA-256 of the target's numbers that the program was scheduled for.
    pub target_digest: [u8; 32],
    /// Every configuration parameter, in the order of the configuration table.
    pub parameters: Vec<ModelParameter>,
    /// What the model is given, in order.
    pub inputs: Vec<TensorDescription>,
    /// What the model gives, in order.
    pub outputs: Vec<TensorDescription>,
    /// All memory that a run needs beside the file.
    pub buffers: Vec<Buffer>,
    /// In the order of execution.
    pub segments: Vec<SegmentDescription>,
    /// Instructions of a program belong to layers by name.
    pub layers: Vec<Layer>,
}

/// Version of one part that decides what the file means, such as `nash-isa` or `numerics`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The part.
    pub name: String,
    /// As it calls itself.
    pub version: String,
}

/// A parameter of the configuration that shaped the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelParameter {
    /// As the configuration calls it.
    pub group: String,
    /// Unique over the groups.
    pub name: String,
    /// As written in the configuration; none when the default was taken.
    pub given: Option<String>,
    /// What the compiler went by.
    pub effective: String,
}

/// real = (stored - zero point) * scale.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorQuantization {
    /// One for the tensor, or one per index along `axis`.
    pub scales: Vec<f64>,
    /// As many as `scales`.
    pub zero_points: Vec<i64>,
    /// The dimension that `scales` go along; none for one scale.
    pub axis: Option<usize>,
}

impl TensorQuantization {
    /// What the integers of a tensor mean; none where it is not quantized.
    pub fn of(r#type: &TensorType) -> Option<Self> {
        let Element::Quantized(quantized) = &r#type.element else { return None };
        let (scales, axis) = match &quantized.scale {
            Scale::PerTensor(affine) => (vec![affine.scale], None),
            Scale::PerAxis { axis, scales } => (scales.clone(), Some(*axis)),
        };
        Some(Self { zero_points: vec![quantized.scale.zero_point().into(); scales.len()], scales, axis })
    }
}

/// An input or an output of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorDescription {
    /// As the user's model calls it.
    pub name: String,
    /// Sizes, outermost first; the largest ones, where `sizes_buffer` holds the actual ones, or `region` is given.
    pub dims: Vec<usize>,
    /// How each element is stored.
    pub element_type: ElementType,
    /// Distance in bytes between neighbours along each dimension; [`dense_strides`] where nothing is padded.
    pub strides: Vec<usize>,
    /// What integers mean; none for plain numbers.
    pub quantization: Option<TensorQuantization>,
    /// `NCHW`, `NHWC`, or empty when nothing says it.
    pub layout: String,
    /// Index into [`Manifest::buffers`].
    pub buffer: usize,
    /// Index of the buffer that holds the actual size of each dimension as int64, when they are known only after a run.
    pub sizes_buffer: Option<usize>,
    /// Of a plane of a picture, index into [`Manifest::inputs`] of the int32 input that says which region of the picture is taken. The picture
    /// may be smaller than the sizes; what lies beyond it is not looked at.
    pub region: Option<usize>,
    /// Of an output that shows an inner layer, and is none of the network: the node whose value it is.
    pub layer: Option<String>,
}

/// Named memory that tensors and segments refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buffer {
    /// Unique in the model.
    pub name: String,
    /// Its size.
    pub bytes: usize,
    /// Of the contents.
    pub element_type: ElementType,
    /// Dense row-major shape of the contents when known; empty otherwise.
    pub dims: Vec<usize>,
}

/// A part of the model that runs in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentDescription {
    /// Unique in the model.
    pub name: String,
    /// Buffers read, in the order of the program's input regions or the function's arguments.
    pub inputs: Vec<usize>,
    /// Buffers written, in the order of the program's output regions or the function's results.
    pub outputs: Vec<usize>,
    /// What runs.
    pub body: SegmentBody,
}

/// Where a segment runs, and what of the file runs there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentBody {
    /// On the BPU.
    Bpu(BpuSegment),
    /// On the CPU.
    Cpu(CpuSegment),
}

/// A program of the BPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BpuSegment {
    /// The section of encoded instructions.
    pub program_section: usize,
    /// The section that its region of constants is; none where it has no constants.
    pub constants_section: Option<usize>,
    /// Scratch memory in DDR.
    pub workspace_bytes: usize,
}

/// A function of the CPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuSegment {
    /// MLIR bytecode; the simulator makes its own code from it.
    pub ir_section: usize,
    /// AArch64 object for the board; never run here.
    pub object_section: Option<usize>,
    /// Symbol of the function in the IR and in the object.
    pub entry: String,
}

/// A node that instructions belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Name of the node that the lower level made of it, unique in the model.
    pub name: String,
    /// On the CPU as ONNX calls it, such as `Softmax`; on the BPU the operation of the `bpu` dialect, such as `conv2d`.
    pub operator_type: String,
    /// Index into [`Manifest::segments`].
    pub segment: usize,
    /// Nodes of the user's model that the layer was made from.
    pub origins: Vec<String>,
    /// Twice the multiply-accumulates of convolutions and matrix products; 0 for everything else.
    pub operations: u64,
}

/// Strides in bytes of a row-major tensor without padding; `None` when the tensor's size does not fit the address space.
pub fn dense_strides(dims: &[usize], element_type: ElementType) -> Option<Vec<usize>> {
    let mut strides = vec![0; dims.len()];
    let mut stride = element_type.bytes();
    for (slot, &dim) in strides.iter_mut().zip(dims).rev() {
        *slot = stride;
        // An empty dimension has the strides of one with one index.
        stride = stride.checked_mul(dim.max(1))?;
    }
    Some(strides)
}

impl TensorDescription {
    /// Bytes from the first to behind the last element; `None` when that does not fit the address space.
    pub fn extent(&self) -> Option<usize> {
        if self.dims.contains(&0) {
            return Some(0);
        }
        self.dims.iter().zip(&self.strides).try_fold(self.element_type.bytes(), |extent, (&dim, &stride)| {
            extent.checked_add((dim - 1).checked_mul(stride)?)
        })
    }
}
