//! Segments of the BPU on machines with little local memory, so that small tensors are cut into tiles as large ones are: the same bytes as
//! the interpreter's, from the machine's definition and from the fast simulator, and no races.

use super::check::Fault;
use hb::bpu::model::Segment;
use hb::nash::lower::{Effort, LowerError, lower};
use hb::sim::fast::FastProgram;
use hb::sim::machine::Machine as Simulator;
use hb::target::Target;

/// Bytes of local memory. What does not fit into one is tried on the next.
const LOCAL_MEMORY: [&str; 3] = ["512", "2048", "8192"];
/// The number of machines, and one for none of them.
pub const MACHINES: usize = LOCAL_MEMORY.len() + 1;

/// Runs a segment that was given `inputs` and gave `outputs`. How many machines were too small.
pub fn agrees_in_tiles(segment: &Segment, inputs: &[&[u8]], outputs: &[Vec<u8>]) -> Result<usize, Fault> {
    let failed = |memory: &str, what: String| Fault { level: "tiled", what: format!("local memory {memory}: {what}") };
    for (too_small, memory) in LOCAL_MEMORY.into_iter().enumerate() {
        let target = Target::named_with_overrides("nash-e", &[("local_memory.bytes", memory)]).unwrap();
        let failed = |level: Effort, what: &dyn std::fmt::Display| failed(memory, format!("{level:?}: {what}"));
        let mut fits = true;
        for level in Effort::ALL {
            match agrees(segment, inputs, outputs, &target, level) {
                Ok(()) => {}
                Err(Disagreement::TooSmall) => fits = false,
                Err(Disagreement::Other(what)) => return Err(failed(level, &what)),
            }
        }
        if fits {
            return Ok(too_small);
        }
    }
    Ok(LOCAL_MEMORY.len())
}

enum Disagreement {
    /// The local memory does not take the smallest tile of a node.
    TooSmall,
    Other(String),
}

impl<E: std::error::Error> From<E> for Disagreement {
    fn from(error: E) -> Self {
        Disagreement::Other(error.to_string())
    }
}

fn agrees(
    segment: &Segment,
    inputs: &[&[u8]],
    outputs: &[Vec<u8>],
    target: &Target,
    level: Effort,
) -> Result<(), Disagreement> {
    let lowered = lower(segment, target, level.into()).map_err(|error| match error.node() {
        Some(_) => Disagreement::TooSmall,
        None => Disagreement::Other(LowerError::to_string(&error)),
    })?;
    let other = |what: &str| Err(Disagreement::Other(what.to_owned()));
    let simulator = Simulator::new(&lowered.program, target)?;
    simulator.check_races()?;
    if simulator.run(inputs, &lowered.constants)? != outputs {
        return other("the program gives other bytes than the interpreter");
    }
    let machine = Simulator::owning(lowered.program, target.clone())?;
    let fast = FastProgram::new(machine, lowered.constants.into_owned())?;
    if fast.run(inputs)? != outputs {
        return other("the fast simulator gives other bytes than the interpreter");
    }
    Ok(())
}
