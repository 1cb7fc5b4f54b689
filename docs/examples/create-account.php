<?php
// php create-account.php DOMAIN USER ADDRESS: creates an account, and asks until it is there.
require __DIR__ . '/hostq.php';

[, $domain, $user, $address] = $argv;
$hostq = new Hostq(getenv('HOSTQ_URL'), trim(file_get_contents(getenv('HOSTQ_KEY_FILE'))), getenv('HOSTQ_CA'));
try {
    $command = $hostq->run('createAccount', [
        'domain' => $domain,
        'user' => $user,
        'address' => $address,
        'quotaBytes' => 10 * 1024 ** 3,
    ], "create-$domain");
} catch (HostqProblem $problem) {
    fwrite(STDERR, "$problem->reason: {$problem->getMessage()}\n$problem->remedy\n");
    exit(2);
}
echo "$domain: $command[state]\n";
exit($command['state'] === 'SUCCEEDED' ? 0 : 1);
