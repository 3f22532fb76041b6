//! Compiles a network into a .hbm. `hb_compile --help` teaches.

use hb_tools as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(hb::driver::command_line::run(std::env::args_os()))
}
