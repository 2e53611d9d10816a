// SPDX-License-Identifier: MIT
//
// Servers over TLS: which are believed, which are not, and who shows them a certificate.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/mount/fixture.h"
#include "tests/mount/nginx.h"
#include "tests/support/body.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/hostile_origin.h"
#include "tests/support/speaker.h"

namespace skimfs::test {
namespace {

constexpr std::uint64_t kSize = 300'000;

// An authority, certificates of it, and some of others; files of openssl(1).
class Certificates {
 public:
  Certificates() {
    sign("ca", "-x509 -days 2 -subj /CN=authority");
    issue("server", "IP:127.0.0.1", "-days 2");
    issue("elsewhere", "DNS:elsewhere.example", "-days 2");
    issue("client", "DNS:client", "-days 2");
    // Over at once: openssl(1) takes no time of its end before 3.4, but a negative number of days.
    issue("expired", "IP:127.0.0.1", "-days -1");
    sign("self", "-x509 -days 2 -subj /CN=self -addext subjectAltName=IP:127.0.0.1");
  }
  std::string file(const std::string& name) const { return scratch_ / name; }
  std::string of_server(const std::string& name) const {
    return "ssl_certificate " + file(name + ".pem") + "; ssl_certificate_key " +
           file(name + ".key") + ";";
  }
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = scratch_.write(name, text);
    EXPECT_EQ(::chmod(path.c_str(), 0600), 0);
    return path;
  }

  // Of the authority.
  void issue(const std::string& name, const std::string& alternative,
             const std::string& how) const {
    sign(name, "-subj /CN=" + name);
    const Outcome outcome =
        shell("cd " + scratch_.path() + "; echo subjectAltName=" + alternative + " > ext; " +
              "openssl x509 -req -in " + name + ".pem -CA ca.pem -CAkey ca.key -CAcreateserial " +
              "-extfile ext -out signed.pem " + how + "; mv signed.pem " + name + ".pem");
    EXPECT_TRUE(outcome.ok()) << outcome.all();
  }

 private:
  void sign(const std::string& name, const std::string& how) const {
    const Outcome outcome = shell("cd " + scratch_.path() +
                                  "; openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 " +
                                  "-nodes -keyout " + name + ".key -out " + name + ".pem " + how);
    EXPECT_TRUE(outcome.ok()) << outcome.all();
  }

  Scratch scratch_;
};

class Tls : public MountTest {
 protected:
  Tls() {
    served_.write("f", Body("/f", 0).text(0, kSize));
    served_.write("g", Body("/g", 0).text(0, kSize));
  }
  static Manifest manifest(const Nginx& server) {
    return Manifest(server.base()).file("/f", kSize).file("/g", {});
  }
  static std::uint64_t of_fetch(const Mount& mount, const char* field) {
    return nlohmann::json::parse(mount.status()).at("fetch").at(field).get<std::uint64_t>();
  }
  // The figures follow what happens within a second.
  static bool await_fetch(const Mount& mount, const char* field, std::uint64_t least) {
    return until([&] { return of_fetch(mount, field) >= least; }, kAtOnce);
  }
  // So many connections were opened, and all are closed again.
  static bool await_closed(const Mount& mount, std::uint64_t opened) {
    const auto closed = [&] {
      const auto fetch = nlohmann::json::parse(mount.status()).at("fetch");
      return fetch.at("connections_opened") >= opened && fetch.at("connections_open") == 0;
    };
    return until(closed, std::chrono::seconds(20));
  }
  // The server has told of so many requests, which it does later.
  static bool await_told(const Nginx& server, std::size_t requests) {
    return until([&] { return server.resumed().size() >= requests; }, std::chrono::seconds(10));
  }

  Scratch served_;
  Certificates certificates_;
};

// S-TLS-1
TEST_F(Tls, AServerOfTheGivenAuthorityIsRead) {
  const Nginx server(served_.path(), certificates_.of_server("server"));
  const Mount mount(manifest(server), "cacert=" + certificates_.file("ca.pem"));
  EXPECT_TRUE(Body("/f", 0).matches(0, kSize, mount.text("f")));
  EXPECT_TRUE(Body("/g", 0).matches(0, kSize, mount.text("g")));
  EXPECT_TRUE(await_fetch(mount, "connections_reused", 1));
}

TEST_F(Tls, ASecondConnectionGoesOnWithTheSessionOfTheFirst) {
  const Nginx server(served_.path(), certificates_.of_server("server") + " ssl_protocols TLSv1.3;");
  const Mount mount(manifest(server), "idle_timeout=1,cacert=" + certificates_.file("ca.pem"));
  EXPECT_EQ(read_at(mount / "f", 10 * 4096, 4096, O_DIRECT).error, 0);
  ASSERT_TRUE(await_closed(mount, 1));
  EXPECT_EQ(read_at(mount / "f", 50 * 4096, 4096, O_DIRECT).error, 0);
  EXPECT_TRUE(await_fetch(mount, "connections_opened", 2));
  EXPECT_TRUE(await_told(server, 2));
  EXPECT_EQ(server.resumed(), (std::vector<bool>{false, true}));
}

// libcurl remembers the sessions of eight servers, and with a ninth one visited in turn of none.
TEST_F(Tls, SessionsOfManyServersAreRemembered) {
  std::vector<std::unique_ptr<Nginx>> servers;
  Manifest many("https://unused.example");
  for (int i = 0; i < 12; ++i) {
    servers.push_back(std::make_unique<Nginx>(
        served_.path(), certificates_.of_server("server") + " ssl_protocols TLSv1.3;"));
    const std::string name = "/" + std::to_string(i) + "/f";
    many.line(name + "\t" + std::to_string(kSize) + "\t-\t-\t" + servers.back()->base() + "/f");
  }
  const Mount mount(many, "idle_timeout=1,cacert=" + certificates_.file("ca.pem"));
  for (const unsigned round : {1u, 2u}) {
    for (int i = 11; i >= 0; --i) {  // upwards would be a walk, and read ahead
      const std::string name = std::to_string(i) + "/f";
      EXPECT_EQ(read_at(mount / name, round * 10 * 4096, 4096, O_DIRECT).error, 0) << i;
    }
    ASSERT_TRUE(await_closed(mount, round * 12));
  }
  for (const auto& server : servers) {
    EXPECT_TRUE(await_told(*server, 2));
    EXPECT_EQ(server->resumed(), (std::vector<bool>{false, true}));
  }
}

struct Refused {
  const char* name;
  const char* certificate;
  bool own_authority;
};

class TlsRefused : public Tls, public ::testing::WithParamInterface<Refused> {};

// S-TLS-1, row 12 of the fault matrix
TEST_P(TlsRefused, IsNotAskedForASingleFile) {
  const Nginx server(served_.path(), certificates_.of_server(GetParam().certificate));
  const Mount mount(manifest(server), GetParam().own_authority
                                          ? "cacert=" + certificates_.file("ca.pem")
                                          : std::string("timeout=10"));
  EXPECT_EQ(read_at(mount / "f", 0, 4096, O_DIRECT).error, EIO);
  EXPECT_EQ(read_at(mount / "g", 0, 4096, O_DIRECT).error, EACCES);
  EXPECT_TRUE(await_fetch(mount, "errors", 2));
  EXPECT_EQ(of_fetch(mount, "retries"), 0u);
  EXPECT_TRUE(mount.await_log("ev=tls_verify", std::chrono::seconds(20))) << mount.log();
  EXPECT_TRUE(server.requests().empty());
}

INSTANTIATE_TEST_SUITE_P(Certificates, TlsRefused,
                         ::testing::Values(Refused{"expired", "expired", true},
                                           Refused{"wrong_name", "elsewhere", true},
                                           Refused{"self_signed", "self", true},
                                           Refused{"unknown_authority", "server", false}),
                         [](const auto& each) { return std::string(each.param.name); });

// S-TLS-1, row 12 of the fault matrix: https:// by mistake.
TEST_F(Tls, AServerThatSpeaksPlainHttpIsToldAtOnce) {
  const Speaker server("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  const Mount mount(Manifest("https://" + server.address()).file("/f", kSize).file("/g", {}));
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(read_at(mount / "f", 0, 4096, O_DIRECT).error, EIO);
  EXPECT_EQ(read_at(mount / "g", 0, 4096, O_DIRECT).error, EACCES);
  EXPECT_LT(std::chrono::steady_clock::now() - before, kAtOnce);
  EXPECT_LE(server.connections(), 2u);
  EXPECT_TRUE(await_fetch(mount, "errors", 2));
  EXPECT_EQ(of_fetch(mount, "retries"), 0u);
  EXPECT_TRUE(mount.await_log("ev=not_tls", std::chrono::seconds(20))) << mount.log();
}

// S-TLS-1, S-HTTP-5: what cuts a handshake may pass.
TEST_F(Tls, AHandshakeThatIsResetIsMadeAgain) {
  const Nginx server(served_.path(), certificates_.of_server("server"));
  FaultProxy proxy(server.port());
  proxy.fault({.stop_after = 10, .ending = ProxyFault::Ending::reset}, 2);
  const Mount mount(Manifest("https://127.0.0.1:" + std::to_string(proxy.port())).file("/f", kSize),
                    "cacert=" + certificates_.file("ca.pem"));
  EXPECT_TRUE(Body("/f", 0).matches(0, kSize, mount.text("f"))) << mount.log();
  EXPECT_TRUE(await_fetch(mount, "retries", 1));
}

// S-TLS-1
TEST_F(Tls, AnyCertificateWillDoOnlyWhereThatIsSaid) {
  const Nginx server(served_.path(), certificates_.of_server("self"));
  const Mount mount(manifest(server), "insecure_tls");
  EXPECT_TRUE(Body("/f", 0).matches(0, kSize, mount.text("f")));
  EXPECT_TRUE(mount.await_log("ev=insecure_tls", std::chrono::seconds(20))) << mount.log();
}

// S-TLS-1
TEST_F(Tls, AuthoritiesMayBeADirectory) {
  const Nginx server(served_.path(), certificates_.of_server("server"));
  const std::string directory = served_ / "authorities";
  std::filesystem::create_directory(directory);
  std::filesystem::copy(certificates_.file("ca.pem"), directory);
  const std::string options = "cacert=" + directory;
  {
    const Mount mount(manifest(server), options);
    EXPECT_EQ(read_at(mount / "g", 0, 4096, O_DIRECT).error, EACCES) << "it is not prepared";
  }
  const Outcome prepared = run({"openssl", "rehash", directory});
  ASSERT_TRUE(prepared.ok()) << prepared.all();
  const Mount mount(manifest(server), options);
  EXPECT_TRUE(Body("/f", 0).matches(0, kSize, mount.text("f"))) << mount.log();
  EXPECT_TRUE(Body("/g", 0).matches(0, kSize, mount.text("g"))) << mount.log();
}

TEST_F(Tls, AnAuthorityThatIsNotThereRefusesTheMount) {
  const Nginx server(served_.path());
  const std::string list = served_.write("m", manifest(server).text());
  const Outcome outcome = run({skimfs(), list, served_ / "mnt", "-o", "cacert=/no/such/file"});
  EXPECT_EQ(outcome.ending, 1) << outcome.all();
  EXPECT_NE(outcome.err.find("cacert=/no/such/file"), std::string::npos) << outcome.all();
}

// S-SEC-1: a connection that was made with a certificate carries no request of somebody else.
TEST_F(Tls, AClientCertificateIsShownByItsProfileOnly) {
  const Nginx server(served_.path(), certificates_.of_server("server") +
                                         "ssl_verify_client optional; " +
                                         "ssl_client_certificate " + certificates_.file("ca.pem") +
                                         "; " + "location /private { alias " + served_.path() +
                                         "; if ($ssl_client_verify != SUCCESS) { return 403; } }");
  const std::string conf = certificates_.write(
      "auth.conf", "[p]\nmatch = " + server.base() + "/private/\ncertificate = client.pem\n" +
                       "key = client.key\n");
  const Mount mount(Manifest(server.base())
                        .line("/with\t300000\t-\t-\t" + server.base() + "/private/f\tauth=p")
                        .line("/without\t300000\t-\t-\t" + server.base() + "/private/g")
                        .file("/f", kSize),
                    "auth_file=" + conf + ",cacert=" + certificates_.file("ca.pem"));
  EXPECT_TRUE(Body("/f", 0).matches(0, kSize, mount.text("f")));
  EXPECT_TRUE(Body("/f", 0).matches(0, kSize, mount.text("with")));
  EXPECT_EQ(read_at(mount / "without", 0, 4096, O_DIRECT).error, EACCES);
  EXPECT_TRUE(await_fetch(mount, "connections_opened", 2));
}

// A server that believes the client of one name only, and a profile that shows `client`.
class ClientCertificate : public Tls {
 protected:
  std::string believes(const std::string& name) const {
    return certificates_.of_server("server") + "ssl_verify_client optional; " +
           "ssl_client_certificate " + certificates_.file("ca.pem") +
           "; if ($ssl_client_s_dn != CN=" + name + ") { return 403; }";
  }
  std::string profile(const Nginx& server) const {
    return certificates_.write(
        "auth.conf",
        "[p]\nmatch = " + server.base() + "/\ncertificate = client.pem\n" + "key = client.key\n");
  }
  std::string options(const Nginx& server) const {
    return "auth=p,auth_file=" + profile(server) + ",cacert=" + certificates_.file("ca.pem");
  }
  // As a program does that renews certificates.
  void replace(const std::string& name, const std::string& with) const {
    std::filesystem::rename(certificates_.file(with), certificates_.file(name));
  }
};

// S-SEC-3: not the files, which each new connection had to find.
TEST_F(ClientCertificate, IsShownByNewConnectionsWithoutItsFiles) {
  const Nginx server(served_.path(), believes("client") + " keepalive_timeout 0;");
  const Mount mount(manifest(server), options(server));
  for (const char* name : {"client.pem", "client.key"})
    std::filesystem::remove(certificates_.file(name));
  EXPECT_TRUE(Body("/f", 0).matches(0, kSize, mount.text("f"))) << mount.log();
  EXPECT_TRUE(mount.await_log("act=keep-old-credentials", std::chrono::seconds(20)));
  EXPECT_TRUE(Body("/g", 0).matches(0, kSize, mount.text("g"))) << mount.log();
}

// The server knows the authority, not the one between.
TEST_F(ClientCertificate, IsShownWithItsChain) {
  const Outcome made = shell("cd " + certificates_.file("") + R"(
make() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -subj /CN=$1 -out $1.csr; }
sign() { openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -days 2 -out $1.pem -extfile ext; }
make between; echo basicConstraints=critical,CA:TRUE > ext; sign between ca
make client; echo basicConstraints=CA:FALSE > ext; sign client between
cat between.pem >> client.pem
)");
  ASSERT_TRUE(made.ok()) << made.all();
  const Nginx server(served_.path(), believes("client") + " ssl_verify_depth 2;");
  const Mount mount(manifest(server), options(server));
  EXPECT_TRUE(Body("/f", 0).matches(0, kSize, mount.text("f"))) << mount.log();
}

// S-SEC-3: nor does a connection, or a TLS session, of the old one go on with the new requests.
TEST_F(ClientCertificate, IsTheNewOneOnceItsKeyIsThereToo) {
  certificates_.issue("renewed", "DNS:client", "-days 2");
  const Nginx server(served_.path(), believes("renewed"));
  const Mount mount(manifest(server), options(server));
  EXPECT_EQ(read_at(mount / "f", 0, 10, O_DIRECT).error, EACCES) << "is another client";
  replace("client.pem", "renewed.pem");
  EXPECT_TRUE(mount.await_log("wanted\\x20the\\x20key\\x20of", std::chrono::seconds(20)))
      << mount.log();
  replace("client.key", "renewed.key");
  const auto believed = [&] { return read_at(mount / "f", 0, 10, O_DIRECT).error == 0; };
  EXPECT_TRUE(until(believed, std::chrono::seconds(20))) << mount.log();
}

// S-SEC-2
TEST_F(ClientCertificate, WithAnEncryptedKeyRefusesTheMountAndAsksNobody) {
  const Nginx server(served_.path(), believes("client"));
  const Outcome made = shell("cd " + certificates_.file("") +
                             "; openssl pkey -in client.key -aes128 -passout pass:canary -out e; " +
                             "chmod 600 e; mv e client.key");
  ASSERT_TRUE(made.ok()) << made.all();
  const std::string list = served_.write("m", manifest(server).text());
  std::filesystem::create_directory(served_ / "mnt");
  const Outcome outcome = run({skimfs(), list, served_ / "mnt", "-o", options(server)});
  EXPECT_EQ(outcome.ending, 1) << outcome.all();
  EXPECT_NE(outcome.err.find("client.key: wanted a key without pass phrase"), std::string::npos)
      << outcome.all();
}

// S-TLS-2
TEST_F(Tls, AProxyIsAskedWhereOneIsGiven) {
  HostileOrigin proxy;
  proxy.add("http://files.invalid/f", kSize);
  const Mount mount(Manifest("http://files.invalid").file("/f", kSize), "proxy=" + proxy.base());
  EXPECT_TRUE(proxy.body("http://files.invalid/f").matches(0, kSize, mount.text("f")));
}

// S-TLS-2: to GET for http, to CONNECT for https.
class ProxyRefuses : public Tls, public ::testing::WithParamInterface<int> {
 protected:
  const std::string answer_ = "HTTP/1.1 " + std::to_string(GetParam()) +
                              " No\r\nProxy-Authenticate: Basic realm=\"x\"\r\n" +
                              "Content-Length: 0\r\nConnection: close\r\n\r\n";
};

TEST_P(ProxyRefuses, IsDeniedAtOnceAndNotGoneAround) {
  for (const std::string scheme : {"http://", "https://"}) {
    HostileOrigin origin;
    const Speaker proxy(answer_);
    const Mount mount(Manifest(scheme + "127.0.0.1:" + std::to_string(origin.port()))
                          .file("/f", kSize)
                          .file("/g", {}),
                      "proxy=http://" + proxy.address());
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(read_at(mount / "f", 0, 4096, O_DIRECT).error, EACCES) << scheme;
    EXPECT_EQ(read_at(mount / "g", 0, 4096, O_DIRECT).error, EACCES) << scheme;
    EXPECT_LT(std::chrono::steady_clock::now() - before, kAtOnce);
    EXPECT_EQ(proxy.connections(), 2u);
    EXPECT_EQ(origin.connections().total, 0u);
    EXPECT_EQ(of_fetch(mount, "retries"), 0u);
    const bool told = scheme == "http://" && GetParam() == 403
                          ? mount.await_log("ev=auth", std::chrono::seconds(20))
                          : mount.await_log("ev=proxy_denied", std::chrono::seconds(20));
    EXPECT_TRUE(told) << mount.log();
  }
}

INSTANTIATE_TEST_SUITE_P(Statuses, ProxyRefuses, ::testing::Values(403, 407));

// S-TLS-2, S-NET-1
TEST_F(Tls, AProxyThatIsAwayIsAServerThatIsAway) {
  HostileOrigin origin, proxy;
  origin.add("/f", kSize);
  proxy.add(origin.url("/f"), kSize);
  proxy.stop_listening();
  const Mount mount(Manifest(origin.base()).file("/f", kSize), "timeout=2,proxy=" + proxy.base());
  const int error = read_at(mount / "f", 0, 4096, O_DIRECT).error;
  EXPECT_TRUE(error == EIO || error == ETIMEDOUT) << error;
  EXPECT_TRUE(mount.await_log("ev=connect_fail", std::chrono::seconds(20))) << mount.log();
  proxy.listen_again();
  const Body body = proxy.body(origin.url("/f"));
  const auto found_again = [&] { return body.matches(0, kSize, mount.text("f")); };
  EXPECT_TRUE(until(found_again, std::chrono::seconds(20))) << mount.log();
  EXPECT_EQ(origin.connections().total, 0u) << "nobody went around it";
}

// Of a record of TLS some may stay behind where a block ends, and the socket shows nothing of it.
TEST_F(Tls, APlainServerIsReadThroughAProxyThatSpeaksTls) {
  constexpr std::uint64_t kLarge = 3'000'000;
  served_.write("large", Body("/large", 0).text(0, kLarge));
  const Nginx proxy(served_.path(), certificates_.of_server("server"));
  const Mount mount(Manifest("http://files.example").file("/large", kLarge),
                    "cacert=" + certificates_.file("ca.pem") + ",proxy=" + proxy.base());
  EXPECT_TRUE(Body("/large", 0).matches(0, kLarge, mount.text("large")));
  EXPECT_TRUE(await_fetch(mount, "bytes_received", kLarge));
  EXPECT_EQ(of_fetch(mount, "errors"), 0u);
}

// S-TLS-2
TEST_F(Tls, AProxyPassesTlsThrough) {
  const Nginx server(served_.path(), certificates_.of_server("server"));
  const Process proxy({"python3", "-u", "-c", R"(
import select, socket, threading
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
def serve(client):
    head = b""
    while b"\r\n\r\n" not in head: head += client.recv(65536)
    method, target = head.split()[:2]
    assert method == b"CONNECT", head
    host, port = target.decode().rsplit(":", 1)
    server = socket.create_connection((host, int(port)))
    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    ends = {client: server, server: client}
    while True:
        for end in select.select(list(ends), [], [])[0]:
            data = end.recv(65536)
            if not data: return
            ends[end].sendall(data)
while True: threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
)"},
                      served_ / "port");
  std::string port;
  for (int i = 0; i < 200 && !port.ends_with('\n'); ++i) {
    ::usleep(50'000);
    port = contents(served_ / "port");
  }
  ASSERT_TRUE(port.ends_with('\n'));
  port.pop_back();
  const Mount mount(manifest(server), "timeout=10,cacert=" + certificates_.file("ca.pem") +
                                          ",proxy=http://127.0.0.1:" + port);
  const auto got = read_at(mount / "f", 0, 4096, O_DIRECT);
  EXPECT_EQ(got.error, 0) << mount.log();
  EXPECT_TRUE(Body("/f", 0).matches(0, kSize, mount.text("f")));
}

}  // namespace
}  // namespace skimfs::test
