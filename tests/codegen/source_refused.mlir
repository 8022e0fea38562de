// RUN: not formwork-opt %s --fw-print-source -o /dev/null 2>&1 | FileCheck %s

// What has no rule is an error that names its place; nothing is left out in silence.
// CHECK: error: 'math.exp' cannot be printed in C++ source
// CHECK: note: in 'exponential'
func.func @exponential(%x: memref<f32>) {
  %a = memref.load %x[] : memref<f32>
  %b = math.exp %a : f32
  memref.store %b, %x[] : memref<f32>
  return
}
