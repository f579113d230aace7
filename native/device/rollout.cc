#include "device/rollout.h"

#include <algorithm>
#include <cstring>

#include "device/model.h"

namespace exitrl::device {
namespace {

constexpr int64_t kSampledAtOnce = 256;  // rows of logits
constexpr int64_t kMostMultiprocessors = 256;  // that plans count on
constexpr int32_t kStagingMark = 8, kResultMark = 16;

int64_t page_count(int64_t positions) { return (positions + kPagePositions - 1) / kPagePositions; }

}  // namespace

// What comes back from the device: two pinned halves in turns.
struct DeviceRollout::Results {
  explicit Results(Device& d) : device(d) {}
  ~Results() {
    if (data) device.release_pinned(data);
  }
  void reserve(int64_t rows) {
    if (rows <= capacity) return;
    if (data) device.release_pinned(data);
    data = nullptr;
    data = static_cast<std::byte*>(device.allocate_pinned(2 * rows * 12));
    capacity = rows;
  }
  int32_t* token(int half) { return reinterpret_cast<int32_t*>(data + half * capacity * 12); }
  float* logprob(int half) { return reinterpret_cast<float*>(token(half) + capacity); }
  float* raw_logprob(int half) { return logprob(half) + capacity; }
  Device& device;
  std::byte* data = nullptr;
  int64_t capacity = 0;
};

RolloutSizes RolloutSizes::of(const DecoderConfig& c, const int32_t* offsets, int64_t prompts, const GenerateSettings& s) {
  RolloutSizes z;
  z.pages = s.pages ? s.pages : ample_pages(offsets, prompts, s);
  z.sequences = prompts * s.samples_per_prompt;
  const int64_t running = std::min(s.max_running, z.sequences);
  z.rows = running + s.prefill_tokens;
  z.sampled = 2 * running + prompts;
  z.prompts = prompts;
  z.embed = s.embed;
  int64_t longest = 0;
  for (int64_t p = 0; p < prompts; ++p) longest = std::max<int64_t>(longest, offsets[p + 1] - offsets[p]);
  if (s.sampling.repetition_penalty != 1.0f) z.history = longest + s.max_new_tokens;
  z.spans = running + std::min(prompts, s.prefill_tokens);
  z.entries = page_count(longest + s.max_new_tokens);
  z.H = c.H, z.K = c.K;
  z.derive();
  return z;
}

void RolloutSizes::derive() {
  const AttentionPlanSizes most = largest_attention_plan(rows, spans, {H, K, 0, kMostMultiprocessors, true, true});
  partials = most.partials;
  // Tokens, their sources, positions, slots; what sampling reads; copies of pages; attention's arrays.
  small = Staging::padded(most.items * int64_t(sizeof(AttentionItem))) + Staging::padded(4 * most.rows) + Staging::padded(4 * spans * entries) +
          2 * Staging::padded(4 * (most.merge_rows + 1)) + Staging::padded(4 * most.partials) + 6 * Staging::padded(4 * rows) + 5 * Staging::padded(4 * sampled) + 256;
}

RolloutSizes RolloutSizes::with(const RolloutSizes& o) const {
  RolloutSizes z = *this;
  z.pages = std::max(pages, o.pages), z.rows = std::max(rows, o.rows), z.sampled = std::max(sampled, o.sampled), z.prompts = std::max(prompts, o.prompts);
  z.sequences = std::max(sequences, o.sequences), z.history = std::max(history, o.history), z.spans = std::max(spans, o.spans), z.entries = std::max(entries, o.entries);
  z.embed = embed || o.embed;
  z.derive();
  return z;
}

RolloutMemory::RolloutMemory(Segments& s, const DecoderConfig& c, Precision p, const RolloutSizes& z, const AdapterLayout* adapter) {
  const int64_t page = page_numbers(c);
  kv = {static_cast<std::byte*>(s.take("KV cache", c.L * z.pages * page, p)), static_cast<std::byte*>(s.take("KV cache", c.L * z.pages * page, p)), z.pages * page, page};
  workspace = lay_out(s, c, p, z.rows, Workspace::Use::forward, Recompute::none, adapter);
  const int64_t at_once = std::min(z.sampled, kSampledAtOnce);
  logits = s.take<float>("logits of a chunk", at_once * c.V);
  head_in = s.take("head rows", at_once * c.C, p);
  prefix_hidden = s.take("head rows", z.prompts * c.C, p);
  tokens = s.take<int32_t>("tokens", z.rows);
  seed = s.take<uint64_t>("tokens", 1);
  latest = s.take<int32_t>("tokens", z.sequences);
  history = z.history > 0 ? s.take<int32_t>("tokens", z.sequences * z.history) : nullptr;
  pooled = z.embed ? s.take<double>("embeddings", z.sequences * c.C) : nullptr;
  token = s.take<int32_t>("results of a step", z.sampled);
  logprob = s.take<float>("results of a step", z.sampled);
  raw_logprob = s.take<float>("results of a step", z.sampled);
  partial_o = s.take<float>("attention", z.partials * c.H * c.D);
  partial_lse = s.take<float>("attention", z.partials * c.H);
  small = s.take<std::byte>("arrays of a step", z.small);
}

DeviceRollout::DeviceRollout(DeviceModel& m) : m_(m), staging_(m.device_, kStagingMark), results_(std::make_unique<Results>(m.device_)) {}
DeviceRollout::~DeviceRollout() { drop_graphs(); }

void DeviceRollout::drop_graphs() {
  for (const auto& [rows, graph] : graphs_) m_.device_.release_graph(graph);
  graphs_.clear();
}

void DeviceRollout::forget() { cached_ = false; }

// Says what would fit where a rollout does not.
void DeviceRollout::refuse(const int32_t* offsets, int64_t count, GenerateSettings settings, int64_t bytes) const {
  const int64_t free = m_.device_.free_bytes(), wanted = std::min(settings.max_running, count * settings.samples_per_prompt);
  const auto fits = [&](int64_t running) {
    settings.max_running = running;
    Segments counted;
    RolloutMemory(counted, m_.decoder_.config, m_.network_.precision, RolloutSizes::of(m_.decoder_.config, offsets, count, settings), m_.adapter_);
    return counted.bytes() <= free;
  };
  int64_t low = 0, high = wanted;  // low fits (none does), high does not
  while (high - low > 1) (fits((low + high) / 2) ? low : high) = (low + high) / 2;
  fail(ErrorCode::out_of_memory, "generating " + std::to_string(wanted) + " sequences at a time needs " + megabytes(bytes) + " of working memory, and the device has " + megabytes(free) +
                                     (low > 0 ? "; maxRunning " + std::to_string(low) + " fits" : "; not even one sequence fits: take fewer or shorter prompts, fewer new tokens, or a smaller model"));
}

// Memory and pages for a call. What earlier calls left stays where prefixes are kept, the weights are the same and the pages
// still lie where they lay.
void DeviceRollout::prepare(const int32_t* prompts, const int32_t* offsets, int64_t count, const GenerateSettings& settings) {
  const DecoderConfig& c = m_.decoder_.config;
  const RolloutSizes least = RolloutSizes::of(c, offsets, count, settings);
  // Places that do not move from call to call: what earlier calls needed stays reserved, where it fits.
  RolloutSizes needed = least.with(sizes_);
  if (settings.pages > 0) needed.pages = settings.pages;
  const auto bytes_of = [&](const RolloutSizes& sizes) {
    Segments counted;
    RolloutMemory(counted, c, m_.network_.precision, sizes, m_.adapter_);
    return counted.bytes();
  };
  const std::byte* const before = m_.phase_ == DeviceModel::Phase::rollout ? m_.memory_.data() : nullptr;
  std::byte* memory = nullptr;
  for (const bool last_try : {needed == least, true}) {
    try {
      memory = m_.memory(DeviceModel::Phase::rollout, bytes_of(needed));
      break;
    } catch (const Error& error) {
      if (error.code != ErrorCode::out_of_memory) throw;
      pages_.reset();
      sizes_ = {};
      if (last_try) refuse(offsets, count, settings, bytes_of(needed));
      needed = least;
    }
  }
  Segments places(memory);
  at_ = RolloutMemory(places, c, m_.network_.precision, needed, m_.adapter_);
  const bool keeps = settings.keep_prefixes && cached_ && before == m_.memory_.data() && pages_ && pages_->count() == needed.pages;
  cached_ = false;  // until this call has ended well: what a failed one held is not given back
  sizes_ = needed;
  if (!keeps) {
    pages_ = std::make_unique<DevicePages>(needed.pages);
    prefix_cache_ = std::make_unique<PrefixCache>(*pages_);
  }
  pages_->from.clear();
  pages_->to.clear();
  pages_->restart_peak();
  results_->reserve(needed.sampled);

  Device& d = m_.device_;
  staging_.begin(reinterpret_cast<std::byte*>(at_.seed), int64_t(sizeof settings.seed) * 2);
  staging_.add(&settings.seed, 1);
  staging_.send();
  if (settings.embed) d.fill(at_.pooled, 0, needed.sequences * c.C * int64_t(sizeof(double)));
  if (settings.sampling.repetition_penalty != 1.0f) {
    std::vector<int32_t> rows(size_t(needed.sequences * needed.history), 0);
    for (int64_t s = 0; s < needed.sequences; ++s) {
      const int64_t p = s / settings.samples_per_prompt;
      std::copy(prompts + offsets[p], prompts + offsets[p + 1], rows.begin() + s * needed.history);
    }
    d.upload(at_.history, rows.data(), int64_t(rows.size() * sizeof(int32_t)));
    d.synchronise();  // rows end here
  }
}

// A place for the next token of `s`, which a launched step samples. True if it is the last one it may have.
bool DeviceRollout::expect_token(Sequence& s, Flight& flight, const GenerateSettings& settings) {
  flight.sampled.push_back({&s, int64_t(s.tokens.size())});
  s.tokens.push_back(-1);
  const int64_t prompt = (*prefixes_)[size_t(s.prefix)].length;
  const bool last = int64_t(s.tokens.size()) - prompt >= settings.max_new_tokens;
  if (last && settings.embed) s.ended = true;
  if (last && !settings.embed) s.complete = true;
  return last;
}

// Logits, tokens and log-probabilities of flight.sampled[first ..], whose hidden states are `rows` of `hidden`.
void DeviceRollout::sample(const void* hidden, const std::vector<int32_t>& rows, size_t first, Flight& flight, const GenerateSettings& settings) {
  const DecoderConfig& c = m_.decoder_.config;
  Device& d = m_.device_;
  const auto R = int64_t(rows.size());
  std::vector<int64_t> keys;
  std::vector<int32_t> lengths, slots;
  for (size_t i = first; i < first + rows.size(); ++i) {
    const Sampled& one = flight.sampled[i];
    keys.push_back(int64_t(settings.first_sequence) + one.sequence->row);
    lengths.push_back(int32_t(one.index));
    slots.push_back(int32_t(one.sequence->row));
  }
  int32_t* const history = settings.sampling.repetition_penalty != 1.0f ? at_.history : nullptr;
  const int64_t bytes = Staging::padded(R * 8) + 3 * Staging::padded(R * 4);
  staging_.begin(at_.small, bytes);
  const int32_t* const index = staging_.add(rows);
  const int64_t* const key = staging_.add(keys);
  const int32_t* const length = staging_.add(lengths);
  const int32_t* const slot = staging_.add(slots);
  staging_.send();
  for (int64_t from = 0; from < R; from += kSampledAtOnce) {
    const int64_t n = std::min(kSampledAtOnce, R - from), at = int64_t(first) + from;
    d.gather_rows({hidden, index + from, at_.head_in, n, c.C, m_.network_.precision});
    m_.network_.logits(m_.policy(), at_.head_in, n, at_.logits);
    d.sample({at_.logits, key + from, length + from, history, slot + from, at_.token + at, at_.logprob + at, at_.raw_logprob + at, n, c.V, sizes_.history, at_.seed,
              settings.sampling});
    d.store_tokens({at_.token + at, slot + from, length + from, at_.latest, history, n, sizes_.history});
  }
}

// Takes over what a step has computed, once the device has.
void DeviceRollout::land(const Flight& flight, Scheduler& scheduler, const GenerateSettings& settings) {
  if (!flight.sampled.empty()) m_.device_.wait_mark(kResultMark + flight.half);
  const int32_t* const token = results_->token(flight.half);
  const float *const logprob = results_->logprob(flight.half), *const raw = results_->raw_logprob(flight.half);
  for (size_t i = 0; i < flight.sampled.size(); ++i) {
    const auto [s, index] = flight.sampled[i];
    if (int64_t(s->tokens.size()) <= index) continue;  // an earlier token was the last
    const int64_t prompt = (*prefixes_)[size_t(s->prefix)].length;
    // Tokens behind this one are expected, not known.
    const int64_t expected = int64_t(s->tokens.size());
    s->tokens.resize(size_t(index) + 1);
    s->tokens.back() = token[i];
    s->logprob.push_back(logprob[i]);
    s->raw_logprob.push_back(raw[i]);
    const bool last = is_finished(*s, prompt, settings);
    if (!last) {
      s->tokens.resize(size_t(expected), -1);
      continue;
    }
    if (expected > index + 1) {
      // A row of this token has been launched already, for a token that will not be taken.
      s->cached = std::min(s->cached, index + 1);
      s->ended = false;
      scheduler.finished(s);
    } else if (!settings.embed) {
      scheduler.finished(s);
    } else {
      s->ended = true;  // one more row, to embed it; `finishing` of that step ends the sequence
    }
  }
  for (Sequence* s : flight.finishing) scheduler.finished(s);
}

// Sends the rows of a step and runs its forward pass.
void DeviceRollout::launch_step(const StepRows& step) {
  const DecoderConfig& c = m_.decoder_.config;
  Device& d = m_.device_;
  if (!pages_->from.empty()) {
    staging_.begin(at_.small, Staging::padded(pages_->from) + Staging::padded(pages_->to));
    const int32_t* const from = staging_.add(pages_->from);
    const int32_t* const to = staging_.add(pages_->to);
    staging_.send();
    d.page_copy({from, to, at_.kv.keys, at_.kv.values, at_.kv.page_stride, at_.kv.layer_stride, int64_t(pages_->from.size()), c.L, m_.network_.precision});
    pages_->from.clear();
    pages_->to.clear();
  }
  AttentionPlan& plan = plan_;
  plan_attention(plan, step.spans.data(), int64_t(step.spans.size()), attention_settings());
  PassRows rows;
  rows.T = int64_t(step.given.size());
  staging_.begin(at_.small, sizes_.small);
  const int32_t* const given = staging_.add(step.given);
  const int32_t* const source = staging_.add(step.source);
  rows.positions = staging_.add(step.positions);
  rows.slots = staging_.add(step.slots);
  rows.items = staging_.add(plan.items);
  rows.item_rows = staging_.add(plan.rows);
  rows.pages = staging_.add(plan.pages);
  rows.item_count = int64_t(plan.items.size());
  rows.merge_rows = staging_.add(plan.merge_rows);
  rows.merge_starts = staging_.add(plan.merge_starts);
  rows.merge_parts = staging_.add(plan.merge_parts);
  rows.merge_count = int64_t(plan.merge_rows.size());
  rows.partial_o = at_.partial_o;
  rows.partial_lse = at_.partial_lse;
  const int32_t* const pool_rows = staging_.add(step.pool_rows);
  const int32_t* const pool_slots = staging_.add(step.pool_slots);
  staging_.send();
  d.select_tokens({given, source, at_.latest, at_.tokens, rows.T});
  rows.tokens = at_.tokens;
  m_.network_.forward(m_.policy(), m_.adapter_, rows, at_.kv, at_.workspace);
  if (pool_rows) d.pool_rows({at_.workspace.hidden, pool_rows, pool_slots, at_.pooled, int64_t(step.pool_rows.size()), c.C, m_.network_.precision});
}

// Exact mode neither splits nor shares: every query's result is one chain over its keys.
AttentionPlanSettings DeviceRollout::attention_settings() const {
  const DecoderConfig& c = m_.decoder_.config;
  const bool free = m_.network_.order == Order::any;
  return {c.H, c.K, m_.network_.common_window(), std::min<int64_t>(m_.device_.info.multiprocessors, kMostMultiprocessors), free, free};
}

// Rows of a recorded step that has room for n.
int64_t bucket_of(int64_t n, int64_t most) {
  int64_t b = 1;
  if (n <= 16) while (b < n) b *= 2;
  else if (n <= 256) b = (n + 15) / 16 * 16;
  else b = (n + 63) / 64 * 64;
  return std::min(b, most);
}

// What a decoding step does between its arrays' arrival and its results.
void DeviceRollout::decode_calls(int64_t rows, const PassRows& pass, const int32_t* given, const int32_t* source, const int64_t* key, const int32_t* length,
                                 const int32_t* slot, const SamplingSettings& sampling) {
  const DecoderConfig& c = m_.decoder_.config;
  Device& d = m_.device_;
  d.select_tokens({given, source, at_.latest, at_.tokens, rows});
  m_.network_.forward(m_.policy(), m_.adapter_, pass, at_.kv, at_.workspace);
  for (int64_t from = 0; from < rows; from += kSampledAtOnce) {
    const int64_t n = std::min(kSampledAtOnce, rows - from);
    m_.network_.logits(m_.policy(), static_cast<const std::byte*>(at_.workspace.hidden) + from * c.C * m_.network_.number_bytes(), n, at_.logits);
    d.sample({at_.logits, key + from, length + from, nullptr, slot + from, at_.token + from, at_.logprob + from, at_.raw_logprob + from, n, c.V, 0, at_.seed, sampling});
    d.store_tokens({at_.token + from, slot + from, length + from, at_.latest, nullptr, n, 0});
  }
}

// A step in which every sequence has one row and samples: as a recorded graph of the next larger number of rows, whose other rows
// do nothing that anybody reads. False where the step is of another kind.
bool DeviceRollout::decode(const StepRows& step, const Flight& flight, const GenerateSettings& settings) {
  Device& d = m_.device_;
  const auto n = int64_t(step.given.size());
  if (int64_t(flight.sampled.size()) != n || int64_t(step.spans.size()) != n || !pages_->from.empty() || !step.pool_rows.empty()) return false;
  if (settings.sampling.repetition_penalty != 1.0f) return false;
  const int64_t rows = bucket_of(n, sizes_.spans), entries = rows * sizes_.entries;
  const AttentionPlanSettings how = attention_settings();
  AttentionPlan& plan = plan_;
  plan_attention(plan, step.spans.data(), n, how);
  pad_attention_plan(plan, largest_attention_plan(rows, rows, how));

  const Recorded now{m_.memory_.data(), sizes_, m_.policy(), settings.sampling};
  if (!(now == recorded_)) drop_graphs();
  recorded_ = now;

  std::vector<int64_t> keys;
  std::vector<int32_t> lengths, slots;
  for (const Sampled& one : flight.sampled) {
    keys.push_back(int64_t(settings.first_sequence) + one.sequence->row);
    lengths.push_back(int32_t(one.index));
    slots.push_back(int32_t(one.sequence->row));
  }
  staging_.begin(at_.small, sizes_.small);
  PassRows pass;
  pass.T = rows;
  const int32_t* const given = staging_.add_padded(step.given, rows, 0);
  const int32_t* const source = staging_.add_padded(step.source, rows, -1);
  pass.positions = staging_.add_padded(step.positions, rows, 0);
  pass.slots = staging_.add_padded(step.slots, rows, -1);
  const int64_t* const key = staging_.add_padded(keys, rows, int64_t{0});
  const int32_t* const length = staging_.add_padded(lengths, rows, 0);
  const int32_t* const slot = staging_.add_padded(slots, rows, -1);
  pass.items = staging_.add(plan.items);
  pass.item_rows = staging_.add(plan.rows);
  pass.pages = staging_.add_padded(plan.pages, entries, 0);
  pass.item_count = int64_t(plan.items.size());
  pass.merge_rows = staging_.add(plan.merge_rows);
  pass.merge_starts = staging_.add(plan.merge_starts);
  pass.merge_parts = staging_.add(plan.merge_parts);
  pass.merge_count = int64_t(plan.merge_rows.size());
  pass.partial_o = at_.partial_o;
  pass.partial_lse = at_.partial_lse;
  staging_.send();
  pass.tokens = at_.tokens;
  Graph*& graph = graphs_[rows];
  if (!graph) {
    d.begin_graph();
    try {
      decode_calls(rows, pass, given, source, key, length, slot, settings.sampling);
    } catch (...) {
      // Ends the recording, whatever it says.
      try {
        if (Graph* const broken = d.end_graph()) d.release_graph(broken);
      } catch (const Error&) {
      }
      throw;
    }
    graph = d.end_graph();
  }
  d.run_graph(graph);
  return true;
}

Generated DeviceRollout::generate(const int32_t* prompts, const int32_t* offsets, int64_t count, const GenerateSettings& settings, std::stop_token stop) {
  const DecoderConfig& c = m_.decoder_.config;
  Device& d = m_.device_;
  validate(c, prompts, offsets, count, settings);
  prepare(prompts, offsets, count, settings);
  auto [prefixes, sequences] = make_sequences(prompts, offsets, count, settings);
  prefixes_ = &prefixes;
  Scheduler scheduler(*pages_, settings.keep_prefixes ? prefix_cache_.get() : nullptr, prefixes, sequences, settings);

  Flight flying;  // launched, not landed
  bool is_flying = false;
  int half = 0;
  int64_t prefill_tokens = 0, decode_steps = 0;
  std::vector<int32_t> sampled_rows;
  StepRows step;
  while (!scheduler.done() || is_flying) {
    if (stop.stop_requested()) {
      d.synchronise();  // nothing may write into what the next call reads
      fail(ErrorCode::cancelled, "the operation was cancelled");
    }
    Flight flight;
    flight.half = half;

    // First tokens of samples whose prompt is known.
    sampled_rows.clear();
    const auto starting = scheduler.startable();
    std::vector<Sequence*> waiting;
    for (Sequence* s : starting) {
      if (int64_t(s->tokens.size()) == prefixes[size_t(s->prefix)].length) {
        sampled_rows.push_back(int32_t(s->prefix));
        if (!expect_token(*s, flight, settings)) waiting.push_back(s);
      }
      scheduler.started(s, false);
    }
    if (!sampled_rows.empty()) sample(at_.prefix_hidden, sampled_rows, 0, flight, settings);

    // A sequence has one unknown token at a time when a row of its is launched: else a row behind its last token could be taken
    // for one of the answer.
    for (Sequence* s : waiting) s->complete = true;
    const auto chunks = scheduler.next_step();
    for (Sequence* s : waiting) s->complete = false;
    if (!chunks.empty()) {
      ++decode_steps;
      step.clear();
      sampled_rows.clear();
      const size_t first = flight.sampled.size();
      std::vector<std::pair<int64_t, int32_t>> known;  // prompts whose last row this is
      for (const Chunk& chunk : chunks) {
        Sequence* const s = chunk.sequence;
        int64_t& cached = s ? s->cached : chunk.prefix->cached;
        const int32_t* const ids = s ? s->tokens.data() : chunk.prefix->tokens;
        const auto& pages = s ? s->pages : chunk.prefix->pages;
        const auto row = int32_t(step.given.size());
        step.spans.push_back({row, chunk.rows, cached, pages.data()});
        for (int64_t p = cached; p < cached + chunk.rows; ++p) {
          step.given.push_back(ids[p]);
          step.source.push_back(ids[p] < 0 ? int32_t(s->row) : -1);
          step.positions.push_back(int32_t(p));
          step.slots.push_back(pages[size_t(p / kPagePositions)] * kPagePositions + int32_t(p % kPagePositions));
        }
        if (s && settings.embed) {
          const int64_t prompt = prefixes[size_t(s->prefix)].length;
          for (int64_t p = std::max({cached, prompt, s->pooled_to}); p < cached + chunk.rows; ++p) {
            step.pool_rows.push_back(int32_t(row + p - cached));
            step.pool_slots.push_back(int32_t(s->row));
          }
          s->pooled_to = std::max(s->pooled_to, cached + chunk.rows);
        }
        cached += chunk.rows;
        if (chunk.rows > 1 || chunk.prefix) prefill_tokens += chunk.rows;
        if (chunk.samples && s) {
          sampled_rows.push_back(row + int32_t(chunk.rows) - 1);
          expect_token(*s, flight, settings);
        }
        if (chunk.samples && chunk.prefix) {
          known.push_back({chunk.prefix - prefixes.data(), row + int32_t(chunk.rows) - 1});
          chunk.prefix->known = true;
          scheduler.prefilled(*chunk.prefix);
        }
        if (s && s->ended && s->cached == int64_t(s->tokens.size())) {
          s->complete = true;
          flight.finishing.push_back(s);
        }
      }
      // A step of the common kind has its sampling in it.
      if (first == 0 && known.empty() && decode(step, flight, settings)) sampled_rows.clear();
      else launch_step(step);
      for (const auto& [prefix, row] : known) {
        const int64_t bytes = c.C * m_.network_.number_bytes();
        d.copy(static_cast<std::byte*>(at_.prefix_hidden) + prefix * bytes, static_cast<const std::byte*>(at_.workspace.hidden) + row * bytes, bytes);
      }
      if (!sampled_rows.empty()) sample(at_.workspace.hidden, sampled_rows, first, flight, settings);
    } else if (starting.empty() && !is_flying) {
      fail(ErrorCode::internal, "the rollout scheduler found nothing to run");
    }
    if (const auto n = int64_t(flight.sampled.size())) {
      d.download_later(results_->token(half), at_.token, n * 4);
      d.download_later(results_->logprob(half), at_.logprob, n * 4);
      d.download_later(results_->raw_logprob(half), at_.raw_logprob, n * 4);
      d.set_mark(kResultMark + half);
    }
    // While this step runs, take in the one before.
    if (is_flying) land(flying, scheduler, settings);
    is_flying = !flight.sampled.empty() || !flight.finishing.empty();
    flying = std::move(flight);
    half = 1 - half;
  }

  Generated out = collect(prefixes, sequences);
  if (settings.embed) {
    std::vector<double> sums(size_t(sizes_.sequences * c.C));
    d.download(sums.data(), at_.pooled, int64_t(sums.size() * sizeof(double)));
    for (Sequence& s : sequences) s.pooled.assign(sums.begin() + s.row * c.C, sums.begin() + (s.row + 1) * c.C);
    out.embeddings = mean_hidden(sequences, c.C);
  }
  cached_ = settings.keep_prefixes;
  prefixes_ = nullptr;
  out.reused_tokens = scheduler.reused_tokens();
  out.prefill_tokens = prefill_tokens;
  out.decode_steps = decode_steps;
  out.preemptions = scheduler.preemptions();
  out.peak_pages = pages_->peak();
  out.pages = pages_->count();
  return out;
}

}  // namespace exitrl::device
