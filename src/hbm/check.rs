//! The rules that tie the manifest's parts to each other and to the sections.

use std::collections::HashSet;
use std::fmt::Display;

use hb_dialects::ElementType;

use super::{
    Buffer, HbmError, Manifest, ManifestRule, Section, SectionKind, SegmentBody, SegmentDescription, TensorDescription,
    TensorQuantization,
};

/// Inputs and outputs together.
const MAXIMUM_TENSORS: usize = 65536;
const MAXIMUM_RANK: usize = 10;
const MAXIMUM_NAME_BYTES: usize = 4096;
/// Bytes of all buffers and workspaces of a model: more than a board of the target has.
const MAXIMUM_MEMORY: usize = 1 << 36;

type Checked = Result<(), HbmError>;

fn broken(rule: ManifestRule, detail: impl Into<String>) -> Checked {
    Err(HbmError::broken(rule, detail))
}

pub fn check(manifest: &Manifest, sections: &[Section]) -> Checked {
    if manifest.march.is_empty() {
        return broken(ManifestRule::ManifestTarget, "march is empty");
    }
    check_counts(manifest)?;
    check_names(manifest)?;
    for buffer in &manifest.buffers {
        check_buffer(buffer)?;
    }
    for tensor in manifest.inputs.iter().chain(&manifest.outputs) {
        check_tensor(tensor, &manifest.buffers)?;
    }
    if let Some(input) = manifest.inputs.iter().find(|input| input.sizes_buffer.is_some()) {
        return broken(ManifestRule::ManifestSizes, format!("input {:?} names a buffer of sizes", input.name));
    }
    if let Some(output) = manifest.outputs.iter().find(|output| output.region.is_some()) {
        return broken(ManifestRule::ManifestRegion, format!("output {:?} names a region", output.name));
    }
    check_regions(&manifest.inputs)?;
    check_segments(manifest, sections)?;
    check_flow(manifest)?;
    for layer in &manifest.layers {
        if layer.segment >= manifest.segments.len() {
            let detail =
                format!("layer {:?} is in segment {} of {}", layer.name, layer.segment, manifest.segments.len());
            return broken(ManifestRule::ManifestSegment, detail);
        }
    }
    Ok(())
}

fn check_counts(manifest: &Manifest) -> Checked {
    let tensors = manifest.inputs.len() + manifest.outputs.len();
    if tensors > MAXIMUM_TENSORS {
        return broken(ManifestRule::ManifestCount, format!("the model has {tensors} inputs and outputs"));
    }
    let workspaces = manifest.segments.iter().map(|segment| match &segment.body {
        SegmentBody::Bpu(bpu) => bpu.workspace_bytes,
        SegmentBody::Cpu(_) => 0,
    });
    let buffers = manifest.buffers.iter().map(|buffer| buffer.bytes);
    let memory = buffers.chain(workspaces).try_fold(0usize, |sum, bytes| sum.checked_add(bytes));
    match memory {
        Some(memory) if memory <= MAXIMUM_MEMORY => Ok(()),
        _ => {
            broken(ManifestRule::ManifestCount, format!("buffers and workspaces take more than {MAXIMUM_MEMORY} bytes"))
        }
    }
}

fn check_names(manifest: &Manifest) -> Checked {
    unique("version", manifest.versions.iter().map(|version| version.name.as_str()))?;
    unique("input", manifest.inputs.iter().map(|tensor| tensor.name.as_str()))?;
    unique("output", manifest.outputs.iter().map(|tensor| tensor.name.as_str()))?;
    unique("buffer", manifest.buffers.iter().map(|buffer| buffer.name.as_str()))?;
    unique("segment", manifest.segments.iter().map(|segment| segment.name.as_str()))?;
    unique("layer", manifest.layers.iter().map(|layer| layer.name.as_str()))?;
    let mut parameters = HashSet::new();
    for parameter in &manifest.parameters {
        present("parameter", &parameter.name)?;
        if !parameters.insert((&parameter.group, &parameter.name)) {
            return broken(ManifestRule::ManifestName, format!("parameter {:?} is there twice", parameter.name));
        }
    }
    Ok(())
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Checked {
    let mut seen = HashSet::new();
    for name in names {
        present(what, name)?;
        if !seen.insert(name) {
            return broken(ManifestRule::ManifestName, format!("{what} {name:?} is there twice"));
        }
    }
    Ok(())
}

fn present(what: &str, name: &str) -> Checked {
    match name.len() {
        1..=MAXIMUM_NAME_BYTES => Ok(()),
        length => broken(
            ManifestRule::ManifestName,
            format!("a {what} has a name of {length} bytes, 1 to {MAXIMUM_NAME_BYTES} are allowed"),
        ),
    }
}

fn check_rank(what: &dyn Display, dims: &[usize]) -> Checked {
    if dims.len() > MAXIMUM_RANK {
        return broken(
            ManifestRule::ManifestCount,
            format!("{what} has {} dimensions, at most {MAXIMUM_RANK} are allowed", dims.len()),
        );
    }
    Ok(())
}

fn check_buffer(buffer: &Buffer) -> Checked {
    let what = format!("buffer {:?}", buffer.name);
    check_rank(&what, &buffer.dims)?;
    if buffer.dims.is_empty() {
        return Ok(());
    }
    let bytes = buffer.dims.iter().try_fold(buffer.element_type.bytes(), |bytes, &dim| bytes.checked_mul(dim));
    if bytes.is_none_or(|bytes| bytes > buffer.bytes) {
        let detail = format!(
            "{what} has {} bytes, its shape {:?} of {} needs more",
            buffer.bytes, buffer.dims, buffer.element_type
        );
        return broken(ManifestRule::ManifestShape, detail);
    }
    Ok(())
}

fn check_tensor(tensor: &TensorDescription, buffers: &[Buffer]) -> Checked {
    let what = format!("tensor {:?}", tensor.name);
    check_rank(&what, &tensor.dims)?;
    let Some(buffer) = buffers.get(tensor.buffer) else {
        return broken(
            ManifestRule::ManifestBuffer,
            format!("{what} is in buffer {} of {}", tensor.buffer, buffers.len()),
        );
    };
    if buffer.element_type != tensor.element_type {
        let detail = format!("{what} is {}, its buffer {:?} {}", tensor.element_type, buffer.name, buffer.element_type);
        return broken(ManifestRule::ManifestType, detail);
    }
    check_strides(&what, tensor)?;
    if tensor.extent().is_none_or(|extent| extent > buffer.bytes) {
        let detail =
            format!("{what} of shape {:?} does not fit the {} bytes of {:?}", tensor.dims, buffer.bytes, buffer.name);
        return broken(ManifestRule::ManifestShape, detail);
    }
    if let Some(sizes) = tensor.sizes_buffer {
        let Some(sizes) = buffers.get(sizes) else {
            let detail = format!("the sizes of {what} are in buffer {sizes} of {}", buffers.len());
            return broken(ManifestRule::ManifestBuffer, detail);
        };
        let bytes = tensor.dims.len().checked_mul(ElementType::I64.bytes());
        if sizes.element_type != ElementType::I64 || bytes.is_none_or(|bytes| bytes > sizes.bytes) {
            let detail = format!(
                "the sizes of {what} are {} in the {} bytes of {:?}, it has {} dimensions",
                sizes.element_type,
                sizes.bytes,
                sizes.name,
                tensor.dims.len()
            );
            return broken(ManifestRule::ManifestSizes, detail);
        }
    }
    match &tensor.quantization {
        Some(quantization) => check_quantization(&what, tensor, quantization),
        None => Ok(()),
    }
}

/// Planes of a picture and the input that says which region of it is taken.
fn check_regions(inputs: &[TensorDescription]) -> Checked {
    for plane in inputs {
        let Some(index) = plane.region else { continue };
        let region = inputs.get(index);
        let is_region = region.is_some_and(|region| {
            region.element_type == ElementType::I32 && region.dims == [1, 4] && region.region.is_none()
        });
        let first = inputs.iter().find(|other| other.region == plane.region).map(|first| first.dims.as_slice());
        let is_plane = match (plane.dims.as_slice(), first) {
            (&[1, rows, columns, _], Some(&[_, height, width, _])) => {
                let covers =
                    |block: usize| (rows.checked_mul(block), columns.checked_mul(block)) == (Some(height), Some(width));
                plane.element_type == ElementType::U8 && rows > 0 && columns > 0 && (covers(1) || covers(2))
            }
            _ => false,
        };
        if !is_region || !is_plane {
            let detail = format!("input {:?} of shape {:?} names input {index} as its region", plane.name, plane.dims);
            return broken(ManifestRule::ManifestRegion, detail);
        }
    }
    Ok(())
}

/// Every stride spans the dimensions inside it, as on the board.
fn check_strides(what: &str, tensor: &TensorDescription) -> Checked {
    if tensor.strides.len() != tensor.dims.len() {
        let detail = format!("{what} has {} dimensions and {} strides", tensor.dims.len(), tensor.strides.len());
        return broken(ManifestRule::ManifestStrides, detail);
    }
    let mut inside = Some(tensor.element_type.bytes());
    for (&dim, &stride) in tensor.dims.iter().zip(&tensor.strides).rev() {
        if inside.is_none_or(|inside| stride < inside) {
            return broken(
                ManifestRule::ManifestStrides,
                format!("{what}: strides {:?} for shape {:?}", tensor.strides, tensor.dims),
            );
        }
        inside = stride.checked_mul(dim.max(1));
    }
    Ok(())
}

fn check_quantization(what: &str, tensor: &TensorDescription, quantization: &TensorQuantization) -> Checked {
    let count = match quantization.axis {
        None => Some(1),
        Some(axis) => tensor.dims.get(axis).copied(),
    };
    let lengths_agree = count == Some(quantization.scales.len()) && count == Some(quantization.zero_points.len());
    if !lengths_agree || !quantization.scales.iter().all(|scale| scale.is_finite() && *scale > 0.0) {
        let detail = format!(
            "{what} has {} scales and {} zero points, axis {:?}",
            quantization.scales.len(),
            quantization.zero_points.len(),
            quantization.axis
        );
        return broken(ManifestRule::ManifestQuantization, detail);
    }
    Ok(())
}

fn check_segments(manifest: &Manifest, sections: &[Section]) -> Checked {
    let mut named: HashSet<usize> = HashSet::from([0]);
    let mut need = |segment: &SegmentDescription, index: usize, kind: SectionKind| -> Checked {
        if sections.get(index).map(|section| section.kind) != Some(kind) {
            let detail = format!("segment {:?} names section {index} as its {}", segment.name, kind.name());
            return broken(ManifestRule::ManifestSection, detail);
        }
        named.insert(index);
        Ok(())
    };
    for segment in &manifest.segments {
        match &segment.body {
            SegmentBody::Bpu(bpu) => {
                need(segment, bpu.program_section, SectionKind::Program)?;
                if let Some(constants) = bpu.constants_section {
                    need(segment, constants, SectionKind::Constants)?;
                }
            }
            SegmentBody::Cpu(cpu) => {
                present("function", &cpu.entry)?;
                need(segment, cpu.ir_section, SectionKind::CpuIr)?;
                if let Some(object) = cpu.object_section {
                    need(segment, object, SectionKind::CpuObject)?;
                }
            }
        }
    }
    match (0..sections.len()).find(|index| !named.contains(index)) {
        Some(index) => broken(ManifestRule::ManifestSection, format!("no segment names section {index}")),
        None => Ok(()),
    }
}

/// Walks the model in the order of execution: what is read was written, and nothing is written twice.
fn check_flow(manifest: &Manifest) -> Checked {
    let mut written = vec![false; manifest.buffers.len()];
    let name = |index: usize| manifest.buffers.get(index).map_or("?", |buffer| buffer.name.as_str());
    let write = |written: &mut Vec<bool>, index: usize, by: &dyn Display| match written.get_mut(index) {
        None => {
            broken(ManifestRule::ManifestBuffer, format!("{by} writes buffer {index} of {}", manifest.buffers.len()))
        }
        Some(true) => broken(ManifestRule::ManifestFlow, format!("{by} writes buffer {:?} again", name(index))),
        Some(slot) => {
            *slot = true;
            Ok(())
        }
    };
    let read = |written: &[bool], index: usize, by: &dyn Display| match written.get(index) {
        None => {
            broken(ManifestRule::ManifestBuffer, format!("{by} reads buffer {index} of {}", manifest.buffers.len()))
        }
        Some(false) => {
            broken(ManifestRule::ManifestFlow, format!("{by} reads buffer {:?} before it is written", name(index)))
        }
        Some(true) => Ok(()),
    };
    for input in &manifest.inputs {
        write(&mut written, input.buffer, &format!("input {:?}", input.name))?;
    }
    for segment in &manifest.segments {
        let by = format!("segment {:?}", segment.name);
        for &index in &segment.inputs {
            read(&written, index, &by)?;
        }
        for &index in &segment.outputs {
            write(&mut written, index, &by)?;
        }
    }
    for output in &manifest.outputs {
        for index in std::iter::once(output.buffer).chain(output.sizes_buffer) {
            read(&written, index, &format!("output {:?}", output.name))?;
        }
    }
    match written.iter().position(|written| !written) {
        Some(index) => broken(ManifestRule::ManifestFlow, format!("nothing writes buffer {:?}", name(index))),
        None => Ok(()),
    }
}
