//! The dialects of `hb`: ODS-generated C++ behind a thin shim, with verifiers, folders and passes in Rust.

#[cfg(test)]
mod tests {
    #[test]
    fn context_loads() {
        let context = melior::Context::new();
        assert!(melior::ir::Module::parse(&context, "module {}").is_some());
    }
}
