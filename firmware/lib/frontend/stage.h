// What the front end is made of: stages on the stream of samples, a cutter, and blocks on whole windows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/span.h"
#include "frontend/front_end.h"

namespace salus::frontend {

// Takes samples one by one. `index` is the sample's number at this rate since the stretch began.
class Stage {
 public:
  virtual ~Stage() = default;
  virtual void push(std::int64_t index, const double* sample) = 0;
  // A new stretch begins; what is known of the patient stays.
  virtual void renew() = 0;
  // The wearable was put on anew.
  virtual void don() {}

  void set_next(Stage* next) { next_ = next; }
  [[nodiscard]] Stage* next() const { return next_; }

 protected:
  Stage* next_ = nullptr;
};

// A block that makes one row of each: (channels in) to (channels out). The two may not overlap.
class RowBlock {
 public:
  virtual ~RowBlock() = default;
  virtual void step(const double* in, double* out) = 0;
  virtual void renew() {}
};

// A block that turns a whole window (rows, channels) into another one. It may overwrite `in`.
class WindowBlock {
 public:
  virtual ~WindowBlock() = default;
  virtual void apply(float* in, float* out) = 0;
};

// Where a cutter puts a window: its values into `room`, then `take` with the number of its first sample.
class Taker {
 public:
  virtual ~Taker() = default;
  [[nodiscard]] virtual float* room() = 0;
  virtual void take(std::int64_t index, Span<const std::int16_t> aux) = 0;
};

// Of a stream, in Hz: what is slower or faster no sensor gives, and windows would last for years.
constexpr double kMinRateHz = 0.1;
constexpr double kMaxRateHz = 10000.0;
[[nodiscard]] inline bool is_rate(double rate_hz) { return rate_hz >= kMinRateHz && rate_hz <= kMaxRateHz; }

// What comes into a block.
struct Inlet {
  std::size_t channels = 0;
  double rate_hz = 0.0;
  std::size_t rows = 0;  // of a whole window; 0 in the stream
  const Wrist* wrist = nullptr;
};

// What comes out, where it differs.
struct Outlet {
  std::size_t channels = 0;
  std::size_t rows = 0;
  std::size_t aux_values = 0;
  double rate_hz = 0.0;
};

class RowStage final : public Stage {
 public:
  explicit RowStage(RowBlock& block) : block_(block) {}
  void push(std::int64_t index, const double* sample) override {
    double out[FrontEnd::kMaxChannels];
    block_.step(sample, out);
    next_->push(index, out);
  }
  void renew() override { block_.renew(); }

 private:
  RowBlock& block_;
};

// A row block without state, on windows.
class RowsOfWindow final : public WindowBlock {
 public:
  RowsOfWindow(RowBlock& block, std::size_t rows, std::size_t channels_in, std::size_t channels_out)
      : block_(block), rows_(rows), in_(channels_in), out_(channels_out) {}
  void apply(float* in, float* out) override {
    double row[FrontEnd::kMaxChannels];
    double made[FrontEnd::kMaxChannels];
    for (std::size_t i = 0; i < rows_; ++i) {
      for (std::size_t j = 0; j < in_; ++j) row[j] = static_cast<double>(in[i * in_ + j]);
      block_.step(row, made);
      for (std::size_t j = 0; j < out_; ++j) out[i * out_ + j] = static_cast<float>(made[j]);
    }
  }

 private:
  RowBlock& block_;
  std::size_t rows_;
  std::size_t in_;
  std::size_t out_;
};

}  // namespace salus::frontend
