<?php
// A client of the manager's REST API: what an integration needs, and no more.

// What the manager says when it refuses: look at the reason, show the rest to a person.
class HostqProblem extends Exception
{
    public function __construct(
        public readonly int $status,
        public readonly string $reason,
        string $detail,
        public readonly string $remedy = ''
    ) {
        parent::__construct($detail);
    }
}

class Hostq
{
    private const PATIENCE = 5;

    public function __construct(private string $url, private string $key, private string $ca)
    {
    }

    // The answer, decoded. Asks again when the manager says "later" or does not answer: a command is
    // the same command as long as its idempotency key is.
    public function call(string $method, string $path, ?array $body = null, string $idempotencyKey = ''): array
    {
        for ($try = 1;; $try++) {
            [$status, $answer, $delay] = $this->send($method, $path, $body, $idempotencyKey);
            if ($status >= 200 && $status < 300) {
                return $answer;
            }
            if (!in_array($status, [0, 429, 503, 504], true) || $try === self::PATIENCE) {
                throw new HostqProblem(
                    $status,
                    $answer['reason'] ?? '',
                    $answer['detail'] ?? 'no answer',
                    $answer['remedy'] ?? ''
                );
            }
            sleep(max(1, $delay));
        }
    }

    // A command on an account; waits until it has ended, and returns it.
    public function run(string $kind, array $parameters, string $idempotencyKey, int $seconds = 60): array
    {
        $body = ['spec' => [$kind => $parameters]];
        $command = $this->call('POST', '/v1/commands', $body, $idempotencyKey)['command'];
        $end = time() + $seconds;
        while ($command['state'] === 'ACTIVE' && time() < $end) {
            sleep(1);
            $command = $this->call('GET', '/v1/commands/' . $command['id']);
        }
        return $command;
    }

    private function send(string $method, string $path, ?array $body, string $idempotencyKey): array
    {
        $headers = ['authorization: Bearer ' . $this->key, 'content-type: application/json'];
        if ($idempotencyKey !== '') {
            $headers[] = 'idempotency-key: ' . $idempotencyKey;
        }
        $delay = 0;
        $curl = curl_init($this->url . $path);
        curl_setopt_array($curl, [
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => $headers,
            CURLOPT_CAINFO => $this->ca,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_TIMEOUT => 60,
            CURLOPT_HEADERFUNCTION => function ($curl, string $line) use (&$delay): int {
                if (stripos($line, 'retry-after:') === 0) {
                    $delay = (int) trim(substr($line, 12));
                }
                return strlen($line);
            },
        ]);
        if ($body !== null) {
            curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode($body, JSON_THROW_ON_ERROR));
        }
        $text = curl_exec($curl);
        $status = $text === false ? 0 : curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        $answer = $text === false ? ['detail' => curl_error($curl)] : json_decode($text, true);
        curl_close($curl);
        return [$status, is_array($answer) ? $answer : [], $delay];
    }
}
