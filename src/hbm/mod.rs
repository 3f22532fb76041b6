//! The `.hbm` container: write, read, verify.
