// Products through cuBLASLt, for Order::any.
//
// Its first suggestion is often not its fastest (measured on an H200: 73 to 84 % of the best one's rate for a third of the products of a
// training step). So the suggestions for a large product are timed when one of its size is first met, and the fastest of those that give
// the bits of the first is taken: what the clock says changes no result. (Compared for that product; algorithms that sum alike there are
// taken to sum alike for the others of its size.)
#include <map>

#include "cuda/libraries.h"
#include "ops/matmul/cublaslt.h"

namespace exitrl::cuda {

using namespace lt;

struct Libraries {
  Api api{};
  Handle handle = nullptr;
  void* workspace = nullptr;
  std::map<Key, Plan> plans;
  std::map<Key, Algorithm> fastest;  // by bucket_of
  std::map<Key, Plan> timed_plans;  // of bare_gemm
};

Libraries* open_libraries(Context& context) {
  Library& library = cublaslt();
  auto libraries = std::make_unique<Libraries>();
  if (!library.handle) return nullptr;
  const auto refuse = [&](const std::string& why) {
    library.note = "not used: " + why;
    return nullptr;
  };
  if (!libraries->api.load(library.handle)) return refuse("functions of cublasLt.h are missing in it");
  if (const int status = libraries->api.create(&libraries->handle); status != 0)
    return refuse("cublasLtCreate failed with status " + std::to_string(status) + " (does the driver support its CUDA version?)");
  if (cudaMalloc(&libraries->workspace, kWorkspaceBytes) != cudaSuccess) {
    cudaGetLastError();
    libraries->api.destroy(libraries->handle);
    return refuse("no memory for its workspace");
  }
  context.workspace = libraries->workspace;
  context.workspace_bytes = kWorkspaceBytes;
  return libraries.release();
}

void close_libraries(Libraries* libraries) {
  if (!libraries) return;
  libraries->plans.clear();
  libraries->timed_plans.clear();
  libraries->api.destroy(libraries->handle);
  cudaFree(libraries->workspace);
  delete libraries;
}

namespace {

// Memory for a while, in no plan; null where there is none.
class Borrowed {
 public:
  explicit Borrowed(size_t bytes) {
    if (cudaMalloc(&data_, bytes) != cudaSuccess) cudaGetLastError(), data_ = nullptr;
  }
  Borrowed(const Borrowed&) = delete;
  ~Borrowed() { cudaFree(data_); }
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
};

class Timer {
 public:
  explicit Timer(cudaStream_t stream) : stream_(stream) {
    check(cudaEventCreate(&begin_), "making an event");
    check(cudaEventCreate(&end_), "making an event");
  }
  Timer(const Timer&) = delete;
  ~Timer() {
    for (cudaEvent_t event : {begin_, end_})
      if (event) cudaEventDestroy(event);
  }
  // Milliseconds of five runs after one to warm up; negative: the library refuses.
  template <class Run>
  float of(Run&& run) const {
    constexpr int kRuns = 5;
    if (run() != 0) return -1;
    check(cudaEventRecord(begin_, stream_), "timing products");
    for (int i = 0; i < kRuns; ++i) run();
    check(cudaEventRecord(end_, stream_), "timing products");
    check(cudaEventSynchronize(end_), "timing products");
    float took = 0;
    check(cudaEventElapsedTime(&took, begin_, end_), "timing products");
    return took;
  }

 private:
  cudaStream_t stream_;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

// Adds to `sum` a number that tells the bits of (M, N) numbers, in any order of threads.
template <class T>
__global__ void __launch_bounds__(256) fingerprint_kernel(const T* d, int64_t M, int64_t N, int64_t ldd, unsigned long long* sum) {
  unsigned long long own = 0;
  for (int64_t i = int64_t(blockIdx.x) * 256 + threadIdx.x; i < M * N; i += int64_t(gridDim.x) * 256) {
    uint64_t x = uint64_t(d[i / N * ldd + i % N]) + uint64_t(i) * 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    own += (x ^ x >> 27) * 0x94d049bb133111eb;
  }
  atomicAdd(sum, own);
}

unsigned long long fingerprint(Context& context, const device::Gemm& a, unsigned long long* sum) {
  check(cudaMemsetAsync(sum, 0, sizeof *sum, context.stream), "comparing products");
  const auto add = [&](auto tag) {
    using T = decltype(tag);
    launch(context, "fingerprint", fingerprint_kernel<T>, dim3(1024), 256, 0, static_cast<const T*>(a.d), a.M, a.N, a.ldd, sum);
  };
  if (a.output == Precision::bf16) add(uint16_t{});
  else add(uint32_t{});
  unsigned long long out = 0;
  check(cudaMemcpyAsync(&out, sum, sizeof out, cudaMemcpyDeviceToHost, context.stream), "comparing products");
  check(cudaStreamSynchronize(context.stream), "comparing products");
  return out;
}

// The fastest suggestion that gives the bits of the first; the first, if nothing can be tried. Waits for the device.
Algorithm fastest_of(const Plan& plan, const std::vector<Heuristic>& suggestions, Handle handle, Context& context,
                     const device::Gemm& product) {
  Algorithm chosen = suggestions.front().algorithm;
  device::Gemm a = product;
  const bool in_place = a.addend == a.d;  // would grow with every try
  const Borrowed sum(sizeof(unsigned long long));
  const Borrowed elsewhere(in_place ? size_t(a.M) * size_t(a.ldd) * (a.output == Precision::bf16 ? 2 : 4) : 1);
  if (!sum.data() || !elsewhere.data()) return chosen;
  if (in_place) a.d = elsewhere.data();
  const auto bits = [&] { return fingerprint(context, a, static_cast<unsigned long long*>(sum.data())); };
  const Timer timer(context.stream);
  float best = 0;
  unsigned long long wanted = 0;
  for (size_t i = 0; i < suggestions.size(); ++i) {
    const Algorithm& one = suggestions[i].algorithm;
    const float took = timer.of([&] { return plan.run(handle, context, a, one); });
    if (i == 0) {
      if (took < 0) break;
      best = took, wanted = bits();
    } else if (took >= 0 && took < best && bits() == wanted) {
      best = took, chosen = one;
    }
  }
  return chosen;
}

// Whether timing is worth its while. Weights for few rows come from memory, since the products of all other layers lie between, and
// from the caches where one product is repeated: measured so, even with the caches emptied before, the choice made decoding slower.
bool is_worth_timing(const Context& context, const device::Gemm& a) {
  constexpr int64_t kFewRows = 1024;
  cudaStreamCaptureStatus capturing = cudaStreamCaptureStatusActive;
  return a.M > kFewRows / (a.kind == GemmKind::tn ? 2 : 1) && double(a.M) * double(a.N) * double(a.K) >= double(int64_t{1} << 31) &&
         cudaStreamIsCapturing(context.stream, &capturing) == cudaSuccess && capturing == cudaStreamCaptureStatusNone;
}

// Describes the product and chooses its algorithm.
void make_plan(Plan& plan, Libraries& libraries, Context& context, const device::Gemm& a) {
  const bool timed = is_worth_timing(context, a);
  const Key bucket = bucket_of(a);
  const bool fresh = timed && !libraries.fastest.contains(bucket);
  const auto suggestions = plan.make(libraries.handle, a, context.workspace_bytes, fresh ? kSuggestions : 1);
  if (!timed || !plan.usable) return;
  if (fresh) libraries.fastest[bucket] = fastest_of(plan, suggestions, libraries.handle, context, a);
  const Algorithm& fastest = libraries.fastest[bucket];
  if (plan.accepts(libraries.handle, fastest, context.workspace_bytes)) plan.algorithm = fastest;
}

}  // namespace

bool gemm_cublaslt(Context& context, const device::Gemm& a) {
  if (a.bias && (a.input != a.output || alignment(a.bias) < 16)) return false;  // its bias has the type of d
  Libraries& libraries = *context.libraries;
  constexpr size_t kMostPlans = 4096;  // packed batches have ever new numbers of rows
  const Key key = key_of(a);
  auto at = libraries.plans.find(key);
  if (at == libraries.plans.end()) {
    if (libraries.plans.size() >= kMostPlans) libraries.plans.clear();
    at = libraries.plans.try_emplace(key, libraries.api).first;
    make_plan(at->second, libraries, context, a);
  }
  Plan& plan = at->second;
  if (!plan.usable) return false;
  const Api& api = libraries.api;
  if (a.bias) demand(api.description_set(plan.description, kBiasPointer, &a.bias, sizeof a.bias), "cublasLtMatmulDescSetAttribute");
  const int status = plan.run(libraries.handle, context, a, plan.algorithm);
  if (status == kNotSupported || status == kInvalidValue) {  // refused before anything ran
    plan.usable = false;
    return false;
  }
  demand(context, status, "cublasLtMatmul");
  return true;
}

void bare_gemm(Context& context, const device::Gemm& a, int64_t times) {
  if (!context.libraries) fail(ErrorCode::internal, "cuBLASLt: " + (cublaslt().note.empty() ? "cannot be used" : cublaslt().note));
  Libraries& libraries = *context.libraries;
  const auto [at, fresh] = libraries.timed_plans.try_emplace(key_of(a), libraries.api);
  Plan& plan = at->second;
  if (fresh) {
    const Timer timer(context.stream);
    float best = -1;
    for (const Heuristic& one : plan.make(libraries.handle, a, context.workspace_bytes, kSuggestions)) {
      const float took = timer.of([&] { return plan.run(libraries.handle, context, a, one.algorithm); });
      if (took < 0 || (best >= 0 && took >= best)) continue;
      best = took;
      plan.algorithm = one.algorithm;
    }
    plan.usable = best >= 0;
  }
  if (!plan.usable) fail(ErrorCode::internal, "cuBLASLt has no algorithm for this product");
  int status = 0;
  for (int64_t i = 0; i < times && status == 0; ++i) status = plan.run(libraries.handle, context, a, plan.algorithm);
  demand(context, status, "cublasLtMatmul");
}

}  // namespace exitrl::cuda
