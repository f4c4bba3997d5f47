#include "serial_pty.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>

namespace salus::native {
namespace {

constexpr int kPatienceMs = 500;  // a pyserial host that is busy reads again by then

void set_nonblocking(int file, bool keep_on_exec) {
  ::fcntl(file, F_SETFL, ::fcntl(file, F_GETFL) | O_NONBLOCK);
  ::fcntl(file, F_SETFD, keep_on_exec ? 0 : FD_CLOEXEC);
}

}  // namespace

SerialPty::~SerialPty() { close(); }

bool SerialPty::open(const std::string& link) {
  device_side_ = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (device_side_ < 0 || ::grantpt(device_side_) != 0 || ::unlockpt(device_side_) != 0) return false;
  char name[128];
  if (::ptsname_r(device_side_, name, sizeof name) != 0) return false;
  host_side_ = ::open(name, O_RDWR | O_NOCTTY);
  if (host_side_ < 0) return false;
  termios line;
  if (::tcgetattr(host_side_, &line) != 0) return false;
  ::cfmakeraw(&line);
  if (::tcsetattr(host_side_, TCSANOW, &line) != 0) return false;
  set_nonblocking(device_side_, false);
  set_nonblocking(host_side_, false);
  // In one step, so that whoever waits for the link never finds a dead one.
  const std::string fresh = link + ".new";
  ::unlink(fresh.c_str());
  if (::symlink(name, fresh.c_str()) != 0 || ::rename(fresh.c_str(), link.c_str()) != 0) return false;
  link_ = link;
  return true;
}

void SerialPty::adopt(int device_side, int host_side, const std::string& link) {
  device_side_ = device_side;
  host_side_ = host_side;
  link_ = link;
  set_nonblocking(device_side_, false);
  set_nonblocking(host_side_, false);
}

void SerialPty::leave(int& device_side, int& host_side) {
  set_nonblocking(device_side_, true);
  set_nonblocking(host_side_, true);
  device_side = device_side_;
  host_side = host_side_;
  device_side_ = host_side_ = -1;
  link_.clear();
}

std::size_t SerialPty::read(MutableBytes out) {
  const ssize_t got = ::read(device_side_, out.data(), out.size());
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

bool SerialPty::write(Bytes data) {
  while (!data.empty()) {
    const ssize_t taken = ::write(device_side_, data.data(), data.size());
    if (taken > 0) {
      data = data.from(static_cast<std::size_t>(taken));
      read_by_somebody_ = true;
    } else if (taken < 0 && errno != EAGAIN && errno != EINTR) {
      return false;
    } else if (!read_by_somebody_ || !wait_for_room()) {
      read_by_somebody_ = false;
      return false;
    }
  }
  return true;
}

bool SerialPty::wait_for_room() {
  pollfd port{device_side_, POLLOUT, 0};
  const std::uint64_t until_us = clock_.monotonic_us() + kPatienceMs * 1000;
  while (::poll(&port, 1, kPatienceMs) < 0 && errno == EINTR && clock_.monotonic_us() < until_us) {
  }
  return (port.revents & POLLOUT) != 0;
}

void SerialPty::close() {
  if (!link_.empty()) ::unlink(link_.c_str());
  if (device_side_ >= 0) ::close(device_side_);
  if (host_side_ >= 0) ::close(host_side_);
}

}  // namespace salus::native
