// Plaintexts, against those that Python encodes; and every size of buffer that is too small.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "golden.h"
#include "link/messages.h"

namespace salus {
namespace {

constexpr const char* kVectors = "link/vectors.txt";

const char* text_of(const std::string& word) { return word == "-" ? nullptr : word.c_str(); }

// Encode into a buffer of each size: too small ones are refused, and the right one has these bytes.
void expect_message(const std::string& expected, const std::function<LinkStatus(MutableBytes, Bytes&)>& encode) {
  const std::size_t size = golden_bytes(expected).size();
  std::vector<std::uint8_t> out(size);
  Bytes message;
  for (std::size_t room = 0; room < size; room += 1 + size / 40) {
    EXPECT_EQ(encode(MutableBytes(out.data(), room), message), LinkStatus::kTooLarge) << room << " of " << size;
  }
  ASSERT_EQ(encode(view(out), message), LinkStatus::kOk);
  EXPECT_EQ(hex(message), expected);
}

TEST(Messages, StateIsAsPythonEncodesIt) {
  for (const Row& row : golden_rows(kVectors, {"state"})) {
    const std::vector<std::uint8_t> base = golden_bytes(row[4]);
    StateMessage state{};
    state.leaving = row[1] == "1";
    state.task = text_of(row[2]);
    state.model_version = static_cast<std::uint32_t>(golden_number(row[3]));
    state.base_sha256 = view(base);
    state.ring_packets = static_cast<std::uint32_t>(golden_number(row[5]));
    state.dropped_packets = golden_number(row[6]);
    state.clock_ms = golden_number(row[7]);
    state.calibrating = row[8] == "1";
    expect_message(row[9], [&](MutableBytes out, Bytes& message) { return encode_state(state, out, message); });
  }
}

TEST(Messages, EventIsAsPythonEncodesIt) {
  for (const Row& row : golden_rows(kVectors, {"event"})) {
    ReleaseStatusMessage release{};
    release.version = static_cast<std::uint32_t>(golden_number(row[5]));
    release.progress = static_cast<ReleaseProgress>(golden_number(row[6]));
    release.next_offset = static_cast<std::uint32_t>(golden_number(row[7]));
    release.code = text_of(row[8]);
    EventMessage event{};
    event.kind = static_cast<EventKind>(golden_number(row[1]));
    event.at_ms = golden_number(row[2]);
    event.code = text_of(row[3]);
    event.detail = text_of(row[4]);
    event.release = event.kind == EventKind::kRelease ? &release : nullptr;
    expect_message(row[9], [&](MutableBytes out, Bytes& message) { return encode_event(event, out, message); });
  }
}

TEST(Messages, LabelsAreAsPythonEncodesThem) {
  for (const Row& row : golden_rows(kVectors, {"labels"})) {
    std::vector<LabelMessage> labels;
    for (std::size_t at = 2; at + 6 < row.size(); at += 6) {
      labels.push_back({row[at].c_str(), golden_number(row[at + 1]), golden_number(row[at + 2]), row[at + 3].c_str(),
                        row[at + 4].c_str(), row[at + 5].c_str()});
    }
    ASSERT_EQ(labels.size(), golden_number(row[1]));
    expect_message(row.back(), [&](MutableBytes out, Bytes& message) {
      return encode_labels({labels.data(), labels.size()}, out, message);
    });
  }
}

TEST(Messages, LabelsThatTheGatewayWouldRefuseAreNotSaid) {
  const LabelMessage good{"id", 1, 2, "walk", "setup", "fall"};
  std::uint8_t out[200];
  Bytes message;
  const auto refused = [&](const std::function<void(LabelMessage&)>& change) {
    LabelMessage labels[2] = {good, good};
    change(labels[1]);
    return encode_labels({labels, 2}, MutableBytes(out), message) == LinkStatus::kMalformed;
  };
  EXPECT_FALSE(refused([](LabelMessage&) {}));
  EXPECT_TRUE(refused([](LabelMessage& label) { label.id = ""; }));
  EXPECT_TRUE(refused([](LabelMessage& label) { label.label = nullptr; }));
  EXPECT_TRUE(refused([](LabelMessage& label) { label.source = ""; }));
  EXPECT_TRUE(refused([](LabelMessage& label) { label.task = ""; }));
  EXPECT_TRUE(refused([](LabelMessage& label) { label.end_ms = 1; }));
  EXPECT_TRUE(refused([](LabelMessage& label) { label.end_ms = std::uint64_t{1} << 63; }));
  EXPECT_EQ(encode_labels({}, MutableBytes(out), message), LinkStatus::kMalformed);
}

struct FeatureRow {
  std::uint64_t start_ms;
  std::vector<std::int8_t> values;
  std::vector<std::int16_t> aux;
};

std::vector<FeatureRow> features_of(const Row& row) {
  std::vector<FeatureRow> rows;
  for (std::size_t at = 6; at + 3 < row.size(); at += 3) {
    FeatureRow each{golden_number(row[at]), {}, {}};
    for (const std::uint8_t byte : golden_bytes(row[at + 1])) each.values.push_back(static_cast<std::int8_t>(byte));
    const std::vector<std::uint8_t> aux = golden_bytes(row[at + 2]);
    for (std::size_t pair = 0; pair + 1 < aux.size(); pair += 2) {
      each.aux.push_back(static_cast<std::int16_t>(aux[pair] << 8 | aux[pair + 1]));
    }
    rows.push_back(each);
  }
  return rows;
}

Span<const std::int8_t> span(const std::vector<std::int8_t>& values) { return {values.data(), values.size()}; }
Span<const std::int16_t> span(const std::vector<std::int16_t>& values) { return {values.data(), values.size()}; }

TEST(Features, AreAsPythonEncodesThem) {
  for (const Row& row : golden_rows(kVectors, {"features"})) {
    const std::vector<std::uint8_t> base = golden_bytes(row[3]);
    const FeaturesHeader header{row[1].c_str(), static_cast<std::uint32_t>(golden_number(row[2])), view(base),
                                static_cast<std::uint32_t>(golden_number(row[4]))};
    const std::vector<FeatureRow> rows = features_of(row);
    ASSERT_EQ(rows.size(), golden_number(row[5]));
    expect_message(row.back(), [&](MutableBytes out, Bytes& message) {
      FeaturesEncoder encoder;
      const LinkStatus begun = encoder.begin(header, out, rows[0].start_ms);
      if (begun != LinkStatus::kOk) return begun;
      for (const FeatureRow& each : rows) {
        const LinkStatus added = encoder.add(each.start_ms, span(each.values), span(each.aux));
        if (added != LinkStatus::kOk) return added;
      }
      EXPECT_EQ(encoder.count(), rows.size());
      message = encoder.take();
      EXPECT_EQ(encoder.count(), 0U);
      return LinkStatus::kOk;
    });
  }
}

TEST(Features, ABatchTakesOnlyItsLike) {
  const std::int8_t values[4] = {1, 2, 3, 4};
  const std::int16_t aux[1] = {5};
  std::uint8_t out[200];
  FeaturesEncoder encoder;
  EXPECT_EQ(encoder.add(0, values, {}), LinkStatus::kMalformed) << "before it began";
  ASSERT_EQ(encoder.begin({"fall", 1, {}, 100}, MutableBytes(out), 1000), LinkStatus::kOk);
  EXPECT_EQ(encoder.add(1000, {}, {}), LinkStatus::kMalformed);
  ASSERT_EQ(encoder.add(1000, values, aux), LinkStatus::kOk);
  EXPECT_EQ(encoder.add(999, values, aux), LinkStatus::kMalformed);
  EXPECT_EQ(encoder.add(1000 + (std::uint64_t{1} << 32), values, aux), LinkStatus::kMalformed);
  EXPECT_EQ(encoder.add(1000, values, {}), LinkStatus::kMalformed);
  EXPECT_EQ(encoder.add(1000, Span<const std::int8_t>(values).first(3), aux), LinkStatus::kMalformed);
  EXPECT_EQ(encoder.add(std::uint64_t{1000} + UINT32_MAX, values, aux), LinkStatus::kOk);
  EXPECT_EQ(encoder.count(), 2U);
  EXPECT_EQ(encoder.begin({"fall", 1, {}, 100}, MutableBytes(out), std::uint64_t{1} << 62), LinkStatus::kMalformed);
}

struct WindowsCase {
  std::vector<std::uint8_t> consent;
  std::vector<std::vector<float>> values;
  std::vector<WindowView> views;
  WindowsHeader header{};
};

// `made` keeps what the views point at.
void read_windows(const Row& row, WindowsCase& made) {
  made.consent = golden_bytes(row[5]);
  const std::size_t count = golden_number(row[6]);
  for (std::size_t each = 0; each < count; ++each) made.values.push_back(golden_floats(row[8 + 2 * each]));
  for (std::size_t each = 0; each < count; ++each) {
    made.views.push_back({golden_number(row[7 + 2 * each]), {made.values[each].data(), made.values[each].size()}, {}});
  }
  made.header = {row[1].c_str(), static_cast<std::uint32_t>(golden_number(row[2])),
                 static_cast<std::uint32_t>(golden_number(row[3])), static_cast<std::uint32_t>(golden_number(row[4])),
                 view(made.consent)};
}

TEST(Windows, AreAsPythonEncodesThem) {
  for (const Row& row : golden_rows(kVectors, {"windows"})) {
    WindowsCase made;
    read_windows(row, made);
    expect_message(row.back(), [&](MutableBytes out, Bytes& message) {
      return encode_windows(made.header, {made.views.data(), made.views.size()}, out, message);
    });
  }
}

TEST(Windows, LeaveOnlyWithConsentAndWholeAndFinite) {
  WindowsCase made;
  const Row row = golden_rows(kVectors, {"windows"})[1];
  read_windows(row, made);
  std::vector<std::uint8_t> out(4000);
  Bytes message;
  const auto encode = [&] {
    return encode_windows(made.header, {made.views.data(), made.views.size()}, view(out), message);
  };
  ASSERT_EQ(encode(), LinkStatus::kOk);
  for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf(""), 1.1e38F, -1.1e38F}) {
    const float good = made.values[1][2];
    made.values[1][2] = bad;
    EXPECT_EQ(encode(), LinkStatus::kMalformed) << bad;
    made.values[1][2] = good;
  }
  const WindowView view_of_one = made.views[1];
  made.views[1].values = view_of_one.values.first(view_of_one.values.size() - 1);
  EXPECT_EQ(encode(), LinkStatus::kMalformed) << "a window that is not whole";
  made.views[1] = view_of_one;
  made.views[1].start_ms = made.views[0].start_ms - 1;
  EXPECT_EQ(encode(), LinkStatus::kMalformed) << "a window before the first";
  made.views[1] = view_of_one;
  const std::int16_t aux[1] = {1};
  made.views[1].aux = aux;
  EXPECT_EQ(encode(), LinkStatus::kMalformed) << "unlike the first";
  made.views[1] = view_of_one;
  made.header.consent = view(made.consent).first(31);
  EXPECT_EQ(encode(), LinkStatus::kMalformed) << "no consent";
  EXPECT_EQ(encode_windows(made.header, {}, view(out), message), LinkStatus::kMalformed);
}

TEST(Commands, SayWhatPythonSays) {
  for (const Row& row : golden_rows(kVectors, {"command"})) {
    const std::vector<std::uint8_t> plaintext = golden_bytes(row[5]);
    CommandMessage command{};
    const LinkStatus status = decode_command(view(plaintext), command);
    ASSERT_EQ(status, row[1] == "malformed" ? LinkStatus::kMalformed : LinkStatus::kOk) << row[5];
    if (status != LinkStatus::kOk) continue;
    EXPECT_EQ(command.kind == CommandKind::kCalibrate, row[1] == "calibrate");
    EXPECT_EQ(command.until_ms, golden_number(row[2]));
    EXPECT_EQ(command.consent.empty() ? "-" : hex(command.consent), row[3]);
    EXPECT_EQ(command.base_sha256.empty() ? "-" : hex(command.base_sha256), row[4]);
  }
}

TEST(Commands, ANumberWhereBytesOughtToBeIsRefused) {
  const std::uint8_t plaintext[] = {0x0A, 4, 0x08, 1, 0x10, 1};
  CommandMessage command{};
  EXPECT_EQ(decode_command(Bytes(plaintext), command), LinkStatus::kMalformed);
}

class Noted final : public AckReader {
 public:
  void has(const AckRange& range) override {
    note(range.boot, range.first_sequence, std::to_string(range.last_sequence));
  }
  void refuses(const AckRefusal& refusal) override { note(refusal.boot, refusal.sequence, refusal.code); }

  std::vector<std::string> parts;

 private:
  void note(std::uint32_t boot, std::uint64_t sequence, const std::string& last) {
    parts.push_back(std::to_string(boot) + ":" + std::to_string(sequence) + ":" + last);
  }
};

TEST(Acks, SayWhatPythonSays) {
  for (const Row& row : golden_rows(kVectors, {"ack"})) {
    Noted noted;
    ASSERT_EQ(decode_ack(view(golden_bytes(row.back())), noted), LinkStatus::kOk);
    EXPECT_EQ(noted.parts, std::vector<std::string>(row.begin() + 2, row.end() - 1));
    EXPECT_EQ(noted.parts.size(), golden_number(row[1]));
  }
}

TEST(Acks, HalfOfOneIsNone) {
  const std::vector<std::uint8_t> whole = golden_bytes(golden_rows(kVectors, {"ack"}).back().back());
  for (std::size_t size = 1; size < whole.size(); ++size) {
    Noted noted;
    const LinkStatus status = decode_ack(view(whole).first(size), noted);
    EXPECT_LT(noted.parts.size(), status == LinkStatus::kOk ? 3U : 1U) << "cut after " << size;
  }
}

TEST(Acks, ALongCodeIsCut) {
  std::vector<std::uint8_t> plaintext = {0x12, 60, 0x08, 1, 0x10, 2, 0x1A, 54};
  plaintext.resize(62, 'x');
  Noted noted;
  ASSERT_EQ(decode_ack(view(plaintext), noted), LinkStatus::kOk);
  EXPECT_EQ(noted.parts, std::vector<std::string>{"1:2:" + std::string(31, 'x')});
}

}  // namespace
}  // namespace salus
