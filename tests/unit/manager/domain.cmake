hostq_test(manager_domain_test LABEL unit
  SOURCES causes_test.cc queue_parts_test.cc queue_rules_test.cc queue_table_test.cc queue_test.cc queue_random_test.cc findings_test.cc census_test.cc notices_test.cc
          types_test.cc
  LINK hostq_manager_domain)
hostq_test(manager_health_test LABEL unit
  SOURCES health_test.cc
  LINK hostq_manager_health)
hostq_test(manager_audit_test LABEL unit
  SOURCES audit_chain_test.cc audit_entry_test.cc audit_refusals_test.cc
  LINK hostq_manager_audit)
hostq_test(manager_engine_test LABEL unit
  SOURCES engine_audit_test.cc engine_requests_test.cc engine_test.cc
  LINK hostq_manager_engine hostq_manager_store)
