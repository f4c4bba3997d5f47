// A wearable that notes what it was asked, and answers as it is told.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "console/handler.h"

namespace salus::console::test {

class Spy : public Handler, public Carried {
 public:
  std::vector<std::string> calls;
  Outcome outcome;
  std::string device, federation, ssid, password, url, ca, certificate, key;
  std::vector<std::uint8_t> secret, release_key, gateway_key, chain_id, message;
  std::vector<float> values;
  std::vector<std::int8_t> input;
  std::vector<std::int8_t> output{-128, 0, 127};
  std::vector<std::uint8_t> release_status{8, 7};
  Provision provisioned;
  InjectSamples injected;
  std::uint64_t clock_ms = 0;
  bool flag = false;
  std::uint32_t id = 0;
  bool wants_link = true;
  const char* broker_url = "mqtt://broker:1883";
  const char* topics[2] = {"a/release", "a/ack"};

  Outcome hello(HelloReply& reply) override {
    std::copy_n("w1", 3, reply.device);
    reply.provisioned = true;
    return note("hello");
  }
  Outcome provision(const Provision& request) override {
    device = request.device, federation = request.federation, ssid = request.wifi_ssid;
    password = request.wifi_password, url = request.broker_url, ca = request.broker_ca_pem;
    certificate = request.client_certificate_pem, key = request.client_key_pem;
    secret.assign(request.link_secret.begin(), request.link_secret.end());
    release_key.assign(request.release_public_key.begin(), request.release_public_key.end());
    gateway_key.assign(request.gateway_public_key.begin(), request.gateway_public_key.end());
    chain_id.assign(request.chain_id.begin(), request.chain_id.end());
    provisioned = request;
    return note("provision");
  }
  Outcome status(Status& reply) override {
    reply.boot = 7;
    reply.dropped_packets = 1ULL << 40;
    return note("status");
  }
  Outcome inject_samples(const InjectSamples& request, InjectReply& reply) override {
    injected = request;
    values.assign(request.values.begin(), request.values.end());
    reply.next_sample = request.first_sample + request.values.size() / request.channels;
    return note("inject");
  }
  Outcome run_golden(bool personal, GoldenResult& reply) override {
    flag = personal;
    reply.inputs = 16;
    return note("golden");
  }
  Outcome run_inference(Span<const std::int8_t> in, bool personal, InferenceResult& reply) override {
    input.assign(in.begin(), in.end());
    flag = personal;
    reply.output = Span<const std::int8_t>(output.data(), output.size());
    reply.duration_us = 300;
    return note("inference");
  }
  Outcome set_clock(std::uint64_t to_ms) override {
    clock_ms = to_ms;
    return note("clock");
  }
  Outcome release(Bytes bytes, Bytes& status) override {
    message.assign(bytes.begin(), bytes.end());
    status = Bytes(release_status.data(), release_status.size());
    return note("release");
  }
  Outcome say_labels(Bytes labels) override {
    message.assign(labels.begin(), labels.end());
    return note("labels");
  }
  Outcome control_link(bool up) override {
    flag = up;
    return note("link");
  }
  Outcome reset() override { return note("reset"); }
  Outcome factory_erase() override { return note("erase"); }
  Outcome statistics(Statistics& reply) override {
    reply.latency_us_log2_count = 9;
    reply.latency_us_log2[8] = 5;
    return note("statistics");
  }

  bool bridge_started(LinkOpen& link) override {
    (void)note("bridge");
    link.url = broker_url;
    link.client_id = "salus-f-w1";
    link.ca_pem = "-----BEGIN";
    link.topics = Span<const char* const>(topics, 2);
    link.will_topic = "a/state";
    link.will_payload = Bytes(reinterpret_cast<const std::uint8_t*>("lost"), 4);
    return wants_link;
  }
  void link_state(bool up) override {
    flag = up;
    (void)note("state");
  }
  void published(std::uint32_t which) override {
    id = which;
    (void)note("published");
  }
  Outcome delivered(const char* topic, Bytes payload) override {
    device = topic;
    message.assign(payload.begin(), payload.end());
    return note("deliver");
  }

 private:
  Outcome note(const char* call) {
    calls.emplace_back(call);
    return outcome;
  }
};

}  // namespace salus::console::test
