// Headers, whose version follows from the API and its version.
#include "wire/header.hpp"

#include "base/check.hpp"

namespace tailwater::wire {

namespace {

bool flexible_response(ApiKey key, std::int16_t version) {
  if (key == ApiKey::api_versions) return false;
  const ApiInfo* api = find_api(key);
  CHECK(api != nullptr);
  return api->flexible(version);
}

}  // namespace

Result<RequestHeader> decode_request_header(Reader& reader) {
  RequestHeader header;
  header.api_key = reader.int16();
  header.api_version = reader.int16();
  header.correlation_id = reader.int32();
  if (!reader.ok()) return fail(Errc::truncated, "the request ends within its header");
  const ApiInfo* api = find_api(header.api_key);
  if (api == nullptr) {
    return fail(Errc::unsupported, "API key " + std::to_string(header.api_key) + " is not known");
  }
  if (!api->speaks(header.api_version) && api->key != ApiKey::api_versions) {
    return fail(Errc::unsupported, std::string(api->name) + " version " + std::to_string(header.api_version) +
                                       " is not spoken here");
  }
  header.client_id = reader.nullable_text(Form::plain).value_or(std::string_view{});
  if (api->flexible(header.api_version)) reader.skip_tags();
  if (!reader.ok()) return fail(reader.error(), "the request's header cannot be read");
  return header;
}

void encode_request_header(Writer& writer, const RequestHeader& header) {
  const ApiInfo* api = find_api(header.api_key);
  CHECK(api != nullptr);
  writer.int16(header.api_key);
  writer.int16(header.api_version);
  writer.int32(header.correlation_id);
  writer.string(header.client_id, Form::plain);
  if (api->flexible(header.api_version)) writer.no_tags();
}

Result<std::int32_t> decode_response_header(Reader& reader, ApiKey key, std::int16_t version) {
  const std::int32_t correlation_id = reader.int32();
  if (flexible_response(key, version)) reader.skip_tags();
  if (!reader.ok()) return fail(reader.error(), "the response's header cannot be read");
  return correlation_id;
}

void encode_response_header(Writer& writer, ApiKey key, std::int16_t version, std::int32_t correlation_id) {
  writer.int32(correlation_id);
  if (flexible_response(key, version)) writer.no_tags();
}

std::size_t response_header_size(ApiKey key, std::int16_t version) {
  return flexible_response(key, version) ? 5 : 4;
}

}  // namespace tailwater::wire
