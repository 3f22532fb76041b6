//! What `hb_model_info` shows of a `.hbm`.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Hbm, MAJOR, MINOR, ModelParameter, SectionKind, SegmentBody, TensorDescription, TensorQuantization};

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Every field of the manifest and of the section table.
pub fn to_json(hbm: &Hbm) -> Value {
    let manifest = hbm.manifest();
    let tensor = |tensor: &TensorDescription| {
        json!({
            "name": tensor.name,
            "shape": tensor.dims,
            "element_type": tensor.element_type.name(),
            "strides_bytes": tensor.strides,
            "layout": tensor.layout,
            "buffer": tensor.buffer,
            "sizes_buffer": tensor.sizes_buffer,
            "region": tensor.region,
            "layer": tensor.layer,
            "quantization": tensor.quantization.as_ref().map(|quantization| json!({
                "scales": quantization.scales,
                "zero_points": quantization.zero_points,
                "axis": quantization.axis,
            })),
        })
    };
    let segments: Vec<Value> = manifest
        .segments
        .iter()
        .map(|segment| {
            let body = match &segment.body {
                SegmentBody::Bpu(bpu) => json!({
                    "kind": "bpu",
                    "program_section": bpu.program_section,
                    "constants_section": bpu.constants_section,
                    "workspace_bytes": bpu.workspace_bytes,
                }),
                SegmentBody::Cpu(cpu) => json!({
                    "kind": "cpu",
                    "ir_section": cpu.ir_section,
                    "object_section": cpu.object_section,
                    "entry": cpu.entry,
                }),
            };
            json!({ "name": segment.name, "inputs": segment.inputs, "outputs": segment.outputs, "body": body })
        })
        .collect();
    let memory = Memory::of(hbm);
    json!({
        "kind": "hbm",
        "format": format!("{MAJOR}.{MINOR}"),
        "file_bytes": hbm.file_size(),
        "versions": manifest.versions.iter().map(|version| (version.name.clone(), version.version.clone().into()))
            .collect::<serde_json::Map<String, Value>>(),
        "model_name": manifest.model_name,
        "prefix": manifest.prefix,
        "march": manifest.march,
        "target_digest": hexadecimal(&manifest.target_digest),
        "parameters": parameters_json(&manifest.parameters),
        "memory": {
            "program_bytes": memory.programs,
            "constant_bytes": memory.constants,
            "workspace_bytes": memory.workspace,
            "input_bytes": memory.inputs,
            "output_bytes": memory.outputs,
            "buffer_bytes": memory.buffers,
        },
        "inputs": manifest.inputs.iter().map(tensor).collect::<Vec<_>>(),
        "outputs": manifest.outputs.iter().map(tensor).collect::<Vec<_>>(),
        "buffers": manifest.buffers.iter().map(|buffer| json!({
            "name": buffer.name,
            "bytes": buffer.bytes,
            "element_type": buffer.element_type.name(),
            "shape": buffer.dims,
        })).collect::<Vec<_>>(),
        "segments": segments,
        "layers": manifest.layers.iter().map(|layer| json!({
            "name": layer.name,
            "operator": layer.operator_type,
            "segment": layer.segment,
            "origins": layer.origins,
            "operations": layer.operations,
        })).collect::<Vec<_>>(),
        "sections": hbm.sections().iter().map(|section| json!({
            "kind": section.kind.name(),
            "offset": section.offset,
            "bytes": section.size,
            "alignment": section.alignment,
            "sha256": hexadecimal(&section.sha256),
        })).collect::<Vec<_>>(),
    })
}

/// Bytes that the model needs on the board.
struct Memory {
    programs: usize,
    constants: usize,
    /// Scratch of all segments.
    workspace: usize,
    inputs: usize,
    outputs: usize,
    /// Of inputs, outputs and what goes from segment to segment.
    buffers: usize,
}

impl Memory {
    fn of(hbm: &Hbm) -> Self {
        let manifest = hbm.manifest();
        let sections = |kind: SectionKind| {
            hbm.sections().iter().filter(|section| section.kind == kind).map(|section| section.size).sum()
        };
        let workspace = manifest.segments.iter().map(|segment| match &segment.body {
            SegmentBody::Bpu(bpu) => bpu.workspace_bytes,
            SegmentBody::Cpu(_) => 0,
        });
        let extents =
            |tensors: &[TensorDescription]| tensors.iter().filter_map(TensorDescription::extent).sum::<usize>();
        Self {
            programs: sections(SectionKind::Program),
            constants: sections(SectionKind::Constants),
            workspace: workspace.sum(),
            inputs: extents(&manifest.inputs),
            outputs: extents(&manifest.outputs),
            buffers: manifest.buffers.iter().map(|buffer| buffer.bytes).sum(),
        }
    }
}

/// A table whose columns are as wide as their widest cell.
pub fn table(text: &mut String, title: &str, head: &[&str], rows: &[Vec<String>]) {
    let _ = writeln!(text, "\n{title}");
    let cell_width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = head
        .iter()
        .enumerate()
        .map(|(column, name)| name.chars().count().max(cell_width(column).unwrap_or(0)))
        .collect();
    let mut line = |cells: &[String]| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        let _ = writeln!(text, "  {}", padded.join("  ").trim_end());
    };
    line(&head.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    line(&widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>());
    rows.iter().for_each(|row| line(row));
}

fn shape(dims: &[usize]) -> String {
    if dims.is_empty() {
        return "scalar".into();
    }
    dims.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

fn quantization(quantization: Option<&TensorQuantization>) -> String {
    match quantization {
        None => "-".into(),
        Some(TensorQuantization { scales, zero_points, axis: None }) => {
            let (scale, zero_point) = (scales.first().unwrap_or(&1.0), zero_points.first().unwrap_or(&0));
            format!("scale {scale}, zero point {zero_point}")
        }
        Some(TensorQuantization { scales, axis: Some(axis), .. }) => {
            format!("{} scales along axis {axis}", scales.len())
        }
    }
}

/// Tables for a reader.
pub fn to_text(hbm: &Hbm, with_layers: bool) -> String {
    let manifest = hbm.manifest();
    let mut text = String::new();
    let _ = writeln!(text, "model    {} ({})", manifest.prefix, manifest.model_name);
    let _ = writeln!(text, "march    {} (numbers {})", manifest.march, hexadecimal(&manifest.target_digest[..8]));
    let _ = writeln!(text, "format   .hbm {MAJOR}.{MINOR} of hb, {} bytes", hbm.file_size());
    for version in &manifest.versions {
        let _ = writeln!(text, "{:<8} {}", version.name, version.version);
    }
    let Memory { programs, constants, workspace, inputs, outputs, buffers } = Memory::of(hbm);
    let _ = writeln!(
        text,
        "memory   programs {programs}, constants {constants}, workspace {workspace}, buffers {buffers} bytes (inputs {inputs}, outputs \
         {outputs})"
    );
    let rows: Vec<Vec<String>> = [("input", &manifest.inputs), ("output", &manifest.outputs)]
        .into_iter()
        .flat_map(|(direction, tensors)| tensors.iter().map(move |tensor| (direction, tensor)))
        .map(|(direction, tensor)| {
            vec![
                tensor.name.clone(),
                direction.into(),
                if tensor.region.is_some() || tensor.sizes_buffer.is_some() {
                    format!("up to {}", shape(&tensor.dims))
                } else {
                    shape(&tensor.dims)
                },
                tensor.element_type.name().into(),
                if tensor.layout.is_empty() { "-".into() } else { tensor.layout.clone() },
                tensor.strides.iter().map(usize::to_string).collect::<Vec<_>>().join(","),
                quantization(tensor.quantization.as_ref()),
            ]
        })
        .collect();
    let head = ["NAME", "TYPE", "SHAPE", "DATA_TYPE", "LAYOUT", "STRIDE_BYTES", "QUANTIZATION"];
    table(&mut text, "Inputs and outputs", &head, &rows);
    segment_table(&mut text, hbm);
    if with_layers {
        let rows: Vec<Vec<String>> = manifest
            .layers
            .iter()
            .map(|layer| {
                let segment = manifest.segments.get(layer.segment).map_or("?", |segment| &segment.name);
                let origins = layer.origins.join(" + ");
                let operations = layer.operations.to_string();
                vec![layer.name.clone(), layer.operator_type.clone(), segment.into(), operations, origins]
            })
            .collect();
        table(&mut text, "Layers", &["NAME", "OPERATOR", "SEGMENT", "OPERATIONS", "MADE FROM"], &rows);
    }
    let rows: Vec<Vec<String>> = hbm
        .sections()
        .iter()
        .enumerate()
        .map(|(index, section)| {
            let hash = section.sha256.get(..8).map(hexadecimal).unwrap_or_default();
            vec![
                index.to_string(),
                section.kind.name().into(),
                section.offset.to_string(),
                section.size.to_string(),
                section.alignment.to_string(),
                hash,
            ]
        })
        .collect();
    table(&mut text, "Sections", &["INDEX", "KIND", "OFFSET", "BYTES", "ALIGNMENT", "SHA256"], &rows);
    parameter_table(&mut text, &manifest.parameters);
    text
}

/// The parameters that a model was compiled with, as JSON.
pub(crate) fn parameters_json(parameters: &[ModelParameter]) -> Vec<Value> {
    let one = |parameter: &ModelParameter| {
        json!({
            "group": parameter.group,
            "name": parameter.name,
            "given": parameter.given,
            "effective": parameter.effective,
        })
    };
    parameters.iter().map(one).collect()
}

/// The parameters that a model was compiled with, as a table.
pub(crate) fn parameter_table(text: &mut String, parameters: &[ModelParameter]) {
    let row = |parameter: &ModelParameter| {
        let given = parameter.given.clone().unwrap_or_else(|| "(default)".into());
        vec![parameter.group.clone(), parameter.name.clone(), given, parameter.effective.clone()]
    };
    let rows: Vec<Vec<String>> = parameters.iter().map(row).collect();
    table(text, "Parameters", &["GROUP", "NAME", "GIVEN", "EFFECTIVE"], &rows);
}

fn segment_table(text: &mut String, hbm: &Hbm) {
    let manifest = hbm.manifest();
    let buffers = |indices: &[usize]| {
        let names: Vec<&str> = indices
            .iter()
            .filter_map(|index| manifest.buffers.get(*index))
            .map(|buffer| buffer.name.as_str())
            .collect();
        names.join(",")
    };
    let rows: Vec<Vec<String>> = manifest
        .segments
        .iter()
        .map(|segment| {
            let (kind, sections, workspace) = match &segment.body {
                SegmentBody::Bpu(bpu) => {
                    let sections = [Some(bpu.program_section), bpu.constants_section];
                    ("bpu", sections, bpu.workspace_bytes.to_string())
                }
                SegmentBody::Cpu(cpu) => ("cpu", [Some(cpu.ir_section), cpu.object_section], "-".into()),
            };
            let sections: Vec<String> = sections.into_iter().flatten().map(|index| index.to_string()).collect();
            vec![
                segment.name.clone(),
                kind.into(),
                sections.join(","),
                workspace,
                buffers(&segment.inputs),
                buffers(&segment.outputs),
            ]
        })
        .collect();
    let head = ["NAME", "KIND", "SECTIONS", "WORKSPACE_BYTES", "INPUTS", "OUTPUTS"];
    table(text, "Segments, in the order of execution", &head, &rows);
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn every_part_is_shown() {
        let hbm = Hbm::from_bytes(file()).unwrap();
        let text = to_text(&hbm, true);
        for part in [
            "nash-e",
            "data",
            "2x3",
            "float32",
            "3 scales along axis 1",
            "bpu_0",
            "4096",
            "Conv_0",
            "jobs",
            "(default)",
        ] {
            assert!(text.contains(part), "{part} is missing from\n{text}");
        }
        let json = to_json(&hbm);
        assert_eq!(json["parameters"][1]["given"], Value::Null);
        assert_eq!(json["inputs"][0]["strides_bytes"], json!([12, 4]));
        assert_eq!(json["segments"][1]["body"]["entry"], "cpu_0");
        assert_eq!(json["target_digest"], "07".repeat(32));
        assert_eq!(json["sections"].as_array().unwrap().len(), 5);
    }
}
