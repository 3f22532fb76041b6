//! Runs models on the simulator, and predicts their speed.

use hb_tools as _;

fn main() -> std::process::ExitCode {
    hb::sim::command::command(std::env::args_os())
}
