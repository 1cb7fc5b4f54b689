if(NOT HOSTQ_CORE_ONLY)
  hostq_test(manager_http_test LABEL unit
    SOURCES http_parts_test.cc http_routes_test.cc
    LINK hostq_manager_http)
endif()
