// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/watch_call.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "server/etcd/wire.h"

namespace crnpd::etcd {
namespace {

std::vector<Event> eventsOf(etcdserverpb::WatchResponse& response) {
    std::vector<Event> events;
    events.reserve(static_cast<std::size_t>(response.events_size()));
    for (auto& change : *response.mutable_events()) {
        auto row = wire::fromWire(std::move(*change.mutable_kv()));
        Event event{row.modified, row.key, std::nullopt};
        if (change.type() == etcdserverpb::Event::PUT) event.row = std::move(row);
        events.push_back(std::move(event));
    }
    return events;
}

}  // namespace

WatchCall::WatchCall(Member& member, const std::string& token, std::chrono::milliseconds attemptTime)
    : member_(member), attemptTime_(attemptTime) {
    if (!token.empty()) context_.AddMetadata("token", token);
    // etcd's word for: end this stream as soon as you are cut off from the others.
    context_.AddMetadata("hasleader", "true");
}

WatchCall::~WatchCall() {
    (void)end();
}

Result<void> WatchCall::run(const std::string& prefix, Revision from, const Watches::OnEvents& onEvents,
                            const std::stop_token& stop) {
    auto& creation = *creation_.mutable_create_request();
    creation.set_key(prefix);
    creation.set_range_end(wire::endOf(prefix));
    creation.set_start_revision(from);
    creation.set_progress_notify(true);

    stream_ = member_.watch->PrepareAsyncWatch(&context_, &queue_);
    begin(Step::start);
    stream_->StartCall(tagOf(Step::start));
    Verdict verdict;
    {
        const std::stop_callback cancel(stop, [this] { context_.TryCancel(); });
        while (!verdict && !isBroken_ && !stop.stop_requested())
            verdict = next(onEvents);
    }
    const auto status = end();
    if (stop.stop_requested()) return {};
    if (verdict) return *verdict;
    if (status.ok()) return Error{ErrorCode::busy, fmt::format("etcd at {} ended the watch", member_.name)};
    return wire::meaningOf(status, member_.name);
}

void WatchCall::begin(Step step) {
    ++begun_;
    if (step == Step::write) isWriting_ = true;
}

WatchCall::Verdict WatchCall::next(const Watches::OnEvents& onEvents) {
    void* tag = nullptr;
    bool isDone = false;
    const auto until = std::chrono::system_clock::now() + attemptTime_;
    if (queue_.AsyncNext(&tag, &isDone, until) != grpc::CompletionQueue::GOT_EVENT) return onNothing();
    --begun_;
    if (!isDone) {
        isBroken_ = true;
        return {};
    }
    return onDone(*static_cast<const Step*>(tag), onEvents);
}

WatchCall::Verdict WatchCall::onDone(Step step, const Watches::OnEvents& onEvents) {
    switch (step) {
        case Step::start:
            isStarted_ = true;
            send(creation_);
            break;
        case Step::write:
            isWriting_ = false;
            return {};
        case Step::read:
            if (auto verdict = onResponse(onEvents)) return verdict;
            break;
        case Step::finish:
            return {};
    }
    response_.Clear();
    begin(Step::read);
    stream_->Read(&response_, tagOf(Step::read));
    return {};
}

WatchCall::Verdict WatchCall::onResponse(const Watches::OnEvents& onEvents) {
    heard_ = Clock::now();
    if (response_.compact_revision() != 0)
        return Error{ErrorCode::notFound,
                     fmt::format("etcd at {} has compacted away what was before revision {}", member_.name,
                                 response_.compact_revision())};
    if (response_.canceled()) {
        const bool isRefusal = response_.created();
        return Error{isRefusal ? ErrorCode::io : ErrorCode::busy,
                     fmt::format("etcd at {} {} the watch: {}", member_.name, isRefusal ? "refused" : "ended",
                                 response_.cancel_reason())};
    }
    if (response_.events_size() > 0) onEvents(eventsOf(response_));
    return {};
}

// Nothing came for a while: asks for a sign of life, or gives up.
WatchCall::Verdict WatchCall::onNothing() {
    if (Clock::now() - heard_ >= 3 * attemptTime_)
        return Error{ErrorCode::busy, fmt::format("etcd at {}: silent on a watch", member_.name)};
    if (!isStarted_ || isWriting_) return {};
    etcdserverpb::WatchRequest ask;
    (void)ask.mutable_progress_request();
    send(ask);
    return {};
}

void WatchCall::send(const etcdserverpb::WatchRequest& request) {
    begin(Step::write);
    stream_->Write(request, tagOf(Step::write));
}

grpc::Status WatchCall::end() {
    grpc::Status status;
    if (!stream_) return status;
    // Where the stream has ended by itself its status is what tells why.
    if (!isBroken_) context_.TryCancel();
    void* tag = nullptr;
    bool isDone = false;
    for (; begun_ > 0 && queue_.Next(&tag, &isDone); --begun_) {
    }
    stream_->Finish(&status, tagOf(Step::finish));
    (void)queue_.Next(&tag, &isDone);
    queue_.Shutdown();
    while (queue_.Next(&tag, &isDone)) {
    }
    stream_.reset();
    return status;
}

}  // namespace crnpd::etcd
