// RUN: formwork-opt %s --fw-fold-embeddings=bytes=1000 --canonicalize --cse --split-input-file | FileCheck %s
// RUN: formwork-opt %s --fw-fold-embeddings=bytes=1000 --split-input-file 2>&1 >/dev/null | FileCheck %s --check-prefix=TOLD
// RUN: formwork-opt %s --fw-fold-embeddings --split-input-file | FileCheck %s --check-prefix=NONE

// A recurrent layer's projection, whose steps come first: a gather of rows of the product remains,
// in every function the same one. `derive` makes the product of the weights.
// CHECK:       fw.variable @w : tensor<4x6xf32> trainable
// CHECK-NEXT:  fw.variable @"table x w" : tensor<7x6xf32> {role = "derived"}
// CHECK-LABEL: func.func @predict
// CHECK-SAME:    %[[I:[a-z0-9]+]]: tensor<?x5xi32>
// CHECK-SAME:    %[[P:[a-z0-9]+]]: tensor<7x6xf32> {fw.variable = @"table x w"}
// CHECK:         %[[ROWS:.*]] = fw.gather %[[P]], %[[I]]
// CHECK:         %[[TURNED:.*]] = fw.transpose %[[ROWS]] permutation = [1, 0, 2]
// CHECK-NEXT:    return %[[TURNED]] : tensor<5x?x6xf32>
// CHECK-LABEL: func.func @predict__3
// CHECK-SAME:    tensor<7x6xf32> {fw.variable = @"table x w"}
// CHECK-NOT:     fw.dot_general
// CHECK-LABEL: func.func @derive(%{{.*}}: tensor<7x4xf32> {fw.variable = @table}, %{{.*}}: tensor<4x6xf32> {fw.variable = @w})
// CHECK-SAME:    -> (tensor<7x6xf32> {fw.name = "table x w", fw.role = "derived", fw.symbols = array<i64: -1, -1>})
// CHECK-SAME:    fw.entry = "derive"
// CHECK-NEXT:    %[[PRODUCT:.*]] = fw.dot_general %{{.*}}, %{{.*}} contract [1] x [0]
// CHECK-NEXT:    return %[[PRODUCT]]
// TOLD: remark: reads rows of 'table' that are multiplied by 'w' already: 168 bytes of weights more
// NONE-NOT: derive
fw.variable @table : tensor<7x4xf32> trainable
fw.variable @w : tensor<4x6xf32> trainable
func.func @predict(%i: tensor<?x5xi32>, %t: tensor<7x4xf32> {fw.variable = @table}, %w: tensor<4x6xf32> {fw.variable = @w}) -> tensor<5x?x6xf32> {
  %x = fw.gather %t, %i : (tensor<7x4xf32>, tensor<?x5xi32>) -> tensor<?x5x4xf32>
  %s = fw.transpose %x permutation = [1, 0, 2] : (tensor<?x5x4xf32>) -> tensor<5x?x4xf32>
  %y = fw.dot_general %s, %w contract [2] x [0] batch [] x [] : (tensor<5x?x4xf32>, tensor<4x6xf32>) -> tensor<5x?x6xf32>
  return %y : tensor<5x?x6xf32>
}
func.func @predict__3(%i: tensor<3x5xi32>, %t: tensor<7x4xf32> {fw.variable = @table}, %w: tensor<4x6xf32> {fw.variable = @w}) -> tensor<5x3x6xf32> {
  %x = fw.gather %t, %i : (tensor<7x4xf32>, tensor<3x5xi32>) -> tensor<3x5x4xf32>
  %s = fw.transpose %x permutation = [1, 0, 2] : (tensor<3x5x4xf32>) -> tensor<5x3x4xf32>
  %y = fw.dot_general %s, %w contract [2] x [0] batch [] x [] : (tensor<5x3x4xf32>, tensor<4x6xf32>) -> tensor<5x3x6xf32>
  return %y : tensor<5x3x6xf32>
}

// -----

// A kernel that is read turned, and rows whose elements do not come last. The product of a thousand
// rows would be too large; what is in between need not be, but a sum is no move.
// CHECK:       fw.variable @"small x w transposed"
// CHECK-NOT:   fw.variable
// CHECK-LABEL: func.func @predict
// CHECK:         %[[ROWS:.*]] = fw.gather %{{.*}}, %{{.*}} : (tensor<9x2xf32>, tensor<3x5xi32>) -> tensor<3x5x2xf32>
// CHECK:         %[[LARGE:.*]] = fw.dot_general
// CHECK:         %[[ADDED:.*]] = fw.dot_general
// CHECK-NEXT:    return %[[ROWS]], %[[LARGE]], %[[ADDED]]
// CHECK:       fw.dot_general %{{.*}}, %{{.*}} contract [1] x [1]
// TOLD-NOT: 'large'
// TOLD: remark: reads rows of 'small' that are multiplied by 'w' already: 72 bytes of weights more
// TOLD-NOT: 'large'
fw.variable @small : tensor<9x4xf32>
fw.variable @large : tensor<1000x4xf32>
fw.variable @w : tensor<2x4xf32>
func.func @predict(%i: tensor<3x5xi32>, %t: tensor<9x4xf32> {fw.variable = @small}, %l: tensor<1000x4xf32> {fw.variable = @large},
                   %w: tensor<2x4xf32> {fw.variable = @w}, %b: tensor<4xf32>) -> (tensor<3x5x2xf32>, tensor<3x5x2xf32>, tensor<3x5x2xf32>) {
  %x = fw.gather %t, %i : (tensor<9x4xf32>, tensor<3x5xi32>) -> tensor<3x5x4xf32>
  %s = fw.transpose %x permutation = [0, 2, 1] : (tensor<3x5x4xf32>) -> tensor<3x4x5xf32>
  %y = fw.dot_general %s, %w contract [1] x [1] batch [] x [] : (tensor<3x4x5xf32>, tensor<2x4xf32>) -> tensor<3x5x2xf32>
  %m = fw.gather %l, %i : (tensor<1000x4xf32>, tensor<3x5xi32>) -> tensor<3x5x4xf32>
  %z = fw.dot_general %m, %w contract [2] x [1] batch [] x [] : (tensor<3x5x4xf32>, tensor<2x4xf32>) -> tensor<3x5x2xf32>
  %a = fw.add %x, %b : (tensor<3x5x4xf32>, tensor<4xf32>) -> tensor<3x5x4xf32>
  %v = fw.dot_general %a, %w contract [2] x [1] batch [] x [] : (tensor<3x5x4xf32>, tensor<2x4xf32>) -> tensor<3x5x2xf32>
  return %y, %z, %v : tensor<3x5x2xf32>, tensor<3x5x2xf32>, tensor<3x5x2xf32>
}

// -----

// A module that moves a variable keeps all its contractions: the table might be the one.
// CHECK-LABEL: func.func @predict
// CHECK:         fw.dot_general
// CHECK-NOT:   derive
fw.variable @table : tensor<7x4xf32> trainable
fw.variable @w : tensor<4x6xf32> trainable
func.func @predict(%i: tensor<3xi32>, %t: tensor<7x4xf32> {fw.variable = @table}, %w: tensor<4x6xf32> {fw.variable = @w}) -> tensor<3x6xf32> {
  %x = fw.gather %t, %i : (tensor<7x4xf32>, tensor<3xi32>) -> tensor<3x4xf32>
  %y = fw.dot_general %x, %w contract [1] x [0] batch [] x [] : (tensor<3x4xf32>, tensor<4x6xf32>) -> tensor<3x6xf32>
  return %y : tensor<3x6xf32>
}
func.func @step(%t: tensor<7x4xf32> {fw.variable = @table, fw.donated}) -> (tensor<7x4xf32> {fw.variable = @table}) {
  %n = fw.neg %t : (tensor<7x4xf32>) -> tensor<7x4xf32>
  return %n : tensor<7x4xf32>
}
