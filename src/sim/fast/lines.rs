//! Elementwise instructions whose operands are one line each: parts of it on all threads.

use std::ops::Range;

use crate::nash::isa::BpuElement;
use crate::team::TeamRun;

use super::kernel::Level;
use super::walk::{CHUNK, Line};

/// Elements from which threads pay off. Tests have little memory, and yet several parts.
const PARALLEL_FROM: usize = if cfg!(test) { 1 << 6 } else { 1 << 14 };
/// Elements of a part.
const PART: usize = if cfg!(test) { 50 } else { 8 * CHUNK };

/// Where the elements of an input are.
#[derive(Clone, Copy)]
enum Source<'a> {
    /// Where those of the output go.
    InPlace,
    Apart {
        bytes: &'a [u8],
        line: Line,
    },
}

impl Source<'_> {
    /// Reads the elements from `first` on; `place` is where their results go.
    fn read(&self, level: Level, first: usize, place: &[u8], output: Line, values: &mut [i32]) -> Option<()> {
        match self {
            Source::InPlace => output.read(level, place, 0, values),
            Source::Apart { bytes, line } => line.read(level, bytes, first, values),
        }
    }
}

/// As [`in_parts`], of two inputs and an output whose elements are bytes.
pub(super) fn in_parts_of_bytes(
    team: &mut TeamRun<'_>,
    memory: &mut [u8],
    length: usize,
    (inputs, output): ([Line; 2], Line),
    compute: impl Fn([&[u8]; 2], &mut [u8]) + Sync,
) -> bool {
    let are_bytes = inputs.iter().chain([&output]).all(|line| line.element == BpuElement::I8 && line.step == 1);
    if length < PARALLEL_FROM || !are_bytes {
        return false;
    }
    let Some((sources, results)) = split(memory, length, inputs, output) else { return false };
    team.for_each_row(results, PART, |part, results| {
        let mut copy = [0; CHUNK];
        for (chunk, results) in results.chunks_mut(CHUNK).enumerate() {
            let (first, copy) = (part * PART + chunk * CHUNK, &mut copy[..results.len()]);
            copy.copy_from_slice(results);
            let inputs = sources.map(|source| match source {
                Source::InPlace => &*copy,
                Source::Apart { bytes, line } => &bytes[line.start + first..][..copy.len()],
            });
            compute(inputs, results);
        }
    });
    true
}

/// Bytes of a line of `length` elements that follow one another, or are one.
fn range(line: &Line, length: usize) -> Option<Range<usize>> {
    let bytes = line.element.bytes() as usize;
    let elements = match usize::try_from(line.step) {
        Ok(0) => 1,
        Ok(step) if step == bytes => length,
        _ => return None,
    };
    Some(line.start..line.start.checked_add(elements.checked_mul(bytes)?)?)
}

/// Computes the output from one or two inputs, if it is long and each input is apart from it or is replaced by it: `compute` makes the
/// results of some elements of the first input. False where nothing was done.
pub(super) fn in_parts<const INPUTS: usize>(
    (team, level): (&mut TeamRun<'_>, Level),
    memory: &mut [u8],
    length: usize,
    (inputs, output): ([Line; INPUTS], Line),
    compute: impl Fn(&mut [[i32; CHUNK]; INPUTS], usize) + Sync,
) -> bool {
    if length < PARALLEL_FROM {
        return false;
    }
    let Some((sources, results)) = split(memory, length, inputs, output) else { return false };
    let bytes = output.element.bytes() as usize;
    let output = Line { start: 0, ..output };
    team.for_each_row(results, PART * bytes, |part, results| {
        let mut values = [[0; CHUNK]; INPUTS];
        for (chunk, results) in results.chunks_mut(CHUNK * bytes).enumerate() {
            let (first, count) = (part * PART + chunk * CHUNK, results.len() / bytes);
            // Lines were found to be there.
            for (source, values) in sources.iter().zip(&mut values) {
                source.read(level, first, results, output, &mut values[..count]);
            }
            compute(&mut values, count);
            output.write(level, results, 0, &values[0][..count]);
        }
    });
    true
}

/// The inputs, and the bytes of the output.
fn split<const INPUTS: usize>(
    memory: &mut [u8],
    length: usize,
    inputs: [Line; INPUTS],
    output: Line,
) -> Option<([Source<'_>; INPUTS], &mut [u8])> {
    let written = range(&output, length).filter(|range| range.len() / output.element.bytes() as usize == length)?;
    let (before, rest) = memory.split_at_mut_checked(written.start)?;
    let (results, after) = rest.split_at_mut_checked(written.len())?;
    let mut sources = [Source::InPlace; INPUTS];
    for (source, line) in sources.iter_mut().zip(inputs) {
        let read = range(&line, length)?;
        if read == written && line.element == output.element {
            continue;
        }
        *source = if read.end <= before.len() {
            Source::Apart { bytes: &*before, line }
        } else if read.start >= written.end && read.end <= written.end + after.len() {
            Source::Apart { bytes: &*after, line: Line { start: line.start - written.end, ..line } }
        } else {
            return None;
        };
    }
    Some((sources, results))
}
