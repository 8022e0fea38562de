// A user's arrays, matched to what a model's functions expect, checked once.
//
// An input `image` takes the array `image`; the only input also takes `x`, the k-th `x_k`; targets
// likewise with `y`. `x_train` and `x_test` (as in Keras's mnist.npz) are understood too, and
// numpy.savez's `arr_0`, `arr_1`... stand for inputs, then targets. The weights of the samples of
// an output `digit` are called `digit_sample_weight`; those of all outputs, or of the only one,
// `sample_weight`; where there are none, every sample counts 1. Elements stay as the file has them
// and are cast batch by batch.
#pragma once

#include "runtime/Descriptor.h"
#include "runtime/data/Array.h"
#include "runtime/data/Convert.h"

#include <string>
#include <vector>

namespace formwork::runtime {

/// Which half of a file with `x_train` and `x_test` is meant.
enum class Part { Training, Test };

/// The rows for one buffer of an entry.
struct Column {
  const formwork_tensor *tensor = nullptr;
  Array array;
  Convert *convert = nullptr;
  bool direct = false; // rows can be passed to the model where they are
  bool given = true;   // else these are ones: weights that nobody gave
  /// Each row has one weight, and the model takes it several times: once for each time step.
  bool repeats = false;
  int64_t rowElements = 0;
  int64_t rowBytes = 0; // in the file's type

  const std::byte *row(int64_t index) const { return array.data + index * rowBytes; }
};

struct Dataset {
  std::vector<Column> columns;
  int64_t rows = 0;
  std::vector<int64_t> dims; // sizes of the entry's symbols; the batch's, 0, is still open

  /// The column for a buffer of the same role and name, perhaps of another entry; null if none.
  const Column *find(const formwork_tensor &) const;
};

/// Reads the arrays that the entry's inputs, targets and sample weights take from the files. All
/// mistakes are told in one Error.
Dataset loadDataset(const std::vector<std::string> &files, const formwork_entry &, Part);

/// The same from arrays already in memory; `origin` names them in diagnostics.
Dataset makeDataset(std::vector<Array> arrays, const std::string &origin, const formwork_entry &,
                    Part);

/// Whether an array of one of the files is called as weights of samples are. A file that cannot be
/// read, or only once (a pipe), has none.
bool holdSampleWeights(const std::vector<std::string> &files);

} // namespace formwork::runtime
