// One expected error per branch of the verifiers of `bpu`.
// RUN: hb-opt %s --verify-diagnostics --split-input-file

func.func @f(%x: tensor<1x1x1x1x1x1x1x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.reshape' op operand 0: rank 7 is above 6}}
  %0 = bpu.reshape %x : (tensor<1x1x1x1x1x1x1x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<0x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.reshape' op operand 0: shape [0, 2] has no elements}}
  %0 = bpu.reshape %x : (tensor<0x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<65536x65536x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.reshape' op operand 0: shape [65536, 65536] of i8 takes more than 2147483648 bytes}}
  %0 = bpu.reshape %x : (tensor<65536x65536x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<?x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.reshape' op the shape of [?, 4] is not known}}
  %0 = bpu.reshape %x : (tensor<?x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 1.0e-40>>) {
  // expected-error @+1 {{'bpu.requantize' op operand 0: scale 1e-40 is not a positive normal f32}}
  %0 = bpu.requantize %x : (tensor<2x4x!quant.uniform<i8:f32, 1.0e-40>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.requantize' op result: scale 1e-40 is not a positive normal f32}}
  %0 = bpu.requantize %x : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 1.0e-40>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i16:f32, 0.5:3>>) {
  // expected-error @+1 {{'bpu.requantize' op operand 0: i16 has no zero point 3; only i8 has others than 0, in its range}}
  %0 = bpu.requantize %x : (tensor<2x4x!quant.uniform<i16:f32, 0.5:3>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5:3>>, %w: tensor<4x2x!quant.uniform<i8:f32, 0.5:1>>) {
  // expected-error @+1 {{'bpu.matmul' op the second operand must have the zero point 0}}
  %0 = bpu.matmul %x, %w : (tensor<2x4x!quant.uniform<i8:f32, 0.5:3>>, tensor<4x2x!quant.uniform<i8:f32, 0.5:1>>) -> tensor<2x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x2x2x1x!quant.uniform<i8:f32, 0.5:3>>, %w: tensor<1x1x1x1x!quant.uniform<i8:f32, 0.5:-1>>) {
  // expected-error @+1 {{'bpu.conv2d' op the weight must have the zero point 0}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
    : (tensor<1x2x2x1x!quant.uniform<i8:f32, 0.5:3>>, tensor<1x1x1x1x!quant.uniform<i8:f32, 0.5:-1>>) -> tensor<1x2x2x1x!quant.uniform<i8:f32, 0.5:7>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<u8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.requantize' op !quant.uniform<u8:f32, 5.000000e-01> is not a tensor type that the compiler knows}}
  %0 = bpu.requantize %x : (tensor<2x4x!quant.uniform<u8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8<-127:127>:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.requantize' op !quant.uniform<i8<-127:127>:f32, 5.000000e-01> is not a tensor type that the compiler knows}}
  %0 = bpu.requantize %x : (tensor<2x4x!quant.uniform<i8<-127:127>:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) {
  // expected-error @+1 {{'bpu.requantize' op operand 0: 2 scales do not fit axis 1 of shape [2, 4]}}
  %0 = bpu.requantize %x : (tensor<2x4x!quant.uniform<i8:f32:1, {0.5, 0.25}>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32:7, {0.5, 0.25}>>) {
  // expected-error @+1 {{'bpu.requantize' op operand 0: 2 scales do not fit axis 7 of shape [2, 4]}}
  %0 = bpu.requantize %x : (tensor<2x4x!quant.uniform<i8:f32:7, {0.5, 0.25}>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op the input has rank 3 but must have rank 4}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op the weight has rank 3 but must have rank 4}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op the result has shape [1, 4, 4, 4] but the operands give [1, 4, 4, 3]}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op expects 2 strides, got 1}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op kernel, strides and dilations must be at least 1, strides and dilations at most 16777216}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 0, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op strides has the negative value -1}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: -1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op expects 4 pads, got 2}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op the padded input has 33554436 rows or columns; at most 16777216 can be counted}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 33554432, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op 2 input and 3 output channels cannot be cut into 0 groups of equal size}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 0} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op group is -1}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = -1} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op 2 input and 3 output channels cannot be cut into 2 groups of equal size}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x3x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op the weight takes 3 channels but a group of the input has 2}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x3x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x5x5x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op the window covers 5 cells but the padded input has only 4}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x5x5x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op the clamp [5, 4] is empty or leaves the range of i8}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, clamp_min = 5, clamp_max = 4} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op the clamp [0, 128] is empty or leaves the range of i8}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, clamp_min = 0, clamp_max = 128} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op clamp_max 4294967296 leaves 32 bits}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, clamp_max = 4294967296} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i32:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op the input must be i8 or i16, not i32}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i32:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32:3, {0.5, 0.25}>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op the input must have one scale for the whole tensor}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32:3, {0.5, 0.25}>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i32:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op the weight must be i8 or i16, not i32}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i32:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32:3, {0.5, 0.25}>>) {
  // expected-error @+1 {{'bpu.conv2d' op the scales of the weight must run along its output channels, axis 0}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32:3, {0.5, 0.25}>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op the result must have one scale for the whole tensor}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i8:f32:3, {0.5, 0.25, 0.125}>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op the scale of an i32 result must be the product of the scales of the operands}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i32:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.conv2d' op an i32 result is the accumulator itself and takes no clamp}}
  %0 = bpu.conv2d %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, clamp_min = 0, clamp_max = 5} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x4x4x3x!quant.uniform<i32:f32, 0.25>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>, %b: tensor<2xi32>) {
  // expected-error @+1 {{'bpu.conv2d' op the bias has shape [2] but must have [3]}}
  %0 = bpu.conv2d %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>, tensor<2xi32>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>, %b: tensor<3xf32>) {
  // expected-error @+1 {{'bpu.conv2d' op operand #2 must be ranked tensor of 32-bit signless integer values, but got 'tensor<3xf32>'}}
  %0 = bpu.conv2d %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>, tensor<3x1x1x2x!quant.uniform<i8:f32, 0.5>>, tensor<3xf32>) -> tensor<1x4x4x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.matmul' op the first operand has 4 columns but the second 2 rows}}
  %0 = bpu.matmul %x, %w : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<4x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.matmul' op both operands of a matrix product must have at least rank 2}}
  %0 = bpu.matmul %x, %w : (tensor<4x!quant.uniform<i8:f32, 0.5>>, tensor<4x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x2x4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x4x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.matmul' op shapes [2] and [3] do not broadcast}}
  %0 = bpu.matmul %x, %w : (tensor<2x2x4x!quant.uniform<i8:f32, 0.5>>, tensor<3x4x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<3x2x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i32:f32, 0.5>>, %w: tensor<4x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.matmul' op the first operand must be i8 or i16, not i32}}
  %0 = bpu.matmul %x, %w : (tensor<2x4x!quant.uniform<i32:f32, 0.5>>, tensor<4x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<4x2x!quant.uniform<i32:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.matmul' op the second operand must be i8 or i16, not i32}}
  %0 = bpu.matmul %x, %w : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<4x2x!quant.uniform<i32:f32, 0.5>>) -> tensor<2x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<4x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.matmul' op the scale of an i32 result must be the product of the scales of the operands}}
  %0 = bpu.matmul %x, %w : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<4x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x2x!quant.uniform<i32:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.add' op shapes [2, 4] and [3] do not broadcast}}
  %0 = bpu.add %x, %w : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<3x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.sub' op shapes [2, 4] and [3] do not broadcast}}
  %0 = bpu.sub %x, %w : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<3x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.mul' op shapes [2, 4] and [3] do not broadcast}}
  %0 = bpu.mul %x, %w : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<3x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.p_relu' op the slope of shape [2, 4] does not broadcast to [4]}}
  %0 = bpu.p_relu %x, %w : (tensor<4x!quant.uniform<i8:f32, 0.5>>, tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.add' op the result has shape [4, 2] but the operands give [2, 4]}}
  %0 = bpu.add %x, %w : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<4x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i32:f32, 0.5>>, %w: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.add' op the first operand must be i8 or i16, not i32}}
  %0 = bpu.add %x, %w : (tensor<2x4x!quant.uniform<i32:f32, 0.5>>, tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<2x4x!quant.uniform<i32:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.add' op the second operand must be i8 or i16, not i32}}
  %0 = bpu.add %x, %w : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<2x4x!quant.uniform<i32:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.add' op the result must be i8 or i16, not i32}}
  %0 = bpu.add %x, %w : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i32:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.add' op the clamp [-129, 3] is empty or leaves the range of i8}}
  %0 = bpu.add %x, %w {clamp_min = -129, clamp_max = 3} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.requantize' op the result has shape [4, 2] but the operands give [2, 4]}}
  %0 = bpu.requantize %x : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<4x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.requantize' op the result must be i8 or i16, not i32}}
  %0 = bpu.requantize %x : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i32:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.lookup' op its table has 2 entries; it needs 256}}
  %0 = bpu.lookup %x {table = array<i8: 1, 2>} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i16:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.lookup' op a table maps i8 to i8}}
  %0 = bpu.lookup %x {table = array<i8: 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1>} : (tensor<2x4x!quant.uniform<i16:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.lookup' op a table maps i8 to i8}}
  %0 = bpu.lookup %x {table = array<i8: 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1>} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i16:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i16:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.curve' op has 2 starts, but 1 quadratic, 2 linear and 3 constant coefficients}}
  %0 = bpu.curve %x {starts = array<i64: -32768, 0>, quadratic = array<i64: 0>, linear = array<i64: 0, 0>, constant = array<i64: 0, 0, 0>, shift = 0} : (tensor<4x!quant.uniform<i16:f32, 0.5>>) -> tensor<4x!quant.uniform<i16:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i16:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.curve' op start 32768 leaves 16 bits}}
  %0 = bpu.curve %x {starts = array<i64: -32768, 32768>, quadratic = array<i64: 0, 0>, linear = array<i64: 0, 0>, constant = array<i64: 0, 0>, shift = 0} : (tensor<4x!quant.uniform<i16:f32, 0.5>>) -> tensor<4x!quant.uniform<i16:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i16:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.curve' op a curve has 1 to 64 pieces, not 0}}
  %0 = bpu.curve %x {starts = array<i64>, quadratic = array<i64>, linear = array<i64>, constant = array<i64>, shift = 0} : (tensor<4x!quant.uniform<i16:f32, 0.5>>) -> tensor<4x!quant.uniform<i16:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i16:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.curve' op a curve has 1 to 64 pieces, not 65}}
  %0 = bpu.curve %x {starts = array<i64: -32768, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63>, quadratic = array<i64: 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>, linear = array<i64: 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>, constant = array<i64: 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0>, shift = 0} : (tensor<4x!quant.uniform<i16:f32, 0.5>>) -> tensor<4x!quant.uniform<i16:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i16:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.curve' op piece 2 starts at 7, which is not above the start of the one before}}
  %0 = bpu.curve %x {starts = array<i64: -32768, 7, 7>, quadratic = array<i64: 0, 0, 0>, linear = array<i64: 0, 0, 0>, constant = array<i64: 0, 0, 0>, shift = 0} : (tensor<4x!quant.uniform<i16:f32, 0.5>>) -> tensor<4x!quant.uniform<i16:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i16:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.curve' op the shift 63 of a curve is above 62}}
  %0 = bpu.curve %x {starts = array<i64: -32768>, quadratic = array<i64: 0>, linear = array<i64: 0>, constant = array<i64: 0>, shift = 63} : (tensor<4x!quant.uniform<i16:f32, 0.5>>) -> tensor<4x!quant.uniform<i16:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i16:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.curve' op the shift -1 is no u32}}
  %0 = bpu.curve %x {starts = array<i64: -32768>, quadratic = array<i64: 0>, linear = array<i64: 0>, constant = array<i64: 0>, shift = -1} : (tensor<4x!quant.uniform<i16:f32, 0.5>>) -> tensor<4x!quant.uniform<i16:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i16:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.curve' op its first piece starts at -128, not at the least i16, -32768}}
  %0 = bpu.curve %x {starts = array<i64: -128>, quadratic = array<i64: 0>, linear = array<i64: 0>, constant = array<i64: 0>, shift = 0} : (tensor<4x!quant.uniform<i16:f32, 0.5>>) -> tensor<4x!quant.uniform<i16:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.curve' op its first piece starts at -32768, not at the least i8, -128}}
  %0 = bpu.curve %x {starts = array<i64: -32768>, quadratic = array<i64: 0>, linear = array<i64: 0>, constant = array<i64: 0>, shift = 0} : (tensor<4x!quant.uniform<i8:f32, 0.5>>) -> tensor<4x!quant.uniform<i16:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.curve' op a function from i8 to i8 is a table}}
  %0 = bpu.curve %x {starts = array<i64: -128>, quadratic = array<i64: 0>, linear = array<i64: 0>, constant = array<i64: 0>, shift = 0} : (tensor<4x!quant.uniform<i8:f32, 0.5>>) -> tensor<4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i32:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.curve' op the input must be i8 or i16, not i32}}
  %0 = bpu.curve %x {starts = array<i64: -32768>, quadratic = array<i64: 0>, linear = array<i64: 0>, constant = array<i64: 0>, shift = 0} : (tensor<4x!quant.uniform<i32:f32, 0.5>>) -> tensor<4x!quant.uniform<i16:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i16:f32:0, {0.5, 1.0, 0.5, 1.0}>>) {
  // expected-error @+1 {{'bpu.curve' op the input must have one scale for the whole tensor}}
  %0 = bpu.curve %x {starts = array<i64: -32768>, quadratic = array<i64: 0>, linear = array<i64: 0>, constant = array<i64: 0>, shift = 0} : (tensor<4x!quant.uniform<i16:f32:0, {0.5, 1.0, 0.5, 1.0}>>) -> tensor<4x!quant.uniform<i16:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i16:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.curve' op the result must be i8 or i16, not i32}}
  %0 = bpu.curve %x {starts = array<i64: -32768>, quadratic = array<i64: 0>, linear = array<i64: 0>, constant = array<i64: 0>, shift = 0} : (tensor<4x!quant.uniform<i16:f32, 0.5>>) -> tensor<4x!quant.uniform<i32:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i16:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.curve' op the result must have one scale for the whole tensor}}
  %0 = bpu.curve %x {starts = array<i64: -32768>, quadratic = array<i64: 0>, linear = array<i64: 0>, constant = array<i64: 0>, shift = 0} : (tensor<4x!quant.uniform<i16:f32, 0.5>>) -> tensor<4x!quant.uniform<i16:f32:0, {0.5, 1.0, 0.5, 1.0}>>
  return
}

// -----

func.func @f(%x: tensor<4x!quant.uniform<i16:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.curve' op the result has shape [3] but the operands give [4]}}
  %0 = bpu.curve %x {starts = array<i64: -32768>, quadratic = array<i64: 0>, linear = array<i64: 0>, constant = array<i64: 0>, shift = 0} : (tensor<4x!quant.uniform<i16:f32, 0.5>>) -> tensor<3x!quant.uniform<i16:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4x4x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.max_pool' op the input has rank 3 but must have rank 4}}
  %0 = bpu.max_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<4x4x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x2x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.max_pool' op operand and result must have the same type and scale, not i8:0.5 and i8:0.25}}
  %0 = bpu.max_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x2x2x2x!quant.uniform<i8:f32, 0.25>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.max_pool' op expects 2 kernel_shape, got 1}}
  %0 = bpu.max_pool %x {kernel_shape = array<i64: 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x2x2x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.max_pool' op the windows of output row 0 lie wholly in the padding}}
  %0 = bpu.max_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 2, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x3x2x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i32:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.max_pool' op the input must be i8 or i16, not i32}}
  %0 = bpu.max_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x4x2x!quant.uniform<i32:f32, 0.5>>) -> tensor<1x2x2x2x!quant.uniform<i32:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.average_pool' op the result has shape [1, 2, 2, 3] but the operands give [1, 2, 2, 2]}}
  %0 = bpu.average_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x2x2x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.average_pool' op the windows of output row 0 lie wholly in the padding}}
  %0 = bpu.average_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 2, 0, 0, 0>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x3x2x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i32:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.average_pool' op the input must be i8 or i16, not i32}}
  %0 = bpu.average_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x4x4x2x!quant.uniform<i32:f32, 0.5>>) -> tensor<1x2x2x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.average_pool' op the result must be i8 or i16, not i32}}
  %0 = bpu.average_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x2x2x2x!quant.uniform<i32:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.average_pool' op the clamp [0, 200] is empty or leaves the range of i8}}
  %0 = bpu.average_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, clamp_min = 0, clamp_max = 200} : (tensor<1x4x4x2x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x2x2x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'bpu.concat' op a concat needs at least one operand}}
  %0 = "bpu.concat"() {axis = 0 : i64} : () -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<3x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.concat' op shapes [2, 4] and [3, 4] differ outside of axis 1}}
  %0 = bpu.concat %x, %w {axis = 1 : i64} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<3x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x8x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.concat' op axis 2 is outside of rank 2}}
  %0 = bpu.concat %x, %w {axis = 2 : i64} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.concat' op axis is -1}}
  %0 = bpu.concat %x, %w {axis = -1 : i64} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x8x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>, %w: tensor<2x4x!quant.uniform<i8:f32, 0.25>>) {
  // expected-error @+1 {{'bpu.concat' op operand and result must have the same type and scale, not i8:0.25 and i8:0.5}}
  %0 = bpu.concat %x, %w {axis = 1 : i64} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<2x4x!quant.uniform<i8:f32, 0.25>>) -> tensor<2x8x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.slice' op starts, steps and sizes must each have 2 values, one per dimension}}
  %0 = bpu.slice %x {starts = array<i64: 0>, steps = array<i64: 1, 1>} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.slice' op 2 cells from 3 on with step 1 leave dimension 1, which has 4}}
  %0 = bpu.slice %x {starts = array<i64: 0, 3>, steps = array<i64: 1, 1>} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.slice' op step and size of dimension 1 must not be 0}}
  %0 = bpu.slice %x {starts = array<i64: 0, 0>, steps = array<i64: 1, 0>} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.slice' op starts has the negative value -1}}
  %0 = bpu.slice %x {starts = array<i64: 0, -1>, steps = array<i64: 1, 1>} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.slice' op operand and result must have the same type and scale, not i8:0.5 and i8:0.25}}
  %0 = bpu.slice %x {starts = array<i64: 0, 0>, steps = array<i64: 1, 1>} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x2x!quant.uniform<i8:f32, 0.25>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.pad' op before and after must each have 2 values, one per dimension}}
  %0 = bpu.pad %x {before = array<i64: 1>, after = array<i64: 0, 0>} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<3x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.pad' op the result has shape [2, 4] but the operands give [3, 4]}}
  %0 = bpu.pad %x {before = array<i64: 1, 0>, after = array<i64: 0, 0>} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.pad' op before has the negative value -1}}
  %0 = bpu.pad %x {before = array<i64: -1, 0>, after = array<i64: 0, 0>} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<3x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.pad' op i8 cannot hold the padding 128}}
  %0 = bpu.pad %x {before = array<i64: 1, 0>, after = array<i64: 0, 0>, value = 128} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<3x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4xf16>) {
  // expected-error @+1 {{'bpu.pad' op f16 cannot hold the padding 1}}
  %0 = bpu.pad %x {before = array<i64: 1, 0>, after = array<i64: 0, 0>, value = 1} : (tensor<2x4xf16>) -> tensor<3x4xf16>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.pad' op value 4294967296 leaves 32 bits}}
  %0 = bpu.pad %x {before = array<i64: 1, 0>, after = array<i64: 0, 0>, value = 4294967296} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<3x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.pad' op attribute 'mode' failed to satisfy constraint: string attribute that is one of constant, reflect, edge}}
  %0 = bpu.pad %x {before = array<i64: 1, 0>, after = array<i64: 0, 0>, mode = "wrap"} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<3x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.pad' op reflect padding of dimension 0 must be below its size 2}}
  %0 = bpu.pad %x {before = array<i64: 2, 0>, after = array<i64: 0, 0>, mode = "reflect"} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<4x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.pad' op operand and result must have the same type and scale, not i8:0.5 and i8:0.25}}
  %0 = bpu.pad %x {before = array<i64: 1, 0>, after = array<i64: 0, 0>} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<3x4x!quant.uniform<i8:f32, 0.25>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.transpose' op [1, 1] is not a permutation of 2 dimensions}}
  %0 = bpu.transpose %x {permutation = array<i64: 1, 1>} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<4x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.transpose' op [1] is not a permutation of 2 dimensions}}
  %0 = bpu.transpose %x {permutation = array<i64: 1>} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<4x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.transpose' op the result has shape [2, 4] but the operands give [4, 2]}}
  %0 = bpu.transpose %x {permutation = array<i64: 1, 0>} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.transpose' op operand and result must have the same type and scale, not i8:0.5 and i8:0.25}}
  %0 = bpu.transpose %x {permutation = array<i64: 1, 0>} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<4x2x!quant.uniform<i8:f32, 0.25>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.reshape' op shapes [2, 4] and [9] have different numbers of elements}}
  %0 = bpu.reshape %x : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<9x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.reshape' op operand and result must have the same type and scale, not i8:0.5 and i8:0.25}}
  %0 = bpu.reshape %x : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<8x!quant.uniform<i8:f32, 0.25>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) {
  // expected-error @+1 {{'bpu.reshape' op reshape moves no tensor with a scale per channel that does not stay}}
  %0 = bpu.reshape %x : (tensor<2x4x!quant.uniform<i8:f32:0, {0.5, 0.25}>>) -> tensor<8x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @+1 {{'bpu.quantize' op the result has shape [8] but the operands give [2, 4]}}
  %0 = bpu.quantize %x : (tensor<2x4xf32>) -> tensor<8x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @+1 {{'bpu.quantize' op the result must be i8 or i16, not i32}}
  %0 = bpu.quantize %x : (tensor<2x4xf32>) -> tensor<2x4x!quant.uniform<i32:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4xf32>) {
  // expected-error @+1 {{'bpu.quantize' op the result must have one scale for the whole tensor}}
  %0 = bpu.quantize %x : (tensor<2x4xf32>) -> tensor<2x4x!quant.uniform<i8:f32:0, {0.5, 0.25}>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.dequantize' op the result has shape [8] but the operands give [2, 4]}}
  %0 = bpu.dequantize %x : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<8xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'bpu.constant' op has a value whose bytes are missing or do not fit its type}}
  %0 = bpu.constant dense_resource<missing> : tensor<2xi8> -> tensor<2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'bpu.constant' op has a value of type tensor<2xi32>, but the result needs tensor<2xi8>}}
  %0 = bpu.constant dense<1> : tensor<2xi32> -> tensor<2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'bpu.constant' op has a value of type tensor<3xi8>, but the result needs tensor<2xi8>}}
  %0 = bpu.constant dense<1> : tensor<3xi8> -> tensor<2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'bpu.constant' op result: scale 1e-40 is not a positive normal f32}}
  %0 = bpu.constant dense<1> : tensor<2xi8> -> tensor<2x!quant.uniform<i8:f32, 1.0e-40>>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'bpu.constant' op result: rank 7 is above 6}}
  %0 = bpu.constant dense<1> : tensor<1x1x1x1x1x1x1xi8> -> tensor<1x1x1x1x1x1x1x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'bpu.segment' op has 1 operands, but its body takes 2 arguments}}
  %0 = bpu.segment(%x) {
  ^bb0(%a: tensor<2xf32>, %b: tensor<2xf32>):
    bpu.yield %a : tensor<2xf32>
  } : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'bpu.segment' op operand 0 is tensor<2xf32>, but the body takes tensor<3xf32>}}
  %0 = bpu.segment(%x) {
  ^bb0(%a: tensor<3xf32>):
    bpu.yield %a : tensor<3xf32>
  } : (tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'bpu.segment' op holds 'hfloat.relu', but only bpu operations may be inside}}
  %0 = bpu.segment(%x) {
  ^bb0(%a: tensor<2xf32>):
    %1 = hfloat.relu %a : (tensor<2xf32>) -> tensor<2xf32>
    bpu.yield %1 : tensor<2xf32>
  } : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'bpu.segment' op has 1 results, but its body yields 0}}
  %0 = bpu.segment(%x) {
  ^bb0(%a: tensor<2xf32>):
    bpu.yield
  } : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'bpu.segment' op result 0 is tensor<3xf32>, but the body yields tensor<2xf32>}}
  %0 = bpu.segment(%x) {
  ^bb0(%a: tensor<2xf32>):
    bpu.yield %a : tensor<2xf32>
  } : (tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

// One element in this file would be terabytes in memory.
func.func @f() {
  // expected-error @+1 {{'bpu.constant' op has a value whose bytes are missing or do not fit its type}}
  %0 = bpu.constant dense<0> : tensor<1000000x1000000xi32> -> tensor<1000000x1000000xi32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{'bpu.normalize' op 2 means and 3 factors do not fit axis 1 of [2, 3]}}
  %0 = bpu.normalize %x {axis = 1, mean = array<f64: 1.0, 2.0>, factor = array<f64: 1.0, 2.0, 3.0>} : (tensor<2x3xf32>) -> tensor<2x3x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @f(%x: tensor<1x2x4x3x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.camera_image' op operand and result must have the same type and scale, not i8:0.5 and i8:1}}
  %0 = bpu.camera_image %x {constants = array<i8>} : (tensor<1x2x4x3x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x2x4x3x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @f(%y: tensor<1x2x4x1xui8>, %uv: tensor<1x1x2x3xui8>) {
  // expected-error @+1 {{'bpu.camera_image' op planes of shapes [1, 2, 4, 1] and [1, 1, 2, 3] are not [N, H, W, 1] and [N, H/2, W/2, 2]}}
  %0 = bpu.camera_image %y, %uv {constants = array<i8>} : (tensor<1x2x4x1xui8>, tensor<1x1x2x3xui8>) -> tensor<1x2x4x4x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @f(%x: tensor<1x2x4x1xui8>) {
  // expected-error @+1 {{'bpu.camera_image' op an image has one plane or two, not 3}}
  %0 = bpu.camera_image %x, %x, %x {constants = array<i8>} : (tensor<1x2x4x1xui8>, tensor<1x2x4x1xui8>, tensor<1x2x4x1xui8>) -> tensor<1x2x4x3x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @f(%x: tensor<1x2x4x1xui8>) {
  // expected-error @+1 {{'bpu.camera_image' op the result must be i8, not i16}}
  %0 = bpu.camera_image %x {constants = array<i8>} : (tensor<1x2x4x1xui8>) -> tensor<1x2x4x1x!quant.uniform<i16:f32, 1.0>>
  return
}

// -----

func.func @f(%x: tensor<1x2x4x1xui8>, %roi: tensor<4xi32>) {
  // expected-error @+1 {{'bpu.roi_resize' op a plane [1, 2, 4, 1] and a region [4] are not [1, H, W, C] and [1, 4]}}
  %0 = bpu.roi_resize %x, %roi {block = 1} : (tensor<1x2x4x1xui8>, tensor<4xi32>) -> tensor<1x2x4x1x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @f(%x: tensor<1x2x4x1xui8>, %roi: tensor<1x4xi32>) {
  // expected-error @+1 {{'bpu.roi_resize' op 3 pixels of [1, 2, 4, 1] cannot become [2, 4]: cells cover 1 or 2, and sizes are 1 to 65536}}
  %0 = bpu.roi_resize %x, %roi {block = 3} : (tensor<1x2x4x1xui8>, tensor<1x4xi32>) -> tensor<1x2x4x1x!quant.uniform<i8:f32, 1.0>>
  return
}

// -----

func.func @f(%x: tensor<1x2x4x1xui8>, %roi: tensor<1x4xi32>) {
  // expected-error @+1 {{'bpu.roi_resize' op the result must be i8, not i16}}
  %0 = bpu.roi_resize %x, %roi {block = 1} : (tensor<1x2x4x1xui8>, tensor<1x4xi32>) -> tensor<1x2x4x1x!quant.uniform<i16:f32, 1.0>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.vector' op line '%0 = tan %1' has 'tan', which is no step}}
  %0 = bpu.vector %x {axes = array<i64>, program = ["%0 = tan %1"]} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.vector' op step %0 reads %0, which is no earlier one}}
  %0 = bpu.vector %x {axes = array<i64>, program = ["%0 = exp %0"]} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.vector' op a program has 1 to 64 steps, not 0}}
  %0 = bpu.vector %x {axes = array<i64>, program = []} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.vector' op the axes [1, 0] are not ascending dimensions of the shape [2, 4]}}
  %0 = bpu.vector %x {axes = array<i64: 1, 0>, program = ["%0 = load 0"]} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.vector' op the axes [2] are not ascending dimensions of the shape [2, 4]}}
  %0 = bpu.vector %x {axes = array<i64: 2>, program = ["%0 = load 0"]} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.vector' op axes has the negative value -1}}
  %0 = bpu.vector %x {axes = array<i64: -1>, program = ["%0 = load 0"]} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>, %y: tensor<3xf32>) {
  // expected-error @+1 {{'bpu.vector' op shapes [2, 4] and [3] do not broadcast}}
  %0 = bpu.vector %x, %y {axes = array<i64>, program = ["%0 = load 0"]} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>, tensor<3xf32>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<4xf32>, %y: tensor<4xf32>, %z: tensor<4xf32>, %u: tensor<4xf32>, %v: tensor<4xf32>, %w: tensor<4xf32>, %t: tensor<4xf32>) {
  // expected-error @+1 {{'bpu.vector' op a program has 1 to 6 operands, not 7}}
  %0 = bpu.vector %x, %y, %z, %u, %v, %w, %t {axes = array<i64>, program = ["%0 = load 0"]} : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.vector' op the program loads operand 1, but there are 1}}
  %0 = bpu.vector %x {axes = array<i64>, program = ["%0 = load 1"]} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<262144xf32>) {
  // expected-error @+1 {{'bpu.vector' op a row has 262144 elements; at most 131072 can be combined}}
  %0 = bpu.vector %x {axes = array<i64: 0>, program = ["%0 = load 0", "%1 = reduce_sum %0"]} : (tensor<262144xf32>) -> tensor<1xf32>
  return
}

// -----

func.func @f(%x: tensor<2x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @+1 {{'bpu.vector' op the result has shape [2, 1]; the operands have rows of [2, 4] along [1]}}
  %0 = bpu.vector %x {axes = array<i64: 1>, program = ["%0 = load 0"]} : (tensor<2x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x1xf32>
  return
}

// -----

func.func @f(%x: tensor<4xi32>) {
  // expected-error @+1 {{'bpu.vector' op operand #0 must be variadic of ranked tensor of quantized type or 32-bit float or 16-bit float values, but got 'tensor<4xi32>'}}
  %0 = bpu.vector %x {axes = array<i64>, program = ["%0 = load 0"]} : (tensor<4xi32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%x: tensor<4xf32>) {
  // expected-error @+1 {{'bpu.vector' op the result must be f32 or f16, or i8 or i16 with one scale for the whole tensor}}
  %0 = bpu.vector %x {axes = array<i64>, program = ["%0 = load 0"]} : (tensor<4xf32>) -> tensor<4x!quant.uniform<i8:f32:0, {0.5, 0.5, 0.5, 0.5}>>
  return
}

// -----

func.func @f(%x: tensor<65536x1xf32>, %y: tensor<1x65536xf32>) {
  // expected-error @+1 {{'bpu.vector' op the operands broadcast to [65536, 65536], which has more than 2147483648 elements}}
  %0 = bpu.vector %x, %y {axes = array<i64: 0>, program = ["%0 = load 0", "%1 = reduce_sum %0"]} : (tensor<65536x1xf32>, tensor<1x65536xf32>) -> tensor<1x65536xf32>
  return
}
