#include "Hb.h"

#include "NashDialect.h.inc"
#include "NashEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "NashAttrs.h.inc"
#define GET_OP_CLASSES
#include "NashOps.h.inc"

using namespace mlir;

// `wait [load 57, tae 3]`, or nothing.
static ParseResult parseWaits(OpAsmParser &parser, ArrayAttr &waits) {
  if (failed(parser.parseOptionalKeyword("wait")))
    return success();
  SmallVector<Attribute> list;
  auto parseOne = [&]() -> ParseResult {
    StringRef name;
    int64_t count;
    SMLoc location = parser.getCurrentLocation();
    if (parser.parseKeyword(&name) || parser.parseInteger(count))
      return failure();
    auto engine = hb::nash::symbolizeEngine(name);
    if (!engine)
      return parser.emitError(location) << "unknown engine '" << name << "'";
    list.push_back(hb::nash::WaitAttr::get(parser.getContext(), *engine, count));
    return success();
  };
  if (parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Square, parseOne))
    return failure();
  waits = parser.getBuilder().getArrayAttr(list);
  return success();
}

static void printWaits(OpAsmPrinter &printer, Operation *, ArrayAttr waits) {
  if (!waits)
    return;
  printer << "wait [";
  llvm::interleaveComma(waits.getAsRange<hb::nash::WaitAttr>(), printer, [&](hb::nash::WaitAttr wait) {
    printer << hb::nash::stringifyEngine(wait.getEngine()) << " " << wait.getCount();
  });
  printer << "]";
}

#include "NashDialect.cpp.inc"
#include "NashEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "NashAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "NashOps.cpp.inc"

namespace hb::nash {
void NashDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "NashAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "NashOps.cpp.inc"
      >();
}
} // namespace hb::nash

void hbInsertNash(DialectRegistry &registry) { registry.insert<hb::nash::NashDialect>(); }

// Attributes as numbers in the order of their parameters: what Rust builds them from and reads.
namespace {
enum Kind { WaitKind, ViewKind, DdrViewKind, WindowKind, CountKind, ClampKind };

using Numbers = ArrayRef<int64_t>;

Attribute build(MLIRContext *context, Kind kind, Numbers n) {
  using namespace hb::nash;
  switch (kind) {
  case WaitKind: {
    auto engine = n.size() == 2 ? symbolizeEngine(static_cast<uint32_t>(n[0])) : std::nullopt;
    return engine ? WaitAttr::get(context, *engine, n[1]) : nullptr;
  }
  case ViewKind:
    return n.size() > 1 ? ViewAttr::get(context, n[0], n.drop_front()) : nullptr;
  case DdrViewKind: {
    auto region = n.size() > 3 ? symbolizeRegion(static_cast<uint32_t>(n[0])) : std::nullopt;
    return region ? DdrViewAttr::get(context, *region, n[1], n[2], n.drop_front(3)) : nullptr;
  }
  case WindowKind:
    return n.size() == 8 ? WindowAttr::get(context, n.slice(0, 2), n.slice(2, 2), n.slice(4, 2), n.slice(6, 2)) : nullptr;
  case CountKind:
    if (n.size() < 12)
      return nullptr;
    return CountAttr::get(context, n.slice(0, 2), n.slice(2, 2), n.slice(4, 2), n.slice(6, 2), n.slice(8, 2),
                          ViewAttr::get(context, n[10], n.drop_front(11)));
  case ClampKind:
    return n.size() == 2 ? ClampAttr::get(context, n[0], n[1]) : nullptr;
  }
  return nullptr;
}

using Values = SmallVector<int64_t, 16>;

void append(Values &values, Numbers more) { values.append(more.begin(), more.end()); }

bool read(Attribute attribute, Kind kind, Values &values) {
  using namespace hb::nash;
  switch (kind) {
  case WaitKind:
    if (auto wait = dyn_cast<WaitAttr>(attribute))
      return values = {static_cast<int64_t>(wait.getEngine()), wait.getCount()}, true;
    return false;
  case ViewKind:
    if (auto view = dyn_cast<ViewAttr>(attribute))
      return values = {view.getAddress()}, append(values, view.getStrides()), true;
    return false;
  case DdrViewKind:
    if (auto view = dyn_cast<DdrViewAttr>(attribute)) {
      values = {static_cast<int64_t>(view.getRegion()), view.getIndex(), view.getOffset()};
      return append(values, view.getStrides()), true;
    }
    return false;
  case WindowKind:
    if (auto window = dyn_cast<WindowAttr>(attribute)) {
      // Lists of another length would be taken for their neighbours.
      for (Numbers part : {window.getKernel(), window.getStrides(), window.getDilations(), window.getPads()}) {
        if (part.size() != 2)
          return false;
        append(values, part);
      }
      return true;
    }
    return false;
  case CountKind:
    if (auto count = dyn_cast<CountAttr>(attribute)) {
      for (Numbers part : {count.getKernel(), count.getPads(), count.getExtent(), count.getMinimum(), count.getShape()}) {
        if (part.size() != 2)
          return false;
        append(values, part);
      }
      values.push_back(count.getTable().getAddress());
      return append(values, count.getTable().getStrides()), true;
    }
    return false;
  case ClampKind:
    if (auto clamp = dyn_cast<ClampAttr>(attribute))
      return values = {clamp.getLow(), clamp.getHigh()}, true;
    return false;
  }
  return false;
}
} // namespace

extern "C" {
// Null when there are too few or too many numbers, or one names no engine or region.
MlirAttribute hbNashAttribute(MlirContext context, int kind, intptr_t count, const int64_t *numbers) {
  return wrap(build(unwrap(context), static_cast<Kind>(kind), Numbers(numbers, count)));
}
// False when the attribute is of another kind, or a pair in it is none.
bool hbNashNumbers(MlirAttribute attribute, int kind, void (*keep)(intptr_t, const int64_t *, void *), void *user) {
  Values values;
  if (!read(unwrap(attribute), static_cast<Kind>(kind), values))
    return false;
  keep(values.size(), values.data(), user);
  return true;
}
MlirAttribute hbNashPort(MlirContext context, MlirStringRef name, int64_t bytes, intptr_t rank, const int64_t *strides) {
  return wrap(hb::nash::PortAttr::get(unwrap(context), unwrap(name), bytes, Numbers(strides, rank)));
}
// False when the attribute is no port. The name lives as long as the context; `keep` gets the strides.
bool hbNashPortParts(MlirAttribute attribute, MlirStringRef *name, int64_t *bytes,
                     void (*keep)(intptr_t, const int64_t *, void *), void *user) {
  auto port = dyn_cast<hb::nash::PortAttr>(unwrap(attribute));
  if (!port)
    return false;
  *name = wrap(port.getName());
  *bytes = port.getBytes();
  keep(port.getStrides().size(), port.getStrides().data(), user);
  return true;
}
}
