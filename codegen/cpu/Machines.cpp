// The CPUs that --target can name.
#include "codegen/Target.h"
#include "codegen/host/Object.h"

using namespace mlir;

namespace formwork {

static constexpr StringRef linux64 = "x86_64-unknown-linux-gnu";

static constexpr Machine machineTable[] = {
    {"host", "this machine, with all that its processor can do", "", "", "-march=native"},
    {"x86-64-v3", "x86-64 processors with AVX2 and FMA, since about 2013", linux64, "x86-64-v3",
     "-march=x86-64-v3"},
    {"x86-64-v4", "x86-64 processors with AVX-512", linux64, "x86-64-v4", "-march=x86-64-v4"},
    {"aarch64-linux-gnu", "64-bit Arm processors", "aarch64-unknown-linux-gnu", "generic", ""},
};

/// Measured on Zen 3: with a line of the cache for a panel's row, and matrices as small as these,
/// products of 32 rows take 5 to 25 percent less time than in row-major order, of one row a half.
/// Panels of two lines gain less. On Zen 4 with AVX-512 only large matrices gain.
static MatrixLayout layoutFor(const CPUTarget &target) {
  return target.vectorBytes < 64 ? MatrixLayout{64, 256, 32 << 10} : MatrixLayout();
}

namespace {
class CPUs : public Target {
public:
  ArrayRef<Machine> machines() const override { return machineTable; }
  bool isAccelerator() const override { return false; }

  FailureOr<MatrixLayout> matrixLayout(Location location, const Machine &cpu) const override {
    auto machine = makeTargetMachine(location, cpu.triple, cpu.cpu, /*features=*/"");
    if (failed(machine))
      return failure();
    return layoutFor(scheduledFor(**machine));
  }

  FailureOr<Artifact> compile(ModuleOp module, ArrayRef<Machine> machines,
                              const TargetOptions &options) const override {
    CPUOptions cpu;
    cpu.name = options.name;
    cpu.suffix = options.hostSuffix;
    cpu.triple = machines.front().triple;
    cpu.cpu = machines.front().cpu;
    cpu.unoptimized = options.unoptimized;
    cpu.profile = options.profile;
    return compileForCPU(module, cpu);
  }
};
} // namespace

const Target &cpuTarget() {
  static const CPUs target;
  return target;
}

} // namespace formwork
