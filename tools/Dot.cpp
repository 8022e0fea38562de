// Prints boxes as small tables, frames as clusters.
//
// Text of the model comes in through `shown` only, and only within labels: what Graphviz calls
// things by are our own numbers.
#include "tools/Dot.h"

#include "frontend/Diagnostics.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace formwork {

/// Printable, not too long, and no markup.
static std::string shown(StringRef text) {
  std::string printable = quoted(text), result;
  for (char c : StringRef(printable).drop_front().drop_back())
    switch (c) {
    case '&':
      result += "&amp;";
      break;
    case '<':
      result += "&lt;";
      break;
    case '>':
      result += "&gt;";
      break;
    case '"':
      result += "&quot;";
      break;
    default:
      result += c;
    }
  return result;
}

/// (None, 64), as plot_model has it; several under each other.
static std::string shapes(ArrayRef<Diagram::Shape> all) {
  auto size = [](int64_t size) { return size < 0 ? std::string("None") : std::to_string(size); };
  auto shape = [&](const Diagram::Shape &sizes) {
    return "(" + join(map_range(sizes, size), ", ") + (sizes.size() == 1 ? ",)" : ")");
  };
  return join(map_range(all, shape), "<br/>");
}

static void printBox(raw_ostream &os, unsigned number, const Diagram::Box &box) {
  os << "  n" << number
     << " [label=<<table border=\"0\" cellborder=\"1\" cellspacing=\"0\" cellpadding=\"5\">"
     << "<tr><td bgcolor=\"#2d3b4e\" colspan=\"2\"><font color=\"white\"><b>" << shown(box.name)
     << "</b> (" << shown(box.className) << ")</font></td></tr>";
  auto row = [&](StringRef what, ArrayRef<Diagram::Shape> tensors) {
    if (!tensors.empty())
      os << "<tr><td>" << what << "</td><td>" << shapes(tensors) << "</td></tr>";
  };
  row("input", box.inputs);
  row("output", box.outputs);
  os << "</table>>];\n";
}

static void printFrame(raw_ostream &os, const Diagram &diagram, unsigned frame) {
  for (auto [number, box] : enumerate(diagram.boxes))
    if (box.frame == frame)
      printBox(os, number, box);
  for (unsigned inner = frame + 1; inner < diagram.frames.size(); ++inner) {
    if (diagram.frames[inner].outer != frame)
      continue;
    os << "  subgraph cluster_" << inner << " {\n  label=<" << shown(diagram.frames[inner].name)
       << ">;\n  style=dashed;\n";
    printFrame(os, diagram, inner);
    os << "  }\n";
  }
}

std::string printDot(const Diagram &diagram, StringRef direction) {
  std::string text;
  raw_string_ostream os(text);
  os << "digraph model {\n  charset=\"UTF-8\";\n  rankdir=" << direction << ";\n  label=<"
     << shown(diagram.frames.front().name) << ">;\n  labelloc=t;\n"
     << "  fontname=\"Helvetica\";\n  node [shape=plain, fontname=\"Helvetica\", fontsize=11];\n";
  printFrame(os, diagram, 0);
  for (const Diagram::Line &line : diagram.lines)
    os << "  n" << line.from << " -> n" << line.to << ";\n";
  os << "}\n";
  return text;
}

} // namespace formwork
