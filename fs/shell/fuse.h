// SPDX-License-Identifier: MIT
//
// libfuse's low-level API, always in the same version.
#pragma once

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>
