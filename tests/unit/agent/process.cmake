# The agent's processes: journal, executor, session.
hostq_test(agent_journal_test LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/journal_test.cc
  LINK hostq_agent_journal)
hostq_test(agent_executor_test LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/executor_test.cc
  LINK hostq_agent_runner)
hostq_test(agent_runner_test LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/runner_test.cc
  LINK hostq_agent_runner)
hostq_test(agent_renewal_test LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/renewal_test.cc
  LINK hostq_agent_session)
hostq_test(agent_link_test LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/link_test.cc
  ${CMAKE_CURRENT_LIST_DIR}/link_upkeep_test.cc
  LINK hostq_agent_session)
hostq_test(agent_upkeep_test LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/upkeep_test.cc
  ${CMAKE_CURRENT_LIST_DIR}/upkeep_quotas_test.cc ${CMAKE_CURRENT_LIST_DIR}/upkeep_preflight_test.cc
  LINK hostq_agent_upkeep hostq_testing_fake_host)
if(NOT HOSTQ_CORE_ONLY)
  hostq_test(agent_loopback_test LABEL integration
    SOURCES ${CMAKE_CURRENT_LIST_DIR}/loopback_test.cc
    LINK hostq_agent_link hostq_common_rpc hostq_proto_grpc)
  hostq_test(agent_install_test LABEL unit SOURCES ${CMAKE_CURRENT_LIST_DIR}/install_test.cc
    LINK hostq_agent_link)
endif()
