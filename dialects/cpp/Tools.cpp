// Passes and pipelines that Rust describes, and the mains of hb-opt and hb-lsp-server.
#include "Hb.h"

#include "mlir/CAPI/Pass.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

extern "C" {
struct HbOption {
  MlirStringRef name, description, initial;
};
struct HbPass {
  MlirStringRef argument, summary;
  // Null for a pass on any operation.
  MlirStringRef anchor;
  intptr_t optionCount;
  const HbOption *options;
  // The values come in the order of `options`.
  bool (*run)(const void *data, MlirOperation, intptr_t, const MlirStringRef *values);
  const void *data;
};
struct HbPipeline {
  MlirStringRef argument, summary;
  // Calls `result` with the textual pipeline for the options given; false when the options are wrong.
  bool (*build)(const void *data, MlirStringRef options, void (*result)(MlirStringRef, void *), void *user);
  const void *data;
};
}

namespace {
// One C++ class serves every pass; what tells them apart is the description that Rust keeps alive for the whole run.
class RustPass : public mlir::Pass {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(RustPass)

  explicit RustPass(const HbPass *pass)
      : mlir::Pass(mlir::TypeID::get<RustPass>(), anchorOf(pass)), pass(pass) {
    for (intptr_t i = 0; i < pass->optionCount; ++i) {
      const HbOption &option = pass->options[i];
      options.push_back(std::make_unique<Option<std::string>>(*this, unwrap(option.name),
                                                              llvm::cl::desc(unwrap(option.description)),
                                                              llvm::cl::init(unwrap(option.initial).str())));
    }
  }

  llvm::StringRef getName() const override { return unwrap(pass->argument); }
  llvm::StringRef getArgument() const override { return unwrap(pass->argument); }
  llvm::StringRef getDescription() const override { return unwrap(pass->summary); }
  std::unique_ptr<mlir::Pass> clonePass() const override { return std::make_unique<RustPass>(pass); }
  bool canScheduleOn(mlir::RegisteredOperationName name) const override {
    return !pass->anchor.data || name.getStringRef() == unwrap(pass->anchor);
  }
  void getDependentDialects(mlir::DialectRegistry &registry) const override {
    hb::insertDialects(registry);
    registry.insert<mlir::quant::QuantDialect>();
  }

  void runOnOperation() override {
    llvm::SmallVector<MlirStringRef> values;
    for (const auto &option : options)
      values.push_back(wrap(llvm::StringRef(option->getValue())));
    if (!pass->run(pass->data, wrap(getOperation()), values.size(), values.data()))
      signalPassFailure();
  }

private:
  static std::optional<llvm::StringRef> anchorOf(const HbPass *pass) {
    if (!pass->anchor.data)
      return std::nullopt;
    return unwrap(pass->anchor);
  }

  const HbPass *pass;
  llvm::SmallVector<std::unique_ptr<Option<std::string>>> options;
};

mlir::DialectRegistry allDialects() {
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  hb::insertDialects(registry);
  return registry;
}
} // namespace

extern "C" {
// `pass` and everything it points to must live as long as the process.
void hbRegisterPass(const HbPass *pass) {
  mlir::registerPass([pass]() -> std::unique_ptr<mlir::Pass> { return std::make_unique<RustPass>(pass); });
}

void hbRegisterPipeline(const HbPipeline *pipeline) {
  auto build = [pipeline](mlir::OpPassManager &manager, llvm::StringRef options,
                          llvm::function_ref<llvm::LogicalResult(const llvm::Twine &)> error) {
    std::string text;
    auto keep = [](MlirStringRef part, void *user) { static_cast<std::string *>(user)->append(part.data, part.length); };
    if (!pipeline->build(pipeline->data, wrap(options), keep, &text))
      return error(text);
    return mlir::parsePassPipeline(text, manager);
  };
  mlir::registerPassPipeline(unwrap(pipeline->argument), unwrap(pipeline->summary), build,
                             [](llvm::function_ref<void(const mlir::detail::PassOptions &)>) {});
}

void hbRegisterUpstreamPasses() { mlir::registerAllPasses(); }

// Registers every upstream dialect and every one of hb.
void hbInsertAllDialects(MlirDialectRegistry registry) {
  mlir::registerAllDialects(*unwrap(registry));
  mlir::registerAllExtensions(*unwrap(registry));
  hb::insertDialects(*unwrap(registry));
}

int hbOptMain(int argc, char **argv) {
  mlir::DialectRegistry registry = allDialects();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "hb-opt: runs passes and pipelines on MLIR\n", registry));
}

int hbLspServerMain(int argc, char **argv) {
  mlir::DialectRegistry registry = allDialects();
  return mlir::asMainReturnCode(mlir::MlirLspServerMain(argc, argv, registry));
}
}
