// Where mbedTLS takes its memory from: a static buffer where its configuration allows that, else the heap.
#pragma once

namespace salus {

// Before any call of mbedTLS that may allocate; does nothing from the second time on.
void start_crypto_memory();

}  // namespace salus
