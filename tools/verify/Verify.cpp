// Compiles the variants, runs them, compares; see Verify.h.
#include "tools/verify/Verify.h"

#include "tools/Signature.h"
#include "tools/verify/Loaded.h"
#include "tools/verify/Variants.h"

#include "runtime/Layout.h"
#include "runtime/train/Shuffle.h"

#include <cmath>

using namespace mlir;

namespace formwork {

//===--- variants --------------------------------------------------------------------------------

namespace {
/// Compiles variants of one model.
class Workshop {
public:
  Workshop(MLIRContext &context, const VerifyOptions &options, std::vector<int64_t> sizes)
      : context(context), options(options), sizes(std::move(sizes)) {}

  /// `outputs` receives the layer of each output.
  FailureOr<LoadedModel> forward(bool unoptimized, std::vector<std::string> &outputs) const {
    return compile(/*train=*/false, /*fuse=*/!unoptimized, unoptimized,
                   [&](ImportedModel &model) { outputs = exposeLayers(*model.module); });
  }
  /// Fused in any case: that a gradient is right whatever was fused is for finite differences.
  FailureOr<LoadedModel> training(bool unoptimized) const {
    return compile(/*train=*/true, /*fuse=*/true, unoptimized, [](ImportedModel &) {});
  }
  FailureOr<LoadedModel> wideTraining() const {
    return compile(/*train=*/true, /*fuse=*/true, /*unoptimized=*/false, [](ImportedModel &model) {
      widen(*model.module);
      // They are copied from another variant, since the file's are of another type.
      model.weights.clear();
      model.optimizerState.clear();
    });
  }

private:
  FailureOr<LoadedModel> compile(bool train, bool fuse, bool unoptimized,
                                 llvm::function_ref<void(ImportedModel &)> change) const {
    CompileOptions variant = options.compile;
    variant.signatures.clear();
    variant.train = train;
    variant.fuse = fuse;
    variant.unoptimized = unoptimized;
    variant.seed = options.seed;
    variant.prepare = [&](ImportedModel &model) {
      if (failed(fixSizes(*model.module, sizes)))
        return failure();
      change(model);
      return success();
    };
    auto compiled = compileModel(context, variant);
    if (failed(compiled))
      return failure();
    auto loaded = LoadedModel::load(*compiled);
    if (!loaded)
      return emitError(UnknownLoc::get(&context))
             << "cannot load what was compiled: " << llvm::toString(loaded.takeError());
    return std::move(*loaded);
  }

  MLIRContext &context;
  const VerifyOptions &options;
  std::vector<int64_t> sizes;
};
} // namespace

/// float32 as float64.
static std::vector<std::byte> widened(ArrayRef<std::byte> floats) {
  std::vector<std::byte> doubles(2 * floats.size());
  for (size_t i = 0; i < floats.size() / sizeof(float); ++i)
    reinterpret_cast<double *>(doubles.data())[i] =
        reinterpret_cast<const float *>(floats.data())[i];
  return doubles;
}

/// Gives `to` the variables of `from`, whatever their precision and layout.
static void copyVariables(LoadedModel &from, LoadedModel &to) {
  for (const formwork_variable &target : runtime::variables(to.model()))
    for (const formwork_variable &source : runtime::variables(from.model())) {
      if (llvm::StringRef(source.name) != target.name)
        continue;
      std::vector<std::byte> elements(runtime::byteSize(source));
      runtime::readElements(source, from.instance().variableBytes(), elements.data());
      if (source.dtype != target.dtype)
        elements = widened(elements);
      runtime::writeElements(target, to.instance().writableVariables(), elements.data());
    }
}

//===--- deviations ------------------------------------------------------------------------------

static double norm(ArrayRef<double> values) {
  double sum = 0;
  for (double value : values)
    sum += value * value;
  return std::sqrt(sum);
}

/// |a - b| relative to |b|, or to `least` if that is more. Not a number counts as infinitely far,
/// unless both are.
static double deviation(ArrayRef<double> a, ArrayRef<double> b, double least = 0) {
  std::vector<double> difference(a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    bool same = a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]));
    difference[i] = same ? 0 : a[i] - b[i];
  }
  double distance = norm(difference), size = std::max(norm(b), least);
  if (std::isnan(distance))
    return INFINITY;
  return distance == 0 ? 0 : distance / (size > 0 ? size : 1);
}

static void raise(std::optional<double> &largest, double value) {
  largest = std::max(largest.value_or(0), value);
}

namespace {
/// The rows of the report, found by names of layers and of variables.
class Rows {
public:
  explicit Rows(const ImportedModel &model) {
    for (const LayerSummary &layer : model.layers)
      rows.push_back({layer.name, layer.className, {}, {}, {}});
  }

  /// The row of a layer or of what is in it: the longest name that `name` is or begins with. What
  /// is in no layer of the summary gets a row of its own.
  LayerReport &of(llvm::StringRef name) {
    LayerReport *best = nullptr;
    for (LayerReport &row : rows)
      if ((name == row.name || name.starts_with(row.name + "/")) &&
          (!best || row.name.size() > best->name.size()))
        best = &row;
    return best ? *best : rows.emplace_back(LayerReport{name.str(), "", {}, {}, {}});
  }

  std::vector<LayerReport> take() { return std::move(rows); }

private:
  std::vector<LayerReport> rows;
};
} // namespace

static LogicalResult compareForward(const Workshop &workshop, int64_t seed, Rows &rows) {
  std::vector<std::string> layers;
  auto product = workshop.forward(/*unoptimized=*/false, layers);
  auto plain = workshop.forward(/*unoptimized=*/true, layers);
  if (failed(product) || failed(plain))
    return failure();
  copyVariables(*product, *plain);
  Call ours(*product, "predict", seed), theirs(*plain, "predict", seed);
  ours.run();
  theirs.run();
  size_t output = 0;
  for (int i = 0; i < ours.size(); ++i)
    if (ours.tensor(i).role == FORMWORK_OUTPUT)
      raise(rows.of(layers[output++]).forward, deviation(ours.values(i), theirs.values(i)));
  return success();
}

static void compareGradients(LoadedModel &product, LoadedModel &plain, int64_t seed, Rows &rows) {
  copyVariables(product, plain);
  Call ours(product, "gradients", seed), theirs(plain, "gradients", seed);
  ours.run();
  theirs.run();
  double largest = 0;
  for (int i = 0; i < ours.size(); ++i)
    if (ours.tensor(i).role == FORMWORK_GRADIENT)
      largest = std::max(largest, norm(theirs.values(i)));
  // A gradient that ought to be zero is what rounding leaves of sums of larger ones.
  for (int i = 0; i < ours.size(); ++i)
    if (ours.tensor(i).role == FORMWORK_GRADIENT)
      raise(rows.of(ours.tensor(i).name).gradient,
            deviation(ours.values(i), theirs.values(i), largest / 1000));
}

//===--- finite differences ----------------------------------------------------------------------

namespace {
/// The loss as a function of one variable, all else as it was.
class LossOf {
public:
  LossOf(LoadedModel &loaded, Call &call, const formwork_variable &variable)
      : instance(loaded.instance()), call(call), variable(variable),
        before(instance.variableBytes(), instance.variableBytes() + loaded.model().state_size) {}

  /// At the variable plus step * direction.
  double operator()(ArrayRef<double> direction, double step) {
    std::byte *state = instance.writableVariables();
    auto *values = reinterpret_cast<double *>(state + variable.offset);
    for (auto [i, slope] : llvm::enumerate(direction))
      values[formwork_place(&variable, i)] += step * slope;
    call.run();
    std::copy(before.begin(), before.end(), state);
    return call.loss();
  }

private:
  runtime::Instance &instance;
  Call &call;
  const formwork_variable &variable;
  std::vector<std::byte> before;
};
} // namespace

/// Half the digits that are left of float64 when a loss is divided by the step.
static constexpr double differencesLimit = 1e-5;

/// How far the slope along `direction` is from what the gradient says, relative to `scale`, or to
/// what makes the losses' rounding errors just pass where the gradient is smaller than they.
static double slopeDeviation(LossOf &loss, ArrayRef<double> gradient, ArrayRef<double> direction,
                             double scale) {
  constexpr double step = 1e-6;
  double above = loss(direction, step), below = loss(direction, -step), expected = 0;
  for (auto [g, d] : llvm::zip_equal(gradient, direction))
    expected += g * d;
  double distance = std::fabs((above - below) / (2 * step) - expected);
  if (std::isnan(distance))
    return INFINITY;
  // Each loss is a sum whose rounding errors, some tens of units in the last place, are divided by
  // the step.
  double rounding = 64 * 0x1p-52 * std::max(std::fabs(above), 1.0) / step;
  return distance / std::max(scale, rounding / differencesLimit);
}

/// Along the gradient, where a wrong size or sign shows, and along random signs, where all else
/// does: there an error e is seen as about |e|. Both directions have elements of size 1.
static double gradientDeviation(LossOf &loss, ArrayRef<double> gradient, uint64_t seed) {
  double size = norm(gradient), root = std::sqrt(double(gradient.size()));
  std::vector<double> along(gradient.begin(), gradient.end()), signs(gradient.size());
  for (double &value : along)
    value *= size > 0 ? root / size : 0;
  for (auto [i, value] : llvm::enumerate(signs))
    value = runtime::philox({uint32_t(i), uint32_t(i >> 32), 1, 0}, seed)[0] & 1 ? 1 : -1;
  return std::max(slopeDeviation(loss, gradient, along, root * size),
                  slopeDeviation(loss, gradient, signs, size));
}

static void compareDifferences(LoadedModel &narrow, LoadedModel &wide, int64_t seed, Rows &rows) {
  copyVariables(narrow, wide);
  Call call(wide, "gradients", seed);
  call.run();
  // All of them before the loss is asked for elsewhere, which overwrites them.
  std::vector<std::pair<const formwork_variable *, std::vector<double>>> gradients;
  for (int i = 0; i < call.size(); ++i)
    for (const formwork_variable &variable : runtime::variables(wide.model()))
      if (call.tensor(i).role == FORMWORK_GRADIENT &&
          llvm::StringRef(variable.name) == call.tensor(i).name)
        gradients.emplace_back(&variable, call.values(i));
  copyVariables(narrow, wide);
  for (auto &[variable, gradient] : gradients) {
    LossOf loss(wide, call, *variable);
    raise(rows.of(variable->name).differences, gradientDeviation(loss, gradient, seed));
  }
}

//===--- all of it -------------------------------------------------------------------------------

bool VerifyReport::passed() const {
  return llvm::all_of(layers, [&](const LayerReport &layer) {
    return layer.forward.value_or(0) <= precisionLimit &&
           layer.gradient.value_or(0) <= precisionLimit &&
           layer.differences.value_or(0) <= differencesLimit;
  });
}

/// One size for each symbol: the signature's; else the batch, and 16 for all others.
static FailureOr<std::vector<int64_t>> chooseSizes(ModuleOp module, const VerifyOptions &options) {
  auto count = module->getAttrOfType<IntegerAttr>("fw.symbols");
  int64_t symbols = count ? count.getInt() : 0;
  std::vector<int64_t> sizes(symbols, 16);
  if (options.compile.signatures.empty()) {
    if (symbols)
      sizes[0] = options.batch;
    return sizes;
  }
  std::string problem;
  auto signature = parseSignature(options.compile.signatures.front(), problem);
  if (!signature)
    return emitError(module.getLoc()) << "--signature: " << problem;
  auto solved = solveSignature(module.lookupSymbol<func::FuncOp>("predict"), symbols, *signature);
  if (failed(solved))
    return failure();
  return std::vector<int64_t>(solved->begin(), solved->end());
}

/// A model that was never compiled has gradients all the same: of any loss.
static void completeSettings(const ImportedModel &model, CompileSettings &settings) {
  if (!model.compileConfig.empty())
    return;
  settings.optimizer = settings.optimizer.empty() ? "sgd" : settings.optimizer;
  settings.loss = settings.loss.empty() ? "mse" : settings.loss;
}

/// Sums of n terms in another order differ by about sqrt(n) roundings: room for a million terms.
static double precisionLimitOf(ModuleOp module) {
  auto floatx = module->getAttrOfType<TypeAttr>("fw.floatx");
  return 1000 * (floatx && floatx.getValue().isF64() ? 0x1p-53 : 0x1p-24);
}

FailureOr<VerifyReport> verifyModel(MLIRContext &context, const VerifyOptions &given) {
  VerifyOptions options = given;
  auto model = importModel(context, {.path = options.compile.model, .name = options.compile.name});
  if (failed(model))
    return failure();
  auto sizes = chooseSizes(*model->module, options);
  if (failed(sizes))
    return failure();
  completeSettings(*model, options.compile.settings);

  Workshop workshop(context, options, *sizes);
  Rows rows(*model);
  if (failed(compareForward(workshop, options.seed, rows)))
    return failure();
  auto product = workshop.training(/*unoptimized=*/false);
  auto plain = workshop.training(/*unoptimized=*/true);
  auto wide = workshop.wideTraining();
  if (failed(product) || failed(plain) || failed(wide))
    return failure();
  compareGradients(*product, *plain, options.seed, rows);
  compareDifferences(*product, *wide, options.seed, rows);
  return VerifyReport{rows.take(), precisionLimitOf(*model->module), differencesLimit};
}

} // namespace formwork
