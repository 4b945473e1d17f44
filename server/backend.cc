// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/backend.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "common/event_codec.h"
#include "common/messages.h"
#include "server/etcd/etcd_election.h"
#include "server/etcd/etcd_store.h"
#include "server/etcd/follower.h"
#include "server/etcd/grpc_client.h"
#include "server/etcd/lease_file.h"
#include "server/etcd/posted.h"
#include "server/etcd/posting.h"
#include "server/store/file_lock.h"
#include "server/store/sqlite_store.h"

namespace crnpd {
namespace {

// One file on this machine; the lock beside it elects.
class SqliteBackend final : public Backend {
public:
    explicit SqliteBackend(const config::StoreSettings& settings)
        : path_(settings.path.native()), election_(path_) {}

    store::Election& election() noexcept override { return election_; }
    std::unique_ptr<store::RegistrationStore> openStore(store::Term) override {
        store::SqliteOptions options;
        options.path = path_;
        return std::make_unique<store::SqliteStore>(std::move(options));
    }
    std::chrono::milliseconds commitLimit() const noexcept override { return std::chrono::seconds{10}; }
    const std::string& name() const noexcept override { return path_; }

private:
    std::string path_;
    store::FileLock election_;
};

// The first line, because editors end a file with a line feed.
Result<std::string> readPassword(const std::filesystem::path& file) {
    std::string password;
    if (file.empty() || std::getline(std::ifstream(file), password)) return password;
    return Error{ErrorCode::io, fmt::format("{}: cannot read a password from it", file.native())};
}

Result<std::unique_ptr<etcd::GrpcClient>> connect(const config::EtcdSettings& settings) {
    auto tls = etcd::readTls(settings.caFile, settings.certFile, settings.keyFile);
    if (!tls) return tls.error();
    auto password = readPassword(settings.passwordFile);
    if (!password) return password.error();
    etcd::GrpcClient::Options options;
    std::ranges::transform(settings.endpoints, std::back_inserter(options.endpoints),
                           [secure = settings.isSecure()](const auto& endpoint) {
                               return (secure ? "https://" : "http://") + endpoint.hostAndPort();
                           });
    options.attemptTime = settings.attemptTime;
    options.tls = std::move(*tls);
    options.username = settings.username;
    options.password = std::move(*password);
    return etcd::GrpcClient::create(std::move(options));
}

std::string nameOfThisProcess() {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    return fmt::format("process {} on {}", ::getpid(), host.data());
}

// A key under a lease elects; a standby holds a copy of the rows ready.
class EtcdBackend final : public Backend {
public:
    EtcdBackend(const config::Settings& settings, std::unique_ptr<etcd::GrpcClient> client)
        : settings_(settings.store.etcd),
          name_(settings.store.place()),
          client_(std::move(client)),
          election_(*client_, *client_, *client_, clock_, electionOptions(settings)),
          follower_(*client_, *client_, {.keys = etcd::Keys(settings_.prefix)}) {
        follower_.start();
    }

    store::Election& election() noexcept override { return election_; }
    std::unique_ptr<store::RegistrationStore> openStore(store::Term term) override {
        etcd::EtcdStore::Options options;
        options.prefix = settings_.prefix;
        options.patience = settings_.commitLimit;
        return std::make_unique<LeadersStore>(*client_, clock_, term, std::move(options), follower_);
    }
    std::chrono::milliseconds commitLimit() const noexcept override { return settings_.commitLimit; }
    std::optional<Copy> copy() const override {
        const auto status = follower_.status();
        return Copy{status.isComplete, status.clients, status.batch, status.trouble};
    }
    const std::string& name() const noexcept override { return name_; }
    std::shared_ptr<source::Publisher> poster() override {
        return std::make_shared<StandbysPublisher>(*client_, clock_, etcd::Keys(settings_.prefix));
    }
    std::unique_ptr<Posts> watchPosts(store::Term term, const OnPost& onPost) override {
        return std::make_unique<EtcdPosts>(*client_, clock_, etcd::Keys(settings_.prefix), term, onPost);
    }

private:
    class StandbysPublisher final : public source::Publisher {
    public:
        StandbysPublisher(etcd::KeyValue& etcd, const Clock& clock, etcd::Keys keys)
            : posting_(etcd, clock, std::move(keys), {}) {}
        Result<Sequence> publish(Event event) override { return posting_.post(encodeEvent(event)); }

    private:
        etcd::Posting posting_;
    };

    class EtcdPosts final : public Posts {
    public:
        EtcdPosts(etcd::GrpcClient& etcd, const Clock& clock, etcd::Keys keys, store::Term term,
                  const OnPost& onPost)
            : posted_(etcd, etcd, clock, std::move(keys), term, onPost, {}) {}
        void refuse(const std::string& post) noexcept override { posted_.refuse(post); }

    private:
        etcd::Posted posted_;
    };

    // The copy was given to it; when its term is over a new one is begun.
    class LeadersStore final : public etcd::EtcdStore {
    public:
        LeadersStore(etcd::KeyValue& etcd, const Clock& clock, store::Term term, Options options,
                     etcd::Follower& follower)
            : EtcdStore(etcd, clock, term, std::move(options), &follower), follower_(follower) {}
        LeadersStore(const LeadersStore&) = delete;
        LeadersStore& operator=(const LeadersStore&) = delete;
        ~LeadersStore() override {
            try {
                follower_.start();
            } catch (const std::exception& fault) {  // no thread to be had: a takeover reads everything then
                log(msg::copyReadAnew, fault.what());
            }
        }

        Result<Snapshot> load() noexcept override {
            auto snapshot = EtcdStore::load();
            follower_.stop();  // also where the copy was not taken
            return snapshot;
        }

    private:
        etcd::Follower& follower_;
    };

    static etcd::EtcdElection::Options electionOptions(const config::Settings& settings) {
        etcd::EtcdElection::Options options;
        options.keys = etcd::Keys(settings.store.etcd.prefix);
        options.self = {nameOfThisProcess(), settings.listen.front().text()};
        options.leaseTime = settings.store.etcd.lease;
        options.seize = settings.store.etcd.takeover == config::Takeover::seize;
        options.leaseFile = leaseFile(settings);
        return options;
    }

    const config::EtcdSettings settings_;
    const std::string name_;
    SystemClock clock_;
    std::unique_ptr<etcd::GrpcClient> client_;
    etcd::EtcdElection election_;
    etcd::Follower follower_;
};

}  // namespace

std::unique_ptr<Backend> Backend::make(const config::Settings& settings) {
    if (settings.store.kind == config::StoreKind::sqlite)
        return std::make_unique<SqliteBackend>(settings.store);
    auto client = connect(settings.store.etcd);
    if (!client) throw std::runtime_error(client.error().text);
    return std::make_unique<EtcdBackend>(settings, std::move(*client));
}

std::string Backend::Copy::text() const {
    if (!isComplete) return fmt::format("no copy held ready{}{}", trouble.empty() ? "" : ": ", trouble);
    return fmt::format("{} clients held ready, revision {}{}{}", clients, batch, trouble.empty() ? "" : "; ",
                       trouble);
}

std::filesystem::path leaseFile(const config::Settings& settings) {
    return settings.control.socket.native() + ".lease";
}

Result<bool> revokeLease(const config::Settings& settings) {
    if (settings.store.kind != config::StoreKind::etcd) return false;
    auto client = connect(settings.store.etcd);
    if (!client) return client.error();
    // The member beside the server that has died may have died with it: each is asked.
    for (auto left = settings.store.etcd.endpoints.size();; --left) {
        const auto revoked = etcd::revokeLeaseInFile(**client, leaseFile(settings));
        if (revoked) return *revoked;
        if (revoked.error().code != ErrorCode::busy || left <= 1) return revoked.error();
    }
}

}  // namespace crnpd
