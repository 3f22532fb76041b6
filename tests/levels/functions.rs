//! Elementwise functions: tables, clamps, differences and quotients, and what has no hardware form.

use super::forms::check_network;

/// A function of a convolution, in its layout, and of an input, in that of the network; of `before` these, where the function
/// is not defined everywhere.
fn check_function(before: &str, operation: &str, attributes: &str, steps: f64) {
    check_network(
        "%x: tensor<1x3x4x4xf32>",
        "%c, %d",
        &[
            "%w = @(3x3x1x1)",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x4x4xf32>, tensor<3x3x1x1xf32>) -> $",
            &format!("%p = hfloat.{before} %a : ($) -> $"),
            &format!("%q = hfloat.{before} %x : (tensor<1x3x4x4xf32>) -> $"),
            &format!("%c = hfloat.{operation} %p {attributes} : ($) -> $"),
            &format!("%d = hfloat.{operation} %q {attributes} : ($) -> $"),
        ],
        "d",
        &["bpu"],
        (steps, 0.05),
    );
}

#[test]
fn functions_by_table() {
    let everywhere = [
        "abs",
        "asinh",
        "atan",
        "celu",
        "cos",
        "cosh",
        "elu",
        "erf",
        "exp",
        "gelu",
        "hard_sigmoid",
        "leaky_relu",
        "mish",
        "neg",
        "selu",
        "sigmoid",
        "sin",
        "sinh",
        "softplus",
        "softsign",
        "swish",
        "tanh",
    ];
    for operation in everywhere {
        check_function("identity", operation, "", 1.0);
    }
    for operation in ["acos", "asin", "log", "reciprocal", "sqrt", "tan"] {
        check_function("sigmoid", operation, "", 1.0);
    }
    check_function("softsign", "atanh", "", 1.0);
    check_function("cosh", "acosh", "", 1.0);
}

/// The argument of a table is what f32 makes of an integer and its scale, so a jump is at one place for all levels. The convolution
/// before may still round to another integer than f32 sums do: functions of inputs show that all levels agree.
#[test]
fn functions_with_jumps() {
    for operation in ["ceil", "floor", "round", "shrink", "sign", "thresholded_relu"] {
        check_network(
            "%x: tensor<1x3x16x16xf32>",
            "%c",
            &[&format!("%c = hfloat.{operation} %x : (tensor<1x3x16x16xf32>) -> $")],
            "c",
            &["bpu"],
            (0.0, 0.0),
        );
    }
}

/// Values that saturate at a whole number: there floor and ceil are that number.
#[test]
fn whole_numbers_at_the_end_of_the_range_stay() {
    for bound in [1, 2, 3, 5, 6, 7, 100] {
        for operation in ["floor", "ceil"] {
            check_network(
                "%x: tensor<1x3x16x16xf32>",
                "%c",
                &[
                    &format!("%least = hfloat.constant dense<-{bound}.0> : tensor<f32>"),
                    &format!("%most = hfloat.constant dense<{bound}.0> : tensor<f32>"),
                    "%times = hfloat.constant dense<100.0> : tensor<f32>",
                    "%a = hfloat.mul %x, %times : (tensor<1x3x16x16xf32>, tensor<f32>) -> $",
                    "%b = hfloat.clip %a, %least, %most : ($, tensor<f32>, tensor<f32>) -> $",
                    &format!("%c = hfloat.{operation} %b : ($) -> $"),
                ],
                "c",
                &["bpu"],
                (0.0, 0.0),
            );
        }
    }
}

#[test]
fn parameters_of_functions() {
    check_function("identity", "hard_sigmoid", "{alpha = 0.5 : f32, beta = -0.25 : f32}", 1.5);
    check_function("identity", "leaky_relu", "{alpha = 0.3 : f32}", 1.5);
    check_function("identity", "selu", "{alpha = 0.7 : f32, gamma = 1.9 : f32}", 1.5);
    check_function("identity", "gelu", "{approximate = \"tanh\"}", 1.5);
}

#[test]
fn maps_of_results() {
    check_function("identity", "sigmoid", "{result_scale = 2.0 : f32, result_shift = -0.5 : f32}", 1.5);
    check_function("identity", "hard_swish", "{result_scale = -0.25 : f32, result_shift = 3.0 : f32}", 1.5);
    check_function("identity", "tanh", "{result_shift = 0.25 : f32}", 1.5);
}

#[test]
fn powers_by_table() {
    check_network(
        "%x: tensor<1x3x4x4xf32>",
        "%b",
        &[
            "%two = hfloat.constant dense<2.0> : tensor<f32>",
            "%b = hfloat.pow %x, %two : (tensor<1x3x4x4xf32>, tensor<f32>) -> $",
        ],
        "b",
        &["bpu"],
        (1.0, 0.05),
    );
    check_network(
        "%x: tensor<1x3x4x4xf32>",
        "%b",
        &[
            "%three = hfloat.constant dense<3> : tensor<1xi64>",
            "%two = hfloat.constant dense<2.0> : tensor<f32>",
            "%a = hfloat.pow %x, %three : (tensor<1x3x4x4xf32>, tensor<1xi64>) -> $",
            "%b = hfloat.pow %two, %a : (tensor<f32>, $) -> $",
        ],
        "b",
        &["bpu"],
        (1.0, 0.05),
    );
}

#[test]
fn larger_and_smaller_of_two() {
    for operation in ["max", "min"] {
        // Of a convolution and an input, whose scales differ, with a constant that broadcasts, and with one value.
        check_network(
            "%x: tensor<1x3x4x4xf32>, %y: tensor<1x1x4x1xf32>",
            "%d",
            &[
                "%w = @(3x3x1x1)",
                "%k = @(3x1x1)",
                "%half = hfloat.constant dense<0.5> : tensor<f32>",
                "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x4x4xf32>, tensor<3x3x1x1xf32>) -> $",
                &format!("%b = hfloat.{operation} %a, %y : ($, tensor<1x1x4x1xf32>) -> $"),
                &format!("%c = hfloat.{operation} %k, %b : (tensor<3x1x1xf32>, $) -> $"),
                &format!("%d = hfloat.{operation} %c, %half : ($, tensor<f32>) -> $"),
            ],
            "d",
            &["bpu"],
            (1.0, 0.1),
        );
        check_network(
            "%x: tensor<2x5xf32>, %y: tensor<5xf32>",
            "%a",
            &[&format!("%a = hfloat.{operation} %x, %y : (tensor<2x5xf32>, tensor<5xf32>) -> $")],
            "a",
            &["bpu"],
            (1.0, 0.1),
        );
    }
}

#[test]
fn slopes_of_every_form() {
    for (shape, constant) in [("3x1x1", "@(3x1x1)"), ("1", "@(1)"), ("4", "@(4)"), ("1x3x4x4", "@(1x3x4x4)")] {
        let slope = format!("tensor<{shape}xf32>");
        check_network(
            "%x: tensor<1x3x4x4xf32>",
            "%b",
            &[
                "%w = @(3x3x1x1)",
                &format!("%s = {constant}"),
                "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x4x4xf32>, tensor<3x3x1x1xf32>) -> $",
                &format!("%b = hfloat.p_relu %a, %s : ($, {slope}) -> $"),
            ],
            "b",
            &["bpu"],
            (1.0, 0.05),
        );
    }
    check_network(
        "%x: tensor<1x3x4x4xf32>, %s: tensor<3x1x1xf32>",
        "%b",
        &["%b = hfloat.p_relu %x, %s : (tensor<1x3x4x4xf32>, tensor<3x1x1xf32>) -> $"],
        "b",
        &["bpu"],
        (1.0, 0.05),
    );
}

/// Over axes that are together or not, first or last, of a convolution and of an input.
#[test]
fn reductions_as_pools() {
    for operation in ["reduce_max", "reduce_mean", "reduce_min", "reduce_sum"] {
        for axes in ["2, 3", "1", "-1", "0, 2", "1, 3", "0, 1, 2"] {
            for keepdims in [true, false] {
                let count = axes.split(',').count();
                let constant = format!("%i = hfloat.constant dense<[{axes}]> : tensor<{count}xi64>");
                let of = |value: &str, r#type: &str| {
                    format!(
                        "hfloat.{operation} {value}, %i {{keepdims = {keepdims}}} : ({type}, tensor<{count}xi64>) -> $"
                    )
                };
                check_network(
                    "%x: tensor<2x3x4x5xf32>",
                    "%b, %c",
                    &[
                        "%w = @(6x3x1x1)",
                        &constant,
                        "%a = hfloat.conv %x, %w {POINT} : (tensor<2x3x4x5xf32>, tensor<6x3x1x1xf32>) -> $",
                        &format!("%b = {}", of("%a", "$")),
                        &format!("%c = {}", of("%x", "tensor<2x3x4x5xf32>")),
                    ],
                    if operation == "reduce_sum" { "b" } else { "c" },
                    &["bpu"],
                    (3.0, 0.1),
                );
            }
        }
    }
}

#[test]
fn reductions_of_other_ranks() {
    for (shape, axes) in [("7x3", "1"), ("2x3x4", "1"), ("2x1x5", "0, 1"), ("2x2x3x2x2", "2, 4")] {
        let (count, input) = (axes.split(',').count(), format!("tensor<{shape}xf32>"));
        check_network(
            &format!("%x: {input}"),
            "%b",
            &[
                &format!("%i = hfloat.constant dense<[{axes}]> : tensor<{count}xi64>"),
                &format!("%b = hfloat.reduce_mean %x, %i {{keepdims = false}} : ({input}, tensor<{count}xi64>) -> $"),
            ],
            "b",
            &["bpu"],
            (1.0, 0.1),
        );
    }
}

#[test]
fn global_maxima() {
    check_network(
        "%x: tensor<2x3x4x5xf32>",
        "%b, %c",
        &[
            "%w = @(6x3x1x1)",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<2x3x4x5xf32>, tensor<6x3x1x1xf32>) -> $",
            "%b = hfloat.global_max_pool %a : ($) -> $",
            "%c = hfloat.global_max_pool %x : (tensor<2x3x4x5xf32>) -> $",
        ],
        "c",
        &["bpu"],
        (1.0, 0.1),
    );
}

#[test]
fn choices_by_computed_truth_stay_on_the_bpu() {
    check_network(
        "%x: tensor<1x3x4x4xf32>",
        "%d, %e",
        &[
            "%w = @(3x3x1x1)",
            "%zero = hfloat.constant dense<0.0> : tensor<f32>",
            "%i = hfloat.constant dense<[1]> : tensor<1xi64>",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x4x4xf32>, tensor<3x3x1x1xf32>) -> $",
            "%b = hfloat.less %a, %zero : ($, tensor<f32>) -> tensor<*xi1>",
            "%c = hfloat.where %b, %x, %a : (tensor<*xi1>, tensor<1x3x4x4xf32>, $) -> $",
            "%d = hfloat.conv %c, %w {POINT} : ($, tensor<3x3x1x1xf32>) -> $",
            "%e = hfloat.reduce_l2 %a, %i : ($, tensor<1xi64>) -> $",
        ],
        "d",
        &["bpu"],
        (2.0, 0.1),
    );
}

#[test]
fn clips_with_constant_bounds_run_on_the_bpu() {
    check_network(
        "%x: tensor<1x3x4x4xf32>",
        "%c, %d",
        &[
            "%w = @(3x3x1x1)",
            "%low = hfloat.constant dense<-0.5> : tensor<f32>",
            "%high = hfloat.constant dense<1.25> : tensor<1xf32>",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x4x4xf32>, tensor<3x3x1x1xf32>) -> $",
            "%c = hfloat.clip %a, %low, %high : ($, tensor<f32>, tensor<1xf32>) -> $",
            "%d = hfloat.clip %x, %low, %high : (tensor<1x3x4x4xf32>, tensor<f32>, tensor<1xf32>) -> $",
        ],
        "d",
        &["bpu"],
        (1.0, 0.05),
    );
}

#[test]
fn bounds_that_are_fed_go_to_the_cpu() {
    check_network(
        "%x: tensor<1x3x4x4xf32>, %low: tensor<f32>",
        "%c",
        &[
            "%w = @(3x3x1x1)",
            "%high = hfloat.constant dense<1.25> : tensor<f32>",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x4x4xf32>, tensor<3x3x1x1xf32>) -> $",
            "%b = hfloat.clip %a, %low, %high : ($, tensor<f32>, tensor<f32>) -> $",
            "%c = hfloat.conv %b, %w {POINT} : ($, tensor<3x3x1x1xf32>) -> $",
        ],
        "c",
        &["bpu", "cpu", "bpu"],
        (2.0, 0.1),
    );
}

#[test]
fn differences_and_quotients() {
    check_network(
        "%x: tensor<1x3x4x4xf32>, %y: tensor<3x1x1xf32>",
        "%e",
        &[
            "%k = @(3x1x1)",
            "%two = hfloat.constant dense<2.0> : tensor<f32>",
            "%a = hfloat.sub %x, %y : (tensor<1x3x4x4xf32>, tensor<3x1x1xf32>) -> $",
            "%b = hfloat.sub %k, %a : (tensor<3x1x1xf32>, $) -> $",
            "%e = hfloat.div %b, %two : ($, tensor<f32>) -> $",
        ],
        "e",
        &["bpu"],
        (1.0, 0.05),
    );
    check_network(
        "%x: tensor<1x3x4x4xf32>",
        "%e",
        &["%k = @(3x1x1)", "%e = hfloat.div %x, %k : (tensor<1x3x4x4xf32>, tensor<3x1x1xf32>) -> $"],
        "e",
        &["bpu"],
        (1.0, 0.05),
    );
}

#[test]
fn a_constant_over_an_activation_is_a_table() {
    check_network(
        "%x: tensor<1x3x4x4xf32>",
        "%b",
        &[
            "%two = hfloat.constant dense<2.0> : tensor<f32>",
            "%a = hfloat.sigmoid %x : (tensor<1x3x4x4xf32>) -> $",
            "%b = hfloat.div %two, %a : (tensor<f32>, $) -> $",
        ],
        "b",
        &["bpu"],
        (1.0, 0.05),
    );
}

#[test]
fn quotients_of_activations_run_on_the_float_engine() {
    check_network(
        "%x: tensor<1x3x4x4xf32>",
        "%c",
        &[
            "%w = @(3x3x1x1)",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x4x4xf32>, tensor<3x3x1x1xf32>) -> $",
            "%b = hfloat.exp %a : ($) -> $",
            "%c = hfloat.div %a, %b : ($, $) -> $",
        ],
        "c",
        &["bpu"],
        (1.0, 0.05),
    );
}
