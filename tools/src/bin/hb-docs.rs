//! `hb-docs`: writes the generated pages of `docs/`, or checks that they are up to date.

use hb_tools as _;
use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    hb::documentation::command(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")), std::env::args().skip(1))
}
