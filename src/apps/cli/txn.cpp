// `tailwater txn`: which transactions there are, what they have touched, and how to end one that nobody ends.
#include <fmt/format.h>

#include <memory>

#include "apps/cli/json_output.hpp"
#include "apps/cli/results.hpp"
#include "apps/cli/settings.hpp"
#include "apps/cli/table.hpp"
#include "apps/cli/time_text.hpp"
#include "apps/cli/txn_queries.hpp"
#include "apps/commands.hpp"

namespace tailwater::apps {

namespace cli {

namespace {

struct ListOptions {
  Settings settings;
  std::vector<std::string> patterns;
  std::vector<std::string> states;
  std::string longer_than;
};

Result<int> list(const ListOptions& options) {
  TransactionFilter filter;
  filter.states = options.states;
  if (!options.longer_than.empty()) {
    const auto duration = parse_duration(options.longer_than);
    if (!duration) return std::unexpected(duration.error());
    filter.longer_than = *duration;
  }
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  const auto all = list_transactions(*client, filter);
  if (!all) return std::unexpected(all.error());
  Table table({"ID", "STATE", "PRODUCER", "COORDINATOR"});
  json::array items;
  for (const TransactionSummary& each : *all) {
    if (!options.patterns.empty() && !matches(each.id, options.patterns)) continue;
    table.row({each.id, each.state, std::to_string(each.producer), std::to_string(each.coordinator)});
    items.push_back(json::object{{"id", text(each.id)},
                                 {"state", text(each.state)},
                                 {"producer", each.producer},
                                 {"coordinator", each.coordinator}});
  }
  if (options.settings.json()) {
    print_json(json::object{{"transactions", std::move(items)}});
  } else if (table.empty()) {
    const bool all_are_wanted = options.patterns.empty() && options.states.empty() && !filter.longer_than;
    complain(all_are_wanted ? "there are no transactions" : "there are no such transactions");
  } else {
    fmt::print("{}", table.text());
  }
  return kExitDone;
}

struct DescribeOptions {
  Settings settings;
  std::vector<std::string> ids;
};

json::value start_of(const TransactionState& state) {
  if (state.transaction_start_time_ms < 0) return nullptr;
  return text(rfc3339_text(state.transaction_start_time_ms));
}

void print_text(const TransactionState& state) {
  fmt::print("id         {}\nstate      {}\nproducer   {}\nepoch      {}\ntimeout    {}\n",
             state.transactional_id, state.transaction_state, state.producer_id, state.producer_epoch,
             duration_text(std::chrono::milliseconds(state.transaction_timeout_ms)));
  if (state.transaction_start_time_ms >= 0) {
    fmt::print("started    {}\n", rfc3339_text(state.transaction_start_time_ms));
  }
  for (const auto& topic : state.topics) {
    for (const std::int32_t partition : topic.partitions) {
      fmt::print("partition  {}\n", to_string(TopicPartition{topic.topic, partition}));
    }
  }
}

Result<int> describe(const DescribeOptions& options) {
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  json::array items;
  int code = kExitDone;
  for (const std::string& id : options.ids) {
    const auto state = describe_transaction(*client, id);
    if (!state) return std::unexpected(state.error());
    if (state->error_code != wire::ErrorCode::none) {
      complain(fmt::format("transactional id {}: {}", id, error_text(state->error_code)));
      code = kExitFailed;
      continue;
    }
    if (!options.settings.json()) {
      print_text(*state);
      continue;
    }
    json::array partitions;
    for (const auto& topic : state->topics) {
      for (const std::int32_t partition : topic.partitions) {
        partitions.push_back(json::object{{"topic", text(topic.topic)}, {"partition", partition}});
      }
    }
    items.push_back(json::object{{"id", text(id)},
                                 {"state", text(state->transaction_state)},
                                 {"producer", state->producer_id},
                                 {"epoch", state->producer_epoch},
                                 {"timeout_ms", state->transaction_timeout_ms},
                                 {"started", start_of(*state)},
                                 {"partitions", std::move(partitions)}});
  }
  if (options.settings.json()) print_json(json::object{{"transactions", std::move(items)}});
  return code;
}

struct AbortOptions {
  Settings settings;
  Confirmation confirmation;
  std::vector<std::string> ids;
  std::string topic;
  std::int64_t partition = -1;
  std::int64_t producer = -1;
  bool dry_run = false;
};

Result<int> look_at_ids(AdminClient& client, const AbortOptions& options) {
  Results results(options.settings.json());
  for (const std::string& id : options.ids) {
    const auto state = describe_transaction(client, id);
    if (!state) return std::unexpected(state.error());
    json::object item{{"id", text(id)}, {"fenced", false}};
    if (state->error_code != wire::ErrorCode::none) {
      results.failed(std::move(item), "transactional id " + id, state->error_code);
      continue;
    }
    item["state"] = text(state->transaction_state);
    results.done(std::move(item),
                 fmt::format("would fence {}, whose state is {}", id, state->transaction_state));
  }
  return results.finish();
}

Result<int> abort_by_id(AdminClient& client, const AbortOptions& options) {
  if (options.dry_run) return look_at_ids(client, options);
  const auto sure = confirmed(
      options.confirmation,
      fmt::format("Abort the transactions of {} and fence their producers", fmt::join(options.ids, ", ")));
  if (!sure) return std::unexpected(sure.error());
  if (!*sure) return kExitFailed;
  Results results(options.settings.json());
  for (const std::string& id : options.ids) {
    const auto fenced = fence_producer(client, id);
    if (!fenced) return std::unexpected(fenced.error());
    results.done(json::object{{"id", text(id)}, {"fenced", true}}, fmt::format("fenced {}", id));
  }
  return results.finish();
}

// Of a partition: every transaction that is open there, or that of one producer.
Result<int> abort_in_partition(AdminClient& client, const AbortOptions& options) {
  const TopicPartition partition{options.topic, static_cast<std::int32_t>(options.partition)};
  const auto producers = describe_producers(client, partition);
  if (!producers) return std::unexpected(producers.error());
  std::vector<ProducerState> open;
  for (const ProducerState& each : *producers) {
    const bool wanted = options.producer < 0 || each.producer_id == options.producer;
    if (wanted && each.current_txn_start_offset >= 0) open.push_back(each);
  }
  if (open.empty()) {
    return fail(Errc::not_found, fmt::format("no such transaction is open in {}", to_string(partition)));
  }
  if (!options.dry_run) {
    const auto sure =
        confirmed(options.confirmation,
                  fmt::format("Abort {} open transactions in {}, whatever their coordinator knows of them",
                              open.size(), to_string(partition)));
    if (!sure) return std::unexpected(sure.error());
    if (!*sure) return kExitFailed;
  }
  Results results(options.settings.json());
  for (const ProducerState& producer : open) {
    if (!options.dry_run) {
      const auto written = write_abort_marker(client, partition, producer);
      if (!written) return std::unexpected(written.error());
    }
    results.done(json::object{{"topic", text(options.topic)},
                              {"partition", options.partition},
                              {"producer", producer.producer_id},
                              {"offset", producer.current_txn_start_offset},
                              {"aborted", !options.dry_run}},
                 fmt::format("{} the transaction of producer {} from offset {} on",
                             options.dry_run ? "would abort" : "aborted", producer.producer_id,
                             producer.current_txn_start_offset));
  }
  return results.finish();
}

Result<int> abort(const AbortOptions& options) {
  const bool by_id = !options.ids.empty();
  const bool by_partition = !options.topic.empty() && options.partition >= 0;
  if (by_id == by_partition) {
    return fail(Errc::invalid_argument, "name transactional ids, or --topic and --partition");
  }
  auto client = AdminClient::make(options.settings);
  if (!client) return std::unexpected(client.error());
  return by_id ? abort_by_id(*client, options) : abort_in_partition(*client, options);
}

void add_list(Command& txn) {
  Command command = txn.command("list", "List transactional ids and the states of their transactions.");
  auto options = std::make_shared<ListOptions>();
  command.arguments("ID", options->patterns, "Only these; * and ? stand for any letters, any letter.");
  command.repeated("--state", options->states, "STATE", "Only in this state, as Ongoing.");
  command.option("--longer-than", options->longer_than, "TIME", "Only those that run for longer, as 5m.");
  add_settings(command, options->settings);
  command.action([options] { return finish(list(*options)); });
}

void add_describe(Command& txn) {
  Command command = txn.command("describe", "Show what transactions have touched.");
  auto options = std::make_shared<DescribeOptions>();
  command.arguments("ID", options->ids, "Transactional ids.").required();
  add_settings(command, options->settings);
  command.action([options] { return finish(describe(*options)); });
}

void add_abort(Command& txn) {
  Command command = txn.command("abort", "End transactions that nobody ends.");
  auto options = std::make_shared<AbortOptions>();
  command.arguments("ID", options->ids, "Transactional ids: their producers are fenced.");
  command.option("-t,--topic", options->topic, "TOPIC",
                 "Instead: what is open in a partition of this topic.");
  command.option("-p,--partition", options->partition, "N", "The partition.").without_default();
  command.option("--producer", options->producer, "ID", "There, only the transaction of this producer.")
      .without_default();
  add_confirmation(command, options->confirmation);
  command.flag("--dry-run", options->dry_run, "Say what would be aborted.");
  add_settings(command, options->settings);
  command.examples(
      "  tailwater txn abort orders-writer\n"
      "  tailwater txn abort -t orders -p 3 --producer 4711\n");
  command.action([options] { return finish(abort(*options)); });
}

}  // namespace

}  // namespace cli

void add_txn_command(Command& tailwater) {
  Command txn = tailwater.command("txn", "Look at transactions and end them.", "Topics and records");
  cli::add_list(txn);
  cli::add_describe(txn);
  cli::add_abort(txn);
}

}  // namespace tailwater::apps
