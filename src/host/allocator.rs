//! The module's memory: small blocks, which come and go by the hundred with every request, are kept
//! for the next one of their size, without a search. All others are the standard allocator's.
//!
//! A kept block is never joined with its neighbours, so that of each size there stay as many as
//! were once in use together.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr;

/// Sizes are multiples of this many bytes, which is also how blocks are aligned.
const UNIT: usize = 16;
/// Largest size of a kept block, in units.
const CLASSES: usize = 64;

/// Free blocks by size, each list linked through the blocks themselves.
struct Recycler {
    free: UnsafeCell<[*mut Free; CLASSES]>,
}

/// A free block.
struct Free {
    next: *mut Free,
}

// SAFETY: a proxy-wasm VM has one thread.
unsafe impl Sync for Recycler {}

#[global_allocator]
static RECYCLER: Recycler = Recycler { free: UnsafeCell::new([ptr::null_mut(); CLASSES]) };

/// Which list a block is of; `None` for those that are not kept.
fn class(layout: Layout) -> Option<usize> {
    let class = layout.size().wrapping_sub(1) / UNIT;
    (class < CLASSES && layout.align() <= UNIT).then_some(class)
}

impl Recycler {
    /// The head of a list.
    fn head(&self, class: usize) -> *mut *mut Free {
        // SAFETY: `class` gives numbers below CLASSES only, so that this is inside the array.
        unsafe { self.free.get().cast::<*mut Free>().add(class) }
    }
}

// SAFETY: a block of a class is always allocated with the layout of the class, which has room for
// every layout of it and for a link, and is on a list only while nobody uses it. Whatever has no
// class goes to the standard allocator with its own layout.
unsafe impl GlobalAlloc for Recycler {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class(layout) else {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc(layout) };
        };
        let head = self.head(class);
        // SAFETY: see the impl; UNIT is a power of two and the size is small.
        unsafe {
            let block = *head;
            if block.is_null() {
                let size = (class + 1) * UNIT;
                return System.alloc(Layout::from_size_align_unchecked(size, UNIT));
            }
            *head = (*block).next;
            block.cast()
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(class) = class(layout) else {
            // SAFETY: the caller's promise.
            return unsafe { System.dealloc(block, layout) };
        };
        let head = self.head(class);
        let block = block.cast::<Free>();
        // SAFETY: see the impl.
        unsafe {
            (*block).next = *head;
            *head = block;
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size makes a layout.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (class(layout), class(new)) {
            // SAFETY: the caller's promise.
            (None, None) => return unsafe { System.realloc(block, layout, size) },
            (before, after) if before == after => return block,
            _ => {}
        }
        // SAFETY: both blocks have room for what is copied, and are not the same.
        unsafe {
            let moved = self.alloc(new);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}
