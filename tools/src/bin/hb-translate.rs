//! `hb-translate`: from and to the formats outside of MLIR.

fn main() -> std::process::ExitCode {
    hb::driver::translate::main(std::env::args_os())
}
