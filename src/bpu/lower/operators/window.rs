//! Convolution and pooling.

use crate::bpu::lower::{
    builder::{Builder, ITSELF, ValueForm, shape_in},
    values::{QuantizedConstant, QuantizedOperand, QuantizedValue},
};
use crate::bpu::model::{AveragePool, Convolution, MaxPool, Operator};
use hb_dialects::hfloat::{SlidingWindow, attributes};
use melior::ir::{OperationRef, operation::OperationLike};

/// A window over height and width; one spatial dimension is taken as width.
struct Plane {
    kernel: [usize; 2],
    strides: [usize; 2],
    dilations: [usize; 2],
    /// Top, left, bottom, right.
    pads: [usize; 4],
    output: [usize; 2],
}

impl Plane {
    fn of(operation: OperationRef<'_, '_>) -> Result<Self, String> {
        let window = SlidingWindow::of(operation)?;
        let pair = |values: &[u64], filler: usize| match *values {
            [width] => Ok([filler, width as usize]),
            [height, width] => Ok([height as usize, width as usize]),
            _ => Err(format!("it has {} spatial dimensions; the BPU has windows over one or two", values.len())),
        };
        let [top, left] = pair(&window.pads_begin, 0)?;
        let [bottom, right] = pair(&window.pads_end, 0)?;
        Ok(Self {
            kernel: pair(&window.kernel, 1)?,
            strides: pair(&window.strides, 1)?,
            dilations: pair(&window.dilations, 1)?,
            pads: [top, left, bottom, right],
            output: pair(&window.output, 1)?,
        })
    }

    /// Cells that the last window reaches past the padding, which `ceil_mode` allows: padding after, to be added.
    fn reach_past(&self, input: [usize; 2]) -> [usize; 2] {
        [0, 1].map(|i| {
            let needed = (self.output[i] - 1) * self.strides[i] + (self.kernel[i] - 1) * self.dilations[i] + 1;
            needed.saturating_sub(input[i] + self.pads[i] + self.pads[i + 2])
        })
    }
}

pub(super) fn activation<'c, 'a>(
    builder: &Builder<'c, 'a>,
    operation: OperationRef<'c, 'a>,
    index: usize,
) -> Result<QuantizedValue<'c, 'a>, String> {
    match builder.operand(operation, index)? {
        QuantizedOperand::Value(value) => Ok(value),
        QuantizedOperand::Constant(_) => Err(format!("its operand {index} is a constant")),
    }
}

pub(super) fn constant<'c, 'a>(
    builder: &Builder<'c, 'a>,
    operation: OperationRef<'c, 'a>,
    index: usize,
) -> Result<QuantizedConstant, String> {
    match builder.operand(operation, index)? {
        QuantizedOperand::Constant(constant) => Ok(constant),
        QuantizedOperand::Value(_) => Err(format!("its operand {index} is no constant")),
    }
}

/// The image `[N, H, W, C]` of an operand, with its height and width.
pub(super) fn image<'c, 'a>(
    builder: &mut Builder<'c, 'a>,
    operation: OperationRef<'c, 'a>,
) -> Result<(QuantizedValue<'c, 'a>, crate::bpu::model::TensorId, [usize; 2]), String> {
    let input = activation(builder, operation, 0)?;
    let id = builder.tensor(&input, ValueForm::ChannelsLast)?;
    match builder.shape(id).as_slice() {
        &[_, height, width, _] => Ok((input, id, [height, width])),
        shape => Err(format!("its input has the shape {shape:?}")),
    }
}

pub(super) fn channels_last(shape: &[usize]) -> Result<Vec<usize>, String> {
    shape_in(ValueForm::ChannelsLast, shape).ok_or_else(|| "its result has no height and width".to_owned())
}

pub fn convolution<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let plane = Plane::of(operation)?;
    let output = builder.output(operation)?;
    let (_, input, _) = image(builder, operation)?;
    let mut weight = constant(builder, operation, 1)?;
    if let &[out, depth, width] = weight.shape.as_slice() {
        weight.shape = vec![out, depth, 1, width];
    }
    let weight = builder.constant("weight", &weight.transposed(&[0, 2, 3, 1]));
    let mut inputs = vec![input, weight];
    if operation.operand_count() > 2 {
        inputs.push(builder.constant("bias", &constant(builder, operation, 2)?));
    }
    let group = attributes::group(operation).map_err(|error| error.to_string())?;
    let convolution = Convolution {
        strides: plane.strides,
        pads: plane.pads,
        dilations: plane.dilations,
        group: group as usize,
        clamp: None,
    };
    let activation = attributes::activation(operation).map_err(|error| error.to_string())?;
    let id = builder.sums(convolution, (activation, &inputs), channels_last(output.shape())?, &output)?;
    builder.define_sums(&output, ValueForm::ChannelsLast, id);
    Ok(())
}

pub fn max_pool<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let mut plane = Plane::of(operation)?;
    let output = builder.result(operation)?;
    let (value, input, size) = image(builder, operation)?;
    let past = plane.reach_past(size);
    plane.pads[2] += past[0];
    plane.pads[3] += past[1];
    let operator = Operator::MaxPool(MaxPool {
        kernel: plane.kernel,
        strides: plane.strides,
        pads: plane.pads,
        dilations: plane.dilations,
    });
    let id = builder.compute(ITSELF, operator, &[input], channels_last(&output.shape)?, value.worth);
    let id = builder.rescale(id, value.worth, output.worth);
    builder.define(&output, ValueForm::ChannelsLast, id);
    Ok(())
}

pub fn average_pool<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let mut plane = Plane::of(operation)?;
    let output = builder.result(operation)?;
    let (_, input, size) = image(builder, operation)?;
    if plane.dilations != [1, 1] {
        return Err("the BPU has no dilated average pooling".into());
    }
    let count_include_pad = attributes::count_include_pad(operation).map_err(|error| error.to_string())?;
    let past = plane.reach_past(size);
    if past != [0, 0] && count_include_pad {
        return Err("its last window reaches past the padding, which counts in the divisor".into());
    }
    plane.pads[2] += past[0];
    plane.pads[3] += past[1];
    let operator = Operator::AveragePool(AveragePool {
        kernel: plane.kernel,
        strides: plane.strides,
        pads: plane.pads,
        count_include_pad,
        clamp: None,
    });
    let id = builder.compute(ITSELF, operator, &[input], channels_last(&output.shape)?, output.worth);
    builder.define(&output, ValueForm::ChannelsLast, id);
    Ok(())
}

pub fn global_average_pool<'c, 'a>(
    builder: &mut Builder<'c, 'a>,
    operation: OperationRef<'c, 'a>,
) -> Result<(), String> {
    let output = builder.result(operation)?;
    let (_, input, size) = image(builder, operation)?;
    let operator = Operator::AveragePool(AveragePool {
        kernel: size,
        strides: [1, 1],
        pads: [0; 4],
        count_include_pad: false,
        clamp: None,
    });
    let id = builder.compute(ITSELF, operator, &[input], channels_last(&output.shape)?, output.worth);
    builder.define(&output, ValueForm::ChannelsLast, id);
    Ok(())
}
