// How patterns are applied here.
#pragma once

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

namespace formwork {

/// For structured code: there are no blocks to merge or to find unreachable, and looking for them
/// takes as long as rewriting.
inline mlir::GreedyRewriteConfig structuredRewriting() {
  return mlir::GreedyRewriteConfig().setRegionSimplificationLevel(
      mlir::GreedySimplifyRegionLevel::Disabled);
}

/// Upstream's canonicalizer of such code: from the top down, as it goes by default. From the bottom
/// up it leaves copies of a buffer to itself.
inline std::unique_ptr<mlir::Pass> createStructuredCanonicalizer() {
  return mlir::createCanonicalizerPass(structuredRewriting().setUseTopDownTraversal(true));
}

} // namespace formwork
