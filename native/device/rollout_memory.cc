// Sizes, places and pages of a rollout.
#include "device/rollout.h"

#include <algorithm>

#include "device/model.h"

namespace exitrl::device {
namespace {

int64_t page_count(int64_t positions) { return (positions + kPagePositions - 1) / kPagePositions; }

}  // namespace

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
  small = Staging::padded(most.items * int64_t(sizeof(AttentionItem))) + Staging::padded(4 * most.rows) +
          Staging::padded(4 * spans * entries) + 2 * Staging::padded(4 * (most.merge_rows + 1)) + Staging::padded(4 * most.partials) +
          6 * Staging::padded(4 * rows) + 5 * Staging::padded(4 * sampled) + Staging::padded(8) + 256;
}

RolloutSizes RolloutSizes::with(const RolloutSizes& o) const {
  RolloutSizes z = *this;
  z.pages = std::max(pages, o.pages), z.rows = std::max(rows, o.rows), z.sampled = std::max(sampled, o.sampled),
  z.prompts = std::max(prompts, o.prompts);
  z.sequences = std::max(sequences, o.sequences), z.history = std::max(history, o.history), z.spans = std::max(spans, o.spans),
  z.entries = std::max(entries, o.entries);
  z.embed = embed || o.embed;
  z.derive();
  return z;
}

RolloutMemory::RolloutMemory(Segments& s, const DecoderConfig& c, Precision p, const RolloutSizes& z, const AdapterLayout* adapter) {
  const int64_t page = page_numbers(c);
  kv = {static_cast<std::byte*>(s.take("KV cache", c.L * z.pages * page, p)),
        static_cast<std::byte*>(s.take("KV cache", c.L * z.pages * page, p)), z.pages * page, page};
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

// Says what would fit where a rollout does not.
void DeviceRollout::refuse(const int32_t* offsets, int64_t count, GenerateSettings settings, int64_t bytes) const {
  const int64_t free = m_.device_.room_bytes(), wanted = std::min(settings.max_running, count * settings.samples_per_prompt);
  const auto fits = [&](int64_t running) {
    settings.max_running = running;
    Segments counted;
    RolloutMemory(counted, m_.decoder_.config, m_.network_.precision, RolloutSizes::of(m_.decoder_.config, offsets, count, settings),
                  m_.adapter_);
    return counted.bytes() <= free;
  };
  int64_t low = 0, high = wanted;  // low fits (none does), high does not
  while (high - low > 1) (fits((low + high) / 2) ? low : high) = (low + high) / 2;
  std::string advice = "; maxRunning " + std::to_string(low) + " fits";
  if (low == 0) {
    advice = "; not even one sequence fits: take fewer or shorter prompts, fewer new tokens, or a smaller model";
    for (settings.prefill_tokens /= 2; settings.prefill_tokens >= kPagePositions; settings.prefill_tokens /= 2) {
      if (!fits(1)) continue;
      advice = "; prefillTokens " + std::to_string(settings.prefill_tokens) + " with maxRunning 1 fits";
      break;
    }
  }
  fail(ErrorCode::out_of_memory,
       "generating " + std::to_string(wanted) + " sequences at a time needs " + megabytes(bytes) +
           " of working memory, and the device has " + megabytes(free) + advice);
}

// All pages, out of the memory that is going to move: keys and values, layer by layer. Empty where there is no room for both.
DeviceBuffer DeviceRollout::take_pages() {
  const int64_t half = pages_bytes() * m_.decoder_.config.L;
  try {
    DeviceBuffer out(m_.device_, 2 * half);
    m_.device_.copy(out.data(), at_.kv.keys, half);
    m_.device_.copy(out.data() + half, at_.kv.values, half);
    return out;
  } catch (const Error& error) {
    if (error.code != ErrorCode::out_of_memory) throw;
    return {};
  }
}

// The same into the places of a larger pool.
void DeviceRollout::put_pages(const DeviceBuffer& pages) {
  const int64_t L = m_.decoder_.config.L, layer = pages_bytes(), stride = at_.kv.layer_stride * m_.network_.number_bytes();
  for (int64_t l = 0; l < L; ++l) {
    m_.device_.copy(static_cast<std::byte*>(at_.kv.keys) + l * stride, pages.data() + l * layer, layer);
    m_.device_.copy(static_cast<std::byte*>(at_.kv.values) + l * stride, pages.data() + (L + l) * layer, layer);
  }
}

// Of one layer's keys, in the pool as it is.
int64_t DeviceRollout::pages_bytes() const { return pages_->count() * page_numbers(m_.decoder_.config) * m_.network_.number_bytes(); }

// Memory and pages for a call. What earlier calls left stays where prefixes are kept and the weights are the same: a pool that grows
// takes its pages along, where there is memory for both.
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
  bool keeps = settings.keep_prefixes && cached_ && m_.phase_ == DeviceModel::Phase::rollout && pages_ && needed.pages >= pages_->count();
  DeviceBuffer moving;
  if (keeps && (needed.pages > pages_->count() || bytes_of(needed) > m_.memory_.bytes())) {
    moving = take_pages();
    keeps = bool(moving);
  }
  std::byte* memory = nullptr;
  while (!memory) {
    try {
      memory = m_.memory(DeviceModel::Phase::rollout, bytes_of(needed));
    } catch (const Error& error) {
      if (error.code != ErrorCode::out_of_memory) throw;
      const bool had_pages = bool(moving);
      keeps = false;
      moving.reset();
      if (had_pages) continue;
      pages_.reset();
      sizes_ = {};
      if (needed == least) refuse(offsets, count, settings, bytes_of(needed));
      needed = least;
    }
  }
  Segments places(memory);
  at_ = RolloutMemory(places, c, m_.network_.precision, needed, m_.adapter_);
  cached_ = false;  // until this call has ended well: what a failed one held is not given back
  sizes_ = needed;
  if (!keeps) {
    pages_ = std::make_unique<DevicePages>(needed.pages);
    prefix_cache_ = std::make_unique<PrefixCache>(*pages_);
  } else if (moving) {
    put_pages(moving);
    auto larger = std::make_unique<DevicePages>(needed.pages);
    larger->adopt(*pages_);
    prefix_cache_->move_to(*larger);
    pages_ = std::move(larger);
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
    // An earlier call may have had more sequences; theirs are not looked at.
    const int64_t own = count * settings.samples_per_prompt;
    std::vector<int32_t> rows(size_t(own * needed.history), 0);
    for (int64_t s = 0; s < own; ++s) {
      const int64_t p = s / settings.samples_per_prompt;
      std::copy(prompts + offsets[p], prompts + offsets[p + 1], rows.begin() + s * needed.history);
    }
    d.upload(at_.history, rows.data(), int64_t(rows.size() * sizeof(int32_t)));
    d.synchronise();  // rows end here
  }
}

}  // namespace exitrl::device
