// The formulas of keras/src/initializers, with Philox for their random numbers: the distributions
// are Keras's, the numbers are not.
#include "passes/training/Initializers.h"
#include "passes/training/Registry.h"
#include "passes/training/Windows.h"

#include <numbers>

using namespace mlir;

namespace formwork {

static Attribute numberOf(Type element, double value) {
  if (isa<FloatType>(element))
    return FloatAttr::get(element, value);
  return IntegerAttr::get(element, int64_t(value));
}

static Value constantOf(ImplicitLocOpBuilder &builder, RankedTensorType type, double value) {
  Attribute number = numberOf(type.getElementType(), value);
  return ConstantOp::create(builder, DenseElementsAttr::get(type, number));
}

static Initializer filledWith(RankedTensorType type, double value) {
  return [=](ImplicitLocOpBuilder &builder, const RandomSource &) {
    return constantOf(builder, type, value);
  };
}

static Expr reshape(Expr x, ArrayRef<int64_t> shape) {
  return {x.build(), ReshapeOp::create(x.build(), x.value(), shape)};
}

//===--- constants -------------------------------------------------------------------------------

static Initializer zeros(Arguments &, RankedTensorType type) { return filledWith(type, 0); }
static Initializer ones(Arguments &, RankedTensorType type) { return filledWith(type, 1); }

/// Whether NumPy would broadcast the one shape to the other.
static bool broadcastsTo(ArrayRef<int64_t> from, ArrayRef<int64_t> to) {
  return from.size() <= to.size() &&
         llvm::all_of(llvm::zip(from, to.take_back(from.size())), [](auto sizes) {
           auto [a, b] = sizes;
           return a == 1 || a == b;
         });
}

static Initializer constant(Arguments &arguments, RankedTensorType type) {
  NumberArray array = arguments.numbers("value", 0);
  if (!broadcastsTo(array.shape, type.getShape())) {
    arguments.problems().report() << arguments.ownerName() << ": the shape of argument 'value' is ["
                                  << ArrayRef<int64_t>(array.shape) << "], which cannot be "
                                  << type;
    return {};
  }
  if (array.shape.empty())
    return filledWith(type, array.values.front());
  auto elements = llvm::map_to_vector(
      array.values, [&](double value) { return numberOf(type.getElementType(), value); });
  auto numbers = DenseElementsAttr::get(type.clone(array.shape), elements);
  auto missing = llvm::to_vector(llvm::seq<int64_t>(0, type.getRank() - array.shape.size()));
  return [=](ImplicitLocOpBuilder &builder, const RandomSource &) -> Value {
    Value value = ConstantOp::create(builder, numbers);
    return BroadcastLikeOp::create(builder, type, value, constantOf(builder, type, 0), missing);
  };
}

/// Rows of the n by m unit matrix.
static Value unitMatrix(ImplicitLocOpBuilder &builder, int64_t n, int64_t m, Type element) {
  auto numbers = llvm::to_vector(llvm::seq<int64_t>(0, n));
  auto type = RankedTensorType::get(n, builder.getI64Type());
  Value rows = ConstantOp::create(builder, DenseElementsAttr::get(type, ArrayRef(numbers)));
  return OneHotOp::create(builder, rows, m, element);
}

static Initializer identity(Arguments &arguments, RankedTensorType type) {
  double gain = arguments.real("gain", 1);
  if (type.getRank() != 2) {
    arguments.problems().report() << arguments.ownerName() << " needs a matrix, not " << type;
    return {};
  }
  return [=](ImplicitLocOpBuilder &builder, const RandomSource &) {
    Expr unit(builder,
              unitMatrix(builder, type.getDimSize(0), type.getDimSize(1), type.getElementType()));
    return (gain * unit).value();
  };
}

//===--- distributions ---------------------------------------------------------------------------

/// An initializer with a seed of its own does not depend on the seed that `init` is given.
static RandomSource withOwnSeed(ImplicitLocOpBuilder &builder, const RandomSource &random,
                                std::optional<int64_t> seed) {
  if (!seed)
    return random;
  auto state = builder.getI64TensorAttr({*seed, -1});
  return {ConstantOp::create(builder, state), random.stream};
}

/// A whole number, or a SeedGenerator that begins with one; none for None.
static std::optional<int64_t> readSeed(Arguments &arguments) {
  Attribute seed = arguments.raw("seed");
  if (auto generator = dyn_cast_or_null<DictionaryAttr>(seed))
    if (auto config = generator.getAs<DictionaryAttr>("config"))
      seed = config.get("seed");
  if (isNone(seed))
    return {};
  if (auto number = dyn_cast<IntegerAttr>(seed))
    return number.getInt();
  arguments.reject("seed") << "neither an integer nor a SeedGenerator";
  return {};
}

/// `low` to `high`, `low` included.
static Initializer uniform(RankedTensorType type, double low, double high,
                           std::optional<int64_t> seed) {
  return [=](ImplicitLocOpBuilder &builder, const RandomSource &random) {
    auto [state, stream] = withOwnSeed(builder, random, seed);
    Value like = constantOf(builder, type, 0);
    Expr u(builder, RandomUniformOp::create(builder, state, like, stream));
    return (low + (high - low) * u).value();
  };
}

/// Op is a standard normal distribution, whole or cut off at two standard deviations.
template <typename Op>
static Initializer normal(RankedTensorType type, double mean, double deviation,
                          std::optional<int64_t> seed) {
  return [=](ImplicitLocOpBuilder &builder, const RandomSource &random) {
    auto [state, stream] = withOwnSeed(builder, random, seed);
    Value like = constantOf(builder, type, 0);
    Expr z(builder, Op::create(builder, state, like, stream));
    return (mean + deviation * z).value();
  };
}

static Initializer randomUniform(Arguments &arguments, RankedTensorType type) {
  double low = arguments.real("minval", -0.05), high = arguments.real("maxval", 0.05);
  return uniform(type, low, high, readSeed(arguments));
}

template <typename Op>
static Initializer randomNormal(Arguments &arguments, RankedTensorType type) {
  double mean = arguments.real("mean", 0), deviation = arguments.real("stddev", 0.05);
  return normal<Op>(type, mean, deviation, readSeed(arguments));
}

//===--- variance scaling ------------------------------------------------------------------------

/// The product of the sizes along the axes that the argument lists.
static double sizeAlong(Arguments &arguments, StringRef name, RankedTensorType type) {
  double size = 1, rank = type.getRank();
  for (double axis : arguments.reals(name)) {
    if (axis < -rank || axis >= rank) {
      arguments.reject(name) << "and there is no axis " << int64_t(axis) << " of " << type;
      return 1;
    }
    size *= type.getDimSize(axis < 0 ? axis + rank : axis);
  }
  return size;
}

/// How many inputs each output has, and outputs each input: compute_fans.
static std::pair<double, double> fansOf(Arguments &arguments, RankedTensorType type) {
  Attribute inputs = arguments.raw("input_axes"), outputs = arguments.raw("output_axes");
  if (inputs && outputs)
    return {sizeAlong(arguments, "input_axes", type), sizeAlong(arguments, "output_axes", type)};
  int64_t rank = type.getRank();
  if (rank < 2)
    return {type.getNumElements(), type.getNumElements()};
  double field = 1;
  for (int64_t size : type.getShape().drop_back(2))
    field *= size;
  return {type.getDimSize(rank - 2) * field, type.getDimSize(rank - 1) * field};
}

static double fanFor(Arguments &arguments, StringRef mode, RankedTensorType type) {
  auto [in, out] = fansOf(arguments, type);
  if (mode == "fan_in")
    return std::max(1.0, in);
  if (mode == "fan_out")
    return std::max(1.0, out);
  if (mode != "fan_avg")
    arguments.reject("mode") << "and must be fan_in, fan_out or fan_avg";
  return std::max(1.0, (in + out) / 2);
}

static Initializer scaledBy(Arguments &arguments, RankedTensorType type, double scale,
                            StringRef mode, StringRef distribution) {
  double variance = scale / fanFor(arguments, mode, type);
  std::optional<int64_t> seed = readSeed(arguments);
  if (distribution == "uniform")
    return uniform(type, -std::sqrt(3 * variance), std::sqrt(3 * variance), seed);
  if (distribution == "untruncated_normal")
    return normal<RandomNormalOp>(type, 0, std::sqrt(variance), seed);
  if (distribution != "truncated_normal" && distribution != "normal")
    arguments.reject("distribution")
        << "and must be uniform, truncated_normal or untruncated_normal";
  // The standard deviation of a standard normal distribution cut off at 2.
  return normal<RandomTruncatedNormalOp>(type, 0, std::sqrt(variance) / 0.87962566103423978, seed);
}

static Initializer varianceScaling(Arguments &arguments, RankedTensorType type) {
  double scale = arguments.real("scale", 1);
  if (scale <= 0)
    arguments.reject("scale") << "and must be greater than 0";
  StringRef mode = arguments.text("mode", "fan_in");
  std::string distribution = arguments.text("distribution", "truncated_normal").lower();
  return scaledBy(arguments, type, scale, mode, distribution);
}

/// Glorot's, He's and LeCun's are variance scaling with settings of their own.
struct Scaling {
  double scale;
  StringLiteral mode, distribution;
};
static constexpr Scaling glorotUniformScaling{1, "fan_avg", "uniform"},
    glorotNormalScaling{1, "fan_avg", "truncated_normal"}, heUniformScaling{2, "fan_in", "uniform"},
    heNormalScaling{2, "fan_in", "truncated_normal"}, lecunUniformScaling{1, "fan_in", "uniform"},
    lecunNormalScaling{1, "fan_in", "truncated_normal"};

template <const Scaling &settings>
static Initializer scaled(Arguments &arguments, RankedTensorType type) {
  return scaledBy(arguments, type, settings.scale, settings.mode, settings.distribution);
}

//===--- orthogonal ------------------------------------------------------------------------------

/// `v` without its parts along the rows of `q`, which are orthonormal or zero.
static Expr without(Expr v, Expr q) {
  Expr along = sum(q * v, 1, /*keepdims=*/true);
  return v - sum(q * along, 0);
}

/// One step of Gram-Schmidt: (q, row of a, unit row) to q with its next row. Twice is enough for
/// orthogonality to the last digits (Giraud, Langou & Rozloznik).
static void buildOrthogonalStep(ScanOp scan) {
  Block &body = scan.getBody().emplaceBlock();
  auto matrix = cast<RankedTensorType>(scan.getInitials()[0].getType());
  body.addArgument(matrix, scan.getLoc());
  body.addArgument(matrix.clone(matrix.getShape().take_back(1)), scan.getLoc());
  body.addArgument(matrix.clone(matrix.getShape().take_front(1)), scan.getLoc());
  ImplicitLocOpBuilder builder(scan.getLoc(), scan.getContext());
  builder.setInsertionPointToStart(&body);
  Expr q(builder, body.getArgument(0)), a(builder, body.getArgument(1)),
      unit(builder, body.getArgument(2));
  Expr v = without(without(a, q), q);
  Expr direction = v / sqrt(sum(v * v, 0));
  Expr next = q + reshape(unit, {-1, 1}) * direction;
  YieldOp::create(builder, next.value());
}

/// The rows of `a` made orthonormal, in order.
static Value orthonormalRows(ImplicitLocOpBuilder &builder, Value a) {
  auto type = cast<RankedTensorType>(a.getType());
  Value units = unitMatrix(builder, type.getDimSize(0), type.getDimSize(0), type.getElementType());
  auto scan = ScanOp::create(builder, /*finals=*/TypeRange(type), /*stacked=*/TypeRange(),
                             /*initials=*/ValueRange(constantOf(builder, type, 0)),
                             /*sequences=*/ValueRange{a, units}, /*captures=*/ValueRange(),
                             /*reverse=*/false);
  buildOrthogonalStep(scan);
  return scan.getFinals()[0];
}

/// Q of a QR decomposition of normal numbers, with the signs that make it unique and uniform: what
/// Gram-Schmidt yields. Of a tensor, the last dimension is the columns.
static Initializer orthogonal(Arguments &arguments, RankedTensorType type) {
  double gain = arguments.real("gain", 1);
  std::optional<int64_t> seed = readSeed(arguments);
  if (type.getRank() < 2) {
    arguments.problems().report() << arguments.ownerName() << " needs two dimensions or more, not "
                                  << type;
    return {};
  }
  int64_t columns = type.getShape().back();
  int64_t rows = columns ? type.getNumElements() / columns : 0;
  auto flat = type.clone({std::min(rows, columns), std::max(rows, columns)});
  return [=](ImplicitLocOpBuilder &builder, const RandomSource &random) {
    Value q = orthonormalRows(builder, normal<RandomNormalOp>(flat, 0, 1, seed)(builder, random));
    Expr oriented(builder, q);
    if (rows > columns)
      oriented = transpose(oriented, {1, 0});
    return (gain * reshape(oriented, type.getShape())).value();
  };
}

//===--- Fourier ---------------------------------------------------------------------------------

/// The window's values over the frame; empty for none or, with a problem reported, for a bad one.
static std::vector<double> readWindow(Arguments &arguments, int64_t frame) {
  bool periodic = arguments.flag("periodic", false);
  Attribute given = arguments.raw("window");
  if (arguments.has("window") && isNone(given))
    return {};
  if (given && !isa<StringAttr>(given)) {
    NumberArray array = arguments.numbers("window", 1);
    if (ArrayRef<int64_t>(array.shape) == ArrayRef(frame))
      return array.values;
    arguments.reject("window") << "and must have " << frame << " numbers, one for each step of the "
                               << "frame";
    return {};
  }
  StringRef name = given ? cast<StringAttr>(given).getValue() : "hann";
  if (auto values = signalWindow(name, frame, periodic))
    return *values;
  arguments.reject("window") << "and is no window of these: " << signalWindowNames()
                             << "; give its values as a list";
  return {};
}

/// What the window's values are divided by.
static double windowScale(ArrayRef<double> window, StringRef scaling) {
  double sum = 0;
  for (double value : window)
    sum += scaling == "density" ? value * value : std::abs(value);
  return scaling == "density" ? std::sqrt(sum) : scaling == "spectrum" ? sum : 1;
}

/// cos or sin of -2 pi t f / F over time t and frequency f, [T, 1, F / 2 + 1], times a window. In
/// float64 and with t f reduced by whole turns, unlike Keras, whose float32 angles are far from
/// zero.
static Initializer stft(Arguments &arguments, RankedTensorType type) {
  StringRef side = arguments.text("side", "real");
  if (side != "real" && side != "imag")
    arguments.reject("side") << "and must be 'real' or 'imag'";
  StringRef scaling = arguments.text("scaling", "density", "none");
  if (scaling != "density" && scaling != "spectrum" && scaling != "none")
    arguments.reject("scaling") << "and must be 'density', 'spectrum' or null";
  if (type.getRank() != 3 || type.getDimSize(1) != 1) {
    arguments.problems().report() << arguments.ownerName()
                                  << " needs a kernel [frame, 1, frequencies], not " << type;
    return {};
  }
  std::vector<double> window = readWindow(arguments, type.getDimSize(0));
  double scale = windowScale(window, scaling);
  int64_t turn = 2 * (type.getDimSize(2) - 1);
  bool isReal = side == "real";
  return [=](ImplicitLocOpBuilder &builder, const RandomSource &) {
    auto wide = RankedTensorType::get(type.getShape(), builder.getF64Type());
    Expr zero(builder, constantOf(builder, wide, 0));
    Expr product = castTo(iotaLike(zero, 0) * iotaLike(zero, 2), builder.getF64Type());
    // A single frequency divides by zero, in Keras as well, and is NaN.
    Expr turns = product / double(turn);
    Expr angle = (-2 * std::numbers::pi) * (turns - floor(turns));
    Expr kernel = isReal ? cos(angle) : sin(angle);
    if (!window.empty()) {
      auto column = RankedTensorType::get({type.getDimSize(0), 1, 1}, builder.getF64Type());
      Value values = ConstantOp::create(builder, DenseElementsAttr::get(column, ArrayRef(window)));
      kernel = kernel * Expr(builder, values) / scale;
    }
    return castTo(kernel, type.getElementType()).value();
  };
}

//===--- the table -------------------------------------------------------------------------------

static Initializer concatenation(Arguments &arguments, RankedTensorType type);

namespace {
struct InitializerRow {
  SmallVector<StringRef> names;
  Initializer (*read)(Arguments &, RankedTensorType);
};
} // namespace

static ArrayRef<InitializerRow> initializers() {
  static const InitializerRow table[] = {
      {{"Zeros", "zeros", "zero"}, zeros},
      {{"Ones", "ones", "one"}, ones},
      {{"Constant", "constant"}, constant},
      {{"Identity", "identity", "IdentityInitializer"}, identity},
      {{"RandomUniform", "random_uniform", "uniform"}, randomUniform},
      {{"RandomNormal", "random_normal", "normal"}, randomNormal<RandomNormalOp>},
      {{"TruncatedNormal", "truncated_normal"}, randomNormal<RandomTruncatedNormalOp>},
      {{"VarianceScaling", "variance_scaling"}, varianceScaling},
      {{"GlorotUniform", "glorot_uniform"}, scaled<glorotUniformScaling>},
      {{"GlorotNormal", "glorot_normal"}, scaled<glorotNormalScaling>},
      {{"HeUniform", "he_uniform"}, scaled<heUniformScaling>},
      {{"HeNormal", "he_normal"}, scaled<heNormalScaling>},
      {{"LecunUniform", "lecun_uniform"}, scaled<lecunUniformScaling>},
      {{"LecunNormal", "lecun_normal"}, scaled<lecunNormalScaling>},
      {{"Orthogonal", "orthogonal", "OrthogonalInitializer"}, orthogonal},
      {{"STFT", "stft", "STFTInitializer"}, stft},
      {{"Concatenate"}, concatenation},
  };
  return table;
}

std::vector<StringRef> initializerNames() { return classNames(initializers()); }

static Initializer readInitializer(Attribute keras, StringRef variable, RankedTensorType type,
                                   Problems &problems) {
  std::string what = ("the initializer of '" + variable + "'").str();
  std::optional<KerasObject> object = readObject(keras, what, problems);
  if (!object)
    return {};
  const InitializerRow *row = findByName(initializers(), object->name);
  if (!row) {
    reportUnknown(problems, what, object->name, initializers());
    return {};
  }
  Arguments arguments(what + ", " + object->name.str(), object->config, problems);
  Initializer initializer = row->read(arguments, type);
  arguments.finish();
  return initializer;
}

/// Not of Keras: parts of a vector that are initialized apart, as LSTM's bias is.
/// parts = [{size, initializer}, ...].
static Initializer concatenation(Arguments &arguments, RankedTensorType type) {
  std::vector<Initializer> parts;
  auto list = dyn_cast_or_null<ArrayAttr>(arguments.raw("parts"));
  for (Attribute element : list ? list.getValue() : ArrayRef<Attribute>()) {
    auto part = cast<DictionaryAttr>(element);
    auto partType = type.clone({part.getAs<IntegerAttr>("size").getInt()});
    parts.push_back(readInitializer(part.get("initializer"), arguments.ownerName(), partType,
                                    arguments.problems()));
  }
  if (!llvm::all_of(parts, [](const Initializer &part) { return bool(part); }))
    return {};
  return [=](ImplicitLocOpBuilder &builder, const RandomSource &random) -> Value {
    // A stream for each part, far from those of other variables.
    SmallVector<Value> values;
    for (auto [i, part] : llvm::enumerate(parts))
      values.push_back(part(builder, {random.state, random.stream + (int64_t(i) << 24)}));
    return ConcatOp::create(builder, values, 0);
  };
}

Initializer readInitializer(VariableOp variable, Problems &problems) {
  return readInitializer(variable->getAttr("initializer"), variable.getSymName(),
                         cast<RankedTensorType>(variable.getType()), problems);
}

} // namespace formwork
