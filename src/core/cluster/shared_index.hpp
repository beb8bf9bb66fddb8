// An ordered index whose versions share what did not change: a sorted sequence of leaves of at most 64
// values, each leaf immutable and held by shared_ptr. A new version after a small change copies one leaf and
// the list of leaves. Keys are taken out of the values by KeyOf. Iteration is in key order. An Editor makes
// the next version; it copies a leaf at most once, so a batch of changes costs no more than the leaves that
// it touches.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace tailwater::cluster {

template <class Value, class KeyOf>
class SharedIndex {
 public:
  static constexpr std::size_t kLeafMax = 64;
  using Leaf = std::vector<Value>;
  using LeafHandle = std::shared_ptr<const Leaf>;

  class Iterator {
   public:
    using value_type = Value;
    using reference = const Value&;
    using pointer = const Value*;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::forward_iterator_tag;

    Iterator() = default;
    Iterator(const std::vector<LeafHandle>* leaves, std::size_t leaf, std::size_t at)
        : leaves_(leaves), leaf_(leaf), at_(at) {}
    reference operator*() const { return (*(*leaves_)[leaf_])[at_]; }
    pointer operator->() const { return &**this; }
    Iterator& operator++() {
      if (++at_ == (*leaves_)[leaf_]->size()) skip_leaf();
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    // The leaf, if this is its first value; else null.
    const Leaf* leaf_started() const {
      return leaf_ < leaves_->size() && at_ == 0 ? (*leaves_)[leaf_].get() : nullptr;
    }
    void skip_leaf() {
      ++leaf_;
      at_ = 0;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) {
      return a.leaf_ == b.leaf_ && a.at_ == b.at_;
    }

   private:
    const std::vector<LeafHandle>* leaves_ = nullptr;
    std::size_t leaf_ = 0;
    std::size_t at_ = 0;
  };

  Iterator begin() const { return {&leaves_, 0, 0}; }
  Iterator end() const { return {&leaves_, leaves_.size(), 0}; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  template <class Key>
  const Value* find(const Key& key) const {
    const Iterator at = lower_bound(key);
    return at != end() && KeyOf{}(*at) == key ? &*at : nullptr;
  }
  // The first value whose key is not less than `key`.
  template <class Key>
  Iterator lower_bound(const Key& key) const {
    const std::size_t leaf = leaf_of(leaves_, key);
    if (leaf == leaves_.size()) return end();
    return {&leaves_, leaf, position_in(*leaves_[leaf], key)};
  }

  // Makes the next version. REQUIRES: the editor is used by one thread and finished once.
  class Editor {
   public:
    explicit Editor(const SharedIndex& from)
        : leaves_(from.leaves_), owned_(from.leaves_.size(), false), size_(from.size_) {}

    Editor(const Editor&) = delete;
    Editor& operator=(const Editor&) = delete;
    Editor(Editor&&) = default;
    Editor& operator=(Editor&&) = default;

    template <class Key>
    const Value* find(const Key& key) const {
      const std::size_t leaf = leaf_of(leaves_, key);
      if (leaf == leaves_.size()) return nullptr;
      const std::size_t at = position_in(*leaves_[leaf], key);
      return KeyOf{}((*leaves_[leaf])[at]) == key ? &(*leaves_[leaf])[at] : nullptr;
    }

    // Inserts the value, or replaces the one with the same key.
    void set(Value value) {
      if (leaves_.empty()) {
        leaves_.push_back(std::make_shared<Leaf>());
        owned_.push_back(false);
      }
      std::size_t leaf = leaf_of(leaves_, KeyOf{}(value));
      if (leaf == leaves_.size()) --leaf;  // beyond the greatest key: the last leaf takes it
      Leaf& values = own(leaf);
      const std::size_t at = position_in(values, KeyOf{}(value));
      if (at < values.size() && KeyOf{}(values[at]) == KeyOf{}(value)) {
        values[at] = std::move(value);
        return;
      }
      values.insert(values.begin() + static_cast<std::ptrdiff_t>(at), std::move(value));
      ++size_;
      if (values.size() > kLeafMax) split(leaf);
    }

    // True if there was such a value.
    template <class Key>
    bool erase(const Key& key) {
      const std::size_t leaf = leaf_of(leaves_, key);
      if (leaf == leaves_.size()) return false;
      const std::size_t at = position_in(*leaves_[leaf], key);
      if (!(KeyOf{}((*leaves_[leaf])[at]) == key)) return false;
      Leaf& values = own(leaf);
      values.erase(values.begin() + static_cast<std::ptrdiff_t>(at));
      --size_;
      if (values.empty()) {
        leaves_.erase(leaves_.begin() + static_cast<std::ptrdiff_t>(leaf));
        owned_.erase(owned_.begin() + static_cast<std::ptrdiff_t>(leaf));
      }
      return true;
    }

    SharedIndex finish() {
      SharedIndex index;
      index.leaves_ = std::move(leaves_);
      index.size_ = size_;
      return index;
    }

   private:
    Leaf& own(std::size_t leaf) {
      if (!owned_[leaf]) {
        leaves_[leaf] = std::make_shared<Leaf>(*leaves_[leaf]);
        owned_[leaf] = true;
      }
      return const_cast<Leaf&>(*leaves_[leaf]);  // made by this editor, seen by nobody else yet
    }
    void split(std::size_t leaf) {
      Leaf& values = own(leaf);
      // A leaf that grows at its end stays nearly full: names and ids often come in order.
      const auto keep =
          static_cast<std::ptrdiff_t>(leaf + 1 == leaves_.size() ? kLeafMax - kLeafMax / 8 : kLeafMax / 2);
      auto right = std::make_shared<Leaf>(std::make_move_iterator(values.begin() + keep),
                                          std::make_move_iterator(values.end()));
      values.erase(values.begin() + keep, values.end());
      leaves_.insert(leaves_.begin() + static_cast<std::ptrdiff_t>(leaf) + 1, std::move(right));
      owned_.insert(owned_.begin() + static_cast<std::ptrdiff_t>(leaf) + 1, true);
    }

    std::vector<LeafHandle> leaves_;
    std::vector<bool> owned_;
    std::size_t size_;
  };

 private:
  // The leaf in which the key is or would be: the first whose greatest key is not less.
  template <class Key>
  static std::size_t leaf_of(const std::vector<LeafHandle>& leaves, const Key& key) {
    const auto at =
        std::lower_bound(leaves.begin(), leaves.end(), key, [](const LeafHandle& leaf, const Key& wanted) {
          return leaf->empty() || KeyOf{}(leaf->back()) < wanted;
        });
    return static_cast<std::size_t>(at - leaves.begin());
  }
  template <class Key>
  static std::size_t position_in(const Leaf& leaf, const Key& key) {
    const auto at =
        std::lower_bound(leaf.begin(), leaf.end(), key,
                         [](const Value& value, const Key& wanted) { return KeyOf{}(value) < wanted; });
    return static_cast<std::size_t>(at - leaf.begin());
  }

  std::vector<LeafHandle> leaves_;
  std::size_t size_ = 0;
};

// Calls on_pair(before, after) for every value that differs between two versions; one of both is null where
// the key exists on one side only. Leaves that are shared are skipped whole.
template <class Value, class KeyOf, class OnPair>
void for_each_difference(const SharedIndex<Value, KeyOf>& before, const SharedIndex<Value, KeyOf>& after,
                         OnPair on_pair) {
  auto old_at = before.begin();
  auto new_at = after.begin();
  while (old_at != before.end() || new_at != after.end()) {
    const bool both = old_at != before.end() && new_at != after.end();
    if (both && old_at.leaf_started() != nullptr && old_at.leaf_started() == new_at.leaf_started()) {
      old_at.skip_leaf();
      new_at.skip_leaf();
    } else if (new_at == after.end() || (both && KeyOf{}(*old_at) < KeyOf{}(*new_at))) {
      on_pair(&*old_at, static_cast<const Value*>(nullptr));
      ++old_at;
    } else if (old_at == before.end() || KeyOf{}(*new_at) < KeyOf{}(*old_at)) {
      on_pair(static_cast<const Value*>(nullptr), &*new_at);
      ++new_at;
    } else {
      if (!(*old_at == *new_at)) on_pair(&*old_at, &*new_at);
      ++old_at;
      ++new_at;
    }
  }
}

}  // namespace tailwater::cluster
