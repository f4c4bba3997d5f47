// Columns of numbers times rows of weights: what CONV_2D and FULLY_CONNECTED spend their time in.
#pragma once

#include <cstdint>

#include "engine/portable/channel.h"

namespace salus::portable {

// The values of a column are int16 with the zero point taken off, padded with zeros to whole groups of four; where
// there are DSP instructions, each group is in the order 0 2 1 3, which is the one they unpack bytes in.
constexpr std::uint32_t column_length(std::uint32_t values) { return (values + 3) & ~std::uint32_t{3}; }

void fill_column(const std::int8_t* values, std::uint32_t count, std::int32_t offset, std::int16_t* column);

struct Rows {
  const std::int8_t* weights;  // channels × length, a row for each channel
  const std::int8_t* bias;     // int32 of any alignment for each channel, or nullptr
  const Channel* channels;
  std::uint32_t count;   // of channels
  std::uint32_t length;  // of a row
  std::int32_t zero_point;
};

// One or two columns (behind each other) by every row; the outputs of each column follow each other.
void multiply(const std::int16_t* columns, unsigned how_many, const Rows& rows, std::int8_t* output);

}  // namespace salus::portable
