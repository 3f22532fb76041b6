//! Elementwise functions: tables, clamps, differences and quotients, and what has no hardware form.

use super::forms::check_network;

/// A function of a convolution, in its layout, and of an input, in that of the network.
fn check_function(operation: &str, attributes: &str) {
    let of = |value: &str, r#type: &str| format!("hfloat.{operation} {value} {attributes} : ({type}) -> $");
    check_network(
        "%x: tensor<1x3x4x4xf32>",
        "%c, %d",
        &[
            "%w = @(3x3x1x1)",
            "%a = hfloat.conv %x, %w {POINT} : (tensor<1x3x4x4xf32>, tensor<3x3x1x1xf32>) -> $",
            &format!("%c = {}", of("%a", "$")),
            &format!("%d = {}", of("%x", "tensor<1x3x4x4xf32>")),
        ],
        "d",
        &["bpu"],
        (1.0, 0.05),
    );
}

#[test]
fn functions_by_table() {
    check_function("exp", "");
    check_function("sigmoid", "");
    check_function("hard_sigmoid", "");
    check_function("hard_sigmoid", "{alpha = 0.5 : f32, beta = -0.25 : f32}");
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
fn quotients_of_activations_go_to_the_cpu() {
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
        &["bpu", "cpu"],
        (1.0, 0.05),
    );
}
