// A vector of small trivial values that keeps up to `Inline` of them in itself and goes to the heap only
// beyond. Replica lists are this: a partition with the usual replication factor owns no allocation.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <type_traits>
#include <utility>

namespace tailwater::cluster {

template <class T, std::uint32_t Inline>
class InlineVector {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  InlineVector() = default;
  InlineVector(std::initializer_list<T> values)
      : InlineVector(std::span<const T>(values.begin(), values.size())) {}
  explicit InlineVector(std::span<const T> values) {
    for (const T& value : values) push_back(value);
  }
  InlineVector(const InlineVector& other) : InlineVector(std::span<const T>(other.data(), other.size())) {}
  InlineVector(InlineVector&& other) noexcept { swap(other); }
  InlineVector& operator=(InlineVector other) noexcept {
    swap(other);
    return *this;
  }
  ~InlineVector() { delete[] heap_; }

  void push_back(T value) {
    if (size_ == capacity()) grow();
    data()[size_++] = value;
  }
  // Keeps the order of what stays.
  void remove(const T& value) {
    size_ = static_cast<std::uint32_t>(std::remove(begin(), end(), value) - begin());
  }
  void clear() { size_ = 0; }

  T* data() { return heap_ != nullptr ? heap_ : inline_; }
  const T* data() const { return heap_ != nullptr ? heap_ : inline_; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](std::size_t index) { return data()[index]; }
  const T& operator[](std::size_t index) const { return data()[index]; }
  const T& front() const { return data()[0]; }
  bool contains(const T& value) const { return std::find(begin(), end(), value) != end(); }
  friend bool operator==(const InlineVector& a, const InlineVector& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  std::uint32_t capacity() const { return heap_ != nullptr ? capacity_ : Inline; }
  void grow() {
    const std::uint32_t wider = capacity() * 2;
    T* heap = new T[wider];
    std::copy(begin(), end(), heap);
    delete[] heap_;
    heap_ = heap;
    capacity_ = wider;
  }
  void swap(InlineVector& other) noexcept {
    std::swap(heap_, other.heap_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    std::swap(inline_, other.inline_);
  }

  T* heap_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
  T inline_[Inline]{};
};

}  // namespace tailwater::cluster
