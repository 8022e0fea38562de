// Packages of a model whose functions are written by hand, used from C and C++ as a customer would.
//
// The sources beside this file are compiled with the system's compilers, warnings being errors.
#include "Scale.h"

#include "codegen/package/Descriptor.h"
#include "codegen/package/Files.h"
#include "codegen/package/Header.h"
#include "codegen/package/Link.h"
#include "codegen/source/Names.h"
#include "codegen/package/Package.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/TargetParser/Host.h"

#include "gtest/gtest.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace formwork::package;
using namespace formwork::source;

namespace {

const llvm::Triple triple(llvm::sys::getDefaultTargetTriple());
const std::string sources = FORMWORK_TEST_SOURCES;

/// A folder of its own for each test.
class Package : public testing::Test {
protected:
  void SetUp() override {
    folder =
        std::filesystem::temp_directory_path() / ("formwork-package-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string file(const std::string &name) const { return folder / name; }

  void write(const std::string &name, const std::string &text) const {
    std::ofstream(file(name)) << text;
  }

  /// Runs a command in the folder; its output is in `said`.
  int run(const std::string &command) {
    int status =
        std::system(("cd " + folder.string() + " && (" + command + ") >said 2>&1").c_str());
    std::ifstream stream(folder / "said");
    said.assign(std::istreambuf_iterator<char>(stream), {});
    return status;
  }

  static std::string c99(const std::string &arguments) {
    return "gcc -std=c99 -Wall -Wextra -Wpedantic -Werror -O1 " + arguments;
  }
  static std::string cxx17(const std::string &arguments) {
    return "g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -O1 " + arguments;
  }

  /// Header, functions and descriptor of `model`; the last two are what a package is made of.
  void build(const Description &model) {
    write("scale.h", printHeader(model));
    ASSERT_EQ(run(c99("-fPIC -fno-asynchronous-unwind-tables -c -I. " + sources + "/scale.c")), 0)
        << said;
    auto object = llvm::MemoryBuffer::getFile(file("scale.o"));
    ASSERT_TRUE(bool(object));
    functions = std::move(*object);
    descriptor = emitDescriptor(model, triple);
  }

  std::vector<Member> members() const {
    return {{"scale.o", functions->getBuffer()},
            {"descriptor.o", {descriptor.data(), descriptor.size()}}};
  }

  std::filesystem::path folder;
  std::string said;
  std::unique_ptr<llvm::MemoryBuffer> functions;
  Object descriptor;
};

std::string message(llvm::Error error) { return llvm::toString(std::move(error)); }

//===--- names -----------------------------------------------------------------------------------

TEST(Names, IdentifiersHoldLettersDigitsAndUnderscoresOnly) {
  EXPECT_EQ(identifier("dense_1"), "dense_1");
  EXPECT_EQ(identifier("block/conv 2d"), "block_conv_2d");
  EXPECT_EQ(identifier("); system(\"rm\"); //"), "n___system__rm______");
  EXPECT_EQ(identifier("3d"), "n3d");
  EXPECT_EQ(identifier(""), "n");
  EXPECT_EQ(identifier("\xc3\xa9"), "n__");
  EXPECT_EQ(identifier("class"), "class_");
}

TEST(Names, AScopeGivesNoNameTwice) {
  Scope scope({"arena"});
  EXPECT_EQ(scope.unique("x"), "x");
  EXPECT_EQ(scope.unique("x"), "x_2");
  EXPECT_EQ(scope.unique("arena"), "arena_2");
  EXPECT_EQ(scope.unique("INT64_MAX"), "INT64_MAX_");
}

TEST(Names, CommentsCannotBeLeft) {
  EXPECT_EQ(commentText("a */ int x; /*"), "a %2A/ int x%3B /%2A");
  EXPECT_EQ(commentText("end\n\\?"), "end%0A%5C%3F");
  // A right-to-left override, which would show the line in another order than compilers read it.
  EXPECT_EQ(commentText("\xe2\x80\xae"), "%E2%80%AE");
}

//===--- libraries -------------------------------------------------------------------------------

TEST_F(Package, AStaticInferenceLibraryIsUsedFromC) {
  build(scaleModel(/*trains=*/false));
  ASSERT_EQ(message(writeStaticLibrary(file("libscale.a"), members())), "");
  ASSERT_EQ(run(c99("-I. " + sources + "/infer.c libscale.a -o infer && ./infer")), 0) << said;
}

TEST_F(Package, ASharedInferenceLibraryIsUsedFromC) {
  build(scaleModel(/*trains=*/false));
  ASSERT_EQ(message(writeSharedLibrary(file("libscale.so"), "libscale.so", members())), "");
  ASSERT_EQ(run(c99("-I. " + sources + "/infer.c ./libscale.so -Wl,-rpath,. -o infer && ./infer")),
            0)
      << said;
}

TEST_F(Package, ASharedLibraryHasNoConstructorAndExportsTheModelOnly) {
  build(scaleModel(/*trains=*/false));
  ASSERT_EQ(message(writeSharedLibrary(file("libscale.so"), "libscale.so", members())), "");
  ASSERT_EQ(run("readelf -SdW libscale.so"), 0) << said;
  EXPECT_NE(said.find(".rodata"), std::string::npos);
  EXPECT_EQ(said.find("INIT_ARRAY"), std::string::npos);
  EXPECT_EQ(said.find("(INIT)"), std::string::npos);
  ASSERT_EQ(run("nm -D --defined-only libscale.so | grep -v ' scale_'"), 256) << said;
  ASSERT_EQ(run("nm -D --undefined-only libscale.so | grep ."), 256) << said;
}

TEST_F(Package, AnObjectHoldsFunctionsAndDescriptor) {
  build(scaleModel(/*trains=*/false));
  ASSERT_EQ(message(writeObject(file("all.o"), members())), "");
  ASSERT_EQ(run(c99("-I. " + sources + "/infer.c all.o -o infer && ./infer")), 0) << said;
}

TEST_F(Package, TheClassOwnsStateAndArena) {
  Description model = scaleModel(/*trains=*/true);
  build(model);
  ASSERT_EQ(message(writeStaticLibrary(file("libscale.a"), members())), "");
  ASSERT_EQ(run(cxx17("-I. " + sources + "/train.cpp libscale.a -o train && ./train")), 0) << said;
}

TEST_F(Package, TheClassBeginsFromTheInitialState) {
  Description model = scaleModel(/*trains=*/true);
  model.initialState = scaleModel(/*trains=*/false).constants;
  build(model);
  ASSERT_EQ(message(writeStaticLibrary(file("libscale.a"), members())), "");
  ASSERT_EQ(run(cxx17("-I. " + sources + "/train.cpp libscale.a -o train && ./train")), 0) << said;
}

TEST_F(Package, AProgramIsTheModelAndTheRuntime) {
  build(scaleModel(/*trains=*/true));
  ASSERT_EQ(message(writePackage(Kind::Program, file("program"), scaleModel(/*trains=*/true),
                                 functions->getBuffer(), triple, FORMWORK_LIBRARIES)),
            "");
  ASSERT_EQ(run("./program summary"), 0) << said;
  EXPECT_NE(said.find("scale/factor"), std::string::npos) << said;
  ASSERT_EQ(run("./program melt"), 2 << 8) << said;
}

TEST_F(Package, APackageIsALibraryAndItsHeader) {
  build(scaleModel(/*trains=*/false));
  std::filesystem::create_directory(folder / "out");
  ASSERT_EQ(message(writePackage(Kind::StaticLibrary, file("out/libscale.a"),
                                 scaleModel(/*trains=*/false), functions->getBuffer(), triple,
                                 "")),
            "");
  ASSERT_EQ(run("ls out"), 0);
  EXPECT_EQ(said, "libscale.a\nscale.h\n");
}

TEST_F(Package, AFailureLeavesNothingBehind) {
  build(scaleModel(/*trains=*/false));
  std::filesystem::create_directory(folder / "out");
  EXPECT_NE(message(writePackage(Kind::SharedLibrary, file("out/libscale.so"),
                                 scaleModel(/*trains=*/false), llvm::StringRef("no object"), triple, "")),
            "");
  EXPECT_TRUE(std::filesystem::is_empty(folder / "out"));
}

TEST_F(Package, AMissingRuntimeIsNamed) {
  EXPECT_NE(message(writeProgram(file("program"), {}, file("lib"))).find("libformwork_runtime.a"),
            std::string::npos);
}

TEST_F(Package, ALinkersComplaintIsInTheError) {
  build(scaleModel(/*trains=*/false));
  std::string said = message(writeSharedLibrary(file("libscale.so"), "", members()[1]));
  EXPECT_NE(said.find("scale_predict__any"), std::string::npos) << said;
}

//===--- header ----------------------------------------------------------------------------------

/// Every name in it tries to end a comment, a line or an identifier, or collides with another.
Description hostileModel() {
  Description model = scaleModel(/*trains=*/true);
  const std::string worst = "*/ } #error out\n#error \\\n?\?/\n\"); // \xe2\x80\xae";
  model.target = worst;
  model.variables[0].name = worst;
  Entry &predict = model.entries[0];
  predict.dims = {"arena"};
  predict.buffers.clear();
  for (std::string name : {worst.c_str(), "class", "x", "x", "context_", "state_", "scale",
                           "scale_predict__any", "scale_constants", "int64_t", "NULL", "", "3",
                           "formwork_context", "reserve", "dims", "buffers", "FORMWORK_BAD_DIMS"})
    predict.buffers.push_back({name, FORMWORK_INPUT, FORMWORK_F32, {-1}});
  return model;
}

TEST_F(Package, HostileNamesStayInTheirPlaces) {
  write("scale.h", printHeader(hostileModel()));
  write("use.c", "#include \"scale.h\"\n#include \"scale.h\"\nint main(void) { return 0; }\n");
  EXPECT_EQ(run(c99("-I. -c use.c")), 0) << said;
  EXPECT_EQ(run(cxx17("-I. -x c++ -c use.c")), 0) << said;
}

TEST_F(Package, SeveralModelsGoIntoOneProgram) {
  Description one = scaleModel(/*trains=*/false), two = scaleModel(/*trains=*/true);
  two.name = "other";
  write("one.h", printHeader(one));
  write("two.h", printHeader(two));
  write("use.cpp", "#include \"one.h\"\n#include \"two.h\"\n");
  EXPECT_EQ(run(cxx17("-I. -c use.cpp")), 0) << said;
}

TEST(Header, AFunctionOfTooManyBuffersIsLeftToTheDescriptor) {
  Description model = scaleModel(/*trains=*/false);
  model.entries[0].buffers.resize(200, model.entries[0].buffers[0]);
  std::string header = printHeader(model);
  EXPECT_NE(header.find("scale_predict has 200 buffers"), std::string::npos);
  EXPECT_EQ(header.find("int scale_predict("), std::string::npos);
}

TEST(Header, DocumentsShapesAndLimits) {
  Description model = scaleModel(/*trains=*/true);
  model.entries[1].buffers[1].limit = 10;
  std::string header = printHeader(model);
  EXPECT_NE(header.find("x            in  float [batch, 2]\n"), std::string::npos) << header;
  EXPECT_NE(header.find("y            in  float [batch, 2], target, each in [0, 10)"),
            std::string::npos);
  EXPECT_NE(header.find("0  scale/factor float [], trainable"), std::string::npos);
}

//===--- files -----------------------------------------------------------------------------------

TEST_F(Package, OutputsAppearOnCommitOnly) {
  {
    Outputs outputs;
    ASSERT_EQ(message(outputs.write(file("a"), "one")), "");
    EXPECT_FALSE(std::filesystem::exists(file("a")));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  Outputs outputs;
  ASSERT_EQ(message(outputs.write(file("a"), "one")), "");
  ASSERT_EQ(message(outputs.commit()), "");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 1);
}

TEST_F(Package, AFileThatCannotBeWrittenIsNamed) {
  Outputs outputs;
  EXPECT_NE(message(outputs.write(file("no/such/folder"), "")).find("no/such/folder"),
            std::string::npos);
}

} // namespace
