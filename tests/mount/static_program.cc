// SPDX-License-Identifier: MIT
//
// Linked statically and run from a mount.
#include <cstdio>

int main() { return std::puts("it runs") < 0; }
