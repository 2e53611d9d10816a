# SPDX-License-Identifier: MIT
"""The web server every target reads from, and the files it shows.

nginx with sendfile out of a tmpfs, so that neither a disk nor a slow server hides what a client
costs.  What it was asked is read from its own log, the same for every client.
"""

import copy
import dataclasses
import http.client
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TREE_MANIFEST = HERE.parent.parent / "tools" / "tree-manifest"
MIB = 1 << 20

# name: list of (file name, size).  Made when the first workload asks for it.
TREES = {
    "one": [("big.bin", 1024 * MIB)],
    "four": [(f"part-{i}.bin", 256 * MIB) for i in range(4)],
    "tier": [("tier.bin", 64 * MIB)],
    "wide": [(f"stream-{i:02}.bin", 64 * MIB) for i in range(16)],
    "small": [(f"dir-{i // 100:02}/file-{i:04}.bin", 16 << 10) for i in range(2000)],
    "medium": [(f"dir-{i // 50}/file-{i:03}.bin", 2 * MIB) for i in range(300)],
    # For listings alone: hardly any bytes.
    "many": [(f"dir-{i // 1000:02}/file-{i:05}.bin", i % 10 == 0) for i in range(100_000)],
    # For runs at a distance, where time goes by round trips.
    "far": [("far.bin", 128 * MIB)],
    "few": [(f"dir-{i // 50}/file-{i:03}.bin", 16 << 10) for i in range(200)],
    # Of sizes that no manifest states, see UNSTATED.
    "unstated": [(f"file-{i:03}.bin", 16 << 10) for i in range(2000)],
    "unstated-few": [(f"file-{i:02}.bin", 16 << 10) for i in range(60)],
    "unstated-medium": [(f"file-{i:02}.bin", 200 << 10) for i in range(60)],
    "hosts": [(f"file-{i:02}.bin", 16 << 10) for i in range(24)],
    "first": [(f"file-{i:02}.bin", 2 * MIB) for i in range(20)],
    # 1 KiB to 256 KiB, every power of two as often as the next; 100 files a directory.
    "soak": [(f"dir-{i // 100:03}/file-{i:05}.bin", (1 << 10) << (i * 7 % 9) | i % 1000)
             for i in range(10_000)],
}
UNSTATED = {"unstated", "unstated-few", "unstated-medium"}


@dataclasses.dataclass(frozen=True)
class Path:
    """How far the server is: see bench_relay.  Zeros: as on loopback, without limit."""
    rtt_ms: int = 0
    connection_mbit: int = 0
    total_mbit: int = 0
    first_window: int = 0  # bytes; without one a new connection is as fast as an old one
    tls: bool = False
    hosts: int = 1         # so many servers, each with some of the files

    def __str__(self):
        words = [f"RTT {self.rtt_ms} ms"] if self.rtt_ms else []
        if self.tls:
            words.append("TLS")
        if self.hosts > 1:
            words.append(f"{self.hosts} hosts")
        if self.connection_mbit:
            words.append(f"{self.connection_mbit} Mbit/s a connection")
        if self.total_mbit:
            words.append(f"{self.total_mbit} Mbit/s in all")
        if self.first_window:
            words.append("slow start")
        return ", ".join(words)


@dataclasses.dataclass(frozen=True)
class Asked:
    """What the server saw of one run."""
    requests: int
    connections: int
    bytes_sent: int  # of bodies, also of those cut short


class Origin:
    def __init__(self, work: pathlib.Path, relay: pathlib.Path):
        self.root = work / "www"
        self.root.mkdir()
        self._work = work
        self._log = work / "access.log"
        self._log.touch()
        self._mark = 0
        self._relay, self._relays = relay, {}
        self.port, self._status_port, self._tls_port = (_free_port() for _ in range(3))
        self.scheme, self.certificate = "http", None  # the latter: to be trusted
        self.ports = [self.port]  # of the hosts, each with every so manieth file of a tree
        self._make_certificate()
        self._nginx = self._start()

    def _start(self) -> subprocess.Popen:
        user = "user root;" if os.getuid() == 0 else ""
        unused = " ".join(f"{kind}_temp_path {self._work}/t;" for kind in
                          ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self._work / "nginx.conf").write_text(f"""{user}
daemon off;
worker_processes auto;
pid {self._work}/nginx.pid;
events {{ worker_connections 8192; }}
http {{
  {unused}
  sendfile on; tcp_nopush on;
  keepalive_timeout 75s; keepalive_requests 1000000;
  log_format bench '$connection $status $body_bytes_sent $request_method $uri $http_range';
  server {{
    listen 127.0.0.1:{self.port} backlog=4096; root {self.root}; autoindex on;
    access_log {self._log} bench;
  }}
  server {{
    listen 127.0.0.1:{self._tls_port} ssl backlog=4096; root {self.root};
    ssl_certificate {self._work}/own.pem; ssl_certificate_key {self._work}/own.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    access_log {self._log} bench;
  }}
  server {{ listen 127.0.0.1:{self._status_port}; access_log off; stub_status; }}
}}
""")
        nginx = subprocess.Popen(["nginx", "-e", f"{self._work}/error.log", "-p", str(self._work),
                                  "-c", f"{self._work}/nginx.conf"])
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return nginx
            except ConnectionRefusedError:
                if nginx.poll() is not None:
                    break
                time.sleep(0.02)
        raise RuntimeError(f"nginx did not start; see {self._work}/error.log")

    def _make_certificate(self) -> None:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", self._work / "own.key", "-out", self._work / "own.pem"],
                       check=True, capture_output=True)

    def stop(self) -> None:
        for process in [self._nginx, *(process for process, _ in self._relays.values())]:
            process.terminate()
            process.wait()

    def at(self, path: Path) -> "Origin":
        """The same server, so far away."""
        there = copy.copy(self)
        if path.tls:
            there.port, there.scheme = self._tls_port, "https"
            there.certificate = self._work / "own.pem"
        limits = dataclasses.astuple(path)[:4]
        there.ports = ([self._relayed(there.port, limits, host) for host in range(path.hosts)]
                       if any(limits) or path.hosts > 1 else [there.port])
        there.port = there.ports[0]
        return there

    def _relayed(self, port: int, limits: tuple, host: int) -> int:
        """The port of the relay to `port` with these limits, one for each host."""
        key = port, limits, host
        if key not in self._relays:
            process = subprocess.Popen([self._relay, str(port), *map(str, limits)],
                                       stdout=subprocess.PIPE, text=True)
            self._relays[key] = process, int(process.stdout.readline())
        return self._relays[key][1]

    def url(self, tree: str, name: str = "") -> str:
        host = [each for each, _ in TREES[tree]].index(name) if len(self.ports) > 1 else 0
        return f"{self.scheme}://127.0.0.1:{self.ports[host % len(self.ports)]}/{tree}/{name}"

    def tree(self, name: str) -> pathlib.Path:
        """The true files of a tree, made now if they are not there yet."""
        place = self.root / name
        if not place.exists():
            wanted = sum(size for _, size in TREES[name])
            free = os.statvfs(self.root).f_bavail * os.statvfs(self.root).f_frsize
            if free < wanted + 512 * MIB:
                raise RuntimeError(f"{self.root}: {wanted // MIB} MiB more wanted, "
                                   f"{free // MIB} MiB free; point --work to a larger tmpfs")
            print(f"making {name}: {len(TREES[name])} files, {wanted // MIB} MiB", file=sys.stderr)
            for path, size in TREES[name]:
                _write_noise(place / path, size)
        return place

    def manifest(self, name: str) -> pathlib.Path:
        """The manifest of a tree."""
        place = self._work / f"{name}-{self.port}.skimfs"
        if not place.exists() and (len(self.ports) > 1 or name in UNSTATED):
            self.tree(name)
            lines = [f"/{path}\t{'-' if name in UNSTATED else size}\t-\t-\t{self.url(name, path)}"
                     for path, size in TREES[name]]
            place.write_text("\n".join(["#skimfs 1", *lines, f"@end {len(lines)}", ""]))
        elif not place.exists():
            with place.open("wb") as out:
                subprocess.run([TREE_MANIFEST, self.tree(name), self.url(name)],
                               stdout=out, check=True)
        return place

    def settle(self) -> None:
        """Waits until no request runs, so that all of them are in the log."""
        for _ in range(400):
            status = http.client.HTTPConnection("127.0.0.1", self._status_port)
            status.request("GET", "/")
            text = status.getresponse().read().decode()
            status.close()
            reading, writing = map(int, re.search(r"Reading: (\d+) Writing: (\d+)", text).groups())
            if (reading, writing) == (0, 1):  # the one asking is writing
                return
            time.sleep(0.005)

    def forget(self) -> None:
        """What comes from here on belongs to the next asked()."""
        self.settle()
        self._mark = self._log.stat().st_size

    def asked(self) -> Asked:
        self.settle()
        with self._log.open("rb") as log:
            log.seek(self._mark)
            rows = [line.split(b" ", 3) for line in log]
        return Asked(len(rows), len({row[0] for row in rows}), sum(int(row[2]) for row in rows))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _write_noise(path: pathlib.Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        while size > 0:
            size -= out.write(os.urandom(min(size, 4 * MIB)))
