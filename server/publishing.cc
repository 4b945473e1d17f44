// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/publishing.h"

#include <future>
#include <mutex>
#include <optional>
#include <string>

#include "server/serving.h"

namespace crnpd {

// The promise is shared, because the answer may come after we have given up waiting.
Result<Sequence> CommittedPublisher::publish(Event event) {
    auto answer = std::make_shared<std::promise<Result<Sequence>>>();
    auto future = answer->get_future();
    serving_->committer().publish(
        std::make_shared<const Event>(std::move(event)), std::nullopt,
        [answer](const Result<Sequence>& published) { answer->set_value(published); });
    if (future.wait_for(patience) == std::future_status::ready) return future.get();
    return Error{ErrorCode::superseded,
                 "it is not known whether the event was published: the commit has taken more than " +
                     std::to_string(patience.count()) + " s; look with crnpctl events, and at the disk"};
}

struct PostedEvents::Office {
    std::mutex mutex;
    Posts* posts = nullptr;

    // The event's own fault, or the store's, which the next leader would find just so. Everything else says
    // that this server is leaving or does not know: the next leader finds the post and decides.
    static bool isRefusal(const Error& reason) {
        return reason.code == ErrorCode::noSpace || reason.code == ErrorCode::io;
    }

    void settle(const std::string& post, const Result<Sequence>& published) {
        if (published || !isRefusal(published.error())) return;
        const std::scoped_lock lock(mutex);
        if (posts != nullptr) posts->refuse(post);
    }
};

PostedEvents::PostedEvents(Backend& backend, store::Term term, const std::shared_ptr<Serving>& serving)
    : office_(std::make_shared<Office>()) {
    // Held while the first posts may come already.
    const std::scoped_lock lock(office_->mutex);
    posts_ = backend.watchPosts(
        term, [office = office_, serving](const std::string& post, std::shared_ptr<const Event> event) {
            serving->committer().publish(
                std::move(event), post,
                [office, post](const Result<Sequence>& published) { office->settle(post, published); });
        });
    office_->posts = posts_.get();
}

PostedEvents::~PostedEvents() {
    const std::scoped_lock lock(office_->mutex);
    office_->posts = nullptr;
}

}  // namespace crnpd
