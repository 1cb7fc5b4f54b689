hostq_test(manager_domain_test LABEL unit
  SOURCES queue_parts_test.cc queue_rules_test.cc queue_table_test.cc queue_test.cc queue_random_test.cc findings_test.cc
          types_test.cc
  LINK hostq_manager_domain)
hostq_test(manager_engine_test LABEL unit
  SOURCES engine_requests_test.cc engine_test.cc
  LINK hostq_manager_engine hostq_manager_store)
