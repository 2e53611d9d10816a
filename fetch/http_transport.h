// SPDX-License-Identifier: MIT
//
// Transport over HTTP/1.1 on connections that libcurl makes.
//
// Names, addresses, proxies and TLS are libcurl's; requests, responses and which connection is used
// again are ours: bytes are received where the exchange wants them.  Idle connections close after
// FetchLimits::idle_timeout; none is used again after ten minutes, so that changes of names are
// followed.  Their number, idle ones included, is capped by closing idle ones; running exchanges
// are counted by the caller, who starts no more than the caps.
#pragma once

#include <chrono>
#include <memory>

#include "fetch/transport.h"

namespace skimfs::fetch {

struct FetchLimits;

class HttpTransport final : public Transport {
 public:
  // `watch` outlives this.  Throws std::bad_alloc, std::system_error or std::runtime_error.
  HttpTransport(const FetchLimits& limits, SocketWatch& watch);
  // Closes every connection; no exchange hears of it.
  ~HttpTransport() override;

  bool start(const WireRequest& request, Exchange& exchange) override;
  void abort(Exchange& exchange) noexcept override;
  void poll(std::chrono::milliseconds at_most) override;
  void wake() noexcept override;
  void network_changed() override;

 private:
  class Engine;
  const std::unique_ptr<Engine> engine_;
};

}  // namespace skimfs::fetch
