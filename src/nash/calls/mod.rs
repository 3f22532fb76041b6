//! Function calls: a program in parts that each take at most a given time, so that others may run in between.
//!
//! [`cut`] works on any program, from the bytes that its instructions touch; [`choose`] says where.

mod bytes;
mod choose;
mod cut;
mod lives;

pub use choose::{TooLong, call_spans, choose};
pub use cut::{cut, uncut};
