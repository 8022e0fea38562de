// Multiplies tables of embeddings by the kernel that follows, ahead of time: what a recurrent or
// dense layer's kernel W makes of row i of a table T is row i of T W.
//
//   dot_general(gather(T, i), W)   becomes   gather(P, i),   P = T W
//
// P is a variable of role "derived", which the entry `derive` computes of weights. It costs memory:
// the smallest are made first, as long as all together take no more than `bytes`. Each is told in a
// remark.
//
// Only in modules that update no variable: a weight that moves would take P along in each step. And
// only where nothing but transposes lies between gather and contraction, of a single dimension.
#include "ir/Variables.h"
#include "passes/Passes.h"
#include "passes/training/EntryFunction.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_FOLDEMBEDDINGS
#include "passes/Passes.h.inc"

//===--- what can be folded ----------------------------------------------------------------------

namespace {
/// A contraction of rows of a table with a kernel.
struct Projection {
  DotGeneralOp dot;
  GatherOp gather;
  /// From the gather on, until the contraction.
  SmallVector<TransposeOp> transposes;
  FlatSymbolRefAttr table, kernel;
};

/// A table times a kernel, and where that is read.
struct Product {
  SmallVector<Projection> projections;
  VariableOp table, kernel, result;
  /// Of the kernel: 0, or 1 where it is read transposed.
  int64_t contracted;
  RankedTensorType type;

  int64_t bytes() const { return type.getNumElements() * type.getElementTypeBitWidth() / 8; }
};
} // namespace

/// The variable that `value` is, if it is a matrix; else null.
static FlatSymbolRefAttr matrixVariable(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  auto function = argument ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp()) : nullptr;
  auto type = cast<RankedTensorType>(value.getType());
  if (!function || type.getRank() != 2 || !type.hasStaticShape())
    return {};
  return function.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(), "fw.variable");
}

static std::optional<Projection> projectionOf(DotGeneralOp dot) {
  if (!dot.getABatch().empty() || dot.getAContract().size() != 1)
    return std::nullopt;
  Projection found;
  found.dot = dot;
  Value value = dot.getA();
  int64_t axis = dot.getAContract().front();
  while (auto transpose = value.getDefiningOp<TransposeOp>()) {
    found.transposes.insert(found.transposes.begin(), transpose);
    axis = transpose.getPermutation()[axis];
    value = transpose.getX();
  }
  found.gather = value.getDefiningOp<GatherOp>();
  if (!found.gather || axis != found.gather.getIndices().getType().getRank())
    return std::nullopt;
  found.table = matrixVariable(found.gather.getTable());
  found.kernel = matrixVariable(dot.getB());
  return found.table && found.kernel ? std::optional(found) : std::nullopt;
}

//===--- the products ----------------------------------------------------------------------------

static RankedTensorType typeOf(VariableOp variable) {
  return cast<RankedTensorType>(variable.getType());
}

static SmallVector<Product> findProducts(ModuleOp module) {
  SymbolTable symbols(module);
  llvm::MapVector<std::tuple<Attribute, Attribute, int64_t>, Product> products;
  module.walk([&](DotGeneralOp dot) {
    std::optional<Projection> projection = projectionOf(dot);
    if (!projection)
      return;
    int64_t contracted = dot.getBContract().front();
    Product &product = products[{projection->table, projection->kernel, contracted}];
    product.table = symbols.lookup<VariableOp>(projection->table.getValue());
    product.kernel = symbols.lookup<VariableOp>(projection->kernel.getValue());
    product.contracted = contracted;
    RankedTensorType table = typeOf(product.table), kernel = typeOf(product.kernel);
    product.type = table.clone({table.getDimSize(0), kernel.getDimSize(1 - contracted)});
    product.projections.push_back(*projection);
  });
  return llvm::to_vector(llvm::make_second_range(products));
}

/// As many as fit into so many bytes, the smallest first.
static void keepSmallest(SmallVectorImpl<Product> &products, int64_t bytes) {
  auto order = [](Product &product) {
    return std::tuple(product.bytes(), product.table.getSymName(), product.kernel.getSymName(),
                      product.contracted);
  };
  llvm::sort(products, [&](Product &a, Product &b) { return order(a) < order(b); });
  auto *tooLarge = llvm::find_if(products, [&](const Product &product) {
    bytes -= product.bytes();
    return bytes < 0;
  });
  products.erase(tooLarge, products.end());
}

/// Declares the product as a variable, after all others.
static void declare(Product &product, ModuleOp module) {
  ImplicitLocOpBuilder builder(product.projections.front().dot.getLoc(), module.getContext());
  builder.setInsertionPoint(*module.getOps<func::FuncOp>().begin());
  std::string name = (product.table.getSymName() + " x " + product.kernel.getSymName() +
                      (product.contracted == 1 ? " transposed" : ""))
                         .str();
  product.result = VariableOp::create(builder, name, product.type);
  product.result->setAttr("role", builder.getStringAttr("derived"));
  emitRemark(builder.getLoc()) << "reads rows of '" << product.table.getSymName()
                               << "' that are multiplied by '" << product.kernel.getSymName()
                               << "' already: " << product.bytes() << " bytes of weights more";
}

//===--- derive ----------------------------------------------------------------------------------

/// Adds the argument that a variable is, or finds it.
static Value argumentFor(func::FuncOp function, VariableOp variable) {
  Builder builder(function.getContext());
  auto symbol = FlatSymbolRefAttr::get(variable);
  for (BlockArgument argument : function.getArguments())
    if (function.getArgAttr(argument.getArgNumber(), "fw.variable") == symbol)
      return argument;
  unsigned index = function.getNumArguments();
  auto attributes = builder.getDictionaryAttr(builder.getNamedAttr("fw.variable", symbol));
  (void)function.insertArgument(index, variable.getType(), attributes, variable.getLoc());
  return function.getArgument(index);
}

/// The entry that computes all products of weights.
static void buildDerive(ModuleOp module, MutableArrayRef<Product> products) {
  EntryFunction derive(module, "derive");
  ImplicitLocOpBuilder &builder = derive.builder();
  auto function = cast<func::FuncOp>(builder.getInsertionBlock()->getParentOp());
  for (Product &product : products) {
    builder.setLoc(product.result.getLoc());
    Value table = argumentFor(function, product.table);
    Value kernel = argumentFor(function, product.kernel);
    Value result = DotGeneralOp::create(builder, table, kernel, ArrayRef<int64_t>{1},
                                        ArrayRef<int64_t>{product.contracted});
    derive.addResult(result, Buffer{product.result.getSymName().str(), "derived", product.type});
  }
  derive.finish();
}

//===--- reading them ----------------------------------------------------------------------------

/// Dimension `axis` last, the others in order.
static SmallVector<int64_t> movedLast(int64_t rank, int64_t axis) {
  auto permutation = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  permutation.erase(permutation.begin() + axis);
  permutation.push_back(axis);
  return permutation;
}

static void readProduct(Projection &projection, VariableOp product) {
  DotGeneralOp dot = projection.dot;
  ImplicitLocOpBuilder builder(dot.getLoc(), dot);
  Value table = argumentFor(dot->getParentOfType<func::FuncOp>(), product);
  Value value = GatherOp::create(builder, table, projection.gather.getIndices());
  for (TransposeOp transpose : projection.transposes)
    value = TransposeOp::create(builder, value, transpose.getPermutation());
  int64_t rank = cast<RankedTensorType>(value.getType()).getRank();
  value = builder.createOrFold<TransposeOp>(value, movedLast(rank, dot.getAContract().front()));
  dot.replaceAllUsesWith(value);
  dot.erase();
}

namespace {
struct FoldEmbeddings : impl::FoldEmbeddingsBase<FoldEmbeddings> {
  using FoldEmbeddingsBase::FoldEmbeddingsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (!bytes || updatesVariables(module))
      return markAllAnalysesPreserved();
    SmallVector<Product> products = findProducts(module);
    keepSmallest(products, bytes);
    if (products.empty())
      return markAllAnalysesPreserved();
    for (Product &product : products) {
      declare(product, module);
      for (Projection &projection : product.projections)
        readProduct(projection, product.result);
    }
    buildDerive(module, products);
  }
};
} // namespace

} // namespace formwork
