//! Shows what a model is. `hb_model_info --help` teaches.

use hb_tools as _;

fn main() -> std::process::ExitCode {
    hb::driver::model_info::command(std::env::args_os())
}
