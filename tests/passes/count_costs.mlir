// RUN: formwork-opt %s --fw-count-costs | FileCheck %s

// 2 * 4 * 8 * 16 for the product, 4 * 8 for the sum; what is updated is read and written.
// CHECK-LABEL: func.func @step
// CHECK:         fw.launch @kernels::@dense
// CHECK-SAME:      fw.bytes = 1024 : i64, fw.flops = 1056 : i64, fw.layers = ["first", "second"]
// CHECK:         fw.launch @kernels::@double
// CHECK-SAME:      fw.bytes = 256 : i64, fw.flops = 32 : i64, fw.layers = []
func.func @step(%x: memref<4x16xf32>, %w: memref<16x8xf32>, %y: memref<4x8xf32>,
                %z: memref<4x8xf32>, %arena: memref<64xi8> {fw.arena}) {
  fw.launch @kernels::@dense ins(%x, %w, %z) outs(%y) overwrites [true]
      : (memref<4x16xf32>, memref<16x8xf32>, memref<4x8xf32>, memref<4x8xf32>) -> ()
  fw.launch @kernels::@double ins() outs(%y) overwrites [false] : (memref<4x8xf32>) -> ()
  return
}

// Of unknown sizes, nothing is said.
// CHECK-LABEL: func.func @any
// CHECK:         fw.launch @kernels::@any
// CHECK-NOT:       fw.bytes
// CHECK-NOT:       fw.flops
func.func @any(%x: memref<?xf32>, %arena: memref<64xi8> {fw.arena}) {
  fw.launch @kernels::@any ins() outs(%x) overwrites [false] : (memref<?xf32>) -> ()
  return
}

module @kernels {
  func.func private @dense(%x: tensor<4x16xf32>, %w: tensor<16x8xf32>, %z: tensor<4x8xf32>,
                           %y: tensor<4x8xf32>) -> tensor<4x8xf32>
      attributes {fw.layers = ["first", "second"]} {
    %zero = arith.constant 0.0 : f32
    %0 = linalg.fill ins(%zero : f32) outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
    %1 = linalg.matmul ins(%x, %w : tensor<4x16xf32>, tensor<16x8xf32>)
        outs(%0 : tensor<4x8xf32>) -> tensor<4x8xf32> loc("first")
    %2 = linalg.add ins(%1, %z : tensor<4x8xf32>, tensor<4x8xf32>)
        outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32> loc("second")
    return %2 : tensor<4x8xf32>
  }
  func.func private @double(%y: tensor<4x8xf32>) -> tensor<4x8xf32>
      attributes {fw.layers = []} {
    %0 = linalg.add ins(%y, %y : tensor<4x8xf32>, tensor<4x8xf32>)
        outs(%y : tensor<4x8xf32>) -> tensor<4x8xf32>
    return %0 : tensor<4x8xf32>
  }
  func.func private @any(%x: tensor<?xf32>) -> tensor<?xf32> {
    %0 = linalg.add ins(%x, %x : tensor<?xf32>, tensor<?xf32>)
        outs(%x : tensor<?xf32>) -> tensor<?xf32>
    return %0 : tensor<?xf32>
  }
}
