// Vector table, start and the end of a program that went wrong, on a Cortex-M4 without an operating system.
#include <cstdint>
#include <cstring>

extern "C" {
extern std::uint32_t _stack_top, _data_start, _data_end, _data_load, _bss_start, _bss_end;
void __libc_init_array();
int main();

// What the board handles itself; src/qemu_m4/ defines them, a program without a board leaves them out.
void default_handler();
void crash_handler() __attribute__((weak, alias("default_handler")));
void systick_handler() __attribute__((weak, alias("default_handler")));
void uart0_receive_handler() __attribute__((weak, alias("default_handler")));
void uart0_transmit_handler() __attribute__((weak, alias("default_handler")));

void default_handler() {
  for (;;) __asm volatile("bkpt");
}

[[noreturn]] void reset_handler() {
  // Coprocessors 10 and 11, the FPU, before any code that the compiler may use it in.
  *reinterpret_cast<volatile std::uint32_t*>(0xE000ED88) |= 0xFU << 20;
  __asm volatile("dsb\n isb" ::: "memory");
  std::memcpy(&_data_start, &_data_load,
              reinterpret_cast<std::uintptr_t>(&_data_end) - reinterpret_cast<std::uintptr_t>(&_data_start));
  std::memset(&_bss_start, 0,
              reinterpret_cast<std::uintptr_t>(&_bss_end) - reinterpret_cast<std::uintptr_t>(&_bss_start));
  __libc_init_array();
  (void)main();
  crash_handler();
  for (;;) {
  }
}

void _init() {}
}

namespace {

using Handler = void (*)();

struct VectorTable {
  std::uint32_t* stack;
  Handler system[15];
  Handler interrupts[32];
};

__attribute__((section(".vectors"), used)) const VectorTable kVectors = {
    &_stack_top,
    {reset_handler, crash_handler, crash_handler, crash_handler, crash_handler, crash_handler, nullptr, nullptr,
     nullptr, nullptr, default_handler, default_handler, nullptr, default_handler, systick_handler},
    {uart0_receive_handler, uart0_transmit_handler}};

}  // namespace
