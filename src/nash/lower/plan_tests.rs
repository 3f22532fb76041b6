//! Plans from outside: what is wrong in them is told.

use super::tests::{convolution, target};
use super::*;
use crate::bpu::model::Convolution;
use crate::sim::machine::Machine as Simulator;

#[test]
fn a_plan_that_does_not_fit_is_refused() {
    let target = target(4096);
    let segment = convolution(&[1, 12, 12, 16], &[16, 3, 3, 16], Convolution::default());
    let good = assign(&segment, &target, Effort::O0.into()).unwrap();
    let refused = |change: &dyn Fn(&mut LoweringPlan)| {
        let mut plan = good.clone();
        change(&mut plan);
        apply(&segment, &target, plan).unwrap_err().to_string()
    };
    assert!(refused(&|plan| plan.nodes.clear()).contains("0 entries for 1 nodes"));
    assert!(refused(&|plan| plan.nodes[0].node.push('x')).contains("entry 'convx' stands where node 'conv' does"));
    assert!(refused(&|plan| plan.nodes[0].tilings[0].tile[2] = 0).contains("a tile size is 0"));
    assert!(refused(&|plan| plan.nodes[0].tilings[0].order = vec![5, 0, 1, 2, 3, 4, 6, 7]).contains("reduction axis"));
    // All of the input and the weights in two slots each.
    let whole = |plan: &mut LoweringPlan| plan.nodes[0].tilings[0].tile = vec![1, 1, 10, 10, 16, 3, 3, 16];
    assert!(refused(&whole).contains("where 4096 are available"));
    let lag = Lag { handed: 9, kept: 0 };
    let far = |plan: &mut LoweringPlan| plan.groups.push(NodeGroup { first: 0, end: 1, pieces: 2, lag });
    assert!(refused(&far).contains("the group at node 0 comes 9 stripes later, more than 8"));
    let resident = |plan: &mut LoweringPlan| plan.residents.push(Resident { tensor: 0, address: 0, bytes: 2304 });
    assert!(refused(&resident).contains("tensor 0 cannot stay in L1M"));
}

#[test]
fn without_its_waits_a_program_races() {
    let target = target(4096);
    let segment = convolution(&[1, 12, 12, 16], &[16, 3, 3, 16], Convolution::default());
    let mut program = lower(&segment, &target, Effort::O0.into()).unwrap().program;
    program.instructions.iter_mut().for_each(|instruction| instruction.waits.clear());
    assert!(Simulator::new(&program, &target).unwrap().check_races().is_err());
}
