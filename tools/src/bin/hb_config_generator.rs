//! Writes a configuration file for hb_compile. `hb_config_generator --help` teaches.

use hb_tools as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(hb::driver::config_generator::run(std::env::args_os()))
}
