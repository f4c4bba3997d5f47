// The serialised FrontEnd of a manifest, read where it lies.
#pragma once

#include <pb_decode.h>

#include <cstddef>
#include <cstdint>

#include "base/span.h"

namespace salus::frontend {

// A block's parameters. Each getter is false where the parameter is missing, given twice, or not such.
class Parameters {
 public:
  Parameters() = default;
  explicit Parameters(pb_istream_t block) : block_(block) {}

  // Whether the names are exactly these, in any order; a name may have several rows.
  [[nodiscard]] bool are(Span<const char* const> names) const;
  // One number within bounds.
  [[nodiscard]] bool number(const char* name, double low, double high, double& value) const;
  [[nodiscard]] bool whole(const char* name, std::size_t low, std::size_t high, std::size_t& value) const;
  // As many finite numbers as there are values.
  [[nodiscard]] bool numbers(const char* name, Span<double> values) const;
  // One row of numbers, at most as many as there is room; `count` says how many.
  [[nodiscard]] bool list(const char* name, Span<double> values, std::size_t& count) const;
  // Different channel numbers, at least one.
  [[nodiscard]] bool channels(const char* name, std::size_t below, Span<std::uint8_t> values, std::size_t& count) const;
  [[nodiscard]] bool text(const char* name, char* value, std::size_t room) const;
  // Rows of a list of lists; 0 when it is missing or broken.
  [[nodiscard]] std::size_t rows(const char* name) const;
  [[nodiscard]] bool row(const char* name, std::size_t at, Span<double> values, std::size_t& count) const;

 private:
  pb_istream_t block_ = PB_ISTREAM_EMPTY;
};

constexpr std::size_t kMaxBlocks = 16;

struct BlockDeclaration {
  char name[16] = {};
  Parameters parameters;
};

struct Declaration {
  BlockDeclaration blocks[kMaxBlocks];
  std::size_t block_count = 0;
  std::uint32_t window_samples = 0;
  std::uint32_t hop_samples = 0;
  std::uint32_t aux_values = 0;
  float rate_hz = 0.0F;
  bool by_event = false;
};

// False: it is no FrontEnd, or has more blocks than may be. The bytes must outlive the declaration.
[[nodiscard]] bool read_declaration(Bytes serialised, Declaration& declaration);

}  // namespace salus::frontend
