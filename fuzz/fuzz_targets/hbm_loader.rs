//! Any bytes as a .hbm: as they are, and with the checksums made right, so that what lies behind these is reached. What is taken is
//! decoded, scheduled and run on zeros, but for segments of the CPU, whose IR is MLIR's to read.

#![no_main]

use hb::hbm::Hbm;
use hb::cpu::Array;
use hb::sim::executor::{ExecutionError, ModelExecutor};
use hb::sim::runner::{CpuSegmentExecutor, CpuSegmentLoader, CpuSegmentSource, Runner, timelines};
use hb::target::Target;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

/// Takes every segment and gives zeros.
struct Zeros;

impl CpuSegmentLoader for Zeros {
    fn load(&self, _: &CpuSegmentSource<'_>) -> Result<Box<dyn CpuSegmentExecutor>, ExecutionError> {
        Ok(Box::new(Zeros))
    }
}

impl CpuSegmentExecutor for Zeros {
    fn run(&self, _: &[&[u8]], _: &mut [Vec<u8>]) -> Result<(), ExecutionError> {
        Ok(())
    }
}

/// Inputs and buffers up to this size are worth running with.
const LARGEST: usize = 16 << 20;

fn number(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    let mut whole = [0; 8];
    whole[..width].copy_from_slice(bytes.get(at..at.checked_add(width)?)?);
    usize::try_from(u64::from_le_bytes(whole)).ok()
}

/// Writes the file's size and every hash that `docs/hbm-format.md` asks for, where the offsets allow it.
fn with_checksums(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let size = bytes.len() as u64;
    bytes.get_mut(16..24)?.copy_from_slice(&size.to_le_bytes());
    let count = number(&bytes, 24, 4)?.min(64);
    for entry in (0..count).map(|index| 64 + 64 * index) {
        let (offset, size) = (number(&bytes, entry + 8, 8)?, number(&bytes, entry + 16, 8)?);
        let hash = Sha256::digest(bytes.get(offset..offset.checked_add(size)?)?);
        bytes.get_mut(entry + 32..entry + 64)?.copy_from_slice(&hash);
    }
    let hash = Sha256::digest(bytes.get(64..64 + 64 * count)?);
    bytes.get_mut(32..64)?.copy_from_slice(&hash);
    Some(bytes)
}

fn load(bytes: Vec<u8>) {
    let Ok(hbm) = Hbm::from_bytes(bytes) else { return };
    hb::hbm::information::to_json(&hbm);
    let Ok(target) = Target::named(&hbm.manifest().march) else { return };
    if let Ok(timelines) = timelines(&hbm, &target) {
        hb::sim::perf::performance(&hbm, &target, &timelines);
    }
    let Ok(runner) = Runner::new(&hbm, &Zeros, true) else { return };
    if hbm.manifest().buffers.iter().any(|buffer| buffer.bytes > LARGEST) {
        return;
    }
    let zeros = runner.inputs().iter().filter_map(|tensor| {
        let dims: Vec<usize> = tensor.dims.iter().copied().collect::<Option<_>>()?;
        let size = dims.iter().try_fold(tensor.element_type.bytes(), |size, dim| size.checked_mul(*dim))?;
        if size <= LARGEST { Array::zeros(tensor.element_type, &dims).ok() } else { None }
    });
    let inputs: Vec<Array> = zeros.collect();
    if inputs.len() == runner.inputs().len() {
        let _ = runner.run(&inputs);
    }
}

fuzz_target!(|bytes: &[u8]| {
    load(bytes.to_vec());
    if let Some(bytes) = with_checksums(bytes.to_vec()) {
        load(bytes);
    }
});
