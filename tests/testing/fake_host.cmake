#A host in memory : for the tests of actions, executor and simulation.
hostq_library(hostq_testing_fake_host SOURCES ${CMAKE_CURRENT_LIST_DIR} /
              fake_host.cc PUBLIC hostq_agent_host)
