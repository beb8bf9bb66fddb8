#include "node/remote_fetches.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace tailwater::node {

void RemoteFetches::asked(ShardId from, FetchMail&& mail) {
  FetchedMail answer{
      .fetch = mail.fetch, .session = mail.terms.session, .round = mail.round, .parts = {}, .pieces = {}};
  answer.parts.reserve(mail.asks.size());
  std::optional<log::ReadTicket> wait;
  std::size_t total = 0;
  bool corrupt = false;  // told at once, see Fetches::conclude
  for (FetchAsk& ask : mail.asks) {
    ask.at_least_one_batch = total == 0;
    FetchPart& part = answer.parts.emplace_back();
    const auto ticket = partitions_.fetch(from, mail.terms, ask, part, answer.pieces);
    if (ticket) wait = ticket;
    total += part.bytes;
    corrupt = corrupt || part.error == wire::ErrorCode::corrupt_message;
  }
  if (wait && total == 0 && !corrupt) {
    waiting_.emplace(wait->value, Waiting{from, std::move(mail)});
    return;
  }
  context_.send(from, std::move(answer));
}

void RemoteFetches::ready(log::ReadTicket ticket) {
  std::vector<Waiting> due;
  const auto [begin, end] = waiting_.equal_range(ticket.value);
  for (auto at = begin; at != end; ++at) due.push_back(std::move(at->second));
  waiting_.erase(begin, end);
  for (Waiting& wait : due) asked(wait.from, std::move(wait.mail));
}

void RemoteFetches::unwatch(ShardId from, const UnwatchMail& mail) {
  for (const UnwatchMail::Target& each : mail.targets) {
    partitions_.unwatch(each.key, {from, each.session, each.target});
    // Nobody waits for blocks on its behalf any more; an answer would watch again.
    std::erase_if(waiting_, [&](const auto& entry) {
      const Waiting& waiting = entry.second;
      return waiting.from == from && waiting.mail.terms.session == each.session;
    });
  }
}

}  // namespace tailwater::node
