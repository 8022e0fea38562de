// RUN: formwork-opt %s --fw-attach-training --split-input-file --verify-diagnostics

// All that is wrong is said at once, each with its object, what, why and what to do.
// expected-error @+7 {{optimizer 'Adam': argument 'clipvalue' is 1.000000e+00 : f64, but 'clipnorm' is set as well, and gradients are clipped in one way only}}
// expected-error @+6 {{optimizer 'Adam': argument 'gradient_accumulation_steps' is 1 : i64, and must be at least 2}}
// expected-error @+5 {{optimizer 'Adam': argument 'ema_momentum' is 2.000000e+00 : f64, and must be between 0 and 1}}
// expected-error @+4 {{optimizer 'Adam' has an unknown argument 'rho': it may be of a newer Keras; remove it to compile without it}}
// expected-error @+3 {{loss 'ctc' is not supported; there are SparseCategoricalCrossentropy, CategoricalCrossentropy, BinaryCrossentropy,}}
// expected-error @+2 {{metric 'perplexity' is not supported; there are Accuracy,}}
// expected-error @+1 {{compile has an unknown argument 'sparkle'}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {
    optimizer = {class_name = "Adam", config = {clipnorm = 1.0 : f64, clipvalue = 1.0 : f64, gradient_accumulation_steps = 1 : i64, ema_momentum = 2.0 : f64, rho = 1 : i64}},
    loss = "ctc", metrics = ["perplexity"], sparkle = 1 : i64}} {
  func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
  func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
}

// -----

// No optimizer, and something that is none.
// expected-error @+1 {{the optimizer is missing}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {loss = "mse"}} {
  func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
  func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
}

// -----

// expected-error @+1 {{the optimizer is 3 : i64, which is neither a name nor an object of Keras with class_name and config}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {optimizer = 3 : i64, loss = "mse"}} {
  func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
  func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
}

// -----

// The optimizer.
// expected-error @+1 {{optimizer 'lamb' is not supported; there are SGD, Adam}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {optimizer = "lamb", loss = "mse"}} {
  func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
  func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
}

// -----

// An argument of the wrong kind.
// expected-error @+2 {{optimizer 'SGD': argument 'momentum' is "much", not a number}}
// expected-error @+1 {{optimizer 'SGD': argument 'nesterov' is 1.000000e+00 : f64, not True or False}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {optimizer = {class_name = "SGD", config = {momentum = "much", nesterov = 1.0 : f64}}, loss = "mse"}} {
  func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
  func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
}

// -----

// Schedules.
// expected-error @+1 {{learning rate schedule 'LinearDecay' is not supported; there are ExponentialDecay}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {
    optimizer = {class_name = "SGD", config = {learning_rate = {class_name = "LinearDecay", config = {}}}}, loss = "mse"}} {
  func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
  func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
}

// -----

// A period of no steps.
// expected-error @+1 {{schedule 'CosineDecay': argument 'decay_steps' is 0 : i64, and must be greater than 0}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {
    optimizer = {class_name = "SGD", config = {learning_rate = {class_name = "CosineDecay", config = {initial_learning_rate = 0.1 : f64, decay_steps = 0 : i64}}}}, loss = "mse"}} {
  func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
  func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
}

// -----

// Boundaries without values.
// expected-error @+1 {{schedule 'PiecewiseConstantDecay': argument 'values' is [1.000000e+00], and must have one more element than boundaries}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {
    optimizer = {class_name = "SGD", config = {learning_rate = {class_name = "PiecewiseConstantDecay", config = {boundaries = [1 : i64], values = [1.0 : f64]}}}}, loss = "mse"}} {
  func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
  func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
}

// -----

// Nothing to minimize.
// expected-error @+1 {{compile: there is no loss, hence nothing to train; give compile a loss, or compile the model for inference}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {optimizer = "sgd", loss = unit}} {
  func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
  func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
}

// -----

// Settings of losses.
// expected-error @+2 {{loss 'SparseCategoricalCrossentropy': argument 'axis' is 1 : i64, and only the last axis, -1, is supported; permute the output}}
// expected-error @+1 {{loss 'SparseCategoricalCrossentropy': argument 'reduction' is "none", which leaves no number to minimize; say sum_over_batch_size}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {optimizer = "sgd", loss = {class_name = "SparseCategoricalCrossentropy", config = {ignore_class = -1 : i64, axis = 1 : i64, reduction = "none"}}}} {
  func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
  func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
}

// -----

// What only the data could say.
// expected-error @+1 {{loss 'crossentropy' of output 'y' means one thing for class indices and another for one-hot targets; say sparse_categorical_crossentropy or categorical_crossentropy}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {optimizer = "sgd", loss = "crossentropy"}} {
  func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
  func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
}

// -----

// A metric of another kind than the loss.
// expected-error @+2 {{metric 'mae' cannot compare output 'y', 'tensor<?x3xf32>', with its target, 'tensor<?xi64>', which the loss determines; choose a metric of the loss's kind}}
// expected-error @+1 {{metric 'categorical_accuracy' cannot compare}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {optimizer = "sgd", loss = "sparse_categorical_crossentropy", metrics = ["mae", "categorical_accuracy"]}} {
  func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
  func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
}

// -----

// Losses and outputs that do not match.
// expected-error @+1 {{compile: loss has 2 elements, and the model has 1 outputs, 'y': give one element for each}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {optimizer = "sgd", loss = ["mse", "mse"]}} {
  func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
  func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
}

// -----

// Names that are no outputs, and outputs without a name.
// expected-error @+2 {{compile: loss names 'c', which is no output; there are 'a', 'b'}}
// expected-error @+1 {{compile: metrics is "mae", neither a list nor a dictionary over the outputs 'a', 'b'}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {optimizer = "sgd", loss = {a = "mse", c = "mse"}, metrics = "mae"}} {
  func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "a", fw.role = "output", fw.symbols = array<i64: 0, -1>},
          tensor<?x3xf32> {fw.name = "b", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    return %x, %x : tensor<?x3xf32>, tensor<?x3xf32>
  }
  func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "a", fw.role = "output", fw.symbols = array<i64: 0, -1>},
          tensor<?x3xf32> {fw.name = "b", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    return %x, %x : tensor<?x3xf32>, tensor<?x3xf32>
  }
}

// -----

// One output is left out.
// expected-error @+1 {{compile: loss must name every output: 'a', 'b'}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {optimizer = "sgd", loss = {a = "mse"}}} {
  func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "a", fw.role = "output", fw.symbols = array<i64: 0, -1>},
          tensor<?x3xf32> {fw.name = "b", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    return %x, %x : tensor<?x3xf32>, tensor<?x3xf32>
  }
  func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "a", fw.role = "output", fw.symbols = array<i64: 0, -1>},
          tensor<?x3xf32> {fw.name = "b", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    return %x, %x : tensor<?x3xf32>, tensor<?x3xf32>
  }
}

// -----

// Initializers.
// expected-error @+7 {{the initializer of 'a' 'Sobol' is not supported; there are Zeros, Ones}}
// expected-error @+6 {{the initializer of 'b', Identity needs a matrix, not 'tensor<3xf32>'}}
// expected-error @+5 {{the initializer of 'c', orthogonal needs two dimensions or more, not 'tensor<3xf32>'}}
// expected-error @+4 {{the initializer of 'd', VarianceScaling: argument 'mode' is "fan", and must be fan_in, fan_out or fan_avg}}
// expected-error @+3 {{the initializer of 'e', stft needs a kernel [frame, 1, frequencies], not 'tensor<3xf32>'}}
// expected-error @+2 {{the initializer of 'f', STFT: argument 'window' is "wide", and is no window of these: hann, hamming}}
// expected-error @+1 {{the initializer of 'g', STFT: argument 'window' is [1.000000e+00], and must have 4 numbers, one for each step of the frame}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {optimizer = "sgd", loss = "mse"}} {
  fw.variable @a : tensor<3xf32> {role = "weight", initializer = {class_name = "Sobol", config = {}}}
  fw.variable @b : tensor<3xf32> {role = "weight", initializer = {class_name = "Identity", config = {}}}
  fw.variable @c : tensor<3xf32> {role = "weight", initializer = "orthogonal"}
  fw.variable @d : tensor<3xf32> {role = "weight", initializer = {class_name = "VarianceScaling", config = {mode = "fan"}}}
  fw.variable @e : tensor<3xf32> {role = "weight", initializer = "stft"}
  fw.variable @f : tensor<4x1x3xf32> {role = "weight", initializer = {class_name = "STFT", config = {window = "wide"}}}
  fw.variable @g : tensor<4x1x3xf32> {role = "weight", initializer = {class_name = "STFT", config = {window = [1.0]}}}
  func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
  func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
      -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
    %y = fw.tanh %x : (tensor<?x3xf32>) -> tensor<?x3xf32>
    return %y : tensor<?x3xf32>
  }
}
