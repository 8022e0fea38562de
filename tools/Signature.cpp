// Reads signatures, and solves them for the model's symbols.
#include "tools/Signature.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace formwork {

//===--- reading ---------------------------------------------------------------------------------

static std::optional<InputSignature> parseInput(StringRef text, std::string &problem) {
  auto fail = [&](const Twine &what) {
    problem =
        ("'" + text + "' " + what + "; write NAME:DTYPE[SIZE,SIZE,...], as in x:f32[32,784]").str();
    return std::nullopt;
  };
  auto [name, rest] = text.rsplit(':');
  if (name.empty() || rest.empty())
    return fail("has no NAME before a colon and DTYPE after it");
  auto [dtype, sizes] = rest.split('[');
  if (!is_contained({"f32", "f64", "i32", "i64", "bool"}, dtype))
    return fail("has '" + dtype + "' where f32, f64, i32, i64 or bool belongs");
  if (!sizes.consume_back("]"))
    return fail("has no sizes in brackets at its end");
  InputSignature input{name.str(), dtype.str(), {}};
  SmallVector<StringRef> words;
  sizes.split(words, ',', -1, /*KeepEmpty=*/!sizes.empty());
  for (StringRef word : words) {
    int64_t size;
    if (word.trim().getAsInteger(10, size) || size < 1)
      return fail("has '" + word + "' where a size belongs");
    input.shape.push_back(size);
  }
  return input;
}

std::optional<std::vector<InputSignature>> parseSignature(StringRef text, std::string &problem) {
  std::vector<InputSignature> inputs;
  while (!(text = text.ltrim(" \t;")).empty()) {
    size_t end = text.find(']');
    StringRef word = text.take_front(end == StringRef::npos ? end : end + 1);
    text = text.drop_front(word.size());
    auto input = parseInput(word, problem);
    if (!input)
      return std::nullopt;
    inputs.push_back(std::move(*input));
  }
  if (inputs.empty())
    problem = "a signature names at least one input, as in x:f32[32,784]";
  return inputs.empty() ? std::nullopt : std::optional(std::move(inputs));
}

StringRef dtypeName(Type element) {
  if (element.isF32())
    return "f32";
  if (element.isF64())
    return "f64";
  if (element.isInteger(1))
    return "bool";
  return element.isInteger(32) ? "i32" : "i64";
}

//===--- solving ---------------------------------------------------------------------------------

namespace {
/// Which input said what a symbol's size is.
struct Known {
  int64_t size = -1;
  StringRef input;
};

class Solver {
public:
  Solver(func::FuncOp predict, int64_t symbolCount) : predict(predict), symbols(symbolCount) {}

  LogicalResult add(const InputSignature &input);
  FailureOr<SmallVector<int64_t>> sizes();

private:
  std::optional<unsigned> find(StringRef name);
  LogicalResult meet(const InputSignature &input, unsigned argument, unsigned axis);
  InFlightDiagnostic error() { return emitError(predict.getLoc()) << "--signature: "; }

  func::FuncOp predict;
  SmallVector<Known> symbols;
};
} // namespace

static StringRef nameOf(func::FuncOp function, unsigned argument) {
  auto name = function.getArgAttrOfType<StringAttr>(argument, "fw.name");
  return name ? name.getValue() : "";
}

/// The type of an input as a signature writes it: x:f32[?,784].
static std::string written(func::FuncOp function, unsigned argument) {
  auto type = cast<RankedTensorType>(function.getArgumentTypes()[argument]);
  auto size = [](int64_t size) {
    return ShapedType::isDynamic(size) ? std::string("?") : std::to_string(size);
  };
  return (nameOf(function, argument) + ":" + dtypeName(type.getElementType()) + "[" +
          llvm::join(llvm::map_range(type.getShape(), size), ",") + "]")
      .str();
}

std::optional<unsigned> Solver::find(StringRef name) {
  for (unsigned i = 0; i < predict.getNumArguments(); ++i)
    if (nameOf(predict, i) == name)
      return i;
  return std::nullopt;
}

LogicalResult Solver::meet(const InputSignature &input, unsigned argument, unsigned axis) {
  auto type = cast<RankedTensorType>(predict.getArgumentTypes()[argument]);
  auto numbers = predict.getArgAttrOfType<DenseI64ArrayAttr>(argument, "fw.symbols");
  int64_t size = input.shape[axis];
  int64_t symbol = numbers ? numbers[axis] : -1;
  if (symbol < 0)
    return type.getDimSize(axis) == size
               ? success()
               : error() << "dimension " << axis << " of '" << input.name << "' is "
                         << type.getDimSize(axis) << " in the model, not " << size
                         << "; the input is " << written(predict, argument);
  Known &known = symbols[symbol];
  if (known.size >= 0 && known.size != size)
    return error() << "dimension " << axis << " of '" << input.name << "' is " << size
                   << ", but the model needs it equal to the " << known.size << " given for '"
                   << known.input << "'";
  known = {size, input.name};
  return success();
}

LogicalResult Solver::add(const InputSignature &input) {
  std::optional<unsigned> argument = find(input.name);
  if (!argument) {
    InFlightDiagnostic diagnostic = error() << "the model has no input '" << input.name
                                            << "'; its inputs are";
    for (unsigned i = 0; i < predict.getNumArguments(); ++i)
      diagnostic << (i ? ", " : " ") << written(predict, i);
    return diagnostic;
  }
  auto type = cast<RankedTensorType>(predict.getArgumentTypes()[*argument]);
  if (dtypeName(type.getElementType()) != input.dtype ||
      type.getRank() != int64_t(input.shape.size()))
    return error() << "'" << input.name << "' is " << written(predict, *argument)
                   << " in the model, not " << input.dtype << " of rank " << input.shape.size();
  for (unsigned axis = 0; axis < input.shape.size(); ++axis)
    if (failed(meet(input, *argument, axis)))
      return failure();
  return success();
}

FailureOr<SmallVector<int64_t>> Solver::sizes() {
  for (unsigned i = 0; i < predict.getNumArguments(); ++i) {
    auto numbers = predict.getArgAttrOfType<DenseI64ArrayAttr>(i, "fw.symbols");
    for (auto [axis, symbol] :
         llvm::enumerate(numbers ? numbers.asArrayRef() : ArrayRef<int64_t>()))
      if (symbol >= 0 && symbols[symbol].size < 0)
        return error() << "nothing says how large dimension " << axis << " of '"
                       << nameOf(predict, i) << "' is; add " << written(predict, i)
                       << " with its sizes to the same signature";
  }
  return llvm::map_to_vector(symbols, [](const Known &known) { return known.size; });
}

FailureOr<SmallVector<int64_t>> solveSignature(func::FuncOp predict, int64_t symbolCount,
                                               ArrayRef<InputSignature> signature) {
  Solver solver(predict, symbolCount);
  for (const InputSignature &input : signature)
    if (failed(solver.add(input)))
      return failure();
  return solver.sizes();
}

std::optional<SmallVector<int64_t>> batchSignature(int64_t symbolCount, int64_t batch) {
  if (symbolCount != 1 || batch < 1)
    return std::nullopt;
  return SmallVector<int64_t>{batch};
}

} // namespace formwork
