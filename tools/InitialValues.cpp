// Runs `init` in this process where the model file leaves values open, then lays the file's over
// it.
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

//===--- running init ----------------------------------------------------------------------------

/// Calls a compiled `init` on `state`.
static llvm::Error runInit(const Artifact &artifact, const ConcreteEntry &init, char *state,
                           int64_t seed) {
  auto jit = loadInProcess({artifact.object});
  if (!jit)
    return jit.takeError();
  auto run = (*jit)->lookup(init.symbol), arenaSize = (*jit)->lookup(init.arenaSymbol);
  if (!run)
    return llvm::joinErrors(run.takeError(),
                            arenaSize ? llvm::Error::success() : arenaSize.takeError());
  if (!arenaSize)
    return arenaSize.takeError();
  AlignedBytes arena = allocate(arenaSize->toPtr<int64_t(const int64_t *)>()(nullptr));
  const formwork_context serial = {};
  void *buffers[] = {&seed};
  int status =
      run->toPtr<formwork_function>()(&serial, nullptr, state, arena.get(), nullptr, buffers);
  return status == FORMWORK_OK ? llvm::Error::success()
                               : llvm::createStringError("init returns " + std::to_string(status));
}

/// All entries but `init` go, and what it would compute of `known` variables: nothing else of this
/// module will run, and a deep model's weights have hundreds of kernels.
static void keepInit(ModuleOp module, const llvm::StringSet<> &known) {
  for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
    if (function.getName() != "init")
      function.erase();
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
  CPUOptions forThisMachine;
  forThisMachine.name = options.name;
  auto artifact = compileForCPU(module, forThisMachine);
  if (failed(artifact))
    return failure();
  assert(artifact->entries.size() == 1 && "only init was kept");
  if (llvm::Error error = runInit(*artifact, artifact->entries.front().concretes.front(),
                                  values.bytes.get(), options.seed))
    return emitError(UnknownLoc::get(module.getContext()))
           << "cannot make fresh weights: " << llvm::toString(std::move(error));
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

FailureOr<std::vector<char>> initialValues(OwningOpRef<ModuleOp> imported,
                                           const ImportedModel &model, const StateLayout &layout,
                                           const CompileOptions &options) {
  std::vector<char> bytes(layout.size());
  llvm::StringSet<> known = knownVariables(model, layout);
  if (known.size() < layout.variables().size()) {
    auto fresh = freshValues(*imported, known, options);
    if (failed(fresh))
      return failure();
    for (const StateVariable &variable : layout.variables())
      if (const StateVariable *made = fresh->layout.find(variable.name)) {
        std::vector<char> elements(bytesOf(made->type));
        runtime::readElements(placeOf(*made), asBytes(fresh->bytes.get()), elements.data());
        runtime::writeElements(placeOf(variable), asBytes(bytes.data()), elements.data());
      }
  }
  for (const StateVariable &variable : layout.variables())
    if (const Weight *weight = findWeight(model, variable))
      runtime::writeElements(placeOf(variable), asBytes(bytes.data()), weight->data.data());
  return bytes;
}

} // namespace formwork
