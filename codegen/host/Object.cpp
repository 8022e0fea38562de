// LLVM's part: the machine, the optimizer and the object's writer.
//
// Kernels arrive scheduled. LLVM folds, selects instructions and allocates registers; it neither
// vectorizes (its gathers of scalars ruined tiles) nor contracts floating-point operations.
#include "codegen/host/Object.h"

#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/OptBisect.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/Transforms/Scalar/LoopPassManager.h"
#include "llvm/Transforms/Scalar/LoopUnrollPass.h"

using namespace mlir;

namespace formwork {

static void initializeTargets() {
  static const bool done = [] {
    llvm::InitializeAllTargetInfos();
    llvm::InitializeAllTargets();
    llvm::InitializeAllTargetMCs();
    llvm::InitializeAllAsmPrinters();
    llvm::InitializeAllAsmParsers();
    return true;
  }();
  (void)done;
}

static std::string hostFeatures() {
  std::string features;
  for (auto &feature : llvm::sys::getHostCPUFeatures()) {
    features.append(features.empty() ? "" : ",");
    features.append(feature.second ? "+" : "-").append(feature.first());
  }
  return features;
}

FailureOr<std::unique_ptr<llvm::TargetMachine>>
makeTargetMachine(Location location, StringRef triple, StringRef cpu, StringRef features) {
  initializeTargets();
  bool native = triple.empty() && cpu.empty();
  llvm::Triple target(triple.empty() ? llvm::sys::getDefaultTargetTriple()
                                     : llvm::Triple::normalize(triple));
  std::string error;
  const llvm::Target *known = llvm::TargetRegistry::lookupTarget(target, error);
  if (!known)
    return emitError(location) << "target '" << target.str() << "': " << error;
  std::string name = native ? llvm::sys::getHostCPUName().str() : cpu.str();
  std::string enabled = native && features.empty() ? hostFeatures() : features.str();

  llvm::TargetOptions options;
  options.FunctionSections = true;
  options.DataSections = true;
  // A fused multiply-add is written where one is meant.
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  std::unique_ptr<llvm::TargetMachine> machine(
      known->createTargetMachine(target, name, enabled, options, llvm::Reloc::PIC_, std::nullopt,
                                 // Enough for code that is scheduled: more takes longer for
                                 // the same spills and more branches.
                                 llvm::CodeGenOptLevel::Less));
  if (!machine || (!name.empty() && !machine->getMCSubtargetInfo()->isCPUStringValid(name)))
    return emitError(location) << "target '" << target.str() << "' has no CPU '" << name << "'";
  return machine;
}

std::string describe(const llvm::TargetMachine &machine) {
  return (machine.getTargetTriple().str() + " " + machine.getTargetCPU()).str();
}

CPUTarget scheduledFor(const llvm::TargetMachine &machine) {
  const llvm::MCSubtargetInfo &features = *machine.getMCSubtargetInfo();
  if (!machine.getTargetTriple().isX86())
    return CPUTarget::neon();
  if (features.checkFeatures("+avx512f,+avx512vl,+avx512bw,+avx512dq"))
    return CPUTarget::avx512();
  return features.checkFeatures("+avx2,+fma") ? CPUTarget::avx2() : CPUTarget::sse();
}

/// Such as tell how many chunks a kernel's work has: a constant, or a size divided.
static bool isTiny(const llvm::Function &function) {
  constexpr size_t most = 8;
  return function.hasLocalLinkage() && function.size() == 1 && function.front().size() <= most;
}

/// What every function is to be compiled for.
static void setAttributes(llvm::Module &module, llvm::TargetMachine &machine) {
  bool wide =
      machine.getTargetTriple().isX86() && machine.getMCSubtargetInfo()->checkFeatures("+avx512f");
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", machine.getTargetCPU());
    function.addFnAttr("target-features", machine.getTargetFeatureString());
    function.addFnAttr(llvm::Attribute::NoUnwind);
    if (isTiny(function))
      function.addFnAttr(llvm::Attribute::AlwaysInline);
    // The mode that entry points set.
    function.addFnAttr("denormal-fp-math", "preserve-sign,preserve-sign");
    if (wide)
      function.addFnAttr("prefer-vector-width", "512");
  }
}

/// What is left to do after scheduling: tiles' rows unrolled, so that arrays of registers become
/// registers, descriptors taken apart and arguments that nobody reads dropped, address arithmetic
/// folded and moved out of loops, copies of zeros made into fills. What a row adds to an address is
/// made a constant of the instruction first: moved out of the loop it would be a register per row.
/// The default pipelines take three times as long for kernels that run no faster.
static llvm::ModulePassManager cleaning(llvm::PassBuilder &passes) {
  llvm::FunctionPassManager function;
  auto add = [&](StringRef pipeline) {
    llvm::cantFail(passes.parsePassPipeline(function, pipeline));
  };
  constexpr int level = 2;
  constexpr bool onlyWhenMarked = true;
  add("early-cse,simplifycfg,loop(loop-rotate)");
  function.addPass(
      llvm::createFunctionToLoopPassAdaptor(llvm::LoopFullUnrollPass(level, onlyWhenMarked)));
  add("early-cse,dce,sroa,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,"
      "separate-const-offset-from-gep,early-cse,memcpyopt,"
      "loop-mssa(loop-rotate,licm),early-cse<memssa>,simplifycfg");

  llvm::ModulePassManager module;
  llvm::cantFail(passes.parsePassPipeline(module, "always-inline,deadargelim"));
  module.addPass(llvm::createModuleToFunctionPassAdaptor(std::move(function)));
  llvm::cantFail(passes.parsePassPipeline(module, "globaldce"));
  return module;
}

/// `alloca T, i64 n` to `alloca [n x T]`: scalar replacement takes only the latter apart.
static void typeArrays(llvm::Module &module) {
  for (llvm::Function &function : module)
    for (llvm::Instruction &instruction :
         llvm::make_early_inc_range(llvm::instructions(function))) {
      auto *array = llvm::dyn_cast<llvm::AllocaInst>(&instruction);
      auto *count = array && array->isArrayAllocation()
                        ? llvm::dyn_cast<llvm::ConstantInt>(array->getArraySize())
                        : nullptr;
      if (!count)
        continue;
      llvm::IRBuilder<> builder(array);
      auto *type = llvm::ArrayType::get(array->getAllocatedType(), count->getZExtValue());
      llvm::AllocaInst *typed = builder.CreateAlloca(type);
      typed->setAlignment(array->getAlign());
      array->replaceAllUsesWith(typed);
      array->eraseFromParent();
    }
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  typeArrays(module);
  llvm::PassBuilder passes(&machine);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  passes.registerModuleAnalyses(modules);
  passes.registerCGSCCAnalyses(components);
  passes.registerFunctionAnalyses(functions);
  passes.registerLoopAnalyses(loops);
  passes.crossRegisterProxies(loops, functions, components, modules);
  cleaning(passes).run(module, modules);
}

namespace {
/// Leaves out what takes a third of code generation each and makes no kernel faster (measured with
/// AVX-512 only): loop strength reduction, since tiles come with their addresses in the form that
/// x86 adds up by itself, and the second scheduling, after registers are allocated, since
/// processors reorder within a tile by themselves.
struct PassChoice : llvm::OptPassGate {
  bool isEnabled() const override { return true; }
  bool shouldRunPass(StringRef pass, StringRef) const override {
    return pass != "Loop Strength Reduction" && pass != "post-RA-sched";
  }
};
} // namespace

LogicalResult verifyLowered(ModuleOp module) {
  WalkResult result = module.walk([](Operation *op) {
    if (isa<ModuleOp>(op) || op->getDialect()->getNamespace() == "llvm")
      return WalkResult::advance();
    op->emitError("has no lowering to this target");
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

LogicalResult emitObject(ModuleOp module, llvm::TargetMachine &machine,
                         SmallVectorImpl<char> &object, llvm::raw_ostream *text) {
  DialectRegistry translations;
  registerBuiltinDialectTranslation(translations);
  registerLLVMDialectTranslation(translations);
  module.getContext()->appendDialectRegistry(translations);
  PassChoice choice;
  llvm::LLVMContext context;
  context.setOptPassGate(choice);
  std::unique_ptr<llvm::Module> translated = translateModuleToLLVMIR(module, context);
  if (!translated)
    return module.emitError("cannot be translated to LLVM IR");
  translated->setTargetTriple(machine.getTargetTriple());
  translated->setDataLayout(machine.createDataLayout());
  setAttributes(*translated, machine);
  optimize(*translated, machine);
  if (text)
    translated->print(*text, nullptr);
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager writer;
  if (machine.addPassesToEmitFile(writer, stream, nullptr, llvm::CodeGenFileType::ObjectFile,
                                  /*DisableVerify=*/true))
    return module.emitError("this target has no writer of object files");
  writer.run(*translated);
  return success();
}

} // namespace formwork
