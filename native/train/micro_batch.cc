#include "train/micro_batch.h"

#include <algorithm>
#include <cmath>

#include "core/status.h"

namespace exitrl {
namespace {

// Rows of hidden states that the predictions of a sequence need.
int64_t needed_rows(const RolloutBatch& batch, int64_t r, Targets targets) {
  int64_t n = batch.tokens.length(r);
  if (targets == Targets::none) return n;
  if (targets == Targets::all) return n - 1;
  while (n > 1 && !batch.loss_mask.at(r, n - 1)) --n;
  return n - 1;
}

int64_t common_tokens(const RolloutBatch& batch, int64_t a, int64_t b, int64_t limit) {
  const int32_t* const tokens = batch.tokens.row(a);
  return std::mismatch(tokens, tokens + limit, batch.tokens.row(b)).first - tokens;
}

// A sequence joins a family if at least this part of it is shared.
constexpr int64_t kSharedPart = 8;

}  // namespace

bool FamilyGrowth::add(int64_t row) {
  const int64_t needed = needed_rows(*batch_, row, targets_), members = family_.last - family_.first;
  const int64_t limit = std::min(needed, family_.shared);
  const int64_t shared = members == 0 ? 0 : common_tokens(*batch_, family_.first, row, limit);
  // Every member but one is spared the shared rows.
  const int64_t saved = members * shared - (members - 1) * family_.shared;
  if (saved > 0 && shared * kSharedPart >= needed) {
    family_.last = row + 1;
    family_.shared = shared;
    rows_ += needed - saved;
    return true;
  }
  family_ = {row, row + 1, needed};
  rows_ += needed;
  return false;
}

std::vector<int64_t> micro_batch_borders(const RolloutBatch& batch, int64_t budget, Targets targets) {
  std::vector<int64_t> borders{0};
  const FamilyGrowth none(batch, targets);
  FamilyGrowth growth = none;
  for (int64_t r = 0; r < batch.B; ++r) {
    FamilyGrowth grown = growth;
    grown.add(r);
    if (r > borders.back() && grown.rows() > budget) {
      borders.push_back(r);
      grown = none;
      grown.add(r);
    }
    growth = grown;
  }
  if (batch.B > 0) borders.push_back(batch.B);
  return borders;
}

namespace {

class Packing {
 public:
  Packing(MicroBatch& micro, const RolloutBatch& batch, Targets targets) : m_(micro), batch_(batch), targets_(targets) {}

  void add(const Family& family) {
    const int64_t shared_row = m_.T(), shared_table = int64_t(m_.page_tables.size());
    m_.families.push_back(int32_t(m_.spans.size()));
    if (family.shared > 0) add_span(family.first, 0, family.shared, shared_table, 0);
    for (int64_t r = family.first; r < family.last; ++r) {
      const int64_t needed = needed_rows(batch_, r, targets_), own_row = m_.T();
      if (needed > family.shared) {
        const int64_t whole = family.shared / kLanes * kLanes;
        if (family.shared > whole) {
          m_.copies.push_back({shared_row + whole, family.shared - whole, whole, nullptr});
          copy_tables_.push_back(int64_t(m_.page_tables.size()));
        }
        add_span(r, family.shared, needed, shared_table, whole / kLanes);
      }
      for (int64_t i = 0; i < needed; ++i)
        m_.sequence_rows.push_back(i < family.shared ? shared_row + i : own_row + i - family.shared);
      if (targets_ != Targets::none) add_targets(r, m_.sequence_rows.data() + m_.sequence_rows.size() - needed, needed);
      m_.cu_trained.push_back(int32_t(m_.N()));
    }
    // A family whose sequences predict nothing has no rows.
    if (m_.families.back() == int32_t(m_.spans.size())) m_.families.pop_back();
  }

  // The tables do not move any more: spans may point at theirs.
  void finish() {
    m_.families.push_back(int32_t(m_.spans.size()));
    for (size_t s = 0; s < m_.spans.size(); ++s) m_.spans[s].pages = m_.page_tables.data() + span_tables_[s];
    for (size_t s = 0; s < m_.copies.size(); ++s) m_.copies[s].pages = m_.page_tables.data() + copy_tables_[s];
  }

 private:
  // Tokens [from, to) of a sequence. Its page table begins with `shared_pages` entries of the table at `shared_table`.
  void add_span(int64_t r, int64_t from, int64_t to, int64_t shared_table, int64_t shared_pages) {
    m_.spans.push_back({m_.T(), to - from, from, nullptr});
    span_tables_.push_back(int64_t(m_.page_tables.size()));
    for (int64_t i = 0; i < shared_pages; ++i) m_.page_tables.push_back(m_.page_tables[size_t(shared_table + i)]);
    for (int64_t i = shared_pages; i * kLanes < to; ++i) m_.page_tables.push_back(int32_t(m_.pages++));
    for (int64_t i = from; i < to; ++i) {
      m_.tokens.push_back(batch_.tokens.row(r)[i]);
      m_.positions.push_back(int32_t(i));
    }
  }

  void add_targets(int64_t r, const int64_t* rows, int64_t needed) {
    const bool train = targets_ == Targets::loss_mask;
    for (int64_t i = 1; i <= needed; ++i) {
      if (train && !batch_.loss_mask.at(r, i)) continue;
      m_.rows.push_back(rows[i - 1]);
      m_.targets.push_back(batch_.tokens.row(r)[i]);
      m_.target_index.push_back(int32_t(i));
      if (!train) continue;
      if (batch_.logprob) m_.behaviour.push_back(batch_.logprob.row(r)[i]);
      if (batch_.old_logprob) m_.old_logprob.push_back(batch_.old_logprob.row(r)[i]);
      if (batch_.ref_logprob) m_.ref_logprob.push_back(batch_.ref_logprob.row(r)[i]);
      m_.advantage.push_back(batch_.token_advantage ? batch_.token_advantage.row(r)[i] : batch_.advantage[r]);
    }
  }

  MicroBatch& m_;
  const RolloutBatch& batch_;
  const Targets targets_;
  std::vector<int64_t> span_tables_, copy_tables_;
};

}  // namespace

void fill(MicroBatch& m, const RolloutBatch& batch, int64_t first, int64_t last, Targets targets) {
  m = MicroBatch{};
  m.first = first;
  m.last = last;
  m.cu_trained.push_back(0);
  Packing packing(m, batch, targets);
  FamilyGrowth growth(batch, targets);
  for (int64_t r = first; r < last; ++r) {
    const Family before = growth.family();
    if (!growth.add(r) && r > first) packing.add(before);
  }
  if (first < last) packing.add(growth.family());
  packing.finish();
}

void validate(const RolloutBatch& batch, const DecoderConfig& config, Targets targets) {
  const auto where = [](const char* column, int64_t row) {
    return "column " + std::string(column) + ", row " + std::to_string(row) + ": ";
  };
  require(bool(batch.tokens), "the batch has no tokens column");
  if (targets == Targets::loss_mask) {
    require(bool(batch.loss_mask), "the batch has no loss_mask column");
    require(batch.advantage || batch.token_advantage, "the batch has neither an advantage nor a token_advantage column");
  }
  int64_t total = 0;
  for (int64_t r = 0; r < batch.B; ++r) {
    const int64_t n = batch.tokens.length(r);
    require(n >= 1, where("tokens", r) + "a sequence needs at least one token");
    require(n <= config.max_positions, where("tokens", r) + std::to_string(n) + " tokens, but the model has " +
                                           std::to_string(config.max_positions) + " positions (max_position_embeddings)");
    for (int64_t i = 0; i < n; ++i) {
      const int32_t id = batch.tokens.row(r)[i];
      require(id >= 0 && id < config.V,
              where("tokens", r) + "token id " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(config.V));
    }
    const auto same = [&](const auto& list, const char* name) {
      require(!list || list.offsets[r + 1] - list.offsets[r] == n, where(name, r) + "as many entries as tokens are needed");
    };
    same(batch.loss_mask, "loss_mask");
    same(batch.logprob, "logprob");
    same(batch.old_logprob, "old_logprob");
    same(batch.ref_logprob, "ref_logprob");
    same(batch.token_advantage, "token_advantage");
    if (targets == Targets::loss_mask) {
      const auto finite = [&](float x, const char* name) {
        require(std::isfinite(x),
                where(name, r) + (std::isnan(x) ? "NaN" : "infinite") + "; rewards that could not be judged must not reach the update");
      };
      if (batch.token_advantage) for (int64_t i = 0; i < n; ++i) finite(batch.token_advantage.row(r)[i], "token_advantage");
      else finite(batch.advantage[r], "advantage");
    }
    total += n;
  }
  require(total < (int64_t{1} << 31), "the batch has more than 2^31 - 1 tokens; split it");
}

}  // namespace exitrl
