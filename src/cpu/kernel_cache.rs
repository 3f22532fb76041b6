//! Machine code of kernels, shared by the executables of related networks.
//!
//! A network and its QDQ form hold the same convolutions with other constants, and constants are operands of kernels: whoever compiles
//! both gives them one cache, and each kernel is compiled once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::jit::{Entry, Jit};
use super::kernel::Kernel;

/// A function of linked code, with the code that it lives in.
#[derive(Clone)]
pub(crate) struct Compiled {
    pub entry: Entry,
    pub code: Arc<Jit>,
}

/// See the module.
#[derive(Default)]
pub struct KernelCache {
    known: Mutex<HashMap<Kernel, Compiled>>,
}

impl KernelCache {
    pub(crate) fn get(&self, kernel: &Kernel) -> Option<Compiled> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(kernel).cloned()
    }

    pub(crate) fn insert(&self, kernel: Kernel, compiled: Compiled) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(kernel, compiled);
    }
}

impl fmt::Debug for KernelCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.known.lock().unwrap_or_else(PoisonError::into_inner).len();
        write!(f, "KernelCache of {count} kernels")
    }
}
