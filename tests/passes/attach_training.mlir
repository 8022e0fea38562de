// RUN: formwork-opt %s --fw-attach-training | FileCheck %s
// RUN: formwork-opt %s --fw-attach-training --mlir-print-debuginfo --mlir-print-local-scope | FileCheck %s --check-prefix=LOC
// RUN: formwork-opt %s --fw-model --verify-diagnostics | FileCheck %s --check-prefix=PURE

// Two outputs, a frozen weight, a statistic that the forward pass moves, randomness, a weight that no
// loss depends on.
module attributes {fw.symbols = 2 : i64, fw.floatx = f32, fw.training = {
    optimizer = {class_name = "SGD", config = {name = "sgd", learning_rate = {class_name = "ExponentialDecay",
      config = {initial_learning_rate = 1.000000e-01 : f64, decay_steps = 10 : i64, decay_rate = 5.000000e-01 : f64}}}},
    loss = {a = "mse", b = unit}, loss_weights = {a = 5.000000e-01 : f64, b = 1.0 : f64}, metrics = {b = ["mae"]}}} {

// CHECK:      fw.variable @rng
// With a schedule there is no learning rate to keep. Frozen weights have no slots, nor has SGD any.
// CHECK-NEXT: fw.variable @"sgd/iteration" {{.*}}path = "optimizer/vars/0"
// CHECK-NEXT: fw.variable @"metrics/loss/total"
// CHECK-NEXT: fw.variable @"metrics/loss/count"
// One loss is no reason to show losses by output.
// CHECK-NEXT: fw.variable @"metrics/b_mae/total"
// CHECK-NEXT: fw.variable @"metrics/b_mae/count"
// CHECK-NOT:  fw.variable
fw.variable @scale : tensor<f32> trainable {role = "weight", initializer = "ones"}
fw.variable @frozen : tensor<f32> {role = "weight", initializer = "ones"}
fw.variable @moving : tensor<f32> {role = "weight", initializer = "zeros"}
// expected-warning @below {{no loss depends on 'unused': it has no gradient and will not be trained}}
fw.variable @unused : tensor<3xf32> trainable {role = "weight", initializer = "ones"}
fw.variable @rng : tensor<2xi64> {role = "rng"}

func.func @predict(%x: tensor<?x?xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, 1>})
    -> (tensor<?x?xf32> {fw.name = "a", fw.role = "output", fw.symbols = array<i64: 0, 1>},
        tensor<?x3xf32> {fw.name = "b", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
  %scale = fw.read @scale : tensor<f32>
  %a = fw.mul %x, %scale : (tensor<?x?xf32>, tensor<f32>) -> tensor<?x?xf32> loc("multiply")
  %unused = fw.read @unused : tensor<3xf32>
  %s = fw.reduce_sum %x axes = [1] keepdims : (tensor<?x?xf32>) -> tensor<?x1xf32>
  %b = fw.mul %s, %unused : (tensor<?x1xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  return %a, %b : tensor<?x?xf32>, tensor<?x3xf32>
}
func.func private @forward(%x: tensor<?x?xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, 1>})
    -> (tensor<?x?xf32> {fw.name = "a", fw.role = "output", fw.symbols = array<i64: 0, 1>},
        tensor<?x3xf32> {fw.name = "b", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
  %rng = fw.read @rng : tensor<2xi64>
  %scale = fw.read @scale : tensor<f32>
  %frozen = fw.read @frozen : tensor<f32>
  fw.assign @moving, %scale : tensor<f32>
  %d = fw.dropout %x, %rng {rate = 5.000000e-01 : f64, stream = 0 : i64} : (tensor<?x?xf32>, tensor<2xi64>) -> tensor<?x?xf32>
  %f = fw.mul %d, %frozen : (tensor<?x?xf32>, tensor<f32>) -> tensor<?x?xf32>
  %a = fw.mul %f, %scale : (tensor<?x?xf32>, tensor<f32>) -> tensor<?x?xf32> loc("multiply")
  %unused = fw.read @unused : tensor<3xf32>
  %s = fw.reduce_sum %x axes = [1] keepdims : (tensor<?x?xf32>) -> tensor<?x1xf32>
  %b = fw.mul %s, %unused : (tensor<?x1xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  return %a, %b : tensor<?x?xf32>, tensor<?x3xf32>
}
}

// Both outputs have a target, one for its loss, one for its metric. Symbols are the outputs'.
// CHECK-LABEL: func.func @train_step
// CHECK-SAME:    tensor<?x?xf32> {fw.name = "a", fw.role = "target", fw.symbols = array<i64: 0, 1>}
// CHECK-SAME:    tensor<?x3xf32> {fw.name = "b", fw.role = "target", fw.symbols = array<i64: 0, -1>}
// CHECK:         fw.assign @moving
// CHECK:         fw.gradient {{.*}} unconnected_zeros : (tensor<f32>, tensor<f32>, tensor<3xf32>) -> (tensor<f32>, tensor<3xf32>)
// The counter of the random state goes on once.
// CHECK:         %[[ONE:.*]] = fw.constant dense<[0, 1]> : tensor<2xi64>
// CHECK:         %[[STATE:.*]] = fw.read @rng
// CHECK:         %[[NEXT:.*]] = fw.add %[[STATE]], %[[ONE]]
// CHECK:         fw.assign @rng, %[[NEXT]]
// The schedule, in f32.
// CHECK:         fw.cast {{.*}} to f32
// CHECK:         fw.pow
// CHECK:         fw.assign @scale
// CHECK-NOT:     fw.assign @frozen
// CHECK:         return

// Evaluation moves nothing but metrics.
// CHECK-LABEL: func.func @evaluate_step
// CHECK-NOT:     fw.assign @{{moving|rng|scale}}
// CHECK-LABEL: func.func @gradients
// CHECK-SAME:    -> (tensor<f32> {fw.name = "loss"{{.*}}}, tensor<f32> {fw.name = "scale", fw.role = "gradient"{{.*}}}, tensor<3xf32> {fw.name = "unused"
// CHECK:         fw.assign @rng
// CHECK-NOT:     fw.assign @scale
// CHECK-LABEL: func.func @apply
// CHECK-NOT:     fw.assign @rng
// CHECK-LABEL: func.func @init
// The random state is made of the seed and begins at 0; what it initializes was drawn before.
// CHECK:         fw.constant dense<[0, -1]>
// CHECK:         fw.assign @frozen
// CHECK:         fw.constant dense<0> : tensor<2xi64>
// CHECK:         fw.assign @rng

// Every op knows its part of the step.
// LOC-LABEL: func.func @train_step
// LOC:         fw.mul {{.*}} loc("multiply")
// LOC:         fw.square {{.*}} loc("loss"(
// LOC:         fw.abs {{.*}} loc("b_mae"(
// LOC:         fw.pow {{.*}} loc("sgd"(

// PURE-LABEL: func.func @train_step(
// PURE-SAME:    tensor<f32> {fw.donated, fw.variable = @scale}
// PURE-SAME:    -> (tensor<f32> {fw.name = "loss", {{.*}}}, tensor<f32> {fw.variable = @
