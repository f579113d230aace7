#include "train/micro_batch.h"

#include <vector>

#include "check.h"

using namespace exitrl;

namespace {

// Sequences with the trained stretch [from, to) of each.
struct Sequences {
  std::vector<int32_t> tokens, offsets{0};
  std::vector<uint8_t> bits;
  std::vector<float> advantage;
  void add(const std::vector<int32_t>& row, size_t from, size_t to) {
    for (size_t i = 0; i < row.size(); ++i) {
      const size_t at = tokens.size();
      tokens.push_back(row[i]);
      bits.resize(at / 8 + 1);
      if (i >= from && i < to) bits[at / 8] = uint8_t(bits[at / 8] | 1 << at % 8);
    }
    offsets.push_back(int32_t(tokens.size()));
    advantage.push_back(1);
  }
  RolloutBatch view() const {
    RolloutBatch b;
    b.B = int64_t(advantage.size());
    b.tokens = {offsets.data(), tokens.data()};
    b.loss_mask = {offsets.data(), bits.data(), 0};
    b.advantage = advantage.data();
    return b;
  }
};

// `prompt` tokens of kind `id`, then `own` different ones, all of the latter trained.
std::vector<int32_t> sequence(int32_t id, size_t prompt, size_t own, int32_t first) {
  std::vector<int32_t> row(prompt, id);
  for (size_t i = 0; i < own; ++i) row.push_back(first + int32_t(i));
  return row;
}

// Every row must stand for the token and position it is used for.
void check_rows(const MicroBatch& m, const RolloutBatch& b, Targets targets) {
  size_t at = 0;
  for (int64_t r = m.first; r < m.last; ++r) {
    int64_t last_trained = 0;
    for (int64_t i = 1; i < b.tokens.length(r); ++i)
      if (b.loss_mask.at(r, i)) last_trained = i;
    const int64_t rows = targets == Targets::none ? b.tokens.length(r) : targets == Targets::all ? b.tokens.length(r) - 1 : last_trained;
    for (int64_t i = 0; i < rows; ++i, ++at) {
      CHECK(m.tokens[size_t(m.sequence_rows[at])] == b.tokens.row(r)[i]);
      CHECK(m.positions[size_t(m.sequence_rows[at])] == i);
    }
    for (int32_t n = m.cu_trained[size_t(r - m.first)]; n < m.cu_trained[size_t(r - m.first) + 1]; ++n) {
      const int32_t i = m.target_index[size_t(n)];
      CHECK(m.targets[size_t(n)] == b.tokens.row(r)[i]);
      CHECK(m.positions[size_t(m.rows[size_t(n)])] == i - 1);
    }
  }
  CHECK(at == m.sequence_rows.size());
}

}  // namespace

TEST(micro_batch_computes_a_shared_prompt_once) {
  Sequences s;
  for (int32_t i = 0; i < 4; ++i) s.add(sequence(7, 20, 5, 100 * i), 20, 25);
  for (int32_t i = 0; i < 4; ++i) s.add(sequence(8, 20, 5, 100 * i), 20, 25);
  MicroBatch m;
  fill(m, s.view(), 0, 8, Targets::loss_mask);
  check_rows(m, s.view(), Targets::loss_mask);
  // The last token predicts nothing: it needs no row.
  CHECK(m.T() == 2 * (20 + 4 * 4));
  CHECK(m.N() == 8 * 5);
  CHECK(m.view().family_count == 2);
  CHECK(m.spans.size() == 2 * 5);
  // 20 shared tokens fill one page and part of another, of which every continuation has its own copy.
  CHECK(m.copies.size() == 8);
  CHECK(m.pages == 2 * (2 + 4));
  for (const AttentionSpan& span : m.spans) CHECK(span.pages[0] == m.spans[size_t(&span - m.spans.data()) / 5 * 5].pages[0]);
}

TEST(micro_batch_drops_rows_behind_the_last_trained_token) {
  Sequences s;
  s.add(sequence(1, 10, 6, 50), 10, 12);
  s.add(sequence(2, 10, 6, 50), 0, 0);  // nothing trained
  s.add(sequence(3, 4, 1, 50), 4, 5);
  MicroBatch m;
  fill(m, s.view(), 0, 3, Targets::loss_mask);
  check_rows(m, s.view(), Targets::loss_mask);
  CHECK(m.T() == 11 + 0 + 4);
  CHECK(m.N() == 3);
  CHECK(m.cu_trained == (std::vector<int32_t>{0, 2, 2, 3}));
  fill(m, s.view(), 0, 3, Targets::all);
  check_rows(m, s.view(), Targets::all);
  fill(m, s.view(), 0, 3, Targets::none);
  check_rows(m, s.view(), Targets::none);
  CHECK(m.T() == 16 + 16 + 5);
}

TEST(micro_batch_shares_only_where_it_saves_rows) {
  Sequences s;
  // Long prompt A twice, then a prompt that begins like A but soon differs, twice.
  auto other = sequence(5, 8, 0, 0);
  for (int32_t i = 0; i < 40; ++i) other.push_back(6);
  s.add(sequence(5, 60, 4, 100), 60, 64);
  s.add(sequence(5, 60, 4, 200), 60, 64);
  s.add(other, 40, 48);
  s.add(other, 40, 48);
  MicroBatch m;
  fill(m, s.view(), 0, 4, Targets::loss_mask);
  check_rows(m, s.view(), Targets::loss_mask);
  CHECK(m.view().family_count == 2);
  CHECK(m.T() == 60 + 2 * 3 + 47);

  // A common beginning of a few tokens must not make one family of everything.
  Sequences bos;
  for (int32_t i = 0; i < 6; ++i) bos.add(sequence(i + 1, 50, 4, 100), 50, 54);
  for (size_t i = 0; i < 6; ++i) bos.tokens[size_t(bos.offsets[i])] = 0;
  fill(m, bos.view(), 0, 6, Targets::loss_mask);
  check_rows(m, bos.view(), Targets::loss_mask);
  CHECK(m.view().family_count == 6);
}

TEST(micro_batch_borders_count_shared_rows_once) {
  Sequences s;
  for (int32_t i = 0; i < 12; ++i) s.add(sequence(i / 4, 20, 5, 100 * i), 20, 25);
  const RolloutBatch b = s.view();
  CHECK(micro_batch_borders(b, 36, Targets::loss_mask) == (std::vector<int64_t>{0, 4, 8, 12}));
  for (int64_t budget : {1, 24, 25, 30, 50, 72, 1000}) {
    const auto borders = micro_batch_borders(b, budget, Targets::loss_mask);
    CHECK(borders.front() == 0 && borders.back() == 12);
    for (size_t i = 0; i + 1 < borders.size(); ++i) {
      MicroBatch m;
      fill(m, b, borders[i], borders[i + 1], Targets::loss_mask);
      check_rows(m, b, Targets::loss_mask);
      CHECK(m.T() <= budget || m.B() == 1);
    }
  }
}
