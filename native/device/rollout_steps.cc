// Steps of a rollout on the device: of any rows, and decoding steps as recorded graphs.
#include "device/rollout.h"

#include <algorithm>

#include "device/model.h"

namespace exitrl::device {
namespace {

// Rows of a recorded step that has room for n.
int64_t bucket_of(int64_t n, int64_t most) {
  int64_t b = 1;
  if (n <= 16) while (b < n) b *= 2;
  else if (n <= 256) b = (n + 15) / 16 * 16;
  else b = (n + 63) / 64 * 64;
  return std::min(b, most);
}

}  // namespace

void DeviceRollout::drop_graphs() {
  for (const auto& [rows, graph] : graphs_)
    if (graph) m_.device_.release_graph(graph);
  graphs_.clear();
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
    d.page_copy({from, to, at_.kv.keys, at_.kv.values, at_.kv.page_stride, at_.kv.layer_stride, int64_t(pages_->from.size()), c.L,
                 m_.network_.precision});
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
  if (pool_rows)
    d.pool_rows({at_.workspace.hidden, pool_rows, pool_slots, at_.pooled, int64_t(step.pool_rows.size()), c.C, m_.network_.precision});
}

// Exact mode neither splits nor shares: every query's result is one chain over its keys.
AttentionPlanSettings DeviceRollout::attention_settings() const {
  const DecoderConfig& c = m_.decoder_.config;
  const bool free = m_.network_.order == Order::any;
  return {c.H, c.K, m_.network_.common_window(), std::min<int64_t>(m_.device_.info.multiprocessors, kMostMultiprocessors), free, free};
}

// What a decoding step does between its arrays' arrival and its results.
void DeviceRollout::decode_calls(int64_t rows, const PassRows& pass, const int32_t* given, const int32_t* source, const int64_t* key,
                                 const int32_t* length, const int32_t* slot, const SamplingSettings& sampling) {
  const DecoderConfig& c = m_.decoder_.config;
  Device& d = m_.device_;
  d.select_tokens({given, source, at_.latest, at_.tokens, rows});
  m_.network_.forward(m_.policy(), m_.adapter_, pass, at_.kv, at_.workspace);
  for (int64_t from = 0; from < rows; from += kSampledAtOnce) {
    const int64_t n = std::min(kSampledAtOnce, rows - from);
    m_.network_.logits(m_.policy(), static_cast<const std::byte*>(at_.workspace.hidden) + from * c.C * m_.network_.number_bytes(), n,
                       at_.logits);
    d.sample({at_.logits, key + from, length + from, nullptr, slot + from, at_.token + from, at_.logprob + from, at_.raw_logprob + from, n,
              c.V, 0, at_.seed, sampling});
    d.store_tokens({at_.token + from, slot + from, length + from, at_.latest, nullptr, n, 0});
  }
}

// A step in which every sequence has one row and samples: as a recorded graph of the next larger number of rows, whose other rows
// do nothing that anybody reads. False where the step is of another kind.
bool DeviceRollout::decode(const StepRows& step, const Flight& flight, const GenerateSettings& settings) {
  Device& d = m_.device_;
  const auto n = int64_t(step.given.size());
  if (int64_t(flight.sampled.size()) != n || int64_t(step.spans.size()) != n || !pages_->from.empty() || !step.pool_rows.empty())
    return false;
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
  pass.few_queries = true;
  pass.item_counts = how.split ? staging_.add(plan.counts) : nullptr;
  staging_.send();
  pass.tokens = at_.tokens;
  // The first step of a size runs as it is: what is loaded when it is first used cannot be loaded while a graph is recorded.
  const auto [found, fresh] = graphs_.try_emplace(rows, nullptr);
  if (fresh || !graphs_fit_) {
    decode_calls(rows, pass, given, source, key, length, slot, settings.sampling);
    return true;
  }
  Graph*& graph = found->second;
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
    try {
      graph = d.end_graph();
    } catch (const Error& error) {
      if (error.code != ErrorCode::out_of_memory) throw;
      // Graphs take memory beside the planned one: without them this call is slower, but goes on.
      graphs_fit_ = false;
      drop_graphs();
      decode_calls(rows, pass, given, source, key, length, slot, settings.sampling);
      return true;
    }
  }
  d.run_graph(graph);
  return true;
}

}  // namespace exitrl::device
