//! Collects the instructions of tiles, and the pages of local memory that they use.
//!
//! Waits are not made here: the order may still change, because loads move forward ([`super::super::schedule`]).

use std::collections::{BTreeMap, HashMap};

use super::super::isa::{self, DdrView, MemoryRegion, Operation, RANK, Space, View};

/// Why instructions could not be written for a tile. All but the first two are faults of the tiler, caught before they do harm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its variant and fields mean")]
pub enum EmitError {
    #[error("an address or a stride is outside of what an instruction can hold")]
    Address,
    #[error("more than {limit} instructions are needed")]
    TooMany { limit: usize },
    #[error("operand {0} of the operator does not exist")]
    Operand(usize),
    #[error("tile {tile} needs {needed} bytes for operand {operand}, planned were {planned}")]
    Footprint { tile: String, operand: usize, needed: u64, planned: u64 },
    #[error("the plan does not suit the operator: {0}")]
    Plan(String),
}

/// No program may be longer. A plan from a file with tiles of one cell should be an error rather than a full memory.
pub const MAX_INSTRUCTIONS: usize = 1 << 21;

/// An instruction without its waits.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Index of the node that it belongs to.
    pub source: u32,
    /// What it does.
    pub operation: Operation,
}

/// The number of a page in `Emitter::pages`.
pub type PageId = usize;

/// A run of local memory for one box of one operand, from the instruction that fills it to the last one that uses it. Times are
/// positions of drafts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPage {
    /// Its size.
    pub bytes: u64,
    /// Where the slots of its operator have it.
    pub slot: u64,
    /// The first draft that touches it.
    pub first: usize,
    /// The last draft that touches it.
    pub last: usize,
    /// It is stored, which may take long.
    pub stored: bool,
    /// How it is filled, where the first draft is a load that does nothing else.
    pub load: Option<PageLoad>,
}

/// A load that may be issued earlier than its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageLoad {
    /// The first draft that it may stand before: behind it nothing writes what it reads.
    pub earliest: usize,
    /// Its bytes of the constants, first and end, where they lie there in one piece and in the order of the page.
    pub constants: Option<(u64, u64)>,
}

/// Takes instructions in an order that is right one after the other.
#[derive(Default)]
pub struct Emitter<'a> {
    drafts: Vec<Draft>,
    pages: Vec<LocalPage>,
    /// Address of each page; without, pages are where their slots are.
    addresses: Option<&'a [u64]>,
    written: BTreeMap<MemoryRegion, Written>,
    /// Of storages that are here in parts, which bytes are where, the latest last.
    windows: HashMap<usize, Vec<Window>>,
    source: u32,
}

/// Some bytes of a storage in local memory.
#[derive(Clone, Copy, Debug)]
struct Window {
    page: PageId,
    address: u32,
    low: u64,
    high: u64,
}

impl<'a> Emitter<'a> {
    /// Puts the n-th page at the n-th address.
    pub fn at(addresses: &'a [u64]) -> Self {
        Self { addresses: Some(addresses), ..Self::default() }
    }

    /// Following instructions belong to the node with this index in the program's names.
    pub fn set_source(&mut self, source: u32) {
        self.source = source;
    }

    /// Appends an instruction.
    pub fn push(&mut self, operation: impl Into<Operation>) -> Result<(), EmitError> {
        if self.drafts.len() >= MAX_INSTRUCTIONS {
            return Err(EmitError::TooMany { limit: MAX_INSTRUCTIONS });
        }
        let operation = operation.into();
        for access in operation.accesses().iter().filter(|access| access.write) {
            if let Space::Ddr(region) = access.space {
                let bound = |value: i128| u64::try_from(value.max(0)).unwrap_or(u64::MAX);
                let (start, end) = (bound(access.region.base), bound(access.region.end()));
                self.written.entry(region).or_default().record(start, end, self.drafts.len());
            }
        }
        self.drafts.push(Draft { source: self.source, operation });
        Ok(())
    }

    /// A new page, in use from the next instruction on, and its address.
    pub fn page(&mut self, bytes: u64, slot: u64) -> Result<(PageId, u32), EmitError> {
        let id = self.pages.len();
        let address = match self.addresses {
            None => slot,
            Some(addresses) => *addresses
                .get(id)
                .ok_or_else(|| EmitError::Plan("it has fewer stays than there are pages".to_owned()))?,
        };
        let next = self.drafts.len();
        self.pages.push(LocalPage { bytes, slot, first: next, last: next, stored: false, load: None });
        Ok((id, u32::try_from(address).map_err(|_| EmitError::Address)?))
    }

    /// A new page for bytes `low..high` of a storage.
    pub fn open(&mut self, storage: usize, low: u64, high: u64) -> Result<(PageId, u32), EmitError> {
        let (page, address) = self.page(high.checked_sub(low).ok_or(EmitError::Address)?, 0)?;
        self.windows.entry(storage).or_default().push(Window { page, address, low, high });
        Ok((page, address))
    }

    /// The latest page that has these bytes of a storage, and where the first of them lies.
    pub fn locate(&self, storage: usize, low: u64, high: u64) -> Result<(PageId, u32), EmitError> {
        let windows = self.windows.get(&storage).map(Vec::as_slice).unwrap_or_default();
        let found = windows.iter().rev().find(|window| window.low <= low && high <= window.high);
        let found = found.and_then(|window| {
            let behind = u32::try_from(low - window.low).ok()?;
            Some((window.page, window.address.checked_add(behind)?))
        });
        found.ok_or_else(|| EmitError::Plan(format!("bytes {low} to {high} of storage {storage} are not there")))
    }

    /// The end of the bytes of a storage that were ever there.
    pub fn reach(&self, storage: usize) -> u64 {
        self.windows.get(&storage).and_then(|windows| windows.last()).map_or(0, |window| window.high)
    }

    /// Forgets which bytes of storages are where.
    pub fn close(&mut self) {
        self.windows.clear();
    }

    /// Fills a new page, or the end of one, by a load.
    pub fn load(&mut self, page: PageId, load: isa::Load) -> Result<(), EmitError> {
        let position = self.drafts.len();
        let mut dimensions = load.shape.iter().zip(load.source.strides.iter().zip(&load.destination.strides));
        let same_order = dimensions.all(|(&size, (&from, &to))| size <= 1 || from == i64::from(to));
        self.push(load)?;
        let Some(Draft { operation, .. }) = self.drafts.last() else { return Ok(()) };
        let (mut earliest, mut constants) = (0, None);
        for access in operation.accesses().iter().filter(|access| !access.write) {
            let bound = |value: i128| u64::try_from(value.max(0)).unwrap_or(u64::MAX);
            let (start, end) = (bound(access.region.base), bound(access.region.end()));
            match access.space {
                Space::Ddr(MemoryRegion::Constants) => {
                    constants = access.region.dimensions.is_empty().then_some((start, end));
                }
                Space::Ddr(region) => {
                    let last = self.written.get(&region).and_then(|written| written.last(start, end));
                    earliest = earliest.max(last.map_or(0, |last| last + 1));
                }
                Space::L1m => {}
            }
        }
        if let Some(page) = self.pages.get_mut(page).filter(|page| page.first == position) {
            let constants = constants.filter(|(start, end)| same_order && end - start == page.bytes);
            page.load = Some(PageLoad { earliest, constants });
        }
        Ok(())
    }

    /// The page is in use up to the latest instruction.
    pub fn keep(&mut self, page: PageId) {
        let latest = self.drafts.len().saturating_sub(1);
        if let Some(page) = self.pages.get_mut(page) {
            page.last = page.last.max(latest);
        }
    }

    /// The latest instruction stores the page.
    pub fn stores(&mut self, page: PageId) {
        self.keep(page);
        if let Some(page) = self.pages.get_mut(page) {
            page.stored = true;
        }
    }

    /// How many instructions there are so far.
    pub fn position(&self) -> usize {
        self.drafts.len()
    }

    /// Every instruction and every page, in order.
    pub fn finish(self) -> (Vec<Draft>, Vec<LocalPage>) {
        (self.drafts, self.pages)
    }
}

/// Per byte of a region, the last draft that wrote it: runs by their start, with their end.
#[derive(Default)]
struct Written(BTreeMap<u64, (u64, usize)>);

impl Written {
    /// Later drafts come later.
    fn record(&mut self, start: u64, end: u64, draft: usize) {
        if start >= end {
            return;
        }
        for at in [start, end] {
            if let Some((_, run)) = self.0.range_mut(..at).next_back()
                && run.0 > at
            {
                let tail = *run;
                run.0 = at;
                self.0.insert(at, tail);
            }
        }
        let inside: Vec<u64> = self.0.range(start..end).map(|(&start, _)| start).collect();
        for start in inside {
            self.0.remove(&start);
        }
        self.0.insert(start, (end, draft));
    }

    /// The last draft that wrote one of these bytes.
    fn last(&self, start: u64, end: u64) -> Option<usize> {
        let before = self.0.range(..start).next_back().filter(|(_, run)| run.0 > start);
        before.into_iter().chain(self.0.range(start..end.max(start))).map(|(_, run)| run.1).max()
    }
}

/// Sizes as an instruction holds them: rank [`RANK`], ones in front.
pub fn shape6(sizes: &[usize]) -> Result<[u32; RANK], EmitError> {
    let mut shape = [1; RANK];
    let front = RANK.checked_sub(sizes.len()).ok_or(EmitError::Address)?;
    for (entry, &size) in shape.iter_mut().skip(front).zip(sizes) {
        *entry = u32::try_from(size).map_err(|_| EmitError::Address)?;
    }
    Ok(shape)
}

/// A view of rank [`RANK`] from the innermost strides, zeros in front.
pub fn view6(address: u32, strides: &[i32]) -> Result<View, EmitError> {
    let mut all = [0; RANK];
    let front = RANK.checked_sub(strides.len()).ok_or(EmitError::Address)?;
    all.iter_mut().skip(front).zip(strides).for_each(|(entry, &stride)| *entry = stride);
    Ok(View::new(address, all))
}

/// As [`view6`], of DDR.
pub fn ddr_view(region: MemoryRegion, offset: u64, strides: &[i64]) -> Result<DdrView, EmitError> {
    let mut all = [0; RANK];
    let front = RANK.checked_sub(strides.len()).ok_or(EmitError::Address)?;
    all.iter_mut().skip(front).zip(strides).for_each(|(entry, &stride)| *entry = stride);
    Ok(DdrView { region, offset, strides: all })
}

/// L1M strides from byte strides.
pub fn local_strides(strides: &[i64]) -> Result<Vec<i32>, EmitError> {
    strides.iter().map(|&stride| i32::try_from(stride).map_err(|_| EmitError::Address)).collect()
}
