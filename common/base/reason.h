#pragma once

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace hostq {

// Why something failed, waits, or was refused. The numbers are those of hostq.v1.Reason.Code
// (proto/hostq/v1/reason.proto says what each means); a test compares the two.
enum class Reason : int {
  kNone = 0,
  kNodeOffline = 1,
  kNodePaused = 2,
  kNodeDraining = 3,
  kNodeNotReady = 4,
  kBehind = 5,
  kEarlierStage = 6,
  kNoCredit = 7,
  kUnsupportedKind = 8,
  kNotDispatched = 9,
  kNotAccepted = 10,
  kNotStarted = 11,
  kNoProgress = 12,
  kOverdue = 13,
  kWedged = 14,
  kOutcomeUnknown = 15,
  kBackingOff = 16,
  kParked = 17,
  kCancelUnseen = 18,
  kCancelUndone = 19,
  kResultUnacknowledged = 20,
  kClockSkew = 21,
  kCertificateExpiring = 22,
  kSweepStale = 23,
  kNodeNotJoined = 24,
  kDelayed = 25,
  kInProgress = 26,
  kKindPaused = 27,
  kResourcePaused = 28,
  kParallelLimit = 29,
  kFailureLimit = 30,
  kCertificateExpired = 31,
  kManagerMoved = 32,
  kNodeCloned = 33,
  kAccountsAwaited = 34,
  kNodeBanned = 35,
  kTokenMisused = 36,
  kCertificateSuperseded = 37,
  kKeyGuessed = 38,
  kRenewalNeedsApproval = 39,
  kWebhookFailing = 40,
  kMailFailing = 41,
  kDiskLow = 42,
  kStoreSlow = 43,
  kClockUnsynchronized = 44,
  kVersionSkew = 45,
  kShareServerUnreachable = 100,
  kShareExportMissing = 101,
  kShareAccessDenied = 102,
  kShareWrongSource = 103,
  kShareStale = 104,
  kShareUnresponsive = 105,
  kShareReadOnly = 106,
  kShareNotMounted = 107,
  kMountPointMissing = 108,
  kMountPointNotEmpty = 109,
  kShareBusy = 110,
  kKernelWithoutNfs = 111,
  kHomeLayout = 112,
  kShareRootSquashed = 113,
  kShareNotOurs = 114,
  kShareExportFailed = 115,
  kQuotaSetNotPermitted = 130,
  kQuotaServiceUnreachable = 131,
  kQuotaNotEnabled = 132,
  kQuotaMismatch = 133,
  kQuotaTooLarge = 134,
  kQuotaUnsupportedFilesystem = 135,
  kQuotaProgramFailed = 136,
  kQuotaSwitchedOff = 137,
  kAddressOnOtherInterface = 150,
  kAddressOwnedByOtherHost = 151,
  kAddressMissing = 152,
  kAddressWrongPrefix = 153,
  kArpNotSilenced = 154,
  kUidTaken = 170,
  kUserNameTaken = 171,
  kGidTaken = 172,
  kHomeMissing = 173,
  kHomeWrongOwner = 174,
  kAccountDatabaseLocked = 175,
  kUserMissing = 176,
  kPermissionDenied = 190,
  kStepTimedOut = 191,
  kStepCrashed = 192,
  kNotAllowedByPolicy = 193,
  kBadParameters = 194,
  kInterrupted = 195,
  kOutOfResources = 196,
  kInternal = 197,
  kPreflightFailed = 198,
  kStaleEpoch = 199,
  kBufferFull = 200,
  kJournalUnavailable = 201,
  kToolMissing = 202,
  kExecutorUnavailable = 203,
  kDiffers = 204,
  kHookFailed = 220,
  kHookTimedOut = 221,
  kHookDeferred = 222,
  kHookReloadFailed = 223,
  kHookDirectoryUnsafe = 224,
  kKernelWithoutIpvs = 240,
  kBalancerUplinkMissing = 241,
  kBalancingIncomplete = 242,
  kInvalidArgument = 300,
  kInvalidDomain = 301,
  kInvalidUserName = 302,
  kInvalidAddress = 303,
  kInvalidSize = 304,
  kInvalidName = 305,
  kInvalidPath = 306,
  kUnknownNode = 307,
  kUnknownAccount = 308,
  kUnknownCommand = 309,
  kUnknownShare = 310,
  kAccountExists = 311,
  kUserInUse = 312,
  kUidInUse = 313,
  kAddressReserved = 314,
  kNoTargets = 315,
  kRequestIdReused = 316,
  kRequestTooLarge = 317,
  kNotRetryable = 318,
  kCommandFinished = 319,
  kNodeExists = 320,
  kNodeHasTasks = 321,
  kTokenInvalid = 322,
  kTokenExpired = 323,
  kTokenUsed = 324,
  kStoreUnavailable = 325,
  kUnauthenticated = 326,
  kNotAuthorized = 327,
  kQueueFull = 328,
  kAccountBusy = 329,
  kShuttingDown = 330,
  kPageTokenInvalid = 331,
  kAddressInUse = 332,
  kShareInUse = 333,
  kRateLimited = 334,
  kBalancerExists = 335,
  kKeyInvalid = 336,
  kKeyExpired = 337,
  kKeyRevoked = 338,
  kSourceNotAllowed = 339,
  kOutOfScope = 340,
  kKeyLimitReached = 341,
  kKeyExists = 342,
  kUnknownKey = 343,
  kAdministratorExists = 344,
  kUnknownAdministrator = 345,
  kWrongRotationStep = 346,
  kAuthorityInUse = 347,
  kUnknownAlarm = 348,
  kNoBuiltInAuthority = 349,
  kAuditBroken = 350,
  kForeignOrigin = 351,
  kUnknownRoute = 352,
  kMethodNotAllowed = 353,
  kUnsupportedMediaType = 354,
  kPreconditionFailed = 355,
  kSessionExpired = 356,
  kCrossSiteRequest = 357,
  kUnknownWebhook = 358,
  kWebhookExists = 359,
  kWebhookAddressRefused = 360,
  kWebhookLimitReached = 361,
  kUnknownDelivery = 362,
};

// What follows from a failure on a node.
enum class ReasonClass {
  kWait,         // not a failure: why a task waits
  kTransient,    // likely to go away: tried again a limited number of times
  kEnvironment,  // somebody has to change something outside hostq: tried again until they have
  kConflict,     // a person has to decide: parked at once
  kInvalid,      // can never succeed: parked at once
  kFinal,        // an answer, not an obstacle: the task ends as failed
  kRefusal,      // a request was refused: never in a task
};

// Who has to act. The numbers are those of hostq.v1.Finding.Owner.
enum class Owner : int {
  kNobody = 1,
  kAdministrator = 2,
  kNode = 3,
  kFileServer = 4,
  kNetwork = 5,
  kAgent = 6,
  kManager = 7,
  kRequester = 8,
};

struct ReasonInfo {
  Reason reason;
  absl::string_view name;  // "NODE_OFFLINE"
  ReasonClass reason_class;
  Owner owner;
  absl::string_view explanation;  // one sentence, fixed
  absl::string_view remedy;       // what to do, fixed; names in capitals are filled in by findings
};

// Every reason, in order of number.
absl::Span<const ReasonInfo> AllReasons();
// INTERNAL's for a number this version does not know.
const ReasonInfo& InfoOf(Reason reason);
inline absl::string_view NameOf(Reason reason) { return InfoOf(reason).name; }
std::optional<Reason> ReasonFromName(absl::string_view name);

}  // namespace hostq
