//! Emits an operator for a decided tiling: loads, the operator's instructions, stores.
//!
//! Each operand that does not live in L1M gets one or two slots of it. A slot is filled when the operand's box changes from one
//! tile to the next, so an operand that does not follow the inner loops is loaded once for all of them. With two slots the
//! loads for tile i + 1 touch no byte that tile i uses; the hazard tracker then lets them run ahead.

use serde::{Deserialize, Serialize};

use super::super::allocate::{AllocationError, LiveBuffer, Solution, allocate};
use super::super::isa::{Load, Store};
use super::super::region::{Region, Tiles};
use super::emitter::{EmitError, Emitter, ddr_view, local_strides, shape6, view6};
use super::{Bound, OperandRole, TileMemory, TileOperand, TilePlacement, TileStep, Tiled, dense_strides};

/// How an operator is cut: plain data, may come from a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tiling {
    /// Tile sizes per axis.
    pub tile: Vec<usize>,
    /// Loops, outermost first.
    pub order: Vec<usize>,
    /// Slots of each operand that changes from tile to tile: 2 lets loads run ahead, 1 saves memory.
    pub slots: usize,
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
    bound: Option<Bound>,
    turn: usize,
}

/// Emits all tiles of an operator. `base` is the L1M address of the layout.
pub fn apply(
    operator: &dyn Tiled,
    tiling: &Tiling,
    layout: &TileLayout,
    base: u64,
    emitter: &mut Emitter,
) -> Result<(), EmitError> {
    tiling.check(operator)?;
    let sizes: Vec<usize> = operator.axes().iter().map(|axis| axis.size).collect();
    let mut states: Vec<State> = operator.operands().iter().map(|_| State::default()).collect();
    for tile in Tiles::new(&sizes, &tiling.tile, &tiling.order) {
        let mut operands = Vec::with_capacity(states.len());
        for (index, (operand, state)) in operator.operands().iter().zip(&mut states).enumerate() {
            let slots = layout.slots.get(index).ok_or(EmitError::Operand(index))?;
            operands.push(bind(index, operand, &tile, slots, base, state, emitter)?);
        }
        let reduction = || operator.axes().iter().zip(&tile.0).filter(|(axis, _)| axis.reduction);
        let first = reduction().all(|(_, extent)| extent.start == 0);
        let last = reduction().all(|(axis, extent)| extent.end == axis.size);
        operator.emit(&TileStep { tile: &tile, operands: &operands, first, last }, emitter)?;
        if last {
            for (operand, bound) in operator.operands().iter().zip(&operands) {
                if let OperandRole::Write(placement) = &operand.role {
                    store(placement, bound, emitter)?;
                }
            }
        }
    }
    Ok(())
}

/// Makes the operand's box for `tile` available in L1M.
fn bind(
    index: usize,
    operand: &TileOperand,
    tile: &Region,
    slots: &[(u64, u64)],
    base: u64,
    state: &mut State,
    emitter: &mut Emitter,
) -> Result<Bound, EmitError> {
    let region = operand.backward(tile);
    if let Some(placement) = operand.placement()
        && let TileMemory::Local { address } = placement.at(&region.starts())?
    {
        let address = u32::try_from(address).map_err(|_| EmitError::Address)?;
        return Ok(Bound { address, strides: local_strides(&placement.strides)?, region });
    }
    if let Some(bound) = &state.bound
        && bound.region == region
    {
        return Ok(bound.clone());
    }
    let Some(&(offset, planned)) = slots.get(state.turn % slots.len().max(1)) else {
        // An accumulator that no split reduction needs.
        return Ok(Bound { address: 0, strides: vec![0; region.rank()], region });
    };
    let needed = (region.elements() as u64).saturating_mul(operand.element_bytes() as u64);
    if needed > planned {
        return Err(EmitError::Footprint { tile: format!("{:?}", tile.0), operand: index, needed, planned });
    }
    let address = base.checked_add(offset).and_then(|at| u32::try_from(at).ok()).ok_or(EmitError::Address)?;
    let strides = local_strides(&dense_strides(&region.shape(), operand.element_bytes()))?;
    let bound = Bound { address, strides, region };
    if let OperandRole::Read(placement) = &operand.role {
        load(placement, &bound, emitter)?;
    }
    state.turn += 1;
    state.bound = Some(bound.clone());
    Ok(bound)
}

/// Loads the bound box from its DDR placement; nothing to do for a resident tensor or an empty box.
pub fn load(placement: &TilePlacement, bound: &Bound, emitter: &mut Emitter) -> Result<(), EmitError> {
    let TileMemory::Ddr { region, offset } = placement.at(&bound.region.starts())? else { return Ok(()) };
    if bound.region.is_empty() {
        return Ok(());
    }
    emitter.push(Load {
        shape: shape6(&bound.region.shape())?,
        element_bytes: element_bytes(placement)?,
        source: ddr_view(region, offset, &placement.strides)?,
        destination: view6(bound.address, &bound.strides)?,
    })
}

/// Stores the bound box to its DDR placement; nothing to do for a resident tensor or an empty box.
pub fn store(placement: &TilePlacement, bound: &Bound, emitter: &mut Emitter) -> Result<(), EmitError> {
    let TileMemory::Ddr { region, offset } = placement.at(&bound.region.starts())? else { return Ok(()) };
    if bound.region.is_empty() {
        return Ok(());
    }
    emitter.push(Store {
        shape: shape6(&bound.region.shape())?,
        element_bytes: element_bytes(placement)?,
        source: view6(bound.address, &bound.strides)?,
        destination: ddr_view(region, offset, &placement.strides)?,
    })
}

/// Element size as an instruction holds it.
pub fn element_bytes(placement: &TilePlacement) -> Result<u8, EmitError> {
    u8::try_from(placement.element_bytes).map_err(|_| EmitError::Address)
}
