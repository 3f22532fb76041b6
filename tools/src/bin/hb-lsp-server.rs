//! `hb-lsp-server`: MLIR's language server with the dialects of hb.

use hb_tools as _;

fn main() {
    hb::pipeline::register();
    std::process::exit(hb_dialects::tools::lsp_server_main(std::env::args_os()));
}
