//! Emits an operator for a decided tiling: loads, the operator's instructions, stores.
//!
//! Each operand that does not live in L1M gets one or two slots of it. A slot is filled when the operand's box changes from one
//! tile to the next, so an operand that does not follow the inner loops is loaded once for all of them. With two slots the
//! loads for tile i + 1 touch no byte that tile i uses; the hazard tracker then lets them run ahead.

use serde::{Deserialize, Serialize};

use super::super::allocate::{AllocationError, LiveBuffer, Solution, allocate};
use super::super::isa::{Load, MemoryRegion, Store};
use super::super::region::{Region, Tiles};
use super::emitter::{EmitError, Emitter, PageId, ddr_view, local_strides, shape6, view6};
use super::view::{ordered, strides_in_order};
use super::{Bound, OperandRole, TileMemory, TileOperand, TilePlacement, TileStep, Tiled, dense_strides, product};

/// How an operator is cut: plain data, may come from a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tiling {
    /// Tile sizes per axis.
    pub tile: Vec<usize>,
    /// Loops, outermost first.
    pub order: Vec<usize>,
    /// Slots of each operand that changes from tile to tile: 2 lets loads run ahead, 1 saves memory.
    pub slots: usize,
    /// Constants that are small as a whole are there as a whole, from the first tile on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole: bool,
}

/// Constants up to this size may be loaded as a whole.
const SMALL: u64 = 64 << 10;

/// All of an operand, where its bytes are constants that are loaded as a whole.
fn whole(operand: &TileOperand) -> Option<Region> {
    let placement = operand.placement()?;
    let constants = matches!(placement.memory, TileMemory::Ddr { region: MemoryRegion::Constants, .. });
    let region = Region::whole(&placement.shape);
    let bytes = product(&placement.shape, placement.element_bytes);
    let dense = placement.strides == dense_strides(&placement.shape, placement.element_bytes);
    (constants && dense && bytes <= SMALL.into() && !region.is_empty()).then_some(region)
}

impl Tiling {
    /// Checks what the emission relies on.
    pub fn check(&self, operator: &dyn Tiled) -> Result<(), EmitError> {
        let axes = operator.axes();
        let fail = |text: &str| Err(EmitError::Plan(text.to_string()));
        if self.tile.len() != axes.len() {
            return fail("it has not one tile size per axis");
        }
        if self.tile.iter().zip(axes).any(|(&tile, axis)| tile == 0 || tile > axis.size.max(1)) {
            return fail("a tile size is 0 or larger than its axis");
        }
        let mut sorted = self.order.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..axes.len()) {
            return fail("its order is not a permutation of the axes");
        }
        let reduction = |axis: &usize| axes.get(*axis).is_some_and(|axis| axis.reduction);
        if self.order.iter().skip_while(|axis| !reduction(axis)).any(|axis| !reduction(axis)) {
            return fail("a reduction axis is outside of an axis that is none");
        }
        if self.slots == 0 || self.slots > 2 {
            return fail("slots must be 1 or 2");
        }
        if !operator.legal(&self.tile) {
            return fail("the operator cannot compute tiles of these sizes");
        }
        Ok(())
    }

    /// How often each loop runs.
    pub fn trips(&self, operator: &dyn Tiled) -> Vec<usize> {
        operator.axes().iter().zip(&self.tile).map(|(axis, &tile)| axis.size.div_ceil(tile.max(1))).collect()
    }
}

/// Bytes of one slot and number of slots of an operand.
fn slots(operator: &dyn Tiled, operand: &TileOperand, tiling: &Tiling, trips: &[usize]) -> (u64, usize) {
    let split = |(axis, &trips): (usize, &usize)| (trips > 1).then_some(axis);
    let moving: Vec<usize> = trips.iter().enumerate().filter_map(split).collect();
    let needed = match &operand.role {
        OperandRole::Read(placement) | OperandRole::Write(placement) => !placement.is_local(),
        OperandRole::Accumulator { .. } => {
            moving.iter().any(|&axis| operator.axes().get(axis).is_some_and(|axis| axis.reduction))
        }
    };
    if !needed {
        return (0, 0);
    }
    if let Some(region) = whole(operand).filter(|_| tiling.whole) {
        return (region.elements() as u64 * operand.element_bytes() as u64, 1);
    }
    let elements =
        operand.footprint(&tiling.tile).iter().fold(1u64, |product, &size| product.saturating_mul(size as u64));
    let count = if moving.iter().any(|&axis| operand.follows(axis)) { tiling.slots } else { 1 };
    (elements.saturating_mul(operand.element_bytes() as u64), count)
}

/// The L1M of one operator: slots by operand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileLayout {
    /// Per operand, address (from the base given to [`apply`]) and bytes of each slot.
    slots: Vec<Vec<(u64, u64)>>,
    /// Bytes of all slots together.
    pub bytes: u64,
}

impl TileLayout {
    /// Places the slots that `tiling` needs into `capacity` bytes; an error of the allocator says that it does not fit.
    pub fn new(operator: &dyn Tiled, tiling: &Tiling, alignment: u64, capacity: u64) -> Result<Self, AllocationError> {
        let trips = tiling.trips(operator);
        let sizes: Vec<(u64, usize)> =
            operator.operands().iter().map(|operand| slots(operator, operand, tiling, &trips)).collect();
        let mut buffers = Vec::new();
        for &(bytes, count) in &sizes {
            buffers.extend((0..count).map(|_| LiveBuffer { bytes, alignment, first: 0, last: 0 }));
        }
        let Solution { addresses, bytes } = allocate(&buffers, capacity)?;
        let mut addresses = addresses.into_iter();
        let slots = sizes.iter().map(|&(bytes, count)| addresses.by_ref().take(count).map(|at| (at, bytes)).collect());
        Ok(Self { slots: slots.collect(), bytes })
    }
}

/// What an operand's slots hold.
#[derive(Default)]
struct State {
    bound: Option<(Bound, PageId)>,
    turn: usize,
}

/// Emits all tiles of an operator. `base` is the L1M address of the layout.
pub fn apply(
    operator: &dyn Tiled,
    tiling: &Tiling,
    layout: TileLayout,
    base: u64,
    emitter: &mut Emitter<'_>,
) -> Result<(), EmitError> {
    tiling.check(operator)?;
    let sizes: Vec<usize> = operator.axes().iter().map(|axis| axis.size).collect();
    let mut runner = TileRunner::new(operator, Some((layout, base)), tiling.whole);
    Tiles::new(&sizes, &tiling.tile, &tiling.order).try_for_each(|tile| runner.tile(&tile, emitter))
}

/// An operator on its way through its tiles.
pub struct TileRunner<'a> {
    operator: &'a dyn Tiled,
    /// Its slots and where they begin. Without, there are only pages.
    layout: Option<(TileLayout, u64)>,
    whole: bool,
    states: Vec<State>,
}

impl<'a> TileRunner<'a> {
    /// Before the first tile. `whole` is [`Tiling::whole`].
    pub fn new(operator: &'a dyn Tiled, layout: Option<(TileLayout, u64)>, whole: bool) -> Self {
        let states = operator.operands().iter().map(|_| State::default()).collect();
        Self { operator, layout, whole, states }
    }

    /// Emits one tile: loads, the operator's instructions, stores.
    pub fn tile(&mut self, tile: &Region, emitter: &mut Emitter<'_>) -> Result<(), EmitError> {
        let operator = self.operator;
        let mut operands = Vec::with_capacity(self.states.len());
        let mut pages = Vec::with_capacity(self.states.len());
        for (index, operand) in operator.operands().iter().enumerate() {
            let (bound, page) = self.bind((index, operand), tile, emitter)?;
            operands.push(bound);
            pages.push(page);
        }
        let reduction = || operator.axes().iter().zip(&tile.0).filter(|(axis, _)| axis.reduction);
        let first = reduction().all(|(_, extent)| extent.start == 0);
        let last = reduction().all(|(axis, extent)| extent.end == axis.size);
        operator.emit(&TileStep { tile, operands: &operands, first, last }, emitter)?;
        if last {
            for ((operand, bound), page) in operator.operands().iter().zip(&operands).zip(&pages) {
                if let OperandRole::Write(placement) = &operand.role
                    && !placement.is_local()
                {
                    store(placement, bound, emitter)?;
                    page.iter().for_each(|&page| emitter.stores(page));
                }
            }
        }
        pages.into_iter().flatten().for_each(|page| emitter.keep(page));
        Ok(())
    }

    /// Makes the operand's box for `tile` available in L1M.
    fn bind(
        &mut self,
        (index, operand): (usize, &TileOperand),
        tile: &Region,
        emitter: &mut Emitter<'_>,
    ) -> Result<(Bound, Option<PageId>), EmitError> {
        let region = operand.backward(tile);
        if let Some(placement) = operand.placement().filter(|placement| placement.is_local()) {
            let (address, page) = at_home(placement, &region, emitter)?;
            return Ok((Bound { address, strides: local_strides(&placement.strides)?, region }, page));
        }
        let all = whole(operand).filter(|all| self.whole && all.contains(&region));
        let wanted = all.unwrap_or_else(|| region.clone());
        let state = self.states.get_mut(index).ok_or(EmitError::Operand(index))?;
        if let Some((bound, page)) = state.bound.as_ref().filter(|(bound, _)| bound.region == wanted) {
            return Ok((part(bound, region)?, Some(*page)));
        }
        let slot = match &self.layout {
            None if matches!(operand.role, OperandRole::Accumulator { .. }) => None,
            None => Some((0, u64::MAX)),
            Some((layout, base)) => {
                let slots = layout.slots.get(index).ok_or(EmitError::Operand(index))?;
                let slot = slots.get(state.turn % slots.len().max(1));
                slot.map(|&(offset, planned)| (base.saturating_add(offset), planned))
            }
        };
        let Some((slot, planned)) = slot else {
            // An accumulator that no split reduction needs.
            return Ok((Bound { address: 0, strides: vec![0; region.rank()], region }, None));
        };
        let needed = (wanted.elements() as u64).saturating_mul(operand.element_bytes() as u64);
        if needed > planned {
            return Err(EmitError::Footprint { tile: format!("{:?}", tile.0), operand: index, needed, planned });
        }
        let (page, address) = emitter.page(needed, slot)?;
        let strides = local_strides(&slot_strides(operand, &wanted))?;
        let bound = Bound { address, strides, region: wanted };
        if let OperandRole::Read(placement) = &operand.role {
            load(placement, &bound, page, emitter)?;
        }
        state.turn += 1;
        let tile = part(&bound, region)?;
        state.bound = Some((bound, page));
        Ok((tile, Some(page)))
    }
}

/// The address of a box of what is in local memory, and its page where it is there in parts.
fn at_home(
    placement: &TilePlacement,
    region: &Region,
    emitter: &mut Emitter<'_>,
) -> Result<(u32, Option<PageId>), EmitError> {
    let (address, page) = match placement.at(&region.starts())? {
        TileMemory::Local { address } => (address, None),
        TileMemory::Paged { storage, offset } => {
            let (low, high) = placement.span(region).ok_or(EmitError::Address)?;
            let (page, address) = emitter.locate(storage, low, high)?;
            (u64::from(address) + (offset - low), Some(page))
        }
        TileMemory::Ddr { .. } => return Err(EmitError::Address),
    };
    Ok((u32::try_from(address).map_err(|_| EmitError::Address)?, page))
}

/// Bytes between neighbours in a slot, per dimension of the operand: without gaps, in the order in which it is moved.
fn slot_strides(operand: &TileOperand, region: &Region) -> Vec<i64> {
    let shape = region.shape();
    match operand.placement() {
        Some(placement) => strides_in_order(&shape, &placement.order(), operand.element_bytes()),
        None => dense_strides(&shape, operand.element_bytes()),
    }
}

/// A smaller box of a bound one.
fn part(bound: &Bound, region: Region) -> Result<Bound, EmitError> {
    let mut address = i64::from(bound.address);
    for ((inner, outer), &stride) in region.0.iter().zip(&bound.region.0).zip(&bound.strides) {
        let skipped = i64::try_from(inner.start - outer.start.min(inner.start)).map_err(|_| EmitError::Address)?;
        address =
            skipped.checked_mul(stride.into()).and_then(|skip| address.checked_add(skip)).ok_or(EmitError::Address)?;
    }
    let address = u32::try_from(address).map_err(|_| EmitError::Address)?;
    Ok(Bound { address, strides: bound.strides.clone(), region })
}

/// Loads the bound box from its DDR placement into its page; nothing to do for a resident tensor or an empty box.
fn load(placement: &TilePlacement, bound: &Bound, page: PageId, emitter: &mut Emitter<'_>) -> Result<(), EmitError> {
    let TileMemory::Ddr { region, offset } = placement.at(&bound.region.starts())? else { return Ok(()) };
    if bound.region.is_empty() {
        return Ok(());
    }
    let order = placement.order();
    let load = Load {
        shape: shape6(&ordered(&bound.region.shape(), &order))?,
        element_bytes: element_bytes(placement)?,
        source: ddr_view(region, offset, &ordered(&placement.strides, &order))?,
        destination: view6(bound.address, &ordered(&bound.strides, &order))?,
    };
    emitter.load(page, load)
}

/// Stores the bound box to its DDR placement; nothing to do for a resident tensor or an empty box.
fn store(placement: &TilePlacement, bound: &Bound, emitter: &mut Emitter<'_>) -> Result<(), EmitError> {
    let TileMemory::Ddr { region, offset } = placement.at(&bound.region.starts())? else { return Ok(()) };
    if bound.region.is_empty() {
        return Ok(());
    }
    let order = placement.order();
    emitter.push(Store {
        shape: shape6(&ordered(&bound.region.shape(), &order))?,
        element_bytes: element_bytes(placement)?,
        source: view6(bound.address, &ordered(&bound.strides, &order))?,
        destination: ddr_view(region, offset, &ordered(&placement.strides, &order))?,
    })
}

/// Element size as an instruction holds it.
pub fn element_bytes(placement: &TilePlacement) -> Result<u8, EmitError> {
    u8::try_from(placement.element_bytes).map_err(|_| EmitError::Address)
}
