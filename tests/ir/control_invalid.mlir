// RUN: formwork-opt %s --split-input-file --verify-diagnostics

// One test per mistake.

func.func @scan_needs_a_sequence(%h: tensor<f32>) {
  // expected-error @below {{needs a sequence: its leading dimension is the number of steps}}
  %0 = fw.scan carry(%h) over() capture() : (tensor<f32>) -> tensor<f32> {
  ^bb0(%hh: tensor<f32>):
    fw.yield %hh : tensor<f32>
  }
  return
}

// -----

func.func @scan_steps_through_a_leading_dimension(%h: tensor<f32>) {
  // expected-error @below {{cannot step through 'tensor<f32>'}}
  %0 = fw.scan carry(%h) over(%h) capture() : (tensor<f32>, tensor<f32>) -> tensor<f32> {
  ^bb0(%hh: tensor<f32>, %x: tensor<f32>):
    fw.yield %hh : tensor<f32>
  }
  return
}

// -----

func.func @scan_body_takes_carries_elements_captures(%h: tensor<f32>, %x: tensor<5xf32>) {
  // expected-error @below {{body takes ('tensor<f32>', 'tensor<5xf32>'), not ('tensor<f32>', 'tensor<f32>')}}
  %0 = fw.scan carry(%h) over(%x) capture() : (tensor<f32>, tensor<5xf32>) -> tensor<f32> {
  ^bb0(%hh: tensor<f32>, %xt: tensor<5xf32>):
    fw.yield %hh : tensor<f32>
  }
  return
}

// -----

func.func @scan_body_yields_carries_and_outputs(%h: tensor<f32>, %x: tensor<5xf32>) {
  // expected-error @below {{body yields ('tensor<f32>'), not ('tensor<f32>', 'tensor<f32>')}}
  %0, %1 = fw.scan carry(%h) over(%x) capture() : (tensor<f32>, tensor<5xf32>) -> tensor<f32> stacks(tensor<5xf32>) {
  ^bb0(%hh: tensor<f32>, %xt: tensor<f32>):
    fw.yield %hh : tensor<f32>
  }
  return
}

// -----

func.func @if_branches_take_the_captures(%p: tensor<i1>, %x: tensor<5xf32>) {
  // expected-error @below {{then takes (), not ('tensor<5xf32>')}}
  fw.if %p capture(%x) : (tensor<i1>, tensor<5xf32>) -> () then {
    fw.yield
  } else {
  ^bb0(%0: tensor<5xf32>):
    fw.yield
  }
  return
}

// -----

func.func @if_branches_yield_the_results(%p: tensor<i1>, %x: tensor<5xf32>) {
  // expected-error @below {{else yields (), not ('tensor<5xf32>')}}
  %y = fw.if %p capture(%x) : (tensor<i1>, tensor<5xf32>) -> tensor<5xf32> then {
  ^bb0(%0: tensor<5xf32>):
    fw.yield %0 : tensor<5xf32>
  } else {
  ^bb0(%0: tensor<5xf32>):
    fw.yield
  }
  return
}

// -----

func.func @while_bodies_take_carries_and_captures(%x: tensor<f32>, %p: tensor<i1>) {
  // expected-error @below {{condition takes ('tensor<f32>'), not ('tensor<f32>', 'tensor<i1>')}}
  %y = fw.while carry(%x) capture(%p) : (tensor<f32>, tensor<i1>) -> tensor<f32> while {
  ^bb0(%0: tensor<f32>):
    %c = fw.constant dense<true> : tensor<i1>
    fw.yield %c : tensor<i1>
  } do {
  ^bb0(%0: tensor<f32>, %q: tensor<i1>):
    fw.yield %0 : tensor<f32>
  }
  return
}

// -----

func.func @while_condition_is_a_scalar_boolean(%x: tensor<f32>) {
  // expected-error @below {{condition yields ('tensor<f32>'), not ('tensor<i1>')}}
  %y = fw.while carry(%x) capture() : (tensor<f32>) -> tensor<f32> while {
  ^bb0(%0: tensor<f32>):
    fw.yield %0 : tensor<f32>
  } do {
  ^bb0(%0: tensor<f32>):
    fw.yield %0 : tensor<f32>
  }
  return
}

// -----

func.func @while_body_yields_the_next_carries(%x: tensor<f32>, %p: tensor<i1>) {
  // expected-error @below {{body yields (), not ('tensor<f32>')}}
  %y = fw.while carry(%x) capture(%p) : (tensor<f32>, tensor<i1>) -> tensor<f32> while {
  ^bb0(%0: tensor<f32>, %q: tensor<i1>):
    fw.yield %q : tensor<i1>
  } do {
  ^bb0(%0: tensor<f32>, %q: tensor<i1>):
    fw.yield
  }
  return
}

// -----

func.func @while_gives_its_carries(%x: tensor<?xf32>, %p: tensor<i1>) {
  // expected-error @below {{gives ('tensor<5xf32>'), not ('tensor<?xf32>')}}
  %y = fw.while carry(%x) capture(%p) : (tensor<?xf32>, tensor<i1>) -> tensor<5xf32> while {
  ^bb0(%0: tensor<?xf32>, %q: tensor<i1>):
    fw.yield %q : tensor<i1>
  } do {
  ^bb0(%0: tensor<?xf32>, %q: tensor<i1>):
    fw.yield %0 : tensor<?xf32>
  }
  return
}

// -----

func.func @while_makes_no_negative_number_of_steps(%x: tensor<f32>, %p: tensor<i1>) {
  // expected-error @below {{attribute 'max_steps' failed to satisfy constraint}}
  %y = fw.while carry(%x) capture(%p) max_steps = -1 : (tensor<f32>, tensor<i1>) -> tensor<f32> while {
  ^bb0(%0: tensor<f32>, %q: tensor<i1>):
    fw.yield %q : tensor<i1>
  } do {
  ^bb0(%0: tensor<f32>, %q: tensor<i1>):
    fw.yield %0 : tensor<f32>
  }
  return
}
