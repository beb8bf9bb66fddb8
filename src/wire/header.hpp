// Request and response headers.
//   request  v1: api_key i16, api_version i16, correlation_id i32, client_id nullable string
//            v2: the same and tagged fields; client_id keeps its int16 length (flexible request versions)
//   response v0: correlation_id i32;  v1: the same and tagged fields (flexible response versions)
// ApiVersions answers with v0 always, because its client may not know yet what the broker speaks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "wire/api_table.hpp"
#include "wire/reader.hpp"
#include "wire/writer.hpp"

namespace tailwater::wire {

struct RequestHeader {
  std::int16_t api_key = 0;
  std::int16_t api_version = 0;
  std::int32_t correlation_id = 0;
  std::string_view client_id;  // borrowed from the request's bytes; null reads as empty
};

// Reads the header and leaves the reader at the body. An unknown key, or a version that is not spoken, is
// Errc::unsupported and nothing after the correlation id is read; but ApiVersions passes with any version, so
// that it can be answered: its header is then read by the newest version's rules as far as they apply.
Result<RequestHeader> decode_request_header(Reader& reader);
void encode_request_header(Writer& writer, const RequestHeader& header);

Result<std::int32_t> decode_response_header(Reader& reader, ApiKey key, std::int16_t version);
void encode_response_header(Writer& writer, ApiKey key, std::int16_t version, std::int32_t correlation_id);
// 4, or 5 where the response version is flexible.
std::size_t response_header_size(ApiKey key, std::int16_t version);

}  // namespace tailwater::wire
