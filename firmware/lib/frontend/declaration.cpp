#include "frontend/declaration.h"

#include <cmath>
#include <cstring>

#include "release.pb.h"

namespace salus::frontend {
namespace {

// One field after the other of a message; `part` is the content of a length-delimited one.
class Fields {
 public:
  explicit Fields(pb_istream_t message) : rest_(message) {}

  bool next() {
    bool end = false;
    if (broken_ || rest_.bytes_left == 0) return false;
    broken_ = !pb_decode_tag(&rest_, &type_, &tag_, &end) || !read();
    return !broken_;
  }

  [[nodiscard]] bool is(std::uint32_t tag, pb_wire_type_t type) const { return tag_ == tag && type_ == type; }
  [[nodiscard]] bool broken() const { return broken_; }
  [[nodiscard]] pb_istream_t part() const { return part_; }
  [[nodiscard]] std::uint64_t varint() const { return varint_; }
  [[nodiscard]] float fixed() const { return fixed_; }

 private:
  bool read() {
    if (tag_ == 0) return false;
    if (type_ == PB_WT_VARINT) return pb_decode_varint(&rest_, &varint_);
    if (type_ == PB_WT_32BIT) return pb_decode_fixed32(&rest_, &fixed_);
    if (type_ != PB_WT_STRING) return pb_skip_field(&rest_, type_);
    pb_istream_t part = PB_ISTREAM_EMPTY;
    if (!pb_make_string_substream(&rest_, &part)) return false;
    part_ = part;
    return pb_close_string_substream(&rest_, &part);
  }

  pb_istream_t rest_;
  pb_istream_t part_ = PB_ISTREAM_EMPTY;
  std::uint64_t varint_ = 0;
  float fixed_ = 0.0F;
  std::uint32_t tag_ = 0;
  pb_wire_type_t type_ = PB_WT_VARINT;
  bool broken_ = false;
};

bool read_text(pb_istream_t stream, char* text, std::size_t room) {
  const std::size_t length = stream.bytes_left;
  if (length >= room || !pb_read(&stream, reinterpret_cast<pb_byte_t*>(text), length)) return false;
  text[length] = '\0';
  return std::strlen(text) == length;
}

struct Parameter {
  char name[16] = {};
  char text[16] = {};
  pb_istream_t values = PB_ISTREAM_EMPTY;
};

bool read_parameter(pb_istream_t message, Parameter& parameter) {
  parameter = Parameter();
  Fields fields(message);
  while (fields.next()) {
    if (fields.is(salus_release_v1_Parameter_name_tag, PB_WT_STRING)) {
      if (!read_text(fields.part(), parameter.name, sizeof(parameter.name))) return false;
    } else if (fields.is(salus_release_v1_Parameter_text_tag, PB_WT_STRING)) {
      if (!read_text(fields.part(), parameter.text, sizeof(parameter.text))) return false;
    } else if (fields.is(salus_release_v1_Parameter_values_tag, PB_WT_STRING)) {
      if (parameter.values.bytes_left != 0) return false;  // split: a serialiser never does
      parameter.values = fields.part();
    } else {
      return false;
    }
  }
  return !fields.broken() && parameter.values.bytes_left % 4 == 0;
}

// The parameters of a block, one after the other.
class Reader {
 public:
  explicit Reader(pb_istream_t block) : fields_(block) {}
  bool next(Parameter& parameter) {
    while (fields_.next()) {
      if (fields_.is(salus_release_v1_Block_parameters_tag, PB_WT_STRING)) {
        broken_ = broken_ || !read_parameter(fields_.part(), parameter);
        return !broken_;
      }
    }
    return false;
  }
  [[nodiscard]] bool broken() const { return broken_ || fields_.broken(); }

 private:
  Fields fields_;
  bool broken_ = false;
};

bool read_block(pb_istream_t message, BlockDeclaration& block) {
  Fields fields(message);
  while (fields.next()) {
    if (fields.is(salus_release_v1_Block_name_tag, PB_WT_STRING)) {
      if (!read_text(fields.part(), block.name, sizeof(block.name))) return false;
    }
  }
  block.parameters = Parameters(message);
  return !fields.broken();
}

}  // namespace

bool Parameters::are(Span<const char* const> names) const {
  Reader reader(block_);
  Parameter parameter;
  std::uint32_t seen = 0;
  while (reader.next(parameter)) {
    std::size_t at = 0;
    while (at < names.size() && std::strcmp(names[at], parameter.name) != 0) ++at;
    if (at == names.size()) return false;
    seen |= 1U << at;
  }
  return !reader.broken() && seen == (1U << names.size()) - 1U;
}

std::size_t Parameters::rows(const char* name) const {
  Reader reader(block_);
  Parameter parameter;
  std::size_t count = 0;
  while (reader.next(parameter)) count += std::strcmp(parameter.name, name) == 0 ? 1 : 0;
  return reader.broken() ? 0 : count;
}

bool Parameters::row(const char* name, std::size_t at, Span<double> values, std::size_t& count) const {
  Reader reader(block_);
  Parameter parameter;
  while (reader.next(parameter)) {
    if (std::strcmp(parameter.name, name) != 0 || at-- != 0) continue;
    count = parameter.values.bytes_left / 4;
    if (count == 0 || count > values.size() || parameter.text[0] != '\0') return false;
    for (std::size_t i = 0; i < count; ++i) {
      float value = 0.0F;
      if (!pb_decode_fixed32(&parameter.values, &value) || !std::isfinite(value)) return false;
      values[i] = static_cast<double>(value);
    }
    return true;
  }
  return false;
}

bool Parameters::list(const char* name, Span<double> values, std::size_t& count) const {
  return rows(name) == 1 && row(name, 0, values, count);
}

bool Parameters::numbers(const char* name, Span<double> values) const {
  std::size_t count = 0;
  return list(name, values, count) && count == values.size();
}

bool Parameters::number(const char* name, double low, double high, double& value) const {
  // Bounds hold for the number as written; here it is rounded to single precision.
  const auto near = [](double bound) { return static_cast<double>(static_cast<float>(bound)); };
  return numbers(name, Span<double>(&value, 1)) && value >= near(low) && value <= near(high);
}

bool Parameters::whole(const char* name, std::size_t low, std::size_t high, std::size_t& value) const {
  double number = 0.0;
  if (!numbers(name, Span<double>(&number, 1))) return false;
  if (!(number >= static_cast<double>(low) && number <= static_cast<double>(high))) return false;
  value = static_cast<std::size_t>(number);
  return static_cast<double>(value) == number;
}

bool Parameters::channels(const char* name, std::size_t below, Span<std::uint8_t> values, std::size_t& count) const {
  double found[32];
  if (values.size() > 32 || !list(name, Span<double>(found, values.size()), count)) return false;
  for (std::size_t i = 0; i < count; ++i) {
    if (!(found[i] >= 0.0 && found[i] < static_cast<double>(below)) || found[i] != std::floor(found[i])) return false;
    values[i] = static_cast<std::uint8_t>(found[i]);
    for (std::size_t j = 0; j < i; ++j) {
      if (values[j] == values[i]) return false;
    }
  }
  return true;
}

bool Parameters::text(const char* name, char* value, std::size_t room) const {
  Reader reader(block_);
  Parameter parameter;
  while (reader.next(parameter)) {
    if (std::strcmp(parameter.name, name) != 0) continue;
    const std::size_t length = std::strlen(parameter.text);
    if (length == 0 || length >= room || parameter.values.bytes_left != 0) return false;
    std::memcpy(value, parameter.text, length + 1);
    return rows(name) == 1;
  }
  return false;
}

bool read_declaration(Bytes serialised, Declaration& declaration) {
  Fields fields(pb_istream_from_buffer(serialised.data(), serialised.size()));
  while (fields.next()) {
    const auto small = static_cast<std::uint32_t>(fields.varint());
    if (fields.is(salus_release_v1_FrontEnd_blocks_tag, PB_WT_STRING)) {
      if (declaration.block_count == kMaxBlocks) return false;
      if (!read_block(fields.part(), declaration.blocks[declaration.block_count++])) return false;
    } else if (fields.is(salus_release_v1_FrontEnd_window_samples_tag, PB_WT_VARINT)) {
      declaration.window_samples = small;
    } else if (fields.is(salus_release_v1_FrontEnd_hop_samples_tag, PB_WT_VARINT)) {
      declaration.hop_samples = small;
    } else if (fields.is(salus_release_v1_FrontEnd_rate_hz_tag, PB_WT_32BIT)) {
      declaration.rate_hz = fields.fixed();
    } else if (fields.is(salus_release_v1_FrontEnd_trigger_tag, PB_WT_VARINT)) {
      if (small > salus_release_v1_FrontEnd_Trigger_EVENT) return false;
      declaration.by_event = small == salus_release_v1_FrontEnd_Trigger_EVENT;
    } else if (fields.is(salus_release_v1_FrontEnd_aux_values_tag, PB_WT_VARINT)) {
      declaration.aux_values = small;
    } else {
      return false;  // a later kind of front end: to guess what it means would give other windows
    }
  }
  return !fields.broken();
}

}  // namespace salus::frontend
