//! The program with cuts: what is needed on both sides of one is stored and loaded again.

use super::super::isa::{DdrView, Instruction, Load, MemoryRegion, Operation, Program, RANK, Store, View, Yield};
use super::super::schedule::with_waits;
use super::super::tile::emitter::Draft;
use super::lives::Lives;

/// Where the image of local memory in the workspace begins is a multiple of this.
const ALIGNMENT: u64 = 64;

/// A program that is one function call as several: each but the first begins at one of the positions, which rise. What lives then is kept in
/// an image of local memory in the workspace. Instructions of the cutting itself belong to `name`, a new one.
///
/// Each run of bytes is stored once, at the end of the function call that made it, and loaded where it is read; a load whose bytes are
/// used in other function calls is issued in those.
pub fn cut(program: &Program, positions: &[usize], name: String, l1m_bytes: u64) -> Program {
    if positions.is_empty() {
        return program.clone();
    }
    let lives = Lives::new(&program.instructions, l1m_bytes);
    let image = program.workspace.next_multiple_of(ALIGNMENT);
    let source = u32::try_from(program.names.len()).unwrap_or(u32::MAX);
    let mut cutting = Cutting { program, lives: &lives, image, source, drafts: Vec::new(), used: 0 };
    let live = lives.at(positions);
    let starts = std::iter::once(0).chain(positions.iter().copied());
    let ends = positions.iter().copied().chain([program.instructions.len()]);
    for (index, (first, end)) in starts.zip(ends).enumerate() {
        cutting.call(first, end);
        if let Some(live) = live.get(index) {
            cutting.save((first, end), live);
            let bytes = u32::try_from(l1m_bytes).unwrap_or(u32::MAX);
            cutting.drafts.push(Draft { source, operation: Yield { bytes }.into() });
        }
    }
    let workspace = if cutting.used > 0 { image + cutting.used } else { program.workspace };
    let names = program.names.iter().cloned().chain([name]).collect();
    Program { instructions: with_waits(cutting.drafts), names, workspace, ..program.clone() }
}

/// The program without its cuts; none where it has none.
pub fn uncut(program: &Program) -> Option<Program> {
    let is_yield = |instruction: &&Instruction| matches!(instruction.operation, Operation::Yield(_));
    let source = program.instructions.iter().find(is_yield)?.source;
    let own = program.instructions.iter().filter(|instruction| instruction.source != source);
    let drafts = own.map(|instruction| Draft { source: instruction.source, operation: instruction.operation.clone() });
    Some(Program { instructions: with_waits(drafts.collect()), ..program.clone() })
}

struct Cutting<'a> {
    program: &'a Program,
    lives: &'a Lives<'a>,
    /// Where byte 0 of local memory has its place in the workspace.
    image: u64,
    /// Of what is only there for the cuts.
    source: u32,
    drafts: Vec<Draft>,
    /// The end of what is stored, in local memory.
    used: u64,
}

impl Cutting<'_> {
    /// What it reads of before, then its own instructions.
    fn call(&mut self, first: usize, end: usize) {
        let mut exposed = self.lives.nothing();
        (first..end).rev().for_each(|position| self.lives.step_back(position, &mut exposed));
        // Nothing is exposed in the first one: that would be read before it is written.
        let runs = if first == 0 { Vec::new() } else { exposed.all_runs() };
        for (start, end) in runs {
            let load = Load {
                shape: run(start, end),
                element_bytes: 1,
                source: self.in_image(start),
                destination: local(start),
            };
            self.drafts.push(Draft { source: self.source, operation: load.into() });
        }
        let elsewhere = self.lives.reloads.iter().filter(|reload| reload.position < first);
        let mut again: Vec<(usize, usize, bool)> = elsewhere
            .filter_map(|reload| {
                let is_first = reload.used_in(0, first).is_none();
                reload.used_in(first, end).map(|needed| (needed, reload.position, is_first))
            })
            .collect();
        again.sort_unstable();
        for (_, position, is_first) in again {
            // What was not needed before is loaded here in place of there.
            self.issue(position, if is_first { None } else { Some(self.source) });
        }
        let unused = |position: usize| {
            let reloads = &self.lives.reloads;
            let at = reloads.partition_point(|reload| reload.position < position);
            let reload = reloads.get(at).filter(|reload| reload.position == position);
            reload.is_some_and(|reload| reload.used_in(first, end).is_none())
        };
        (first..end).filter(|&position| !unused(position)).for_each(|position| self.issue(position, None));
    }

    fn issue(&mut self, position: usize, source: Option<u32>) {
        if let Some(instruction) = self.program.instructions.get(position) {
            let source = source.unwrap_or(instruction.source);
            self.drafts.push(Draft { source, operation: instruction.operation.clone() });
        }
    }

    /// Stores what a function call made and later ones read.
    fn save(&mut self, (first, end): (usize, usize), live: &super::bytes::ByteSet) {
        let mut written = self.lives.nothing();
        (first..end).for_each(|position| self.lives.write(position, &mut written));
        for (start, end) in live.common_runs(&written) {
            self.used = self.used.max(end);
            let store = Store {
                shape: run(start, end),
                element_bytes: 1,
                source: local(start),
                destination: self.in_image(start),
            };
            self.drafts.push(Draft { source: self.source, operation: store.into() });
        }
    }

    fn in_image(&self, address: u64) -> DdrView {
        let mut strides = [0; RANK];
        strides[RANK - 1] = 1;
        DdrView { region: MemoryRegion::Workspace, offset: self.image + address, strides }
    }
}

/// The shape of a run of bytes.
fn run(start: u64, end: u64) -> [u32; RANK] {
    let mut shape = [1; RANK];
    shape[RANK - 1] = u32::try_from(end - start).unwrap_or(u32::MAX);
    shape
}

/// Bytes of local memory from an address on, which validation has found to be one.
fn local(address: u64) -> View {
    let mut strides = [0; RANK];
    strides[RANK - 1] = 1;
    View::new(u32::try_from(address).unwrap_or(u32::MAX), strides)
}
