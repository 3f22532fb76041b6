//===- Ops.td - the operators of the float dialect ------------------------===//
#ifndef HFLOAT_OPS
#define HFLOAT_OPS

include "hfloat/Attrs.td"
include "hfloat/Types.td"

//===- Constants and shapes ------------------------------------------------===//

def Hfloat_ConstantOp : Hfloat_FoldableOp<"constant", "Constant", [1, 9, 11, 12, 13, 19, 21, 23, 24, 25], "Constant", "Constant",
    [ConstantLike, AllTypesMatch<["value", "output"]>]> {
  let onnxAttributes = [Consumed<"sparse_value", "Any", 11>, Consumed<"value_float", "Float", 12>,
    Consumed<"value_floats", "Floats", 12>, Consumed<"value_int", "Int", 12>, Consumed<"value_ints", "Ints", 12>,
    Consumed<"value_string", "Any", 12>, Consumed<"value_strings", "Any", 12>, Derived<"value">];
  let onnxResultElement = "value";
  let upgradeRule = "Constant";
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

def Hfloat_ConstantOfShapeOp : Hfloat_PureOp<"constant_of_shape", "ConstantOfShape", [9, 20, 21, 23, 24, 25], "ConstantOfShape"> {
  let onnxAttributes = [Derived<"value">];
  let onnxResultElement = "value";
  let upgradeRule = "ConstantOfShape";
  let summary = "a tensor filled with one value (ONNX ConstantOfShape-9)";
  let description = "`value` is a one-element tensor: its element fills a tensor of the given `shape`.";
  let arguments = (ins Hfloat_ShapeTensor:$shape, ElementsAttr:$value);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_ShapeOp : Hfloat_PureOp<"shape", "Shape", [1, 13, 15, 19, 21, 23, 24, 25], "Shape"> {
  let onnxAttributes = [Since<"start", 15>, Since<"end", 15>];
  let summary = "the dimensions of a tensor (ONNX Shape-15)";
  let description = "`start` and `end` choose a range of dimensions; negative values count from the last.";
  let arguments = (ins Hfloat_Tensor:$input, DefaultValuedAttr<SI64Attr, "0">:$start, OptionalAttr<SI64Attr>:$end);
  let results = (outs Hfloat_ShapeTensor:$output);
}

def Hfloat_IdentityOp : Hfloat_FoldableOp<"identity", "Identity", [1, 13, 14, 16, 19, 21, 23, 24, 25], "Identity", "ToInput">,
    Quantized<"LikeInput", ["Activation"]> {
  let summary = "its operand (ONNX Identity-16)";
  let description = "Folds away.";
  let arguments = (ins Hfloat_Tensor:$input);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_CastOp : Hfloat_FoldableOp<"cast", "Cast", [1, 6, 9, 13, 19, 21, 23, 24, 25], "Cast", "ToInput">,
    Quantized<"OwnOrFloat", ["Parameter"]> {
  // The element type is that of the result; `saturate` and `round_mode` say what becomes float8, which we do not have.
  let onnxAttributes = [RequiredConsumed<"to", "Int">, Consumed<"saturate", "Flag", 19>,
    ConsumedChoice<"round_mode", ["up", "down", "nearest"], 24>];
  let onnxResultElement = "to";
  let upgradeRule = "Cast";
  let summary = "converts elements to the result's element type (ONNX Cast-13)";
  let description = "Float to integer truncates toward zero; to bool is `x != 0`.";
  let arguments = (ins Hfloat_Tensor:$input);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_QuantizeLinearOp
    : Hfloat_PureOp<"quantize_linear", "QuantizeLinear", [10, 13, 19, 21, 23, 24, 25], "QuantizeLinear"> {
  let onnxInputs = [OnnxInputs<1, 2, 3>];
  let onnxAttributes = [Since<"axis", 13>, Consumed<"block_size", "Int", 21>, Consumed<"output_dtype", "Int", 21>,
    Consumed<"precision", "Int", 23>, Consumed<"saturate", "Flag", 19>];
  let onnxResultOperand = 2;
  let upgradeRule = "QuantizeLinear";
  let summary = "the integers that stand for reals (ONNX QuantizeLinear-25)";
  let description = [{
    `input / scale`, rounded to the nearest integer, halves to the even one, plus `zero_point`, within the element type, which is that of the zero point: 8 or 16
    bits. Scale and zero point are one number each, or one for each place along `axis`. Other forms (blocks, other floats) become other operations.
    What the network says here the compiler keeps: `quant-take-scales`.
  }];
  let arguments = (ins Hfloat_FloatTensor:$input, Hfloat_FloatTensor:$scale, Hfloat_NumberTensor:$zero_point,
    DefaultValuedAttr<SI64Attr, "1">:$axis);
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_DequantizeLinearOp
    : Hfloat_PureOp<"dequantize_linear", "DequantizeLinear", [10, 13, 19, 21, 23, 24, 25], "DequantizeLinear"> {
  let onnxInputs = [OnnxInputs<1, 2, 3>];
  let onnxAttributes = [Since<"axis", 13>, Consumed<"block_size", "Int", 21>, Consumed<"output_dtype", "Int", 23>];
  let onnxResultOperand = 1;
  let upgradeRule = "DequantizeLinear";
  let summary = "the reals that integers stand for (ONNX DequantizeLinear-25)";
  let description = "`(input - zero_point) * scale`; for the forms of `hfloat.quantize_linear`.";
  let arguments = (ins Hfloat_NumberTensor:$input, Hfloat_FloatTensor:$scale, Hfloat_NumberTensor:$zero_point,
    DefaultValuedAttr<SI64Attr, "1">:$axis);
  let results = (outs Hfloat_FloatTensor:$output);
}

//===- Convolution and matrix products -------------------------------------===//

def Hfloat_ConvOp : Hfloat_PureOp<"conv", "Conv", [1, 11, 22], "Conv">,
    Quantized<"OwnOrExact", ["Activation", "Weight", "Bias"]> {
  // The kernel is that of the weights.
  let onnxAttributes = [Consumed<"kernel_shape", "Ints">, Derived<"strides">, Derived<"pads">, Derived<"dilations">];
  let upgradeRule = "Convolution";
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

def Hfloat_ConvTransposeOp : Hfloat_PureOp<"conv_transpose", "ConvTranspose", [1, 11, 22], "ConvTranspose">,
    Quantized<"Own", ["Activation", "Weight", "Bias"]> {
  let onnxAttributes = [Consumed<"kernel_shape", "Ints">, Derived<"strides">, Derived<"pads">, Derived<"dilations">,
    Derived<"output_padding">];
  let upgradeRule = "ConvTranspose";
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

def Hfloat_GemmOp : Hfloat_PureOp<"gemm", "Gemm", [1, 6, 7, 9, 11, 13], "Gemm">,
    Quantized<"OwnOrExact", ["Activation", "WeightOrActivation", "Bias"]> {
  // C became optional.
  let onnxInputs = [OnnxInputs<1, 3, 3>, OnnxInputs<11, 2, 3>];
  let onnxAttributes = [Consumed<"broadcast", "Flag", 1, 6>];
  let upgradeRule = "OldBroadcast";
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

def Hfloat_MatMulOp : Hfloat_PureOp<"mat_mul", "MatMul", [1, 9, 13], "MatMul">,
    Quantized<"Own", ["Activation", "WeightOrActivation"]> {
  let summary = "matrix product as numpy.matmul (ONNX MatMul-13)";
  let description = [{
    The leading dimensions broadcast; a rank-1 operand is a row on the left, a column on the right. `activation` clamps the result.
  }];
  let arguments = (ins Hfloat_NumberTensor:$a, Hfloat_NumberTensor:$b, OptionalAttr<Hfloat_ClampAttr>:$activation);
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_BatchNormalizationOp : Hfloat_PureOp<"batch_normalization", "BatchNormalization", [1, 6, 7, 9, 14, 15], "BatchNormalization">,
    Quantized<"OwnOrFloat", ["Activation", "Parameter"]> {
  // Only training updates the running mean, and only it has the further outputs.
  let onnxAttributes = [Consumed<"is_test", "Flag", 1, 6>, Consumed<"momentum", "Float">, Consumed<"spatial", "Flag", 1, 8>,
    Consumed<"training_mode", "Flag", 14>];
  let onnxOutputs = 5;
  let upgradeRule = "BatchNormalization";
  let summary = "normalization with stored statistics (ONNX BatchNormalization-15, inference)";
  let description = "`(input - mean) / sqrt(variance + epsilon) * scale + bias` per channel (dimension 1).";
  let arguments = (ins
    Hfloat_FloatTensor:$input, Hfloat_FloatTensor:$scale, Hfloat_FloatTensor:$bias,
    Hfloat_FloatTensor:$mean, Hfloat_FloatTensor:$variance,
    DefaultValuedAttr<F32Attr, "1e-05">:$epsilon);
  let results = (outs Hfloat_FloatTensor:$output);
}

def Hfloat_InstanceNormalizationOp : Hfloat_PureOp<"instance_normalization", "InstanceNormalization", [1, 6, 22], "InstanceNormalization">,
    Quantized<"OwnOrFloat", ["Activation", "Parameter"]> {
  let summary = "normalization of every channel of every image (ONNX InstanceNormalization-6)";
  let description = [{
    `scale * (x - mean) / sqrt(variance + epsilon) + bias`, with mean and variance over the spatial dimensions.
  }];
  let arguments = (ins
    Hfloat_FloatTensor:$input, Hfloat_FloatTensor:$scale, Hfloat_FloatTensor:$bias,
    DefaultValuedAttr<F32Attr, "1e-05">:$epsilon);
  let results = (outs Hfloat_FloatTensor:$output);
}

def Hfloat_GroupNormalizationOp : Hfloat_PureOp<"group_normalization", "GroupNormalization", [18, 21], "GroupNormalization">,
    Quantized<"OwnOrFloat", ["Activation", "Parameter"]> {
  // Opset 18 has a scale and a bias per group, opset 21 per channel. The precision of the statistics: here at least f32.
  let onnxAttributes = [Consumed<"stash_type", "Int", 21>];
  let upgradeRule = "GroupNormalization";
  let summary = "normalization of groups of channels (ONNX GroupNormalization-21)";
  let description = "As `instance_normalization`, with mean and variance over `num_groups` groups of neighbouring channels.";
  let arguments = (ins
    Hfloat_FloatTensor:$input, Hfloat_FloatTensor:$scale, Hfloat_FloatTensor:$bias, SI64Attr:$num_groups,
    DefaultValuedAttr<F32Attr, "1e-05">:$epsilon);
  let results = (outs Hfloat_FloatTensor:$output);
}

def Hfloat_LayerNormalizationOp : Hfloat_PureOp<"layer_normalization", "LayerNormalization", [17], "LayerNormalization">,
    Quantized<"OwnOrFloat", ["Activation", "Parameter"]> {
  let onnxAttributes = [Consumed<"stash_type", "Int">];
  let onnxOutputs = 3;
  let upgradeRule = "LayerNormalization";
  let summary = "normalization over the last dimensions (ONNX LayerNormalization-17, first output)";
  let description = [{
    Mean and variance are over the dimensions from `axis` on; `scale` and `bias` broadcast to the input.
  }];
  let arguments = (ins
    Hfloat_FloatTensor:$input, Hfloat_FloatTensor:$scale, Optional<Hfloat_FloatTensor>:$bias,
    DefaultValuedAttr<SI64Attr, "-1">:$axis, DefaultValuedAttr<F32Attr, "1e-05">:$epsilon);
  let results = (outs Hfloat_FloatTensor:$output);
}

def Hfloat_LrnOp : Hfloat_PureOp<"lrn", "LRN", [1, 13], "Lrn"> {
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

class Hfloat_UnaryOp<string mnemonic, string onnx, list<int> versions, string formula>
    : Hfloat_PureOp<mnemonic, onnx, versions, "Unary">, Quantized<"Own", ["Activation"]> {
  let summary = formula # " (ONNX " # onnx # ")";
  let isScalarFunction = 1;
  let description = "Elementwise, of numbers.";
  let arguments = (ins Hfloat_NumberTensor:$input);
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_AbsOp : Hfloat_UnaryOp<"abs", "Abs", [1, 6, 13], "|x|; of the smallest integer itself">;
def Hfloat_NegOp : Hfloat_UnaryOp<"neg", "Neg", [1, 6, 13], "-x">;
def Hfloat_ReluOp : Hfloat_UnaryOp<"relu", "Relu", [1, 6, 13, 14], "max(x, 0)">;
def Hfloat_SignOp : Hfloat_UnaryOp<"sign", "Sign", [9, 13], "-1, 0 or 1">;

class Hfloat_FunctionOp<string mnemonic, string onnx, list<int> versions, string formula, dag parameters = (ins)>
    : Hfloat_PureOp<mnemonic, onnx, versions, "Unary">, Quantized<"Own", ["Activation"]> {
  let summary = formula # " (ONNX " # onnx # ")";
  let isScalarFunction = 1;
  // What `hfloat-fuse-scales` puts into the function; ONNX has nodes for it.
  let onnxAttributes = [DialectOnly<"result_scale">, DialectOnly<"result_shift">];
  let description = "Elementwise, of floats. The result is `result_scale` times that, plus `result_shift`.";
  let arguments = !con((ins Hfloat_FloatTensor:$input), parameters,
    (ins DefaultValuedAttr<F32Attr, "1.0">:$result_scale, DefaultValuedAttr<F32Attr, "0.0">:$result_shift));
  let results = (outs Hfloat_FloatTensor:$output);
}

def Hfloat_AcosOp : Hfloat_FunctionOp<"acos", "Acos", [7, 22], "arc cosine">;
def Hfloat_AcoshOp : Hfloat_FunctionOp<"acosh", "Acosh", [9, 22], "inverse hyperbolic cosine">;
def Hfloat_AsinOp : Hfloat_FunctionOp<"asin", "Asin", [7, 22], "arc sine">;
def Hfloat_AsinhOp : Hfloat_FunctionOp<"asinh", "Asinh", [9, 22], "inverse hyperbolic sine">;
def Hfloat_AtanOp : Hfloat_FunctionOp<"atan", "Atan", [7, 22], "arc tangent">;
def Hfloat_AtanhOp : Hfloat_FunctionOp<"atanh", "Atanh", [9, 22], "inverse hyperbolic tangent">;
def Hfloat_CeilOp : Hfloat_FunctionOp<"ceil", "Ceil", [1, 6, 13], "x rounded up">;
def Hfloat_CeluOp : Hfloat_FunctionOp<"celu", "Celu", [12], "max(0, x) + min(0, alpha * (exp(x / alpha) - 1))",
    (ins DefaultValuedAttr<F32Attr, "1.0">:$alpha)>;
def Hfloat_CosOp : Hfloat_FunctionOp<"cos", "Cos", [7, 22], "cosine"> {
  let isNarrow = 1;
}
def Hfloat_CoshOp : Hfloat_FunctionOp<"cosh", "Cosh", [9, 22], "hyperbolic cosine">;
def Hfloat_EluOp : Hfloat_FunctionOp<"elu", "Elu", [1, 6, 22], "x for x >= 0, otherwise alpha * (exp(x) - 1)",
    (ins DefaultValuedAttr<F32Attr, "1.0">:$alpha)>;
def Hfloat_ErfOp : Hfloat_FunctionOp<"erf", "Erf", [9, 13], "error function">;
def Hfloat_ExpOp : Hfloat_FunctionOp<"exp", "Exp", [1, 6, 13], "e to the power of x">;
def Hfloat_FloorOp : Hfloat_FunctionOp<"floor", "Floor", [1, 6, 13], "x rounded down">;
def Hfloat_GeluOp : Hfloat_FunctionOp<"gelu", "Gelu", [20], "x * (1 + erf(x / sqrt(2))) / 2",
    (ins DefaultValuedStrAttr<Choice<["none", "tanh"]>, "none">:$approximate)> {
  let description = "Elementwise, of floats. `approximate` is `none` or `tanh`: `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2`. "
    "The result is `result_scale` times that, plus `result_shift`.";
}
def Hfloat_HardSigmoidOp : Hfloat_FunctionOp<"hard_sigmoid", "HardSigmoid", [1, 6, 22], "max(0, min(1, alpha * x + beta))",
    (ins DefaultValuedAttr<F32Attr, "0.2">:$alpha, DefaultValuedAttr<F32Attr, "0.5">:$beta)>;
def Hfloat_HardSwishOp : Hfloat_FunctionOp<"hard_swish", "HardSwish", [14, 22], "x * max(0, min(1, x / 6 + 0.5))">;
def Hfloat_LeakyReluOp : Hfloat_FunctionOp<"leaky_relu", "LeakyRelu", [1, 6, 16], "x for x >= 0, otherwise alpha * x",
    (ins DefaultValuedAttr<F32Attr, "0.01">:$alpha)>;
def Hfloat_LogOp : Hfloat_FunctionOp<"log", "Log", [1, 6, 13], "natural logarithm">;
def Hfloat_MishOp : Hfloat_FunctionOp<"mish", "Mish", [18, 22], "x * tanh(ln(1 + exp(x)))">;
def Hfloat_ReciprocalOp : Hfloat_FunctionOp<"reciprocal", "Reciprocal", [1, 6, 13], "1 / x">;
def Hfloat_RoundOp : Hfloat_FunctionOp<"round", "Round", [11, 22], "nearest whole number, halves to the even one">;
def Hfloat_SeluOp : Hfloat_FunctionOp<"selu", "Selu", [1, 6, 22], "gamma * x for x > 0, otherwise gamma * alpha * (exp(x) - 1)",
    (ins DefaultValuedAttr<F32Attr, "1.67326319">:$alpha, DefaultValuedAttr<F32Attr, "1.05070102">:$gamma)>;
def Hfloat_ShrinkOp : Hfloat_FunctionOp<"shrink", "Shrink", [9], "x - bias for x > lambd, x + bias for x < -lambd, otherwise 0",
    (ins DefaultValuedAttr<F32Attr, "0.5">:$lambd, DefaultValuedAttr<F32Attr, "0.0">:$bias)>;
def Hfloat_SigmoidOp : Hfloat_FunctionOp<"sigmoid", "Sigmoid", [1, 6, 13], "1 / (1 + exp(-x))">;
def Hfloat_SinOp : Hfloat_FunctionOp<"sin", "Sin", [7, 22], "sine"> {
  let isNarrow = 1;
}
def Hfloat_SinhOp : Hfloat_FunctionOp<"sinh", "Sinh", [9, 22], "hyperbolic sine">;
def Hfloat_SoftplusOp : Hfloat_FunctionOp<"softplus", "Softplus", [1, 22], "ln(1 + exp(x))">;
def Hfloat_SoftsignOp : Hfloat_FunctionOp<"softsign", "Softsign", [1, 22], "x / (1 + |x|)">;
def Hfloat_SqrtOp : Hfloat_FunctionOp<"sqrt", "Sqrt", [1, 6, 13], "square root">;
def Hfloat_SwishOp : Hfloat_FunctionOp<"swish", "Swish", [24], "x / (1 + exp(-alpha * x))",
    (ins DefaultValuedAttr<F32Attr, "1.0">:$alpha)>;
def Hfloat_TanOp : Hfloat_FunctionOp<"tan", "Tan", [7, 22], "tangent"> {
  let isNarrow = 1;
}
def Hfloat_TanhOp : Hfloat_FunctionOp<"tanh", "Tanh", [1, 6, 13], "hyperbolic tangent">;
def Hfloat_ThresholdedReluOp : Hfloat_FunctionOp<"thresholded_relu", "ThresholdedRelu", [10, 22], "x for x > alpha, otherwise 0",
    (ins DefaultValuedAttr<F32Attr, "1.0">:$alpha)>;

def Hfloat_ClipOp : Hfloat_PureOp<"clip", "Clip", [1, 6, 11, 12, 13], "Clip">,
    Quantized<"Own", ["Activation", "Plain"]> {
  // The bounds became inputs.
  let onnxInputs = [OnnxInputs<1, 1, 1>, OnnxInputs<11, 1, 3>];
  let onnxAttributes = [Consumed<"min", "Float", 1, 10>, Consumed<"max", "Float", 1, 10>];
  let upgradeRule = "Clip";
  let summary = "min(max(x, min), max) (ONNX Clip-13)";
  let description = [{
    `min` and `max` are tensors of one element; where they cross, `max` wins. The importer always gives both: an absent one is
    the end of the element type's range.
  }];
  let arguments = (ins Hfloat_NumberTensor:$input, Hfloat_NumberTensor:$min, Hfloat_NumberTensor:$max);
  let results = (outs Hfloat_NumberTensor:$output);
}

// Before opset 7 an operator says whether its second operand broadcasts, and from which dimension on.
defvar oldBroadcast = [Consumed<"axis", "Int", 1, 6>, Consumed<"broadcast", "Flag", 1, 6>];

class Hfloat_BinaryOp<string mnemonic, string onnx, list<int> versions, string formula, list<Trait> traits = []>
    : Hfloat_PureOp<mnemonic, onnx, versions, "Broadcast", traits>, Quantized<"Own", ["Activation", "Activation"]> {
  let onnxAttributes = oldBroadcast;
  let upgradeRule = "OldBroadcast";
  let summary = formula # " (ONNX " # onnx # ")";
  let description = [{
    Elementwise with multidirectional (numpy) broadcasting of operands of one element type. `activation` clamps the result.
  }];
  let arguments = (ins Hfloat_NumberTensor:$a, Hfloat_NumberTensor:$b, OptionalAttr<Hfloat_ClampAttr>:$activation);
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_AddOp : Hfloat_BinaryOp<"add", "Add", [1, 6, 7, 13, 14], "a + b", [Commutative]>;
def Hfloat_MulOp : Hfloat_BinaryOp<"mul", "Mul", [1, 6, 7, 13, 14], "a * b", [Commutative]>;
def Hfloat_SubOp : Hfloat_BinaryOp<"sub", "Sub", [1, 6, 7, 13, 14], "a - b">;

class Hfloat_PairOp<string mnemonic, string onnx, list<int> versions, string formula, string shape = "Broadcast",
    TypeConstraint operands = Hfloat_NumberTensor, TypeConstraint result = operands>
    : Hfloat_PureOp<mnemonic, onnx, versions, shape> {
  let onnxAttributes = oldBroadcast;
  let upgradeRule = "OldBroadcast";
  let summary = formula # " (ONNX " # onnx # ")";
  let description = "Elementwise with multidirectional (numpy) broadcasting of operands of one element type.";
  let arguments = (ins operands:$a, operands:$b);
  let results = (outs result:$output);
}

def Hfloat_DivOp : Hfloat_PairOp<"div", "Div", [1, 6, 7, 13, 14], "a / b; integers truncate toward zero">,
    Quantized<"OwnOrFloat", ["Parameter", "Parameter"]>;
def Hfloat_MaxOp : Hfloat_PairOp<"max", "Max", [1, 6, 8, 12, 13], "the larger of a and b; NaN if one is">,
    Quantized<"Own", ["Argument", "Argument"]> {
  let onnxInputs = [OnnxInputs<1, 1, -1>];
  let upgradeRule = "Chain";
}
def Hfloat_MinOp : Hfloat_PairOp<"min", "Min", [1, 6, 8, 12, 13], "the smaller of a and b; NaN if one is">,
    Quantized<"Own", ["Argument", "Argument"]> {
  let onnxInputs = [OnnxInputs<1, 1, -1>];
  let upgradeRule = "Chain";
}

def Hfloat_PowOp : Hfloat_PureOp<"pow", "Pow", [1, 7, 12, 13, 15], "Pow">,
    Quantized<"OwnOrFloat", ["Parameter", "Parameter"]> {
  let onnxAttributes = oldBroadcast;
  let upgradeRule = "OldBroadcast";
  let summary = "a to the power of b (ONNX Pow-15)";
  let description = "Elementwise with numpy broadcasting. The result has the element type of `a`; `b` may have another.";
  let arguments = (ins Hfloat_NumberTensor:$a, Hfloat_NumberTensor:$b);
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_PReluOp : Hfloat_PureOp<"p_relu", "PRelu", [1, 6, 7, 9, 16], "PRelu">,
    Quantized<"Own", ["Argument", "Argument"]> {
  let upgradeRule = "PRelu";
  let summary = "x for x >= 0, otherwise slope * x (ONNX PRelu-16)";
  let description = "Elementwise; `slope` broadcasts to the shape of `input`, as numpy does.";
  let arguments = (ins Hfloat_NumberTensor:$input, Hfloat_NumberTensor:$slope);
  let results = (outs Hfloat_NumberTensor:$output);
}

//===- Logic ---------------------------------------------------------------===//

class Hfloat_ComparisonOp<string mnemonic, string onnx, list<int> versions, string formula>
  : Hfloat_PairOp<mnemonic, onnx, versions, formula, "Comparison", Hfloat_Tensor, Hfloat_BoolTensor>,
    Quantized<"OwnOrFloat", ["Parameter", "Parameter"]>;
class Hfloat_LogicOp<string mnemonic, string onnx, list<int> versions, string formula>
  : Hfloat_PairOp<mnemonic, onnx, versions, formula, "Broadcast", Hfloat_BoolTensor>,
    Quantized<"OwnOrFloat", ["Plain", "Plain"]>;

def Hfloat_EqualOp : Hfloat_ComparisonOp<"equal", "Equal", [1, 7, 11, 13, 19], "a == b">;
def Hfloat_GreaterOp : Hfloat_ComparisonOp<"greater", "Greater", [1, 7, 9, 13], "a > b">;
def Hfloat_GreaterOrEqualOp : Hfloat_ComparisonOp<"greater_or_equal", "GreaterOrEqual", [12, 16], "a >= b">;
def Hfloat_LessOp : Hfloat_ComparisonOp<"less", "Less", [1, 7, 9, 13], "a < b">;
def Hfloat_LessOrEqualOp : Hfloat_ComparisonOp<"less_or_equal", "LessOrEqual", [12, 16], "a <= b">;
def Hfloat_AndOp : Hfloat_LogicOp<"and", "And", [1, 7], "both">;
def Hfloat_OrOp : Hfloat_LogicOp<"or", "Or", [1, 7], "at least one">;
def Hfloat_XorOp : Hfloat_LogicOp<"xor", "Xor", [1, 7], "exactly one">;

class Hfloat_BitsOp<string mnemonic, string onnx, string formula>
  : Hfloat_PairOp<mnemonic, onnx, [18], formula # ", bit by bit", "Integers", Hfloat_NumberTensor>;
def Hfloat_BitwiseAndOp : Hfloat_BitsOp<"bitwise_and", "BitwiseAnd", "both">;
def Hfloat_BitwiseOrOp : Hfloat_BitsOp<"bitwise_or", "BitwiseOr", "at least one">;
def Hfloat_BitwiseXorOp : Hfloat_BitsOp<"bitwise_xor", "BitwiseXor", "exactly one">;

def Hfloat_ModOp : Hfloat_PureOp<"mod", "Mod", [10, 13], "Integers"> {
  let summary = "the remainder of a / b (ONNX Mod-13)";
  let description = [{
    Elementwise with numpy broadcasting. It has the sign of `b`; with `fmod`, which floats need, that of `a`. By an integer 0 it is 0.
  }];
  let arguments = (ins Hfloat_NumberTensor:$a, Hfloat_NumberTensor:$b, DefaultValuedAttr<BoolAttr, "false">:$fmod);
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_NotOp : Hfloat_PureOp<"not", "Not", [1], "Unary">, Quantized<"OwnOrFloat", ["Plain"]> {
  let summary = "the other truth value (ONNX Not-1)";
  let description = "Elementwise.";
  let arguments = (ins Hfloat_BoolTensor:$input);
  let results = (outs Hfloat_BoolTensor:$output);
}

def Hfloat_WhereOp : Hfloat_PureOp<"where", "Where", [9, 16], "Where">, Quantized<"OwnOrFloat", ["Plain", "Parameter"]> {
  let onnxResultOperand = 1;
  let summary = "condition ? a : b (ONNX Where-16)";
  let description = "Elementwise with numpy broadcasting of all three operands; `a` and `b` have one element type.";
  let arguments = (ins Hfloat_BoolTensor:$condition, Hfloat_Tensor:$a, Hfloat_Tensor:$b);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_RangeOp : Hfloat_PureOp<"range", "Range", [11, 27], "Range"> {
  // Positions are computed in f64, whatever is asked for.
  let onnxAttributes = [Consumed<"stash_type", "Int", 27>];
  let upgradeRule = "Range";
  let summary = "start, start + delta, ... below limit (ONNX Range-11)";
  let description = [{
    The operands have one element. The result has `max(ceil((limit - start) / delta), 0)` elements; it can be computed when
    the operands are constants.
  }];
  let arguments = (ins Hfloat_NumberTensor:$start, Hfloat_NumberTensor:$limit, Hfloat_NumberTensor:$delta);
  let results = (outs Hfloat_NumberTensor:$output);
}

//===- Reductions ----------------------------------------------------------===//

class Hfloat_ReduceOp<string mnemonic, string onnx, list<int> versions, string formula, int axesAreInputSince = 18>
    : Hfloat_PureOp<mnemonic, onnx, versions, "Reduce"> {
  let onnxInputs = [OnnxInputs<1, 1, 1>, OnnxInputs<axesAreInputSince, 1, 2>];
  let onnxAttributes = [Consumed<"axes", "Ints", 1, !sub(axesAreInputSince, 1)>,
    Since<"noop_with_empty_axes", axesAreInputSince>];
  let upgradeRule = "Reduce";
  let summary = formula # " over axes (ONNX " # onnx # ")";
  let description = [{
    `axes` may be negative; an empty list means all axes, or none with `noop_with_empty_axes`. Reduced dimensions become 1, or
    vanish without `keepdims`.
  }];
  let arguments = (ins Hfloat_NumberTensor:$input, Hfloat_ShapeTensor:$axes,
    DefaultValuedAttr<BoolAttr, "true">:$keepdims, DefaultValuedAttr<BoolAttr, "false">:$noop_with_empty_axes);
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_ReduceL1Op : Hfloat_ReduceOp<"reduce_l1", "ReduceL1", [1, 11, 13, 18], "sum of |x|">,
    Quantized<"OwnOrFloat", ["Activation", "Plain"]>;
def Hfloat_ReduceL2Op : Hfloat_ReduceOp<"reduce_l2", "ReduceL2", [1, 11, 13, 18], "square root of the sum of x * x">,
    Quantized<"OwnOrFloat", ["Activation", "Plain"]>;
def Hfloat_ReduceLogSumOp : Hfloat_ReduceOp<"reduce_log_sum", "ReduceLogSum", [1, 11, 13, 18], "logarithm of the sum">,
    Quantized<"OwnOrFloat", ["Activation", "Plain"]>;
def Hfloat_ReduceLogSumExpOp : Hfloat_ReduceOp<"reduce_log_sum_exp", "ReduceLogSumExp", [1, 11, 13, 18], "logarithm of the sum of exp(x)">,
    Quantized<"OwnOrFloat", ["Activation", "Plain"]>;
def Hfloat_ReduceMaxOp : Hfloat_ReduceOp<"reduce_max", "ReduceMax", [1, 11, 12, 13, 18, 20], "maximum">,
    Quantized<"LikeInput", ["Activation", "Plain"]>;
def Hfloat_ReduceMeanOp : Hfloat_ReduceOp<"reduce_mean", "ReduceMean", [1, 11, 13, 18], "mean">,
    Quantized<"Own", ["Activation", "Plain"]>;
def Hfloat_ReduceMinOp : Hfloat_ReduceOp<"reduce_min", "ReduceMin", [1, 11, 12, 13, 18, 20], "minimum">,
    Quantized<"LikeInput", ["Activation", "Plain"]>;
def Hfloat_ReduceProdOp : Hfloat_ReduceOp<"reduce_prod", "ReduceProd", [1, 11, 13, 18], "product">,
    Quantized<"OwnOrFloat", ["Activation", "Plain"]>;
def Hfloat_ReduceSumOp : Hfloat_ReduceOp<"reduce_sum", "ReduceSum", [1, 11, 13], "sum", 13>,
    Quantized<"Own", ["Activation", "Plain"]>;
def Hfloat_ReduceSumSquareOp : Hfloat_ReduceOp<"reduce_sum_square", "ReduceSumSquare", [1, 11, 13, 18], "sum of x * x">,
    Quantized<"OwnOrFloat", ["Activation", "Plain"]>;

class Hfloat_ArgOp<string mnemonic, string onnx, list<int> versions, string formula>
    : Hfloat_PureOp<mnemonic, onnx, versions, "PositionOfExtreme">, Quantized<"OwnOrFloat", ["Activation"]> {
  let onnxAttributes = [Since<"select_last_index", 12>];
  let summary = formula # " along an axis (ONNX " # onnx # ")";
  let description = "Of equal values the first, or the last with `select_last_index`. Without `keepdims` the dimension vanishes.";
  let arguments = (ins Hfloat_NumberTensor:$input, DefaultValuedAttr<SI64Attr, "0">:$axis,
    DefaultValuedAttr<BoolAttr, "true">:$keepdims, DefaultValuedAttr<BoolAttr, "false">:$select_last_index);
  let results = (outs Hfloat_ShapeTensor:$output);
}

def Hfloat_ArgMaxOp : Hfloat_ArgOp<"arg_max", "ArgMax", [1, 11, 12, 13], "position of the maximum">;
def Hfloat_ArgMinOp : Hfloat_ArgOp<"arg_min", "ArgMin", [1, 11, 12, 13], "position of the minimum">;

//===- Pooling -------------------------------------------------------------===//

class Hfloat_PoolOp<string mnemonic, string onnx, list<int> versions, dag more, string shape = "Pool">
    : Hfloat_PureOp<mnemonic, onnx, versions, shape> {
  let arguments = !con((ins
    Hfloat_NumberTensor:$input, DenseI64ArrayAttr:$kernel_shape, DenseI64ArrayAttr:$strides,
    DenseI64ArrayAttr:$pads, DenseI64ArrayAttr:$dilations,
    DefaultValuedAttr<BoolAttr, "false">:$ceil_mode,
    DefaultValuedAttr<Hfloat_AutoPadAttr, "::hb::hfloat::AutoPad::NOTSET">:$auto_pad), more);
}

def Hfloat_MaxPoolOp : Hfloat_PoolOp<"max_pool", "MaxPool", [1, 8, 10, 11, 12, 22], (ins)>,
    Quantized<"LikeInput", ["Activation"]> {
  // `storage_order` is of the second output, which `max_pool_indices` gives.
  let onnxAttributes = [Since<"ceil_mode", 10>, DerivedSince<"dilations", 10>, Derived<"pads">, Derived<"strides">,
    Consumed<"storage_order", "Flag", 8>];
  let onnxOutputs = 2;
  let upgradeRule = "MaxPool";
  let summary = "maximum over windows (ONNX MaxPool-12, first output)";
  let description = "Padding never wins. The optional second output of ONNX is `hfloat.max_pool_indices`.";
  let results = (outs Hfloat_NumberTensor:$output);
}

// Apart from the maxima, so that these can be computed where integers are.
def Hfloat_MaxPoolIndicesOp : Hfloat_PoolOp<"max_pool_indices", "MaxPool", [8, 10, 11, 12, 22],
    (ins DefaultValuedAttr<BoolAttr, "false">:$storage_order), "PoolIndices"> {
  let onnxAttributes = [Since<"ceil_mode", 10>, DerivedSince<"dilations", 10>, Derived<"pads">, Derived<"strides">];
  let onnxOutputs = 2;
  let onnxFirstOutput = 1;
  let upgradeRule = "MaxPool";
  let summary = "positions of the maxima over windows (ONNX MaxPool-12, second output)";
  let description = [{
    Each index counts through the whole of `input`, without padding: images and channels row by row, and an image row by row, or
    with `storage_order` column by column (its first spatial dimension runs fastest). Of equal maxima the first in row order has it. NaN is
    the maximum where it is the window's first element, as in onnxruntime, and is passed over elsewhere. A window that holds
    padding only is an error.
  }];
  let results = (outs Hfloat_ShapeTensor:$indices);
}

def Hfloat_AveragePoolOp : Hfloat_PoolOp<"average_pool", "AveragePool", [1, 7, 10, 11, 19, 22],
    (ins DefaultValuedAttr<BoolAttr, "false">:$count_include_pad)>,
    Quantized<"Own", ["Activation"]> {
  let onnxAttributes = [Since<"ceil_mode", 10>, DerivedSince<"dilations", 19>, Derived<"pads">, Derived<"strides">,
    Since<"count_include_pad", 7>];
  let upgradeRule = "Pool";
  let summary = "average over windows (ONNX AveragePool-19)";
  let description = "`count_include_pad` says whether padding counts in the divisor.";
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_GlobalAveragePoolOp : Hfloat_PureOp<"global_average_pool", "GlobalAveragePool", [1, 22], "GlobalPool">,
    Quantized<"Own", ["Activation"]> {
  let summary = "average over all spatial dimensions (ONNX GlobalAveragePool-1)";
  let description = "The spatial dimensions of the result are 1.";
  let arguments = (ins Hfloat_FloatTensor:$input);
  let results = (outs Hfloat_FloatTensor:$output);
}

def Hfloat_GlobalMaxPoolOp : Hfloat_PureOp<"global_max_pool", "GlobalMaxPool", [1, 22], "GlobalPool">,
    Quantized<"LikeInput", ["Activation"]> {
  let summary = "maximum over all spatial dimensions (ONNX GlobalMaxPool-1)";
  let description = "The spatial dimensions of the result are 1.";
  let arguments = (ins Hfloat_FloatTensor:$input);
  let results = (outs Hfloat_FloatTensor:$output);
}

//===- Resampling ----------------------------------------------------------===//

defvar Hfloat_Transformations = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
  "tf_crop_and_resize"];
def Hfloat_Transformation : Choice<Hfloat_Transformations>;
// Opset 11 and 12 have one more, which the importer turns into another.
def Hfloat_OnnxTransformation : Since<"coordinate_transformation_mode", 11> {
  let kind = "Choice";
  let choices = !listconcat(Hfloat_Transformations, ["tf_half_pixel_for_nn"]);
}

def Hfloat_ResizeOp : Hfloat_PureOp<"resize", "Resize", [10, 11, 13, 18, 19], "Resize">,
    Quantized<"LikeInput", ["Activation", "Plain"]> {
  // Only scales; then the region of interest and sizes came; then all became optional.
  let onnxInputs = [OnnxInputs<10, 2, 2>, OnnxInputs<11, 1, 4>];
  let onnxAttributes = [Since<"antialias", 18>, Since<"axes", 18>, Since<"cubic_coeff_a", 11>,
    Since<"exclude_outside", 11>, Since<"extrapolation_value", 11>, Since<"keep_aspect_ratio_policy", 18>,
    Since<"nearest_mode", 11>, Hfloat_OnnxTransformation];
  let upgradeRule = "Resize";
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
    DefaultValuedStrAttr<Choice<["nearest", "linear", "cubic"]>, "nearest">:$mode,
    DefaultValuedStrAttr<Hfloat_Transformation, "half_pixel">:$coordinate_transformation_mode,
    DefaultValuedStrAttr<Choice<["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]>, "round_prefer_floor">:$nearest_mode,
    DefaultValuedStrAttr<Choice<["stretch", "not_larger", "not_smaller"]>, "stretch">:$keep_aspect_ratio_policy,
    DefaultValuedAttr<F32Attr, "-0.75">:$cubic_coeff_a,
    DefaultValuedAttr<BoolAttr, "false">:$exclude_outside,
    DefaultValuedAttr<F32Attr, "0.0">:$extrapolation_value,
    DefaultValuedAttr<BoolAttr, "false">:$antialias);
  let results = (outs Hfloat_Tensor:$output);
}

//===- Normalizing functions -----------------------------------------------===//

// Up to opset 12 the dimensions from the axis on are one.
def Hfloat_MatrixAxis : OnnxAttribute<"axis"> {
  let untilVersion = 12;
  let defaultInteger = 1;
}

def Hfloat_SoftmaxOp : Hfloat_PureOp<"softmax", "Softmax", [1, 11, 13], "Softmax">, Quantized<"OwnOrFloat", ["Activation"]> {
  let onnxAttributes = [Hfloat_MatrixAxis, Since<"axis", 13>];
  let upgradeRule = "Softmax";
  let summary = "exp(x) / sum(exp(x)) along one axis (ONNX Softmax-13)";
  let description = "Computed after the maximum along `axis` is subtracted.";
  let arguments = (ins Hfloat_FloatTensor:$input, DefaultValuedAttr<SI64Attr, "-1">:$axis);
  let results = (outs Hfloat_FloatTensor:$output);
}

//===- Running sums --------------------------------------------------------===//

def Hfloat_CumSumOp : Hfloat_PureOp<"cum_sum", "CumSum", [11, 14], "Unary"> {
  let summary = "sums of the elements along an axis up to each one (ONNX CumSum-14)";
  let description = [{
    `axis` holds one number and may be negative. With `exclusive` an element is not in its own sum; with `reverse` the sums begin at
    the end.
  }];
  let arguments = (ins Hfloat_NumberTensor:$input, Hfloat_IndexTensor:$axis,
    DefaultValuedAttr<BoolAttr, "false">:$exclusive, DefaultValuedAttr<BoolAttr, "false">:$reverse);
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_CumProdOp : Hfloat_PureOp<"cum_prod", "CumProd", [26], "Unary"> {
  let summary = "products of the elements along an axis up to each one (ONNX CumProd-26)";
  let description = "As `cum_sum`, with products; what is before the first element is 1.";
  let arguments = (ins Hfloat_NumberTensor:$input, Hfloat_IndexTensor:$axis,
    DefaultValuedAttr<BoolAttr, "false">:$exclusive, DefaultValuedAttr<BoolAttr, "false">:$reverse);
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_DetOp : Hfloat_PureOp<"det", "Det", [11, 22], "Det"> {
  let summary = "determinants of matrices (ONNX Det-22)";
  let description = "The last two dimensions of `input` are those of square matrices. Computed in f64, by elimination with pivots.";
  let arguments = (ins Hfloat_FloatTensor:$input);
  let results = (outs Hfloat_FloatTensor:$output);
}

//===- Layout --------------------------------------------------------------===//

def Hfloat_ConcatOp : Hfloat_PureOp<"concat", "Concat", [1, 4, 11, 13], "Concat">, Quantized<"Own", ["Activation"]> {
  let onnxInputs = [OnnxInputs<1, 1, -1>];
  let upgradeRule = "Concat";
  let summary = "joins tensors along an axis (ONNX Concat-13)";
  let description = "All dimensions but `axis` are equal.";
  let arguments = (ins Variadic<Hfloat_Tensor>:$inputs, SI64Attr:$axis);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_SliceOp : Hfloat_FoldableOp<"slice", "Slice", [1, 10, 11, 13], "Slice", "Slice">,
    Quantized<"LikeInput", ["Activation", "Plain"]> {
  // Starts, ends and axes became inputs, and steps came.
  let onnxInputs = [OnnxInputs<1, 1, 1>, OnnxInputs<10, 3, 5>];
  let onnxAttributes = [RequiredConsumed<"starts", "Ints", 1, 9>, RequiredConsumed<"ends", "Ints", 1, 9>,
    Consumed<"axes", "Ints", 1, 9>];
  let upgradeRule = "Slice";
  let summary = "a strided part of a tensor (ONNX Slice-13)";
  let description = [{
    `starts`, `ends`, `axes`, `steps` are one-dimensional and equally long; out-of-range values are clamped as ONNX says.
    The importer always gives all four.
  }];
  let arguments = (ins Hfloat_Tensor:$input, Hfloat_IndexTensor:$starts, Hfloat_IndexTensor:$ends,
                       Hfloat_IndexTensor:$axes, Hfloat_IndexTensor:$steps);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_ModeBeforeWrap : OnnxAttribute<"mode"> {
  let untilVersion = 18;
  let kind = "Choice";
  let choices = ["constant", "reflect", "edge"];
}

def Hfloat_PadOp : Hfloat_FoldableOp<"pad", "Pad", [1, 2, 11, 13, 18, 19, 21, 23, 24, 25], "Pad", "Pad">,
    Quantized<"LikeInput", ["Activation", "Plain"]> {
  // Pads and value became inputs, then axes came, then mode `wrap`.
  let onnxInputs = [OnnxInputs<1, 1, 1>, OnnxInputs<11, 2, 3>, OnnxInputs<18, 2, 4>];
  let onnxAttributes = [Hfloat_ModeBeforeWrap, Since<"mode", 19>, RequiredConsumed<"pads", "Ints", 1, 10>,
    Consumed<"value", "Float", 1, 10>];
  let upgradeRule = "Pad";
  let summary = "adds a border (ONNX Pad-19)";
  let description = [{
    `pads` holds the begins of `axes`, then their ends; negative values crop. `value` is a scalar, used by mode
    `constant`. The importer always gives `value` and `axes`.
  }];
  let arguments = (ins Hfloat_Tensor:$input, Hfloat_ShapeTensor:$pads, Hfloat_Tensor:$value, Hfloat_IndexTensor:$axes,
    DefaultValuedAttr<Hfloat_PadModeAttr, "::hb::hfloat::PadMode::constant">:$mode);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_FlattenOp : Hfloat_FoldableOp<"flatten", "Flatten", [1, 9, 11, 13, 21, 23, 24, 25], "Flatten", "SameShape">,
    Quantized<"LikeInput", ["Activation"]> {
  let summary = "to two dimensions, split at an axis (ONNX Flatten-13)";
  let description = "`axis` may be negative or equal to the rank.";
  let arguments = (ins Hfloat_Tensor:$input, DefaultValuedAttr<SI64Attr, "1">:$axis);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_ReshapeOp : Hfloat_FoldableOp<"reshape", "Reshape", [1, 5, 13, 14, 19, 21, 23, 24, 25], "Reshape", "SameShape">,
    Quantized<"LikeInput", ["Activation", "Plain"]> {
  let onnxAttributes = [Since<"allowzero", 14>];
  let summary = "the same elements in another shape (ONNX Reshape-14)";
  let description = "A dimension -1 is inferred; 0 copies that of the input unless `allowzero`.";
  let arguments = (ins Hfloat_Tensor:$input, Hfloat_ShapeTensor:$shape, DefaultValuedAttr<BoolAttr, "false">:$allowzero);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_UnsqueezeOp : Hfloat_FoldableOp<"unsqueeze", "Unsqueeze", [1, 11, 13, 21, 23, 24, 25], "Unsqueeze", "SameShape">,
    Quantized<"LikeInput", ["Activation", "Plain"]> {
  // Axes became an input.
  let onnxInputs = [OnnxInputs<1, 1, 1>, OnnxInputs<13, 2, 2>];
  let onnxAttributes = [RequiredConsumed<"axes", "Ints", 1, 12>];
  let upgradeRule = "Axes";
  let summary = "inserts dimensions of size 1 (ONNX Unsqueeze-13)";
  let description = "`axes` are positions in the result and may be negative.";
  let arguments = (ins Hfloat_Tensor:$input, Hfloat_ShapeTensor:$axes);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_TransposeOp : Hfloat_FoldableOp<"transpose", "Transpose", [1, 13, 21, 23, 24, 25], "Transpose", "Transpose">,
    Quantized<"LikeInput", ["Activation"]> {
  let onnxAttributes = [Derived<"perm">];
  let upgradeRule = "Transpose";
  let summary = "permutes dimensions (ONNX Transpose-13)";
  let description = "Dimension i of the result is dimension `perm[i]` of the input.";
  let arguments = (ins Hfloat_Tensor:$input, DenseI64ArrayAttr:$perm);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_SplitOp : Hfloat_Op<"split", "Split", [1, 2, 11, 13, 18], "Split", [Pure]> {
  // The sizes became an input; then equal parts became a number.
  let onnxInputs = [OnnxInputs<1, 1, 1>, OnnxInputs<13, 1, 2>];
  let onnxAttributes = [Consumed<"split", "Ints", 1, 12>, Consumed<"num_outputs", "Int", 18>];
  let upgradeRule = "Split";
  let summary = "parts of a tensor, one after the other (ONNX Split-18)";
  let description = [{
    `split` holds the sizes of the parts along `axis`. Without it the parts are equal, the last one may be smaller.
  }];
  let arguments = (ins Hfloat_Tensor:$input, Optional<Hfloat_ShapeTensor>:$split, DefaultValuedAttr<SI64Attr, "0">:$axis);
  let results = (outs Variadic<Hfloat_Tensor>:$outputs);
  let assemblyFormat = "operands attr-dict `:` functional-type(operands, results)";
}

def Hfloat_SqueezeOp : Hfloat_FoldableOp<"squeeze", "Squeeze", [1, 11, 13, 21, 23, 24, 25], "Squeeze", "SameShape">,
    Quantized<"LikeInput", ["Activation", "Plain"]> {
  // Axes became an input.
  let onnxInputs = [OnnxInputs<1, 1, 1>, OnnxInputs<13, 1, 2>];
  let onnxAttributes = [Consumed<"axes", "Ints", 1, 12>];
  let upgradeRule = "Axes";
  let summary = "removes dimensions of size 1 (ONNX Squeeze-13)";
  let description = "`axes` may be negative; without them every dimension of size 1 goes.";
  let arguments = (ins Hfloat_Tensor:$input, Optional<Hfloat_ShapeTensor>:$axes);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_ExpandOp : Hfloat_FoldableOp<"expand", "Expand", [8, 13], "Expand", "SameShape">,
    Quantized<"LikeInput", ["Activation", "Plain"]> {
  let summary = "broadcasts to a shape (ONNX Expand-13)";
  let description = "The input and `shape` broadcast as the shapes of two operands do.";
  let arguments = (ins Hfloat_Tensor:$input, Hfloat_ShapeTensor:$shape);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_TileOp : Hfloat_FoldableOp<"tile", "Tile", [1, 6, 13], "Tile", "SameShape">,
    Quantized<"LikeInput", ["Activation", "Plain"]> {
  let summary = "repeats a tensor along its dimensions (ONNX Tile-13)";
  let description = "`repeats` holds one number per dimension.";
  let arguments = (ins Hfloat_Tensor:$input, Hfloat_ShapeTensor:$repeats);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_DepthToSpaceOp : Hfloat_PureOp<"depth_to_space", "DepthToSpace", [1, 11, 13], "DepthToSpace">,
    Quantized<"LikeInput", ["Activation"]> {
  let onnxAttributes = [Since<"mode", 11>];
  let summary = "channels become blocks of pixels (ONNX DepthToSpace-13)";
  let description = [{
    `[N, C * b * b, H, W]` becomes `[N, C, H * b, W * b]` with b = `blocksize`. In mode `DCR` the channels are ordered
    (row, column, channel), in mode `CRD` (channel, row, column).
  }];
  let arguments = (ins Hfloat_Tensor:$input, SI64Attr:$blocksize, DefaultValuedStrAttr<Choice<["DCR", "CRD"]>, "DCR">:$mode);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_SpaceToDepthOp : Hfloat_PureOp<"space_to_depth", "SpaceToDepth", [1, 13], "SpaceToDepth">,
    Quantized<"LikeInput", ["Activation"]> {
  let summary = "blocks of pixels become channels (ONNX SpaceToDepth-13)";
  let description = "`[N, C, H * b, W * b]` becomes `[N, b * b * C, H, W]` with b = `blocksize`; channels are ordered (row, column, channel).";
  let arguments = (ins Hfloat_Tensor:$input, SI64Attr:$blocksize);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_GatherOp : Hfloat_PureOp<"gather", "Gather", [1, 11, 13], "Gather">,
    Quantized<"LikeInput", ["Activation", "Plain"]> {
  let summary = "takes slices by index (ONNX Gather-13)";
  let description = "The rank of the result is that of `data` plus that of `indices` minus 1; indices may be negative.";
  let arguments = (ins Hfloat_Tensor:$data, Hfloat_IndexTensor:$indices, DefaultValuedAttr<SI64Attr, "0">:$axis);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_GatherElementsOp : Hfloat_PureOp<"gather_elements", "GatherElements", [11, 13], "GatherElements"> {
  let summary = "takes one element for each index (ONNX GatherElements-13)";
  let description = [{
    The result has the shape of `indices`. An element is that of `data` at its own place, with the index as the place along `axis`; an
    index may be negative.
  }];
  let arguments = (ins Hfloat_Tensor:$data, Hfloat_IndexTensor:$indices, DefaultValuedAttr<SI64Attr, "0">:$axis);
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_GatherNdOp : Hfloat_PureOp<"gather_nd", "GatherND", [11, 12, 13], "GatherNd"> {
  let onnxAttributes = [Since<"batch_dims", 12>];
  let summary = "takes slices by several indices each (ONNX GatherND-13)";
  let description = [{
    The last dimension of `indices` holds places along the first dimensions of `data`, behind the `batch_dims` that both have. The result
    has the other dimensions of `indices`, then those of `data` that no index is for.
  }];
  let arguments = (ins Hfloat_Tensor:$data, Hfloat_ShapeTensor:$indices, DefaultValuedAttr<SI64Attr, "0">:$batch_dims);
  let results = (outs Hfloat_Tensor:$output);
}

class Hfloat_ScatterOp<string mnemonic, string onnx, string shape, TypeConstraint indices, dag attributes>
    : Hfloat_PureOp<mnemonic, onnx, [11, 13, 16, 18], shape> {
  let onnxAttributes = [Since<"reduction", 16>];
  let arguments = !con((ins Hfloat_Tensor:$data, indices:$indices, Hfloat_Tensor:$updates), attributes,
    (ins DefaultValuedStrAttr<Choice<["none", "add", "mul", "max", "min"]>, "none">:$reduction));
  let results = (outs Hfloat_Tensor:$output);
}

def Hfloat_ScatterElementsOp : Hfloat_ScatterOp<"scatter_elements", "ScatterElements", "ScatterElements", Hfloat_IndexTensor,
    (ins DefaultValuedAttr<SI64Attr, "0">:$axis)> {
  let summary = "writes one element for each index (ONNX ScatterElements-18)";
  let description = [{
    A copy of `data` where each element of `updates` is written to its own place, with the index as the place along `axis`, or joined
    with what is there by `reduction`. An index may be negative. Of elements for one place the last one counts.
  }];
}

def Hfloat_ScatterNdOp
    : Hfloat_ScatterOp<"scatter_nd", "ScatterND", "ScatterNd", Hfloat_ShapeTensor, (ins)> {
  let summary = "writes slices by several indices each (ONNX ScatterND-18)";
  let description = [{
    A copy of `data` where each slice of `updates` is written to the place that the last dimension of `indices` holds, or joined with
    what is there by `reduction`.
  }];
}

def Hfloat_BitCastOp : Hfloat_PureOp<"bit_cast", "BitCast", [26], "BitCast"> {
  let onnxAttributes = [RequiredConsumed<"to", "Int">];
  let onnxResultElement = "to";
  let summary = "the same bits as another element type (ONNX BitCast-26)";
  let description = "The element type of the result has as many bytes.";
  let arguments = (ins Hfloat_NumberTensor:$input);
  let results = (outs Hfloat_NumberTensor:$output);
}

def Hfloat_GridSampleOp : Hfloat_PureOp<"grid_sample", "GridSample", [16, 20, 22], "GridSample"> {
  // linear and cubic were called by their names for images.
  let onnxAttributes = [ConsumedChoice<"mode", ["bilinear", "nearest", "bicubic"], 1, 19>, Since<"mode", 20>];
  let upgradeRule = "GridSample";
  let summary = "samples an image at the places of a grid (ONNX GridSample-22)";
  let description = [{
    `input` is `[N, C, D1, ..., Dk]`, `grid` is `[N, E1, ..., Ek, k]`; the result is `[N, C, E1, ..., Ek]`. A place is between -1 and 1
    along each dimension, the innermost one first: the centres of the outer pixels with `align_corners`, else their outer edges.
    Computed in f64.
  }];
  let arguments = (ins Hfloat_NumberTensor:$input, Hfloat_FloatTensor:$grid,
    DefaultValuedStrAttr<Choice<["linear", "nearest", "cubic"]>, "linear">:$mode,
    DefaultValuedStrAttr<Choice<["zeros", "border", "reflection"]>, "zeros">:$padding_mode,
    DefaultValuedAttr<BoolAttr, "false">:$align_corners);
  let results = (outs Hfloat_NumberTensor:$output);
}

//===- What sorts, selects and recurs --------------------------------------===//

def Hfloat_UniqueOp : Hfloat_PureOp<"unique", "Unique", [11], "Unique"> {
  // Without an axis ONNX sees a vector of all elements.
  let onnxAttributes = [Derived<"axis">];
  let upgradeRule = "Unique";
  let summary = "each slice along an axis once (ONNX Unique-11)";
  let description = [{
    The results are what is there, in order if `sorted`, else as
    it first occurs; the place where each first occurs; for each slice its place among them; how often each occurs.
  }];
  let arguments = (ins Hfloat_Tensor:$input, SI64Attr:$axis, DefaultValuedAttr<BoolAttr, "true">:$sorted);
  let results = (outs Hfloat_Tensor:$values, Hfloat_ShapeTensor:$indices, Hfloat_ShapeTensor:$inverse_indices,
    Hfloat_ShapeTensor:$counts);
}

def Hfloat_RoiAlignOp : Hfloat_PureOp<"roi_align", "RoiAlign", [10, 16, 22], "RoiAlign"> {
  // Before, coordinates were not moved by half a pixel.
  let onnxAttributes = [Since<"coordinate_transformation_mode", 16>];
  let upgradeRule = "RoiAlign";
  let summary = "samples regions of interest (ONNX RoiAlign-22)";
  let description = [{
    `input` is `[N, C, H, W]`; `rois` is `[regions, 4]`: left, top, right and bottom, which `spatial_scale` brings to the input's
    pixels; `batch_indices` says the sample of each. A region is parted into bins, and each bin is the mean, or the largest share, of
    points that are interpolated between four pixels: `sampling_ratio` points per direction, or one for each pixel where it is 0.
  }];
  let arguments = (ins Hfloat_FloatTensor:$input, Hfloat_FloatTensor:$rois, Hfloat_ShapeTensor:$batch_indices,
    DefaultValuedStrAttr<Choice<["avg", "max"]>, "avg">:$mode,
    DefaultValuedStrAttr<Choice<["half_pixel", "output_half_pixel"]>, "half_pixel">:$coordinate_transformation_mode,
    DefaultValuedAttr<SI64Attr, "1">:$output_height, DefaultValuedAttr<SI64Attr, "1">:$output_width,
    DefaultValuedAttr<SI64Attr, "0">:$sampling_ratio, DefaultValuedAttr<F32Attr, "1.0">:$spatial_scale);
  let results = (outs Hfloat_FloatTensor:$output);
}

def Hfloat_TopKOp : Hfloat_PureOp<"top_k", "TopK", [1, 10, 11, 24], "TopK"> {
  // k became an input.
  let onnxInputs = [OnnxInputs<1, 1, 1>, OnnxInputs<10, 2, 2>];
  let onnxAttributes = [RequiredConsumed<"k", "Int", 1, 9>, Since<"largest", 11>, Since<"sorted", 11>];
  let upgradeRule = "TopK";
  let summary = "the k largest or smallest elements along an axis, and their positions (ONNX TopK-11)";
  let description = [{
    Equal elements are taken in the order of their positions, NaN counts as larger than every number. The results are ordered,
    with `sorted` or without. When `k` is known only when running, the results have at most as many elements as the axis; the axis may be as long as is
    known only when running.
  }];
  let arguments = (ins Hfloat_NumberTensor:$input, Hfloat_ShapeTensor:$k, DefaultValuedAttr<SI64Attr, "-1">:$axis,
    DefaultValuedAttr<BoolAttr, "true">:$largest, DefaultValuedAttr<BoolAttr, "true">:$sorted);
  let results = (outs Hfloat_NumberTensor:$values, Hfloat_ShapeTensor:$indices);
}

def Hfloat_NonZeroOp : Hfloat_PureOp<"non_zero", "NonZero", [9, 13], "NonZero"> {
  let summary = "the positions of the elements that are not zero, one column each (ONNX NonZero-13)";
  let description = "The result is `[rank, n]` with n at most the number of elements; columns are in row-major order.";
  let arguments = (ins Hfloat_Tensor:$input);
  let results = (outs Hfloat_ShapeTensor:$output);
}

def Hfloat_NonMaxSuppressionOp
    : Hfloat_PureOp<"non_max_suppression", "NonMaxSuppression", [10, 11], "NonMaxSuppression"> {
  let onnxInputs = [OnnxInputs<1, 2, 5>];
  let upgradeRule = "NonMaxSuppression";
  let summary = "boxes that overlap no box of a higher score too much (ONNX NonMaxSuppression-11)";
  let description = [{
    `boxes` is `[batches, n, 4]`, `scores` is `[batches, classes, n]`. The result is `[selected, 3]`: batch, class and box of each
    selected box. Of a batch and class at most `max_output_boxes_per_class` boxes are selected, in the order of their scores; a box
    whose intersection over union with a selected one is above `iou_threshold` is not. With an empty `score_threshold` every
    score counts, else those above it.
  }];
  let arguments = (ins Hfloat_FloatTensor:$boxes, Hfloat_FloatTensor:$scores, Hfloat_ShapeTensor:$max_output_boxes_per_class,
    Hfloat_FloatTensor:$iou_threshold, Hfloat_FloatTensor:$score_threshold,
    DefaultValuedAttr<BoolAttr, "false">:$center_point_box);
  let results = (outs Hfloat_ShapeTensor:$selected_indices);
}

def Hfloat_MaxRoiPoolOp : Hfloat_PureOp<"max_roi_pool", "MaxRoiPool", [1, 22], "MaxRoiPool"> {
  let summary = "maximum over the bins of regions of interest (ONNX MaxRoiPool-22)";
  let description = [{
    `input` is `[N, C, H, W]`; `rois` is `[regions, 5]`: the number of the sample, then left, top, right and bottom. Each side times
    `spatial_scale` is rounded, halves away from zero; a region has one pixel at least, its last ones included, and is parted into
    `pooled_shape` bins, which overlap where it does not divide. The result is `[regions, C, rows, columns]`; a bin outside of `input` is 0.
  }];
  let arguments = (ins Hfloat_FloatTensor:$input, Hfloat_FloatTensor:$rois, DenseI64ArrayAttr:$pooled_shape,
    DefaultValuedAttr<F32Attr, "1.0">:$spatial_scale);
  let results = (outs Hfloat_FloatTensor:$output);
}

def Hfloat_LstmOp : Hfloat_PureOp<"lstm", "LSTM", [1, 7, 14, 22], "Recurrent"> {
  let onnxInputs = [OnnxInputs<1, 3, 8>];
  let onnxAttributes = [Since<"layout", 14>];
  let upgradeRule = "Recurrent";
  let summary = "a recurrent layer of long short-term memory (ONNX LSTM-14)";
  let description = [{
    `input` is `[steps, batch, inputs]`, `weight` is `[directions, 4 * hidden, inputs]` with the gates in the order input, output,
    forget, cell; `recurrence` is `[directions, 4 * hidden, hidden]`. The other operands are empty when they are absent. The
    results are the hidden states of all steps `[steps, directions, batch, hidden]`, the last hidden state and the last cell
    state `[directions, batch, hidden]`. With `layout` 1 the batch is the first dimension of input, states and results.
    `activations` names three functions for each direction, by default Sigmoid, Tanh, Tanh; `activation_alpha` and
    `activation_beta` hold the constants of those that have one, in order.
  }];
  let arguments = (ins Hfloat_FloatTensor:$input, Hfloat_FloatTensor:$weight, Hfloat_FloatTensor:$recurrence,
    Hfloat_FloatTensor:$bias, Hfloat_IndexTensor:$sequence_lens, Hfloat_FloatTensor:$initial_h,
    Hfloat_FloatTensor:$initial_c, Hfloat_FloatTensor:$peepholes,
    DefaultValuedStrAttr<Choice<["forward", "reverse", "bidirectional"]>, "forward">:$direction,
    OptionalAttr<SI64Attr>:$hidden_size,
    OptionalAttr<StrArrayAttr>:$activations, OptionalAttr<DenseF64ArrayAttr>:$activation_alpha,
    OptionalAttr<DenseF64ArrayAttr>:$activation_beta, OptionalAttr<F32Attr>:$clip,
    DefaultValuedAttr<BoolAttr, "false">:$input_forget, DefaultValuedAttr<BoolAttr, "false">:$layout);
  let results = (outs Hfloat_FloatTensor:$output, Hfloat_FloatTensor:$last_h, Hfloat_FloatTensor:$last_c);
}

class Hfloat_CellOp<string mnemonic, string onnx, list<int> versions, dag attributes>
    : Hfloat_PureOp<mnemonic, onnx, versions, "Recurrent"> {
  let onnxInputs = [OnnxInputs<1, 3, 6>];
  let onnxAttributes = [Since<"layout", 14>];
  let upgradeRule = "Recurrent";
  let arguments = !con((ins
    Hfloat_FloatTensor:$input, Hfloat_FloatTensor:$weight, Hfloat_FloatTensor:$recurrence,
    Hfloat_FloatTensor:$bias, Hfloat_IndexTensor:$sequence_lens, Hfloat_FloatTensor:$initial_h,
    DefaultValuedStrAttr<Choice<["forward", "reverse", "bidirectional"]>, "forward">:$direction,
    OptionalAttr<SI64Attr>:$hidden_size,
    OptionalAttr<StrArrayAttr>:$activations, OptionalAttr<DenseF64ArrayAttr>:$activation_alpha,
    OptionalAttr<DenseF64ArrayAttr>:$activation_beta, OptionalAttr<F32Attr>:$clip,
    DefaultValuedAttr<BoolAttr, "false">:$layout), attributes);
  let results = (outs Hfloat_FloatTensor:$output, Hfloat_FloatTensor:$last_h);
}

def Hfloat_GruOp : Hfloat_CellOp<"gru", "GRU", [1, 3, 7, 14, 22],
    (ins DefaultValuedAttr<BoolAttr, "false">:$linear_before_reset)> {
  let summary = "a recurrent layer of gated units (ONNX GRU-22)";
  let description = [{
    As `lstm`, with three gates in the order update, reset, hidden, and no cell state. `activations` names two functions for each
    direction, by default Sigmoid, Tanh. With `linear_before_reset` the reset gate is applied to the product with the recurrence and
    its bias, else to the state before the product.
  }];
}

def Hfloat_RnnOp : Hfloat_CellOp<"rnn", "RNN", [1, 7, 14, 22], (ins)> {
  let summary = "a recurrent layer without gates (ONNX RNN-22)";
  let description = "As `lstm`, with one function for each direction, by default Tanh, and no cell state.";
}

//===- Control flow --------------------------------------------------------===//

def Hfloat_YieldOp : Op<Hfloat_Dialect, "yield", [Pure, Terminator, ParentOneOf<["IfOp", "LoopOp"]>]> {
  let summary = "ends a branch or a loop's body and gives its values";
  let description = "The operands are what the enclosing operation makes of them.";
  let arguments = (ins Variadic<Hfloat_Tensor>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
}

def Hfloat_IfOp : Hfloat_Op<"if", "If", [1, 11, 13, 16, 19, 21, 23, 24, 25], "If", [Pure, IsolatedFromAbove, SingleBlock]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>];
  let onnxAttributes = [RequiredConsumed<"then_branch", "Graph">, RequiredConsumed<"else_branch", "Graph">, DialectOnly<"faults">];
  let onnxResultElement = "then_branch";
  let upgradeRule = "If";
  let summary = "one of two branches (ONNX If-21)";
  let description = [{
    The branches see only `captured`, as block arguments: what a branch reads from outside is an operand, so that every pass sees
    it. A result whose size is not the same in both branches is known up to the larger one.

    `faults` says of each branch why it cannot be built; empty where it can. Such a branch yields nothing. That is an error unless the condition
    turns out to be constant and to take the other one.
  }];
  let arguments = (ins Hfloat_BoolTensor:$condition, Variadic<Hfloat_Tensor>:$captured, OptionalAttr<StrArrayAttr>:$faults);
  let regions = (region SizedRegion<1>:$then_branch, SizedRegion<1>:$else_branch);
  let results = (outs Variadic<Hfloat_Tensor>:$outputs);
  let assemblyFormat = [{
    $condition `captures` `(` $captured `)` attr-dict-with-keyword $then_branch `else` $else_branch
    `:` functional-type(operands, results)
  }];
}

def Hfloat_LoopOp
    : Hfloat_Op<"loop", "Loop", [1, 11, 13, 16, 19, 21, 23, 24, 25], "Loop", [Pure, IsolatedFromAbove, SingleBlock]> {
  let onnxInputs = [OnnxInputs<1, 0, -1>];
  let onnxAttributes = [RequiredConsumed<"body", "Graph">, DialectOnly<"carried">];
  // The body gives the condition first.
  let onnxResultElement = "body";
  let onnxFirstResult = 1;
  let upgradeRule = "Loop";
  let summary = "repeats its body (ONNX Loop-21)";
  let description = [{
    Runs while `condition` holds, at most `trip_count` times; the largest i64 stands for no limit. The first `carried` of `values`
    go from one iteration to the next, the others are what the body reads from outside. The body takes the number of the
    iteration, the condition, and the values; it yields the condition, the carried values, and one part of each further result,
    which holds the parts of all iterations along a new first dimension. How many these are is known up to an upper bound that
    `trip_count` must have.
  }];
  let arguments = (ins Hfloat_ShapeTensor:$trip_count, Hfloat_BoolTensor:$condition, Variadic<Hfloat_Tensor>:$values,
    DefaultValuedAttr<SI64Attr, "0">:$carried);
  let regions = (region SizedRegion<1>:$body);
  let results = (outs Variadic<Hfloat_Tensor>:$outputs);
  let assemblyFormat = [{
    $trip_count `,` $condition `values` `(` $values `)` attr-dict-with-keyword $body `:` functional-type(operands, results)
  }];
}

//===- Operators of ONNX that become others ----------------------------------===//

def Onnx_AffineGrid : OnnxComposite<"AffineGrid", [20]> {
  let onnxInputs = [OnnxInputs<1, 2, 2>];
  let onnxAttributes = [Consumed<"align_corners", "Flag">];
}
def Onnx_Attention : OnnxComposite<"Attention", [23, 24]> {
  let onnxInputs = [OnnxInputs<1, 3, 6>, OnnxInputs<24, 3, 7>];
  let onnxAttributes = [Consumed<"is_causal", "Flag">,
    Consumed<"kv_num_heads", "Int">,
    Consumed<"q_num_heads", "Int">,
    Consumed<"qk_matmul_output_mode", "Int">,
    Consumed<"scale", "Float">,
    Consumed<"softcap", "Float">,
    Consumed<"softmax_precision", "Int">];
  let onnxOutputs = 4;
}
def Onnx_BitShift : OnnxComposite<"BitShift", [11]> {
  let onnxInputs = [OnnxInputs<1, 2, 2>];
  let onnxAttributes = [ConsumedChoice<"direction", ["LEFT", "RIGHT"]>];
}
def Onnx_BitwiseNot : OnnxComposite<"BitwiseNot", [18]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>];
}
def Onnx_BlackmanWindow : OnnxComposite<"BlackmanWindow", [17]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>];
  let onnxAttributes = [Consumed<"output_datatype", "Int">, Consumed<"periodic", "Flag">];
}
def Onnx_CastLike : OnnxComposite<"CastLike", [15, 19, 21, 23, 24, 25]> {
  let onnxInputs = [OnnxInputs<1, 2, 2>];
  let onnxAttributes = [Consumed<"saturate", "Flag", 19>, ConsumedChoice<"round_mode", ["up", "down", "nearest"], 24>];
}
def Onnx_CausalConvWithState : OnnxComposite<"CausalConvWithState", [27]> {
  let onnxInputs = [OnnxInputs<1, 2, 4>];
  let onnxAttributes = [ConsumedChoice<"activation", ["none", "silu", "swish"]>];
  let onnxOutputs = 2;
}
def Onnx_CenterCropPad : OnnxComposite<"CenterCropPad", [18]> {
  let onnxInputs = [OnnxInputs<1, 2, 2>];
  let onnxAttributes = [Consumed<"axes", "Ints">];
}
def Onnx_Col2Im : OnnxComposite<"Col2Im", [18]> {
  let onnxInputs = [OnnxInputs<1, 3, 3>];
  let onnxAttributes = [Consumed<"dilations", "Ints">, Consumed<"pads", "Ints">, Consumed<"strides", "Ints">];
}
def Onnx_Compress : OnnxComposite<"Compress", [9, 11]> {
  let onnxInputs = [OnnxInputs<1, 2, 2>];
  let onnxAttributes = [Consumed<"axis", "Int">];
}
def Onnx_ConvInteger : OnnxComposite<"ConvInteger", [10]> {
  let onnxInputs = [OnnxInputs<1, 2, 4>];
  let onnxAttributes = [ConsumedChoice<"auto_pad", ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]>, Consumed<"dilations", "Ints">, Consumed<"group", "Int">,
    Consumed<"kernel_shape", "Ints">, Consumed<"pads", "Ints">, Consumed<"strides", "Ints">];
}
def Onnx_DeformConv : OnnxComposite<"DeformConv", [19, 22]> {
  let onnxInputs = [OnnxInputs<1, 3, 5>];
  let onnxAttributes = [Consumed<"dilations", "Ints">, Consumed<"group", "Int">, Consumed<"kernel_shape", "Ints">, Consumed<"offset_group", "Int">,
    Consumed<"pads", "Ints">, Consumed<"strides", "Ints">];
}
// The axis became an input.
def Onnx_DFT : OnnxComposite<"DFT", [17, 20]> {
  let onnxInputs = [OnnxInputs<1, 1, 2>, OnnxInputs<20, 1, 3>];
  let onnxAttributes = [Consumed<"axis", "Int", 17, 19>, Consumed<"inverse", "Flag">, Consumed<"onesided", "Flag">];
}
// In inference it is Identity. Ratio and training mode became inputs.
def Onnx_Dropout : OnnxComposite<"Dropout", [1, 6, 7, 10, 12, 13, 22]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>, OnnxInputs<12, 1, 3>];
  let onnxAttributes = [Consumed<"is_test", "Flag", 1, 6>, Consumed<"ratio", "Float", 1, 11>, Consumed<"seed", "Int", 12>];
  let onnxOutputs = 2;
}
def Onnx_DynamicQuantizeLinear : OnnxComposite<"DynamicQuantizeLinear", [11]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>];
  let onnxOutputs = 3;
}
def Onnx_Einsum : OnnxComposite<"Einsum", [12]> {
  let onnxInputs = [OnnxInputs<1, 1, -1>];
  let onnxAttributes = [RequiredConsumed<"equation", "Any">];
}
def Onnx_EyeLike : OnnxComposite<"EyeLike", [9, 22]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>];
  let onnxAttributes = [Consumed<"dtype", "Int">, Consumed<"k", "Int">];
}
def Onnx_GlobalLpPool : OnnxComposite<"GlobalLpPool", [1, 2, 22]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>];
  let onnxAttributes = [Consumed<"p", "Float", 1, 1>, Consumed<"p", "Int", 2>];
}
def Onnx_HammingWindow : OnnxComposite<"HammingWindow", [17]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>];
  let onnxAttributes = [Consumed<"output_datatype", "Int">, Consumed<"periodic", "Flag">];
}
def Onnx_HannWindow : OnnxComposite<"HannWindow", [17]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>];
  let onnxAttributes = [Consumed<"output_datatype", "Int">, Consumed<"periodic", "Flag">];
}
def Onnx_Hardmax : OnnxComposite<"Hardmax", [1, 11, 13]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>];
  let onnxAttributes = [Consumed<"axis", "Int">];
}
def Onnx_IsInf : OnnxComposite<"IsInf", [10, 20]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>];
  let onnxAttributes = [Consumed<"detect_negative", "Flag">, Consumed<"detect_positive", "Flag">];
}
def Onnx_IsNaN : OnnxComposite<"IsNaN", [9, 13, 20]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>];
}
def Onnx_LinearAttention : OnnxComposite<"LinearAttention", [27]> {
  let onnxInputs = [OnnxInputs<1, 3, 6>];
  let onnxAttributes = [Consumed<"chunk_size", "Int">, RequiredConsumed<"kv_num_heads", "Int">,
    RequiredConsumed<"q_num_heads", "Int">, Consumed<"scale", "Float">,
    ConsumedChoice<"update_rule", ["linear", "gated", "delta", "gated_delta"]>];
  let onnxOutputs = 2;
}
def Onnx_LogSoftmax : OnnxComposite<"LogSoftmax", [1, 11, 13]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>];
  let onnxAttributes = [Consumed<"axis", "Int">];
}
def Onnx_LpNormalization : OnnxComposite<"LpNormalization", [1, 22]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>];
  let onnxAttributes = [Consumed<"axis", "Int">, Consumed<"p", "Int">];
}
def Onnx_LpPool : OnnxComposite<"LpPool", [1, 2, 11, 18, 22]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>];
  let onnxAttributes = [ConsumedChoice<"auto_pad", ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]>, Consumed<"ceil_mode", "Flag", 18>, Consumed<"dilations", "Ints", 18>,
    RequiredConsumed<"kernel_shape", "Ints">, Consumed<"p", "Float", 1, 1>, Consumed<"p", "Int", 2>, Consumed<"pads", "Ints">, Consumed<"strides", "Ints">];
}
def Onnx_MatMulInteger : OnnxComposite<"MatMulInteger", [10]> {
  let onnxInputs = [OnnxInputs<1, 2, 4>];
}
def Onnx_MaxUnpool : OnnxComposite<"MaxUnpool", [9, 11, 22]> {
  let onnxInputs = [OnnxInputs<1, 2, 3>];
  let onnxAttributes = [RequiredConsumed<"kernel_shape", "Ints">, Consumed<"pads", "Ints">, Consumed<"strides", "Ints">];
}
def Onnx_Mean : OnnxComposite<"Mean", [1, 6, 8, 13]> {
  let onnxInputs = [OnnxInputs<1, 1, -1>];
}
def Onnx_MeanVarianceNormalization : OnnxComposite<"MeanVarianceNormalization", [9, 13]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>];
  let onnxAttributes = [Consumed<"axes", "Ints">];
}
def Onnx_MelWeightMatrix : OnnxComposite<"MelWeightMatrix", [17]> {
  let onnxInputs = [OnnxInputs<1, 5, 5>];
  let onnxAttributes = [Consumed<"output_datatype", "Int">];
}
def Onnx_NegativeLogLikelihoodLoss : OnnxComposite<"NegativeLogLikelihoodLoss", [12, 13, 22]> {
  let onnxInputs = [OnnxInputs<1, 2, 3>];
  let onnxAttributes = [Consumed<"ignore_index", "Int">, ConsumedChoice<"reduction", ["none", "sum", "mean"]>];
}
def Onnx_OneHot : OnnxComposite<"OneHot", [9, 11]> {
  let onnxInputs = [OnnxInputs<1, 3, 3>];
  let onnxAttributes = [Consumed<"axis", "Int">];
}
def Onnx_QLinearConv : OnnxComposite<"QLinearConv", [10]> {
  let onnxInputs = [OnnxInputs<1, 8, 9>];
  let onnxAttributes = [ConsumedChoice<"auto_pad", ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]>, Consumed<"dilations", "Ints">, Consumed<"group", "Int">,
    Consumed<"kernel_shape", "Ints">, Consumed<"pads", "Ints">, Consumed<"strides", "Ints">];
}
def Onnx_QLinearMatMul : OnnxComposite<"QLinearMatMul", [10, 21]> {
  let onnxInputs = [OnnxInputs<1, 8, 8>];
}
def Onnx_ReverseSequence : OnnxComposite<"ReverseSequence", [10]> {
  let onnxInputs = [OnnxInputs<1, 2, 2>];
  let onnxAttributes = [Consumed<"batch_axis", "Int">, Consumed<"time_axis", "Int">];
}
def Onnx_RMSNormalization : OnnxComposite<"RMSNormalization", [23]> {
  let onnxInputs = [OnnxInputs<1, 2, 2>];
  let onnxAttributes = [Consumed<"axis", "Int">, Consumed<"epsilon", "Float">, Consumed<"stash_type", "Int">];
}
def Onnx_RotaryEmbedding : OnnxComposite<"RotaryEmbedding", [23]> {
  let onnxInputs = [OnnxInputs<1, 3, 4>];
  let onnxAttributes = [Consumed<"interleaved", "Flag">, Consumed<"num_heads", "Int">, Consumed<"rotary_embedding_dim", "Int">];
}
// Of opset 8, with samples and their lengths, it is refused.
def Onnx_Scan : OnnxComposite<"Scan", [8, 9, 11, 16, 19, 21, 23, 24, 25]> {
  let onnxInputs = [OnnxInputs<1, 0, -1>, OnnxInputs<9, 1, -1>];
  let onnxAttributes = [RequiredConsumed<"body", "Graph">, RequiredConsumed<"num_scan_inputs", "Int">,
    Consumed<"directions", "Ints", 1, 8>, Consumed<"scan_input_axes", "Ints", 9>, Consumed<"scan_input_directions", "Ints", 9>,
    Consumed<"scan_output_axes", "Ints", 9>, Consumed<"scan_output_directions", "Ints", 9>];
  let onnxOutputs = -1;
}
// ScatterElements took its name.
def Onnx_Scatter : OnnxComposite<"Scatter", [9, 11]> {
  let onnxInputs = [OnnxInputs<1, 3, 3>];
  let onnxAttributes = [Consumed<"axis", "Int">];
}
def Onnx_Size : OnnxComposite<"Size", [1, 13, 19, 21, 23, 24, 25]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>];
}
def Onnx_SoftmaxCrossEntropyLoss : OnnxComposite<"SoftmaxCrossEntropyLoss", [12, 13]> {
  let onnxInputs = [OnnxInputs<1, 2, 3>];
  let onnxAttributes = [Consumed<"ignore_index", "Int">, ConsumedChoice<"reduction", ["none", "sum", "mean"]>];
  let onnxOutputs = 2;
}
def Onnx_STFT : OnnxComposite<"STFT", [17]> {
  let onnxInputs = [OnnxInputs<1, 2, 4>];
  let onnxAttributes = [Consumed<"onesided", "Flag">];
}
def Onnx_Sum : OnnxComposite<"Sum", [1, 6, 8, 13]> {
  let onnxInputs = [OnnxInputs<1, 1, -1>];
}
def Onnx_TensorScatter : OnnxComposite<"TensorScatter", [24]> {
  let onnxInputs = [OnnxInputs<1, 2, 3>];
  let onnxAttributes = [Consumed<"axis", "Int">, ConsumedChoice<"mode", ["linear", "circular"]>];
}
def Onnx_Trilu : OnnxComposite<"Trilu", [14]> {
  let onnxInputs = [OnnxInputs<1, 1, 2>];
  let onnxAttributes = [Consumed<"upper", "Flag">];
}
// Resize took its place. Scales became an input.
def Onnx_Upsample : OnnxComposite<"Upsample", [1, 7, 9, 10]> {
  let onnxInputs = [OnnxInputs<1, 1, 1>, OnnxInputs<9, 2, 2>];
  let onnxAttributes = [ConsumedChoice<"mode", ["nearest", "linear"]>, RequiredConsumed<"scales", "Floats", 1, 8>];
}

#endif
