// What the C library asks of a system. There is no heap, and a failed assertion is a crash.
#include <sys/stat.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>

extern "C" {
void crash_handler();

void* _sbrk(std::ptrdiff_t) {
  errno = ENOMEM;
  return reinterpret_cast<void*>(-1);
}

[[noreturn]] void __assert_func(const char*, int, const char*, const char*) {
  crash_handler();
  for (;;) {
  }
}

[[noreturn]] void _exit(int) {
  crash_handler();
  for (;;) {
  }
}

[[noreturn]] void abort() { _exit(1); }
[[noreturn]] void __cxa_pure_virtual() { _exit(1); }

int _write(int, const char*, int length) { return length; }
int _read(int, char*, int) { return 0; }
int _close(int) { return -1; }
int _lseek(int, int, int) { return 0; }
int _isatty(int) { return 1; }
int _fstat(int, struct stat* status) {
  status->st_mode = S_IFCHR;
  return 0;
}
int _kill(int, int) { return -1; }
int _getpid() { return 1; }
}

// Virtual destructors name it, though nothing is ever made with `new`.
void operator delete(void*) noexcept { abort(); }
void operator delete(void*, std::size_t) noexcept { abort(); }
