// Elementary functions out of IEEE additions, multiplications and divisions alone: the C library and numpy differ in
// the last bit of a logarithm, and these do not. As edge/salus_edge/frontend/exact.py, operation by operation.
#pragma once

#include <cmath>

#if defined(__FAST_MATH__)
#error "the front end's arithmetic must not be rearranged: without -ffast-math, and with -ffp-contract=off"
#endif

namespace salus::frontend {

constexpr double kLn2 = 0.6931471805599453;
constexpr double kPi = 3.141592653589793;

// ln x of a positive, normal number: 2 artanh((m - 1) / (m + 1)) of the mantissa m, near 1, by its series.
inline double logarithm(double x) {
  constexpr double kHalfRoot = 0.7071067811865476;
  constexpr double kOdd[] = {1.0,        1.0 / 3.0,  1.0 / 5.0,  1.0 / 7.0,  1.0 / 9.0, 1.0 / 11.0,
                             1.0 / 13.0, 1.0 / 15.0, 1.0 / 17.0, 1.0 / 19.0, 1.0 / 21.0};  // divided by the compiler
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);
  if (mantissa < kHalfRoot) {
    mantissa = mantissa * 2.0;
    --exponent;
  }
  const double t = (mantissa - 1.0) / (mantissa + 1.0);
  const double square = t * t;
  double total = kOdd[10];
  for (int term = 9; term >= 0; --term) total = total * square + kOdd[term];
  return exponent * kLn2 + 2.0 * t * total;
}

// e^x for 0 <= x <= 1, by its series.
inline double exponential(double x) {
  double total = 1.0;
  for (int term = 20; term >= 1; --term) total = 1.0 + total * x / term;
  return total;
}

// cos x for |x| <= pi: the series at x / 8, then cos 2y = 2 cos^2 y - 1 three times.
inline double cosine(double x) {
  const double square = (x / 8.0) * (x / 8.0);
  double total = 1.0;
  for (int term = 9; term >= 1; --term) total = 1.0 - total * square / ((2 * term - 1) * (2 * term));
  for (int i = 0; i < 3; ++i) total = 2.0 * total * total - 1.0;
  return total;
}

}  // namespace salus::frontend
