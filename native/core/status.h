// The one error type of the native core. The Node-API border (napi/) turns it into a JavaScript Error with `code`.
#pragma once
#include <stdexcept>
#include <string>

namespace exitrl {

enum class ErrorCode { invalid_argument, invalid_file, out_of_memory, io, cancelled, internal };

constexpr const char* name(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument: return "ERR_INVALID_ARGUMENT";
    case ErrorCode::invalid_file: return "ERR_INVALID_FILE";
    case ErrorCode::out_of_memory: return "ERR_OUT_OF_MEMORY";
    case ErrorCode::io: return "ERR_IO";
    case ErrorCode::cancelled: return "ABORT_ERR";
    default: return "ERR_INTERNAL";
  }
}

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code(code) {}
  ErrorCode code;
};

// Messages say what is wrong, where, and what to do about it.
[[noreturn]] inline void fail(ErrorCode code, const std::string& message) { throw Error(code, message); }
inline void require(bool ok, const std::string& message) {
  if (!ok) fail(ErrorCode::invalid_argument, message);
}

}  // namespace exitrl
