//! Which operands of convolutions come from the constants: found once per program, by following the constants through L1M.

use std::collections::HashSet;
use std::sync::Arc;

use crate::nash::isa::{Access, Operation, Region, Space};
use crate::sim::machine::{Machine, SimError, zeros};

use super::convolution::{Prepared, is_supported};
use super::copy;
use super::kernel::Level;
use super::pack::{Parameters, Weights};
use super::walk::Layout;

/// How much memory packed weights may take, per byte of constants; then the rest is packed in every run.
const BYTES_PER_CONSTANT: usize = 8;
/// What they may take in any case.
const SMALL: usize = 16 << 20;

/// L1M as far as it does not depend on data, at one point of a run.
struct Known {
    l1m: Vec<u8>,
    /// 1 for each byte that is known.
    known: Vec<u8>,
}

impl Known {
    fn mark(&mut self, access: &Access, known: u8) {
        for (start, end) in access.region.intervals() {
            let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
            if let Some(bytes) = range.and_then(|(start, end)| self.known.get_mut(start..end)) {
                bytes.fill(known);
            }
        }
    }

    fn has(&self, access: &Access) -> bool {
        access.region.intervals().all(|(start, end)| {
            let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
            range.and_then(|(start, end)| self.known.get(start..end)).is_some_and(|bytes| !bytes.contains(&0))
        })
    }
}

/// What is used more than once is kept once.
#[derive(Default)]
struct Kept {
    weights: HashSet<Arc<Weights>>,
    parameters: HashSet<Arc<Parameters>>,
    bytes: usize,
}

/// Per instruction, what is known before any run.
pub(super) fn prepare(machine: &Machine<'_>, constants: &[u8], level: Level) -> Result<Vec<Prepared>, SimError> {
    let program = machine.program();
    let bytes = machine.target().l1m_bytes();
    let mut l1m = Known { l1m: zeros("l1m", bytes)?, known: zeros("l1m", bytes)? };
    let limit = constants.len().saturating_mul(BYTES_PER_CONSTANT).max(SMALL);
    let mut kept = Kept::default();
    let mut prepared: Vec<Prepared> = Vec::new();
    prepared.resize_with(program.instructions.len(), Prepared::default);
    for &position in machine.order() {
        let (Some(instruction), Some(slot)) = (program.instructions.get(position), prepared.get_mut(position)) else {
            continue;
        };
        let accesses = instruction.accesses();
        let fault = |reason| machine.fault(position, reason);
        match &instruction.operation {
            Operation::Load(o) if o.source.region == Region::Constants => {
                let from = Layout::try_from(&o.source).map_err(fault)?;
                let to = (l1m.l1m.as_mut_slice(), Layout::from(&o.destination));
                copy::between(&o.shape, o.element_bytes, (constants, from), to).map_err(fault)?;
            }
            Operation::Convolution(o) if is_supported(o) => {
                let operand = |name: &str| accesses.iter().find(|access| access.operand == name);
                if kept.bytes < limit && operand("weights").is_some_and(|access| l1m.has(access)) {
                    let mut weights = Weights::default();
                    weights.pack(level, &l1m.l1m, o).map_err(fault)?;
                    slot.weights = Some(kept.weights(weights));
                }
                if let Some(view) = &o.parameters
                    && kept.bytes < limit
                    && operand("parameters").is_some_and(|access| l1m.has(access))
                {
                    let mut parameters = Parameters::default();
                    parameters.read(&l1m.l1m, view, o.output_shape[3]).map_err(fault)?;
                    slot.parameters = Some(kept.parameters(parameters));
                }
            }
            _ => {}
        }
        let from_constants =
            matches!(&instruction.operation, Operation::Load(o) if o.source.region == Region::Constants);
        for access in accesses.iter().filter(|access| access.write && access.space == Space::L1m) {
            l1m.mark(access, from_constants.into());
        }
    }
    Ok(prepared)
}

impl Kept {
    fn weights(&mut self, weights: Weights) -> Arc<Weights> {
        if let Some(kept) = self.weights.get(&weights) {
            return kept.clone();
        }
        self.bytes += weights.bytes();
        let weights = Arc::new(weights);
        self.weights.insert(weights.clone());
        weights
    }

    fn parameters(&mut self, parameters: Parameters) -> Arc<Parameters> {
        if let Some(kept) = self.parameters.get(&parameters) {
            return kept.clone();
        }
        self.bytes += parameters.bytes();
        let parameters = Arc::new(parameters);
        self.parameters.insert(parameters.clone());
        parameters
    }
}
