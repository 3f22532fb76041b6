//! `hb_sim perf`: what a compiled model costs.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;

use crate::files::write_atomically;
use crate::sim::open::{PredictOptions, predict};
use crate::sim::perf::{GroupDetail, Performance, to_trace};

#[derive(Args)]
#[command(after_help = "Examples:\n  hb_sim perf model.hbm\n  hb_sim perf model.hbm --trace model_trace.json\n  \
    hb_sim perf model.hbm --set ddr.bytes_per_second=40000000000\n  hb_sim perf model.hbm --target nash-e --target nash-m\n\n\
    The program stays as it was compiled: what a target with other numbers would make possible (more local memory, for instance) is \
    seen only by compiling for it.")]
pub(super) struct PerfArguments {
    /// A .hbm file written by hb_compile.
    model: PathBuf,
    /// Print the whole report as JSON: every layer, interval and instruction too. Of several targets, a list of reports.
    #[arg(long)]
    json: bool,
    /// Write the time of every instruction as a trace, which https://ui.perfetto.dev and chrome://tracing open.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// What if a number of the target were another? Names are those of targets/*.yaml; a wrong one lists them all.
    #[arg(long = "set", value_name = "NAME=NUMBER", value_parser = assignment)]
    overrides: Vec<(String, String)>,
    /// Take the numbers of this target instead of the model's own. Given several times, they are compared in a table.
    #[arg(long = "target", value_name = "MARCH")]
    targets: Vec<String>,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, number) = text.split_once('=').ok_or("expected NAME=NUMBER, as in ddr.bytes_per_second=40000000000")?;
    Ok((name.trim().to_owned(), number.trim().to_owned()))
}

/// What is printed.
pub(super) fn run(arguments: &PerfArguments) -> Result<String, Box<dyn Error>> {
    if arguments.trace.is_some() && arguments.targets.len() > 1 {
        return Err("--trace is of one target: give --target once, or not at all".into());
    }
    let predicted = |target: Option<&String>| {
        let options = PredictOptions { target: target.cloned(), overrides: arguments.overrides.clone() };
        predict(&arguments.model, &options)
    };
    if arguments.targets.len() > 1 {
        let all = arguments.targets.iter().map(|target| predicted(Some(target)));
        let all = all.collect::<Result<Vec<Performance>, _>>()?;
        let text = || comparison(&arguments.targets, &all);
        return Ok(if arguments.json { format!("{}\n", serde_json::to_string_pretty(&all)?) } else { text() });
    }
    let performance = predicted(arguments.targets.first())?;
    if let Some(path) = &arguments.trace {
        write_atomically(path, to_trace(&performance)?.as_bytes())?;
    }
    if arguments.json {
        return Ok(format!("{}\n", serde_json::to_string_pretty(&performance)?));
    }
    Ok(perf_text(&performance))
}

/// A row per target.
fn comparison(targets: &[String], all: &[Performance]) -> String {
    let width = targets.iter().map(String::len).max().unwrap_or_default().max("target".len());
    let mut text = format!(
        "{:<width$}  {:>14}  {:>12}  {:>18}  {:>14}  {:>13}\n",
        "target", "latency (us)", "FPS (1 core)", "compute bound (us)", "DDR bound (us)", "latency/bound"
    );
    for (target, performance) in targets.iter().zip(all) {
        let (headline, bounds) = (&performance.summary.performance, &performance.summary.bounds);
        let ratio = bounds.ratio.map_or_else(|| "no bound".to_owned(), |ratio| format!("{ratio:.2}"));
        text += &format!(
            "{target:<width$}  {:>14.3}  {:>12.1}  {:>18.3}  {:>14.3}  {ratio:>13}\n",
            headline.latency_us, headline.frames_per_second, bounds.compute_us, bounds.ddr_us
        );
    }
    let mut notes: Vec<&String> = Vec::new();
    for note in all.iter().flat_map(|performance| &performance.summary.notes) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    for note in notes {
        text += &format!("note: {note}\n");
    }
    text
}

/// The figures that a reader asks for first.
pub(crate) fn perf_text(performance: &Performance) -> String {
    let summary = &performance.summary;
    let headline = &summary.performance;
    let (ddr, bounds) = (&summary.ddr, &summary.bounds);
    let mut text = format!("{} on {}\n\n", summary.model.name, summary.model.march);
    let latency = match headline.samples {
        0 | 1 => format!("{:.3} us", headline.latency_us),
        samples => {
            let each = headline.latency_us / f64::from(samples);
            format!("{:.3} us for {samples} samples, {each:.3} us each", headline.latency_us)
        }
    };
    let parts = (headline.cpu_us > 0.0).then(|| {
        [("  BPU", headline.bpu_us), ("  CPU", headline.cpu_us), ("  crossings", headline.crossings_us)]
            .map(|(name, time)| (name, format!("{time:.3} us")))
    });
    let calls = summary.calls.is_cut.then(|| ("function calls", summary.calls.to_string()));
    let rows = [
        ("  compute bound", format!("{:.3} us: all multiply-accumulates on a full array", bounds.compute_us)),
        ("  DDR bound", format!("{:.3} us: {} bytes of constants, inputs, outputs", bounds.ddr_us, bounds.ddr_bytes)),
        ("  latency/bound", bounds.ratio.map_or_else(|| "no bound".to_owned(), |ratio| format!("{ratio:.2}"))),
        ("FPS (1 core)", format!("{:.1}", headline.frames_per_second)),
        ("conv OPs per run", summary.model.operations.to_string()),
        ("conv TOPS", format!("{:.3}", summary.model.tera_operations_per_second)),
        ("DDR per run", format!("{:.3} MB", ddr.megabytes)),
        ("  loaded", format!("{} bytes", ddr.loaded)),
        ("  stored", format!("{} bytes", ddr.stored)),
        ("memory needed", format!("{} bytes", ddr.memory)),
    ];
    let rows = std::iter::once(("latency", latency)).chain(parts.into_iter().flatten()).chain(rows).chain(calls);
    for (name, value) in rows {
        text += &format!("{name:<18}{value}\n");
    }
    text += "\nengine  instructions      busy (us)  share of latency\n";
    for engine in &summary.engines {
        let share = 100.0 * engine.share;
        text += &format!("{:<6}{:>14}{:>15.3}{share:>17.1}%\n", engine.engine, engine.instructions, engine.busy_us);
    }
    for segment in &headline.by_segment {
        text += &format!("\nsegment {} on the {}: {:.3} us", segment.segment, segment.processor, segment.latency_us);
    }
    for GroupDetail { layers, stripes, start_us, end_us } in &performance.groups {
        let (first, last) = (layers.first().map_or("", String::as_str), layers.last().map_or("", String::as_str));
        let time = end_us - start_us;
        text += &format!("\ngroup of {} layers in {stripes} stripes: {first} to {last}, {time:.3} us", layers.len());
    }
    for note in &summary.notes {
        text += &format!("\nnote: {note}");
    }
    text.push('\n');
    text
}
