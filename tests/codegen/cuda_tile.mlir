// RUN: formwork-opt %s --split-input-file --fw-cuda-tile --canonicalize --cse | FileCheck %s
// RUN: formwork-opt %s --split-input-file --fw-cuda-tile --fw-expand-math --canonicalize --cse \
// RUN:   --fw-print-cuda -o /dev/null | FileCheck %s --check-prefix=CUDA
// RUN: formwork-opt %s --split-input-file --fw-cuda-tile=tf32=true --canonicalize --cse \
// RUN:   --fw-print-cuda -o /dev/null | FileCheck %s --check-prefix=TF32

// A product and what follows it: tiles of 32 by 32, sums in registers, slices in shared memory.
// CHECK-LABEL: func.func private @dense.blocks(
// CHECK:         %[[BLOCKS:.*]] = arith.constant 4 : index
// CHECK:         return %[[BLOCKS]]
// CHECK-LABEL: func.func private @dense(%{{.*}}: memref<32x64xf32>
// CHECK-SAME:    fw.form = "a block for each tile {{[^"]*}}", {{.*}}fw.narrow, fw.threads = 256 : i64, gpu.kernel
// CHECK:         memref.alloca() {{.*}} memref<{{.*}}xf32, #gpu.address_space<workgroup>>
// CHECK:         memref.alloca() {{.*}} memref<2x2xf32>
// CHECK:         scf.for
// CHECK:           gpu.barrier
// CHECK:           math.fma
// CHECK:           } {fw.unroll = 2 : i64}
// CHECK:           gpu.barrier
// CHECK:         arith.addf
// CHECK:         arith.maximumf
// CHECK:         memref.store
// CHECK-NOT:     tensor.

// CUDA:      // dense%2A/: contraction; [32, 64] [64, 100] [100] [32, 100]
// CUDA-NEXT: // a block for each tile of 32 x 32, summed in slices of 32
// CUDA-NEXT: extern "C" __global__ void __launch_bounds__(256)
// CUDA-NEXT: dense(const float *__restrict__ argument0,
// CUDA:        __shared__ __align__(16) float shared[
// CUDA-DAG:    const int thread = threadIdx.x;
// CUDA-DAG:    const int block = blockIdx.x;
// CUDA:        float sums[2][2];
// CUDA:        __syncthreads();
// CUDA:        #pragma unroll 2
// CUDA:        sums[{{.}}][{{.}}] = fmaf(left[{{.}}], right[{{.}}], sums[{{.}}][{{.}}]);
// CUDA:        __syncthreads();
// CUDA:        fw_maximum(

// Where products may be rounded, warps multiply. Either way the next slice is on its way meanwhile.
// TF32:      cp.async.ca.shared.global
// TF32:      mma.sync.aligned.m16n8k8
// TF32:      dense(const float
// TF32:        fw_copy_async(&shared[
// TF32:        fw_commit_copies();
// TF32:        for (
// TF32:          fw_copy_async(&shared[
// TF32:          fw_wait_copies<1>();
// TF32-NEXT:     __syncthreads();
// TF32:          fw_to_tf32(
// TF32:          fw_mma_tf32(sums, left, right);
// TF32:          __syncthreads();
func.func private @dense(%x: tensor<32x64xf32>, %w: tensor<64x100xf32>, %bias: tensor<100xf32>,
                         %out: tensor<32x100xf32>) -> tensor<32x100xf32>
    attributes {fw.kernel = "contraction", fw.layers = ["dense*/"]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<32x100xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%empty : tensor<32x100xf32>) -> tensor<32x100xf32>
  %1 = linalg.matmul ins(%x, %w : tensor<32x64xf32>, tensor<64x100xf32>)
      outs(%0 : tensor<32x100xf32>) -> tensor<32x100xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>,
                                        affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%1, %bias : tensor<32x100xf32>, tensor<100xf32>) outs(%out : tensor<32x100xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %s = arith.addf %a, %b : f32
      %r = arith.maximumf %s, %zero : f32
      linalg.yield %r : f32
  } -> tensor<32x100xf32>
  return %2 : tensor<32x100xf32>
}

// -----

// Sums of rows, of which there are not known many: four warps for each. Each warp adds up in a tree,
// then all threads what the warps have.
// CHECK-LABEL: func.func private @rows.blocks(
// CHECK:         memref.dim
// CHECK:         arith.divui
// CHECK-LABEL: func.func private @rows(
// CHECK-NOT:     fw.narrow
// CHECK:         scf.for {{.*}} iter_args
// CHECK:         gpu.shuffle xor
// CHECK-COUNT-4: gpu.shuffle xor
// CHECK-NOT:     gpu.shuffle
// CHECK:         gpu.barrier
// CHECK:         memref.store {{.*}} #gpu.address_space<workgroup>>
// CHECK:         gpu.barrier
// CHECK:         scf.if
// CHECK:           memref.store

// CUDA:      rows(const float *__restrict__ argument0,
// CUDA:        const int64_t thread = threadIdx.x;
// CUDA:        for (int64_t i = {{.*}}; i < 512; i += 128) {
// CUDA:        __shfl_xor_sync(0xffffffffu, {{.*}}, 16, 32);
// CUDA:        __shfl_xor_sync(0xffffffffu, {{.*}}, 1, 32);
// CUDA:        __syncthreads();
// CUDA:        shared[thread / 32] =
func.func private @rows(%x: tensor<?x512xf32>, %out: tensor<?xf32>) -> tensor<?xf32>
    attributes {fw.kernel} {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%out : tensor<?xf32>) -> tensor<?xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                       iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x512xf32>) outs(%0 : tensor<?xf32>) {
    ^bb0(%a: f32, %o: f32):
      %s = arith.addf %o, %a : f32
      linalg.yield %s : f32
  } -> tensor<?xf32>
  return %1 : tensor<?xf32>
}
