// RUN: formwork-opt %s --fw-cpu-tile --canonicalize --cse | FileCheck %s
// RUN: formwork-opt %s --fw-cpu-tile --fw-expand-math --fw-cpu-lower | FileCheck %s --check-prefix=LLVM

// Rows are chunks, columns lie along vectors: one masked vector of ten. A tile's rows are loops to
// be unrolled, its sums an array of registers: what a row does not change is read once for all.
// CHECK-LABEL: func.func private @k.chunks(
// CHECK:         %[[TWO:.*]] = arith.constant 2 : index
// CHECK:         return %[[TWO]]
// CHECK-LABEL: func.func private @k(%{{.*}}: index, %{{.*}}: index, %{{.*}}: memref<32x64xf32>
// CHECK-SAME:    fw.chunk_work
// CHECK:         scf.for
// CHECK:           %[[SUMS:.*]] = memref.alloca() : memref<16x1xvector<16xf32>>
// CHECK:           scf.for %[[K:.*]] = %c0 to %c64
// CHECK-NEXT:        %[[W:.*]] = vector.maskedload
// CHECK-NEXT:        scf.for %[[ROW:.*]] = %c0 to %c16
// CHECK:               %[[SUM:.*]] = memref.load %[[SUMS]][%[[ROW]], %c0]
// CHECK:               %[[NEXT:.*]] = math.fma %{{.*}}, %[[W]], %[[SUM]]
// CHECK:               memref.store %[[NEXT]], %[[SUMS]][%[[ROW]], %c0]
// CHECK:             } {fw.unroll = 16 : i64}
// CHECK:           } {fw.unroll = 4 : i64}
// CHECK-NEXT:      vector.maskedload
// CHECK-NEXT:      scf.for
// CHECK:             arith.addf
// CHECK:             arith.maximumf
// CHECK:             vector.maskedstore
// CHECK:           } {fw.unroll = 16 : i64}
// CHECK-NOT:     tensor.
// LLVM is to unroll both loops: the rows as a whole, four steps of the reduction at once.
// LLVM-DAG: #[[WHOLE:.*]] = #llvm.loop_unroll<disable = false, full = true>
// LLVM-DAG: #[[FOUR:.*]] = #llvm.loop_unroll<disable = false, count = 4 : i32>
// LLVM-DAG: #[[ROWS:.*]] = #llvm.loop_annotation<unroll = #[[WHOLE]]>
// LLVM-DAG: #[[STEPS:.*]] = #llvm.loop_annotation<unroll = #[[FOUR]]>
// LLVM: llvm.intr.fma(
// LLVM: llvm.br {{.*}} {loop_annotation = #[[ROWS]]}
// LLVM: llvm.br {{.*}} {loop_annotation = #[[STEPS]]}
// LLVM-NOT: llvm.call
// LLVM-NOT: math.
func.func private @k(%x: tensor<32x64xf32>, %w: tensor<64x10xf32>, %bias: tensor<10xf32>,
                     %out: tensor<32x10xf32>) -> tensor<32x10xf32> attributes {fw.kernel} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<32x10xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%empty : tensor<32x10xf32>) -> tensor<32x10xf32>
  %1 = linalg.matmul ins(%x, %w : tensor<32x64xf32>, tensor<64x10xf32>)
      outs(%0 : tensor<32x10xf32>) -> tensor<32x10xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>,
                                        affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%1, %bias : tensor<32x10xf32>, tensor<10xf32>) outs(%out : tensor<32x10xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.addf %a, %b : f32
      %r = arith.maximumf %s, %zero : f32
      linalg.yield %r : f32
  } -> tensor<32x10xf32>
  return %2 : tensor<32x10xf32>
}
