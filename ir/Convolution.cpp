// Convolution of NHWC images with HWIO kernels, and its two gradients.
//
// All three sum x * kernel * y over the same index space
//   n          image                    p, q   position of the window
//   g          group, if there are any  o      filter (of the group)
//   i, j       place in the window      c      channel (of the group)
// each leaving out another factor: hence each is the gradient of the others, to any order.
//
// A depthwise convolution, whose groups have one channel and one filter each, has neither c nor o:
// it multiplies vectors that lie along the groups.
#include "ir/Slicing.h"
#include "ir/Window.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace formwork {

template <typename Op> static Windows windowsOf(Op op, Value kernel) {
  return windowsOf(cast<RankedTensorType>(kernel.getType()).getShape().take_front(2),
                   op.getStrides(), op.getPadding(), op.getDilations());
}

//===--- types -----------------------------------------------------------------------------------

/// The type of conv2d's result. `adaptor` has the windows' attributes.
template <typename Adaptor>
static FailureOr<RankedTensorType> inferConvolution(std::optional<Location> location,
                                                    Adaptor &adaptor, Value image, Value filters) {
  auto x = cast<RankedTensorType>(image.getType());
  auto kernel = cast<RankedTensorType>(filters.getType());
  int64_t groups = adaptor.getGroups();
  if (kernel.getRank() != 4 || !kernel.hasStaticShape())
    return emitOptionalError(location, "needs a kernel [height, width, channels, filters], not ",
                             kernel);
  if (failed(verifyWindows(location, x, kernel.getShape().take_front(2), adaptor.getStrides(),
                           adaptor.getPadding(), adaptor.getDilations())))
    return failure();
  if (groups < 1 || kernel.getDimSize(3) % groups != 0)
    return emitOptionalError(location, kernel.getDimSize(3), " filters do not make ", groups,
                             " groups");
  if (failed(verifyCompatibleDims({x.getDimSize(3), kernel.getDimSize(2) * groups})))
    return emitOptionalError(location, x, " has ", x.getDimSize(3), " channels, the kernel takes ",
                             kernel.getDimSize(2), " in each of ", groups, " groups");
  auto [rows, columns] = windowsOf(kernel.getShape().take_front(2), adaptor.getStrides(),
                                   adaptor.getPadding(), adaptor.getDilations());
  return x.clone({x.getDimSize(0), rows.positions(x.getDimSize(1)),
                  columns.positions(x.getDimSize(2)), kernel.getDimSize(3)});
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

LogicalResult Conv2dOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                         Adaptor adaptor, SmallVectorImpl<Type> &types) {
  FailureOr<RankedTensorType> type =
      inferConvolution(location, adaptor, adaptor.getX(), adaptor.getKernel());
  if (failed(type))
    return failure();
  types.push_back(*type);
  return success();
}

LogicalResult Conv2dInputGradOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                                  Adaptor adaptor, SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getLike().getType());
  return verifyCotangent(location, adaptor, adaptor.getLike(), adaptor.getKernel(),
                         adaptor.getDy());
}

LogicalResult Conv2dKernelGradOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                                   Adaptor adaptor, SmallVectorImpl<Type> &types) {
  types.push_back(adaptor.getLike().getType());
  return verifyCotangent(location, adaptor, adaptor.getX(), adaptor.getLike(), adaptor.getDy());
}

//===--- decompose -------------------------------------------------------------------------------

namespace {
/// What there is of the loops over groups, their channels and their filters.
enum class Kind { OneGroup, Groups, Depthwise };

/// The loops of a convolution, in the order in which `order` names them.
struct Loops {
  AffineExpr n, p, q, g, o, i, j, c;
  int64_t count = 0;
  Kind kind;

  Loops(Builder &builder, Kind kind, ArrayRef<AffineExpr Loops::*> order) : kind(kind) {
    for (AffineExpr Loops::*loop : order)
      if (has(loop))
        this->*loop = builder.getAffineDimExpr(count++);
  }

  bool has(AffineExpr Loops::*loop) const {
    if (loop == &Loops::g)
      return kind != Kind::OneGroup;
    return kind != Kind::Depthwise || (loop != &Loops::c && loop != &Loops::o);
  }

  /// Three leading indices, then a channel of a group.
  SmallVector<AffineExpr> indices(AffineExpr a, AffineExpr b, AffineExpr d, AffineExpr channel) {
    if (kind == Kind::Groups)
      return {a, b, d, g, channel};
    return {a, b, d, kind == Kind::Depthwise ? g : channel};
  }
  /// Those of a kernel: none for the only channel of a group.
  SmallVector<AffineExpr> kernelIndices() {
    if (kind == Kind::Depthwise)
      return {i, j, g};
    return indices(i, j, c, o);
  }
};
} // namespace

static Kind kindOf(int64_t groups, Value kernel) {
  auto type = cast<RankedTensorType>(kernel.getType());
  if (groups == 1)
    return Kind::OneGroup;
  return type.getDimSize(2) == 1 && type.getDimSize(3) == groups ? Kind::Depthwise : Kind::Groups;
}

static ArrayRef<ReassociationIndices> splitGroups() {
  static const ReassociationIndices groups[] = {{0}, {1}, {2}, {3, 4}};
  return groups;
}
static ArrayRef<ReassociationIndices> onlyChannel() {
  static const ReassociationIndices groups[] = {{0}, {1}, {2, 3}};
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

/// A depthwise kernel's type without the dimension that has one element.
static RankedTensorType depthwiseType(RankedTensorType kernel) {
  SmallVector<int64_t> shape(kernel.getShape());
  shape.erase(shape.begin() + 2);
  return kernel.clone(shape);
}

/// An operand or the kernel, in the shape in which loops of this kind index it.
static Value forLoops(ImplicitLocOpBuilder &builder, Kind kind, Value x, int64_t groups,
                      bool isKernel) {
  auto type = cast<RankedTensorType>(x.getType());
  if (kind == Kind::Groups)
    return tensor::ExpandShapeOp::create(builder, splitType(type, groups), x, splitGroups());
  if (kind == Kind::Depthwise && isKernel)
    return tensor::CollapseShapeOp::create(builder, depthwiseType(type), x, onlyChannel());
  return x;
}

/// Sums products of images (or what has their place) into zeros of `type`.
static Value contract(ImplicitLocOpBuilder &builder, const Loops &loops, Indexed a, Indexed b,
                      RankedTensorType type, Sizes sizes, ArrayRef<AffineExpr> indices) {
  Value zeros = filled(builder, emptyOf(builder, type, sizes), 0);
  auto body = [](ArrayRef<Expr> elements) { return elements[2] + elements[0] * elements[1]; };
  return generic(builder, loops.count, {a, b}, {zeros, llvm::to_vector(indices)}, body);
}

/// Images [n, p, q, channels] as sums of products.
static Value contractToImages(ImplicitLocOpBuilder &builder, Loops &loops, Indexed x,
                              Indexed kernel, RankedTensorType type, Sizes sizes, int64_t groups,
                              AffineExpr channel) {
  SmallVector<AffineExpr> indices = loops.indices(loops.n, loops.p, loops.q, channel);
  x.tensor = forLoops(builder, loops.kind, x.tensor, groups, /*isKernel=*/false);
  kernel.tensor = forLoops(builder, loops.kind, kernel.tensor, groups, /*isKernel=*/true);
  if (loops.kind != Kind::Groups)
    return contract(builder, loops, x, kernel, type, sizes, indices);
  sizes.push_back({});
  Value y = contract(builder, loops, x, kernel, splitType(type, groups), sizes, indices);
  return tensor::CollapseShapeOp::create(builder, type, y, splitGroups());
}

/// A kernel as sums of products; its sizes are known.
static Value contractToKernel(ImplicitLocOpBuilder &builder, Loops &loops, Indexed x, Indexed dy,
                              RankedTensorType type, int64_t groups) {
  x.tensor = forLoops(builder, loops.kind, x.tensor, groups, /*isKernel=*/false);
  dy.tensor = forLoops(builder, loops.kind, dy.tensor, groups, /*isKernel=*/false);
  SmallVector<AffineExpr> indices = loops.kernelIndices();
  if (loops.kind == Kind::OneGroup)
    return contract(builder, loops, x, dy, type, {}, indices);
  bool depthwise = loops.kind == Kind::Depthwise;
  RankedTensorType inner = depthwise ? depthwiseType(type) : splitType(type, groups);
  Value y = contract(builder, loops, x, dy, inner, {}, indices);
  if (depthwise)
    return tensor::ExpandShapeOp::create(builder, type, y, onlyChannel());
  return tensor::CollapseShapeOp::create(builder, type, y, splitGroups());
}

/// Where the window at `position` reads at place `place`.
static AffineExpr readAt(AffineExpr position, AffineExpr place, const Window &window) {
  return position * window.stride + place * window.dilation;
}

MaybeValues Conv2dOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this, getKernel());
  const auto &[rows, columns] = windows;
  Loops l(builder, kindOf(getGroups(), getKernel()),
          {&Loops::n, &Loops::p, &Loops::q, &Loops::g, &Loops::o, &Loops::i, &Loops::j, &Loops::c});
  Sizes sizes = sizesOf(builder, getX());
  sizes[1] = rows.positions(builder, sizes[1]);
  sizes[2] = columns.positions(builder, sizes[2]);
  Indexed x{padded(builder, getX(), windows, 0),
            l.indices(l.n, readAt(l.p, l.i, rows), readAt(l.q, l.j, columns), l.c)};
  Indexed kernel{getKernel(), l.kernelIndices()};
  return SmallVector<Value>{
      contractToImages(builder, l, x, kernel, getType(), sizes, getGroups(), l.o)};
}

MaybeValues Conv2dKernelGradOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this, getLike());
  const auto &[rows, columns] = windows;
  Loops l(builder, kindOf(getGroups(), getLike()),
          {&Loops::i, &Loops::j, &Loops::c, &Loops::g, &Loops::o, &Loops::n, &Loops::p, &Loops::q});
  Indexed x{padded(builder, getX(), windows, 0),
            l.indices(l.n, readAt(l.p, l.i, rows), readAt(l.q, l.j, columns), l.c)};
  Indexed dy{getDy(), l.indices(l.n, l.p, l.q, l.o)};
  return SmallVector<Value>{contractToKernel(builder, l, x, dy, getType(), getGroups())};
}

// p and q run over the image here: dx[p] sums over the places of the window, which read the spread
// dy backwards.
MaybeValues Conv2dInputGradOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this, getKernel());
  const auto &[rows, columns] = windows;
  Loops l(builder, kindOf(getGroups(), getKernel()),
          {&Loops::n, &Loops::p, &Loops::q, &Loops::g, &Loops::c, &Loops::i, &Loops::j, &Loops::o});
  auto backwards = [](AffineExpr position, AffineExpr place, const Window &window) {
    return position + (window.span() - 1) - place * window.dilation;
  };
  Indexed dy{spread(builder, getDy(), getLike(), windows, 0),
             l.indices(l.n, backwards(l.p, l.i, rows), backwards(l.q, l.j, columns), l.o)};
  Indexed kernel{getKernel(), l.kernelIndices()};
  return SmallVector<Value>{contractToImages(builder, l, dy, kernel, getType(),
                                             sizesOf(builder, getLike()), getGroups(), l.c)};
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
    return sumToShapeOf(builder, build<Conv2dOp>(x, kernel), like);
  }
  Value forX(Value dy, Value kernel, Value like) {
    return build<Conv2dInputGradOp>(dy, kernel, like);
  }
  Value forKernel(Value x, Value dy, Value like) { return build<Conv2dKernelGradOp>(x, dy, like); }
};
template <typename Op> Rules(ImplicitLocOpBuilder &, Op) -> Rules<Op>;
} // namespace

MaybeValues Conv2dOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  Rules rules{builder, *this};
  Value dy = cotangents[0];
  return SmallVector<Value>{rules.forX(dy, getKernel(), getX()),
                            rules.forKernel(getX(), dy, getKernel())};
}

MaybeValues Conv2dInputGradOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  Rules rules{builder, *this};
  Value x = cotangents[0];
  return SmallVector<Value>{rules.forY(x, getKernel(), getDy()),
                            rules.forKernel(x, getDy(), getKernel()), Value()};
}

MaybeValues Conv2dKernelGradOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  Rules rules{builder, *this};
  Value kernel = cotangents[0];
  return SmallVector<Value>{rules.forX(getDy(), kernel, getX()),
                            rules.forY(getX(), kernel, getDy()), Value()};
}

} // namespace formwork
