#include "rollout/engine.h"

#include <algorithm>
#include <cstring>

#include "core/rng.h"
#include "core/status.h"
#include "ops/head/head.h"
#include "ops/matmul/matmul.h"
#include "rollout/scheduler.h"

namespace exitrl {
namespace {

int64_t page_count(int64_t positions) { return (positions + kLanes - 1) / kLanes; }

}  // namespace

void validate(const DecoderConfig& c, const int32_t* prompts, const int32_t* offsets, int64_t count, const GenerateSettings& s) {
  require(s.samples_per_prompt >= 1, "samplesPerPrompt must be at least 1");
  require(s.max_new_tokens >= 1, "maxNewTokens must be at least 1");
  require(s.max_running >= 1 && s.prefill_tokens >= 1, "maxRunning and prefillTokens must be at least 1");
  require(s.pages >= 0, "pages must not be negative");
  require(s.sampling.temperature >= 0 && s.sampling.top_k >= 0, "temperature and topK must not be negative");
  require(s.sampling.top_p > 0 && s.sampling.top_p <= 1, "topP must be in (0, 1]");
  require(s.sampling.min_p >= 0 && s.sampling.min_p <= 1, "minP must be in [0, 1]");
  require(s.sampling.repetition_penalty > 0, "repetitionPenalty must be above 0");
  for (const auto& stop : s.stop_sequences) require(!stop.empty(), "a stop sequence is empty");
  for (int64_t p = 0; p < count; ++p) {
    const std::string prompt = "prompt " + std::to_string(p);
    const int64_t n = offsets[p + 1] - offsets[p];
    require(n >= 1, prompt + " is empty; give at least one token");
    for (int64_t i = 0; i < n; ++i) {
      const int32_t id = prompts[offsets[p] + i];
      require(id >= 0 && id < c.V, prompt + ", position " + std::to_string(i) + ": token id " + std::to_string(id) +
                                       " is outside the vocabulary of " + std::to_string(c.V));
    }
    require(n + s.max_new_tokens <= c.max_positions, prompt + " has " + std::to_string(n) + " tokens; with maxNewTokens " +
                                                         std::to_string(s.max_new_tokens) + " it would pass the model's " +
                                                         std::to_string(c.max_positions) + " positions");
    const int64_t needed = page_count(n + s.max_new_tokens) + 1;
    require(s.pages == 0 || s.pages >= needed,
            prompt + " needs " + std::to_string(needed) + " cache pages, but pages is " + std::to_string(s.pages));
  }
}

int64_t ample_pages(const int32_t* offsets, int64_t prompts, const GenerateSettings& s) {
  int64_t pages = 1, longest = 0;
  for (int64_t p = 0; p < prompts; ++p) {
    const int64_t n = offsets[p + 1] - offsets[p];
    pages += page_count(n);
    if (s.keep_prefixes) pages += page_count(n + s.max_new_tokens);
    longest = std::max(longest, n % kLanes);
  }
  const int64_t running = std::min(prompts * s.samples_per_prompt, s.max_running);
  return pages + running * page_count(longest + s.max_new_tokens) + running / kLanes + 1;
}

namespace {

// Takes one token for `s` from its logits. True when the sequence is finished.
bool sample_next(Sequence& s, int64_t prompt_length, float* logits, int64_t V, const GenerateSettings& settings, SampleScratch& scratch) {
  const auto random = philox(settings.seed, settings.first_sequence + uint64_t(s.row), s.tokens.size());
  const SampledToken next = sample_row(logits, V, settings.sampling, uniform53(random[0], random[1]), s.tokens.data(),
                                       int64_t(s.tokens.size()), scratch);
  s.tokens.push_back(next.token);
  s.logprob.push_back(next.logprob);
  s.raw_logprob.push_back(next.raw_logprob);
  return is_finished(s, prompt_length, settings);
}

// The packed rows of one step.
struct StepRows {
  std::vector<int32_t> tokens, positions;
  std::vector<AttentionSpan> spans;
  void build(const std::vector<Chunk>& chunks) {
    tokens.clear();
    positions.clear();
    spans.clear();
    for (const Chunk& chunk : chunks) {
      const int64_t from = chunk.sequence ? chunk.sequence->cached : chunk.prefix->cached;
      const int32_t* ids = chunk.sequence ? chunk.sequence->tokens.data() : chunk.prefix->tokens;
      const auto& pages = chunk.sequence ? chunk.sequence->pages : chunk.prefix->pages;
      spans.push_back({int64_t(tokens.size()), chunk.rows, from, pages.data()});
      for (int64_t i = 0; i < chunk.rows; ++i) {
        tokens.push_back(ids[from + i]);
        positions.push_back(int32_t(from + i));
      }
    }
  }
};

// Adds the hidden states of the answer's rows that have just been computed. Rows computed again after a preemption count once.
void pool_hidden(Sequence& s, int64_t prompt_length, int64_t from, int64_t rows, const float* hidden, int64_t C) {
  const int64_t begin = std::max({from, prompt_length, s.pooled_to});
  if (begin >= from + rows) return;
  if (s.pooled.empty()) s.pooled.assign(size_t(C), 0.0);
  for (int64_t t = begin; t < from + rows; ++t)
    for (int64_t c = 0; c < C; ++c) s.pooled[size_t(c)] += hidden[(t - from) * C + c];
  s.pooled_to = from + rows;
}

}  // namespace

// Pages for a call. What earlier calls left stays where prefixes are kept and the weights are the same.
void Engine::prepare_pages(const Policy& policy, int64_t needed, const GenerateSettings& settings) {
  const bool keeps = settings.keep_prefixes && cached_policy_ == &policy && cached_version_ == policy.version;
  cached_policy_ = nullptr;  // until this call has ended well: what a failed one held is not given back
  const bool wrong_size = pages_ && settings.pages && pages_->count() != settings.pages;
  if (!pages_ || wrong_size || pages_->count() < needed) {
    std::unique_ptr<HostPages> old;
    if (keeps && !wrong_size) old = std::move(pages_);
    pages_.reset();
    pages_ = std::make_unique<HostPages>(decoder_.config, needed);
    if (old) pages_->adopt(*old);
    if (!prefix_cache_) prefix_cache_ = std::make_unique<PrefixCache>(*pages_);
    prefix_cache_->move_to(*pages_);
    if (!old) prefix_cache_->forget();
  } else if (!keeps) {
    pages_->reset();
    prefix_cache_->forget();
  }
  pages_->restart_peak();
}

Generated Engine::generate(const Policy& policy, const int32_t* prompts, const int32_t* offsets, int64_t prompt_count,
                           const GenerateSettings& settings, std::stop_token stop) {
  const DecoderConfig& c = decoder_.config;
  validate(c, prompts, offsets, prompt_count, settings);
  const int64_t samples = settings.samples_per_prompt;
  const int64_t pages = settings.pages ? settings.pages : ample_pages(offsets, prompt_count, settings);
  // A pool given by size is exactly that size; otherwise a larger one from an earlier call serves as well.
  prepare_pages(policy, pages, settings);
  const int64_t capacity = std::min(settings.max_running, prompt_count * samples) + settings.prefill_tokens;
  if (!workspace_ || workspace_->rows < capacity) {
    workspace_.reset();
    workspace_ = std::make_unique<Workspace>(c, capacity, Workspace::Use::forward, Recompute::none, adapter_);
  }
  if (!logits_) logits_ = Buffer<float>(kHeadChunk * (c.V + c.C));
  float* const logits = logits_.data();
  float* const head_rows = logits + kHeadChunk * c.V;

  auto [prefixes, sequences] = make_sequences(prompts, offsets, prompt_count, settings);
  Scheduler scheduler(*pages_, settings.keep_prefixes ? prefix_cache_.get() : nullptr, prefixes, sequences, settings);
  std::vector<SampleScratch> scratch(static_cast<size_t>(pool_.size()));
  std::vector<float> first_logits;
  StepRows rows;
  std::vector<std::pair<const Chunk*, int64_t>> sampled;  // chunk, its last row
  std::vector<uint8_t> is_finished;
  int64_t prefill_tokens = 0, decode_steps = 0;

  while (!scheduler.done()) {
    if (stop.stop_requested()) fail(ErrorCode::cancelled, "the operation was cancelled");
    const auto starting = scheduler.startable();
    for (Sequence* s : starting) {
      const Prefix& prefix = prefixes[size_t(s->prefix)];
      bool finished = false;
      if (int64_t(s->tokens.size()) == prefix.length) {
        first_logits = prefix.logits;
        finished = sample_next(*s, prefix.length, first_logits.data(), c.V, settings, scratch[0]);
      }
      if (finished && settings.embed) s->ended = true;  // runs on until its last token is embedded
      scheduler.started(s, finished && !settings.embed);
    }
    const auto chunks = scheduler.next_step();
    if (chunks.empty()) {
      if (starting.empty()) fail(ErrorCode::internal, "the rollout scheduler found nothing to run");
      continue;
    }
    rows.build(chunks);
    ++decode_steps;
    decoder_.forward(
        pool_, policy,
        {rows.tokens.data(), rows.positions.data(), rows.spans.data(), int64_t(rows.spans.size()), int64_t(rows.tokens.size())},
        pages_->store(), *workspace_);

    if (settings.embed) {
      pool_.parallel_for(int64_t(chunks.size()), 8, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i) {
          const Chunk& chunk = chunks[size_t(i)];
          if (!chunk.sequence) continue;
          pool_hidden(*chunk.sequence, prefixes[size_t(chunk.sequence->prefix)].length, chunk.sequence->cached, chunk.rows,
                      workspace_->hidden + rows.spans[size_t(i)].row * c.C, c.C);
        }
      });
    }
    sampled.clear();
    for (size_t i = 0; i < chunks.size(); ++i) {
      const Chunk& chunk = chunks[i];
      (chunk.sequence ? chunk.sequence->cached : chunk.prefix->cached) += chunk.rows;
      if (chunk.rows > 1 || chunk.prefix) prefill_tokens += chunk.rows;
      if (chunk.samples) sampled.push_back({&chunk, rows.spans[i].row + chunk.rows - 1});
      if (chunk.samples && chunk.prefix) scheduler.prefilled(*chunk.prefix);
      if (chunk.sequence && chunk.sequence->ended && chunk.sequence->cached == int64_t(chunk.sequence->tokens.size()))
        scheduler.finished(chunk.sequence);
    }
    is_finished.assign(sampled.size(), 0);
    for (size_t from = 0; from < sampled.size(); from += size_t(kHeadChunk)) {
      const int64_t n = std::min<int64_t>(kHeadChunk, int64_t(sampled.size() - from));
      for (int64_t i = 0; i < n; ++i)
        std::memcpy(head_rows + i * c.C, workspace_->hidden + sampled[from + size_t(i)].second * c.C, size_t(c.C) * sizeof(float));
      linear_forward(pool_, {head_rows, policy.packed.head, nullptr, nullptr, logits, n, c.V, c.C});
      pool_.parallel_for(n, n * c.V < 16384 ? n : 8, [&](int64_t begin, int64_t end, int thread) {
        for (int64_t i = begin; i < end; ++i) {
          const Chunk& chunk = *sampled[from + size_t(i)].first;
          float* row = logits + i * c.V;
          if (chunk.prefix) {
            chunk.prefix->logits.assign(row, row + c.V);
            chunk.prefix->known = true;
          } else
            is_finished[from + size_t(i)] = sample_next(*chunk.sequence, prefixes[size_t(chunk.sequence->prefix)].length, row, c.V,
                                                        settings, scratch[size_t(thread)]);
        }
      });
    }
    for (size_t i = 0; i < sampled.size(); ++i) {
      if (!is_finished[i]) continue;
      if (settings.embed) sampled[i].first->sequence->ended = true;
      else scheduler.finished(sampled[i].first->sequence);
    }
  }

  if (settings.keep_prefixes) {
    cached_policy_ = &policy;
    cached_version_ = policy.version;
  }
  Generated out = collect(prefixes, sequences);
  if (settings.embed) out.embeddings = mean_hidden(sequences, c.C);
  out.reused_tokens = scheduler.reused_tokens();
  out.prefill_tokens = prefill_tokens;
  out.decode_steps = decode_steps;
  out.preemptions = scheduler.preemptions();
  out.peak_pages = pages_->peak();
  out.pages = pages_->count();
  return out;
}

MemorySegments Engine::plan(const Decoder& decoder, int64_t prompts, int64_t prompt_tokens, const GenerateSettings& s,
                            const AdapterLayout* adapter) {
  const DecoderConfig& c = decoder.config;
  std::vector<int32_t> offsets;
  for (int64_t p = 0; p <= prompts; ++p) offsets.push_back(int32_t(p * prompt_tokens));
  const int64_t pages = s.pages ? s.pages : ample_pages(offsets.data(), prompts, s);
  MemorySegments out = Workspace::plan(c, std::min(s.max_running, prompts * s.samples_per_prompt) + s.prefill_tokens,
                                       Workspace::Use::forward, Recompute::none, adapter);
  out.push_back({"KV cache", 2 * c.L * pages * page_floats(c.K, c.D) * int64_t(sizeof(float))});
  out.push_back({"logits of a chunk", kHeadChunk * (c.V + c.C) * int64_t(sizeof(float))});
  return out;
}

}  // namespace exitrl
