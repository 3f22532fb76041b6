//! `hfloat-verify`: the border after the float level.

use hb_dialects::{
    hfloat::Op,
    ir::{self, Names, OperationAttributes, TensorType},
    names::{RETURN, input_names},
    pass::{PassDefinition, PassFailure, PassOptions},
    quant,
};
use melior::ir::{OperationRef, ValueLike, operation::OperationLike};

pub static PASS: PassDefinition = PassDefinition {
    argument: "hfloat-verify",
    summary: "Check that a function is ready for quantization",
    description: "Only `hfloat` operations, casts of the `quant` dialect and the return are left, every result has a static \
shape and every operation that computes a name, which no other and no input has. Run at the border between the float and the quant level.",
    anchor: "func.func",
    options: &[],
    run,
};

fn run(function: OperationRef<'_, '_>, _options: &PassOptions) -> Result<(), PassFailure> {
    let Some(block) = ir::body(function) else { return Ok(()) };
    let mut names = Names::default();
    // Ranges of values go by the names of inputs and of nodes.
    names.extend(input_names(function));
    let mut good = ir::names_are_unique(function, &mut names);
    for operation in ir::operations(block) {
        if let Err(reason) = check(operation) {
            ir::emit_error(operation.location(), &reason);
            good = false;
        }
    }
    if good { Ok(()) } else { Err(PassFailure::Reported) }
}

fn check(operation: OperationRef<'_, '_>) -> Result<(), String> {
    let name = operation.operation_name();
    if name == RETURN || quant::Op::is_cast(operation) {
        return Ok(());
    }
    let op = Op::of(operation).ok_or_else(|| format!("'{name}' is no operation of the float level"))?;
    // MLIR shares equal constants and drops their names; only operations that compute are spoken of by name.
    if operation.node().is_empty() && op != Op::Constant {
        return Err(format!("'{name}' has no node name; its location must be a name"));
    }
    for result in ir::results(operation) {
        let r#type = TensorType::from_type(result.r#type()).map_err(|error| error.to_string())?;
        if r#type.bound_shape().is_none() {
            return Err(format!("node '{}' has a result of unknown shape, {}", operation.node(), result.r#type()));
        }
    }
    Ok(())
}
