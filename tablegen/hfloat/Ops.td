//===- Ops.td - the operators of the float dialect ------------------------===//
#ifndef HFLOAT_OPS
#define HFLOAT_OPS

include "hfloat/Attrs.td"
include "hfloat/Types.td"

//===- Constants and shapes ------------------------------------------------===//

def Hfloat_ConstantOp : Hfloat_FoldableOp<"constant", [ConstantLike, AllTypesMatch<["value", "output"]>]> {
  let summary = "a constant tensor (ONNX Constant and initializers)";
  let description = [{
    Weights are `dense_resource` attributes; small values may be `dense`. The type of the attribute is that of the result.

    ```mlir
    %0 = hfloat.constant dense<[1, 8]> : tensor<2xi64>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Hfloat_Tensor:$output);
  let assemblyFormat = "attr-dict $value";
}

def Hfloat_ConstantOfShapeOp : Hfloat_PureOp<"constant_of_shape"> {
  let summary = "a tensor filled with one value (ONNX ConstantOfShape-9)";
  let description = "`value` is a one-element tensor: its element fills a tensor of the given `shape`.";
  let arguments = (ins Hfloat_ShapeTensor:$shape, ElementsAttr:$value);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_ShapeOp : Hfloat_PureOp<"shape"> {
  let summary = "the dimensions of a tensor (ONNX Shape-15)";
  let description = "`start` and `end` choose a range of dimensions; negative values count from the last.";
  let arguments = (ins Hfloat_Tensor:$input, DefaultValuedAttr<SI64Attr, "0">:$start, OptionalAttr<SI64Attr>:$end);
  let results = (outs Hfloat_ShapeTensor:$output);
}

def Hfloat_IdentityOp : Hfloat_FoldableOp<"identity"> {
  let summary = "its operand (ONNX Identity-16)";
  let description = "Folds away.";
  let arguments = (ins Hfloat_Tensor:$input);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_CastOp : Hfloat_FoldableOp<"cast"> {
  let summary = "converts elements to the result's element type (ONNX Cast-13)";
  let description = "Float to integer truncates toward zero; to bool is `x != 0`.";
  let arguments = (ins Hfloat_Tensor:$input);
  let results = (outs Hfloat_Tensor:$output);
}

//===- Convolution and matrix products -------------------------------------===//

def Hfloat_ConvOp : Hfloat_PureOp<"conv"> {
  let summary = "convolution of any spatial rank (ONNX Conv-11)";
  let description = [{
    `input` is `[N, C, D1, ..., Dk]`, `weight` is `[M, C/group, K1, ..., Kk]`, `bias` is `[M]`. `pads` holds the k
    begins, then the k ends; it is used when `auto_pad` is `NOTSET`. `activation` clamps the result.
  }];
  let arguments = (ins
    Hfloat_FloatTensor:$input, Hfloat_FloatTensor:$weight, Optional<Hfloat_FloatTensor>:$bias,
    DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations,
    DefaultValuedAttr<SI64Attr, "1">:$group,
    DefaultValuedAttr<Hfloat_AutoPadAttr, "::hb::hfloat::AutoPad::NOTSET">:$auto_pad,
    OptionalAttr<Hfloat_ClampAttr>:$activation);
  let results = (outs Hfloat_FloatTensor:$output);
}

def Hfloat_ConvTransposeOp : Hfloat_PureOp<"conv_transpose"> {
  let summary = "transposed convolution of any spatial rank (ONNX ConvTranspose-11)";
  let description = [{
    Element i of a spatial dimension adds to the elements `i * stride - pad_begin + k * dilation` of the result.
    `input` is `[N, C, D1, ..., Dk]`, `weight` is `[C, M/group, K1, ..., Kk]`, `bias` is `[M]`. The spatial sizes of the result
    follow from `pads` and `output_padding`, which widens the end, or are `output_shape`; then, as with `auto_pad`, the
    pads follow from them. `activation` clamps the result.
  }];
  let arguments = (ins
    Hfloat_FloatTensor:$input, Hfloat_FloatTensor:$weight, Optional<Hfloat_FloatTensor>:$bias,
    DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations,
    DenseI64ArrayAttr:$output_padding, OptionalAttr<DenseI64ArrayAttr>:$output_shape,
    DefaultValuedAttr<SI64Attr, "1">:$group,
    DefaultValuedAttr<Hfloat_AutoPadAttr, "::hb::hfloat::AutoPad::NOTSET">:$auto_pad,
    OptionalAttr<Hfloat_ClampAttr>:$activation);
  let results = (outs Hfloat_FloatTensor:$output);
}

def Hfloat_GemmOp : Hfloat_PureOp<"gemm"> {
  let summary = "alpha * A' * B' + beta * C (ONNX Gemm-13)";
  let description = [{
    `A'` is A or its transpose as `transA` says, likewise B. `C` broadcasts to `[M, N]` and may be absent.
    `activation` clamps the result.
  }];
  let arguments = (ins
    Hfloat_NumberTensor:$a, Hfloat_NumberTensor:$b, Optional<Hfloat_NumberTensor>:$c,
    DefaultValuedAttr<F32Attr, "1.0">:$alpha, DefaultValuedAttr<F32Attr, "1.0">:$beta,
    DefaultValuedAttr<BoolAttr, "false">:$transA, DefaultValuedAttr<BoolAttr, "false">:$transB,
    OptionalAttr<Hfloat_ClampAttr>:$activation);
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_MatMulOp : Hfloat_PureOp<"mat_mul"> {
  let summary = "matrix product as numpy.matmul (ONNX MatMul-13)";
  let description = "The leading dimensions broadcast; a rank-1 operand is a row on the left, a column on the right.";
  let arguments = (ins Hfloat_NumberTensor:$a, Hfloat_NumberTensor:$b);
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_BatchNormalizationOp : Hfloat_PureOp<"batch_normalization"> {
  let summary = "normalization with stored statistics (ONNX BatchNormalization-15, inference)";
  let description = "`(input - mean) / sqrt(variance + epsilon) * scale + bias` per channel (dimension 1).";
  let arguments = (ins
    Hfloat_FloatTensor:$input, Hfloat_FloatTensor:$scale, Hfloat_FloatTensor:$bias,
    Hfloat_FloatTensor:$mean, Hfloat_FloatTensor:$variance,
    DefaultValuedAttr<F32Attr, "1e-05">:$epsilon);
  let results = (outs Hfloat_FloatTensor:$output);
}

def Hfloat_InstanceNormalizationOp : Hfloat_PureOp<"instance_normalization"> {
  let summary = "normalization of every channel of every image (ONNX InstanceNormalization-6)";
  let description = [{
    `scale * (x - mean) / sqrt(variance + epsilon) + bias`, with mean and variance over the spatial dimensions.
  }];
  let arguments = (ins
    Hfloat_FloatTensor:$input, Hfloat_FloatTensor:$scale, Hfloat_FloatTensor:$bias,
    DefaultValuedAttr<F32Attr, "1e-05">:$epsilon);
  let results = (outs Hfloat_FloatTensor:$output);
}

def Hfloat_GroupNormalizationOp : Hfloat_PureOp<"group_normalization"> {
  let summary = "normalization of groups of channels (ONNX GroupNormalization-21)";
  let description = "As `instance_normalization`, with mean and variance over `num_groups` groups of neighbouring channels.";
  let arguments = (ins
    Hfloat_FloatTensor:$input, Hfloat_FloatTensor:$scale, Hfloat_FloatTensor:$bias, SI64Attr:$num_groups,
    DefaultValuedAttr<F32Attr, "1e-05">:$epsilon);
  let results = (outs Hfloat_FloatTensor:$output);
}

def Hfloat_LayerNormalizationOp : Hfloat_PureOp<"layer_normalization"> {
  let summary = "normalization over the last dimensions (ONNX LayerNormalization-17, first output)";
  let description = [{
    Mean and variance are over the dimensions from `axis` on; `scale` and `bias` broadcast to the input.
  }];
  let arguments = (ins
    Hfloat_FloatTensor:$input, Hfloat_FloatTensor:$scale, Optional<Hfloat_FloatTensor>:$bias,
    DefaultValuedAttr<SI64Attr, "-1">:$axis, DefaultValuedAttr<F32Attr, "1e-05">:$epsilon);
  let results = (outs Hfloat_FloatTensor:$output);
}

def Hfloat_LrnOp : Hfloat_PureOp<"lrn"> {
  let summary = "normalization by neighbouring channels (ONNX LRN-13)";
  let description = [{
    `x / (bias + alpha / size * s) ^ beta`, where s is the sum of squares of `size` channels around that of x: `(size - 1) / 2`
    before, rounded down, the others behind.
  }];
  let arguments = (ins
    Hfloat_FloatTensor:$input, SI64Attr:$size, DefaultValuedAttr<F32Attr, "0.0001">:$alpha,
    DefaultValuedAttr<F32Attr, "0.75">:$beta, DefaultValuedAttr<F32Attr, "1.0">:$bias);
  let results = (outs Hfloat_FloatTensor:$output);
}

//===- Elementwise ---------------------------------------------------------===//

class Hfloat_UnaryOp<string mnemonic, string onnx, string formula> : Hfloat_PureOp<mnemonic> {
  let summary = formula # " (ONNX " # onnx # ")";
  let description = "Elementwise, of numbers.";
  let arguments = (ins Hfloat_NumberTensor:$input);
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_AbsOp : Hfloat_UnaryOp<"abs", "Abs-13", "|x|; of the smallest integer itself">;
def Hfloat_NegOp : Hfloat_UnaryOp<"neg", "Neg-13", "-x">;
def Hfloat_ReluOp : Hfloat_UnaryOp<"relu", "Relu-14", "max(x, 0)">;
def Hfloat_SignOp : Hfloat_UnaryOp<"sign", "Sign-13", "-1, 0 or 1">;

class Hfloat_FunctionOp<string mnemonic, string onnx, string formula, dag parameters = (ins)>
    : Hfloat_PureOp<mnemonic> {
  let summary = formula # " (ONNX " # onnx # ")";
  let description = "Elementwise, of floats.";
  let arguments = !con((ins Hfloat_FloatTensor:$input), parameters);
  let results = (outs Hfloat_FloatTensor:$output);
}

def Hfloat_AcosOp : Hfloat_FunctionOp<"acos", "Acos-7", "arc cosine">;
def Hfloat_AcoshOp : Hfloat_FunctionOp<"acosh", "Acosh-9", "inverse hyperbolic cosine">;
def Hfloat_AsinOp : Hfloat_FunctionOp<"asin", "Asin-7", "arc sine">;
def Hfloat_AsinhOp : Hfloat_FunctionOp<"asinh", "Asinh-9", "inverse hyperbolic sine">;
def Hfloat_AtanOp : Hfloat_FunctionOp<"atan", "Atan-7", "arc tangent">;
def Hfloat_AtanhOp : Hfloat_FunctionOp<"atanh", "Atanh-9", "inverse hyperbolic tangent">;
def Hfloat_CeilOp : Hfloat_FunctionOp<"ceil", "Ceil-13", "x rounded up">;
def Hfloat_CeluOp : Hfloat_FunctionOp<"celu", "Celu-12", "max(0, x) + min(0, alpha * (exp(x / alpha) - 1))",
    (ins DefaultValuedAttr<F32Attr, "1.0">:$alpha)>;
def Hfloat_CosOp : Hfloat_FunctionOp<"cos", "Cos-7", "cosine">;
def Hfloat_CoshOp : Hfloat_FunctionOp<"cosh", "Cosh-9", "hyperbolic cosine">;
def Hfloat_EluOp : Hfloat_FunctionOp<"elu", "Elu-6", "x for x >= 0, otherwise alpha * (exp(x) - 1)",
    (ins DefaultValuedAttr<F32Attr, "1.0">:$alpha)>;
def Hfloat_ErfOp : Hfloat_FunctionOp<"erf", "Erf-13", "error function">;
def Hfloat_ExpOp : Hfloat_FunctionOp<"exp", "Exp-13", "e to the power of x">;
def Hfloat_FloorOp : Hfloat_FunctionOp<"floor", "Floor-13", "x rounded down">;
def Hfloat_GeluOp : Hfloat_FunctionOp<"gelu", "Gelu-20", "x * (1 + erf(x / sqrt(2))) / 2",
    (ins DefaultValuedAttr<Hfloat_ApproximationAttr, "\"none\"">:$approximate)> {
  let description = "Elementwise, of floats. `approximate` is `none` or `tanh`: `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2`.";
}
def Hfloat_HardSigmoidOp : Hfloat_FunctionOp<"hard_sigmoid", "HardSigmoid-6", "max(0, min(1, alpha * x + beta))",
    (ins DefaultValuedAttr<F32Attr, "0.2">:$alpha, DefaultValuedAttr<F32Attr, "0.5">:$beta)>;
def Hfloat_HardSwishOp : Hfloat_FunctionOp<"hard_swish", "HardSwish-14", "x * max(0, min(1, x / 6 + 0.5))">;
def Hfloat_LeakyReluOp : Hfloat_FunctionOp<"leaky_relu", "LeakyRelu-16", "x for x >= 0, otherwise alpha * x",
    (ins DefaultValuedAttr<F32Attr, "0.01">:$alpha)>;
def Hfloat_LogOp : Hfloat_FunctionOp<"log", "Log-13", "natural logarithm">;
def Hfloat_MishOp : Hfloat_FunctionOp<"mish", "Mish-18", "x * tanh(ln(1 + exp(x)))">;
def Hfloat_ReciprocalOp : Hfloat_FunctionOp<"reciprocal", "Reciprocal-13", "1 / x">;
def Hfloat_RoundOp : Hfloat_FunctionOp<"round", "Round-11", "nearest whole number, halves to the even one">;
def Hfloat_SeluOp : Hfloat_FunctionOp<"selu", "Selu-6", "gamma * x for x > 0, otherwise gamma * alpha * (exp(x) - 1)",
    (ins DefaultValuedAttr<F32Attr, "1.67326319">:$alpha, DefaultValuedAttr<F32Attr, "1.05070102">:$gamma)>;
def Hfloat_ShrinkOp : Hfloat_FunctionOp<"shrink", "Shrink-9", "x - bias for x > lambd, x + bias for x < -lambd, otherwise 0",
    (ins DefaultValuedAttr<F32Attr, "0.5">:$lambd, DefaultValuedAttr<F32Attr, "0.0">:$bias)>;
def Hfloat_SigmoidOp : Hfloat_FunctionOp<"sigmoid", "Sigmoid-13", "1 / (1 + exp(-x))">;
def Hfloat_SinOp : Hfloat_FunctionOp<"sin", "Sin-7", "sine">;
def Hfloat_SinhOp : Hfloat_FunctionOp<"sinh", "Sinh-9", "hyperbolic sine">;
def Hfloat_SoftplusOp : Hfloat_FunctionOp<"softplus", "Softplus-1", "ln(1 + exp(x))">;
def Hfloat_SoftsignOp : Hfloat_FunctionOp<"softsign", "Softsign-1", "x / (1 + |x|)">;
def Hfloat_SqrtOp : Hfloat_FunctionOp<"sqrt", "Sqrt-13", "square root">;
def Hfloat_TanOp : Hfloat_FunctionOp<"tan", "Tan-7", "tangent">;
def Hfloat_TanhOp : Hfloat_FunctionOp<"tanh", "Tanh-13", "hyperbolic tangent">;
def Hfloat_ThresholdedReluOp : Hfloat_FunctionOp<"thresholded_relu", "ThresholdedRelu-10", "x for x > alpha, otherwise 0",
    (ins DefaultValuedAttr<F32Attr, "1.0">:$alpha)>;

def Hfloat_ClipOp : Hfloat_PureOp<"clip"> {
  let summary = "min(max(x, min), max) (ONNX Clip-13)";
  let description = [{
    `min` and `max` are tensors of one element; where they cross, `max` wins. The importer always gives both: an absent one is
    the end of the element type's range.
  }];
  let arguments = (ins Hfloat_NumberTensor:$input, Hfloat_NumberTensor:$min, Hfloat_NumberTensor:$max);
  let results = (outs Hfloat_NumberTensor:$output);
}

class Hfloat_BinaryOp<string mnemonic, string onnx, string formula, list<Trait> traits = []>
    : Hfloat_PureOp<mnemonic, traits> {
  let summary = formula # " (ONNX " # onnx # ")";
  let description = [{
    Elementwise with multidirectional (numpy) broadcasting of operands of one element type. `activation` clamps the result.
  }];
  let arguments = (ins Hfloat_NumberTensor:$a, Hfloat_NumberTensor:$b, OptionalAttr<Hfloat_ClampAttr>:$activation);
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_AddOp : Hfloat_BinaryOp<"add", "Add-14", "a + b", [Commutative]>;
def Hfloat_MulOp : Hfloat_BinaryOp<"mul", "Mul-14", "a * b", [Commutative]>;
def Hfloat_SubOp : Hfloat_BinaryOp<"sub", "Sub-14", "a - b">;

class Hfloat_PairOp<string mnemonic, string onnx, string formula, TypeConstraint operands = Hfloat_NumberTensor,
    TypeConstraint result = operands> : Hfloat_PureOp<mnemonic> {
  let summary = formula # " (ONNX " # onnx # ")";
  let description = "Elementwise with multidirectional (numpy) broadcasting of operands of one element type.";
  let arguments = (ins operands:$a, operands:$b);
  let results = (outs result:$output);
}

def Hfloat_DivOp : Hfloat_PairOp<"div", "Div-14", "a / b; integers truncate toward zero">;
def Hfloat_MaxOp : Hfloat_PairOp<"max", "Max-13", "the larger of a and b; NaN if one is">;
def Hfloat_MinOp : Hfloat_PairOp<"min", "Min-13", "the smaller of a and b; NaN if one is">;

def Hfloat_PowOp : Hfloat_PureOp<"pow"> {
  let summary = "a to the power of b (ONNX Pow-15)";
  let description = "Elementwise with numpy broadcasting. The result has the element type of `a`; `b` may have another.";
  let arguments = (ins Hfloat_NumberTensor:$a, Hfloat_NumberTensor:$b);
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_PReluOp : Hfloat_PureOp<"p_relu"> {
  let summary = "x for x >= 0, otherwise slope * x (ONNX PRelu-16)";
  let description = "Elementwise; `slope` broadcasts to the shape of `input`, as numpy does.";
  let arguments = (ins Hfloat_NumberTensor:$input, Hfloat_NumberTensor:$slope);
  let results = (outs Hfloat_NumberTensor:$output);
}

//===- Logic ---------------------------------------------------------------===//

class Hfloat_ComparisonOp<string mnemonic, string onnx, string formula>
  : Hfloat_PairOp<mnemonic, onnx, formula, Hfloat_Tensor, Hfloat_BoolTensor>;
class Hfloat_LogicOp<string mnemonic, string onnx, string formula>
  : Hfloat_PairOp<mnemonic, onnx, formula, Hfloat_BoolTensor>;

def Hfloat_EqualOp : Hfloat_ComparisonOp<"equal", "Equal-19", "a == b">;
def Hfloat_GreaterOp : Hfloat_ComparisonOp<"greater", "Greater-13", "a > b">;
def Hfloat_GreaterOrEqualOp : Hfloat_ComparisonOp<"greater_or_equal", "GreaterOrEqual-16", "a >= b">;
def Hfloat_LessOp : Hfloat_ComparisonOp<"less", "Less-13", "a < b">;
def Hfloat_LessOrEqualOp : Hfloat_ComparisonOp<"less_or_equal", "LessOrEqual-16", "a <= b">;
def Hfloat_AndOp : Hfloat_LogicOp<"and", "And-7", "both">;
def Hfloat_OrOp : Hfloat_LogicOp<"or", "Or-7", "at least one">;
def Hfloat_XorOp : Hfloat_LogicOp<"xor", "Xor-7", "exactly one">;

def Hfloat_NotOp : Hfloat_PureOp<"not"> {
  let summary = "the other truth value (ONNX Not-1)";
  let description = "Elementwise.";
  let arguments = (ins Hfloat_BoolTensor:$input);
  let results = (outs Hfloat_BoolTensor:$output);
}

def Hfloat_WhereOp : Hfloat_PureOp<"where"> {
  let summary = "condition ? a : b (ONNX Where-16)";
  let description = "Elementwise with numpy broadcasting of all three operands; `a` and `b` have one element type.";
  let arguments = (ins Hfloat_BoolTensor:$condition, Hfloat_Tensor:$a, Hfloat_Tensor:$b);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_RangeOp : Hfloat_PureOp<"range"> {
  let summary = "start, start + delta, ... below limit (ONNX Range-11)";
  let description = [{
    The operands have one element. The result has `max(ceil((limit - start) / delta), 0)` elements; it can be computed when
    the operands are constants.
  }];
  let arguments = (ins Hfloat_NumberTensor:$start, Hfloat_NumberTensor:$limit, Hfloat_NumberTensor:$delta);
  let results = (outs Hfloat_NumberTensor:$output);
}

//===- Reductions ----------------------------------------------------------===//

class Hfloat_ReduceOp<string mnemonic, string onnx, string formula> : Hfloat_PureOp<mnemonic> {
  let summary = formula # " over axes (ONNX " # onnx # ")";
  let description = [{
    `axes` may be negative; an empty list means all axes, or none with `noop_with_empty_axes`. Reduced dimensions become 1, or
    vanish without `keepdims`.
  }];
  let arguments = (ins Hfloat_NumberTensor:$input, Hfloat_ShapeTensor:$axes,
    DefaultValuedAttr<BoolAttr, "true">:$keepdims, DefaultValuedAttr<BoolAttr, "false">:$noop_with_empty_axes);
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_ReduceL1Op : Hfloat_ReduceOp<"reduce_l1", "ReduceL1-18", "sum of |x|">;
def Hfloat_ReduceL2Op : Hfloat_ReduceOp<"reduce_l2", "ReduceL2-18", "square root of the sum of x * x">;
def Hfloat_ReduceLogSumOp : Hfloat_ReduceOp<"reduce_log_sum", "ReduceLogSum-18", "logarithm of the sum">;
def Hfloat_ReduceLogSumExpOp : Hfloat_ReduceOp<"reduce_log_sum_exp", "ReduceLogSumExp-18", "logarithm of the sum of exp(x)">;
def Hfloat_ReduceMaxOp : Hfloat_ReduceOp<"reduce_max", "ReduceMax-20", "maximum">;
def Hfloat_ReduceMeanOp : Hfloat_ReduceOp<"reduce_mean", "ReduceMean-18", "mean">;
def Hfloat_ReduceMinOp : Hfloat_ReduceOp<"reduce_min", "ReduceMin-20", "minimum">;
def Hfloat_ReduceProdOp : Hfloat_ReduceOp<"reduce_prod", "ReduceProd-18", "product">;
def Hfloat_ReduceSumOp : Hfloat_ReduceOp<"reduce_sum", "ReduceSum-13", "sum">;
def Hfloat_ReduceSumSquareOp : Hfloat_ReduceOp<"reduce_sum_square", "ReduceSumSquare-18", "sum of x * x">;

class Hfloat_ArgOp<string mnemonic, string onnx, string formula> : Hfloat_PureOp<mnemonic> {
  let summary = formula # " along an axis (ONNX " # onnx # ")";
  let description = "Of equal values the first, or the last with `select_last_index`. Without `keepdims` the dimension vanishes.";
  let arguments = (ins Hfloat_NumberTensor:$input, DefaultValuedAttr<SI64Attr, "0">:$axis,
    DefaultValuedAttr<BoolAttr, "true">:$keepdims, DefaultValuedAttr<BoolAttr, "false">:$select_last_index);
  let results = (outs Hfloat_ShapeTensor:$output);
}

def Hfloat_ArgMaxOp : Hfloat_ArgOp<"arg_max", "ArgMax-13", "position of the maximum">;
def Hfloat_ArgMinOp : Hfloat_ArgOp<"arg_min", "ArgMin-13", "position of the minimum">;

//===- Pooling -------------------------------------------------------------===//

class Hfloat_PoolOp<string mnemonic, dag more> : Hfloat_PureOp<mnemonic> {
  let arguments = !con((ins
    Hfloat_NumberTensor:$input, DenseI64ArrayAttr:$kernel_shape, DenseI64ArrayAttr:$strides,
    DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations,
    DefaultValuedAttr<BoolAttr, "false">:$ceil_mode,
    DefaultValuedAttr<Hfloat_AutoPadAttr, "::hb::hfloat::AutoPad::NOTSET">:$auto_pad), more);
}

def Hfloat_MaxPoolOp : Hfloat_PoolOp<"max_pool", (ins)> {
  let summary = "maximum over windows (ONNX MaxPool-12, first output)";
  let description = "The optional `Indices` output of ONNX is not supported. Padding never wins.";
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_AveragePoolOp : Hfloat_PoolOp<"average_pool", (ins DefaultValuedAttr<BoolAttr, "false">:$count_include_pad)> {
  let summary = "average over windows (ONNX AveragePool-19)";
  let description = "`count_include_pad` says whether padding counts in the divisor.";
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_GlobalAveragePoolOp : Hfloat_PureOp<"global_average_pool"> {
  let summary = "average over all spatial dimensions (ONNX GlobalAveragePool-1)";
  let description = "The spatial dimensions of the result are 1.";
  let arguments = (ins Hfloat_FloatTensor:$input);
  let results = (outs Hfloat_FloatTensor:$output);
}

def Hfloat_GlobalMaxPoolOp : Hfloat_PureOp<"global_max_pool"> {
  let summary = "maximum over all spatial dimensions (ONNX GlobalMaxPool-1)";
  let description = "The spatial dimensions of the result are 1.";
  let arguments = (ins Hfloat_FloatTensor:$input);
  let results = (outs Hfloat_FloatTensor:$output);
}

//===- Resampling ----------------------------------------------------------===//

def Hfloat_ResizeOp : Hfloat_PureOp<"resize"> {
  let summary = "samples a tensor at other sizes (ONNX Resize-19)";
  let description = [{
    `scales` or `sizes` has one value per axis of `axes` (all, when absent); the other is empty, `sizes` may be absent.
    `roi` holds the starts, then the ends of the axes, for the coordinates of `tf_crop_and_resize`; else it may be empty.
    The importer always gives `roi` and `scales`.

    | attribute | values |
    |---|---|
    | `mode` | `nearest`, `linear`, `cubic` |
    | `coordinate_transformation_mode` | `half_pixel`, `half_pixel_symmetric`, `pytorch_half_pixel`, `align_corners`, `asymmetric`, `tf_crop_and_resize` |
    | `nearest_mode` | `round_prefer_floor`, `round_prefer_ceil`, `floor`, `ceil` |
    | `keep_aspect_ratio_policy` | `stretch`, `not_larger`, `not_smaller` |
  }];
  let arguments = (ins
    Hfloat_Tensor:$input, Hfloat_FloatTensor:$roi, TensorOf<[F32]>:$scales, Optional<Hfloat_ShapeTensor>:$sizes,
    OptionalAttr<DenseI64ArrayAttr>:$axes,
    DefaultValuedStrAttr<StrAttr, "nearest">:$mode,
    DefaultValuedStrAttr<StrAttr, "half_pixel">:$coordinate_transformation_mode,
    DefaultValuedStrAttr<StrAttr, "round_prefer_floor">:$nearest_mode,
    DefaultValuedStrAttr<StrAttr, "stretch">:$keep_aspect_ratio_policy,
    DefaultValuedAttr<F32Attr, "-0.75">:$cubic_coeff_a,
    DefaultValuedAttr<BoolAttr, "false">:$exclude_outside,
    DefaultValuedAttr<F32Attr, "0.0">:$extrapolation_value,
    DefaultValuedAttr<BoolAttr, "false">:$antialias);
  let results = (outs Hfloat_Tensor:$output);
}

//===- Normalizing functions -----------------------------------------------===//

def Hfloat_SoftmaxOp : Hfloat_PureOp<"softmax"> {
  let summary = "exp(x) / sum(exp(x)) along one axis (ONNX Softmax-13)";
  let description = "Computed after the maximum along `axis` is subtracted.";
  let arguments = (ins Hfloat_FloatTensor:$input, DefaultValuedAttr<SI64Attr, "-1">:$axis);
  let results = (outs Hfloat_FloatTensor:$output);
}

//===- Layout --------------------------------------------------------------===//

def Hfloat_ConcatOp : Hfloat_PureOp<"concat"> {
  let summary = "joins tensors along an axis (ONNX Concat-13)";
  let description = "All dimensions but `axis` are equal.";
  let arguments = (ins Variadic<Hfloat_Tensor>:$inputs, SI64Attr:$axis);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_SliceOp : Hfloat_FoldableOp<"slice"> {
  let summary = "a strided part of a tensor (ONNX Slice-13)";
  let description = [{
    `starts`, `ends`, `axes`, `steps` are one-dimensional and equally long; out-of-range values are clamped as ONNX says.
    The importer always gives all four.
  }];
  let arguments = (ins Hfloat_Tensor:$input, Hfloat_IndexTensor:$starts, Hfloat_IndexTensor:$ends,
                       Hfloat_IndexTensor:$axes, Hfloat_IndexTensor:$steps);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_PadOp : Hfloat_FoldableOp<"pad"> {
  let summary = "adds a border (ONNX Pad-19)";
  let description = [{
    `pads` holds the begins of `axes`, then their ends; negative values crop. `value` is a scalar, used by mode
    `constant`. The importer always gives `value` and `axes`.
  }];
  let arguments = (ins Hfloat_Tensor:$input, Hfloat_ShapeTensor:$pads, Hfloat_Tensor:$value, Hfloat_IndexTensor:$axes,
    DefaultValuedAttr<Hfloat_PadModeAttr, "::hb::hfloat::PadMode::constant">:$mode);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_FlattenOp : Hfloat_FoldableOp<"flatten"> {
  let summary = "to two dimensions, split at an axis (ONNX Flatten-13)";
  let description = "`axis` may be negative or equal to the rank.";
  let arguments = (ins Hfloat_Tensor:$input, DefaultValuedAttr<SI64Attr, "1">:$axis);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_ReshapeOp : Hfloat_FoldableOp<"reshape"> {
  let summary = "the same elements in another shape (ONNX Reshape-14)";
  let description = "A dimension -1 is inferred; 0 copies that of the input unless `allowzero`.";
  let arguments = (ins Hfloat_Tensor:$input, Hfloat_ShapeTensor:$shape, DefaultValuedAttr<BoolAttr, "false">:$allowzero);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_UnsqueezeOp : Hfloat_FoldableOp<"unsqueeze"> {
  let summary = "inserts dimensions of size 1 (ONNX Unsqueeze-13)";
  let description = "`axes` are positions in the result and may be negative.";
  let arguments = (ins Hfloat_Tensor:$input, Hfloat_ShapeTensor:$axes);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_TransposeOp : Hfloat_FoldableOp<"transpose"> {
  let summary = "permutes dimensions (ONNX Transpose-13)";
  let description = "Dimension i of the result is dimension `perm[i]` of the input.";
  let arguments = (ins Hfloat_Tensor:$input, DenseI64ArrayAttr:$perm);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_SplitOp : Hfloat_Op<"split", [Pure]> {
  let summary = "parts of a tensor, one after the other (ONNX Split-18)";
  let description = [{
    `split` holds the sizes of the parts along `axis`. Without it the parts are equal, the last one may be smaller.
  }];
  let arguments = (ins Hfloat_Tensor:$input, Optional<Hfloat_ShapeTensor>:$split, DefaultValuedAttr<SI64Attr, "0">:$axis);
  let results = (outs Variadic<Hfloat_Tensor>:$outputs);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

def Hfloat_SqueezeOp : Hfloat_FoldableOp<"squeeze"> {
  let summary = "removes dimensions of size 1 (ONNX Squeeze-13)";
  let description = "`axes` may be negative; without them every dimension of size 1 goes.";
  let arguments = (ins Hfloat_Tensor:$input, Optional<Hfloat_ShapeTensor>:$axes);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_ExpandOp : Hfloat_FoldableOp<"expand"> {
  let summary = "broadcasts to a shape (ONNX Expand-13)";
  let description = "The input and `shape` broadcast as the shapes of two operands do.";
  let arguments = (ins Hfloat_Tensor:$input, Hfloat_ShapeTensor:$shape);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_TileOp : Hfloat_FoldableOp<"tile"> {
  let summary = "repeats a tensor along its dimensions (ONNX Tile-13)";
  let description = "`repeats` holds one number per dimension.";
  let arguments = (ins Hfloat_Tensor:$input, Hfloat_ShapeTensor:$repeats);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_DepthToSpaceOp : Hfloat_PureOp<"depth_to_space"> {
  let summary = "channels become blocks of pixels (ONNX DepthToSpace-13)";
  let description = [{
    `[N, C * b * b, H, W]` becomes `[N, C, H * b, W * b]` with b = `blocksize`. In mode `DCR` the channels are ordered
    (row, column, channel), in mode `CRD` (channel, row, column).
  }];
  let arguments = (ins Hfloat_Tensor:$input, SI64Attr:$blocksize, DefaultValuedStrAttr<StrAttr, "DCR">:$mode);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_SpaceToDepthOp : Hfloat_PureOp<"space_to_depth"> {
  let summary = "blocks of pixels become channels (ONNX SpaceToDepth-13)";
  let description = "`[N, C, H * b, W * b]` becomes `[N, b * b * C, H, W]` with b = `blocksize`; channels are ordered (row, column, channel).";
  let arguments = (ins Hfloat_Tensor:$input, SI64Attr:$blocksize);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_GatherOp : Hfloat_PureOp<"gather"> {
  let summary = "takes slices by index (ONNX Gather-13)";
  let description = "The rank of the result is that of `data` plus that of `indices` minus 1; indices may be negative.";
  let arguments = (ins Hfloat_Tensor:$data, Hfloat_IndexTensor:$indices, DefaultValuedAttr<SI64Attr, "0">:$axis);
  let results = (outs Hfloat_Tensor:$output);
}

#endif
