// Rules for scf and func: loops, branches and calls. What a loop carries or a branch yields is a
// variable that is assigned.
#include "codegen/source/FunctionPrinter.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace formwork::source {

using Printer = FunctionPrinter;

/// Declares a variable for each carried value, with what it has at first.
static SmallVector<std::string> declareCarried(ValueRange carried, ValueRange initial,
                                               ValueRange next, Printer &printer) {
  SmallVector<std::string> names;
  for (auto [value, first, later] : llvm::zip_equal(carried, initial, next)) {
    std::string noun = later.getDefiningOp() ? printer.nounOf(later) : "carried";
    Expression start = printer.use(first, value.getType().isIndex());
    printer.line(printer.variable(value, noun) + " = " + start.text + ";");
    names.push_back(printer.use(value).text);
  }
  return names;
}

/// Declares a variable for each result, to be assigned.
static SmallVector<std::string> declareResults(ValueRange results, Printer &printer) {
  SmallVector<std::string> names;
  for (Value result : results) {
    printer.line(printer.variable(result, "result") + ";");
    names.push_back(printer.use(result).text);
  }
  return names;
}

/// i, j, k, ...; by another name where a name says what it runs over.
static std::string counter(scf::ForOp op, Printer &printer) {
  if (auto name = op->getAttrOfType<StringAttr>("fw.name"))
    return name.str();
  // From a kernel's first argument to its second.
  auto isArgument = [](Value bound) {
    auto argument = dyn_cast<BlockArgument>(bound);
    return argument && isa<func::FuncOp>(argument.getOwner()->getParentOp());
  };
  if (isArgument(op.getLowerBound()) && isArgument(op.getUpperBound()))
    return "chunk";
  constexpr StringRef letters = "ijklmn";
  return letters.substr(std::min<size_t>(printer.loopDepth, letters.size() - 1), 1).str();
}

static void printFor(scf::ForOp op, Printer &printer) {
  Block &body = *op.getBody();
  Operation *yield = body.getTerminator();
  SmallVector<std::string> carried =
      declareCarried(op.getRegionIterArgs(), op.getInitArgs(), yield->getOperands(), printer);
  for (auto [result, argument] : llvm::zip_equal(op.getResults(), op.getRegionIterArgs()))
    printer.bind(result, printer.use(argument));
  Expression from = printer.use(op.getLowerBound(), true);
  Expression to = printer.use(op.getUpperBound(), true);
  Expression step = printer.use(op.getStep(), true);
  printer.enter();
  std::string name = printer.unique(counter(op, printer));
  if (auto count = op->getAttrOfType<IntegerAttr>("fw.unroll"))
    printer.line(printer.getLanguage().unroll(count.getInt()));
  std::string type = printer.getLanguage().type(op.getInductionVar().getType(), true);
  std::string increment = step.is(1) ? "++" + name : name + " += " + step.text;
  printer.bind(op.getInductionVar(), Expression{name, Precedence::Primary, true});
  printer.open("for (" + type + " " + name + " = " + from.text + "; " + name + " < " +
               within(to, Precedence::Additive) + "; " + increment + ")");
  ++printer.loopDepth;
  printer.statements(body);
  printer.assign(carried, yield->getOperands());
  --printer.loopDepth;
  printer.close();
}

static void printIf(scf::IfOp op, Printer &printer) {
  SmallVector<std::string> results = declareResults(op.getResults(), printer);
  printer.enter();
  printer.open("if (" + printer.use(op.getCondition()).text + ")");
  printer.statements(*op.thenBlock());
  printer.assign(results, op.thenYield().getOperands());
  if (op.elseBlock() && (!results.empty() || !op.elseBlock()->without_terminator().empty())) {
    printer.reopen("} else {");
    printer.statements(*op.elseBlock());
    printer.assign(results, op.elseYield().getOperands());
  }
  printer.close();
}

/// The condition stands between what comes before and after it, so the loop has none in its head.
static void printWhile(scf::WhileOp op, Printer &printer) {
  Block &before = *op.getBeforeBody(), &after = *op.getAfterBody();
  scf::ConditionOp condition = op.getConditionOp();
  SmallVector<std::string> carried = declareCarried(before.getArguments(), op.getInits(),
                                                    after.getTerminator()->getOperands(), printer);
  SmallVector<std::string> results = declareResults(op.getResults(), printer);
  for (auto [argument, result] : llvm::zip_equal(after.getArguments(), op.getResults()))
    printer.bind(argument, printer.use(result));
  printer.enter();
  printer.open("for (;;)");
  ++printer.loopDepth;
  printer.statements(before);
  std::string holds = unary("!", printer.use(condition.getCondition())).text;
  printer.assign(results, condition.getArgs());
  printer.line("if (" + holds + ")");
  printer.line("  break;");
  printer.statements(after);
  printer.assign(carried, after.getTerminator()->getOperands());
  --printer.loopDepth;
  printer.close();
}

static void printCall(func::CallOp op, Printer &printer) {
  Expression called = call(printer.symbol(op.getCallee()),
                           printer.arguments(op.getArgOperands(), op.getOperandTypes()));
  if (op.getNumResults() > 1)
    return printer.fail(op, "a call with several results");
  if (op->use_empty())
    return printer.line(called.text + ";");
  called.isSigned = op.getResult(0).getType().isIntOrIndex();
  printer.declare(op.getResult(0), "result", called);
}

void addControlRules(Language &language) {
  language.statement<scf::ForOp>(printFor);
  language.statement<scf::IfOp>(printIf);
  language.statement<scf::WhileOp>(printWhile);
  language.statement<func::CallOp>(printCall);
  // Terminators are printed by what they end; here they say that they can be.
  for (StringRef name : {"scf.yield", "scf.condition", "func.return"})
    language.terminator(name);
}

} // namespace formwork::source
