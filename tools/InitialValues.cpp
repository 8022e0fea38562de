// Runs `init` in this process where the model file leaves values open, then lays the file's over
// it, then runs `derive` where there are variables that are computed of these.
#include "tools/InitialValues.h"

#include "codegen/package/Describe.h"
#include "passes/Passes.h"
#include "runtime/Layout.h"
#include "tools/InProcess.h"

#include "llvm/ADT/StringSet.h"

#include <memory>
#include <new>

using namespace mlir;

namespace formwork {

namespace {
struct FreeAligned {
  void operator()(char *bytes) const { ::operator delete(bytes, std::align_val_t(64)); }
};
using AlignedBytes = std::unique_ptr<char[], FreeAligned>;

/// A layout with bytes for it.
struct Values {
  StateLayout layout;
  AlignedBytes bytes;
};
} // namespace

static AlignedBytes allocate(int64_t size) {
  auto *bytes =
      static_cast<char *>(::operator new(std::max<int64_t>(size, 1), std::align_val_t(64)));
  std::fill_n(bytes, size, 0);
  return AlignedBytes(bytes);
}

static int64_t bytesOf(RankedTensorType type) {
  return type.getNumElements() * elementBytes(type.getElementType());
}

//===--- running an entry ------------------------------------------------------------------------

/// Calls a compiled entry that takes no sizes. It finds the variables in `variables`, be they its
/// constants or its state.
static llvm::Error runEntry(const Artifact &artifact, char *variables, void *const *buffers) {
  const ConcreteEntry &entry = artifact.entries.front().concretes.front();
  auto jit = loadInProcess({artifact.object});
  if (!jit)
    return jit.takeError();
  auto run = (*jit)->lookup(entry.symbol), arenaSize = (*jit)->lookup(entry.arenaSymbol);
  if (!run)
    return llvm::joinErrors(run.takeError(),
                            arenaSize ? llvm::Error::success() : arenaSize.takeError());
  if (!arenaSize)
    return arenaSize.takeError();
  AlignedBytes arena = allocate(arenaSize->toPtr<int64_t(const int64_t *)>()(nullptr));
  const formwork_context serial = {};
  int status =
      run->toPtr<formwork_function>()(&serial, variables, variables, arena.get(), nullptr, buffers);
  return status == FORMWORK_OK ? llvm::Error::success()
                               : llvm::createStringError("it returns " + std::to_string(status));
}

/// All functions but `entry` go: nothing else of this module will run.
static void keepOnly(ModuleOp module, StringRef entry) {
  for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
    if (function.getName() != entry)
      function.erase();
}

/// Compiles the one entry that was kept, and runs it.
static LogicalResult compileAndRun(ModuleOp module, const CompileOptions &options, char *variables,
                                   void *const *buffers) {
  CPUOptions forThisMachine;
  forThisMachine.name = options.name;
  auto artifact = compileForCPU(module, forThisMachine);
  if (failed(artifact))
    return failure();
  assert(artifact->entries.size() == 1 && "more than one entry was kept");
  if (llvm::Error error = runEntry(*artifact, variables, buffers))
    return emitError(UnknownLoc::get(module.getContext()))
           << "cannot run '" << artifact->entries.front().name
           << "' for the weights: " << llvm::toString(std::move(error));
  return success();
}

//===--- init ------------------------------------------------------------------------------------

/// Leaves `init` alone, without what it would compute of `known` variables: a deep model's weights
/// have hundreds of kernels.
static void keepInit(ModuleOp module, const llvm::StringSet<> &known) {
  keepOnly(module, "init");
  module.walk([&](AssignOp assign) {
    if (known.contains(assign.getVariable()))
      assign.erase();
  });
}

static LogicalResult lowerForThisMachine(ModuleOp module, bool train,
                                         const llvm::StringSet<> &known) {
  PassManager attach(module->getName()), down(module->getName());
  attach.addPass(createAttachTraining({.train = train, .init = true}));
  if (failed(attach.run(module)))
    return failure();
  keepInit(module, known);
  buildModelPipeline(down, {});
  buildKernelsPipeline(down);
  buildPlanPipeline(down);
  return down.run(module);
}

/// Of all variables but those `known`.
static FailureOr<Values> freshValues(ModuleOp module, const llvm::StringSet<> &known,
                                     const CompileOptions &options) {
  module->removeAttr("fw.signatures");
  if (failed(lowerForThisMachine(module, options.train, known)))
    return failure();
  Values values{StateLayout(module), {}};
  values.bytes = allocate(values.layout.size());
  int64_t seed = options.seed;
  void *buffers[] = {&seed};
  if (failed(compileAndRun(module, options, values.bytes.get(), buffers)))
    return failure();
  return values;
}

//===--- laying values out -----------------------------------------------------------------------

/// A variable as the runtime knows it, as far as its place in memory goes.
static formwork_variable placeOf(const StateVariable &variable) {
  formwork_variable place = {};
  place.dtype = package::dtypeOf(variable.type.getElementType());
  place.rank = variable.type.getRank();
  place.shape = variable.type.getShape().data();
  place.offset = variable.offset;
  place.panel = variable.panel;
  return place;
}

static std::byte *asBytes(char *bytes) { return reinterpret_cast<std::byte *>(bytes); }

/// The file's value of a variable; optimizer state goes by its path. Null if it has none.
static const Weight *findWeight(const ImportedModel &model, const StateVariable &variable) {
  for (const Weight &weight : model.weights)
    if (weight.variable == variable.name)
      return &weight;
  if (!variable.path.empty())
    for (const Weight &weight : model.optimizerState)
      if (weight.variable == variable.path && weight.type == variable.type)
        return &weight;
  return nullptr;
}

/// The names of variables whose values the file has.
static llvm::StringSet<> knownVariables(const ImportedModel &model, const StateLayout &layout) {
  llvm::StringSet<> known;
  for (const StateVariable &variable : layout.variables())
    if (findWeight(model, variable))
      known.insert(variable.name);
  return known;
}

static bool isDerived(const StateVariable &variable) { return variable.role == "derived"; }

/// Lays fresh values out for the variables that the file does not know.
static LogicalResult layFresh(ModuleOp imported, const ImportedModel &model,
                              const StateLayout &layout, const CompileOptions &options,
                              char *bytes) {
  llvm::StringSet<> known = knownVariables(model, layout);
  auto isKnown = [&](const StateVariable &variable) {
    return isDerived(variable) || known.contains(variable.name);
  };
  if (llvm::all_of(layout.variables(), isKnown))
    return success();
  auto fresh = freshValues(imported, known, options);
  if (failed(fresh))
    return failure();
  for (const StateVariable &variable : layout.variables())
    if (const StateVariable *made = fresh->layout.find(variable.name)) {
      std::vector<char> elements(bytesOf(made->type));
      runtime::readElements(placeOf(*made), asBytes(fresh->bytes.get()), elements.data());
      runtime::writeElements(placeOf(variable), asBytes(bytes), elements.data());
    }
  return success();
}

/// Has `derive`, if there is one, compute derived variables of the values that are laid out.
static LogicalResult layDerived(ModuleOp lowered, const StateLayout &layout,
                                const CompileOptions &options, char *bytes) {
  if (!lowered.lookupSymbol("derive"))
    return success();
  OwningOpRef<ModuleOp> module = lowered.clone();
  keepOnly(*module, "derive");
  PassManager down(module.get()->getName());
  buildKernelsPipeline(down);
  buildPlanPipeline(down);
  if (failed(down.run(*module)))
    return failure();
  std::vector<AlignedBytes> derived;
  std::vector<void *> buffers;
  for (const StateVariable &variable : llvm::make_filter_range(layout.variables(), isDerived)) {
    derived.push_back(allocate(bytesOf(variable.type)));
    buffers.push_back(derived.back().get());
  }
  AlignedBytes variables = allocate(layout.size());
  std::copy_n(bytes, layout.size(), variables.get());
  if (failed(compileAndRun(*module, options, variables.get(), buffers.data())))
    return failure();
  void *const *values = buffers.data();
  for (const StateVariable &variable : llvm::make_filter_range(layout.variables(), isDerived))
    runtime::writeElements(placeOf(variable), asBytes(bytes), *values++);
  return success();
}

FailureOr<std::vector<char>> initialValues(ModuleOp imported, ModuleOp lowered,
                                           const ImportedModel &model, const StateLayout &layout,
                                           const CompileOptions &options) {
  std::vector<char> bytes(layout.size());
  if (failed(layFresh(imported, model, layout, options, bytes.data())))
    return failure();
  for (const StateVariable &variable : layout.variables())
    if (const Weight *weight = findWeight(model, variable))
      runtime::writeElements(placeOf(variable), asBytes(bytes.data()), weight->data.data());
  if (failed(layDerived(lowered, layout, options, bytes.data())))
    return failure();
  return bytes;
}

} // namespace formwork
