// Goal: scenarios and words become the plan that they name, and what cannot be done is refused. Method:
// words.
#include "programs/load/plan.hpp"

#include <gmock/gmock.h>

#include <vector>

namespace tailwater::load {
namespace {

using testing::HasSubstr;

std::optional<Refusal> parsed(std::vector<const char*> words, Plan& plan) {
  words.insert(words.begin(), {"load", "--port", "1"});
  return parse(static_cast<int>(words.size()), words.data(), plan);
}

TEST(Plan, EveryScenarioCanBeDone) {
  Plan help;
  const auto said = parsed({"--help"}, help);
  ASSERT_TRUE(said);
  EXPECT_EQ(said->code, 0);
  for (const char* name :
       {"a",  "a16", "b",    "c",     "c5",     "d",        "d-paced", "e",      "e5", "e2",  "f",
        "g5", "g50", "g150", "g1000", "k-gzip", "k-snappy", "k-lz4",   "k-zstd", "j",  "j16", "group"}) {
    Plan plan;
    EXPECT_FALSE(parsed({"--scenario", name}, plan)) << name;
    EXPECT_THAT(said->text, HasSubstr("  " + std::string(name) + " ")) << name;
  }
}

TEST(Plan, LaterWordsChangeAScenario) {
  Plan plan;
  EXPECT_FALSE(parsed({"--scenario", "e5", "--consumers", "2", "--codec", "zstd"}, plan));
  EXPECT_EQ(plan.kind, Kind::consume);
  EXPECT_EQ(plan.consumers, 2);
  EXPECT_EQ(plan.codec, records::Codec::zstd);
  EXPECT_EQ(plan.preload_mb, 192);
}

TEST(Plan, RefusesWhatContradictsItself) {
  const std::vector<const char*> all[] = {
      {"--kind", "transactions"},                 // five in flight
      {"--batches", "7"},                         // of six partitions
      {"--kind", "consume", "--preload", "1"},    // by nobody
      {"--kind", "consume", "--consumers", "1"},  // nothing
      {"--consumers", "1"},                       // who have nothing to do
      {"--scenario", "g5", "--partitions", "7"},  // one of which nobody writes
      {"--kind", "read"},
      {"--codec", "lzma"},
      {"--rate"},  // unknown, or incomplete
  };
  for (const auto& words : all) {
    Plan plan;
    const auto refusal = parsed(words, plan);
    ASSERT_TRUE(refusal) << words.back();
    EXPECT_EQ(refusal->code, 2);
  }
}

}  // namespace
}  // namespace tailwater::load
