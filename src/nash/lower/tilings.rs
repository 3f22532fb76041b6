//! Homes of tensors and tilings of the nodes that are in no group.

use std::collections::HashMap;
use std::sync::RwLock;

use super::super::tile::apply::{TileLayout, Tiling};
use super::super::tile::assign::{AssignError, assign, estimate};
use super::super::tile::{TilePlacement, Tiled};
use super::emit::Drawing;
use super::stripes::Rows;
use super::{LowerError, LoweringPlan, NodeGroup, NodePlan, Resident, label};
use crate::bpu::model::Segment;
use crate::target::Target;

/// Tilings that were found, of forms of one segment. The same node has other forms where its operands lie otherwise.
#[derive(Default)]
pub struct KnownTilings(RwLock<HashMap<Asked, Result<Tiling, AssignError>>>);

/// All that a tiling depends on: what it was found for must not depend on what was looked at before.
#[derive(PartialEq, Eq, Hash)]
struct Asked {
    node: usize,
    form: usize,
    /// Bytes of local memory.
    capacity: u64,
    axes: Vec<usize>,
    views: Vec<Option<AskedView>>,
}

#[derive(PartialEq, Eq, Hash)]
struct AskedView {
    is_local: bool,
    shape: Vec<usize>,
    strides: Vec<i64>,
    element_bytes: usize,
}

impl Asked {
    fn new((node, form): (usize, usize), step: &dyn Tiled, capacity: u64) -> Self {
        let view = |placement: &TilePlacement| AskedView {
            is_local: placement.is_local(),
            shape: placement.shape.clone(),
            strides: placement.strides.clone(),
            element_bytes: placement.element_bytes,
        };
        let operands = step.operands().iter().map(|operand| operand.placement().map(view));
        let views = operands.chain([step.unlisted().map(view)]).collect();
        Self { node, form, capacity, axes: step.axes().iter().map(|axis| axis.size).collect(), views }
    }
}

impl KnownTilings {
    fn of(
        &self,
        place: (usize, usize),
        step: &dyn Tiled,
        target: &Target,
        capacity: u64,
    ) -> Result<Tiling, AssignError> {
        let key = Asked::new(place, step, capacity);
        // Without the lock nothing is known, and nothing is lost but time.
        if let Some(known) = self.0.read().ok().and_then(|known| known.get(&key).cloned()) {
            return known;
        }
        let tiling = one_step(step, target, capacity);
        if let Ok(mut known) = self.0.write() {
            known.insert(key, tiling.clone());
        }
        tiling
    }
}

/// A plan without stays, in which those of these tensors stay in local memory that leave room for the nodes.
pub fn tiled<'a>(
    segment: &'a Segment,
    target: &'a Target,
    rows: Option<&'a Rows<'a>>,
    groups: &[NodeGroup],
    mut residents: Vec<Resident>,
    known: &KnownTilings,
) -> Result<(Drawing<'a>, LoweringPlan), LowerError> {
    loop {
        let drawing = Drawing::new(segment, target, rows, &residents, groups)?;
        match all_nodes(&drawing, known) {
            Ok(nodes) => {
                let plan = LoweringPlan { residents, groups: groups.to_vec(), nodes, ..LoweringPlan::default() };
                return Ok((drawing, plan));
            }
            Err((time, error)) => {
                // Residents take what a node needs: the largest of them goes to DDR.
                let Some(&largest) = drawing.builder.storage.residents_at(time).first() else { return Err(error) };
                residents.remove(largest);
            }
        }
    }
}

/// Tilings of all nodes; an error comes with the time of the node that does not fit.
fn all_nodes(drawing: &Drawing<'_>, known: &KnownTilings) -> Result<Vec<NodePlan>, (usize, LowerError)> {
    let builder = &drawing.builder;
    let mut nodes = Vec::with_capacity(drawing.works.len());
    for work in &drawing.works {
        let (start, end) = builder.storage.pool(builder.target, work.time);
        let mut tilings = Vec::with_capacity(work.steps.len());
        for (form, step) in work.steps.iter().enumerate().filter(|_| drawing.group(work).is_none()) {
            let tiling = match work.is_copy {
                true => one_step(step.as_ref(), builder.target, end - start),
                false => known.of((work.node, form), step.as_ref(), builder.target, end - start),
            };
            tilings.push(tiling.map_err(|error| (work.time, failure(builder.segment, work.node, error)))?);
        }
        nodes.push(NodePlan { node: label(builder.segment, work.node).0, tilings });
    }
    Ok(nodes)
}

/// Half of the room, when that costs next to nothing, lets the next operator's loads run ahead in the other half.
fn one_step(step: &dyn Tiled, target: &Target, capacity: u64) -> Result<Tiling, AssignError> {
    let whole = assign(step, target, capacity)?;
    let limit = 1.05 * estimate(step, &whole, target);
    let half = assign(step, target, capacity / 2).ok();
    let half = half.filter(|half| half.slots >= whole.slots && estimate(step, half, target) <= limit);
    let mut tiling = half.unwrap_or(whole);
    // Small constants all at once, where there is room for them.
    tiling.whole = true;
    tiling.whole = TileLayout::new(step, &tiling, target.l1m_alignment(), capacity).is_ok();
    Ok(tiling)
}

fn failure(segment: &Segment, node: usize, error: AssignError) -> LowerError {
    let (node, operator) = label(segment, node);
    match error {
        AssignError::TooSmall { needed, capacity } => LowerError::DoesNotFit { node, operator, needed, capacity },
        AssignError::Allocation(error) => LowerError::Allocation(error),
    }
}
