#include "programs/limit/broker.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "records/batch.hpp"
#include "wire/api/create_topics.hpp"
#include "wire/api/list_offsets.hpp"
#include "wire/api/metadata.hpp"
#include "wire/header.hpp"
#include "wire/produce_stream.hpp"

namespace tailwater::limit {

namespace {

constexpr std::int16_t kFetchVersion = 16;

Topic& topic_of(std::vector<std::unique_ptr<Topic>>& topics, std::string_view name) {
  for (const auto& topic : topics) {
    if (topic->name == name) return *topic;
  }
  throw std::runtime_error("a topic that nobody made");
}

}  // namespace

void Broker::answer(Client& client, session::Response&& response) {
  client.out.push(std::move(response));
  if (!std::exchange(client.is_dirty, true)) dirty_.push_back(&client);
}

// What is asked once, by its structs.
template <class Request, class Serve>
void Broker::ask(Client& client, std::int16_t version, std::int32_t correlation, wire::Reader& body,
                 Serve serve) {
  Request request;
  if (!decode(body, version, request)) throw std::runtime_error("a request that cannot be read");
  typename wire::ApiOf<Request>::Response response;
  serve(request, response);
  session::Response frame;
  frame.bytes.resize(4);
  wire::Writer writer(frame.bytes);
  wire::encode_response_header(writer, wire::ApiOf<Request>::key, version, correlation);
  encode(writer, version, response);
  store_big(frame.bytes.data(), static_cast<std::uint32_t>(frame.bytes.size() - 4));
  answer(client, std::move(frame));
}

void Broker::take(Client& client, Bytes frame, std::int64_t now_ms) {
  wire::Reader reader(frame);
  const auto header = wire::decode_request_header(reader);
  if (!header) throw std::runtime_error("a frame without a header");
  const std::int16_t version = header->api_version;
  const std::int32_t correlation = header->correlation_id;
  switch (static_cast<wire::ApiKey>(header->api_key)) {
    case wire::ApiKey::produce:
      return produce(client, version, correlation, reader.rest());
    case wire::ApiKey::fetch:
      return fetch(client, version, correlation, reader.rest(), now_ms);
    case wire::ApiKey::create_topics:
      return ask<wire::CreateTopicsRequest>(
          client, version, correlation, reader, [&](auto& request, auto& response) {
            for (const auto& wanted : request.topics) {
              auto topic = std::make_unique<Topic>();
              topic->name = wanted.name;
              topic->id.low = topics_.size() + 1;
              for (std::int32_t each = 0; each < wanted.num_partitions; ++each) {
                topic->partitions.push_back(std::make_unique<Partition>());
                topic->partitions.back()->number = each;
              }
              auto& made = response.topics.emplace_back();
              made.name = wanted.name;
              const bool is_known =
                  std::ranges::any_of(topics_, [&](const auto& known) { return known->name == wanted.name; });
              if (is_known) {
                made.error_code = wire::ErrorCode::topic_already_exists;
                continue;
              }
              if (mode_ == Mode::durable) partitions_.make_files(*topic);
              topics_.push_back(std::move(topic));
            }
          });
    case wire::ApiKey::metadata:
      return ask<wire::MetadataRequest>(
          client, version, correlation, reader, [&](auto& request, auto& response) {
            response.brokers.push_back({.node_id = 1, .host = "127.0.0.1", .port = port_});
            for (const auto& wanted : request.topics.value()) {
              const Topic& topic = topic_of(topics_, wanted.name.value());
              auto& told = response.topics.emplace_back();
              told.name = topic.name;
              told.topic_id = topic.id;
              for (const auto& partition : topic.partitions) {
                told.partitions.push_back({.partition_index = partition->number, .leader_id = 1});
              }
            }
          });
    case wire::ApiKey::list_offsets:
      return ask<wire::ListOffsetsRequest>(
          client, version, correlation, reader, [&](auto& request, auto& response) {
            for (const auto& wanted : request.topics) {
              const Topic& topic = topic_of(topics_, wanted.name);
              auto& told = response.topics.emplace_back();
              told.name = topic.name;
              for (const auto& each : wanted.partitions) {
                auto& partition = told.partitions.emplace_back();
                partition.partition_index = each.partition_index;
                partition.offset = topic.partitions.at(static_cast<std::size_t>(each.partition_index))->end;
              }
            }
          });
    default:
      throw std::runtime_error("a request that `load` does not send");
  }
}

void Broker::produce(Client& client, std::int16_t version, std::int32_t correlation, Bytes body) {
  auto request = wire::ProduceReader::open(body, version);
  if (!request) throw std::runtime_error("a Produce request that cannot be read");
  auto pending = std::make_shared<Pending>();
  pending->client = &client;
  wire::ProduceResponseWriter writer(pending->answer.bytes, version, correlation, request->topics());
  while (request->next_topic()) {
    Topic& topic = topic_of(topics_, request->topic_name());
    writer.topic(topic.name, {}, request->topic_partitions());
    while (request->next_partition()) {
      Partition& partition = *topic.partitions.at(static_cast<std::size_t>(request->partition().index));
      const auto batch = records::parse_batch(request->partition().records.value_or(Bytes{}));
      if (!batch) throw std::runtime_error("what is no batch");
      const std::int64_t base = partition.end;
      if (mode_ == Mode::echo) {
        partition.end += batch->records_count();
      } else {
        if (!batch->crc_matches()) throw std::runtime_error("a wrong checksum");
        const bool is_large =
            partitions_.append(partition, batch->bytes(), batch->records_count(), [this, pending] {
              if (--pending->writes == 0) await_frame(pending);
            });
        if (is_large) ++pending->writes;
        if (!is_large) files_.add(batch->bytes());
        pending->ends.emplace_back(&partition, partition.end);
      }
      writer.partition({.partition = partition.number, .base_offset = base, .log_start_offset = 0});
    }
  }
  writer.finish(0);
  if (mode_ == Mode::echo) return answer(client, std::move(pending->answer));
  if (pending->writes == 0) await_frame(std::move(pending));
}

void Broker::await_frame(std::shared_ptr<Pending> pending) {
  files_.when_durable([this, pending = std::move(pending)] {
    for (const auto& [partition, end] : pending->ends) {
      partition->durable_end = std::max(partition->durable_end, end);
    }
    has_news_ = true;
    answer(*pending->client, std::move(pending->answer));
  });
}

void Broker::fetch(Client& client, std::int16_t version, std::int32_t correlation, Bytes body,
                   std::int64_t now_ms) {
  auto request = wire::FetchReader::open(body, version);
  if (!request || version != kFetchVersion) throw std::runtime_error("a Fetch request that cannot be read");
  client.is_incremental = request->head().session_epoch > 0;
  if (!client.is_incremental) {
    client.session = next_session_++;
    client.targets.clear();
    client.places.clear();
  }
  while (request->next_topic()) {
    const auto topic =
        std::ranges::find_if(topics_, [&](const auto& each) { return each->id == request->topic_id(); });
    if (topic == topics_.end()) throw std::runtime_error("a topic that nobody made");
    client.topic = topic->get();
    while (request->next_partition()) {
      const auto& asked = request->partition();
      const auto [place, is_new] = client.places.try_emplace(asked.index, client.targets.size());
      if (is_new) client.targets.emplace_back();
      client.targets[place->second] = {(*topic)->partitions.at(static_cast<std::size_t>(asked.index)).get(),
                                       asked.fetch_offset,
                                       static_cast<std::size_t>(asked.partition_max_bytes)};
    }
  }
  client.correlation = correlation;
  client.bytes_max = static_cast<std::size_t>(request->head().max_bytes);
  client.deadline_ms = now_ms + request->head().max_wait_ms;
  if (answer_fetch(client, false)) return;
  waiting_.push_back(&client);
}

// False if there is nothing to tell yet.
bool Broker::answer_fetch(Client& client, bool is_late) {
  read_.clear();
  found_.clear();
  std::size_t total = 0;
  for (Client::Target& target : client.targets) {
    const std::size_t first = read_.size();
    const std::size_t room = std::min(target.bytes_max, client.bytes_max - std::min(total, client.bytes_max));
    const std::size_t bytes = partitions_.read(*target.partition, target.offset, room, total == 0, read_);
    total += bytes;
    if (bytes > 0 || !client.is_incremental) found_.push_back({&target, first, read_.size() - first, bytes});
  }
  if (total == 0 && !is_late) return false;
  session::Response frame;
  pieces_.clear();
  wire::FetchResponseWriter writer(frame.bytes, pieces_, kFetchVersion,
                                   {.correlation_id = client.correlation,
                                    .session_id = client.session,
                                    .topics = found_.empty() ? std::size_t{0} : std::size_t{1}});
  if (!found_.empty()) writer.topic(client.topic->name, client.topic->id, found_.size());
  for (const Found& found : found_) {
    const std::int64_t end = found.target->partition->durable_end;
    writer.partition({.partition = found.target->partition->number,
                      .high_watermark = end,
                      .last_stable_offset = end,
                      .log_start_offset = 0},
                     found.bytes);
    for (std::size_t at = found.first; at < found.first + found.count; ++at) writer.payload(read_[at].bytes);
  }
  writer.finish();
  std::size_t payload = 0;
  for (const wire::FetchPiece& piece : pieces_) {
    if (piece.payload.empty()) continue;
    frame.splices.push_back(
        {piece.header_end, piece.payload, reinterpret_cast<std::uint64_t>(read_[payload++].chunk)});
  }
  answer(client, std::move(frame));
  return true;
}

void Broker::end_turn(std::int64_t now_ms) {
  if (mode_ == Mode::durable) files_.flush();
  const bool has_news = std::exchange(has_news_, false);
  std::erase_if(waiting_, [&](Client* client) {
    const bool is_late = client->deadline_ms <= now_ms;
    return (has_news || is_late) && answer_fetch(*client, is_late);
  });
}

}  // namespace tailwater::limit
