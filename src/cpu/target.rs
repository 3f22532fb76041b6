//! The machines that code is emitted for: this one, and the board's processor.

use std::sync::OnceLock;

use inkwell::OptimizationLevel;
use inkwell::attributes::AttributeLoc;
use inkwell::context::Context;
use inkwell::module::Module;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{
    CodeModel, FileType, InitializationConfig, RelocMode, Target as LlvmTarget, TargetMachine, TargetTriple,
};
use inkwell::values::FunctionValue;

use super::error::Error;

/// What the optimizer has to do with a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Little: making the code takes longer than running it.
    Little,
    /// Clean up: the code was emitted as vectors in registers.
    Tidy,
    /// Find vectors and unroll loops, too; takes about four times as long.
    Vectorize,
}

/// Slots become registers.
const LITTLE: &str = "function(sroa,early-cse)";

/// Slots become registers, what does not change leaves its loops, and addresses are computed once.
const TIDY: &str = "function<eager-inv>(sroa,early-cse<memssa>,instcombine<no-verify-fixpoint>,simplifycfg,reassociate,\
                    loop-mssa(loop-rotate,licm),indvars,gvn,loop-mssa(licm),sink,instcombine<no-verify-fixpoint>,adce)";

/// A processor to emit code for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuTarget {
    pub(crate) triple: String,
    pub(crate) processor: String,
    pub(crate) features: String,
    /// How many f32 a vector register holds.
    pub(crate) lanes: usize,
    /// How many vector registers there are.
    pub(crate) registers: usize,
}

impl CpuTarget {
    /// The machine this runs on, with every vector extension it has.
    pub fn host() -> Result<CpuTarget, Error> {
        initialize();
        let features = TargetMachine::get_host_cpu_features().to_string();
        let has = |name: &str| features.split(',').any(|feature| feature == name);
        let (lanes, registers) = match () {
            () if has("+avx512f") => (16, 32),
            () if has("+avx2") => (8, 16),
            () if cfg!(target_arch = "aarch64") => (4, 32),
            () => (4, 16),
        };
        let triple = TargetMachine::get_default_triple().as_str().to_string_lossy().into_owned();
        Ok(CpuTarget { triple, processor: TargetMachine::get_host_cpu_name().to_string(), features, lanes, registers })
    }

    /// The board: 64-bit Arm under Linux, with what every such processor has.
    pub fn board() -> CpuTarget {
        CpuTarget {
            triple: "aarch64-unknown-linux-gnu".to_string(),
            processor: "generic".to_string(),
            features: "+neon".to_string(),
            lanes: 4,
            registers: 32,
        }
    }

    pub(crate) fn machine(&self, level: OptimizationLevel) -> Result<TargetMachine, Error> {
        initialize();
        let doing = "choosing the target machine";
        let triple = TargetTriple::create(&self.triple);
        let target = LlvmTarget::from_triple(&triple).map_err(|error| Error::llvm(doing, error))?;
        let machine = target.create_target_machine(
            &triple,
            &self.processor,
            &self.features,
            level,
            RelocMode::PIC,
            CodeModel::Default,
        );
        machine.ok_or_else(|| Error::llvm(doing, format!("none for {}", self.triple)))
    }

    /// Tells the optimizer what the function may use; passes ask the function, not the machine.
    pub(crate) fn annotate(&self, context: &Context, function: FunctionValue<'_>) {
        let width = (self.lanes * 32).to_string();
        let attributes = [
            ("target-cpu", self.processor.as_str()),
            ("target-features", &self.features),
            ("prefer-vector-width", &width),
        ];
        for (name, value) in attributes {
            function.add_attribute(AttributeLoc::Function, context.create_string_attribute(name, value));
        }
        let nounwind = inkwell::attributes::Attribute::get_named_enum_kind_id("nounwind");
        function.add_attribute(AttributeLoc::Function, context.create_enum_attribute(nounwind, 0));
    }

    /// Optimizes a module and assembles it into an object file.
    pub(crate) fn assemble(&self, module: &Module<'_>, effort: Effort) -> Result<Vec<u8>, Error> {
        object_of(&self.optimize(module, effort)?, module)
    }

    /// Optimizes a module for a machine, which assembles it then.
    pub(crate) fn optimize(&self, module: &Module<'_>, effort: Effort) -> Result<TargetMachine, Error> {
        let (passes, level) = match effort {
            Effort::Little => (LITTLE, OptimizationLevel::None),
            Effort::Tidy => (TIDY, OptimizationLevel::Default),
            Effort::Vectorize => ("default<O2>", OptimizationLevel::Default),
        };
        let machine = self.machine(level)?;
        module.set_triple(&machine.get_triple());
        module.set_data_layout(&machine.get_target_data().get_data_layout());
        module.verify().map_err(|error| Error::llvm("verifying emitted code", error))?;
        let options = PassBuilderOptions::create();
        options.set_loop_vectorization(true);
        options.set_loop_slp_vectorization(true);
        options.set_loop_unrolling(true);
        options.set_loop_interleaving(true);
        module.run_passes(passes, &machine, options).map_err(|error| Error::llvm("optimizing", error))?;
        Ok(machine)
    }
}

/// The object file of a module.
pub(crate) fn object_of(machine: &TargetMachine, module: &Module<'_>) -> Result<Vec<u8>, Error> {
    let buffer = machine.write_to_memory_buffer(module, FileType::Object);
    Ok(buffer.map_err(|error| Error::llvm("assembling", error))?.as_slice().to_vec())
}

/// LLVM's targets, once per process.
fn initialize() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let config = InitializationConfig::default();
        LlvmTarget::initialize_x86(&config);
        LlvmTarget::initialize_aarch64(&config);
    });
}
