// fw-cuda-unite-updates: the updates of many variables become one launch, while memory is not
// planned yet. A GPU needs about as long to begin a kernel as to update a small variable.
//
// An update is a launch whose results nothing but the function's end takes, and that computes
// element by element: steps of optimizers, moving averages, counts of metrics. It may wait for the
// end. The united kernel has the bodies of all, as groups that share nothing; what it computes of
// each are the same operations, and so the same bits. It has no more parameters than all GPUs take:
// where there are more, there are several. Refuses nothing.
#include "codegen/cuda/Passes.h"
#include "codegen/kernel/Kernel.h"
#include "ir/Dialect.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_CUDAUNITEUPDATES
#include "codegen/cuda/Passes.h.inc"

namespace cuda {

/// Of a kernel's parameters, on GPUs and drivers of any age.
static constexpr int64_t parameterBytes = 4096;

namespace {
/// An operand of the united launch and what the kernel knows of its type.
using Input = std::pair<Value, Type>;

/// Launches of one function that become one.
class Union {
public:
  /// Whether nothing that one of them writes is an operand of another, and parameters suffice.
  bool takes(LaunchOp launch, func::FuncOp kernel) const;
  void add(LaunchOp launch, func::FuncOp kernel);
  size_t size() const { return launches.size(); }

  /// Where each launch's inputs are among the kernel's, and which kernels: alike unions are one.
  std::string key();
  func::FuncOp writeKernel(StringRef name);
  void launch(func::FuncOp kernel);

private:
  SmallVector<LaunchOp> launches;
  SmallVector<func::FuncOp> kernels;
  llvm::SetVector<Input> inputs;
  llvm::SmallDenseSet<Value> read, written;
  int64_t bytes = 0;
};

class UpdateUniter {
public:
  explicit UpdateUniter(ModuleOp kernels) : symbols(kernels) {}
  void unite(func::FuncOp host);

private:
  bool isUpdate(LaunchOp launch);
  func::FuncOp kernelOf(LaunchOp launch) {
    return symbols.lookup<func::FuncOp>(launch.getKernelName());
  }

  SymbolTable symbols;
  llvm::StringMap<func::FuncOp> united; // by key
};
} // namespace

//===--- which -----------------------------------------------------------------------------------

static bool isPointwise(func::FuncOp kernel) {
  return llvm::all_of(kernel.front(), [](Operation &op) {
    auto structured = dyn_cast<linalg::LinalgOp>(op);
    return structured ? structured.getNumReductionLoops() == 0 : op.getNumRegions() == 0;
  });
}

bool UpdateUniter::isUpdate(LaunchOp launch) {
  Operation *end = launch->getBlock()->getTerminator();
  return llvm::all_of(launch->getUsers(), [&](Operation *user) { return user == end; }) &&
         isPointwise(kernelOf(launch));
}

/// A pointer or a scalar, and the sizes that are not known.
static int64_t bytesOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return 8 * (1 + (tensor ? tensor.getNumDynamicDims() : 0));
}

bool Union::takes(LaunchOp launch, func::FuncOp kernel) const {
  int64_t more = 0;
  for (Type type : kernel.getArgumentTypes())
    more += bytesOf(type);
  auto isWritten = [&](Value value) { return written.contains(value); };
  auto isOperand = [&](Value value) { return isWritten(value) || read.contains(value); };
  return bytes + more <= parameterBytes && llvm::none_of(launch.getInputs(), isWritten) &&
         llvm::none_of(launch.getOutputs(), isOperand);
}

void Union::add(LaunchOp launch, func::FuncOp kernel) {
  launches.push_back(launch);
  kernels.push_back(kernel);
  for (auto [value, type] : llvm::zip(launch.getInputs(), kernel.getArgumentTypes())) {
    read.insert(value);
    if (inputs.insert({value, type}))
      bytes += bytesOf(type);
  }
  for (auto [value, type] : llvm::zip_equal(
           launch.getOutputs(), kernel.getArgumentTypes().take_back(launch.getOutputs().size()))) {
    written.insert(value);
    bytes += bytesOf(type);
  }
}

//===--- one kernel ------------------------------------------------------------------------------

std::string Union::key() {
  std::string text;
  llvm::raw_string_ostream out(text);
  for (auto [launch, kernel] : llvm::zip_equal(launches, kernels)) {
    out << kernel.getName() << '(';
    for (auto [value, type] : llvm::zip(launch.getOperands(), kernel.getArgumentTypes()))
      out << llvm::find(inputs, Input(value, type)) - inputs.begin() << ' ';
    out << ')';
  }
  return text;
}

/// The layers of all, each once.
static ArrayAttr layersOf(ArrayRef<func::FuncOp> kernels, MLIRContext *context) {
  llvm::SetVector<Attribute> layers;
  for (func::FuncOp kernel : kernels)
    if (auto own = kernel->getAttrOfType<ArrayAttr>("fw.layers"))
      layers.insert(own.begin(), own.end());
  return ArrayAttr::get(context, layers.getArrayRef());
}

func::FuncOp Union::writeKernel(StringRef name) {
  SmallVector<Type> types = llvm::map_to_vector(inputs, [](Input input) { return input.second; });
  SmallVector<Type> results;
  for (func::FuncOp kernel : kernels) {
    llvm::append_range(results, kernel.getResultTypes());
    llvm::append_range(types, kernel.getArgumentTypes().take_back(kernel.getNumResults()));
  }
  OpBuilder builder(kernels.front());
  Location location = kernels.front().getLoc();
  auto united =
      func::FuncOp::create(builder, location, name, builder.getFunctionType(types, results));
  united.setPrivate();
  united->setAttr("fw.kernel", kernels.front()->getAttr("fw.kernel"));
  united->setAttr("fw.layers", layersOf(kernels, builder.getContext()));
  builder.setInsertionPointToStart(united.addEntryBlock());
  SmallVector<Value> returned;
  unsigned nextOutput = inputs.size();
  for (auto [launch, kernel] : llvm::zip_equal(launches, kernels)) {
    unsigned inputCount = kernel.getNumArguments() - kernel.getNumResults();
    IRMapping values;
    for (BlockArgument argument : kernel.getArguments()) {
      unsigned i = argument.getArgNumber();
      unsigned place =
          i < inputCount
              ? llvm::find(inputs, Input(launch.getOperand(i), argument.getType())) - inputs.begin()
              : nextOutput++;
      values.map(argument, united.getArgument(place));
      united.setArgAttrs(place, kernel.getArgAttrDict(i));
    }
    for (Operation &op : kernel.front().without_terminator())
      builder.clone(op, values);
    for (Value value : kernel.front().getTerminator()->getOperands())
      returned.push_back(values.lookup(value));
  }
  func::ReturnOp::create(builder, location, returned);
  return united;
}

/// At the function's end, in the place of all.
void Union::launch(func::FuncOp kernel) {
  SmallVector<Value> read = llvm::map_to_vector(inputs, [](Input input) { return input.first; });
  SmallVector<Value> outputs;
  SmallVector<Type> types;
  SmallVector<bool> overwrites;
  for (LaunchOp launch : launches) {
    llvm::append_range(outputs, launch.getOutputs());
    llvm::append_range(types, launch.getResultTypes());
    llvm::append_range(overwrites, launch.getOverwrites());
  }
  LaunchOp first = launches.front();
  OpBuilder builder(first->getBlock()->getTerminator());
  auto name = SymbolRefAttr::get(first.getKernel().getRootReference(),
                                 FlatSymbolRefAttr::get(kernel.getNameAttr()));
  auto united = LaunchOp::create(builder, first.getLoc(), types, name, read, outputs,
                                 builder.getDenseBoolArrayAttr(overwrites));
  unsigned next = 0;
  for (LaunchOp launch : launches) {
    launch.replaceAllUsesWith(united.getResults().slice(next, launch.getNumResults()));
    next += launch.getNumResults();
    launch.erase();
  }
}

//===--- all of them -----------------------------------------------------------------------------

void UpdateUniter::unite(func::FuncOp host) {
  SmallVector<Union> unions;
  for (LaunchOp launch : host.getOps<LaunchOp>()) {
    if (!isUpdate(launch))
      continue;
    func::FuncOp kernel = kernelOf(launch);
    auto found = llvm::find_if(unions, [&](Union &one) { return one.takes(launch, kernel); });
    if (found == unions.end())
      found = &unions.emplace_back();
    found->add(launch, kernel);
  }
  for (Union &one : unions) {
    if (one.size() == 1)
      continue;
    func::FuncOp &kernel = united[one.key()];
    if (!kernel) {
      kernel = one.writeKernel((host.getName() + "_updates").str());
      kernel->remove();
      symbols.insert(kernel);
    }
    one.launch(kernel);
  }
}

static void eraseUnused(ModuleOp module, ModuleOp kernels) {
  llvm::StringSet<> launched;
  module.walk([&](LaunchOp launch) { launched.insert(launch.getKernelName()); });
  for (auto kernel : llvm::make_early_inc_range(kernels.getOps<func::FuncOp>()))
    if (kernel->hasAttr("fw.kernel") && !launched.contains(kernel.getName()))
      kernel.erase();
}

static void uniteAll(ModuleOp module) {
  for (auto nested : module.getOps<ModuleOp>()) {
    UpdateUniter uniter(nested);
    for (auto host : module.getOps<func::FuncOp>())
      if (!host.isExternal())
        uniter.unite(host);
    eraseUnused(module, nested);
  }
}

} // namespace cuda

namespace {
struct CUDAUniteUpdates : impl::CUDAUniteUpdatesBase<CUDAUniteUpdates> {
  void runOnOperation() override { cuda::uniteAll(getOperation()); }
};
} // namespace

} // namespace formwork
