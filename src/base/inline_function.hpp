// A function object that lives where it is kept: like std::move_only_function, but what it captures takes no
// memory of its own, and what is larger than the place for it does not compile.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include "base/check.hpp"

namespace tailwater {

template <class Signature, std::size_t Size>
class InlineFunction;

template <class Result, class... Arguments, std::size_t Size>
class InlineFunction<Result(Arguments...), Size> {
 public:
  InlineFunction() = default;
  template <class Function>
    requires(!std::is_same_v<std::remove_cvref_t<Function>, InlineFunction> &&
             std::is_invocable_r_v<Result, Function&, Arguments...>)
  InlineFunction(Function&& function) {
    using Kept = std::remove_cvref_t<Function>;
    static_assert(sizeof(Kept) <= Size, "captures too much for the place");
    static_assert(alignof(Kept) <= alignof(std::max_align_t));
    ::new (memory_) Kept(std::forward<Function>(function));
    operations_ = &kOperations<Kept>;
  }
  InlineFunction(InlineFunction&& other) noexcept { take(other); }
  InlineFunction& operator=(InlineFunction&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  ~InlineFunction() { reset(); }

  explicit operator bool() const { return operations_ != nullptr; }
  // REQUIRES: it is not empty.
  Result operator()(Arguments... arguments) {
    CHECK(operations_ != nullptr);
    return operations_->call(memory_, std::forward<Arguments>(arguments)...);
  }
  void reset() {
    if (operations_ != nullptr) std::exchange(operations_, nullptr)->destroy(memory_);
  }

 private:
  struct Operations {
    Result (*call)(void*, Arguments...);
    void (*move)(void* from, void* to);
    void (*destroy)(void*);
  };
  template <class Kept>
  static constexpr Operations kOperations = {
      [](void* kept, Arguments... arguments) -> Result {
        return (*static_cast<Kept*>(kept))(std::forward<Arguments>(arguments)...);
      },
      [](void* from, void* to) { ::new (to) Kept(std::move(*static_cast<Kept*>(from))); },
      [](void* kept) { static_cast<Kept*>(kept)->~Kept(); }};

  void take(InlineFunction& other) {
    if (other.operations_ == nullptr) return;
    other.operations_->move(other.memory_, memory_);
    operations_ = other.operations_;
    other.reset();
  }

  const Operations* operations_ = nullptr;
  alignas(std::max_align_t) std::byte memory_[Size];
};

}  // namespace tailwater
