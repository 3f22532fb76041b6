//===- Attrs.td - operands of instructions -----------------------------------===//
#ifndef NASH_ATTRS
#define NASH_ATTRS

include "nash/Dialect.td"

def Nash_Engine : I32EnumAttr<"Engine", "a part of the machine with an instruction queue of its own", [
    I32EnumAttrCase<"load", 0>, I32EnumAttrCase<"store", 1>, I32EnumAttrCase<"tae", 2>, I32EnumAttrCase<"vae", 3>,
    I32EnumAttrCase<"aae", 4>, I32EnumAttrCase<"dte", 5>, I32EnumAttrCase<"vpu", 6>,
    I32EnumAttrCase<"spu", 7>]> {
  let cppNamespace = "::hb::nash";
  let genSpecializedAttr = 0;
}

def Nash_Region : I32EnumAttr<"Region", "a part of DDR that a program may touch", [
    I32EnumAttrCase<"input", 0>, I32EnumAttrCase<"output", 1>, I32EnumAttrCase<"constants", 2>,
    I32EnumAttrCase<"workspace", 3>]> {
  let cppNamespace = "::hb::nash";
  let genSpecializedAttr = 0;
}

class Nash_Attr<string name, string word> : AttrDef<Nash_Dialect, name> {
  let mnemonic = word;
}

def Nash_WaitAttr : Nash_Attr<"Wait", "wait"> {
  let summary = "starts only when an engine has completed that many of its instructions";
  let parameters = (ins EnumParameter<Nash_Engine>:$engine, "int64_t":$count);
  let assemblyFormat = "`<` $engine $count `>`";
}

def Nash_ViewAttr : Nash_Attr<"View", "view"> {
  let summary = "where in L1M an operand lies: byte address of its first element, bytes between neighbours per dimension";
  let description = "The sizes belong to the instruction, because its operands share them. Stride 0 broadcasts.";
  let parameters = (ins "int64_t":$address, ArrayRefParameter<"int64_t">:$strides);
  let assemblyFormat = "`<` $address `,` `[` $strides `]` `>`";
}

def Nash_DdrViewAttr : Nash_Attr<"DdrView", "ddr_view"> {
  let summary = "a view of DDR: region and its number, byte offset in it, bytes between neighbours per dimension";
  let parameters = (ins EnumParameter<Nash_Region>:$region, "int64_t":$index, "int64_t":$offset,
    ArrayRefParameter<"int64_t">:$strides);
  let assemblyFormat = "`<` $region $index `+` $offset `,` `[` $strides `]` `>`";
}

def Nash_WindowAttr : Nash_Attr<"Window", "window"> {
  let summary = "how a kernel slides over rows and columns; each pair is (vertical, horizontal)";
  let description = "`pads` are the virtual cells before the tile; negative where the first window begins inside it.";
  let parameters = (ins ArrayRefParameter<"int64_t">:$kernel, ArrayRefParameter<"int64_t">:$strides,
    ArrayRefParameter<"int64_t">:$dilations, ArrayRefParameter<"int64_t">:$pads);
  let assemblyFormat = [{
    `<` `kernel` `[` $kernel `]` `strides` `[` $strides `]` `dilations` `[` $dilations `]` `pads` `[` $pads `]` `>`
  }];
}

def Nash_CountAttr : Nash_Attr<"Count", "count"> {
  let summary = "how an average pool counts the cells of its whole window, and the table of multipliers by that count";
  let description = "`extent` is the region whose cells count; `minimum` and `shape` say which counts the table has.";
  let parameters = (ins ArrayRefParameter<"int64_t">:$kernel, ArrayRefParameter<"int64_t">:$pads,
    ArrayRefParameter<"int64_t">:$extent, ArrayRefParameter<"int64_t">:$minimum, ArrayRefParameter<"int64_t">:$shape,
    "::hb::nash::ViewAttr":$table);
  let assemblyFormat = [{
    `<` `kernel` `[` $kernel `]` `pads` `[` $pads `]` `extent` `[` $extent `]` `minimum` `[` $minimum `]`
    `shape` `[` $shape `]` `table` $table `>`
  }];
}

def Nash_ClampAttr : Nash_Attr<"Clamp", "clamp"> {
  let summary = "the least and the greatest integer that a result may be";
  let parameters = (ins "int64_t":$low, "int64_t":$high);
  let assemblyFormat = "`<` $low `,` $high `>`";
}

def Nash_PortAttr : Nash_Attr<"Port", "port"> {
  let summary = "a tensor at the border of a program: name, bytes of its region, bytes between neighbours per dimension";
  let description = "Shape, element type and scale are those of the operand or result.";
  let parameters = (ins StringRefParameter<>:$name, "int64_t":$bytes, OptionalArrayRefParameter<"int64_t">:$strides);
  let assemblyFormat = "`<` $name `,` $bytes (`,` `[` $strides^ `]`)? `>`";
}

#endif
