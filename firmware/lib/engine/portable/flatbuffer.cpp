#include "engine/portable/flatbuffer.h"

namespace salus::portable {

bool FlatBuffer::within(std::size_t at, std::size_t length) {
  if (at > bytes_.size() || length > bytes_.size() - at) sound_ = false;
  return sound_;
}

FlatBuffer::Table FlatBuffer::follow(std::size_t at) {
  Table found;
  const std::size_t target = at + value<std::uint32_t>(at);
  // The distance back to the vtable is signed; as unsigned it wraps to the same place.
  const auto back = static_cast<std::uint32_t>(value<std::int32_t>(target));
  const auto vtable = static_cast<std::uint32_t>(target) - back;
  const std::size_t vtable_bytes = value<std::uint16_t>(vtable);
  if (!within(vtable, vtable_bytes) || vtable_bytes < 4 || target == at) {
    sound_ = false;
    return found;
  }
  found.at = target;
  found.vtable = vtable;
  found.vtable_bytes = vtable_bytes;
  return found;
}

std::size_t FlatBuffer::find(const Table& in, unsigned field) {
  const std::size_t slot = 4 + std::size_t{2} * field;
  if (in.at == 0 || slot + 2 > in.vtable_bytes) return 0;
  const std::size_t offset = value<std::uint16_t>(in.vtable + slot);
  return offset == 0 ? 0 : in.at + offset;
}

FlatBuffer::Table FlatBuffer::table(const Table& in, unsigned field) {
  const std::size_t at = find(in, field);
  return at == 0 ? Table{} : follow(at);
}

Vector FlatBuffer::vector(const Table& in, unsigned field, std::size_t element_bytes) {
  Vector found;
  const std::size_t at = find(in, field);
  if (at == 0) return found;
  const std::size_t target = at + value<std::uint32_t>(at);
  const std::size_t count = value<std::uint32_t>(target);
  if (!sound_ || count > (bytes_.size() - target - 4) / element_bytes) {
    sound_ = false;
    return found;
  }
  found.at = target + 4;
  found.count = static_cast<std::uint32_t>(count);
  return found;
}

}  // namespace salus::portable
