// One expected error per branch of the verifiers of `hfloat`.
// RUN: hb-opt %s --verify-diagnostics --split-input-file

func.func @f() {
  // expected-error @+1 {{'hfloat.constant' op has a value whose bytes are missing or do not fit its type}}
  %0 = hfloat.constant dense_resource<missing> : tensor<2xf32>
  return
}

// -----

func.func @f(%s: tensor<1xi64>) {
  // expected-error @+1 {{'hfloat.constant_of_shape' op has a value whose bytes are missing or do not fit its type}}
  %0 = hfloat.constant_of_shape %s {value = dense_resource<missing> : tensor<1xf32>} : (tensor<1xi64>) -> tensor<?xf32>
  return
}

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  // expected-error @+2 {{expected ::hb::hfloat::PadMode to be one of: constant, reflect, edge, wrap}}
  // expected-error @+1 {{failed to parse Hfloat_PadModeAttr parameter 'value'}}
  %0 = hfloat.pad %x, %x, %x, %x {mode = #hfloat.pad_mode<mirror>} : (tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'hfloat.relu' op result 0 is declared tensor<3xf32>, but its operands give tensor<2xf32>}}
  %0 = hfloat.relu %x : (tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'hfloat.relu' op result 0 is declared tensor<2xf64>, but its operands give tensor<2xf32>}}
  %0 = hfloat.relu %x : (tensor<2xf32>) -> tensor<2xf64>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'hfloat.relu' op result 0 is declared tensor<2x1xf32>, but its operands give tensor<2xf32>}}
  %0 = hfloat.relu %x : (tensor<2xf32>) -> tensor<2x1xf32>
  return
}

// -----

func.func @f(%x: tensor<2xi1>) {
  // expected-error @+1 {{'hfloat.relu' op operand #0 must be tensor of number values, but got 'tensor<2xi1>'}}
  %0 = hfloat.relu %x : (tensor<2xi1>) -> tensor<2xi1>
  return
}

// -----

func.func @f(%x: tensor<2xcomplex<f32>>) {
  // expected-error @+1 {{'hfloat.identity' op operand #0 must be tensor of number or bool values, but got 'tensor<2xcomplex<f32>>'}}
  %0 = hfloat.identity %x : (tensor<2xcomplex<f32>>) -> tensor<2xcomplex<f32>>
  return
}

// -----

func.func @f(%x: tensor<2xi32>) {
  // expected-error @+1 {{'hfloat.softmax' op operand #0 must be tensor of floating point values, but got 'tensor<2xi32>'}}
  %0 = hfloat.softmax %x : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>, %s: tensor<1xi32>) {
  // expected-error @+1 {{'hfloat.reshape' op operand #1 must be tensor of 64-bit signless integer values, but got 'tensor<1xi32>'}}
  %0 = hfloat.reshape %x, %s : (tensor<2xf32>, tensor<1xi32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>, %i: tensor<1xi8>) {
  // expected-error @+1 {{'hfloat.gather' op operand #1 must be tensor of 32-bit or 64-bit integer values, but got 'tensor<1xi8>'}}
  %0 = hfloat.gather %x, %i : (tensor<2xf32>, tensor<1xi8>) -> tensor<1xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'hfloat.transpose' op requires attribute 'perm'}}
  %0 = hfloat.transpose %x : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{'hfloat.softmax' op attribute 'axis' failed to satisfy constraint: 64-bit signed integer attribute}}
  %0 = hfloat.softmax %x {axis = 0 : i64} : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%s: tensor<1xi64>) {
  // expected-error @+1 {{'hfloat.constant_of_shape' op has a value that is not one element}}
  %0 = hfloat.constant_of_shape %s {value = dense<1.0> : tensor<2xf32>} : (tensor<1xi64>) -> tensor<?xf32>
  return
}

// -----

func.func @f(%s: tensor<1x1xi64>) {
  // expected-error @+1 {{'hfloat.constant_of_shape' op has a shape operand that is not one-dimensional}}
  %0 = hfloat.constant_of_shape %s {value = dense<1.0> : tensor<1xf32>} : (tensor<1x1xi64>) -> tensor<?xf32>
  return
}

// -----

func.func @f() {
  %s = hfloat.constant dense<[2, -1]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.constant_of_shape' op has the shape [2, -1], which is negative or too large}}
  %0 = hfloat.constant_of_shape %s {value = dense<1.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f() {
  %s = hfloat.constant dense<[4294967296, 4294967296]> : tensor<2xi64>
  // expected-error @+1 {{which is negative or too large}}
  %0 = hfloat.constant_of_shape %s {value = dense<1.0> : tensor<1xf32>} : (tensor<2xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x3x4xf32>) {
  // expected-error @+1 {{'hfloat.shape' op result 0 is declared tensor<4xi64>, but its operands give tensor<2xi64>}}
  %0 = hfloat.shape %x {start = 1 : si64, end = -1 : si64} : (tensor<1x2x3x4xf32>) -> tensor<4xi64>
  return
}

// -----

func.func @f(%a: tensor<2xf32>, %b: tensor<2xf64>) {
  // expected-error @+1 {{'hfloat.add' op operands have different element types, float32 and float64}}
  %0 = hfloat.add %a, %b : (tensor<2xf32>, tensor<2xf64>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%a: tensor<4x2xf32>, %b: tensor<3xf32>) {
  // expected-error @+1 {{'hfloat.mul' op operands do not broadcast: 2 and 3 in dimension 1 of the result}}
  %0 = hfloat.mul %a, %b : (tensor<4x2xf32>, tensor<3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @f(%a: tensor<2xf32>) {
  // expected-error @+1 {{'hfloat.add' op the activation's lower bound 6 is not below its upper bound 0}}
  %0 = hfloat.add %a, %a {activation = #hfloat.clamp<6.0 : f64, 0.0 : f64>} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%a: tensor<2xi32>) {
  // expected-error @+1 {{'hfloat.add' op has an activation on int32; only floats are clamped}}
  %0 = hfloat.add %a, %a {activation = #hfloat.clamp<0.0 : f64, 6.0 : f64>} : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>, %a: tensor<f64>) {
  // expected-error @+1 {{'hfloat.clip' op the input and 'min' have different element types, float32 and float64}}
  %0 = hfloat.clip %x, %a, %a : (tensor<2xf32>, tensor<f64>, tensor<f64>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>, %a: tensor<f32>) {
  // expected-error @+1 {{'hfloat.clip' op 'max' is not one element}}
  %0 = hfloat.clip %x, %a, %x : (tensor<2xf32>, tensor<f32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xi32>) {
  // expected-error @+1 {{'hfloat.sigmoid' op operand #0 must be tensor of floating point values, but got 'tensor<2xi32>'}}
  %0 = hfloat.sigmoid %x : (tensor<2xi32>) -> tensor<2xi32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>) {
  // expected-error @+1 {{that is one of none, tanh}}
  %0 = hfloat.gelu %x {approximate = "sigmoid"} : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>, %s: tensor<2xf64>) {
  // expected-error @+1 {{'hfloat.p_relu' op the input and 'slope' have different element types, float32 and float64}}
  %0 = hfloat.p_relu %x, %s : (tensor<2xf32>, tensor<2xf64>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>, %s: tensor<3x2xf32>) {
  // expected-error @+1 {{'hfloat.p_relu' op 'slope' does not broadcast to the shape of the input}}
  %0 = hfloat.p_relu %x, %s : (tensor<2xf32>, tensor<3x2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2xf32>, %s: tensor<2xf64>) {
  // expected-error @+1 {{'hfloat.less' op operands have different element types, float32 and float64}}
  %0 = hfloat.less %x, %s : (tensor<2xf32>, tensor<2xf64>) -> tensor<2xi1>
  return
}

// -----

func.func @f(%x: tensor<2xf32>, %s: tensor<3xf32>) {
  // expected-error @+1 {{'hfloat.pow' op operands do not broadcast: 2 and 3 in dimension 0 of the result}}
  %0 = hfloat.pow %x, %s : (tensor<2xf32>, tensor<3xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%c: tensor<2xi1>, %x: tensor<2xf32>, %s: tensor<2xf64>) {
  // expected-error @+1 {{'hfloat.where' op operands have different element types, float32 and float64}}
  %0 = hfloat.where %c, %x, %s : (tensor<2xi1>, tensor<2xf32>, tensor<2xf64>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%c: tensor<3xi1>, %x: tensor<2xf32>) {
  // expected-error @+1 {{'hfloat.where' op operands do not broadcast: 3 and 2 in dimension 0 of the result}}
  %0 = hfloat.where %c, %x, %x : (tensor<3xi1>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<f32>, %y: tensor<f64>) {
  // expected-error @+1 {{'hfloat.range' op 'start' and 'delta' have different element types, float32 and float64}}
  %0 = hfloat.range %x, %x, %y : (tensor<f32>, tensor<f32>, tensor<f64>) -> tensor<?xf32>
  return
}

// -----

func.func @f(%x: tensor<f32>, %y: tensor<2xf32>) {
  // expected-error @+1 {{'hfloat.range' op 'limit' is not one element}}
  %0 = hfloat.range %x, %y, %x : (tensor<f32>, tensor<2xf32>, tensor<f32>) -> tensor<?xf32>
  return
}

// -----

func.func @f() {
  %a = hfloat.constant dense<1> : tensor<i64>
  %d = hfloat.constant dense<0> : tensor<i64>
  // expected-error @+1 {{'hfloat.range' op has a 'delta' of 0}}
  %0 = hfloat.range %a, %a, %d : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  return
}

// -----

func.func @f() {
  %a = hfloat.constant dense<0> : tensor<i64>
  %b = hfloat.constant dense<4611686018427387904> : tensor<i64>
  %d = hfloat.constant dense<1> : tensor<i64>
  // expected-error @+1 {{that are too many elements}}
  %0 = hfloat.range %a, %b, %d : (tensor<i64>, tensor<i64>, tensor<i64>) -> tensor<?xi64>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  %i = hfloat.constant dense<[2]> : tensor<1xi64>
  // expected-error @+1 {{'hfloat.reduce_sum' op has axis 2, but the rank is 2}}
  %0 = hfloat.reduce_sum %x, %i : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  %i = hfloat.constant dense<[1, -1]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.reduce_max' op has axis -1 twice}}
  %0 = hfloat.reduce_max %x, %i : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>, %i: tensor<1x1xi64>) {
  // expected-error @+1 {{'hfloat.reduce_mean' op has axes that are not one-dimensional}}
  %0 = hfloat.reduce_mean %x, %i : (tensor<2x3xf32>, tensor<1x1xi64>) -> tensor<*xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{'hfloat.arg_max' op has axis -3, but the rank is 2}}
  %0 = hfloat.arg_max %x {axis = -3 : si64} : (tensor<2x3xf32>) -> tensor<1x3xi64>
  return
}

// -----

func.func @f(%x: tensor<0x3xf32>) {
  // expected-error @+1 {{'hfloat.arg_min' op looks for a position along axis 0, which has no elements}}
  %0 = hfloat.arg_min %x : (tensor<0x3xf32>) -> tensor<1x3xi64>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{'hfloat.softmax' op has axis 2, but the rank is 2}}
  %0 = hfloat.softmax %x {axis = 2 : si64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<3x2xf64>) {
  // expected-error @+1 {{'hfloat.gemm' op A and B have different element types, float32 and float64}}
  %0 = hfloat.gemm %a, %b : (tensor<2x3xf32>, tensor<3x2xf64>) -> tensor<2x2xf32>
  return
}

// -----

func.func @f(%a: tensor<3xf32>, %b: tensor<3x2xf32>) {
  // expected-error @+1 {{'hfloat.gemm' op A has rank 1; it must be a matrix}}
  %0 = hfloat.gemm %a, %b : (tensor<3xf32>, tensor<3x2xf32>) -> tensor<1x2xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<1x3x2xf32>) {
  // expected-error @+1 {{'hfloat.gemm' op B has rank 3; it must be a matrix}}
  %0 = hfloat.gemm %a, %b : (tensor<2x3xf32>, tensor<1x3x2xf32>) -> tensor<2x2xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<3x2xf32>) {
  // expected-error @+1 {{'hfloat.gemm' op multiplies rows of 2 elements with columns of 3}}
  %0 = hfloat.gemm %a, %b {transA = true} : (tensor<2x3xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
  return
}

// -----

func.func @f(%a: tensor<2x2xf32>, %c: tensor<2xf64>) {
  // expected-error @+1 {{'hfloat.gemm' op A and C have different element types, float32 and float64}}
  %0 = hfloat.gemm %a, %a, %c : (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2xf64>) -> tensor<2x2xf32>
  return
}

// -----

func.func @f(%a: tensor<1x2xf32>, %b: tensor<2x2xf32>, %c: tensor<3x2xf32>) {
  // expected-error @+1 {{'hfloat.gemm' op C does not broadcast to the shape of the product}}
  %0 = hfloat.gemm %a, %b, %c : (tensor<1x2xf32>, tensor<2x2xf32>, tensor<3x2xf32>) -> tensor<1x2xf32>
  return
}

// -----

func.func @f(%a: tensor<2x2xf32>, %c: tensor<1x2x2xf32>) {
  // expected-error @+1 {{'hfloat.gemm' op C does not broadcast to the shape of the product}}
  %0 = hfloat.gemm %a, %a, %c : (tensor<2x2xf32>, tensor<2x2xf32>, tensor<1x2x2xf32>) -> tensor<2x2xf32>
  return
}

// -----

func.func @f(%a: tensor<2x2xf32>, %b: tensor<2x2xf64>) {
  // expected-error @+1 {{'hfloat.mat_mul' op operands have different element types, float32 and float64}}
  %0 = hfloat.mat_mul %a, %b : (tensor<2x2xf32>, tensor<2x2xf64>) -> tensor<2x2xf32>
  return
}

// -----

func.func @f(%a: tensor<2x2xf32>, %b: tensor<f32>) {
  // expected-error @+1 {{'hfloat.mat_mul' op has a scalar operand}}
  %0 = hfloat.mat_mul %a, %b : (tensor<2x2xf32>, tensor<f32>) -> tensor<2x2xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x2xf32>) {
  // expected-error @+1 {{'hfloat.mat_mul' op multiplies rows of 3 elements with columns of 2}}
  %0 = hfloat.mat_mul %a, %b : (tensor<2x3xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return
}

// -----

func.func @f(%a: tensor<3x2x2xf32>, %b: tensor<4x2x2xf32>) {
  // expected-error @+1 {{'hfloat.mat_mul' op operands do not broadcast: 3 and 4 in dimension 0 of the result}}
  %0 = hfloat.mat_mul %a, %b : (tensor<3x2x2xf32>, tensor<4x2x2xf32>) -> tensor<4x2x2xf32>
  return
}

// -----

func.func @f(%x: tensor<f32>, %p: tensor<1xf32>, %q: tensor<1xf32>) {
  // expected-error @+1 {{'hfloat.batch_normalization' op has a scalar input}}
  %0 = hfloat.batch_normalization %x, %p, %p, %p, %q : (tensor<f32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<f32>
  return
}

// -----

func.func @f(%x: tensor<1x4x2x2xf32>, %p: tensor<3xf32>, %q: tensor<4xf32>) {
  // expected-error @+1 {{'hfloat.batch_normalization' op has 4 channels, but 'scale' has 3 elements}}
  %0 = hfloat.batch_normalization %x, %p, %p, %p, %q : (tensor<1x4x2x2xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<4xf32>) -> tensor<1x4x2x2xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x2x2xf32>, %p: tensor<4xf32>, %q: tensor<5xf32>) {
  // expected-error @+1 {{'hfloat.batch_normalization' op has 4 channels, but 'variance' has 5 elements}}
  %0 = hfloat.batch_normalization %x, %p, %p, %p, %q : (tensor<1x4x2x2xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<5xf32>) -> tensor<1x4x2x2xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x2x2xf32>, %p: tensor<4xf32>, %q: tensor<4x1xf32>) {
  // expected-error @+1 {{'hfloat.batch_normalization' op 'variance' is not one-dimensional}}
  %0 = hfloat.batch_normalization %x, %p, %p, %p, %q : (tensor<1x4x2x2xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4x1xf32>) -> tensor<1x4x2x2xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf64>) {
  // expected-error @+1 {{'hfloat.conv' op input and weight have different element types, float32 and float64}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf64>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'hfloat.conv' op has group 0}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 0 : si64} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4xf32>, %w: tensor<6x4xf32>) {
  // expected-error @+1 {{'hfloat.conv' op has a weight of rank 2; it needs at least 3}}
  %0 = hfloat.conv %x, %w {strides = array<i64>, pads = array<i64>, dilations = array<i64>} : (tensor<1x4xf32>, tensor<6x4xf32>) -> tensor<1x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x1x3x3xf32>) {
  // expected-error @+1 {{'hfloat.conv' op has 6 output channels, which 4 groups do not divide}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 4 : si64} : (tensor<1x4x8x8xf32>, tensor<6x1x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>, %b: tensor<6xf64>) {
  // expected-error @+1 {{'hfloat.conv' op input and bias have different element types, float32 and float64}}
  %0 = hfloat.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<6xf64>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>, %b: tensor<5xf32>) {
  // expected-error @+1 {{'hfloat.conv' op has 6 output channels, but a bias of 5 elements}}
  %0 = hfloat.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<5xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>, %b: tensor<6x1xf32>) {
  // expected-error @+1 {{'hfloat.conv' op has a bias that is not one-dimensional}}
  %0 = hfloat.conv %x, %w, %b {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>, tensor<6x1xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'hfloat.conv' op has an input of rank 3 and a weight of rank 4}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'hfloat.conv' op has 4 input channels, but its weight takes 4 in each of 2 groups}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : si64} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'hfloat.conv' op expects 4 pads, got 2}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'hfloat.conv' op expects 2 strides, got 1}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'hfloat.conv' op has strides [1, 0]; they must be positive}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 0>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'hfloat.conv' op expects 2 dilations, got 3}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1, 1>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'hfloat.conv' op has dilations [1, -1]; they must be positive}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, -1>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'hfloat.conv' op has pads [0, 0, 0, -1]; they must not be negative}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, -1>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'hfloat.conv' op has a window of 11 cells over a padded input of 9 in spatial dimension 1}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 1>, dilations = array<i64: 1, 5>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x0x3xf32>) {
  // expected-error @+1 {{'hfloat.conv' op has an empty kernel}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>, tensor<6x4x0x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x4x3xf32>) {
  // expected-error @+1 {{'hfloat.conv' op has a window that is too large in spatial dimension 0}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 9223372036854775807, 1>} : (tensor<1x4x8x8xf32>, tensor<6x4x4x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'hfloat.conv' op the activation's lower bound 1 is not below its upper bound 1}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, activation = #hfloat.clamp<1.0 : f64, 1.0 : f64>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'hfloat.conv' op result 0 is declared tensor<1x6x6x6xf32>, but its operands give tensor<1x6x4x8xf32>}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 2, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, auto_pad = #hfloat.auto_pad<SAME_UPPER>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x6x6xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>, %w: tensor<6x4x3x3xf32>) {
  // expected-error @+1 {{'hfloat.conv' op result 0 is declared tensor<1x6x8x8xf32>, but its operands give tensor<1x6x6x6xf32>}}
  %0 = hfloat.conv %x, %w {strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, auto_pad = #hfloat.auto_pad<VALID>} : (tensor<1x4x8x8xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x8x8xf32>
  return
}

// -----

func.func @f(%x: tensor<8x8xf32>) {
  // expected-error @+1 {{'hfloat.max_pool' op has an input of rank 2; it needs at least 3}}
  %0 = hfloat.max_pool %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<8x8xf32>) -> tensor<7x7xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>) {
  // expected-error @+1 {{'hfloat.max_pool' op expects 2 kernel_shape, got 1}}
  %0 = hfloat.max_pool %x {kernel_shape = array<i64: 2>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x7x7xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x3xf32>) {
  // expected-error @+1 {{'hfloat.max_pool_indices' op has a window in spatial dimension 1 that holds padding only, which has no index}}
  %0 = hfloat.max_pool_indices %x {kernel_shape = array<i64: 2, 2>, strides = array<i64: 1, 1>, pads = array<i64: 0, 1, 0, 1>, dilations = array<i64: 1, 4>} : (tensor<1x4x8x3xf32>) -> tensor<1x4x7x1xi64>
  return
}

// -----

func.func @f(%x: tensor<1x4x3xf32>) {
  // expected-error @+1 {{'hfloat.max_pool_indices' op has a window in spatial dimension 0 that holds padding only, which has no index}}
  %0 = hfloat.max_pool_indices %x {kernel_shape = array<i64: 1>, strides = array<i64: 1>, pads = array<i64: 0, 2>, dilations = array<i64: 1>} : (tensor<1x4x3xf32>) -> tensor<1x4x5xi64>
  return
}

// -----

func.func @f(%x: tensor<1x4x3xf32>) {
  // expected-error @+1 {{'hfloat.max_pool_indices' op has a window in spatial dimension 0 that holds padding only, which has no index}}
  %0 = hfloat.max_pool_indices %x {kernel_shape = array<i64: 2>, strides = array<i64: 1>, pads = array<i64: 3, 0>, dilations = array<i64: 2>} : (tensor<1x4x3xf32>) -> tensor<1x4x4xi64>
  return
}

// -----

func.func @f(%x: tensor<1x4x3xf32>) {
  // expected-error @+1 {{'hfloat.max_pool_indices' op has 5000000 windows that begin in the padding; at most 4194304 may}}
  %0 = hfloat.max_pool_indices %x {kernel_shape = array<i64: 2>, strides = array<i64: 1>, pads = array<i64: 5000000, 5000000>, dilations = array<i64: 5000000>} : (tensor<1x4x3xf32>) -> tensor<1x4x5000003xi64>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>) {
  // expected-error @+1 {{'hfloat.average_pool' op has kernel_shape [2, 0]; they must be positive}}
  %0 = hfloat.average_pool %x {kernel_shape = array<i64: 2, 0>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x7x7xf32>
  return
}

// -----

func.func @f(%x: tensor<1x4x8x8xf32>) {
  // expected-error @+1 {{'hfloat.average_pool' op has a window of 9 cells over a padded input of 8 in spatial dimension 0}}
  %0 = hfloat.average_pool %x {kernel_shape = array<i64: 9, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>} : (tensor<1x4x8x8xf32>) -> tensor<1x4x1x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{'hfloat.global_average_pool' op has an input of rank 2; it needs at least 3}}
  %0 = hfloat.global_average_pool %x : (tensor<4x8xf32>) -> tensor<4x1xf32>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{'hfloat.concat' op has no operands}}
  %0 = hfloat.concat {axis = 0 : si64} : () -> tensor<2xf32>
  return
}

// -----

func.func @f(%a: tensor<2xf32>, %b: tensor<2xf64>) {
  // expected-error @+1 {{'hfloat.concat' op operands have different element types, float32 and float64}}
  %0 = hfloat.concat %a, %b {axis = 0 : si64} : (tensor<2xf32>, tensor<2xf64>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%a: tensor<2xf32>) {
  // expected-error @+1 {{'hfloat.concat' op has axis -2, but the rank is 1}}
  %0 = hfloat.concat %a, %a {axis = -2 : si64} : (tensor<2xf32>, tensor<2xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%a: tensor<2xf32>, %b: tensor<2x1xf32>) {
  // expected-error @+1 {{'hfloat.concat' op operand 1 has rank 2, those before 1}}
  %0 = hfloat.concat %a, %b {axis = 0 : si64} : (tensor<2xf32>, tensor<2x1xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  // expected-error @+1 {{'hfloat.concat' op operand 1 has size 4 in dimension 1, those before 3}}
  %0 = hfloat.concat %a, %b {axis = 0 : si64} : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @f(%x: tensor<4x5xf32>) {
  %a = hfloat.constant dense<[0, 1]> : tensor<2xi64>
  %b = hfloat.constant dense<[3]> : tensor<1xi64>
  %c = hfloat.constant dense<[0]> : tensor<1xi64>
  %d = hfloat.constant dense<[1]> : tensor<1xi64>
  // expected-error @+1 {{'hfloat.slice' op has starts, ends, axes and steps of different lengths}}
  %0 = hfloat.slice %x, %a, %b, %c, %d : (tensor<4x5xf32>, tensor<2xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<4x5xf32>) {
  %a = hfloat.constant dense<[0]> : tensor<1xi64>
  %b = hfloat.constant dense<[3]> : tensor<1xi64>
  %c = hfloat.constant dense<[0]> : tensor<1xi64>
  %d = hfloat.constant dense<[0]> : tensor<1xi64>
  // expected-error @+1 {{'hfloat.slice' op has a step of 0}}
  %0 = hfloat.slice %x, %a, %b, %c, %d : (tensor<4x5xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<4x5xf32>) {
  %a = hfloat.constant dense<[0]> : tensor<1xi64>
  %b = hfloat.constant dense<[3]> : tensor<1xi64>
  %c = hfloat.constant dense<[2]> : tensor<1xi64>
  %d = hfloat.constant dense<[1]> : tensor<1xi64>
  // expected-error @+1 {{'hfloat.slice' op has axis 2, but the rank is 2}}
  %0 = hfloat.slice %x, %a, %b, %c, %d : (tensor<4x5xf32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<4x5xf32>) {
  %a = hfloat.constant dense<[0, 0]> : tensor<2xi64>
  %b = hfloat.constant dense<[3, 3]> : tensor<2xi64>
  %c = hfloat.constant dense<[1, -1]> : tensor<2xi64>
  %d = hfloat.constant dense<[1, 1]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.slice' op names axis 1 twice}}
  %0 = hfloat.slice %x, %a, %b, %c, %d : (tensor<4x5xf32>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>, tensor<2xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<4x5xf32>, %v: tensor<f64>) {
  %p = hfloat.constant dense<[0, 0]> : tensor<2xi64>
  %a = hfloat.constant dense<[0]> : tensor<1xi64>
  // expected-error @+1 {{'hfloat.pad' op input and value have different element types, float32 and float64}}
  %0 = hfloat.pad %x, %p, %v, %a : (tensor<4x5xf32>, tensor<2xi64>, tensor<f64>, tensor<1xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<4x5xf32>, %v: tensor<2xf32>) {
  %p = hfloat.constant dense<[0, 0]> : tensor<2xi64>
  %a = hfloat.constant dense<[0]> : tensor<1xi64>
  // expected-error @+1 {{'hfloat.pad' op has a value that is no scalar}}
  %0 = hfloat.pad %x, %p, %v, %a : (tensor<4x5xf32>, tensor<2xi64>, tensor<2xf32>, tensor<1xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<4x5xf32>, %v: tensor<f32>) {
  %p = hfloat.constant dense<[0, 0, 0]> : tensor<3xi64>
  %a = hfloat.constant dense<[0]> : tensor<1xi64>
  // expected-error @+1 {{'hfloat.pad' op has 3 pads for 1 axes; it needs twice as many}}
  %0 = hfloat.pad %x, %p, %v, %a : (tensor<4x5xf32>, tensor<3xi64>, tensor<f32>, tensor<1xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<4x5xf32>, %v: tensor<f32>) {
  %p = hfloat.constant dense<[0, 0]> : tensor<2xi64>
  %a = hfloat.constant dense<[-3]> : tensor<1xi64>
  // expected-error @+1 {{'hfloat.pad' op has axis -3, but the rank is 2}}
  %0 = hfloat.pad %x, %p, %v, %a : (tensor<4x5xf32>, tensor<2xi64>, tensor<f32>, tensor<1xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<4x5xf32>, %v: tensor<f32>) {
  %p = hfloat.constant dense<[0, 0, 0, 0]> : tensor<4xi64>
  %a = hfloat.constant dense<[0, -2]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.pad' op names axis 0 twice}}
  %0 = hfloat.pad %x, %p, %v, %a : (tensor<4x5xf32>, tensor<4xi64>, tensor<f32>, tensor<2xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<4x5xf32>, %v: tensor<f32>) {
  %p = hfloat.constant dense<[-3, -2]> : tensor<2xi64>
  %a = hfloat.constant dense<[0]> : tensor<1xi64>
  // expected-error @+1 {{'hfloat.pad' op has pads -3 and -2 on a dimension of 4}}
  %0 = hfloat.pad %x, %p, %v, %a : (tensor<4x5xf32>, tensor<2xi64>, tensor<f32>, tensor<1xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{'hfloat.flatten' op has axis 3, but the rank is 2}}
  %0 = hfloat.flatten %x {axis = 3 : si64} : (tensor<2x3xf32>) -> tensor<6x1xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>, %s: tensor<1x1xi64>) {
  // expected-error @+1 {{'hfloat.reshape' op has a shape operand that is not one-dimensional}}
  %0 = hfloat.reshape %x, %s : (tensor<2x3xf32>, tensor<1x1xi64>) -> tensor<6xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  %s = hfloat.constant dense<[-1, -1]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.reshape' op has the shape [-1, -1] with more than one -1}}
  %0 = hfloat.reshape %x, %s : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  %s = hfloat.constant dense<[1, 2, 0]> : tensor<3xi64>
  // expected-error @+1 {{'hfloat.reshape' op copies dimension 2 of an input of rank 2}}
  %0 = hfloat.reshape %x, %s : (tensor<2x3xf32>, tensor<3xi64>) -> tensor<?x?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  %s = hfloat.constant dense<[-2, 3]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.reshape' op has the shape [-2, 3]}}
  %0 = hfloat.reshape %x, %s : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  %s = hfloat.constant dense<[4, -1]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.reshape' op cannot give 6 elements the shape [4, -1]}}
  %0 = hfloat.reshape %x, %s : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  %s = hfloat.constant dense<[2, 2]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.reshape' op cannot give 6 elements the shape [2, 2]}}
  %0 = hfloat.reshape %x, %s : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<2x2xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  %a = hfloat.constant dense<[3]> : tensor<1xi64>
  // expected-error @+1 {{'hfloat.unsqueeze' op has axis 3, but the rank is 3}}
  %0 = hfloat.unsqueeze %x, %a : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<?x?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  %a = hfloat.constant dense<[0, -4]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.unsqueeze' op names axis 0 twice}}
  %0 = hfloat.unsqueeze %x, %a : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<?x?x?x?xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{'hfloat.transpose' op has perm [0, 2], which is no permutation}}
  %0 = hfloat.transpose %x {perm = array<i64: 0, 2>} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{'hfloat.transpose' op permutes 3 dimensions of an input of rank 2}}
  %0 = hfloat.transpose %x {perm = array<i64: 0, 2, 1>} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>, %i: tensor<1xi64>) {
  // expected-error @+1 {{'hfloat.gather' op has axis 2, but the rank is 2}}
  %0 = hfloat.gather %x, %i {axis = 2 : si64} : (tensor<2x3xf32>, tensor<1xi64>) -> tensor<2x1xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  %i = hfloat.constant dense<[0, -4]> : tensor<2xi64>
  // expected-error @+1 {{'hfloat.gather' op takes index -4 of a dimension of 3}}
  %0 = hfloat.gather %x, %i {axis = 1 : si64} : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<2x2xf32>
  return
}

// -----

// One element in this file would be terabytes in memory.
func.func @f() {
  // expected-error @+1 {{'hfloat.constant' op has a value whose bytes are missing or do not fit its type}}
  %0 = hfloat.constant dense<0> : tensor<1000000x1000000xi32>
  return
}

// -----

func.func @hard_swish_result(%x: tensor<2xf32>) {
  // expected-error @+1 {{'hfloat.hard_swish' op result 0 is declared tensor<3xf32>, but its operands give tensor<2xf32>}}
  %0 = hfloat.hard_swish %x : (tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @half_regions(%x: tensor<1x2x8x8xf16>, %rois: tensor<3x5xf16>) {
  // expected-error @+1 {{'hfloat.max_roi_pool' op has an input of float16; float32 and float64 are supported}}
  %0 = hfloat.max_roi_pool %x, %rois {pooled_shape = array<i64: 2, 3>} : (tensor<1x2x8x8xf16>, tensor<3x5xf16>) -> tensor<3x2x2x3xf16>
  return
}

// -----

func.func @empty_bins(%x: tensor<1x2x8x8xf32>, %rois: tensor<3x5xf32>) {
  // expected-error @+1 {{'hfloat.max_roi_pool' op has a 'pooled_shape' of [2, 0]; it is two positive numbers}}
  %0 = hfloat.max_roi_pool %x, %rois {pooled_shape = array<i64: 2, 0>} : (tensor<1x2x8x8xf32>, tensor<3x5xf32>) -> tensor<3x2x2x0xf32>
  return
}

// -----

func.func @endless_regions(%x: tensor<1x2x8x8xf32>, %rois: tensor<3x5xf32>) {
  // expected-error @+1 {{'hfloat.max_roi_pool' op has a 'spatial_scale' of inf; it must be finite}}
  %0 = hfloat.max_roi_pool %x, %rois {pooled_shape = array<i64: 2, 3>, spatial_scale = 0x7F800000 : f32} : (tensor<1x2x8x8xf32>, tensor<3x5xf32>) -> tensor<3x2x2x3xf32>
  return
}

// -----

func.func @regions_of_four(%x: tensor<1x2x8x8xf32>, %rois: tensor<3x4xf32>) {
  // expected-error @+1 {{'hfloat.max_roi_pool' op has rois of [Some(3), Some(4)]; they must be [regions, 5]}}
  %0 = hfloat.max_roi_pool %x, %rois {pooled_shape = array<i64: 2, 3>} : (tensor<1x2x8x8xf32>, tensor<3x4xf32>) -> tensor<3x2x2x3xf32>
  return
}

// -----

func.func @regions_of_rows(%x: tensor<1x2x8xf32>, %rois: tensor<3x5xf32>) {
  // expected-error @+1 {{'hfloat.max_roi_pool' op has an input of rank 3; it needs 4}}
  %0 = hfloat.max_roi_pool %x, %rois {pooled_shape = array<i64: 2, 3>} : (tensor<1x2x8xf32>, tensor<3x5xf32>) -> tensor<3x2x2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf64>, %s: tensor<f32>, %z: tensor<i8>) {
  // expected-error @+1 {{'hfloat.quantize_linear' op quantizes float64; it must be float32}}
  %0 = hfloat.quantize_linear %x, %s, %z : (tensor<2x3xf64>, tensor<f32>, tensor<i8>) -> tensor<2x3xi8>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>, %s: tensor<f32>, %z: tensor<i32>) {
  // expected-error @+1 {{'hfloat.quantize_linear' op has a scale of float32 and a zero point of int32; they must be float32 and an integer of 8 or 16 bits}}
  %0 = hfloat.quantize_linear %x, %s, %z : (tensor<2x3xf32>, tensor<f32>, tensor<i32>) -> tensor<2x3xi32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>, %s: tensor<3xf32>, %z: tensor<i8>) {
  // expected-error @+1 {{they must be alike and have at most one dimension}}
  %0 = hfloat.quantize_linear %x, %s, %z : (tensor<2x3xf32>, tensor<3xf32>, tensor<i8>) -> tensor<2x3xi8>
  return
}

// -----

func.func @f(%x: tensor<2x3xi8>, %s: tensor<2xf32>, %z: tensor<2xi8>) {
  // expected-error @+1 {{'hfloat.dequantize_linear' op has 2 scales for 3 places along dimension 1}}
  %0 = hfloat.dequantize_linear %x, %s, %z : (tensor<2x3xi8>, tensor<2xf32>, tensor<2xi8>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xi8>, %s: tensor<f32>, %z: tensor<ui8>) {
  // expected-error @+1 {{input and zero point have different element types}}
  %0 = hfloat.dequantize_linear %x, %s, %z : (tensor<2x3xi8>, tensor<f32>, tensor<ui8>) -> tensor<2x3xf32>
  return
}
