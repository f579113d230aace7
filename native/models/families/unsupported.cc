// Model types that are not there, and why.
#include "models/families/families.h"

namespace exitrl {
namespace {

struct Missing {
  const char* model_type;
  const char* features;
};

constexpr const char* kExperts = "a mixture of experts";
constexpr const char* kVision = "images beside text; a text-only checkpoint of the same model may load";
constexpr Missing kMissing[] = {
    {"gemma2", "soft-capped logits, norms behind attention and feed-forward, a query scale of its own and windows in every second layer"},
    {"gemma3_text", "norms behind attention and feed-forward and two rotary bases, one per kind of layer"},
    {"gemma3", "images beside text; its text part needs norms behind attention and feed-forward and two rotary bases"},
    {"gemma3n", "per-layer embeddings and alternating updates"},
    {"gemma3n_text", "per-layer embeddings and alternating updates"},
    {"mixtral", kExperts},
    {"qwen2_moe", kExperts},
    {"qwen3_moe", kExperts},
    {"qwen3_next", "a mixture of experts and linear attention"},
    {"deepseek_v2", "a mixture of experts and latent attention"},
    {"deepseek_v3", "a mixture of experts and latent attention"},
    {"gpt_oss", "a mixture of experts and attention sinks"},
    {"olmoe", kExperts},
    {"phimoe", kExperts},
    {"dbrx", kExperts},
    {"jamba", "a mixture of experts and state-space layers"},
    {"granitemoe", kExperts},
    {"glm4_moe", kExperts},
    {"ernie4_5_moe", kExperts},
    {"llama4", "a mixture of experts, images beside text and layers without rotary embedding"},
    {"llama4_text", "a mixture of experts and layers without rotary embedding"},
    {"mllama", kVision},
    {"llava", kVision},
    {"pixtral", kVision},
    {"mistral3", kVision},
    {"qwen2_vl", kVision},
    {"qwen2_5_vl", kVision},
    {"qwen3_vl", kVision},
    {"paligemma", kVision},
    {"ministral", "windows that differ between layers"},
    {"smollm3", "layers without rotary embedding"},
    {"phi", "layer norms with biases and rotary embedding of a part of each head"},
    {"phi3", "fused q/k/v and gate/up tensors"},
    {"gpt2", "learned positions and layer norms with biases"},
    {"gpt_neox", "parallel attention and feed-forward, and layer norms with biases"},
    {"gptj", "parallel attention and feed-forward, and layer norms with biases"},
    {"gpt_bigcode", "learned positions and layer norms with biases"},
    {"bloom", "position biases (ALiBi)"},
    {"falcon", "parallel attention and feed-forward, and layer norms with biases"},
    {"opt", "learned positions and layer norms with biases"},
    {"starcoder2", "layer norms with biases"},
    {"stablelm", "layer norms with biases and rotary embedding of a part of each head"},
    {"olmo", "layer norms without weights"},
    {"olmo2", "norms behind attention and feed-forward"},
    {"olmo3", "norms behind attention and feed-forward"},
    {"cohere", "parallel attention and feed-forward, and a scale on the logits"},
    {"cohere2", "parallel attention and feed-forward, and a scale on the logits"},
    {"granite", "multipliers on embeddings, attention, residuals and logits"},
    {"glm", "rotary embedding of a part of each head"},
    {"glm4", "rotary embedding of a part of each head and norms behind attention and feed-forward"},
    {"nemotron", "layer norms with biases and squared ReLU"},
    {"exaone4", "norms behind attention and feed-forward"},
    {"mamba", "state-space layers"},
    {"mamba2", "state-space layers"},
    {"rwkv", "recurrent layers"},
    {"recurrent_gemma", "recurrent layers"},
    {"bert", "attention in both directions"},
    {"t5", "an encoder before the decoder"},
    {"bart", "an encoder before the decoder"},
};

}  // namespace

std::string missing_features(const std::string& model_type) {
  for (const Missing& missing : kMissing)
    if (model_type == missing.model_type) return missing.features;
  return "";
}

}  // namespace exitrl
