#A disk for SQLite that fails, or loses power : for the contract tests.
hostq_library(hostq_testing_faulty_disk SOURCES ${CMAKE_CURRENT_LIST_DIR} /
              faulty_disk.cc PUBLIC hostq_common_base SQLite::SQLite3)
