#include "engine/portable/product.h"

namespace salus::portable {

namespace {

std::int32_t bias_of(const Rows& rows, std::uint32_t channel) {
  return rows.bias == nullptr ? 0 : static_cast<std::int32_t>(load_word(rows.bias + std::size_t{4} * channel));
}

#if SALUS_DSP

// The last one to three bytes of a row; what lies behind them may not even be the model's.
std::uint32_t load_tail(const std::int8_t* from, std::uint32_t count) {
  std::uint32_t word = static_cast<std::uint8_t>(from[0]);
  if (count > 1) word |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(from[1])) << 8;
  if (count > 2) word |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(from[2])) << 16;
  return word;
}

// kColumns columns times kRows rows, four values of each at a time.
template <unsigned kColumns, unsigned kRows>
inline void group(const std::int16_t* column, std::uint32_t column_stride, const std::uint32_t (&words)[kRows],
                  std::int32_t (&sums)[kColumns][kRows]) {
  std::uint32_t even[kColumns];
  std::uint32_t odd[kColumns];
  for (unsigned c = 0; c < kColumns; ++c) {
    even[c] = load_word(column + c * column_stride);
    odd[c] = load_word(column + c * column_stride + 2);
  }
  for (unsigned r = 0; r < kRows; ++r) {
    const std::uint32_t even_weights = even_bytes(words[r]);
    const std::uint32_t odd_weights = odd_bytes(words[r]);
    for (unsigned c = 0; c < kColumns; ++c) {
      sums[c][r] = multiply_halves(even[c], even_weights, sums[c][r]);
      sums[c][r] = multiply_halves(odd[c], odd_weights, sums[c][r]);
    }
  }
}

template <unsigned kColumns, unsigned kRows>
inline void sum_products(const std::int16_t* column, std::uint32_t column_stride, const std::int8_t* weights,
                         std::uint32_t length, std::int32_t (&sums)[kColumns][kRows]) {
  std::uint32_t words[kRows];
  const std::int8_t* const end = weights + (length & ~std::uint32_t{3});
  for (; weights != end; weights += 4, column += 4) {
    for (unsigned r = 0; r < kRows; ++r) words[r] = load_word(weights + r * length);
    group<kColumns, kRows>(column, column_stride, words, sums);
  }
  const std::uint32_t rest = length & 3;
  if (rest == 0) return;
  for (unsigned r = 0; r < kRows; ++r) words[r] = load_tail(weights + r * length, rest);
  group<kColumns, kRows>(column, column_stride, words, sums);
}

#else

template <unsigned kColumns, unsigned kRows>
inline void sum_products(const std::int16_t* column, std::uint32_t column_stride, const std::int8_t* weights,
                         std::uint32_t length, std::int32_t (&sums)[kColumns][kRows]) {
  for (unsigned r = 0; r < kRows; ++r) {
    for (unsigned c = 0; c < kColumns; ++c) {
      // Unsigned, so that a row of more than 2^16 products wraps as the reference kernels' sums do.
      auto sum = static_cast<std::uint32_t>(sums[c][r]);
      for (std::uint32_t i = 0; i < length; ++i) {
        sum += static_cast<std::uint32_t>(column[c * column_stride + i] * weights[r * length + i]);
      }
      sums[c][r] = static_cast<std::int32_t>(sum);
    }
  }
}

#endif

template <unsigned kColumns, unsigned kRows>
inline void multiply_rows(const std::int16_t* columns, const Rows& rows, std::uint32_t channel, std::int8_t* output) {
  std::int32_t sums[kColumns][kRows];
  for (unsigned r = 0; r < kRows; ++r) {
    for (unsigned c = 0; c < kColumns; ++c) sums[c][r] = bias_of(rows, channel + r);
  }
  sum_products<kColumns, kRows>(columns, column_length(rows.length), rows.weights + channel * rows.length, rows.length,
                                sums);
  for (unsigned r = 0; r < kRows; ++r) {
    for (unsigned c = 0; c < kColumns; ++c) {
      const std::int32_t scaled = rescale(sums[c][r], rows.channels[channel + r]);
      output[c * rows.count + channel + r] = saturate(add_wrapping(scaled, rows.zero_point));
    }
  }
}

template <unsigned kColumns>
void multiply_columns(const std::int16_t* columns, const Rows& rows, std::int8_t* output) {
  std::uint32_t channel = 0;
  for (; channel + 2 <= rows.count; channel += 2) multiply_rows<kColumns, 2>(columns, rows, channel, output);
  if (channel < rows.count) multiply_rows<kColumns, 1>(columns, rows, channel, output);
}

}  // namespace

void fill_column(const std::int8_t* values, std::uint32_t count, std::int32_t offset, std::int16_t* column) {
#if SALUS_DSP
  const std::uint32_t offsets = (static_cast<std::uint32_t>(offset) & 0xFFFFU) * 0x10001U;
  const std::int8_t* const end = values + (count & ~std::uint32_t{3});
  for (; values != end; values += 4, column += 4) {
    const std::uint32_t word = load_word(values);
    const std::uint32_t even = even_bytes_plus(offsets, word);
    const std::uint32_t odd = odd_bytes_plus(offsets, word);
    std::memcpy(column, &even, sizeof(even));
    std::memcpy(column + 2, &odd, sizeof(odd));
  }
  const std::uint32_t rest = count & 3;
  if (rest == 0) return;
  column[0] = static_cast<std::int16_t>(values[0] + offset);
  column[2] = rest > 1 ? static_cast<std::int16_t>(values[1] + offset) : std::int16_t{0};
  column[1] = rest > 2 ? static_cast<std::int16_t>(values[2] + offset) : std::int16_t{0};
  column[3] = 0;
#else
  for (std::uint32_t i = 0; i < count; ++i) column[i] = static_cast<std::int16_t>(values[i] + offset);
#endif
}

void multiply(const std::int16_t* columns, unsigned how_many, const Rows& rows, std::int8_t* output) {
  if (how_many == 2) {
    multiply_columns<2>(columns, rows, output);
  } else {
    multiply_columns<1>(columns, rows, output);
  }
}

}  // namespace salus::portable
