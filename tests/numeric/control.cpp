// Rows of control flow.
#include "tests/numeric/Table.h"

#include <cmath>
#include <map>

namespace formwork::test {

using Elements = std::vector<double>;

/// The type of one step of a stack, of which there may be none.
static std::string stepType(const Array &stack) {
  return Array(Shape(stack.shape.begin() + 1, stack.shape.end()), stack.element).type();
}

/// `text` with each {name} replaced by the value that belongs to it.
static std::string expand(std::string text, const std::map<std::string, std::string> &values) {
  for (const auto &[name, value] : values)
    for (size_t at; (at = text.find("{" + name + "}")) != std::string::npos;)
      text.replace(at, name.size() + 2, value);
  return text;
}

//===--- scan ------------------------------------------------------------------------------------

/// h' = tanh(x w + h), for all steps of x, the last one first if `reverse`. Gives the last h, and
/// all of them.
static std::pair<Array, Array> recurrence(const Arrays &x, bool reverse) {
  Array h = x[0], stacked({x[1].shape[0], h.shape[0], h.shape[1]});
  for (int64_t i = 0, steps = x[1].shape[0]; i < steps; ++i) {
    int64_t t = reverse ? steps - 1 - i : i;
    h = elementwise({matrixProduct(stepOf(x[1], t), x[2]), h},
                    [](const Elements &e) { return std::tanh(e[0] + e[1]); });
    setStep(stacked, t, h);
  }
  return {h, stacked};
}

/// State [batch, units], inputs [steps, batch, features], weights [features, units].
static std::vector<Shapes> recurrenceShapes() {
  return {{{2, 3}, {4, 2, 5}, {5, 3}},  {{1, 1}, {1, 1, 1}, {1, 1}}, {{2, 3}, {0, 2, 5}, {5, 3}},
          {{0, 3}, {4, 0, 5}, {5, 3}},  {{7, 1}, {3, 7, 2}, {2, 1}}, {{1, 5}, {2, 1, 3}, {3, 5}},
          {{3, 3}, {11, 3, 1}, {1, 3}}, {{2, 0}, {3, 2, 5}, {5, 0}}, {{2, 2}, {5, 2, 0}, {0, 2}},
          {{5, 7}, {2, 5, 3}, {3, 7}}};
}

static std::string recurrenceBody(const Instance &one, const std::string &reverse) {
  return expand(R"(%final, %stacked = fw.scan {reverse} carry(%0) over(%1) capture(%2)
      : ($0, $1, $2) -> $0 stacks ({stack}) {
    ^bb0(%h: {h}, %x: {x}, %w: {w}):
      %xw = fw.dot_general %x, %w contract [1] x [0] batch [] x [] : ({x}, {w}) -> {h}
      %s = fw.add %xw, %h : ({h}, {h}) -> {h}
      %next = fw.tanh %s : ({h}) -> {h}
      fw.yield %next, %next : {h}, {h}
    }
)",
                {{"h", one.operands[0].type()},
                 {"x", stepType(one.operands[1])},
                 {"w", one.operands[2].type()},
                 {"reverse", reverse},
                 {"stack", Array({one.shape(1)[0], one.shape(0)[0], one.shape(0)[1]}).type()}});
}

static void addRecurrences(Table &table) {
  table.row("scan", recurrenceShapes())
      .range(-1, 1)
      .body([](const Instance &one) {
        return recurrenceBody(one, "") + "%y = fw.add %stacked, %stacked : ($y, $y) -> $y";
      })
      .reference([](const Arrays &x) {
        return elementwise({recurrence(x, false).second},
                           [](const Elements &e) { return 2 * e[0]; });
      });

  table.row("scan/reverse_final", recurrenceShapes())
      .range(-1, 1)
      .body([](const Instance &one) {
        return recurrenceBody(one, "reverse") + "%y = fw.add %final, %0 : ($y, $y) -> $y";
      })
      .reference([](const Arrays &x) {
        return elementwise({recurrence(x, true).first, x[0]},
                           [](const Elements &e) { return e[0] + e[1]; });
      });
}

/// Two carries that change places, an integer carry and an integer sequence: Fibonacci with
/// weights. a, b, n = b, a * x + b, m at each step; stacks the old a.
static void addMixedScan(Table &table) {
  table
      .row("scan/exchange", {{{3}, {3}, {4, 3}, {4}},
                             {{1}, {1}, {1, 1}, {1}},
                             {{2}, {2}, {0, 2}, {0}},
                             {{0}, {0}, {3, 0}, {3}},
                             {{}, {}, {5}, {5}},
                             {{2, 3}, {2, 3}, {2, 2, 3}, {2}},
                             {{7}, {7}, {3, 7}, {3}},
                             {{1, 1}, {1, 1}, {6, 1, 1}, {6}},
                             {{13}, {13}, {2, 13}, {2}},
                             {{2, 1, 3}, {2, 1, 3}, {4, 2, 1, 3}, {4}}})
      .operand(2, {"f64", -1, 1})
      .operand(3, {"i32", 0, 9})
      .body([](const Instance &one) {
        return expand(R"(%n = fw.constant dense<0> : tensor<i32>
    %last, %sum, %m, %y = fw.scan carry(%0, %1, %n) over(%2, %3) capture()
      : ($0, $1, tensor<i32>, $2, $3) -> ($0, $1, tensor<i32>) stacks ($y) {
    ^bb0(%a: {a}, %b: {a}, %old: tensor<i32>, %x: {a}, %new: tensor<i32>):
      %ax = fw.mul %a, %x : ({a}, {a}) -> {a}
      %next = fw.add %ax, %b : ({a}, {a}) -> {a}
      fw.yield %b, %next, %new, %a : {a}, {a}, tensor<i32>, {a}
    })",
                      {{"a", one.operands[0].type()}});
      })
      .reference([](const Arrays &x) {
        Array a = x[0], b = x[1], stacked(x[2].shape);
        for (int64_t t = 0; t < x[2].shape[0]; ++t) {
          setStep(stacked, t, a);
          Array next = elementwise({a, stepOf(x[2], t), b},
                                   [](const Elements &e) { return e[0] * e[1] + e[2]; });
          a = b, b = next;
        }
        return stacked;
      });
}

/// A scan in a scan: for each row, h' = h * x + w for each of its elements.
static void addNestedScan(Table &table) {
  table
      .row("scan/nested", {{{3}, {2, 4, 3}, {3}},
                           {{1}, {1, 1, 1}, {1}},
                           {{2}, {0, 3, 2}, {2}},
                           {{2}, {3, 0, 2}, {2}},
                           {{0}, {2, 2, 0}, {0}},
                           {{5}, {1, 3, 5}, {5}},
                           {{5}, {3, 1, 5}, {5}},
                           {{7}, {2, 2, 7}, {7}},
                           {{2, 3}, {2, 2, 2, 3}, {2, 3}},
                           {{}, {3, 3}, {}}})
      .range(-1, 1)
      .body([](const Instance &one) {
        Array row(Shape(one.shape(1).begin() + 1, one.shape(1).end()));
        return expand(R"(%y = fw.scan carry(%0) over(%1) capture(%2) : ($0, $1, $2) -> $0 {
    ^bb0(%h: {h}, %row: {row}, %w: {h}):
      %next = fw.scan carry(%h) over(%row) capture(%w) : ({h}, {row}, {h}) -> {h} {
      ^bb0(%hh: {h}, %x: {h}, %ww: {h}):
        %hx = fw.mul %hh, %x : ({h}, {h}) -> {h}
        %s = fw.add %hx, %ww : ({h}, {h}) -> {h}
        fw.yield %s : {h}
      }
      fw.yield %next : {h}
    })",
                      {{"h", one.operands[0].type()}, {"row", row.type()}});
      })
      .reference([](const Arrays &x) {
        Array h = x[0];
        for (int64_t i = 0; i < x[1].shape[0]; ++i)
          for (int64_t j = 0; j < x[1].shape[1]; ++j)
            h = elementwise({h, stepOf(stepOf(x[1], i), j), x[2]},
                            [](const Elements &e) { return e[0] * e[1] + e[2]; });
        return h;
      });
}

//===--- if --------------------------------------------------------------------------------------

/// exp(a) * b if the predicate holds, else a.
static void addIf(Table &table) {
  std::vector<Shapes> shapes;
  for (const Shapes &unary : unaryShapes())
    shapes.push_back({{}, unary[0], unary[0]});
  table.row("if", shapes)
      .operand(0, {"i1", 0, 1})
      .operand(1, {})
      .body(R"(%y = fw.if %0 capture(%1, %2) : ($0, $1, $2) -> $y then {
    ^bb0(%a: $1, %b: $1):
      %e = fw.exp %a : ($1) -> $1
      %t = fw.mul %e, %b : ($1, $1) -> $1
      fw.yield %t : $1
    } else {
    ^bb0(%a: $1, %b: $1):
      fw.yield %a : $1
    })")
      .reference([](const Arrays &x) {
        return elementwise({x[0], x[1], x[2]}, [](const Elements &e) {
          return e[0] != 0 ? std::exp(e[1]) * e[2] : e[1];
        });
      });
}

//===--- while -----------------------------------------------------------------------------------

/// x' = x * w + w, while the sum of the squares of x is below 3, for at most 5 steps.
static Array grow(const Arrays &operands) {
  Array x = operands[0];
  for (int step = 0; step < 5; ++step) {
    double sum = 0;
    for (double element : x.values)
      sum += element * element;
    if (!(sum < 3))
      break;
    x = elementwise({x, operands[1]}, [](const Elements &e) { return e[0] * e[1] + e[1]; });
  }
  return x;
}

static void addWhile(Table &table) {
  std::vector<Shapes> shapes;
  for (const Shapes &unary : unaryShapes())
    shapes.push_back({unary[0], unary[0]});
  table.row("while", shapes)
      .operand(0, {"f64", -0.3, 0.3})
      .operand(1, {"f64", 0.5, 1.2})
      .body([](const Instance &one) {
        std::string axes;
        for (int64_t i = 0; i < one.operands[0].rank(); ++i)
          axes += (i ? ", " : "") + std::to_string(i);
        return expand(R"(%y = fw.while carry(%0) capture(%1) max_steps = 5 : ($0, $1) -> $y while {
    ^bb0(%x: $0, %w: $1):
      %square = fw.mul %x, %x : ($0, $0) -> $0
      %sum = fw.reduce_sum %square axes = [{axes}] : ($0) -> tensor<f64>
      %limit = fw.constant dense<3.0> : tensor<f64>
      %more = fw.greater %limit, %sum : (tensor<f64>, tensor<f64>) -> tensor<i1>
      fw.yield %more : tensor<i1>
    } do {
    ^bb0(%x: $0, %w: $1):
      %xw = fw.mul %x, %w : ($0, $1) -> $0
      %next = fw.add %xw, %w : ($0, $1) -> $0
      fw.yield %next : $0
    })",
                      {{"axes", axes}});
      })
      .reference(grow);
}

void addControlRows(Table &table) {
  addRecurrences(table);
  addMixedScan(table);
  addNestedScan(table);
  addIf(table);
  addWhile(table);
}

} // namespace formwork::test
