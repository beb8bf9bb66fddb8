// A first-in, first-out queue in one piece of memory, which it keeps while items come and go. It costs
// nothing before its first item.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace tailwater {

template <class Item>
class WaitQueue {
 public:
  bool empty() const { return head_ == items_.size(); }
  std::size_t size() const { return items_.size() - head_; }
  Item& front() { return items_[head_]; }
  // In the order in which they came.
  Item& operator[](std::size_t index) { return items_[head_ + index]; }
  const Item& operator[](std::size_t index) const { return items_[head_ + index]; }
  void push(Item item) { items_.push_back(std::move(item)); }
  // What the front item holds may live on for a while: move out of it first what must not.
  void pop() {
    if (++head_ == items_.size()) {
      clear();
    } else if (head_ >= kPassedMax && head_ * 2 >= items_.size()) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
  }
  void clear() {
    items_.clear();
    head_ = 0;
  }

 private:
  static constexpr std::size_t kPassedMax = 64;
  std::vector<Item> items_;
  std::size_t head_ = 0;
};

}  // namespace tailwater
