<?php
// A provisioning module for billing systems with the interface of WHMCS's server modules: copy the
// folder "hostq" to modules/servers/. See README.md beside it.

require_once __DIR__ . '/client.php';

function hostq_MetaData(): array
{
    return ['DisplayName' => 'hostq', 'APIVersion' => '1.1', 'RequiresServer' => true, 'DefaultSSLPort' => '7446'];
}

// What a product is: configoption1, 2, ... of the other functions, in this order.
function hostq_ConfigOptions(): array
{
    return [
        'Quota' => ['Type' => 'text', 'Size' => '10', 'Default' => '10', 'Description' => 'GiB; 0: unlimited'],
        'Address' => ['Type' => 'text', 'Size' => '40', 'Description' => 'IP address that the accounts get'],
        'Patience' => ['Type' => 'text', 'Size' => '5', 'Default' => '60', 'Description' => 'seconds to wait for the nodes'],
    ];
}

function hostq_TestConnection(array $params): array
{
    try {
        hostq_client($params)->call('GET', '/v1/accounts?pageSize=1');
        return ['success' => true, 'error' => ''];
    } catch (Throwable $problem) {
        return ['success' => false, 'error' => hostq_text($problem)];
    }
}

function hostq_CreateAccount(array $params): string
{
    return hostq_do($params, function (HostqClient $client) use ($params): string {
        try {
            return hostq_run($client, $params, 'createAccount', [
                'user' => $params['username'],
                'address' => $params['configoption2'],
                'quotaBytes' => hostq_quota($params),
            ]);
        } catch (HostqProblem $problem) {
            // Somebody has pressed the button twice, or the first time took longer than the patience.
            $account = $problem->reason === 'ACCOUNT_EXISTS' ? hostq_account($client, $params) : null;
            if ($account === null || $account['user'] !== $params['username']) {
                throw $problem;
            }
            return $account['state'] === 'CREATING' ? hostq_wait($client, $params, hostq_unfinished($client, $params)) : 'success';
        }
    });
}

function hostq_SuspendAccount(array $params): string
{
    return hostq_do($params, fn (HostqClient $client): string => hostq_run($client, $params, 'suspendAccount', [
        'note' => hostq_note($params['suspendreason'] ?? ''),
    ]));
}

function hostq_UnsuspendAccount(array $params): string
{
    return hostq_do($params, fn (HostqClient $client): string => hostq_run($client, $params, 'unsuspendAccount', []));
}

function hostq_TerminateAccount(array $params): string
{
    return hostq_do($params, function (HostqClient $client) use ($params): string {
        try {
            return hostq_run($client, $params, 'deleteAccount', []);
        } catch (HostqProblem $problem) {
            if ($problem->reason !== 'UNKNOWN_ACCOUNT') {
                throw $problem;
            }
            return 'success';  // it is gone already
        }
    });
}

function hostq_ChangePackage(array $params): string
{
    return hostq_do($params, fn (HostqClient $client): string => hostq_run($client, $params, 'setAccountQuota', [
        'quotaBytes' => hostq_quota($params),
    ]));
}

// --- what the functions above share ---

// "success", or what a person at the billing system should read.
function hostq_do(array $params, callable $what): string
{
    try {
        return $what(hostq_client($params));
    } catch (Throwable $problem) {
        return hostq_text($problem);
    }
}

// Of the server's settings: the host name or address, the port, and in "Access Hash" the API key. The
// authority of the manager is ca.pem beside this file.
function hostq_client(array $params): HostqClient
{
    $host = ($params['serverhostname'] ?? '') ?: ($params['serverip'] ?? '');
    $port = ($params['serverport'] ?? '') ?: 7446;
    $ca = getenv('HOSTQ_CA') ?: __DIR__ . '/ca.pem';
    return new HostqClient("https://$host:$port", trim($params['serveraccesshash'] ?? ''), $ca);
}

function hostq_quota(array $params): int
{
    if (!preg_match('/^\d{1,4}$/', $params['configoption1'] ?? '')) {
        throw new InvalidArgumentException('the product\'s quota is not a number of GiB: ' . ($params['configoption1'] ?? ''));
    }
    return (int) $params['configoption1'] * 1024 ** 3;
}

// One line of at most 200 characters.
function hostq_note(string $text): string
{
    preg_match('/^.{0,200}/u', preg_replace('/[[:cntrl:]]+/', ' ', $text), $match);
    return $match[0] ?? '';
}

function hostq_run(HostqClient $client, array $params, string $kind, array $more): string
{
    $command = $client->submit([$kind => ['domain' => $params['domain']] + $more]);
    return hostq_wait($client, $params, $command);
}

function hostq_wait(HostqClient $client, array $params, ?array $command): string
{
    if ($command === null) {
        return 'success';  // it has just ended
    }
    $command = $client->wait($command, (int) (($params['configoption3'] ?? '') ?: 60));
    if ($command['state'] === 'SUCCEEDED') {
        return 'success';
    }
    $why = $client->explain($command);
    return $command['state'] === 'ACTIVE'
        ? "hostq goes on with command $command[id], and is not done yet: $why"
        : "hostq command $command[id] ended as $command[state]: $why";
}

function hostq_account(HostqClient $client, array $params): ?array
{
    try {
        return $client->call('GET', '/v1/accounts/' . rawurlencode($params['domain']));
    } catch (HostqProblem $problem) {
        if ($problem->status !== 404) {
            throw $problem;
        }
        return null;  // it is not this key's
    }
}

function hostq_unfinished(HostqClient $client, array $params): ?array
{
    $key = rawurlencode("account/$params[domain]");
    $page = $client->call('GET', "/v1/commands?activeOnly=true&resourceKey=$key");
    return $page['commands'][0] ?? null;
}

function hostq_text(Throwable $problem): string
{
    return $problem instanceof HostqProblem ? $problem->text() : 'hostq: ' . $problem->getMessage();
}
