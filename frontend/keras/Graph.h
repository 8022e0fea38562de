// A Keras model as its configuration describes it: layers, and the calls that connect them.
#pragma once

#include "frontend/Diagnostics.h"
#include "frontend/keras/Registry.h"

#include "mlir/IR/BuiltinTypes.h"

#include <memory>
#include <string>
#include <vector>

namespace formwork::keras {

struct Graph;

/// Output `tensor` of call number `node` of a layer.
struct TensorRef {
  unsigned layer = 0, node = 0, tensor = 0;
};

struct InnerLayer;

struct Layer {
  std::string name;
  std::string className;
  const Json *object = nullptr; // {"class_name": ..., "config": ...}
  const Json *config = nullptr;
  bool trainable = true;
  mlir::FloatType dtype;            // of its variables and computation; null: of its inputs
  const LayerClass *kind = nullptr; // null for a model and an input
  std::unique_ptr<Graph> model;     // of a model, its inside
  std::vector<InnerLayer> inner;    // of a wrapper, what it wraps
  const Json *batchShape = nullptr; // of an input: sizes, null where any goes
  mlir::Type inputType;             // of an input: its elements
};

/// A layer that a wrapper has, as the wrapper's object calls it: "forward_layer".
struct InnerLayer {
  std::string member;
  std::unique_ptr<Layer> layer;
};

/// What a layer is called with beside its first argument: tensors, or a literal.
struct CallArgument {
  std::string name;
  std::vector<TensorRef> tensors;
  const Json *literal = nullptr;
};

/// A layer applied to tensors. Inputs are in Keras's flat order: of a dictionary by sorted key.
struct Call {
  unsigned layer = 0, node = 0;
  std::vector<TensorRef> inputs; // of the first argument
  std::vector<std::string> keys; // of a dictionary, in the order of inputs; empty otherwise
  bool isList = false;           // inputs came as a list, be it of one
  std::vector<CallArgument> further;

  /// All tensors that it reads.
  std::vector<TensorRef *> tensors();
};

/// An input or an output of a model.
struct Port {
  std::string name;
  TensorRef tensor;
};

/// A Sequential or Functional model. References are in range, calls are in an order in which each
/// comes after what it reads, and every call contributes to an output.
struct Graph {
  std::string name;
  bool isSequential = false;
  bool trainable = true;
  bool hasDictionaryInputs = false;
  std::vector<Layer> layers; // in the order of the configuration, those that nothing uses left out
  std::vector<Call> calls;   // without those of input layers
  std::vector<Port> inputs, outputs;
};

/// Reads a configuration; every problem goes to `diagnostics`, and null comes back if there is one.
std::unique_ptr<Graph> readGraph(mlir::MLIRContext &context, const Json &root,
                                 Diagnostics &diagnostics);

bool isInputLayer(const Layer &layer);

/// "Dense", or "ops.NotEqual" of a function of keras.ops in the graph.
std::string kindName(const Json &object);

} // namespace formwork::keras
