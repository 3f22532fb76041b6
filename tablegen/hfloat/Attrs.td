//===- Attrs.td - attributes of the float dialect --------------------------===//
#ifndef HFLOAT_ATTRS
#define HFLOAT_ATTRS

include "hfloat/Dialect.td"

def Hfloat_AutoPad : I32EnumAttr<"AutoPad", "how padding is chosen (ONNX `auto_pad`)", [
    I32EnumAttrCase<"NOTSET", 0>, I32EnumAttrCase<"SAME_UPPER", 1>,
    I32EnumAttrCase<"SAME_LOWER", 2>, I32EnumAttrCase<"VALID", 3>]> {
  let cppNamespace = "::hb::hfloat";
  let genSpecializedAttr = 0;
}
def Hfloat_AutoPadAttr : EnumAttr<Hfloat_Dialect, Hfloat_AutoPad, "auto_pad"> {
  let assemblyFormat = "`<` $value `>`";
}

def Hfloat_PadMode : I32EnumAttr<"PadMode", "what fills the border (ONNX Pad `mode`)", [
    I32EnumAttrCase<"constant", 0>, I32EnumAttrCase<"reflect", 1>,
    I32EnumAttrCase<"edge", 2>, I32EnumAttrCase<"wrap", 3>]> {
  let cppNamespace = "::hb::hfloat";
  let genSpecializedAttr = 0;
}
def Hfloat_PadModeAttr : EnumAttr<Hfloat_Dialect, Hfloat_PadMode, "pad_mode"> {
  let assemblyFormat = "`<` $value `>`";
}

def Hfloat_ClampAttr : AttrDef<Hfloat_Dialect, "Clamp"> {
  let mnemonic = "clamp";
  let summary = "an activation fused into its producer: min(max(x, lower), upper)";
  let description = [{
    Relu is `#hfloat.clamp<0.0, inf>`, Relu6 is `#hfloat.clamp<0.0, 6.0>`. Infinite bounds are written
    `0x7FF0000000000000` by MLIR's printer.
  }];
  let parameters = (ins "::mlir::FloatAttr":$lower, "::mlir::FloatAttr":$upper);
  let assemblyFormat = "`<` $lower `,` $upper `>`";
}

def Hfloat_BoundsAttr : AttrDef<Hfloat_Dialect, "Bounds"> {
  let mnemonic = "bounds";
  let summary = "upper bounds of sizes that are known only when the network runs";
  let description = [{
    The encoding of a tensor type with unknown sizes: one bound per dimension, a known size is its own.
    `tensor<?x3xi64, #hfloat.bounds<100, 3>>` has at most 100 rows.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$sizes);
  let assemblyFormat = "`<` $sizes `>`";
}

#endif
