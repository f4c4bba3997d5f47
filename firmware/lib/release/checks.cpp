#include "release/checks.h"

#include <cstring>

namespace salus::release {
namespace {

constexpr char kDomain[] = "salus/release/1";

bool same(Bytes left, Bytes right) {
  return left.size() == right.size() && (left.empty() || std::memcmp(left.data(), right.data(), left.size()) == 0);
}

Bytes view(const Digest& digest) { return Bytes(digest.data(), digest.size()); }

bool same_kind(const Quantisation& left, const Quantisation& right) {
  return left.scale == right.scale && left.zero_point == right.zero_point;
}

bool same_shape(const Quantisation& left, const Quantisation& right) {
  return left.rank == right.rank && std::memcmp(left.dims, right.dims, sizeof left.dims) == 0;
}

bool is_signed(const Offer& offer, const Trust& trust) {
  const bool personal = offer.readable == ReleaseStatus::kOk && offer.manifest.personal;
  const Bytes key = personal ? trust.gateway_public_key : trust.release_public_key;
  const Digest digest = signed_digest(kDomain, offer.message.manifest);
  return p256_verify(key, offer.message.signature, digest) == CryptoStatus::kOk;
}

// Whether its windows and features are the task's, which are fixed: another base would stop the wearable, or mislead
// it.
bool fits_active(const Manifest& manifest, const ActiveModel& active) {
  if (manifest.personal) {
    return manifest.model.input.values == active.output.values && same_kind(manifest.model.input, active.output);
  }
  return same_shape(manifest.model.input, active.input) && same_kind(manifest.model.output, active.output);
}

ReleaseStatus check_frontend(const Manifest& manifest, const ActiveModel* active) {
  const Bytes frontend = manifest.model.frontend;
  const bool right =
      same(manifest.frontend_sha256, view(sha256(frontend))) && (active == nullptr || same(frontend, active->frontend));
  return right ? ReleaseStatus::kOk : ReleaseStatus::kWrongFrontend;
}

ReleaseStatus check_personal(const Manifest& manifest, const Place& place) {
  if (!same(manifest.parent_sha256, view(place.active->sha256))) return ReleaseStatus::kOtherBase;
  return place.base_template.empty() || template_size_bytes(place.base_template) != manifest.size_bytes
             ? ReleaseStatus::kOtherTemplate
             : ReleaseStatus::kOk;
}

bool is_tensor(const TensorInfo& tensor, const Quantisation& wanted) {
  return tensor.bytes == wanted.values && tensor.scale == wanted.scale && tensor.zero_point == wanted.zero_point;
}

ReleaseStatus run_goldens(const ActiveModel& model, Bytes bytes, Bench& bench) {
  if (bench.engine.load(bytes, bench.arena) != EngineStatus::kOk) return ReleaseStatus::kBadModel;
  if (!is_tensor(bench.engine.input(), model.input) || !is_tensor(bench.engine.output(), model.output) ||
      model.output.values > bench.output.size()) {
    return ReleaseStatus::kBadModel;
  }
  const MutableBytes output = bench.output.first(model.output.values);
  Bytes input;
  Bytes wanted;
  for (std::size_t index = 0; golden(model, index, input, wanted); ++index) {
    // int8 in the engine, bytes everywhere else.
    const Span<const std::int8_t> window(reinterpret_cast<const std::int8_t*>(input.data()), input.size());
    const Span<std::int8_t> feature(reinterpret_cast<std::int8_t*>(output.data()), output.size());
    if (bench.engine.run(window, feature) != EngineStatus::kOk) return ReleaseStatus::kBadModel;
    if (!same(output, wanted)) return ReleaseStatus::kGoldenDiffers;
  }
  return ReleaseStatus::kOk;
}

}  // namespace

void read_offer(Bytes signed_manifest, Offer& offer) {
  offer.is_message = read_signed(signed_manifest, offer.message) == ReleaseStatus::kOk;
  if (offer.is_message) offer.readable = read_manifest(offer.message.manifest, offer.manifest);
}

ReleaseStatus check_offer(const Offer& offer, const Trust& trust, const Place& place) {
  const Manifest& manifest = offer.manifest;
  if (!offer.is_message) return ReleaseStatus::kMalformed;
  if (!place.factory && !is_signed(offer, trust)) return ReleaseStatus::kBadSignature;
  if (offer.readable != ReleaseStatus::kOk) return ReleaseStatus::kMalformed;
  if (const ReleaseStatus form = check_form(manifest); form != ReleaseStatus::kOk) return form;
  if (manifest.personal && place.active == nullptr) return ReleaseStatus::kOtherBase;
  if (place.active != nullptr) {
    if (std::strcmp(manifest.model.task, place.active->task) != 0) return ReleaseStatus::kWrongTask;
    if (!fits_active(manifest, *place.active)) return ReleaseStatus::kMalformed;
  }
  if (!place.factory && (trust.chain_id.empty() || !same(manifest.chain_id, trust.chain_id))) {
    return ReleaseStatus::kWrongChain;
  }
  if (manifest.model.version <= place.newer_than) return ReleaseStatus::kOlderVersion;
  if (manifest.size_bytes == 0 || manifest.size_bytes > place.model_capacity) return ReleaseStatus::kWrongSize;
  const ReleaseStatus own =
      manifest.personal ? check_personal(manifest, place) : check_frontend(manifest, place.active);
  if (own != ReleaseStatus::kOk) return own;
  return manifest.model.arena_bytes > place.arena_bytes ? ReleaseStatus::kArenaTooLarge : ReleaseStatus::kOk;
}

ReleaseStatus check_model(const Manifest& manifest, Bytes base_template, Bytes model, Bench& bench) {
  if (model.size() != manifest.size_bytes) return ReleaseStatus::kWrongSize;
  if (!same(view(sha256(model)), view(manifest.model.sha256))) return ReleaseStatus::kWrongHash;
  if (manifest.personal) {
    const ReleaseStatus form = check_template(base_template, model);
    if (form != ReleaseStatus::kOk) return form;
  }
  return run_goldens(manifest.model, model, bench);
}

}  // namespace salus::release
