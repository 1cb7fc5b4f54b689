#include "common/base/reason.h"

#include <algorithm>

namespace hostq {
namespace {

constexpr ReasonInfo kNoReason = {Reason::kNone,  "NONE",      ReasonClass::kWait,
                                  Owner::kNobody, "no reason", ""};

constexpr ReasonInfo kReasons[] = {
    {Reason::kNodeOffline, "NODE_OFFLINE", ReasonClass::kWait, Owner::kNode,
     "queued; its node has no session with the manager",
     "bring the node back, or look at its agent: systemctl status hostq-agent on NODE"},
    {Reason::kNodePaused, "NODE_PAUSED", ReasonClass::kWait, Owner::kAdministrator,
     "an administrator paused the node", "hostq node resume NODE"},
    {Reason::kNodeDraining, "NODE_DRAINING", ReasonClass::kWait, Owner::kAdministrator,
     "the node is being removed and takes no new work",
     "wait until the node is removed, or cancel the command: hostq command cancel COMMAND"},
    {Reason::kNodeNotReady, "NODE_NOT_READY", ReasonClass::kWait, Owner::kNode,
     "the node has never passed its preflight",
     "see which checks failed: hostq node show NODE; mend them, then: hostq node preflight NODE"},
    {Reason::kBehind, "BEHIND", ReasonClass::kWait, Owner::kNobody,
     "an earlier task on the same node and resource key is not finished",
     "look at what it waits for: hostq explain ROOT"},
    {Reason::kEarlierStage, "EARLIER_STAGE", ReasonClass::kWait, Owner::kNobody,
     "an earlier stage of the same command is not finished",
     "look at what it waits for: hostq explain ROOT"},
    {Reason::kNoCredit, "NO_CREDIT", ReasonClass::kWait, Owner::kNobody,
     "the node already has as many tasks as it said it can take",
     "wait; if the node stays full, see what it works on: hostq node show NODE"},
    {Reason::kUnsupportedKind, "UNSUPPORTED_KIND", ReasonClass::kInvalid, Owner::kAdministrator,
     "the node's agent does not know this kind of command",
     "upgrade hostq-agent on NODE, then: hostq command retry COMMAND"},
    {Reason::kNotDispatched, "NOT_DISPATCHED", ReasonClass::kWait, Owner::kManager,
     "nothing stands in its way and it was not sent: a bug of the manager",
     "this is a bug of the manager: restart hostq-manager and report it with its log"},
    {Reason::kNotAccepted, "NOT_ACCEPTED", ReasonClass::kWait, Owner::kAgent,
     "sent, but the agent has not confirmed that it has it",
     "look at the agent: journalctl -u hostq-agent on NODE; is its disk full?"},
    {Reason::kNotStarted, "NOT_STARTED", ReasonClass::kWait, Owner::kAgent,
     "accepted by the agent, but no step has begun",
     "look at the agent: journalctl -u hostq-agent on NODE"},
    {Reason::kNoProgress, "NO_PROGRESS", ReasonClass::kWait, Owner::kAgent,
     "running, but nothing was heard of it for too long",
     "look at the agent: journalctl -u hostq-agent on NODE"},
    {Reason::kOverdue, "OVERDUE", ReasonClass::kWait, Owner::kAgent,
     "its deadline has passed and there is no result",
     "look at the agent: journalctl -u hostq-agent on NODE; restart it: it goes on where it was"},
    {Reason::kWedged, "WEDGED", ReasonClass::kWait, Owner::kFileServer,
     "a step's process cannot be ended (uninterruptible in the kernel)",
     "mend the file server; the process ends by itself when the server answers again"},
    {Reason::kOutcomeUnknown, "OUTCOME_UNKNOWN", ReasonClass::kWait, Owner::kNobody,
     "the lease was lost; the node is asked what really happened",
     "wait: the node is asked what happened as soon as it is connected"},
    {Reason::kBackingOff, "BACKING_OFF", ReasonClass::kWait, Owner::kNobody,
     "failed; will be tried again by itself",
     "it is tried again by itself; at once with: hostq command retry COMMAND"},
    {Reason::kParked, "PARKED", ReasonClass::kWait, Owner::kAdministrator,
     "failed; waits for a person, or for its node to be mended",
     "mend the cause, then: hostq command retry COMMAND; or give up: hostq command skip COMMAND "
     "--note WHY"},
    {Reason::kCancelUnseen, "CANCEL_UNSEEN", ReasonClass::kWait, Owner::kAgent,
     "cancellation was asked for and the agent has not seen it",
     "bring the node back, or look at its agent: journalctl -u hostq-agent on NODE"},
    {Reason::kCancelUndone, "CANCEL_UNDONE", ReasonClass::kWait, Owner::kAgent,
     "the agent saw the cancellation and the task still runs", "wait for the running step to end"},
    {Reason::kResultUnacknowledged, "RESULT_UNACKNOWLEDGED", ReasonClass::kWait, Owner::kNetwork,
     "results wait on the node for the manager's acknowledgement",
     "look at the connection between NODE and the manager"},
    {Reason::kClockSkew, "CLOCK_SKEW", ReasonClass::kWait, Owner::kNode,
     "the node's clock differs from the manager's by more than 5 s",
     "set the clock of NODE: is chrony or systemd-timesyncd running there?"},
    {Reason::kCertificateExpiring, "CERTIFICATE_EXPIRING", ReasonClass::kWait, Owner::kNode,
     "the node's certificate is in the last third of its life",
     "join the node again: hostq node rejoin NODE; run the line that it prints on NODE, then "
     "restart hostq-agent there"},
    {Reason::kSweepStale, "SWEEP_STALE", ReasonClass::kWait, Owner::kManager,
     "the manager's own loop is late",
     "look at the load and the disk of the manager; restart hostq-manager"},
    {Reason::kNodeNotJoined, "NODE_NOT_JOINED", ReasonClass::kWait, Owner::kAdministrator,
     "the node was added but has never joined",
     "run the join line on NODE; for a new one, add the node again: hostq node add --help"},
    {Reason::kDelayed, "DELAYED", ReasonClass::kWait, Owner::kNobody,
     "it is not to start before a given time", "wait until its start time"},
    {Reason::kInProgress, "IN_PROGRESS", ReasonClass::kWait, Owner::kNobody,
     "nothing is wrong: the node is working on it", "nothing to do"},
    {Reason::kKindPaused, "KIND_PAUSED", ReasonClass::kWait, Owner::kAdministrator,
     "an administrator paused this kind of command",
     "when the reason for the pause is gone: hostq command resume --kind KIND"},
    {Reason::kResourcePaused, "RESOURCE_PAUSED", ReasonClass::kWait, Owner::kAdministrator,
     "an administrator paused this resource key",
     "when the reason for the pause is gone: hostq command resume --key KEY"},
    {Reason::kParallelLimit, "PARALLEL_LIMIT", ReasonClass::kWait, Owner::kNobody,
     "its command goes to a limited number of nodes at a time",
     "look at what is in front: hostq explain ROOT"},
    {Reason::kFailureLimit, "FAILURE_LIMIT", ReasonClass::kWait, Owner::kAdministrator,
     "more of its command's nodes are failing than the command allows",
     "mend what fails there, or accept it: hostq command skip COMMAND --note WHY; then it goes on "
     "by itself. Or give up: hostq command cancel COMMAND"},
    {Reason::kCertificateExpired, "CERTIFICATE_EXPIRED", ReasonClass::kWait, Owner::kAdministrator,
     "the node's certificate has expired: it cannot connect",
     "see that NODE reaches the manager's port for joining, and restart hostq-agent there: it "
     "renews "
     "by itself; if it waits for an approval: hostq node approve NODE; if its key is lost: hostq "
     "node rejoin NODE"},
    {Reason::kManagerMoved, "MANAGER_MOVED", ReasonClass::kWait, Owner::kAdministrator,
     "the node was told another address of the manager than it has now",
     "give the manager its old address back (cluster.quorum_address), or join the node again: "
     "hostq "
     "node rejoin NODE; run the line that it prints on NODE, then restart hostq-agent there"},
    {Reason::kNodeCloned, "NODE_CLONED", ReasonClass::kWait, Owner::kNode,
     "two agents use the node's identity: its machine was copied",
     "on the copy: systemctl disable --now hostq-agent; rm -r /var/lib/hostq/agent; and make the "
     "key that it had void: hostq node rejoin NODE; run the line that it prints on NODE, then "
     "restart hostq-agent there"},
    {Reason::kAccountsAwaited, "ACCOUNTS_AWAITED", ReasonClass::kWait, Owner::kAdministrator,
     "the node gets no connections until it has the accounts",
     "give it what it is to have: hostq node resync NODE --apply; or let it serve without: hostq "
     "balancer weight NODE 1"},
    {Reason::kNodeBanned, "NODE_BANNED", ReasonClass::kWait, Owner::kAdministrator,
     "an administrator banned the node: it gets no session",
     "find out what became of the machine; if it was in strange hands, make it anew: hostq node "
     "rejoin NODE; if it was not: hostq node unban NODE; or remove it: hostq node remove NODE "
     "--force"},
    {Reason::kTokenMisused, "TOKEN_MISUSED", ReasonClass::kWait, Owner::kAdministrator,
     "a join token was shown again with another key than the one that used it",
     "if NODE was joined twice by mistake, nothing is lost; otherwise somebody else has seen "
     "the join line: make a new one with hostq node rejoin NODE; then: hostq alarm clear "
     "SUBJECT"},
    {Reason::kCertificateSuperseded, "CERTIFICATE_SUPERSEDED", ReasonClass::kWait,
     Owner::kAdministrator,
     "somebody shows a certificate of the node that was replaced: its machine was copied, or "
     "set back",
     "if NODE was set back to an older state: hostq node rejoin NODE; if a copy of it runs "
     "somewhere: stop the copy; then: hostq alarm clear SUBJECT"},
    {Reason::kKeyGuessed, "KEY_GUESSED", ReasonClass::kWait, Owner::kAdministrator,
     "wrong secrets were shown for an API key, or many wrong ones from one address",
     "see who is behind the address; if a program has an old secret, give it the new one; if "
     "the key's text has leaked: hostq key rotate KEY; then: hostq alarm clear SUBJECT"},
    {Reason::kRenewalNeedsApproval, "RENEWAL_NEEDS_APPROVAL", ReasonClass::kWait,
     Owner::kAdministrator,
     "the node was away for longer than its certificate and the time of grace allow",
     "if it is the machine that it was: hostq node approve NODE; otherwise join it anew: "
     "hostq node rejoin NODE"},
    {Reason::kWebhookFailing, "WEBHOOK_FAILING", ReasonClass::kWait, Owner::kAdministrator,
     "a webhook's receiver does not take what it is sent",
     "see what it answers: hostq webhook show NAME; when the receiver is mended, send what it has "
     "missed: hostq webhook replay NAME"},
    {Reason::kMailFailing, "MAIL_FAILING", ReasonClass::kWait, Owner::kAdministrator,
     "the mail transfer agent of the manager's machine does not take the notifications",
     "look at what it says (see the finding), and mend it: sendmail -bp; or send them to a "
     "webhook"},
    {Reason::kDiskLow, "DISK_LOW", ReasonClass::kWait, Owner::kAdministrator,
     "the disk with the manager's database is nearly full",
     "free space on the file system of STATE_DIR; when it is full, nothing can be submitted"},
    {Reason::kStoreSlow, "STORE_SLOW", ReasonClass::kWait, Owner::kAdministrator,
     "the manager's disk takes long to make writes durable",
     "see what else writes to that disk (iostat -x 1), or move STATE_DIR to a faster one"},
    {Reason::kClockUnsynchronized, "CLOCK_UNSYNCHRONIZED", ReasonClass::kWait,
     Owner::kAdministrator, "the clock of the manager's machine is not kept in time",
     "run chrony or systemd-timesyncd: timedatectl"},
    {Reason::kVersionSkew, "VERSION_SKEW", ReasonClass::kWait, Owner::kAdministrator,
     "an agent's version is not the manager's", "upgrade the agent on NODE"},
    {Reason::kShareServerUnreachable, "SHARE_SERVER_UNREACHABLE", ReasonClass::kEnvironment,
     Owner::kFileServer, "the file server does not answer, or refuses the connection",
     "is the NFS server running, and is port 2049 open to NODE? On the file server: systemctl "
     "status nfs-server; ss -ltn"},
    {Reason::kShareExportMissing, "SHARE_EXPORT_MISSING", ReasonClass::kEnvironment,
     Owner::kFileServer, "the file server does not export that path",
     "export the directory on the file server: add it to /etc/exports, then: exportfs -ra; check "
     "with: exportfs -v"},
    {Reason::kShareAccessDenied, "SHARE_ACCESS_DENIED", ReasonClass::kEnvironment,
     Owner::kFileServer, "the file server refuses this node",
     "permit the address of NODE in /etc/exports on the file server, then: exportfs -ra"},
    {Reason::kShareWrongSource, "SHARE_WRONG_SOURCE", ReasonClass::kConflict, Owner::kAdministrator,
     "something else is mounted where the share belongs",
     "decide what belongs there; to free the mount point on NODE: umount MOUNTPOINT; then: hostq "
     "command retry COMMAND"},
    {Reason::kShareStale, "SHARE_STALE", ReasonClass::kEnvironment, Owner::kFileServer,
     "the mount refers to a directory the server no longer has",
     "the directory was removed or replaced on the file server: put it back and export it again: "
     "exportfs -ra"},
    {Reason::kShareUnresponsive, "SHARE_UNRESPONSIVE", ReasonClass::kEnvironment,
     Owner::kFileServer, "mounted, but the file server does not answer",
     "bring the file server back: the mount goes on by itself"},
    {Reason::kShareReadOnly, "SHARE_READ_ONLY", ReasonClass::kEnvironment, Owner::kFileServer,
     "mounted, but writing is refused",
     "export the directory with rw in /etc/exports on the file server, then: exportfs -ra"},
    {Reason::kShareNotMounted, "SHARE_NOT_MOUNTED", ReasonClass::kEnvironment,
     Owner::kAdministrator, "the share is needed and is not mounted",
     "mount the share, as hostq share list has it: hostq share mount SHARE --source HOST:/PATH "
     "--at "
     "PATH --node NODE"},
    {Reason::kMountPointMissing, "MOUNT_POINT_MISSING", ReasonClass::kEnvironment, Owner::kNode,
     "the directory to mount on does not exist, or is none",
     "make the directory on NODE (for /home: mkdir -p /chroot/home; ln -s /chroot/home /home)"},
    {Reason::kMountPointNotEmpty, "MOUNT_POINT_NOT_EMPTY", ReasonClass::kConflict,
     Owner::kAdministrator, "mounting would hide files",
     "move the files on NODE away from the mount point (mounting would hide them), then: hostq "
     "command retry COMMAND"},
    {Reason::kShareBusy, "SHARE_BUSY", ReasonClass::kEnvironment, Owner::kNode,
     "cannot be unmounted: in use", "end what uses the share on NODE: fuser -vm MOUNTPOINT"},
    {Reason::kKernelWithoutNfs, "KERNEL_WITHOUT_NFS", ReasonClass::kEnvironment, Owner::kNode,
     "the node's kernel cannot mount NFS",
     "load the module (modprobe nfs) or permit NFS in the container (for example Proxmox: "
     "features: mount=nfs)"},
    {Reason::kHomeLayout, "HOME_LAYOUT", ReasonClass::kEnvironment, Owner::kNode,
     "/home is not a symbolic link to /chroot/home",
     "move the files to /chroot/home and make the link: mv /home/* /chroot/home/; rmdir /home; ln "
     "-s /chroot/home /home"},
    {Reason::kShareRootSquashed, "SHARE_ROOT_SQUASHED", ReasonClass::kEnvironment,
     Owner::kFileServer, "the export maps root to nobody, so homes cannot be made",
     "export the directory with no_root_squash in /etc/exports on the file server, then: exportfs "
     "-ra"},
    {Reason::kShareNotOurs, "SHARE_NOT_OURS", ReasonClass::kConflict, Owner::kAdministrator,
     "asked to unmount what hostq did not mount",
     "hostq did not mount it and will not unmount it: unmount it by hand if that is right, then: "
     "hostq command retry COMMAND"},
    {Reason::kShareExportFailed, "SHARE_EXPORT_FAILED", ReasonClass::kEnvironment,
     Owner::kFileServer, "the storage node cannot export the share",
     "see what it says: exportfs -rav on NODE; the directory must exist, on a file system that NFS "
     "can "
     "export"},
    {Reason::kQuotaSetNotPermitted, "QUOTA_SET_NOT_PERMITTED", ReasonClass::kEnvironment,
     Owner::kFileServer, "the file server does not permit setting quotas",
     "start rpc.rquotad with -S on the file server (Debian: RPCRQUOTADOPTS=\"-S\" in "
     "/etc/default/quota, then: systemctl restart quotarpc); or set the quota on the file server "
     "itself: hostq account set-quota; if a program of NODE sets quotas: see what it printed "
     "(output)"},
    {Reason::kQuotaServiceUnreachable, "QUOTA_SERVICE_UNREACHABLE", ReasonClass::kEnvironment,
     Owner::kFileServer, "the file server's quota service does not answer",
     "start rpcbind and rpc.rquotad on the file server (Debian: systemctl start quotarpc) and "
     "permit their UDP ports from NODE; if a program of NODE reads quotas: see what it printed "
     "(output)"},
    {Reason::kQuotaNotEnabled, "QUOTA_NOT_ENABLED", ReasonClass::kEnvironment, Owner::kFileServer,
     "quotas are not enabled on the file system",
     "enable user quotas on the file server: ext4: tune2fs -O quota, mount with usrquota, quotaon "
     "-u "
     "MOUNTPOINT; XFS: mount with uquota, not uqnoenforce (unmount first: a remount is not "
     "enough)"},
    {Reason::kQuotaMismatch, "QUOTA_MISMATCH", ReasonClass::kTransient, Owner::kFileServer,
     "the quota read back is not the one that was set",
     "compare on the file server: repquota -u MOUNTPOINT; is another program setting quotas?"},
    {Reason::kQuotaTooLarge, "QUOTA_TOO_LARGE", ReasonClass::kInvalid, Owner::kRequester,
     "larger than the file server's protocol can carry", "ask for less than 4TiB, or for no limit"},
    {Reason::kQuotaUnsupportedFilesystem, "QUOTA_UNSUPPORTED_FILESYSTEM", ReasonClass::kEnvironment,
     Owner::kFileServer, "this kind of file system has no user quotas",
     "put the homes on ext4 or XFS with user quotas; or name a program for them in "
     "/etc/hostq/agent.toml on NODE, section [[quotas]]"},
    {Reason::kQuotaProgramFailed, "QUOTA_PROGRAM_FAILED", ReasonClass::kEnvironment, Owner::kNode,
     "the node's program for quotas did not do its work",
     "see what it printed (output), and run it by hand on NODE: PROGRAM SOURCE get user UID"},
    {Reason::kQuotaSwitchedOff, "QUOTA_SWITCHED_OFF", ReasonClass::kFinal, Owner::kNode,
     "quotas are switched off in the node's configuration: limits are not kept",
     "nothing, if that is meant; to have limits kept, take the section [[quotas]] for that source "
     "out of /etc/hostq/agent.toml on NODE, restart hostq-executor and hostq-agent, then: hostq "
     "account set-quota"},
    {Reason::kAddressOnOtherInterface, "ADDRESS_ON_OTHER_INTERFACE", ReasonClass::kConflict,
     Owner::kNode, "the address is on a network interface instead of lo",
     "take the address off that interface of NODE: ip addr del ADDRESS dev INTERFACE; then: hostq "
     "command retry COMMAND"},
    {Reason::kAddressOwnedByOtherHost, "ADDRESS_OWNED_BY_OTHER_HOST", ReasonClass::kConflict,
     Owner::kNetwork, "another host on the network answers for the address",
     "find the host with that MAC address and take the address off it, or use another address; "
     "then: hostq command retry COMMAND"},
    {Reason::kAddressMissing, "ADDRESS_MISSING", ReasonClass::kEnvironment, Owner::kAdministrator,
     "the address should be on lo and is not",
     "put it back on NODE: ip addr add ADDRESS/32 dev lo (IPv6: /128); or let its agent do so "
     "(policy.repair)"},
    {Reason::kAddressWrongPrefix, "ADDRESS_WRONG_PREFIX", ReasonClass::kConflict, Owner::kNode,
     "the address is on lo with a prefix that is not /32 or /128",
     "take it off with its prefix (ip addr del ADDRESS dev lo on NODE), then: hostq command retry "
     "COMMAND"},
    {Reason::kArpNotSilenced, "ARP_NOT_SILENCED", ReasonClass::kEnvironment, Owner::kNode,
     "the node would answer ARP requests for addresses on lo",
     "on NODE: sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 (and in "
     "/etc/sysctl.d)"},
    {Reason::kUidTaken, "UID_TAKEN", ReasonClass::kConflict, Owner::kNode,
     "the user id belongs to another user on the node",
     "give the other user on NODE another uid, or remove it; then: hostq command retry COMMAND"},
    {Reason::kUserNameTaken, "USER_NAME_TAKEN", ReasonClass::kConflict, Owner::kNode,
     "the user name exists on the node with another user id",
     "rename or remove the other user on NODE; then: hostq command retry COMMAND"},
    {Reason::kGidTaken, "GID_TAKEN", ReasonClass::kConflict, Owner::kNode,
     "the group id or name belongs to another group on the node",
     "rename or remove the other group on NODE; then: hostq command retry COMMAND"},
    {Reason::kHomeMissing, "HOME_MISSING", ReasonClass::kEnvironment, Owner::kFileServer,
     "the account's home directory does not exist on the share",
     "is the right file system exported and mounted? If the home is gone, restore it on the file "
     "server"},
    {Reason::kHomeWrongOwner, "HOME_WRONG_OWNER", ReasonClass::kConflict, Owner::kFileServer,
     "the home directory belongs to somebody else",
     "see whose files these are (ls -ln on the file server); chown them if they are the account's, "
     "then: hostq command retry COMMAND"},
    {Reason::kAccountDatabaseLocked, "ACCOUNT_DATABASE_LOCKED", ReasonClass::kTransient,
     Owner::kNode, "another program holds the node's user database",
     "another program is changing users on NODE; if none is: rm /etc/passwd.lock /etc/shadow.lock "
     "/etc/group.lock /etc/gshadow.lock"},
    {Reason::kUserMissing, "USER_MISSING", ReasonClass::kEnvironment, Owner::kAdministrator,
     "the user should exist on the node and does not",
     "somebody removed the user on NODE; see its name, uid and home: hostq account show DOMAIN; "
     "then, on NODE: groupadd -g UID USER; useradd -M -N -u UID -g UID -d HOME USER"},
    {Reason::kPermissionDenied, "PERMISSION_DENIED", ReasonClass::kEnvironment, Owner::kNode,
     "the operating system refused (missing privilege or capability)",
     "does the agent run as root, with the capabilities SYS_ADMIN and NET_ADMIN? In a container "
     "they must be permitted"},
    {Reason::kStepTimedOut, "STEP_TIMED_OUT", ReasonClass::kTransient, Owner::kNode,
     "a step ran past its deadline and was ended",
     "see what is slow on NODE: a disk, a file server, a program that the step waits for; then: "
     "hostq "
     "command retry COMMAND"},
    {Reason::kStepCrashed, "STEP_CRASHED", ReasonClass::kTransient, Owner::kAgent,
     "a step's process died",
     "was it killed, for want of memory (dmesg on NODE)? If not, it is a bug of the agent: report "
     "it "
     "with the log (journalctl -u hostq-agent on NODE)"},
    {Reason::kNotAllowedByPolicy, "NOT_ALLOWED_BY_POLICY", ReasonClass::kConflict, Owner::kNode,
     "the node's own policy forbids it",
     "if it is to be allowed, change the policy in /etc/hostq/agent.toml on NODE, restart "
     "hostq-executor and hostq-agent, then: hostq command retry COMMAND"},
    {Reason::kBadParameters, "BAD_PARAMETERS", ReasonClass::kInvalid, Owner::kManager,
     "the agent cannot make sense of the task",
     "manager and agent disagree: do their versions match? hostq node show NODE"},
    {Reason::kInterrupted, "INTERRUPTED", ReasonClass::kTransient, Owner::kNobody,
     "the agent was stopped while it ran", "it is tried again by itself"},
    {Reason::kOutOfResources, "OUT_OF_RESOURCES", ReasonClass::kTransient, Owner::kNode,
     "out of disk space, memory or processes",
     "free disk space, memory or processes on NODE: df -h; free -m"},
    {Reason::kInternal, "INTERNAL", ReasonClass::kTransient, Owner::kAgent,
     "an error hostq has no better name for",
     "see the message; report it with the log if it stays"},
    {Reason::kPreflightFailed, "PREFLIGHT_FAILED", ReasonClass::kFinal, Owner::kNode,
     "at least one preflight check failed",
     "see which checks failed: hostq node show NODE; mend them, then: hostq node preflight NODE"},
    {Reason::kStaleEpoch, "STALE_EPOCH", ReasonClass::kTransient, Owner::kManager,
     "a lease older than one the node has already seen",
     "it is sent again by itself with a newer lease"},
    {Reason::kBufferFull, "BUFFER_FULL", ReasonClass::kTransient, Owner::kNobody,
     "the agent holds as many tasks as it can", "it is sent again by itself"},
    {Reason::kJournalUnavailable, "JOURNAL_UNAVAILABLE", ReasonClass::kEnvironment, Owner::kNode,
     "the agent cannot write its journal",
     "can the agent write below /var/lib/hostq/agent on NODE? df -h; mount"},
    {Reason::kToolMissing, "TOOL_MISSING", ReasonClass::kEnvironment, Owner::kNode,
     "a program the step needs is not installed",
     "install the program that the message names on NODE"},
    {Reason::kExecutorUnavailable, "EXECUTOR_UNAVAILABLE", ReasonClass::kEnvironment, Owner::kNode,
     "the process that changes the node's system does not run",
     "start it on NODE: systemctl start hostq-executor; if it does not stay: journalctl -u "
     "hostq-executor"},
    {Reason::kDiffers, "DIFFERS", ReasonClass::kFinal, Owner::kAdministrator, "not as it should be",
     "have it put right: hostq account resync DOMAIN --apply; one node: hostq node resync NODE "
     "--apply"},
    {Reason::kHookFailed, "HOOK_FAILED", ReasonClass::kEnvironment, Owner::kNode,
     "a hook said that it failed",
     "see what it printed (output) and mend on NODE what it complains of, or the hook itself; "
     "then: "
     "hostq command retry COMMAND"},
    {Reason::kHookTimedOut, "HOOK_TIMED_OUT", ReasonClass::kEnvironment, Owner::kNode,
     "a hook ran past its deadline and was ended",
     "see on NODE what it waits for; if it needs the time, raise hooks.timeout in "
     "/etc/hostq/agent.toml there and restart hostq-executor; then: hostq command retry COMMAND"},
    {Reason::kHookDeferred, "HOOK_DEFERRED", ReasonClass::kTransient, Owner::kNode,
     "a hook asked to be run again later",
     "it is tried again by itself; see what it printed (output) for what it waits for on NODE"},
    {Reason::kHookReloadFailed, "HOOK_RELOAD_FAILED", ReasonClass::kEnvironment, Owner::kNode,
     "a reload that hooks asked for failed",
     "see what it printed (output): it may complain of any account's configuration, or of your "
     "own; "
     "mend that on NODE, then: hostq command retry COMMAND"},
    {Reason::kHookDirectoryUnsafe, "HOOK_DIRECTORY_UNSAFE", ReasonClass::kEnvironment, Owner::kNode,
     "others than root could change the directory with the hooks",
     "on NODE: chown root:root DIRECTORY; chmod go-w DIRECTORY"},
    {Reason::kKernelWithoutIpvs, "KERNEL_WITHOUT_IPVS", ReasonClass::kEnvironment, Owner::kNode,
     "the balancer's kernel has no virtual services",
     "load the module on NODE: modprobe ip_vs; in a container: on its host"},
    {Reason::kBalancerUplinkMissing, "BALANCER_UPLINK_MISSING", ReasonClass::kEnvironment,
     Owner::kNode, "no interface of the balancer has its cluster address",
     "put the address that hostq node show NODE tells on NODE's network interface; if NODE has "
     "another one now: hostq node remove NODE; then add it again"},
    {Reason::kBalancingIncomplete, "BALANCING_INCOMPLETE", ReasonClass::kEnvironment,
     Owner::kAdministrator, "virtual services or their addresses are missing on the balancer",
     "send the balancer its table again: hostq balancer set --wait; or let its agent put them back "
     "(policy.repair)"},
    {Reason::kInvalidArgument, "INVALID_ARGUMENT", ReasonClass::kRefusal, Owner::kRequester,
     "a field is missing or makes no sense", "correct the field that the message names"},
    {Reason::kInvalidDomain, "INVALID_DOMAIN", ReasonClass::kRefusal, Owner::kRequester,
     "not a domain name",
     "use a domain such as example.com: letters, digits and hyphens in parts of at most 63, at "
     "least two parts"},
    {Reason::kInvalidUserName, "INVALID_USER_NAME", ReasonClass::kRefusal, Owner::kRequester,
     "not a portable user name",
     "use a lower-case letter, then at most 31 letters, digits, - or _"},
    {Reason::kInvalidAddress, "INVALID_ADDRESS", ReasonClass::kRefusal, Owner::kRequester,
     "not an address an account can have",
     "use one unicast IPv4 or IPv6 address without a prefix, not loopback, link-local or "
     "multicast"},
    {Reason::kInvalidSize, "INVALID_SIZE", ReasonClass::kRefusal, Owner::kRequester,
     "not a size, or one that quotas cannot carry",
     "use a size such as 512MiB or 10GiB, below 4TiB, or unlimited"},
    {Reason::kInvalidName, "INVALID_NAME", ReasonClass::kRefusal, Owner::kRequester,
     "not a name for a node or share", "use a lower-case letter, then letters, digits or -"},
    {Reason::kInvalidPath, "INVALID_PATH", ReasonClass::kRefusal, Owner::kRequester,
     "not an absolute, normalized path", "use an absolute path without . or .. parts"},
    {Reason::kUnknownNode, "UNKNOWN_NODE", ReasonClass::kRefusal, Owner::kRequester,
     "there is no such node", "see the names of the nodes: hostq node list"},
    {Reason::kUnknownAccount, "UNKNOWN_ACCOUNT", ReasonClass::kRefusal, Owner::kRequester,
     "there is no such account", "see the accounts: hostq account list"},
    {Reason::kUnknownCommand, "UNKNOWN_COMMAND", ReasonClass::kRefusal, Owner::kRequester,
     "there is no such command or task", "see the commands: hostq command list"},
    {Reason::kUnknownShare, "UNKNOWN_SHARE", ReasonClass::kRefusal, Owner::kRequester,
     "there is no such share", "see the shares: hostq share list"},
    {Reason::kAccountExists, "ACCOUNT_EXISTS", ReasonClass::kRefusal, Owner::kRequester,
     "the domain already has an account", "see it: hostq account show DOMAIN"},
    {Reason::kUserInUse, "USER_IN_USE", ReasonClass::kRefusal, Owner::kRequester,
     "another account has that user name", "choose another user name"},
    {Reason::kUidInUse, "UID_IN_USE", ReasonClass::kRefusal, Owner::kRequester,
     "another account has that user id", "choose another uid, or none: the manager then picks one"},
    {Reason::kAddressReserved, "ADDRESS_RESERVED", ReasonClass::kRefusal, Owner::kRequester,
     "the quorum address, or a node's own address",
     "choose another address: this one is a node's own, or the quorum address"},
    {Reason::kNoTargets, "NO_TARGETS", ReasonClass::kRefusal, Owner::kRequester,
     "no node of the cluster could do this",
     "add a node with the role that is needed: hostq node add NAME --role ROLE --address ADDRESS"},
    {Reason::kRequestIdReused, "REQUEST_ID_REUSED", ReasonClass::kRefusal, Owner::kRequester,
     "the request id was used before, for another request",
     "use a new request id for a new request"},
    {Reason::kRequestTooLarge, "REQUEST_TOO_LARGE", ReasonClass::kRefusal, Owner::kRequester,
     "the request is larger than accepted", "make the request smaller"},
    {Reason::kNotRetryable, "NOT_RETRYABLE", ReasonClass::kRefusal, Owner::kRequester,
     "the task is in no state in which retry or skip applies",
     "only parked and backing-off tasks can be retried or skipped: hostq command show COMMAND"},
    {Reason::kCommandFinished, "COMMAND_FINISHED", ReasonClass::kRefusal, Owner::kRequester,
     "the command has already ended", "nothing to do: it has already ended"},
    {Reason::kNodeExists, "NODE_EXISTS", ReasonClass::kRefusal, Owner::kRequester,
     "there already is a node of that name or address",
     "choose another name or address, or remove the node first: hostq node remove NODE"},
    {Reason::kNodeHasTasks, "NODE_HAS_TASKS", ReasonClass::kRefusal, Owner::kRequester,
     "the node still has unfinished tasks",
     "wait until they are finished, or cancel them with: hostq node remove NODE --force"},
    {Reason::kTokenInvalid, "TOKEN_INVALID", ReasonClass::kRefusal, Owner::kRequester,
     "the join token is wrong",
     "copy the whole join line again, or make a new one: hostq node add NAME --role ROLE --address "
     "ADDRESS, or, if it has joined before, hostq node rejoin NAME"},
    {Reason::kTokenExpired, "TOKEN_EXPIRED", ReasonClass::kRefusal, Owner::kRequester,
     "the join token is too old",
     "make a new join line: hostq node add NAME --role ROLE --address ADDRESS, or, if it has "
     "joined "
     "before, hostq node rejoin NAME"},
    {Reason::kTokenUsed, "TOKEN_USED", ReasonClass::kRefusal, Owner::kRequester,
     "the join token was used by another key",
     "make a new join line: hostq node add NAME --role ROLE --address ADDRESS, or, if it has "
     "joined "
     "before, hostq node rejoin NAME; if nobody of yours "
     "used this one, find out who "
     "did"},
    {Reason::kStoreUnavailable, "STORE_UNAVAILABLE", ReasonClass::kRefusal, Owner::kManager,
     "the manager cannot write its database",
     "look at the manager's disk and log (journalctl -u hostq-manager); the manager goes on by "
     "itself when it can write again"},
    {Reason::kUnauthenticated, "UNAUTHENTICATED", ReasonClass::kRefusal, Owner::kRequester,
     "no acceptable certificate",
     "use a certificate of this cluster: join the node (hostq node add NAME --role ROLE --address "
     "ADDRESS; a node that has joined before: hostq node rejoin NAME)"},
    {Reason::kNotAuthorized, "NOT_AUTHORIZED", ReasonClass::kRefusal, Owner::kRequester,
     "the caller may not do this", "ask an administrator of the cluster"},
    {Reason::kQueueFull, "QUEUE_FULL", ReasonClass::kRefusal, Owner::kManager,
     "too many unfinished commands", "wait until commands have finished, then submit again"},
    {Reason::kAccountBusy, "ACCOUNT_BUSY", ReasonClass::kRefusal, Owner::kRequester,
     "the account is in no state in which this applies",
     "see what the account is doing: hostq account show DOMAIN"},
    {Reason::kShuttingDown, "SHUTTING_DOWN", ReasonClass::kRefusal, Owner::kManager,
     "the manager is stopping", "try again when the manager is back"},
    {Reason::kPageTokenInvalid, "PAGE_TOKEN_INVALID", ReasonClass::kRefusal, Owner::kRequester,
     "the page token does not belong to this request", "start again from the first page"},
    {Reason::kAddressInUse, "ADDRESS_IN_USE", ReasonClass::kRefusal, Owner::kRequester,
     "an account still uses the address",
     "take the address from the account first: hostq account remove-address DOMAIN ADDRESS"},
    {Reason::kShareInUse, "SHARE_IN_USE", ReasonClass::kRefusal, Owner::kRequester,
     "accounts still live on the share", "delete the accounts on the share first"},
    {Reason::kRateLimited, "RATE_LIMITED", ReasonClass::kRefusal, Owner::kRequester,
     "more requests than one caller may send in that time",
     "send the same request again after the time that the answer names"},
    {Reason::kBalancerExists, "BALANCER_EXISTS", ReasonClass::kRefusal, Owner::kRequester,
     "the cluster has a balancer already",
     "leave the role out; or remove the other balancer first: hostq node remove NODE"},
    {Reason::kKeyInvalid, "KEY_INVALID", ReasonClass::kRefusal, Owner::kRequester,
     "no such API key, or not its secret",
     "check that the whole key was copied: hostq_ID_SECRET, in the header authorization: "
     "Bearer KEY"},
    {Reason::kKeyExpired, "KEY_EXPIRED", ReasonClass::kRefusal, Owner::kRequester,
     "the API key has expired",
     "make another one: hostq key create NAME; or, next time, rotate it before it expires: "
     "hostq key rotate NAME"},
    {Reason::kKeyRevoked, "KEY_REVOKED", ReasonClass::kRefusal, Owner::kRequester,
     "the API key was revoked",
     "ask the administrator who revoked it: hostq key list; make another one: hostq key "
     "create NAME"},
    {Reason::kSourceNotAllowed, "SOURCE_NOT_ALLOWED", ReasonClass::kRefusal, Owner::kRequester,
     "it may not be used from this address",
     "call from an address in its ranges, or make one with other ranges: --source RANGE"},
    {Reason::kOutOfScope, "OUT_OF_SCOPE", ReasonClass::kRefusal, Owner::kRequester,
     "the API key's scopes do not allow this",
     "see what the key may do: hostq key list; what it is to do beyond that needs another "
     "key: hostq key create NAME --scope SCOPE"},
    {Reason::kKeyLimitReached, "KEY_LIMIT_REACHED", ReasonClass::kRefusal, Owner::kRequester,
     "as many of the API key's commands are unfinished as it may have",
     "wait until some of them have finished: hostq command list"},
    {Reason::kKeyExists, "KEY_EXISTS", ReasonClass::kRefusal, Owner::kRequester,
     "there is an API key of that name",
     "choose another name, or revoke that one first: hostq key revoke NAME"},
    {Reason::kUnknownKey, "UNKNOWN_KEY", ReasonClass::kRefusal, Owner::kRequester,
     "there is no such API key", "see which there are: hostq key list"},
    {Reason::kAdministratorExists, "ADMINISTRATOR_EXISTS", ReasonClass::kRefusal, Owner::kRequester,
     "there is an administrator of that name",
     "revoke the old certificate first: hostq administrator revoke NAME"},
    {Reason::kUnknownAdministrator, "UNKNOWN_ADMINISTRATOR", ReasonClass::kRefusal,
     Owner::kRequester, "there is no such administrator",
     "see who there is: hostq administrator list"},
    {Reason::kWrongRotationStep, "WRONG_ROTATION_STEP", ReasonClass::kRefusal, Owner::kRequester,
     "this step of replacing the authority does not apply now",
     "see which step comes next: hostq authority show"},
    {Reason::kAuthorityInUse, "AUTHORITY_IN_USE", ReasonClass::kRefusal, Owner::kRequester,
     "nodes or administrators still depend on the authority",
     "see which those are: hostq authority show; wait until the nodes have renewed, and renew the "
     "administrators: hostq administrator renew NAME; or go on without them, which then have to "
     "join anew: --force"},
    {Reason::kUnknownAlarm, "UNKNOWN_ALARM", ReasonClass::kRefusal, Owner::kRequester,
     "there is no such alarm", "see which there are: hostq alarm list"},
    {Reason::kNoBuiltInAuthority, "NO_BUILT_IN_AUTHORITY", ReasonClass::kRefusal, Owner::kRequester,
     "this cluster's certificates come from outside",
     "get the certificate from the authority outside, see docs/security.md"},
    {Reason::kAuditBroken, "AUDIT_BROKEN", ReasonClass::kRefusal, Owner::kRequester,
     "the audit is not what was written: an entry was changed, removed or moved",
     "keep the database as it is, compare with the exported entries, and find out who could "
     "write it"},
    {Reason::kForeignOrigin, "FOREIGN_ORIGIN", ReasonClass::kRefusal, Owner::kRequester,
     "the request comes from a web page of another site",
     "call the API from a program; web pages of other sites may not"},
    {Reason::kUnknownRoute, "UNKNOWN_ROUTE", ReasonClass::kRefusal, Owner::kRequester,
     "there is nothing at this path of the REST API", "see docs/openapi.yaml for what there is"},
    {Reason::kMethodNotAllowed, "METHOD_NOT_ALLOWED", ReasonClass::kRefusal, Owner::kRequester,
     "the path takes other methods", "use one of those that the header allow names"},
    {Reason::kUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", ReasonClass::kRefusal,
     Owner::kRequester, "the body is of a type that the REST API does not take",
     "send JSON, with the header content-type: application/json"},
    {Reason::kPreconditionFailed, "PRECONDITION_FAILED", ReasonClass::kRefusal, Owner::kRequester,
     "it has changed since it was read",
     "read it again, and decide again: its new version is in the header etag"},
    {Reason::kSessionExpired, "SESSION_EXPIRED", ReasonClass::kRefusal, Owner::kRequester,
     "the dashboard's session has ended", "sign in again"},
    {Reason::kCrossSiteRequest, "CROSS_SITE_REQUEST", ReasonClass::kRefusal, Owner::kRequester,
     "a browser's request lacks what shows that it comes from the dashboard itself",
     "use the dashboard, or call the API from a program with a key"},
    {Reason::kUnknownWebhook, "UNKNOWN_WEBHOOK", ReasonClass::kRefusal, Owner::kRequester,
     "there is no such webhook", "see which there are: hostq webhook list"},
    {Reason::kWebhookExists, "WEBHOOK_EXISTS", ReasonClass::kRefusal, Owner::kRequester,
     "there is a webhook of that name",
     "choose another name, or delete that one first: hostq webhook delete NAME"},
    {Reason::kWebhookAddressRefused, "WEBHOOK_ADDRESS_REFUSED", ReasonClass::kRefusal,
     Owner::kRequester, "the receiver's address is a private one, or the manager's own",
     "use a public address, or allow the receiver's network in manager.toml: webhooks.allow"},
    {Reason::kWebhookLimitReached, "WEBHOOK_LIMIT_REACHED", ReasonClass::kRefusal,
     Owner::kRequester, "there are as many webhooks as there may be",
     "delete one that is not needed any more: hostq webhook delete NAME"},
    {Reason::kUnknownDelivery, "UNKNOWN_DELIVERY", ReasonClass::kRefusal, Owner::kRequester,
     "there is no such delivery", "see which there are: hostq webhook show NAME"},
};

}  // namespace

absl::Span<const ReasonInfo> AllReasons() { return kReasons; }

const ReasonInfo& InfoOf(Reason reason) {
  if (reason == Reason::kNone) return kNoReason;
  const auto* found =
      std::lower_bound(std::begin(kReasons), std::end(kReasons), reason,
                       [](const ReasonInfo& info, Reason wanted) { return info.reason < wanted; });
  if (found != std::end(kReasons) && found->reason == reason) return *found;
  return InfoOf(Reason::kInternal);
}

std::optional<Reason> ReasonFromName(absl::string_view name) {
  for (const ReasonInfo& info : kReasons) {
    if (info.name == name) return info.reason;
  }
  return std::nullopt;
}

}  // namespace hostq
