// RUN: formwork-opt %s --fw-lower-launches='target=x86_64-linux-gnu' | FileCheck %s

// Updates of variables run together, in one parallel loop; what lies between them only says where.
// CHECK-LABEL: func.func @step
// CHECK-SAME:    %[[FOR:.*]]: !llvm.ptr, %[[POOL:.*]]: !llvm.ptr, %[[A:.*]]: memref<4xf32>, %[[B:.*]]: memref<2x3xf32>
// CHECK-NOT:     call
// CHECK:         %[[FLAT:.*]] = memref.collapse_shape %[[B]]
// CHECK:         call @kernel.four.and_others_0.launch(%[[FOR]], %[[POOL]], %[[A]], %[[FLAT]])
// CHECK-NOT:     call
// CHECK:         return
func.func @step(%a: memref<4xf32>, %b: memref<2x3xf32>, %arena: memref<64xi8> {fw.arena}) {
  fw.launch @kernels::@four ins() outs(%a) overwrites [false] : (memref<4xf32>) -> ()
  %flat = memref.collapse_shape %b [[0, 1]] : memref<2x3xf32> into memref<6xf32>
  fw.launch @kernels::@six ins() outs(%flat) overwrites [false] : (memref<6xf32>) -> ()
  return
}

// One that reads what another writes runs after it, and so does one that writes to the arena, whose
// buffers may overlap.
// CHECK-LABEL: func.func @ordered
// CHECK-COUNT-4: call @kernel.
// CHECK-NOT:     call
// CHECK:         return
func.func @ordered(%a: memref<4xf32>, %b: memref<4xf32>, %arena: memref<64xi8> {fw.arena}) {
  %c0 = arith.constant 0 : index
  fw.launch @kernels::@four ins() outs(%a) overwrites [false] : (memref<4xf32>) -> ()
  fw.launch @kernels::@copy ins(%a) outs(%b) overwrites [true] : (memref<4xf32>, memref<4xf32>) -> ()
  fw.launch @kernels::@four ins() outs(%a) overwrites [false] : (memref<4xf32>) -> ()
  %c = memref.view %arena[%c0][] : memref<64xi8> to memref<4xf32>
  fw.launch @kernels::@four ins() outs(%c) overwrites [false] : (memref<4xf32>) -> ()
  return
}

// Chunks of the second kernel are numbered after those of the first.
// CHECK-LABEL: func.func private @kernel.four.and_others_0.task
// CHECK-DAG:     %[[FOUR:.*]] = call @kernel.four.chunks
// CHECK-DAG:     %[[SIX:.*]] = call @kernel.six.chunks
// CHECK:         call @kernel.four(
// CHECK:         arith.addi %{{.*}}, %[[FOUR]] : index
// CHECK:         call @kernel.six(
// CHECK:         return
module @kernels {
  func.func private @four(%begin: index, %end: index, %a: memref<4xf32>) attributes {fw.chunk_work = 100} {
    return
  }
  func.func private @four.chunks(%a: memref<4xf32>) -> index {
    %0 = arith.constant 2 : index
    return %0 : index
  }
  func.func private @six(%begin: index, %end: index, %a: memref<6xf32>) attributes {fw.chunk_work = 100} {
    return
  }
  func.func private @six.chunks(%a: memref<6xf32>) -> index {
    %0 = arith.constant 3 : index
    return %0 : index
  }
  func.func private @copy(%begin: index, %end: index, %a: memref<4xf32>, %b: memref<4xf32>) attributes {fw.chunk_work = 100} {
    return
  }
  func.func private @copy.chunks(%a: memref<4xf32>, %b: memref<4xf32>) -> index {
    %0 = arith.constant 3 : index
    return %0 : index
  }
}
