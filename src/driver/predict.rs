//! What a compiled model will take on the board, and which of its layers could take less.

use super::accuracy::Accuracy;
use super::compile::{NetworkStages, StageError};
use super::configuration::{ADVICE, OUTPUT_MODEL_FILE_PREFIX, WORKING_DIR};
use super::outcome::Prediction;
use super::report;
use crate::files::FileSet;
use crate::hbm::Hbm;
use crate::sim::{advice, perf::performance, runner::timelines};

impl NetworkStages<'_> {
    /// Predicts the performance, and stages its report, with what was measured of the accuracy.
    pub(super) fn predict(
        &self,
        hbm: &Hbm,
        accuracy: Option<&Accuracy<'_>>,
        files: &mut FileSet,
    ) -> Result<Prediction, StageError> {
        let performance = performance(hbm, self.target, &timelines(hbm, self.target)?);
        let configuration = self.configuration;
        let (folder, prefix) = (configuration.get(&WORKING_DIR), configuration.get(&OUTPUT_MODEL_FILE_PREFIX));
        report::stage(files, (folder, prefix), &performance, accuracy)?;
        self.advise(hbm, files)?;
        Ok(Prediction::of(&performance))
    }

    /// Says which layers lose more time by alignment than `advice` allows, where it asks for that.
    fn advise(&self, hbm: &Hbm, files: &mut FileSet) -> Result<(), StageError> {
        let allowed = *self.configuration.get(&ADVICE);
        if allowed == 0 {
            return Ok(());
        }
        let advice = advice::advise(hbm, self.target, allowed as f64)?;
        for one in &advice {
            tracing::info!("advice: {one}");
        }
        if advice.is_empty() {
            tracing::info!("advice: no layer takes more than {allowed} us longer because of alignment");
        }
        let text = serde_json::to_string_pretty(&advice)? + "\n";
        files.stage(&self.configuration.output_path("_advice.json"), text.as_bytes())?;
        Ok(())
    }
}
