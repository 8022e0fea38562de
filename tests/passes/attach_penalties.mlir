// RUN: formwork-opt %s --fw-attach-training --split-input-file --verify-diagnostics | FileCheck %s

// Penalties of outputs are means over the batch; they are parts of both losses, and leave predict.
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {
    optimizer = {class_name = "SGD", config = {name = "sgd"}}, loss = "mse"}} {
func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
    -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
  fw.penalty %x by {class_name = "L2", config = {l2 = 5.000000e-01 : f64}} : tensor<?x3xf32> loc("dense")
  return %x : tensor<?x3xf32>
}
func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
    -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
  fw.penalty %x by {class_name = "L2", config = {l2 = 5.000000e-01 : f64}} : tensor<?x3xf32> loc("dense")
  return %x : tensor<?x3xf32>
}
}
// CHECK-LABEL: func.func @predict
// CHECK-NOT:     fw.penalty
// CHECK-LABEL: func.func @train_step
// CHECK:         %[[SUM:.*]] = fw.reduce_sum {{.*}} axes = [0, 1]
// CHECK:         %[[SCALED:.*]] = fw.mul {{.*}}%[[SUM]]
// CHECK:         %[[BATCH:.*]] = fw.count {{.*}} axes = [0]
// CHECK:         %[[MEAN:.*]] = fw.div %[[SCALED]], %[[BATCH]]
// CHECK:         fw.add {{.*}}, %[[MEAN]]
// CHECK-LABEL: func.func @evaluate_step
// CHECK:         fw.div
// CHECK-NOT:     fw.penalty

// -----

// expected-error @below {{the regularizer of 'dense'}}
module attributes {fw.symbols = 1 : i64, fw.floatx = f32, fw.training = {
    optimizer = {class_name = "SGD", config = {name = "sgd"}}, loss = "mse"}} {
func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
    -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
  fw.penalty %x by {class_name = "Mine", config = {}} : tensor<?x3xf32> loc("dense")
  return %x : tensor<?x3xf32>
}
func.func private @forward(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>})
    -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) {
  fw.penalty %x by {class_name = "Mine", config = {}} : tensor<?x3xf32> loc("dense")
  return %x : tensor<?x3xf32>
}
}
