// One expected error per branch of the rules of `hfloat` operations that read and write at places that are data, or take integers.
// RUN: hb-opt %s --verify-diagnostics --split-input-file

func.func @f(%x: tensor<2x3xi8>) {
  // expected-error @+1 {{'hfloat.bit_cast' op reads int8 as float32; the sizes must be equal, and bool has no bits of its own}}
  %0 = hfloat.bit_cast %x : (tensor<2x3xi8>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{'hfloat.mod' op has operands of float32; it takes integers}}
  %0 = hfloat.mod %x, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{'hfloat.det' op has an input of [Some(2), Some(3)]; its last two dimensions must be equal}}
  %0 = hfloat.det %x : (tensor<2x3xf32>) -> tensor<?xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>, %i: tensor<2xi64>) {
  // expected-error @+1 {{'hfloat.gather_elements' op has data of rank 2 and indices of rank 1}}
  %0 = hfloat.gather_elements %x, %i : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>, %i: tensor<2x4xi64>) {
  // expected-error @+1 {{'hfloat.gather_elements' op has indices for Some(4) of Some(3) elements in dimension 1, which is not its axis}}
  %0 = hfloat.gather_elements %x, %i : (tensor<2x3xf32>, tensor<2x4xi64>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>, %i: tensor<2x2xi64>) {
  // expected-error @+1 {{'hfloat.scatter_elements' op has indices of [2, 2] and updates of [2, 3]; they must be the same}}
  %0 = hfloat.scatter_elements %x, %i, %x : (tensor<2x3xf32>, tensor<2x2xi64>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>, %i: tensor<2x3xi64>) {
  // expected-error @+1 {{'hfloat.gather_nd' op has indices of 3 places behind 0 dimensions, its data has rank 2}}
  %0 = hfloat.gather_nd %x, %i : (tensor<2x3xf32>, tensor<2x3xi64>) -> tensor<2xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>, %i: tensor<3x1xi64>) {
  // expected-error @+1 {{'hfloat.gather_nd' op has data and indices whose first dimensions differ}}
  %0 = hfloat.gather_nd %x, %i {batch_dims = 1 : si64} : (tensor<2x3xf32>, tensor<3x1xi64>) -> tensor<3xf32>
  return
}

// -----

func.func @f(%x: tensor<2x3xf32>, %i: tensor<4x1xi64>) {
  // expected-error @+1 {{'hfloat.scatter_nd' op has updates of [Some(2), Some(3)], its indices need [Some(4), Some(3)]}}
  %0 = hfloat.scatter_nd %x, %i, %x : (tensor<2x3xf32>, tensor<4x1xi64>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x8x8xf32>, %g: tensor<1x3x2xf32>) {
  // expected-error @+1 {{'hfloat.grid_sample' op has an input of rank 4 and a grid of [Some(1), Some(3), Some(2)]}}
  %0 = hfloat.grid_sample %x, %g : (tensor<1x2x8x8xf32>, tensor<1x3x2xf32>) -> tensor<1x2x3xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x8x8xf32>, %g: tensor<2x3x4x2xf32>) {
  // expected-error @+1 {{'hfloat.grid_sample' op has an input and a grid of different numbers of samples}}
  %0 = hfloat.grid_sample %x, %g : (tensor<1x2x8x8xf32>, tensor<2x3x4x2xf32>) -> tensor<1x2x3x4xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x8x8xf32>, %r: tensor<5x4xf32>, %b: tensor<4xi64>) {
  // expected-error @+1 {{'hfloat.roi_align' op has rois and batch_indices of different lengths}}
  %0 = hfloat.roi_align %x, %r, %b : (tensor<1x2x8x8xf32>, tensor<5x4xf32>, tensor<4xi64>) -> tensor<5x2x1x1xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x8x8xf32>, %r: tensor<5x4xf32>, %b: tensor<5xi64>) {
  // expected-error @+1 {{'hfloat.roi_align' op has a result of 0 by 1}}
  %0 = hfloat.roi_align %x, %r, %b {output_height = 0 : si64} : (tensor<1x2x8x8xf32>, tensor<5x4xf32>, tensor<5xi64>) -> tensor<5x2x0x1xf32>
  return
}

// -----

// One number of regions is known, the other only when the network runs: nobody says that they are the same.
func.func @f(%x: tensor<1x2x8x8xf32>, %p: tensor<3x5xf32>, %b: tensor<7xi64>) {
  %n = hfloat.non_zero %p : (tensor<3x5xf32>) -> tensor<2x?xi64, #hfloat.bounds<2, 15>>
  %t = hfloat.transpose %n {perm = array<i64: 1, 0>} : (tensor<2x?xi64, #hfloat.bounds<2, 15>>) -> tensor<?x2xi64, #hfloat.bounds<15, 2>>
  %c = hfloat.concat %t, %t {axis = 1 : si64} : (tensor<?x2xi64, #hfloat.bounds<15, 2>>, tensor<?x2xi64, #hfloat.bounds<15, 2>>) -> tensor<?x4xi64, #hfloat.bounds<15, 4>>
  %r = hfloat.cast %c : (tensor<?x4xi64, #hfloat.bounds<15, 4>>) -> tensor<?x4xf32, #hfloat.bounds<15, 4>>
  // expected-error @+1 {{has an operand whose size is known only when the network runs, which it cannot take}}
  %0 = hfloat.roi_align %x, %r, %b : (tensor<1x2x8x8xf32>, tensor<?x4xf32, #hfloat.bounds<15, 4>>, tensor<7xi64>) -> tensor<7x2x1x1xf32>
  return
}
