// One expected error per branch of the verifiers of transposed convolution, resizing, regrouping and normalization.
// RUN: hb-opt %s --verify-diagnostics --split-input-file

func.func @f(%x: tensor<1x4x3x5xf32>, %w: tensor<4x3x2x2xf16>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op input and weight have different element types, float32 and float16}}
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>} : (tensor<1x4x3x5xf32>, tensor<4x3x2x2xf16>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %w: tensor<4x3x2x2xf32>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op has group 0}}
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>, group = 0 : si64} : (tensor<1x4x3x5xf32>, tensor<4x3x2x2xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %w: tensor<4xf32>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op has a weight of rank 1; it needs at least 3}}
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>} : (tensor<1x4x3x5xf32>, tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %w: tensor<4x3xf32>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op has a weight of rank 2; it needs at least 3}}
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>} : (tensor<1x4x3x5xf32>, tensor<4x3xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %w: tensor<4x3x2x2xf32>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op expects 2 output_padding, got 1}}
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0>} : (tensor<1x4x3x5xf32>, tensor<4x3x2x2xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %w: tensor<4x3x2x2xf32>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op has output_padding [0, -1]; they must not be negative}}
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, -1>} : (tensor<1x4x3x5xf32>, tensor<4x3x2x2xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %w: tensor<4x3x2x2xf32>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op expects 2 output_shape, got 3}}
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>, output_shape = array<i64: 1, 2, 3>} : (tensor<1x4x3x5xf32>, tensor<4x3x2x2xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %w: tensor<4x3x2x2xf32>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op has a weight for 4 input channels, which 3 groups do not divide}}
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>, group = 3 : si64} : (tensor<1x4x3x5xf32>, tensor<4x3x2x2xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %w: tensor<4x3x2x2xf32>, %b: tensor<4xf32>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op has 3 output channels, but a bias of 4 elements}}
  %0 = hfloat.conv_transpose %x, %w, %b {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>} : (tensor<1x4x3x5xf32>, tensor<4x3x2x2xf32>, tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %w: tensor<4x3x2x2xf32>, %b: tensor<1x3xf32>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op has a bias that is not one-dimensional}}
  %0 = hfloat.conv_transpose %x, %w, %b {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>} : (tensor<1x4x3x5xf32>, tensor<4x3x2x2xf32>, tensor<1x3xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3xf32>, %w: tensor<4x3x2x2xf32>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op has an input of rank 3 and a weight of rank 4}}
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>} : (tensor<1x4x3xf32>, tensor<4x3x2x2xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x5x3x5xf32>, %w: tensor<4x3x2x2xf32>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op has 5 input channels, but a weight for 4}}
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>} : (tensor<1x5x3x5xf32>, tensor<4x3x2x2xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x0x5xf32>, %w: tensor<4x3x2x2xf32>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op has an empty input in spatial dimension 0}}
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>} : (tensor<1x4x0x5xf32>, tensor<4x3x2x2xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %w: tensor<4x3x0x2xf32>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op has an empty kernel}}
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>} : (tensor<1x4x3x5xf32>, tensor<4x3x0x2xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %w: tensor<4x3x2x2xf32>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op cuts 3 and 3 cells off 6 in spatial dimension 0}}
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 3, 0, 3, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>} : (tensor<1x4x3x5xf32>, tensor<4x3x2x2xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %w: tensor<4x3x2x2xf32>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op has a result that is too large in spatial dimension 0}}
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 4611686018427387904, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>} : (tensor<1x4x3x5xf32>, tensor<4x3x2x2xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %w: tensor<4x3x2x2xf32>) {
  // expected-error @+1 {{'hfloat.conv_transpose' op result 0 is declared tensor<1x3x6x9xf32>, but its operands give tensor<1x3x6x10xf32>}}
  %0 = hfloat.conv_transpose %x, %w {strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, output_padding = array<i64: 0, 0>} : (tensor<1x4x3x5xf32>, tensor<4x3x2x2xf32>) -> tensor<1x3x6x9xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  %none = hfloat.constant dense<> : tensor<0xf32>
  // expected-error @+1 {{'hfloat.resize' op needs either scales or sizes}}
  %0 = hfloat.resize %x, %none, %none : (tensor<1x4x3x5xf32>, tensor<0xf32>, tensor<0xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  %none = hfloat.constant dense<> : tensor<0xf32>
  %s = hfloat.constant dense<[1.0, 1.0, 2.0, 2.0]> : tensor<4xf32>
  %z = hfloat.constant dense<[1, 4, 6, 6]> : tensor<4xi64>
  // expected-error @+1 {{'hfloat.resize' op needs either scales or sizes}}
  %0 = hfloat.resize %x, %none, %s, %z : (tensor<1x4x3x5xf32>, tensor<0xf32>, tensor<4xf32>, tensor<4xi64>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %s: tensor<2x2xf32>) {
  %none = hfloat.constant dense<> : tensor<0xf32>
  // expected-error @+1 {{'hfloat.resize' op has an operand 2 that is not one-dimensional}}
  %0 = hfloat.resize %x, %none, %s : (tensor<1x4x3x5xf32>, tensor<0xf32>, tensor<2x2xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  %none = hfloat.constant dense<> : tensor<0xf32>
  %s = hfloat.constant dense<[1.0, 1.0, 2.0, 2.0]> : tensor<4xf32>
  // expected-error @+1 {{'hfloat.resize' op attribute 'mode' failed to satisfy constraint: string attribute that is one of nearest, linear, cubic}}
  %0 = hfloat.resize %x, %none, %s {mode = "area"} : (tensor<1x4x3x5xf32>, tensor<0xf32>, tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  %none = hfloat.constant dense<> : tensor<0xf32>
  %s = hfloat.constant dense<[1.0, 1.0, 2.0, 2.0]> : tensor<4xf32>
  // expected-error @+1 {{'hfloat.resize' op has 4 scales or sizes for 2 axes}}
  %0 = hfloat.resize %x, %none, %s {axes = array<i64: 2, 3>} : (tensor<1x4x3x5xf32>, tensor<0xf32>, tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  %none = hfloat.constant dense<> : tensor<0xf32>
  %s = hfloat.constant dense<[1.0, 1.0, 2.0, 2.0]> : tensor<4xf32>
  // expected-error @+1 {{'hfloat.resize' op names axis 2 twice}}
  %0 = hfloat.resize %x, %none, %s {axes = array<i64: 2, -2, 0, 1>} : (tensor<1x4x3x5xf32>, tensor<0xf32>, tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  %none = hfloat.constant dense<> : tensor<0xf32>
  %s = hfloat.constant dense<[1.0, 1.0, 2.0, 2.0]> : tensor<4xf32>
  // expected-error @+1 {{'hfloat.resize' op has axis 4, but the rank is 4}}
  %0 = hfloat.resize %x, %none, %s {axes = array<i64: 2, 4, 0, 1>} : (tensor<1x4x3x5xf32>, tensor<0xf32>, tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  %none = hfloat.constant dense<> : tensor<0xf32>
  %s = hfloat.constant dense<[1.0, 1.0, 2.0, -1.0]> : tensor<4xf32>
  // expected-error @+1 {{'hfloat.resize' op has the scale -1, which is not positive}}
  %0 = hfloat.resize %x, %none, %s : (tensor<1x4x3x5xf32>, tensor<0xf32>, tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  %none = hfloat.constant dense<> : tensor<0xf32>
  %s = hfloat.constant dense<[1.0, 1.0, 2.0, 0.125]> : tensor<4xf32>
  // expected-error @+1 {{'hfloat.resize' op leaves nothing of a dimension of 5 at the scale 0.125}}
  %0 = hfloat.resize %x, %none, %s : (tensor<1x4x3x5xf32>, tensor<0xf32>, tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  %none = hfloat.constant dense<> : tensor<0xf32>
  %s = hfloat.constant dense<[1.0, 1.0, 2.0, 1.5]> : tensor<4xf32>
  // expected-error @+1 {{'hfloat.resize' op makes 7.5 elements of 5 with 'align_corners', where ONNX and onnxruntime differ about a fraction; give sizes in place of scales: 7 in place of 1.5 is what onnxruntime and PyTorch compute}}
  %0 = hfloat.resize %x, %none, %s {mode = "linear", coordinate_transformation_mode = "align_corners"} : (tensor<1x4x3x5xf32>, tensor<0xf32>, tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  %roi = hfloat.constant dense<[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]> : tensor<8xf32>
  %s = hfloat.constant dense<[1.0, 1.0, 2.5, 2.0]> : tensor<4xf32>
  // expected-error @+1 {{'hfloat.resize' op makes 7.5 elements of 3 with 'tf_crop_and_resize'}}
  %0 = hfloat.resize %x, %roi, %s {coordinate_transformation_mode = "tf_crop_and_resize"} : (tensor<1x4x3x5xf32>, tensor<8xf32>, tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  %none = hfloat.constant dense<> : tensor<0xf32>
  %z = hfloat.constant dense<[1, 4, 0, 6]> : tensor<4xi64>
  // expected-error @+1 {{'hfloat.resize' op resizes dimensions of [1, 4, 3, 5] to [1, 4, 0, 6]; all must be positive}}
  %0 = hfloat.resize %x, %none, %none, %z : (tensor<1x4x3x5xf32>, tensor<0xf32>, tensor<0xf32>, tensor<4xi64>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %r: tensor<8xf64>) {
  %s = hfloat.constant dense<[1.0, 1.0, 2.0, 2.0]> : tensor<4xf32>
  // expected-error @+1 {{'hfloat.resize' op has a roi that is not f32}}
  %0 = hfloat.resize %x, %r, %s {coordinate_transformation_mode = "tf_crop_and_resize"} : (tensor<1x4x3x5xf32>, tensor<8xf64>, tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{'hfloat.split' op has no results}}
  hfloat.split %x : (tensor<4xf32>) -> ()
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{'hfloat.split' op has axis 1, but the rank is 1}}
  %0:2 = hfloat.split %x {axis = 1 : si64} : (tensor<4xf32>) -> (tensor<?xf32>, tensor<?xf32>)
  return
}

// -----

func.func @f(%x: tensor<5xf32>) {
  // expected-error @+1 {{'hfloat.split' op splits 5 elements into 4 parts}}
  %0:4 = hfloat.split %x : (tensor<5xf32>) -> (tensor<?xf32>, tensor<?xf32>, tensor<?xf32>, tensor<?xf32>)
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  %p = hfloat.constant dense<[5, -1]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.split' op has parts of [5, -1] elements; they must not be negative}}
  %0:2 = hfloat.split %x, %p : (tensor<4xf32>, tensor<2xi64>) -> (tensor<?xf32>, tensor<?xf32>)
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  %p = hfloat.constant dense<[1, 3]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.split' op has 1 results, but 2 sizes}}
  %0 = hfloat.split %x, %p : (tensor<4xf32>, tensor<2xi64>) -> tensor<?xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  %p = hfloat.constant dense<[1, 2]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.split' op splits 4 elements into parts of [1, 2]}}
  %0:2 = hfloat.split %x, %p : (tensor<4xf32>, tensor<2xi64>) -> (tensor<?xf32>, tensor<?xf32>)
  return
}

// -----

func.func @f(%x: tensor<1x3xf32>) {
  %p = hfloat.constant dense<[1]> : tensor<1xi64>
  // expected-error @+1 {{'hfloat.squeeze' op removes dimension 1, whose size is 3}}
  %0 = hfloat.squeeze %x, %p : (tensor<1x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x3xf32>) {
  %p = hfloat.constant dense<[0, -2]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.squeeze' op names axis 0 twice}}
  %0 = hfloat.squeeze %x, %p : (tensor<1x3xf32>, tensor<2xi64>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x3xf32>) {
  %p = hfloat.constant dense<[2, 4]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.expand' op operands do not broadcast: 3 and 4 in dimension 1 of the result}}
  %0 = hfloat.expand %x, %p : (tensor<1x3xf32>, tensor<2xi64>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x3xf32>) {
  %p = hfloat.constant dense<[-1, 3]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.expand' op has the sizes [-1, 3]; they must not be negative}}
  %0 = hfloat.expand %x, %p : (tensor<1x3xf32>, tensor<2xi64>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<3xf32>, %p: tensor<1x1xi64>) {
  // expected-error @+1 {{'hfloat.expand' op has an operand 1 that is not one-dimensional}}
  %0 = hfloat.expand %x, %p : (tensor<3xf32>, tensor<1x1xi64>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x1xf32>) {
  %p = hfloat.constant dense<[1099511627776, 2]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.expand' op has a result that is too large}}
  %0 = hfloat.expand %x, %p : (tensor<1x1xf32>, tensor<2xi64>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x3xf32>) {
  %p = hfloat.constant dense<[2]> : tensor<1xi64>
  // expected-error @+1 {{'hfloat.tile' op has 1 repeats for 2 dimensions}}
  %0 = hfloat.tile %x, %p : (tensor<1x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<3xf32>) {
  %p = hfloat.constant dense<[4611686018427387904]> : tensor<1xi64>
  // expected-error @+1 {{'hfloat.tile' op has a result that is too large}}
  %0 = hfloat.tile %x, %p : (tensor<3xf32>, tensor<1xi64>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  // expected-error @+1 {{'hfloat.depth_to_space' op has a blocksize that is not between 1 and 32768}}
  %0 = hfloat.depth_to_space %x {blocksize = 0 : si64} : (tensor<1x4x3x5xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<4x4xf32>) {
  // expected-error @+1 {{'hfloat.depth_to_space' op has an input of rank 2; it needs rank 4}}
  %0 = hfloat.depth_to_space %x {blocksize = 2 : si64} : (tensor<4x4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  // expected-error @+1 {{'hfloat.depth_to_space' op has 4 channels, which 9 does not divide}}
  %0 = hfloat.depth_to_space %x {blocksize = 3 : si64} : (tensor<1x4x3x5xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  // expected-error @+1 {{'hfloat.depth_to_space' op attribute 'mode' failed to satisfy constraint: string attribute that is one of DCR, CRD}}
  %0 = hfloat.depth_to_space %x {blocksize = 2 : si64, mode = "RCD"} : (tensor<1x4x3x5xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  // expected-error @+1 {{'hfloat.space_to_depth' op has 3 rows, which 2 does not divide}}
  %0 = hfloat.space_to_depth %x {blocksize = 2 : si64} : (tensor<1x4x3x5xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  // expected-error @+1 {{'hfloat.space_to_depth' op has 5 columns, which 3 does not divide}}
  %0 = hfloat.space_to_depth %x {blocksize = 3 : si64} : (tensor<1x4x3x5xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4xf32>, %p: tensor<4xf32>, %q: tensor<4xf32>) {
  // expected-error @+1 {{'hfloat.instance_normalization' op has an input of rank 2; it needs at least 3}}
  %0 = hfloat.instance_normalization %x, %p, %q : (tensor<1x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %p: tensor<4xf64>, %q: tensor<4xf32>) {
  // expected-error @+1 {{'hfloat.instance_normalization' op input and scale have different element types, float32 and float64}}
  %0 = hfloat.instance_normalization %x, %p, %q : (tensor<1x4x3x5xf32>, tensor<4xf64>, tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %p: tensor<4xf32>, %q: tensor<5xf32>) {
  // expected-error @+1 {{'hfloat.instance_normalization' op has 4 channels, but 'bias' has 5 elements}}
  %0 = hfloat.instance_normalization %x, %p, %q : (tensor<1x4x3x5xf32>, tensor<4xf32>, tensor<5xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %p: tensor<4x1xf32>, %q: tensor<4xf32>) {
  // expected-error @+1 {{'hfloat.instance_normalization' op 'scale' is not one-dimensional}}
  %0 = hfloat.instance_normalization %x, %p, %q : (tensor<1x4x3x5xf32>, tensor<4x1xf32>, tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %p: tensor<4xf32>, %q: tensor<4xf32>) {
  // expected-error @+1 {{'hfloat.group_normalization' op has 0 groups}}
  %0 = hfloat.group_normalization %x, %p, %q {num_groups = 0 : si64} : (tensor<1x4x3x5xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %p: tensor<4xf32>, %q: tensor<4xf32>) {
  // expected-error @+1 {{'hfloat.group_normalization' op has 4 channels, which 3 groups do not divide}}
  %0 = hfloat.group_normalization %x, %p, %q {num_groups = 3 : si64} : (tensor<1x4x3x5xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %p: tensor<5xf32>) {
  // expected-error @+1 {{'hfloat.layer_normalization' op has axis 4, but the rank is 4}}
  %0 = hfloat.layer_normalization %x, %p {axis = 4 : si64} : (tensor<1x4x3x5xf32>, tensor<5xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %p: tensor<5xf16>) {
  // expected-error @+1 {{'hfloat.layer_normalization' op input, scale and bias have different element types, float32 and float16}}
  %0 = hfloat.layer_normalization %x, %p : (tensor<1x4x3x5xf32>, tensor<5xf16>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>, %p: tensor<2x4x3x5xf32>) {
  // expected-error @+1 {{'hfloat.layer_normalization' op scale and bias do not broadcast to the shape of the input}}
  %0 = hfloat.layer_normalization %x, %p : (tensor<1x4x3x5xf32>, tensor<2x4x3x5xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{'hfloat.lrn' op has an input of rank 1; it needs at least 2}}
  %0 = hfloat.lrn %x {size = 3 : si64} : (tensor<4xf32>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x3x5xf32>) {
  // expected-error @+1 {{'hfloat.lrn' op has size 0; it must be positive}}
  %0 = hfloat.lrn %x {size = 0 : si64} : (tensor<1x4x3x5xf32>) -> tensor<*xf32>
  return
}
