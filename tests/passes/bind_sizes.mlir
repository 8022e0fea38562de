// RUN: formwork-opt --pass-pipeline="builtin.module(func.func(fw-bind-sizes))" %s | FileCheck %s

// What a reshape makes of a size is known from the size before.

// CHECK-LABEL: func @collapsed
// CHECK-SAME: %[[SIZE:[a-z0-9]+]]: index {fw.symbol = 0 : i64}
// CHECK-DAG: %[[THREE:.*]] = arith.constant 3
// CHECK-DAG: memref.alloc(%[[SIZE]]) : memref<?xf32>
// CHECK-DAG: %[[THRICE:.*]] = arith.muli %[[SIZE]], %[[THREE]]
// CHECK-DAG: memref.alloc(%[[THRICE]]) : memref<?xf32>
func.func @collapsed(%x: memref<?x1xf32> {fw.symbols = array<i64: 0, -1>},
                     %y: memref<?x3xf32> {fw.symbols = array<i64: 0, -1>})
    -> (memref<?xf32>, memref<?xf32>) {
  %zero = arith.constant 0 : index
  %a = memref.collapse_shape %x [[0, 1]] : memref<?x1xf32> into memref<?xf32>
  %b = memref.collapse_shape %y [[0, 1]] : memref<?x3xf32> into memref<?xf32>
  %size_a = memref.dim %a, %zero : memref<?xf32>
  %size_b = memref.dim %b, %zero : memref<?xf32>
  %alloc_a = memref.alloc(%size_a) : memref<?xf32>
  %alloc_b = memref.alloc(%size_b) : memref<?xf32>
  return %alloc_a, %alloc_b : memref<?xf32>, memref<?xf32>
}
