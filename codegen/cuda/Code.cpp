// The order of steps from planned kernels to objects with code for GPUs.
#include "codegen/cuda/Code.h"

#include "codegen/cuda/CopyKernels.h"
#include "codegen/cuda/Passes.h"
#include "codegen/cuda/Source.h"
#include "codegen/cuda/Tables.h"
#include "codegen/host/Object.h"
#include "codegen/host/Passes.h"
#include "ir/Rewriting.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace formwork {

using cuda::Architecture;
using cuda::CompiledKernels;
using cuda::Form;
using cuda::Nvrtc;
using cuda::Resources;

FailureOr<std::string> printForCUDA(ModuleOp module, bool tf32) {
  PassManager tiling(module.getContext());
  buildCUDATilePipeline(tiling, tf32);
  if (failed(tiling.run(module)))
    return failure();
  FailureOr<std::string> text = cuda::printKernels(module);
  if (failed(text))
    return failure();
  return *text + cuda::copyKernelsText.str();
}

//===--- what kernels take -----------------------------------------------------------------------

static void report(raw_ostream &os, const Architecture &architecture, ArrayRef<Resources> kernels) {
  os << llvm::formatv("{0,-40} {1,9} {2,9} {3,7} {4,7}\n", architecture.name, "registers", "shared",
                      "stack", "spilled");
  for (const Resources &kernel : kernels)
    os << llvm::formatv("  {0,-38} {1,9} {2,9} {3,7} {4,7}\n", kernel.kernel, kernel.registers,
                        kernel.sharedBytes, kernel.stackBytes, kernel.spillBytes);
}

namespace {
/// A kernel that must not spill: it reuses what it keeps in registers.
struct HotKernel {
  Location location;
  int64_t threads;

  /// Registers of a thread, if a block is to fit the GPU: 65536 of them in units of eight, and 255
  /// at most.
  int64_t registerLimit() const { return std::min<int64_t>(255, 65536 / threads / 8 * 8); }
};
} // namespace

static llvm::StringMap<HotKernel> hotKernels(ModuleOp module) {
  llvm::StringMap<HotKernel> hot;
  module.walk([&](func::FuncOp function) {
    if (cuda::isKernel(function) && function->hasAttr("fw.hot"))
      hot.try_emplace(cuda::kernelName(function.getName()),
                      HotKernel{function.getLoc(),
                                function->getAttrOfType<IntegerAttr>("fw.threads").getInt()});
  });
  return hot;
}

/// Whether there were too few registers. Where many are left, what the assembler counts as spilled
/// is what it saves around its own subroutines, such as division.
static bool lacksRegisters(const Resources &kernel, const HotKernel &hot) {
  constexpr int64_t unit = 8;
  return kernel.spillBytes > 0 && kernel.registers > hot.registerLimit() - unit;
}

static LogicalResult checkSpills(const llvm::StringMap<HotKernel> &hot,
                                 ArrayRef<std::string> accepted, const Architecture &architecture,
                                 ArrayRef<Resources> kernels) {
  LogicalResult result = success();
  for (const Resources &kernel : kernels) {
    auto found = hot.find(kernel.kernel);
    if (found == hot.end() || !lacksRegisters(kernel, found->second) ||
        llvm::is_contained(accepted, "*") || llvm::is_contained(accepted, kernel.kernel))
      continue;
    result = emitError(found->second.location)
             << "kernel '" << kernel.kernel << "' spills " << kernel.spillBytes
             << " bytes of registers on " << architecture.name
             << ", which makes it slow; --accept-spills=" << kernel.kernel << " compiles it anyway";
  }
  return result;
}

//===--- images ----------------------------------------------------------------------------------

static LogicalResult checkSupported(Location location, const Nvrtc &nvrtc,
                                    ArrayRef<Architecture> architectures) {
  LogicalResult result = success();
  for (const Architecture &architecture : architectures)
    if (!nvrtc.supports(architecture))
      result = emitError(location)
               << "NVRTC " << nvrtc.version() << " does not know " << architecture.name
               << ": install a later one, or name another architecture";
  return result;
}

/// PTX runs on all later GPUs, unless it has instructions that those do not have.
static Architecture familyOf(const Architecture &architecture) {
  return {architecture.capability, false, "sm_" + std::to_string(architecture.capability)};
}

static FailureOr<std::vector<cuda::Image>> compileImages(ModuleOp module, StringRef source,
                                                         const CUDAOptions &options) {
  Location location = module.getLoc();
  std::unique_ptr<Nvrtc> nvrtc = Nvrtc::load(location);
  if (!nvrtc || failed(checkSupported(location, *nvrtc, options.architectures)))
    return failure();
  std::string file = options.name + ".cu";
  llvm::StringMap<HotKernel> hot = hotKernels(module);
  std::vector<cuda::Image> images;
  Architecture newest = options.architectures.front();
  for (const Architecture &architecture : options.architectures) {
    auto compiled = nvrtc->compile(location, source, file, architecture, Form::Cubin);
    if (failed(compiled) ||
        failed(checkSpills(hot, options.acceptedSpills, architecture, compiled->resources)))
      return failure();
    if (options.report)
      report(*options.report, architecture, compiled->resources);
    images.push_back(
        {architecture.capability, architecture.exact, /*isPTX=*/false, std::move(compiled->code)});
    if (architecture.capability >= newest.capability)
      newest = architecture;
  }
  auto later = nvrtc->compile(location, source, file, familyOf(newest), Form::PTX);
  if (failed(later))
    return failure();
  images.push_back({newest.capability, false, /*isPTX=*/true, std::move(later->code)});
  return images;
}

FailureOr<std::string> compileToPTX(ModuleOp module, const Architecture &architecture,
                                    StringRef name, bool tf32) {
  FailureOr<std::string> source = printForCUDA(module, tf32);
  std::unique_ptr<Nvrtc> nvrtc = failed(source) ? nullptr : Nvrtc::load(module.getLoc());
  if (!nvrtc || failed(checkSupported(module.getLoc(), *nvrtc, architecture)))
    return failure();
  auto compiled =
      nvrtc->compile(module.getLoc(), *source, (name + ".cu").str(), architecture, Form::PTX);
  if (failed(compiled))
    return failure();
  return StringRef(compiled->code.data(), compiled->code.size()).rtrim('\0').str();
}

//===--- the object ------------------------------------------------------------------------------

static std::string nameOf(ArrayRef<Architecture> architectures) {
  std::string name = "cuda";
  for (const Architecture &architecture : architectures)
    name += " " + architecture.name;
  return name;
}

/// Programs of all entries; whether one is straight is known after fw-cuda-host.
static std::vector<cuda::ProgramTable> programsOf(ModuleOp module, ArrayRef<Entry> entries) {
  std::vector<cuda::ProgramTable> programs;
  for (const Entry &entry : entries)
    for (const ConcreteEntry &concrete : entry.concretes) {
      auto host = module.lookupSymbol<func::FuncOp>(concrete.function);
      programs.push_back(
          {concrete.symbol, entry.buffers, entry.dimCount, host->hasAttr(cuda::straightName)});
    }
  return programs;
}

static LogicalResult lowerHost(ModuleOp module, const CUDAOptions &options) {
  PassManager passes(module.getContext());
  CUDAEntryPointsOptions entryPoints;
  entryPoints.name = options.name;
  entryPoints.hostSuffix = options.hostSuffix;
  passes.addPass(createCUDAEntryPoints(entryPoints));
  passes.addPass(createStructuredCanonicalizer());
  PassManager lowering(module.getContext());
  lowering.enableVerifier(false); // As in compileForCPU.
  buildScalarLoweringPipeline(lowering);
  return success(succeeded(passes.run(module)) && succeeded(lowering.run(module)) &&
                 succeeded(verifyLowered(module)));
}

FailureOr<Artifact> compileForCUDA(ModuleOp module, const CUDAOptions &given) {
  CUDAOptions options = given;
  auto own = module->getAttrOfType<StringAttr>("fw.name");
  if (options.name.empty() && own)
    options.name = own.str();
  auto machine = makeTargetMachine(module.getLoc(), options.triple, options.cpu, /*features=*/"");
  if (failed(machine))
    return failure();
  FailureOr<std::string> source = printForCUDA(module, options.tf32);
  if (failed(source))
    return failure();

  cuda::CodeTables tables;
  tables.symbol = options.name + "__cuda_code";
  tables.kernels = cuda::listKernels(module);
  llvm::append_range(tables.kernels, cuda::copyKernels());
  auto images = compileImages(module, *source, options);
  if (failed(images))
    return failure();
  tables.images = std::move(*images);

  Artifact artifact;
  artifact.entries = readEntries(module, options.name);
  artifact.target = describe(**machine) + ", " + nameOf(options.architectures);
  artifact.accelerator = {nameOf(options.architectures), "formwork_cuda", tables.symbol,
                          !options.hostSuffix.empty()};
  PassManager schedule(module.getContext());
  schedule.addPass(createCUDAHost());
  if (failed(schedule.run(module)))
    return failure();
  tables.programs = programsOf(module, artifact.entries);
  tables.literals = module->getAttrOfType<StringAttr>(cuda::literalsName).str();
  module->removeAttr(cuda::literalsName);
  if (failed(lowerHost(module, options)) ||
      failed(emitObject(module, **machine, artifact.object, /*text=*/nullptr)))
    return failure();
  artifact.further.push_back(cuda::emitTables(tables, **machine));
  return artifact;
}

} // namespace formwork
