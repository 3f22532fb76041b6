#pragma once
#include "Hb.h"
#include "HfloatDialect.h.inc"
#include "HfloatEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "HfloatAttrs.h.inc"
#define GET_OP_CLASSES
#include "HfloatOps.h.inc"
