// Letters used for sizes throughout native/:
//   B sequences    T tokens (rows) of a packed batch    C model width (hidden size)
//   H query heads  K key/value heads                    D head width
//   F feed-forward width   V vocabulary   L layers
// Matrices are row-major fp32. Every tensor parameter and member carries its shape: `const float* x;  // (T, C)`.
// Gradients take a `d` prefix. "=" marks an output that is overwritten, "+=" one that is added to.
// Batches are packed: sequences back to back, borders in cu_seqlens (B+1), never padded.
//
// One order per output element (docs/architecture.md, "Exact on-policy"): a dot product over k is one chain of fused
// multiply-adds in ascending k, whatever the shape, the tile or the thread; longer reductions use sixteen lanes
// (index mod 16) and one fixed tree.
#pragma once
#include <cstdint>

namespace exitrl {
constexpr int kLanes = 16;      // lanes of F16, width of a packed panel, keys in a KV page
}
