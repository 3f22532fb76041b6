//! Generates the dialects from `tablegen/` with mlir-tblgen and the registry of their operations, compiles the shim, and joins
//! MLIR's C API for the linker.

mod records;
mod registry;

use std::{
    env,
    error::Error,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

/// Folder under `tablegen/`, prefix of the generated files, and what is generated from which file.
const DIALECTS: &[(&str, &str, &[Part])] = &[
    ("hfloat", "Hfloat", &[Part::Dialect, Part::Enums, Part::Attrs, Part::Ops]),
    ("bpu", "Bpu", &[Part::Dialect, Part::Ops]),
    ("cpu", "Cpu", &[Part::Dialect, Part::Ops]),
    ("nash", "Nash", &[Part::Dialect, Part::Enums, Part::Attrs, Part::Ops]),
];

#[derive(Clone, Copy)]
enum Part {
    Dialect,
    Enums,
    Attrs,
    Ops,
}

impl Part {
    /// The .td file, and the generators for the declarations and the definitions.
    fn generators(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Part::Dialect => ("Dialect.td", "Dialect", "-gen-dialect-decls", "-gen-dialect-defs"),
            Part::Enums => ("Attrs.td", "Enums", "-gen-enum-decls", "-gen-enum-defs"),
            Part::Attrs => ("Attrs.td", "Attrs", "-gen-attrdef-decls", "-gen-attrdef-defs"),
            Part::Ops => ("Ops.td", "Ops", "-gen-op-decls", "-gen-op-defs"),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let prefix = PathBuf::from(env::var("MLIR_SYS_220_PREFIX")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let tablegen = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../tablegen");
    println!("cargo:rerun-if-changed={}", tablegen.display());
    println!("cargo:rerun-if-changed=cpp");
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-env-changed=MLIR_SYS_220_PREFIX");

    generate(&prefix, &tablegen, &out)?;
    for (dialect, _, _) in DIALECTS {
        registry::generate(&prefix, &tablegen, &out, dialect)?;
    }
    compile(&prefix, &out)?;
    join_c_api(&prefix, &out)
}

fn generate(prefix: &Path, tablegen: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    for (folder, name, parts) in DIALECTS {
        for part in *parts {
            let (file, suffix, declarations, definitions) = part.generators();
            for (generator, extension) in [(declarations, "h.inc"), (definitions, "cpp.inc")] {
                let mut command = Command::new(prefix.join("bin/mlir-tblgen"));
                command.arg(generator).arg("-I").arg(prefix.join("include")).arg("-I").arg(tablegen);
                match part {
                    Part::Ops | Part::Dialect => command.arg(format!("--dialect={folder}")),
                    Part::Attrs => command.arg(format!("--attrdefs-dialect={folder}")),
                    Part::Enums => &mut command,
                };
                let output = out.join(format!("{name}{suffix}.{extension}"));
                let status = command.arg(tablegen.join(folder).join(file)).arg("-o").arg(output).status()?;
                if !status.success() {
                    return Err(format!("mlir-tblgen {generator} failed on tablegen/{folder}/{file}").into());
                }
            }
        }
    }
    Ok(())
}

fn compile(prefix: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let mut sources: Vec<PathBuf> = fs::read_dir("cpp")?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "cpp"))
        .collect();
    sources.sort();
    // Most changes of records leave the generated C++ as it is, and compiling it takes longer than everything else.
    let key = compilation_key(out)?;
    let key_file = out.join("shim.key");
    if fs::read_to_string(&key_file).is_ok_and(|known| known == key) && out.join("libhb_dialects_shim.a").exists() {
        println!("cargo:rustc-link-lib=static=hb_dialects_shim");
        println!("cargo:rustc-link-search=native={}", out.display());
        println!("cargo:rustc-link-lib=stdc++");
        return Ok(());
    }
    // Traits are found by the name that the compiler gives their type: the shim needs the compiler that built MLIR.
    cc::Build::new()
        .compiler(prefix.join("bin/clang++"))
        .cpp(true)
        .std("c++17")
        .flag("-fno-rtti")
        .flag("-fno-exceptions")
        .opt_level(1)
        .debug(false)
        // What MLIR and its generator write is not ours to warn of.
        .flag("-isystem")
        .flag(prefix.join("include"))
        .flag("-isystem")
        .flag(out)
        .include("cpp")
        .files(sources)
        .try_compile("hb_dialects_shim")?;
    fs::write(key_file, key)?;
    Ok(())
}

/// What the library depends on: the sources and the generated code, and the flags, which are in this file.
fn compilation_key(out: &Path) -> Result<String, Box<dyn Error>> {
    let mut files = Vec::new();
    for folder in [Path::new("cpp"), out] {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| ["cpp", "h", "inc", "rs"].iter().any(|known| extension == *known))
            {
                files.push(path);
            }
        }
    }
    files.retain(|path| !path.to_string_lossy().ends_with("_registry.rs"));
    files.sort();
    files.push(PathBuf::from("build/main.rs"));
    let mut hasher = DefaultHasher::new();
    for file in files {
        fs::read(file)?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// `mlir-sys` asks for `-lMLIR-C`, which Debian does not ship: its C API is in static archives beside libMLIR.so.
/// A linker script of that name joins them. libMLIR.so stands first so that nothing of it is linked twice.
fn join_c_api(prefix: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
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
