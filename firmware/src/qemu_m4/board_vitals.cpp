#include "board_vitals.h"

extern "C" std::uint32_t _stack_top;

namespace salus {
namespace {

constexpr std::uint32_t kPaint = 0xA5A5A5A5;
constexpr std::size_t kStackWords = StackVitals::kStackBytes / sizeof(std::uint32_t);

volatile std::uint32_t* bottom() {
  const auto top = reinterpret_cast<std::uintptr_t>(&_stack_top);
  return reinterpret_cast<volatile std::uint32_t*>(top - StackVitals::kStackBytes);
}

}  // namespace

__attribute__((noinline)) StackVitals::StackVitals() {
  const auto* here = static_cast<const volatile std::uint32_t*>(__builtin_frame_address(0));
  constexpr std::size_t kMargin = 16;  // words of this very function
  for (volatile std::uint32_t* word = bottom(); word < here - kMargin; ++word) *word = kPaint;
}

std::uint32_t StackVitals::stack_low_water_bytes() const {
  std::size_t untouched = 0;
  while (untouched < kStackWords && bottom()[untouched] == kPaint) ++untouched;
  return static_cast<std::uint32_t>(untouched * sizeof(std::uint32_t));
}

}  // namespace salus
