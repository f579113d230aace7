// ColumnDescription (lib/native/bridge.ts) -> ArrowColumn, without copying.
#pragma once
#include <napi.h>

#include <memory>
#include <vector>

#include "io/arrow_column.h"
#include "napi/blocks.h"

namespace exitrl {

// A validated column and what keeps its memory alive.
struct ImportedColumn {
  std::shared_ptr<ArrowColumn> column;
  std::vector<Napi::Object> pins;               // ArrayBuffers, for Executor::submit
  std::vector<std::shared_ptr<Block>> blocks;   // native blocks among them, owned together
};
ImportedColumn import_column(const Napi::Value& description, const Blocks& blocks);

}  // namespace exitrl
