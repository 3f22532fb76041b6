//! Linear layers as quantization sees them, against onnxruntime: rows of weights times columns of input are the result without its bias.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use hb::frontend::onnx::{ImportOptions, import_file};
use hb::quant::linear::{LinearLayer, weights_of};
use hb_dialects::ElementType;
use hb_dialects::hfloat::TransposedWindow;
use hb_dialects::ir::{self, OperationAttributes};

/// A recorded case: its layer, and the values of input, result, weights and bias.
struct Recorded {
    layer: LinearLayer,
    images: usize,
    /// Spatial sizes of the input.
    sizes: Vec<u64>,
    input: Vec<f32>,
    output: Vec<f32>,
    weights: Vec<f32>,
    bias: Vec<f32>,
    /// Of a transposed convolution.
    window: Option<TransposedWindow>,
}

impl Recorded {
    /// The columns of the layer, one after another.
    fn columns(&self) -> Vec<Vec<f32>> {
        let positions: Vec<usize> = (0..self.layer.positions()).collect();
        let mut lines = vec![f32::NAN; self.layer.groups * self.layer.terms * positions.len()];
        self.layer.columns(&self.input, &positions, &mut lines);
        let column = |position| lines.iter().skip(position).step_by(positions.len()).copied().collect();
        positions.iter().map(|&position| column(position)).collect()
    }

    fn product(&self, column: &[f32], group: usize, row: usize) -> f32 {
        let layer = &self.layer;
        let weights = layer.by_row(&self.weights).unwrap();
        let column = &column[group * layer.terms..];
        (0..layer.terms).map(|term| weights[[group, row, term]] * column[term]).sum()
    }

    fn compare(&self, own: &[f32]) {
        assert_eq!(own.len(), self.output.len());
        for (own, expected) in own.iter().zip(&self.output) {
            assert!(
                (own - expected).abs() < 1e-4 * expected.abs().max(1.0),
                "{}: {own} for {expected}",
                self.layer.node
            );
        }
    }

    /// Adds the bias of each channel to sums of all images.
    fn with_bias(&self, mut sums: Vec<f32>) -> Vec<f32> {
        let cells = sums.len() / self.images / self.bias.len().max(1);
        sums.iter_mut()
            .enumerate()
            .for_each(|(i, sum)| *sum += self.bias.get(i / cells % self.bias.len().max(1)).unwrap_or(&0.0));
        sums
    }
}

/// The cases of an operator whose one input is f32 and whose weights are constant.
fn recorded(operator: &str) -> Vec<Recorded> {
    let context = hb_dialects::context();
    let mut found = Vec::new();
    for case in common::cases_of(operator) {
        let input_shapes = case.inputs.iter().map(|(name, array)| (name.clone(), array.shape.clone())).collect();
        let Ok(module) = import_file(&context, &case.model, &ImportOptions { input_shapes }) else { continue };
        let function = ir::function_named(module.as_operation(), "main").unwrap();
        let pass = hb::float::PASSES.iter().find(|pass| pass.argument == "hfloat-infer-shapes").unwrap();
        (pass.run)(function, &hb_dialects::pass::PassOptions::default()).unwrap();
        for operation in ir::operations(ir::body(function).unwrap()) {
            let Ok(Some(layer)) = LinearLayer::of(function, operation) else { continue };
            if case.inputs.len() == 1 && case.inputs[0].1.element == ElementType::F32 {
                let bias = operation.operand_at(2).ok().and_then(ir::constant_of);
                found.push(Recorded {
                    layer,
                    images: case.inputs[0].1.shape[0],
                    sizes: case.inputs[0].1.shape.iter().skip(2).map(|&size| size as u64).collect(),
                    input: case.inputs[0].1.to_f32(),
                    output: case.outputs[0].1.to_f32(),
                    weights: weights_of(operation).unwrap().unwrap().f32s().unwrap().into_owned(),
                    bias: bias.map(|bias| bias.f32s().unwrap().into_owned()).unwrap_or_default(),
                    window: TransposedWindow::of(operation).ok().filter(|_| operator == "ConvTranspose"),
                });
            }
        }
    }
    found
}

#[test]
fn convolutions() {
    let cases = recorded("Conv");
    assert!(cases.len() > 15, "{} cases", cases.len());
    for case in cases {
        let (columns, channels) = (case.columns(), case.layer.groups * case.layer.rows);
        let cells = columns.len() / case.images;
        let mut sums = vec![0.0; columns.len() * channels];
        for (position, column) in columns.iter().enumerate() {
            for channel in 0..channels {
                let place = (position / cells * channels + channel) * cells + position % cells;
                sums[place] = case.product(column, channel / case.layer.rows, channel % case.layer.rows);
            }
        }
        case.compare(&case.with_bias(sums));
    }
}

#[test]
fn matrix_products() {
    let cases = recorded("Gemm");
    assert!(cases.len() > 3, "{} cases", cases.len());
    for case in cases {
        let columns = case.columns();
        let rows = |column| (0..case.layer.rows).map(move |row| (column, row));
        let sums = columns.iter().flat_map(rows).map(|(column, row)| case.product(column, 0, row));
        case.compare(&case.with_bias(sums.collect()));
    }
}

/// Rows of a transposed convolution are output channels and cells of the kernel, which spread over the result.
#[test]
fn transposed_convolutions() {
    let cases = recorded("ConvTranspose");
    assert!(cases.len() > 10, "{} cases", cases.len());
    for case in cases {
        let window = case.window.as_ref().unwrap();
        let kernel: u64 = window.kernel.iter().product();
        let cells: u64 = window.output.iter().product();
        let columns = case.columns();
        let channels = case.output.len() / case.images / cells as usize;
        let per_image = columns.len() / case.images;
        let mut sums = vec![0.0; case.output.len()];
        for (position, column) in columns.iter().enumerate() {
            for group in 0..case.layer.groups {
                for row in 0..case.layer.rows {
                    let channel = group * (case.layer.rows / kernel as usize) + row / kernel as usize;
                    let at = (position % per_image) as u64;
                    if let Some(cell) = spread(window, &case.sizes, at, row as u64 % kernel) {
                        sums[(position / per_image * channels + channel) * cells as usize + cell as usize] +=
                            case.product(column, group, row);
                    }
                }
            }
        }
        case.compare(&case.with_bias(sums));
    }
}

/// The cell of the result that a cell of the input reaches through a cell of the kernel; none when it is cut off.
fn spread(window: &TransposedWindow, sizes: &[u64], mut at: u64, mut offset: u64) -> Option<u64> {
    let (mut cell, mut stride) = (0, 1);
    for (i, &size) in sizes.iter().enumerate().rev() {
        let place = (at % size * window.strides[i] + offset % window.kernel[i] * window.dilations[i])
            .checked_sub(window.pads_begin[i])
            .filter(|&place| place < window.output[i])?;
        cell += place * stride;
        stride *= window.output[i];
        at /= size;
        offset /= window.kernel[i];
    }
    Some(cell)
}
