// `tailwater generate`, and the hidden `tailwater __complete` that shells call at every press of the tab key.
// It answers within 150 ms, broker or no broker, and never complains.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>

#include "apps/cli/admin_client.hpp"
#include "apps/cli/completion.hpp"
#include "apps/cli/config_words.hpp"
#include "apps/cli/group_queries.hpp"
#include "apps/cli/man_page.hpp"
#include "apps/cli/settings.hpp"
#include "apps/commands.hpp"
#include "apps/version.hpp"

namespace tailwater::apps {

namespace cli {

namespace {

constexpr std::chrono::milliseconds kPatience{150};

// The brokers that the line being typed names, else those of the environment, else the usual ones.
std::string brokers_of(const std::vector<std::string>& words) {
  for (std::size_t index = 0; index + 1 < words.size(); ++index) {
    if (words[index] == "-B" || words[index] == "--brokers") return words[index + 1];
  }
  const char* environment = std::getenv("TAILWATER_BROKERS");
  return environment == nullptr ? Settings{}.brokers : environment;
}

std::vector<std::string> live_names(LiveNames kind, const std::vector<std::string>& words) {
  std::vector<std::string> names;
  if (kind == LiveNames::topic_keys) {
    for (const auto& key : keys_of(ConfigResource::topic)) names.push_back(std::string(key.name) + "=");
    return names;
  }
  auto addresses = parse_addresses(brokers_of(words));
  if (!addresses) return names;
  AdminClient client(std::move(*addresses), {.timeout = kPatience,
                                             .latest = std::chrono::steady_clock::now() + kPatience,
                                             .client_id = "tailwater"});
  if (kind == LiveNames::groups) {
    const auto groups = list_groups(client);
    if (!groups) return names;
    for (const GroupSummary& group : *groups) names.push_back(group.group);
    return names;
  }
  const auto metadata = client.metadata({});
  if (!metadata) return names;
  for (const auto& topic : metadata->topics) {
    if (!topic.is_internal) names.push_back(topic.name.value_or(""));
  }
  return names;
}

int print_completion(const std::vector<std::string>& words) {
  const DescribedCommand root = describe_command_line("", add_commands);
  Completion completion = complete(root, words);
  if (completion.live == LiveNames::files) {
    fmt::print(":files\n");
    return kExitDone;
  }
  if (completion.live != LiveNames::none) {
    const std::string typed = words.empty() ? std::string() : words.back();
    for (std::string& name : live_names(completion.live, words)) {
      if (name.starts_with(typed)) completion.words.push_back(std::move(name));
    }
  }
  std::ranges::sort(completion.words);
  for (const std::string& word : completion.words) fmt::print("{}\n", word);
  return kExitDone;
}

}  // namespace

}  // namespace cli

void add_generate_command(Command& tailwater) {
  Command generate = tailwater.command("generate", "Write files that other programs need.", "Other");
  Command completion = generate.command("completion", "Write the completion script of a shell.");
  auto shell = std::make_shared<std::string>();
  completion.argument("SHELL", *shell, "bash, zsh or fish.").required().one_of({"bash", "zsh", "fish"});
  completion.examples("  source <(tailwater generate completion bash)");
  completion.action([shell] {
    fmt::print("{}", cli::completion_script(*shell));
    return kExitDone;
  });
  Command man = generate.command("man", "Write the manual page.");
  man.examples("  tailwater generate man > tailwater.1 && man ./tailwater.1");
  man.action([] {
    fmt::print("{}", cli::man_page(
                         describe_command_line("Event-streaming broker and its command line", add_commands),
                         version_text()));
    return kExitDone;
  });
  Command complete = tailwater.command("__complete", "Complete a line.");
  complete.hidden();
  auto words = std::make_shared<std::vector<std::string>>();
  complete.arguments("WORD", *words, "What was typed.");
  complete.action([words] { return cli::print_completion(*words); });
}

}  // namespace tailwater::apps
