#include "frontend/orient.h"

#include <cmath>

#include "frontend/blocks.h"

namespace salus::frontend {
namespace {

constexpr std::size_t kLongest = 100000;
constexpr double kOpposite = -0.9999;  // cosine from which on the rotation's axis is no longer well given

double norm(const Vector& v) { return std::sqrt(v.x * v.x + v.y * v.y + v.z * v.z); }

// False for a vector without a direction.
bool make_unit(const Vector& v, Vector& unit) {
  const double length = norm(v);
  if (!(length > 0.0)) return false;
  unit = {v.x / length, v.y / length, v.z / length};
  return true;
}

// 2 p pT - I about a unit vector p across u: gravity lay against the axis, every way round is as short.
Rotation half_turn(const Vector& u) {
  const double parts[3] = {u.x, u.y, u.z};
  std::size_t least = 0;
  for (std::size_t i = 1; i < 3; ++i) {
    if (std::fabs(parts[i]) < std::fabs(parts[least])) least = i;
  }
  double across[3];
  for (std::size_t i = 0; i < 3; ++i) across[i] = (i == least ? 1.0 : 0.0) - parts[least] * parts[i];
  Vector unit;
  // u's smallest part is at most 0.58, so that there is a direction across.
  static_cast<void>(make_unit({across[0], across[1], across[2]}, unit));
  const double p[3] = {unit.x, unit.y, unit.z};
  Rotation rotation;
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) rotation.rows[i][j] = 2.0 * p[i] * p[j] - (i == j ? 1.0 : 0.0);
  }
  return rotation;
}

bool within(const Vector& low, const Vector& high, double still) {
  return high.x - low.x <= still && high.y - low.y <= still && high.z - low.z <= still;
}

}  // namespace

// Rodrigues: c I + [v]x + v vT / (1 + c), v = g x u.
Rotation smallest_rotation(const Vector& g, const Vector& u) {
  const double c = g.x * u.x + g.y * u.y + g.z * u.z;
  if (c < kOpposite) return half_turn(u);
  const Vector v = {g.y * u.z - g.z * u.y, g.z * u.x - g.x * u.z, g.x * u.y - g.y * u.x};
  const double k = 1.0 / (1.0 + c);
  return {{{c + k * v.x * v.x, k * v.x * v.y - v.z, k * v.x * v.z + v.y},
           {k * v.x * v.y + v.z, c + k * v.y * v.y, k * v.y * v.z - v.x},
           {k * v.x * v.z - v.y, k * v.y * v.z + v.x, c + k * v.z * v.z}}};
}

void Orient::push(std::int64_t index, const double* sample) {
  if (!known_) {
    const std::uint8_t* triad = settings_.triads[0];
    seek({sample[triad[0]], sample[triad[1]], sample[triad[2]]});
    return;
  }
  double out[FrontEnd::kMaxChannels];
  for (std::size_t i = 0; i < settings_.channels; ++i) out[i] = sample[i];
  for (std::size_t i = 0; i < settings_.triad_count; ++i) {
    const std::uint8_t* triad = settings_.triads[i];
    for (std::size_t row = 0; row < 3; ++row) {
      const double* r = rotation_.rows[row];
      out[triad[row]] = r[0] * sample[triad[0]] + r[1] * sample[triad[1]] + r[2] * sample[triad[2]];
    }
  }
  next_->push(index, out);
}

void Orient::seek(const Vector& a) {
  const Vector low = {std::fmin(low_.x, a.x), std::fmin(low_.y, a.y), std::fmin(low_.z, a.z)};
  const Vector high = {std::fmax(high_.x, a.x), std::fmax(high_.y, a.y), std::fmax(high_.z, a.z)};
  if (count_ > 0 && within(low, high, settings_.still)) {
    low_ = low;
    high_ = high;
    total_ = {total_.x + a.x, total_.y + a.y, total_.z + a.z};
    ++count_;
  } else {
    low_ = high_ = total_ = a;
    count_ = 1;
  }
  if (count_ != settings_.samples) return;
  count_ = 0;
  const auto n = static_cast<double>(settings_.samples);
  const Vector mean = {total_.x / n, total_.y / n, total_.z / n};
  Vector gravity;
  // Weaker than what counts as still is no gravity: a free fall.
  if (make_unit(mean, gravity) && norm(mean) > settings_.still) {
    set_rotation(smallest_rotation(gravity, settings_.axis));
  }
}

Orient* make_orient(const Parameters& parameters, const Inlet& inlet, Memory& memory, Outlet&) {
  static const char* const kNames[] = {"groups", "axis", "samples", "still"};
  OrientSettings settings;
  settings.channels = inlet.channels;
  settings.triad_count = parameters.rows("groups");
  if (!parameters.are(kNames) || settings.triad_count == 0) return nullptr;
  if (settings.triad_count > sizeof(settings.triads) / sizeof(settings.triads[0])) return nullptr;
  for (std::size_t i = 0; i < settings.triad_count; ++i) {
    double row[3];
    std::size_t count = 0;
    if (!parameters.row("groups", i, row, count) || count != 3) return nullptr;
    if (row[0] == row[1] || row[0] == row[2] || row[1] == row[2]) return nullptr;
    for (std::size_t j = 0; j < 3; ++j) {
      const bool fits = row[j] >= 0.0 && row[j] < static_cast<double>(inlet.channels) && row[j] == std::floor(row[j]);
      if (!fits) return nullptr;
      settings.triads[i][j] = static_cast<std::uint8_t>(row[j]);
    }
  }
  double axis[3];
  if (!parameters.numbers("axis", axis) || !make_unit({axis[0], axis[1], axis[2]}, settings.axis)) return nullptr;
  if (!parameters.whole("samples", 1, kLongest, settings.samples)) return nullptr;
  if (!parameters.number("still", 0.0, 1e9, settings.still)) return nullptr;
  return memory.make<Orient>(settings);
}

}  // namespace salus::frontend
