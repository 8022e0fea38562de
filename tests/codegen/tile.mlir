// RUN: formwork-opt %s --fw-cpu-tile --canonicalize --cse | FileCheck %s
// RUN: formwork-opt %s --fw-cpu-tile --fw-expand-math --fw-cpu-lower | FileCheck %s --check-prefix=LLVM
// RUN: formwork-opt %s --fw-cpu-tile='vector-bytes=32 vector-registers=16' --canonicalize --cse | FileCheck %s --check-prefix=NARROW

// Rows are chunks, columns lie along vectors: one masked vector of ten. A tile's rows are loops to
// be unrolled, its sums an array of registers: what a row does not change is read once for all.
// CHECK-LABEL: func.func private @k.chunks(
// CHECK:         %[[TWO:.*]] = arith.constant 2 : index
// CHECK:         return %[[TWO]]
// CHECK-LABEL: func.func private @k(%{{.*}}: index, %{{.*}}: index, %{{.*}}: memref<32x64xf32>
// CHECK-SAME:    fw.chunk_work
// CHECK:         scf.for
// CHECK:           %[[SUMS:.*]] = memref.alloca() {fw.name = "sums"} : memref<16x1xvector<16xf32>>
// CHECK:           scf.for %[[K:.*]] = %c0 to %c64
// CHECK-NEXT:        %[[W:.*]] = vector.maskedload
// CHECK-NEXT:        scf.for %[[ROW:.*]] = %c0 to %c16
// CHECK:               %[[SUM:.*]] = memref.load %[[SUMS]][%[[ROW]], %c0]
// CHECK:               %[[NEXT:.*]] = math.fma %{{.*}}, %[[W]], %[[SUM]]
// CHECK:               memref.store %[[NEXT]], %[[SUMS]][%[[ROW]], %c0]
// CHECK:             } {fw.name = "row", fw.unroll = 16 : i64}
// CHECK:           } {fw.comment = "Adds products to 16 by 1 vectors of sums.", fw.name = "k", fw.unroll = 4 : i64}
// CHECK-NEXT:      vector.maskedload
// CHECK-NEXT:      scf.for
// CHECK:             arith.addf
// CHECK:             arith.maximumf
// CHECK:             vector.maskedstore
// CHECK:           } {fw.comment = "Results, a row at a time.", fw.name = "row", fw.unroll = 16 : i64}
// CHECK-NOT:     tensor.
// Four steps of the reduction stand there at once; LLVM is to unroll the rows of each as a whole.
// LLVM-DAG: #[[WHOLE:.*]] = #llvm.loop_unroll<disable = false, full = true>
// LLVM-DAG: #[[ROWS:.*]] = #llvm.loop_annotation<unroll = #[[WHOLE]]>
// LLVM: llvm.intr.fma(
// LLVM: llvm.br {{.*}} {loop_annotation = #[[ROWS]]}
// LLVM: llvm.intr.fma(
// LLVM: llvm.br {{.*}} {loop_annotation = #[[ROWS]]}
// LLVM: llvm.intr.fma(
// LLVM: llvm.br {{.*}} {loop_annotation = #[[ROWS]]}
// LLVM: llvm.intr.fma(
// LLVM: llvm.br {{.*}} {loop_annotation = #[[ROWS]]}
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

// A window's rows outside of the image are left out, and for each of its columns those places of a
// row for which it is outside.
// CHECK-LABEL: func.func private @window(
// CHECK:         scf.for
// CHECK:           scf.for %[[Y:.*]] =
// CHECK:             %[[ABOVE:.*]] = arith.subi %c1, %[[Y]]
// CHECK:             %[[BELOW:.*]] = arith.subi %c8, %[[Y]]
// CHECK:             %[[FROM:.*]] = arith.maxsi %[[ABOVE]], %c0
// CHECK:             %[[INSIDE:.*]] = arith.maxsi %[[BELOW]], %c0
// CHECK:             %[[TO:.*]] = arith.minsi %[[INSIDE]], %c3
// CHECK:             scf.for %{{.*}} = %[[FROM]] to %[[TO]]
// CHECK:                 scf.for %{{.*}} = %c1 to %c6
// CHECK:               } {fw.comment = "Rows 1 to 5: the others read what surrounds the image."
// CHECK:                 scf.for %{{.*}} = %c0 to %c6
// CHECK:               } {fw.name = "k"
// CHECK:                 scf.for %{{.*}} = %c0 to %c5
// CHECK:               } {fw.comment = "Rows 0 to 4: the others read what surrounds the image."
func.func private @window(%x: tensor<?x9x8x5xf32> {fw.zero_border = array<i64: 0, 1, 1, 0, 0, 1, 1, 0>},
                          %w: tensor<3x3x5x16xf32>, %out: tensor<?x7x6x16xf32>)
    -> tensor<?x7x6x16xf32> attributes {fw.kernel} {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<?x7x6x16xf32>) -> tensor<?x7x6x16xf32>
  %1 = linalg.conv_2d_nhwc_hwcf ins(%x, %w : tensor<?x9x8x5xf32>, tensor<3x3x5x16xf32>)
      outs(%0 : tensor<?x7x6x16xf32>) -> tensor<?x7x6x16xf32>
  return %1 : tensor<?x7x6x16xf32>
}

// What is added to the sums at their end, and has a vector for each, is asked for before they are
// added up; what all rows share is not.
// CHECK-LABEL: func.func private @asks(
// CHECK-SAME:    %[[GIVEN:[a-z0-9]+]]: memref<32x16xf32>, %[[OUT:[a-z0-9]+]]: memref<32x16xf32>)
// CHECK:         scf.for %[[ROW:.*]] = %c0 to
// CHECK:           memref.prefetch %[[GIVEN]][%{{.*}}, %c0], read, locality<3>, data
// CHECK-NOT:     memref.prefetch
// CHECK:         fw.name = "k"
// CHECK:         vector.load %[[GIVEN]]
// CHECK:         return
func.func private @asks(%x: tensor<32x64xf32>, %w: tensor<64x16xf32>, %bias: tensor<16xf32>, %given: tensor<32x16xf32>,
                        %out: tensor<32x16xf32>) -> tensor<32x16xf32> attributes {fw.kernel} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<32x16xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%empty : tensor<32x16xf32>) -> tensor<32x16xf32>
  %1 = linalg.matmul ins(%x, %w : tensor<32x64xf32>, tensor<64x16xf32>)
      outs(%0 : tensor<32x16xf32>) -> tensor<32x16xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>,
                                        affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%1, %bias, %given : tensor<32x16xf32>, tensor<16xf32>, tensor<32x16xf32>) outs(%out : tensor<32x16xf32>) {
    ^bb0(%a: f32, %b: f32, %g: f32, %o: f32):
      %s = arith.addf %a, %b : f32
      %r = arith.addf %s, %g : f32
      linalg.yield %r : f32
  } -> tensor<32x16xf32>
  return %2 : tensor<32x16xf32>
}

// What all tiles would stream through the cache anew comes in steps, of so many products that sums
// which rest in memory meanwhile cost little; of a step, vectors that lie far apart are copied.
// CHECK-LABEL: func.func private @steps(
// CHECK:         %[[PANEL:.*]] = memref.alloca() {alignment = 64 : i64} : memref<5x30x48xf32>
// CHECK:         scf.for %[[STEP:.*]] = %c0 to %c73 step %c5 {
// CHECK:           %[[END:.*]] = arith.addi %[[STEP]], %c5
// CHECK:           %[[LAST:.*]] = arith.minsi %[[END]], %c73
// CHECK:           scf.for %[[T:.*]] = %[[STEP]] to %[[LAST]]
// CHECK:             %[[WITHIN:.*]] = arith.subi %[[T]], %[[STEP]]
// CHECK:             vector.store %{{.*}}, %[[PANEL]][%[[WITHIN]],
func.func private @steps(%x: tensor<73x30x66xf32>, %dy: tensor<73x30x520xf32>,
                         %w: tensor<66x520xf32>) -> tensor<66x520xf32> attributes {fw.kernel} {
  %zero = arith.constant 0.0 : f32
  %empty = linalg.fill ins(%zero : f32) outs(%w : tensor<66x520xf32>) -> tensor<66x520xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(i, j, t, k) -> (t, k, i)>,
                                          affine_map<(i, j, t, k) -> (t, k, j)>,
                                          affine_map<(i, j, t, k) -> (i, j)>],
                         iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %dy : tensor<73x30x66xf32>, tensor<73x30x520xf32>) outs(%empty : tensor<66x520xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %r = arith.addf %o, %p : f32
      linalg.yield %r : f32
  } -> tensor<66x520xf32>
  return %sum : tensor<66x520xf32>
}

// What the rows of tiles read far apart is copied too: of each tile one after the other. A sum
// begins a step at zero and is added to what rests in memory.
// CHECK-LABEL: func.func private @row_panels(
// CHECK:         %[[ROWS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<17x5x30x16xf32>
// CHECK:         scf.for %[[STEP:.*]] = %c0 to %c73 step %c5 {
// CHECK:           scf.for %[[T:.*]] = %[[STEP]] to
// CHECK:             scf.for %[[K:.*]] = %c0 to %c30
// CHECK:               scf.for %[[TILE:.*]] = %c0 to
// CHECK:                 %[[WITHIN:.*]] = arith.subi %[[T]], %[[STEP]]
// CHECK:                 vector.store %{{.*}}, %[[ROWS]][%[[TILE]], %[[WITHIN]], %[[K]], %c0]
// CHECK:               memref.prefetch %arg3
// CHECK:           memref.load %[[ROWS]]
// CHECK:           %[[REST:.*]] = vector.load %arg4
// CHECK:           arith.addf %[[REST]]
func.func private @row_panels(%x: tensor<73x30x134xf32>, %dy: tensor<73x30x520xf32>,
                              %w: tensor<134x520xf32>) -> tensor<134x520xf32>
    attributes {fw.kernel} {
  %zero = arith.constant 0.0 : f32
  %empty = linalg.fill ins(%zero : f32) outs(%w : tensor<134x520xf32>) -> tensor<134x520xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(i, j, t, k) -> (t, k, i)>,
                                          affine_map<(i, j, t, k) -> (t, k, j)>,
                                          affine_map<(i, j, t, k) -> (i, j)>],
                         iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %dy : tensor<73x30x134xf32>, tensor<73x30x520xf32>)
      outs(%empty : tensor<134x520xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %p = arith.mulf %a, %b : f32
      %r = arith.addf %o, %p : f32
      linalg.yield %r : f32
  } -> tensor<134x520xf32>
  return %sum : tensor<134x520xf32>
}

// Rows that are parts of longer ones are asked for a row ahead, if much is computed of them; those
// that follow one another are not.
// CHECK-LABEL: func.func private @gated(
// CHECK-SAME:    %[[GATES:[a-z0-9]+]]: memref<32x64xf32>, %[[X:[a-z0-9]+]]: memref<32x16xf32>
// CHECK-DAG:     %[[PART:.*]] = memref.subview %[[GATES]][0, 16] [32, 16] [1, 1]
// CHECK:         scf.for %[[ROW:.*]] = %{{.*}} to
// CHECK:           %[[NEXT:.*]] = arith.addi %[[ROW]], %c1
// CHECK:           %[[LAST:.*]] = arith.minsi %[[NEXT]], %c31
// CHECK:           memref.prefetch %[[PART]][%[[LAST]], %c0], read, locality<3>, data
// CHECK-NOT:       memref.prefetch
// CHECK:           math.tanh
func.func private @gated(%gates: tensor<32x64xf32>, %x: tensor<32x16xf32>,
                         %out: tensor<32x16xf32>) -> tensor<32x16xf32> attributes {fw.kernel} {
  %part = tensor.extract_slice %gates[0, 16] [32, 16] [1, 1] : tensor<32x64xf32> to tensor<32x16xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>,
                                        affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%part, %x : tensor<32x16xf32>, tensor<32x16xf32>) outs(%out : tensor<32x16xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %t = math.tanh %a : f32
      %s = arith.mulf %t, %b : f32
      linalg.yield %s : f32
  } -> tensor<32x16xf32>
  return %0 : tensor<32x16xf32>
}

// 32 rows, six at once: the last two tiles have four each, not six and two.
// NARROW-LABEL: func.func private @rest(
// NARROW:         %[[FULL:.*]] = arith.muli %[[TILE:.*]], %c6
// NARROW:         %[[SHORT:.*]] = arith.muli %[[TILE]], %c4
// NARROW:         %[[LAST:.*]] = arith.addi %[[SHORT]], %c8
// NARROW:         arith.minsi %[[FULL]], %[[LAST]]
// NARROW:         memref.alloca() {fw.name = "sums"} : memref<6x2xvector<8xf32>>
// NARROW:         memref.alloca() {fw.name = "sums"} : memref<4x2xvector<8xf32>>
func.func private @rest(%x: tensor<32x64xf32>, %w: tensor<64x16xf32>, %out: tensor<32x16xf32>)
    -> tensor<32x16xf32> attributes {fw.kernel} {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<32x16xf32>) -> tensor<32x16xf32>
  %1 = linalg.matmul ins(%x, %w : tensor<32x64xf32>, tensor<64x16xf32>)
      outs(%0 : tensor<32x16xf32>) -> tensor<32x16xf32>
  return %1 : tensor<32x16xf32>
}
