// The API's messages as the manager sends them in JSON.
import type {
  DescribeAccountResponseJson,
  ListAccountsResponseJson,
  ListSharesResponseJson,
} from '../gen/hostq/v1/account_service_pb';
import type { AccountOnNodeJson, AccountVerdictJson } from '../gen/hostq/v1/account_status_pb';
import type { AlarmJson, ListAlarmsResponseJson } from '../gen/hostq/v1/alarm_service_pb';
import type {
  AuditEntryJson,
  AuditHeadJson,
  ListAuditEntriesResponseJson,
} from '../gen/hostq/v1/audit_service_pb';
import type { AttemptJson, CommandJson, StepJson, TaskJson } from '../gen/hostq/v1/command_pb';
import type {
  CreateCommandResponseJson,
  ExplainCommandResponseJson,
  ListCommandsResponseJson,
  ListFindingsResponseJson,
  ListPausesResponseJson,
  PauseJson,
  RetryTasksResponseJson,
} from '../gen/hostq/v1/command_service_pb';
import type { EventJson } from '../gen/hostq/v1/event_service_pb';
import type { FindingJson } from '../gen/hostq/v1/finding_pb';
import type { CreateKeyResponseJson, KeyJson, ListKeysResponseJson } from '../gen/hostq/v1/key_service_pb';
import type {
  CauseJson,
  DiagnosisJson,
  ManagerCheckJson,
  OverviewJson,
  ThroughputJson,
} from '../gen/hostq/v1/manager_service_pb';
import type { NodeJson, PreflightCheckJson } from '../gen/hostq/v1/node_pb';
import type { CreateNodeResponseJson, ListNodesResponseJson } from '../gen/hostq/v1/node_service_pb';
import type {
  CreateWebhookResponseJson,
  DeliveryJson,
  ListDeliveriesResponseJson,
  ListWebhooksResponseJson,
  ReplayDeliveryResponseJson,
  WebhookJson,
} from '../gen/hostq/v1/webhook_service_pb';
import type { Present } from './present';

export type AccountOnNode = Present<AccountOnNodeJson>;
export type AccountStatus = Present<DescribeAccountResponseJson>;
export type AccountVerdict = Present<AccountVerdictJson>;
export type Accounts = Present<ListAccountsResponseJson>;
export type Alarm = Present<AlarmJson>;
export type Alarms = Present<ListAlarmsResponseJson>;
export type Attempt = Present<AttemptJson>;
export type AuditEntries = Present<ListAuditEntriesResponseJson>;
export type AuditEntry = Present<AuditEntryJson>;
export type AuditHead = Present<AuditHeadJson>;
export type Cause = Present<CauseJson>;
export type Command = Present<CommandJson>;
export type Commands = Present<ListCommandsResponseJson>;
export type Created = Present<CreateCommandResponseJson>;
export type Deliveries = Present<ListDeliveriesResponseJson>;
export type Delivery = Present<DeliveryJson>;
export type Diagnosis = Present<DiagnosisJson>;
export type Event = Present<EventJson>;
export type Explanation = Present<ExplainCommandResponseJson>;
export type Finding = Present<FindingJson>;
export type Findings = Present<ListFindingsResponseJson>;
export type Key = Present<KeyJson>;
export type Keys = Present<ListKeysResponseJson>;
export type KeyText = Present<CreateKeyResponseJson>;
export type ManagerCheck = Present<ManagerCheckJson>;
export type Node = Present<NodeJson>;
export type Nodes = Present<ListNodesResponseJson>;
export type NodeAdded = Present<CreateNodeResponseJson>;
export type Overview = Present<OverviewJson>;
export type Pause = Present<PauseJson>;
export type Pauses = Present<ListPausesResponseJson>;
export type PreflightCheck = Present<PreflightCheckJson>;
export type Retried = Present<RetryTasksResponseJson>;
export type Shares = Present<ListSharesResponseJson>;
export type Step = Present<StepJson>;
export type Task = Present<TaskJson>;
export type Throughput = Present<ThroughputJson>;
export type Replayed = Present<ReplayDeliveryResponseJson>;
export type Webhook = Present<WebhookJson>;
export type Webhooks = Present<ListWebhooksResponseJson>;
export type WebhookSecret = Present<CreateWebhookResponseJson>;
