<?php
// Whether a delivery comes from the manager that has this secret, and is not a copy of an old one.
function hostq_verify(string $secret, string $signature, string $body, ?int $now = null): bool
{
    $time = 0;
    $fits = false;
    foreach (explode(',', $signature) as $part) {
        [$name, $value] = explode('=', $part, 2) + [1 => ''];
        if ($name === 't') {
            $time = (int) $value;
        } elseif ($name === 'v1') {
            $fits = hash_equals(hash_hmac('sha256', "$time.$body", $secret), $value) || $fits;
        }
    }
    return $fits && abs(($now ?? time()) - $time) <= 300;
}
