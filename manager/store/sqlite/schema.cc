#include "manager/store/sqlite/schema.h"

namespace hostq::manager {
namespace {

// Times are microseconds since 1970; NULL is "not yet" or "never". Numbers of phases, outcomes,
// states, types and reasons are those of the enums in proto/hostq/v1.
constexpr const char* kScripts[] = {
    // 1: the first schema.
    R"sql(
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE command (
  id INTEGER PRIMARY KEY,                    -- grows with time
  kind TEXT NOT NULL,
  resource_key TEXT NOT NULL,
  actor TEXT NOT NULL,
  request_id TEXT,                           -- NULL: none was given
  request BLOB NOT NULL,                     -- what makes two requests the same
  spec BLOB NOT NULL,                        -- hostq.v1.CommandSpec
  work BLOB NOT NULL,                        -- hostq.agent.v1.Work
  create_time INTEGER NOT NULL,
  not_after INTEGER,
  timeout INTEGER NOT NULL,                  -- microseconds
  needs_ready INTEGER NOT NULL,
  state INTEGER NOT NULL,
  finish_time INTEGER,
  CHECK ((state = 1) = (finish_time IS NULL))
);
CREATE UNIQUE INDEX command_by_request ON command(request_id) WHERE request_id IS NOT NULL;
CREATE INDEX command_active ON command(id) WHERE state = 1;
CREATE INDEX command_by_resource ON command(resource_key, id);

CREATE TABLE task (
  command_id INTEGER NOT NULL,
  node TEXT NOT NULL,
  stage INTEGER NOT NULL,
  phase INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  losses INTEGER NOT NULL,
  refusals INTEGER NOT NULL,
  interruptions INTEGER NOT NULL,
  reason INTEGER NOT NULL,
  message TEXT NOT NULL,
  evidence BLOB NOT NULL,                    -- key NUL value NUL ...
  phase_time INTEGER NOT NULL,
  next_attempt_time INTEGER,
  PRIMARY KEY (command_id, node),
  CHECK ((phase = 8) = (outcome <> 0))
) WITHOUT ROWID;

CREATE TABLE attempt (
  command_id INTEGER NOT NULL,
  node TEXT NOT NULL,
  number INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  start_time INTEGER,
  finish_time INTEGER,
  reason INTEGER NOT NULL,
  message TEXT NOT NULL,
  steps BLOB NOT NULL,                       -- hostq.v1.Attempt
  PRIMARY KEY (command_id, node, number, epoch)
) WITHOUT ROWID;

-- Results nobody waited for: kept for ever.
CREATE TABLE orphan (
  command_id INTEGER NOT NULL,
  node TEXT NOT NULL,
  number INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  receive_time INTEGER NOT NULL,
  start_time INTEGER,
  finish_time INTEGER,
  reason INTEGER NOT NULL,
  message TEXT NOT NULL,
  steps BLOB NOT NULL,
  PRIMARY KEY (command_id, node, number, epoch)
) WITHOUT ROWID;

CREATE TABLE event (
  sequence INTEGER PRIMARY KEY,
  time INTEGER NOT NULL,
  type INTEGER NOT NULL,
  command_id INTEGER NOT NULL,               -- 0: none
  node TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  from_phase INTEGER NOT NULL,
  to_phase INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  reason INTEGER NOT NULL,
  actor TEXT NOT NULL,
  message TEXT NOT NULL
);

-- The cluster's desired state: nodes, accounts, shares, join tokens (hostq.storage.v1).
CREATE TABLE resource (
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (kind, key)
) WITHOUT ROWID;
)sql",
    // 2: what a command supersedes is asked again when an older one comes back; delayed start,
    // priority, careful fan-out and rules of retry of a command; budgets and cancellation of a
    // task.
    R"sql(
ALTER TABLE command ADD COLUMN supersedes TEXT NOT NULL DEFAULT '';  -- kinds, by comma
ALTER TABLE command ADD COLUMN not_before INTEGER;                   -- NULL: at once
ALTER TABLE command ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE command ADD COLUMN max_parallel INTEGER NOT NULL DEFAULT 0;
ALTER TABLE command ADD COLUMN max_failures INTEGER NOT NULL DEFAULT -1;
ALTER TABLE command ADD COLUMN retry_initial INTEGER NOT NULL DEFAULT 1000000;
ALTER TABLE command ADD COLUMN retry_cap INTEGER NOT NULL DEFAULT 300000000;
ALTER TABLE command ADD COLUMN retry_factor REAL NOT NULL DEFAULT 2;
ALTER TABLE command ADD COLUMN retry_floor REAL NOT NULL DEFAULT 0.5;
ALTER TABLE command ADD COLUMN retry_max_attempts INTEGER NOT NULL DEFAULT 10;
ALTER TABLE command ADD COLUMN retry_max_elapsed INTEGER;            -- NULL: for ever
ALTER TABLE command ADD COLUMN retry_never TEXT NOT NULL DEFAULT ''; -- reasons, by comma
ALTER TABLE task ADD COLUMN budget_time INTEGER;                     -- NULL: not begun
ALTER TABLE task ADD COLUMN loss_time INTEGER;                       -- NULL: none lost
ALTER TABLE task ADD COLUMN cancel_time INTEGER;                     -- NULL: not asked for
ALTER TABLE task ADD COLUMN cancel_actor TEXT NOT NULL DEFAULT '';
)sql",
    // 3: the archive takes the oldest first.
    R"sql(
CREATE INDEX command_by_finish ON command(finish_time) WHERE state <> 1;
)sql",
    // 4: since when a task is in trouble, and a node away. Types of events: connected,
    // disconnected.
    R"sql(
ALTER TABLE task ADD COLUMN trouble_time INTEGER;                    -- NULL: none
CREATE INDEX event_of_session ON event(node, sequence, type, time) WHERE type IN (6, 7);
)sql",
    // 5: commands that are parts of another one.
    R"sql(
ALTER TABLE command ADD COLUMN part_of INTEGER NOT NULL DEFAULT 0;
ALTER TABLE command ADD COLUMN part_stage INTEGER NOT NULL DEFAULT 0;
CREATE INDEX command_by_whole ON command(part_of, id, state) WHERE part_of <> 0;
)sql",
    // 6: looks at nodes that the manager made by itself do not stay long.
    R"sql(
CREATE INDEX command_look ON command(finish_time)
  WHERE kind = 'preflight' AND actor = 'manager' AND state <> 1;
)sql",
    // 7: the audit, a chain of hashes (manager/audit/chain.h), and where it begins and ends.
    R"sql(
CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY,              -- without gaps
  time INTEGER NOT NULL,
  actor TEXT NOT NULL,
  source TEXT NOT NULL,
  act TEXT NOT NULL,
  target TEXT NOT NULL,
  request_id TEXT NOT NULL,
  outcome INTEGER NOT NULL,                  -- 0: done; otherwise the reason of the refusal
  message TEXT NOT NULL,
  before TEXT NOT NULL,                      -- JSON
  after TEXT NOT NULL,                       -- JSON
  count INTEGER NOT NULL,
  hash BLOB NOT NULL
);
CREATE TABLE audit_chain (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  begin_sequence INTEGER NOT NULL,           -- the last entry that was deleted; 0: none
  begin_hash BLOB NOT NULL,
  head_sequence INTEGER NOT NULL,            -- the newest entry
  head_hash BLOB NOT NULL
);
INSERT INTO audit_chain(id, begin_sequence, begin_hash, head_sequence, head_hash)
  VALUES (1, 0, zeroblob(32), 0, zeroblob(32));
)sql",
    // 8: what nodes have put right by themselves.
    R"sql(
CREATE INDEX event_of_repair ON event(node, sequence) WHERE type = 16;
)sql",
    // 9: by which trace a command is followed (W3C trace context).
    R"sql(
ALTER TABLE command ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
)sql",
};

}  // namespace

absl::Span<const char* const> Schema() { return kScripts; }

}  // namespace hostq::manager
