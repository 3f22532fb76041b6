//! `hfloat-expand-splits`: a split becomes slices, one for each of its results.

use hb_dialects::{
    ElementType,
    hfloat::{Op, split_sizes},
    ir::{self, Names, OperationAttributes, TensorType},
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{OperationRef, Value, ValueLike};

pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-expand-splits",
    summary: "Turn splits into slices",
    description: "Every result of a `split` becomes a `slice` of its input, named after the node: `node/slice_0`, `node/slice_1`. \
So only slices go on, which move their input without a copy of the parts that nobody reads. A `split` whose parts have unknown sizes stays.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    let mut names = Names::of([function]);
    for operation in ir::operations(block) {
        if Op::Split.is(operation) {
            expand(operation, &mut names)?;
        }
    }
    Ok(())
}

fn expand(operation: OperationRef<'_, '_>, names: &mut Names) -> Result<(), PassFailure> {
    let (axis, sizes) = split_sizes(operation)
        .map_err(|reason| PassFailure::Message(format!("node '{}' {reason}", operation.node())))?;
    let Some(sizes) = sizes.into_iter().map(|size| i64::try_from(size?).ok()).collect::<Option<Vec<_>>>() else {
        return Ok(());
    };
    let context = operation.context_reference();
    let input = operation.operand_at(0)?;
    let mut start = 0i64;
    for (number, (result, size)) in ir::results(operation).into_iter().zip(sizes).enumerate() {
        let end = start.saturating_add(size);
        let location = names.derive(&operation.origin(), &format!("slice_{number}")).location(context);
        let mut operands = vec![input];
        for (suffix, value) in [("starts", start), ("ends", end), ("axes", axis as i64), ("steps", 1)] {
            operands.push(indices_before(operation, &format!("slice_{number}/{suffix}"), &[value])?);
        }
        let types = [result.r#type()];
        let slice = ir::build(context, Op::Slice.name(), &operands, &[], &types, vec![], location)?;
        let slice = ir::insert_before(operation, slice);
        for new in ir::results(slice) {
            ir::replace_all_uses(result, new);
        }
        start = end;
    }
    // SAFETY: its results are replaced, and the walk over the block is past it.
    unsafe { ir::erase(operation) };
    Ok(())
}

/// A constant vector in front of an operation.
pub(super) fn indices_before<'c, 'a>(
    operation: OperationRef<'c, 'a>,
    suffix: &str,
    values: &[i64],
) -> Result<Value<'c, 'a>, PassFailure> {
    let context = operation.context_reference();
    let origin = operation.origin().part(suffix);
    let r#type = TensorType::new(ElementType::I64, &[values.len()]);
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let attribute = ir::constant_attribute(context, &origin.name, &r#type, &bytes)?;
    let types = [r#type.to_type(context)];
    let location = origin.location(context);
    let built = ir::build(context, Op::Constant.name(), &[], &[("value", attribute)], &types, vec![], location)?;
    let built = ir::insert_before(operation, built);
    let value = ir::results(built).into_iter().next();
    value.ok_or_else(|| PassFailure::Message("a constant has no result".into()))
}
