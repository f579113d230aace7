// Arrow columns with mutated descriptions and buffers (fuzz.h). Seeds: test/fixtures/corpus/arrow, a description as JSON with
// buffers in hexadecimal.
#include <algorithm>
#include <cstring>
#include <memory>

#include "check.h"
#include "core/status.h"
#include "fixtures.h"
#include "fuzz.h"
#include "io/arrow_batch.h"
#include "io/arrow_column.h"
#include "train/micro_batch.h"

using namespace exitrl;

namespace {

// Blocks of memory of exactly the size that is claimed, so that a sanitizer sees every byte too much.
using Memory = std::vector<std::unique_ptr<std::byte[]>>;

int64_t integer_of(const json::Value& value, const char* key, int64_t otherwise) {
  const json::Value* found = value.find(key);
  return found && found->kind == json::Kind::integer ? found->integer : otherwise;
}

std::string text_of(const json::Value& value, const char* key) {
  const json::Value* found = value.find(key);
  return found && found->kind == json::Kind::string ? found->string : "";
}

int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0; }

ArrowColumn::Bytes buffer_of(const json::Value& value, Memory& memory, fuzz::Random& random) {
  if (value.kind != json::Kind::string) return {};
  const size_t size = value.string.size() / 2;
  const size_t skew = random.chance(50) ? 1 + random.below(7) : 0;  // an address that is aligned to nothing
  memory.push_back(std::make_unique<std::byte[]>(size + skew));
  std::byte* data = memory.back().get() + skew;
  for (size_t i = 0; i < size; ++i) data[i] = std::byte(digit(value.string[2 * i]) << 4 | digit(value.string[2 * i + 1]));
  if (random.chance(8)) {  // a number of the buffer at the edge of its type
    const size_t width = random.chance(4) ? 8 : 4;
    const int64_t number = fuzz::edge(random);
    if (size >= width) std::memcpy(data + random.below(size / width) * width, &number, width);
  }
  if (random.chance(30)) return {data, int64_t(random.below(size + 1))};
  return {random.chance(60) ? nullptr : data, int64_t(size)};
}

void build(ArrowColumn& column, const json::Value& value, Memory& memory, fuzz::Random& random, int depth = 0) {
  column.format = text_of(value, "format");
  column.name = text_of(value, "name");
  column.length = integer_of(value, "length", 0);
  column.null_count = integer_of(value, "nulls", 0);
  if (const json::Value* buffers = value.find("buffers"))
    for (const json::Value& buffer : buffers->items) column.buffers.push_back(buffer_of(buffer, memory, random));
  if (depth > 60) return;
  if (const json::Value* children = value.find("children"))
    for (const json::Value& child : children->items) {
      column.children.push_back(std::make_unique<ArrowColumn>());
      build(*column.children.back(), child, memory, random, depth + 1);
    }
  if (const json::Value* dictionary = value.find("dictionary"); dictionary && dictionary->kind == json::Kind::object) {
    column.dictionary = std::make_unique<ArrowColumn>();
    build(*column.dictionary, *dictionary, memory, random, depth + 1);
  }
}

template <class T>
uint64_t sum(const ArrowColumn& column, size_t buffer, int64_t count) {
  uint64_t total = 0;
  for (int64_t i = 0; i < count; ++i) total += uint64_t(column.values<T>(buffer)[i]);
  return total;
}

// Touches everything a validated column promises.
uint64_t touch(const ArrowColumn& column) {
  uint64_t total = uint64_t(column.array.length + column.array.n_buffers);
  // A column without buffers may have any length: there is nothing to read of its rows.
  const int64_t rows = column.buffers.empty() || !column.buffers[0].data ? std::min<int64_t>(column.length, 1000) : column.length;
  for (int64_t row = 0; row < rows; ++row) total += column.valid(row);
  const std::string& format = column.format;
  const size_t bits = size_t((column.length + 7) / 8);
  if (format == "b") total += sum<uint8_t>(column, 1, int64_t(bits));
  if (format == "c" || format == "C") total += sum<uint8_t>(column, 1, column.length);
  if (format == "s" || format == "S" || format == "e") total += sum<uint16_t>(column, 1, column.length);
  if (format == "i" || format == "I" || format == "f") total += sum<uint32_t>(column, 1, column.length);
  if (format == "l" || format == "L" || format == "g") total += sum<uint64_t>(column, 1, column.length);
  const bool small = format == "u" || format == "z" || format == "+l", large = format == "U" || format == "Z" || format == "+L";
  if (small || large) {
    const auto offset = [&](int64_t row) { return small ? int64_t(column.values<int32_t>()[row]) : column.values<int64_t>()[row]; };
    for (int64_t row = 0; row < column.length; ++row)
      for (int64_t i = offset(row); i < offset(row + 1); ++i)
        total += format[0] == '+' ? uint64_t(column.children[0]->valid(i)) : std::to_integer<uint64_t>(column.buffers[2].data[i]);
  }
  for (const auto& child : column.children) total += touch(*child);
  return total + (column.dictionary ? touch(*column.dictionary) : 0);
}

// What a call does with a batch before it computes anything.
uint64_t use(const ArrowColumn& column, BatchUse what, Targets targets) {
  DecoderConfig config;
  config.V = 16;
  config.max_positions = 8;
  const RolloutBatch batch = rollout_batch(column, what);
  validate(batch, config, targets);
  MicroBatch micro;
  uint64_t rows = 0;
  const auto borders = micro_batch_borders(batch, 4, targets);
  for (size_t m = 0; m + 1 < borders.size(); ++m) {
    fill(micro, batch, borders[m], borders[m + 1], targets);
    rows += uint64_t(micro.T() + micro.N());
  }
  return rows;
}

}  // namespace

TEST(fuzz_arrow) {
  std::vector<json::Value> seeds;
  for (const Fixture& file : fixtures("corpus/arrow")) seeds.push_back(json::parse(file.content, file.name));
  volatile uint64_t sink = 0;
  fuzz::run("Arrow columns", 5, [&](fuzz::Random& random) {
    json::Value description = random.of(seeds);
    if (!random.chance(10)) fuzz::mutate_tree(description, random);
    Memory memory;
    ArrowColumn column;
    build(column, description, memory, random);
    column.validate();
    sink = sink + touch(column);
    for (const auto& [what, targets] : {std::pair{BatchUse::update, Targets::loss_mask}, std::pair{BatchUse::score, Targets::all},
                                        std::pair{BatchUse::embed, Targets::none}}) {
      try {
        sink = sink + use(column, what, targets);
      } catch (const Error&) {  // a column, but no batch for this
      }
    }
    return true;
  });
}
