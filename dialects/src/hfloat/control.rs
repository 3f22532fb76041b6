//! Operations with regions: branches and loops.

use super::{Op, YIELD, attributes, limits::upper_bound, operands::*};
use crate::{
    ElementType,
    ir::{self, OperationAttributes, TensorType, constant_of},
};
use melior::ir::{BlockLike, BlockRef, OperationRef, RegionLike, Value, ValueLike, operation::OperationLike};

/// Larger results are refused before anything is allocated.
pub(super) const MOST_ELEMENTS: u64 = 1 << 40;
/// The trip count of a loop without a limit.
pub const NO_TRIP_LIMIT: i64 = i64::MAX;

/// The block of a region with this number.
///
/// # Errors
/// When there is none.
pub fn region_block<'c, 'a>(operation: OperationRef<'c, 'a>, index: usize) -> Result<BlockRef<'c, 'a>, String> {
    operation
        .region(index)
        .ok()
        .and_then(|region| region.first_block())
        .ok_or_else(|| "has a region without a body".into())
}

/// What the block of a region yields.
///
/// # Errors
/// When it does not end in a yield.
pub fn yielded<'c, 'a>(block: BlockRef<'c, 'a>) -> Result<Vec<Value<'c, 'a>>, String> {
    let end = block.terminator().filter(|end| end.operation_name() == YIELD);
    Ok(end.ok_or_else(|| format!("has a region that does not end in {YIELD}"))?.operands().collect())
}

/// How many of the operands of an `hfloat.loop` go from one iteration to the next.
///
/// # Errors
/// When there are not that many operands and results.
pub fn carried_count(operation: OperationRef<'_, '_>) -> Result<usize, String> {
    let carried = attributes::carried(operation).map_err(|error| error.to_string())?;
    let most = operation.operand_count().saturating_sub(2).min(operation.result_count());
    usize::try_from(carried).ok().filter(|&carried| carried <= most).ok_or_else(|| {
        format!(
            "carries {carried} values; it has {} values and {} results",
            operation.operand_count().saturating_sub(2),
            operation.result_count()
        )
    })
}

fn type_of(value: Value<'_, '_>) -> Result<TensorType, String> {
    TensorType::from_type(value.r#type()).map_err(|error| error.to_string())
}

/// The arguments of a region have the types of what is passed to them.
fn check_arguments(block: BlockRef<'_, '_>, passed: &[TensorType]) -> Result<(), String> {
    let arguments = ir::arguments(block);
    if arguments.len() != passed.len() {
        return Err(format!("passes {} values to a region that takes {}", passed.len(), arguments.len()));
    }
    for (index, (argument, passed)) in arguments.into_iter().zip(passed).enumerate() {
        if !super::compatible(&type_of(argument)?, passed) {
            let context = argument.context();
            // SAFETY: the context outlives its values.
            let context = unsafe { context.to_ref() };
            return Err(format!(
                "passes {} to argument {index} of a region, which is {}",
                passed.to_type(context),
                argument.r#type()
            ));
        }
    }
    Ok(())
}

/// `condition` is one bool, `what` says which.
fn check_one(r#type: &TensorType, what: &str) -> Result<(), String> {
    match r#type.elements() {
        Some(count) if count != 1 => Err(format!("has a {what} of {count} elements; it is one")),
        _ => Ok(()),
    }
}

pub(super) fn branches(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    check_one(&operand_type(operation, 0)?, "condition")?;
    let captured: Vec<TensorType> =
        (1..operation.operand_count()).map(|index| operand_type(operation, index)).collect::<Result<_, _>>()?;
    let [then_fault, else_fault] = branch_faults(operation)?;
    let then = branch(operation, (0, &captured), then_fault)?;
    let otherwise = branch(operation, (1, &captured), else_fault)?;
    // A condition that is constant says which branch it is; the other may give anything.
    if let Some(condition) = constant_of(operation.operand_at(0).map_err(|error| error.to_string())?) {
        return if condition.bytes.first() == Some(&0) { otherwise } else { then };
    }
    match (then, otherwise) {
        (Ok(then), Ok(otherwise)) => {
            let pairs = then.iter().zip(&otherwise).enumerate();
            pairs.map(|(index, (then, otherwise))| either(index, then, otherwise)).collect()
        }
        // Only the branch that can be built may be taken.
        (then, otherwise) => then.or(otherwise),
    }
}

/// What a branch gives, or its fault.
fn branch(
    operation: OperationRef<'_, '_>,
    (index, captured): (usize, &[TensorType]),
    fault: Option<String>,
) -> Result<Result<Vec<TensorType>, String>, String> {
    let block = region_block(operation, index)?;
    check_arguments(block, captured)?;
    let values = yielded(block)?;
    let count = if fault.is_some() { 0 } else { operation.result_count() };
    if values.len() != count {
        return Err(format!("has {count} results, but a branch yields {}", values.len()));
    }
    let types = values.into_iter().map(type_of).collect::<Result<Vec<_>, _>>()?;
    Ok(fault.map_or(Ok(types), |fault| Err(format!("takes a branch that cannot be built: {fault}"))))
}

/// Why the branches of an `hfloat.if` cannot be built; none for one that can, and for other operations.
fn branch_faults(operation: OperationRef<'_, '_>) -> Result<[Option<String>; 2], String> {
    if Op::of(operation) != Some(Op::If) {
        return Ok([None, None]);
    }
    let faults = attributes::faults(operation).map_err(|error| error.to_string())?;
    let Some(faults) = faults else { return Ok([None, None]) };
    let faults: [String; 2] = faults.try_into().map_err(|_| "has other than two faults, one for each branch")?;
    Ok(faults.map(|fault| (!fault.is_empty()).then_some(fault)))
}

/// Whether a branch in a block, or in a region inside of it, cannot be built.
pub fn has_faults(block: BlockRef<'_, '_>) -> bool {
    ir::operations(block).into_iter().any(|operation| {
        let inner = |index: usize| region_block(operation, index).is_ok_and(has_faults);
        undecided_fault(operation).is_ok_and(|fault| fault.is_some()) || (0..operation.region_count()).any(inner)
    })
}

/// Why an operation cannot stay although its types are known: a branch cannot be built, and the condition does not say that the other is taken.
///
/// # Errors
/// When its attributes cannot be read.
pub fn undecided_fault(operation: OperationRef<'_, '_>) -> Result<Option<String>, String> {
    let fault = branch_faults(operation)?.into_iter().flatten().next();
    Ok(fault.map(|fault| {
        format!("has a branch that cannot be built, and may take it: the condition is known only when the network runs. {fault}")
    }))
}

/// The type of a value that is one or the other.
fn either(index: usize, then: &TensorType, otherwise: &TensorType) -> Result<TensorType, String> {
    if then.element != otherwise.element {
        return Err(format!(
            "gives result {index} as {} in one branch and {} in the other",
            then.element, otherwise.element
        ));
    }
    let (Some(left), Some(right)) = (&then.dimensions, &otherwise.dimensions) else {
        return Ok(TensorType::unranked(then.element.clone()));
    };
    if left.len() != right.len() {
        return Ok(TensorType::unranked(then.element.clone()));
    }
    let same: Vec<Option<u64>> = left.iter().zip(right).map(|(left, right)| left.filter(|_| left == right)).collect();
    let (Some(left), Some(right)) = (then.bound_shape(), otherwise.bound_shape()) else {
        return Ok(TensorType::with_dimensions(then.element.clone(), Some(same)));
    };
    let bounds: Vec<u64> = left.iter().zip(&right).map(|(&left, &right)| left.max(right) as u64).collect();
    let unknown: Vec<bool> = same.iter().map(Option::is_none).collect();
    Ok(TensorType::bounded(then.element.clone(), &bounds, &unknown))
}

pub(super) fn repeated(operation: OperationRef<'_, '_>) -> Result<Vec<TensorType>, String> {
    let (trip_count, condition) = (operand_type(operation, 0)?, operand_type(operation, 1)?);
    check_one(&trip_count, "trip count")?;
    check_one(&condition, "condition")?;
    let carried = carried_count(operation)?;
    let block = region_block(operation, 0)?;
    let values: Vec<TensorType> =
        (2..operation.operand_count()).map(|index| operand_type(operation, index)).collect::<Result<_, _>>()?;
    let own = [TensorType::new(ElementType::I64, &[]), TensorType::new(ElementType::Bool, &[])];
    check_arguments(block, &own.into_iter().chain(values.iter().cloned()).collect::<Vec<_>>())?;
    let given = yielded(block)?;
    if given.len() != operation.result_count() + 1 {
        let (given, results) = (given.len(), operation.result_count());
        return Err(format!(
            "has {results} results, but its body yields {given} values; it must yield the condition and those"
        ));
    }
    let types: Vec<TensorType> = given.iter().map(|value| type_of(*value)).collect::<Result<_, _>>()?;
    if types[0].element != ElementType::Bool {
        return Err("has a body that yields a condition that is no bool".into());
    }
    check_one(&types[0], "condition yielded by its body")?;
    let (next, parts) = types[1..].split_at(carried);
    let mut results = Vec::new();
    for (index, (initial, next)) in values.iter().zip(next).enumerate() {
        results.push(carry(index, initial, next)?);
    }
    let trips = Trips::of(operation, block, &given)?;
    for (index, part) in parts.iter().enumerate() {
        results.push(trips.collect(carried + index, part)?);
    }
    Ok(results)
}

/// A value that goes from one iteration to the next keeps its type.
fn carry(index: usize, initial: &TensorType, next: &TensorType) -> Result<TensorType, String> {
    let fits = initial.element == next.element
        && match (&initial.dimensions, &next.dimensions) {
            (Some(before), Some(after)) => {
                before.len() == after.len()
                    && before.iter().zip(after).all(|(a, b)| a.is_none() || b.is_none() || a == b)
            }
            _ => true,
        };
    let within = match (initial.bound_shape(), next.bound_shape()) {
        (Some(before), Some(after)) => before.iter().zip(&after).all(|(before, after)| after <= before),
        _ => true,
    };
    // A known size may not become one that is known only when running.
    let keeps = next.bounds.is_none()
        || initial
            .dimensions
            .iter()
            .flatten()
            .zip(next.dimensions.iter().flatten())
            .all(|(a, b)| a.is_none() || b.is_some());
    if fits && within && keeps {
        return Ok(initial.clone());
    }
    let shape = |r#type: &TensorType| {
        let size = |(d, size): (usize, &Option<u64>)| match (size, &r#type.bounds) {
            (Some(size), _) => size.to_string(),
            (None, Some(bounds)) => format!("at most {}", bounds[d]),
            (None, None) => "?".to_owned(),
        };
        let sizes = r#type.dimensions.iter().flatten().enumerate().map(size).collect::<Vec<_>>().join(", ");
        format!("{} [{sizes}]", r#type.element)
    };
    Err(format!(
        "carries value {index} as {} into its body and gets {} back; a value that grows from iteration to iteration is not \
         supported: give its parts as scan outputs",
        shape(initial),
        shape(next)
    ))
}

/// How often a loop runs.
enum Trips {
    Always(u64),
    AtMost(u64),
    Unknown,
}

impl Trips {
    fn of(operation: OperationRef<'_, '_>, block: BlockRef<'_, '_>, yielded: &[Value<'_, '_>]) -> Result<Self, String> {
        let operand = |index: usize| operation.operand_at(index).map_err(|error| error.to_string());
        let limit = upper_bound(operand(0)?).filter(|&limit| limit != NO_TRIP_LIMIT);
        let Some(limit) = limit.map(|limit| u64::try_from(limit).unwrap_or(0)) else { return Ok(Trips::Unknown) };
        let is_true = |value: Value<'_, '_>| constant_of(value).is_some_and(|constant| constant.bytes.as_ref() == [1]);
        let stays = yielded.first().is_some_and(|&next| is_true(next) || is_condition(block, next));
        let exact = constant_of(operand(0)?).is_some() && is_true(operand(1)?) && stays;
        Ok(if exact { Trips::Always(limit) } else { Trips::AtMost(limit) })
    }

    /// The type of the parts of all iterations.
    fn collect(&self, index: usize, part: &TensorType) -> Result<TensorType, String> {
        if part.is_bounded() {
            return Err(format!("gives result {index} in parts whose size is known only when the network runs"));
        }
        let Some(dimensions) = &part.dimensions else { return Ok(TensorType::unranked(part.element.clone())) };
        let (trips, unknown) = match *self {
            Trips::Always(trips) => (Some(trips), false),
            Trips::AtMost(trips) => (Some(trips), true),
            Trips::Unknown => (None, true),
        };
        let all: Option<Vec<u64>> = std::iter::once(trips).chain(dimensions.iter().copied()).collect();
        let Some(bounds) = all else {
            let sizes = std::iter::once(trips.filter(|_| !unknown)).chain(dimensions.iter().copied()).collect();
            return Ok(TensorType::with_dimensions(part.element.clone(), Some(sizes)));
        };
        let total = bounds.iter().try_fold(1u64, |total, &size| total.checked_mul(size));
        if total.is_none_or(|total| total > MOST_ELEMENTS) {
            return Err(format!("gives result {index} room for {} iterations, which is too large", bounds[0]));
        }
        let unknown: Vec<bool> = (0..bounds.len()).map(|d| d == 0 && unknown).collect();
        Ok(TensorType::bounded(part.element.clone(), &bounds, &unknown))
    }
}

/// Whether a value is the condition that the body was given, passed on.
fn is_condition(block: BlockRef<'_, '_>, value: Value<'_, '_>) -> bool {
    let passed_on = |value: Value<'_, '_>| {
        ir::arguments(block).get(1).is_some_and(|argument| argument.to_raw().ptr == value.to_raw().ptr)
    };
    let source = ir::defining_operation(value)
        .filter(|operation| Op::of(*operation) == Some(Op::Identity))
        .and_then(|operation| operation.operand(0).ok());
    passed_on(value) || source.is_some_and(passed_on)
}

/// Why the result of a branch or loop has no shape, where there is such a reason.
pub fn missing_shape(operation: OperationRef<'_, '_>) -> Option<String> {
    different_ranks(operation).or_else(|| missing_trip_limit(operation))
}

/// Branches may give values of different ranks as long as the condition may turn out to be constant.
fn different_ranks(operation: OperationRef<'_, '_>) -> Option<String> {
    if Op::of(operation) != Some(Op::If) {
        return None;
    }
    let given = |index: usize| yielded(region_block(operation, index).ok()?).ok();
    let rank = |value: &Value<'_, '_>| type_of(*value).ok()?.dimensions.map(|dimensions| dimensions.len());
    given(0)?.iter().zip(&given(1)?).enumerate().find_map(|(index, (then, otherwise))| {
        let (then, otherwise) = (rank(then)?, rank(otherwise)?);
        (then != otherwise).then(|| {
            format!(
                "gives result {index} {then} dimensions in one branch and {otherwise} in the other; which is taken is known \
                 only when the network runs, so both need the same rank"
            )
        })
    })
}

/// Why the first size of a loop's result is not known, if that is why a result has no shape.
fn missing_trip_limit(operation: OperationRef<'_, '_>) -> Option<String> {
    let unlimited = Op::of(operation) == Some(Op::Loop)
        && upper_bound(operation.operand(0).ok()?).is_none_or(|limit| limit == NO_TRIP_LIMIT);
    unlimited.then(|| {
        "collects a part of its result in each iteration, but nothing bounds how many there are; give it a trip count that is a \
         constant, or the smaller one (Min) of its number and a constant"
            .to_owned()
    })
}
