// Goal: columns stand under their names, whatever is in them. Numbers for people read well.
// Method: known texts.
#include "apps/cli/table.hpp"

#include <gtest/gtest.h>

#include "apps/cli/progress.hpp"

namespace tailwater::apps::cli {
namespace {

TEST(Table, Aligns) {
  Table table({"NAME", "N"});
  EXPECT_TRUE(table.empty());
  table.row({"a", "1"});
  table.row({"\xc3\xa9t\xc3\xa9s", ""});
  table.row({"x\ny", "22"});
  EXPECT_EQ(table.text(),
            "NAME    N\n"
            "a       1\n"
            "\xc3\xa9t\xc3\xa9s    -\n"
            "x\\x0ay  22\n");
}

TEST(Numbers, ForPeople) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1'000), "1,000");
  EXPECT_EQ(grouped(1'234'567), "1,234,567");
  EXPECT_EQ(grouped(-1'000), "-1,000");
  EXPECT_EQ(size_text(1), "1 byte");
  EXPECT_EQ(size_text(1'023), "1023 bytes");
  EXPECT_EQ(size_text(1'536), "1.5 KiB");
  EXPECT_EQ(size_text(std::int64_t{5} << 40U), "5.0 TiB");
}

}  // namespace
}  // namespace tailwater::apps::cli
