// RUN: formwork-opt %s --fw-attach-training=sample-weights --split-input-file --verify-diagnostics | FileCheck %s

// One weight for each loss: of the output's shape without its last dimension. An output without a loss
// has weights for its weighted metrics; one that has neither takes none.
module attributes {fw.symbols = 2 : i64, fw.floatx = f64, fw.training = {
    optimizer = {class_name = "SGD", config = {name = "sgd", learning_rate = 1.000000e-01 : f64}},
    loss = {a = "mse", b = unit, c = unit}, metrics = {a = [], b = [], c = ["mse"]}, weighted_metrics = {a = [], b = ["mae"], c = []}}} {
func.func @predict(%x: tensor<?x?x4xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, 1, -1>})
    -> (tensor<?x?x4xf32> {fw.name = "a", fw.role = "output", fw.symbols = array<i64: 0, 1, -1>},
        tensor<?x?x4xf32> {fw.name = "b", fw.role = "output", fw.symbols = array<i64: 0, 1, -1>},
        tensor<?x?x4xf32> {fw.name = "c", fw.role = "output", fw.symbols = array<i64: 0, 1, -1>}) {
  return %x, %x, %x : tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>
}
func.func private @forward(%x: tensor<?x?x4xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, 1, -1>})
    -> (tensor<?x?x4xf32> {fw.name = "a", fw.role = "output", fw.symbols = array<i64: 0, 1, -1>},
        tensor<?x?x4xf32> {fw.name = "b", fw.role = "output", fw.symbols = array<i64: 0, 1, -1>},
        tensor<?x?x4xf32> {fw.name = "c", fw.role = "output", fw.symbols = array<i64: 0, 1, -1>}) {
  return %x, %x, %x : tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>
}
}
// CHECK-LABEL: func.func @train_step(
// CHECK-SAME:    fw.name = "c", fw.role = "target"
// CHECK-SAME:    %[[A:.*]]: tensor<?x?xf64> {fw.name = "a_sample_weight", fw.role = "sample_weight", fw.symbols = array<i64: 0, 1>},
// CHECK-SAME:    %[[B:.*]]: tensor<?x?xf64> {fw.name = "b_sample_weight", fw.role = "sample_weight", fw.symbols = array<i64: 0, 1>})
// CHECK:         %[[SAMPLES:.*]] = fw.reduce_mean {{.*}} axes = [2]
// CHECK:         %[[WEIGHTS:.*]] = fw.cast %[[A]] to f32
// CHECK:         %[[WEIGHTED:.*]] = fw.mul %[[SAMPLES]], %[[WEIGHTS]]
// CHECK:         fw.reduce_mean %[[WEIGHTED]] axes = [0, 1]

// -----

// expected-error @below {{compile: the loss of output 'y' sums over an axis of its own, so that its samples cannot be weighted}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {
    optimizer = {class_name = "SGD", config = {}}, loss = {class_name = "Dice", config = {axis = [0 : i64]}}}} {
func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
    -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
  return %x : tensor<?x3xf32>
}
func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
    -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
  return %x : tensor<?x3xf32>
}
}
