//===- Registry.td - what records say beyond what MLIR reads ----------------===//
//
// `dialects/build/` reads these fields and makes enums, tables and accessors of them. A field that it does not understand
// stops the build.
#ifndef REGISTRY
#define REGISTRY

include "mlir/IR/OpBase.td"

// One of some words.
class Choice<list<string> all> : ConfinedAttr<StrAttr, [AttrConstraint<
    CPred<"::llvm::is_contained(::llvm::ArrayRef<::llvm::StringRef>{\"" # !interleave(all, "\", \"") # "\"}, "
          "::llvm::cast<::mlir::StringAttr>($_self).getValue())">,
    "that is one of " # !interleave(all, ", ")>]> {
  list<string> choices = all;
}

// How many inputs an ONNX operator takes from a version of the operator set on. `most` -1: any number.
class OnnxInputs<int since, int least, int most> {
  int sinceVersion = since;
  int leastInputs = least;
  int mostInputs = most;
}

// An attribute of an ONNX operator that is not in every version, or that is not as in the dialect.
class OnnxAttribute<string name> {
  string attributeName = name;
  // Float, Int, Flag, Ints, Floats, Tensor, Choice, Graph or Any; empty: as the dialect's attribute of the name.
  string kind = "";
  list<string> choices = [];
  int sinceVersion = 1;
  // The last version that has it; -1: the newest has it.
  int untilVersion = -1;
  bit isRequired = 0;
  // Of an INT attribute whose default changed; others have that of the dialect.
  int defaultInteger = ?;
}
// In ONNX since a version.
class Since<string name, int version> : OnnxAttribute<name> { let sinceVersion = version; }
// Without it the importer gives the dialect's attribute a value that follows from shapes.
class Derived<string name> : OnnxAttribute<name>;
class DerivedSince<string name, int version> : Since<name, version>;
// Of the dialect alone.
class DialectOnly<string name> : OnnxAttribute<name>;
// Read by the importer; the dialect has none.
class Consumed<string name, string attributeKind, int since = 1, int until = -1> : OnnxAttribute<name> {
  let kind = attributeKind;
  let sinceVersion = since;
  let untilVersion = until;
}
class RequiredConsumed<string name, string attributeKind, int since = 1, int until = -1>
    : Consumed<name, attributeKind, since, until> {
  let isRequired = 1;
}
class ConsumedChoice<string name, list<string> all, int since = 1, int until = -1>
    : Consumed<name, "Choice", since, until> {
  let choices = all;
}

// An operator of ONNX's default domain.
class OnnxOperator<string name, list<int> changed> {
  // `op_type`.
  string onnxName = name;
  // The versions of the operator set that defined it anew, up to the newest one that we read.
  list<int> onnxVersions = changed;
  // By version; empty: the operands of the operation, in every version.
  list<OnnxInputs> onnxInputs = [];
  list<OnnxAttribute> onnxAttributes = [];
  // Outputs in ONNX, where they are more than results of the operation; -1: any number.
  int onnxOutputs = 0;
  // The output that the first result is. One operator may be several operations, each of which gives other outputs of it.
  int onnxFirstOutput = 0;
  // The attribute that holds the result's element type, a tensor of it, or a graph that gives the results, where neither operands
  // nor types give it.
  string onnxResultElement = "";
  // Of a graph: its output that is the first result.
  int onnxFirstResult = 0;
  // The operand whose element type the results have, where their types do not say it.
  int onnxResultOperand = 0;
}

// An operator of ONNX that becomes other operators on import.
class OnnxComposite<string name, list<int> changed> : OnnxOperator<name, changed>;

#endif
