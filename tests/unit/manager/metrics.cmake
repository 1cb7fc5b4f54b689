hostq_test(manager_metrics_test LABEL unit SOURCES metrics_test.cc LINK hostq_manager_metrics)
target_compile_definitions(manager_metrics_test PRIVATE HOSTQ_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
