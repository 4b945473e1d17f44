// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

// A real etcd for a test: its processes on ports and in a folder of their own. Whatever becomes of the test,
// they end with it. A test that cannot have one skips:
//
//     if (!EtcdServer::isInstalled()) GTEST_SKIP() << EtcdServer::whyNot;
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "server/etcd/grpc_client.h"
#include "tests/support/store_folder.h"

namespace crnpd::etcd {

// Runs a program to its end; what it wrote, or nothing if it failed.
std::optional<std::string> outputOf(const std::vector<std::string>& command);
// Waits until it is so, a good while.
bool eventually(const std::function<bool()>& isSo,
                std::chrono::milliseconds limit = std::chrono::seconds{20});

// A certificate authority of the test's own and a certificate for 127.0.0.1, as PEM files.
struct Certificates {
    explicit Certificates(const store::StoreFolder& folder, const std::string& name);

    std::string ca;
    std::string certificate;
    std::string key;
};

class EtcdServer {
public:
    struct Options {
        unsigned members = 1;
        const Certificates* tls = nullptr;
        std::string user;  // authentication is switched on, with this user beside root
        std::string password;
        unsigned heartbeat = 50;  // ms
        unsigned election = 500;
        std::vector<std::string> more;  // further arguments of etcd
    };
    static constexpr const char* whyNot = "etcd is not installed (Debian: etcd-server, etcd-client)";
    static bool isInstalled();

    // Returns when all members answer; fails the test otherwise.
    EtcdServer() : EtcdServer(Options{}) {}
    explicit EtcdServer(Options options);
    ~EtcdServer();
    EtcdServer(const EtcdServer&) = delete;
    EtcdServer& operator=(const EtcdServer&) = delete;

    [[nodiscard]] std::string endpoint(std::size_t member = 0) const;
    [[nodiscard]] std::vector<std::string> endpoints() const;
    // How a client reaches it, its user included; more patient than a server, for busy machines.
    [[nodiscard]] GrpcClient::Options client() const;
    [[nodiscard]] std::unique_ptr<GrpcClient> connect() const;

    void kill(std::size_t member = 0);     // SIGKILL
    void restart(std::size_t member = 0);  // as it was, with its data; returns when it answers
    void pause(std::size_t member = 0);    // SIGSTOP
    void resume(std::size_t member = 0);
    [[nodiscard]] pid_t pid(std::size_t member = 0) const { return members_[member].pid; }

    // What etcdctl wrote; nothing if it failed.
    std::optional<std::string> etcdctl(const std::vector<std::string>& arguments) const;

private:
    struct Member {
        std::string clientPort;
        std::string peerPort;
        pid_t pid = 0;
    };

    [[nodiscard]] std::vector<std::string> commandOf(std::size_t member) const;
    void start(std::size_t member);
    [[nodiscard]] bool answers(std::size_t member) const;
    void enableUsers();

    Options options_;
    store::StoreFolder folder_;
    std::vector<Member> members_;
};

}  // namespace crnpd::etcd
