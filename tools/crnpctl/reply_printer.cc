// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/reply_printer.h"

#include <ostream>
#include <string>

#include <nlohmann/json.hpp>

#include "tools/crnpctl/printable.h"

namespace crnpd::crnpctl {

void printReply(std::ostream& out, const FinalReply& reply, ReplyForm form) {
    switch (form) {
        case ReplyForm::text:
            out << name(reply.reply.code);
            if (!reply.reply.text.empty()) out << ": " << printable(reply.reply.text);
            break;
        case ReplyForm::xml:
            out << reply.document;
            if (reply.document.ends_with('\n')) return;
            break;
        case ReplyForm::json: {
            const nlohmann::json object{{"status", name(reply.reply.code)}, {"message", reply.reply.text}};
            // Broken UTF-8 must not make dump() throw.
            out << object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
            break;
        }
    }
    out << '\n';
}

}  // namespace crnpd::crnpctl
