use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::ptr::NonNull;
use core::slice;

use super::{BoardRoutine, CompiledBody, Description, RegionFunction, TensorFacts};
use crate::routines::{Branch, Repeat};
use crate::{ArrayView, ResultView, with_routines};

unsafe extern "C" {
    fn aligned_alloc(alignment: usize, bytes: usize) -> *mut u8;
    fn free(memory: *mut u8);
    fn abort() -> !;
}

/// The C library's memory.
struct LibraryMemory;

#[global_allocator]
static MEMORY: LibraryMemory = LibraryMemory;

// SAFETY: `aligned_alloc` gives memory of the alignment, which `free` takes back.
unsafe impl GlobalAlloc for LibraryMemory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let alignment = layout.align().max(size_of::<usize>());
        // SAFETY: the size is a multiple of the alignment, as C wants it.
        unsafe { aligned_alloc(alignment, layout.size().next_multiple_of(alignment)) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, _layout: Layout) {
        // SAFETY: it is from `alloc`.
        unsafe { free(memory) }
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: it takes nothing.
    unsafe { abort() }
}

macro_rules! entries {
    ($($routine:ident => $symbol:ident;)*) => { $(
        entry!(crate::routines::$routine => $symbol);
    )* };
}

macro_rules! entry {
    ($routine:ty => $symbol:ident) => {
        /// See [`super`].
        ///
        /// # Safety
        /// The description is that of the tensors.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $symbol(
            tensors: *const *mut u8,
            description: *const u8,
            bytes: usize,
            regions: *const RegionFunction,
        ) -> i32 {
            // SAFETY: the caller's.
            unsafe { call::<$routine>(tensors, description, bytes, regions) }
        }
    };
}

with_routines!(entries);
entry!(Branch<CompiledBody> => hb_branch);
entry!(Repeat<CompiledBody> => hb_repeat);

/// Nothing unwinds, but the functions of `core` and `alloc` are compiled as if it did; the linker of objects removes what would call it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// Runs a routine on tensors at addresses.
///
/// # Safety
/// `tensors` has the results and operands of the description, of their sizes; `regions` a function for each body.
unsafe fn call<R: BoardRoutine>(
    tensors: *const *mut u8,
    description: *const u8,
    bytes: usize,
    regions: *const RegionFunction,
) -> i32 {
    // SAFETY: the caller's.
    let description = unsafe { slice::from_raw_parts(description, bytes) };
    let Ok(Description { mut routine, results, operands }) = postcard::from_bytes::<Description<R>>(description) else {
        return 1;
    };
    for (number, body) in routine.bodies().into_iter().enumerate() {
        // SAFETY: there is one for each body, compiled for it.
        unsafe { body.bind(*regions.add(number)) };
    }
    // SAFETY: there is an address for each tensor, and its memory has the tensor's size; results overlap nothing. Of an empty tensor the
    // address may be none.
    let memory = |number: usize, (element, shape): &TensorFacts| unsafe {
        let bytes = shape.iter().product::<usize>() * element.bytes();
        let address = if bytes == 0 { NonNull::dangling().as_ptr() } else { *tensors.add(number) };
        (address, bytes)
    };
    let mut filled: Vec<ResultView<'_>> = (results.iter().enumerate())
        .map(|(number, facts)| {
            let (address, bytes) = memory(number, facts);
            // SAFETY: as above.
            let bytes = unsafe { slice::from_raw_parts_mut(address, bytes) };
            ResultView { element: facts.0, shape: &facts.1, bytes }
        })
        .collect();
    let read: Vec<ArrayView<'_>> = (operands.iter().enumerate())
        .map(|(number, facts)| {
            let (address, bytes) = memory(results.len() + number, facts);
            // SAFETY: as above.
            let bytes = unsafe { slice::from_raw_parts(address, bytes) };
            ArrayView { element: facts.0, shape: &facts.1, bytes }
        })
        .collect();
    i32::from(routine.run(&read, &mut filled).is_err())
}
