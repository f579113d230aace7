#include "napi/executor.h"

#include "napi/napi_support.h"

namespace exitrl {

// References to JavaScript objects may be dropped on the JavaScript thread only: so jobs are freed there.
struct Executor::Job {
  Job(Napi::Env env, std::stop_token cancel_, Work work_)
      : deferred(Napi::Promise::Deferred::New(env)), cancel(std::move(cancel_)), work(std::move(work_)) {}
  Napi::Promise::Deferred deferred;
  std::stop_token cancel;
  Work work;
  std::vector<Napi::ObjectReference> pins;
  Convert convert;
  std::exception_ptr failure;
};

Executor::Executor(Napi::Env env) {
  const auto finalize = [](Napi::Env, void*, Executor* self) { self->close(); };
  settle_ = Settle::New(env, "exit-rl", 0, 1, this, finalize);
  settle_.Unref(env);
  thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
}

Napi::Promise Executor::submit(Napi::Env env, const std::vector<Napi::Object>& pins, std::stop_token cancel, Work work) {
  auto job = std::make_unique<Job>(env, std::move(cancel), std::move(work));
  for (const auto& pin : pins) job->pins.push_back(Napi::Persistent(pin));
  Napi::Promise promise = job->deferred.Promise();
  if (pending_++ == 0) settle_.Ref(env);  // the process stays alive only while jobs are pending
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
  return promise;
}

void Executor::on_settled(Napi::Env env, Napi::Function, Executor* self, Job* raw) {
  const std::unique_ptr<Job> job(raw);
  if (env == nullptr) return;  // torn down: the job is only freed
  if (--self->pending_ == 0) self->settle_.Unref(env);
  // Settling throws when the environment is being terminated; an exception would end the process.
  try {
    try {
      if (job->failure) std::rethrow_exception(job->failure);
      job->deferred.Resolve(job->convert(env));
    } catch (...) {
      job->deferred.Reject(to_js(env, std::current_exception()).Value());
    }
  } catch (...) {
  }
}

void Executor::run_job(Job& job, std::stop_token shutdown) {
  std::stop_source either;
  const auto ask = [&either] { either.request_stop(); };
  const std::stop_callback on_shutdown(shutdown, ask);
  const std::stop_callback on_cancel(job.cancel, ask);
  try {
    if (either.stop_requested()) fail(ErrorCode::cancelled, "the operation was cancelled before it started");
    job.convert = job.work(either.get_token());
  } catch (...) {
    job.failure = std::current_exception();
  }
}

void Executor::run(std::stop_token shutdown) {
  for (;;) {
    std::unique_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      if (!wake_.wait(lock, shutdown, [this] { return !queue_.empty(); })) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    run_job(*job, shutdown);
    Job* raw = job.release();
    if (settle_.BlockingCall(raw) == napi_ok) continue;
    std::lock_guard lock(mutex_);
    orphans_.emplace_back(raw);
    return;
  }
}

void Executor::close() {
  thread_.request_stop();
  thread_.join();
  queue_.clear();
  orphans_.clear();
  delete this;
}

}  // namespace exitrl
