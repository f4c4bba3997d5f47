#include "release/manifest.h"

#include <pb_decode.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "release.pb.h"
#include "release/wire.h"

namespace salus::release {
namespace {

constexpr std::size_t kMaxGoldens = 256;

bool decode(Bytes message, const pb_msgdesc_t* fields, void* found) {
  pb_istream_t stream = pb_istream_from_buffer(message.data(), message.size());
  return pb_decode(&stream, fields, found);
}

// nanopb stores any number that fits in an enum (ARM's are as small as may be, and what does not fit is malformed);
// reading one that the enum lacks as an enum would be undefined.
template <typename Enum>
std::uint32_t number_of(const Enum& value) {
  std::make_unsigned_t<std::underlying_type_t<Enum>> number = 0;
  std::memcpy(&number, &value, sizeof number);
  return number;
}

template <typename Field>
Bytes keep(const Field& field, Digest& digest) {
  const std::size_t size = std::min<std::size_t>(field.size, digest.size());
  std::memcpy(digest.data(), field.bytes, size);
  return Bytes(digest.data(), size);
}

void read_quantisation(const salus_release_v1_Quantisation& from, Quantisation& to) {
  to.scale = from.scale;
  to.zero_point = from.zero_point;
  to.rank = static_cast<std::uint8_t>(from.shape_count);
  to.values = from.shape_count == 0 ? 0 : 1;
  for (std::size_t at = 0; at < from.shape_count; ++at) {
    // A product of four numbers below 2^16 could overflow 32 bits; 0 stands for all that no model here can be.
    if (from.shape[at] > UINT16_MAX || (from.shape[at] != 0 && to.values > UINT16_MAX / from.shape[at])) {
      to.values = 0;
      return;
    }
    to.dims[at] = static_cast<std::uint16_t>(from.shape[at]);
    to.values *= from.shape[at];
  }
}

// False: a class that is none.
bool read_rule(const salus_release_v1_Decision& from, AlarmRule& to) {
  to.classes = from.classes;
  to.confirm_windows = from.confirm_windows;
  to.threshold = from.threshold;
  to.refractory_ms = from.refractory_ms;
  for (std::size_t at = 0; at < from.alarm_classes_count; ++at) {
    if (from.alarm_classes[at] >= kMaxClasses) return false;
    to.alarm_classes |= 1U << from.alarm_classes[at];
  }
  return true;
}

bool usable(const Quantisation& quantisation) {
  return quantisation.scale > 0.0F && std::isfinite(quantisation.scale) && quantisation.zero_point >= -128 &&
         quantisation.zero_point <= 127;
}

bool usable(const AlarmRule& rule, std::size_t logits) {
  return rule.classes >= 2 && rule.classes <= kMaxClasses && rule.classes <= logits &&
         rule.alarm_classes < 1U << rule.classes && rule.confirm_windows >= 1 &&
         rule.confirm_windows <= kMaxConfirmWindows && rule.threshold > 0.0F && rule.threshold <= 1.0F;
}

bool is_text(Bytes value, const char* text) {
  return value.size() == std::strlen(text) && std::memcmp(value.data(), text, value.size()) == 0;
}

const char* output_name(bool personal) { return personal ? "logits" : "feature"; }

// The one Golden of this name; false without, or with two.
bool find_golden(Bytes manifest, const char* name, Bytes& found) {
  Fields fields(manifest);
  std::size_t count = 0;
  while (fields.next(salus_release_v1_Manifest_goldens_tag)) {
    Bytes named;
    if (!only_field(fields.bytes(), salus_release_v1_Golden_name_tag, named)) return false;
    if (!is_text(named, name)) continue;
    found = fields.bytes();
    ++count;
  }
  return count == 1 && !fields.broken();
}

// How many fields `number` there are, each of `size` bytes; 0 when one is not.
std::size_t count_of_size(Bytes message, std::uint32_t number, std::size_t size) {
  Fields fields(message);
  std::size_t count = 0;
  while (fields.next(number)) {
    if (fields.bytes().size() != size) return 0;
    ++count;
  }
  return fields.broken() ? 0 : count;
}

bool goldens_fit(const ActiveModel& model, bool personal) {
  Bytes outputs;
  const std::size_t inputs =
      count_of_size(model.manifest, salus_release_v1_Manifest_golden_inputs_tag, model.input.values);
  return model.input.values > 0 && model.output.values > 0 && inputs > 0 && inputs <= kMaxGoldens &&
         find_golden(model.manifest, output_name(personal), outputs) &&
         count_of_size(outputs, salus_release_v1_Golden_outputs_tag, model.output.values) == inputs;
}

bool nth(Bytes message, std::uint32_t number, std::size_t index, Bytes& value) {
  Fields fields(message);
  for (std::size_t at = 0; fields.next(number); ++at) {
    if (at == index) {
      value = fields.bytes();
      return true;
    }
  }
  return false;
}

}  // namespace

ReleaseStatus read_signed(Bytes message, SignedManifest& found) {
  const bool whole = only_field(message, salus_release_v1_SignedManifest_manifest_tag, found.manifest) &&
                     only_field(message, salus_release_v1_SignedManifest_signature_tag, found.signature);
  return whole ? ReleaseStatus::kOk : ReleaseStatus::kMalformed;
}

ReleaseStatus read_manifest(Bytes message, Manifest& found) {
  salus_release_v1_Manifest read = salus_release_v1_Manifest_init_zero;
  if (!decode(message, salus_release_v1_Manifest_fields, &read)) return ReleaseStatus::kMalformed;
  ActiveModel& model = found.model;
  std::memcpy(model.task, read.task, sizeof model.task);
  model.version = read.version;
  model.arena_bytes = read.arena_bytes;
  model.manifest = message;
  read_quantisation(read.input, model.input);
  read_quantisation(read.output, model.output);
  found.has_sha256 = read.sha256.size == kDigestBytes;
  (void)keep(read.sha256, model.sha256);
  found.size_bytes = read.size_bytes;
  const std::uint32_t kind = number_of(read.kind);
  const std::uint32_t role = number_of(read.signer_role);
  found.base = kind == salus_release_v1_Manifest_Kind_BASE;
  found.personal = kind == salus_release_v1_Manifest_Kind_PERSONAL;
  found.has_rule = found.personal && read.has_decision && read_rule(read.decision, model.alarm);
  if (role == salus_release_v1_Manifest_SignerRole_RELEASE_KEY) found.signer = SignerRole::kReleaseKey;
  if (role == salus_release_v1_Manifest_SignerRole_GATEWAY_KEY) found.signer = SignerRole::kGatewayKey;
  found.parent_sha256 = keep(read.parent_sha256, found.digests[0]);
  found.chain_id = keep(read.chain_id, found.digests[1]);
  found.frontend_sha256 = keep(read.frontend_sha256, found.digests[2]);
  const bool once = only_field(message, salus_release_v1_Manifest_frontend_tag, model.frontend) &&
                    only_field(message, salus_release_v1_Manifest_personal_template_tag, found.base_template);
  return once ? ReleaseStatus::kOk : ReleaseStatus::kMalformed;
}

ReleaseStatus check_form(const Manifest& manifest) {
  const ActiveModel& model = manifest.model;
  const bool base = manifest.base && manifest.signer == SignerRole::kReleaseKey && model.input.rank == 2;
  const bool personal = manifest.personal && manifest.signer == SignerRole::kGatewayKey && model.input.rank == 1 &&
                        manifest.has_rule && usable(model.alarm, model.output.values);
  const bool fits = (base || personal) && manifest.has_sha256 && usable(model.input) && usable(model.output) &&
                    goldens_fit(model, personal);
  return fits ? ReleaseStatus::kOk : ReleaseStatus::kMalformed;
}

bool golden(const ActiveModel& model, std::size_t index, Bytes& input, Bytes& output) {
  Bytes outputs;
  return find_golden(model.manifest, output_name(model.alarm.classes != 0), outputs) &&
         nth(model.manifest, salus_release_v1_Manifest_golden_inputs_tag, index, input) &&
         nth(outputs, salus_release_v1_Golden_outputs_tag, index, output);
}

std::uint32_t template_size_bytes(Bytes base_template) {
  salus_release_v1_Template read = salus_release_v1_Template_init_zero;
  return decode(base_template, salus_release_v1_Template_fields, &read) ? read.size_bytes : 0;
}

ReleaseStatus check_template(Bytes base_template, Bytes model) {
  salus_release_v1_Template read = salus_release_v1_Template_init_zero;
  if (!decode(base_template, salus_release_v1_Template_fields, &read) || read.sha256.size != kDigestBytes ||
      read.size_bytes != model.size()) {
    return ReleaseStatus::kOtherTemplate;
  }
  static constexpr std::uint8_t kZeros[64] = {};
  Sha256 hash;
  std::size_t at = 0;
  Fields fields(base_template);
  while (fields.next(salus_release_v1_Template_regions_tag)) {
    salus_release_v1_Region region = salus_release_v1_Region_init_zero;
    if (!decode(fields.bytes(), salus_release_v1_Region_fields, &region) || region.offset < at ||
        region.offset > model.size() || region.size_bytes > model.size() - region.offset) {
      return ReleaseStatus::kOtherTemplate;
    }
    hash.update(model.part(at, region.offset - at));
    for (std::size_t left = region.size_bytes; left != 0;) {
      const std::size_t size = std::min(left, sizeof kZeros);
      hash.update(Bytes(kZeros, size));
      left -= size;
    }
    at = region.offset + region.size_bytes;
  }
  hash.update(model.from(at));
  const Digest digest = hash.finish();
  const bool same = !fields.broken() && std::memcmp(digest.data(), read.sha256.bytes, digest.size()) == 0;
  return same ? ReleaseStatus::kOk : ReleaseStatus::kOtherTemplate;
}

}  // namespace salus::release
