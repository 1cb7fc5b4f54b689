# Store and journal in memory: for the simulation; the contract tests hold them to the real ones.
hostq_library(hostq_testing_memory
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/memory_journal.cc ${CMAKE_CURRENT_LIST_DIR}/memory_store.cc
  PUBLIC hostq_manager_engine hostq_agent_journal)
