#include "io/arrow_batch.h"
#include "io/arrow_column.h"

#include "check.h"
#include "core/status.h"

using namespace exitrl;

namespace {

template <class T>
ArrowColumn::Bytes bytes(const std::vector<T>& values) {
  return {reinterpret_cast<const std::byte*>(values.data()), int64_t(values.size() * sizeof(T))};
}

// Two rows of tokens, [1 2] and [3], that start at offset 1 of their values.
struct Sample {
  std::vector<int32_t> offsets{1, 3, 4}, tokens{9, 1, 2, 3};
  std::vector<uint8_t> mask{0b0001100};
  std::vector<float> logprob{0, -1, -2, -3}, advantage{0.5f, -0.5f};
  ArrowColumn batch;

  ArrowColumn& add(const std::string& name, const std::string& format, ArrowColumn::Bytes values, int64_t length) {
    auto column = std::make_unique<ArrowColumn>();
    column->name = name;
    column->format = format;
    column->length = length;
    column->buffers = {{}, values};
    batch.children.push_back(std::move(column));
    return *batch.children.back();
  }
  ArrowColumn& add_list(const std::string& name, const std::string& format, ArrowColumn::Bytes values) {
    ArrowColumn& list = add(name, "+l", bytes(offsets), 2);
    auto item = std::make_unique<ArrowColumn>();
    item->name = "item";
    item->format = format;
    item->length = 4;
    item->buffers = {{}, values};
    list.children.push_back(std::move(item));
    return list;
  }
  Sample() {
    batch.format = "+s";
    batch.length = 2;
    batch.buffers = {{}};
    add_list("tokens", "i", bytes(tokens));
    add_list("loss_mask", "b", bytes(mask));
    add_list("logprob", "f", bytes(logprob));
    add("advantage", "f", bytes(advantage), 2);
  }
  ArrowColumn& column(const std::string& name) {
    for (auto& child : batch.children)
      if (child->name == name) return *child;
    return batch;
  }
};

}  // namespace

TEST(arrow_batch_views) {
  Sample s;
  s.batch.validate();
  const RolloutBatch b = rollout_batch(s.batch, BatchUse::update);
  CHECK(b.B == 2 && b.tokens.length(0) == 2 && b.tokens.length(1) == 1);
  CHECK(b.tokens.row(0)[0] == 1 && b.tokens.row(1)[0] == 3);
  CHECK(b.tokens.values == s.tokens.data());  // nothing was copied
  CHECK(!b.loss_mask.at(0, 0) && b.loss_mask.at(0, 1) && b.loss_mask.at(1, 0));
  CHECK(b.logprob && !b.old_logprob && !b.ref_logprob && !b.token_advantage);
  CHECK(b.advantage[1] == -0.5f);
  CHECK(!rollout_batch(s.batch, BatchUse::score).loss_mask);
}

TEST(arrow_structures) {
  Sample s;
  s.batch.validate();
  const ArrowArray& array = s.batch.array;
  CHECK(array.length == 2 && array.n_children == 4 && array.n_buffers == 1);
  CHECK(std::string(s.batch.schema.children[0]->name) == "tokens");
  CHECK(std::string(s.batch.schema.children[0]->children[0]->format) == "i");
  CHECK(array.children[0]->buffers[1] == s.offsets.data());
  ArrowArray moved = array;
  moved.release(&moved);
  CHECK(moved.release == nullptr);
}

TEST(arrow_empty_batch) {
  Sample s;
  s.batch.length = 0;
  for (auto& child : s.batch.children) {
    child->length = 0;
    child->buffers = {{}, {}};
    for (auto& item : child->children) {
      item->length = 0;
      item->buffers = {{}, {}};
    }
  }
  s.batch.validate();
  const RolloutBatch b = rollout_batch(s.batch, BatchUse::update);
  CHECK(b.B == 0 && b.tokens && b.loss_mask && b.tokens.offsets[0] == 0);
}

TEST(arrow_refuses) {
  const auto refuses = [](const std::string& message, auto change) {
    Sample s;
    change(s);
    const std::string thrown = check::thrown([&] {
      s.batch.validate();
      rollout_batch(s.batch, BatchUse::update);
    });
    if (thrown.find(message) == std::string::npos)
      check::failed(__FILE__, __LINE__, "expected \"" + message + "\", got \"" + thrown + "\"");
  };
  refuses("column tokens: it is missing; the batch has token, loss_mask", [](Sample& s) { s.column("tokens").name = "token"; });
  refuses("two columns of that name", [](Sample& s) { s.column("logprob").name = "tokens"; });
  refuses("column advantage: it is missing", [](Sample& s) { s.batch.children.pop_back(); });
  refuses("column tokens: it must be list<int32>, it is list<float32>", [](Sample& s) { s.column("tokens").children[0]->format = "f"; });
  refuses("column loss_mask: it must be list<bool>, it is list<int32>", [](Sample& s) {
    s.column("loss_mask").children[0]->format = "i";
    s.column("loss_mask").children[0]->buffers[1] = bytes(s.tokens);
  });
  refuses("column advantage: it must be float32, it is int32", [](Sample& s) { s.column("advantage").format = "i"; });
  refuses("column tokens: its values buffer has 12 bytes", [](Sample& s) { s.column("tokens").children[0]->buffers[1].size = 12; });
  refuses("column tokens: its offsets end at 4, but there are 3", [](Sample& s) { s.column("tokens").children[0]->length = 3; });
  refuses("column tokens: row 1: its offsets run backwards", [](Sample& s) {
    s.offsets = {1, 3, 2};
    s.column("tokens").buffers[1] = bytes(s.offsets);
  });
  refuses("column logprob: it has 1 rows, the batch has 2", [](Sample& s) { s.column("logprob").length = 1; });
  refuses("column advantage: row 1 is null", [](Sample& s) {
    static const std::vector<uint8_t> valid{0b01};
    s.column("advantage").buffers[0] = bytes(valid);
    s.column("advantage").null_count = 1;
  });
  refuses("column advantage: its values buffer is not aligned to 4", [](Sample& s) {
    s.column("advantage").length = s.batch.length = 1;
    for (auto& child : s.batch.children) child->length = 1;
    s.column("advantage").buffers[1] = {s.column("advantage").buffers[1].data + 1, 4};
  });
  refuses("column tokens: it has null entries", [](Sample& s) {
    static const std::vector<uint8_t> valid{0b1011};
    s.column("tokens").children[0]->buffers[0] = bytes(valid);
    s.column("tokens").children[0]->null_count = 1;
  });
  refuses("must be a struct of columns", [](Sample& s) {
    s.batch.format = "i";
    s.batch.length = 1;
    s.batch.buffers = {{}, bytes(s.tokens)};
  });
  refuses("its length is", [](Sample& s) { s.column("tokens").length = INT64_MAX; });
}
