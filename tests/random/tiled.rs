//! Segments of the BPU on machines with little local memory, so that small tensors are cut into tiles as large ones are: the same bytes as
//! the interpreter's, from the machine's definition and from the fast simulator, and no races.

use super::check::Fault;
use hb::bpu::model::Segment;
use hb::nash::lower::lower;
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
        let lowered = match lower(segment, &target) {
            Ok(lowered) => lowered,
            Err(error) => {
                let text = error.to_string();
                if segment.nodes.iter().any(|node| text.contains(&node.name)) {
                    continue;
                }
                return Err(failed(memory, text));
            }
        };
        let failed = |what: &dyn std::fmt::Display| failed(memory, what.to_string());
        let simulator = Simulator::new(&lowered.program, &target).map_err(|error| failed(&error))?;
        simulator.check_races().map_err(|error| failed(&error))?;
        if simulator.run(inputs, &lowered.constants).map_err(|error| failed(&error))? != outputs {
            return Err(failed(&"the program gives other bytes than the interpreter"));
        }
        let machine = Simulator::owning(lowered.program, target).map_err(|error| failed(&error))?;
        let fast = FastProgram::new(machine, lowered.constants.into_owned()).map_err(|error| failed(&error))?;
        if fast.run(inputs).map_err(|error| failed(&error))? != outputs {
            return Err(failed(&"the fast simulator gives other bytes than the interpreter"));
        }
        return Ok(too_small);
    }
    Ok(LOCAL_MEMORY.len())
}
