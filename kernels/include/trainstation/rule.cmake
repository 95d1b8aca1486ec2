# How a plugin's CMakeLists.txt builds its rules. It lies beside the headers, so that to find it is to find them.

include(CheckLanguage)
check_language(C)
if(CMAKE_C_COMPILER)
  enable_language(C) # here, because CMake allows it in no function
endif()

# trainstation_rule(NAME SOURCES...) makes the library _NAME.so, in the package that has the name of the project.
# Without a compiler the wheel has no library, and the optimizer steps in NumPy.
function(trainstation_rule name)
  if(NOT CMAKE_C_COMPILER)
    set(why "there is no working C compiler.")
    if("$ENV{TRAINSTATION_REQUIRE_KERNEL}" STREQUAL "1")
      message(FATAL_ERROR "TRAINSTATION_REQUIRE_KERNEL=1, and ${why}")
    endif()
    message(WARNING "${PROJECT_NAME} is built WITHOUT its compiled rule and will step in NumPy: ${why}")
    return()
  endif()
  cmake_path(GET CMAKE_CURRENT_FUNCTION_LIST_DIR PARENT_PATH include)
  message(STATUS "Headers of trainstation: ${include}")
  add_library(_${name} MODULE ${ARGN})
  target_include_directories(_${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}" "${include}")
  set_target_properties(_${name} PROPERTIES C_VISIBILITY_PRESET hidden PREFIX "" SUFFIX ".so")
  install(TARGETS _${name} LIBRARY DESTINATION ${PROJECT_NAME})
endfunction()
