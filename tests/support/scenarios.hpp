// Plays the scenarios of a folder: *.txt files with commands and the transcript of what came of them.
//
//   # text             kept as it is, like empty lines
//   > command          handed to a player, which is made anew for each file
//     text             the transcript: what play() returned, compared; TAILWATER_REWRITE=1 writes it anew
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "wire/error_code.hpp"

namespace tailwater::scenarios {

inline std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

inline std::int64_t milliseconds(const std::string& text) {
  char* unit = nullptr;
  const std::int64_t number = std::strtoll(text.c_str(), &unit, 10);
  const std::string_view name(unit);
  if (name == "d") return number * 86'400'000;
  if (name == "h") return number * 3'600'000;
  if (name == "m") return number * 60'000;
  return name == "s" ? number * 1'000 : number;
}

inline wire::ErrorCode error_named(const std::string& text) {
  for (const auto& known : wire::error_codes()) {
    if (known.name == text) return known.code;
  }
  ADD_FAILURE() << "no error is called " << text;
  return wire::ErrorCode::unknown_server_error;
}

inline std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The scenario with the transcript that it has now.
template <class Player>
std::string replay(const std::string& scenario) {
  Player player;
  std::string result;
  std::istringstream lines(scenario);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  ")) continue;
    result += line + "\n";
    if (line.starts_with("> ")) result += player.play(line.substr(2));
  }
  return result;
}

template <class Player>
void expect_all_as_written(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".txt") paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  EXPECT_FALSE(paths.empty());
  for (const auto& path : paths) {
    const std::string scenario = read(path);
    const std::string played = replay<Player>(scenario);
    if (std::getenv("TAILWATER_REWRITE") != nullptr) {
      std::ofstream(path) << played;
    } else {
      EXPECT_EQ(played, scenario) << path.filename() << ": TAILWATER_REWRITE=1 takes the new transcript";
    }
  }
}

}  // namespace tailwater::scenarios
