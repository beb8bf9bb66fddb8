// `tailwater group describe` and `lag`: how far a group is behind. Lag is never negative, and records that
// were deleted before they were read do not count: nobody can read them any more.
#include <fmt/format.h>

#include <memory>

#include "apps/cli/group.hpp"
#include "apps/cli/group_queries.hpp"
#include "apps/cli/json_output.hpp"
#include "apps/cli/settings.hpp"
#include "apps/cli/table.hpp"
#include "apps/cli/text_encoding.hpp"

namespace tailwater::apps::cli {

namespace {

struct LagOptions {
  Settings settings;
  std::vector<std::string> groups;
  bool sum = false;
};

std::string number_text(const std::optional<std::int64_t>& number) {
  return number ? std::to_string(*number) : "-";
}

json::value number_value(const std::optional<std::int64_t>& number) {
  return number ? json::value(*number) : json::value(nullptr);
}

json::object as_json(const PartitionLag& row) {
  json::object object{{"topic", text(row.partition.topic)},
                      {"partition", row.partition.partition},
                      {"committed", number_value(row.committed)},
                      {"start", number_value(row.start)},
                      {"end", number_value(row.end)},
                      {"lag", number_value(row.lag())}};
  object["member"] = row.member == nullptr ? json::value(nullptr) : text(row.member->id);
  object["client"] = row.member == nullptr ? json::value(nullptr) : text(row.member->client);
  object["host"] = row.member == nullptr ? json::value(nullptr) : text(row.member->host);
  return object;
}

json::object as_json(const GroupDescription& group, const std::vector<PartitionLag>& rows) {
  json::array partitions;
  for (const PartitionLag& row : rows) partitions.push_back(as_json(row));
  return json::object{{"group", text(group.summary.group)}, {"state", text(group.summary.state)},
                      {"type", text(group.summary.type)},   {"protocol", text(group.summary.protocol)},
                      {"assignor", text(group.assignor)},   {"coordinator", group.summary.coordinator},
                      {"members", group.members.size()},    {"lag", total_lag(rows)},
                      {"partitions", std::move(partitions)}};
}

void print_description(const GroupDescription& group, const std::vector<PartitionLag>& rows) {
  fmt::print("group        {}\n", printable(group.summary.group));
  fmt::print("state        {}\n", printable(group.summary.state));
  if (!group.summary.type.empty()) fmt::print("type         {}\n", printable(group.summary.type));
  if (!group.assignor.empty()) fmt::print("assignor     {}\n", printable(group.assignor));
  fmt::print("coordinator  {}\n", group.summary.coordinator);
  fmt::print("members      {}\n", group.members.size());
  fmt::print("lag          {}\n", total_lag(rows));
  if (rows.empty()) return;
  Table table({"TOPIC", "PARTITION", "COMMITTED", "START", "END", "LAG", "CLIENT", "HOST"});
  for (const PartitionLag& row : rows) {
    table.row({row.partition.topic, std::to_string(row.partition.partition), number_text(row.committed),
               number_text(row.start), number_text(row.end), number_text(row.lag()),
               row.member == nullptr ? "" : row.member->client,
               row.member == nullptr ? "" : row.member->host});
  }
  fmt::print("\n{}", table.text());
}

// Calls `each` for every group that is there; complains of the others. The exit code.
template <class Each>
Result<int> for_groups(const LagOptions& options, const Each& each) {
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  const auto names = find_groups(*client, options.groups);
  if (!names) return std::unexpected(names.error());
  int code = kExitDone;
  if (names->empty() && !options.groups.empty()) {
    complain(kNoSuchGroups);
    code = kExitFailed;
  }
  for (const std::string& name : *names) {
    const auto group = describe_group(*client, name);
    if (!group) return std::unexpected(group.error());
    const auto rows = partition_lags(*client, *group);
    if (!rows) return std::unexpected(rows.error());
    if (!group->exists() && rows->empty()) {
      complain(no_such_group(name));
      code = kExitFailed;
      continue;
    }
    each(*group, *rows);
  }
  return code;
}

Result<int> describe(const LagOptions& options) {
  json::array items;
  bool first = true;
  const auto code =
      for_groups(options, [&](const GroupDescription& group, const std::vector<PartitionLag>& rows) {
        items.push_back(as_json(group, rows));
        if (options.settings.json()) return;
        fmt::print("{}", first ? "" : "\n");
        first = false;
        print_description(group, rows);
      });
  if (code && options.settings.json()) print_json(json::object{{"groups", std::move(items)}});
  return code;
}

Result<int> lag(const LagOptions& options) {
  Table table(options.sum
                  ? std::vector<std::string>{"GROUP", "STATE", "LAG"}
                  : std::vector<std::string>{"GROUP", "TOPIC", "PARTITION", "COMMITTED", "END", "LAG"});
  json::array items;
  const auto code = for_groups(options, [&](const GroupDescription& group,
                                            const std::vector<PartitionLag>& rows) {
    const std::string& name = group.summary.group;
    if (options.sum) table.row({name, group.summary.state, std::to_string(total_lag(rows))});
    json::object item{{"group", text(name)}, {"state", text(group.summary.state)}, {"lag", total_lag(rows)}};
    json::array partitions;
    for (const PartitionLag& row : rows) {
      partitions.push_back(as_json(row));
      if (options.sum) continue;
      table.row({name, row.partition.topic, std::to_string(row.partition.partition),
                 number_text(row.committed), number_text(row.end), number_text(row.lag())});
    }
    if (!options.sum) item["partitions"] = std::move(partitions);
    items.push_back(std::move(item));
  });
  if (!code) return code;
  if (options.settings.json()) {
    print_json(json::object{{"groups", std::move(items)}});
  } else if (!table.empty()) {
    fmt::print("{}", table.text());
  } else if (*code == kExitDone) {
    complain("no group has committed anything");
  }
  return code;
}

}  // namespace

void add_group_describe(Command& group) {
  Command command = group.command("describe", "Show state, members and lag of groups.");
  auto options = std::make_shared<LagOptions>();
  command.arguments("GROUP", options->groups, "Names; * and ? stand for any letters, any letter.").required();
  add_settings(command, options->settings);
  command.action([options] { return finish(describe(*options)); });
}

void add_group_lag(Command& group) {
  Command command = group.command("lag", "Show how many records groups are behind.");
  auto options = std::make_shared<LagOptions>();
  command.arguments("GROUP", options->groups, "Only these; all unless given.");
  command.flag("--sum", options->sum, "One line per group.");
  add_settings(command, options->settings);
  command.examples("COMMITTED is - where the group has committed nothing; then there is no lag to tell.");
  command.action([options] { return finish(lag(*options)); });
}

}  // namespace tailwater::apps::cli
