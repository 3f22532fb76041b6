//! The program for a plan. The plan may come from a file: it is checked against the segment before anything follows it.

use super::super::isa::{self, Instruction};
use super::super::schedule::{self, Settled};
use super::super::tile::apply::{TileLayout, TileRunner, Tiling, apply as apply_tiling};
use super::super::tile::emitter::{Draft, EmitError, Emitter, LocalPage, MAX_INSTRUCTIONS, ddr_view, shape6, view6};
use super::order::ordered;
use super::stripes::{Members, Rows, Stripes};
use super::{
    Builder, Lag, LowerError, Lowered, LoweringPlan, NodeGroup, NodePlan, Resident, Work, check, finish, label,
};
use crate::bpu::model::Segment;
use crate::target::Target;

/// Emits the program for a plan.
///
/// # Errors
/// When the plan is not one of this segment, or lets two things share bytes of local memory.
pub fn apply(segment: &Segment, target: &Target, plan: LoweringPlan) -> Result<Lowered<'static>, LowerError> {
    let segment = &*ordered(segment, &plan.order)?;
    check(segment)?;
    check_groups(segment, &plan.groups)?;
    let rows = if plan.groups.is_empty() { None } else { Some(Rows::new(segment, target)?) };
    let drawing = Drawing::new(segment, target, rows.as_ref(), &plan.residents, &plan.groups)?;
    let recorded = drawing.record(&plan.nodes)?;
    let (space, alignment) = (target.l1m_bytes(), target.l1m_alignment());
    schedule::check(&recorded.pages, &plan.stays, &recorded.settled, space, alignment)
        .map_err(|error| LowerError::Plan(error.to_string()))?;
    let instructions = drawing.instructions(&plan, &recorded)?;
    check_calls(&plan.calls, instructions.len())?;
    finish(segment, drawing.builder, instructions, plan)
}

/// More stripes than this make rows too small to be worth anything.
const MOST_PIECES: usize = 1 << 12;

/// Checks what the emission relies on.
fn check_groups(segment: &Segment, groups: &[NodeGroup]) -> Result<(), LowerError> {
    let mut before = 0;
    for group in groups {
        let ordered = before <= group.first && group.first < group.end && group.end <= segment.nodes.len();
        let (lag, nodes) = (group.lag.handed.max(group.lag.kept), group.end.saturating_sub(group.first));
        if lag > Lag::MOST {
            let text = format!(
                "a node of the group at node {} comes {lag} stripes later, more than {}",
                group.first,
                Lag::MOST
            );
            return Err(LowerError::Plan(text));
        }
        // Moments in which something can be due, for each node.
        let work = group.pieces.saturating_add(lag.saturating_mul(nodes)).saturating_mul(nodes);
        if !ordered || group.pieces == 0 || group.pieces > MOST_PIECES || work > MAX_INSTRUCTIONS {
            let text = format!("nodes {} to {} in {} stripes are no group", group.first, group.end, group.pieces);
            return Err(LowerError::Plan(text));
        }
        before = group.end;
    }
    Ok(())
}

/// Function calls begin one after the other, each with an instruction.
fn check_calls(calls: &[usize], instructions: usize) -> Result<(), LowerError> {
    let rising = calls.is_sorted_by(|one, other| one < other);
    if !rising || calls.first() == Some(&0) || calls.last().is_some_and(|&last| last >= instructions) {
        return Err(LowerError::Plan(format!("its function calls do not cut {instructions} instructions")));
    }
    Ok(())
}

/// A segment with homes for its tensors and the instruction forms of its nodes.
pub struct Drawing<'a> {
    pub builder: Builder<'a>,
    pub works: Vec<Work>,
    groups: Vec<NodeGroup>,
    /// The rows of nodes; none where there are no groups.
    rows: Option<&'a Rows<'a>>,
}

/// What the tilings of a plan come to.
pub struct Recorded {
    /// Every box in local memory, with its times.
    pub pages: Vec<LocalPage>,
    /// The tensors that stay there, with theirs.
    pub settled: Vec<Settled>,
}

/// Everything that is emitted.
struct Tiles {
    drafts: Vec<Draft>,
    pages: Vec<LocalPage>,
    /// The first draft of each moment in the lives of tensors, and the end.
    times: Vec<usize>,
}

impl<'a> Drawing<'a> {
    pub fn new(
        segment: &'a Segment,
        target: &'a Target,
        rows: Option<&'a Rows<'a>>,
        residents: &[Resident],
        groups: &[NodeGroup],
    ) -> Result<Self, LowerError> {
        let mut builder = Builder::new(segment, target, residents, groups)?;
        let works = builder.all_steps(groups)?;
        Ok(Self { builder, works, groups: groups.to_vec(), rows })
    }

    /// The group of a node.
    pub fn group(&self, work: &Work) -> Option<&NodeGroup> {
        NodeGroup::of(&self.groups, work.node).filter(|_| !work.is_copy)
    }

    /// The pages of the tilings.
    pub fn record(&self, nodes: &[NodePlan]) -> Result<Recorded, LowerError> {
        let Tiles { pages, times, .. } = self.tiles(nodes, Emitter::default())?;
        Ok(Recorded { pages, settled: self.builder.storage.settled(&times) })
    }

    /// The instructions of a plan that was checked.
    pub fn instructions(&self, plan: &LoweringPlan, recorded: &Recorded) -> Result<Vec<Instruction>, LowerError> {
        let addresses: Vec<u64> = plan.stays.iter().map(|stay| stay.address).collect();
        let Tiles { drafts, .. } = self.tiles(&plan.nodes, Emitter::at(&addresses))?;
        schedule::order(drafts, &recorded.pages, &plan.stays).map_err(|error| LowerError::Plan(error.to_string()))
    }

    /// Emits all tiles.
    fn tiles(&self, nodes: &[NodePlan], mut emitter: Emitter<'_>) -> Result<Tiles, LowerError> {
        if self.works.len() != nodes.len() {
            let text = format!("it has {} entries for {} nodes", nodes.len(), self.works.len());
            return Err(LowerError::Plan(text));
        }
        let mut cursor = 0u64;
        let mut times = Vec::with_capacity(nodes.len() + 1);
        for (work, entry) in self.works.iter().zip(nodes) {
            let (name, _) = label(self.builder.segment, work.node);
            let group = self.group(work);
            let forms = if group.is_some() { 0 } else { work.steps.len() };
            if entry.node != name || entry.tilings.len() != forms {
                return Err(LowerError::Plan(format!("entry '{}' stands where node '{name}' does", entry.node)));
            }
            if times.len() == work.time {
                times.push(emitter.position());
            }
            match group {
                Some(group) if group.first == work.node => self.stripes(group, &mut emitter)?,
                Some(_) => {}
                None => self.node(work, &entry.tilings, &mut cursor, &mut emitter)?,
            }
        }
        times.push(emitter.position());
        let (drafts, pages) = emitter.finish();
        Ok(Tiles { drafts, pages, times })
    }

    fn node(
        &self,
        work: &Work,
        tilings: &[Tiling],
        cursor: &mut u64,
        emitter: &mut Emitter<'_>,
    ) -> Result<(), LowerError> {
        let target = self.builder.target;
        let (node, operator) = label(self.builder.segment, work.node);
        emitter.set_source(u32::try_from(work.node).unwrap_or(u32::MAX));
        let (start, end) = self.builder.storage.pool(target, work.time);
        for (step, tiling) in work.steps.iter().zip(tilings) {
            let fail = |error| LowerError::Emit { node: node.clone(), operator, error };
            tiling.check(step.as_ref()).map_err(fail)?;
            let layout = TileLayout::new(step.as_ref(), tiling, target.l1m_alignment(), end - start)
                .map_err(|error| fail(EmitError::Plan(error.to_string())))?;
            // The next operator starts behind this one when there is room, so that its first loads need not wait.
            if *cursor < start || cursor.saturating_add(layout.bytes) > end {
                *cursor = start;
            }
            let bytes = layout.bytes;
            apply_tiling(step.as_ref(), tiling, layout, *cursor, emitter).map_err(fail)?;
            *cursor = (*cursor + bytes).next_multiple_of(target.l1m_alignment().max(1));
        }
        Ok(())
    }
    /// A group, stripe by stripe.
    fn stripes(&self, group: &NodeGroup, emitter: &mut Emitter<'_>) -> Result<(), LowerError> {
        let no_group = || {
            let NodeGroup { first, end, .. } = group;
            LowerError::Plan(format!("nodes {first} to {end} cannot be computed in stripes"))
        };
        let rows = self.rows.ok_or_else(no_group)?;
        let members = rows.members(group.first, group.end).ok_or_else(no_group)?;
        let leaves = |storage: usize| rows.leaves((group.first, group.end), storage);
        let stripes = Stripes::new(&members, &leaves, (group.pieces, group.lag));
        let steps = |node: usize| self.works.get(self.works.partition_point(|work| work.time < node));
        let works = members.iter().map(|(member, _)| steps(member.node)).collect::<Option<Vec<&Work>>>();
        let works = works.ok_or_else(no_group)?;
        // Rows were counted with forms that must be those that are emitted.
        let same = members.iter().zip(&works).all(|((_, forms), work)| {
            forms.iter().map(|form| form.axes()).eq(work.steps.iter().map(|step| step.axes()))
        });
        if !same {
            return Err(no_group());
        }
        let runners = works.iter().map(|work| {
            work.steps.iter().map(|step| TileRunner::new(step.as_ref(), None, true)).collect::<Vec<TileRunner<'_>>>()
        });
        let mut striper = Striper { drawing: self, members: &members, stripes: &stripes, runners: runners.collect() };
        for (member, stripe) in stripes.order() {
            let node = members.get(member).map_or(group.first, |(member, _)| member.node);
            let (name, operator) = label(self.builder.segment, node);
            emitter.set_source(u32::try_from(node).unwrap_or(u32::MAX));
            let emitted = striper.stripe(member, stripe, emitter);
            emitted.map_err(|error| LowerError::Emit { node: name, operator, error })?;
        }
        emitter.close();
        Ok(())
    }
}

/// A group on its way through its stripes.
struct Striper<'s> {
    drawing: &'s Drawing<'s>,
    members: &'s Members<'s>,
    stripes: &'s Stripes,
    /// Per member and form.
    runners: Vec<Vec<TileRunner<'s>>>,
}

impl Striper<'_> {
    /// What a member makes in a stripe.
    fn stripe(&mut self, index: usize, stripe: usize, emitter: &mut Emitter<'_>) -> Result<(), EmitError> {
        let &(member, steps) = self.members.get(index).ok_or(EmitError::Operand(index))?;
        let (from, to) = self.stripes.rows(index, stripe);
        if from >= to {
            return Ok(());
        }
        for span in member.needs(steps, from, to) {
            if !self.members.iter().any(|(member, _)| member.storage == span.storage) {
                self.bring(span.storage, (stripe, span.high), emitter)?;
            }
        }
        let storage = &self.drawing.builder.storage;
        let (low, high) = (from as u64 * member.unit, to as u64 * member.unit);
        if !storage.stays(member.storage) && !member.stores {
            self.window(member.storage, stripe, (low, high), None, emitter)?;
        }
        for (form, _, tile) in member.tiles(steps, from, to) {
            let runner = self.runners.get_mut(index).and_then(|runners| runners.get_mut(form));
            runner.ok_or(EmitError::Operand(form))?.tile(&tile, emitter)?;
        }
        if let Some((_, Some((region, offset)))) = storage.home(member.storage).filter(|_| !member.stores) {
            let (page, address) = emitter.locate(member.storage, low, high)?;
            emitter.push(isa::Store {
                shape: shape6(&[usize::try_from(high - low).map_err(|_| EmitError::Address)?])?,
                element_bytes: 1,
                source: view6(address, &[1])?,
                destination: ddr_view(region, offset + low, &[1])?,
            })?;
            emitter.stores(page);
        }
        Ok(())
    }

    /// Loads what a stripe needs of a storage from outside, and is not there.
    fn bring(
        &self,
        storage: usize,
        (stripe, needed): (usize, u64),
        emitter: &mut Emitter<'_>,
    ) -> Result<(), EmitError> {
        let Some((_, Some(home))) = self.drawing.builder.storage.home(storage) else { return Ok(()) };
        let there = emitter.reach(storage);
        if there >= needed {
            return Ok(());
        }
        self.window(storage, stripe, (there, self.stripes.high(storage, stripe).max(needed)), Some(home), emitter)
    }

    /// A page for new bytes of a storage, with what is still needed of the bytes before them.
    fn window(
        &self,
        storage: usize,
        stripe: usize,
        (low, high): (u64, u64),
        home: Option<(isa::MemoryRegion, u64)>,
        emitter: &mut Emitter<'_>,
    ) -> Result<(), EmitError> {
        let kept = self.stripes.low(storage, stripe).unwrap_or(low).min(low);
        let before = if kept < low { Some(emitter.locate(storage, kept, low)?) } else { None };
        let (page, address) = emitter.open(storage, kept, high)?;
        let narrow = |bytes: u64| u32::try_from(bytes).map_err(|_| EmitError::Address);
        let shape = |bytes: u64| shape6(&[usize::try_from(bytes).map_err(|_| EmitError::Address)?]);
        if let Some((region, offset)) = home {
            let load = isa::Load {
                shape: shape(high - low)?,
                element_bytes: 1,
                source: ddr_view(region, offset + low, &[1])?,
                destination: view6(address.checked_add(narrow(low - kept)?).ok_or(EmitError::Address)?, &[1])?,
            };
            emitter.load(page, load)?;
        }
        if let Some((before, source)) = before {
            emitter.push(isa::Copy {
                shape: shape(low - kept)?,
                element_bytes: 1,
                source: view6(source, &[1])?,
                destination: view6(address, &[1])?,
            })?;
            emitter.keep(before);
        }
        emitter.keep(page);
        Ok(())
    }
}
