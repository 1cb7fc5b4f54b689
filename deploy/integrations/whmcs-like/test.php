<?php
// php test.php HOST PORT KEY_FILE: the module against a running manager, as a billing system would
// call it. HOSTQ_CA: the manager's authority. Says what is wrong and ends with 1, or with 0.
declare(strict_types=1);

require __DIR__ . '/hostq/hostq.php';

function check(string $what, mixed $got, mixed $wanted): void
{
    if (is_string($wanted) && str_starts_with($wanted, '/') ? preg_match($wanted, $got) === 1 : $got === $wanted) {
        echo "  ok   $what\n";
        return;
    }
    echo "FAILED $what: ", var_export($got, true), ', wanted ', var_export($wanted, true), "\n";
    exit(1);
}

[, $host, $port, $key] = $argv;
$params = [
    'serverhostname' => '',
    'serverip' => $host,
    'serverport' => $port,
    'serveraccesshash' => file_get_contents($key),
    'serviceid' => 17,
    'domain' => 'billed.example',
    'username' => 'billed',
    'configoption1' => '10',
    'configoption2' => '203.0.113.90',
    'configoption3' => '30',
];
$client = hostq_client($params);
$account = fn (): ?array => hostq_account($client, $params);

check('three options', count(hostq_ConfigOptions()), 3);
check('the connection', hostq_TestConnection($params), ['success' => true, 'error' => '']);
check('a wrong key', hostq_TestConnection(['serveraccesshash' => 'hostq_x'] + $params)['error'], '/KEY_INVALID/');
check('nobody there', hostq_TestConnection(['serverport' => '1'] + $params)['error'], '/no answer/');

check('create', hostq_CreateAccount($params), 'success');
check('the account', $account()['state'], 'ACTIVE');
check('its quota', $account()['quotaBytes'], (string) (10 * 1024 ** 3));
check('create again', hostq_CreateAccount($params), 'success');
check('another user', hostq_CreateAccount(['username' => 'other'] + $params), '/ACCOUNT_EXISTS/');
check('a quota that is none', hostq_ChangePackage(['configoption1' => 'ten'] + $params), '/not a number of GiB: ten/');
check('another package', hostq_ChangePackage(['configoption1' => '20'] + $params), 'success');
check('its quota', $account()['quotaBytes'], (string) (20 * 1024 ** 3));
check('suspend', hostq_SuspendAccount(['suspendreason' => "not paid\nsince May"] + $params), 'success');
check('suspended', [$account()['state'], $account()['suspendNote']], ['SUSPENDED', 'not paid since May']);
check('suspend again', hostq_SuspendAccount($params), 'success');
check('unsuspend', hostq_UnsuspendAccount($params), 'success');
check('active', $account()['state'], 'ACTIVE');
check('terminate', hostq_TerminateAccount($params), 'success');
check('gone', $account(), null);
check('terminate again', hostq_TerminateAccount($params), 'success');
check('suspend what is gone', hostq_SuspendAccount($params), '/UNKNOWN_ACCOUNT/');
check('a domain that is none', hostq_CreateAccount(['domain' => 'no domain'] + $params), '/INVALID_DOMAIN/');
