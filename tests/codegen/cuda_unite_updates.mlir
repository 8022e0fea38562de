// RUN: formwork-opt %s --fw-cuda-unite-updates | FileCheck %s

#row = affine_map<(i) -> (i)>
#one = affine_map<(i) -> ()>
#none = affine_map<() -> ()>

// Updates of different sizes, by one learning rate: it is given once. A sum stays as it is, and so
// does what another kernel reads.
// CHECK-LABEL: func.func @step(
// CHECK-SAME:      %[[G:.*]]: tensor<?xf32>, %[[H:.*]]: tensor<8xf32>, %[[RATE:.*]]: tensor<f32>, %[[V:.*]]: tensor<?xf32>, %[[W:.*]]: tensor<8xf32>, %[[U:.*]]: tensor<8xf32>, %[[TOTAL:.*]]: tensor<f32>
// CHECK:         %[[READ:.*]] = fw.launch @kernels::@update_8 ins(%[[H]], %[[RATE]]) outs(%[[U]])
// CHECK:         %[[SUM:.*]] = fw.launch @kernels::@sum ins(%[[READ]]) outs(%[[TOTAL]])
// CHECK:         %[[NEW:.*]]:2 = fw.launch @kernels::@step_updates ins(%[[G]], %[[RATE]], %[[H]]) outs(%[[V]], %[[W]]) overwrites [false, false]
// CHECK:         return %[[NEW]]#0, %[[NEW]]#1, %[[READ]], %[[SUM]]
func.func @step(%g: tensor<?xf32>, %h: tensor<8xf32>, %rate: tensor<f32>, %v: tensor<?xf32>,
                %w: tensor<8xf32>, %u: tensor<8xf32>, %total: tensor<f32>)
    -> (tensor<?xf32>, tensor<8xf32>, tensor<8xf32>, tensor<f32>) {
  %0 = fw.launch @kernels::@update ins(%g, %rate) outs(%v) overwrites [false]
      : (tensor<?xf32>, tensor<f32>, tensor<?xf32>) -> tensor<?xf32>
  %1 = fw.launch @kernels::@update_8 ins(%h, %rate) outs(%w) overwrites [false]
      : (tensor<8xf32>, tensor<f32>, tensor<8xf32>) -> tensor<8xf32>
  %2 = fw.launch @kernels::@update_8 ins(%h, %rate) outs(%u) overwrites [false]
      : (tensor<8xf32>, tensor<f32>, tensor<8xf32>) -> tensor<8xf32>
  %3 = fw.launch @kernels::@sum ins(%2) outs(%total) overwrites [false]
      : (tensor<8xf32>, tensor<f32>) -> tensor<f32>
  return %0, %1, %2, %3 : tensor<?xf32>, tensor<8xf32>, tensor<8xf32>, tensor<f32>
}

// What one writes no other may read or write; functions alike launch one kernel.
// CHECK-LABEL: func.func @chain(
// CHECK-SAME:      %[[G:.*]]: tensor<8xf32>, %{{.*}}: tensor<f32>, %[[V:.*]]: tensor<8xf32>, %[[W:.*]]: tensor<8xf32>
// CHECK:         fw.launch @kernels::@update_8 ins(%[[G]], %{{.*}}) outs(%[[V]])
// CHECK:         fw.launch @kernels::@update_8 ins(%[[V]], %{{.*}}) outs(%[[W]])
func.func @chain(%g: tensor<8xf32>, %rate: tensor<f32>, %v: tensor<8xf32>, %w: tensor<8xf32>)
    -> (tensor<8xf32>, tensor<8xf32>) {
  %0 = fw.launch @kernels::@update_8 ins(%g, %rate) outs(%v) overwrites [false]
      : (tensor<8xf32>, tensor<f32>, tensor<8xf32>) -> tensor<8xf32>
  %1 = fw.launch @kernels::@update_8 ins(%v, %rate) outs(%w) overwrites [false]
      : (tensor<8xf32>, tensor<f32>, tensor<8xf32>) -> tensor<8xf32>
  return %0, %1 : tensor<8xf32>, tensor<8xf32>
}
// CHECK-LABEL: func.func @both(
// CHECK:         fw.launch @kernels::@both_updates
// CHECK-LABEL: func.func @both_again(
// CHECK:         fw.launch @kernels::@both_updates
func.func @both(%g: tensor<8xf32>, %rate: tensor<f32>, %v: tensor<8xf32>, %w: tensor<8xf32>)
    -> (tensor<8xf32>, tensor<8xf32>) {
  %0 = fw.launch @kernels::@update_8 ins(%g, %rate) outs(%v) overwrites [false]
      : (tensor<8xf32>, tensor<f32>, tensor<8xf32>) -> tensor<8xf32>
  %1 = fw.launch @kernels::@update_8 ins(%g, %rate) outs(%w) overwrites [false]
      : (tensor<8xf32>, tensor<f32>, tensor<8xf32>) -> tensor<8xf32>
  return %0, %1 : tensor<8xf32>, tensor<8xf32>
}
func.func @both_again(%g: tensor<8xf32>, %rate: tensor<f32>, %v: tensor<8xf32>, %w: tensor<8xf32>)
    -> (tensor<8xf32>, tensor<8xf32>) {
  %0 = fw.launch @kernels::@update_8 ins(%g, %rate) outs(%v) overwrites [false]
      : (tensor<8xf32>, tensor<f32>, tensor<8xf32>) -> tensor<8xf32>
  %1 = fw.launch @kernels::@update_8 ins(%g, %rate) outs(%w) overwrites [false]
      : (tensor<8xf32>, tensor<f32>, tensor<8xf32>) -> tensor<8xf32>
  return %0, %1 : tensor<8xf32>, tensor<8xf32>
}

module @kernels {
  // Nobody launches it any more.
  // CHECK-NOT:  func.func private @update(
  func.func private @update(%g: tensor<?xf32>, %rate: tensor<f32>, %v: tensor<?xf32> {fw.reads})
      -> tensor<?xf32> attributes {fw.kernel = "pointwise", fw.layers = ["dense", "adam"]} {
    %0 = linalg.generic {indexing_maps = [#row, #one, #row], iterator_types = ["parallel"]}
        ins(%g, %rate : tensor<?xf32>, tensor<f32>) outs(%v : tensor<?xf32>) {
    ^bb0(%a: f32, %b: f32, %c: f32):
      %1 = arith.mulf %a, %b : f32
      %2 = arith.subf %c, %1 : f32
      linalg.yield %2 : f32
    } -> tensor<?xf32>
    return %0 : tensor<?xf32>
  }
  func.func private @update_8(%g: tensor<8xf32>, %rate: tensor<f32>, %v: tensor<8xf32> {fw.reads})
      -> tensor<8xf32> attributes {fw.kernel = "pointwise", fw.layers = ["norm", "adam"]} {
    %0 = linalg.generic {indexing_maps = [#row, #one, #row], iterator_types = ["parallel"]}
        ins(%g, %rate : tensor<8xf32>, tensor<f32>) outs(%v : tensor<8xf32>) {
    ^bb0(%a: f32, %b: f32, %c: f32):
      %1 = arith.mulf %a, %b : f32
      %2 = arith.subf %c, %1 : f32
      linalg.yield %2 : f32
    } -> tensor<8xf32>
    return %0 : tensor<8xf32>
  }
  func.func private @sum(%x: tensor<8xf32>, %total: tensor<f32> {fw.reads}) -> tensor<f32>
      attributes {fw.kernel = "reduction", fw.layers = ["loss"]} {
    %0 = linalg.generic {indexing_maps = [#row, #one], iterator_types = ["reduction"]}
        ins(%x : tensor<8xf32>) outs(%total : tensor<f32>) {
    ^bb0(%a: f32, %b: f32):
      %1 = arith.addf %a, %b : f32
      linalg.yield %1 : f32
    } -> tensor<f32>
    return %0 : tensor<f32>
  }
  // CHECK:      func.func private @step_updates(%[[G:.*]]: tensor<?xf32>, %[[RATE:.*]]: tensor<f32>, %[[H:.*]]: tensor<8xf32>, %[[V:.*]]: tensor<?xf32> {fw.reads}, %[[W:.*]]: tensor<8xf32> {fw.reads})
  // CHECK-SAME:   fw.kernel = "pointwise", fw.layers = ["dense", "adam", "norm"]
  // CHECK:        %[[NEW_V:.*]] = linalg.generic {{.*}} ins(%[[G]], %[[RATE]] : {{.*}}) outs(%[[V]] : tensor<?xf32>)
  // CHECK:        %[[NEW_W:.*]] = linalg.generic {{.*}} ins(%[[H]], %[[RATE]] : {{.*}}) outs(%[[W]] : tensor<8xf32>)
  // CHECK:        return %[[NEW_V]], %[[NEW_W]]
  // CHECK:      func.func private @both_updates(
  // CHECK-NOT:  func.func private @both_again_updates(
}
