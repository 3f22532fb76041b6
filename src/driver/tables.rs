//! Tables of the report: aligned text for the log, CSV for programs.

use std::fmt::Write;

/// One node of the network in the report.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRow {
    /// Its name.
    pub node: String,
    /// The ONNX operator, such as `Conv`.
    pub node_type: String,
    /// What runs it: `BPU` or `CPU`.
    pub on: String,
    /// The largest magnitude that the calibrated range of the first output holds; None where it is not quantized.
    pub threshold: Option<f64>,
    /// Cosine similarity of the calibrated model's output to the float model's.
    pub calibrated_cosine: Option<f64>,
    /// Cosine similarity of the quantized model's output to the float model's.
    pub quantized_cosine: Option<f64>,
    /// The element type of the first output, such as `int8` or `float32`.
    pub output_data_type: String,
    /// The nodes of the user's network that went into it.
    pub origins: Vec<String>,
}

/// One output of the network in the report.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputRow {
    /// The output.
    pub tensor_name: String,
    /// Of the QDQ form with the float network; none where one has no direction.
    pub calibrated_cosine: Option<f64>,
    /// Of the compiled network with the float network; none where one has no direction.
    pub quantized_cosine: Option<f64>,
}

const NODE_TITLES: [&str; 8] =
    ["Node", "NodeType", "ON", "Threshold", "Calibrated Cosine", "Quantized Cosine", "Output Data Type", "Made From"];
const OUTPUT_TITLES: [&str; 3] = ["TensorName", "Calibrated Cosine", "Quantized Cosine"];

/// The per-node table, aligned.
pub fn node_table(rows: &[NodeRow]) -> String {
    aligned(&NODE_TITLES, &rows.iter().map(|row| node_cells(row, "--")).collect::<Vec<_>>())
}

/// The per-node table as CSV (RFC 4180, lines end in `\n`); what is not known is an empty field.
pub fn node_csv(rows: &[NodeRow]) -> String {
    csv(&NODE_TITLES, &rows.iter().map(|row| node_cells(row, "")).collect::<Vec<_>>())
}

/// The per-output table, aligned.
pub fn output_table(rows: &[OutputRow]) -> String {
    let cells = |row: &OutputRow| {
        [row.tensor_name.clone(), number(row.calibrated_cosine, "--"), number(row.quantized_cosine, "--")]
    };
    aligned(&OUTPUT_TITLES, &rows.iter().map(cells).collect::<Vec<_>>())
}

/// Names stand behind one another: the column is for readers, the `.hbm` and its reports have them one by one.
fn node_cells(row: &NodeRow, unknown: &str) -> [String; 8] {
    [
        row.node.clone(),
        row.node_type.clone(),
        row.on.clone(),
        number(row.threshold, unknown),
        number(row.calibrated_cosine, unknown),
        number(row.quantized_cosine, unknown),
        row.output_data_type.clone(),
        row.origins.join(" + "),
    ]
}

/// Six decimals, which is what distinguishes one cosine from another. Numbers that are none count as unknown.
fn number(value: Option<f64>, unknown: &str) -> String {
    match value {
        Some(value) if value.is_finite() => format!("{value:.6}"),
        _ => unknown.to_owned(),
    }
}

/// Columns as wide as their widest cell, two spaces between them, a rule below the titles.
pub fn aligned<const N: usize>(titles: &[&str; N], rows: &[[String; N]]) -> String {
    let shown: Vec<[String; N]> = rows.iter().map(|row| row.each_ref().map(|cell| one_line(cell))).collect();
    let mut widths = titles.map(width);
    for row in &shown {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    let mut text = String::new();
    line(&mut text, &titles.map(str::to_owned), &widths);
    line(&mut text, &widths.map(|width| "-".repeat(width)), &widths);
    for row in &shown {
        line(&mut text, row, &widths);
    }
    text
}

fn line<const N: usize>(text: &mut String, cells: &[String; N], widths: &[usize; N]) {
    let start = text.len();
    for (cell, widest) in cells.iter().zip(widths) {
        let _ = write!(text, "{cell}{:1$}", "", widest - width(cell).min(*widest) + 2);
    }
    text.truncate(start + text.get(start..).unwrap_or_default().trim_end().len());
    text.push('\n');
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Control characters in names of nodes must not break the table or reach the terminal.
fn one_line(cell: &str) -> String {
    cell.chars()
        .flat_map(|character| {
            let escaped: Vec<char> = match character.is_control() {
                true => character.escape_default().collect(),
                false => vec![character],
            };
            escaped
        })
        .collect()
}

/// Comma-separated values by RFC 4180, except that lines end in `\n`.
pub fn csv<const N: usize>(titles: &[&str; N], rows: &[[String; N]]) -> String {
    let mut text = titles.map(field).join(",");
    text.push('\n');
    for row in rows {
        text += &row.each_ref().map(|cell| field(cell)).join(",");
        text.push('\n');
    }
    text
}

fn field(cell: &str) -> String {
    if cell.contains(['"', ',', '\n', '\r']) || cell.starts_with(' ') || cell.ends_with(' ') {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<NodeRow> {
        let row = |node: &str, on: &str, threshold, quantized_cosine, output_data_type: &str| NodeRow {
            node: node.into(),
            node_type: "Conv".into(),
            on: on.into(),
            threshold,
            calibrated_cosine: Some(1.0),
            quantized_cosine,
            output_data_type: output_data_type.into(),
            origins: vec![node.into(), format!("Relu {on}")],
        };
        vec![
            row("Conv_0", "BPU", Some(2.5), Some(0.9993834), "int8"),
            row("a \"b\", c\n", "CPU", None, Some(f64::NAN), "float32"),
        ]
    }

    #[test]
    fn text_is_aligned() {
        let expected = r#"Node        NodeType  ON   Threshold  Calibrated Cosine  Quantized Cosine  Output Data Type  Made From
----------  --------  ---  ---------  -----------------  ----------------  ----------------  ---------------------
Conv_0      Conv      BPU  2.500000   1.000000           0.999383          int8              Conv_0 + Relu BPU
a "b", c\n  Conv      CPU  --         1.000000           --                float32           a "b", c\n + Relu CPU
"#;
        assert_eq!(node_table(&rows()), expected);
    }

    #[test]
    fn csv_is_quoted() {
        let text = node_csv(&rows());
        let expected = "Node,NodeType,ON,Threshold,Calibrated Cosine,Quantized Cosine,Output Data Type,Made From\n\
                        Conv_0,Conv,BPU,2.500000,1.000000,0.999383,int8,Conv_0 + Relu BPU\n\
                        \"a \"\"b\"\", c\n\",Conv,CPU,,1.000000,,float32,\"a \"\"b\"\", c\n + Relu CPU\"\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn outputs_and_empty_tables() {
        let row = OutputRow { tensor_name: "prob".into(), calibrated_cosine: Some(0.5), quantized_cosine: None };
        let text = output_table(&[row]);
        assert_eq!(text.lines().nth(2), Some("prob        0.500000           --"));
        assert_eq!(output_table(&[]).lines().count(), 2);
    }
}
