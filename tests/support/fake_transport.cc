// SPDX-License-Identifier: MIT
//
// See fake_transport.h.
#include "tests/support/fake_transport.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

namespace skimfs::test {

std::string FakeTransport::Sent::header(std::string_view name) const {
  for (const std::string& line : request.headers)
    if (line.starts_with(name) && line.substr(name.size(), 2) == ": ")
      return line.substr(name.size() + 2);
  return {};
}

fetch::ByteRange FakeTransport::Sent::range() const {
  unsigned long long first = 0, last = 0;
  EXPECT_EQ(std::sscanf(header("Range").c_str(), "bytes=%llu-%llu", &first, &last), 2);
  return {first, last};
}

bool FakeTransport::start(const fetch::WireRequest& request, fetch::Exchange& exchange) {
  EXPECT_FALSE(in_callback_) << "start() from inside a callback";
  std::optional<std::size_t> before;
  for (const std::size_t i : live)
    if (request.behind == sent[i].exchange) before = i;
  EXPECT_TRUE(before || !request.behind) << "behind one that is over";
  const bool taken = std::ranges::any_of(live, [&](auto i) { return sent[i].behind == before; });
  const auto behind = pipelines && before && !request.fresh && !taken ? before : std::nullopt;
  live.insert(sent.size());
  sent.push_back({request, &exchange, behind});
  peak = std::max(peak, running());
  return behind.has_value();
}

void FakeTransport::abort(fetch::Exchange& exchange) noexcept {
  EXPECT_FALSE(in_callback_) << "abort() from inside a callback";
  for (const std::size_t i : live) {
    if (sent[i].exchange != &exchange) continue;
    sent[i].exchange = nullptr;
    sent[i].aborted = true;
    live.erase(i);
    return;
  }
  ADD_FAILURE() << "abort() of an exchange that is over";
}

void FakeTransport::poll(std::chrono::milliseconds) {}

template <class Call>
bool FakeTransport::deliver(std::size_t i, Call call) {
  Sent& one = sent.at(i);
  EXPECT_TRUE(one.live()) << "request " << i << " is over";
  if (!one.live()) return false;
  in_callback_ = true;
  const bool more = call(*one.exchange);
  in_callback_ = false;
  if (more) return true;
  one.stopped = true;
  end(i, fetch::Fault::stopped);
  return false;
}

bool FakeTransport::connect(std::size_t i, bool reused, bool public_peer) {
  return deliver(i, [&](fetch::Exchange& exchange) {
    exchange.connected(reused, public_peer);
    return true;
  });
}

void FakeTransport::lose(std::size_t i) {
  deliver(i, [](fetch::Exchange& exchange) {
    exchange.lost();
    return true;
  });
}

bool FakeTransport::head(std::size_t i, int status, const Headers& headers) {
  std::vector<fetch::HeaderField> fields;
  for (const auto& [name, value] : headers) fields.push_back({name, value});
  return deliver(i, [&](fetch::Exchange& exchange) { return exchange.head({status, fields}); });
}

bool FakeTransport::body(std::size_t i, std::string_view bytes) {
  return deliver(i, [&](fetch::Exchange& exchange) {
    auto rest = std::as_bytes(std::span(bytes));
    const std::span<std::byte> space = exchange.space();
    if (const auto own = space.first(std::min(space.size(), rest.size())); !own.empty()) {
      std::ranges::copy(rest.first(own.size()), own.begin());
      rest = rest.subspan(own.size());
      if (!exchange.body(own)) return false;
    }
    return rest.empty() || exchange.body(rest);
  });
}

void FakeTransport::end(std::size_t i, fetch::Fault fault) {
  Sent& one = sent.at(i);
  EXPECT_TRUE(one.live()) << "request " << i << " is over";
  if (!one.live()) return;
  fetch::Exchange& exchange = *one.exchange;
  one.exchange = nullptr;
  one.well = fault == fetch::Fault::none;
  live.erase(i);
  in_callback_ = true;
  exchange.end({fault, "said the fake"});
  in_callback_ = false;
}

void FakeTransport::respond(std::size_t i, int status, Headers headers, std::string_view bytes) {
  if (std::ranges::none_of(headers, [](const auto& header) {
        return header.first == "Content-Length" || header.first == "Transfer-Encoding";
      }))
    headers.emplace_back("Content-Length", std::to_string(bytes.size()));
  if (connect(i) && head(i, status, headers) && (bytes.empty() || body(i, bytes))) end(i);
}

std::size_t FakeTransport::running(std::string_view host_port) const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(
      live, [&](std::size_t i) { return sent[i].request.host_port == host_port; }));
}

}  // namespace skimfs::test
