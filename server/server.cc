// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <csignal>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/messages.h"
#include "common/version.h"
#include "server/config/load.h"

namespace crnpd {
namespace {

constexpr std::chrono::milliseconds tickTime{1000};

// Descriptors that are not connections: store, sockets, log, control socket, a margin.
constexpr rlim_t otherDescriptors = 128;

logging::Options loggingOptionsOf(const config::LogSettings& settings) {
    logging::Options options;
    switch (settings.level) {
        case config::LogLevel::trace:
            options.level = spdlog::level::trace;
            break;
        case config::LogLevel::debug:
            options.level = spdlog::level::debug;
            break;
        case config::LogLevel::info:
            options.level = spdlog::level::info;
            break;
        case config::LogLevel::warn:
            options.level = spdlog::level::warn;
            break;
        case config::LogLevel::error:
            options.level = spdlog::level::err;
            break;
    }
    switch (settings.target.kind) {
        case config::LogTarget::Kind::automatic:
            options.target = logging::Target::automatic;
            break;
        case config::LogTarget::Kind::journal:
            options.target = logging::Target::journal;
            break;
        case config::LogTarget::Kind::standardError:
            options.target = logging::Target::standardError;
            break;
        case config::LogTarget::Kind::file:
            options.target = logging::Target::file;
            break;
    }
    options.file = settings.target.file;
    options.json = settings.format == config::LogFormat::json;
    return options;
}

std::shared_ptr<const access::AccessList> accessListOf(const config::Settings& settings,
                                                       std::vector<Network> local) {
    return std::make_shared<const access::AccessList>(settings.allowHosts, settings.denyHosts,
                                                      std::move(local));
}

std::string textOf(const std::vector<Network>& networks) {
    std::vector<std::string> texts;
    texts.reserve(networks.size());
    for (const auto& network : networks)
        texts.push_back(network.text());
    return fmt::format("{}", fmt::join(texts, ", "));
}

// What a setting that waits for the next start says is not in force: it keeps its running value.
config::Settings withRunning(config::Settings wanted, const config::Settings& running) {
    wanted.workers = running.workers;
    wanted.store = running.store;
    wanted.control = running.control;
    return wanted;
}

}  // namespace

Server::Server(std::filesystem::path configFile, const config::Settings& settings)
    : configFile_(std::move(configFile)),
      state_(settings, accessListOf(settings, net::localNetworks())),
      logging_(clock_, loggingOptionsOf(settings.log)),
      localNetworks_(loop_, [this](std::vector<Network> networks) { onLocalNetworks(std::move(networks)); }),
      tick_(loop_, [this] { tick(); }),
      beat_(loop_, [this] { beat(); }),
      onTerm_(loop_, SIGTERM, [this] { stop("SIGTERM"); }),
      onInt_(loop_, SIGINT, [this] { stop("SIGINT"); }),
      onHup_(loop_, SIGHUP, [this] { reload(); }),
      backend_(Backend::make(settings)),
      failover_(
          backend_->election(), [this](store::Term term) { return backend_->openStore(term); },
          backend_->name(), *this, clock_),
      operations_(state_, failover_, *backend_, clock_),
      control_(operations_, xml_) {
    state_.setPublisher(backend_->poster());
}

Server::~Server() = default;

int Server::run() {
    log(msg::starting, version, ::getpid(), configFile_.string());
    raiseDescriptorLimit();
    // What has changed between the first look and the beginning of the watch.
    state_.setAccess(accessListOf(*state_.settings(), net::localNetworks()));
    openControlSocket();
    tick_.startRepeating(tickTime);
    if (const auto time = service::Notifier::watchdogTime()) beat_.startRepeating(*time / 4);
    failover_.start();
    loop_.run();
    failover_.join();
    control_.stop();
    log(msg::stopped, static_cast<std::uint64_t>(operations_.uptime().count()), repliesGiven_.load());
    return exitCode_;
}

// --- Duties ---------------------------------------------------------------------------------------------

Result<void> Server::takeOver(store::Term term, store::RegistrationStore& store, Snapshot snapshot) {
    const std::scoped_lock lock(changeMutex_);
    const auto settings = state_.settings();
    auto serving = std::make_shared<Serving>(
        clock_, xml_, store, std::move(snapshot), *settings, state_.access(),
        commit::Committer::Options{
            .outcomeLimit = backend_->commitLimit(),
            .superseded = [this](const std::string& reason) { failover_.lose(reason); }},
        backend_->election().stillLeading());
    state_.setServing(serving);
    if (const auto listening = serving->listen(settings->listen); !listening) return listening.error();
    state_.setPublisher(std::make_shared<CommittedPublisher>(serving));
    posted_ = std::make_unique<PostedEvents>(*backend_, term, serving);
    loop_.post([this] { tick(); });
    return {};
}

void Server::stepDown(failover::Manner manner) {
    state_.setPublisher(backend_->poster());
    const auto serving = state_.setServing(nullptr);
    // First of all: whoever leads by now may have removed a client that an event would be sent to.
    if (serving && manner == failover::Manner::superseded) serving->abandon();
    posted_.reset();
    if (!serving) return;
    serving->stop();
    const auto replies = serving->statistics().replies;
    repliesGiven_ += std::accumulate(replies.begin(), replies.end(), std::uint64_t{0});
}

void Server::onEnd(const std::optional<Error>& fault) {
    loop_.post([this, fault] {
        if (fault) {
            log(msg::cannotStart, fault->text);
            exitCode_ = 1;
        }
        loop_.stop();
    });
}

// --- the main thread --------------------------------------------------------------------------------------

void Server::stop(const std::string& reason) {
    log(msg::stopping, reason);
    stopping_ = true;
    notifier_.stopping();
    failover_.stop(reason);
}

void Server::reload() {
    // What stops neither listens anew nor is ready again.
    if (stopping_) return log(msg::reloadIgnored, configFile_.string());
    notifier_.reloading();
    const auto loaded = config::loadSettings(configFile_);
    auto problems = loaded.problems();
    if (loaded) problems = config::checkEnvironment(loaded.settings(), loaded.origin());
    if (problems.empty()) {
        if (const auto applied = apply(loaded.settings()); !applied)
            problems.push_back({configFile_, applied.error().text});
    }
    for (const auto& problem : problems)
        log(msg::reloadRefused, configFile_.string(), problem.line());
    if (problems.empty()) log(msg::reloaded, configFile_.string());
    notifier_.ready();
}

// All or nothing: what can fail comes first.
Result<void> Server::apply(const config::Settings& wanted) {
    const std::scoped_lock lock(changeMutex_);
    const auto running = state_.settings();
    const auto settings = withRunning(wanted, *running);
    const auto serving = state_.serving();
    if (serving) {
        if (auto listening = serving->listen(settings.listen); !listening) return listening;
    }
    const auto access = accessListOf(settings, net::localNetworks());
    state_.setSettings(settings);
    state_.setAccess(access);
    if (serving) {
        serving->apply(settings);
        serving->setAccess(access);
    }
    logging_.apply(loggingOptionsOf(settings.log));
    for (const auto& name : config::restartOnlyDifferences(*running, wanted))
        log(msg::restartNeeded, name);
    return {};
}

void Server::onLocalNetworks(std::vector<Network> networks) {
    log(msg::localNetworksChanged, textOf(networks));
    const std::scoped_lock lock(changeMutex_);
    const auto access = accessListOf(*state_.settings(), std::move(networks));
    state_.setAccess(access);
    if (const auto serving = state_.serving()) serving->setAccess(access);
}

void Server::openControlSocket() {
    const auto settings = state_.settings();
    const auto& socket = settings->control.socket;
    const auto started = control_.start(socket, settings->control.mode);
    const auto problem = started ? std::string{} : started.error().text;
    if (problem == controlProblemTold_ && !started) return;
    controlProblemTold_ = problem;
    if (started) {
        log(msg::controlListening, socket.string());
    } else {
        log(msg::controlUnavailable, socket.string(), problem);
    }
}

void Server::tick() {
    logging_.sumUp();
    if (!control_.isRunning()) openControlSocket();
    tellStatus();
}

void Server::tellStatus() {
    const auto role = failover_.role().role;
    const auto leader = role == failover::Role::standby ? failover_.leader() : std::string{};
    if (!leader.empty() && leader != leaderTold_) log(msg::waitingForLock, leader);
    leaderTold_ = leader;
    // A standby serves its role as soon as it knows that somebody else is active.
    const bool serves = role == failover::Role::active || !leader.empty();
    if (serves && !stopping_ && !std::exchange(readyTold_, true)) notifier_.ready();

    auto status = statusText();
    if (status == statusTold_) return;
    notifier_.status(status);
    statusTold_ = std::move(status);
}

std::string Server::statusText() {
    if (const auto serving = state_.serving()) {
        serving->committer().ask([this](const commit::View& view) {
            clients_ = view.registry.clients();
            revision_ = view.head;
        });
        return fmt::format("{}: {} clients, term {}, revision {}", name(failover_.role().role),
                           clients_.load(), failover_.term(), revision_.load());
    }
    auto text = failover_.whyNotActive();
    if (const auto copy = backend_->copy()) text += "; " + copy->text();
    return text;
}

void Server::beat() {
    const auto serving = state_.serving();
    const auto late = pulse_.beat(serving ? serving->members() : std::vector<service::Pulse::Member>{});
    for (const auto& thread : late)
        log(msg::threadStuck, thread.name, static_cast<std::uint64_t>(thread.since.count()));
    if (late.empty()) notifier_.alive();
}

void Server::raiseDescriptorLimit() const {
    const rlim_t wanted = state_.settings()->limits.connections + otherDescriptors;
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted) return;
    limit.rlim_cur = std::min(limit.rlim_max, wanted);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted) log(msg::fewDescriptors, limit.rlim_cur, wanted);
}

}  // namespace crnpd
