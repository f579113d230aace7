// NativeColumns of lib/native/addon.ts: columns laid out in one block.
#pragma once
#include <napi.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "napi/blocks.h"
#include "rollout/engine.h"

namespace exitrl {

struct ColumnLayout {
  const char* name;
  char format;  // i, f, c, b as in NativeColumns
  bool list;
  int64_t offset;
  int64_t length;
};

struct Columns {
  std::shared_ptr<Block> block;
  int64_t rows = 0;
  int64_t offsets = 0;  // bytes from the start of the block to the list offsets
  std::vector<ColumnLayout> layout;
};

// Copies what the sampler made into one block; any thread.
Columns make_columns(const Generated& generated, const std::shared_ptr<BlockCounts>& counts);
Napi::Object to_js(Napi::Env env, const Columns& columns);

// A Float32Array over `count` floats of a block.
Napi::Float32Array floats_view(Napi::ArrayBuffer buffer, int64_t byte_offset, int64_t count);

}  // namespace exitrl
