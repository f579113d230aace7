#include "napi/blocks.h"

#include "napi/napi_support.h"

namespace exitrl {

Block::Block(int64_t size, std::shared_ptr<BlockCounts> counts) : memory_(std::max<int64_t>(size, 64)), counts_(std::move(counts)) {
  ++counts_->blocks;
  counts_->bytes += memory_.size();
}

Block::~Block() {
  --counts_->blocks;
  counts_->bytes -= memory_.size();
}

Napi::ArrayBuffer Blocks::to_array_buffer(Napi::Env env, const std::shared_ptr<Blocks>& blocks, std::shared_ptr<Block> block) {
  struct Seen {
    std::weak_ptr<Blocks> blocks;
    std::weak_ptr<Block> block;
  };
  // The finalizer may run long after release(), when a newer block has the address, or when the environment is gone:
  // so it compares identity and holds nothing.
  auto seen = std::make_unique<Seen>(Seen{blocks, block});
  const auto finalize = [](Napi::Env, void* data, Seen* hint) {
    const std::unique_ptr<Seen> owned(hint);
    const auto registry = owned->blocks.lock();
    const auto mine = owned->block.lock();
    if (!registry || !mine) return;
    if (const auto it = registry->visible_.find(data); it != registry->visible_.end() && it->second == mine) registry->visible_.erase(it);
  };
  auto buffer = Napi::ArrayBuffer::New(env, static_cast<void*>(block->data()), size_t(block->size()), finalize, seen.get());
  seen.release();
  blocks->visible_[block->data()] = std::move(block);
  return buffer;
}

std::shared_ptr<Block> Blocks::find(const void* data) const {
  const auto it = visible_.find(data);
  return it == visible_.end() ? nullptr : it->second;
}

void Blocks::release(const Napi::Value& value) {
  if (!value.IsArrayBuffer()) fail(ErrorCode::invalid_argument, "release() takes an ArrayBuffer, it got " + describe(value));
  auto buffer = value.As<Napi::ArrayBuffer>();
  if (buffer.IsDetached()) return;  // released before
  const auto it = visible_.find(buffer.Data());
  require(it != visible_.end(), "release() takes a buffer that came from this addon");
  const auto block = it->second;
  visible_.erase(it);
  buffer.Detach();
}

}  // namespace exitrl
