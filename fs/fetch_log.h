// SPDX-License-Identifier: MIT
//
// Tells the log what happens to transfers: one line an event, counted by event and host.
#pragma once

#include "fetch/fetcher.h"

namespace skimfs::fs {

class FetchLog final : public fetch::FetchObserver {
 public:
  void on_event(const fetch::FetchEvent& event) noexcept override;
};

}  // namespace skimfs::fs
