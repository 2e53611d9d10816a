// SPDX-License-Identifier: MIT
//
// A fetcher that does nothing by itself: it records orders and delivers what the test says.
//
// Bodies are a pure function of object, version and offset, so any byte proves its place; some
// objects have `contents` of their own, and what is delivered may be tampered with.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fetch/error.h"
#include "fetch/fetcher.h"
#include "fetch/url.h"

namespace skimfs::test {

// The n bytes of `url` from `offset` in this version.
inline std::vector<std::byte> body(const std::string& url, std::uint64_t offset, std::uint64_t n,
                                   unsigned version = 1) {
  const std::uint64_t seed = std::hash<std::string>()(url) + version * 0xD1B54A32D192ED03u;
  std::vector<std::byte> bytes(n);
  for (std::uint64_t i = 0; i < n; ++i)
    bytes[i] = static_cast<std::byte>((offset + i + seed) * 0x9E3779B97F4A7C15u >> 56);
  return bytes;
}

class FakeFetching final : public fetch::Fetching {
 public:
  struct Order {
    fetch::RangeOrder order;
    bool begun = false;
    unsigned version = 0;     // the server's when it began
    unsigned violations = 0;  // digests that were wrong
  };

  fetch::OrderId new_id() noexcept override { return ++last_id_; }
  void fetch(fetch::RangeOrder order) override {
    if (none_ahead && order.priority != fetch::Priority::demand) throw std::bad_alloc();
    ranges_asked.push_back(order.range);
    orders.push_back({std::move(order)});
  }
  void probe(fetch::ProbeOrder order) override {
    if (out_of_memory) throw std::bad_alloc();
    probes.push_back(std::move(order));
  }
  void promote(fetch::OrderId id) noexcept override { promoted.push_back(id); }
  std::shared_ptr<fetch::Pace> pace(const fetch::Object& object) override {
    return paces.at(fetch::Url::parse(object.urls.front()).value().host_port());
  }

  // The version the server has, as its head would say.
  fetch::Version version(std::uint64_t total) const {
    return {total, "\"v" + std::to_string(server_version) + "\"", std::nullopt};
  }

  // Delivers up to `count` bytes of order `i`; true when the order is complete and gone.
  bool deliver(std::size_t i, std::uint64_t count, std::uint64_t total, bool counted = true) {
    Order& at = orders[i];
    fetch::RangeSink& sink = *at.order.sink;
    const std::string& url = at.order.object->urls.front();
    const auto own = contents.find(url);
    if (own != contents.end()) total = own->second.size();
    if (!at.begun) {
      at.begun = true;
      at.version = server_version;
      if (!sink.begin(server_source, version(total), counted))
        return finish(i, fetch::Errc::changed);
      delivered_of(at) = sink.kept();
    }
    std::uint64_t& delivered = delivered_of(at);
    const std::uint64_t left = at.order.range.length() - delivered;
    const std::uint64_t from = at.order.range.first + delivered;
    std::vector<std::byte> bytes = body(url, from, std::min(count, left), at.version);
    if (own != contents.end())
      std::copy_n(own->second.begin() + static_cast<std::ptrdiff_t>(from), bytes.size(),
                  bytes.begin());
    if (tamper) tamper(url, from, bytes);
    delivered += bytes.size();
    const bool last = delivered == at.order.range.length();
    const auto took = bytes.empty() ? fetch::RangeSink::Took::more : sink.take(bytes);
    if (took == fetch::RangeSink::Took::corrupt) {  // once more, as the fetch loop does
      at.begun = false;
      return ++at.violations > 1 ? finish(i, fetch::Errc::digest_mismatch) : false;
    }
    if (took == fetch::RangeSink::Took::enough)
      return finish(i, std::make_error_code(std::errc::operation_canceled));
    return last ? finish(i, {}) : false;
  }

  // Answers the oldest probe with the object's size, and with its first bytes where they are asked
  // for and taken: then they are an order, begun.  `ignored`: by a server that knows no ranges.
  void answer_probe(std::uint64_t total, bool ignored = false) {
    const fetch::ProbeOrder probe = std::move(probes.front());
    probes.erase(probes.begin());
    const std::uint64_t bytes = std::min(total, probe.bytes);
    const bool brings = probe.bytes > 1 && bytes > 0 && !ignored;
    auto sink = brings ? probe.sink->taker(server_source, version(total), bytes) : nullptr;
    if (sink && sink->begin(server_source, version(total), true)) {
      orders.push_back({.order = {.id = probe.id,
                                  .object = probe.object,
                                  .range = {0, bytes - 1},
                                  .priority = fetch::Priority::sibling,
                                  .sink = sink},
                        .begun = true,
                        .version = server_version});
    } else if (sink) {
      sink->finish(std::make_error_code(std::errc::operation_canceled));
    }
    probe.sink->finish({}, version(total), server_source);
  }

  // Breaks the connection: the order is still there and goes on at kept().
  void interrupt(std::size_t i) { orders[i].begun = false; }

  bool finish(std::size_t i, std::error_code outcome) {
    const auto order = std::move(orders[i].order);
    progress_.erase(order.sink.get());
    orders.erase(orders.begin() + static_cast<std::ptrdiff_t>(i));
    order.sink->finish(outcome);
    return true;
  }
  bool finish(std::size_t i, fetch::Errc outcome) { return finish(i, make_error_code(outcome)); }

  // Delivers everything that is ordered, in order, and what follows from it.
  void deliver_all(std::uint64_t total) {
    while (!orders.empty()) deliver(0, UINT64_MAX, total);
  }

  std::vector<Order> orders;  // not finished yet
  std::vector<fetch::ProbeOrder> probes;
  std::vector<fetch::ByteRange> ranges_asked;
  std::vector<fetch::OrderId> promoted;
  bool out_of_memory = false;  // for another probe
  bool none_ahead = false;     // nor for what is not demanded
  unsigned server_version = 1;
  std::size_t server_source = 0;                                     // who answers
  std::unordered_map<std::string, std::vector<std::byte>> contents;  // by URL
  std::function<void(const std::string& url, std::uint64_t offset, std::vector<std::byte>& bytes)>
      tamper;
  fetch::PaceBook paces;

 private:
  std::uint64_t& delivered_of(const Order& order) { return progress_[order.order.sink.get()]; }

  fetch::OrderId last_id_ = 0;
  std::unordered_map<const fetch::RangeSink*, std::uint64_t> progress_;
};

}  // namespace skimfs::test
