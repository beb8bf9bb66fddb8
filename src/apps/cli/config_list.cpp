#include "apps/cli/config_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "apps/cli/json_output.hpp"
#include "apps/cli/queries.hpp"
#include "apps/cli/settings.hpp"
#include "apps/cli/table.hpp"
#include "apps/cli/wrapped.hpp"

namespace tailwater::apps::cli {

namespace {

using cluster::ConfigKey;
using cluster::KeyEffect;
using cluster::UpdateMode;
using CheckKind = cluster::ValueCheck::Kind;

constexpr std::size_t kWidth = 100;

struct ListOptions {
  Settings settings;
  std::string kind;
  std::vector<std::string> words;
  bool brief = false;
};

struct Kind {
  const char* name;
  ConfigResource resource;
};
constexpr std::array<Kind, 3> kKinds = {
    {{"topic", ConfigResource::topic}, {"broker", ConfigResource::broker}, {"group", ConfigResource::group}}};

std::string limits(const cluster::ValueCheck& check) {
  switch (check.kind) {
    case CheckKind::any:
    case CheckKind::partition_broker_pairs:
      return {};
    case CheckKind::range:
    case CheckKind::range_or_minus_one:
    case CheckKind::range_or_zero: {
      const std::string_view beside = check.kind == CheckKind::range_or_minus_one ? "-1, or "
                                      : check.kind == CheckKind::range_or_zero    ? "0, or "
                                                                                  : "";
      if (check.high == INT64_MAX || check.high == INT32_MAX)
        return fmt::format("{}{} or more", beside, check.low);
      return fmt::format("{}{} to {}", beside, check.low, check.high);
    }
    case CheckKind::one_of:
    case CheckKind::one_of_any_case:
      return fmt::format("one of {}", check.allowed);
    case CheckKind::list_of:
    case CheckKind::not_empty_list_of:
      return fmt::format("a list of {}", check.allowed);
    case CheckKind::not_empty:
      return "not empty";
  }
  return {};
}

// For keys of brokers: how they are changed.
std::string_view update_text(UpdateMode update) {
  switch (update) {
    case UpdateMode::read_only:
      return "read when the broker starts";
    case UpdateMode::per_broker:
      return "may be changed while a broker runs";
    case UpdateMode::cluster_wide:
      return "may be changed while brokers run, for one or for all";
  }
  return {};
}

std::string_view effect_text(KeyEffect effect) {
  switch (effect) {
    case KeyEffect::implemented:
      return "implemented";
    case KeyEffect::none:
      return "accepted, without effect";
    case KeyEffect::refused:
      return "only the default is accepted";
  }
  return {};
}

bool is_chosen(const ConfigKey& key, const std::vector<std::string>& words) {
  if (words.empty()) return true;
  return std::ranges::any_of(words, [&key](const std::string& word) {
    return is_pattern(word) ? matches(key.name, {word}) : key.name.find(word) != std::string_view::npos;
  });
}

json::object as_json(const char* kind, const ConfigKey& key) {
  json::object object{{"kind", kind}, {"key", key.name}, {"type", cluster::to_string(key.type)}};
  object["default"] = key.has_fallback() ? json::value(key.fallback) : json::value(nullptr);
  object["allowed"] = limits(key.check);
  object["effect"] = effect_text(key.effect);
  object["reason"] = key.reason;
  if (kind == std::string_view("broker")) object["update"] = update_text(key.update);
  object["documentation"] = key.documentation;
  return object;
}

void print_key(const char* kind, const ConfigKey& key) {
  fmt::print("{} ({})\n", key.name, kind);
  std::string rules = key_rules(key);
  if (kind == std::string_view("broker")) rules += fmt::format("; {}", update_text(key.update));
  fmt::print("{}", wrapped(rules, 4, kWidth));
  fmt::print("{}", wrapped(key.documentation, 4, kWidth));
  if (key.effect != KeyEffect::implemented) {
    fmt::print("{}", wrapped(fmt::format("Here: {}: {}", effect_text(key.effect), key.reason), 4, kWidth));
  }
  fmt::print("\n");
}

Result<int> list(const ListOptions& options) {
  std::vector<std::pair<const char*, const ConfigKey*>> chosen;
  for (const Kind& kind : kKinds) {
    if (!options.kind.empty() && options.kind != "all" && options.kind != kind.name) continue;
    for (const ConfigKey& key : keys_of(kind.resource)) {
      if (is_chosen(key, options.words)) chosen.emplace_back(kind.name, &key);
    }
  }
  if (options.settings.json()) {
    json::array items;
    for (const auto& [kind, key] : chosen) items.push_back(as_json(kind, *key));
    print_json(json::object{{"keys", std::move(items)}});
  } else if (options.brief) {
    Table table({"KIND", "KEY", "TYPE", "DEFAULT"});
    for (const auto& [kind, key] : chosen) {
      table.row({kind, std::string(key->name), std::string(cluster::to_string(key->type)),
                 std::string(key->fallback)});
    }
    if (!table.empty()) fmt::print("{}", table.text());
  } else {
    for (const auto& [kind, key] : chosen) print_key(kind, *key);
  }
  if (!chosen.empty()) return kExitDone;
  complain("no key has such a name");
  return kExitFailed;
}

}  // namespace

std::string key_rules(const ConfigKey& key) {
  std::string rules = fmt::format("{}, ", cluster::to_string(key.type));
  if (!key.has_fallback()) {
    rules += "no default";
  } else {
    rules += key.fallback.empty() ? "default empty" : fmt::format("default {}", key.fallback);
  }
  const std::string allowed = limits(key.check);
  if (!allowed.empty()) rules += fmt::format(", {}", allowed);
  return rules;
}

void add_config_list(Command& config) {
  Command command = config.command("list", "Explain every key; needs no broker.");
  auto options = std::make_shared<ListOptions>();
  command.argument("KIND", options->kind, "topic, broker, group, or all.")
      .one_of({"all", "topic", "broker", "group"});
  command.arguments("WORD", options->words, "Only keys that hold one of these; * and ? as in a shell.");
  command.flag("-s,--short", options->brief, "A table of types and defaults.");
  add_format(command, options->settings);
  command.examples("  tailwater config list topic retention\n  tailwater config list all --short");
  command.action([options] { return finish(list(*options)); });
}

}  // namespace tailwater::apps::cli
