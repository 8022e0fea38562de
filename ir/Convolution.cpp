// Convolution of images [n, spatial dimensions..., channels] with kernels [window..., channels,
// filters], and its two gradients.
//
// All three sum x * kernel * y over the same index space
//   n          image                    p...   position of the window
//   g          group, if there are any  o      filter (of the group)
//   i...       place in the window      c      channel (of the group)
// each leaving out another factor: hence each is the gradient of the others, to any order.
//
// A depthwise convolution, whose groups have one channel and one filter each, has neither c nor o:
// it multiplies vectors that lie along the groups.
#include "ir/Padding.h"
#include "ir/Slicing.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace formwork {

static ArrayRef<int64_t> windowSize(Value kernel) {
  return cast<RankedTensorType>(kernel.getType()).getShape().drop_back(2);
}

template <typename Op> static Windows windowsOf(Op op, Value kernel) {
  return windowsOf(windowSize(kernel), op.getStrides(), op.getPadding(), op.getDilations());
}

Windows ConvOp::slidingWindows() { return windowsOf(*this, getKernel()); }

//===--- types -----------------------------------------------------------------------------------

/// The type of conv's result. `adaptor` has the windows' attributes.
template <typename Adaptor>
static FailureOr<RankedTensorType> inferConvolution(std::optional<Location> location,
                                                    Adaptor &adaptor, Value image, Value filters) {
  auto x = cast<RankedTensorType>(image.getType());
  auto kernel = cast<RankedTensorType>(filters.getType());
  int64_t groups = adaptor.getGroups();
  if (kernel.getRank() < 3 || !kernel.hasStaticShape())
    return emitOptionalError(location, "needs a kernel [window..., channels, filters], not ",
                             kernel);
  if (failed(verifyWindows(location, x, windowSize(filters), adaptor.getStrides(),
                           adaptor.getPadding(), adaptor.getDilations())))
    return failure();
  int64_t count = kernel.getShape().back(), channels = kernel.getShape().drop_back().back();
  if (groups < 1 || count % groups != 0)
    return emitOptionalError(location, count, " filters do not make ", groups, " groups");
  if (failed(verifyCompatibleDims({x.getShape().back(), channels * groups})))
    return emitOptionalError(location, x, " has ", x.getShape().back(),
                             " channels, the kernel takes ", channels, " in each of ", groups,
                             " groups");
  return x.clone(positions(x, windowsOf(adaptor, filters), count));
}

/// As inferConvolution, and `y` is such a result.
template <typename Adaptor>
static LogicalResult verifyCotangent(std::optional<Location> location, Adaptor &adaptor,
                                     Value image, Value filters, Value y) {
  FailureOr<RankedTensorType> expected = inferConvolution(location, adaptor, image, filters);
  if (failed(expected))
    return failure();
  if (failed(verifyCompatibleShape(*expected, cast<RankedTensorType>(y.getType()))))
    return emitOptionalError(location, "the convolution gives ", *expected, ", not ", y.getType());
  return success();
}

LogicalResult ConvOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                       Adaptor adaptor, SmallVectorImpl<Type> &types) {
  FailureOr<RankedTensorType> type =
      inferConvolution(location, adaptor, adaptor.getX(), adaptor.getKernel());
  if (failed(type))
    return failure();
  types.push_back(*type);
  return success();
}

LogicalResult ConvInputGradOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                                Adaptor adaptor, SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getLike().getType());
  return verifyCotangent(location, adaptor, adaptor.getLike(), adaptor.getKernel(),
                         adaptor.getDy());
}

LogicalResult ConvKernelGradOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                                 Adaptor adaptor, SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getLike().getType());
  return verifyCotangent(location, adaptor, adaptor.getX(), adaptor.getLike(), adaptor.getDy());
}

//===--- decompose -------------------------------------------------------------------------------

namespace {
/// What there is of the loops over groups, their channels and their filters.
enum class Kind { OneGroup, Groups, Depthwise };

/// The loops of a convolution with windows of `rank` dimensions, in the order that `order` says.
struct Loops {
  enum Loop { N, P, G, O, I, C };

  AffineExpr n, g, o, c;
  SmallVector<AffineExpr> p, i;
  int64_t count = 0;
  Kind kind;

  Loops(Builder &builder, Kind kind, int64_t rank, ArrayRef<Loop> order) : kind(kind) {
    auto next = [&] { return builder.getAffineDimExpr(count++); };
    auto spatial = [&](SmallVector<AffineExpr> &loops) {
      for (int64_t dimension = 0; dimension < rank; ++dimension)
        loops.push_back(next());
    };
    for (Loop loop : order) {
      if (loop == N)
        n = next();
      else if (loop == P)
        spatial(p);
      else if (loop == I)
        spatial(i);
      else if (loop == G && kind != Kind::OneGroup)
        g = next();
      else if (loop == O && kind != Kind::Depthwise)
        o = next();
      else if (loop == C && kind != Kind::Depthwise)
        c = next();
    }
  }

  /// Of a channel of images at `places`: `channel` is c or o.
  SmallVector<AffineExpr> image(ArrayRef<AffineExpr> places, AffineExpr channel) const {
    SmallVector<AffineExpr> indices = {n};
    indices.append(places.begin(), places.end());
    if (kind != Kind::OneGroup)
      indices.push_back(g);
    if (kind != Kind::Depthwise)
      indices.push_back(channel);
    return indices;
  }
  SmallVector<AffineExpr> kernel() const {
    SmallVector<AffineExpr> indices = i;
    if (kind != Kind::Depthwise)
      indices.push_back(c);
    if (kind != Kind::OneGroup)
      indices.push_back(g);
    if (kind != Kind::Depthwise)
      indices.push_back(o);
    return indices;
  }
};
} // namespace

static Kind kindOf(int64_t groups, Value kernel) {
  ArrayRef<int64_t> shape = cast<RankedTensorType>(kernel.getType()).getShape();
  if (groups == 1)
    return Kind::OneGroup;
  bool depthwise = shape.drop_back().back() == 1 && shape.back() == groups;
  return depthwise ? Kind::Depthwise : Kind::Groups;
}

/// Each of `count` dimensions by itself, and two as the last.
static SmallVector<ReassociationIndices> lastTwo(int64_t count) {
  SmallVector<ReassociationIndices> groups;
  for (int64_t dimension = 0; dimension < count; ++dimension)
    groups.push_back({dimension});
  groups.push_back({count, count + 1});
  return groups;
}

/// The last dimension, channels or filters, as [groups, those of a group].
static RankedTensorType splitType(RankedTensorType type, int64_t groups) {
  SmallVector<int64_t> shape(type.getShape().drop_back());
  int64_t channels = type.getShape().back();
  shape.push_back(groups);
  shape.push_back(ShapedType::isDynamic(channels) ? channels : channels / groups);
  return type.clone(shape);
}

/// A depthwise kernel's type without the dimension of a group's only channel.
static RankedTensorType depthwiseType(RankedTensorType kernel) {
  SmallVector<int64_t> shape(kernel.getShape());
  shape.erase(shape.end() - 2);
  return kernel.clone(shape);
}

/// Images as the loops index them.
static Value splitImages(ImplicitLocOpBuilder &builder, Kind kind, Value x, int64_t groups) {
  auto type = cast<RankedTensorType>(x.getType());
  if (kind != Kind::Groups)
    return x;
  return tensor::ExpandShapeOp::create(builder, splitType(type, groups), x,
                                       lastTwo(type.getRank() - 1));
}

/// A kernel as the loops index it.
static Value splitKernel(ImplicitLocOpBuilder &builder, Kind kind, Value kernel, int64_t groups) {
  auto type = cast<RankedTensorType>(kernel.getType());
  if (kind != Kind::Depthwise)
    return splitImages(builder, kind, kernel, groups);
  return tensor::CollapseShapeOp::create(builder, depthwiseType(type), kernel,
                                         lastTwo(type.getRank() - 2));
}

/// Sums products into zeros of `type`.
static Value contract(ImplicitLocOpBuilder &builder, const Loops &loops, Indexed a, Indexed b,
                      RankedTensorType type, const Sizes &sizes, ArrayRef<AffineExpr> indices) {
  Value zeros = filled(builder, emptyOf(builder, type, sizes), 0);
  auto body = [](ArrayRef<Expr> elements) { return elements[2] + elements[0] * elements[1]; };
  return generic(builder, loops.count, {a, b}, {zeros, llvm::to_vector(indices)}, body);
}

/// Images of `type` with `channel` as sums of products.
static Value contractToImages(ImplicitLocOpBuilder &builder, const Loops &loops, Indexed x,
                              Value kernel, RankedTensorType type, Sizes sizes, int64_t groups,
                              AffineExpr channel) {
  SmallVector<AffineExpr> indices = loops.image(loops.p, channel);
  x.tensor = splitImages(builder, loops.kind, x.tensor, groups);
  Indexed factor{splitKernel(builder, loops.kind, kernel, groups), loops.kernel()};
  if (loops.kind != Kind::Groups)
    return contract(builder, loops, x, factor, type, sizes, indices);
  sizes.push_back({});
  Value y = contract(builder, loops, x, factor, splitType(type, groups), sizes, indices);
  return tensor::CollapseShapeOp::create(builder, type, y, lastTwo(type.getRank() - 1));
}

/// A kernel as sums of products; its sizes are known.
static Value contractToKernel(ImplicitLocOpBuilder &builder, const Loops &loops, Indexed x,
                              Indexed dy, RankedTensorType type, int64_t groups) {
  x.tensor = splitImages(builder, loops.kind, x.tensor, groups);
  dy.tensor = splitImages(builder, loops.kind, dy.tensor, groups);
  SmallVector<AffineExpr> indices = loops.kernel();
  if (loops.kind == Kind::OneGroup)
    return contract(builder, loops, x, dy, type, {}, indices);
  if (loops.kind == Kind::Depthwise) {
    Value kernel = contract(builder, loops, x, dy, depthwiseType(type), {}, indices);
    return tensor::ExpandShapeOp::create(builder, type, kernel, lastTwo(type.getRank() - 2));
  }
  Value kernel = contract(builder, loops, x, dy, splitType(type, groups), {}, indices);
  return tensor::CollapseShapeOp::create(builder, type, kernel, lastTwo(type.getRank() - 1));
}

/// Where the windows at the positions read at their places.
static SmallVector<AffineExpr> readAt(const Loops &loops, const Windows &windows) {
  SmallVector<AffineExpr> indices;
  for (auto [p, i, window] : llvm::zip_equal(loops.p, loops.i, windows))
    indices.push_back(p * window.stride + i * window.dilation);
  return indices;
}

MaybeValues ConvOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this, getKernel());
  Loops loops(builder, kindOf(getGroups(), getKernel()), windows.size(),
              {Loops::N, Loops::P, Loops::G, Loops::O, Loops::I, Loops::C});
  Indexed x{padded(builder, getX(), windows, 0), loops.image(readAt(loops, windows), loops.c)};
  return SmallVector<Value>{contractToImages(builder, loops, x, getKernel(), getType(),
                                             positions(builder, getX(), windows), getGroups(),
                                             loops.o)};
}

MaybeValues ConvKernelGradOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this, getLike());
  Loops loops(builder, kindOf(getGroups(), getLike()), windows.size(),
              {Loops::I, Loops::C, Loops::G, Loops::O, Loops::N, Loops::P});
  Indexed x{padded(builder, getX(), windows, 0), loops.image(readAt(loops, windows), loops.c)};
  Indexed dy{getDy(), loops.image(loops.p, loops.o)};
  return SmallVector<Value>{contractToKernel(builder, loops, x, dy, getType(), getGroups())};
}

// p runs over the image here: dx[p] sums over the places of the window, which read the spread dy
// backwards.
MaybeValues ConvInputGradOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this, getKernel());
  Loops loops(builder, kindOf(getGroups(), getKernel()), windows.size(),
              {Loops::N, Loops::P, Loops::G, Loops::C, Loops::I, Loops::O});
  SmallVector<AffineExpr> backwards;
  for (auto [p, i, window] : llvm::zip_equal(loops.p, loops.i, windows))
    backwards.push_back(p + (window.span() - 1) - i * window.dilation);
  Indexed dy{spread(builder, getDy(), getLike(), windows, 0), loops.image(backwards, loops.o)};
  return SmallVector<Value>{contractToImages(builder, loops, dy, getKernel(), getType(),
                                             sizesOf(builder, getLike()), getGroups(), loops.c)};
}

//===--- gradients -------------------------------------------------------------------------------

namespace {
/// The three factors' rules, with the attributes of `op`.
template <typename Op> struct Rules {
  ImplicitLocOpBuilder &builder;
  Op op;

  template <typename Result, typename... Operands> Value build(Operands... operands) {
    return Result::create(builder, operands..., op.getStrides(), op.getPadding(), op.getDilations(),
                          op.getGroups());
  }
  Value forY(Value x, Value kernel, Value like) {
    return sumToShapeOf(builder, build<ConvOp>(x, kernel), like);
  }
  Value forX(Value dy, Value kernel, Value like) {
    return build<ConvInputGradOp>(dy, kernel, like);
  }
  Value forKernel(Value x, Value dy, Value like) { return build<ConvKernelGradOp>(x, dy, like); }
};
template <typename Op> Rules(ImplicitLocOpBuilder &, Op) -> Rules<Op>;
} // namespace

MaybeValues ConvOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  Rules rules{builder, *this};
  Value dy = cotangents[0];
  return SmallVector<Value>{rules.forX(dy, getKernel(), getX()),
                            rules.forKernel(getX(), dy, getKernel())};
}

MaybeValues ConvInputGradOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  Rules rules{builder, *this};
  Value x = cotangents[0];
  return SmallVector<Value>{rules.forY(x, getKernel(), getDy()),
                            rules.forKernel(x, getDy(), getKernel()), Value()};
}

MaybeValues ConvKernelGradOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  Rules rules{builder, *this};
  Value kernel = cotangents[0];
  return SmallVector<Value>{rules.forX(getDy(), kernel, getX()),
                            rules.forY(getX(), kernel, getDy()), Value()};
}

} // namespace formwork
