#include "shell/system/kernel_pages.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstdint>

#include "base/check.hpp"

namespace tailwater::shell {

namespace {

std::byte* map(std::size_t size) {
  void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  return static_cast<std::byte*>(memory);
}

void unmap(std::byte* memory, std::size_t size) {
  if (size > 0) CHECK(::munmap(memory, size) == 0);
}

// Bytes from `memory` to the next multiple of the alignment.
std::size_t before_aligned(const std::byte* memory) {
  return -reinterpret_cast<std::uintptr_t>(memory) % kPagesAlignment;
}

}  // namespace

std::byte* KernelPages::take(std::size_t size) {
  // One mapping follows on the other, so once one was aligned most are.
  std::byte* const memory = map(size);
  if (before_aligned(memory) == 0) return memory;
  unmap(memory, size);
  std::byte* const whole = map(size + kPagesAlignment);
  const std::size_t before = before_aligned(whole);
  unmap(whole, before);
  unmap(whole + before + size, kPagesAlignment - before);
  return whole + before;
}

void KernelPages::give(std::byte* memory, std::size_t size) {
  if (::munmap(memory, size) == 0) return;
  // The process has as many mappings as the kernel allows (vm.max_map_count), and this would split one: the
  // memory goes back, and its addresses are never used again.
  CHECK(errno == ENOMEM && ::madvise(memory, size, MADV_DONTNEED) == 0);
}

}  // namespace tailwater::shell
