// RUN: formwork-opt %s --fw-verify-entries --split-input-file --verify-diagnostics

// State must have been lifted.
fw.variable @v : tensor<f32>
func.func @stateful() -> tensor<f32> {
  // expected-error @unknown {{'fw.read' op is left after the passes over fw, and nothing can compile it: layer 'dense'}}
  %0 = fw.read @v : tensor<f32> loc("dense")
  return %0 : tensor<f32>
}

// -----

// A concrete function knows every size.
// expected-error @below {{concrete function 'f__2' has an argument of unknown size}}
func.func @f__2(%x: tensor<?xf32> {fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0>})
    attributes {fw.concrete_of = @f, fw.dims = array<i64: 2>} {
  return
}

// -----

// Every buffer says what it is.
// expected-error @below {{argument #1 is neither a variable nor a buffer with name and role}}
func.func @f(%v: tensor<2xf32> {fw.variable = @v}, %x: tensor<2xf32> {fw.name = "x"}) attributes {fw.entry = "f"} {
  return
}
