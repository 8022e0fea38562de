// Training, evaluation and prediction over a data set, with the meaning of Keras's fit, evaluate
// and predict. Knows the descriptor alone: one program trains any model.
//
// Samples are shuffled by (seed, epoch); the last batch of an epoch is smaller if they do not
// divide evenly; the loss shown is the mean over samples. The results do not depend on the number
// of threads, nor on whether a run is cut in two and resumed at an epoch. A loss that is not a
// number ends training with an Error, as Keras's TerminateOnNaN does, unless that is turned off.
#pragma once

#include "runtime/Instance.h"
#include "runtime/data/Dataset.h"
#include "runtime/train/Progress.h"

#include <cstdint>
#include <string>
#include <vector>

namespace formwork::runtime {

struct FitOptions {
  int64_t epochs = 1;       // the number of the last one, as in Keras
  int64_t initialEpoch = 0; // epochs already done
  int64_t batchSize = 32;
  int64_t stepsPerEpoch = 0;  // 0: one pass over the data
  double validationSplit = 0; // of the samples, from their end
  bool shuffle = true;
  bool terminateOnNaN = true; // else go on, as Keras without that callback
  int64_t seed = 0;
  Display display = Display::Silent;
};

/// The metrics of every epoch; those of the validation data are called `val_...`.
struct History {
  std::vector<int64_t> epoch;
  struct Series {
    std::string name;
    std::vector<std::vector<double>> values; // of each epoch, as in Metrics::Values
  };
  std::vector<Series> series;
  int64_t steps = 0;
  int64_t samples = 0;
  double seconds = 0;

  void add(int64_t epoch, const Metrics::Values &);
};

/// How many of the rows are trained on; the others are kept for validation. An Error if either
/// would have none, though there is a split.
int64_t trainingRows(int64_t rows, double validationSplit);

/// Trains the instance. `validation`, if not null, is evaluated after every epoch.
History fit(Instance &, const Dataset &, const Dataset *validation, const FitOptions &);

/// The metrics over rows [begin, end).
Metrics::Values evaluate(Instance &, const Dataset &, int64_t begin, int64_t end, int64_t batchSize,
                         Progress *progress = nullptr);

/// One array per output, named after it, with one row per sample.
std::vector<Array> predict(Instance &, const Dataset &, int64_t batchSize,
                           Progress *progress = nullptr);

} // namespace formwork::runtime
