// A model as a picture has it: boxes, what they hold and the lines between them.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace formwork {

struct Diagram {
  /// Sizes of a tensor; -1 where any size goes.
  using Shape = std::vector<int64_t>;

  /// A layer that holds no others.
  struct Box {
    std::string name, className;
    std::vector<Shape> inputs, outputs; // of its first call
    unsigned frame = 0;                 // that it is drawn in
  };
  /// A model. The first is the whole; others lie in one before them.
  struct Frame {
    std::string name;
    unsigned outer = 0;
  };
  struct Line {
    unsigned from, to; // boxes
    auto operator<=>(const Line &) const = default;
  };

  std::vector<Box> boxes;
  std::vector<Frame> frames;
  std::vector<Line> lines; // each once
};

} // namespace formwork
