use alloc::boxed::Box;
use alloc::string::String;
use core::error::Error;

use crate::ArrayError;

/// Why a routine failed.
#[derive(Debug)]
pub enum Fault {
    /// A reason, which the caller puts the node's name before.
    Reason(String),
    /// An array of it cannot be had.
    Array(ArrayError),
    /// The error of a node inside of it.
    Inner(Box<dyn Error + Send + Sync>),
}

impl From<ArrayError> for Fault {
    fn from(error: ArrayError) -> Fault {
        Fault::Array(error)
    }
}
