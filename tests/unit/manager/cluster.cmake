hostq_test(manager_cluster_test LABEL unit
  SOURCES account_status_test.cc cluster_balancing_test.cc cluster_certificates_test.cc cluster_exports_test.cc cluster_load_test.cc cluster_nodes_test.cc cluster_outcome_test.cc
          cluster_plan_test.cc cluster_random_test.cc cluster_refusal_test.cc cluster_resync_test.cc cluster_validate_test.cc
  LINK hostq_manager_cluster)
hostq_test(manager_principals_test LABEL unit
  SOURCES cluster_principals_test.cc
  LINK hostq_manager_cluster)
hostq_test(manager_webhooks_test LABEL unit
  SOURCES webhooks_test.cc
  LINK hostq_manager_cluster)
