//! Any bytes as an .onnx: what is taken is imported, simplified and written again.

#![no_main]

use hb::frontend::onnx::{self, ImportOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = onnx::from_bytes(bytes.to_vec().into(), None) else { return };
    // A new one each time: a context keeps every type and constant that it ever saw.
    let context = hb::pipeline::context();
    let Ok(mut module) = onnx::import(&context, model, &ImportOptions::default()) else { return };
    if hb::pipeline::run(&context, &mut module, "hfloat-optimize").is_ok()
        && let Ok(model) = onnx::export(module.as_operation())
    {
        let _ = onnx::to_bytes(&model);
    }
});
