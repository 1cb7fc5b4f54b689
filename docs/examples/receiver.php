<?php
// Takes deliveries of a webhook. Behind a web server, or to try it: php -S 127.0.0.1:8080 receiver.php
//   HOSTQ_SECRET_FILE: what "hostq webhook create" showed   HOSTQ_SEEN: a file that notes what was taken
require __DIR__ . '/verify.php';

$secret = trim(file_get_contents(getenv('HOSTQ_SECRET_FILE')));
$body = file_get_contents('php://input');
if (!hostq_verify($secret, $_SERVER['HTTP_HOSTQ_SIGNATURE'] ?? '', $body)) {
    http_response_code(401);
    exit("the signature does not fit\n");
}
$delivery = json_decode($body, true, 64, JSON_THROW_ON_ERROR);

// A delivery may come again: once is enough. A real receiver has a table with a unique key.
$seen = fopen(getenv('HOSTQ_SEEN'), 'c+');
flock($seen, LOCK_EX);
$known = strpos("\n" . stream_get_contents($seen), "\n$delivery[id] ") !== false;
if (!$known) {
    $what = $delivery['type'] === 'command.finished'
        ? "{$delivery['command']['account']} {$delivery['command']['kind']} {$delivery['command']['state']}"
        : '';
    fwrite($seen, "$delivery[id] $delivery[type] $what\n");
}
fclose($seen);
http_response_code(204);
