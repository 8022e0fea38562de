// RUN: formwork-opt %s --split-input-file --verify-diagnostics

// One test per mistake in an op's operands or attributes.

func.func @dimensions_of_a_contraction_have_one_part(%a: tensor<2x3xf32>, %b: tensor<3x2xf32>) {
  // expected-error @below {{dimension 1 is repeated or not one of}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.dot_general %a, %b contract [1] x [0] batch [1] x [1] : (tensor<2x3xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  return
}

// -----

func.func @contracted_dimensions_come_in_pairs(%a: tensor<2x3xf32>, %b: tensor<3x2xf32>) {
  // expected-error @below {{pairs 1 dimensions of}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.dot_general %a, %b contract [1] x [] batch [] x [] : (tensor<2x3xf32>, tensor<3x2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @a_permutation_names_each_dimension_once(%x: tensor<2x3xf32>) {
  // expected-error @below {{[0, 0] does not permute the dimensions of 'tensor<2x3xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.transpose %x permutation = [0, 0] : (tensor<2x3xf32>) -> tensor<2x2xf32>
  return
}

// -----

func.func @one_dimension_can_be_inferred(%x: tensor<2x3xf32>) {
  // expected-error @below {{at most one dimension of [-1, -1] can be inferred}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.reshape %x to [-1, -1] : (tensor<2x3xf32>) -> tensor<?x?xf32>
  return
}

// -----

func.func @a_shape_has_no_negative_size(%x: tensor<2x3xf32>) {
  // expected-error @below {{[-3, -2] has a negative size}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.reshape %x to [-3, -2] : (tensor<2x3xf32>) -> tensor<?x?xf32>
  return
}

// -----

func.func @a_reshape_keeps_the_elements(%x: tensor<2x3xf32>) {
  // expected-error @below {{'tensor<2x3xf32>' has 6 elements, [4] cannot hold them}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.reshape %x to [4] : (tensor<2x3xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @axes_complete_what_is_repeated(%x: tensor<2xf32>, %like: tensor<2x3x4xf32>) {
  // expected-error @below {{and the axes [1] do not make the dimensions of}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.broadcast_like %x, %like axes = [1] : (tensor<2xf32>, tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return
}

// -----

func.func @only_size_one_is_repeated(%x: tensor<2xf32>, %like: tensor<5x3xf32>) {
  // expected-error @below {{2 elements cannot be repeated to 3}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.broadcast_like %x, %like axes = [0] : (tensor<2xf32>, tensor<5x3xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @a_sum_goes_to_what_was_repeated(%x: tensor<2x3xf32>, %like: tensor<2xf32>) {
  // expected-error @below {{'tensor<2x3xf32>' cannot be summed to 'tensor<2xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.sum_like %x, %like : (tensor<2x3xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @counted_axes_exist(%x: tensor<2x3xf32>) {
  // expected-error @below {{axis 2 is not one of 'tensor<2x3xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.count %x axes = [2] : (tensor<2x3xf32>) -> tensor<f32>
  return
}

// -----

func.func @reduced_axes_are_distinct(%x: tensor<2x3xf32>) {
  // expected-error @below {{axis 0 is repeated or not one of 'tensor<2x3xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.reduce_sum %x axes = [0, 0] : (tensor<2x3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @padding_speaks_of_each_dimension(%x: tensor<2x3xf32>) {
  // expected-error @below {{[1] does not give one number per dimension of 'tensor<2x3xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.pad %x low [1] high [0, 0] interior [0, 0] value 0.0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @padding_is_not_negative(%x: tensor<2x3xf32>) {
  // expected-error @below {{pads by -1 elements}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.pad %x low [0, -1] high [0, 0] interior [0, 0] value 0.0 : (tensor<2x3xf32>) -> tensor<2x2xf32>
  return
}

// -----

func.func @padding_to_an_example_needs_its_rank(%x: tensor<2x3xf32>, %like: tensor<6xf32>) {
  // expected-error @below {{'tensor<2x3xf32>' has not the rank of 'tensor<6xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.pad %x like %like low [0, 0] high [0, 0] interior [0, 0] value 0.0 : (tensor<2x3xf32>, tensor<6xf32>) -> tensor<6xf32>
  return
}

// -----

func.func @padding_fits_the_example(%x: tensor<2x3xf32>, %like: tensor<2x4xf32>) {
  // expected-error @below {{'tensor<2x3xf32>' with its padding does not fit into 'tensor<2x4xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.pad %x like %like low [0, 0] high [0, 0] interior [0, 1] value 0.0 : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @a_slice_steps_forward(%x: tensor<2x3xf32>) {
  // expected-error @below {{steps by 0, not forward}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.slice %x start [0, 0] limit [2, 3] strides [1, 0] : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @a_slice_lies_within(%x: tensor<2x3xf32>) {
  // expected-error @below {{[0, 4) is not a part of 3 elements}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.slice %x start [0, 0] limit [2, 4] strides [1, 1] : (tensor<2x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @a_concatenation_has_parts() {
  // expected-error @below {{expected 1 or more operands, but found 0}}
  %0 = "fw.concat"() {axis = 0 : i64} : () -> tensor<0xf32>
  return
}

// -----

func.func @a_concatenation_needs_its_axis(%x: tensor<2x3xf32>) {
  // expected-error @below {{axis 2 is not one of 'tensor<2x3xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.concat %x, %x axis 2 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @parts_differ_along_one_axis_only(%x: tensor<2x3xf32>, %z: tensor<3x2xf32>) {
  // expected-error @below {{'tensor<2x3xf32>' and 'tensor<3x2xf32>' differ beside axis 0}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.concat %x, %z axis 0 : (tensor<2x3xf32>, tensor<3x2xf32>) -> tensor<5x3xf32>
  return
}

// -----

func.func @a_split_needs_its_axis(%x: tensor<2x3xf32>) {
  // expected-error @below {{axis 2 is not one of 'tensor<2x3xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.split_like %x, %x axis 2 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @a_part_has_the_rank_of_the_whole(%x: tensor<2x3xf32>, %z: tensor<3xf32>) {
  // expected-error @below {{'tensor<3xf32>' is no part of 'tensor<2x3xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.split_like %x, %z axis 0 : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @parts_make_the_whole(%x: tensor<2x3xf32>, %z: tensor<1x3xf32>) {
  // expected-error @below {{the parts have 1 elements along axis 0, 'tensor<2x3xf32>' has 2}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.split_like %x, %z axis 0 : (tensor<2x3xf32>, tensor<1x3xf32>) -> tensor<1x3xf32>
  return
}

// -----

func.func @an_index_runs_along_an_axis(%x: tensor<2x3xf32>) {
  // expected-error @below {{axis 2 is not one of 'tensor<2x3xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.iota_like %x axis 2 : (tensor<2x3xf32>) -> tensor<2x3xi64>
  return
}

// -----

func.func @depth_is_not_negative(%x: tensor<2xi32>) {
  // expected-error @below {{depth -1 is negative}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.one_hot %x depth -1 to f32 : (tensor<2xi32>) -> tensor<2x1xf32>
  return
}

// -----

func.func @a_table_has_rows(%x: tensor<0x3xf32>, %i: tensor<2xi32>) {
  // expected-error @below {{there is no row to look up in 'tensor<0x3xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.gather %x, %i : (tensor<0x3xf32>, tensor<2xi32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @each_index_has_an_update(%x: tensor<2x3xf32>, %i: tensor<5xi32>) {
  // expected-error @below {{needs one row of 'tensor<2x3xf32>' per index of 'tensor<5xi32>': 'tensor<5x3xf32>', not 'tensor<2x3xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.scatter_add %i, %x, %x : (tensor<5xi32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @images_have_the_windows_dimensions_and_two_more(%x: tensor<2x3xf32>, %k: tensor<3x3x4x6xf32>) {
  // expected-error @below {{a window of 2 dimensions slides over [n, as many dimensions, channels], not over 'tensor<2x3xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.conv %x, %k strides [1, 1] padding [0, 0, 0, 0] dilations [1, 1] groups 1 : (tensor<2x3xf32>, tensor<3x3x4x6xf32>) -> tensor<1x3x3x6xf32>
  return
}

// -----

func.func @kernels_have_a_window_channels_and_filters(%x: tensor<1x5x5x4xf32>, %k: tensor<2x3xf32>) {
  // expected-error @below {{needs a kernel [window..., channels, filters], not 'tensor<2x3xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.conv %x, %k strides [1, 1] padding [0, 0, 0, 0] dilations [1, 1] groups 1 : (tensor<1x5x5x4xf32>, tensor<2x3xf32>) -> tensor<1x3x3x6xf32>
  return
}

// -----

func.func @each_dimension_of_a_window_has_a_stride_and_paddings(%x: tensor<1x5x5x4xf32>, %k: tensor<3x3x4x6xf32>) {
  // expected-error @below {{a window of 2 dimensions needs 2 strides and dilations, and 4 paddings}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.conv %x, %k strides [1] padding [0, 0, 0, 0] dilations [1, 1] groups 1 : (tensor<1x5x5x4xf32>, tensor<3x3x4x6xf32>) -> tensor<1x3x3x6xf32>
  return
}

// -----

func.func @windows_move(%x: tensor<1x5x5x4xf32>, %k: tensor<3x3x4x6xf32>) {
  // expected-error @below {{window size, stride and dilation must be positive}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.conv %x, %k strides [1, 0] padding [0, 0, 0, 0] dilations [1, 1] groups 1 : (tensor<1x5x5x4xf32>, tensor<3x3x4x6xf32>) -> tensor<1x3x3x6xf32>
  return
}

// -----

func.func @padding_lies_within_the_window(%x: tensor<1x5x5x4xf32>, %k: tensor<3x3x4x6xf32>) {
  // expected-error @below {{padding 0 and 3 must lie within a window that spans 3}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.conv %x, %k strides [1, 1] padding [0, 0, 0, 3] dilations [1, 1] groups 1 : (tensor<1x5x5x4xf32>, tensor<3x3x4x6xf32>) -> tensor<1x3x3x6xf32>
  return
}

// -----

func.func @windows_of_one_element_leave_none_over(%x: tensor<1x5x5x4xf32>, %k: tensor<1x1x4x6xf32>) {
  // expected-error @below {{padding 0 and -1 must lie within a window that spans 1}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.conv %x, %k strides [1, 1] padding [0, 0, 0, -1] dilations [1, 1] groups 1 : (tensor<1x5x5x4xf32>, tensor<1x1x4x6xf32>) -> tensor<1x5x4x6xf32>
  return
}

// -----

func.func @windows_fit(%x: tensor<1x5x5x4xf32>, %k: tensor<3x3x4x6xf32>) {
  // expected-error @below {{a window that spans 7 does not fit into 5 padded by 0 and 0}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.conv %x, %k strides [1, 1] padding [0, 0, 0, 0] dilations [3, 1] groups 1 : (tensor<1x5x5x4xf32>, tensor<3x3x4x6xf32>) -> tensor<1x3x3x6xf32>
  return
}

// -----

func.func @groups_divide_the_filters(%x: tensor<1x5x5x4xf32>, %k: tensor<3x3x4x6xf32>) {
  // expected-error @below {{6 filters do not make 4 groups}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.conv %x, %k strides [1, 1] padding [0, 0, 0, 0] dilations [1, 1] groups 4 : (tensor<1x5x5x4xf32>, tensor<3x3x4x6xf32>) -> tensor<1x3x3x6xf32>
  return
}

// -----

func.func @kernels_take_the_channels_there_are(%x: tensor<1x5x5x4xf32>, %k: tensor<3x3x4x6xf32>) {
  // expected-error @below {{has 4 channels, the kernel takes 4 in each of 2 groups}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.conv %x, %k strides [1, 1] padding [0, 0, 0, 0] dilations [1, 1] groups 2 : (tensor<1x5x5x4xf32>, tensor<3x3x4x6xf32>) -> tensor<1x3x3x6xf32>
  return
}

// -----

func.func @a_cotangent_has_the_shape_of_the_result(%dy: tensor<1x5x5x6xf32>, %k: tensor<3x3x4x6xf32>, %x: tensor<1x5x5x4xf32>) {
  // expected-error @below {{the convolution gives 'tensor<1x3x3x6xf32>', not 'tensor<1x5x5x6xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.conv_input_grad %dy, %k, %x strides [1, 1] padding [0, 0, 0, 0] dilations [1, 1] groups 1 : (tensor<1x5x5x6xf32>, tensor<3x3x4x6xf32>, tensor<1x5x5x4xf32>) -> tensor<1x5x5x4xf32>
  return
}

// -----

func.func @indices_are_one_per_window(%x: tensor<1x5x5x4xf32>, %i: tensor<1x5x5x4xi32>) {
  // expected-error @below {{windows over 'tensor<1x5x5x4xf32>' give 'tensor<1x2x2x4xf32>', not 'tensor<1x5x5x4xi32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.pool_take %x, %i window [2, 2] strides [2, 2] padding [0, 0, 0, 0] : (tensor<1x5x5x4xf32>, tensor<1x5x5x4xi32>) -> tensor<1x2x2x4xf32>
  return
}

// -----

func.func @softmax_needs_an_axis(%x: tensor<f32>) {
  // expected-error @below {{needs a last axis, 'tensor<f32>' has none}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.softmax %x : (tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @logits_and_labels_match(%x: tensor<2x3xf32>, %l: tensor<2x4xf32>) {
  // expected-error @below {{needs one label per logit, not 'tensor<2x4xf32>' for 'tensor<2x3xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.softmax_cross_entropy %x, %l : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @a_crossentropy_needs_classes(%x: tensor<f32>) {
  // expected-error @below {{needs a last axis, 'tensor<f32>' has none}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.softmax_cross_entropy %x, %x : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return
}

// -----

func.func @sparse_labels_are_one_per_example(%x: tensor<2x3xf32>, %l: tensor<2x1xi32>) {
  // expected-error @below {{needs one label per example, not 'tensor<2x1xi32>' for 'tensor<2x3xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.sparse_softmax_cross_entropy %x, %l : (tensor<2x3xf32>, tensor<2x1xi32>) -> tensor<2xf32>
  return
}

// -----

func.func @a_sparse_crossentropy_needs_classes(%x: tensor<f32>, %l: tensor<i32>) {
  // expected-error @below {{needs a last axis, 'tensor<f32>' has none}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.sparse_softmax_cross_entropy %x, %l : (tensor<f32>, tensor<i32>) -> tensor<f32>
  return
}

// -----

func.func @features_lie_along_an_axis(%x: tensor<2x3xf32>, %g: tensor<3xf32>) {
  // expected-error @below {{axis 2 is not one of 'tensor<2x3xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0:3 = fw.batch_norm %x, %g, %g axis 2 epsilon 1.0e-3 : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) -> (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>)
  return
}

// -----

func.func @each_feature_has_a_scale(%x: tensor<2x3xf32>, %g: tensor<2xf32>) {
  // expected-error @below {{needs gamma and beta of type 'tensor<3xf32>', not 'tensor<2xf32>'}}
  // expected-error @below {{failed to infer returned types}}
  %0:3 = fw.batch_norm %x, %g, %g axis 1 epsilon 1.0e-3 : (tensor<2x3xf32>, tensor<2xf32>, tensor<2xf32>) -> (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>)
  return
}

// -----

func.func @normalized_axes_increase(%x: tensor<2x3xf32>, %g: tensor<2x3xf32>) {
  // expected-error @below {{axes [1, 0] do not increase}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.layer_norm %x, %g, %g axes [1, 0] epsilon 1.0e-3 : (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @randomness_has_seed_and_counter(%x: tensor<2x3xf32>, %r: tensor<3xi64>) {
  // expected-error @below {{rng is [seed, counter], not 'tensor<3xi64>'}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.random_uniform %r, %x {stream = 0 : i64} : (tensor<3xi64>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @a_rate_is_a_probability(%x: tensor<2x3xf32>, %r: tensor<2xi64>) {
  // expected-error @below {{rate 1.500000e+00 is not in [0, 1]}}
  // expected-error @below {{failed to infer returned types}}
  %0 = fw.dropout %x, %r {rate = 1.5 : f64, stream = 0 : i64} : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<2x3xf32>
  return
}
