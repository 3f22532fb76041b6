//! `hb-translate`: from and to the formats outside of MLIR.

use hb_tools as _;

fn main() -> std::process::ExitCode {
    hb::driver::translate::main(std::env::args_os())
}
