<?php
// The manager's REST API, as far as the module needs it.

class HostqProblem extends Exception
{
    public function __construct(public readonly int $status, public readonly string $reason, string $detail, private string $remedy = '')
    {
        parent::__construct($detail);
    }

    public function text(): string
    {
        $reason = $this->reason === '' ? '' : " [$this->reason]";
        return "hostq: {$this->getMessage()}$reason" . ($this->remedy === '' ? '' : "; $this->remedy");
    }
}

class HostqClient
{
    private const TRIES = 4;

    public function __construct(private string $url, private string $key, private string $ca)
    {
    }

    // The answer, decoded. Asks again if none came, or if the manager says "later".
    public function call(string $method, string $path, ?array $body = null, array $headers = []): array
    {
        for ($try = 1;; $try++) {
            [$status, $answer, $delay] = $this->send($method, $path, $body, $headers);
            if ($status >= 200 && $status < 300) {
                return $answer;
            }
            if (!in_array($status, [0, 429, 503, 504], true) || $try === self::TRIES) {
                $detail = $answer['detail'] ?? ($status === 0 ? 'no answer' : "HTTP $status");
                throw new HostqProblem($status, $answer['reason'] ?? '', $detail, $answer['remedy'] ?? '');
            }
            sleep(min(10, max(1, $delay)));
        }
    }

    // Asks once, however often it is sent: the id is of this call.
    public function submit(array $spec): array
    {
        $id = 'whmcs-' . bin2hex(random_bytes(16));
        return $this->call('POST', '/v1/commands', ['spec' => $spec], ["idempotency-key: $id"])['command'];
    }

    // The command when it has ended, or as it is after so many seconds.
    public function wait(array $command, int $seconds): array
    {
        $end = time() + $seconds;
        for ($delay = 250_000; $command['state'] === 'ACTIVE' && time() < $end; $delay = min(2_000_000, $delay * 2)) {
            usleep($delay);
            $command = $this->call('GET', "/v1/commands/$command[id]");
        }
        return $command;
    }

    // Why it does not move, or did not succeed, in one line.
    public function explain(array $command): string
    {
        $findings = $command['state'] === 'ACTIVE' ? $this->call('GET', "/v1/commands/$command[id]/findings")['findings'] : [];
        foreach ($findings as $finding) {
            return "$finding[node]: $finding[summary]; what to do: $finding[remedy]";
        }
        foreach ($command['tasks'] as $task) {
            if ($task['outcome'] !== 'SUCCEEDED') {
                return "$task[node]: $task[reason] $task[message]";
            }
        }
        return 'see hostq explain ' . $command['id'];
    }

    private function send(string $method, string $path, ?array $body, array $headers): array
    {
        $delay = 0;
        $curl = curl_init($this->url . $path);
        curl_setopt_array($curl, [
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => [...$headers, "authorization: Bearer $this->key", 'content-type: application/json'],
            CURLOPT_CAINFO => $this->ca,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_CONNECTTIMEOUT => 10,
            CURLOPT_TIMEOUT => 60,
            CURLOPT_HEADERFUNCTION => function ($curl, string $line) use (&$delay): int {
                if (stripos($line, 'retry-after:') === 0) {
                    $delay = (int) trim(substr($line, 12));
                }
                return strlen($line);
            },
        ]);
        if ($body !== null) {
            curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode($body, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE));
        }
        $text = curl_exec($curl);
        $status = $text === false ? 0 : curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
        $answer = $text === false ? ['detail' => 'no answer: ' . curl_error($curl)] : json_decode($text, true);
        curl_close($curl);
        return [$status, is_array($answer) ? $answer : [], $delay];
    }
}
