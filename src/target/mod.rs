//! Reads `targets/*.yaml`, the only source of hardware numbers.
