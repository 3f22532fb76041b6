//! The plain data model of the `bpu` level: what a `bpu.segment` holds, without MLIR.
//!
//! The `bpu` dialect mirrors it operator by operator; the interpreter, the constraints, tiling and cost use only this.
//! Images are NHWC, convolution weights OHWI; other operators take any rank up to [`MAX_RANK`] in the order of
//! their shapes. All arithmetic follows from the scales by `docs/numerics.md`; nothing here holds a multiplier.

mod element;
mod shape;
mod types;
mod vector;
mod verify;

use std::sync::Arc;

use hb_dialects::bpu::Op;
use hb_dialects::ir::{Affine, Origin};

use crate::numerics::LookupTable;
pub use crate::numerics::{Clamp, Curve, VectorProgram};
pub use element::BpuElement;
pub use shape::{
    MOST_PIXELS, ShapeError, average_pool_counts, broadcast_shape, concat_shape, convolution_shape, element_count,
    matmul_shape, output_shape, pad_shape, pool_shape, row_major_strides, slice_shape, transpose_shape,
    window_positions,
};
pub use types::{moved_scale, reshaped_axis};
pub use vector::{VectorFrame, vector_frame};
pub use verify::ModelError;

/// The largest rank of a tensor.
pub const MAX_RANK: usize = 6;

/// The largest tensor, in bytes when stored densely: 2 GiB.
pub const MAX_TENSOR_BYTES: usize = 1 << 31;

/// What a tensor's integers are worth.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum TensorScale {
    /// Not a quantized tensor: reals, or a bias whose scale its convolution implies.
    #[default]
    None,
    /// One scale and zero point for all elements.
    PerTensor(Affine),
    /// One scale for each index along `axis`, the zero point 0.
    PerChannel {
        /// The dimension the scales run along.
        axis: usize,
        /// As many as the dimension has indices.
        scales: Vec<f64>,
    },
}

impl TensorScale {
    /// The scale of index `channel` along the quantized axis; the one scale of a per-tensor quantization for every index.
    #[must_use]
    pub fn of_channel(&self, channel: usize) -> Option<f64> {
        match self {
            TensorScale::None => None,
            TensorScale::PerTensor(affine) => Some(affine.scale),
            TensorScale::PerChannel { scales, .. } => scales.get(channel).copied(),
        }
    }

    /// One scale for all elements, with the zero point 0.
    #[must_use]
    pub const fn symmetric(scale: f64) -> TensorScale {
        TensorScale::PerTensor(Affine::symmetric(scale))
    }

    /// Scale and zero point, when there is exactly one.
    #[must_use]
    pub fn per_tensor(&self) -> Option<Affine> {
        match self {
            TensorScale::PerTensor(affine) => Some(*affine),
            _ => None,
        }
    }

    /// The integer of the real 0.
    #[must_use]
    pub fn zero_point(&self) -> i32 {
        self.per_tensor().map_or(0, |affine| affine.zero_point)
    }
}

/// Names a tensor of a [`Segment`]: its index in `tensors`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub usize);

/// A value of the segment: an input, a constant, or what a node computes.
#[derive(Clone, Debug, PartialEq)]
pub struct BpuTensor {
    /// Name for reports and errors; unique names are not required.
    pub name: String,
    /// Dimensions, outermost first; each at least 1, at most [`MAX_RANK`] of them.
    pub shape: Vec<usize>,
    /// Type of one element.
    pub element: BpuElement,
    /// What the integers are worth.
    pub scale: TensorScale,
    /// The elements of a constant, dense, row-major, little-endian; none for what is computed or fed.
    pub data: Option<Arc<[u8]>>,
}

impl BpuTensor {
    /// A tensor without data.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        shape: impl Into<Vec<usize>>,
        element: BpuElement,
        scale: TensorScale,
    ) -> BpuTensor {
        BpuTensor { name: name.into(), shape: shape.into(), element, scale, data: None }
    }

    /// The same with the elements of a constant.
    #[must_use]
    pub fn with_data(mut self, data: impl Into<Arc<[u8]>>) -> BpuTensor {
        self.data = Some(data.into());
        self
    }

    /// The largest distance that an integer of the tensor can have from the zero point; 0 for reals.
    #[must_use]
    pub fn magnitude(&self) -> u32 {
        let zero_point = self.scale.zero_point();
        self.element.range().map_or(0, |range| range.low.abs_diff(zero_point).max(range.high.abs_diff(zero_point)))
    }

    /// Number of elements; none when it does not fit a usize.
    #[must_use]
    pub fn element_count(&self) -> Option<usize> {
        element_count(&self.shape)
    }

    /// Number of bytes when stored densely; none when it does not fit a usize.
    #[must_use]
    pub fn byte_count(&self) -> Option<usize> {
        self.element_count()?.checked_mul(self.element.bytes() as usize)
    }
}

/// One operator applied to tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct BpuNode {
    /// Its name, unique in the network.
    pub name: String,
    /// The nodes of the user's network that went into it.
    pub origins: Vec<String>,
    /// What it does.
    pub operator: Operator,
    /// Operands in the order that [`Operator`] documents.
    pub inputs: Vec<TensorId>,
    /// Results; every operator has one.
    pub outputs: Vec<TensorId>,
}

/// What a node does. Operands are listed for each; the result is one tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Operator {
    /// `x` NHWC, `w` OHWI with I = C / group and the zero point 0, optional `bias` i32 `[O]`.
    Convolution(Convolution),
    /// `a` [.., M, K] and `b` [.., K, N], both activations or constants, `b` with the zero point 0; the leading dimensions broadcast.
    MatMul {
        /// Interval of a fused activation.
        clamp: Option<Clamp>,
    },
    /// `a` + `b`, broadcasting as numpy does.
    Add {
        /// Interval of a fused activation.
        clamp: Option<Clamp>,
    },
    /// `a` - `b`, broadcasting.
    Sub {
        /// Interval of a fused activation.
        clamp: Option<Clamp>,
    },
    /// `a` · `b` by element, broadcasting.
    Mul {
        /// Interval of a fused activation.
        clamp: Option<Clamp>,
    },
    /// `x` where it is not negative, `x` · `slope` elsewhere; the slope broadcasts to `x`.
    PRelu {
        /// Interval of a fused activation.
        clamp: Option<Clamp>,
    },
    /// `x` NHWC; cells outside the input do not take part.
    MaxPool(MaxPool),
    /// `x` NHWC; a global pool has the kernel [H, W].
    AveragePool(AveragePool),
    /// `x` int8, mapped through a table.
    Lookup {
        /// Entry `q + 128` is the result for `q`.
        table: Box<LookupTable>,
    },
    /// `x` int8 or int16, mapped by quadratics to int8 or int16; one of the two is int16.
    Curve {
        /// Its first piece starts at the least value of `x`'s type.
        curve: Box<Curve>,
    },
    /// `x` to another scale or width.
    Requantize {
        /// Interval of a fused activation.
        clamp: Option<Clamp>,
    },
    /// One plane `[N, H, W, C]` of bytes, or `[N, H, W, 1]` and `[N, H/2, W/2, 2]`; byte b becomes b - 128.
    CameraImage {
        /// Integers of further channels, behind those of the planes.
        constants: Vec<i8>,
    },
    /// A region `[1, 4]` (left, top, right, bottom, in pixels) of a plane `[1, H, W, C]` of bytes in another size; byte b becomes b - 128.
    RoiResize {
        /// Rows and columns of pixels that a cell of the plane covers.
        block: usize,
        /// Rows and columns of the result.
        size: [usize; 2],
    },
    /// One or more operands of one type and scale, joined along `axis`.
    Concat {
        /// The dimension that adds up.
        axis: usize,
    },
    /// Of `x`, the cells `starts + i · steps` for i below `sizes`, in every dimension.
    Slice {
        /// First cell, per dimension.
        starts: Vec<usize>,
        /// Distance of one cell to the next, not 0; negative steps walk back from the start.
        steps: Vec<isize>,
        /// Number of cells, which is the shape of the result.
        sizes: Vec<usize>,
    },
    /// `x` with cells added around it.
    Pad {
        /// Cells added in front, per dimension.
        before: Vec<usize>,
        /// Cells added behind, per dimension.
        after: Vec<usize>,
        /// What they hold.
        mode: PadMode,
    },
    /// `x` with its dimensions reordered: dimension `i` of the result is dimension `permutation[i]` of `x`.
    Transpose {
        /// A permutation of the dimensions.
        permutation: Vec<usize>,
    },
    /// `x` with another shape and the same elements in the same row-major order.
    Reshape,
    /// `x` f32 to integers of the result's scale.
    Quantize,
    /// `x` f32, minus a mean and times a factor for each index of an axis, to integers of the result's scale.
    Normalize {
        /// The dimension of the channels.
        axis: usize,
        /// One for each channel.
        mean: Vec<f32>,
        /// One for each channel.
        factor: Vec<f32>,
    },
    /// Any number of operands, integers, f32 or f16, which broadcast; a program of f32 arithmetic on rows of their elements.
    Vector {
        /// The dimensions that make up a row, ascending; none where every element is a row of its own.
        axes: Vec<usize>,
        /// What becomes of a row.
        program: Box<VectorProgram>,
    },
    /// `x` integers to f32.
    Dequantize,
}

/// What padding holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PadMode {
    /// One integer of the result's type.
    Constant(i32),
    /// The cells mirrored at the border cell, which is not repeated; padding is smaller than the dimension.
    Reflect,
    /// The border cell.
    Edge,
}

/// Attributes of [`Operator::Convolution`]; height before width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Distance between neighbouring windows, each at least 1.
    pub strides: [usize; 2],
    /// Rows and columns of zeros around the input: top, left, bottom, right.
    pub pads: [usize; 4],
    /// Distance between neighbouring cells of the kernel, each at least 1.
    pub dilations: [usize; 2],
    /// Input and output channels are cut into this many groups that do not see each other.
    pub group: usize,
    /// Interval of a fused activation.
    pub clamp: Option<Clamp>,
}

impl Default for Convolution {
    fn default() -> Convolution {
        Convolution { strides: [1, 1], pads: [0; 4], dilations: [1, 1], group: 1, clamp: None }
    }
}

/// Attributes of [`Operator::MaxPool`]; height before width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxPool {
    /// Size of the window.
    pub kernel: [usize; 2],
    /// Distance between neighbouring windows.
    pub strides: [usize; 2],
    /// Top, left, bottom, right.
    pub pads: [usize; 4],
    /// Distance between neighbouring cells of the window.
    pub dilations: [usize; 2],
}

/// Attributes of [`Operator::AveragePool`]; height before width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AveragePool {
    /// Size of the window.
    pub kernel: [usize; 2],
    /// Distance between neighbouring windows.
    pub strides: [usize; 2],
    /// Top, left, bottom, right.
    pub pads: [usize; 4],
    /// Divide by the size of the window also where it sticks out.
    pub count_include_pad: bool,
    /// Interval of a fused activation.
    pub clamp: Option<Clamp>,
}

impl Operator {
    /// Its operation in the `bpu` dialect.
    #[must_use]
    pub fn op(&self) -> Op {
        match self {
            Operator::Convolution(_) => Op::Conv2D,
            Operator::MatMul { .. } => Op::MatMul,
            Operator::Add { .. } => Op::Add,
            Operator::Sub { .. } => Op::Sub,
            Operator::Mul { .. } => Op::Mul,
            Operator::PRelu { .. } => Op::PRelu,
            Operator::MaxPool(_) => Op::MaxPool,
            Operator::AveragePool(_) => Op::AveragePool,
            Operator::Lookup { .. } => Op::Lookup,
            Operator::Curve { .. } => Op::Curve,
            Operator::Requantize { .. } => Op::Requantize,
            Operator::CameraImage { .. } => Op::CameraImage,
            Operator::RoiResize { .. } => Op::RoiResize,
            Operator::Concat { .. } => Op::Concat,
            Operator::Slice { .. } => Op::Slice,
            Operator::Pad { .. } => Op::Pad,
            Operator::Transpose { .. } => Op::Transpose,
            Operator::Reshape => Op::Reshape,
            Operator::Quantize => Op::Quantize,
            Operator::Normalize { .. } => Op::Normalize,
            Operator::Vector { .. } => Op::Vector,
            Operator::Dequantize => Op::Dequantize,
        }
    }

    /// The name of its operation, without the prefix.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.op().definition().mnemonic()
    }

    /// The interval of a fused activation, where the operator can have one.
    #[must_use]
    pub fn clamp(&self) -> Option<Clamp> {
        match self {
            Operator::Convolution(convolution) => convolution.clamp,
            Operator::AveragePool(pool) => pool.clamp,
            Operator::MatMul { clamp }
            | Operator::Add { clamp }
            | Operator::Sub { clamp }
            | Operator::Mul { clamp }
            | Operator::PRelu { clamp }
            | Operator::Requantize { clamp } => *clamp,
            Operator::MaxPool(_)
            | Operator::Lookup { .. }
            | Operator::Curve { .. }
            | Operator::CameraImage { .. }
            | Operator::RoiResize { .. }
            | Operator::Concat { .. }
            | Operator::Slice { .. }
            | Operator::Pad { .. }
            | Operator::Transpose { .. }
            | Operator::Reshape
            | Operator::Quantize
            | Operator::Normalize { .. }
            | Operator::Vector { .. }
            | Operator::Dequantize => None,
        }
    }

    /// The operands of an operator that takes so many.
    ///
    /// # Errors
    /// When there are not as many.
    pub fn exactly<'o, T, const N: usize>(&self, operands: &'o [T]) -> Result<&'o [T; N], String> {
        operands.try_into().map_err(|_| self.miscounted(operands.len()))
    }

    /// That it does not take so many operands.
    pub fn miscounted(&self, operands: usize) -> String {
        format!("{} does not take {operands} operands", self.name())
    }
}

/// A part of a network that runs on the BPU: nodes in an order in which they can run.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Segment {
    /// Its name, unique in the network; empty where it stands alone.
    pub name: String,
    /// Every value, in no particular order.
    pub tensors: Vec<BpuTensor>,
    /// Each node comes after those whose results it takes.
    pub nodes: Vec<BpuNode>,
    /// What is fed, in the order of the arguments.
    pub inputs: Vec<TensorId>,
    /// What comes out, in the order of the results.
    pub outputs: Vec<TensorId>,
    /// Which results of nodes are values of the user's network.
    pub values: Vec<NetworkValue>,
}

/// The value that a node of the user's network computes, as a tensor of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkValue {
    /// The node of the network.
    pub node: String,
    /// Computed by a node of the segment.
    pub tensor: TensorId,
    /// How its elements lie.
    pub layout: ValueLayout,
}

/// The order of the elements of a [`NetworkValue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueLayout {
    /// That of the network.
    Network,
    /// NHWC, where the network has `[N, C, H, W]` or `[N, C, L]`.
    ChannelsLast,
}

impl ValueLayout {
    /// Both, with the names that locations hold.
    const NAMES: [(ValueLayout, &'static str); 2] =
        [(ValueLayout::Network, "network"), (ValueLayout::ChannelsLast, "channels_last")];

    /// The name in a location.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(layout, _)| *layout == self).map_or("", |(_, name)| name)
    }

    /// The layout of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<ValueLayout> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(layout, _)| *layout)
    }
}

impl Segment {
    /// The tensor with this id, if there is one.
    #[must_use]
    pub fn tensor(&self, id: TensorId) -> Option<&BpuTensor> {
        self.tensors.get(id.0)
    }

    /// Adds a tensor and names it.
    pub fn add_tensor(&mut self, tensor: BpuTensor) -> TensorId {
        self.tensors.push(tensor);
        TensorId(self.tensors.len() - 1)
    }

    /// Adds a tensor that is fed.
    pub fn add_input(&mut self, tensor: BpuTensor) -> TensorId {
        let id = self.add_tensor(tensor);
        self.inputs.push(id);
        id
    }

    /// Adds a node after the others, with its one result, and names the result.
    pub fn add_node(
        &mut self,
        origin: impl Into<Origin>,
        operator: Operator,
        inputs: &[TensorId],
        output: BpuTensor,
    ) -> TensorId {
        let id = self.add_tensor(output);
        let Origin { name, nodes: origins } = origin.into();
        self.nodes.push(BpuNode { name, origins, operator, inputs: inputs.to_vec(), outputs: vec![id] });
        id
    }
}
