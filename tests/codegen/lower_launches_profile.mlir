// RUN: formwork-opt %s --fw-lower-launches='target=x86_64-linux-gnu profile=true' | FileCheck %s

// Names are there once, however often a kernel runs; what runs together is booked together.
// CHECK-DAG: llvm.mlir.global internal constant @[[FIRST:.*]]("first\00")
// CHECK-DAG: llvm.mlir.global internal constant @[[LAYERS:.*]]("dense, dense_1\00")
// CHECK-DAG: llvm.func @formwork_profile_start() -> i64
// CHECK-DAG: llvm.func @formwork_profile_stop(i64, !llvm.ptr, !llvm.ptr, i64, i64)

// CHECK-LABEL: func.func @step
// CHECK:         %[[START:.*]] = llvm.call @formwork_profile_start()
// CHECK:         call @kernel.first.and_others_0.launch(
// CHECK-DAG:     %[[NAMES:.*]] = llvm.mlir.addressof @[[LAYERS]]
// CHECK-DAG:     %[[FLOPS:.*]] = llvm.mlir.constant(30 : i64)
// CHECK-DAG:     %[[BYTES:.*]] = llvm.mlir.constant(300 : i64)
// CHECK:         llvm.call @formwork_profile_stop(%[[START]], %{{.*}}, %[[NAMES]], %[[FLOPS]], %[[BYTES]])
// CHECK:         return
func.func @step(%a: memref<4xf32>, %b: memref<4xf32>, %arena: memref<64xi8> {fw.arena}) {
  fw.launch @kernels::@first ins() outs(%a) overwrites [false] {fw.flops = 10 : i64, fw.bytes = 100 : i64, fw.layers = ["dense"]} : (memref<4xf32>) -> ()
  fw.launch @kernels::@second ins() outs(%b) overwrites [false] {fw.flops = 20 : i64, fw.bytes = 200 : i64, fw.layers = ["dense_1"]} : (memref<4xf32>) -> ()
  return
}

// What one launch of a run lacks is unknown of all.
// CHECK-LABEL: func.func @unknown
// CHECK:         call @kernel.first.launch(
// CHECK-DAG:     llvm.mlir.addressof @[[FIRST]]
// CHECK-DAG:     llvm.mlir.constant(0 : i64)
// CHECK:         llvm.call @formwork_profile_stop(
func.func @unknown(%a: memref<4xf32>, %arena: memref<64xi8> {fw.arena}) {
  fw.launch @kernels::@first ins() outs(%a) overwrites [false] : (memref<4xf32>) -> ()
  return
}

module @kernels {
  func.func private @first(%begin: index, %end: index, %a: memref<4xf32>) {
    return
  }
  func.func private @second(%begin: index, %end: index, %a: memref<4xf32>) {
    return
  }
}
