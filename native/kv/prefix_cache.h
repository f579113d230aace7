// Full pages of earlier prompts and answers, found again by their tokens: a tree with a page of 16 tokens at every node.
// Keys and values of a position depend on the weights and the tokens up to it and on nothing else, so a page found here
// holds the bits that computing it again would give.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "kv/pages.h"

namespace exitrl {

class PrefixCache {
 public:
  explicit PrefixCache(Pages& pages) : pages_(&pages) {}

  // The same pages in a larger pool.
  void move_to(Pages& pages) { pages_ = &pages; }

  // Pages of the longest known beginning of `tokens`, at most `limit` positions; the caller gets a share of each.
  std::vector<int32_t> match(const int32_t* tokens, int64_t limit) {
    std::vector<int32_t> out;
    ++now_;
    for (int32_t at = kRoot; int64_t(out.size() + 1) * kLanes <= limit;) {
      const auto found = children_.find(key(at, tokens + int64_t(out.size()) * kLanes));
      if (found == children_.end()) break;
      at = found->second;
      nodes_[size_t(at)].used = now_;
      pages_->share(nodes_[size_t(at)].page);
      out.push_back(nodes_[size_t(at)].page);
    }
    return out;
  }

  // Remembers the full pages among the first `cached` positions.
  void insert(const int32_t* tokens, int64_t cached, const std::vector<int32_t>& pages) {
    ++now_;
    int32_t at = kRoot;
    for (int64_t p = 0; (p + 1) * kLanes <= cached; ++p) {
      const Key k = key(at, tokens + p * kLanes);
      auto found = children_.find(k);
      if (found == children_.end()) {
        pages_->share(pages[size_t(p)]);
        found = children_.emplace(k, add({k, pages[size_t(p)], 0, now_})).first;
        if (at != kRoot) ++nodes_[size_t(at)].children;
      }
      at = found->second;
      nodes_[size_t(at)].used = now_;
    }
  }

  // Gives up pages that nobody else holds, those not used for longest first, until `needed` are free or none is left.
  // Frees some more than asked for, so that looking for them is rare. Where such pages have others below them that somebody holds,
  // those are forgotten first: two prompts that were computed side by side hang one's pages below the other's.
  void make_room(int64_t needed) {
    if (pages_->free() >= needed) return;
    needed += pages_->count() / 16;
    std::vector<int32_t> leaves, held;
    do {
      leaves.clear();
      held.clear();
      bool any = false;
      for (size_t i = 0; i < nodes_.size(); ++i) {
        if (nodes_[i].page == kGone) continue;
        const bool shared = pages_->shared(nodes_[i].page);
        any |= !shared;
        if (nodes_[i].children == 0) (shared ? held : leaves).push_back(int32_t(i));
      }
      if (!any) return;
      if (leaves.empty()) leaves.swap(held);
      std::sort(leaves.begin(), leaves.end(), [&](int32_t a, int32_t b) { return nodes_[size_t(a)].used < nodes_[size_t(b)].used; });
      for (size_t i = 0; i < leaves.size() && pages_->free() < needed; ++i) remove(leaves[i]);
    } while (!leaves.empty() && pages_->free() < needed);
  }

  // Forgets everything without giving pages back: for when the pages themselves have been reset.
  void forget() {
    children_.clear();
    nodes_.clear();
    unused_.clear();
  }

 private:
  static constexpr int32_t kRoot = -1, kGone = -1;
  struct Key {
    int32_t parent;
    std::array<int32_t, kLanes> tokens;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& k) const {
      uint64_t h = 1469598103934665603u ^ uint32_t(k.parent);
      for (int32_t token : k.tokens) h = (h ^ uint32_t(token)) * 1099511628211u;
      return size_t(h ^ (h >> 32));
    }
  };
  struct Node {
    Key key;
    int32_t page;
    int32_t children;
    uint64_t used;
  };

  static Key key(int32_t parent, const int32_t* tokens) {
    Key k{parent, {}};
    std::copy_n(tokens, kLanes, k.tokens.begin());
    return k;
  }

  int32_t add(const Node& node) {
    if (unused_.empty()) {
      nodes_.push_back(node);
      return int32_t(nodes_.size()) - 1;
    }
    const int32_t i = unused_.back();
    unused_.pop_back();
    nodes_[size_t(i)] = node;
    return i;
  }

  void remove(int32_t i) {
    Node& node = nodes_[size_t(i)];
    if (node.key.parent != kRoot) --nodes_[size_t(node.key.parent)].children;
    children_.erase(node.key);
    pages_->release(node.page);
    node.page = kGone;
    unused_.push_back(i);
  }

  Pages* pages_;
  std::unordered_map<Key, int32_t, Hash> children_;
  std::vector<Node> nodes_;
  std::vector<int32_t> unused_;
  uint64_t now_ = 0;
};

}  // namespace exitrl
