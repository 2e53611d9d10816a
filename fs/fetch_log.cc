// SPDX-License-Identifier: MIT
//
// See fetch_log.h.
#include "fs/fetch_log.h"

#include <fmt/format.h>

#include <iterator>
#include <new>
#include <string>

#include "fetch/error.h"
#include "fetch/url.h"
#include "fs/log.h"

namespace skimfs::fs {

namespace {

std::string describe(const fetch::FetchEvent& event) {
  const bool of_transfer = !event.url.empty();
  std::string text =
      of_transfer ? fmt::format("url={} off={} len={}", log::escape(fetch::redact(event.url)),
                                event.range.first, event.range.length())
                  : fmt::format("host={}", event.host.empty() ? "*" : log::escape(event.host));
  if (event.http_status) fmt::format_to(std::back_inserter(text), " http={}", event.http_status);
  if (event.error) fmt::format_to(std::back_inserter(text), " why=\"{}\"", event.error.message());
  if (event.error == fetch::Errc::denied && !event.profile.empty())
    fmt::format_to(std::back_inserter(text), " profile={}", log::escape(event.profile));
  if (!event.detail.empty())
    fmt::format_to(std::back_inserter(text), " detail=\"{}\"", log::escape(event.detail));
  if (!of_transfer) return text;
  if (event.what == std::string_view("mirror"))
    fmt::format_to(std::back_inserter(text), " try={} act=ask-mirror", event.attempt);
  else if (event.what == std::string_view("hedge"))
    fmt::format_to(std::back_inserter(text), " try={} act=ask-twice", event.attempt);
  else if (event.what == std::string_view("pipelining"))
    fmt::format_to(std::back_inserter(text), " try={} act=ask-alone", event.attempt);
  else if (event.wait.count() < 0)
    fmt::format_to(std::back_inserter(text), " try={} act=give-up", event.attempt);
  else
    fmt::format_to(std::back_inserter(text), " try={} act=wait:{}ms", event.attempt,
                   event.wait.count());
  return text;
}

}  // namespace

void FetchLog::on_event(const fetch::FetchEvent& event) noexcept {
  try {
    const bool lasting = event.wait.count() < 0 || (event.url.empty() && event.error);
    // Once in fifty requests of a server that is well.
    const bool routine = event.what == std::string_view("hedge");
    const auto level = lasting   ? log::Level::warning
                       : routine ? log::Level::debug
                                 : log::Level::info;
    log::event(level, event.what, event.host, describe(event));
  } catch (const std::exception&) {
    // Out of memory: the event is still counted where it happened.
  }
}

}  // namespace skimfs::fs
