//! When what lies in local memory, and in which order instructions are issued: plain data in, plain data out.
//!
//! Tiles are emitted in an order that is right one after the other, each box of an operand in a page of its own
//! ([`LocalPage`](super::tile::emitter::LocalPage)). A [`Stay`] says where a page lies and when its bytes begin to be taken. Loads may begin long
//! before they are needed, as soon as there is room: that hides them behind what runs then. Small neighbouring constants are loaded
//! together. [`place`] decides, [`check`] proves a decision from the definition alone, [`order`] carries it out; the waits
//! then follow from the bytes that instructions touch.

mod check;
mod hole;
mod jobs;
mod order;
mod place;
#[cfg(test)]
mod tests;

pub use check::check;
pub use order::{order, with_waits};
pub use place::{Lead, NoRoom, place, room};

use super::allocate::LiveBuffer;
use serde::{Deserialize, Serialize};

/// Where a page lies in local memory, and from when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    /// Of its first byte.
    pub address: u64,
    /// The draft before which its bytes begin to be taken: before which a load is issued.
    pub begins: usize,
    /// It is loaded together with the constants before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub joined: bool,
}

/// Something that has its address already: a tensor that stays, in positions of drafts.
pub type Settled = (LiveBuffer, u64);
