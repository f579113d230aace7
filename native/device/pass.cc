#include "device/pass.h"

namespace exitrl::device {
namespace {

void add_slots(const AttentionSpan& span, std::vector<int32_t>& slots) {
  for (int64_t p = span.position; p < span.position + span.rows; ++p)
    slots.push_back(span.pages[p / kPagePositions] * kPagePositions + int32_t(p % kPagePositions));
}

}  // namespace

PassPlan plan_pass(const MicroBatch& micro, const DecoderConfig& c, int64_t window, Workspace::Use use) {
  PassPlan plan;
  plan.slots.assign(size_t(micro.T()), -1);
  for (const AttentionSpan& span : micro.spans) {
    std::vector<int32_t> slots;
    add_slots(span, slots);
    std::copy(slots.begin(), slots.end(), plan.slots.begin() + span.row);
  }
  for (const AttentionSpan& span : micro.copies) {
    for (int64_t r = 0; r < span.rows; ++r) plan.copy_rows.push_back(int32_t(span.row + r));
    add_slots(span, plan.copy_slots);
  }
  plan_attention(plan.attention, micro.spans.data(), int64_t(micro.spans.size()), {c.H, c.K, window});
  plan.gather.assign(micro.rows.begin(), micro.rows.end());
  if (use == Workspace::Use::training) {
    plan_attention_backward(plan.backward, micro.spans.data(), micro.families.data(), int64_t(micro.families.size()) - 1, window);
    plan.lists = plan_batch(micro);
    for (int64_t b = 0; b < micro.B(); ++b)
      plan.sequence_of.insert(plan.sequence_of.end(), size_t(micro.cu_trained[size_t(b) + 1] - micro.cu_trained[size_t(b)]), int32_t(b));
  }
  return plan;
}

int64_t PassPlan::bytes(const MicroBatch& micro) const {
  const auto all = [](const auto&... values) { return (Staging::padded(values) + ...); };
  return all(micro.tokens, micro.positions, slots, copy_rows, copy_slots, attention.items, attention.rows, attention.pages,
             backward.query_items, backward.key_items, backward.segments, lists.token_order, lists.token_starts, lists.token_ids,
             lists.long_starts, lists.scatter_starts, lists.scatter_index, sequence_of, gather, micro.targets, micro.cu_trained,
             micro.behaviour, micro.old_logprob, micro.ref_logprob, micro.advantage);
}

PassRows PassPlan::send(Staging& staging, const MicroBatch& micro) const {
  PassRows rows;
  rows.T = micro.T();
  rows.tokens = staging.add(micro.tokens);
  rows.positions = staging.add(micro.positions);
  rows.slots = staging.add(slots);
  rows.copy_rows = staging.add(copy_rows);
  rows.copy_slots = staging.add(copy_slots);
  rows.copy_count = int64_t(copy_rows.size());
  rows.items = staging.add(attention.items);
  rows.item_rows = staging.add(attention.rows);
  rows.pages = staging.add(attention.pages);
  rows.item_count = int64_t(attention.items.size());
  rows.query_items = staging.add(backward.query_items);
  rows.key_items = staging.add(backward.key_items);
  rows.segments = staging.add(backward.segments);
  rows.query_item_count = int64_t(backward.query_items.size());
  rows.key_item_count = int64_t(backward.key_items.size());
  rows.token_order = staging.add(lists.token_order);
  rows.token_starts = staging.add(lists.token_starts);
  rows.token_ids = staging.add(lists.token_ids);
  rows.pieces = int64_t(lists.token_ids.size());
  if (!lists.long_starts.empty()) {
    rows.long_starts = staging.add(lists.long_starts);
    rows.long_tokens = int64_t(lists.long_starts.size()) - 1;
    rows.long_pieces = lists.long_starts.back();
  }
  return rows;
}

PassMemory::PassMemory(Segments& s, const DecoderConfig& c, Precision p, int64_t rows, Workspace::Use use, Recompute recompute,
                       const AdapterLayout* adapter, const PassSizes& most) {
  workspace = lay_out(s, c, p, rows, use, recompute, adapter);
  const int64_t page = page_numbers(c);
  kv = {static_cast<std::byte*>(s.take("keys and values of one layer", most.pages * page, p)),
        static_cast<std::byte*>(s.take("keys and values of one layer", most.pages * page, p)), 0, page};
  if (most.N > 0) logits = s.take<float>("logits of a chunk", std::min(most.N, head_chunk(c.V)) * c.V);
  head_in = s.take("head rows", most.N * c.C, p);
  for (float** at : {&logprob, &entropy}) *at = s.take<float>("values of all targets", most.targets);
  for (float** at : {&max, &log_sum}) *at = s.take<float>("head rows", most.N);
  if (use == Workspace::Use::training) {
    head_d = s.take("head rows", most.N * c.C, p);
    for (float** at : {&dlogprob, &dentropy}) *at = s.take<float>("head rows", most.N);
    scratch = s.take<double>("head rows", pg_loss_scratch(most.B, most.N));
  }
  small = s.take<std::byte>("arrays of a pass", most.bytes);
}

}  // namespace exitrl::device
