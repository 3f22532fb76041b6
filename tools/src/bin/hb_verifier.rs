//! Compares forms of a network on the same data. `hb_verifier --help` teaches.

use hb_tools as _;

fn main() -> std::process::ExitCode {
    hb::driver::verifier::command(std::env::args_os())
}
