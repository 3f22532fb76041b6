//! Shows what a model is. `hb_model_info --help` teaches.

fn main() -> std::process::ExitCode {
    hb::driver::model_info::command(std::env::args_os())
}
