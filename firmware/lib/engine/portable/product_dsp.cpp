// The product with the DSP instructions of a Cortex-M4 and up: two columns by two rows, four values at a time, so that
// each byte that is unpacked is used twice.
// A group of four values is two words: values 0 and 2, then 1 and 3, the order in which bytes are unpacked. The words
// of the two columns alternate. Values behind a column's end meet weights of zero.

// This loop is where the time goes: fast even in a program that is built for size.
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE_SIZE__)
#pragma GCC optimize("O2", "no-schedule-insns")
#endif

#include "engine/portable/product.h"

#if SALUS_DSP

namespace salus::portable {

namespace {

// The `rest` bytes in front of `end` in the lowest places, zeros above; no byte outside of the row is touched.
inline std::uint32_t load_tail(const std::int8_t* end, std::uint32_t rest, std::uint32_t length) {
  if (length >= 4) return load_word(end - 4) >> (8 * (4 - rest));
  std::uint32_t word = 0;
  for (const std::int8_t* byte = end; byte != end - rest;) word = word << 8 | static_cast<std::uint8_t>(*--byte);
  return word;
}

struct Pair {
  std::int32_t first;  // column
  std::int32_t second;
};

// Sums of two columns, for the rows with the words `upper` and `lower`.
inline void add_group(const std::uint32_t* column, std::uint32_t upper, std::uint32_t lower, Pair& up, Pair& low) {
  std::uint32_t one = column[0];
  std::uint32_t two = column[1];
  std::uint32_t weights = even_bytes(upper);
  up.first = multiply_halves(one, weights, up.first);
  up.second = multiply_halves(two, weights, up.second);
  weights = even_bytes(lower);
  low.first = multiply_halves(one, weights, low.first);
  low.second = multiply_halves(two, weights, low.second);
  one = column[2];
  two = column[3];
  weights = odd_bytes(upper);
  up.first = multiply_halves(one, weights, up.first);
  up.second = multiply_halves(two, weights, up.second);
  weights = odd_bytes(lower);
  low.first = multiply_halves(one, weights, low.first);
  low.second = multiply_halves(two, weights, low.second);
}

}  // namespace

void multiply_two(const std::int16_t* columns, const Rows& rows, std::int8_t* output) {
  const auto* const words = reinterpret_cast<const std::uint32_t*>(columns);
  const std::uint32_t length = rows.length;
  const std::uint32_t rest = length & 3;
  const std::int32_t zero_point = rows.zero_point;
  const std::int8_t* weights = rows.weights;
  const std::int8_t* bias = rows.bias;
  const Channel* channel = rows.channels;
  std::int8_t* next = output + rows.count;
  for (std::uint32_t left = rows.count; left != 0; left -= 2) {
    if (left == 1) {  // an odd row: the one before it once more
      weights -= length;
      if (bias != nullptr) bias -= 4;
      --channel;
      --output;
      --next;
      left = 2;
    }
    Pair up{load_bias(bias), 0};
    Pair low{bias == nullptr ? 0 : load_bias(bias + 4), 0};
    up.second = up.first;
    low.second = low.first;
    const std::uint32_t* column = words;
    for (const std::int8_t* const stop = weights + (length - rest); weights != stop; weights += 4, column += 4) {
      add_group(column, load_word(weights), load_word(weights + length), up, low);
    }
    weights += rest;
    if (rest != 0) {
      add_group(column, load_tail(weights, rest, length), load_tail(weights + length, rest, length), up, low);
    }
    weights += length;
    if (bias != nullptr) bias += 8;
    const Channel upper = *channel++;  // copies, since the output might be them as far as the compiler knows
    const Channel lower = *channel++;
    *output++ = static_cast<std::int8_t>(rescale(up.first, upper, zero_point));
    *next++ = static_cast<std::int8_t>(rescale(up.second, upper, zero_point));
    *output++ = static_cast<std::int8_t>(rescale(low.first, lower, zero_point));
    *next++ = static_cast<std::int8_t>(rescale(low.second, lower, zero_point));
  }
}

void multiply_one(const std::int8_t* values, std::int32_t offset, const Rows& rows, std::int8_t* output) {
  const std::uint32_t length = rows.length;
  const std::uint32_t rest = length & 3;
  const std::uint32_t offsets = (static_cast<std::uint32_t>(offset) & 0xFFFFU) * 0x10001U;
  const std::int8_t* weights = rows.weights;
  const std::int8_t* bias = rows.bias;
  for (std::uint32_t channel = 0; channel < rows.count; ++channel) {
    std::int32_t sum = load_bias(bias);
    const std::int8_t* value = values;
    for (const std::int8_t* const stop = values + (length - rest); value != stop; value += 4, weights += 4) {
      const std::uint32_t bytes = load_word(value);
      const std::uint32_t word = load_word(weights);
      sum = multiply_halves(even_bytes_plus(offsets, bytes), even_bytes(word), sum);
      sum = multiply_halves(odd_bytes_plus(offsets, bytes), odd_bytes(word), sum);
    }
    weights += rest;
    if (rest != 0) {
      const std::uint32_t bytes = load_tail(value + rest, rest, length);
      const std::uint32_t word = load_tail(weights, rest, length);
      sum = multiply_halves(even_bytes_plus(offsets, bytes), even_bytes(word), sum);
      sum = multiply_halves(odd_bytes_plus(offsets, bytes), odd_bytes(word), sum);
    }
    const Channel by = rows.channels[channel];
    *output++ = static_cast<std::int8_t>(rescale(sum, by, rows.zero_point));
    if (bias != nullptr) bias += 4;
  }
}

void fill_column(const std::int8_t* values, std::uint32_t length, std::int32_t offset, unsigned which,
                 std::int16_t* columns) {
  const std::uint32_t offsets = (static_cast<std::uint32_t>(offset) & 0xFFFFU) * 0x10001U;
  auto* word = reinterpret_cast<std::uint32_t*>(columns) + which;
  const std::uint32_t rest = length & 3;
  for (const std::int8_t* const stop = values + (length - rest); values != stop; values += 4, word += 4) {
    const std::uint32_t bytes = load_word(values);
    word[0] = even_bytes_plus(offsets, bytes);
    word[2] = odd_bytes_plus(offsets, bytes);
  }
  if (rest == 0) return;
  const std::uint32_t bytes = load_tail(values + rest, rest, length);
  word[0] = even_bytes_plus(offsets, bytes);
  word[2] = odd_bytes_plus(offsets, bytes);
}

}  // namespace salus::portable

#endif  // SALUS_DSP
