// Memory from the kernel, piece by piece. What is given back is the kernel's at once: from a heap it comes
// back late or never, as it cannot be cut out of the middle, and pieces with such an alignment leave holes
// there that no other one fits into.
#pragma once

#include "base/pages.hpp"

namespace tailwater::shell {

class KernelPages final : public Pages {
 public:
  std::byte* take(std::size_t size) override;
  void give(std::byte* memory, std::size_t size) override;
};

}  // namespace tailwater::shell
