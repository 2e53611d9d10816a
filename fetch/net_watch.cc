// SPDX-License-Identifier: MIT
//
// The decision, and the thin source behind it.
#include "fetch/net_watch.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <new>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace skimfs::fetch {

// --------------------------------------------------------------------------------- the decision

const char* NetWatch::changed(TimePoint now) noexcept {
  if (looked_ && now - last_look_ < kSpacing) return nullptr;
  last_look_ = now;
  const NetSight seen = source_->look();
  const NetSight before = std::exchange(known_, seen);
  if (!std::exchange(looked_, true)) return nullptr;
  if (seen.asleep - before.asleep > kLongSleep) return "resume";
  if (seen.moves != before.moves) return "address";
  if (seen.resolver != before.resolver) return "dns";
  // libcurl 7.88 stamps names with the wall clock: set back, it would keep them for as long.
  if (std::chrono::abs(seen.wall - before.wall) > kLongSleep) return "clock";
  // Small ones add up.
  known_.asleep = before.asleep;
  known_.wall = before.wall;
  return nullptr;
}

// ----------------------------------------------------------------------------------- the source

namespace {

Duration time_of(clockid_t clock) noexcept {
  timespec time{};
  ::clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::uint64_t resolver_stamp() noexcept {
  struct stat file {};
  if (::stat("/etc/resolv.conf", &file) != 0) return 0;
  // Any of them differs: so does the sum, for all that happens to a file in a lifetime.
  return static_cast<std::uint64_t>(file.st_mtim.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(file.st_mtim.tv_nsec) + (file.st_ino << 20) +
         static_cast<std::uint64_t>(file.st_size);
}

// The bytes of an address that other machines can reach; empty for all others.  Links of containers
// come and go with addresses of the link only.
std::string_view global_address(int family, const void* bytes) noexcept {
  const auto* first = static_cast<const unsigned char*>(bytes);
  if (family == AF_INET) {
    const bool local = first[0] == 127 || (first[0] == 169 && first[1] == 254);
    return local ? std::string_view() : std::string_view(static_cast<const char*>(bytes), 4);
  }
  if (family != AF_INET6) return {};
  in6_addr address;
  std::memcpy(&address, bytes, sizeof address);
  if (IN6_IS_ADDR_LINKLOCAL(&address) || IN6_IS_ADDR_LOOPBACK(&address)) return {};
  return {static_cast<const char*>(bytes), sizeof address};
}

class RouteSocket {
 public:
  RouteSocket() noexcept
      : fd_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)) {
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups =
        RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    if (fd_ >= 0 && ::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      ::close(fd_);
      fd_ = -1;
    }
  }
  ~RouteSocket() {
    if (fd_ >= 0) ::close(fd_);
  }
  RouteSocket(const RouteSocket&) = delete;
  RouteSocket& operator=(const RouteSocket&) = delete;

  // The next datagram; empty: none waits.  `lost`: some did not fit the socket's buffer.
  std::span<const char> receive(bool& lost) noexcept {
    const ssize_t got = fd_ < 0 ? -1 : ::recv(fd_, buffer_.data(), buffer_.size(), 0);
    if (fd_ >= 0 && got < 0 && errno == ENOBUFS) lost = true;
    return std::span<const char>(buffer_).first(
        static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  }

 private:
  int fd_;
  alignas(nlmsghdr) std::array<char, 16 * 1024> buffer_;
};

class SystemNetSource final : public NetSource {
 public:
  // After the socket listens, so that nothing happens in between.
  SystemNetSource() { learn_addresses(); }

  NetSight look() noexcept override {
    const Duration boot = time_of(CLOCK_BOOTTIME);
    take_messages();
    return {.asleep = boot - time_of(CLOCK_MONOTONIC),
            .wall = time_of(CLOCK_REALTIME) - boot,
            .moves = moves_,
            .resolver = resolver_stamp()};
  }

 private:
  void learn_addresses() {
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0) return;
    for (const ifaddrs* at = first; at; at = at->ifa_next) {
      if (!at->ifa_addr) continue;
      const int family = at->ifa_addr->sa_family;
      const void* bytes =
          family == AF_INET
              ? static_cast<const void*>(&reinterpret_cast<sockaddr_in*>(at->ifa_addr)->sin_addr)
              : &reinterpret_cast<sockaddr_in6*>(at->ifa_addr)->sin6_addr;
      if (family != AF_INET && family != AF_INET6) continue;
      const std::string_view address = global_address(family, bytes);
      if (!address.empty()) addresses_.emplace(address);
    }
    ::freeifaddrs(first);
  }

  void take_messages() noexcept {
    for (;;) {
      bool lost = false;
      const std::span<const char> bytes = socket_.receive(lost);
      if (lost) ++moves_;  // whatever it was
      if (bytes.empty()) {
        if (lost) continue;
        return;
      }
      auto left = static_cast<int>(bytes.size());
      for (auto* message = reinterpret_cast<const nlmsghdr*>(bytes.data());
           NLMSG_OK(message, static_cast<unsigned>(left)); message = NLMSG_NEXT(message, left))
        take(*message);
    }
  }

  void take(const nlmsghdr& message) noexcept {
    switch (message.nlmsg_type) {
      case RTM_NEWADDR:
      case RTM_DELADDR:
        return take_address(message);
      case RTM_NEWROUTE:
      case RTM_DELROUTE: {
        if (message.nlmsg_len < NLMSG_LENGTH(sizeof(rtmsg))) return;
        const auto* route = static_cast<const rtmsg*>(NLMSG_DATA(&message));
        // A tunnel may take all by two halves, 0.0.0.0/1 and 128.0.0.0/1.
        if (route->rtm_dst_len <= 1 && route->rtm_type == RTN_UNICAST) ++moves_;
        return;
      }
      default:
        return;
    }
  }

  // An address whose lifetime is renewed, as routers do all the time, is announced as new.
  void take_address(const nlmsghdr& message) noexcept {
    if (message.nlmsg_len < NLMSG_LENGTH(sizeof(ifaddrmsg))) return;
    const auto* header = static_cast<const ifaddrmsg*>(NLMSG_DATA(&message));
    std::string_view local, address;
    auto left = static_cast<int>(IFA_PAYLOAD(&message));
    const std::size_t size = header->ifa_family == AF_INET ? 4 : 16;
    for (auto* field = IFA_RTA(header); RTA_OK(field, left); field = RTA_NEXT(field, left)) {
      if (RTA_PAYLOAD(field) < size) continue;
      if (field->rta_type == IFA_LOCAL) local = global_address(header->ifa_family, RTA_DATA(field));
      if (field->rta_type == IFA_ADDRESS)
        address = global_address(header->ifa_family, RTA_DATA(field));
    }
    const std::string_view mine = local.empty() ? address : local;  // rtnetlink(7)
    if (mine.empty()) return;
    try {
      const std::string known(mine);
      if (message.nlmsg_type == RTM_DELADDR ? addresses_.erase(known) != 0
                                            : addresses_.insert(known).second)
        ++moves_;
    } catch (const std::bad_alloc&) {
      ++moves_;
    }
  }

  RouteSocket socket_;
  std::set<std::string> addresses_;
  std::uint64_t moves_ = 0;
};

}  // namespace

std::unique_ptr<NetSource> system_net_source() { return std::make_unique<SystemNetSource>(); }

}  // namespace skimfs::fetch
