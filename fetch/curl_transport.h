// SPDX-License-Identifier: MIT
//
// Transport over libcurl's multi interface and an epoll of our own.
//
// Written for 7.88: one HTTP/1.1 connection a transfer, never paused, never pending.  The
// constructor may run anywhere; then one thread only, except wake().
#pragma once

#include <memory>

#include "fetch/fetcher.h"
#include "fetch/transport.h"

namespace skimfs::fetch {

class CurlTransport final : public Transport {
 public:
  // `watch` outlives this.  Throws std::system_error or std::runtime_error.
  CurlTransport(const FetchLimits& limits, SocketWatch& watch);
  // Closes all sockets; no exchange hears of it.
  ~CurlTransport() override;

  void start(const WireRequest& request, Exchange& exchange) override;
  void abort(Exchange& exchange) noexcept override;
  void poll(std::chrono::milliseconds at_most) override;
  void wake() noexcept override;
  void network_changed() override;

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace skimfs::fetch
