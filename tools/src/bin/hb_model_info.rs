//! Shows what a compiled model is.

fn main() -> std::process::ExitCode {
    hb::hbm::information::command(std::env::args_os())
}
