//! The race check on the compiled example.

use super::{open_model, result};
use hb::hbm::{Hbm, SegmentBody};
use hb::nash::encode::decode;
use hb::nash::isa::Program;
use hb::sim::machine::{Machine, SimError};
use hb::target::Target;

fn programs() -> Vec<Program> {
    let hbm = Hbm::open(&result(".hbm")).unwrap();
    let segments = hbm.manifest().segments.iter();
    let sections = segments.filter_map(|segment| match &segment.body {
        SegmentBody::Bpu(body) => Some(body.program_section),
        SegmentBody::Cpu(_) => None,
    });
    sections.map(|section| decode(hbm.section(section)).unwrap()).collect()
}

/// The compiler waits for nothing that it need not wait for, so each wait that is missing is a race.
#[test]
fn every_missing_wait_is_reported_with_both_nodes() {
    assert_eq!(open_model(&result(".hbm")).kind, "hbm");
    let target = Target::named("nash-e").unwrap();
    let programs = programs();
    assert!(!programs.is_empty());
    for program in programs {
        Machine::new(&program, &target).unwrap().check_races().unwrap();
        let waits = program.instructions.iter().enumerate();
        let waits: Vec<(usize, usize)> =
            waits.flat_map(|(at, instruction)| (0..instruction.waits.len()).map(move |wait| (at, wait))).collect();
        assert!(!waits.is_empty());
        for (at, wait) in waits {
            let mut changed = program.clone();
            let removed = changed.instructions[at].waits.remove(wait);
            let error = Machine::new(&changed, &target).unwrap().check_races().unwrap_err();
            let message = error.to_string();
            let SimError::Race { first, second, .. } = error else {
                panic!("instruction {at} without {removed:?}: {message}");
            };
            for actor in [first, second] {
                assert!(program.names.contains(&actor.source), "{message}");
                assert!(message.contains(&format!("of {}", actor.source)), "{message}");
            }
        }
    }
}
