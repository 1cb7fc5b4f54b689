# shellcheck shell=bash disable=SC2034,SC2154
# The node's clock is an hour behind.
# Cure: Set the clock; keep it set (chrony, systemd-timesyncd).
reason=CLOCK_SKEW
inject() { agent_clock web1 -1h; }
cure() { agent_restart web1; }
