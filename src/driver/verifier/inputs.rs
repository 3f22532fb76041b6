//! Which of the given files goes into which input of which model.

use super::VerifierError;
use super::models::ComparedModel;
use crate::sim::inputs::{InputError, Inputs, split};

/// The inputs of every model.
pub struct BoundInputs<'a> {
    /// In the order of the models.
    pub models: Vec<Inputs<'a>>,
    /// The same number for all of them.
    pub samples: usize,
}

/// Gives each input of each model the first of the files for it that has its type and shape.
///
/// # Errors
/// When an input has no file that fits, a file is for no model, or the numbers of samples differ.
pub fn bind<'a>(models: &'a [ComparedModel], arguments: &[String]) -> Result<BoundInputs<'a>, VerifierError> {
    let mut used = vec![false; arguments.len()];
    let chosen: Vec<Vec<String>> = models.iter().map(|model| choose(model, arguments, &mut used)).collect();
    if let Some((argument, _)) = arguments.iter().zip(&used).find(|(_, used)| !**used) {
        return Err(unused(models, argument));
    }
    let mut bound = Vec::new();
    for (model, chosen) in models.iter().zip(&chosen) {
        let failed = |source| VerifierError::Input { model: model.name(), source: Box::new(source) };
        bound.push(Inputs::bind(model.executor.inputs(), chosen).map_err(failed)?);
    }
    let samples = bound.first().map_or(1, |first| first.samples);
    for (model, inputs) in models.iter().zip(&bound) {
        if let Some(first) = models.first().filter(|_| inputs.samples != samples) {
            let (first_model, second_model) = (first.name(), model.name());
            return Err(VerifierError::Samples { first_model, first: samples, second_model, second: inputs.samples });
        }
    }
    Ok(BoundInputs { models: bound, samples })
}

/// For each input of a model the first argument that fits; where none does, the first that is for it, which says why when it is read.
fn choose(model: &ComparedModel, arguments: &[String], used: &mut [bool]) -> Vec<String> {
    let specifications = model.executor.inputs();
    let mut chosen: Vec<String> = Vec::new();
    for (index, specification) in specifications.iter().enumerate() {
        let candidates = arguments.iter().enumerate().filter_map(|(place, argument)| {
            let (found, path) = split(specifications, argument).ok()?;
            (found == index).then(|| (place, format!("{}={path}", specification.name)))
        });
        let candidates: Vec<(usize, String)> = candidates.collect();
        let alone = std::slice::from_ref(specification);
        let fits =
            |candidate: &String| Inputs::bind(alone, std::slice::from_ref(candidate)).and_then(|one| one.load(0));
        let fitting = candidates.iter().find(|(_, candidate)| fits(candidate).is_ok());
        for (place, _) in candidates.iter().filter(|candidate| fitting.is_none_or(|fitting| *candidate == fitting)) {
            if let Some(used) = used.get_mut(*place) {
                *used = true;
            }
        }
        chosen.extend(fitting.or(candidates.first()).map(|(_, candidate)| candidate.clone()));
    }
    chosen
}

/// Why the first model takes not this argument, which none takes.
fn unused(models: &[ComparedModel], argument: &str) -> VerifierError {
    let reasons = models.iter().filter_map(|model| {
        let source: InputError = split(model.executor.inputs(), argument).err()?;
        Some(VerifierError::Input { model: model.name(), source: Box::new(source) })
    });
    reasons.into_iter().next().unwrap_or(VerifierError::Unused { argument: argument.to_owned() })
}
