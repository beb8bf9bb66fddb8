#include "apps/cli/group.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "apps/cli/group_queries.hpp"
#include "apps/cli/results.hpp"
#include "apps/cli/settings.hpp"
#include "apps/cli/table.hpp"
#include "apps/commands.hpp"
#include "wire/api/delete_groups.hpp"
#include "wire/api/offset_delete.hpp"

namespace tailwater::apps {

namespace cli {

std::string no_such_group(const std::string& group) {
  return fmt::format("there is no group '{}'; `tailwater group list` shows all", group);
}

namespace {

struct ListOptions {
  Settings settings;
  std::vector<std::string> patterns;
};

Result<int> list(const ListOptions& options) {
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  const auto groups = list_groups(*client);
  if (!groups) return std::unexpected(groups.error());
  Table table({"GROUP", "STATE", "TYPE", "PROTOCOL", "COORDINATOR"});
  json::array items;
  for (const GroupSummary& group : *groups) {
    if (!options.patterns.empty() && !matches(group.group, options.patterns)) continue;
    table.row({group.group, group.state, group.type, group.protocol, std::to_string(group.coordinator)});
    items.push_back(json::object{{"group", text(group.group)},
                                 {"state", text(group.state)},
                                 {"type", text(group.type)},
                                 {"protocol", text(group.protocol)},
                                 {"coordinator", group.coordinator}});
  }
  if (options.settings.json()) {
    print_json(json::object{{"groups", std::move(items)}});
  } else if (table.empty()) {
    complain(options.patterns.empty() ? "there are no groups" : "there are no such groups");
  } else {
    fmt::print("{}", table.text());
  }
  return kExitDone;
}

Result<int> members(const ListOptions& options) {
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  const auto names = find_groups(*client, options.patterns);
  if (!names) return std::unexpected(names.error());
  Table table({"GROUP", "CLIENT", "HOST", "PARTITIONS", "INSTANCE", "MEMBER"});
  json::array items;
  int code = kExitDone;
  if (names->empty() && !options.patterns.empty()) {
    complain(kNoSuchGroups);
    code = kExitFailed;
  }
  for (const std::string& name : *names) {
    const auto group = describe_group(*client, name);
    if (!group) return std::unexpected(group.error());
    if (!group->exists()) {
      complain(no_such_group(name));
      code = kExitFailed;
    }
    for (const GroupMember& member : group->members) {
      table.row({name, member.client, member.host, std::to_string(member.partitions.size()),
                 member.instance.value_or(""), member.id});
      json::array partitions;
      for (const TopicPartition& partition : member.partitions) {
        partitions.push_back(
            json::object{{"topic", text(partition.topic)}, {"partition", partition.partition}});
      }
      items.push_back(json::object{{"group", text(name)},
                                   {"member", text(member.id)},
                                   {"client", text(member.client)},
                                   {"host", text(member.host)},
                                   {"instance", text_or_null(member.instance)},
                                   {"partitions", std::move(partitions)}});
    }
  }
  if (options.settings.json()) {
    print_json(json::object{{"members", std::move(items)}});
  } else if (!table.empty()) {
    fmt::print("{}", table.text());
  } else if (code == kExitDone) {
    complain("there are no members");
  }
  return code;
}

struct DeleteOptions {
  Settings settings;
  Confirmation confirmation;
  std::vector<std::string> groups;
  bool dry_run = false;
};

Result<int> delete_groups(const DeleteOptions& options) {
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  const auto names = find_groups(*client, options.groups);
  if (!names) return std::unexpected(names.error());
  if (names->empty()) return fail(Errc::not_found, std::string(kNoSuchGroups));
  Results results(options.settings.json());
  if (options.dry_run) {
    for (const std::string& name : *names) {
      const auto group = describe_group(*client, name);
      if (!group) return std::unexpected(group.error());
      json::object item{{"group", text(name)}};
      if (!group->exists()) {
        results.failed(std::move(item), name, wire::ErrorCode::group_id_not_found);
      } else if (group->active()) {
        results.failed(std::move(item), name, wire::ErrorCode::non_empty_group);
      } else {
        results.done(std::move(item), fmt::format("would delete {}", name));
      }
    }
    return results.finish();
  }
  const auto sure = confirmed(options.confirmation, fmt::format("Delete {} and the offsets committed there",
                                                                fmt::join(*names, ", ")));
  if (!sure) return std::unexpected(sure.error());
  if (!*sure) return kExitFailed;
  for (const std::string& name : *names) {
    wire::DeleteGroupsRequest request;
    request.groups_names = {name};
    const auto answer =
        client->ask_coordinator(name, request, [](const wire::DeleteGroupsResponse& answered) {
          return answered.results.empty() ? wire::ErrorCode::none : answered.results.front().error_code;
        });
    if (!answer) return std::unexpected(answer.error());
    for (const auto& result : answer->results) {
      json::object item{{"group", text(result.group_id)}};
      if (result.error_code == wire::ErrorCode::none) {
        results.done(std::move(item), fmt::format("deleted {}", result.group_id));
      } else {
        results.failed(std::move(item), result.group_id, result.error_code, result.error_message);
      }
    }
  }
  return results.finish();
}

struct OffsetDeleteOptions {
  Settings settings;
  Confirmation confirmation;
  std::string group;
  std::vector<std::string> topics;
  std::vector<std::string> partitions;
  bool dry_run = false;
};

// The commits of the group that the options choose.
Result<std::vector<TopicPartition>> chosen_commits(AdminClient& client, const OffsetDeleteOptions& options) {
  const auto committed = committed_offsets(client, options.group);
  if (!committed) return std::unexpected(committed.error());
  const auto numbers = parse_partitions(options.partitions);
  if (!numbers) return std::unexpected(numbers.error());
  std::vector<TopicPartition> chosen;
  for (const auto& [partition, offset] : *committed) {
    const bool of_partition =
        numbers->empty() || std::ranges::find(*numbers, partition.partition) != numbers->end();
    if (of_partition && matches(partition.topic, options.topics)) chosen.push_back(partition);
  }
  if (chosen.empty()) {
    return fail(Errc::not_found, fmt::format("group {} has no offsets committed there", options.group));
  }
  return chosen;
}

Result<int> delete_offsets(const OffsetDeleteOptions& options) {
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  const auto chosen = chosen_commits(*client, options);
  if (!chosen) return std::unexpected(chosen.error());
  Results results(options.settings.json());
  wire::OffsetDeleteRequest request;
  request.group_id = options.group;
  for (const TopicPartition& partition : *chosen) {
    if (options.dry_run) {
      results.done({{"topic", text(partition.topic)}, {"partition", partition.partition}},
                   fmt::format("would delete the offset of {}", to_string(partition)));
    }
    if (request.topics.empty() || request.topics.back().name != partition.topic) {
      request.topics.push_back({.name = partition.topic});
    }
    request.topics.back().partitions.push_back({.partition_index = partition.partition});
  }
  if (options.dry_run) return results.finish();
  const auto sure = confirmed(options.confirmation,
                              fmt::format("Delete {} offsets of group {}", chosen->size(), options.group));
  if (!sure) return std::unexpected(sure.error());
  if (!*sure) return kExitFailed;
  const auto answer = client->ask_coordinator(
      options.group, request, [](const wire::OffsetDeleteResponse& answered) { return answered.error_code; });
  if (!answer) return std::unexpected(answer.error());
  if (answer->error_code != wire::ErrorCode::none) {
    return fail(Errc::unavailable,
                fmt::format("group {}: {}", options.group, error_text(answer->error_code)));
  }
  for (const auto& topic : answer->topics) {
    for (const auto& partition : topic.partitions) {
      const std::string name = to_string(TopicPartition{topic.name, partition.partition_index});
      json::object item{{"topic", text(topic.name)}, {"partition", partition.partition_index}};
      if (partition.error_code == wire::ErrorCode::none) {
        results.done(std::move(item), fmt::format("deleted the offset of {}", name));
      } else {
        results.failed(std::move(item), name, partition.error_code);
      }
    }
  }
  return results.finish();
}

void add_list(Command& group) {
  Command command = group.command("list", "List groups.");
  auto options = std::make_shared<ListOptions>();
  command.arguments("GROUP", options->patterns, "Only these; * and ? stand for any letters, any letter.");
  add_settings(command, options->settings);
  command.action([options] { return finish(list(*options)); });
}

void add_members(Command& group) {
  Command command = group.command("members", "List the members of groups.");
  auto options = std::make_shared<ListOptions>();
  command.arguments("GROUP", options->patterns, "Only these; * and ? stand for any letters, any letter.");
  add_settings(command, options->settings);
  command.action([options] { return finish(members(*options)); });
}

void add_delete(Command& group) {
  Command command = group.command("delete", "Delete groups and the offsets committed there.");
  auto options = std::make_shared<DeleteOptions>();
  command.arguments("GROUP", options->groups, "Names; * and ? stand for any letters, any letter.").required();
  add_confirmation(command, options->confirmation);
  command.flag("--dry-run", options->dry_run, "Say what would be deleted.");
  add_settings(command, options->settings);
  command.action([options] { return finish(delete_groups(*options)); });
}

void add_offset_delete(Command& group) {
  Command command = group.command("offset-delete", "Forget offsets that a group has committed.");
  auto options = std::make_shared<OffsetDeleteOptions>();
  command.argument("GROUP", options->group, "The group.").required();
  command.repeated("-t,--topic", options->topics, "TOPIC", "Of these topics; * and ? as in a shell.")
      .required();
  command.repeated("-p,--partition", options->partitions, "N", "Only these: 3, 0-3 or 0,2,5.");
  add_confirmation(command, options->confirmation);
  command.flag("--dry-run", options->dry_run, "Say what would be deleted.");
  add_settings(command, options->settings);
  command.action([options] { return finish(delete_offsets(*options)); });
}

}  // namespace

}  // namespace cli

void add_group_command(Command& tailwater) {
  Command group = tailwater.command("group", "Look at consumer groups and move them.", "Topics and records");
  cli::add_list(group);
  cli::add_group_describe(group);
  cli::add_group_lag(group);
  cli::add_members(group);
  cli::add_group_seek(group);
  cli::add_delete(group);
  cli::add_offset_delete(group);
}

}  // namespace tailwater::apps
