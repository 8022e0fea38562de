// RUN: formwork-opt %s --fw-attach-input-gradients --split-input-file --verify-diagnostics | FileCheck %s

// Whole numbers have no gradient; variables that evaluation moves stay where they are.
module {
fw.variable @scale : tensor<f32> {role = "weight"}
fw.variable @sum : tensor<f32> {role = "metric_state"}
func.func @predict(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>},
                   %n: tensor<?xi32> {fw.name = "n", fw.role = "input", fw.symbols = array<i64: 0>})
    -> (tensor<?x3xf32> {fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0, -1>}) attributes {fw.entry = "predict"} {
  %s = fw.read @scale : tensor<f32>
  %y = fw.mul %x, %s : (tensor<?x3xf32>, tensor<f32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}
func.func @evaluate_step(%x: tensor<?x3xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0, -1>},
                         %t: tensor<?x3xf32> {fw.name = "y", fw.role = "target", fw.symbols = array<i64: 0, -1>})
    -> (tensor<f32> {fw.name = "loss", fw.role = "loss", fw.symbols = array<i64>}) attributes {fw.entry = "evaluate_step"} {
  %d = fw.sub %x, %t : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
  %l = fw.reduce_sum %d axes = [0, 1] : (tensor<?x3xf32>) -> tensor<f32>
  fw.assign @sum, %l : tensor<f32>
  return %l : tensor<f32>
}
}
// CHECK-LABEL: func.func @input_gradients
// CHECK-SAME:    %[[X:.*]]: tensor<?x3xf32> {fw.name = "x", fw.role = "input"
// CHECK-SAME:    %{{.*}}: tensor<?x3xf32> {fw.name = "y", fw.role = "cotangent", fw.symbols = array<i64: 0, -1>}
// CHECK-SAME:    -> (tensor<?x3xf32> {fw.name = "x", fw.role = "gradient", fw.symbols = array<i64: 0, -1>})
// CHECK:         fw.gradient %{{.*}} wrt %[[X]] unconnected_zeros
// CHECK-LABEL: func.func @loss_input_gradients
// CHECK-SAME:    %[[X:.*]]: tensor<?x3xf32> {fw.name = "x", fw.role = "input"
// CHECK-SAME:    -> (tensor<f32> {fw.name = "loss", fw.role = "loss"{{.*}}}, tensor<?x3xf32> {fw.name = "x", fw.role = "gradient"
// CHECK-NOT:     fw.assign
// CHECK:         fw.gradient %{{.*}} wrt %[[X]] unconnected_zeros

// -----

module {
// expected-error @below {{--input-gradients: no input of the model has a gradient, since all are of whole numbers; leave the option out}}
func.func @predict(%n: tensor<?xi32> {fw.name = "n", fw.role = "input", fw.symbols = array<i64: 0>})
    -> (tensor<?xi32> {fw.name = "m", fw.role = "output", fw.symbols = array<i64: 0>}) attributes {fw.entry = "predict"} {
  return %n : tensor<?xi32>
}
}
