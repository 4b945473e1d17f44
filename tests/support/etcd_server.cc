// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/support/etcd_server.h"

#include <array>
#include <csignal>
#include <cstdio>
#include <thread>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/unique_fd.h"

namespace crnpd::etcd {
namespace {

// `output` takes what the process writes; below 0 nothing does.
pid_t spawn(const std::vector<std::string>& command, int output) {
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    for (const auto& word : command)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    const int nothing = ::open("/dev/null", O_RDWR);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(output < 0 ? nothing : output, STDOUT_FILENO);
    ::dup2(output < 0 ? nothing : output, STDERR_FILENO);
    ::execvp(arguments.front(), arguments.data());
    ::_exit(127);
}

// Free at the moment; etcd wants its ports in advance.
std::string freePort() {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(socket.fd(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    return std::to_string(ntohs(address.sin_port));
}

}  // namespace

std::optional<std::string> outputOf(const std::vector<std::string>& command) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const UniqueFd reading(ends[0]);
    UniqueFd writing(ends[1]);
    const pid_t pid = spawn(command, writing.fd());
    writing.reset();
    std::string output;
    std::array<char, 4096> buffer{};
    for (ssize_t got = 0; (got = ::read(reading.fd(), buffer.data(), buffer.size())) > 0;)
        output.append(buffer.data(), static_cast<std::size_t>(got));
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
    ADD_FAILURE() << command.front() << " " << (command.size() > 1 ? command[1] : "") << ": " << output;
    return std::nullopt;
}

bool eventually(const std::function<bool()>& isSo, std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!isSo()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

Certificates::Certificates(const store::StoreFolder& folder, const std::string& name)
    : ca(folder / (name + "-ca.pem")), certificate(folder / (name + ".pem")), key(folder / (name + ".key")) {
    const auto caKey = folder / (name + "-ca.key");
    const auto request = folder / (name + ".csr");
    const auto names = folder / (name + ".ext");
    store::writeContent(names, "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n");
    const std::vector<std::string> newKey{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                                          "-nodes"};
    std::vector<std::string> authority{"openssl",           "req",     "-x509", "-days", "2", "-subj",
                                       "/CN=ca of " + name, "-keyout", caKey,   "-out",  ca};
    authority.insert(authority.end(), newKey.begin(), newKey.end());
    outputOf(authority);
    std::vector<std::string> asking{"openssl", "req", "-subj", "/CN=" + name,
                                    "-keyout", key,   "-out",  request};
    asking.insert(asking.end(), newKey.begin(), newKey.end());
    outputOf(asking);
    outputOf({"openssl", "x509", "-req", "-days", "2", "-in", request, "-CA", ca, "-CAkey", caKey,
              "-CAcreateserial", "-extfile", names, "-out", certificate});
}

bool EtcdServer::isInstalled() {
    return ::access("/usr/bin/etcd", X_OK) == 0 && ::access("/usr/bin/etcdctl", X_OK) == 0;
}

EtcdServer::EtcdServer(Options options) : options_(std::move(options)), members_(options_.members) {
    for (auto& member : members_)
        member = {freePort(), freePort(), 0};
    for (std::size_t member = 0; member < members_.size(); ++member)
        start(member);
    for (std::size_t member = 0; member < members_.size(); ++member) {
        EXPECT_TRUE(eventually([&] { return answers(member); }))
            << store::contentOf(folder_ / fmt::format("n{}.log", member));
    }
    if (!options_.user.empty()) enableUsers();
}

EtcdServer::~EtcdServer() {
    for (std::size_t member = 0; member < members_.size(); ++member)
        kill(member);
}

std::string EtcdServer::endpoint(std::size_t member) const {
    return "127.0.0.1:" + members_[member].clientPort;
}

std::vector<std::string> EtcdServer::endpoints() const {
    std::vector<std::string> all;
    for (std::size_t member = 0; member < members_.size(); ++member)
        all.push_back((options_.tls != nullptr ? "https://" : "") + endpoint(member));
    return all;
}

GrpcClient::Options EtcdServer::client() const {
    GrpcClient::Options options;
    options.endpoints = endpoints();
    options.attemptTime = std::chrono::seconds{5};
    options.username = options_.user;
    options.password = options_.password;
    if (options_.tls == nullptr) return options;
    auto tls = readTls(options_.tls->ca, options_.tls->certificate, options_.tls->key);
    EXPECT_TRUE(tls) << tls.error().text;
    if (tls) options.tls = *tls;
    return options;
}

std::unique_ptr<GrpcClient> EtcdServer::connect() const {
    auto client = GrpcClient::create(this->client());
    EXPECT_TRUE(client) << client.error().text;
    return std::move(*client);
}

std::vector<std::string> EtcdServer::commandOf(std::size_t member) const {
    const auto& own = members_[member];
    const auto scheme = options_.tls != nullptr ? "https" : "http";
    const auto clientUrl = fmt::format("{}://127.0.0.1:{}", scheme, own.clientPort);
    const auto peerUrl = fmt::format("http://127.0.0.1:{}", own.peerPort);
    std::string cluster;
    for (std::size_t other = 0; other < members_.size(); ++other)
        cluster +=
            fmt::format("{}n{}=http://127.0.0.1:{}", other == 0 ? "" : ",", other, members_[other].peerPort);
    std::vector<std::string> command{"etcd",
                                     fmt::format("--name=n{}", member),
                                     "--data-dir=" + (folder_ / fmt::format("n{}", member)),
                                     "--listen-client-urls=" + clientUrl,
                                     "--advertise-client-urls=" + clientUrl,
                                     "--listen-peer-urls=" + peerUrl,
                                     "--initial-advertise-peer-urls=" + peerUrl,
                                     "--initial-cluster=" + cluster,
                                     fmt::format("--heartbeat-interval={}", options_.heartbeat),
                                     fmt::format("--election-timeout={}", options_.election)};
    if (options_.tls != nullptr) {
        command.insert(command.end(),
                       {"--cert-file=" + options_.tls->certificate, "--key-file=" + options_.tls->key,
                        "--client-cert-auth", "--trusted-ca-file=" + options_.tls->ca});
    }
    command.insert(command.end(), options_.more.begin(), options_.more.end());
    return command;
}

void EtcdServer::start(std::size_t member) {
    const auto path = folder_ / fmt::format("n{}.log", member);
    const UniqueFd log(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    members_[member].pid = spawn(commandOf(member), log.fd());
}

bool EtcdServer::answers(std::size_t member) const {
    auto options = client();
    options.endpoints = {endpoints()[member]};
    options.username.clear();
    options.attemptTime = std::chrono::seconds{1};
    const auto probe = GrpcClient::create(std::move(options));
    const auto status = (*probe)->status();
    return status && status->knowsLeader;
}

void EtcdServer::kill(std::size_t member) {
    auto& pid = members_[member].pid;
    if (pid <= 0) return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = 0;
}

void EtcdServer::restart(std::size_t member) {
    kill(member);
    start(member);
    EXPECT_TRUE(eventually([&] { return answers(member); }));
}

void EtcdServer::pause(std::size_t member) {
    ::kill(members_[member].pid, SIGSTOP);
}

void EtcdServer::resume(std::size_t member) {
    ::kill(members_[member].pid, SIGCONT);
}

std::optional<std::string> EtcdServer::etcdctl(const std::vector<std::string>& arguments) const {
    std::vector<std::string> command{"env", "ETCDCTL_API=3", "etcdctl", "--endpoints=" + endpoints().front()};
    if (options_.tls != nullptr) {
        command.insert(command.end(), {"--cacert=" + options_.tls->ca, "--cert=" + options_.tls->certificate,
                                       "--key=" + options_.tls->key});
    }
    command.insert(command.end(), arguments.begin(), arguments.end());
    return outputOf(command);
}

void EtcdServer::enableUsers() {
    etcdctl({"user", "add", "root:root"});
    etcdctl({"role", "add", "crnpd"});
    etcdctl({"role", "grant-permission", "crnpd", "readwrite", "--prefix=true", "/crnpd"});
    etcdctl({"user", "add", options_.user + ":" + options_.password});
    etcdctl({"user", "grant-role", options_.user, "crnpd"});
    etcdctl({"auth", "enable"});
}

}  // namespace crnpd::etcd
