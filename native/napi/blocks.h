// Native memory shared with JavaScript: 64-byte aligned blocks behind external ArrayBuffers. JavaScript and running
// jobs own a block together, so neither transfer nor garbage collection can take it from a job.
#pragma once
#include <napi.h>

#include <atomic>
#include <memory>
#include <unordered_map>

#include "core/buffer.h"

namespace exitrl {

struct BlockCounts {
  std::atomic<int64_t> blocks{0}, bytes{0};
};

class Block {
 public:
  Block(int64_t size, std::shared_ptr<BlockCounts> counts);
  ~Block();
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  std::byte* data() { return memory_.data(); }
  int64_t size() const { return memory_.size(); }

 private:
  Buffer<std::byte> memory_;
  std::shared_ptr<BlockCounts> counts_;
};

// The blocks of one environment that JavaScript can see.
class Blocks {
 public:
  static std::shared_ptr<Blocks> make() { return std::shared_ptr<Blocks>(new Blocks); }
  // Callable from any thread.
  const std::shared_ptr<BlockCounts>& counts() const { return counts_; }
  // One ArrayBuffer per block.
  static Napi::ArrayBuffer to_array_buffer(Napi::Env env, const std::shared_ptr<Blocks>& blocks, std::shared_ptr<Block> block);
  // The block that starts at this address, or null.
  std::shared_ptr<Block> find(const void* data) const;
  // Detaches the buffer and drops JavaScript's share at once, without waiting for the garbage collector.
  void release(const Napi::Value& buffer);

 private:
  Blocks() = default;
  std::shared_ptr<BlockCounts> counts_ = std::make_shared<BlockCounts>();
  std::unordered_map<const void*, std::shared_ptr<Block>> visible_;
};

}  // namespace exitrl
