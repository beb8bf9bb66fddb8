// Goal: Tailwater reads and writes exactly the bytes of Kafka's own encoder. Method: tests/golden/wire holds,
// for every message and version, two examples that Kafka's Java classes encoded (all fields set; null or
// default wherever possible) with the JSON of Kafka's converter. Each is decoded, encoded again to the same
// bytes, and printed to the same JSON.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "wire/example/example.hpp"

namespace tailwater::wire {
namespace {

struct Golden {
  std::string message;
  std::int16_t version = 0;
  std::string kind;
  Buffer bytes;
  std::string json;
};

Buffer from_base64(std::string_view text) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Buffer bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char letter : text) {
    const auto digit = alphabet.find(letter);
    if (digit == std::string_view::npos) break;
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<std::byte>(bits >> count));
  }
  return bytes;
}

std::vector<Golden> read_golden() {
  std::vector<Golden> all;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(std::string(TAILWATER_GOLDEN_FOLDER) + "/wire")) {
    if (entry.path().extension() != ".golden") continue;
    std::ifstream input(entry.path());
    for (std::string line; std::getline(input, line);) {
      std::istringstream words(line);
      Golden golden;
      std::string bytes;
      words >> golden.message >> golden.version >> golden.kind >> bytes >> std::ws;
      golden.bytes = from_base64(bytes);
      std::getline(words, golden.json);
      all.push_back(std::move(golden));
    }
  }
  return all;
}

TEST(golden, bytes_and_json_of_every_example_are_those_of_kafka) {
  std::map<std::string, const Example*, std::less<>> examples;
  for (const Example* example : all_examples()) examples.emplace(std::string(example->name), example);
  for (const Golden& golden : read_golden()) {
    SCOPED_TRACE(golden.message + " v" + std::to_string(golden.version) + " " + golden.kind);
    const auto found = examples.find(golden.message);
    ASSERT_NE(found, examples.end());
    std::string json;
    const auto again = found->second->recode(golden.bytes, golden.version, &json);
    EXPECT_TRUE(again.has_value()) << again.error().message;
    if (!again) continue;
    EXPECT_EQ(*again, golden.bytes);
    EXPECT_EQ(json, golden.json);
  }
}

TEST(golden, every_message_and_version_has_two_examples) {
  std::set<std::string> present;
  for (const Golden& golden : read_golden()) {
    present.insert(golden.message + " " + std::to_string(golden.version) + " " + golden.kind);
  }
  for (const Example* example : all_examples()) {
    for (int version = example->min_version; version <= example->max_version; ++version) {
      for (const char* kind : {" full", " bare"}) {
        EXPECT_TRUE(present.contains(std::string(example->name) + " " + std::to_string(version) + kind))
            << example->name << " v" << version << kind;
      }
    }
  }
}

}  // namespace
}  // namespace tailwater::wire
