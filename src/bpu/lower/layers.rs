//! `bpu-expose-layers`: inner values become outputs of the network.

use crate::bpu::{mlir, model::ValueLayout};
use hb_dialects::{
    bpu, cpu,
    hfloat::Op,
    ir::{self, Names, OperationAttributes, TensorType},
    names::{LAYER, add_results, input_names, output_names},
    pass::{PassDefinition, PassFailure, PassOptions},
};
use melior::ir::{BlockLike, OperationRef, Region, RegionLike, Value, ValueLike, operation::OperationLike};
use std::collections::HashSet;

pub static PASS: PassDefinition = PassDefinition {
    argument: "bpu-expose-layers",
    summary: "Make every layer's value an output of the network",
    description: "Behind its own outputs the function returns the value of every node of the user's network that a segment computes, \
under the name of the node, or another where that is taken; `hfloat.layer` is the name of the node: of the BPU the tensor as it is stored, \
integers with their scale, NHWC where `hfloat.layout` says so; of the CPU what the operation gives. Values whose size is known only when the network runs are left out.",
    anchor: "func.func",
    options: &[],
    run,
};

/// A value that becomes an output.
struct Layer<'c, 'a> {
    node: String,
    value: Value<'c, 'a>,
    layout: ValueLayout,
}

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some((block, end)) = ir::body(function).and_then(|block| Some((block, block.terminator()?))) else {
        return Ok(());
    };
    let mut layers = Vec::new();
    for operation in ir::operations(block) {
        if bpu::Op::Segment.is(operation) {
            expose_bpu(operation, &mut layers)?;
        } else if cpu::Op::Segment.is(operation) {
            expose_cpu(operation, &mut layers)?;
        }
    }
    let mut names = Names::default();
    names.extend(input_names(function));
    names.extend(output_names(function));
    let results: Vec<_> = layers
        .iter()
        .map(|layer| {
            let layout = if layer.layout == ValueLayout::ChannelsLast { "NHWC" } else { "" };
            let name = names.unique(&layer.node);
            if name != layer.node {
                tracing::info!("layer '{}' is output '{name}': an input or output has its name", layer.node);
            }
            (name, layout)
        })
        .collect();
    let context = function.context_reference();
    let values: Vec<_> = end.operands().chain(layers.iter().map(|layer| layer.value)).collect();
    let built = ir::build(context, hb_dialects::names::RETURN, &values, &[], &[], vec![], end.location())?;
    ir::insert_before(end, built);
    // SAFETY: the return has no results, and no handle to it is used below.
    unsafe { ir::erase(end) };
    let own = output_names(function).len();
    add_results(context, function, &results);
    for (index, layer) in layers.iter().enumerate() {
        ir::set_result_attribute(function, own + index, LAYER, ir::attribute::string(context, &layer.node));
    }
    Ok(())
}

/// Gives a segment of the BPU further results.
fn expose_bpu<'c, 'a>(operation: OperationRef<'c, 'a>, layers: &mut Vec<Layer<'c, 'a>>) -> Result<(), PassFailure> {
    let mut segment = mlir::from_mlir(operation)?;
    // What no node of the user's network computes, such as the image that a camera's planes become, is no layer of it.
    let prepared = segment.nodes.iter().filter(|node| node.origins.is_empty()).flat_map(|node| &node.outputs);
    let prepared: HashSet<usize> = prepared.map(|tensor| tensor.0).collect();
    let values = std::mem::take(&mut segment.values).into_iter();
    let values: Vec<_> = values.filter(|value| !prepared.contains(&value.tensor.0)).collect();
    let places: Vec<usize> = values
        .iter()
        .map(|value| {
            let known = segment.outputs.iter().position(|output| *output == value.tensor);
            known.unwrap_or_else(|| {
                segment.outputs.push(value.tensor);
                segment.outputs.len() - 1
            })
        })
        .collect();
    segment.values = values;
    let operands: Vec<_> = operation.operands().collect();
    let built = mlir::to_mlir(operation.context_reference(), &segment, &operands, operation.location())?;
    let results = replace(operation, built);
    for (value, place) in segment.values.into_iter().zip(places) {
        if let Some(&result) = results.get(place) {
            layers.push(Layer { node: value.node, value: result, layout: value.layout });
        }
    }
    Ok(())
}

/// Gives a segment of the CPU further results.
fn expose_cpu<'c, 'a>(operation: OperationRef<'c, 'a>, layers: &mut Vec<Layer<'c, 'a>>) -> Result<(), PassFailure> {
    let Some((block, end)) = ir::body(operation).and_then(|block| Some((block, block.terminator()?))) else {
        return Ok(());
    };
    let mut yielded: Vec<Value<'c, 'a>> = end.operands().collect();
    let mut named = Vec::new();
    for inner in ir::operations(block) {
        if Op::of(inner).is_none_or(|op| op == Op::Constant) || inner.origin().nodes.is_empty() {
            continue;
        }
        for result in ir::results(inner) {
            if TensorType::from_type(result.r#type())
                .is_ok_and(|r#type| r#type.static_shape().is_ok() && !r#type.is_bounded())
            {
                let known = yielded.iter().position(|value| *value == result);
                let place = known.unwrap_or_else(|| {
                    yielded.push(result);
                    yielded.len() - 1
                });
                named.push((inner.node(), place));
            }
        }
    }
    let context = operation.context_reference();
    let types: Vec<_> = yielded.iter().map(|value| value.r#type()).collect();
    let built = ir::build(context, cpu::Op::Yield.name(), &yielded, &[], &[], vec![], end.location())?;
    ir::insert_before(end, built);
    // SAFETY: the yield has no results, and no handle to it is used below.
    unsafe { ir::erase(end) };
    let region = Region::new();
    // SAFETY: a segment has one region, which is left empty behind; the operation is erased below.
    unsafe {
        mlir_sys::mlirRegionTakeBody(region.to_raw(), mlir_sys::mlirOperationGetRegion(operation.to_raw(), 0));
    }
    let operands: Vec<_> = operation.operands().collect();
    let name = cpu::Op::Segment.name();
    let built = ir::build(context, name, &operands, &[], &types, vec![region], operation.location())?;
    let results = replace(operation, built);
    for (node, place) in named {
        if let Some(&value) = results.get(place) {
            layers.push(Layer { node, value, layout: ValueLayout::Network });
        }
    }
    Ok(())
}

/// Puts an operation in the place of one with fewer results; gives the new ones.
fn replace<'c, 'a>(old: OperationRef<'c, 'a>, new: melior::ir::Operation<'c>) -> Vec<Value<'c, 'a>> {
    let results = ir::results(ir::insert_before(old, new));
    for (old, new) in ir::results(old).into_iter().zip(&results) {
        ir::replace_all_uses(old, *new);
    }
    // SAFETY: nothing reads its results any more, and the caller drops its handle.
    unsafe { ir::erase(old) };
    results
}
