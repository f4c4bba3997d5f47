// Golden vectors: the files of tests/golden/frontend, whose format tests/edge/frontend/golden.py states.
#pragma once

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "../hex.h"
#include "frontend/front_end.h"

namespace salus {

template <typename T>
std::vector<T> numbers(const std::string& digits) {
  const std::vector<std::uint8_t> bytes = unhex(digits);
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  return values;
}

struct Window {
  std::uint64_t start_ms = 0;
  std::vector<float> values;
  std::vector<std::int8_t> int8;
  std::vector<std::int16_t> aux;
};

struct Push {
  bool don = false;
  double t0_ms = 0.0;
  std::vector<float> samples;
  std::vector<Window> windows;
};

struct Golden {
  std::string name;
  std::vector<std::uint8_t> frontend;
  std::size_t channels = 0;
  Wrist wrist = Wrist::kAsTrained;
  float scale = 1.0F;
  std::int32_t zero_point = 0;
  std::vector<Push> pushes;
};

// The folder, seen from here or from the source's.
inline std::filesystem::path golden_folder() {
  namespace fs = std::filesystem;
  for (fs::path base : {fs::current_path(), fs::absolute(fs::path(__FILE__)).parent_path()}) {
    for (; base != base.parent_path(); base = base.parent_path()) {
      if (fs::is_directory(base / "tests/golden/frontend")) return base / "tests/golden/frontend";
    }
  }
  return {};
}

inline void read_line(Golden& golden, std::istringstream& line) {
  std::string word;
  std::string digits;
  line >> word;
  if (word == "frontend") {
    line >> digits;
    golden.frontend = unhex(digits);
  } else if (word == "channels") {
    line >> golden.channels;
  } else if (word == "wrist") {
    line >> digits;
    golden.wrist = digits == "left" ? Wrist::kLeft : digits == "right" ? Wrist::kRight : Wrist::kAsTrained;
  } else if (word == "quantise") {
    line >> digits >> golden.zero_point;
    golden.scale = numbers<float>(digits).at(0);
  } else if (word == "don") {
    golden.pushes.push_back({true, 0.0, {}, {}});
  } else if (word == "push") {
    Push push;
    line >> push.t0_ms >> digits;
    push.samples = numbers<float>(digits);
    golden.pushes.push_back(push);
  } else if (word == "window") {
    Window window;
    std::string int8;
    std::string aux;
    line >> window.start_ms >> digits >> int8 >> aux;
    window.values = numbers<float>(digits);
    window.int8 = numbers<std::int8_t>(int8);
    window.aux = numbers<std::int16_t>(aux);
    golden.pushes.back().windows.push_back(window);
  }
}

inline std::vector<Golden> read_golden() {
  std::vector<Golden> found;
  const std::filesystem::path folder = golden_folder();
  if (folder.empty()) return found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    Golden golden;
    golden.name = entry.path().stem().string();
    std::ifstream file(entry.path());
    for (std::string text; std::getline(file, text);) {
      std::istringstream line(text);
      read_line(golden, line);
    }
    found.push_back(golden);
  }
  return found;
}

inline const Golden& golden_of(const std::string& name) {
  static const std::vector<Golden> kAll = read_golden();
  static const Golden kNone;
  for (const Golden& golden : kAll) {
    if (golden.name == name) return golden;
  }
  return kNone;
}

// Keeps what it is given.
class Collector final : public WindowSink {
 public:
  void window(std::uint64_t start_ms, Span<const float> values, Span<const std::int16_t> aux) override {
    windows.push_back({start_ms, {values.begin(), values.end()}, {}, {aux.begin(), aux.end()}});
  }
  std::vector<Window> windows;
};

}  // namespace salus
