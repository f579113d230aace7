// How a family's checkpoints name their tensors. Layout (models/weights.h) turns parts of the decoder into these names, and
// Layout::find turns a name into a part: one table, both ways.
#pragma once
#include <cstdint>
#include <string>

namespace exitrl {

struct NameMap {
  const char* embedding;
  const char* layers;  // followed by the number of the layer, a dot, one of the names below and ".weight" or ".bias"
  const char *input_norm, *q, *k, *v, *q_norm, *k_norm, *o, *post_norm, *gate, *up, *down;
  const char* final_norm;
  const char* head;
  const char* ignored;  // tensors that end so are no parameters: some exports write them

  std::string layer(int64_t l, const char* part, const char* kind) const {
    return layers + std::to_string(l) + "." + part + "." + kind;
  }
};

// Llama's names, which the families after it took over.
inline constexpr NameMap kLlamaNames{
    .embedding = "model.embed_tokens.weight",
    .layers = "model.layers.",
    .input_norm = "input_layernorm",
    .q = "self_attn.q_proj",
    .k = "self_attn.k_proj",
    .v = "self_attn.v_proj",
    .q_norm = "self_attn.q_norm",
    .k_norm = "self_attn.k_norm",
    .o = "self_attn.o_proj",
    .post_norm = "post_attention_layernorm",
    .gate = "mlp.gate_proj",
    .up = "mlp.up_proj",
    .down = "mlp.down_proj",
    .final_norm = "model.norm.weight",
    .head = "lm_head.weight",
    .ignored = "rotary_emb.inv_freq",
};

}  // namespace exitrl
