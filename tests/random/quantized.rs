//! The quantized network (QDQ) against the interpreter of the `bpu` level, node by node: the quantized network is cut at every value, and
//! each node gets the operands that the interpreter has there. No difference spreads, so that one step too many is seen, also where
//! values saturate. Every compilation does the same on its first sample, with wider bounds.

use super::check::Fault;
use super::network::{self, Network};
use super::tiled::{MACHINES, agrees_in_tiles};
use hb::cpu::{Array, ExecutableOptions, FloatExecutable};
use hb::driver::compare::{bytes_of, run_segments};
use hb::frontend::onnx::{self, ImportOptions};
use hb::pipeline;
use hb::quant::calibrate::NodeValues;
use hb::quant::cut::normalization_error;
use hb_dialects::hfloat::{Op, OpKind, ShapeRule};
use hb_dialects::ir::{self, Element, OperationAttributes, Quantized, Scale, TensorType};
use hb_dialects::quant;
use hb_dialects::{ElementType, names::FUNCTION};
use melior::Context;
use melior::ir::{BlockLike, Module, OperationRef, Value, ValueLike, operation::OperationLike};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// By operator: the most steps of the result that it was away.
pub type Steps = BTreeMap<String, f64>;

/// How many steps of the result rounding comes to (`docs/numerics.md`): half a step where one side rounds a tie up and the other down, so
/// one step; more where the hardware form of an operator rounds several times.
fn allowed(op: Op, bits: u32) -> f64 {
    let several = match op.shape_rule() {
        // Once per dimension, and the taps are rounded to integers.
        ShapeRule::Resize | ShapeRule::Reduce => 2.0,
        _ => 1.0,
    };
    match (bits, op.kind()) {
        (8, _) => several,
        // Curves follow a function within 4 steps of int16.
        (_, OpKind::Scalar(_)) => 4.0,
        _ => 2.0 * several,
    }
}

struct Cut<'c, 'a> {
    node: String,
    op: Op,
    value: Value<'c, 'a>,
    /// What it is rounded to.
    element: Element,
    /// What roundings of f32 come to that are more than those of its result.
    noise: f64,
}

/// What a step of a result is, which is this much at most, and how many of them it may be away.
fn step(op: Op, element: &Element, largest: f64) -> (f64, f64) {
    match element {
        Element::Quantized(Quantized { bits, scale: Scale::PerTensor(affine) }) => (affine.scale, allowed(op, *bits)),
        // Two that are rounded to float16 may be neighbours.
        _ => ((largest / 1024.0).max(f64::from(f32::MIN_POSITIVE)), 1.0),
    }
}

/// Compares nodes that run on the BPU on these inputs; `folder` holds what the compilation wrote.
pub fn agrees_with_interpreter(
    context: &Context,
    network: &Network,
    folder: &Path,
    on_bpu: &HashSet<String>,
    (steps, tiled): (&mut Steps, &mut [usize; MACHINES]),
) -> Result<(), Fault> {
    let failed = |what: String| Fault { level: "quantized", what };
    let module = quantized(context, network, folder).map_err(failed)?;
    if let Some(kept) = std::env::var_os("HB_KEEP_EXPORTED") {
        keep(&module, network, folder, Path::new(&kept));
    }
    let bytes = std::fs::read(folder.join("model_quantized_model.bc")).unwrap();
    let segments = hb::frontend::mlir::parse(context, &bytes, "test").map_err(|error| failed(error.to_string()))?;
    let segments = ir::function_named(segments.as_operation(), FUNCTION).unwrap();
    for scale in [1.0, 2.5, -3.0] {
        let inputs: Vec<Array> = network.inputs().into_iter().map(|array| scaled(array, scale)).collect();
        // Computed indices may leave their range; the simulators were compared then, too.
        let mut in_tiles = Ok(());
        let computed = run_segments(segments, &bytes_of(&inputs), &mut |segment, inputs, outputs| {
            if in_tiles.is_ok() {
                in_tiles = agrees_in_tiles(segment, inputs, outputs).map(|machine| tiled[machine] += 1);
            }
        });
        in_tiles?;
        let Ok(computed) = computed else { continue };
        compare(&module, inputs, &computed.nodes, on_bpu, steps)?;
    }
    Ok(())
}

fn scaled(array: &Array, scale: f32) -> Array {
    let mut array = array.clone();
    array.values_mut::<f32>().unwrap_or_default().iter_mut().for_each(|value| *value *= scale);
    array
}

/// The QDQ form, made by the passes and files of the compilation.
fn quantized<'c>(context: &'c Context, network: &Network, folder: &Path) -> Result<Module<'c>, String> {
    let module = onnx::import(context, network.model.clone(), &ImportOptions::default());
    let mut module = module.map_err(|error| error.to_string())?;
    let file = |ending: &str| folder.join(format!("model_quant_{ending}"));
    let weights = file("weights.safetensors");
    let weights = if weights.exists() { format!(" weights={}", weights.display()) } else { String::new() };
    let passes = format!("hfloat-optimize,hfloat-to-qdq{{info={}{weights}}}", file("info.json").display());
    pipeline::run(context, &mut module, &passes).map_err(|error| error.to_string())?;
    Ok(module)
}

/// Leaves what was exported, with the outputs of the quantized network, for onnxruntime.
fn keep(module: &Module<'_>, network: &Network, folder: &Path, kept: &Path) {
    let function = ir::function_named(module.as_operation(), FUNCTION).unwrap();
    let executable =
        FloatExecutable::compile(function, ExecutableOptions { quick: true, ..ExecutableOptions::default() }).unwrap();
    let outputs = executable.run(&network.inputs()).unwrap();
    let names = executable.outputs().map(|(name, ..)| name.to_owned()).collect::<Vec<_>>();
    network::keep_arrays(&kept.join(format!("seed-{}-outputs", network.seed)), names.into_iter().zip(&outputs));
    for form in ["ptq_model", "optimized_float_model"] {
        let file = folder.join(format!("model_{form}.onnx"));
        std::fs::copy(file, kept.join(format!("seed-{}-{form}.onnx", network.seed))).unwrap();
    }
}

fn compare(
    module: &Module<'_>,
    mut inputs: Vec<Array>,
    computed: &NodeValues,
    on_bpu: &HashSet<String>,
    steps: &mut Steps,
) -> Result<(), Fault> {
    let failed = |what: String| Fault { level: "quantized", what };
    let module = ir::copy_module(module).unwrap();
    let function = ir::function_named(module.as_operation(), FUNCTION).unwrap();
    let mut cuts = Vec::new();
    for cut in cut(function, computed, on_bpu) {
        let shape = TensorType::from_type(cut.value.r#type()).unwrap().static_shape().unwrap();
        inputs.push(Array::from_values(&shape, &computed[&cut.node]).unwrap());
        cuts.push((cut.node, cut.op, cut.element, cut.noise));
    }
    let options = ExecutableOptions { quick: true, single_threaded: true, ..ExecutableOptions::default() };
    let executable = FloatExecutable::compile(function, options).map_err(|error| failed(error.to_string()))?;
    let outputs = executable.run(&inputs.iter().collect::<Vec<_>>()).map_err(|error| failed(error.to_string()))?;
    for ((node, op, element, noise), expected) in cuts.iter().zip(&outputs) {
        let expected = expected.values::<f32>().unwrap_or_default();
        let largest = expected.iter().filter(|value| value.is_finite()).fold(0f32, |most, value| most.max(value.abs()));
        let (scale, allowed) = step(*op, element, largest.into());
        for (index, (found, expected)) in computed[node].iter().zip(expected).enumerate() {
            // Infinities and what is not a number are equal or not.
            if found == expected || (found.is_nan() && expected.is_nan()) {
                continue;
            }
            let distance = f64::from((found - expected).abs()) / scale;
            let most = steps.entry(format!("{} {element}", op.onnx().name)).or_default();
            *most = most.max(distance);
            // The steps are those of reals in f32.
            if distance.is_nan() || distance > allowed + noise / scale + 1e-2 {
                return Err(failed(format!(
                    "'{node}' ({} to {element}): element {index} is {distance:.2} steps away: {found} instead of {expected}",
                    op.onnx().name
                )));
            }
        }
    }
    Ok(())
}

/// Makes every result of a node that runs on the BPU and is rounded to integers an argument for its readers, and a result.
fn cut<'c: 'a, 'a>(
    function: OperationRef<'c, 'a>,
    computed: &NodeValues,
    on_bpu: &HashSet<String>,
) -> Vec<Cut<'c, 'a>> {
    let context = function.context_reference();
    let block = ir::body(function).unwrap();
    let end = block.terminator().unwrap();
    let mut cuts = Vec::new();
    for operation in ir::operations(block) {
        let node = operation.node();
        let (Some(op), Some(values)) = (Op::of(operation), computed.get(&node)) else { continue };
        let &[result] = ir::results(operation).as_slice() else { continue };
        let r#type = TensorType::from_type(result.r#type()).unwrap();
        let is_float = r#type.element == Element::Plain(ElementType::F32);
        if op == Op::Constant || !on_bpu.contains(&node) || !is_float || r#type.elements() != Some(values.len()) {
            continue;
        }
        if let Some((value, element)) = after_casts(result) {
            let noise = normalization_error(operation, computed).unwrap();
            cuts.push(Cut { node, op, value, element, noise });
        }
    }
    for cut in &cuts {
        let argument = block.add_argument(cut.value.r#type(), end.location());
        ir::replace_all_uses(cut.value, argument);
    }
    let values: Vec<_> = cuts.iter().map(|cut| cut.value).collect();
    let new_end = ir::build(context, "func.return", &values, &[], &[], vec![], end.location()).unwrap();
    ir::insert_before(end, new_end);
    // SAFETY: the block ends with the new return, and nothing uses the old one.
    unsafe { ir::erase(end) };
    for names in ["arg_attrs", "res_attrs"] {
        ir::remove_attribute(function, names);
    }
    ir::update_function_type(context, function);
    cuts
}

/// What the casts behind a value give, and what they make of it; `None` where readers see it in different types.
fn after_casts<'c: 'a, 'a>(result: Value<'c, 'a>) -> Option<(Value<'c, 'a>, Element)> {
    let users = ir::users(result);
    let [quantize] = users.as_slice() else { return None };
    if !quant::Op::is_quantize(*quantize) {
        return None;
    }
    let rounded = ir::results(*quantize).into_iter().next()?;
    let readers = ir::users(rounded);
    let [dequantize] = readers.as_slice() else { return None };
    let element = TensorType::from_type(rounded.r#type()).ok()?.element;
    Some((ir::results(*dequantize).into_iter().next()?, element))
}
