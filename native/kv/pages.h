// The paged KV cache: fixed-size pages of 16 positions with reference counts. A page lies at the same number in every
// layer. Shared pages are never written: the scheduler copies first.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/buffer.h"
#include "models/decoder.h"

namespace exitrl {

// Which pages are free, and who holds the others. Where their contents lie is up to those who derive.
class Pages {
 public:
  explicit Pages(int64_t count) : count_(count), references_(size_t(count), 0) { reset(); }
  virtual ~Pages() = default;

  // Forgets every page; the memory stays.
  void reset() {
    free_.clear();
    std::fill(references_.begin(), references_.end(), 0);
    for (int64_t p = count_ - 1; p >= 0; --p) free_.push_back(int32_t(p));
    peak_ = 0;
  }

  int64_t count() const { return count_; }
  int64_t free() const { return int64_t(free_.size()); }
  int64_t peak() const { return peak_; }
  void restart_peak() { peak_ = count_ - free(); }

  // A fresh page with one reference. The caller has checked free().
  int32_t take() {
    const int32_t p = free_.back();
    free_.pop_back();
    references_[size_t(p)] = 1;
    peak_ = std::max(peak_, count_ - free());
    return p;
  }
  void share(int32_t p) { ++references_[size_t(p)]; }
  void release(int32_t p) {
    if (--references_[size_t(p)] == 0) free_.push_back(p);
  }
  bool shared(int32_t p) const { return references_[size_t(p)] > 1; }

  // A copy of page p that only the caller holds; gives up the caller's share of p.
  int32_t copy(int32_t p) {
    const int32_t q = take();
    copy_contents(p, q);
    release(p);
    return q;
  }

 protected:
  virtual void copy_contents(int32_t from, int32_t to) = 0;
  // Takes over the references of a smaller pool.
  void adopt_references(const Pages& other) {
    std::copy(other.references_.begin(), other.references_.end(), references_.begin());
    free_.clear();
    for (int64_t p = count_ - 1; p >= 0; --p)
      if (references_[size_t(p)] == 0) free_.push_back(int32_t(p));
  }

 private:
  int64_t count_, peak_ = 0;
  std::vector<int32_t> references_;
  std::vector<int32_t> free_;
};

// Pages in the host's memory: layer by layer, keys and values apart.
class HostPages final : public Pages {
 public:
  HostPages(const DecoderConfig& config, int64_t count)
      : Pages(count),
        page_(page_floats(config.K, config.D)),
        layers_(config.L),
        keys_(config.L * count * page_),
        values_(config.L * count * page_) {}

  // Takes over the contents and references of a smaller pool.
  void adopt(const HostPages& other) {
    for (int64_t l = 0; l < layers_; ++l) {
      std::memcpy(keys_.data() + l * count() * page_, other.keys_.data() + l * other.count() * page_,
                  size_t(other.count() * page_) * sizeof(float));
      std::memcpy(values_.data() + l * count() * page_, other.values_.data() + l * other.count() * page_,
                  size_t(other.count() * page_) * sizeof(float));
    }
    adopt_references(other);
  }

  KvStore store() { return {keys_.data(), values_.data(), count() * page_, page_}; }

 private:
  void copy_contents(int32_t from, int32_t to) override {
    for (int64_t l = 0; l < layers_; ++l) {
      std::memcpy(keys_.data() + (l * count() + to) * page_, keys_.data() + (l * count() + from) * page_, size_t(page_) * sizeof(float));
      std::memcpy(values_.data() + (l * count() + to) * page_, values_.data() + (l * count() + from) * page_,
                  size_t(page_) * sizeof(float));
    }
  }

  int64_t page_, layers_;
  Buffer<float> keys_, values_;
};

}  // namespace exitrl
