// Files of arrays, checked against NumPy, and how they are matched to what a model expects.
#include "runtime/Error.h"
#include "runtime/data/ArrayFile.h"
#include "runtime/data/Dataset.h"
#include "tests/runtime/testing.h"

#include <cmath>
#include <fstream>
#include <gtest/gtest.h>

using namespace formwork::runtime;

static constexpr int64_t imageShape[] = {-1, 2, 3}, labelShape[] = {-1}, columnShape[] = {-1, 1},
                         sequenceShape[] = {-1, -2};
static constexpr formwork_tensor classifier[] = {
    {"image", FORMWORK_INPUT, FORMWORK_F32, 3, 0, imageShape, 0},
    {"digit", FORMWORK_TARGET, FORMWORK_I32, 1, 0, labelShape, 10},
    {"loss", FORMWORK_LOSS, FORMWORK_F32, 0, 0, nullptr, 0},
};
static constexpr formwork_entry classifierEntry = {"train_step", 3, 1, classifier, 0, 0, nullptr};

static Array read(const std::string &name, const std::string &array) {
  ArrayFile file(temporary(name));
  for (size_t i = 0; i < file.names().size(); ++i)
    if (file.names()[i] == array)
      return file.read(i);
  throw std::runtime_error("no array " + array);
}

static Dataset load(const std::string &name, Part part = Part::Training) {
  return loadDataset({temporary(name)}, classifierEntry, part);
}

/// All of a column's elements in the model's type.
template <typename T> static std::vector<T> values(const Column &column, int64_t rows) {
  std::vector<T> result(rows * column.rowElements);
  column.convert(column.row(0), reinterpret_cast<std::byte *>(result.data()), result.size());
  return result;
}

TEST(ArrayFile, ReadsEveryElementTypeThatNumPyWrites) {
  python(R"(
import numpy as np
for kind in 'b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8'.split():
    for order in '<>':
        np.save(f'{kind}{"le" if order == "<" else "be"}.npy',
                np.array([[0, 1, 1], [1, 0, 1]], order + kind))
)");
  for (const char *kind : {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"})
    for (const char *order : {"le", "be"}) {
      std::string name = std::string(kind) + order;
      Array array = read(name + ".npy", name);
      EXPECT_EQ(array.shape, (std::vector<int64_t>{2, 3})) << name;
      std::vector<double> numbers(6);
      converter(array.type, ElementType::F64)(array.data,
                                              reinterpret_cast<std::byte *>(numbers.data()), 6);
      EXPECT_EQ(numbers, (std::vector<double>{0, 1, 1, 1, 0, 1})) << name;
    }
}

TEST(ArrayFile, ReadsHalvesExactly) {
  python(R"(
import numpy as np
every = np.arange(65536, dtype=np.uint16).view(np.float16)
np.savez('halves.npz', halves=every, floats=every.astype(np.float32))
)");
  Array halves = read("halves.npz", "halves"), floats = read("halves.npz", "floats");
  std::vector<float> converted(65536), expected(65536);
  converter(ElementType::F16,
            ElementType::F32)(halves.data, reinterpret_cast<std::byte *>(converted.data()), 65536);
  memcpy(expected.data(), floats.data, floats.bytes());
  for (int i = 0; i < 65536; ++i)
    EXPECT_TRUE(converted[i] == expected[i] ||
                (converted[i] != converted[i] && expected[i] != expected[i]))
        << i;
}

TEST(ArrayFile, ReadsStoredAndDeflatedArchives) {
  python(R"(
import numpy as np
arrays = dict(x=np.arange(200000, dtype=np.float64).reshape(-1, 2), empty=np.zeros((0, 3)),
              scalar=np.float32(7), fortran=np.asfortranarray(np.arange(24).reshape(2, 3, 4)))
np.savez('stored.npz', **arrays)
np.savez_compressed('deflated.npz', **arrays)
)");
  for (const char *name : {"stored.npz", "deflated.npz"}) {
    Array x = read(name, "x");
    double last;
    memcpy(&last, x.data + x.bytes() - 8, 8);
    EXPECT_EQ(last, 199999);
    EXPECT_EQ(read(name, "empty").shape, (std::vector<int64_t>{0, 3}));
    EXPECT_TRUE(read(name, "scalar").shape.empty());
    Array fortran = read(name, "fortran");
    for (int64_t i = 0; i < 24; ++i)
      EXPECT_EQ(reinterpret_cast<const int64_t *>(fortran.data)[i], i);
  }
}

TEST(ArrayFile, WritesWhatNumPyReads) {
  std::vector<Array> arrays = {makeArray("first", {2, 3}, {1, 2, 3, 4, 5, 6.5f}),
                               makeArray("second/part", {0, 4}, {})};
  writeArrays(temporary("written.npz"), arrays);
  writeArrays(temporary("written.npy"), std::span(arrays).first(1));
  EXPECT_EQ(python(R"(
import numpy as np
z = np.load('written.npz')
print(z.files, z['first'].tolist(), z['second/part'].shape, z['first'].dtype)
print(np.load('written.npy').tolist())
)"),
            "['first', 'second/part'] [[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]] (0, 4) float32\n"
            "[[1.0, 2.0, 3.0], [4.0, 5.0, 6.5]]\n");
}

TEST(ArrayFile, RefusesWhatIsNoNumber) {
  python(R"(
import numpy as np
np.save('objects.npy', np.array([{}, 1], dtype=object))
np.save('words.npy', np.array(['a', 'b']))
np.save('complex.npy', np.array([1j]))
)");
  EXPECT_NE(messageOf([] { read("objects.npy", "objects"); }).find("never run"), std::string::npos);
  EXPECT_NE(messageOf([] { read("words.npy", "words"); }).find("text"), std::string::npos);
  EXPECT_NE(messageOf([] { read("complex.npy", "complex"); }).find("<c16"), std::string::npos);
}

TEST(ArrayFile, RefusesEveryShorterFile) {
  python(R"(
import numpy as np
np.savez_compressed('whole.npz', x=np.arange(50))
np.save('whole.npy', np.arange(5))
)");
  for (const char *name : {"whole.npz", "whole.npy"}) {
    std::ifstream stream(temporary(name), std::ios::binary);
    std::string whole((std::istreambuf_iterator<char>(stream)), {});
    for (size_t size = 0; size < whole.size(); ++size) {
      std::ofstream(temporary("cut"), std::ios::binary) << whole.substr(0, size);
      std::string message = messageOf([] {
        ArrayFile file(temporary("cut"));
        file.read(0);
      });
      EXPECT_NE(message, "(no error)") << name << " cut to " << size;
    }
  }
}

TEST(ArrayFile, SurvivesEveryDamagedByte) {
  python(R"(
import numpy as np
np.savez_compressed('sound.npz', x=np.arange(50))
np.save('sound.npy', np.arange(5))
)");
  for (const char *name : {"sound.npz", "sound.npy"}) {
    std::ifstream stream(temporary(name), std::ios::binary);
    std::string whole((std::istreambuf_iterator<char>(stream)), {});
    for (size_t at = 0; at < whole.size(); ++at) {
      std::string damaged = whole;
      damaged[at] = char(~damaged[at]);
      std::ofstream(temporary("damaged"), std::ios::binary) << damaged;
      messageOf([&] { // an error or an array, but neither a crash nor gigabytes
        ArrayFile file(temporary("damaged"));
        for (size_t i = 0; i < file.names().size(); ++i)
          EXPECT_LE(file.read(i).bytes(), 1 << 20) << name << " damaged at " << at;
      });
    }
  }
}

//===--- .csv ------------------------------------------------------------------------------------

static Array readText(const std::string &words, const std::string &array) {
  std::ofstream(temporary("table.csv"), std::ios::binary) << words;
  return read("table.csv", array);
}

static std::vector<double> numbersOf(const Array &array) {
  std::vector<double> numbers(array.count());
  converter(array.type, ElementType::F64)(array.data, reinterpret_cast<std::byte *>(numbers.data()),
                                          array.count());
  return numbers;
}

TEST(Csv, ColumnsAreArraysByName) {
  std::string words = "y,x[1],x[0]\r\n3,2.5,-1\r\n\r\n4,1e-3,nan\r\n";
  Array y = readText(words, "y"), x = readText(words, "x");
  EXPECT_EQ(y.describe(), "i64[2]");
  EXPECT_EQ(numbersOf(y), (std::vector<double>{3, 4}));
  EXPECT_EQ(x.describe(), "f64[2,2]");
  std::vector<double> numbers = numbersOf(x);
  EXPECT_EQ(numbers[0], -1);
  EXPECT_EQ(numbers[1], 2.5);
  EXPECT_TRUE(std::isnan(numbers[2]));
  EXPECT_EQ(numbers[3], 1e-3);
}

TEST(Csv, NamesMayBeQuotedAndHaveSeveralIndices) {
  std::string words =
      "\xef\xbb\xbf\"a, \"\"b\"\"[0][1]\" , \"a, \"\"b\"\"[0][0]\"\n 7 , 9223372036854775807";
  Array array = readText(words, "a, \"b\"");
  EXPECT_EQ(array.describe(), "i64[1,1,2]");
  EXPECT_EQ(reinterpret_cast<const int64_t *>(array.data)[0], INT64_MAX);
}

class CsvMistake : public testing::TestWithParam<std::pair<const char *, const char *>> {};

TEST_P(CsvMistake, IsToldWithItsPlace) {
  auto [words, expected] = GetParam();
  std::string message = messageOf([&, words = words] { readText(words, "x"); });
  EXPECT_NE(message.find(expected), std::string::npos) << message;
  EXPECT_NE(message.find("table.csv: "), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    Csv, CsvMistake,
    testing::Values(std::pair("x,y\n1,two\n", "line 2, column 2: 'two' is no number"),
                    std::pair("x,y\n1,2\n3,\n", "line 3, column 2: the number is missing"),
                    std::pair("x,y\n1\n", "line 2, column 1: the line has 1 numbers, but the "
                                          "first line names 2 columns"),
                    std::pair("x\n1,2\n", "the line has 2 numbers"),
                    std::pair("x\n1e999\n", "'1e999' is larger than any float64"),
                    std::pair("x\n0x10\n", "'0x10' is no number"),
                    std::pair("x,,y\n1,2,3\n", "line 1, column 2: this column has no name"),
                    std::pair("x[0],x[2]\n1,2\n", "not one for each of its elements"),
                    std::pair("x,x\n1,2\n", "not one for each of its elements"),
                    std::pair("x[0],x[4000000000]\n1,2\n", "not one for each of its elements"),
                    std::pair("x[a]\n1\n", "the column name 'x[a]' is not understood"),
                    std::pair("x[0\n1\n", "the column name 'x[0' is not understood"),
                    std::pair("x,\x1b[31m\n1,2\n", "holds no arrays"),
                    std::pair("x\n", "holds no numbers")));

TEST(Csv, TellsTwentyMistakesAtMost) {
  std::string words = "x\n";
  for (int i = 0; i < 100; ++i)
    words += "word\n";
  std::string message = messageOf([&] { readText(words, "x"); });
  EXPECT_NE(message.find("line 21,"), std::string::npos);
  EXPECT_EQ(message.find("line 22,"), std::string::npos);
  EXPECT_NE(message.find("and more of the kind"), std::string::npos);
}

//===--- matching ---------------------------------------------------------------------------------

TEST(Dataset, CastsWhatTheFileHoldsToWhatTheModelTakes) {
  python(R"(
import numpy as np
np.savez('cast.npz', image=np.arange(12, dtype=np.uint8).reshape(2, 2, 3), digit=np.array([3, 9]))
)");
  Dataset data = load("cast.npz");
  ASSERT_EQ(data.rows, 2);
  EXPECT_EQ(values<float>(data.columns[0], 2)[11], 11.0f);
  EXPECT_EQ(values<int32_t>(data.columns[1], 2), (std::vector<int32_t>{3, 9}));
}

class ArrayNames : public testing::TestWithParam<const char *> {};

TEST_P(ArrayNames, AreUnderstood) {
  python(std::string("import numpy as np\nx, y = np.zeros((2, 2, 3)), np.ones(2)\n"
                     "np.savez('names.npz', ") +
         GetParam() + ")");
  EXPECT_EQ(values<int32_t>(load("names.npz").columns[1], 2), (std::vector<int32_t>{1, 1}));
}

INSTANTIATE_TEST_SUITE_P(Dataset, ArrayNames,
                         testing::Values("image=x, digit=y", "x=x, y=y", "x_train=x, y_train=y",
                                         "x_train=x, y_train=y, x_test=y, y_test=x", "x, y",
                                         "digit=y, x=x, other=x"));

TEST(Dataset, TakesTheTestPartWhereOneIsMeant) {
  python(R"(
import numpy as np
x = np.zeros((2, 2, 3))
np.savez('parts.npz', x_train=x, y_train=np.ones(2), x_test=x[:1], y_test=np.zeros(1))
)");
  EXPECT_EQ(load("parts.npz", Part::Training).rows, 2);
  EXPECT_EQ(load("parts.npz", Part::Test).rows, 1);
}

TEST(Dataset, TakesSeveralNpyFiles) {
  python(R"(
import numpy as np
np.save('x.npy', np.zeros((2, 2, 3)))
np.save('y.npy', np.ones(2))
)");
  EXPECT_EQ(
      loadDataset({temporary("x.npy"), temporary("y.npy")}, classifierEntry, Part::Training).rows,
      2);
}

TEST(Dataset, AcceptsLabelsInAColumnAndTheOtherWayRound) {
  static constexpr formwork_tensor regression[] = {
      {"x", FORMWORK_INPUT, FORMWORK_F32, 2, 0, columnShape, 0},
      {"y", FORMWORK_TARGET, FORMWORK_F32, 1, 0, labelShape, 0}};
  static constexpr formwork_entry entry = {"train_step", 2, 1, regression, 0, 0, nullptr};
  EXPECT_EQ(makeDataset({makeArray("x", {3}, {1, 2, 3}), makeArray("y", {3, 1}, {1, 2, 3})},
                        "memory", entry, Part::Training)
                .rows,
            3);
}

TEST(Dataset, BindsEverySymbolOnce) {
  static constexpr formwork_tensor pair[] = {
      {"a", FORMWORK_INPUT, FORMWORK_F32, 2, 0, sequenceShape, 0},
      {"b", FORMWORK_INPUT, FORMWORK_F32, 2, 0, sequenceShape, 0}};
  static constexpr formwork_entry entry = {"predict", 2, 2, pair, 0, 0, nullptr};
  auto make = [](int64_t size) {
    return makeDataset({makeArray("a", {2, 3}, std::vector<float>(6)),
                        makeArray("b", {2, size}, std::vector<float>(2 * size))},
                       "memory", entry, Part::Test);
  };
  EXPECT_EQ(make(3).dims[1], 3);
  std::string message = messageOf([&] { make(4); });
  EXPECT_NE(message.find("f32[?,?1]"), std::string::npos) << message;
  EXPECT_NE(message.find("?1 is 3 from another array"), std::string::npos) << message;
}

TEST(Dataset, NamesFileArrayRowAndValueOfALabelOutOfRange) {
  python(R"(
import numpy as np
np.savez('labels.npz', x=np.zeros((4, 2, 3)), y=np.array([1, 2, 10, -1]))
)");
  std::string message = messageOf([] { load("labels.npz"); });
  for (const char *part : {"labels.npz", "'y'", "row 2", "is 10", "0..9", "1 more"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(Dataset, RefusesNumbersThatACastWouldChange) {
  python(R"(
import numpy as np
x = np.zeros((1, 2, 3))
np.savez('fraction.npz', x=x, y=np.array([2.5]))
np.savez('large.npz', x=np.full((1, 2, 3), 1e300), y=[1])
)");
  EXPECT_NE(messageOf([] { load("fraction.npz"); }).find("2.5"), std::string::npos);
  std::string message = messageOf([] { load("large.npz"); });
  EXPECT_NE(message.find("element [0,0,0]"), std::string::npos) << message;
  EXPECT_NE(message.find("1e+300"), std::string::npos) << message;
}

TEST(Dataset, TellsAllMistakesAtOnce) {
  python(R"(
import numpy as np
np.savez('wrong.npz', x=np.zeros((3, 4)), z=np.zeros(5))
)");
  std::string message = messageOf([] { load("wrong.npz"); });
  for (const char *part : {"'x' is f64[3,4], but input 'image' takes f32[?,2,3]",
                           "no array for target 'digit'", "'z' f64[5]"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(Dataset, RefusesArraysOfDifferentLength) {
  python(R"(
import numpy as np
np.savez('uneven.npz', x=np.zeros((3, 2, 3)), y=np.zeros(4))
)");
  EXPECT_NE(messageOf([] { load("uneven.npz"); }).find("has 4 samples, but 'x' has 3"),
            std::string::npos);
}

TEST(Dataset, RefusesNoSamples) {
  python(R"(
import numpy as np
np.savez('none.npz', x=np.zeros((0, 2, 3)), y=np.zeros(0))
)");
  EXPECT_NE(messageOf([] { load("none.npz"); }).find("no samples"), std::string::npos);
}
