// Names, lines and scopes; what is part of an expression and what has a name.
#include "codegen/source/FunctionPrinter.h"

#include "codegen/source/Literals.h"
#include "ir/Dialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace formwork::source {

FunctionPrinter::FunctionPrinter(const Language &language, const Symbols &symbols,
                                 const Scope &outer, raw_ostream &os)
    : language(language), symbols(symbols), os(os) {
  scopes.push_back(std::make_unique<Scope>(&outer));
}

void FunctionPrinter::fail(Operation *op, const Twine &why) {
  auto function = op->getParentOfType<func::FuncOp>();
  InFlightDiagnostic error = op->emitError() << why << " in " << language.name() << " source";
  if (function)
    error.attachNote(function.getLoc()) << "in '" << function.getName() << "'";
  failed = true;
}

StringRef FunctionPrinter::symbol(StringRef name) const {
  auto known = symbols.find(name);
  assert(known != symbols.end() && "a function or global of this file");
  return known->second;
}

//===--- lines -----------------------------------------------------------------------------------

/// Where a line of `room` characters should end: after a comma or before an operator, as far
/// outside of parentheses as there is such a place in its second half; 0 if there is none.
static size_t breakAt(StringRef text, size_t room) {
  size_t best = 0, bestDepth = ~size_t(0), depth = 0;
  for (size_t i = 1; i < std::min(room, text.size()); ++i) {
    // Those of templates have no space before them.
    bool isAngle = text[i - 1] != ' ' && text[i - 1] != '-' && text[i - 1] != text[i];
    depth += StringRef("([{").contains(text[i]) || (isAngle && text[i] == '<');
    depth -= (StringRef(")]}").contains(text[i]) || (isAngle && text[i] == '>')) && depth > 0;
    StringRef rest = text.substr(i);
    bool isOperator = rest.size() > 2 && rest[0] == ' ' &&
                      ((StringRef("+-*/?:&|^").contains(rest[1]) && rest[2] == ' ') ||
                       rest.starts_with(" && ") || rest.starts_with(" || "));
    bool isAfter = rest[0] == ' ' && StringRef(",;=").contains(text[i - 1]);
    if ((isOperator || isAfter) && (depth <= bestDepth || 2 * best < room)) {
      best = i;
      bestDepth = depth;
    }
  }
  return best;
}

void FunctionPrinter::line(StringRef text) {
  constexpr size_t width = 100;
  size_t indent = 2 * indentation;
  while (indent + text.size() > width) {
    size_t end = breakAt(text, width - indent + 1);
    if (!end)
      break;
    os.indent(indent) << text.take_front(end) << "\n";
    text = text.drop_front(end + 1);
    indent = 2 * indentation + 4;
  }
  os.indent(indent) << text << "\n";
}

void FunctionPrinter::comment(StringRef text) {
  constexpr size_t width = 96;
  while (!text.empty()) {
    size_t end = text.size();
    if (2 * indentation + 3 + end > width) {
      end = text.take_front(width - 2 * indentation - 3).rfind(' ');
      if (end == StringRef::npos)
        end = text.find(' ');
    }
    // A backslash at its end would take the next line into the comment.
    os.indent(2 * indentation) << "// " << text.take_front(end).rtrim("\\ ") << "\n";
    text = text.drop_front(std::min(end, text.size())).ltrim();
  }
}

void FunctionPrinter::enter() { scopes.push_back(std::make_unique<Scope>(scopes.back().get())); }

void FunctionPrinter::open(StringRef text) {
  line((text + " {").str());
  ++indentation;
}

void FunctionPrinter::close(StringRef end) {
  --indentation;
  scopes.pop_back();
  line(end);
}

void FunctionPrinter::reopen(StringRef text) {
  close(text);
  enter();
  ++indentation;
}

//===--- values ----------------------------------------------------------------------------------

std::string FunctionPrinter::type(Value value, bool isSigned) {
  std::string text = language.type(value.getType(), isSigned);
  if (text.empty()) {
    std::string spelled;
    llvm::raw_string_ostream(spelled) << value.getType();
    Operation *op = value.getDefiningOp();
    fail(op ? op : value.getParentBlock()->getParentOp(), "no type '" + spelled + "'");
  }
  return text;
}

Expression FunctionPrinter::use(Value value) {
  if (auto known = values.find(value); known != values.end())
    return known->second;
  Operation *op = value.getDefiningOp();
  const Rule *rule = op ? language.find(op) : nullptr;
  if (rule && rule->expression)
    return rule->expression(op, *this);
  // Said already, where the op was met.
  if (!failed)
    fail(op ? op : value.getParentBlock()->getParentOp(), "a value without a name");
  return {"0"};
}

Expression FunctionPrinter::use(Value value, bool isSigned) {
  APInt constant;
  if (value.getType().isInteger() && matchPattern(value, m_ConstantInt(&constant)))
    return integerLiteral(constant, isSigned);
  Expression expression = use(value);
  Type element = getElementTypeOrSelf(value.getType());
  if (expression.isSigned == isSigned || element.isInteger(1) || !element.isIntOrIndex())
    return expression;
  if (element.isIndex() && isNonNegative(value))
    return expression;
  Expression cast = call(language.conversion(value.getType(), isSigned), {expression});
  cast.isSigned = isSigned;
  return cast;
}

std::pair<Expression, Expression> FunctionPrinter::operands(Value a, Value b, bool isSigned) {
  auto scalarA = language.scalarOf(a, isSigned, *this),
       scalarB = language.scalarOf(b, isSigned, *this);
  if (scalarA && !scalarB)
    return {*scalarA, use(b, isSigned)};
  if (scalarB)
    return {use(a, isSigned), *scalarB};
  return {use(a, isSigned), use(b, isSigned)};
}

/// What a size or a place in a buffer is called.
static StringRef indexNoun(Operation *op) {
  return llvm::StringSwitch<StringRef>(op->getName().getStringRef())
      .Case("arith.muli", "start")
      .Case("arith.subi", "left")
      .Cases({"arith.minsi", "arith.minui", "arith.select"}, "bound")
      .Cases({"arith.divui", "arith.divsi", "arith.remui", "arith.remsi"}, "index")
      .Case("arith.ceildivui", "count")
      .Default("at");
}

std::string FunctionPrinter::nounOf(Value value) {
  Operation *op = value.getDefiningOp();
  const Rule *rule = op ? language.find(op) : nullptr;
  auto place = op && op->getNumOperands() ? buffers.find(op->getOperand(0)) : buffers.end();
  if (place != buffers.end() && !isa<MemRefType>(value.getType())) {
    StringRef stem = StringRef(place->second.pointer.text).take_while([](char c) {
      return llvm::isAlnum(c) || c == '_';
    });
    return (stem + (isa<VectorType>(value.getType()) ? "_values" : "_value")).str();
  }
  if (rule && value.getType().isIndex())
    return indexNoun(op).str();
  if (rule && !rule->noun.empty())
    return rule->noun;
  return "value";
}

std::string FunctionPrinter::define(Value value, StringRef noun, bool isSigned) {
  std::string name = unique(noun);
  bool isIndex = getElementTypeOrSelf(value.getType()).isIndex();
  bind(value, {name, Precedence::Primary, isSigned || isIndex});
  return name;
}

void FunctionPrinter::declare(Value value, StringRef noun, const Expression &expression) {
  bool isSigned = expression.isSigned || value.getType().isIndex();
  std::string declared = "const " + type(value, isSigned) + " ";
  line(declared + define(value, noun, isSigned) + " = " + expression.text + ";");
}

std::string FunctionPrinter::variable(Value value, StringRef noun) {
  return type(value, value.getType().isIndex()) + " " + define(value, noun);
}

bool FunctionPrinter::reads(Value value, StringRef variable) {
  if (auto known = values.find(value); known != values.end())
    return known->second.text == variable;
  Operation *op = value.getDefiningOp();
  return op &&
         llvm::any_of(op->getOperands(), [&](Value operand) { return reads(operand, variable); });
}

void FunctionPrinter::assign(ArrayRef<std::string> variables, ValueRange assigned) {
  SmallVector<std::pair<std::string, std::string>> assignments;
  for (size_t i = 0; i < variables.size(); ++i) {
    bool isSigned = assigned[i].getType().isIndex();
    Expression value = use(assigned[i], isSigned);
    if (value.text == variables[i])
      continue;
    // What comes later still reads the variable as it was.
    bool held = llvm::any_of(llvm::seq<size_t>(i + 1, variables.size()),
                             [&](size_t j) { return reads(assigned[j], variables[i]); });
    if (held) {
      std::string name = unique("next_" + variables[i]);
      line("const " + type(assigned[i], isSigned) + " " + name + " = " + value.text + ";");
      value.text = name;
    }
    assignments.emplace_back(variables[i], value.text);
    if (!held) {
      line(assignments.back().first + " = " + assignments.back().second + ";");
      assignments.pop_back();
    }
  }
  for (auto &[variable, value] : assignments)
    line(variable + " = " + value + ";");
}

//===--- what moves into the expression that uses it ---------------------------------------------

static bool mayRead(Operation *op) { return !isPure(op); }

static bool mayWrite(Operation *op) {
  if (isMemoryEffectFree(op))
    return false;
  auto effects = getEffectsRecursively(op);
  return !effects || llvm::any_of(*effects, [](const MemoryEffects::EffectInstance &effect) {
    return isa<MemoryEffects::Write, MemoryEffects::Free>(effect.getEffect());
  });
}

void FunctionPrinter::chooseInlined(Block &block) {
  // More ops than this make an expression hard to read.
  constexpr unsigned largest = 6;
  SmallVector<Operation *> ops;
  for (Operation &op : block)
    ops.push_back(&op);
  llvm::DenseMap<Operation *, size_t> position;
  // The first op from each position on that writes.
  SmallVector<size_t> nextWrite(ops.size() + 1, ops.size());
  for (size_t i = ops.size(); i-- > 0;) {
    position[ops[i]] = i;
    nextWrite[i] = mayWrite(ops[i]) ? i : nextWrite[i + 1];
  }
  // Where each op is printed: with the statement that it is part of. Backwards, since that one may
  // itself be part of another.
  SmallVector<size_t> printed(ops.size());
  llvm::DenseSet<Operation *> moves;
  for (size_t i = ops.size(); i-- > 0;) {
    Operation *op = ops[i];
    printed[i] = i;
    const Rule *rule = language.find(op);
    if (!rule || !rule->expression || op->getNumResults() != 1)
      continue;
    Operation *user = op->use_empty() ? nullptr : *op->user_begin();
    bool isPart = op->hasOneUse() && user->getBlock() == &block && language.find(user);
    if (rule->isRepeated)
      inlined.insert(op);
    // What is said again must be of what has a name.
    if (!isPart || (language.find(user)->isRepeated && !moves.contains(user)))
      continue;
    moves.insert(op);
    size_t at = printed[position[user]];
    // What a loop has in its head is computed again and again.
    bool repeated = ops[at]->getNumRegions() > 0;
    if (mayRead(op) && (repeated || nextWrite[i + 1] < at))
      continue;
    printed[i] = at;
    inlined.insert(op);
  }
  llvm::DenseMap<Operation *, unsigned> size;
  for (Operation *op : ops) {
    unsigned total = 1;
    for (Value operand : op->getOperands())
      if (Operation *inner = operand.getDefiningOp(); inner && inlined.contains(inner))
        total += size.lookup(inner);
    const Rule *rule = language.find(op);
    if (rule && rule->isRepeated)
      --total;
    else if (total > largest && inlined.erase(op))
      total = 1;
    size[op] = total;
  }
}

/// Whether an op computes what only views are made of: their sizes may be needed by nobody.
static bool isForViews(Operation &op) {
  return !op.use_empty() && isPure(&op) && llvm::all_of(op.getUsers(), [](Operation *user) {
    return isa<ViewLikeOpInterface>(user);
  });
}

void FunctionPrinter::statements(Block &block) {
  chooseInlined(block);
  for (Operation &op : block.without_terminator()) {
    if (inlined.contains(&op) || op.hasTrait<OpTrait::ConstantLike>())
      continue;
    const Rule *rule = language.find(&op);
    if (!rule) {
      fail(&op, "'" + op.getName().getStringRef() + "' cannot be printed");
    } else if (rule->statement) {
      rule->statement(&op, *this);
    } else if (rule->expression && isForViews(op)) {
      bind(op.getResult(0), rule->expression(&op, *this));
    } else if (!op.use_empty() || mayWrite(&op)) {
      Expression expression = rule->expression(&op, *this);
      // What turned out to be a name or a number needs no other.
      if (expression.constant ||
          (expression.precedence == Precedence::Primary &&
           llvm::all_of(expression.text, [](char c) { return llvm::isAlnum(c) || c == '_'; }) &&
           isPure(&op)))
        bind(op.getResult(0), expression);
      else
        declare(op.getResult(0), nounOf(op.getResult(0)), expression);
    }
  }
}

//===--- functions -------------------------------------------------------------------------------

bool hasWord(StringRef text, StringRef word) {
  auto isPart = [](char c) { return llvm::isAlnum(c) || c == '_'; };
  for (size_t at = text.find(word); at != StringRef::npos; at = text.find(word, at + 1)) {
    size_t end = at + word.size();
    if ((at == 0 || !isPart(text[at - 1])) && (end == text.size() || !isPart(text[end])))
      return true;
  }
  return false;
}

/// The end of a path says what it is: "kernel" of "dense/kernel", "kernel/momentum" of what an
/// optimizer keeps of it.
static StringRef endOf(StringRef path) {
  auto [rest, last] = path.rsplit('/');
  if (last.empty())
    return path;
  size_t before = rest.rfind('/');
  return before == StringRef::npos ? last : path.drop_front(before + 1);
}

static std::string argumentName(func::FuncOp function, unsigned index) {
  if (auto name = function.getArgAttrOfType<StringAttr>(index, "fw.name"))
    return endOf(name).str();
  return "argument" + std::to_string(index);
}

SmallVector<std::string> FunctionPrinter::parameters(func::FuncOp function, unsigned first) {
  SmallVector<std::string> result;
  for (BlockArgument argument : function.getArguments().drop_front(first)) {
    std::string name = unique(argumentName(function, argument.getArgNumber()));
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type) {
      bool isSigned = argument.getType().isIntOrIndex();
      if (!this->type(argument).empty())
        result.push_back(language.parameterType(argument.getType(), isSigned) + name);
      bind(argument, {name, Precedence::Primary, isSigned});
      continue;
    }
    std::string pointer = isWritten(argument) ? "" : "const ";
    pointer += language.elementType(type.getElementType()) + " *";
    std::string restricted = language.restricted();
    result.push_back(pointer + restricted + (restricted.empty() ? "" : " ") + name);
    Buffer buffer{{name}, {}, {}, false};
    SmallVector<int64_t> strides;
    int64_t offset;
    bool strided =
        succeeded(type.getStridesAndOffset(strides, offset)) && !type.getLayout().isIdentity();
    DynamicShape dynamic(type);
    for (int64_t size : type.getShape())
      buffer.sizes.push_back(integer(size));
    for (unsigned i : dynamic.sizes) {
      std::string size = unique(name + "_size" + std::to_string(i));
      result.push_back(language.type(IndexType::get(function.getContext()), true) + " " + size);
      buffer.sizes[i] = {size, Precedence::Primary, true};
    }
    Expression stride = integer(1);
    for (int64_t i = type.getRank() - 1; i >= 0; --i) {
      buffer.strides.insert(buffer.strides.begin(), strided ? integer(strides[i]) : stride);
      stride = product(buffer.sizes[i], stride);
    }
    for (unsigned i : dynamic.strides) {
      std::string text = unique(name + "_stride" + std::to_string(i));
      result.push_back(language.type(IndexType::get(function.getContext()), true) + " " + text);
      buffer.strides[i] = {text, Precedence::Primary, true};
    }
    bindBuffer(argument, std::move(buffer));
  }
  return result;
}

SmallVector<Expression> FunctionPrinter::arguments(ValueRange given, TypeRange types) {
  SmallVector<Expression> result;
  for (auto [value, taken] : llvm::zip_equal(given, types)) {
    auto type = dyn_cast<MemRefType>(taken);
    if (!type) {
      result.push_back(use(value, value.getType().isIntOrIndex()));
      continue;
    }
    const Buffer &passed = buffer(value);
    result.push_back(passed.pointer);
    DynamicShape dynamic(type);
    for (unsigned i : dynamic.sizes)
      result.push_back(passed.sizes[i]);
    for (unsigned i : dynamic.strides)
      result.push_back(passed.strides[i]);
  }
  return result;
}

void FunctionPrinter::bindBuffer(Value value, Expression pointer, ArrayRef<Expression> sizes) {
  auto type = cast<MemRefType>(value.getType());
  Buffer buffer{std::move(pointer), {}, {}, false};
  for (int64_t size : type.getShape()) {
    if (!ShapedType::isDynamic(size)) {
      buffer.sizes.push_back(integer(size));
      continue;
    }
    buffer.sizes.push_back(sizes.front());
    sizes = sizes.drop_front();
  }
  Expression stride = integer(1);
  buffer.strides.resize(type.getRank());
  for (int64_t i = type.getRank() - 1; i >= 0; --i) {
    buffer.strides[i] = stride;
    stride = product(buffer.sizes[i], stride);
  }
  bindBuffer(value, std::move(buffer));
}

LogicalResult FunctionPrinter::print(func::FuncOp function, StringRef head,
                                     std::vector<bool> *kept) {
  SmallVector<std::string> declared = parameters(function);
  std::string text;
  llvm::raw_string_ostream body(text);
  FunctionPrinter inner(language, symbols, *scopes.back(), body);
  inner.values = values;
  inner.buffers = buffers;
  inner.indentation = 1;
  inner.statements(function.front());
  auto terminator = function.front().getTerminator();
  if (terminator->getNumOperands() > 1)
    inner.fail(terminator, "several results cannot be returned");
  else if (terminator->getNumOperands() == 1)
    inner.line("return " + inner.use(terminator->getOperand(0), true).text + ";");
  failed |= inner.failed;
  // A name that nobody uses would be warned of.
  SmallVector<std::string> needed;
  for (const std::string &parameter : declared) {
    size_t name = parameter.find_last_of(" *&") + 1;
    bool isUsed = hasWord(text, StringRef(parameter).substr(name));
    if (kept)
      kept->push_back(isUsed);
    if (isUsed)
      needed.push_back(parameter);
    else if (!kept)
      needed.push_back(parameter.substr(0, name) + "/*" + parameter.substr(name) + "*/");
  }
  declared = std::move(needed);
  line((head + "(" + llvm::join(declared, ", ") + ") {").str());
  os << text;
  line("}");
  return result();
}

//===--- what is known of arguments --------------------------------------------------------------

DynamicShape::DynamicShape(MemRefType type) {
  for (unsigned i = 0; i < type.getRank(); ++i)
    if (type.isDynamicDim(i))
      sizes.push_back(i);
  SmallVector<int64_t> found;
  int64_t offset;
  if (type.getLayout().isIdentity() || failed(type.getStridesAndOffset(found, offset)))
    return;
  for (auto [i, stride] : llvm::enumerate(found))
    if (ShapedType::isDynamic(stride))
      strides.push_back(i);
}

static bool writesThrough(Operation *op, OpOperand &use) {
  if (auto callee = dyn_cast<func::CallOp>(op)) {
    auto function = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, callee.getCalleeAttr());
    return !function || function.isExternal() ||
           isWritten(function.getArgument(use.getOperandNumber()));
  }
  auto effects = dyn_cast<MemoryEffectOpInterface>(op);
  if (!effects)
    return !isMemoryEffectFree(op);
  SmallVector<MemoryEffects::EffectInstance> instances;
  effects.getEffects(instances);
  return llvm::any_of(instances, [&](const MemoryEffects::EffectInstance &effect) {
    return isa<MemoryEffects::Write>(effect.getEffect()) &&
           (!effect.getValue() || effect.getValue() == use.get());
  });
}

bool isWritten(Value buffer) {
  return llvm::any_of(buffer.getUses(), [](OpOperand &use) {
    Operation *user = use.getOwner();
    if (isa<ViewLikeOpInterface, UnrealizedConversionCastOp>(user))
      return llvm::any_of(user->getResults(), isWritten);
    return !isa<memref::PrefetchOp>(user) && writesThrough(user, use);
  });
}

} // namespace formwork::source
