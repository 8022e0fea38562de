// RUN: formwork-opt %s --fw-pass-pointers --canonicalize | FileCheck %s

// A buffer of the arena is where it begins, and how large its `?` is; no descriptor is made.
// CHECK-LABEL: func.func private @host
// CHECK-SAME:    (%[[ARENA:.*]]: !llvm.ptr, %{{.*}}: i64, %[[N:.*]]: i64)
// CHECK-NOT:     insertvalue
// CHECK:         %[[PLACE:.*]] = llvm.getelementptr %[[ARENA]][%{{.*}}] : (!llvm.ptr, i64) -> !llvm.ptr, i8
// CHECK:         call @kernel(%[[PLACE]], %[[N]]) : (!llvm.ptr, i64) -> ()
func.func private @host(%arena: memref<?xi8>, %n: index) {
  %c64 = arith.constant 64 : index
  %a = memref.view %arena[%c64][%n] : memref<?xi8> to memref<?x3xf32>
  call @kernel(%a) : (memref<?x3xf32>) -> ()
  return
}

// The attributes of a buffer are those of its pointer.
// CHECK-LABEL: func.func private @kernel(
// CHECK-SAME:    %[[BASE:.*]]: !llvm.ptr {llvm.noalias}, %[[ROWS:.*]]: i64)
// CHECK:         call @further(%[[BASE]], %[[ROWS]])
func.func private @kernel(%a: memref<?x3xf32> {llvm.noalias}) {
  call @further(%a) : (memref<?x3xf32>) -> ()
  return
}

// CHECK-LABEL: func.func private @further(
// CHECK:         memref.load
func.func private @further(%a: memref<?x3xf32>) {
  %c0 = arith.constant 0 : index
  %0 = memref.load %a[%c0, %c0] : memref<?x3xf32>
  memref.store %0, %a[%c0, %c0] : memref<?x3xf32>
  return
}

// What has no buffers is left alone.
// CHECK-LABEL: func.func private @count(%{{.*}}: index) -> index
func.func private @count(%n: index) -> index {
  return %n : index
}
