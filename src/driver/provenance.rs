//! `{prefix}_quantized_model.bc` says with which parameters it was made: an attribute of its module.

use super::configuration::{
    Configuration, Group, INPUT_SOURCE, LAYER_OUT_DUMP, MARCH, OUTPUT_MODEL_FILE_PREFIX, Parameter, Problem, Severity,
    StoredParameter, WORKING_DIR,
};
use crate::frontend::mlir;
use crate::hbm::ModelParameter;
use hb_dialects::ir::attribute;
use melior::Context;
use melior::ir::attribute::DictionaryAttribute;
use melior::ir::operation::OperationLike;
use melior::ir::{Attribute, Module, OperationRef};

/// The attribute: an array of dictionaries.
const PARAMETERS: &str = "bpu.parameters";

/// Writes the parameters into the module.
pub fn attach(context: &Context, module: &Module<'_>, configuration: &Configuration) {
    let rows = configuration.parameters.iter().filter(|stored| stored.parameter.shapes_results).map(|stored| {
        let mut fields = vec![
            ("group", stored.parameter.group.name()),
            ("name", stored.parameter.name),
            ("effective", stored.effective.as_str()),
        ];
        fields.extend(stored.given.as_deref().map(|given| ("given", given)));
        fields
    });
    mlir::attach_texts(context, module, PARAMETERS, rows.collect());
}

/// The parameters that a module was made with; none where it does not say.
pub fn parameters(module: OperationRef<'_, '_>) -> Vec<ModelParameter> {
    let rows = module.attribute(PARAMETERS).ok().and_then(attribute::array_elements).unwrap_or_default();
    let read = |row: Attribute<'_>| {
        let fields = DictionaryAttribute::try_from(row).ok()?;
        let text = |name: &str| fields.element_by_name(name).and_then(attribute::text);
        Some(ModelParameter {
            group: text("group")?,
            name: text("name")?,
            given: text("given"),
            effective: text("effective")?,
        })
    };
    rows.into_iter().filter_map(read).collect()
}

/// Takes what shaped the module from the module, since no configuration can change it any more, and notes where the configuration says
/// something else.
pub fn settled(configuration: &Configuration, made_with: &[ModelParameter]) -> (Vec<StoredParameter>, Vec<Problem>) {
    let mut notes = Vec::new();
    let mut parameters = configuration.parameters.clone();
    for stored in parameters.iter_mut().filter(|stored| acts_before(stored.parameter)) {
        let Some(made) = made_with.iter().find(|made| made.name == stored.parameter.name) else { continue };
        if made.effective != stored.effective {
            let what = format!("is {}, but the model was made with {}, which stays", stored.effective, made.effective);
            let remedy = "compile the network anew to change it";
            let problem = configuration.problem(stored.parameter, what, remedy);
            notes.push(Problem { severity: Severity::Warning, ..problem });
        }
        stored.given.clone_from(&made.given);
        stored.effective.clone_from(&made.effective);
    }
    (parameters, notes)
}

/// Whether a parameter has done its work when the quantized model is stored: all but those that name results or act on code
/// generation. Where an input's data comes from is in the segments already.
fn acts_before(parameter: &Parameter) -> bool {
    let is = |other: &Parameter| other.name == parameter.name;
    let names_results =
        [&MARCH as &Parameter, &OUTPUT_MODEL_FILE_PREFIX, &WORKING_DIR, &LAYER_OUT_DUMP].into_iter().any(is);
    is(&INPUT_SOURCE) || !(names_results || parameter.group == Group::Compiler)
}
