//! Runs models on the simulator, and predicts their speed.

fn main() -> std::process::ExitCode {
    hb::sim::command::command(std::env::args_os())
}
