// Tables as braces, names as literals; names of the model are nowhere an identifier.
#include "codegen/package/DescriptorSource.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace formwork::package {

std::string quoted(StringRef text) {
  std::string result = "\"";
  for (unsigned char c : text) {
    if (isPrint(c) && c != '"' && c != '\\' && c != '?')
      result += char(c);
    else
      for (int shift : {9, 6, 3, 0})
        result += shift == 9 ? '\\' : char('0' + (c >> shift) % 8);
  }
  return result + "\"";
}

/// Elements of an array in lines.
static void printElements(raw_ostream &os, size_t count,
                          function_ref<std::string(size_t)> element) {
  size_t column = 100;
  for (size_t i = 0; i < count; ++i) {
    std::string text = element(i) + (i + 1 < count ? "," : "");
    if (column + text.size() + 1 > 98) {
      os << (i ? "\n    " : "    ");
      column = 4;
    } else {
      os << " ";
      ++column;
    }
    os << text;
    column += text.size();
  }
}

namespace {
class Writer {
public:
  Writer(const Description &description, bool embedded)
      : description(description), embedded(embedded), tables(tableText) {}
  std::string print();

private:
  std::string literal(StringRef text);
  std::string literalOrNull(StringRef text) { return text.empty() ? "NULL" : literal(text); }
  std::string sizes(ArrayRef<int64_t> values);
  std::string bytes(StringRef name, ArrayRef<char> values);
  void printEntry(const Entry &entry, size_t number);
  void printVariables();

  const Description &description;
  bool embedded;
  std::string tableText;
  raw_string_ostream tables;
  StringMap<std::string> known;
};
} // namespace

/// In an array where a literal would be longer than compilers promise to take.
std::string Writer::literal(StringRef text) {
  constexpr size_t longest = 60000;
  if (text.size() <= longest)
    return quoted(text);
  std::string name = "text_" + std::to_string(known.size());
  auto [place, isNew] = known.try_emplace(text, name);
  if (isNew) {
    tables << "const char " << name << "[] = {\n";
    printElements(tables, text.size() + 1, [&](size_t i) -> std::string {
      if (i == text.size())
        return "0";
      std::string one = quoted(text.substr(i, 1));
      return one == "\"'\"" ? "'\\''" : "'" + one.substr(1, one.size() - 2) + "'";
    });
    tables << "};\n";
  }
  return place->second;
}

std::string Writer::sizes(ArrayRef<int64_t> values) {
  if (values.empty())
    return "NULL";
  auto text = [](int64_t size) { return std::to_string(size); };
  std::string list = join(map_range(values, text), ", ");
  auto [place, isNew] = known.try_emplace("sizes " + list, "sizes_" + std::to_string(known.size()));
  if (isNew)
    tables << "const int64_t " << place->second << "[] = {" << list << "};\n";
  return place->second;
}

static StringRef spelling(formwork_dtype dtype) {
  static constexpr StringRef names[] = {"FORMWORK_BOOL", "FORMWORK_I32", "FORMWORK_I64",
                                        "FORMWORK_F32", "FORMWORK_F64"};
  return names[dtype];
}

static StringRef spelling(formwork_role role) {
  static constexpr StringRef names[] = {
      "FORMWORK_INPUT",      "FORMWORK_TARGET",       "FORMWORK_SAMPLE_WEIGHT",
      "FORMWORK_SEED",       "FORMWORK_OUTPUT",       "FORMWORK_LOSS",
      "FORMWORK_METRIC",     "FORMWORK_GRADIENT",     "FORMWORK_WEIGHT",
      "FORMWORK_SLOT",       "FORMWORK_RNG",          "FORMWORK_HYPERPARAMETER",
      "FORMWORK_ITERATIONS", "FORMWORK_METRIC_STATE", "FORMWORK_COTANGENT",
      "FORMWORK_DERIVED"};
  return names[role];
}

void Writer::printEntry(const Entry &entry, size_t number) {
  std::string buffers, concretes;
  for (const Tensor &buffer : entry.buffers)
    buffers += "    {" + literal(buffer.name) + ", " + spelling(buffer.role).str() + ", " +
               spelling(buffer.dtype).str() + ", " + std::to_string(buffer.shape.size()) + ", 0, " +
               sizes(buffer.shape) + ", " + std::to_string(buffer.limit) + "},\n";
  for (const Concrete &concrete : entry.concretes)
    concretes += "    {" + (concrete.dims ? sizes(*concrete.dims) : "NULL") + ", " + concrete.run +
                 ", " + concrete.arenaSize + "},\n";
  if (!buffers.empty())
    tables << "const formwork_tensor buffers_" << number << "[] = {\n" << buffers << "};\n";
  tables << "const formwork_concrete concretes_" << number << "[] = {\n" << concretes << "};\n";
}

void Writer::printVariables() {
  std::string rows;
  for (const Variable &variable : description.variables)
    rows += "    {" + literal(variable.name) + ", " + literalOrNull(variable.path) + ", " +
            spelling(variable.role).str() + ", " + spelling(variable.dtype).str() + ", " +
            std::to_string(variable.shape.size()) + ", " + (variable.trainable ? "1" : "0") + ", " +
            sizes(variable.shape) + ", " + std::to_string(variable.offset) + ", " +
            std::to_string(variable.panel) + ", " + literalOrNull(variable.slotOf) + "},\n";
  if (!rows.empty())
    tables << "const formwork_variable variables[] = {\n" << rows << "};\n";
}

std::string Writer::bytes(StringRef name, ArrayRef<char> values) {
  if (values.empty() || !embedded)
    return "";
  std::string text;
  raw_string_ostream os(text);
  os << "alignas(64) const unsigned char " << description.name << "_" << name << "["
     << values.size() << "] = {\n";
  printElements(os, values.size(),
                [&](size_t i) { return std::to_string(static_cast<unsigned char>(values[i])); });
  os << "};\n";
  return text;
}

std::string Writer::print() {
  const std::string &name = description.name;
  for (auto [number, entry] : enumerate(description.entries))
    printEntry(entry, number);
  printVariables();
  std::string entries;
  for (auto [number, entry] : enumerate(description.entries))
    entries += "    {" + literal(entry.name) + ", " + std::to_string(entry.buffers.size()) + ", " +
               std::to_string(entry.dims.size()) + ", " +
               (entry.buffers.empty() ? "NULL" : "buffers_" + std::to_string(number)) + ", " +
               std::to_string(entry.concretes.size()) + ", 0, concretes_" + std::to_string(number) +
               "},\n";
  auto pointer = [&](StringRef what, ArrayRef<char> values) {
    return values.empty() ? std::string("NULL") : name + "_" + what.str();
  };
  std::string model =
      "const formwork_model model = {\n    FORMWORK_ABI,\n    sizeof(formwork_model),\n    " +
      literal(name) + ",\n    " + literal(description.target) + ",\n    " +
      literalOrNull(description.config) + ",\n    " + literalOrNull(description.compileConfig) +
      ",\n    " + std::to_string(description.stateSize) + ",\n    " +
      std::to_string(description.constantsSize) + ",\n    " +
      pointer("constants", description.constants) + ",\n    " +
      pointer("initial_state", description.initialState) + ",\n    " +
      std::to_string(description.variables.size()) + ",\n    " +
      std::to_string(description.entries.size()) + ",\n    " +
      (description.variables.empty() ? "NULL" : "variables") + ",\n    " +
      (description.entries.empty() ? "NULL" : "entries") + ",\n    NULL};\n"; // no accelerator
  return "// What " + name + " consists of, for programs that know no model by name.\n#include \"" +
         name + ".h\"\n\n" + bytes("constants", description.constants) +
         bytes("initial_state", description.initialState) + "\nnamespace {\n\n" + tableText +
         (entries.empty() ? "" : "const formwork_entry entries[] = {\n" + entries + "};\n") +
         model + "\n} // namespace\n\nextern \"C\" const formwork_model *" + name +
         "_model(void) { return &model; }\n";
}

std::string printDescriptor(const Description &description, bool embedded) {
  return Writer(description, embedded).print();
}

} // namespace formwork::package
