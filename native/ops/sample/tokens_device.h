// Tokens that stay on the device between the steps of a rollout.
#pragma once
#include <cstdint>

namespace exitrl::device {

// tokens[i] = source[i] < 0 ? given[i] : latest[source[i]]: the rows of a step, whose newest tokens the host does not know yet.
struct SelectTokens {
  const int32_t* given;   // (T)
  const int32_t* source;  // (T)
  const int32_t* latest;  // (S)
  int32_t* tokens;        // (T) =
  int64_t T;
};

// latest[slot[i]] = token[i], history[slot[i]][length[i]] = token[i].
struct StoreTokens {
  const int32_t* token;   // (R) just sampled
  const int32_t* slot;    // (R)
  const int32_t* length;  // (R)
  int32_t* latest;        // (S)
  int32_t* history;       // (S, history_stride); or null
  int64_t R, history_stride;
};

}  // namespace exitrl::device
