// SPDX-License-Identifier: MIT
#pragma once

namespace skimfs::fetch {

// Gives back what a string or a vector holds; `container = {}` keeps its memory.
template <class Container>
void let_go(Container& container) noexcept {
  Container().swap(container);
}

}  // namespace skimfs::fetch
