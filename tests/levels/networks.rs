//! Small networks, one for each way of using the machine.

use super::check;

#[test]
fn convolution_with_relu() {
    let text = "func.func @main(%x: tensor<1x3x9x7xf32>) -> tensor<*xf32> {
        %w = @(5x3x3x3) loc(\"w\")
        %b = @(5) loc(\"b\")
        %0 = hfloat.conv %x, %w, %b {SAME_3X3} : (tensor<1x3x9x7xf32>, tensor<5x3x3x3xf32>, tensor<5xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.relu %0 : (tensor<*xf32>) -> tensor<*xf32> loc(\"Relu_1\")
        return %1 : tensor<*xf32>
    }";
    check(text, "Conv_0", Some(&["bpu"]), 1.0, 0.01);
}

#[test]
fn depthwise_grouped_and_dilated_convolutions() {
    let text = "func.func @main(%x: tensor<2x4x11x10xf32>) -> tensor<*xf32> {
        %w0 = @(4x1x3x3) loc(\"w0\")
        %w1 = @(6x2x3x2) loc(\"w1\")
        %b1 = @(6) loc(\"b1\")
        %0 = hfloat.conv %x, %w0 {strides = array<i64: 2, 1>, pads = array<i64: 1, 0, 0, 1>, dilations = array<i64: 1, 1>, group = 4 : si64}
            : (tensor<2x4x11x10xf32>, tensor<4x1x3x3xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.conv %0, %w1, %b1 {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 2, 3>, group = 2 : si64}
            : (tensor<*xf32>, tensor<6x2x3x2xf32>, tensor<6xf32>) -> tensor<*xf32> loc(\"Conv_1\")
        return %1 : tensor<*xf32>
    }";
    check(text, "Conv_1", Some(&["bpu"]), 2.0, 0.02);
}

#[test]
fn convolution_of_one_dimension() {
    let text = "func.func @main(%x: tensor<1x3x20xf32>) -> tensor<*xf32> {
        %w = @(4x3x3) loc(\"w\")
        %0 = hfloat.conv %x, %w {strides = array<i64: 2>, pads = array<i64: 1, 0>, dilations = array<i64: 1>}
            : (tensor<1x3x20xf32>, tensor<4x3x3xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.max_pool %0 {kernel_shape = array<i64: 2>, strides = array<i64: 2>, pads = array<i64: 0, 0>, dilations = array<i64: 1>}
            : (tensor<*xf32>) -> tensor<*xf32> loc(\"MaxPool_1\")
        return %1 : tensor<*xf32>
    }";
    check(text, "Conv_0", Some(&["bpu"]), 1.0, 0.02);
}

/// The sums of the last operation are dequantized without being rounded to int8: no step is lost but those of the operands.
#[test]
fn a_last_convolution_of_one_dimension_is_exact() {
    let text = "func.func @main(%x: tensor<2x3x20xf32>) -> tensor<*xf32> {
        %w = @(4x3x3) loc(\"w\")
        %b = @(4) loc(\"b\")
        %0 = hfloat.conv %x, %w, %b {strides = array<i64: 2>, pads = array<i64: 1, 0>, dilations = array<i64: 1>}
            : (tensor<2x3x20xf32>, tensor<4x3x3xf32>, tensor<4xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        return %0 : tensor<*xf32>
    }";
    check(text, "Conv_0", Some(&["bpu"]), 1.0, 0.02);
}

#[test]
fn matrix_products() {
    let text = "func.func @main(%x: tensor<3x8xf32>) -> (tensor<*xf32>, tensor<*xf32>) {
        %w0 = @(6x8) loc(\"w0\")
        %b0 = @(6) loc(\"b0\")
        %w1 = @(8x6) loc(\"w1\")
        %0 = hfloat.gemm %x, %w0, %b0 {transB = true} : (tensor<3x8xf32>, tensor<6x8xf32>, tensor<6xf32>) -> tensor<*xf32> loc(\"Gemm_0\")
        %1 = hfloat.gemm %x, %w1 : (tensor<3x8xf32>, tensor<8x6xf32>) -> tensor<*xf32> loc(\"Gemm_1\")
        return %0, %1 : tensor<*xf32>, tensor<*xf32>
    }";
    // Steps are those of the first; the scales of the two are near each other.
    check(text, "Gemm_0", Some(&["bpu"]), 1.5, 0.05);
}

#[test]
fn gemm_after_images() {
    let text = "func.func @main(%x: tensor<2x3x4x4xf32>) -> tensor<*xf32> {
        %w0 = @(4x3x3x3) loc(\"w0\")
        %w1 = @(64x10) loc(\"w1\")
        %b1 = @(10) loc(\"b1\")
        %0 = hfloat.conv %x, %w0 {SAME_3X3} : (tensor<2x3x4x4xf32>, tensor<4x3x3x3xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.flatten %0 : (tensor<*xf32>) -> tensor<*xf32> loc(\"Flatten_1\")
        %2 = hfloat.gemm %1, %w1, %b1 {alpha = 0.5 : f32, beta = 3.0 : f32} : (tensor<*xf32>, tensor<64x10xf32>, tensor<10xf32>) -> tensor<*xf32> loc(\"Gemm_2\")
        return %2 : tensor<*xf32>
    }";
    check(text, "Gemm_2", Some(&["bpu"]), 1.0, 0.1);
}

#[test]
fn products_of_two_activations() {
    let text = "func.func @main(%q: tensor<2x5x8xf32>, %k: tensor<2x6x8xf32>) -> tensor<*xf32> {
        %0 = hfloat.transpose %k {perm = array<i64: 0, 2, 1>} : (tensor<2x6x8xf32>) -> tensor<*xf32> loc(\"Transpose_0\")
        %1 = hfloat.mat_mul %q, %0 : (tensor<2x5x8xf32>, tensor<*xf32>) -> tensor<*xf32> loc(\"MatMul_1\")
        return %1 : tensor<*xf32>
    }";
    check(text, "MatMul_1", Some(&["bpu"]), 1.0, 0.02);
}

#[test]
fn sums_and_products_broadcast() {
    let text = "func.func @main(%x: tensor<1x3x6x5xf32>, %y: tensor<5xf32>) -> tensor<*xf32> {
        %w = @(3x3x1x1) loc(\"w\")
        %c = @(3x1x1) loc(\"c\")
        %s = @() loc(\"s\")
        %0 = hfloat.conv %x, %w {POINT} : (tensor<1x3x6x5xf32>, tensor<3x3x1x1xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.add %0, %x : (tensor<*xf32>, tensor<1x3x6x5xf32>) -> tensor<*xf32> loc(\"Add_1\")
        %2 = hfloat.add %1, %y : (tensor<*xf32>, tensor<5xf32>) -> tensor<*xf32> loc(\"Add_2\")
        %3 = hfloat.relu %2 : (tensor<*xf32>) -> tensor<*xf32> loc(\"Relu_3\")
        %4 = hfloat.mul %3, %c : (tensor<*xf32>, tensor<3x1x1xf32>) -> tensor<*xf32> loc(\"Mul_4\")
        %5 = hfloat.add %4, %s : (tensor<*xf32>, tensor<f32>) -> tensor<*xf32> loc(\"Add_5\")
        return %5 : tensor<*xf32>
    }";
    check(text, "Add_5", Some(&["bpu"]), 2.0, 0.05);
}

#[test]
fn squeeze_and_excite() {
    let text = "func.func @main(%x: tensor<1x4x5x5xf32>) -> tensor<*xf32> {
        %w = @(4x4x1x1) loc(\"w\")
        %0 = hfloat.global_average_pool %x : (tensor<1x4x5x5xf32>) -> tensor<*xf32> loc(\"Pool_0\")
        %1 = hfloat.conv %0, %w {POINT} : (tensor<*xf32>, tensor<4x4x1x1xf32>) -> tensor<*xf32> loc(\"Conv_1\")
        %2 = hfloat.mul %x, %1 : (tensor<1x4x5x5xf32>, tensor<*xf32>) -> tensor<*xf32> loc(\"Mul_2\")
        return %2 : tensor<*xf32>
    }";
    check(text, "Mul_2", Some(&["bpu"]), 2.0, 0.05);
}

#[test]
fn pools() {
    let text = "func.func @main(%x: tensor<1x3x9x8xf32>) -> tensor<*xf32> {
        %0 = hfloat.max_pool %x {kernel_shape = array<i64: 3, 2>, strides = array<i64: 1, 1>, pads = array<i64: 1, 0, 1, 1>, dilations = array<i64: 1, 1>}
            : (tensor<1x3x9x8xf32>) -> tensor<*xf32> loc(\"MaxPool_0\")
        %1 = hfloat.average_pool %0 {kernel_shape = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>}
            : (tensor<*xf32>) -> tensor<*xf32> loc(\"AveragePool_1\")
        %2 = hfloat.average_pool %1 {kernel_shape = array<i64: 2, 3>, strides = array<i64: 2, 1>, pads = array<i64: 1, 1, 0, 1>, dilations = array<i64: 1, 1>, count_include_pad = true}
            : (tensor<*xf32>) -> tensor<*xf32> loc(\"AveragePool_2\")
        %3 = hfloat.max_pool %2 {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, ceil_mode = true}
            : (tensor<*xf32>) -> tensor<*xf32> loc(\"MaxPool_3\")
        return %3 : tensor<*xf32>
    }";
    check(text, "AveragePool_2", Some(&["bpu"]), 1.0, 0.05);
}

#[test]
fn concatenation_of_different_scales() {
    let text = "func.func @main(%x: tensor<1x3x5x4xf32>) -> tensor<*xf32> {
        %w0 = @(2x3x1x1) loc(\"w0\")
        %w1 = @(5x3x3x3) loc(\"w1\")
        %0 = hfloat.conv %x, %w0 {POINT} : (tensor<1x3x5x4xf32>, tensor<2x3x1x1xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.conv %x, %w1 {SAME_3X3} : (tensor<1x3x5x4xf32>, tensor<5x3x3x3xf32>) -> tensor<*xf32> loc(\"Conv_1\")
        %2 = hfloat.concat %0, %1, %x {axis = -3 : si64} : (tensor<*xf32>, tensor<*xf32>, tensor<1x3x5x4xf32>) -> tensor<*xf32> loc(\"Concat_2\")
        return %2 : tensor<*xf32>
    }";
    check(text, "Concat_2", Some(&["bpu"]), 1.0, 0.02);
}

#[test]
fn layout_alone_is_exact_behind_one_convolution() {
    let text = "func.func @main(%x: tensor<1x4x6x5xf32>) -> tensor<*xf32> {
        %w = @(6x4x1x1) loc(\"w\")
        %shape = hfloat.constant dense<[2, -1, 5]> : tensor<3xi64> loc(\"shape\")
        %starts = hfloat.constant dense<[-1, 1]> : tensor<2xi64> loc(\"starts\")
        %ends = hfloat.constant dense<[-100, 17]> : tensor<2xi64> loc(\"ends\")
        %axes = hfloat.constant dense<[2, 1]> : tensor<2xi64> loc(\"axes\")
        %steps = hfloat.constant dense<[-2, 3]> : tensor<2xi64> loc(\"steps\")
        %pads = hfloat.constant dense<[0, 1, 0, 0, 0, 2]> : tensor<6xi64> loc(\"pads\")
        %all = hfloat.constant dense<[0, 1, 2]> : tensor<3xi64> loc(\"all\")
        %zero = hfloat.constant dense<0.0> : tensor<f32> loc(\"zero\")
        %indices = hfloat.constant dense<[[3, -1], [0, 0]]> : tensor<2x2xi64> loc(\"indices\")
        %new = hfloat.constant dense<[0]> : tensor<1xi64> loc(\"new\")
        %0 = hfloat.conv %x, %w {POINT} : (tensor<1x4x6x5xf32>, tensor<6x4x1x1xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.transpose %0 {perm = array<i64: 0, 3, 1, 2>} : (tensor<*xf32>) -> tensor<*xf32> loc(\"Transpose_1\")
        %2 = hfloat.reshape %1, %shape : (tensor<*xf32>, tensor<3xi64>) -> tensor<*xf32> loc(\"Reshape_2\")
        %3 = hfloat.slice %2, %starts, %ends, %axes, %steps
            : (tensor<*xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<*xf32> loc(\"Slice_3\")
        %4 = hfloat.pad %3, %pads, %zero, %all : (tensor<*xf32>, tensor<6xi64>, tensor<f32>, tensor<3xi64>) -> tensor<*xf32> loc(\"Pad_4\")
        %5 = hfloat.gather %4, %indices {axis = 1 : si64} : (tensor<*xf32>, tensor<2x2xi64>) -> tensor<*xf32> loc(\"Gather_5\")
        %6 = hfloat.unsqueeze %5, %new : (tensor<*xf32>, tensor<1xi64>) -> tensor<*xf32> loc(\"Unsqueeze_6\")
        return %6 : tensor<*xf32>
    }";
    check(text, "Conv_0", Some(&["bpu"]), 1.0, 0.02);
}

#[test]
fn slices_and_borders_of_images() {
    let text = "func.func @main(%x: tensor<1x4x6x6xf32>) -> tensor<*xf32> {
        %w = @(4x4x1x1) loc(\"w\")
        %starts = hfloat.constant dense<[1, 4]> : tensor<2xi64> loc(\"starts\")
        %ends = hfloat.constant dense<[4, -7]> : tensor<2xi64> loc(\"ends\")
        %axes = hfloat.constant dense<[1, 3]> : tensor<2xi64> loc(\"axes\")
        %steps = hfloat.constant dense<[1, -1]> : tensor<2xi64> loc(\"steps\")
        %pads = hfloat.constant dense<[1, 2, 2, 1]> : tensor<4xi64> loc(\"pads\")
        %plane = hfloat.constant dense<[2, 3]> : tensor<2xi64> loc(\"plane\")
        %zero = hfloat.constant dense<0.0> : tensor<f32> loc(\"zero\")
        %0 = hfloat.conv %x, %w {POINT} : (tensor<1x4x6x6xf32>, tensor<4x4x1x1xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.slice %0, %starts, %ends, %axes, %steps
            : (tensor<*xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<*xf32> loc(\"Slice_1\")
        %2 = hfloat.pad %1, %pads, %zero, %plane {mode = #hfloat.pad_mode<reflect>}
            : (tensor<*xf32>, tensor<4xi64>, tensor<f32>, tensor<2xi64>) -> tensor<*xf32> loc(\"Pad_2\")
        %3 = hfloat.pad %2, %pads, %zero, %plane {mode = #hfloat.pad_mode<edge>}
            : (tensor<*xf32>, tensor<4xi64>, tensor<f32>, tensor<2xi64>) -> tensor<*xf32> loc(\"Pad_3\")
        return %3 : tensor<*xf32>
    }";
    check(text, "Conv_0", Some(&["bpu"]), 1.0, 0.02);
}

#[test]
fn what_runs_on_the_cpu_between_two_programs() {
    let text = "func.func @main(%x: tensor<1x3x4x4xf32>) -> tensor<*xf32> {
        %w0 = @(4x3x3x3) loc(\"w0\")
        %w1 = @(2x4x1x1) loc(\"w1\")
        %0 = hfloat.conv %x, %w0 {SAME_3X3} : (tensor<1x3x4x4xf32>, tensor<4x3x3x3xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.lrn %0 {size = 3 : si64} : (tensor<*xf32>) -> tensor<*xf32> loc(\"LRN_1\")
        %2 = hfloat.conv %1, %w1 {POINT} : (tensor<*xf32>, tensor<2x4x1x1xf32>) -> tensor<*xf32> loc(\"Conv_2\")
        return %2 : tensor<*xf32>
    }";
    check(text, "Conv_2", Some(&["bpu", "cpu", "bpu"]), 2.0, 0.05);
}

#[test]
fn a_value_of_the_first_program_is_read_by_the_second() {
    let text = "func.func @main(%x: tensor<1x3x4x4xf32>) -> (tensor<*xf32>, tensor<*xf32>) {
        %w0 = @(3x3x3x3) loc(\"w0\")
        %0 = hfloat.conv %x, %w0 {SAME_3X3} : (tensor<1x3x4x4xf32>, tensor<3x3x3x3xf32>) -> tensor<*xf32> loc(\"Conv_0\")
        %1 = hfloat.lrn %0 {size = 3 : si64} : (tensor<*xf32>) -> tensor<*xf32> loc(\"LRN_1\")
        %2 = hfloat.mul %0, %1 : (tensor<*xf32>, tensor<*xf32>) -> tensor<*xf32> loc(\"Mul_2\")
        return %2, %0 : tensor<*xf32>, tensor<*xf32>
    }";
    // Steps are those of the first result; those of the second are about as large.
    check(text, "Mul_2", Some(&["bpu", "cpu", "bpu"]), 2.0, 0.05);
}

#[test]
fn an_input_that_is_an_output_too() {
    let text = "func.func @main(%x: tensor<2x3xf32>) -> (tensor<*xf32>, tensor<2x3xf32>) {
        %a = hfloat.add %x, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<*xf32> loc(\"a\")
        return %a, %x : tensor<*xf32>, tensor<2x3xf32>
    }";
    check(text, "a", Some(&["bpu"]), 1.0, 0.0);
}
