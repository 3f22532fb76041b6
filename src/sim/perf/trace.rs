//! The schedule as a trace that Perfetto and chrome://tracing open: the JSON form of the Trace Event Format.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{Detail, Performance};

/// Processes, which stand for cores, and their threads, which stand for engines, are numbered from here: 0 is the idle process of a system.
const FIRST: usize = 1;

/// One complete event per instruction, on one track per engine that works; times are microseconds from the start of the run.
///
/// # Errors
/// Those of writing JSON; none is expected.
pub fn to_trace(performance: &Performance) -> Result<String, serde_json::Error> {
    let engines: Vec<&str> = performance.summary.engines.iter().map(|engine| engine.engine.as_str()).collect();
    let mut events = Vec::new();
    for (core, details) in performance.details.iter().enumerate() {
        let process = FIRST + core;
        let march = &performance.summary.model.march;
        events.push(name_of("process_name", process, 0, &format!("{march}, core {core}")));
        for (thread, engine) in engines.iter().enumerate() {
            if details.iter().any(|detail| detail.inst_type == *engine) {
                events.push(name_of("thread_name", process, FIRST + thread, engine));
            }
        }
        for (detail, start, end) in slices(details) {
            let thread = engines.iter().position(|engine| *engine == detail.inst_type);
            let name = detail.source_layer_names.first().map_or("?", String::as_str);
            events.push(json!({
                "name": name, "cat": detail.inst_type, "ph": "X", "pid": process, "tid": FIRST + thread.unwrap_or(engines.len()),
                "ts": microseconds(start), "dur": microseconds(end - start),
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

/// Instructions with start and end in whole nanoseconds, which is what Perfetto keeps. It drops a slice that begins before the one before it on the
/// track has ended, if only by a nanosecond.
fn slices(details: &[Detail]) -> Vec<(&Detail, i64, i64)> {
    let nanoseconds = |us: f64| (us * 1000.0).round() as i64;
    // From the last one, so that what follows on an engine is known.
    let mut next: HashMap<&str, i64> = HashMap::new();
    let slice = |detail: &'_ Detail| {
        let start = nanoseconds(detail.start_us);
        let end = nanoseconds(detail.start_us + detail.working_us);
        let end = next.insert(detail.inst_type, start).map_or(end, |next| end.min(next));
        (start, end.max(start))
    };
    let times: Vec<(i64, i64)> = details.iter().rev().map(slice).collect();
    details.iter().zip(times.into_iter().rev()).map(|(detail, (start, end))| (detail, start, end)).collect()
}

/// Readers cut the fraction of a nanosecond off: a tenth keeps the number on the right side.
fn microseconds(nanoseconds: i64) -> f64 {
    (nanoseconds as f64 + 0.1) / 1000.0
}

/// What a track is called.
fn name_of(kind: &str, process: usize, thread: usize, name: &str) -> Value {
    json!({ "name": kind, "ph": "M", "pid": process, "tid": thread, "args": { "name": name } })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times of a clock of 3 cycles in a nanosecond and a half, each rounded to 0.1 ns by itself: ends lie behind the next starts.
    #[test]
    fn slices_of_an_engine_end_before_the_next_begins() {
        let detail = |cycle: u32| {
            let us = |cycles: u32| (f64::from(cycles) * 0.5 / 1000.0 / 3.0 * 1e4).round() / 1e4;
            let layers = vec!["layer".to_owned()];
            let inst_type = if cycle.is_multiple_of(2) { "LOAD" } else { "TAE" };
            Detail { inst_type, source_layer_names: layers, start_us: us(cycle * 7), working_us: us(15) }
        };
        let details: Vec<Detail> = (0..2000).map(detail).collect();
        let slices = slices(&details);
        assert_eq!(slices.len(), details.len());
        for engine in ["LOAD", "TAE"] {
            let of: Vec<_> = slices.iter().filter(|slice| slice.0.inst_type == engine).collect();
            for pair in of.windows(2) {
                assert!(pair[0].1 <= pair[0].2 && pair[0].2 <= pair[1].1);
            }
        }
        for (detail, start, end) in slices {
            // A reader multiplies and cuts.
            assert_eq!((microseconds(start) * 1000.0) as i64, start);
            assert!((start as f64 / 1000.0 - detail.start_us).abs() < 6e-4 && end - start <= 3);
        }
    }
}
