// Goal: the same boot gives the same id, nonsense gives none. Method: texts, and this machine.
#include "shell/system/boot_id.hpp"

#include <gtest/gtest.h>

namespace tailwater::shell {
namespace {

TEST(BootId, IsReadAsTheKernelWritesIt) {
  const Uuid id = parse_boot_id("00112233-4455-6677-8899-aabbccddeeff\n");
  EXPECT_EQ(id.high, 0x0011223344556677U);
  EXPECT_EQ(id.low, 0x8899aabbccddeeffU);
}

TEST(BootId, AnythingElseIsNone) {
  for (const char* text :
       {"", "\n", "00112233-4455-6677-8899-aabbccddeef", "00112233-4455-6677-8899-aabbccddeeff0",
        "00112233-4455-6677-8899-aabbccddeefg", "(none)"}) {
    EXPECT_TRUE(parse_boot_id(text).is_zero()) << text;
  }
}

TEST(BootId, OfThisMachineStays) {
  EXPECT_FALSE(boot_id().is_zero());
  EXPECT_EQ(boot_id(), boot_id());
}

}  // namespace
}  // namespace tailwater::shell
