//! What a function takes and gives: adding, removing and renaming of arguments and results.

use super::attribute::{array, array_elements};
use super::{IrError, insert_argument, update_function_type};
use super::{OperationAttributes, arguments, body, build, erase, insert_before, set_attribute, users};
use crate::names::{RETURN, names_attribute};
use melior::ir::{
    Attribute, AttributeLike, BlockLike, BlockRef, Location, OperationRef, Type, Value, attribute::DictionaryAttribute,
    operation::OperationLike,
};

/// An attribute of a function's result.
pub fn result_attribute<'c>(function: OperationRef<'c, '_>, index: usize, name: &str) -> Option<Attribute<'c>> {
    let all = array_elements(function.attribute("res_attrs").ok()?)?;
    DictionaryAttribute::try_from(*all.get(index)?).ok()?.element_by_name(name)
}

/// Sets an attribute of a function's result; nothing happens when there is no such result.
pub fn set_result_attribute<'c>(function: OperationRef<'c, '_>, index: usize, name: &str, attribute: Attribute<'c>) {
    let results = body(function).and_then(|block| block.terminator()).map_or(0, |end| end.operand_count());
    if index < results {
        // SAFETY: the function has that result; the name is copied.
        unsafe {
            let name = crate::shim::string_ref(name);
            mlir_sys::mlirFuncSetResultAttr(function.to_raw(), index as isize, name, attribute.to_raw());
        }
    }
}

/// Takes an argument of a block away, and says so. Nothing happens when something reads it, or when it is not there.
pub fn erase_block_argument(block: BlockRef<'_, '_>, index: usize) -> bool {
    let is_free = arguments(block).get(index).is_some_and(|argument| users(*argument).is_empty());
    if is_free {
        // SAFETY: the block has that argument, and nothing reads it.
        unsafe { mlir_sys::mlirBlockEraseArgument(block.to_raw(), index as _) };
    }
    is_free
}

/// Takes an argument away, with its attributes. Nothing happens when something reads it, or when it is not there.
pub fn erase_argument(function: OperationRef<'_, '_>, index: usize) {
    if !body(function).is_some_and(|block| erase_block_argument(block, index)) {
        return;
    }
    edit_argument_attributes(function, |all| {
        if index < all.len() {
            all.remove(index);
        }
    });
    update_function_type(function.context_reference(), function);
}

/// Adds an argument before that of number `index`, with the attributes of that one; `None` when there is no such argument.
pub fn insert_argument_alike<'c, 'a>(
    function: OperationRef<'c, 'a>,
    index: usize,
    r#type: Type<'c>,
    location: Location<'c>,
) -> Option<Value<'c, 'a>> {
    if index >= body(function)?.argument_count() {
        return None;
    }
    let value = insert_argument(function, index, r#type, location)?;
    edit_argument_attributes(function, |all| {
        if let Some(attributes) = all.get(index + 1).copied()
            && let Some(new) = all.get_mut(index)
        {
            *new = attributes;
        }
    });
    update_function_type(function.context_reference(), function);
    Some(value)
}

fn edit_argument_attributes<'c>(function: OperationRef<'c, '_>, edit: impl FnOnce(&mut Vec<Attribute<'c>>)) {
    if let Some(mut all) = function.attribute("arg_attrs").ok().and_then(array_elements) {
        edit(&mut all);
        set_attribute(function, "arg_attrs", array(function.context_reference(), &all));
    }
}

/// Makes a function return these values, under these names, instead of what it returned.
///
/// # Errors
/// When MLIR refuses the return.
pub fn set_returned<'c>(
    function: OperationRef<'c, '_>,
    values: &[Value<'c, '_>],
    names: &[String],
) -> Result<(), IrError> {
    let context = function.context_reference();
    let Some(end) = body(function).and_then(|block| block.terminator()) else { return Ok(()) };
    insert_before(end, build(context, RETURN, values, &[], &[], vec![], end.location())?);
    // SAFETY: the block ends with the new return, and nothing uses the old one.
    unsafe { erase(end) };
    set_attribute(function, "res_attrs", names_attribute(context, names));
    update_function_type(context, function);
    Ok(())
}
