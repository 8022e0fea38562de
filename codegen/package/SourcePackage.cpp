// What is beside the code: weights, the build and a README; and the folder on disk.
#include "codegen/package/SourcePackage.h"

#include "codegen/cpp/Cpp.h"

#include "codegen/package/DescriptorSource.h"
#include "codegen/package/Header.h"
#include "codegen/source/Names.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace formwork::package {

static constexpr StringRef listName = ".formwork";

//===--- weights ---------------------------------------------------------------------------------

/// As text a million weights take 19 MB and seconds to compile.
static constexpr size_t largestText = 16384;

static SourceFile assembly(const Description &description) {
  std::string symbol = description.name + (description.trains() ? "_initial_state" : "_constants");
  std::string size = std::to_string(description.weights().size());
  std::string text = "// " + size + " bytes, as they are in " + description.weightsFile() + ".\n" +
                     "  .section .rodata,\"a\"\n  .balign 64\n  .globl " + symbol + "\n  .type " +
                     symbol + ", %object\n  .size " + symbol + ", " + size + "\n" + symbol +
                     ":\n  .incbin \"" + description.weightsFile() + "\"\n" +
                     "  .section .note.GNU-stack,\"\",%progbits\n";
  return {description.name + "_weights.S", text};
}

//===--- the build -------------------------------------------------------------------------------

static std::string buildFile(const Description &description, ArrayRef<SourceFile> files,
                             const SourceOptions &options) {
  std::string sources;
  bool hasAssembly = false;
  for (const SourceFile &file : files) {
    StringRef name = file.name;
    hasAssembly |= name.ends_with(".S");
    if (name.ends_with(".cpp") || name.ends_with(".S"))
      sources += "\n  " + file.name;
  }
  std::string text =
      "# Printed by Formwork: makes the static library " + description.name + ".\n" +
      "cmake_minimum_required(VERSION 3.16)\nproject(" + description.name + " LANGUAGES CXX" +
      (hasAssembly ? " ASM" : "") + ")\n\n" +
      "if(NOT CMAKE_BUILD_TYPE)\n  set(CMAKE_BUILD_TYPE Release)\nendif()\n\n" +
      "# What the compiler is told of the machine. The code is printed for\n# " +
      source::commentText(description.target) + "; others run it too, slower.\n" +
      "set(FORMWORK_MACHINE \"" + options.machineOption +
      "\" CACHE STRING \"Options for the machine that it is to run on\")\n\n" + "add_library(" +
      description.name + " STATIC" + sources + ")\n" + "target_include_directories(" +
      description.name + " PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})\n" + "set_target_properties(" +
      description.name +
      " PROPERTIES\n  CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF\n"
      "  POSITION_INDEPENDENT_CODE ON)\n" +
      "# As written: a product and a sum are not one operation unless they say so.\n" +
      "separate_arguments(machine UNIX_COMMAND \"${FORMWORK_MACHINE}\")\n" +
      "target_compile_options(" + description.name +
      " PRIVATE\n  $<$<COMPILE_LANGUAGE:CXX>:-O3 -ffp-contract=off -fno-exceptions "
      "-fno-rtti ${machine}>)\n";
  if (hasAssembly)
    text += "# Where the assembler finds the weights.\nset_property(SOURCE " + description.name +
            "_weights.S APPEND PROPERTY\n  COMPILE_OPTIONS -I${CMAKE_CURRENT_SOURCE_DIR})\n"
            "set_property(SOURCE " +
            description.name +
            "_weights.S APPEND PROPERTY\n  OBJECT_DEPENDS "
            "${CMAKE_CURRENT_SOURCE_DIR}/" +
            description.weightsFile() + ")\n";
  return text;
}

//===--- README ----------------------------------------------------------------------------------

static StringRef elementOf(formwork_dtype dtype) {
  static constexpr StringRef names[] = {"uint8_t", "int32_t", "int64_t", "float", "double"};
  return names[dtype];
}

/// What reads the weights, in an example.
static std::string readWeights(const Description &description) {
  std::string size = StringRef(description.name).upper() +
                     (description.trains() ? "_STATE_SIZE" : "_CONSTANTS_SIZE");
  return "  const std::size_t size = " + size +
         ";\n  void *weights = std::aligned_alloc(64, size);\n  std::FILE *file = std::fopen(\"" +
         description.weightsFile() +
         "\", \"rb\");\n  if (!file || std::fread(weights, 1, size, file) != size)\n    return "
         "1;\n";
}

/// A program that calls one entry with zeros.
static std::string example(const Description &description) {
  StringRef wanted = description.trains() ? "train_step" : "predict";
  auto found =
      find_if(description.entries, [&](const Entry &entry) { return entry.name == wanted; });
  if (found == description.entries.end() || found->concretes.empty())
    return "";
  const Entry &entry = *found;
  SmallVector<int64_t> dims(entry.dims.size(), 1);
  if (entry.concretes.front().dims)
    dims = to_vector(*entry.concretes.front().dims);
  const std::string &name = description.name;
  std::string body, arguments;
  for (int64_t dim : dims)
    arguments += (arguments.empty() ? "" : ", ") + std::to_string(dim);
  source::Scope scope({"model", "main", "std"});
  std::string shown;
  for (const Tensor &buffer : entry.buffers) {
    int64_t count = 1;
    for (int64_t size : buffer.shape)
      count *= size < 0 ? dims[-1 - size] : size;
    std::string variable = scope.unique(source::variableName(buffer.name));
    body += "  std::vector<" + elementOf(buffer.dtype).str() + "> " + variable + "(" +
            std::to_string(count) + ");\n";
    arguments += (arguments.empty() ? "" : ", ") + variable + ".data()";
    if (buffer.written && shown.empty())
      shown = variable;
  }
  bool outside = !description.outside.empty();
  std::string text =
      "#include \"" + name + ".h\"\n#include <cstdio>\n" + (outside ? "#include <cstdlib>\n" : "") +
      "#include <vector>\n\n" + "int main() {\n" + (outside ? readWeights(description) : "") +
      "  formwork::" + name + (outside ? " model(weights);\n" : " model;\n") + body +
      "  if (model." + entry.name + "(" + arguments + ") != FORMWORK_OK)\n    return 1;\n";
  if (!shown.empty())
    text += "  std::printf(\"%g\\n\", double(" + shown + "[0]));\n";
  return text + "}\n";
}

static std::string readme(const Description &description, ArrayRef<SourceFile> files,
                          const SourceOptions &options) {
  const std::string &name = description.name;
  bool hasAssembly =
      any_of(files, [](const SourceFile &file) { return StringRef(file.name).ends_with(".S"); });
  std::string weights = "| `" + description.weightsFile() + "` | weights, ";
  std::string machine = options.machineOption.empty() ? "" : " " + options.machineOption;
  std::string text =
      "# " + name + "\n\nC++17 that Formwork has printed: a " +
      (description.trains() ? "model with its training" : "model for inference") +
      ", without a framework and without a\nruntime. It needs a compiler and memcpy, memset and "
      "<math.h> of the C library.\n\n" +
      "| file | |\n|---|---|\n| `" + name + ".h` | the interface, in C and C++ |\n| `" + name +
      ".cpp` and others | the code: kernels, what runs them, entry points |\n| `" + name +
      "_model.cpp` | the descriptor of the model, for programs that know no model by name |\n" +
      (hasAssembly                    ? weights + "taken in by `" + name + "_weights.S` |\n"
       : !description.outside.empty() ? weights + "which your program reads or maps |\n"
                                      : "") +
      "| `formwork_vector.h` | vectors: the compiler's own, or loops with `-DFORMWORK_SCALAR` "
      "|\n\n" +
      "## Build\n\n```sh\ncmake -S . -B ../" + name + "-build && cmake --build ../" + name +
      "-build\n```\n\nor, without CMake:\n\n```sh\nc++ -std=c++17 -O3 -ffp-contract=off "
      "-fno-exceptions" +
      machine + " -I. -c *.cpp" + (hasAssembly ? " *.S" : "") + "\n```\n\n" +
      "`-ffp-contract=off` keeps results what they are; so do not use `-ffast-math`. The code is\n"
      "printed for " +
      source::commentText(description.target) +
      ": with other options it computes the same, slower.\n\n";
  std::string program = example(description);
  if (!program.empty())
    text += "## Call\n\n```cpp\n" + program + "```\n\n`" + name +
            ".h` says what each function takes, how large state and arena are, and how to run on\n"
            "several threads. From C, call `" +
            name + "_" + (description.trains() ? "train_step" : "predict") +
            "` with memory of your own.\n";
  return text;
}

//===--- all of it -------------------------------------------------------------------------------

std::vector<SourceFile> sourcePackage(const Description &description, ArrayRef<SourceFile> code,
                                      const SourceOptions &options) {
  bool embedded = description.weights().size() <= largestText;
  std::vector<SourceFile> files{{description.name + ".h", printHeader(description)}};
  files.insert(files.end(), code.begin(), code.end());
  files.push_back({description.name + "_model.cpp", printDescriptor(description, embedded)});
  files.push_back({"formwork_vector.h", vectorHeader().str()});
  if (!embedded)
    files.push_back(assembly(description));
  const std::vector<char> &apart = embedded ? description.outside : description.weights();
  if (!apart.empty())
    files.push_back({description.weightsFile(), std::string(apart.begin(), apart.end())});
  files.push_back({"CMakeLists.txt", buildFile(description, files, options)});
  files.push_back({"README.md", readme(description, files, options)});
  addFileList(files);
  return files;
}

void addFileList(std::vector<SourceFile> &files) {
  std::string list;
  for (const SourceFile &file : files)
    list += file.name + "\n";
  files.push_back({listName.str(), list});
}

//===--- the folder ------------------------------------------------------------------------------

static Error problem(StringRef folder, const Twine &what) {
  return createStringError("cannot write '" + folder + "': " + what);
}

Error checkFolder(StringRef folder) {
  SmallString<128> parent(sys::path::parent_path(folder));
  if (!parent.empty() && !sys::fs::is_directory(parent))
    return problem(folder, "there is no folder '" + parent + "'");
  if (!sys::fs::exists(folder))
    return Error::success();
  if (!sys::fs::is_directory(folder))
    return problem(folder, "it is a file; source makes a folder");
  StringSet<> ours{listName};
  if (auto list = MemoryBuffer::getFile((folder + "/" + listName).str()))
    for (StringRef name : split((*list)->getBuffer(), '\n'))
      ours.insert(name);
  std::error_code code;
  for (sys::fs::directory_iterator file(folder, code), end; file != end && !code;
       file.increment(code))
    if (StringRef name = sys::path::filename(file->path()); !ours.contains(name))
      return problem(folder, "the folder has '" + name +
                                 "', which is not Formwork's; name a new one, or remove it");
  return code ? problem(folder, code.message()) : Error::success();
}

static Error writeFile(const Twine &path, StringRef content) {
  std::error_code code;
  raw_fd_ostream stream(path.str(), code);
  if (!code) {
    stream << content;
    stream.close();
    code = stream.error();
    stream.clear_error();
  }
  return code ? problem(path.str(), code.message()) : Error::success();
}

Error writeFolder(StringRef folder, ArrayRef<SourceFile> files) {
  if (Error error = checkFolder(folder))
    return error;
  folder = folder.rtrim('/');
  std::string id = std::to_string(sys::Process::getProcessId());
  std::string temporary = (folder + ".tmp" + id).str(), old = (folder + ".old" + id).str();
  auto write = [&]() -> Error {
    if (std::error_code code =
            sys::fs::create_directory(temporary, /*IgnoreExisting=*/false, sys::fs::all_all))
      return problem(folder, code.message());
    for (const SourceFile &file : files)
      if (Error error = writeFile(temporary + "/" + file.name, file.text))
        return error;
    bool replaces = sys::fs::exists(folder);
    if (replaces)
      if (std::error_code code = sys::fs::rename(folder, old))
        return problem(folder, code.message());
    if (std::error_code code = sys::fs::rename(temporary, folder)) {
      if (replaces)
        (void)sys::fs::rename(old, folder);
      return problem(folder, code.message());
    }
    if (replaces)
      (void)sys::fs::remove_directories(old);
    return Error::success();
  };
  Error error = write();
  if (error)
    (void)sys::fs::remove_directories(temporary);
  return error;
}

} // namespace formwork::package
