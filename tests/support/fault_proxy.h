// SPDX-License-Identifier: MIT
//
// TCP between a client and any server on loopback, broken where a test says.
//
// Knows no HTTP: it counts bytes and *exchanges* (the client speaks after the server has spoken, so
// with HTTP/1.1 an exchange is a request and its answer).  Each exchange has a fault of its own,
// whose offsets count from the first byte of the answer.  All calls: any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skimfs::test {

// The default does nothing.  What several members say happens in this order.
struct ProxyFault {
  bool refuse = false;                 // RST instead of an answer
  std::chrono::milliseconds delay{0};  // before each run of bytes goes on to the client

  std::optional<std::uint64_t> corrupt_at{};    // this byte with its bits turned over
  std::optional<std::uint64_t> duplicate_at{};  // this byte twice
  std::optional<std::uint64_t> drip_from{};     // from here on a byte at a time, ...
  std::chrono::milliseconds drip_every{1000};   // ... so far apart

  // After so many bytes nothing more goes to the client.
  std::optional<std::uint64_t> stop_after{};
  enum class Ending {
    close,       // both directions, FIN
    half_close,  // FIN to the client, whose own words are still taken
    reset,       // RST
    stall        // silence, until release()
  } ending = Ending::close;

  bool operator==(const ProxyFault&) const = default;
};

// With `probability` one of reset, close, half-close, a delay of 50 ms, a stall or a drip within
// the first 64 KiB of an answer, the last two seldom.  A pure function of seed, connection and
// exchange.  Never changes a byte: plain HTTP could not notice.
class RandomFaults {
 public:
  RandomFaults(std::uint64_t seed, double probability) noexcept;
  ProxyFault operator()(std::uint64_t connection, std::uint64_t exchange) const noexcept;

 private:
  const std::uint64_t seed_;
  const double probability_;
};

struct ProxyRecord {
  std::uint64_t connection = 0;                // counted from 1
  std::uint64_t exchanges = 0;                 // begun
  std::uint64_t faulty = 0;                    // of them: with a fault
  std::uint64_t to_server = 0, to_client = 0;  // bytes sent on
  bool open = true;
};

class FaultProxy {
 public:
  static constexpr unsigned kAlways = ~0u;
  // The fault of an exchange, counted from 0 on its connection.  Called on any thread, with no
  // lock.
  using Plan = std::function<ProxyFault(std::uint64_t connection, std::uint64_t exchange)>;

  // Listens on 127.0.0.1 and leads to `server_port` there; port 0 takes a free one.
  explicit FaultProxy(std::uint16_t server_port, std::uint16_t port = 0);
  ~FaultProxy();

  std::uint16_t port() const noexcept;
  std::string base() const;  // "http://127.0.0.1:PORT"

  // `after` more exchanges, on any connection, have none, the next `times` this fault, later ones
  // none again.
  void fault(ProxyFault fault, unsigned times = kAlways, unsigned after = 0);
  void plan(Plan plan);
  // New connections lead there.
  void lead_to(std::uint16_t server_port);
  // Closes the listening socket (connects are refused), and opens it again on the same port.
  void stop_listening();
  void listen_again();
  // Resets every connection now.
  void cut_all();
  // Lets everything that stalls go on, now and once.
  void release();

  std::vector<ProxyRecord> connections() const;
  // Waits until `holds()` is true, asked after each change of a record.
  bool await(const std::function<bool()>& holds,
             std::chrono::milliseconds at_most = std::chrono::seconds(10)) const;

 private:
  class Relay;
  std::unique_ptr<Relay> relay_;
};

}  // namespace skimfs::test
