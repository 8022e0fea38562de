// `convert`: a model's variables from one kind of file to another.
#include "runtime/Error.h"
#include "runtime/app/Options.h"
#include "runtime/io/Checkpoint.h"

#include <cstdio>

namespace formwork::runtime {

int convertCommand(const formwork_model &model, const Options &options) {
  if (options.output.empty())
    throw UsageError("convert needs a file to write: -o FILE");
  checkCheckpointPath(options.output);
  Instance instance(model, {});
  instance.initialize(/*seed=*/0);
  Position position = {0, 0, false, true};
  if (!options.weights.empty())
    position = loadCheckpoint(options.weights, instance);
  else if (instance.needsWeights())
    throw Error(
        text("%s: has no weights inside: name a file that has them with --weights", model.name));
  if (!position.complete)
    fprintf(stderr,
            "note: %s has nothing of this optimizer's memory: what is written has a fresh "
            "one\n",
            options.weights.c_str());
  saveCheckpoint(options.output, instance, position);
  return 0;
}

} // namespace formwork::runtime
