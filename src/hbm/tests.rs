//! Every rule of the format has a file here that breaks it, and only it.

use hb_dialects::ElementType;

use super::builder::assemble;
use super::layout::{ENTRY_BYTES, HEADER_BYTES, sha256};
use super::*;

fn tensor(name: &str, dims: &[usize], element_type: ElementType, buffer: usize) -> TensorDescription {
    TensorDescription {
        name: name.into(),
        dims: dims.to_vec(),
        element_type,
        strides: dense_strides(dims, element_type).unwrap(),
        quantization: None,
        layout: String::new(),
        buffer,
        sizes_buffer: None,
        region: None,
        layer: None,
    }
}

fn buffer(name: &str, bytes: usize, element_type: ElementType, dims: &[usize]) -> Buffer {
    Buffer { name: name.into(), bytes, element_type, dims: dims.to_vec() }
}

/// A float input of 2x3, a bpu segment to 2x3 int8, a cpu segment to 2x4 floats.
pub(super) fn manifest() -> Manifest {
    let mut quantized = tensor("middle", &[2, 3], ElementType::I8, 1);
    quantized.quantization =
        Some(TensorQuantization { scales: vec![0.5, 0.25, 0.125], zero_points: vec![0, 0, 0], axis: Some(1) });
    Manifest {
        versions: vec![Version { name: "hb".into(), version: "0.1.0".into() }],
        model_name: "täst".into(),
        prefix: "model".into(),
        march: "nash-e".into(),
        target_digest: [7; 32],
        parameters: vec![
            ModelParameter {
                group: "compiler_parameters".into(),
                name: "jobs".into(),
                given: Some("4".into()),
                effective: "4".into(),
            },
            ModelParameter {
                group: "compiler_parameters".into(),
                name: "advice".into(),
                given: None,
                effective: "0".into(),
            },
        ],
        inputs: vec![tensor("data", &[2, 3], ElementType::F32, 0)],
        outputs: vec![quantized, tensor("probabilities", &[2, 4], ElementType::F32, 2)],
        buffers: vec![
            buffer("data", 24, ElementType::F32, &[2, 3]),
            buffer("middle", 6, ElementType::I8, &[2, 3]),
            buffer("probabilities", 64, ElementType::F32, &[]),
        ],
        segments: vec![
            SegmentDescription {
                name: "bpu_0".into(),
                inputs: vec![0],
                outputs: vec![1],
                body: SegmentBody::Bpu(BpuSegment {
                    program_section: 1,
                    constants_section: Some(2),
                    workspace_bytes: 4096,
                }),
            },
            SegmentDescription {
                name: "cpu_0".into(),
                inputs: vec![1],
                outputs: vec![2],
                body: SegmentBody::Cpu(CpuSegment { ir_section: 3, object_section: Some(4), entry: "cpu_0".into() }),
            },
        ],
        layers: vec![Layer {
            name: "Conv_0".into(),
            operator_type: "Conv".into(),
            segment: 0,
            origins: vec!["Conv_0".into(), "Relu_1".into()],
            operations: 1 << 40,
        }],
    }
}

fn builder() -> HbmBuilder<'static> {
    let mut builder = HbmBuilder::new();
    assert_eq!(builder.add_section(SectionKind::Program, 64, vec![1; 100]), 1);
    assert_eq!(builder.add_section(SectionKind::Constants, 4096, vec![2; 5000]), 2);
    assert_eq!(builder.add_section(SectionKind::CpuIr, 1, b"ML\xefR".to_vec()), 3);
    assert_eq!(builder.add_section(SectionKind::CpuObject, 16, b"\x7fELF".to_vec()), 4);
    builder
}

pub(super) fn file() -> Vec<u8> {
    builder().finish(&manifest()).unwrap()
}

#[test]
fn what_was_written_is_read() {
    let hbm = Hbm::from_bytes(file()).unwrap();
    assert_eq!(hbm.manifest(), &manifest());
    assert_eq!(hbm.section(1), [1; 100]);
    assert_eq!(hbm.section(2), [2; 5000]);
    assert_eq!(hbm.section(3), b"ML\xefR");
    assert_eq!(hbm.section(4), b"\x7fELF");
    assert!(hbm.sections().iter().all(|section| section.offset % section.alignment == 0));
    assert_eq!(hbm.sections()[2].offset % 4096, 0);
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    assert_eq!(file(), file());
}

#[test]
fn a_file_appears_through_the_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.hbm");
    builder().write(&manifest(), &path).unwrap();
    assert_eq!(Hbm::open(&path).unwrap().into_bytes(), file());
    std::fs::write(&path, b"hello").unwrap();
    let error = Hbm::open(&path).unwrap_err();
    assert_eq!(error.rule(), Some(ManifestRule::HeaderSize));
    assert!(error.to_string().contains("model.hbm"), "{error}");
    assert!(matches!(Hbm::open(folder.path()), Err(HbmError::Read { .. })));
    assert!(matches!(Hbm::open(&folder.path().join("missing")), Err(HbmError::Read { .. })));
}

fn rule_of_file(bytes: Vec<u8>) -> Option<ManifestRule> {
    Hbm::from_bytes(bytes).err().and_then(|error| error.rule())
}

/// Breaks the file by hand.
fn bytes_broken_by(change: impl FnOnce(&mut Vec<u8>)) -> Option<ManifestRule> {
    let mut bytes = file();
    change(&mut bytes);
    rule_of_file(bytes)
}

/// Breaks the section table by hand, then gives it the right hash, as a hostile writer would.
fn table_broken_by(index: usize, field: usize, value: &[u8]) -> Option<ManifestRule> {
    bytes_broken_by(|bytes| {
        let at = HEADER_BYTES + index * ENTRY_BYTES + field;
        bytes[at..at + value.len()].copy_from_slice(value);
        rehash(bytes);
    })
}

pub(super) fn rehash(bytes: &mut [u8]) {
    let count = u32::from_le_bytes(bytes[24..28].try_into().unwrap()) as usize;
    let hash = sha256(&bytes[HEADER_BYTES..HEADER_BYTES + count * ENTRY_BYTES]);
    bytes[32..64].copy_from_slice(&hash);
}

/// Breaks the manifest and writes it as if nothing were wrong.
fn manifest_broken_by(change: impl FnOnce(&mut Manifest)) -> Option<ManifestRule> {
    let mut broken = manifest();
    change(&mut broken);
    builder().finish(&broken).err().and_then(|error| error.rule())
}

/// A file with these bytes as its manifest and no other section.
fn raw_manifest(bytes: &[u8]) -> Option<ManifestRule> {
    rule_of_file(assemble(&[(SectionKind::Manifest, 8, bytes)]).unwrap())
}

#[test]
fn rules_of_the_header() {
    assert_eq!(bytes_broken_by(|bytes| bytes.truncate(63)), Some(ManifestRule::HeaderSize));
    assert_eq!(bytes_broken_by(|bytes| bytes[0] = b'H'), Some(ManifestRule::HeaderMagic));
    assert_eq!(bytes_broken_by(|bytes| bytes[12] = 2), Some(ManifestRule::HeaderMajor));
    assert_eq!(bytes_broken_by(|bytes| bytes[12] = 0), Some(ManifestRule::HeaderMajor));
    assert_eq!(bytes_broken_by(|bytes| bytes[14] = MINOR as u8 + 1), Some(ManifestRule::HeaderMinor));
    assert_eq!(bytes_broken_by(|bytes| bytes[28] = 1), Some(ManifestRule::HeaderReserved));
    assert_eq!(bytes_broken_by(|bytes| bytes.push(0)), Some(ManifestRule::HeaderFileSize));
    assert_eq!(bytes_broken_by(|bytes| bytes[24..28].fill(0)), Some(ManifestRule::HeaderSectionCount));
    assert_eq!(bytes_broken_by(|bytes| bytes[24..28].fill(0xff)), Some(ManifestRule::HeaderSectionCount));
    assert_eq!(bytes_broken_by(|bytes| bytes[40] ^= 1), Some(ManifestRule::TableHash));
}

#[test]
fn the_page_is_of_this_version() {
    let page = include_str!("../../docs/hbm-format.md");
    for line in [
        format!("# The .hbm format, version {MAJOR}.{MINOR}\n"),
        format!("| major | {MAJOR}. A reader refuses every other |"),
        format!("| minor | {MINOR}. A reader refuses higher ones than its own |"),
    ] {
        assert!(page.contains(&line), "{line}");
    }
}

#[test]
fn rules_of_the_sections() {
    assert_eq!(table_broken_by(1, 0, &99u32.to_le_bytes()), Some(ManifestRule::SectionKind));
    assert_eq!(table_broken_by(1, 4, &1u32.to_le_bytes()), Some(ManifestRule::SectionFlags));
    assert_eq!(table_broken_by(1, 28, &1u32.to_le_bytes()), Some(ManifestRule::SectionFlags));
    assert_eq!(table_broken_by(1, 24, &3u32.to_le_bytes()), Some(ManifestRule::SectionAlignment));
    assert_eq!(table_broken_by(1, 24, &0u32.to_le_bytes()), Some(ManifestRule::SectionAlignment));
    assert_eq!(table_broken_by(1, 24, &8192u32.to_le_bytes()), Some(ManifestRule::SectionAlignment));
    // Overlap with the manifest, and a gap.
    assert_eq!(table_broken_by(1, 8, &384u64.to_le_bytes()), Some(ManifestRule::SectionPlace));
    assert_eq!(table_broken_by(1, 8, &65536u64.to_le_bytes()), Some(ManifestRule::SectionPlace));
    assert_eq!(table_broken_by(1, 8, &u64::MAX.to_le_bytes()), Some(ManifestRule::SectionPlace));
    assert_eq!(table_broken_by(1, 16, &u64::MAX.to_le_bytes()), Some(ManifestRule::SectionBounds));
    assert_eq!(table_broken_by(4, 16, &5u64.to_le_bytes()), Some(ManifestRule::SectionBounds));
    let program = Hbm::from_bytes(file()).unwrap().sections()[1].clone();
    assert_eq!(bytes_broken_by(|bytes| bytes[program.offset + 100] = 1), Some(ManifestRule::SectionPadding));
    assert_eq!(bytes_broken_by(|bytes| bytes[program.offset] = 0), Some(ManifestRule::SectionHash));
    let end = bytes_broken_by(|bytes| {
        bytes.push(0);
        let size = bytes.len() as u64;
        bytes[16..24].copy_from_slice(&size.to_le_bytes());
    });
    assert_eq!(end, Some(ManifestRule::FileEnd));
}

#[test]
fn the_writer_refuses_a_bad_alignment() {
    let mut builder = builder();
    builder.add_section(SectionKind::Program, 12, vec![]);
    assert_eq!(builder.finish(&manifest()).unwrap_err().rule(), Some(ManifestRule::SectionAlignment));
}

#[test]
fn rules_of_the_manifest_as_protobuf() {
    let encoded = wire::encode(&manifest());
    assert_eq!(rule_of_file(assemble(&[(SectionKind::Program, 8, &[])]).unwrap()), Some(ManifestRule::ManifestPlace));
    let doubled = assemble(&[(SectionKind::Manifest, 8, &encoded), (SectionKind::Manifest, 8, &encoded)]);
    assert_eq!(rule_of_file(doubled.unwrap()), Some(ManifestRule::ManifestPlace));
    // Field 12 does not exist.
    assert_eq!(raw_manifest(&[12 << 3, 0]), Some(ManifestRule::ManifestWire));
    // A length beyond the end; a number where a text belongs; a group.
    assert_eq!(raw_manifest(&[(2 << 3) | 2, 9, b'x']), Some(ManifestRule::ManifestWire));
    assert_eq!(raw_manifest(&[2 << 3, 1]), Some(ManifestRule::ManifestWire));
    assert_eq!(raw_manifest(&[(2 << 3) | 3, (2 << 3) | 4]), Some(ManifestRule::ManifestWire));
    // The same field twice; fields out of order.
    assert_eq!(raw_manifest(&[(2 << 3) | 2, 1, b'a', (2 << 3) | 2, 1, b'b']), Some(ManifestRule::ManifestWire));
    assert_eq!(raw_manifest(&[(3 << 3) | 2, 1, b'a', (2 << 3) | 2, 1, b'b']), Some(ManifestRule::ManifestWire));
    // A varint that never ends.
    assert_eq!(raw_manifest(&[0xff; 32]), Some(ManifestRule::ManifestWire));
    assert_eq!(raw_manifest(&[(2 << 3) | 2, 1, 0xff]), Some(ManifestRule::ManifestText));
    // Two bytes per buffer here, a struct per buffer in memory.
    let buffers: Vec<u8> = [(9 << 3) | 2, 0].repeat(1 << 18);
    assert_eq!(raw_manifest(&buffers), Some(ManifestRule::ManifestSize));
    assert_eq!(raw_manifest(&[(5 << 3) | 2, 1, 0]), Some(ManifestRule::ManifestTarget));
    let digest: Vec<u8> = [vec![(5 << 3) | 2, 32], vec![0; 32]].concat();
    assert_eq!(raw_manifest(&digest), Some(ManifestRule::ManifestTarget));
    // A buffer without element type, with one that does not exist; a segment without body.
    assert_eq!(raw_manifest(&[digest.clone(), vec![(9 << 3) | 2, 0]].concat()), Some(ManifestRule::ManifestType));
    assert_eq!(
        raw_manifest(&[digest.clone(), vec![(9 << 3) | 2, 2, 3 << 3, 14]].concat()),
        Some(ManifestRule::ManifestType)
    );
    assert_eq!(raw_manifest(&[digest, vec![(10 << 3) | 2, 0]].concat()), Some(ManifestRule::ManifestSegment));
}

/// A plane of a picture beside the region that is taken of it, and what else cannot stand there.
#[test]
fn rules_of_regions() {
    let with_region =
        |m: &mut Manifest, plane: &[usize], element: ElementType, region: &[usize], region_element: ElementType| {
            let first = m.buffers.len();
            for (name, dims, element) in [("plane", plane, element), ("region", region, region_element)] {
                let bytes = dims.iter().product::<usize>() * element.bytes();
                m.buffers.push(Buffer { name: name.into(), bytes, element_type: element, dims: dims.to_vec() });
            }
            let of = m.inputs.len() + 1;
            m.inputs.push(TensorDescription { region: Some(of), ..tensor("plane", plane, element, first) });
            m.inputs.push(tensor("region", region, region_element, first + 1));
        };
    let broken = |plane: &[usize], element, region: &[usize], region_element| {
        manifest_broken_by(|m| with_region(m, plane, element, region, region_element))
    };
    assert_eq!(broken(&[1, 4, 6, 1], ElementType::U8, &[1, 4], ElementType::I32), None);
    assert_eq!(broken(&[1, 4, 6, 1], ElementType::I8, &[1, 4], ElementType::I32), Some(ManifestRule::ManifestRegion));
    assert_eq!(broken(&[4, 6, 1], ElementType::U8, &[1, 4], ElementType::I32), Some(ManifestRule::ManifestRegion));
    assert_eq!(broken(&[2, 4, 6, 1], ElementType::U8, &[1, 4], ElementType::I32), Some(ManifestRule::ManifestRegion));
    assert_eq!(broken(&[1, 0, 6, 1], ElementType::U8, &[1, 4], ElementType::I32), Some(ManifestRule::ManifestRegion));
    assert_eq!(broken(&[1, 4, 6, 1], ElementType::U8, &[4], ElementType::I32), Some(ManifestRule::ManifestRegion));
    assert_eq!(broken(&[1, 4, 6, 1], ElementType::U8, &[1, 4], ElementType::I64), Some(ManifestRule::ManifestRegion));
    let of_planes = |m: &mut Manifest| with_region(m, &[1, 4, 6, 1], ElementType::U8, &[1, 4], ElementType::I32);
    let itself = manifest_broken_by(|m| {
        of_planes(m);
        let plane = m.inputs.len() - 2;
        m.inputs[plane].region = Some(plane);
    });
    assert_eq!(itself, Some(ManifestRule::ManifestRegion));
    let nowhere = manifest_broken_by(|m| {
        of_planes(m);
        let plane = m.inputs.len() - 2;
        m.inputs[plane].region = Some(99);
    });
    assert_eq!(nowhere, Some(ManifestRule::ManifestRegion));
    assert_eq!(manifest_broken_by(|m| m.outputs[0].region = Some(0)), Some(ManifestRule::ManifestRegion));
}

#[test]
fn rules_of_names_counts_and_shapes() {
    assert_eq!(manifest_broken_by(|m| m.march.clear()), Some(ManifestRule::ManifestTarget));
    assert_eq!(manifest_broken_by(|m| m.buffers[0].name.clear()), Some(ManifestRule::ManifestName));
    assert_eq!(manifest_broken_by(|m| m.buffers[0].name = "n".repeat(4097)), Some(ManifestRule::ManifestName));
    assert_eq!(manifest_broken_by(|m| m.buffers[0].name = "middle".into()), Some(ManifestRule::ManifestName));
    assert_eq!(manifest_broken_by(|m| m.parameters[0].name = "advice".into()), Some(ManifestRule::ManifestName));
    assert_eq!(manifest_broken_by(|m| m.buffers[0].bytes = 1 << 37), Some(ManifestRule::ManifestCount));
    assert_eq!(manifest_broken_by(|m| m.buffers[0].bytes = usize::MAX), Some(ManifestRule::ManifestCount));
    assert_eq!(manifest_broken_by(|m| m.buffers[0].dims = vec![1; 11]), Some(ManifestRule::ManifestCount));
    assert_eq!(manifest_broken_by(|m| m.buffers[0].dims = vec![7]), Some(ManifestRule::ManifestShape));
    assert_eq!(manifest_broken_by(|m| m.buffers[0].dims = vec![usize::MAX, 2]), Some(ManifestRule::ManifestShape));
    assert_eq!(manifest_broken_by(|m| m.inputs[0].dims = vec![3, 3]), Some(ManifestRule::ManifestShape));
    assert_eq!(manifest_broken_by(|m| m.inputs[0].element_type = ElementType::I32), Some(ManifestRule::ManifestType));
    assert_eq!(manifest_broken_by(|m| m.inputs[0].strides = vec![12]), Some(ManifestRule::ManifestStrides));
    assert_eq!(manifest_broken_by(|m| m.inputs[0].strides = vec![8, 4]), Some(ManifestRule::ManifestStrides));
    assert_eq!(manifest_broken_by(|m| m.inputs[0].strides = vec![12, 3]), Some(ManifestRule::ManifestStrides));
    assert_eq!(manifest_broken_by(|m| m.inputs[0].strides = vec![usize::MAX, 4]), Some(ManifestRule::ManifestShape));
    // A padded row fits as long as the buffer holds the last element.
    assert_eq!(manifest_broken_by(|m| m.outputs[1].strides = vec![32, 4]), None);
    assert_eq!(manifest_broken_by(|m| m.outputs[1].strides = vec![52, 4]), Some(ManifestRule::ManifestShape));
}

#[test]
fn rules_of_quantization() {
    fn broken_by(change: impl FnOnce(&mut TensorQuantization)) -> Option<ManifestRule> {
        manifest_broken_by(|m| change(m.outputs[0].quantization.as_mut().unwrap()))
    }
    assert_eq!(broken_by(|q| q.axis = None), Some(ManifestRule::ManifestQuantization));
    assert_eq!(broken_by(|q| q.axis = Some(0)), Some(ManifestRule::ManifestQuantization));
    assert_eq!(broken_by(|q| q.axis = Some(2)), Some(ManifestRule::ManifestQuantization));
    assert_eq!(broken_by(|q| q.scales[0] = 0.0), Some(ManifestRule::ManifestQuantization));
    assert_eq!(broken_by(|q| q.scales[0] = f64::NAN), Some(ManifestRule::ManifestQuantization));
    assert_eq!(broken_by(|q| q.zero_points.truncate(2)), Some(ManifestRule::ManifestQuantization));
}

#[test]
fn rules_of_references_and_flow() {
    assert_eq!(manifest_broken_by(|m| m.inputs[0].buffer = 3), Some(ManifestRule::ManifestBuffer));
    assert_eq!(manifest_broken_by(|m| m.segments[0].inputs = vec![3]), Some(ManifestRule::ManifestBuffer));
    assert_eq!(manifest_broken_by(|m| m.segments[0].outputs = vec![3]), Some(ManifestRule::ManifestBuffer));
    assert_eq!(manifest_broken_by(|m| m.segments[0].inputs = vec![2]), Some(ManifestRule::ManifestFlow));
    assert_eq!(manifest_broken_by(|m| m.segments[1].outputs = vec![1]), Some(ManifestRule::ManifestFlow));
    assert_eq!(manifest_broken_by(|m| m.segments.swap(0, 1)), Some(ManifestRule::ManifestFlow));
    let unwritten = manifest_broken_by(|m| m.buffers.push(buffer("extra", 1, ElementType::U8, &[])));
    assert_eq!(unwritten, Some(ManifestRule::ManifestFlow));
    assert_eq!(manifest_broken_by(|m| m.layers[0].segment = 2), Some(ManifestRule::ManifestSegment));
    fn bpu(change: impl FnOnce(&mut BpuSegment)) -> Option<ManifestRule> {
        manifest_broken_by(|m| match &mut m.segments[0].body {
            SegmentBody::Bpu(bpu) => change(bpu),
            SegmentBody::Cpu(_) => panic!("segment 0 is a bpu segment"),
        })
    }
    assert_eq!(bpu(|bpu| bpu.program_section = 2), Some(ManifestRule::ManifestSection));
    assert_eq!(bpu(|bpu| bpu.program_section = 5), Some(ManifestRule::ManifestSection));
    assert_eq!(bpu(|bpu| bpu.program_section = 0), Some(ManifestRule::ManifestSection));
    assert_eq!(bpu(|bpu| bpu.constants_section = None), Some(ManifestRule::ManifestSection));
}

#[test]
fn the_documentation_names_every_rule() {
    let documentation = include_str!("../../docs/hbm-format.md");
    for rule in ManifestRule::ALL {
        assert!(documentation.contains(&format!("`{rule}`")), "docs/hbm-format.md lacks {rule}");
        assert!(documentation.contains(rule.sentence()), "docs/hbm-format.md lacks the sentence of {rule}");
    }
    for kind in SectionKind::ALL {
        assert!(documentation.contains(&format!("| {} | {} |", kind as u32, kind.name())), "{}", kind.name());
    }
}
