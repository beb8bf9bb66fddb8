// Goal: the manual has every command, what many have is told once, and no text is taken for a request of roff.
// Method: the page of a small tree of commands.
#include "apps/cli/man_page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/command_line.hpp"

namespace tailwater::apps::cli {
namespace {

using ::testing::HasSubstr;

DescribedCommand program() {
  const DescribedOption brokers{.names = {"-B", "--brokers"},
                                .kind = "HOST:PORT",
                                .help = "Brokers.",
                                .environment = "BROKERS",
                                .heading = "Connection"};
  const DescribedOption help{.names = {"-h", "--help"}, .help = "Help."};
  DescribedCommand list{.name = "list", .summary = "List."};
  list.options = {brokers, help};
  DescribedCommand create{.name = "create", .summary = ".dot 'n' \\back"};
  create.arguments = {{.names = {"NAME"}, .help = "Names.", .required = true}};
  create.options = {{.names = {"--dry-run"}, .help = "Only look."}, help, brokers};
  create.examples = "  t topic create x\n.not a request";
  DescribedCommand topic{.name = "topic", .summary = "Topics."};
  topic.commands = {list, create};
  DescribedCommand root{.name = "t", .summary = "Test"};
  root.commands = {topic};
  return root;
}

TEST(ManPage, HasEveryCommandWithItsOptions) {
  const std::string page = man_page(program(), "1.2");
  EXPECT_THAT(page, HasSubstr(".TH TAILWATER 1 \"\" \"Tailwater 1.2\""));
  EXPECT_THAT(page, HasSubstr(".SH NAME\nt \\- Test\n"));
  EXPECT_THAT(page, HasSubstr(".SS t topic list [OPTIONS]\nList.\n"));
  EXPECT_THAT(page, HasSubstr(".SS t topic create [OPTIONS] NAME\n"));
  EXPECT_THAT(page, HasSubstr(".TP\n.B \\-\\-dry\\-run\nOnly look.\n"));
  EXPECT_THAT(page, HasSubstr(".TP\n.B BROKERS\nStands for \\-\\-brokers"));
}

TEST(ManPage, TellsOnceWhatManyHave) {
  const std::string page = man_page(program(), "1.2");
  const std::size_t first = page.find("\\-\\-brokers HOST:PORT");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(page.find("\\-\\-brokers HOST:PORT", first + 1), std::string::npos);
  EXPECT_GT(first, page.find(".SH CONNECTION"));
}

TEST(ManPage, TextIsNoRequest) {
  const std::string page = man_page(program(), "1.2");
  EXPECT_THAT(page, HasSubstr("\n\\&.dot 'n' \\eback\n"));
  EXPECT_THAT(page, HasSubstr("\n\\&.not a request\n"));
}

}  // namespace
}  // namespace tailwater::apps::cli
