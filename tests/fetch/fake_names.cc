// SPDX-License-Identifier: MIT
//
// See fake_names.h.
#include "tests/fetch/fake_names.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>

namespace skimfs::test {
namespace {

using Addresses = std::map<std::string, std::vector<std::string>>;
using Lookups = std::map<std::string, unsigned>;

// Never destroyed: libcurl leaves lookups behind that go on while the program ends.
std::mutex& mutex = *new std::mutex;
std::condition_variable& moved = *new std::condition_variable;
int hanging_calls = 0;
unsigned gate = 0;  // opened so many times
Addresses& addresses_of = *new Addresses;
Lookups& lookups_of = *new Lookups;

void hang() {
  std::unique_lock lock(mutex);
  const unsigned before = gate;
  ++hanging_calls;
  moved.notify_all();
  moved.wait(lock, [before] { return gate != before; });
  --hanging_calls;
  moved.notify_all();
}

std::uint16_t port_of(const char* service) {
  return htons(static_cast<std::uint16_t>(service ? std::atoi(service) : 0));
}

void fill(sockaddr_in& where, const std::string& address, const char* service) {
  where.sin_family = AF_INET;
  where.sin_port = port_of(service);
  ::inet_pton(AF_INET, address.c_str(), &where.sin_addr);
}

void fill(sockaddr_in6& where, const std::string& address, const char* service) {
  where.sin6_family = AF_INET6;
  where.sin6_port = port_of(service);
  ::inet_pton(AF_INET6, address.c_str(), &where.sin6_addr);
}

// One block of memory, as the C library's freeaddrinfo() expects.
template <class Where>
addrinfo* make(const std::string& address, const char* service, addrinfo* next) {
  struct Block {
    addrinfo info{};
    Where where{};
  };
  void* memory = std::malloc(sizeof(Block));
  if (!memory) throw std::bad_alloc();
  auto* block = new (memory) Block;
  fill(block->where, address, service);
  block->info.ai_addr = reinterpret_cast<sockaddr*>(&block->where);
  block->info.ai_addrlen = sizeof block->where;
  block->info.ai_family = block->info.ai_addr->sa_family;
  block->info.ai_socktype = SOCK_STREAM;
  block->info.ai_protocol = IPPROTO_TCP;
  block->info.ai_next = next;
  return &block->info;
}

addrinfo* make_any(const std::string& address, const char* service, addrinfo* next) {
  const bool six = address.find(':') != std::string::npos;
  return six ? make<sockaddr_in6>(address, service, next)
             : make<sockaddr_in>(address, service, next);
}

}  // namespace

void FakeNames::set(const std::string& name, std::vector<std::string> addresses) {
  const std::lock_guard lock(mutex);
  addresses_of[name] = std::move(addresses);
}

unsigned FakeNames::lookups(const std::string& name) {
  const std::lock_guard lock(mutex);
  return lookups_of[name];
}

int FakeNames::hanging() {
  const std::lock_guard lock(mutex);
  return hanging_calls;
}

bool FakeNames::await_hanging(int calls) {
  std::unique_lock lock(mutex);
  return moved.wait_for(lock, std::chrono::seconds(30), [&] { return hanging_calls == calls; });
}

void FakeNames::let_go() {
  std::unique_lock lock(mutex);
  ++gate;
  moved.notify_all();
  moved.wait(lock, [] { return hanging_calls == 0; });
}

}  // namespace skimfs::test

extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo*,
                           addrinfo** result) {
  namespace names = skimfs::test;
  if (!name) return EAI_NONAME;
  if (std::string_view(name) == "hangs.test") names::hang();
  const std::lock_guard lock(names::mutex);
  ++names::lookups_of[name];
  const auto known = names::addresses_of.find(name);
  if (known == names::addresses_of.end()) return EAI_NONAME;
  *result = nullptr;
  for (auto address = known->second.rbegin(); address != known->second.rend(); ++address)
    *result = names::make_any(*address, service, *result);
  return 0;
}
