//===- Ops.td - the operations of the integer dialect -----------------------===//
#ifndef BPU_OPS
#define BPU_OPS

include "bpu/Types.td"

//===- Segments and constants ----------------------------------------------===//

def Bpu_YieldOp : Op<Bpu_Dialect, "yield", [Pure, Terminator, ParentOneOf<["SegmentOp"]>]> {
  let summary = "ends a segment and gives its results";
  let description = "The operands are the results of the enclosing `bpu.segment`.";
  let arguments = (ins Variadic<Bpu_Tensor>:$results_);
  let assemblyFormat = "attr-dict ($results_^ `:` type($results_))?";
}

def Bpu_SegmentOp : Bpu_Op<"segment", [IsolatedFromAbove, SingleBlock]> {
  let summary = "one program of the BPU";
  let description = [{
    The body sees only the operands, as block arguments, and holds only `bpu` operations. It becomes one `nash.program`.
  }];
  let arguments = (ins Variadic<Bpu_Tensor>:$inputs);
  let regions = (region SizedRegion<1>:$body);
  let results = (outs Variadic<Bpu_Tensor>:$outputs);
  let assemblyFormat = "`(` $inputs `)` attr-dict-with-keyword $body `:` functional-type($inputs, $outputs)";
}

def Bpu_ConstantOp : Bpu_FoldableOp<"constant", [ConstantLike]> {
  let summary = "weights, biases and tables";
  let description = [{
    `value` holds the storage integers (or floats); the result type gives them their scale.

    ```mlir
    %w = bpu.constant dense_resource<conv1_w> : tensor<8x3x3x1xi8> -> tensor<8x3x3x1x!quant.uniform<i8:f32, 0.01>>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Bpu_Tensor:$output);
  let assemblyFormat = "attr-dict $value `->` type($output)";
}

//===- Matrix engine --------------------------------------------------------===//

def Bpu_Conv2DOp : Bpu_PureOp<"conv2d"> {
  let summary = "integer convolution";
  let description = [{
    `input` is NHWC, `weight` is OHWI with I = C/group, `bias` is i32 of length O with scale s_input * s_weight[o].
    `pads` is top, left, bottom, right; padding is the real 0, the zero point of the input. Weights have the zero point 0. The accumulator is i32 and never overflows (a
    constraint of placement), then it is rescaled to the result's scale and clamped to [`clamp_min`, `clamp_max`].
  }];
  let arguments = (ins Bpu_QuantizedTensor:$input, Bpu_QuantizedTensor:$weight, Optional<Bpu_BiasTensor>:$bias,
    DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations,
    DefaultValuedAttr<I64Attr, "1">:$group, OptionalAttr<I64Attr>:$clamp_min, OptionalAttr<I64Attr>:$clamp_max);
  let results = (outs Bpu_QuantizedTensor:$output);
}

def Bpu_MatMulOp : Bpu_PureOp<"matmul"> {
  let summary = "integer matrix product of two activations";
  let description = "`[..., M, K] x [..., K, N]`, leading dimensions broadcast; rescaled as `bpu.conv2d` is. `rhs` has the zero point 0.";
  let arguments = (ins Bpu_QuantizedTensor:$lhs, Bpu_QuantizedTensor:$rhs,
    OptionalAttr<I64Attr>:$clamp_min, OptionalAttr<I64Attr>:$clamp_max);
  let results = (outs Bpu_QuantizedTensor:$output);
}

//===- Vector engine --------------------------------------------------------===//

class Bpu_BinaryOp<string mnemonic, string formula, list<Trait> traits = []> : Bpu_PureOp<mnemonic, traits> {
  let summary = formula # ", rescaled with one rounding";
  let description = "Operands broadcast as numpy does; the result is clamped to [`clamp_min`, `clamp_max`].";
  let arguments = (ins Bpu_QuantizedTensor:$lhs, Bpu_QuantizedTensor:$rhs,
    OptionalAttr<I64Attr>:$clamp_min, OptionalAttr<I64Attr>:$clamp_max);
  let results = (outs Bpu_QuantizedTensor:$output);
}
def Bpu_AddOp : Bpu_BinaryOp<"add", "lhs + rhs", [Commutative]>;
def Bpu_SubOp : Bpu_BinaryOp<"sub", "lhs - rhs">;
def Bpu_MulOp : Bpu_BinaryOp<"mul", "lhs * rhs", [Commutative]>;

def Bpu_PReluOp : Bpu_PureOp<"p_relu"> {
  let summary = "the input where it is not negative, elsewhere the input times the slope";
  let description = [{
    `input >= 0 ? input : input * slope`, rescaled with one rounding; the slope broadcasts to the input. The result is clamped to
    [`clamp_min`, `clamp_max`].
  }];
  let arguments = (ins Bpu_QuantizedTensor:$input, Bpu_QuantizedTensor:$slope,
    OptionalAttr<I64Attr>:$clamp_min, OptionalAttr<I64Attr>:$clamp_max);
  let results = (outs Bpu_QuantizedTensor:$output);
}

def Bpu_RequantizeOp : Bpu_FoldableOp<"requantize"> {
  let summary = "the same values at another scale";
  let description = "Rescales to the result's type and clamps to [`clamp_min`, `clamp_max`]; folds when nothing changes.";
  let arguments = (ins Bpu_QuantizedTensor:$input, OptionalAttr<I64Attr>:$clamp_min, OptionalAttr<I64Attr>:$clamp_max);
  let results = (outs Bpu_QuantizedTensor:$output);
}

def Bpu_LookupOp : Bpu_PureOp<"lookup"> {
  let summary = "a function of one int8 variable by table";
  let description = "Element q becomes `table[q + 128]`; the table has 256 entries.";
  let arguments = (ins Bpu_QuantizedTensor:$input, DenseI8ArrayAttr:$table);
  let results = (outs Bpu_QuantizedTensor:$output);
}

def Bpu_CurveOp : Bpu_PureOp<"curve"> {
  let summary = "a function of one int16 variable as pieces of quadratics";
  let description = [{
    Input or result is int16, the other int8 or int16. The piece k with the last of the ascending `starts` that is not above q gives,
    with d = q - starts[k], `saturate(round_half_even((quadratic[k] * d^2 + linear[k] * d + constant[k]) / 2^shift))`.
    There are 1 to 64 pieces, the first starts at the least value of the input's type; `shift` is 0 to 62.

    ```mlir
    // max(q, 0)
    %y = bpu.curve %x {starts = array<i64: -32768, 0>, quadratic = array<i64: 0, 0>, linear = array<i64: 0, 1>,
      constant = array<i64: 0, 0>, shift = 0} : (tensor<4x!quant.uniform<i16:f32, 0.5>>) -> tensor<4x!quant.uniform<i16:f32, 0.5>>
    ```
  }];
  let arguments = (ins Bpu_QuantizedTensor:$input, DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$quadratic,
    DenseI64ArrayAttr:$linear, DenseI64ArrayAttr:$constant, I64Attr:$shift);
  let results = (outs Bpu_QuantizedTensor:$output);
}

//===- Pooling engine -------------------------------------------------------===//

def Bpu_MaxPoolOp : Bpu_PureOp<"max_pool"> {
  let summary = "maximum over windows";
  let description = "NHWC; `pads` is top, left, bottom, right; padding never wins. Input and result have one scale.";
  let arguments = (ins Bpu_QuantizedTensor:$input, DenseI64ArrayAttr:$kernel_shape, DenseI64ArrayAttr:$strides,
    DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations);
  let results = (outs Bpu_QuantizedTensor:$output);
}

def Bpu_AveragePoolOp : Bpu_PureOp<"average_pool"> {
  let summary = "average over windows";
  let description = [{
    NHWC. The i32 sum is rescaled by s_input / (s_output * count), where count is the number of cells of the window
    inside the input, or inside the padded input if `count_include_pad`.
  }];
  let arguments = (ins Bpu_QuantizedTensor:$input, DenseI64ArrayAttr:$kernel_shape, DenseI64ArrayAttr:$strides,
    DenseI64ArrayAttr:$pads, DefaultValuedAttr<BoolAttr, "false">:$count_include_pad,
    OptionalAttr<I64Attr>:$clamp_min, OptionalAttr<I64Attr>:$clamp_max);
  let results = (outs Bpu_QuantizedTensor:$output);
}

//===- Layout engine --------------------------------------------------------===//

def Bpu_ConcatOp : Bpu_PureOp<"concat"> {
  let summary = "joins tensors of one scale along an axis";
  let description = "Operands of other scales are requantized first.";
  let arguments = (ins Variadic<Bpu_LayoutTensor>:$inputs, I64Attr:$axis);
  let results = (outs Bpu_LayoutTensor:$output);
}

def Bpu_CameraImageOp : Bpu_PureOp<"camera_image"> {
  let summary = "bytes of a camera as an int8 image around 0";
  let description = [{
    The operands are the planes of an image: one `[N, H, W, C]`, or `[N, H, W, 1]` and `[N, H/2, W/2, 2]`, of which each element of the
    second covers 2x2 pixels (NV12). Byte b becomes the integer b - 128, and planes of int8 are these integers; behind the channels of the planes there is one more for each
    of `constants`, which holds that integer everywhere. It also stands beside segments, in place of a `quant.qcast`, until they are formed.
  }];
  let arguments = (ins Variadic<Bpu_PlaneTensor>:$planes, DenseI8ArrayAttr:$constants);
  let results = (outs Bpu_QuantizedTensor:$output);
}

def Bpu_RoiResizeOp : Bpu_PureOp<"roi_resize"> {
  let summary = "a region of a camera's plane in another size, as int8 around 0";
  let description = [{
    The plane is `[1, H, W, C]`, and each of its cells covers `block` x `block` pixels of the picture. The region of interest is `[1, 4]`: left, top,
    right, bottom in pixels, the last two the first beyond it; it is known only when the network runs, and one that is not inside of the picture is an
    error then. The result has the rows and columns of its type. It also stands beside segments, before the `bpu.camera_image` that reads it.
  }];
  let arguments = (ins Bpu_ByteTensor:$plane, Bpu_RegionTensor:$region, I64Attr:$block);
  let results = (outs Bpu_QuantizedTensor:$output);
}

def Bpu_SliceOp : Bpu_FoldableOp<"slice"> {
  let summary = "a strided part of a tensor";
  let description = "Element i of a dimension of the result is element `starts + i * steps` of the input.";
  let arguments = (ins Bpu_LayoutTensor:$input, DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$steps);
  let results = (outs Bpu_LayoutTensor:$output);
}

def Bpu_PadOp : Bpu_FoldableOp<"pad"> {
  let summary = "adds a border";
  let description = [{
    `before` and `after` count cells per dimension. Mode `constant` fills with `value`, in storage integers; `reflect`
    mirrors at the border cell, `edge` repeats it.
  }];
  let arguments = (ins Bpu_LayoutTensor:$input, DenseI64ArrayAttr:$before, DenseI64ArrayAttr:$after,
    DefaultValuedAttr<I64Attr, "0">:$value, DefaultValuedStrAttr<Choice<["constant", "reflect", "edge"]>, "constant">:$mode);
  let results = (outs Bpu_LayoutTensor:$output);
}

def Bpu_TransposeOp : Bpu_FoldableOp<"transpose"> {
  let summary = "permutes dimensions";
  let description = "Dimension i of the result is dimension `permutation[i]` of the input.";
  let arguments = (ins Bpu_LayoutTensor:$input, DenseI64ArrayAttr:$permutation);
  let results = (outs Bpu_LayoutTensor:$output);
}

def Bpu_ReshapeOp : Bpu_FoldableOp<"reshape"> {
  let summary = "the same elements in another shape";
  let description = "Row-major order is kept.";
  let arguments = (ins Bpu_LayoutTensor:$input);
  let results = (outs Bpu_LayoutTensor:$output);
}

//===- Float engine ---------------------------------------------------------===//

def Bpu_QuantizeOp : Bpu_PureOp<"quantize"> {
  let summary = "f32 to integers: saturate(round_half_even(x / scale) + zero point)";
  let description = "As ONNX QuantizeLinear; NaN becomes the zero point.";
  let arguments = (ins Bpu_FloatTensor:$input);
  let results = (outs Bpu_QuantizedTensor:$output);
}

def Bpu_NormalizeOp : Bpu_PureOp<"normalize"> {
  let summary = "f32 to integers, each channel with a mean and a factor of its own";
  let description = [{
    `saturate(round_half_even((x - mean[c]) * factor[c] / scale) + zero point)`, c the index along `axis`; each of the three steps is rounded to f32, and so
    are `mean` and `factor`. It also stands beside segments, in place of a `quant.qcast`, until they are formed.
  }];
  let arguments = (ins Bpu_FloatTensor:$input, I64Attr:$axis, DenseF64ArrayAttr:$mean, DenseF64ArrayAttr:$factor);
  let results = (outs Bpu_QuantizedTensor:$output);
}

def Bpu_VectorOp : Bpu_PureOp<"vector"> {
  let summary = "a program of f32 arithmetic on the elements of rows";
  let description = [{
    The inputs broadcast to one shape as numpy does, integers are dequantized as they are loaded, f16 and f32 are what they are. A row is made of the elements along `axes`, in
    row-major order; without axes every element is a row of its own. Each step of `program` gives a vector as long as the row: `load n` the elements of
    input n, `constant c` one number, `reduce_sum %k` (`reduce_product`, `reduce_maximum`, `reduce_minimum`) all elements of an earlier vector
    combined, the others a function of earlier vectors, element by element. The last step is the result: whole rows, or one element of each
    where the dimensions `axes` of the result have the size 1. `docs/numerics.md` lists the steps and defines them.

    ```mlir
    // Softmax along the last dimension
    %y = bpu.vector %x {axes = array<i64: 1>, program = ["%0 = load 0", "%1 = reduce_maximum %0", "%2 = subtract %0 %1", "%3 = exp %2",
      "%4 = reduce_sum %3", "%5 = divide %3 %4"]}
      : (tensor<4x10x!quant.uniform<i8:f32, 0.1>>) -> tensor<4x10x!quant.uniform<i8:f32, 0.0078125>>
    ```
  }];
  let arguments = (ins Variadic<Bpu_LayoutTensor>:$inputs, DenseI64ArrayAttr:$axes, StrArrayAttr:$program);
  let results = (outs Bpu_LayoutTensor:$output);
}

def Bpu_DequantizeOp : Bpu_PureOp<"dequantize"> {
  let summary = "integers to f32: (q - zero point) * scale";
  let description = "As ONNX DequantizeLinear.";
  let arguments = (ins Bpu_QuantizedTensor:$input);
  let results = (outs Bpu_FloatTensor:$output);
}

#endif
