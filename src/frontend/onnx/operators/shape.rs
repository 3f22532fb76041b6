//! What is known about shapes while a model is read.
//!
//! Forms of today need ranks that older ones leave open (a Transpose without `perm`, a Pad without `axes`). These rules
//! follow ranks, and sizes where they are needed to follow ranks: the length of a shape that is computed in the model.
//! They are not shape inference, which runs on `hfloat`: a size that is `None` is not looked for here.

use super::super::model::{Attribute, Node};
use super::super::normalize::Rewriter;
use hb_dialects::hfloat::ShapeRule as Rule;

/// One entry per dimension; `None`: not known here.
pub type Shape = Vec<Option<usize>>;

/// Shape of the first result; `None`: not even the rank is known.
pub type ShapeRule = fn(&Rewriter, &Node) -> Option<Shape>;

/// What is known of the shape of the first result of an operation.
pub fn rule_of(rule: Rule) -> ShapeRule {
    match rule {
        Rule::BatchNormalization
        | Rule::Cast
        | Rule::Clip
        | Rule::GroupNormalization
        | Rule::Identity
        | Rule::InstanceNormalization
        | Rule::LayerNormalization
        | Rule::Lrn
        | Rule::PRelu
        | Rule::Softmax
        | Rule::Unary => same,
        Rule::Broadcast | Rule::Comparison | Rule::Pow | Rule::Where => broadcast,
        Rule::Concat => concat,
        Rule::Constant => constant,
        Rule::ConstantOfShape => constant_of_shape,
        Rule::Conv => convolution,
        Rule::ConvTranspose | Rule::Pool => pool,
        Rule::DepthToSpace | Rule::Pad | Rule::Resize | Rule::SpaceToDepth | Rule::Split | Rule::Tile | Rule::TopK => {
            of_rank
        }
        Rule::Expand => expand,
        Rule::Flatten | Rule::Gemm => matrix,
        Rule::Gather => gather,
        Rule::GlobalPool => global_pool,
        Rule::If | Rule::Loop => |_, _| None,
        Rule::Lstm => |_, _| Some(vec![None; 4]),
        Rule::MatMul => matrix_product,
        Rule::NonMaxSuppression => |_, _| Some(vec![None, Some(3)]),
        Rule::NonZero => |_, _| Some(vec![None, None]),
        Rule::PositionOfExtreme => reduce_one,
        Rule::Range => vector,
        Rule::Reduce => reduce,
        Rule::Reshape => reshape,
        Rule::Shape => shape_of,
        Rule::Slice => slice,
        Rule::Squeeze => squeeze,
        Rule::Transpose => transpose,
        Rule::Unsqueeze => unsqueeze,
    }
}

/// That of the first input.
pub fn same(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    rewriter.shape(node, 0).cloned()
}

/// That of all inputs broadcast against each other.
pub fn broadcast(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    let mut joint = Vec::new();
    for index in 0..node.inputs.len() {
        joint = broadcast_shapes(&joint, rewriter.shape(node, index)?);
    }
    Some(joint)
}

/// One dimension of unknown size.
pub fn vector(_: &Rewriter, _: &Node) -> Option<Shape> {
    Some(vec![None])
}

/// Without `keepdims`, the rank follows from the number of axes.
pub fn reduce(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    let rank = rewriter.shape(node, 0)?.len();
    if int(node, "keepdims") != Some(0) {
        return Some(vec![None; rank]);
    }
    match rewriter.constant(node, 1)?.to_i64s()?.len() {
        0 if int(node, "noop_with_empty_axes") == Some(1) => Some(vec![None; rank]),
        0 => Some(Vec::new()),
        axes => Some(vec![None; rank.checked_sub(axes)?]),
    }
}

/// A reduction over one axis.
pub fn reduce_one(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    let rank = rewriter.shape(node, 0)?.len();
    let kept = if int(node, "keepdims") == Some(0) { rank.checked_sub(1)? } else { rank };
    Some(vec![None; kept])
}

fn broadcast_shapes(a: &[Option<usize>], b: &[Option<usize>]) -> Shape {
    let rank = a.len().max(b.len());
    let at = |shape: &[Option<usize>], index: usize| match (index + shape.len()).checked_sub(rank) {
        Some(index) => shape.get(index).copied().flatten(),
        None => Some(1),
    };
    let pair = |index| match (at(a, index), at(b, index)) {
        (Some(1), other) | (other, Some(1)) => other,
        (a, b) => a.or(b),
    };
    (0..rank).map(pair).collect()
}

/// Batch and channels of the input, spatial dimensions not followed.
pub fn pool(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    let input = rewriter.shape(node, 0)?;
    Some(input.iter().enumerate().map(|(index, size)| size.filter(|_| index < 2)).collect())
}

pub fn global_pool(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    let input = rewriter.shape(node, 0)?;
    Some(input.iter().enumerate().map(|(index, size)| if index < 2 { *size } else { Some(1) }).collect())
}

pub fn convolution(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    let rank = rewriter.shape(node, 0).or(rewriter.shape(node, 1))?.len();
    let batch = rewriter.shape(node, 0).and_then(|shape| shape.first().copied().flatten());
    let channels = rewriter.shape(node, 1).and_then(|shape| shape.first().copied().flatten());
    Some((0..rank).map(|index| [batch, channels].get(index).copied().flatten()).collect())
}

pub fn matrix(_: &Rewriter, _: &Node) -> Option<Shape> {
    Some(vec![None, None])
}

/// Leading dimensions broadcast; a vector gains a dimension that the result loses again.
pub fn matrix_product(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    let (a, b) = (rewriter.shape(node, 0)?, rewriter.shape(node, 1)?);
    let leading = |shape: &Shape| shape.iter().copied().take(shape.len().saturating_sub(2)).collect::<Vec<_>>();
    let mut shape = broadcast_shapes(&leading(a), &leading(b));
    if let [.., row, _] = a.as_slice() {
        shape.push(*row);
    }
    if let [.., _, column] = b.as_slice() {
        shape.push(*column);
    }
    Some(shape)
}

fn int(node: &Node, name: &str) -> Option<i64> {
    match node.attribute(name) {
        Some(Attribute::Int(value)) => Some(*value),
        _ => None,
    }
}

fn position(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis.checked_add(i64::try_from(rank).ok()?)? } else { axis };
    usize::try_from(axis).ok()
}

pub fn concat(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    let first = rewriter.shape(node, 0)?;
    let axis = position(int(node, "axis")?, first.len())?;
    let sizes = (0..node.inputs.len()).map(|index| rewriter.shape(node, index)?.get(axis).copied().flatten());
    let total = sizes.sum::<Option<usize>>();
    Some(first.iter().enumerate().map(|(index, size)| if index == axis { total } else { *size }).collect())
}

pub fn gather(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    let (data, indices) = (rewriter.shape(node, 0)?, rewriter.shape(node, 1)?);
    let axis = position(int(node, "axis").unwrap_or(0), data.len())?;
    let (before, after) = (data.get(..axis)?, data.get(axis + 1..)?);
    Some([before, indices, after].concat())
}

/// The rank of the input; sizes are not followed.
pub fn of_rank(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    Some(vec![None; rewriter.shape(node, 0)?.len()])
}

pub fn reshape(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    match rewriter.constant(node, 1).and_then(|shape| shape.to_i64s()) {
        Some(shape) => Some(shape.iter().map(|size| usize::try_from(*size).ok().filter(|size| *size > 0)).collect()),
        None => of_length(rewriter, node, 1),
    }
}

/// As many unknown sizes as the vector that input `index` is has elements.
fn of_length(rewriter: &Rewriter, node: &Node, index: usize) -> Option<Shape> {
    match rewriter.shape(node, index)?.as_slice() {
        [Some(length)] if *length <= super::super::tensor::MAX_RANK => Some(vec![None; *length]),
        _ => None,
    }
}

pub fn constant_of_shape(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    match rewriter.constant(node, 0).and_then(|shape| shape.to_i64s()) {
        Some(shape) => Some(shape.iter().map(|size| usize::try_from(*size).ok()).collect()),
        None => of_length(rewriter, node, 0),
    }
}

/// Sizes are followed where all operands are constants.
pub fn slice(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    let input = rewriter.shape(node, 0)?;
    let constant = |index| rewriter.constant(node, index).and_then(|values| values.to_i64s());
    let operands = (constant(1), constant(2), constant(3), constant(4));
    let (Some(starts), Some(ends), Some(axes), Some(steps)) = operands else {
        return Some(vec![None; input.len()]);
    };
    let mut shape = input.clone();
    for (((start, end), axis), step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        if let Some(size) = position(*axis, input.len()).and_then(|axis| shape.get_mut(axis)) {
            *size = size.and_then(|size| sliced(size, *start, *end, *step));
        }
    }
    Some(shape)
}

/// Elements of `start..end` in steps; out-of-range positions are clamped as ONNX says.
fn sliced(size: usize, start: i64, end: i64, step: i64) -> Option<usize> {
    let size = i128::try_from(size).ok()?;
    let clamp = |position: i64, low: i128, high: i128| {
        let position = i128::from(position);
        (if position < 0 { position + size } else { position }).clamp(low, high)
    };
    let step = i128::from(step);
    let length = if step > 0 {
        clamp(end, 0, size) - clamp(start, 0, size)
    } else {
        clamp(start, 0, size - 1) - clamp(end, -1, size - 1)
    };
    if step == 0 {
        return None;
    }
    usize::try_from((length.max(0) + step.abs() - 1) / step.abs()).ok()
}

pub fn transpose(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    let input = rewriter.shape(node, 0)?;
    match node.attribute("perm") {
        Some(Attribute::Ints(perm)) => {
            Some(perm.iter().map(|from| input.get(usize::try_from(*from).ok()?).copied().flatten()).collect())
        }
        _ => Some(input.iter().rev().copied().collect()),
    }
}

pub fn unsqueeze(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    let input = rewriter.shape(node, 0)?;
    let Some(axes) = rewriter.constant(node, 1).and_then(|axes| axes.to_i64s()) else {
        let more = of_length(rewriter, node, 1)?.len();
        return Some(vec![None; input.len() + more]);
    };
    let rank = input.len() + axes.len();
    let axes = axes.iter().map(|axis| position(*axis, rank)).collect::<Option<Vec<_>>>()?;
    let mut rest = input.iter();
    Some((0..rank).map(|index| if axes.contains(&index) { Some(1) } else { rest.next().copied().flatten() }).collect())
}

pub fn squeeze(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    let input = rewriter.shape(node, 0)?;
    if node.input(1).is_none() {
        let known = input.iter().all(Option::is_some);
        return known.then(|| input.iter().copied().filter(|size| *size != Some(1)).collect());
    }
    let axes = rewriter.constant(node, 1)?.to_i64s()?;
    let axes = axes.iter().map(|axis| position(*axis, input.len())).collect::<Option<Vec<_>>>()?;
    Some(input.iter().enumerate().filter(|(index, _)| !axes.contains(index)).map(|(_, size)| *size).collect())
}

/// The rank of the result; sizes are not followed.
pub fn expand(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    let rank = of_length(rewriter, node, 1)?.len();
    Some(vec![None; rank.max(rewriter.shape(node, 0)?.len())])
}

pub fn constant(_: &Rewriter, node: &Node) -> Option<Shape> {
    match node.attribute("value") {
        Some(Attribute::Tensor(tensor)) => Some(tensor.shape().iter().copied().map(Some).collect()),
        _ => None,
    }
}

pub fn shape_of(rewriter: &Rewriter, node: &Node) -> Option<Shape> {
    let rank = rewriter.shape(node, 0)?.len();
    let size = i64::try_from(rank).ok()?;
    let clamp = |position: i64| (if position < 0 { position.saturating_add(size) } else { position }).clamp(0, size);
    let (start, end) = (clamp(int(node, "start").unwrap_or(0)), clamp(int(node, "end").unwrap_or(size)));
    Some(vec![usize::try_from((end - start).max(0)).ok()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_have_the_length_of_numpy() {
        // len(range(10)[start:end:step])
        let cases = [
            (0, 10, 1, 10),
            (2, 5, 1, 3),
            (-3, 100, 1, 3),
            (0, i64::MAX, 3, 4),
            (9, -11, -1, 10),
            (i64::MAX, i64::MIN, -4, 3),
            (5, 2, 1, 0),
            (-1, 0, -1, 9),
        ];
        for (start, end, step, length) in cases {
            assert_eq!(sliced(10, start, end, step), Some(length), "{start}:{end}:{step}");
        }
        assert_eq!(sliced(10, 0, 1, 0), None);
    }

    #[test]
    fn broadcasting_aligns_the_last_dimensions() {
        assert_eq!(broadcast_shapes(&[Some(3), Some(1)], &[Some(4)]), [Some(3), Some(4)]);
        assert_eq!(broadcast_shapes(&[], &[None, Some(2)]), [None, Some(2)]);
        assert_eq!(broadcast_shapes(&[None], &[Some(1)]), [None]);
    }
}
