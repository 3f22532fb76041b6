// Every instruction prints what it parses, as text and as bytecode.
// RUN: hb-opt %s | hb-opt | FileCheck %s
// RUN: hb-opt %s --emit-bytecode | hb-opt | FileCheck %s
// RUN: hb-opt %s --mlir-print-op-generic | hb-opt | FileCheck %s

// CHECK-LABEL: func.func @program
func.func @program(%x: tensor<1x16xf32>) -> tensor<1x16xf32> {
  // CHECK: %{{.*}} = nash.program(%{{.*}}) on "nash-e" with ["local_memory.bytes=65536"]
  // CHECK-SAME: inputs [#nash.port<"x", 64, [64, 4]>] outputs [#nash.port<"y", 64, [64, 4]>] workspace 128
  // CHECK-SAME: constants dense<1> : tensor<8xi8> names ["copy", "Relu_1"] origins {{\[}}[], ["Relu_1", "a \22b\22"]] operators ["", "relu"] operations [0, 16] {
  %y = nash.program(%x) on "nash-e" with ["local_memory.bytes=65536"] inputs [#nash.port<"x", 64, [64, 4]>]
      outputs [#nash.port<"y", 64, [64, 4]>] workspace 128 constants dense<1> : tensor<8xi8> names ["copy", "Relu_1"]
      origins [[], ["Relu_1", "a \22b\22"]] operators ["", "relu"] operations [0, 16] {
    // CHECK: nash.load.copy node 0 shape [1, 1, 1, 1, 1, 16] element_bytes 4 source <input 0 + 0, [0, 0, 0, 0, 64, 4]> destination <0, [0, 0, 0, 0, 64, 4]>{{$}}
    nash.load.copy node 0 shape [1, 1, 1, 1, 1, 16] element_bytes 4 source <input 0 + 0, [0, 0, 0, 0, 64, 4]> destination <0, [0, 0, 0, 0, 64, 4]>
    // CHECK: nash.vpu.quantize node 0 wait [load 1] shape [1, 1, 1, 1, 1, 16] output_element i8 scale 5.000000e-01 zero_point -128 input <0, [0, 0, 0, 0, 64, 4]> output <64, [0, 0, 0, 0, 16, 1]>{{$}}
    nash.vpu.quantize node 0 wait [load 1] shape [1, 1, 1, 1, 1, 16] output_element i8 scale 0.5 zero_point -128 input <0, [0, 0, 0, 0, 64, 4]> output <64, [0, 0, 0, 0, 16, 1]>
    // CHECK: nash.vpu.run node 1 shape [1, 1, 1, 1, 1, 16] row_dimensions 1
    // CHECK-SAME: program ["operand i8 scale 0.5 zero_point -128", "operand f32", "%0 = load 0", "%1 = load 1", "%2 = add %0 %1", "%3 = reduce_maximum %2"]
    // CHECK-SAME: operand0 <64, [0, 0, 0, 0, 16, 1]> operand1 <512, [0, 0, 0, 0, 0, 4]> output_element f32 output_scale 1.000000e+00 output_zero_point 0 reduced output <1024, [0, 0, 0, 0, 0, 0]>{{$}}
    nash.vpu.run node 1 shape [1, 1, 1, 1, 1, 16] row_dimensions 1
        program ["operand i8 scale 0.5 zero_point -128", "operand f32", "%0 = load 0", "%1 = load 1", "%2 = add %0 %1", "%3 = reduce_maximum %2"]
        operand0 <64, [0, 0, 0, 0, 16, 1]> operand1 <512, [0, 0, 0, 0, 0, 4]> output_element f32 output_scale 1.0 output_zero_point 0 reduced output <1024, [0, 0, 0, 0, 0, 0]>
    // CHECK: nash.vpu.run node 1 shape [1, 1, 1, 1, 1, 16] row_dimensions 0 program ["operand f16", "%0 = load 0"]
    // CHECK-SAME: operand0 <2048, [0, 0, 0, 0, 32, 2]> output_element f16 output_scale 1.000000e+00 output_zero_point 0 output <1024, [0, 0, 0, 0, 32, 2]>{{$}}
    nash.vpu.run node 1 shape [1, 1, 1, 1, 1, 16] row_dimensions 0 program ["operand f16", "%0 = load 0"]
        operand0 <2048, [0, 0, 0, 0, 32, 2]> output_element f16 output_scale 1.0 output_zero_point 0 output <1024, [0, 0, 0, 0, 32, 2]>
    // CHECK: nash.dte.fill node 1 shape [1, 1, 1, 1, 1, 256] element_bytes 1 value 7 destination <256, [0, 0, 0, 0, 0, 1]>{{$}}
    nash.dte.fill node 1 shape [1, 1, 1, 1, 1, 256] element_bytes 1 value 7 destination <256, [0, 0, 0, 0, 0, 1]>
    // CHECK: nash.vae.lookup node 1 wait [vpu 1, dte 1] shape [1, 1, 1, 1, 1, 16] input <64, [0, 0, 0, 0, 16, 1]> table <256, [1]> output <64, [0, 0, 0, 0, 16, 1]>{{$}}
    nash.vae.lookup node 1 wait [vpu 1, dte 1] shape [1, 1, 1, 1, 1, 16] input <64, [0, 0, 0, 0, 16, 1]> table <256, [1]> output <64, [0, 0, 0, 0, 16, 1]>
    // CHECK: nash.vae.curve node 1 shape [1, 1, 1, 1, 1, 8] input_element i16 output_element i8 pieces 2 shift 46 input <64, [0, 0, 0, 0, 16, 2]> table <256, [26]> output <1024, [0, 0, 0, 0, 16, 1]>{{$}}
    nash.vae.curve node 1 shape [1, 1, 1, 1, 1, 8] input_element i16 output_element i8 pieces 2 shift 46 input <64, [0, 0, 0, 0, 16, 2]> table <256, [26]> output <1024, [0, 0, 0, 0, 16, 1]>
    // CHECK: nash.vae.add {{.*}} zero_points [-3, 127, 5] multiplier_a 1073741824 multiplier_b -1073741824 shift 30 clamp <-128, 127> a <64, {{.*}}> b <64, {{.*}}> output <512,
    nash.vae.add node 1 shape [1, 1, 1, 1, 1, 16] a_element i8 b_element i8 output_element i8 zero_points [-3, 127, 5] multiplier_a 1073741824 multiplier_b -1073741824
        shift 30 clamp <-128, 127> a <64, [0, 0, 0, 0, 16, 1]> b <64, [0, 0, 0, 0, 16, 1]> output <512, [0, 0, 0, 0, 16, 1]>
    // CHECK: nash.vae.mul {{.*}} output_element i16 zero_points [0, 0, 0] mantissa 1073741824 shift 30 clamp <-32768, 32767>
    nash.vae.mul node 1 shape [1, 1, 1, 1, 1, 16] a_element i8 b_element i8 output_element i16 zero_points [0, 0, 0] mantissa 1073741824 shift 30
        clamp <-32768, 32767> a <64, [0, 0, 0, 0, 16, 1]> b <64, [0, 0, 0, 0, 16, 1]> output <544, [0, 0, 0, 0, 32, 2]>
    // CHECK: nash.vae.p_relu {{.*}} slope_mantissa 1073741824 slope_shift 33 clamp <-128, 127>
    nash.vae.p_relu node 1 shape [1, 1, 1, 1, 1, 16] input_element i8 slope_element i8 output_element i8 zero_points [0, 0, 0] mantissa 1073741824 shift 30
        slope_mantissa 1073741824 slope_shift 33 clamp <-128, 127> input <64, [0, 0, 0, 0, 16, 1]> slope <64, [0, 0, 0, 0, 16, 1]>
        output <512, [0, 0, 0, 0, 16, 1]>
    // CHECK: nash.vae.requantize {{.*}} input_element i16 output_element i8 zero_points [0, 0]
    nash.vae.requantize node 1 shape [1, 1, 1, 1, 1, 16] input_element i16 output_element i8 zero_points [0, 0] mantissa 1073741824 shift 30
        clamp <-128, 127> input <544, [0, 0, 0, 0, 32, 2]> output <512, [0, 0, 0, 0, 16, 1]>
    // CHECK: nash.dte.copy node 1 shape [1, 1, 1, 1, 4, 4] element_bytes 1 source <512, [0, 0, 0, 0, 1, 4]> destination <576, [0, 0, 0, 0, 4, 1]>{{$}}
    nash.dte.copy node 1 shape [1, 1, 1, 1, 4, 4] element_bytes 1 source <512, [0, 0, 0, 0, 1, 4]> destination <576, [0, 0, 0, 0, 4, 1]>
    // CHECK: nash.tae.convolution node 1 depthwise input_shape [1, 4, 4, 1] output_shape [1, 2, 2, 1]
    // CHECK-SAME: window <kernel[3, 3] strides[2, 2] dilations[1, 1] pads[1, 1]> input_element i8 input <576, [16, 4, 1, 1]>
    // CHECK-SAME: weights <512, [9, 3, 1, 1]> accumulate <640, [16, 8, 4, 4]> output_element i32 zero_points [0, 0] clamp <0, 0> output <640, [16, 8, 4, 4]>{{$}}
    nash.tae.convolution node 1 depthwise input_shape [1, 4, 4, 1] output_shape [1, 2, 2, 1]
        window <kernel [3, 3] strides [2, 2] dilations [1, 1] pads [1, 1]> input_element i8 input <576, [16, 4, 1, 1]>
        weights <512, [9, 3, 1, 1]> accumulate <640, [16, 8, 4, 4]> output_element i32 zero_points [0, 0] clamp <0, 0> output <640, [16, 8, 4, 4]>
    // CHECK: nash.tae.convolution node 1 input_shape [1, 4, 4, 1] {{.*}} weights <512, [9, 3, 1, 1]> parameters <672, [12]> output_element i8 zero_points [-7, 9]
    nash.tae.convolution node 1 input_shape [1, 4, 4, 1] output_shape [1, 2, 2, 1]
        window <kernel [3, 3] strides [2, 2] dilations [1, 1] pads [1, 1]> input_element i8 input <576, [16, 4, 1, 1]>
        weights <512, [9, 3, 1, 1]> parameters <672, [12]> output_element i8 zero_points [-7, 9] clamp <0, 127> output <640, [4, 2, 1, 1]>
    // CHECK: nash.aae.max_pool {{.*}} element i8 input <576, [16, 4, 1, 1]> output <640, [4, 2, 1, 1]>{{$}}
    nash.aae.max_pool node 1 input_shape [1, 4, 4, 1] output_shape [1, 2, 2, 1]
        window <kernel [2, 2] strides [2, 2] dilations [1, 1] pads [0, 0]> element i8 input <576, [16, 4, 1, 1]> output <640, [4, 2, 1, 1]>
    // CHECK: nash.aae.average_pool {{.*}} count <kernel[2, 2] pads[0, 0] extent[4, 4] minimum[2, 2] shape[1, 1] table <672, [8, 8]>> output_element i8 zero_points [0, 0]
    nash.aae.average_pool node 1 input_shape [1, 4, 4, 1] output_shape [1, 2, 2, 1]
        window <kernel [2, 2] strides [2, 2] dilations [1, 1] pads [0, 0]> input_element i8 input <576, [16, 4, 1, 1]>
        count <kernel [2, 2] pads [0, 0] extent [4, 4] minimum [2, 2] shape [1, 1] table <672, [8, 8]>>
        output_element i8 zero_points [0, 0] clamp <-128, 127> output <640, [4, 2, 1, 1]>
    // CHECK: nash.aae.roi_resize node 1 plane_shape [2, 2, 1] plane <input 0 + 0, [0, 0, 0, 2, 1, 1]> region <input 0 + 16, [0, 0, 0, 0, 0, 4]> block 2 size [4, 4] start [2, 0] output_shape [2, 4, 1] output <704, [4, 1, 1]>
    nash.aae.roi_resize node 1 plane_shape [2, 2, 1] plane <input 0 + 0, [0, 0, 0, 2, 1, 1]> region <input 0 + 16, [0, 0, 0, 0, 0, 4]>
        block 2 size [4, 4] start [2, 0] output_shape [2, 4, 1] output <704, [4, 1, 1]>
    // CHECK: nash.vpu.dequantize {{.*}} wait [vae 1] shape [1, 1, 1, 1, 1, 16] input_element i8 scale 5.000000e-01 zero_point 0
    nash.vpu.dequantize node 1 wait [vae 1] shape [1, 1, 1, 1, 1, 16] input_element i8 scale 0.5 zero_point 0 input <64, [0, 0, 0, 0, 16, 1]> output <128, [0, 0, 0, 0, 64, 4]>
    // CHECK: nash.store.copy node 1 wait [vpu 2] shape [1, 1, 1, 1, 1, 16] element_bytes 4 source <128, [0, 0, 0, 0, 64, 4]> destination <output 0 + 0, [0, 0, 0, 0, 64, 4]>{{$}}
    nash.store.copy node 1 wait [vpu 2] shape [1, 1, 1, 1, 1, 16] element_bytes 4 source <128, [0, 0, 0, 0, 64, 4]> destination <output 0 + 0, [0, 0, 0, 0, 64, 4]>
    // CHECK: nash.spu.yield node 1 wait [store 1] bytes 4096{{$}}
    nash.spu.yield node 1 wait [store 1] bytes 4096
  // CHECK: } : (tensor<1x16xf32>) -> tensor<1x16xf32>
  } : (tensor<1x16xf32>) -> tensor<1x16xf32>
  return %y : tensor<1x16xf32>
}
