//! Any bytes as a .prototxt and, behind a zero, a .caffemodel: what is taken is imported, simplified and written again.

#![no_main]

use hb::frontend::ModelSource;
use hb::frontend::caffe;
use hb::frontend::onnx::{self, ImportOptions};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::rc::Rc;

/// A context keeps every type and constant that it ever saw, and takes longer to make than a small network to read.
const USES: usize = 200;

thread_local! {
    static CONTEXT: RefCell<(usize, Rc<melior::Context>)> = RefCell::new((0, Rc::new(hb::pipeline::context())));
}

fn context() -> Rc<melior::Context> {
    CONTEXT.with_borrow_mut(|(uses, context)| {
        *uses += 1;
        if *uses > USES {
            (*uses, *context) = (0, Rc::new(hb::pipeline::context()));
        }
        Rc::clone(context)
    })
}

fuzz_target!(|bytes: &[u8]| {
    let (text, weights) = match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => (&bytes[..end], Some(bytes[end + 1..].to_vec().into())),
        None => (bytes, None),
    };
    let Ok(network) = caffe::from_bytes(text, "net.prototxt", weights) else { return };
    let context = context();
    let source = ModelSource::Caffe(Box::new(network));
    let Ok(mut module) = source.import(&context, &ImportOptions::default()) else { return };
    if hb::pipeline::run(&context, &mut module, "hfloat-optimize").is_ok()
        && let Ok(model) = onnx::export(module.as_operation())
    {
        let _ = onnx::to_bytes(&model);
    }
});
