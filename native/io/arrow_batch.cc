#include "io/arrow_batch.h"

#include "core/status.h"

namespace exitrl {
namespace {

[[noreturn]] void invalid(const std::string& name, const std::string& what) {
  fail(ErrorCode::invalid_argument, "column " + name + ": " + what);
}

const ArrowColumn* find(const ArrowColumn& batch, const char* name, bool required) {
  if (batch.format != "+s")
    fail(ErrorCode::invalid_argument, "the batch must be a struct of columns (describeBatch), it is " + type_name(batch));
  if (batch.null_count > 0) fail(ErrorCode::invalid_argument, "the batch has null rows");
  const ArrowColumn* column = batch.find(name);
  if (column || !required) return column;
  std::string names;
  for (const auto& child : batch.children) names += (names.empty() ? "" : ", ") + child->name;
  invalid(name, "it is missing; the batch has " + (names.empty() ? std::string("no columns") : names));
}

void no_nulls(const ArrowColumn& column, const std::string& name) {
  for (int64_t row = 0; column.null_count > 0 && row < column.length; ++row)
    if (!column.valid(row)) invalid(name, "row " + std::to_string(row) + " is null; rows without a value must be left out");
}

const ArrowColumn* list_of(const ArrowColumn& batch, const char* name, const char* item_format, const char* type, bool required) {
  const ArrowColumn* column = find(batch, name, required);
  if (!column) return nullptr;
  if (column->format != "+l" || column->children[0]->format != item_format || column->children[0]->dictionary)
    invalid(name, "it must be list<" + std::string(type) + ">, it is " + type_name(*column));
  no_nulls(*column, name);
  if (column->children[0]->null_count > 0) invalid(name, "it has null entries");
  return column;
}

template <class T>
ListView<T> view(const ArrowColumn* column) {
  if (!column) return {};
  return {column->values<int32_t>(), column->children[0]->values<T>()};
}

}  // namespace

ListView<int32_t> token_lists(const ArrowColumn& batch) { return view<int32_t>(list_of(batch, "tokens", "i", "int32", true)); }

RolloutBatch rollout_batch(const ArrowColumn& batch, BatchUse use) {
  RolloutBatch out;
  out.B = batch.length;
  out.tokens = token_lists(batch);
  if (use == BatchUse::score) return out;
  const ArrowColumn* mask = list_of(batch, "loss_mask", "b", "bool", true);
  out.loss_mask = {mask->values<int32_t>(), mask->children[0]->values<uint8_t>(), 0};
  if (use == BatchUse::embed) return out;
  const auto floats = [&](const char* name) { return view<float>(list_of(batch, name, "f", "float32", false)); };
  out.logprob = floats("logprob");
  out.old_logprob = floats("old_logprob");
  out.ref_logprob = floats("ref_logprob");
  out.token_advantage = floats("token_advantage");
  const ArrowColumn* advantage = find(batch, "advantage", !out.token_advantage);
  if (advantage && !out.token_advantage) {
    if (advantage->format != "f" || advantage->dictionary) invalid("advantage", "it must be float32, it is " + type_name(*advantage));
    no_nulls(*advantage, "advantage");
    out.advantage = advantage->values<float>();
  }
  return out;
}

}  // namespace exitrl
