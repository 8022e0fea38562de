// cuda_models MODEL.mlir: a model's entries with the GPU's kernels, run on the CPU, beside the
// CPU's own: initial values, predictions, gradients and train steps, for each size that it was
// compiled for and for unknown sizes.
//
// Every call starts from the same state. Both sum in orders of their own: sums of n terms differ by
// about sqrt(n) roundings of the largest, and what follows spreads that over a layer's results.
// Hence what is allowed is 5e-5 (for n = 4096 and a few layers) of a buffer's largest element.
#include "codegen/cuda/Passes.h"
#include "tests/codegen/Compiled.h"
#include "tests/cuda/CallKernels.h"

#include "llvm/Support/MemoryBuffer.h"

#include <cmath>

using namespace formwork;
using namespace formwork::test;
using Bytes = std::vector<char>;

namespace {

constexpr double tolerance = 5e-5;
constexpr int64_t unknownSize = 3;

class Comparison : public ::testing::Test {
public:
  explicit Comparison(std::string path) : path(std::move(path)) {}
  void TestBody() override;

private:
  struct Call {
    const Entry &entry;
    std::string suffix;
    std::vector<int64_t> dims;
  };

  void compare(const Call &call);
  std::vector<Bytes> buffersOf(const Call &call);
  std::vector<Bytes> run(Compiled &program, const Call &call, std::vector<Bytes> buffers);

  std::string path;
  std::unique_ptr<Compiled> cpu, cuda;
  std::mt19937 random{7};
};

bool isInput(const EntryBuffer &buffer) {
  return buffer.role != "output" && buffer.role != "loss" && buffer.role != "metric";
}

int64_t elementsOf(const EntryBuffer &buffer, llvm::ArrayRef<int64_t> dims) {
  int64_t count = 1;
  for (int64_t size : buffer.shape)
    count *= size < 0 ? dims[-1 - size] : size;
  return count;
}

template <typename Visitor> void visit(mlir::Type element, Visitor visitor) {
  if (element.isF32())
    visitor(float());
  else if (element.isF64())
    visitor(double());
  else if (element.isInteger(64))
    visitor(int64_t());
  else if (element.isInteger(32))
    visitor(int32_t());
  else
    visitor(uint8_t());
}

std::vector<Bytes> Comparison::buffersOf(const Call &call) {
  std::vector<Bytes> all;
  for (const EntryBuffer &buffer : call.entry.buffers) {
    int64_t count = elementsOf(buffer, call.dims);
    Bytes &bytes = all.emplace_back(count * elementBytes(buffer.element) + 1);
    if (!isInput(buffer))
      continue;
    visit(buffer.element, [&](auto zero) {
      using T = decltype(zero);
      T *elements = reinterpret_cast<T *>(bytes.data());
      for (int64_t i = 0; i < count; ++i)
        elements[i] = std::is_floating_point_v<T>
                          ? T(std::uniform_real_distribution<double>(-1, 1)(random))
                          : T(random() % (buffer.limit ? buffer.limit : 100));
    });
  }
  return all;
}

std::vector<Bytes> Comparison::run(Compiled &program, const Call &call,
                                   std::vector<Bytes> buffers) {
  std::vector<void *> pointers;
  for (Bytes &buffer : buffers)
    pointers.push_back(buffer.data());
  EXPECT_EQ(program.call(call.entry.name, call.suffix, call.dims, pointers), FORMWORK_OK);
  return buffers;
}

void expectClose(mlir::Type element, const char *actual, const char *expected, int64_t count,
                 const std::string &what) {
  visit(element, [&](auto zero) {
    using T = decltype(zero);
    auto *a = reinterpret_cast<const T *>(actual), *b = reinterpret_cast<const T *>(expected);
    double largest = 1e-30;
    for (int64_t i = 0; i < count; ++i)
      largest = std::max(largest, std::abs(double(b[i])));
    double allowed = std::is_floating_point_v<T> ? tolerance * largest : 0;
    for (int64_t i = 0; i < count; ++i)
      ASSERT_NEAR(double(a[i]), double(b[i]), allowed) << what << ", element " << i;
  });
}

void Comparison::compare(const Call &call) {
  memcpy(cuda->stateBytes(), cpu->stateBytes(), cpu->stateSize());
  std::vector<Bytes> buffers = buffersOf(call);
  std::vector<Bytes> expected = run(*cpu, call, buffers), actual = run(*cuda, call, buffers);
  std::string where = path + ": " + call.entry.name + "__" + call.suffix + ": ";
  for (auto [i, buffer] : llvm::enumerate(call.entry.buffers))
    expectClose(buffer.element, actual[i].data(), expected[i].data(), elementsOf(buffer, call.dims),
                where + buffer.name);
  for (const StateVariable &variable : cpu->variables())
    expectClose(variable.type.getElementType(), cuda->stateBytes() + variable.offset,
                cpu->stateBytes() + variable.offset, variable.type.getNumElements(),
                where + variable.name);
}

void Comparison::TestBody() {
  auto text = llvm::MemoryBuffer::getFile(path);
  ASSERT_TRUE(bool(text)) << path;
  Pipeline pipeline;
  pipeline.differentiate = pipeline.unoptimized = false;
  cpu = Compiled::create((*text)->getBuffer().str(), pipeline);
  pipeline.manyThreads = true;
  pipeline.pool = false;
  pipeline.beforePlan = buildCUDAKernelsPipeline;
  pipeline.schedule = callKernelsOnCpu;
  cuda = Compiled::create((*text)->getBuffer().str(), pipeline);
  ASSERT_TRUE(cpu && cuda) << path;
  // Variables have values before anything else is called.
  for (bool first : {true, false})
    for (const Entry &entry : cpu->artifact().entries)
      if ((entry.name == "init") == first)
        for (const ConcreteEntry &concrete : entry.concretes) {
          std::vector<int64_t> dims(concrete.dims.begin(), concrete.dims.end());
          dims.resize(entry.dimCount, unknownSize);
          llvm::StringRef symbol = concrete.symbol;
          compare({entry, symbol.substr(symbol.rfind("__") + 2).str(), dims});
        }
}

} // namespace

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i)
    testing::RegisterTest(
        "Models", argv[i], nullptr, nullptr, __FILE__, __LINE__,
        [path = std::string(argv[i])]() -> testing::Test * { return new Comparison(path); });
  return RUN_ALL_TESTS();
}
