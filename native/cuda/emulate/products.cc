#include "cuda/emulate/products.h"

#include <cstring>
#include <string>
#include <utility>

#include "core/bf16.h"
#include "core/status.h"
#include "cuda/emulate/watch.h"

namespace exitrl::cuda::emulate {
namespace {

// Fields of a matrix descriptor (PTX ISA, "Matrix Descriptor Format"), in bytes.
struct Factor {
  uint32_t start, leading, stride;
  const SharedMemory& memory;
  const void* site;

  Factor(uint64_t bits, const SharedMemory& shared, const void* code)
      : start(uint32_t(bits & 0x3fff) << 4),
        leading(uint32_t(bits >> 16 & 0x3fff) << 4),
        stride(uint32_t(bits >> 32 & 0x3fff) << 4),
        memory(shared),
        site(code) {
    const bool swizzle128 = bits >> 62 == 1, offset = (bits >> 49 & 7) != 0;
    if (!swizzle128 || offset || stride != 1024)
      fail(ErrorCode::internal,
           "a matrix descriptor that is not of 128-byte swizzle, from a multiple of 1024 bytes, eight rows 1024 bytes apart");
  }
  float at(uint32_t offset) const {
    uint32_t address = start + offset;
    address ^= (address >> 7 & 7) << 4;
    if (address + 2 > memory.bytes)
      fail(ErrorCode::internal,
           "a matrix descriptor reaches byte " + std::to_string(address) + " of " + std::to_string(memory.bytes) + " of shared memory");
    if (watcher) watcher->product_reads(memory.first + address, site);
    uint16_t number;
    std::memcpy(&number, memory.first + address, sizeof number);
    return from_bf16(number);
  }
  // Number k of line i, where a line's numbers lie side by side.
  float in_line(int i, int k) const { return at(uint32_t(i / 8) * stride + uint32_t(i % 8) * 128 + uint32_t(k) * 2); }
  // Number k of column i, where numbers of the same k lie side by side.
  float across(int i, int k) const {
    return at(uint32_t(i / 64) * leading + uint32_t(i % 64) * 2 + uint32_t(k / 8) * stride + uint32_t(k % 8) * 128);
  }
};

// The thread's two rows of a, and columns 8 j + 2 (lane % 4) and the next of b: sums(j, column of d, a, column of b) for each.
template <class Sums>
void visit(const Product& p, const SharedMemory& memory, int thread, Sums&& sums) {
  const int warp = thread / 32 % 4, lane = thread % 32;
  float a[2][16], b[16];
  if (p.a_in_registers) {
    std::memcpy(a, p.a_rows, sizeof a);
  } else {
    const Factor rows(p.a, memory, p.site);
    for (int e = 0; e < 2; ++e)
      for (int k = 0; k < 16; ++k) {
        const int row = 16 * warp + lane / 4 + 8 * e;
        a[e][k] = p.a_by_column ? rows.across(row, k) : rows.in_line(row, k);
      }
  }
  const Factor columns(p.b, memory, p.site);
  for (int j = 0; j < p.n / 8; ++j)
    for (int c = 0; c < 2; ++c) {
      const int column = 8 * j + 2 * (lane % 4) + c;
      for (int k = 0; k < 16; ++k) b[k] = p.b_by_row ? columns.across(column, k) : columns.in_line(column, k);
      sums(j, c, a, b);
    }
}

void multiply(const Product& p, const SharedMemory& memory, int thread) {
  visit(p, memory, thread, [&](int j, int c, const float (&a)[2][16], const float (&b)[16]) {
    for (int e = 0; e < 2; ++e) {
      float sum = p.add ? p.d[j][2 * e + c] : 0;
      for (int k = 0; k < 16; ++k) sum += a[e][k] * b[k];
      p.d[j][2 * e + c] = sum;
    }
  });
}

}  // namespace

void Products::clear() {
  given_.clear();
  groups_.clear();
  count_ = 0;
}

void Products::give(const Product& product, const SharedMemory& memory, int thread) {
  if (watcher) visit(product, memory, thread, [](auto&&...) {});
  given_.push_back(product);
  ++count_;
}

void Products::commit() { groups_.push_back(std::exchange(given_, {})); }

void Products::wait(int groups_left, const SharedMemory& memory, int thread) {
  while (int(groups_.size()) > groups_left) {
    for (const Product& product : groups_.front()) multiply(product, memory, thread);
    groups_.pop_front();
  }
}

}  // namespace exitrl::cuda::emulate
