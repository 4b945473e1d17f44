// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/publishing.h"

#include <future>
#include <optional>
#include <utility>

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

}  // namespace crnpd
