//! Walking and editing: what passes do to a function.

use super::{IrError, Origin};
use melior::{
    Context,
    ir::{
        Attribute, AttributeLike, BlockLike, BlockRef, Identifier, Location, Module, Operation, OperationRef, Region,
        RegionLike, Type, TypeLike, Value, ValueLike,
        attribute::{DictionaryAttribute, TypeAttribute},
        operation::{OperationBuilder, OperationLike},
        r#type::FunctionType,
    },
};

/// Builds an operation of a registered dialect.
///
/// # Errors
/// When MLIR refuses it.
pub fn build<'c>(
    context: &'c Context,
    name: &str,
    operands: &[Value<'c, '_>],
    attributes: &[(&str, Attribute<'c>)],
    results: &[Type<'c>],
    regions: Vec<Region<'c>>,
    location: Location<'c>,
) -> Result<Operation<'c>, IrError> {
    let attributes: Vec<_> =
        attributes.iter().map(|(name, attribute)| (Identifier::new(context, name), *attribute)).collect();
    OperationBuilder::new(name, location)
        .add_operands(operands)
        .add_attributes(&attributes)
        .add_results(results)
        .add_regions_vec(regions)
        .build()
        .map_err(|_| IrError::Build { operation: name.to_owned(), node: Origin::at(location).name })
}

/// The operations of a block, collected so that the block may be edited meanwhile.
pub fn operations<'c, 'a>(block: BlockRef<'c, 'a>) -> Vec<OperationRef<'c, 'a>> {
    let mut found = Vec::new();
    // SAFETY: the raw handles are those of operations alive in the block.
    unsafe {
        let mut raw = mlir_sys::mlirBlockGetFirstOperation(block.to_raw());
        while let Some(operation) = OperationRef::from_option_raw(raw) {
            found.push(operation);
            raw = mlir_sys::mlirOperationGetNextInBlock(raw);
        }
    }
    found
}

/// The `func.func`s of a module.
pub fn functions<'c, 'a>(module: OperationRef<'c, 'a>) -> Vec<OperationRef<'c, 'a>> {
    let Ok(region) = module.region(0) else { return Vec::new() };
    let Some(block) = region.first_block() else { return Vec::new() };
    operations(block)
        .into_iter()
        .filter(|operation| operation.name().as_string_ref().as_str() == Ok("func.func"))
        .collect()
}

/// The function of that name.
pub fn function_named<'c, 'a>(module: OperationRef<'c, 'a>, name: &str) -> Option<OperationRef<'c, 'a>> {
    use super::OperationAttributes;
    functions(module).into_iter().find(|function| function.string("sym_name").as_deref() == Ok(name))
}

/// All results of an operation.
pub fn results<'c, 'a>(operation: OperationRef<'c, 'a>) -> Vec<Value<'c, 'a>> {
    (0..operation.result_count())
        // SAFETY: the index is below the number of results.
        .map(|i| unsafe { Value::from_raw(mlir_sys::mlirOperationGetResult(operation.to_raw(), i as isize)) })
        .collect()
}

/// The operations that use a value, once per use.
pub fn users<'c, 'a>(value: Value<'c, 'a>) -> Vec<OperationRef<'c, 'a>> {
    let mut found = Vec::new();
    // SAFETY: uses are walked while nothing changes them.
    unsafe {
        let mut operand = mlir_sys::mlirValueGetFirstUse(value.to_raw());
        while !mlir_sys::mlirOpOperandIsNull(operand) {
            found.push(OperationRef::from_raw(mlir_sys::mlirOpOperandGetOwner(operand)));
            operand = mlir_sys::mlirOpOperandGetNextUse(operand);
        }
    }
    found
}

/// Makes every reader of `old` read `new`.
pub fn replace_all_uses(old: Value<'_, '_>, new: Value<'_, '_>) {
    // SAFETY: both values are alive.
    unsafe { mlir_sys::mlirValueReplaceAllUsesOfWith(old.to_raw(), new.to_raw()) }
}

/// Changes the type of a result in place.
pub fn set_result_type<'c>(value: Value<'c, '_>, r#type: Type<'c>) {
    // SAFETY: both are alive, and of one context.
    unsafe { mlir_sys::mlirValueSetType(value.to_raw(), r#type.to_raw()) }
}

/// Removes an operation from its block and frees it.
///
/// # Safety
/// Nothing may use its results, and no handle to it, to them or to what is in its regions may be used again: handles are
/// copied freely, so the compiler cannot see that they outlive it.
pub unsafe fn erase(operation: OperationRef<'_, '_>) {
    // SAFETY: as the caller vouches.
    unsafe { mlir_sys::mlirOperationDestroy(operation.to_raw()) }
}

/// A module of its own with the same network; both share the bytes of constants.
///
/// # Errors
/// When MLIR refuses it.
pub fn copy_module<'c>(module: &Module<'c>) -> Result<Module<'c>, IrError> {
    // SAFETY: the clone belongs to nobody until the module takes it over.
    let copy = unsafe { Operation::from_raw(mlir_sys::mlirOperationClone(module.as_operation().to_raw())) };
    let refused = || IrError::Build { operation: "builtin.module".into(), node: String::new() };
    Module::from_operation(copy).ok_or_else(refused)
}

/// Puts a new operation before another one of its block.
pub fn insert_before<'c, 'a>(anchor: OperationRef<'c, 'a>, operation: Operation<'c>) -> OperationRef<'c, 'a> {
    // SAFETY: the block takes the operation over.
    unsafe {
        let raw = operation.into_raw();
        mlir_sys::mlirBlockInsertOwnedOperationBefore(
            mlir_sys::mlirOperationGetBlock(anchor.to_raw()),
            anchor.to_raw(),
            raw,
        );
        OperationRef::from_raw(raw)
    }
}

/// Puts a new operation after another one of its block.
pub fn insert_after<'c, 'a>(anchor: OperationRef<'c, 'a>, operation: Operation<'c>) -> OperationRef<'c, 'a> {
    // SAFETY: the block takes the operation over.
    unsafe {
        let raw = operation.into_raw();
        mlir_sys::mlirBlockInsertOwnedOperationAfter(
            mlir_sys::mlirOperationGetBlock(anchor.to_raw()),
            anchor.to_raw(),
            raw,
        );
        OperationRef::from_raw(raw)
    }
}

/// The one block of a function or segment.
pub fn body<'c, 'a>(operation: OperationRef<'c, 'a>) -> Option<BlockRef<'c, 'a>> {
    operation.region(0).ok()?.first_block()
}

/// The arguments of a block.
pub fn arguments<'c, 'a>(block: BlockRef<'c, 'a>) -> Vec<Value<'c, 'a>> {
    (0..block.argument_count())
        // SAFETY: the index is below the number of arguments.
        .map(|i| unsafe { Value::from_raw(mlir_sys::mlirBlockGetArgument(block.to_raw(), i as isize)) })
        .collect()
}

/// What tells values apart in sets and maps, for as long as none is erased.
#[must_use]
pub fn address(value: Value<'_, '_>) -> usize {
    value.to_raw().ptr as usize
}

/// The operation that defines a value; `None` for block arguments.
pub fn defining_operation<'c, 'a>(value: Value<'c, 'a>) -> Option<OperationRef<'c, 'a>> {
    if !value.is_operation_result() {
        return None;
    }
    // SAFETY: the value is the result of an operation that is alive as long as it.
    unsafe { OperationRef::from_option_raw(mlir_sys::mlirOpResultGetOwner(value.to_raw())) }
}

/// Adds an attribute or replaces its value.
pub fn set_attribute<'c>(operation: OperationRef<'c, '_>, name: &str, attribute: Attribute<'c>) {
    // SAFETY: both are alive; the name is copied.
    unsafe {
        mlir_sys::mlirOperationSetAttributeByName(
            operation.to_raw(),
            crate::shim::string_ref(name),
            attribute.to_raw(),
        );
    }
}

/// Takes an attribute away, if it is there.
pub fn remove_attribute(operation: OperationRef<'_, '_>, name: &str) {
    // SAFETY: the operation is alive; the name is only looked at.
    unsafe {
        mlir_sys::mlirOperationRemoveAttributeByName(operation.to_raw(), crate::shim::string_ref(name));
    }
}

/// Gives an operation another name.
pub fn set_location<'c>(operation: OperationRef<'c, '_>, location: Location<'c>) {
    // SAFETY: both are alive.
    unsafe { mlir_sys::mlirOperationSetLocation(operation.to_raw(), location.to_raw()) }
}

/// Makes the operand of this number another value.
pub fn set_operand<'c>(operation: OperationRef<'c, '_>, index: usize, value: Value<'c, '_>) {
    if index < operation.operand_count() {
        // SAFETY: the index is below the number of operands.
        unsafe { mlir_sys::mlirOperationSetOperand(operation.to_raw(), index as isize, value.to_raw()) }
    }
}

/// Gives an operation these operands instead of its own, which may be more or fewer.
pub fn set_operands<'c>(operation: OperationRef<'c, '_>, values: &[Value<'c, '_>]) {
    let raw: Vec<_> = values.iter().map(|value| value.to_raw()).collect();
    // SAFETY: all values are alive, and as many as is said.
    unsafe { mlir_sys::mlirOperationSetOperands(operation.to_raw(), raw.len() as isize, raw.as_ptr()) }
}

/// Gives a function one more argument, without attributes, before the one of this number. Its type is brought up to date by
/// [`update_function_type`].
pub fn insert_argument<'c, 'a>(
    function: OperationRef<'c, 'a>,
    index: usize,
    r#type: Type<'c>,
    location: Location<'c>,
) -> Option<Value<'c, 'a>> {
    use super::OperationAttributes;
    let block = body(function).filter(|block| index <= block.argument_count())?;
    if let Some(mut all) = function.attribute("arg_attrs").ok().and_then(super::attribute::array_elements) {
        let context = function.context_reference();
        all.insert(index.min(all.len()), DictionaryAttribute::new(context, &[]).into());
        set_attribute(function, "arg_attrs", super::attribute::array(context, &all));
    }
    // SAFETY: the block has at least that many arguments, and lives as long as the function.
    Some(unsafe {
        Value::from_raw(mlir_sys::mlirBlockInsertArgument(
            block.to_raw(),
            index as isize,
            r#type.to_raw(),
            location.to_raw(),
        ))
    })
}

/// Makes a function's type say what its block takes and returns.
pub fn update_function_type(context: &Context, function: OperationRef<'_, '_>) {
    let Some(block) = body(function) else { return };
    let inputs: Vec<_> = arguments(block).iter().map(|argument| argument.r#type()).collect();
    let outputs: Vec<_> =
        block.terminator().map(|end| end.operands().map(|value| value.r#type()).collect()).unwrap_or_default();
    let r#type = FunctionType::new(context, &inputs, &outputs);
    set_attribute(function, "function_type", TypeAttribute::new(r#type.into()).into());
}

/// Appends a copy of an operation to a block, reading other operands.
pub fn copy_into<'c, 'a>(
    block: BlockRef<'c, 'a>,
    operation: OperationRef<'c, '_>,
    operands: Vec<Value<'c, '_>>,
) -> OperationRef<'c, 'a> {
    // SAFETY: the copy is detached until the block takes it over, and lives as long as the block from there on.
    unsafe {
        let copy = OperationRef::from_raw(mlir_sys::mlirOperationClone(operation.to_raw()));
        for (index, operand) in operands.into_iter().enumerate() {
            set_operand(copy, index, operand);
        }
        mlir_sys::mlirBlockAppendOwnedOperation(block.to_raw(), copy.to_raw());
        copy
    }
}

/// Puts a copy of an operation without operands before another one.
pub fn copy_before<'c, 'a>(anchor: OperationRef<'c, 'a>, operation: OperationRef<'c, '_>) -> OperationRef<'c, 'a> {
    // SAFETY: the copy is detached until the block takes it over.
    insert_before(anchor, unsafe { Operation::from_raw(mlir_sys::mlirOperationClone(operation.to_raw())) })
}

/// Takes an operation out of its block and puts it before another one.
pub fn move_before<'c, 'a>(anchor: OperationRef<'c, 'a>, operation: OperationRef<'c, '_>) -> OperationRef<'c, 'a> {
    // SAFETY: both are alive, and the block of the anchor takes the operation over.
    unsafe {
        mlir_sys::mlirOperationMoveBefore(operation.to_raw(), anchor.to_raw());
        OperationRef::from_raw(operation.to_raw())
    }
}

/// An attribute of a function's argument.
pub fn argument_attribute<'c>(function: OperationRef<'c, '_>, index: usize, name: &str) -> Option<Attribute<'c>> {
    let all = super::attribute::array_elements(function.attribute("arg_attrs").ok()?)?;
    DictionaryAttribute::try_from(*all.get(index)?).ok()?.element_by_name(name)
}

/// Sets an attribute of a function's argument; nothing happens when there is no such argument.
pub fn set_argument_attribute<'c>(function: OperationRef<'c, '_>, index: usize, name: &str, attribute: Attribute<'c>) {
    if body(function).is_some_and(|block| index < block.argument_count()) {
        // SAFETY: the function has that argument; the name is copied.
        unsafe {
            let name = crate::shim::string_ref(name);
            mlir_sys::mlirFuncSetArgAttr(function.to_raw(), index as isize, name, attribute.to_raw());
        }
    }
}

/// Takes attributes away from a function's argument; those that it has not are passed over.
pub fn remove_argument_attributes(function: OperationRef<'_, '_>, index: usize, names: &[&str]) {
    use super::OperationAttributes;
    let Some(mut all) = function.attribute("arg_attrs").ok().and_then(super::attribute::array_elements) else { return };
    let Some(dictionary) = all.get_mut(index) else { return };
    let raw = dictionary.to_raw();
    let context = function.context_reference();
    let mut kept = Vec::new();
    // SAFETY: the kind is checked first; indices are below the number of elements, whose names and values are alive.
    unsafe {
        if !mlir_sys::mlirAttributeIsADictionary(raw) {
            return;
        }
        for i in 0..mlir_sys::mlirDictionaryAttrGetNumElements(raw) {
            let element = mlir_sys::mlirDictionaryAttrGetElement(raw, i);
            let name = Identifier::from_raw(element.name);
            if !name.as_string_ref().as_str().is_ok_and(|name| names.contains(&name)) {
                kept.push((name, Attribute::from_raw(element.attribute)));
            }
        }
    }
    *dictionary = DictionaryAttribute::new(context, &kept).into();
    set_attribute(function, "arg_attrs", super::attribute::array(context, &all));
}
