use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let prefix = PathBuf::from(env::var("MLIR_SYS_220_PREFIX")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    join_c_api(&prefix, &out)?;
    Ok(())
}

/// `mlir-sys` asks for `-lMLIR-C`, which Debian does not ship: its C API is in static archives beside libMLIR.so.
/// A linker script of that name joins them. libMLIR.so stands first so that nothing of it is linked twice.
fn join_c_api(prefix: &std::path::Path, out: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let library = prefix.join("lib");
    let mut archives: Vec<_> = fs::read_dir(&library)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with("libMLIRCAPI") && name.ends_with(".a"))
        })
        .map(|path| path.display().to_string())
        .collect();
    archives.sort();
    let script = format!(
        "GROUP ( {lib}/libMLIR.so {archives} {lib}/libLLVM.so )\n",
        lib = library.display(),
        archives = archives.join(" "),
    );
    fs::write(out.join("libMLIR-C.so"), script)?;
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-search=native={}", library.display());
    Ok(())
}
