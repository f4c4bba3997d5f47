// `cancel`: in each window, some channels minus their ridge regression on others and their lags: motion goes.
// Single precision but for the small system of equations: microcontrollers have hardware for that, and it rounds as
// the gateway does.
#include <algorithm>
#include <cmath>

#include "frontend/blocks.h"

namespace salus::frontend {
namespace {

constexpr std::size_t kMostRegressors = 24;
constexpr double kLongestLag = 64.0;

struct Regressor {
  std::uint8_t channel = 0;
  std::int8_t lag = 0;
};

struct Settings {
  std::uint8_t targets[FrontEnd::kMaxChannels] = {};
  std::size_t target_count = 0;
  Span<Regressor> regressors;
  double ridge = 0.0;
  std::size_t rows = 0;
  std::size_t channels = 0;
};

class Cancel final : public WindowBlock {
 public:
  Cancel(const Settings& settings, Span<float> moments, Span<double> factor, Span<double> weights, Span<float> row)
      : settings_(settings), gram_(moments), low_(factor), weights_(weights), row_(row) {}

  void apply(float* in, float* out) override {
    centre(in);
    sum_moments(in);
    factorise();
    solve();
    subtract(in, out);
  }

 private:
  [[nodiscard]] std::size_t k() const { return settings_.regressors.size(); }
  [[nodiscard]] float& right(std::size_t i, std::size_t target) {
    return gram_[k() * k() + i * settings_.target_count + target];
  }
  [[nodiscard]] double& low(std::size_t i, std::size_t j) { return low_[i * k() + j]; }

  void centre(float* in) const {
    for (std::size_t channel = 0; channel < settings_.channels; ++channel) {
      float total = 0.0F;
      for (std::size_t i = 0; i < settings_.rows; ++i) total = total + in[i * settings_.channels + channel];
      const float mean = total / static_cast<float>(settings_.rows);
      for (std::size_t i = 0; i < settings_.rows; ++i) in[i * settings_.channels + channel] -= mean;
    }
  }

  // The regressors of one row; at a window's ends the nearest sample stands in.
  void gather(const float* in, std::size_t row) {
    for (std::size_t i = 0; i < k(); ++i) {
      const Regressor& regressor = settings_.regressors[i];
      const int last = static_cast<int>(settings_.rows) - 1;
      const int at = std::clamp(static_cast<int>(row) - regressor.lag, 0, last);
      row_[i] = in[static_cast<std::size_t>(at) * settings_.channels + regressor.channel];
    }
  }

  void sum_moments(const float* in) {
    for (float& each : gram_) each = 0.0F;
    for (std::size_t n = 0; n < settings_.rows; ++n) {
      gather(in, n);
      for (std::size_t i = 0; i < k(); ++i) {
        const float value = row_[i];
        for (std::size_t j = 0; j <= i; ++j) gram_[i * k() + j] += value * row_[j];
        for (std::size_t t = 0; t < settings_.target_count; ++t) {
          right(i, t) += value * in[n * settings_.channels + settings_.targets[t]];
        }
      }
    }
  }

  // Cholesky of gram + ridge * mean diagonal. Without motion there is nothing to subtract: any factor will do.
  void factorise() {
    double trace = 0.0;
    for (std::size_t i = 0; i < k(); ++i) trace = trace + static_cast<double>(gram_[i * k() + i]);
    const double added = trace > 0.0 ? settings_.ridge * (trace / static_cast<double>(k())) : 1.0;
    for (std::size_t j = 0; j < k(); ++j) {
      for (std::size_t i = j; i < k(); ++i) {
        double rest = static_cast<double>(gram_[i * k() + j]);
        if (i == j) rest = rest + added;
        for (std::size_t m = 0; m < j; ++m) rest = rest - low(i, m) * low(j, m);
        // A pivot is at least what was added; less is rounding.
        low(i, j) = i == j ? std::sqrt(rest > added ? rest : added) : rest / low(j, j);
      }
    }
  }

  void solve() {
    for (std::size_t t = 0; t < settings_.target_count; ++t) {
      double* w = weights_.data() + t * k();
      for (std::size_t i = 0; i < k(); ++i) {
        w[i] = static_cast<double>(right(i, t));
        for (std::size_t m = 0; m < i; ++m) w[i] -= low(i, m) * w[m];
        w[i] /= low(i, i);
      }
      for (std::size_t i = k(); i-- > 0;) {
        for (std::size_t m = i + 1; m < k(); ++m) w[i] -= low(m, i) * w[m];
        w[i] /= low(i, i);
      }
    }
  }

  void subtract(const float* in, float* out) {
    for (std::size_t n = 0; n < settings_.rows; ++n) {
      gather(in, n);
      for (std::size_t t = 0; t < settings_.target_count; ++t) {
        float y = in[n * settings_.channels + settings_.targets[t]];
        const double* w = weights_.data() + t * k();
        for (std::size_t i = 0; i < k(); ++i) y = y - static_cast<float>(w[i]) * row_[i];
        out[n * settings_.target_count + t] = y;
      }
    }
  }

  Settings settings_;
  Span<float> gram_;  // lower half (k, k), then right sides (k, targets)
  Span<double> low_;
  Span<double> weights_;
  Span<float> row_;
};

// References times lags, reference by reference.
bool read_regressors(const Parameters& parameters, const Inlet& inlet, Memory& memory, Settings& settings) {
  std::uint8_t references[FrontEnd::kMaxChannels];
  double lags[kMostRegressors];
  std::size_t reference_count = 0;
  std::size_t lag_count = 0;
  if (!parameters.channels("references", inlet.channels, references, reference_count)) return false;
  if (!parameters.list("lags", lags, lag_count) || reference_count * lag_count > kMostRegressors) return false;
  settings.regressors = memory.array<Regressor>(reference_count * lag_count);
  if (memory.exhausted()) return false;
  for (std::size_t i = 0; i < reference_count; ++i) {
    const std::uint8_t* end = settings.targets + settings.target_count;
    if (std::find(static_cast<const std::uint8_t*>(settings.targets), end, references[i]) != end) return false;
    for (std::size_t j = 0; j < lag_count; ++j) {
      if (std::fabs(lags[j]) > kLongestLag || lags[j] != std::floor(lags[j])) return false;
      settings.regressors[i * lag_count + j] = {references[i], static_cast<std::int8_t>(lags[j])};
    }
  }
  return true;
}

}  // namespace

WindowBlock* make_cancel(const Parameters& parameters, const Inlet& inlet, Memory& memory, Outlet& outlet) {
  static const char* const kNames[] = {"targets", "references", "lags", "ridge"};
  Settings settings;
  settings.rows = inlet.rows;
  settings.channels = inlet.channels;
  if (!parameters.are(kNames) || !parameters.number("ridge", 1e-6, 1e6, settings.ridge)) return nullptr;
  if (!parameters.channels("targets", inlet.channels, settings.targets, settings.target_count)) return nullptr;
  if (!read_regressors(parameters, inlet, memory, settings)) return nullptr;
  const std::size_t k = settings.regressors.size();
  const Span<float> moments = memory.array<float>(k * (k + settings.target_count));
  const Span<double> factor = memory.array<double>(k * k);
  const Span<double> weights = memory.array<double>(k * settings.target_count);
  const Span<float> row = memory.array<float>(k);
  outlet.channels = settings.target_count;
  return memory.exhausted() ? nullptr : memory.make<Cancel>(settings, moments, factor, weights, row);
}

}  // namespace salus::frontend
