//! Reductions over axes, as pools: the reduced dimensions become the height of an image.

use super::layout::{form_of, in_form, input};
use crate::bpu::lower::{
    builder::{Builder, ITSELF, ValueForm, shape_in},
    values::{QuantizedConstant, Worth},
};
use crate::bpu::model::{AveragePool, BpuElement, Convolution, MaxPool, Operator, TensorId};
use hb_dialects::{
    hfloat::reduced_dimensions,
    ir::{self, Affine},
};
use melior::ir::OperationRef;

pub fn mean<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    reduce(builder, operation, &by_axes(operation)?, |builder, image, result| {
        let [outer, height, _, inner] = image.size;
        let pool =
            AveragePool { kernel: [height, 1], strides: [1, 1], pads: [0; 4], count_include_pad: false, clamp: None };
        Ok(builder.compute(ITSELF, Operator::AveragePool(pool), &[image.id], vec![outer, 1, 1, inner], result))
    })
}

/// Sums have as many weights of 1 at most.
const MOST_ONES: usize = 1 << 24;

/// A convolution of each channel with weights of 1, which are exact.
pub fn sum<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    reduce(builder, operation, &by_axes(operation)?, |builder, image, result| {
        let [outer, height, _, inner] = image.size;
        let count = inner.saturating_mul(height);
        if count > MOST_ONES {
            return Err(format!(
                "sums of {height} elements would take {count} weights of 1; at most {MOST_ONES} are made"
            ));
        }
        let ones = QuantizedConstant {
            element: BpuElement::I8,
            shape: vec![inner, height, 1, 1],
            scale: ir::Scale::symmetric(1.0),
            integers: Some(vec![1; count]),
        };
        let ones = builder.constant("ones", &ones);
        let convolution = Convolution { group: inner, ..Convolution::default() };
        let operator = Operator::Convolution(convolution);
        Ok(builder.compute(ITSELF, operator, &[image.id, ones], vec![outer, 1, 1, inner], result))
    })
}

pub fn maximum<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    reduce(builder, operation, &by_axes(operation)?, |builder, image, result| {
        let (operator, shape) = max_pool(&image);
        let id = builder.compute(ITSELF, operator, &[image.id], shape, image.worth);
        Ok(builder.rescale(id, image.worth, result))
    })
}

pub fn global_maximum<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    let rank = input(builder, operation)?.shape.len();
    let spatial: Vec<bool> = (0..rank).map(|dimension| dimension >= 2).collect();
    reduce(builder, operation, &spatial, |builder, image, result| {
        let (operator, shape) = max_pool(&image);
        let id = builder.compute(ITSELF, operator, &[image.id], shape, image.worth);
        Ok(builder.rescale(id, image.worth, result))
    })
}

/// c - max(c - x), where c is such that every c - x is an integer of the type: -1 step, or 0 with a zero point that makes room.
pub fn minimum<'c, 'a>(builder: &mut Builder<'c, 'a>, operation: OperationRef<'c, 'a>) -> Result<(), String> {
    reduce(builder, operation, &by_axes(operation)?, |builder, image, result| {
        let Affine { scale, zero_point } = image.worth.affine;
        let (step, mirror_point) = if zero_point == 0 { (-1, 0) } else { (0, -1 - zero_point) };
        let constant = QuantizedConstant {
            element: BpuElement::I8,
            shape: vec![1; 4],
            scale: ir::Scale::symmetric(scale),
            integers: Some(vec![step]),
        };
        let constant = builder.constant("constant", &constant);
        let affine = Affine { scale, zero_point: mirror_point };
        let mirrored_worth = Worth { affine, ..image.worth };
        let mirror = || Operator::Sub { clamp: None };
        let mirrored =
            builder.compute("mirrored", mirror(), &[constant, image.id], image.size.to_vec(), mirrored_worth);
        let (operator, shape) = max_pool(&image);
        let found = builder.compute("maximum", operator, &[mirrored], shape.clone(), mirrored_worth);
        Ok(builder.compute(ITSELF, mirror(), &[constant, found], shape, result))
    })
}

fn max_pool(image: &Image) -> (Operator, Vec<usize>) {
    let [outer, height, _, inner] = image.size;
    let pool = MaxPool { kernel: [height, 1], strides: [1, 1], pads: [0; 4], dilations: [1, 1] };
    (Operator::MaxPool(pool), vec![outer, 1, 1, inner])
}

fn by_axes(operation: OperationRef<'_, '_>) -> Result<Vec<bool>, String> {
    reduced_dimensions(operation)?.ok_or_else(|| "its axes are not known when the network is compiled".into())
}

/// What is pooled: `[outer, height, 1, inner]`, where the height is reduced.
struct Image {
    id: TensorId,
    size: [usize; 4],
    worth: Worth,
}

/// `pool` gives the node from the image to `[outer, 1, 1, inner]` of the integers that it gets.
fn reduce<'c, 'a>(
    builder: &mut Builder<'c, 'a>,
    operation: OperationRef<'c, 'a>,
    reduced: &[bool],
    pool: impl FnOnce(&mut Builder<'c, 'a>, Image, Worth) -> Result<TensorId, String>,
) -> Result<(), String> {
    let (input, output) = (input(builder, operation)?, builder.result(operation)?);
    let form = form_of(builder, &input);
    let mut id = builder.tensor(&input, form)?;
    let mut shape = builder.shape(id);
    let mut reduced = in_form(form, reduced);
    let kept: Vec<usize> = (0..shape.len()).filter(|dimension| !reduced[*dimension]).collect();
    let kept_shape: Vec<usize> = kept.iter().map(|&dimension| shape[dimension]).collect();
    if !is_image(&shape, &reduced) {
        // The reduced dimensions first: the others are channels then.
        let first = (0..shape.len()).filter(|dimension| reduced[*dimension]);
        let order: Vec<usize> = first.chain(kept.iter().copied()).collect();
        id = builder.transpose(id, &order, &input.worth.scale());
        shape = builder.shape(id);
        reduced = order.iter().map(|&dimension| reduced[dimension]).collect();
    }
    let size = image_size(&shape, &reduced);
    let id = builder.reshape(id, &size, &input.worth.scale());
    let id = pool(builder, Image { id, size, worth: input.worth }, output.worth)?;
    let image = shape_in(form, &output.shape).filter(|_| output.shape.len() == shape.len());
    if let (ValueForm::ChannelsLast, Some(shape)) = (form, image) {
        let id = builder.reshape(id, &shape, &output.worth.scale());
        builder.define(&output, ValueForm::ChannelsLast, id);
        return Ok(());
    }
    // In the layout, the kept dimensions may stand in another order than in the network.
    let mut order: Vec<usize> = (0..kept.len()).collect();
    order.sort_by_key(|&position| network_dimension(form, kept[position]));
    let id = builder.reshape(id, &kept_shape, &output.worth.scale());
    let id = builder.transpose(id, &order, &output.worth.scale());
    let id = builder.reshape(id, &output.shape, &output.worth.scale());
    builder.define(&output, ValueForm::Network, id);
    Ok(())
}

/// The dimension of the network that stands at a place of a layout.
fn network_dimension(form: ValueForm, place: usize) -> usize {
    match form {
        ValueForm::Network => place,
        ValueForm::ChannelsLast => crate::bpu::lower::builder::TO_CHANNELS_LAST.get(place).copied().unwrap_or(place),
    }
}

/// Whether the reduced dimensions stand together, with kept ones behind them that can be channels.
fn is_image(shape: &[usize], reduced: &[bool]) -> bool {
    let matters = |place: &usize| shape[*place] != 1;
    let places: Vec<usize> = (0..shape.len()).filter(matters).collect();
    let Some(first) = places.iter().position(|&place| reduced[place]) else { return true };
    let rest = places.iter().skip(first).skip_while(|&&place| reduced[place]);
    let behind: Vec<usize> = rest.copied().collect();
    let together = behind.iter().all(|&place| !reduced[place]);
    together && (!behind.is_empty() || first == 0)
}

/// Sizes before, inside and behind the reduced dimensions.
fn image_size(shape: &[usize], reduced: &[bool]) -> [usize; 4] {
    let product = |places: &mut dyn Iterator<Item = usize>| places.map(|place| shape[place]).product::<usize>();
    let first = (0..shape.len()).find(|&place| reduced[place] && shape[place] != 1).unwrap_or(0);
    let outer = product(&mut (0..first));
    let height = product(&mut (0..shape.len()).filter(|&place| reduced[place]));
    let inner = product(&mut (first..shape.len()).filter(|&place| !reduced[place]));
    [outer, height, 1, inner]
}
