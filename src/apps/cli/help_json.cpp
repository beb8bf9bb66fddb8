#include "apps/cli/help_json.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "apps/command_line.hpp"

namespace tailwater::apps::cli {

namespace {

boost::json::array words(const std::vector<std::string>& from) {
  boost::json::array array;
  for (const std::string& word : from) array.emplace_back(word);
  return array;
}

boost::json::object option(const DescribedOption& from, bool is_argument) {
  boost::json::object object;
  if (is_argument) {
    object["name"] = from.names.empty() ? "" : from.names.front();
  } else {
    object["names"] = words(from.names);
    object["value"] = from.kind.empty() ? boost::json::value(nullptr) : boost::json::value(from.kind);
  }
  object["help"] = from.help;
  object["required"] = from.required;
  object["repeated"] = from.repeated;
  if (!from.fallback.empty()) object["default"] = from.fallback;
  if (!from.environment.empty()) object["environment"] = from.environment;
  if (!from.allowed.empty()) object["allowed"] = words(from.allowed);
  return object;
}

boost::json::object command(const DescribedCommand& from) {
  boost::json::object object;
  object["name"] = from.name;
  object["summary"] = from.summary;
  if (!from.examples.empty()) object["examples"] = from.examples;
  boost::json::array arguments;
  for (const DescribedOption& argument : from.arguments) arguments.push_back(option(argument, true));
  object["arguments"] = std::move(arguments);
  boost::json::array options;
  for (const DescribedOption& each : from.options) options.push_back(option(each, false));
  object["options"] = std::move(options);
  boost::json::array commands;
  for (const DescribedCommand& nested : from.commands) commands.push_back(command(nested));
  object["commands"] = std::move(commands);
  return object;
}

}  // namespace

std::string to_json(const DescribedCommand& from) {
  return boost::json::serialize(command(from));
}

}  // namespace tailwater::apps::cli
