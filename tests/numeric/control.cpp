// Rows of control flow.
#include "tests/numeric/Table.h"

#include <cmath>

namespace formwork::test {

/// A recurrent layer: h' = tanh(x w + h), all steps' h as output.
static Array recurrence(const Arrays &x) {
  Array h = x[0], stacked({x[1].shape[0], h.shape[0], h.shape[1]});
  for (int64_t t = 0; t < x[1].shape[0]; ++t) {
    h = elementwise({matrixProduct(stepOf(x[1], t), x[2]), h},
                    [](const std::vector<double> &e) { return std::tanh(e[0] + e[1]); });
    setStep(stacked, t, h);
  }
  return stacked;
}

/// The type of one step of a stack, of which there may be none.
static std::string stepType(const Array &stack) {
  return Array(Shape(stack.shape.begin() + 1, stack.shape.end()), stack.element).type();
}

void addControlRows(Table &table) {
  table
      .row("scan", {{{2, 3}, {4, 2, 5}, {5, 3}},
                    {{1, 1}, {1, 1, 1}, {1, 1}},
                    {{2, 3}, {0, 2, 5}, {5, 3}},
                    {{0, 3}, {4, 0, 5}, {5, 3}},
                    {{7, 1}, {3, 7, 2}, {2, 1}},
                    {{1, 5}, {2, 1, 3}, {3, 5}},
                    {{3, 3}, {11, 3, 1}, {1, 3}},
                    {{2, 0}, {3, 2, 5}, {5, 0}},
                    {{2, 2}, {5, 2, 0}, {0, 2}},
                    {{5, 7}, {2, 5, 3}, {3, 7}}})
      .range(-1, 1)
      .body([](const Instance &one) {
        std::string h = one.operands[0].type(), x = stepType(one.operands[1]),
                    w = one.operands[2].type();
        return "%final, %y = fw.scan carry(%0) over(%1) capture(%2) : ($0, $1, $2) -> $0"
               " stacks ($y) {\n"
               "  ^bb0(%h: " +
               h + ", %x: " + x + ", %w: " + w +
               "):\n"
               "    %xw = fw.dot_general %x, %w contract [1] x [0] batch [] x [] : (" +
               x + ", " + w + ") -> " + h +
               "\n"
               "    %s = fw.add %xw, %h : (" +
               h + ", " + h + ") -> " + h +
               "\n"
               "    %next = fw.tanh %s : (" +
               h + ") -> " + h +
               "\n"
               "    fw.yield %next, %next : " +
               h + ", " + h + "\n  }";
      })
      .reference(recurrence)
      .notGeneral();
}

} // namespace formwork::test
