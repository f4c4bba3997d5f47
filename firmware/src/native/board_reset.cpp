#include "board_reset.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>

namespace salus {
namespace {

constexpr char kRequested = 'r', kCrash = 'c', kNothing = '-';
constexpr int kCrashSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
int note = -1;

void leave(char cause) {
  if (note >= 0 && pwrite(note, &cause, 1, 0) != 1) note = -1;
}

void crashed(int signal) {
  leave(kCrash);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

HostReset::HostReset(const std::string& state_dir) {
  note = open((state_dir + "/reset").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  char last = kNothing;
  if (note >= 0 && pread(note, &last, 1, 0) == 1) {
    if (last == kRequested) cause_ = ResetCause::kRequested;
    if (last == kCrash) cause_ = ResetCause::kCrash;
  }
  leave(kNothing);
  for (const int signal : kCrashSignals) std::signal(signal, crashed);
}

void HostReset::restart() {
  leave(kRequested);
  requested_ = true;
}

}  // namespace salus
