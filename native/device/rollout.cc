#include "device/rollout.h"

#include <algorithm>

#include "device/model.h"

namespace exitrl::device {

DeviceRollout::DeviceRollout(DeviceModel& m) : m_(m), staging_(m.device_, kStagingMark), results_(std::make_unique<Results>(m.device_)) {}
DeviceRollout::~DeviceRollout() { drop_graphs(); }

void DeviceRollout::forget() { cached_ = false; }

void DeviceRollout::change_model() {
  forget();
  drop_graphs();
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
void DeviceRollout::sample(const void* hidden, const std::vector<int32_t>& rows, size_t first, Flight& flight,
                           const GenerateSettings& settings) {
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
    d.sample({at_.logits, key + from, length + from, history, slot + from, at_.token + at, at_.logprob + at, at_.raw_logprob + at, n, c.V,
              sizes_.history, at_.seed, settings.sampling});
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

Generated DeviceRollout::generate(const int32_t* prompts, const int32_t* offsets, int64_t count, const GenerateSettings& settings,
                                  std::stop_token stop) {
  const DecoderConfig& c = m_.decoder_.config;
  Device& d = m_.device_;
  validate(c, prompts, offsets, count, settings);
  prepare(prompts, offsets, count, settings);
  auto [prefixes, sequences] = make_sequences(prompts, offsets, count, settings);
  prefixes_ = &prefixes;
  graphs_fit_ = true;
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
        d.copy(static_cast<std::byte*>(at_.prefix_hidden) + prefix * bytes,
               static_cast<const std::byte*>(at_.workspace.hidden) + row * bytes, bytes);
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
