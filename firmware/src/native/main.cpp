#include <cstdio>

#include "crypto/crypto.h"

int main() {
  const salus::Digest digest = salus::sha256({});
  for (const std::uint8_t byte : digest) std::printf("%02x", byte);
  std::printf("\n");
}
