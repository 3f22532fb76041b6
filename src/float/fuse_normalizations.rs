//! `hfloat-fuse-normalizations`: a layer normalization that a network spells out becomes one operation.

use super::constant_before;
use hb_dialects::{
    ElementType,
    hfloat::{Op, attributes, gives_plain_result, has_unknown_sizes, reduced_dimensions},
    ir::{self, Constant, Names, OperationAttributes, Origin, TensorType, attribute},
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{OperationRef, Value, ValueLike, operation::OperationLike};

pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-fuse-normalizations",
    summary: "Recognize layer normalizations that a network spells out",
    description: "`(x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon)`, with the square as a power or a product, the root as a power, the quotient as \
a product with a reciprocal, then times a constant scale and plus a constant bias, in every order of operands, becomes `layer_normalization`. So \
does `x * f + (bias - mean(x) * f)` with `f = scale / sqrt(..)`, as TensorFlow writes it, and the variance as `max(mean(x^2) - mean(x)^2, 0)`, with \
sums for means and reshapes between, as JAX does. The reduced axes are brought to the end by transposes where \
they are elsewhere. The float engine computes the whole with f32 inside; spelt out, each value between would be rounded to integers. The nodes of \
all go into it, under the name of the last.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    let mut names = Names::of([function]);
    // What becomes one is erased: the last operations come first, so that scale and bias belong to it.
    let mut erased = Vec::new();
    for operation in ir::operations(block).into_iter().rev() {
        let raw = operation.to_raw().ptr as usize;
        if erased.contains(&raw)
            || !matches!(Op::of(operation), Some(Op::Add | Op::Mul | Op::Div))
            || has_unknown_sizes(operation)
        {
            continue;
        }
        if let Some(found) = normalization(operation)? {
            replace(operation, found, &mut names, &mut erased)?;
        }
    }
    Ok(())
}

/// What is normalized, and how.
struct Found<'c, 'a> {
    input: Value<'c, 'a>,
    reduced: Vec<bool>,
    epsilon: f64,
    scale: Option<Value<'c, 'a>>,
    bias: Option<Value<'c, 'a>>,
    /// Every operation that is a part of it, but for the last.
    parts: Vec<OperationRef<'c, 'a>>,
}

type Search<T> = Result<Option<T>, PassFailure>;

fn same(left: Value<'_, '_>, right: Value<'_, '_>) -> bool {
    left.to_raw().ptr == right.to_raw().ptr
}

/// The operation of this kind that gives a value, where nothing is done to what it makes.
fn made_by<'c, 'a>(value: Value<'c, 'a>, op: Op) -> Search<OperationRef<'c, 'a>> {
    let Some(operation) = ir::defining_operation(value).filter(|operation| Op::of(*operation) == Some(op)) else {
        return Ok(None);
    };
    Ok(gives_plain_result(operation)?.then_some(operation))
}

/// The two operands, in both orders.
fn orders<'c, 'a>(operation: OperationRef<'c, 'a>) -> Result<[[Value<'c, 'a>; 2]; 2], PassFailure> {
    let (a, b) = (operation.operand_at(0)?, operation.operand_at(1)?);
    Ok([[a, b], [b, a]])
}

fn constant<'v>(value: Value<'_, '_>) -> Option<Constant<'v>> {
    ir::constant_of(value).filter(|constant| constant.r#type.element == ElementType::F32)
}

/// The one number that a constant holds, of any type of floats or integers.
fn number(value: Value<'_, '_>) -> Option<f64> {
    match ir::constant_of(value)?.to_f64s().ok()?.as_slice() {
        &[single] => Some(single),
        _ => None,
    }
}

/// A mean over axes: of what, the axes, and the operations.
struct Mean<'c, 'a> {
    of: Value<'c, 'a>,
    reduced: Vec<bool>,
    parts: Vec<OperationRef<'c, 'a>>,
}

/// The operations that only give dimensions of 1 to a value or take them away, and what is before them.
fn without_ones<'c: 'a, 'a>(
    mut value: Value<'c, 'a>,
) -> Result<(Value<'c, 'a>, Vec<OperationRef<'c, 'a>>), PassFailure> {
    let mut passed = Vec::new();
    while let Some(operation) = ir::defining_operation(value) {
        let moves =
            matches!(Op::of(operation), Some(Op::Reshape | Op::Unsqueeze | Op::Squeeze | Op::Expand | Op::Identity));
        if !moves {
            break;
        }
        let input = operation.operand_at(0)?;
        if larger_sizes(value).is_none_or(|own| larger_sizes(input) != Some(own)) {
            break;
        }
        passed.push(operation);
        value = input;
    }
    Ok((value, passed))
}

/// The shape; none where a size is known only when the network runs.
fn sizes(value: Value<'_, '_>) -> Option<Vec<usize>> {
    TensorType::from_type(value.r#type()).ok()?.static_shape().ok()
}

/// The dimensions of more than one.
fn larger_sizes(value: Value<'_, '_>) -> Option<Vec<usize>> {
    Some(sizes(value)?.into_iter().filter(|size| *size != 1).collect())
}

/// A mean, or a sum times the reciprocal of the number of its terms. Which shape it has does not matter yet.
fn mean<'c: 'a, 'a>(value: Value<'c, 'a>) -> Search<Mean<'c, 'a>> {
    let (value, mut parts) = without_ones(value)?;
    let mut count = None;
    let mut sum = value;
    if let Some(product) = made_by(value, Op::Mul)? {
        for [inner, factor] in orders(product)? {
            if let Some(factor) = number(factor).filter(|_| count.is_none()) {
                (sum, count) = (inner, Some(1.0 / factor));
            }
        }
        parts.push(product);
    } else if let Some(quotient) = made_by(value, Op::Div)? {
        (sum, count) = (quotient.operand_at(0)?, number(quotient.operand_at(1)?));
        parts.push(quotient);
    }
    let (sum, passed) = without_ones(sum)?;
    parts.extend(passed);
    let wanted = if count.is_some() { Op::ReduceSum } else { Op::ReduceMean };
    let Some(operation) = ir::defining_operation(sum).filter(|operation| wanted.is(*operation)) else {
        return Ok(None);
    };
    let of = operation.operand_at(0)?;
    let reduced = reduced_dimensions(operation).map_err(PassFailure::Message)?;
    let Some(reduced) = reduced.filter(|reduced| reduced.contains(&true)) else { return Ok(None) };
    let Some(sizes) = sizes(of) else { return Ok(None) };
    let terms: usize = sizes.iter().zip(&reduced).filter(|(_, reduced)| **reduced).map(|(size, _)| size).product();
    let is_mean = count.is_none_or(|count| (count / terms as f64 - 1.0).abs() < 1e-6);
    parts.push(operation);
    Ok(is_mean.then_some(Mean { of, reduced, parts }))
}

/// Whether a value that was reduced has the shape with which it meets what was reduced.
fn meets(value: Value<'_, '_>, input: Value<'_, '_>, reduced: &[bool]) -> bool {
    let Some(input) = sizes(input) else { return false };
    let kept = input.into_iter().zip(reduced).map(|(size, reduced)| if *reduced { 1 } else { size });
    sizes(value) == Some(kept.collect())
}

/// `x - mean(x)`: x, the axes, and the operations.
struct Centered<'c, 'a> {
    input: Value<'c, 'a>,
    reduced: Vec<bool>,
    parts: Vec<OperationRef<'c, 'a>>,
}

fn centered<'c: 'a, 'a>(value: Value<'c, 'a>) -> Search<Centered<'c, 'a>> {
    let Some(difference) = made_by(value, Op::Sub)? else { return Ok(None) };
    let (input, average) = (difference.operand_at(0)?, difference.operand_at(1)?);
    let Some(found) = mean(average)? else { return Ok(None) };
    let fits = same(found.of, input) && meets(average, input, &found.reduced);
    let parts = [vec![difference], found.parts].concat();
    Ok(fits.then_some(Centered { input, reduced: found.reduced, parts }))
}

/// What is squared.
fn squared<'c, 'a>(value: Value<'c, 'a>) -> Search<(OperationRef<'c, 'a>, [Value<'c, 'a>; 2])> {
    if let Some(power) = made_by(value, Op::Pow)? {
        let base = power.operand_at(0)?;
        return Ok((number(power.operand_at(1)?) == Some(2.0)).then_some((power, [base, base])));
    }
    let Some(product) = made_by(value, Op::Mul)? else { return Ok(None) };
    Ok(Some((product, [product.operand_at(0)?, product.operand_at(1)?])))
}

/// `mean((x - mean(x))^2) + epsilon`, or with the other variance.
fn variance<'c: 'a, 'a>(value: Value<'c, 'a>) -> Search<(Centered<'c, 'a>, f64)> {
    let Some(sum) = made_by(value, Op::Add)? else { return Ok(None) };
    for [inner, epsilon] in orders(sum)? {
        let Some(epsilon) = number(epsilon).filter(|epsilon| *epsilon >= 0.0) else { continue };
        let found = match variance_of_squares(inner)? {
            Some(found) => Some(found),
            None => variance_of_differences(inner)?,
        };
        let Some(found) = found else { continue };
        if meets(value, found.input, &found.reduced) {
            return Ok(Some((with_part(found, sum), epsilon)));
        }
    }
    Ok(None)
}

/// `mean((x - mean(x))^2)`
fn variance_of_differences<'c: 'a, 'a>(value: Value<'c, 'a>) -> Search<Centered<'c, 'a>> {
    let Some(average) = mean(value)? else { return Ok(None) };
    let Some((square, factors)) = squared(average.of)? else { return Ok(None) };
    let (Some(first), Some(second)) = (centered(factors[0])?, centered(factors[1])?) else { return Ok(None) };
    let reduced = average.reduced;
    let fits = same(first.input, second.input) && first.reduced == reduced && second.reduced == reduced;
    let parts = [average.parts, vec![square], first.parts, second.parts].concat();
    Ok(fits.then_some(Centered { parts, ..first }))
}

/// `mean(x^2) - mean(x)^2`, or the larger of that and 0.
fn variance_of_squares<'c: 'a, 'a>(value: Value<'c, 'a>) -> Search<Centered<'c, 'a>> {
    let (mut value, mut parts) = without_ones(value)?;
    if let Some(larger) = made_by(value, Op::Max)? {
        for [inner, zero] in orders(larger)? {
            if number(zero) == Some(0.0) {
                value = inner;
            }
        }
        parts.push(larger);
    }
    let Some(difference) = made_by(value, Op::Sub)? else { return Ok(None) };
    let (Some(of_squares), Some((product, means))) =
        (mean(difference.operand_at(0)?)?, squared(difference.operand_at(1)?)?)
    else {
        return Ok(None);
    };
    let (Some((square, inputs)), Some(first), Some(second)) =
        (squared(of_squares.of)?, mean(means[0])?, mean(means[1])?)
    else {
        return Ok(None);
    };
    let (input, reduced) = (first.of, first.reduced);
    let fits = [inputs[0], inputs[1], second.of].into_iter().all(|other| same(other, input))
        && of_squares.reduced == reduced
        && second.reduced == reduced;
    parts.extend([vec![difference], of_squares.parts, vec![product, square], first.parts, second.parts].concat());
    Ok(fits.then_some(Centered { input, reduced, parts }))
}

/// The square root of what [`variance`] finds.
fn deviation<'c: 'a, 'a>(value: Value<'c, 'a>) -> Search<(Centered<'c, 'a>, f64)> {
    let root = match made_by(value, Op::Sqrt)? {
        Some(root) => Some(root),
        None => made_by(value, Op::Pow)?.filter(|power| power.operand_at(1).ok().and_then(number) == Some(0.5)),
    };
    let Some(root) = root else { return Ok(None) };
    let found = variance(root.operand_at(0)?)?;
    Ok(found.map(|(found, epsilon)| (with_part(found, root), epsilon)))
}

fn with_part<'c, 'a>(found: Centered<'c, 'a>, part: OperationRef<'c, 'a>) -> Centered<'c, 'a> {
    Centered { parts: [vec![part], found.parts].concat(), ..found }
}

/// `1 / deviation`.
fn factor<'c: 'a, 'a>(value: Value<'c, 'a>) -> Search<(Centered<'c, 'a>, f64)> {
    if let Some(reciprocal) = made_by(value, Op::Reciprocal)? {
        let found = deviation(reciprocal.operand_at(0)?)?;
        return Ok(found.map(|(found, epsilon)| (with_part(found, reciprocal), epsilon)));
    }
    if let Some(quotient) =
        made_by(value, Op::Div)?.filter(|quotient| quotient.operand_at(0).ok().and_then(number) == Some(1.0))
    {
        let found = deviation(quotient.operand_at(1)?)?;
        return Ok(found.map(|(found, epsilon)| (with_part(found, quotient), epsilon)));
    }
    let power = made_by(value, Op::Pow)?;
    let Some(power) = power.filter(|power| power.operand_at(1).ok().and_then(number) == Some(-0.5)) else {
        return Ok(None);
    };
    let found = variance(power.operand_at(0)?)?;
    Ok(found.map(|(found, epsilon)| (with_part(found, power), epsilon)))
}

/// `(x - mean) / deviation`, or times the reciprocal, which may have the scale in it.
fn standardized<'c: 'a, 'a>(operation: OperationRef<'c, 'a>) -> Search<Found<'c, 'a>> {
    let mut pairs = Vec::new();
    if Op::Div.is(operation) {
        let scatter = deviation(operation.operand_at(1)?)?;
        pairs.push((operation.operand_at(0)?, scatter.map(|(scatter, epsilon)| (None, scatter, epsilon))));
    } else if Op::Mul.is(operation) && attributes::activation(operation)?.is_none() {
        for [distance, inverse] in orders(operation)? {
            pairs.push((distance, scaled_factor(inverse)?));
        }
    }
    for (distance, scatter) in pairs {
        let (Some(distance), Some((scale, scatter, epsilon))) = (centered(distance)?, scatter) else { continue };
        if same(distance.input, scatter.input) && distance.reduced == scatter.reduced {
            let Centered { input, reduced, parts } = distance;
            let parts = [parts, scatter.parts].concat();
            let found = Found { input, reduced, epsilon, scale, bias: None, parts };
            let is_scale = scale.map(|scale| fits(scale, &found)).transpose()?.unwrap_or(true);
            return Ok(is_scale.then_some(found));
        }
    }
    Ok(None)
}

/// An operation whose result nothing but one operation reads.
fn only_read_once<'c, 'a>(value: Value<'c, 'a>) -> Option<OperationRef<'c, 'a>> {
    ir::defining_operation(value).filter(|_| ir::users(value).len() == 1)
}

/// With a constant scale.
fn scaled<'c: 'a, 'a>(operation: OperationRef<'c, 'a>) -> Search<Found<'c, 'a>> {
    if let Some(found) = standardized(operation)? {
        return Ok(Some(found));
    }
    if !Op::Mul.is(operation) || attributes::activation(operation)?.is_some() {
        return Ok(None);
    }
    for [inner, scale] in orders(operation)? {
        let (Some(_), Some(part)) = (constant(scale), only_read_once(inner)) else { continue };
        if let Some(found) = standardized(part)?.filter(|found| found.scale.is_none())
            && fits(scale, &found)?
        {
            let parts = [vec![part], found.parts].concat();
            return Ok(Some(Found { scale: Some(scale), parts, ..found }));
        }
    }
    Ok(None)
}

/// With a constant bias, or as TensorFlow writes it.
fn normalization<'c: 'a, 'a>(operation: OperationRef<'c, 'a>) -> Search<Found<'c, 'a>> {
    let Some(result) = ir::results(operation).into_iter().next() else { return Ok(None) };
    if TensorType::from_type(result.r#type())?.element != ElementType::F32 {
        return Ok(None);
    }
    let mut found = scaled(operation)?;
    if found.is_none() && Op::Add.is(operation) && attributes::activation(operation)?.is_none() {
        for [inner, bias] in orders(operation)? {
            if let (Some(_), Some(part)) = (constant(bias), only_read_once(inner))
                && let Some(whole) = scaled(part)?
                && fits(bias, &whole)?
            {
                let parts = [vec![part], whole.parts].concat();
                found = Some(Found { bias: Some(bias), parts, ..whole });
            }
        }
        if found.is_none() {
            found = by_factor(operation)?;
        }
    }
    // Constants that widen the value are more than scale and bias.
    Ok(found.filter(|found| found.input.r#type() == result.r#type()))
}

/// `x * f + (bias - mean(x) * f)` with `f = scale / deviation`.
fn by_factor<'c: 'a, 'a>(operation: OperationRef<'c, 'a>) -> Search<Found<'c, 'a>> {
    for [product, rest] in orders(operation)? {
        let (Some(product), Some(rest)) = (made_by(product, Op::Mul)?, made_by(rest, Op::Sub)?) else { continue };
        let bias = rest.operand_at(0)?;
        let Some(shift) = made_by(rest.operand_at(1)?, Op::Mul)?.filter(|_| constant(bias).is_some()) else { continue };
        for [input, common] in orders(product)? {
            for [average, other] in orders(shift)? {
                let Some(found) = mean(average)?.filter(|_| same(common, other)) else { continue };
                let Some((scale, scatter, epsilon)) = scaled_factor(common)? else { continue };
                let reduced = found.reduced;
                let fits_input = same(found.of, input) && same(scatter.input, input);
                if !fits_input || scatter.reduced != reduced || !meets(average, input, &reduced) {
                    continue;
                }
                let parts = [vec![product, rest, shift], found.parts, scatter.parts].concat();
                let found = Found { input, reduced, epsilon, scale, bias: Some(bias), parts };
                let mut constants = scale.into_iter().chain([bias]);
                if constants.try_fold(true, |all, constant| Ok::<bool, PassFailure>(all && fits(constant, &found)?))? {
                    return Ok(Some(found));
                }
            }
        }
    }
    Ok(None)
}

type ScaledFactor<'c, 'a> = (Option<Value<'c, 'a>>, Centered<'c, 'a>, f64);

/// `1 / deviation`, times a constant scale or not.
fn scaled_factor<'c: 'a, 'a>(value: Value<'c, 'a>) -> Search<ScaledFactor<'c, 'a>> {
    if let Some((found, epsilon)) = factor(value)? {
        return Ok(Some((None, found, epsilon)));
    }
    let Some(product) = made_by(value, Op::Mul)? else { return Ok(None) };
    for [inner, scale] in orders(product)? {
        if constant(scale).is_some()
            && let Some((found, epsilon)) = factor(inner)?
        {
            return Ok(Some((Some(scale), with_part(found, product), epsilon)));
        }
    }
    Ok(None)
}

/// Whether a constant varies along reduced axes only, so that it is a scale or a bias once these are the last.
fn fits(parameter: Value<'_, '_>, found: &Found<'_, '_>) -> Result<bool, PassFailure> {
    let shape = TensorType::from_type(parameter.r#type())?.static_shape()?;
    let rank = found.reduced.len();
    if shape.len() > rank {
        return Ok(false);
    }
    let missing = rank - shape.len();
    Ok(shape.iter().enumerate().all(|(axis, size)| *size == 1 || found.reduced[axis + missing]))
}

/// The constant with the dimensions that are reduced only.
fn parameter<'c, 'a>(
    operation: OperationRef<'c, 'a>,
    suffix: &str,
    value: Option<Value<'c, 'a>>,
    reduced: &[bool],
) -> Result<Value<'c, 'a>, PassFailure> {
    let Some(constant) = value.and_then(constant) else {
        return Ok(constant_before(operation, suffix, &TensorType::new(ElementType::F32, &[1]), &[1.0])?);
    };
    let shape = constant.r#type.static_shape()?;
    let missing = reduced.len() - shape.len();
    let kept = |(axis, size): (usize, &usize)| reduced[axis + missing].then_some(*size);
    let mut kept: Vec<usize> = shape.iter().enumerate().filter_map(kept).collect();
    if kept.is_empty() {
        kept.push(1);
    }
    Ok(constant_before(operation, suffix, &TensorType::new(ElementType::F32, &kept), &constant.f32s()?)?)
}

fn replace<'c, 'a>(
    operation: OperationRef<'c, 'a>,
    found: Found<'c, 'a>,
    names: &mut Names,
    erased: &mut Vec<usize>,
) -> Result<(), PassFailure> {
    let context = operation.context_reference();
    let rank = found.reduced.len();
    // Where each dimension comes from, with the reduced ones last.
    let mut order: Vec<usize> = (0..rank).collect();
    order.sort_by_key(|axis| found.reduced[*axis]);
    let back: Vec<usize> = (0..rank).filter_map(|axis| order.iter().position(|from| *from == axis)).collect();
    let parts = found.parts.iter().rev().chain([&operation]).map(|part| part.origin());
    let origin = Origin::united(parts).named(operation.node());
    let r#type = TensorType::from_type(found.input.r#type())?;
    let shape = r#type.static_shape()?;
    let transposed = |order: &[usize], value, name: Origin, shape: &[usize]| {
        let permutation: Vec<i64> = order.iter().map(|axis| *axis as i64).collect();
        let attributes = [("perm", attribute::integers(context, &permutation))];
        let types = [TensorType::new(ElementType::F32, shape).to_type(context)];
        ir::build(context, Op::Transpose.name(), &[value], &attributes, &types, vec![], name.location(context))
            .map(|built| ir::insert_before(operation, built))
    };
    let first = |operation: OperationRef<'c, 'a>| -> Result<Value<'c, 'a>, PassFailure> {
        ir::results(operation)
            .into_iter()
            .next()
            .ok_or_else(|| PassFailure::Message("an operation has no result".into()))
    };
    let scale = parameter(operation, "scale", found.scale, &found.reduced)?;
    let mut operands = vec![found.input, scale];
    if found.bias.is_some() {
        operands.push(parameter(operation, "bias", found.bias, &found.reduced)?);
    }
    let inner: Vec<usize> = order.iter().map(|axis| shape[*axis]).collect();
    let moves = !order.is_sorted();
    if moves {
        operands[0] = first(transposed(&order, found.input, names.derive(&origin, "transpose"), &inner)?)?;
    }
    let axis = rank - found.reduced.iter().filter(|reduced| **reduced).count();
    let attributes =
        [("axis", attribute::si64(context, axis as i64)), ("epsilon", attribute::f32(context, found.epsilon as f32))];
    let types = [TensorType::new(ElementType::F32, &inner).to_type(context)];
    let own = if moves { names.derive(&origin, "normalize") } else { origin.clone() };
    let location = own.location(context);
    let built = ir::build(context, Op::LayerNormalization.name(), &operands, &attributes, &types, vec![], location)?;
    let mut result = first(ir::insert_before(operation, built))?;
    if moves {
        result = first(transposed(&back, result, origin, &shape)?)?;
    }
    ir::replace_all_uses(first(operation)?, result);
    // Parts that something else reads stay; users come before what they use.
    let mut parts = vec![operation];
    parts.extend(found.parts);
    erase_unread(parts, erased);
    Ok(())
}

/// Erases operations whose results nothing reads, until there are none.
fn erase_unread(mut parts: Vec<OperationRef<'_, '_>>, erased: &mut Vec<usize>) {
    let mut known = Vec::new();
    parts.retain(|part| {
        let raw = part.to_raw().ptr as usize;
        let is_new = !known.contains(&raw);
        known.push(raw);
        is_new
    });
    while let Some(place) =
        parts.iter().position(|part| ir::results(*part).into_iter().all(|result| ir::users(result).is_empty()))
    {
        let part = parts.swap_remove(place);
        erased.push(part.to_raw().ptr as usize);
        // SAFETY: nothing reads its results, the walk skips what is in `erased`, and no other handle is used below.
        unsafe { ir::erase(part) };
    }
}
