// From a model file to an artefact: the order of things, and who does each.
#include "tools/Compile.h"

#include "codegen/StateLayout.h"
#include "codegen/package/Describe.h"
#include "frontend/Diagnostics.h"
#include "passes/Flops.h"
#include "passes/Passes.h"
#include "tools/InitialValues.h"
#include "tools/Signature.h"

#include "llvm/TargetParser/Host.h"

using namespace mlir;

namespace formwork {

//===--- targets ---------------------------------------------------------------------------------

/// The command line has refused what cannot be chosen.
static TargetChoice chosen(const CompileOptions &options) {
  std::string problem;
  std::optional<TargetChoice> choice = chooseTarget(options.target, problem);
  assert(choice && "a target that nobody checked");
  return *choice;
}

static CPUOptions cpuOptions(const CompileOptions &options) {
  CPUOptions cpu;
  cpu.name = options.name;
  cpu.unoptimized = options.unoptimized;
  cpu.profile = options.profile;
  Machine host = chosen(options).host;
  cpu.triple = host.triple;
  cpu.cpu = host.cpu;
  return cpu;
}

static TargetOptions targetOptions(const CompileOptions &options, const TargetChoice &choice) {
  TargetOptions result;
  result.name = options.name;
  result.host = choice.host;
  result.unoptimized = options.unoptimized;
  result.profile = options.profile;
  result.tf32 = options.tf32;
  result.acceptedSpills = options.acceptedSpills;
  result.report = options.report;
  // Two codes under one name: the accelerator's has it, and calls the other.
  if (choice.accelerator && choice.onHost)
    result.hostSuffix = "__host";
  return result;
}

//===--- what is asked for -----------------------------------------------------------------------

static int64_t symbolCount(ModuleOp module) {
  auto count = module->getAttrOfType<IntegerAttr>("fw.symbols");
  return count ? count.getInt() : 0;
}

/// Writes the signatures that were asked for to the module, each once.
static LogicalResult applySignatures(ModuleOp module, const CompileOptions &options) {
  auto predict = module.lookupSymbol<func::FuncOp>("predict");
  int64_t symbols = symbolCount(module);
  llvm::SetVector<Attribute> signatures;
  for (const std::string &text : options.signatures) {
    std::string problem;
    auto signature = parseSignature(text, problem);
    if (!signature)
      return emitError(module.getLoc()) << "--signature: " << problem;
    auto sizes = solveSignature(predict, symbols, *signature);
    if (failed(sizes))
      return failure();
    // Without symbols there is but one function, and it is as exact as can be.
    if (!sizes->empty())
      signatures.insert(DenseI64ArrayAttr::get(module.getContext(), *sizes));
  }
  if (auto sizes = batchSignature(symbols, options.batch))
    signatures.insert(DenseI64ArrayAttr::get(module.getContext(), *sizes));
  if (!signatures.empty())
    module->setAttr("fw.signatures", ArrayAttr::get(module.getContext(), signatures.getArrayRef()));
  return success();
}

/// Reads the file and writes to the module what the command line says about it.
static FailureOr<ImportedModel> import(MLIRContext &context, const CompileOptions &options) {
  auto model = importModel(context, {.path = options.model, .name = options.name});
  if (failed(model) || (options.prepare && failed(options.prepare(*model))) ||
      failed(applySignatures(*model->module, options)))
    return failure();
  if (options.train && failed(applyCompileSettings(*model, options.settings)))
    return failure();
  return model;
}

//===--- the way down ----------------------------------------------------------------------------

static LogicalResult lower(ModuleOp module, llvm::function_ref<void(OpPassManager &)> pipeline) {
  PassManager passes(module->getName());
  pipeline(passes);
  return passes.run(module);
}

/// An accelerator's, if there is one: it does most of the work.
static FailureOr<MatrixLayout> matrixLayout(Location location, const CompileOptions &options) {
  TargetChoice choice = chosen(options);
  if (choice.accelerator)
    return choice.accelerator->matrixLayout(location, choice.accelerated.front());
  return choice.cpu->matrixLayout(location, choice.host);
}

static LogicalResult lowerToFw(ModuleOp module, const CompileOptions &options) {
  auto layout = matrixLayout(module.getLoc(), options);
  if (failed(layout))
    return failure();
  return lower(module, [&](OpPassManager &passes) {
    ModelPipelineOptions pipeline;
    pipeline.train = options.train;
    pipeline.init =
        options.train; // In an inference library `init` would make state of the weights.
    pipeline.sampleWeights = options.sampleWeights;
    pipeline.inputGradients = options.inputGradients;
    pipeline.foldEmbeddings = options.foldEmbeddings;
    pipeline.panelBytes = layout->panelBytes;
    pipeline.rowBytes = layout->rowBytes;
    pipeline.matrixBytes = layout->matrixBytes;
    buildModelPipeline(passes, pipeline);
  });
}

static LogicalResult lowerToKernels(ModuleOp module, const CompileOptions &options) {
  TargetChoice choice = chosen(options);
  const Target &target = choice.accelerator ? *choice.accelerator : *choice.cpu;
  return lower(module, [&](OpPassManager &passes) {
    buildKernelsPipeline(passes, {options.fuse, target.poolsInTiles()});
    target.addKernelPasses(passes);
  });
}

/// Adds a note for each layer that holds memory where most is held.
static void notePeak(InFlightDiagnostic &error, func::FuncOp function) {
  auto peak = function->getAttrOfType<ArrayAttr>("fw.arena_peak");
  if (!peak)
    return;
  for (auto layer : peak.getAsRange<ArrayAttr>()) {
    StringRef name = cast<StringAttr>(layer[0]).getValue();
    error.attachNote(error.getUnderlyingDiagnostic()->getLocation())
        << (name.empty() ? "what belongs to no layer" : "layer " + quoted(name)) << " holds "
        << cast<IntegerAttr>(layer[1]).getInt() << " bytes where most memory is in use";
  }
}

/// Of a function for any size alone nothing can be promised.
static bool hasNoLargestArena(const Entry &entry) {
  return llvm::none_of(entry.concretes,
                       [](const ConcreteEntry &concrete) { return concrete.arenaBytes; });
}

static LogicalResult checkArenas(ModuleOp module, int64_t limit) {
  std::vector<Entry> entries = readEntries(module, "");
  if (auto entry = llvm::find_if(entries, hasNoLargestArena); entry != entries.end())
    return emitError(module.getLoc())
           << "--max-arena " << limit << " cannot be kept: the arena of '" << entry->name
           << "' grows with its inputs; give the sizes they have with --signature";
  LogicalResult result = success();
  for (const Entry &entry : entries)
    for (const ConcreteEntry &concrete : entry.concretes) {
      if (concrete.arenaBytes.value_or(0) <= limit)
        continue;
      result = failure();
      InFlightDiagnostic error = emitError(module.getLoc());
      error << "'" << concrete.function << "' needs " << *concrete.arenaBytes
            << " bytes of arena, more than the " << limit
            << " of --max-arena; give a smaller --signature or a larger limit";
      notePeak(error, module.lookupSymbol<func::FuncOp>(concrete.function));
    }
  return result;
}

/// Weights and configurations, which the description carries as they are.
static void embed(package::Description &description, ImportedModel &model, std::vector<char> values,
                  bool outside) {
  description.config = std::move(model.config);
  if (description.trains())
    description.compileConfig = std::move(model.compileConfig);
  (outside ? description.outside : description.weights()) = std::move(values);
}

/// Weights that are to lie outside must be there.
static LogicalResult checkOutside(ImportedModel &model, const CompileOptions &options) {
  if (!options.weightsOutside || !options.train || !model.weights.empty())
    return success();
  return emitError(model.module->getLoc())
         << "--weights=external: the file has no weights, training begins with those that init "
            "makes; leave the option out, or give an archive with weights";
}

/// For the CPU, an accelerator, or both in one artifact.
static FailureOr<Artifact> compileForTargets(ModuleOp module, const CompileOptions &options) {
  TargetChoice choice = chosen(options);
  TargetOptions forAll = targetOptions(options, choice);
  if (!choice.accelerator)
    return choice.cpu->compile(module, choice.host, forAll);
  OwningOpRef<ModuleOp> forHost = choice.onHost ? module.clone() : nullptr;
  auto artifact = choice.accelerator->compile(module, choice.accelerated, forAll);
  if (failed(artifact) || !forHost)
    return artifact;
  auto onHost = choice.cpu->compile(*forHost, choice.host, forAll);
  if (failed(onHost))
    return failure();
  artifact->further.push_back(std::move(onHost->object));
  return artifact;
}

static LogicalResult compileObjects(ModuleOp module, const CompileOptions &options,
                                    const StateLayout &layout, CompiledModel &compiled) {
  auto artifact = compileForTargets(module, options);
  if (failed(artifact))
    return failure();
  compiled.description =
      package::describe(artifact->entries, artifact->target, layout, options.name);
  if (const auto &accelerator = artifact->accelerator)
    compiled.description.accelerator = {accelerator->name, accelerator->runtime,
                                        accelerator->codeSymbol, accelerator->hasHostCode};
  compiled.artifact = std::move(*artifact);
  return success();
}

std::vector<StringRef> CompiledModel::objects() const {
  std::vector<StringRef> all{{artifact.object.data(), artifact.object.size()}};
  for (const auto &object : artifact.further)
    all.emplace_back(object.data(), object.size());
  return all;
}

static LogicalResult printSource(ModuleOp module, const CPUOptions &options,
                                 const StateLayout &layout, CompiledModel &compiled) {
  auto source = compileForCpp(module, options);
  if (failed(source))
    return failure();
  compiled.description = package::describe(source->entries, source->target, layout, options.name);
  compiled.source = std::move(source->files);
  return success();
}

FailureOr<CompiledModel> compileModel(MLIRContext &context, const CompileOptions &options) {
  auto model = import(context, options);
  if (failed(model))
    return failure();
  ModuleOp module = *model->module;
  if (failed(checkOutside(*model, options)))
    return failure();
  OwningOpRef<ModuleOp> imported = module.clone();
  if (failed(lowerToFw(module, options)))
    return failure();

  // A program that trains from fresh weights makes them itself, with the seed it is given.
  StateLayout layout(module);
  std::vector<char> values;
  if (!options.train || !model->weights.empty()) {
    auto initial = initialValues(*imported, module, *model, layout, options);
    if (failed(initial))
      return failure();
    values = std::move(*initial);
  }

  CPUOptions cpu = cpuOptions(options);
  if (failed(lowerToKernels(module, options)) || failed(lower(module, buildPlanPipeline)) ||
      (options.profile &&
       failed(lower(module, [](OpPassManager &passes) { passes.addPass(createCountCosts()); }))) ||
      (options.maxArena && failed(checkArenas(module, *options.maxArena))))
    return failure();
  CompiledModel compiled;
  auto generated = options.source ? printSource(module, cpu, layout, compiled)
                                  : compileObjects(module, options, layout, compiled);
  if (failed(generated))
    return failure();
  embed(compiled.description, *model, std::move(values), options.weightsOutside);
  compiled.triple =
      llvm::Triple(cpu.triple.empty() ? llvm::sys::getDefaultTargetTriple() : cpu.triple);
  return compiled;
}

FailureOr<std::vector<SourceFile>> printAccelerated(MLIRContext &context,
                                                    const CompileOptions &options, StringRef kind) {
  auto model = import(context, options);
  if (failed(model) || failed(lowerToFw(*model->module, options)) ||
      failed(lowerToKernels(*model->module, options)) ||
      failed(lower(*model->module, buildPlanPipeline)))
    return failure();
  TargetChoice choice = chosen(options);
  return choice.accelerator->print(kind, *model->module, choice.accelerated,
                                   targetOptions(options, choice));
}

FailureOr<std::optional<int64_t>> predictFlops(MLIRContext &context,
                                               const CompileOptions &options) {
  CompileOptions inference = options;
  inference.train = inference.inputGradients = false;
  auto model = import(context, inference);
  if (failed(model))
    return failure();
  ModuleOp module = *model->module;
  if (failed(lowerToFw(module, inference)) || failed(lower(module, buildLinalgPipeline)))
    return failure();
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr("fw.dims"))
      return countFlops(function);
  return countFlops(module.lookupSymbol<func::FuncOp>("predict"));
}

LogicalResult printStage(MLIRContext &context, const CompileOptions &options, Stage stage,
                         raw_ostream &out) {
  auto model = import(context, options);
  if (failed(model) || failed(lowerToFw(*model->module, options)))
    return failure();
  ModuleOp module = *model->module;
  if (stage == Stage::Linalg && failed(lower(module, buildLinalgPipeline)))
    return failure();
  if (stage >= Stage::Kernels && failed(lowerToKernels(module, options)))
    return failure();
  if (stage < Stage::Llvm) {
    module.print(out);
    return success();
  }
  CPUOptions cpu = cpuOptions(options);
  cpu.printLLVM = &out;
  return success(succeeded(lower(module, buildPlanPipeline)) &&
                 succeeded(compileForCPU(module, cpu)));
}

} // namespace formwork
