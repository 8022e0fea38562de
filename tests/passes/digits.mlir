// RUN: formwork-opt %s --fw-attach-training | FileCheck %s --check-prefix=ATTACH
// RUN: formwork-opt %s --fw-model | FileCheck %s
// RUN: formwork-opt %s --fw-model="train=false init=false" | FileCheck %s --check-prefix=INFERENCE

// The model of examples/digits as the Keras frontend writes it, compiled with Adam.
module attributes {fw.name = "digits", fw.symbols = 1 : i64, fw.floatx = f32,
    fw.signatures = [array<i64: 1>, array<i64: 32>],
    fw.training = {
      optimizer = {module = "keras.optimizers", class_name = "Adam", registered_name = unit, config = {
        name = "adam", learning_rate = 1.000000e-03 : f64, weight_decay = unit, clipnorm = unit,
        global_clipnorm = unit, clipvalue = unit, use_ema = false, ema_momentum = 9.900000e-01 : f64,
        ema_overwrite_frequency = unit, loss_scale_factor = unit, gradient_accumulation_steps = unit,
        beta_1 = 9.000000e-01 : f64, beta_2 = 9.990000e-01 : f64, epsilon = 1.000000e-07 : f64,
        amsgrad = false}},
      loss = "sparse_categorical_crossentropy", loss_weights = unit, metrics = ["accuracy"],
      weighted_metrics = unit, run_eagerly = false, steps_per_execution = 1 : i64, jit_compile = false}} {

// Variables that training adds: Keras's for its optimizer, in Keras's order, then the metrics'.
// ATTACH:      fw.variable @"dense_1/bias"
// ATTACH-NEXT: fw.variable @"adam/iteration" : tensor<i64> {initializer = {class_name = "Zeros", config = {}}, path = "optimizer/vars/0", role = "iterations"}
// ATTACH-NEXT: fw.variable @"adam/learning_rate" : tensor<f32> {initializer = {class_name = "Constant", config = {value = 1.000000e-03 : f64}}, path = "optimizer/vars/1", role = "hyperparameter"}
// ATTACH-NEXT: fw.variable @"adam/dense/kernel/momentum" : tensor<64x32xf32> slot_of @"dense/kernel" {{.*}}path = "optimizer/vars/2", role = "slot"
// ATTACH-NEXT: fw.variable @"adam/dense/kernel/velocity" : tensor<64x32xf32> slot_of @"dense/kernel" {{.*}}path = "optimizer/vars/3"
// ATTACH-NEXT: fw.variable @"adam/dense/bias/momentum"
// ATTACH:      fw.variable @"adam/dense_1/bias/velocity" {{.*}}path = "optimizer/vars/9"
// ATTACH-NEXT: fw.variable @"metrics/loss/total" : tensor<f32> {{.*}}role = "metric_state"
// ATTACH-NEXT: fw.variable @"metrics/loss/count"
// ATTACH-NEXT: fw.variable @"metrics/accuracy/total"
// ATTACH-NEXT: fw.variable @"metrics/accuracy/count"
fw.variable @"dense/kernel" : tensor<64x32xf32> trainable {role = "weight", path = "layers/dense/vars/0",
    initializer = {class_name = "GlorotUniform", config = {seed = unit, input_axes = unit, output_axes = unit}}}
fw.variable @"dense/bias" : tensor<32xf32> trainable {role = "weight", path = "layers/dense/vars/1",
    initializer = {class_name = "Zeros", config = {}}}
fw.variable @"dense_1/kernel" : tensor<32x10xf32> trainable {role = "weight", path = "layers/dense_1/vars/0",
    initializer = {class_name = "GlorotUniform", config = {seed = unit, input_axes = unit, output_axes = unit}}}
fw.variable @"dense_1/bias" : tensor<10xf32> trainable {role = "weight", path = "layers/dense_1/vars/1",
    initializer = {class_name = "Zeros", config = {}}}

func.func @predict(%x: tensor<?x64xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
    -> (tensor<?x10xf32> {fw.name = "dense_1", fw.role = "output", fw.symbols = array<i64: 0, -1>}) attributes {fw.entry} {
  %w0 = fw.read @"dense/kernel" : tensor<64x32xf32> loc("dense")
  %b0 = fw.read @"dense/bias" : tensor<32xf32> loc("dense")
  %0 = fw.dot_general %x, %w0 contract [1] x [0] batch [] x [] : (tensor<?x64xf32>, tensor<64x32xf32>) -> tensor<?x32xf32> loc("dense")
  %1 = fw.add %0, %b0 : (tensor<?x32xf32>, tensor<32xf32>) -> tensor<?x32xf32> loc("dense")
  %2 = fw.relu %1 : (tensor<?x32xf32>) -> tensor<?x32xf32> loc("dense")
  %w1 = fw.read @"dense_1/kernel" : tensor<32x10xf32> loc("dense_1")
  %b1 = fw.read @"dense_1/bias" : tensor<10xf32> loc("dense_1")
  %3 = fw.dot_general %2, %w1 contract [1] x [0] batch [] x [] : (tensor<?x32xf32>, tensor<32x10xf32>) -> tensor<?x10xf32> loc("dense_1")
  %4 = fw.add %3, %b1 : (tensor<?x10xf32>, tensor<10xf32>) -> tensor<?x10xf32> loc("dense_1")
  %5 = fw.softmax %4 : (tensor<?x10xf32>) -> tensor<?x10xf32> loc("dense_1")
  return %5 : tensor<?x10xf32>
}
func.func private @forward(%x: tensor<?x64xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
    -> (tensor<?x10xf32> {fw.name = "dense_1", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
  %w0 = fw.read @"dense/kernel" : tensor<64x32xf32> loc("dense")
  %b0 = fw.read @"dense/bias" : tensor<32xf32> loc("dense")
  %0 = fw.dot_general %x, %w0 contract [1] x [0] batch [] x [] : (tensor<?x64xf32>, tensor<64x32xf32>) -> tensor<?x32xf32> loc("dense")
  %1 = fw.add %0, %b0 : (tensor<?x32xf32>, tensor<32xf32>) -> tensor<?x32xf32> loc("dense")
  %2 = fw.relu %1 : (tensor<?x32xf32>) -> tensor<?x32xf32> loc("dense")
  %w1 = fw.read @"dense_1/kernel" : tensor<32x10xf32> loc("dense_1")
  %b1 = fw.read @"dense_1/bias" : tensor<10xf32> loc("dense_1")
  %3 = fw.dot_general %2, %w1 contract [1] x [0] batch [] x [] : (tensor<?x32xf32>, tensor<32x10xf32>) -> tensor<?x10xf32> loc("dense_1")
  %4 = fw.add %3, %b1 : (tensor<?x10xf32>, tensor<10xf32>) -> tensor<?x10xf32> loc("dense_1")
  %5 = fw.softmax %4 : (tensor<?x10xf32>) -> tensor<?x10xf32> loc("dense_1")
  return %5 : tensor<?x10xf32>
}
}

// The loss is computed from what softmax was given.
// ATTACH-LABEL: func.func @train_step
// ATTACH-SAME:    %[[X:.*]]: tensor<?x64xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>}
// ATTACH-SAME:    %[[Y:.*]]: tensor<?xi64> {fw.limit = 10 : i64, fw.name = "dense_1", fw.role = "target", fw.symbols = array<i64: 0>}
// ATTACH-SAME:    -> (tensor<f32> {fw.name = "loss", fw.role = "loss", fw.symbols = array<i64>})
// ATTACH-SAME:    fw.entry = "train_step"
// ATTACH:         %[[LOGITS:.*]] = fw.add {{.*}} -> tensor<?x10xf32>
// ATTACH:         %[[P:.*]] = fw.softmax %[[LOGITS]]
// ATTACH:         fw.sparse_softmax_cross_entropy %[[LOGITS]], %[[Y]]
// ATTACH:         fw.gradient
// ATTACH:         fw.argmax %[[P]]
// ATTACH:         fw.assign @"adam/iteration"
// ATTACH-LABEL: func.func @evaluate_step
// ATTACH-NOT:     fw.gradient
// ATTACH-NOT:     fw.assign @dense
// ATTACH-LABEL: func.func @gradients
// ATTACH-SAME:    tensor<64x32xf32> {fw.name = "dense/kernel", fw.role = "gradient", fw.symbols = array<i64: -1, -1>}
// ATTACH-NOT:     fw.assign @"dense
// ATTACH-LABEL: func.func @apply
// ATTACH-SAME:    tensor<64x32xf32> {fw.name = "dense/kernel", fw.role = "gradient"
// ATTACH:         fw.assign @"dense/kernel"
// ATTACH-LABEL: func.func @reset_metrics
// ATTACH-LABEL: func.func @metrics
// ATTACH-SAME:    tensor<f32> {fw.name = "loss", fw.role = "metric", fw.symbols = array<i64>}, tensor<f32> {fw.name = "accuracy", fw.role = "metric"
// ATTACH-LABEL: func.func @init
// ATTACH-SAME:    tensor<i64> {fw.name = "seed", fw.role = "seed"
// ATTACH-NOT:   @forward

// Entries with a batch get a function for each signature; the general one stays.
// CHECK:       func.func @predict(
// CHECK:       func.func @predict__1({{.*}}: tensor<1x64xf32> {{.*}}attributes {fw.concrete_of = @predict, fw.dims = array<i64: 1>}
// CHECK:       func.func @predict__32(
// CHECK:       func.func @train_step(
// CHECK-SAME:    tensor<64x32xf32> {fw.donated, fw.variable = @"dense/kernel"}
// CHECK:       func.func @train_step__32({{.*}}: tensor<32x64xf32> {{.*}}: tensor<32xi64>
// CHECK-SAME:    fw.concrete_of = @train_step, fw.dims = array<i64: 32>
// CHECK-NOT:     tensor<?
// CHECK:       func.func @evaluate_step(
// CHECK:       func.func @gradients__32(
// CHECK-NOT:   @apply__
// CHECK:       func.func @apply(
// CHECK-NOT:   fw.read

// INFERENCE-NOT: fw.variable @"adam
// INFERENCE:     func.func @predict(
// INFERENCE:     func.func @predict__32(
// INFERENCE-NOT: func.func
