//! The float executor against what onnxruntime computed, one recorded network per attribute of each operator.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/arrays.rs"]
mod arrays;
mod common;

use arrays::{given, recorded};
use common::Case;
use hb::cpu::{Array, ExecutableOptions, FloatExecutable, Observe};
use hb::frontend::onnx::{ImportOptions, import_file};
use hb_dialects::ir;

fn run(case: &Case, observe: Observe) -> Result<(), String> {
    let context = hb_dialects::context();
    let input_shapes = case.inputs.iter().map(|(name, array)| (name.clone(), array.shape.clone())).collect();
    let module =
        import_file(&context, &case.model, &ImportOptions { input_shapes }).map_err(|error| error.to_string())?;
    let function = ir::function_named(module.as_operation(), "main").ok_or("no function main")?;
    let pass = hb::float::PASSES.iter().find(|pass| pass.argument == "hfloat-infer-shapes").unwrap();
    let options = hb_dialects::pass::PassOptions::default();
    let (result, reports) = hb::diagnostics::collect(&context, || (pass.run)(function, &options));
    result.map_err(|failure| format!("{failure:?} {}", hb::diagnostics::messages(&reports)))?;
    let options = ExecutableOptions { observe, single_threaded: true, ..ExecutableOptions::default() };
    let executable = FloatExecutable::compile(function, options).map_err(|error| error.to_string())?;
    let inputs: Vec<Array> = executable
        .inputs()
        .map(|(name, ..)| given(&case.inputs.iter().find(|(given, _)| given == name).expect("an input").1))
        .collect();
    let outputs = executable.run(&inputs.iter().collect::<Vec<_>>()).map_err(|error| error.to_string())?;
    let outputs: Vec<common::Array> = outputs.iter().map(recorded).collect();
    case.compare(&outputs)
}

/// Runs every case of an operator; the message lists all that fail.
fn check(operator: &str) {
    let failures: Vec<String> = common::cases_of(operator)
        .iter()
        .filter(|case| !is_refused(case))
        .filter_map(|case| run(case, Observe::Nothing).err().map(|error| format!("{}: {error}", case.name())))
        .collect();
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

/// Forms that the importer refuses; they must be refused, not computed wrongly.
fn is_refused(case: &Case) -> bool {
    let reason = match (case.operator.as_str(), case.form.as_str()) {
        // Its body cuts a tensor at the number of the iteration.
        ("Loop", "onnx_loop11") => "the shape of its result follows from what node 'Unsqueeze_4' computes",
        _ => return false,
    };
    let error = run(case, Observe::Nothing).unwrap_err();
    assert!(error.contains(reason), "{}: {error}", case.name());
    true
}

macro_rules! operators {
    ($($name:ident $operator:literal,)*) => { $(#[test] fn $name() { check($operator); })* };
}

operators! {
    abs "Abs",
    acos "Acos",
    acosh "Acosh",
    add "Add",
    and "And",
    arg_max "ArgMax",
    arg_min "ArgMin",
    asin "Asin",
    asinh "Asinh",
    atan "Atan",
    atanh "Atanh",
    average_pool "AveragePool",
    batch_normalization "BatchNormalization",
    cast "Cast",
    ceil "Ceil",
    celu "Celu",
    clip "Clip",
    concat "Concat",
    constant "Constant",
    constant_of_shape "ConstantOfShape",
    control_networks "control_networks",
    unknown_sizes "unknown_sizes",
    quantized_networks "quantized_networks",
    quantized_operators "quantized_operators",
    dynamic_networks "dynamic_networks",
    conv "Conv",
    cos "Cos",
    cosh "Cosh",
    div "Div",
    elu "Elu",
    equal "Equal",
    erf "Erf",
    exp "Exp",
    conv_transpose "ConvTranspose",
    flatten "Flatten",
    floor "Floor",
    gather "Gather",
    gelu "Gelu",
    gemm "Gemm",
    global_average_pool "GlobalAveragePool",
    global_max_pool "GlobalMaxPool",
    greater "Greater",
    greater_or_equal "GreaterOrEqual",
    hard_sigmoid "HardSigmoid",
    hard_swish "HardSwish",
    identity "Identity",
    if_ "If",
    leaky_relu "LeakyRelu",
    less "Less",
    less_or_equal "LessOrEqual",
    log "Log",
    loop_ "Loop",
    lstm "LSTM",
    mat_mul "MatMul",
    max "Max",
    max_pool "MaxPool",
    mean "Mean",
    min "Min",
    mish "Mish",
    mul "Mul",
    neg "Neg",
    networks "networks",
    max_roi_pool "MaxRoiPool",
    non_max_suppression "NonMaxSuppression",
    non_zero "NonZero",
    not "Not",
    or "Or",
    p_relu "PRelu",
    pad "Pad",
    pow "Pow",
    range "Range",
    reciprocal "Reciprocal",
    reduce_l1 "ReduceL1",
    reduce_l2 "ReduceL2",
    reduce_log_sum "ReduceLogSum",
    reduce_log_sum_exp "ReduceLogSumExp",
    reduce_max "ReduceMax",
    reduce_mean "ReduceMean",
    reduce_min "ReduceMin",
    reduce_prod "ReduceProd",
    reduce_sum "ReduceSum",
    reduce_sum_square "ReduceSumSquare",
    relu "Relu",
    reshape "Reshape",
    resize "Resize",
    round "Round",
    selu "Selu",
    shape "Shape",
    shrink "Shrink",
    sigmoid "Sigmoid",
    sign "Sign",
    sin "Sin",
    sinh "Sinh",
    slice "Slice",
    softmax "Softmax",
    softplus "Softplus",
    softsign "Softsign",
    sqrt "Sqrt",
    sub "Sub",
    sum "Sum",
    swish "Swish",
    tan "Tan",
    tanh "Tanh",
    thresholded_relu "ThresholdedRelu",
    top_k "TopK",
    transpose "Transpose",
    unsqueeze "Unsqueeze",
    upsample "Upsample",
    cum_sum "CumSum",
    depth_to_space "DepthToSpace",
    expand "Expand",
    space_to_depth "SpaceToDepth",
    split "Split",
    squeeze "Squeeze",
    tile "Tile",
    group_normalization "GroupNormalization",
    instance_normalization "InstanceNormalization",
    layer_normalization "LayerNormalization",
    lrn "LRN",
    where_ "Where",
    xor "Xor",
    attention "Attention",
    bit_cast "BitCast",
    bit_shift "BitShift",
    bitwise_and "BitwiseAnd",
    bitwise_not "BitwiseNot",
    bitwise_or "BitwiseOr",
    bitwise_xor "BitwiseXor",
    causal_conv_with_state "CausalConvWithState",
    compress "Compress",
    conv_integer "ConvInteger",
    cum_prod "CumProd",
    deform_conv "DeformConv",
    dequantize_linear "DequantizeLinear",
    det "Det",
    dynamic_quantize_linear "DynamicQuantizeLinear",
    einsum "Einsum",
    eye_like "EyeLike",
    gru "GRU",
    gather_elements "GatherElements",
    gather_nd "GatherND",
    grid_sample "GridSample",
    hardmax "Hardmax",
    is_inf "IsInf",
    is_nan "IsNaN",
    linear_attention "LinearAttention",
    log_softmax "LogSoftmax",
    lp_normalization "LpNormalization",
    lp_pool "LpPool",
    mat_mul_integer "MatMulInteger",
    max_unpool "MaxUnpool",
    mean_variance_normalization "MeanVarianceNormalization",
    mod_ "Mod",
    negative_log_likelihood_loss "NegativeLogLikelihoodLoss",
    qlinear_conv "QLinearConv",
    qlinear_mat_mul "QLinearMatMul",
    quantize_linear "QuantizeLinear",
    rms_normalization "RMSNormalization",
    rnn "RNN",
    reverse_sequence "ReverseSequence",
    roi_align "RoiAlign",
    rotary_embedding "RotaryEmbedding",
    scan "Scan",
    scatter "Scatter",
    scatter_elements "ScatterElements",
    scatter_nd "ScatterND",
    size "Size",
    softmax_cross_entropy_loss "SoftmaxCrossEntropyLoss",
    tensor_scatter "TensorScatter",
    trilu "Trilu",
    unique "Unique",
}

/// Observing every value switches fusion off; the results must not depend on it.
#[test]
fn networks_without_fusion() {
    for case in common::cases_of("networks") {
        run(&case, Observe::Everything).unwrap();
    }
}
