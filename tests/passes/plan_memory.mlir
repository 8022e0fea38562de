// RUN: formwork-opt %s --fw-plan-memory --fw-check-plan --canonicalize | FileCheck %s

module @kernels {
  func.func private @k(tensor<16xf32>, tensor<16xf32>) -> tensor<16xf32>
  func.func private @n(tensor<?x8xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
}

// Of three buffers in a chain the third takes the first one's place.
// CHECK-LABEL: func.func private @chain.arena() -> index
// CHECK:         %[[BYTES:.*]] = arith.constant 128 : index
// CHECK:         return %[[BYTES]]
// CHECK-LABEL: func.func @chain
// CHECK-SAME:    %[[ARENA:[a-z0-9]+]]: memref<?xi8> {fw.arena}
// CHECK-SAME:    fw.arena_bytes = 128
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C64:.*]] = arith.constant 64 : index
// CHECK:         %[[A:.*]] = memref.view %[[ARENA]][%[[C0]]][]
// CHECK:         %[[B:.*]] = memref.view %[[ARENA]][%[[C64]]][]
// CHECK:         %[[C:.*]] = memref.view %[[ARENA]][%[[C0]]][]
// CHECK-NOT:     memref.alloc
func.func @chain(%x: memref<16xf32>, %y: memref<16xf32>) {
  %a = memref.alloc() : memref<16xf32>
  fw.launch @kernels::@k ins(%x) outs(%a) overwrites [true] : (memref<16xf32>, memref<16xf32>) -> ()
  %b = memref.alloc() : memref<16xf32>
  fw.launch @kernels::@k ins(%a) outs(%b) overwrites [true] : (memref<16xf32>, memref<16xf32>) -> ()
  %c = memref.alloc() : memref<16xf32>
  fw.launch @kernels::@k ins(%b) outs(%c) overwrites [true] : (memref<16xf32>, memref<16xf32>) -> ()
  fw.launch @kernels::@k ins(%c) outs(%y) overwrites [true] : (memref<16xf32>, memref<16xf32>) -> ()
  return
}

// What a loop reads is live for all of its steps; buffers of its body share what is left.
// CHECK-LABEL: func.func @loop
// CHECK-SAME:    fw.arena_bytes = 192
func.func @loop(%x: memref<16xf32>, %y: memref<16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %outer = memref.alloc() : memref<16xf32>
  fw.launch @kernels::@k ins(%x) outs(%outer) overwrites [true] : (memref<16xf32>, memref<16xf32>) -> ()
  scf.for %i = %c0 to %c8 step %c1 {
    %a = memref.alloc() : memref<16xf32>
    fw.launch @kernels::@k ins(%outer) outs(%a) overwrites [true] : (memref<16xf32>, memref<16xf32>) -> ()
    %b = memref.alloc() : memref<16xf32>
    fw.launch @kernels::@k ins(%a) outs(%b) overwrites [true] : (memref<16xf32>, memref<16xf32>) -> ()
    %c = memref.alloc() : memref<16xf32>
    fw.launch @kernels::@k ins(%b) outs(%c) overwrites [true] : (memref<16xf32>, memref<16xf32>) -> ()
    fw.launch @kernels::@k ins(%c) outs(%y) overwrites [true] : (memref<16xf32>, memref<16xf32>) -> ()
  }
  return
}

// Buffers of unknown size share slots; what they need is computed from the size alone.
// CHECK-LABEL: func.func private @unknown.arena
// CHECK-SAME:    %[[N:[a-z0-9]+]]: index {fw.symbol = 0 : i64}) -> index
// CHECK:         arith.muli %[[N]]
// CHECK-LABEL: func.func @unknown
// CHECK-NOT:     fw.arena_bytes
// CHECK:         %[[A:.*]] = memref.view %{{.*}}[%[[FIRST:.*]]][%{{.*}}] : memref<?xi8> to memref<?x8xf32>
// CHECK:         %[[B:.*]] = memref.view %{{.*}}[%[[SECOND:.*]]][%{{.*}}] : memref<?xi8> to memref<?x8xf32>
// CHECK:         %[[C:.*]] = memref.view %{{.*}}[%[[FIRST]]][%{{.*}}] : memref<?xi8> to memref<?x8xf32>
func.func @unknown(%x: memref<?x8xf32>, %y: memref<?x8xf32>, %n: index {fw.symbol = 0 : i64}) {
  %a = memref.alloc(%n) : memref<?x8xf32>
  fw.launch @kernels::@n ins(%x) outs(%a) overwrites [true] : (memref<?x8xf32>, memref<?x8xf32>) -> ()
  %b = memref.alloc(%n) : memref<?x8xf32>
  fw.launch @kernels::@n ins(%a) outs(%b) overwrites [true] : (memref<?x8xf32>, memref<?x8xf32>) -> ()
  %c = memref.alloc(%n) : memref<?x8xf32>
  fw.launch @kernels::@n ins(%b) outs(%c) overwrites [true] : (memref<?x8xf32>, memref<?x8xf32>) -> ()
  fw.launch @kernels::@n ins(%c) outs(%y) overwrites [true] : (memref<?x8xf32>, memref<?x8xf32>) -> ()
  return
}
