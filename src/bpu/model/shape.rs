//! Shapes: what each operator makes of the shapes of its operands.

use super::{AveragePool, Convolution, MAX_RANK, MaxPool, Operator, PadMode};

/// Why shapes do not fit an operator: one sentence, without the node's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ShapeError(pub String);

/// Rows or columns of a padded image: far above every network, low enough to visit each one.
const MAX_PADDED: usize = 1 << 24;

type Shape = Result<Vec<usize>, ShapeError>;

fn fail<T>(message: impl Into<String>) -> Result<T, ShapeError> {
    Err(ShapeError(message.into()))
}

/// Number of elements of a shape; none when it does not fit a usize.
#[must_use]
pub fn element_count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size))
}

/// Number of positions of a window along one dimension:
/// `(size + before + after - (kernel - 1) · dilation - 1) / stride + 1`, rounded down.
///
/// # Errors
/// When kernel, stride or dilation is 0 or a step is above 2^24, or the window is larger than the padded input, or that
/// has more than 2^24 cells.
pub fn window_positions(
    size: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    after: usize,
) -> Result<usize, ShapeError> {
    if kernel == 0 || [stride, dilation].iter().any(|step| !(1..=MAX_PADDED).contains(step)) {
        return fail(format!(
            "kernel, strides and dilations must be at least 1, strides and dilations at most {MAX_PADDED}"
        ));
    }
    let padded = size.checked_add(before).and_then(|sum| sum.checked_add(after));
    let window = (kernel - 1).checked_mul(dilation).and_then(|last| last.checked_add(1));
    match (padded, window) {
        (Some(padded), _) if padded > MAX_PADDED => {
            fail(format!("the padded input has {padded} rows or columns; at most {MAX_PADDED} can be counted"))
        }
        (Some(padded), Some(window)) if padded >= window => Ok((padded - window) / stride + 1),
        (Some(padded), Some(window)) => {
            fail(format!("the window covers {window} cells but the padded input has only {padded}"))
        }
        _ => fail("the padded input or the window is too large to count"),
    }
}

fn images(shape: &[usize], what: &str) -> Result<[usize; 4], ShapeError> {
    match <[usize; 4]>::try_from(shape) {
        Ok(dimensions) => Ok(dimensions),
        Err(_) => fail(format!("{what} has rank {} but must have rank 4", shape.len())),
    }
}

/// Height and width that a window of two dimensions leaves.
fn window_2d(
    size: [usize; 2],
    kernel: [usize; 2],
    strides: [usize; 2],
    dilations: [usize; 2],
    pads: [usize; 4],
) -> Result<[usize; 2], ShapeError> {
    let [top, left, bottom, right] = pads;
    Ok([
        window_positions(size[0], kernel[0], strides[0], dilations[0], top, bottom)?,
        window_positions(size[1], kernel[1], strides[1], dilations[1], left, right)?,
    ])
}

/// NHWC input and OHWI weights to the NHWC output.
///
/// # Errors
/// When ranks, channels, groups or the window do not fit.
pub fn convolution_shape(x: &[usize], w: &[usize], convolution: &Convolution) -> Shape {
    let [batch, height, width, channels] = images(x, "the input")?;
    let [filters, kernel_height, kernel_width, depth] = images(w, "the weight")?;
    let group = convolution.group;
    if group == 0 || channels % group != 0 || filters % group != 0 {
        return fail(format!(
            "{channels} input and {filters} output channels cannot be cut into {group} groups of equal size"
        ));
    }
    if depth != channels / group {
        return fail(format!("the weight takes {depth} channels but a group of the input has {}", channels / group));
    }
    let kernel = [kernel_height, kernel_width];
    let [h, w] = window_2d([height, width], kernel, convolution.strides, convolution.dilations, convolution.pads)?;
    Ok(vec![batch, h, w, filters])
}

/// NHWC input to the NHWC output of a pool.
///
/// # Errors
/// When the rank is not 4 or the window does not fit.
pub fn pool_shape(
    x: &[usize],
    kernel: [usize; 2],
    strides: [usize; 2],
    dilations: [usize; 2],
    pads: [usize; 4],
) -> Shape {
    let [batch, height, width, channels] = images(x, "the input")?;
    let [h, w] = window_2d([height, width], kernel, strides, dilations, pads)?;
    Ok(vec![batch, h, w, channels])
}

fn max_pool_shape(x: &[usize], pool: &MaxPool) -> Shape {
    let shape = pool_shape(x, pool.kernel, pool.strides, pool.dilations, pool.pads)?;
    no_empty_window(x, &shape, pool.kernel, pool.strides, pool.dilations, pool.pads)?;
    Ok(shape)
}

fn average_pool_shape(x: &[usize], pool: &AveragePool) -> Shape {
    let shape = pool_shape(x, pool.kernel, pool.strides, [1, 1], pool.pads)?;
    no_empty_window(x, &shape, pool.kernel, pool.strides, [1, 1], pool.pads)?;
    Ok(shape)
}

/// A window without a cell of the input has neither a maximum nor an average.
fn no_empty_window(
    x: &[usize],
    y: &[usize],
    kernel: [usize; 2],
    strides: [usize; 2],
    dilations: [usize; 2],
    pads: [usize; 4],
) -> Result<(), ShapeError> {
    for axis in 0..2 {
        for position in 0..y[axis + 1] {
            if window_cells(position, x[axis + 1], kernel[axis], strides[axis], dilations[axis], pads[axis]) == 0 {
                let name = ["row", "column"][axis];
                return fail(format!("the windows of output {name} {position} lie wholly in the padding"));
            }
        }
    }
    Ok(())
}

/// Cells of the window at `position` that lie in the input, along one dimension.
fn window_cells(position: usize, size: usize, kernel: usize, stride: usize, dilation: usize, before: usize) -> usize {
    // The cells are start + k · dilation for k in [first, last); those below `before` or from `before + size` on are padding.
    let start = position * stride;
    let first = before.saturating_sub(start).div_ceil(dilation);
    let last = (before + size).saturating_sub(start).div_ceil(dilation);
    last.min(kernel).saturating_sub(first)
}

/// For each output row and each output column the number of cells of the window in the input. The count of a window without
/// count_include_pad is the product of its row's and its column's number.
///
/// # Errors
/// As [`output_shape`] of the pool.
pub fn average_pool_counts(x: &[usize], pool: &AveragePool) -> Result<[Vec<usize>; 2], ShapeError> {
    let y = average_pool_shape(x, pool)?;
    let count = |axis: usize| {
        (0..y[axis + 1])
            .map(|p| window_cells(p, x[axis + 1], pool.kernel[axis], pool.strides[axis], 1, pool.pads[axis]))
            .collect()
    };
    Ok([count(0), count(1)])
}

/// How many elements lie between neighbours along each dimension, where the last one is dense.
pub fn row_major_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// The shape two operands broadcast to, as numpy does it.
///
/// # Errors
/// When a pair of dimensions is neither equal nor has a 1.
pub fn broadcast_shape(a: &[usize], b: &[usize]) -> Shape {
    let rank = a.len().max(b.len());
    let at = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |index| shape[index]);
    (0..rank)
        .map(|axis| match (at(a, axis), at(b, axis)) {
            (m, n) if m == n => Ok(m),
            (1, n) => Ok(n),
            (m, 1) => Ok(m),
            _ => fail(format!("shapes {a:?} and {b:?} do not broadcast")),
        })
        .collect()
}

/// [.., M, K] by [.., K, N] to [.., M, N], leading dimensions broadcast.
///
/// # Errors
/// When a rank is below 2, K differs, or the leading dimensions do not broadcast.
pub fn matmul_shape(a: &[usize], b: &[usize]) -> Shape {
    let ([batch_a @ .., m, k], [batch_b @ .., l, n]) = (a, b) else {
        return fail("both operands of a matrix product must have at least rank 2");
    };
    if k != l {
        return fail(format!("the first operand has {k} columns but the second {l} rows"));
    }
    let mut shape = broadcast_shape(batch_a, batch_b)?;
    shape.extend([*m, *n]);
    Ok(shape)
}

/// Operands joined along `axis`.
///
/// # Errors
/// When there is no operand, the axis is outside, or other dimensions differ.
pub fn concat_shape(operands: &[&[usize]], axis: usize) -> Shape {
    let Some((first, rest)) = operands.split_first() else {
        return fail("a concat needs at least one operand");
    };
    let mut shape = first.to_vec();
    if axis >= shape.len() {
        return fail(format!("axis {axis} is outside of rank {}", shape.len()));
    }
    for operand in rest {
        let fits = operand.len() == shape.len()
            && shape.iter().zip(*operand).enumerate().all(|(index, (a, b))| index == axis || a == b);
        if !fits {
            return fail(format!("shapes {first:?} and {operand:?} differ outside of axis {axis}"));
        }
        match shape[axis].checked_add(operand[axis]) {
            Some(sum) => shape[axis] = sum,
            None => return fail("the sum of the sizes is too large to count"),
        }
    }
    Ok(shape)
}

/// The cells a slice takes; checks that all lie in the input.
///
/// # Errors
/// When an attribute has another length than the rank, a step is 0, a size is 0, or a cell is outside.
pub fn slice_shape(x: &[usize], starts: &[usize], steps: &[isize], sizes: &[usize]) -> Shape {
    if [starts.len(), steps.len(), sizes.len()] != [x.len(); 3] {
        return fail(format!("starts, steps and sizes must each have {} values, one per dimension", x.len()));
    }
    for axis in 0..x.len() {
        let (start, step, size) = (starts[axis], steps[axis], sizes[axis]);
        if step == 0 || size == 0 {
            return fail(format!("step and size of dimension {axis} must not be 0"));
        }
        let last = isize::try_from(size - 1)
            .ok()
            .and_then(|count| count.checked_mul(step))
            .and_then(|distance| start.checked_add_signed(distance));
        if start >= x[axis] || last.is_none_or(|last| last >= x[axis]) {
            return fail(format!(
                "{size} cells from {start} on with step {step} leave dimension {axis}, which has {}",
                x[axis]
            ));
        }
    }
    Ok(sizes.to_vec())
}

/// The input grown by the padding.
///
/// # Errors
/// When an attribute has another length than the rank, or reflect padding is not smaller than its dimension.
pub fn pad_shape(x: &[usize], before: &[usize], after: &[usize], mode: PadMode) -> Shape {
    if [before.len(), after.len()] != [x.len(); 2] {
        return fail(format!("before and after must each have {} values, one per dimension", x.len()));
    }
    (0..x.len())
        .map(|axis| {
            if mode == PadMode::Reflect && before[axis].max(after[axis]) >= x[axis] {
                return fail(format!("reflect padding of dimension {axis} must be below its size {}", x[axis]));
            }
            match x[axis].checked_add(before[axis]).and_then(|sum| sum.checked_add(after[axis])) {
                Some(sum) => Ok(sum),
                None => fail(format!("padded dimension {axis} is too large to count")),
            }
        })
        .collect()
}

/// The dimensions in their new order.
///
/// # Errors
/// When `permutation` is not one of the input's rank.
pub fn transpose_shape(x: &[usize], permutation: &[usize]) -> Shape {
    let mut seen = vec![false; x.len()];
    for &axis in permutation {
        match seen.get_mut(axis) {
            Some(mark) if !*mark => *mark = true,
            _ => {
                return fail(format!("{permutation:?} is not a permutation of {} dimensions", x.len()));
            }
        }
    }
    if permutation.len() != x.len() {
        return fail(format!("{permutation:?} is not a permutation of {} dimensions", x.len()));
    }
    Ok(permutation.iter().map(|&axis| x[axis]).collect())
}

/// Planes of an image to the image, with more channels behind theirs.
fn camera_image_shape(planes: &[&[usize]], constants: usize) -> Shape {
    let (first, second) = match planes {
        [image] => (images(image, "the image")?, None),
        [first, second] => (images(first, "the first plane")?, Some(images(second, "the second plane")?)),
        _ => return fail(format!("an image has one plane or two, not {}", planes.len())),
    };
    let [n, h, w, mut channels] = first;
    if let Some(halved) = second {
        if halved != [n, h / 2, w / 2, 2] || channels != 1 || h % 2 + w % 2 != 0 {
            return fail(format!(
                "planes of shapes {first:?} and {halved:?} are not [N, H, W, 1] and [N, H/2, W/2, 2]"
            ));
        }
        channels += 2;
    }
    match channels.checked_add(constants) {
        Some(channels) => Ok(vec![n, h, w, channels]),
        None => fail("the image has too many channels to count"),
    }
}

/// Rows or columns of a picture or of what a region of it becomes: their products with weights stay far below 64 bits.
pub const MOST_PIXELS: usize = 1 << 16;

fn roi_resize_shape(plane: &[usize], region: &[usize], block: usize, size: [usize; 2]) -> Shape {
    let [n, h, w, channels] = images(plane, "the plane")?;
    if n != 1 || region != [1, 4] {
        return fail(format!("a plane {plane:?} and a region {region:?} are not [1, H, W, C] and [1, 4]"));
    }
    let pixels = |cells: usize| cells.checked_mul(block).is_some_and(|pixels| (1..=MOST_PIXELS).contains(&pixels));
    if !matches!(block, 1 | 2) || !pixels(h) || !pixels(w) || size.iter().any(|size| !(1..=MOST_PIXELS).contains(size))
    {
        return fail(format!(
            "{block} pixels of {plane:?} cannot become {size:?}: cells cover 1 or 2, and sizes are 1 to {MOST_PIXELS}"
        ));
    }
    let [rows, columns] = size;
    Ok(vec![1, rows, columns, channels])
}

/// The shape of an operator's result; none for a reshape, whose result may have any shape of the same element count, and for a vector
/// program, of which a result may have one element for each row.
///
/// # Errors
/// When the number of operands or their shapes do not fit the operator.
pub fn output_shape(operator: &Operator, operands: &[&[usize]]) -> Result<Option<Vec<usize>>, ShapeError> {
    if let Some(shape) = operands.iter().find(|shape| shape.len() > MAX_RANK) {
        return fail(format!("rank {} is above {MAX_RANK}", shape.len()));
    }
    let one = || operator.exactly::<_, 1>(operands).map_err(ShapeError);
    let two = || operator.exactly::<_, 2>(operands).map_err(ShapeError);
    let shape = match operator {
        Operator::Convolution(convolution) => match operands {
            [x, w] => convolution_shape(x, w, convolution)?,
            [x, w, bias] => {
                let shape = convolution_shape(x, w, convolution)?;
                if **bias != [w[0]] {
                    return fail(format!("the bias has shape {bias:?} but must have [{}]", w[0]));
                }
                shape
            }
            _ => return fail(operator.miscounted(operands.len())),
        },
        Operator::MatMul { .. } => {
            let [a, b] = two()?;
            matmul_shape(a, b)?
        }
        Operator::Add { .. } | Operator::Sub { .. } | Operator::Mul { .. } => {
            let [a, b] = two()?;
            broadcast_shape(a, b)?
        }
        Operator::PRelu { .. } => {
            let [x, slope] = two()?;
            if broadcast_shape(x, slope)? != *x {
                return fail(format!("the slope of shape {slope:?} does not broadcast to {x:?}"));
            }
            x.to_vec()
        }
        Operator::MaxPool(pool) => max_pool_shape(one()?[0], pool)?,
        Operator::AveragePool(pool) => average_pool_shape(one()?[0], pool)?,
        Operator::CameraImage { constants } => camera_image_shape(operands, constants.len())?,
        Operator::RoiResize { block, size } => {
            let [plane, region] = two()?;
            roi_resize_shape(plane, region, *block, *size)?
        }
        Operator::Concat { axis } => concat_shape(operands, *axis)?,
        Operator::Slice { starts, steps, sizes } => slice_shape(one()?[0], starts, steps, sizes)?,
        Operator::Pad { before, after, mode } => pad_shape(one()?[0], before, after, *mode)?,
        Operator::Transpose { permutation } => transpose_shape(one()?[0], permutation)?,
        Operator::Lookup { .. }
        | Operator::Curve { .. }
        | Operator::Requantize { .. }
        | Operator::Quantize
        | Operator::Dequantize => one()?[0].to_vec(),
        Operator::Normalize { axis, mean, factor } => {
            let [x] = one()?;
            if [mean.len(), factor.len()].iter().any(|count| x.get(*axis) != Some(count)) {
                let counts = (mean.len(), factor.len());
                return fail(format!("{} means and {} factors do not fit axis {axis} of {x:?}", counts.0, counts.1));
            }
            x.to_vec()
        }
        Operator::Reshape => {
            one()?;
            return Ok(None);
        }
        Operator::Vector { .. } => return Ok(None),
    };
    Ok(Some(shape))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn convolution_on_paper() {
        let resnet_stem = Convolution { strides: [2, 2], pads: [3, 3, 3, 3], ..Convolution::default() };
        assert_eq!(convolution_shape(&[1, 224, 224, 3], &[64, 7, 7, 3], &resnet_stem).unwrap(), [1, 112, 112, 64]);
        let depthwise = Convolution { group: 8, dilations: [2, 1], ..Convolution::default() };
        assert_eq!(convolution_shape(&[2, 9, 9, 8], &[16, 3, 3, 1], &depthwise).unwrap(), [2, 5, 7, 16]);
        assert!(convolution_shape(&[1, 4, 4, 8], &[8, 3, 3, 8], &depthwise).is_err());
        assert!(convolution_shape(&[1, 4, 4, 3], &[8, 5, 5, 3], &Convolution::default()).is_err());
        let no_group = Convolution { group: 0, ..Convolution::default() };
        assert!(convolution_shape(&[1, 4, 4, 3], &[8, 1, 1, 3], &no_group).is_err());
    }

    #[test]
    fn broadcasting_and_products() {
        assert_eq!(broadcast_shape(&[2, 1, 4], &[3, 1]).unwrap(), [2, 3, 4]);
        assert_eq!(broadcast_shape(&[], &[3]).unwrap(), [3]);
        assert!(broadcast_shape(&[2], &[3]).is_err());
        assert_eq!(matmul_shape(&[5, 1, 2, 3], &[4, 3, 7]).unwrap(), [5, 4, 2, 7]);
        assert!(matmul_shape(&[2, 3], &[2, 3]).is_err());
        assert!(matmul_shape(&[3], &[3, 2]).is_err());
    }

    #[test]
    fn movement() {
        assert_eq!(concat_shape(&[&[1, 2], &[1, 3]], 1).unwrap(), [1, 5]);
        assert!(concat_shape(&[&[1, 2], &[2, 3]], 1).is_err());
        assert!(concat_shape(&[], 0).is_err());
        assert_eq!(slice_shape(&[10], &[9], &[-3], &[4]).unwrap(), [4]);
        assert!(slice_shape(&[10], &[9], &[-3], &[5]).is_err());
        assert!(slice_shape(&[10], &[8], &[1], &[3]).is_err());
        assert!(slice_shape(&[10], &[0], &[0], &[1]).is_err());
        assert_eq!(pad_shape(&[2, 3], &[0, 1], &[1, 0], PadMode::Edge).unwrap(), [3, 4]);
        assert!(pad_shape(&[3], &[3], &[0], PadMode::Reflect).is_err());
        assert_eq!(transpose_shape(&[1, 2, 3, 4], &[0, 2, 3, 1]).unwrap(), [1, 3, 4, 2]);
        assert!(transpose_shape(&[1, 2], &[0, 0]).is_err());
        assert!(transpose_shape(&[1, 2], &[0]).is_err());
    }

    #[test]
    fn pools_count_their_cells() {
        let pool =
            AveragePool { kernel: [3, 3], strides: [2, 2], pads: [1, 0, 1, 1], count_include_pad: false, clamp: None };
        // Rows -1..2, 1..4, 3..6 of 5; columns 0..3, 2..5, of 4.
        assert_eq!(average_pool_counts(&[1, 5, 4, 1], &pool).unwrap(), [vec![2, 3, 2], vec![3, 2]]);
        let outside = AveragePool { kernel: [1, 1], pads: [0, 1, 0, 0], ..pool };
        assert!(average_pool_counts(&[1, 5, 4, 1], &outside).is_err());
    }

    #[test]
    fn sizes_that_overflow_are_errors() {
        assert!(window_positions(usize::MAX, 1, 1, 1, 1, 0).is_err());
        assert!(window_positions(1, usize::MAX, 1, 2, 0, 0).is_err());
        assert_eq!(element_count(&[usize::MAX, 2]), None);
        assert!(concat_shape(&[&[usize::MAX], &[1]], 0).is_err());
        assert!(slice_shape(&[10], &[1], &[isize::MAX], &[usize::MAX]).is_err());
    }

    proptest! {
        #[test]
        fn cells_are_counted_one_by_one(position in 0usize..9, size in 1usize..9, kernel in 1usize..6, stride in 1usize..4, dilation in 1usize..4, before in 0usize..5) {
            let counted = (0..kernel)
                .filter(|k| (before..before + size).contains(&(position * stride + k * dilation)))
                .count();
            prop_assert_eq!(window_cells(position, size, kernel, stride, dilation, before), counted);
        }
    }
}
