//! The bytes that MLIR was given and holds by their address.

use bytes::Bytes;
use hb_runtime::array::AlignedBytes;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// By address and length: the bytes, and how many resources hold them.
type Given = HashMap<(usize, usize), (Bytes, usize)>;

/// A resource knows the address of its bytes only, so what owns them is kept here until the resource gives them back.
static GIVEN: LazyLock<Mutex<Given>> = LazyLock::new(Mutex::default);

fn given() -> MutexGuard<'static, Given> {
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the bytes where they are until they are taken back as often as they were given.
pub fn give(bytes: Bytes) -> (*const u8, usize) {
    let (data, length) = (bytes.as_ptr(), bytes.len());
    given().entry((data.addr(), length)).or_insert((bytes, 0)).1 += 1;
    (data, length)
}

/// The end of one [`give`].
pub fn take_back(data: *const u8, length: usize) {
    // What is dropped may be large, and is dropped behind the lock.
    let mut given = given();
    let ended = match given.entry((data.addr(), length)) {
        Entry::Occupied(mut entry) => {
            entry.get_mut().1 -= 1;
            (entry.get().1 == 0).then(|| entry.remove())
        }
        Entry::Vacant(_) => None,
    };
    drop(given);
    drop(ended);
}

/// These bytes with what owns them, where they were given.
pub fn find(bytes: &[u8]) -> Option<Bytes> {
    given().get(&(bytes.as_ptr().addr(), bytes.len())).map(|(bytes, _)| bytes.clone())
}

/// A copy at an address from which every element type can be read; `None` when there is not that much memory.
#[must_use]
pub fn aligned_copy(bytes: &[u8]) -> Option<Bytes> {
    AlignedBytes::copied(bytes).map(Bytes::from_owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_as_long_as_somebody_holds_them() {
        let bytes = aligned_copy(&[7; 100]).unwrap();
        let (data, length) = give(bytes.clone());
        assert_eq!((data, length), (bytes.as_ptr(), 100));
        // The same memory for a second resource, and a part of it for a third.
        give(bytes.clone());
        give(bytes.slice(..50));
        assert_eq!(find(&bytes).unwrap().as_ptr(), data);
        take_back(data, 100);
        assert!(find(&bytes).is_some());
        take_back(data, 100);
        assert!(find(&bytes).is_none() && find(&bytes[..50]).is_some());
        take_back(data, 50);
        assert!(find(&bytes[..50]).is_none());
        assert_eq!(bytes, [7; 100].as_slice());
    }
}
