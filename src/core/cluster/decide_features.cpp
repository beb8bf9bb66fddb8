// What a new cluster begins with, and the finalized levels of features, which users may change later: clients
// of a feature work by the level that they are told.
#include <algorithm>

#include "core/cluster/decide.hpp"

namespace tailwater::cluster {

namespace {

using wire::ErrorCode;

// Finalized levels of Kafka's features that a new cluster has: the highest that this release serves.
constexpr std::pair<std::string_view, std::int16_t> kFeatures[] = {
    {"group.version", 1},
    {"transaction.version", 2},
};

enum class UpgradeType : std::int8_t { upgrade = 1, safe_downgrade = 2, unsafe_downgrade = 3 };

Refusal refuse(const wire::UpdateFeaturesRequestFeatureUpdateKey& wanted, const std::string& why) {
  return {ErrorCode::invalid_update_version, "Invalid update version " +
                                                 std::to_string(wanted.max_version_level) + " for feature " +
                                                 wanted.feature + ". " + why};
}

Refusal check(const MetadataImage& image, const wire::UpdateFeaturesRequestFeatureUpdateKey& wanted) {
  const auto* known =
      std::ranges::find(kFeatures, wanted.feature, [](const auto& each) { return each.first; });
  if (known == std::end(kFeatures)) return refuse(wanted, "The controller does not support this feature.");
  if (wanted.max_version_level < 0) return refuse(wanted, "The level of a feature cannot be less than 0.");
  if (wanted.max_version_level > known->second) {
    return refuse(wanted, "The controller supports levels 0-" + std::to_string(known->second) + ".");
  }
  // Version 0 of the request says only whether it may go down.
  const auto type =
      wanted.allow_downgrade ? UpgradeType::safe_downgrade : static_cast<UpgradeType>(wanted.upgrade_type);
  if (type < UpgradeType::upgrade || type > UpgradeType::unsafe_downgrade) {
    return refuse(wanted, "The controller does not support the given upgrade type.");
  }
  const std::int16_t current = image.feature(wanted.feature);
  if (wanted.max_version_level < current && type == UpgradeType::upgrade) {
    return refuse(wanted,
                  "Can't downgrade the level of this feature without setting the upgrade type to either safe "
                  "or unsafe downgrade.");
  }
  if (wanted.max_version_level > current && type != UpgradeType::upgrade) {
    return refuse(wanted, "Can't downgrade to a newer level.");
  }
  return {};
}

}  // namespace

void decide_bootstrap(Draft& draft, const std::string& cluster_id) {
  std::vector<Record> records{ClusterRecord{cluster_id}};
  for (const auto& [name, level] : kFeatures) {
    records.emplace_back(wire::FeatureLevelRecord{std::string(name), level});
  }
  draft.propose(records);
}

// All or none of them.
wire::UpdateFeaturesResponse decide(Draft& draft, const wire::UpdateFeaturesRequest& request) {
  wire::UpdateFeaturesResponse response;
  std::vector<Record> records;
  for (const auto& wanted : request.feature_updates) {
    if (const Refusal refusal = check(draft.image(), wanted)) {
      response = {};
      response.error_code = refusal.code;
      response.error_message =
          "The update failed for all features since the following feature had an error: " + refusal.message;
      return response;
    }
    response.results.push_back({.feature = wanted.feature, .error_code = {}, .error_message = {}});
    if (wanted.max_version_level == draft.image().feature(wanted.feature)) continue;
    records.emplace_back(wire::FeatureLevelRecord{wanted.feature, wanted.max_version_level});
  }
  if (!request.validate_only) draft.propose(records);
  return response;
}

}  // namespace tailwater::cluster
