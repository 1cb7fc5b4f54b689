// How the values of the API read for people. Each table is complete: the compiler finds a value that
// the protos have and that is missing here.
import type { Account_StateJson } from '../gen/hostq/v1/account_service_pb';
import type { AccountVerdict_StateJson } from '../gen/hostq/v1/account_status_pb';
import type { Command_StateJson, Task_OutcomeJson, Task_PhaseJson } from '../gen/hostq/v1/command_pb';
import type { Event_TypeJson } from '../gen/hostq/v1/event_service_pb';
import type { Finding_OwnerJson } from '../gen/hostq/v1/finding_pb';
import type { Node_StateJson, PreflightCheck_StatusJson } from '../gen/hostq/v1/node_pb';
import type { Delivery_StateJson, Webhook_StateJson } from '../gen/hostq/v1/webhook_service_pb';
import type { Command, Event, Finding, Task } from './types';
import reasons from '../gen/reasons.json';

// What a colour says; it is never the only thing that says it.
export type Tone = 'bad' | 'wait' | 'busy' | 'good' | 'off';

export const phaseTones: Record<Task_PhaseJson, Tone> = {
  PHASE_UNSPECIFIED: 'off',
  QUEUED: 'busy',
  LEASED: 'busy',
  ACCEPTED: 'busy',
  RUNNING: 'busy',
  UNKNOWN: 'wait',
  BACKING_OFF: 'wait',
  PARKED: 'bad',
  FINISHED: 'off',
};

export const phaseWords: Record<Task_PhaseJson, string> = {
  PHASE_UNSPECIFIED: '',
  QUEUED: 'waits at the manager',
  LEASED: 'sent to the node',
  ACCEPTED: 'in the node’s journal',
  RUNNING: 'a step is being executed',
  UNKNOWN: 'the lease was lost; the node is asked',
  BACKING_OFF: 'failed, will be tried again by itself',
  PARKED: 'failed, waits for a person or for its node to be mended',
  FINISHED: 'ended',
};

export const outcomeTones: Record<Task_OutcomeJson, Tone> = {
  OUTCOME_UNSPECIFIED: 'off',
  SUCCEEDED: 'good',
  FAILED: 'bad',
  CANCELLED: 'off',
  EXPIRED: 'bad',
  SUPERSEDED: 'off',
};

export const commandTones: Record<Command_StateJson, Tone> = {
  STATE_UNSPECIFIED: 'off',
  ACTIVE: 'busy',
  SUCCEEDED: 'good',
  FAILED: 'bad',
  CANCELLED: 'off',
  SUPERSEDED: 'off',
};

// The worst first: the order of lists.
export const nodeTones: Record<Node_StateJson, Tone> = {
  OFFLINE: 'bad',
  BANNED: 'bad',
  PREFLIGHT: 'wait',
  PENDING: 'wait',
  PAUSED: 'wait',
  DRAINING: 'wait',
  READY: 'good',
  STATE_UNSPECIFIED: 'off',
};

export const nodeWords: Record<Node_StateJson, string> = {
  OFFLINE: 'joined, no session',
  BANNED: 'by an administrator: gets no session and no certificate',
  PREFLIGHT: 'joined, its preflight has not passed yet',
  PENDING: 'added, has not joined',
  PAUSED: 'by an administrator',
  DRAINING: 'being removed',
  READY: 'connected and in service',
  STATE_UNSPECIFIED: '',
};

export const checkTones: Record<PreflightCheck_StatusJson, Tone> = {
  FAILED: 'bad',
  WARNING: 'wait',
  OK: 'good',
  SKIPPED: 'off',
  STATUS_UNSPECIFIED: 'off',
};

export const accountTones: Record<Account_StateJson, Tone> = {
  STATE_UNSPECIFIED: 'off',
  CREATING: 'busy',
  ACTIVE: 'good',
  SUSPENDED: 'wait',
  DELETING: 'wait',
};

// The worst first.
export const verdictTones: Record<AccountVerdict_StateJson, Tone> = {
  WRONG: 'bad',
  UNKNOWN: 'wait',
  CHANGING: 'busy',
  RIGHT: 'good',
  STATE_UNSPECIFIED: 'off',
};

export const webhookTones: Record<Webhook_StateJson, Tone> = {
  STATE_UNSPECIFIED: 'off',
  ACTIVE: 'good',
  FAILING: 'bad',
  PAUSED: 'wait',
  ENDED: 'off',
};

export const deliveryTones: Record<Delivery_StateJson, Tone> = {
  STATE_UNSPECIFIED: 'off',
  PENDING: 'busy',
  DELIVERED: 'good',
  PARKED: 'bad',
};

export const eventWords: Record<Event_TypeJson, string> = {
  TYPE_UNSPECIFIED: 'changed',
  COMMAND_CREATED: 'command created',
  COMMAND_FINISHED: 'command finished',
  TASK_CHANGED: 'task',
  NODE_ADDED: 'node added',
  NODE_JOINED: 'node joined',
  NODE_CONNECTED: 'node connected',
  NODE_DISCONNECTED: 'node disconnected',
  NODE_PAUSED: 'node paused',
  NODE_RESUMED: 'node resumed',
  NODE_REMOVED: 'node removed',
  NODE_PREFLIGHT: 'node preflight',
  CANCEL_REQUESTED: 'cancel requested',
  PAUSED: 'paused',
  RESUMED: 'resumed',
  NODE_DRIFTED: 'node drifted',
  NODE_REPAIRED: 'node repaired',
  ALARM_RAISED: 'alarm raised',
  ALARM_CLEARED: 'alarm cleared',
};

// Who must act; `node` may be empty: several.
export function ownerWord(owner: Finding_OwnerJson, node: string): string {
  const words: Record<Finding_OwnerJson, string> = {
    OWNER_UNSPECIFIED: '',
    NOBODY: 'nobody: it goes on by itself',
    ADMINISTRATOR: 'an administrator of the cluster',
    NODE: node ? `whoever looks after node ${node}` : 'whoever looks after the nodes',
    FILE_SERVER: 'whoever looks after the file server',
    NETWORK: 'whoever looks after the network',
    AGENT: node ? `whoever looks after the agent on ${node}` : 'whoever looks after the agents',
    MANAGER: 'whoever looks after the manager',
    REQUESTER: 'whoever submitted the command',
  };
  return words[owner];
}

// "file server"
export const ownerShort = (owner: Finding_OwnerJson) =>
  owner === 'OWNER_UNSPECIFIED' ? '' : owner.toLowerCase().replace('_', ' ');

export const isReason = (code: string | undefined): code is string =>
  code !== undefined && code !== '' && code !== 'CODE_UNSPECIFIED';

export const meaningOf = (code: string) => (reasons as Record<string, string>)[code] ?? '';

// What a finding is about: the failure if there is one, else why it waits.
export const causeOf = (finding: Finding) => (isReason(finding.cause) ? finding.cause : finding.reason);

export function taskState(task: Task): { word: string; tone: Tone; meaning: string } {
  if (task.phase === 'FINISHED') {
    return { word: task.outcome, tone: outcomeTones[task.outcome], meaning: '' };
  }
  return { word: task.phase, tone: phaseTones[task.phase], meaning: phaseWords[task.phase] };
}

// A command that is under way and has a task in trouble is not simply active.
export function commandState(command: Command): { word: string; tone: Tone } {
  const tones = command.tasks.map((task) => taskState(task).tone);
  const troubled =
    command.state === 'ACTIVE' && (tones.includes('bad') ? 'bad' : tones.includes('wait') && 'wait');
  return { word: command.state, tone: troubled || commandTones[command.state] };
}

export const isRetryable = (task: Task) => task.phase === 'PARKED' || task.phase === 'BACKING_OFF';

// "RUNNING → FINISHED SUCCEEDED"
export function eventChange(event: Event): string {
  if (event.type !== 'TASK_CHANGED') return eventWords[event.type] ?? event.type;
  const from =
    event.fromPhase === 'PHASE_UNSPECIFIED' || event.fromPhase === event.toPhase
      ? ''
      : `${event.fromPhase} → `;
  const outcome = event.outcome === 'OUTCOME_UNSPECIFIED' ? '' : ` ${event.outcome}`;
  return `${from}${event.toPhase}${outcome}`;
}

export const plural = (count: number, one: string, many = `${one}s`) =>
  `${count} ${count === 1 ? one : many}`;

// "10 GiB"; sizes are powers of 1024.
export function sizeWord(bytes: string | number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = Number(bytes);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    ++unit;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}
