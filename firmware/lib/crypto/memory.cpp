#include "crypto/memory.h"

#include <mbedtls/version.h>

#include "crypto/crypto.h"

#if MBEDTLS_VERSION_NUMBER < 0x03000000
#if defined(MBEDTLS_CONFIG_FILE)
#include MBEDTLS_CONFIG_FILE
#else
#include <mbedtls/config.h>
#endif
#endif

#if defined(MBEDTLS_MEMORY_BUFFER_ALLOC_C)
#include <mbedtls/memory_buffer_alloc.h>

namespace salus {
namespace {

alignas(8) std::uint8_t buffer[SALUS_CRYPTO_MEMORY_BYTES];
bool started = false;

}  // namespace

void start_crypto_memory() {
  if (started) return;
  mbedtls_memory_buffer_alloc_init(buffer, sizeof buffer);
  started = true;
}

CryptoMemory crypto_memory() {
  CryptoMemory memory{0, sizeof buffer};
#if defined(MBEDTLS_MEMORY_DEBUG)
  std::size_t blocks = 0;
  if (started) mbedtls_memory_buffer_alloc_max_get(&memory.high_water_bytes, &blocks);
#endif
  return memory;
}

}  // namespace salus

#else

namespace salus {

void start_crypto_memory() {}

CryptoMemory crypto_memory() { return {0, 0}; }

}  // namespace salus

#endif
