//! The rules of every dialect, those of `bpu` and `nash` among them, which rest on plain models in this crate.

use crate::{bpu, nash};
use hb_dialects::hooks::{self, DialectAbove};
use melior::Context;
use std::sync::Once;

/// Brings the rules in. Further calls do nothing.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        hooks::install();
        hooks::add(DialectAbove::Bpu, bpu::rules::RULES);
        hooks::add(DialectAbove::Nash, nash::mlir::RULES);
    });
}

/// A context that knows every dialect with its rules.
pub fn context() -> Context {
    install();
    hb_dialects::context()
}
