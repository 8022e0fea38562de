// The formulas of keras/src/regularizers/regularizers.py and keras/src/constraints/constraints.py.
#include "passes/training/Penalties.h"
#include "passes/training/Registry.h"

#include "ir/Dialect.h"

using namespace mlir;

namespace formwork {

/// keras.config.epsilon().
static constexpr double epsilon = 1e-7;

using Axes = SmallVector<int64_t>;

static RankedTensorType typeOf(Expr x) { return cast<RankedTensorType>(x.value().getType()); }
static Axes allAxes(int64_t rank) { return llvm::to_vector(llvm::seq<int64_t>(0, rank)); }
static Expr sumOfAll(Expr x) {
  int64_t rank = typeOf(x).getRank();
  return rank ? sum(x, allAxes(rank)) : x;
}

//===--- regularizers ----------------------------------------------------------------------------

/// A factor, which Keras rounds to f32.
static double readFactor(Arguments &arguments, StringRef name, double byDefault) {
  double factor = float(arguments.real(name, byDefault));
  if (factor < 0)
    arguments.reject(name) << "and must be 0 or more";
  return factor;
}

static Regularizer sumOfPenalties(double l1, double l2) {
  return [=](Expr w) {
    std::optional<Expr> total;
    if (l1 != 0 || l2 == 0)
      total = l1 * sumOfAll(abs(w));
    if (l2 != 0)
      total = total ? *total + l2 * sumOfAll(square(w)) : l2 * sumOfAll(square(w));
    return *total;
  };
}

static Regularizer readL1(Arguments &arguments, int64_t) {
  return sumOfPenalties(readFactor(arguments, "l1", 0.01), 0);
}

static Regularizer readL2(Arguments &arguments, int64_t) {
  return sumOfPenalties(0, readFactor(arguments, "l2", 0.01));
}

static Regularizer readL1L2(Arguments &arguments, int64_t) {
  return sumOfPenalties(readFactor(arguments, "l1", 0), readFactor(arguments, "l2", 0));
}

/// How far rows, or columns, are from being orthogonal to one another: the mean of the cosines'
/// sizes over all pairs.
static Regularizer readOrthogonal(Arguments &arguments, int64_t rank) {
  double factor = readFactor(arguments, "factor", 0.01);
  StringRef mode = arguments.text("mode", "rows");
  if (mode != "rows" && mode != "columns")
    arguments.reject("mode") << "and must be 'rows' or 'columns'";
  if (rank != 2) {
    arguments.problems().report() << arguments.ownerName() << " is for matrices, and this has "
                                  << rank << " dimensions";
    return {};
  }
  int64_t along = mode == "rows" ? 1 : 0;
  return [=](Expr w) {
    Expr unit = ofUnitLength(w, along, epsilon);
    Expr product(w.build(),
                 DotGeneralOp::create(w.build(), unit.value(), unit.value(),
                                      ArrayRef<int64_t>{along}, ArrayRef<int64_t>{along}));
    Expr others = select(equal(iotaLike(product, 0), iotaLike(product, 1)), 0, product);
    int64_t rows = typeOf(w).getDimSize(1 - along);
    Expr pairs = double(rows) * (double(rows) - 1) / 2;
    if (ShapedType::isDynamic(rows)) {
      Expr count = countAlong(w, 1 - along);
      pairs = count * (count - 1) / 2;
    }
    return 0.5 * factor * sumOfAll(abs(others)) / pairs;
  };
}

//===--- constraints -----------------------------------------------------------------------------

/// The axes along which a norm is taken.
static Axes readAxes(Arguments &arguments, int64_t rank) {
  Attribute given = arguments.raw("axis");
  Axes axes;
  if (given && isa<ArrayAttr>(given))
    for (double axis : arguments.reals("axis"))
      axes.push_back(int64_t(axis));
  else
    axes = {arguments.integer("axis", 0)};
  for (int64_t &axis : axes) {
    axis += axis < 0 ? rank : 0;
    if (axis < 0 || axis >= rank) {
      arguments.reject("axis") << "but the weight has " << rank << " dimensions";
      return {};
    }
  }
  return axes;
}

static Expr normOf(Expr w, const Axes &axes) { return sqrt(sum(square(w), axes, true)); }
static Expr clip(Expr x, double least, double most) { return max(min(x, most), least); }

static Constraint readMaxNorm(Arguments &arguments, int64_t rank) {
  double most = arguments.real("max_value", 2);
  Axes axes = readAxes(arguments, rank);
  return [=](Expr w) {
    Expr norm = normOf(w, axes);
    return w * (clip(norm, 0, most) / (norm + epsilon));
  };
}

static Constraint readMinMaxNorm(Arguments &arguments, int64_t rank) {
  double least = arguments.real("min_value", 0), most = arguments.real("max_value", 1);
  double rate = arguments.real("rate", 1);
  Axes axes = readAxes(arguments, rank);
  return [=](Expr w) {
    Expr norm = normOf(w, axes), wanted = rate * clip(norm, least, most) + (1 - rate) * norm;
    return w * (wanted / (norm + epsilon));
  };
}

static Constraint readUnitNorm(Arguments &arguments, int64_t rank) {
  Axes axes = readAxes(arguments, rank);
  return [=](Expr w) { return w / (normOf(w, axes) + epsilon); };
}

static Constraint readNonNeg(Arguments &, int64_t) {
  return [](Expr w) { return max(w, 0); };
}

//===--- the tables ------------------------------------------------------------------------------

namespace {
template <typename Function> struct PenaltyRow {
  SmallVector<StringRef> names;
  Function (*read)(Arguments &, int64_t rank);
};
} // namespace

static ArrayRef<PenaltyRow<Regularizer>> regularizers() {
  static const PenaltyRow<Regularizer> table[] = {
      {{"L1", "l1"}, readL1},
      {{"L2", "l2"}, readL2},
      {{"L1L2", "l1_l2", "l1l2"}, readL1L2},
      {{"OrthogonalRegularizer", "orthogonal_regularizer"}, readOrthogonal},
  };
  return table;
}

static ArrayRef<PenaltyRow<Constraint>> constraints() {
  static const PenaltyRow<Constraint> table[] = {
      {{"MaxNorm", "max_norm"}, readMaxNorm},
      {{"MinMaxNorm", "min_max_norm"}, readMinMaxNorm},
      {{"UnitNorm", "unit_norm"}, readUnitNorm},
      {{"NonNeg", "non_neg"}, readNonNeg},
  };
  return table;
}

std::vector<StringRef> regularizerNames() { return classNames(regularizers()); }
std::vector<StringRef> constraintNames() { return classNames(constraints()); }

template <typename Function>
static Function readPenalty(ArrayRef<PenaltyRow<Function>> table, StringRef kind, Attribute keras,
                            StringRef owner, int64_t rank, Problems &problems) {
  if (isNone(keras))
    return {};
  std::string what = ("the " + kind + " of '" + owner + "'").str();
  std::optional<KerasObject> object = readObject(keras, what, problems);
  if (!object)
    return {};
  const PenaltyRow<Function> *row = findByName(table, object->name);
  if (!row) {
    reportUnknown(problems, what, object->name, table);
    return {};
  }
  Arguments arguments(what + ", " + object->name.str(), object->config, problems);
  Function function = row->read(arguments, rank);
  arguments.finish();
  return function;
}

Regularizer readRegularizer(Attribute keras, StringRef owner, int64_t rank, Problems &problems) {
  return readPenalty(regularizers(), "regularizer", keras, owner, rank, problems);
}

Constraint readConstraint(Attribute keras, StringRef owner, int64_t rank, Problems &problems) {
  return readPenalty(constraints(), "constraint", keras, owner, rank, problems);
}

} // namespace formwork
