// One native worker thread per JavaScript environment. Jobs run in order on it; promises settle on the JavaScript
// thread. libuv's four threads stay free for files and sockets.
#pragma once
#include <napi.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace exitrl {

class Executor {
 public:
  using Convert = std::function<Napi::Value(Napi::Env)>;  // makes the result; runs on the JavaScript thread
  using Work = std::function<Convert(std::stop_token)>;   // runs on the worker thread

  // Deletes itself when the environment goes away: running work is asked to stop, and waited for.
  explicit Executor(Napi::Env env);

  // `pins` are kept alive until the job is settled.
  Napi::Promise submit(Napi::Env env, const std::vector<Napi::Object>& pins, std::stop_token cancel, Work work);

 private:
  struct Job;
  static void on_settled(Napi::Env env, Napi::Function, Executor* self, Job* job);
  using Settle = Napi::TypedThreadSafeFunction<Executor, Job, &Executor::on_settled>;
  static void run_job(Job& job, std::stop_token shutdown);
  void run(std::stop_token shutdown);
  void close();

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<std::unique_ptr<Job>> queue_;
  std::vector<std::unique_ptr<Job>> orphans_;  // done, but too late to settle
  Settle settle_;
  size_t pending_ = 0;
  std::jthread thread_;
};

}  // namespace exitrl
