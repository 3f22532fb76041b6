//! `hb-opt`: runs passes and pipelines on MLIR of any level.

use hb_tools as _;

fn main() {
    hb::pipeline::register();
    std::process::exit(hb_dialects::tools::opt_main(std::env::args_os()));
}
