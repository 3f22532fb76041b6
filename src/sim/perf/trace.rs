//! The schedule as a trace that Perfetto and chrome://tracing open: the JSON form of the Trace Event Format.

use serde_json::{Value, json};

use super::Performance;

/// The process that stands for a core; Perfetto numbers from 1.
const FIRST_PROCESS: usize = 1;

/// One complete event per instruction, on one track per engine that works; times are microseconds from the start of the run.
///
/// # Errors
/// Those of writing JSON; none is expected.
pub fn to_trace(performance: &Performance) -> Result<String, serde_json::Error> {
    let engines: Vec<&str> = performance.summary.engines.iter().map(|engine| engine.engine.as_str()).collect();
    let mut events = Vec::new();
    for (core, details) in performance.details.iter().enumerate() {
        let process = FIRST_PROCESS + core;
        let march = &performance.summary.model.march;
        events.push(name_of("process_name", process, 0, &format!("{march}, core {core}")));
        for (thread, engine) in engines.iter().enumerate() {
            if details.iter().any(|detail| detail.inst_type == *engine) {
                events.push(name_of("thread_name", process, thread, engine));
            }
        }
        for detail in details {
            let thread = engines.iter().position(|engine| *engine == detail.inst_type);
            let name = detail.source_layer_names.first().map_or("?", String::as_str);
            events.push(json!({
                "name": name, "cat": detail.inst_type, "ph": "X", "pid": process, "tid": thread.unwrap_or(engines.len()),
                "ts": detail.start_us, "dur": detail.working_us,
            }));
        }
    }
    let model = &performance.summary.model;
    let trace = json!({
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": { "model": model.name, "march": model.march, "times": "predicted", "version": model.version },
    });
    Ok(format!("{}\n", serde_json::to_string(&trace)?))
}

/// What a track is called.
fn name_of(kind: &str, process: usize, thread: usize, name: &str) -> Value {
    json!({ "name": kind, "ph": "M", "pid": process, "tid": thread, "args": { "name": name } })
}
