// What a decoder is, independent of the family it came from. One file per family (llama.cc, qwen3.cc, ...) maps a
// Hugging Face config.json to it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/bf16.h"
#include "ops/glu/glu.h"
#include "ops/rope/rope.h"

namespace exitrl {

struct NameMap;

struct DecoderConfig {
  std::string family;          // model_type: llama, qwen2, qwen3, mistral, gemma
  int64_t V = 0, C = 0, L = 0, H = 0, K = 0, D = 0, F = 0;   // see core/legend.h
  int64_t max_positions = 0;   // max_position_embeddings
  float norm_eps = 1e-6f;
  float norm_offset = 0.0f;    // 1: checkpoints store norm weights minus one (Gemma)
  float embedding_scale = 1.0f;
  Activation activation = Activation::silu;
  RopeConfig rope;
  bool qkv_bias = false;       // q_proj, k_proj, v_proj have biases
  bool output_bias = false;    // o_proj has a bias
  bool mlp_bias = false;       // gate_proj, up_proj, down_proj have biases
  bool qk_norm = false;        // RMSNorm over each head of q and k, before RoPE
  bool tied = false;           // the head is the embedding
  float initializer_range = 0.02f;
  std::vector<int64_t> windows;  // (L) sliding window of each layer, 0: full attention
  const NameMap* names = nullptr;  // of the family's tensors
  std::string dtype = "float32";   // what the checkpoint says its tensors are; the tensors themselves have the last word
  std::string json;            // config.json in both generations of keys, whatever it was read from; its dtype is float32
  Precision precision = Precision::f32;  // of linear layers: a choice of the run, not of the checkpoint

  int64_t qkv_width() const { return (H + 2 * K) * D; }
};

// Parses config.json (older and newer keys). Throws Error(invalid_file) that names `origin` and the key.
DecoderConfig parse_config(const std::string& json, const std::string& origin);
// DecoderConfig::json for tensors of another type: "bfloat16", ...
std::string config_json(const DecoderConfig& config, const std::string& dtype);

}  // namespace exitrl
