// What one-shot bufferization needs to know of fw.launch: inputs are read, outputs written, and
// read only where the kernel does not overwrite them whole.
#include "passes/Passes.h"

#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"

using namespace mlir;
using namespace mlir::bufferization;

namespace formwork {

namespace {
struct LaunchModel : DstBufferizableOpInterfaceExternalModel<LaunchModel, LaunchOp> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand, const AnalysisState &) const {
    auto launch = cast<LaunchOp>(op);
    if (!launch.isDpsInit(&operand))
      return true;
    return !launch.getOverwrites()[operand.getOperandNumber() - launch.getInputs().size()];
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options, BufferizationState &state) const {
    auto launch = cast<LaunchOp>(op);
    FailureOr<SmallVector<Value>> inputs = buffers(launch.getInputs(), rewriter, options, state);
    FailureOr<SmallVector<Value>> outputs = buffers(launch.getOutputs(), rewriter, options, state);
    if (failed(inputs) || failed(outputs))
      return failure();
    auto onBuffers = LaunchOp::create(rewriter, launch.getLoc(), TypeRange(), launch.getKernel(),
                                      *inputs, *outputs, launch.getOverwrites());
    onBuffers->setDiscardableAttrs(launch->getDiscardableAttrDictionary());
    replaceOpWithBufferizedValues(rewriter, op, *outputs);
    return success();
  }

private:
  static FailureOr<SmallVector<Value>> buffers(ValueRange values, RewriterBase &rewriter,
                                               const BufferizationOptions &options,
                                               BufferizationState &state) {
    SmallVector<Value> result;
    for (Value value : values) {
      if (isa<TensorType>(value.getType())) {
        FailureOr<Value> buffer = getBuffer(rewriter, value, options, state);
        if (failed(buffer))
          return failure();
        value = *buffer;
      }
      result.push_back(value);
    }
    return result;
  }
};
} // namespace

void registerLaunchBufferization(DialectRegistry &registry) {
  registry.addExtension(
      +[](MLIRContext *context, FwDialect *) { LaunchOp::attachInterface<LaunchModel>(*context); });
}

} // namespace formwork
