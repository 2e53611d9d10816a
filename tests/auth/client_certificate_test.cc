// SPDX-License-Identifier: MIT
#include "fs/auth/client_certificate.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include "fs/auth/secret_file.h"
#include "tests/auth/pair.h"

namespace skimfs::test {
namespace {

using fs::auth::check_pair;
using fs::auth::SecretError;

const std::string kCertificatePath = "/c.pem";
const std::string kKeyPath = "/k.pem";

class ClientCertificate : public ::testing::Test {
 protected:
  static void check(const std::string& certificate, const std::string& key) {
    check_pair({kCertificatePath, certificate}, {kKeyPath, key});
  }
  // One line that begins with `path` and says `wanted`, `found` and what to do.
  static void refused(const std::string& certificate, const std::string& key,
                      const std::string& path, const std::string& found) {
    SCOPED_TRACE(found);
    try {
      check(certificate, key);
      ADD_FAILURE() << "was accepted";
    } catch (const SecretError& error) {
      const std::string said = error.what();
      EXPECT_TRUE(said.starts_with(path + ": wanted ")) << said;
      EXPECT_NE(said.find("found " + found), std::string::npos) << said;
      EXPECT_NE(said.find("; "), std::string::npos) << said;
      EXPECT_EQ(said.find('\n'), std::string::npos) << said;
    }
    EXPECT_EQ(ERR_peek_error(), 0u) << "the next transfer would be blamed";
  }

  const Pair own_, other_;
};

TEST_F(ClientCertificate, IsTakenWithItsKey) {
  EXPECT_NO_THROW(check(own_.certificate, own_.key));
  EXPECT_NO_THROW(check(own_.certificate + other_.certificate, own_.key)) << "with its chain";
  const std::string both = own_.key + own_.certificate;
  EXPECT_NO_THROW(check(both, both)) << "in one file";
  EXPECT_EQ(ERR_peek_error(), 0u);
}

// S-SEC-3
TEST_F(ClientCertificate, IsRefusedWithTheKeyOfAnother) {
  refused(own_.certificate, other_.key, kKeyPath, "another one");
  refused(other_.certificate + own_.certificate, own_.key, kKeyPath, "another one");
}

// S-SEC-3
TEST_F(ClientCertificate, IsRefusedWithAnEncryptedKeyAndNobodyIsAskedForItsPassPhrase) {
  for (const bool traditional : {false, true})
    refused(own_.certificate, own_.encrypted_key(traditional), kKeyPath, "an encrypted one");
}

TEST_F(ClientCertificate, IsRefusedWhereOneOfThemCannotBeRead) {
  const std::string cut = own_.certificate.substr(0, own_.certificate.size() / 2);
  for (const std::string& none : {std::string(), std::string("nothing"), own_.key, cut})
    refused(none, own_.key, kCertificatePath, "none");
  refused(own_.certificate + cut, own_.key, kCertificatePath, "a damaged one");
  for (const std::string& none :
       {std::string(), own_.certificate, own_.key.substr(0, own_.key.size() / 2)})
    refused(own_.certificate, none, kKeyPath, "none");
}

}  // namespace
}  // namespace skimfs::test
