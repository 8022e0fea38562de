// What a person sees while a model trains, in Keras's form: a bar that is redrawn in place on a
// terminal, one plain line per epoch elsewhere.
#pragma once

#include "runtime/train/Step.h"

#include <chrono>
#include <cstdint>
#include <cstdio>

namespace formwork::runtime {

enum class Display { Silent, Lines, Bar };

/// A bar if the stream is a terminal, else lines.
Display displayFor(FILE *);

class Progress {
public:
  Progress(Display display, FILE *stream) : display(display), stream(stream) {}

  /// `title` comes before the counts, `Epoch 1/5`; may be empty.
  void begin(const std::string &title, int64_t steps);
  /// Whether a step's metrics should be read for showing: at most 20 times a second.
  bool due();
  void show(int64_t done, const Metrics::Values &);
  /// The final line. What is shown is sorted by name, as Keras does.
  void finish(int64_t done, const Metrics::Values &);
  /// A line between the bars.
  void note(const std::string &);

private:
  using Clock = std::chrono::steady_clock;
  double secondsSince(Clock::time_point) const;
  std::string line(int64_t done, const Metrics::Values &, bool final) const;

  Display display;
  FILE *stream;
  std::string title;
  int64_t steps = 0;
  Clock::time_point start, lastShown;
};

/// `accuracy: 0.9125 - loss: 3.1205e-04`, sorted by name.
std::string formatMetrics(Metrics::Values);

} // namespace formwork::runtime
