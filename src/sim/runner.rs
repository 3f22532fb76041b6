//! Runs a `.hbm`: binds buffers, then walks its segments in order.

use super::bpu_segment::{BpuRunner, timeline};
use super::cpu_time::{cpu_steps, step_microseconds};
use super::executor::{ExecutionError, ModelExecutor, Outcome, TensorSpecification};
use super::perf::{SegmentTimeline, crossings};
use super::regions::Pictures;
use crate::cpu::{Array, Work};
use crate::hbm::{Buffer, Hbm, Manifest, SegmentBody, SegmentDescription, TensorDescription};
use crate::target::{Target, TargetError};

/// What is known of a cpu segment before it runs.
#[derive(Debug, Clone)]
pub struct CpuSegmentSource<'a> {
    /// The segment's name, for messages.
    pub name: &'a str,
    /// MLIR bytecode.
    pub ir: &'a [u8],
    /// Symbol of the function in the IR.
    pub entry: &'a str,
    /// In the order of the function's arguments.
    pub inputs: Vec<&'a Buffer>,
    /// In the order of the function's results.
    pub outputs: Vec<&'a Buffer>,
}

/// A cpu segment that is ready to run. One executor serves all threads.
pub trait CpuSegmentExecutor: Send + Sync {
    /// Runs the function once. Slices hold dense row-major little-endian tensors, in the order of the function's arguments and results,
    /// as long as their buffers.
    fn run(&self, inputs: &[&[u8]], outputs: &mut [Vec<u8>]) -> Result<(), ExecutionError>;

    /// What its steps take, where that is known.
    fn works(&self) -> &[Work] {
        &[]
    }
}

/// Makes cpu segments ready to run, from their IR: native code in the file is for the board and never run.
pub trait CpuSegmentLoader {
    /// Compiles the segment for this machine.
    ///
    /// # Errors
    /// When the IR cannot be read or holds what the CPU backend cannot run.
    fn load(&self, source: &CpuSegmentSource<'_>) -> Result<Box<dyn CpuSegmentExecutor>, ExecutionError>;
}

/// Why a verified `.hbm` cannot be run here.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum RunnerError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error("segment {segment:?}: {source}")]
    Segment { segment: String, source: ExecutionError },
}

enum SegmentRunner {
    Bpu(BpuRunner),
    Cpu(Box<dyn CpuSegmentExecutor>),
}

impl SegmentRunner {
    /// The time of a run on the target.
    fn microseconds(&self, target: &Target) -> f64 {
        match self {
            Self::Bpu(bpu) => bpu.microseconds(),
            Self::Cpu(cpu) => cpu.works().iter().map(|work| step_microseconds(work, target)).sum(),
        }
    }
}

/// A `.hbm` that is ready to run.
pub struct Runner {
    manifest: Manifest,
    target: Target,
    segments: Vec<SegmentRunner>,
    /// Predicted, in microseconds: it depends on no data.
    latency: f64,
    inputs: Vec<TensorSpecification>,
    pictures: Pictures,
    outputs: Vec<String>,
}

fn specification(tensor: &TensorDescription) -> TensorSpecification {
    TensorSpecification {
        name: tensor.name.clone(),
        element_type: tensor.element_type,
        dims: tensor.dims.iter().copied().map(Some).collect(),
    }
}

impl Runner {
    /// Decodes the programs and loads the cpu segments. `check_races` also looks for races between engines.
    pub fn new(hbm: &Hbm, cpu: &dyn CpuSegmentLoader, check_races: bool) -> Result<Self, RunnerError> {
        let target = Target::named(&hbm.manifest().march)?;
        Self::with_target(hbm, target, cpu, check_races)
    }

    /// As [`Runner::new`], for a target with changed numbers.
    pub fn with_target(
        hbm: &Hbm,
        target: Target,
        cpu: &dyn CpuSegmentLoader,
        check_races: bool,
    ) -> Result<Self, RunnerError> {
        let manifest = hbm.manifest();
        let load = |segment: &SegmentDescription| match &segment.body {
            SegmentBody::Bpu(_) => BpuRunner::new(hbm, segment, &target, check_races).map(SegmentRunner::Bpu),
            SegmentBody::Cpu(body) => {
                let source = CpuSegmentSource {
                    name: &segment.name,
                    ir: hbm.section(body.ir_section),
                    entry: &body.entry,
                    inputs: buffers(manifest, &segment.inputs),
                    outputs: buffers(manifest, &segment.outputs),
                };
                cpu.load(&source).map(SegmentRunner::Cpu)
            }
        };
        let located =
            |segment: &SegmentDescription, source| RunnerError::Segment { segment: segment.name.clone(), source };
        let segments = manifest
            .segments
            .iter()
            .map(|segment| load(segment).map_err(|source| located(segment, source)))
            .collect::<Result<Vec<SegmentRunner>, _>>()?;
        let crossing: f64 = crossings(manifest, &target).into_iter().sum();
        let latency = segments.iter().map(|segment| segment.microseconds(&target)).sum::<f64>() + crossing;
        let mut inputs: Vec<TensorSpecification> = manifest.inputs.iter().map(specification).collect();
        let planes = manifest.inputs.iter().enumerate().filter_map(|(index, input)| Some((index, input.region?)));
        let pictures = Pictures::new(planes, &mut inputs);
        Ok(Self {
            inputs,
            pictures,
            outputs: manifest.outputs.iter().map(|tensor| tensor.name.clone()).collect(),
            manifest: manifest.clone(),
            target,
            segments,
            latency,
        })
    }

    /// The hardware that it was compiled for.
    pub fn target(&self) -> &Target {
        &self.target
    }

    fn run_segments(&self, memory: &mut [Vec<u8>]) -> Result<(), RunnerError> {
        for (segment, runner) in self.manifest.segments.iter().zip(&self.segments) {
            let located = |source| RunnerError::Segment { segment: segment.name.clone(), source };
            let inputs: Vec<&[u8]> =
                segment.inputs.iter().filter_map(|index| memory.get(*index)).map(Vec::as_slice).collect();
            let outputs = match runner {
                SegmentRunner::Bpu(bpu) => bpu.run(&inputs).map_err(located)?.0,
                SegmentRunner::Cpu(cpu) => {
                    let mut outputs = segment
                        .outputs
                        .iter()
                        .map(|index| zeros(self.manifest.buffers.get(*index)))
                        .collect::<Result<Vec<_>, _>>()
                        .map_err(located)?;
                    cpu.run(&inputs, &mut outputs).map_err(located)?;
                    outputs
                }
            };
            for (index, output) in segment.outputs.iter().zip(outputs) {
                if let Some(slot) = memory.get_mut(*index) {
                    *slot = output;
                }
            }
        }
        Ok(())
    }

    /// The bytes of every buffer after a run, for comparing levels tensor by tensor. `inputs` are dense.
    pub fn run_buffers(&self, inputs: &[Array]) -> Result<Vec<Vec<u8>>, ExecutionError> {
        let inputs = self.pictures.fit(&self.inputs, inputs)?;
        let mut memory: Vec<Vec<u8>> = vec![Vec::new(); self.manifest.buffers.len()];
        for (tensor, array) in self.manifest.inputs.iter().zip(&inputs) {
            let mut bytes = zeros(self.manifest.buffers.get(tensor.buffer))?;
            copy_elements(tensor, |strided, dense, size| {
                if let (Some(to), Some(from)) =
                    (bytes.get_mut(strided..strided + size), array.as_bytes().get(dense..dense + size))
                {
                    to.copy_from_slice(from);
                }
            });
            if let Some(slot) = memory.get_mut(tensor.buffer) {
                *slot = bytes;
            }
        }
        self.run_segments(&mut memory).map_err(|error| ExecutionError(error.to_string()))?;
        Ok(memory)
    }
}

impl ModelExecutor for Runner {
    fn inputs(&self) -> &[TensorSpecification] {
        &self.inputs
    }

    fn outputs(&self) -> &[String] {
        &self.outputs
    }

    fn run(&self, inputs: &[Array]) -> Result<Outcome, ExecutionError> {
        let memory = self.run_buffers(inputs)?;
        let outputs = self.manifest.outputs.iter().map(|tensor| {
            let buffer = memory.get(tensor.buffer).map(Vec::as_slice).unwrap_or_default();
            let sizes = tensor.sizes_buffer.and_then(|index| memory.get(index));
            let dims = sizes.map_or_else(|| Ok(tensor.dims.clone()), |sizes| actual_dims(tensor, sizes))?;
            let mut bytes = Vec::new();
            for_each_run(&dims, &tensor.strides, tensor.element_type.bytes(), |strided, _, size| {
                bytes.extend_from_slice(buffer.get(strided..strided + size).unwrap_or_default());
            });
            Array::from_bytes(tensor.element_type, &dims, &bytes).map_err(|error| ExecutionError(error.to_string()))
        });
        Ok(Outcome { outputs: outputs.collect::<Result<_, _>>()?, latency: Some(self.latency) })
    }
}

/// The schedules of the segments of a model, without data.
pub fn timelines(hbm: &Hbm, target: &Target) -> Result<Vec<SegmentTimeline>, RunnerError> {
    let of = |segment: &SegmentDescription| match &segment.body {
        SegmentBody::Bpu(_) => timeline(hbm, segment, target).map(SegmentTimeline::Bpu),
        SegmentBody::Cpu(body) => cpu_steps(hbm, segment, body, target).map(SegmentTimeline::Cpu),
    };
    let located = |segment: &SegmentDescription| {
        of(segment).map_err(|source| RunnerError::Segment { segment: segment.name.clone(), source })
    };
    hbm.manifest().segments.iter().map(located).collect()
}

/// The buffers of indices that the manifest's check has found to exist.
pub(super) fn buffers<'a>(manifest: &'a Manifest, indices: &[usize]) -> Vec<&'a Buffer> {
    indices.iter().filter_map(|index| manifest.buffers.get(*index)).collect()
}

/// Zeroed memory of a size that a file asked for: its absence is an error, not an abort.
fn zeros(buffer: Option<&Buffer>) -> Result<Vec<u8>, ExecutionError> {
    let (name, size) = buffer.map_or(("?", 0), |buffer| (buffer.name.as_str(), buffer.bytes));
    let mut memory = Vec::new();
    memory
        .try_reserve_exact(size)
        .map_err(|_| ExecutionError(format!("no memory for the {size} bytes of buffer {name:?}")))?;
    memory.resize(size, 0);
    Ok(memory)
}

/// The sizes that a run gave an output.
fn actual_dims(tensor: &TensorDescription, sizes: &[u8]) -> Result<Vec<usize>, ExecutionError> {
    let (sizes, _) = sizes.as_chunks::<8>();
    let read = |(&dim, bytes): (&usize, &[u8; 8])| {
        let size = usize::try_from(i64::from_le_bytes(*bytes)).ok().filter(|size| *size <= dim);
        size.ok_or_else(|| {
            let size = i64::from_le_bytes(*bytes);
            ExecutionError(format!("output {:?} says to have {size} of at most {dim} elements", tensor.name))
        })
    };
    tensor.dims.iter().zip(sizes).map(read).collect()
}

/// Calls `copy(strided offset, dense offset, bytes)` for the runs of neighbouring elements of a tensor, in row-major order.
fn copy_elements(tensor: &TensorDescription, copy: impl FnMut(usize, usize, usize)) {
    for_each_run(&tensor.dims, &tensor.strides, tensor.element_type.bytes(), copy);
}

/// Calls `copy(strided offset, dense offset, bytes)` for the runs of neighbouring elements, in row-major order. Strides are in
/// bytes.
pub(super) fn for_each_run(
    dims: &[usize],
    strides: &[usize],
    element_bytes: usize,
    mut copy: impl FnMut(usize, usize, usize),
) {
    if dims.contains(&0) {
        return;
    }
    // Inner dimensions without gaps join into one run.
    let mut run = element_bytes;
    let mut outer = dims.len();
    for (axis, (&dim, &stride)) in dims.iter().zip(strides).enumerate().rev() {
        if stride != run && dim != 1 {
            break;
        }
        run *= dim;
        outer = axis;
    }
    let mut index = vec![0usize; outer];
    let mut dense = 0;
    loop {
        let strided = index.iter().zip(strides).map(|(index, stride)| index * stride).sum();
        copy(strided, dense, run);
        dense += run;
        let advanced = index.iter_mut().zip(dims).rev().any(|(index, &dim)| {
            *index += 1;
            if *index == dim {
                *index = 0;
            }
            *index != 0
        });
        if !advanced {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hbm::{CpuSegment, HbmBuilder, SectionKind, Version, dense_strides};
    use hb_dialects::ElementType;

    /// Adds the IR's only byte to every byte.
    struct AddLoader;
    struct Add(u8);

    impl CpuSegmentLoader for AddLoader {
        fn load(&self, source: &CpuSegmentSource<'_>) -> Result<Box<dyn CpuSegmentExecutor>, ExecutionError> {
            assert_eq!((source.inputs.len(), source.outputs.len()), (1, 1));
            match source.ir {
                [byte] => Ok(Box::new(Add(*byte))),
                _ => Err(ExecutionError(format!("function {:?} is not a byte", source.entry))),
            }
        }
    }

    impl CpuSegmentExecutor for Add {
        fn run(&self, inputs: &[&[u8]], outputs: &mut [Vec<u8>]) -> Result<(), ExecutionError> {
            for (output, input) in outputs[0].iter_mut().zip(inputs[0]) {
                *output = input.wrapping_add(self.0);
            }
            Ok(())
        }
    }

    fn tensor(name: &str, strides: Vec<usize>, buffer: usize) -> TensorDescription {
        TensorDescription {
            name: name.into(),
            dims: vec![2, 3],
            element_type: ElementType::U8,
            strides,
            quantization: None,
            layout: String::new(),
            buffer,
            sizes_buffer: None,
            region: None,
            layer: None,
        }
    }

    /// Two cpu segments; rows of the input are padded to 4 bytes, rows of the output are not.
    fn model(ir: &[u8]) -> Hbm {
        let mut builder = HbmBuilder::new();
        builder.add_section(SectionKind::CpuIr, 1, vec![1]);
        builder.add_section(SectionKind::CpuIr, 1, ir.to_vec());
        let segment = |index: usize| SegmentDescription {
            name: format!("cpu_{index}"),
            inputs: vec![index],
            outputs: vec![index + 1],
            body: SegmentBody::Cpu(CpuSegment { ir_section: index + 1, object_section: None, entry: "f".into() }),
        };
        let buffer = |name: &str| Buffer { name: name.into(), bytes: 8, element_type: ElementType::U8, dims: vec![] };
        let dense = dense_strides(&[2, 3], ElementType::U8).unwrap();
        let manifest = Manifest {
            versions: vec![Version { name: "hb".into(), version: "0".into() }],
            march: "nash-e".into(),
            inputs: vec![tensor("x", vec![4, 1], 0)],
            outputs: vec![tensor("padded", vec![4, 1], 1), tensor("dense", dense, 2)],
            buffers: ["a", "b", "c"].map(buffer).to_vec(),
            segments: vec![segment(0), segment(1)],
            ..Manifest::default()
        };
        Hbm::from_bytes(builder.finish(&manifest).unwrap()).unwrap()
    }

    #[test]
    fn segments_run_in_order_and_strides_are_kept_out_of_arrays() {
        let runner = Runner::new(&model(&[10]), &AddLoader, false).unwrap();
        let x = Array::from_values(&[2, 3], &[1u8, 2, 3, 4, 5, 6]).unwrap();
        let outcome = runner.run(&[x]).unwrap();
        assert_eq!(outcome.outputs[0].as_bytes(), [2, 3, 4, 5, 6, 7]);
        // The second buffer is 1 2 3 0 4 5 6 0, plus 1 + 10; dense rows cut it at 3 bytes.
        assert_eq!(outcome.outputs[1].as_bytes(), [12, 13, 14, 11, 15, 16]);
    }

    #[test]
    fn a_segment_that_cannot_be_loaded_is_named() {
        let error = Runner::new(&model(&[1, 2]), &AddLoader, false).err().unwrap().to_string();
        assert!(error.contains("\"cpu_1\"") && error.contains("not a byte"), "{error}");
    }

    #[test]
    fn runs_of_elements() {
        let mut seen = Vec::new();
        let mut tensor = tensor("t", vec![8, 2], 0);
        copy_elements(&tensor, |strided, dense, size| seen.push((strided, dense, size)));
        assert_eq!(seen, [(0, 0, 1), (2, 1, 1), (4, 2, 1), (8, 3, 1), (10, 4, 1), (12, 5, 1)]);
        tensor.dims = vec![];
        tensor.strides = vec![];
        seen.clear();
        copy_elements(&tensor, |strided, dense, size| seen.push((strided, dense, size)));
        assert_eq!(seen, [(0, 0, 1)]);
        tensor.dims = vec![0, 3];
        tensor.strides = vec![3, 1];
        seen.clear();
        copy_elements(&tensor, |strided, dense, size| seen.push((strided, dense, size)));
        assert!(seen.is_empty());
    }
}
