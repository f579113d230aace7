#include "train/micro_batch.h"

#include <cmath>
#include <numeric>

#include "core/status.h"

namespace exitrl {

std::vector<int64_t> micro_batch_borders(const RolloutBatch& batch, int64_t budget) {
  std::vector<int64_t> borders{0};
  int64_t tokens = 0;
  for (int64_t r = 0; r < batch.B; ++r) {
    const int64_t n = batch.tokens.length(r);
    if (r > borders.back() && tokens + n > budget) {
      borders.push_back(r);
      tokens = 0;
    }
    tokens += n;
  }
  if (batch.B > 0) borders.push_back(batch.B);
  return borders;
}

void fill(MicroBatch& m, const RolloutBatch& batch, int64_t first, int64_t last, Targets targets) {
  m = MicroBatch{};
  m.first = first;
  m.last = last;
  m.cu_seqlens.push_back(0);
  m.cu_trained.push_back(0);
  const bool train = targets == Targets::loss_mask;
  std::vector<int64_t> first_page;
  int64_t pages = 0;
  for (int64_t r = first; r < last; ++r) {
    const int64_t n = batch.tokens.length(r), row = m.T();
    const int32_t* tokens = batch.tokens.row(r);
    for (int64_t i = 0; i < n; ++i) {
      m.tokens.push_back(tokens[i]);
      m.positions.push_back(int32_t(i));
      if (i == 0 || (train && !batch.loss_mask.at(r, i))) continue;
      m.rows.push_back(row + i - 1);
      m.targets.push_back(tokens[i]);
      if (!train) continue;
      if (batch.logprob) m.behaviour.push_back(batch.logprob.row(r)[i]);
      if (batch.old_logprob) m.old_logprob.push_back(batch.old_logprob.row(r)[i]);
      if (batch.ref_logprob) m.ref_logprob.push_back(batch.ref_logprob.row(r)[i]);
      m.advantage.push_back(batch.token_advantage ? batch.token_advantage.row(r)[i] : batch.advantage[r]);
    }
    m.cu_seqlens.push_back(int32_t(m.T()));
    m.cu_trained.push_back(int32_t(m.N()));
    m.spans.push_back({row, n, 0, nullptr});
    first_page.push_back(pages);
    pages += (n + kLanes - 1) / kLanes;
  }
  m.page_numbers.resize(size_t(pages));
  std::iota(m.page_numbers.begin(), m.page_numbers.end(), 0);
  for (size_t s = 0; s < m.spans.size(); ++s) m.spans[s].pages = m.page_numbers.data() + first_page[s];
}

void validate(const RolloutBatch& batch, const DecoderConfig& config, Targets targets) {
  const auto where = [](const char* column, int64_t row) { return "column " + std::string(column) + ", row " + std::to_string(row) + ": "; };
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
      require(id >= 0 && id < config.V, where("tokens", r) + "token id " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(config.V));
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
        require(std::isfinite(x), where(name, r) + (std::isnan(x) ? "NaN" : "infinite") + "; rewards that could not be judged must not reach the update");
      };
      if (batch.token_advantage) for (int64_t i = 0; i < n; ++i) finite(batch.token_advantage.row(r)[i], "token_advantage");
      else finite(batch.advantage[r], "advantage");
    }
    total += n;
  }
  require(total < (int64_t{1} << 31), "the batch has more than 2^31 - 1 tokens; split it");
}

}  // namespace exitrl
