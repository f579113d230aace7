#include "rollout/scheduler.h"

#include <algorithm>

namespace exitrl {
namespace {

int64_t page_count(int64_t positions) { return (positions + kLanes - 1) / kLanes; }

}  // namespace

Scheduler::Scheduler(Pages& pages, PrefixCache* cache, std::vector<Prefix>& prefixes, std::vector<Sequence>& sequences,
                     const GenerateSettings& settings)
    : pages_(pages), cache_(cache), prefixes_(prefixes), sequences_(sequences), settings_(settings) {
  for (Sequence& s : sequences_) waiting_.push_back(&s);
}

void Scheduler::drop(std::vector<int32_t>& pages) {
  for (int32_t p : pages) pages_.release(p);
  pages.clear();
}

void Scheduler::drop_prefix(Prefix& prefix) {
  drop(prefix.pages);
  prefix.cached = 0;
}

// Pages that `s` must still get before its next `rows` positions can be written.
int64_t Scheduler::pages_needed(const Sequence& s, int64_t rows) const {
  int64_t needed = page_count(s.cached + rows) - int64_t(s.pages.size());
  const bool writes_shared_page = s.cached % kLanes != 0 && pages_.shared(s.pages[size_t(s.cached / kLanes)]);
  return std::max<int64_t>(0, needed) + (writes_shared_page ? 1 : 0);
}

void Scheduler::give_pages(Sequence& s, int64_t rows) {
  if (s.cached % kLanes != 0) {
    int32_t& last = s.pages[size_t(s.cached / kLanes)];
    if (pages_.shared(last)) last = pages_.copy(last);
  }
  while (int64_t(s.pages.size()) < page_count(s.cached + rows)) s.pages.push_back(pages_.take());
}

// Whether `needed` pages are free, at the cost of pages kept from earlier calls.
bool Scheduler::has_free(int64_t needed) {
  if (cache_) cache_->make_room(needed);
  return pages_.free() >= needed;
}

// The beginning of a prompt that an earlier call has computed. Its last row is always computed here, for its logits.
void Scheduler::find_cached(Prefix& prefix) {
  if (!cache_ || !prefix.pages.empty()) return;
  prefix.pages = cache_->match(prefix.tokens, prefix.length - 1);
  prefix.cached = int64_t(prefix.pages.size()) * kLanes;
  reused_tokens_ += prefix.cached;
}

void Scheduler::prefilled(const Prefix& prefix) {
  if (cache_) cache_->insert(prefix.tokens, prefix.cached, prefix.pages);
}

// Frees pages until `needed` are free: first what earlier calls left, then prompts nobody runs on, then the youngest running
// sequences. `keep` and sequences older than it keep theirs, so the oldest one always gets through.
bool Scheduler::make_room(int64_t needed, const Sequence* keep, const Prefix* keep_prefix) {
  for (;;) {
    for (auto p = prefixes_.rbegin(); p != prefixes_.rend() && !has_free(needed); ++p)
      if (p->running == 0 && !p->pages.empty() && &*p != keep_prefix) drop_prefix(*p);
    if (has_free(needed)) return true;
    if (running_.empty() || running_.back() == keep) return false;
    Sequence* victim = running_.back();
    running_.pop_back();
    drop(victim->pages);
    victim->cached = 0;
    --prefixes_[size_t(victim->prefix)].running;
    waiting_.push_front(victim);
    ++preemptions_;
  }
}

std::vector<Sequence*> Scheduler::startable() {
  std::vector<Sequence*> out;
  while (!waiting_.empty() && int64_t(running_.size() + out.size()) < settings_.max_running) {
    Sequence* s = waiting_.front();
    Prefix& prefix = prefixes_[size_t(s->prefix)];
    if (int64_t(s->tokens.size()) == prefix.length && !prefix.known) break;  // its prompt comes first
    // Room for what it has and one more token, and a page for every sixteen that run: admitting a sequence only to
    // preempt it at once would waste its work.
    const bool shares = prefix.cached == prefix.length;
    const int64_t own = page_count(int64_t(s->tokens.size()) + 1) - (shares ? prefix.length / kLanes : 0);
    const bool alone = running_.empty() && out.empty();
    const int64_t reserve = int64_t(running_.size() + out.size()) / kLanes;
    if (!has_free(own + reserve) && !(alone && make_room(own, nullptr, &prefix))) break;
    waiting_.pop_front();
    out.push_back(s);
    ++prefix.running;
  }
  return out;
}

void Scheduler::started(Sequence* s, bool is_finished) {
  Prefix& prefix = prefixes_[size_t(s->prefix)];
  if (is_finished) {
    --prefix.running;
    if (--prefix.unfinished == 0) drop_prefix(prefix);
    return;
  }
  if (prefix.cached == prefix.length) {
    s->pages = prefix.pages;
    for (int32_t p : s->pages) pages_.share(p);
    s->cached = prefix.length;
  }
  running_.push_back(s);
}

std::vector<Chunk> Scheduler::next_step() {
  std::vector<Chunk> chunks;
  int64_t budget = settings_.prefill_tokens;
  // Oldest first; make_room() takes from the young end, so the loop's end may move.
  for (size_t i = 0; i < running_.size(); ++i) {
    Sequence& s = *running_[i];
    if (s.complete) continue;
    int64_t rows = int64_t(s.tokens.size()) - s.cached;
    if (rows > 1) {
      rows = std::min(rows, budget);
      if (rows == 0) continue;
    }
    if (!make_room(pages_needed(s, rows), &s, nullptr)) continue;
    give_pages(s, rows);
    if (rows > 1) budget -= rows;
    chunks.push_back({&s, nullptr, rows, !s.ended && s.cached + rows == int64_t(s.tokens.size())});
  }
  // Prompts of the sequences that wait in front, as far as places, pages and the budget go.
  int64_t places = settings_.max_running - int64_t(running_.size());
  for (Sequence* s : waiting_) {
    if (places-- <= 0 || budget <= 0) break;
    Prefix& prefix = prefixes_[size_t(s->prefix)];
    if (prefix.known) continue;
    if (!chunks.empty() && chunks.back().prefix == &prefix) continue;
    find_cached(prefix);
    const int64_t rows = std::min(prefix.length - prefix.cached, budget);
    const int64_t needed = page_count(prefix.cached + rows) - int64_t(prefix.pages.size());
    if (!has_free(needed) && !(chunks.empty() && make_room(needed, nullptr, &prefix))) break;
    for (int64_t p = 0; p < needed; ++p) prefix.pages.push_back(pages_.take());
    budget -= rows;
    chunks.push_back({nullptr, &prefix, rows, prefix.cached + rows == prefix.length});
  }
  return chunks;
}

void Scheduler::finished(Sequence* s) {
  if (cache_) cache_->insert(s->tokens.data(), s->cached, s->pages);
  drop(s->pages);
  Prefix& prefix = prefixes_[size_t(s->prefix)];
  const auto at = std::find(running_.begin(), running_.end(), s);
  if (at != running_.end()) {
    running_.erase(at);
    --prefix.running;
  } else {
    // Preempted before its last token was known.
    waiting_.erase(std::find(waiting_.begin(), waiting_.end(), s));
  }
  if (--prefix.unfinished == 0) drop_prefix(prefix);
}

}  // namespace exitrl
