//===- Ops.td - programs and instructions ------------------------------------===//
#ifndef NASH_OPS
#define NASH_OPS

include "nash/Attrs.td"
include "mlir/IR/BuiltinAttributes.td"

//===- Programs ---------------------------------------------------------------===//

def Nash_Ports : TypedArrayAttrBase<Nash_PortAttr, "ports">;
def Nash_Origins : TypedArrayAttrBase<StrArrayAttr, "names of nodes">;

def Nash_ProgramOp : Op<Nash_Dialect, "program", [IsolatedFromAbove, SingleBlock, NoTerminator]> {
  let summary = "one run of the machine";
  let description = [{
    The body holds instructions, in the order in which each engine takes its own. They read the operands as the regions
    `input 0`, `input 1`, ... of DDR and write the results as `output 0`, ...; `constants` are the bytes of the region of
    that name and `workspace` is the size of the scratch region. `names` are the nodes that instructions belong to; the nodes of
    the user's network that went into each of them are in `origins`, what it computes in `operators`, and how many operations that
    takes in `operations`, where a segment was lowered.
    A program is checked against the memory of the target it was made for; `overrides` are changed fields of that target.

    ```mlir
    %y = nash.program(%x) on "nash-e" inputs [#nash.port<"x", 16, [16, 1]>] outputs [#nash.port<"y", 16, [16, 1]>]
        workspace 0 names ["copy"] {
      nash.load.copy node 0 shape [1, 1, 1, 1, 1, 16] element_bytes 1 source <input 0 + 0, [0, 0, 0, 0, 16, 1]>
          destination <0, [0, 0, 0, 0, 16, 1]>
      nash.store.copy node 0 wait [load 1] shape [1, 1, 1, 1, 1, 16] element_bytes 1 source <0, [0, 0, 0, 0, 16, 1]>
          destination <output 0 + 0, [0, 0, 0, 0, 16, 1]>
    } : (tensor<1x16xf32>) -> tensor<1x16xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$tensors, StrAttr:$target, OptionalAttr<StrArrayAttr>:$overrides,
    Nash_Ports:$inputs, Nash_Ports:$outputs, I64Attr:$workspace, OptionalAttr<ElementsAttr>:$constants,
    StrArrayAttr:$names, OptionalAttr<Nash_Origins>:$origins, OptionalAttr<StrArrayAttr>:$operators, OptionalAttr<DenseI64ArrayAttr>:$operations);
  let regions = (region SizedRegion<1>:$body);
  let results = (outs Variadic<AnyRankedTensor>:$results_);
  let assemblyFormat = [{
    `(` $tensors `)` `on` $target (`with` $overrides^)? `inputs` $inputs `outputs` $outputs `workspace` $workspace
    (`constants` $constants^)? `names` $names (`origins` $origins^)? (`operators` $operators^)? (`operations` $operations^)?
    attr-dict-with-keyword $body `:` functional-type($tensors, $results_)
  }];
  let hasRegionVerifier = 1;
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::verifyRegions() { return ::hb::verifyInRust(getOperation()); }
  }];
}

//===- Instructions -----------------------------------------------------------===//

// A field is named once: its attribute and its place in the text follow. `src/nash/isa_operations.rs` has the same table.
class Nash_Field<string word, Attr kind, string text = "`" # word # "` $" # word> {
  string name = word;
  Attr type = kind;
  string format = text;
}
class Nash_OptionalField<string word, Attr kind>
    : Nash_Field<word, OptionalAttr<kind>, "(`" # word # "` $" # word # "^)?">;

class Nash_Shape<string word> : Nash_Field<word, DenseI64ArrayAttr>;
class Nash_Integers<string word> : Nash_Field<word, DenseI64ArrayAttr>;
class Nash_Integer<string word> : Nash_Field<word, I64Attr>;
class Nash_Real<string word> : Nash_Field<word, F32Attr>;
class Nash_Flag<string word> : Nash_Field<word, UnitAttr, "(`" # word # "` $" # word # "^)?">;
class Nash_Element<string word> : Nash_Field<word, TypeAttrOf<AnyTypeOf<[I8, I16, I32, F32, F16]>>>;
class Nash_View<string word> : Nash_Field<word, Nash_ViewAttr>;
class Nash_OptionalView<string word> : Nash_OptionalField<word, Nash_ViewAttr>;
class Nash_DdrView<string word> : Nash_Field<word, Nash_DdrViewAttr>;
def Nash_TheWindow : Nash_Field<"window", Nash_WindowAttr>;
def Nash_TheClamp : Nash_Field<"clamp", Nash_ClampAttr>;

def Nash_Waits : TypedArrayAttrBase<Nash_WaitAttr, "waits">;

class Nash_Instruction<string mnemonic, list<Nash_Field> fields>
    : Op<Nash_Dialect, mnemonic, [HasParent<"ProgramOp">]> {
  // `node` is the index in the program's names of the node that the instruction belongs to.
  let arguments = !con((ins I64Attr:$node, OptionalAttr<Nash_Waits>:$waits),
    !dag(ins, !foreach(part, fields, part.type), !foreach(part, fields, part.name)));
  let assemblyFormat = "`node` $node custom<Waits>($waits) " # !interleave(!foreach(part, fields, part.format), " ")
    # " attr-dict";
  let hasVerifier = 1;
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::verify() { return ::hb::verifyInRust(getOperation()); }
  }];
}

def Nash_LoadCopyOp : Nash_Instruction<"load.copy", [
    Nash_Shape<"shape">, Nash_Integer<"element_bytes">, Nash_DdrView<"source">, Nash_View<"destination">]> {
  let summary = "copies from DDR to L1M";
  let description = "A strided copy of up to 6 dimensions; `element_bytes` is 1, 2, 4 or 8.";
}

def Nash_StoreCopyOp : Nash_Instruction<"store.copy", [
    Nash_Shape<"shape">, Nash_Integer<"element_bytes">, Nash_View<"source">, Nash_DdrView<"destination">]> {
  let summary = "copies from L1M to DDR";
  let description = "As `nash.load.copy`; the destination is an output or the workspace.";
}

def Nash_TaeConvolutionOp : Nash_Instruction<"tae.convolution", [
    Nash_Flag<"depthwise">, Nash_Shape<"input_shape">, Nash_Shape<"output_shape">, Nash_TheWindow,
    Nash_Element<"input_element">, Nash_View<"input">, Nash_View<"weights">, Nash_OptionalView<"accumulate">,
    Nash_OptionalView<"parameters">, Nash_Element<"output_element">, Nash_Integers<"zero_points">, Nash_TheClamp,
    Nash_View<"output">]> {
  let summary = "convolution over an input tile";
  let description = [{
    32-bit sums of products over the window and the input channels, begun with `accumulate`; the input counts from its zero point, the
    first of `zero_points`. With `parameters` (12 bytes per
    output channel: bias, mantissa, shift) the sums are rescaled and clamped; without, the output is the sums, a part of a
    larger kernel. Shapes are NHWC, weights OHWI. A matrix product is a 1x1 convolution.
  }];
}

class Nash_Binary<string mnemonic, list<Nash_Field> multipliers> : Nash_Instruction<mnemonic, !listconcat(
    [Nash_Shape<"shape">, Nash_Element<"a_element">, Nash_Element<"b_element">, Nash_Element<"output_element">,
     Nash_Integers<"zero_points">],
    multipliers, [Nash_Integer<"shift">, Nash_TheClamp, Nash_View<"a">, Nash_View<"b">, Nash_View<"output">])>;

def Nash_VaeAddOp : Nash_Binary<"vae.add", [Nash_Integer<"multiplier_a">, Nash_Integer<"multiplier_b">]> {
  let summary = "sum of two operands with multipliers, rounded once";
  let description = "`clamp(round_half_even((a * multiplier_a + b * multiplier_b) / 2^shift) + z_output)`; a and b count from their zero points.";
}

def Nash_VaeMulOp : Nash_Binary<"vae.mul", [Nash_Integer<"mantissa">]> {
  let summary = "product of two operands, rescaled";
  let description = "`clamp(rescale(a * b, mantissa, shift) + z_output)`; a and b count from their zero points.";
}

def Nash_VaePReluOp : Nash_Instruction<"vae.p_relu", [
    Nash_Shape<"shape">, Nash_Element<"input_element">, Nash_Element<"slope_element">, Nash_Element<"output_element">,
    Nash_Integers<"zero_points">, Nash_Integer<"mantissa">, Nash_Integer<"shift">, Nash_Integer<"slope_mantissa">, Nash_Integer<"slope_shift">, Nash_TheClamp,
    Nash_View<"input">, Nash_View<"slope">, Nash_View<"output">]> {
  let summary = "the input where it is not negative, elsewhere its product with a slope, rescaled";
  let description = [{
    `clamp(rescale(input, mantissa, shift) + z_output)` where the input is not negative, elsewhere
    `clamp(rescale(input * slope, slope_mantissa, slope_shift) + z_output)`; input and slope count from their zero points.
  }];
}

def Nash_VaeRequantizeOp : Nash_Instruction<"vae.requantize", [
    Nash_Shape<"shape">, Nash_Element<"input_element">, Nash_Element<"output_element">, Nash_Integers<"zero_points">,
    Nash_Integer<"mantissa">, Nash_Integer<"shift">, Nash_TheClamp, Nash_View<"input">, Nash_View<"output">]> {
  let summary = "the operand, rescaled";
  let description = "`clamp(rescale(input - z_input, mantissa, shift) + z_output)`.";
}

def Nash_VaeLookupOp : Nash_Instruction<"vae.lookup", [
    Nash_Shape<"shape">, Nash_View<"input">, Nash_View<"table">, Nash_View<"output">]> {
  let summary = "an int8 function by its table";
  let description = "`table[input + 128]`; the table has 256 entries.";
}

def Nash_VaeCurveOp : Nash_Instruction<"vae.curve", [
    Nash_Shape<"shape">, Nash_Element<"input_element">, Nash_Element<"output_element">, Nash_Integer<"pieces">,
    Nash_Integer<"shift">, Nash_View<"input">, Nash_View<"table">, Nash_View<"output">]> {
  let summary = "a function of i8 or i16 as pieces of quadratics";
  let description = [{
    `saturate(round_half_even((c2 * d^2 + c1 * d + c0) / 2^shift))` with d = input - start, by the last of the pieces whose start is
    not above the input. The table has 26 bytes per piece: start i16, c2 i64, c1 i64, c0 i64.
  }];
}

def Nash_AaeMaxPoolOp : Nash_Instruction<"aae.max_pool", [
    Nash_Shape<"input_shape">, Nash_Shape<"output_shape">, Nash_TheWindow, Nash_Element<"element">, Nash_View<"input">,
    Nash_OptionalView<"accumulate">, Nash_View<"output">]> {
  let summary = "the greatest cell of each window and of `accumulate`";
  let description = "Cells outside of the tile are absent.";
}

def Nash_AaeAveragePoolOp : Nash_Instruction<"aae.average_pool", [
    Nash_Shape<"input_shape">, Nash_Shape<"output_shape">, Nash_TheWindow, Nash_Element<"input_element">,
    Nash_View<"input">, Nash_OptionalView<"accumulate">, Nash_OptionalField<"count", Nash_CountAttr>,
    Nash_Element<"output_element">, Nash_Integers<"zero_points">, Nash_TheClamp, Nash_View<"output">]> {
  let summary = "sum of the cells of each window, rescaled by how many they are";
  let description = "Without `count`, the output is the sum itself, a part of a larger window.";
}

def Nash_AaeRoiResizeOp : Nash_Instruction<"aae.roi_resize", [
    Nash_Shape<"plane_shape">, Nash_DdrView<"plane">, Nash_DdrView<"region">, Nash_Integer<"block">, Nash_Shape<"size">, Nash_Shape<"start">,
    Nash_Shape<"output_shape">, Nash_View<"output">]> {
  let summary = "a part of a resized region of a plane in DDR";
  let description = "Which cells of the plane it reads depends on the region, which lies in DDR, too.";
}

def Nash_DteCopyOp : Nash_Instruction<"dte.copy", [
    Nash_Shape<"shape">, Nash_Integer<"element_bytes">, Nash_View<"source">, Nash_View<"destination">]> {
  let summary = "copies within L1M";
  let description = "Transposition, concatenation, slices, broadcasts.";
}

def Nash_DteFillOp : Nash_Instruction<"dte.fill", [
    Nash_Shape<"shape">, Nash_Integer<"element_bytes">, Nash_Integer<"value">, Nash_View<"destination">]> {
  let summary = "fills L1M with one value";
  let description = "`value` has the element's bits; the low bytes are used.";
}

def Nash_VpuQuantizeOp : Nash_Instruction<"vpu.quantize", [
    Nash_Shape<"shape">, Nash_Element<"output_element">, Nash_Real<"scale">, Nash_Integer<"zero_point">, Nash_View<"input">,
    Nash_View<"output">]> {
  let summary = "f32 to integer";
  let description = "`saturate(round_half_even(input / scale) + zero_point)`; NaN gives the zero point.";
}

def Nash_VpuNormalizeOp : Nash_Instruction<"vpu.normalize", [
    Nash_Shape<"shape">, Nash_Element<"output_element">, Nash_Real<"scale">, Nash_Integer<"zero_point">, Nash_View<"means">, Nash_View<"factors">,
    Nash_View<"input">, Nash_View<"output">]> {
  let summary = "f32 to integer, with a mean and a factor for each element";
  let description = "`saturate(round_half_even((input - means) * factors / scale) + zero_point)`; NaN gives the zero point.";
}

def Nash_VpuRunOp : Nash_Instruction<"vpu.run", [
    Nash_Shape<"shape">, Nash_Integer<"row_dimensions">, Nash_Field<"program", StrArrayAttr>, Nash_OptionalView<"operand0">,
    Nash_OptionalView<"operand1">, Nash_OptionalView<"operand2">, Nash_OptionalView<"operand3">, Nash_OptionalView<"operand4">,
    Nash_OptionalView<"operand5">, Nash_Element<"output_element">, Nash_Real<"output_scale">, Nash_Integer<"output_zero_point">, Nash_Flag<"reduced">, Nash_View<"output">]> {
  let summary = "a program of f32 arithmetic on each row";
  let description = [{
    The last `row_dimensions` dimensions make up a row. The program has a line for each operand, `operand i8 scale 0.5`, then one for each step, as
    `bpu.vector` has them. With `reduced`, the output has one element for each row.
  }];
}

def Nash_VpuDequantizeOp : Nash_Instruction<"vpu.dequantize", [
    Nash_Shape<"shape">, Nash_Element<"input_element">, Nash_Real<"scale">, Nash_Integer<"zero_point">, Nash_OptionalView<"scales">,
    Nash_View<"input">, Nash_View<"output">]> {
  let summary = "integer to f32";
  let description = "`(input - zero_point) * scale`, or times the factors that `scales` holds.";
}

def Nash_SpuYieldOp : Nash_Instruction<"spu.yield", [Nash_Integer<"bytes">]> {
  let summary = "ends a function call";
  let description = [{
    Other programs may run before what follows: the first `bytes` bytes of L1M hold nothing in particular afterwards, which counts as a
    write. The workspace and the outputs keep what they hold.
  }];
}

#endif
