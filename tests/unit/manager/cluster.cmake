hostq_test(manager_cluster_test LABEL unit
  SOURCES cluster_balancing_test.cc cluster_exports_test.cc cluster_load_test.cc cluster_nodes_test.cc cluster_outcome_test.cc
          cluster_plan_test.cc cluster_random_test.cc cluster_refusal_test.cc cluster_resync_test.cc cluster_validate_test.cc
  LINK hostq_manager_cluster)
