# The seam to Linux, and what the actions do with it.
hostq_test(agent_host_test
  LABEL unit
  SOURCES host_mounts_test.cc host_exports_test.cc host_rquota_test.cc host_address_test.cc host_virtual_services_test.cc
  LINK hostq_agent_host)
hostq_test(agent_host_kernel_test
  LABEL integration
  SOURCES host_kernel_test.cc
  LINK hostq_agent_host)
hostq_test(agent_host_hooks_test
  LABEL integration
  SOURCES host_hooks_test.cc host_quota_rules_test.cc
  LINK hostq_agent_host)
hostq_test(agent_actions_test
  LABEL unit
  SOURCES actions_account_test.cc actions_address_test.cc actions_balancing_test.cc actions_exports_test.cc actions_hooks_test.cc actions_policy_test.cc
          actions_preflight_test.cc actions_share_test.cc
  LINK hostq_agent_actions hostq_testing_fake_host)
