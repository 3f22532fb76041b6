//! The report of a compiled model: `{prefix}.json` and `{prefix}.html`.
//!
//! Both say the same of the performance. The JSON is [`Performance`], key for key; the page is one file that needs nothing else, neither a network nor
//! a server, and explains what it shows. It has what [`Accuracy`] says too, with how the values of each node are spread, where the network was quantized just now.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};

use super::accuracy::Accuracy;
use crate::files::{FileError, FileSet};
use crate::sim::perf::{Detail, Performance, ResidentDetail};

const TEMPLATE: &str = include_str!("template.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// More bars than this are joined in the page's timeline; the JSON always has every instruction.
const MAXIMUM_BARS: usize = 40_000;

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum ReportError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("cannot write the performance report as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Stages both files among the others of a run.
pub fn stage(
    files: &mut FileSet,
    (folder, prefix): (&Path, &str),
    performance: &Performance,
    accuracy: Option<&Accuracy<'_>>,
) -> Result<(), ReportError> {
    files.stage(&folder.join(format!("{prefix}.json")), to_json(performance)?.as_bytes())?;
    files.stage(&folder.join(format!("{prefix}.html")), to_html(performance, accuracy)?.as_bytes())?;
    Ok(())
}

/// The same text as `hb_sim perf --json` prints.
pub fn to_json(performance: &Performance) -> Result<String, serde_json::Error> {
    Ok(format!("{}\n", serde_json::to_string_pretty(performance)?))
}

/// The page.
pub fn to_html(performance: &Performance, accuracy: Option<&Accuracy<'_>>) -> Result<String, serde_json::Error> {
    let data = json!({
        "summary": serde_json::to_value(&performance.summary)?,
        "timeline": timeline(performance),
        "measured": accuracy.map(Accuracy::with_distributions).transpose()?,
    });
    // `</script>` in a layer's name must not end the element that holds the data; JSON allows the escape.
    let data = serde_json::to_string(&data)?.replace('<', "\\u003c");
    let title = escape(&performance.summary.model.name);
    let mut page = String::with_capacity(TEMPLATE.len() + STYLE.len() + SCRIPT.len() + data.len());
    let mut rest = TEMPLATE;
    while let Some((before, after)) = rest.split_once("{{") {
        page.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            break;
        };
        page.push_str(match name {
            "title" => &title,
            "style" => STYLE,
            "script" => SCRIPT,
            "data" => &data,
            _ => "",
        });
        rest = after;
    }
    page.push_str(rest);
    Ok(page)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Names by number, in the order in which they come.
#[derive(Default)]
struct Names<'a> {
    names: Vec<&'a str>,
    numbers: HashMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    fn number(&mut self, name: &'a str) -> usize {
        *self.numbers.entry(name).or_insert_with(|| {
            self.names.push(name);
            self.names.len() - 1
        })
    }
}

/// Bars as `[engine, layer, start, duration]` and what lives in local memory as `[layer, first byte, bytes, start, duration]`, with tables of the
/// names: small, because there can be many.
fn timeline(performance: &Performance) -> Value {
    let details = performance.details.first().map(Vec::as_slice).unwrap_or_default();
    let mut gap = 0.0;
    let mut bars = join(details, None);
    while bars.len() > MAXIMUM_BARS {
        gap = if gap == 0.0 { performance.summary.performance.latency_us / MAXIMUM_BARS as f64 } else { gap * 2.0 };
        bars = join(details, Some(gap));
    }
    let mut layers = Names::default();
    let engines: Vec<&str> = performance.summary.engines.iter().map(|engine| engine.engine.as_str()).collect();
    let length = |start: f64, end: f64| ((end - start) * 1e4).round() / 1e4;
    let bar = |bar: &Bar<'_>, layer: usize| {
        let engine = engines.iter().position(|engine| *engine == bar.engine).unwrap_or(0);
        json!([engine, layer, bar.start, length(bar.start, bar.end)])
    };
    let rows: Vec<Value> = bars.iter().map(|one| bar(one, layers.number(one.layer))).collect();
    // Those that live longest are what a picture of the whole run shows.
    let mut residents: Vec<&ResidentDetail> = performance.memory.residents.iter().collect();
    residents.sort_by(|a, b| (b.until_us - b.from_us).total_cmp(&(a.until_us - a.from_us)));
    residents.truncate(MAXIMUM_BARS);
    let resident = |one: &ResidentDetail, layer: usize| {
        json!([layer, one.first, one.end - one.first, one.from_us, length(one.from_us, one.until_us)])
    };
    let residents: Vec<Value> = residents.into_iter().map(|one| resident(one, layers.number(&one.layer))).collect();
    let joined = gap > 0.0 || residents.len() < performance.memory.residents.len();
    json!({
        "engines": engines, "layers": layers.names, "bars": rows, "joined": joined,
        "memory": { "bytes": performance.memory.bytes, "residents": residents },
        "groups": performance.groups,
    })
}

#[derive(Debug, PartialEq)]
struct Bar<'a> {
    engine: &'static str,
    layer: &'a str,
    start: f64,
    end: f64,
}

/// One bar per instruction; with a gap, instructions of one engine that are nearer than it become one bar, of the first one's layer.
fn join(details: &[Detail], gap: Option<f64>) -> Vec<Bar<'_>> {
    let mut bars: Vec<Bar<'_>> = Vec::new();
    let mut last: HashMap<&str, usize> = HashMap::new();
    for detail in details {
        let layer = detail.source_layer_names.first().map_or("?", String::as_str);
        let end = detail.start_us + detail.working_us;
        let previous = last.get(detail.inst_type).and_then(|index| bars.get_mut(*index));
        match (previous, gap) {
            (Some(bar), Some(gap)) if detail.start_us - bar.end <= gap && bar.end - bar.start <= gap => bar.end = end,
            _ => {
                last.insert(detail.inst_type, bars.len());
                bars.push(Bar { engine: detail.inst_type, layer, start: detail.start_us, end });
            }
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(inst_type: &'static str, layer: &str, start_us: f64, working_us: f64) -> Detail {
        Detail { inst_type, source_layer_names: vec![layer.into()], start_us, working_us }
    }

    #[test]
    fn near_bars_of_an_engine_are_joined() {
        let details = [
            detail("TAE", "a", 0.0, 1.0),
            detail("LOAD", "a", 0.5, 1.0),
            detail("TAE", "b", 1.5, 0.5),
            detail("TAE", "c", 9.0, 1.0),
        ];
        assert_eq!(join(&details, None).len(), 4);
        let joined = join(&details, Some(1.0));
        assert_eq!(joined[0], Bar { engine: "TAE", layer: "a", start: 0.0, end: 2.0 });
        assert_eq!(joined.iter().map(|bar| bar.layer).collect::<Vec<_>>(), ["a", "a", "c"]);
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
    }

    #[test]
    fn both_files_are_written_and_the_page_stands_alone() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("negate.hbm");
        std::fs::write(&model, crate::sim::tests::model(2)).unwrap();
        let mut performance = crate::sim::open::predict(&model, &Default::default()).unwrap();
        performance.summary.notes.push("</script><script>alert(1)</script>".into());
        let mut files = FileSet::new();
        stage(&mut files, (folder.path(), "negate"), &performance, None).unwrap();
        files.commit().unwrap();
        let json = std::fs::read_to_string(folder.path().join("negate.json")).unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["summary"]["DDR access data"]["stored bytes per run"], 16);
        let page = std::fs::read_to_string(folder.path().join("negate.html")).unwrap();
        for part in ["Summary", "Temporal Statistics", "Layer Details", "Timeline", "Neg_0"] {
            assert!(page.contains(part), "{part}");
        }
        assert_eq!(page.matches("</script>").count(), 2);
        assert!(!page.contains("{{") && !page.contains("src=") && !page.contains("href="));
        // The only address is the name space of SVG.
        assert_eq!(page.matches("http").count(), 1);
    }
}
