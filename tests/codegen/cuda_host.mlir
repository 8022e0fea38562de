// RUN: formwork-opt %s --fw-cuda-host | FileCheck %s

// Of constants, only what is copied.
// CHECK: module attributes {fw.cuda.literals = "\00\00\80?\00\00\00@\00\00@@\00\00\80@"}

// A launch counts its blocks, puts addresses and unknown sizes in slots, and names its kernel by
// number. All the work depends on sizes and addresses alone.
// CHECK-LABEL: func.func @step
// CHECK-SAME:    %[[DEVICE:.*]]: !llvm.ptr, %[[A:.*]]: memref<?x4xf32>
// CHECK-SAME:    fw.cuda.straight
// CHECK:         %[[SLOTS:.*]] = llvm.alloca %{{.*}} x !llvm.array<4 x i64>
// CHECK:         %[[BLOCKS:.*]] = call @kernel.double.blocks(%[[A]], %[[A]])
// CHECK:         %[[COUNT:.*]] = arith.index_cast %[[BLOCKS]] : index to i64
// CHECK-COUNT-4: llvm.store
// CHECK:         llvm.call @formwork_cuda_launch(%[[DEVICE]], %{{.*}}, %[[COUNT]], %[[SLOTS]], %{{.*}})
// CHECK-NOT:     fw.launch
func.func @step(%a: memref<?x4xf32>, %arena: memref<64xi8> {fw.arena}) {
  fw.launch @kernels::@double ins(%a) outs(%a) overwrites [false] : (memref<?x4xf32>, memref<?x4xf32>) -> ()
  return
}

// Constant tensors are on the device; gaps are left out of copies, by the kernel after the model's
// own; numbers are stored by value, many of one value filled in.
// CHECK-LABEL: func.func @copies
// CHECK:         %[[BASE:.*]] = llvm.call @formwork_cuda_literals(%[[DEVICE:[a-z0-9]+]])
// CHECK:         llvm.getelementptr %[[BASE]]
// CHECK-NOT:     scf.for
// CHECK:         %[[WORDS:.*]] = llvm.mlir.constant(1 : i32) : i32
// CHECK:         llvm.call @formwork_cuda_launch(%[[DEVICE]], %[[WORDS]],
// CHECK:         llvm.call @formwork_cuda_fill(%[[DEVICE]],
// CHECK:         llvm.call @formwork_cuda_store(%[[DEVICE]],
// CHECK-NOT:     memref.{{load|store|copy|get_global}}
func.func @copies(%a: memref<2x4xf32>, %x: f32, %arena: memref<64xi8> {fw.arena}) {
  %c0 = arith.constant 0 : index
  %constant = memref.get_global @constant : memref<2x2xf32>
  %part = memref.subview %a[0, 1] [2, 2] [1, 1] : memref<2x4xf32> to memref<2x2xf32, strided<[4, 1], offset: 1>>
  memref.copy %constant, %part : memref<2x2xf32> to memref<2x2xf32, strided<[4, 1], offset: 1>>
  %ones = memref.get_global @ones : memref<2x4xf32>
  memref.copy %ones, %a : memref<2x4xf32> to memref<2x4xf32>
  memref.store %x, %a[%c0, %c0] : memref<2x4xf32>
  return
}

// What the host must read makes it wait, which no graph can hold; and a loop ends when the device
// has failed.
// CHECK-LABEL: func.func @loop
// CHECK-NOT:     fw.cuda.straight
// CHECK:         scf.while
// CHECK:           %[[BITS:.*]] = llvm.call @formwork_cuda_load
// CHECK:           %[[GO:.*]] = llvm.trunc %[[BITS]] : i64 to i1
// CHECK:           llvm.call @formwork_cuda_working
// CHECK:           %[[BOTH:.*]] = arith.andi %[[GO]], %{{.*}} : i1
// CHECK:           scf.condition(%[[BOTH]])
func.func @loop(%flag: memref<i1>, %a: memref<?x4xf32>, %arena: memref<64xi8> {fw.arena}) {
  scf.while : () -> () {
    %go = memref.load %flag[] : memref<i1>
    scf.condition(%go)
  } do {
    fw.launch @kernels::@double ins(%a) outs(%a) overwrites [false] : (memref<?x4xf32>, memref<?x4xf32>) -> ()
    scf.yield
  }
  return
}

memref.global "private" constant @ones : memref<2x4xf32> = dense<1.0>
memref.global "private" constant @constant : memref<2x2xf32> = dense<[[1.0, 2.0], [3.0, 4.0]]>

// CHECK-NOT:   module @kernels
module @kernels {
  func.func private @double(%a: memref<?x4xf32>, %b: memref<?x4xf32>) attributes {gpu.kernel, fw.threads = 256 : i64} {
    return
  }
  func.func private @double.blocks(%a: memref<?x4xf32>, %b: memref<?x4xf32>) -> index {
    %c0 = arith.constant 0 : index
    %rows = memref.dim %a, %c0 : memref<?x4xf32>
    return %rows : index
  }
}
