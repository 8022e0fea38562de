// Kernels scheduled for a GPU and printed as CUDA C++, run on the CPU, against plain loops.
//
// Many are compiled at once: most of a compiler's time goes into what all have in common.
#include "codegen/cuda/Passes.h"
#include "tests/codegen/Cases.h"
#include "tests/cuda/KernelLibrary.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <cmath>
#include <map>

using namespace formwork::testing;
using namespace mlir;

namespace {

/// Every case's kernel, compiled together with those around it when one of them is first run.
class Libraries {
public:
  explicit Libraries(bool tf32) : tf32(tf32) {}

  formwork::test::KernelLibrary *of(size_t number) {
    size_t batch = number / batchSize;
    auto [entry, isNew] = batches.try_emplace(batch);
    if (isNew)
      entry->second = compile(batch * batchSize, std::min((batch + 1) * batchSize, cases.size()));
    return entry->second.get();
  }
  static std::string nameOf(size_t number) { return "case" + std::to_string(number); }

private:
  static constexpr size_t batchSize = 48;

  std::unique_ptr<formwork::test::KernelLibrary> compile(size_t begin, size_t end) {
    OwningOpRef<ModuleOp> all = ModuleOp::create(UnknownLoc::get(context.get()));
    for (size_t i = begin; i < end; ++i) {
      auto module = parseSourceString<ModuleOp>(
          substitute(cases[i].row->text, cases[i].sizes, cases[i].dynamic), context.get());
      if (!module)
        return nullptr;
      func::FuncOp kernel = *module->getOps<func::FuncOp>().begin();
      kernel.setName(nameOf(i));
      kernel->setAttr("fw.kernel", UnitAttr::get(context.get()));
      kernel->moveBefore(all->getBody(), all->getBody()->end());
    }
    PassManager passes(context.get());
    formwork::buildCUDATilePipeline(passes, tf32);
    if (failed(passes.run(*all)))
      return nullptr;
    return formwork::test::KernelLibrary::create(*all);
  }

  bool tf32;
  std::vector<Case> cases = allCases();
  std::unique_ptr<MLIRContext> context = makeContext();
  std::map<size_t, std::unique_ptr<formwork::test::KernelLibrary>> batches;
};

Libraries &libraries(bool tf32) {
  static Libraries exact(false), rounded(true);
  return tf32 ? rounded : exact;
}

/// Pointers, each followed by the sizes that the kernel was compiled without.
struct Arguments {
  Arguments(std::vector<Array> &arrays, func::FuncOp unknown) {
    for (auto [array, type] : llvm::zip_equal(arrays, unknown.getArgumentTypes())) {
      values.push_back(reinterpret_cast<int64_t>(array.bytes.data()));
      for (auto [size, known] : llvm::zip_equal(array.shape, cast<ShapedType>(type).getShape()))
        if (ShapedType::isDynamic(known))
          values.push_back(size);
    }
    for (int64_t &value : values)
      addresses.push_back(&value);
  }
  std::vector<int64_t> values;
  std::vector<void *> addresses;
};

/// Numbers that TF32 has: products of them and sums of a few thousand are exact.
void makeWhole(std::vector<Array> &arrays) {
  for (Array &array : arrays)
    for (int64_t i = 0; i < array.size(); ++i)
      array.set(i, std::round(2 * array.at(i)));
}

void computesWhatPlainLoopsCompute(size_t number, bool tf32) {
  const Case param = allCases()[number];
  auto context = makeContext();
  auto exact =
      parseSourceString<ModuleOp>(substitute(param.row->text, param.sizes, false), context.get());
  auto compiled = parseSourceString<ModuleOp>(
      substitute(param.row->text, param.sizes, param.dynamic), context.get());
  std::vector<Array> actual = prototypesOf(*exact->getOps<func::FuncOp>().begin());
  fill(actual, *param.row);
  if (tf32)
    makeWhole(actual);
  std::vector<Array> expected = actual;
  if (actual.back().size() != 0)
    expected = runPlain(param, actual);
  auto *library = libraries(tf32).of(number);
  ASSERT_TRUE(library);
  Arguments arguments(actual, *compiled->getOps<func::FuncOp>().begin());
  library->launch(Libraries::nameOf(number))(arguments.addresses.data());
  expectClose(actual, expected, *param.row);
}

class CudaKernelTest : public ::testing::TestWithParam<size_t> {};
class TensorCoreTest : public ::testing::TestWithParam<size_t> {};

TEST_P(CudaKernelTest, ComputesWhatPlainLoopsCompute) {
  computesWhatPlainLoopsCompute(GetParam(), /*tf32=*/false);
}

TEST_P(TensorCoreTest, ComputesWhatPlainLoopsCompute) {
  computesWhatPlainLoopsCompute(GetParam(), /*tf32=*/true);
}

std::string nameOfNumber(const ::testing::TestParamInfo<size_t> &info) {
  return nameOf({allCases()[info.param], info.index});
}

/// Sums of products.
std::vector<size_t> products() {
  std::vector<size_t> numbers;
  for (auto [i, one] : llvm::enumerate(allCases()))
    for (const char *name : {"matmul", "convolution", "product", "batched", "panels"})
      if (llvm::StringRef(one.row->name).starts_with(name)) {
        numbers.push_back(i);
        break;
      }
  return numbers;
}

INSTANTIATE_TEST_SUITE_P(Kernels, CudaKernelTest, ::testing::Range<size_t>(0, allCases().size()),
                         nameOfNumber);
INSTANTIATE_TEST_SUITE_P(Kernels, TensorCoreTest, ::testing::ValuesIn(products()), nameOfNumber);

} // namespace
