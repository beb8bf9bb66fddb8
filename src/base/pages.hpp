// Where memory in large pieces comes from and goes to. Pure rooms take it from the language; a shell may hand
// in something that gets it from the kernel and gives it back at once.
#pragma once

#include <cstddef>
#include <new>

namespace tailwater {

inline constexpr std::size_t kPagesAlignment = std::size_t{1} << 20;

class Pages {
 public:
  virtual ~Pages() = default;
  // Memory at a multiple of kPagesAlignment. Content is undefined.
  virtual std::byte* take(std::size_t size) = 0;
  // REQUIRES: what take(size) gave.
  virtual void give(std::byte* memory, std::size_t size) = 0;
};

class LanguagePages final : public Pages {
 public:
  std::byte* take(std::size_t size) override {
    return static_cast<std::byte*>(::operator new(size, std::align_val_t{kPagesAlignment}));
  }
  void give(std::byte* memory, std::size_t) override {
    ::operator delete(memory, std::align_val_t{kPagesAlignment});
  }
};

}  // namespace tailwater
