if(NOT HOSTQ_CORE_ONLY)
  hostq_test(manager_edge_test LABEL unit
    SOURCES api_convert_test.cc authorization_test.cc call_guard_test.cc page_token_test.cc request_test.cc
            session_convert_test.cc state_dir_test.cc tcp_acceptor_test.cc user_names_test.cc workers_test.cc
    LINK hostq_manager_server)
  target_compile_definitions(manager_edge_test PRIVATE HOSTQ_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  hostq_test(manager_webhook_edge_test LABEL unit
    SOURCES webhook_edge_test.cc
    LINK hostq_manager_webhook)
endif()
