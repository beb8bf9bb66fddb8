#include "apps/cli/group_seek.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>

#include "apps/cli/group.hpp"
#include "apps/cli/group_queries.hpp"
#include "apps/cli/json_output.hpp"
#include "apps/cli/offset_range.hpp"
#include "apps/cli/settings.hpp"
#include "apps/cli/standard_output.hpp"
#include "apps/cli/table.hpp"
#include "apps/cli/time_text.hpp"
#include "wire/api/offset_commit.hpp"

namespace tailwater::apps::cli {

namespace {

using Kind = OffsetPoint::Kind;

constexpr std::int16_t kLastOffsetCommitByName = 9;

struct SeekOptions {
  Settings settings;
  Confirmation confirmation;
  std::string group;
  std::string to;
  std::string to_group;
  std::string to_file;
  std::vector<std::string> topics;
  std::vector<std::string> partitions;
  bool dry_run = false;
};

// One partition's move.
struct Move {
  std::optional<std::int64_t> before;
  std::int64_t after = 0;
  wire::ErrorCode error = wire::ErrorCode::none;
};
using Moves = std::map<TopicPartition, Move>;

template <class Number>
bool take_number(std::string_view text, Number& number) {
  const auto outcome = std::from_chars(text.data(), text.data() + text.size(), number);
  return outcome.ec == std::errc() && outcome.ptr == text.data() + text.size() && number >= 0;
}

// The partitions to move: of the topics that were named all, else those that have an offset.
Result<std::vector<TopicPartition>> wanted_partitions(AdminClient& client, const SeekOptions& options,
                                                      const CommittedOffsets& committed) {
  const auto numbers = parse_partitions(options.partitions);
  if (!numbers) return std::unexpected(numbers.error());
  std::vector<TopicPartition> wanted;
  if (options.topics.empty()) {
    for (const auto& [partition, offset] : committed) wanted.push_back(partition);
  } else {
    const auto metadata = find_topics(client, options.topics);
    if (!metadata) return std::unexpected(metadata.error());
    for (const auto& topic : metadata->topics) {
      const std::string name = topic.name.value_or("");
      if (topic.error_code != wire::ErrorCode::none)
        return fail(Errc::not_found, no_such_topic(client, name));
      for (TopicPartition& partition : partitions_of(*metadata, name)) wanted.push_back(std::move(partition));
    }
  }
  std::erase_if(wanted, [&](const TopicPartition& partition) {
    return !numbers->empty() && std::ranges::find(*numbers, partition.partition) == numbers->end();
  });
  if (wanted.empty()) {
    return fail(
        Errc::invalid_argument,
        fmt::format("group {} has no offsets there; name topics with --topic to begin with", options.group));
  }
  return wanted;
}

Result<wire::MetadataResponse> metadata_of(AdminClient& client,
                                           const std::vector<TopicPartition>& partitions) {
  std::set<std::string> topics;
  for (const TopicPartition& partition : partitions) topics.insert(partition.topic);
  return client.metadata(
      {.kind = AdminClient::TopicChoice::Kind::named, .names = {topics.begin(), topics.end()}});
}

// Offsets that were given one by one, or as a shift of what is committed, moved inside each partition.
Result<ListedOffsets> resolve_offsets(AdminClient& client, const Offsets& offsets) {
  std::vector<TopicPartition> partitions;
  for (const auto& [partition, offset] : offsets) partitions.push_back(partition);
  const auto metadata = metadata_of(client, partitions);
  if (!metadata) return std::unexpected(metadata.error());
  const auto starts = resolve_point(client, *metadata, partitions, {Kind::start, 0});
  if (!starts) return starts;
  auto ends = resolve_point(client, *metadata, partitions, {Kind::end, 0});
  if (!ends) return ends;
  for (auto& [partition, place] : *ends) {
    if (place.error != wire::ErrorCode::none) continue;
    const std::int64_t wanted = offsets.at(partition);
    place.offset = inside(wanted, starts->at(partition).offset, place.offset);
    if (place.offset != wanted) {
      complain(fmt::format("{}: {} is not there; {} is the nearest offset", to_string(partition), wanted,
                           place.offset));
    }
  }
  return ends;
}

Result<Offsets> offsets_in_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail(Errc::invalid_argument, fmt::format("--to-file: cannot read '{}'", path));
  std::stringstream content;
  content << file.rdbuf();
  auto offsets = parse_offsets_file(content.str());
  if (!offsets) return fail(Errc::invalid_argument, fmt::format("{}: {}", path, offsets.error().message));
  return offsets;
}

Result<ListedOffsets> places(AdminClient& client, const SeekOptions& options,
                             const CommittedOffsets& committed) {
  if (!options.to_file.empty()) {
    const auto offsets = offsets_in_file(options.to_file);
    if (!offsets) return std::unexpected(offsets.error());
    return resolve_offsets(client, *offsets);
  }
  if (!options.to_group.empty()) {
    auto offsets = committed_offsets(client, options.to_group);
    if (!offsets) return std::unexpected(offsets.error());
    std::erase_if(*offsets, [&](const auto& each) {
      return !options.topics.empty() && !matches(each.first.topic, options.topics);
    });
    if (offsets->empty()) {
      return fail(Errc::not_found, fmt::format("group {} has no offsets to take over", options.to_group));
    }
    return resolve_offsets(client, *offsets);
  }
  const auto point = parse_offset_point(options.to, unix_now_ms());
  if (!point) return std::unexpected(point.error());
  const auto wanted = wanted_partitions(client, options, committed);
  if (!wanted) return std::unexpected(wanted.error());
  if (point->kind == Kind::after_start || point->kind == Kind::before_end) {
    Offsets shifted;
    for (const TopicPartition& partition : *wanted) {
      const auto found = committed.find(partition);
      if (found == committed.end()) continue;  // nothing to count from
      shifted[partition] = found->second + (point->kind == Kind::after_start ? point->value : -point->value);
    }
    return resolve_offsets(client, shifted);
  }
  const auto metadata = metadata_of(client, *wanted);
  if (!metadata) return std::unexpected(metadata.error());
  return resolve_point(client, *metadata, *wanted, *point);
}

Result<void> commit(AdminClient& client, const std::string& group, Moves& moves) {
  wire::OffsetCommitRequest request;
  request.group_id = group;
  for (const auto& [partition, move] : moves) {
    if (move.error != wire::ErrorCode::none) continue;
    if (request.topics.empty() || request.topics.back().name != partition.topic) {
      request.topics.push_back({.name = partition.topic});
    }
    auto& added = request.topics.back().partitions.emplace_back();
    added.partition_index = partition.partition;
    added.committed_offset = move.after;
    added.committed_metadata = "";
  }
  if (request.topics.empty()) return {};
  const auto error_of = [](const wire::OffsetCommitResponse& answered) {
    if (answered.topics.empty() || answered.topics.front().partitions.empty()) return wire::ErrorCode::none;
    return answered.topics.front().partitions.front().error_code;
  };
  const auto answer = client.ask_coordinator(group, request, error_of, kLastOffsetCommitByName);
  if (!answer) return std::unexpected(answer.error());
  for (const auto& topic : answer->topics) {
    for (const auto& partition : topic.partitions) {
      moves[{topic.name, partition.partition_index}].error = partition.error_code;
    }
  }
  return {};
}

int print_moves(const SeekOptions& options, const Moves& moves) {
  Table table({"TOPIC", "PARTITION", "BEFORE", "AFTER"});
  json::array items;
  int code = kExitDone;
  for (const auto& [partition, move] : moves) {
    const bool failed = move.error != wire::ErrorCode::none;
    const std::string before = move.before ? std::to_string(*move.before) : "";
    table.row({partition.topic, std::to_string(partition.partition), before,
               failed ? "failed" : std::to_string(move.after)});
    items.push_back(json::object{{"topic", text(partition.topic)},
                                 {"partition", partition.partition},
                                 {"before", move.before ? json::value(*move.before) : json::value(nullptr)},
                                 {"after", failed ? json::value(nullptr) : json::value(move.after)},
                                 {"error", error_value(move.error)}});
    if (!failed) continue;
    code = kExitFailed;
    complain(fmt::format("{}: {}", to_string(partition), error_text(move.error)));
  }
  if (options.settings.json()) {
    print_json(json::object{
        {"group", text(options.group)}, {"dry_run", options.dry_run}, {"offsets", std::move(items)}});
  } else {
    fmt::print("{}", table.text());
    flush_output();
    if (options.dry_run) complain("nothing was changed (--dry-run)");
  }
  return code;
}

Result<void> refuse_active(const GroupDescription& group) {
  if (!group.active()) return {};
  std::vector<std::string> members;
  for (const GroupMember& member : group.members)
    members.push_back(fmt::format("{} at {}", member.client, member.host));
  return fail(Errc::busy,
              fmt::format("group {} is being read by {}; stop that first, since it would overwrite the new "
                          "offsets",
                          group.summary.group, fmt::join(members, ", ")));
}

Result<int> seek(const SeekOptions& options) {
  const int ways =
      (options.to.empty() ? 0 : 1) + (options.to_group.empty() ? 0 : 1) + (options.to_file.empty() ? 0 : 1);
  if (ways != 1) return fail(Errc::invalid_argument, "say where to: one of --to, --to-group, --to-file");
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  const auto group = describe_group(*client, options.group);
  if (!group) return std::unexpected(group.error());
  if (auto idle = refuse_active(*group); !idle && !options.dry_run) return std::unexpected(idle.error());
  const auto committed = committed_offsets(*client, options.group);
  if (!committed) return std::unexpected(committed.error());
  const auto found = places(*client, options, *committed);
  if (!found) return std::unexpected(found.error());
  Moves moves;
  for (const auto& [partition, place] : *found) {
    Move& move = moves[partition];
    move.after = place.offset;
    move.error = place.error;
    if (const auto before = committed->find(partition); before != committed->end())
      move.before = before->second;
  }
  if (options.dry_run) return print_moves(options, moves);
  const auto sure = confirmed(options.confirmation,
                              fmt::format("Move group {} in {} partitions", options.group, moves.size()));
  if (!sure) return std::unexpected(sure.error());
  if (!*sure) return kExitFailed;
  if (auto done = commit(*client, options.group, moves); !done) return std::unexpected(done.error());
  return print_moves(options, moves);
}

}  // namespace

Result<Offsets> parse_offsets_file(std::string_view text) {
  Offsets offsets;
  for (int line_number = 1; !text.empty(); ++line_number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    std::vector<std::string_view> words;
    for (std::size_t at = 0; at < line.size();) {
      const std::size_t first = line.find_first_not_of(" \t\r,", at);
      if (first == std::string_view::npos) break;
      const std::size_t last = std::min(line.find_first_of(" \t\r,", first), line.size());
      words.push_back(line.substr(first, last - first));
      at = last;
    }
    if (words.empty() || words.front().starts_with('#')) continue;
    TopicPartition partition;
    std::int64_t offset = 0;
    if (words.size() != 3 || !take_number(words[1], partition.partition) || !take_number(words[2], offset)) {
      return fail(Errc::invalid_argument,
                  fmt::format("line {}: expected TOPIC PARTITION OFFSET", line_number));
    }
    partition.topic = words[0];
    offsets[partition] = offset;
  }
  if (offsets.empty()) return fail(Errc::invalid_argument, "there are no offsets in it");
  return offsets;
}

std::int64_t inside(std::int64_t offset, std::int64_t start, std::int64_t end) {
  return std::clamp(offset, start, std::max(start, end));
}

void add_group_seek(Command& group) {
  Command command = group.command("seek", "Move the offsets of a group that nobody reads with.");
  auto options = std::make_shared<SeekOptions>();
  command.argument("GROUP", options->group, "The group; a new one is made.").required();
  command.option("--to", options->to, "PLACE",
                 "start, end, an offset, @TIME, or +N and -N from where it is.");
  command.option("--to-group", options->to_group, "GROUP", "Where this other group is.");
  command.option("--to-file", options->to_file, "FILE",
                 "As this file says: lines of TOPIC PARTITION OFFSET.");
  command.repeated("-t,--topic", options->topics, "TOPIC", "Only these topics, with all their partitions.");
  command.repeated("-p,--partition", options->partitions, "N", "Only these: 3, 0-3 or 0,2,5.");
  add_confirmation(command, options->confirmation);
  command.flag("--dry-run", options->dry_run, "Show the moves and make none.");
  add_settings(command, options->settings);
  command.examples(
      "Times: 2026-03-01, 2026-03-01T10:00:00Z, -1h (an hour ago), milliseconds.\n\n"
      "  tailwater group seek billing --to start --topic orders --dry-run\n"
      "  tailwater group seek billing --to @-1h -y\n"
      "  tailwater group seek billing --to -100 -y\n"
      "  tailwater group seek billing-2 --to-group billing -y");
  command.action([options] { return finish(seek(*options)); });
}

}  // namespace tailwater::apps::cli
