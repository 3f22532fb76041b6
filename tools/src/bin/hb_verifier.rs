//! Compares forms of a network on the same data. `hb_verifier --help` teaches.

fn main() -> std::process::ExitCode {
    hb::driver::verifier::command(std::env::args_os())
}
