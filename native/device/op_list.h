// Every op of a device backend, one line each: its name and the struct of its arguments (ops/*/*_device.h). The list makes the
// table of function pointers, the wrappers of Device and the tests that walk over it.
#pragma once
#include "ops/adamw/adamw_device.h"
#include "ops/attention/attention_device.h"
#include "ops/embedding/embedding_device.h"
#include "ops/glu/glu_device.h"
#include "ops/head/head_device.h"
#include "ops/matmul/gemm_device.h"
#include "ops/norm/norm_device.h"
#include "ops/pg_loss/pg_loss_device.h"
#include "ops/rmsnorm/rmsnorm_device.h"
#include "ops/rope/qk_rope_device.h"
#include "ops/sample/sample_device.h"
#include "ops/sample/tokens_device.h"

#define EXITRL_DEVICE_OPS(X)                  \
  X(embedding_forward, EmbeddingForward)      \
  X(embedding_backward, EmbeddingBackward)    \
  X(rmsnorm_forward, RmsNormForward)          \
  X(rmsnorm_backward, RmsNormBackward)        \
  X(gemm, Gemm)                               \
  X(column_sum, ColumnSum)                    \
  X(qk_rope_forward, QkRopeForward)           \
  X(qk_rope_backward, QkRopeBackward)         \
  X(kv_append, KvAppend)                      \
  X(page_copy, PageCopy)                      \
  X(attention_forward, AttentionForward)      \
  X(attention_merge, AttentionMerge)          \
  X(attention_backward, AttentionBackward)    \
  X(glu_forward, GluForward)                  \
  X(glu_backward, GluBackward)                \
  X(head_rows, HeadRows)                      \
  X(head_gradient, HeadGradient)              \
  X(entropy_threshold, EntropyThreshold)      \
  X(pg_loss, PgLoss)                          \
  X(sample, Sample)                           \
  X(select_tokens, SelectTokens)              \
  X(store_tokens, StoreTokens)                \
  X(gradient_norm, GradientNorm)              \
  X(adamw, AdamW)                             \
  X(moving_average, MovingAverage)            \
  X(convert, Convert)                         \
  X(gather_rows, GatherRows)                  \
  X(scatter_rows, ScatterRows)                \
  X(pool_rows, PoolRows)
