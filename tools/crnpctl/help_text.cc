// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/help_text.h"

#include "tools/crnpctl/exit_status.h"

namespace crnpd::crnpctl {

std::string examplesHelp() {
    return R"(Examples:
  crnpctl register --port 2001 --event EC_Cluster
  crnpctl register --server crnp.example.com:9444 --port 2001 \
      --event EC_Cluster/ESC_cluster_membership \
      --event EC_Cluster/ESC_cluster_rg_state:rg_name=web-rg
  crnpctl add-events --port 2001 --event EC_Cluster/ESC_cluster_r_state:r_name=web
  crnpctl unregister --port 2001
  crnpctl send --attempts 1 message.xml
  crnpctl listen --port 2001 --event EC_Cluster
  crnpctl status
  crnpctl role && echo "active here"
  crnpctl step-down
  crnpctl clients --json
  crnpctl client show 192.0.2.7:2001
  crnpctl access test 192.0.2.7
  crnpctl publish --class EC_Cluster --subclass ESC_cluster_rg_state --pair rg_name=web-rg
  crnpctl events --most 5
  crnpctl dump --output registrations.dump
  crnpctl restore registrations.dump

Each command has its own --help.
)";
}

std::string eventSyntaxHelp() {
    return R"(Events:
  CLASS[/SUBCLASS][:NAME=VALUE[,NAME=VALUE]...]

  EC_Cluster                                      every event of the class
  EC_Cluster/ESC_cluster_rg_state                 of one subclass
  EC_Cluster/ESC_cluster_rg_state:rg_name=web-rg  with this pair
  C/S:rg_name=web-rg,zone=a                       with both pairs
  C/S:node_list=n1,node_list=n2                   one pair, an array of two values

  A repeated NAME adds a value to the array, in the order as typed. Nothing is
  trimmed, and a value may be empty. A backslash takes the meaning from one of
  \ , = : / behind it: 'C/S:text=a\,b' has the value "a,b"; quote it for the
  shell. An '=', ':' or '/' inside a value needs no backslash.
)";
}

std::string repetitionHelp() {
    return R"(Repetition:
  If there is no connection, no whole reply within --timeout, or the reply RETRY,
  the same message is sent again after a pause (0.5 s, 1 s, 2 s ... at most 10 s),
  to all addresses of HOST in turn, until --attempts are used up. What happens is
  said on the standard error.
)";
}

std::string listenHelp() {
    return R"(Listening:
  crnpctl listen --server crnp.example.com:9444 --port 2001 \
      --event EC_Cluster/ESC_cluster_rg_state:rg_name=web-rg

  registers as `crnpctl register` does, prints one line an event,

  2025-01-31T12:00:00.123Z EC_Cluster/ESC_cluster_rg_state SUNW rgm rg_name=web-rg
  node_list=[n1, n2] state_list=[ONLINE, OFFLINE]     (broken here, not there)

  and unregisters when --count events have come or at Ctrl-C or SIGTERM; a second
  Ctrl-C ends it at once. It listens before it registers. An event is acknowledged
  once it is written; the same event may come again. What else happens is said on
  the standard error. With --address, that is also the --source if none is given.
)";
}

std::string exitStatusHelp() {
    return "Exit status:\n" + exitStatusTable();
}

std::string controlExitStatusHelp() {
    return "Exit status:\n" + exitStatusTable(ExitStatus::notFound);
}

std::string roleExitStatusHelp() {
    return "Exit status:\n" + roleExitStatusTable();
}

std::string stepDownHelp() {
    return R"(Handing over:
  The server answers what it has received, takes nothing new, and lets others be
  elected. The command waits for that, and then for whoever takes over. If nobody
  does within five seconds the server becomes active again, and the exit status is 1.
)";
}

std::string dumpHelp() {
    return R"(Dumps:
  The active server writes what it has at one moment while it goes on serving. The
  last line says that the dump is whole: `head -n -1 FILE | sha256sum` tells the
  same checksum. A file that exists is replaced once the new one is whole; it is
  readable by its owner alone.
)";
}

std::string restoreHelp() {
    return R"(Restoring:
  The file is checked as a whole before anything is sent, and by the server once
  more before anything is changed. The server must be active and have no clients.
  All of the dump is restored or none of it, and it is durable when this command
  says so.
)";
}

std::string publishHelp() {
    return R"(Pairs:
  NAME=VALUE[,VALUE]...

  rg_name=web-rg             one value
  state_list=ONLINE,OFFLINE  an array of two values, in the order as typed

  A repeated NAME adds values. A backslash takes the meaning from one of
  \ , = : / behind it: 'text=a\,b' has the value "a,b"; quote it for the shell.
  FILE holds one SC_EVENT as docs/protocol.md has it, of at most 1 MiB.

Missed events:
  --missed 'why'  is for a publisher that could not watch for a while. First publish
                  what is the case now, then this: every client gets the current state
                  of all that it asked for.

Exit status:
)" + publishExitStatusTable();
}

std::string eventsHelp() {
    return R"(Columns:
  NUMBER     the event's place in the one order of all
  DELIVERED  to how many clients, of how many that want it
  EVENT      CLASS/SUBCLASS
  PUBLISHER  who published it
  PAIRS      NAME=VALUE or NAME=[VALUE, VALUE]

  The last line says which number was given last (head), and up to which everybody
  has everything (mark). Laggards are clients that the mark does not wait for.
)";
}

}  // namespace crnpd::crnpctl
