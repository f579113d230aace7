#include <atomic>
#include <chrono>

#include "bench/bench.h"
#include "io/file.h"

namespace exitrl {

BenchResult bench_mapped_file(Pool& pool, const std::string& path, int64_t repeats) {
  constexpr int64_t kChunk = int64_t{2} << 20, kLine = 64;
  BenchResult out;
  std::atomic<uint64_t> sum{0};  // or the reads could be left out
  for (int64_t r = 0; r < repeats; ++r) {
    const auto start = std::chrono::steady_clock::now();
    const MappedFile file(path);
    const auto size = int64_t(file.size());
    out.bytes = double(size);
    pool.parallel_tasks((size + kChunk - 1) / kChunk, [&](int64_t task, int) {
      const int64_t begin = task * kChunk, end = std::min(size, begin + kChunk);
      uint64_t part = 0;
      file.read([&] { for (int64_t at = begin; at < end; at += kLine) part += std::to_integer<uint64_t>(file.data()[at]); });
      file.drop(file.data() + begin, size_t(end - begin));
      sum += part;
    });
    out.seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return out;
}

}  // namespace exitrl
