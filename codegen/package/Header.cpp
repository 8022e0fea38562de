// Prints NAME.h: the interface of all produced code, then this model's functions, sizes and class.
//
// The typed functions are thin: they put dims and buffers into arrays and pick the concrete
// function. Names of the model come in through Scope (code) and commentText (comments) only.
#include "codegen/package/Header.h"

#include "codegen/source/Names.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace formwork::package {

using source::commentText;
using source::identifier;
using source::Scope;

static constexpr char abiText[] =
#include "codegen/package/AbiText.inc"
    ;

/// C99 promises that a function may have so many parameters.
static constexpr size_t maxParameters = 127;

static StringRef spelling(formwork_dtype dtype) {
  switch (dtype) {
  case FORMWORK_BOOL:
    return "uint8_t";
  case FORMWORK_I32:
    return "int32_t";
  case FORMWORK_I64:
    return "int64_t";
  case FORMWORK_F32:
    return "float";
  case FORMWORK_F64:
    return "double";
  }
  llvm_unreachable("a type of the interface");
}

static StringRef meaning(const Entry &entry) {
  return StringSwitch<StringRef>(entry.name)
      .Case("predict", "Computes the outputs from the inputs, as in inference.")
      .Case("train_step", "One step of training on one batch: moves the weights.")
      .Case("evaluate_step", "The loss on one batch; adds it to the metrics and changes no weight.")
      .Case("gradients", "The loss on one batch and its gradient for each trainable weight.")
      .Case("apply", "Moves the weights along the gradients given, as the optimizer does.")
      .Case("input_gradients",
            "From a gradient for each output (of whatever is computed from it) to "
            "the inputs' gradients.")
      .Case("loss_input_gradients",
            "The loss on one batch and its gradient for each input; changes "
            "no variable.")
      .Case("init", "Sets every variable: fresh weights, a pure function of the seed.")
      .Case("derive", "What is computed of the weights ahead of time, and is no weight itself.")
      .Case("finalize", "Ends training: moving averages replace the weights.")
      .Case("reset_metrics", "Sets the metrics to their beginning.")
      .Case("metrics", "The loss and the metrics over all batches since reset_metrics.")
      .Default("A function of the model.");
}

static StringRef roleNote(formwork_role role) {
  switch (role) {
  case FORMWORK_TARGET:
    return ", target";
  case FORMWORK_SAMPLE_WEIGHT:
    return ", weight of each sample";
  case FORMWORK_LOSS:
    return ", loss";
  case FORMWORK_METRIC:
    return ", metric";
  case FORMWORK_GRADIENT:
    return ", gradient";
  case FORMWORK_COTANGENT:
    return ", gradient of what is computed from this output";
  default:
    return "";
  }
}

namespace {
/// An entry with the identifiers that its typed function uses.
struct Function {
  const Entry &entry;
  std::string name; ///< digits_predict
  std::vector<std::string> dims, buffers;
};

class Printer {
public:
  Printer(const Description &description, raw_ostream &os) : description(description), os(os) {}

  void print();

private:
  void printIntroduction();
  void printVariables();
  void printSymbols();
  void printSizes();
  void printFunction(const Function &function);
  void printDocumentation(const Function &function);
  void printArenaSize(const Function &function);
  void printDispatch(const Function &function, function_ref<std::string(const Concrete &)> result,
                     StringRef otherwise);
  void printClass();
  void printMethod(const Function &function, StringRef name);

  Function named(const Entry &entry) const;
  std::string shape(ArrayRef<int64_t> shape, ArrayRef<std::string> dims) const;
  std::string macro(const Twine &suffix) const;
  std::string arenaMacro(const Function &function, const Concrete &concrete) const;
  SmallVector<std::string> parameters(const Function &function, bool method) const;
  std::string constants() const;
  bool givenConstants() const;
  bool outsideConstants() const;
  bool keepsPointer() const;
  std::string beginning() const;
  void printConstructor();
  void printStorage();

  const Description &description;
  raw_ostream &os;
};
} // namespace

/// What tells the gradient of an input from that input.
static StringRef nameSuffix(const Entry &entry, const Tensor &buffer) {
  auto isInput = [&](const Tensor &other) {
    return other.role == FORMWORK_INPUT && other.name == buffer.name;
  };
  if (buffer.role == FORMWORK_COTANGENT ||
      (buffer.role == FORMWORK_GRADIENT && any_of(entry.buffers, isInput)))
    return "_gradient";
  return "";
}

Function Printer::named(const Entry &entry) const {
  Scope scope({"context", "context_", "constants", "constants_", "finish", "state", "state_",
               "arena", "dims", "buffers", "reserve", "formwork_context", description.name});
  std::string prefix = description.name + "_";
  // An argument would hide the function of that name that is called beside it.
  auto argument = [&](StringRef name) {
    return scope.unique(name.starts_with(prefix) ? "n_" + name.str() : name.str());
  };
  Function function{entry, prefix + identifier(entry.name), {}, {}};
  for (const std::string &dim : entry.dims)
    function.dims.push_back(argument(dim));
  for (const Tensor &buffer : entry.buffers)
    function.buffers.push_back(argument(buffer.name + nameSuffix(entry, buffer).str()));
  return function;
}

/// [batch, 64]
std::string Printer::shape(ArrayRef<int64_t> shape, ArrayRef<std::string> dims) const {
  auto size = [&](int64_t size) { return size < 0 ? dims[-1 - size] : std::to_string(size); };
  return ("[" + Twine(join(map_range(shape, size), ", ")) + "]").str();
}

/// DIGITS_STATE_SIZE
std::string Printer::macro(const Twine &suffix) const {
  return StringRef(description.name).upper() + "_" + suffix.str();
}

std::string Printer::arenaMacro(const Function &function, const Concrete &concrete) const {
  std::string name = StringRef(function.name).upper() + "_ARENA_SIZE";
  if (!concrete.dims)
    return name;
  auto sizes = map_range(*concrete.dims, [](int64_t size) { return std::to_string(size); });
  return (name + Twine("_") + join(sizes, "X")).str();
}

/// Whether callers say where the weights are: outside the library, or where they are on a GPU.
bool Printer::givenConstants() const {
  return outsideConstants() || (description.accelerator && !description.constants.empty());
}

bool Printer::outsideConstants() const {
  return !description.trains() && !description.outside.empty();
}

std::string Printer::constants() const {
  if (givenConstants())
    return "constants";
  return description.constants.empty() ? "NULL" : description.name + "_constants";
}

//===--- what there is ---------------------------------------------------------------------------

void Printer::printIntroduction() {
  os << "/* " << description.name << ": a model compiled by Formwork for "
     << commentText(description.target) << ".\n *\n"
     << " * Nothing here allocates or has hidden state. The caller owns every buffer; pointers "
        "are\n"
     << " * to dense row-major arrays, `arena`"
     << (description.trains() ? " and `state` are" : " is")
     << " aligned to 64 bytes. Calls on distinct\n"
     << " * " << (description.trains() ? "state and arena" : "arenas")
     << " may run at the same time. Each function returns FORMWORK_OK or a\n"
     << " * formwork_status, in which case it has done nothing. `context` may not be NULL; an "
        "empty\n"
     << " * one, {0}, runs serially.\n";
  if (description.trains())
    os << " *\n * A program begins with a state of " << macro("STATE_SIZE")
       << " bytes: " << beginning() << "\n";
  if (outsideConstants())
    os << " *\n * The weights are outside: `constants` points to the " << macro("CONSTANTS_SIZE")
       << " bytes of\n * " << description.weightsFile() << ", read or mapped, aligned to 64.\n";
  if (description.accelerator)
    os << " *\n * With a device in the context, opened by " << description.name
       << "_model()->accelerator, calls run there\n"
       << " * (" << commentText(description.accelerator->name)
       << "): " << (description.trains() ? "state" : "constants")
       << " and arena are then memory that its `allocate` gave, and\n"
       << " * buffers are filled when its `synchronize` returns. Without a device, "
       << (description.accelerator->hasHostCode ? "the CPU computes.\n"
                                                : "calls return\n * FORMWORK_NO_DEVICE.\n");
  printVariables();
  os << " */\n";
}

/// How a state comes to be.
std::string Printer::beginning() const {
  if (!description.outside.empty())
    return "what\n * " + description.weightsFile() + " holds, or what " + description.name +
           "_init makes.";
  return description.initialState.empty() ? description.name + "_init makes it."
                                          : "a copy of " + description.name + "_initial_state.";
}

void Printer::printVariables() {
  if (description.variables.empty())
    return;
  os << " *\n * Variables, at these bytes of "
     << (description.trains() ? "`state`"
         : outsideConstants() ? "`constants`"
                              : description.name + "_constants")
     << ":\n";
  for (const Variable &variable : description.variables) {
    os << formatv(" *   {0,10}  {1} {2} {3}{4}", variable.offset, commentText(variable.name),
                  spelling(variable.dtype), shape(variable.shape, {}),
                  variable.trainable ? ", trainable" : "");
    if (variable.panel)
      os << ", in panels of " << variable.panel << " columns (formwork_place)";
    os << "\n";
  }
}

void Printer::printSymbols() {
  os << "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
     << "/* Describes all that follows, for programs that know no model by name. */\n"
     << "const formwork_model *" << description.name << "_model(void);\n";
  if (!description.constants.empty())
    os << "extern const unsigned char " << description.name << "_constants[];\n";
  if (!description.initialState.empty())
    os << "extern const unsigned char " << description.name << "_initial_state[];\n";
  os << "\n/* Each entry, by what it was compiled for. */\n";
  for (const Entry &entry : description.entries)
    for (const Concrete &concrete : entry.concretes)
      os << "formwork_function " << concrete.run << ";\n"
         << "int64_t " << concrete.arenaSize << "(const int64_t *dims);\n";
  os << "\n#ifdef __cplusplus\n}\n#endif\n\n";
}

void Printer::printSizes() {
  os << "/* Bytes. */\n";
  if (description.trains())
    os << "#define " << macro("STATE_SIZE") << " INT64_C(" << description.stateSize << ")\n";
  os << "#define " << macro("CONSTANTS_SIZE") << " INT64_C(" << description.constantsSize << ")\n";
  for (const Entry &entry : description.entries)
    for (const Concrete &concrete : entry.concretes)
      if (concrete.arenaBytes)
        os << "#define " << arenaMacro(named(entry), concrete) << " INT64_C("
           << *concrete.arenaBytes << ")\n";
  os << "\n";
}

//===--- typed functions -------------------------------------------------------------------------

void Printer::printDocumentation(const Function &function) {
  os << "/* " << meaning(function.entry) << "\n";
  for (auto [buffer, name] : zip(function.entry.buffers, function.buffers)) {
    os << formatv(" *   {0,-12} {1} {2} {3}{4}", name, buffer.written ? "out" : "in ",
                  spelling(buffer.dtype), shape(buffer.shape, function.dims),
                  roleNote(buffer.role));
    if (buffer.limit)
      os << ", each in [0, " << buffer.limit << ")";
    if (buffer.name != name)
      os << ", called \"" << commentText(buffer.name) << "\"";
    os << "\n";
  }
  os << " */\n";
}

SmallVector<std::string> Printer::parameters(const Function &function, bool method) const {
  SmallVector<std::string> result;
  if (!method) {
    result.push_back("const formwork_context *context");
    if (description.trains())
      result.push_back("void *state");
    if (givenConstants())
      result.push_back("const void *constants");
    result.push_back("void *arena");
  }
  for (const std::string &dim : function.dims)
    result.push_back("int64_t " + dim);
  for (auto [buffer, name] : zip(function.entry.buffers, function.buffers))
    result.push_back(
        formatv("{0}{1} *{2}", buffer.written ? "" : "const ", spelling(buffer.dtype), name));
  return result;
}

/// `if (batch == 32) return ...;` for each exact concrete function, then the general one.
void Printer::printDispatch(const Function &function,
                            function_ref<std::string(const Concrete &)> result,
                            StringRef otherwise) {
  for (const Concrete &concrete : function.entry.concretes) {
    if (!concrete.dims || concrete.dims->empty()) {
      os << "  return " << result(concrete) << ";\n";
      return;
    }
    SmallVector<std::string> conditions;
    for (auto [dim, size] : zip(function.dims, *concrete.dims))
      conditions.push_back(dim + " == " + std::to_string(size));
    os << "  if (" << join(conditions, " && ") << ")\n    return " << result(concrete) << ";\n";
  }
  os << "  return " << otherwise << ";\n";
}

static void printDims(raw_ostream &os, const Function &function) {
  if (!function.dims.empty())
    os << "  const int64_t dims[] = {" << join(function.dims, ", ") << "};\n";
}

void Printer::printArenaSize(const Function &function) {
  auto declare = [](const std::string &dim) { return "int64_t " + dim; };
  os << "/* Bytes of arena for " << function.name << "; negative if there is no such function. */\n"
     << "static inline int64_t " << function.name << "_arena_size("
     << (function.dims.empty() ? "void" : join(map_range(function.dims, declare), ", ")) << ") {\n";
  printDims(os, function);
  std::string dims = function.dims.empty() ? "NULL" : "dims";
  printDispatch(
      function, [&](const Concrete &concrete) { return concrete.arenaSize + "(" + dims + ")"; },
      "-1");
  os << "}\n\n";
}

void Printer::printFunction(const Function &function) {
  printArenaSize(function);
  SmallVector<std::string> declared = parameters(function, /*method=*/false);
  if (declared.size() > maxParameters) {
    os << "/* " << function.name << " has " << function.buffers.size()
       << " buffers: call it through the descriptor. */\n\n";
    return;
  }
  printDocumentation(function);
  os << "static inline int " << function.name << "(" << join(declared, ", ") << ") {\n";
  printDims(os, function);
  if (!function.buffers.empty())
    os << "  void *const buffers[] = {"
       << join(map_range(function.buffers, [](const auto &name) { return "(void *)" + name; }),
               ", ")
       << "};\n";
  std::string arguments = formatv(
      "(context, {0}, {1}, arena, {2}, {3})", constants(), description.trains() ? "state" : "NULL",
      function.dims.empty() ? "NULL" : "dims", function.buffers.empty() ? "NULL" : "buffers");
  printDispatch(
      function, [&](const Concrete &concrete) { return concrete.run + arguments; },
      "FORMWORK_BAD_DIMS");
  os << "}\n\n";
}

//===--- the class -------------------------------------------------------------------------------

void Printer::printMethod(const Function &function, StringRef name) {
  SmallVector<std::string> arguments{"&context_"};
  if (description.trains())
    arguments.push_back("state_.get()");
  if (givenConstants())
    arguments.push_back(keepsPointer() ? "constants_" : "constants_.get()");
  arguments.push_back(
      formatv("reserve({0}_arena_size({1}))", function.name, join(function.dims, ", ")));
  append_range(arguments, function.dims);
  append_range(arguments, function.buffers);
  std::string call = formatv("{0}({1})", function.name, join(arguments, ", "));
  os << "  int " << name << "(" << join(parameters(function, /*method=*/true), ", ") << ") {\n"
     << "    return " << (description.accelerator ? "finish(" + call + ")" : call) << ";\n  }\n";
}

static constexpr char memoryOfCpu[] = R"(
private:
  struct free_aligned {
    void operator()(void *p) const { ::operator delete(p, std::align_val_t(64)); }
  };
  using memory = std::unique_ptr<void, free_aligned>;

  static memory allocate(int64_t size) {
    return memory(::operator new(static_cast<size_t>(size), std::align_val_t(64)));
  }
)";

/// {0}: the model's name.
static constexpr char memoryOfDevice[] = R"(
private:
  struct free_aligned {{
    formwork_device *device;
    void operator()(void *p) const {{
      if (device)
        {0}_model()->accelerator->release(device, p);
      else
        ::operator delete(p, std::align_val_t(64));
    }
  };
  using memory = std::unique_ptr<void, free_aligned>;

  memory allocate(int64_t size) {{
    if (!context_.device)
      return memory(::operator new(static_cast<size_t>(size), std::align_val_t(64)));
    void *p = {0}_model()->accelerator->allocate(context_.device, size);
    if (!p)
      throw std::bad_alloc();
    return memory(p, free_aligned{{context_.device});
  }
  void fill(const memory &to, const void *from, int64_t size) {{
    if (!context_.device)
      std::memcpy(to.get(), from, static_cast<size_t>(size));
    else if ({0}_model()->accelerator->upload(context_.device, to.get(), from, size))
      throw std::runtime_error({0}_model()->accelerator->message(context_.device));
  }
  int finish(int status) {{
    if (status != FORMWORK_OK || !context_.device)
      return status;
    return {0}_model()->accelerator->synchronize(context_.device);
  }
)";

static constexpr char reservation[] = R"(  void *reserve(int64_t size) {
    if (size > arena_size_) {
      arena_.reset();
      arena_ = allocate(size);
      arena_size_ = size;
    }
    return arena_.get();
  }

  formwork_context context_;
  memory arena_;
  int64_t arena_size_ = 0;
)";

void Printer::printStorage() {
  if (description.accelerator)
    os << formatv(memoryOfDevice, description.name).str();
  else
    os << memoryOfCpu;
  os << reservation;
  if (description.trains())
    os << "  memory state_;\n";
  if (keepsPointer())
    os << "  const void *constants_;\n";
  else if (givenConstants())
    os << "  memory constants_;\n";
}

/// Whether the class uses the weights where the caller has them.
bool Printer::keepsPointer() const { return outsideConstants() && !description.accelerator; }

void Printer::printConstructor() {
  const std::string &name = description.name;
  bool outside = !description.outside.empty();
  if (outside)
    os << "  /// `weights`: what " << description.weightsFile() << " holds, "
       << (keepsPointer() ? "aligned to 64 bytes. They must stay.\n" : "copied.\n");
  os << "  explicit " << name << "(" << (outside ? "const void *weights, " : "")
     << "formwork_context context = {}) : context_(context) {";
  auto fill = [&](StringRef member, const Twine &from, const std::string &size) {
    os << "\n    " << member << " = allocate(" << size << ");";
    if (description.accelerator)
      os << "\n    fill(" << member << ", " << from << ", " << size << ");";
    else
      os << "\n    std::memcpy(" << member << ".get(), " << from << ", " << size << ");";
  };
  bool hasState = outside || !description.initialState.empty();
  if (description.trains() && hasState)
    fill("state_", outside ? "weights" : name + "_initial_state", macro("STATE_SIZE"));
  else if (description.trains())
    os << "\n    state_ = allocate(" << macro("STATE_SIZE")
       << ");\n    const int64_t seed = 0;\n    init(&seed);";
  if (keepsPointer())
    os << "\n    constants_ = weights;";
  else if (givenConstants())
    fill("constants_", outside ? "weights" : name + "_constants", macro("CONSTANTS_SIZE"));
  os << (description.trains() || givenConstants() ? "\n  }\n" : "}\n");
}

void Printer::printClass() {
  const std::string &name = description.name;
  os << "#if defined(__cplusplus) && __cplusplus >= 201703L\n"
     << "#include <cstring>\n#include <memory>\n#include <new>\n"
     << (description.accelerator ? "#include <stdexcept>\n" : "") << "\nnamespace formwork {\n\n"
     << "/// The model with " << (description.trains() ? "its own state and " : "")
     << "an arena that grows as calls need it. One thread at a time.\n"
     << "/// Functions are those above; memory that cannot be had is a std::bad_alloc.\n";
  if (description.accelerator)
    os << "/// Where the context has a device, all of it is there; functions wait for their "
          "results.\n";
  os << "class " << name << " {\npublic:\n";
  printConstructor();
  if (description.trains())
    os << "  void *state() { return state_.get(); }\n";
  os << "\n";
  Scope methods({name, "state", "context_", "state_", "constants_", "arena_", "arena_size_",
                 "reserve", "allocate", "fill", "finish", "memory", "free_aligned"});
  for (const Entry &entry : description.entries) {
    Function function = named(entry);
    if (parameters(function, /*method=*/false).size() <= maxParameters)
      printMethod(function, methods.unique(entry.name));
  }
  printStorage();
  os << "};\n\n} // namespace formwork\n#endif\n\n";
}

void Printer::print() {
  std::string guard = "FORMWORK_MODEL_" + description.name + "_H";
  printIntroduction();
  os << "#ifndef " << guard << "\n#define " << guard << "\n\n"
     << abiText << "\n#if FORMWORK_ABI != " << FORMWORK_ABI
     << "\n#error \"two models here are by versions of Formwork that do not agree\"\n#endif\n\n"
     << "#include <stddef.h>\n\n";
  printSymbols();
  printSizes();
  for (const Entry &entry : description.entries)
    printFunction(named(entry));
  printClass();
  os << "#endif\n";
}

std::string printHeader(const Description &description) {
  std::string text;
  raw_string_ostream os(text);
  Printer(description, os).print();
  return text;
}

} // namespace formwork::package
