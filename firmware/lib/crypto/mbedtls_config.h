// mbedTLS 2.28 for a microcontroller: what crypto.cpp calls and no more, all memory from one static buffer.
// NOLINTBEGIN: mbedTLS reads these names.
#pragma once

#define MBEDTLS_AES_C
#define MBEDTLS_AES_FEWER_TABLES  // 2 KB of tables in place of 8
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_CIPHER_C
#define MBEDTLS_GCM_C

#define MBEDTLS_SHA256_C
#define MBEDTLS_MD_C
#define MBEDTLS_HKDF_C

#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C

// Verification handles nothing secret, so windows of 2 bits trade a little time for memory.
#define MBEDTLS_ECP_WINDOW_SIZE 2
#define MBEDTLS_ECP_FIXED_POINT_OPTIM 0
#define MBEDTLS_MPI_WINDOW_SIZE 1
#define MBEDTLS_MPI_MAX_SIZE 64
#define MBEDTLS_ECP_NO_INTERNAL_RNG

#define MBEDTLS_PLATFORM_C
#define MBEDTLS_PLATFORM_MEMORY
#define MBEDTLS_MEMORY_BUFFER_ALLOC_C
#define MBEDTLS_MEMORY_DEBUG                  // for the high-water mark of crypto_memory()
#define SALUS_CRYPTO_MEMORY_BYTES (4 * 1024)  // verifying a signature takes 1,716, sealing less

#include "mbedtls/check_config.h"
// NOLINTEND
