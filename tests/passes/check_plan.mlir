// RUN: formwork-opt %s --fw-check-plan --split-input-file --verify-diagnostics

// A chain through two buffers, with a third where the first was: nothing is lost.
module @kernels {
  func.func private @k(tensor<16xf32>, tensor<16xf32>) -> tensor<16xf32>
}
func.func @chain(%x: memref<16xf32>, %y: memref<16xf32>, %arena: memref<?xi8> {fw.arena}) {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %a = memref.view %arena[%c0][] : memref<?xi8> to memref<16xf32>
  %b = memref.view %arena[%c64][] : memref<?xi8> to memref<16xf32>
  %c = memref.view %arena[%c0][] : memref<?xi8> to memref<16xf32>
  fw.launch @kernels::@k ins(%x) outs(%a) overwrites [true] : (memref<16xf32>, memref<16xf32>) -> ()
  fw.launch @kernels::@k ins(%a) outs(%b) overwrites [true] : (memref<16xf32>, memref<16xf32>) -> ()
  fw.launch @kernels::@k ins(%b) outs(%c) overwrites [true] : (memref<16xf32>, memref<16xf32>) -> ()
  fw.launch @kernels::@k ins(%c) outs(%y) overwrites [true] : (memref<16xf32>, memref<16xf32>) -> ()
  return
}

// -----

// The second buffer begins in the middle of the first, which is read once more.
module @kernels {
  func.func private @k(tensor<32xf32>, tensor<32xf32>) -> tensor<32xf32>
}
func.func @overlap(%x: memref<32xf32>, %y: memref<32xf32>, %arena: memref<?xi8> {fw.arena}) {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  // expected-note @below {{this one overlaps it and is read later}}
  %a = memref.view %arena[%c0][] : memref<?xi8> to memref<32xf32>
  // expected-note @below {{this buffer is written}}
  %b = memref.view %arena[%c64][] : memref<?xi8> to memref<32xf32>
  fw.launch @kernels::@k ins(%x) outs(%a) overwrites [true] : (memref<32xf32>, memref<32xf32>) -> ()
  // expected-error @below {{writes to memory whose content is still needed}}
  fw.launch @kernels::@k ins(%x) outs(%b) overwrites [true] : (memref<32xf32>, memref<32xf32>) -> ()
  fw.launch @kernels::@k ins(%a) outs(%y) overwrites [true] : (memref<32xf32>, memref<32xf32>) -> ()
  return
}

// -----

// What a loop carries is needed in its next step, so a buffer of the body must not lie there.
module @kernels {
  func.func private @k(tensor<16xf32>, tensor<16xf32>) -> tensor<16xf32>
}
func.func @loop(%x: memref<16xf32>, %y: memref<16xf32>, %arena: memref<?xi8> {fw.arena}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  // expected-note @below {{this one overlaps it and is read later}}
  %carry = memref.view %arena[%c0][] : memref<?xi8> to memref<16xf32>
  // expected-note @below {{this buffer is written}}
  %inner = memref.view %arena[%c0][] : memref<?xi8> to memref<16xf32>
  fw.launch @kernels::@k ins(%x) outs(%carry) overwrites [true] : (memref<16xf32>, memref<16xf32>) -> ()
  scf.for %i = %c0 to %c8 step %c1 {
    fw.launch @kernels::@k ins(%carry) outs(%y) overwrites [true] : (memref<16xf32>, memref<16xf32>) -> ()
    // expected-error @below {{writes to memory whose content is still needed}}
    fw.launch @kernels::@k ins(%y) outs(%inner) overwrites [true] : (memref<16xf32>, memref<16xf32>) -> ()
  }
  return
}

// -----

// Offsets that depend on a size are tried for several of them: this one is right for 16 alone.
module @kernels {
  func.func private @k(tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
}
func.func @unknown(%x: memref<?xf32>, %y: memref<?xf32>, %n: index {fw.symbol = 0 : i64},
                   %arena: memref<?xi8> {fw.arena}) {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  // expected-note @below {{this one overlaps it and is read later}}
  %a = memref.view %arena[%c0][%n] : memref<?xi8> to memref<?xf32>
  // expected-note @below {{this buffer is written}}
  %b = memref.view %arena[%c64][%n] : memref<?xi8> to memref<?xf32>
  fw.launch @kernels::@k ins(%x) outs(%a) overwrites [true] : (memref<?xf32>, memref<?xf32>) -> ()
  // expected-error @below {{writes to memory whose content is still needed}}
  fw.launch @kernels::@k ins(%a) outs(%b) overwrites [true] : (memref<?xf32>, memref<?xf32>) -> ()
  fw.launch @kernels::@k ins(%b) outs(%y) overwrites [true] : (memref<?xf32>, memref<?xf32>) -> ()
  return
}
