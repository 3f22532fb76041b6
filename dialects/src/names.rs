//! Names that no record gives: those of a network's inputs and outputs, which are attributes of its function's arguments and results,
//! and of the operation that ends a function.
//!
//! ```mlir
//! func.func @main(%arg0: tensor<1x3x32x32xf32> {hfloat.name = "input"}) -> (tensor<1x10xf32> {hfloat.name = "output"})
//! ```

use melior::Context;
use melior::ir::attribute::{ArrayAttribute, DictionaryAttribute, StringAttribute};
use melior::ir::operation::OperationLike;
use melior::ir::{Attribute, AttributeLike, Identifier, OperationRef, TypeLike};
use mlir_sys::{mlirFunctionTypeGetNumInputs, mlirFunctionTypeGetNumResults, mlirStringAttrGetValue};

/// Marks the parts of a layer whose weights have 16 bits, and the sum of one that kept its 32-bit sums: their results are int16.
pub const PART: &str = "hfloat.part";
/// Marks the sum of the parts of a layer: what is asked for the layer's inputs is not asked of it.
pub const SUM_OF_PARTS: &str = "hfloat.sum_of_parts";

/// The attribute that holds the name of an argument or result.
pub const NAME: &str = "hfloat.name";
/// The attribute of an argument or result that says the order of its dimensions: `NCHW`, `NHWC`, or nothing where they have no such meaning.
pub const LAYOUT: &str = "hfloat.layout";
/// The attribute of a result that is the value of an inner layer, shown beside the network's own outputs: the name of its node.
pub const LAYER: &str = "hfloat.layer";
/// The attribute of an argument that is a plane of a picture: the name of the argument that says which region of the picture is taken. The
/// picture may be smaller than the plane.
pub const REGION: &str = "hfloat.region";
/// The attribute of a function that says how many samples it takes at once, where it was made of one that takes one.
pub const BATCH: &str = "hfloat.batch";
/// The attribute of an operation that says where it runs: `bpu` or `cpu`.
pub const PLACEMENT: &str = "hfloat.placement";
/// The attribute beside [`PLACEMENT`] that says why an operation runs on the CPU.
pub const PLACEMENT_REASON: &str = "hfloat.placement_reason";
/// The attribute of an operation of an unrolled recurrent layer: what its result is called over all steps. Results of one name are one value at
/// several times, and share a range.
pub const OVER_STEPS: &str = "hfloat.over_steps";
/// The attribute of an operation beside [`OVER_STEPS`] that reads the state before the first step: by operand what that is called over all steps,
/// nothing for the others.
pub const STATE_OPERANDS: &str = "hfloat.state_operands";
/// Marks beside [`OVER_STEPS`] what one step hands to the next, and the terms that this is the sum of: rounding them adds up over the steps.
pub const STATE: &str = "hfloat.state";
/// The attribute of an operation on the BPU that the float engine computes: `vpu`. Others are for the engines of integers.
pub const ENGINE: &str = "hfloat.engine";
/// The attribute of an operation that is computed in float16: on the float engine, whatever its neighbours are.
pub const FLOAT16: &str = "hfloat.float16";
/// The attribute of a cast that quantization put on an edge, to float16 and back: it is none of the network's nodes.
pub const EDGE: &str = "hfloat.edge";
/// The attribute of a constant that a network holds as integers: what a step of them is worth, for all of them or for each place along
/// [`SCALE_AXIS`]. They have the zero point 0 and 8 bits.
pub const SCALES: &str = "hfloat.scales";
/// The attribute of a constant that a network holds as integers of 16 bits.
pub const WIDE: &str = "hfloat.wide";
/// The attribute beside [`SCALES`].
pub const SCALE_AXIS: &str = "hfloat.scale_axis";
/// The function that a network is.
pub const FUNCTION: &str = "main";
/// The operation that ends a function and gives its results.
pub const RETURN: &str = "func.return";

/// Names of a function's arguments; one without a name, or with an empty one, is `input_{index}`.
pub fn input_names(function: OperationRef<'_, '_>) -> Vec<String> {
    let count = counts(function).map_or(0, |(inputs, _)| inputs);
    names(function, "arg_attrs", "input", count)
}

/// Names of a function's results; one without a name, or with an empty one, is `output_{index}`.
pub fn output_names(function: OperationRef<'_, '_>) -> Vec<String> {
    let count = counts(function).map_or(0, |(_, results)| results);
    names(function, "res_attrs", "output", count)
}

/// Number of arguments and results.
fn counts(function: OperationRef<'_, '_>) -> Option<(usize, usize)> {
    let attribute = function.attribute("function_type").ok()?;
    let r#type = melior::ir::attribute::TypeAttribute::try_from(attribute).ok()?.value();
    if !r#type.is_function() {
        return None;
    }
    // SAFETY: the type is that of a function and alive.
    let counts =
        unsafe { (mlirFunctionTypeGetNumInputs(r#type.to_raw()), mlirFunctionTypeGetNumResults(r#type.to_raw())) };
    Some((usize::try_from(counts.0).ok()?, usize::try_from(counts.1).ok()?))
}

fn names(function: OperationRef<'_, '_>, attribute: &str, default: &str, count: usize) -> Vec<String> {
    let array = function.attribute(attribute).ok().and_then(crate::ir::attribute::array_elements).unwrap_or_default();
    (0..count)
        .map(|index| {
            let given = array.get(index).copied().and_then(name_in);
            given.unwrap_or_else(|| format!("{default}_{index}"))
        })
        .collect()
}

fn name_in(dictionary: Attribute<'_>) -> Option<String> {
    let name = DictionaryAttribute::try_from(dictionary).ok()?.element_by_name(NAME)?;
    let name = StringAttribute::try_from(name).ok()?;
    // SAFETY: the attribute is a string. MLIR's empty string has no address, which melior's `value` does not allow for.
    let empty = unsafe { mlirStringAttrGetValue(name.to_raw()).length == 0 };
    (!empty).then(|| name.value().to_owned())
}

/// The value of `arg_attrs` or `res_attrs` that gives these names.
pub fn names_attribute<'c>(context: &'c Context, names: &[String]) -> Attribute<'c> {
    let dictionaries: Vec<_> = names.iter().map(|name| dictionary(context, name, "")).collect();
    ArrayAttribute::new(context, &dictionaries).into()
}

fn dictionary<'c>(context: &'c Context, name: &str, layout: &str) -> Attribute<'c> {
    let given =
        [(NAME, name), (LAYOUT, layout)].into_iter().filter(|(attribute, text)| *attribute == NAME || !text.is_empty());
    let fields: Vec<_> = given
        .map(|(attribute, text)| (Identifier::new(context, attribute), StringAttribute::new(context, text).into()))
        .collect();
    DictionaryAttribute::new(context, &fields).into()
}

/// Makes a function's type say what it returns now, of which the last values have these names and layouts (or none, empty).
pub fn add_results(context: &Context, function: OperationRef<'_, '_>, added: &[(String, &str)]) {
    let before = output_names(function);
    let array = function.attribute("res_attrs").ok().and_then(crate::ir::attribute::array_elements).unwrap_or_default();
    let old = before.iter().enumerate().map(|(index, name)| {
        array
            .get(index)
            .copied()
            .filter(|given| name_in(*given).is_some())
            .unwrap_or_else(|| dictionary(context, name, ""))
    });
    let new = added.iter().map(|(name, layout)| dictionary(context, name, layout));
    let all: Vec<_> = old.chain(new).collect();
    crate::ir::update_function_type(context, function);
    crate::ir::set_attribute(function, "res_attrs", ArrayAttribute::new(context, &all).into());
}
